/* missing.c: what the facts at hand speak of that is not at hand, in words for who judges by them. */
#include "node/trade/engine.h"

struct missing {
    struct arena *a;
    const char **out;
    size_t n, most;
};

static void say_missing(struct missing *m, const char *text)
{
    for (size_t i = 0; text && i < m->n; i++)
        if (strcmp(m->out[i], text) == 0)
            return;
    if (text && m->n < m->most)
        m->out[m->n++] = text;
}

const char *trade_author_name(const struct trade_view *v, const struct identity *who)
{
    enum trade_role role = trade_role_of(v->state, who);
    return role == TRADE_NOBODY ? "other" : trade_role_name(role);
}

/* The address stands in a fact of the buyer's that only the seller gets: its place is empty in every file.
 */
static const char *hint(const struct trade_view *v, const struct fact_view *after)
{
    bool ships = v->state->terms && v->state->terms->delivery == RECORD_DELIVERY_MODE_SHIP;
    return ships && identity_eq(&after->e.author, &v->state->buyer)
               ? "; one is the address, for the seller alone"
               : "";
}

size_t trade_missing(const struct trade_view *v, struct arena *a, const char **out, size_t most)
{
    struct missing m = {a, out, 0, most};
    if (!v->state->agreed)
        say_missing(&m, "the contract: an accepted proposal");
    for (size_t i = 0; i < v->facts_n; i++) {
        const struct fact_view *f = &v->facts[i];
        const char *who = trade_author_name(v, &f->e.author);
        if (f->e.has_prev && !view_holds(v, &f->e.prev))
            say_missing(&m, arena_printf(a, "%s: what it said before its no. %llu (%s)%s", who,
                                         (unsigned long long)f->e.seq, fact_name((unsigned)f->e.kind),
                                         hint(v, f)));
        for (size_t k = 0; k < f->e.seen_n; k++)
            if (!view_holds(v, &f->e.seen[k].fact))
                say_missing(
                    &m, arena_printf(a, "%s: something that the %s had seen when it signed its no. %llu",
                                     trade_author_name(v, &f->e.seen[k].author), who,
                                     (unsigned long long)f->e.seq));
    }
    return m.n;
}
