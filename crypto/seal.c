#include "crypto/seal.h"
#include "crypto/xkey.h"
#include <sodium.h>

enum { VERSION = 1, AT_KEY = 1, AT_BOX = 33, TAG = 16, LENGTH = 2 };
static const uint8_t nonce_zero[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

size_t seal_size(size_t plain_bytes)
{
    if (plain_bytes > SEAL_PLAIN_MOST)
        return 0;
    for (size_t size = SEAL_BYTES_LEAST; size <= 32768; size *= 2)
        if (plain_bytes + SEAL_OVERHEAD_BYTES <= size)
            return size;
    return SEAL_BYTES_MOST;
}

bool seal_size_ok(size_t n)
{
    bool power = n >= SEAL_BYTES_LEAST && n <= 32768 && (n & (n - 1)) == 0;
    return power || n == SEAL_BYTES_MOST;
}

static int seal_key(uint8_t key[static 32], const uint8_t sk[static 32], const struct xkey *other,
                    const uint8_t ephemeral[static 32], const struct xkey *to)
{
    static const uint8_t personal[16] = "souk:seal";
    uint8_t in[96];
    int err = x25519(in, sk, other);
    if (!err) {
        memcpy(in + 32, ephemeral, 32);
        memcpy(in + 64, to->b, 32);
        crypto_generichash_blake2b_salt_personal(key, 32, in, sizeof in, NULL, 0, NULL, personal);
    }
    sodium_memzero(in, sizeof in);
    return err;
}

int seal(struct buf *out, const struct xkey *to, struct span ad, struct span plain, struct rng *r)
{
    size_t size = seal_size(plain.n);
    if (!size)
        return SOUK_ERANGE;
    uint8_t e_sk[32], key[32];
    struct xkey e;
    xkey_pair(&e, e_sk, r);
    int err = seal_key(key, e_sk, to, e.b, to);
    if (!err) {
        /* Padded in place, then encrypted in place, so that no copy of plain is left behind. */
        uint8_t *p = buf_grow(out, size), *padded = p + AT_BOX;
        size_t padded_n = size - AT_BOX - TAG;
        p[0] = VERSION;
        memcpy(p + AT_KEY, e.b, sizeof e.b);
        be16_put(padded, (uint16_t)plain.n);
        if (plain.n)
            memcpy(padded + LENGTH, plain.p, plain.n);
        memset(padded + LENGTH + plain.n, 0, padded_n - LENGTH - plain.n);
        crypto_aead_xchacha20poly1305_ietf_encrypt(padded, NULL, padded, padded_n, ad.p, ad.n, NULL,
                                                   nonce_zero, key);
    }
    sodium_memzero(e_sk, sizeof e_sk);
    sodium_memzero(key, sizeof key);
    return err;
}

/* Takes the padding off what was decrypted at the end of out.  Zeros are demanded so that one plaintext has
 * one padded form. */
static int unpad(struct buf *out, size_t at)
{
    uint8_t *p = out->p + at;
    size_t n = out->n - at, plain_n = be16_get(p);
    if (plain_n > n - LENGTH || !sodium_is_zero(p + LENGTH + plain_n, n - LENGTH - plain_n) ||
        seal_size(plain_n) != AT_BOX + n + TAG)
        return SOUK_EFORM;
    memmove(p, p + LENGTH, plain_n);
    out->n = at + plain_n;
    return 0;
}

int seal_open(struct buf *out, const uint8_t sk[static 32], struct span ad, struct span sealed)
{
    if (!seal_size_ok(sealed.n) || sealed.p[0] != VERSION)
        return SOUK_EFORM;
    struct xkey e, own;
    uint8_t key[32];
    memcpy(e.b, sealed.p + AT_KEY, sizeof e.b);
    xkey_public(&own, sk);
    if (seal_key(key, sk, &e, e.b, &own))
        return SOUK_EFORM; /* no honest sender draws a point of small order */
    size_t had = out->n, n = sealed.n - AT_BOX - TAG;
    uint8_t *to = buf_grow(out, n);
    int err = 0;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, sealed.p + AT_BOX, sealed.n - AT_BOX,
                                                   ad.p, ad.n, nonce_zero, key) != 0)
        err = SOUK_ESIGNATURE;
    else
        err = unpad(out, had);
    if (err) {
        sodium_memzero(out->p + had, n);
        out->n = had;
    }
    sodium_memzero(key, sizeof key);
    return err;
}
