// links: rail
/* A trade's lock is described whole; payouts are rebuilt, never trusted; two signatures of two different
 * parties, in their time, and nothing else, move what it holds. */
#include "rail_world.h"

static struct sig sig_by(struct world *w, enum rail_party p, const struct rail_split *s)
{
    struct sig sig;
    assert_int_equal(rail_payout_sign(w->party[p].sk, &w->net, &w->lock, s, &sig, &w->report), 0);
    return sig;
}

static void fund(struct world *w)
{
    struct locks_note n;
    locks_note(&n, &w->net, &w->lock);
    world_add(w, &n.note);
}

static enum ledger_refusal pay(struct world *w, const struct rail_split *s, enum rail_party a,
                               enum rail_party b)
{
    struct buf t = {0};
    struct sig sa = sig_by(w, a, s), sb = sig_by(w, b, s);
    enum ledger_refusal why = LEDGER_REFUSAL_FORM;
    if (rail_payout_combine(&t, &w->net, &w->lock, s, a, &sa, b, &sb, &w->report) == 0)
        why = world_try(w, buf_view(&t));
    buf_free(&t);
    return why;
}

static void a_lock_survives_its_bytes_and_has_one_name(void **state)
{
    (void)state;
    struct world w;
    struct rail_lock back;
    struct buf b = {0};
    struct id one, two;
    world_init(&w);
    assert_int_equal(rail_lock_check(&w.lock, &w.report), 0);
    rail_lock_encode(&b, &w.lock);
    assert_int_equal(rail_lock_decode(&back, buf_view(&b), &w.report), 0);
    rail_lock_id(&one, &w.net, &w.lock);
    rail_lock_id(&two, &w.net, &back);
    assert_true(id_eq(&one, &two));
    back.amount.minor++;
    rail_lock_id(&two, &w.net, &back);
    assert_false(id_eq(&one, &two));
    buf_free(&b);
    world_free(&w);
}

static void bad_locks_are_refused_with_every_mistake(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct rail_lock bad = w.lock;
    bad.key[RAIL_SELLER] = bad.key[RAIL_BUYER];
    bad.late.minor[RAIL_BUYER]++;
    assert_int_equal(rail_lock_check(&bad, &w.report), SOUK_EINVALID);
    assert_non_null(strstr(w.report.text, "must all differ"));
    assert_non_null(strstr(w.report.text, "late split"));

    bad = w.lock;
    bad.parties = 2;
    assert_int_equal(rail_lock_check(&bad, NULL), SOUK_EINVALID);
    bad = w.lock;
    bad.substitute_from = bad.late_from;
    assert_int_equal(rail_lock_check(&bad, NULL), SOUK_EINVALID);
    bad = w.lock;
    bad.amount.currency.b[0] ^= 1;
    assert_int_equal(rail_lock_check(&bad, NULL), SOUK_EINVALID);
    bad = w.lock;
    bad.amount.minor = 0;
    assert_int_equal(rail_lock_check(&bad, NULL), SOUK_EINVALID);
    bad = w.lock;
    memset(&bad.key[RAIL_ARBITER], 0, sizeof bad.key[0]);
    assert_int_equal(rail_lock_check(&bad, NULL), SOUK_EINVALID);
    bad = w.lock;
    bad.rail = RECORD_RAIL_BITCOIN;
    assert_int_equal(rail_lock_check(&bad, NULL), SOUK_EINVALID);
    world_free(&w);
}

static void the_direct_rail_needs_no_arbiter_and_holds_nothing(void **state)
{
    (void)state;
    struct world w;
    struct buf b = {0};
    struct id id;
    world_init(&w);
    w.lock.rail = RECORD_RAIL_DIRECT;
    w.lock.parties = 2;
    w.lock.substitute_from = 0;
    memset(&w.lock.issuer, 0, sizeof w.lock.issuer);
    assert_int_equal(currency_from_iso(&w.lock.amount.currency, "EUR"), 0);
    assert_int_equal(rail_lock_check(&w.lock, &w.report), 0);
    struct rail_split s = rail_split_all(&w.lock, RAIL_SELLER);
    assert_int_equal(rail_payout_id(&id, &w.net, &w.lock, &s, NULL), 0);
    assert_int_equal(rail_late_make(&b, &w.net, &w.lock, NULL), SOUK_ENOT_ALLOWED);
    world_free(&w);
}

static void a_signature_is_good_for_one_split_of_one_lock(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct rail_split all = rail_split_all(&w.lock, RAIL_SELLER), other = {{400, 550, 50, 0}};
    struct sig s = sig_by(&w, RAIL_BUYER, &all);
    assert_int_equal(rail_payout_check(&w.net, &w.lock, &all, RAIL_BUYER, &s, NULL), 0);
    assert_int_equal(rail_payout_check(&w.net, &w.lock, &other, RAIL_BUYER, &s, NULL), SOUK_ESIGNATURE);
    assert_int_equal(rail_payout_check(&w.net, &w.lock, &all, RAIL_SELLER, &s, NULL), SOUK_ESIGNATURE);
    struct rail_lock moved = w.lock; /* the same people, another contract */
    moved.contract.b[0] ^= 1;
    assert_int_equal(rail_payout_check(&w.net, &moved, &all, RAIL_BUYER, &s, NULL), SOUK_ESIGNATURE);
    other.minor[RAIL_BUYER]++;
    assert_int_equal(rail_payout_check(&w.net, &w.lock, &other, RAIL_BUYER, &s, NULL), SOUK_EINVALID);
    world_free(&w);
}

static void any_two_of_three_pay_at_once_the_substitute_later(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    fund(&w);
    struct rail_split s = {{300, 650, 50, 0}}, by_sub = {{300, 650, 0, 50}};
    assert_int_equal(pay(&w, &s, RAIL_BUYER, RAIL_SELLER), 0);
    assert_int_equal(pay(&w, &s, RAIL_SELLER, RAIL_BUYER), 0);
    assert_int_equal(pay(&w, &s, RAIL_ARBITER, RAIL_SELLER), 0);
    assert_int_equal(pay(&w, &s, RAIL_BUYER, RAIL_ARBITER), 0);
    assert_int_equal(pay(&w, &by_sub, RAIL_BUYER, RAIL_SUBSTITUTE), LEDGER_REFUSAL_EARLY);
    w.now = w.lock.substitute_from;
    assert_int_equal(pay(&w, &by_sub, RAIL_BUYER, RAIL_SUBSTITUTE), 0);
    assert_int_equal(pay(&w, &by_sub, RAIL_SUBSTITUTE, RAIL_SELLER), 0);
    world_free(&w);
}

static void one_party_twice_or_the_two_judges_pay_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    fund(&w);
    w.now = w.lock.substitute_from;
    struct rail_split s = {{0, 950, 50, 0}};
    assert_int_equal(pay(&w, &s, RAIL_BUYER, RAIL_BUYER), LEDGER_REFUSAL_FORM);
    assert_int_equal(w.report.err, SOUK_EINVALID);
    assert_int_equal(pay(&w, &s, RAIL_ARBITER, RAIL_SUBSTITUTE), LEDGER_REFUSAL_FORM);
    world_free(&w);
}

static void a_ledger_refuses_one_signature_given_as_two(void **state)
{
    (void)state;
    struct world w;
    struct buf body = {0}, t = {0};
    world_init(&w);
    fund(&w);
    struct rail_split s = rail_split_all(&w.lock, RAIL_BUYER);
    struct sig sig = sig_by(&w, RAIL_BUYER, &s);
    struct ledger_signed_by twice[] = {{w.lock.key[RAIL_BUYER], sig}, {w.lock.key[RAIL_BUYER], sig}};
    struct ledger_witness wit = {.sigs = twice, .sigs_n = 2};
    assert_int_equal(rail_payout_make(&body, &w.net, &w.lock, &s, NULL), 0);
    transfer_write(&t, buf_view(&body), &wit, 1, NULL);
    assert_int_equal(world_try(&w, buf_view(&t)), LEDGER_REFUSAL_SIGNATURE);
    wit.sigs_n = 1;
    buf_clear(&t);
    transfer_write(&t, buf_view(&body), &wit, 1, NULL);
    assert_int_equal(world_try(&w, buf_view(&t)), LEDGER_REFUSAL_SIGNATURE);
    buf_free(&body);
    buf_free(&t);
    world_free(&w);
}

static void the_late_branch_pays_its_split_and_only_that_from_its_time(void **state)
{
    (void)state;
    struct world w;
    struct buf t = {0}, body = {0};
    world_init(&w);
    fund(&w);
    assert_int_equal(rail_late_make(&t, &w.net, &w.lock, NULL), 0);
    assert_int_equal(world_try(&w, buf_view(&t)), LEDGER_REFUSAL_EARLY);
    w.now = w.lock.late_from;
    assert_int_equal(world_try(&w, buf_view(&t)), 0);

    struct rail_split greedy = rail_split_all(&w.lock, RAIL_BUYER);
    struct ledger_witness wit = {.branch = 2};
    assert_int_equal(rail_payout_make(&body, &w.net, &w.lock, &greedy, NULL), 0);
    buf_clear(&t);
    transfer_write(&t, buf_view(&body), &wit, 1, NULL);
    assert_int_equal(world_try(&w, buf_view(&t)), LEDGER_REFUSAL_BRANCH);
    wit.branch = 3;
    buf_clear(&t);
    transfer_write(&t, buf_view(&body), &wit, 1, NULL);
    assert_int_equal(world_try(&w, buf_view(&t)), LEDGER_REFUSAL_BRANCH);
    buf_free(&body);
    buf_free(&t);
    world_free(&w);
}

static void what_settled_a_lock_is_read_back_as_split_and_branch(void **state)
{
    (void)state;
    struct world w;
    struct buf b = {0};
    struct transfer t;
    struct rail_split got;
    bool known;
    unsigned branch;
    world_init(&w);
    struct rail_split s = {{300, 650, 0, 50}};
    struct sig sb = sig_by(&w, RAIL_BUYER, &s), ss = sig_by(&w, RAIL_SUBSTITUTE, &s);
    assert_int_equal(
        rail_payout_combine(&b, &w.net, &w.lock, &s, RAIL_BUYER, &sb, RAIL_SUBSTITUTE, &ss, NULL), 0);
    assert_int_equal(transfer_parse(&t, &w.net, buf_view(&b), &w.arena, NULL), 0);
    locks_settled(&w.net, &w.lock, &t, &got, &known, &branch);
    assert_true(known);
    assert_int_equal(branch, 1);
    assert_memory_equal(&got, &s, sizeof s);

    struct rail_lock other = w.lock; /* a spend of it that is no payout of it */
    other.payout[RAIL_SELLER] = key_of(&w.member);
    locks_settled(&w.net, &other, &t, &got, &known, &branch);
    assert_false(known);
    buf_free(&b);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_survives_its_bytes_and_has_one_name),
        cmocka_unit_test(bad_locks_are_refused_with_every_mistake),
        cmocka_unit_test(the_direct_rail_needs_no_arbiter_and_holds_nothing),
        cmocka_unit_test(a_signature_is_good_for_one_split_of_one_lock),
        cmocka_unit_test(any_two_of_three_pay_at_once_the_substitute_later),
        cmocka_unit_test(one_party_twice_or_the_two_judges_pay_nothing),
        cmocka_unit_test(a_ledger_refuses_one_signature_given_as_two),
        cmocka_unit_test(the_late_branch_pays_its_split_and_only_that_from_its_time),
        cmocka_unit_test(what_settled_a_lock_is_read_back_as_split_and_branch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
