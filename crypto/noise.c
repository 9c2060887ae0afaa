/* noise.c: names follow revision 34 of the specification (section 5), so that the two can be read side by
 * side: MixKey, MixHash, EncryptAndHash, DecryptAndHash, Split. */
#include "crypto/noise.h"
#include "crypto/xkey.h"
#include <sodium.h>

enum { HASHLEN = NOISE_HASH_BYTES, BLOCKLEN = 128, DHLEN = 32, STEPS = 3 };
static const char protocol_name[] = "Noise_XX_25519_ChaChaPoly_BLAKE2b";

/* ---- section 4: hash functions ---- */
static void hash2(uint8_t out[HASHLEN], struct span a, struct span b)
{
    crypto_generichash_blake2b_state st;
    crypto_generichash_blake2b_init(&st, NULL, 0, HASHLEN);
    crypto_generichash_blake2b_update(&st, a.p, a.n);
    if (b.n)
        crypto_generichash_blake2b_update(&st, b.p, b.n);
    crypto_generichash_blake2b_final(&st, out, HASHLEN);
    sodium_memzero(&st, sizeof st);
}

/* RFC 2104 over BLAKE2b: Noise asks for this HMAC, not for BLAKE2b's own keyed mode. */
static void hmac(uint8_t out[HASHLEN], const uint8_t key[HASHLEN], struct span a, struct span b)
{
    uint8_t pad[BLOCKLEN], inner[HASHLEN];
    crypto_generichash_blake2b_state st;
    memset(pad, 0x36, sizeof pad);
    for (int i = 0; i < HASHLEN; i++)
        pad[i] ^= key[i];
    crypto_generichash_blake2b_init(&st, NULL, 0, HASHLEN);
    crypto_generichash_blake2b_update(&st, pad, sizeof pad);
    if (a.n)
        crypto_generichash_blake2b_update(&st, a.p, a.n);
    if (b.n)
        crypto_generichash_blake2b_update(&st, b.p, b.n);
    crypto_generichash_blake2b_final(&st, inner, HASHLEN);
    for (int i = 0; i < BLOCKLEN; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    hash2(out, span(pad, sizeof pad), span(inner, sizeof inner));
    sodium_memzero(&st, sizeof st);
    sodium_memzero(pad, sizeof pad);
    sodium_memzero(inner, sizeof inner);
}

static void hkdf2(uint8_t out1[HASHLEN], uint8_t out2[HASHLEN], const uint8_t ck[HASHLEN],
                  struct span input)
{
    static const uint8_t one[1] = {1}, two[1] = {2};
    uint8_t temp[HASHLEN], first[HASHLEN];
    hmac(temp, ck, input, span(NULL, 0));
    hmac(first, temp, SPAN_OF(one), span(NULL, 0));
    hmac(out2, temp, SPAN_OF(first), SPAN_OF(two));
    memcpy(out1, first, HASHLEN);
    sodium_memzero(temp, sizeof temp);
    sodium_memzero(first, sizeof first);
}

/* ---- section 5.1: the CipherState object ---- */
static void nonce_put(uint8_t out[12], uint64_t nonce)
{
    memset(out, 0, 4);
    for (int i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(nonce >> (8 * i));
}

int noise_encrypt(struct noise_cipher *c, struct buf *out, struct span ad, struct span plain)
{
    if (!c->keyed || c->nonce == UINT64_MAX)
        return SOUK_ECLOSED;
    if (plain.n > NOISE_MESSAGE_MOST - NOISE_TAG_BYTES)
        return SOUK_ERANGE;
    uint8_t nonce[12];
    nonce_put(nonce, c->nonce++);
    uint8_t *to = buf_grow(out, plain.n + NOISE_TAG_BYTES);
    crypto_aead_chacha20poly1305_ietf_encrypt(to, NULL, plain.p, plain.n, ad.p, ad.n, NULL, nonce, c->key);
    return 0;
}

int noise_decrypt(struct noise_cipher *c, struct buf *out, struct span ad, struct span sealed)
{
    if (!c->keyed || c->nonce == UINT64_MAX)
        return SOUK_ECLOSED;
    if (sealed.n < NOISE_TAG_BYTES || sealed.n > NOISE_MESSAGE_MOST)
        return SOUK_EFORM;
    uint8_t nonce[12];
    nonce_put(nonce, c->nonce);
    size_t had = out->n;
    uint8_t *to = buf_grow(out, sealed.n - NOISE_TAG_BYTES);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(to, NULL, NULL, sealed.p, sealed.n, ad.p, ad.n, nonce,
                                                  c->key) != 0) {
        out->n = had;
        return SOUK_ESIGNATURE;
    }
    c->nonce++;
    return 0;
}

void noise_cipher_wipe(struct noise_cipher *c)
{
    sodium_memzero(c, sizeof *c);
}

/* ---- section 5.2: the SymmetricState object ---- */
static void mix_hash(struct noise *n, struct span data)
{
    hash2(n->h, SPAN_OF(n->h), data);
}

static void mix_key(struct noise *n, struct span input)
{
    uint8_t temp[HASHLEN];
    hkdf2(n->ck, temp, n->ck, input);
    memcpy(n->cipher.key, temp, sizeof n->cipher.key);
    n->cipher.keyed = true;
    n->cipher.nonce = 0;
    sodium_memzero(temp, sizeof temp);
}

static int encrypt_and_hash(struct noise *n, struct buf *out, struct span plain)
{
    size_t at = out->n;
    if (n->cipher.keyed) {
        int err = noise_encrypt(&n->cipher, out, SPAN_OF(n->h), plain);
        if (err)
            return err;
    } else {
        buf_span(out, plain);
    }
    mix_hash(n, span(out->n > at ? out->p + at : NULL, out->n - at));
    return 0;
}

static int decrypt_and_hash(struct noise *n, struct buf *out, struct span data)
{
    if (n->cipher.keyed) {
        int err = noise_decrypt(&n->cipher, out, SPAN_OF(n->h), data);
        if (err)
            return err;
    } else {
        buf_span(out, data);
    }
    mix_hash(n, data);
    return 0;
}

static int mix_dh(struct noise *n, const uint8_t sk[static 32], const struct xkey *pk)
{
    uint8_t shared[DHLEN];
    int err = x25519(shared, sk, pk);
    if (!err)
        mix_key(n, SPAN_OF(shared));
    sodium_memzero(shared, sizeof shared);
    return err;
}

/* ---- section 5.3: the HandshakeState object ---- */
void noise_start(struct noise *n, bool initiator, struct span prologue, const uint8_t s_sk[static 32],
                 const uint8_t e_sk[static 32])
{
    *n = (struct noise){.initiator = initiator};
    /* The name has 33 bytes: no longer than HASHLEN, so it is padded with zeros, not hashed. */
    memcpy(n->h, protocol_name, sizeof protocol_name - 1);
    memcpy(n->ck, n->h, sizeof n->ck);
    mix_hash(n, prologue);
    memcpy(n->s_sk, s_sk, sizeof n->s_sk);
    memcpy(n->e_sk, e_sk, sizeof n->e_sk);
    xkey_public(&n->s, n->s_sk);
    xkey_public(&n->e, n->e_sk);
}

void noise_wipe(struct noise *n)
{
    sodium_memzero(n, sizeof *n);
    n->failed = true;
}

bool noise_done(const struct noise *n)
{
    return !n->failed && n->step == STEPS;
}

bool noise_my_turn(const struct noise *n)
{
    return !n->failed && n->step < STEPS && (n->step % 2 == 0) == n->initiator;
}

/* ee; then es and se, in which each side uses the halves that it has. */
static int mix_ee(struct noise *n)
{
    return mix_dh(n, n->e_sk, &n->re);
}

static int mix_es(struct noise *n)
{
    return n->initiator ? mix_dh(n, n->e_sk, &n->rs) : mix_dh(n, n->s_sk, &n->re);
}

static int mix_se(struct noise *n)
{
    return n->initiator ? mix_dh(n, n->s_sk, &n->re) : mix_dh(n, n->e_sk, &n->rs);
}

static int write_tokens(struct noise *n, struct buf *out)
{
    int err = 0;
    if (n->step < 2) {
        buf_span(out, SPAN_OF(n->e));
        mix_hash(n, SPAN_OF(n->e));
    }
    if (n->step == 1 && (err = mix_ee(n)))
        return err;
    if (n->step > 0 && (err = encrypt_and_hash(n, out, SPAN_OF(n->s))))
        return err;
    if (n->step == 1)
        err = mix_es(n);
    else if (n->step == 2)
        err = mix_se(n);
    return err;
}

int noise_write(struct noise *n, struct buf *out, struct span payload)
{
    if (!noise_my_turn(n))
        return SOUK_ECLOSED;
    static const size_t overhead[STEPS] = {DHLEN, DHLEN + DHLEN + 2 * NOISE_TAG_BYTES,
                                           DHLEN + 2 * NOISE_TAG_BYTES};
    if (payload.n > NOISE_MESSAGE_MOST - overhead[n->step])
        return SOUK_ERANGE;
    size_t had = out->n;
    int err = write_tokens(n, out);
    if (!err)
        err = encrypt_and_hash(n, out, payload);
    if (err) {
        out->n = had;
        noise_wipe(n);
        return err;
    }
    n->step++;
    return 0;
}

/* The remote static key, encrypted: read into rs by way of a small buffer. */
static int read_static(struct noise *n, struct span sealed)
{
    struct buf plain = {0};
    int err = decrypt_and_hash(n, &plain, sealed);
    if (!err)
        memcpy(n->rs.b, plain.p, sizeof n->rs.b);
    buf_free(&plain);
    return err;
}

static int read_tokens(struct noise *n, struct span *rest)
{
    int err = 0;
    static const size_t need[STEPS] = {DHLEN, DHLEN + DHLEN + NOISE_TAG_BYTES, DHLEN + NOISE_TAG_BYTES};
    if (rest->n < need[n->step])
        return SOUK_EFORM;
    if (n->step < 2) {
        memcpy(n->re.b, rest->p, DHLEN);
        *rest = span(rest->p + DHLEN, rest->n - DHLEN);
        mix_hash(n, SPAN_OF(n->re));
    }
    if (n->step == 1 && (err = mix_ee(n)))
        return err;
    if (n->step > 0) {
        if ((err = read_static(n, span(rest->p, DHLEN + NOISE_TAG_BYTES))))
            return err;
        *rest = span(rest->p + DHLEN + NOISE_TAG_BYTES, rest->n - DHLEN - NOISE_TAG_BYTES);
    }
    if (n->step == 1)
        err = mix_es(n);
    else if (n->step == 2)
        err = mix_se(n);
    return err;
}

int noise_read(struct noise *n, struct buf *payload, struct span message)
{
    if (n->failed || n->step == STEPS || noise_my_turn(n))
        return SOUK_ECLOSED;
    struct span rest = message;
    int err = message.n > NOISE_MESSAGE_MOST ? SOUK_EFORM : read_tokens(n, &rest);
    if (!err)
        err = decrypt_and_hash(n, payload, rest);
    if (err) {
        noise_wipe(n);
        return err;
    }
    n->step++;
    return 0;
}

void noise_remote(const struct noise *n, struct xkey *out)
{
    *out = n->rs;
}

void noise_hash(const struct noise *n, uint8_t out[static NOISE_HASH_BYTES])
{
    memcpy(out, n->h, NOISE_HASH_BYTES);
}

void noise_split(struct noise *n, struct noise_cipher *send, struct noise_cipher *receive)
{
    MUST(noise_done(n));
    uint8_t one[HASHLEN], two[HASHLEN];
    hkdf2(one, two, n->ck, span(NULL, 0));
    *send = *receive = (struct noise_cipher){.keyed = true};
    memcpy(n->initiator ? send->key : receive->key, one, sizeof send->key);
    memcpy(n->initiator ? receive->key : send->key, two, sizeof send->key);
    sodium_memzero(one, sizeof one);
    sodium_memzero(two, sizeof two);
    noise_wipe(n);
}
