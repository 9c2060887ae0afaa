/* index.c: taking documents in and writing generations out. */
#include "store/index.h"
#include <stdlib.h>

/* ---- facts as numbers and words ---- */

uint32_t doc_currency(const struct currency *c)
{
    uint32_t v = be32_get(c->b);
    return currency_is_iso(c) ? v : v | 0x80000000u; /* letters have no high bit */
}

uint32_t doc_place(struct span geohash, unsigned *characters)
{
    static const char alphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint32_t v = 0;
    unsigned n = 0;
    for (; n < geohash.n && n < 5 && geohash.p[n]; n++) {
        const char *at = strchr(alphabet, geohash.p[n] | 0x20);
        if (geohash.p[n] >= '0' && geohash.p[n] <= '9')
            at = strchr(alphabet, geohash.p[n]);
        if (!at || !*at)
            break;
        v |= (uint32_t)(at - alphabet) << (27 - 5 * n);
    }
    *characters = n;
    return v | n; /* the low 7 bits are free: how many characters */
}

uint64_t doc_seller(const struct identity *seller)
{
    return be64_get(seller->b);
}

struct span seller_word(uint8_t out[static 16], const struct identity *seller)
{
    char hex[17];
    hex_encode(hex, seller->b, 8);
    memcpy(out, hex, 16);
    return span(out, 16);
}

struct span number_word(uint8_t out[static 2], unsigned n)
{
    out[0] = (uint8_t)('a' + n / 16 % 16);
    out[1] = (uint8_t)('a' + n % 16);
    return span(out, 2);
}

/* ---- opening ---- */

static void lengths_room(struct index *x, size_t n)
{
    if (n <= x->lengths_cap)
        return;
    size_t cap = x->lengths_cap ? x->lengths_cap : 1024;
    while (cap < n)
        cap *= 2;
    x->lengths = xrealloc(x->lengths, cap);
    memset(x->lengths + x->lengths_cap, 0, cap - x->lengths_cap);
    x->lengths_cap = cap;
}

static void lengths_read(struct index *x, struct view *v)
{
    struct walk w;
    lengths_room(x, x->stored.next);
    walk_open(&w, v->txn, v->s->dbi[DB_DOC]);
    for (walk_seek(&w, span(NULL, 0)); w.valid; walk_next(&w)) {
        if (w.key.n != 4 || w.value.n != DOC_PAGE)
            continue;
        uint64_t first = (uint64_t)be32_get(w.key.p) * DOCS_A_PAGE;
        for (uint32_t i = 0; i < DOCS_A_PAGE && first + i < x->stored.next; i++) {
            struct doc_row row;
            doc_read(&row, w.value.p + i * DOC_ROW);
            x->lengths[first + i] = length_quantise(row.length);
        }
    }
    walk_close(&w);
}

struct index *index_open(struct view *v, struct rng *rng)
{
    struct index *x = xcalloc(1, sizeof *x);
    struct span value;
    uint8_t seed[16];
    x->s = v->s;
    x->slice_terms = SLICE_TERMS;
    if (db_get(v->txn, v->s->dbi[DB_META], span_str("index"), &value))
        index_meta_read(&x->stored, value);
    if (db_get(v->txn, v->s->dbi[DB_META], span_str("index_dead"), &value) && value.n == 16)
        x->dead = (struct index_dead){.docs = be64_get(value.p), .length = be64_get(value.p + 8)};
    lengths_read(x, v);
    x->stemmers = stemmers_new();
    rng_bytes(rng, seed, sizeof seed);
    delta_init(&x->young, x->stored.next, seed);
    x->old.first = x->stored.next;
    return x;
}

void index_close(struct index *x)
{
    if (!x)
        return;
    delta_free(&x->old);
    delta_free(&x->young);
    stemmers_free(x->stemmers);
    free(x->lengths);
    free(x);
}

uint64_t index_upto(const struct index *x)
{
    return x->stored.upto;
}

size_t index_waiting(const struct index *x)
{
    return (size_t)x->old.n + x->young.n;
}

uint64_t index_docs(const struct index *x)
{
    return x->stored.docs + x->old.n + x->young.n;
}

double index_mean(const struct index *x)
{
    uint64_t docs = index_docs(x);
    return docs ? (double)(x->stored.length + x->old.length + x->young.length) / (double)docs : 1;
}

void index_stats(const struct index *x, struct index_stats *out)
{
    *out = (struct index_stats){.docs = index_docs(x), .waiting = index_waiting(x)};
    out->terms_in_memory = x->old.terms + x->young.terms;
    out->bytes_in_memory = x->old.arena.used_bytes + x->young.arena.used_bytes + x->lengths_cap;
    out->mean_length = index_mean(x);
}

uint8_t index_length(const struct index *x, uint32_t doc)
{
    if (doc >= x->young.first)
        return doc - x->young.first < x->young.n ? x->young.lengths[doc - x->young.first] : 0;
    if (doc >= x->old.first && x->old.n)
        return doc - x->old.first < x->old.n ? x->old.lengths[doc - x->old.first] : 0;
    return doc < x->lengths_cap ? x->lengths[doc] : 0;
}

/* ---- adding ---- */

enum { TITLE_WEIGHT = 3 };
struct adding {
    struct index *x;
    enum word_lang lang;
    unsigned weight;
    uint32_t length;
};

static void add_word(void *arg, struct span word)
{
    static const uint8_t kinds[WORDS_LANGS] = {[WORDS_FR] = KIND_FR, [WORDS_EN] = KIND_EN};
    struct adding *a = arg;
    struct delta *d = &a->x->young;
    struct delta_term *plain = delta_term(d, KIND_PLAIN, word, true);
    delta_count(d, plain, a->weight);
    a->length += a->weight;
    if (a->lang >= WORDS_LANGS)
        return;
    if (!plain->stem_known[a->lang]) {
        struct span root = stem(a->x->stemmers, a->lang, word);
        plain->stem_known[a->lang] = true;
        if (!span_eq(root, word)) /* a word that is its own stem is found as such: see open_word */
            plain->stems[a->lang] = delta_term(d, kinds[a->lang], root, true);
    }
    if (plain->stems[a->lang])
        delta_count(d, plain->stems[a->lang], a->weight);
}

static void add_fact(struct index *x, enum word_kind kind, struct span word)
{
    if (word.n && word.n < TERM_MAX_BYTES)
        delta_count(&x->young, delta_term(&x->young, (uint8_t)kind, word, true), 1);
}

static void add_facts(struct index *x, const struct index_doc *doc)
{
    uint8_t seller[16], number[2];
    for (size_t i = 1; i <= doc->category.n; i++)
        if (i == doc->category.n || doc->category.p[i] == '/')
            add_fact(x, KIND_CATEGORY, span(doc->category.p, i));
    add_fact(x, KIND_REGION, doc->region);
    add_fact(x, KIND_LANG, span(doc->lang.p, doc->lang.n < 2 ? doc->lang.n : 2));
    add_fact(x, KIND_SELLER, seller_word(seller, &doc->seller));
    add_fact(x, KIND_TYPE, number_word(number, doc->type));
    for (unsigned i = 0; i < 16; i++) {
        if (doc->rails >> i & 1)
            add_fact(x, KIND_RAIL, number_word(number, i));
        if (doc->deliveries >> i & 1)
            add_fact(x, KIND_DELIVERY, number_word(number, i));
    }
}

static uint32_t seconds(int64_t ms)
{
    return ms <= 0 ? 0 : ms / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ms / 1000);
}

int index_doc_add(struct index *x, uint64_t serial, const struct index_doc *doc)
{
    uint64_t last = x->young.n ? x->young.upto : x->old.n ? x->old.upto : x->stored.upto;
    unsigned characters;
    if (serial <= last)
        return SOUK_EDUPLICATE;
    if (x->young.n >= INDEX_DOCS_MAX || x->young.first + x->young.n >= DOC_END - 1)
        return SOUK_EBUSY;
    struct adding a = {.x = x, .lang = words_lang(doc->lang), .weight = TITLE_WEIGHT};
    words_each(doc->title, add_word, &a);
    a.weight = 1;
    words_each(doc->text, add_word, &a);
    add_facts(x, doc);
    struct doc_row row = {.serial = serial, .live = true, .type = doc->type};
    row.seller = doc_seller(&doc->seller);
    row.price = doc->price.minor;
    row.currency = doc_currency(&doc->price.currency);
    row.created_s = seconds(doc->created);
    row.expires_s = doc->expires ? seconds(doc->expires) : UINT32_MAX;
    row.place = doc_place(doc->place, &characters);
    row.length = (uint16_t)(a.length > UINT16_MAX ? UINT16_MAX : a.length);
    delta_end(&x->young, &row);
    x->added_since++;
    return 0;
}

/* ---- writing out ---- */

static bool flush_begin(struct index *x, bool hurry)
{
    bool quiet = x->added_since == 0;
    x->added_since = 0;
    if (!x->young.n || (!hurry && x->young.n < (quiet ? INDEX_FLUSH_DOCS : INDEX_BULK_DOCS)))
        return false;
    x->old = x->young;
    delta_init(&x->young, x->old.first + x->old.n, x->old.seed);
    x->bucket_at = 0;
    x->doc_at = 0;
    return true;
}

static int by_word(const void *a, const void *b)
{
    const struct delta_term *x = *(struct delta_term *const *)a, *y = *(struct delta_term *const *)b;
    size_t n = x->word_n < y->word_n ? x->word_n : y->word_n;
    int d = memcmp(x->word, y->word, n);
    return d ? d : (int)x->word_n - (int)y->word_n;
}

static void slice_term(const struct index *x, struct buf *out, const struct delta_term *t)
{
    uint8_t n[4];
    buf_append(out, &t->word_n, 1);
    buf_append(out, t->word, t->word_n);
    be32_put(n, t->n);
    buf_append(out, n, 4);
    uint8_t *p = buf_grow(out, (size_t)t->n * 6);
    for (uint32_t i = 0; i < t->n; i++, p += 6) {
        be32_put(p, delta_doc(&x->old, t, i));
        p[4] = delta_tf(t, i);
        p[5] = x->old.lengths[t->postings[i] >> 8];
    }
}

/* Terms of the next buckets, as many as the writer takes in some milliseconds; returns how many. */
static uint32_t slice_terms(struct index *x, struct buf *out)
{
    struct delta_term **sorted = NULL;
    size_t cap = 0;
    uint32_t terms = 0, postings = 0;
    size_t b = x->bucket_at;
    for (; b < DELTA_BUCKETS && terms < x->slice_terms && postings < SLICE_POSTINGS; b++) {
        size_t n = 0;
        for (struct delta_term *t = x->old.order[b]; t; t = t->beside) {
            if (n == cap) {
                cap = cap ? 2 * cap : 256;
                sorted = xrealloc(sorted, cap * sizeof(struct delta_term *));
            }
            sorted[n++] = t;
        }
        if (n > 1)
            qsort(sorted, n, sizeof(struct delta_term *), by_word);
        for (size_t i = 0; i < n; i++) {
            slice_term(x, out, sorted[i]);
            postings += sorted[i]->n;
        }
        terms += (uint32_t)n;
    }
    free(sorted);
    x->bucket_next = b;
    return terms;
}

static uint32_t slice_docs(struct index *x, struct buf *out)
{
    uint32_t n = 0;
    for (x->doc_next = x->doc_at; x->doc_next < x->old.n && n < SLICE_ROWS; x->doc_next++, n++) {
        uint8_t *p = buf_grow(out, 4 + DOC_ROW);
        be32_put(p, x->old.first + x->doc_next);
        doc_write(p + 4, &x->old.rows[x->doc_next]);
    }
    return n;
}

/* Once a quarter is dead, sweeping it out pays. */
static bool sweep_slice(struct index *x, struct change *c)
{
    uint8_t slice[SWEEP_HEAD + sizeof x->sweep_key];
    if (!x->sweeping && (x->dead.docs < SWEEP_LEAST || x->dead.docs < x->stored.docs / 4))
        return false;
    if (!x->sweeping) {
        x->sweeping = true;
        x->sweep_dead = x->dead;
        x->sweep_n = 0;
    }
    slice[0] = SLICE_SWEEP;
    be64_put(slice + 1, x->sweep_dead.docs);
    be64_put(slice + 9, x->sweep_dead.length);
    memcpy(slice + SWEEP_HEAD, x->sweep_key, x->sweep_n);
    change_index(c, span(slice, SWEEP_HEAD + x->sweep_n));
    x->slice_out = x->sweep_out = true;
    return true;
}

static void swept(struct index *x, struct span next)
{
    x->sweep_n = next.n <= sizeof x->sweep_key ? next.n : 0;
    memcpy(x->sweep_key, next.p, x->sweep_n);
    if (x->sweep_n)
        return;
    x->sweeping = false;
    x->stored.docs -= x->sweep_dead.docs;
    x->stored.length -= x->sweep_dead.length;
}

bool index_flush_slice(struct index *x, struct change *c, bool hurry)
{
    MUST(!x->slice_out);
    if (!x->old.n && !flush_begin(x, hurry))
        return sweep_slice(x, c);
    struct buf out = {0};
    uint8_t *head = buf_grow(&out, SLICE_HEAD), n[4];
    memset(head, 0, SLICE_HEAD);
    size_t terms_at = out.n;
    buf_append(&out, "\0\0\0\0", 4);
    x->bucket_next = x->bucket_at;
    x->doc_next = x->doc_at;
    be32_put(n, slice_terms(x, &out));
    memcpy(out.p + terms_at, n, 4);
    size_t docs_at = out.n;
    buf_append(&out, "\0\0\0\0", 4);
    be32_put(n, x->bucket_next == DELTA_BUCKETS ? slice_docs(x, &out) : 0);
    memcpy(out.p + docs_at, n, 4);
    struct index_meta after = {.base = x->old.first + x->old.n, .next = x->old.first + x->old.n};
    after.upto = x->old.upto;
    after.docs = x->stored.docs + x->old.n;
    after.length = x->stored.length + x->old.length;
    float mean = (float)index_mean(x);
    x->last_out = x->bucket_next == DELTA_BUCKETS && x->doc_next == x->old.n;
    uint32_t mean_bits;
    memcpy(&mean_bits, &mean, 4);
    out.p[0] = x->last_out ? SLICE_LAST : SLICE_MORE;
    be32_put(out.p + 1, after.next);
    be32_put(out.p + 5, mean_bits);
    index_meta_write(out.p + 9, &after);
    change_index(c, buf_view(&out));
    buf_free(&out);
    x->slice_out = true;
    return true;
}

void index_flushed(struct index *x, const struct change *c)
{
    MUST(x->slice_out);
    x->slice_out = false;
    bool sweep = x->sweep_out;
    x->sweep_out = false;
    if (c->err)
        return; /* nothing was applied: the same slice again */
    struct index_dead dead = {0};
    const struct op *op = &c->ops[c->ops_n - 1];
    if (op->found.n >= 16)
        dead = (struct index_dead){.docs = be64_get(op->found.p), .length = be64_get(op->found.p + 8)};
    x->dead = dead;
    if (sweep) {
        swept(x, op->found.n >= 16 ? span(op->found.p + 16, op->found.n - 16) : op->found);
        return;
    }
    x->bucket_at = x->bucket_next;
    x->doc_at = x->doc_next;
    if (!x->last_out)
        return;
    x->stored.base = x->stored.next = x->old.first + x->old.n;
    x->stored.upto = x->old.upto;
    x->stored.docs += x->old.n;
    x->stored.length += x->old.length;
    lengths_room(x, x->stored.next);
    memcpy(x->lengths + x->old.first, x->old.lengths, x->old.n);
    delta_free(&x->old);
    x->old.first = x->stored.next;
}
