/* gossip.h: public records travel, and settle (DESIGN 9): push to a mesh, Negentropy reconciliation of the
 * ids known, and blobs in verified chunks from several carriers. */
#ifndef SOUK_GOSSIP_H
#define SOUK_GOSSIP_H
#include "node/core.h"

struct gossip *gossip_new(const struct network *network, struct rng *rng,
                          uint64_t reconcile_ms /* 0: 60,000 */);
void gossip_free(struct gossip *g);
void gossip_boot(struct gossip *g, struct core *c); /* builds the topics' sets from the time index */

/* Takes in a record from anyone (peer NULL: our own or a file).  Form, work and budget are checked at once;
 * the signature by a job; then a change; hooks->record_stored follows on STORED.  Own records also get
 * `done`: room/what/cookie of a continuation carried by the change. */
int gossip_record(struct gossip *g, struct core *c, const struct node_key *peer, struct span bytes,
                  struct report *r);
/* Our own, just signed: adds the operations to `into`; after its commit call gossip_announce. */
int gossip_own(struct gossip *g, struct core *c, struct span bytes, struct change *into, struct report *r);
void gossip_announce(struct gossip *g, struct core *c, const struct id *id);

void gossip_session_up(struct gossip *g, struct core *c, const struct node_key *peer);
void gossip_session_down(struct gossip *g, struct core *c, const struct node_key *peer);
int gossip_message(struct gossip *g, struct core *c, const struct node_key *peer, enum channel channel,
                   unsigned number, struct span body);
void gossip_worked(struct gossip *g, struct core *c, struct job *job);
void gossip_committed(struct gossip *g, struct core *c, struct change *change);
void gossip_wake(struct gossip *g, struct core *c);
uint64_t gossip_next_wake(const struct gossip *g);

/* Topics carried; default all.  Names cost nothing: those that mean nothing here (the judge says so; NULL:
 * all mean something) have few places of their own, so that however many are made up, a topic with a
 * meaning is still taken in.  What no id is known of any more gives its place back. */
typedef bool gossip_topic_judge(struct span topic); /* does the name mean something? */
void gossip_topics_judged_by(struct gossip *g, gossip_topic_judge *judge); /* before gossip_boot */
int gossip_carry(struct gossip *g, struct core *c, struct span topic, bool carry);

/* Blobs.  gossip_blob_put adds all chunks of our own bytes to `into` and gives the root. */
int gossip_blob_put(struct gossip *g, struct core *c, struct span bytes, struct change *into,
                    struct id *root, struct report *r);
/* Asks carriers for a blob that is not here (the owner's node may be named); progress shows in view_blob.
 * The event "blob" with the root is logged when it is whole. */
int gossip_blob_want(struct gossip *g, struct core *c, const struct id *root, uint64_t bytes,
                     const struct node_key *owner);

/* What comes from peers is kept only when this says 0; asked once a blob is whole.  NULL: anything. */
typedef int gossip_blob_judge(struct span bytes, struct report *r);
void gossip_blobs_judged_by(struct gossip *g, gossip_blob_judge *judge);

/* The store knows some ids no more: the sets follow.  `found` is what an OP_EXPIRE found. */
void gossip_left(struct gossip *g, struct span found);

struct gossip_stats {
    uint64_t topics, topics_most, topics_strange, topics_strange_most, known, stored, declined, beyond,
        no_room, refused, duplicates, pushes_in, pushes_out, rounds, offered_last, jobs, blobs_wanted;
};
void gossip_stats(const struct gossip *g, struct gossip_stats *out);
#endif
