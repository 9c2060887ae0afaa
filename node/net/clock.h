/* clock.h: whether this machine's clock is wrong, as far as the nodes that it talks to can tell (DESIGN
 * 18).
 *
 * A node that sets up a session tells its time in its hello.  Peers' clocks never set ours: what they told,
 * carried on by our own monotonic clock, is only compared.  When most disagree by more than five minutes
 * the node pauses what a wrong clock would spoil for good: deletion, acceptance by rule, and signing what
 * is bound to a deadline; and the owner is told.
 *
 * Sessions that we dialled count; only where there are fewer than two do those of strangers as well, since
 * who wants to hold a node up could open many.  One peer alone proves nothing: either may be wrong. */
#ifndef SOUK_NET_CLOCK_H
#define SOUK_NET_CLOCK_H
#include "crypto/base/host.h"

#define CLOCK_APART_MS INT64_C(300000)
enum { CLOCK_PEERS_LEAST = 2, CLOCK_PEERS_MOST = 64 };

struct clock_vote {
    bool dialled;     /* by us */
    int64_t ahead_ms; /* our clock before theirs */
};
struct clock_verdict {
    size_t peers, apart; /* that count; of these the ones that disagree by more than CLOCK_APART_MS */
    int64_t ahead_ms;    /* the middle of the differences: ours before theirs; negative: behind */
    bool wrong;          /* most disagree, and they are enough */
};
void clock_judge(struct clock_verdict *out, const struct clock_vote *votes, size_t n);
/* Words for the owner; empty when no peer disagrees.  Returns out. */
enum { CLOCK_WORDS = 300 };
char *clock_words(char out[static CLOCK_WORDS], const struct clock_verdict *v);
#endif
