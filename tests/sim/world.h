/* world.h: a whole network in one process, in virtual time, from one seed.
 *
 * The nodes are the daemon's own code (node/node.h) over real stores; the world carries out their effects:
 * datagrams and streams with delay, loss, reordering and partitions, workers that take their time, commits
 * that take theirs.  A crash drops what was not yet committed and every connection.  Nothing here reads the
 * machine's clock or its randomness, so the same seed gives the same run. */
#ifndef SOUK_WORLD_H
#define SOUK_WORLD_H
#include "node/node.h"

struct world;
struct world_config {
    uint64_t seed;
    size_t nodes_most;
    unsigned loss_percent; /* of datagrams */
    unsigned delay_least_ms, delay_most_ms;
    unsigned commit_least_ms, commit_most_ms;
    unsigned work_least_ms, work_most_ms;
    uint64_t known_most; /* of every third node's store, beginning with 1; 0: of none */
    struct network network;
};
struct world *world_new(const struct world_config *config);
void world_free(struct world *w); /* removes the stores */

/* Adds a node (its index), started at once; knows `peers` by index.  skew_ms: how wrong its clock is. */
size_t world_add(struct world *w, const size_t *peers, size_t peers_n, int64_t skew_ms);
struct node_config *world_config_of(struct world *w, size_t i); /* to change before a restart */
void world_skew(struct world *w, size_t i, int64_t skew_ms); /* sets its clock anew, also while it runs */
const struct node_key *world_key(const struct world *w, size_t i);
struct addr world_addr(const struct world *w, size_t i);

void world_crash(struct world *w, size_t i);   /* kill -9: the unsynced tail is lost */
void world_restart(struct world *w, size_t i); /* opens the same store */
bool world_alive(const struct world *w, size_t i);
/* Nodes of different groups cannot reach each other; all start in group 0. */
void world_group(struct world *w, size_t i, unsigned group);

uint64_t world_now_ms(const struct world *w);
int64_t world_unix_ms(const struct world *w);
struct rng *world_rng(struct world *w);
/* Runs until virtual time has advanced by ms, or no event is left. */
void world_run(struct world *w, uint64_t ms);
/* Runs until the condition holds (checked after every event) or ms have passed; tells which. */
bool world_until(struct world *w, bool (*holds)(struct world *w, void *arg), void *arg, uint64_t ms);

/* Looks into a node's store (a snapshot as of now). */
struct view *world_view(struct world *w, size_t i);
/* The node's own face, for calls that tests make directly; effects are carried out at world_act_end. */
struct core *world_act_begin(struct world *w, size_t i);
void world_act_end(struct world *w, size_t i);

/* Calls a method of the socket's API and runs the world until the answer is there (or 60 virtual seconds).
 * params: one MessagePack map.  result: the bytes of the result, or of the error map; borrowed until the
 * next call.  Returns 0, or the negative code of the error. */
int world_call(struct world *w, size_t i, const char *method, struct span params, struct span *result);
/* The same without waiting: the answer is dropped. */
void world_cast(struct world *w, size_t i, const char *method, struct span params);

struct world_stats {
    uint64_t events, dgrams, dgrams_lost, stream_bytes, dgram_bytes, commits, jobs;
};
void world_stats(const struct world *w, struct world_stats *out);
/* A hook called before each commit of a node is applied: crash tests count steps with it. */
void world_on_commit(struct world *w, void (*fn)(void *arg, size_t node, const struct change *change),
                     void *arg);
#endif
