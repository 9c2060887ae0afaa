// links: rail
/* Rule 10 on a ledger: all of a lock moves into another that differs in who decides and when, by two of the
 * three who could pay it out; what was signed for the old lock is worth nothing on the new one. */
#include "rail_nodes.h"

enum { DAN = ISSUER }; /* the new arbiter: whoever is at hand */

static struct rail_lock lock_next(const struct rail_lock *l)
{
    struct rail_lock next = *l;
    struct party *p = &N.p[DAN];
    uint8_t sk[64];
    assert_int_equal(rail_trade_key(&p->core, &p->me, &TRADE, &next.key[RAIL_ARBITER], sk, NULL), 0);
    assert_int_equal(rail_payout_key(&p->core, &p->me, &TRADE, &next.payout[RAIL_ARBITER], NULL), 0);
    next.late_from += 5 * DAY;
    return next;
}

static struct sig sign_move(int i, const struct rail_lock *from, const struct rail_lock *to)
{
    struct trade_key pk;
    uint8_t sk[64];
    struct sig sig;
    assert_int_equal(rail_trade_key(&N.p[i].core, &N.p[i].me, &TRADE, &pk, sk, NULL), 0);
    assert_int_equal(rail_move_sign(sk, &N.net, from, to, &sig, NULL), 0);
    return sig;
}

static int move(int i, const struct rail_lock *from, const struct rail_lock *to, const struct sig *sa,
                const struct sig *sb)
{
    struct party *p = &N.p[i];
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    int err =
        rails_move(p->core.rails, &p->core, &TRADE, from, to, RAIL_BUYER, sa, RAIL_SELLER, sb, ch, NULL);
    commit(p, ch);
    return err;
}

static void a_move_changes_who_decides_and_when_and_nothing_else(void **state)
{
    (void)state;
    nodes_up(false);
    struct rail_lock l = lock_of(300, RECORD_RAIL_CREDIT), next = lock_next(&l), bad;
    struct report r = {0};
    struct id one, two;
    assert_int_equal(rail_move_id(&one, &N.net, &l, &next, &r), 0);
    assert_int_equal(rail_move_id(&two, &N.net, &l, &l, &r), SOUK_EINVALID);
    bad = next;
    bad.contract.b[0] ^= 1;
    assert_int_equal(rail_move_id(&two, &N.net, &l, &bad, &r), SOUK_EINVALID);
    bad = next;
    bad.amount.minor--;
    bad.late.minor[RAIL_BUYER]--;
    assert_int_equal(rail_move_id(&two, &N.net, &l, &bad, &r), SOUK_EINVALID);
    bad = next;
    bad.payout[RAIL_SELLER] = bad.payout[RAIL_BUYER];
    assert_int_equal(rail_move_id(&two, &N.net, &l, &bad, &r), SOUK_EINVALID);
    assert_non_null(strstr(r.text, "nothing else"));
    bad = next;
    bad.late_from++;
    assert_int_equal(rail_move_id(&two, &N.net, &l, &bad, &r), 0);
    assert_false(id_eq(&one, &two));

    struct sig s = sign_move(ALICE, &l, &next);
    assert_int_equal(rail_move_check(&N.net, &l, &next, RAIL_BUYER, &s, NULL), 0);
    assert_int_equal(rail_move_check(&N.net, &l, &next, RAIL_SELLER, &s, NULL), SOUK_ESIGNATURE);
    assert_int_equal(rail_move_check(&N.net, &l, &bad, RAIL_BUYER, &s, NULL), SOUK_ESIGNATURE);
    assert_int_equal(rail_move_check(&N.net, &next, &l, RAIL_BUYER, &s, NULL), SOUK_ESIGNATURE);
    nodes_down();
}

static void the_direct_rail_moves_nothing(void **state)
{
    (void)state;
    nodes_up(false);
    struct rail_lock l = lock_of(300, RECORD_RAIL_DIRECT), next;
    struct id id;
    memset(&l.issuer, 0, sizeof l.issuer);
    assert_int_equal(currency_from_iso(&l.amount.currency, "EUR"), 0);
    next = lock_next(&l);
    assert_int_equal(rail_move_id(&id, &N.net, &l, &next, NULL), SOUK_ENOT_ALLOWED);
    nodes_down();
}

static void moves_on(enum record_rail rail)
{
    nodes_up(rail == RECORD_RAIL_MOCK);
    mint(ALICE, 500);
    struct rail_lock l = lock_of(300, rail), next = lock_next(&l);
    struct rail_split old = rail_split_all(&l, RAIL_BUYER), give = {{0, 290, 10, 0}};
    struct sig ra = sign_split(ALICE, &l, &old), rc = sign_split(CAROL, &l, &old);
    struct id note;
    watch(BOB, &l);
    watch(CAROL, &l);
    assert_int_equal(fund(&l), 0);
    later(5);
    struct sig sa = sign_move(ALICE, &l, &next), sb = sign_move(BOB, &l, &next), none = {{0}};
    assert_int_equal(move(BOB, &l, &next, &sa, &none), SOUK_ESIGNATURE);
    assert_int_equal(move(BOB, &l, &next, &sa, &sb), 0);
    assert_int_equal(move(ALICE, &l, &next, &sa, &sb), 0); /* both: one leaf */
    later(5);
    later(60000);
    assert_int_equal(view_ledger_size(N.p[ISSUER].core.view), 3);
    rail_lock_note(&note, &N.net, &next);
    for (int i = ALICE; i <= CAROL; i++) { /* the old arbiter sees where it went as well */
        struct rail_settlement got = settlement(i, &l);
        assert_true(got.spent && !got.known && got.moved);
        assert_true(id_eq(&got.next, &note));
    }
    for (int i = ISSUER; i <= BOB; i++) {
        watch(i, &next);
        assert_int_equal(funding(i, &next).state, RAIL_SEEN);
        assert_int_equal(funding(i, &next).minor, 300);
    }
    assert_int_equal(balance(ALICE), 200);

    /* What was signed for the old lock pays nothing any more. */
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    struct rail_split to_seller = rail_split_all(&next, RAIL_SELLER);
    assert_int_equal(rail_payout_check(&N.net, &next, &to_seller, RAIL_BUYER, &ra, NULL), SOUK_ESIGNATURE);
    assert_int_equal(rails_submit(N.p[ALICE].core.rails, &N.p[ALICE].core, &TRADE, &l, &old, RAIL_BUYER,
                                  &ra, RAIL_ARBITER, &rc, ch, NULL),
                     0);
    commit(&N.p[ALICE], ch);
    later(60000);
    assert_int_equal(balance(ALICE), 200);

    /* The new arbiter and one party open the new one. */
    struct sig sd = sign_split(DAN, &next, &give), ss = sign_split(BOB, &next, &give);
    ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(rails_submit(N.p[BOB].core.rails, &N.p[BOB].core, &TRADE, &next, &give, RAIL_ARBITER,
                                  &sd, RAIL_SELLER, &ss, ch, NULL),
                     0);
    commit(&N.p[BOB], ch);
    later(5);
    later(60000);
    assert_true(settlement(ALICE, &next).known);
    assert_int_equal(balance(BOB), 290);
    nodes_down();
}

static void the_money_moves_and_only_the_new_lock_pays(void **state)
{
    (void)state;
    moves_on(RECORD_RAIL_CREDIT);
}

static void on_the_mock_rail_too(void **state)
{
    (void)state;
    moves_on(RECORD_RAIL_MOCK);
}

static void a_payout_that_was_entered_first_stands(void **state)
{
    (void)state;
    nodes_up(false);
    mint(ALICE, 500);
    struct rail_lock l = lock_of(300, RECORD_RAIL_CREDIT), next = lock_next(&l);
    struct rail_split s = rail_split_all(&l, RAIL_SELLER);
    struct sig pa = sign_split(ALICE, &l, &s), pb = sign_split(BOB, &l, &s);
    struct sig sa = sign_move(ALICE, &l, &next), sb = sign_move(BOB, &l, &next);
    assert_int_equal(fund(&l), 0);
    later(5);
    watch(BOB, &l);
    watch(CAROL, &next);
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(rails_submit(N.p[BOB].core.rails, &N.p[BOB].core, &TRADE, &l, &s, RAIL_BUYER, &pa,
                                  RAIL_SELLER, &pb, ch, NULL),
                     0);
    commit(&N.p[BOB], ch);
    N.deaf[ALICE] = true; /* it does not know yet */
    later(5);
    N.deaf[ALICE] = false;
    assert_int_equal(move(ALICE, &l, &next, &sa, &sb), 0);
    later(60000);
    assert_true(settlement(ALICE, &l).known);
    assert_false(settlement(ALICE, &l).moved);
    assert_int_equal(funding(CAROL, &next).state, RAIL_NONE);
    assert_int_equal(balance(BOB), 300);
    nodes_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_changes_who_decides_and_when_and_nothing_else),
        cmocka_unit_test(the_direct_rail_moves_nothing),
        cmocka_unit_test(the_money_moves_and_only_the_new_lock_pays),
        cmocka_unit_test(on_the_mock_rail_too),
        cmocka_unit_test(a_payout_that_was_entered_first_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
