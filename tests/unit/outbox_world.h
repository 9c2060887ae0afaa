/* outbox_world.h: a few nodes with real stores, keys, sessions and outboxes in one process, joined by wires
 * that the test holds in its hand: it can lose, spoil and repeat what goes over them, take nodes away and
 * let time pass. */
#ifndef SOUK_TEST_OUTBOX_WORLD_H
#define SOUK_TEST_OUTBOX_WORLD_H
#include "crypto/record.h"
#include "crypto/work.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "node/outbox/outbox.h"
#include "record.gen.h"
#include "store_help.h"
#include <sodium.h>

enum { WORLD_NODES = 6, WORLD_WIRES = 64 };
#define WORLD_START INT64_C(1790000000000)

struct wire {
    bool open;
    int end[2]; /* nodes */
    conn_id conn[2];
};
enum piece_kind { PIECE_BYTES, PIECE_ACCEPT, PIECE_DIALLED, PIECE_CLOSE };
struct piece { /* bytes, an opening or a close, on their way */
    int wire, to;
    enum piece_kind kind;
    struct buf bytes;
};
struct tnode {
    struct core core; /* first: hooks find their node by it */
    struct bench *store;
    struct effects fx;
    struct rng rng;
    struct identity who;
    struct addr addr;
    bool away, booted, hold_commits; /* hold_commits: the disk is slow */
    struct change *commits[256];
    size_t commits_n;
    unsigned letters, done, taken, messages_in;
    int done_err, letter_err;
    uint8_t last_body[64];
    size_t last_n;
};
struct world {
    struct network network;
    struct tnode *node[WORLD_NODES];
    int n;
    struct wire wire[WORLD_WIRES];
    struct piece *pieces;
    size_t pieces_n, pieces_cap;
    conn_id next_accepted;
    struct clock now;
};
static struct world W;

static inline struct tnode *tnode_of(struct core *c)
{
    return (struct tnode *)(void *)c;
}

/* ---- hooks ---- */
static inline void hook_up(struct core *c, const struct node_key *peer)
{
    outbox_session_up(c->outbox, c, peer);
}
static inline void hook_down(struct core *c, const struct node_key *peer)
{
    (void)c;
    (void)peer;
}
static inline int hook_message(struct core *c, const struct node_key *peer, enum channel channel,
                               unsigned number, struct span body)
{
    tnode_of(c)->messages_in++;
    return channel == CHANNEL_MAIL ? outbox_message(c->outbox, c, peer, number, body) : 0;
}
static inline int hook_letter(struct core *c, const struct identity *to, const struct identity *from,
                              unsigned kind, const struct id *letter, struct span body)
{
    struct tnode *t = tnode_of(c);
    (void)from;
    (void)kind;
    t->letters++;
    if (t->letter_err)
        return t->letter_err;
    struct id trade = {{7}};
    change_fact(outbox_taking(c->outbox), &trade, letter, to, 1, t->letters, body);
    t->last_n = body.n < 64 ? body.n : 64;
    memcpy(t->last_body, body.p, t->last_n);
    return 0;
}
static inline void hook_done(struct core *c, const struct id *letter, int err)
{
    (void)letter;
    tnode_of(c)->done++;
    tnode_of(c)->done_err = err;
}
static const struct hooks world_hooks = {
    .session_up = hook_up,
    .session_down = hook_down,
    .session_message = hook_message,
    .letter = hook_letter,
    .letter_done = hook_done,
};
static inline void on_taken(struct core *c, const struct identity *to, const struct identity *from,
                            unsigned kind, const struct id *letter, struct span body)
{
    (void)to;
    (void)from;
    (void)kind;
    (void)letter;
    (void)body;
    tnode_of(c)->taken++;
}

/* ---- wires ---- */
static inline struct piece *piece_add(int wire, int to, enum piece_kind kind, struct span bytes)
{
    if (W.pieces_n == W.pieces_cap) {
        W.pieces_cap = W.pieces_cap ? 2 * W.pieces_cap : 64;
        W.pieces = xrealloc(W.pieces, W.pieces_cap * sizeof *W.pieces);
    }
    struct piece *p = &W.pieces[W.pieces_n++];
    *p = (struct piece){.wire = wire, .to = to, .kind = kind};
    buf_span(&p->bytes, bytes);
    return p;
}

static inline void world_dial(int from, conn_id conn, const struct addr *to)
{
    int w = 0, target = -1;
    for (int i = 0; i < W.n; i++)
        if (addr_eq(&W.node[i]->addr, to) && !W.node[i]->away)
            target = i;
    while (w < WORLD_WIRES && W.wire[w].open)
        w++;
    assert_true(w < WORLD_WIRES);
    W.wire[w] = (struct wire){true, {from, target}, {conn, W.next_accepted}};
    if (target < 0) {
        W.wire[w].end[1] = from;
        piece_add(w, from, PIECE_CLOSE, span(NULL, 0));
        return;
    }
    W.next_accepted += 2;
    piece_add(w, target, PIECE_ACCEPT, span(NULL, 0));
    piece_add(w, from, PIECE_DIALLED, span(NULL, 0));
}

static inline int wire_of(int node, conn_id conn, int *side)
{
    for (int w = 0; w < WORLD_WIRES; w++)
        for (*side = 0; *side < 2; ++*side)
            if (W.wire[w].open && W.wire[w].end[*side] == node && W.wire[w].conn[*side] == conn)
                return w;
    return -1;
}

/* Carries out what a node wants done. */
static inline void world_effects(int i)
{
    struct tnode *t = W.node[i];
    for (size_t e = 0; e < t->fx.n; e++) {
        const struct effect *fx = &t->fx.v[e];
        int side, w = fx->kind == FX_WRITE || fx->kind == FX_CLOSE ? wire_of(i, fx->conn, &side) : -1;
        if (fx->kind == FX_DIAL)
            world_dial(i, fx->conn, &fx->addr);
        else if (fx->kind == FX_WRITE && w >= 0)
            piece_add(w, W.wire[w].end[1 - side], PIECE_BYTES, fx_bytes(&t->fx, fx));
        else if (fx->kind == FX_CLOSE && w >= 0)
            piece_add(w, W.wire[w].end[1 - side], PIECE_CLOSE, span(NULL, 0));
        else if (fx->kind == FX_COMMIT) {
            assert_true(t->commits_n < 256);
            t->commits[t->commits_n++] = fx->change;
        }
    }
    effects_clear(&t->fx);
}

static inline struct core *world_core(int i)
{
    struct core *c = &W.node[i]->core;
    c->now = W.now;
    c->view = W.node[i]->store->view;
    return c;
}

static inline bool world_commit(int i)
{
    struct tnode *t = W.node[i];
    if (!t->commits_n || t->hold_commits)
        return false;
    struct change *batch[256];
    size_t n = t->commits_n;
    memcpy(batch, t->commits, n * sizeof *batch);
    t->commits_n = 0;
    assert_int_equal(store_apply(t->store->store, batch, n), 0);
    view_renew(t->store->view);
    for (size_t k = 0; k < n; k++) {
        struct core *c = world_core(i);
        if (batch[k]->room == ROOM_OUTBOX)
            outbox_committed(c->outbox, c, batch[k]);
        else
            outbox_look(c->outbox, c);
        change_free(batch[k]);
    }
    world_effects(i);
    return true;
}

static inline void world_piece(struct piece *p)
{
    struct wire *w = &W.wire[p->wire];
    if (!w->open)
        return;
    int side =
        w->end[0] == p->to && (p->kind == PIECE_DIALLED || p->kind == PIECE_CLOSE || w->end[1] != p->to)
            ? 0
            : 1;
    struct core *c = world_core(p->to);
    if (p->kind == PIECE_ACCEPT)
        net_accepted(c->net, c, w->conn[1], &W.node[w->end[0]]->addr);
    else if (p->kind == PIECE_DIALLED)
        net_dialled(c->net, c, w->conn[0], 0);
    else if (p->kind == PIECE_BYTES) {
        net_bytes(c->net, c, w->conn[side], buf_view(&p->bytes));
        net_drained(c->net, c, w->conn[side]);
    } else {
        w->open = false;
        net_closed(c->net, c, w->conn[side]);
    }
    /* What it sent has gone to the kernel long ago. */
    for (int s = 0; s < 2; s++) {
        struct core *d = world_core(w->end[s]);
        net_drained(d->net, d, w->conn[s]);
        world_effects(w->end[s]);
    }
    world_effects(p->to);
}

static inline bool world_wake(int i)
{
    struct core *c = world_core(i);
    bool net = net_next_wake(c->net) <= W.now.mono_ms, box = outbox_next_wake(c->outbox) <= W.now.mono_ms;
    if (W.node[i]->away || !W.node[i]->booted || (!net && !box))
        return false;
    if (net)
        net_wake(c->net, c);
    if (box)
        outbox_wake(c->outbox, c);
    world_effects(i);
    return true;
}

/* Runs until nothing is on its way and nothing is due; time stands still. */
static inline void world_settle(void)
{
    unsigned turns = 0;
    for (bool busy = true; busy;) {
        busy = false;
        assert_true(++turns < 20000); /* else something goes round in circles */
        for (int i = 0; i < W.n; i++) {
            busy = world_commit(i) || busy;
            busy = world_wake(i) || busy;
        }
        while (W.pieces_n) {
            struct piece p = W.pieces[0];
            memmove(W.pieces, W.pieces + 1, --W.pieces_n * sizeof p);
            assert_true(++turns < 20000);
            if (!W.node[p.to]->away || p.kind == PIECE_CLOSE)
                world_piece(&p);
            buf_free(&p.bytes);
            busy = true;
        }
    }
}

/* Lets time pass in steps of a quarter of a second. */
static inline void world_pass(uint64_t ms)
{
    for (uint64_t t = 0; t < ms; t += 250) {
        W.now.mono_ms += 250;
        W.now.unix_ms += 250;
        world_settle();
    }
}

/* ---- nodes ---- */
static inline void rooms_new(struct tnode *t, int i)
{
    uint8_t seed[32] = {(uint8_t)(i + 1)}, pk[32], sk[64];
    struct net_config nc = {.self = t->addr};
    crypto_sign_seed_keypair(pk, sk, seed);
    t->core = (struct core){.network = &W.network, .hooks = &world_hooks, .rng = &t->rng, .fx = &t->fx};
    t->core.keys = keys_new(sk, true);
    t->core.net = net_new(&nc, &W.network, &t->rng);
    t->core.outbox = outbox_new(&W.network, &t->rng);
    outbox_here(t->core.outbox, &t->addr);
    outbox_on_taken(t->core.outbox, on_taken);
}

static inline void rooms_free(struct tnode *t)
{
    for (size_t k = 0; k < t->commits_n; k++)
        change_free(t->commits[k]);
    t->commits_n = 0;
    outbox_free(t->core.outbox);
    net_free(t->core.net);
    keys_free(t->core.keys);
}

/* A node with an identity. */
static inline int world_node(void)
{
    int i = W.n++;
    struct tnode *t = W.node[i] = xcalloc(1, sizeof *t);
    char words[256];
    struct report r = {0};
    t->store = bench_new(64 * MIB, 0);
    rng_seed_u64(&t->rng, (uint64_t)i + 77);
    t->addr = (struct addr){.port = (uint16_t)(4000 + i)};
    memcpy(t->addr.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    rooms_new(t, i);
    struct core *c = world_core(i);
    keys_boot(c->keys, c);
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(keys_create(c->keys, c, "me", span_str("pass"), &t->who, words, ch, &r), 0);
    fx_commit(c->fx, ch);
    world_effects(i);
    world_settle();
    outbox_boot(c->outbox, world_core(i));
    t->booted = true;
    return i;
}

static inline void put_record_bytes(int i, struct span bytes)
{
    struct record rec;
    struct op op = {.kind = OP_RECORD};
    assert_int_equal(record_parse(&rec, bytes, &W.network, NULL), 0);
    op.record.id = rec.id;
    op.record.author = rec.author;
    op.record.kind = rec.kind;
    op.record.has_slot = true;
    op.record.revision = (uint64_t)rec.created;
    op.record.created = rec.created;
    op.record.expires = rec.expires;
    op.record.received = rec.created;
    op.record.topic = rec.topic;
    op.record.bytes = rec.bytes;
    struct change *ch = change_new(ROOM_GOSSIP, 0, 0);
    change_record(ch, &op);
    assert_int_equal(apply_one(W.node[i]->store, ch), 0);
    change_free(ch);
    struct core *c = world_core(i);
    outbox_record_stored(c->outbox, c, &rec);
    world_effects(i);
}

/* Makes the prekeys of node `of` and gives their record to everybody (as gossip would). */
static inline void world_prekeys(int of)
{
    struct core *c = world_core(of);
    struct buf body = {0}, bytes = {0};
    char topic[RECORD_PEOPLE_BYTES];
    unsigned bits;
    struct change *ch = change_new(ROOM_KEYS, 0, 0);
    assert_int_equal(keys_prekeys_make(c->keys, c, &W.node[of]->who, &body, ch, NULL), 0);
    fx_commit(c->fx, ch);
    struct record draft = {.kind = RECORD_PREKEY,
                           .author = W.node[of]->who,
                           .topic = record_topic_people(topic, &W.node[of]->who),
                           .created = W.now.unix_ms,
                           .expires = W.now.unix_ms + INT64_C(60) * 86400000,
                           .body = buf_view(&body)};
    assert_int_equal(record_prepare(&draft, &W.network, &bits, NULL), 0);
    assert_true(work_search(&draft.id, 0, 1 << 20, bits, &draft.work));
    assert_int_equal(keys_sign(c->keys, c, &W.node[of]->who, USE_DUTY, &draft.id, &draft.sig, NULL), 0);
    assert_int_equal(record_write(&bytes, &draft, &W.network, NULL), 0);
    for (int i = 0; i < W.n; i++)
        put_record_bytes(i, buf_view(&bytes));
    world_effects(of);
    world_settle();
    buf_free(&body);
    buf_free(&bytes);
}

static inline void world_begin(int nodes, unsigned work_bits)
{
    assert_true(sodium_init() >= 0);
    memset(&W, 0, sizeof W);
    W.now = (struct clock){1000, WORLD_START};
    W.next_accepted = 2;
    assert_int_equal(network_make(&W.network, "letters", work_bits, 0, true), 0);
    for (int i = 0; i < nodes; i++)
        world_node();
    for (int i = 0; i < nodes; i++)
        world_prekeys(i);
}

static inline void world_end(void)
{
    for (int i = 0; i < W.n; i++) {
        rooms_free(W.node[i]);
        effects_free(&W.node[i]->fx);
        bench_free(W.node[i]->store);
        free(W.node[i]);
    }
    for (size_t p = 0; p < W.pieces_n; p++)
        buf_free(&W.pieces[p].bytes);
    free(W.pieces);
}

/* A node stops: its sessions break, what it had in memory is gone. */
static inline void world_away(int i)
{
    W.node[i]->away = true;
    for (int w = 0; w < WORLD_WIRES; w++)
        for (int s = 0; s < 2 && W.wire[w].open; s++)
            if (W.wire[w].end[s] == i)
                piece_add(w, W.wire[w].end[1 - s], PIECE_CLOSE, span(NULL, 0));
    world_settle();
    rooms_free(W.node[i]);
    rooms_new(W.node[i], i);
}

/* ... and starts again from its disk. */
static inline void world_back(int i, bool unlocked)
{
    struct tnode *t = W.node[i];
    t->away = false;
    struct core *c = world_core(i);
    keys_boot(c->keys, c);
    outbox_boot(c->outbox, c);
    if (unlocked) {
        assert_int_equal(keys_unlock(c->keys, c, &t->who, span_str("pass"), 0, NULL), 0);
        outbox_unlocked(c->outbox, c, &t->who);
    }
    world_effects(i);
    world_settle();
}

static inline void world_connect(int a, int b)
{
    struct core *c = world_core(a);
    assert_int_equal(net_connect(c->net, c, keys_node(W.node[b]->core.keys), &W.node[b]->addr), 0);
    world_effects(a);
    world_settle();
}

/* `a` learns where b's person lives. */
static inline void world_route(int a, int b)
{
    struct core *c = world_core(a);
    outbox_route(c->outbox, c, &W.node[b]->who, keys_node(W.node[b]->core.keys), &W.node[b]->addr);
    world_effects(a);
    world_settle();
}

static inline struct id world_send(int a, int b, enum letter_kind kind, const char *text)
{
    struct core *c = world_core(a);
    struct id thread, letter;
    struct report r = {0};
    outbox_thread(&thread, &W.network, &W.node[a]->who, &W.node[b]->who, NULL);
    struct change *ch = change_new(ROOM_API, 0, 0);
    int err = outbox_send(c->outbox, c, &W.node[a]->who, &W.node[b]->who, &thread, kind, span_str(text), ch,
                          &letter, &r);
    if (err)
        fail_msg("outbox_send: %s", r.text);
    fx_commit(c->fx, ch);
    world_effects(a);
    world_settle();
    return letter;
}

static inline enum letter_state world_state(int a, const struct id *letter)
{
    return outbox_state(world_core(a), letter);
}
#endif
