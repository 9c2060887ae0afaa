/* pack.h: writes canonical MessagePack at the end of a buf, with msgpack-c's packer (which emits shortest
 * forms).  Map keys must be given in rising order by the caller; the generated encoders are. */
#ifndef SOUK_PACK_H
#define SOUK_PACK_H
#include "crypto/base/buf.h"

void pack_uint(struct buf *b, uint64_t v);
void pack_int(struct buf *b, int64_t v);
void pack_bool(struct buf *b, bool v);
void pack_nil(struct buf *b);
void pack_double(struct buf *b, double v); /* only for the local socket, never in what is signed */
void pack_str(struct buf *b, struct span s);
void pack_cstr(struct buf *b, const char *s);
void pack_bin(struct buf *b, struct span s);
void pack_array(struct buf *b, size_t n);
void pack_map(struct buf *b, size_t n);
#endif
