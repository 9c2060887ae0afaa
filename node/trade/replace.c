/* replace.c: what the owner orders when another arbiter is to decide (rule 10): a wish that names whom, and
 * until when that one rules.  Everything after it the nodes do by themselves, once the other has the same
 * wish and the new arbiter enrolled. */
#include "crypto/record.h"
#include "node/market/market.h"
#include "node/trade/engine.h"
#include "node/trade/terms.h"

static bool is_other(const struct fact_amendment *a, const struct trade_replace *o)
{
    return !o->rule_ms && identity_eq(&a->arbiter, &o->arbiter) && a->has_substitute == o->has_substitute &&
           (!o->has_substitute || identity_eq(&a->substitute, &o->substitute));
}

/* Agrees to what the other asks for, or asks for something of one's own. */
static int amendment_for(struct say *s, const struct trade_replace *o, struct fact_amendment *out)
{
    const struct trade_state *st = s->v->state;
    const struct fact_amendment *theirs =
        st->asked[s->v->me.role == TRADE_BUYER ? TRADE_SELLER : TRADE_BUYER].amendment;
    struct terms_times before = {st->lock->rule_by, st->lock->late_at};
    struct record_row row;
    struct record rec;
    if (!o->has_arbiter && !theirs)
        return report_set(s->r, SOUK_EMISSING,
                          "arbiter: the other asks for none; name the one whom you want");
    if (!o->has_arbiter || (theirs && is_other(theirs, o))) {
        *out = *theirs;
        return 0;
    }
    if (!market_of(s->c, &o->arbiter, RECORD_ARBITER, &row, &rec))
        return report_set(
            s->r, SOUK_ENOT_FOUND,
            "arbiter: no terms of this arbiter are known here; `souk arbiter list` shows some");
    *out = (struct fact_amendment){
        .arbiter = o->arbiter, .has_substitute = o->has_substitute, .substitute = o->substitute};
    return terms_amend_default(out, st->terms, &before, o->rule_ms, s->c->now.unix_ms, s->r);
}

int act_replace(struct say *s, const struct trade_replace *o)
{
    struct fact_request q = {.what = FACT_WISH_ARBITER,
                             .has_lock = true,
                             .lock = s->v->state->lock->id,
                             .has_amendment = true,
                             .has_note = o->note.n > 0,
                             .note = o->note};
    int err = amendment_for(s, o, &q.amendment);
    return err ? err : act_request(s, &q);
}
