// links: rail
/* Credit between nodes: minting, paying, drawing, funding a lock, paying it out; what is lost on the way or
 * with a restart is made good. */
#include "rail_nodes.h"

static void notes_minted_can_be_paid_on_and_change_comes_back(void **state)
{
    (void)state;
    struct id t;
    nodes_up(false);
    mint(ALICE, 500);
    assert_int_equal(balance(ALICE), 500);
    assert_int_equal(pay(ALICE, BOB, 120, &t), 0);
    assert_int_equal(rails_outcome(N.p[ALICE].core.rails, &N.p[ALICE].core, &t), SOUK_EBUSY);
    later(5);
    assert_int_equal(rails_outcome(N.p[ALICE].core.rails, &N.p[ALICE].core, &t), 0);
    post();
    assert_int_equal(balance(ALICE), 380);
    assert_int_equal(balance(BOB), 120);
    assert_int_equal(pay(BOB, CAROL, 121, &t), SOUK_EFUNDS);
    nodes_down();
}

static void a_lost_answer_and_a_restart_change_nothing(void **state)
{
    (void)state;
    struct id t;
    nodes_up(false);
    mint(ALICE, 500);
    assert_int_equal(pay(ALICE, BOB, 100, &t), 0);
    N.deaf[ALICE] = true; /* the issuer enters it; nobody hears */
    later(5);
    assert_int_equal(rails_outcome(N.p[ALICE].core.rails, &N.p[ALICE].core, &t), SOUK_EBUSY);
    assert_int_equal(pay(ALICE, BOB, 450, &(struct id){{0}}), SOUK_EFUNDS); /* the note is promised away */
    restart(ALICE);
    restart(ISSUER);
    N.deaf[ALICE] = false;
    later(1000);
    assert_int_equal(rails_outcome(N.p[ALICE].core.rails, &N.p[ALICE].core, &t), 0);
    assert_int_equal(view_ledger_size(N.p[ISSUER].core.view), 2);
    post();
    assert_int_equal(balance(ALICE), 400);
    assert_int_equal(balance(BOB), 100);
    nodes_down();
}

static void a_payer_that_is_locked_when_the_receipt_comes_tells_the_payee_later(void **state)
{
    (void)state;
    struct id t;
    nodes_up(false);
    mint(ALICE, 500);
    assert_int_equal(pay(ALICE, BOB, 100, &t), 0);
    N.mute[ALICE] = true; /* started again, and not yet unlocked */
    later(5);
    assert_int_equal(rails_outcome(N.p[ALICE].core.rails, &N.p[ALICE].core, &t), SOUK_EBUSY);
    post();
    assert_int_equal(balance(BOB), 0);
    restart(ALICE);
    N.mute[ALICE] = false;
    later(1000);
    post();
    assert_int_equal(rails_outcome(N.p[ALICE].core.rails, &N.p[ALICE].core, &t), 0);
    assert_int_equal(view_ledger_size(N.p[ISSUER].core.view), 2); /* entered once */
    assert_int_equal(balance(ALICE), 400);
    assert_int_equal(balance(BOB), 100);
    nodes_down();
}

static struct change *unsent_payment(int64_t minor, struct id *t)
{
    struct party *p = &N.p[ALICE];
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(rails_pay(p->core.rails, &p->core, &p->me, &N.p[ISSUER].me, &N.p[BOB].me, minor,
                               span_str("twice"), ch, t, NULL),
                     0);
    restart(ALICE); /* forgets that the note is promised */
    return ch;
}

static void a_double_spend_is_refused_for_good_by_the_leaf_that_came_first(void **state)
{
    (void)state;
    struct id first, second;
    nodes_up(false);
    mint(ALICE, 500);
    struct change *ch = unsent_payment(300, &second);
    assert_int_equal(pay(ALICE, BOB, 200, &first), 0);
    later(5);
    post();
    commit(&N.p[ALICE], ch); /* as from a copy of the wallet */
    later(1000);
    assert_int_equal(rails_outcome(N.p[ALICE].core.rails, &N.p[ALICE].core, &first), 0);
    assert_int_equal(rails_outcome(N.p[ALICE].core.rails, &N.p[ALICE].core, &second), SOUK_ECONFLICT);
    assert_int_equal(balance(ALICE), 300);
    assert_int_equal(balance(BOB), 200);
    assert_int_equal(view_ledger_size(N.p[ISSUER].core.view), 2);
    nodes_down();
}

static void submit_from(const struct change *ch)
{
    struct node_key alice;
    memcpy(alice.b, N.p[ALICE].node.pk, 32);
    for (size_t i = 0; i < ch->ops_n; i++) {
        const struct op *op = &ch->ops[i];
        struct ledger_pending p;
        struct arena a;
        struct buf b = {0};
        arena_init(&a, 65536);
        if (op->kind == OP_PUT && op->put.key.p[0] == 'p') {
            assert_int_equal(ledger_pending_decode(&p, op->put.value, &a, NULL), 0);
            struct ledger_submit m = {.transfer = p.transfer};
            ledger_submit_encode(&b, &m);
            assert_int_equal(rails_message(N.p[ISSUER].core.rails, &N.p[ISSUER].core, &alice, LEDGER_SUBMIT,
                                           buf_view(&b)),
                             0);
        }
        buf_free(&b);
        arena_free(&a);
    }
}

static void of_two_spends_under_way_at_once_one_is_entered(void **state)
{
    (void)state;
    struct id t[2];
    nodes_up(false);
    mint(ALICE, 500);
    struct change *one = unsent_payment(300, &t[0]), *two = unsent_payment(200, &t[1]);
    submit_from(one); /* neither is on the issuer's disk when the other is judged */
    submit_from(two);
    submit_from(one);
    settle();
    assert_int_equal(view_ledger_size(N.p[ISSUER].core.view), 2);
    uint64_t index;
    assert_true(view_ledger_transfer(N.p[ISSUER].core.view, &t[0], &index));
    assert_false(view_ledger_transfer(N.p[ISSUER].core.view, &t[1], &index));
    assert_int_equal(N.refused_first, 1);
    change_free(one);
    change_free(two);
    nodes_down();
}

static void a_member_draws_within_the_limit_and_the_sum_of_all_stays_zero(void **state)
{
    (void)state;
    struct id t;
    nodes_up(false);
    assert_int_equal(pay(ALICE, BOB, 60, &t), SOUK_EFUNDS);
    join(ALICE);
    join(BOB);
    assert_int_equal(pay(ALICE, BOB, 60, &t), 0);
    later(5);
    post();
    assert_int_equal(balance(ALICE), -60);
    assert_int_equal(balance(BOB), 60);
    assert_int_equal(pay(ALICE, BOB, 41, &t), SOUK_EFUNDS);
    assert_int_equal(pay(BOB, ALICE, 100, &t), 0);
    later(5);
    post();
    assert_int_equal(balance(ALICE), 40);
    assert_int_equal(balance(BOB), -40);
    nodes_down();
}

static void who_was_refused_draws_nothing(void **state)
{
    (void)state;
    struct id t;
    nodes_up(false);
    join(ALICE);
    struct party *is = &N.p[ISSUER];
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(rails_approve(is->core.rails, &is->core, &is->me, &N.p[ALICE].me, 0, true, ch, NULL),
                     0);
    commit(is, ch);
    assert_int_equal(pay(ALICE, BOB, 60, &t), 0); /* Alice's node has not heard of it */
    later(5);
    assert_int_equal(rails_outcome(N.p[ALICE].core.rails, &N.p[ALICE].core, &t), SOUK_EFUNDS);
    assert_int_equal(view_ledger_size(is->core.view), 0);
    nodes_down();
}

static void a_lock_is_funded_seen_by_all_and_paid_out_by_two(void **state)
{
    (void)state;
    nodes_up(false);
    mint(ALICE, 500);
    struct rail_lock l = lock_of(300, RECORD_RAIL_CREDIT);
    struct rail_split s = {{50, 240, 10, 0}};
    watch(BOB, &l);
    watch(CAROL, &l);
    assert_int_equal(funding(BOB, &l).state, RAIL_NONE);
    assert_int_equal(fund(&l), 0);
    assert_int_equal(funding(ALICE, &l).err, SOUK_EBUSY);
    later(5);
    assert_int_equal(funding(ALICE, &l).state, RAIL_SEEN);
    assert_int_equal(balance(ALICE), 200);
    watch(BOB, &l);
    assert_int_equal(funding(BOB, &l).state, RAIL_SEEN);
    assert_int_equal(funding(BOB, &l).minor, 300);
    assert_int_equal(fund(&l), 0); /* again: nothing */
    later(5);
    assert_int_equal(view_ledger_size(N.p[ISSUER].core.view), 2);

    struct sig sa = sign_split(ALICE, &l, &s), sb = sign_split(BOB, &l, &s);
    for (int i = ALICE; i <= BOB; i++) { /* both submit: one leaf */
        struct change *ch = change_new(ROOM_NODE, 0, 0);
        assert_int_equal(rails_submit(N.p[i].core.rails, &N.p[i].core, &TRADE, &l, &s, RAIL_BUYER, &sa,
                                      RAIL_SELLER, &sb, ch, NULL),
                         0);
        commit(&N.p[i], ch);
    }
    later(5);
    later(60000);
    assert_int_equal(view_ledger_size(N.p[ISSUER].core.view), 3);
    for (int i = ALICE; i <= CAROL; i++) {
        struct rail_settlement got = settlement(i, &l);
        assert_true(got.spent && got.known);
        assert_int_equal(got.branch, RAIL_BY_PARTIES);
        assert_memory_equal(&got.split, &s, sizeof s);
    }
    assert_int_equal(balance(ALICE), 250);
    assert_int_equal(balance(BOB), 240);
    assert_int_equal(balance(CAROL), 10);
    struct id t;
    assert_int_equal(pay(BOB, CAROL, 240, &t), 0); /* what a payout paid can be spent */
    later(5);
    post();
    assert_int_equal(balance(CAROL), 250);
    nodes_down();
}

static void the_late_branch_needs_nobody_and_a_payout_after_it_is_refused_for_good(void **state)
{
    (void)state;
    nodes_up(false);
    mint(ALICE, 500);
    struct rail_lock l = lock_of(300, RECORD_RAIL_CREDIT);
    watch(BOB, &l);
    assert_int_equal(fund(&l), 0);
    later(5);
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(rails_late(N.p[ALICE].core.rails, &N.p[ALICE].core, &TRADE, &l, ch, NULL), 0);
    commit(&N.p[ALICE], ch);
    later(5);
    assert_int_equal(settlement(ALICE, &l).err, SOUK_EBUSY); /* early: it is tried again */
    later((uint64_t)(20 * DAY));
    later(1000);
    struct rail_settlement got = settlement(ALICE, &l);
    assert_true(got.known);
    assert_int_equal(got.branch, RAIL_BY_LATENESS);
    assert_int_equal(balance(ALICE), 500);

    struct rail_split s = rail_split_all(&l, RAIL_SELLER);
    struct sig sa = sign_split(ALICE, &l, &s), sb = sign_split(BOB, &l, &s);
    restart(BOB); /* and what is watched is watched after a restart */
    ch = change_new(ROOM_NODE, 0, 0);
    N.deaf[BOB] = true;
    assert_int_equal(rails_submit(N.p[BOB].core.rails, &N.p[BOB].core, &TRADE, &l, &s, RAIL_BUYER, &sa,
                                  RAIL_SELLER, &sb, ch, NULL),
                     0);
    commit(&N.p[BOB], ch);
    N.deaf[BOB] = false;
    later(5);
    later(60000);
    got = settlement(BOB, &l);
    assert_true(got.known);
    assert_int_equal(got.split.minor[RAIL_BUYER], 300);
    assert_int_equal(balance(BOB), 0);
    nodes_down();
}

static void peers_confirm_by_their_heads(void **state)
{
    (void)state;
    nodes_up(false);
    mint(ALICE, 500);
    struct rail_lock l = lock_of(300, RECORD_RAIL_CREDIT);
    watch(BOB, &l);
    assert_int_equal(fund(&l), 0);
    later(5);
    watch(BOB, &l);
    struct node_key carol, alice;
    memcpy(carol.b, N.p[CAROL].node.pk, 32);
    memcpy(alice.b, N.p[ALICE].node.pk, 32);
    struct ledger_ask_head q = {.issuer = N.p[ISSUER].me};
    struct buf b = {0};
    ledger_ask_head_encode(&b, &q);
    route(&N.p[BOB], &N.p[BOB].core, &carol, LEDGER_ASK_HEAD, buf_view(&b));
    settle();
    assert_int_equal(funding(BOB, &l).confirmations, 0); /* Carol knows no head */
    mint(CAROL, 1); /* the log grows beyond Bob's head: consistency must be shown */
    later(2000);
    assert_true(publish_head());
    assert_false(publish_head());
    route(&N.p[BOB], &N.p[BOB].core, &carol, LEDGER_ASK_HEAD, buf_view(&b));
    route(&N.p[BOB], &N.p[BOB].core, &carol, LEDGER_ASK_HEAD, buf_view(&b));
    settle();
    assert_int_equal(funding(BOB, &l).confirmations, 1); /* one peer counts once */
    route(&N.p[BOB], &N.p[BOB].core, &alice, LEDGER_ASK_HEAD, buf_view(&b));
    settle();
    assert_int_equal(funding(BOB, &l).confirmations, 2);
    restart(BOB);
    assert_int_equal(funding(BOB, &l).confirmations, 2);
    buf_free(&b);
    nodes_down();
}

static struct rail_audit audited;
static int audits_done;
static void audit_done(void *arg, struct core *c, const struct rail_audit *a)
{
    (void)arg, (void)c;
    audited = *a;
    audits_done++;
}

static void an_audit_reads_the_whole_log(void **state)
{
    (void)state;
    nodes_up(false);
    for (int i = 0; i < 5; i++)
        mint(ALICE, 10 + i);
    assert_true(publish_head());
    audits_done = 0;
    assert_int_equal(
        rails_audit(N.p[ALICE].core.rails, &N.p[ALICE].core, &N.p[ISSUER].me, audit_done, NULL, NULL), 0);
    settle();
    assert_int_equal(audits_done, 1);
    assert_int_equal(audited.err, 0);
    assert_int_equal(audited.size, 5);
    assert_int_equal(audited.leaves_checked, 5);
    assert_int_equal(audited.own_leaves, 5);
    assert_int_equal(audited.own_missing, 0);
    assert_true(audited.consistent && audited.heads > 0 && !audited.fraud && !audited.double_spends);
    N.deaf[ISSUER] = true;
    assert_int_equal(
        rails_audit(N.p[BOB].core.rails, &N.p[BOB].core, &N.p[ISSUER].me, audit_done, NULL, NULL), 0);
    later(10000);
    later(10000);
    assert_int_equal(audits_done, 2);
    assert_int_equal(audited.err, SOUK_ETIMEOUT);
    nodes_down();
}

static void two_stories_are_noticed_and_an_old_backup_stays_silent(void **state)
{
    (void)state;
    struct buf body = {0};
    struct identity who;
    nodes_up(false);
    mint(ALICE, 10);
    struct party *is = &N.p[ISSUER];
    struct ledger_tree_head h;
    assert_true(issuer_head(is->core.rails, &is->core, &h));
    struct ledger_tree_head other = h;
    other.root.b[0] ^= 1;
    struct id hash;
    head_hash(&hash, &N.net, &is->me, other.size, &other.root, other.time);
    assert_int_equal(keys_sign(is->core.keys, &is->core, &is->me, USE_DUTY, &hash, &other.sig, NULL), 0);
    assert_false(rails_fraud_due(N.p[ALICE].core.rails, &N.p[ALICE].core, &who, &body));
    struct record_head m = {.size = other.size, .root = other.root, .time = other.time, .sig = other.sig};
    struct buf rec = {0};
    record_head_encode(&rec, &m);
    spread_record(RECORD_HEAD, buf_view(&rec)); /* Alice holds a receipt under the other root */
    assert_true(rails_fraud_due(N.p[ALICE].core.rails, &N.p[ALICE].core, &who, &body));
    assert_true(identity_eq(&who, &is->me));
    assert_int_equal(fraud_check(&N.net, buf_view(&body), &is->me, NULL), 0);
    /* The issuer's own node sees a head that its log does not have: it signs nothing more. */
    assert_false(issuer_head(is->core.rails, &is->core, &h));
    restart(ISSUER);
    assert_false(issuer_head(is->core.rails, &is->core, &h));
    buf_free(&body);
    buf_free(&rec);
    nodes_down();
}

static void the_mock_rail_takes_confirmations_back(void **state)
{
    (void)state;
    nodes_up(true);
    mint(ALICE, 500);
    struct rail_lock l = lock_of(300, RECORD_RAIL_MOCK);
    watch(BOB, &l);
    assert_int_equal(fund(&l), 0);
    later(5);
    watch(BOB, &l);
    assert_int_equal(funding(BOB, &l).state, RAIL_SEEN);
    struct id note;
    rail_lock_note(&note, &N.net, &l);
    struct party *is = &N.p[ISSUER];
    for (int back = 1; back >= 0; back--) {
        struct change *ch = change_new(ROOM_NODE, 0, 0);
        int before = N.changed;
        assert_int_equal(rails_mock_reverse(is->core.rails, &is->core, &note, back, ch, NULL), 0);
        commit(is, ch);
        later(30000);
        assert_int_equal(funding(BOB, &l).state, back ? RAIL_REVERSED : RAIL_SEEN);
        assert_true(N.changed > before);
    }
    nodes_down();
    nodes_up(false);
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(rails_mock_reverse(N.p[ISSUER].core.rails, &N.p[ISSUER].core, &note, true, ch, NULL),
                     SOUK_ENOT_ALLOWED);
    change_free(ch);
    nodes_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_minted_can_be_paid_on_and_change_comes_back),
        cmocka_unit_test(a_lost_answer_and_a_restart_change_nothing),
        cmocka_unit_test(a_payer_that_is_locked_when_the_receipt_comes_tells_the_payee_later),
        cmocka_unit_test(a_double_spend_is_refused_for_good_by_the_leaf_that_came_first),
        cmocka_unit_test(of_two_spends_under_way_at_once_one_is_entered),
        cmocka_unit_test(a_member_draws_within_the_limit_and_the_sum_of_all_stays_zero),
        cmocka_unit_test(who_was_refused_draws_nothing),
        cmocka_unit_test(a_lock_is_funded_seen_by_all_and_paid_out_by_two),
        cmocka_unit_test(the_late_branch_needs_nobody_and_a_payout_after_it_is_refused_for_good),
        cmocka_unit_test(peers_confirm_by_their_heads),
        cmocka_unit_test(an_audit_reads_the_whole_log),
        cmocka_unit_test(two_stories_are_noticed_and_an_old_backup_stays_silent),
        cmocka_unit_test(the_mock_rail_takes_confirmations_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
