/* room.c: what gives way when there is no room: for bytes (quota_bytes) and for ids (known_most).
 *
 * Bytes: what was superseded; then what nobody here follows, of the largest topic first (share.c), and of
 * it the oldest, or older blobs; then what is followed; never one's own.  Ids stay known.
 *
 * Ids: the topic that knows the most of them forgets its oldest, by (created, id), until another is as
 * large.  So nothing that is said in one topic costs another that is smaller than it.  Where it has got to
 * is the topic's **horizon**: what lies before it is not known here, nor wanted (spec/reconcile.md 5);
 * one's own and what is followed stays, and is not counted on being asked for.  The horizon is also where
 * the next search begins, so that what stays is passed over once.  When there is room again (a quarter of
 * known_most), all horizons are lifted, and what others still have comes back. */
#include "store/db.h"
#include <stdlib.h>

/* A record gives way to the quota: its id stays known, and so does its slot's floor, on a stub. */
static void evict(struct tx *t, const struct rec *r)
{
    struct rid rid;
    if (!rid_get(t, &r->id, &rid))
        return;
    row_drop(t, r);
    rid.state = KNOWN_EVICTED;
    if (r->flags & REC_SLOT) {
        uint8_t row[REC_ROW_MAX], key[8];
        struct rec stub = *r;
        stub.flags |= REC_STUB;
        stub.subjects_n = 0;
        stub.bytes = span(NULL, 0);
        be64_put(key, r->serial);
        size_t n = rec_write(row, &stub);
        tx_put(t, DB_REC, SPAN_OF(key), span(row, n));
    } else {
        rid = (struct rid){.state = KNOWN_EVICTED, .listed = rid.listed, .serial = r->serial};
        rid.expires = r->expires;
        rid.created = r->created;
        rid.topic = r->topic;
    }
    rid_put(t, &r->id, &rid);
}

/* The next record of a class from the class's cursor on.  Cursors only go forward: what lies behind them
 * is gone or of the other class. */
static bool evictable(struct tx *t, bool followed, struct rec *out)
{
    uint64_t *from = &t->count[followed ? COUNT_EVICT_FOLLOWED : COUNT_EVICT];
    struct walk w;
    uint8_t key[8];
    bool found = false;
    be64_put(key, *from);
    walk_open(&w, t->txn, t->s->dbi[DB_REC]);
    walk_seek(&w, SPAN_OF(key));
    for (; w.valid && !found; walk_next(&w)) {
        if (!rec_read(out, w.key, w.value))
            break;
        *from = out->serial;
        found = !(out->flags & (REC_OWN | REC_STUB)) && !!(out->flags & REC_FOLLOWED) == followed;
    }
    walk_close(&w);
    return found;
}

static bool oldest_blob(struct tx *t, int64_t *touched, struct id *root)
{
    struct walk w;
    walk_open(&w, t->txn, t->s->dbi[DB_BAGE]);
    walk_seek(&w, span(NULL, 0));
    bool found = w.valid && w.key.n == 40;
    if (found) {
        *touched = (int64_t)be64_get(w.key.p);
        memcpy(root->b, w.key.p + 8, 32);
    }
    walk_close(&w);
    return found;
}

/* The oldest of what was superseded; its id stays known as it was. */
static bool old_evict(struct tx *t)
{
    struct walk w;
    uint64_t serial = 0;
    walk_open(&w, t->txn, t->s->dbi[DB_OLD]);
    walk_seek(&w, span(NULL, 0));
    bool found = w.valid && w.key.n == 8;
    if (found)
        serial = be64_get(w.key.p);
    walk_close(&w);
    if (found)
        old_drop(t, serial);
    return found;
}

bool beyond_quota(struct tx *t, uint64_t less)
{
    uint64_t quota = t->s->config.quota_bytes;
    return quota && !t->err && tx_used_pages(t) * t->s->page_bytes > quota - (less ? quota / less : 0);
}

/* What was superseded goes first.  Then what nobody here follows: of the topic with the most bytes the
 * oldest record, or the oldest blob, whichever is older; then what is followed. */
static bool evict_one(struct tx *t, struct share_walk *shares)
{
    struct rec r;
    struct id root;
    int64_t touched = 0;
    if (old_evict(t))
        return true;
    bool blob = oldest_blob(t, &touched, &root);
    bool share = share_next(t, shares, &r);
    bool record = share || evictable(t, false, &r); /* those that only a floor holds are in no time index */
    if (blob && (!record || touched <= r.received)) {
        struct op op;
        blob_drop(t, &root, &op);
        return true;
    }
    if (!record)
        record = evictable(t, true, &r);
    if (record)
        evict(t, &r);
    if (share)
        share_took(shares, &r);
    return record;
}

uint32_t evict_some(struct tx *t, uint32_t limit)
{
    struct share_walk shares = {0};
    uint32_t done = 0;
    while (done < limit && beyond_quota(t, 32) && evict_one(t, &shares))
        done++;
    share_walk_free(&shares);
    return done;
}

/* ---- ids ---- */

enum { FORGET_AT_ONCE = 64 };

/* How many ids there are to forget until a place is free below known_most less 1/less of it. */
static uint64_t ids_over(struct tx *t, uint64_t less)
{
    MDB_stat st;
    uint64_t most = t->s->config.known_most, free_from = most - (less ? most / less : 0);
    if (!most || t->err || mdb_stat(t->txn, t->s->dbi[DB_RID], &st) || st.ms_entries < free_from)
        return 0;
    return st.ms_entries - free_from + 1;
}

bool ids_crowded(struct tx *t, uint64_t less)
{
    return ids_over(t, less) > 0;
}

bool known_before(int64_t created, const struct id *id, const struct known_at *at)
{
    return created != at->created ? created < at->created : memcmp(id, &at->id, sizeof *id) < 0;
}

struct known_at horizon_read(struct span row)
{
    struct known_at h = {0};
    if (row.n == TIX_ITEM) {
        h.created = (int64_t)be64_get(row.p);
        memcpy(h.id.b, row.p + 8, sizeof h.id.b);
    }
    return h;
}

bool id_welcome(struct tx *t, struct span topic, int64_t created, const struct id *id)
{
    struct span number, row;
    if (ids_crowded(t, 0))
        return false; /* until the next sweep; it is offered again */
    if (!topic.n || !tx_get(t, DB_TOPIC, topic, &number) || number.n != 4 ||
        !tx_get(t, DB_HORIZON, number, &row))
        return true;
    struct known_at h = horizon_read(row);
    return !known_before(created, id, &h);
}

struct size {
    uint32_t topic;
    uint64_t ids;
};

/* All topics that know something, with how much; the caller frees it. */
static struct size *topics_by_size(struct tx *t, size_t *n)
{
    struct buf all = {0};
    struct walk w;
    walk_open(&w, t->txn, t->s->dbi[DB_TOPICN]);
    for (walk_seek(&w, span(NULL, 0)); w.valid; walk_next(&w)) {
        if (w.key.n != 4 || w.value.n < 8 || !be64_get(w.value.p))
            continue;
        struct size s = {be32_get(w.key.p), be64_get(w.value.p)};
        buf_append(&all, &s, sizeof s);
    }
    walk_close(&w);
    *n = all.n / sizeof(struct size);
    return (struct size *)(void *)all.p;
}

static void slot_leave(struct tx *t, const struct rec *r)
{
    uint8_t key[SLOT_KEY_BYTES];
    struct slot_row row;
    struct span v;
    slot_key(key, &r->author, r->kind, &r->slot);
    if (tx_get(t, DB_SLOT, SPAN_OF(key), &v) && slot_read(&row, v) && id_eq(&row.id, &r->id))
        tx_del(t, DB_SLOT, SPAN_OF(key));
}

/* Everything about an id goes, unless it is one's own or followed.  False: it stays. */
static bool forget(struct tx *t, uint32_t topic, int64_t created, const struct id *id)
{
    struct rid rid;
    struct rec r;
    if (!rid_get(t, id, &rid) || !rid.listed)
        return true; /* it went earlier in this transaction */
    int64_t expires = rid.expires;
    if (rid.row) {
        if (!rec_get(t, rid.serial, &r)) {
            t->err = t->err ? t->err : SOUK_EDAMAGED;
            return false;
        }
        if (r.flags & (REC_OWN | REC_FOLLOWED))
            return false;
        expires = r.expires;
        row_drop(t, &r);
        if (r.flags & REC_SLOT)
            slot_leave(t, &r);
    } else {
        old_drop(t, rid.serial);
    }
    ending_id_del(t, expires, rid.serial);
    tx_del(t, DB_RID, SPAN_OF(*id));
    tix_note(t, topic, created, id, false);
    left_note(t, topic, created, id);
    return true;
}

/* Forgets at most `most` of a topic's oldest; returns how many it looked at: fewer, and it is through. */
static size_t forget_in(struct tx *t, uint32_t topic, size_t most, uint64_t *gone)
{
    uint8_t key[4], from[TIX_ITEM] = {0}, items[FORGET_AT_ONCE][TIX_ITEM];
    struct span row;
    be32_put(key, topic);
    if (tx_get(t, DB_HORIZON, SPAN_OF(key), &row) && row.n == TIX_ITEM)
        memcpy(from, row.p, TIX_ITEM);
    size_t n = tix_from(t, topic, from, items, most < FORGET_AT_ONCE ? most : FORGET_AT_ONCE);
    for (size_t i = 0; i < n && !t->err; i++) {
        struct id id;
        memcpy(id.b, items[i] + 8, sizeof id.b);
        *gone += forget(t, topic, (int64_t)be64_get(items[i]), &id);
    }
    if (!n || t->err)
        return 0;
    tix_step(items[n - 1]);
    tx_put(t, DB_HORIZON, SPAN_OF(key), SPAN_OF(items[n - 1]));
    left_note(t, topic, -1, NULL);
    return n;
}

uint32_t forget_some(struct tx *t, uint32_t limit)
{
    size_t n;
    uint32_t looked = 0;
    struct size *all = topics_by_size(t, &n);
    for (uint64_t over; looked < limit && (over = ids_over(t, 32)) > 0;) {
        size_t largest = 0;
        for (size_t i = 1; i < n; i++)
            if (all[i].ids > all[largest].ids)
                largest = i;
        if (!n || !all[largest].ids)
            break; /* what is left are one's own, or followed, or came just now */
        uint64_t gone = 0, most = over < limit - looked ? over : limit - looked;
        size_t here = forget_in(t, all[largest].topic, (size_t)most, &gone);
        all[largest].ids -= gone < all[largest].ids ? gone : all[largest].ids;
        if (!here)
            all[largest].ids = 0; /* all that it has stays */
        looked += (uint32_t)here;
    }
    free(all);
    return looked;
}

void horizons_lift(struct tx *t)
{
    struct walk w;
    uint8_t key[4];
    bool more = true;
    while (more && !t->err) {
        walk_open(&w, t->txn, t->s->dbi[DB_HORIZON]);
        walk_seek(&w, span(NULL, 0));
        more = w.valid && w.key.n == sizeof key;
        if (more)
            memcpy(key, w.key.p, sizeof key);
        walk_close(&w);
        if (!more)
            break;
        left_note(t, be32_get(key), -1, NULL);
        tx_del(t, DB_HORIZON, SPAN_OF(key));
        topic_unused(t, be32_get(key));
    }
}

/* ---- telling which ids went ---- */

/* created -1: only that the topic's horizon moved. */
void left_note(struct tx *t, uint32_t topic, int64_t created, const struct id *id)
{
    uint8_t *key = buf_grow(&t->left, TIX_KEY);
    memset(key, 0xff, TIX_KEY);
    be32_put(key, topic);
    if (created < 0)
        return;
    be64_put(key + 4, (uint64_t)created);
    memcpy(key + 12, id->b, sizeof id->b);
}

static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, TIX_KEY);
}

struct span left_tell(struct tx *t, struct arena *a)
{
    struct buf out = {0};
    size_t n = t->left.n / TIX_KEY;
    const uint8_t *key = t->left.p;
    if (n)
        qsort(t->left.p, n, TIX_KEY, by_key);
    for (size_t i = 0, next; i < n; i = next) {
        struct span name = topic_name(t, be32_get(key + i * TIX_KEY)), row;
        uint8_t head[TIX_ITEM + 4] = {0};
        uint32_t items = 0;
        for (next = i; next < n && memcmp(key + i * TIX_KEY, key + next * TIX_KEY, 4) == 0; next++)
            items += key[next * TIX_KEY + 4] != 0xff;
        if (!name.n)
            continue;
        *buf_grow(&out, 1) = (uint8_t)name.n;
        buf_span(&out, name);
        if (tx_get(t, DB_HORIZON, span(key + i * TIX_KEY, 4), &row) && row.n == TIX_ITEM)
            memcpy(head, row.p, TIX_ITEM);
        be32_put(head + TIX_ITEM, items);
        buf_append(&out, head, sizeof head);
        for (const uint8_t *k = key + i * TIX_KEY; k < key + next * TIX_KEY; k += TIX_KEY)
            if (k[4] != 0xff)
                buf_append(&out, k + 4, TIX_ITEM);
    }
    struct span told = arena_copy(a, buf_view(&out));
    buf_free(&out);
    buf_clear(&t->left);
    return told;
}

bool store_left_next(struct span *found, struct store_left *out)
{
    if (found->n < 1)
        return false;
    size_t name = found->p[0], head = 1 + name + TIX_ITEM + 4;
    if (found->n < head)
        return false;
    *out = (struct store_left){.topic = span(found->p + 1, name),
                               .horizon = horizon_read(span(found->p + 1 + name, TIX_ITEM)),
                               .n = be32_get(found->p + head - 4)};
    out->items = span(found->p + head, out->n * TIX_ITEM);
    MUST(found->n >= head + out->items.n);
    *found = span(found->p + head + out->items.n, found->n - head - out->items.n);
    return true;
}
