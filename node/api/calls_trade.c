/* calls_trade.c: what is ordered of a trade.  Each command is a change that is answered once it is on disk;
 * while an earlier fact of the same trade is on its way there, a command waits. */
#include "node/api/calls_trade.h"
#include "node/keys/keys.h"
#include "node/market/market.h"

enum { BUSY_MOST_MS = 15000 };

/* Adds to the change; `trade` is told back by trade.offer. */
typedef int command_fn(struct core *c, struct span params, struct arena *a, struct change *into,
                       struct id *trade, struct report *r);
struct parked {
    command_fn *run;
    call_done *done;
    size_t n;
};

static void done_ok(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct report r = {0};
    (void)carry;
    if (trades_outcome(change, &r))
        call_error(c, call, r.err, r.text);
    else
        call_ok(c, call);
}

static void done_offer(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct api_trade_offer_result res;
    struct report r = {0};
    memcpy(&res.trade, carry.p, sizeof res.trade);
    if (trades_outcome(change, &r))
        call_error(c, call, r.err, r.text);
    else
        API_RESULT(c, call, trade_offer, &res);
}

static int run_once(struct core *c, const struct call *call, const struct parked *k, struct span params,
                    struct arena *a, struct report *r)
{
    struct id trade = {{0}};
    struct change *ch = call_change(c, call, k->done, SPAN_OF(trade));
    int err = k->run(c, params, a, ch, call_carry(ch), r);
    if (err)
        change_free(ch);
    else
        call_commit(c, ch);
    return err;
}

static bool run_again(struct core *c, const struct call *call, struct span carry)
{
    struct parked k;
    struct report r = {0};
    struct arena a;
    memcpy(&k, carry.p, sizeof k);
    arena_init(&a, 1 << 20);
    int err = run_once(c, call, &k, span(carry.p + sizeof k, k.n), &a, &r);
    arena_free(&a);
    if (err && err != SOUK_EBUSY)
        call_error(c, call, err, r.text);
    return err != SOUK_EBUSY;
}

static int command(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r,
                   command_fn *run, call_done *done)
{
    struct parked k = {run, done, params.n};
    int err = run_once(c, call, &k, params, a, r);
    if (err != SOUK_EBUSY)
        return err;
    struct buf carry = {0};
    buf_append(&carry, &k, sizeof k);
    buf_span(&carry, params);
    call_wait(c, call, run_again, buf_view(&carry), BUSY_MOST_MS);
    buf_wipe(&carry);
    return 0;
}

#define COMMAND(name, answer)                                                                    \
    static int do_##name(struct core *c, struct call *call, struct span params, struct arena *a, \
                         struct report *r)                                                       \
    {                                                                                            \
        return command(c, call, params, a, r, run_##name, answer);                               \
    }

/* Money moves only in a spend session of the identity that has the part, or with the passphrase. */
static int may_spend(struct core *c, const struct id *trade, bool has, struct span passphrase,
                     struct report *r)
{
    struct id nothing = {{0}};
    struct sig sig;
    struct arena a;
    struct trade_view v;
    arena_init(&a, 24 << 20);
    int err = trades_view(c->trades, c, trade, NULL, &a, &v, r);
    arena_free(&a);
    if (!err && v.me.role == TRADE_NOBODY)
        err = report_set(r, SOUK_ENOT_FOUND, "none of your identities has a part in this trade");
    if (err)
        return err;
    return has ? keys_unlock(c->keys, c, &v.as, passphrase, 1000, r)
               : keys_sign(c->keys, c, &v.as, USE_SPEND, &nothing, &sig, r);
}

static struct span words(bool has, struct span s)
{
    return has ? s : span(NULL, 0);
}

static struct fact_split split_in(const struct api_split *s)
{
    return (struct fact_split){.buyer = s->buyer, .seller = s->seller, .arbiter = s->arbiter};
}

/* ---- agreeing ---- */
static int run_offer(struct core *c, struct span params, struct arena *a, struct change *into,
                     struct id *trade, struct report *r)
{
    API_PARAMS(trade_offer);
    struct identity as;
    int err = call_as(c, p.has_as, &p.as, &as, r);
    struct trade_offer o = {.listing = p.listing,
                            .quantity = p.has_quantity ? p.quantity : 1,
                            .variant = words(p.has_variant, p.variant),
                            .note = words(p.has_note, p.note),
                            .has_price = p.has_price,
                            .price = p.price,
                            .has_delivery = p.has_delivery,
                            .delivery = p.delivery,
                            .has_region = p.has_region,
                            .region = p.region,
                            .has_rail = p.has_rail,
                            .rail = p.rail,
                            .has_arbiter = p.has_arbiter,
                            .arbiter = p.arbiter,
                            .has_substitute = p.has_substitute,
                            .substitute = p.substitute,
                            .has_rental = p.has_from && p.has_until,
                            .from = p.has_from ? p.from : 0,
                            .until = p.has_until ? p.until : 0,
                            .valid_ms = p.has_valid_ms ? p.valid_ms : 0,
                            .fund_ms = p.has_fund_ms ? p.fund_ms : 0,
                            .ship_ms = p.has_ship_ms ? p.ship_ms : 0,
                            .deliver_ms = p.has_deliver_ms ? p.deliver_ms : 0,
                            .inspect_ms = p.has_inspect_ms ? p.inspect_ms : 0,
                            .rule_ms = p.has_rule_ms ? p.rule_ms : 0,
                            .delta_ms = p.has_delta_ms ? p.delta_ms : 0,
                            .confirmations = p.has_confirmations ? p.confirmations : 1,
                            .late_buyer_bp = p.has_late_buyer_bp ? p.late_buyer_bp : 10000};
    return err ? err : trades_offer(c->trades, c, &as, &o, into, trade, r);
}
COMMAND(offer, done_offer)

static int run_counter(struct core *c, struct span params, struct arena *a, struct change *into,
                       struct id *trade, struct report *r)
{
    API_PARAMS(trade_counter);
    struct trade_counter k = {.has_price = p.has_price,
                              .price = p.price,
                              .has_quantity = p.has_quantity,
                              .quantity = p.quantity,
                              .has_delivery = p.has_delivery,
                              .delivery = p.delivery,
                              .note = words(p.has_note, p.note)};
    (void)trade;
    return trades_counter(c->trades, c, &p.trade, &k, into, r);
}
COMMAND(counter, done_ok)

static int run_accept(struct core *c, struct span params, struct arena *a, struct change *into,
                      struct id *trade, struct report *r)
{
    API_PARAMS(trade_accept);
    (void)trade;
    return trades_accept(c->trades, c, &p.trade, into, r);
}
COMMAND(accept, done_ok)

static int run_decline(struct core *c, struct span params, struct arena *a, struct change *into,
                       struct id *trade, struct report *r)
{
    API_PARAMS(trade_decline);
    (void)trade;
    return trades_decline(c->trades, c, &p.trade, words(p.has_reason, p.reason), into, r);
}
COMMAND(decline, done_ok)

static int run_withdraw(struct core *c, struct span params, struct arena *a, struct change *into,
                        struct id *trade, struct report *r)
{
    API_PARAMS(trade_withdraw);
    (void)trade;
    return trades_withdraw(c->trades, c, &p.trade, into, r);
}
COMMAND(withdraw, done_ok)

/* ---- money and goods ---- */
static int run_fund(struct core *c, struct span params, struct arena *a, struct change *into,
                    struct id *trade, struct report *r)
{
    API_PARAMS(trade_fund);
    (void)trade;
    int err = may_spend(c, &p.trade, p.has_passphrase, p.passphrase, r);
    return err ? err
               : trades_fund(c->trades, c, &p.trade, p.has_expect ? &p.expect : NULL,
                             words(p.has_address, p.address), into, r);
}
COMMAND(fund, done_ok)

static int run_paid(struct core *c, struct span params, struct arena *a, struct change *into,
                    struct id *trade, struct report *r)
{
    API_PARAMS(trade_paid);
    (void)trade;
    return trades_paid(c->trades, c, &p.trade, into, r);
}
COMMAND(paid, done_ok)

static int run_received(struct core *c, struct span params, struct arena *a, struct change *into,
                        struct id *trade, struct report *r)
{
    API_PARAMS(trade_received);
    (void)trade;
    return trades_received(c->trades, c, &p.trade, into, r);
}
COMMAND(received, done_ok)

static int run_ship(struct core *c, struct span params, struct arena *a, struct change *into,
                    struct id *trade, struct report *r)
{
    API_PARAMS(trade_ship);
    (void)trade;
    return trades_ship(c->trades, c, &p.trade, words(p.has_carrier, p.carrier),
                       words(p.has_tracking, p.tracking), words(p.has_secret, p.secret), into, r);
}
COMMAND(ship, done_ok)

static int do_handover(struct core *c, struct call *call, struct span params, struct arena *a,
                       struct report *r)
{
    API_PARAMS(trade_handover);
    char text[128];
    int err = trades_handover(c->trades, c, &p.trade, text, r);
    if (err)
        return err;
    struct api_trade_handover_result res = {.words = span_str(text)};
    API_RESULT(c, call, trade_handover, &res);
    return 0;
}

static int run_release(struct core *c, struct span params, struct arena *a, struct change *into,
                       struct id *trade, struct report *r)
{
    API_PARAMS(trade_release);
    (void)trade;
    int err = may_spend(c, &p.trade, p.has_passphrase, p.passphrase, r);
    return err ? err : trades_release(c->trades, c, &p.trade, p.has_expect ? &p.expect : NULL, into, r);
}
COMMAND(release, done_ok)

static int run_refund(struct core *c, struct span params, struct arena *a, struct change *into,
                      struct id *trade, struct report *r)
{
    API_PARAMS(trade_refund);
    (void)trade;
    int err = may_spend(c, &p.trade, p.has_passphrase, p.passphrase, r);
    return err ? err : trades_refund(c->trades, c, &p.trade, p.has_expect ? &p.expect : NULL, into, r);
}
COMMAND(refund, done_ok)

static int run_request(struct core *c, struct span params, struct arena *a, struct change *into,
                       struct id *trade, struct report *r)
{
    API_PARAMS(trade_request);
    (void)trade;
    int what = fact_wish_by_name(p.what);
    if (what < 0 || what == FACT_WISH_ARBITER)
        return report_set(r, SOUK_EINVALID, "what: cancel, split, release or time");
    struct fact_split split = split_in(&p.split);
    return trades_request(c->trades, c, &p.trade, (enum fact_wish)what, p.has_split ? &split : NULL,
                          words(p.has_note, p.note), into, r);
}
COMMAND(request, done_ok)

static int run_split(struct core *c, struct span params, struct arena *a, struct change *into,
                     struct id *trade, struct report *r)
{
    API_PARAMS(trade_split);
    (void)trade;
    struct fact_split split = split_in(&p.split);
    int err = may_spend(c, &p.trade, p.has_passphrase, p.passphrase, r);
    return err ? err
               : trades_split(c->trades, c, &p.trade, &split, p.has_expect ? &p.expect : NULL, into, r);
}
COMMAND(split, done_ok)

static int run_replace(struct core *c, struct span params, struct arena *a, struct change *into,
                       struct id *trade, struct report *r)
{
    API_PARAMS(trade_replace);
    (void)trade;
    struct trade_replace o = {.has_arbiter = p.has_arbiter,
                              .arbiter = p.arbiter,
                              .has_substitute = p.has_substitute,
                              .substitute = p.substitute,
                              .rule_ms = p.has_rule_ms ? p.rule_ms : 0,
                              .note = words(p.has_note, p.note)};
    int err = may_spend(c, &p.trade, p.has_passphrase, p.passphrase, r);
    return err ? err : trades_replace(c->trades, c, &p.trade, &o, into, r);
}
COMMAND(replace, done_ok)

/* ---- disputes ---- */
static int run_dispute(struct core *c, struct span params, struct arena *a, struct change *into,
                       struct id *trade, struct report *r)
{
    API_PARAMS(trade_dispute);
    (void)trade;
    struct fact_split want = split_in(&p.want);
    return trades_dispute(c->trades, c, &p.trade, p.claim, p.has_want ? &want : NULL, into, r);
}
COMMAND(dispute, done_ok)

static int run_evidence(struct core *c, struct span params, struct arena *a, struct change *into,
                        struct id *trade, struct report *r)
{
    API_PARAMS(trade_evidence);
    (void)trade;
    return trades_evidence(c->trades, c, &p.trade, words(p.has_text, p.text), p.photos,
                           p.has_photos ? p.photos_n : 0, into, r);
}
COMMAND(evidence, done_ok)

static int run_consent(struct core *c, struct span params, struct arena *a, struct change *into,
                       struct id *trade, struct report *r)
{
    API_PARAMS(arbiter_consent);
    (void)trade;
    return trades_consent(c->trades, c, &p.trade, p.has_refuse && p.refuse, words(p.has_reason, p.reason),
                          into, r);
}
COMMAND(consent, done_ok)

static int run_rule(struct core *c, struct span params, struct arena *a, struct change *into,
                    struct id *trade, struct report *r)
{
    API_PARAMS(arbiter_rule);
    (void)trade;
    struct fact_split split = split_in(&p.split);
    int err = may_spend(c, &p.trade, p.has_passphrase, p.passphrase, r);
    return err ? err : trades_rule(c->trades, c, &p.trade, &split, p.reasons, into, r);
}
COMMAND(rule, done_ok)

/* ---- rating ---- */
static void rated(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct api_rate_publish_result res;
    (void)carry;
    if (!market_published(c, change, &res.id)) {
        call_error(c, call, SOUK_ESTALE, "a newer rating of yours stands");
        return;
    }
    API_RESULT(c, call, rate_publish, &res);
}

static int do_rate(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(rate_publish);
    struct record_stub_proof proof;
    struct trade_view v;
    struct arena own;
    arena_init(&own, 24 << 20);
    int err = trades_view(c->trades, c, &p.trade, NULL, &own, &v, r);
    if (!err && v.me.role == TRADE_NOBODY)
        err = report_set(r, SOUK_ENOT_FOUND, "none of your identities has a part in this trade");
    struct identity as = v.as;
    if (!err)
        err = trades_stub_proof(c->trades, c, &p.trade, &proof, &own, r);
    if (!err) {
        struct change *ch = call_change(c, call, rated, span(NULL, 0));
        struct market_rate rate = {.author = as,
                                   .subject = p.subject,
                                   .stars = p.stars,
                                   .words = words(p.has_words, p.words),
                                   .proof = &proof};
        err = market_rate(c->market, c, &rate, ch, r);
        if (err)
            change_free(ch);
    }
    arena_free(&own);
    return err;
}

const struct call_row calls_trade[] = {{"trade.offer", do_offer},
                                       {"trade.counter", do_counter},
                                       {"trade.accept", do_accept},
                                       {"trade.decline", do_decline},
                                       {"trade.withdraw", do_withdraw},
                                       {"trade.fund", do_fund},
                                       {"trade.paid", do_paid},
                                       {"trade.received", do_received},
                                       {"trade.ship", do_ship},
                                       {"trade.handover", do_handover},
                                       {"trade.release", do_release},
                                       {"trade.refund", do_refund},
                                       {"trade.request", do_request},
                                       {"trade.split", do_split},
                                       {"trade.replace", do_replace},
                                       {"trade.dispute", do_dispute},
                                       {"trade.evidence", do_evidence},
                                       {"trade.list", do_trade_list},
                                       {"trade.show", do_trade_show},
                                       {"arbiter.cases", do_cases},
                                       {"arbiter.case", do_case},
                                       {"arbiter.consent", do_consent},
                                       {"arbiter.rule", do_rule},
                                       {"rate.publish", do_rate},
                                       {NULL, NULL}};
