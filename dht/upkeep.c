/* upkeep.c: joining, and keeping the table true: fill it with nodes heard of, ask the longest silent, look
 * up what nobody asked about for long; and the table as bytes. */
#include "dht/inner.h"

enum {
    PINGS_A_TICK = 4,
    SAVE_ENTRY = 32 + ADDR_BYTES,
    SAVE_TAIL = 4 /* round trip, deviation */,
    SAVE_MOST = BUCKETS_MOST * 200
};

size_t dht_bootstrap(struct dht *d, struct clock now, const struct dht_peer *peers, size_t n)
{
    for (size_t i = 0; i < n && d->boot_n < BOOT_MOST; i++) {
        if (node_key_eq(&peers[i].key, &d->self) || !dht_usable(d, &peers[i].addr))
            continue;
        uint32_t contact = contacts_take(d->pool, d->net, &peers[i].key, &peers[i].addr);
        bool known = !contact;
        for (uint32_t j = 0; j < d->boot_n; j++)
            known |= d->boot[j] == contact;
        if (!known)
            d->boot[d->boot_n++] = contact;
        else if (contact)
            contacts_drop(d->pool, contact);
    }
    d->joined = false;
    d->self_lookup_ms = now.mono_ms;
    d->boot_wait_ms = 0;
    timer_set(d, &d->tick, TIMER_TICK, now.mono_ms);
    return d->boot_n;
}

/* Our own neighbourhood: at first from the first peers, again while nobody is known, then now and then. */
static void look_home(struct dht *d, struct clock now)
{
    if (now.mono_ms < d->self_lookup_ms || d->internal_n > d->own_out || (d->live_n == 0 && d->boot_n == 0))
        return;
    for (int family = 4; family <= 6; family += 2) { /* neighbours of each that we have */
        if (family == 4 ? d->no_ipv4 : !d->ipv6)
            continue;
        struct query *q = query_new(d, now, DHT_LOOKUP, &d->id, true);
        q->joining = d->live_n < d->knobs.k / 2;
        q->want = (uint8_t)family;
    }
    uint64_t wait = d->knobs.refresh_ms;
    if (d->live_n == 0) { /* again after 2, 4, 8 … 64 seconds */
        d->boot_wait_ms = d->boot_wait_ms == 0      ? 2000
                          : d->boot_wait_ms < 64000 ? d->boot_wait_ms * 2
                                                    : 64000;
        wait = d->boot_wait_ms;
    } else if (!d->joined) { /* once more from inside, when those whom we asked have told of us */
        d->joined = true;
        wait = d->home_wait_ms = 4000;
    } else if (d->home_wait_ms && d->home_wait_ms * 4 < wait) /* then ever more seldom */
        wait = d->home_wait_ms *= 4;
    d->self_lookup_ms = now.mono_ms + wait + rng_below(d->rng, wait / 4 + 1);
}

/* Pings who was heard of where there is a free place.  Returns how many. */
static int fill(struct dht *d, struct clock now, struct dht_out *out)
{
    int sent = 0;
    for (uint32_t i = 0; i < d->buckets_n && sent < PINGS_A_TICK; i++) {
        struct bucket *b = &d->buckets[(d->tick_bucket + i) % d->buckets_n];
        for (int j = b->spare_n - 1; j >= 0 && sent < PINGS_A_TICK; j--)
            if (table_room(d, b, b->spare[j].contact) && !request_out(d, b->spare[j].contact)) {
                request_ping(d, now.mono_ms, b->spare[j].contact, 0, out);
                sent++;
            }
    }
    return sent;
}

/* Pings the longest silent of the next bucket: those whose place another waits for come first. */
static void check(struct dht *d, struct clock now, struct dht_out *out)
{
    for (uint32_t i = 0; i < d->buckets_n; i++) {
        struct bucket *b = &d->buckets[++d->tick_bucket % d->buckets_n];
        const struct entry *oldest = NULL;
        for (int j = 0; j < b->live_n; j++)
            if (!oldest || b->live[j].fails > oldest->fails ||
                (b->live[j].fails == oldest->fails && b->live[j].seen_s < oldest->seen_s))
                oldest = &b->live[j];
        if (!oldest || seconds(now.mono_ms) - oldest->seen_s < d->knobs.tick_slow_ms / 1000)
            continue;
        struct request *r = NULL;
        if (!request_out(d, oldest->contact))
            r = request_ping(d, now.mono_ms, oldest->contact, 0, out);
        if (r) {
            r->check = true;
            request_repeat(d, r);
        }
        return;
    }
}

/* Twice as often after each one that is gone, a 32nd more seldom after each that is there: settles where
 * one in twenty is gone. */
void upkeep_checked(struct dht *d, bool there)
{
    uint32_t ms = there ? d->check_ms + d->check_ms / 32 : d->check_ms / 2;
    uint32_t least = d->knobs.check_least_ms, most = d->knobs.check_most_ms;
    d->check_ms = ms < least ? least : ms > most ? most : ms;
}

/* A bucket that nobody asked about for long; sooner when it is half empty although so many nodes are known
 * nearer to us that there must be more of them farther away. */
static void refresh(struct dht *d, struct clock now)
{
    if (d->live_n == 0 || d->internal_n > d->own_out)
        return;
    uint32_t nearer = d->live_n, refresh_s = d->knobs.refresh_ms / 1000;
    for (uint32_t i = 0; i < d->buckets_n; i++) {
        struct bucket *b = &d->buckets[i];
        nearer -= b->live_n;
        bool thin = nearer >= d->knobs.k && b->live_n < d->knobs.k / 2;
        if (seconds(now.mono_ms) - b->touched_s < (thin ? refresh_s / 6 : refresh_s))
            continue;
        b->touched_s = seconds(now.mono_ms);
        struct id target;
        id_random_beside(d, &d->id, i, &target);
        struct query *q = query_new(d, now, DHT_LOOKUP, &target, true);
        if (d->ipv6 && !d->no_ipv4)
            q->want = rng_below(d->rng, 2) ? 4 : 6;
        return;
    }
}

void upkeep_tick(struct dht *d, struct clock now, struct dht_out *out)
{
    look_home(d, now);
    int sent = fill(d, now, out);
    if (now.mono_ms >= d->check_at_ms) {
        check(d, now, out);
        d->check_at_ms = now.mono_ms + d->check_ms;
    }
    if (now.mono_ms >= d->slow_tick_ms) {
        refresh(d, now);
        d->slow_tick_ms = now.mono_ms + d->knobs.tick_slow_ms;
        /* Queries that found no place for a request try again. */
        for (struct query *q = d->queries, *next; q; q = next) {
            next = q->next;
            if (q->phase == PHASE_ASK && q->kind != DHT_PING)
                query_advance(d, now, q, out);
        }
    }
    bool joining = !d->joined && (d->boot_n || d->spare_n);
    uint64_t rest = d->knobs.tick_slow_ms / 4 < d->check_ms ? d->knobs.tick_slow_ms / 4 : d->check_ms;
    bool heard = now.mono_ms < d->last_answer_ms + 30000; /* else nobody answers, and haste wins nothing */
    uint64_t wait = heard && (sent || joining) ? d->knobs.tick_fast_ms : rest;
    uint64_t at = now.mono_ms + wait - wait / 4 + rng_below(d->rng, wait / 2 + 1);
    if (d->tick.e.place == 0 || d->tick.e.at > at)
        timer_set(d, &d->tick, TIMER_TICK, at);
}

static void save_entry(const struct dht *d, const struct entry *e, struct buf *out)
{
    const struct contact *c = contact_at(d->pool, e->contact);
    uint8_t *p = buf_grow(out, SAVE_ENTRY);
    memcpy(p, c->key.b, 32);
    addr_pack(p + 32, &c->addr);
}

void dht_table_save(const struct dht *d, struct buf *out)
{
    for (uint32_t i = 0; i < d->buckets_n; i++) {
        const struct bucket *b = &d->buckets[i];
        for (int j = 0; j < b->live_n; j++)
            save_entry(d, &b->live[j], out);
        for (int j = 0; j < b->spare_n && b->live_n + j < (int)d->knobs.k; j++)
            if (b->spare[j].flags & ENTRY_SAVED) /* stopped before it could be asked */
                save_entry(d, &b->spare[j], out);
    }
    uint8_t *p = buf_grow(out, SAVE_TAIL);
    be16_put(p, (uint16_t)(d->rtt_ms < 60000 ? d->rtt_ms : 60000));
    be16_put(p + 2, (uint16_t)(d->var_ms < 60000 ? d->var_ms : 60000));
}

int dht_table_restore(struct dht *d, struct clock now, struct span bytes, bool trusted)
{
    size_t tail = bytes.n % SAVE_ENTRY;
    if ((tail && tail != SAVE_TAIL) || bytes.n / SAVE_ENTRY > SAVE_MOST)
        return SOUK_EFORM;
    bytes.n -= tail;
    if (tail && !d->rtt_ms) {
        d->rtt_ms = be16_get(bytes.p + bytes.n);
        d->var_ms = be16_get(bytes.p + bytes.n + 2);
    }
    for (size_t at = 0; at < bytes.n; at += SAVE_ENTRY) {
        struct node_key key;
        struct addr addr;
        memcpy(key.b, bytes.p + at, 32);
        addr_unpack(&addr, bytes.p + at + 32);
        uint32_t contact = dht_usable(d, &addr) ? contacts_take(d->pool, d->net, &key, &addr) : 0;
        if (!contact)
            continue;
        if (trusted)
            table_restored(d, now.mono_ms, contact);
        else
            table_saved(d, now.mono_ms, contact);
        /* The first of them are also where joining starts. */
        if (!trusted && d->boot_n < BOOT_MOST)
            d->boot[d->boot_n++] = contact;
        else
            contacts_drop(d->pool, contact);
    }
    d->joined = trusted && d->live_n > 0;
    if (!trusted || d->live_n == 0)
        d->self_lookup_ms = now.mono_ms;
    else
        d->self_lookup_ms = now.mono_ms + rng_below(d->rng, d->knobs.refresh_ms + 1);
    return 0;
}
