// links: outbox
#include "mail.gen.h"
#include "outbox_world.h"

struct listed {
    size_t n;
    bool request;
    char text[64];
};

static bool list_one(void *arg, const struct outbox_message_row *row)
{
    struct listed *l = arg;
    if (!l->n++) {
        l->request = row->request;
        snprintf(l->text, sizeof l->text, "%.*s", (int)row->text.n, (const char *)row->text.p);
    }
    return true;
}

static struct listed messages(int i)
{
    struct listed l = {0};
    outbox_messages(world_core(i), NULL, NULL, 100, list_one, &l);
    return l;
}

static void a_letter_goes_straight_to_a_node_that_is_there(void **state)
{
    (void)state;
    world_begin(2, 0);
    world_route(0, 1);
    struct id letter = world_send(0, 1, LETTER_MESSAGE, "Is the bicycle still there?");
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    assert_int_equal(W.node[0]->done, 1);
    assert_int_equal(W.node[0]->done_err, 0);
    assert_int_equal(messages(1).n, 1);
    assert_string_equal(messages(1).text, "Is the bicycle still there?");
    assert_true(messages(1).request); /* nobody here has written to them */
    assert_int_equal(messages(0).n, 1);
    assert_int_equal(view_event_last(world_core(1)->view), 1);
    /* The answer needs no route told by hand: the letter said where its writer is. */
    letter = world_send(1, 0, LETTER_MESSAGE, "Yes");
    assert_int_equal(world_state(1, &letter), LETTER_RECEIVED);
    assert_false(messages(0).request);
    world_end();
}

static void an_acknowledgement_comes_only_after_the_commit(void **state)
{
    (void)state;
    world_begin(2, 0);
    world_route(0, 1);
    world_connect(0, 1);
    W.node[1]->hold_commits = true;
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    assert_int_equal(W.node[1]->letters, 1);
    assert_int_equal(world_state(0, &letter), LETTER_QUEUED);
    world_pass(8000); /* sent again: taken once all the same */
    assert_int_equal(W.node[1]->letters, 1);
    assert_int_equal(world_state(0, &letter), LETTER_QUEUED);
    assert_int_equal(W.node[1]->taken, 0);
    W.node[1]->hold_commits = false;
    world_settle();
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    assert_int_equal(W.node[1]->taken, 1);
    world_end();
}

static void a_letter_is_kept_through_a_crash_of_its_sender(void **state)
{
    (void)state;
    world_begin(2, 0);
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    assert_int_equal(world_state(0, &letter), LETTER_QUEUED);
    world_away(0);
    world_back(0, true);
    world_pass(2000);
    assert_int_equal(world_state(0, &letter), LETTER_QUEUED);
    world_route(0, 1);
    world_pass(2000);
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    assert_int_equal(W.node[1]->letters, 1);
    world_end();
}

static void a_lost_acknowledgement_is_given_again_and_the_letter_kept_once(void **state)
{
    (void)state;
    world_begin(2, 0);
    world_route(0, 1);
    world_connect(0, 1);
    W.node[1]->hold_commits = true;
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    world_away(0); /* before the commit: the acknowledgement finds nobody */
    W.node[1]->hold_commits = false;
    world_settle();
    assert_int_equal(W.node[1]->taken, 1);
    assert_int_equal(W.node[0]->done, 0);
    world_back(0, true);
    world_pass(4000);
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    assert_int_equal(W.node[0]->done, 1);
    assert_int_equal(W.node[1]->letters, 1);
    assert_int_equal(W.node[1]->taken, 1);
    world_end();
}

static void what_the_room_refuses_for_good_is_told_to_the_sender(void **state)
{
    (void)state;
    world_begin(2, 0);
    world_route(0, 1);
    W.node[1]->letter_err = SOUK_EUNKNOWN_CRITICAL;
    struct id letter = world_send(0, 1, LETTER_FACT, "fact of a later version");
    assert_int_equal(world_state(0, &letter), LETTER_GIVEN_UP);
    assert_int_equal(W.node[0]->done_err, SOUK_EUNKNOWN_CRITICAL);
    world_end();
}

static void what_the_room_cannot_take_now_comes_again(void **state)
{
    (void)state;
    world_begin(2, 0);
    world_route(0, 1);
    W.node[1]->letter_err = SOUK_EBUSY;
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    assert_int_equal(world_state(0, &letter), LETTER_QUEUED);
    W.node[1]->letter_err = 0;
    world_pass(10000);
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    world_end();
}

static void letters_wait_sealed_while_their_recipient_is_locked(void **state)
{
    (void)state;
    world_begin(2, 0);
    world_route(0, 1);
    world_away(1);
    world_back(1, false);
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    world_pass(2000);
    assert_int_equal(W.node[1]->letters, 0);
    assert_int_equal(world_state(0, &letter), LETTER_QUEUED);
    struct core *c = world_core(1);
    assert_int_equal(keys_unlock(c->keys, c, &W.node[1]->who, span_str("pass"), 0, NULL), 0);
    outbox_unlocked(c->outbox, c, &W.node[1]->who);
    world_effects(1);
    world_settle();
    assert_int_equal(W.node[1]->letters, 1);
    world_pass(10000);
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    assert_int_equal(W.node[1]->letters, 1);
    world_end();
}

static void a_letter_waits_for_its_recipients_prekeys(void **state)
{
    (void)state;
    world_begin(1, 0);
    int b = world_node();
    world_route(0, b);
    struct id letter = world_send(0, b, LETTER_MESSAGE, "hello");
    world_pass(3000);
    assert_int_equal(world_state(0, &letter), LETTER_QUEUED);
    world_prekeys(b); /* at once, not at the next try */
    world_settle();
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    world_end();
}

static bool drop_row(void *arg, struct span key, struct span value)
{
    (void)value;
    change_delete(arg, TABLE_KEY, key)->lone = true;
    return true;
}

static void a_letter_is_sealed_again_when_prekeys_have_changed(void **state)
{
    (void)state;
    world_begin(2, 0);
    world_away(1); /* and comes back without its prekeys' secrets, as after a restore from words */
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    view_scan(W.node[1]->store->view, TABLE_KEY, span_str("p"), span(NULL, 0), drop_row, ch);
    assert_true(ch->ops_n > 0);
    assert_int_equal(apply_one(W.node[1]->store, ch), 0);
    change_free(ch);
    world_back(1, true);
    world_route(0, 1);
    world_pass(10000);
    struct outbox_stats stats;
    outbox_stats(W.node[1]->core.outbox, world_core(1), &stats);
    assert_true(stats.dropped > 0); /* it came, and could not be opened */
    assert_int_equal(world_state(0, &letter), LETTER_QUEUED);
    world_prekeys(1);
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    assert_int_equal(W.node[1]->letters, 1);
    world_end();
}

static void after_thirty_days_a_letter_is_given_up(void **state)
{
    (void)state;
    world_begin(2, 0);
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    W.now.unix_ms += INT64_C(31) * 86400000;
    world_pass(2000);
    assert_int_equal(world_state(0, &letter), LETTER_GIVEN_UP);
    assert_int_equal(W.node[0]->done_err, SOUK_ETIMEOUT);
    world_end();
}

static void the_blocked_are_acknowledged_and_dropped(void **state)
{
    (void)state;
    world_begin(2, 0);
    world_route(0, 1);
    struct core *c = world_core(1);
    struct change *ch = change_new(ROOM_API, 0, 0);
    uint8_t row[6 + 32] = "block/"; /* as market_mark writes it */
    memcpy(row + 6, W.node[0]->who.b, 32);
    change_put(ch, TABLE_DRAFT, SPAN_OF(row), span("", 0));
    fx_commit(c->fx, ch);
    world_effects(1);
    world_settle();
    struct id letter = world_send(0, 1, LETTER_MESSAGE, "buy this");
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    assert_int_equal(messages(1).n, 0);
    assert_int_equal(view_event_last(world_core(1)->view), 0);
    assert_int_equal(W.node[1]->taken, 0);
    world_end();
}

static void two_identities_of_one_node_write_to_each_other(void **state)
{
    (void)state;
    char words[256];
    world_begin(1, 0);
    struct tnode *t = W.node[0];
    struct identity first = t->who, second;
    struct core *c = world_core(0);
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(keys_create(c->keys, c, "too", span_str("pass"), &second, words, ch, NULL), 0);
    fx_commit(c->fx, ch);
    world_effects(0);
    t->who = second;
    world_prekeys(0);
    struct id thread = {{3}}, letter;
    ch = change_new(ROOM_API, 0, 0);
    assert_int_equal(outbox_send(c->outbox, world_core(0), &first, &second, &thread, LETTER_FACT,
                                 span_str("fact"), ch, &letter, NULL),
                     0);
    fx_commit(c->fx, ch);
    world_effects(0);
    world_settle();
    assert_int_equal(t->letters, 1);
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    world_end();
}

static void strangers_fill_only_so_much_in_a_day(void **state)
{
    (void)state;
    static char text[50001];
    const unsigned fit = OUTBOX_STRANGERS_BYTES / 50000;
    memset(text, 'x', sizeof text - 1);
    world_begin(2, 0);
    world_route(0, 1);
    world_route(1, 0);
    for (unsigned i = 0; i < fit + 10; i++) {
        snprintf(text, 8, "%07u", i);
        text[7] = 'x';
        world_send(0, 1, LETTER_FACT, text);
        if (i % 100 == 99)
            world_pass(61000);
    }
    assert_true(W.node[1]->taken <= fit && W.node[1]->taken > fit - 10);
    world_send(1, 0, LETTER_MESSAGE, "we know each other now");
    text[0] = '!';
    struct id letter = world_send(0, 1, LETTER_FACT, text);
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED); /* who is known has all the room there is */
    world_end();
}

static void one_peer_cannot_flood(void **state)
{
    (void)state;
    struct node_key peer = {{5}};
    struct outbox_stats before, after;
    struct buf body = {0};
    uint8_t sealed[256] = {0};
    struct buf envelope = {0};
    world_begin(1, 0);
    struct core *c = world_core(0);
    mail_envelope_encode(&envelope,
                         &(struct mail_envelope){.to = W.node[0]->who, .sealed = SPAN_OF(sealed)});
    mail_leave_encode(&body, &(struct mail_leave){.envelope = buf_view(&envelope)});
    outbox_stats(c->outbox, c, &before);
    for (int i = 0; i < 1000; i++) /* too much is dropped, and held against nobody */
        assert_int_equal(outbox_message(c->outbox, c, &peer, MAIL_LEAVE, buf_view(&body)), 0);
    outbox_stats(c->outbox, c, &after);
    assert_true(after.dropped - before.dropped >= 700);
    buf_free(&body);
    buf_free(&envelope);
    world_end();
}

static void a_message_must_be_text_of_some_length(void **state)
{
    (void)state;
    world_begin(2, 0);
    struct core *c = world_core(0);
    struct id thread = {{1}}, letter;
    struct report r = {0};
    struct change *ch = change_new(ROOM_API, 0, 0);
    static char longer[LETTER_TEXT_MOST + 1];
    memset(longer, 'a', sizeof longer);
    const struct identity *a = &W.node[0]->who, *b = &W.node[1]->who;
    assert_int_equal(
        outbox_send(c->outbox, c, a, b, &thread, LETTER_MESSAGE, span(NULL, 0), ch, &letter, &r),
        SOUK_ERANGE);
    assert_int_equal(
        outbox_send(c->outbox, c, a, b, &thread, LETTER_MESSAGE, SPAN_OF(longer), ch, &letter, &r),
        SOUK_ERANGE);
    assert_int_equal(
        outbox_send(c->outbox, c, a, b, &thread, LETTER_MESSAGE, span_str("\x1b[2J"), ch, &letter, &r),
        SOUK_EFORM);
    assert_int_equal(
        outbox_send(c->outbox, c, b, a, &thread, LETTER_MESSAGE, span_str("hi"), ch, &letter, &r),
        SOUK_ENOT_FOUND);
    assert_int_equal(ch->ops_n, 0);
    keys_lock(c->keys, NULL);
    assert_int_equal(
        outbox_send(c->outbox, c, a, b, &thread, LETTER_MESSAGE, span_str("hi"), ch, &letter, &r),
        SOUK_ELOCKED);
    change_free(ch);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_goes_straight_to_a_node_that_is_there),
        cmocka_unit_test(an_acknowledgement_comes_only_after_the_commit),
        cmocka_unit_test(a_letter_is_kept_through_a_crash_of_its_sender),
        cmocka_unit_test(a_lost_acknowledgement_is_given_again_and_the_letter_kept_once),
        cmocka_unit_test(what_the_room_refuses_for_good_is_told_to_the_sender),
        cmocka_unit_test(what_the_room_cannot_take_now_comes_again),
        cmocka_unit_test(letters_wait_sealed_while_their_recipient_is_locked),
        cmocka_unit_test(a_letter_waits_for_its_recipients_prekeys),
        cmocka_unit_test(a_letter_is_sealed_again_when_prekeys_have_changed),
        cmocka_unit_test(after_thirty_days_a_letter_is_given_up),
        cmocka_unit_test(the_blocked_are_acknowledged_and_dropped),
        cmocka_unit_test(two_identities_of_one_node_write_to_each_other),
        cmocka_unit_test(strangers_fill_only_so_much_in_a_day),
        cmocka_unit_test(one_peer_cannot_flood),
        cmocka_unit_test(a_message_must_be_text_of_some_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
