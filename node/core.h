/* core.h: what every room of the node gets at each call.
 *
 * A room is an engine: a struct that owns its state, functions that take a `struct core *` and emit effects
 * into it.  Rooms call downwards through each other's face (node/ROOM/ROOM.h); what must go upwards (a
 * message came, a record was stored) goes through `hooks`, which node.c fills in.  Nobody keeps a core
 * pointer beyond the call.
 *
 * Continuations: a room sets room/what/cookie in the change or job that it emits and gets it back through
 * its ROOM_committed or ROOM_worked; the change is freed by node.c afterwards.
 *
 *     base <- crypto <- store, dht <- keys <- net <- gossip, outbox <- market, rail <- trade <- api <-
 * node.c
 */
#ifndef SOUK_CORE_H
#define SOUK_CORE_H
#include "crypto/base/host.h"
#include "crypto/base/log.h"
#include "dht/seal.h"
#include "store/store.h"

enum room {
    ROOM_NODE,
    ROOM_KEYS,
    ROOM_DHT,
    ROOM_NET,
    ROOM_GOSSIP,
    ROOM_OUTBOX,
    ROOM_MARKET,
    ROOM_RAIL,
    ROOM_TRADE,
    ROOM_API
};

/* Cookies of queries: the room that asked (enum room) and its own number. */
static inline uint64_t dht_cookie(enum room room, uint64_t number)
{
    return (uint64_t)room << 56 | (number & 0xffffffffffffffu);
}
/* Channels of a session.  A frame is [channel, number, body]; bodies are in the schema of that name. */
enum channel { CHANNEL_GOSSIP = 1, CHANNEL_BLOB, CHANNEL_MAIL, CHANNEL_LEDGER, CHANNEL_QUERY };

struct record; /* crypto/record.h */
struct core;
struct hooks {
    void (*session_up)(struct core *, const struct node_key *peer);
    void (*session_down)(struct core *, const struct node_key *peer);
    /* A verified frame; body is borrowed.  An error return counts against the peer as misconduct when it is
     * SOUK_EFORM, SOUK_ESIGNATURE or SOUK_EWORK (what every node judges alike), and not otherwise. */
    int (*session_message)(struct core *, const struct node_key *peer, enum channel channel,
                           unsigned number, struct span body);
    /* A record was committed as STORED (from a peer or our own). */
    void (*record_stored)(struct core *, const struct record *rec, uint64_t serial, bool own);
    /* A sealed object addressed to one of our identities was opened, verified and committed. */
    int (*letter)(struct core *, const struct identity *to, const struct identity *from, unsigned kind,
                  const struct id *letter, struct span body);
    /* An outbox letter was acknowledged (err 0) or given up. */
    void (*letter_done)(struct core *, const struct id *letter, int err);
    /* The rail saw something new about a lock of this trade. */
    void (*rail_changed)(struct core *, const struct id *trade);
    /* Something for subscribers: also in the event log once committed. */
    void (*event)(struct core *, uint64_t seq, struct span bytes);
};

/* What the node as a whole knows of itself (node.c). */
struct node_facts {
    const struct addr *listen; /* borrowed from the node */
    size_t listen_n;
    uint64_t booted_ms;
    struct dht_seal_stats seal; /* of datagrams, and their bounds */
    struct dht_seal_knobs seal_most;
};
struct core {
    const struct network *network;
    const struct hooks *hooks;
    struct rng *rng;
    struct clock now;
    struct view *view;
    struct effects *fx;
    bool clock_wrong; /* most peers say so (net/clock.h): what `now` would spoil for good waits */
    /* The rooms.  NULL where a node runs without (a test of one room). */
    struct node *node;
    struct keys *keys;
    struct dht *dht;
    struct net *net;
    struct gossip *gossip;
    struct outbox *outbox;
    struct market *market;
    struct rails *rails;
    struct trades *trades;
    struct api *api;
};
void node_facts(const struct core *c, struct node_facts *out);
#endif
