/* push.c: what is new goes out: whole to a few peers, as an id to some more.
 *
 * Peers are drawn anew for each record among all sessions that carry its topic.  (A standing mesh with
 * grafts and prunes, as in gossipsub, saves state at thousands of peers; a node has at most 64 sessions,
 * and a fresh draw leaves nothing to attack.)  One's own records travel a random stem first: to one peer,
 * that passes them to one peer, and at each hop with one chance in four they are told openly. */
#include "gossip.gen.h"
#include "node/gossip/engine.h"
#include "node/net/net.h"
#include <stdlib.h>

static void enqueue(struct core *c, struct gpeer *p, const struct id *id, bool whole, bool stem)
{
    if (p->queue_n == GOSSIP_QUEUE_IDS)
        return;
    p->queue[p->queue_n++] = (struct queued){*id, whole, stem};
    if (!p->flush_ms)
        p->flush_ms = c->now.mono_ms + GOSSIP_FLUSH_MS;
}

/* The sessions that carry the topic, but for where it came from, in random order. */
static size_t draw(struct gossip *g, struct span topic, const struct node_key *from,
                   struct gpeer *out[GOSSIP_PEERS_MOST])
{
    size_t n = 0, at = 0;
    void *v;
    while (n < GOSSIP_PEERS_MOST && map_next(&g->peers, &at, NULL, &v)) {
        struct gpeer *p = v;
        if (gpeer_carries(p, topic) && !(from && node_key_eq(&p->key, from)))
            out[n++] = p;
    }
    for (size_t i = n; i > 1; i--) {
        size_t k = rng_below(g->rng, i);
        struct gpeer *swap = out[i - 1];
        out[i - 1] = out[k];
        out[k] = swap;
    }
    return n;
}

void push_record(struct gossip *g, struct core *c, const struct record *rec, const struct node_key *from,
                 bool stem, bool own)
{
    struct gpeer *to[GOSSIP_PEERS_MOST];
    if (c->now.unix_ms - rec->created > GOSSIP_PUSH_AGE_MS)
        return;
    size_t n = draw(g, rec->topic, from, to);
    bool on_stem = n > 1 && (own || (stem && rng_below(g->rng, 4) != 0));
    if (on_stem) {
        enqueue(c, to[0], &rec->id, true, true);
        return;
    }
    for (size_t i = 0; i < n && i < GOSSIP_WHOLE + GOSSIP_IDS; i++)
        enqueue(c, to[i], &rec->id, i < GOSSIP_WHOLE, false);
}

static void send_push(struct gossip *g, struct core *c, struct gpeer *p, struct span *records, size_t n,
                      bool stem)
{
    struct buf b = {0};
    struct gossip_push m = {.records = records, .records_n = n, .has_stem = stem, .stem = stem};
    if (!n)
        return;
    gossip_push_encode(&b, &m);
    if (net_send(c->net, c, &p->key, CHANNEL_GOSSIP, GOSSIP_PUSH, buf_view(&b)) == 0)
        g->stats.pushes_out += n;
    buf_free(&b);
}

static void flush_whole(struct gossip *g, struct core *c, struct gpeer *p, bool stem)
{
    struct span records[16];
    size_t n = 0, bytes = 0;
    for (size_t i = 0; i < p->queue_n; i++) {
        /* What was superseded meanwhile waits to be asked for: its successor is on its way. */
        struct record_row row;
        if (!p->queue[i].whole || p->queue[i].stem != stem || !view_record(c->view, &p->queue[i].id, &row))
            continue;
        if (n == 16 || bytes + row.bytes.n > GOSSIP_MESSAGE_BYTES) {
            send_push(g, c, p, records, n, stem);
            n = bytes = 0;
        }
        records[n++] = row.bytes;
        bytes += row.bytes.n + 8;
    }
    send_push(g, c, p, records, n, stem);
}

static void flush_ids(struct core *c, struct gpeer *p)
{
    struct id ids[256];
    size_t n = 0;
    for (size_t i = 0; i < p->queue_n && n < 256; i++)
        if (!p->queue[i].whole)
            ids[n++] = p->queue[i].id;
    if (!n)
        return;
    struct buf b = {0};
    struct gossip_have m = {.ids = ids, .ids_n = n};
    gossip_have_encode(&b, &m);
    (void)net_send(c->net, c, &p->key, CHANNEL_GOSSIP, GOSSIP_HAVE,
                   buf_view(&b)); /* else by reconciliation */
    buf_free(&b);
}

void push_flush(struct gossip *g, struct core *c, struct gpeer *p)
{
    flush_whole(g, c, p, false);
    flush_whole(g, c, p, true);
    flush_ids(c, p);
    p->queue_n = 0;
    p->flush_ms = 0;
}

int push_want(struct gossip *g, struct core *c, struct gpeer *p, const struct id *ids, size_t n)
{
    struct buf b = {0};
    struct gossip_want m = {.ids = ids, .ids_n = n};
    if (!n)
        return 0;
    if (!intake_budget(g, c, p, (double)n))
        return SOUK_EQUOTA;
    gossip_want_encode(&b, &m);
    int err = net_send(c->net, c, &p->key, CHANNEL_GOSSIP, GOSSIP_WANT, buf_view(&b));
    if (!err)
        p->asked = p->asked > GOSSIP_BURST ? p->asked : p->asked + (uint32_t)n;
    buf_free(&b);
    return err;
}

static int on_records(struct gossip *g, struct core *c, struct gpeer *p, const struct span *records,
                      size_t n, bool stem)
{
    int worst = 0;
    for (size_t i = 0; i < n; i++) {
        int err = intake_record(g, c, p, records[i], stem, NULL);
        if (err == SOUK_EFORM || err == SOUK_EWORK)
            worst = err;
    }
    return worst;
}

static int on_push(struct gossip *g, struct core *c, struct gpeer *p, struct span body, struct arena *a)
{
    struct gossip_push m;
    int err = gossip_push_decode(&m, body, a, NULL);
    if (err)
        return err;
    g->stats.pushes_in += m.records_n;
    if (!intake_budget(g, c, p, (double)m.records_n))
        return 0; /* over its budget: it is not asked, and what it sends unasked is dropped */
    return on_records(g, c, p, m.records, m.records_n, m.has_stem && m.stem);
}

static int on_have(struct gossip *g, struct core *c, struct gpeer *p, struct span body, struct arena *a)
{
    struct gossip_have m;
    struct id want[256];
    size_t n = 0;
    int err = gossip_have_decode(&m, body, a, NULL);
    if (err)
        return err;
    for (size_t i = 0; i < m.ids_n; i++)
        if (!view_known(c->view, &m.ids[i]))
            want[n++] = m.ids[i];
    (void)push_want(g, c, p, want, n);
    return 0;
}

static void send_records(struct core *c, struct gpeer *p, struct span *records, size_t n,
                         struct id *missing, size_t missing_n)
{
    struct buf b = {0};
    struct gossip_records m = {.records = records,
                               .records_n = n,
                               .has_missing = missing_n > 0,
                               .missing = missing,
                               .missing_n = missing_n};
    gossip_records_encode(&b, &m);
    (void)net_send(c->net, c, &p->key, CHANNEL_GOSSIP, GOSSIP_RECORDS, buf_view(&b));
    buf_free(&b);
}

static int on_want(struct core *c, struct gpeer *p, struct span body, struct arena *a)
{
    struct gossip_want m;
    struct span records[16];
    struct id missing[256];
    size_t n = 0, bytes = 0, missing_n = 0;
    int err = gossip_want_decode(&m, body, a, NULL);
    if (err)
        return err;
    for (size_t i = 0; i < m.ids_n; i++) {
        struct record_row row;
        if (!view_record_any(c->view, &m.ids[i], &row)) { /* superseded ones too: it has them offered */
            missing[missing_n++] = m.ids[i];
            continue;
        }
        if (n == 16 || bytes + row.bytes.n > GOSSIP_MESSAGE_BYTES) {
            send_records(c, p, records, n, NULL, 0);
            n = bytes = 0;
        }
        records[n++] = row.bytes;
        bytes += row.bytes.n + 8;
    }
    if (n && bytes + missing_n * (sizeof(struct id) + 2) > GOSSIP_MESSAGE_BYTES) { /* not in one frame */
        send_records(c, p, records, n, NULL, 0);
        n = 0;
    }
    if (n || missing_n)
        send_records(c, p, records, n, missing, missing_n);
    return 0;
}

static int on_answer(struct gossip *g, struct core *c, struct gpeer *p, struct span body, struct arena *a)
{
    struct gossip_records m;
    int err = gossip_records_decode(&m, body, a, NULL);
    if (err)
        return err;
    /* What was not asked for is on its budget, as a push is. */
    size_t more = m.records_n > p->asked ? m.records_n - p->asked : 0;
    if (more && !intake_budget(g, c, p, (double)more))
        return 0;
    size_t came = m.records_n + m.missing_n;
    p->asked -= came < p->asked ? (uint32_t)came : p->asked;
    return on_records(g, c, p, m.records, m.records_n, false);
}

static int on_topics(struct gpeer *p, struct span body, struct arena *a, struct rng *rng)
{
    struct gossip_topics m;
    int err = gossip_topics_decode(&m, body, a, NULL);
    if (err)
        return err;
    map_free(&p->topics);
    map_init(&p->topics, RECORD_TOPIC_MOST, rng);
    p->heard = true;
    p->all = m.all;
    for (size_t i = 0; i < m.topics_n; i++) {
        uint8_t key[RECORD_TOPIC_MOST] = {0};
        memcpy(key, m.topics[i].p, m.topics[i].n);
        map_put(&p->topics, key, p);
    }
    p->topic_at = 0;
    return 0;
}

struct subject_walk {
    struct core *c;
    struct gpeer *p;
    struct span records[16];
    size_t n, bytes;
};

static bool add_subject(void *arg, const struct id *id, const struct record_row *row)
{
    struct subject_walk *w = arg;
    (void)id;
    if (w->n == 16 || w->bytes + row->bytes.n > GOSSIP_MESSAGE_BYTES)
        return false;
    w->records[w->n++] = row->bytes;
    w->bytes += row->bytes.n + 8;
    return true;
}

static int on_ask_subject(struct core *c, struct gpeer *p, struct span body, struct arena *a)
{
    struct gossip_ask_subject m;
    int err = gossip_ask_subject_decode(&m, body, a, NULL);
    if (err)
        return err;
    struct subject_walk w = {.c = c, .p = p};
    view_subject(c->view, &m.subject, (uint8_t)m.kind, add_subject, &w);
    send_records(c, p, w.records, w.n, NULL, 0);
    return 0;
}

int push_message(struct gossip *g, struct core *c, struct gpeer *p, unsigned number, struct span body)
{
    struct arena a;
    int err = 0;
    arena_init(&a, 131072);
    switch (number) {
    case GOSSIP_TOPICS:
        err = on_topics(p, body, &a, g->rng);
        break;
    case GOSSIP_PUSH:
        err = on_push(g, c, p, body, &a);
        break;
    case GOSSIP_HAVE:
        err = on_have(g, c, p, body, &a);
        break;
    case GOSSIP_WANT:
        err = on_want(c, p, body, &a);
        break;
    case GOSSIP_RECORDS:
        err = on_answer(g, c, p, body, &a);
        break;
    case GOSSIP_ASK_SUBJECT:
        err = on_ask_subject(c, p, body, &a);
        break;
    default: /* a later version's */
        break;
    }
    arena_free(&a);
    return err;
}
