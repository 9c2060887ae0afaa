/* query.c: queries from start to result.  A query asks (lookup.c), then, when it is a put or an
 * announcement, writes to the nearest that answered; one that is overdue or full is replaced by the next
 * nearest. */
#include "datagram.gen.h"
#include "dht/inner.h"
#include <stdlib.h>

struct query *query_new(struct dht *d, struct clock now, enum dht_query kind, const struct id *target,
                        bool internal)
{
    if (!internal && d->queries_n >= d->knobs.queries_most)
        return NULL;
    struct query *q = xcalloc(1, sizeof *q);
    q->handle = ++d->handles;
    q->kind = kind;
    q->target = *target;
    q->internal = internal;
    q->paths = 1;
    q->started_ms = now.mono_ms;
    q->next = d->queries;
    d->queries = q;
    if (internal)
        d->internal_n++;
    else
        d->queries_n++;
    d->fresh_n++;
    return q;
}

struct query *query_find(const struct dht *d, uint64_t handle)
{
    struct query *q = handle ? d->queries : NULL;
    while (q && q->handle != handle)
        q = q->next;
    return q;
}

static void take_out(struct dht *d, struct query *q)
{
    struct query **link = &d->queries;
    while (*link != q)
        link = &(*link)->next;
    *link = q->next;
    if (q->phase == PHASE_FRESH)
        d->fresh_n--;
    if (q->internal)
        d->internal_n--;
    else
        d->queries_n--;
    heap_remove(&d->timers, &q->retry.e);
    for (uint32_t i = 0; i < q->cands_n; i++)
        contacts_drop(d->pool, q->cands[i].contact);
    free(q->cands);
    q->cands = NULL;
    q->cands_n = 0;
}

static void query_free(struct query *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->found_n; i++)
        free((void *)q->found[i].bytes.p);
    free(q->found);
    free((void *)q->value.p);
    free((void *)q->result.nodes);
    free((void *)q->result.values);
    free((void *)q->result.trace);
    free(q);
}

void queries_free(struct dht *d)
{
    while (d->queries) {
        struct query *q = d->queries;
        take_out(d, q);
        query_free(q);
    }
    while (d->finished) {
        struct query *q = d->finished;
        d->finished = q->next;
        query_free(q);
    }
    query_free(d->taken);
}

const struct dht_result *dht_result_next(struct dht *d)
{
    query_free(d->taken);
    d->taken = d->finished;
    if (!d->taken)
        return NULL;
    d->finished = d->taken->next;
    d->taken->next = NULL;
    return &d->taken->result;
}

bool dht_cancel(struct dht *d, uint64_t handle)
{
    struct query *q = query_find(d, handle);
    if (q && !q->internal) {
        take_out(d, q);
        query_free(q);
        return true;
    }
    for (struct query **link = &d->finished; *link; link = &(*link)->next)
        if ((*link)->handle == handle) {
            q = *link;
            *link = q->next;
            query_free(q);
            return true;
        }
    return false;
}

static struct dht_peer peer_of(const struct dht *d, uint32_t contact)
{
    const struct contact *c = contact_at(d->pool, contact);
    return (struct dht_peer){c->key, c->addr};
}

static int by_turn(const void *a, const void *b)
{
    return ((const struct dht_step *)a)->turn - ((const struct dht_step *)b)->turn;
}

/* What was asked, and who answered: from the candidates. */
static void tell_nodes(struct dht *d, struct query *q)
{
    struct dht_peer *nodes = xcalloc(d->knobs.k, sizeof *nodes);
    struct dht_step *trace = xcalloc(q->cands_n, sizeof *trace);
    struct dht_result *r = &q->result;
    for (uint32_t i = 0; i < q->cands_n; i++) {
        const struct candidate *c = &q->cands[i];
        if (c->state == CAND_NEW)
            continue;
        const struct contact *at = contact_at(d->pool, c->contact);
        bool answered = c->state == CAND_ANSWERED;
        trace[r->trace_n++] = (struct dht_step){.key = at->key,
                                                .addr = at->addr,
                                                .hop = c->hop,
                                                .path = c->path,
                                                .answered = answered,
                                                .pending = c->state == CAND_ASKED || c->state == CAND_SLOW,
                                                .gave_value = c->gave_value,
                                                .stored = c->write == WRITE_STORED,
                                                .rtt_ms = c->rtt_ms,
                                                .turn = c->turn,
                                                .asked_ms = c->asked_ms,
                                                .shared = (uint16_t)dht_shared_bits(&at->id, &q->target)};
        if (!answered)
            continue;
        if (r->nodes_n == 0 && r->hops == 0)
            r->hops = c->hop;
        if (r->nodes_n < d->knobs.k)
            nodes[r->nodes_n++] = peer_of(d, c->contact);
    }
    qsort(trace, r->trace_n, sizeof *trace, by_turn);
    r->nodes = nodes;
    r->trace = trace;
}

/* How far apart ids are where this ended, unless it looked for ourselves. */
static void learn_spacing(struct dht *d, const struct query *q)
{
    uint32_t answered = 0;
    if (id_eq(&q->target, &d->id) || q->around)
        return;
    for (uint32_t i = 0; i < q->cands_n; i++)
        if (q->cands[i].state == CAND_ANSWERED && ++answered == d->knobs.width) {
            table_spacing(d, (double)q->cands[i].distance / answered);
            return;
        }
}

static int verdict(const struct query *q)
{
    const struct dht_result *r = &q->result;
    switch (q->kind) {
    case DHT_GET:
    case DHT_PROVIDERS:
        return q->found_n ? 0 : r->nodes_n ? SOUK_ENOT_FOUND : SOUK_EOFFLINE;
    case DHT_PUT:
    case DHT_ANNOUNCE:
        /* One that says "stale" may lie; as many as stored it are believed. */
        if (r->stored > r->refused || (r->stored && q->worst != SOUK_ESTALE && q->worst != SOUK_ECONFLICT))
            return 0;
        return q->worst ? q->worst : SOUK_EOFFLINE;
    case DHT_PING:
    case DHT_LOOKUP:
        break;
    }
    return r->nodes_n ? 0 : SOUK_EOFFLINE;
}

static void finish(struct dht *d, struct clock now, struct query *q, struct dht_out *out)
{
    struct dht_result *r = &q->result;
    if (q->around)
        lookup_around_done(d, now, q, out);
    if (q->kind != DHT_PING) {
        tell_nodes(d, q);
        r->err = verdict(q);
    }
    take_out(d, q);
    q->phase = PHASE_DONE;
    r->handle = q->handle;
    r->cookie = q->cookie;
    r->kind = q->kind;
    r->target = q->target;
    r->took_ms = now.mono_ms - q->started_ms;
    struct span *values = xcalloc(q->found_n, sizeof *values);
    for (size_t i = 0; i < q->found_n; i++)
        values[i] = q->found[i].bytes;
    r->values = values;
    r->values_n = q->found_n;
    if (q->internal) {
        if (q->own)
            own_done(d, now, q);
        query_free(q);
        return;
    }
    struct query **tail = &d->finished;
    while (*tail)
        tail = &(*tail)->next;
    q->next = NULL;
    *tail = q;
}

static void begin(struct dht *d, struct clock now, struct query *q, struct dht_out *out)
{
    d->fresh_n--;
    q->phase = PHASE_ASK;
    if (q->kind == DHT_PING) {
        uint32_t contact = contacts_take(d->pool, d->net, &q->peer.key, &q->peer.addr);
        if (contact && request_ping(d, now.mono_ms, contact, q->handle, out))
            q->result.messages++;
        else /* there is no place for a request; its key does not solve the network's puzzle */
            q->result.err = contact ? SOUK_EBUSY : SOUK_EINVALID;
        if (contact)
            contacts_drop(d->pool, contact);
        return;
    }
    if (q->kind == DHT_ANNOUNCE && !q->value.n) {
        struct buf b = {0};
        if (!q->family) {
            struct addr at;
            q->family = dht_addr(d, 4, &at) ? 4 : 6;
        }
        if (own_provider(d, now, &q->topic, q->family, &b))
            q->value = span(xmemdup(b.p, b.n), b.n);
        buf_free(&b);
    }
    lookup_seed(d, q);
    if (q->kind == DHT_GET || q->kind == DHT_PROVIDERS)
        for (struct held *h = values_get(d, &q->target, q->value_kind); h; h = h->next)
            query_found(d, now, q, NULL, span(h->bytes, h->n));
}

static bool enough(const struct dht *d, const struct query *q)
{
    if (q->paths > 1 || q->radius || !q->found_n)
        return false;
    if (q->kind == DHT_GET)
        return q->found[0].agree >= d->knobs.get_agree;
    return q->kind == DHT_PROVIDERS && q->found_n >= d->knobs.providers_enough;
}

void query_advance(struct dht *d, struct clock now, struct query *q, struct dht_out *out)
{
    if (q->phase == PHASE_FRESH)
        begin(d, now, q, out);
    if (q->kind == DHT_PING) {
        if (q->result.messages == 0)
            finish(d, now, q, out);
        return;
    }
    if (q->phase == PHASE_ASK) {
        if (!enough(d, q)) {
            if (!lookup_advance(d, now, q, out))
                return;
            learn_spacing(d, q);
        }
        if (q->kind == DHT_PUT || q->kind == DHT_ANNOUNCE) {
            q->phase = PHASE_WRITE;
            if (q->value.n)
                write_self(d, now, q);
            else
                q->worst = SOUK_ENOT_ALLOWED; /* our own address is not known, or there is no signer */
        }
    }
    if (q->phase == PHASE_WRITE && q->value.n) {
        write_advance(d, now, q, out);
        if (q->writes_out || (q->retry.e.place && !write_placed(d, q)))
            return;
    }
    finish(d, now, q, out);
}

void query_settled(struct dht *d, struct query *q, struct request *r)
{
    (void)d;
    if (r->settled || q->kind == DHT_PING)
        return;
    r->settled = true;
    struct candidate *c = lookup_find(q, r->contact);
    if (r->number == DATAGRAM_PUT || r->number == DATAGRAM_ANNOUNCE) {
        q->writes_out--;
        return;
    }
    q->inflight[r->path]--;
    if (c && c->state == CAND_ASKED)
        candidate_overdue(q, c);
}

void query_failed(struct dht *d, struct clock now, struct request *r, struct dht_out *out)
{
    struct query *q = query_find(d, r->query);
    if (!q)
        return;
    q->result.timeouts++;
    if (q->kind == DHT_PING) {
        q->result.err = SOUK_ETIMEOUT;
        finish(d, now, q, out);
        return;
    }
    query_settled(d, q, r);
    struct candidate *c = lookup_find(q, r->contact);
    if (c && (r->number == DATAGRAM_PUT || r->number == DATAGRAM_ANNOUNCE))
        c->write = WRITE_REFUSED;
    else if (c)
        c->state = CAND_FAILED;
    query_advance(d, now, q, out);
}

void query_ponged(struct dht *d, struct clock now, struct query *q, struct request *r, struct dht_out *out)
{
    struct dht_peer *node = xcalloc(1, sizeof *node);
    struct dht_step *step = xcalloc(1, sizeof *step);
    *node = peer_of(d, r->contact);
    *step = (struct dht_step){.key = node->key,
                              .addr = node->addr,
                              .hop = 1,
                              .answered = true,
                              .rtt_ms = (uint16_t)(now.mono_ms - r->sent_ms)};
    q->result.nodes = node;
    q->result.trace = step;
    q->result.nodes_n = q->result.trace_n = 1;
    q->result.hops = 1;
    finish(d, now, q, out);
}

static void found_keep(struct found *f, const struct dht_value *v, struct span bytes)
{
    free((void *)f->bytes.p);
    memcpy(f->author, v->author, 32);
    f->ipv6 = value_names_ipv6(v);
    f->seq = v->seq;
    f->bytes = span(xmemdup(bytes.p, bytes.n), bytes.n);
    f->agree = 1;
}

static int order(struct span a, struct span b)
{
    int x = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return x ? x : a.n < b.n ? -1 : a.n > b.n;
}

/* Keeps the highest seq of each author; of two with one seq the lower bytes, so that all readers agree. */
void query_found(struct dht *d, struct clock now, struct query *q, struct candidate *c, struct span value)
{
    for (size_t i = 0; i < q->found_n; i++)
        if (span_eq(q->found[i].bytes, value)) {
            q->found[i].agree++;
            goto given;
        }
    struct dht_value v;
    if (dht_value_read(&v, d->net, now.unix_ms, value, true) != 0 || v.kind != q->value_kind ||
        !id_eq(&v.key, &q->target)) {
        d->stats.refused_value++;
        if (c)
            c->state = CAND_FAILED;
        return;
    }
    struct found *f = NULL;
    for (size_t i = 0; i < q->found_n && !f; i++)
        if (memcmp(q->found[i].author, v.author, 32) == 0 && q->found[i].ipv6 == value_names_ipv6(&v))
            f = &q->found[i];
    if (!f) {
        if (q->found_n >= (q->kind == DHT_GET ? 1 : d->knobs.providers_enough + 8))
            goto given;
        q->found = xrealloc(q->found, (q->found_n + 1) * sizeof *q->found);
        f = &q->found[q->found_n++];
        *f = (struct found){.seq = 0};
        found_keep(f, &v, value);
    } else {
        if (f->seq == v.seq)
            q->result.conflict = true;
        if (v.seq > f->seq || (v.seq == f->seq && order(value, f->bytes) < 0))
            found_keep(f, &v, value);
    }
    if (q->kind == DHT_GET)
        q->result.seq = f->seq;
given:
    if (!c)
        return;
    c->gave_value = true;
    if (q->result.hops == 0)
        q->result.hops = c->hop;
}

static uint64_t start(struct dht *d, struct clock now, enum dht_query kind, const struct id *target,
                      int flags, uint64_t cookie, struct query **made)
{
    struct query *q = query_new(d, now, kind, target, false);
    if (made)
        *made = q;
    if (!q)
        return 0;
    q->cookie = cookie;
    q->paths = flags & DHT_CAREFUL ? d->knobs.paths : 1;
    return q->handle;
}

uint64_t dht_ping(struct dht *d, struct clock now, const struct dht_peer *peer, uint64_t cookie)
{
    struct id id;
    dht_id(&id, d->net, &peer->key);
    struct query *q;
    uint64_t handle = start(d, now, DHT_PING, &id, 0, cookie, &q);
    if (q)
        q->peer = *peer;
    return handle;
}

uint64_t dht_lookup_start(struct dht *d, struct clock now, const struct id *target, int flags,
                          uint64_t cookie)
{
    return start(d, now, DHT_LOOKUP, target, flags, cookie, NULL);
}

uint64_t dht_get_start(struct dht *d, struct clock now, enum dht_kind kind, const struct id *key, int flags,
                       uint64_t cookie)
{
    struct query *q;
    uint64_t handle = start(d, now, DHT_GET, key, flags, cookie, &q);
    if (q)
        q->value_kind = kind;
    return handle;
}

uint64_t dht_put_start(struct dht *d, struct clock now, struct span value, const uint64_t *expected,
                       uint64_t cookie, int *err)
{
    struct dht_value v;
    *err = dht_value_read(&v, d->net, now.unix_ms, value, false);
    if (*err == 0 && v.kind == DHT_PROVIDER)
        *err = SOUK_EINVALID; /* those are announced */
    if (*err)
        return 0;
    struct query *q;
    uint64_t handle = start(d, now, DHT_PUT, &v.key, DHT_CAREFUL, cookie, &q);
    if (!q) {
        *err = SOUK_EBUSY;
        return 0;
    }
    q->value = span(xmemdup(value.p, value.n), value.n);
    q->value_kind = v.kind;
    q->has_expected = expected != NULL;
    q->expected = expected ? *expected : 0;
    return handle;
}

uint64_t dht_announce_start(struct dht *d, struct clock now, const struct id *topic, uint64_t cookie)
{
    struct id key;
    dht_key_topic(&key, d->net, topic);
    struct query *q;
    uint64_t handle = start(d, now, DHT_ANNOUNCE, &key, DHT_CAREFUL, cookie, &q);
    if (q)
        q->topic = *topic;
    return handle;
}

uint64_t dht_providers_start(struct dht *d, struct clock now, const struct id *topic, int flags,
                             uint64_t cookie)
{
    struct id key;
    dht_key_topic(&key, d->net, topic);
    struct query *q;
    uint64_t handle = start(d, now, DHT_PROVIDERS, &key, flags, cookie, &q);
    if (q)
        q->value_kind = DHT_PROVIDER;
    return handle;
}
