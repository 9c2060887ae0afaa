/* state_next.c: rule 10: the locks after the present one, and who asked for which. */
#include "node/trade/state_in.h"

#include "node/trade/terms.h"

#include <stdlib.h>

/* The times of the lock of `w`, which a later one must leave behind. */
static struct terms_times times_of(const struct wanted *w)
{
    return w->amendment ? (struct terms_times){w->amendment->rule_by, w->amendment->late_at}
                        : (struct terms_times){w->terms->rule_by, w->terms->late_at};
}

void next_make(struct next_locks *out, struct trade_set *set, const struct wanted *before)
{
    struct wanted w = *before;
    struct terms_times times = times_of(before);
    *out = (struct next_locks){0};
    w.generation++;
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *f = set->by_id[i];
        if (f->e.kind != FACT_ENROL || !f->body.enrol.has_amendment ||
            f->body.enrol.generation != w.generation)
            continue;
        w.amendment = &f->body.enrol.amendment;
        if (!identity_eq(&f->e.author, &w.amendment->arbiter) ||
            terms_amend_check(w.terms, &times, w.amendment, NULL) != 0)
            continue;
        if (out->v == NULL)
            out->v = xcalloc(set->n, sizeof *out->v);
        struct next_lock *next = &out->v[out->n];
        memset(next, 0, sizeof *next);
        next->amendment = w.amendment;
        if (wanted_enrol(set, &w, 0, &f->body.enrol.key.key) != f ||
            !wanted_build(&next->found, set, &w, f, wanted_enrol(set, &w, 1, NULL)))
            continue;
        rail_lock_note(&next->note, set->scene->network, &next->found.lock);
        out->n++;
    }
}

void next_free(struct next_locks *next)
{
    free(next->v);
    *next = (struct next_locks){0};
}

const struct lock_found *next_by_id(const struct next_locks *next, const struct id *lock)
{
    for (size_t i = 0; next && i < next->n; i++)
        if (id_eq(&next->v[i].found.id, lock))
            return &next->v[i].found;
    return NULL;
}

const struct next_lock *next_by_note(const struct next_locks *next, const struct id *note)
{
    for (size_t i = 0; i < next->n; i++)
        if (id_eq(&next->v[i].note, note))
            return &next->v[i];
    return NULL;
}

const struct next_lock *next_by_amendment(const struct next_locks *next, const struct fact_amendment *a)
{
    for (size_t i = 0; i < next->n; i++)
        if (amendment_eq(next->v[i].amendment, a))
            return &next->v[i]; /* facts are sorted by id: the lowest */
    return NULL;
}

void state_asked(struct trade_state *s, const struct trade_set *set, const struct wanted *before)
{
    struct wanted w = *before;
    struct terms_times times = times_of(before);
    w.generation++;
    for (int by = 0; by < 2; by++) {
        const struct fact_view *wish = s->requests[by][FACT_WISH_ARBITER];
        struct trade_asked *asked = &s->asked[by];
        if (wish == NULL || !wish->body.request.has_amendment ||
            terms_amend_check(s->terms, &times, &wish->body.request.amendment, NULL) != 0)
            continue;
        w.amendment = asked->amendment = &wish->body.request.amendment;
        for (int role = 0; role < 2; role++)
            asked->enrol[role] = wanted_enrol(set, &w, role, NULL);
        for (size_t i = 0; i < set->n && asked->enrol[0] == NULL && asked->refused == NULL; i++)
            if (fact_is(set->by_id[i], FACT_REFUSE, &w.amendment->arbiter) &&
                id_eq(&set->by_id[i]->body.refuse.contract, &s->contract))
                asked->refused = set->by_id[i];
    }
}

bool trade_agreed_next(const struct trade_state *s)
{
    const struct fact_amendment *b = s->asked[TRADE_BUYER].amendment, *t = s->asked[TRADE_SELLER].amendment;
    return b && t && amendment_eq(b, t);
}

enum trade_role trade_asked_of(const struct trade_state *s, const struct identity *who,
                               const struct trade_asked **out)
{
    for (int by = 0; by < 2; by++) {
        const struct fact_amendment *a = s->asked[by].amendment;
        if (a == NULL)
            continue;
        *out = &s->asked[by];
        if (identity_eq(&a->arbiter, who))
            return TRADE_ARBITER;
        if (a->has_substitute && identity_eq(&a->substitute, who))
            return TRADE_SUBSTITUTE;
    }
    *out = NULL;
    return TRADE_NOBODY;
}
