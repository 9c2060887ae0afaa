/* share.c: how many bytes of strangers' records the store holds, by author and by topic.
 *
 * Counted are records as they lie in `rec`, but for one's own, those of the followed, and stubs.  An author
 * at author_most gets nothing more in (its records are known and not kept, like what is beyond the quota).
 * Over quota the topic with the most bytes gives way, its oldest first, so that a flood in one topic costs
 * no other that holds less.  A topic's row has a cursor into its time index: what lies before it is gone,
 * or of a kind that does not give way; what comes in before it sets it back. */
#include "store/db.h"
#include <stdlib.h>

enum { AUTHOR_KEY = 33, TOPIC_KEY = 5, TOPIC_ROW = 8 + TIX_ITEM, LOOK_AT_ONCE = 16, EVICT_AT_ONCE = 64 };

static uint64_t row_bytes(const struct rec *r)
{
    return REC_HEAD_BYTES + 32u * (uint64_t)r->subjects_n + r->bytes.n;
}

bool share_counts(const struct rec *r)
{
    return !(r->flags & (REC_OWN | REC_FOLLOWED | REC_STUB));
}

static uint64_t moved(uint64_t was, uint64_t by, bool there)
{
    return there ? was + by : was > by ? was - by : 0;
}

static void author_key(uint8_t key[static AUTHOR_KEY], const struct identity *author)
{
    key[0] = 'a';
    memcpy(key + 1, author->b, 32);
}

static void topic_key(uint8_t key[static TOPIC_KEY], uint32_t topic)
{
    key[0] = 't';
    be32_put(key + 1, topic);
}

/* A row of zeros where there is none. */
static void topic_row(struct tx *t, uint32_t topic, uint8_t row[static TOPIC_ROW])
{
    uint8_t key[TOPIC_KEY];
    struct span v;
    topic_key(key, topic);
    memset(row, 0, TOPIC_ROW);
    if (tx_get(t, DB_SHARE, SPAN_OF(key), &v) && v.n == TOPIC_ROW)
        memcpy(row, v.p, TOPIC_ROW);
}

static void topic_row_put(struct tx *t, uint32_t topic, const uint8_t row[static TOPIC_ROW])
{
    uint8_t key[TOPIC_KEY];
    topic_key(key, topic);
    if (be64_get(row))
        tx_put(t, DB_SHARE, SPAN_OF(key), span(row, TOPIC_ROW));
    else
        tx_del(t, DB_SHARE, SPAN_OF(key));
}

static uint64_t author_bytes(struct tx *t, const struct identity *author)
{
    uint8_t key[AUTHOR_KEY];
    struct span v;
    author_key(key, author);
    return tx_get(t, DB_SHARE, SPAN_OF(key), &v) && v.n == 8 ? be64_get(v.p) : 0;
}

static void item_of(uint8_t item[static TIX_ITEM], const struct rec *r)
{
    be64_put(item, (uint64_t)r->created);
    memcpy(item + 8, r->id.b, 32);
}

void share_count(struct tx *t, const struct rec *r, bool there)
{
    uint8_t key[AUTHOR_KEY], bytes[8], row[TOPIC_ROW], item[TIX_ITEM];
    uint64_t n = row_bytes(r);
    if (!share_counts(r))
        return;
    author_key(key, &r->author);
    be64_put(bytes, moved(author_bytes(t, &r->author), n, there));
    if (be64_get(bytes))
        tx_put(t, DB_SHARE, SPAN_OF(key), SPAN_OF(bytes));
    else
        tx_del(t, DB_SHARE, SPAN_OF(key));
    topic_row(t, r->topic, row);
    be64_put(row, moved(be64_get(row), n, there));
    item_of(item, r);
    if (there && memcmp(item, row + 8, TIX_ITEM) < 0)
        memcpy(row + 8, item, TIX_ITEM);
    topic_row_put(t, r->topic, row);
}

bool share_left(struct tx *t, const struct identity *author, uint64_t bytes)
{
    uint64_t most = t->s->config.author_most;
    return !most || author_bytes(t, author) + REC_HEAD_BYTES + bytes <= most;
}

int share_rebuild(struct tx *t)
{
    struct walk w;
    struct rec r;
    if (!t->err)
        t->err = lmdb_err(mdb_drop(t->txn, t->s->dbi[DB_SHARE], 0));
    walk_open(&w, t->txn, t->s->dbi[DB_REC]);
    for (walk_seek(&w, span(NULL, 0)); w.valid && !t->err; walk_next(&w))
        if (rec_read(&r, w.key, w.value))
            share_count(t, &r, true);
    walk_close(&w);
    return t->err;
}

/* ---- giving way ---- */

/* The oldest record of a topic that may go.  The cursor moves up to it. */
static bool oldest_in(struct tx *t, uint32_t topic, struct rec *r)
{
    uint8_t items[LOOK_AT_ONCE][TIX_ITEM], row[TOPIC_ROW];
    bool found = false;
    size_t n = LOOK_AT_ONCE;
    topic_row(t, topic, row);
    while (!found && n == LOOK_AT_ONCE && !t->err) {
        n = tix_from(t, topic, row + 8, items, LOOK_AT_ONCE);
        for (size_t i = 0; i < n && !found; i++) {
            struct id id;
            struct rid rid;
            memcpy(id.b, items[i] + 8, sizeof id.b);
            found = rid_get(t, &id, &rid) && rid.row && rec_get(t, rid.serial, r) && share_counts(r);
            memcpy(row + 8, items[i], TIX_ITEM);
            if (!found)
                tix_step(row + 8);
        }
    }
    topic_row_put(t, topic, row);
    return found && rec_get(t, r->serial, r); /* its bytes, after the write */
}

/* The topics that hold something; the caller frees them. */
static struct share_topic *topics_by_bytes(struct tx *t, size_t *n)
{
    struct buf all = {0};
    struct walk w;
    walk_open(&w, t->txn, t->s->dbi[DB_SHARE]);
    for (walk_seek(&w, span_str("t")); walk_in(&w, span_str("t")); walk_next(&w)) {
        if (w.key.n != TOPIC_KEY || w.value.n != TOPIC_ROW)
            continue;
        struct share_topic s = {be32_get(w.key.p + 1), be64_get(w.value.p)};
        buf_append(&all, &s, sizeof s);
    }
    walk_close(&w);
    *n = all.n / sizeof(struct share_topic);
    return (struct share_topic *)(void *)all.p;
}

bool share_next(struct tx *t, struct share_walk *w, struct rec *r)
{
    if (!w->begun)
        w->topic = topics_by_bytes(t, &w->n);
    w->begun = true;
    for (;;) {
        for (size_t i = 0; !w->left && i < w->n; i++)
            if (w->topic[i].bytes > w->topic[w->largest].bytes)
                w->largest = i;
        struct share_topic *s = w->n ? &w->topic[w->largest] : NULL;
        if (!s || !s->bytes)
            return false;
        w->left = w->left ? w->left : EVICT_AT_ONCE;
        if (oldest_in(t, s->topic, r))
            return true;
        s->bytes = 0; /* what it still counts does not lie in its time index */
        w->left = 0;
    }
}

void share_took(struct share_walk *w, const struct rec *r)
{
    struct share_topic *s = &w->topic[w->largest];
    s->bytes = moved(s->bytes, row_bytes(r), false);
    w->left = s->bytes ? w->left - 1 : 0;
}

void share_walk_free(struct share_walk *w)
{
    free(w->topic);
}
