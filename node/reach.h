/* reach.h: how this node finds others and stays with some of them: the DHT behind its sealed datagrams, and
 * the sessions that are kept up (peers named by the owner, carriers of topics found in the DHT, nodes met).
 */
#ifndef SOUK_REACH_H
#define SOUK_REACH_H
#include "dht/dht.h"
#include "dht/seal.h"
#include "node/node.h"

enum { REACH_SESSIONS = 8 }; /* kept up by our own dialling */

struct reach;
/* keys: borrowed for the life of it. */
struct reach *reach_new(const struct node_config *config, const struct keys *keys, struct rng *rng);
void reach_free(struct reach *r);
struct dht *reach_dht(struct reach *r); /* NULL before boot */
void reach_boot(struct reach *r, struct core *c);
void reach_dgram(struct reach *r, struct core *c, const struct addr *from, uint8_t via, struct span bytes);
void reach_session_up(struct reach *r, struct core *c, const struct node_key *peer);
void reach_session_down(struct reach *r, struct core *c, const struct node_key *peer);
void reach_stop(struct reach *r, struct core *c); /* saves the table, says goodbye */
void reach_wake(struct reach *r, struct core *c);
uint64_t reach_next_wake(const struct reach *r);
/* Dials a node whose address is known, or looks for it in the DHT and dials it then.  Repeating is cheap.
 */
void reach_find(struct reach *r, struct core *c, const struct node_key *node);
/* Sends what the engine wants sent; call after any command to the engine (dht_*_start). */
void reach_flush(struct reach *r, struct core *c);

void reach_seal(const struct reach *r, struct dht_seal_stats *out, struct dht_seal_knobs *most);

/* The next finished query that another room began, or NULL; reach takes its own. */
const struct dht_result *reach_result(struct reach *r, struct core *c);
#endif
