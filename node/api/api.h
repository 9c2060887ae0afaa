/* api.h: the developer's socket (DESIGN 16; spec/api.schema): MessagePack-RPC on Unix streams.
 *
 * A client may pipeline; answers carry the ids of their requests and may come in another order when some
 * wait for a commit, a peer or the DHT.  Bounds: 64 clients; 6 MiB of one request; 64 requests under way
 * and 1 MiB of unread answers a client, beyond which the client is not read (FX_PAUSE) until it reads. */
#ifndef SOUK_API_H
#define SOUK_API_H
#include "node/core.h"

struct api *api_new(const struct network *network, struct rng *rng);
void api_free(struct api *a);
void api_accepted(struct api *a, struct core *c, conn_id conn, enum listener listener);
void api_bytes(struct api *a, struct core *c, conn_id conn, struct span bytes);
void api_drained(struct api *a, struct core *c, conn_id conn);
void api_closed(struct api *a, struct core *c, conn_id conn);
bool api_owns(const struct api *a, conn_id conn);
void api_committed(struct api *a, struct core *c, struct change *change);
void api_wake(struct api *a, struct core *c);
uint64_t api_next_wake(const struct api *a);
/* A new entry of the event log: to subscribers. */
void api_event(struct api *a, struct core *c, uint64_t seq, struct span bytes);
/* A query of the DHT that a method began (its cookie was api_dht_cookie's) is finished. */
struct dht_result;
void api_dht_done(struct api *a, struct core *c, const struct dht_result *result);
#endif
