// links: gossip
/* Do ids settle?  Many nodes in memory, each with its own budget and its own taste, reconcile in pairs
 * while records arrive in no order.  After the last arrival the number of ids offered a round must fall to
 * 0 and stay there; and it must not, when a rule that it depends on is broken. */
#include "node/gossip/negset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#ifdef SOUK_SANITIZED
enum { NODES = 16, RECORDS = 2000 };
#else
enum { NODES = 50, RECORDS = 10000 };
#endif
enum {
    FEW_NODES = 16, /* where a rule is broken */
    FEW_RECORDS = 2000,
    MOST_ROUNDS = 45,
    ARRIVAL_ROUNDS = 20,
    FRAME_BYTES = 48000,
    FETCHES = 400,   /* a node's budget for one peer in one round */
    DECLINE_ONE = 4, /* of so many records that are not its own, at each node another one */
    REVISED_ONE = 5, /* of so many slots has a second revision */
    ROOM_ONE = 3,    /* of so many nodes has room for some ids only */
};

struct rules {
    bool remember;   /* what is declined or superseded stays in the reconciled set */
    bool keep_bytes; /* of what was superseded, so that who missed it can still have it */
    size_t room;     /* for ids, at one node in ROOM_ONE; 0: for all */
    bool horizon;    /* such a node says nothing of what lies before what it forgot */
};
enum state { UNKNOWN, HELD, NOT_HELD, FORGOTTEN };
struct entry {
    struct neg_item item;
    size_t author, slot;
    unsigned revision;
};
struct member {
    struct negset *set;
    uint8_t state[RECORDS], newest[RECORDS]; /* newest: by slot, revision + 1 */
    struct neg_bound since;
};
struct world {
    struct rules rules;
    size_t nodes, records;
    struct rng rng;
    struct entry record[RECORDS];
    struct member node[NODES];
    size_t offered, unserved, fetched, bytes;
};

static size_t index_of(const struct id *id)
{
    return be32_get(id->b + 28);
}

static struct world *world_new(struct rules rules, size_t nodes, size_t records)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->rules = rules;
    w->nodes = nodes;
    w->records = records;
    rng_seed_u64(&w->rng, 1);
    for (size_t i = 0; i < w->nodes; i++)
        w->node[i].set = negset_new();
    for (size_t i = 0; i < w->records; i++) {
        struct entry *e = &w->record[i];
        rng_bytes(&w->rng, e->item.id.b, 28);
        be32_put(e->item.id.b + 28, (uint32_t)i);
        e->item.created = 1790000000000 + rng_below(&w->rng, 86400000);
        bool second = i % REVISED_ONE == 1;
        e->slot = second ? i - 1 : i;
        e->revision = second;
        e->author = e->slot * 7919 % w->nodes;
        if (rules.room && e->author % ROOM_ONE == 1)
            e->author++; /* one's own are not forgotten: so nobody who lacks room has any */
    }
    return w;
}

static void world_free(struct world *w)
{
    for (size_t i = 0; i < w->nodes; i++)
        negset_free(w->node[i].set);
    free(w);
}

static bool declines(size_t node, const struct entry *e)
{
    return node != e->author && (e->item.id.b[node % 28] ^ node) % DECLINE_ONE == 0;
}

static void know(struct world *w, struct member *m, size_t i, enum state s)
{
    const struct neg_item *item = &w->record[i].item;
    bool in_set = s == HELD || w->rules.remember;
    m->state[i] = (uint8_t)(s == HELD || w->rules.remember ? s : FORGOTTEN);
    if (in_set)
        negset_add(m->set, item->created, &item->id);
    else
        negset_remove(m->set, item->created, &item->id);
}

/* What a node does with a record that has come, its signature being good. */
static void admit(struct world *w, size_t node, size_t i)
{
    struct member *m = &w->node[node];
    const struct entry *e = &w->record[i];
    enum state old = w->rules.keep_bytes ? HELD : NOT_HELD;
    if (m->newest[e->slot] > e->revision + 1) {
        know(w, m, i, old);
        return;
    }
    if (declines(node, e)) {
        know(w, m, i, NOT_HELD);
        return;
    }
    m->newest[e->slot] = (uint8_t)(e->revision + 1);
    know(w, m, i, HELD);
    if (e->revision && m->state[e->slot] != UNKNOWN)
        know(w, m, e->slot, old);
}

/* A node without room forgets its oldest; what is older than that it takes no more. */
static void make_room(struct world *w, size_t node)
{
    struct member *m = &w->node[node];
    while (w->rules.room && node % ROOM_ONE == 1 && negset_count(m->set) > w->rules.room) {
        struct neg_set view = negset_view(m->set);
        struct neg_item oldest, next;
        view.item(view.arg, 0, &oldest);
        view.item(view.arg, 1, &next);
        m->since = (struct neg_bound){.created = next.created, .id = next.id, .n = sizeof next.id.b};
        m->state[index_of(&oldest.id)] = FORGOTTEN;
        negset_remove(m->set, oldest.created, &oldest.id);
    }
}

static bool too_old(const struct member *m, const struct neg_item *item)
{
    if (item->created != m->since.created)
        return item->created < m->since.created;
    return memcmp(&item->id, &m->since.id, sizeof item->id) < 0;
}

/* `to` asks `from` for ids that it was offered. */
static void fetch(struct world *w, size_t to, size_t from, const struct id *ids, size_t n)
{
    w->offered += n;
    for (size_t k = 0, budget = FETCHES; k < n && budget; k++) {
        size_t i = index_of(&ids[k]);
        enum state s = w->node[to].state[i];
        if (s == HELD || s == NOT_HELD)
            continue;
        budget--;
        if (w->node[from].state[i] == HELD) {
            w->fetched++;
            if (!too_old(&w->node[to], &w->record[i].item))
                admit(w, to, i);
            make_room(w, to);
        } else
            w->unserved++;
    }
}

static void gather(struct buf *to, const struct id *ids, size_t n)
{
    buf_append(to, ids, n * sizeof *ids);
}

static void reconcile(struct world *w, size_t a, size_t b, bool random_start)
{
    struct neg side[2];
    struct neg_set view[2] = {negset_view(w->node[a].set), negset_view(w->node[b].set)};
    struct buf message = {0}, answer = {0}, have = {0}, need = {0};
    neg_init(&side[0], &view[0], FRAME_BYTES);
    neg_init(&side[1], &view[1], FRAME_BYTES);
    if (w->rules.horizon) {
        side[0].since = w->node[a].since;
        side[1].since = w->node[b].since;
    }
    if (random_start)
        neg_initiate_random(&side[0], &message, &w->rng);
    else
        neg_initiate(&side[0], &message);
    while (message.n > 1) {
        buf_clear(&answer);
        assert_int_equal(neg_reconcile(&side[1], buf_view(&message), &answer), 0);
        w->bytes += message.n + answer.n;
        buf_clear(&message);
        assert_int_equal(neg_reconcile(&side[0], buf_view(&answer), &message), 0);
        gather(&have, side[0].have, side[0].have_n);
        gather(&need, side[0].need, side[0].need_n);
    }
    fetch(w, a, b, (const struct id *)(const void *)need.p, need.n / sizeof(struct id));
    fetch(w, b, a, (const struct id *)(const void *)have.p, have.n / sizeof(struct id));
    neg_free(&side[0]);
    neg_free(&side[1]);
    buf_free(&message);
    buf_free(&answer);
    buf_free(&have);
    buf_free(&need);
}

static void one_round(struct world *w, unsigned round)
{
    w->offered = w->unserved = 0;
    for (size_t a = 0; a < w->nodes; a++) {
        size_t b = rng_below(&w->rng, w->nodes - 1);
        reconcile(w, a, b + (b >= a), (a + round) % 8 == 0);
    }
}

static void arrive(struct world *w, size_t i)
{
    admit(w, w->record[i].author, i);
    make_room(w, w->record[i].author);
}

/* Runs until `quiet` rounds in a row offered nothing, or to the end; the rounds after the last arrival, or
 * MOST_ROUNDS when it did not settle. */
static unsigned run(struct world *w, const char *what)
{
    enum { QUIET = 5 };
    uint32_t order[RECORDS] = {0};
    unsigned quiet = 0, round = 0;
    size_t arrived = 0;
    for (uint32_t i = 0; i < w->records; i++) {
        uint32_t k = (uint32_t)rng_below(&w->rng, i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    for (; round < MOST_ROUNDS && quiet < QUIET; round++) {
        for (; arrived < w->records && arrived < w->records / ARRIVAL_ROUNDS * (round + 1); arrived++)
            arrive(w, order[arrived]);
        one_round(w, round);
        quiet = arrived == w->records && !w->offered ? quiet + 1 : 0;
    }
    print_message("%s: %u rounds, then %zu ids offered a round (%zu could not be had), %zu fetched, "
                  "%zu MB reconciling\n",
                  what, round - quiet, w->offered, w->unserved, w->fetched, w->bytes >> 20);
    return quiet == QUIET ? round - quiet - ARRIVAL_ROUNDS : MOST_ROUNDS;
}

static void ids_settle_whatever_each_node_keeps(void **state)
{
    (void)state;
    struct world *w = world_new((struct rules){.remember = true, .keep_bytes = true}, NODES, RECORDS);
    assert_true(run(w, "the rules") < 20);
    for (size_t n = 0; n < w->nodes; n++)
        assert_int_equal(negset_count(w->node[n].set), w->records);
    world_free(w);
}

static void forgetting_what_was_declined_never_settles(void **state)
{
    (void)state;
    struct world *w =
        world_new((struct rules){.remember = false, .keep_bytes = true}, FEW_NODES, FEW_RECORDS);
    assert_int_equal(run(w, "declined ids forgotten"), MOST_ROUNDS);
    assert_true(w->offered > w->nodes * w->records / 100);
    world_free(w);
}

static void dropping_the_bytes_of_what_was_superseded_never_settles(void **state)
{
    (void)state;
    struct world *w =
        world_new((struct rules){.remember = true, .keep_bytes = false}, FEW_NODES, FEW_RECORDS);
    assert_int_equal(run(w, "superseded bytes dropped"), MOST_ROUNDS);
    assert_true(w->unserved > 0);
    world_free(w);
}

static void where_room_for_ids_is_short_the_newest_settle(void **state)
{
    (void)state;
    enum { ROOM = FEW_RECORDS / 4 };
    struct world *w =
        world_new((struct rules){.remember = true, .keep_bytes = true, .room = ROOM, .horizon = true},
                  FEW_NODES, FEW_RECORDS);
    assert_true(run(w, "room for a quarter") < 20);
    for (size_t n = 0; n < w->nodes; n++)
        assert_int_equal(negset_count(w->node[n].set), n % ROOM_ONE == 1 ? ROOM : w->records);
    world_free(w);
}

static void forgetting_without_a_horizon_never_settles(void **state)
{
    (void)state;
    struct world *w =
        world_new((struct rules){.remember = true, .keep_bytes = true, .room = FEW_RECORDS / 4}, FEW_NODES,
                  FEW_RECORDS);
    assert_int_equal(run(w, "a quarter without a horizon"), MOST_ROUNDS);
    assert_true(w->offered > w->nodes * w->records / 100);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_settle_whatever_each_node_keeps),
        cmocka_unit_test(forgetting_what_was_declined_never_settles),
        cmocka_unit_test(dropping_the_bytes_of_what_was_superseded_never_settles),
        cmocka_unit_test(where_room_for_ids_is_short_the_newest_settle),
        cmocka_unit_test(forgetting_without_a_horizon_never_settles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
