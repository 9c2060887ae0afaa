/* moves_party.c: what buyer and seller may do with goods and money.  The names at the side are those of
 * spec/escrow.pml. */
#include "node/trade/moves_in.h"

enum { BOTH_ARBITERS = 1 << TRADE_ARBITER | 1 << TRADE_SUBSTITUTE };

static int ship_direct(struct ask *a)
{
    bool meet = a->s->terms->delivery == RECORD_DELIVERY_MODE_MEET ||
                a->s->terms->delivery == RECORD_DELIVERY_MODE_PICKUP;
    if (!a->s->enrolled)
        return no(a, "the arbiter has not consented yet");
    if (!a->s->received && !meet)
        return no(a, "say `received` when the money came, then ship");
    a->m->turn = true;
    return 0;
}

int may_ship(struct ask *a) /* S_MAY_SHIP; rules 2, 3 */
{
    int err = need_agreed(a);
    if (err)
        return err;
    if (a->s->shipped)
        return no(a, "you said so already");
    if (a->s->terms->rail == RECORD_RAIL_DIRECT)
        return ship_direct(a);
    err = need_open(a);
    if (err)
        return err;
    if (a->s->lock->funding < FUNDING_CONFIRMED)
        return no(a, "the lock is not funded in full and confirmed at the rail (rule 3); funding: %s",
                  trade_funding_name(a->s->lock->funding));
    if (a->s->ready == NULL)
        return no(a, "you never said ready over this lock");
    if (own_kinds(a) & (unsigned)~PAYOUT_RELEASE)
        return no(a, "you signed a payout of this lock already; ship or give back, not both (rules 2, 3)");
    if (a->now > a->s->terms->ship_by)
        return too_late(a, a->s->terms->ship_by, "ship-by", "give the money back (rule 3)");
    a->m->until = a->s->terms->ship_by;
    a->m->turn = true;
    return 0;
}

int may_release(struct ask *a) /* B_MAY_RELEASE; rules 4, 5, 6 */
{
    int err = need_open(a);
    if (err)
        return err;
    unsigned own = own_kinds(a);
    if (own & PAYOUT_RELEASE)
        return no(a, "you signed the release already");
    if (!content(a) && !a->me->insists)
        return no(a, a->me->goods == GOODS_GOOD
                         ? "the goods came after deliver-by and count as not as described (rule 4)"
                         : "you have not said that the goods came as described");
    if ((own & (unsigned)~PAYOUT_RELEASE) && !(arbiters_kinds(a) & PAYOUT_TO_SELLER) && !a->me->insists)
        return no(a, "you signed another payout of this lock, which can still be executed");
    a->m->until = a->s->terms->inspect_end;
    a->m->has_split = true;
    a->m->split = payout_release(a->s->terms);
    a->m->turn = a->s->shipped != NULL;
    a->m->automatic = content(a) && (a->now >= a->s->terms->inspect_end - (int64_t)a->s->terms->delta_ms ||
                                     a->s->disputes[TRADE_BUYER].fact);
    return 0;
}

int may_refund(struct ask *a) /* S_MAY_REFUND; rules 2, 3 */
{
    int err = need_open(a);
    if (err)
        return err;
    unsigned own = own_kinds(a);
    if (own & PAYOUT_REFUND)
        return no(a, "you signed the refund already");
    if (a->s->shipped && !goods_back(a))
        return no(a, "after shipping a refund is only for what was lost or came back (rule 3)");
    if ((own & (unsigned)~PAYOUT_REFUND) && !a->me->insists)
        return no(a, "you signed another payout of this lock, which can still be executed");
    a->m->has_split = true;
    a->m->split = payout_refund(a->s->terms);
    a->m->turn = a->s->requests[TRADE_BUYER][FACT_WISH_CANCEL] != NULL;
    a->m->automatic = a->s->shipped != NULL || a->now > a->s->terms->ship_by;
    return 0;
}

int may_ask(struct ask *a) /* S_MAY_ASK */
{
    int err = need_open(a);
    if (err)
        return err;
    if (a->s->shipped == NULL || goods_back(a))
        return no(a, "nothing was shipped, or it came back");
    if (a->now <= a->s->terms->inspect_end)
        return no(a, "the buyer has until inspect-end");
    if (a->s->requests[TRADE_SELLER][FACT_WISH_RELEASE])
        return no(a, "you asked already");
    if (own_kinds(a) & PAYOUT_REFUND)
        return no(a, "you signed the refund");
    a->m->automatic = true;
    return 0;
}

int may_split(struct ask *a) /* B_/S_MAY_SIGN_SPLIT */
{
    int err = need_open(a);
    if (err)
        return err;
    const struct fact_view *wish = a->s->requests[other(a)][FACT_WISH_SPLIT];
    if (wish == NULL || !wish->body.request.has_split)
        return no(a, "the other did not ask for a split; ask for one with `request`");
    const struct fact_split *split = &wish->body.request.split;
    if (payout_kind_of(a->s->terms, split, false) != PAYOUT_SPLIT || split->arbiter != 0)
        return no(a, "that split does not add up to what is locked, or is not between the two of you");
    if (own_kinds(a) != 0)
        return no(a, "you signed a payout of this lock already");
    if (own_moved(a))
        return no(a, "you signed the move to another lock; ask for a split of that one");
    if (a->now > a->s->terms->inspect_end)
        return too_late(a, a->s->terms->inspect_end, "inspect-end", "the arbiter can still rule a split");
    a->m->until = a->s->terms->inspect_end;
    a->m->has_split = true;
    a->m->split = *split;
    a->m->turn = true;
    return 0;
}

static int take(struct ask *a, const struct trade_payout *p)
{
    a->m->payout = p;
    a->m->with = p->signers & ~(1u << a->me->role);
    a->m->has_split = true;
    a->m->split = p->split;
    if (a->me->submitted_kinds & p->kind)
        return no(a, "it is under way at the rail");
    return 0;
}

int may_combine(struct ask *a) /* B_/S_MAY_COMBINE */
{
    int err = need_open(a);
    if (err)
        return err;
    const struct fact_view *wish = a->s->requests[a->me->role][FACT_WISH_SPLIT];
    const struct trade_lock *l = a->s->lock;
    for (size_t i = 0; i < l->payouts_n && wish && wish->body.request.has_split; i++) {
        const struct trade_payout *p = &l->payouts[i];
        if (p->kind != PAYOUT_SPLIT || !(p->signers >> other(a) & 1) ||
            !split_eq(&p->split, &wish->body.request.split))
            continue;
        if (own_kinds(a) & (unsigned)~PAYOUT_SPLIT)
            return no(a, "you signed another payout of this lock");
        a->m->automatic = true;
        return take(a, p);
    }
    return no(a, "the other has not signed the split that you asked for last");
}

static int dispute_direct(struct ask *a)
{
    int err = need_agreed(a);
    if (!err && !a->s->terms->has_arbiter)
        return no(a, "this contract has no arbiter");
    return err;
}

int may_dispute(struct ask *a) /* B_MAY_DISPUTE; rule 6 */
{
    bool direct = a->s->terms && a->s->terms->rail == RECORD_RAIL_DIRECT;
    int err = direct ? dispute_direct(a) : need_open(a);
    if (err)
        return err;
    const struct fact_terms *t = a->s->terms;
    if (a->s->disputes[a->me->role].fact)
        return no(a, "you disputed already");
    if (a->me->role == TRADE_BUYER && content(a))
        return no(a, "you said that the goods came as described");
    if (a->me->role == TRADE_BUYER && (own_kinds(a) & PAYOUT_RELEASE))
        return no(a, "you signed the release");
    if (a->now > t->inspect_end)
        return too_late(a, t->inspect_end, "inspect-end", "disputes end there (rule 6)");
    a->m->until = t->inspect_end;
    if (a->me->role == TRADE_BUYER) {
        a->m->turn = a->me->goods != GOODS_UNKNOWN || (a->now > t->ship_by && !a->s->shipped);
        a->m->automatic = !direct && a->now >= t->inspect_end - (int64_t)t->delta_ms / 4;
    }
    return 0;
}

int may_take_refund(struct ask *a) /* B_MAY_TAKE; rules 7, 9 */
{
    int err = need_open(a);
    if (err)
        return err;
    const struct trade_payout *p = payout_by(a, PAYOUT_REFUND, 1u << TRADE_SELLER);
    bool due = a->s->disputes[TRADE_BUYER].fact && a->now > a->s->terms->deliver_by;
    if (p == NULL && due)
        p = payout_by(a, PAYOUT_TO_BUYER, BOTH_ARBITERS);
    if (p == NULL && payout_by(a, PAYOUT_TO_BUYER, BOTH_ARBITERS))
        return no(a, "no refund can be due: it takes your own dispute, and deliver-by past (rule 7)");
    if (p == NULL)
        return no(a, "neither the seller nor the arbiter signed a refund");
    if (content(a))
        return no(a, "you said that the goods came as described");
    if (own_kinds(a) & PAYOUT_RELEASE)
        return no(a, "you signed the release");
    a->m->automatic = true;
    return take(a, p);
}

int may_take_release(struct ask *a) /* S_MAY_TAKE; rules 7, 9 */
{
    int err = need_open(a);
    if (err)
        return err;
    const struct trade_payout *ruled = NULL, *p = payout_by(a, PAYOUT_RELEASE, 1u << TRADE_BUYER);
    if (a->now > a->s->terms->deliver_by)
        ruled = payout_by(a, PAYOUT_TO_SELLER, BOTH_ARBITERS);
    if (p == NULL && ruled == NULL)
        return no(a, payout_by(a, PAYOUT_TO_SELLER, BOTH_ARBITERS)
                         ? "no release can be due before deliver-by (rule 7)"
                         : "neither the buyer nor the arbiter signed a release");
    if (a->s->shipped == NULL || goods_back(a))
        return no(a, "nothing was shipped, or it came back: the money is not yours (rule 7)");
    if ((own_kinds(a) & PAYOUT_REFUND) && ruled == NULL)
        return no(a, "you signed the refund");
    /* With a deposit the seller's owner looks first whether the thing came back whole. */
    a->m->automatic = !a->s->terms->has_deposit || ruled != NULL;
    a->m->turn = true;
    return take(a, p ? p : ruled);
}

int may_take_ruling(struct ask *a) /* a split ruling: either may co-sign */
{
    int err = need_open(a);
    if (err)
        return err;
    const struct trade_payout *p = payout_by(a, PAYOUT_SPLIT, BOTH_ARBITERS);
    if (p == NULL)
        return no(a, "the arbiter ruled no split");
    if (a->now <= a->s->terms->deliver_by ||
        (!dispute_held(a->s, TRADE_BUYER) && !dispute_held(a->s, TRADE_SELLER)))
        return no(a, "no ruling can be due: it takes a dispute, and deliver-by past (rule 7)");
    if (a->me->role == TRADE_BUYER && (content(a) || (own_kinds(a) & PAYOUT_RELEASE)))
        return no(a, "you have what you bought: release");
    if (a->me->role == TRADE_SELLER && (!a->s->shipped || goods_back(a) || (own_kinds(a) & PAYOUT_REFUND)))
        return no(a, "nothing was shipped, or it came back: give the money back");
    int64_t share = a->me->role == TRADE_BUYER ? p->split.buyer : p->split.seller;
    int64_t late = a->me->role == TRADE_BUYER ? a->s->lock->late.buyer : a->s->lock->late.seller;
    a->m->automatic = share >= late;
    a->m->turn = true;
    return take(a, p);
}

int may_submit(struct ask *a) /* B_/S_MAY_SUBMIT; rule 9 */
{
    int err = need_open(a);
    if (err)
        return err;
    const struct trade_lock *l = a->s->lock;
    for (size_t i = 0; i < l->payouts_n; i++) {
        const struct trade_payout *p = &l->payouts[i];
        if (p->kind == PAYOUT_MOVE || !(p->signers >> a->me->role & 1) ||
            !trade_signers_settle(l, p->signers, a->now))
            continue;
        a->m->automatic = true;
        return take(a, p);
    }
    return no(a, "there is no payout that you and another signed");
}

int may_late(struct ask *a) /* B_/S_MAY_LATE; rule 9 */
{
    int err = need_open(a);
    if (err)
        return err;
    const struct trade_lock *l = a->s->lock;
    bool bound = own_kinds(a) & PAYOUT_SPLIT; /* signed a split that nobody completes: signs nothing else */
    if (a->now < l->late_at)
        return no(a, "the late branch opens only at T");
    if (a->me->late)
        return no(a, "it is under way at the rail");
    a->m->has_split = true;
    a->m->split = l->late;
    if (a->me->role == TRADE_BUYER && !bound && (l->late.buyer == 0 || content(a)))
        return no(a, content(a) ? "you have what you bought: release" : "it would pay you nothing");
    if (a->me->role == TRADE_SELLER && !bound && (l->late.seller == 0 || !a->s->shipped || goods_back(a)))
        return no(a, l->late.seller ? "you did not ship, or it came back: give the money back"
                                    : "it would pay you nothing");
    a->m->automatic = true;
    return 0;
}
