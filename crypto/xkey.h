/* xkey.h: X25519 (RFC 7748, libsodium): agreeing on a secret with whoever holds the other half.
 *
 * Used by sealed objects, prekeys, sessions and datagrams.  Secrets are 32 bytes in the caller's memory,
 * which the caller wipes.  A public key that leads to the all-zero secret (a point of small order) is
 * refused everywhere: with it, the other side would have contributed nothing. */
#ifndef SOUK_XKEY_H
#define SOUK_XKEY_H
#include "crypto/base/err.h"
#include "crypto/base/rng.h"
#include "crypto/base/span.h"

/* A fresh pair: a prekey, an ephemeral key. */
void xkey_pair(struct xkey *pk, uint8_t sk[static 32], struct rng *r);
void xkey_public(struct xkey *pk, const uint8_t sk[static 32]);
/* shared = X25519(sk, pk): never used as a key by itself, always hashed with both public keys.
 * SOUK_EINVALID when pk is of small order; shared is then zero. */
int x25519(uint8_t shared[static 32], const uint8_t sk[static 32], const struct xkey *pk);

/* The X25519 halves that belong to an Ed25519 node key (the birational map; libsodium's conversion).
 * SOUK_EINVALID unless the key is the canonical encoding of a point of the prime-order group: two different
 * node keys must not stand for one machine. */
int xkey_from_node(struct xkey *out, const struct node_key *node);
void xkey_secret_from_sign(uint8_t out[static 32], const uint8_t sign_sk[static 64]);
#endif
