/* sign.h: Ed25519 signatures (RFC 8032, libsodium) over a 32-byte hash (hash.h), never over an object.
 *
 * Checking is libsodium's strict one: it refuses S ≥ L, public keys and R of small order, and encodings
 * that are not canonical, so that one signer cannot make two signatures' bytes out of one, and all nodes
 * agree.  The keys of a node, an identity and a trade are all of this kind; conversion of node keys to
 * X25519 is in xkey.h. */
#ifndef SOUK_SIGN_H
#define SOUK_SIGN_H
#include "crypto/base/rng.h"
#include "crypto/base/span.h"
#include "crypto/xkey.h"

/* Lies in the caller's memory; long-lived ones in sodium_malloc memory, wiped. */
struct keypair {
    uint8_t pk[32];
    uint8_t sk[64]; /* libsodium's layout: seed, then pk */
};
void sign_keypair_from_seed(struct keypair *out, const uint8_t seed[static 32]);
void sign_keypair_new(struct keypair *out, struct rng *r);

void sign_hash(struct sig *out, const uint8_t sk[static 64], const struct id *hash);
/* True when sig is pk's signature over the hash. */
bool sign_check(const uint8_t pk[static 32], const struct id *hash, const struct sig *sig);
/* The same over any bytes: for vectors, and for what other standards sign.  sig.n must be 64. */
bool sign_check_raw(const uint8_t pk[static 32], struct span message, struct span sig);
/* True when pk is the canonical encoding of a point of the prime-order group: worth storing as a key. */
bool sign_key_ok(const uint8_t pk[static 32]);
#endif
