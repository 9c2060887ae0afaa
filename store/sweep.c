/* sweep.c: taking the dead out of the stored postings, value by value.
 *
 * A value is unpacked, what is dead left out, and what stays packed again under the bounds that it had: a
 * bound may then be too high, never too low.  Documents from base on are let alone: they belong to a
 * generation that is being written. */
#include "store/postings.h"
#include <stdlib.h>

enum { SWEEP_POSTINGS = 20000, SWEEP_VALUES = 2000, VALUE_DOCS = POST_MAX_BYTES };

void index_dead_get(struct tx *t, struct index_dead *d)
{
    struct span v;
    *d = (struct index_dead){0};
    if (tx_get(t, DB_META, span_str("index_dead"), &v) && v.n == 16)
        *d = (struct index_dead){.docs = be64_get(v.p), .length = be64_get(v.p + 8)};
}

void index_dead_put(struct tx *t, const struct index_dead *d)
{
    uint8_t row[16];
    be64_put(row, d->docs);
    be64_put(row + 8, d->length);
    tx_put(t, DB_META, span_str("index_dead"), SPAN_OF(row));
}

void index_answer(struct tx *t, struct change *c, struct op *op, struct span key)
{
    struct index_dead dead;
    uint8_t found[16 + TERM_MAX_BYTES + 5];
    index_dead_get(t, &dead);
    be64_put(found, dead.docs);
    be64_put(found + 8, dead.length);
    if (key.n)
        memcpy(found + 16, key.p, key.n);
    op->found = arena_copy(&c->arena, span(found, 16 + key.n));
}

struct sweep {
    struct tx *t;
    uint32_t base, page_of;
    bool have_page, page_there;
    uint8_t page[DOC_PAGE];
    struct posting kept[VALUE_DOCS];
    float bound[VALUE_DOCS];
    struct post_out out;
    uint32_t seen; /* postings looked at */
};

static bool is_live(struct sweep *s, uint32_t doc)
{
    if (doc >= s->base)
        return true;
    if (!s->have_page || s->page_of != doc / DOCS_A_PAGE) {
        uint8_t key[4];
        struct span v;
        s->have_page = true;
        s->page_of = doc / DOCS_A_PAGE;
        be32_put(key, s->page_of);
        s->page_there = tx_get(s->t, DB_DOC, SPAN_OF(key), &v) && v.n == DOC_PAGE;
        if (s->page_there)
            memcpy(s->page, v.p, DOC_PAGE);
    }
    return s->page_there && s->page[doc % DOCS_A_PAGE * DOC_ROW + 46];
}

/* Unpacks a value; kept gets what is live.  Returns how many it held, 0 when it cannot be read. */
static uint32_t unpack(struct sweep *s, struct span v, uint32_t *kept)
{
    uint32_t all = 0;
    *kept = 0;
    unsigned subs = v.n >= POST_HEAD ? (unsigned)(v.p[0] | v.p[1] << 8) : 0;
    if (POST_HEAD + (size_t)subs * SUB_HEAD > v.n)
        return 0;
    uint32_t bits = 0;
    for (int b = 3; b >= 0; b--)
        bits = bits << 8 | v.p[4 + b];
    memcpy(&s->out.mean, &bits, 4);
    for (unsigned i = 0; i < subs; i++) {
        struct sub_head h = sub_head_read(v.p + POST_HEAD + (size_t)i * SUB_HEAD);
        uint32_t docs[SUB_DOCS];
        const uint8_t *tf;
        if (!sub_unpack(v, &h, subs, docs, &tf))
            return 0;
        for (unsigned k = 0; k <= h.n && *kept < VALUE_DOCS; k++, all++)
            if (is_live(s, docs[k])) {
                s->kept[*kept] = (struct posting){.doc = docs[k], .tf = tf[k]};
                s->bound[(*kept)++] = h.max;
            }
    }
    s->seen += all;
    return all;
}

static void repack(struct sweep *s, uint32_t kept)
{
    for (uint32_t i = 0; i < kept; i += SUB_DOCS) {
        uint32_t n = kept - i < SUB_DOCS ? kept - i : SUB_DOCS;
        float max = 0;
        for (uint32_t k = i; k < i + n; k++)
            max = s->bound[k] > max ? s->bound[k] : max;
        post_add_sub(s->t, &s->out, s->kept + i, n, max);
    }
    post_flush(s->t, &s->out);
}

static void term_less(struct sweep *s, uint32_t gone)
{
    struct span v, word = span(s->out.key, s->out.word_n);
    uint8_t row[8];
    if (!tx_get(s->t, DB_TERM, word, &v) || v.n != 8)
        return;
    uint32_t df = be32_get(v.p);
    memcpy(row, v.p, 8);
    be32_put(row, df > gone ? df - gone : 0);
    if (df > gone)
        tx_put(s->t, DB_TERM, word, SPAN_OF(row));
    else
        tx_del(s->t, DB_TERM, word);
}

static void value_sweep(struct sweep *s, struct span key, struct span value)
{
    uint8_t old[TERM_MAX_BYTES + 5];
    uint32_t kept, all = unpack(s, value, &kept);
    if (all == kept || key.n < 6 || key.n > sizeof old)
        return;
    memcpy(old, key.p, key.n);
    memcpy(s->out.key, key.p, key.n);
    s->out.word_n = key.n - 5;
    tx_del(s->t, DB_POST, span(old, key.n));
    repack(s, kept);
    term_less(s, all - kept);
}

static void sweep_done(struct tx *t, const struct index_dead *at_start)
{
    struct index_dead dead;
    struct index_meta meta;
    struct span v;
    uint8_t row[32];
    index_dead_get(t, &dead);
    dead.docs -= at_start->docs < dead.docs ? at_start->docs : dead.docs;
    dead.length -= at_start->length < dead.length ? at_start->length : dead.length;
    index_dead_put(t, &dead);
    if (!tx_get(t, DB_META, span_str("index"), &v) || !index_meta_read(&meta, v))
        return;
    meta.docs -= at_start->docs < meta.docs ? at_start->docs : meta.docs;
    meta.length -= at_start->length < meta.length ? at_start->length : meta.length;
    index_meta_write(row, &meta);
    tx_put(t, DB_META, span_str("index"), SPAN_OF(row));
}

int index_sweep(struct tx *t, struct change *c, struct op *op)
{
    struct span slice = op->index.slice, v;
    uint8_t key[TERM_MAX_BYTES + 5];
    struct index_meta meta = {0};
    if (slice.n < SWEEP_HEAD || slice.n > SWEEP_HEAD + sizeof key)
        return SOUK_EFORM;
    struct index_dead at_start = {.docs = be64_get(slice.p + 1), .length = be64_get(slice.p + 9)};
    size_t n = slice.n - SWEEP_HEAD;
    memcpy(key, slice.p + SWEEP_HEAD, n);
    if (tx_get(t, DB_META, span_str("index"), &v))
        index_meta_read(&meta, v);
    struct sweep *s = xcalloc(1, sizeof *s);
    s->t = t;
    s->base = meta.base;
    bool more = true;
    for (uint32_t values = 0; more && values < SWEEP_VALUES && s->seen < SWEEP_POSTINGS && !t->err;
         values++) {
        struct walk w;
        walk_open(&w, t->txn, t->s->dbi[DB_POST]);
        walk_seek(&w, span(key, n));
        more = w.valid && w.key.n <= sizeof key;
        if (more) {
            n = w.key.n;
            memcpy(key, w.key.p, n);
            be32_put(key + n - 4, be32_get(key + n - 4) + 1); /* from the next document number on */
            value_sweep(s, w.key, w.value);
        }
        walk_close(&w);
    }
    free(s);
    if (!more)
        sweep_done(t, &at_start);
    index_answer(t, c, op, more ? span(key, n) : span(NULL, 0));
    return t->err;
}
