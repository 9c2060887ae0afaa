/* gossip.c: topics, peers, and the room's face. */
#include "node/gossip/gossip.h"
#include "gossip.gen.h"
#include "node/gossip/engine.h"
#include "node/gossip/place.h"
#include "node/net/net.h"
#include <stdlib.h>

enum { DEFAULT_RECONCILE_MS = 60000, FIRST_ROUND_MS = 200 };

struct gossip *gossip_new(const struct network *network, struct rng *rng, uint64_t reconcile_ms)
{
    struct gossip *g = xcalloc(1, sizeof *g);
    g->network = *network;
    g->rng = rng;
    g->reconcile_ms = reconcile_ms ? reconcile_ms : DEFAULT_RECONCILE_MS;
    g->carry_all = true;
    map_init(&g->pending, sizeof(struct id), rng);
    map_init(&g->topics, RECORD_TOPIC_MOST, rng);
    map_init(&g->peers, sizeof(struct node_key), rng);
    map_init(&g->wants, sizeof(struct id), rng);
    return g;
}

static void peer_free(struct gpeer *p)
{
    rounds_end(p);
    map_free(&p->topics);
    free(p);
}

void gossip_free(struct gossip *g)
{
    if (!g)
        return;
    size_t at = 0;
    void *v;
    while (map_next(&g->pending, &at, NULL, &v))
        free(v);
    for (at = 0; map_next(&g->peers, &at, NULL, &v);)
        peer_free(v);
    for (size_t i = 0; i < g->topics_n; i++) {
        negset_free(g->topic_list[i]->set);
        free(g->topic_list[i]);
    }
    blobs_free(g);
    free(g->topic_list);
    map_free(&g->pending);
    map_free(&g->topics);
    map_free(&g->peers);
    map_free(&g->wants);
    free(g);
}

/* ---- topics ---- */
void gossip_topics_judged_by(struct gossip *g, gossip_topic_judge *judge)
{
    g->topic_judge = judge;
}

static bool is_strange(const struct gossip *g, struct span name)
{
    return g->topic_judge && !g->topic_judge(name);
}

static bool has_place(const struct gossip *g, struct span name)
{
    return g->topics_n < GOSSIP_TOPICS_MOST && (g->strange_n < GOSSIP_STRANGE_MOST || !is_strange(g, name));
}

struct topic *gossip_topic(struct gossip *g, struct span name, bool make)
{
    uint8_t key[RECORD_TOPIC_MOST] = {0};
    if (name.n > sizeof key)
        return NULL;
    memcpy(key, name.p, name.n);
    struct topic *t = map_get(&g->topics, key);
    if (t || !make || !has_place(g, name))
        return t;
    t = xcalloc(1, sizeof *t);
    t->strange = is_strange(g, name);
    g->strange_n += t->strange;
    memcpy(t->name, name.p, name.n);
    t->set = negset_new();
    t->carried = g->carry_all;
    if (g->topics_n == g->topics_cap) {
        g->topics_cap = g->topics_cap ? g->topics_cap * 2 : 64;
        g->topic_list = xrealloc(g->topic_list, g->topics_cap * sizeof(struct topic *));
    }
    g->topic_list[g->topics_n++] = t;
    map_put(&g->topics, key, t);
    return t;
}

static bool in_round(const struct gossip *g, const struct topic *t)
{
    size_t at = 0;
    void *v;
    while (map_next(&g->peers, &at, NULL, &v))
        if (((const struct gpeer *)v)->topic == t)
            return true;
    return false;
}

/* Topics that nothing is known of give their places back, but for those that the owner chose.  The last of
 * the list takes such a place: a round under way may pass over it, and the next one does not. */
static void topics_tidy(struct gossip *g)
{
    for (size_t i = 0; i < g->topics_n;) {
        struct topic *t = g->topic_list[i];
        if (negset_count(t->set) || t->since.created || (t->carried && !g->carry_all) || in_round(g, t)) {
            i++;
            continue;
        }
        uint8_t key[RECORD_TOPIC_MOST] = {0};
        memcpy(key, t->name, strlen(t->name));
        map_del(&g->topics, key);
        g->topic_list[i] = g->topic_list[--g->topics_n];
        g->strange_n -= t->strange;
        negset_free(t->set);
        free(t);
    }
}

bool gossip_carries(const struct gossip *g, struct span name)
{
    uint8_t key[RECORD_TOPIC_MOST] = {0};
    if (name.n > sizeof key)
        return false;
    memcpy(key, name.p, name.n);
    const struct topic *t = map_get(&g->topics, key);
    return t ? t->carried : g->carry_all && has_place(g, name);
}

bool gpeer_carries(const struct gpeer *p, struct span name)
{
    uint8_t key[RECORD_TOPIC_MOST] = {0};
    memcpy(key, name.p, name.n);
    return p->heard && (p->all || map_get(&p->topics, key));
}

void gossip_known(struct gossip *g, struct span topic, int64_t created, const struct id *id)
{
    struct topic *t = gossip_topic(g, topic, true);
    if (t && negset_add(t->set, (uint64_t)created, id))
        g->stats.known++;
}

static bool boot_chunk(void *arg, const struct time_chunk *chunk)
{
    struct topic *t = arg;
    for (size_t i = 0; i < chunk->n; i++) {
        struct id id;
        memcpy(id.b, chunk->items.p + i * 40 + 8, sizeof id.b);
        negset_add(t->set, be64_get(chunk->items.p + i * 40), &id);
    }
    return true;
}

struct boot {
    struct gossip *g;
    struct core *c;
};

static void set_horizon(struct topic *t, const struct known_at *h)
{
    t->since = (struct neg_bound){.created = (uint64_t)h->created, .id = h->id};
    if (!is_zero(&h->id, sizeof h->id))
        t->since.n = sizeof h->id.b;
}

static bool boot_topic(void *arg, struct span name, uint64_t ids, const struct known_at *horizon)
{
    struct boot *b = arg;
    (void)ids;
    struct topic *t = gossip_topic(b->g, name, true);
    if (t) {
        set_horizon(t, horizon);
        view_topic(b->c->view, name, boot_chunk, t);
        b->g->stats.known += negset_count(t->set);
    }
    return true; /* what has no place is not settled, and goes when it expires */
}

void gossip_boot(struct gossip *g, struct core *c)
{
    struct boot b = {g, c};
    view_topics(c->view, boot_topic, &b);
}

void gossip_left(struct gossip *g, struct span found)
{
    struct store_left left;
    while (store_left_next(&found, &left)) {
        struct topic *t = gossip_topic(g, left.topic, false);
        if (!t)
            continue;
        set_horizon(t, &left.horizon);
        for (size_t i = 0; i < left.n; i++) {
            struct id id;
            memcpy(id.b, left.items.p + i * 40 + 8, sizeof id.b);
            g->stats.known -= negset_remove(t->set, be64_get(left.items.p + i * 40), &id);
        }
    }
    topics_tidy(g);
}

bool gossip_beyond(struct gossip *g, const struct record *rec)
{
    const struct topic *t = gossip_topic(g, rec->topic, false);
    struct known_at since = {0};
    if (t)
        since = (struct known_at){(int64_t)t->since.created, t->since.id};
    return known_before(rec->created, &rec->id, &since);
}

static void tell_topics(struct gossip *g, struct core *c, const struct node_key *peer)
{
    struct buf b = {0};
    struct span names[512];
    struct gossip_topics m = {.all = g->carry_all, .topics = names};
    for (size_t i = 0; !g->carry_all && i < g->topics_n && m.topics_n < 512; i++)
        if (g->topic_list[i]->carried)
            names[m.topics_n++] = span_str(g->topic_list[i]->name);
    gossip_topics_encode(&b, &m);
    (void)net_send(c->net, c, peer, CHANNEL_GOSSIP, GOSSIP_TOPICS, buf_view(&b));
    buf_free(&b);
}

int gossip_carry(struct gossip *g, struct core *c, struct span topic, bool carry)
{
    if (!record_topic_ok(topic))
        return SOUK_EINVALID;
    struct topic *t = gossip_topic(g, topic, true);
    if (!t)
        return SOUK_EQUOTA;
    g->carry_all = false;
    t->carried = carry;
    size_t at = 0;
    const void *key;
    while (map_next(&g->peers, &at, &key, NULL))
        tell_topics(g, c, key);
    return 0;
}

/* ---- peers ---- */
void gossip_session_up(struct gossip *g, struct core *c, const struct node_key *peer)
{
    if (map_get(&g->peers, peer) || g->peers.n >= GOSSIP_PEERS_MOST)
        return;
    struct gpeer *p = xcalloc(1, sizeof *p);
    p->key = *peer;
    p->tokens = GOSSIP_BURST;
    p->tokens_ms = c->now.mono_ms;
    p->next_round_ms = c->now.mono_ms + rng_below(g->rng, FIRST_ROUND_MS);
    map_init(&p->topics, RECORD_TOPIC_MOST, g->rng);
    map_put(&g->peers, peer, p);
    tell_topics(g, c, peer);
    blobs_session_up(g, c, peer);
}

void gossip_session_down(struct gossip *g, struct core *c, const struct node_key *peer)
{
    struct gpeer *p = map_del(&g->peers, peer);
    if (p)
        peer_free(p);
    blobs_session_down(g, c, peer);
}

int gossip_message(struct gossip *g, struct core *c, const struct node_key *peer, enum channel channel,
                   unsigned number, struct span body)
{
    struct gpeer *p = map_get(&g->peers, peer);
    if (!p)
        return 0;
    if (channel == CHANNEL_BLOB)
        return blobs_message(g, c, peer, number, body);
    if (number == GOSSIP_RECONCILE)
        return rounds_message(g, c, p, body);
    return push_message(g, c, p, number, body);
}

/* ---- our own ---- */
int gossip_record(struct gossip *g, struct core *c, const struct node_key *peer, struct span bytes,
                  struct report *r)
{
    return intake_record(g, c, peer ? map_get(&g->peers, peer) : NULL, bytes, false, r);
}

int gossip_own(struct gossip *g, struct core *c, struct span bytes, struct change *into, struct report *r)
{
    struct record rec;
    struct op op;
    struct arena a;
    int err = record_parse(&rec, bytes, &g->network, r);
    if (err)
        return err;
    arena_init(&a, 65536);
    err = record_place(&op, &rec, &g->network, &a, r);
    if (!err) {
        op.record.own = true;
        op.record.received = c->now.unix_ms;
        change_record(into, &op);
    }
    arena_free(&a);
    return err;
}

void gossip_announce(struct gossip *g, struct core *c, const struct id *id)
{
    struct record_row row;
    struct record rec;
    if (!view_record(c->view, id, &row) || record_parse(&rec, row.bytes, &g->network, NULL))
        return;
    gossip_known(g, rec.topic, rec.created, &rec.id);
    g->stats.stored++;
    push_record(g, c, &rec, NULL, false, true);
    c->hooks->record_stored(c, &rec, row.serial, true);
}

/* ---- continuations and time ---- */
void gossip_worked(struct gossip *g, struct core *c, struct job *job)
{
    intake_worked(g, c, job);
}

void gossip_committed(struct gossip *g, struct core *c, struct change *change)
{
    if (change->what == CHANGE_RECORD)
        intake_committed(g, c, change);
    else if (change->what == CHANGE_CHUNK)
        blobs_committed(g, c, change);
}

void gossip_wake(struct gossip *g, struct core *c)
{
    size_t at = 0;
    void *v;
    while (map_next(&g->peers, &at, NULL, &v)) {
        struct gpeer *p = v;
        if (p->flush_ms && p->flush_ms <= c->now.mono_ms)
            push_flush(g, c, p);
        rounds_wake(g, c, p);
    }
    blobs_wake(g, c);
}

uint64_t gossip_next_wake(const struct gossip *g)
{
    uint64_t next = blobs_next_wake(g);
    size_t at = 0;
    void *v;
    while (map_next(&g->peers, &at, NULL, &v)) {
        const struct gpeer *p = v;
        uint64_t round = rounds_next(p);
        if (p->flush_ms && p->flush_ms < next)
            next = p->flush_ms;
        if (round < next)
            next = round;
    }
    return next;
}

void gossip_stats(const struct gossip *g, struct gossip_stats *out)
{
    *out = g->stats;
    out->topics = g->topics_n;
    out->topics_most = GOSSIP_TOPICS_MOST;
    out->topics_strange = g->strange_n;
    out->topics_strange_most = GOSSIP_STRANGE_MOST;
    out->blobs_wanted = g->wants.n;
}
