// links: dht
/* Who enters the table, who stays, who goes; and that nobody enters on their own word. */
#include "dht/inner.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct network net;
static struct rng rng;
static struct clock now = {1000, 1700000000000};

static struct dht *engine(void)
{
    struct dht_config c = {.net = &net, .rng = &rng};
    rng_bytes(&rng, c.self.b, 32);
    return dht_new(&c, now);
}

static struct addr at(uint8_t a, uint8_t b, uint8_t c, uint8_t host)
{
    return (struct addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, host}, 4000};
}

/* A contact whose id falls into bucket `bucket`. */
static uint32_t contact_in(struct dht *d, uint32_t bucket, struct addr a)
{
    for (;;) {
        struct node_key key;
        struct id id;
        rng_bytes(&rng, key.b, 32);
        dht_id(&id, &net, &key);
        if (dht_shared_bits(&id, &d->id) == bucket)
            return contacts_take(d->pool, &net, &key, &a);
    }
}

static void answered(struct dht *d, uint32_t contact)
{
    d->last_answer_ms = now.mono_ms;
    table_answered(d, now.mono_ms, contact, 20, false);
}

static int setup(void **state)
{
    (void)state;
    rng_seed_u64(&rng, 3);
    return network_make(&net, "t", 0, 0, false);
}

static void two_of_a_prefix_in_a_bucket_and_ten_in_the_table(void **state)
{
    (void)state;
    struct dht *d = engine();
    uint32_t c[20], n = 0;
    for (uint32_t bucket = 0; bucket < 6; bucket++)
        for (uint8_t i = 0; i < 3; i++, n++) {
            c[n] = contact_in(d, bucket, at(9, 9, 9, (uint8_t)(10 + n)));
            answered(d, c[n]);
        }
    struct dht_stats s;
    dht_stats_read(d, &s);
    assert_int_equal(s.nodes, 10);
    assert_int_equal(s.kept_out_prefix, 8);
    assert_null(table_find(d, c[2])); /* the third of the first bucket */
    assert_non_null(table_find(d, c[1]));
    answered(d, c[18] = contact_in(d, 0, at(9, 9, 10, 1))); /* the next /24 is somebody else */
    assert_non_null(table_find(d, c[18]));
    for (int i = 0; i < 19; i++)
        contacts_drop(d->pool, c[i]);
    dht_free(d);
}

static void loopback_is_exempt_only_where_the_network_says_so(void **state)
{
    (void)state;
    struct network main_net = net;
    assert_int_equal(network_make(&net, "t", 0, 0, true), 0);
    struct dht *d = engine();
    uint32_t c[20];
    for (uint8_t i = 0; i < 20; i++)
        answered(d, c[i] = contact_in(d, 0, at(127, 0, 0, i)));
    assert_int_equal(d->live_n, 20);
    for (int i = 0; i < 20; i++)
        contacts_drop(d->pool, c[i]);
    dht_free(d);
    net = main_net;
    d = engine();
    struct addr local = at(127, 0, 0, 1), lan = at(192, 168, 1, 2), far = at(9, 1, 1, 1);
    assert_false(dht_usable(d, &local));
    assert_false(dht_usable(d, &lan));
    assert_true(dht_usable(d, &far));
    dht_free(d);
}

static void the_long_lived_stay_until_they_fall_silent(void **state)
{
    (void)state;
    struct dht *d = engine();
    uint32_t c[23];
    for (uint8_t i = 0; i < 22; i++)
        answered(d, c[i] = contact_in(d, 1, at(9, i, 1, 1)));
    assert_int_equal(d->live_n, 20); /* the last two wait beside the bucket */
    assert_null(table_find(d, c[20]));
    table_failed(d, now.mono_ms, c[4], 1);
    assert_non_null(table_find(d, c[4])); /* one miss is forgiven */
    answered(d, c[4]);
    table_failed(d, now.mono_ms, c[4], 1);
    assert_non_null(table_find(d, c[4]));
    table_failed(d, now.mono_ms, c[4], 1);
    assert_null(table_find(d, c[4])); /* two in a row are not, since another has shown that it lives */
    assert_non_null(table_find(d, c[21]));
    assert_int_equal(d->stats.evicted, 1);
    for (int i = 0; i < 22; i++)
        contacts_drop(d->pool, c[i]);
    dht_free(d);
}

static void an_outage_of_our_own_empties_nothing(void **state)
{
    (void)state;
    struct dht *d = engine();
    uint32_t c = contact_in(d, 1, at(9, 1, 1, 1));
    answered(d, c);
    for (int i = 0; i < 20; i++)
        table_failed(d, now.mono_ms + 31000, c, 1);
    assert_non_null(table_find(d, c));
    for (int i = 0; i < 4; i++)
        table_failed(d, now.mono_ms + 1000, c, 1);
    assert_null(table_find(d, c));
    contacts_drop(d->pool, c);
    dht_free(d);
}

static void who_is_heard_of_is_not_in_the_table(void **state)
{
    (void)state;
    struct dht *d = engine();
    uint32_t c = contact_in(d, 2, at(9, 1, 1, 1));
    struct contact x = *contact_at(d->pool, c);
    table_heard(d, now.mono_ms, c);
    assert_int_equal(d->spare_n, 1);
    assert_int_equal(d->live_n, 0);
    struct near v[1];
    assert_int_equal(table_nearest(d, &x.id, 0, v, 1), 0);
    assert_false(address_proven(d, now.mono_ms, &x.key, &x.addr));
    answered(d, c);
    assert_int_equal(d->live_n, 1);
    assert_int_equal(d->spare_n, 0);
    assert_true(address_proven(d, now.mono_ms, &x.key, &x.addr));
    assert_false(address_proven(d, now.mono_ms + 901000, &x.key, &x.addr));
    contacts_drop(d->pool, c);
    dht_free(d);
}

static void the_nearest_are_the_nearest(void **state)
{
    (void)state;
    struct dht *d = engine();
    uint32_t c[400];
    for (uint32_t i = 0; i < 400; i++) {
        struct node_key key;
        struct addr a = at(9, (uint8_t)(i >> 8), (uint8_t)i, 1);
        rng_bytes(&rng, key.b, 32);
        answered(d, c[i] = contacts_take(d->pool, &net, &key, &a));
    }
    for (int round = 0; round < 50; round++) {
        struct id target;
        rng_bytes(&rng, target.b, 32);
        struct near v[20];
        assert_int_equal(table_nearest(d, &target, 4, v, 20), 20);
        size_t nearer = 0;
        for (uint32_t i = 0; i < 400; i++)
            nearer += table_find(d, c[i]) &&
                      id_distance(&contact_at(d->pool, c[i])->id, &target) <= v[19].distance;
        assert_int_equal(nearer, 20);
        for (int i = 1; i < 20; i++)
            assert_true(v[i - 1].distance <= v[i].distance);
    }
    for (uint32_t i = 0; i < 400; i++)
        contacts_drop(d->pool, c[i]);
    dht_free(d);
}

static void a_table_saved_is_a_table_restored(void **state)
{
    (void)state;
    struct dht *d = engine(), *e = engine(), *f = engine();
    uint32_t c[30];
    for (uint8_t i = 0; i < 30; i++)
        answered(d, c[i] = contact_in(d, i % 6, at(9, i, 1, 1)));
    struct buf b = {0};
    dht_table_save(d, &b);
    assert_int_equal(dht_table_restore(e, now, buf_view(&b), true), 0);
    assert_int_equal(e->live_n, 30);
    assert_int_equal(dht_table_restore(f, now, buf_view(&b), false), 0);
    assert_int_equal(f->live_n, 0); /* asked before they are believed */
    assert_int_equal(f->boot_n, 16);
    assert_int_equal(dht_table_restore(f, now, span(b.p, b.n - 1), false), SOUK_EFORM);
    for (int i = 0; i < 30; i++)
        contacts_drop(d->pool, c[i]);
    buf_free(&b);
    dht_free(d);
    dht_free(e);
    dht_free(f);
}

static void what_was_saved_counts_by_prefix_once_it_answers(void **state)
{
    (void)state;
    struct dht *d = engine();
    uint32_t c[3];
    for (uint8_t i = 0; i < 3; i++)
        table_saved(d, now.mono_ms, c[i] = contact_in(d, 0, at(9, 9, 9, (uint8_t)(10 + i))));
    for (int i = 0; i < 3; i++)
        answered(d, c[i]);
    assert_int_equal(d->live_n, 2);
    for (int i = 0; i < 3; i++)
        contacts_drop(d->pool, c[i]);
    dht_free(d);
}

static void the_pool_forgets_what_nobody_holds(void **state)
{
    (void)state;
    struct dht_contacts *p = dht_contacts_new(&rng);
    uint32_t h[300];
    struct node_key key[300];
    struct addr a = at(9, 1, 1, 1);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            rng_bytes(&rng, key[i].b, 32);
            h[i] = contacts_take(p, &net, &key[i], &a);
            assert_int_equal(contacts_take(p, &net, &key[i], &a), h[i]);
        }
        assert_int_equal(dht_contacts_count(p), 300);
        for (int i = 0; i < 300; i++) {
            contacts_drop(p, h[i]);
            assert_int_equal(contacts_find(p, &key[i], &a), h[i]);
            contacts_drop(p, h[i]);
            assert_int_equal(contacts_find(p, &key[i], &a), 0);
        }
        assert_int_equal(dht_contacts_count(p), 0);
    }
    assert_in_range(dht_contacts_bytes(p), 300 * 80, 300 * 140);
    dht_contacts_free(p);
}

static void a_key_must_solve_the_puzzle(void **state)
{
    (void)state;
    struct network hard;
    assert_int_equal(network_make(&hard, "t", 0, 6, false), 0);
    struct node_key key;
    uint8_t seed[32];
    dht_key_grind(seed, &key, &hard, &rng);
    assert_true(dht_puzzle_ok(&hard, &key));
    int passed = 0;
    for (int i = 0; i < 640; i++) {
        rng_bytes(&rng, key.b, 32);
        passed += dht_puzzle_ok(&hard, &key);
    }
    assert_in_range(passed, 1, 30); /* one in 64 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_of_a_prefix_in_a_bucket_and_ten_in_the_table),
        cmocka_unit_test(loopback_is_exempt_only_where_the_network_says_so),
        cmocka_unit_test(the_long_lived_stay_until_they_fall_silent),
        cmocka_unit_test(an_outage_of_our_own_empties_nothing),
        cmocka_unit_test(who_is_heard_of_is_not_in_the_table),
        cmocka_unit_test(the_nearest_are_the_nearest),
        cmocka_unit_test(a_table_saved_is_a_table_restored),
        cmocka_unit_test(what_was_saved_counts_by_prefix_once_it_answers),
        cmocka_unit_test(the_pool_forgets_what_nobody_holds),
        cmocka_unit_test(a_key_must_solve_the_puzzle),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, setup, NULL);
}
