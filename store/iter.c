/* iter.c: see iter.h. */
#include "store/iter.h"

static void end(struct iter *i)
{
    i->head = (struct sub_head){.first = DOC_END, .last = DOC_END};
    i->bound = 0;
}

/* The sub-block of a generation that begins at posting i->next; on to the next generation at its end. */
static void load_memory(struct iter *i)
{
    i->cursor = NULL;
    i->memory = true;
    if (i->rest[0].t && i->next >= i->rest[0].t->n) {
        i->rest[0] = i->rest[1];
        i->rest[1].t = NULL;
        i->next = 0;
    }
    const struct delta *d = i->rest[0].d;
    const struct delta_term *t = i->rest[0].t;
    if (!t) {
        end(i);
        return;
    }
    i->n = t->n - i->next < SUB_DOCS ? t->n - i->next : SUB_DOCS;
    for (uint32_t k = 0; k < i->n; k++) {
        i->docs[k] = delta_doc(d, t, i->next + k);
        i->own_tfs[k] = delta_tf(t, i->next + k);
    }
    i->next += i->n;
    i->tfs = i->own_tfs;
    i->at = 0;
    i->unpacked = true;
    i->head = (struct sub_head){.first = i->docs[0], .last = i->docs[i->n - 1]};
    /* Impact rises with tf and falls with length: no document of the generation exceeds this. */
    i->bound = bm25_impact(i->bm, t->most, 0);
}

/* Towards the sub-block that holds doc: whole ones before it are stepped over. */
static void seek_memory(struct iter *i, uint32_t doc)
{
    const struct delta *d = i->rest[0].d;
    const struct delta_term *t = i->rest[0].t;
    if (t && delta_doc(d, t, t->n - 1) < doc) {
        i->next = t->n;
    } else if (t) {
        uint32_t lo = i->next, hi = t->n;
        while (lo < hi) {
            uint32_t mid = (lo + hi) / 2;
            if (delta_doc(d, t, mid) < doc)
                lo = mid + 1;
            else
                hi = mid;
        }
        i->next = lo;
    }
    load_memory(i);
}

static void load_sub(struct iter *i)
{
    i->head = sub_head_read(i->value.p + POST_HEAD + (size_t)i->sub * SUB_HEAD);
    i->bound = bm25_bound(i->head.max, i->value_mean, i->mean);
    i->unpacked = false;
    if (i->head.first >= i->base) /* of a generation on its way out, or that a crash cut short */
        load_memory(i);
    else if (i->head.last >= i->base)
        i->head.last = i->base - 1; /* unpack leaves out the rest */
}

/* A value found by the cursor; false when it is another word's or unusable. */
static bool load_value(struct iter *i, MDB_val k, MDB_val v)
{
    i->value = span(v.mv_data, v.mv_size);
    if (k.mv_size != i->word_n + 5 || memcmp(k.mv_data, i->key, i->word_n + 1) != 0 ||
        i->value.n < POST_HEAD)
        return false;
    uint16_t subs = (uint16_t)(i->value.p[0] | i->value.p[1] << 8);
    if (subs == 0 || POST_HEAD + (size_t)subs * SUB_HEAD > i->value.n)
        return false;
    uint32_t bits = 0;
    for (int b = 3; b >= 0; b--)
        bits = bits << 8 | i->value.p[4 + b];
    memcpy(&i->value_mean, &bits, 4);
    i->subs = subs;
    i->sub = 0;
    return true;
}

static bool seek_value(struct iter *i, MDB_cursor_op how, uint32_t doc)
{
    MDB_val k = {0}, v;
    if (how == MDB_SET_RANGE) {
        be32_put(i->key + i->word_n + 1, doc);
        k = (MDB_val){i->word_n + 5, i->key};
    }
    return mdb_cursor_get(i->cursor, &k, &v, how) == 0 && load_value(i, k, v);
}

static uint32_t value_last(const struct iter *i)
{
    return sub_head_read(i->value.p + POST_HEAD + (size_t)(i->subs - 1) * SUB_HEAD).last;
}

/* Moves to the stored value that holds or follows doc: the next one often does; else by key. */
static bool value_for(struct iter *i, uint32_t doc)
{
    if (!seek_value(i, MDB_NEXT, 0))
        return false;
    if (value_last(i) >= doc)
        return true;
    /* The last value that begins at or before doc, or the one after it. */
    MDB_val k, v;
    be32_put(i->key + i->word_n + 1, doc);
    k = (MDB_val){i->word_n + 5, i->key};
    int rc = mdb_cursor_get(i->cursor, &k, &v, MDB_SET_RANGE);
    bool exact = rc == 0 && k.mv_size == i->word_n + 5 && memcmp(k.mv_data, i->key, k.mv_size) == 0;
    if (!exact && mdb_cursor_get(i->cursor, &k, &v, rc ? MDB_LAST : MDB_PREV) != 0)
        return false;
    if (!load_value(i, k, v))
        return false;
    return value_last(i) >= doc || seek_value(i, MDB_NEXT, 0);
}

bool iter_open(struct iter *i, struct index *x, struct view *v, uint32_t base, const struct bm25 *bm,
               float mean, uint8_t kind, struct span word)
{
    struct span row;
    i->rest[0].t = i->rest[1].t = NULL;
    i->next = 0;
    i->bm = bm;
    i->mean = mean;
    i->base = base;
    i->cursor = NULL;
    i->df = 0;
    i->memory = false;
    if (word.n >= TERM_MAX_BYTES)
        word.n = TERM_MAX_BYTES - 1;
    i->key[0] = kind;
    memcpy(i->key + 1, word.p, word.n);
    i->word_n = word.n + 1;
    i->key[i->word_n] = 0;
    bool stored = db_get(v->txn, v->s->dbi[DB_TERM], span(i->key, i->word_n), &row) && row.n == 8;
    uint32_t last = stored ? be32_get(row.p + 4) : 0;
    struct delta *generations[2] = {x->old.n && x->old.first >= base ? &x->old : NULL, &x->young};
    int n = 0;
    for (int g = 0; g < 2; g++) {
        struct delta_term *t = generations[g] ? delta_term(generations[g], kind, word, false) : NULL;
        /* A document is being added only inside index_doc_add: every posting here is of a whole one. */
        if (t && t->n) {
            i->rest[n].d = generations[g];
            i->rest[n++].t = t;
            if (!stored ||
                last < delta_doc(generations[g], t, 0)) /* else written out already, and counted there */
                i->df += t->n;
        }
    }
    if (stored && mdb_cursor_open(v->txn, v->s->dbi[DB_POST], &i->cursor) == 0) {
        MDB_cursor *cursor = i->cursor;
        i->df += be32_get(row.p);
        if (seek_value(i, MDB_SET_RANGE, 0))
            load_sub(i);
        else
            load_memory(i);
        if (!i->cursor)
            mdb_cursor_close(cursor);
    } else {
        load_memory(i);
    }
    return i->head.first != DOC_END;
}

void iter_close(struct iter *i)
{
    if (i->cursor)
        mdb_cursor_close(i->cursor);
    i->cursor = NULL;
}

static void stored_done(struct iter *i)
{
    iter_close(i);
    load_memory(i);
}

void iter_block(struct iter *i, uint32_t doc)
{
    while (i->head.last < doc) {
        if (i->memory) {
            seek_memory(i, doc);
            continue;
        }
        MDB_cursor *cursor = i->cursor;
        if (doc >= i->base || (value_last(i) < doc && !value_for(i, doc))) {
            stored_done(i);
            continue;
        }
        while (sub_head_read(i->value.p + POST_HEAD + (size_t)i->sub * SUB_HEAD).last < doc)
            i->sub++;
        load_sub(i);
        if (!i->cursor)
            mdb_cursor_close(cursor);
    }
}

static bool unpack(struct iter *i)
{
    i->unpacked = true;
    i->at = 0;
    i->n = 0;
    if (!sub_unpack(i->value, &i->head, i->subs, i->docs, &i->tfs))
        return false; /* damaged: as if empty; the check says so */
    i->n = i->head.n + 1u;
    while (i->n && i->docs[i->n - 1] >= i->base)
        i->n--;
    return true;
}

uint32_t iter_doc(struct iter *i, uint32_t doc)
{
    if (!i->unpacked)
        unpack(i);
    if (i->at < i->n && i->docs[i->at] >= doc) {
        /* Never back: a document before `at` was asked for already, unless a block began anew. */
        return i->docs[i->at];
    }
    uint32_t lo = i->at, step = 1;
    while (lo + step < i->n && i->docs[lo + step] < doc) {
        lo += step;
        step *= 2;
    }
    uint32_t hi = lo + step < i->n ? lo + step : i->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (i->docs[mid] < doc)
            lo = mid + 1;
        else
            hi = mid;
    }
    i->at = lo;
    return lo < i->n ? i->docs[lo] : DOC_END;
}
