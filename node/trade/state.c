/* state.c: the set of facts, and what of it needs no lock: goods, wishes, disputes, conduct, phase. */
#include "node/trade/state_in.h"

#include "crypto/sign.h"
#include "node/market/stub.h"
#include "node/trade/terms.h"

#include <stdlib.h>

static int compare_id(const void *a, const void *b)
{
    const struct fact_view *const *x = a, *const *y = b;
    return memcmp(&(*x)->id, &(*y)->id, sizeof(struct id));
}

static int compare_author(const void *a, const void *b)
{
    const struct fact_view *const *x = a, *const *y = b;
    int by = memcmp(&(*x)->e.author, &(*y)->e.author, sizeof(struct identity));
    return by ? by : fact_order(*x, *y);
}

static int set_make(struct trade_set *set, const struct trade_scene *scene, const struct fact_view *facts,
                    size_t n)
{
    const struct fact_view **all = xcalloc(n ? n : 1, sizeof(const struct fact_view *));
    size_t own = 0;
    for (size_t i = 0; i < n; i++)
        if (id_eq(&facts[i].e.trade, &scene->trade))
            all[own++] = &facts[i];
    if (own > 0)
        qsort(all, own, sizeof(const struct fact_view *), compare_id);
    set->scene = scene;
    set->n = 0;
    int err = 0;
    for (size_t i = 0; i < own && !err; i++) {
        if (set->n > 0 && id_eq(&set->by_id[set->n - 1]->id, &all[i]->id))
            continue;
        if (set->n == TRADE_FACTS_MOST) {
            err = SOUK_EQUOTA;
            continue;
        }
        set->by_id[set->n] = set->by_author[set->n] = all[i];
        set->n++;
    }
    free(all);
    if (set->n > 0)
        qsort(set->by_author, set->n, sizeof(const struct fact_view *), compare_author);
    return err;
}

const struct fact_view *set_find(const struct trade_set *set, const struct id *id)
{
    size_t low = 0, high = set->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = memcmp(id, &set->by_id[mid]->id, sizeof *id);
        if (c == 0)
            return set->by_id[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

bool set_saw(const struct trade_set *set, const struct fact_view *later, const struct fact_view *earlier)
{
    const struct fact_view *at = later;
    if (!identity_eq(&later->e.author, &earlier->e.author)) {
        at = NULL;
        for (size_t i = 0; i < later->e.seen_n; i++)
            if (identity_eq(&later->e.seen[i].author, &earlier->e.author))
                at = set_find(set, &later->e.seen[i].fact);
    }
    /* Counts fall along a chain, so the walk ends whatever the facts say. */
    while (at && identity_eq(&at->e.author, &earlier->e.author)) {
        if (at == earlier)
            return at != later;
        const struct fact_view *prev = at->e.has_prev ? set_find(set, &at->e.prev) : NULL;
        if (prev == NULL || prev->e.seq >= at->e.seq)
            return false;
        at = prev;
    }
    return false;
}

static bool signature_ok(const struct trade_set *set, const uint8_t *key, const struct id *hash,
                         const struct sig *sig)
{
    if (set->scene->signature)
        return set->scene->signature(set->scene->ctx, key, hash, sig);
    return sign_check(key, hash, sig);
}

bool set_key_ok(const struct trade_set *set, const struct fact_view *f, const struct fact_key *key)
{
    struct id hash;
    bool payable =
        set->scene->key ? set->scene->key(set->scene->ctx, &key->payout) : sign_key_ok(key->payout.b);
    if (!payable)
        return false;
    fact_possession_hash(&hash, set->scene->network, &key->key, &set->scene->trade, &f->e.author);
    return signature_ok(set, key->key.b, &hash, &key->proof);
}

bool set_stub_ok(const struct trade_set *set, const struct fact_view *f, const struct fact_terms *terms,
                 const struct sig *sig)
{
    struct record_stub stub;
    struct id hash;
    fact_stub(&stub, set->scene->network, terms);
    stub_hash(&hash, set->scene->network, &stub);
    return signature_ok(set, f->e.author.b, &hash, sig);
}

/* Of an author's facts of a kind: the first in its own order, or the newest. */
static const struct fact_view *first_of(const struct trade_set *set, const struct identity *author,
                                        unsigned kind)
{
    for (size_t i = 0; i < set->n; i++)
        if (fact_is(set->by_author[i], kind, author))
            return set->by_author[i];
    return NULL;
}

static void find_requests(struct trade_state *s, const struct trade_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *f = set->by_author[i];
        if (f->e.kind != FACT_REQUEST)
            continue;
        int who = identity_eq(&f->e.author, &s->buyer)    ? TRADE_BUYER
                  : identity_eq(&f->e.author, &s->seller) ? TRADE_SELLER
                                                          : -1;
        if (who >= 0)
            s->requests[who][f->body.request.what] = f;
    }
}

/* Decided, or was to, on a lock before the present one. */
static bool decided_before(const struct trade_state *s, const struct identity *who)
{
    for (size_t i = 0; i + 1 < s->locks_n; i++)
        if ((s->locks[i].has_arbiter && identity_eq(who, &s->locks[i].arbiter)) ||
            (s->locks[i].has_substitute && identity_eq(who, &s->locks[i].substitute)))
            return true;
    return false;
}

/* The fact by which the buyer moved the money to the present lock. */
static const struct fact_view *moved_by(const struct trade_state *s)
{
    const struct trade_lock *old = s->locks_n > 1 ? &s->locks[s->locks_n - 2] : NULL;
    for (size_t i = 0; old && i < old->payouts_n; i++)
        if (old->payouts[i].kind == PAYOUT_MOVE && id_eq(&old->payouts[i].next, &s->lock->id))
            return old->payouts[i].moved_by;
    return NULL;
}

/* A case by the present arbiter or substitute counts before one by a former arbiter; "taken" before "too
 * late" (an arbiter that said both is bound by what it took). */
static void find_cases(struct trade_state *s, const struct trade_set *set, struct trade_dispute *d)
{
    int best = -1;
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *f = set->by_id[i];
        if (f->e.kind != FACT_CASE || !id_eq(&f->body.taken.dispute, &d->fact->id))
            continue;
        enum trade_role by = trade_role_of(s, &f->e.author);
        bool now = by == TRADE_ARBITER || by == TRADE_SUBSTITUTE;
        bool then = decided_before(s, &f->e.author);
        bool taken = f->body.taken.taken && f->body.taken.arrived <= terms_cutoff(s->terms);
        /* A new arbiter may take what reached it late but was seen in time. */
        if (f->body.taken.taken && s->locks_n > 1 && now)
            taken = true;
        int weight = (now ? 2 : then ? 0 : -9) + (taken ? 1 : 0);
        if (weight > best) {
            best = weight;
            d->how = taken ? CASE_TAKEN : CASE_TOO_LATE;
        }
    }
}

static void find_disputes(struct trade_state *s, const struct trade_set *set)
{
    const struct identity *people[] = {&s->buyer, &s->seller};
    const struct fact_view *moved = moved_by(s);
    for (int who = 0; who < 2; who++) {
        struct trade_dispute *d = &s->disputes[who];
        d->fact = first_of(set, people[who], FACT_DISPUTE);
        if (d->fact == NULL)
            continue;
        d->how = CASE_OPEN;
        find_cases(s, set, d);
        /* The seller completed the move with this fact before it, so it knew. */
        d->seen_in_time = moved && set_saw(set, moved, d->fact);
        for (size_t i = 0; i < set->n && !d->seen_in_time; i++) {
            const struct fact_view *f = set->by_id[i];
            d->seen_in_time = identity_eq(&f->e.author, people[!who]) &&
                              f->e.time <= terms_cutoff(s->terms) && set_saw(set, f, d->fact);
        }
    }
}

static void find_ruling(struct trade_state *s, const struct trade_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *f = set->by_id[i];
        if (f->e.kind != FACT_RULING)
            continue;
        enum trade_role by = trade_role_of(s, &f->e.author);
        if (by != TRADE_ARBITER && by != TRADE_SUBSTITUTE)
            continue;
        bool about = s->lock ? f->body.ruling.has_lock && id_eq(&f->body.ruling.lock, &s->lock->id)
                             : !f->body.ruling.has_lock;
        bool asked = (s->disputes[0].fact && id_eq(&f->body.ruling.dispute, &s->disputes[0].fact->id)) ||
                     (s->disputes[1].fact && id_eq(&f->body.ruling.dispute, &s->disputes[1].fact->id));
        if (about && asked && s->ruling == NULL)
            s->ruling = f; /* sorted by id: the lowest has effect */
    }
}

static void find_conduct(struct trade_state *s, const struct trade_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *f = set->by_author[i];
        enum trade_role role = trade_role_of(s, &f->e.author);
        const struct trade_asked *asked;
        if (role == TRADE_NOBODY)
            s->strangers_n +=
                !decided_before(s, &f->e.author) && trade_asked_of(s, &f->e.author, &asked) == TRADE_NOBODY;
        else if (f->e.epoch > s->epochs[role])
            s->epochs[role] = (uint32_t)f->e.epoch;
        const struct fact_view *g = i > 0 ? set->by_author[i - 1] : NULL;
        if (g && identity_eq(&g->e.author, &f->e.author) && g->e.epoch == f->e.epoch &&
            g->e.seq == f->e.seq && s->stories_n < TRADE_STORIES_MOST)
            s->stories[s->stories_n++] =
                (struct trade_story){.author = f->e.author, .first = g->id, .second = f->id};
    }
}

static enum trade_phase phase_settled(const struct trade_state *s)
{
    const struct trade_lock *l = s->lock;
    if (l->settled_late)
        return TRADE_LATE;
    unsigned kind = payout_kind_of(s->terms, &l->paid, false);
    return kind & PAYOUT_TO_SELLER ? TRADE_RELEASED : kind & PAYOUT_TO_BUYER ? TRADE_REFUNDED : TRADE_SPLIT;
}

static bool disputed(const struct trade_state *s)
{
    for (int i = 0; i < 2; i++)
        if (s->disputes[i].fact && s->disputes[i].how != CASE_TOO_LATE)
            return true;
    return false;
}

static enum trade_phase phase_direct(const struct trade_state *s)
{
    if (s->ruling)
        return TRADE_RULED;
    if (s->terms->has_arbiter && disputed(s))
        return TRADE_DISPUTED;
    if (s->received)
        return s->shipped ? TRADE_RELEASED : TRADE_FUNDED;
    if (s->shipped)
        return TRADE_SHIPPED;
    if (s->paid)
        return TRADE_PAID;
    return s->refused ? TRADE_REFUSED : s->enrolled ? TRADE_ENROLLED : TRADE_AGREED;
}

static enum trade_phase phase_of(const struct trade_state *s)
{
    if (!s->agreed) {
        if (s->open[0] || s->open[1])
            return TRADE_OFFERED;
        if (s->declined || s->withdrawn)
            return s->withdrawn && (!s->declined || s->withdrawn->e.time > s->declined->e.time)
                       ? TRADE_WITHDRAWN
                       : TRADE_DECLINED;
        return TRADE_EMPTY;
    }
    if (s->terms->rail == RECORD_RAIL_DIRECT)
        return phase_direct(s);
    if (s->lock == NULL)
        return s->refused ? TRADE_REFUSED : s->enrolled ? TRADE_ENROLLED : TRADE_AGREED;
    if (s->lock->settled)
        return s->lock->moved ? TRADE_DISPUTED : phase_settled(s);
    if (s->lock->funding < FUNDING_CONFIRMED)
        return s->shipped ? TRADE_SHIPPED : s->ready ? TRADE_READY : TRADE_ENROLLED;
    if (s->ruling || ((s->lock->signed_kinds[TRADE_ARBITER] | s->lock->signed_kinds[TRADE_SUBSTITUTE]) &
                      (unsigned)~PAYOUT_MOVE))
        return TRADE_RULED;
    if (disputed(s))
        return TRADE_DISPUTED;
    return s->shipped ? TRADE_SHIPPED : TRADE_FUNDED;
}

int trade_state(struct trade_state *out, const struct trade_scene *scene, const struct fact_view *facts,
                size_t n, const struct trade_receipt *receipts, size_t receipts_n)
{
    struct trade_set own, *set = &own;
    int err = set_make(set, scene, facts, n);
    if (err)
        return err;
    set->receipts = receipts;
    set->receipts_n = receipts_n;
    memset(out, 0, sizeof *out);
    out->facts_n = set->n;
    state_agree(out, set);
    if (out->agreed) {
        find_requests(out, set);
        state_money(out, set);
        out->opened = first_of(set, &out->buyer, FACT_OPENED);
        out->funded = first_of(set, &out->buyer, FACT_FUNDED);
        out->paid = first_of(set, &out->buyer, FACT_PAID);
        out->received = first_of(set, &out->seller, FACT_RECEIVED);
        out->shipped = first_of(set, &out->seller, FACT_SHIPPED);
        find_disputes(out, set);
        find_ruling(out, set);
    }
    find_conduct(out, set);
    out->phase = phase_of(out);
    return 0;
}

enum trade_role trade_role_of(const struct trade_state *s, const struct identity *who)
{
    if (s->terms == NULL)
        return TRADE_NOBODY;
    if (identity_eq(who, &s->buyer))
        return TRADE_BUYER;
    if (identity_eq(who, &s->seller))
        return TRADE_SELLER;
    const struct trade_lock *l = s->lock;
    if (l ? l->has_arbiter && identity_eq(who, &l->arbiter)
          : s->terms->has_arbiter && identity_eq(who, &s->terms->arbiter))
        return TRADE_ARBITER;
    if (l ? l->has_substitute && identity_eq(who, &l->substitute)
          : s->terms->has_substitute && identity_eq(who, &s->terms->substitute))
        return TRADE_SUBSTITUTE;
    return TRADE_NOBODY;
}

bool trade_open(const struct trade_state *s)
{
    return s->lock && !s->lock->settled && s->lock->funding != FUNDING_NONE &&
           s->lock->funding != FUNDING_REVERSED;
}

bool trade_settled(const struct trade_state *s)
{
    return s->phase >= TRADE_RELEASED;
}
