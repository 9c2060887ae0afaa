// links: store
/* What gives way when there is no room, and whose share it is: bytes, by topic and by author; ids known. */
#include "tests/unit/store_help.h"

/* The ids that a sweep told as known no more, of one topic, and its horizon. */
static uint64_t told(struct bench *b, int64_t now, uint32_t limit, const char *topic,
                     struct known_at *horizon)
{
    struct change *c = change_new(0, 0, 0);
    struct store_left left;
    uint64_t n = 0;
    change_expire(c, now, limit);
    assert_int_equal(apply_one(b, c), 0);
    for (struct span found = c->ops[0].found; store_left_next(&found, &left);)
        if (span_eq(left.topic, span_str(topic))) {
            n += left.n;
            *horizon = left.horizon;
        }
    change_free(c);
    return n;
}

static void over_quota_the_unfollowed_go_first_oldest_first_and_ones_own_never(void **state)
{
    (void)state;
    struct bench *b = bench_new(64 * MIB, 1 * MIB);
    static uint8_t body[2000];
    for (uint64_t n = 1; n <= 900; n++) {
        struct op op = record_op(n, n, 1, 1, (int64_t)n, 100000);
        op.record.bytes = SPAN_OF(body);
        op.record.own = n <= 5;
        op.record.followed = n > 5 && n <= 10;
        struct change *c = change_new(0, 0, 0);
        change_record(c, &op);
        enum op_result r = once(b, c, NULL);
        assert_true(r == OP_STORED || r == OP_QUOTA);
        if (r == OP_QUOTA) {
            assert_int_equal(known(b, n), KNOWN_EVICTED); /* so that it is not offered again and again */
            op.record.id = id_of(5000 + n);
            op.record.own = true;
            assert_int_equal(put_record(b, &op), OP_STORED); /* one's own is never refused */
            break;
        }
        assert_true(n < 900);
    }
    expire(b, 0);
    struct store_stats stats;
    view_stats(b->view, &stats);
    assert_true(stats.used_bytes <= 1 * MIB);
    for (uint64_t n = 1; n <= 10; n++)
        assert_true(stored(b, n));
    assert_false(stored(b, 11));
    assert_int_equal(known(b, 11), KNOWN_EVICTED);
    struct op older = record_op(9000, 11, 1, 0, 5, 90000); /* the floor outlives eviction */
    assert_int_equal(put_record(b, &older), OP_STALE);
    assert_sound(b);
    struct op again = record_op(11, 11, 1, 1, 11, 100000); /* asked for again, and there is room */
    assert_int_equal(put_record(b, &again), OP_STORED);
    assert_sound(b);
    expire(b, 200000);
    view_stats(b->view, &stats);
    assert_int_equal(stats.records, 6); /* one's own */
    assert_sound(b);
    bench_free(b);
}

static void where_ids_have_no_room_the_largest_topic_forgets_its_oldest(void **state)
{
    (void)state;
    enum { ROOM = 320, FLOOD = 1000, FEW = 40, OWN = 5 };
    struct bench *b = bench_new(64 * MIB, 0);
    struct known_at horizon = {0};
    uint64_t refused = 0, gone = 0;
    b->config.known_most = ROOM;
    bench_reopen(b);
    for (uint64_t n = 1; n <= FLOOD; n++) { /* each by an author of its own: identities are free */
        struct op op = record_op(n, n, 1, 1, 1000 + (int64_t)n, 100000);
        op.record.own = n <= OWN;
        op.record.followed = n > OWN && n <= 2 * OWN;
        refused += put_record(b, &op) == OP_DECLINED;
        if (n % 10 == 0)
            gone += told(b, 0, 1000, "bikes/FR", &horizon);
        if (n % 25 == 0) { /* among them something else, older than any of it */
            struct op other = record_op(5000 + n, 5000 + n, 1, 1, (int64_t)n, 100000);
            other.record.topic = span_str("books/FR");
            assert_int_equal(put_record(b, &other), OP_STORED);
        }
    }
    struct store_stats stats;
    view_stats(b->view, &stats);
    assert_true(stats.known < ROOM);
    assert_int_equal(stats.horizons, 1);
    assert_int_equal(topic_ids(b, "books/FR"), FEW);
    assert_int_equal(topic_ids(b, "bikes/FR"), FLOOD - gone - refused);
    for (uint64_t n = 1; n <= 2 * OWN; n++)
        assert_true(stored(b, n));
    assert_int_equal(known(b, 2 * OWN + 1), 0); /* nothing is left of it, */
    struct op again = record_op(2 * OWN + 1, 2 * OWN + 1, 1, 1, 1000 + 2 * OWN + 1, 100000);
    assert_int_equal(put_record(b, &again), OP_DECLINED); /* and it does not come back, */
    again.record.followed = true;
    assert_int_equal(put_record(b, &again), OP_STORED); /* but for who follows its author */
    assert_true(known_before(again.record.created, &again.record.id, &horizon));
    assert_true(stored(b, FLOOD));
    assert_sound(b);
    bench_reopen(b);
    struct change *c = change_new(0, 0, 0); /* nor by another way */
    struct id id = id_of(9999);
    change_known(c, &id, span_str("bikes/FR"), 1000, 100000, KNOWN_DECLINED);
    assert_int_equal(once(b, c, NULL), OP_DECLINED);
    told(b, 200000, 5000, "bikes/FR", &horizon); /* once there is room, what is old is welcome again */
    assert_int_equal(horizon.created, 0);
    view_stats(b->view, &stats);
    assert_int_equal(stats.horizons, 0);
    assert_sound(b);
    bench_free(b);
}

/* What is full of one's own stays so, and does not ask for ever for what it drops. */
static void ones_own_are_never_forgotten_however_many(void **state)
{
    (void)state;
    struct bench *b = bench_new(64 * MIB, 0);
    struct known_at horizon = {0};
    b->config.known_most = 50;
    bench_reopen(b);
    for (uint64_t n = 1; n <= 80; n++) {
        struct op op = record_op(n, 1, n, 1, 1000 + (int64_t)n, 100000);
        op.record.own = true;
        assert_int_equal(put_record(b, &op), OP_STORED);
    }
    assert_int_equal(told(b, 0, 1000, "bikes/FR", &horizon), 0);
    struct op op = record_op(100, 2, 1, 1, 1000, 100000);
    assert_int_equal(put_record(b, &op), OP_DECLINED);
    assert_int_equal(topic_ids(b, "bikes/FR"), 80);
    assert_sound(b);
    bench_free(b);
}

static void over_quota_the_largest_topic_gives_way(void **state)
{
    (void)state;
    struct bench *b = bench_new(64 * MIB, 1 * MIB);
    static uint8_t body[2000];
    for (uint64_t n = 1; n <= 20; n++) { /* what came first, and is oldest, */
        struct op op = record_op(5000 + n, 5000 + n, 1, 1, (int64_t)n, 100000);
        op.record.topic = span_str("books/FR");
        op.record.bytes = SPAN_OF(body);
        assert_int_equal(put_record(b, &op), OP_STORED);
    }
    for (uint64_t n = 1; n <= 900; n++) {
        struct op op = record_op(n, n, 1, 1, 1000 + (int64_t)n, 100000);
        op.record.bytes = SPAN_OF(body);
        put_record(b, &op);
        if (n % 5 == 0)
            expire(b, 0);
    }
    struct store_stats stats;
    view_stats(b->view, &stats);
    assert_true(stats.used_bytes <= 1 * MIB);
    for (uint64_t n = 1; n <= 20; n++) /* stays whole when another is flooded, */
        assert_true(stored(b, 5000 + n));
    assert_false(stored(b, 1)); /* which loses its own oldest */
    assert_true(stored(b, 900));
    struct op late = record_op(9000, 9000, 1, 1, 10, 100000); /* what comes in older than what went, goes */
    late.record.bytes = SPAN_OF(body);
    assert_int_equal(put_record(b, &late), OP_STORED);
    for (uint64_t n = 901; n <= 920; n++) {
        struct op op = record_op(n, n, 1, 1, 1000 + (int64_t)n, 100000);
        op.record.bytes = SPAN_OF(body);
        put_record(b, &op);
    }
    expire(b, 0);
    assert_false(stored(b, 9000));
    assert_sound(b);
    bench_free(b);
}

static void one_author_has_a_share_unless_followed(void **state)
{
    (void)state;
    struct bench *b = bench_new(64 * MIB, 0);
    static uint8_t body[1000];
    b->config.author_most = 20000;
    bench_reopen(b);
    uint64_t n = 1;
    for (enum op_result r = OP_STORED; r == OP_STORED; n++) {
        struct op op = record_op(n, 1, n, 1, (int64_t)n, 100000);
        op.record.bytes = SPAN_OF(body);
        r = put_record(b, &op);
        assert_true(n < 25);
    }
    uint64_t refused = --n;
    assert_true(refused > 15);
    assert_int_equal(known(b, refused),
                     KNOWN_EVICTED); /* known, so that it is not offered again and again */
    struct op op = record_op(100, 1, 1, 2, 200, 100000);
    op.record.bytes = SPAN_OF(body);
    assert_int_equal(put_record(b, &op), OP_STORED); /* of what there is a new revision comes in; */
    op = record_op(101, 2, 1, 1, 200, 100000);
    op.record.bytes = SPAN_OF(body);
    assert_int_equal(put_record(b, &op), OP_STORED); /* others have their own share; */
    op = record_op(refused, 1, refused, 1, (int64_t)refused, 100000);
    op.record.bytes = SPAN_OF(body);
    assert_int_equal(put_record(b, &op), OP_QUOTA);
    op.record.followed = true;
    assert_int_equal(put_record(b, &op), OP_STORED); /* and who is followed has no bound */
    op = record_op(2, 1, 2, 1, 2, 100000);
    op.record.bytes = SPAN_OF(body);
    op.record.followed = true;
    assert_int_equal(put_record(b, &op), OP_DUPLICATE); /* counts no more, */
    op = record_op(200, 1, 200, 1, 200, 100000);
    op.record.bytes = SPAN_OF(body);
    assert_int_equal(put_record(b, &op), OP_STORED); /* so that there is room again */
    assert_sound(b);
    expire(b, 100000);
    assert_sound(b);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_quota_the_unfollowed_go_first_oldest_first_and_ones_own_never),
        cmocka_unit_test(over_quota_the_largest_topic_gives_way),
        cmocka_unit_test(one_author_has_a_share_unless_followed),
        cmocka_unit_test(where_ids_have_no_room_the_largest_topic_forgets_its_oldest),
        cmocka_unit_test(ones_own_are_never_forgotten_however_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
