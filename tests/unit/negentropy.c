// links: gossip
/* Reconciliation: the set against a plain list; what two sides learn; frames; random starts; and what a
 * hostile message can and cannot do. */
#include "node/gossip/negentropy.h"
#include "node/gossip/negset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct neg_item random_item(struct rng *r, uint64_t spread)
{
    struct neg_item item = {.created = 1790000000000 + rng_below(r, spread)};
    rng_bytes(r, item.id.b, sizeof item.id.b);
    return item;
}

static int by_order(const void *a, const void *b)
{
    const struct neg_item *x = a, *y = b;
    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    return memcmp(&x->id, &y->id, sizeof x->id);
}

/* ---- the set ---- */
static void plain_sum(const struct neg_item *item, size_t from, size_t to, uint8_t out[static 32])
{
    memset(out, 0, 32);
    for (size_t i = from; i < to; i++)
        for (unsigned k = 0, carry = 0; k < 32; k++) {
            carry += (unsigned)out[k] + item[i].id.b[k];
            out[k] = (uint8_t)carry;
            carry >>= 8;
        }
}

static void same_as_list(struct negset *s, const struct neg_item *item, size_t n, struct rng *r)
{
    struct neg_set view = negset_view(s);
    assert_int_equal(view.count(view.arg), n);
    for (size_t i = 0; i < n; i++) {
        struct neg_item at;
        view.item(view.arg, i, &at);
        assert_memory_equal(&at, &item[i], sizeof at);
    }
    for (int i = 0; i < 50; i++) {
        size_t from = rng_below(r, n + 1), to = from + rng_below(r, n - from + 1);
        uint8_t got[32], want[32];
        view.sum(view.arg, from, to, got);
        plain_sum(item, from, to, want);
        assert_memory_equal(got, want, 32);
        struct neg_bound b = {.created = 1790000000000 + rng_below(r, 1100), .n = 1};
        b.id.b[0] = (uint8_t)rng_u64(r);
        struct neg_item like = {b.created, b.id};
        size_t first = 0;
        while (first < n && by_order(&item[first], &like) < 0)
            first++;
        assert_int_equal(view.lower_bound(view.arg, &b), first);
    }
}

static void set_is_a_sorted_list_with_sums(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct rng r;
    struct negset *s = negset_new();
    struct neg_item *item = xcalloc(N, sizeof *item), *sorted = xcalloc(N, sizeof *item);
    rng_seed_u64(&r, 1);
    for (size_t i = 0; i < N; i++) {
        item[i] = random_item(&r, 1000);
        assert_true(negset_add(s, item[i].created, &item[i].id));
        assert_false(negset_add(s, item[i].created, &item[i].id));
        if (i % 500 == 499) {
            memcpy(sorted, item, (i + 1) * sizeof *item);
            qsort(sorted, i + 1, sizeof *item, by_order);
            same_as_list(s, sorted, i + 1, &r);
        }
    }
    for (size_t left = N; left; left--) {
        if (left % 500 == 0) {
            memcpy(sorted, item, left * sizeof *item);
            qsort(sorted, left, sizeof *item, by_order);
            same_as_list(s, sorted, left, &r);
        }
        assert_true(negset_remove(s, item[left - 1].created, &item[left - 1].id));
        assert_false(negset_remove(s, item[left - 1].created, &item[left - 1].id));
    }
    assert_int_equal(negset_count(s), 0);
    negset_free(s);
    free(item);
    free(sorted);
}

static void set_takes_the_memory_it_says(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct rng r;
    struct negset *s = negset_new();
    struct neg_item *item = xcalloc(N, sizeof *item);
    rng_seed_u64(&r, 2);
    for (size_t i = 0; i < N; i++)
        item[i] = random_item(&r, 1000000);
    qsort(item, N, sizeof *item, by_order);
    for (size_t i = 0; i < N; i++)
        negset_add(s, item[i].created, &item[i].id);
    assert_true(negset_bytes(s) < N * 47);
    for (size_t i = 0; i < N; i++) /* nine in ten expire, in no order */
        if (rng_below(&r, 10))
            negset_remove(s, item[i].created, &item[i].id);
    assert_true(negset_bytes(s) < negset_count(s) * 130);
    negset_free(s);
    free(item);
}

/* ---- two sides ---- */
enum { SIDES = 2 };
struct pair {
    struct negset *set[SIDES];
    struct neg side[SIDES];
    struct neg_bound since[SIDES];
    size_t have, need, exchanges, bytes, longest;
};

static void pair_make(struct pair *p, struct rng *r, size_t common, size_t only_a, size_t only_b,
                      uint64_t spread)
{
    *p = (struct pair){.set = {negset_new(), negset_new()}};
    for (size_t i = 0; i < common + only_a + only_b; i++) {
        struct neg_item item = random_item(r, spread);
        if (i < common + only_a)
            negset_add(p->set[0], item.created, &item.id);
        if (i < common || i >= common + only_a)
            negset_add(p->set[1], item.created, &item.id);
    }
}

static void pair_free(struct pair *p)
{
    for (int i = 0; i < SIDES; i++) {
        neg_free(&p->side[i]);
        negset_free(p->set[i]);
    }
}

static void count_message(struct pair *p, const struct buf *b)
{
    p->bytes += b->n;
    if (b->n > p->longest)
        p->longest = b->n;
}

/* One session; what the first side learns is brought over both ways when `settle`. */
static void pair_run(struct pair *p, size_t frame, struct rng *random_start, bool settle)
{
    struct buf message = {0}, answer = {0};
    struct id *gained = NULL, *lost = NULL;
    p->have = p->need = 0;
    for (int i = 0; i < SIDES; i++) {
        struct neg_set view = negset_view(p->set[i]);
        neg_free(&p->side[i]);
        neg_init(&p->side[i], &view, frame);
        p->side[i].since = p->since[i];
    }
    if (random_start)
        neg_initiate_random(&p->side[0], &message, random_start);
    else
        neg_initiate(&p->side[0], &message);
    while (message.n > 1) {
        count_message(p, &message);
        buf_clear(&answer);
        assert_int_equal(neg_reconcile(&p->side[1], buf_view(&message), &answer), 0);
        count_message(p, &answer);
        buf_clear(&message);
        assert_int_equal(neg_reconcile(&p->side[0], buf_view(&answer), &message), 0);
        const struct neg *n = &p->side[0];
        if (n->have_n) {
            lost = xrealloc(lost, (p->have + n->have_n) * sizeof *lost);
            memcpy(lost + p->have, n->have, n->have_n * sizeof *lost);
        }
        if (n->need_n) {
            gained = xrealloc(gained, (p->need + n->need_n) * sizeof *gained);
            memcpy(gained + p->need, n->need, n->need_n * sizeof *gained);
        }
        p->have += n->have_n;
        p->need += n->need_n;
        assert_true(++p->exchanges < 10000);
    }
    if (settle) {
        struct negset *all = negset_new();
        for (int i = 0; i < SIDES; i++) {
            struct neg_set v = negset_view(p->set[i]);
            for (size_t k = 0; k < v.count(v.arg); k++) {
                struct neg_item item;
                v.item(v.arg, k, &item);
                const struct id *list = i ? gained : lost;
                for (size_t j = 0; j < (i ? p->need : p->have); j++)
                    if (id_eq(&item.id, &list[j]))
                        negset_add(all, item.created, &item.id);
            }
        }
        struct neg_set v = negset_view(all);
        for (size_t k = 0; k < v.count(v.arg); k++) {
            struct neg_item item;
            v.item(v.arg, k, &item);
            negset_add(p->set[0], item.created, &item.id);
            negset_add(p->set[1], item.created, &item.id);
        }
        negset_free(all);
    }
    free(gained);
    free(lost);
    buf_free(&message);
    buf_free(&answer);
}

static void without_frames_a_session_finds_every_difference(void **state)
{
    (void)state;
    static const size_t cases[][3] = {
        {0, 0, 0},    {0, 5, 0},    {0, 0, 5},     {20, 1, 1},      {31, 0, 1},   {32, 0, 0},  {33, 1, 0},
        {1000, 0, 0}, {1000, 0, 1}, {1000, 40, 7}, {5000, 200, 90}, {0, 2000, 0}, {0, 0, 2000}};
    struct rng r;
    rng_seed_u64(&r, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint64_t spread = 1; spread <= 1000000; spread *= 1000) {
            struct pair p;
            pair_make(&p, &r, cases[i][0], cases[i][1], cases[i][2], spread);
            pair_run(&p, 0, NULL, false);
            assert_int_equal(p.have, cases[i][1]);
            assert_int_equal(p.need, cases[i][2]);
            pair_free(&p);
        }
}

static void with_frames_no_message_is_longer_and_rounds_settle(void **state)
{
    (void)state;
    struct rng r;
    struct pair p;
    rng_seed_u64(&r, 4);
    pair_make(&p, &r, 4000, 200, 300, 100000);
    int rounds = 0;
    do {
        pair_run(&p, NEG_FRAME_LEAST, rounds % 2 ? &r : NULL, true);
        assert_true(p.longest <= NEG_FRAME_LEAST);
        assert_true(++rounds < 8);
    } while (p.have || p.need);
    assert_int_equal(negset_count(p.set[0]), 4500);
    assert_int_equal(negset_count(p.set[1]), 4500);
    pair_free(&p);
}

/* The first side has forgotten, or the second, or both, what lies before a place. */
static void what_lies_before_a_horizon_is_not_settled(void **state)
{
    (void)state;
    struct rng r;
    rng_seed_u64(&r, 15);
    for (int i = 0; i < 48; i++) {
        struct pair p;
        size_t older[SIDES] = {(size_t)i % 3 * 40, (size_t)i % 5 * 300};
        pair_make(&p, &r, (size_t)i * 40, 9, 6, 5000); /* all from 1790000000000 on */
        for (int s = 0; s < SIDES; s++)
            for (size_t k = 0; k < older[s]; k++) {
                struct neg_item item = random_item(&r, 5000);
                negset_add(p.set[s], item.created - 6000, &item.id);
            }
        int who = 1 + i % 3; /* 1: the first, 2: the second, 3: both */
        p.since[0] = p.since[1] = (struct neg_bound){.created = 1790000000000};
        if (!(who & 1))
            p.since[0] = (struct neg_bound){0};
        if (!(who & 2))
            p.since[1] = (struct neg_bound){0};
        pair_run(&p, 0, i % 2 ? &r : NULL, false);
        assert_int_equal(p.have, 9);
        assert_int_equal(p.need, 6);
        pair_free(&p);
    }
}

static void a_list_that_just_fills_the_frame_is_taken(void **state)
{
    (void)state;
    struct rng r;
    rng_seed_u64(&r, 14);
    for (size_t n = 110; n < 135; n++) {
        struct pair p;
        pair_make(&p, &r, 0, 0, n, 1000);
        pair_run(&p, NEG_FRAME_LEAST, NULL, false);
        assert_int_equal(p.need, n);
        pair_free(&p);
    }
}

static void equal_sets_cost_one_short_exchange(void **state)
{
    (void)state;
    struct rng r;
    struct pair p;
    rng_seed_u64(&r, 5);
    pair_make(&p, &r, 20000, 0, 0, 1000000);
    pair_run(&p, 48000, NULL, false);
    assert_int_equal(p.exchanges, 1);
    assert_true(p.bytes < 500);
    pair_free(&p);
}

static void a_random_start_is_answered_like_any_other(void **state)
{
    (void)state;
    struct rng r;
    rng_seed_u64(&r, 6);
    for (size_t common = 0; common < 3000; common = common * 2 + 17)
        for (int i = 0; i < 5; i++) {
            struct pair p;
            pair_make(&p, &r, common, 9, 6, 5000);
            pair_run(&p, i % 2 ? 0 : 200000, &r, false);
            assert_int_equal(p.have, 9);
            assert_int_equal(p.need, 6);
            pair_free(&p);
        }
}

/* Somebody has made ids whose sums agree: here every sum is zero, so that fingerprints tell only counts. */
static void blind_sum(const void *arg, size_t from, size_t to, uint8_t sum[static 32])
{
    (void)arg, (void)from, (void)to;
    memset(sum, 0, 32);
}

static void a_random_start_finds_what_fingerprints_hide(void **state)
{
    (void)state;
    enum { COMMON = 4000 };
    struct rng r;
    struct pair p;
    rng_seed_u64(&r, 7);
    pair_make(&p, &r, COMMON, 0, 0, 100000);
    for (int i = 0; i < SIDES; i++) {
        struct neg_item item = random_item(&r, 1);
        item.created += 50000;
        negset_add(p.set[i], item.created, &item.id);
    }
    for (int random = 0; random < 2; random++) {
        bool found = false;
        for (int round = 0; round < 60 && !found; round++) {
            struct buf message = {0}, answer = {0};
            for (int i = 0; i < SIDES; i++) {
                struct neg_set view = negset_view(p.set[i]);
                view.sum = blind_sum;
                neg_free(&p.side[i]);
                neg_init(&p.side[i], &view, 48000);
            }
            if (random)
                neg_initiate_random(&p.side[0], &message, &r);
            else
                neg_initiate(&p.side[0], &message);
            assert_int_equal(neg_reconcile(&p.side[1], buf_view(&message), &answer), 0);
            buf_clear(&message);
            assert_int_equal(neg_reconcile(&p.side[0], buf_view(&answer), &message), 0);
            found = p.side[0].have_n == 1 && p.side[0].need_n == 1;
            buf_free(&message);
            buf_free(&answer);
        }
        assert_int_equal(found, random);
    }
    pair_free(&p);
}

static void a_random_start_lists_a_range_however_large_the_set(void **state)
{
    (void)state;
    static const size_t frames[] = {NEG_FRAME_LEAST, 48000};
    struct rng r;
    struct pair p;
    rng_seed_u64(&r, 8);
    pair_make(&p, &r, 40000, 0, 0, 100000);
    for (int i = 0; i < 40; i++) {
        struct neg n;
        struct buf message = {0};
        struct neg_set view = negset_view(p.set[0]);
        size_t frame = frames[i % 2], listed = i % 2 ? NEG_LISTED_MOST : 50;
        neg_init(&n, &view, frame);
        neg_initiate_random(&n, &message, &r);
        assert_true(message.n <= frame);
        assert_true(message.n >= listed * 32);
        neg_free(&n);
        buf_free(&message);
    }
    pair_free(&p);
}

/* ---- hostile messages ---- */
static int give(struct pair *p, bool initiator, const char *hex)
{
    struct buf out = {0};
    uint8_t bytes[256];
    size_t n = strlen(hex) / 2;
    assert_true(hex_decode(bytes, n, hex, n * 2));
    p->side[0].initiator = initiator;
    int err = neg_reconcile(&p->side[0], span(bytes, n), &out);
    if (err)
        assert_int_equal(out.n, err == SOUK_EVERSION ? 1 : 0);
    buf_free(&out);
    return err;
}

#define FP "00112233445566778899aabbccddeeff"
static void malformed_messages_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",                             /* no version */
        "00",                           /* not a version of this protocol */
        "5f",                           /* the same */
        "70",                           /* the same */
        "6100",                         /* a bound cut short */
        "610000",                       /* no mode */
        "61000003",                     /* a mode that is not */
        "6100000100",                   /* a fingerprint cut short */
        "6100000201",                   /* an id missing */
        "61000002ffffffffffffffff7f",   /* ids without end */
        "6180010000",                   /* a varint longer than needed */
        "61ffffffffffffffffffff7f0000", /* a varint over 64 bits */
        "61000100",                     /* a prefix at the end of time, cut */
        "6100010000",                   /* a prefix at the end of time */
        /* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one message of several parts */
        "610121" FP FP "0000", /* a prefix of 33 bytes */
        "61000000050000",      /* a time after the end of time */
        "6105000001010000"
        "00",                 /* bytes left over */
        "610501020001010100", /* a bound that goes back */
        "61"
        "81ffffffffffffffff7f"
        "0000"
        "81ffffffffffffffff7f"
        "0000", /* times over 64 bits */
    };
    struct rng r;
    struct pair p;
    rng_seed_u64(&r, 9);
    pair_make(&p, &r, 100, 0, 0, 1000);
    struct neg_set view = negset_view(p.set[0]);
    neg_init(&p.side[0], &view, 48000);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int initiator = 0; initiator < 2; initiator++)
            if (give(&p, initiator, bad[i]) != SOUK_EFORM)
                fail_msg("accepted: %s", bad[i]);
    assert_int_equal(give(&p, false, "61"), 0);
    assert_int_equal(give(&p, false, "6100000200"), 0);
    assert_int_equal(give(&p, false, "610501020001010200"), 0); /* 5/02…, then 5/02… again: not back */
    pair_free(&p);
}

static void another_version_is_answered_with_ours(void **state)
{
    (void)state;
    struct rng r;
    struct pair p;
    struct buf out = {0};
    rng_seed_u64(&r, 10);
    pair_make(&p, &r, 100, 0, 0, 1000);
    struct neg_set view = negset_view(p.set[0]);
    neg_init(&p.side[0], &view, 48000);
    assert_int_equal(neg_reconcile(&p.side[0], span("\x62\x01\x02", 3), &out), 0);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.p[0], 0x61);
    p.side[0].initiator = true;
    assert_int_equal(give(&p, true, "62"), SOUK_EVERSION);
    buf_free(&out);
    pair_free(&p);
}

static void spoilt_messages_cost_at_most_a_frame(void **state)
{
    (void)state;
    struct rng r;
    struct pair p;
    struct buf first = {0}, ids = {0}, out = {0};
    rng_seed_u64(&r, 11);
    pair_make(&p, &r, 2000, 30, 30, 1000);
    for (int i = 0; i < SIDES; i++) {
        struct neg_set view = negset_view(p.set[i]);
        neg_init(&p.side[i], &view, NEG_FRAME_LEAST);
    }
    neg_initiate(&p.side[0], &first);
    assert_int_equal(neg_reconcile(&p.side[1], buf_view(&first), &ids), 0);
    const struct buf *good[] = {&first, &ids};
    for (int k = 0; k < 3000; k++) {
        struct buf spoilt = {0};
        buf_span(&spoilt, buf_view(good[k % 2]));
        if (k % 3 == 0)
            spoilt.n = rng_below(&r, spoilt.n);
        for (uint64_t flips = rng_below(&r, 4); spoilt.n && flips; flips--)
            spoilt.p[rng_below(&r, spoilt.n)] = (uint8_t)rng_u64(&r);
        for (int i = 0; i < SIDES; i++) {
            buf_clear(&out);
            int err = neg_reconcile(&p.side[i], buf_view(&spoilt), &out);
            p.side[i].barren = 0;
            assert_true(err == 0 || err == SOUK_EFORM || err == SOUK_EVERSION);
            assert_true(out.n <= NEG_FRAME_LEAST);
        }
        buf_free(&spoilt);
    }
    buf_free(&first);
    buf_free(&ids);
    buf_free(&out);
    pair_free(&p);
}

static void a_peer_that_teaches_nothing_is_given_up(void **state)
{
    (void)state;
    struct rng r;
    struct pair p;
    struct buf message = {0}, lie = {0};
    rng_seed_u64(&r, 12);
    pair_make(&p, &r, 5000, 0, 0, 1000);
    struct neg_set view = negset_view(p.set[0]);
    neg_init(&p.side[0], &view, 48000);
    neg_initiate(&p.side[0], &message);
    int err = 0, answers = 0;
    buf_append(&lie, "\x61\x00\x00\x01", 4); /* for ever: all of it differs */
    memset(buf_grow(&lie, 16), 7, 16);
    while (!err && answers < 1000) {
        buf_clear(&message);
        err = neg_reconcile(&p.side[0], buf_view(&lie), &message);
        answers++;
    }
    assert_int_equal(err, SOUK_EFORM);
    assert_int_equal(answers, NEG_BARREN_MOST + 1);
    buf_free(&message);
    buf_free(&lie);
    pair_free(&p);
}

static void what_is_learnt_from_one_message_is_bounded(void **state)
{
    (void)state;
    struct rng r;
    struct pair p;
    struct buf out = {0};
    rng_seed_u64(&r, 13);
    pair_make(&p, &r, NEG_IDS_MOST + 50, 0, 0, 1000000);
    struct neg_set view = negset_view(p.set[0]);
    neg_init(&p.side[0], &view, 48000);
    neg_initiate(&p.side[0], &out);
    buf_clear(&out);
    assert_int_equal(neg_reconcile(&p.side[0], span("\x61\x00\x00\x02\x00", 5), &out),
                     0); /* "I have none" */
    assert_int_equal(p.side[0].have_n, NEG_IDS_MOST);
    buf_free(&out);
    pair_free(&p);
}

static void a_topic_of_one_record_costs_little(void **state)
{
    (void)state;
    struct rng r;
    rng_seed_u64(&r, 3);
    struct negset *s = negset_new();
    for (size_t n = 1; n <= 100; n++) {
        struct neg_item item = random_item(&r, 1000);
        assert_true(negset_add(s, item.created, &item.id));
        assert_true(negset_bytes(s) < 250 + n * 90); /* 64,000 such topics are some 20 MB, not 300 */
    }
    negset_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_is_a_sorted_list_with_sums),
        cmocka_unit_test(set_takes_the_memory_it_says),
        cmocka_unit_test(a_topic_of_one_record_costs_little),
        cmocka_unit_test(without_frames_a_session_finds_every_difference),
        cmocka_unit_test(with_frames_no_message_is_longer_and_rounds_settle),
        cmocka_unit_test(what_lies_before_a_horizon_is_not_settled),
        cmocka_unit_test(a_list_that_just_fills_the_frame_is_taken),
        cmocka_unit_test(equal_sets_cost_one_short_exchange),
        cmocka_unit_test(a_random_start_is_answered_like_any_other),
        cmocka_unit_test(a_random_start_finds_what_fingerprints_hide),
        cmocka_unit_test(a_random_start_lists_a_range_however_large_the_set),
        cmocka_unit_test(malformed_messages_are_refused),
        cmocka_unit_test(another_version_is_answered_with_ours),
        cmocka_unit_test(spoilt_messages_cost_at_most_a_frame),
        cmocka_unit_test(a_peer_that_teaches_nothing_is_given_up),
        cmocka_unit_test(what_is_learnt_from_one_message_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
