/* map.h: a hash table from fixed-size byte keys to pointers, keyed SipHash so that nobody outside can
 * choose collisions.  Open addressing; the map owns its copies of keys, not the values. */
#ifndef SOUK_MAP_H
#define SOUK_MAP_H
#include "crypto/base/rng.h"

struct map {
    uint8_t *slots;
    size_t key_bytes, cap, n, used;
    uint8_t seed[16];
};
void map_init(struct map *m, size_t key_bytes, struct rng *r);
void *map_get(const struct map *m, const void *key);
void map_put(struct map *m, const void *key, void *value); /* replaces; value != NULL */
void *map_del(struct map *m, const void *key);             /* the value it had, or NULL */
/* Visits every entry: start with *at = 0; returns false at the end.  Deleting the entry just visited is
 * allowed during a walk, putting is not. */
bool map_next(const struct map *m, size_t *at, const void **key, void **value);
void map_free(struct map *m);
#endif
