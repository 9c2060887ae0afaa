/* moves_next.c: another arbiter after funding: both ask for the same one, it enrols, and the money moves to
 * a lock of its own (rule 10).  The names at the side are those of spec/escrow.pml. */
#include "node/trade/moves_in.h"

/* Time enough, and nothing signed that could still be executed. */
static int need_movable(struct ask *a)
{
    int err = need_open(a);
    if (err)
        return err;
    if (a->s->locks_n >= TRADE_LOCKS_MOST)
        return no(a, "the arbiter was replaced %d times already", TRADE_LOCKS_MOST - 1);
    if (own_kinds(a))
        return no(a, "you signed another payout of this lock");
    a->m->until = a->s->lock->rule_by;
    if (a->now > a->s->lock->rule_by)
        return too_late(a, a->s->lock->rule_by, "rule-by", "the late branch pays from T on");
    return 0;
}

int may_replace(struct ask *a)
{
    int err = need_movable(a);
    if (err)
        return err;
    if (own_moved(a))
        return no(a, "you signed the move already; it waits for the other");
    a->m->turn = a->s->asked[other(a)].amendment && !trade_agreed_next(a->s);
    return 0;
}

/* Both ask for the same, and everybody enrolled. */
static int need_next(struct ask *a)
{
    int err = need_movable(a);
    if (err)
        return err;
    if (!a->s->asked[a->me->role].amendment)
        return no(a, "you did not ask for another arbiter");
    if (!trade_agreed_next(a->s))
        return no(a, "the other has not agreed to that arbiter");
    if (a->s->next == NULL)
        return no(a, a->s->asked[a->me->role].refused ? "the new arbiter refused"
                                                      : "the new arbiter has not consented yet");
    return 0;
}

int may_sign_move(struct ask *a) /* B_MAY_MOVE */
{
    int err = need_next(a);
    if (!err && own_moved(a))
        return no(a, "you signed the move already");
    a->m->automatic = true;
    return err;
}

int may_move_on(struct ask *a) /* S_MAY_MOVE */
{
    int err = need_next(a);
    if (err)
        return err;
    const struct trade_lock *l = a->s->lock;
    for (size_t i = 0; i < l->payouts_n; i++) {
        const struct trade_payout *p = &l->payouts[i];
        if (p->kind != PAYOUT_MOVE || !(p->signers >> TRADE_BUYER & 1) || !id_eq(&p->next, &a->s->next->id))
            continue;
        a->m->payout = p;
        a->m->with = p->signers & ~(1u << a->me->role);
        if (a->me->submitted_kinds & PAYOUT_MOVE)
            return no(a, "it is under way at the rail");
        a->m->automatic = true;
        return 0;
    }
    return no(a, "the buyer has not signed the move to that lock");
}
