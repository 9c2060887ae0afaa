/* load.c: a trade as it stands: facts from the store, receipts from the rail, and what is kept beside. */
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "node/keys/keys.h"
#include "node/market/stub.h"
#include "node/trade/engine.h"
#include <stdlib.h>

struct span trade_row_key(uint8_t key[static 65], enum trade_row row, const struct id *a,
                          const struct identity *b)
{
    key[0] = (uint8_t)row;
    memcpy(key + 1, a, 32);
    if (b)
        memcpy(key + 33, b, 32);
    return span(key, b ? 65 : 33);
}

/* ---- signatures: each is checked once ---- */
static bool signature_good(void *ctx, const uint8_t key[static 32], const struct id *hash,
                           const struct sig *sig)
{
    struct trades *t = ctx;
    struct id name;
    struct span parts[] = {span(key, 32), SPAN_OF(*hash), SPAN_OF(*sig)};
    hash_souk(&name, t->network, "souk:checked", parts, 3);
    if (map_get(&t->checked, &name))
        return true;
    if (!sign_check(key, hash, sig))
        return false;
    if (t->checked.n >= CHECKED_MOST) {
        map_free(&t->checked);
        map_init(&t->checked, sizeof(struct id), t->rng);
    }
    map_put(&t->checked, &name, t);
    return true;
}

static bool payout_good(void *ctx, const struct rail_lock *lock, const struct rail_lock *next,
                        enum rail_party by, const struct id *payout, const struct fact_payout *p)
{
    struct trades *t = ctx;
    struct rail_split split = split_for_rail(&p->split);
    struct id id;
    struct sig sig;
    (void)payout;
    if (p->sig.n != sizeof sig || by >= lock->parties ||
        (next ? rail_move_id(&id, t->network, lock, next, NULL)
              : rail_payout_id(&id, t->network, lock, &split, NULL)))
        return false;
    memcpy(&sig, p->sig.p, sizeof sig);
    return signature_good(ctx, lock->key[by].b, &id, &sig);
}

/* ---- facts ---- */
struct collect {
    const struct network *network;
    struct arena *a;
    struct fact_view *facts;
    size_t n, most;
    bool full;
};

static bool count_fact(void *arg, const struct id *fact, const struct identity *author, uint32_t epoch,
                       uint32_t seq, struct span bytes)
{
    size_t *n = arg;
    (void)fact, (void)author, (void)epoch, (void)seq, (void)bytes;
    return ++*n < TRADE_FACTS_MOST;
}

static bool take_fact(void *arg, const struct id *fact, const struct identity *author, uint32_t epoch,
                      uint32_t seq, struct span bytes)
{
    struct collect *w = arg;
    (void)fact, (void)author, (void)epoch, (void)seq;
    if (fact_parse(&w->facts[w->n], w->network, bytes, w->a, NULL) == 0)
        w->n++;
    return w->n < w->most;
}

/* ---- the rail ---- */
static enum trade_funding funding_of(const struct rail_funding *f)
{
    switch (f->state) {
    case RAIL_NONE:
        return FUNDING_NONE;
    case RAIL_SEEN:
        return FUNDING_CONFIRMED; /* the state counts confirmations */
    case RAIL_SHORT:
        return FUNDING_SHORT;
    case RAIL_OVER:
        return FUNDING_OVER;
    case RAIL_REVERSED:
    case RAIL_FORKED: /* nothing is shipped on what the issuer tells two stories about */
        return FUNDING_REVERSED;
    }
    return FUNDING_NONE;
}

static bool receipt_of(struct core *c, const struct trade_lock *lock, struct trade_receipt *out)
{
    struct rail_funding f;
    struct rail_settlement s;
    memset(out, 0, sizeof *out);
    if (!c->rails || rails_funding(c->rails, c, &lock->id, &f))
        return false;
    out->lock = lock->id;
    out->seq = 1;
    out->funding = funding_of(&f);
    out->confirmations = f.confirmations;
    if (rails_settlement(c->rails, c, &lock->id, &s) == 0 && s.spent) {
        out->settled = true;
        out->moved = !s.known;
        out->next = s.next; /* zero: nowhere that is known */
        out->at = s.at;
        out->late = s.known && s.branch == RAIL_BY_LATENESS;
        out->split = split_from_rail(&s.split);
    }
    return true;
}

static int reckon(struct trades *t, struct core *c, struct trade_view *out, struct arena *a,
                  struct report *r)
{
    struct trade_scene scene = {.network = t->network,
                                .trade = out->trade,
                                .signature = signature_good,
                                .payout = payout_good,
                                .ctx = t};
    struct trade_receipt receipts[TRADE_LOCKS_MOST + 1];
    size_t n = 0;
    out->state = arena_alloc(a, sizeof *out->state);
    if (!out->state)
        return report_set(r, SOUK_EQUOTA, "this trade has grown too large to be looked at");
    int err = trade_state(out->state, &scene, out->facts, out->facts_n, NULL, 0);
    if (err || !out->state->lock)
        return err;
    /* A move of the money shows the lock after it, whose receipt is then asked for. */
    for (int round = 0; round < TRADE_LOCKS_MOST && !err; round++) {
        size_t before = n;
        n = 0;
        for (size_t i = 0; i < out->state->locks_n; i++)
            n += receipt_of(c, &out->state->locks[i], &receipts[n]);
        if (n == before)
            break;
        err = trade_state(out->state, &scene, out->facts, out->facts_n, receipts, n);
    }
    return err;
}

/* ---- what is kept beside ---- */
const struct fact_view *view_newest(const struct trade_view *v, const struct identity *author)
{
    const struct fact_view *best = NULL;
    for (size_t i = 0; i < v->facts_n; i++)
        if (identity_eq(&v->facts[i].e.author, author) && (!best || fact_order(best, &v->facts[i]) < 0))
            best = &v->facts[i];
    return best;
}

bool view_holds(const struct trade_view *v, const struct id *fact)
{
    for (size_t i = 0; i < v->facts_n; i++)
        if (id_eq(&v->facts[i].id, fact))
            return true;
    return false;
}

static void load_recall(struct core *c, struct trade_view *v, struct arena *a)
{
    uint8_t key[65];
    struct span bytes;
    v->has_recall =
        view_get(c->view, TABLE_TRADE, trade_row_key(key, ROW_RECALL, &v->trade, &v->as), &bytes) &&
        party_recall_decode(&v->recall, bytes, a, NULL) == 0;
}

static void load_chain(struct core *c, struct trade_view *v, bool freezing)
{
    uint8_t key[65];
    struct span bytes;
    struct party_chain chain;
    const struct fact_view *own = view_newest(v, &v->as);
    if (view_get(c->view, TABLE_TRADE, trade_row_key(key, ROW_CHAIN, &v->trade, &v->as), &bytes) &&
        party_chain_decode(&chain, bytes, NULL, NULL) == 0) {
        v->has_chain = true;
        v->epoch = (uint32_t)chain.epoch;
        v->seq = (uint32_t)chain.seq;
        v->last = chain.fact;
    }
    v->me.epoch = v->epoch;
    v->me.clock_wrong = c->clock_wrong;
    /* A fact of ours that our own chain does not know: an older copy of the store was put back.  Under a
     * higher epoch it is another machine's, which goes on (trade_may); unless we are asking just now. */
    v->me.frozen = freezing || v->has_recall ||
                   (own && (!v->has_chain || (own->e.epoch == v->epoch && own->e.seq > v->seq)));
}

static void load_rail(struct core *c, struct trade_view *v)
{
    struct rail_funding f;
    struct rail_settlement s;
    if (!v->state->lock || !c->rails)
        return;
    /* What the rail refused for good is not under way. */
    if (rails_funding(c->rails, c, &v->state->lock->id, &f) == 0 && f.err && f.err != SOUK_EBUSY)
        v->me.funding = false;
    if (rails_settlement(c->rails, c, &v->state->lock->id, &s) == 0 && s.err && s.err != SOUK_EBUSY) {
        v->me.submitted_kinds = 0;
        v->me.late = false;
    }
}

static void load_kept(struct core *c, struct trade_view *v, struct arena *a)
{
    uint8_t key[65];
    struct span bytes;
    struct party_kept kept;
    if (view_get(c->view, TABLE_TRADE, trade_row_key(key, ROW_KEPT, &v->trade, &v->as), &bytes) &&
        party_kept_decode(&kept, bytes, a, NULL) == 0) {
        /* Payouts name their lock: what went to the rail for an earlier one is over. */
        bool present = (kept.has_generation ? kept.generation : 0) == view_generation(v);
        v->me.goods = kept.has_goods ? (enum trade_goods)kept.goods : GOODS_UNKNOWN;
        v->me.goods_at = kept.has_goods_at ? kept.goods_at : 0;
        v->me.signed_kinds = present && kept.has_signed ? (unsigned)kept.signed_ : 0;
        v->me.submitted_kinds = present && kept.has_submitted ? (unsigned)kept.submitted : 0;
        v->me.funding = kept.has_funding && kept.funding;
        v->me.late = present && kept.has_late && kept.late;
        v->relayed = kept.has_relayed && kept.relayed;
        v->sold_out = kept.has_sold_out && kept.sold_out;
        v->has_address = kept.has_address && kept.has_salt;
        v->address = kept.has_address ? kept.address : span(NULL, 0);
        v->salt = kept.salt;
    }
    for (int who = 0; who < 2; who++) {
        const struct fact_view *d = v->state->disputes[who].fact;
        if (d && view_get(c->view, TABLE_TRADE, trade_row_key(key, ROW_ARRIVED, &d->id, NULL), &bytes) &&
            bytes.n == 8)
            v->me.dispute_arrived[who] = (int64_t)be64_get(bytes.p);
    }
}

static void choose_own(struct core *c, struct trade_view *v, const struct identity *as)
{
    struct key_row rows[KEYS_MOST];
    size_t n = keys_list(c->keys, rows);
    v->me.role = TRADE_NOBODY;
    for (size_t i = 0; i < n && v->me.role == TRADE_NOBODY; i++)
        if (!as || identity_eq(as, &rows[i].identity)) {
            v->me.role = trade_role_of(v->state, &rows[i].identity);
            v->me.asked_role = trade_asked_of(v->state, &rows[i].identity, &v->me.asked);
            v->me.next = v->me.role == TRADE_NOBODY && v->me.asked;
            if (v->me.next)
                v->me.role = v->me.asked_role;
            v->as = rows[i].identity;
        }
    if (v->me.role == TRADE_NOBODY)
        memset(&v->as, 0, sizeof v->as);
}

int trades_view(struct trades *t, struct core *c, const struct id *trade, const struct identity *as,
                struct arena *a, struct trade_view *out, struct report *r)
{
    struct collect w = {.network = t->network, .a = a};
    memset(out, 0, sizeof *out);
    out->trade = *trade;
    view_facts(c->view, trade, count_fact, &w.most);
    if (!w.most)
        return report_set(r, SOUK_ENOT_FOUND, "no such trade is known here; `souk trade list` shows them");
    w.facts = arena_array(a, w.most, sizeof *w.facts);
    if (!w.facts)
        return report_set(r, SOUK_EQUOTA, "this trade has grown too large to be looked at");
    view_facts(c->view, trade, take_fact, &w);
    out->facts = w.facts;
    out->facts_n = w.n;
    int err = reckon(t, c, out, a, r);
    if (err)
        return err;
    choose_own(c, out, as);
    load_kept(c, out, a);
    load_recall(c, out, a);
    load_chain(c, out, t->freezing);
    load_rail(c, out);
    return 0;
}

/* ---- finding things in it ---- */
const struct fact_view *view_find(const struct trade_view *v, unsigned kind, const struct identity *author)
{
    const struct fact_view *best = NULL;
    for (size_t i = 0; i < v->facts_n; i++)
        if (v->facts[i].e.kind == kind && (!author || identity_eq(author, &v->facts[i].e.author)) &&
            (!best || fact_order(best, &v->facts[i]) < 0))
            best = &v->facts[i];
    return best;
}

const struct identity *view_person(const struct trade_view *v, enum trade_role role)
{
    const struct trade_state *s = v->state;
    if (!s->terms)
        return NULL;
    switch (role) {
    case TRADE_BUYER:
        return &s->buyer;
    case TRADE_SELLER:
        return &s->seller;
    case TRADE_ARBITER:
        return s->lock && s->lock->has_arbiter ? &s->lock->arbiter
               : s->terms->has_arbiter         ? &s->terms->arbiter
                                               : NULL;
    case TRADE_SUBSTITUTE:
        return s->lock && s->lock->has_substitute ? &s->lock->substitute
               : s->terms->has_substitute         ? &s->terms->substitute
                                                  : NULL;
    default:
        return NULL;
    }
}

uint64_t view_generation(const struct trade_view *v)
{
    return v->state->locks_n ? v->state->locks_n - 1 : 0;
}

bool view_move_sig(const struct trade_view *v, const struct network *net, enum trade_role by,
                   struct sig *out)
{
    const struct identity *who = view_person(v, by);
    const struct trade_lock *lock = v->state->lock, *next = v->state->next;
    for (size_t i = 0; who && next && i < v->facts_n; i++) {
        const struct fact_view *f = &v->facts[i];
        if (f->e.kind != FACT_PAYOUT || !identity_eq(&f->e.author, who) ||
            !id_eq(&f->body.payout.lock, &lock->id) || !f->body.payout.has_next ||
            !id_eq(&f->body.payout.next, &next->id) || f->body.payout.sig.n != sizeof *out)
            continue;
        memcpy(out, f->body.payout.sig.p, sizeof *out);
        if (rail_move_check(net, &lock->lock, &next->lock, (enum rail_party)by, out, NULL) == 0)
            return true;
    }
    return false;
}

bool view_payout_sig(const struct trade_view *v, const struct network *net, const struct trade_lock *lock,
                     enum trade_role by, const struct fact_split *split, struct sig *out)
{
    const struct identity *who = view_person(v, by);
    struct rail_split parts = split_for_rail(split);
    for (size_t i = 0; who && i < v->facts_n; i++) {
        const struct fact_view *f = &v->facts[i];
        if (f->e.kind != FACT_PAYOUT || !identity_eq(&f->e.author, who) ||
            !id_eq(&f->body.payout.lock, &lock->id) || f->body.payout.has_next ||
            !split_eq(&f->body.payout.split, split) || f->body.payout.sig.n != sizeof *out)
            continue;
        memcpy(out, f->body.payout.sig.p, sizeof *out);
        if (rail_payout_check(net, &lock->lock, &parts, (enum rail_party)by, out, NULL) == 0)
            return true; /* of several the one that verifies */
    }
    return false;
}

void handover_secret_id(struct id *out, const struct network *net, const struct id *trade,
                        struct span secret)
{
    struct span parts[] = {SPAN_OF(*trade), secret};
    hash_souk(out, net, "souk:handover", parts, 2);
}

void address_id(struct id *out, const struct network *net, const struct salt *salt, struct span address)
{
    struct span parts[] = {SPAN_OF(*salt), address};
    hash_souk(out, net, "souk:address", parts, 2);
}

struct span trade_address(struct core *c, const struct trade_view *v)
{
    struct id said;
    const struct fact_view *f = v->state->opened, *funded = v->state->funded;
    if (!f || !funded || !funded->body.funded.has_address)
        return span(NULL, 0);
    address_id(&said, c->network, &f->body.opened.salt, f->body.opened.address);
    return id_eq(&said, &funded->body.funded.address) ? f->body.opened.address : span(NULL, 0);
}

/* ---- for a rating ---- */
static int proof_money(struct core *c, const struct trade_view *v, struct record_stub_proof *out,
                       struct arena *a, struct report *r)
{
    const struct trade_state *s = v->state;
    struct buf b = {0};
    if (s->terms->rail == RECORD_RAIL_DIRECT) {
        if (!s->paid || !s->received)
            return report_set(r, SOUK_EMISSING, "both must have said that the money was paid and came");
        out->has_paid_sig = out->has_received_sig = true;
        out->paid_sig = s->paid->body.paid.stub_sig;
        out->received_sig = s->received->body.received.stub_sig;
        return 0;
    }
    if (!s->lock)
        return report_set(r, SOUK_ENOT_ALLOWED, "the trade was never funded");
    int err = rails_funding_proof(c->rails, c, &s->lock->id, &b);
    if (!err) {
        out->has_funding = true;
        out->funding = arena_copy(a, buf_view(&b));
    } else {
        report_set(r, err, "the rail has not shown that the lock was funded; rate when it has");
    }
    buf_free(&b);
    return err;
}

static bool enrol_signs(struct trades *t, const struct fact_view *enrol, const struct record_stub *stub)
{
    struct id hash;
    stub_hash(&hash, t->network, stub);
    return signature_good(t, enrol->e.author.b, &hash, &enrol->body.enrol.stub_sig);
}

int trades_stub_proof(struct trades *t, struct core *c, const struct id *trade,
                      struct record_stub_proof *out, struct arena *a, struct report *r)
{
    struct trade_view v;
    int err = trades_view(t, c, trade, NULL, a, &v, r);
    if (err)
        return err;
    const struct trade_state *s = v.state;
    if (!s->agreed)
        return report_set(r, SOUK_ENOT_ALLOWED, "there is no contract, so there is nothing to rate");
    memset(out, 0, sizeof *out);
    fact_stub(&out->stub, t->network, s->terms);
    const struct fact_view *p = s->proposal;
    const struct sig *proposer =
        p->e.kind == FACT_OFFER ? &p->body.offer.stub_sig : &p->body.counter.stub_sig;
    bool by_buyer = identity_eq(&p->e.author, &s->buyer);
    out->buyer_sig = by_buyer ? *proposer : s->accept->body.accept.stub_sig;
    out->seller_sig = by_buyer ? s->accept->body.accept.stub_sig : *proposer;
    /* The stub names the arbiter of the terms, whoever decided in the end. */
    for (size_t i = 0; i < v.facts_n && s->terms->has_arbiter && !out->has_arbiter_sig; i++) {
        const struct fact_view *f = &v.facts[i];
        if (f->e.kind != FACT_ENROL || !identity_eq(&f->e.author, &s->terms->arbiter) ||
            !id_eq(&f->body.enrol.contract, &s->contract))
            continue;
        out->arbiter_sig = f->body.enrol.stub_sig;
        out->has_arbiter_sig = enrol_signs(t, f, &out->stub);
    }
    return proof_money(c, &v, out, a, r);
}
