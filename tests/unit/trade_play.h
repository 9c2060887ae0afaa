/* trade_play.h: one trade played from a seed in virtual time: honest people do what trade_moves tells their
 * nodes and what a sensible owner adds; at most one is dishonest and does anything that its own key, the
 * facts that it holds and the rail allow, at any time, or nothing.  Messages and submissions of the honest
 * take at most delta, their nodes' own reaction (one step) included. */
#ifndef TRADE_PLAY_H
#define TRADE_PLAY_H
#include "tests/unit/trade_world.h"

enum { PLAY_STEP = W_DELTA / 8, PLAY_FLYING = 1024, PLAY_SUBMITTED = 64 };
enum { B, S, A, U /* another arbiter, honest, whom the two may ask (rule 10) */, NOBODY_BAD = 9 };

struct flying {
    size_t fact;
    int to;
    int64_t at;
};
struct submission {
    int64_t at;
    struct fact_split split;
    unsigned signers;
    bool late, honest, move;
    size_t lock; /* of which it is a payout: the first, the second … */
};
struct play {
    struct world w;
    int bad;
    struct id lock;           /* that holds the money, */
    size_t at;                /* the first or the second, */
    int64_t rule_by, late_at; /* with its times */
    bool moving;              /* the honest would rather have another arbiter */
    struct fact_split bought; /* what a friendly split would be */
    struct flying flying[PLAY_FLYING];
    size_t flying_n;
    struct submission submitted[PLAY_SUBMITTED];
    size_t submitted_n;
    int64_t fund_at, goods_at; /* when the rail locks, the goods arrive; 0: never */
    bool short_lock, shipped, received, good, lost, dirty[4];
    bool split_signed, split_ruled; /* an honest one signed a friendly split, co-signed a ruled one */
    struct trade_state state[4];
    struct fact_view held[4][W_FACTS];
};

static bool play_chance(struct play *p, unsigned percent)
{
    return rng_below(&p->w.rng, 100) < percent;
}
static bool amendment_same(const struct fact_amendment *a, const struct fact_amendment *b)
{
    return identity_eq(&a->arbiter, &b->arbiter) && a->rule_by == b->rule_by && a->late_at == b->late_at;
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

static void play_send_to(struct play *p, int from, size_t fact, int to)
{
    if (to == from || p->w.people[to].has[fact] || p->flying_n == PLAY_FLYING)
        return;
    int64_t at = to == p->bad ? p->w.now : play_delay(p, from != p->bad);
    p->flying[p->flying_n++] = (struct flying){fact, to, at};
}

static const struct trade_state *play_state(struct play *p, int who);

/* Who is asked to decide, or decides on the second lock, hears what the arbiter hears. */
static bool play_hears(struct play *p, int from)
{
    const struct trade_state *s = play_state(p, from);
    return s->locks_n > 1 || s->asked[B].amendment || s->asked[S].amendment;
}

static void play_send(struct play *p, int from, size_t fact)
{
    bool honest = from != p->bad;
    p->dirty[from] = true;
    for (int to = 0; to < 3; to++)
        if (honest || !play_chance(p, 40))
            play_send_to(p, from, fact, to);
    if (honest ? play_hears(p, from) : play_chance(p, 60))
        play_send_to(p, from, fact, U);
}

/* The file, for who is to decide: all but payouts of the lock that the money is in. */
static void play_file(struct play *p, int from)
{
    for (size_t i = 0; i < p->w.facts_n; i++)
        if (p->w.people[from].has[i] &&
            (p->w.facts[i].e.kind != FACT_PAYOUT || !id_eq(&p->w.facts[i].body.payout.lock, &p->lock)))
            play_send_to(p, from, i, U);
}

static size_t play_payout(struct play *p, int who, const struct fact_split *split)
{
    struct id name;
    struct sig sig;
    const struct trade_state *st = play_state(p, who);
    struct id lock = who != p->bad && st->lock ? st->lock->id : p->lock;
    payout_name(&name, &p->w.net, &lock, split, NULL);
    stand_in(&sig, p->w.people[who].key.b, &name);
    BODY(payout, .lock = lock, .split = *split, .key = p->w.people[who].key, .sig = SPAN_OF(sig));
    return world_fact(&p->w, who, FACT_PAYOUT, &body);
}

static void play_submit(struct play *p, const struct fact_split *split, unsigned signers, bool late,
                        bool honest)
{
    assert_true(p->submitted_n < PLAY_SUBMITTED);
    p->submitted[p->submitted_n++] = (struct submission){.at = play_delay(p, honest),
                                                         .split = *split,
                                                         .signers = signers,
                                                         .late = late,
                                                         .honest = honest,
                                                         .lock = p->at};
}
static void play_submit_move(struct play *p, bool honest)
{
    struct fact_split none = {0};
    play_submit(p, &none, 1u << B | 1u << S, false, honest);
    p->submitted[p->submitted_n - 1].move = true;
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

/* Whoever decides signs as the arbiter. */
static unsigned play_bit(int who)
{
    return 1u << (who == U ? A : who);
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
        play_submit(p, &m->split, m->with | play_bit(who), false, true);
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
        play_submit(p, &m->split, m->with | play_bit(who), false, true);
        break;
    case MOVE_SIGN_MOVE:
        play_send_to(p, who, say_move(&p->w, who), S);
        p->dirty[who] = true;
        break;
    case MOVE_MOVE_ON:
        me->signed_kinds |= PAYOUT_MOVE;
        me->submitted_kinds |= PAYOUT_MOVE;
        play_submit_move(p, true);
        break;
    case MOVE_ENROL:
        play_send(p, who,
                  say_enrol_next(&p->w, who,
                                 play_state(p, who)->asked[B].amendment
                                     ? play_state(p, who)->asked[B].amendment
                                     : play_state(p, who)->asked[S].amendment));
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

/* Asks for another arbiter, or agrees to the one that the other asks for. */
static void play_replace(struct play *p, int who)
{
    const struct fact_amendment *theirs = play_state(p, who)->asked[who == B ? S : B].amendment,
                                *mine = play_state(p, who)->asked[who].amendment;
    struct fact_amendment a;
    if (!p->moving || (mine && (!theirs || amendment_same(mine, theirs))) ||
        !play_chance(p, theirs ? 30 : 3))
        return;
    a = theirs ? *theirs : world_amendment(&p->w, U);
    play_send(p, who, say_wish(&p->w, who, &a));
    play_file(p, who);
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
    case MOVE_REPLACE:
        play_replace(p, who);
        break;
    case MOVE_ENROL:
        now = who == U && play_chance(p, 40);
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
    for (int round = 0; round < 8; round++) {
        const struct trade_state *s = play_state(p, who);
        struct trade_party me = world_party(&p->w, s, who);
        struct move m;
        bool did = false;
        for (int what = 0; what < MOVES_MAX && !did; what++) {
            trade_may(s, &me, (enum trade_move)what, p->w.now, &m, NULL);
            did = m.automatic && what != MOVE_OPEN;
            if (did)
                play_do(p, who, &m);
        }
        if (!did)
            break;
    }
    for (int what = 0; what < MOVES_MAX; what++) {
        const struct trade_state *s = play_state(p, who);
        struct trade_party me = world_party(&p->w, s, who);
        struct move m;
        if (trade_may(s, &me, (enum trade_move)what, p->w.now, &m, NULL) == 0)
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
    if (p->w.now >= p->late_at)
        play_submit(p, &s->lock->late, 0, true, false);
}

/* Asks for, signs and submits moves as it likes. */
static void play_bad_moves(struct play *p)
{
    const struct trade_state *s = play_state(p, p->bad);
    if (p->bad > S || s->lock == NULL || !trade_open(s) || p->w.receipts_n == 0)
        return;
    const struct fact_amendment *theirs = s->asked[p->bad == B ? S : B].amendment;
    struct fact_amendment a = theirs ? *theirs : world_amendment(&p->w, U);
    if (play_chance(p, 50))
        play_send(p, p->bad, say_wish(&p->w, p->bad, &a));
    s = play_state(p, p->bad);
    if (s->next && p->bad == B)
        play_send_to(p, B, say_move(&p->w, B), S);
    p->dirty[p->bad] = true;
    for (size_t i = 0; s->next && p->bad == S && i < s->lock->payouts_n; i++)
        if (s->lock->payouts[i].kind == PAYOUT_MOVE && p->submitted_n < PLAY_SUBMITTED)
            play_submit_move(p, false);
}

static void play_bad(struct play *p)
{
    struct fact_split split = play_any_split(p);
    if (p->w.facts_n + 16 > W_FACTS)
        return;
    switch (rng_below(&p->w.rng, 10)) {
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
    case 8:
        play_bad_moves(p);
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
    p->dirty[0] = p->dirty[1] = p->dirty[2] = p->dirty[3] = true;
}

/* The money goes to the next lock; what went to the rail for the one before is over. */
static void play_rail_moves(struct play *p)
{
    const struct trade_state *s = world_state(&p->w, -1);
    if (s->next == NULL)
        return; /* a wish changed meanwhile: the rail knows no such lock */
    enum trade_funding how = p->w.receipts[p->at].funding;
    p->lock = s->next->id;
    p->rule_by = s->next->rule_by;
    p->late_at = s->next->late_at;
    rail_move(&p->w);
    p->w.receipts[++p->at].funding = how;
    for (int i = 0; i < W_PEOPLE; i++) {
        p->w.people[i].party.signed_kinds = p->w.people[i].party.submitted_kinds = 0;
        p->w.people[i].party.late = false;
    }
    play_all_dirty(p);
    for (int i = B; i <= S; i++)
        if (i != p->bad)
            play_file(p, i);
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
        r = &w->receipts[p->at];
        if (s->at > w->now || r->settled || w->receipts_n == 0 || s->lock != p->at)
            continue;
        struct trade_lock lock = {.rule_by = p->rule_by};
        bool good = s->late ? w->now >= p->late_at : trade_signers_settle(&lock, s->signers, w->now);
        assert_true(good || !s->honest);
        if (good && s->move) {
            play_rail_moves(p);
        } else if (good) {
            r->seq++;
            r->settled = true;
            r->late = s->late;
            r->split = s->split;
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
        if (f->to >= A && v->e.kind == FACT_DISPUTE) {
            int who = identity_eq(&v->e.author, &w->terms.buyer) ? B : S;
            if (w->people[f->to].party.dispute_arrived[who] == 0)
                w->people[f->to].party.dispute_arrived[who] = w->now;
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
    p->rule_by = p->w.terms.rule_by;
    p->late_at = p->w.terms.late_at;
    p->moving = play_chance(p, 40);
    play_all_dirty(p);
    while (p->w.now <= p->late_at + 4 * W_DELTA) {
        play_rail(p);
        play_world(p);
        /* Whatever it does last, the others have time to answer before the curtain falls. */
        if (p->bad < 3 && p->w.now <= p->late_at + W_DELTA && play_chance(p, 15))
            play_bad(p);
        for (int i = 0; i < 4; i++)
            if (i != p->bad)
                play_honest(p, i);
        p->w.now += PLAY_STEP;
    }
}
#endif
