/* flood.c: somebody with free identities fills one topic with more ids than some nodes have room for.  They
 * stay within their bound and keep all of what was said elsewhere before; the others hold everything; and
 * when the flood is over, there is nothing left to offer, although no two kinds of nodes know the same. */
#include "crypto/record.h"
#include "node/gossip/gossip.h"
#include "record.gen.h"
#include "tests/sim/scenario.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { NODES = 9, HONEST = 30, FLOOD = 1000, BURST = 25, ROOM = 400 };

/* A profile by an identity of its own, in a topic of its choice: the node's own, or told to it by `peer`.
 */
static struct id say(struct world *w, size_t node, const struct network *net, const char *topic,
                     const struct node_key *peer)
{
    uint8_t seed[32], sk[64];
    struct buf body = {0}, bytes = {0};
    struct record draft = {.kind = RECORD_PROFILE,
                           .topic = span_str(topic),
                           .created = world_unix_ms(w),
                           .expires = world_unix_ms(w) + INT64_C(86400000)};
    rng_bytes(world_rng(w), seed, sizeof seed);
    crypto_sign_seed_keypair(draft.author.b, sk, seed);
    record_profile_encode(&body, &(struct record_profile){.name = span_str("Ann")});
    draft.body = buf_view(&body);
    MUST(record_make(&bytes, &draft, net, sk, NULL) == 0);
    struct core *c = world_act_begin(w, node);
    (void)gossip_record(c->gossip, c, peer, buf_view(&bytes), NULL);
    world_act_end(w, node);
    buf_free(&body);
    buf_free(&bytes);
    return draft.id;
}

struct seen {
    uint64_t known_most, flood_least, flood_most, offered;
};

static bool count_topic(void *arg, struct span topic, uint64_t ids, const struct known_at *horizon)
{
    (void)horizon;
    if (span_eq(topic, span_str("bikes/FR")))
        *(uint64_t *)arg = ids;
    return true;
}

static struct seen look(struct world *w)
{
    struct seen s = {.flood_least = UINT64_MAX};
    for (size_t i = 0; i < NODES; i++) {
        struct store_stats st;
        struct gossip_stats g;
        uint64_t ids = 0;
        view_stats(world_view(w, i), &st);
        view_topics(world_view(w, i), count_topic, &ids);
        struct core *c = world_act_begin(w, i);
        gossip_stats(c->gossip, &g);
        world_act_end(w, i);
        s.offered += g.offered_last;
        s.known_most = st.known_most && st.known > s.known_most ? st.known : s.known_most;
        s.flood_least = st.known_most && ids < s.flood_least ? ids : s.flood_least;
        s.flood_most = ids > s.flood_most ? ids : s.flood_most;
    }
    return s;
}

static bool everywhere(struct world *w, const struct id *ids, size_t n)
{
    bool good = true;
    struct record_row row;
    for (size_t i = 0; i < NODES; i++)
        for (size_t k = 0; k < n; k++)
            good = good && view_record(world_view(w, i), &ids[k], &row);
    return good;
}

bool scenario_flood(const struct scenario_args *args)
{
    struct world_config config = {.seed = args->seed,
                                  .nodes_most = NODES,
                                  .delay_least_ms = 5,
                                  .delay_most_ms = 120,
                                  .commit_least_ms = 1,
                                  .commit_most_ms = 15,
                                  .work_most_ms = 8,
                                  .known_most = ROOM};
    struct id honest[HONEST];
    bool good = false;
    network_make(&config.network, "sim", 0, 0, true);
    struct world *w = world_new(&config);
    for (size_t i = 0; i < NODES; i++) {
        size_t peers[2] = {i ? rng_below(world_rng(w), i) : 0, i ? rng_below(world_rng(w), i) : 0};
        world_add(w, peers, i ? 2 : 0, 0);
    }
    world_run(w, 5000);
    for (size_t k = 0; k < HONEST; k++)
        honest[k] = say(w, k % NODES, &config.network, "books/FR", NULL);
    world_run(w, 60000);
    EXPECT(everywhere(w, honest, HONEST));
    for (size_t k = 0; k < FLOOD; k++) {
        say(w, 0, &config.network, "bikes/FR", world_key(w, 1));
        if (k % BURST != BURST - 1)
            continue;
        world_run(w, 5000);
        EXPECT(look(w).known_most <= ROOM);
    }
    world_run(w, 600000);
    struct seen s = look(w);
    printf(
        "  %d said in one topic, room for %d ids: %llu to %llu of them known, at most %llu ids in all; ids "
        "offered in the last rounds: %llu\n",
        FLOOD, ROOM, (unsigned long long)s.flood_least, (unsigned long long)s.flood_most,
        (unsigned long long)s.known_most, (unsigned long long)s.offered);
    EXPECT(s.flood_most == FLOOD);
    EXPECT(s.known_most <= ROOM && s.flood_least > ROOM / 2);
    EXPECT(everywhere(w, honest, HONEST));
    EXPECT(s.offered == 0);
    honest[0] = say(w, 2, &config.network, "books/FR", NULL); /* and the next thing comes through */
    world_run(w, 120000);
    EXPECT(everywhere(w, honest, HONEST));
    good = true;
fail:
    world_free(w);
    return good;
}
