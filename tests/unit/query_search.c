// links: store
#include "store/index.h"
#include "tests/unit/store_help.h"

struct shop {
    struct bench *b;
    struct index *x;
    struct rng rng;
    uint64_t records; /* made so far */
};

static int setup(void **state)
{
    struct shop *s = calloc(1, sizeof *s);
    s->b = bench_new(256 * MIB, 0);
    rng_seed_u64(&s->rng, 3);
    s->x = index_open(s->b->view, &s->rng);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct shop *s = *state;
    index_close(s->x);
    bench_free(s->b);
    free(s);
    return 0;
}

/* A record (slot = number unless given) and its document; returns the serial. */
static uint64_t offer_at(struct shop *s, uint64_t slot, const struct index_doc *doc)
{
    uint64_t serial, n = ++s->records;
    struct op op = record_op(n, 1, slot, n, (int64_t)n, 1000000);
    struct change *c = change_new(0, 0, 0);
    change_record(c, &op);
    assert_int_equal(once(s->b, c, &serial), OP_STORED);
    assert_int_equal(index_doc_add(s->x, serial, doc), 0);
    return serial;
}

static uint64_t offer(struct shop *s, const char *title, const char *lang)
{
    struct index_doc doc = {.title = span_str(title), .lang = span_str(lang), .region = span_str("FR")};
    doc.category = span_str("bikes/city");
    return offer_at(s, s->records + 1, &doc);
}

static void flush(struct shop *s)
{
    for (;;) {
        struct change *c = change_new(0, 0, 0);
        if (!index_flush_slice(s->x, c, true)) {
            change_free(c);
            return;
        }
        assert_int_equal(apply_one(s->b, c), 0);
        index_flushed(s->x, c);
        change_free(c);
    }
}

static size_t found(struct shop *s, const struct query *q, struct hit *hits, size_t n)
{
    assert_int_equal(query_run(s->x, s->b->view, q, hits, &n, NULL), 0);
    return n;
}

static size_t search(struct shop *s, const char *words, struct hit *hits)
{
    struct query q;
    query_init(&q);
    q.words = span_str(words);
    return found(s, &q, hits, 20);
}

static void check_forms(struct shop *s)
{
    struct hit h[20];
    assert_int_equal(search(s, "velo", h), 2);
    assert_int_equal(search(s, "VÉLOS", h), 2);
    assert_int_equal(search(s, "bike", h), 2);
    assert_int_equal(search(s, "bikes", h), 2);
    assert_int_equal(search(s, "annonce", h), 1);
    assert_int_equal(search(s, "velo rouge", h), 1);
    assert_int_equal(search(s, "velo de rouge", h), 1); /* "de" need not be there */
    assert_int_equal(search(s, "velo bike", h), 0);
    assert_int_equal(search(s, "nowhere", h), 0);
    struct query q;
    query_init(&q);
    q.words = span_str("velo bike nowhere");
    q.any = true;
    assert_int_equal(found(s, &q, h, 20), 4);
    q.words = span_str("de");
    q.any = false;
    assert_int_equal(found(s, &q, h, 20), 1); /* common words alone do count */
}

static void words_are_found_whatever_their_accents_case_and_number(void **state)
{
    struct shop *s = *state;
    offer(s, "Vélo rouge", "fr");
    offer(s, "Deux vélos d'enfant, une annonce", "fr-FR");
    offer(s, "Bikes for two", "en");
    offer(s, "Bike", "en");
    offer(s, "chaise de jardin", "fr");
    check_forms(s);
    flush(s);
    assert_int_equal(index_waiting(s->x), 0);
    check_forms(s);
}

static void the_title_weighs_more_than_the_text(void **state)
{
    struct shop *s = *state;
    struct index_doc body = {
        .title = span_str("a chair"), .text = span_str("like a lamp"), .lang = span_str("en")};
    struct index_doc head = {
        .title = span_str("a lamp"), .text = span_str("like a chair"), .lang = span_str("en")};
    offer_at(s, 1, &body);
    uint64_t best = offer_at(s, 2, &head);
    struct hit h[20];
    assert_int_equal(search(s, "lamp", h), 2);
    assert_int_equal(h[0].serial, best);
    assert_true(h[0].score > h[1].score);
}

static void check_filters(struct shop *s, const uint64_t serial[static 4])
{
    struct hit h[20];
    struct query q;
    struct currency eur, chf;
    currency_from_iso(&eur, "EUR");
    currency_from_iso(&chf, "CHF");
    struct identity seller = person(2);
#define ONE(field, value, expect) \
    query_init(&q);               \
    q.field = value;              \
    assert_int_equal(found(s, &q, h, 20), expect)
    ONE(category, span_str("bikes"), 3);
    ONE(category, span_str("bikes/city"), 2);
    ONE(category, span_str("bike"), 0);
    ONE(region, span_str("BE"), 1);
    ONE(type, 2, 1);
    ONE(rail, 1, 2);
    ONE(delivery, 3, 1);
    ONE(lang, span_str("en"), 1);
    ONE(seller, &seller, 1);
    assert_int_equal(h[0].serial, serial[1]);
    ONE(currency, &eur, 3);
    ONE(currency, &chf, 1);
    ONE(place, span_str("u0"), 3);
    ONE(place, span_str("u09"), 2);
    ONE(place, span_str("u09tv"), 1);
    ONE(now, 500000, 3);
    ONE(created_since, 3000, 2);
    query_init(&q);
    q.price_least = 150;
    q.price_most = 300;
    q.currency = &eur;
    q.sort = QUERY_CHEAPEST;
    assert_int_equal(found(s, &q, h, 20), 2);
    assert_int_equal(h[0].price_minor, 200);
    q.words = span_str("velo");
    q.type = 0;
    q.region = span_str("FR");
    assert_int_equal(found(s, &q, h, 20), 1);
    query_init(&q);
    q.sort = QUERY_NEWEST;
    assert_int_equal(found(s, &q, h, 20), 4);
    assert_int_equal(h[0].serial, serial[3]);
    q.sort = QUERY_DEAREST;
    assert_int_equal(found(s, &q, h, 2), 2);
    assert_int_equal(h[0].price_minor, 400);
    assert_int_equal(h[1].price_minor, 300);
}

static void facts_filter_and_orders_order(void **state)
{
    struct shop *s = *state;
    static const char *const categories[] = {"bikes/city", "bikes/city", "bikes/race", "books"};
    static const char *const regions[] = {"FR", "FR", "BE", "CH"};
    static const char *const places[] = {"u09tv", "u09", "u0", "dr5re"};
    uint64_t serial[4];
    for (unsigned i = 0; i < 4; i++) {
        struct index_doc d = {.title = span_str("vélo"), .lang = span_str(i == 3 ? "en" : "fr")};
        d.category = span_str(categories[i]);
        d.region = span_str(regions[i]);
        d.place = span_str(places[i]);
        d.type = i == 2 ? 2 : 0;
        d.price.minor = 100 * (i + 1);
        currency_from_iso(&d.price.currency, i == 3 ? "CHF" : "EUR");
        d.seller = person(i + 1);
        d.rails = i < 2 ? 3 : 1;
        d.deliveries = 1u << i;
        d.created = 1000 * (int64_t)(i + 1);
        d.expires = i == 0 ? 400000 : 800000;
        serial[i] = offer_at(s, i, &d);
    }
    check_filters(s, serial);
    flush(s);
    check_filters(s, serial);
}

static void a_new_revision_or_a_withdrawal_takes_the_old_document_out(void **state)
{
    struct shop *s = *state;
    struct hit h[20];
    struct index_doc doc = {.title = span_str("red lamp"), .lang = span_str("en")};
    offer_at(s, 500, &doc);
    offer(s, "red chair", "en");
    flush(s);
    assert_int_equal(search(s, "red", h), 2);
    doc.title = span_str("red lamp, cheaper");
    uint64_t newer = offer_at(s, 500, &doc);
    assert_int_equal(search(s, "lamp", h), 1);
    assert_int_equal(h[0].serial, newer);
    assert_int_equal(search(s, "red", h), 2);
    doc.title = span_str("red lamp, cheapest");
    offer_at(s, 500, &doc); /* while the one before is still in memory */
    assert_int_equal(search(s, "lamp", h), 1);
    flush(s);
    assert_int_equal(search(s, "lamp", h), 1);
    expire(s->b, 2000000);
    assert_int_equal(search(s, "red", h), 0);
    assert_sound(s->b);
}

static void a_slice_that_failed_is_given_again_and_one_applied_twice_changes_nothing(void **state)
{
    struct shop *s = *state;
    struct hit h[20];
    for (int i = 0; i < 300; i++)
        offer(s, i % 3 ? "red lamp" : "blue chair", "en");
    struct change *c = change_new(0, 0, 0), *again = change_new(0, 0, 0);
    assert_true(index_flush_slice(s->x, c, true));
    c->err = SOUK_EDISK_FULL;
    index_flushed(s->x, c);
    change_free(c);
    assert_int_equal(search(s, "lamp", h), 20);
    c = change_new(0, 0, 0);
    assert_true(index_flush_slice(s->x, c, true));
    change_index(again, c->ops[0].index.slice);
    assert_int_equal(apply_one(s->b, c), 0);
    assert_int_equal(apply_one(s->b, again), 0);
    index_flushed(s->x, c);
    change_free(c);
    change_free(again);
    flush(s);
    struct query q;
    struct hit many[400];
    query_init(&q);
    q.words = span_str("lamp");
    assert_int_equal(found(s, &q, many, 400), 200);
}

static void reopen(struct shop *s)
{
    index_close(s->x);
    bench_reopen(s->b);
    s->x = index_open(s->b->view, &s->rng);
}

static bool feed(void *arg, const struct id *id, const struct record_row *row)
{
    struct shop *s = arg;
    uint64_t n = be64_get(id->b + 8);
    char title[64];
    snprintf(title, sizeof title, "thing number%lu %s", (unsigned long)n, n % 2 ? "odd" : "even");
    struct index_doc doc = {.title = span_str(title), .lang = span_str("en")};
    assert_int_equal(index_doc_add(s->x, row->serial, &doc), 0);
    return true;
}

static void after_a_crash_between_slices_the_rest_is_added_again(void **state)
{
    struct shop *s = *state;
    for (uint64_t i = 1; i <= 3000; i++) {
        char title[64];
        snprintf(title, sizeof title, "thing number%lu %s", (unsigned long)i, i % 2 ? "odd" : "even");
        offer(s, title, "en");
    }
    for (int slices = 1; slices < 8; slices++) {
        for (int i = 0; i < slices; i++) { /* some slices go out, then the process is gone */
            struct change *c = change_new(0, 0, 0);
            if (!index_flush_slice(s->x, c, true)) {
                change_free(c);
                break;
            }
            assert_int_equal(apply_one(s->b, c), 0);
            index_flushed(s->x, c);
            change_free(c);
        }
        reopen(s);
        view_records_from(s->b->view, index_upto(s->x) + 1, feed, s);
        struct query q;
        struct hit h[1000];
        query_init(&q);
        q.words = span_str("odd");
        q.after.set = false;
        assert_int_equal(found(s, &q, h, 1000), 1000);
        q.words = span_str("number2999 odd thing");
        assert_int_equal(found(s, &q, h, 1000), 1);
        q.words = span_str("number77");
        assert_int_equal(found(s, &q, h, 1000), 1);
    }
    flush(s);
    reopen(s);
    assert_int_equal(index_upto(s->x), 3000);
    struct hit h[1000];
    struct query q;
    query_init(&q);
    q.words = span_str("thing");
    assert_int_equal(found(s, &q, h, 1000), 1000);
    q.words = span_str("number1234");
    assert_int_equal(found(s, &q, h, 1000), 1);
}

static void serials_must_rise(void **state)
{
    struct shop *s = *state;
    struct index_doc doc = {.title = span_str("x")};
    uint64_t serial = offer_at(s, 1, &doc);
    assert_int_equal(index_doc_add(s->x, serial, &doc), SOUK_EDUPLICATE);
    flush(s);
    assert_int_equal(index_doc_add(s->x, serial, &doc), SOUK_EDUPLICATE);
}

static void pages_follow_each_other_without_gaps_or_repeats(void **state)
{
    struct shop *s = *state;
    for (int i = 0; i < 95; i++)
        offer(s, i % 4 ? "lamp" : "lamp lamp shade", "en");
    for (int pass = 0; pass < 2; pass++) {
        for (int sort = QUERY_RELEVANCE; sort <= QUERY_DEAREST; sort++) {
            struct query q;
            struct hit h[10];
            bool seen[200] = {false};
            size_t total = 0, n;
            query_init(&q);
            q.words = span_str("lamp");
            q.sort = (enum query_sort)sort;
            do {
                n = 10;
                assert_int_equal(query_run(s->x, s->b->view, &q, h, &n, &q.after), 0);
                for (size_t i = 0; i < n; i++) {
                    assert_false(seen[h[i].serial]);
                    seen[h[i].serial] = true;
                }
                total += n;
            } while (n == 10);
            assert_int_equal(total, 95);
        }
        flush(s);
    }
}

static bool first_word(void *arg, struct span word, uint32_t docs)
{
    (void)docs;
    struct buf *b = arg;
    buf_span(b, word);
    buf_append(b, " ", 1);
    return true;
}

static void the_beginning_of_a_word_is_completed(void **state)
{
    struct shop *s = *state;
    for (int i = 0; i < 6; i++)
        offer(s, i < 3 ? "vélo" : i < 5 ? "velours" : "vase", "fr");
    flush(s);
    struct buf b = {0};
    query_complete(s->x, s->b->view, span_str("un VÉ"), 5, first_word, &b);
    assert_true(span_eq(buf_view(&b), span_str("velo velours ")));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(words_are_found_whatever_their_accents_case_and_number),
        T(the_title_weighs_more_than_the_text),
        T(facts_filter_and_orders_order),
        T(a_new_revision_or_a_withdrawal_takes_the_old_document_out),
        T(a_slice_that_failed_is_given_again_and_one_applied_twice_changes_nothing),
        T(after_a_crash_between_slices_the_rest_is_added_again),
        T(serials_must_rise),
        T(pages_follow_each_other_without_gaps_or_repeats),
        T(the_beginning_of_a_word_is_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
