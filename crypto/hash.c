#include "crypto/hash.h"
#include "crypto/base/err.h"
#include <sodium.h>

static void use_pad(uint8_t out[static HASH_USE_BYTES], const char *use)
{
    size_t n = strlen(use);
    MUST(n > 0 && n <= HASH_USE_BYTES);
    memset(out, 0, HASH_USE_BYTES);
    memcpy(out, use, n);
}

void hash_souk(struct id *out, const struct network *net, const char *use, const struct span *parts,
               size_t n)
{
    crypto_generichash_blake2b_state st;
    uint8_t personal[HASH_USE_BYTES];
    use_pad(personal, use);
    crypto_generichash_blake2b_init_salt_personal(&st, NULL, 0, sizeof out->b, net->id.b, personal);
    for (size_t i = 0; i < n; i++)
        if (parts[i].n)
            crypto_generichash_blake2b_update(&st, parts[i].p, parts[i].n);
    crypto_generichash_blake2b_final(&st, out->b, sizeof out->b);
}

void hash_souk_one(struct id *out, const struct network *net, const char *use, struct span bytes)
{
    hash_souk(out, net, use, &bytes, 1);
}

void hash_derive(uint8_t out[static 32], const uint8_t root[static 32], const char *use,
                 struct span context)
{
    uint8_t personal[HASH_USE_BYTES];
    use_pad(personal, use);
    int err =
        crypto_generichash_blake2b_salt_personal(out, 32, context.p, context.n, root, 32, NULL, personal);
    MUST(err == 0);
}
