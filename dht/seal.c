/* seal.c: see seal.h.  XChaCha20-Poly1305 and Ed25519-to-X25519 are libsodium's. */
#include "dht/seal.h"
#include "crypto/base/map.h"
#include "crypto/hash.h"
#include "crypto/xkey.h"
#include "dht/dht.h"
#include <sodium.h>
#include <stdlib.h>

enum {
    SLAB = 89 /* with what libsodium adds, three pages and one */,
    BUCKETS = 512,
    SEEN = 1024, /* nonces remembered */
    HINT_AT = 1,
    SENDER_AT = 5,
    NONCE_AT = 37
};
_Static_assert(DHT_SEAL_HEAD + 16 == DHT_SEAL_BYTES && (int)DHT_SEAL_BYTES == (int)DHT_OUTER_BYTES,
               "one size");
_Static_assert(NONCE_AT + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == DHT_SEAL_HEAD, "one layout");

/* A token bucket in thousandths, so that slow rates count too. */
struct budget {
    uint64_t at_ms;
    uint64_t milli;
};
/* Strangers spoke first; the chosen were written to, often on hearsay; the proven answered.  Each class
 * pushes out only its own. */
enum { STRANGER, CHOSEN, PROVEN, CLASSES };
/* Keys shared with one peer: in a slab of locked memory, in the list of its class, newest first. */
struct peer {
    struct peer *older, *newer;
    uint8_t send[32], receive[32];
    struct node_key key;
    uint8_t class;
    uint32_t linked;    /* when it last became the newest of its class: class.links then */
    struct budget rate; /* of its true datagrams, unless it is a stranger */
};
struct slab {
    uint8_t secret[32]; /* X25519; of the first slab only */
    struct peer peers[SLAB];
};
struct class
{
    struct peer *newest, *oldest;
    uint32_t n, most, links;
};
struct dht_seal {
    const struct network *net;
    struct rng *rng;
    struct dht_seal_knobs knobs;
    struct node_key self;
    struct map peers;
    struct slab **slabs;      /* at least one */
    struct peer *free, *last; /* last: of the last datagram, whose answer comes next */
    uint32_t slabs_n;
    struct class classes[CLASSES];
    struct budget total, *prefix_curves, *prefix_dgrams;
    uint8_t seed[16];
    uint32_t seen[SEEN]; /* marks of nonces opened lately, each in a place under a secret hash; 0: none */
    struct dht_seal_stats stats;
};

void dht_seal_knobs_default(struct dht_seal_knobs *out)
{
    *out = (struct dht_seal_knobs){.proven_most = 1024,
                                   .chosen_most = 512,
                                   .strangers_most = 256,
                                   .curve_a_second = 1000,
                                   .curve_burst = 2000,
                                   .prefix_a_second = 50,
                                   .prefix_burst = 200,
                                   .dgrams_a_second = 500,
                                   .dgrams_burst = 2000};
}

static void more_slabs(struct dht_seal *s)
{
    struct slab *slab = sodium_malloc(sizeof *slab);
    MUST(slab != NULL);
    s->slabs = xrealloc(s->slabs, (s->slabs_n + 1) * sizeof(struct slab *));
    s->slabs[s->slabs_n++] = slab;
    for (size_t i = SLAB; i-- > 0;) {
        slab->peers[i].older = s->free;
        s->free = &slab->peers[i];
    }
}

struct dht_seal *dht_seal_new(const struct network *net, const uint8_t sign_sk[static 64], struct rng *rng,
                              const struct dht_seal_knobs *knobs)
{
    struct dht_seal *s = xcalloc(1, sizeof *s);
    s->net = net;
    s->rng = rng;
    if (knobs)
        s->knobs = *knobs;
    else
        dht_seal_knobs_default(&s->knobs);
    MUST(s->knobs.proven_most > 0 && s->knobs.chosen_most > 0 && s->knobs.strangers_most > 0);
    memcpy(s->self.b, sign_sk + 32, 32);
    more_slabs(s);
    xkey_secret_from_sign(s->slabs[0]->secret, sign_sk);
    map_init(&s->peers, 32, rng);
    rng_bytes(rng, s->seed, sizeof s->seed);
    s->classes[STRANGER].most = s->knobs.strangers_most;
    s->classes[CHOSEN].most = s->knobs.chosen_most;
    s->classes[PROVEN].most = s->knobs.proven_most;
    s->total.milli = s->knobs.curve_burst * 1000ull;
    return s;
}

void dht_seal_free(struct dht_seal *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->slabs_n; i++)
        sodium_free(s->slabs[i]);
    free(s->slabs);
    map_free(&s->peers);
    free(s->prefix_curves);
    free(s->prefix_dgrams);
    free(s);
}

static void unlink_peer(struct dht_seal *s, struct peer *p)
{
    struct class *c = &s->classes[p->class];
    *(p->newer ? &p->newer->older : &c->newest) = p->older;
    *(p->older ? &p->older->newer : &c->oldest) = p->newer;
    c->n--;
}

static void forget(struct dht_seal *s, struct peer *p)
{
    unlink_peer(s, p);
    map_del(&s->peers, &p->key);
    s->last = s->last == p ? NULL : s->last;
    sodium_memzero(p, sizeof *p);
    p->older = s->free;
    s->free = p;
}

static void link_newest(struct dht_seal *s, struct peer *p, uint8_t class)
{
    struct class *c = &s->classes[class];
    while (c->n >= c->most)
        forget(s, c->oldest);
    p->class = class;
    p->linked = ++c->links;
    p->newer = NULL;
    p->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = p;
    c->newest = p;
    c->n++;
}

static struct peer *fresh(struct dht_seal *s)
{
    if (!s->free)
        more_slabs(s);
    struct peer *p = s->free;
    s->free = p->older;
    return p;
}

static void direction_key(const struct dht_seal *s, uint8_t out[static 32], const uint8_t shared[static 32],
                          const struct node_key *from, const struct node_key *to)
{
    const struct span parts[] = {span(shared, 32), SPAN_OF(*from), SPAN_OF(*to)};
    struct id key;
    hash_souk(&key, s->net, "souk:dht-seal", parts, 3);
    memcpy(out, key.b, 32);
    sodium_memzero(&key, sizeof key);
}

/* The curve operation.  NULL: not a usable key. */
static struct peer *agree(struct dht_seal *s, uint64_t now_ms, const struct node_key *key, uint8_t class)
{
    struct xkey x;
    uint8_t shared[32];
    s->stats.curves++;
    if (xkey_from_node(&x, key) != 0 || x25519(shared, s->slabs[0]->secret, &x) != 0)
        return NULL;
    struct peer *p = fresh(s);
    p->key = *key;
    p->rate = (struct budget){now_ms, s->knobs.dgrams_burst * 1000ull};
    direction_key(s, p->send, shared, &s->self, key);
    direction_key(s, p->receive, shared, key, &s->self);
    sodium_memzero(shared, sizeof shared);
    link_newest(s, p, class);
    map_put(&s->peers, key, p);
    return p;
}

static struct peer *find(struct dht_seal *s, const struct node_key *key)
{
    if (!s->last || !node_key_eq(&s->last->key, key))
        s->last = map_get(&s->peers, key);
    return s->last;
}

/* Whoever is used stays among the newer half: moving it each time would cost more than it tells. */
static struct peer *known(struct dht_seal *s, const struct node_key *key)
{
    struct peer *p = find(s, key);
    if (p && s->classes[p->class].links - p->linked > s->classes[p->class].n / 4) {
        unlink_peer(s, p);
        link_newest(s, p, p->class);
    }
    return p;
}

static bool spend(struct budget *b, uint64_t now_ms, uint32_t a_second, uint32_t burst)
{
    uint64_t most = burst * 1000ull, gained = (now_ms - b->at_ms) * a_second;
    b->milli = now_ms - b->at_ms > 1000000 || b->milli + gained > most ? most : b->milli + gained;
    b->at_ms = now_ms;
    if (b->milli < 1000)
        return false;
    b->milli -= 1000;
    return true;
}

/* Prefixes share 512 buckets under a secret hash: nobody can aim at another's. */
static struct budget *budget_of(const struct dht_seal *s, struct budget **table, uint64_t prefix,
                                uint64_t now_ms, uint32_t burst)
{
    if (!*table) {
        *table = xcalloc(BUCKETS, sizeof **table);
        for (size_t i = 0; i < BUCKETS; i++)
            (*table)[i] = (struct budget){now_ms, burst * 1000ull};
    }
    uint8_t h[8];
    crypto_shorthash(h, (const uint8_t *)&prefix, sizeof prefix, s->seed);
    return &(*table)[be64_get(h) % BUCKETS];
}

static bool exempt(const struct dht_seal *s, const struct addr *from)
{
    return s->net->loopback && addr_is_private(from);
}

static bool within_rate(struct dht_seal *s, uint64_t now_ms, const struct addr *from)
{
    const struct dht_seal_knobs *k = &s->knobs;
    return exempt(s, from) ||
           spend(budget_of(s, &s->prefix_dgrams, addr_prefix(from), now_ms, k->dgrams_burst), now_ms,
                 k->dgrams_a_second, k->dgrams_burst);
}

static bool may_agree(struct dht_seal *s, uint64_t now_ms, const struct addr *from)
{
    const struct dht_seal_knobs *k = &s->knobs;
    if (!exempt(s, from) &&
        !spend(budget_of(s, &s->prefix_curves, addr_prefix(from), now_ms, k->prefix_burst), now_ms,
               k->prefix_a_second, k->prefix_burst))
        return false;
    return spend(&s->total, now_ms, k->curve_a_second, k->curve_burst);
}

/* Where the nonce is remembered, and its mark.  Who could choose the place could have it forgotten. */
static uint32_t *seen_at(struct dht_seal *s, const uint8_t *nonce, uint32_t *mark)
{
    uint8_t h[8];
    crypto_shorthash(h, nonce, DHT_SEAL_HEAD - NONCE_AT, s->seed);
    *mark = be32_get(h + 4) | 1;
    return &s->seen[be32_get(h) % SEEN];
}

int dht_seal_open(struct dht_seal *s, uint64_t now_ms, const struct addr *from, struct span in,
                  struct node_key *sender, struct buf *plain)
{
    struct node_key key;
    if (in.n <= DHT_SEAL_BYTES || in.n > DHT_DATAGRAM_MOST || in.p[0] != DHT_SEAL_VERSION ||
        memcmp(in.p + HINT_AT, s->self.b, 4) != 0 || memcmp(in.p + SENDER_AT, s->self.b, 32) == 0) {
        s->stats.dropped_form++;
        return SOUK_EFORM;
    }
    uint32_t mark, *seen = seen_at(s, in.p + NONCE_AT, &mark);
    if (*seen == mark) {
        s->stats.dropped_replayed++;
        return SOUK_ESTALE;
    }
    memcpy(key.b, in.p + SENDER_AT, 32);
    struct peer *p = known(s, &key);
    bool friend = p && p->class != STRANGER;
    if (!friend && !within_rate(s, now_ms, from)) {
        s->stats.dropped_budget++;
        return SOUK_EQUOTA;
    }
    if (!p && !dht_puzzle_ok(s->net, &key)) {
        s->stats.dropped_puzzle++;
        return SOUK_EWORK;
    }
    if (!p && !may_agree(s, now_ms, from)) {
        s->stats.dropped_budget++;
        return SOUK_EQUOTA;
    }
    if (!p && !(p = agree(s, now_ms, &key, STRANGER))) {
        s->stats.dropped_form++;
        return SOUK_EFORM;
    }
    size_t n = in.n - DHT_SEAL_BYTES, before = plain->n;
    uint8_t *to = buf_grow(plain, n);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, in.p + DHT_SEAL_HEAD,
                                                   in.n - DHT_SEAL_HEAD, in.p, DHT_SEAL_HEAD,
                                                   in.p + NONCE_AT, p->receive) != 0) {
        plain->n = before;
        s->stats.dropped_forged++;
        return SOUK_ESIGNATURE;
    }
    *seen = mark;
    /* A friend answers for what it truly sent: addresses can be forged, and who floods us in the name of a
     * prefix must not silence the friends who live there. */
    if (friend && !exempt(s, from) &&
        !spend(&p->rate, now_ms, s->knobs.dgrams_a_second, s->knobs.dgrams_burst)) {
        plain->n = before;
        s->stats.dropped_budget++;
        return SOUK_EQUOTA;
    }
    *sender = key;
    s->stats.opened++;
    return 0;
}

int dht_seal_wrap(struct dht_seal *s, uint64_t now_ms, const struct node_key *to, struct span plain,
                  struct buf *out)
{
    if (plain.n == 0 || plain.n > DHT_PLAIN_MOST)
        return SOUK_ERANGE;
    /* A stranger's request has just put its key among the strangers; whoever else we write to was chosen.
     */
    struct peer *p = known(s, to);
    if (!p && !(p = agree(s, now_ms, to, CHOSEN)))
        return SOUK_EINVALID;
    uint8_t *o = buf_grow(out, plain.n + DHT_SEAL_BYTES);
    o[0] = DHT_SEAL_VERSION;
    memcpy(o + HINT_AT, to->b, 4);
    memcpy(o + SENDER_AT, s->self.b, 32);
    rng_bytes(s->rng, o + NONCE_AT, DHT_SEAL_HEAD - NONCE_AT);
    crypto_aead_xchacha20poly1305_ietf_encrypt(o + DHT_SEAL_HEAD, NULL, plain.p, plain.n, o, DHT_SEAL_HEAD,
                                               NULL, o + NONCE_AT, p->send);
    s->stats.wrapped++;
    return 0;
}

void dht_seal_prove(struct dht_seal *s, const struct node_key *peer)
{
    struct peer *p = find(s, peer);
    if (!p || p->class == PROVEN)
        return;
    unlink_peer(s, p);
    link_newest(s, p, PROVEN);
}

void dht_seal_stats_read(const struct dht_seal *s, struct dht_seal_stats *out)
{
    *out = s->stats;
    out->strangers = s->classes[STRANGER].n;
    out->chosen = s->classes[CHOSEN].n;
    out->proven = s->classes[PROVEN].n;
}
