/* contacts.c: the pool.  Chunks of 64 contacts that never move, a free list, and a chained hash index of
 * 4-byte handles under SipHash, so that nobody outside can choose collisions.  Handle 0 means none. */
#include "dht/inner.h"
#include <sodium.h>
#include <stdlib.h>

enum { CHUNK = 64 };

struct dht_contacts {
    struct contact **chunks;
    uint32_t *heads; /* cap of them, a power of two */
    uint32_t n, made, cap, free, chunks_n;
    uint8_t seed[16];
};

struct dht_contacts *dht_contacts_new(struct rng *rng)
{
    struct dht_contacts *p = xcalloc(1, sizeof *p);
    rng_bytes(rng, p->seed, sizeof p->seed);
    return p;
}

void dht_contacts_free(struct dht_contacts *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->chunks_n; i++)
        free(p->chunks[i]);
    free(p->chunks);
    free(p->heads);
    free(p);
}

size_t dht_contacts_count(const struct dht_contacts *p)
{
    return p->n;
}

size_t dht_contacts_bytes(const struct dht_contacts *p)
{
    return sizeof *p + p->cap * sizeof *p->heads +
           p->chunks_n * (CHUNK * sizeof(struct contact) + sizeof(struct contact *));
}

static struct contact *at(const struct dht_contacts *p, uint32_t handle)
{
    MUST(handle > 0 && handle <= p->made);
    return &p->chunks[(handle - 1) / CHUNK][(handle - 1) % CHUNK];
}

const struct contact *contact_at(const struct dht_contacts *p, uint32_t handle)
{
    return at(p, handle);
}

static uint32_t slot(const struct dht_contacts *p, const struct node_key *key, const struct addr *addr)
{
    uint8_t in[50], h[8];
    memcpy(in, key->b, 32);
    memcpy(in + 32, addr->ip, 16);
    be16_put(in + 48, addr->port);
    crypto_shorthash(h, in, sizeof in, p->seed);
    return be32_get(h) & (p->cap - 1);
}

uint32_t contacts_find(const struct dht_contacts *p, const struct node_key *key, const struct addr *addr)
{
    if (!p->cap)
        return 0;
    for (uint32_t h = p->heads[slot(p, key, addr)]; h; h = at(p, h)->next) {
        const struct contact *c = at(p, h);
        if (node_key_eq(&c->key, key) && addr_eq(&c->addr, addr))
            return h;
    }
    return 0;
}

static void link_in(struct dht_contacts *p, uint32_t handle)
{
    struct contact *c = at(p, handle);
    uint32_t s = slot(p, &c->key, &c->addr);
    c->next = p->heads[s];
    p->heads[s] = handle;
}

static void grow_index(struct dht_contacts *p)
{
    uint32_t *old = p->heads, old_cap = p->cap;
    p->cap = old_cap ? old_cap * 2 : 64;
    p->heads = xcalloc(p->cap, sizeof *p->heads);
    for (uint32_t i = 0; i < old_cap; i++)
        for (uint32_t h = old[i], next; h; h = next) {
            next = at(p, h)->next;
            link_in(p, h);
        }
    free(old);
}

static uint32_t fresh(struct dht_contacts *p)
{
    uint32_t handle = p->free;
    if (handle) {
        p->free = at(p, handle)->next;
        return handle;
    }
    if (p->made == p->chunks_n * CHUNK) {
        p->chunks = xrealloc(p->chunks, (p->chunks_n + 1) * sizeof(struct contact *));
        p->chunks[p->chunks_n++] = xmalloc(CHUNK * sizeof(struct contact));
    }
    return ++p->made;
}

uint32_t contacts_take(struct dht_contacts *p, const struct network *net, const struct node_key *key,
                       const struct addr *addr)
{
    uint32_t handle = contacts_find(p, key, addr);
    if (handle) {
        at(p, handle)->refs++;
        return handle;
    }
    struct id id;
    dht_id(&id, net, key);
    if (!id_puzzle_ok(net, &id))
        return 0;
    if (p->n == p->cap)
        grow_index(p);
    handle = fresh(p);
    *at(p, handle) = (struct contact){.id = id, .key = *key, .addr = *addr, .refs = 1};
    link_in(p, handle);
    p->n++;
    return handle;
}

void contacts_hold(struct dht_contacts *p, uint32_t handle)
{
    at(p, handle)->refs++;
}

void contacts_drop(struct dht_contacts *p, uint32_t handle)
{
    struct contact *c = at(p, handle);
    MUST(c->refs > 0);
    if (--c->refs)
        return;
    uint32_t *link = &p->heads[slot(p, &c->key, &c->addr)];
    while (*link != handle)
        link = &at(p, *link)->next;
    *link = c->next;
    c->next = p->free;
    p->free = handle;
    p->n--;
}
