/* converge.c: every record reaches every carrier, through loss, partition and crashes, revisions and
 * withdrawals among them, and then there is nothing left to offer. */
#include "crypto/record.h"
#include "node/gossip/gossip.h"
#include "record.gen.h"
#include "tests/sim/scenario.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { PER_NODE = 3, REVISIONS_MOST = 8 };

/* One listing through its revisions: who says it, where it stands, and all that was said. */
struct said {
    uint8_t sk[64];
    struct identity author;
    struct salt slot;
    struct id ids[REVISIONS_MOST];
    unsigned n;
    bool withdrawn, unsure; /* unsure: its first revision may be lost in a crash, and it has no other */
};

static void said_new(struct world *w, struct said *s)
{
    uint8_t seed[32];
    *s = (struct said){.unsure = true};
    rng_bytes(world_rng(w), seed, sizeof seed);
    crypto_sign_seed_keypair(s->author.b, s->sk, seed);
    rng_bytes(world_rng(w), s->slot.b, sizeof s->slot.b);
}

/* A small, valid listing, as the body of a record. */
static void listing_body(const struct said *s, unsigned n, struct buf *body)
{
    char title[64];
    snprintf(title, sizeof title, "Thing number %u", n);
    struct record_delivery pickup = {.mode = RECORD_DELIVERY_MODE_PICKUP};
    enum record_rail rail = RECORD_RAIL_DIRECT;
    struct record_listing m = {.slot = s->slot,
                               .title = span_str(title),
                               .description = span_str("As good as new."),
                               .language = span_str("en"),
                               .category = span_str("bikes/city"),
                               .price = {1000 + n, {"EUR"}},
                               .quantity = 1,
                               .region = span_str("FR"),
                               .delivery = &pickup,
                               .delivery_n = 1,
                               .rails = &rail,
                               .rails_n = 1};
    record_listing_encode(body, &m);
}

/* The next revision of it (the first, a later one, or its withdrawal), signed. */
static void make_record(struct world *w, const struct network *net, struct said *s, unsigned n,
                        struct buf *out)
{
    struct buf body = {0};
    struct record_withdrawal gone = {.kind = RECORD_LISTING, .slot = s->slot};
    if (s->withdrawn)
        record_withdrawal_encode(&body, &gone);
    else
        listing_body(s, n, &body);
    struct record draft = {.kind = s->withdrawn ? RECORD_WITHDRAWAL : RECORD_LISTING,
                           .author = s->author,
                           .topic = span_str("bikes/FR"),
                           .created = world_unix_ms(w),
                           .expires = world_unix_ms(w) + 86400000,
                           .body = buf_view(&body)};
    struct report r = {0};
    if (s->n == REVISIONS_MOST || record_make(out, &draft, net, s->sk, &r)) {
        fprintf(stderr, "%s\n", r.text);
        abort();
    }
    s->ids[s->n++] = draft.id;
    buf_free(&body);
}

static void publish(struct world *w, size_t node, const struct network *net, struct said *s, unsigned n)
{
    struct buf bytes = {0};
    struct report r = {0};
    make_record(w, net, s, n, &bytes);
    struct core *c = world_act_begin(w, node);
    if (gossip_record(c->gossip, c, NULL, buf_view(&bytes), &r))
        fprintf(stderr, "node %zu refused a record: %s\n", node, r.text);
    world_act_end(w, node);
    buf_free(&bytes);
}

static void first_said(struct world *w, size_t node, const struct network *net, struct said *said,
                       unsigned n)
{
    said_new(w, &said[n]);
    publish(w, node, net, &said[n], n);
}

/* Every other listing is revised, some of them twice, in one half of the network or in both, and some are
 * withdrawn: by authors whose halves do not see each other's. */
static void revise(struct world *w, size_t nodes, const struct network *net, struct said *said, unsigned n,
                   unsigned round)
{
    for (unsigned i = round; i < n; i += 2 + round) {
        size_t half = nodes / 2,
               node = rng_below(world_rng(w), half) + (rng_below(world_rng(w), 2) ? half : 0);
        said[i].unsure = false;
        said[i].withdrawn = round && i % 3 == 0;
        publish(w, node, net, &said[i], i);
    }
}

/* Of each listing all nodes hold the last revision, and whatever id they know they can serve. */
static bool last_stands_and_all_is_served(struct world *w, size_t nodes, const struct said *said,
                                          unsigned n)
{
    bool good = true;
    for (size_t k = 0; k < nodes; k++)
        for (unsigned i = 0; i < n; i++) {
            struct id id = {{0}};
            uint64_t revision;
            struct record_row row;
            const struct said *s = &said[i];
            struct view *v = world_view(w, k);
            bool held = view_slot(v, &s->author, RECORD_LISTING, &s->slot, &id, &revision);
            good = good && (held ? id_eq(&id, &s->ids[s->n - 1]) : s->unsure);
            good = good && (!held || (view_record(v, &id, &row) && row.withdraws == s->withdrawn));
            for (unsigned r = 0; r < s->n; r++)
                good = good && view_known(v, &s->ids[r]) == view_known(world_view(w, 0), &s->ids[r]) &&
                       (!view_known(v, &s->ids[r]) || view_record_any(v, &s->ids[r], &row));
        }
    return good;
}

struct all_have {
    size_t nodes;
    uint64_t records;
};

static bool everybody_has_all(struct world *w, void *arg)
{
    const struct all_have *a = arg;
    for (size_t i = 0; i < a->nodes; i++) {
        struct store_stats s;
        if (!world_alive(w, i))
            return false;
        view_stats(world_view(w, i), &s);
        if (s.records < a->records)
            return false;
    }
    return true;
}

static uint64_t offered(struct world *w, size_t nodes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < nodes; i++) {
        struct gossip_stats s;
        struct core *c = world_act_begin(w, i);
        gossip_stats(c->gossip, &s);
        world_act_end(w, i);
        sum += s.offered_last;
    }
    return sum;
}

static void step_checks(struct world *w, uint64_t ms)
{
    world_run(w, ms);
}

bool scenario_converge(const struct scenario_args *args)
{
    size_t nodes = args->nodes ? args->nodes : 20;
    struct world_config config = {.seed = args->seed,
                                  .nodes_most = nodes,
                                  .loss_percent = 5,
                                  .delay_least_ms = 5,
                                  .delay_most_ms = 120,
                                  .commit_least_ms = 1,
                                  .commit_most_ms = 15,
                                  .work_least_ms = 0,
                                  .work_most_ms = 8};
    network_make(&config.network, "sim", 0, 0, true);
    struct world *w = world_new(&config);
    bool good = false;
    for (size_t i = 0; i < nodes; i++) {
        size_t peers[2] = {i ? rng_below(world_rng(w), i) : 0, i ? rng_below(world_rng(w), i) : 0};
        world_add(w, peers, i ? 2 : 0, (int64_t)rng_below(world_rng(w), 4000) - 2000);
    }
    world_run(w, 5000);
    struct said *said = xcalloc(nodes * PER_NODE * 2, sizeof *said);
    unsigned n = 0;
    for (size_t i = 0; i < nodes; i++)
        for (int k = 0; k < PER_NODE; k++)
            first_said(w, i, &config.network, said, n++);
    step_checks(w, 300);
    /* Half of the network is cut off, and some of it crashes while records are on their way. */
    for (size_t i = 0; i < nodes / 2; i++)
        world_group(w, i, 1);
    for (size_t i = 0; i < nodes; i += 4)
        world_crash(w, i);
    step_checks(w, 20000);
    for (size_t i = 0; i < nodes; i += 4)
        world_restart(w, i);
    for (size_t i = 1; i < nodes; i += 2)
        for (int k = 0; k < PER_NODE; k++)
            first_said(w, i, &config.network, said, n++);
    for (unsigned round = 0; round < 3; round++) {
        step_checks(w, 20000 / 3);
        revise(w, nodes, &config.network, said, n, round);
    }
    step_checks(w, 20000);
    for (size_t i = 0; i < nodes; i++)
        world_group(w, i, 0);
    /* What a crashed node had not yet committed is rightly lost: count what is on disk anywhere. */
    uint64_t records = 0;
    for (size_t i = 0; i < nodes; i++) {
        struct store_stats s;
        view_stats(world_view(w, i), &s);
        records = s.records > records ? s.records : records;
    }
    struct all_have a = {nodes, records};
    bool first = world_until(w, everybody_has_all, &a, 600000);
    for (size_t i = 0; i < nodes; i++) { /* more may have come from those that were cut off */
        struct store_stats s;
        view_stats(world_view(w, i), &s);
        a.records = s.records > a.records ? s.records : a.records;
    }
    EXPECT(first);
    EXPECT(world_until(w, everybody_has_all, &a, 600000));
    printf("  %zu nodes, %u published, %llu on every node after %llu s\n", nodes, n,
           (unsigned long long)a.records, (unsigned long long)(world_now_ms(w) / 1000));
    EXPECT(a.records + PER_NODE * (nodes / 4 + 1) >= n); /* only a crash can have lost any */
    world_run(w, 400000);
    printf("  ids offered in the last rounds: %llu\n", (unsigned long long)offered(w, nodes));
    EXPECT(offered(w, nodes) == 0);
    EXPECT(last_stands_and_all_is_served(w, nodes, said, n));
    good = true;
fail:;
    struct world_stats st;
    world_stats(w, &st);
    printf("  %llu events, %llu datagrams, %llu KiB in streams, %llu commits\n",
           (unsigned long long)st.events, (unsigned long long)st.dgrams,
           (unsigned long long)(st.stream_bytes / 1024), (unsigned long long)st.commits);
    world_free(w);
    free(said);
    return good;
}

bool scenario_converge_200(const struct scenario_args *args)
{
    return scenario_converge(&(struct scenario_args){.seed = args->seed, .nodes = 200});
}
