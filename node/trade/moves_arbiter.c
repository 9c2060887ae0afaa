/* moves_arbiter.c: what an arbiter, and from rule-by on a substitute, may sign (rule 8). */
#include "node/trade/moves_in.h"

int may_case(struct ask *a)
{
    int err = need_agreed(a);
    if (err)
        return err;
    if (a->s->enrol[a->me->role - TRADE_ARBITER] == NULL)
        return no(a, "you did not enrol");
    for (int who = 0; who < 2; who++) {
        const struct trade_dispute *d = &a->s->disputes[who];
        if (d->fact == NULL || d->how != CASE_OPEN || a->me->dispute_arrived[who] == 0)
            continue;
        a->m->whose = (enum trade_role)who;
        a->m->timely = a->me->dispute_arrived[who] <= terms_cutoff(a->s->terms) ||
                       (a->s->locks_n > 1 && d->seen_in_time); /* rule 10: sent again */
        a->m->automatic = true;
        return 0;
    }
    return no(a, "no dispute waits for an answer");
}

/* Enrolled, and the rail's branch for this role is open. */
static int need_care(struct ask *a)
{
    bool direct = a->s->terms && a->s->terms->rail == RECORD_RAIL_DIRECT;
    int err = direct ? need_agreed(a) : need_open(a);
    if (err)
        return err;
    if (a->s->enrol[a->me->role - TRADE_ARBITER] == NULL)
        return no(a, "you did not enrol");
    if (a->me->role == TRADE_SUBSTITUTE &&
        a->now <= (a->s->lock ? a->s->lock->rule_by : a->s->terms->rule_by))
        return no(a, "a substitute acts only after the arbiter's rule-by");
    return 0;
}

/* Nothing signed by either of the two; "signs one payout". */
static int need_undecided(struct ask *a)
{
    if (own_kinds(a) != 0)
        return no(a, "you signed a payout of this lock already; one only (rule 8)");
    if (a->me->role == TRADE_SUBSTITUTE && kinds_of(a, TRADE_ARBITER) != 0)
        return no(a, "the arbiter signed a payout already");
    if (a->s->ruling)
        return no(a, "it is ruled already");
    return 0;
}

int may_rule(struct ask *a) /* A_MAY_RULE */
{
    int err = need_care(a);
    if (!err)
        err = need_undecided(a);
    if (err)
        return err;
    const struct fact_terms *t = a->s->terms;
    int64_t by = a->s->lock ? a->s->lock->rule_by : t->rule_by;
    if (a->me->role == TRADE_SUBSTITUTE)
        by = a->s->lock ? a->s->lock->substitute_rule_by : t->substitute_rule_by;
    if (a->s->disputes[0].how != CASE_TAKEN && a->s->disputes[1].how != CASE_TAKEN)
        return no(a, "there is no dispute that came in time and was taken (rule 8)");
    if (a->now <= t->deliver_by)
        return no(a, "not before deliver-by has passed (rule 8)");
    if (a->now > by)
        return too_late(a, by, "rule-by", "only what gives all away may still be co-signed (rule 8)");
    a->m->until = by;
    a->m->turn = true;
    return 0;
}

int may_silence(struct ask *a) /* A_MAY_SILENCE; rules 1, 8 */
{
    int err = need_open(a);
    if (!err)
        err = need_care(a);
    if (!err)
        err = need_undecided(a);
    if (err)
        return err;
    if (a->s->requests[TRADE_SELLER][FACT_WISH_RELEASE] == NULL)
        return no(a, "the seller did not ask for it");
    if (dispute_held(a->s, TRADE_BUYER) || dispute_held(a->s, TRADE_SELLER))
        return no(a, "a dispute is held (rule 8)");
    if (a->now <= terms_cutoff(a->s->terms))
        return no(a, "a dispute may still arrive until inspect-end + delta (rule 1)");
    if (a->s->lock->since && a->now <= a->s->lock->since + 2 * (int64_t)a->s->terms->delta_ms)
        return no(a,
                  "the money moved to your lock less than 2 delta ago: what was disputed before may still "
                  "be on its way to you (rule 10)");
    const struct fact_split full = payout_release(a->s->terms);
    a->m->has_split = true;
    a->m->automatic = true;
    return payout_ruling(&a->m->split, a->s->terms, full.buyer, a->me->role == TRADE_SUBSTITUTE, NULL);
}

/* What gives all to the other side must be co-signed at any time, unless the opposite was signed. */
static int cosign(struct ask *a, enum trade_role giver, unsigned kind, unsigned opposite)
{
    int err = need_open(a);
    if (!err)
        err = need_care(a);
    if (err)
        return err;
    const struct trade_payout *p = payout_by(a, kind, 1u << giver);
    if (p == NULL)
        return no(a, "the %s did not sign it", trade_role_name(giver));
    if (own_kinds(a) & opposite)
        return no(a, "you signed the opposite");
    if (own_kinds(a) & kind)
        return no(a, "you signed it already");
    a->m->payout = p;
    a->m->with = p->signers;
    a->m->has_split = true;
    a->m->split = p->split;
    a->m->automatic = true;
    return 0;
}

int may_cosign_release(struct ask *a) /* A_MAY_COSIGN_RELEASE */
{
    if (a->s->agreed && a->s->terms->has_deposit &&
        (a->now <= terms_cutoff(a->s->terms) || dispute_held(a->s, TRADE_SELLER)))
        return no(a, "it gives the deposit back, on which the seller still has a say");
    return cosign(a, TRADE_BUYER, PAYOUT_RELEASE, PAYOUT_TO_BUYER);
}

int may_cosign_refund(struct ask *a) /* A_MAY_COSIGN_REFUND */
{
    return cosign(a, TRADE_SELLER, PAYOUT_REFUND, PAYOUT_TO_SELLER);
}
