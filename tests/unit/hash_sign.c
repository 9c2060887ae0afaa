// links: crypto
/* One hash with use and network bound in; strict signatures; X25519 that refuses bad points. */
#include "crypto/base/err.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>

static struct network net(const char *name)
{
    struct network n;
    assert_int_equal(network_make(&n, name, 0, 0, true), 0);
    return n;
}

static void hash_differs_by_use_and_by_network(void **state)
{
    (void)state;
    struct network a = net("a"), b = net("b");
    struct id x, y, z, again;
    hash_souk_one(&x, &a, "souk:record", span_str("hello"));
    hash_souk_one(&y, &a, "souk:fact", span_str("hello"));
    hash_souk_one(&z, &b, "souk:record", span_str("hello"));
    hash_souk_one(&again, &a, "souk:record", span_str("hello"));
    assert_true(id_eq(&x, &again));
    assert_false(id_eq(&x, &y));
    assert_false(id_eq(&x, &z));
}

/* Computed with Python: hashlib.blake2b(b"hello", digest_size=32, person=b"souk:record".ljust(16, b"\0"),
 * salt=hashlib.blake2b(b"\0\0a", digest_size=16, person=b"souk:network".ljust(16, b"\0")).digest()) */
static void hash_is_what_another_implementation_computes(void **state)
{
    (void)state;
    struct network a = net("a");
    struct id x;
    char hex[65];
    hash_souk_one(&x, &a, "souk:record", span_str("hello"));
    assert_string_equal(hex_encode(hex, x.b, 32),
                        "5c6102fae40a05762858d80d518e8a91d3b5d551ca4d9d13275b5eff89578325");
}

static void hash_of_parts_is_hash_of_their_joint_bytes(void **state)
{
    (void)state;
    struct network a = net("a");
    struct id x, y;
    struct span parts[] = {span_str("he"), {NULL, 0}, span_str("llo")};
    hash_souk(&x, &a, "souk:record", parts, 3);
    hash_souk_one(&y, &a, "souk:record", span_str("hello"));
    assert_true(id_eq(&x, &y));
}

static void derived_secrets_differ_by_root_use_and_context(void **state)
{
    (void)state;
    uint8_t root[32] = {1}, other[32] = {2}, out[5][32];
    hash_derive(out[0], root, "souk:identity", span(NULL, 0));
    hash_derive(out[1], root, "souk:recovery", span(NULL, 0));
    hash_derive(out[2], other, "souk:identity", span(NULL, 0));
    hash_derive(out[3], root, "souk:identity", span_str("1"));
    hash_derive(out[4], root, "souk:identity", span_str("2"));
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(out[i], out[j], 32);
}

static void signature_verifies_only_for_its_key_and_hash(void **state)
{
    (void)state;
    struct rng r;
    struct keypair k, other;
    struct id h = {{7}}, h2 = {{8}};
    struct sig s;
    rng_seed_u64(&r, 1);
    sign_keypair_new(&k, &r);
    sign_keypair_new(&other, &r);
    sign_hash(&s, k.sk, &h);
    assert_true(sign_check(k.pk, &h, &s));
    assert_true(sign_check_raw(k.pk, SPAN_OF(h), SPAN_OF(s)));
    assert_false(sign_check(k.pk, &h2, &s));
    assert_false(sign_check(other.pk, &h, &s));
    s.b[3] ^= 1;
    assert_false(sign_check(k.pk, &h, &s));
    assert_false(sign_check_raw(k.pk, SPAN_OF(h), span(s.b, 63)));
}

/* S + L is congruent to S: a lenient verifier would take both, and one record would have two forms. */
static void signature_with_s_beyond_the_order_is_refused(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct keypair k;
    struct id h = {{7}};
    struct sig s;
    sign_keypair_from_seed(&k, h.b);
    sign_hash(&s, k.sk, &h);
    unsigned carry = 0;
    for (int i = 0; i < 32; i++) {
        carry += (unsigned)s.b[32 + i] + order[i];
        s.b[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_false(sign_check(k.pk, &h, &s));
}

static void key_of_small_order_signs_nothing(void **state)
{
    (void)state;
    /* The neutral point: with R = neutral and S = 0 the plain equation holds for every message. */
    uint8_t pk[32] = {1};
    struct id h = {{7}};
    struct sig s = {{1}};
    assert_false(sign_check(pk, &h, &s));
    assert_false(sign_key_ok(pk));
}

static void x25519_agrees_and_refuses_points_of_small_order(void **state)
{
    (void)state;
    struct rng r;
    struct xkey a, b, zero = {{0}}, one = {{1}};
    uint8_t a_sk[32], b_sk[32], ab[32], ba[32];
    rng_seed_u64(&r, 2);
    xkey_pair(&a, a_sk, &r);
    xkey_pair(&b, b_sk, &r);
    assert_int_equal(x25519(ab, a_sk, &b), 0);
    assert_int_equal(x25519(ba, b_sk, &a), 0);
    assert_memory_equal(ab, ba, 32);
    assert_int_equal(x25519(ab, a_sk, &zero), SOUK_EINVALID);
    assert_int_equal(x25519(ab, a_sk, &one), SOUK_EINVALID);
    assert_true(is_zero(ab, 32));
}

static void node_key_converts_to_the_same_x25519_pair_on_both_sides(void **state)
{
    (void)state;
    struct rng r;
    struct keypair k;
    struct node_key node;
    struct xkey from_public, from_secret;
    uint8_t sk[32];
    rng_seed_u64(&r, 3);
    sign_keypair_new(&k, &r);
    memcpy(node.b, k.pk, 32);
    assert_int_equal(xkey_from_node(&from_public, &node), 0);
    xkey_secret_from_sign(sk, k.sk);
    xkey_public(&from_secret, sk);
    assert_memory_equal(from_public.b, from_secret.b, 32);
}

static void node_key_that_is_no_proper_point_is_refused(void **state)
{
    (void)state;
    struct node_key neutral = {{1}}, zero = {{0}}, off_curve = {{2}}, not_canonical;
    struct xkey x = {{9}};
    memset(not_canonical.b, 0xff, 32); /* y ≥ p */
    not_canonical.b[31] = 0x7f;
    assert_int_equal(xkey_from_node(&x, &neutral), SOUK_EINVALID);
    assert_int_equal(xkey_from_node(&x, &zero), SOUK_EINVALID);
    assert_int_equal(xkey_from_node(&x, &off_curve), SOUK_EINVALID);
    assert_int_equal(xkey_from_node(&x, &not_canonical), SOUK_EINVALID);
    assert_int_equal(x.b[0], 9); /* untouched on error */
}

/* Whatever libsodium calls a valid point, and nothing else: both encodings of each small y, points with a
 * part of small order, and any bytes. */
static void node_keys_taken_are_those_that_libsodium_calls_valid(void **state)
{
    (void)state;
    struct rng r;
    struct xkey x;
    rng_seed_u64(&r, 4);
    for (int i = 0; i < 2000; i++) {
        static const uint8_t order_2[32] = {
            0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
        struct node_key k = {{0}};
        struct keypair pair;
        rng_bytes(&r, k.b, 32);
        if (i < 76) { /* y = i / 4, or p + y; either sign */
            memset(k.b, i % 2 ? 0xff : 0, 32);
            k.b[0] = (uint8_t)(i / 4 + (i % 2 ? 0xed : 0));
            k.b[31] = (uint8_t)((i % 2 ? 0x7f : 0) | (i % 4 / 2 ? 0x80 : 0));
        } else if (i < 300) {
            sign_keypair_from_seed(&pair, k.b);
            if (i % 2)
                memcpy(k.b, pair.pk, 32);
            else
                assert_int_equal(crypto_core_ed25519_add(k.b, pair.pk, order_2), 0);
        }
        bool valid = crypto_core_ed25519_is_valid_point(k.b);
        assert_int_equal(xkey_from_node(&x, &k), valid ? 0 : SOUK_EINVALID);
        if (i >= 76 && i < 300)
            assert_int_equal(valid, i % 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_differs_by_use_and_by_network),
        cmocka_unit_test(hash_is_what_another_implementation_computes),
        cmocka_unit_test(hash_of_parts_is_hash_of_their_joint_bytes),
        cmocka_unit_test(derived_secrets_differ_by_root_use_and_context),
        cmocka_unit_test(signature_verifies_only_for_its_key_and_hash),
        cmocka_unit_test(signature_with_s_beyond_the_order_is_refused),
        cmocka_unit_test(key_of_small_order_signs_nothing),
        cmocka_unit_test(x25519_agrees_and_refuses_points_of_small_order),
        cmocka_unit_test(node_key_converts_to_the_same_x25519_pair_on_both_sides),
        cmocka_unit_test(node_key_that_is_no_proper_point_is_refused),
        cmocka_unit_test(node_keys_taken_are_those_that_libsodium_calls_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
