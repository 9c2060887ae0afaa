/* state_lock.c: the locks of a contract, what the rail says of them, and who signed which payout. */
#include "node/trade/state_in.h"

#include "node/market/stub.h"
#include "node/trade/terms.h"

enum { PAYOUTS_A_ROLE = 16 };
_Static_assert(TRADE_PAYOUTS_MOST == 4 * PAYOUTS_A_ROLE + 2, "every role's splits, release and refund");

static int receipt_compare(const struct trade_receipt *a, const struct trade_receipt *b)
{
    int64_t x[] = {(int64_t)a->seq, a->settled,     a->funding,      a->confirmations, a->late,
                   a->moved,        a->split.buyer, a->split.seller, a->split.arbiter, a->at};
    int64_t y[] = {(int64_t)b->seq, b->settled,     b->funding,      b->confirmations, b->late,
                   b->moved,        b->split.buyer, b->split.seller, b->split.arbiter, b->at};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return memcmp(&a->next, &b->next, sizeof a->next);
}

const struct trade_receipt *set_receipt(const struct trade_set *set, const struct id *lock)
{
    const struct trade_receipt *best = NULL;
    for (size_t i = 0; i < set->receipts_n; i++)
        if (id_eq(&set->receipts[i].lock, lock) &&
            (best == NULL || receipt_compare(best, &set->receipts[i]) < 0))
            best = &set->receipts[i];
    return best;
}

bool amendment_eq(const struct fact_amendment *a, const struct fact_amendment *b)
{
    return identity_eq(&a->arbiter, &b->arbiter) && a->has_substitute == b->has_substitute &&
           (!a->has_substitute || identity_eq(&a->substitute, &b->substitute)) &&
           a->rule_by == b->rule_by && a->has_substitute_rule_by == b->has_substitute_rule_by &&
           (!a->has_substitute_rule_by || a->substitute_rule_by == b->substitute_rule_by) &&
           a->late_at == b->late_at;
}

const struct identity *wanted_who(const struct wanted *w, int role)
{
    if (role == 0)
        return w->amendment ? &w->amendment->arbiter : w->terms->has_arbiter ? &w->terms->arbiter : NULL;
    if (w->amendment)
        return w->amendment->has_substitute ? &w->amendment->substitute : NULL;
    return w->terms->has_substitute ? &w->terms->substitute : NULL;
}

const struct fact_view *wanted_enrol(const struct trade_set *set, const struct wanted *w, int role,
                                     const struct trade_key *key)
{
    const struct identity *who = wanted_who(w, role);
    for (size_t i = 0; who && i < set->n; i++) {
        const struct fact_view *f = set->by_id[i];
        if (!fact_is(f, FACT_ENROL, who))
            continue;
        const struct fact_enrol *e = &f->body.enrol;
        if (!id_eq(&e->contract, w->contract) || e->generation != w->generation ||
            e->has_amendment != (w->amendment != NULL) ||
            (w->amendment && !amendment_eq(&e->amendment, w->amendment)) ||
            (key && memcmp(key, &e->key.key, sizeof *key) != 0))
            continue;
        if (set_key_ok(set, f, &e->key) && set_stub_ok(set, f, w->terms, &e->stub_sig))
            return f;
    }
    return NULL;
}

bool wanted_build(struct lock_found *out, struct trade_set *set, const struct wanted *w,
                  const struct fact_view *arbiter, const struct fact_view *substitute)
{
    if (arbiter == NULL || (wanted_who(w, 1) && substitute == NULL))
        return false;
    struct lock_source from = {.terms = w->terms,
                               .contract = w->contract,
                               .stub = w->stub,
                               .buyer = w->keys[TRADE_BUYER],
                               .seller = w->keys[TRADE_SELLER],
                               .arbiter = &arbiter->body.enrol.key,
                               .substitute = substitute ? &substitute->body.enrol.key : NULL,
                               .amendment = w->amendment};
    if (lock_make(&out->lock, &from, NULL) != 0)
        return false;
    out->enrol[0] = arbiter;
    out->enrol[1] = substitute;
    rail_lock_id(&out->id, set->scene->network, &out->lock);
    return true;
}

static unsigned attested(const struct trade_set *set, const struct fact_terms *terms, const struct id *lock,
                         unsigned least)
{
    const struct trade_receipt *r = set_receipt(set, lock);
    if (r && r->funding != FUNDING_NONE)
        return 4 + (unsigned)r->funding;
    for (size_t i = 0; i < set->n; i++)
        if (fact_is(set->by_id[i], FACT_FUNDED, &terms->buyer) &&
            id_eq(&set->by_id[i]->body.funded.lock, lock))
            return 3;
    return least;
}

static void wanted_first(struct wanted *w, const struct fact_view *proposal, const struct fact_view *accept,
                         const struct id *contract, const struct id *stub)
{
    bool by_buyer = identity_eq(&proposal->e.author, &proposal->terms.buyer);
    *w = (struct wanted){.terms = &proposal->terms, .contract = contract, .stub = stub};
    w->keys[by_buyer ? TRADE_BUYER : TRADE_SELLER] = proposal_key(proposal);
    w->keys[by_buyer ? TRADE_SELLER : TRADE_BUYER] = &accept->body.accept.key;
}

/* The lock that a `ready` is over, when it is one of this contract: `known` itself, or another enrolment's.
 */
static bool ready_lock(struct lock_found *out, const struct lock_found *known, struct trade_set *set,
                       const struct wanted *w, const struct fact_view *ready)
{
    struct buf b = {0};
    rail_lock_encode(&b, &known->lock);
    bool same = span_eq(buf_view(&b), ready->body.ready.lock);
    buf_free(&b);
    if (same) {
        *out = *known;
        return true;
    }
    struct rail_lock said;
    struct id said_id;
    if (rail_lock_decode(&said, ready->body.ready.lock, NULL) != 0 || !id_eq(&said.contract, w->contract))
        return false;
    rail_lock_id(&said_id, set->scene->network, &said);
    memset(out, 0, sizeof *out);
    return wanted_build(out, set, w, wanted_enrol(set, w, 0, &said.key[RAIL_ARBITER]),
                        wanted_enrol(set, w, 1, &said.key[RAIL_SUBSTITUTE])) &&
           id_eq(&said_id, &out->id);
}

void state_lock_find(struct lock_found *out, struct trade_set *set, const struct fact_view *proposal,
                     const struct fact_view *accept)
{
    struct wanted w;
    struct id contract, stub;
    struct record_stub plain;
    memset(out, 0, sizeof *out);
    fact_contract_hash(&contract, set->scene->network, &proposal->id, &accept->id);
    fact_stub(&plain, set->scene->network, &proposal->terms);
    stub_hash(&stub, set->scene->network, &plain);
    wanted_first(&w, proposal, accept, &contract, &stub);
    const struct fact_view *arbiter = wanted_enrol(set, &w, 0, NULL),
                           *substitute = wanted_enrol(set, &w, 1, NULL);
    out->enrol[0] = arbiter;
    out->enrol[1] = substitute;
    if (w.terms->rail == RECORD_RAIL_DIRECT) {
        out->rank = arbiter ? 1 : 0;
        return;
    }
    if (!wanted_build(out, set, &w, arbiter, substitute))
        return;
    out->rank = attested(set, w.terms, &out->id, 1);
    /* Other enrolments of the same arbiter count only where the seller stood ready on one of them. */
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *f = set->by_id[i];
        struct lock_found other;
        if (!fact_is(f, FACT_READY, &w.terms->seller) || !ready_lock(&other, out, set, &w, f))
            continue;
        other.ready = f;
        other.rank = attested(set, w.terms, &other.id, 2);
        int lower = memcmp(&other.id, &out->id, sizeof other.id);
        if (other.rank > out->rank || (other.rank == out->rank && (lower < 0 || out->ready == NULL)))
            *out = other;
    }
}

/* ---- payouts ---- */

static enum trade_role signer_role(const struct trade_state *s, const struct trade_lock *l,
                                   const struct lock_found *found, const struct fact_view *f)
{
    const struct trade_key *key = &f->body.payout.key;
    const struct fact_key *keys[4] = {s->keys[TRADE_BUYER], s->keys[TRADE_SELLER],
                                      found->enrol[0] ? &found->enrol[0]->body.enrol.key : NULL,
                                      found->enrol[1] ? &found->enrol[1]->body.enrol.key : NULL};
    const struct identity *who[4] = {&s->buyer, &s->seller, &l->arbiter, &l->substitute};
    for (int role = 0; role < 4; role++)
        if (keys[role] && identity_eq(&f->e.author, who[role]) &&
            memcmp(key, &keys[role]->key, sizeof *key) == 0)
            return (enum trade_role)role;
    return TRADE_NOBODY;
}

struct signed_by {
    struct trade_payout v[PAYOUTS_A_ROLE];
    size_t n;
};

/* Keeps the lowest ids: a flood of splits by one hides only that one's own. */
static void keep(struct signed_by *list, const struct trade_payout *p)
{
    size_t at = 0;
    while (at < list->n && memcmp(&list->v[at].id, &p->id, sizeof p->id) < 0)
        at++;
    if ((at < list->n && id_eq(&list->v[at].id, &p->id)) || at == PAYOUTS_A_ROLE)
        return;
    size_t end = list->n < PAYOUTS_A_ROLE ? list->n : PAYOUTS_A_ROLE - 1;
    memmove(&list->v[at + 1], &list->v[at], (end - at) * sizeof *list->v);
    list->v[at] = *p;
    list->n = end + 1;
}

static void merge(struct trade_lock *l, const struct trade_payout *p, unsigned signer)
{
    size_t i = 0;
    while (i < l->payouts_n && !id_eq(&l->payouts[i].id, &p->id))
        i++;
    if (i == l->payouts_n) {
        MUST(l->payouts_n < TRADE_PAYOUTS_MOST);
        l->payouts[l->payouts_n] = *p;
        l->payouts[l->payouts_n++].signers = 0;
    }
    l->payouts[i].signers |= signer;
    if (signer == 1u << TRADE_BUYER)
        l->payouts[i].moved_by = p->moved_by;
}

static bool payout_read(struct trade_payout *out, const struct trade_state *s, const struct trade_set *set,
                        const struct trade_lock *l, enum trade_role by, const struct fact_view *f,
                        const struct next_locks *next)
{
    const struct fact_payout *p = &f->body.payout;
    const struct lock_found *to = NULL;
    struct rail_split parts = split_for_rail(&p->split);
    struct sig sig;
    memset(out, 0, sizeof *out);
    out->split = p->split;
    out->kind = payout_kind_of(s->terms, &p->split, p->has_next);
    if (out->kind == 0)
        return false;
    if (p->has_next) {
        to = next_by_id(next, &p->next);
        if (to == NULL || by > TRADE_SELLER) /* the two parties move the money; nobody else */
            return false;
        out->next = p->next;
        out->moved_by = f;
    }
    payout_name(&out->id, set->scene->network, &l->id, &p->split, p->has_next ? &p->next : NULL);
    if (set->scene->payout)
        return set->scene->payout(set->scene->ctx, &l->lock, to ? &to->lock : NULL, (enum rail_party)by,
                                  &out->id, p);
    if (p->sig.n != sizeof sig)
        return false;
    memcpy(&sig, p->sig.p, sizeof sig);
    return (to ? rail_move_check(set->scene->network, &l->lock, &to->lock, (enum rail_party)by, &sig, NULL)
               : rail_payout_check(set->scene->network, &l->lock, &parts, (enum rail_party)by, &sig,
                                   NULL)) == 0;
}

static void find_payouts(struct trade_state *s, const struct trade_set *set, struct trade_lock *l,
                         const struct lock_found *found, const struct next_locks *next)
{
    struct signed_by lists[4] = {0};
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *f = set->by_id[i];
        if (f->e.kind != FACT_PAYOUT || !id_eq(&f->body.payout.lock, &l->id))
            continue;
        enum trade_role role = signer_role(s, l, found, f);
        struct trade_payout p;
        if (role == TRADE_NOBODY || !payout_read(&p, s, set, l, role, f, next))
            continue;
        l->signed_kinds[role] |= p.kind;
        if (p.kind & (PAYOUT_RELEASE | PAYOUT_REFUND))
            merge(l, &p, 1u << role);
        else
            keep(&lists[role], &p);
    }
    for (unsigned role = 0; role < 4; role++)
        for (size_t i = 0; i < lists[role].n; i++)
            merge(l, &lists[role].v[i], 1u << role);
}

/* ---- locks in their order ---- */

/* next: the locks that it may be moved into; NULL where that is not asked. */
static struct trade_lock *add_lock(struct trade_state *s, const struct trade_set *set,
                                   const struct lock_found *found, const struct wanted *w,
                                   const struct next_locks *next)
{
    struct trade_lock *l = &s->locks[s->locks_n++];
    memset(l, 0, sizeof *l);
    l->id = found->id;
    l->lock = found->lock;
    l->has_arbiter = wanted_who(w, 0) != NULL;
    l->has_substitute = wanted_who(w, 1) != NULL;
    if (l->has_arbiter)
        l->arbiter = *wanted_who(w, 0);
    if (l->has_substitute)
        l->substitute = *wanted_who(w, 1);
    l->rule_by = w->amendment ? w->amendment->rule_by : w->terms->rule_by;
    l->substitute_rule_by = w->amendment ? w->amendment->substitute_rule_by : w->terms->substitute_rule_by;
    l->late_at = w->amendment ? w->amendment->late_at : w->terms->late_at;
    l->late = payout_late(w->terms);
    const struct trade_receipt *r = set_receipt(set, &l->id);
    if (r) {
        l->funding = r->funding;
        l->confirmations = r->confirmations;
        if (l->funding == FUNDING_CONFIRMED && r->confirmations < w->terms->confirmations)
            l->funding = FUNDING_SEEN;
        l->settled = r->settled;
        l->settled_late = r->settled && r->late;
        l->moved = r->settled && r->moved;
        l->moved_at = l->moved ? r->at : 0;
        l->paid = r->split;
    }
    find_payouts(s, set, l, found, next);
    return l;
}

void state_money(struct trade_state *s, struct trade_set *set)
{
    struct lock_found found;
    struct wanted w;
    state_lock_find(&found, set, s->proposal, s->accept);
    wanted_first(&w, s->proposal, s->accept, &s->contract, &s->stub);
    s->enrol[0] = found.enrol[0];
    s->enrol[1] = found.enrol[1];
    s->ready = found.ready;
    s->enrolled = (!s->terms->has_arbiter || s->enrol[0]) && (!s->terms->has_substitute || s->enrol[1]);
    for (size_t i = 0; i < set->n && !s->enrolled && !s->refused; i++) {
        const struct fact_view *f = set->by_id[i];
        for (int role = 0; role < 2; role++)
            if (wanted_who(&w, role) && fact_is(f, FACT_REFUSE, wanted_who(&w, role)) &&
                id_eq(&f->body.refuse.contract, &s->contract) && s->enrol[role] == NULL)
                s->refused = f;
    }
    if (!s->enrolled || s->terms->rail == RECORD_RAIL_DIRECT || is_zero(&found.id, sizeof found.id))
        return;
    struct next_locks next;
    next_make(&next, set, &w);
    s->lock = add_lock(s, set, &found, &w, &next);
    while (s->lock->moved && s->locks_n < TRADE_LOCKS_MOST && !s->lock_unknown) {
        const struct next_lock *to = next_by_note(&next, &set_receipt(set, &s->lock->id)->next);
        s->lock_unknown = to == NULL;
        if (to == NULL)
            break;
        int64_t since = s->lock->moved_at;
        found = to->found;
        w.amendment = to->amendment;
        w.generation++;
        next_free(&next);
        next_make(&next, set, &w);
        s->enrol[0] = found.enrol[0];
        s->enrol[1] = found.enrol[1];
        s->lock = add_lock(s, set, &found, &w, &next);
        s->lock->since = since;
    }
    if (!s->lock->settled && s->locks_n < TRADE_LOCKS_MOST) {
        state_asked(s, set, &w);
        const struct next_lock *to = s->asked[TRADE_BUYER].amendment
                                         ? next_by_amendment(&next, s->asked[TRADE_BUYER].amendment)
                                         : NULL;
        w.amendment = to ? to->amendment : NULL;
        if (to) {
            s->next = add_lock(s, set, &to->found, &w, NULL);
            s->locks_n--; /* it is not one yet */
        }
    }
    next_free(&next);
}

bool trade_signers_settle(const struct trade_lock *lock, unsigned signers, int64_t now_ms)
{
    unsigned pair = ((signers >> TRADE_BUYER) & 1) + ((signers >> TRADE_SELLER) & 1);
    unsigned arbiter = (signers >> TRADE_ARBITER) & 1;
    unsigned substitute = now_ms >= lock->rule_by ? (signers >> TRADE_SUBSTITUTE) & 1 : 0;
    return pair + arbiter >= 2 || pair + substitute >= 2;
}
