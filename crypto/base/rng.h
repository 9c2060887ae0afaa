/* rng.h: the only source of randomness in the core, injected.
 *
 * ChaCha20 keystream with fast key erasure: the daemon seeds it from the kernel, the simulator from its
 * seed, so that a run happens again.  Secrets drawn in the daemon come from it as well. */
#ifndef SOUK_RNG_H
#define SOUK_RNG_H
#include "crypto/base/span.h"

struct rng {
    uint8_t key[32];
    uint8_t pool[480];
    size_t left;
};
void rng_seed(struct rng *r, const uint8_t seed[static 32]);
void rng_seed_u64(struct rng *r, uint64_t seed);
void rng_bytes(struct rng *r, void *out, size_t n);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t bound); /* uniform in [0, bound); bound > 0 */
#endif
