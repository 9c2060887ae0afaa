/* hash.h: the one hash of souk, and keys derived from a secret.
 *
 * BLAKE2b-256 (RFC 7693, libsodium) with the 16-byte personalisation naming the use, zero-padded, and the
 * 16-byte salt = the network's id.  So a hash of one use never equals a hash of another, and nothing signed
 * on one network stands on another.
 *
 * The parts are hashed one after the other without separators: a use whose parts vary in length must make
 * them self-delimiting (MessagePack values are), and each use states its parts in spec/crypto.md. */
#ifndef SOUK_HASH_H
#define SOUK_HASH_H
#include "crypto/base/host.h"
#include "crypto/base/span.h"

enum { HASH_USE_BYTES = 16 };

/* use: at most 16 bytes of ASCII, such as "souk:record".  Longer is a broken assertion. */
void hash_souk(struct id *out, const struct network *net, const char *use, const struct span *parts,
               size_t n);
/* The same over one span. */
void hash_souk_one(struct id *out, const struct network *net, const char *use, struct span bytes);

/* A secret for one purpose from a root secret: BLAKE2b-256 keyed with the root, personalised with the use,
 * no salt, over `context` (an id, a number; may be empty).  Knowing a derived secret tells nothing of the
 * root or of its siblings.  The caller wipes out. */
void hash_derive(uint8_t out[static 32], const uint8_t root[static 32], const char *use,
                 struct span context);

/* Unkeyed SHA-256 and BLAKE2b-256 would invite a second way of hashing: there is none here.  The Merkle
 * log (merkle.h) and the backup words (words.h) use SHA-256 because their standards do. */
#endif
