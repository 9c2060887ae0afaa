/* dht_world.h: many engines, a network that delays and loses, virtual time, one seed.
 * Packets carry what the engines put out; with `sealed`, every one goes through dht/seal as in the daemon.
 */
#ifndef SOUK_TEST_DHT_WORLD_H
#define SOUK_TEST_DHT_WORLD_H
#include "crypto/base/heap.h"
#include "crypto/base/map.h"
#include "crypto/sign.h"
#include "dht/dht.h"
#include "dht/seal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct packet {
    struct heap_entry e;
    struct addr from, to;
    struct node_key key; /* of the sender; when not sealed */
    size_t n;
    uint8_t bytes[];
};
struct sim_node {
    struct heap_entry wake;
    struct dht *dht;
    struct dht_seal *seal;
    struct keypair pair;
    struct node_key key;
    struct addr addr;
    uint64_t heard_bytes, said_bytes; /* datagrams in and out */
    bool up;
};
struct world {
    struct network net;
    struct rng rng;
    struct clock now;
    struct dht_knobs knobs;
    struct dht_contacts *pool;
    struct sim_node *nodes;
    size_t n;
    struct heap packets, wakes;
    struct map by_addr;
    struct dht_out out;
    unsigned loss_percent;
    uint32_t delay_ms;   /* one way: half of it to one and a half */
    bool sealed, spread; /* spread: public addresses, each in a /24 of its own; else loopback */
    uint64_t packets_n;
};

static inline void world_sign(void *arg, const struct id *hash, struct sig *out)
{
    sign_hash(out, ((struct keypair *)arg)->sk, hash);
}

static inline struct addr sim_addr(const struct world *w, size_t i)
{
    struct addr a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, (uint16_t)(1000 + i)};
    if (w->spread) {
        a.ip[12] = (uint8_t)(20 + (i >> 16));
        a.ip[13] = (uint8_t)(i >> 8);
        a.ip[14] = (uint8_t)i;
    }
    return a;
}

static inline void sim_start(struct world *w, size_t i, bool client)
{
    struct sim_node *x = &w->nodes[i];
    struct dht_config c = {.net = &w->net,
                           .self = x->key,
                           .rng = &w->rng,
                           .contacts = w->pool,
                           .knobs = &w->knobs,
                           .sign = world_sign,
                           .sign_arg = &x->pair,
                           .client = client};
    x->dht = dht_new(&c, w->now);
    if (w->sealed)
        x->seal = dht_seal_new(&w->net, x->pair.sk, &w->rng, NULL);
    x->up = true;
    heap_set(&w->wakes, &x->wake, w->now.mono_ms);
}

/* A new machine in place i, with a new key and the same address. */
static inline void sim_born(struct world *w, size_t i)
{
    struct sim_node *x = &w->nodes[i];
    uint8_t seed[32];
    dht_key_grind(seed, &x->key, &w->net, &w->rng);
    sign_keypair_from_seed(&x->pair, seed);
    x->addr = sim_addr(w, i);
    map_put(&w->by_addr, &x->addr, x);
    sim_start(w, i, false);
}

static inline void sim_kill(struct world *w, size_t i)
{
    struct sim_node *x = &w->nodes[i];
    dht_free(x->dht);
    dht_seal_free(x->seal);
    x->dht = NULL;
    x->seal = NULL;
    x->up = false;
    heap_remove(&w->wakes, &x->wake);
}

static inline struct world *world_new(size_t n, uint64_t seed, unsigned puzzle_bits, bool spread,
                                      bool sealed)
{
    struct world *w = xcalloc(1, sizeof *w);
    assert_int_equal(network_make(&w->net, "sim", 0, puzzle_bits, !spread), 0);
    rng_seed_u64(&w->rng, seed);
    dht_knobs_default(&w->knobs);
    w->pool = dht_contacts_new(&w->rng);
    w->now = (struct clock){1000, 1700000000000};
    w->n = n;
    w->nodes = xcalloc(n, sizeof *w->nodes);
    w->spread = spread;
    w->sealed = sealed;
    w->delay_ms = 40;
    map_init(&w->by_addr, sizeof(struct addr), &w->rng);
    return w;
}

static inline void world_free(struct world *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->nodes[i].up)
            sim_kill(w, i);
    for (struct heap_entry *e; (e = heap_first(&w->packets)) != NULL;) {
        heap_remove(&w->packets, e);
        free(e);
    }
    heap_free(&w->packets);
    heap_free(&w->wakes);
    map_free(&w->by_addr);
    dht_out_free(&w->out);
    dht_contacts_free(w->pool);
    free(w->nodes);
    free(w);
}

static inline void world_send(struct world *w, struct sim_node *x)
{
    struct buf sealed = {0};
    for (size_t i = 0; i < w->out.n; i++) {
        const struct dht_send *s = &w->out.v[i];
        struct span bytes = dht_out_bytes(&w->out, s);
        if (w->sealed) {
            buf_clear(&sealed);
            assert_int_equal(dht_seal_wrap(x->seal, w->now.mono_ms, &s->key, bytes, &sealed), 0);
            bytes = buf_view(&sealed);
        }
        x->said_bytes += bytes.n;
        w->packets_n++;
        if (rng_below(&w->rng, 100) < w->loss_percent)
            continue;
        struct packet *p = xcalloc(1, sizeof *p + bytes.n);
        p->from = x->addr;
        p->to = s->to;
        p->key = x->key;
        p->n = bytes.n;
        memcpy(p->bytes, bytes.p, bytes.n);
        heap_set(&w->packets, &p->e,
                 w->now.mono_ms + w->delay_ms / 2 + rng_below(&w->rng, w->delay_ms + 1));
    }
    dht_out_clear(&w->out);
    buf_free(&sealed);
    heap_set(&w->wakes, &x->wake, dht_next_wake(x->dht));
}

static inline void world_deliver(struct world *w, struct packet *p)
{
    struct sim_node *x = map_get(&w->by_addr, &p->to);
    if (!x || !x->up)
        return;
    struct span plain = span(p->bytes, p->n);
    struct node_key key = p->key;
    struct buf opened = {0};
    x->heard_bytes += p->n;
    if (w->sealed) {
        if (dht_seal_open(x->seal, w->now.mono_ms, &p->from, plain, &key, &opened) != 0) {
            buf_free(&opened);
            return;
        }
        plain = buf_view(&opened);
    }
    if (dht_datagram(x->dht, w->now, &p->from, &key, plain, plain.n, &w->out) == DHT_ANSWER && w->sealed)
        dht_seal_prove(x->seal, &key);
    world_send(w, x);
    buf_free(&opened);
}

static inline void world_at(struct world *w, uint64_t at)
{
    if (at <= w->now.mono_ms)
        return;
    w->now.unix_ms += (int64_t)(at - w->now.mono_ms);
    w->now.mono_ms = at;
}

/* Runs until the time given, or until `stop` says so. */
static inline void world_run(struct world *w, uint64_t until_ms, bool (*stop)(void *), void *arg)
{
    for (;;) {
        struct heap_entry *p = heap_first(&w->packets), *k = heap_first(&w->wakes);
        struct heap_entry *e = !p || (k && k->at <= p->at) ? k : p;
        if (!e || e->at > until_ms || (stop && stop(arg)))
            break;
        world_at(w, e->at);
        heap_remove(e == k ? &w->wakes : &w->packets, e);
        if (e == k) {
            struct sim_node *x = (struct sim_node *)e;
            dht_wake(x->dht, w->now, &w->out);
            world_send(w, x);
        } else {
            world_deliver(w, (struct packet *)e);
            free(e);
        }
    }
    if (!stop)
        world_at(w, until_ms);
}

static inline void world_for(struct world *w, uint64_t ms)
{
    world_run(w, w->now.mono_ms + ms, NULL, NULL);
}

struct sim_wait {
    struct dht *d;
    const struct dht_result *r;
};
static inline bool sim_done(void *arg)
{
    struct sim_wait *x = arg;
    return x->r || (x->r = dht_result_next(x->d)) != NULL;
}
/* Runs the world until node i has a result. */
static inline const struct dht_result *sim_result(struct world *w, size_t i)
{
    struct sim_node *x = &w->nodes[i];
    struct sim_wait wait = {x->dht, NULL};
    heap_set(&w->wakes, &x->wake, dht_next_wake(x->dht));
    world_run(w, w->now.mono_ms + 600000, sim_done, &wait);
    assert_non_null(wait.r);
    return wait.r;
}

static inline void sim_join(struct world *w, size_t i, size_t by)
{
    struct dht_peer boot = {w->nodes[by].key, w->nodes[by].addr};
    dht_bootstrap(w->nodes[i].dht, w->now, &boot, 1);
    heap_set(&w->wakes, &w->nodes[i].wake, dht_next_wake(w->nodes[i].dht));
}

/* Everybody is born and joins by one of those before. */
static inline void world_join_all(struct world *w, uint64_t apart_ms)
{
    for (size_t i = 0; i < w->n; i++) {
        sim_born(w, i);
        if (i)
            sim_join(w, i, rng_below(&w->rng, i));
        world_for(w, apart_ms);
    }
}

/* A signed pointer of n body bytes. */
static inline void sim_pointer(struct world *w, struct buf *out, struct keypair *author, uint64_t seq,
                               uint64_t body, struct id *key)
{
    uint8_t bytes[8];
    be64_put(bytes, body);
    struct dht_value v = {.kind = DHT_POINTER,
                          .seq = seq,
                          .body = SPAN_OF(bytes),
                          .expires_s = (uint64_t)(w->now.unix_ms / 1000) + 86400};
    memcpy(v.author, author->pk, 32);
    assert_int_equal(dht_value_make(out, &w->net, &v, world_sign, author), 0);
    dht_key_pointer(key, &w->net, v.author, &v.salt);
}
#endif
