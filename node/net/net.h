/* net.h: sessions.  Noise_XX_25519_ChaChaPoly_BLAKE2b over TCP, frames, queues, conduct (DESIGN 8).
 *
 * One session a pair of nodes; of two dialled at once the one whose dialler has the lower node key stays.
 * The handshake payload carries the Ed25519 node key (which must convert to the static key; a dialler
 * aborts unless it is the key it dialled), the wire version range and features.  A frame is a 2-byte length
 * and a ciphertext of the canonical array [channel, number, body]; a longer message (≤ 64 KiB) is one frame
 * of at most 65,535 bytes.  Sends queue: at most 256 KiB a peer in all; beyond it net_send answers
 * SOUK_EBUSY and the caller tries later (session_message of theirs is not read while our answers do not
 * drain). */
#ifndef SOUK_NET_H
#define SOUK_NET_H
#include "node/core.h"
#include "node/net/clock.h"

struct net_config {
    struct addr self;       /* listening address as told to peers; port 0: does not listen (a client) */
    unsigned sessions_most; /* default 64 */
    uint64_t idle_ms;       /* default 120,000: then a ping; then closed */
};
struct net *net_new(const struct net_config *config, const struct network *network, struct rng *rng);
void net_free(struct net *n);

void net_accepted(struct net *n, struct core *c, conn_id conn, const struct addr *from);
void net_dialled(struct net *n, struct core *c, conn_id conn, int err);
void net_bytes(struct net *n, struct core *c, conn_id conn, struct span bytes);
void net_drained(struct net *n, struct core *c, conn_id conn);
void net_closed(struct net *n, struct core *c, conn_id conn);
bool net_owns(const struct net *n, conn_id conn);
void net_wake(struct net *n, struct core *c);
uint64_t net_next_wake(const struct net *n);

/* Starts a session unless there is one; 0 when up or on its way, SOUK_EBUSY, SOUK_EREFUSED (banned). */
int net_connect(struct net *n, struct core *c, const struct node_key *peer, const struct addr *at);
bool net_up(const struct net *n, const struct node_key *peer);
bool net_connecting(const struct net *n, const struct node_key *peer); /* up, or on its way */
bool net_addr(const struct net *n, const struct node_key *peer, struct addr *out);
/* Queues one message.  SOUK_EOFFLINE without a session, SOUK_EBUSY when the queue is full. */
int net_send(struct net *n, struct core *c, const struct node_key *peer, enum channel channel,
             unsigned number, struct span body);
size_t net_room_left(const struct net *n, const struct node_key *peer); /* bytes until SOUK_EBUSY */
/* Counts provable misconduct (bad form, signature, work) against a peer, also when it has just left; bans
 * its prefix when it adds up.
 * The score decays by half every 10 minutes. */
void net_misconduct(struct net *n, struct core *c, const struct node_key *peer, int err);
void net_drop(struct net *n, struct core *c, const struct node_key *peer);

struct net_peer {
    struct node_key key;
    struct addr addr;
    bool outbound;
    uint64_t up_since_ms, bytes_in, bytes_out, queued_bytes;
    uint32_t conduct;
};
size_t net_peers(const struct net *n, struct net_peer *out, size_t most);
/* What the peers' clocks say of ours now. */
void net_clock(const struct net *n, struct clock now, struct clock_verdict *out);
struct net_stats {
    uint64_t sessions, handshakes, refused, banned, frames_in, frames_out, bytes_in, bytes_out,
        queued_bytes;
};
void net_stats(const struct net *n, struct net_stats *out);
#endif
