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
        assert_in_range(r.took_ms, 1, 2 * ROUND_TRIP_MOST_MS);
        samples_add(&took, r.took_ms);
        dht_world_for(w, 60000);
        assert_true(stats(w, place).nodes > 60); /* they answered, and stand in the table again */
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restarted_node_answers_its_first_lookup_within_two_round_trips),
        cmocka_unit_test(an_old_table_of_which_half_is_gone_still_serves),
        cmocka_unit_test(a_saved_table_outlives_a_start_without_network),
        cmocka_unit_test(who_says_goodbye_is_gone_from_the_tables_within_seconds),
        cmocka_unit_test(a_goodbye_sent_again_puts_nobody_out),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
