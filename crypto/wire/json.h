/* json.h: JSON for people and programs at the edges: `souk api call`, import files, vectors, JSON views.
 *
 * MessagePack → JSON: bins become hex strings, integer keys strings, floats that are not finite null.
 * JSON (RFC 8259) → MessagePack: integers that fit 64 bits become ints, other numbers doubles; shortest
 * forms; keys stay in their order, so the result is read by a lax cursor.  Depth at most 32 either way. */
#ifndef SOUK_JSON_H
#define SOUK_JSON_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"

/* Appends one value as JSON text.  SOUK_EFORM on bad MessagePack or bytes left over, out then unchanged. */
int wire_json(struct buf *out, struct span msgpack);
/* Appends one JSON value as MessagePack.  SOUK_EFORM, the report naming line and column; out unchanged. */
int json_to_wire(struct buf *out, struct span json, struct report *r);

/* Pieces for JSON views: a quoted, escaped string; a quoted hex string. */
void json_str(struct buf *out, struct span s);
void json_hex(struct buf *out, const void *p, size_t n);
#endif
