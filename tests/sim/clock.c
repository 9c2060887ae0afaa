/* clock.c: a clock that is wrong.  A node whose peers disagree with it deletes nothing, accepts nothing by
 * itself and signs nothing that depends on a deadline; its owner is told; when the clock is set it goes on.
 * A network that agrees that a year has passed, on the other hand, cleans up. */
#include "tests/sim/trade_market.h"
#include <stdio.h>

static const int64_t hour_ms = INT64_C(3600000), year_ms = INT64_C(366) * 86400000;

static bool warned(struct bazaar *b, size_t node)
{
    struct api_node_status_result s;
    if (!ASK(b, node, "node.status", node_status, &s, 0) || !s.warnings_n)
        return false;
    printf("  node %zu: %.*s\n", node, (int)s.warnings[0].n, (const char *)s.warnings[0].p);
    return true;
}

static unsigned events(struct bazaar *b, size_t node, const char *kind)
{
    struct api_events_list_result e;
    unsigned n = 0;
    if (!ASK(b, node, "events.list", events_list, &e, .has_limit = true, .limit = 500))
        return 0;
    for (size_t i = 0; i < e.events_n; i++)
        n += span_eq(e.events[i].kind, span_str(kind));
    return n;
}

static uint64_t records(struct bazaar *b, size_t node)
{
    struct store_stats s;
    view_stats(world_view(b->w, node), &s);
    return s.records;
}

static bool is_offered(struct bazaar *b, size_t node)
{
    struct api_trade_show_result s;
    return bazaar_show(b, node, &s) && span_eq(s.row.phase, span_str("offered"));
}

/* The seller's clock goes wrong, and an offer for its instant listing comes. */
static bool nothing_is_accepted(struct bazaar *b)
{
    struct api_trade_accept_result accepted;
    struct api_trade_counter_result countered;
    bool good = false;
    world_skew(b->w, SELLER, 2 * hour_ms);
    world_run(b->w, 3000);
    EXPECT(warned(b, SELLER) && events(b, SELLER, "clock.wrong") == 1);
    EXPECT(!warned(b, BUYER) && !warned(b, ARBITER)); /* one of their peers is wrong, not they */
    EXPECT(bazaar_offer(b, 25000, 600000));
    world_run(b->w, 60000);
    EXPECT(is_offered(b, SELLER) && is_offered(b, BUYER));
    b->quiet = true;
    EXPECT(world_call(b->w, SELLER, "node.status", span("\x80", 1), NULL) == 0);
    EXPECT(!ASK(b, SELLER, "trade.accept", trade_accept, &accepted, .trade = b->trade));
    EXPECT(memmem(b->result.p, b->result.n, "clock", 5) != NULL);
    EXPECT(!ASK(b, SELLER, "trade.counter", trade_counter, &countered, .trade = b->trade));
    EXPECT(memmem(b->result.p, b->result.n, "clock", 5) != NULL);
    EXPECT(!bazaar_may(b, SELLER, "accept") && bazaar_may(b, SELLER, "decline"));
    b->quiet = false;
    world_skew(b->w, SELLER, 0);
    EXPECT(bazaar_phase(b, BUYER, "ready", 60000)); /* accepted by itself after all */
    EXPECT(!warned(b, SELLER) && events(b, SELLER, "clock.right") == 1);
    good = true;
fail:
    b->quiet = false;
    return good;
}

/* For the bystander alone a year has passed; then for everybody. */
static bool nothing_is_deleted(struct bazaar *b)
{
    bool good = false;
    uint64_t had = records(b, BYSTANDER);
    EXPECT(had > 5);
    world_skew(b->w, BYSTANDER, year_ms);
    world_run(b->w, 300000);
    EXPECT(warned(b, BYSTANDER) && records(b, BYSTANDER) == had);
    world_skew(b->w, BYSTANDER, 0);
    world_run(b->w, 30000);
    EXPECT(!warned(b, BYSTANDER) && records(b, BYSTANDER) >= had);
    /* All nodes are started anew, a year on: they tell each other so. */
    for (size_t i = 0; i < PEOPLE; i++) {
        world_crash(b->w, i);
        world_skew(b->w, i, year_ms);
    }
    for (size_t i = 0; i < PEOPLE; i++)
        world_restart(b->w, i);
    world_run(b->w, 300000);
    printf("  the bystander held %llu records, and holds %llu a year later\n", (unsigned long long)had,
           (unsigned long long)records(b, BYSTANDER));
    EXPECT(!warned(b, BYSTANDER) && records(b, BYSTANDER) < had);
    good = true;
fail:
    return good;
}

/* A node that starts with a wrong clock is told so before it deletes anything. */
static bool wrong_from_the_start(struct bazaar *b)
{
    bool good = false;
    uint64_t had = records(b, BYSTANDER);
    world_crash(b->w, BYSTANDER);
    world_skew(b->w, BYSTANDER, year_ms);
    world_restart(b->w, BYSTANDER);
    world_run(b->w, 300000);
    EXPECT(warned(b, BYSTANDER) && records(b, BYSTANDER) == had);
    world_crash(b->w, BYSTANDER);
    world_skew(b->w, BYSTANDER, 0);
    world_restart(b->w, BYSTANDER);
    world_run(b->w, 5000);
    EXPECT(!warned(b, BYSTANDER));
    good = true;
fail:
    return good;
}

bool scenario_clock(const struct scenario_args *args)
{
    struct bazaar b;
    bool good = bazaar_open(&b, args->seed) && bazaar_prepare(&b, true) && nothing_is_accepted(&b) &&
                wrong_from_the_start(&b) && nothing_is_deleted(&b);
    bazaar_close(&b);
    return good;
}
