/* noise.h: the handshake and the ciphers of a session: Noise_XX_25519_ChaChaPoly_BLAKE2b.
 *
 * From "The Noise Protocol Framework", revision 34 (Trevor Perrin, 2018), pattern XX only:
 *     -> e     <- e, ee, s, es     -> s, se
 * A state machine without sockets: messages in, messages out.  Framing, prologue and what the payloads
 * carry are node/net's affair.  Static and ephemeral secrets come from the caller (the ephemeral from
 * struct rng; tests fix it), so nothing here draws randomness.
 *
 *     struct noise n;
 *     noise_start(&n, initiator, prologue, static_sk, ephemeral_sk);
 *     noise_write / noise_read in turn until noise_done(&n);
 *     noise_remote(&n, …);  noise_hash(&n, …);
 *     noise_split(&n, &send, &receive);       wipes n
 *     noise_encrypt(&send, …);  noise_decrypt(&receive, …);
 *
 * Any failure is final: the state is wiped and every later call answers SOUK_ECLOSED.  A peer's public key
 * of small order is refused (revision 34, section 12.1, leaves the choice). */
#ifndef SOUK_NOISE_H
#define SOUK_NOISE_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"
#include "crypto/base/span.h"

enum { NOISE_MESSAGE_MOST = 65535, NOISE_TAG_BYTES = 16, NOISE_HASH_BYTES = 64 };

/* One direction's cipher.  The nonce counts messages; the last value, 2^64 - 1, is never used. */
struct noise_cipher {
    uint8_t key[32];
    uint64_t nonce;
    bool keyed;
};

struct noise {
    uint8_t h[NOISE_HASH_BYTES], ck[NOISE_HASH_BYTES]; /* handshake hash, chaining key */
    struct noise_cipher cipher;
    uint8_t s_sk[32], e_sk[32];
    struct xkey s, e, rs, re; /* own and remote, static and ephemeral */
    bool initiator, failed;
    uint8_t step; /* handshake messages done: 0..3 */
};

void noise_start(struct noise *n, bool initiator, struct span prologue, const uint8_t s_sk[static 32],
                 const uint8_t e_sk[static 32]);
bool noise_my_turn(const struct noise *n); /* to write; false once done */
bool noise_done(const struct noise *n);    /* all three messages are through */
/* Appends the next handshake message to out.  SOUK_ECLOSED out of turn or after a failure, SOUK_ERANGE when
 * the message would exceed 65,535 bytes, SOUK_EINVALID on a bad point. */
int noise_write(struct noise *n, struct buf *out, struct span payload);
/* Reads the other side's message, appends its payload to out.  SOUK_EFORM too short or too long,
 * SOUK_EINVALID a bad point, SOUK_ESIGNATURE not authentic, SOUK_ECLOSED as above. */
int noise_read(struct noise *n, struct buf *payload, struct span message);
/* The other side's static key: known after its message that carries s (initiator: 2, responder: 3). */
void noise_remote(const struct noise *n, struct xkey *out);
/* The handshake hash: the same on both sides, unique to this session (channel binding). */
void noise_hash(const struct noise *n, uint8_t out[static NOISE_HASH_BYTES]);
/* The two transport ciphers; wipes n.  Only when noise_done. */
void noise_split(struct noise *n, struct noise_cipher *send, struct noise_cipher *receive);
void noise_wipe(struct noise *n);

/* Appends the ciphertext (plain.n + 16 bytes).  SOUK_ECLOSED when the nonces are used up: open a new
 * session; SOUK_ERANGE when it would exceed 65,535 bytes. */
int noise_encrypt(struct noise_cipher *c, struct buf *out, struct span ad, struct span plain);
/* Appends the plaintext.  SOUK_ESIGNATURE when not authentic (out and nonce stay as they were),
 * SOUK_EFORM when too short or too long, SOUK_ECLOSED as above. */
int noise_decrypt(struct noise_cipher *c, struct buf *out, struct span ad, struct span sealed);
void noise_cipher_wipe(struct noise_cipher *c);
#endif
