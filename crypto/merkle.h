/* merkle.h: an append-only log that can be audited: the SHA-256 tree of RFC 6962 (RFC 9162, section 2.1).
 *
 * Nothing is kept here.  The store keeps the hash of every *whole* subtree: node (level, index) covers the
 * 2^level leaves from index · 2^level on, level 0 being the leaf hashes; the caller gives it by callback.
 * So a root, a proof and an append each cost O(log n) callbacks.  A size is at most 2^62 leaves.
 *
 *     leaf hash = SHA-256(0x00 ‖ entry)     node hash = SHA-256(0x01 ‖ left ‖ right)
 *     root of no leaves = SHA-256("")
 *
 * Proofs are lists of hashes in the order of RFC 9162. */
#ifndef SOUK_MERKLE_H
#define SOUK_MERKLE_H
#include "crypto/base/err.h"
#include "crypto/base/span.h"

enum { MERKLE_PROOF_MOST = 64 }; /* hashes in a proof */
#define MERKLE_SIZE_MOST (UINT64_C(1) << 62)

/* The hash of a whole subtree; false when it is not there. */
typedef bool merkle_get(void *arg, unsigned level, uint64_t index, struct id *hash);
typedef void merkle_put(void *arg, unsigned level, uint64_t index, const struct id *hash);

void merkle_leaf(struct id *out, struct span entry);
void merkle_node(struct id *out, const struct id *left, const struct id *right);
/* Adds leaf number `size` to a log of `size` leaves: puts the leaf and every subtree that it completes.
 * SOUK_EDAMAGED when get lacks a subtree that must be there (nothing after that was put). */
int merkle_append(uint64_t size, const struct id *leaf, merkle_get *get, merkle_put *put, void *arg);
/* The root of the first `size` leaves; also of a size long past.  SOUK_EDAMAGED as above. */
int merkle_root(struct id *out, uint64_t size, merkle_get *get, void *arg);
/* Shows that leaf `index` is in the log of `size` leaves.  SOUK_ERANGE unless index < size. */
int merkle_inclusion(struct id proof[static MERKLE_PROOF_MOST], size_t *n, uint64_t index, uint64_t size,
                     merkle_get *get, void *arg);
/* Shows that the log of `first` leaves is the beginning of that of `second`.  Empty when first is 0 or
 * equal to second.  SOUK_ERANGE unless first ≤ second. */
int merkle_consistency(struct id proof[static MERKLE_PROOF_MOST], size_t *n, uint64_t first,
                       uint64_t second, merkle_get *get, void *arg);

/* The checks, from a proof of any length that somebody sent (RFC 9162, 2.1.3.2 and 2.1.4.2). */
bool merkle_inclusion_ok(const struct id *leaf, uint64_t index, uint64_t size, const struct id *proof,
                         size_t n, const struct id *root);
bool merkle_consistency_ok(uint64_t first, const struct id *first_root, uint64_t second,
                           const struct id *second_root, const struct id *proof, size_t n);
#endif
