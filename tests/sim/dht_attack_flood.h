/* dht_attack_flood.h: storage flooding, for dht_attack.h: an attacker fills the stores of honest nodes with
 * values that are validly signed, so that those of others find no room or are pushed out.
 *
 * He knows every honest node and writes straight to it: one exchange for a token, one for the write, one
 * more when told to wait; he comes back with the ticket.  Nothing makes him write near a key, so that one
 * signature serves for a value on every node.  His machines are many (node keys are free but for their
 * puzzle), each at an address in one of `prefixes` /24s.  What he writes:
 *
 *     EVERYWHERE  pointers of 700 bytes, one and a half times as many as a store has places, on every node
 *     AROUND      the same on the 20 nodes nearest to each of a few victims' keys, with keys ground near
 *     TOPIC       provider records of one topic on the 20 nodes nearest to it, one for each of his machines
 *
 * Before the flood honest people have put values that fill a quarter of the places; in its second half
 * others put theirs; then both are got, carefully, while the flood goes on.  In a topic: carriers announced
 * before and during the flood; a search succeeds when it brings one of them.
 *
 * Stores are smaller than in the daemon, all their bounds in proportion (flood_knobs), so that a whole
 * network can be filled.  Off is: no bounds by prefix, no waiting, and a full store drops the oldest of
 * all.  The bounds of count and bytes stay: what is checked of them must hold either way. */
#ifndef SOUK_SIM_DHT_ATTACK_FLOOD_H
#define SOUK_SIM_DHT_ATTACK_FLOOD_H
#include "tests/sim/dht_attack.h"

/* Floods of the kind that belong to CI (small) or all, printed and plotted (`plot flood …`); false: a
 * defence did not reach what is promised, a flood did no harm without, or a store passed its bounds. */
bool attack_floods(bool small, size_t nodes, uint64_t seed);
#endif
