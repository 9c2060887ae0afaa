/* state_print.c: names, and the state as lines of text. */
#include "node/trade/state.h"

const char *trade_role_name(enum trade_role role)
{
    static const char *const names[] = {"buyer", "seller", "arbiter", "substitute", "nobody"};
    return role <= TRADE_NOBODY ? names[role] : "nobody";
}

const char *trade_phase_name(enum trade_phase phase)
{
    switch (phase) {
#define X(NAME, name, sentence) \
    case TRADE_##NAME:          \
        return name;
        TRADE_PHASES(X)
#undef X
    }
    return "unknown";
}

const char *trade_phase_sentence(enum trade_phase phase)
{
    switch (phase) {
#define X(NAME, name, sentence) \
    case TRADE_##NAME:          \
        return sentence;
        TRADE_PHASES(X)
#undef X
    }
    return "unknown";
}

const char *trade_funding_name(enum trade_funding funding)
{
    static const char *const names[] = {"none", "seen", "short", "reversed", "confirmed", "over"};
    return funding <= FUNDING_OVER ? names[funding] : "unknown";
}

static void line_id(struct buf *out, const char *name, const struct id *id)
{
    char hex[65];
    buf_printf(out, "%s %s\n", name, hex_encode(hex, id->b, sizeof id->b));
}

static void line_fact(struct buf *out, const char *name, const struct fact_view *f)
{
    if (f)
        line_id(out, name, &f->id);
}

static void print_split(struct buf *out, const struct fact_split *s)
{
    buf_printf(out, "buyer %lld seller %lld arbiter %lld", (long long)s->buyer, (long long)s->seller,
               (long long)s->arbiter);
}

static void print_lock(struct buf *out, const char *name, const struct trade_lock *l)
{
    line_id(out, name, &l->id);
    buf_printf(out, "  funding %s %u rule_by %lld late_at %lld%s\n", trade_funding_name(l->funding),
               l->confirmations, (long long)l->rule_by, (long long)l->late_at, l->moved ? " moved" : "");
    if (l->settled && !l->moved) {
        buf_printf(out, "  paid%s ", l->settled_late ? " late" : "");
        print_split(out, &l->paid);
        buf_printf(out, "\n");
    }
    /* Payouts come in the order of facts' ids, which is the same for the same set. */
    for (size_t i = 0; i < l->payouts_n; i++) {
        const struct trade_payout *p = &l->payouts[i];
        line_id(out, "  payout", &p->id);
        buf_printf(out, "    kind %u signed by", p->kind);
        for (int role = 0; role < 4; role++)
            if (p->signers >> role & 1)
                buf_printf(out, " %s", trade_role_name((enum trade_role)role));
        buf_printf(out, " ");
        print_split(out, &p->split);
        buf_printf(out, "\n");
    }
}

void trade_state_print(struct buf *out, const struct trade_state *s)
{
    static const char *const cases[] = {"none", "open", "taken", "too late"};
    buf_printf(out, "phase %s\n", trade_phase_name(s->phase));
    line_fact(out, "buyer's proposal", s->open[0]);
    line_fact(out, "seller's proposal", s->open[1]);
    line_fact(out, "declined", s->declined);
    line_fact(out, "withdrawn", s->withdrawn);
    if (s->agreed)
        line_id(out, "contract", &s->contract);
    line_fact(out, "enrol", s->enrol[0]);
    line_fact(out, "substitute's enrol", s->enrol[1]);
    line_fact(out, "refused", s->refused);
    line_fact(out, "ready", s->ready);
    line_fact(out, "funded", s->funded);
    line_fact(out, "opened", s->opened);
    line_fact(out, "paid", s->paid);
    line_fact(out, "received", s->received);
    for (size_t i = 0; i < s->locks_n; i++)
        print_lock(out, "lock", &s->locks[i]);
    if (s->next)
        print_lock(out, "next lock", s->next);
    if (s->lock_unknown)
        buf_printf(out, "the money moved to a lock that is not known\n");
    line_fact(out, "shipped", s->shipped);
    for (int who = 0; who < 2; who++) {
        for (int wish = 0; wish < 5; wish++)
            line_fact(out, who ? "seller's request" : "buyer's request", s->requests[who][wish]);
        const struct trade_dispute *d = &s->disputes[who];
        if (d->fact) {
            line_id(out, who ? "seller's dispute" : "buyer's dispute", &d->fact->id);
            buf_printf(out, "  case %s%s\n", cases[d->how], d->seen_in_time ? ", seen in time" : "");
        }
    }
    line_fact(out, "ruling", s->ruling);
    for (size_t i = 0; i < s->stories_n; i++) {
        line_id(out, "two stories", &s->stories[i].first);
        line_id(out, "  and", &s->stories[i].second);
    }
    buf_printf(out, "epochs %u %u %u %u facts %zu strangers %zu\n", s->epochs[0], s->epochs[1],
               s->epochs[2], s->epochs[3], s->facts_n, s->strangers_n);
}
