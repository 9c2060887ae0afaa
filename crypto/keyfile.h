/* keyfile.h: a few secrets under a passphrase, as bytes that may lie on a disk or in a backup.
 *
 *     "SOUKKEY" 0x00 ‖ version 1 ‖ passes (4) ‖ memory in KiB (4) ‖ salt (16) ‖ nonce (24)
 *     ‖ XChaCha20-Poly1305(secret; associated data: all before) ‖ checksum (32)
 *
 * key = Argon2id (RFC 9106, one lane; libsodium) of the passphrase; checksum = BLAKE2b-256, personalised
 * "souk:keyfile", over all before it, without a key: it tells a damaged file from a wrong passphrase, and
 * is no protection against anybody.  Integers are big-endian.
 *
 * The cost stands in the file so that it can rise later, and is bounded on reading, so that a file from
 * elsewhere cannot make a machine swap.  No files are touched here: bytes in, bytes out. */
#ifndef SOUK_KEYFILE_H
#define SOUK_KEYFILE_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"
#include "crypto/base/rng.h"
#include "crypto/base/span.h"

enum {
    KEYFILE_OVERHEAD_BYTES = 8 + 1 + 4 + 4 + 16 + 24 + 16 + 32,
    KEYFILE_SECRET_MOST = 4096,
    KEYFILE_PASSES_MOST = 16,
    KEYFILE_MEMORY_KIB_MOST = 262144,
    KEYFILE_PASSPHRASE_MOST = 1024
};
enum keyfile_cost {
    KEYFILE_INTERACTIVE, /* 2 passes over 64 MiB: about 0.1 s */
    KEYFILE_CHEAP,       /* 1 pass over 8 KiB: for tests and the demo, never chosen by default */
    KEYFILE_SENSITIVE,   /* 3 passes over 256 MiB: for backups that leave the machine */
};
/* Appends a file holding secret.  SOUK_EINVALID on an empty or too long passphrase or secret; SOUK_EQUOTA
 * when the machine lacks the memory that the cost asks for. */
int keyfile_seal(struct buf *out, struct span secret, struct span passphrase, enum keyfile_cost cost,
                 struct rng *rng, struct report *r);
/* Opens a file into the caller's (sodium_malloc) memory of cap bytes; *n = its length.  SOUK_EDAMAGED when
 * structure or checksum is wrong, SOUK_EVERSION when made by a newer souk, SOUK_EPASSPHRASE, SOUK_ERANGE
 * when the secret is longer than cap, SOUK_EQUOTA as above.  On error nothing of the secret is in out. */
int keyfile_open(uint8_t *out, size_t cap, size_t *n, struct span file, struct span passphrase,
                 struct report *r);
#endif
