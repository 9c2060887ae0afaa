// links: dht
/* What a node takes for its own address: who can talk it into one, and what happens when it is known. */
#include "crypto/sign.h"
#include "datagram.gen.h"
#include "dht/inner.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>

#include <cmocka.h>

static struct network net;
static struct rng rng;
static struct clock now;
static struct dht *d;
static struct dht_out out;
static struct keypair self;

static void sign(void *arg, const struct id *hash, struct sig *sig)
{
    sign_hash(sig, ((struct keypair *)arg)->sk, hash);
}

static struct addr at(const char *text)
{
    struct addr a;
    assert_true(addr_parse(&a, text, strlen(text)));
    return a;
}

static struct addr peer4(unsigned n)
{
    struct addr a = at("9.1.0.1:4000");
    a.ip[14] = (uint8_t)n;
    return a;
}

static struct addr peer6(unsigned n) /* each of a /48 of its own */
{
    struct addr a = at("[2001:db8::1]:4000");
    a.ip[5] = (uint8_t)n;
    return a;
}

static void begin(const char *told)
{
    rng_seed_u64(&rng, 5);
    now = (struct clock){1000, 1700000000000};
    assert_int_equal(network_make(&net, "t", 0, 0, false), 0);
    sign_keypair_new(&self, &rng);
    struct dht_config c = {.net = &net, .rng = &rng, .ipv6 = true, .sign = sign, .sign_arg = &self};
    memcpy(c.self.b, self.pk, 32);
    if (told)
        c.addr = at(told);
    d = dht_new(&c, now);
}

static int end(void **state)
{
    (void)state;
    dht_free(d);
    dht_out_free(&out);
    return 0;
}

/* A node at `from` is pinged, and answers that it saw us at `said`. */
static void vote(struct addr from, const char *said)
{
    struct dht_peer p = {.addr = from};
    uint8_t seen[ADDR_BYTES], head[9] = {DATAGRAM_PONG};
    struct addr a = at(said);
    struct buf b = {0};
    memcpy(p.key.b, from.ip, 16);
    addr_pack(seen, &a);
    assert_true(dht_ping(d, now, &p, 0) > 0);
    dht_out_clear(&out);
    dht_wake(d, now, &out);
    for (size_t i = 0; i < out.n; i++)
        if (addr_eq(&out.v[i].to, &from))
            memcpy(head + 1, dht_out_bytes(&out, &out.v[i]).p + 1, 8);
    buf_append(&b, head, 9);
    datagram_pong_encode(&b, &(struct datagram_pong){.seen = SPAN_OF(seen)});
    now.mono_ms += 20;
    now.unix_ms += 20;
    assert_int_equal(dht_datagram(d, now, &from, &p.key, buf_view(&b), b.n, &out), DHT_ANSWER);
    while (dht_result_next(d))
        ;
    buf_free(&b);
}

static bool is(int family, const char *text)
{
    struct addr have, want = at(text);
    return dht_addr(d, family, &have) && addr_eq(&have, &want);
}

static void a_few_liars_among_many_do_not_move_a_node(void **state)
{
    (void)state;
    struct addr a;
    begin(NULL);
    vote(peer4(0), "198.18.1.1:7");
    vote(peer4(1), "198.18.1.1:7");
    assert_false(dht_addr(d, 4, &a));
    vote(peer4(2), "198.18.1.1:7");
    assert_true(is(4, "198.18.1.1:7"));
    for (unsigned i = 3; i < 40; i++) /* of any eight that spoke last three lie, and say the same */
        vote(peer4(i), i % 8 < 3 ? "198.18.66.6:7" : "198.18.1.1:7");
    for (unsigned i = 0; i < 40; i++) {
        vote(peer4(i), i % 8 < 3 ? "198.18.66.6:7" : "198.18.1.1:7");
        assert_true(is(4, "198.18.1.1:7"));
    }
    for (unsigned i = 0; i < 8; i++) /* the line got another address: everybody says so */
        vote(peer4(i), "198.18.2.2:7");
    assert_true(is(4, "198.18.2.2:7"));
}

static void a_liar_has_one_voice_however_many_nodes(void **state)
{
    (void)state;
    struct addr a;
    begin(NULL);
    for (unsigned i = 0; i < 40; i++) {
        struct addr four = peer4(7), six = peer6(7);
        four.ip[15] = (uint8_t)i;
        six.ip[7] = (uint8_t)i; /* a /64 each, of one /48 */
        vote(four, "198.18.66.6:7");
        vote(six, "[2001:db8:66::6]:7");
    }
    assert_false(dht_addr(d, 4, &a) || dht_addr(d, 6, &a));
    for (unsigned i = 10; i < 13; i++) {
        vote(peer4(i), "198.18.1.1:7");
        vote(peer6(i), "[2001:db8:1::1]:7");
    }
    assert_true(is(4, "198.18.1.1:7") && is(6, "[2001:db8:1::1]:7"));
}

static void who_was_asked_by_one_family_knows_nothing_of_the_other(void **state)
{
    (void)state;
    struct addr a;
    begin(NULL);
    for (unsigned i = 0; i < 20; i++)
        vote(peer6(i), "198.18.66.6:7");
    for (unsigned i = 0; i < 20; i++)
        vote(peer4(i), "[2001:db8:66::6]:7");
    for (unsigned i = 0; i < 20; i++)
        vote(peer4(i), "10.1.1.1:7"); /* nor is a private one ours */
    assert_false(dht_addr(d, 0, &a));
}

static void what_the_owner_set_stays(void **state)
{
    (void)state;
    begin("198.18.9.9:7");
    for (unsigned i = 0; i < 20; i++)
        vote(peer4(i), "198.18.66.6:7");
    assert_true(is(4, "198.18.9.9:7"));
    assert_int_equal(d->moved_ms[0], 0); /* nor is anything put again because of such words */
}

/* A topic is announced as soon as there is an address to announce, not at the next hour; and again when
 * that changes, but not at everybody's whim. */
static void a_topic_is_put_when_the_address_is_known(void **state)
{
    (void)state;
    static const struct id topic = {{7}};
    struct dht_own own[2];
    begin(NULL);
    assert_int_equal(dht_publish_topic(d, now, &topic), 0);
    for (int i = 0; i < 100; i++) {
        now.mono_ms += 100;
        dht_out_clear(&out);
        dht_wake(d, now, &out);
    }
    assert_int_equal(dht_own(d, own, 2), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(own[i].err, SOUK_EOFFLINE);
        assert_true(own[i].next_ms > now.mono_ms + 600000);
    }
    for (unsigned i = 0; i < 3; i++)
        vote(peer6(i), "[2001:db8:1::1]:7");
    dht_own(d, own, 2);
    for (int i = 0; i < 2; i++)
        assert_true((own[i].next_ms < now.mono_ms + 2000) == (own[i].family == 6));
    for (int turn = 0; turn < 6; turn++) /* six times another address: put again once a minute, no more */
        for (unsigned i = 0; i < 8; i++)
            vote(peer6(i), turn % 2 ? "[2001:db8:1::1]:7" : "[2001:db8:2::2]:7");
    dht_own(d, own, 2);
    for (int i = 0; i < 2; i++)
        if (own[i].family == 6)
            assert_in_range(own[i].next_ms, now.mono_ms + 40000, now.mono_ms + 62000);
}

/* Pings to strangers who asked us something, and are not there, say nothing of their family. */
static void strangers_do_not_make_a_family_mute(void **state)
{
    (void)state;
    uint8_t ask[150] = {DATAGRAM_PING, 1, 2, 3, 4, 5, 6, 7, 8, 0x81, 15, 0xc4, 60};
    unsigned pinged = 0;
    begin(NULL);
    for (unsigned i = 0; i < 12; i++) {
        struct addr from = peer6(100 + i);
        struct node_key key = {{(uint8_t)(i + 1), 9}};
        dht_out_clear(&out);
        assert_int_equal(dht_datagram(d, now, &from, &key, span(ask, 13 + 60), 1000, &out), DHT_REQUEST);
        for (size_t k = 0; k < out.n; k++)
            pinged += dht_out_bytes(&out, &out.v[k]).p[0] == DATAGRAM_PING;
    }
    assert_int_equal(pinged, 12);
    for (int i = 0; i < 200; i++) {
        now.mono_ms += 100;
        dht_out_clear(&out);
        dht_wake(d, now, &out);
    }
    vote(peer4(1), "198.18.1.1:7");
    struct dht_stats s;
    dht_stats_read(d, &s);
    assert_true(s.timeouts >= 12);
    assert_false(family_mute(d, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_few_liars_among_many_do_not_move_a_node, end),
        cmocka_unit_test_teardown(a_liar_has_one_voice_however_many_nodes, end),
        cmocka_unit_test_teardown(who_was_asked_by_one_family_knows_nothing_of_the_other, end),
        cmocka_unit_test_teardown(what_the_owner_set_stays, end),
        cmocka_unit_test_teardown(strangers_do_not_make_a_family_mute, end),
        cmocka_unit_test_teardown(a_topic_is_put_when_the_address_is_known, end),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
