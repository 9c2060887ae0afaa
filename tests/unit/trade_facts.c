// links: trade
/* Facts as bytes; negotiation and its crossings; two stories; locks that all build alike. */
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

static void a_fact_made_with_the_real_key_parses_and_verifies_and_no_other_does(void **state)
{
    (void)state;
    struct buf body = {0}, out = {0};
    struct id id;
    struct fact_view f;
    struct fact_note note = {.text = span_str("hello")};
    fact_note_encode(&body, &note);
    struct fact_envelope e = {.trade = w.scene.trade, .seq = 1, .kind = FACT_NOTE, .time = w.now};
    e.body = buf_view(&body);
    memcpy(&e.author, w.people[B].identity.pk, 32);
    assert_int_equal(fact_make(&out, &id, &w.net, &e, w.people[B].identity.sk, NULL), 0);
    assert_int_equal(fact_parse(&f, &w.net, buf_view(&out), &w.arena, NULL), 0);
    assert_true(id_eq(&f.id, &id));
    assert_true(fact_verify(&f));
    out.p[out.n - 1] ^= 1;
    assert_int_equal(fact_parse(&f, &w.net, buf_view(&out), &w.arena, NULL), 0);
    assert_false(fact_verify(&f));
    out.p[out.n - 1] ^= 1;
    struct network elsewhere;
    assert_int_equal(network_make(&elsewhere, "elsewhere", 0, 0, true), 0);
    assert_int_equal(fact_parse(&f, &elsewhere, buf_view(&out), &w.arena, NULL), 0);
    assert_false(fact_verify(&f)); /* signed on one network, worth nothing on another */
    out.n--;
    assert_int_not_equal(fact_parse(&f, &w.net, buf_view(&out), &w.arena, NULL), 0);
    buf_free(&body);
    buf_free(&out);
}

/* Wraps an envelope whose body is given as it is. */
static int parse_with(unsigned kind, struct span body, uint64_t seq, bool prev, struct report *r)
{
    struct buf out = {0};
    struct id id;
    struct fact_view f;
    struct fact_envelope e = {
        .trade = w.scene.trade, .seq = seq, .has_prev = prev, .kind = kind, .body = body};
    assert_int_equal(fact_make(&out, &id, &w.net, &e, w.people[B].identity.sk, NULL), 0);
    int err = fact_parse(&f, &w.net, buf_view(&out), &w.arena, r);
    buf_free(&out);
    return err;
}

static void an_unknown_key_below_128_is_refused_and_one_above_is_not(void **state)
{
    (void)state;
    const uint8_t low[] = {0x82, 0x00, 0xa2, 'h', 'i', 0x7f, 0x01};
    const uint8_t high[] = {0x82, 0x00, 0xa2, 'h', 'i', 0xcc, 0x80, 0x01};
    assert_int_equal(parse_with(FACT_NOTE, SPAN_OF(low), 1, false, NULL), SOUK_EUNKNOWN_CRITICAL);
    assert_int_equal(parse_with(FACT_NOTE, SPAN_OF(high), 1, false, NULL), 0);
}

static void an_unknown_kind_and_a_broken_chain_are_refused(void **state)
{
    (void)state;
    const uint8_t note[] = {0x81, 0x00, 0xa2, 'h', 'i'};
    assert_int_equal(parse_with(200, SPAN_OF(note), 1, false, NULL), SOUK_EUNKNOWN_CRITICAL);
    assert_int_equal(parse_with(FACT_NOTE, SPAN_OF(note), 1, true, NULL), SOUK_EFORM);
    assert_int_equal(parse_with(FACT_NOTE, SPAN_OF(note), 2, false, NULL), SOUK_EFORM);
}

static void an_accept_fixes_the_contract(void **state)
{
    (void)state;
    size_t offer = say_offer(&w);
    assert_int_equal(world_state(&w, -1)->phase, TRADE_OFFERED);
    world_tell_all(&w, offer);
    say_accept(&w, S, offer);
    const struct trade_state *s = world_state(&w, -1);
    assert_int_equal(s->phase, TRADE_AGREED);
    assert_ptr_equal(s->terms, &s->proposal->terms);
}

static void nobody_accepts_an_own_proposal_or_one_for_another_trade(void **state)
{
    (void)state;
    size_t offer = say_offer(&w);
    say_accept(&w, B, offer);
    assert_int_equal(world_state(&w, -1)->phase, TRADE_OFFERED);
    w.terms.nonce.b[0] ^= 1;
    say_offer(&w);
    assert_true(id_eq(&world_state(&w, -1)->open[B]->id, &w.facts[offer].id));
}

static void an_accept_that_crosses_a_withdrawal_stands(void **state)
{
    (void)state;
    size_t offer = world_tell_all(&w, say_offer(&w));
    say_withdraw(&w, B, offer);
    assert_int_equal(world_state(&w, -1)->phase, TRADE_WITHDRAWN);
    say_accept(&w, S, offer); /* the seller has not seen it */
    assert_int_equal(world_state(&w, -1)->phase, TRADE_AGREED);
}

static void an_accept_by_one_who_had_seen_the_withdrawal_does_not(void **state)
{
    (void)state;
    size_t offer = world_tell_all(&w, say_offer(&w));
    size_t withdrawn = say_withdraw(&w, B, offer);
    BODY(note, .text = span_str("sorry")); /* one more, so that it is found along the chain */
    size_t note = world_fact(&w, B, FACT_NOTE, &body);
    world_tell(&w, withdrawn, S);
    world_tell(&w, note, S);
    say_accept(&w, S, offer);
    assert_int_equal(world_state(&w, -1)->phase, TRADE_WITHDRAWN);
}

static void an_accept_after_ones_own_decline_does_not_stand(void **state)
{
    (void)state;
    size_t offer = world_tell_all(&w, say_offer(&w));
    say_decline(&w, S, offer);
    say_accept(&w, S, offer);
    assert_int_equal(world_state(&w, -1)->phase, TRADE_DECLINED);
}

static void a_counter_declines_what_it_answers_and_can_be_accepted(void **state)
{
    (void)state;
    size_t offer = world_tell_all(&w, say_offer(&w));
    struct fact_terms other = w.terms;
    other.price.minor = other.total.minor = 12000;
    size_t counter = world_tell_all(&w, say_counter(&w, S, offer, &other));
    const struct trade_state *s = world_state(&w, -1);
    assert_null(s->open[B]);
    assert_non_null(s->open[S]);
    say_accept(&w, B, counter);
    s = world_state(&w, -1);
    assert_int_equal(s->phase, TRADE_AGREED);
    assert_int_equal(s->terms->total.minor, 12000);
}

static void terms_against_rule_1_are_no_proposal(void **state)
{
    (void)state;
    w.terms.late_at--;
    size_t offer = world_tell_all(&w, say_offer(&w));
    say_accept(&w, S, offer);
    assert_int_equal(world_state(&w, -1)->phase, TRADE_EMPTY);
}

static void a_key_without_proof_of_possession_is_no_key(void **state)
{
    (void)state;
    struct buf terms = {0};
    fact_terms_encode(&terms, &w.terms);
    struct fact_key stolen = world_key(&w, B);
    stolen.key = w.people[A].key; /* somebody else's, so that one person could seem two */
    BODY(offer, .terms = buf_view(&terms), .key = stolen, .stub_sig = world_stub(&w, B, &w.terms));
    buf_free(&terms);
    world_fact(&w, B, FACT_OFFER, &body);
    assert_int_equal(world_state(&w, -1)->phase, TRADE_EMPTY);
}

static void both_payout_signers_build_the_same_lock_and_it_satisfies_the_rail(void **state)
{
    (void)state;
    world_ready(&w);
    struct id lock = world_state(&w, B)->lock->id;
    assert_true(id_eq(&lock, &world_state(&w, S)->lock->id));
    assert_true(id_eq(&lock, &world_state(&w, A)->lock->id));
    struct report r = {0};
    assert_int_equal(rail_lock_check(&w.state.lock->lock, &r), 0);
}

static void with_real_keys_a_trade_goes_through_and_two_payouts_combine_at_the_rail(void **state)
{
    (void)state;
    world_real(&w);
    world_shipped(&w);
    for (size_t i = 0; i < w.facts_n; i++)
        assert_true(fact_verify(&w.facts[i]));
    struct fact_split release = payout_release(&w.terms);
    size_t given = world_tell_all(&w, say_payout(&w, B, &release));
    const struct trade_state *s = world_state(&w, S);
    assert_int_equal(s->lock->signed_kinds[TRADE_BUYER], PAYOUT_RELEASE);
    struct move m;
    assert_int_equal(trade_may(s, &w.people[S].party, MOVE_TAKE_RELEASE, w.now, &m, NULL), 0);
    struct rail_split parts = split_for_rail(&m.split);
    struct sig buyers, own;
    memcpy(&buyers, w.facts[given].body.payout.sig.p, sizeof buyers);
    assert_int_equal(rail_payout_sign(w.people[S].pair.sk, &w.net, &s->lock->lock, &parts, &own, NULL), 0);
    struct buf transfer = {0};
    assert_int_equal(rail_payout_combine(&transfer, &w.net, &s->lock->lock, &parts, RAIL_BUYER, &buyers,
                                         RAIL_SELLER, &own, NULL),
                     0);
    buf_free(&transfer);
}

static void a_payout_whose_signature_is_spoilt_counts_for_nothing(void **state)
{
    (void)state;
    world_real(&w);
    world_shipped(&w);
    struct fact_split release = payout_release(&w.terms);
    size_t given = say_payout(&w, B, &release);
    struct sig spoilt;
    memcpy(&spoilt, w.facts[given].body.payout.sig.p, sizeof spoilt);
    spoilt.b[0] ^= 1;
    w.facts[given].body.payout.sig = SPAN_OF(spoilt);
    assert_int_equal(world_state(&w, -1)->lock->payouts_n, 0);
    w.facts[given].body.payout.sig.n = 63;
    assert_int_equal(world_state(&w, -1)->lock->payouts_n, 0);
}

static void two_stories_are_kept_and_shown_and_change_no_money(void **state)
{
    (void)state;
    world_funded(&w);
    struct fact_split refund = payout_refund(&w.terms);
    size_t given = say_payout(&w, S, &refund);
    BODY(note, .text = span_str("I never signed that"));
    size_t other = world_fact_at(&w, S, FACT_NOTE, &body, w.facts[given].e.seq, &w.facts[given].e.prev);
    const struct trade_state *s = world_state(&w, -1);
    assert_int_equal(s->stories_n, 1);
    assert_true(id_eq(&s->stories[0].first, &w.facts[given].id) ||
                id_eq(&s->stories[0].first, &w.facts[other].id));
    assert_true(s->lock->signed_kinds[TRADE_SELLER] & PAYOUT_REFUND);
}

static void a_second_accept_cannot_change_the_contract_under_the_money(void **state)
{
    (void)state;
    /* The seller accepts again and again with other keys, until some accept has a lower id. */
    world_funded(&w);
    struct id contract = world_state(&w, -1)->contract;
    struct trade_key own = w.people[S].key;
    for (int i = 0; i < 24; i++) {
        world_new_key(&w, S);
        world_tell_all(&w, say_accept(&w, S, 0));
    }
    w.people[S].key = own;
    assert_true(id_eq(&contract, &world_state(&w, -1)->contract));
    assert_int_equal(w.state.phase, TRADE_FUNDED);
}

static void an_arbiter_that_enrols_twice_cannot_change_the_lock_that_is_ready(void **state)
{
    (void)state;
    world_ready(&w);
    struct id lock = world_state(&w, -1)->lock->id;
    struct trade_key own = w.people[A].key;
    for (int i = 0; i < 24; i++) {
        world_new_key(&w, A);
        world_tell_all(&w, say_enrol(&w, A));
    }
    w.people[A].key = own;
    assert_true(id_eq(&lock, &world_state(&w, -1)->lock->id));
    assert_int_equal(w.state.phase, TRADE_READY);
}

static void a_payout_with_anothers_key_or_a_wrong_sum_counts_for_nothing(void **state)
{
    (void)state;
    world_funded(&w);
    struct fact_split more = {.buyer = 0, .seller = 10001};
    say_payout(&w, B, &more);
    struct trade_key own = w.people[B].key;
    w.people[B].key = w.people[S].key;
    struct fact_split all = payout_refund(&w.terms);
    say_payout(&w, B, &all);
    w.people[B].key = own;
    assert_int_equal(world_state(&w, -1)->lock->payouts_n, 0);
}

static void the_fee_comes_off_pro_rata_and_nothing_is_lost(void **state)
{
    (void)state;
    for (int64_t buyer = 0; buyer <= 10000; buyer += 777) {
        struct fact_split s;
        assert_int_equal(payout_ruling(&s, &w.terms, buyer, false, NULL), 0);
        assert_int_equal(s.buyer + s.seller + s.arbiter, 10000);
        assert_int_equal(s.arbiter, 500);
        assert_true(s.buyer >= 0 && s.buyer <= buyer && s.seller >= 0 && s.seller <= 10000 - buyer);
    }
    struct fact_split s;
    assert_int_equal(payout_ruling(&s, &w.terms, 10001, false, NULL), SOUK_ERANGE);
    w.terms.price.minor = w.terms.total.minor = AMOUNT_MAX;
    assert_int_equal(payout_ruling(&s, &w.terms, AMOUNT_MAX / 3, false, NULL), 0);
    assert_true(s.buyer + s.seller + s.arbiter == AMOUNT_MAX);
}

static void the_direct_rail_goes_by_paid_and_received(void **state)
{
    (void)state;
    w.terms.rail = RECORD_RAIL_DIRECT;
    w.terms.has_issuer = w.terms.has_arbiter = false;
    world_agree(&w);
    assert_int_equal(world_may(&w, B, MOVE_FUND), SOUK_ENOT_ALLOWED);
    assert_int_equal(world_may(&w, S, MOVE_SHIP), SOUK_ENOT_ALLOWED);
    BODY(paid, .has_note = false);
    world_tell_all(&w, world_fact(&w, B, FACT_PAID, &body));
    assert_int_equal(world_state(&w, -1)->phase, TRADE_PAID);
    struct buf received = {0};
    struct fact_received r = {.has_note = false};
    fact_received_encode(&received, &r);
    world_tell_all(&w, world_fact(&w, S, FACT_RECEIVED, &received));
    assert_int_equal(world_state(&w, -1)->phase, TRADE_FUNDED);
    assert_int_equal(world_may(&w, S, MOVE_SHIP), 0);
    world_tell_all(&w, say_shipped(&w));
    assert_int_equal(world_state(&w, -1)->phase, TRADE_RELEASED);
}

static void more_facts_than_a_trade_may_have_are_an_error_not_a_crash(void **state)
{
    (void)state;
    static struct fact_view many[TRADE_FACTS_MOST + 1];
    size_t offer = say_offer(&w);
    for (size_t i = 0; i <= TRADE_FACTS_MOST; i++) {
        many[i] = w.facts[offer];
        be64_put(many[i].id.b, i);
    }
    struct trade_state *s = &w.state;
    assert_int_equal(trade_state(s, &w.scene, many, TRADE_FACTS_MOST, NULL, 0), 0);
    assert_int_equal(trade_state(s, &w.scene, many, TRADE_FACTS_MOST + 1, NULL, 0), SOUK_EQUOTA);
}

static void time_alone_changes_no_state_but_is_told(void **state)
{
    (void)state;
    world_ready(&w);
    w.now = w.terms.late_at * 2;
    assert_int_equal(world_state(&w, -1)->phase, TRADE_READY);
    assert_non_null(trade_lapsed(&w.state, w.now));
    assert_null(trade_lapsed(&w.state, w.terms.fund_by));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_fact_made_with_the_real_key_parses_and_verifies_and_no_other_does),
        T(an_unknown_key_below_128_is_refused_and_one_above_is_not),
        T(an_unknown_kind_and_a_broken_chain_are_refused),
        T(an_accept_fixes_the_contract),
        T(nobody_accepts_an_own_proposal_or_one_for_another_trade),
        T(an_accept_that_crosses_a_withdrawal_stands),
        T(an_accept_by_one_who_had_seen_the_withdrawal_does_not),
        T(an_accept_after_ones_own_decline_does_not_stand),
        T(a_counter_declines_what_it_answers_and_can_be_accepted),
        T(terms_against_rule_1_are_no_proposal),
        T(a_key_without_proof_of_possession_is_no_key),
        T(both_payout_signers_build_the_same_lock_and_it_satisfies_the_rail),
        T(with_real_keys_a_trade_goes_through_and_two_payouts_combine_at_the_rail),
        T(a_payout_whose_signature_is_spoilt_counts_for_nothing),
        T(two_stories_are_kept_and_shown_and_change_no_money),
        T(a_second_accept_cannot_change_the_contract_under_the_money),
        T(an_arbiter_that_enrols_twice_cannot_change_the_lock_that_is_ready),
        T(a_payout_with_anothers_key_or_a_wrong_sum_counts_for_nothing),
        T(the_fee_comes_off_pro_rata_and_nothing_is_lost),
        T(the_direct_rail_goes_by_paid_and_received),
        T(more_facts_than_a_trade_may_have_are_an_error_not_a_crash),
        T(time_alone_changes_no_state_but_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
