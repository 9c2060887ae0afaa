// links: store
#include "store/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void push(struct writer_queue *q, bool bulk, uint64_t cookie, uint64_t now)
{
    struct change *c = change_new(0, 0, cookie);
    c->bulk = bulk;
    assert_true(writer_push(q, c, now));
}

/* Takes a batch, frees it, and says how many of each class it had. */
static bool take(struct writer_queue *q, uint64_t now, size_t *interactive, size_t *bulk)
{
    struct change **batch;
    size_t n;
    *interactive = *bulk = 0;
    if (!writer_take(q, now, &batch, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        ++*(batch[i]->bulk ? bulk : interactive);
        change_free(batch[i]);
    }
    return true;
}

static void an_interactive_change_goes_at_once(void **state)
{
    (void)state;
    struct writer_queue q;
    size_t i, b;
    writer_init(&q);
    assert_true(writer_next_ms(&q) == UINT64_MAX);
    assert_false(take(&q, 1000, &i, &b));
    push(&q, false, 1, 1000);
    assert_true(writer_next_ms(&q) <= 1000);
    assert_true(take(&q, 1000, &i, &b));
    assert_int_equal(i, 1);
    writer_free(&q);
}

static void bulk_alone_waits_for_a_thousand_or_for_50_ms(void **state)
{
    (void)state;
    struct writer_queue q;
    size_t i, b;
    writer_init(&q);
    push(&q, true, 0, 100);
    push(&q, true, 1, 140);
    assert_int_equal(writer_next_ms(&q), 150);
    assert_false(take(&q, 149, &i, &b));
    assert_true(take(&q, 150, &i, &b));
    assert_int_equal(b, 2);
    for (uint64_t n = 0; n < 999; n++)
        push(&q, true, n, 200);
    assert_false(take(&q, 200, &i, &b));
    push(&q, true, 999, 200);
    push(&q, true, 1000, 200);
    assert_true(take(&q, 200, &i, &b));
    assert_int_equal(b, 1000);
    assert_false(take(&q, 249, &i, &b));
    assert_true(take(&q, 250, &i, &b));
    assert_int_equal(b, 1);
    writer_free(&q);
}

static void interactive_changes_hold_bulk_to_64_a_batch(void **state)
{
    (void)state;
    struct writer_queue q;
    size_t i, b;
    writer_init(&q);
    for (uint64_t n = 0; n < 3000; n++)
        push(&q, true, n, 0);
    push(&q, false, 0, 0);
    push(&q, false, 1, 0);
    assert_true(take(&q, 0, &i, &b));
    assert_int_equal(i, 2);
    assert_int_equal(b, 64);
    assert_true(take(&q, 1, &i, &b));
    assert_int_equal(i, 0);
    assert_int_equal(b, 256); /* another may follow soon */
    assert_true(take(&q, 999, &i, &b));
    assert_int_equal(b, 256);
    assert_true(take(&q, 1000, &i, &b));
    assert_int_equal(b, 1000);
    assert_int_equal(writer_waiting(&q), 1424);
    writer_free(&q); /* frees what waits */
}

static void order_is_kept_within_a_class(void **state)
{
    (void)state;
    struct writer_queue q;
    struct change **batch;
    size_t n;
    uint64_t next = 0;
    writer_init(&q);
    for (uint64_t round = 0; round < 5; round++) {
        for (uint64_t k = 0; k < 700; k++)
            push(&q, true, round * 700 + k, round);
        push(&q, false, 0, round);
        assert_true(writer_take(&q, round, &batch, &n));
        for (size_t k = 0; k < n; k++) {
            if (batch[k]->bulk)
                assert_int_equal(batch[k]->cookie, next++);
            change_free(batch[k]);
        }
    }
    assert_int_equal(next, 5 * 64);
    writer_free(&q);
}

static void a_full_class_refuses_and_the_other_goes_on(void **state)
{
    (void)state;
    struct writer_queue q;
    writer_init(&q);
    for (uint64_t n = 0; n < WRITER_QUEUE_MAX; n++)
        push(&q, true, n, 0);
    struct change *c = change_new(0, 0, 0);
    c->bulk = true;
    assert_false(writer_push(&q, c, 0));
    assert_int_equal(q.refused, 1);
    assert_int_equal(q.most_waiting, WRITER_QUEUE_MAX);
    c->bulk = false;
    assert_true(writer_push(&q, c, 0));
    writer_free(&q);
}

static void at_shutdown_nothing_waits(void **state)
{
    (void)state;
    struct writer_queue q;
    size_t i, b;
    writer_init(&q);
    push(&q, true, 0, 10);
    writer_hurry(&q);
    assert_true(take(&q, 10, &i, &b));
    assert_int_equal(b, 1);
    assert_true(writer_next_ms(&q) == UINT64_MAX);
    writer_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interactive_change_goes_at_once),
        cmocka_unit_test(bulk_alone_waits_for_a_thousand_or_for_50_ms),
        cmocka_unit_test(interactive_changes_hold_bulk_to_64_a_batch),
        cmocka_unit_test(order_is_kept_within_a_class),
        cmocka_unit_test(a_full_class_refuses_and_the_other_goes_on),
        cmocka_unit_test(at_shutdown_nothing_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
