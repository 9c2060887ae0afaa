/* moves_in.h: what the files of trade_moves share; nobody else includes it. */
#ifndef SOUK_TRADE_MOVES_IN_H
#define SOUK_TRADE_MOVES_IN_H
#include "node/trade/moves.h"
#include "node/trade/terms.h"

struct ask {
    const struct trade_state *s;
    const struct trade_party *me;
    int64_t now;
    struct move *m;
};
/* Refuses, with words. */
int no(struct ask *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int too_late(struct ask *a, int64_t by, const char *deadline, const char *mend);

int need_agreed(struct ask *a);
/* Held by a rail, funded, unspent. */
int need_open(struct ask *a);
static inline enum trade_role other(const struct ask *a)
{
    return a->me->role == TRADE_BUYER ? TRADE_SELLER : TRADE_BUYER;
}
/* Everything that this party signed for the present lock, wherever it went.  A move gives nothing away, so
 * it stands apart: it forbids neither shipping nor giving. */
static inline unsigned own_signed(const struct ask *a)
{
    return (a->s->lock ? a->s->lock->signed_kinds[a->me->role] : 0) | a->me->signed_kinds;
}
static inline unsigned own_kinds(const struct ask *a)
{
    return own_signed(a) & (unsigned)~PAYOUT_MOVE;
}
static inline bool own_moved(const struct ask *a)
{
    return (own_signed(a) & PAYOUT_MOVE) != 0;
}
static inline unsigned kinds_of(const struct ask *a, enum trade_role role)
{
    return a->s->lock ? a->s->lock->signed_kinds[role] : 0;
}
static inline unsigned arbiters_kinds(const struct ask *a)
{
    return kinds_of(a, TRADE_ARBITER) | kinds_of(a, TRADE_SUBSTITUTE);
}
/* A payout of one of these kinds that one of these roles signed (a substitute's only from rule-by on). */
const struct trade_payout *payout_by(const struct ask *a, unsigned kinds, unsigned roles);
/* Rule 4: the goods came, as described, by deliver-by. */
bool content(const struct ask *a);
bool goods_back(const struct ask *a);
/* Is there a dispute of theirs that was not found too late? */
bool dispute_held(const struct trade_state *s, enum trade_role whose);

/* moves_agree.c */
int may_accept(struct ask *a);
int may_counter(struct ask *a);
int may_decline(struct ask *a);
int may_withdraw(struct ask *a);
int may_enrol(struct ask *a);
int may_refuse(struct ask *a);
int may_ready(struct ask *a);
int may_fund(struct ask *a);
int may_open(struct ask *a);
int may_paid(struct ask *a);
int may_received(struct ask *a);
int may_request(struct ask *a);
int may_evidence(struct ask *a);
/* moves_party.c: buyer and seller once the money is locked */
int may_ship(struct ask *a);
int may_release(struct ask *a);
int may_refund(struct ask *a);
int may_ask(struct ask *a);
int may_split(struct ask *a);
int may_combine(struct ask *a);
int may_dispute(struct ask *a);
int may_take_refund(struct ask *a);
int may_take_release(struct ask *a);
int may_take_ruling(struct ask *a);
int may_submit(struct ask *a);
int may_late(struct ask *a);
/* moves_next.c: rule 10 */
int may_replace(struct ask *a);
int may_sign_move(struct ask *a);
int may_move_on(struct ask *a);
/* moves_arbiter.c */
int may_case(struct ask *a);
int may_rule(struct ask *a);
int may_silence(struct ask *a);
int may_cosign_release(struct ask *a);
int may_cosign_refund(struct ask *a);
#endif
