/* view.c: the engine as people see it: the table by distance, what is held and for whom, own values. */
#include "dht/inner.h"
#include <stdlib.h>

static enum dht_standing standing(const struct entry *e, bool live)
{
    return live                     ? DHT_LIVE
           : e->flags & ENTRY_SAVED ? DHT_SAVED
           : e->flags & ENTRY_HEARD ? DHT_HEARD
                                    : DHT_WAITING;
}

static void entry_view(const struct dht *d, uint64_t now_ms, const struct entry *e, bool live,
                       struct dht_entry *out)
{
    const struct contact *c = contact_at(d->pool, e->contact);
    bool never = e->flags & ENTRY_HEARD;
    *out = (struct dht_entry){.id = c->id,
                              .key = c->key,
                              .addr = c->addr,
                              .shared = dht_shared_bits(&d->id, &c->id),
                              .standing = standing(e, live),
                              .rtt_ms = e->rtt_ms,
                              .patience_ms = patience_ms(d, e->contact),
                              .seen_ms = never ? UINT64_MAX : now_ms - (uint64_t)e->seen_s * 1000,
                              .fails = e->fails};
}

size_t dht_entries(const struct dht *d, uint64_t now_ms, struct dht_entry *out, size_t cap)
{
    size_t n = 0;
    for (uint32_t i = d->buckets_n; i-- > 0;) {
        const struct bucket *b = &d->buckets[i];
        for (int j = 0; j < b->live_n; j++, n++)
            if (n < cap)
                entry_view(d, now_ms, &b->live[j], true, &out[n]);
        for (int j = 0; j < b->spare_n; j++, n++)
            if (n < cap)
                entry_view(d, now_ms, &b->spare[j], false, &out[n]);
    }
    return n;
}

size_t dht_buckets(const struct dht *d, uint64_t now_ms, struct dht_bucket out[static DHT_BUCKETS_MOST])
{
    size_t n = 0;
    for (uint32_t i = d->buckets_n; i-- > 0;) {
        const struct bucket *b = &d->buckets[i];
        if (!b->live_n && !b->spare_n)
            continue;
        struct dht_bucket *o = &out[n++];
        *o = (struct dht_bucket){.shared = i, .nodes = b->live_n};
        for (int j = 0; j < b->spare_n; j++) {
            bool heard = b->spare[j].flags & ENTRY_HEARD;
            o->heard += heard;
            o->waiting += !heard;
        }
        o->idle_ms = now_ms - (uint64_t)b->touched_s * 1000;
    }
    return n;
}

static int by_key(const void *a, const void *b)
{
    const struct held *x = *(const struct held *const *)a, *y = *(const struct held *const *)b;
    int order = memcmp(x->key.b, y->key.b, sizeof x->key.b);
    return order ? order : memcmp(x->author, y->author, sizeof x->author);
}

size_t dht_held(const struct dht *d, uint64_t now_ms, size_t skip, struct dht_held *out, size_t cap)
{
    const struct held **all = xcalloc(d->values_n, sizeof(const struct held *));
    size_t n = 0, at = 0;
    void *v;
    while (map_next(&d->values, &at, NULL, &v))
        for (const struct held *h = v; h; h = h->next)
            all[n++] = h;
    if (n)
        qsort(all, n, sizeof(const struct held *), by_key);
    for (size_t i = skip; i < n && i - skip < cap; i++) {
        const struct held *h = all[i];
        struct dht_held *o = &out[i - skip];
        *o = (struct dht_held){.kind = (enum dht_kind)h->bytes[0],
                               .key = h->key,
                               .seq = h->seq,
                               .bytes = h->n,
                               .left_ms = h->t.e.at > now_ms ? h->t.e.at - now_ms : 0,
                               .prefix = h->prefix,
                               .own = h->own};
        memcpy(o->author, h->author, sizeof o->author);
    }
    free(all);
    return n;
}
