/* view_more.c: reading facts, stock, small tables, outbox, events, ledger, blobs and mail. */
#include "store/db.h"

static bool get(struct view *v, enum db db, struct span key, struct span *value)
{
    return db_get(v->txn, v->s->dbi[db], key, value);
}

static void walk(struct view *v, enum db db, struct walk *w)
{
    walk_open(w, v->txn, v->s->dbi[db]);
}

/* ---- facts and stock ---- */

void view_facts(struct view *v, const struct id *trade, view_fact_fn *fn, void *arg)
{
    struct walk w;
    walk(v, DB_FACT, &w);
    for (walk_seek(&w, SPAN_OF(*trade)); walk_in(&w, SPAN_OF(*trade)); walk_next(&w)) {
        struct id fact;
        struct identity author;
        if (w.key.n != FACT_KEY || w.value.n < FACT_HEAD)
            continue;
        memcpy(author.b, w.key.p + 32, 32);
        memcpy(fact.b, w.value.p, 32);
        if (!fn(arg, &fact, &author, be32_get(w.key.p + 64), be32_get(w.key.p + 68),
                span(w.value.p + FACT_HEAD, w.value.n - FACT_HEAD)))
            break;
    }
    walk_close(&w);
}

bool view_fact(struct view *v, const struct id *fact, struct id *trade, struct span *bytes)
{
    struct span key, value;
    if (!get(v, DB_FACTID, SPAN_OF(*fact), &key) || key.n != 80 || !get(v, DB_FACT, key, &value) ||
        value.n < FACT_HEAD)
        return false;
    memcpy(trade->b, key.p, 32);
    *bytes = span(value.p + FACT_HEAD, value.n - FACT_HEAD);
    return true;
}

void view_trades(struct view *v, view_trade_fn *fn, void *arg)
{
    struct walk w;
    struct id trade;
    uint8_t beyond[81]; /* above every key of a trade, below the next trade's */
    walk(v, DB_FACT, &w);
    walk_seek(&w, span(NULL, 0));
    while (w.valid && w.key.n == 80) {
        memcpy(trade.b, w.key.p, 32);
        if (!fn(arg, &trade))
            break;
        memset(beyond, 0xff, sizeof beyond);
        memcpy(beyond, trade.b, 32);
        walk_seek(&w, SPAN_OF(beyond));
    }
    walk_close(&w);
}

uint32_t view_stock_taken(struct view *v, const struct id *listing, int64_t now)
{
    struct walk w;
    uint64_t sum = 0;
    walk(v, DB_STOCK, &w);
    for (walk_seek(&w, SPAN_OF(*listing)); walk_in(&w, SPAN_OF(*listing)); walk_next(&w))
        if (w.value.n == 12 && (int64_t)be64_get(w.value.p + 4) > now)
            sum += be32_get(w.value.p);
    walk_close(&w);
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

/* ---- small tables ---- */

static size_t small_key(uint8_t out[static 1 + KEY_MAX_BYTES], enum table table, struct span key)
{
    size_t n = key.n < KEY_MAX_BYTES ? key.n : KEY_MAX_BYTES;
    out[0] = (uint8_t)table;
    if (n)
        memcpy(out + 1, key.p, n);
    return 1 + n;
}

bool view_get(struct view *v, enum table table, struct span key, struct span *value)
{
    uint8_t k[1 + KEY_MAX_BYTES];
    return key.n > 0 && key.n <= KEY_MAX_BYTES &&
           get(v, DB_SMALL, span(k, small_key(k, table, key)), value);
}

static bool pair(const struct walk *w, view_pair_fn *fn, void *arg)
{
    return fn(arg, span(w->key.p + 1, w->key.n - 1), w->value);
}

void view_scan(struct view *v, enum table table, struct span prefix, struct span from, view_pair_fn *fn,
               void *arg)
{
    uint8_t p[1 + KEY_MAX_BYTES], f[1 + KEY_MAX_BYTES];
    struct span in = span(p, small_key(p, table, prefix)), start = span(f, small_key(f, table, from));
    size_t common = start.n < in.n ? start.n : in.n;
    int order = memcmp(start.p, in.p, common);
    if (order < 0 || (order == 0 && start.n < in.n))
        start = in;
    struct walk w;
    walk(v, DB_SMALL, &w);
    for (walk_seek(&w, start); walk_in(&w, in) && pair(&w, fn, arg); walk_next(&w))
        ;
    walk_close(&w);
}

void view_scan_back(struct view *v, enum table table, struct span prefix, view_pair_fn *fn, void *arg)
{
    uint8_t p[1 + KEY_MAX_BYTES], beyond[1 + KEY_MAX_BYTES + 1];
    struct span in = span(p, small_key(p, table, prefix));
    memset(beyond, 0xff, sizeof beyond);
    memcpy(beyond, in.p, in.n);
    struct walk w;
    walk(v, DB_SMALL, &w);
    for (walk_seek_before(&w, SPAN_OF(beyond)); walk_in(&w, in) && pair(&w, fn, arg); walk_prev(&w))
        ;
    walk_close(&w);
}

/* ---- outbox and events ---- */

static bool out_row(struct view *v, uint64_t seq, int64_t *due, struct span *bytes)
{
    uint8_t key[8];
    struct span value;
    be64_put(key, seq);
    if (!get(v, DB_OUT, SPAN_OF(key), &value) || value.n < OUT_HEAD)
        return false;
    *due = (int64_t)be64_get(value.p);
    *bytes = span(value.p + OUT_HEAD, value.n - OUT_HEAD);
    return true;
}

void view_out_due(struct view *v, int64_t now, view_out_fn *fn, void *arg)
{
    struct walk w;
    walk(v, DB_DUE, &w);
    for (walk_seek(&w, span(NULL, 0)); w.valid && w.key.n == 16; walk_next(&w)) {
        int64_t due = (int64_t)be64_get(w.key.p);
        uint64_t seq = be64_get(w.key.p + 8);
        struct span bytes;
        if (due > now || (out_row(v, seq, &due, &bytes) && !fn(arg, seq, due, bytes)))
            break;
    }
    walk_close(&w);
}

bool view_out(struct view *v, uint64_t seq, struct span *bytes)
{
    int64_t due;
    return out_row(v, seq, &due, bytes);
}

bool view_out_tag(struct view *v, const struct id *tag, uint64_t *seq)
{
    struct span value;
    if (!get(v, DB_OUTTAG, SPAN_OF(*tag), &value) || value.n != 8)
        return false;
    *seq = be64_get(value.p);
    return true;
}

void view_out_all(struct view *v, view_out_fn *fn, void *arg)
{
    struct walk w;
    walk(v, DB_OUT, &w);
    for (walk_seek(&w, span(NULL, 0)); w.valid; walk_next(&w))
        if (w.key.n == 8 && w.value.n >= OUT_HEAD &&
            !fn(arg, be64_get(w.key.p), (int64_t)be64_get(w.value.p),
                span(w.value.p + OUT_HEAD, w.value.n - OUT_HEAD)))
            break;
    walk_close(&w);
}

int64_t view_out_next(struct view *v)
{
    struct walk w;
    walk(v, DB_DUE, &w);
    walk_seek(&w, span(NULL, 0));
    int64_t at = w.valid && w.key.n == 16 ? (int64_t)be64_get(w.key.p) : INT64_MAX;
    walk_close(&w);
    return at;
}

void view_events(struct view *v, uint64_t after_seq, view_event_fn *fn, void *arg)
{
    uint8_t key[8];
    struct walk w;
    if (after_seq == UINT64_MAX)
        return;
    be64_put(key, after_seq + 1);
    walk(v, DB_EVENT, &w);
    for (walk_seek(&w, SPAN_OF(key)); w.valid && w.key.n == 8; walk_next(&w))
        if (!fn(arg, be64_get(w.key.p), w.value))
            break;
    walk_close(&w);
}

uint64_t view_event_last(struct view *v)
{
    struct span n;
    return get(v, DB_META, span_str("event"), &n) && n.n == 8 ? be64_get(n.p) : 0;
}

/* ---- ledger ---- */

uint64_t view_ledger_size(struct view *v)
{
    MDB_stat st;
    return mdb_stat(v->txn, v->s->dbi[DB_LED], &st) ? 0 : st.ms_entries;
}

bool view_ledger_node(struct view *v, unsigned level, uint64_t index, struct id *hash)
{
    uint8_t key[9];
    struct span value;
    key[0] = (uint8_t)level;
    be64_put(key + 1, index);
    if (level > 63 || !get(v, DB_LNODE, SPAN_OF(key), &value) || value.n != 32)
        return false;
    memcpy(hash->b, value.p, 32);
    return true;
}

bool view_ledger_leaf(struct view *v, uint64_t index, struct id *transfer, struct span *bytes)
{
    uint8_t key[8];
    struct span value;
    be64_put(key, index);
    if (!get(v, DB_LED, SPAN_OF(key), &value) || value.n < 32)
        return false;
    memcpy(transfer->b, value.p, 32);
    *bytes = span(value.p + 32, value.n - 32);
    return true;
}

bool view_ledger_transfer(struct view *v, const struct id *transfer, uint64_t *index)
{
    struct span value;
    if (!get(v, DB_LTX, SPAN_OF(*transfer), &value) || value.n != 8)
        return false;
    *index = be64_get(value.p);
    return true;
}

bool view_ledger_note(struct view *v, const struct id *note, struct id *spent_by, struct span *data)
{
    struct span value;
    if (!get(v, DB_NOTE, SPAN_OF(*note), &value) || value.n < 32)
        return false;
    memcpy(spent_by->b, value.p, 32);
    *data = span(value.p + 32, value.n - 32);
    return true;
}

/* ---- blobs and mail ---- */

bool view_chunk(struct view *v, const struct id *root, uint32_t index, struct span *bytes,
                struct span *proof)
{
    uint8_t key[36];
    struct span value;
    memcpy(key, root->b, 32);
    be32_put(key + 32, index);
    if (!get(v, DB_CHUNK, SPAN_OF(key), &value) || value.n < 4)
        return false;
    uint32_t proof_n = be32_get(value.p);
    if (proof_n > value.n - 4)
        return false;
    *proof = span(value.p + 4, proof_n);
    *bytes = span(value.p + 4 + proof_n, value.n - 4 - proof_n);
    return true;
}

bool view_blob(struct view *v, const struct id *root, struct span *info, uint32_t *chunks_held)
{
    struct span value;
    if (!get(v, DB_BLOB, SPAN_OF(*root), &value) || value.n < BLOB_HEAD)
        return false;
    *chunks_held = be32_get(value.p + 9);
    *info = span(value.p + BLOB_HEAD, value.n - BLOB_HEAD);
    return true;
}

void view_mail(struct view *v, const struct id *mailbox, view_mail_fn *fn, void *arg)
{
    struct walk w;
    walk(v, DB_MAIL, &w);
    for (walk_seek(&w, SPAN_OF(*mailbox)); walk_in(&w, SPAN_OF(*mailbox)); walk_next(&w)) {
        struct id id;
        if (w.key.n != 64 || w.value.n < MAIL_HEAD)
            continue;
        memcpy(id.b, w.key.p + 32, 32);
        if (!fn(arg, &id, (int64_t)be64_get(w.value.p), span(w.value.p + MAIL_HEAD, w.value.n - MAIL_HEAD)))
            break;
    }
    walk_close(&w);
}
