/* moves.c: the table of moves, and what its guards share. */
#include "node/trade/moves_in.h"

#include <stdio.h>

static const struct {
    const char *name, *sentence;
    unsigned roles;
} rows[MOVES_MAX] = {
#define X(NAME, name, roles, sentence) {name, sentence, roles},
    TRADE_MOVES(X)
#undef X
};

static int (*const guards[MOVES_MAX])(struct ask *) = {
    [MOVE_ACCEPT] = may_accept,
    [MOVE_COUNTER] = may_counter,
    [MOVE_DECLINE] = may_decline,
    [MOVE_WITHDRAW] = may_withdraw,
    [MOVE_ENROL] = may_enrol,
    [MOVE_REFUSE] = may_refuse,
    [MOVE_READY] = may_ready,
    [MOVE_FUND] = may_fund,
    [MOVE_OPEN] = may_open,
    [MOVE_PAID] = may_paid,
    [MOVE_RECEIVED] = may_received,
    [MOVE_SHIP] = may_ship,
    [MOVE_RELEASE] = may_release,
    [MOVE_REFUND] = may_refund,
    [MOVE_REQUEST] = may_request,
    [MOVE_ASK] = may_ask,
    [MOVE_SPLIT] = may_split,
    [MOVE_COMBINE] = may_combine,
    [MOVE_DISPUTE] = may_dispute,
    [MOVE_CASE] = may_case,
    [MOVE_RULE] = may_rule,
    [MOVE_SILENCE] = may_silence,
    [MOVE_COSIGN_RELEASE] = may_cosign_release,
    [MOVE_COSIGN_REFUND] = may_cosign_refund,
    [MOVE_TAKE_REFUND] = may_take_refund,
    [MOVE_TAKE_RELEASE] = may_take_release,
    [MOVE_TAKE_RULING] = may_take_ruling,
    [MOVE_SUBMIT] = may_submit,
    [MOVE_LATE] = may_late,
    [MOVE_REPLACE] = may_replace,
    [MOVE_SIGN_MOVE] = may_sign_move,
    [MOVE_MOVE_ON] = may_move_on,
    [MOVE_EVIDENCE] = may_evidence,
};

const char *trade_move_name(enum trade_move move)
{
    return move < MOVES_MAX ? rows[move].name : "unknown";
}

const char *trade_move_sentence(enum trade_move move)
{
    return move < MOVES_MAX ? rows[move].sentence : "unknown";
}

int no(struct ask *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(a->m->why, sizeof a->m->why, fmt, ap);
    va_end(ap);
    return SOUK_ENOT_ALLOWED;
}

int too_late(struct ask *a, int64_t by, const char *deadline, const char *mend)
{
    a->m->until = by;
    no(a, "%s has passed%s%s", deadline, mend[0] ? "; " : "", mend);
    return SOUK_EEXPIRED;
}

int need_agreed(struct ask *a)
{
    if (!a->s->agreed)
        return no(a, "there is no contract yet");
    if (trade_settled(a->s))
        return no(a, "the trade is settled");
    return 0;
}

int need_open(struct ask *a)
{
    int err = need_agreed(a);
    if (err)
        return err;
    if (a->s->terms->rail == RECORD_RAIL_DIRECT)
        return no(a, "on the direct rail no money is held");
    if (a->s->lock_unknown)
        return no(a, "the money moved to a lock that is not known here yet");
    if (a->s->lock == NULL)
        return no(a, "the arbiter has not consented yet, so there is no lock");
    if (a->s->lock->settled)
        return no(a, "the lock is spent");
    if (a->s->lock->funding == FUNDING_REVERSED)
        return no(a, "the rail took the funding back; wait until it is confirmed again");
    if (!trade_open(a->s))
        return no(a, "the rail has not seen the money yet");
    return 0;
}

const struct trade_payout *payout_by(const struct ask *a, unsigned kinds, unsigned roles)
{
    const struct trade_lock *l = a->s->lock;
    if (l && a->now < l->rule_by)
        roles &= ~(1u << TRADE_SUBSTITUTE);
    for (size_t i = 0; l && i < l->payouts_n; i++)
        if ((l->payouts[i].kind & kinds) && (l->payouts[i].signers & roles))
            return &l->payouts[i];
    return NULL;
}

bool content(const struct ask *a)
{
    return a->me->goods == GOODS_GOOD && a->me->goods_at <= a->s->terms->deliver_by;
}

bool goods_back(const struct ask *a)
{
    return a->me->goods == GOODS_LOST || a->me->goods == GOODS_RETURNED;
}

bool dispute_held(const struct trade_state *s, enum trade_role whose)
{
    return s->disputes[whose].fact && s->disputes[whose].how != CASE_TOO_LATE;
}

/* With a clock that most peers call wrong: does the answer hang on the time?  Then nobody can give it.  A
 * move that may be made at any time may still be made by hand, but is not due by itself. */
static int without_clock(struct ask *a, int err)
{
    static const int64_t ends[] = {0, INT64_MAX / 2};
    for (size_t i = 0; i < 2; i++) {
        struct move then = {.what = a->m->what};
        struct ask b = {.s = a->s, .me = a->me, .now = ends[i], .m = &then};
        if ((guards[then.what](&b) == 0) != (err == 0)) {
            no(a, "it depends on the time, and most peers say that this machine's clock is wrong: set it");
            return SOUK_ECLOCK;
        }
        a->m->automatic = a->m->automatic && then.automatic;
    }
    return err;
}

int trade_may(const struct trade_state *s, const struct trade_party *me, enum trade_move what,
              int64_t now_ms, struct move *out, struct report *r)
{
    struct move own;
    struct move *m = out ? out : &own;
    struct ask a = {.s = s, .me = me, .now = now_ms, .m = m};
    MUST(what < MOVES_MAX);
    memset(m, 0, sizeof *m);
    m->what = what;
    if (me->role >= TRADE_NOBODY || !(rows[what].roles >> me->role & 1))
        m->err = no(&a, "this is not for the %s to do", trade_role_name(me->role));
    else if (me->frozen)
        m->err = no(&a, "a backup was restored: first the others must tell what was signed before");
    else if (me->next && what != MOVE_ENROL && what != MOVE_REFUSE && what != MOVE_EVIDENCE)
        m->err = no(&a, "you decide once buyer and seller have moved the money to your lock (rule 10)");
    else if (!me->next && s->epochs[me->role] > me->epoch) {
        no(&a, "another machine goes on with this trade under a newer epoch; this one signs nothing more");
        m->err = SOUK_ECONFLICT;
    } else {
        m->err = guards[what](&a);
        if (me->clock_wrong)
            m->err = without_clock(&a, m->err);
    }
    m->may = m->err == 0;
    m->automatic = m->automatic && m->may;
    m->turn = m->turn && m->may;
    if (m->err)
        return report_set(r, m->err, "%s: %s", rows[what].name, m->why);
    return 0;
}

size_t trade_moves(const struct trade_state *s, const struct trade_party *me, int64_t now_ms,
                   struct move out[static MOVES_MAX])
{
    size_t n = 0;
    for (int what = 0; what < MOVES_MAX; what++)
        if (me->role < TRADE_NOBODY && (rows[what].roles >> me->role & 1))
            trade_may(s, me, (enum trade_move)what, now_ms, &out[n++], NULL);
    return n;
}

const char *trade_lapsed(const struct trade_state *s, int64_t now_ms)
{
    if (s->phase == TRADE_OFFERED) {
        for (int i = 0; i < 2; i++)
            if (s->open[i] && now_ms <= s->open[i]->terms.valid_until)
                return NULL;
        return "the proposal stands no longer";
    }
    if (s->phase < TRADE_AGREED || s->phase > TRADE_READY || now_ms <= s->terms->fund_by)
        return NULL;
    return s->lock && s->lock->funding != FUNDING_NONE ? NULL : "nobody paid by fund-by";
}

int64_t trade_next_wake(const struct trade_state *s, int64_t now_ms)
{
    if (s->terms == NULL)
        return INT64_MAX;
    const struct fact_terms *t = s->terms;
    int64_t delta = (int64_t)t->delta_ms;
    /* Moves open strictly after a deadline or at it; both moments are listed. */
    int64_t times[] = {t->valid_until,
                       t->fund_by,
                       t->ship_by,
                       t->deliver_by,
                       t->inspect_end - delta,
                       t->inspect_end - delta / 4,
                       t->inspect_end,
                       terms_cutoff(t),
                       s->lock ? s->lock->since + 2 * delta : 0,
                       s->lock ? s->lock->rule_by : t->rule_by,
                       s->lock ? s->lock->substitute_rule_by : t->substitute_rule_by,
                       s->lock ? s->lock->late_at : t->late_at};
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        for (int64_t at = times[i]; at <= times[i] + 1; at++)
            if (at > now_ms && at < next)
                next = at;
    return next;
}
