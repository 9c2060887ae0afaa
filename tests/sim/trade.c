/* trade.c: a trade that goes well, with haggling before and ratings after; one that is disputed and ruled
 * by a split; one whose seller never ships, one whose buyer is gone.  Everything is ordered through the
 * socket's methods; what a contract obliges to, the nodes do by themselves. */
#include "tests/sim/trade_market.h"
#include <stdio.h>

enum { HOUR = 600000 }; /* what the deadlines are apart */

static bool agree(struct bazaar *b)
{
    struct api_trade_counter_result countered;
    struct api_trade_accept_result accepted;
    struct amount more = {.minor = 23000};
    bool good = false;
    memcpy(&more.currency, &b->who[ISSUER], sizeof more.currency);
    EXPECT(bazaar_offer(b, 20000, HOUR));
    EXPECT(bazaar_wait_may(b, SELLER, "counter", 20000));
    EXPECT(ASK(b, SELLER, "trade.counter", trade_counter, &countered, .trade = b->trade, .has_price = true,
               .price = more, .has_note = true, .note = span_str("It is nearly new.")));
    EXPECT(bazaar_wait_may(b, BUYER, "accept", 20000));
    EXPECT(ASK(b, BUYER, "trade.accept", trade_accept, &accepted, .trade = b->trade));
    /* The arbiter consents by rule, the seller's node says ready: nobody types anything. */
    EXPECT(bazaar_wait_may(b, BUYER, "fund", 60000));
    good = true;
fail:
    return good;
}

static bool fund(struct bazaar *b)
{
    struct api_trade_fund_result funded;
    struct api_trade_ship_result shipped;
    struct api_trade_show_result s;
    bool good = false;
    EXPECT(bazaar_show(b, BUYER, &s) && s.has_lock);
    struct id lock = s.lock, wrong = b->listing;
    b->quiet = true;
    EXPECT(!ASK(b, BUYER, "trade.fund", trade_fund, &funded, .trade = b->trade, .has_expect = true,
                .expect = wrong, .has_address = true, .address = span_str("12 rue des Lilas")));
    EXPECT(!ASK(b, SELLER, "trade.ship", trade_ship, &shipped, .trade = b->trade));
    b->quiet = false;
    EXPECT(ASK(b, BUYER, "trade.fund", trade_fund, &funded, .trade = b->trade, .has_expect = true,
               .expect = lock, .has_address = true, .address = span_str("12 rue des Lilas")));
    EXPECT(bazaar_phase(b, SELLER, "funded", 60000));
    EXPECT(bazaar_phase(b, ARBITER, "funded", 60000));
    EXPECT(bazaar_phase(b, BUYER, "funded", 60000));
    world_run(b->w, 5000);
    EXPECT(bazaar_show(b, SELLER, &s) && s.has_address);
    EXPECT(span_eq(s.address, span_str("12 rue des Lilas")));
    EXPECT(bazaar_show(b, ARBITER, &s) && !s.has_address); /* for the seller alone */
    good = true;
fail:
    return good;
}

static bool fund_and_ship(struct bazaar *b)
{
    struct api_trade_ship_result shipped;
    bool good = false;
    EXPECT(fund(b));
    EXPECT(ASK(b, SELLER, "trade.ship", trade_ship, &shipped, .trade = b->trade, .has_carrier = true,
               .carrier = span_str("La Poste")));
    EXPECT(bazaar_phase(b, BUYER, "shipped", 20000));
    good = true;
fail:
    return good;
}

static bool rated(struct bazaar *b, size_t by, size_t whom, uint64_t stars)
{
    struct api_rate_publish_result res;
    return ASK(b, by, "rate.publish", rate_publish, &res, .trade = b->trade, .subject = b->who[whom],
               .stars = stars, .has_words = true, .words = span_str("A pleasure."));
}

static bool well(struct bazaar *b)
{
    struct api_trade_release_result released;
    struct api_trade_show_result s;
    struct api_rating_list_result ratings;
    bool good = false;
    EXPECT(agree(b));
    EXPECT(fund_and_ship(b));
    EXPECT(bazaar_credit(b, BUYER) == 100000 - 23000);
    EXPECT(bazaar_show(b, BUYER, &s) && s.has_release);
    EXPECT(ASK(b, BUYER, "trade.release", trade_release, &released, .trade = b->trade, .has_expect = true,
               .expect = s.release));
    EXPECT(bazaar_phase(b, SELLER, "settled_released", 60000));
    EXPECT(bazaar_phase(b, BUYER, "settled_released", 60000));
    EXPECT(bazaar_phase(b, ARBITER, "settled_released", 60000));
    world_run(b->w, 10000);
    EXPECT(bazaar_credit(b, SELLER) == 23000);
    EXPECT(!bazaar_show(b, BYSTANDER, &s)); /* nobody else's business */
    EXPECT(rated(b, BUYER, SELLER, 5) && rated(b, SELLER, BUYER, 4) && rated(b, BUYER, ARBITER, 5));
    world_run(b->w, 90000);
    EXPECT(ASK(b, BYSTANDER, "rating.list", rating_list, &ratings, .subject = b->who[SELLER]));
    EXPECT(ratings.ratings_n == 1 && ratings.ratings[0].stars == 5 && ratings.ratings[0].funded);
    good = true;
fail:
    return good;
}

static bool disputed(struct bazaar *b)
{
    struct api_trade_dispute_result done;
    struct api_trade_show_result s;
    struct api_arbiter_cases_result cases;
    struct api_arbiter_rule_result ruled;
    struct api_split half = {.buyer = 11500, .seller = 11500};
    bool good = false;
    int64_t before = bazaar_credit(b, BUYER);
    EXPECT(agree(b));
    EXPECT(fund_and_ship(b));
    EXPECT(ASK(b, BUYER, "trade.dispute", trade_dispute, &done, .trade = b->trade,
               .claim = span_str("The frame is bent.\nSee the photo.")));
    EXPECT(bazaar_phase(b, ARBITER, "disputed", 20000));
    EXPECT(ASK(b, ARBITER, "arbiter.cases", arbiter_cases, &cases, .has_as = false));
    EXPECT(cases.cases_n == 2);
    b->quiet = true; /* not before deliver-by */
    EXPECT(!ASK(b, ARBITER, "arbiter.rule", arbiter_rule, &ruled, .trade = b->trade, .split = half,
                .reasons = span_str("Both are a little right.")));
    b->quiet = false;
    EXPECT(bazaar_show(b, ARBITER, &s) && s.has_deliver_by);
    world_run(b->w, (uint64_t)(s.deliver_by - world_unix_ms(b->w)) + 60000);
    EXPECT(bazaar_wait_may(b, ARBITER, "rule", 10000));
    EXPECT(ASK(b, ARBITER, "arbiter.rule", arbiter_rule, &ruled, .trade = b->trade, .split = half,
               .reasons = span_str("Both are a little right.")));
    EXPECT(bazaar_phase(b, BUYER, "settled_split", 120000));
    EXPECT(bazaar_phase(b, SELLER, "settled_split", 120000));
    EXPECT(bazaar_phase(b, ARBITER, "settled_split", 120000));
    world_run(b->w, 10000);
    EXPECT(bazaar_show(b, BUYER, &s) && s.has_settled && s.has_ruling);
    EXPECT(s.settled.arbiter == 460 && s.settled.buyer == 11270 && s.settled.seller == 11270);
    EXPECT(bazaar_credit(b, BUYER) == before - 23000 + 11270);
    EXPECT(bazaar_credit(b, SELLER) == 23000 + 11270);
    EXPECT(bazaar_credit(b, ARBITER) == 460);
    good = true;
fail:
    return good;
}

/* Nobody types anything: the seller's node gives the money back, the buyer's takes it. */
static bool never_shipped(struct bazaar *b)
{
    struct api_trade_show_result s;
    bool good = false;
    int64_t before = bazaar_credit(b, BUYER);
    EXPECT(agree(b));
    EXPECT(fund(b));
    EXPECT(bazaar_show(b, BUYER, &s) && s.has_ship_by);
    world_run(b->w, (uint64_t)(s.ship_by - world_unix_ms(b->w)) + 10000);
    EXPECT(bazaar_phase(b, BUYER, "settled_refunded", 60000));
    EXPECT(bazaar_phase(b, SELLER, "settled_refunded", 60000));
    world_run(b->w, 10000);
    EXPECT(bazaar_credit(b, BUYER) == before);
    good = true;
fail:
    return good;
}

/* The buyer is never heard of again: the arbiter's node signs a release for silence, less its fee. */
static bool buyer_gone(struct bazaar *b)
{
    struct api_trade_show_result s;
    bool good = false;
    int64_t before = bazaar_credit(b, SELLER);
    EXPECT(agree(b));
    EXPECT(fund_and_ship(b));
    world_crash(b->w, BUYER);
    EXPECT(bazaar_show(b, SELLER, &s) && s.has_inspect_end);
    world_run(b->w, (uint64_t)(s.inspect_end - world_unix_ms(b->w)) + HOUR / 4 + 30000);
    EXPECT(bazaar_phase(b, SELLER, "settled_released", 60000));
    EXPECT(bazaar_phase(b, ARBITER, "settled_released", 60000));
    world_run(b->w, 10000);
    EXPECT(bazaar_credit(b, SELLER) == before + 23000 - 460);
    world_restart(b->w, BUYER);
    EXPECT(bazaar_phase(b, BUYER, "settled_released", 60000));
    good = true;
fail:
    return good;
}

bool scenario_trade(const struct scenario_args *args)
{
    struct bazaar b;
    bool good = false;
    EXPECT(bazaar_open(&b, args->seed));
    EXPECT(bazaar_prepare(&b, false));
    EXPECT(well(&b));
    printf("  settled after %llu s\n", (unsigned long long)(world_now_ms(b.w) / 1000));
    EXPECT(disputed(&b));
    printf("  ruled after %llu s\n", (unsigned long long)(world_now_ms(b.w) / 1000));
    EXPECT(never_shipped(&b));
    EXPECT(buyer_gone(&b));
    printf("  given back, and released for silence, after %llu s\n",
           (unsigned long long)(world_now_ms(b.w) / 1000));
    good = true;
fail:
    bazaar_close(&b);
    return good;
}
