/* candidates.c: the nodes that a lookup knows of, in order of distance, and whom it believes.
 *
 * What an answer names is hearsay.  A liar names nodes that do not exist, existing ones at addresses where
 * they are not, or many at addresses of its own.  Therefore:
 *
 * - Every candidate remembers who named it.  A teller three of whose named are overdue, and twice as many
 * as have answered, is not believed: whom only such tellers named waits until there is nobody else to ask.
 * - A node told of at several addresses is a candidate at each of them, until one answers; else the first
 *   liar would hide it behind a false address.
 * - The limit by prefix counts in one teller's words, and among those asked or answered (lookup.c); never
 *   against what others say.  Else a liar would shut out an honest node with inventions of its prefix.
 * - When the list is full, the teller who alone vouches for most of what is still to be asked loses its
 *   farthest.  Else inventions nearer to the target would push out everybody. */
#include "dht/inner.h"

enum { BAD_MOST = 3, MUTE_TRIED = 16 /* one of so many of a mute family is asked: it may be back */ };

struct candidate *lookup_find(struct query *q, uint32_t contact)
{
    for (uint32_t i = 0; i < q->cands_n; i++)
        if (q->cands[i].contact == contact)
            return &q->cands[i];
    return NULL;
}

static int near_bits(uint64_t distance)
{
    return distance ? __builtin_clzll(distance) : 64;
}

static uint64_t bit_of(uint8_t teller)
{
    return teller ? 1ull << (teller - 1) : 0;
}

bool candidate_doubted(const struct dht *d, const struct query *q, const struct candidate *c)
{
    return d->knobs.doubt && c->named_by && !(c->named_by & ~q->liars);
}

/* One more, or one fewer, of its named has answered or is overdue. */
static void judge(struct query *q, uint64_t named_by, int good, int bad)
{
    for (; named_by; named_by &= named_by - 1) {
        int i = __builtin_ctzll(named_by);
        struct teller *t = &q->told[i];
        t->good = (uint8_t)(t->good + good);
        t->bad = (uint8_t)(t->bad + bad);
        bool liar = t->bad >= BAD_MOST && t->bad > t->good && i < TELLERS_MOST - 1;
        q->liars = liar ? q->liars | 1ull << i : q->liars & ~(1ull << i);
    }
}

void candidate_answered(struct query *q, struct candidate *c)
{
    judge(q, c->named_by, 1, c->blamed ? -1 : 0);
    c->blamed = false;
    c->state = CAND_ANSWERED;
    if (!c->teller)
        c->teller = (uint8_t)(q->tellers_n < TELLERS_MOST ? ++q->tellers_n : TELLERS_MOST);
}

void candidate_overdue(struct query *q, struct candidate *c)
{
    c->state = CAND_SLOW;
    c->blamed = true;
    judge(q, c->named_by, 0, 1);
}

bool candidate_elsewhere(const struct query *q, const struct dht *d, uint32_t i)
{
    const struct candidate *c = &q->cands[i];
    const struct node_key *key = &contact_at(d->pool, c->contact)->key;
    uint32_t j = i;
    while (j > 0 && q->cands[j - 1].distance == c->distance)
        j--;
    for (; j < q->cands_n && q->cands[j].distance == c->distance; j++)
        if (j != i && q->cands[j].state == CAND_ANSWERED &&
            node_key_eq(&contact_at(d->pool, q->cands[j].contact)->key, key))
            return true;
    return false;
}

/* May it be asked: two of a prefix among those equally near, ten in all, as in the table? */
bool candidate_prefix_ok(const struct dht *d, const struct query *q, const struct candidate *one)
{
    if (!one->prefix)
        return true;
    uint32_t same = 0, all = 0;
    int near = near_bits(one->distance);
    for (uint32_t i = 0; i < q->cands_n; i++) {
        const struct candidate *c = &q->cands[i];
        if (c->prefix != one->prefix || (c->state != CAND_ASKED && c->state != CAND_ANSWERED))
            continue;
        all++;
        same += near_bits(c->distance) == near;
    }
    return same < d->knobs.prefix_bucket && all < d->knobs.prefix_table;
}

/* The same for what one teller names. */
static bool fair_share(const struct dht *d, const struct query *q, uint8_t teller, uint64_t distance,
                       uint64_t prefix)
{
    uint32_t same = 0, all = 0;
    uint64_t bit = bit_of(teller);
    if (!bit || !prefix || teller == TELLERS_MOST)
        return true;
    for (uint32_t i = 0; i < q->cands_n; i++) {
        const struct candidate *c = &q->cands[i];
        if (!(c->named_by & bit) || c->prefix != prefix)
            continue;
        all++;
        same += near_bits(c->distance) == near_bits(distance);
    }
    return same < d->knobs.prefix_bucket && all < d->knobs.prefix_table;
}

static void forget(struct dht *d, struct query *q, uint32_t i)
{
    struct candidate *c = &q->cands[i];
    contacts_drop(d->pool, c->contact);
    memmove(c, c + 1, (q->cands_n - i - 1) * sizeof *c);
    q->cands_n--;
}

/* For whom one teller alone stands: its number from 0; TELLERS_MOST: our own table; -1: several. */
static int alone(const struct candidate *c)
{
    if (!c->named_by)
        return TELLERS_MOST;
    return c->named_by & (c->named_by - 1) ? -1 : __builtin_ctzll(c->named_by);
}

/* Makes room for one at this distance, named by this teller; false: it is the newcomer that has none. */
static bool make_room(struct dht *d, struct query *q, uint64_t distance, uint8_t teller)
{
    uint8_t count[TELLERS_MOST + 1] = {0};
    int mine = teller ? teller - 1 : TELLERS_MOST, most = mine;
    count[mine] = 1;
    for (uint32_t i = q->cands_n; i-- > 0;) {
        const struct candidate *c = &q->cands[i];
        if (c->state != CAND_NEW)
            continue;
        if (candidate_doubted(d, q, c)) {
            forget(d, q, i);
            return true;
        }
        int by = d->knobs.doubt ? alone(c) : -1;
        if (by >= 0 && ++count[by] > count[most])
            most = by;
    }
    bool fair = d->knobs.doubt && count[most] > 1 && count[most] > count[mine] + 1;
    for (uint32_t i = q->cands_n; i-- > 0;) {
        const struct candidate *c = &q->cands[i];
        if (c->state != CAND_NEW || (fair && alone(c) != most))
            continue;
        if (!fair && c->distance <= distance)
            return false;
        forget(d, q, i);
        return true;
    }
    return false;
}

/* The first that is not nearer. */
static uint32_t place_of(const struct query *q, uint64_t distance)
{
    uint32_t low = 0, high = q->cands_n;
    while (low < high) {
        uint32_t at = low + (high - low) / 2;
        if (q->cands[at].distance < distance)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

void lookup_add(struct dht *d, struct query *q, uint32_t contact, uint8_t hop, uint8_t path, uint8_t teller)
{
    const struct contact *c = contact_at(d->pool, contact);
    uint64_t distance = id_distance(&c->id, &q->target);
    uint32_t addresses = 0;
    if (q->family && addr_is_ipv4(&c->addr) != (q->family == 4))
        return;
    if (!q->family && family_mute(d, !addr_is_ipv4(&c->addr)) && rng_below(d->rng, MUTE_TRIED))
        return;
    for (uint32_t j = place_of(q, distance); j < q->cands_n && q->cands[j].distance == distance; j++) {
        struct candidate *other = &q->cands[j];
        if (other->contact == contact) {
            if (other->named_by && !(other->named_by & bit_of(teller))) {
                other->named_by |= bit_of(teller);
                judge(q, bit_of(teller), other->state == CAND_ANSWERED, other->blamed);
            }
            return;
        }
        if (!node_key_eq(&contact_at(d->pool, other->contact)->key, &c->key))
            continue;
        if (other->state == CAND_ANSWERED)
            return; /* it is known where it is */
        addresses += other->state != CAND_FAILED;
    }
    uint64_t prefix = addr_exempt(d, &c->addr) ? 0 : addr_prefix(&c->addr);
    if (id_eq(&c->id, &d->id) || addresses >= d->knobs.addresses ||
        !fair_share(d, q, teller, distance, prefix))
        return;
    if (q->cands_n >= d->knobs.candidates && !make_room(d, q, distance, teller))
        return;
    if (q->cands_n == q->cands_cap) {
        q->cands_cap = q->cands_cap ? q->cands_cap * 2 : 32;
        q->cands = xrealloc(q->cands, q->cands_cap * sizeof *q->cands);
    }
    uint32_t i = distance < UINT64_MAX ? place_of(q, distance + 1) : q->cands_n;
    memmove(q->cands + i + 1, q->cands + i, (q->cands_n++ - i) * sizeof *q->cands);
    q->cands[i] = (struct candidate){.distance = distance,
                                     .prefix = prefix,
                                     .named_by = bit_of(teller),
                                     .contact = contact,
                                     .hop = hop,
                                     .path = path};
    contacts_hold(d->pool, contact);
}
