/* request.c: our requests.  A request is known by eight random bytes; its answer must carry them and come
 * from the node and address that were asked.  It has two deadlines: when it is overdue (after the peer's
 * own round trip and four deviations, RFC 6298) its query asks somebody else, but an answer still counts;
 * at the last one it has failed.  What leads to a write is sent again when overdue, under the same id: a
 * lost datagram must not move a replica. */
#include "datagram.gen.h"
#include "dht/inner.h"
#include <stdlib.h>

void out_add(struct dht *d, struct dht_out *out, const struct node_key *key, const struct addr *to,
             struct span head, struct span body)
{
    MUST(head.n + body.n <= DHT_PLAIN_MOST);
    if (out->n == out->cap) {
        out->cap = out->cap ? out->cap * 2 : 16;
        out->v = xrealloc(out->v, out->cap * sizeof *out->v);
    }
    out->v[out->n++] =
        (struct dht_send){.key = *key, .to = *to, .at = out->bytes.n, .len = head.n + body.n};
    buf_span(&out->bytes, head);
    buf_span(&out->bytes, body);
    d->stats.sent++;
    d->stats.sent_bytes += head.n + body.n + DHT_OUTER_BYTES;
}

static uint32_t clamp(uint64_t v, uint32_t least, uint32_t most)
{
    return v < least ? least : v > most ? most : (uint32_t)v;
}

uint32_t patience_ms(const struct dht *d, uint32_t contact)
{
    const struct entry *e = table_find(d, contact);
    uint64_t ms = d->knobs.timeout_first_ms;
    if (e && e->rtt_ms)
        ms = e->rtt_ms + 4ull * e->var_ms;
    else if (d->rtt_ms)
        ms = d->rtt_ms + 4ull * d->var_ms;
    uint64_t typical = (uint64_t)d->knobs.timeout_typical * d->median_ms;
    if (typical && ms > typical)
        ms = typical;
    return clamp(ms, d->knobs.timeout_least_ms, d->knobs.timeout_most_ms);
}

/* Follows the median of round trips: up and down by the same step.  Unlike a mean, fewer than half of the
 * peers cannot move it far by answering late on purpose. */
static void learn_median(struct dht *d, uint32_t rtt_ms)
{
    uint32_t step = d->median_ms / 32 + 1;
    if (d->median_ms == 0)
        d->median_ms = rtt_ms;
    else if (rtt_ms > d->median_ms)
        d->median_ms += step;
    else if (rtt_ms < d->median_ms && d->median_ms > step)
        d->median_ms -= step;
}

struct request *request_send(struct dht *d, uint64_t now_ms, uint32_t contact, uint8_t number,
                             uint64_t query, uint8_t path, struct dht_out *out)
{
    if (d->requests.n >= d->knobs.requests_most)
        return NULL;
    struct request *r = xcalloc(1, sizeof *r);
    r->id = rng_u64(d->rng);
    if (map_get(&d->requests, &r->id)) { /* 2^-64: as if it had not been sent */
        free(r);
        return NULL;
    }
    r->contact = contact;
    r->number = number;
    r->query = query;
    r->path = path;
    r->sent_ms = now_ms;
    contacts_hold(d->pool, contact);
    map_put(&d->requests, &r->id, r);
    timer_set(d, &r->t, TIMER_REQUEST, now_ms + patience_ms(d, contact));
    uint8_t head[REQUEST_HEAD] = {number};
    memcpy(head + 1, &r->id, 8);
    const struct contact *c = contact_at(d->pool, contact);
    out_add(d, out, &c->key, &c->addr, span(head, sizeof head), buf_view(&d->scratch));
    d->stats.asked++;
    struct query *q = query_find(d, query);
    if (q)
        q->result.bytes_out += sizeof head + d->scratch.n + DHT_OUTER_BYTES;
    return r;
}

void request_repeat(struct dht *d, struct request *r)
{
    r->again = span(xmemdup(d->scratch.p, d->scratch.n), d->scratch.n);
}

static void send_again(struct dht *d, const struct request *r, struct query *q, struct dht_out *out)
{
    const struct contact *c = contact_at(d->pool, r->contact);
    uint8_t head[REQUEST_HEAD] = {r->number};
    memcpy(head + 1, &r->id, 8);
    out_add(d, out, &c->key, &c->addr, span(head, sizeof head), r->again);
    if (!q)
        return;
    q->result.messages++;
    q->result.bytes_out += sizeof head + r->again.n + DHT_OUTER_BYTES;
}

struct request *request_ping(struct dht *d, uint64_t now_ms, uint32_t contact, uint64_t query,
                             struct dht_out *out)
{
    /* An answer's `seen` is 21 bytes: padded so that it is not longer than this. */
    static const uint8_t zeros[24];
    struct datagram_ping m = {.has_client = d->client, .client = d->client};
    const struct entry *e = table_find(d, contact);
    if (!e || !(e->flags & ENTRY_KNOWS_US)) {
        m.has_pad = true;
        m.pad = span(zeros, sizeof zeros);
    }
    buf_clear(&d->scratch);
    datagram_ping_encode(&d->scratch, &m);
    return request_send(d, now_ms, contact, DATAGRAM_PING, query, 0, out);
}

bool request_out(const struct dht *d, uint32_t contact)
{
    size_t at = 0;
    void *v;
    while (map_next(&d->requests, &at, NULL, &v))
        if (((struct request *)v)->contact == contact)
            return true;
    return false;
}

struct request *request_match(struct dht *d, uint64_t id, const struct addr *from,
                              const struct node_key *peer)
{
    struct request *r = map_get(&d->requests, &id);
    if (!r)
        return NULL;
    const struct contact *c = contact_at(d->pool, r->contact);
    return node_key_eq(&c->key, peer) && addr_eq(&c->addr, from) ? r : NULL;
}

static void request_end(struct dht *d, struct request *r)
{
    map_del(&d->requests, &r->id);
    heap_remove(&d->timers, &r->t.e);
    contacts_drop(d->pool, r->contact);
    free((void *)r->again.p);
    free(r);
}

void request_answered(struct dht *d, uint64_t now_ms, struct request *r, bool knows_us)
{
    uint32_t rtt = clamp(now_ms - r->sent_ms, 1, 60000);
    const struct entry *e = table_find(d, r->contact);
    if (r->slow && r->again.p) { /* an answer to which of the two?  It teaches nothing (Karn) */
        if (e && e->rtt_ms)
            rtt = e->rtt_ms;
    } else {
        uint32_t off = rtt > d->rtt_ms ? rtt - d->rtt_ms : d->rtt_ms - rtt;
        d->var_ms = d->rtt_ms ? (d->var_ms * 15 + off + 8) / 16 : rtt / 2 + 1;
        d->rtt_ms = d->rtt_ms ? (d->rtt_ms * 15 + rtt + 8) / 16 : rtt;
        learn_median(d, rtt);
    }
    d->last_answer_ms = now_ms;
    d->silent[!addr_is_ipv4(&contact_at(d->pool, r->contact)->addr)] = 0;
    if (r->check)
        upkeep_checked(d, true);
    table_answered(d, now_ms, r->contact, rtt, knows_us);
    if (!table_find(d, r->contact)) {
        const struct contact *c = contact_at(d->pool, r->contact);
        address_prove(d, now_ms, &c->key, &c->addr);
    }
    d->stats.answered++;
    request_end(d, r);
}

void request_due(struct dht *d, struct clock now, struct request *r, struct dht_out *out)
{
    if (!r->slow) {
        r->slow = true;
        uint64_t patience = now.mono_ms - r->sent_ms;
        uint32_t last = clamp(patience * 3, d->knobs.timeout_first_ms, d->knobs.timeout_most_ms);
        uint64_t at = r->sent_ms + last;
        timer_set(d, &r->t, TIMER_REQUEST, at > now.mono_ms ? at : now.mono_ms + 1);
        struct query *q = query_find(d, r->query);
        bool write = r->number == DATAGRAM_PUT || r->number == DATAGRAM_ANNOUNCE;
        if (r->again.p)
            send_again(d, r, q, out);
        if (q && q->kind != DHT_PING && !write) {
            query_settled(d, q, r);
            query_advance(d, now, q, out);
        }
        return;
    }
    d->stats.timeouts++;
    if (r->query || r->check) /* not those who asked us, and whom nobody believes to be there */
        d->silent[!addr_is_ipv4(&contact_at(d->pool, r->contact)->addr)]++;
    if (r->check)
        upkeep_checked(d, false);
    table_failed(d, now.mono_ms, r->contact, r->again.p ? 2 : 1);
    query_failed(d, now, r, out);
    request_end(d, r);
}

void requests_free(struct dht *d)
{
    size_t at = 0;
    void *v;
    while (map_next(&d->requests, &at, NULL, &v))
        request_end(d, v);
    map_free(&d->requests);
}
