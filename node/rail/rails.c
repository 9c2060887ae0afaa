/* rails.c: hands out what comes to the parts of this room, and wakes them. */
#include "crypto/record.h"
#include "node/net/net.h"
#include "node/rail/engine.h"
#include <stdlib.h>

enum { TICK_MS = 1000, KICK_FIRST_MS = 2, KICK_LAST_MS = 300 };
/* Kicks come after 2, 6, 18, … ms: whatever was handed over for a commit is on disk at one of them. */
static const struct salt slot_zero;

struct rails *rails_new(const struct network *network, struct rng *rng, bool mock_rail)
{
    struct rails *r = xcalloc(1, sizeof *r);
    r->network = network;
    r->rng = rng;
    r->mock = mock_rail;
    r->tick_ms = TICK_MS;
    r->kick_at_ms = UINT64_MAX;
    r->head.size = UINT64_MAX;
    map_init(&r->costly, 32, rng);
    map_init(&r->reserved, 32, rng);
    map_init(&r->watches, 32, rng);
    map_init(&r->drawing, 32, rng);
    return r;
}

void rails_free(struct rails *r)
{
    size_t at = 0;
    void *v;
    if (!r)
        return;
    while (map_next(&r->watches, &at, NULL, &v))
        watch_free(v);
    for (size_t i = 0; i < RAIL_AUDITS_MOST; i++)
        audit_free(r->audits[i]);
    for (size_t i = 0; i < r->frauds_n; i++)
        buf_free(&r->frauds[i].body);
    map_free(&r->costly);
    map_free(&r->reserved);
    map_free(&r->watches);
    map_free(&r->drawing);
    buf_free(&r->loop);
    free(r);
}

void rails_tick(struct rails *r, uint64_t tick_ms)
{
    r->tick_ms = tick_ms ? tick_ms : TICK_MS;
}

/* ---- issuers ---- */
static bool newest(struct core *c, const struct identity *author, uint8_t kind, struct record *rec)
{
    struct id id;
    uint64_t revision;
    struct record_row row;
    return view_slot(c->view, author, kind, &slot_zero, &id, &revision) &&
           view_record(c->view, &id, &row) && record_parse(rec, row.bytes, c->network, NULL) == 0;
}

bool rails_issuer_of(struct core *c, const struct identity *issuer, struct node_key *node,
                     struct identity *key)
{
    struct record rec;
    struct record_issuer m;
    if (!newest(c, issuer, RECORD_ISSUER, &rec) || record_issuer_decode(&m, rec.body, NULL, NULL))
        return false;
    *node = m.node;
    *key = m.key;
    return true;
}

/* ---- saying ---- */
static void loop_run(struct rails *r, struct core *c)
{
    if (r->looping)
        return;
    r->looping = true;
    while (r->loop.n >= 8) {
        uint32_t number = be32_get(r->loop.p), n = be32_get(r->loop.p + 4);
        uint8_t *body = xmemdup(r->loop.p + 8, n);
        buf_drop(&r->loop, 8 + (size_t)n);
        rails_message(r, c, keys_node(c->keys), number, span(body, n));
        free(body);
    }
    r->looping = false;
}

int rails_say(struct rails *r, struct core *c, const struct node_key *to, unsigned number, struct span body)
{
    if (r->send)
        return r->send(r->send_arg, c, to, number, body);
    if (node_key_eq(to, keys_node(c->keys))) {
        uint8_t head[8];
        if (r->loop.n + body.n + 8 > RAIL_QUEUE_BYTES)
            return SOUK_EBUSY;
        be32_put(head, number);
        be32_put(head + 4, (uint32_t)body.n);
        buf_append(&r->loop, head, sizeof head);
        buf_span(&r->loop, body);
        r->kick_at_ms = c->now.mono_ms < r->kick_at_ms ? c->now.mono_ms : r->kick_at_ms;
        return 0;
    }
    return net_send(c->net, c, to, CHANNEL_LEDGER, number, body);
}

int rails_say_issuer(struct rails *r, struct core *c, const struct identity *issuer, unsigned number,
                     struct span body)
{
    struct node_key node;
    struct identity key;
    if (!rails_issuer_of(c, issuer, &node, &key))
        return SOUK_ENOT_FOUND;
    return rails_say(r, c, &node, number, body);
}

/* ---- heads ---- */
void rails_head_seen(struct rails *r, struct core *c, const struct identity *issuer,
                     const struct ledger_tree_head *head)
{
    struct node_key node;
    struct identity key;
    struct buf body = {0};
    bool known = false;
    for (size_t i = 0; i < r->heads_n; i++) {
        const struct seen_head *s = &r->heads[i];
        if (s->head.size != head->size || !identity_eq(&s->issuer, issuer))
            continue;
        known = true;
        if (!id_eq(&s->head.root, &head->root) && rails_issuer_of(c, issuer, &node, &key) &&
            r->frauds_n < RAIL_FRAUDS && fraud_make(&body, r->network, issuer, &key, &s->head, head)) {
            bool twice = false;
            for (size_t j = 0; j < r->frauds_n; j++)
                twice |= span_eq(buf_view(&r->frauds[j].body), buf_view(&body));
            if (twice)
                buf_free(&body);
            else
                r->frauds[r->frauds_n++] = (struct fraud){*issuer, body};
            body = (struct buf){0};
            log_line(LOG_ERROR, "rail", "an issuer signed two different heads of one size");
        }
    }
    if (known)
        return;
    r->heads[r->heads_at] = (struct seen_head){*issuer, *head};
    r->heads_at = (r->heads_at + 1) % RAIL_HEADS;
    r->heads_n = r->heads_n < RAIL_HEADS ? r->heads_n + 1 : RAIL_HEADS;
}

bool rails_fraud_due(struct rails *r, struct core *c, struct identity *accused, struct buf *body)
{
    (void)c;
    if (!r->frauds_n)
        return false;
    struct fraud *f = &r->frauds[--r->frauds_n];
    *accused = f->issuer;
    buf_span(body, buf_view(&f->body));
    buf_free(&f->body);
    return true;
}

bool rails_head_due(struct rails *r, struct core *c, struct identity *issuer, struct buf *body)
{
    struct ledger_tree_head h;
    if (!r->keeps || c->now.mono_ms < r->head_at_ms ||
        (r->published && view_ledger_size(c->view) <= r->published_size) || !issuer_head(r, c, &h))
        return false;
    struct record_head m = {.size = h.size, .root = h.root, .time = h.time, .sig = h.sig};
    record_head_encode(body, &m);
    *issuer = r->issuer;
    r->head_at_ms = c->now.mono_ms + r->tick_ms;
    return true;
}

void rails_record_stored(struct rails *r, struct core *c, const struct record *rec)
{
    struct record_head m;
    struct node_key node;
    struct identity key;
    if (rec->kind != RECORD_HEAD || record_head_decode(&m, rec->body, NULL, NULL))
        return;
    struct ledger_tree_head h = {m.size, m.root, m.time, m.sig};
    if (r->keeps && identity_eq(&rec->author, &r->issuer))
        issuer_own_head(r, c, h.size, &h.root);
    if (rails_issuer_of(c, &rec->author, &node, &key) && head_check(r->network, &rec->author, &key, &h))
        rails_head_seen(r, c, &rec->author, &h);
}

/* ---- the engine ---- */
void rails_boot(struct rails *r, struct core *c)
{
    struct record rec;
    issuer_boot(r, c);
    if (r->keeps && newest(c, &r->issuer, RECORD_HEAD, &rec))
        rails_record_stored(r, c, &rec);
    watch_boot(r, c);
    r->ready = true;
    r->tick_at_ms = c->now.mono_ms;
}

void rails_kick(struct rails *r, struct core *c)
{
    r->kick_wait_ms = KICK_FIRST_MS;
    r->kick_at_ms = c->now.mono_ms + r->kick_wait_ms;
}

/* What makes us verify and write for a peer is bounded a second; beyond it, they try again. */
static bool costly(struct rails *r, struct core *c, const struct node_key *peer)
{
    if (c->now.mono_ms - r->costly_since_ms >= 1000) {
        size_t at = 0;
        const void *key;
        void *v;
        while (map_next(&r->costly, &at, &key, &v))
            map_del(&r->costly, key);
        r->costly_since_ms = c->now.mono_ms;
    }
    uintptr_t n = (uintptr_t)map_get(&r->costly, peer) + 1;
    if (n > RAIL_COSTLY_A_SECOND)
        return false;
    map_put(&r->costly, peer, (void *)n); /* NOLINT: a count */
    return true;
}

#define DECODE(NAME)                                     \
    struct ledger_##NAME m;                              \
    int err = ledger_##NAME##_decode(&m, body, a, NULL); \
    if (err)                                             \
    return err

/* Questions to the ledger kept here; asked of another one they are not answered. */
static int to_issuer(struct rails *r, struct core *c, const struct node_key *peer, unsigned number,
                     struct span body, struct arena *a)
{
    switch (number) {
    case LEDGER_SUBMIT: {
        DECODE(submit);
        if (r->keeps && costly(r, c, peer))
            issuer_submit(r, c, peer, m.transfer);
        return 0;
    }
    case LEDGER_ASK_CONSISTENCY: {
        DECODE(ask_consistency);
        if (r->keeps && identity_eq(&m.issuer, &r->issuer))
            issuer_ask_consistency(r, c, peer, &m);
        return 0;
    }
    case LEDGER_ASK_LEAVES: {
        DECODE(ask_leaves);
        if (r->keeps && identity_eq(&m.issuer, &r->issuer))
            issuer_ask_leaves(r, c, peer, &m);
        return 0;
    }
    case LEDGER_ASK_NOTE: {
        DECODE(ask_note);
        if (r->keeps && identity_eq(&m.issuer, &r->issuer))
            issuer_ask_note(r, c, peer, &m, a);
        return 0;
    }
    case LEDGER_JOIN: {
        DECODE(join);
        if (r->keeps && identity_eq(&m.issuer, &r->issuer) && costly(r, c, peer))
            return member_join(r, c, peer, &m);
        return 0;
    }
    default:
        return 0;
    }
}

/* An answer counts only from the node that the issuer's record names. */
static bool from_issuer(struct core *c, const struct identity *issuer, const struct node_key *peer)
{
    struct node_key node;
    struct identity key;
    return rails_issuer_of(c, issuer, &node, &key) && node_key_eq(&node, peer);
}

static int to_client(struct rails *r, struct core *c, const struct node_key *peer, unsigned number,
                     struct span body, struct arena *a)
{
    switch (number) {
    case LEDGER_ENTERED: {
        DECODE(entered);
        if (from_issuer(c, &m.issuer, peer))
            wallet_entered(r, c, &m, a);
        return 0;
    }
    case LEDGER_REFUSED: {
        DECODE(refused);
        if (from_issuer(c, &m.issuer, peer))
            wallet_refused(r, c, &m, a);
        return 0;
    }
    case LEDGER_ASK_HEAD: {
        DECODE(ask_head);
        issuer_ask_head(r, c, peer, &m.issuer);
        return 0;
    }
    case LEDGER_HEAD: {
        DECODE(head);
        watch_head(r, c, peer, &m);
        audit_head(r, c, peer, &m);
        return 0;
    }
    case LEDGER_CONSISTENCY: {
        DECODE(consistency);
        watch_consistency(r, c, peer, &m);
        return 0;
    }
    case LEDGER_LEAVES: {
        DECODE(leaves);
        audit_leaves(r, c, peer, &m);
        return 0;
    }
    case LEDGER_NOTE_STATE: {
        DECODE(note_state);
        if (from_issuer(c, &m.issuer, peer))
            watch_note_state(r, c, &m, a);
        return 0;
    }
    case LEDGER_JOINED: {
        DECODE(joined);
        if (from_issuer(c, &m.issuer, peer))
            wallet_joined(r, c, &m);
        return 0;
    }
    default:
        return 0; /* a later version's */
    }
}

int rails_message(struct rails *r, struct core *c, const struct node_key *peer, unsigned number,
                  struct span body)
{
    struct arena a;
    arena_init(&a, RAIL_ARENA_BYTES);
    int err = number == LEDGER_SUBMIT || number == LEDGER_ASK_CONSISTENCY || number == LEDGER_ASK_LEAVES ||
                      number == LEDGER_ASK_NOTE || number == LEDGER_JOIN
                  ? to_issuer(r, c, peer, number, body, &a)
                  : to_client(r, c, peer, number, body, &a);
    arena_free(&a);
    loop_run(r, c);
    return err;
}

void rails_committed(struct rails *r, struct core *c, struct change *ch)
{
    switch ((enum rail_what)ch->what) {
    case WHAT_ENTER:
        issuer_entered(r, c, ch);
        break;
    case WHAT_JOIN:
        member_joined(r, c, ch);
        break;
    case WHAT_WATCH:
        if (!ch->err && c->hooks && c->hooks->rail_changed)
            c->hooks->rail_changed(c, ch->carry);
        break;
    case WHAT_WALLET:
        break;
    }
    loop_run(r, c);
}

void rails_wake(struct rails *r, struct core *c)
{
    bool tick = c->now.mono_ms >= r->tick_at_ms;
    if (!r->ready)
        return;
    if (tick) {
        r->tick_at_ms = c->now.mono_ms + r->tick_ms;
        audit_wake(r, c);
    }
    if (tick || c->now.mono_ms >= r->kick_at_ms) {
        if (r->kick_wait_ms < KICK_LAST_MS)
            r->kick_wait_ms = r->kick_wait_ms ? r->kick_wait_ms * 3 : KICK_FIRST_MS;
        r->kick_at_ms = r->kick_wait_ms < KICK_LAST_MS ? c->now.mono_ms + r->kick_wait_ms : UINT64_MAX;
        wallet_wake(r, c, tick);
    }
    watch_wake(r, c);
    loop_run(r, c);
}

uint64_t rails_next_wake(const struct rails *r)
{
    if (!r->ready)
        return UINT64_MAX;
    return r->kick_at_ms < r->tick_at_ms ? r->kick_at_ms : r->tick_at_ms;
}

static bool wanted_row(void *arg, struct span key, struct span value)
{
    struct identity *ids = arg;
    (void)value;
    for (size_t i = 0; key.n == 65 && i < 16; i++)
        if (is_zero(&ids[i], sizeof ids[i]) || memcmp(&ids[i], key.p + 33, 32) == 0) {
            memcpy(&ids[i], key.p + 33, 32);
            return true;
        }
    return false;
}

size_t rails_wanted(struct rails *r, struct core *c, struct node_key *out, size_t most)
{
    struct identity ids[32] = {{{0}}};
    size_t n = 0, got = 16;
    view_scan(c->view, TABLE_NOTE, span_str("j"), span(NULL, 0), wanted_row, ids);
    watch_wants(r, ids, &got, 32);
    for (size_t i = 0; i < got && n < most; i++) {
        struct node_key node;
        struct identity key;
        bool known = false;
        if (is_zero(&ids[i], sizeof ids[i]) || !rails_issuer_of(c, &ids[i], &node, &key) ||
            node_key_eq(&node, keys_node(c->keys)) || (c->net && net_up(c->net, &node)))
            continue;
        for (size_t j = 0; j < n; j++)
            known |= node_key_eq(&out[j], &node);
        if (!known)
            out[n++] = node;
    }
    return n;
}
