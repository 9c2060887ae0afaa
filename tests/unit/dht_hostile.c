// links: dht
/* What an engine behind its seal does with hostile datagrams of every sort: random ones, replays of true
 * ones from elsewhere, forged addresses, stolen tokens.  After each of them, no address that it has not
 * proven has got more bytes than came from it. */
#include "crypto/base/map.h"
#include "crypto/sign.h"
#include "datagram.gen.h"
#include "dht/inner.h"
#include "dht/seal.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VICTIMS = 24, LIARS = 12, FRIENDS = 60, STEPS = 6000, KEPT = 64 };

static struct network net;
static struct rng rng;
static struct clock now;
static struct keypair self, liars[LIARS];
static struct node_key self_key, liar_key[LIARS];
static struct dht *d;
static struct dht_seal *seal, *liar_seal[LIARS];
static struct dht_out out;
static struct {
    struct addr addr;
    uint64_t in, out;
} victims[VICTIMS];
static struct { /* datagrams seen before: for replays */
    uint8_t bytes[DHT_DATAGRAM_MOST];
    size_t n;
} kept[KEPT];
static size_t kept_n;

static struct addr at(uint8_t b, uint8_t c)
{
    return (struct addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 9, b, c, 1}, (uint16_t)(4000 + b)};
}

static int setup(void **state)
{
    (void)state;
    rng_seed_u64(&rng, 21);
    now = (struct clock){1000, 1700000000000};
    assert_int_equal(network_make(&net, "t", 0, 0, false), 0);
    sign_keypair_new(&self, &rng);
    memcpy(self_key.b, self.pk, 32);
    seal = dht_seal_new(&net, self.sk, &rng, NULL);
    struct dht_config c = {.net = &net, .self = self_key, .rng = &rng};
    d = dht_new(&c, now);
    struct buf table = {0}; /* somebody to tell of */
    for (unsigned i = 0; i < FRIENDS; i++) {
        struct addr a = at(100, (uint8_t)i);
        uint8_t *p = buf_grow(&table, 50);
        struct keypair friend;
        sign_keypair_new(&friend, &rng);
        memcpy(p, friend.pk, 32);
        memcpy(p + 32, a.ip, 16);
        be16_put(p + 48, a.port);
    }
    assert_int_equal(dht_table_restore(d, now, buf_view(&table), true), 0);
    buf_free(&table);
    for (int i = 0; i < LIARS; i++) {
        sign_keypair_new(&liars[i], &rng);
        memcpy(liar_key[i].b, liars[i].pk, 32);
        liar_seal[i] = dht_seal_new(&net, liars[i].sk, &rng, NULL);
    }
    for (unsigned i = 0; i < VICTIMS; i++) {
        victims[i].addr = at(200, (uint8_t)(i / 2)); /* two to a /24 */
        victims[i].addr.port = (uint16_t)(5000 + i);
        victims[i].in = victims[i].out = 0;
    }
    kept_n = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dht_free(d);
    dht_seal_free(seal);
    for (int i = 0; i < LIARS; i++)
        dht_seal_free(liar_seal[i]);
    dht_out_free(&out);
    return 0;
}

/* Counts what goes to victims, as bytes of sealed datagrams; what goes elsewhere is upkeep. */
static void flush(void)
{
    for (size_t i = 0; i < out.n; i++)
        for (int v = 0; v < VICTIMS; v++)
            if (addr_eq(&out.v[i].to, &victims[v].addr))
                victims[v].out += out.v[i].len + DHT_SEAL_BYTES;
    dht_out_clear(&out);
    for (int v = 0; v < VICTIMS; v++)
        assert_true(victims[v].out <= victims[v].in);
}

/* A datagram arrives with a victim's address on it. */
static void arrives(int v, struct span bytes)
{
    struct node_key from;
    struct buf plain = {0};
    victims[v].in += bytes.n;
    if (dht_seal_open(seal, now.mono_ms, &victims[v].addr, bytes, &from, &plain) == 0 &&
        dht_datagram(d, now, &victims[v].addr, &from, buf_view(&plain), plain.n, &out) == DHT_ANSWER)
        fail_msg("%s", "a forged answer was taken for one");
    buf_free(&plain);
    flush();
}

static void random_body(unsigned number, struct buf *b)
{
    static const uint8_t zeros[1100];
    size_t most = rng_below(&rng, 3) ? 1040 : 60;
    struct span pad = span(zeros, rng_below(&rng, most));
    struct id target;
    uint8_t token[8], value[200];
    rng_bytes(&rng, target.b, 32);
    rng_bytes(&rng, token, 8);
    rng_bytes(&rng, value, sizeof value);
    bool client = rng_below(&rng, 5) == 0, padded = rng_below(&rng, 4) > 0;
    enum datagram_family family = rng_below(&rng, 2) ? DATAGRAM_FAMILY_IPV4 : DATAGRAM_FAMILY_IPV6;
    if (number == DATAGRAM_PING) {
        struct datagram_ping m = {.has_client = client, .client = client, .has_pad = padded, .pad = pad};
        datagram_ping_encode(b, &m);
    } else if (number == DATAGRAM_FIND_NODE) {
        struct datagram_find_node m = {.has_client = client,
                                       .client = client,
                                       .target = target,
                                       .family = family,
                                       .has_pad = padded,
                                       .pad = pad};
        datagram_find_node_encode(b, &m);
    } else if (number == DATAGRAM_GET) {
        struct datagram_get m = {.target = target,
                                 .family = family,
                                 .kind = 1 + rng_below(&rng, 3),
                                 .has_pad = padded,
                                 .pad = pad};
        datagram_get_encode(b, &m);
    } else if (number == DATAGRAM_PROVIDERS) {
        struct datagram_providers m = {.target = target, .family = family, .has_pad = padded, .pad = pad};
        datagram_providers_encode(b, &m);
    } else if (number == DATAGRAM_PUT) {
        struct datagram_put m = {.token = SPAN_OF(token), .value = SPAN_OF(value)};
        datagram_put_encode(b, &m);
    } else if (number == DATAGRAM_ANNOUNCE) {
        struct datagram_announce m = {.token = SPAN_OF(token), .value = SPAN_OF(value)};
        datagram_announce_encode(b, &m);
    } else { /* an answer that nobody asked for, or nothing at all */
        rng_bytes(&rng, buf_grow(b, 40), 40);
    }
}

static void no_unproven_address_gets_more_than_came_from_it(void **state)
{
    (void)state;
    uint64_t all_in = 0, all_out = 0;
    for (int step = 0; step < STEPS; step++) {
        int v = (int)rng_below(&rng, VICTIMS), who = (int)rng_below(&rng, LIARS);
        if (rng_below(&rng, 20) == 0) {
            uint64_t ms = rng_below(&rng, 5000);
            now.mono_ms += ms;
            now.unix_ms += (int64_t)ms;
            dht_wake(d, now, &out);
            flush();
        }
        if (kept_n && rng_below(&rng, 4) == 0) { /* a replay, from anywhere, perhaps spoilt or cut */
            size_t i = rng_below(&rng, kept_n);
            size_t n = rng_below(&rng, 3) ? kept[i].n : rng_below(&rng, kept[i].n);
            uint8_t bytes[DHT_DATAGRAM_MOST];
            memcpy(bytes, kept[i].bytes, n);
            if (n && rng_below(&rng, 4) == 0)
                bytes[rng_below(&rng, n)] ^= 1;
            arrives(v, span(bytes, n));
            continue;
        }
        struct buf plain = {0}, sealed = {0};
        uint8_t head[9] = {(uint8_t)(rng_below(&rng, 8) ? 1 + rng_below(&rng, 6) : rng_below(&rng, 32))};
        rng_bytes(&rng, head + 1, 8);
        buf_append(&plain, head, 9);
        random_body(head[0], &plain);
        assert_int_equal(dht_seal_wrap(liar_seal[who], now.mono_ms, &self_key, buf_view(&plain), &sealed),
                         0);
        size_t i = kept_n < KEPT ? kept_n++ : rng_below(&rng, KEPT);
        memcpy(kept[i].bytes, sealed.p, sealed.n);
        kept[i].n = sealed.n;
        arrives(v, buf_view(&sealed));
        buf_free(&plain);
        buf_free(&sealed);
    }
    for (int v = 0; v < VICTIMS; v++) {
        all_in += victims[v].in;
        all_out += victims[v].out;
    }
    print_message("  %llu bytes in with forged addresses, %llu out to them: %.3f\n",
                  (unsigned long long)all_in, (unsigned long long)all_out,
                  (double)all_out / (double)all_in);
    assert_true(all_out > all_in / 20); /* it did answer, or the test would show nothing */
    struct dht_stats s;
    dht_stats_read(d, &s);
    assert_int_equal(s.values, 0);
    assert_in_range(s.requests, 0, 1024);
}

static void sign(void *arg, const struct id *hash, struct sig *sig)
{
    sign_hash(sig, ((struct keypair *)arg)->sk, hash);
}

/* A provider record of a fresh node at the address, as its announcement would bring it. */
static int announce(const struct addr *from, const struct id *topic)
{
    struct keypair node;
    struct buf b = {0};
    sign_keypair_new(&node, &rng);
    struct dht_value v = {.kind = DHT_PROVIDER,
                          .seq = 1,
                          .topic = *topic,
                          .addr = *from,
                          .expires_s = (uint64_t)(now.unix_ms / 1000) + 3600};
    memcpy(v.author, node.pk, 32);
    assert_int_equal(dht_value_make(&b, &net, &v, sign, &node), 0);
    struct node_key key;
    memcpy(key.b, node.pk, 32);
    struct dht_value read;
    assert_int_equal(dht_value_read(&read, &net, now.unix_ms, buf_view(&b), false), 0);
    struct stored s = values_put(d, now, from, &key, buf_view(&b), &read, NULL, true);
    buf_free(&b);
    return s.err;
}

static void one_prefix_does_not_fill_a_topic(void **state)
{
    (void)state;
    struct id topic = {{5}};
    uint32_t stored = 0;
    for (int i = 0; i < 600; i++) {
        struct addr a = at(50, 1); /* all in one /24, which has nodes without end */
        a.ip[15] = (uint8_t)i;
        a.port = (uint16_t)(2000 + i);
        stored += announce(&a, &topic) == 0;
    }
    assert_int_equal(stored, d->knobs.prefix_topic_most);
    for (uint8_t i = 0; i < 100; i++) { /* others find places as if it were not there */
        struct addr a = at(60, i);
        assert_int_equal(announce(&a, &topic), 0);
    }
}

static void a_few_prefixes_do_not_shut_a_topic(void **state)
{
    (void)state;
    struct id topic = {{6}};
    for (uint32_t i = 0; i < d->knobs.providers_most; i++) {
        struct addr a = at(70, (uint8_t)(i / d->knobs.prefix_topic_most));
        a.ip[15] = (uint8_t)i;
        assert_int_equal(announce(&a, &topic), 0);
    }
    assert_int_equal(d->values_n, d->knobs.providers_most);
    for (uint8_t i = 0; i < 100; i++) { /* it is full, and others find places at the expense of those */
        struct addr a = at(60, i);
        assert_int_equal(announce(&a, &topic), 0);
        assert_int_equal(announce(&a, &topic), 0);
        assert_int_equal(d->values_n, d->knobs.providers_most);
    }
    struct id key;
    uint32_t others = 0;
    dht_key_topic(&key, &net, &topic);
    for (struct held *h = values_get(d, &key, DHT_PROVIDER); h; h = h->next) {
        struct addr a = at(60, 0);
        for (uint8_t i = 0; i < 100; i++, a.ip[14]++)
            others += addr_prefix(&a) == h->prefix;
    }
    assert_in_range(others, 100, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_unproven_address_gets_more_than_came_from_it, setup, teardown),
        cmocka_unit_test_setup_teardown(one_prefix_does_not_fill_a_topic, setup, teardown),
        cmocka_unit_test_setup_teardown(a_few_prefixes_do_not_shut_a_topic, setup, teardown),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
