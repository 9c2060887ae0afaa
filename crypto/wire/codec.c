/* codec.c: see codec.h. */
#include "crypto/wire/codec.h"
#include <inttypes.h>

static void refuse(struct cursor *c, int err, const char *why)
{
    if (c->err)
        return;
    c->why = why;
    cursor_fail(c, err, NULL);
}

void *codec_array(struct cursor *c, struct arena *a, size_t least, size_t most, size_t size, size_t *n)
{
    *n = cursor_array(c, least, most);
    if (*n == 0)
        return NULL;
    void *p = a ? arena_array(a, *n, size) : NULL;
    if (!p) {
        refuse(c, SOUK_ERANGE, "more than this reader has room for");
        *n = 0;
    }
    return p;
}

struct span codec_bin(struct cursor *c, struct arena *a, size_t least, size_t most)
{
    if (!c->lax || cursor_peek(c) != WIRE_STR)
        return cursor_bin(c, least, most);
    struct span hex = cursor_str(c, 2 * least, 2 * most);
    if (c->err)
        return span(NULL, 0);
    uint8_t *p = a ? arena_alloc(a, hex.n / 2 + 1) : NULL;
    if (!p)
        refuse(c, SOUK_ERANGE, "more than this reader has room for");
    else if (!hex_decode(p, hex.n / 2, (const char *)hex.p, hex.n))
        refuse(c, SOUK_EFORM, "not hexadecimal");
    return c->err ? span(NULL, 0) : span(p, hex.n / 2);
}

struct span codec_any(struct cursor *c, size_t least, size_t most)
{
    struct span s = cursor_skip(c);
    if (c->err)
        return s;
    if (s.n < least)
        refuse(c, SOUK_ERANGE, "shorter than allowed");
    else if (s.n > most)
        refuse(c, SOUK_ERANGE, "longer than allowed");
    return c->err ? span(NULL, 0) : s;
}

void codec_currency(struct cursor *c, struct currency *out)
{
    *out = (struct currency){{0}};
    bool lax = c->lax && cursor_peek(c) == WIRE_STR;
    struct span s = lax ? cursor_str(c, 3, 64) : cursor_bin(c, 3, 32);
    if (c->err)
        return;
    bool good = false;
    if (s.n == 3) {
        memcpy(out->b, s.p, 3);
        good = currency_is_iso(out);
    } else if (s.n == 32 && !lax) {
        memcpy(out->b, s.p, 32);
        good = !currency_is_iso(out); /* which has its own, shorter form */
    } else if (s.n == 64) {
        good = hex_decode(out->b, 32, (const char *)s.p, 64) && !currency_is_iso(out);
    }
    if (!good) {
        *out = (struct currency){{0}};
        refuse(c, SOUK_ERANGE, "neither three ISO letters nor an issuer's id");
    }
}

/* {"minor": …, "currency": …}, as JSON has it. */
static void amount_map(struct cursor *c, struct amount *out, int64_t least, int64_t most)
{
    unsigned seen = 0;
    for (size_t n = cursor_map(c, 2); n > 0 && !c->err; n--) {
        struct span key = cursor_str(c, 0, 64);
        unsigned bit = codec_is(key, "minor", 5) ? 1 : codec_is(key, "currency", 8) ? 2 : 0;
        if (bit == 1)
            out->minor = cursor_int(c, least, most);
        else if (bit == 2)
            codec_currency(c, &out->currency);
        if (bit == 0)
            codec_unknown_name(c, key, "minor, currency", false);
        if (seen & bit)
            codec_twice(c);
        seen |= bit;
    }
    if (seen != 3)
        refuse(c, SOUK_EMISSING, "an amount needs both minor and currency");
    cursor_leave(c);
}

void codec_amount(struct cursor *c, struct amount *out, int64_t least, int64_t most)
{
    *out = (struct amount){0};
    if (c->lax && cursor_peek(c) == WIRE_MAP) {
        amount_map(c, out, least, most);
        return;
    }
    cursor_array(c, 2, 2);
    out->minor = cursor_int(c, least, most);
    codec_currency(c, &out->currency);
    cursor_leave(c);
}

void codec_pack_currency(struct buf *b, const struct currency *v)
{
    pack_bin(b, span(v->b, currency_is_iso(v) ? 3 : 32));
}

void codec_pack_amount(struct buf *b, const struct amount *v)
{
    pack_array(b, 2);
    pack_int(b, v->minor);
    codec_pack_currency(b, &v->currency);
}

static const struct codec_enum *row(const struct codec_enum *rows, size_t n, uint64_t value)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].value == value)
            return &rows[i];
    return NULL;
}

uint32_t codec_enum_read(struct cursor *c, const struct codec_enum *rows, size_t n, const char *names,
                         bool open)
{
    if (c->lax && cursor_peek(c) == WIRE_STR) {
        struct span name = cursor_str(c, 0, 200);
        int value = c->err ? 0 : codec_enum_by_name(rows, n, name);
        if (value >= 0)
            return (uint32_t)value;
        c->name = name;
        c->known = names;
        refuse(c, SOUK_ERANGE, "no such choice:");
        return 0;
    }
    uint64_t value = cursor_uint(c, 0, 65535);
    if (c->err || open || row(rows, n, value))
        return (uint32_t)value;
    c->known = names;
    refuse(c, SOUK_ERANGE, "a number that stands for nothing");
    return 0;
}

const char *codec_enum_name(const struct codec_enum *rows, size_t n, uint32_t value)
{
    const struct codec_enum *r = row(rows, n, value);
    return r ? r->name : "unknown";
}

void codec_pack_enum(struct buf *b, const struct codec_enum *rows, size_t n, uint32_t value)
{
    const struct codec_enum *r = row(rows, n, value);
    if (r)
        pack_cstr(b, r->name);
    else
        pack_uint(b, value);
}

int codec_enum_by_name(const struct codec_enum *rows, size_t n, struct span name)
{
    for (size_t i = 0; i < n; i++)
        if (span_eq(name, span_str(rows[i].name)))
            return (int)rows[i].value;
    return SOUK_ENOT_FOUND;
}

void codec_unknown(struct cursor *c, uint64_t key, uint64_t critical_below)
{
    if (c->err)
        return;
    if (key >= critical_below) {
        c->skipped++;
        cursor_skip(c);
        return;
    }
    c->bound = key;
    c->bound_shown = true;
    refuse(c, SOUK_EUNKNOWN_CRITICAL, "a field that is not understood: key");
}

void codec_unknown_name(struct cursor *c, struct span key, const char *known, bool keep)
{
    if (c->err)
        return;
    if (keep) {
        c->skipped++;
        cursor_skip(c);
        return;
    }
    c->name = key;
    c->known = known;
    refuse(c, SOUK_EUNKNOWN_CRITICAL, "no such field:");
}

void codec_twice(struct cursor *c)
{
    refuse(c, SOUK_EFORM, "given twice");
}

void codec_require(struct cursor *c, uint64_t seen, uint64_t required, const char *const *fields)
{
    uint64_t missing = required & ~seen;
    if (c->err || missing == 0)
        return;
    size_t i = 0;
    while (!(missing >> i & 1))
        i++;
    c->why = "required but missing";
    cursor_fail(c, SOUK_EMISSING, fields[i]);
}

void codec_json_currency(struct buf *b, const struct currency *v)
{
    if (currency_is_iso(v))
        buf_printf(b, "\"%.3s\"", (const char *)v->b);
    else
        json_hex(b, v->b, sizeof v->b);
}

void codec_json_amount(struct buf *b, const struct amount *v)
{
    buf_printf(b, "{\"minor\":%" PRId64 ",\"currency\":", v->minor);
    codec_json_currency(b, &v->currency);
    buf_printf(b, "}");
}
