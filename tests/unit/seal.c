// links: crypto
/* Sealed objects: only the one holder of the secret reads them, and their length tells little. */
#include "crypto/seal.h"
#include "crypto/xkey.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct rng r;
    struct xkey pk;
    uint8_t sk[32];
};

static struct fixture fixture(void)
{
    struct fixture f;
    rng_seed_u64(&f.r, 9);
    xkey_pair(&f.pk, f.sk, &f.r);
    return f;
}

static void what_is_sealed_opens_again_at_every_size_class(void **state)
{
    (void)state;
    static uint8_t plain[SEAL_PLAIN_MOST];
    static const size_t sizes[] = {0,    1,    205,   206,   461,   462,   973,
                                   4000, 8141, 16333, 32717, 32718, 50000, SEAL_PLAIN_MOST};
    struct fixture f = fixture();
    rng_bytes(&f.r, plain, sizeof plain);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf sealed = {0}, out = {0};
        buf_append(&out, "before", 6);
        assert_int_equal(seal(&sealed, &f.pk, span_str("ad"), span(plain, sizes[i]), &f.r), 0);
        assert_int_equal(sealed.n, seal_size(sizes[i]));
        assert_true(seal_size_ok(sealed.n));
        assert_int_equal(seal_open(&out, f.sk, span_str("ad"), buf_view(&sealed)), 0);
        assert_int_equal(out.n, 6 + sizes[i]);
        assert_memory_equal(out.p + 6, plain, sizes[i]);
        buf_free(&sealed);
        buf_free(&out);
    }
}

static void sizes_are_few_and_only_those_are_taken(void **state)
{
    (void)state;
    assert_int_equal(seal_size(205), 256);
    assert_int_equal(seal_size(206), 512);
    assert_int_equal(seal_size(32717), 32768);
    assert_int_equal(seal_size(32718), SEAL_BYTES_MOST);
    assert_int_equal(seal_size(SEAL_PLAIN_MOST + 1), 0);
    size_t n = 0;
    for (size_t i = 0; i <= 65536; i++)
        n += seal_size_ok(i);
    assert_int_equal(n, 9);
}

static void too_long_or_bad_key_leaves_out_as_it_was(void **state)
{
    (void)state;
    static const uint8_t plain[SEAL_PLAIN_MOST + 1];
    struct fixture f = fixture();
    struct xkey zero = {{0}};
    struct buf out = {0};
    assert_int_equal(seal(&out, &f.pk, span(NULL, 0), SPAN_OF(plain), &f.r), SOUK_ERANGE);
    assert_int_equal(seal(&out, &zero, span(NULL, 0), span_str("x"), &f.r), SOUK_EINVALID);
    assert_int_equal(out.n, 0);
}

static void other_key_other_ad_or_any_change_does_not_open(void **state)
{
    (void)state;
    struct fixture f = fixture();
    struct xkey other;
    uint8_t other_sk[32];
    struct buf sealed = {0}, out = {0};
    xkey_pair(&other, other_sk, &f.r);
    assert_int_equal(seal(&sealed, &f.pk, span_str("ad"), span_str("secret"), &f.r), 0);
    assert_int_equal(seal_open(&out, other_sk, span_str("ad"), buf_view(&sealed)), SOUK_ESIGNATURE);
    assert_int_equal(seal_open(&out, f.sk, span_str("da"), buf_view(&sealed)), SOUK_ESIGNATURE);
    for (size_t i = 0; i < sealed.n; i++) {
        sealed.p[i] ^= 0x20;
        assert_int_not_equal(seal_open(&out, f.sk, span_str("ad"), buf_view(&sealed)), 0);
        sealed.p[i] ^= 0x20;
    }
    assert_int_equal(seal_open(&out, f.sk, span_str("ad"), span(sealed.p, sealed.n - 1)), SOUK_EFORM);
    assert_int_equal(seal_open(&out, f.sk, span_str("ad"), span(NULL, 0)), SOUK_EFORM);
    assert_int_equal(out.n, 0);
    buf_free(&sealed);
    buf_free(&out);
}

static void same_plain_seals_differently_each_time(void **state)
{
    (void)state;
    struct fixture f = fixture();
    struct buf a = {0}, b = {0};
    assert_int_equal(seal(&a, &f.pk, span(NULL, 0), span_str("x"), &f.r), 0);
    assert_int_equal(seal(&b, &f.pk, span(NULL, 0), span_str("x"), &f.r), 0);
    assert_false(span_eq(buf_view(&a), buf_view(&b)));
    buf_free(&a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_again_at_every_size_class),
        cmocka_unit_test(sizes_are_few_and_only_those_are_taken),
        cmocka_unit_test(too_long_or_bad_key_leaves_out_as_it_was),
        cmocka_unit_test(other_key_other_ad_or_any_change_does_not_open),
        cmocka_unit_test(same_plain_seals_differently_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
