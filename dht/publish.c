/* publish.c: own values, put again every hour with a tenth of jitter so that nodes that started together do
 * not stay together; after a poor result in one to five minutes.  At most own_at_once are under way. */
#include "dht/inner.h"
#include <stdlib.h>

enum { MOVED_EACH_MS = 60000 };

bool own_provider(struct dht *d, struct clock now, const struct id *topic, int family, struct buf *out)
{
    struct dht_value v = {.kind = DHT_PROVIDER,
                          .seq = (uint64_t)(now.unix_ms > 0 ? now.unix_ms : 1),
                          .expires_s = (uint64_t)(now.unix_ms / 1000) + 86400,
                          .topic = *topic};
    if (!d->sign || !dht_addr(d, family, &v.addr))
        return false;
    memcpy(v.author, d->self.b, 32);
    return dht_value_make(out, d->net, &v, d->sign, d->sign_arg) == 0;
}

static struct own *own_find(struct dht *d, const struct id *key, int family)
{
    struct own *o = d->own;
    while (o && (!id_eq(&o->key, key) || o->family != family))
        o = o->next;
    return o;
}

static struct own *own_new(struct dht *d, const struct id *key)
{
    if (d->own_n >= d->knobs.own_most)
        return NULL;
    struct own *o = xcalloc(1, sizeof *o);
    o->key = *key;
    o->next = d->own;
    d->own = o;
    d->own_n++;
    return o;
}

int dht_publish(struct dht *d, struct clock now, struct span value)
{
    struct dht_value v;
    int err = dht_value_read(&v, d->net, now.unix_ms, value, true);
    if (err)
        return err;
    if (v.kind == DHT_PROVIDER)
        return SOUK_EINVALID;
    struct own *o = own_find(d, &v.key, 0);
    if (o && v.seq < o->seq)
        return SOUK_ESTALE;
    if (o && v.seq == o->seq && !span_eq(o->value, value))
        return SOUK_ECONFLICT;
    if (!o && (o = own_new(d, &v.key)) == NULL)
        return SOUK_EQUOTA;
    free((void *)o->value.p);
    o->value = span(xmemdup(value.p, value.n), value.n);
    o->seq = v.seq;
    timer_set(d, &o->t, TIMER_OWN, now.mono_ms);
    return 0;
}

int dht_publish_topic(struct dht *d, struct clock now, const struct id *topic)
{
    struct id key;
    dht_key_topic(&key, d->net, topic);
    if (!d->sign)
        return SOUK_ENOT_ALLOWED;
    for (int family = 4; family <= 6; family += 2) { /* a record for each that we have */
        struct own *o;
        if ((family == 4 ? d->no_ipv4 : !d->ipv6) || own_find(d, &key, family))
            continue;
        if ((o = own_new(d, &key)) == NULL)
            return SOUK_EQUOTA;
        o->topic = *topic;
        o->family = (uint8_t)family;
        timer_set(d, &o->t, TIMER_OWN, now.mono_ms);
    }
    return 0;
}

static void own_drop(struct dht *d, struct own **link)
{
    struct own *o = *link;
    *link = o->next;
    d->own_n--;
    struct query *q = query_find(d, o->query);
    if (q) { /* its end finds nobody to tell */
        q->own = NULL;
        d->own_out--;
    }
    heap_remove(&d->timers, &o->t.e);
    free((void *)o->value.p);
    free(o);
}

bool dht_unpublish(struct dht *d, const struct id *key)
{
    bool any = false;
    for (struct own **link = &d->own; *link;)
        if (id_eq(&(*link)->key, key)) {
            own_drop(d, link);
            any = true;
        } else
            link = &(*link)->next;
    return any;
}

/* What names the address is put again in the next seconds; once a minute at most, whoever shouts. */
void own_moved(struct dht *d, uint64_t now_ms, int family)
{
    uint64_t *moved_ms = &d->moved_ms[family == 6], at = now_ms;
    if (*moved_ms > now_ms)
        return; /* it is due already */
    if (*moved_ms && at < *moved_ms + MOVED_EACH_MS)
        at = *moved_ms + MOVED_EACH_MS;
    *moved_ms = at;
    for (struct own *o = d->own; o; o = o->next)
        if (o->family == family)
            timer_set(d, &o->t, TIMER_OWN, at + 100 + rng_below(d->rng, 1000));
}

void own_due(struct dht *d, struct clock now, struct own *o)
{
    struct addr at;
    if (o->family &&
        !dht_addr(d, o->family, &at)) { /* until it is known (own_moved) there is nothing to say */
        o->err = SOUK_EOFFLINE;
        timer_set(d, &o->t, TIMER_OWN, now.mono_ms + d->knobs.republish_ms);
        return;
    }
    /* Nothing can be put before anybody is known; too many at once wait their turn. */
    if (d->own_out >= d->knobs.own_at_once || d->live_n == 0 || o->query) {
        timer_set(d, &o->t, TIMER_OWN, now.mono_ms + 500 + rng_below(d->rng, 1000));
        return;
    }
    struct query *q = query_new(d, now, o->value.n ? DHT_PUT : DHT_ANNOUNCE, &o->key, true);
    q->own = o;
    q->paths = d->knobs.paths;
    q->topic = o->topic;
    q->family = o->family;
    if (o->value.n) {
        q->value = span(xmemdup(o->value.p, o->value.n), o->value.n);
        q->value_kind = (enum dht_kind)o->value.p[0];
    }
    o->query = q->handle;
    o->putting_seq = o->seq;
    d->own_out++;
}

void own_done(struct dht *d, struct clock now, struct query *q)
{
    struct own *o = q->own;
    d->own_out--;
    o->query = 0;
    o->stored = q->result.stored;
    o->err = q->result.err;
    if (o->stored) {
        o->put_ms = q->started_ms;
        o->put_seq = o->putting_seq;
    }
    uint64_t in_ms = d->knobs.republish_ms - d->knobs.republish_ms / 10 +
                     rng_below(d->rng, d->knobs.republish_ms / 5 + 1);
    if (o->stored < d->knobs.replicas / 2) {
        uint64_t soon = 60000 + rng_below(d->rng, 240000);
        in_ms = soon < in_ms ? soon : in_ms;
    }
    if (o->t.e.place == 0) /* a newer value set meanwhile is due already */
        timer_set(d, &o->t, TIMER_OWN, now.mono_ms + in_ms);
}

size_t dht_own(const struct dht *d, struct dht_own *out, size_t cap)
{
    size_t n = 0;
    for (const struct own *o = d->own; o; o = o->next, n++)
        if (n < cap)
            out[n] = (struct dht_own){.key = o->key,
                                      .topic = o->topic,
                                      .family = o->family,
                                      .kind = o->value.n ? (enum dht_kind)o->value.p[0] : DHT_PROVIDER,
                                      .bytes = (uint32_t)o->value.n,
                                      .stored = o->stored,
                                      .err = o->err,
                                      .next_ms = o->query ? 0 : o->t.e.at,
                                      .put_ms = o->put_ms,
                                      .put_seq = o->put_seq};
    return n;
}

void own_free(struct dht *d)
{
    while (d->own) {
        struct own *o = d->own;
        d->own = o->next;
        heap_remove(&d->timers, &o->t.e);
        free((void *)o->value.p);
        free(o);
    }
}
