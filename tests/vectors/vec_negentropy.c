/* vec_negentropy.c: each case is one reconciliation between two sets; every message of both sides must be
 * the transcript's, byte for byte, and the client must learn exactly what it has and needs.  In souk's own
 * (horizon.json) either side may have a horizon, at the place of the item whose number is given. */
#include "crypto/base/buf.h"
#include "crypto/wire/json.h"
#include "node/gossip/negset.h"
#include "tests/vectors/own.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEMS_MOST = 10000000 };

static void item_of(uint64_t seed, uint64_t i, int64_t base, int64_t spread, struct neg_item *out)
{
    uint8_t in[16];
    be64_put(in, seed);
    be64_put(in + 8, i);
    crypto_hash_sha256(out->id.b, in, sizeof in);
    out->created = (uint64_t)base + (spread ? be32_get(out->id.b) % (uint64_t)spread : 0);
}

static struct negset *set_of(struct span c, const char *missing_name)
{
    struct negset *s = negset_new();
    struct span missing = vec_field(c, missing_name);
    int64_t count = vec_number(vec_field(c, "count"), 0);
    bool *gone = xcalloc((size_t)count, 1);
    for (size_t i = 0; i < vec_length(missing); i++) {
        int64_t at = vec_number(vec_item(missing, i), -1);
        if (at >= 0 && at < count)
            gone[at] = true;
    }
    for (int64_t i = 0; i < count; i++) {
        struct neg_item item;
        item_of((uint64_t)vec_number(vec_field(c, "seed"), 0), (uint64_t)i,
                vec_number(vec_field(c, "timestamp_base"), 0),
                vec_number(vec_field(c, "timestamp_spread"), 0), &item);
        if (!gone[i])
            negset_add(s, item.created, &item.id);
    }
    free(gone);
    return s;
}

static struct neg_bound since_of(struct span c, const char *name)
{
    struct neg_item item;
    int64_t at = vec_number(vec_field(c, name), -1);
    if (at < 0)
        return (struct neg_bound){0};
    item_of((uint64_t)vec_number(vec_field(c, "seed"), 0), (uint64_t)at,
            vec_number(vec_field(c, "timestamp_base"), 0), vec_number(vec_field(c, "timestamp_spread"), 0),
            &item);
    return (struct neg_bound){.created = item.created, .id = item.id, .n = sizeof item.id.b};
}

struct learnt {
    struct id *id;
    size_t n, cap;
};

static void learnt_add(struct learnt *l, const struct id *id, size_t n)
{
    if (!n)
        return;
    l->id = xrealloc(l->id, (l->n + n) * sizeof *l->id);
    memcpy(l->id + l->n, id, n * sizeof *id);
    l->n += n;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

/* Expected: indices of items, or ids in hex. */
static bool same_ids(struct learnt *got, struct span c, const char *name)
{
    struct span want = vec_field(c, name);
    struct learnt expect = {0};
    if (!want.n)
        return true; /* the file does not say */
    for (size_t i = 0; i < vec_length(want); i++) {
        struct neg_item item;
        if (!vec_hex_fixed(vec_item(want, i), item.id.b, sizeof item.id.b))
            item_of((uint64_t)vec_number(vec_field(c, "seed"), 0),
                    (uint64_t)vec_number(vec_item(want, i), 0), 0, 0, &item);
        learnt_add(&expect, &item.id, 1);
    }
    if (got->n)
        qsort(got->id, got->n, sizeof *got->id, by_bytes);
    if (expect.n)
        qsort(expect.id, expect.n, sizeof *expect.id, by_bytes);
    bool same =
        got->n == expect.n && (!got->n || memcmp(got->id, expect.id, got->n * sizeof *got->id) == 0);
    free(expect.id);
    return same;
}

/* A file from elsewhere may say anything. */
static bool plausible(struct span c)
{
    int64_t count = vec_number(vec_field(c, "count"), 0);
    return count >= 0 && count <= ITEMS_MOST && vec_number(vec_field(c, "frame_size_limit"), 0) >= 0 &&
           vec_number(vec_field(c, "timestamp_base"), 0) >= 0 &&
           vec_number(vec_field(c, "timestamp_spread"), 0) >= 0 && vec_length(vec_field(c, "messages"));
}

static bool one_case(struct span c)
{
    struct negset *sets[2] = {set_of(c, "client_missing"), set_of(c, "server_missing")};
    struct neg side[2];
    struct span messages = vec_field(c, "messages");
    struct learnt have = {0}, need = {0};
    struct buf last = {0};
    bool good = true;
    for (int i = 0; i < 2; i++) {
        struct neg_set view = negset_view(sets[i]);
        neg_init(&side[i], &view, (size_t)vec_number(vec_field(c, "frame_size_limit"), 0));
        side[i].since = since_of(c, i ? "server_since" : "client_since");
    }
    for (size_t i = 0; good && i < vec_length(messages); i++) {
        struct buf expect = {0}, out = {0};
        struct neg *who = &side[i % 2];
        if (i == 0)
            neg_initiate(who, &out);
        else
            good = neg_reconcile(who, buf_view(&last), &out) == 0;
        if (i && i % 2 == 0) {
            learnt_add(&have, who->have, who->have_n);
            learnt_add(&need, who->need, who->need_n);
        }
        good =
            good && vec_hex(vec_item(messages, i), &expect) && span_eq(buf_view(&expect), buf_view(&out));
        buf_free(&last);
        last = out;
        buf_free(&expect);
    }
    if (good && vec_length(messages) % 2 == 0) { /* the client's last look */
        struct buf out = {0};
        good = neg_reconcile(&side[0], buf_view(&last), &out) == 0 && out.n == 1;
        learnt_add(&have, side[0].have, side[0].have_n);
        learnt_add(&need, side[0].need, side[0].need_n);
        buf_free(&out);
    }
    good = good && same_ids(&have, c, "client_have") && same_ids(&need, c, "client_need");
    for (int i = 0; i < 2; i++) {
        neg_free(&side[i]);
        negset_free(sets[i]);
    }
    buf_free(&last);
    free(have.id);
    free(need.id);
    return good;
}

int vec_negentropy(struct span json, struct vec_result *result)
{
    struct buf file = {0};
    int err = json_to_wire(&file, json, NULL);
    struct span cases = vec_field(buf_view(&file), "cases");
    if (!err && !vec_length(cases))
        err = SOUK_EFORM;
    for (size_t i = 0; !err && i < vec_length(cases); i++) {
        struct span c = vec_item(cases, i), name = vec_text(vec_field(c, "name"));
        vec_count(result, plausible(c) && one_case(c), "%.*s", (int)name.n, (const char *)name.p);
    }
    buf_free(&file);
    return err;
}

/* ---- making ---- */
struct horizon_case {
    const char *name;
    unsigned count, client_missing[4], server_missing[4]; /* numbers of items; zeros are none */
    unsigned client_since, server_since;                  /* the number of an item; 0: no horizon */
};

static void put_numbers(struct buf *out, const char *name, const unsigned *v, size_t n)
{
    char text[32];
    buf_span(out, span_str(",\n    \""));
    buf_span(out, span_str(name));
    buf_span(out, span_str("\": ["));
    for (size_t i = 0; i < n && v[i]; i++) {
        snprintf(text, sizeof text, "%s%u", i ? ", " : "", v[i]);
        buf_span(out, span_str(text));
    }
    buf_span(out, span_str("]"));
}

static void put_since(struct buf *out, const char *name, unsigned number)
{
    char text[64];
    snprintf(text, sizeof text, ",\n    \"%s\": %u", name, number);
    buf_span(out, span_str(text));
}

static void put_hex(struct buf *out, struct span bytes)
{
    char *hex = xmalloc(2 * bytes.n + 1);
    buf_span(out, span_str("\""));
    buf_span(out, span_str(hex_encode(hex, bytes.p, bytes.n)));
    buf_span(out, span_str("\""));
    free(hex);
}

static void put_ids(struct buf *out, const char *name, const struct learnt *l)
{
    buf_span(out, span_str(",\n    \""));
    buf_span(out, span_str(name));
    buf_span(out, span_str("\": ["));
    for (size_t i = 0; i < l->n; i++) {
        buf_span(out, span_str(i ? ", " : ""));
        put_hex(out, SPAN_OF(l->id[i]));
    }
    buf_span(out, span_str("]"));
}

static void put_rounds(struct buf *out, struct span c)
{
    struct negset *sets[2] = {set_of(c, "client_missing"), set_of(c, "server_missing")};
    struct neg side[2];
    struct buf message = {0}, next = {0};
    struct learnt have = {0}, need = {0};
    for (int i = 0; i < 2; i++) {
        struct neg_set view = negset_view(sets[i]);
        neg_init(&side[i], &view, 0);
        side[i].since = since_of(c, i ? "server_since" : "client_since");
    }
    buf_span(out, span_str(",\n    \"messages\": ["));
    neg_initiate(&side[0], &message);
    for (int i = 0; message.n > 1; i++) {
        buf_span(out, span_str(i ? ",\n      " : "\n      "));
        put_hex(out, buf_view(&message));
        buf_clear(&next);
        MUST(neg_reconcile(&side[(i + 1) % 2], buf_view(&message), &next) == 0);
        if (i % 2) {
            learnt_add(&have, side[0].have, side[0].have_n);
            learnt_add(&need, side[0].need, side[0].need_n);
        }
        struct buf swap = message;
        message = next;
        next = swap;
    }
    buf_span(out, span_str("\n    ]"));
    put_ids(out, "client_have", &have);
    put_ids(out, "client_need", &need);
    for (int i = 0; i < 2; i++) {
        neg_free(&side[i]);
        negset_free(sets[i]);
    }
    buf_free(&message);
    buf_free(&next);
    free(have.id);
    free(need.id);
}

static void put_case(struct buf *out, const struct horizon_case *h, unsigned seed)
{
    struct buf head = {0}, wire = {0};
    char text[320];
    snprintf(text, sizeof text,
             "  {\n    \"name\": \"%s\",\n    \"seed\": %u,\n    \"count\": %u,\n    \"timestamp_base\": "
             "1790000000000,\n    \"timestamp_spread\": 1000,\n    \"frame_size_limit\": 0",
             h->name, seed, h->count);
    buf_span(&head, span_str(text));
    put_numbers(&head, "client_missing", h->client_missing, 4);
    put_numbers(&head, "server_missing", h->server_missing, 4);
    if (h->client_since)
        put_since(&head, "client_since", h->client_since);
    if (h->server_since)
        put_since(&head, "server_since", h->server_since);
    buf_span(out, buf_view(&head));
    buf_span(&head, span_str("}"));
    MUST(json_to_wire(&wire, buf_view(&head), NULL) == 0);
    put_rounds(out, buf_view(&wire));
    buf_span(out, span_str("\n  }"));
    buf_free(&head);
    buf_free(&wire);
}

void make_horizon(struct buf *out)
{
    static const struct horizon_case cases[] = {
        {"the client has a horizon: what differs before it is not settled",
         400,
         {3, 50, 100, 300},
         {7, 60, 200, 350},
         269,
         0},
        {"the server has one, and leaves it out of a range that it falls into",
         400,
         {3, 50, 100, 300},
         {7, 60, 200, 350},
         0,
         56},
        {"both have one, not the same", 400, {3, 50, 100, 300}, {7, 60, 200, 350}, 46, 40},
        {"the client's, where all fits into a list", 25, {3, 5, 10, 15}, {7, 6, 20, 24}, 9, 0},
        {"the server's, where all fits into a list", 25, {3, 5, 10, 15}, {7, 6, 20, 24}, 0, 12},
        {"nothing lies behind the client's", 25, {3, 5, 10, 15}, {0}, 18, 0},
    };
    buf_span(
        out,
        span_str("{\n  \"about\": \"Reconciliation with horizons (reconcile.md, section 5): layout and "
                 "items as in tests/vectors/negentropy-v1.json; client_since and server_since are the "
                 "number of the item at whose place the side's horizon is.\",\n  \"cases\": [\n"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_case(out, &cases[i], (unsigned)i + 1);
        buf_span(out, span_str(i + 1 < sizeof cases / sizeof *cases ? ",\n" : "\n"));
    }
    buf_span(out, span_str("  ]\n}\n"));
}
