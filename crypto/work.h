/* work.h: the work that a public record shows, so that flooding costs something (hashcash; A. Back, 2002).
 *
 * work = the number of leading zero bits of BLAKE2b-256(id ‖ nonce), nonce as 8 bytes big-endian,
 * personalised "souk:work", without salt: the id is bound to its network already.  Finding n bits takes 2^n
 * tries on average, checking takes one.
 *
 * The floor is what every node of a network asks alike; less is misconduct.  What a carrier asks beyond it
 * when a topic fills up is its own affair, and less than that is merely declined. */
#ifndef SOUK_WORK_H
#define SOUK_WORK_H
#include "crypto/base/host.h"
#include "crypto/base/span.h"

enum { WORK_BITS_MAX = 64 }; /* more is neither counted nor asked */

unsigned work_bits(const struct id *id, uint64_t nonce);
/* Bits that a record of this kind must show; size_bytes = the length of what its id hashes (elements one to
 * seven of the envelope: the nonce's own length must not matter).  The network's work_bits, plus one per
 * doubling beyond 1 KiB, less four for ledger heads, revocations and fraud proofs, which protect others and
 * must never be priced out; 0 on a network that asks for none. */
unsigned work_floor(const struct network *net, uint8_t kind, size_t size_bytes);
/* Tries nonces from `from` on, at most `tries`: a slice of JOB_SOLVE.  True with *nonce when one shows at
 * least `bits`; go on from `from + tries` otherwise. */
bool work_search(const struct id *id, uint64_t from, uint64_t tries, unsigned bits, uint64_t *nonce);
#endif
