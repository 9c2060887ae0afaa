#include "tests/vectors/own.h"
#include "crypto/wire/json.h"
#include <stdio.h>

void own_begin(struct own_file *f, struct buf *out, const char *name, const char *about, unsigned work_bits,
               unsigned puzzle_bits)
{
    *f = (struct own_file){.out = out};
    char hex[33];
    MUST(network_make(&f->net, name, work_bits, puzzle_bits, true) == 0);
    rng_seed_u64(&f->rng, (uint64_t)name[0] << 16 | work_bits << 8 | puzzle_bits);
    buf_printf(out, "{\n \"about\": ");
    json_str(out, span_str(about));
    buf_printf(out,
               ",\n \"network\": {\"name\": \"%s\", \"work_bits\": %u, \"puzzle_bits\": %u, \"id\": "
               "\"%s\"},\n \"vectors\": [",
               name, work_bits, puzzle_bits, hex_encode(hex, f->net.id.b, sizeof f->net.id.b));
}

void own_vector(struct own_file *f, const char *what, const char *result, const char *shows)
{
    buf_printf(f->out, "%s\n  {\"what\": \"%s\", \"result\": \"%s\", \"shows\": ", f->open ? "\n  }," : "",
               what, result);
    f->open = true;
    json_str(f->out, span_str(shows));
}

static void name_put(struct own_file *f, const char *name)
{
    buf_printf(f->out, ",\n   \"%s\": ", name);
}

static void hex_put(struct buf *out, struct span bytes)
{
    buf_append(out, "\"", 1);
    uint8_t *at = buf_grow(out, 2 * bytes.n + 1); /* hex_encode ends with a zero */
    hex_encode((char *)at, bytes.p, bytes.n);
    out->n--;
    buf_append(out, "\"", 1);
}

void own_hex(struct own_file *f, const char *name, struct span bytes)
{
    name_put(f, name);
    hex_put(f->out, bytes);
}

void own_number(struct own_file *f, const char *name, int64_t value)
{
    name_put(f, name);
    buf_printf(f->out, "%lld", (long long)value);
}

void own_text(struct own_file *f, const char *name, const char *text)
{
    name_put(f, name);
    json_str(f->out, span_str(text));
}

void own_list(struct own_file *f, const char *name, const struct span *bytes, size_t n)
{
    name_put(f, name);
    buf_printf(f->out, "[");
    for (size_t i = 0; i < n; i++) {
        buf_printf(f->out, "%s", i ? ", " : "");
        hex_put(f->out, bytes[i]);
    }
    buf_printf(f->out, "]");
}

void own_end(struct own_file *f)
{
    buf_printf(f->out, "%s\n ]\n}\n", f->open ? "\n  }" : "");
}

void own_key(struct keypair *out, uint8_t seed)
{
    uint8_t bytes[32];
    memset(bytes, seed, sizeof bytes);
    sign_keypair_from_seed(out, bytes);
}

void own_identity(struct identity *out, uint8_t seed)
{
    struct keypair k;
    own_key(&k, seed);
    memcpy(out->b, k.pk, sizeof out->b);
}

struct span own_spoilt(struct arena *a, struct span bytes, ptrdiff_t at, uint8_t change)
{
    uint8_t *copy = arena_alloc(a, bytes.n);
    MUST(copy && (size_t)(at < 0 ? -at - 1 : at) < bytes.n);
    memcpy(copy, bytes.p, bytes.n);
    copy[at < 0 ? (ptrdiff_t)bytes.n + at : at] ^= change;
    return span(copy, bytes.n);
}

struct span own_joined(struct arena *a, const struct span *parts, size_t n)
{
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += parts[i].n;
    uint8_t *copy = arena_alloc(a, all + 1);
    MUST(copy);
    for (size_t i = 0, at = 0; i < n; at += parts[i++].n)
        if (parts[i].n)
            memcpy(copy + at, parts[i].p, parts[i].n);
    return span(copy, all);
}

const char *own_class(int err)
{
    switch (err) {
    case 0:
        return "good";
    case SOUK_EFORM:
    case SOUK_ERANGE:
    case SOUK_EMISSING:
    case SOUK_EUNKNOWN_CRITICAL:
        return "form";
    case SOUK_EEXPIRED:
    case SOUK_EFUTURE:
        return "time";
    case SOUK_EINVALID:
    case SOUK_ENOT_ALLOWED:
        return "rule";
    default:
        return err_name(err);
    }
}

struct span own_field(struct span test, const char *name, struct arena *a)
{
    struct buf b = {0};
    struct span out = {0};
    if (vec_hex(vec_field(test, name), &b))
        out = arena_copy(a, buf_view(&b));
    buf_free(&b);
    return out;
}

bool own_same(struct span test, const char *name, struct span bytes)
{
    struct buf b = {0};
    struct span field = vec_field(test, name);
    bool same = !field.n || (vec_hex(field, &b) && span_eq(buf_view(&b), bytes));
    buf_free(&b);
    return same;
}

bool own_same_number(struct span test, const char *name, int64_t value)
{
    struct span field = vec_field(test, name);
    return !field.n || (vec_number(field, ~value) == value);
}

static bool network_read(struct network *net, struct span it)
{
    struct span name = vec_text(vec_field(it, "name"));
    char text[40] = {0};
    if (!name.n || name.n >= sizeof text)
        return false;
    memcpy(text, name.p, name.n);
    return network_make(net, text, (unsigned)vec_number(vec_field(it, "work_bits"), 0),
                        (unsigned)vec_number(vec_field(it, "puzzle_bits"), 0), true) == 0 &&
           own_same(it, "id", SPAN_OF(net->id));
}

static const char *judge(const struct network *net, struct span test, const struct own_what *whats,
                         size_t n)
{
    static char found[80];
    struct arena a;
    arena_init(&a, 1 << 20);
    const char *got = "other: no check of that name";
    for (size_t i = 0; i < n; i++)
        if (vec_text_is(vec_field(test, "what"), whats[i].what))
            got = whats[i].run(net, test, &a);
    snprintf(found, sizeof found, "%s", got);
    arena_free(&a);
    return found;
}

int own_run(struct span json, struct vec_result *result, const struct own_what *whats, size_t n)
{
    struct buf wire = {0};
    struct network net;
    int err = json_to_wire(&wire, json, NULL);
    struct span list = vec_field(buf_view(&wire), "vectors");
    if (!err && !network_read(&net, vec_field(buf_view(&wire), "network")))
        err = SOUK_EFORM;
    for (size_t i = 0; !err && i < vec_length(list); i++) {
        struct span test = vec_item(list, i), shows = vec_text(vec_field(test, "shows"));
        const char *got = judge(&net, test, whats, n);
        vec_count(result, vec_text_is(vec_field(test, "result"), got), "%zu, %.*s: %s", i, (int)shows.n,
                  shows.n ? (const char *)shows.p : "", got);
    }
    buf_free(&wire);
    return err;
}
