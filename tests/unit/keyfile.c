// links: crypto
/* Key files: a wrong passphrase is told from a damaged file, and a hostile one costs little. */
#include "crypto/keyfile.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>

#include <cmocka.h>

static struct buf made;

static int setup(void **state)
{
    (void)state;
    struct rng r;
    rng_seed_u64(&r, 4);
    return keyfile_seal(&made, span_str("a secret"), span_str("correct horse"), KEYFILE_CHEAP, &r, NULL);
}

static int teardown(void **state)
{
    (void)state;
    buf_wipe(&made);
    return 0;
}

static int open_with(struct span file, const char *passphrase, struct report *r)
{
    uint8_t out[64] = {0};
    size_t n;
    int err = keyfile_open(out, sizeof out, &n, file, span_str(passphrase), r);
    if (err)
        assert_true(is_zero(out, sizeof out));
    else
        assert_true(span_eq(span(out, n), span_str("a secret")));
    return err;
}

/* After a change on purpose, so that only the field itself is judged. */
static void checksum_again(struct buf *b)
{
    static const uint8_t personal[16] = "souk:keyfile";
    crypto_generichash_blake2b_salt_personal(b->p + b->n - 32, 32, b->p, b->n - 32, NULL, 0, NULL,
                                             personal);
}

static void right_passphrase_opens(void **state)
{
    (void)state;
    assert_int_equal(open_with(buf_view(&made), "correct horse", NULL), 0);
    assert_int_equal(made.n, KEYFILE_OVERHEAD_BYTES + 8);
}

static void default_cost_opens_as_well(void **state)
{
    (void)state;
    struct rng r;
    struct buf b = {0};
    rng_seed_u64(&r, 6);
    assert_int_equal(keyfile_seal(&b, span_str("a secret"), span_str("x"), KEYFILE_INTERACTIVE, &r, NULL),
                     0);
    assert_int_equal(be32_get(b.p + 13), 65536);
    assert_int_equal(open_with(buf_view(&b), "x", NULL), 0);
    buf_free(&b);
}

static void wrong_passphrase_says_so(void **state)
{
    (void)state;
    struct report r;
    assert_int_equal(open_with(buf_view(&made), "correct horsf", &r), SOUK_EPASSPHRASE);
    assert_non_null(strstr(r.text, "passphrase"));
}

static void every_changed_or_missing_byte_is_damage_and_not_a_wrong_passphrase(void **state)
{
    (void)state;
    for (size_t i = 0; i < made.n; i++) {
        made.p[i] ^= 4;
        assert_int_equal(open_with(buf_view(&made), "correct horse", NULL), SOUK_EDAMAGED);
        made.p[i] ^= 4;
        assert_int_equal(open_with(span(made.p, i), "correct horse", NULL), SOUK_EDAMAGED);
    }
    assert_int_equal(open_with(buf_view(&made), "correct horse", NULL), 0);
}

static void hostile_cost_is_refused_before_it_is_paid(void **state)
{
    (void)state;
    struct buf b = {0};
    static const struct {
        size_t at;
        uint32_t value;
    } bad[] = {{9, 0}, {9, KEYFILE_PASSES_MOST + 1}, {13, 7}, {13, KEYFILE_MEMORY_KIB_MOST + 1}, {13, ~0u}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_clear(&b);
        buf_span(&b, buf_view(&made));
        be32_put(b.p + bad[i].at, bad[i].value);
        checksum_again(&b);
        assert_int_equal(open_with(buf_view(&b), "correct horse", NULL), SOUK_EDAMAGED);
    }
    buf_free(&b);
}

static void newer_version_is_named_as_such(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_span(&b, buf_view(&made));
    b.p[8] = 2;
    checksum_again(&b);
    assert_int_equal(open_with(buf_view(&b), "correct horse", NULL), SOUK_EVERSION);
    buf_free(&b);
}

static void header_is_authenticated_by_the_passphrase_not_only_by_the_checksum(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_span(&b, buf_view(&made));
    b.p[40] ^= 1; /* the nonce */
    checksum_again(&b);
    assert_int_equal(open_with(buf_view(&b), "correct horse", NULL), SOUK_EPASSPHRASE);
    buf_free(&b);
}

static void limits_are_kept(void **state)
{
    (void)state;
    static const uint8_t big[KEYFILE_SECRET_MOST + 1];
    struct rng r;
    struct buf b = {0};
    uint8_t small[7];
    size_t n;
    rng_seed_u64(&r, 5);
    assert_int_equal(keyfile_seal(&b, SPAN_OF(big), span_str("x"), KEYFILE_CHEAP, &r, NULL), SOUK_EINVALID);
    assert_int_equal(keyfile_seal(&b, span_str("s"), span(NULL, 0), KEYFILE_CHEAP, &r, NULL),
                     SOUK_EINVALID);
    assert_int_equal(
        keyfile_open(small, sizeof small, &n, buf_view(&made), span_str("correct horse"), NULL),
        SOUK_ERANGE);
    assert_int_equal(b.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_passphrase_opens),
        cmocka_unit_test(default_cost_opens_as_well),
        cmocka_unit_test(wrong_passphrase_says_so),
        cmocka_unit_test(every_changed_or_missing_byte_is_damage_and_not_a_wrong_passphrase),
        cmocka_unit_test(hostile_cost_is_refused_before_it_is_paid),
        cmocka_unit_test(newer_version_is_named_as_such),
        cmocka_unit_test(header_is_authenticated_by_the_passphrase_not_only_by_the_checksum),
        cmocka_unit_test(limits_are_kept),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
