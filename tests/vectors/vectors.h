/* vectors.h: checks against test vectors that others published: `vectors KIND FILE`.
 *
 * One file vec_KIND.c a kind, one line in the table of main.c.  Files may come from elsewhere: optional
 * fields may be absent, unknown ones are ignored, and there may be any number of tests. */
#ifndef SOUK_VECTORS_H
#define SOUK_VECTORS_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"
#include "crypto/base/span.h"

struct vec_result {
    unsigned passed, failed;
};
/* Runs every test of a file (JSON text) and adds to the counts; says on stderr what failed (vec_count).
 * SOUK_EFORM when the text is not JSON or not of the expected shape. */
typedef int vec_kind(struct span json, struct vec_result *result);
vec_kind vec_noise, vec_ed25519, vec_x25519, vec_merkle, vec_crypto, vec_msgpack, vec_negentropy;

/* Counts one test; when it failed, prints the words to stderr. */
void vec_count(struct vec_result *result, bool passed, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- walking a file (vec_json.c) ----
 * A value is a span of MessagePack that json_to_wire made; everything here is lax and total: what is absent
 * or of another type reads as empty. */
struct span vec_field(struct span map, const char *key); /* n = 0 when absent */
struct span vec_text(struct span value);                 /* bytes of a string; n = 0 for anything else */
bool vec_text_is(struct span value, const char *text);
int64_t vec_number(struct span value, int64_t otherwise);
size_t vec_length(struct span array);
struct span vec_item(struct span array, size_t i); /* n = 0 beyond the end */
/* Appends the bytes of a hex string; false on anything else, out as it was.  Absent: appends nothing. */
bool vec_hex(struct span value, struct buf *out);
/* Exactly n bytes of hex. */
bool vec_hex_fixed(struct span value, void *out, size_t n);
#endif
