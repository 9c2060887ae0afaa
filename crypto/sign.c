#include "crypto/sign.h"
#include "crypto/base/err.h"
#include <sodium.h>

void sign_keypair_from_seed(struct keypair *out, const uint8_t seed[static 32])
{
    int err = crypto_sign_seed_keypair(out->pk, out->sk, seed);
    MUST(err == 0);
}

void sign_keypair_new(struct keypair *out, struct rng *r)
{
    uint8_t seed[32];
    rng_bytes(r, seed, sizeof seed);
    sign_keypair_from_seed(out, seed);
    sodium_memzero(seed, sizeof seed);
}

void sign_hash(struct sig *out, const uint8_t sk[static 64], const struct id *hash)
{
    int err = crypto_sign_detached(out->b, NULL, hash->b, sizeof hash->b, sk);
    MUST(err == 0);
}

bool sign_check(const uint8_t pk[static 32], const struct id *hash, const struct sig *sig)
{
    return crypto_sign_verify_detached(sig->b, hash->b, sizeof hash->b, pk) == 0;
}

bool sign_check_raw(const uint8_t pk[static 32], struct span message, struct span sig)
{
    if (sig.n != crypto_sign_BYTES)
        return false;
    /* libsodium takes no NULL, even for an empty message. */
    return crypto_sign_verify_detached(sig.p, message.n ? message.p : sig.p, message.n, pk) == 0;
}

bool sign_key_ok(const uint8_t pk[static 32])
{
    return crypto_core_ed25519_is_valid_point(pk) == 1;
}
