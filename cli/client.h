/* client.h: the C library for a node's socket: connect, call, wait for events.  Blocking; one thread a
 * client.  Links the codecs, never the node. */
#ifndef SOUK_CLIENT_H
#define SOUK_CLIENT_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"

struct client;
/* timeout_ms: how long a call waits for its answer (SOUK_ETIMEOUT); 0: as long as its method may take, a
 * minute for most; CLIENT_PATIENT: for ever.  SOUK_ENO_NODE with words when no node runs in this home. */
#define CLIENT_PATIENT UINT64_MAX
int client_open(struct client **out, const char *home, uint64_t timeout_ms, struct report *r);
void client_close(struct client *c);
/* Calls a method with one MessagePack map; result is replaced by the bytes of the result.  On a refusal the
 * report holds the node's own code and words.  After SOUK_ETIMEOUT nobody knows whether it was done: an
 * answer that comes later is dropped. */
int client_call(struct client *c, const char *method, struct span params, struct buf *result,
                struct report *r);
/* Waits up to timeout_ms (negative: for ever) for a notification; its params replace out.  SOUK_ETIMEOUT.
 */
int client_wait(struct client *c, int timeout_ms, struct buf *out, struct report *r);
#endif
