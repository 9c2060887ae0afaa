/* file.c: the file of a trade for whoever decides from another lock on (rule 10): the facts that the two
 * parties hold, those of the other among them, so that nothing that was disputed is lost with the arbiter
 * who knew of it, and nobody can tell the new one a shorter story. */
#include "node/trade/engine.h"

enum { SENT_AT_ONCE = 16 }; /* facts a change */

/* The address is for the seller alone; payouts of the lock that holds the money are for who signs with. */
static bool belongs(const struct trade_view *v, const struct fact_view *f, bool before)
{
    switch (f->e.kind) {
    case FACT_OPENED:
        return false;
    case FACT_PAYOUT:
        return !before && !id_eq(&f->body.payout.lock, &v->state->lock->id);
    default:
        return true;
    }
}

/* Those of the file that were not sent to this person; how many, or an error. */
static int send_to(struct say *s, const struct identity *to, bool before, int most)
{
    const struct trade_view *v = s->v;
    int n = 0;
    for (size_t i = 0; i < v->facts_n && n < most; i++) {
        const struct fact_view *f = &v->facts[i];
        if (!belongs(v, f, before) || identity_eq(&f->e.author, to) || say_sent(s, f, to))
            continue;
        int err = say_relay(s, f, to);
        if (err)
            return err;
        n++;
    }
    return n;
}

int file_send(struct say *s)
{
    const struct trade_state *st = s->v->state;
    const struct fact_amendment *asked = st->asked[s->v->me.role].amendment;
    int n = 0;
    if (!st->lock || trade_settled(st))
        return 1;
    if (asked)
        n = send_to(s, &asked->arbiter, true, SENT_AT_ONCE);
    if (n == 0 && asked && asked->has_substitute)
        n = send_to(s, &asked->substitute, true, SENT_AT_ONCE);
    for (unsigned role = TRADE_ARBITER; role <= TRADE_SUBSTITUTE && n == 0 && st->locks_n > 1; role++) {
        const struct identity *who = view_person(s->v, (enum trade_role)role);
        n = who ? send_to(s, who, false, SENT_AT_ONCE) : 0;
    }
    return n < 0 ? n : n == 0;
}
