// links: trade
/* Rule 10: replacing an arbiter after funding.  Both ask for the same one, it enrols, the buyer signs the
 * move and the seller completes it; payouts name their lock; the new one has new times; what was disputed
 * before is not lost. */
#include "tests/unit/trade_world.h"

enum { B, S, A, U };
static struct world w;
static struct fact_amendment amend;

static int setup(void **state)
{
    (void)state;
    world_init(&w, 5);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    world_free(&w);
    return 0;
}
static void allowed(int who, enum trade_move what)
{
    struct move m;
    if (world_move(&w, who, what, &m) != 0)
        fail_msg("%s: %s", trade_move_name(what), m.why);
}
static void refused(int who, enum trade_move what, const char *why)
{
    struct move m;
    assert_int_not_equal(world_move(&w, who, what, &m), 0);
    if (strstr(m.why, why) == NULL)
        fail_msg("%s: %s", trade_move_name(what), m.why);
}

/* Both ask, the new one enrols. */
static void asked_by_both(void)
{
    amend = world_amendment(&w, U);
    world_tell_all(&w, say_wish(&w, B, &amend));
    world_tell_all(&w, say_wish(&w, S, &amend));
}
static void ready_to_move(void)
{
    asked_by_both();
    world_tell_all(&w, say_enrol_next(&w, U, &amend));
}
static void moved(void)
{
    ready_to_move();
    world_tell_all(&w, say_move(&w, B));
    rail_move(&w);
    w.people[S].party.signed_kinds = 0; /* of the lock before */
}

static void the_money_moves_when_both_asked_the_new_one_enrolled_and_the_buyer_signed(void **state)
{
    (void)state;
    refused(B, MOVE_REPLACE, "no contract");
    world_shipped(&w);
    refused(B, MOVE_SIGN_MOVE, "did not ask");
    allowed(B, MOVE_REPLACE);
    allowed(S, MOVE_REPLACE);
    amend = world_amendment(&w, U);
    world_tell_all(&w, say_wish(&w, B, &amend));
    struct move m;
    assert_int_equal(world_move(&w, S, MOVE_REPLACE, &m), 0);
    assert_true(m.turn);
    refused(B, MOVE_SIGN_MOVE, "has not agreed");
    refused(U, MOVE_RULE, "once buyer and seller have moved");
    allowed(U, MOVE_ENROL);
    world_tell_all(&w, say_enrol_next(&w, U, &amend));
    refused(U, MOVE_ENROL, "already");
    refused(B, MOVE_SIGN_MOVE, "has not agreed");
    world_tell_all(&w, say_wish(&w, S, &amend));
    refused(S, MOVE_MOVE_ON, "the buyer has not signed");
    assert_true(world_auto(&w, B, MOVE_SIGN_MOVE));
    world_tell_all(&w, say_move(&w, B));
    refused(B, MOVE_SIGN_MOVE, "already");
    refused(B, MOVE_REPLACE, "already");
    assert_true(world_auto(&w, S, MOVE_MOVE_ON));
    rail_move(&w);
    const struct trade_state *s = world_state(&w, -1);
    struct identity uma;
    memcpy(&uma, w.people[U].identity.pk, 32);
    assert_int_equal(s->locks_n, 2);
    assert_int_equal(s->lock->rule_by, amend.rule_by);
    assert_int_equal(s->lock->late_at, amend.late_at);
    assert_int_equal(s->lock->funding, FUNDING_CONFIRMED);
    assert_int_equal(trade_role_of(s, &uma), TRADE_ARBITER);
    assert_int_equal(s->phase, TRADE_SHIPPED);
    assert_null(s->next);
}

static void the_seller_may_be_the_one_who_asks_first(void **state)
{
    (void)state;
    world_funded(&w);
    amend = world_amendment(&w, U);
    world_tell_all(&w, say_wish(&w, S, &amend));
    allowed(U, MOVE_ENROL); /* its part is known before the buyer agrees */
    world_tell_all(&w, say_enrol_next(&w, U, &amend));
    assert_null(world_state(&w, -1)->next);
    struct move m;
    assert_int_equal(world_move(&w, B, MOVE_REPLACE, &m), 0);
    assert_true(m.turn);
    world_tell_all(&w, say_wish(&w, B, &amend));
    assert_true(world_auto(&w, B, MOVE_SIGN_MOVE));
    /* A move forbids nothing: the goods may still go out meanwhile. */
    world_tell_all(&w, say_move(&w, B));
    allowed(S, MOVE_SHIP);
    allowed(S, MOVE_REFUND);
}

static void a_wish_with_other_times_is_another_wish(void **state)
{
    (void)state;
    world_shipped(&w);
    amend = world_amendment(&w, U);
    struct fact_amendment later = amend;
    later.rule_by += W_DELTA;
    later.late_at += W_DELTA;
    world_tell_all(&w, say_wish(&w, B, &amend));
    world_tell_all(&w, say_wish(&w, S, &later));
    world_tell_all(&w, say_enrol_next(&w, U, &amend));
    refused(B, MOVE_SIGN_MOVE, "has not agreed");
    /* The new one's enrolment is for what it names. */
    world_tell_all(&w, say_wish(&w, B, &later));
    assert_true(trade_agreed_next(world_state(&w, -1)));
    refused(B, MOVE_SIGN_MOVE, "not consented");
}

static void the_new_times_lie_five_delta_after_the_old_ones(void **state)
{
    (void)state;
    world_shipped(&w);
    amend = world_amendment(&w, U);
    struct fact_amendment early = amend;
    struct report r;
    struct terms_times before = {w.terms.rule_by, w.terms.late_at};
    early.rule_by = w.terms.rule_by + 5 * W_DELTA - 1;
    assert_int_equal(terms_amend_check(&w.terms, &before, &early, &r), SOUK_EINVALID);
    assert_non_null(strstr(r.text, "5 delta"));
    early = amend;
    early.late_at = w.terms.late_at + 5 * W_DELTA - 1;
    assert_int_equal(terms_amend_check(&w.terms, &before, &early, &r), SOUK_EINVALID);
    early = amend;
    early.arbiter = w.terms.seller;
    assert_int_equal(terms_amend_check(&w.terms, &before, &early, &r), SOUK_EINVALID);
    world_tell_all(&w, say_wish(&w, B, &early));
    world_tell_all(&w, say_wish(&w, S, &early));
    assert_null(world_state(&w, -1)->asked[B].amendment);
    refused(B, MOVE_SIGN_MOVE, "did not ask");
}

static void nobody_moves_what_was_signed_away_nor_after_rule_by(void **state)
{
    (void)state;
    world_shipped(&w);
    ready_to_move();
    struct fact_split release = payout_release(&w.terms);
    struct world before = w;
    world_tell_all(&w, say_payout(&w, B, &release));
    refused(B, MOVE_SIGN_MOVE, "signed another payout");
    w = before;
    w.now = w.terms.rule_by + 1;
    refused(B, MOVE_SIGN_MOVE, "rule-by");
    refused(U, MOVE_ENROL, "already");
    w.now = w.terms.rule_by;
    allowed(B, MOVE_SIGN_MOVE);
}

static void an_arbiter_moves_no_money(void **state)
{
    (void)state;
    world_shipped(&w);
    ready_to_move();
    world_tell_all(&w, say_move(&w, A));
    const struct trade_state *s = world_state(&w, -1);
    assert_int_equal(s->lock->signed_kinds[TRADE_ARBITER], 0);
    world_tell_all(&w, say_move(&w, B));
    refused(B, MOVE_SUBMIT, "no payout");
}

static void payouts_of_the_old_lock_mean_nothing_on_the_new_one(void **state)
{
    (void)state;
    world_shipped(&w);
    ready_to_move();
    world_tell_all(&w, say_move(&w, B));
    struct fact_split refund = payout_refund(&w.terms);
    world_tell_all(&w, say_payout(&w, A, &refund)); /* the old arbiter, quickly */
    rail_move(&w);
    const struct trade_state *s = world_state(&w, -1);
    assert_int_equal(s->lock->payouts_n, 0);
    assert_int_equal(s->lock->signed_kinds[TRADE_ARBITER], 0);
    struct fact_split release = payout_release(&w.terms);
    world_tell_all(&w, say_payout(&w, A, &release)); /* it has no key in the new one */
    assert_int_equal(world_state(&w, -1)->lock->payouts_n, 0);
}

static void a_dispute_that_the_old_arbiter_never_answered_is_taken_by_the_new_one(void **state)
{
    (void)state;
    world_shipped(&w);
    w.now = w.terms.inspect_end;
    size_t dispute = say_dispute(&w, B);
    world_tell(&w, dispute, S); /* the old one is dead, and the seller says nothing more */
    w.now = terms_cutoff(&w.terms);
    ready_to_move();
    for (size_t i = 0; i < w.facts_n; i++)
        w.people[U].has[i] = w.people[B].has[i];
    world_tell_all(&w, say_move(&w, B));
    rail_move(&w);
    w.now += W_DELTA;
    w.people[U].party.dispute_arrived[B] = w.now; /* sent again, long after the cut-off */
    struct move m;
    assert_int_equal(world_move(&w, U, MOVE_CASE, &m), 0);
    assert_true(m.timely);
    world_tell_all(&w, say_case(&w, U, dispute, true, w.now));
    assert_int_equal(world_state(&w, -1)->disputes[B].how, CASE_TAKEN);
    allowed(U, MOVE_RULE);
}

static void a_dispute_made_after_the_move_and_the_cutoff_is_too_late(void **state)
{
    (void)state;
    world_shipped(&w);
    w.now = w.terms.inspect_end;
    moved();
    world_tell_all(&w, say_dispute(&w, B));
    w.people[U].party.dispute_arrived[B] = terms_cutoff(&w.terms) + 1;
    struct move m;
    assert_int_equal(world_move(&w, U, MOVE_CASE, &m), 0);
    assert_false(m.timely);
}

static void what_the_old_arbiter_took_stays_taken(void **state)
{
    (void)state;
    world_shipped(&w);
    w.now = w.terms.inspect_end;
    size_t dispute = world_tell_all(&w, say_dispute(&w, B));
    world_tell_all(&w, say_case(&w, A, dispute, true, w.now));
    moved();
    assert_int_equal(world_state(&w, -1)->disputes[B].how, CASE_TAKEN);
    allowed(U, MOVE_RULE);
    w.now = w.terms.rule_by + 1; /* the old time is past, the new one is not */
    allowed(U, MOVE_RULE);
    w.now = amend.rule_by + 1;
    refused(U, MOVE_RULE, "rule-by");
}

static void silence_is_not_taken_for_consent_until_the_file_is_there(void **state)
{
    (void)state;
    world_shipped(&w);
    w.now = terms_cutoff(&w.terms) + 1;
    world_tell_all(&w, say_request(&w, S, FACT_WISH_RELEASE, NULL));
    moved();
    w.now += 2 * W_DELTA;
    refused(U, MOVE_SILENCE, "2 delta");
    w.now++;
    allowed(U, MOVE_SILENCE);
    assert_int_equal(trade_next_wake(world_state(&w, -1), w.now - 1), w.now);
}

static void nothing_forbids_giving_while_a_move_is_signed(void **state)
{
    (void)state;
    world_shipped(&w);
    ready_to_move();
    world_tell_all(&w, say_move(&w, B));
    w.people[B].party.goods = GOODS_GOOD;
    w.people[B].party.goods_at = w.now;
    allowed(B, MOVE_RELEASE);
    struct fact_split half = {.buyer = 5000, .seller = 5000};
    world_tell_all(&w, say_request(&w, S, FACT_WISH_SPLIT, &half));
    refused(B, MOVE_SPLIT, "signed the move");
}

static void where_the_money_went_is_not_known_without_the_enrolment(void **state)
{
    (void)state;
    world_shipped(&w);
    asked_by_both();
    size_t enrol = world_tell_all(&w, say_enrol_next(&w, U, &amend));
    world_tell_all(&w, say_move(&w, B));
    rail_move(&w);
    w.people[S].has[enrol] = 0;
    const struct trade_state *s = world_state(&w, S);
    assert_true(s->lock_unknown);
    refused(S, MOVE_REFUND, "not known here");
}

static void with_real_signatures_the_rail_checks_the_move(void **state)
{
    (void)state;
    world_real(&w);
    world_shipped(&w);
    ready_to_move();
    world_tell_all(&w, say_move(&w, B));
    allowed(S, MOVE_MOVE_ON);
    size_t at = w.facts_n - 1;
    ((uint8_t *)(uintptr_t)w.facts[at].body.payout.sig.p)[5] ^= 1; /* NOLINT: the world's own copy */
    refused(S, MOVE_MOVE_ON, "has not signed");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_money_moves_when_both_asked_the_new_one_enrolled_and_the_buyer_signed),
        T(the_seller_may_be_the_one_who_asks_first),
        T(a_wish_with_other_times_is_another_wish),
        T(the_new_times_lie_five_delta_after_the_old_ones),
        T(nobody_moves_what_was_signed_away_nor_after_rule_by),
        T(an_arbiter_moves_no_money),
        T(payouts_of_the_old_lock_mean_nothing_on_the_new_one),
        T(a_dispute_that_the_old_arbiter_never_answered_is_taken_by_the_new_one),
        T(a_dispute_made_after_the_move_and_the_cutoff_is_too_late),
        T(what_the_old_arbiter_took_stays_taken),
        T(silence_is_not_taken_for_consent_until_the_file_is_there),
        T(nothing_forbids_giving_while_a_move_is_signed),
        T(where_the_money_went_is_not_known_without_the_enrolment),
        T(with_real_signatures_the_rail_checks_the_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
