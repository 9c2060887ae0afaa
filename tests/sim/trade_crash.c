/* trade_crash.c: a whole trade while one of its parties crashes at every kind of commit that it makes: once
 * just before it is applied (it is lost), once just after (its news is lost).  The trade still completes,
 * the money is where it belongs, and nobody has told two stories. */
#include "node/trade/facts.h"
#include "tests/sim/trade_market.h"
#include <stdio.h>

enum { HOUR = 3600000, LABELS = 512 };

struct crasher {
    struct bazaar *b;
    size_t victim;
    bool off, down, after; /* after: to be crashed once the commit under way is applied */
    uint64_t labels[LABELS];
    unsigned times[LABELS];
    size_t n, crashes;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * UINT64_C(1099511628211);
}

/* What kind of commit is it: room, purpose, operations, and which kinds of facts. */
static uint64_t label_of(const struct network *net, const struct change *ch)
{
    uint64_t h = mix(mix(UINT64_C(14695981039346656037), ch->room), ch->what);
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < ch->ops_n; i++) {
        struct fact_view f;
        h = mix(h, ch->ops[i].kind);
        if (ch->ops[i].kind == OP_FACT && fact_parse(&f, net, ch->ops[i].fact.bytes, &a, NULL) == 0)
            h = mix(h, f.e.kind);
    }
    arena_free(&a);
    return h;
}

static void at_commit(void *arg, size_t node, const struct change *change)
{
    struct crasher *k = arg;
    if (k->off || node != k->victim || k->down || k->after)
        return;
    uint64_t label = label_of(&world_config_of(k->b->w, node)->network, change);
    size_t i = 0;
    while (i < k->n && k->labels[i] != label)
        i++;
    if (i == LABELS)
        return;
    if (i == k->n)
        k->labels[k->n++] = label;
    if (k->times[i] == 0) {
        k->down = true;
        world_crash(k->b->w, node);
    } else if (k->times[i] == 1) {
        k->after = true;
    }
    k->times[i]++;
}

static bool crash_due(struct world *w, void *arg)
{
    const struct crasher *k = arg;
    (void)w;
    return k->down || k->after;
}

/* Runs for a while, crashing and starting again as due. */
static void run(struct crasher *k, uint64_t ms)
{
    struct world *w = k->b->w;
    uint64_t until = world_now_ms(w) + ms;
    while (world_now_ms(w) < until) {
        world_until(w, crash_due, k, until - world_now_ms(w));
        if (k->after && world_alive(w, k->victim))
            world_crash(w, k->victim);
        if (k->after || k->down) {
            k->crashes++;
            world_run(w, 100);
            world_restart(w, k->victim);
            k->after = k->down = false;
        }
    }
}

/* What the owners would type now; a command that a crash swallowed is typed again. */
static void owners(struct bazaar *b, struct crasher *k)
{
    struct api_trade_fund_result funded;
    struct api_trade_ship_result shipped;
    struct api_trade_release_result released;
    struct api_trade_show_result s;
    if (!k->down && bazaar_may(b, BUYER, "fund"))
        (void)ASK(b, BUYER, "trade.fund", trade_fund, &funded, .trade = b->trade, .has_address = true,
                  .address = span_str("12 rue des Lilas"), .has_passphrase = true,
                  .passphrase = span_str("x"));
    run(k, 10);
    if (!k->down && bazaar_may(b, SELLER, "ship") && bazaar_show(b, SELLER, &s) && s.has_address)
        (void)ASK(b, SELLER, "trade.ship", trade_ship, &shipped, .trade = b->trade);
    run(k, 10);
    if (!k->down && bazaar_show(b, BUYER, &s) && span_eq(s.row.phase, span_str("shipped")))
        (void)ASK(b, BUYER, "trade.release", trade_release, &released, .trade = b->trade,
                  .has_passphrase = true, .passphrase = span_str("x"));
    run(k, 10);
}

static bool settled(struct bazaar *b)
{
    struct api_trade_show_result s;
    for (size_t i = SELLER; i <= ARBITER; i++)
        if (!bazaar_show(b, i, &s) || !span_eq(s.row.phase, span_str("settled_released")) ||
            s.two_stories_n)
            return false;
    return true;
}

static bool one(struct bazaar *b, size_t victim)
{
    struct crasher k = {.b = b, .victim = victim};
    bool good = false, done = false;
    int64_t seller = bazaar_credit(b, SELLER), buyer = bazaar_credit(b, BUYER);
    uint64_t began = world_now_ms(b->w);
    world_on_commit(b->w, at_commit, &k);
    b->quiet = true;
    for (int tries = 0; tries < 20; tries++) { /* the offer itself may be lost, or only its answer */
        if (bazaar_offer(b, 25000, HOUR))
            break;
        run(&k, 1000);
    }
    for (int i = 0; i < 1200 && !done; i++) {
        run(&k, 500);
        owners(b, &k);
        done = !k.down && !k.after && settled(b);
    }
    k.off = true;
    run(&k, 1000);
    if (!done)
        for (size_t i = SELLER; i <= ARBITER; i++)
            bazaar_print(b, i);
    EXPECT(done);
    EXPECT(k.crashes > 10);
    world_run(b->w, 60000);
    EXPECT(bazaar_credit(b, SELLER) == seller + 25000);
    EXPECT(bazaar_credit(b, BUYER) == buyer - 25000);
    printf("  node %zu crashed %zu times in %llu s\n", victim, k.crashes,
           (unsigned long long)((world_now_ms(b->w) - began) / 1000));
    good = true;
fail:
    k.off = true;
    world_on_commit(b->w, NULL, NULL);
    b->quiet = false;
    return good;
}

bool scenario_trade_crash(const struct scenario_args *args)
{
    struct bazaar b;
    bool good = false;
    EXPECT(bazaar_open(&b, args->seed));
    EXPECT(bazaar_prepare(&b, true));
    EXPECT(one(&b, SELLER));
    EXPECT(one(&b, BUYER));
    EXPECT(one(&b, ARBITER));
    good = true;
fail:
    bazaar_close(&b);
    return good;
}
