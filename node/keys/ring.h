/* ring.h: the ring of keys, for this room's files. */
#ifndef SOUK_RING_H
#define SOUK_RING_H
#include "crypto/sign.h"
#include "node/keys/keys.h"

struct prekey {
    uint32_t week; /* since 1970, weeks of 7 × 86,400 s */
    struct xkey pk;
    uint8_t *sk; /* 32 bytes, sodium_malloc */
};
struct key {
    struct key_row row;
    struct keypair *pair; /* sodium_malloc; NULL while locked */
    struct prekey prekey[PREKEYS_KEPT];
    size_t prekeys_n;
};
struct keys {
    bool cheap;
    struct node_key node;
    uint8_t *node_sk; /* sodium_malloc */
    struct key key[KEYS_MOST];
    size_t n;
};
struct key *ring_find(const struct keys *k, const struct identity *id);
void prekeys_load(struct keys *k, struct core *c, struct key *e);
void prekeys_forget(struct key *e);
#endif
