/* letter.c: facts that come: what is taken, from whom. */
#include "node/keys/keys.h"
#include "node/outbox/outbox.h"
#include "node/trade/engine.h"
#include "node/trade/terms.h"

static bool names(const struct fact_terms *t, const struct identity *who)
{
    return identity_eq(who, &t->buyer) || identity_eq(who, &t->seller) ||
           (t->has_arbiter && identity_eq(who, &t->arbiter)) ||
           (t->has_substitute && identity_eq(who, &t->substitute));
}

static bool is_proposal(const struct fact_view *f)
{
    return f->e.kind == FACT_OFFER || f->e.kind == FACT_COUNTER;
}

/* A wish for another arbiter that names this person, by whom it is from. */
static bool wishes(const struct fact_view *f, const struct identity *who)
{
    const struct fact_amendment *a = &f->body.request.amendment;
    return f->e.kind == FACT_REQUEST && f->body.request.has_amendment &&
           (identity_eq(who, &a->arbiter) || (a->has_substitute && identity_eq(who, &a->substitute)));
}

/* Everybody whom the facts name: in terms, or as a new arbiter that was asked for. */
static bool known_party(const struct trade_view *v, const struct fact_view *more,
                        const struct identity *who)
{
    for (size_t i = 0; i <= v->facts_n; i++) {
        const struct fact_view *f = i < v->facts_n ? &v->facts[i] : more;
        if (!f)
            continue;
        if (is_proposal(f) && names(&f->terms, who))
            return true;
        if (wishes(f, who))
            return true;
    }
    return false;
}

bool view_names(const struct trade_view *v, const struct identity *who)
{
    return known_party(v, NULL, who);
}

static size_t count_by(const struct trade_view *v, const struct identity *who)
{
    size_t n = 0;
    for (size_t i = 0; i < v->facts_n; i++)
        n += identity_eq(who, &v->facts[i].e.author);
    return n;
}

/* A proposal's trade must be the one that its own terms name. */
static int proposal_check(const struct network *net, const struct fact_view *f, struct report *r)
{
    struct id trade;
    fact_trade_id(&trade, net, &f->terms.buyer, &f->terms.seller, &f->terms.nonce);
    if (!id_eq(&trade, &f->e.trade) ||
        !(identity_eq(&f->e.author, &f->terms.buyer) ||
          (f->e.kind == FACT_COUNTER && identity_eq(&f->e.author, &f->terms.seller))))
        return report_set(r, SOUK_EINVALID, "the proposal is not of this trade or not by a party of it");
    return terms_check(&f->terms, r);
}

static void keep(struct core *c, struct change *into, const struct fact_view *f, bool beside)
{
    uint8_t key[65], at[8];
    struct op *op = change_fact(into, &f->e.trade, &f->id, &f->e.author, (uint32_t)f->e.epoch,
                                (uint32_t)f->e.seq, f->bytes);
    op->lone = beside;
    if (f->e.kind != FACT_DISPUTE)
        return;
    be64_put(at, (uint64_t)c->now.unix_ms);
    change_put_if(into, TABLE_TRADE, trade_row_key(key, ROW_ARRIVED, &f->id, NULL), SPAN_OF(at), NULL)
        ->lone = true;
}

/* What `funded` carries for who lost everything. */
static void keep_carried(struct core *c, struct change *into, const struct fact_view *funded,
                         struct arena *a)
{
    for (size_t i = 0; i < funded->body.funded.facts_n; i++) {
        struct fact_view f;
        if (fact_parse(&f, c->network, funded->body.funded.facts[i], a, NULL) == 0 &&
            id_eq(&f.e.trade, &funded->e.trade) && f.e.seq <= UINT32_MAX && fact_verify(&f))
            keep(c, into, &f, true);
    }
}

/* The proposal that tells who has a part: the fact itself, or one that it carries. */
static const struct fact_view *introduction(struct core *c, const struct fact_view *f, struct arena *a)
{
    if (is_proposal(f))
        return f;
    for (size_t i = 0; f->e.kind == FACT_FUNDED && i < f->body.funded.facts_n; i++) {
        struct fact_view *p = arena_alloc(a, sizeof *p);
        if (p && fact_parse(p, c->network, f->body.funded.facts[i], a, NULL) == 0 && is_proposal(p) &&
            id_eq(&p->e.trade, &f->e.trade) && fact_verify(p) && proposal_check(c->network, p, NULL) == 0)
            return p;
    }
    return NULL;
}

static bool proposal_known(const struct trade_view *v)
{
    for (size_t i = 0; i < v->facts_n; i++)
        if (is_proposal(&v->facts[i]))
            return true;
    return false;
}

/* Have all three a part?  What names them may still be on its way (a new arbiter's enrol can come before
 * the wish that names it), so that a fact by people unknown comes again. */
static int known_parties(const struct trade_view *v, const struct fact_view *first,
                         const struct identity *to, const struct identity *from, const struct fact_view *f)
{
    if (first == NULL && !proposal_known(v))
        return wishes(f, to) && identity_eq(from, &f->e.author) ? 0 : SOUK_EBUSY;
    if (is_proposal(f) && !known_party(v, first, from))
        return SOUK_ENOT_ALLOWED;
    return known_party(v, first, to) && known_party(v, first, from) && known_party(v, first, &f->e.author)
               ? 0
               : SOUK_EBUSY;
}

/* Its author went on under a newer epoch, on a store that was put back or on another machine; whoever says
 * something new under the old one does not know: it is told, as if it had asked. */
static void note_stale(struct core *c, const struct identity *to, const struct identity *from,
                       const struct fact_view *f, const struct trade_view *v)
{
    uint8_t key[65];
    const struct fact_view *newest = view_newest(v, &f->e.author);
    if (newest && newest->e.epoch > f->e.epoch && identity_eq(from, &f->e.author) && !view_holds(v, &f->id))
        change_put(outbox_taking(c->outbox), TABLE_TRADE, trade_row_key(key, ROW_ASKED, &f->e.trade, from),
                   SPAN_OF(*to))
            ->lone = true;
}

static int judge(struct trades *t, struct core *c, const struct identity *to, const struct identity *from,
                 const struct fact_view *f, struct arena *a, struct report *r)
{
    struct trade_view v;
    const struct fact_view *first = NULL;
    int err = trades_view(t, c, &f->e.trade, to, a, &v, NULL);
    if (err && err != SOUK_ENOT_FOUND)
        return err;
    if (is_proposal(f) && (err = proposal_check(t->network, f, r)) != 0)
        return err;
    if (is_proposal(f) || !proposal_known(&v))
        first = introduction(c, f, a);
    if ((err = known_parties(&v, first, to, from, f)) != 0) {
        if (v.facts_n == 0)
            recall_unknown(t, c, to, from, f);
        return err;
    }
    if (v.facts_n == 0)
        recall_new(t, c, to, f);
    if (!entry_of(t, &f->e.trade))
        return SOUK_EBUSY;
    note_stale(c, to, from, f, &v);
    if (v.facts_n >= TRADE_FACTS_MOST || count_by(&v, &f->e.author) >= TRADE_FOREIGN_MOST)
        return report_set(r, SOUK_EREFUSED, "this trade has as many facts of its author as it may have");
    return 0;
}

int trades_letter(struct trades *t, struct core *c, const struct identity *to, const struct identity *from,
                  const struct id *letter, struct span body)
{
    struct arena a;
    struct fact_view f;
    struct report r = {0};
    (void)letter;
    arena_init(&a, VIEW_BYTES);
    int err = fact_parse(&f, t->network, body, &a, &r);
    if (!err && f.e.seq > UINT32_MAX)
        err = SOUK_ERANGE;
    if (!err && !fact_verify(&f))
        err = SOUK_ESIGNATURE;
    if (!err)
        err = judge(t, c, to, from, &f, &a, &r);
    if (!err) {
        struct change *into = outbox_taking(c->outbox);
        keep(c, into, &f, false);
        if (f.e.kind == FACT_FUNDED)
            keep_carried(c, into, &f, &a);
        trade_event(c, into, "trade", &f.e.trade, span_str(trade_fact_text(c, &f, &a)));
    } else if (err != SOUK_EBUSY) {
        log_line(LOG_DEBUG, "trade", "a fact is refused (%s): %s", err_name(err), r.text);
    }
    arena_free(&a);
    return err;
}
