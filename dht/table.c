/* table.c: buckets, one for each number of leading bits shared with our own id, and the rules of who is
 * let in (only who answered a request of ours, and not too many of one prefix), who stays (the long-lived),
 * and who goes (who fell silent, when there is somebody better or it has been silent for long). */
#include "dht/inner.h"
#include <stdlib.h>

enum { OWN_WEIGHT = 3, SPACINGS_MOST = 32 };

static struct bucket *bucket_of(const struct dht *d, const struct id *id)
{
    uint32_t i = dht_shared_bits(&d->id, id);
    if (i >= BUCKETS_MOST)
        i = BUCKETS_MOST - 1;
    return i < d->buckets_n ? &d->buckets[i] : NULL;
}

static struct bucket *bucket_make(struct dht *d, const struct id *id, uint64_t now_ms)
{
    uint32_t i = dht_shared_bits(&d->id, id);
    if (i >= BUCKETS_MOST)
        i = BUCKETS_MOST - 1;
    if (i >= d->buckets_n) {
        d->buckets = xrealloc(d->buckets, (i + 1) * sizeof *d->buckets);
        for (uint32_t j = d->buckets_n; j <= i; j++)
            d->buckets[j] = (struct bucket){.touched_s = seconds(now_ms)};
        d->buckets_n = i + 1;
    }
    return &d->buckets[i];
}

static int find(const struct entry *e, uint8_t n, uint32_t contact)
{
    for (int i = 0; i < n; i++)
        if (e[i].contact == contact)
            return i;
    return -1;
}

static void append(struct entry **v, uint8_t *n, uint8_t *cap, struct entry e)
{
    if (*n == *cap) {
        *cap = (uint8_t)(*cap ? (*cap < 100 ? *cap * 2 : 255) : 4);
        *v = xrealloc(*v, *cap * sizeof **v);
    }
    (*v)[(*n)++] = e;
}

static void take_out(struct entry *v, uint8_t *n, int i)
{
    memmove(v + i, v + i + 1, (size_t)(*n - i - 1) * sizeof *v);
    (*n)--;
}

struct entry *table_find(const struct dht *d, uint32_t contact)
{
    struct bucket *b = bucket_of(d, &contact_at(d->pool, contact)->id);
    int i = b ? find(b->live, b->live_n, contact) : -1;
    return i < 0 ? NULL : &b->live[i];
}

static uint32_t prefix_hash(const struct addr *a)
{
    return (uint32_t)(addr_prefix(a) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static struct entry entry_of(const struct dht *d, uint32_t contact, uint8_t flags)
{
    const struct contact *c = contact_at(d->pool, contact);
    return (struct entry){.id = be64_get(c->id.b),
                          .contact = contact,
                          .prefix = prefix_hash(&c->addr),
                          .flags = flags,
                          .ipv6 = !addr_is_ipv4(&c->addr)};
}

/* At most prefix_bucket of one /24 or /64 in a bucket, prefix_table in the table. */
static bool prefix_ok(const struct dht *d, const struct bucket *in, const struct addr *a)
{
    if (addr_exempt(d, a))
        return true;
    uint64_t prefix = addr_prefix(a);
    uint32_t table = 0, hashed = prefix_hash(a);
    for (uint32_t i = 0; i < d->buckets_n; i++) {
        const struct bucket *b = &d->buckets[i];
        uint32_t here = 0;
        for (int j = 0; j < b->live_n; j++)
            if (b->live[j].prefix == hashed)
                here += addr_prefix(&contact_at(d->pool, b->live[j].contact)->addr) == prefix;
        if (b == in && here >= d->knobs.prefix_bucket)
            return false;
        table += here;
        if (table >= d->knobs.prefix_table)
            return false;
    }
    return true;
}

static bool same_family(const struct entry *e, const struct contact *c)
{
    return e->ipv6 == !addr_is_ipv4(&c->addr);
}

/* The same node under another address of the family, or -1.  (A node of both families has a place in each:
 * who has one family alone must hear of it by that one.) */
static int find_key(const struct dht *d, const struct bucket *b, const struct contact *c, uint32_t contact)
{
    uint64_t id = be64_get(c->id.b);
    for (int i = 0; i < b->live_n; i++)
        if (b->live[i].id == id && b->live[i].contact != contact && same_family(&b->live[i], c) &&
            node_key_eq(&contact_at(d->pool, b->live[i].contact)->key, &c->key))
            return i;
    return -1;
}

/* A bucket has k places for each family. */
static bool has_room(const struct dht *d, const struct bucket *b, const struct contact *c)
{
    uint32_t n = b->live_n;
    if (n >= d->knobs.k && d->ipv6 && !d->no_ipv4) {
        n = 0;
        for (int i = 0; i < b->live_n; i++)
            n += same_family(&b->live[i], c);
    }
    return n < d->knobs.k;
}

bool table_room(const struct dht *d, const struct bucket *b, uint32_t contact)
{
    return has_room(d, b, contact_at(d->pool, contact));
}

static void drop_live(struct dht *d, struct bucket *b, int i)
{
    contacts_drop(d->pool, b->live[i].contact);
    take_out(b->live, &b->live_n, i);
    d->live_n--;
}

static void drop_spare(struct dht *d, struct bucket *b, int i)
{
    contacts_drop(d->pool, b->spare[i].contact);
    take_out(b->spare, &b->spare_n, i);
    d->spare_n--;
}

static void add_live(struct dht *d, struct bucket *b, struct entry e)
{
    contacts_hold(d->pool, e.contact);
    append(&b->live, &b->live_n, &b->live_cap, e);
    d->live_n++;
}

/* A proven newcomer displaces who was only heard of, then the one proven longest ago. */
static void add_spare(struct dht *d, struct bucket *b, struct entry e)
{
    if (b->spare_n >= d->knobs.bucket_cache) {
        int out = -1;
        for (int i = 0; i < b->spare_n && out < 0; i++)
            if (b->spare[i].flags & ENTRY_HEARD)
                out = i;
        if (out < 0 && !(e.flags & ENTRY_HEARD))
            out = 0;
        if (out < 0 || b->spare_n == 0)
            return;
        drop_spare(d, b, out);
    }
    contacts_hold(d->pool, e.contact);
    append(&b->spare, &b->spare_n, &b->spare_cap, e);
    d->spare_n++;
}

static void measure(struct entry *e, uint32_t rtt_ms)
{
    if (rtt_ms > 60000)
        rtt_ms = 60000;
    if (e->rtt_ms == 0 && e->var_ms == 0) {
        e->rtt_ms = (uint16_t)rtt_ms;
        e->var_ms = (uint16_t)(rtt_ms / 2 + 1);
        return;
    }
    uint32_t off = rtt_ms > e->rtt_ms ? rtt_ms - e->rtt_ms : e->rtt_ms - rtt_ms;
    e->var_ms = (uint16_t)((e->var_ms * 3u + off + 2) / 4);
    e->rtt_ms = (uint16_t)((e->rtt_ms * 7u + rtt_ms + 4) / 8);
}

static void admit(struct dht *d, struct bucket *b, const struct contact *c, struct entry e)
{
    int other = find_key(d, b, c, e.contact);
    if (other >= 0) { /* it moved: believed once its old address has missed an answer */
        if (b->live[other].fails == 0) {
            add_spare(d, b, e);
            return;
        }
        drop_live(d, b, other);
    }
    if (!prefix_ok(d, b, &c->addr)) {
        d->stats.kept_out_prefix++;
        return;
    }
    if (has_room(d, b, c)) {
        add_live(d, b, e);
        return;
    }
    for (int i = 0; i < b->live_n; i++)
        if (b->live[i].fails >= d->knobs.fails_most && same_family(&b->live[i], c)) {
            drop_live(d, b, i);
            d->stats.evicted++;
            add_live(d, b, e);
            return;
        }
    add_spare(d, b, e);
}

void table_answered(struct dht *d, uint64_t now_ms, uint32_t contact, uint32_t rtt_ms, bool knows_us)
{
    const struct contact *c = contact_at(d->pool, contact);
    if (id_eq(&c->id, &d->id))
        return;
    struct bucket *b = bucket_make(d, &c->id, now_ms);
    int i = find(b->live, b->live_n, contact), s = find(b->spare, b->spare_n, contact);
    struct entry fresh = entry_of(d, contact, 0);
    struct entry *e = i >= 0 ? &b->live[i] : s >= 0 ? &b->spare[s] : &fresh;
    measure(e, rtt_ms);
    e->seen_s = seconds(now_ms);
    e->fails = 0;
    e->flags = knows_us ? ENTRY_KNOWS_US : 0;
    if (i >= 0)
        return;
    fresh = *e;
    contacts_hold(d->pool, contact);
    if (s >= 0)
        drop_spare(d, b, s);
    admit(d, b, c, fresh);
    contacts_drop(d->pool, contact);
}

void table_restored(struct dht *d, uint64_t now_ms, uint32_t contact)
{
    table_answered(d, now_ms, contact, d->rtt_ms ? d->rtt_ms : 100, false);
}

void table_failed(struct dht *d, uint64_t now_ms, uint32_t contact, uint8_t times)
{
    struct bucket *b = bucket_of(d, &contact_at(d->pool, contact)->id);
    if (!b)
        return;
    int s = find(b->spare, b->spare_n, contact);
    if (s >= 0 && b->spare[s].flags & ENTRY_SAVED && d->stats.answered == 0) {
        struct entry e = b->spare[s]; /* we may be the one that is cut off: kept, and asked last */
        take_out(b->spare, &b->spare_n, s);
        memmove(b->spare + 1, b->spare, b->spare_n++ * sizeof e);
        b->spare[0] = e;
    } else if (s >= 0)
        drop_spare(d, b, s);
    int i = find(b->live, b->live_n, contact);
    /* While nobody at all answers, the fault is ours: the table is kept. */
    if (i < 0 || now_ms > d->last_answer_ms + 30000)
        return;
    struct entry *e = &b->live[i];
    bool leaving = e->flags & ENTRY_LEAVING;
    e->fails = (uint8_t)(e->fails > 255 - times ? 255 : e->fails + times);
    e->flags &= ENTRY_LEAVING;
    if (e->fails < d->knobs.fails_most)
        return;
    for (int j = b->spare_n - 1; j >= 0; j--) { /* the one that answered last */
        struct entry in = b->spare[j];
        if (in.flags & ENTRY_HEARD || in.ipv6 != e->ipv6)
            continue;
        uint32_t left = in.contact;
        contacts_hold(d->pool, left);
        drop_spare(d, b, j);
        drop_live(d, b, i);
        d->stats.evicted++;
        admit(d, b, contact_at(d->pool, left), in);
        contacts_drop(d->pool, left);
        return;
    }
    if (leaving || e->fails >= d->knobs.fails_most + 2) {
        drop_live(d, b, i);
        d->stats.evicted++;
    }
}

bool table_wants(const struct dht *d, const struct contact *c)
{
    const struct bucket *b = bucket_of(d, &c->id);
    if (id_eq(&c->id, &d->id))
        return false;
    return !b || (has_room(d, b, c) && prefix_ok(d, b, &c->addr));
}

void table_heard(struct dht *d, uint64_t now_ms, uint32_t contact)
{
    const struct contact *c = contact_at(d->pool, contact);
    if (id_eq(&c->id, &d->id))
        return;
    struct bucket *b = bucket_make(d, &c->id, now_ms);
    if (find(b->live, b->live_n, contact) >= 0 || find(b->spare, b->spare_n, contact) >= 0 ||
        b->spare_n >= d->knobs.bucket_cache || !has_room(d, b, c) || find_key(d, b, c, contact) >= 0)
        return;
    if (prefix_ok(d, b, &c->addr))
        add_spare(d, b, entry_of(d, contact, ENTRY_HEARD));
}

void table_saved(struct dht *d, uint64_t now_ms, uint32_t contact)
{
    const struct contact *c = contact_at(d->pool, contact);
    if (id_eq(&c->id, &d->id))
        return;
    struct bucket *b = bucket_make(d, &c->id, now_ms);
    if (find(b->live, b->live_n, contact) >= 0 || find(b->spare, b->spare_n, contact) >= 0 ||
        b->spare_n >= d->knobs.k)
        return;
    contacts_hold(d->pool, contact);
    append(&b->spare, &b->spare_n, &b->spare_cap, entry_of(d, contact, ENTRY_HEARD | ENTRY_SAVED));
    d->spare_n++;
    d->saved = true;
}

void table_saved_nearest(struct dht *d, const struct id *target, struct near *v, size_t *n, size_t most)
{
    bool any = false;
    for (uint32_t i = 0; d->saved && i < d->buckets_n; i++)
        for (int j = 0; j < d->buckets[i].spare_n; j++) {
            const struct entry *e = &d->buckets[i].spare[j];
            if (!(e->flags & ENTRY_SAVED))
                continue;
            any = true;
            struct near one = {e->id ^ be64_get(target->b), e->contact};
            near_insert(d, target, v, n, most, one);
        }
    d->saved = any;
}

void table_touch(struct dht *d, uint64_t now_ms, const struct id *target)
{
    struct bucket *b = bucket_of(d, target);
    if (b)
        b->touched_s = seconds(now_ms);
}

void near_insert(const struct dht *d, const struct id *target, struct near *v, size_t *n, size_t most,
                 struct near one)
{
    size_t i = *n;
    while (i > 0 && (v[i - 1].distance > one.distance ||
                     (v[i - 1].distance == one.distance &&
                      id_compare(target, &contact_at(d->pool, one.contact)->id,
                                 &contact_at(d->pool, v[i - 1].contact)->id) < 0)))
        i--;
    if (i == most)
        return;
    if (*n < most)
        (*n)++;
    memmove(v + i + 1, v + i, (*n - i - 1) * sizeof *v);
    v[i] = one;
}

static void nearest_in(const struct dht *d, const struct bucket *b, const struct id *target, int family,
                       struct near *out, size_t *n, size_t most)
{
    for (int i = 0; i < b->live_n; i++) {
        const struct entry *e = &b->live[i];
        if (e->fails >= d->knobs.fails_most || (family && e->ipv6 != (family == 6)))
            continue;
        struct near one = {e->id ^ be64_get(target->b), e->contact};
        if (*n < most || one.distance <= out[*n - 1].distance)
            near_insert(d, target, out, n, most, one);
    }
}

/* The bucket in which the target falls holds the nearest; all deeper ones come next, at one distance from
 * the target; then the shallower ones, one by one. */
size_t table_nearest(const struct dht *d, const struct id *target, int family, struct near *out,
                     size_t most)
{
    size_t n = 0;
    uint32_t at = dht_shared_bits(&d->id, target);
    if (at >= BUCKETS_MOST)
        at = BUCKETS_MOST - 1;
    if (at < d->buckets_n)
        nearest_in(d, &d->buckets[at], target, family, out, &n, most);
    if (n < most)
        for (uint32_t i = at + 1; i < d->buckets_n; i++)
            nearest_in(d, &d->buckets[i], target, family, out, &n, most);
    for (uint32_t i = at < d->buckets_n ? at : d->buckets_n; i-- > 0 && n < most;)
        nearest_in(d, &d->buckets[i], target, family, out, &n, most);
    return n;
}

void table_spacing(struct dht *d, double each)
{
    if (d->spacing_n < SPACINGS_MOST)
        d->spacing_n++;
    d->spacing += (each - d->spacing) / d->spacing_n;
}

/* The j-th nearest of N random ids lies at about j / N of the ring: the mean over our outer neighbours. */
uint64_t table_estimate(const struct dht *d)
{
    struct near v[2 * ANSWER_MOST];
    size_t all = table_nearest(d, &d->id, 0, v, 2 * ANSWER_MOST), n = 0;
    for (size_t i = 0; i < all && n < ANSWER_MOST; i++) /* who has both families stands there twice */
        if (n == 0 || v[n - 1].distance != v[i].distance)
            v[n++] = v[i];
    if (n < ANSWER_MOST)
        return 0;
    size_t outer = n - n / 2;
    double sum = 0;
    for (size_t j = n - outer; j < n; j++)
        sum += (double)v[j].distance / (double)(j + 1);
    /* What lookups found weighs more with each of them: nobody knows beforehand where they end. */
    double each =
        (sum / (double)outer * OWN_WEIGHT + d->spacing * d->spacing_n) / (OWN_WEIGHT + d->spacing_n);
    return each < 1 ? UINT64_MAX : (uint64_t)(18446744073709551616.0 / each);
}

bool address_known(const struct dht *d, uint64_t now_ms, const struct node_key *key, const struct addr *a,
                   bool *in_table)
{
    uint32_t contact = contacts_find(d->pool, key, a), now_s = seconds(now_ms);
    const struct entry *e = contact ? table_find(d, contact) : NULL;
    *in_table = e != NULL;
    if (e && e->fails == 0 && now_s - e->seen_s < PROVEN_S)
        return true;
    uint64_t mark = address_mark(d, key, a);
    const struct recent *set = d->recent[mark / 2 % RECENT_SETS];
    for (uint32_t i = 0; i < RECENT_WAYS; i++)
        if (set[i].mark == mark && now_s - set[i].seen_s < PROVEN_S)
            return true;
    return false;
}

/* Its own place, else that of the one proven longest ago in its set. */
void address_prove(struct dht *d, uint64_t now_ms, const struct node_key *key, const struct addr *a)
{
    uint64_t mark = address_mark(d, key, a);
    struct recent *set = d->recent[mark / 2 % RECENT_SETS], *in = &set[0];
    for (uint32_t i = 0; i < RECENT_WAYS; i++) {
        if (set[i].mark == mark) {
            in = &set[i];
            break;
        }
        if (set[i].seen_s < in->seen_s)
            in = &set[i];
    }
    *in = (struct recent){mark, seconds(now_ms)};
}

bool address_proven(const struct dht *d, uint64_t now_ms, const struct node_key *key, const struct addr *a)
{
    bool in_table;
    return address_known(d, now_ms, key, a, &in_table);
}

void table_free(struct dht *d)
{
    for (uint32_t i = 0; i < d->buckets_n; i++) {
        struct bucket *b = &d->buckets[i];
        while (b->live_n)
            drop_live(d, b, b->live_n - 1);
        while (b->spare_n)
            drop_spare(d, b, b->spare_n - 1);
        free(b->live);
        free(b->spare);
    }
    free(d->buckets);
}
