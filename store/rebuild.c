/* rebuild.c: makes every derived table anew from what is not derived: records, what they superseded, ids
 * known, facts, the outbox, blobs, mail, stock.  One transaction: a crash leaves everything as it was.
 *
 * What cannot be derived is kept: how long a slot's floor stands (it may come from a record that is gone).
 * The text index is emptied; the market feeds it again from the first record on. */
#include "store/db.h"
#include <stdlib.h>

struct rebuild {
    struct tx *t;
    store_progress_fn *progress;
    void *arg;
    struct buf floors; /* old slot rows: key49 floor8, in key order */
    uint64_t done, all;
};

static void step(struct rebuild *b, const char *what)
{
    b->done++;
    if (b->progress && (b->done % 1024 == 0 || b->done == b->all))
        b->progress(b->arg, what, b->done, b->all);
}

static void empty(struct tx *t, enum db db)
{
    if (!t->err)
        t->err = lmdb_err(mdb_drop(t->txn, t->s->dbi[db], 0));
}

/* Calls fn for every row; fn may write to other tables, not to this one. */
static void each(struct rebuild *b, enum db db, void (*fn)(struct rebuild *, struct span, struct span))
{
    struct walk w;
    walk_open(&w, b->t->txn, b->t->s->dbi[db]);
    for (walk_seek(&w, span(NULL, 0)); w.valid && !b->t->err; walk_next(&w))
        fn(b, w.key, w.value);
    walk_close(&w);
}

enum { FLOOR_ROW = SLOT_KEY_BYTES + 8 };

static void floor_keep(struct rebuild *b, struct span key, struct span value)
{
    struct slot_row row;
    if (key.n != SLOT_KEY_BYTES || !slot_read(&row, value))
        return;
    uint8_t *p = buf_grow(&b->floors, FLOOR_ROW);
    memcpy(p, key.p, SLOT_KEY_BYTES);
    be64_put(p + SLOT_KEY_BYTES, (uint64_t)row.floor);
}

static int by_slot(const void *a, const void *b)
{
    return memcmp(a, b, SLOT_KEY_BYTES);
}

static int64_t floor_of(const struct rebuild *b, const uint8_t *key, int64_t expires)
{
    const uint8_t *p =
        b->floors.n ? bsearch(key, b->floors.p, b->floors.n / FLOOR_ROW, FLOOR_ROW, by_slot) : NULL;
    int64_t floor = p ? (int64_t)be64_get(p + SLOT_KEY_BYTES) : expires;
    return floor > expires ? floor : expires;
}

static void topic_zero(struct rebuild *b, struct span key, struct span value)
{
    uint8_t row[8 + TOPIC_MAX_BYTES] = {0};
    if (value.n != 4 || key.n > TOPIC_MAX_BYTES)
        return;
    memcpy(row + 8, key.p, key.n);
    tx_put(b->t, DB_TOPICN, value, span(row, 8 + key.n));
}

static bool slot_take(struct rebuild *b, const struct rec *r, int64_t *floor)
{
    uint8_t key[SLOT_KEY_BYTES];
    struct slot_row was, row = {.revision = r->revision, .id = r->id, .serial = r->serial};
    struct span v;
    slot_key(key, &r->author, r->kind, &r->slot);
    *floor = row.floor = floor_of(b, key, r->expires);
    if (tx_get(b->t, DB_SLOT, SPAN_OF(key), &v) && slot_read(&was, v) &&
        (was.revision > r->revision ||
         (was.revision == r->revision && memcmp(was.id.b, r->id.b, sizeof was.id.b) < 0)))
        return false;
    slot_put(b->t, key, &row);
    return true;
}

static void record_again(struct rebuild *b, struct span key, struct span value)
{
    struct tx *t = b->t;
    struct rec r;
    struct rid rid;
    struct span v;
    step(b, "records");
    if (!rec_read(&r, key, value))
        return;
    bool listed = !(tx_get(t, DB_RID, SPAN_OF(r.id), &v) && rid_read(&rid, v)) || rid.listed;
    int64_t floor = r.expires;
    bool holds = (r.flags & REC_SLOT) && slot_take(b, &r, &floor);
    rid = (struct rid){.row = true, .listed = listed, .serial = r.serial};
    rid.state = r.flags & REC_STUB ? KNOWN_EVICTED : KNOWN_STORED;
    rid_put(t, &r.id, &rid);
    share_count(t, &r, true);
    if (!(r.flags & REC_STUB))
        subjects_put(t, &r, true);
    if (listed) {
        ending_id_put(t, r.expires, r.serial, &r.id);
        tix_note(t, r.topic, r.created, &r.id, true);
    } else if (holds && floor > r.expires) {
        ending_id_put(t, floor, r.serial, &r.id);
    }
    if (t->tix_n >= 65536)
        tix_flush(t);
}

static void known_again(struct rebuild *b, struct span key, struct span value)
{
    struct rid rid;
    struct id id;
    step(b, "ids");
    if (key.n != 32 || !rid_read(&rid, value) || rid.row)
        return;
    memcpy(id.b, key.p, 32);
    ending_id_put(b->t, rid.expires, rid.serial, &id);
    if (rid.listed)
        tix_note(b->t, rid.topic, rid.created, &id, true);
    if (b->t->tix_n >= 65536)
        tix_flush(b->t);
}

static void fact_again(struct rebuild *b, struct span key, struct span value)
{
    if (key.n == FACT_KEY && value.n >= FACT_HEAD)
        tx_put(b->t, DB_FACTID, span(value.p, 32), key);
}

static void out_again(struct rebuild *b, struct span key, struct span value)
{
    uint8_t at[16], tag[32];
    if (key.n != 8 || value.n < OUT_HEAD)
        return;
    memcpy(at, value.p, 8);
    memcpy(at + 8, key.p, 8);
    memcpy(tag, value.p + 8, 32);
    tx_put(b->t, DB_OUTTAG, SPAN_OF(tag), key);
    tx_put(b->t, DB_DUE, SPAN_OF(at), span(NULL, 0));
}

static void stock_again(struct rebuild *b, struct span key, struct span value)
{
    if (key.n == 64 && value.n == 12)
        ending_put(b->t, (int64_t)be64_get(value.p + 4), END_STOCK, key);
}

static void small_again(struct rebuild *b, struct span key, struct span value)
{
    if (key.n == 33 && key.p[0] == TABLE_REFUSED && value.n == 8)
        ending_put(b->t, (int64_t)be64_get(value.p), END_REFUSED, span(key.p + 1, 32));
}

static void blob_again(struct rebuild *b, struct span key, struct span value)
{
    uint8_t age[40];
    if (key.n != 32 || value.n < BLOB_HEAD || value.p[0])
        return;
    memcpy(age, value.p + 1, 8);
    memcpy(age + 8, key.p, 32);
    tx_put(b->t, DB_BAGE, SPAN_OF(age), span(NULL, 0));
}

static void mail_again(struct rebuild *b, struct span key, struct span value)
{
    struct span v;
    uint8_t row[MBOX_BYTES] = {0};
    if (key.n != 64 || value.n < MAIL_HEAD)
        return;
    bool ticket = value.p[8];
    uint64_t n = value.n - MAIL_HEAD;
    ending_put(b->t, (int64_t)be64_get(value.p), END_MAIL, key);
    if (tx_get(b->t, DB_MBOX, span(key.p, 32), &v) && v.n == MBOX_BYTES)
        memcpy(row, v.p, MBOX_BYTES);
    be64_put(row, be64_get(row) + n);
    be64_put(row + 8, be64_get(row + 8) + (ticket ? 0 : n));
    tx_put(b->t, DB_MBOX, span(key.p, 32), SPAN_OF(row));
}

int store_rebuild(struct tx *t, store_progress_fn *progress, void *arg)
{
    static const enum db derived[] = {DB_SHARE, DB_SLOT,   DB_EXP,  DB_TIX,    DB_TOPICN,
                                      DB_SUBJ,  DB_FACTID, DB_DUE,  DB_OUTTAG, DB_BAGE,
                                      DB_MBOX,  DB_TERM,   DB_POST, DB_DOC,    DB_SDOC};
    struct rebuild b = {.t = t, .progress = progress, .arg = arg};
    MDB_stat st;
    if (!mdb_stat(t->txn, t->s->dbi[DB_REC], &st))
        b.all += st.ms_entries;
    if (!mdb_stat(t->txn, t->s->dbi[DB_RID], &st))
        b.all += st.ms_entries;
    each(&b, DB_SLOT, floor_keep);
    for (size_t i = 0; i < sizeof derived / sizeof *derived; i++)
        empty(t, derived[i]);
    index_reset(t);
    each(&b, DB_TOPIC, topic_zero);
    each(&b, DB_REC, record_again);
    each(&b, DB_RID, known_again);
    tix_flush(t);
    each(&b, DB_FACT, fact_again);
    each(&b, DB_OUT, out_again);
    each(&b, DB_STOCK, stock_again);
    each(&b, DB_SMALL, small_again);
    each(&b, DB_BLOB, blob_again);
    each(&b, DB_MAIL, mail_again);
    buf_free(&b.floors);
    return t->err;
}

int store_reindex(struct store *s, store_progress_fn *progress, void *arg, struct report *r)
{
    struct tx t;
    if (!tx_begin(&t, s))
        store_rebuild(&t, progress, arg);
    int err = tx_commit(&t);
    if (err)
        report_set(r, err, "the derived tables could not be made anew (%s): nothing was changed",
                   err_sentence(err));
    return err;
}
