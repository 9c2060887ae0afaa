// links: dht
/* IPv4 and IPv6 in one network: nodes that have one alone, and nodes that have both.  A small world of its
 * own, since a node of both has two addresses: 20 ms each way, nothing lost. */
#include "crypto/base/err.h"
#include "crypto/base/heap.h"
#include "crypto/base/map.h"
#include "crypto/sign.h"
#include "dht/dht.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EACH = 20, NODES = 3 * EACH, ONE_WAY_MS = 20 };
enum kind { FOUR, SIX, BOTH };

struct place {
    struct heap_entry wake; /* first */
    struct dht *dht;
    struct keypair pair;
    struct node_key key;
    struct addr addr[2]; /* of IPv4, of IPv6; port 0: none */
};
struct packet {
    struct heap_entry e;
    struct addr from, to;
    struct node_key key;
    size_t n;
    uint8_t bytes[];
};
static struct network net;
static struct rng rng;
static struct clock now;
static struct place places[NODES];
static struct heap packets, wakes;
static struct map by_addr;
static struct dht_out out;
static uint64_t lost; /* to an address that nobody has, or of a family that the sender has not */

static enum kind kind_of(size_t i)
{
    return (enum kind)(i % 3);
}

static void sign(void *arg, const struct id *hash, struct sig *sig)
{
    sign_hash(sig, ((struct keypair *)arg)->sk, hash);
}

static void send_all(struct place *p)
{
    for (size_t i = 0; i < out.n; i++) {
        const struct dht_send *s = &out.v[i];
        struct span bytes = dht_out_bytes(&out, s);
        const struct addr *from = &p->addr[!addr_is_ipv4(&s->to)];
        if (!from->port) {
            lost++;
            continue;
        }
        struct packet *x = xcalloc(1, sizeof *x + bytes.n);
        *x = (struct packet){.from = *from, .to = s->to, .key = p->key, .n = bytes.n};
        memcpy(x->bytes, bytes.p, bytes.n);
        heap_set(&packets, &x->e, now.mono_ms + ONE_WAY_MS);
    }
    dht_out_clear(&out);
    heap_set(&wakes, &p->wake, dht_next_wake(p->dht));
}

static void deliver(struct packet *x)
{
    struct place *p = map_get(&by_addr, &x->to);
    if (!p) {
        lost++;
        return;
    }
    dht_datagram(p->dht, now, &x->from, &x->key, span(x->bytes, x->n), x->n, &out);
    send_all(p);
}

/* Until then, or until the place has a result. */
static const struct dht_result *run(uint64_t ms, struct place *until)
{
    uint64_t end = now.mono_ms + ms;
    const struct dht_result *r = NULL;
    if (until)
        heap_set(&wakes, &until->wake, dht_next_wake(until->dht));
    for (;;) {
        struct heap_entry *a = heap_first(&packets), *b = heap_first(&wakes);
        struct heap_entry *e = !a || (b && b->at <= a->at) ? b : a;
        if (!e || e->at > end || (until && (r = dht_result_next(until->dht))))
            break;
        now.unix_ms += e->at > now.mono_ms ? (int64_t)(e->at - now.mono_ms) : 0;
        now.mono_ms = e->at > now.mono_ms ? e->at : now.mono_ms;
        heap_remove(e == b ? &wakes : &packets, e);
        if (e == b) {
            dht_wake(((struct place *)e)->dht, now, &out);
            send_all((struct place *)e);
        } else {
            deliver((struct packet *)e);
            free(e);
        }
    }
    return r;
}

static void born(size_t i)
{
    struct place *p = &places[i];
    sign_keypair_new(&p->pair, &rng);
    memcpy(p->key.b, p->pair.pk, 32);
    if (kind_of(i) != SIX)
        p->addr[0] = (struct addr){{[10] = 0xff, 0xff, 9, 1, (uint8_t)i, 1}, 4000};
    if (kind_of(i) != FOUR)
        p->addr[1] = (struct addr){{0x20, 1, 0xd, 0xb8, 0, 0, 0, (uint8_t)i, [15] = 1}, 4000};
    for (int f = 0; f < 2; f++)
        if (p->addr[f].port)
            map_put(&by_addr, &p->addr[f], p);
    struct dht_config c = {.net = &net,
                           .self = p->key,
                           .rng = &rng,
                           .sign = sign,
                           .sign_arg = &p->pair,
                           .addr = p->addr[0],
                           .addr6 = p->addr[1],
                           .no_ipv4 = kind_of(i) == SIX,
                           .ipv6 = kind_of(i) != FOUR};
    p->dht = dht_new(&c, now);
    heap_set(&wakes, &p->wake, now.mono_ms);
    if (i) { /* by one of both families, by whichever address fits */
        const struct place *by = &places[2];
        struct dht_peer boot = {by->key, by->addr[kind_of(i) == SIX]};
        if (i > 2)
            dht_bootstrap(p->dht, now, &boot, 1);
    }
}

static int setup(void **state)
{
    (void)state;
    rng_seed_u64(&rng, 4);
    now = (struct clock){1000, 1700000000000};
    assert_int_equal(network_make(&net, "two", 0, 0, false), 0);
    map_init(&by_addr, sizeof(struct addr), &rng);
    for (size_t i = 0; i < NODES; i++)
        born(i);
    struct dht_peer by = {places[2].key, places[2].addr[0]}, by6 = {places[2].key, places[2].addr[1]};
    dht_bootstrap(places[0].dht, now, &by, 1);
    dht_bootstrap(places[1].dht, now, &by6, 1);
    run(240000, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < NODES; i++) {
        dht_free(places[i].dht);
        heap_remove(&wakes, &places[i].wake);
    }
    for (struct heap_entry *e; (e = heap_first(&packets)) != NULL;) {
        heap_remove(&packets, e);
        free(e);
    }
    heap_free(&packets);
    heap_free(&wakes);
    map_free(&by_addr);
    dht_out_free(&out);
    return 0;
}

static void each_knows_nodes_by_addresses_that_it_can_reach(void **state)
{
    (void)state;
    assert_int_equal(lost, 0);
    for (size_t i = 0; i < NODES; i++) {
        struct dht_entry all[400];
        size_t n = dht_entries(places[i].dht, now.mono_ms, all, 400), of[2] = {0};
        for (size_t k = 0; k < n; k++)
            of[!addr_is_ipv4(&all[k].addr)] += all[k].standing == DHT_LIVE;
        assert_true(kind_of(i) == SIX ? of[0] == 0 : of[0] > 15);
        assert_true(kind_of(i) == FOUR ? of[1] == 0 : of[1] > 15);
    }
}

static void what_one_family_puts_the_other_finds_through_those_of_both(void **state)
{
    (void)state;
    static const char *const names[] = {"IPv4", "IPv6", "both"};
    size_t found[3][3] = {{0}}, tried[3][3] = {{0}};
    for (size_t i = 0; i < NODES; i++) {
        struct keypair author;
        struct buf b = {0};
        struct id key;
        struct dht_value v = {.kind = DHT_POINTER,
                              .seq = 1,
                              .body = span_str("x"),
                              .expires_s = (uint64_t)(now.unix_ms / 1000) + 86400};
        int err;
        sign_keypair_new(&author, &rng);
        memcpy(v.author, author.pk, 32);
        assert_int_equal(dht_value_make(&b, &net, &v, sign, &author), 0);
        dht_key_pointer(&key, &net, v.author, &v.salt);
        assert_true(dht_put_start(places[i].dht, now, buf_view(&b), NULL, 0, &err) > 0);
        assert_int_equal(run(60000, &places[i])->err, 0);
        for (size_t by = i; by < i + 3; by++) {
            struct place *p = &places[(by * 7) % NODES];
            size_t k = kind_of((by * 7) % NODES);
            dht_get_start(p->dht, now, DHT_POINTER, &key, 0, 0);
            found[kind_of(i)][k] += run(60000, p)->err == 0;
            tried[kind_of(i)][k]++;
        }
        buf_free(&b);
    }
    for (int put = 0; put < 3; put++)
        for (int get = 0; get < 3; get++) {
            print_message("  put by %s, got by %s: %zu of %zu\n", names[put], names[get], found[put][get],
                          tried[put][get]);
            assert_int_equal(found[put][get], tried[put][get]);
        }
    assert_int_equal(lost, 0);
}

static void carriers_of_both_are_found_at_an_address_that_fits(void **state)
{
    (void)state;
    struct id topic = {{7}};
    for (size_t i = 2; i < 17; i += 3) { /* five of both */
        assert_int_equal(dht_publish_topic(places[i].dht, now, &topic), 0);
        struct dht_own own[4];
        assert_int_equal(dht_own(places[i].dht, own, 4), 2); /* a record for each address */
        heap_set(&wakes, &places[i].wake, dht_next_wake(places[i].dht));
    }
    run(30000, NULL);
    for (size_t by = 18; by < 21; by++) {
        size_t fit = 0;
        dht_providers_start(places[by].dht, now, &topic, 0, 0);
        const struct dht_result *r = run(60000, &places[by]);
        assert_non_null(r);
        for (size_t i = 0; i < r->values_n; i++) {
            struct dht_value v;
            assert_int_equal(dht_value_read(&v, &net, now.unix_ms, r->values[i], true), 0);
            fit += addr_is_ipv4(&v.addr) == (kind_of(by) != SIX);
        }
        assert_int_equal(fit, 5);
    }
    for (size_t i = 2; i < 17; i += 3) { /* each of the two reached replicas of its own family */
        struct dht_own own[2];
        dht_own(places[i].dht, own, 2);
        assert_true(own[0].stored >= 6 && own[1].stored >= 6 && own[0].err == 0 && own[1].err == 0);
        assert_true(dht_unpublish(places[i].dht, &own[0].key));
        assert_int_equal(dht_own(places[i].dht, own, 2), 0);
    }
}

/* Requests that found no way, and the longest lookup, of so many. */
static uint64_t lookups(struct place *p, int n, uint64_t *longest_ms)
{
    uint64_t before = lost;
    *longest_ms = 0;
    for (int i = 0; i < n; i++) {
        struct id target;
        rng_bytes(&rng, target.b, sizeof target.b);
        assert_true(dht_lookup_start(p->dht, now, &target, 0, 0) > 0);
        const struct dht_result *r = run(20000, p);
        assert_non_null(r);
        assert_true(r->nodes_n >= 8);
        *longest_ms = r->took_ms > *longest_ms ? r->took_ms : *longest_ms;
        run(5000, NULL);
    }
    return lost - before;
}

/* A line that has IPv6 in name only, or lost it: the node does not go on knocking at doors that no way
 * leads to, and finds out when one does again. */
static void a_family_that_nobody_answers_is_left_alone_until_it_is_back(void **state)
{
    (void)state;
    struct place *p = &places[5];
    struct addr six = p->addr[1];
    uint64_t longest;
    assert_int_equal(kind_of(5), BOTH);
    assert_int_equal(lookups(p, 10, &longest), 0);
    map_del(&by_addr, &six);
    p->addr[1].port = 0;
    lookups(p, 4, &longest);
    uint64_t vain = lookups(p, 40, &longest);
    print_message("  IPv6 gone: %llu requests in vain in 40 lookups, the longest took %llu ms\n",
                  (unsigned long long)vain, (unsigned long long)longest);
    assert_true(vain < 180 && longest < 250); /* 370 and 320 ms if it went on asking */
    p->addr[1] = six;
    map_put(&by_addr, &six, p);
    lookups(p, 40, &longest);
    struct dht_entry all[400];
    size_t n = dht_entries(p->dht, now.mono_ms, all, 400), back = 0;
    for (size_t k = 0; k < n; k++)
        back += all[k].standing == DHT_LIVE && all[k].fails == 0 && !addr_is_ipv4(&all[k].addr);
    assert_true(back > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_knows_nodes_by_addresses_that_it_can_reach),
        cmocka_unit_test(what_one_family_puts_the_other_finds_through_those_of_both),
        cmocka_unit_test(carriers_of_both_are_found_at_an_address_that_fits),
        cmocka_unit_test(a_family_that_nobody_answers_is_left_alone_until_it_is_back),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
