// links: rail
/* What may be entered into a ledger, what a receipt proves, and when an issuer is caught telling two
 * stories. */
#include "rail_world.h"

struct draft {
    struct ledger_body body;
    struct ledger_note notes[4];
    struct ledger_branch branches[4];
    struct trade_key keys[4];
    struct id spends[4];
    const struct keypair *by[4];
    struct keypair const *signer; /* mint, draw */
};

static void draft_init(struct world *w, struct draft *d, enum ledger_kind kind)
{
    memset(d, 0, sizeof *d);
    d->body.issuer = who(&w->issuer);
    d->body.kind = kind;
    d->body.makes = d->notes;
    d->body.spends = d->spends;
}

static void makes(struct world *w, struct draft *d, const struct keypair *to, uint64_t minor)
{
    size_t i = d->body.makes_n++;
    d->keys[i] = key_of(to);
    d->notes[i].minor = minor;
    lock_simple(&d->notes[i].lock, &d->branches[i], &d->keys[i]);
    rng_bytes(&w->rng, &d->notes[i].value_salt, sizeof d->notes[i].value_salt);
}

static void spends(struct draft *d, struct id note, const struct keypair *by)
{
    size_t i = d->body.spends_n++;
    while (i && memcmp(&d->spends[i - 1], &note, sizeof note) > 0) {
        d->spends[i] = d->spends[i - 1];
        d->by[i] = d->by[i - 1];
        i--;
    }
    d->spends[i] = note;
    d->by[i] = by;
}

static void write_it(struct world *w, const struct draft *d, struct buf *out)
{
    struct buf body = {0};
    struct id id;
    struct ledger_signed_by sigs[4];
    struct ledger_witness wit[4] = {{0}};
    struct sig sig;
    ledger_body_encode(&body, &d->body);
    transfer_id(&id, &w->net, buf_view(&body));
    for (size_t i = 0; i < d->body.spends_n; i++) {
        sigs[i].key = key_of(d->by[i]);
        sign_hash(&sigs[i].sig, d->by[i]->sk, &id);
        wit[i].sigs = &sigs[i];
        wit[i].sigs_n = 1;
    }
    if (d->signer)
        sign_hash(&sig, d->signer->sk, &id);
    buf_clear(out);
    transfer_write(out, buf_view(&body), wit, d->body.spends_n, d->signer ? &sig : NULL);
    buf_free(&body);
}

static enum ledger_refusal try_it(struct world *w, const struct draft *d)
{
    struct buf t = {0};
    write_it(w, d, &t);
    enum ledger_refusal why = world_try(w, buf_view(&t));
    buf_free(&t);
    return why;
}

static void notes_become_notes_of_the_same_sum(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w);
    struct id a = world_give(&w, &w.member, 70), b = world_give(&w, &w.member, 50);
    draft_init(&w, &d, LEDGER_KIND_TRANSFER);
    spends(&d, a, &w.member);
    spends(&d, b, &w.member);
    makes(&w, &d, &w.party[0], 100);
    makes(&w, &d, &w.member, 20);
    assert_int_equal(try_it(&w, &d), 0);
    d.notes[1].minor = 21;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_SUMS);
    d.notes[1].minor = 19;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_SUMS);
    world_free(&w);
}

static void what_was_never_made_or_is_not_ones_own_cannot_be_spent(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w);
    struct id none = {{1}}, a = world_give(&w, &w.member, 70);
    draft_init(&w, &d, LEDGER_KIND_TRANSFER);
    spends(&d, none, &w.member);
    makes(&w, &d, &w.party[0], 70);
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_UNKNOWN_NOTE);
    d.spends[0] = a;
    d.by[0] = &w.party[0];
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_SIGNATURE);
    d.by[0] = &w.member;
    assert_int_equal(try_it(&w, &d), 0);
    d.body.issuer.b[0] ^= 1;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_ISSUER);
    world_free(&w);
}

static void a_double_spend_is_told_by_what(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w);
    struct id a = world_give(&w, &w.member, 70);
    memset(&w.notes[0].spent_by, 0xee, sizeof w.notes[0].spent_by);
    draft_init(&w, &d, LEDGER_KIND_TRANSFER);
    spends(&d, a, &w.member);
    makes(&w, &d, &w.party[0], 70);
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_SPENT);
    assert_true(id_eq(&w.refusal.note, &a));
    assert_int_equal(w.refusal.by.b[0], 0xee);
    world_free(&w);
}

static void a_note_is_made_once(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w);
    struct id a = world_give(&w, &w.member, 70);
    draft_init(&w, &d, LEDGER_KIND_TRANSFER);
    spends(&d, a, &w.member);
    makes(&w, &d, &w.party[0], 70);
    world_add(&w, &d.notes[0]);
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_EXISTS);
    world_free(&w);
}

static void only_the_issuer_mints(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w);
    draft_init(&w, &d, LEDGER_KIND_MINT);
    makes(&w, &d, &w.member, 500);
    d.signer = &w.issuer;
    assert_int_equal(try_it(&w, &d), 0);
    d.signer = &w.member;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_MINT);
    d.signer = NULL;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_FORM);
    world_free(&w);
}

static void a_member_draws_up_to_the_limit(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w);
    struct id a = world_give(&w, &w.member, 70);
    w.left = 30;
    draft_init(&w, &d, LEDGER_KIND_DRAW);
    d.body.has_member = d.body.has_drawn = true;
    d.body.member = who(&w.member);
    d.body.drawn = 30;
    d.signer = &w.member;
    spends(&d, a, &w.member);
    makes(&w, &d, &w.party[0], 100);
    assert_int_equal(try_it(&w, &d), 0);
    w.left = 29;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_LIMIT);
    w.left = 30;
    d.signer = &w.party[0];
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_SIGNATURE);
    d.body.member = who(&w.party[0]);
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_LIMIT);
    world_free(&w);
}

static void forms_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    struct buf b = {0};
    struct transfer t;
    world_init(&w);
    struct id a = world_give(&w, &w.member, 70);
    draft_init(&w, &d, LEDGER_KIND_TRANSFER);
    makes(&w, &d, &w.member, 70);
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_FORM); /* spends nothing */
    spends(&d, a, &w.member);
    d.body.has_drawn = true;
    d.body.drawn = 1;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_FORM);
    d.body.has_drawn = false;
    d.body.spends_n = 2;
    d.spends[1] = a;
    d.by[1] = &w.member;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_FORM); /* one note twice */
    d.body.spends_n = 1;
    d.notes[1] = d.notes[0];
    d.body.makes_n = 2;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_FORM); /* the same note twice */
    d.body.makes_n = 1;
    d.branches[0].need = 2;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_FORM); /* two signatures of one key */
    d.branches[0].need = 0;
    assert_int_equal(try_it(&w, &d), LEDGER_REFUSAL_FORM); /* nobody's leave, and no split */
    d.branches[0].need = 1;
    write_it(&w, &d, &b);
    assert_int_equal(transfer_parse(&t, &w.net, buf_view(&b), &w.arena, NULL), 0);
    for (size_t n = 0; n < b.n; n++)
        assert_true(transfer_parse(&t, &w.net, span(b.p, n), &w.arena, NULL) != 0);
    buf_free(&b);
    world_free(&w);
}

/* ---- heads and receipts ---- */
static bool no_node(void *arg, unsigned level, uint64_t index, struct id *hash)
{
    const struct id *leaves = arg;
    if (level == 0)
        *hash = leaves[index];
    else
        merkle_node(hash, &leaves[0], &leaves[1]);
    return level < 2;
}

static struct ledger_tree_head head_of(struct world *w, uint64_t size, const struct id *root)
{
    struct ledger_tree_head h = {.size = size, .root = *root, .time = NOON};
    struct identity me = who(&w->issuer);
    struct id hash;
    head_hash(&hash, &w->net, &me, size, root, NOON);
    sign_hash(&h.sig, w->issuer.sk, &hash);
    return h;
}

struct entered {
    struct buf transfer, entry;
    struct transfer t;
    struct id leaves[2], path[64];
    struct ledger_receipt receipt;
};

/* A mint of a note that commits to the trade's stub, as leaf 1 of 2. */
static void enter(struct world *w, struct entered *e)
{
    struct draft d;
    struct id root;
    size_t n;
    memset(e, 0, sizeof *e);
    draft_init(w, &d, LEDGER_KIND_MINT);
    makes(w, &d, &w->member, 500);
    d.notes[0].has_stub = true;
    d.notes[0].stub = w->lock.stub;
    d.signer = &w->issuer;
    write_it(w, &d, &e->transfer);
    assert_int_equal(transfer_parse(&e->t, &w->net, buf_view(&e->transfer), &w->arena, NULL), 0);
    transfer_entry(&e->entry, &e->t, NOON);
    merkle_leaf(&e->leaves[0], span_str("another"));
    merkle_leaf(&e->leaves[1], buf_view(&e->entry));
    assert_int_equal(merkle_root(&root, 2, no_node, e->leaves), 0);
    assert_int_equal(merkle_inclusion(e->path, &n, 1, 2, no_node, e->leaves), 0);
    e->receipt = (struct ledger_receipt){.entry = buf_view(&e->entry),
                                         .index = 1,
                                         .head = head_of(w, 2, &root),
                                         .path = e->path,
                                         .path_n = n};
}

static void entered_free(struct entered *e)
{
    buf_free(&e->transfer);
    buf_free(&e->entry);
}

static void a_receipt_stands_for_its_transfer_and_breaks_when_touched(void **state)
{
    (void)state;
    struct world w;
    struct entered e;
    struct ledger_entry entry;
    world_init(&w);
    enter(&w, &e);
    struct identity me = who(&w.issuer), other = who(&w.member);
    assert_int_equal(receipt_check(&entry, &w.net, &me, &me, &e.receipt, &w.arena, &w.report), 0);
    assert_true(entry_is(&entry, &e.t));
    assert_true(entry_makes(&entry, &w.net, &me, &e.t.make_ids[0]));
    assert_false(entry_spends(&entry, &e.t.make_ids[0]));

    assert_int_equal(receipt_check(&entry, &w.net, &me, &other, &e.receipt, &w.arena, NULL),
                     SOUK_ESIGNATURE);
    assert_int_equal(receipt_check(&entry, &w.net, &other, &me, &e.receipt, &w.arena, NULL),
                     SOUK_ESIGNATURE);
    struct ledger_receipt bad = e.receipt;
    bad.index = 0;
    assert_int_equal(receipt_check(&entry, &w.net, &me, &me, &bad, &w.arena, NULL), SOUK_ECONFLICT);
    bad = e.receipt;
    bad.path_n = 0;
    assert_int_equal(receipt_check(&entry, &w.net, &me, &me, &bad, &w.arena, NULL), SOUK_ECONFLICT);
    bad = e.receipt;
    bad.head.time++;
    assert_int_equal(receipt_check(&entry, &w.net, &me, &me, &bad, &w.arena, NULL), SOUK_ESIGNATURE);
    for (size_t i = 0; i < e.entry.n; i++) {
        e.entry.p[i] ^= 1;
        assert_true(receipt_check(&entry, &w.net, &me, &me, &e.receipt, &w.arena, NULL) != 0);
        e.entry.p[i] ^= 1;
    }
    entered_free(&e);
    world_free(&w);
}

static void a_rating_opens_the_stub_and_nothing_else(void **state)
{
    (void)state;
    struct world w;
    struct entered e;
    struct buf proof = {0};
    int64_t at = 0;
    world_init(&w);
    enter(&w, &e);
    struct identity me = who(&w.issuer), other = who(&w.member);
    funding_proof_make(&proof, &me, &e.t.body.makes[0].stub_salt, &e.receipt);
    assert_int_equal(funding_proof_check(&w.net, buf_view(&proof), &w.lock.stub, &me, &me, &at, &w.report),
                     0);
    assert_int_equal(at, NOON);
    struct id wrong = {{9}};
    assert_int_equal(funding_proof_check(&w.net, buf_view(&proof), &wrong, &me, &me, &at, NULL),
                     SOUK_ECONFLICT);
    assert_int_equal(funding_proof_check(&w.net, buf_view(&proof), &w.lock.stub, &other, &me, &at, NULL),
                     SOUK_EINVALID);
    buf_free(&proof);
    entered_free(&e);
    world_free(&w);
}

static void two_heads_of_one_size_are_fraud_and_nothing_less_is(void **state)
{
    (void)state;
    struct world w;
    struct buf one = {0}, two = {0};
    struct id x = {{1}}, y = {{2}};
    world_init(&w);
    struct identity me = who(&w.issuer), other = who(&w.member);
    struct ledger_tree_head a = head_of(&w, 5, &x), b = head_of(&w, 5, &y), c = head_of(&w, 6, &y);
    assert_true(fraud_make(&one, &w.net, &me, &me, &a, &b));
    assert_true(fraud_make(&two, &w.net, &me, &me, &b, &a));
    assert_true(span_eq(buf_view(&one), buf_view(&two)));
    assert_int_equal(fraud_check(&w.net, buf_view(&one), &me, &w.report), 0);
    assert_int_equal(fraud_check(&w.net, buf_view(&one), &other, NULL), SOUK_ESIGNATURE);
    buf_clear(&two);
    assert_false(fraud_make(&two, &w.net, &me, &me, &a, &c)); /* a log grows */
    assert_false(fraud_make(&two, &w.net, &me, &me, &a, &a));
    struct ledger_tree_head forged = b;
    forged.sig.b[3] ^= 1;
    assert_false(fraud_make(&two, &w.net, &me, &me, &a, &forged));
    assert_int_equal(two.n, 0);
    buf_free(&one);
    buf_free(&two);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_become_notes_of_the_same_sum),
        cmocka_unit_test(what_was_never_made_or_is_not_ones_own_cannot_be_spent),
        cmocka_unit_test(a_double_spend_is_told_by_what),
        cmocka_unit_test(a_note_is_made_once),
        cmocka_unit_test(only_the_issuer_mints),
        cmocka_unit_test(a_member_draws_up_to_the_limit),
        cmocka_unit_test(forms_that_contradict_themselves_are_refused),
        cmocka_unit_test(a_receipt_stands_for_its_transfer_and_breaks_when_touched),
        cmocka_unit_test(a_rating_opens_the_stub_and_nothing_else),
        cmocka_unit_test(two_heads_of_one_size_are_fraud_and_nothing_less_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
