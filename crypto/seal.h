/* seal.h: bytes that only the holder of one X25519 secret can read: letters to a prekey, openings of notes,
 * secrets of our own.
 *
 *     sealed = 0x01 ‖ ephemeral public key (32) ‖ XChaCha20-Poly1305(key, nonce 0, padded, ad)
 *     key    = BLAKE2b-256, personalised "souk:seal", over X25519(ephemeral, to) ‖ ephemeral ‖ to
 *     padded = length of plain (2 bytes, big-endian) ‖ plain ‖ zeros
 *
 * The key serves once, since the ephemeral key does, so the nonce may be fixed.  The whole of `sealed` has
 * one of a few sizes, so that its length tells little: the powers of two from 256 to 32,768 bytes, and
 * 61,440, which still fits a stream frame with what is around it.
 *
 * Nothing here says who sealed: anyone can.  Who wrote is told by a signature inside `plain`, whose signed
 * bytes include recipient, prekey and thread, so that nothing can be passed on as meant for another.  `ad`
 * is what lies in clear beside the sealed bytes and must not be exchanged (the recipient, a mailbox id). */
#ifndef SOUK_SEAL_H
#define SOUK_SEAL_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"
#include "crypto/base/rng.h"
#include "crypto/base/span.h"

enum {
    SEAL_OVERHEAD_BYTES = 1 + 32 + 16 + 2,
    SEAL_BYTES_LEAST = 256,
    SEAL_BYTES_MOST = 61440,
    SEAL_PLAIN_MOST = SEAL_BYTES_MOST - SEAL_OVERHEAD_BYTES
};

/* The size of a sealed object with plain_bytes inside; 0 when that is more than SEAL_PLAIN_MOST. */
size_t seal_size(size_t plain_bytes);
bool seal_size_ok(size_t sealed_bytes);
/* Appends the sealed object.  SOUK_ERANGE when plain is too long, SOUK_EINVALID when `to` is of small
 * order; out is then as it was. */
int seal(struct buf *out, const struct xkey *to, struct span ad, struct span plain, struct rng *r);
/* Appends the plaintext (the caller wipes it).  SOUK_EFORM when the size, version or padding is wrong;
 * SOUK_ESIGNATURE when it is not sealed to this key, or with other ad, or was changed. */
int seal_open(struct buf *out, const uint8_t sk[static 32], struct span ad, struct span sealed);
#endif
