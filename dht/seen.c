/* seen.c: our own addresses, as those whom we ask report them.
 *
 * Every answer says where its request came from.  The word of a stranger must not move us: only answers to
 * our own requests count, about the family by which they came; a prefix (/24, of IPv6 /48: one owner has
 * many /64) has one vote, its last; of those who spoke last, more than half and at least three must say the
 * same. What we then take for ours stays until so many say something else, so that votes split between two
 * addresses of one machine leave it at the first.  A configured address is never asked about. */
#include "dht/inner.h"

enum { VOTES_LEAST = 3 };

/* Each family has places of its own: with both, half of them. */
static struct vote *votes_of(struct dht *d, bool six, uint32_t **n, uint32_t *most)
{
    bool both = d->ipv6 && !d->no_ipv4;
    *n = &d->votes_n[six];
    *most = both ? VOTES_MOST / 2 : VOTES_MOST;
    return d->votes + (both && six ? VOTES_MOST / 2 : 0);
}

static uint64_t voter(const struct dht *d, const struct addr *from, const struct node_key *peer)
{
    return addr_exempt(d, from) ? be64_get(peer->b) : addr_site(from);
}

/* The newest votes are last. */
static void cast(struct vote *v, uint32_t *n, uint32_t most, struct vote one)
{
    uint32_t out = 0;
    while (out < *n && v[out].by != one.by)
        out++;
    if (out == *n && *n == most)
        out = 0;
    if (out < *n) {
        memmove(v + out, v + out + 1, (*n - out - 1) * sizeof *v);
        --*n;
    }
    v[(*n)++] = one;
}

void seen_take(struct dht *d, uint64_t now_ms, const struct addr *from, const struct node_key *peer,
               struct span seen)
{
    struct vote one;
    bool six = !addr_is_ipv4(from);
    uint32_t *n, most, same = 0;
    if (seen.n != ADDR_BYTES || (six ? d->addr6 : d->addr).port)
        return;
    addr_unpack(&one.said, seen.p);
    if (!dht_usable(d, &one.said) || addr_is_ipv4(&one.said) == six)
        return;
    one.by = voter(d, from, peer);
    struct vote *v = votes_of(d, six, &n, &most);
    cast(v, n, most, one);
    for (uint32_t i = 0; i < *n; i++)
        same += addr_eq(&v[i].said, &one.said);
    if (same < VOTES_LEAST || 2 * same <= *n || addr_eq(&d->learnt[six], &one.said))
        return;
    d->learnt[six] = one.said;
    own_moved(d, now_ms, six ? 6 : 4);
}

bool dht_addr(const struct dht *d, int family, struct addr *out)
{
    if (family == 0)
        return dht_addr(d, 4, out) || dht_addr(d, 6, out);
    const struct addr *told = family == 4 ? &d->addr : &d->addr6;
    if (family == 4 ? d->no_ipv4 : !d->ipv6)
        return false;
    if (!told->port)
        told = &d->learnt[family == 6];
    if (!told->port)
        return false;
    *out = *told;
    return true;
}
