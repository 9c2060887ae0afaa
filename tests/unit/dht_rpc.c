// links: dht_world
/* What one engine answers to another: tokens, pointers, expiry, replays, and never more bytes than it got.
 */
#include "datagram.gen.h"
#include "dht/inner.h"
#include "tests/sim/dht_world.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>

#include <cmocka.h>

static struct network net;
static struct rng rng;
static struct clock now;
static struct dht *d;
static struct dht_out out;
static struct dht_knobs knobs;
static struct node_key peer;
static struct keypair author;
static const struct addr from = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 9, 9, 9, 9}, 4000};

static int setup(void **state)
{
    (void)state;
    rng_seed_u64(&rng, 5);
    now = (struct clock){1000, 1700000000000};
    assert_int_equal(network_make(&net, "t", 0, 0, false), 0);
    dht_knobs_default(&knobs);
    struct dht_config c = {.net = &net, .rng = &rng, .knobs = &knobs};
    rng_bytes(&rng, c.self.b, 32);
    rng_bytes(&rng, peer.b, 32);
    sign_keypair_new(&author, &rng);
    d = dht_new(&c, now);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dht_free(d);
    dht_out_free(&out);
    return 0;
}

/* Sends a request; returns the number of the answer (0: none), its body in *body until the next request. */
static unsigned request(unsigned number, struct buf *map, struct span *body)
{
    struct buf b = {0};
    uint8_t head[9] = {(uint8_t)number, 1, 2, 3, 4, 5, 6, 7, 8};
    buf_append(&b, head, sizeof head);
    buf_span(&b, buf_view(map));
    dht_out_clear(&out);
    dht_datagram(d, now, &from, &peer, buf_view(&b), b.n, &out);
    size_t sent = 0;
    for (size_t i = 0; i < out.n; i++)
        sent += out.v[i].len + DHT_OUTER_BYTES;
    if (!address_proven(d, now.mono_ms, &peer, &from) && number != DATAGRAM_PUT &&
        number != DATAGRAM_ANNOUNCE)
        assert_true(sent <= b.n + DHT_OUTER_BYTES);
    buf_free(&b);
    buf_free(map);
    if (out.n == 0 || out.bytes.p[0] < 16)
        return 0;
    assert_memory_equal(out.bytes.p + 1, head + 1, 8);
    *body = span(out.bytes.p + 9, out.v[0].len - 9);
    return out.bytes.p[0];
}

static const uint8_t zeros[1100];

static unsigned get(const struct id *key, size_t pad, uint8_t token[static 8], struct span *value)
{
    struct datagram_get m = {.target = *key,
                             .family = DATAGRAM_FAMILY_IPV4,
                             .kind = DHT_POINTER,
                             .has_pad = pad > 0,
                             .pad = span(zeros, pad)};
    struct buf b = {0};
    struct span body;
    datagram_get_encode(&b, &m);
    unsigned number = request(DATAGRAM_GET, &b, &body);
    if (number == DATAGRAM_NODES) {
        struct datagram_nodes n;
        assert_int_equal(datagram_nodes_decode(&n, body, NULL, NULL), 0);
        memcpy(token, n.token.p, 8);
    } else if (number == DATAGRAM_VALUE) {
        struct datagram_value v;
        assert_int_equal(datagram_value_decode(&v, body, NULL, NULL), 0);
        memcpy(token, v.token.p, 8);
        *value = v.value;
    }
    return number;
}

static struct buf pointer(uint64_t seq, const char *text, uint64_t expires_s, struct id *key)
{
    struct dht_value v = {.kind = DHT_POINTER, .seq = seq, .body = span_str(text), .expires_s = expires_s};
    struct buf b = {0};
    memcpy(v.author, author.pk, 32);
    assert_int_equal(dht_value_make(&b, &net, &v, dht_world_sign, &author), 0);
    dht_key_pointer(key, &net, author.pk, &v.salt);
    return b;
}

/* 0 when stored, or the error that it was refused with. */
static int put(struct span value, const uint8_t token[static 8], const uint64_t *expected,
               struct datagram_error *refusal)
{
    struct datagram_put m = {.token = span(token, 8),
                             .value = value,
                             .has_expected = expected != NULL,
                             .expected = expected ? *expected : 0};
    if (refusal && refusal->has_ticket) {
        m.has_ticket = true;
        m.ticket = refusal->ticket;
    }
    struct buf b = {0};
    struct span body = {0};
    datagram_put_encode(&b, &m);
    unsigned number = request(DATAGRAM_PUT, &b, &body);
    if (number == DATAGRAM_STORED)
        return 0;
    assert_int_equal(number, DATAGRAM_ERROR);
    struct datagram_error e;
    assert_int_equal(datagram_error_decode(&e, body, NULL, NULL), 0);
    if (refusal)
        *refusal = e;
    return -(int)e.code;
}

static uint64_t soon(void)
{
    return (uint64_t)(now.unix_ms / 1000) + 3 * 3600;
}

static void a_write_needs_a_fresh_token_of_this_key_address_and_node(void **state)
{
    (void)state;
    struct id key, other = {{7}};
    uint8_t token[8], wrong[8] = {0};
    struct span value = {0};
    struct buf v = pointer(1, "one", soon(), &key);
    assert_int_equal(put(buf_view(&v), wrong, NULL, NULL), SOUK_ENOT_ALLOWED);
    assert_int_equal(get(&other, 1000, wrong, &value), DATAGRAM_NODES);
    assert_int_equal(put(buf_view(&v), wrong, NULL, NULL), SOUK_ENOT_ALLOWED); /* another key's */
    assert_int_equal(get(&key, 1000, token, &value), DATAGRAM_NODES);
    struct node_key me = peer;
    peer.b[0] ^= 1;
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), SOUK_ENOT_ALLOWED); /* another node's */
    peer = me;
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), 0);
    assert_int_equal(get(&key, 1000, wrong, &value), DATAGRAM_VALUE);
    assert_true(span_eq(value, buf_view(&v)));
    now.mono_ms += knobs.token_ms; /* a replay of the put within its time changes nothing */
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), 0);
    assert_int_equal(d->values_n, 1);
    now.mono_ms += knobs.token_ms + 1;
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), SOUK_ENOT_ALLOWED); /* stale */
    struct dht_stats s;
    dht_stats_read(d, &s);
    assert_int_equal(s.refused_token, 4);
    buf_free(&v);
}

static void a_pointer_goes_only_forward(void **state)
{
    (void)state;
    struct id key;
    uint8_t token[8];
    struct span value = {0};
    struct datagram_error e = {.code = 0};
    uint64_t none = 0, five = 5, six = 6;
    struct buf v5 = pointer(5, "five", soon(), &key), v5b = pointer(5, "FIVE", soon(), &key);
    struct buf v6 = pointer(6, "six", soon(), &key), v7 = pointer(7, "seven", soon(), &key);
    get(&key, 1000, token, &value);
    assert_int_equal(put(buf_view(&v5), token, &five, &e), SOUK_ECONFLICT); /* nothing is held yet */
    assert_int_equal(put(buf_view(&v5), token, &none, NULL), 0);
    assert_int_equal(put(buf_view(&v5), token, NULL, NULL), 0);             /* the same again */
    assert_int_equal(put(buf_view(&v5b), token, NULL, &e), SOUK_ECONFLICT); /* the same seq, other bytes */
    assert_int_equal(e.seq, 5);
    assert_int_equal(put(buf_view(&v7), token, &six, &e), SOUK_ECONFLICT); /* compare-and-set */
    assert_int_equal(put(buf_view(&v7), token, &five, NULL), 0);
    assert_int_equal(put(buf_view(&v6), token, NULL, &e), SOUK_ESTALE);
    assert_int_equal(e.seq, 7);
    assert_int_equal(get(&key, 1000, token, &value), DATAGRAM_VALUE);
    assert_true(span_eq(value, buf_view(&v7)));
    assert_int_equal(d->values_n, 1);
    buf_free(&v5);
    buf_free(&v5b);
    buf_free(&v6);
    buf_free(&v7);
}

static void what_is_not_signed_or_not_of_its_time_is_refused(void **state)
{
    (void)state;
    struct id key;
    uint8_t token[8];
    struct span value = {0};
    struct buf v = pointer(1, "one", soon(), &key);
    get(&key, 1000, token, &value);
    v.p[v.n - 1] ^= 1;
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), SOUK_ESIGNATURE);
    v.p[v.n - 1] ^= 1;
    v.p[v.n - 65] ^= 1; /* the last letter of its body */
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), SOUK_ESIGNATURE);
    buf_free(&v);
    uint64_t now_s = (uint64_t)(now.unix_ms / 1000);
    v = pointer(1, "old", now_s - 601, &key);
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), SOUK_EEXPIRED);
    buf_free(&v);
    v = pointer(1, "far", now_s + 9 * 86400, &key);
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), SOUK_EFUTURE);
    buf_free(&v);
    assert_int_equal(d->values_n, 0);
}

static void a_value_lives_two_hours_unless_put_again_or_expired(void **state)
{
    (void)state;
    struct id key;
    uint8_t token[8];
    struct span value = {0};
    struct buf v = pointer(1, "one", soon(), &key);
    get(&key, 1000, token, &value);
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), 0);
    now.mono_ms += knobs.life_ms - 60000;
    now.unix_ms += knobs.life_ms - 60000;
    dht_wake(d, now, &out);
    assert_int_equal(get(&key, 1000, token, &value), DATAGRAM_VALUE);
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), 0);
    /* It would live two hours more, but its author gave it three in all (and clocks may differ by ten
     * minutes). */
    now.mono_ms += 3600000 + 120000 + 600000;
    now.unix_ms += 3600000 + 120000 + 600000;
    dht_wake(d, now, &out);
    assert_int_equal(get(&key, 1000, token, &value), DATAGRAM_NODES);
    assert_int_equal(d->values_n, 0);
    assert_int_equal(d->value_bytes, 0);
    buf_free(&v);
}

static void an_answer_to_an_unproven_address_is_never_longer_than_its_request(void **state)
{
    (void)state;
    d->last_answer_ms = now.mono_ms;
    for (uint32_t i = 0; i < 60; i++) { /* a table to tell of */
        struct node_key key;
        struct addr a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 9, 1, (uint8_t)i, 1}, 4000};
        rng_bytes(&rng, key.b, 32);
        uint32_t c = contacts_take(d->pool, &net, &key, &a);
        table_answered(d, now.mono_ms, c, 10, false);
        contacts_drop(d->pool, c);
    }
    struct id key;
    uint8_t token[8];
    struct span value, body;
    char text[700];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    struct buf v = pointer(1, text, soon(), &key);
    get(&key, 1000, token, &value);
    assert_int_equal(put(buf_view(&v), token, NULL, NULL), 0);
    struct id other = {{1}};
    unsigned kinds[32] = {0};
    for (size_t pad = 0; pad <= 1060; pad += 7) { /* request() checks the rule */
        kinds[get(&key, pad, token, &value)]++;
        kinds[get(&other, pad, token, &value)]++;
        struct datagram_ping m = {.has_pad = pad > 0, .pad = span(zeros, pad)};
        struct buf b = {0};
        datagram_ping_encode(&b, &m);
        kinds[request(DATAGRAM_PING, &b, &body)]++;
        struct node_key fresh; /* a flood of nodes from one address */
        rng_bytes(&rng, fresh.b, 32);
        peer = fresh;
    }
    assert_in_range(kinds[DATAGRAM_VALUE], 20, 70);
    assert_in_range(kinds[DATAGRAM_NODES], 150, 300);
    assert_in_range(kinds[DATAGRAM_PONG], 140, 152);
    buf_free(&v);
}

static void one_family_an_answer_and_both_fit_a_datagram(void **state)
{
    (void)state;
    d->ipv6 = true;
    d->last_answer_ms = now.mono_ms;
    for (uint32_t i = 0; i < 80; i++) {
        struct node_key key;
        struct addr v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 9, 1, (uint8_t)i, 1}, 4000};
        struct addr v6 = {{0x20, 1, 0, 0, 0, 0, 0, (uint8_t)i, 0, 0, 0, 0, 0, 0, 0, 1}, 4000};
        rng_bytes(&rng, key.b, 32);
        uint32_t c = contacts_take(d->pool, &net, &key, i % 2 ? &v4 : &v6);
        table_answered(d, now.mono_ms, c, 10, false);
        contacts_drop(d->pool, c);
    }
    for (int family = 4; family <= 6; family += 2) {
        struct datagram_find_node m = {.target = {{3}},
                                       .family = (enum datagram_family)family,
                                       .has_pad = true,
                                       .pad = span(zeros, 1060)};
        struct buf b = {0};
        struct span body;
        struct datagram_nodes n;
        datagram_find_node_encode(&b, &m);
        assert_int_equal(request(DATAGRAM_FIND_NODE, &b, &body), DATAGRAM_NODES);
        assert_int_equal(datagram_nodes_decode(&n, body, NULL, NULL), 0);
        assert_int_equal(n.has_ipv4, family == 4);
        assert_int_equal(n.has_ipv6, family == 6);
        assert_int_equal(family == 4 ? n.ipv4.n / 38 : n.ipv6.n / 50, 20);
        assert_true(out.v[0].len + DHT_OUTER_BYTES <= DHT_DATAGRAM_MOST);
    }
}

static void an_answer_not_asked_for_changes_nothing(void **state)
{
    (void)state;
    struct dht_peer other = {peer, from};
    uint64_t handle = dht_ping(d, now, &other, 42);
    dht_out_clear(&out);
    dht_wake(d, now, &out);
    assert_int_equal(out.n, 1);
    uint8_t id[8], seen[18] = {0};
    memcpy(id, out.bytes.p + 1, 8);
    struct datagram_pong m = {.seen = SPAN_OF(seen)};
    struct buf b = {0};
    uint8_t head[9] = {DATAGRAM_PONG};
    memcpy(head + 1, id, 8);
    buf_append(&b, head, 9);
    datagram_pong_encode(&b, &m);
    struct node_key thief = {{1}};
    struct addr elsewhere = from;
    elsewhere.port++;
    assert_int_equal(dht_datagram(d, now, &from, &thief, buf_view(&b), b.n, &out), DHT_DROPPED);
    assert_int_equal(dht_datagram(d, now, &elsewhere, &peer, buf_view(&b), b.n, &out), DHT_DROPPED);
    b.p[1] ^= 1;
    assert_int_equal(dht_datagram(d, now, &from, &peer, buf_view(&b), b.n, &out), DHT_DROPPED);
    b.p[1] ^= 1;
    assert_null(dht_result_next(d));
    assert_int_equal(dht_datagram(d, now, &from, &peer, buf_view(&b), b.n, &out), DHT_ANSWER);
    assert_int_equal(dht_datagram(d, now, &from, &peer, buf_view(&b), b.n, &out),
                     DHT_DROPPED); /* a replay */
    const struct dht_result *r = dht_result_next(d);
    assert_non_null(r);
    assert_int_equal(r->handle, handle);
    assert_int_equal(r->cookie, 42);
    assert_int_equal(r->err, 0);
    assert_null(dht_result_next(d));
    buf_free(&b);
}

static void a_query_ends_once_and_a_cancelled_one_never(void **state)
{
    (void)state;
    struct id target = {{3}};
    struct dht_peer other = {peer, from};
    uint64_t a = dht_lookup_start(d, now, &target, 0, 1); /* nobody to ask */
    assert_null(dht_result_next(d));
    assert_int_equal(dht_next_wake(d), 0);
    dht_wake(d, now, &out);
    const struct dht_result *r = dht_result_next(d);
    assert_int_equal(r->handle, a);
    assert_int_equal(r->err, SOUK_EOFFLINE);
    assert_null(dht_result_next(d));
    assert_false(dht_cancel(d, a));
    uint64_t b = dht_ping(d, now, &other, 2), c = dht_ping(d, now, &other, 3);
    dht_wake(d, now, &out);
    assert_true(dht_cancel(d, b));
    now.mono_ms += 60000; /* overdue */
    dht_wake(d, now, &out);
    now.mono_ms += 1; /* given up */
    dht_wake(d, now, &out);
    r = dht_result_next(d);
    assert_int_equal(r->handle, c);
    assert_int_equal(r->err, SOUK_ETIMEOUT);
    assert_null(dht_result_next(d));
    uint64_t f = dht_lookup_start(d, now, &target, 0, 4);
    dht_wake(d, now, &out); /* it has ended, but its result was not taken */
    assert_true(dht_cancel(d, f));
    assert_null(dht_result_next(d));
    for (uint32_t i = 0; i < knobs.queries_most; i++)
        assert_true(dht_lookup_start(d, now, &target, 0, 4) > 0);
    assert_int_equal(dht_lookup_start(d, now, &target, 0, 4), 0);
}

static void before_a_full_store_writers_wait_and_a_flood_pushes_out_itself(void **state)
{
    (void)state;
    d->knobs.values_most = 20;
    d->knobs.prefix_values_most = 1000;
    struct id key;
    uint8_t token[8];
    struct span value = {0};
    int stored = 0, waited = 0;
    for (int i = 0; i < 30; i++) {
        sign_keypair_new(&author, &rng);
        struct buf v = pointer(1, "one", soon(), &key);
        struct datagram_error e = {.code = 0};
        get(&key, 1000, token, &value);
        int err = put(buf_view(&v), token, NULL, &e);
        if (err == SOUK_EQUOTA) {
            assert_true(e.has_wait_ms && e.has_ticket);
            assert_in_range(e.wait_ms, 1, knobs.wait_most_ms);
            uint8_t ticket[16];
            memcpy(ticket, e.ticket.p, 16);
            e.ticket = SPAN_OF(ticket);
            uint64_t wait_ms = e.wait_ms;
            assert_int_equal(put(buf_view(&v), token, NULL, &e), SOUK_EQUOTA); /* too soon */
            memcpy(ticket, e.ticket.p, 16);
            e.ticket = SPAN_OF(ticket);
            now.mono_ms += wait_ms;
            err = put(buf_view(&v), token, NULL, &e);
            waited++;
        }
        stored += err == 0;
        buf_free(&v);
    }
    assert_int_equal(waited, 19); /* from half full on */
    assert_int_equal(stored, 20); /* one prefix cannot push out an equal: nothing but itself is left */
    assert_int_equal(d->values_n, 20);
}

static void who_waited_as_told_gets_in_though_the_store_has_filled(void **state)
{
    (void)state;
    d->knobs.values_most = 20;
    d->knobs.prefix_values_most = 1000;
    struct buf v[9];
    struct id key[9];
    uint8_t token[9][8], ticket[9][16];
    struct span value = {0};
    uint64_t longest = 0;
    for (int i = 0; i < 10; i++) {
        sign_keypair_new(&author, &rng);
        struct buf one = pointer(1, "one", soon(), &key[0]);
        get(&key[0], 1000, token[0], &value);
        assert_int_equal(put(buf_view(&one), token[0], NULL, NULL), 0);
        buf_free(&one);
    }
    d->knobs.values_most = 19; /* just more than half full */
    for (int i = 0; i < 9; i++) {
        struct datagram_error e = {.code = 0};
        sign_keypair_new(&author, &rng);
        v[i] = pointer(1, "one", soon(), &key[i]);
        get(&key[i], 1000, token[i], &value);
        assert_int_equal(put(buf_view(&v[i]), token[i], NULL, &e), SOUK_EQUOTA);
        memcpy(ticket[i], e.ticket.p, 16);
        longest = e.wait_ms > longest ? e.wait_ms : longest;
    }
    assert_in_range(longest, 1, knobs.wait_most_ms / 10);
    now.mono_ms += longest; /* they come together, and each makes it fuller for the next */
    for (int i = 0; i < 9; i++) {
        struct datagram_error e = {.has_ticket = true, .ticket = SPAN_OF(ticket[i])};
        assert_int_equal(put(buf_view(&v[i]), token[i], NULL, &e), 0);
        buf_free(&v[i]);
    }
    assert_int_equal(d->values_n, 19);
}

static void only_the_provider_announces_itself_and_its_own_address(void **state)
{
    (void)state;
    struct id topic = {{5}}, key;
    struct keypair node;
    sign_keypair_new(&node, &rng);
    dht_key_topic(&key, &net, &topic);
    uint8_t token[8];
    struct span value, body;
    for (int i = 0; i < 3; i++) {
        memcpy(peer.b, node.pk, 32);
        peer.b[31] ^= i == 1; /* somebody else brings it */
        struct dht_value v = {
            .kind = DHT_PROVIDER, .seq = 1, .topic = topic, .addr = from, .expires_s = soon()};
        memcpy(v.author, node.pk, 32);
        v.addr.ip[15] ^= i == 2; /* a victim's address */
        struct buf bytes = {0}, b = {0};
        assert_int_equal(dht_value_make(&bytes, &net, &v, dht_world_sign, &node), 0);
        get(&key, 1000, token, &value);
        struct datagram_announce m = {.token = SPAN_OF(token), .value = buf_view(&bytes)};
        datagram_announce_encode(&b, &m);
        assert_int_equal(request(DATAGRAM_ANNOUNCE, &b, &body), i == 0 ? DATAGRAM_STORED : DATAGRAM_ERROR);
        assert_int_equal(put(buf_view(&bytes), token, NULL, NULL), SOUK_EINVALID); /* not by put either */
        buf_free(&bytes);
    }
    assert_int_equal(d->values_n, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_write_needs_a_fresh_token_of_this_key_address_and_node),
        TEST(a_pointer_goes_only_forward),
        TEST(what_is_not_signed_or_not_of_its_time_is_refused),
        TEST(a_value_lives_two_hours_unless_put_again_or_expired),
        TEST(an_answer_to_an_unproven_address_is_never_longer_than_its_request),
        TEST(one_family_an_answer_and_both_fit_a_datagram),
        TEST(an_answer_not_asked_for_changes_nothing),
        TEST(a_query_ends_once_and_a_cancelled_one_never),
        TEST(before_a_full_store_writers_wait_and_a_flood_pushes_out_itself),
        TEST(who_waited_as_told_gets_in_though_the_store_has_filled),
        TEST(only_the_provider_announces_itself_and_its_own_address),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
