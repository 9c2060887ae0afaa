/* moves_agree.c: from a proposal to money in the lock, and what anyone may always say. */
#include "node/trade/moves_in.h"

static int need_proposal(struct ask *a)
{
    if (a->s->agreed)
        return no(a, "the contract is fixed already");
    const struct fact_view *p = a->s->open[other(a)];
    if (p == NULL)
        return no(a, "there is no standing proposal of the other side");
    a->m->until = p->terms.valid_until;
    return 0;
}

int may_accept(struct ask *a)
{
    int err = need_proposal(a);
    if (err)
        return err;
    if (a->now > a->m->until)
        return too_late(a, a->m->until, "the proposal's time", "make a proposal of your own");
    a->m->turn = true;
    return 0;
}

int may_counter(struct ask *a)
{
    return need_proposal(a);
}

int may_decline(struct ask *a)
{
    return need_proposal(a);
}

int may_withdraw(struct ask *a)
{
    if (a->s->agreed)
        return no(a, "the contract is fixed already");
    return a->s->open[a->me->role] ? 0 : no(a, "you have no standing proposal");
}

/* Rule 10: asked to decide from the next lock on. */
static int may_enrol_next(struct ask *a)
{
    if (a->me->asked->enrol[a->me->asked_role - TRADE_ARBITER])
        return no(a, "you enrolled already");
    a->m->until = a->s->lock->rule_by;
    if (a->now > a->s->lock->rule_by)
        return too_late(a, a->s->lock->rule_by, "rule-by of the lock that the money is in", "");
    a->m->turn = true;
    return 0;
}

int may_enrol(struct ask *a)
{
    int err = need_agreed(a);
    if (err)
        return err;
    if (a->me->asked)
        return may_enrol_next(a);
    if (a->s->enrol[a->me->role - TRADE_ARBITER])
        return no(a, "you enrolled already");
    if (a->now > a->s->terms->fund_by)
        return too_late(a, a->s->terms->fund_by, "fund-by", "");
    a->m->until = a->s->terms->fund_by;
    a->m->turn = true;
    return 0;
}

int may_refuse(struct ask *a)
{
    int err = need_agreed(a);
    if (err)
        return err;
    if (a->me->asked ? a->me->asked->enrol[a->me->asked_role - TRADE_ARBITER] != NULL
                     : a->s->enrol[a->me->role - TRADE_ARBITER] != NULL)
        return no(a, "you enrolled already; that binds you");
    const struct fact_view *refused = a->me->asked ? a->me->asked->refused : a->s->refused;
    const struct identity *me = a->me->asked                   ? &a->me->asked->amendment->arbiter
                                : a->me->role == TRADE_ARBITER ? &a->s->terms->arbiter
                                                               : &a->s->terms->substitute;
    if (refused && identity_eq(&refused->e.author, me))
        return no(a, "you refused already");
    return 0;
}

/* Whoever is to decide disputes consented. */
static int need_enrolled(struct ask *a)
{
    if (a->s->enrolled)
        return 0;
    if (a->s->refused)
        return no(a, "the arbiter refused the contract; make a new offer that names another arbiter");
    return no(a, "the arbiter has not consented yet");
}

/* What must stand before any money moves into a lock. */
static int need_lock(struct ask *a)
{
    int err = need_agreed(a);
    if (err)
        return err;
    if (a->s->terms->rail == RECORD_RAIL_DIRECT)
        return no(a, "on the direct rail no money is held");
    if ((err = need_enrolled(a)) != 0)
        return err;
    if (a->s->lock == NULL)
        return no(a, "the parties' keys do not make a lock");
    a->m->until = a->s->terms->fund_by;
    if (a->now > a->s->terms->fund_by)
        return too_late(a, a->s->terms->fund_by, "fund-by", "make a new proposal");
    return 0;
}

int may_ready(struct ask *a)
{
    int err = need_lock(a);
    if (err)
        return err;
    if (a->s->ready)
        return no(a, "you said so already");
    a->m->automatic = true;
    return 0;
}

int may_fund(struct ask *a)
{
    int err = need_lock(a);
    if (err)
        return err;
    if (a->s->ready == NULL)
        return no(a, "the seller has not said ready over this lock; nobody pays before that");
    if (a->s->lock->funding != FUNDING_NONE || a->s->funded || a->me->funding)
        return no(a, "the lock is funded already, or about to be");
    a->m->turn = true;
    return 0;
}

int may_open(struct ask *a)
{
    int err = need_open(a);
    if (err)
        return err;
    if (a->s->opened)
        return no(a, "the seller has the address already");
    if (a->s->shipped)
        return no(a, "the seller shipped already");
    a->m->automatic = a->s->terms->delivery == RECORD_DELIVERY_MODE_SHIP;
    return 0;
}

static int need_direct(struct ask *a)
{
    int err = need_agreed(a);
    if (err)
        return err;
    if (a->s->terms->rail != RECORD_RAIL_DIRECT)
        return no(a, "on this rail the money is held in a lock");
    return need_enrolled(a);
}

int may_paid(struct ask *a)
{
    int err = need_direct(a);
    if (!err && a->s->paid)
        return no(a, "you said so already");
    a->m->turn = true;
    return err;
}

int may_received(struct ask *a)
{
    int err = need_direct(a);
    if (!err && a->s->received)
        return no(a, "you said so already");
    a->m->turn = a->s->paid != NULL;
    return err;
}

int may_request(struct ask *a)
{
    return need_agreed(a);
}

int may_evidence(struct ask *a)
{
    return a->s->agreed ? 0 : no(a, "there is no contract yet");
}
