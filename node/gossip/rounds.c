/* rounds.c: reconciliation: one topic after another with one peer, then again after a pause. */
#include "gossip.gen.h"
#include "node/gossip/engine.h"
#include "node/net/net.h"
#include <stdlib.h>

enum { RANDOM_EVERY = 8 }; /* one round in so many starts from random cuts */

void rounds_end(struct gpeer *p)
{
    if (p->neg) {
        neg_free(p->neg);
        free(p->neg);
    }
    p->neg = NULL;
    p->topic = NULL;
    free(p->need);
    p->need = NULL;
    p->need_n = p->need_at = 0;
}

static int send_round(struct core *c, struct gpeer *p, struct span topic, uint32_t round, bool answer,
                      struct span message)
{
    struct buf b = {0};
    struct gossip_reconcile m = {.topic = topic, .round = round, .answer = answer, .message = message};
    gossip_reconcile_encode(&b, &m);
    int err = net_send(c->net, c, &p->key, CHANNEL_GOSSIP, GOSSIP_RECONCILE, buf_view(&b));
    buf_free(&b);
    return err;
}

/* Begins with the next topic that both carry; when all are done, waits for the next round. */
static void begin_next(struct gossip *g, struct core *c, struct gpeer *p)
{
    rounds_end(p);
    while (p->topic_at < g->topics_n) {
        struct topic *t = g->topic_list[p->topic_at++];
        if (!t->carried || !gpeer_carries(p, span_str(t->name)))
            continue;
        struct buf first = {0};
        struct neg_set view = negset_view(t->set);
        p->neg = xcalloc(1, sizeof *p->neg);
        p->topic = t;
        p->round = ++g->round;
        p->round_since_ms = c->now.mono_ms;
        neg_init(p->neg, &view, GOSSIP_FRAME_BYTES);
        p->neg->since = t->since;
        if (p->rounds_done % RANDOM_EVERY == RANDOM_EVERY - 1)
            neg_initiate_random(p->neg, &first, g->rng);
        else
            neg_initiate(p->neg, &first);
        int err = send_round(c, p, span_str(t->name), p->round, false, buf_view(&first));
        buf_free(&first);
        g->stats.rounds++;
        if (!err)
            return;
        rounds_end(p); /* no room in its queue: this topic waits for the next round */
    }
    p->topic_at = SIZE_MAX;
    p->rounds_done++;
    /* Spread, so that peers do not all come at once. */
    p->next_round_ms = c->now.mono_ms + g->reconcile_ms / 2 + rng_below(g->rng, g->reconcile_ms + 1);
}

uint64_t rounds_next(const struct gpeer *p)
{
    if (p->neg)
        return p->round_since_ms + GOSSIP_ROUND_TIMEOUT_MS;
    return p->heard ? p->next_round_ms : UINT64_MAX;
}

void rounds_wake(struct gossip *g, struct core *c, struct gpeer *p)
{
    if (rounds_next(p) > c->now.mono_ms)
        return;
    if (p->neg) {
        begin_next(g, c, p); /* it did not answer in time: on to the next topic */
        return;
    }
    p->topic_at = 0;
    begin_next(g, c, p);
}

static void offer(struct core *c, struct gpeer *p, const struct id *ids, size_t n)
{
    for (size_t at = 0; at < n; at += 256) {
        struct buf b = {0};
        struct gossip_have m = {.ids = ids + at, .ids_n = n - at < 256 ? n - at : 256};
        gossip_have_encode(&b, &m);
        int err = net_send(c->net, c, &p->key, CHANNEL_GOSSIP, GOSSIP_HAVE, buf_view(&b));
        buf_free(&b);
        if (err)
            return; /* the next round offers the rest */
    }
}

/* Asks for what was learnt, as far as the peer's budget goes.  The rest is offered again next round. */
static void fetch(struct gossip *g, struct core *c, struct gpeer *p, const struct id *ids, size_t n)
{
    struct id batch[GOSSIP_WANT_AT_ONCE];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (!view_known(c->view, &ids[i]))
            batch[k++] = ids[i];
        if (k == GOSSIP_WANT_AT_ONCE || (i + 1 == n && k)) {
            if (push_want(g, c, p, batch, k))
                return;
            k = 0;
        }
    }
}

static int on_answer(struct gossip *g, struct core *c, struct gpeer *p, const struct gossip_reconcile *m)
{
    if (!p->neg || m->round != p->round || !span_eq(m->topic, span_str(p->topic->name)))
        return 0; /* of a round that was given up */
    struct buf out = {0};
    p->neg->set = negset_view(p->topic->set); /* it may have changed meanwhile */
    p->neg->since = p->topic->since;
    int err = neg_reconcile(p->neg, m->message, &out);
    if (!err) {
        g->stats.offered_last = p->neg->need_n + p->neg->have_n;
        fetch(g, c, p, p->neg->need, p->neg->need_n);
        offer(c, p, p->neg->have, p->neg->have_n);
        if (out.n > 1 && send_round(c, p, m->topic, p->round, false, buf_view(&out)) == 0)
            p->round_since_ms = c->now.mono_ms;
        else
            begin_next(g, c, p);
    } else {
        rounds_end(p);
        p->next_round_ms = c->now.mono_ms + g->reconcile_ms; /* not at once with one that errs */
    }
    buf_free(&out);
    return err;
}

int rounds_message(struct gossip *g, struct core *c, struct gpeer *p, struct span body)
{
    struct arena a;
    struct gossip_reconcile m;
    arena_init(&a, 4096);
    int err = gossip_reconcile_decode(&m, body, &a, NULL);
    arena_free(&a);
    if (err)
        return err;
    if (m.answer)
        return on_answer(g, c, p, &m);
    /* The responder keeps no state between messages.  Each costs the peer some of its budget. */
    if (!gossip_carries(g, m.topic) || !intake_budget(g, c, p, 1))
        return 0;
    /* A topic that nothing is known of is not made for the asking: names cost nothing. */
    struct topic *t = gossip_topic(g, m.topic, false);
    struct negset *none = t ? NULL : negset_new();
    struct neg side;
    struct buf out = {0};
    struct neg_set view = negset_view(t ? t->set : none);
    neg_init(&side, &view, GOSSIP_FRAME_BYTES);
    if (t)
        side.since = t->since;
    err = neg_reconcile(&side, m.message, &out);
    if (!err)
        (void)send_round(c, p, m.topic, (uint32_t)m.round, true, buf_view(&out));
    neg_free(&side);
    negset_free(none);
    buf_free(&out);
    return err;
}
