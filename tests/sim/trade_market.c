/* trade_market.c: see trade_market.h. */
#include "tests/sim/trade_market.h"
#include "crypto/wire/json.h"
#include <stdio.h>

bool bazaar_call(struct bazaar *b, size_t node, const char *method)
{
    int err = world_call(b->w, node, method, buf_view(&b->params), &b->result);
    if (err && !b->quiet) {
        struct buf text = {0};
        wire_json(&text, b->result);
        printf("  node %zu %s: %.*s\n", node, method, (int)text.n, (const char *)text.p);
        buf_free(&text);
    }
    return err == 0;
}

bool bazaar_open(struct bazaar *b, uint64_t seed)
{
    struct world_config config = {.seed = seed,
                                  .nodes_most = PEOPLE,
                                  .delay_least_ms = 5,
                                  .delay_most_ms = 40,
                                  .commit_least_ms = 1,
                                  .commit_most_ms = 10,
                                  .work_most_ms = 5};
    size_t first = 0;
    memset(b, 0, sizeof *b);
    network_make(&config.network, "sim", 0, 0, true);
    b->w = world_new(&config);
    arena_init(&b->a, 16 << 20);
    for (size_t i = 0; i < PEOPLE; i++) {
        world_add(b->w, &first, i ? 1 : 0, (int64_t)i * 20);
        world_config_of(b->w, i)->passphrase = span_str("x"); /* unlocked again after a crash */
    }
    world_run(b->w, 5000);
    return true;
}

void bazaar_close(struct bazaar *b)
{
    world_free(b->w);
    arena_free(&b->a);
    buf_free(&b->params);
}

/* ---- looking ---- */
bool bazaar_show(struct bazaar *b, size_t node, struct api_trade_show_result *out)
{
    bool was = b->quiet;
    b->quiet = true;
    bool there = world_alive(b->w, node) && ASK(b, node, "trade.show", trade_show, out, .trade = b->trade);
    b->quiet = was;
    return there;
}

bool bazaar_phase(struct bazaar *b, size_t node, const char *phase, uint64_t ms)
{
    struct api_trade_show_result s;
    for (uint64_t waited = 0; waited <= ms; waited += 200) {
        if (bazaar_show(b, node, &s) && span_eq(s.row.phase, span_str(phase)))
            return true;
        world_run(b->w, 200);
    }
    printf("  node %zu is not in phase %s\n", node, phase);
    bazaar_print(b, node);
    return false;
}

bool bazaar_may(struct bazaar *b, size_t node, const char *move)
{
    struct api_trade_show_result s;
    if (!bazaar_show(b, node, &s))
        return false;
    for (size_t i = 0; i < s.moves_n; i++)
        if (span_eq(s.moves[i].name, span_str(move)))
            return s.moves[i].may;
    return false;
}

bool bazaar_wait_may(struct bazaar *b, size_t node, const char *move, uint64_t ms)
{
    for (uint64_t waited = 0; waited <= ms; waited += 200) {
        if (bazaar_may(b, node, move))
            return true;
        world_run(b->w, 200);
    }
    printf("  node %zu may not %s\n", node, move);
    bazaar_print(b, node);
    return false;
}

void bazaar_print(struct bazaar *b, size_t node)
{
    struct api_trade_show_result s;
    if (!bazaar_show(b, node, &s)) {
        printf("    knows no such trade\n");
        return;
    }
    printf("    phase %.*s, funding %.*s (%llu), next: %.*s\n", (int)s.row.phase.n,
           (const char *)s.row.phase.p, (int)s.funding.n, (const char *)s.funding.p,
           (unsigned long long)s.confirmations, (int)s.row.next.n, (const char *)s.row.next.p);
    for (size_t i = 0; i < s.facts_n; i++)
        printf("    %.*s: %.*s [%.*s]\n", (int)s.facts[i].kind.n, (const char *)s.facts[i].kind.p,
               (int)s.facts[i].text.n, (const char *)s.facts[i].text.p, (int)s.facts[i].delivery.n,
               (const char *)s.facts[i].delivery.p);
    for (size_t i = 0; i < s.moves_n; i++)
        printf("    %s %.*s%s %.*s\n", s.moves[i].may ? "may" : "not", (int)s.moves[i].name.n,
               (const char *)s.moves[i].name.p, s.moves[i].has_due ? " (due)" : "", (int)s.moves[i].why.n,
               (const char *)s.moves[i].why.p);
}

int64_t bazaar_credit(struct bazaar *b, size_t node)
{
    struct api_credit_balance_result res;
    if (!ASK(b, node, "credit.balance", credit_balance, &res, .has_issuer = true,
             .issuer = b->who[ISSUER]) ||
        !res.balances_n)
        return -1;
    return res.balances[0].minor;
}

/* ---- beginning ---- */
static bool mint(struct bazaar *b)
{
    struct api_credit_issuer_result issued;
    struct api_credit_join_result joined;
    struct api_credit_mint_result minted;
    struct api_id_unlock_result open;
    bool good = false;
    EXPECT(ASK(b, ISSUER, "credit.issuer", credit_issuer, &issued, .name = span_str("Grains"),
               .code = span_str("GRN"), .decimals = 2, .has_auto_approve = true, .auto_approve = true));
    b->quiet = true; /* the issuer's record travels to the buyer's node first */
    for (int i = 0; i < 90 && !ASK(b, BUYER, "credit.join", credit_join, &joined, .issuer = b->who[ISSUER]);
         i++)
        world_run(b->w, 1000);
    b->quiet = false;
    EXPECT(ASK(b, BUYER, "credit.join", credit_join, &joined, .issuer = b->who[ISSUER]));
    world_run(b->w, 20000);
    for (size_t i = 0; i < PEOPLE; i++)
        EXPECT(ASK(b, i, "id.unlock", id_unlock, &open, .passphrase = span_str("x"), .has_for_ms = true,
                   .for_ms = 86400000));
    EXPECT(ASK(b, ISSUER, "credit.mint", credit_mint, &minted, .member = b->who[BUYER], .minor = 100000));
    world_run(b->w, 20000);
    EXPECT(bazaar_credit(b, BUYER) == 100000);
    good = true;
fail:
    return good;
}

static bool list_bicycle(struct bazaar *b, bool instant)
{
    struct api_listing_publish_result made;
    struct api_delivery ship = {.mode = RECORD_DELIVERY_MODE_SHIP};
    enum record_rail credit = RECORD_RAIL_CREDIT;
    struct amount price = {.minor = 25000};
    bool good = false;
    memcpy(&price.currency, &b->who[ISSUER], sizeof price.currency);
    EXPECT(ASK(b, SELLER, "listing.publish", listing_publish, &made, .type = RECORD_LISTING_TYPE_GOODS,
               .title = span_str("A bicycle"), .description = span_str("Rides well."),
               .language = span_str("en"), .category = span_str("bikes/city"), .has_condition = true,
               .condition = RECORD_CONDITION_GOOD, .price = price, .has_open_to_offers = true,
               .open_to_offers = true, .has_quantity = true, .quantity = 20, .region = span_str("FR"),
               .delivery = &ship, .delivery_n = 1, .rails = &credit, .rails_n = 1, .has_issuer = true,
               .issuer = b->who[ISSUER], .has_arbiters = true, .arbiters = &b->who[ARBITER],
               .arbiters_n = 1, .has_instant = true, .instant = instant));
    b->listing = made.id;
    good = true;
fail:
    return good;
}

bool bazaar_prepare(struct bazaar *b, bool instant)
{
    static const char *const names[PEOPLE] = {"seller", "buyer", "arbiter", "issuer", "bystander"};
    struct api_id_new_result made;
    struct api_arbiter_publish_result terms;
    struct span english = span_str("en");
    bool good = false;
    for (size_t i = 0; i < PEOPLE; i++) {
        EXPECT(ASK(b, i, "id.new", id_new, &made, .name = span_str(names[i]), .passphrase = span_str("x")));
        b->who[i] = made.id;
    }
    world_run(b->w, 20000);
    EXPECT(mint(b));
    EXPECT(ASK(b, ARBITER, "arbiter.publish", arbiter_publish, &terms, .fee_bp = 200, .languages = &english,
               .languages_n = 1, .delay_ms = 1000, .has_by_rule = true, .by_rule = true));
    EXPECT(list_bicycle(b, instant));
    world_run(b->w, 30000);
    good = true;
fail:
    return good;
}

bool bazaar_offer(struct bazaar *b, int64_t price, uint64_t hour_ms)
{
    struct api_trade_offer_result offered;
    struct amount money = {.minor = price};
    memcpy(&money.currency, &b->who[ISSUER], sizeof money.currency);
    if (!ASK(b, BUYER, "trade.offer", trade_offer, &offered, .listing = b->listing, .has_price = true,
             .price = money, .has_valid_ms = true, .valid_ms = hour_ms, .has_fund_ms = true,
             .fund_ms = hour_ms, .has_ship_ms = true, .ship_ms = hour_ms, .has_deliver_ms = true,
             .deliver_ms = hour_ms, .has_inspect_ms = true, .inspect_ms = hour_ms, .has_rule_ms = true,
             .rule_ms = hour_ms, .has_delta_ms = true, .delta_ms = hour_ms / 4, .has_confirmations = true,
             .confirmations = 1))
        return false;
    b->trade = offered.trade;
    return true;
}
