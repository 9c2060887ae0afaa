/* json.c: see json.h.  Recursion is bounded by CURSOR_LAX_DEPTH in both directions. */
#include "crypto/wire/json.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include "crypto/wire/utf8.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_str(struct buf *out, struct span s)
{
    size_t from = 0;
    buf_append(out, "\"", 1);
    for (size_t i = 0; i < s.n; i++) {
        uint8_t b = s.p[i];
        if (b >= 0x20 && b != '"' && b != '\\' && b != 0x7f)
            continue;
        buf_append(out, s.p + from, i - from);
        from = i + 1;
        if (b == '\n')
            buf_append(out, "\\n", 2);
        else if (b == '\t')
            buf_append(out, "\\t", 2);
        else if (b == '"' || b == '\\')
            buf_printf(out, "\\%c", b);
        else
            buf_printf(out, "\\u%04x", b);
    }
    if (s.n > from)
        buf_append(out, s.p + from, s.n - from);
    buf_append(out, "\"", 1);
}

void json_hex(struct buf *out, const void *p, size_t n)
{
    buf_append(out, "\"", 1);
    if (n) {
        char *hex = (char *)buf_grow(out, 2 * n + 1);
        hex_encode(hex, p, n);
        out->n--; /* its terminator */
    }
    buf_append(out, "\"", 1);
}

static void write_value(struct buf *out, struct cursor *c);

static void write_key(struct buf *out, struct cursor *c)
{
    if (cursor_peek(c) == WIRE_STR)
        json_str(out, cursor_str(c, 0, SIZE_MAX));
    else if (cursor_peek(c) == WIRE_UINT)
        buf_printf(out, "\"%" PRIu64 "\"", cursor_uint(c, 0, UINT64_MAX));
    else
        buf_printf(out, "\"%" PRId64 "\"", cursor_int(c, INT64_MIN, INT64_MAX));
}

static void write_container(struct buf *out, struct cursor *c, bool map)
{
    size_t n = map ? cursor_map(c, SIZE_MAX) : cursor_array(c, 0, SIZE_MAX);
    buf_append(out, map ? "{" : "[", 1);
    for (size_t i = 0; i < n && !c->err; i++) {
        if (i)
            buf_append(out, ",", 1);
        if (map) {
            write_key(out, c);
            buf_append(out, ":", 1);
        }
        write_value(out, c);
    }
    buf_append(out, map ? "}" : "]", 1);
    cursor_leave(c);
}

static void write_double(struct buf *out, double d)
{
    if (isfinite(d))
        buf_printf(out, "%.17g", d);
    else
        buf_printf(out, "null");
}

static void write_value(struct buf *out, struct cursor *c)
{
    switch (cursor_peek(c)) {
    case WIRE_BOOL:
        buf_printf(out, "%s", cursor_bool(c) ? "true" : "false");
        return;
    case WIRE_UINT:
        buf_printf(out, "%" PRIu64, cursor_uint(c, 0, UINT64_MAX));
        return;
    case WIRE_INT:
        buf_printf(out, "%" PRId64, cursor_int(c, INT64_MIN, INT64_MAX));
        return;
    case WIRE_DOUBLE:
        write_double(out, cursor_double(c));
        return;
    case WIRE_STR:
        json_str(out, cursor_str(c, 0, SIZE_MAX));
        return;
    case WIRE_BIN: {
        struct span s = cursor_bin(c, 0, SIZE_MAX);
        json_hex(out, s.p, s.n);
        return;
    }
    case WIRE_ARRAY:
    case WIRE_MAP:
        write_container(out, c, cursor_peek(c) == WIRE_MAP);
        return;
    default:
        cursor_nil(c);
        buf_printf(out, "null");
    }
}

int wire_json(struct buf *out, struct span msgpack)
{
    struct cursor c;
    cursor_init(&c, msgpack);
    c.lax = true;
    size_t before = out->n;
    write_value(out, &c);
    if (cursor_end(&c))
        out->n = before;
    return c.err;
}

struct reader {
    const uint8_t *start, *at, *end;
    struct buf *out;
    struct buf scratch; /* the string being read */
    unsigned depth;
    struct report *report;
    int err;
};

static void fail(struct reader *r, const char *why)
{
    if (r->err)
        return;
    size_t line = 1, column = 1;
    for (const uint8_t *p = r->start; p < r->at; p++) {
        column = *p == '\n' ? 1 : column + ((*p & 0xc0) != 0x80);
        line += *p == '\n';
    }
    r->err = report_set(r->report, SOUK_EFORM, "line %zu, column %zu: %s", line, column, why);
}

static int next(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
    return r->at < r->end ? *r->at : -1;
}

static bool word(struct reader *r, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, text, n) != 0)
        return false;
    r->at += n;
    return true;
}

static uint32_t four_hex(struct reader *r)
{
    uint8_t two[2] = {0, 0};
    if (r->end - r->at < 4 || !hex_decode(two, 2, (const char *)r->at, 4)) {
        fail(r, "\\u needs four hexadecimal digits");
        return 0;
    }
    r->at += 4;
    return be16_get(two);
}

static void put_utf8(struct buf *b, uint32_t u)
{
    uint8_t c[4];
    size_t n = u < 0x80 ? 1 : u < 0x800 ? 2 : u < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; u >>= 6)
        c[i] = (uint8_t)(0x80 | (u & 0x3f));
    c[0] = (uint8_t)(lead[n] | u);
    buf_append(b, c, n);
}

static void read_unicode(struct reader *r)
{
    uint32_t u = four_hex(r);
    if (u >= 0xd800 && u < 0xdc00 && word(r, "\\u")) {
        uint32_t low = four_hex(r);
        if (low >= 0xdc00 && low < 0xe000)
            u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
    }
    if (u >= 0xd800 && u < 0xe000)
        fail(r, "half a surrogate pair");
    else
        put_utf8(&r->scratch, u);
}

static void read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *hit = r->at < r->end && *r->at ? strchr(from, *r->at) : NULL;
    if (hit) {
        r->at++;
        buf_append(&r->scratch, &to[hit - from], 1);
    } else if (word(r, "u")) {
        read_unicode(r);
    } else {
        fail(r, "no such escape in a string");
    }
}

static void read_string(struct reader *r)
{
    const uint8_t *open = r->at++;
    buf_clear(&r->scratch);
    while (!r->err) {
        const uint8_t *from = r->at;
        while (r->at < r->end && *r->at >= 0x20 && *r->at != '"' && *r->at != '\\')
            r->at++;
        if (r->at > from && !utf8_fits(span(from, (size_t)(r->at - from)), UTF8_LAX)) {
            r->at = open;
            fail(r, "this string is not valid UTF-8, or has control characters");
            return;
        }
        buf_append(&r->scratch, from, (size_t)(r->at - from));
        if (r->at == r->end)
            fail(r, "the text ends inside a string");
        else if (*r->at < 0x20)
            fail(r, "control characters and line ends in strings must be escaped");
        else if (*r->at++ == '"')
            break;
        else
            read_escape(r);
    }
    if (!r->err)
        pack_str(r->out, buf_view(&r->scratch));
}

static bool digits(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *from = *at;
    while (*at < end && **at >= '0' && **at <= '9')
        ++*at;
    return *at > from;
}

static void pack_number(struct reader *r, const char *text, bool whole)
{
    char *stop;
    if (whole && text[0] == '-') {
        errno = 0;
        long long v = strtoll(text, &stop, 10);
        if (errno == 0) {
            pack_int(r->out, v);
            return;
        }
    } else if (whole) {
        errno = 0;
        unsigned long long v = strtoull(text, &stop, 10);
        if (errno == 0) {
            pack_uint(r->out, v);
            return;
        }
    }
    pack_double(r->out, strtod(text, &stop));
}

static void read_number(struct reader *r)
{
    const uint8_t *from = r->at, *at = from;
    bool whole = true;
    at += *at == '-';
    const uint8_t *first = at;
    bool good = digits(&at, r->end) && (*first != '0' || at == first + 1);
    if (good && at < r->end && *at == '.') {
        at++;
        whole = false;
        good = digits(&at, r->end);
    }
    if (good && at < r->end && (*at == 'e' || *at == 'E')) {
        at++;
        whole = false;
        at += at < r->end && (*at == '+' || *at == '-');
        good = digits(&at, r->end);
    }
    char text[64];
    size_t n = (size_t)(at - from);
    if (!good || n >= sizeof text) {
        fail(r, good ? "a number of more than 63 characters" : "neither a value nor a number");
        return;
    }
    memcpy(text, from, n);
    text[n] = 0;
    r->at = at;
    pack_number(r, text, whole);
}

/* The count of a container is known at its end: its header is then put before what it holds. */
static void put_header(struct reader *r, size_t start, size_t n, bool map)
{
    struct buf h = {0};
    if (map)
        pack_map(&h, n);
    else
        pack_array(&h, n);
    size_t held = r->out->n - start;
    buf_grow(r->out, h.n);
    memmove(r->out->p + start + h.n, r->out->p + start, held);
    memcpy(r->out->p + start, h.p, h.n);
    buf_free(&h);
}

static void read_value(struct reader *r);

static void read_entry(struct reader *r, bool map)
{
    if (map) {
        if (next(r) != '"') {
            fail(r, "a key in quotes should stand here");
            return;
        }
        read_string(r);
        if (!r->err && next(r) != ':') {
            fail(r, "a colon should stand here");
            return;
        }
        r->at++;
    }
    if (!r->err)
        read_value(r);
}

static void read_container(struct reader *r, bool map)
{
    const char close = map ? '}' : ']';
    size_t start = r->out->n, n = 0;
    if (r->depth == CURSOR_LAX_DEPTH) {
        fail(r, "nested more than 32 deep");
        return;
    }
    r->depth++;
    r->at++;
    if (next(r) == close) {
        r->at++;
    } else {
        for (bool more = true; more && !r->err;) {
            read_entry(r, map);
            n++;
            int sign = r->err ? 0 : next(r);
            more = sign == ',';
            if (!r->err && !more && sign != close)
                fail(r, map ? "a comma or } should stand here" : "a comma or ] should stand here");
            r->at += r->err ? 0 : 1;
        }
    }
    r->depth--;
    if (!r->err)
        put_header(r, start, n, map);
}

static void read_value(struct reader *r)
{
    int c = next(r);
    if (c == '"')
        read_string(r);
    else if (c == '{' || c == '[')
        read_container(r, c == '{');
    else if (word(r, "true"))
        pack_bool(r->out, true);
    else if (word(r, "false"))
        pack_bool(r->out, false);
    else if (word(r, "null"))
        pack_nil(r->out);
    else if (c < 0)
        fail(r, "the text ends where a value should stand");
    else
        read_number(r);
}

int json_to_wire(struct buf *out, struct span json, struct report *report)
{
    struct reader r = {.start = json.p, .at = json.p, .end = json.p + json.n, .out = out, .report = report};
    size_t before = out->n;
    read_value(&r);
    if (!r.err && next(&r) >= 0)
        fail(&r, "the value is over, but text follows");
    buf_free(&r.scratch);
    if (r.err)
        out->n = before;
    return r.err;
}
