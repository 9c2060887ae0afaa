#include "crypto/base/map.h"
#include "crypto/base/err.h"
#include <sodium.h>
#include <stdlib.h>

/* A slot is the value pointer followed by the key.  NULL: never used; &tomb: deleted. */
static char tomb;

static size_t slot_bytes(const struct map *m)
{
    return sizeof(void *) + (m->key_bytes + 7) / 8 * 8;
}

static uint8_t *slot_at(const struct map *m, size_t i)
{
    return m->slots + i * slot_bytes(m);
}

static void *slot_value(const uint8_t *slot)
{
    void *v;
    memcpy(&v, slot, sizeof v);
    return v;
}

static void slot_set(uint8_t *slot, void *v)
{
    memcpy(slot, &v, sizeof v);
}

static size_t hash(const struct map *m, const void *key)
{
    uint8_t h[8];
    crypto_shorthash(h, key, m->key_bytes, m->seed);
    return (size_t)be64_get(h);
}

void map_init(struct map *m, size_t key_bytes, struct rng *r)
{
    *m = (struct map){.key_bytes = key_bytes};
    rng_bytes(r, m->seed, sizeof m->seed);
}

static uint8_t *find(const struct map *m, const void *key)
{
    if (!m->cap)
        return NULL;
    for (size_t i = hash(m, key) & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        uint8_t *slot = slot_at(m, i);
        void *v = slot_value(slot);
        if (!v)
            return NULL;
        if (v != (void *)&tomb && memcmp(slot + sizeof v, key, m->key_bytes) == 0)
            return slot;
    }
}

void *map_get(const struct map *m, const void *key)
{
    uint8_t *slot = find(m, key);
    return slot ? slot_value(slot) : NULL;
}

static void insert_new(struct map *m, const void *key, void *value)
{
    size_t i = hash(m, key) & (m->cap - 1);
    while (slot_value(slot_at(m, i)))
        i = (i + 1) & (m->cap - 1);
    uint8_t *slot = slot_at(m, i);
    slot_set(slot, value);
    memcpy(slot + sizeof value, key, m->key_bytes);
    m->n++;
    m->used++;
}

static void grow(struct map *m)
{
    struct map old = *m;
    m->cap = 16; /* at most half full after growing, two thirds before */
    while (m->cap < (old.n + 1) * 2)
        m->cap *= 2;
    m->slots = xcalloc(m->cap, slot_bytes(m));
    m->n = m->used = 0;
    for (size_t i = 0; i < old.cap; i++) {
        uint8_t *slot = slot_at(&old, i);
        void *v = slot_value(slot);
        if (v && v != (void *)&tomb)
            insert_new(m, slot + sizeof v, v);
    }
    free(old.slots);
}

void map_put(struct map *m, const void *key, void *value)
{
    MUST(value != NULL);
    uint8_t *slot = find(m, key);
    if (slot) {
        slot_set(slot, value);
        return;
    }
    if ((m->used + 1) * 3 > m->cap * 2)
        grow(m);
    insert_new(m, key, value);
}

/* A deleted place is only needed while a search may have to pass it: not before one never used.  Nothing
 * moves, so that a walk may delete. */
static void sweep(struct map *m, size_t i)
{
    if (slot_value(slot_at(m, (i + 1) & (m->cap - 1))))
        return;
    for (; slot_value(slot_at(m, i)) == (void *)&tomb; i = (i - 1) & (m->cap - 1)) {
        slot_set(slot_at(m, i), NULL);
        m->used--;
    }
}

void *map_del(struct map *m, const void *key)
{
    uint8_t *slot = find(m, key);
    if (!slot)
        return NULL;
    void *v = slot_value(slot);
    m->n--;
    slot_set(slot, &tomb);
    sweep(m, (size_t)(slot - m->slots) / slot_bytes(m));
    return v;
}

bool map_next(const struct map *m, size_t *at, const void **key, void **value)
{
    for (; *at < m->cap; ++*at) {
        uint8_t *slot = slot_at(m, *at);
        void *v = slot_value(slot);
        if (v && v != (void *)&tomb) {
            if (key)
                *key = slot + sizeof v;
            if (value)
                *value = v;
            ++*at;
            return true;
        }
    }
    return false;
}

void map_free(struct map *m)
{
    free(m->slots);
    m->slots = NULL;
    m->cap = m->n = m->used = 0;
}
