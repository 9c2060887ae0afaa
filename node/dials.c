/* dials.c: see dials.h. */
#include "node/dials.h"

struct dial *dials_find(struct dials *s, const struct node_key *key)
{
    for (size_t i = 0; i < s->n; i++)
        if (node_key_eq(&s->v[i].key, key))
            return &s->v[i];
    return NULL;
}

void dials_add(struct dials *s, const struct network *net, const struct node_key *key,
               const struct addr *addr, bool named)
{
    struct dial *same = dials_find(s, key), *of_prefix = NULL, *of_all = NULL;
    size_t near = 0, owners = 0;
    if (same) {
        same->addr = *addr;
        same->named |= named;
        return;
    }
    bool exempt = named || (net->loopback && addr_is_private(addr));
    for (size_t i = 0; i < s->n; i++) {
        struct dial *d = &s->v[i];
        owners += d->named;
        if (d->named)
            continue;
        if (!of_all || d->fails > of_all->fails)
            of_all = d;
        if (addr_site(&d->addr) != addr_site(addr))
            continue;
        near++;
        if (!of_prefix || d->fails > of_prefix->fails)
            of_prefix = d;
    }
    if (named && owners >= DIALS_MOST / 2)
        return;
    struct dial *at = s->n < DIALS_MOST ? &s->v[s->n] : of_all;
    if (!exempt && near >= DIALS_PREFIX)
        at = of_prefix->fails ? of_prefix : NULL;
    if (!at)
        return;
    s->n += at == &s->v[s->n];
    *at = (struct dial){.key = *key, .addr = *addr, .named = named};
}
