/* postings.c: see postings.h.  Slices come from store/index.c in this process; they are still read with
 * care, since an index must never harm the records beside it. */
#include "store/postings.h"
#include <stdlib.h>

/* ---- rows and numbers ---- */

static void le16_put(uint8_t *o, uint16_t v)
{
    o[0] = (uint8_t)v;
    o[1] = (uint8_t)(v >> 8);
}

static void le32_put(uint8_t *o, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        o[i] = (uint8_t)(v >> (8 * i));
}

static uint16_t le16_get(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32_get(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void float_put(uint8_t *o, float f)
{
    uint32_t v;
    memcpy(&v, &f, 4);
    le32_put(o, v);
}

static float float_get(const uint8_t *p)
{
    uint32_t v = le32_get(p);
    float f;
    memcpy(&f, &v, 4);
    return f;
}

void doc_write(uint8_t out[static DOC_ROW], const struct doc_row *r)
{
    be64_put(out, r->serial);
    be64_put(out + 8, r->seller);
    be64_put(out + 16, (uint64_t)r->price);
    be32_put(out + 24, r->created_s);
    be32_put(out + 28, r->expires_s);
    be32_put(out + 32, r->currency);
    be32_put(out + 36, r->category);
    be32_put(out + 40, r->place);
    be16_put(out + 44, r->length);
    out[46] = r->live;
    out[47] = r->type;
}

void doc_read(struct doc_row *out, const uint8_t in[static DOC_ROW])
{
    out->serial = be64_get(in);
    out->seller = be64_get(in + 8);
    out->price = (int64_t)be64_get(in + 16);
    out->created_s = be32_get(in + 24);
    out->expires_s = be32_get(in + 28);
    out->currency = be32_get(in + 32);
    out->category = be32_get(in + 36);
    out->place = be32_get(in + 40);
    out->length = be16_get(in + 44);
    out->live = in[46];
    out->type = in[47];
}

bool index_meta_read(struct index_meta *out, struct span value)
{
    *out = (struct index_meta){0};
    if (value.n != 32)
        return false;
    out->base = be32_get(value.p);
    out->next = be32_get(value.p + 4);
    out->upto = be64_get(value.p + 8);
    out->docs = be64_get(value.p + 16);
    out->length = be64_get(value.p + 24);
    return true;
}

void index_meta_write(uint8_t out[static 32], const struct index_meta *m)
{
    be32_put(out, m->base);
    be32_put(out + 4, m->next);
    be64_put(out + 8, m->upto);
    be64_put(out + 16, m->docs);
    be64_put(out + 24, m->length);
}

/* Exact below 64, then in steps of 4, 16 and 64: long texts differ little in what they weigh. */
uint8_t length_quantise(uint32_t length)
{
    if (length < 64)
        return (uint8_t)length;
    if (length < 64 + 4 * 64)
        return (uint8_t)(64 + (length - 64) / 4);
    if (length < 320 + 16 * 64)
        return (uint8_t)(128 + (length - 320) / 16);
    uint32_t q = 192 + (length - 1344) / 64;
    return (uint8_t)(q > 255 ? 255 : q);
}

uint32_t length_of(uint8_t q)
{
    if (q < 64)
        return q;
    if (q < 128)
        return 64 + (q - 64u) * 4 + 2;
    if (q < 192)
        return 320 + (q - 128u) * 16 + 8;
    return 1344 + (q - 192u) * 64 + 32;
}

void bm25_init(struct bm25 *b, double mean_length)
{
    double mean = mean_length > 1 ? mean_length : 1;
    for (unsigned q = 0; q < 256; q++)
        b->k[q] = (float)(1.2 * (0.25 + 0.75 * length_of((uint8_t)q) / mean));
}

float bm25_bound(float max, float mean_then, float mean_now)
{
    if (mean_now <= mean_then || max <= 0)
        return max;
    float r = mean_then / mean_now;
    return 2.2f / (1 + r * (2.2f / max - 1)) * 1.00001f;
}

/* ---- values ---- */

struct sub_head sub_head_read(const uint8_t *p)
{
    return (struct sub_head){.first = le32_get(p),
                             .last = le32_get(p + 4),
                             .at = le16_get(p + 8),
                             .n = p[10],
                             .bits = p[11],
                             .max = float_get(p + 12)};
}

static void sub_head_write(uint8_t *p, const struct sub_head *h)
{
    le32_put(p, h->first);
    le32_put(p + 4, h->last);
    le16_put(p + 8, h->at);
    p[10] = h->n;
    p[11] = h->bits;
    float_put(p + 12, h->max);
}

static size_t packed_bytes(unsigned differences, unsigned bits)
{
    return ((size_t)differences * bits + 7) / 8;
}

bool sub_unpack(struct span value, const struct sub_head *h, unsigned subs, uint32_t docs[static SUB_DOCS],
                const uint8_t **tf)
{
    size_t at = POST_HEAD + (size_t)subs * SUB_HEAD + h->at, bytes = packed_bytes(h->n, h->bits);
    if (h->n >= SUB_DOCS || h->bits > 32 || at + bytes + h->n + 1 > value.n)
        return false;
    const uint8_t *p = value.p + at;
    *tf = p + bytes;
    uint8_t near_end[SUB_DOCS * 4 + 8];
    if (at + bytes + 8 > value.n) { /* whole words are read below: not beyond the value */
        memcpy(near_end, p, bytes);
        memset(near_end + bytes, 0, 8);
        p = near_end;
    }
    uint64_t mask = ((uint64_t)1 << h->bits) - 1;
    uint32_t doc = docs[0] = h->first;
    for (unsigned i = 1, bit = 0; i <= h->n; i++, bit += h->bits) {
        uint64_t word;
        memcpy(&word, p + (bit >> 3), 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        doc += 1 + (uint32_t)((word >> (bit & 7)) & mask);
        docs[i] = doc;
    }
    return true;
}

static void post_key(uint8_t *key, size_t word_n, uint32_t doc)
{
    key[word_n] = 0;
    be32_put(key + word_n + 1, doc);
}

void post_flush(struct tx *t, struct post_out *o)
{
    uint8_t v[POST_MAX_BYTES];
    if (!o->subs)
        return;
    le16_put(v, (uint16_t)o->subs);
    le16_put(v + 2, 0);
    float_put(v + 4, o->mean);
    size_t n = POST_HEAD;
    for (unsigned i = 0; i < o->subs; i++, n += SUB_HEAD)
        sub_head_write(v + n, &o->heads[i]);
    memcpy(v + n, o->payload, o->payload_n);
    post_key(o->key, o->word_n, o->heads[0].first);
    tx_put(t, DB_POST, span(o->key, o->word_n + 5), span(v, n + o->payload_n));
    o->subs = 0;
    o->payload_n = 0;
}

static void post_room(struct tx *t, struct post_out *o, size_t payload)
{
    if (POST_HEAD + (o->subs + 1) * (size_t)SUB_HEAD + o->payload_n + payload > POST_MAX_BYTES)
        post_flush(t, o);
}

void post_add_sub(struct tx *t, struct post_out *o, const struct posting *p, unsigned n, float max)
{
    uint32_t widest = 0;
    for (unsigned i = 1; i < n; i++)
        widest |= p[i].doc - p[i - 1].doc - 1;
    unsigned bits = widest ? 32 - (unsigned)__builtin_clz(widest) : 0;
    size_t bytes = packed_bytes(n - 1, bits);
    post_room(t, o, bytes + n);
    uint8_t *out = o->payload + o->payload_n;
    uint64_t acc = 0;
    unsigned held = 0;
    for (unsigned i = 1; i < n; i++) {
        acc |= (uint64_t)(p[i].doc - p[i - 1].doc - 1) << held;
        for (held += bits; held >= 8; held -= 8, acc >>= 8)
            *out++ = (uint8_t)acc;
    }
    if (held)
        *out++ = (uint8_t)acc;
    for (unsigned i = 0; i < n; i++)
        *out++ = p[i].tf;
    o->heads[o->subs++] = (struct sub_head){.first = p[0].doc,
                                            .last = p[n - 1].doc,
                                            .at = (uint16_t)o->payload_n,
                                            .n = (uint8_t)(n - 1),
                                            .bits = (uint8_t)bits,
                                            .max = max};
    o->payload_n += bytes + n;
}

/* Takes over the last stored value of a word: full sub-blocks as they are, the last and not yet full one
 * into `tail` with the bound that it had. */
static unsigned post_reopen(struct tx *t, struct post_out *o, struct posting tail[static SUB_DOCS],
                            float *max)
{
    struct walk w;
    struct span v = {0};
    unsigned kept = 0;
    post_key(o->key, o->word_n, UINT32_MAX);
    walk_open(&w, t->txn, t->s->dbi[DB_POST]);
    walk_seek_before(&w, span(o->key, o->word_n + 5));
    if (walk_in(&w, span(o->key, o->word_n + 1)) && w.key.n == o->word_n + 5)
        v = w.value;
    walk_close(&w);
    unsigned subs = v.n >= POST_HEAD ? le16_get(v.p) : 0;
    if (subs == 0 || v.n > POST_MAX_BYTES || POST_HEAD + (size_t)subs * SUB_HEAD > v.n)
        return 0;
    float mean = float_get(v.p + 4);
    struct sub_head last = sub_head_read(v.p + POST_HEAD + (subs - 1) * SUB_HEAD);
    bool open = last.n + 1 < SUB_DOCS;
    if (!open && v.n + SUB_HEAD + 64 > POST_MAX_BYTES)
        return 0; /* full: a new value begins */
    for (unsigned i = 0; i < subs - open; i++) {
        o->heads[i] = sub_head_read(v.p + POST_HEAD + i * SUB_HEAD);
        o->heads[i].max = bm25_bound(o->heads[i].max, mean, o->mean);
    }
    o->subs = subs - open;
    const uint8_t *payload = v.p + POST_HEAD + (size_t)subs * SUB_HEAD;
    o->payload_n = open ? last.at : v.n - (size_t)(payload - v.p);
    if (o->payload_n > v.n - (size_t)(payload - v.p)) {
        t->err = SOUK_EDAMAGED;
        return 0;
    }
    memcpy(o->payload, payload, o->payload_n);
    uint32_t docs[SUB_DOCS];
    const uint8_t *tf;
    if (open && sub_unpack(v, &last, subs, docs, &tf)) {
        for (; kept <= last.n; kept++)
            tail[kept] = (struct posting){.doc = docs[kept], .tf = tf[kept]};
        *max = bm25_bound(last.max, mean, o->mean);
    }
    return kept;
}

static void term_append(struct tx *t, struct post_out *o, const struct bm25 *bm, const struct posting *p,
                        size_t n)
{
    struct posting sub[SUB_DOCS];
    struct span v, word = span(o->key, o->word_n);
    uint32_t df = 0, last = 0;
    if (tx_get(t, DB_TERM, word, &v) && v.n == 8) {
        df = be32_get(v.p);
        last = be32_get(v.p + 4);
    }
    while (df && n && p->doc <= last) { /* this slice again: the same outcome */
        p++;
        n--;
    }
    if (!n)
        return;
    uint8_t row[8];
    be32_put(row, df + (uint32_t)n);
    be32_put(row + 4, p[n - 1].doc);
    tx_put(t, DB_TERM, word, SPAN_OF(row));
    float max = 0;
    unsigned have = df ? post_reopen(t, o, sub, &max) : 0;
    for (size_t i = 0; i < n; i++) {
        float impact = bm25_impact(bm, p[i].tf, p[i].length) * 1.00001f;
        sub[have++] = p[i];
        max = impact > max ? impact : max;
        if (have == SUB_DOCS || i + 1 == n) {
            post_add_sub(t, o, sub, have, max);
            have = 0;
            max = 0;
        }
    }
    post_flush(t, o);
}

/* ---- slices ---- */

struct reader {
    const uint8_t *p, *end;
    bool bad;
};

static const uint8_t *take(struct reader *r, size_t n)
{
    static const uint8_t none[64];
    if (r->bad || (size_t)(r->end - r->p) < n) {
        r->bad = true;
        return none;
    }
    r->p += n;
    return r->p - n;
}

static void apply_terms(struct tx *t, struct reader *r, float mean)
{
    struct bm25 bm;
    struct post_out *o = xcalloc(1, sizeof *o);
    struct buf postings = {0};
    bm25_init(&bm, mean);
    uint32_t terms = be32_get(take(r, 4));
    for (uint32_t i = 0; i < terms && !r->bad && !t->err; i++) {
        o->word_n = *take(r, 1);
        if (o->word_n == 0 || o->word_n > TERM_MAX_BYTES) {
            r->bad = true;
            break;
        }
        memcpy(o->key, take(r, o->word_n), o->word_n);
        o->mean = mean;
        size_t n = be32_get(take(r, 4));
        if (n > (size_t)(r->end - r->p) / 6)
            r->bad = true;
        buf_clear(&postings);
        for (size_t k = 0; k < n && !r->bad; k++) {
            const uint8_t *q = take(r, 6);
            struct posting p = {.doc = be32_get(q), .tf = q[4], .length = q[5]};
            buf_append(&postings, &p, sizeof p);
        }
        if (!r->bad)
            term_append(t, o, &bm, (const struct posting *)(const void *)postings.p, n);
    }
    buf_free(&postings);
    free(o);
}

static void doc_put(struct tx *t, uint32_t doc, const uint8_t *row)
{
    uint8_t page[DOC_PAGE] = {0}, key[4];
    struct span v;
    be32_put(key, doc / DOCS_A_PAGE);
    if (tx_get(t, DB_DOC, SPAN_OF(key), &v) && v.n == DOC_PAGE)
        memcpy(page, v.p, DOC_PAGE);
    memcpy(page + doc % DOCS_A_PAGE * DOC_ROW, row, DOC_ROW);
    tx_put(t, DB_DOC, SPAN_OF(key), SPAN_OF(page));
}

static void apply_docs(struct tx *t, struct reader *r)
{
    uint32_t docs = be32_get(take(r, 4));
    for (uint32_t i = 0; i < docs && !r->bad && !t->err; i++) {
        uint8_t number[4], row[DOC_ROW];
        memcpy(number, take(r, 4), 4);
        memcpy(row, take(r, DOC_ROW), DOC_ROW);
        struct span v, serial = span(row, 8);
        /* The record may be gone since the document was added. */
        row[46] = tx_get(t, DB_REC, serial, &v) && v.n > 0 && !(v.p[0] & REC_STUB);
        if (tx_get(t, DB_SDOC, serial, &v) && v.n == 4 && memcmp(v.p, number, 4) != 0)
            index_forget(t, be64_get(row)); /* a copy from a generation that a crash cut short */
        doc_put(t, be32_get(number), row);
        if (row[46])
            tx_put(t, DB_SDOC, serial, SPAN_OF(number));
    }
}

int index_apply(struct tx *t, struct change *c, struct op *op)
{
    struct span slice = op->index.slice;
    if (slice.n && slice.p[0] == SLICE_SWEEP)
        return index_sweep(t, c, op);
    struct reader r = {.p = slice.p, .end = slice.p + slice.n};
    struct index_meta now = {0}, given;
    struct span v;
    bool final = *take(&r, 1) == SLICE_LAST;
    uint32_t next = be32_get(take(&r, 4));
    uint32_t mean_bits = be32_get(take(&r, 4));
    float mean;
    memcpy(&mean, &mean_bits, 4);
    if (!index_meta_read(&given, span(take(&r, 32), 32)) || r.bad)
        return SOUK_EFORM;
    apply_terms(t, &r, mean);
    apply_docs(t, &r);
    if (r.bad || r.p != r.end)
        return SOUK_EFORM;
    if (tx_get(t, DB_META, span_str("index"), &v))
        index_meta_read(&now, v);
    if (final)
        now = given;
    if (now.next < next)
        now.next = next;
    uint8_t row[32];
    index_meta_write(row, &now);
    tx_put(t, DB_META, span_str("index"), SPAN_OF(row));
    index_answer(t, c, op, span(NULL, 0));
    return t->err;
}

void index_reset(struct tx *t)
{
    tx_del(t, DB_META, span_str("index"));
    tx_del(t, DB_META, span_str("index_dead"));
}

static void dead_count(struct tx *t, uint16_t length)
{
    struct index_dead dead;
    index_dead_get(t, &dead);
    dead.docs++;
    dead.length += length;
    index_dead_put(t, &dead);
}

void index_forget(struct tx *t, uint64_t serial)
{
    uint8_t key[8], page[DOC_PAGE], number[4];
    struct span v;
    be64_put(key, serial);
    if (!tx_get(t, DB_SDOC, SPAN_OF(key), &v) || v.n != 4)
        return;
    uint32_t doc = be32_get(v.p);
    be32_put(number, doc / DOCS_A_PAGE);
    tx_del(t, DB_SDOC, SPAN_OF(key));
    if (!tx_get(t, DB_DOC, SPAN_OF(number), &v) || v.n != DOC_PAGE)
        return;
    memcpy(page, v.p, DOC_PAGE);
    uint8_t *row = page + doc % DOCS_A_PAGE * DOC_ROW;
    if (be64_get(row) == serial && row[46]) {
        row[46] = 0;
        dead_count(t, be16_get(row + 44));
    }
    bool any = false;
    for (int i = 0; i < DOCS_A_PAGE; i++)
        any = any || page[i * DOC_ROW + 46];
    if (any)
        tx_put(t, DB_DOC, SPAN_OF(number), SPAN_OF(page));
    else
        tx_del(t, DB_DOC, SPAN_OF(number)); /* what is not there is not live */
}
