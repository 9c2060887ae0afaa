#include "crypto/wire/cursor.h"
#include "tests/vectors/vectors.h"
#include <stdarg.h>
#include <stdio.h>

void vec_count(struct vec_result *result, bool passed, const char *fmt, ...)
{
    if (passed) {
        result->passed++;
        return;
    }
    va_list ap;
    result->failed++;
    fputs("failed: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static struct cursor lax(struct span value)
{
    struct cursor c;
    cursor_init(&c, value);
    c.lax = true;
    return c;
}

static enum wire_type type_of(struct span value)
{
    struct cursor c = lax(value);
    return value.n ? cursor_peek(&c) : WIRE_BAD;
}

struct span vec_field(struct span map, const char *key)
{
    if (type_of(map) != WIRE_MAP)
        return span(NULL, 0);
    struct cursor c = lax(map);
    size_t n = cursor_map(&c, SIZE_MAX);
    for (size_t i = 0; i < n && !c.err; i++) {
        struct span name = cursor_str(&c, 0, SIZE_MAX);
        struct span value = cursor_skip(&c);
        if (!c.err && span_eq(name, span_str(key)))
            return type_of(value) == WIRE_NIL ? span(NULL, 0) : value;
    }
    return span(NULL, 0);
}

struct span vec_text(struct span value)
{
    struct cursor c = lax(value);
    return type_of(value) == WIRE_STR ? cursor_str(&c, 0, SIZE_MAX) : span(NULL, 0);
}

bool vec_text_is(struct span value, const char *text)
{
    return type_of(value) == WIRE_STR && span_eq(vec_text(value), span_str(text));
}

int64_t vec_number(struct span value, int64_t otherwise)
{
    struct cursor c = lax(value);
    int64_t v = value.n ? cursor_int(&c, INT64_MIN, INT64_MAX) : otherwise;
    return c.err ? otherwise : v;
}

size_t vec_length(struct span array)
{
    struct cursor c = lax(array);
    return type_of(array) == WIRE_ARRAY ? cursor_array(&c, 0, SIZE_MAX) : 0;
}

struct span vec_item(struct span array, size_t i)
{
    if (type_of(array) != WIRE_ARRAY)
        return span(NULL, 0);
    struct cursor c = lax(array);
    if (i >= cursor_array(&c, 0, SIZE_MAX))
        return span(NULL, 0);
    while (i--)
        cursor_skip(&c);
    struct span value = cursor_skip(&c);
    return c.err ? span(NULL, 0) : value;
}

bool vec_hex(struct span value, struct buf *out)
{
    if (value.n == 0)
        return true;
    struct span text = vec_text(value);
    if (type_of(value) != WIRE_STR || text.n % 2)
        return false;
    size_t had = out->n;
    if (hex_decode(buf_grow(out, text.n / 2), text.n / 2, (const char *)text.p, text.n))
        return true;
    out->n = had;
    return false;
}

bool vec_hex_fixed(struct span value, void *out, size_t n)
{
    struct span text = vec_text(value);
    return type_of(value) == WIRE_STR && hex_decode(out, n, (const char *)text.p, text.n);
}
