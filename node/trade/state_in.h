/* state_in.h: what the files of trade_state share; nobody else includes it. */
#ifndef SOUK_TRADE_STATE_IN_H
#define SOUK_TRADE_STATE_IN_H
#include "node/trade/state.h"

/* The set of facts, sorted once by id (so that nothing depends on order of arrival) and once by author and
 * the author's own order. */
struct trade_set {
    const struct trade_scene *scene;
    const struct fact_view *by_id[TRADE_FACTS_MOST];
    const struct fact_view *by_author[TRADE_FACTS_MOST];
    size_t n;
    const struct trade_receipt *receipts;
    size_t receipts_n;
};
const struct fact_view *set_find(const struct trade_set *set, const struct id *id);
/* Had the author of `later` seen `earlier` when it signed?  By its own chain, or by what it listed as seen
 * and the chain from there.  False where facts between are missing. */
bool set_saw(const struct trade_set *set, const struct fact_view *later, const struct fact_view *earlier);
/* The newest receipt of a lock, or NULL. */
const struct trade_receipt *set_receipt(const struct trade_set *set, const struct id *lock);

/* Does the key's owner hold it; did the author sign the stub of these terms? */
bool set_key_ok(const struct trade_set *set, const struct fact_view *f, const struct fact_key *key);
bool set_stub_ok(const struct trade_set *set, const struct fact_view *f, const struct fact_terms *terms,
                 const struct sig *sig);
static inline bool fact_is(const struct fact_view *f, unsigned kind, const struct identity *author)
{
    return f->e.kind == kind && identity_eq(&f->e.author, author);
}

/* state_agree.c: negotiation, and which contract stands. */
void state_agree(struct trade_state *s, struct trade_set *set);
const struct fact_key *proposal_key(const struct fact_view *proposal);

/* state_lock.c: locks, receipts, payouts.  A candidate contract's lock that is best attested, with its
 * rank: 0 none known, 1 enrolled, 2 ready, 3 the buyer says funded, 4 + funding at the rail. */
struct lock_found {
    unsigned rank;
    const struct fact_view *enrol[2], *ready;
    struct rail_lock lock;
    struct id id;
};
void state_lock_find(struct lock_found *out, struct trade_set *set, const struct fact_view *proposal,
                     const struct fact_view *accept);
void state_money(struct trade_state *s, struct trade_set *set);

/* What enrolments for one generation of one contract must show. */
struct wanted {
    const struct fact_terms *terms;
    const struct id *contract, *stub;
    const struct fact_key *keys[2];
    uint64_t generation;
    const struct fact_amendment *amendment;
};
const struct identity *wanted_who(const struct wanted *w, int role);
/* The lowest id that enrols for it in that role, with the key where one is given. */
const struct fact_view *wanted_enrol(const struct trade_set *set, const struct wanted *w, int role,
                                     const struct trade_key *key);
/* Builds the lock of these enrolments; false when someone is missing. */
bool wanted_build(struct lock_found *out, struct trade_set *set, const struct wanted *w,
                  const struct fact_view *arbiter, const struct fact_view *substitute);
bool amendment_eq(const struct fact_amendment *a, const struct fact_amendment *b);

/* state_next.c: rule 10.  The locks that enrolments describe for the generation after `w`. */
struct next_lock {
    struct lock_found found;
    struct id note; /* what it is on the rail */
    const struct fact_amendment *amendment;
};
struct next_locks {
    struct next_lock *v;
    size_t n;
};
void next_make(struct next_locks *out, struct trade_set *set, const struct wanted *w);
void next_free(struct next_locks *next);
const struct lock_found *next_by_id(const struct next_locks *next, const struct id *lock); /* or NULL */
const struct next_lock *next_by_note(const struct next_locks *next, const struct id *note);
const struct next_lock *next_by_amendment(const struct next_locks *next, const struct fact_amendment *a);
/* Who asked for whom after the lock of `w`, and what those say. */
void state_asked(struct trade_state *s, const struct trade_set *set, const struct wanted *w);
#endif
