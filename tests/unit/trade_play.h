/* trade_play.h: one trade played from a seed in virtual time: honest people do what trade_moves tells their
 * nodes and what a sensible owner adds; at most one is dishonest and does anything that its own key, the
 * facts that it holds and the rail allow, at any time, or nothing.  Messages and submissions of the honest
 * take at most delta, their nodes' own reaction (one step) included. */
#ifndef TRADE_PLAY_H
#define TRADE_PLAY_H
#include "tests/unit/trade_world.h"

enum { PLAY_STEP = W_DELTA / 8, PLAY_FLYING = 1024, PLAY_SUBMITTED = 64 };
enum { B, S, A, NOBODY_BAD = 9 };

struct flying {
    size_t fact;
    int to;
    int64_t at;
};
struct submission {
    int64_t at;
    struct fact_split split;
    unsigned signers;
    bool late, honest;
};
struct play {
    struct world w;
    int bad;
    struct id lock;
    struct fact_split bought; /* what a friendly split would be */
    struct flying flying[PLAY_FLYING];
    size_t flying_n;
    struct submission submitted[PLAY_SUBMITTED];
    size_t submitted_n;
    int64_t fund_at, goods_at; /* when the rail locks, the goods arrive; 0: never */
    bool short_lock, shipped, received, good, lost, dirty[3];
    bool split_signed, split_ruled; /* an honest one signed a friendly split, co-signed a ruled one */
    struct trade_state state[3];
    struct fact_view held[3][W_FACTS];
};

static bool play_chance(struct play *p, unsigned percent)
{
    return rng_below(&p->w.rng, 100) < percent;
}
static bool play_content(const struct play *p)
{
    return p->received && p->good;
}

/* An honest delay, or for the dishonest one at its choosing. */
static int64_t play_delay(struct play *p, bool honest)
{
    uint64_t most = honest ? W_DELTA - PLAY_STEP : 20 * W_DELTA;
    return p->w.now + (int64_t)rng_below(&p->w.rng, most + 1);
}

static void play_send(struct play *p, int from, size_t fact)
{
    bool honest = from != p->bad;
    for (int to = 0; to < 3; to++) {
        if (to == from || (!honest && play_chance(p, 40)))
            continue;
        if (p->flying_n < PLAY_FLYING)
            p->flying[p->flying_n++] =
                (struct flying){fact, to, to == p->bad ? p->w.now : play_delay(p, honest)};
    }
    p->dirty[from] = true;
}

static size_t play_payout(struct play *p, int who, const struct fact_split *split)
{
    struct id name;
    struct sig sig;
    payout_name(&name, &p->w.net, &p->lock, split, NULL);
    stand_in(&sig, p->w.people[who].key.b, &name);
    BODY(payout, .lock = p->lock, .split = *split, .key = p->w.people[who].key, .sig = SPAN_OF(sig));
    return world_fact(&p->w, who, FACT_PAYOUT, &body);
}

static void play_submit(struct play *p, const struct fact_split *split, unsigned signers, bool late,
                        bool honest)
{
    assert_true(p->submitted_n < PLAY_SUBMITTED);
    p->submitted[p->submitted_n++] =
        (struct submission){play_delay(p, honest), *split, signers, late, honest};
}

static const struct trade_state *play_state(struct play *p, int who)
{
    if (p->dirty[who]) {
        size_t n = 0;
        for (size_t i = 0; i < p->w.facts_n; i++)
            if (p->w.people[who].has[i])
                p->held[who][n++] = p->w.facts[i];
        assert_int_equal(
            trade_state(&p->state[who], &p->w.scene, p->held[who], n, p->w.receipts, p->w.receipts_n), 0);
        p->dirty[who] = false;
    }
    return &p->state[who];
}

/* Carries a move out: a fact that is sent, or a submission. */
static void play_do(struct play *p, int who, const struct move *m)
{
    struct trade_party *me = &p->w.people[who].party;
    switch (m->what) {
    case MOVE_RELEASE:
    case MOVE_REFUND:
    case MOVE_SILENCE:
        play_send(p, who, play_payout(p, who, &m->split));
        break;
    case MOVE_SPLIT:
        p->split_signed = true;
        play_send(p, who, play_payout(p, who, &m->split));
        break;
    case MOVE_COSIGN_RELEASE:
    case MOVE_COSIGN_REFUND:
        play_send(p, who, play_payout(p, who, &m->split));
        play_submit(p, &m->split, m->with | 1u << who, false, true);
        break;
    case MOVE_ASK:
        play_send(p, who, say_request(&p->w, who, FACT_WISH_RELEASE, NULL));
        break;
    case MOVE_DISPUTE:
        play_send(p, who, say_dispute(&p->w, who));
        break;
    case MOVE_CASE: {
        size_t dispute = 0;
        while (!id_eq(&p->w.facts[dispute].id, &p->state[who].disputes[m->whose].fact->id))
            dispute++;
        play_send(p, who, say_case(&p->w, who, dispute, m->timely, me->dispute_arrived[m->whose]));
        break;
    }
    case MOVE_TAKE_REFUND:
    case MOVE_TAKE_RELEASE:
    case MOVE_TAKE_RULING:
        p->split_ruled = p->split_ruled || m->what == MOVE_TAKE_RULING;
        /* fall through */
    case MOVE_COMBINE:
    case MOVE_SUBMIT:
        me->signed_kinds |= m->payout->kind;
        me->submitted_kinds |= m->payout->kind;
        play_submit(p, &m->split, m->with | 1u << who, false, true);
        break;
    case MOVE_LATE:
        me->late = true;
        play_submit(p, &m->split, 0, true, true);
        break;
    case MOVE_FUND:
        me->funding = true;
        p->fund_at = play_delay(p, true);
        break;
    case MOVE_SHIP: {
        p->shipped = p->good = true;
        play_send(p, who, say_shipped(&p->w));
        int64_t left = p->w.terms.deliver_by - p->w.now;
        p->goods_at = p->w.now + (int64_t)rng_below(&p->w.rng, (uint64_t)left + 1);
        break;
    }
    default:
        break;
    }
}

/* What an owner does beside what the node does by itself. */
static void play_owner(struct play *p, int who, const struct move *m)
{
    bool now = false;
    switch (m->what) {
    case MOVE_FUND:
        now = play_chance(p, 50);
        break;
    case MOVE_SHIP:
        now = play_chance(p, 20);
        break;
    case MOVE_RELEASE:
        now = play_content(p) && play_chance(p, 10);
        break;
    case MOVE_REFUND:
        now = !p->shipped && play_chance(p, 2);
        break;
    case MOVE_SPLIT:
        now = play_chance(p, 20);
        break;
    case MOVE_DISPUTE:
        now = who == B && ((p->received && !p->good) || play_chance(p, 1)) && play_chance(p, 30);
        break;
    case MOVE_REQUEST:
        if (who == B && play_chance(p, 1))
            play_send(p, who, say_request(&p->w, who, FACT_WISH_CANCEL, NULL));
        else if (who == B && play_chance(p, 1))
            play_send(p, who, say_request(&p->w, who, FACT_WISH_SPLIT, &p->bought));
        break;
    case MOVE_RULE:
        if (play_chance(p, 20) || p->w.now + PLAY_STEP > p->state[who].lock->rule_by) {
            struct fact_split split;
            payout_ruling(&split, &p->w.terms, play_content(p) ? 0 : p->w.terms.total.minor, false, NULL);
            play_send(p, who, play_payout(p, who, &split));
        }
        break;
    default:
        break;
    }
    if (now)
        play_do(p, who, m);
}

static void play_honest(struct play *p, int who)
{
    struct trade_party *me = &p->w.people[who].party;
    for (int round = 0; round < 8; round++) {
        const struct trade_state *s = play_state(p, who);
        struct move m;
        bool did = false;
        for (int what = 0; what < MOVES_MAX && !did; what++) {
            trade_may(s, me, (enum trade_move)what, p->w.now, &m, NULL);
            did = m.automatic && what != MOVE_OPEN;
            if (did)
                play_do(p, who, &m);
        }
        if (!did)
            break;
    }
    for (int what = 0; what < MOVES_MAX; what++) {
        struct move m;
        if (trade_may(play_state(p, who), me, (enum trade_move)what, p->w.now, &m, NULL) == 0)
            play_owner(p, who, &m);
    }
}

static struct fact_split play_any_split(struct play *p)
{
    struct fact_split s;
    switch (rng_below(&p->w.rng, 6)) {
    case 0:
    case 1:
        return payout_release(&p->w.terms);
    case 2:
    case 3:
        return payout_refund(&p->w.terms);
    case 4:
        return p->bought;
    default:
        payout_ruling(&s, &p->w.terms, play_chance(p, 50) ? 0 : p->w.terms.total.minor, false, NULL);
        return s;
    }
}

/* Another fact at a place of its chain that it used before. */
static void play_second_story(struct play *p)
{
    struct person *me = &p->w.people[p->bad];
    BODY(note, .text = span_str("it was otherwise"));
    uint64_t seq = 1 + rng_below(&p->w.rng, me->seq);
    play_send(p, p->bad, world_fact_at(&p->w, p->bad, FACT_NOTE, &body, seq, &me->prev));
}

static void play_bad_submits(struct play *p)
{
    const struct trade_state *s = play_state(p, p->bad);
    if (s->lock == NULL || p->submitted_n + 16 > PLAY_SUBMITTED)
        return;
    for (size_t i = 0; i < s->lock->payouts_n; i++)
        if (play_chance(p, 50) && (s->lock->payouts[i].signers & ~(1u << p->bad)))
            play_submit(p, &s->lock->payouts[i].split, s->lock->payouts[i].signers | 1u << p->bad, false,
                        false);
    if (p->w.now >= p->w.terms.late_at)
        play_submit(p, &s->lock->late, 0, true, false);
}

static void play_bad(struct play *p)
{
    struct fact_split split = play_any_split(p);
    if (p->w.facts_n + 16 > W_FACTS)
        return;
    switch (rng_below(&p->w.rng, 9)) {
    case 0:
    case 1:
        play_send(p, p->bad, play_payout(p, p->bad, &split));
        break;
    case 2:
        play_bad_submits(p);
        break;
    case 3:
        play_second_story(p);
        break;
    case 4:
        if (p->bad != A)
            play_send(p, p->bad, say_dispute(&p->w, p->bad));
        break;
    case 5:
        if (p->bad != A)
            play_send(p, p->bad,
                      say_request(&p->w, p->bad, (enum fact_wish)rng_below(&p->w.rng, 4), &p->bought));
        break;
    case 6:
        if (p->bad == B && p->fund_at == 0) {
            p->fund_at = p->w.now;
            p->short_lock = play_chance(p, 20);
        }
        break;
    case 7:
        if (p->bad == S && !p->shipped && p->w.receipts_n) {
            p->shipped = true;
            p->good = play_chance(p, 50);
            p->goods_at = play_delay(p, false);
        }
        if (p->bad == S)
            play_send(p, S, say_shipped(&p->w));
        break;
    default:
        for (size_t i = 0; p->bad == A && i < p->w.facts_n; i++)
            if (p->w.facts[i].e.kind == FACT_DISPUTE && play_chance(p, 50)) {
                play_send(p, A, say_case(&p->w, A, i, play_chance(p, 50), p->w.now));
                break;
            }
        break;
    }
}

static void play_all_dirty(struct play *p)
{
    p->dirty[0] = p->dirty[1] = p->dirty[2] = true;
}

static void play_rail(struct play *p)
{
    struct world *w = &p->w;
    struct trade_receipt *r = &w->receipts[0];
    if (p->fund_at && w->now >= p->fund_at && w->receipts_n == 0) {
        w->receipts_n = 1;
        *r = (struct trade_receipt){.lock = p->lock,
                                    .seq = 1,
                                    .funding = p->short_lock ? FUNDING_SHORT : FUNDING_CONFIRMED,
                                    .confirmations = 1};
        play_all_dirty(p);
    }
    for (size_t i = 0; i < p->submitted_n; i++) {
        struct submission *s = &p->submitted[i];
        if (s->at > w->now || r->settled || w->receipts_n == 0)
            continue;
        struct trade_lock lock = {.rule_by = w->terms.rule_by};
        bool good = s->late ? w->now >= w->terms.late_at : trade_signers_settle(&lock, s->signers, w->now);
        assert_true(good || !s->honest);
        if (good) {
            rail_settle(w, &s->split, s->late);
            play_all_dirty(p);
        }
    }
}

static void play_world(struct play *p)
{
    struct world *w = &p->w;
    for (size_t i = 0; i < p->flying_n; i++) {
        struct flying *f = &p->flying[i];
        if (f->at > w->now || w->people[f->to].has[f->fact])
            continue;
        world_tell(w, f->fact, f->to);
        p->dirty[f->to] = true;
        const struct fact_view *v = &w->facts[f->fact];
        if (f->to == A && v->e.kind == FACT_DISPUTE) {
            int who = identity_eq(&v->e.author, &w->terms.buyer) ? B : S;
            if (w->people[A].party.dispute_arrived[who] == 0)
                w->people[A].party.dispute_arrived[who] = w->now;
        }
    }
    if (p->shipped && !p->received && !p->lost && p->goods_at && w->now >= p->goods_at) {
        if (p->bad != S && play_chance(p, 15)) {
            p->lost = true;
            w->people[S].party.goods = GOODS_LOST;
        } else {
            p->received = true;
            p->good = p->good && w->now <= w->terms.deliver_by;
            w->people[B].party.goods = p->good ? GOODS_GOOD : GOODS_BAD;
            w->people[B].party.goods_at = w->now;
        }
    }
}

/* Plays a trade to its end; the caller frees p->w. */
static void play(struct play *p, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    world_init(&p->w, seed);
    static const int who[] = {NOBODY_BAD, B, S, A};
    p->bad = who[rng_below(&p->w.rng, 4)];
    p->w.terms.late_buyer_bp = play_chance(p, 50) ? 10000 : 0;
    p->bought = (struct fact_split){.buyer = 3000, .seller = 7000};
    world_ready(&p->w);
    p->lock = world_state(&p->w, -1)->lock->id;
    play_all_dirty(p);
    while (p->w.now <= p->w.terms.late_at + 4 * W_DELTA) {
        play_rail(p);
        play_world(p);
        /* Whatever it does last, the others have time to answer before the curtain falls. */
        if (p->bad < 3 && p->w.now <= p->w.terms.late_at + W_DELTA && play_chance(p, 15))
            play_bad(p);
        for (int i = 0; i < 3; i++)
            if (i != p->bad)
                play_honest(p, i);
        p->w.now += PLAY_STEP;
    }
}
#endif
