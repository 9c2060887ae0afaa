// links: trade
/* The ten rules, each with what must be refused and what must be allowed (spec/escrow.md). */
#include "tests/unit/trade_world.h"

static struct world w;
static int setup(void **state)
{
    (void)state;
    world_init(&w, 1);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    world_free(&w);
    return 0;
}
enum { B, S, A, U };
#define allowed(who, what) assert_int_equal(world_may(&w, who, what), 0)
#define refused(who, what) assert_int_not_equal(world_may(&w, who, what), 0)
static struct fact_split full_release(void)
{
    return payout_release(&w.terms);
}
static struct fact_split full_refund(void)
{
    return payout_refund(&w.terms);
}
static struct fact_split half(void)
{
    return (struct fact_split){.buyer = 5000, .seller = 5000};
}
/* The buyer disputes at inspect-end; the arbiter took it. */
static void disputed(void)
{
    w.now = w.terms.inspect_end;
    size_t d = world_tell_all(&w, say_dispute(&w, B));
    world_tell_all(&w, say_case(&w, A, d, true, w.now));
}

static void check_after(int64_t *deadline, int64_t value, bool ok)
{
    int64_t before = *deadline;
    *deadline = value;
    assert_int_equal(terms_check(&w.terms, NULL) == 0, ok);
    *deadline = before;
}

static void rule_1_terms_must_have_their_deadlines_in_order(void **state)
{
    (void)state;
    struct fact_terms *t = &w.terms;
    int64_t d = W_DELTA;
    assert_int_equal(terms_check(t, NULL), 0);
    check_after(&t->fund_by, t->ship_by + 1, false);
    check_after(&t->ship_by, t->deliver_by, false);
    check_after(&t->deliver_by, t->inspect_end + 1, false);
    check_after(&t->deliver_by, t->inspect_end, true);
    check_after(&t->rule_by, t->inspect_end + d - 1, false);
    check_after(&t->rule_by, t->inspect_end + d, true);
    check_after(&t->late_at, t->rule_by + 3 * d - 1, false);
    t->rule_by = t->inspect_end + d;
    check_after(&t->late_at, t->inspect_end + 5 * d - 1, false);
    check_after(&t->late_at, t->inspect_end + 5 * d, true);
}

static void terms_name_every_mistake_at_once(void **state)
{
    (void)state;
    struct report r = {0};
    w.terms.total.minor++;
    w.terms.deliver_by = w.terms.ship_by;
    w.terms.has_arbiter = false;
    assert_int_not_equal(terms_check(&w.terms, &r), 0);
    assert_non_null(strstr(r.text, "total"));
    assert_non_null(strstr(r.text, "deliver_by"));
    assert_non_null(strstr(r.text, "arbiter"));
}

static void terms_refuse_sums_beyond_the_largest(void **state)
{
    (void)state;
    struct amount total;
    w.terms.price.minor = AMOUNT_MAX;
    w.terms.quantity = 1;
    assert_int_equal(terms_total(&total, &w.terms), 0);
    w.terms.quantity = 2;
    assert_int_equal(terms_total(&total, &w.terms), SOUK_ERANGE);
    w.terms.quantity = 100000;
    assert_int_equal(terms_total(&total, &w.terms), SOUK_ERANGE);
}

static void rule_1_no_dispute_is_taken_after_the_cutoff(void **state)
{
    (void)state;
    world_shipped(&w);
    w.now = w.terms.inspect_end;
    world_tell_all(&w, say_dispute(&w, B));
    struct move m;
    struct trade_party *arbiter = &w.people[A].party;
    arbiter->dispute_arrived[B] = terms_cutoff(&w.terms);
    assert_int_equal(trade_may(world_state(&w, A), arbiter, MOVE_CASE, w.now, &m, NULL), 0);
    assert_true(m.timely);
    arbiter->dispute_arrived[B]++;
    assert_int_equal(trade_may(world_state(&w, A), arbiter, MOVE_CASE, w.now, &m, NULL), 0);
    assert_false(m.timely);
}

static void rule_1_a_case_that_states_a_late_arrival_is_too_late_whatever_it_says(void **state)
{
    (void)state;
    world_shipped(&w);
    w.now = w.terms.inspect_end;
    size_t d = world_tell_all(&w, say_dispute(&w, B));
    world_tell_all(&w, say_case(&w, A, d, true, terms_cutoff(&w.terms) + 1));
    assert_int_equal(world_state(&w, A)->disputes[B].how, CASE_TOO_LATE);
    refused(A, MOVE_RULE);
}

static void rule_1_release_for_silence_only_strictly_after_the_cutoff(void **state)
{
    (void)state;
    world_shipped(&w);
    w.now = w.terms.inspect_end + 1;
    assert_true(world_auto(&w, S, MOVE_ASK));
    world_tell_all(&w, say_request(&w, S, FACT_WISH_RELEASE, NULL));
    w.now = terms_cutoff(&w.terms);
    refused(A, MOVE_SILENCE);
    w.now++;
    assert_true(world_auto(&w, A, MOVE_SILENCE));
}

static void rule_2_the_seller_ships_or_refunds_never_both(void **state)
{
    (void)state;
    world_funded(&w);
    allowed(S, MOVE_SHIP);
    allowed(S, MOVE_REFUND);
    struct fact_split refund = full_refund();
    world_tell_all(&w, say_payout(&w, S, &refund));
    refused(S, MOVE_SHIP);
    refused(S, MOVE_REFUND);
}

static void rule_2_a_refund_that_is_only_on_disk_forbids_shipping_too(void **state)
{
    (void)state;
    world_funded(&w);
    w.people[S].party.signed_kinds = PAYOUT_REFUND;
    refused(S, MOVE_SHIP);
}

static void rule_2_not_shipped_by_ship_by_the_seller_signs_the_refund_unasked(void **state)
{
    (void)state;
    world_funded(&w);
    w.now = w.terms.ship_by;
    assert_false(world_auto(&w, S, MOVE_REFUND));
    w.now++;
    assert_true(world_auto(&w, S, MOVE_REFUND));
}

static void rule_2_cancelling_signs_nothing(void **state)
{
    (void)state;
    world_funded(&w);
    world_tell_all(&w, say_request(&w, B, FACT_WISH_CANCEL, NULL));
    const struct trade_state *s = world_state(&w, -1);
    assert_int_equal(s->lock->payouts_n, 0);
    allowed(S, MOVE_SHIP);
    refused(B, MOVE_TAKE_REFUND);
}

static void rule_3_a_seller_ships_only_on_a_whole_confirmed_lock_in_time(void **state)
{
    (void)state;
    world_ready(&w);
    refused(S, MOVE_SHIP);
    rail_fund(&w, FUNDING_SEEN);
    refused(S, MOVE_SHIP);
    rail_fund(&w, FUNDING_SHORT);
    refused(S, MOVE_SHIP);
    rail_fund(&w, FUNDING_REVERSED);
    refused(S, MOVE_SHIP);
    rail_fund(&w, FUNDING_CONFIRMED)->confirmations = 0; /* the terms ask for one */
    refused(S, MOVE_SHIP);
    rail_fund(&w, FUNDING_CONFIRMED);
    w.now = w.terms.ship_by + 1;
    refused(S, MOVE_SHIP);
    w.now = w.terms.ship_by;
    allowed(S, MOVE_SHIP);
}

static void rule_3_a_split_signed_forbids_shipping(void **state)
{
    (void)state;
    world_funded(&w);
    struct fact_split split = half();
    world_tell_all(&w, say_request(&w, B, FACT_WISH_SPLIT, &split));
    allowed(S, MOVE_SPLIT);
    world_tell_all(&w, say_payout(&w, S, &split));
    refused(S, MOVE_SHIP);
}

static void rule_3_after_shipping_a_refund_only_for_what_came_back(void **state)
{
    (void)state;
    world_shipped(&w);
    refused(S, MOVE_REFUND);
    w.people[S].party.goods = GOODS_LOST;
    assert_true(world_auto(&w, S, MOVE_REFUND));
    w.people[S].party.goods = GOODS_RETURNED;
    allowed(S, MOVE_REFUND);
}

static void rule_4_goods_after_deliver_by_count_as_not_as_described(void **state)
{
    (void)state;
    world_shipped(&w);
    w.now = w.terms.inspect_end;
    w.people[B].party.goods = GOODS_GOOD;
    w.people[B].party.goods_at = w.terms.deliver_by + 1;
    refused(B, MOVE_RELEASE);
    assert_true(world_auto(&w, B, MOVE_DISPUTE));
    w.people[B].party.goods_at = w.terms.deliver_by;
    allowed(B, MOVE_RELEASE);
    refused(B, MOVE_DISPUTE);
}

static void rule_5_no_move_hands_out_a_signature_in_ones_own_favour(void **state)
{
    (void)state;
    /* Whatever can be signed to the other alone gives away: release by the buyer, refund by the seller. */
    world_shipped(&w);
    refused(S, MOVE_RELEASE);
    refused(B, MOVE_REFUND);
    struct move m;
    w.people[B].party.goods = GOODS_GOOD;
    assert_int_equal(trade_may(world_state(&w, B), &w.people[B].party, MOVE_RELEASE, w.now, &m, NULL), 0);
    assert_int_equal(m.split.buyer, 0);
    assert_int_equal(m.split.seller, w.terms.total.minor);
    /* What pays oneself needs another's signature first. */
    refused(S, MOVE_TAKE_RELEASE);
    refused(B, MOVE_TAKE_REFUND);
}

static void
rule_6_the_buyer_releases_or_disputes_by_inspect_end_whether_or_not_shipped_was_seen(void **state)
{
    (void)state;
    world_funded(&w); /* no "shipped" */
    w.now = w.terms.inspect_end;
    assert_true(world_auto(&w, B, MOVE_DISPUTE));
    w.people[B].party.goods = GOODS_GOOD;
    assert_false(world_auto(&w, B, MOVE_DISPUTE));
    assert_true(world_auto(&w, B, MOVE_RELEASE));
    w.people[B].party.goods = GOODS_UNKNOWN;
    w.now++;
    refused(B, MOVE_DISPUTE);
}

static void rule_7_a_refund_ruling_is_acted_on_only_with_ones_own_dispute_and_deliver_by_past(void **state)
{
    (void)state;
    world_shipped(&w);
    struct fact_split refund = full_refund();
    world_tell_all(&w, say_payout(&w, A, &refund));
    w.now = w.terms.deliver_by + 1;
    refused(B, MOVE_TAKE_REFUND);
    world_tell_all(&w, say_dispute(&w, B));
    assert_true(world_auto(&w, B, MOVE_TAKE_REFUND));
    w.now = w.terms.deliver_by;
    refused(B, MOVE_TAKE_REFUND);
}

static void rule_7_a_release_by_the_arbiter_only_if_shipped_and_deliver_by_past(void **state)
{
    (void)state;
    world_funded(&w);
    struct fact_split release = full_release();
    world_tell_all(&w, say_payout(&w, A, &release));
    w.now = w.terms.deliver_by + 1;
    refused(S, MOVE_TAKE_RELEASE);
    world_tell_all(&w, say_shipped(&w));
    assert_true(world_auto(&w, S, MOVE_TAKE_RELEASE));
    w.now = w.terms.deliver_by;
    refused(S, MOVE_TAKE_RELEASE);
}

static void rule_8_the_arbiter_rules_on_a_timely_dispute_after_deliver_by_until_rule_by(void **state)
{
    (void)state;
    world_shipped(&w);
    size_t d = world_tell_all(&w, say_dispute(&w, B));
    w.now = w.terms.deliver_by + 1;
    refused(A, MOVE_RULE); /* not taken yet */
    world_tell_all(&w, say_case(&w, A, d, true, w.now));
    allowed(A, MOVE_RULE);
    w.now = w.terms.deliver_by;
    refused(A, MOVE_RULE);
    w.now = w.terms.rule_by;
    allowed(A, MOVE_RULE);
    w.now++;
    refused(A, MOVE_RULE);
}

static void rule_8_no_release_for_silence_while_a_dispute_is_held(void **state)
{
    (void)state;
    world_shipped(&w);
    world_tell_all(&w, say_dispute(&w, B));
    w.now = terms_cutoff(&w.terms) + 1;
    world_tell_all(&w, say_request(&w, S, FACT_WISH_RELEASE, NULL));
    refused(A, MOVE_SILENCE);
}

static void rule_8_one_split_is_signed_and_what_gives_all_away_co_signed_even_late(void **state)
{
    (void)state;
    world_shipped(&w);
    disputed();
    struct fact_split split = half(), release = full_release();
    world_tell_all(&w, say_payout(&w, A, &split));
    refused(A, MOVE_RULE);
    refused(A, MOVE_SILENCE);
    w.now = w.terms.late_at + 1;
    refused(A, MOVE_COSIGN_RELEASE);
    world_tell_all(&w, say_payout(&w, B, &release));
    assert_true(world_auto(&w, A, MOVE_COSIGN_RELEASE));
}

static void rule_8_not_if_the_opposite_was_signed(void **state)
{
    (void)state;
    world_shipped(&w);
    disputed();
    struct fact_split release = full_release(), ruled;
    assert_int_equal(payout_ruling(&ruled, &w.terms, w.terms.total.minor, false, NULL), 0);
    world_tell_all(&w, say_payout(&w, A, &ruled));
    world_tell_all(&w, say_payout(&w, B, &release));
    refused(A, MOVE_COSIGN_RELEASE);
}

static void rule_9_the_winner_submits_at_once_and_the_late_branch_waits_for_t(void **state)
{
    (void)state;
    world_shipped(&w);
    struct fact_split release = full_release();
    refused(S, MOVE_TAKE_RELEASE);
    world_tell_all(&w, say_payout(&w, B, &release));
    assert_true(world_auto(&w, S, MOVE_TAKE_RELEASE));
    w.people[B].party.goods = GOODS_UNKNOWN;
    w.now = w.terms.late_at - 1;
    refused(B, MOVE_LATE);
    w.now = w.terms.late_at;
    assert_true(world_auto(&w, B, MOVE_LATE));
}

static void rule_9_from_rule_by_a_substitute_counts_but_never_with_the_arbiter(void **state)
{
    (void)state;
    w.terms.has_substitute = w.terms.has_substitute_rule_by = true;
    memcpy(&w.terms.substitute, w.people[U].identity.pk, 32);
    w.terms.substitute_rule_by = w.terms.rule_by + W_DELTA;
    w.terms.late_at = w.terms.substitute_rule_by + 3 * W_DELTA;
    world_shipped(&w);
    disputed();
    const struct trade_lock *l = world_state(&w, U)->lock;
    assert_false(trade_signers_settle(l, 1u << B | 1u << U, l->rule_by - 1));
    assert_true(trade_signers_settle(l, 1u << B | 1u << U, l->rule_by));
    assert_false(trade_signers_settle(l, 1u << A | 1u << U, l->late_at));
    w.now = w.terms.rule_by;
    refused(U, MOVE_RULE);
    w.now++;
    allowed(U, MOVE_RULE);
    refused(A, MOVE_RULE);
    struct fact_split ruled;
    assert_int_equal(payout_ruling(&ruled, &w.terms, w.terms.total.minor, true, NULL), 0);
    world_tell_all(&w, say_payout(&w, U, &ruled));
    assert_true(world_auto(&w, B, MOVE_TAKE_REFUND));
}

static void rule_10_a_payout_counts_only_for_the_lock_that_it_names(void **state)
{
    (void)state;
    world_shipped(&w);
    struct id elsewhere = {{1}}, name;
    struct sig sig;
    struct fact_split release = full_release();
    payout_name(&name, &w.net, &elsewhere, &release, NULL);
    stand_in(&sig, w.people[B].key.b, &name);
    BODY(payout, .lock = elsewhere, .split = release, .key = w.people[B].key, .sig = SPAN_OF(sig));
    world_tell_all(&w, world_fact(&w, B, FACT_PAYOUT, &body));
    assert_int_equal(world_state(&w, -1)->lock->payouts_n, 0);
    refused(S, MOVE_TAKE_RELEASE);
}

static void ready_nobody_funds_without_it(void **state)
{
    (void)state;
    world_agree(&w);
    refused(B, MOVE_FUND);
    refused(S, MOVE_READY);
    world_tell_all(&w, say_enrol(&w, A));
    refused(B, MOVE_FUND);
    assert_true(world_auto(&w, S, MOVE_READY));
    world_tell_all(&w, say_ready(&w));
    allowed(B, MOVE_FUND);
    w.now = w.terms.fund_by + 1;
    refused(B, MOVE_FUND);
    w.now = w.terms.fund_by;
    w.people[B].party.funding = true;
    refused(B, MOVE_FUND);
}

static void once_a_second_different_payout_takes_a_ruling_or_the_owners_word(void **state)
{
    (void)state;
    world_shipped(&w);
    struct fact_split split = half(), release = full_release();
    world_tell_all(&w, say_request(&w, S, FACT_WISH_SPLIT, &split));
    world_tell_all(&w, say_payout(&w, B, &split));
    w.people[B].party.goods = GOODS_GOOD;
    refused(B, MOVE_RELEASE);
    w.people[B].party.insists = true;
    allowed(B, MOVE_RELEASE);
    w.people[B].party.insists = false;
    world_tell_all(&w, say_payout(&w, A, &release));
    allowed(B, MOVE_RELEASE);
}

static void split_rulings_are_co_signed_unasked_only_from_the_late_share_on(void **state)
{
    (void)state;
    w.terms.late_buyer_bp = 4000;
    world_shipped(&w);
    disputed();
    struct fact_split ruled;
    assert_int_equal(payout_ruling(&ruled, &w.terms, 5000, false, NULL), 0);
    assert_int_equal(ruled.buyer + ruled.seller + ruled.arbiter, 10000);
    assert_int_equal(ruled.arbiter, 500);
    world_tell_all(&w, say_payout(&w, A, &ruled));
    assert_true(world_auto(&w, B, MOVE_TAKE_RULING));  /* 4750 of 4000 */
    assert_false(world_auto(&w, S, MOVE_TAKE_RULING)); /* 4750 of 6000 */
    allowed(S, MOVE_TAKE_RULING);
}

static void a_friendly_split_is_completed_by_who_asked(void **state)
{
    (void)state;
    world_shipped(&w);
    struct fact_split split = half();
    refused(S, MOVE_SPLIT);
    world_tell_all(&w, say_request(&w, B, FACT_WISH_SPLIT, &split));
    allowed(S, MOVE_SPLIT);
    refused(B, MOVE_COMBINE);
    world_tell_all(&w, say_payout(&w, S, &split));
    assert_true(world_auto(&w, B, MOVE_COMBINE));
}

static void a_restored_node_signs_nothing_before_it_knows_what_it_signed(void **state)
{
    (void)state;
    world_funded(&w);
    w.people[S].party.frozen = true;
    refused(S, MOVE_SHIP);
    refused(S, MOVE_REFUND);
    refused(S, MOVE_EVIDENCE); /* it would stand at a place of the chain that was used before */
    w.people[S].party.frozen = false;
    w.people[S].party.epoch = 1; /* another machine of the seller's resumed */
    world_tell_all(&w, say_request(&w, S, FACT_WISH_TIME, NULL));
    w.people[S].party.epoch = 0;
    assert_int_equal(world_may(&w, S, MOVE_SHIP), SOUK_ECONFLICT);
}

static void a_wrong_clock_leaves_what_hangs_on_the_time_undone(void **state)
{
    (void)state;
    world_funded(&w);
    w.now = w.terms.ship_by + 1; /* or so the seller's clock says */
    assert_true(world_auto(&w, S, MOVE_REFUND));
    w.people[S].party.clock_wrong = true;
    assert_false(world_auto(&w, S, MOVE_REFUND)); /* not by itself, */
    allowed(S, MOVE_REFUND);                      /* by hand as at any time */
    w.people[A].party.clock_wrong = true;
    assert_int_equal(world_may(&w, A, MOVE_SILENCE), SOUK_ENOT_ALLOWED); /* whatever the time */
    world_tell_all(&w, say_shipped(&w));
    world_tell_all(&w, say_request(&w, S, FACT_WISH_RELEASE, NULL));
    for (int after = 0; after < 2; after++) {
        w.now = terms_cutoff(&w.terms) + after;
        assert_int_equal(world_may(&w, A, MOVE_SILENCE), SOUK_ECLOCK);
    }
    w.people[A].party.clock_wrong = false;
    assert_true(world_auto(&w, A, MOVE_SILENCE));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(rule_1_terms_must_have_their_deadlines_in_order),
        T(terms_name_every_mistake_at_once),
        T(terms_refuse_sums_beyond_the_largest),
        T(rule_1_no_dispute_is_taken_after_the_cutoff),
        T(rule_1_a_case_that_states_a_late_arrival_is_too_late_whatever_it_says),
        T(rule_1_release_for_silence_only_strictly_after_the_cutoff),
        T(rule_2_the_seller_ships_or_refunds_never_both),
        T(rule_2_a_refund_that_is_only_on_disk_forbids_shipping_too),
        T(rule_2_not_shipped_by_ship_by_the_seller_signs_the_refund_unasked),
        T(rule_2_cancelling_signs_nothing),
        T(rule_3_a_seller_ships_only_on_a_whole_confirmed_lock_in_time),
        T(rule_3_a_split_signed_forbids_shipping),
        T(rule_3_after_shipping_a_refund_only_for_what_came_back),
        T(rule_4_goods_after_deliver_by_count_as_not_as_described),
        T(rule_5_no_move_hands_out_a_signature_in_ones_own_favour),
        T(rule_6_the_buyer_releases_or_disputes_by_inspect_end_whether_or_not_shipped_was_seen),
        T(rule_7_a_refund_ruling_is_acted_on_only_with_ones_own_dispute_and_deliver_by_past),
        T(rule_7_a_release_by_the_arbiter_only_if_shipped_and_deliver_by_past),
        T(rule_8_the_arbiter_rules_on_a_timely_dispute_after_deliver_by_until_rule_by),
        T(rule_8_no_release_for_silence_while_a_dispute_is_held),
        T(rule_8_one_split_is_signed_and_what_gives_all_away_co_signed_even_late),
        T(rule_8_not_if_the_opposite_was_signed),
        T(rule_9_the_winner_submits_at_once_and_the_late_branch_waits_for_t),
        T(rule_9_from_rule_by_a_substitute_counts_but_never_with_the_arbiter),
        T(rule_10_a_payout_counts_only_for_the_lock_that_it_names),
        T(ready_nobody_funds_without_it),
        T(once_a_second_different_payout_takes_a_ruling_or_the_owners_word),
        T(split_rulings_are_co_signed_unasked_only_from_the_late_share_on),
        T(a_friendly_split_is_completed_by_who_asked),
        T(a_restored_node_signs_nothing_before_it_knows_what_it_signed),
        T(a_wrong_clock_leaves_what_hangs_on_the_time_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
