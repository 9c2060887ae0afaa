// links: dht_world
/* A good citizen: it comes back knowing whom to ask, says when it goes, asks nothing of who cannot answer,
 * waits as long as each peer needs, and does not do everything at once with everybody else. */
#include "crypto/base/err.h"
#include "datagram.gen.h"
#include "tests/sim/dht_tally.h"
#include "tests/sim/dht_world.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DELAY_MS = 40, ROUND_TRIP_MOST_MS = 3 * DELAY_MS /* each way from half to one and a half */ };

static struct dht_world *world(size_t places, uint64_t seed, struct dht_world_config config)
{
    config.places = places;
    config.seed = seed;
    config.delay_ms = DELAY_MS;
    return dht_world_new(&config);
}

static struct dht *engine(const struct dht_world *w, size_t place)
{
    return w->places[place].dht;
}

static struct dht_stats stats(const struct dht_world *w, size_t place)
{
    struct dht_stats s;
    dht_stats_read(engine(w, place), &s);
    return s;
}

/* In how many tables it stands. */
static size_t known_by(const struct dht_world *w, const struct node_key *key)
{
    enum { MOST = 4000 };
    struct dht_entry *all = calloc(MOST, sizeof *all);
    size_t tables = 0;
    assert_non_null(all);
    for (size_t i = 0; i < w->n; i++) {
        size_t n = w->places[i].dht ? dht_entries(engine(w, i), w->now.mono_ms, all, MOST) : 0;
        assert_true(n <= MOST);
        for (size_t j = 0; j < n; j++)
            tables += all[j].standing == DHT_LIVE && node_key_eq(&all[j].key, key);
    }
    free(all);
    return tables;
}

static void say_goodbye(struct dht_world *w, size_t place)
{
    struct dht_out out = {0};
    dht_leave(engine(w, place), &out);
    for (size_t i = 0; i < out.n; i++)
        dht_world_send(w, place, NULL, &out.v[i].key, &out.v[i].to, dht_out_bytes(&out, &out.v[i]));
    dht_out_free(&out);
}

/* ---- coming back ---- */
enum { VALUES = 24 };
static struct id keys[VALUES];

static void put_values(struct dht_world *w)
{
    for (size_t i = 0; i < VALUES; i++) {
        struct keypair author;
        struct buf b = {0};
        int err;
        sign_keypair_new(&author, &w->rng);
        dht_world_pointer(w, &b, &author, 1, i, &keys[i]);
        size_t by = dht_world_someone(w, true);
        assert_true(dht_put_start(engine(w, by), w->now, buf_view(&b), NULL, 0, &err) > 0);
        assert_int_equal(dht_world_result(w, by)->err, 0);
        buf_free(&b);
    }
}

/* The place is switched off and on again with what it saved; its first lookup is for keys[i]. */
static struct dht_result back_and_get(struct dht_world *w, size_t place, struct span saved, size_t i)
{
    dht_world_kill(w, place);
    dht_world_for(w, 1000);
    dht_world_restart(w, place, REACH_OPEN);
    assert_int_equal(dht_table_restore(engine(w, place), w->now, saved, false), 0);
    assert_int_equal(stats(w, place).nodes, 0); /* nobody is told of them yet */
    assert_true(dht_get_start(engine(w, place), w->now, DHT_POINTER, &keys[i], 0, 0) > 0);
    return *dht_world_result(w, place);
}

static void a_restarted_node_answers_its_first_lookup_within_two_round_trips(void **state)
{
    (void)state;
    struct dht_world *w = world(300, 31, (struct dht_world_config){0});
    struct samples took = {0};
    struct buf saved = {0};
    dht_world_grow(w, 300, 200);
    dht_world_for(w, 120000);
    put_values(w);
    for (size_t i = 0; i < VALUES; i++) {
        size_t place = 100 + i;
        buf_clear(&saved);
        dht_table_save(engine(w, place), &saved);
        struct dht_result r = back_and_get(w, place, buf_view(&saved), i);
        assert_int_equal(r.err, 0);
        assert_in_range(r.hops, 1, 2);
        assert_in_range(r.took_ms, 1, 3 * ROUND_TRIP_MOST_MS); /* until three agree */
        samples_add(&took, r.took_ms);
        dht_world_for(w, 60000);
        assert_true(stats(w, place).nodes > 60); /* they answered, and stand in the table again */
    }
    assert_true(samples_at(&took, 0.9) <= 2 * ROUND_TRIP_MOST_MS);
    print_message("  first lookup after a restart: median %u ms, longest %u (a round trip: %d to %d)\n",
                  samples_at(&took, 0.5), samples_at(&took, 1), DELAY_MS, ROUND_TRIP_MOST_MS);
    samples_free(&took);
    buf_free(&saved);
    dht_world_free(w);
}

static void an_old_table_of_which_half_is_gone_still_serves(void **state)
{
    (void)state;
    struct dht_world *w = world(200, 32, (struct dht_world_config){0});
    struct buf saved = {0};
    dht_world_grow(w, 200, 200);
    dht_world_for(w, 60000);
    dht_table_save(engine(w, 7), &saved);
    dht_world_kill(w, 7);
    for (size_t i = 8; i < 104; i++) { /* half of the network is somebody else by now */
        dht_world_kill(w, i);
        dht_world_start(w, i, REACH_OPEN);
        dht_world_join(w, i, 110 + i % 80);
        dht_world_for(w, 2000);
    }
    dht_world_for(w, 60000);
    put_values(w);
    dht_world_start(w, 7, REACH_OPEN);
    struct dht_result r = back_and_get(w, 7, buf_view(&saved), 0);
    assert_int_equal(r.err, 0);
    assert_in_range(r.took_ms, 1, 3000); /* who is gone is waited for as long as round trips were before */
    buf_free(&saved);
    dht_world_free(w);
}

static void a_saved_table_outlives_a_start_without_network(void **state)
{
    (void)state;
    struct dht_world *w = world(60, 33, (struct dht_world_config){0});
    struct buf saved = {0}, again = {0};
    dht_world_grow(w, 60, 200);
    dht_world_for(w, 60000);
    dht_table_save(engine(w, 5), &saved);
    for (size_t i = 0; i < 60; i++)
        if (i != 5)
            dht_world_kill(w, i);
    dht_world_kill(w, 5);
    dht_world_restart(w, 5, REACH_OPEN);
    assert_int_equal(dht_table_restore(engine(w, 5), w->now, buf_view(&saved), false), 0);
    dht_world_touch(w, 5);
    uint64_t before = w->places[5].sent;
    dht_world_for(w, 600000);
    dht_table_save(engine(w, 5), &again);
    assert_int_equal(again.n, saved.n); /* ten minutes of silence took nobody out */
    assert_true(w->places[5].sent - before < 2000);
    for (size_t i = 0; i < 60; i++)
        if (i != 5)
            dht_world_restart(w, i, REACH_OPEN);
    dht_world_for(w, 180000);
    assert_true(stats(w, 5).nodes > 10);
    buf_free(&saved);
    buf_free(&again);
    dht_world_free(w);
}

/* ---- going ---- */
static void who_says_goodbye_is_gone_from_the_tables_within_seconds(void **state)
{
    (void)state;
    struct dht_world *w = world(60, 34, (struct dht_world_config){.loss = 0.02});
    dht_world_grow(w, 60, 200);
    dht_world_for(w, 60000);
    struct node_key silent = w->places[20].key, polite = w->places[21].key;
    size_t had = known_by(w, &polite), had_silent = known_by(w, &silent);
    assert_true(had > 20 && had_silent > 20);
    say_goodbye(w, 21);
    dht_world_kill(w, 21);
    dht_world_kill(w, 20);
    dht_world_for(w, 5000);
    size_t left = known_by(w, &polite), left_silent = known_by(w, &silent);
    print_message("  5 s later: %zu of %zu tables hold who left with a word, %zu of %zu who left without\n",
                  left, had, left_silent, had_silent);
    assert_true(left * 3 <= had); /* the rest never answered it, and finds out as of the other */
    assert_true(left_silent * 2 > had_silent);
    dht_world_free(w);
}

static void a_goodbye_sent_again_puts_nobody_out(void **state)
{
    (void)state;
    struct dht_world *w = world(30, 35, (struct dht_world_config){0});
    dht_world_grow(w, 30, 200);
    dht_world_for(w, 60000);
    size_t had = known_by(w, &w->places[9].key);
    uint64_t sent[30], checked = 0;
    for (size_t i = 0; i < 30; i++)
        sent[i] = w->places[i].sent;
    for (int i = 0; i < 600; i++) { /* as if somebody had recorded it: it is back, or never left */
        say_goodbye(w, 9);
        dht_world_for(w, 100);
    }
    assert_int_equal(known_by(w, &w->places[9].key), had);
    for (size_t i = 0; i < 30; i++) {
        uint64_t n = stats(w, i).leaving;
        assert_in_range(n, 0, 14); /* eight at once, then one in ten seconds */
        assert_true(i == 9 || w->places[i].sent - sent[i] < 14 + 70);
        checked += n;
    }
    assert_true(checked > 100);
    dht_world_free(w);
}

/* ---- clients ---- */
static void a_client_answers_nothing_and_is_told_of_to_nobody(void **state)
{
    (void)state;
    struct dht_world *w = world(40, 36, (struct dht_world_config){0});
    dht_world_grow(w, 39, 200);
    dht_world_start(w, 39, REACH_CLIENT);
    dht_world_join(w, 39, 3);
    dht_world_for(w, 120000);
    put_values(w);
    for (size_t i = 0; i < VALUES; i++) { /* it asks, and is served */
        dht_get_start(engine(w, 39), w->now, DHT_POINTER, &keys[i], i % 2 ? DHT_CAREFUL : 0, 0);
        assert_int_equal(dht_world_result(w, 39)->err, 0);
    }
    assert_int_equal(known_by(w, &w->places[39].key), 0);
    assert_int_equal(stats(w, 39).values, 0);
    struct dht_out out = {0};
    struct id target = {{7}};
    uint8_t pad[1000] = {0};
    for (uint8_t number = 1; number < 16; number++) { /* whoever asks it gets no word, whatever they ask */
        struct datagram_find_node m = {
            .target = target, .family = DATAGRAM_FAMILY_IPV4, .has_pad = true, .pad = SPAN_OF(pad)};
        uint8_t head[9] = {number, 1, 2, 3, 4, 5, 6, 7, 8};
        struct buf b = {0};
        buf_append(&b, head, sizeof head);
        datagram_find_node_encode(&b, &m);
        assert_int_equal(dht_datagram(engine(w, 39), w->now, &w->places[1].addr, &w->places[1].key,
                                      buf_view(&b), b.n, &out),
                         DHT_DROPPED);
        assert_int_equal(out.n, 0);
        buf_free(&b);
    }
    dht_leave(engine(w, 39), &out);
    assert_int_equal(out.n, 0); /* nobody would miss it */
    dht_out_free(&out);
    dht_world_free(w);
}

/* ---- one engine and its peers, by hand ---- */
struct alone {
    struct network net;
    struct rng rng;
    struct clock now;
    struct dht *d;
    struct dht_out out;
};

static struct alone *alone_new(bool loopback)
{
    struct alone *a = calloc(1, sizeof *a);
    assert_non_null(a);
    rng_seed_u64(&a->rng, 9);
    a->now = (struct clock){1000, 1700000000000};
    assert_int_equal(network_make(&a->net, "t", 0, 0, loopback), 0);
    struct dht_config c = {.net = &a->net, .rng = &a->rng};
    rng_bytes(&a->rng, c.self.b, 32);
    a->d = dht_new(&c, a->now);
    return a;
}

static void alone_free(struct alone *a)
{
    dht_free(a->d);
    dht_out_free(&a->out);
    free(a);
}

static void later(struct alone *a, uint64_t ms)
{
    a->now.mono_ms += ms;
    a->now.unix_ms += (int64_t)ms;
}

static struct dht_peer stranger(struct alone *a, uint8_t net)
{
    struct dht_peer p = {.addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 9, net, 1, 1}, 4000}};
    rng_bytes(&a->rng, p.key.b, 32);
    return p;
}

/* Pings the peer, which answers after so long (0: not at all). */
static void ping(struct alone *a, const struct dht_peer *peer, uint64_t after_ms)
{
    uint8_t seen[18] = {0}, head[9] = {DATAGRAM_PONG};
    struct buf b = {0};
    dht_ping(a->d, a->now, peer, 0);
    dht_out_clear(&a->out);
    dht_wake(a->d, a->now, &a->out);
    for (size_t i = 0; i < a->out.n; i++)
        if (node_key_eq(&a->out.v[i].key, &peer->key))
            memcpy(head + 1, dht_out_bytes(&a->out, &a->out.v[i]).p + 1, 8);
    buf_append(&b, head, 9);
    datagram_pong_encode(&b, &(struct datagram_pong){.seen = SPAN_OF(seen)});
    for (uint64_t ms = 0; ms < (after_ms ? after_ms : 10000); ms++) {
        later(a, 1);
        dht_wake(a->d, a->now, &a->out);
    }
    if (after_ms)
        assert_int_equal(dht_datagram(a->d, a->now, &peer->addr, &peer->key, buf_view(&b), b.n, &a->out),
                         DHT_ANSWER);
    while (dht_result_next(a->d))
        ;
    buf_free(&b);
}

/* Its word counts also when it was just being asked something, which it will not answer any more. */
static void who_leaves_in_the_middle_of_a_question_is_gone_too(void **state)
{
    (void)state;
    struct alone *a = alone_new(false);
    struct dht_peer p = stranger(a, 1), other = stranger(a, 2);
    struct dht_stats s;
    uint8_t leave[64] = {DATAGRAM_LEAVE, 1, 2, 3, 4, 5, 6, 7, 8, 0x81, 15, 0xc4, 32};
    ping(a, &other, 20);
    ping(a, &p, 20);
    dht_stats_read(a->d, &s);
    assert_int_equal(s.nodes, 2);
    assert_true(dht_ping(a->d, a->now, &p, 0) > 0);
    dht_wake(a->d, a->now, &a->out);
    for (int replay = 0; replay < 3; replay++)
        assert_int_equal(dht_datagram(a->d, a->now, &p.addr, &p.key, span(leave, 13 + 32), 45, &a->out),
                         DHT_REQUEST);
    dht_stats_read(a->d, &s);
    assert_int_equal(s.leaving, 1);
    for (int ms = 0; ms < 8000; ms += 50) {
        later(a, 50);
        if (ms % 2000 == 0)
            ping(a, &other, 20); /* the line is not dead */
        dht_out_clear(&a->out);
        dht_wake(a->d, a->now, &a->out);
    }
    dht_stats_read(a->d, &s);
    assert_int_equal(s.nodes, 1);
    alone_free(a);
}

static struct dht_entry entry_of(struct alone *a, const struct dht_peer *peer)
{
    struct dht_entry all[64];
    size_t n = dht_entries(a->d, a->now.mono_ms, all, 64);
    for (size_t i = 0; i < n && i < 64; i++)
        if (node_key_eq(&all[i].key, &peer->key))
            return all[i];
    fail_msg("it is not in the table");
    return all[0];
}

/* How long a peer is waited for that answers after `odd` and `even` ms in turn, in a network of such. */
static struct dht_entry waiting_for(uint64_t odd, uint64_t even)
{
    struct alone *a = alone_new(false);
    struct dht_peer p = stranger(a, 1);
    for (int i = 0; i < 60; i++)
        ping(a, &p, i % 2 ? odd : even);
    struct dht_entry e = entry_of(a, &p);
    ping(a, &p, 0);
    assert_true(entry_of(a, &p).fails > 0);
    ping(a, &p, even);
    assert_int_equal(entry_of(a, &p).fails, 0);
    alone_free(a);
    return e;
}

static void each_peer_is_waited_for_as_long_as_it_needs(void **state)
{
    (void)state;
    struct dht_entry near = waiting_for(12, 12), far = waiting_for(900, 900), shaky = waiting_for(60, 300);
    print_message("  12 ms: waits %u; 900 ms: %u; 60 or 300 ms: %u (round trip %u)\n", near.patience_ms,
                  far.patience_ms, shaky.patience_ms, shaky.rtt_ms);
    assert_in_range(near.rtt_ms, 10, 14);
    assert_int_equal(near.patience_ms, 50); /* never less: a busy machine is not dead */
    assert_in_range(far.patience_ms, 901, 1200);
    assert_in_range(shaky.rtt_ms, 120, 240);
    assert_in_range(shaky.patience_ms, 301, 1200); /* it varies: its deviation counts */
}

static void nobody_is_waited_for_much_longer_than_is_usual(void **state)
{
    (void)state;
    struct alone *a = alone_new(false);
    struct dht_peer near[4], slow = stranger(a, 9);
    for (uint8_t i = 0; i < 4; i++)
        near[i] = stranger(a, i);
    for (int i = 0; i < 60; i++) {
        ping(a, &near[i % 4], 40);
        if (i % 5 == 0)
            ping(a, &slow, 900);
    }
    struct dht_entry e = entry_of(a, &slow);
    assert_in_range(e.patience_ms, 41, 400); /* somebody else is asked by then … */
    assert_int_equal(e.fails, 0);            /* … but its answers were taken all the same */
    assert_in_range(e.rtt_ms, 890, 910);
    alone_free(a);
}

static void a_network_that_is_not_for_loopback_ignores_private_addresses(void **state)
{
    (void)state;
    static const char *const none[] = {"127.0.0.1:7",  "10.1.1.1:7",  "192.168.1.2:7",
                                       "[::1]:7",      "[fe80::1]:7", "[fd00::1]:7",
                                       "100.64.1.1:7", "0.0.0.0:7",   "224.0.0.1:7"};
    for (int loopback = 0; loopback < 2; loopback++) {
        struct alone *a = alone_new(loopback);
        uint8_t ask[64] = {DATAGRAM_PING, 1, 2, 3, 4, 5, 6, 7, 8, 0x81, 15, 0xc4, 51 - 0};
        for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
            struct dht_peer p = stranger(a, 1);
            bool fits = loopback && i < 7 && none[i][0] != '['; /* this engine has no IPv6 */
            assert_true(addr_parse(&p.addr, none[i], strlen(none[i])));
            dht_out_clear(&a->out);
            int was = dht_datagram(a->d, a->now, &p.addr, &p.key, SPAN_OF(ask), sizeof ask, &a->out);
            if ((was == DHT_REQUEST) != fits || (a->out.n > 0) != fits)
                fail_msg("%s is misjudged in a network %s", none[i],
                         loopback ? "for loopback" : "of the world");
            size_t kept = dht_bootstrap(a->d, a->now, &p, 1);
            dht_out_clear(&a->out);
            dht_wake(a->d, a->now, &a->out);
            if (!fits && a->out.n)
                for (size_t k = 0; k < a->out.n; k++)
                    assert_false(addr_eq(&a->out.v[k].to, &p.addr));
            assert_true(loopback || kept == 0);
        }
        struct dht_stats s;
        dht_stats_read(a->d, &s);
        assert_int_equal(s.dropped_address, loopback ? 5 : 9);
        alone_free(a);
    }
}

/* ---- not all at once; never too much ---- */
static void values_published_at_one_moment_are_put_again_at_many(void **state)
{
    (void)state;
    enum { OWNERS = 30 };
    struct dht_world *w = world(60, 37, (struct dht_world_config){0});
    uint64_t first = UINT64_MAX, last = 0, minutes = 0;
    dht_world_grow(w, 60, 200);
    dht_world_for(w, 60000);
    for (size_t i = 0; i < OWNERS; i++) {
        struct keypair author;
        struct buf b = {0};
        struct id key;
        sign_keypair_new(&author, &w->rng);
        dht_world_pointer(w, &b, &author, 1, i, &key);
        assert_int_equal(dht_publish(engine(w, i), w->now, buf_view(&b)), 0);
        dht_world_touch(w, i);
        buf_free(&b);
    }
    dht_world_for(w, 30000);
    for (size_t i = 0; i < OWNERS; i++) {
        struct dht_own own;
        assert_int_equal(dht_own(engine(w, i), &own, 1), 1);
        assert_true(own.stored >= 6 && own.err == 0 && own.kind == DHT_POINTER && own.bytes > 66);
        uint64_t in_ms = own.next_ms - w->now.mono_ms + 30000;
        assert_in_range(in_ms, 54 * 60000, 66 * 60000 + 30000);
        first = in_ms < first ? in_ms : first;
        last = in_ms > last ? in_ms : last;
        minutes |= UINT64_C(1) << in_ms / 60000 % 64;
    }
    assert_true(last - first > 6 * 60000);
    assert_true(__builtin_popcountll(minutes) >= 7); /* of thirteen */
    dht_world_free(w);
}

static void what_others_do_fills_nothing_beyond_its_bound(void **state)
{
    (void)state;
    struct alone *a = alone_new(false);
    const struct dht_knobs *k = dht_knobs(a->d);
    struct dht_stats s;
    uint8_t pad[1000] = {0};
    for (uint32_t i = 0; i < 30000; i++) { /* strangers ask, each from a network of its own */
        struct dht_peer p = stranger(a, (uint8_t)i);
        p.addr.ip[14] = (uint8_t)(i >> 8);
        struct datagram_find_node m = {
            .family = DATAGRAM_FAMILY_IPV4, .has_pad = true, .pad = SPAN_OF(pad)};
        memcpy(m.target.b, p.key.b, 32);
        uint8_t head[9] = {DATAGRAM_FIND_NODE};
        struct buf b = {0};
        buf_append(&b, head, sizeof head);
        datagram_find_node_encode(&b, &m);
        dht_out_clear(&a->out);
        dht_datagram(a->d, a->now, &p.addr, &p.key, buf_view(&b), b.n, &a->out);
        buf_free(&b);
        if (i % 300 == 0)
            later(a, 1);
        dht_stats_read(a->d, &s);
        assert_true(s.requests <= k->requests_most && s.nodes == 0 &&
                    s.heard <= DHT_BUCKETS_MOST * k->bucket_cache);
    }
    print_message("  after 30,000 strangers: %u requests, %u heard of, %u kB\n", s.requests, s.heard,
                  (unsigned)(s.memory_bytes / 1000));
    assert_true(s.memory_bytes < 4000000);
    for (int i = 0; i < 100; i++) {
        later(a, 1000);
        dht_wake(a->d, a->now, &a->out);
        dht_out_clear(&a->out);
    }
    dht_stats_read(a->d, &s);
    assert_true(s.requests < 20); /* nobody answered: it is all forgotten */
    alone_free(a);
}

/* ---- many on one address ---- */
static void a_crowd_behind_one_address_is_served_and_fills_no_table(void **state)
{
    (void)state;
    enum { CROWD = 40, OTHERS = 80 };
    struct dht_world *w = world(CROWD + OTHERS, 38, (struct dht_world_config){0});
    struct addr house;
    dht_world_grow(w, OTHERS, 200);
    assert_true(addr_parse(&house, "203.0.113.9:1000", 16));
    for (size_t i = OTHERS; i < CROWD + OTHERS; i++) {
        struct node_key key;
        rng_bytes(&w->rng, key.b, sizeof key.b);
        house.port = (uint16_t)(1000 + i);
        dht_world_start_as(w, i, REACH_OPEN, &key, &house, NULL);
        dht_world_join(w, i, i % OTHERS);
        dht_world_for(w, 500);
    }
    dht_world_for(w, 120000);
    put_values(w);
    size_t found = 0;
    for (size_t i = OTHERS; i < CROWD + OTHERS; i++) {
        dht_get_start(engine(w, i), w->now, DHT_POINTER, &keys[i % VALUES], 0, 0);
        found += dht_world_result(w, i)->err == 0;
    }
    assert_int_equal(found, CROWD);
    for (size_t i = 0; i < w->n; i++) {
        struct dht_entry all[1000];
        size_t n = dht_entries(engine(w, i), w->now.mono_ms, all, 1000), of_house = 0;
        assert_true(n <= 1000);
        for (size_t j = 0; j < n; j++)
            of_house += all[j].standing == DHT_LIVE && addr_prefix(&all[j].addr) == addr_prefix(&house);
        assert_in_range(of_house, 0, 10);
    }
    dht_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restarted_node_answers_its_first_lookup_within_two_round_trips),
        cmocka_unit_test(an_old_table_of_which_half_is_gone_still_serves),
        cmocka_unit_test(a_saved_table_outlives_a_start_without_network),
        cmocka_unit_test(who_says_goodbye_is_gone_from_the_tables_within_seconds),
        cmocka_unit_test(a_goodbye_sent_again_puts_nobody_out),
        cmocka_unit_test(who_leaves_in_the_middle_of_a_question_is_gone_too),
        cmocka_unit_test(a_client_answers_nothing_and_is_told_of_to_nobody),
        cmocka_unit_test(each_peer_is_waited_for_as_long_as_it_needs),
        cmocka_unit_test(nobody_is_waited_for_much_longer_than_is_usual),
        cmocka_unit_test(a_network_that_is_not_for_loopback_ignores_private_addresses),
        cmocka_unit_test(values_published_at_one_moment_are_put_again_at_many),
        cmocka_unit_test(what_others_do_fills_nothing_beyond_its_bound),
        cmocka_unit_test(a_crowd_behind_one_address_is_served_and_fills_no_table),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
