/* writer.c: see writer.h. */
#include "store/writer.h"
#include <stdlib.h>

void writer_init(struct writer_queue *q)
{
    *q = (struct writer_queue){0};
    q->batch = xmalloc((WRITER_INTERACTIVE_MAX + WRITER_BULK_BATCH) * sizeof *q->batch);
}

static struct change *ring_take(struct writer_ring *r)
{
    struct change *c = r->v[r->at];
    r->at = (r->at + 1) % r->cap;
    r->n--;
    return c;
}

static void ring_put(struct writer_ring *r, struct change *c)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 64;
        struct change **v = xmalloc(cap * sizeof *v);
        for (size_t i = 0; i < r->n; i++)
            v[i] = r->v[(r->at + i) % r->cap];
        free(r->v);
        *r = (struct writer_ring){.v = v, .n = r->n, .cap = cap};
    }
    r->v[(r->at + r->n++) % r->cap] = c;
}

static void ring_free(struct writer_ring *r)
{
    while (r->n)
        change_free(ring_take(r));
    free(r->v);
    *r = (struct writer_ring){0};
}

void writer_free(struct writer_queue *q)
{
    ring_free(&q->interactive);
    ring_free(&q->bulk);
    free(q->batch);
    q->batch = NULL;
}

bool writer_push(struct writer_queue *q, struct change *c, uint64_t now_ms)
{
    struct writer_ring *r = c->bulk ? &q->bulk : &q->interactive;
    if (r->n >= WRITER_QUEUE_MAX) {
        q->refused++;
        return false;
    }
    if (c->bulk && r->n == 0)
        q->bulk_since_ms = now_ms;
    if (!c->bulk) {
        q->lively = true;
        q->lively_until_ms = now_ms + WRITER_LIVELY_MS;
    } else if (now_ms >= q->lively_until_ms) {
        q->lively = false;
    }
    ring_put(r, c);
    q->pushed++;
    if (writer_waiting(q) > q->most_waiting)
        q->most_waiting = writer_waiting(q);
    return true;
}

size_t writer_waiting(const struct writer_queue *q)
{
    return q->interactive.n + q->bulk.n;
}

static size_t bulk_most(const struct writer_queue *q)
{
    return q->lively ? WRITER_BULK_LIVELY : WRITER_BULK_BATCH;
}

uint64_t writer_next_ms(const struct writer_queue *q)
{
    if (q->interactive.n || q->bulk.n >= bulk_most(q) || (q->hurry && q->bulk.n))
        return 0;
    if (!q->bulk.n)
        return UINT64_MAX;
    return q->bulk_since_ms + WRITER_BULK_WAIT_MS;
}

bool writer_take(struct writer_queue *q, uint64_t now_ms, struct change ***out, size_t *n)
{
    if (writer_next_ms(q) > now_ms)
        return false;
    if (now_ms >= q->lively_until_ms)
        q->lively = false;
    size_t most_bulk = q->interactive.n ? WRITER_BULK_BESIDE : bulk_most(q);
    *n = 0;
    *out = q->batch;
    while (q->interactive.n && *n < WRITER_INTERACTIVE_MAX)
        q->batch[(*n)++] = ring_take(&q->interactive);
    for (size_t i = 0; i < most_bulk && q->bulk.n; i++)
        q->batch[(*n)++] = ring_take(&q->bulk);
    /* What is left began to wait no earlier than what was taken: its time is counted from now. */
    q->bulk_since_ms = now_ms;
    q->batches++;
    return true;
}

void writer_hurry(struct writer_queue *q)
{
    q->hurry = true;
}
