/* cursor.c: see cursor.h.  One function, head(), knows the forms of MessagePack; all else asks it. */
#include "crypto/wire/cursor.h"
#include "crypto/wire/utf8.h"

void cursor_init(struct cursor *c, struct span s)
{
    static const uint8_t nothing[1];
    *c = (struct cursor){0};
    c->at = s.p ? s.p : nothing;
    c->end = c->at + s.n;
}

int cursor_fail(struct cursor *c, int err, const char *field)
{
    if (c->err == 0) {
        c->err = err;
        if (field)
            c->field = field;
    }
    return c->err;
}

static void refuse(struct cursor *c, int err, const char *why)
{
    if (c->err == 0) {
        c->err = err;
        c->why = why;
    }
}

static void refuse_bound(struct cursor *c, const char *why, uint64_t bound, bool negative, const char *unit)
{
    if (c->err)
        return;
    refuse(c, SOUK_ERANGE, why);
    c->bound = bound;
    c->bound_shown = true;
    c->bound_negative = negative;
    c->unit = unit;
}

static bool between(struct cursor *c, uint64_t n, uint64_t least, uint64_t most, const char *less,
                    const char *more, const char *unit)
{
    if (n < least)
        refuse_bound(c, less, least, false, unit);
    else if (n > most)
        refuse_bound(c, more, most, false, unit);
    return c->err == 0;
}

/* The forms 0xc0..0xdf: what follows the first byte, and the least value that needs so many bytes. */
struct form {
    uint8_t type, width;
    bool is_signed;
    uint32_t least;      /* unsigned: the least that is not shorter elsewhere (8 bytes: least + 1) */
    int32_t most_signed; /* signed: the greatest (least negative) that is not shorter elsewhere */
};
static const struct form forms[32] = {
    [0x00] = {WIRE_NIL, 0, false, 0, 0},
    [0x01] = {WIRE_BAD, 0, false, 0, 0}, /* never used by MessagePack */
    [0x02] = {WIRE_BOOL, 0, false, 0, 0},
    [0x03] = {WIRE_BOOL, 0, false, 0, 0},
    [0x04] = {WIRE_BIN, 1, false, 0, 0},
    [0x05] = {WIRE_BIN, 2, false, 0x100, 0},
    [0x06] = {WIRE_BIN, 4, false, 0x10000, 0},
    [0x07] = {WIRE_BAD, 0, false, 0, 0}, /* c7-c9: ext */
    [0x08] = {WIRE_BAD, 0, false, 0, 0},
    [0x09] = {WIRE_BAD, 0, false, 0, 0},
    [0x0a] = {WIRE_DOUBLE, 4, false, 0, 0},
    [0x0b] = {WIRE_DOUBLE, 8, false, 0, 0},
    [0x0c] = {WIRE_UINT, 1, false, 0x80, 0},
    [0x0d] = {WIRE_UINT, 2, false, 0x100, 0},
    [0x0e] = {WIRE_UINT, 4, false, 0x10000, 0},
    [0x0f] = {WIRE_UINT, 8, false, UINT32_MAX, 0},
    [0x10] = {WIRE_INT, 1, true, 0, -0x21},
    [0x11] = {WIRE_INT, 2, true, 0, -0x81},
    [0x12] = {WIRE_INT, 4, true, 0, -0x8001},
    [0x13] = {WIRE_INT, 8, true, 0, INT32_MIN},
    [0x14] = {WIRE_BAD, 0, false, 0, 0}, /* d4-d8: fixext */
    [0x15] = {WIRE_BAD, 0, false, 0, 0},
    [0x16] = {WIRE_BAD, 0, false, 0, 0},
    [0x17] = {WIRE_BAD, 0, false, 0, 0},
    [0x18] = {WIRE_BAD, 0, false, 0, 0},
    [0x19] = {WIRE_STR, 1, false, 0x20, 0},
    [0x1a] = {WIRE_STR, 2, false, 0x100, 0},
    [0x1b] = {WIRE_STR, 4, false, 0x10000, 0},
    [0x1c] = {WIRE_ARRAY, 2, false, 0x10, 0},
    [0x1d] = {WIRE_ARRAY, 4, false, 0x10000, 0},
    [0x1e] = {WIRE_MAP, 2, false, 0x10, 0},
    [0x1f] = {WIRE_MAP, 4, false, 0x10000, 0},
};

static bool shortest(const struct form *f, uint64_t v)
{
    if (f->is_signed)
        return f->width == 8 ? (int64_t)v < f->most_signed : (int64_t)v <= f->most_signed;
    return f->type == WIRE_UINT && f->width == 8 ? v > f->least : v >= f->least;
}

static uint64_t sign_extend(uint64_t v, unsigned width)
{
    MUST(width >= 1 && width <= 8); /* the table of forms says so */
    uint64_t sign = UINT64_C(1) << (8 * width - 1);
    return (v ^ sign) - sign;
}

/* The bits of a double from those of a float. */
static uint64_t widen(uint64_t v)
{
    uint32_t bits = (uint32_t)v;
    float f;
    memcpy(&f, &bits, sizeof f);
    double d = (double)f;
    memcpy(&v, &d, sizeof d);
    return v;
}

/* Takes the first byte of a value and the number behind it: the integer itself (two's complement for
 * WIRE_INT), a length, a count, the bits of a double, or 0/1 of a bool. */
static enum wire_type head(struct cursor *c, uint64_t *v)
{
    *v = 0;
    if (c->err)
        return WIRE_BAD;
    if (c->at == c->end) {
        refuse(c, SOUK_EFORM, "cut short");
        return WIRE_BAD;
    }
    uint8_t b = *c->at++;
    if (b < 0x80)
        return *v = b, WIRE_UINT;
    if (b < 0x90)
        return *v = b & 15, WIRE_MAP;
    if (b < 0xa0)
        return *v = b & 15, WIRE_ARRAY;
    if (b < 0xc0)
        return *v = b & 31, WIRE_STR;
    if (b >= 0xe0)
        return *v = sign_extend(b, 1), WIRE_INT;
    const struct form *f = &forms[b & 31];
    if (f->type == WIRE_BAD || (f->type == WIRE_DOUBLE && !c->lax)) {
        refuse(c, SOUK_EFORM, f->type == WIRE_BAD ? "of a type that has no place here" : "a float");
        return WIRE_BAD;
    }
    if ((size_t)(c->end - c->at) < f->width) {
        refuse(c, SOUK_EFORM, "cut short");
        return WIRE_BAD;
    }
    for (unsigned i = 0; i < f->width; i++)
        *v = *v << 8 | *c->at++;
    if (f->is_signed)
        *v = sign_extend(*v, f->width);
    if (!c->lax && !shortest(f, *v)) {
        refuse(c, SOUK_EFORM, "written in a longer form than needed");
        return WIRE_BAD;
    }
    if (f->type == WIRE_BOOL)
        *v = b & 1;
    if (f->type == WIRE_DOUBLE && f->width == 4)
        *v = widen(*v);
    return f->is_signed && (int64_t)*v >= 0 ? WIRE_UINT : (enum wire_type)f->type;
}

int cursor_end(struct cursor *c)
{
    if (c->at != c->end)
        refuse(c, SOUK_EFORM, "followed by bytes that belong to nothing");
    return c->err;
}

enum wire_type cursor_peek(const struct cursor *c)
{
    if (c->err || c->at == c->end)
        return WIRE_BAD;
    struct cursor probe = *c;
    uint64_t v;
    return head(&probe, &v);
}

uint64_t cursor_uint(struct cursor *c, uint64_t least, uint64_t most)
{
    uint64_t v;
    enum wire_type type = head(c, &v);
    if (type != WIRE_UINT) {
        if (type == WIRE_INT)
            refuse_bound(c, "less than", least, false, "");
        else
            refuse(c, SOUK_EFORM, "not a number");
        return 0;
    }
    return between(c, v, least, most, "less than", "more than", "") ? v : 0;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

int64_t cursor_int(struct cursor *c, int64_t least, int64_t most)
{
    uint64_t v;
    enum wire_type type = head(c, &v);
    if (type != WIRE_UINT && type != WIRE_INT)
        refuse(c, SOUK_EFORM, "not a number");
    else if (type == WIRE_UINT && (v > INT64_MAX || (int64_t)v > most))
        refuse_bound(c, "more than", magnitude(most), most < 0, "");
    else if ((int64_t)v < least)
        refuse_bound(c, "less than", magnitude(least), least < 0, "");
    else if ((int64_t)v > most)
        refuse_bound(c, "more than", magnitude(most), most < 0, "");
    return c->err ? 0 : (int64_t)v;
}

bool cursor_bool(struct cursor *c)
{
    uint64_t v;
    if (head(c, &v) != WIRE_BOOL)
        refuse(c, SOUK_EFORM, "neither true nor false");
    return c->err == 0 && v != 0;
}

void cursor_nil(struct cursor *c)
{
    uint64_t v;
    if (head(c, &v) != WIRE_NIL)
        refuse(c, SOUK_EFORM, "not nil");
}

double cursor_double(struct cursor *c)
{
    uint64_t v;
    enum wire_type type = head(c, &v);
    double d = 0;
    if (type == WIRE_UINT)
        return (double)v;
    if (type == WIRE_INT)
        return (double)(int64_t)v;
    if (type != WIRE_DOUBLE) {
        refuse(c, SOUK_EFORM, "not a number");
        return 0;
    }
    memcpy(&d, &v, sizeof d);
    return d;
}

static const uint8_t *payload(struct cursor *c, uint64_t n)
{
    if (c->err == 0 && n > (uint64_t)(c->end - c->at))
        refuse(c, SOUK_EFORM, "cut short");
    if (c->err)
        return NULL;
    const uint8_t *p = c->at;
    c->at += n;
    return p;
}

static struct span string(struct cursor *c, size_t least, size_t most, enum utf8_rule rule)
{
    uint64_t n;
    if (head(c, &n) != WIRE_STR) {
        refuse(c, SOUK_EFORM, "not a string");
        return span(NULL, 0);
    }
    if (!between(c, n, least, most, "shorter than", "longer than", " bytes"))
        return span(NULL, 0);
    struct span s = {payload(c, n), (size_t)n};
    if (s.p && !utf8_fits(s, c->lax ? UTF8_LAX : rule))
        refuse(c, SOUK_EFORM, "not valid UTF-8, or with control characters");
    return c->err ? span(NULL, 0) : s;
}

struct span cursor_str(struct cursor *c, size_t least, size_t most)
{
    return string(c, least, most, UTF8_LINE);
}

struct span cursor_text(struct cursor *c, size_t least, size_t most)
{
    return string(c, least, most, UTF8_TEXT);
}

struct span cursor_bin(struct cursor *c, size_t least, size_t most)
{
    uint64_t n;
    if (head(c, &n) != WIRE_BIN) {
        refuse(c, SOUK_EFORM, "not binary");
        return span(NULL, 0);
    }
    if (!between(c, n, least, most, "shorter than", "longer than", " bytes"))
        return span(NULL, 0);
    const uint8_t *p = payload(c, n);
    return span(p, p ? (size_t)n : 0);
}

void cursor_fixed(struct cursor *c, void *out, size_t n)
{
    uint64_t got;
    enum wire_type type = head(c, &got);
    bool hex = c->lax && type == WIRE_STR;
    if (type != WIRE_BIN && !hex)
        refuse(c, SOUK_EFORM, "not binary");
    else if (got != (hex ? 2 * n : n))
        refuse_bound(c, "not of exactly", n, false, " bytes");
    const uint8_t *p = payload(c, got);
    if (p && hex && !hex_decode(out, n, (const char *)p, (size_t)got))
        refuse(c, SOUK_EFORM, "not hexadecimal");
    if (c->err)
        memset(out, 0, n);
    else if (p && !hex)
        memcpy(out, p, n);
}

static bool enter(struct cursor *c, uint64_t n, size_t bytes_each)
{
    if (c->err == 0 && n > (uint64_t)(c->end - c->at) / bytes_each)
        refuse(c, SOUK_EFORM, "cut short");
    if (c->err == 0 && c->depth >= (c->lax ? CURSOR_LAX_DEPTH : CURSOR_DEPTH))
        refuse(c, SOUK_EFORM, "nested too deep");
    if (c->err)
        return false;
    c->depth++;
    return true;
}

size_t cursor_array(struct cursor *c, size_t least, size_t most)
{
    uint64_t n;
    if (head(c, &n) != WIRE_ARRAY)
        refuse(c, SOUK_EFORM, "not an array");
    else
        between(c, n, least, most, "of fewer than", "of more than", " elements");
    return enter(c, n, 1) ? (size_t)n : 0;
}

size_t cursor_map(struct cursor *c, size_t most)
{
    uint64_t n;
    if (head(c, &n) != WIRE_MAP)
        refuse(c, SOUK_EFORM, "not a map");
    else
        between(c, n, 0, most, "", "of more than", " entries");
    return enter(c, n, 2) ? (size_t)n : 0;
}

void cursor_leave(struct cursor *c)
{
    if (c->err)
        return;
    MUST(c->depth > 0);
    c->depth--;
}

uint64_t cursor_key(struct cursor *c, int64_t *last)
{
    uint64_t v;
    if (head(c, &v) != WIRE_UINT || v > INT64_MAX)
        refuse(c, SOUK_EFORM, "keyed by something that is not a small number");
    else if ((int64_t)v <= *last)
        refuse(c, SOUK_EFORM, "with keys that do not rise strictly");
    if (c->err)
        return 0;
    *last = (int64_t)v;
    return v;
}

/* A container on the way of cursor_skip: how many items it still holds (a map's entry counts as two). */
struct level {
    uint64_t left;
    int64_t last;
    bool map;
};

static void skip_key(struct cursor *c, int64_t *last)
{
    enum wire_type type = c->lax ? cursor_peek(c) : WIRE_UINT;
    if (type == WIRE_STR) {
        cursor_str(c, 0, SIZE_MAX);
    } else if (c->lax) {
        cursor_int(c, INT64_MIN, INT64_MAX);
    } else {
        cursor_key(c, last);
    }
}

struct span cursor_skip(struct cursor *c)
{
    struct level levels[CURSOR_LAX_DEPTH + 1];
    struct level *at = levels;
    const uint8_t *from = c->at;
    *at = (struct level){.left = 1};
    while (c->err == 0 && at >= levels) {
        if (at->left == 0) {
            if (at > levels)
                cursor_leave(c);
            at--;
            continue;
        }
        bool is_key = at->map && at->left % 2 == 0;
        at->left--;
        if (is_key) {
            skip_key(c, &at->last);
            continue;
        }
        uint64_t n;
        switch (head(c, &n)) {
        case WIRE_STR: {
            struct span s = {payload(c, n), (size_t)n};
            if (s.p && !utf8_fits(s, c->lax ? UTF8_LAX : UTF8_TEXT))
                refuse(c, SOUK_EFORM, "not valid UTF-8, or with control characters");
            break;
        }
        case WIRE_BIN:
            payload(c, n);
            break;
        case WIRE_ARRAY:
            if (enter(c, n, 1))
                *++at = (struct level){.left = n};
            break;
        case WIRE_MAP:
            if (enter(c, n, 2))
                *++at = (struct level){.left = 2 * n, .last = -1, .map = true};
            break;
        default:
            break;
        }
    }
    return c->err ? span(NULL, 0) : span(from, (size_t)(c->at - from));
}

int wire_check(struct span s)
{
    struct cursor c;
    cursor_init(&c, s);
    cursor_skip(&c);
    return cursor_end(&c);
}
