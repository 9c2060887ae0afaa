/* act.c: what each command of the owner does: asks trade_may, then says it. */
#include "crypto/words.h"
#include "node/keys/keys.h"
#include "node/market/market.h"
#include "node/market/stub.h"
#include "node/outbox/outbox.h"
#include "node/trade/engine.h"
#include "node/trade/terms.h"
#include <sodium.h>

enum { HANDOVER_BYTES = 11, HANDOVER_WORDS = 8 };

struct act {
    struct arena a;
    struct trade_view v;
    struct move m;
    struct say s;
};

/* Begins a command; act_end must follow, also after an error. */
static int act_begin(struct act *x, struct trades *t, struct core *c, const struct id *trade,
                     struct change *into, struct report *r)
{
    arena_init(&x->a, VIEW_BYTES);
    x->s = (struct say){t, c, &x->v, into, r};
    memset(&x->m, 0, sizeof x->m);
    if (into && trades_busy(t, c, trade))
        return report_set(r, SOUK_EBUSY, "an earlier step of this trade is not on disk yet; try again");
    int err = trades_view(t, c, trade, NULL, &x->a, &x->v, r);
    if (!err && x->v.me.role == TRADE_NOBODY)
        err = report_set(r, SOUK_ENOT_FOUND, "none of your identities has a part in this trade");
    return err;
}

static int act_may(struct act *x, enum trade_move move)
{
    return trade_may(x->v.state, &x->v.me, move, x->s.c->now.unix_ms, &x->m, x->s.r);
}

static int act_end(struct act *x, int err)
{
    arena_free(&x->a);
    return err;
}

static int begin_with(struct act *x, struct trades *t, struct core *c, const struct id *trade,
                      enum trade_move move, struct change *into, struct report *r)
{
    int err = act_begin(x, t, c, trade, into, r);
    return err ? err : act_may(x, move);
}

/* Says a fact whose body was encoded, and frees that. */
static int say_body(struct say *s, unsigned kind, struct buf *body)
{
    int err = say_fact(s, kind, buf_view(body), NULL, 0);
    buf_wipe(body);
    return err;
}

/* ---- agreeing ---- */
int trades_counter(struct trades *t, struct core *c, const struct id *trade,
                   const struct trade_counter *counter, struct change *into, struct report *r)
{
    struct act x;
    int err = begin_with(&x, t, c, trade, MOVE_COUNTER, into, r);
    return act_end(&x, err ? err : act_counter(&x.s, counter, &x.a));
}

int trades_accept(struct trades *t, struct core *c, const struct id *trade, struct change *into,
                  struct report *r)
{
    struct act x;
    int err = begin_with(&x, t, c, trade, MOVE_ACCEPT, into, r);
    return act_end(&x, err ? err : act_accept(&x.s));
}

int act_decline(struct say *s, const struct fact_view *proposal, struct span reason)
{
    struct buf body = {0};
    struct fact_decline d = {.proposal = proposal->id, .has_reason = reason.n > 0, .reason = reason};
    fact_decline_encode(&body, &d);
    return say_body(s, FACT_DECLINE, &body);
}

int trades_decline(struct trades *t, struct core *c, const struct id *trade, struct span reason,
                   struct change *into, struct report *r)
{
    struct act x;
    int err = begin_with(&x, t, c, trade, MOVE_DECLINE, into, r);
    if (!err)
        err = act_decline(&x.s, x.v.state->open[x.v.me.role == TRADE_BUYER ? TRADE_SELLER : TRADE_BUYER],
                          reason);
    return act_end(&x, err);
}

int trades_withdraw(struct trades *t, struct core *c, const struct id *trade, struct change *into,
                    struct report *r)
{
    struct act x;
    struct buf body = {0};
    int err = begin_with(&x, t, c, trade, MOVE_WITHDRAW, into, r);
    if (!err) {
        fact_withdraw_encode(&body, &(struct fact_withdraw){.proposal = x.v.state->open[x.v.me.role]->id});
        err = say_body(&x.s, FACT_WITHDRAW, &body);
    }
    return act_end(&x, err);
}

/* ---- the arbiter's consent, the seller's ready ---- */
int act_consent(struct say *s)
{
    const struct trade_asked *asked = s->v->me.asked;
    struct fact_enrol e = {.contract = s->v->state->contract,
                           .generation = asked ? s->v->state->locks_n : 0,
                           .has_amendment = asked != NULL};
    struct buf body = {0};
    if (asked)
        e.amendment = *asked->amendment;
    int err = say_key(s, &e.key);
    if (!err)
        err = say_stub_sig(s, s->v->state->terms, &e.stub_sig);
    if (err)
        return err;
    fact_enrol_encode(&body, &e);
    outbox_trust(s->c->outbox, s->c, &s->v->state->buyer);
    outbox_trust(s->c->outbox, s->c, &s->v->state->seller);
    return say_body(s, FACT_ENROL, &body);
}

int trades_consent(struct trades *t, struct core *c, const struct id *trade, bool refuse,
                   struct span reason, struct change *into, struct report *r)
{
    struct act x;
    struct buf body = {0};
    int err = begin_with(&x, t, c, trade, refuse ? MOVE_REFUSE : MOVE_ENROL, into, r);
    if (!err && refuse) {
        fact_refuse_encode(&body, &(struct fact_refuse){.contract = x.v.state->contract,
                                                        .has_reason = reason.n > 0,
                                                        .reason = reason});
        err = say_body(&x.s, FACT_REFUSE, &body);
    } else if (!err) {
        err = act_consent(&x.s);
    }
    return act_end(&x, err);
}

/* The stock comes first in the change: when it refuses, nothing is said.  Stock is counted by the listing's
 * slot through its newest revision that is known; where the record is gone the terms' own id stands. */
int act_ready(struct say *s)
{
    const struct trade_state *st = s->v->state;
    struct market_listing l;
    struct arena a;
    struct buf lock = {0}, body = {0};
    arena_init(&a, 1 << 20);
    if (market_listing(s->c, &st->terms->listing, &a, &l, NULL) == 0)
        change_stock(s->into, &st->terms->listing, &s->v->trade, (uint32_t)st->terms->quantity,
                     (uint32_t)l.body.quantity, st->terms->fund_by, s->c->now.unix_ms);
    arena_free(&a);
    rail_lock_encode(&lock, &st->lock->lock);
    fact_ready_encode(&body, &(struct fact_ready){.lock = buf_view(&lock)});
    buf_free(&lock);
    return say_body(s, FACT_READY, &body);
}

/* ---- money ---- */
static int expected(const struct id *expect, const struct id *is, const char *what, struct report *r)
{
    return expect && !id_eq(expect, is)
               ? report_set(r, SOUK_ECONFLICT, "the %s is not the one that was expected; look again", what)
               : 0;
}

int trades_fund(struct trades *t, struct core *c, const struct id *trade, const struct id *expect,
                struct span address, struct change *into, struct report *r)
{
    struct act x;
    int err = begin_with(&x, t, c, trade, MOVE_FUND, into, r);
    if (!err)
        err = expected(expect, &x.v.state->lock->id, "lock", r);
    if (!err && x.v.state->terms->delivery == RECORD_DELIVERY_MODE_SHIP && !address.n)
        err = report_set(r, SOUK_EMISSING, "address: the seller must know where to ship; only it will");
    if (!err) {
        x.v.me.funding = true;
        x.v.has_address = address.n > 0;
        x.v.address = address;
        rng_bytes(t->rng, x.v.salt.b, sizeof x.v.salt.b);
        say_keep(&x.s);
        err = rails_fund(c->rails, c, trade, &x.v.as, &x.v.state->lock->lock, into, r);
    }
    return act_end(&x, err);
}

static int money_sig(struct say *s, bool received, struct sig *out)
{
    struct record_stub stub;
    struct id hash;
    fact_stub(&stub, s->t->network, s->v->state->terms);
    if (received)
        stub_received_hash(&hash, s->t->network, &stub);
    else
        stub_paid_hash(&hash, s->t->network, &stub);
    return keys_sign(s->c->keys, s->c, &s->v->as, USE_DUTY, &hash, out, s->r);
}

int trades_paid(struct trades *t, struct core *c, const struct id *trade, struct change *into,
                struct report *r)
{
    struct act x;
    struct fact_paid paid = {0};
    struct buf body = {0};
    int err = begin_with(&x, t, c, trade, MOVE_PAID, into, r);
    if (!err)
        err = money_sig(&x.s, false, &paid.stub_sig);
    if (!err) {
        fact_paid_encode(&body, &paid);
        err = say_body(&x.s, FACT_PAID, &body);
    }
    return act_end(&x, err);
}

int trades_received(struct trades *t, struct core *c, const struct id *trade, struct change *into,
                    struct report *r)
{
    struct act x;
    struct fact_received received = {0};
    struct buf body = {0};
    int err = begin_with(&x, t, c, trade, MOVE_RECEIVED, into, r);
    if (!err)
        err = money_sig(&x.s, true, &received.stub_sig);
    if (!err) {
        fact_received_encode(&body, &received);
        err = say_body(&x.s, FACT_RECEIVED, &body);
    }
    return act_end(&x, err);
}

/* ---- handing over ---- */
int handover_secret(struct core *c, const struct identity *buyer, const struct id *trade,
                    uint8_t out[static HANDOVER_BYTES], struct report *r)
{
    uint8_t whole[32];
    int err = keys_derive(c->keys, buyer, "souk:handover", trade, whole, r);
    if (!err)
        memcpy(out, whole, HANDOVER_BYTES);
    sodium_memzero(whole, sizeof whole);
    return err;
}

int trades_handover(struct trades *t, struct core *c, const struct id *trade, char words[static 128],
                    struct report *r)
{
    struct act x;
    uint8_t secret[HANDOVER_BYTES];
    size_t at = 0;
    int err = act_begin(&x, t, c, trade, NULL, r);
    if (!err && (x.v.me.role != TRADE_BUYER || !x.v.state->agreed))
        err = report_set(r, SOUK_ENOT_ALLOWED, "only the buyer of a contract has a secret to show");
    if (!err)
        err = handover_secret(c, &x.v.as, trade, secret, r);
    for (unsigned w = 0; !err && w < HANDOVER_WORDS; w++) {
        unsigned number = 0;
        for (unsigned bit = 11 * w; bit < 11 * w + 11; bit++)
            number = number << 1 | (secret[bit / 8] >> (7 - bit % 8) & 1);
        size_t n = strlen(words_list[number]);
        memcpy(words + at, words_list[number], n);
        at += n;
        words[at++] = w + 1 < HANDOVER_WORDS ? ' ' : '\0';
    }
    sodium_memzero(secret, sizeof secret);
    return act_end(&x, err);
}

static int word_number(const uint8_t *p, size_t n)
{
    for (int i = 0; i < WORDS_LIST; i++)
        if (strlen(words_list[i]) == n && memcmp(words_list[i], p, n) == 0)
            return i;
    return -1;
}

/* Eight words → the secret. */
static int secret_read(struct span text, uint8_t out[static HANDOVER_BYTES], struct report *r)
{
    unsigned words = 0;
    memset(out, 0, HANDOVER_BYTES);
    for (size_t at = 0; at < text.n;) {
        size_t n = 0;
        while (at + n < text.n && text.p[at + n] != ' ')
            n++;
        int number = n ? word_number(text.p + at, n) : 0;
        if (number < 0 || (n && words == HANDOVER_WORDS))
            return report_set(r, SOUK_EINVALID, "secret: eight words of the list, as the buyer shows them");
        for (unsigned bit = 0; n && bit < 11; bit++)
            if (number >> (10 - bit) & 1)
                out[(11 * words + bit) / 8] |= (uint8_t)(128u >> (11 * words + bit) % 8);
        words += n > 0;
        at += n + 1;
    }
    return words == HANDOVER_WORDS ? 0
                                   : report_set(r, SOUK_EINVALID, "secret: %u words are not eight", words);
}

int trades_ship(struct trades *t, struct core *c, const struct id *trade, struct span carrier,
                struct span tracking, struct span secret, struct change *into, struct report *r)
{
    struct act x;
    uint8_t bytes[HANDOVER_BYTES];
    struct id hash;
    struct buf body = {0};
    int err = begin_with(&x, t, c, trade, MOVE_SHIP, into, r);
    if (!err && secret.n)
        err = secret_read(secret, bytes, r);
    if (!err && secret.n) {
        const struct fact_view *funded = x.v.state->funded;
        handover_secret_id(&hash, t->network, trade, SPAN_OF(bytes));
        if (!funded || !funded->body.funded.has_handover || !id_eq(&hash, &funded->body.funded.handover))
            err = report_set(r, SOUK_EINVALID, "secret: these are not the words of this trade's buyer");
    }
    if (!err) {
        fact_shipped_encode(&body, &(struct fact_shipped){.has_carrier = carrier.n > 0,
                                                          .carrier = carrier,
                                                          .has_tracking = tracking.n > 0,
                                                          .tracking = tracking,
                                                          .has_secret = secret.n > 0,
                                                          .secret = SPAN_OF(bytes)});
        err = say_body(&x.s, FACT_SHIPPED, &body);
    }
    return act_end(&x, err);
}

/* ---- giving ---- */
static int give(struct act *x, const struct id *expect)
{
    struct id payout;
    struct rail_split parts = split_for_rail(&x->m.split);
    int err = rail_payout_id(&payout, x->s.t->network, &x->v.state->lock->lock, &parts, x->s.r);
    if (!err)
        err = expected(expect, &payout, "payout", x->s.r);
    if (!err)
        err = say_payout(&x->s, &x->m.split);
    if (!err)
        say_keep(&x->s);
    return err;
}

/* What an owner says of the goods by ordering this. */
void trades_ordered(const struct trade_view *v, enum trade_move move, int64_t now_ms,
                    struct trade_party *out)
{
    *out = v->me;
    if (move == MOVE_RELEASE && out->role == TRADE_BUYER && v->state->lock) {
        /* Who releases says that the goods came.  Late ones may be content too; what stays refused is a
         * second signature. */
        out->goods = GOODS_GOOD;
        out->goods_at = out->goods_at ? out->goods_at : now_ms;
        out->insists = ((v->state->lock->signed_kinds[TRADE_BUYER] | v->me.signed_kinds) &
                        (unsigned)~PAYOUT_MOVE) == 0;
    }
    if (move == MOVE_REFUND && out->role == TRADE_SELLER && v->state->shipped &&
        out->goods == GOODS_UNKNOWN)
        out->goods = GOODS_RETURNED;
}

int trades_release(struct trades *t, struct core *c, const struct id *trade, const struct id *expect,
                   struct change *into, struct report *r)
{
    struct act x;
    int err = act_begin(&x, t, c, trade, into, r);
    if (!err)
        trades_ordered(&x.v, MOVE_RELEASE, c->now.unix_ms, &x.v.me);
    if (!err)
        err = act_may(&x, MOVE_RELEASE);
    return act_end(&x, err ? err : give(&x, expect));
}

int trades_refund(struct trades *t, struct core *c, const struct id *trade, const struct id *expect,
                  struct change *into, struct report *r)
{
    struct act x;
    int err = act_begin(&x, t, c, trade, into, r);
    if (!err)
        trades_ordered(&x.v, MOVE_REFUND, c->now.unix_ms, &x.v.me);
    if (!err)
        err = act_may(&x, MOVE_REFUND);
    return act_end(&x, err ? err : give(&x, expect));
}

int act_request(struct say *s, const struct fact_request *q)
{
    struct buf body = {0};
    fact_request_encode(&body, q);
    return say_body(s, FACT_REQUEST, &body);
}

int trades_request(struct trades *t, struct core *c, const struct id *trade, enum fact_wish what,
                   const struct fact_split *split, struct span note, struct change *into, struct report *r)
{
    struct act x;
    struct fact_request q = {.what = what, .has_note = note.n > 0, .note = note};
    int err = begin_with(&x, t, c, trade, MOVE_REQUEST, into, r);
    if (!err && (what == FACT_WISH_SPLIT) != (split != NULL))
        err = report_set(r, SOUK_EINVALID, "split: goes with what = split, and only with it");
    if (!err && split && payout_kind_of(x.v.state->terms, split, false) != PAYOUT_SPLIT)
        err = report_set(r, SOUK_EINVALID,
                         "split: both parts must be above zero and add up to what is locked");
    if (!err) {
        q.has_lock = x.v.state->lock != NULL;
        q.lock = q.has_lock ? x.v.state->lock->id : q.lock;
        q.has_split = split != NULL;
        q.split = split ? *split : q.split;
        err = act_request(&x.s, &q);
    }
    return act_end(&x, err);
}

int trades_split(struct trades *t, struct core *c, const struct id *trade, const struct fact_split *split,
                 const struct id *expect, struct change *into, struct report *r)
{
    struct act x;
    int err = begin_with(&x, t, c, trade, MOVE_SPLIT, into, r);
    if (!err && !split_eq(split, &x.m.split))
        err = report_set(r, SOUK_ECONFLICT,
                         "split: the other asks for %lld to the buyer and %lld to the seller",
                         (long long)x.m.split.buyer, (long long)x.m.split.seller);
    return act_end(&x, err ? err : give(&x, expect));
}

int trades_replace(struct trades *t, struct core *c, const struct id *trade, const struct trade_replace *o,
                   struct change *into, struct report *r)
{
    struct act x;
    int err = begin_with(&x, t, c, trade, MOVE_REPLACE, into, r);
    return act_end(&x, err ? err : act_replace(&x.s, o));
}

/* ---- disputes ---- */
int act_dispute(struct say *s, struct span claim, const struct fact_split *want)
{
    const struct trade_state *st = s->v->state;
    struct fact_dispute d = {.claim = claim, .has_want = want != NULL};
    struct buf body = {0};
    d.has_lock = st->lock != NULL;
    if (st->lock)
        d.lock = st->lock->id;
    if (want)
        d.want = *want;
    fact_dispute_encode(&body, &d);
    int err = say_body(s, FACT_DISPUTE, &body);
    return err ? err : say_words(s);
}

int trades_dispute(struct trades *t, struct core *c, const struct id *trade, struct span claim,
                   const struct fact_split *want, struct change *into, struct report *r)
{
    struct act x;
    int err = begin_with(&x, t, c, trade, MOVE_DISPUTE, into, r);
    if (!err && want && !payout_kind_of(x.v.state->terms, want, false))
        err = report_set(r, SOUK_EINVALID, "want: must add up to what is locked");
    if (!err)
        err = act_dispute(&x.s, claim, want);
    if (!err && x.v.me.role == TRADE_BUYER) {
        x.v.me.goods = GOODS_BAD;
        say_keep(&x.s);
    }
    return act_end(&x, err);
}

int trades_evidence(struct trades *t, struct core *c, const struct id *trade, struct span text,
                    const struct id *photos, size_t photos_n, struct change *into, struct report *r)
{
    struct act x;
    struct buf body = {0};
    int err = begin_with(&x, t, c, trade, MOVE_EVIDENCE, into, r);
    if (!err && !text.n && !photos_n)
        err = report_set(r, SOUK_EINVALID, "text or photos: there must be something to add");
    if (!err) {
        fact_evidence_encode(&body, &(struct fact_evidence){.has_text = text.n > 0,
                                                            .text = text,
                                                            .has_photos = photos_n > 0,
                                                            .photos = photos,
                                                            .photos_n = photos_n});
        err = say_body(&x.s, FACT_EVIDENCE, &body);
    }
    return act_end(&x, err);
}

/* ---- ruling ---- */
static int rule_split(struct act *x, const struct fact_split *asked, struct fact_split *out)
{
    const struct fact_terms *t = x->v.state->terms;
    struct amount all;
    int err = terms_locked(&all, t);
    if (!err && asked->arbiter == 0) {
        if (asked->buyer < 0 || asked->seller < 0 || asked->buyer > all.minor ||
            asked->seller != all.minor - asked->buyer)
            return report_set(x->s.r, SOUK_EINVALID,
                              "split: buyer and seller must add up to the %lld locked; the fee comes off",
                              (long long)all.minor);
        return payout_ruling(out, t, asked->buyer, x->v.me.role == TRADE_SUBSTITUTE, x->s.r);
    }
    *out = *asked;
    if (!err && (asked->arbiter > terms_fee(t, all.minor) || !payout_kind_of(t, asked, false)))
        err = report_set(x->s.r, SOUK_EINVALID,
                         "split: must add up to the %lld locked, with a fee of at most %lld",
                         (long long)all.minor, (long long)terms_fee(t, all.minor));
    return err;
}

int trades_rule(struct trades *t, struct core *c, const struct id *trade, const struct fact_split *split,
                struct span reasons, struct change *into, struct report *r)
{
    struct act x;
    struct fact_ruling ruling = {.reasons = reasons};
    struct buf body = {0};
    int err = begin_with(&x, t, c, trade, MOVE_RULE, into, r);
    if (!err)
        err = rule_split(&x, split, &ruling.split);
    if (!err) {
        const struct trade_state *s = x.v.state;
        ruling.has_lock = s->lock != NULL;
        if (s->lock)
            ruling.lock = s->lock->id;
        ruling.dispute = s->disputes[s->disputes[0].how == CASE_TAKEN ? 0 : 1].fact->id;
        fact_ruling_encode(&body, &ruling);
        err = say_body(&x.s, FACT_RULING, &body);
        if (!err && s->lock)
            err = say_payout(&x.s, &ruling.split);
    }
    return act_end(&x, err);
}

int trades_outcome(const struct change *change, struct report *r)
{
    if (change->err)
        return report_set(r, change->err, "nothing was changed");
    for (size_t i = 0; i < change->ops_n; i++) {
        const struct op *op = &change->ops[i];
        if (op->lone || op->result == OP_STORED)
            continue;
        if (op->kind == OP_STOCK)
            return report_set(r, SOUK_EQUOTA, "the goods went to somebody who was ready sooner");
        if (op->kind == OP_PUT || op->kind == OP_FACT)
            return report_set(r, SOUK_EBUSY, "another step of this trade came in between; try again");
    }
    return 0;
}
