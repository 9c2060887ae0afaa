// links: dht
/* A network of engines in virtual time: they join, put, get, come and go, and lose packets. */
#include "dht_world.h"
#include <sodium.h>

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t median(uint32_t *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n ? v[n / 2] : 0;
}

static size_t someone(struct world *w)
{
    size_t i;
    do
        i = rng_below(&w->rng, w->n);
    while (!w->nodes[i].up);
    return i;
}

enum { VALUES = 60 };
struct published {
    struct keypair author;
    struct id key;
    struct buf bytes;
};

static void put_all(struct world *w, struct published *v, size_t n)
{
    uint32_t messages[VALUES], stored[VALUES];
    for (size_t i = 0; i < n; i++) {
        sign_keypair_new(&v[i].author, &w->rng);
        sim_pointer(w, &v[i].bytes, &v[i].author, 1, i, &v[i].key);
        size_t by = someone(w);
        int err;
        assert_true(dht_put_start(w->nodes[by].dht, w->now, buf_view(&v[i].bytes), NULL, i, &err) > 0);
        const struct dht_result *r = sim_result(w, by);
        assert_int_equal(r->err, 0);
        assert_int_equal(r->cookie, i);
        assert_in_range(r->stored, 6, 10);
        messages[i] = r->messages;
        stored[i] = r->stored;
    }
    print_message("  put: median %u messages, %u replicas\n", median(messages, n), median(stored, n));
}

static void get_all(struct world *w, struct published *v, size_t n, size_t rounds, double at_least)
{
    uint32_t hops[VALUES * 8], messages[VALUES * 8];
    size_t found = 0, all = 0;
    for (size_t k = 0; k < rounds; k++)
        for (size_t i = 0; i < n; i++) {
            size_t by = someone(w);
            assert_true(dht_get_start(w->nodes[by].dht, w->now, DHT_POINTER, &v[i].key, 0, 7) > 0);
            const struct dht_result *r = sim_result(w, by);
            if (r->err == 0) {
                assert_int_equal(r->values_n, 1);
                assert_true(span_eq(r->values[0], buf_view(&v[i].bytes)));
                found++;
            }
            hops[all] = r->hops;
            messages[all++] = r->messages;
        }
    print_message("  get: %zu of %zu found, median %u hops, %u messages\n", found, all, median(hops, all),
                  median(messages, all));
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
    struct world *w = world_new(200, 7, 2, true, false);
    struct published v[VALUES] = {0};
    world_join_all(w, 200);
    world_for(w, 60000);
    struct dht_stats s;
    dht_stats_read(w->nodes[17].dht, &s);
    print_message("  a node knows %u others, guesses %u in all, takes %u bytes\n", s.nodes,
                  (unsigned)s.network_nodes, (unsigned)s.memory_bytes);
    assert_in_range(s.network_nodes, 60, 600);
    put_all(w, v, VALUES);
    w->loss_percent = 5;
    get_all(w, v, VALUES, 2, 0.99);
    for (int i = 0; i < 20; i++) { /* a tenth goes, others come in their place */
        size_t x = someone(w);
        sim_kill(w, x);
        world_for(w, 5000);
        sim_born(w, x);
        sim_join(w, x, x ? 0 : 1);
        world_for(w, 5000);
    }
    get_all(w, v, VALUES, 2, 0.99);
    forget_all(v, VALUES);
    world_free(w);
}

static void sixty_four_nodes_do_the_same_over_sealed_datagrams(void **state)
{
    (void)state;
    struct world *w = world_new(64, 8, 2, false, true);
    struct published v[VALUES] = {0};
    world_join_all(w, 200);
    world_for(w, 30000);
    w->loss_percent = 5;
    put_all(w, v, VALUES / 2);
    get_all(w, v, VALUES / 2, 2, 0.99);
    struct dht_seal_stats s;
    dht_seal_stats_read(w->nodes[3].seal, &s);
    assert_int_equal(s.dropped_forged, 0);
    assert_in_range(s.proven, 30, 63);
    assert_in_range(s.curves, 1, 130); /* once a peer, at most twice */
    forget_all(v, VALUES);
    world_free(w);
}

static void providers_of_a_topic_are_found(void **state)
{
    (void)state;
    struct world *w = world_new(40, 9, 0, true, false);
    world_join_all(w, 200);
    world_for(w, 30000);
    struct id topic = {{1}};
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(dht_publish_topic(w->nodes[i].dht, w->now, &topic), 0);
        heap_set(&w->wakes, &w->nodes[i].wake, dht_next_wake(w->nodes[i].dht));
    }
    world_for(w, 20000);
    struct dht_own own;
    assert_int_equal(dht_own(w->nodes[3].dht, &own, 1), 1);
    assert_int_equal(own.err, 0);
    assert_int_equal(own.stored, 8);
    dht_providers_start(w->nodes[30].dht, w->now, &topic, 0, 1);
    const struct dht_result *r = sim_result(w, 30);
    assert_int_equal(r->err, 0);
    assert_int_equal(r->values_n, 12);
    struct dht_value p;
    assert_int_equal(dht_value_read(&p, &w->net, w->now.unix_ms, r->values[0], true), 0);
    assert_true(id_eq(&p.topic, &topic));
    /* Two hours after the last of them fell silent, they are gone. */
    for (size_t i = 0; i < 12; i++)
        dht_unpublish(w->nodes[i].dht, &own.key);
    world_for(w, 2 * 3600000 + 60000);
    dht_providers_start(w->nodes[30].dht, w->now, &topic, 0, 1);
    assert_int_equal(sim_result(w, 30)->err, SOUK_ENOT_FOUND);
    world_free(w);
}

static void a_client_asks_but_is_in_no_table(void **state)
{
    (void)state;
    struct world *w = world_new(30, 10, 0, true, false);
    world_join_all(w, 200);
    world_for(w, 20000);
    sim_kill(w, 29);
    sim_start(w, 29, true);
    sim_join(w, 29, 0);
    world_for(w, 400000);
    struct id target = {{9}};
    dht_lookup_start(w->nodes[29].dht, w->now, &target, DHT_CAREFUL, 0);
    assert_int_equal(sim_result(w, 29)->nodes_n >= 8, true);
    dht_lookup_start(w->nodes[1].dht, w->now, dht_self(w->nodes[29].dht), 0, 0);
    const struct dht_result *r = sim_result(w, 1);
    for (size_t i = 0; i < r->nodes_n; i++)
        assert_false(node_key_eq(&r->nodes[i].key, &w->nodes[29].key));
    world_free(w);
}

static void what_is_published_outlives_its_first_replicas(void **state)
{
    (void)state;
    enum { NODES = 40, OWN = 10 };
    struct world *w = world_new(NODES, 12, 0, true, false);
    struct published v[OWN] = {0};
    world_join_all(w, 200);
    world_for(w, 20000);
    for (size_t i = 0; i < OWN; i++) {
        sign_keypair_new(&v[i].author, &w->rng);
        sim_pointer(w, &v[i].bytes, &v[i].author, 1, i, &v[i].key);
        assert_int_equal(dht_publish(w->nodes[i].dht, w->now, buf_view(&v[i].bytes)), 0);
        heap_set(&w->wakes, &w->nodes[i].wake, dht_next_wake(w->nodes[i].dht));
    }
    for (size_t hour = 0; hour < 3; hour++) /* all but the owners are replaced, a third an hour */
        for (size_t i = OWN + hour * 10; i < OWN + hour * 10 + 10; i++) {
            sim_kill(w, i);
            sim_born(w, i);
            sim_join(w, i, rng_below(&w->rng, OWN));
            world_for(w, 360000);
        }
    get_all(w, v, OWN, 8, 0.99);
    struct dht_own own;
    assert_int_equal(dht_own(w->nodes[0].dht, &own, 1), 1);
    assert_in_range(own.stored, 8, 9);
    /* Withdrawn, it is gone two hours later at the latest. */
    for (size_t i = 0; i < OWN; i++)
        assert_true(dht_unpublish(w->nodes[i].dht, &v[i].key));
    world_for(w, 2 * 3600000 + 10000);
    dht_get_start(w->nodes[20].dht, w->now, DHT_POINTER, &v[4].key, DHT_CAREFUL, 0);
    assert_int_equal(sim_result(w, 20)->err, SOUK_ENOT_FOUND);
    forget_all(v, OWN);
    world_free(w);
}

/* Sybils whose ids lie nearer to a key than any honest one's: they answer, take writes, and forget them. */
static void a_crowd_around_a_key_is_seen_and_written_past(void **state)
{
    (void)state;
    enum { HONEST = 150, CROWD = 10 };
    struct world *w = world_new(HONEST + CROWD, 11, 0, true, false);
    struct keypair author;
    struct buf value = {0};
    struct id key, id;
    w->n = HONEST;
    world_join_all(w, 200);
    sign_keypair_new(&author, &w->rng);
    sim_pointer(w, &value, &author, 1, 1, &key);
    w->n += CROWD;
    w->knobs.life_ms = 1;
    for (size_t i = HONEST; i < w->n; i++) {
        struct sim_node *x = &w->nodes[i];
        do {
            rng_bytes(&w->rng, x->key.b, 32);
            dht_id(&id, &w->net, &x->key);
        } while ((be64_get(id.b) ^ be64_get(key.b)) >> 50);
        x->addr = sim_addr(w, i);
        map_put(&w->by_addr, &x->addr, x);
        sim_start(w, i, false);
        sim_join(w, i, i % HONEST);
        world_for(w, 500);
    }
    world_for(w, 60000);
    int err;
    dht_put_start(w->nodes[3].dht, w->now, buf_view(&value), NULL, 0, &err);
    const struct dht_result *r = sim_result(w, 3);
    assert_int_equal(r->err, 0);
    assert_true(r->dense);
    assert_in_range(r->stored, CROWD + 3, 24);
    for (size_t i = 20; i < 40; i++) {
        dht_get_start(w->nodes[i].dht, w->now, DHT_POINTER, &key, 0, 0);
        r = sim_result(w, i);
        assert_int_equal(r->err, 0);
    }
    buf_free(&value);
    world_free(w);
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
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
