/* vec_negentropy.c: each case is one reconciliation between two sets; every message of both sides must be
 * the transcript's, byte for byte, and the client must learn exactly what it has and needs. */
#include "crypto/base/buf.h"
#include "crypto/wire/json.h"
#include "node/gossip/negset.h"
#include "tests/vectors/vectors.h"
#include <sodium.h>
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
