/* seal.h: datagrams authenticated and encrypted: the outer layer that the engine does not know.
 *
 *     1 version (1)   4 hint: first bytes of the receiver's node key   32 sender's node key
 *    24 nonce, random    n + 16 XChaCha20-Poly1305 of the plaintext; the 61 bytes before it are its AD
 *
 * Keys, one a direction: BLAKE2b("souk:dht-seal", X25519(both node keys), sender, receiver), salted with
 * the network's id.  Knowing who really sent costs a curve operation once a peer (about 60 µs); therefore
 * before it, cheapest first: length, version, hint, the sender's puzzle, the budget of its address's
 * prefix, the budget of all strangers together.  Keys are cached in three classes that do not push out each
 * other: of peers that answered us, of those we wrote to (which may be inventions of a liar), of strangers.
 * The first two are friends: no budget of a prefix stands before their datagrams (addresses can be forged),
 * each has its own, charged for what it truly sent.
 *
 * A replay changes nothing: an answer must match an outstanding random request id, and a write needs a
 * fresh token bound to address and node key (spec/dht.md).  But a question played back again and again
 * would bring its author, whose address is proven, more bytes than it cost: so the nonces of the last
 * thousand datagrams or so are remembered, in 4 KB, and the same datagram is not opened twice meanwhile.
 *
 * There is no forward secrecy: what a thief of a node key can read are public lookups.  Letters and
 * sessions do not pass here. */
#ifndef SOUK_DHT_SEAL_H
#define SOUK_DHT_SEAL_H
#include "crypto/base/buf.h"
#include "crypto/base/host.h"

enum { DHT_SEAL_HEAD = 61, DHT_SEAL_BYTES = 77, DHT_SEAL_VERSION = 1 };

struct dht_seal_knobs {
    uint32_t proven_most, chosen_most, strangers_most; /* keys cached, about 170 bytes each */
    uint32_t curve_a_second, curve_burst;              /* curve operations for strangers, in all */
    uint32_t prefix_a_second, prefix_burst;            /* the same for one /24 or /64 */
    uint32_t dgrams_a_second, dgrams_burst;            /* of strangers from one /24 or /64; of a friend */
};
void dht_seal_knobs_default(struct dht_seal_knobs *out);

struct dht_seal;
/* sign_sk: the node's secret key in libsodium's layout, copied into locked memory.  net and rng are
 * borrowed; knobs NULL: the defaults. */
struct dht_seal *dht_seal_new(const struct network *net, const uint8_t sign_sk[static 64], struct rng *rng,
                              const struct dht_seal_knobs *knobs);
void dht_seal_free(struct dht_seal *s); /* NULL is fine; keys are wiped */

/* Opens a datagram: 0 and who sent it, and the plaintext appended to `plain`.  SOUK_EFORM: not one of ours,
 * or not for us; SOUK_EWORK: its puzzle; SOUK_EQUOTA: over a budget; SOUK_ESIGNATURE: spoilt or forged;
 * SOUK_ESTALE: it came before. */
int dht_seal_open(struct dht_seal *s, uint64_t now_ms, const struct addr *from, struct span datagram,
                  struct node_key *sender, struct buf *plain);
/* Appends the sealed datagram.  SOUK_EINVALID: `to` is no usable node key.  SOUK_ERANGE: too long. */
int dht_seal_wrap(struct dht_seal *s, uint64_t now_ms, const struct node_key *to, struct span plain,
                  struct buf *out);
/* The engine said DHT_ANSWER: this peer is no stranger. */
void dht_seal_prove(struct dht_seal *s, const struct node_key *peer);

struct dht_seal_stats {
    uint64_t opened, wrapped, curves;
    uint64_t dropped_form, dropped_puzzle, dropped_budget, dropped_forged, dropped_replayed;
    uint32_t proven, chosen, strangers;
};
void dht_seal_stats_read(const struct dht_seal *s, struct dht_seal_stats *out);
#endif
