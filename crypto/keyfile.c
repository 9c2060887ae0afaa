#include "crypto/keyfile.h"
#include <sodium.h>

enum { AT_VERSION = 8, AT_PASSES = 9, AT_MEMORY = 13, AT_SALT = 17, AT_NONCE = 33, AT_BOX = 57 };
enum { VERSION = 1, TAG = 16, CHECKSUM = 32 };
static const uint8_t magic[8] = "SOUKKEY";

static void checksum(uint8_t out[CHECKSUM], const uint8_t *p, size_t n)
{
    static const uint8_t personal[16] = "souk:keyfile";
    crypto_generichash_blake2b_salt_personal(out, CHECKSUM, p, n, NULL, 0, NULL, personal);
}

static int stretch(uint8_t key[static 32], const uint8_t *header, struct span passphrase, struct report *r)
{
    unsigned long long passes = be32_get(header + AT_PASSES);
    size_t memory = (size_t)be32_get(header + AT_MEMORY) * 1024;
    if (crypto_pwhash(key, 32, (const char *)passphrase.p, passphrase.n, header + AT_SALT, passes, memory,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return report_set(
            r, SOUK_EQUOTA,
            "this machine lacks the %zu MiB of memory that opening the key takes: close other "
            "programs and try again",
            memory >> 20);
    return 0;
}

static int passphrase_check(struct span passphrase, struct report *r)
{
    if (passphrase.n == 0 || passphrase.n > KEYFILE_PASSPHRASE_MOST)
        return report_set(r, SOUK_EINVALID, "a passphrase has 1 to %d bytes; this one has %zu",
                          KEYFILE_PASSPHRASE_MOST, passphrase.n);
    return 0;
}

int keyfile_seal(struct buf *out, struct span secret, struct span passphrase, enum keyfile_cost cost,
                 struct rng *rng, struct report *r)
{
    static const struct {
        uint32_t passes, memory_kib;
    } costs[] = {
        [KEYFILE_INTERACTIVE] = {2, 65536}, [KEYFILE_CHEAP] = {1, 8}, [KEYFILE_SENSITIVE] = {3, 262144}};
    MUST((size_t)cost < sizeof costs / sizeof *costs);
    int err = passphrase_check(passphrase, r);
    if (err)
        return err;
    if (secret.n == 0 || secret.n > KEYFILE_SECRET_MOST)
        return report_set(r, SOUK_EINVALID, "a key file holds 1 to %d bytes of secrets",
                          KEYFILE_SECRET_MOST);
    uint8_t header[AT_BOX], key[32];
    memcpy(header, magic, sizeof magic);
    header[AT_VERSION] = VERSION;
    be32_put(header + AT_PASSES, costs[cost].passes);
    be32_put(header + AT_MEMORY, costs[cost].memory_kib);
    rng_bytes(rng, header + AT_SALT, sizeof header - AT_SALT); /* salt and nonce */
    if ((err = stretch(key, header, passphrase, r)))
        return err;
    size_t n = sizeof header + secret.n + TAG;
    uint8_t *p = buf_grow(out, n + CHECKSUM);
    memcpy(p, header, sizeof header);
    crypto_aead_xchacha20poly1305_ietf_encrypt(p + AT_BOX, NULL, secret.p, secret.n, header, sizeof header,
                                               NULL, header + AT_NONCE, key);
    checksum(p + n, p, n);
    sodium_memzero(key, sizeof key);
    return 0;
}

/* Everything that can be told without the passphrase. */
static int structure_check(struct span file, struct report *r)
{
    if (file.n < KEYFILE_OVERHEAD_BYTES + 1 || memcmp(file.p, magic, sizeof magic) != 0)
        return report_set(r, SOUK_EDAMAGED,
                          "this is not a key file, or it is cut short: restore it from a backup, or bring "
                          "the identity back with its words");
    uint8_t sum[CHECKSUM];
    checksum(sum, file.p, file.n - CHECKSUM);
    bool sound = memcmp(sum, file.p + file.n - CHECKSUM, CHECKSUM) == 0;
    if (sound && file.p[AT_VERSION] != VERSION)
        return report_set(r, SOUK_EVERSION,
                          "the key file has version %u, this souk knows %u: use a newer souk",
                          file.p[AT_VERSION], VERSION);
    uint32_t passes = be32_get(file.p + AT_PASSES), memory_kib = be32_get(file.p + AT_MEMORY);
    if (!sound || file.n > KEYFILE_OVERHEAD_BYTES + KEYFILE_SECRET_MOST || passes < 1 ||
        passes > KEYFILE_PASSES_MOST || memory_kib < 8 || memory_kib > KEYFILE_MEMORY_KIB_MOST)
        return report_set(
            r, SOUK_EDAMAGED,
            "the key file is damaged: restore it from a backup, or bring the identity back with "
            "its words");
    return 0;
}

int keyfile_open(uint8_t *out, size_t cap, size_t *n, struct span file, struct span passphrase,
                 struct report *r)
{
    uint8_t key[32];
    int err = structure_check(file, r);
    if (err)
        return err;
    if ((err = passphrase_check(passphrase, r)))
        return err;
    size_t secret_n = file.n - KEYFILE_OVERHEAD_BYTES;
    if (secret_n > cap)
        return report_set(r, SOUK_ERANGE,
                          "the key file holds %zu bytes of secrets, more than the %zu expected", secret_n,
                          cap);
    if ((err = stretch(key, file.p, passphrase, r)))
        return err;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, file.p + AT_BOX, secret_n + TAG, file.p,
                                                   AT_BOX, file.p + AT_NONCE, key) != 0) {
        sodium_memzero(out, secret_n);
        err = report_set(r, SOUK_EPASSPHRASE, "the passphrase is wrong");
    } else {
        *n = secret_n;
    }
    sodium_memzero(key, sizeof key);
    return err;
}
