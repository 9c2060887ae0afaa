// links: dht
/* Datagrams: only who has the key writes in its name, and strangers cannot make us work. */
#include "crypto/base/err.h"
#include "crypto/sign.h"
#include "dht/dht.h"
#include "dht/seal.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct network net;
static struct rng rng;
static const struct addr here = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 9, 9, 9, 9}, 4000};

struct side {
    struct keypair pair;
    struct node_key key;
    struct dht_seal *seal;
};

static void side_new(struct side *s, const struct dht_seal_knobs *knobs)
{
    uint8_t seed[32];
    dht_key_grind(seed, &s->key, &net, &rng);
    sign_keypair_from_seed(&s->pair, seed);
    s->seal = dht_seal_new(&net, s->pair.sk, &rng, knobs);
}

static int setup(void **state)
{
    (void)state;
    rng_seed_u64(&rng, 4);
    return network_make(&net, "t", 0, 2, false);
}

static void what_one_wraps_only_the_other_opens(void **state)
{
    (void)state;
    struct side a, b, c;
    side_new(&a, NULL);
    side_new(&b, NULL);
    side_new(&c, NULL);
    struct buf sealed = {0}, plain = {0};
    struct node_key from;
    assert_int_equal(dht_seal_wrap(a.seal, 0, &b.key, span_str("ten bytes."), &sealed), 0);
    assert_int_equal(sealed.n, 10 + DHT_SEAL_BYTES);
    assert_int_equal(dht_seal_open(b.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
    assert_true(node_key_eq(&from, &a.key));
    assert_true(span_eq(buf_view(&plain), span_str("ten bytes.")));
    assert_int_equal(dht_seal_open(c.seal, 0, &here, buf_view(&sealed), &from, &plain), SOUK_EFORM);
    memcpy(sealed.p + 1, c.key.b, 4); /* its hint forged: the key is still another's */
    assert_int_equal(dht_seal_open(c.seal, 0, &here, buf_view(&sealed), &from, &plain), SOUK_ESIGNATURE);
    /* Nor can it be sent back to its author: each direction has its own key. */
    memcpy(sealed.p + 1, a.key.b, 4);
    memcpy(sealed.p + 5, b.key.b, 32);
    assert_int_equal(dht_seal_open(a.seal, 0, &here, buf_view(&sealed), &from, &plain), SOUK_ESIGNATURE);
    assert_int_equal(plain.n, 10);
    buf_free(&sealed);
    buf_free(&plain);
    dht_seal_free(a.seal);
    dht_seal_free(b.seal);
    dht_seal_free(c.seal);
}

static void no_bit_can_be_changed(void **state)
{
    (void)state;
    struct side a, b;
    side_new(&a, NULL);
    side_new(&b, NULL);
    struct buf sealed = {0}, plain = {0};
    struct node_key from;
    dht_seal_wrap(a.seal, 0, &b.key, span_str("hello"), &sealed);
    for (size_t i = 0; i < sealed.n; i++) {
        sealed.p[i] ^= 4;
        assert_int_not_equal(dht_seal_open(b.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
        sealed.p[i] ^= 4;
    }
    for (size_t n = 0; n < sealed.n; n++)
        assert_int_not_equal(dht_seal_open(b.seal, 0, &here, span(sealed.p, n), &from, &plain), 0);
    assert_int_equal(plain.n, 0);
    assert_int_equal(dht_seal_open(b.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
    uint8_t big[DHT_PLAIN_MOST + 1] = {0};
    assert_int_equal(dht_seal_wrap(a.seal, 0, &b.key, SPAN_OF(big), &sealed), SOUK_ERANGE);
    buf_free(&sealed);
    buf_free(&plain);
    dht_seal_free(a.seal);
    dht_seal_free(b.seal);
}

static void another_network_cannot_be_heard(void **state)
{
    (void)state;
    struct side a, b;
    side_new(&a, NULL);
    side_new(&b, NULL);
    struct network other;
    assert_int_equal(network_make(&other, "u", 0, 0, false), 0);
    struct dht_seal *spy = dht_seal_new(&other, b.pair.sk, &rng, NULL);
    struct buf sealed = {0}, plain = {0};
    struct node_key from;
    dht_seal_wrap(a.seal, 0, &b.key, span_str("hello"), &sealed);
    assert_int_equal(dht_seal_open(spy, 0, &here, buf_view(&sealed), &from, &plain), SOUK_ESIGNATURE);
    buf_free(&sealed);
    buf_free(&plain);
    dht_seal_free(spy);
    dht_seal_free(a.seal);
    dht_seal_free(b.seal);
}

/* A datagram in the name of a fresh key that solves the puzzle, or not. */
static void forge(uint8_t out[static 100], const struct side *to, bool solved)
{
    struct node_key key;
    uint8_t seed[32];
    dht_key_grind(seed, &key, &net, &rng);
    while (!solved && dht_puzzle_ok(&net, &key))
        rng_bytes(&rng, key.b, 32);
    rng_bytes(&rng, out, 100);
    out[0] = DHT_SEAL_VERSION;
    memcpy(out + 1, to->key.b, 4);
    memcpy(out + 5, key.b, 32);
}

static void a_flood_costs_no_more_than_its_budget(void **state)
{
    (void)state;
    struct dht_seal_knobs k;
    dht_seal_knobs_default(&k);
    k.prefix_burst = 10;
    k.prefix_a_second = 5;
    k.curve_burst = 25;
    k.curve_a_second = 5;
    struct side a, b;
    side_new(&a, NULL);
    side_new(&b, &k);
    struct buf sealed = {0}, plain = {0};
    struct node_key from;
    uint8_t bad[100];
    struct dht_seal_stats s;
    dht_seal_wrap(b.seal, 0, &a.key, span_str("friend?"), &sealed);
    buf_clear(&sealed);
    for (int i = 0; i < 50; i++) {
        forge(bad, &b, false);
        assert_int_equal(dht_seal_open(b.seal, 0, &here, SPAN_OF(bad), &from, &plain), SOUK_EWORK);
    }
    dht_seal_stats_read(b.seal, &s);
    assert_int_equal(s.curves, 1); /* only the one that we chose ourselves */
    for (int i = 0; i < 50; i++) {
        forge(bad, &b, true);
        dht_seal_open(b.seal, 0, &here, SPAN_OF(bad), &from, &plain);
    }
    dht_seal_stats_read(b.seal, &s);
    assert_int_equal(s.curves, 11); /* one prefix */
    for (int i = 0; i < 200; i++) {
        struct addr far = here;
        far.ip[13] = (uint8_t)i;
        forge(bad, &b, true);
        dht_seal_open(b.seal, 0, &far, SPAN_OF(bad), &from, &plain);
    }
    dht_seal_stats_read(b.seal, &s);
    assert_int_equal(s.curves, 26); /* all strangers together */
    /* Meanwhile who is known is heard, from the flooded prefix too. */
    dht_seal_wrap(a.seal, 0, &b.key, span_str("friend!"), &sealed);
    assert_int_equal(dht_seal_open(b.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
    for (int i = 0; i < 20; i++) { /* and a second later there is a little for strangers again */
        forge(bad, &b, true);
        dht_seal_open(b.seal, 1000, &here, SPAN_OF(bad), &from, &plain);
    }
    dht_seal_stats_read(b.seal, &s);
    assert_int_equal(s.curves, 31);
    buf_free(&sealed);
    buf_free(&plain);
    dht_seal_free(a.seal);
    dht_seal_free(b.seal);
}

static void strangers_do_not_push_out_the_proven(void **state)
{
    (void)state;
    struct dht_seal_knobs k;
    dht_seal_knobs_default(&k);
    k.strangers_most = 4;
    k.proven_most = 4;
    struct side a, b[12];
    struct buf sealed = {0}, plain = {0};
    struct node_key from;
    side_new(&a, &k);
    for (int i = 0; i < 12; i++) {
        side_new(&b[i], NULL);
        buf_clear(&sealed);
        dht_seal_wrap(b[i].seal, 0, &a.key, span_str("hi"), &sealed);
        assert_int_equal(dht_seal_open(a.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
        if (i < 2)
            dht_seal_prove(a.seal, &b[i].key);
    }
    struct dht_seal_stats s;
    dht_seal_stats_read(a.seal, &s);
    assert_int_equal(s.proven, 2);
    assert_int_equal(s.strangers, 4);
    assert_int_equal(s.curves, 12);
    for (int i = 0; i < 12; i += 11) { /* the first is still known, and so is the last */
        buf_clear(&sealed);
        dht_seal_wrap(b[i].seal, 0, &a.key, span_str("hi"), &sealed);
        assert_int_equal(dht_seal_open(a.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
    }
    dht_seal_stats_read(a.seal, &s);
    assert_int_equal(s.curves, 12);
    buf_free(&sealed);
    buf_free(&plain);
    dht_seal_free(a.seal);
    for (int i = 0; i < 12; i++)
        dht_seal_free(b[i].seal);
}

/* Addresses are easily forged, keys are not: who floods us in the name of a prefix costs the strangers
 * there their hearing, but not those who have answered us or whom we have asked. */
static void a_flood_in_the_name_of_a_prefix_does_not_silence_its_friends(void **state)
{
    (void)state;
    struct dht_seal_knobs k;
    dht_seal_knobs_default(&k);
    k.dgrams_burst = 20;
    k.dgrams_a_second = 10;
    struct side a, b, c;
    side_new(&a, NULL);
    side_new(&b, &k);
    side_new(&c, NULL);
    struct buf sealed = {0}, plain = {0};
    struct node_key from;
    uint8_t bad[100];
    dht_seal_wrap(b.seal, 0, &a.key, span_str("are you there?"), &sealed);
    for (int i = 0; i < 100; i++) {
        forge(bad, &b, true);
        if (i % 2) /* in the friend's name too */
            memcpy(bad + 5, a.key.b, 32);
        dht_seal_open(b.seal, 0, &here, SPAN_OF(bad), &from, &plain);
    }
    buf_clear(&sealed);
    dht_seal_wrap(c.seal, 0, &b.key, span_str("a stranger"), &sealed);
    assert_int_equal(dht_seal_open(b.seal, 0, &here, buf_view(&sealed), &from, &plain), SOUK_EQUOTA);
    buf_clear(&sealed);
    dht_seal_wrap(a.seal, 0, &b.key, span_str("yes"), &sealed);
    assert_int_equal(dht_seal_open(b.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
    dht_seal_prove(b.seal, &a.key);
    int heard = 0; /* a friend has a bound of its own */
    for (int i = 0; i < 100; i++) {
        buf_clear(&sealed);
        dht_seal_wrap(a.seal, 0, &b.key, span_str("and yes"), &sealed);
        heard += dht_seal_open(b.seal, 0, &here, buf_view(&sealed), &from, &plain) == 0;
    }
    assert_int_equal(heard, 19);
    buf_clear(&sealed);
    dht_seal_wrap(a.seal, 100, &b.key, span_str("and yes"), &sealed);
    assert_int_equal(dht_seal_open(b.seal, 100, &here, buf_view(&sealed), &from, &plain), 0);
    buf_free(&sealed);
    buf_free(&plain);
    dht_seal_free(a.seal);
    dht_seal_free(b.seal);
    dht_seal_free(c.seal);
}

static void whom_a_liar_invents_does_not_push_out_the_proven(void **state)
{
    (void)state;
    struct dht_seal_knobs k;
    dht_seal_knobs_default(&k);
    k.chosen_most = 4;
    k.proven_most = 4;
    struct side a, b;
    struct buf sealed = {0}, plain = {0};
    struct node_key from, invented;
    struct dht_seal_stats s;
    side_new(&a, &k);
    side_new(&b, NULL);
    dht_seal_wrap(a.seal, 0, &b.key, span_str("are you there?"), &sealed);
    dht_seal_prove(a.seal, &b.key); /* it answered */
    for (int i = 0; i < 20; i++) {
        uint8_t seed[32];
        dht_key_grind(seed, &invented, &net, &rng);
        dht_seal_wrap(a.seal, 0, &invented, span_str("are you there?"), &sealed);
    }
    dht_seal_stats_read(a.seal, &s);
    assert_int_equal(s.proven, 1);
    assert_int_equal(s.chosen, 4);
    assert_int_equal(s.curves, 21);
    buf_clear(&sealed);
    dht_seal_wrap(b.seal, 0, &a.key, span_str("yes"), &sealed);
    assert_int_equal(dht_seal_open(a.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
    dht_seal_stats_read(a.seal, &s);
    assert_int_equal(s.curves, 21);
    buf_free(&sealed);
    buf_free(&plain);
    dht_seal_free(a.seal);
    dht_seal_free(b.seal);
}

/* Played back it is not opened, wherever it comes from, and is not charged to its author; much later it may
 * have been forgotten. */
static void a_datagram_is_opened_once(void **state)
{
    (void)state;
    struct dht_seal_knobs k;
    dht_seal_knobs_default(&k);
    k.dgrams_a_second = 1000;
    k.dgrams_burst = 100000;
    struct side a, b;
    struct buf sealed = {0}, other = {0}, plain = {0};
    struct node_key from;
    struct addr there = here;
    struct dht_seal_stats s;
    there.ip[13]++;
    side_new(&a, NULL);
    side_new(&b, &k);
    dht_seal_wrap(a.seal, 0, &b.key, span_str("who is near?"), &sealed);
    assert_int_equal(dht_seal_open(b.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
    for (int i = 0; i < 50; i++) {
        buf_clear(&other);
        dht_seal_wrap(a.seal, 0, &b.key, span_str("who is near?"), &other);
        assert_int_equal(dht_seal_open(b.seal, 0, &here, buf_view(&other), &from, &plain), 0);
        assert_int_equal(dht_seal_open(b.seal, 0, i % 2 ? &here : &there, buf_view(&sealed), &from, &plain),
                         SOUK_ESTALE);
    }
    dht_seal_stats_read(b.seal, &s);
    assert_int_equal(s.dropped_replayed, 50);
    assert_int_equal(s.opened, 51);
    int again = 0; /* 20,000 others push it out of its place of 1,024 */
    for (int i = 0; i < 20000; i++) {
        buf_clear(&other);
        buf_clear(&plain);
        dht_seal_wrap(a.seal, 0, &b.key, span_str("who is near?"), &other);
        again += dht_seal_open(b.seal, 0, &here, buf_view(&other), &from, &plain) != 0;
    }
    assert_int_equal(again, 0);
    assert_int_equal(dht_seal_open(b.seal, 0, &here, buf_view(&sealed), &from, &plain), 0);
    buf_free(&sealed);
    buf_free(&other);
    buf_free(&plain);
    dht_seal_free(a.seal);
    dht_seal_free(b.seal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_wraps_only_the_other_opens),
        cmocka_unit_test(no_bit_can_be_changed),
        cmocka_unit_test(another_network_cannot_be_heard),
        cmocka_unit_test(a_flood_costs_no_more_than_its_budget),
        cmocka_unit_test(strangers_do_not_push_out_the_proven),
        cmocka_unit_test(a_flood_in_the_name_of_a_prefix_does_not_silence_its_friends),
        cmocka_unit_test(whom_a_liar_invents_does_not_push_out_the_proven),
        cmocka_unit_test(a_datagram_is_opened_once),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, setup, NULL);
}
