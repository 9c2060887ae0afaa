// links: store
#include "tests/unit/store_help.h"

static void a_record_is_stored_once_and_read_back(void **state)
{
    struct bench *b = *state;
    struct op op = record_op(1, 1, 1, 10, 100, 1000);
    op.record.own = true;
    assert_int_equal(put_record(b, &op), OP_STORED);
    assert_int_equal(put_record(b, &op), OP_DUPLICATE);
    struct record_row row;
    struct id id = id_of(1), at;
    assert_true(view_record(b->view, &id, &row));
    assert_true(span_eq(row.bytes, span_str("the signed bytes")));
    assert_true(row.own);
    assert_int_equal(row.received, 100);
    assert_int_equal(row.expires, 1000);
    assert_int_equal(row.kind, 2);
    assert_true(view_record_at(b->view, row.serial, &at, &row));
    assert_true(id_eq(&at, &id));
    assert_false(view_record_at(b->view, row.serial + 1, &at, &row));
    assert_false(stored(b, 2));
    assert_int_equal(known(b, 1), KNOWN_STORED);
    assert_int_equal(known(b, 2), 0);
    assert_sound(b);
}

static void the_highest_revision_stands_and_what_it_replaced_stays_known_until_it_expires(void **state)
{
    struct bench *b = *state;
    struct op one = record_op(1, 1, 1, 10, 100, 1000), two = record_op(2, 1, 1, 11, 110, 2000);
    struct op old = record_op(3, 1, 1, 9, 90, 900);
    assert_int_equal(put_record(b, &one), OP_STORED);
    assert_int_equal(put_record(b, &two), OP_STORED);
    assert_false(stored(b, 1));
    assert_true(stored(b, 2));
    assert_int_equal(known(b, 1), KNOWN_SUPERSEDED);
    assert_int_equal(put_record(b, &one), OP_STALE);
    assert_int_equal(put_record(b, &old), OP_STALE);
    assert_int_equal(known(b, 3), KNOWN_SUPERSEDED);
    assert_int_equal(topic_ids(b, "bikes/FR"), 3); /* all three are reconciled */
    assert_sound(b);
    expire(b, 950);
    assert_int_equal(known(b, 3), 0);
    assert_int_equal(known(b, 1), KNOWN_SUPERSEDED);
    expire(b, 1000);
    assert_int_equal(known(b, 1), 0);
    assert_int_equal(topic_ids(b, "bikes/FR"), 1);
    struct id id;
    uint64_t revision;
    struct identity author = person(1);
    struct salt slot = slot_of(1);
    assert_true(view_slot(b->view, &author, 2, &slot, &id, &revision));
    assert_int_equal(revision, 11);
    assert_sound(b);
    expire(b, 2000);
    assert_false(view_slot(b->view, &author, 2, &slot, &id, &revision));
    assert_int_equal(topic_ids(b, "bikes/FR"), 0);
    assert_sound(b);
}

static bool served(struct bench *b, uint64_t n, struct span bytes)
{
    struct record_row row;
    struct id id = id_of(n);
    return view_record_any(b->view, &id, &row) && span_eq(row.bytes, bytes);
}

static bool count(void *arg, const struct id *id, const struct record_row *row)
{
    (void)id;
    (void)row;
    ++*(uint64_t *)arg;
    return true;
}

/* Only record 5 is to be found, however one looks. */
static void only_the_newest_is_found(struct bench *b)
{
    uint64_t found = 0;
    struct id subject = id_of(77);
    struct identity author = person(1);
    view_subject(b->view, &subject, 0, count, &found);
    assert_int_equal(found, 1);
    view_author(b->view, &author, 2, count, &found);
    assert_int_equal(found, 2);
    view_records_from(b->view, 0, count, &found);
    assert_int_equal(found, 3);
    for (uint64_t n = 1; n <= 5; n++)
        assert_int_equal(stored(b, n), n == 5);
    for (uint64_t serial = 1; serial < 20; serial++) {
        struct record_row row;
        struct id at, newest = id_of(5);
        assert_true(!view_record_at(b->view, serial, &at, &row) || id_eq(&at, &newest));
    }
    struct store_stats stats;
    view_stats(b->view, &stats);
    assert_int_equal(stats.records, 1);
}

static void what_was_superseded_is_served_until_it_expires_and_found_by_nothing_else(void **state)
{
    struct bench *b = *state;
    static const uint64_t order[] = {3, 2, 4, 1, 5}; /* revisions, as they come: some after a later one */
    uint8_t body[6][9] = {{0}};
    struct id declined = id_of(1);
    struct change *c = change_new(0, 0, 0);
    change_known(c, &declined, span_str("bikes/FR"), 10, 1010, KNOWN_DECLINED); /* first, then taken */
    assert_int_equal(once(b, c, NULL), OP_STORED);
    for (size_t i = 0; i < 5; i++) {
        uint64_t n = order[i];
        struct op op = record_op(n, 1, 1, n, (int64_t)n * 10, 1000 + (int64_t)n * 10);
        memset(body[n], (int)n, sizeof body[n]);
        op.record.bytes = SPAN_OF(body[n]);
        op.record.subjects[op.record.subjects_n++] = id_of(77);
        assert_int_equal(put_record(b, &op), n == 2 || n == 1 ? OP_STALE : OP_STORED);
        assert_sound(b);
    }
    for (int again = 0; again < 3; again++) {
        struct report r = {0};
        only_the_newest_is_found(b);
        for (uint64_t n = 1; n <= 5; n++)
            assert_true(served(b, n, SPAN_OF(body[n])));
        if (again)
            bench_reopen(b);
        assert_int_equal(store_reindex(b->store, NULL, NULL, &r), 0);
        view_renew(b->view);
        assert_sound(b);
    }
    for (uint64_t n = 1; n <= 4; n++) {
        expire(b, 1000 + (int64_t)n * 10);
        for (uint64_t k = 1; k <= 5; k++)
            assert_int_equal(served(b, k, SPAN_OF(body[k])), k > n);
        assert_sound(b);
    }
    assert_false(served(b, 6, span("", 0)));
}

static void over_quota_what_was_superseded_goes_before_all_else(void **state)
{
    (void)state;
    struct bench *b = bench_new(64 * MIB, 1 * MIB);
    static uint8_t body[2000];
    uint64_t n = 1;
    for (; n <= 900; n++) { /* every second is a revision of the one before */
        struct op op = record_op(n, n / 2, 1, n, (int64_t)n, 100000);
        op.record.bytes = SPAN_OF(body);
        if (put_record(b, &op) == OP_QUOTA)
            break;
    }
    assert_true(n < 900);
    assert_true(served(b, 2, SPAN_OF(body)));
    struct op late = record_op(5000, 1, 1, 1, 1, 100000); /* too late, and no room to keep it */
    assert_int_equal(put_record(b, &late), OP_STALE);
    assert_false(served(b, 5000, span_str("the signed bytes")));
    assert_int_equal(known(b, 5000), KNOWN_SUPERSEDED);
    expire(b, 0);
    for (uint64_t k = 1; k < n - 1; k++)
        assert_int_equal(stored(b, k), k % 2);
    assert_false(served(b, 2, SPAN_OF(body)));              /* the oldest went */
    assert_int_equal(known(b, 2), KNOWN_SUPERSEDED);        /* and is not asked for again */
    assert_true(served(b, (n - 4) / 2 * 2, SPAN_OF(body))); /* a young one stays: there is room again */
    assert_sound(b);
    bench_free(b);
}

static void of_equal_revisions_the_lowest_id_stands_whatever_came_first(void **state)
{
    struct bench *b = *state;
    for (uint64_t order = 0; order < 2; order++) {
        struct op x = record_op(10, 1, 50 + order, 5, 100, 1000),
                  y = record_op(11, 1, 50 + order, 5, 100, 1000);
        memset(x.record.id.b, 0x11, 31);
        memset(y.record.id.b, 0x22, 31);
        x.record.id.b[31] = y.record.id.b[31] = (uint8_t)order;
        assert_int_equal(put_record(b, order ? &y : &x), OP_STORED);
        assert_int_equal(put_record(b, order ? &x : &y), order ? OP_STORED : OP_STALE);
        struct record_row row;
        assert_true(view_record(b->view, &x.record.id, &row));
        assert_false(view_record(b->view, &y.record.id, &row));
    }
    assert_sound(b);
}

static void a_withdrawal_outlives_what_it_withdraws(void **state)
{
    struct bench *b = *state;
    struct op listing = record_op(1, 1, 1, 10, 100, 5000), gone = record_op(2, 1, 1, 11, 110, 600);
    gone.record.withdraws = true;
    assert_int_equal(put_record(b, &listing), OP_STORED);
    assert_int_equal(put_record(b, &gone), OP_STORED);
    expire(b, 700); /* the withdrawal's own time is up: it leaves the reconciled set, alike everywhere */
    assert_int_equal(topic_ids(b, "bikes/FR"), 1);
    assert_true(stored(b, 2));
    assert_sound(b);
    assert_int_equal(put_record(b, &listing), OP_STALE);
    struct op between = record_op(3, 1, 1, 10, 105, 6000);
    assert_int_equal(put_record(b, &between), OP_STALE); /* and moves the floor to 6000 */
    expire(b, 5000);
    assert_true(stored(b, 2));
    assert_sound(b);
    expire(b, 6000);
    assert_false(stored(b, 2));
    struct store_stats stats;
    view_stats(b->view, &stats);
    assert_int_equal(stats.known, 0);
    assert_int_equal(stats.records, 0);
    assert_sound(b);
}

static bool collect(void *arg, const struct id *id, const struct record_row *row)
{
    uint64_t **out = arg;
    (void)row;
    *(*out)++ = be64_get(id->b + 8);
    return true;
}

static void records_are_found_by_whom_they_concern_newest_first(void **state)
{
    struct bench *b = *state;
    for (uint64_t n = 1; n <= 6; n++) {
        struct op op = record_op(n, n, 1, 1, 100, 1000);
        op.record.kind = n % 2 ? 4 : 7;
        op.record.subjects_n = 2;
        op.record.subjects[0] = id_of(500);
        op.record.subjects[1] = id_of(600 + n);
        assert_int_equal(put_record(b, &op), OP_STORED);
    }
    uint64_t got[16], *at = got;
    struct id subject = id_of(500);
    view_subject(b->view, &subject, 0, collect, &at);
    assert_int_equal(at - got, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(got[i], 6 - i);
    at = got;
    view_subject(b->view, &subject, 4, collect, &at);
    assert_int_equal(at - got, 3);
    assert_int_equal(got[0], 5);
    at = got;
    subject = id_of(602);
    view_subject(b->view, &subject, 0, collect, &at);
    assert_int_equal(at - got, 1);
    at = got;
    view_records_from(b->view, 4, collect, &at);
    assert_int_equal(at - got, 3);
    assert_int_equal(got[0], 4);
    struct op next = record_op(7, 2, 1, 2, 100, 1000); /* replaces number 2, and concerns nobody */
    next.record.kind = 7;
    put_record(b, &next);
    at = got;
    view_subject(b->view, &subject, 0, collect, &at);
    assert_int_equal(at - got, 0);
    assert_sound(b);
}

static void an_authors_records_come_by_slot_without_what_was_withdrawn(void **state)
{
    struct bench *b = *state;
    for (uint64_t n = 1; n <= 4; n++) {
        struct op op = record_op(n, 9, 10 - n, 1, 100, 1000);
        op.record.withdraws = n == 2;
        put_record(b, &op);
    }
    uint64_t got[8], *at = got;
    struct identity author = person(9);
    view_author(b->view, &author, 2, collect, &at);
    assert_int_equal(at - got, 3);
    assert_int_equal(got[0], 4);
    assert_int_equal(got[2], 1);
    at = got;
    view_author(b->view, &author, 3, collect, &at);
    assert_int_equal(at - got, 0);
}

static void an_id_that_was_declined_is_known_and_can_still_be_taken_later(void **state)
{
    struct bench *b = *state;
    struct id id = id_of(1);
    struct change *c = change_new(0, 0, 0);
    change_known(c, &id, span_str("bikes/FR"), 100, 1000, KNOWN_DECLINED);
    assert_int_equal(once(b, c, NULL), OP_STORED);
    c = change_new(0, 0, 0);
    change_known(c, &id, span_str("bikes/FR"), 100, 1000, KNOWN_DECLINED);
    assert_int_equal(once(b, c, NULL), OP_DUPLICATE);
    assert_int_equal(known(b, 1), KNOWN_DECLINED);
    assert_int_equal(topic_ids(b, "bikes/FR"), 1);
    struct op op = record_op(1, 1, 1, 1, 100, 1000);
    assert_int_equal(put_record(b, &op), OP_STORED);
    assert_int_equal(topic_ids(b, "bikes/FR"), 1);
    assert_sound(b);
    bench_reopen(b);
    assert_true(stored(b, 1));
    expire(b, 1000);
    assert_int_equal(topic_ids(b, "bikes/FR"), 0);
    assert_int_equal(known(b, 1), 0);
    assert_sound(b);
}

static void ones_own_records_stay_when_they_expire_and_can_be_renewed(void **state)
{
    struct bench *b = *state;
    struct op op = record_op(1, 1, 1, 1, 100, 1000), next = record_op(2, 1, 1, 2, 1100, 3000);
    op.record.own = next.record.own = true;
    put_record(b, &op);
    expire(b, 1500);
    assert_true(stored(b, 1));
    assert_int_equal(topic_ids(b, "bikes/FR"), 0);
    assert_sound(b);
    assert_int_equal(put_record(b, &next), OP_STORED);
    assert_int_equal(known(b, 1), 0);
    assert_int_equal(topic_ids(b, "bikes/FR"), 1);
    assert_sound(b);
}

struct order {
    uint8_t last[40];
    uint64_t n, chunks;
    bool good;
};

static bool in_order(void *arg, const struct time_chunk *c)
{
    struct order *o = arg;
    o->chunks++;
    o->good = o->good && c->n > 0 && c->n <= 100;
    for (size_t i = 0; i < c->n; i++) {
        const uint8_t *item = c->items.p + 40 * i;
        o->good = o->good && memcmp(o->last, item, 40) < 0;
        memcpy(o->last, item, 40);
        o->n++;
    }
    return true;
}

static bool topic_named(void *arg, struct span topic, uint64_t ids, const struct known_at *horizon)
{
    (void)horizon;
    *(uint64_t *)arg += span_eq(topic, span_str("a/FR")) ? ids : 1000000;
    return true;
}

static void the_time_index_stays_in_order_through_splits_and_joins(void **state)
{
    struct bench *b = *state;
    struct rng rng;
    rng_seed_u64(&rng, 5);
    enum { N = 3000 };
    for (uint64_t n = 0; n < N;) {
        struct change *c = change_new(0, 0, 0);
        for (uint64_t end = n + 1 + rng_below(&rng, 300); n < end && n < N; n++) {
            struct id id = id_of(n + 1);
            change_known(c, &id, span_str("a/FR"), (int64_t)rng_below(&rng, 1000),
                         1000 + (int64_t)rng_below(&rng, 100), KNOWN_DECLINED);
        }
        once(b, c, NULL);
    }
    struct order o = {.good = true};
    view_topic(b->view, span_str("a/FR"), in_order, &o);
    assert_true(o.good);
    assert_int_equal(o.n, N);
    uint64_t chunks = o.chunks, ids = 0;
    assert_true(chunks >= 30 && chunks <= 80);
    assert_sound(b);
    for (int64_t now = 1000; now < 1100; now += 7) {
        expire(b, now);
        assert_sound(b);
    }
    expire(b, 1095);
    o = (struct order){.good = true};
    view_topic(b->view, span_str("a/FR"), in_order, &o);
    assert_true(o.good);
    assert_true(o.n > 0 && o.n < 300);
    assert_true(o.chunks < chunks / 3); /* emptied chunks were joined */
    view_topics(b->view, topic_named, &ids);
    assert_int_equal(ids, o.n);
    expire(b, 1100);
    ids = 0;
    view_topics(b->view, topic_named, &ids);
    assert_int_equal(ids, 0);
    struct store_stats stats;
    view_stats(b->view, &stats);
    assert_int_equal(stats.known, 0);
}

static int setup(void **state)
{
    *state = bench_new(64 * MIB, 0);
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(a_record_is_stored_once_and_read_back),
        T(the_highest_revision_stands_and_what_it_replaced_stays_known_until_it_expires),
        T(what_was_superseded_is_served_until_it_expires_and_found_by_nothing_else),
        cmocka_unit_test(over_quota_what_was_superseded_goes_before_all_else),
        T(of_equal_revisions_the_lowest_id_stands_whatever_came_first),
        T(a_withdrawal_outlives_what_it_withdraws),
        T(records_are_found_by_whom_they_concern_newest_first),
        T(an_authors_records_come_by_slot_without_what_was_withdrawn),
        T(an_id_that_was_declined_is_known_and_can_still_be_taken_later),
        T(ones_own_records_stay_when_they_expire_and_can_be_renewed),
        T(the_time_index_stays_in_order_through_splits_and_joins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
