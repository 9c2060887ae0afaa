/* client.h: the C library for a node's socket: connect, call, wait for events.  Blocking; one thread a
 * client.  Links the codecs, never the node. */
#ifndef SOUK_CLIENT_H
#define SOUK_CLIENT_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"

struct client;
/* SOUK_ENO_NODE with words when no node runs in this home. */
int client_open(struct client **out, const char *home, struct report *r);
void client_close(struct client *c);
/* Calls a method with one MessagePack map; result is replaced by the bytes of the result.  On a refusal the
 * report holds the node's own code and words. */
int client_call(struct client *c, const char *method, struct span params, struct buf *result,
                struct report *r);
/* Waits up to timeout_ms (negative: for ever) for a notification; its params replace out.  SOUK_ETIMEOUT.
 */
int client_wait(struct client *c, int timeout_ms, struct buf *out, struct report *r);
#endif
