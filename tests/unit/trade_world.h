/* trade_world.h: people who trade, for tests: each has keys, a chain of facts, and holds what reached it.
 * Signatures are stand-ins (a hash of key and message) unless a test asks for real ones, so that thousands
 * of trades fit into seconds; nobody here signs with another's key. */
#pragma GCC diagnostic ignored "-Wunused-function" /* each test uses some of these */
#ifndef TRADE_WORLD_H
#define TRADE_WORLD_H
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "node/market/stub.h"
#include "node/trade/moves.h"
#include "node/trade/terms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { W_FACTS = 256, W_PEOPLE = 4, W_DELTA = 1000, W_START = 1000000 };

struct person {
    struct keypair identity;
    struct trade_key key;
    struct keypair pair; /* of key */
    struct trade_party party;
    uint64_t seq;
    struct id prev;
    uint8_t has[W_FACTS]; /* which facts of the world reached it */
};
struct world {
    struct network net;
    struct rng rng;
    struct arena arena;
    struct trade_scene scene;
    struct person people[W_PEOPLE];
    struct fact_terms terms;
    struct fact_view facts[W_FACTS];
    size_t facts_n;
    struct trade_receipt receipts[4];
    size_t receipts_n;
    int64_t now;
    bool real; /* signatures, not stand-ins */
    struct trade_state state;
    struct fact_view held[W_FACTS];
};

static void stand_in(struct sig *out, const uint8_t *key, const struct id *hash)
{
    struct network none = {0};
    struct id h;
    struct span parts[] = {span(key, 32), SPAN_OF(*hash)};
    hash_souk(&h, &none, "test:sig", parts, 2);
    memcpy(out->b, h.b, 32);
    memcpy(out->b + 32, key, 32);
}
static bool stand_in_signature(void *ctx, const uint8_t key[static 32], const struct id *hash,
                               const struct sig *sig)
{
    (void)ctx;
    struct sig want;
    stand_in(&want, key, hash);
    return memcmp(&want, sig, sizeof want) == 0;
}
static bool stand_in_key(void *ctx, const struct trade_key *key)
{
    (void)ctx;
    return !is_zero(key, sizeof *key);
}
static bool stand_in_payout(void *ctx, const struct rail_lock *lock, const struct rail_lock *next,
                            enum rail_party by, const struct id *payout, const struct fact_payout *p)
{
    struct sig want;
    (void)ctx, (void)next;
    stand_in(&want, lock->key[by].b, payout);
    return span_eq(p->sig, SPAN_OF(want));
}

static void world_terms(struct world *w)
{
    struct fact_terms *t = &w->terms;
    struct identity who[4];
    for (int i = 0; i < 4; i++)
        memcpy(&who[i], w->people[i].identity.pk, 32);
    memset(t, 0, sizeof *t);
    rng_bytes(&w->rng, &t->nonce, sizeof t->nonce);
    t->buyer = who[0];
    t->seller = who[1];
    t->has_arbiter = true;
    t->arbiter = who[2];
    rng_bytes(&w->rng, &t->listing, sizeof t->listing);
    t->quantity = 1;
    t->rail = RECORD_RAIL_MOCK;
    t->has_issuer = true;
    memset(&t->issuer, 7, sizeof t->issuer);
    memset(&t->price.currency, 7, sizeof t->price.currency);
    t->price.minor = 10000;
    t->fee_bp = 500;
    t->confirmations = 1;
    t->late_buyer_bp = 10000;
    struct terms_choice choice = {.valid_ms = W_DELTA * 4,
                                  .fund_ms = W_DELTA * 4,
                                  .ship_ms = W_DELTA * 2,
                                  .deliver_ms = W_DELTA * 3,
                                  .inspect_ms = W_DELTA * 2,
                                  .rule_ms = W_DELTA * 2,
                                  .delta_ms = W_DELTA};
    assert_int_equal(terms_default(t, &choice, w->now, NULL), 0);
}

/* A real key even with stand-in signatures, for the rail looks at keys. */
static void world_new_key(struct world *w, int who)
{
    sign_keypair_new(&w->people[who].pair, &w->rng);
    memcpy(&w->people[who].key, w->people[who].pair.pk, 32);
}
static void world_sign(const struct world *w, struct sig *out, const struct keypair *pair,
                       const struct id *hash)
{
    if (w->real)
        sign_hash(out, pair->sk, hash);
    else
        stand_in(out, pair->pk, hash);
}
static void world_real(struct world *w)
{
    w->real = true;
    w->scene.key = NULL;
    w->scene.signature = NULL;
    w->scene.payout = NULL;
}

static void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    assert_int_equal(network_make(&w->net, "test", 0, 0, true), 0);
    rng_seed_u64(&w->rng, seed);
    arena_init(&w->arena, 4 << 20);
    w->now = W_START;
    for (int i = 0; i < W_PEOPLE; i++) {
        uint8_t s[32];
        memset(s, i + 1, sizeof s);
        sign_keypair_from_seed(&w->people[i].identity, s);
        world_new_key(w, i);
        w->people[i].party.role = (enum trade_role)i;
    }
    w->scene = (struct trade_scene){.network = &w->net,
                                    .key = stand_in_key,
                                    .signature = stand_in_signature,
                                    .payout = stand_in_payout};
    world_terms(w);
    fact_trade_id(&w->scene.trade, &w->net, &w->terms.buyer, &w->terms.seller, &w->terms.nonce);
}
static void world_free(struct world *w)
{
    arena_free(&w->arena);
}

static struct fact_key world_key(struct world *w, int who)
{
    struct fact_key k = {.key = w->people[who].key, .payout = w->people[who].key};
    struct id hash;
    struct identity owner;
    memcpy(&owner, w->people[who].identity.pk, 32);
    fact_possession_hash(&hash, &w->net, &k.key, &w->scene.trade, &owner);
    world_sign(w, &k.proof, &w->people[who].pair, &hash);
    return k;
}
static struct sig world_stub(struct world *w, int who, const struct fact_terms *t)
{
    struct record_stub stub;
    struct id hash;
    struct sig sig;
    fact_stub(&stub, &w->net, t);
    stub_hash(&hash, &w->net, &stub);
    world_sign(w, &sig, &w->people[who].identity, &hash);
    return sig;
}

/* Signs a fact with an encoded body (which it frees) at a place in the author's chain; returns its index.
 */
static size_t world_fact_at(struct world *w, int who, unsigned kind, struct buf *body, uint64_t seq,
                            const struct id *prev)
{
    struct person *p = &w->people[who];
    struct fact_seen seen[FACT_SEEN_MOST];
    struct fact_envelope e = {.trade = w->scene.trade,
                              .seq = seq,
                              .has_prev = seq > 1,
                              .kind = kind,
                              .time = w->now,
                              .body = buf_view(body),
                              .epoch = p->party.epoch};
    if (prev)
        e.prev = *prev;
    memcpy(&e.author, p->identity.pk, 32);
    for (int other = 0; other < W_PEOPLE; other++) {
        const struct fact_view *newest = NULL;
        for (size_t i = 0; i < w->facts_n; i++)
            if (other != who && p->has[i] &&
                memcmp(&w->facts[i].e.author, w->people[other].identity.pk, 32) == 0 &&
                (newest == NULL || fact_order(newest, &w->facts[i]) < 0))
                newest = &w->facts[i];
        if (newest)
            seen[e.seen_n++] = (struct fact_seen){newest->e.author, newest->id};
    }
    for (size_t i = 0; i < e.seen_n; i++) /* rising by author */
        for (size_t j = i + 1; j < e.seen_n; j++)
            if (memcmp(&seen[i].author, &seen[j].author, 32) > 0) {
                struct fact_seen swap = seen[i];
                seen[i] = seen[j];
                seen[j] = swap;
            }
    e.seen = seen;
    struct buf envelope = {0}, out = {0};
    struct id id;
    struct sig sig;
    assert_int_equal(fact_prepare(&envelope, &id, &w->net, &e, NULL), 0);
    world_sign(w, &sig, &p->identity, &id);
    fact_seal(&out, buf_view(&envelope), &sig);
    struct report r = {0};
    assert_true(w->facts_n < W_FACTS);
    struct span bytes = arena_copy(&w->arena, buf_view(&out));
    if (fact_parse(&w->facts[w->facts_n], &w->net, bytes, &w->arena, &r) != 0)
        fail_msg("%s", r.text);
    p->has[w->facts_n] = 1;
    buf_free(&envelope);
    buf_free(&out);
    buf_free(body);
    return w->facts_n++;
}
static size_t world_fact(struct world *w, int who, unsigned kind, struct buf *body)
{
    struct person *p = &w->people[who];
    size_t at = world_fact_at(w, who, kind, body, p->seq + 1, &p->prev);
    p->seq++;
    p->prev = w->facts[at].id;
    return at;
}
static void world_tell(struct world *w, size_t fact, int who)
{
    w->people[who].has[fact] = 1;
}
static size_t world_tell_all(struct world *w, size_t fact)
{
    for (int i = 0; i < W_PEOPLE; i++)
        world_tell(w, fact, i);
    return fact;
}

/* The state as one person knows it, or (who < 0) from every fact. */
static const struct trade_state *world_state(struct world *w, int who)
{
    size_t n = 0;
    for (size_t i = 0; i < w->facts_n; i++)
        if (who < 0 || w->people[who].has[i])
            w->held[n++] = w->facts[i];
    assert_int_equal(trade_state(&w->state, &w->scene, w->held, n, w->receipts, w->receipts_n), 0);
    return &w->state;
}
/* Somebody's part as that state has it: who decides may change (rule 10). */
static struct trade_party world_party(struct world *w, const struct trade_state *s, int who)
{
    struct trade_party me = w->people[who].party;
    struct identity identity;
    memcpy(&identity, w->people[who].identity.pk, 32);
    enum trade_role role = trade_role_of(s, &identity);
    me.asked_role = trade_asked_of(s, &identity, &me.asked);
    me.next = role == TRADE_NOBODY && me.asked;
    if (me.next)
        me.role = me.asked_role;
    else if (role != TRADE_NOBODY || s->agreed) /* who decided before has no part any more */
        me.role = role;
    return me;
}
static int world_move(struct world *w, int who, enum trade_move what, struct move *m)
{
    const struct trade_state *s = world_state(w, who);
    struct trade_party me = world_party(w, s, who);
    return trade_may(s, &me, what, w->now, m, NULL);
}
static int world_may(struct world *w, int who, enum trade_move what)
{
    return world_move(w, who, what, NULL);
}
static bool world_auto(struct world *w, int who, enum trade_move what)
{
    struct move m;
    world_move(w, who, what, &m);
    return m.automatic;
}

/* ---- facts, by what they say ---- */
#define BODY(type, ...)                   \
    struct buf body = {0};                \
    struct fact_##type b = {__VA_ARGS__}; \
    fact_##type##_encode(&body, &b)

static size_t say_offer(struct world *w)
{
    struct buf terms = {0};
    fact_terms_encode(&terms, &w->terms);
    BODY(offer, .terms = buf_view(&terms), .key = world_key(w, 0), .stub_sig = world_stub(w, 0, &w->terms));
    buf_free(&terms);
    return world_fact(w, 0, FACT_OFFER, &body);
}
static size_t say_counter(struct world *w, int who, size_t answers, const struct fact_terms *t)
{
    struct buf terms = {0};
    fact_terms_encode(&terms, t);
    BODY(counter, .terms = buf_view(&terms), .key = world_key(w, who), .stub_sig = world_stub(w, who, t),
         .answers = w->facts[answers].id);
    buf_free(&terms);
    return world_fact(w, who, FACT_COUNTER, &body);
}
static size_t say_accept(struct world *w, int who, size_t proposal)
{
    const struct fact_view *p = &w->facts[proposal];
    BODY(accept, .proposal = p->id, .terms = p->terms_hash, .key = world_key(w, who),
         .stub_sig = world_stub(w, who, &p->terms));
    return world_fact(w, who, FACT_ACCEPT, &body);
}
static size_t say_withdraw(struct world *w, int who, size_t proposal)
{
    BODY(withdraw, .proposal = w->facts[proposal].id);
    return world_fact(w, who, FACT_WITHDRAW, &body);
}
static size_t say_decline(struct world *w, int who, size_t proposal)
{
    BODY(decline, .proposal = w->facts[proposal].id);
    return world_fact(w, who, FACT_DECLINE, &body);
}
static size_t say_enrol(struct world *w, int who)
{
    const struct trade_state *s = world_state(w, -1);
    BODY(enrol, .contract = s->contract, .key = world_key(w, who),
         .stub_sig = world_stub(w, who, s->terms));
    return world_fact(w, who, FACT_ENROL, &body);
}
static size_t say_ready(struct world *w)
{
    const struct trade_state *s = world_state(w, -1);
    struct buf lock = {0};
    assert_non_null(s->lock);
    rail_lock_encode(&lock, &s->lock->lock);
    BODY(ready, .lock = buf_view(&lock));
    buf_free(&lock);
    return world_fact(w, 1, FACT_READY, &body);
}
static size_t say_funded(struct world *w)
{
    BODY(funded, .lock = world_state(w, -1)->lock->id);
    return world_fact(w, 0, FACT_FUNDED, &body);
}
static size_t say_shipped(struct world *w)
{
    BODY(shipped, .has_carrier = true, .carrier = span_str("post"));
    return world_fact(w, 1, FACT_SHIPPED, &body);
}
static size_t say_request(struct world *w, int who, enum fact_wish what, const struct fact_split *split)
{
    BODY(request, .what = what, .has_split = split != NULL);
    body.n = 0;
    if (split)
        b.split = *split;
    fact_request_encode(&body, &b);
    return world_fact(w, who, FACT_REQUEST, &body);
}
static size_t say_payout(struct world *w, int who, const struct fact_split *split)
{
    const struct trade_lock *l = world_state(w, -1)->lock;
    struct id name;
    struct sig sig;
    payout_name(&name, &w->net, &l->id, split, NULL);
    struct rail_split parts = split_for_rail(split);
    if (!w->real)
        stand_in(&sig, w->people[who].key.b, &name);
    else
        assert_int_equal(rail_payout_sign(w->people[who].pair.sk, &w->net, &l->lock, &parts, &sig, NULL),
                         0);
    BODY(payout, .lock = l->id, .split = *split, .key = w->people[who].key, .sig = SPAN_OF(sig));
    return world_fact(w, who, FACT_PAYOUT, &body);
}
static size_t say_dispute(struct world *w, int who)
{
    BODY(dispute, .claim = span_str("it is not so"));
    return world_fact(w, who, FACT_DISPUTE, &body);
}
static size_t say_case(struct world *w, int who, size_t dispute, bool taken, int64_t arrived)
{
    BODY(case, .dispute = w->facts[dispute].id, .taken = taken, .arrived = arrived);
    return world_fact(w, who, FACT_CASE, &body);
}

/* ---- another arbiter (rule 10) ---- */
static struct fact_amendment world_amendment(struct world *w, int arbiter)
{
    const struct trade_state *s = world_state(w, -1);
    struct terms_times before = {s->lock->rule_by, s->lock->late_at};
    struct fact_amendment a = {0};
    memcpy(&a.arbiter, w->people[arbiter].identity.pk, 32);
    assert_int_equal(terms_amend_default(&a, s->terms, &before, 0, w->now, NULL), 0);
    return a;
}
static size_t say_wish(struct world *w, int who, const struct fact_amendment *a)
{
    BODY(request, .what = FACT_WISH_ARBITER, .has_amendment = true, .amendment = *a);
    return world_fact(w, who, FACT_REQUEST, &body);
}
static size_t say_enrol_next(struct world *w, int who, const struct fact_amendment *a)
{
    const struct trade_state *s = world_state(w, -1);
    BODY(enrol, .contract = s->contract, .key = world_key(w, who), .stub_sig = world_stub(w, who, s->terms),
         .generation = s->locks_n, .has_amendment = true, .amendment = *a);
    return world_fact(w, who, FACT_ENROL, &body);
}
/* The buyer's signature of the move, as `by` knows the trade. */
static size_t say_move(struct world *w, int by)
{
    const struct trade_state *s = world_state(w, by);
    struct fact_split none = {0};
    struct id name;
    struct sig sig;
    assert_non_null(s->next);
    payout_name(&name, &w->net, &s->lock->id, &none, &s->next->id);
    if (!w->real)
        stand_in(&sig, w->people[by].key.b, &name);
    else
        assert_int_equal(
            rail_move_sign(w->people[by].pair.sk, &w->net, &s->lock->lock, &s->next->lock, &sig, NULL), 0);
    BODY(payout, .lock = s->lock->id, .has_next = true, .next = s->next->id, .key = w->people[by].key,
         .sig = SPAN_OF(sig));
    return world_fact(w, by, FACT_PAYOUT, &body);
}

/* ---- the rail ---- */
/* Spends the present lock into the next one, which is funded thereby. */
static void rail_move(struct world *w)
{
    const struct trade_state *s = world_state(w, -1);
    struct trade_receipt *r = &w->receipts[w->receipts_n - 1];
    assert_non_null(s->next);
    r->seq++;
    r->settled = r->moved = true;
    r->at = w->now;
    rail_lock_note(&r->next, &w->net, &s->next->lock);
    w->receipts[w->receipts_n++] = (struct trade_receipt){
        .lock = s->next->id, .seq = 1, .funding = FUNDING_CONFIRMED, .confirmations = 1};
}
static struct trade_receipt *rail_fund(struct world *w, enum trade_funding how)
{
    struct trade_receipt *r = &w->receipts[0];
    w->receipts_n = 1;
    *r = (struct trade_receipt){.lock = world_state(w, -1)->lock->id,
                                .seq = r->seq + 1,
                                .funding = how,
                                .confirmations = how >= FUNDING_CONFIRMED};
    return r;
}
static void rail_settle(struct world *w, const struct fact_split *split, bool late)
{
    w->receipts[0].seq++;
    w->receipts[0].settled = true;
    w->receipts[0].late = late;
    w->receipts[0].split = *split;
}

/* Up to a point, all honest, everybody told. */
static void world_agree(struct world *w)
{
    size_t offer = world_tell_all(w, say_offer(w));
    world_tell_all(w, say_accept(w, 1, offer));
}
static void world_ready(struct world *w)
{
    world_agree(w);
    world_tell_all(w, say_enrol(w, 2));
    if (w->terms.has_substitute)
        world_tell_all(w, say_enrol(w, 3));
    world_tell_all(w, say_ready(w));
}
static void world_funded(struct world *w)
{
    world_ready(w);
    world_tell_all(w, say_funded(w));
    rail_fund(w, FUNDING_CONFIRMED);
}
static void world_shipped(struct world *w)
{
    world_funded(w);
    world_tell_all(w, say_shipped(w));
}
#endif
