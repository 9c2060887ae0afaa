/* node.h: the rooms, joined.  The same code runs in soukd and in the simulator (host.h). */
#ifndef SOUK_NODE_H
#define SOUK_NODE_H
#include "node/core.h"

enum { NODE_PEERS_MOST = 32, NODE_LISTEN_MOST = 4 };
struct node_peer {
    struct node_key key;
    struct addr addr;
};
struct node_config {
    struct network network;
    uint8_t *node_sk; /* 64 bytes, Ed25519 in libsodium's layout: copied by node_new, wiped by its owner */
    struct addr listen[NODE_LISTEN_MOST]; /* each for UDP and TCP; of IPv4, IPv6 or both */
    size_t listen_n;
    struct node_peer peers[NODE_PEERS_MOST];
    size_t peers_n;
    bool cheap_kdf;        /* key files with little Argon2id: tests and the demo */
    bool client;           /* cannot be reached: asks, is in no tables */
    uint64_t reconcile_ms; /* between two rounds with mesh peers; 0: 60,000 */
    uint64_t tick_ms;      /* how often rails and the outbox look again; 0: defaults (1,000) */
    bool mock_rail;        /* offers the mock rail: tests */
    bool restored; /* the store is an older copy of itself: what was said since is to be asked for */
    struct span passphrase; /* at boot, opens every identity whose key file it fits; borrowed until then */
};
struct node *node_new(const struct node_config *config, struct rng *rng);
void node_free(struct node *n);

/* Handles one event.  `view` must show every commit whose EV_COMMITTED was given.  Effects are appended in
 * the order in which the host is to carry them out.  Payloads of the event are borrowed for the call. */
void node_input(struct node *n, struct clock now, struct view *view, const struct event *ev,
                struct effects *fx);
/* When EV_WAKE is due, on the monotonic clock; UINT64_MAX: never.  Ask after every input. */
uint64_t node_next_wake(const struct node *n);

/* For tests and the host's own reports. */
const struct node_key *node_self(const struct node *n);
struct core *node_core(struct node *n, struct clock now, struct view *view, struct effects *fx);
#endif
