/* query.c: the top k by block-max, filters, orders and pages.
 *
 * A query is groups that must all match: one for every word (or one for all of them, when any will do) and
 * one for every fact asked for.  A group is a list of words, each a few forms; a form is one stream of
 * postings.  Going up through the documents, a window is the stretch in which no stream changes its
 * sub-block: its bound is the sum of the sub-blocks' bounds, and a window whose bound does not exceed the
 * k-th best score is passed over without unpacking anything. */
#include "store/iter.h"
#include <stdlib.h>

enum { FORMS = 1 + 2 * WORDS_LANGS, GROUPS_MAX = QUERY_WORDS_MAX + 8 };

struct term {
    struct iter *forms[FORMS];
    float idf[FORMS];
    int n;
};
struct group {
    struct term terms[QUERY_WORDS_MAX];
    int n;
    bool scores;
    uint64_t df;
};
struct search {
    struct index *x;
    struct view *v;
    const struct query *q;
    struct bm25 bm;
    float mean;
    uint32_t base;
    uint64_t docs;
    struct group *groups;
    int groups_n, leader;
    bool ranked;   /* by score */
    bool hopeless; /* a word that must be there is nowhere */
    /* the best so far: a heap with the worst on top */
    struct hit *hits;
    double *keys;
    size_t n, cap;
    uint32_t page_of;
    const uint8_t *page;
    unsigned place_n;
    uint32_t place, currency;
};

void query_init(struct query *q)
{
    *q = (struct query){.type = -1, .rail = -1, .delivery = -1, .price_least = INT64_MIN};
    q->price_most = INT64_MAX;
}

/* ---- the heap ---- */

/* Is (key, doc) worse than the other?  Higher keys are better; of equal ones the older document. */
static bool worse(double key, uint32_t doc, double key2, uint32_t doc2)
{
    return key != key2 ? key < key2 : doc > doc2;
}

static void heap_swap(struct search *s, size_t a, size_t b)
{
    struct hit h = s->hits[a];
    double k = s->keys[a];
    s->hits[a] = s->hits[b];
    s->keys[a] = s->keys[b];
    s->hits[b] = h;
    s->keys[b] = k;
}

static bool entry_worse(const struct search *s, size_t a, size_t b)
{
    return worse(s->keys[a], s->hits[a].doc, s->keys[b], s->hits[b].doc);
}

static void sift_down(struct search *s, size_t n)
{
    for (size_t i = 0, c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && entry_worse(s, c + 1, c))
            c++;
        if (!entry_worse(s, c, i))
            return;
        heap_swap(s, i, c);
    }
}

static void heap_add(struct search *s, const struct hit *h, double key)
{
    if (s->n == s->cap) {
        if (!worse(s->keys[0], s->hits[0].doc, key, h->doc))
            return;
        s->hits[0] = *h;
        s->keys[0] = key;
        sift_down(s, s->n);
        return;
    }
    size_t i = s->n++;
    s->hits[i] = *h;
    s->keys[i] = key;
    for (; i && entry_worse(s, i, (i - 1) / 2); i = (i - 1) / 2)
        heap_swap(s, i, (i - 1) / 2);
}

/* ---- opening the streams ---- */

static bool term_open(struct search *s, struct term *t, uint8_t kind, struct span word)
{
    struct iter *i = xmalloc(sizeof *i);
    if (!iter_open(i, s->x, s->v, s->base, &s->bm, s->mean, kind, word)) {
        iter_close(i);
        free(i);
        return false;
    }
    double df = i->df, n = (double)s->docs > df ? (double)s->docs : df;
    t->idf[t->n] = (float)__builtin_log(1 + (n - df + 0.5) / (df + 0.5));
    t->forms[t->n++] = i;
    return true;
}

struct word_list {
    uint8_t b[QUERY_WORDS_MAX][WORD_MAX_BYTES];
    size_t n[QUERY_WORDS_MAX];
    int words;
};

static void collect_word(void *arg, struct span word)
{
    struct word_list *l = arg;
    for (int i = 0; i < l->words; i++)
        if (span_eq(span(l->b[i], l->n[i]), word))
            return;
    if (l->words == QUERY_WORDS_MAX)
        return;
    memcpy(l->b[l->words], word.p, word.n);
    l->n[l->words++] = word.n;
}

static void group_count(struct group *g)
{
    g->df = 0;
    for (int i = 0; i < g->n; i++)
        for (int f = 0; f < g->terms[i].n; f++)
            g->df += g->terms[i].forms[f]->df;
}

static void open_word(struct search *s, struct term *t, struct span word)
{
    static const uint8_t kinds[WORDS_LANGS] = {[WORDS_FR] = KIND_FR, [WORDS_EN] = KIND_EN};
    enum word_lang lang = words_lang(s->q->lang);
    struct span seen[WORDS_LANGS];
    uint8_t copies[WORDS_LANGS][WORD_MAX_BYTES];
    t->n = 0;
    term_open(s, t, KIND_PLAIN, word);
    for (int l = 0; l < WORDS_LANGS; l++) {
        seen[l] = word;
        if (s->q->lang.n && lang != (enum word_lang)l)
            continue;
        struct span root = stem(s->x->stemmers, (enum word_lang)l, word);
        memcpy(copies[l], root.p, root.n);
        seen[l] = span(copies[l], root.n);
        term_open(s, t, kinds[l], seen[l]);
        /* Words that are their own stem stand in the index as themselves only. */
        bool plain_open = span_eq(seen[l], word);
        for (int k = 0; k < l; k++)
            plain_open = plain_open || span_eq(seen[l], seen[k]);
        if (!plain_open)
            term_open(s, t, KIND_PLAIN, seen[l]);
    }
}

static void open_words(struct search *s)
{
    struct word_list list = {.words = 0};
    words_each(s->q->words, collect_word, &list);
    bool only_common = true;
    for (int i = 0; i < list.words; i++)
        only_common = only_common && word_is_common(span(list.b[i], list.n[i]));
    struct group *g = NULL;
    for (int i = 0; i < list.words; i++) {
        struct span word = span(list.b[i], list.n[i]);
        if (!only_common && word_is_common(word))
            continue;
        if (!g || !s->q->any) {
            g = &s->groups[s->groups_n++];
            g->n = 0;
            g->scores = true;
        }
        struct term *t = &g->terms[g->n];
        open_word(s, t, word);
        if (t->n)
            g->n++;
        group_count(g);
        s->hopeless = s->hopeless || (!s->q->any && !t->n);
    }
    s->hopeless = s->hopeless || (g && !g->n);
    s->ranked = g != NULL && s->q->sort == QUERY_RELEVANCE;
}

static void open_fact(struct search *s, enum word_kind kind, struct span word)
{
    if (!word.n)
        return;
    struct group *g = &s->groups[s->groups_n++];
    g->scores = false;
    g->terms[0].n = 0;
    g->n = term_open(s, &g->terms[0], (uint8_t)kind, word) ? 1 : 0;
    s->hopeless = s->hopeless || !g->n;
    group_count(g);
}

static void open_facts(struct search *s)
{
    const struct query *q = s->q;
    uint8_t seller[16], number[2];
    open_fact(s, KIND_CATEGORY, q->category);
    open_fact(s, KIND_REGION, q->region);
    if (q->lang.n && s->groups_n == 0) /* with words the language only chooses the stemmer */
        open_fact(s, KIND_LANG, span(q->lang.p, q->lang.n < 2 ? q->lang.n : 2));
    if (q->seller)
        open_fact(s, KIND_SELLER, seller_word(seller, q->seller));
    if (q->type >= 0)
        open_fact(s, KIND_TYPE, number_word(number, (unsigned)q->type));
    if (q->rail >= 0)
        open_fact(s, KIND_RAIL, number_word(number, (unsigned)q->rail));
    if (q->delivery >= 0)
        open_fact(s, KIND_DELIVERY, number_word(number, (unsigned)q->delivery));
}

static void close_all(struct search *s)
{
    for (int g = 0; g < s->groups_n; g++)
        for (int i = 0; i < s->groups[g].n; i++)
            for (int f = 0; f < s->groups[g].terms[i].n; f++) {
                iter_close(s->groups[g].terms[i].forms[f]);
                free(s->groups[g].terms[i].forms[f]);
            }
    free(s->groups);
    free(s->keys);
}

/* ---- documents ---- */

static bool row_of(struct search *s, uint32_t doc, struct doc_row *row)
{
    struct span v;
    uint8_t key[8];
    if (doc < s->base) {
        if (!s->page || s->page_of != doc / DOCS_A_PAGE) {
            be32_put(key, doc / DOCS_A_PAGE);
            if (!db_get(s->v->txn, s->v->s->dbi[DB_DOC], span(key, 4), &v) || v.n != DOC_PAGE)
                return false;
            s->page = v.p;
            s->page_of = doc / DOCS_A_PAGE;
        }
        doc_read(row, s->page + doc % DOCS_A_PAGE * DOC_ROW);
        return row->live;
    }
    const struct delta *d = doc >= s->x->young.first ? &s->x->young : &s->x->old;
    if (doc < d->first || doc - d->first >= d->n)
        return false;
    *row = d->rows[doc - d->first];
    be64_put(key, row->serial); /* a generation does not hear of records that go */
    return db_get(s->v->txn, s->v->s->dbi[DB_REC], SPAN_OF(key), &v) && v.n > 0 && !(v.p[0] & REC_STUB);
}

static bool row_fits(const struct search *s, const struct doc_row *r)
{
    const struct query *q = s->q;
    if (r->price < q->price_least || r->price > q->price_most)
        return false;
    if (q->currency && r->currency != s->currency)
        return false;
    if (s->place_n &&
        ((r->place & 7) < s->place_n || ((r->place ^ s->place) >> (32 - 5 * s->place_n)) != 0))
        return false;
    if (q->now && (int64_t)r->expires_s * 1000 <= q->now)
        return false;
    if (q->created_since && (int64_t)r->created_s * 1000 < q->created_since)
        return false;
    return !q->seller || r->seller == doc_seller(q->seller);
}

/* The k-th best so far; a candidate that does not beat it need not be looked at. */
static bool beaten(const struct search *s, double key)
{
    return s->n == s->cap && key <= s->keys[0];
}

static void candidate(struct search *s, uint32_t doc, float score)
{
    struct doc_row row;
    const struct query *q = s->q;
    if (s->ranked && beaten(s, score))
        return;
    if (!row_of(s, doc, &row) || !row_fits(s, &row))
        return;
    double key = score;
    if (!s->ranked)
        key = q->sort == QUERY_CHEAPEST  ? -(double)row.price
              : q->sort == QUERY_DEAREST ? (double)row.price
                                         : (double)row.created_s;
    if (q->after.set && !worse(key, doc, q->after.key, q->after.doc))
        return;
    struct hit h = {.serial = row.serial,
                    .score = score,
                    .price_minor = row.price,
                    .created = (int64_t)row.created_s * 1000,
                    .doc = doc};
    heap_add(s, &h, key);
}

static float score_of(struct search *s, uint32_t doc)
{
    uint8_t length = index_length(s->x, doc);
    float score = 0;
    for (int g = 0; g < s->groups_n; g++) {
        if (!s->groups[g].scores)
            continue;
        for (int i = 0; i < s->groups[g].n; i++) {
            struct term *t = &s->groups[g].terms[i];
            float best = 0;
            for (int f = 0; f < t->n; f++) {
                struct iter *it = t->forms[f];
                if (it->head.first > doc || iter_doc(it, doc) != doc)
                    continue;
                float part = t->idf[f] * bm25_impact(&s->bm, iter_tf(it), length);
                best = part > best ? part : best;
            }
            score += best;
        }
    }
    return score;
}

/* ---- windows ---- */

struct window {
    uint32_t first, last; /* first: where every group may have something; DOC_END: nowhere any more */
    float bound;
};

/* One group's part: narrows the window's end, adds its bound, and says where it can match first. */
static uint32_t group_window(struct group *g, uint32_t doc, struct window *w)
{
    uint32_t first = DOC_END;
    for (int i = 0; i < g->n; i++) {
        struct term *t = &g->terms[i];
        float best = 0;
        for (int f = 0; f < t->n; f++) {
            struct iter *it = t->forms[f];
            iter_block(it, doc);
            if (it->head.first == DOC_END)
                continue;
            if (it->head.first > doc) {
                first = it->head.first < first ? it->head.first : first;
                w->last = it->head.first - 1 < w->last ? it->head.first - 1 : w->last;
                continue;
            }
            first = doc;
            w->last = it->head.last < w->last ? it->head.last : w->last;
            float bound = t->idf[f] * it->bound;
            best = bound > best ? bound : best;
        }
        if (g->scores)
            w->bound += best;
    }
    return first;
}

static struct window window_at(struct search *s, uint32_t doc)
{
    struct window w = {.first = doc, .last = DOC_END - 1};
    for (int g = 0; g < s->groups_n; g++) {
        uint32_t first = group_window(&s->groups[g], doc, &w);
        if (first > w.first)
            w.first = first;
        if (w.first > doc)
            break; /* begin again from there */
    }
    return w;
}

/* The first document ≥ doc within the window that a group has. */
static uint32_t group_doc(struct group *g, uint32_t doc, uint32_t last)
{
    uint32_t first = DOC_END;
    for (int i = 0; i < g->n; i++)
        for (int f = 0; f < g->terms[i].n; f++) {
            struct iter *it = g->terms[i].forms[f];
            if (it->head.first > last)
                continue;
            uint32_t d = iter_doc(it, doc);
            first = d < first ? d : first;
        }
    return first;
}

static void window_run(struct search *s, uint32_t doc, uint32_t last)
{
    for (;;) {
        doc = group_doc(&s->groups[s->leader], doc, last);
        if (doc > last)
            return;
        uint32_t agreed = doc;
        for (int g = 0; g < s->groups_n && agreed == doc; g++)
            if (g != s->leader)
                agreed = group_doc(&s->groups[g], doc, last);
        if (agreed > last)
            return;
        if (agreed == doc) {
            candidate(s, doc, score_of(s, doc));
            agreed++;
        }
        doc = agreed;
    }
}

static void run_groups(struct search *s)
{
    for (int g = 1; g < s->groups_n; g++)
        if (s->groups[g].df < s->groups[s->leader].df)
            s->leader = g;
    for (uint32_t doc = 0; doc < DOC_END;) {
        struct window w = window_at(s, doc);
        if (w.first == DOC_END)
            return;
        if (w.first > doc) {
            doc = w.first;
            continue;
        }
        if (!s->ranked || !beaten(s, (double)w.bound * 1.00001))
            window_run(s, doc, w.last);
        doc = w.last + 1;
    }
}

/* No word and no fact: every document there is. */
static void run_all(struct search *s)
{
    uint32_t end = s->x->young.first + s->x->young.n;
    for (uint32_t doc = 0; doc < end; doc++)
        candidate(s, doc, 0);
}

int query_run(struct index *x, struct view *v, const struct query *q, struct hit *hits, size_t *n,
              struct query_cursor *next)
{
    struct index_meta meta = {0};
    struct span value;
    if (*n == 0 || *n > QUERY_HITS_MAX || q->type > 255 || q->rail > 255 || q->delivery > 255)
        return SOUK_ERANGE;
    if (db_get(v->txn, v->s->dbi[DB_META], span_str("index"), &value))
        index_meta_read(&meta, value);
    struct search s = {.x = x, .v = v, .q = q, .hits = hits, .cap = *n, .base = meta.base};
    s.docs = index_docs(x);
    s.mean = (float)index_mean(x);
    s.groups = xmalloc(GROUPS_MAX * sizeof *s.groups);
    s.keys = xmalloc(s.cap * sizeof *s.keys);
    s.currency = q->currency ? doc_currency(q->currency) : 0;
    s.place = doc_place(q->place, &s.place_n);
    bm25_init(&s.bm, s.mean);
    open_words(&s);
    open_facts(&s);
    if (!s.hopeless && s.groups_n)
        run_groups(&s);
    else if (!s.hopeless)
        run_all(&s);
    for (size_t left = s.n; left > 1;) { /* the worst to the end, again and again: best first */
        heap_swap(&s, 0, --left);
        sift_down(&s, left);
    }
    if (next) {
        *next = (struct query_cursor){0};
        if (s.n)
            *next = (struct query_cursor){.key = s.keys[s.n - 1], .doc = hits[s.n - 1].doc, .set = true};
    }
    *n = s.n;
    close_all(&s);
    return 0;
}

/* ---- completion ---- */

struct completion {
    uint8_t word[TERM_MAX_BYTES];
    size_t n;
    uint32_t docs;
};

static void completion_add(struct completion *list, size_t *n, size_t cap, struct span word, uint32_t docs)
{
    size_t i;
    if (*n < cap)
        i = (*n)++;
    else if (cap && list[cap - 1].docs < docs)
        i = cap - 1;
    else
        return;
    for (; i && list[i - 1].docs < docs; i--)
        list[i] = list[i - 1];
    memcpy(list[i].word, word.p, word.n);
    list[i].n = word.n;
    list[i].docs = docs;
}

static void last_word(void *arg, struct span word)
{
    struct completion *c = arg;
    memcpy(c->word, word.p, word.n);
    c->n = word.n;
}

void query_complete(struct index *x, struct view *v, struct span prefix, size_t limit, query_word_fn *fn,
                    void *arg)
{
    enum { SEEN_MAX = 4000, LIMIT_MAX = 50 };
    struct completion folded = {.n = 0}, list[LIMIT_MAX];
    uint8_t key[TERM_MAX_BYTES];
    struct walk w;
    size_t n = 0, seen = 0;
    (void)x;
    words_each(prefix, last_word, &folded);
    if (!folded.n)
        return;
    key[0] = KIND_PLAIN;
    memcpy(key + 1, folded.word, folded.n);
    struct span begins = span(key, folded.n + 1);
    walk_open(&w, v->txn, v->s->dbi[DB_TERM]);
    for (walk_seek(&w, begins); walk_in(&w, begins) && seen < SEEN_MAX; walk_next(&w), seen++)
        if (w.value.n == 8 && w.key.n <= TERM_MAX_BYTES)
            completion_add(list, &n, limit < LIMIT_MAX ? limit : LIMIT_MAX, span(w.key.p + 1, w.key.n - 1),
                           be32_get(w.value.p));
    walk_close(&w);
    for (size_t i = 0; i < n; i++)
        if (!fn(arg, span(list[i].word, list[i].n), list[i].docs))
            return;
}
