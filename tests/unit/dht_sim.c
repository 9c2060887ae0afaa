// links: dht_world
/* A network of engines in virtual time: they join, put, get, come and go, and lose packets. */
#include "crypto/base/err.h"
#include "tests/sim/dht_tally.h"
#include "tests/sim/dht_world.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct dht_world *world(size_t places, uint64_t seed, struct dht_world_config config)
{
    config.places = places;
    config.seed = seed;
    config.delay_ms = 40;
    return dht_world_new(&config);
}

static struct dht *engine(const struct dht_world *w, size_t place)
{
    return w->places[place].dht;
}

/* Runs the world until the place has a result. */
static const struct dht_result *result(struct dht_world *w, size_t place)
{
    const struct dht_result *r = dht_world_result(w, place);
    assert_non_null(r);
    return r;
}

/* Somebody else in its place. */
static void replace(struct dht_world *w, size_t place, size_t joins_by)
{
    dht_world_kill(w, place);
    dht_world_for(w, 5000);
    dht_world_start(w, place, REACH_OPEN);
    dht_world_join(w, place, joins_by);
}

enum { VALUES = 60 };
struct published {
    struct keypair author;
    struct id key;
    struct buf bytes;
};

static void put_all(struct dht_world *w, struct published *v, size_t n)
{
    struct samples messages = {0}, stored = {0};
    size_t dense = 0; /* false alarms: ids are crowded by chance */
    for (size_t i = 0; i < n; i++) {
        sign_keypair_new(&v[i].author, &w->rng);
        dht_world_pointer(w, &v[i].bytes, &v[i].author, 1, i, &v[i].key);
        size_t by = dht_world_someone(w, true);
        int err;
        assert_true(dht_put_start(engine(w, by), w->now, buf_view(&v[i].bytes), NULL, i, &err) > 0);
        const struct dht_result *r = result(w, by);
        assert_int_equal(r->err, 0);
        assert_int_equal(r->cookie, i);
        assert_in_range(r->stored, 6, r->dense ? 24 : 10);
        dense += r->dense;
        /* Crowded or not: who takes the key for ordinary asks the nearest eight. */
        uint32_t held = 0;
        for (size_t j = 0; j < r->nodes_n && j < 8; j++)
            for (size_t k = 0; k < r->trace_n; k++)
                held += r->trace[k].stored && node_key_eq(&r->trace[k].key, &r->nodes[j].key);
        assert_in_range(held, 6, 8); /* the writer itself may be among them, or three share a prefix */
        samples_add(&messages, r->messages);
        samples_add(&stored, r->stored);
    }
    print_message("  put: median %u messages, %u replicas\n", samples_at(&messages, .5),
                  samples_at(&stored, .5));
    samples_free(&messages);
    samples_free(&stored);
    assert_in_range(dense, 0, n / 5);
}

static void get_all(struct dht_world *w, struct published *v, size_t n, size_t rounds, double at_least)
{
    struct samples hops = {0}, messages = {0};
    size_t found = 0, all = 0;
    for (size_t k = 0; k < rounds; k++)
        for (size_t i = 0; i < n; i++) {
            size_t by = dht_world_someone(w, true);
            assert_true(dht_get_start(engine(w, by), w->now, DHT_POINTER, &v[i].key, 0, 7) > 0);
            const struct dht_result *r = result(w, by);
            if (r->err == 0) {
                assert_int_equal(r->values_n, 1);
                assert_true(span_eq(r->values[0], buf_view(&v[i].bytes)));
                found++;
            }
            samples_add(&hops, r->hops);
            samples_add(&messages, r->messages);
            all++;
        }
    print_message("  get: %zu of %zu found, median %u hops, %u messages\n", found, all,
                  samples_at(&hops, .5), samples_at(&messages, .5));
    samples_free(&hops);
    samples_free(&messages);
    assert_true((double)found >= at_least * (double)all);
}

static void forget_all(struct published *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_free(&v[i].bytes);
}

static void two_hundred_nodes_find_what_was_put_through_loss_and_churn(void **state)
{
    (void)state;
    struct dht_world *w = world(200, 7, (struct dht_world_config){.puzzle_bits = 2});
    struct published v[VALUES] = {0};
    dht_world_grow(w, w->n, 200);
    dht_world_for(w, 60000);
    struct dht_stats s;
    dht_stats_read(engine(w, 17), &s);
    print_message("  a node knows %u others, guesses %u in all, takes %u bytes\n", s.nodes,
                  (unsigned)s.network_nodes, (unsigned)s.memory_bytes);
    assert_in_range(s.network_nodes, 60, 600);
    put_all(w, v, VALUES);
    w->config.loss = 0.05;
    get_all(w, v, VALUES, 2, 0.99);
    for (int i = 0; i < 20; i++) { /* a tenth goes, others come in their place */
        size_t x = dht_world_someone(w, true);
        replace(w, x, x ? 0 : 1);
        dht_world_for(w, 5000);
    }
    get_all(w, v, VALUES, 2, 0.99);
    forget_all(v, VALUES);
    dht_world_free(w);
}

static void sixty_four_nodes_do_the_same_over_sealed_datagrams(void **state)
{
    (void)state;
    struct dht_world *w =
        world(64, 8, (struct dht_world_config){.puzzle_bits = 2, .loopback = true, .sealed = true});
    struct published v[VALUES] = {0};
    dht_world_grow(w, w->n, 200);
    dht_world_for(w, 30000);
    w->config.loss = 0.05;
    put_all(w, v, VALUES / 2);
    get_all(w, v, VALUES / 2, 2, 0.99);
    struct dht_seal_stats s;
    dht_seal_stats_read(w->places[3].seal, &s);
    assert_int_equal(s.dropped_forged, 0);
    assert_in_range(s.proven, 30, 63);
    assert_in_range(s.curves, 1, 130); /* once a peer, at most twice */
    forget_all(v, VALUES);
    dht_world_free(w);
}

static void providers_of_a_topic_are_found(void **state)
{
    (void)state;
    struct dht_world *w = world(40, 9, (struct dht_world_config){.keys = true});
    dht_world_grow(w, w->n, 200);
    dht_world_for(w, 30000);
    struct id topic = {{1}};
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(dht_publish_topic(engine(w, i), w->now, &topic), 0);
        dht_world_touch(w, i);
    }
    dht_world_for(w, 20000);
    struct dht_own own;
    assert_int_equal(dht_own(engine(w, 3), &own, 1), 1);
    assert_int_equal(own.err, 0);
    assert_int_equal(own.stored, 8);
    dht_providers_start(engine(w, 30), w->now, &topic, 0, 1);
    const struct dht_result *r = result(w, 30);
    assert_int_equal(r->err, 0);
    assert_int_equal(r->values_n, 12);
    struct dht_value p;
    assert_int_equal(dht_value_read(&p, &w->net, w->now.unix_ms, r->values[0], true), 0);
    assert_true(id_eq(&p.topic, &topic));
    /* Two hours after the last of them fell silent, they are gone. */
    for (size_t i = 0; i < 12; i++)
        dht_unpublish(engine(w, i), &own.key);
    dht_world_for(w, 2 * 3600000 + 60000);
    dht_providers_start(engine(w, 30), w->now, &topic, 0, 1);
    assert_int_equal(result(w, 30)->err, SOUK_ENOT_FOUND);
    dht_world_free(w);
}

static void a_client_asks_but_is_in_no_table(void **state)
{
    (void)state;
    struct dht_world *w = world(30, 10, (struct dht_world_config){.keys = false});
    dht_world_grow(w, w->n, 200);
    dht_world_for(w, 20000);
    dht_world_kill(w, 29);
    dht_world_restart(w, 29, REACH_CLIENT);
    dht_world_join(w, 29, 0);
    dht_world_for(w, 400000);
    struct id target = {{9}};
    dht_lookup_start(engine(w, 29), w->now, &target, DHT_CAREFUL, 0);
    assert_int_equal(result(w, 29)->nodes_n >= 8, true);
    dht_lookup_start(engine(w, 1), w->now, dht_self(engine(w, 29)), 0, 0);
    const struct dht_result *r = result(w, 1);
    for (size_t i = 0; i < r->nodes_n; i++)
        assert_false(node_key_eq(&r->nodes[i].key, &w->places[29].key));
    dht_world_free(w);
}

static void what_is_published_outlives_its_first_replicas(void **state)
{
    (void)state;
    enum { NODES = 40, OWN = 10 };
    struct dht_world *w = world(NODES, 12, (struct dht_world_config){.keys = false});
    struct published v[OWN] = {0};
    dht_world_grow(w, w->n, 200);
    dht_world_for(w, 20000);
    for (size_t i = 0; i < OWN; i++) {
        sign_keypair_new(&v[i].author, &w->rng);
        dht_world_pointer(w, &v[i].bytes, &v[i].author, 1, i, &v[i].key);
        assert_int_equal(dht_publish(engine(w, i), w->now, buf_view(&v[i].bytes)), 0);
        dht_world_touch(w, i);
    }
    for (size_t hour = 0; hour < 3; hour++) /* all but the owners are replaced, a third an hour */
        for (size_t i = OWN + hour * 10; i < OWN + hour * 10 + 10; i++) {
            replace(w, i, rng_below(&w->rng, OWN));
            dht_world_for(w, 360000);
        }
    get_all(w, v, OWN, 8, 0.99);
    struct dht_own own;
    assert_int_equal(dht_own(engine(w, 0), &own, 1), 1);
    assert_in_range(own.stored, 8, 9);
    /* Withdrawn, it is gone two hours later at the latest. */
    for (size_t i = 0; i < OWN; i++)
        assert_true(dht_unpublish(engine(w, i), &v[i].key));
    dht_world_for(w, 2 * 3600000 + 10000);
    dht_get_start(engine(w, 20), w->now, DHT_POINTER, &v[4].key, DHT_CAREFUL, 0);
    assert_int_equal(result(w, 20)->err, SOUK_ENOT_FOUND);
    forget_all(v, OWN);
    dht_world_free(w);
}

/* Sybils whose ids lie nearer to a key than any honest one's: they answer, take writes, and forget them. */
static void a_crowd_around_a_key_is_seen_and_written_past(void **state)
{
    (void)state;
    enum { HONEST = 150, CROWD = 10 };
    struct dht_world *w = world(HONEST + CROWD, 11, (struct dht_world_config){.keys = false});
    struct dht_knobs forgetful;
    struct keypair author;
    struct buf value = {0};
    struct id key, id;
    dht_world_grow(w, HONEST, 200);
    sign_keypair_new(&author, &w->rng);
    dht_world_pointer(w, &value, &author, 1, 1, &key);
    dht_knobs_default(&forgetful);
    forgetful.life_ms = 1;
    for (size_t i = HONEST; i < w->n; i++) {
        struct node_key near;
        do {
            rng_bytes(&w->rng, near.b, 32);
            dht_id(&id, &w->net, &near);
        } while ((be64_get(id.b) ^ be64_get(key.b)) >> 50);
        dht_world_start_as(w, i, REACH_OPEN, &near, NULL, &forgetful);
        dht_world_join(w, i, i % HONEST);
        dht_world_for(w, 500);
    }
    dht_world_for(w, 60000);
    int err;
    dht_put_start(engine(w, 3), w->now, buf_view(&value), NULL, 0, &err);
    const struct dht_result *r = result(w, 3);
    assert_int_equal(r->err, 0);
    assert_true(r->dense);
    size_t honest = 0;
    for (size_t i = 0; i < r->trace_n; i++)
        honest += r->trace[i].stored && dht_world_find(w, &r->trace[i].key) < HONEST;
    assert_in_range(honest, 6, 24);
    assert_in_range(r->stored, honest, 24);
    for (size_t i = 20; i < 40; i++) {
        dht_get_start(engine(w, i), w->now, DHT_POINTER, &key, 0, 0);
        r = result(w, i);
        assert_int_equal(r->err, 0);
    }
    buf_free(&value);
    dht_world_free(w);
}

/* Who puts a value has signed it; if not, nobody keeps it, the putter as little as the others. */
static void a_false_signature_is_told_and_kept_by_nobody(void **state)
{
    (void)state;
    struct dht_world_config config = {.places = 6, .seed = 8, .loopback = true};
    struct dht_world *w = dht_world_new(&config);
    struct keypair author;
    struct buf value = {0};
    struct id key;
    int err = 0;
    dht_world_fill(w, w->n);
    sign_keypair_new(&author, &w->rng);
    dht_world_pointer(w, &value, &author, 1, 1, &key);
    value.p[value.n - 1] ^= 1;
    assert_true(dht_put_start(engine(w, 0), w->now, buf_view(&value), NULL, 0, &err) > 0);
    const struct dht_result *r = result(w, 0);
    assert_int_equal(r->err, SOUK_ESIGNATURE);
    assert_int_equal(r->stored, 0);
    assert_int_equal(r->refused, 6);
    for (size_t i = 0; i < w->n; i++) {
        struct dht_stats s;
        dht_stats_read(engine(w, i), &s);
        assert_int_equal(s.values, 0);
    }
    buf_free(&value);
    dht_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_nodes_find_what_was_put_through_loss_and_churn),
        cmocka_unit_test(sixty_four_nodes_do_the_same_over_sealed_datagrams),
        cmocka_unit_test(providers_of_a_topic_are_found),
        cmocka_unit_test(a_client_asks_but_is_in_no_table),
        cmocka_unit_test(what_is_published_outlives_its_first_replicas),
        cmocka_unit_test(a_crowd_around_a_key_is_seen_and_written_past),
        cmocka_unit_test(a_false_signature_is_told_and_kept_by_nobody),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
