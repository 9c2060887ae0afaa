/* rail_world.h: people with keys, a trade's lock and a ledger in memory, for the rail's tests. */
#ifndef RAIL_WORLD_H
#define RAIL_WORLD_H
#include "node/rail/locks.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { WORLD_NOTES = 64, DAY_MS = 86400000 };
static const int64_t NOON = 1800000000000;

struct world {
    struct network net;
    struct rng rng;
    struct keypair issuer, member, party[RAIL_PARTIES], payout[RAIL_PARTIES];
    struct rail_lock lock;
    struct {
        struct id id, spent_by;
        struct buf opening;
    } notes[WORLD_NOTES];
    size_t notes_n;
    uint64_t left;
    struct arena arena;
    struct report report;
    struct transfer_refusal refusal;
    int64_t now;
};

static inline struct identity who(const struct keypair *k)
{
    struct identity i;
    memcpy(i.b, k->pk, 32);
    return i;
}
static inline struct trade_key key_of(const struct keypair *k)
{
    struct trade_key t;
    memcpy(t.b, k->pk, 32);
    return t;
}

static inline void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    assert_int_equal(network_make(&w->net, "rail", 0, 0, true), 0);
    rng_seed_u64(&w->rng, 7);
    arena_init(&w->arena, 1 << 20);
    sign_keypair_new(&w->issuer, &w->rng);
    sign_keypair_new(&w->member, &w->rng);
    struct rail_lock *l = &w->lock;
    l->rail = RECORD_RAIL_CREDIT;
    l->issuer = who(&w->issuer);
    memcpy(&l->amount.currency, &l->issuer, 32);
    l->amount.minor = 1000;
    memset(&l->contract, 0xc0, sizeof l->contract);
    memset(&l->stub, 0x57, sizeof l->stub);
    l->parties = 4;
    for (size_t i = 0; i < RAIL_PARTIES; i++) {
        sign_keypair_new(&w->party[i], &w->rng);
        sign_keypair_new(&w->payout[i], &w->rng);
        l->key[i] = key_of(&w->party[i]);
        l->payout[i] = key_of(&w->payout[i]);
    }
    l->substitute_from = NOON + 10 * (int64_t)DAY_MS;
    l->late_from = NOON + 20 * (int64_t)DAY_MS;
    l->late.minor[RAIL_BUYER] = 500;
    l->late.minor[RAIL_SELLER] = 500;
    w->now = NOON;
}

static inline void world_free(struct world *w)
{
    for (size_t i = 0; i < w->notes_n; i++)
        buf_free(&w->notes[i].opening);
    arena_free(&w->arena);
}

static inline bool world_note(void *arg, const struct id *id, struct span *opening, struct id *spent_by)
{
    struct world *w = arg;
    for (size_t i = 0; i < w->notes_n; i++)
        if (id_eq(&w->notes[i].id, id)) {
            *opening = buf_view(&w->notes[i].opening);
            *spent_by = w->notes[i].spent_by;
            return true;
        }
    return false;
}

static inline bool world_left(void *arg, const struct identity *member, uint64_t *minor)
{
    struct world *w = arg;
    struct identity me = who(&w->member);
    *minor = w->left;
    return identity_eq(member, &me);
}

static inline struct id world_add(struct world *w, const struct ledger_note *note)
{
    struct identity issuer = who(&w->issuer);
    assert_true(w->notes_n < WORLD_NOTES);
    note_id_of(&w->notes[w->notes_n].id, &w->net, &issuer, note);
    ledger_note_encode(&w->notes[w->notes_n].opening, note);
    return w->notes[w->notes_n++].id;
}

/* A note of one key, put on the ledger. */
static inline struct id world_give(struct world *w, const struct keypair *to, uint64_t minor)
{
    struct trade_key key = key_of(to);
    struct ledger_branch b;
    struct ledger_note n = {.minor = minor};
    lock_simple(&n.lock, &b, &key);
    rng_bytes(&w->rng, &n.value_salt, sizeof n.value_salt);
    rng_bytes(&w->rng, &n.stub_salt, sizeof n.stub_salt);
    return world_add(w, &n);
}

static inline enum ledger_refusal world_try(struct world *w, struct span bytes)
{
    struct transfer t;
    struct transfer_world tw = {&w->net, who(&w->issuer), who(&w->issuer), w->now, world_note, world_left,
                                w};
    w->refusal = (struct transfer_refusal){0};
    if (transfer_parse(&t, &w->net, bytes, &w->arena, &w->report))
        return LEDGER_REFUSAL_FORM;
    transfer_check(&t, &tw, &w->arena, &w->refusal, &w->report);
    return w->refusal.why;
}
#endif
