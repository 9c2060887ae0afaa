/* engine.h: gossip's own state, for its own files: intake.c (records come in), push.c (they go out),
 * rounds.c (reconciliation), blobs.c (chunks). */
#ifndef SOUK_GOSSIP_ENGINE_H
#define SOUK_GOSSIP_ENGINE_H
#include "crypto/base/map.h"
#include "crypto/record.h"
#include "node/gossip/gossip.h"
#include "node/gossip/negentropy.h"
#include "node/gossip/negset.h"

enum {
    GOSSIP_PENDING_MOST = 4096, /* records between arrival and commit */
    GOSSIP_PEERS_MOST = 256,
    GOSSIP_TOPICS_MOST = 65536,
    GOSSIP_STRANGE_MOST = 4096, /* of them: topics whose name means nothing here; anybody makes them up */
    GOSSIP_QUEUE_IDS = 512, /* ids waiting to be pushed to one peer; what is over goes by reconciliation */
    GOSSIP_WHOLE = 3,       /* peers that get a record whole, */
    GOSSIP_IDS = 6,         /* and that get its id */
    GOSSIP_FLUSH_MS = 50,
    GOSSIP_MESSAGE_BYTES = 60000,
    GOSSIP_PUSH_AGE_MS = 3600000, /* older ones come by reconciliation */
    GOSSIP_FRAME_BYTES = 48000,   /* of one Negentropy message */
    GOSSIP_WANT_AT_ONCE = 64,
    GOSSIP_ROUND_TIMEOUT_MS = 30000,
};
/* A peer's budget of records a second that we verify for it, and how many it may save up. */
enum { GOSSIP_RATE = 400, GOSSIP_BURST = 20000 };

struct pending {
    struct id seen; /* hash of the whole bytes: a spoilt copy of a good record is another pending */
    struct record rec;
    struct node_key from;
    bool from_peer, stem;
    uint8_t bytes[];
};

struct topic {
    char name[RECORD_TOPIC_MOST + 1];
    struct negset *set;
    bool carried, strange;  /* strange: its name means nothing here */
    struct neg_bound since; /* the horizon (store/room.c): nothing of strangers is wanted from before it */
};

struct queued {
    struct id id;
    bool whole, stem;
};
struct gpeer {
    struct node_key key;
    bool heard, all;   /* of its topics */
    struct map topics; /* name (padded) → itself */
    struct queued queue[GOSSIP_QUEUE_IDS];
    size_t queue_n;
    uint64_t flush_ms; /* 0: nothing queued */
    uint32_t asked;    /* records asked for and not come: charged to its budget already */
    double tokens;
    uint64_t tokens_ms;
    /* The round that we began with it, one topic after another. */
    uint64_t next_round_ms, round_since_ms;
    struct neg *neg;
    struct topic *topic;
    size_t topic_at; /* index of the next topic to settle; SIZE_MAX: all done */
    uint32_t round;
    struct id *need;
    size_t need_n, need_at;
    unsigned rounds_done;
};

struct want; /* a blob being fetched, blobs.c */

struct gossip {
    struct network network;
    struct rng *rng;
    uint64_t reconcile_ms;
    bool carry_all;
    struct map pending, topics, peers, wants;
    struct topic **topic_list;
    size_t topics_n, topics_cap, strange_n;
    uint32_t round;
    gossip_blob_judge *judge;
    gossip_topic_judge *topic_judge;
    struct gossip_stats stats;
};

struct topic *gossip_topic(struct gossip *g, struct span name, bool make);
bool gossip_carries(const struct gossip *g, struct span name);
bool gpeer_carries(const struct gpeer *p, struct span name);
void gossip_known(struct gossip *g, struct span topic, int64_t created, const struct id *id);
bool gossip_beyond(struct gossip *g, const struct record *rec); /* before its topic's horizon */

/* push.c */
void push_record(struct gossip *g, struct core *c, const struct record *rec, const struct node_key *from,
                 bool stem, bool own);
void push_flush(struct gossip *g, struct core *c, struct gpeer *p);
int push_message(struct gossip *g, struct core *c, struct gpeer *p, unsigned number, struct span body);
int push_want(struct gossip *g, struct core *c, struct gpeer *p, const struct id *ids, size_t n);

/* rounds.c */
void rounds_wake(struct gossip *g, struct core *c, struct gpeer *p);
uint64_t rounds_next(const struct gpeer *p);
int rounds_message(struct gossip *g, struct core *c, struct gpeer *p, struct span body);
void rounds_end(struct gpeer *p);

/* intake.c: takes one record from a peer (NULL: ours or a file) */
int intake_record(struct gossip *g, struct core *c, const struct gpeer *from, struct span bytes, bool stem,
                  struct report *r);
void intake_worked(struct gossip *g, struct core *c, struct job *job);
void intake_committed(struct gossip *g, struct core *c, struct change *change);
bool intake_budget(struct gossip *g, struct core *c, struct gpeer *p, double n);

/* blobs.c */
int blobs_message(struct gossip *g, struct core *c, const struct node_key *peer, unsigned number,
                  struct span body);
void blobs_committed(struct gossip *g, struct core *c, struct change *change);
void blobs_session_down(struct gossip *g, struct core *c, const struct node_key *peer);
void blobs_session_up(struct gossip *g, struct core *c, const struct node_key *peer);
void blobs_wake(struct gossip *g, struct core *c);
uint64_t blobs_next_wake(const struct gossip *g);
void blobs_free(struct gossip *g);
enum { CHANGE_RECORD = 1, CHANGE_REFUSED, CHANGE_CHUNK };
#endif
