/* dht_scale.c: lookups, puts and gets in networks of 1,000 to 100,000 engines.
 *
 *     tests/run sim dht --nodes 100000 --seed 1 [--queries 3000] [--loss 0.05] [--replaced 0.2]
 *                       [--clients 0.3] [--hidden 0.05] [--grow 1] [--upkeep_minutes 30]
 *
 *     tests/run sim dht_grown             1,000 nodes that joined one after another, five a second
 *
 * The world of dht_world.h with its map, loss, clients behind NATs and churn.  Tables are filled from
 * outside (or grown by joining, --grow 1), then the network runs by itself for ten minutes of virtual time.
 * Then `queries` of each kind are started one after another, evenly over three minutes, each by a random
 * machine that has been up for a minute:
 *
 *   put     succeeds when at least half of the replicas were stored (the engine calls that published);
 *   lookup  of a random id; succeeds when at least half of the eight open machines that really are the
 *           nearest (those of them that have been up for a minute) are in its result;
 *   get     of one of the values whose put came to an end; succeeds when it brings the very bytes.
 *
 * Afterwards the network is left alone, and what upkeep costs is the bytes in and out of the open machines
 * that were up all the while.  It is judged over half an hour or longer, so that every bucket comes round;
 * 0 leaves it out (dht_churn.c measures it too). */
#include "tests/sim/dht_tally.h"
#include "tests/sim/dht_world.h"
#include "tests/sim/scenario.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { WARM_MS = 600000, PHASE_MS = 180000, REPLICAS = 8 };
struct put { /* a value of the run */
    struct keypair author;
    struct id key;
    struct buf bytes;
    bool told; /* the put has a result: its machine did not leave before */
};
struct scale {
    struct dht_world *w;
    enum dht_query kind;
    struct put *puts;
    size_t puts_n, next, queries;
    struct tally put, lookup, get;
    struct samples stored;
    uint64_t near_known, near_all, dense;
};

/* How many of the eight open machines that really are the nearest, and up for a minute, are in the result.
 */
static size_t recalled(struct scale *s, const struct dht_result *r, size_t *of)
{
    size_t near[REPLICAS], got = 0;
    size_t n = dht_world_nearest(s->w, &r->target, near, REPLICAS);
    *of = 0;
    for (size_t i = 0; i < n; i++) {
        const struct dht_place *p = &s->w->places[near[i]];
        if (s->w->now.mono_ms - p->started_ms < 60000)
            continue;
        ++*of;
        for (size_t j = 0; j < r->nodes_n; j++)
            got += node_key_eq(&r->nodes[j].key, &p->key);
    }
    return got;
}

static void result(void *arg, struct dht_world *w, size_t place, const struct dht_result *r)
{
    struct scale *s = arg;
    (void)w;
    (void)place;
    s->dense += r->dense;
    if (r->kind == DHT_PUT) {
        s->puts[r->cookie].told = true;
        tally_add(&s->put, r->err == 0 && r->stored >= REPLICAS / 2, r);
        samples_add(&s->stored, r->stored);
    } else if (r->kind == DHT_LOOKUP) {
        size_t of, got = recalled(s, r, &of);
        tally_add(&s->lookup, r->err == 0 && got >= of / 2, r);
        s->near_known += got;
        s->near_all += of;
    } else
        tally_add(&s->get, r->err == 0 && span_eq(r->values[0], buf_view(&s->puts[r->cookie].bytes)), r);
}

static void start_one(struct dht_world *w, void *arg)
{
    struct scale *s = arg;
    size_t place;
    do
        place = dht_world_someone(w, false);
    while (w->now.mono_ms - w->places[place].started_ms < 60000);
    struct dht *d = w->places[place].dht;
    int err = 0;
    if (s->kind == DHT_PUT) {
        struct put *p = &s->puts[s->puts_n];
        sign_keypair_new(&p->author, &w->rng);
        dht_world_pointer(w, &p->bytes, &p->author, 1, s->puts_n, &p->key);
        dht_put_start(d, w->now, buf_view(&p->bytes), NULL, s->puts_n++, &err);
    } else if (s->kind == DHT_LOOKUP) {
        struct id target;
        rng_bytes(&w->rng, target.b, sizeof target.b);
        dht_lookup_start(d, w->now, &target, 0, 0);
    } else {
        size_t i;
        do
            i = rng_below(&w->rng, s->puts_n);
        while (!s->puts[i].told);
        dht_get_start(d, w->now, DHT_POINTER, &s->puts[i].key, 0, i);
    }
    dht_world_touch(w, place);
    if (++s->next < s->queries)
        dht_world_at(w, w->now.mono_ms + PHASE_MS / s->queries, start_one, s);
}

static void phase(struct scale *s, enum dht_query kind)
{
    s->kind = kind;
    s->next = 0;
    dht_world_at(s->w, s->w->now.mono_ms, start_one, s);
    dht_world_for(s->w, PHASE_MS + 30000);
}

/* The median of bytes a second, in and out, of open machines up since counting began. */
static uint32_t upkeep(const struct dht_world *w, uint32_t *p99)
{
    struct samples s = {0};
    for (size_t i = 0; i < w->n; i++) {
        const struct dht_place *p = &w->places[i];
        uint64_t ms = w->now.mono_ms - p->counted_ms;
        if (p->up && p->reach == REACH_OPEN && p->started_ms < p->counted_ms && ms)
            samples_add(&s, (p->sent_bytes + p->received_bytes) * 1000 / ms);
    }
    uint32_t median = samples_at(&s, .5);
    *p99 = samples_at(&s, .99);
    samples_free(&s);
    return median;
}

static void print_map(const struct dht_world *w)
{
    struct samples s = {0};
    for (size_t i = 0; i < 20000; i++)
        samples_add(&s, (uint64_t)dht_world_rtt(w, i * 7919 % w->n, (i * 104729 + 1) % w->n));
    printf("  round trips ms: median %u, 90 %% %u, 99 %% %u\n", samples_at(&s, .5), samples_at(&s, .9),
           samples_at(&s, .99));
    samples_free(&s);
}

static uint64_t memory_a_node(const struct dht_world *w, struct samples *tables, struct samples *guesses)
{
    uint64_t all = dht_contacts_bytes(w->pool), machines = 0, open = 0;
    for (size_t i = 0; i < w->n; i++)
        open += w->places[i].up && w->places[i].reach == REACH_OPEN;
    for (size_t i = 0; i < w->n; i++)
        if (w->places[i].dht) {
            struct dht_stats stats;
            dht_stats_read(w->places[i].dht, &stats);
            all += stats.memory_bytes;
            samples_add(tables, stats.nodes);
            if (open && w->now.mono_ms - w->places[i].started_ms >= 60000)
                samples_add(guesses, stats.network_nodes * 1000 / open);
            machines++;
        }
    return machines ? all / machines : 0;
}

static struct dht_world_config configured(const struct scenario_args *args, struct scale *s, size_t nodes)
{
    return (struct dht_world_config){.places = nodes,
                                     .seed = args->seed,
                                     .clients = scenario_number(args, "--clients", 0.3),
                                     .hidden = scenario_number(args, "--hidden", 0.05),
                                     .loss = scenario_number(args, "--loss", 0.05),
                                     .replaced = scenario_number(args, "--replaced", 0.2),
                                     .arg = s,
                                     .on_result = result};
}

static void finish(struct scale *s)
{
    tally_free(&s->put);
    tally_free(&s->lookup);
    tally_free(&s->get);
    samples_free(&s->stored);
    for (size_t i = 0; i < s->puts_n; i++)
        buf_free(&s->puts[i].bytes);
    free(s->puts);
    dht_world_free(s->w);
}

static void begin(struct scale *s, const struct scenario_args *args, size_t nodes, size_t queries,
                  bool grow)
{
    struct dht_world_config config = configured(args, s, nodes);
    *s = (struct scale){.w = dht_world_new(&config),
                        .puts = xcalloc(queries, sizeof *s->puts),
                        .queries = queries,
                        .put.name = "put",
                        .lookup.name = "lookup",
                        .get.name = "get"};
    if (grow)
        dht_world_grow(s->w, nodes, 200);
    else
        dht_world_fill(s->w, nodes);
}

static bool run(const struct scenario_args *args, size_t nodes, bool grow, double minutes)
{
    nodes = args->nodes ? args->nodes : nodes;
    size_t queries = (size_t)scenario_number(args, "--queries", 3000);
    grow = scenario_number(args, "--grow", grow) > 0;
    bool good = false;
    struct scale s;
    begin(&s, args, nodes, queries, grow);
    struct dht_world *w = s.w;
    print_map(w);
    dht_world_for(w, WARM_MS);
    phase(&s, DHT_PUT);
    phase(&s, DHT_LOOKUP);
    phase(&s, DHT_GET);
    tally_print(&s.put);
    tally_print(&s.lookup);
    tally_print(&s.get);
    printf("  replicas of a put: median %u, 1 %% have at most %u\n", samples_at(&s.stored, .5),
           samples_at(&s.stored, .01));
    printf("  lookups named %.2f %% of the eight that really are the nearest; %llu queries took ids for "
           "crowded\n",
           100.0 * (double)s.near_known / (double)(s.near_all ? s.near_all : 1),
           (unsigned long long)s.dense);
    dht_world_count_from_here(w);
    minutes = scenario_number(args, "--upkeep_minutes", minutes);
    dht_world_for(w, (uint64_t)(minutes * 60000));
    uint32_t upkeep_p99, upkeep_median = upkeep(w, &upkeep_p99);
    struct samples tables = {0}, guesses = {0};
    uint64_t memory = memory_a_node(w, &tables, &guesses);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    if (minutes >= 30)
        printf("  upkeep of a quiet node: median %u B/s, 99 %% %u B/s\n", upkeep_median, upkeep_p99);
    printf(
        "  memory: %llu B a node (engine and its part of the pool), %llu B with the simulator (peak RSS); "
        "nodes in a table: median %u\n",
        (unsigned long long)memory, (unsigned long long)used.ru_maxrss * 1024 / nodes,
        samples_at(&tables, .5));
    printf("  guesses of the number of open nodes: 1 %% below %.2f times the truth, half below %.2f, 1 %% "
           "above %.2f\n",
           samples_at(&guesses, .01) / 1000.0, samples_at(&guesses, .5) / 1000.0,
           samples_at(&guesses, .99) / 1000.0);
    printf("  %llu datagrams, %llu machines left; %ld s of CPU; digest %016llx\n",
           (unsigned long long)w->stats.datagrams, (unsigned long long)w->stats.left,
           (long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec), (unsigned long long)w->digest);
    char x[64];
    snprintf(x, sizeof x, "nodes=%zu", nodes);
    tally_plot(&s.put, grow ? "grown" : "scale", x);
    tally_plot(&s.lookup, grow ? "grown" : "scale", x);
    tally_plot(&s.get, grow ? "grown" : "scale", x);
    if (minutes >= 30)
        printf("plot upkeep nodes=%zu bytes_s=%u bytes_s_p99=%u memory=%llu rss=%llu\n", nodes,
               upkeep_median, upkeep_p99, (unsigned long long)memory,
               (unsigned long long)used.ru_maxrss * 1024 / nodes);
    /* A machine that leaves takes its query along. */
    EXPECT(s.put.tried + s.lookup.tried + s.get.tried >= 3 * queries * 99 / 100);
    EXPECT(tally_share(&s.put) >= 0.999);
    EXPECT(tally_share(&s.lookup) >= 0.99);
    EXPECT(tally_share(&s.get) >= 0.999);
    EXPECT(samples_at(&s.lookup.hops, .5) <= 4 && samples_at(&s.get.hops, .5) <= 4);
    EXPECT(minutes < 30 || upkeep_median < 1000);
    good = true;
fail:
    samples_free(&tables);
    samples_free(&guesses);
    finish(&s);
    return good;
}

bool scenario_dht(const struct scenario_args *args)
{
    return run(args, 10000, false, 30);
}

bool scenario_dht_grown(const struct scenario_args *args)
{
    return run(args, 1000, true, 0);
}

static uint64_t digest_of(const struct scenario_args *args, uint64_t *datagrams)
{
    struct scale s;
    begin(&s, args, 60, 40, true);
    dht_world_for(s.w, 60000);
    phase(&s, DHT_PUT);
    phase(&s, DHT_GET);
    uint64_t digest = s.w->digest;
    *datagrams = s.w->stats.datagrams;
    finish(&s);
    return digest;
}

bool scenario_dht_replay(const struct scenario_args *args)
{
    struct scenario_args other = *args;
    other.seed++;
    uint64_t n[3], a = digest_of(args, &n[0]), b = digest_of(args, &n[1]), c = digest_of(&other, &n[2]);
    printf("  %llu datagrams, digest %016llx\n", (unsigned long long)n[0], (unsigned long long)a);
    EXPECT(n[0] > 10000 && n[0] == n[1]);
    EXPECT(a == b);
    EXPECT(a != c);
    return true;
fail:
    return false;
}
