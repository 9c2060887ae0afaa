/* blobs.c: photos in verified chunks from whoever has them: the owner's node first, then any session. */
#include "crypto/blobtree.h"
#include "crypto/wire/pack.h"
#include "gossip.gen.h"
#include "node/gossip/engine.h"
#include "node/net/net.h"
#include <stdlib.h>

enum {
    WANTS_MOST = 256,
    ASK_AT_ONCE = 4, /* chunks asked of one peer at a time */
    ASK_MS = 5000,   /* then another peer is asked */
    GIVE_UP_MS = 600000,
    PHOTO_BYTES_MOST = 2 << 20,
    TRIED_MOST = 64,
};

struct want {
    struct id root;
    uint64_t bytes; /* 0: not known yet */
    uint32_t chunks, held;
    uint64_t have[BLOB_CHUNKS_MOST / 64];
    struct node_key owner, asked, tried[TRIED_MOST];
    size_t tried_n;
    bool has_owner, asking;
    uint64_t since_ms, asked_ms;
    struct buf last; /* the message with the chunk that makes it whole, until all others are on disk */
};

static void want_end(struct gossip *g, struct want *w)
{
    map_del(&g->wants, &w->root);
    buf_free(&w->last);
    free(w);
}

static bool has_chunk(const struct want *w, uint32_t i)
{
    return w->have[i / 64] >> (i % 64) & 1;
}

void blobs_free(struct gossip *g)
{
    size_t at = 0;
    void *v;
    while (map_next(&g->wants, &at, NULL, &v)) {
        struct want *w = v;
        buf_free(&w->last);
        free(w);
    }
}

int gossip_blob_put(struct gossip *g, struct core *c, struct span bytes, struct change *into,
                    struct id *root, struct report *r)
{
    struct blobtree *t = xcalloc(1, sizeof *t);
    struct buf info = {0};
    (void)c;
    if (bytes.n > PHOTO_BYTES_MOST || blobtree_build(t, &g->network, bytes)) {
        free(t);
        return report_set(
            r, SOUK_ERANGE,
            "a picture may have 1 byte to 2 MiB; this one has %zu bytes: make it smaller first", bytes.n);
    }
    blobtree_root(t, root);
    pack_uint(&info, bytes.n);
    for (uint32_t i = 0; i < t->chunks; i++) {
        struct id proof[BLOB_PROOF_MOST];
        size_t n = 0;
        MUST(blobtree_proof(t, i, proof, &n) == 0);
        struct op op = {.kind = OP_CHUNK};
        op.chunk.root = *root;
        op.chunk.index = i;
        op.chunk.bytes = span(bytes.p + (size_t)i * BLOB_CHUNK_BYTES, blobtree_chunk_bytes(bytes.n, i));
        op.chunk.proof = span(proof, n * sizeof *proof);
        op.chunk.info = buf_view(&info);
        op.chunk.own = true;
        op.chunk.now = c->now.unix_ms;
        change_chunk(into, &op)->lone = true; /* the same picture twice is no fault */
    }
    buf_free(&info);
    free(t);
    return 0;
}

/* ---- asking ---- */
static bool was_tried(const struct want *w, const struct node_key *peer)
{
    for (size_t i = 0; i < w->tried_n; i++)
        if (node_key_eq(&w->tried[i], peer))
            return true;
    return false;
}

static bool pick(struct gossip *g, struct core *c, struct want *w, struct node_key *out)
{
    if (w->has_owner && net_up(c->net, &w->owner) && !was_tried(w, &w->owner)) {
        *out = w->owner;
        return true;
    }
    size_t at = 0, n = 0;
    const void *key;
    while (map_next(&g->peers, &at, &key, NULL)) { /* one of all, each as likely */
        struct node_key peer;
        memcpy(&peer, key, sizeof peer);
        if (!was_tried(w, &peer) && rng_below(g->rng, ++n) == 0)
            *out = peer;
    }
    return n > 0;
}

static void ask(struct gossip *g, struct core *c, struct want *w)
{
    struct node_key peer;
    if (!pick(g, c, w, &peer)) {
        w->tried_n = 0; /* all were asked: from the start, after a pause */
        w->asking = false;
        w->asked_ms = c->now.mono_ms;
        return;
    }
    uint32_t first = 0;
    while (first < w->chunks && has_chunk(w, first))
        first++;
    w->asked_ms = c->now.mono_ms;
    if (w->chunks && first == w->chunks)
        return; /* all are here, and on their way to the disk */
    struct buf b = {0};
    struct gossip_blob_ask m = {.root = w->root, .first = first, .count = ASK_AT_ONCE};
    gossip_blob_ask_encode(&b, &m);
    if (net_send(c->net, c, &peer, CHANNEL_BLOB, GOSSIP_BLOB_ASK, buf_view(&b)) == 0)
        w->asked = peer;
    w->asking = true;
    w->asked_ms = c->now.mono_ms;
    buf_free(&b);
}

static void set_bytes(struct want *w, uint64_t bytes)
{
    w->bytes = bytes;
    w->chunks = blobtree_chunks(bytes);
}

int gossip_blob_want(struct gossip *g, struct core *c, const struct id *root, uint64_t bytes,
                     const struct node_key *owner)
{
    struct span info;
    uint32_t held = 0;
    if (map_get(&g->wants, root))
        return 0;
    if (view_blob(c->view, root, &info, &held) && held && held == blobtree_chunks(bytes))
        return 0;
    if (g->wants.n >= WANTS_MOST)
        return SOUK_EBUSY;
    struct want *w = xcalloc(1, sizeof *w);
    w->root = *root;
    w->since_ms = c->now.mono_ms;
    if (bytes && bytes <= PHOTO_BYTES_MOST)
        set_bytes(w, bytes);
    if (owner) {
        w->owner = *owner;
        w->has_owner = true;
    }
    for (uint32_t i = 0; i < w->chunks; i++) {
        struct span chunk, proof;
        if (view_chunk(c->view, root, i, &chunk, &proof)) {
            w->have[i / 64] |= UINT64_C(1) << (i % 64);
            w->held++;
        }
    }
    map_put(&g->wants, root, w);
    ask(g, c, w);
    return 0;
}

/* ---- serving ---- */
static int on_ask(struct core *c, const struct node_key *peer, struct span body)
{
    struct gossip_blob_ask m;
    struct span info;
    uint32_t held;
    int err = gossip_blob_ask_decode(&m, body, NULL, NULL);
    if (err)
        return err;
    struct buf b = {0};
    struct cursor in;
    uint64_t sent = 0;
    if (view_blob(c->view, &m.root, &info, &held)) {
        cursor_init(&in, info);
        uint64_t total = cursor_uint(&in, 1, PHOTO_BYTES_MOST);
        for (uint32_t i = (uint32_t)m.first; total && i < m.first + m.count; i++) {
            struct gossip_blob_chunk out = {.root = m.root, .index = i, .total = total};
            struct span proof;
            if (!view_chunk(c->view, &m.root, i, &out.bytes, &proof))
                continue;
            out.proof_n = proof.n / sizeof(struct id);
            struct id copy[BLOB_PROOF_MOST];
            MUST(out.proof_n <= BLOB_PROOF_MOST);
            memcpy(copy, proof.p, proof.n);
            out.proof = copy;
            buf_clear(&b);
            gossip_blob_chunk_encode(&b, &out);
            if (net_send(c->net, c, peer, CHANNEL_BLOB, GOSSIP_BLOB_CHUNK, buf_view(&b)))
                break; /* its queue is full: it asks again */
            sent++;
        }
    }
    if (!sent) {
        buf_clear(&b);
        gossip_blob_none_encode(&b, &(struct gossip_blob_none){.root = m.root});
        (void)net_send(c->net, c, peer, CHANNEL_BLOB, GOSSIP_BLOB_NONE, buf_view(&b));
    }
    buf_free(&b);
    return 0;
}

/* ---- receiving ---- */
static void chunk_commit(struct core *c, const struct gossip_blob_chunk *m)
{
    struct buf info = {0};
    struct change *ch = change_new(ROOM_GOSSIP, CHANGE_CHUNK, 0);
    struct op op = {.kind = OP_CHUNK};
    pack_uint(&info, m->total);
    op.chunk.root = m->root;
    op.chunk.index = (uint32_t)m->index;
    op.chunk.bytes = m->bytes;
    op.chunk.proof = span(m->proof, m->proof_n * sizeof(struct id));
    op.chunk.info = buf_view(&info);
    op.chunk.now = c->now.unix_ms;
    ch->bulk = true;
    change_chunk(ch, &op);
    fx_commit(c->fx, ch);
    buf_free(&info);
}

/* All other chunks are on disk.  It is judged before this one is, so that no blob that may not stay is ever
 * whole here, whenever the power goes. */
static void last_chunk(struct gossip *g, struct core *c, struct want *w, const struct gossip_blob_chunk *m)
{
    struct buf whole = {0};
    struct report r = {0};
    for (uint32_t i = 0; i < w->chunks; i++) {
        struct span chunk = m->bytes, proof;
        if (i != m->index && !view_chunk(c->view, &w->root, i, &chunk, &proof))
            break;
        buf_span(&whole, chunk);
    }
    if (whole.n != w->bytes) { /* some went meanwhile: whoever wants it asks again */
        want_end(g, w);
    } else if (g->judge && g->judge(buf_view(&whole), &r)) {
        struct change *ch = change_new(ROOM_GOSSIP, CHANGE_REFUSED, 0);
        change_blob_drop(ch, &w->root);
        fx_commit(c->fx, ch);
        log_line(LOG_INFO, "gossip", "a picture was not kept: %s", r.text);
        want_end(g, w);
    } else
        chunk_commit(c, m);
    buf_free(&whole);
}

static uint32_t missing(const struct want *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->chunks; i++)
        n += !has_chunk(w, i);
    return n;
}

static void chunk_came(struct gossip *g, struct core *c, struct want *w, const struct gossip_blob_chunk *m,
                       struct span body)
{
    if (!w->bytes)
        set_bytes(w, m->total);
    w->have[m->index / 64] |= UINT64_C(1) << (m->index % 64);
    w->asked_ms = c->now.mono_ms; /* it is being of use */
    if (missing(w))
        chunk_commit(c, m);
    else if (w->held + 1 < w->chunks)
        buf_span(&w->last, body);
    else
        last_chunk(g, c, w, m);
}

static int on_chunk(struct gossip *g, struct core *c, const struct node_key *peer, struct span body)
{
    struct gossip_blob_chunk m;
    struct arena a;
    arena_init(&a, 4096);
    int err = gossip_blob_chunk_decode(&m, body, &a, NULL);
    struct want *w = err ? NULL : map_get(&g->wants, &m.root);
    if (!w || (w->bytes && w->bytes != m.total) || m.index >= blobtree_chunks(m.total) ||
        has_chunk(w, (uint32_t)m.index)) {
        arena_free(&a);
        return err;
    }
    struct span proof = span(m.proof, m.proof_n * sizeof(struct id));
    err = blobtree_check(&g->network, &m.root, m.total, (uint32_t)m.index, m.bytes, proof);
    if (!err)
        chunk_came(g, c, w, &m, body);
    else
        w->asking = false;
    (void)peer;
    arena_free(&a);
    return err == SOUK_ESIGNATURE || err == SOUK_EFORM ? SOUK_EFORM : 0;
}

void gossip_blobs_judged_by(struct gossip *g, gossip_blob_judge *judge)
{
    g->judge = judge;
}

static void last_now(struct gossip *g, struct core *c, struct want *w)
{
    struct gossip_blob_chunk m;
    struct arena a;
    struct buf body = w->last;
    w->last = (struct buf){0};
    arena_init(&a, 4096);
    MUST(gossip_blob_chunk_decode(&m, buf_view(&body), &a, NULL) == 0); /* it was when it came */
    last_chunk(g, c, w, &m);
    arena_free(&a);
    buf_free(&body);
}

void blobs_committed(struct gossip *g, struct core *c, struct change *change)
{
    struct want *w = change->ops_n ? map_get(&g->wants, &change->ops[0].chunk.root) : NULL;
    if (!w)
        return;
    if (change->err || ++w->held >= w->chunks) /* the disk is full: nothing is held; or it is whole */
        want_end(g, w);
    else if (w->last.n && w->held + 1 == w->chunks)
        last_now(g, c, w);
    else if (w->held % ASK_AT_ONCE == 0)
        ask(g, c, w);
}

int blobs_message(struct gossip *g, struct core *c, const struct node_key *peer, unsigned number,
                  struct span body)
{
    if (number == GOSSIP_BLOB_ASK)
        return on_ask(c, peer, body);
    if (number == GOSSIP_BLOB_CHUNK)
        return on_chunk(g, c, peer, body);
    if (number == GOSSIP_BLOB_NONE) {
        struct gossip_blob_none m;
        int err = gossip_blob_none_decode(&m, body, NULL, NULL);
        struct want *w = err ? NULL : map_get(&g->wants, &m.root);
        if (w && w->asking && node_key_eq(&w->asked, peer)) {
            if (w->tried_n < TRIED_MOST)
                w->tried[w->tried_n++] = *peer;
            ask(g, c, w);
        }
        return err;
    }
    return 0;
}

void blobs_session_up(struct gossip *g, struct core *c, const struct node_key *peer)
{
    size_t at = 0;
    void *v;
    (void)peer;
    while (map_next(&g->wants, &at, NULL, &v)) {
        struct want *w = v;
        if (!w->asking)
            ask(g, c, w);
    }
}

void blobs_session_down(struct gossip *g, struct core *c, const struct node_key *peer)
{
    size_t at = 0;
    void *v;
    while (map_next(&g->wants, &at, NULL, &v)) {
        struct want *w = v;
        if (w->asking && node_key_eq(&w->asked, peer))
            ask(g, c, w);
    }
}

void blobs_wake(struct gossip *g, struct core *c)
{
    size_t at = 0;
    void *v;
    while (map_next(&g->wants, &at, NULL, &v)) {
        struct want *w = v;
        if (c->now.mono_ms - w->since_ms >= GIVE_UP_MS) {
            want_end(g, w);
        } else if (c->now.mono_ms - w->asked_ms >= ASK_MS) {
            if (w->asking && w->tried_n < TRIED_MOST)
                w->tried[w->tried_n++] = w->asked;
            ask(g, c, w);
        }
    }
}

uint64_t blobs_next_wake(const struct gossip *g)
{
    uint64_t next = UINT64_MAX;
    size_t at = 0;
    void *v;
    while (map_next(&g->wants, &at, NULL, &v)) {
        const struct want *w = v;
        if (w->asked_ms + ASK_MS < next)
            next = w->asked_ms + ASK_MS;
    }
    return next;
}
