/* timeindex.c: the ids known in a topic by (created, id), in chunks of at most 100 with their sums, so that
 * reconciliation reads fingerprints instead of ids.
 *
 * A chunk's key is its first item.  What comes and goes is noted during a transaction and written at its
 * end in key order: each chunk is then read and written once.  A chunk that would grow past 100 is halved
 * (or, when the newcomer is its last, a new one begun: intake mostly comes in order of time); one that
 * falls to 25 joins the next while both fit into 75. */
#include "store/db.h"
#include <stdlib.h>

static uint64_t le64_get(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

void tix_sum_add(uint8_t sum[static 32], const uint8_t id[static 32])
{
    uint64_t carry = 0;
    for (int i = 0; i < 32; i += 8) {
        uint64_t a = le64_get(sum + i), b = le64_get(id + i);
        uint64_t x = a + carry, y = x + b;
        carry = (uint64_t)(x < a) + (uint64_t)(y < b);
        for (int j = 0; j < 8; j++)
            sum[i + j] = (uint8_t)(y >> (8 * j));
    }
}

/* A topic without ids goes once all that was noted of it is written, and not before. */
static void topic_write(struct tx *t, struct topic_cache *c, bool fresh)
{
    if (!c->used || (!c->delta && !fresh && !c->unused))
        return;
    uint8_t key[4], row[8 + TOPIC_MAX_BYTES];
    be32_put(key, c->number);
    struct span v;
    uint64_t ids = tx_get(t, DB_TOPICN, SPAN_OF(key), &v) && v.n >= 8 ? be64_get(v.p) : 0;
    ids += (uint64_t)c->delta;
    c->delta = 0;
    if (t->flushing && ids == 0 && !tx_get(t, DB_HORIZON, SPAN_OF(key), &v)) {
        tx_del(t, DB_TOPICN, SPAN_OF(key));
        tx_del(t, DB_TOPIC, span(c->name, c->name_n));
        c->used = false;
        return;
    }
    be64_put(row, ids);
    memcpy(row + 8, c->name, c->name_n);
    tx_put(t, DB_TOPICN, SPAN_OF(key), span(row, 8 + c->name_n));
}

static size_t topic_hash(struct span name)
{
    size_t h = 0;
    for (size_t i = 0; i < name.n; i++)
        h = h * 31 + name.p[i];
    return h % TOPIC_CACHE;
}

uint32_t topic_number(struct tx *t, struct span name)
{
    if (name.n > TOPIC_MAX_BYTES)
        name.n = TOPIC_MAX_BYTES;
    if (name.n == 0)
        name = span("-", 1); /* LMDB has no empty keys */
    struct topic_cache *c = &t->topics[topic_hash(name)];
    if (c->used && span_eq(span(c->name, c->name_n), name))
        return c->number;
    topic_write(t, c, false);
    struct span v;
    uint8_t number[4];
    bool fresh = false;
    if (tx_get(t, DB_TOPIC, name, &v) && v.n == 4) {
        memcpy(number, v.p, 4);
    } else {
        be32_put(number, (uint32_t)++t->count[COUNT_TOPIC]);
        tx_put(t, DB_TOPIC, name, SPAN_OF(number));
        fresh = true;
    }
    *c = (struct topic_cache){.used = true, .number = be32_get(number), .name_n = name.n};
    memcpy(c->name, name.p, name.n);
    topic_write(t, c, fresh);
    return c->number;
}

/* The entry of a topic known by number: for counting what goes. */
static struct topic_cache *topic_of(struct tx *t, uint32_t number)
{
    for (int i = 0; i < TOPIC_CACHE; i++)
        if (t->topics[i].used && t->topics[i].number == number)
            return &t->topics[i];
    uint8_t key[4], name[TOPIC_MAX_BYTES];
    be32_put(key, number);
    struct span v;
    if (!tx_get(t, DB_TOPICN, SPAN_OF(key), &v) || v.n < 9 || v.n > 8 + TOPIC_MAX_BYTES)
        return NULL;
    size_t n = v.n - 8;
    memcpy(name, v.p + 8, n);
    topic_number(t, span(name, n));
    return &t->topics[topic_hash(span(name, n))];
}

void topic_unused(struct tx *t, uint32_t number)
{
    struct topic_cache *c = topic_of(t, number);
    if (c)
        c->unused = true;
}

struct span topic_name(struct tx *t, uint32_t number)
{
    const struct topic_cache *c = topic_of(t, number);
    return c ? span(c->name, c->name_n) : span(NULL, 0);
}

void tix_note(struct tx *t, uint32_t topic, int64_t created, const struct id *id, bool add)
{
    if (t->tix_n == t->tix_cap) {
        t->tix_cap = t->tix_cap ? 2 * t->tix_cap : 256;
        t->tix = xrealloc(t->tix, t->tix_cap * sizeof *t->tix);
    }
    struct tix_item *i = &t->tix[t->tix_n];
    be32_put(i->key, topic);
    be64_put(i->key + 4, (uint64_t)created);
    memcpy(i->key + 12, id->b, 32);
    i->order = (uint32_t)t->tix_n++;
    i->add = add;
}

static int by_key(const void *a, const void *b)
{
    const struct tix_item *x = a, *y = b;
    int d = memcmp(x->key, y->key, sizeof x->key);
    return d ? d : (x->order > y->order) - (x->order < y->order);
}

/* A chunk in memory, with room for a second one's items. */
struct chunk {
    uint32_t topic;
    bool stored;          /* lies in the table under `key` */
    bool dirty, had_next; /* had_next: `next` is the key of the topic's next chunk */
    uint8_t key[TIX_KEY], next[TIX_KEY];
    size_t n;
    uint8_t items[2 * TIX_MOST * TIX_ITEM];
};

static void chunk_write(struct tx *t, uint32_t topic, const uint8_t *items, size_t n)
{
    uint8_t key[TIX_KEY], v[TIX_HEAD + TIX_MOST * TIX_ITEM] = {0};
    be32_put(key, topic);
    memcpy(key + 4, items, TIX_ITEM);
    for (size_t i = 0; i < n; i++)
        tix_sum_add(v, items + i * TIX_ITEM + 8);
    be16_put(v + 32, (uint16_t)n);
    memcpy(v + TIX_HEAD, items, n * TIX_ITEM);
    tx_put(t, DB_TIX, SPAN_OF(key), span(v, TIX_HEAD + n * TIX_ITEM));
}

static bool chunk_parse(struct span value, size_t *n)
{
    if (value.n < TIX_HEAD)
        return false;
    *n = be16_get(value.p + 32);
    return *n > 0 && *n <= TIX_MOST && value.n == TIX_HEAD + *n * TIX_ITEM;
}

static void chunk_read(struct tx *t, struct chunk *c, const struct walk *w)
{
    size_t n;
    if (w->key.n != TIX_KEY || !chunk_parse(w->value, &n)) {
        t->err = SOUK_EDAMAGED;
        return;
    }
    c->stored = true;
    memcpy(c->key, w->key.p, TIX_KEY);
    memcpy(c->items, w->value.p + TIX_HEAD, n * TIX_ITEM);
    c->n = n;
}

/* Loads the chunk into which key falls: the last that begins at or before it, else the topic's first. */
static void chunk_load(struct tx *t, struct chunk *c, const uint8_t key[static TIX_KEY])
{
    struct walk w;
    c->topic = be32_get(key);
    c->stored = c->dirty = c->had_next = false;
    c->n = 0;
    walk_open(&w, t->txn, t->s->dbi[DB_TIX]);
    walk_seek(&w, span(key, TIX_KEY));
    bool exact = w.valid && w.key.n == TIX_KEY && memcmp(w.key.p, key, TIX_KEY) == 0;
    if (!exact) {
        walk_seek_before(&w, span(key, TIX_KEY));
        if (!walk_in(&w, span(key, 4)))
            walk_seek(&w, span(key, TIX_KEY));
    }
    if (walk_in(&w, span(key, 4))) {
        chunk_read(t, c, &w);
        walk_next(&w);
        if (walk_in(&w, span(key, 4)) && w.key.n == TIX_KEY) {
            c->had_next = true;
            memcpy(c->next, w.key.p, TIX_KEY);
        }
    }
    walk_close(&w);
}

static void chunk_join_next(struct tx *t, struct chunk *c)
{
    struct span v;
    size_t n;
    if (!c->had_next || c->n == 0 || c->n > 25 || !tx_get(t, DB_TIX, SPAN_OF(c->next), &v) ||
        !chunk_parse(v, &n) || n + c->n > 75)
        return;
    memcpy(c->items + c->n * TIX_ITEM, v.p + TIX_HEAD, n * TIX_ITEM);
    c->n += n;
    tx_del(t, DB_TIX, SPAN_OF(c->next));
}

static void chunk_store(struct tx *t, struct chunk *c)
{
    if (!c->dirty || t->err)
        return;
    chunk_join_next(t, c);
    if (c->stored && (c->n == 0 || memcmp(c->key + 4, c->items, TIX_ITEM) != 0))
        tx_del(t, DB_TIX, SPAN_OF(c->key));
    if (c->n > 0)
        chunk_write(t, c->topic, c->items, c->n);
    c->dirty = false;
}

/* Where item is, or would be. */
static size_t chunk_find(const struct chunk *c, const uint8_t *item, bool *found)
{
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int d = memcmp(c->items + mid * TIX_ITEM, item, TIX_ITEM);
        if (d == 0) {
            *found = true;
            return mid;
        }
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = false;
    return lo;
}

/* Halves a chunk.  The part where the newcomer went stays in memory: changes come in rising order, so
 * whatever follows lies in that part or beyond it. */
static void chunk_split(struct tx *t, struct chunk *c, size_t at)
{
    if (c->stored && memcmp(c->key + 4, c->items, TIX_ITEM) != 0)
        tx_del(t, DB_TIX, SPAN_OF(c->key));
    c->stored = false;
    size_t front = at == c->n - 1 ? TIX_MOST : c->n / 2;
    uint8_t *rear = c->items + front * TIX_ITEM;
    if (at >= front) {
        chunk_write(t, c->topic, c->items, front);
        c->n -= front;
        memmove(c->items, rear, c->n * TIX_ITEM);
        return;
    }
    chunk_write(t, c->topic, rear, c->n - front);
    be32_put(c->next, c->topic);
    memcpy(c->next + 4, rear, TIX_ITEM);
    c->had_next = true;
    c->n = front;
    memcpy(c->key, c->next, 4); /* the front's old key, if it had one, is written again or gone */
}

static void chunk_change(struct tx *t, struct chunk *c, const struct tix_item *i)
{
    bool found;
    const uint8_t *item = i->key + 4;
    size_t at = chunk_find(c, item, &found);
    if (found == i->add)
        return;
    struct topic_cache *topic = topic_of(t, c->topic);
    if (topic)
        topic->delta += i->add ? 1 : -1;
    c->dirty = true;
    uint8_t *p = c->items + at * TIX_ITEM;
    if (!i->add) {
        memmove(p, p + TIX_ITEM, (c->n - at - 1) * TIX_ITEM);
        c->n--;
        return;
    }
    memmove(p + TIX_ITEM, p, (c->n - at) * TIX_ITEM);
    memcpy(p, item, TIX_ITEM);
    c->n++;
    if (c->n > TIX_MOST)
        chunk_split(t, c, at);
}

size_t tix_from(struct tx *t, uint32_t topic, const uint8_t *from, uint8_t (*items)[TIX_ITEM], size_t most)
{
    uint8_t key[TIX_KEY];
    size_t n = 0;
    struct walk w;
    be32_put(key, topic);
    memcpy(key + 4, from, TIX_ITEM);
    walk_open(&w, t->txn, t->s->dbi[DB_TIX]);
    walk_seek_before(&w, SPAN_OF(key)); /* the chunk into which it falls begins before it, */
    if (!walk_in(&w, span(key, 4)))
        walk_seek(&w, SPAN_OF(key)); /* or there is none */
    for (; n < most && walk_in(&w, span(key, 4)); walk_next(&w)) {
        size_t in = w.value.n >= TIX_HEAD ? (w.value.n - TIX_HEAD) / TIX_ITEM : 0;
        for (size_t i = 0; i < in && n < most; i++) {
            const uint8_t *item = w.value.p + TIX_HEAD + i * TIX_ITEM;
            if (memcmp(item, from, TIX_ITEM) >= 0)
                memcpy(items[n++], item, TIX_ITEM);
        }
    }
    walk_close(&w);
    return n;
}

void tix_step(uint8_t *item)
{
    for (int i = TIX_ITEM - 1; i >= 0 && ++item[i] == 0; i--)
        ;
}

void tix_flush(struct tx *t)
{
    t->flushing = true; /* from here on each topic's changes come in one piece */
    if (t->tix_n && !t->err) {
        struct chunk *c = xcalloc(1, sizeof *c);
        qsort(t->tix, t->tix_n, sizeof *t->tix, by_key);
        bool loaded = false;
        for (size_t i = 0; i < t->tix_n && !t->err; i++) {
            const struct tix_item *item = &t->tix[i];
            bool inside = loaded && be32_get(item->key) == c->topic &&
                          !(c->had_next && memcmp(item->key, c->next, TIX_KEY) >= 0);
            if (!inside) {
                chunk_store(t, c);
                chunk_load(t, c, item->key);
                loaded = true;
            }
            if (!t->err)
                chunk_change(t, c, item);
        }
        chunk_store(t, c);
        free(c);
    }
    t->tix_n = 0;
    for (int i = 0; i < TOPIC_CACHE; i++)
        topic_write(t, &t->topics[i], false);
    t->flushing = false;
}
