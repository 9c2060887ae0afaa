/* dht_attack_replay.h: datagrams recorded and played back, forged, and sent with forged addresses, for
 * dht_attack.h.
 *
 * A calm network of sealed datagrams, without loss, in which values are put, put again (a higher seq) and
 * got.  The attacker sees every datagram where it arrives.
 *
 *     REPLAY   every datagram of the puts and of the first gets is sent again to where it went, from the
 *              address that it came from and from his own, and to some other node: at once, a minute later,
 *              an hour later.  There is no knob for what stops it (request ids, tokens, seq, the seal):
 *              beside it stands the same network without the attack.
 *     FORGE    he answers every request before the node that was asked can, from its address and in its
 *              name: nothing is there, it is stored, here is the old value.  Off: datagrams are not sealed.
 *     SPOOF    he asks every node everything, with the address of a victim that never asked, short and
 *              padded.  Off: no rule of amplification.
 *     STRANGERS  he sends one node datagrams of thousands of keys that it has not met, from as many /24s,
 *              so that it computes.  Off: no budgets.
 *
 * What is checked: dht_attack_replay.c, `good`. */
#ifndef SOUK_SIM_DHT_ATTACK_REPLAY_H
#define SOUK_SIM_DHT_ATTACK_REPLAY_H
#include "tests/sim/dht_attack.h"

/* All of them, printed and plotted (`plot replay …`), on so many nodes. */
bool attack_replays(size_t nodes, uint64_t seed);
#endif
