// links: crypto
/* The session's handshake: both ends agree, and whatever is changed on the way ends it. */
#include "crypto/noise.h"
#include "crypto/xkey.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct pair {
    struct noise i, r;
    struct xkey i_s, r_s;
};

static void pair_start(struct pair *p, const char *i_prologue, const char *r_prologue)
{
    struct rng rng;
    uint8_t si[32], sr[32], ei[32], er[32];
    rng_seed_u64(&rng, 5);
    xkey_pair(&p->i_s, si, &rng);
    xkey_pair(&p->r_s, sr, &rng);
    rng_bytes(&rng, ei, 32);
    rng_bytes(&rng, er, 32);
    noise_start(&p->i, true, span_str(i_prologue), si, ei);
    noise_start(&p->r, false, span_str(r_prologue), sr, er);
}

/* Carries one message over, with one bit changed at `spoil` when that is inside the message. */
static int pass(struct noise *from, struct noise *to, const char *payload, size_t spoil)
{
    struct buf message = {0}, got = {0};
    assert_int_equal(noise_write(from, &message, span_str(payload)), 0);
    if (spoil < message.n)
        message.p[spoil] ^= 1;
    int err = noise_read(to, &got, buf_view(&message));
    if (!err && spoil == SIZE_MAX)
        assert_true(span_eq(buf_view(&got), span_str(payload)));
    buf_free(&message);
    buf_free(&got);
    return err;
}

static void handshake(struct pair *p)
{
    pair_start(p, "souk", "souk");
    assert_int_equal(pass(&p->i, &p->r, "", SIZE_MAX), 0);
    assert_int_equal(pass(&p->r, &p->i, "two", SIZE_MAX), 0);
    assert_int_equal(pass(&p->i, &p->r, "three", SIZE_MAX), 0);
}

static void both_ends_know_each_other_and_share_the_hash(void **state)
{
    (void)state;
    struct pair p;
    struct xkey seen;
    uint8_t a[NOISE_HASH_BYTES], b[NOISE_HASH_BYTES];
    handshake(&p);
    assert_true(noise_done(&p.i) && noise_done(&p.r));
    noise_remote(&p.i, &seen);
    assert_memory_equal(seen.b, p.r_s.b, 32);
    noise_remote(&p.r, &seen);
    assert_memory_equal(seen.b, p.i_s.b, 32);
    noise_hash(&p.i, a);
    noise_hash(&p.r, b);
    assert_memory_equal(a, b, sizeof a);
}

static void transport_carries_both_ways_in_order_only(void **state)
{
    (void)state;
    struct pair p;
    struct noise_cipher is, ir, rs, rr;
    struct buf one = {0}, two = {0}, got = {0};
    handshake(&p);
    noise_split(&p.i, &is, &ir);
    noise_split(&p.r, &rs, &rr);
    assert_int_equal(noise_encrypt(&is, &one, span(NULL, 0), span_str("one")), 0);
    assert_int_equal(noise_encrypt(&is, &two, span(NULL, 0), span_str("two")), 0);
    assert_int_equal(noise_decrypt(&rr, &got, span(NULL, 0), buf_view(&two)), SOUK_ESIGNATURE);
    assert_int_equal(got.n, 0);
    assert_int_equal(noise_decrypt(&rr, &got, span(NULL, 0), buf_view(&one)), 0);
    assert_int_equal(noise_decrypt(&rr, &got, span(NULL, 0), buf_view(&one)), SOUK_ESIGNATURE);
    assert_int_equal(noise_decrypt(&rr, &got, span_str("ad"), buf_view(&two)), SOUK_ESIGNATURE);
    assert_int_equal(noise_decrypt(&rr, &got, span(NULL, 0), buf_view(&two)), 0);
    assert_true(span_eq(buf_view(&got), span_str("onetwo")));
    buf_clear(&one);
    buf_clear(&got);
    assert_int_equal(noise_encrypt(&rs, &one, span(NULL, 0), span(NULL, 0)), 0);
    assert_int_equal(one.n, NOISE_TAG_BYTES);
    assert_int_equal(noise_decrypt(&ir, &got, span(NULL, 0), buf_view(&one)), 0);
    assert_int_equal(got.n, 0);
    buf_free(&one);
    buf_free(&two);
    buf_free(&got);
}

static void any_changed_byte_ends_the_handshake_for_good(void **state)
{
    (void)state;
    struct pair p;
    /* Message 1 is in clear: a change shows in message 2. */
    pair_start(&p, "souk", "souk");
    assert_int_equal(pass(&p.i, &p.r, "x", 32), 0);
    assert_int_equal(pass(&p.r, &p.i, "", SIZE_MAX), SOUK_ESIGNATURE);
    for (size_t at = 0; at < 96; at += 5) {
        pair_start(&p, "souk", "souk");
        assert_int_equal(pass(&p.i, &p.r, "", SIZE_MAX), 0);
        assert_int_equal(pass(&p.r, &p.i, "", at), SOUK_ESIGNATURE);
        struct buf b = {0};
        assert_int_equal(noise_write(&p.i, &b, span(NULL, 0)), SOUK_ECLOSED);
        assert_true(is_zero(p.i.s_sk, 32) && is_zero(p.i.ck, 64));
        buf_free(&b);
    }
    for (size_t at = 0; at < 64; at += 5) {
        pair_start(&p, "souk", "souk");
        assert_int_equal(pass(&p.i, &p.r, "", SIZE_MAX), 0);
        assert_int_equal(pass(&p.r, &p.i, "", SIZE_MAX), 0);
        assert_int_equal(pass(&p.i, &p.r, "", at), SOUK_ESIGNATURE);
        assert_false(noise_done(&p.r));
    }
}

static void other_prologue_ends_the_handshake(void **state)
{
    (void)state;
    struct pair p;
    pair_start(&p, "souk main", "souk other");
    assert_int_equal(pass(&p.i, &p.r, "", SIZE_MAX), 0);
    assert_int_equal(pass(&p.r, &p.i, "", SIZE_MAX), SOUK_ESIGNATURE);
}

static void short_messages_and_small_points_are_refused(void **state)
{
    (void)state;
    struct pair p;
    struct buf b = {0};
    static const uint8_t zeros[64];
    pair_start(&p, "souk", "souk");
    assert_int_equal(noise_read(&p.r, &b, span(zeros, 31)), SOUK_EFORM);
    pair_start(&p, "souk", "souk");
    assert_int_equal(noise_read(&p.r, &b, span(zeros, 32)), 0); /* nothing is computed with it yet */
    assert_int_equal(noise_write(&p.r, &b, span(NULL, 0)), SOUK_EINVALID);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

static void out_of_turn_nothing_is_written_or_read(void **state)
{
    (void)state;
    struct pair p;
    struct buf b = {0};
    pair_start(&p, "souk", "souk");
    assert_int_equal(noise_write(&p.r, &b, span(NULL, 0)), SOUK_ECLOSED);
    assert_int_equal(noise_read(&p.i, &b, span_str("")), SOUK_ECLOSED);
    handshake(&p);
    assert_int_equal(noise_write(&p.r, &b, span(NULL, 0)), SOUK_ECLOSED);
    assert_int_equal(noise_read(&p.r, &b, span_str("")), SOUK_ECLOSED);
}

static void message_beyond_65535_bytes_is_refused_and_harms_nothing(void **state)
{
    (void)state;
    static uint8_t big[NOISE_MESSAGE_MOST];
    struct pair p;
    struct buf b = {0};
    pair_start(&p, "souk", "souk");
    assert_int_equal(noise_write(&p.i, &b, span(big, sizeof big - 31)), SOUK_ERANGE);
    assert_int_equal(noise_write(&p.i, &b, span(big, sizeof big - 32)), 0);
    assert_int_equal(b.n, NOISE_MESSAGE_MOST);
    buf_free(&b);
}

static void last_nonce_is_never_used(void **state)
{
    (void)state;
    struct noise_cipher c = {.keyed = true, .nonce = UINT64_MAX - 1};
    struct buf b = {0};
    assert_int_equal(noise_encrypt(&c, &b, span(NULL, 0), span_str("x")), 0);
    assert_int_equal(noise_encrypt(&c, &b, span(NULL, 0), span_str("x")), SOUK_ECLOSED);
    assert_int_equal(noise_decrypt(&c, &b, span(NULL, 0), buf_view(&b)), SOUK_ECLOSED);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_know_each_other_and_share_the_hash),
        cmocka_unit_test(transport_carries_both_ways_in_order_only),
        cmocka_unit_test(any_changed_byte_ends_the_handshake_for_good),
        cmocka_unit_test(other_prologue_ends_the_handshake),
        cmocka_unit_test(short_messages_and_small_points_are_refused),
        cmocka_unit_test(out_of_turn_nothing_is_written_or_read),
        cmocka_unit_test(message_beyond_65535_bytes_is_refused_and_harms_nothing),
        cmocka_unit_test(last_nonce_is_never_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
