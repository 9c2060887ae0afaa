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

void lookup_seed(struct dht *d, struct query *q)
{
    struct near v[64];
    size_t most = d->knobs.k < 64 ? d->knobs.k : 64;
    size_t n = table_nearest(d, &q->target, q->family, v, most);
    table_saved_nearest(d, &q->target, v, &n, most);
    for (size_t i = 0; i < n; i++)
        lookup_add(d, q, v[i].contact, 1, (uint8_t)(i % q->paths), 0);
    if (n == 0 || q->joining)
        for (uint32_t i = 0; i < d->boot_n; i++)
            lookup_add(d, q, d->boot[i], 1, (uint8_t)(i % q->paths), 0);
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
    if (d->ipv6 && !d->no_ipv4 && !q->family && !family_mute(d, ipv4) && rng_below(d->rng, 4) == 0)
        ipv4 = !ipv4; /* so that nodes of both families are learnt */
    if (q->want)
        ipv4 = q->want == 4;
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
    c->asked_ms = (uint32_t)(now.mono_ms - q->started_ms);
    q->inflight[c->path]++;
    q->result.messages++;
    c->turn = (uint16_t)q->result.messages;
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
    uint64_t crowded = each / d->knobs.dense_factor * d->knobs.replicas * (q->paths > 1 ? 2 : 1);
    for (uint32_t i = 0; i < q->cands_n; i++) {
        if (q->cands[i].state != CAND_ANSWERED || ++answered < d->knobs.replicas)
            continue;
        if (q->cands[i].distance < crowded) {
            q->radius = each * d->knobs.cover;
            q->result.dense = true;
        }
        return;
    }
}

/* Among a crowd everybody names the crowd: the 20 nearest to the key are sybils, and the honest nodes a
 * little farther are not heard of.  So lookups of random points beside the key, in the halves of the radius
 * and in the half of the half …, where sybils must be many more to be among the 20 nearest. */
static void look_around(struct dht *d, struct clock now, struct query *q)
{
    uint32_t shared = (uint32_t)__builtin_clzll(q->radius);
    for (uint32_t i = 0; i < AROUND && shared + i < BUCKETS_MOST; i++) {
        struct id point;
        id_random_beside(d, &q->target, shared + i, &point);
        struct query *c = query_new(d, now, DHT_LOOKUP, &point, true);
        c->paths = q->paths;
        c->around = q->handle;
        q->around_out++;
    }
}

void lookup_around_done(struct dht *d, struct clock now, struct query *c, struct dht_out *out)
{
    struct query *q = query_find(d, c->around);
    if (!q)
        return;
    for (uint32_t i = 0; i < c->cands_n; i++) {
        const struct candidate *x = &c->cands[i];
        if (x->state == CAND_ANSWERED || (x->state == CAND_NEW && !candidate_doubted(d, c, x)))
            lookup_add(d, q, x->contact, x->hop, (uint8_t)(i % q->paths), 0);
    }
    q->around_out--;
    query_advance(d, now, q, out);
}

/* Asks whoever must be asked; true: all in the window have answered.  trusting: the doubted too. */
static bool window_done(struct dht *d, struct clock now, struct query *q, bool trusting,
                        struct dht_out *out)
{
    uint32_t live = 0, of_path[PATHS_MOST] = {0};
    bool done = true, counted = false;
    for (uint32_t i = 0; i < q->cands_n; i++) {
        struct candidate *c = &q->cands[i];
        if (i > 0 && q->cands[i - 1].distance != c->distance)
            counted = false; /* a node at several addresses has one place */
        if (c->state == CAND_SLOW && writes(q) && live < d->knobs.replicas && !candidate_doubted(d, q, c) &&
            !candidate_elsewhere(q, d, i))
            done = false; /* readers will ask it: it is waited for, while others are asked */
        if (c->state == CAND_FAILED || c->state == CAND_SLOW)
            continue;
        bool inside = live < d->knobs.width || c->distance < q->radius || counted ||
                      (q->paths > 1 && of_path[c->path] < d->knobs.path_width);
        if (!inside && q->paths == 1)
            break; /* nobody farther is, either */
        if (!inside)
            continue;
        if (c->state != CAND_ANSWERED && candidate_elsewhere(q, d, i))
            continue;
        if (c->state == CAND_NEW &&
            (!candidate_prefix_ok(d, q, c) || (!trusting && candidate_doubted(d, q, c))))
            continue;
        live += !counted;
        of_path[c->path] = (uint8_t)(of_path[c->path] + !counted);
        counted = true;
        if (c->state == CAND_NEW && q->inflight[c->path] < d->knobs.alpha && ask(d, now, q, c, out)) {
            done = false;
            continue;
        }
        if (c->state != CAND_ANSWERED)
            done = false;
    }
    return done && (trusting || live >= d->knobs.width || window_done(d, now, q, true, out));
}

bool lookup_advance(struct dht *d, struct clock now, struct query *q, struct dht_out *out)
{
    if (!window_done(d, now, q, false, out))
        return false;
    if (q->kind != DHT_LOOKUP && q->radius == 0) {
        look_for_crowd(d, q);
        if (q->radius) {
            look_around(d, now, q);
            return false;
        }
    }
    if (q->around_out > 0)
        return false;
    /* Everybody near is overdue and nobody has answered: wait for the last word. */
    bool answered = false, pending = false;
    for (uint32_t i = 0; i < q->cands_n; i++) {
        answered |= q->cands[i].state == CAND_ANSWERED;
        pending |= q->cands[i].state == CAND_SLOW;
    }
    return answered || !pending;
}
