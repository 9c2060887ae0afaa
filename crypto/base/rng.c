/* rng.c: ChaCha20 with fast key erasure (D. J. Bernstein, "Fast-key-erasure random-number generators"). */
#include "crypto/base/rng.h"
#include "crypto/base/err.h"
#include <sodium.h>

void rng_seed(struct rng *r, const uint8_t seed[static 32])
{
    memcpy(r->key, seed, 32);
    r->left = 0;
}

void rng_seed_u64(struct rng *r, uint64_t seed)
{
    uint8_t in[8], key[32];
    be64_put(in, seed);
    crypto_generichash(key, sizeof key, in, sizeof in, NULL, 0);
    rng_seed(r, key);
}

static void refill(struct rng *r)
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    uint8_t block[sizeof r->key + sizeof r->pool];
    crypto_stream_chacha20(block, sizeof block, nonce, r->key);
    memcpy(r->key, block, sizeof r->key);
    memcpy(r->pool, block + sizeof r->key, sizeof r->pool);
    sodium_memzero(block, sizeof block);
    r->left = sizeof r->pool;
}

void rng_bytes(struct rng *r, void *out, size_t n)
{
    uint8_t *o = out;
    while (n) {
        if (!r->left)
            refill(r);
        size_t take = n < r->left ? n : r->left;
        uint8_t *from = r->pool + sizeof r->pool - r->left;
        memcpy(o, from, take);
        sodium_memzero(from, take);
        r->left -= take;
        o += take;
        n -= take;
    }
}

uint64_t rng_u64(struct rng *r)
{
    uint8_t b[8];
    rng_bytes(r, b, sizeof b);
    return be64_get(b);
}

uint64_t rng_below(struct rng *r, uint64_t bound)
{
    MUST(bound > 0);
    uint64_t skip = (0 - bound) % bound; /* 2^64 mod bound: below it the draw would be biased */
    uint64_t x;
    do
        x = rng_u64(r);
    while (x < skip);
    return x % bound;
}
