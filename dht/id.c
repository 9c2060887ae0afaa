/* id.c: ids, their puzzle and distance; tokens and tickets, which the engine gives out and keeps no record
 * of: each is a SipHash (crypto_shorthash) under a secret of this engine. */
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "dht/inner.h"
#include <sodium.h>

void dht_id(struct id *out, const struct network *net, const struct node_key *key)
{
    hash_souk_one(out, net, "souk:dht-id", SPAN_OF(*key));
}

bool id_puzzle_ok(const struct network *net, const struct id *id)
{
    if (net->puzzle_bits == 0)
        return true;
    struct id h;
    hash_souk_one(&h, net, "souk:dht-puzzle", SPAN_OF(*id));
    return be32_get(h.b) >> (32 - net->puzzle_bits) == 0;
}

bool dht_puzzle_ok(const struct network *net, const struct node_key *key)
{
    struct id id;
    dht_id(&id, net, key);
    return id_puzzle_ok(net, &id);
}

void dht_key_grind(uint8_t seed[static 32], struct node_key *out, const struct network *net,
                   struct rng *rng)
{
    struct keypair pair;
    do {
        rng_bytes(rng, seed, 32);
        sign_keypair_from_seed(&pair, seed);
        memcpy(out->b, pair.pk, 32);
    } while (!dht_puzzle_ok(net, out));
    sodium_memzero(&pair, sizeof pair);
}

static void key_of(struct id *out, const struct network *net, uint8_t kind, struct span a, struct span b)
{
    const struct span parts[] = {span(&kind, 1), a, b};
    hash_souk(out, net, "souk:dht-key", parts, 3);
}

void dht_key_presence(struct id *out, const struct network *net, const struct identity *who)
{
    key_of(out, net, DHT_PRESENCE, SPAN_OF(*who), span(NULL, 0));
}

void dht_key_topic(struct id *out, const struct network *net, const struct id *topic)
{
    key_of(out, net, DHT_PROVIDER, SPAN_OF(*topic), span(NULL, 0));
}

void dht_key_pointer(struct id *out, const struct network *net, const uint8_t author[static 32],
                     const struct salt *salt)
{
    key_of(out, net, DHT_POINTER, span(author, 32), SPAN_OF(*salt));
}

uint64_t id_distance(const struct id *a, const struct id *b)
{
    return be64_get(a->b) ^ be64_get(b->b);
}

uint32_t dht_shared_bits(const struct id *a, const struct id *b)
{
    for (uint32_t i = 0; i < sizeof a->b; i++) {
        unsigned x = a->b[i] ^ b->b[i];
        if (x)
            return i * 8 + (uint32_t)__builtin_clz(x) - 24;
    }
    return 256;
}

void id_random_beside(struct dht *d, const struct id *of, uint32_t bits, struct id *out)
{
    rng_bytes(d->rng, out->b, sizeof out->b);
    for (uint32_t bit = 0; bit <= bits && bit < 256; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> bit % 8);
        bool is = of->b[bit / 8] & mask;
        bool want = bit == bits ? !is : is;
        out->b[bit / 8] = (uint8_t)(want ? out->b[bit / 8] | mask : out->b[bit / 8] & ~mask);
    }
}

int id_compare(const struct id *target, const struct id *a, const struct id *b)
{
    for (size_t i = 0; i < sizeof a->b; i++) {
        int x = a->b[i] ^ target->b[i], y = b->b[i] ^ target->b[i];
        if (x != y)
            return x - y;
    }
    return 0;
}

static void token_under(const uint8_t secret[static 16], const struct addr *from,
                        const struct node_key *peer, const struct id *key, uint8_t out[static 8])
{
    uint8_t in[18 + 32 + 32];
    memcpy(in, from->ip, 16);
    be16_put(in + 16, from->port);
    memcpy(in + 18, peer->b, 32);
    memcpy(in + 50, key->b, 32);
    crypto_shorthash(out, in, sizeof in, secret);
}

static void token_turn(struct dht *d, uint64_t now_ms)
{
    if (now_ms < d->token_turn_ms)
        return;
    memcpy(d->token_secret[1], d->token_secret[0], 16);
    rng_bytes(d->rng, d->token_secret[0], 16);
    if (now_ms >=
        d->token_turn_ms + d->knobs.token_ms) /* slept over a whole turn: the older is too old too */
        rng_bytes(d->rng, d->token_secret[1], 16);
    d->token_turn_ms = now_ms + d->knobs.token_ms;
}

void token_make(struct dht *d, uint64_t now_ms, const struct addr *from, const struct node_key *peer,
                const struct id *key, uint8_t out[static 8])
{
    token_turn(d, now_ms);
    token_under(d->token_secret[0], from, peer, key, out);
}

bool token_ok(struct dht *d, uint64_t now_ms, const struct addr *from, const struct node_key *peer,
              const struct id *key, struct span token)
{
    token_turn(d, now_ms);
    for (int i = 0; i < 2; i++) {
        uint8_t want[8];
        token_under(d->token_secret[i], from, peer, key, want);
        if (token.n == 8 && sodium_memcmp(want, token.p, 8) == 0)
            return true;
    }
    return false;
}

static void ticket_mac(const struct dht *d, const uint8_t due[static 8], const struct node_key *peer,
                       const struct id *key, uint8_t out[static 8])
{
    uint8_t in[8 + 32 + 32];
    memcpy(in, due, 8);
    memcpy(in + 8, peer->b, 32);
    memcpy(in + 40, key->b, 32);
    crypto_shorthash(out, in, sizeof in, d->ticket_secret);
}

void ticket_make(const struct dht *d, uint64_t due_ms, const struct node_key *peer, const struct id *key,
                 uint8_t out[static 16])
{
    be64_put(out, due_ms);
    ticket_mac(d, out, peer, key, out + 8);
}

uint64_t ticket_due(const struct dht *d, const struct node_key *peer, const struct id *key,
                    struct span ticket)
{
    uint8_t want[8];
    if (ticket.n != 16)
        return UINT64_MAX;
    ticket_mac(d, ticket.p, peer, key, want);
    return sodium_memcmp(want, ticket.p + 8, 8) == 0 ? be64_get(ticket.p) : UINT64_MAX;
}

uint64_t address_mark(const struct dht *d, const struct node_key *key, const struct addr *a)
{
    uint8_t in[32 + 18], h[8];
    memcpy(in, key->b, 32);
    memcpy(in + 32, a->ip, 16);
    be16_put(in + 48, a->port);
    crypto_shorthash(h, in, sizeof in, d->ticket_secret);
    return be64_get(h) | 1; /* never that of an empty place */
}

bool addr_exempt(const struct dht *d, const struct addr *a)
{
    return d->net->loopback && addr_is_private(a);
}

bool dht_usable(const struct dht *d, const struct addr *a)
{
    if (a->port == 0 || (addr_is_private(a) && !d->net->loopback))
        return false;
    if (addr_is_ipv4(a))
        return !d->no_ipv4 && a->ip[12] && a->ip[12] < 224; /* multicast and beyond */
    return d->ipv6 && a->ip[0] != 0xff && !addr_is_any(a);
}

bool family_mute(const struct dht *d, bool six)
{
    return d->ipv6 && !d->no_ipv4 && d->silent[six] >= MUTE_FAILS && d->silent[!six] < MUTE_FAILS;
}
