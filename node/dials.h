/* dials.h: the nodes that a session may be had with, for node/reach.c: those that the owner named, those
 * met, and those whose records in the DHT say that they carry something.  The last are the word of anybody,
 * who could name one victim's addresses a hundred times; therefore at most DIALS_PREFIX of one /24 (or /48
 * of IPv6) are kept, in whatever number they come, and what the owner named is never displaced. */
#ifndef SOUK_DIALS_H
#define SOUK_DIALS_H
#include "crypto/base/host.h"

enum { DIALS_MOST = 64, DIALS_PREFIX = 4 };
struct dial {
    struct node_key key;
    struct addr addr;
    uint64_t not_before_ms;
    uint32_t fails; /* since it was last met */
    bool named;     /* by the owner */
};
struct dials {
    struct dial v[DIALS_MOST];
    size_t n;
};

/* A node that is known takes the new address.  One too many of a prefix takes the place of the one of it
 * that failed most, or none; one too many in all that of the one that failed most.  named: at most
 * DIALS_MOST / 2. */
void dials_add(struct dials *s, const struct network *net, const struct node_key *key,
               const struct addr *addr, bool named);
struct dial *dials_find(struct dials *s, const struct node_key *key); /* NULL: not among them */
#endif
