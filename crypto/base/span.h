/* span.h: borrowed bytes, and the fixed-size names of things.
 *
 * A span never owns: whoever hands one out says how long it lives.  The fixed types are distinct so that
 * the compiler refuses a node key where an identity is meant. */
#ifndef SOUK_SPAN_H
#define SOUK_SPAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *p;
    size_t n;
};

struct id {
    uint8_t b[32];
}; /* a BLAKE2b-256 name: of a record, a fact, a blob, a trade, a DHT target */
struct node_key {
    uint8_t b[32];
}; /* Ed25519: a machine on the network */
struct identity {
    uint8_t b[32];
}; /* Ed25519: a person in the market */
struct trade_key {
    uint8_t b[32];
}; /* Ed25519: one party's key in one lock */
struct xkey {
    uint8_t b[32];
}; /* X25519 public key */
struct sig {
    uint8_t b[64];
}; /* Ed25519 signature */
struct salt {
    uint8_t b[16];
}; /* network id, slot, salts */

static inline struct span span(const void *p, size_t n)
{
    return (struct span){(const uint8_t *)p, n};
}
static inline struct span span_str(const char *s)
{
    return (struct span){(const uint8_t *)s, strlen(s)};
}
/* SPAN_OF(x): the bytes of a fixed-size object. */
#define SPAN_OF(x) ((struct span){(const uint8_t *)&(x), sizeof(x)})
static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool id_eq(const struct id *a, const struct id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
static inline bool identity_eq(const struct identity *a, const struct identity *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
static inline bool node_key_eq(const struct node_key *a, const struct node_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
/* True when every byte of the object is zero (an absent id or key). */
static inline bool is_zero(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t acc = 0;
    for (size_t i = 0; i < n; i++)
        acc |= b[i];
    return acc == 0;
}

/* Big-endian integers, for keys that must sort. */
static inline void be64_put(uint8_t *o, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        o[i] = (uint8_t)(v >> (56 - 8 * i));
}
static inline uint64_t be64_get(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}
static inline void be32_put(uint8_t *o, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        o[i] = (uint8_t)(v >> (24 - 8 * i));
}
static inline uint32_t be32_get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void be16_put(uint8_t *o, uint16_t v)
{
    o[0] = (uint8_t)(v >> 8);
    o[1] = (uint8_t)v;
}
static inline uint16_t be16_get(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* Lower-case hex of n bytes into out (2n + 1 chars, terminated).  Returns out. */
char *hex_encode(char *out, const void *p, size_t n);
/* Reads exactly n bytes of hex (either case).  Returns false on any other length or character. */
bool hex_decode(void *out, size_t n, const char *s, size_t len);
#endif
