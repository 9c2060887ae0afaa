#include "crypto/xkey.h"
#include <sodium.h>

void xkey_public(struct xkey *pk, const uint8_t sk[static 32])
{
    int err = crypto_scalarmult_base(pk->b, sk);
    MUST(err == 0);
}

void xkey_pair(struct xkey *pk, uint8_t sk[static 32], struct rng *r)
{
    rng_bytes(r, sk, 32);
    xkey_public(pk, sk);
}

int x25519(uint8_t shared[static 32], const uint8_t sk[static 32], const struct xkey *pk)
{
    if (crypto_scalarmult(shared, sk, pk->b) != 0 || sodium_is_zero(shared, 32)) {
        sodium_memzero(shared, 32);
        return SOUK_EINVALID;
    }
    return 0;
}

int xkey_from_node(struct xkey *out, const struct node_key *node)
{
    struct xkey x;
    /* Refuses what is not on the curve, of small order, or outside the prime-order group.  Of the 38
     * encodings that are not canonical (y from p to 2^255 - 1, either sign) none passes: a test tries all.
     * crypto_core_ed25519_is_valid_point would say the same once more, for another scalar multiplication.
     */
    if (crypto_sign_ed25519_pk_to_curve25519(x.b, node->b) != 0)
        return SOUK_EINVALID;
    *out = x;
    return 0;
}

void xkey_secret_from_sign(uint8_t out[static 32], const uint8_t sign_sk[static 64])
{
    int err = crypto_sign_ed25519_sk_to_curve25519(out, sign_sk);
    MUST(err == 0);
}
