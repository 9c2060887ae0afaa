// links: crypto
/* Photos in chunks: each chunk is checked alone, from any carrier, against the root. */
#include "crypto/blobtree.h"
#include "crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CHUNK = BLOB_CHUNK_BYTES };
static struct network net;
static uint8_t bytes[7 * CHUNK];
static struct blobtree tree;

static int setup(void **state)
{
    (void)state;
    struct rng r;
    rng_seed_u64(&r, 3);
    rng_bytes(&r, bytes, sizeof bytes);
    return network_make(&net, "test", 0, 0, true);
}

static struct span chunk_of(uint64_t all, uint32_t i)
{
    return span(bytes + (size_t)i * CHUNK, blobtree_chunk_bytes(all, i));
}

static void every_chunk_of_every_size_is_verified_alone(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,         100,           CHUNK - 1,     CHUNK,    CHUNK + 1,
                                   2 * CHUNK, 3 * CHUNK - 5, 5 * CHUNK + 1, 7 * CHUNK};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct id root, proof[BLOB_PROOF_MOST];
        size_t n;
        assert_int_equal(blobtree_build(&tree, &net, span(bytes, sizes[s])), 0);
        assert_int_equal(tree.chunks, (sizes[s] + CHUNK - 1) / CHUNK);
        blobtree_root(&tree, &root);
        for (uint32_t i = 0; i < tree.chunks; i++) {
            assert_int_equal(blobtree_proof(&tree, i, proof, &n), 0);
            assert_int_equal(
                blobtree_check(&net, &root, sizes[s], i, chunk_of(sizes[s], i), span(proof, n * 32)), 0);
        }
        assert_int_equal(blobtree_proof(&tree, tree.chunks, proof, &n), SOUK_ERANGE);
    }
}

static void other_bytes_place_size_or_proof_are_refused(void **state)
{
    (void)state;
    size_t all = 5 * CHUNK, n;
    struct id root, proof[BLOB_PROOF_MOST];
    assert_int_equal(blobtree_build(&tree, &net, span(bytes, all)), 0);
    blobtree_root(&tree, &root);
    assert_int_equal(blobtree_proof(&tree, 2, proof, &n), 0);
    struct span p = span(proof, n * 32), c = chunk_of(all, 2);
    assert_int_equal(blobtree_check(&net, &root, all, 2, c, p), 0);
    assert_int_equal(blobtree_check(&net, &root, all, 1, c, p), SOUK_ESIGNATURE);
    assert_int_equal(blobtree_check(&net, &root, all, 2, chunk_of(all, 3), p), SOUK_ESIGNATURE);
    assert_int_equal(blobtree_check(&net, &root, all - 1, 2, c, p), SOUK_ESIGNATURE);
    assert_int_equal(blobtree_check(&net, &root, all, 5, c, p), SOUK_ERANGE);
    assert_int_equal(blobtree_check(&net, &root, 0, 0, c, p), SOUK_ERANGE);
    assert_int_equal(blobtree_check(&net, &root, UINT64_MAX, 2, c, p), SOUK_ERANGE);
    assert_int_equal(blobtree_check(&net, &root, all, 2, span(c.p, c.n - 1), p), SOUK_EFORM);
    assert_int_equal(blobtree_check(&net, &root, all, 2, c, span(p.p, p.n - 32)), SOUK_EFORM);
    assert_int_equal(blobtree_check(&net, &root, all, 2, c, span(p.p, p.n - 1)), SOUK_EFORM);
    proof[1].b[0] ^= 1;
    assert_int_equal(blobtree_check(&net, &root, all, 2, c, p), SOUK_ESIGNATURE);
}

static void root_is_what_the_manual_says(void **state)
{
    (void)state;
    struct id leaf[2], top, want, root;
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t head[5] = {0, 0, 0, 0, i};
        struct span parts[] = {SPAN_OF(head), chunk_of(CHUNK + 7, i)};
        hash_souk(&leaf[i], &net, "souk:blob", parts, 2);
    }
    uint8_t one[1] = {1}, two[9] = {2, 0, 0, 0, 0, 0, 0, 0x80, 7};
    struct span inner[] = {SPAN_OF(one), SPAN_OF(leaf[0]), SPAN_OF(leaf[1])};
    hash_souk(&top, &net, "souk:blob", inner, 3);
    struct span outer[] = {SPAN_OF(two), SPAN_OF(top)};
    hash_souk(&want, &net, "souk:blob", outer, 2);
    assert_int_equal(blobtree_build(&tree, &net, span(bytes, CHUNK + 7)), 0);
    blobtree_root(&tree, &root);
    assert_true(id_eq(&root, &want));
}

static void no_bytes_and_too_many_have_no_root(void **state)
{
    (void)state;
    assert_int_equal(blobtree_build(&tree, &net, span(bytes, 0)), SOUK_ERANGE);
    assert_int_equal(blobtree_build(&tree, &net, span(bytes, (size_t)BLOB_BYTES_MOST + 1)), SOUK_ERANGE);
    assert_int_equal(blobtree_chunks(BLOB_BYTES_MOST), BLOB_CHUNKS_MOST);
    assert_int_equal(blobtree_chunk_bytes(CHUNK + 7, 1), 7);
    assert_int_equal(blobtree_chunk_bytes(CHUNK + 7, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunk_of_every_size_is_verified_alone),
        cmocka_unit_test(other_bytes_place_size_or_proof_are_refused),
        cmocka_unit_test(root_is_what_the_manual_says),
        cmocka_unit_test(no_bytes_and_too_many_have_no_root),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
