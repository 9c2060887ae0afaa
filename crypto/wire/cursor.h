/* cursor.h: the judge of form.  Reads MessagePack in souk's one canonical form, allocating nothing.
 *
 * Canonical: shortest integer and length forms, no floats, no ext types, map keys strictly rising, strings
 * valid UTF-8 without control characters, depth at most 8, no bytes left over.  The cursor fails sticky:
 * after the first mistake every read gives zero and `err` stays, so that a decoder reads to its end and
 * asks once.  Counts of arrays and maps are checked against the bytes that remain (an element takes at
 * least one byte), so that a hostile count costs nothing.
 *
 * `lax` reads clients of the local socket, whose encoders are not ours, and JSON that was turned into
 * MessagePack: longer forms than needed, floats, newline and tab in strings, keys in any order, depth up to
 * 32, and hex strings where fixed-size bins are meant are then allowed; duplicate keys are not (the
 * generated decoders see to it). */
#ifndef SOUK_CURSOR_H
#define SOUK_CURSOR_H
#include "crypto/base/err.h"
#include "crypto/base/span.h"

enum { CURSOR_DEPTH = 8, CURSOR_LAX_DEPTH = 32 };
enum wire_type {
    WIRE_NIL,
    WIRE_BOOL,
    WIRE_UINT,
    WIRE_INT,
    WIRE_STR,
    WIRE_BIN,
    WIRE_ARRAY,
    WIRE_MAP,
    WIRE_DOUBLE, /* lax only */
    WIRE_BAD
};

struct cursor {
    const uint8_t *at, *end;
    int err; /* 0, SOUK_EFORM, SOUK_ERANGE, SOUK_EMISSING, SOUK_EUNKNOWN_CRITICAL */
    uint8_t depth;
    bool lax;
    uint32_t skipped;  /* unknown keys that a decoder stepped over */
    const char *field; /* set by decoders before each read, so that it names where it failed; static */
    /* Why it failed, for cursor_report: "longer than" 140 " bytes".  Static storage, but for `name`. */
    const char *why, *unit;
    uint64_t bound;
    bool bound_shown, bound_negative;
    struct span name;  /* an unknown key or value, borrowed from the input */
    const char *known; /* what would have been understood: "title, body" */
};
void cursor_init(struct cursor *c, struct span s);
int cursor_fail(struct cursor *c, int err, const char *field); /* keeps the first failure; returns c->err */
int cursor_end(struct cursor *c); /* SOUK_EFORM when bytes are left; else err */
/* Fills r (may be NULL) with words such as "listing.title: longer than 140 bytes"; returns c->err. */
int cursor_report(const struct cursor *c, struct report *r);
enum wire_type cursor_peek(const struct cursor *c); /* WIRE_INT only for negatives */

uint64_t cursor_uint(struct cursor *c, uint64_t least, uint64_t most);
int64_t cursor_int(struct cursor *c, int64_t least, int64_t most);
bool cursor_bool(struct cursor *c);
void cursor_nil(struct cursor *c);
double cursor_double(struct cursor *c);                               /* also takes integers; lax only */
struct span cursor_str(struct cursor *c, size_t least, size_t most);  /* bytes; borrowed from the input */
struct span cursor_text(struct cursor *c, size_t least, size_t most); /* as str, newlines allowed */
struct span cursor_bin(struct cursor *c, size_t least, size_t most);
void cursor_fixed(struct cursor *c, void *out, size_t n); /* a bin of exactly n bytes */
/* Enters an array or map; returns the count.  Every enter needs a leave. */
size_t cursor_array(struct cursor *c, size_t least, size_t most);
size_t cursor_map(struct cursor *c, size_t most);
void cursor_leave(struct cursor *c);
/* The next key of an integer-keyed map: must exceed *last (start with -1), which it then is. */
uint64_t cursor_key(struct cursor *c, int64_t *last);
/* Steps over one whole value, checking its form; returns its bytes.  It cannot know which strings are
 * texts, so newlines pass. */
struct span cursor_skip(struct cursor *c);
/* Is s canonical as a whole? */
int wire_check(struct span s);
/* Valid UTF-8 with no control characters (U+0000–1F, 7F–9F); newline allowed when `text`. */
bool utf8_ok(struct span s, bool text);
#endif
