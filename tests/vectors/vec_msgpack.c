/* vec_msgpack.c: the msgpack test suite (kawanet/msgpack-test-suite): every form of a value.
 *
 * The lax cursor must read each form as the value meant; the canonical one must take the shortest form
 * alone, and only where souk's canonical form has such values: no floats, ext types, or keys that are
 * strings. */
#include "crypto/wire/cursor.h"
#include "crypto/wire/json.h"
#include "crypto/wire/pack.h"
#include "tests/vectors/vectors.h"
#include <stdlib.h>

struct wanted {
    const char *kind;
    struct span value; /* MessagePack of what the file gives */
    struct buf shortest;
    bool exists; /* in souk's form at all */
    bool canonical;
};

static const char *const kinds[] = {"bool",  "binary", "number",    "bignum", "string",
                                    "array", "map",    "timestamp", "ext"};

static struct cursor lax(struct span value)
{
    struct cursor c;
    cursor_init(&c, value);
    c.lax = true;
    return c;
}

/* "c4-01-ff" */
static bool dashed_hex(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n; i += 3) {
        uint8_t byte;
        if (text.n - i < 2 || !hex_decode(&byte, 1, (const char *)text.p + i, 2))
            return false;
        buf_append(out, &byte, 1);
    }
    return true;
}

static void want_shortest(struct wanted *w)
{
    buf_clear(&w->shortest);
    if (strcmp(w->kind, "binary") == 0) {
        struct buf bytes = {0};
        dashed_hex(&bytes, vec_text(w->value));
        pack_bin(&w->shortest, buf_view(&bytes));
        buf_free(&bytes);
    } else if (strcmp(w->kind, "bignum") == 0) {
        struct span text = vec_text(w->value);
        json_to_wire(&w->shortest, text, NULL);
    } else {
        buf_span(&w->shortest, w->value);
    }
    w->exists = strcmp(w->kind, "timestamp") != 0 && strcmp(w->kind, "ext") != 0;
    struct buf text = {0};
    wire_json(&text, buf_view(&w->shortest));
    struct cursor c = lax(buf_view(&w->shortest));
    bool string_keys = strcmp(w->kind, "string") != 0 && text.n && memmem(text.p, text.n, "\":", 2);
    w->canonical = w->exists && cursor_peek(&c) != WIRE_DOUBLE && !string_keys;
    buf_free(&text);
}

static bool same_value(const struct wanted *w, struct span form)
{
    struct cursor a = lax(buf_view(&w->shortest)), b = lax(form);
    if (strcmp(w->kind, "number") == 0 || strcmp(w->kind, "bignum") == 0) {
        if (cursor_peek(&b) != WIRE_DOUBLE && cursor_peek(&a) == cursor_peek(&b) &&
            cursor_peek(&a) == WIRE_UINT)
            return cursor_uint(&a, 0, UINT64_MAX) == cursor_uint(&b, 0, UINT64_MAX);
        double x = cursor_double(&a), y = cursor_double(&b);
        return !cursor_end(&a) && !cursor_end(&b) && !(x < y) && !(x > y);
    }
    struct buf left = {0}, right = {0};
    bool same = wire_json(&left, buf_view(&w->shortest)) == 0 && wire_json(&right, form) == 0 &&
                span_eq(buf_view(&left), buf_view(&right));
    buf_free(&left);
    buf_free(&right);
    return same;
}

static void check_form(const struct wanted *w, struct span hex, struct vec_result *result)
{
    struct buf form = {0};
    struct span text = vec_text(hex);
    const int n = (int)text.n;
    const char *s = (const char *)text.p;
    if (!dashed_hex(&form, text)) {
        vec_count(result, false, "not hexadecimal: %.*s", n, s);
        buf_free(&form);
        return;
    }
    struct cursor c = lax(buf_view(&form));
    cursor_skip(&c);
    bool read = cursor_end(&c) == 0;
    vec_count(result, read == w->exists, "%s %.*s: lax: %s", w->kind, n, s, read ? "taken" : "refused");
    if (w->exists)
        vec_count(result, same_value(w, buf_view(&form)), "%s %.*s: read as another value", w->kind, n, s);
    bool taken = wire_check(buf_view(&form)) == 0;
    bool must = w->canonical && span_eq(buf_view(&form), buf_view(&w->shortest));
    vec_count(result, taken == must, "%s %.*s: canonical: %s", w->kind, n, s, taken ? "taken" : "refused");
    buf_free(&form);
}

static void check_case(struct span one, struct vec_result *result)
{
    struct wanted w = {0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !w.kind; i++) {
        w.value = vec_field(one, kinds[i]);
        if (w.value.n)
            w.kind = kinds[i];
    }
    static const uint8_t nil = 0xc0;
    if (!w.kind) { /* vec_field takes null for absent */
        w.kind = "nil";
        w.value = span(&nil, 1);
    }
    struct span forms = vec_field(one, "msgpack");
    if (!forms.n)
        return;
    struct span big = vec_field(one, "bignum"); /* exact where a JSON number may not be */
    if (big.n && strcmp(w.kind, "number") == 0) {
        w.kind = "bignum";
        w.value = big;
    }
    want_shortest(&w);
    struct cursor c = lax(forms);
    for (size_t n = cursor_array(&c, 0, SIZE_MAX); n > 0 && !c.err; n--)
        check_form(&w, cursor_skip(&c), result);
    buf_free(&w.shortest);
}

int vec_msgpack(struct span json, struct vec_result *result)
{
    struct buf file = {0};
    int err = json_to_wire(&file, json, NULL);
    if (err == 0) {
        struct cursor c = lax(buf_view(&file));
        for (size_t n = cursor_map(&c, SIZE_MAX); n > 0 && !c.err; n--) {
            cursor_str(&c, 0, SIZE_MAX);
            size_t cases = cursor_array(&c, 0, SIZE_MAX);
            for (size_t i = 0; i < cases && !c.err; i++)
                check_case(cursor_skip(&c), result);
            cursor_leave(&c);
        }
        err = cursor_end(&c);
    }
    buf_free(&file);
    return err;
}
