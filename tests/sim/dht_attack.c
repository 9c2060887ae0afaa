/* dht_attack.c: the table of attacks, and the routing ones, for dht_attack.h. */
#include "tests/sim/dht_attack.h"
#include "tests/sim/dht_attack_flood.h"
#include "tests/sim/dht_attack_replay.h"
#include "tests/sim/scenario.h"
#include <stdio.h>
#include <stdlib.h>

enum { LATE = 2 /* overdue ones that answer after all, when others of their prefix were asked */ };
enum { VALUES = 60, GETS = 300, KEYS = 10, VICTIMS = 8, SETTLE_MS = 600000 };
enum {
    ROUTES = LIAR_COLLUDE | LIAR_SHADOW | LIAR_INVENT | LIAR_SQUAT,
    STORES = LIAR_DENY | LIAR_FORGET,
};

#define FALSE_KEYS .invents = 1000

static const struct attack all[] = {
    {.name = "poisoned routing, 10 % hostile",
     .run = attack_poison,
     .share = .10,
     .ways = ROUTES | STORES,
     FALSE_KEYS,
     .found_on = 99,
     .found_off = 99.9},
    {.name = "poisoned routing, 25 % hostile",
     .small = true,
     .run = attack_poison,
     .share = .25,
     .ways = ROUTES | STORES,
     FALSE_KEYS,
     .found_on = 99,
     .found_off = 98},
    {.name = "poisoned routing, 40 % hostile",
     .run = attack_poison,
     .share = .40,
     .ways = ROUTES | STORES,
     FALSE_KEYS,
     .found_on = 97,
     .found_off = 95},
    {.name = "  true keys at false addresses, 25 %",
     .small = true,
     .run = attack_poison,
     .share = .25,
     .ways = LIAR_SHADOW | STORES,
     .found_on = 99,
     .found_off = 90},
    {.name = "  keys that nobody has, 25 %",
     .run = attack_poison,
     .share = .25,
     .ways = LIAR_INVENT | STORES,
     FALSE_KEYS,
     .found_on = 99,
     .found_off = 99.5},
    {.name = "  stale values, 25 %",
     .run = attack_poison,
     .share = .25,
     .ways = LIAR_COLLUDE | LIAR_STALE | LIAR_FORGET,
     .found_on = 99,
     .found_off = 95},
    {.name = "slow answers, 25 % hostile",
     .run = attack_poison,
     .share = .25,
     .ways = LIAR_COLLUDE | LIAR_SLOW | STORES,
     .found_on = 99,
     .found_off = 100},
    {.name = "writes told to wait a minute, 25 %",
     .small = true,
     .run = attack_poison,
     .share = .25,
     .ways = LIAR_COLLUDE | LIAR_STALL | STORES,
     .found_on = 99,
     .found_off = 100,
     .put_ms = 5000},
    {.name = "16 sybils nearest to each key",
     .small = true,
     .run = attack_crowd,
     .sybils = 16,
     .tries = 16,
     .ways = LIAR_COLLUDE | STORES,
     .found_on = 98,
     .found_off = 20},
    {.name = "64 sybils nearest to each key",
     .run = attack_crowd,
     .sybils = 64,
     .tries = 16,
     .ways = LIAR_COLLUDE | STORES,
     .found_on = 98,
     .found_off = 20},
    {.name = "24 sybils a key, only just a crowd",
     .run = attack_crowd,
     .sybils = 24,
     .tries = .25,
     .ways = LIAR_COLLUDE | STORES,
     .found_on = 97,
     .found_off = 95},
    {.name = "ids ground near newcomers, 16 each",

     .run = attack_victims,
     .sybils = 16,
     .tries = 4,
     .ways = ROUTES | STORES,
     .invents = 10,
     .found_on = 98,
     .found_off = 100},
    {.name = "one /24 with as many nodes as all others",
     .small = true,
     .run = attack_prefix,
     .share = 1,
     .ways = LIAR_COLLUDE | STORES,
     .found_on = 99.5,
     .found_off = 100,
     .limits = true},
};

static void harm(struct harm *h, struct field *f)
{
    uint64_t hostile, all_entries;
    uint32_t most;
    const struct asked *c = &f->careful;
    field_tables(f, 0, f->honest, &hostile, &all_entries, &most);
    *h = (struct harm){.found = percent(c->good, c->tried),
                       .eclipsed = percent(c->eclipsed, c->tried),
                       .plain = percent(f->plain.good, f->plain.tried),
                       .ms = samples_at(&f->careful.ms, .5),
                       .ms_p99 = samples_at(&f->careful.ms, .99),
                       .messages = samples_at(&f->careful.messages, .5),
                       .put_ms = samples_at(&f->put.ms, .5),
                       .most_table = most,
                       .most_asked = c->hostile_most,
                       .most_replicas = f->put.hostile_most,
                       .tables = percent(hostile, all_entries),
                       .asked = percent(c->hostile, c->hostile + c->honest),
                       .replicas = percent(f->put.hostile, f->put.hostile + f->put.honest)};
}

void attack_poison(const struct attack *a, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                   struct harm *out)
{
    struct field f;
    field_new(&f, knobs, nodes, 0, VALUES, (size_t)(a->invents * (double)nodes), seed);
    field_turn(&f, a->share);
    field_put(&f, false);
    liars_ways(f.l, a->ways);
    dht_world_for(f.w, SETTLE_MS);
    field_put(&f, true);
    field_get(&f, GETS, 0, nodes);
    harm(out, &f);
    field_free(&f);
}

/* An address in a /24 of its own. */
static struct addr apart(size_t i)
{
    return (struct addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (uint8_t)(45 + (i >> 16)),
                          (uint8_t)(i >> 8), (uint8_t)i, 7},
                         4000};
}

void attack_crowd(const struct attack *a, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                  struct harm *out)
{
    struct field f;
    size_t sybils = KEYS * a->sybils;
    field_new(&f, knobs, nodes, sybils, KEYS, 0, seed);
    field_put(&f, false);
    liars_ways(f.l, a->ways);
    for (size_t i = 0; i < sybils; i++) {
        struct addr at = apart(i);
        liars_start(f.l, nodes + i, &f.values[i / a->sybils].key, (uint64_t)(a->tries * (double)nodes),
                    &at);
        dht_world_for(f.w, 500);
    }
    liars_look(f.l);
    dht_world_for(f.w, SETTLE_MS);
    field_put(&f, true);
    field_get(&f, GETS, 0, nodes);
    harm(out, &f);
    field_free(&f);
}

/* The victims' ids are known before they join, as after a restart. */
void attack_victims(const struct attack *a, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                    struct harm *out)
{
    struct field f;
    struct node_key key[VICTIMS];
    size_t sybils = VICTIMS * a->sybils;
    field_new(&f, knobs, nodes, sybils + VICTIMS, VALUES, (size_t)(a->invents * (double)nodes), seed);
    field_put(&f, false);
    for (size_t i = 0; i < sybils; i++) {
        struct addr at = apart(i);
        struct id near;
        if (i % a->sybils == 0)
            rng_bytes(&f.w->rng, key[i / a->sybils].b, 32);
        dht_id(&near, &f.w->net, &key[i / a->sybils]);
        liars_start(f.l, nodes + i, &near, (uint64_t)(a->tries * (double)nodes), &at);
        dht_world_for(f.w, 500);
    }
    liars_look(f.l);
    liars_ways(f.l, a->ways);
    dht_world_for(f.w, SETTLE_MS);
    for (size_t i = 0; i < VICTIMS; i++) {
        dht_world_start_as(f.w, nodes + sybils + i, REACH_OPEN, &key[i], NULL, NULL);
        dht_world_join(f.w, nodes + sybils + i, SIZE_MAX);
        dht_world_for(f.w, 5000);
    }
    dht_world_for(f.w, SETTLE_MS);
    field_put(&f, true);
    field_get(&f, GETS, nodes + sybils, nodes + sybils + VICTIMS);
    harm(out, &f);
    uint64_t hostile, all_entries;
    uint32_t most;
    field_tables(&f, nodes + sybils, nodes + sybils + VICTIMS, &hostile, &all_entries, &most);
    out->tables = percent(hostile, all_entries);
    field_free(&f);
}

void attack_prefix(const struct attack *a, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                   struct harm *out)
{
    struct field f;
    size_t hostile = (size_t)(a->share * (double)nodes);
    field_new(&f, knobs, nodes, hostile, VALUES, 0, seed);
    field_put(&f, false);
    liars_ways(f.l, a->ways);
    for (size_t i = 0; i < hostile; i++) {
        struct addr at = apart(0);
        at.ip[15] = (uint8_t)i;
        at.port = (uint16_t)(4000 + i / 256);
        liars_start(f.l, nodes + i, NULL, 0, &at);
        dht_world_for(f.w, 200);
    }
    liars_look(f.l);
    dht_world_for(f.w, SETTLE_MS);
    field_put(&f, true);
    field_get(&f, GETS, 0, nodes);
    harm(out, &f);
    field_free(&f);
}

static void print_harm(const struct attack *a, const struct harm *h, bool on)
{
    printf("  %-40s %-3s | %6.2f %6.2f %6.2f | %5.1f %5.1f %5.1f | %5u %5u %4u | %5u\n", on ? "" : a->name,
           on ? "on" : "off", h->found, h->eclipsed, h->plain, h->tables, h->asked, h->replicas, h->ms,
           h->ms_p99, h->messages, h->put_ms);
    if (a->limits)
        printf("  %-40s     | at most %u in one table, %u in one get, %u of one put\n", "", h->most_table,
               h->most_asked, h->most_replicas);
}

/* For tests/bench/sim.py; words of the name are joined by "_". */
static void plot_harm(const struct attack *a, size_t nodes, const struct harm *h)
{
    char name[64];
    const char *from = a->name;
    while (*from == ' ')
        from++;
    snprintf(name, sizeof name, "%s%s", from == a->name ? "" : "—_", from);
    for (char *c = name; *c; c++)
        *c = *c == ' ' ? '_' : *c;
    printf("plot attack nodes=%zu name=%s", nodes, name);
    for (int i = 0; i < 2; i++) {
        const char *x = i ? "on" : "off";
        printf(" %s_found=%.2f %s_eclipsed=%.2f %s_plain=%.2f %s_ms=%u %s_ms_p99=%u %s_messages=%u "
               "%s_put_ms=%u %s_tables=%.1f",
               x, h[i].found, x, h[i].eclipsed, x, h[i].plain, x, h[i].ms, x, h[i].ms_p99, x, h[i].messages,
               x, h[i].put_ms, x, h[i].tables);
    }
    printf("\n");
}

static bool good(const struct attack *a, const struct harm *off, const struct harm *on,
                 const struct dht_knobs *k)
{
    bool ok = on->found >= a->found_on && off->found <= a->found_off;
    if (a->limits)
        ok &= off->most_replicas > k->prefix_bucket && on->most_table <= k->prefix_table &&
              on->most_asked <= k->prefix_table + LATE && on->most_replicas <= k->prefix_bucket;
    if (!ok || (a->put_ms && on->put_ms > a->put_ms)) {
        printf("  ^ promised: with defences at least %.1f %% found, without at most %.1f %%\n", a->found_on,
               a->found_off);
        return false;
    }
    return true;
}

static bool run(const struct scenario_args *args, bool small, size_t nodes)
{
    bool ok = true;
    nodes = args->nodes ? args->nodes : nodes;
    if (scenario_number(args, "--floods", 1) > 0)
        ok &= attack_floods(small, nodes / 4, args->seed);
    if (scenario_number(args, "--replays", 1) > 0)
        ok &= attack_replays(nodes / 6, args->seed);
    if (scenario_number(args, "--routes", 1) <= 0)
        return ok;
    printf("  %zu honest nodes.  Per cent: careful gets found, eclipsed, plain gets found | hostile among "
           "table "
           "entries,\n  nodes asked, replicas | a careful get: ms (median, 99 %%), messages | a put: ms\n",
           nodes);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct dht_knobs off, on;
        struct harm harms[2];
        if (small && !all[i].small)
            continue;
        attack_knobs_off(&off);
        dht_knobs_default(&on);
        all[i].run(&all[i], &off, nodes, args->seed, &harms[0]);
        all[i].run(&all[i], &on, nodes, args->seed, &harms[1]);
        print_harm(&all[i], &harms[0], false);
        print_harm(&all[i], &harms[1], true);
        ok &= good(&all[i], &harms[0], &harms[1], &on);
        plot_harm(&all[i], nodes, harms);
        if (all[i].run == attack_poison && all[i].ways == (ROUTES | STORES))
            printf("plot hostile nodes=%zu share=%.2f off=%.6f on=%.6f plain=%.6f ms=%u messages=%u\n",
                   nodes, all[i].share, harms[0].found / 100, harms[1].found / 100, harms[1].plain / 100,
                   harms[1].ms, harms[1].messages);
        fflush(stdout);
    }
    return ok;
}

bool scenario_dht_attack(const struct scenario_args *args)
{
    return run(args, true, 600);
}

bool scenario_dht_attack_full(const struct scenario_args *args)
{
    return run(args, false, 2000);
}
