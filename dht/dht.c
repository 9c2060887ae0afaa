/* dht.c: the life of an engine, and the two doors through which everything comes in. */
#include "dht/inner.h"
#include <sodium.h>
#include <stdlib.h>

enum { OUT_KEPT = 16384 }; /* of a dht_out between calls: few bursts are larger */

void dht_knobs_default(struct dht_knobs *out)
{
    *out = (struct dht_knobs){
        .k = 20,
        .alpha = 5,
        .width = 8,
        .replicas = 8,
        .paths = 3,
        .path_width = 3,
        .candidates = 128,
        .addresses = 4,
        .doubt = true,
        .fair = true,
        .get_agree = 3,
        .providers_enough = 64,
        .bucket_cache = 8,
        .prefix_bucket = 2,
        .prefix_table = 10,
        .cover = 20,
        .dense_factor = 4,
        .queries_most = 64,
        .requests_most = 2048,
        .own_most = 1024,
        .own_at_once = 4,
        .values_most = 8192,
        .value_bytes_most = 4 << 20,
        .providers_most = 256,
        .prefix_topic_most = 16,
        .prefix_values_most = 512,
        .timeout_first_ms = 1000,
        .timeout_least_ms = 50,
        .timeout_most_ms = 3000,
        .timeout_typical = 3,
        .fails_most = 2,
        .tick_fast_ms = 500,
        .tick_slow_ms = 20000,
        .check_least_ms = 4000,
        .check_most_ms = 20000,
        .refresh_ms = 30 * 60000,
        .token_ms = 5 * 60000,
        .life_ms = 2 * 3600000,
        .republish_ms = 3600000,
        .wait_most_ms = 60000,
    };
}

void dht_out_clear(struct dht_out *out)
{
    out->n = 0;
    if (out->bytes.cap > OUT_KEPT)
        buf_free(&out->bytes);
    buf_clear(&out->bytes);
}

void dht_out_free(struct dht_out *out)
{
    free(out->v);
    buf_free(&out->bytes);
    *out = (struct dht_out){0};
}

void timer_set(struct dht *d, struct timer *t, enum timer_kind kind, uint64_t at_ms)
{
    t->kind = kind;
    heap_set(&d->timers, &t->e, at_ms);
}

struct dht *dht_new(const struct dht_config *config, struct clock now)
{
    struct dht *d = xcalloc(1, sizeof *d);
    d->net = config->net;
    d->rng = config->rng;
    if (!config->contacts)
        d->own_pool = dht_contacts_new(config->rng);
    d->pool = config->contacts ? config->contacts : d->own_pool;
    if (config->knobs)
        d->knobs = *config->knobs;
    else
        dht_knobs_default(&d->knobs);
    const struct dht_knobs *k = &d->knobs;
    MUST(k->k > 0 && k->k < 120 && k->bucket_cache < 200 && k->paths > 0 && k->paths <= PATHS_MOST);
    MUST(k->candidates >= k->k && k->width > 0 && k->alpha > 0 && k->values_most > 0);
    d->self = config->self;
    dht_id(&d->id, d->net, &d->self);
    d->sign = config->sign;
    d->sign_arg = config->sign_arg;
    d->addr = config->addr;
    d->addr6 = config->addr6;
    d->client = config->client;
    d->no_ipv4 = config->no_ipv4;
    d->ipv6 = config->ipv6;
    map_init(&d->requests, 8, d->rng);
    map_init(&d->values, 32, d->rng);
    map_init(&d->prefixes, 8, d->rng);
    rng_bytes(d->rng, d->token_secret, sizeof d->token_secret);
    rng_bytes(d->rng, d->ticket_secret, sizeof d->ticket_secret);
    d->token_turn_ms = now.mono_ms + k->token_ms;
    d->last_answer_ms = now.mono_ms;
    d->check_ms = k->check_most_ms;
    d->handles = rng_below(d->rng, 1 << 30);
    timer_set(d, &d->tick, TIMER_TICK, now.mono_ms + rng_below(d->rng, k->tick_fast_ms + 1));
    return d;
}

void dht_free(struct dht *d)
{
    if (!d)
        return;
    queries_free(d);
    requests_free(d);
    own_free(d);
    values_free(d);
    table_free(d);
    for (uint32_t i = 0; i < d->boot_n; i++)
        contacts_drop(d->pool, d->boot[i]);
    heap_remove(&d->timers, &d->tick.e);
    heap_free(&d->timers);
    buf_free(&d->scratch);
    dht_contacts_free(d->own_pool);
    sodium_memzero(d, sizeof *d);
    free(d);
}

void dht_set_client(struct dht *d, bool client)
{
    d->client = client;
}

bool dht_client(const struct dht *d)
{
    return d->client;
}

const struct dht_knobs *dht_knobs(const struct dht *d)
{
    return &d->knobs;
}

const struct id *dht_self(const struct dht *d)
{
    return &d->id;
}

const struct node_key *dht_self_key(const struct dht *d)
{
    return &d->self;
}

int dht_datagram(struct dht *d, struct clock now, const struct addr *from, const struct node_key *peer,
                 struct span plaintext, size_t reply_limit, struct dht_out *out)
{
    d->stats.received++;
    if (plaintext.n < REQUEST_HEAD + 1 || plaintext.n > DHT_PLAIN_MOST || node_key_eq(peer, &d->self) ||
        from->port == 0) {
        d->stats.dropped_form++;
        return DHT_DROPPED;
    }
    if (!dht_usable(d, from)) {
        d->stats.dropped_address++;
        return DHT_DROPPED;
    }
    if (plaintext.p[0] < 16)
        return rpc_request(d, now, from, peer, plaintext, reply_limit, out);
    return rpc_answer(d, now, from, peer, plaintext, out);
}

static void due(struct dht *d, struct clock now, struct timer *t, struct dht_out *out)
{
    switch (t->kind) {
    case TIMER_REQUEST:
        request_due(d, now, (struct request *)t, out);
        break;
    case TIMER_VALUE:
        values_expire(d, (struct held *)t);
        break;
    case TIMER_OWN:
        own_due(d, now, (struct own *)t);
        break;
    case TIMER_RETRY:
        write_retry(d, now, (struct query *)t, out);
        break;
    case TIMER_TICK:
        upkeep_tick(d, now, out);
        break;
    }
}

void dht_wake(struct dht *d, struct clock now, struct dht_out *out)
{
    for (struct heap_entry *e; (e = heap_first(&d->timers)) != NULL && e->at <= now.mono_ms;) {
        heap_remove(&d->timers, e);
        due(d, now, (struct timer *)e, out);
    }
    while (d->fresh_n) {
        struct query *q = d->queries;
        while (q->phase != PHASE_FRESH)
            q = q->next;
        query_advance(d, now, q, out);
    }
}

uint64_t dht_next_wake(const struct dht *d)
{
    if (d->fresh_n)
        return 0;
    const struct heap_entry *e = heap_first(&d->timers);
    return e ? e->at : UINT64_MAX;
}

static uint64_t memory(const struct dht *d)
{
    uint64_t n = sizeof *d + d->timers.cap * sizeof *d->timers.slots + d->buckets_n * sizeof *d->buckets +
                 d->scratch.cap;
    for (uint32_t i = 0; i < d->buckets_n; i++)
        n += (d->buckets[i].live_cap + (uint64_t)d->buckets[i].spare_cap) * sizeof(struct entry);
    n += d->requests.cap * 16 + d->values.cap * 40 + d->prefixes.cap * 16 + d->prefixes.n * 16;
    n += d->requests.n * sizeof(struct request) + d->values_n * sizeof(struct held) + d->value_bytes;
    for (const struct query *q = d->queries; q; q = q->next)
        n += sizeof *q + q->cands_cap * sizeof *q->cands;
    for (const struct own *o = d->own; o; o = o->next)
        n += sizeof *o + o->value.n;
    return n + (d->own_pool ? dht_contacts_bytes(d->own_pool) : 0);
}

void dht_stats_read(const struct dht *d, struct dht_stats *out)
{
    *out = d->stats;
    out->nodes = d->live_n;
    out->heard = d->spare_n;
    for (uint32_t i = 0; i < d->buckets_n; i++)
        out->buckets += d->buckets[i].live_n > 0;
    out->values = d->values_n;
    out->value_bytes = d->value_bytes;
    out->queries = d->queries_n + d->internal_n;
    out->requests = (uint32_t)d->requests.n;
    out->own = d->own_n;
    out->network_nodes = table_estimate(d);
    out->memory_bytes = memory(d);
}
