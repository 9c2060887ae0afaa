/* values.c: the store of values held for others, in memory: two hours' life, bounds by count, bytes, key
 * and the writer's prefix, and waiting before it is full. */
#include "dht/inner.h"
#include <stdlib.h>

struct held *values_get(const struct dht *d, const struct id *key, enum dht_kind kind)
{
    struct held *h = map_get(&d->values, key);
    return h && h->bytes[0] == (uint8_t)kind ? h : NULL; /* keys of different kinds never meet */
}

static uint32_t prefix_count(const struct dht *d, uint64_t prefix)
{
    const uint32_t *n = map_get(&d->prefixes, &prefix);
    return n ? *n : 0;
}

static void prefix_add(struct dht *d, const struct held *h, bool more)
{
    uint32_t *n = map_get(&d->prefixes, &h->prefix);
    if (!h->counted)
        return;
    if (!n) {
        MUST(more);
        n = xcalloc(1, sizeof *n);
        map_put(&d->prefixes, &h->prefix, n);
    }
    *n = more ? *n + 1 : *n - 1;
    if (*n == 0)
        free(map_del(&d->prefixes, &h->prefix));
}

static void put_in(struct dht *d, struct held *h)
{
    h->next = map_get(&d->values, &h->key);
    map_put(&d->values, &h->key, h);
    d->values_n++;
    d->value_bytes += h->n;
    prefix_add(d, h, true);
}

static void take_out(struct dht *d, struct held *h)
{
    struct held *first = map_get(&d->values, &h->key);
    if (first == h) {
        if (h->next)
            map_put(&d->values, &h->key, h->next);
        else
            map_del(&d->values, &h->key);
    } else {
        while (first->next != h)
            first = first->next;
        first->next = h->next;
    }
    d->values_n--;
    d->value_bytes -= h->n;
    prefix_add(d, h, false);
    heap_remove(&d->timers, &h->t.e);
    free(h);
}

void values_expire(struct dht *d, struct held *h)
{
    take_out(d, h);
}

/* How far beyond half full, from 0 to 1. */
static double pressure(uint64_t have, uint64_t most)
{
    double x = 2.0 * (double)have / (double)(most ? most : 1) - 1;
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* Of one topic's records, those that the prefix wrote. */
static uint32_t topic_count(const struct held *topic, uint64_t prefix)
{
    uint32_t n = 0;
    for (const struct held *h = topic; h; h = h->next)
        n += h->counted && h->prefix == prefix;
    return n;
}

struct drop { /* what is to go: of the prefix with most, the oldest */
    struct held *h;
    uint32_t n;
};

static void weigh(const struct dht *d, struct drop *c, struct held *h, uint32_t n)
{
    n = d->knobs.fair ? n : 1;
    if (n > c->n || (n == c->n && c->h && h->t.e.at < c->h->t.e.at))
        *c = (struct drop){h, n};
}

/* When a topic is full, or the store (topic NULL), the prefix that holds most of it gives up its oldest
 * value for one that holds less: a flood from few places pushes out itself.  n: what the newcomer's holds.
 */
static bool make_room(struct dht *d, struct held *topic, uint32_t n)
{
    struct drop c = {.n = d->knobs.fair ? n + 1 : 0};
    size_t at = 0;
    void *v;
    for (struct held *h = topic; h; h = h->next)
        weigh(d, &c, h, h->counted ? topic_count(topic, h->prefix) : 0);
    while (!topic && map_next(&d->values, &at, NULL, &v))
        for (struct held *h = v; h; h = h->next)
            weigh(d, &c, h, h->counted ? prefix_count(d, h->prefix) : 0);
    if (c.h)
        take_out(d, c.h);
    return c.h != NULL;
}

/* A newcomer's way in: 0, or SOUK_EQUOTA with how much longer to wait. */
static int admit(struct dht *d, const struct id *key, uint64_t prefix, bool counted, size_t bytes,
                 bool waited, uint32_t *wait_ms)
{
    struct held *topic = map_get(&d->values, key);
    uint32_t of_key = 0, of_both = counted ? topic_count(topic, prefix) : 0;
    for (struct held *h = topic; h; h = h->next)
        of_key++;
    uint32_t of_prefix = counted ? prefix_count(d, prefix) : 0;
    if (of_prefix >= d->knobs.prefix_values_most || of_both >= d->knobs.prefix_topic_most)
        return SOUK_EQUOTA;
    double worst = pressure(d->values_n, d->knobs.values_most);
    double others[] = {pressure(d->value_bytes, d->knobs.value_bytes_most),
                       pressure(of_key, d->knobs.providers_most),
                       pressure(of_prefix, d->knobs.prefix_values_most)};
    for (int i = 0; i < 3; i++)
        worst = others[i] > worst ? others[i] : worst;
    uint64_t wait = (uint64_t)(worst * d->knobs.wait_most_ms);
    if (wait && !waited) { /* who waited as told gets in, though the store has filled meanwhile */
        *wait_ms = (uint32_t)wait;
        return SOUK_EQUOTA;
    }
    if (of_key >= d->knobs.providers_most && !make_room(d, topic, of_both))
        return SOUK_EQUOTA;
    while (d->values_n >= d->knobs.values_most || d->value_bytes + bytes > d->knobs.value_bytes_most)
        if (!make_room(d, NULL, of_prefix))
            return SOUK_EQUOTA;
    return 0;
}

static uint64_t life_ms(const struct dht *d, struct clock now, uint64_t expires_s)
{
    int64_t left_ms = ((int64_t)expires_s + DHT_SKEW_S) * 1000 - now.unix_ms;
    uint64_t ms = left_ms < 1000 ? 1000 : (uint64_t)left_ms;
    return ms < d->knobs.life_ms ? ms : d->knobs.life_ms;
}

static struct stored kept(struct dht *d, struct clock now, struct held *h)
{
    uint64_t ms = life_ms(d, now, h->expires_s);
    timer_set(d, &h->t, TIMER_VALUE, now.mono_ms + ms);
    return (struct stored){.life_s = (uint32_t)(ms / 1000 ? ms / 1000 : 1)};
}

/* Against what is held of the same key and author: 0, or why not. */
static int compare(const struct held *old, const struct dht_value *v, const uint64_t *expected)
{
    if (expected && *expected != (old ? old->seq : 0))
        return SOUK_ECONFLICT;
    if (!old || v->seq > old->seq)
        return 0;
    return v->seq == old->seq ? SOUK_ECONFLICT : SOUK_ESTALE;
}

struct stored values_put(struct dht *d, struct clock now, const struct addr *from,
                         const struct node_key *peer, struct span bytes, const struct dht_value *v,
                         const uint64_t *expected, bool waited)
{
    struct stored s = {.err = 0};
    bool ours = node_key_eq(peer, &d->self);
    struct held *old = map_get(&d->values, &v->key);
    while (old && (memcmp(old->author, v->author, 32) != 0 || old->ipv6 != value_names_ipv6(v)))
        old = old->next;
    if (old && span_eq(span(old->bytes, old->n), bytes) && (!expected || *expected == old->seq))
        return kept(d, now, old); /* put again: verified when it first came */
    s.seq = old ? old->seq : 0;
    s.err = compare(old, v, expected);
    if (!s.err && !value_signed(d->net, v, bytes))
        s.err = SOUK_ESIGNATURE;
    if (s.err) {
        d->stats.refused_value++;
        return s;
    }
    bool counted = !ours && !addr_exempt(d, from);
    uint64_t prefix = addr_prefix(from);
    if (!old && (s.err = admit(d, &v->key, prefix, counted, bytes.n, waited, &s.wait_ms)) != 0) {
        d->stats.refused_full++;
        return s;
    }
    if (old)
        take_out(d, old);
    struct held *h = xcalloc(1, sizeof *h + bytes.n);
    h->key = v->key;
    memcpy(h->author, v->author, 32);
    h->seq = v->seq;
    h->expires_s = v->expires_s;
    h->prefix = prefix;
    h->counted = counted;
    h->own = ours;
    h->ipv6 = value_names_ipv6(v);
    h->n = (uint16_t)bytes.n;
    memcpy(h->bytes, bytes.p, bytes.n);
    put_in(d, h);
    d->stats.hosted++;
    return kept(d, now, h);
}

void values_free(struct dht *d)
{
    size_t at = 0;
    void *v;
    while (map_next(&d->values, &at, NULL, &v))
        for (struct held *h = v, *next; h; h = next) {
            next = h->next;
            heap_remove(&d->timers, &h->t.e);
            free(h);
        }
    at = 0;
    while (map_next(&d->prefixes, &at, NULL, &v))
        free(v);
    map_free(&d->values);
    map_free(&d->prefixes);
}
