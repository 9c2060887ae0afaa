#include "node/reach.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "node/dials.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include <stdlib.h>

enum {
    SAVE_FIRST_MS = 10000,
    SAVE_MS = 300000,
    LOOK_FAST_MS = 1000,
    LOOK_SLOW_MS = 30000,
    CARRIERS_FIRST_MS = 2000,
    CARRIERS_MS = 120000
};

struct reach {
    struct node_config config;
    const struct keys *keys;
    struct rng *rng;
    struct dht *dht;
    struct dht_seal *seal;
    struct dht_out out;
    struct id carriers; /* the topic under which carriers of everything announce themselves */
    struct dials dials;
    uint64_t look_ms, save_ms, save_wait_ms, carriers_ms, carriers_wait_ms, find_ms;
};

static void sign_provider(void *arg, const struct id *hash, struct sig *out)
{
    const struct reach *r = arg;
    sign_hash(out, keys_node_secret(r->keys), hash);
}

struct reach *reach_new(const struct node_config *config, const struct keys *keys, struct rng *rng)
{
    struct reach *r = xcalloc(1, sizeof *r);
    r->config = *config;
    r->keys = keys;
    r->rng = rng;
    hash_souk_one(&r->carriers, &r->config.network, "souk:topic", span_str("*"));
    return r;
}

void reach_free(struct reach *r)
{
    if (!r)
        return;
    dht_free(r->dht);
    dht_seal_free(r->seal);
    dht_out_free(&r->out);
    free(r);
}

struct dht *reach_dht(struct reach *r)
{
    return r->dht;
}

/* What goes back to `from` leaves by the address that it wrote to. */
static void flush(struct reach *r, struct core *c, const struct addr *from, uint8_t via)
{
    struct buf sealed = {0};
    for (size_t i = 0; i < r->out.n; i++) {
        const struct dht_send *s = &r->out.v[i];
        buf_clear(&sealed);
        if (dht_seal_wrap(r->seal, c->now.mono_ms, &s->key, dht_out_bytes(&r->out, s), &sealed) == 0)
            fx_dgram(c->fx, &s->to, from && addr_eq(&s->to, from) ? via : 0, buf_view(&sealed));
    }
    dht_out_clear(&r->out);
    buf_free(&sealed);
}

void reach_seal(const struct reach *r, struct dht_seal_stats *out, struct dht_seal_knobs *most)
{
    dht_seal_stats_read(r->seal, out);
    dht_seal_knobs_default(most);
}

void reach_flush(struct reach *r, struct core *c)
{
    flush(r, c, NULL, 0);
}

/* A node that listens on one family alone does not dial the other. */
static bool of_our_family(const struct reach *r, const struct addr *a)
{
    bool any = false;
    for (size_t i = 0; i < r->config.listen_n; i++)
        any |= addr_is_ipv4(&r->config.listen[i]) == addr_is_ipv4(a);
    return any;
}

static void may_dial(struct reach *r, const struct node_key *key, const struct addr *addr, bool named)
{
    const struct network *net = &r->config.network;
    if (!node_key_eq(key, keys_node(r->keys)) && addr->port && (net->loopback || !addr_is_private(addr)) &&
        of_our_family(r, addr))
        dials_add(&r->dials, net, key, addr, named);
}

/* The first address of a family is the one to be reached at; where it is any address of the machine, peers
 * tell which one they see. */
static void listens(struct dht_config *dc, const struct addr *at)
{
    bool ipv4 = addr_is_ipv4(at);
    struct addr *own = ipv4 ? &dc->addr : &dc->addr6;
    if (ipv4 ? dc->no_ipv4 : !dc->ipv6)
        *own = addr_is_any(at) ? (struct addr){{0}, 0} : *at;
    if (ipv4)
        dc->no_ipv4 = false;
    else
        dc->ipv6 = true;
}

void reach_boot(struct reach *r, struct core *c)
{
    struct dht_peer peers[NODE_PEERS_MOST];
    struct span saved;
    struct dht_config dc = {.net = &r->config.network,
                            .self = *keys_node(c->keys),
                            .rng = r->rng,
                            .sign = sign_provider,
                            .sign_arg = r,
                            .client = r->config.client,
                            .no_ipv4 = true};
    for (size_t i = 0; i < r->config.listen_n; i++)
        listens(&dc, &r->config.listen[i]);
    r->dht = dht_new(&dc, c->now);
    r->seal = dht_seal_new(&r->config.network, keys_node_secret(r->keys), r->rng, NULL);
    for (size_t i = 0; i < r->config.peers_n; i++) {
        peers[i] = (struct dht_peer){r->config.peers[i].key, r->config.peers[i].addr};
        may_dial(r, &peers[i].key, &peers[i].addr, true);
    }
    if (view_get(c->view, TABLE_META, span_str("dht"), &saved))
        (void)dht_table_restore(r->dht, c->now, saved, false); /* spoilt: as if there were none */
    dht_bootstrap(r->dht, c->now, peers, r->config.peers_n);
    if (!r->config.client)
        (void)dht_publish_topic(r->dht, c->now, &r->carriers);
    r->save_wait_ms = SAVE_FIRST_MS; /* a table that grows is saved sooner: the power may fail */
    r->save_ms = c->now.mono_ms + r->save_wait_ms;
    r->look_ms = c->now.mono_ms;
    r->carriers_wait_ms = CARRIERS_FIRST_MS; /* when a network begins, or we in it, more are found soon */
    r->carriers_ms = c->now.mono_ms + r->carriers_wait_ms;
}

void reach_dgram(struct reach *r, struct core *c, const struct addr *from, uint8_t via, struct span bytes)
{
    struct node_key peer;
    struct buf plain = {0};
    if (dht_seal_open(r->seal, c->now.mono_ms, from, bytes, &peer, &plain) == 0 &&
        dht_datagram(r->dht, c->now, from, &peer, buf_view(&plain), plain.n, &r->out) == DHT_ANSWER)
        dht_seal_prove(r->seal, &peer);
    buf_free(&plain);
    flush(r, c, from, via);
}

void reach_session_up(struct reach *r, struct core *c, const struct node_key *peer)
{
    struct addr at;
    if (net_addr(c->net, peer, &at))
        may_dial(r, peer, &at, false);
    struct dial *d = dials_find(&r->dials, peer);
    if (d)
        d->fails = 0;
}

void reach_session_down(struct reach *r, struct core *c, const struct node_key *peer)
{
    (void)peer;
    if (r->look_ms > c->now.mono_ms + LOOK_FAST_MS)
        r->look_ms = c->now.mono_ms + LOOK_FAST_MS;
}

/* Dials while there are too few sessions; those that fail wait longer each time. */
static void look(struct reach *r, struct core *c)
{
    struct net_stats s;
    net_stats(c->net, &s);
    bool busy = false;
    size_t start = r->dials.n ? rng_below(r->rng, r->dials.n) : 0, up = s.sessions;
    for (size_t k = 0; k < r->dials.n && up < REACH_SESSIONS; k++) {
        struct dial *next = &r->dials.v[(start + k) % r->dials.n];
        if (net_up(c->net, &next->key) || next->not_before_ms > c->now.mono_ms)
            continue;
        uint32_t wait = (uint32_t)LOOK_FAST_MS << (next->fails < 8 ? next->fails : 8);
        next->fails++;
        next->not_before_ms = c->now.mono_ms + wait + rng_below(r->rng, LOOK_FAST_MS);
        busy = true;
        if (net_connect(c->net, c, &next->key, &next->addr) == 0)
            up++;
    }
    r->look_ms = c->now.mono_ms + (busy || up < REACH_SESSIONS / 2 ? LOOK_FAST_MS : LOOK_SLOW_MS);
}

static void save(struct reach *r, struct core *c)
{
    struct buf b = {0};
    dht_table_save(r->dht, &b);
    if (b.n < sizeof(struct node_key)) { /* nobody is known: what was saved before is better */
        buf_free(&b);
        return;
    }
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    ch->bulk = true;
    change_put(ch, TABLE_META, span_str("dht"), buf_view(&b));
    fx_commit(c->fx, ch);
    buf_free(&b);
}

void reach_stop(struct reach *r, struct core *c)
{
    save(r, c);
    dht_leave(r->dht, &r->out);
    reach_flush(r, c);
}

void reach_find(struct reach *r, struct core *c, const struct node_key *node)
{
    struct id target;
    if (net_up(c->net, node) || node_key_eq(node, keys_node(r->keys)))
        return;
    const struct dial *known = dials_find(&r->dials, node);
    if (known) {
        (void)net_connect(c->net, c, node, &known->addr);
        return;
    }
    if (r->find_ms > c->now.mono_ms)
        return; /* one search a second: the next time another */
    r->find_ms = c->now.mono_ms + LOOK_FAST_MS;
    dht_id(&target, &r->config.network, node);
    (void)dht_lookup_start(r->dht, c->now, &target, 0, dht_cookie(ROOM_NODE, 1));
}

const struct dht_result *reach_result(struct reach *r, struct core *c)
{
    const struct dht_result *res;
    while ((res = dht_result_next(r->dht))) {
        if (res->cookie >> 56 != ROOM_NODE)
            return res;
        /* Of a lookup only the node that is the target; of providers all. */
        for (size_t i = 0; (res->cookie & 1) && i < res->nodes_n; i++) {
            struct id id;
            dht_id(&id, &r->config.network, &res->nodes[i].key);
            if (id_eq(&id, &res->target)) {
                may_dial(r, &res->nodes[i].key, &res->nodes[i].addr, false);
                (void)net_connect(c->net, c, &res->nodes[i].key, &res->nodes[i].addr);
            }
        }
        for (size_t i = 0; i < res->values_n; i++) {
            struct dht_value v;
            if (dht_value_read(&v, &r->config.network, c->now.unix_ms, res->values[i], false) == 0) {
                struct node_key key;
                memcpy(key.b, v.author, sizeof key.b);
                may_dial(r, &key, &v.addr, false);
            }
        }
        if (r->look_ms > c->now.mono_ms + LOOK_FAST_MS)
            r->look_ms = c->now.mono_ms + LOOK_FAST_MS;
    }
    return NULL;
}

void reach_wake(struct reach *r, struct core *c)
{
    if (dht_next_wake(r->dht) <= c->now.mono_ms)
        dht_wake(r->dht, c->now, &r->out);
    if (r->look_ms <= c->now.mono_ms)
        look(r, c);
    if (r->carriers_ms <= c->now.mono_ms) {
        (void)dht_providers_start(r->dht, c->now, &r->carriers, 0, dht_cookie(ROOM_NODE, 0));
        r->carriers_ms = c->now.mono_ms + r->carriers_wait_ms;
        r->carriers_wait_ms = r->carriers_wait_ms * 2 < CARRIERS_MS ? r->carriers_wait_ms * 2 : CARRIERS_MS;
    }
    if (r->save_ms <= c->now.mono_ms) {
        save(r, c);
        r->save_wait_ms = r->save_wait_ms * 4 < SAVE_MS ? r->save_wait_ms * 4 : SAVE_MS;
        r->save_ms = c->now.mono_ms + r->save_wait_ms;
    }
    reach_flush(r, c);
}

uint64_t reach_next_wake(const struct reach *r)
{
    uint64_t next = dht_next_wake(r->dht);
    next = r->look_ms < next ? r->look_ms : next;
    next = r->carriers_ms < next ? r->carriers_ms : next;
    return r->save_ms < next ? r->save_ms : next;
}
