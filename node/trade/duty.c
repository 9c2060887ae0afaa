/* duty.c: what a node does by itself: the automatic moves of trade_moves (its owner's duties under a
 * contract already signed, and what only gains), consent and acceptance by rule, and what goes with them:
 * watching the lock, telling others what the rail did. */
#include "crypto/record.h"
#include "node/keys/keys.h"
#include "node/market/market.h"
#include "node/outbox/outbox.h"
#include "node/trade/engine.h"
#include "node/trade/terms.h"

/* ---- by rule ---- */
static bool amount_least(const struct amount *list, size_t n, const struct amount *offered, bool has)
{
    for (size_t i = 0; i < n; i++)
        if (currency_eq(&list[i].currency, &offered->currency) && (!has || offered->minor < list[i].minor))
            return false;
    return true;
}

/* An arbiter that consents by rule takes what its own published terms cover. */
static bool rule_covers(struct core *c, const struct trade_view *v, struct arena *a)
{
    struct record_row row;
    struct record rec;
    struct record_arbiter m;
    struct amount locked;
    const struct fact_terms *t = v->state->terms;
    if (v->me.role != TRADE_ARBITER || !market_of(c, &v->as, RECORD_ARBITER, &row, &rec) ||
        record_arbiter_decode(&m, rec.body, a, NULL) || !m.by_rule || t->fee_bp < m.fee_bp ||
        terms_locked(&locked, t))
        return false;
    struct amount least = t->has_fee_least ? t->fee_least : (struct amount){0, locked.currency};
    if (!amount_least(m.fee_least, m.fee_least_n, &least, t->has_fee_least))
        return false;
    bool paid_in = m.currencies_n == 0;
    for (size_t i = 0; i < m.currencies_n; i++)
        paid_in |= currency_eq(&m.currencies[i], &locked.currency);
    for (size_t i = 0; i < m.most_n; i++)
        if (currency_eq(&m.most[i].currency, &locked.currency) && locked.minor > m.most[i].minor)
            return false;
    int64_t from = terms_cutoff(t), by = t->rule_by;
    if (v->me.asked) { /* rule 10: what is left once the money is there */
        by = v->me.asked->amendment->rule_by;
        from = c->now.unix_ms + 2 * (int64_t)t->delta_ms > from ? c->now.unix_ms + 2 * (int64_t)t->delta_ms
                                                                : from;
    }
    return paid_in && by - from >= (int64_t)m.delay_ms;
}

static bool way_meets(const struct record_listing *m, const struct fact_terms *t)
{
    bool way = false, rail = false, arbiter = false;
    for (size_t i = 0; i < m->delivery_n; i++) {
        const struct record_delivery *d = &m->delivery[i];
        bool there = !d->regions_n;
        for (size_t k = 0; k < d->regions_n; k++)
            there |= t->has_region && span_eq(d->regions[k], t->region);
        int64_t price = d->has_price ? d->price.minor : 0;
        way |= d->mode == t->delivery && there && price <= (t->has_shipping ? t->shipping.minor : 0);
    }
    for (size_t i = 0; i < m->rails_n; i++)
        rail |= m->rails[i] == t->rail;
    for (size_t i = 0; i < m->arbiters_n; i++)
        arbiter |= t->has_arbiter && identity_eq(&m->arbiters[i], &t->arbiter);
    return way && rail && arbiter && (!t->has_issuer || identity_eq(&t->issuer, &m->issuer));
}

/* Does the proposal meet an instant listing in every term?  What is lent, and what asks for a substitute,
 * is for the owner to judge. */
static bool instant_meets(struct core *c, const struct trade_view *v, struct arena *a)
{
    struct market_listing l;
    const struct fact_view *p = v->state->open[TRADE_BUYER];
    if (v->me.role != TRADE_SELLER || !p || market_listing(c, &p->terms.listing, a, &l, NULL))
        return false;
    const struct fact_terms *t = &p->terms;
    const struct record_listing *m = &l.body;
    if (!m->has_instant || !m->instant || !l.newest || l.expires < c->now.unix_ms || t->has_rental ||
        t->has_substitute || !identity_eq(&l.seller, &v->as) || t->revision != l.created ||
        l.taken + t->quantity > m->quantity)
        return false;
    const struct amount *price = &m->price;
    for (size_t i = 0; i < m->variants_n; i++)
        if (t->has_variant && span_eq(m->variants[i].name, t->variant) && m->variants[i].has_price)
            price = &m->variants[i].price;
    return currency_eq(&price->currency, &t->price.currency) && t->price.minor >= price->minor &&
           (m->variants_n > 0) == t->has_variant && way_meets(m, t);
}

/* ---- what the buyer tells once the rail shows its money ---- */
static int say_funded(struct say *s)
{
    const struct trade_state *st = s->v->state;
    struct fact_funded f = {.lock = st->lock->id};
    struct span proofs[4];
    struct buf body = {0};
    uint8_t secret[11];
    MUST(st->proposal && st->accept); /* there is a lock */
    proofs[f.facts_n++] = st->proposal->bytes;
    proofs[f.facts_n++] = st->accept->bytes;
    for (int i = 0; i < 2; i++)
        if (st->enrol[i])
            proofs[f.facts_n++] = st->enrol[i]->bytes;
    f.facts = proofs;
    f.transaction = span("", 0);
    size_t all = 0;
    for (size_t i = 0; i < f.facts_n; i++)
        all += proofs[i].n > 5000 ? 12000 : proofs[i].n;
    if (all > 10000) /* terms with long words: who lost them asks */
        f.facts_n = 0;
    if (s->v->has_address) {
        f.has_address = true;
        address_id(&f.address, s->t->network, &s->v->salt, s->v->address);
    }
    if (handover_secret(s->c, &s->v->as, &s->v->trade, secret, NULL) == 0) {
        f.has_handover = true;
        handover_secret_id(&f.handover, s->t->network, &s->v->trade, SPAN_OF(secret));
    }
    fact_funded_encode(&body, &f);
    int err = say_fact(s, FACT_FUNDED, buf_view(&body), NULL, 0);
    buf_free(&body);
    return err;
}

static int say_opened(struct say *s)
{
    struct fact_opened o = {.address = s->v->address, .salt = s->v->salt};
    struct buf body = {0};
    fact_opened_encode(&body, &o);
    int err = say_fact(s, FACT_OPENED, buf_view(&body), NULL, 0);
    buf_wipe(&body);
    return err;
}

static int say_settled(struct say *s)
{
    struct rail_settlement how;
    struct fact_settled f = {.lock = s->v->state->lock->id};
    struct buf body = {0};
    int err = rails_settlement(s->c->rails, s->c, &f.lock, &how);
    if (err)
        return err;
    f.receipt = SPAN_OF(how.transfer);
    fact_settled_encode(&body, &f);
    err = say_fact(s, FACT_SETTLED, buf_view(&body), NULL, 0);
    buf_free(&body);
    return err;
}

static int say_case(struct say *s, const struct move *m)
{
    struct fact_case k = {.dispute = s->v->state->disputes[m->whose].fact->id,
                          .taken = m->timely,
                          .arrived = s->v->me.dispute_arrived[m->whose]};
    struct buf body = {0};
    fact_case_encode(&body, &k);
    int err = say_fact(s, FACT_CASE, buf_view(&body), NULL, 0);
    buf_free(&body);
    return err;
}

/* Both parties see to it that who decides has the contract. */
static int relay_contract(struct say *s)
{
    struct trade_view *v = s->v;
    int err = 0;
    for (unsigned role = TRADE_ARBITER; role <= TRADE_SUBSTITUTE && !err; role++) {
        const struct identity *to = view_person(v, (enum trade_role)role);
        if (to)
            err = say_relay(s, v->state->proposal, to);
        if (to && !err)
            err = say_relay(s, v->state->accept, to);
    }
    v->relayed = true;
    say_keep(s);
    return err;
}

/* ---- the moves that are automatic ---- */
/* The same goes to the rail again only after a while. */
static bool resubmit(struct say *s, struct entry *e, unsigned kind)
{
    const struct id *lock = &s->v->state->lock->id;
    if (e->submitted_ms && e->submitted_kind == kind && id_eq(&e->submitted_lock, lock) &&
        s->c->now.mono_ms < e->submitted_ms + RESUBMIT_MS)
        return false;
    e->submitted_ms = s->c->now.mono_ms;
    e->submitted_kind = kind;
    e->submitted_lock = *lock;
    return true;
}

static int do_move(struct say *s, struct entry *e, const struct move *m)
{
    struct fact_request q = {.what = FACT_WISH_RELEASE};
    switch (m->what) {
    case MOVE_READY:
        return act_ready(s);
    case MOVE_OPEN:
        return s->v->has_address ? say_opened(s) : SOUK_EMISSING;
    case MOVE_CASE:
        return say_case(s, m);
    case MOVE_RELEASE:
    case MOVE_REFUND:
    case MOVE_SILENCE:
    case MOVE_COSIGN_RELEASE:
    case MOVE_COSIGN_REFUND:
        return say_payout(s, &m->split);
    case MOVE_ASK:
        q.has_lock = true;
        q.lock = s->v->state->lock->id;
        return act_request(s, &q);
    case MOVE_DISPUTE:
        return act_dispute(s,
                           span_str("Nothing came, or nobody said whether it was as described: said by "
                                    "the buyer's node just before the time for disputes ended."),
                           NULL);
    case MOVE_TAKE_REFUND:
    case MOVE_TAKE_RELEASE:
    case MOVE_TAKE_RULING:
    case MOVE_COMBINE:
    case MOVE_SUBMIT:
        return resubmit(s, e, m->payout->kind) ? say_submit(s, m) : SOUK_EBUSY;
    case MOVE_SIGN_MOVE:
        return say_move(s);
    case MOVE_MOVE_ON:
        return resubmit(s, e, PAYOUT_MOVE) ? say_move_on(s) : SOUK_EBUSY;
    case MOVE_LATE:
        if (!resubmit(s, e, 0))
            return SOUK_EBUSY;
        s->v->me.late = true;
        say_keep(s);
        return rails_late(s->c->rails, s->c, &s->v->trade, &s->v->state->lock->lock, s->into, s->r);
    default:
        return SOUK_ENOT_ALLOWED;
    }
}

/* What is not a move of moves.h: returns 1 when there is nothing of the kind to do. */
static int do_beside(struct say *s, struct entry *e)
{
    struct trade_view *v = s->v;
    const struct trade_state *st = v->state;
    struct rail_funding f;
    bool party = v->me.role <= TRADE_SELLER;
    if (st->agreed && party && !v->relayed && st->terms->has_arbiter)
        return relay_contract(s);
    if (e->sold_out && !v->sold_out && st->proposal && v->me.role == TRADE_SELLER) {
        int err = act_decline(s, st->proposal, span_str("sold: somebody else was ready sooner"));
        v->sold_out = true;
        say_keep(s);
        return err;
    }
    if (!st->lock)
        return 1;
    if (rails_funding(s->c->rails, s->c, &st->lock->id, &f) == SOUK_ENOT_FOUND)
        return rails_watch(s->c->rails, s->c, &v->trade, &st->lock->lock, &v->as, s->into, s->r);
    int sent = party ? file_send(s) : 1;
    if (sent != 1)
        return sent;
    if (v->me.role == TRADE_BUYER && !st->funded && trade_open(st))
        return say_funded(s);
    if (party && st->lock->settled && !st->lock->moved && !view_find(v, FACT_SETTLED, NULL))
        return say_settled(s);
    return 1;
}

static int do_by_rule(struct say *s, struct arena *a)
{
    struct trade_view *v = s->v;
    int64_t now = s->c->now.unix_ms;
    if (trade_may(v->state, &v->me, MOVE_ENROL, now, NULL, NULL) == 0 && rule_covers(s->c, v, a))
        return act_consent(s);
    if (trade_may(v->state, &v->me, MOVE_ACCEPT, now, NULL, NULL) == 0 && instant_meets(s->c, v, a))
        return act_accept(s);
    return 1;
}

bool duty_do(struct trades *t, struct core *c, struct entry *e, struct trade_view *v)
{
    struct move moves[MOVES_MAX];
    struct report r = {0};
    struct arena a;
    struct change *ch = change_new(ROOM_TRADE, 0, 0);
    struct say s = {t, c, v, ch, &r};
    arena_init(&a, 1 << 20);
    int err = recall_answer(&s, e);
    if (err == 1 && v->me.frozen)
        err = recall_ask(&s);
    else if (err == 1)
        err = do_beside(&s, e);
    if (err == 1 && !v->me.frozen)
        err = do_by_rule(&s, &a);
    size_t n = err == 1 ? trade_moves(v->state, &v->me, c->now.unix_ms, moves) : 0;
    for (size_t i = 0; i < n; i++) {
        if (!moves[i].automatic || (moves[i].what == MOVE_READY && (v->sold_out || e->sold_out)))
            continue;
        int done = do_move(&s, e, &moves[i]);
        if (done == 0) {
            err = 0;
            break;
        }
        change_free(ch); /* what it had added is void */
        ch = s.into = change_new(ROOM_TRADE, 0, 0);
        err = done;
        if (done != SOUK_EBUSY && done != SOUK_EMISSING)
            break; /* it may have begun: the next look begins anew */
    }
    arena_free(&a);
    if (err == 0 && ch->ops_n) {
        struct id *carry = arena_alloc(&ch->arena, sizeof *carry);
        MUST(carry != NULL);
        *carry = v->trade;
        ch->carry = carry;
        e->working = true;
        fx_commit(c->fx, ch);
        return true;
    }
    change_free(ch);
    if (err < 0 && err != SOUK_EBUSY)
        log_line(LOG_DEBUG, "trade", "a duty waits: %s", r.text);
    return false;
}
