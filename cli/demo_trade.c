/* demo_trade.c: the two trades of `souk demo`: one haggled, paid, shipped, released and rated; one
 * disputed, ruled and split.  What is done next is what trade.show says that may be done. */
#include "cli/demo.h"
#include <stdio.h>

enum { WAIT_MS = 60000, LEAST_MS = 1000, HAGGLED_MS = 60000, RULE_MS = 30000, CONFIRMATIONS = 2 };

/* ---- looking ---- */
static void tell(struct demo *d, enum demo_who who, const struct api_trade_show_result *m)
{
    demo_say(d, who, "%s, %s: %s; %s", demo_text(d, m->row.title), demo_text(d, m->row.total_text),
             demo_text(d, m->row.phase), demo_text(d, m->row.next));
}

/* Until this node says that its owner may do this, and tells the trade as it stands then. */
static void until_may(struct demo *d, enum demo_who who, const struct id *trade, const char *move,
                      uint64_t most_ms, struct api_trade_show_result *m)
{
    char what[80];
    bool may = false;
    snprintf(what, sizeof what, "leave to %s", move);
    struct until u = until(d, who, most_ms, what);
    do {
        MAYBE(d, who, trade_show, m, .trade = *trade);
        for (size_t i = 0; i < m->moves_n; i++)
            if (span_eq(m->moves[i].name, span_str(move))) {
                may = m->moves[i].may;
                report_set(&d->last, SOUK_ENOT_ALLOWED, "%s (phase %s)", demo_text(d, m->moves[i].why),
                           demo_text(d, m->row.phase));
            }
    } while (!may && until_more(&u));
    if (may)
        tell(d, who, m);
}

static void until_phase(struct demo *d, enum demo_who who, const struct id *trade, const char *phase,
                        struct api_trade_show_result *m)
{
    char what[80];
    bool there = false;
    snprintf(what, sizeof what, "the trade to be %s", phase);
    struct until u = until(d, who, WAIT_MS, what);
    do {
        ASK(d, who, trade_show, m, .trade = *trade);
        there = span_eq(m->row.phase, span_str(phase));
        report_set(&d->last, SOUK_ENOT_ALLOWED, "phase %s; %s", demo_text(d, m->row.phase),
                   demo_text(d, m->row.next));
    } while (!there && until_more(&u));
    if (there)
        tell(d, who, m);
}

/* The first listing of the search that is paid in the issuer's credit and can be sent. */
static struct id find(struct demo *d, const char *words)
{
    struct api_search_run_result m;
    struct currency credit;
    memcpy(credit.b, d->node[ISSUER].id.b, sizeof credit.b);
    ASK(d, BUYER, search_run, &m, .has_words = true, .words = span_str(words), .has_currency = true,
        .currency = credit, .has_delivery = true, .delivery = RECORD_DELIVERY_MODE_SHIP);
    if (m.listings_n == 0) {
        demo_fail(d, BUYER, SOUK_ENOT_FOUND, "nothing is found for %s", words);
        return (struct id){{0}};
    }
    demo_say(d, BUYER, "search %s: %s, %s, %s", words, demo_text(d, m.listings[0].title),
             demo_text(d, m.listings[0].price_text),
             m.listings[0].open_to_offers ? "open to offers" : "at a fixed price");
    return m.listings[0].id;
}

/* ---- what both trades have in common ---- */
/* From the seller's acceptable contract to goods on their way. */
static void fund_and_ship(struct demo *d, const struct id *trade)
{
    struct api_trade_show_result m;
    struct api_trade_fund_result funded;
    struct api_trade_ship_result shipped;
    until_may(d, BUYER, trade, "fund", WAIT_MS, &m);
    ASK(d, BUYER, trade_fund, &funded, .trade = *trade, .has_expect = true, .expect = m.lock,
        .has_address = true, .address = span_str("Tom Ashworth\n14 Tanner Row\nYork YO1 6JB"));
    demo_say(d, BUYER, "pays into lock %s", demo_short(d, &m.lock));
    until_may(d, SELLER, trade, "ship", WAIT_MS, &m);
    demo_say(d, SELLER, "funding %s, %u confirmations besides the issuer's word; to be sent to %.12s…",
             demo_text(d, m.funding), (unsigned)m.confirmations, demo_text(d, m.address));
    ASK(d, SELLER, trade_ship, &shipped, .trade = *trade, .has_carrier = true,
        .carrier = span_str("La Poste"), .has_tracking = true, .tracking = span_str("6A18220914403"));
    until_phase(d, BUYER, trade, "shipped", &m);
}

static void settled(struct demo *d, enum demo_who who, const struct id *trade, const char *phase)
{
    struct api_trade_show_result m;
    until_phase(d, who, trade, phase, &m);
    if (m.has_settled)
        demo_say(d, who, "the rail paid, in minor units: buyer %lld, seller %lld, arbiter %lld",
                 (long long)m.settled.buyer, (long long)m.settled.seller, (long long)m.settled.arbiter);
}

static void rate(struct demo *d, enum demo_who who, enum demo_who subject, const struct id *trade,
                 unsigned stars, const char *words)
{
    struct api_rate_publish_result m;
    ASK(d, who, rate_publish, &m, .trade = *trade, .subject = d->node[subject].id, .stars = stars,
        .has_words = true, .words = span_str(words));
    demo_say(d, who, "published rating %s of %s", demo_short(d, &m.id),
             demo_short(d, &d->node[subject].id));
}

/* ---- one that goes well ---- */
void demo_trade_released(struct demo *d)
{
    struct api_trade_offer_result offer;
    struct api_trade_counter_result countered;
    struct api_trade_accept_result accepted;
    struct api_trade_release_result released;
    struct api_trade_show_result m;
    struct amount price = {.minor = 5000};
    struct id listing = find(d, "perceuse visseuse");
    uint64_t since = demo_now_ms();
    memcpy(price.currency.b, d->node[ISSUER].id.b, sizeof price.currency.b);
    ASK(d, BUYER, trade_offer, &offer, .listing = listing, .has_price = true, .price = price,
        .has_delivery = true, .delivery = RECORD_DELIVERY_MODE_SHIP, .has_confirmations = true,
        .confirmations = CONFIRMATIONS, .has_valid_ms = true, .valid_ms = HAGGLED_MS, .has_fund_ms = true,
        .fund_ms = HAGGLED_MS, .has_ship_ms = true, .ship_ms = HAGGLED_MS, .has_deliver_ms = true,
        .deliver_ms = HAGGLED_MS, .has_inspect_ms = true, .inspect_ms = HAGGLED_MS, .has_rule_ms = true,
        .rule_ms = HAGGLED_MS, .has_delta_ms = true, .delta_ms = LEAST_MS, .has_note = true,
        .note = span_str("50, if it goes out this week?"));
    struct id trade = offer.trade;
    demo_say(d, BUYER, "offers; trade %s", demo_short(d, &trade));
    until_may(d, SELLER, &trade, "counter", WAIT_MS, &m);
    price.minor = 5800;
    ASK(d, SELLER, trade_counter, &countered, .trade = trade, .has_price = true, .price = price,
        .has_note = true, .note = span_str("58 et elle part demain, les batteries sont neuves."));
    until_may(d, BUYER, &trade, "accept", WAIT_MS, &m);
    ASK(d, BUYER, trade_accept, &accepted, .trade = trade);
    fund_and_ship(d, &trade);
    d->trade_ms = demo_now_ms() - since;
    ASK(d, BUYER, trade_show, &m, .trade = trade);
    ASK(d, BUYER, trade_release, &released, .trade = trade, .has_expect = true, .expect = m.release);
    demo_say(d, BUYER, "signs payout %s, all to the seller", demo_short(d, &m.release));
    settled(d, SELLER, &trade, "settled_released");
    settled(d, BUYER, &trade, "settled_released");
    demo_balance(d, SELLER);
    demo_balance(d, BUYER);
    rate(d, BUYER, SELLER, &trade, 5, "Vite expédiée, bien emballée. As good as new.");
    rate(d, SELLER, BUYER, &trade, 5, "Paid at once, friendly, released the day it came.");
}

/* ---- one that does not ---- */
static void dispute(struct demo *d, const struct id *trade)
{
    struct api_trade_dispute_result disputed;
    struct api_trade_evidence_result said;
    struct api_arbiter_rule_result ruled;
    struct api_trade_show_result m;
    ASK(d, BUYER, trade_dispute, &disputed, .trade = *trade,
        .claim =
            span_str("The light meter is dead: the red flag never comes up. Half the price back, please."));
    until_phase(d, SELLER, trade, "disputed", &m);
    ASK(d, SELLER, trade_evidence, &said, .trade = *trade, .has_text = true,
        .text = span_str("It worked with my last roll; the meter has no battery that could be flat."));
    /* The longest wait of the demo: no ruling before the terms' deliver-by has passed (rule 8). */
    until_may(d, ARBITER, trade, "rule", WAIT_MS + 10 * d->trade_ms, &m);
    struct api_split split = {.buyer = m.row.total.minor / 2};
    split.seller = m.row.total.minor - split.buyer;
    ASK(d, ARBITER, arbiter_rule, &ruled, .trade = *trade, .split = split,
        .reasons =
            span_str("Sold as tested; the meter fails. The camera still takes pictures: half each."));
    settled(d, SELLER, trade, "settled_split");
    settled(d, BUYER, trade, "settled_split");
    settled(d, ARBITER, trade, "settled_split");
    ASK(d, BUYER, trade_show, &m, .trade = *trade);
    demo_say(d, BUYER, "the ruling: %s", demo_text(d, m.ruling));
}

void demo_trade_disputed(struct demo *d)
{
    struct api_trade_offer_result offer;
    struct api_trade_accept_result accepted;
    struct api_trade_show_result m;
    /* Seconds, by how long the first trade took on this machine. */
    uint64_t ms = d->trade_ms > LEAST_MS ? d->trade_ms : LEAST_MS;
    struct id listing = find(d, "olympus trip");
    ASK(d, BUYER, trade_offer, &offer, .listing = listing, .has_delivery = true,
        .delivery = RECORD_DELIVERY_MODE_SHIP, .has_confirmations = true, .confirmations = CONFIRMATIONS,
        .has_valid_ms = true, .valid_ms = ms, .has_fund_ms = true, .fund_ms = ms, .has_ship_ms = true,
        .ship_ms = ms, .has_deliver_ms = true, .deliver_ms = LEAST_MS, .has_inspect_ms = true,
        .inspect_ms = 5 * ms, .has_rule_ms = true, .rule_ms = RULE_MS + 10 * ms, .has_delta_ms = true,
        .delta_ms = LEAST_MS);
    struct id trade = offer.trade;
    demo_say(d, BUYER, "offers; trade %s", demo_short(d, &trade));
    until_may(d, SELLER, &trade, "accept", WAIT_MS, &m);
    ASK(d, SELLER, trade_accept, &accepted, .trade = trade);
    fund_and_ship(d, &trade);
    dispute(d, &trade);
    demo_balance(d, SELLER);
    demo_balance(d, BUYER);
    demo_balance(d, ARBITER);
}
