/* lookup.c: which node to ask next.
 *
 * Candidates lie in order of distance.  Those in a window must all have answered before the lookup is
 * complete: the nearest `width` live ones; in a careful lookup also the nearest `path_width` of each path
 * (S/Kademlia: a node belongs to the path that first named it, and each path asks only its own, so that one
 * liar leads only one path astray); where ids are improbably dense, all within the radius that honest nodes
 * should need.  Overdue ones leave the window, and come back with their answer. */
#include "datagram.gen.h"
#include "dht/inner.h"
#include <stdlib.h>

static uint8_t const zeros[1100];

struct candidate *lookup_find(struct query *q, uint32_t contact)
{
    for (uint32_t i = 0; i < q->cands_n; i++)
        if (q->cands[i].contact == contact)
            return &q->cands[i];
    return NULL;
}

/* Two of a prefix among those equally near, ten in all: as in the table. */
static bool prefix_ok(const struct dht *d, const struct query *q, uint64_t distance, const struct addr *a)
{
    if (addr_exempt(d, a))
        return true;
    uint64_t prefix = addr_prefix(a);
    uint32_t same = 0, all = 0;
    int near = distance ? __builtin_clzll(distance) : 64;
    for (uint32_t i = 0; i < q->cands_n; i++) {
        const struct candidate *c = &q->cands[i];
        if (addr_prefix(&contact_at(d->pool, c->contact)->addr) != prefix)
            continue;
        all++;
        same += (c->distance ? __builtin_clzll(c->distance) : 64) == near;
    }
    return same < d->knobs.prefix_bucket && all < d->knobs.prefix_table;
}

bool lookup_would_add(const struct dht *d, const struct query *q, uint64_t distance, const struct addr *a)
{
    if (q->cands_n >= d->knobs.candidates && distance >= q->cands[q->cands_n - 1].distance)
        return false;
    return prefix_ok(d, q, distance, a);
}

/* Makes room by forgetting the farthest node that has not been asked. */
static bool make_room(struct dht *d, struct query *q, uint64_t distance)
{
    for (uint32_t i = q->cands_n; i-- > 0;) {
        struct candidate *c = &q->cands[i];
        if (c->distance <= distance)
            return false;
        if (c->state != CAND_NEW)
            continue;
        contacts_drop(d->pool, c->contact);
        memmove(c, c + 1, (q->cands_n - i - 1) * sizeof *c);
        q->cands_n--;
        return true;
    }
    return false;
}

void lookup_add(struct dht *d, struct query *q, uint32_t contact, uint8_t hop, uint8_t path)
{
    const struct contact *c = contact_at(d->pool, contact);
    uint64_t distance = id_distance(&c->id, &q->target);
    for (uint32_t j = 0; j < q->cands_n; j++) /* one place a node, whatever addresses are told of it */
        if (q->cands[j].distance == distance &&
            node_key_eq(&contact_at(d->pool, q->cands[j].contact)->key, &c->key))
            return;
    if (id_eq(&c->id, &d->id) || !lookup_would_add(d, q, distance, &c->addr))
        return;
    if (q->cands_n >= d->knobs.candidates && !make_room(d, q, distance))
        return;
    uint32_t i = q->cands_n++;
    for (; i > 0 && q->cands[i - 1].distance > distance; i--)
        q->cands[i] = q->cands[i - 1];
    q->cands[i] = (struct candidate){.distance = distance, .contact = contact, .hop = hop, .path = path};
    contacts_hold(d->pool, contact);
}

void lookup_seed(struct dht *d, struct query *q)
{
    struct near v[64];
    size_t most = d->knobs.k < 64 ? d->knobs.k : 64;
    size_t n = table_nearest(d, &q->target, 0, v, most);
    for (size_t i = 0; i < n; i++)
        lookup_add(d, q, v[i].contact, 1, (uint8_t)(i % q->paths));
    if (n == 0 || q->joining)
        for (uint32_t i = 0; i < d->boot_n; i++)
            lookup_add(d, q, d->boot[i], 1, (uint8_t)(i % q->paths));
    table_touch(d, q->started_ms, &q->target);
}

/* So long that whatever answer comes is not longer, and a ping of the asker may follow it. */
static struct span padding(const struct dht *d, uint32_t contact, bool has_value, bool ipv4)
{
    const struct entry *e = table_find(d, contact);
    if (e && e->flags & ENTRY_KNOWS_US)
        return span(NULL, 0);
    size_t whole = !has_value && ipv4 ? 48 + ANSWER_MOST * 38 + DHT_OUTER_BYTES + 48 : DHT_PLAIN_MOST;
    size_t bare = REQUEST_HEAD + 1 + 2 + 35 + 2 + 2 + 4; /* all but the padding, which then fills up */
    return span(zeros, whole - bare);
}

static bool writes(const struct query *q)
{
    return q->kind == DHT_PUT || q->kind == DHT_ANNOUNCE;
}

static bool ask(struct dht *d, struct clock now, struct query *q, struct candidate *c, struct dht_out *out)
{
    bool ipv4 = addr_is_ipv4(&contact_at(d->pool, c->contact)->addr);
    if (d->ipv6 && !d->no_ipv4 && rng_below(d->rng, 4) == 0)
        ipv4 = !ipv4; /* so that nodes of both families are learnt */
    enum datagram_family family = ipv4 ? DATAGRAM_FAMILY_IPV4 : DATAGRAM_FAMILY_IPV6;
    struct span pad = padding(d, c->contact, q->kind == DHT_GET || q->kind == DHT_PROVIDERS, ipv4);
    uint8_t number = DATAGRAM_FIND_NODE;
    buf_clear(&d->scratch);
    if (q->kind == DHT_GET) {
        struct datagram_get m = {.has_client = d->client,
                                 .client = d->client,
                                 .target = q->target,
                                 .family = family,
                                 .kind = q->value_kind,
                                 .has_pad = pad.n > 0,
                                 .pad = pad};
        datagram_get_encode(&d->scratch, &m);
        number = DATAGRAM_GET;
    } else if (q->kind == DHT_PROVIDERS) {
        struct datagram_providers m = {.has_client = d->client,
                                       .client = d->client,
                                       .target = q->target,
                                       .family = family,
                                       .has_pad = pad.n > 0,
                                       .pad = pad};
        datagram_providers_encode(&d->scratch, &m);
        number = DATAGRAM_PROVIDERS;
    } else {
        struct datagram_find_node m = {.has_client = d->client,
                                       .client = d->client,
                                       .target = q->target,
                                       .family = family,
                                       .has_pad = pad.n > 0,
                                       .pad = pad};
        datagram_find_node_encode(&d->scratch, &m);
    }
    struct request *r = request_send(d, now.mono_ms, c->contact, number, q->handle, c->path, out);
    if (!r)
        return false;
    r->padded = pad.n > 0;
    if (writes(q))
        request_repeat(d, r);
    c->state = CAND_ASKED;
    q->inflight[c->path]++;
    q->result.messages++;
    return true;
}

/* Are the nearest nodes that answered improbably near, given how many nodes there seem to be? */
static void look_for_crowd(struct dht *d, struct query *q)
{
    uint64_t nodes = table_estimate(d);
    if (q->radius || nodes <= 4ull * d->knobs.cover || nodes > UINT64_MAX / 2)
        return;
    uint32_t answered = 0;
    uint64_t each = UINT64_MAX / nodes;
    for (uint32_t i = 0; i < q->cands_n; i++) {
        if (q->cands[i].state != CAND_ANSWERED || ++answered < d->knobs.replicas)
            continue;
        if (q->cands[i].distance < each / d->knobs.dense_factor * d->knobs.replicas) {
            q->radius = each * d->knobs.cover;
            q->result.dense = true;
        }
        return;
    }
}

static bool window_done(struct dht *d, struct clock now, struct query *q, struct dht_out *out)
{
    uint32_t live = 0, of_path[PATHS_MOST] = {0};
    bool done = true;
    for (uint32_t i = 0; i < q->cands_n; i++) {
        struct candidate *c = &q->cands[i];
        if (c->state == CAND_SLOW && writes(q) && live < d->knobs.replicas)
            done = false; /* readers will ask it: it is waited for, while others are asked */
        if (c->state == CAND_FAILED || c->state == CAND_SLOW)
            continue;
        bool inside = live < d->knobs.width || c->distance < q->radius ||
                      (q->paths > 1 && of_path[c->path] < d->knobs.path_width);
        live++;
        of_path[c->path]++;
        if (!inside)
            continue;
        if (c->state == CAND_NEW && q->inflight[c->path] < d->knobs.alpha && ask(d, now, q, c, out)) {
            done = false;
            continue;
        }
        if (c->state != CAND_ANSWERED)
            done = false;
    }
    return done;
}

bool lookup_advance(struct dht *d, struct clock now, struct query *q, struct dht_out *out)
{
    if (!window_done(d, now, q, out))
        return false;
    if (!q->internal && q->radius == 0) {
        look_for_crowd(d, q);
        if (q->radius && !window_done(d, now, q, out))
            return false;
    }
    /* Everybody near is overdue and nobody has answered: wait for the last word. */
    bool answered = false, pending = false;
    for (uint32_t i = 0; i < q->cands_n; i++) {
        answered |= q->cands[i].state == CAND_ANSWERED;
        pending |= q->cands[i].state == CAND_SLOW;
    }
    return answered || !pending;
}
