/* dht_liars.h: hostile machines for the simulator's DHT: they know each other and every honest node, and
 * answer together.
 *
 * A liar runs an engine of its own, so that it joins, answers pings and stands in tables like everybody
 * else; lookups, reads and writes of others it answers itself, in one or several of these ways.  An answer
 * names 20 nodes, divided among the ways chosen:
 *
 *     COLLUDE   the liars nearest to the target
 *     SHADOW    the honest nodes nearest to the target, each at an address where nobody is
 *     INVENT    keys that nobody has, at addresses where nobody is: of a pool of `invented` keys, which all
 *               liars share and made beforehand, some of the nearest to the target
 *     SQUAT     the same, at addresses in the /24 of the honest nodes nearest to the target
 *     DENY      it has no value
 *     STALE     an older value of the same author, where one is known (liars_remember)
 *     FORGET    "stored", and nothing is
 *     REFUSE    a write is refused: a far higher seq is said to be held
 *     STALL     a write shall wait, for as long as a node may ask
 *     SLOW      every answer comes slow_ms late
 *     ELSEWHERE who asks is told a false address of its own */
#ifndef SOUK_SIM_DHT_LIARS_H
#define SOUK_SIM_DHT_LIARS_H
#include "tests/sim/dht_world.h"

enum {
    LIAR_COLLUDE = 1,
    LIAR_SHADOW = 2,
    LIAR_INVENT = 4,
    LIAR_SQUAT = 8,
    LIAR_DENY = 16,
    LIAR_STALE = 32,
    LIAR_FORGET = 64,
    LIAR_REFUSE = 128,
    LIAR_STALL = 256,
    LIAR_SLOW = 512,
    LIAR_ELSEWHERE = 1024
};

struct liars;
struct liars *liars_new(struct dht_world *w, unsigned ways, size_t invented, uint32_t slow_ms);
void liars_free(struct liars *l); /* after the world */
void liars_ways(struct liars *l, unsigned ways);
void liars_take(struct liars *l, size_t place); /* a machine that is up turns hostile */
/* A hostile machine in an empty place that joins: its id is the nearest to `near` of `tries` keys (NULL:
 * any), its address as given (NULL: as the world gives it). */
void liars_start(struct liars *l, size_t place, const struct id *near, uint64_t tries,
                 const struct addr *addr);
/* To be called when all machines stand, and after others have come: who is where. */
void liars_look(struct liars *l);
void liars_remember(struct liars *l, const struct id *key, struct span value); /* for STALE; copied */
bool liars_is(const struct liars *l, const struct node_key *key);
/* The honest machines nearest to the target, nearest first: places.  most: up to 20. */
size_t liars_honest_near(const struct liars *l, const struct id *target, size_t *out, size_t most);
size_t liars_count(const struct liars *l);
#endif
