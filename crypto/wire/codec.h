/* codec.h: what the generated codecs lean on, beside cursor.h and pack.h.
 *
 * Readers are sticky like the cursor's.  Where the cursor is lax (the local socket), they also take what
 * comes out of JSON: hex strings for bins, {"minor": 1250, "currency": "EUR"} for an amount, the name for
 * an enum's number. */
#ifndef SOUK_CODEC_H
#define SOUK_CODEC_H
#include "crypto/base/amount.h"
#include "crypto/base/arena.h"
#include "crypto/base/buf.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/json.h"
#include "crypto/wire/pack.h"

/* Enters an array of least..most elements and takes memory for it: NULL when empty or refused.  Without an
 * arena, or over its limit, SOUK_ERANGE.  cursor_leave ends it. */
void *codec_array(struct cursor *c, struct arena *a, size_t least, size_t most, size_t size, size_t *n);
/* A bin; from hex into the arena when lax. */
struct span codec_bin(struct cursor *c, struct arena *a, size_t least, size_t most);
/* One whole value of least..most bytes. */
struct span codec_any(struct cursor *c, size_t least, size_t most);
/* [minor, currency]; the currency is a bin of 3 ISO letters or an issuer's 32 bytes. */
void codec_amount(struct cursor *c, struct amount *out, int64_t least, int64_t most);
void codec_currency(struct cursor *c, struct currency *out);
void codec_pack_amount(struct buf *b, const struct amount *v);
void codec_pack_currency(struct buf *b, const struct currency *v);

/* The names of an enum, one row a value; `names` lists them all for reports. */
struct codec_enum {
    uint32_t value;
    const char *name;
};
/* Reads a value of the table (any below 65536 when open). */
uint32_t codec_enum_read(struct cursor *c, const struct codec_enum *rows, size_t n, const char *names,
                         bool open);
const char *codec_enum_name(const struct codec_enum *rows, size_t n, uint32_t value); /* or "unknown" */
void codec_pack_enum(struct buf *b, const struct codec_enum *rows, size_t n, uint32_t value);
int codec_enum_by_name(const struct codec_enum *rows, size_t n, struct span name); /* or SOUK_ENOT_FOUND */

/* An unknown integer key below `critical_below` is refused, others are stepped over and counted. */
void codec_unknown(struct cursor *c, uint64_t key, uint64_t critical_below);
/* An unknown key of a string-keyed map: refused, naming what is known; or stepped over when `keep`. */
void codec_unknown_name(struct cursor *c, struct span key, const char *known, bool keep);
/* The field is given twice. */
void codec_twice(struct cursor *c);
/* Fails with SOUK_EMISSING naming the first field of `required` that is not in `seen`. */
void codec_require(struct cursor *c, uint64_t seen, uint64_t required, const char *const *fields);
static inline bool codec_is(struct span key, const char *name, size_t n)
{
    return key.n == n && memcmp(key.p, name, n) == 0;
}

/* JSON views. */
void codec_json_amount(struct buf *b, const struct amount *v);
void codec_json_currency(struct buf *b, const struct currency *v);
#endif
