// links: store
/* The same ranking as a scorer that looks at every document: same documents, same order, same scores. */
#include "store/index.h"
#include "tests/unit/store_help.h"
#include <math.h>

enum { DOCS = 3000, VOCABULARY = 120, DOC_WORDS = 400, TOP = 25 };

struct naive_doc {
    uint8_t tf[VOCABULARY];
    uint32_t length;
    uint64_t serial;
    bool live, cheap;
};
struct naive {
    struct naive_doc docs[DOCS];
    uint32_t n;
};

/* Words that no stemmer changes: the plain and the stemmed form then count alike. */
static void word_text(char out[static 8], unsigned w)
{
    snprintf(out, 8, "%c%c%c%c", 'b' + w % 5, 'u', "kmpt"[w / 5 % 4], 'a' + w / 20 % 6);
}

struct naive_query {
    const unsigned *words;
    int n;
    bool any, cheap;
    float idf[4];
    struct bm25 bm;
};

static void naive_prepare(const struct naive *m, struct naive_query *q)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->n; i++)
        sum += m->docs[i].length;
    bm25_init(&q->bm, (float)((double)sum / m->n));
    for (int i = 0; i < q->n; i++) {
        double df = 0;
        for (uint32_t k = 0; k < m->n; k++)
            df += m->docs[k].tf[q->words[i]] > 0;
        q->idf[i] = (float)log(1 + ((double)m->n - df + 0.5) / (df + 0.5));
    }
}

static float naive_score(const struct naive_query *q, const struct naive_doc *d, bool *match)
{
    float score = 0;
    int matched = 0;
    for (int i = 0; i < q->n; i++) {
        if (!d->tf[q->words[i]])
            continue;
        score += q->idf[i] * bm25_impact(&q->bm, d->tf[q->words[i]], length_quantise(d->length));
        matched++;
    }
    *match = q->any ? matched > 0 : matched == q->n;
    return score;
}

static size_t naive_top(const struct naive *m, struct naive_query *q, struct hit *out)
{
    size_t found = 0;
    naive_prepare(m, q);
    for (uint32_t i = 0; i < m->n; i++) {
        const struct naive_doc *d = &m->docs[i];
        bool match;
        if (!d->live || (q->cheap && !d->cheap))
            continue;
        float score = naive_score(q, d, &match);
        if (!match)
            continue;
        size_t at = found;
        while (at && out[at - 1].score < score)
            at--;
        if (at >= TOP)
            continue;
        if (found < TOP)
            found++;
        memmove(out + at + 1, out + at, (found - at - 1) * sizeof *out);
        out[at] = (struct hit){.serial = d->serial, .score = score};
    }
    return found;
}

struct world {
    struct bench *b;
    struct index *x;
    struct rng rng;
    struct naive *m;
    uint64_t made;
};

static void put_word(char *text, size_t cap, const char *word)
{
    size_t n = strlen(text);
    snprintf(text + n, cap - n, "%s ", word);
}

static void add(struct world *w)
{
    struct naive_doc *d = &w->m->docs[w->m->n++];
    *d = (struct naive_doc){.live = true};
    char text[DOC_WORDS * 6] = "", word[8];
    unsigned most = 1 + (unsigned)rng_below(&w->rng, rng_below(&w->rng, 20) ? 30 : DOC_WORDS - 1);
    for (unsigned i = 0; i < most; i++) {
        unsigned v = (unsigned)rng_below(&w->rng, 1 + rng_below(&w->rng, VOCABULARY));
        word_text(word, v);
        put_word(text, sizeof text, word);
        d->tf[v] = (uint8_t)(d->tf[v] + (d->tf[v] < 255));
        d->length++;
    }
    d->cheap = rng_below(&w->rng, 3) == 0;
    w->made++;
    struct op op = record_op(w->made, 1, w->made, 1, 1, 1000 + (int64_t)w->made);
    struct change *c = change_new(0, 0, 0);
    change_record(c, &op);
    assert_int_equal(once(w->b, c, &d->serial), OP_STORED);
    struct index_doc doc = {.text = span_str(text), .lang = span_str("de")};
    doc.region = span_str(d->cheap ? "FR" : "BE");
    assert_int_equal(index_doc_add(w->x, d->serial, &doc), 0);
}

static void compare(struct world *w)
{
    unsigned words[4];
    int n = 1 + (int)rng_below(&w->rng, 4);
    bool any = rng_below(&w->rng, 2), cheap = rng_below(&w->rng, 3) == 0;
    char text[64] = "", word[8];
    for (int i = 0; i < n; i++) {
        words[i] = (unsigned)rng_below(&w->rng, VOCABULARY);
        for (int k = 0; k < i; k++)
            if (words[k] == words[i]) {
                words[i] = (words[i] + 1) % VOCABULARY;
                k = -1;
            }
        word_text(word, words[i]);
        put_word(text, sizeof text, word);
    }
    struct hit expected[TOP + 1], got[TOP];
    struct query q;
    struct naive_query naive = {.words = words, .n = n, .any = any, .cheap = cheap};
    size_t m = naive_top(w->m, &naive, expected), k = TOP;
    query_init(&q);
    q.words = span_str(text);
    q.any = any;
    if (cheap)
        q.region = span_str("FR");
    assert_int_equal(query_run(w->x, w->b->view, &q, got, &k, NULL), 0);
    if (k != m)
        fail_msg("%s: %zu hits, not %zu", text, k, m);
    for (size_t i = 0; i < m; i++)
        if (got[i].serial != expected[i].serial || fabsf(got[i].score - expected[i].score) > 1e-4f)
            fail_msg("%s (%s): place %zu is %lu at %f, not %lu at %f", text, any ? "any" : "all", i,
                     (unsigned long)got[i].serial, (double)got[i].score, (unsigned long)expected[i].serial,
                     (double)expected[i].score);
}

static void flush(struct world *w)
{
    for (;;) {
        struct change *c = change_new(0, 0, 0);
        if (!index_flush_slice(w->x, c, true)) {
            change_free(c);
            return;
        }
        assert_int_equal(apply_one(w->b, c), 0);
        compare(w); /* with some words written out and some not, */
        index_flushed(w->x, c);
        compare(w); /* also when the view is ahead of what the index knows */
        change_free(c);
    }
}

/* Postings stored, in all. */
static uint64_t stored_postings(struct world *w)
{
    struct walk p;
    uint64_t n = 0;
    walk_open(&p, w->b->view->txn, w->b->store->dbi[DB_POST]);
    for (walk_seek(&p, span(NULL, 0)); p.valid; walk_next(&p))
        for (unsigned i = 0; i < (unsigned)(p.value.p[0] | p.value.p[1] << 8); i++)
            n += sub_head_read(p.value.p + POST_HEAD + i * SUB_HEAD).n + 1u;
    walk_close(&p);
    return n;
}

/* The dead are taken out of the stored postings: from then on nothing tells of them. */
static void sweep(struct world *w)
{
    struct naive *m = w->m;
    struct index_stats stats;
    uint64_t postings = 0;
    int slices = 0;
    for (;; slices++) {
        struct change *c = change_new(0, 0, 0);
        if (!index_flush_slice(w->x, c, true)) {
            change_free(c);
            break;
        }
        assert_int_equal(apply_one(w->b, c), 0);
        index_flushed(w->x, c);
        change_free(c);
    }
    assert_true(slices > 0);
    uint32_t live = 0;
    for (uint32_t i = 0; i < m->n; i++)
        if (m->docs[i].live)
            m->docs[live++] = m->docs[i];
    m->n = live;
    index_stats(w->x, &stats);
    assert_int_equal(stats.docs, live);
    for (uint32_t i = 0; i < live; i++) {
        postings += 3; /* region, language, type; */
        postings += 1; /* and seller */
        for (int v = 0; v < VOCABULARY; v++)
            postings += m->docs[i].tf[v] > 0;
    }
    assert_int_equal(stored_postings(w), postings);
    for (int i = 0; i < 40; i++)
        compare(w);
    index_close(w->x);
    bench_reopen(w->b);
    w->x = index_open(w->b->view, &w->rng);
    add(w);
    for (int i = 0; i < 20; i++)
        compare(w);
    flush(w);
    for (int i = 0; i < 20; i++)
        compare(w);
}

static void the_top_is_that_of_a_scorer_that_looks_at_every_document(void **state)
{
    (void)state;
    struct world w = {.b = bench_new(256 * MIB, 0), .m = calloc(1, sizeof *w.m)};
    rng_seed_u64(&w.rng, 11);
    w.x = index_open(w.b->view, &w.rng);
    w.x->slice_terms = 9;
    while (w.m->n < DOCS) {
        /* stored, on its way out, and young: in changing parts */
        uint32_t more = 1 + (uint32_t)rng_below(&w.rng, 700);
        while (more-- && w.m->n < DOCS)
            add(&w);
        for (int i = 0; i < 12; i++)
            compare(&w);
        flush(&w);
        for (int i = 0; i < 12; i++)
            compare(&w);
    }
    expire(w.b, 1000 + DOCS / 3); /* a third is gone; their words still count in the frequencies */
    for (uint32_t i = 0; i < DOCS / 3; i++)
        w.m->docs[i].live = false;
    for (int i = 0; i < 40; i++)
        compare(&w);
    index_close(w.x);
    bench_reopen(w.b);
    w.x = index_open(w.b->view, &w.rng);
    for (int i = 0; i < 20; i++)
        compare(&w);
    sweep(&w);
    index_close(w.x);
    bench_free(w.b);
    free(w.m);
}

static void bounds_hold_when_the_mean_length_drifts(void **state)
{
    (void)state;
    for (unsigned tf = 1; tf < 60; tf += 7)
        for (unsigned length = 1; length < 250; length += 13)
            for (int i = 0; i < 9; i++)
                for (int k = 0; k < 8; k++) {
                    float then = 2 * powf(1.7f, (float)i), now = 2 * powf(1.9f, (float)k);
                    struct bm25 a, b;
                    bm25_init(&a, then);
                    bm25_init(&b, now);
                    float max = bm25_impact(&a, (uint8_t)tf, (uint8_t)length) * 1.00001f;
                    assert_true(bm25_bound(max, then, now) >=
                                bm25_impact(&b, (uint8_t)tf, (uint8_t)length));
                }
}

static void lengths_are_rounded_to_256_steps_in_order(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 70000; n++) {
        uint8_t q = length_quantise(n);
        assert_true(q >= length_quantise(n ? n - 1 : 0));
        if (n < 5000) {
            uint32_t back = length_of(q);
            assert_true(back <= n + n / 8 + 1 && n <= back + back / 8 + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_top_is_that_of_a_scorer_that_looks_at_every_document),
        cmocka_unit_test(bounds_hold_when_the_mean_length_drifts),
        cmocka_unit_test(lengths_are_rounded_to_256_steps_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
