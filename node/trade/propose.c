/* propose.c: full terms from a listing and a person's few choices; offers, counters, answers to them. */
#include "crypto/record.h"
#include "node/keys/keys.h"
#include "node/market/market.h"
#include "node/outbox/outbox.h"
#include "node/trade/engine.h"
#include "node/trade/terms.h"

static const struct record_delivery *delivery_of(const struct record_listing *m, bool has,
                                                 enum record_delivery_mode mode)
{
    for (size_t i = 0; i < m->delivery_n; i++)
        if (!has || m->delivery[i].mode == mode)
            return &m->delivery[i];
    return NULL;
}

/* ---- from the listing ---- */
static int take_goods(struct fact_terms *t, const struct market_listing *l, const struct trade_offer *o,
                      struct report *r)
{
    const struct record_listing *m = &l->body;
    t->price = m->price;
    t->quantity = o->quantity ? o->quantity : 1;
    if (o->variant.n) {
        size_t i = 0;
        while (i < m->variants_n && !span_eq(m->variants[i].name, o->variant))
            i++;
        if (i == m->variants_n)
            return report_set(r, SOUK_EINVALID, "variant: the listing has none of this name");
        t->has_variant = true;
        t->variant = o->variant;
        if (m->variants[i].has_price)
            t->price = m->variants[i].price;
    } else if (m->variants_n) {
        return report_set(r, SOUK_EINVALID, "variant: the listing has several, choose one");
    }
    if (o->has_price) {
        if (!currency_eq(&o->price.currency, &t->price.currency))
            return report_set(r, SOUK_EINVALID, "price: must be in the listing's currency");
        if (!m->open_to_offers && o->price.minor != t->price.minor)
            return report_set(r, SOUK_ENOT_ALLOWED, "the listing's price is not open to offers");
        t->price = o->price;
    }
    if (l->taken + t->quantity > m->quantity)
        return report_set(r, SOUK_ENOT_ALLOWED, "only %u of these are left",
                          (unsigned)(m->quantity > l->taken ? m->quantity - l->taken : 0));
    return 0;
}

static int take_rental(struct fact_terms *t, const struct record_listing *m, const struct trade_offer *o,
                       struct report *r)
{
    if (!m->has_rental)
        return o->has_rental ? report_set(r, SOUK_EINVALID, "this is not lent: it has no from and until")
                             : 0;
    if (!o->has_rental || o->from >= o->until)
        return report_set(r, SOUK_EINVALID, "a rental needs from and until");
    int64_t unit = (int64_t)m->rental.unit_ms, units = (o->until - o->from + unit - 1) / unit;
    if (units > 1000 || (m->rental.has_most && units > (int64_t)m->rental.most) ||
        (m->rental.has_least && units < (int64_t)m->rental.least))
        return report_set(r, SOUK_ERANGE, "from, until: it is not lent for %lld units of time",
                          (long long)units);
    t->has_units = t->has_rental = true;
    t->units = (uint64_t)units;
    t->rental = (struct record_period){.from = o->from, .until = o->until};
    t->has_deposit = m->rental.has_deposit;
    t->deposit = m->rental.deposit;
    return 0;
}

static int take_ways(struct fact_terms *t, const struct record_listing *m, const struct trade_offer *o,
                     struct report *r)
{
    const struct record_delivery *d = delivery_of(m, o->has_delivery, o->delivery);
    if (!d)
        return report_set(r, SOUK_EINVALID, "delivery: the listing does not offer this");
    bool there = !o->has_region || !d->regions_n;
    for (size_t i = 0; i < d->regions_n && !there; i++)
        there = span_eq(d->regions[i], o->region);
    if (!there)
        return report_set(r, SOUK_EINVALID, "region: it is not delivered there");
    t->delivery = d->mode;
    t->has_region = o->has_region;
    t->region = o->region;
    t->has_shipping = d->has_price && d->price.minor > 0;
    t->shipping = d->price;
    size_t i = 0;
    while (i < m->rails_n && o->has_rail && m->rails[i] != o->rail)
        i++;
    if (i >= m->rails_n)
        return report_set(r, SOUK_EINVALID, "rail: the listing does not take this");
    t->rail = m->rails[i];
    t->has_issuer = t->rail == RECORD_RAIL_CREDIT || t->rail == RECORD_RAIL_MOCK;
    t->issuer = m->issuer;
    return 0;
}

/* The arbiter's own terms, as its newest record has them. */
static int take_arbiter(struct core *c, struct fact_terms *t, const struct record_listing *m,
                        const struct trade_offer *o, struct arena *a, struct report *r)
{
    struct record_row row;
    struct record rec;
    struct record_arbiter terms;
    t->has_arbiter = o->has_arbiter || m->arbiters_n > 0;
    if (!t->has_arbiter)
        return 0;
    t->arbiter = o->has_arbiter ? o->arbiter : m->arbiters[0];
    t->has_substitute = o->has_substitute;
    t->substitute = o->substitute;
    if (!market_of(c, &t->arbiter, RECORD_ARBITER, &row, &rec) ||
        record_arbiter_decode(&terms, rec.body, a, NULL))
        return report_set(
            r, SOUK_ENOT_FOUND,
            "arbiter: no terms of this arbiter are known here; `souk arbiter list` shows some");
    t->fee_bp = terms.fee_bp;
    for (size_t i = 0; i < terms.fee_least_n; i++)
        if (currency_eq(&terms.fee_least[i].currency, &t->price.currency)) {
            t->has_fee_least = true;
            t->fee_least = terms.fee_least[i];
        }
    return 0;
}

/* ---- saying it ---- */
static int propose(struct say *s, unsigned kind, const struct fact_terms *terms, const struct id *answers,
                   const struct identity *to)
{
    struct fact_offer p;
    struct buf bytes = {0}, body = {0};
    memset(&p, 0, sizeof p);
    int err =
        s->c->clock_wrong
            ? report_set(s->r, SOUK_ECLOCK,
                         "a proposal names deadlines, and most peers say that this machine's clock is "
                         "wrong: set it (timedatectl set-ntp yes)")
            : terms_check(terms, s->r);
    if (!err)
        err = say_key(s, &p.key);
    if (!err)
        err = say_stub_sig(s, terms, &p.stub_sig);
    if (!err) {
        fact_terms_encode(&bytes, terms);
        p.terms = buf_view(&bytes);
        if (kind == FACT_OFFER)
            fact_offer_encode(&body, &p);
        else
            fact_counter_encode(
                &body, &(struct fact_counter){
                           .terms = p.terms, .key = p.key, .stub_sig = p.stub_sig, .answers = *answers});
        err = say_fact(s, kind, buf_view(&body), &to, 1);
    }
    buf_free(&bytes);
    buf_free(&body);
    return err;
}

static int offer_terms(struct core *c, const struct identity *as, const struct trade_offer *o,
                       struct fact_terms *t, struct arena *a, struct report *r)
{
    struct market_listing l;
    struct terms_choice choice = {o->valid_ms,   o->fund_ms, o->ship_ms, o->deliver_ms,
                                  o->inspect_ms, o->rule_ms, o->delta_ms};
    int err = market_listing(c, &o->listing, a, &l, r);
    if (err)
        return err;
    if (!l.newest || l.expires < c->now.unix_ms)
        return report_set(r, SOUK_ENOT_ALLOWED,
                          "the listing was taken back or has a newer revision: offer on that one");
    if (identity_eq(&l.seller, as))
        return report_set(r, SOUK_ENOT_ALLOWED, "this is a listing of your own");
    t->buyer = *as;
    t->seller = l.seller;
    t->listing = l.id;
    t->revision = l.created;
    t->confirmations = o->confirmations;
    t->late_buyer_bp = o->late_buyer_bp;
    t->has_note = o->note.n > 0;
    t->note = o->note;
    err = take_goods(t, &l, o, r);
    if (!err)
        err = take_rental(t, &l.body, o, r);
    if (!err)
        err = take_ways(t, &l.body, o, r);
    if (!err)
        err = take_arbiter(c, t, &l.body, o, a, r);
    return err ? err : terms_default(t, &choice, c->now.unix_ms, r);
}

int trades_offer(struct trades *t, struct core *c, const struct identity *as, const struct trade_offer *o,
                 struct change *into, struct id *trade, struct report *r)
{
    struct arena a;
    struct fact_terms terms;
    struct trade_view v;
    memset(&terms, 0, sizeof terms);
    memset(&v, 0, sizeof v);
    arena_init(&a, 1 << 20);
    int err = offer_terms(c, as, o, &terms, &a, r);
    if (!err) {
        rng_bytes(t->rng, terms.nonce.b, sizeof terms.nonce.b);
        fact_trade_id(trade, t->network, &terms.buyer, &terms.seller, &terms.nonce);
        v.trade = *trade;
        v.as = *as;
        v.me.role = TRADE_BUYER;
        struct say s = {t, c, &v, into, r};
        err = propose(&s, FACT_OFFER, &terms, NULL, &terms.seller);
        outbox_trust(c->outbox, c, &terms.seller);
    }
    arena_free(&a);
    return err;
}

int act_counter(struct say *s, const struct trade_counter *k, struct arena *a)
{
    struct trade_view *v = s->v;
    const struct fact_view *p = v->state->open[v->me.role == TRADE_BUYER ? TRADE_SELLER : TRADE_BUYER];
    struct fact_terms t = p->terms;
    struct market_listing l;
    /* The deadlines keep their distances. */
    struct terms_choice same = {.valid_ms =
                                    (uint64_t)(t.valid_until > p->e.time ? t.valid_until - p->e.time : 1),
                                .fund_ms = (uint64_t)(t.fund_by - t.valid_until),
                                .ship_ms = (uint64_t)(t.ship_by - t.fund_by),
                                .deliver_ms = (uint64_t)(t.deliver_by - t.ship_by),
                                .inspect_ms = (uint64_t)(t.inspect_end - t.deliver_by),
                                .rule_ms = (uint64_t)(t.rule_by - terms_cutoff(&t)),
                                .delta_ms = t.delta_ms};
    if (k->has_price) {
        if (!currency_eq(&k->price.currency, &t.price.currency))
            return report_set(s->r, SOUK_EINVALID, "price: must be in the currency of the proposal");
        t.price = k->price;
    }
    if (k->has_quantity)
        t.quantity = k->quantity;
    if (k->has_delivery) {
        int err = market_listing(s->c, &t.listing, a, &l, s->r);
        const struct record_delivery *d = err ? NULL : delivery_of(&l.body, true, k->delivery);
        if (!d)
            return report_set(s->r, SOUK_EINVALID, "delivery: the listing does not offer this");
        t.delivery = d->mode;
        t.has_shipping = d->has_price && d->price.minor > 0;
        t.shipping = d->price;
    }
    t.has_note = k->note.n > 0;
    t.note = k->note;
    int err = terms_default(&t, &same, s->c->now.unix_ms, s->r);
    return err ? err : propose(s, FACT_COUNTER, &t, &p->id, &p->e.author);
}

/* ---- answers ---- */
int act_accept(struct say *s)
{
    struct trade_view *v = s->v;
    const struct fact_view *p = v->state->open[v->me.role == TRADE_BUYER ? TRADE_SELLER : TRADE_BUYER];
    struct fact_accept accept = {.proposal = p->id, .terms = p->terms_hash};
    struct buf body = {0};
    const struct identity *to[3] = {&p->e.author};
    size_t n = 1;
    int err = terms_timely(&p->terms, s->c->now.unix_ms, s->r);
    if (!err)
        err = say_key(s, &accept.key);
    if (!err)
        err = say_stub_sig(s, &p->terms, &accept.stub_sig);
    if (err)
        return err;
    if (p->terms.has_arbiter)
        to[n++] = &p->terms.arbiter;
    if (p->terms.has_substitute)
        to[n++] = &p->terms.substitute;
    fact_accept_encode(&body, &accept);
    err = say_fact(s, FACT_ACCEPT, buf_view(&body), to, n);
    v->relayed = true;
    say_keep(s);
    buf_free(&body);
    /* Who is to decide disputes needs the proposal as well. */
    for (size_t i = 1; i < n && !err; i++)
        err = say_relay(s, p, to[i]);
    outbox_trust(s->c->outbox, s->c, &p->e.author);
    return err;
}
