// links: crypto
/* The issuer's log: the known roots of RFC 6962, a plain recursive reference, and proofs that fail when
 * anything in them is changed. */
#include "crypto/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LEVELS = 8, LEAVES = 70 };
struct log {
    struct id node[LEVELS][LEAVES];
    bool have[LEVELS][LEAVES];
    uint64_t size;
};

static bool get(void *arg, unsigned level, uint64_t index, struct id *hash)
{
    struct log *l = arg;
    if (level >= LEVELS || index >= LEAVES || !l->have[level][index])
        return false;
    *hash = l->node[level][index];
    return true;
}

static void put(void *arg, unsigned level, uint64_t index, const struct id *hash)
{
    struct log *l = arg;
    assert_true(level < LEVELS && index < LEAVES && !l->have[level][index]);
    l->node[level][index] = *hash;
    l->have[level][index] = true;
}

static void add(struct log *l, struct span entry)
{
    struct id leaf;
    merkle_leaf(&leaf, entry);
    assert_int_equal(merkle_append(l->size, &leaf, get, put, l), 0);
    l->size++;
}

static struct log *log_of(uint64_t n)
{
    struct log *l = calloc(1, sizeof *l);
    assert_non_null(l);
    for (uint64_t i = 0; i < n; i++) {
        uint8_t entry[2] = {(uint8_t)i, 0x5a};
        add(l, SPAN_OF(entry));
    }
    return l;
}

/* MTH of RFC 6962, section 2.1, word by word. */
static struct id reference(const struct id *leaf, uint64_t n)
{
    if (n == 1)
        return leaf[0];
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    struct id left = reference(leaf, k), right = reference(leaf + k, n - k), out;
    merkle_node(&out, &left, &right);
    return out;
}

static void roots_are_those_of_certificate_transparency(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
    static const char *const roots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    struct log *l = log_of(0);
    for (size_t i = 0; i < 9; i++) {
        struct id root;
        char hex[65];
        assert_int_equal(merkle_root(&root, i, get, l), 0);
        assert_string_equal(hex_encode(hex, root.b, 32), roots[i]);
        if (i < 8) {
            uint8_t entry[16];
            size_t n = strlen(entries[i]) / 2;
            assert_true(hex_decode(entry, n, entries[i], 2 * n));
            add(l, span(entry, n));
        }
    }
    free(l);
}

static void every_root_equals_the_recursive_definition(void **state)
{
    (void)state;
    struct log *l = log_of(LEAVES);
    for (uint64_t n = 1; n <= LEAVES; n++) {
        struct id root, want = reference(l->node[0], n);
        assert_int_equal(merkle_root(&root, n, get, l), 0);
        assert_true(id_eq(&root, &want));
    }
    free(l);
}

static void every_leaf_of_every_size_is_shown_and_no_other(void **state)
{
    (void)state;
    struct log *l = log_of(LEAVES);
    struct id proof[MERKLE_PROOF_MOST], root;
    size_t n;
    for (uint64_t size = 1; size <= LEAVES; size++) {
        assert_int_equal(merkle_root(&root, size, get, l), 0);
        for (uint64_t i = 0; i < size; i++) {
            const struct id *leaf = &l->node[0][i];
            assert_int_equal(merkle_inclusion(proof, &n, i, size, get, l), 0);
            assert_true(merkle_inclusion_ok(leaf, i, size, proof, n, &root));
            assert_false(merkle_inclusion_ok(leaf, i ^ 1, size, proof, n, &root));
            assert_false(merkle_inclusion_ok(&l->node[0][(i + 1) % LEAVES], i, size, proof, n, &root));
            assert_false(merkle_inclusion_ok(leaf, i, size, proof, n + 1, &root));
            if (n) {
                assert_false(merkle_inclusion_ok(leaf, i, size, proof, n - 1, &root));
                proof[n / 2].b[7] ^= 1;
                assert_false(merkle_inclusion_ok(leaf, i, size, proof, n, &root));
            }
        }
    }
    assert_int_equal(merkle_inclusion(proof, &n, 5, 5, get, l), SOUK_ERANGE);
    assert_false(merkle_inclusion_ok(&root, 0, 0, proof, 0, &root));
    free(l);
}

static void every_pair_of_sizes_is_shown_consistent_and_no_forgery_is(void **state)
{
    (void)state;
    struct log *l = log_of(LEAVES);
    struct id proof[MERKLE_PROOF_MOST], a, b, wrong;
    size_t n;
    for (uint64_t second = 0; second <= LEAVES; second++) {
        assert_int_equal(merkle_root(&b, second, get, l), 0);
        for (uint64_t first = 0; first <= second; first++) {
            assert_int_equal(merkle_root(&a, first, get, l), 0);
            assert_int_equal(merkle_consistency(proof, &n, first, second, get, l), 0);
            assert_true(merkle_consistency_ok(first, &a, second, &b, proof, n));
            wrong = a;
            wrong.b[0] ^= 1;
            assert_false(merkle_consistency_ok(first, &wrong, second, &b, proof, n));
            if (n) {
                wrong = b;
                wrong.b[0] ^= 1;
                assert_false(merkle_consistency_ok(first, &a, second, &wrong, proof, n));
                assert_false(merkle_consistency_ok(first, &a, second, &b, proof, n - 1));
                proof[n / 2].b[7] ^= 1;
                assert_false(merkle_consistency_ok(first, &a, second, &b, proof, n));
            }
        }
    }
    assert_int_equal(merkle_consistency(proof, &n, 3, 2, get, l), SOUK_ERANGE);
    assert_false(merkle_consistency_ok(3, &a, 2, &b, proof, 0));
    free(l);
}

/* RFC 6962's own example, section 2.1.3: seven leaves. */
static void paths_are_those_of_the_rfc(void **state)
{
    (void)state;
    struct log *l = log_of(7);
    struct id proof[MERKLE_PROOF_MOST], i, j = l->node[0][6];
    size_t n;
    merkle_node(&i, &l->node[0][4], &l->node[0][5]);
    assert_int_equal(merkle_inclusion(proof, &n, 0, 7, get, l), 0); /* [b, h, l] */
    assert_int_equal(n, 3);
    assert_true(id_eq(&proof[0], &l->node[0][1]) && id_eq(&proof[1], &l->node[1][1]));
    assert_int_equal(merkle_inclusion(proof, &n, 6, 7, get, l), 0); /* [i, k] */
    assert_int_equal(n, 2);
    assert_true(id_eq(&proof[0], &i) && id_eq(&proof[1], &l->node[2][0]));
    assert_int_equal(merkle_consistency(proof, &n, 3, 7, get, l), 0); /* [c, d, g, l] */
    assert_int_equal(n, 4);
    assert_true(id_eq(&proof[0], &l->node[0][2]) && id_eq(&proof[1], &l->node[0][3]));
    assert_int_equal(merkle_consistency(proof, &n, 4, 7, get, l), 0); /* [l] */
    assert_int_equal(n, 1);
    assert_int_equal(merkle_consistency(proof, &n, 6, 7, get, l), 0); /* [i, j, k] */
    assert_int_equal(n, 3);
    assert_true(id_eq(&proof[0], &i) && id_eq(&proof[1], &j) && id_eq(&proof[2], &l->node[2][0]));
    free(l);
}

static void missing_subtree_is_damage(void **state)
{
    (void)state;
    struct log *l = log_of(7);
    struct id proof[MERKLE_PROOF_MOST], root = {{9}};
    size_t n = 99;
    l->have[2][0] = false;
    assert_int_equal(merkle_root(&root, 7, get, l), SOUK_EDAMAGED);
    assert_int_equal(root.b[0], 9);
    assert_int_equal(merkle_inclusion(proof, &n, 6, 7, get, l), SOUK_EDAMAGED);
    assert_int_equal(merkle_consistency(proof, &n, 4, 7, get, l), 0); /* needs only leaves four on */
    assert_int_equal(merkle_consistency(proof, &n, 6, 7, get, l), SOUK_EDAMAGED);
    assert_int_equal(merkle_append(7, &root, get, put, l), SOUK_EDAMAGED);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_certificate_transparency),
        cmocka_unit_test(every_root_equals_the_recursive_definition),
        cmocka_unit_test(every_leaf_of_every_size_is_shown_and_no_other),
        cmocka_unit_test(every_pair_of_sizes_is_shown_consistent_and_no_forgery_is),
        cmocka_unit_test(paths_are_those_of_the_rfc),
        cmocka_unit_test(missing_subtree_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
