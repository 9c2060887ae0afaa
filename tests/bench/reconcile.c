/* Reconciling a million ids: the same protocol over chunk sums and over a flat sorted array, whose
 * fingerprints add up every id of a range.  The messages are the same; the time is not. */
#include "node/gossip/negset.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ITEMS = 1000000, RUNS = 5 };

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_order(const void *a, const void *b)
{
    const struct neg_item *x = a, *y = b;
    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    return memcmp(&x->id, &y->id, sizeof x->id);
}

/* ---- the flat array ---- */
struct flat {
    struct neg_item *item;
    size_t n;
};

static size_t flat_count(const void *arg)
{
    return ((const struct flat *)arg)->n;
}

static size_t flat_lower_bound(const void *arg, const struct neg_bound *b)
{
    const struct flat *f = arg;
    const struct neg_item at = {b->created, b->id};
    size_t lo = 0, hi = f->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (by_order(&f->item[mid], &at) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void flat_item(const void *arg, size_t index, struct neg_item *out)
{
    *out = ((const struct flat *)arg)->item[index];
}

static void flat_sum(const void *arg, size_t from, size_t to, uint8_t out[static 32])
{
    const struct flat *f = arg;
    uint64_t sum[4] = {0};
    for (size_t i = from; i < to; i++) {
        uint64_t w[4];
        unsigned carry = 0;
        memcpy(w, f->item[i].id.b, sizeof w); /* as if every machine were little-endian */
        for (int k = 0; k < 4; k++) {
            uint64_t t;
            bool c1 = __builtin_add_overflow(sum[k], w[k], &t);
            bool c2 = __builtin_add_overflow(t, carry, &sum[k]);
            carry = c1 | c2;
        }
    }
    memcpy(out, sum, sizeof sum);
}

struct cost {
    double ms[2];
    size_t bytes[2], exchanges, need;
};

static struct cost session(const struct neg_set view[2], size_t frame)
{
    struct cost c = {{0, 0}, {0, 0}, 0, 0};
    struct neg side[2];
    struct buf message = {0}, answer = {0};
    for (int i = 0; i < 2; i++)
        neg_init(&side[i], &view[i], frame);
    double t = now_ms();
    neg_initiate(&side[0], &message);
    c.ms[0] = now_ms() - t;
    while (message.n > 1) {
        buf_clear(&answer);
        t = now_ms();
        MUST(neg_reconcile(&side[1], buf_view(&message), &answer) == 0);
        c.ms[1] += now_ms() - t;
        c.bytes[0] += message.n;
        c.bytes[1] += answer.n;
        c.exchanges++;
        buf_clear(&message);
        t = now_ms();
        MUST(neg_reconcile(&side[0], buf_view(&answer), &message) == 0);
        c.ms[0] += now_ms() - t;
        c.need += side[0].need_n;
    }
    buf_free(&message);
    buf_free(&answer);
    neg_free(&side[0]);
    neg_free(&side[1]);
    return c;
}

struct scene {
    const char *what;
    size_t missing;
    bool newest;
};

static struct cost best_of(const struct neg_set view[2], size_t frame)
{
    struct cost best = {.ms = {1e9, 1e9}};
    for (int i = 0; i < RUNS; i++) {
        struct cost c = session(view, frame);
        if (c.ms[0] + c.ms[1] < best.ms[0] + best.ms[1])
            best = c;
    }
    return best;
}

static void print_cost(const char *what, const char *over, const struct cost *c)
{
    printf("%-22s %-16s found %4zu, %2zu exchanges, %6zu B up, %6zu B down, %6.2f + %6.2f ms\n", what, over,
           c->need, c->exchanges, c->bytes[0], c->bytes[1], c->ms[0], c->ms[1]);
}

static void measure(const struct neg_item *item, const struct scene *s)
{
    struct negset *set[2] = {negset_new(), negset_new()};
    struct flat flat[2];
    struct neg_set views[2], flats[2];
    uint8_t *gone = xcalloc(ITEMS, 1);
    struct rng r;
    rng_seed_u64(&r, s->missing);
    for (size_t k = 0; k < s->missing;) {
        size_t i = s->newest ? ITEMS - 1 - k : rng_below(&r, ITEMS);
        k += !gone[i];
        gone[i] = 1;
    }
    for (size_t side = 0; side < 2; side++) {
        flat[side] = (struct flat){xcalloc(ITEMS, sizeof *item), 0};
        for (size_t i = 0; i < ITEMS; i++)
            if (side == 1 || !gone[i]) {
                negset_add(set[side], item[i].created, &item[i].id);
                flat[side].item[flat[side].n++] = item[i];
            }
        views[side] = negset_view(set[side]);
        flats[side] = (struct neg_set){&flat[side], flat_count, flat_lower_bound, flat_item, flat_sum};
    }
    struct cost plain = best_of(flats, 0), sums = best_of(views, 0), framed = best_of(views, 48000);
    print_cost(s->what, "flat", &plain);
    print_cost("", "sums", &sums);
    print_cost("", "sums, 48 kB", &framed);
    printf("%-22s ratio of times %.3f; the same bytes: %s\n", "",
           (sums.ms[0] + sums.ms[1]) / (plain.ms[0] + plain.ms[1]),
           sums.bytes[0] == plain.bytes[0] && sums.bytes[1] == plain.bytes[1] ? "yes" : "NO");
    free(gone);
    for (int side = 0; side < 2; side++) {
        free(flat[side].item);
        negset_free(set[side]);
    }
}

static void measure_adding(const struct neg_item *item)
{
    struct negset *set = negset_new();
    double begin = now_ms();
    for (size_t i = 0; i < ITEMS; i++)
        negset_add(set, item[i].created, &item[i].id);
    double added = now_ms();
    (void)negset_view(set);
    printf("added in no order: %.0f ns and %.1f B an item; all prefix sums anew %.3f ms\n",
           (added - begin) * 1e6 / ITEMS, (double)negset_bytes(set) / ITEMS, now_ms() - added);
    negset_free(set);
}

int main(void)
{
    static const struct scene scenes[] = {{"none missing", 0, false},
                                          {"1 missing", 1, false},
                                          {"100 scattered missing", 100, false},
                                          {"1000 scattered missing", 1000, false},
                                          {"1000 newest missing", 1000, true}};
    struct neg_item *item = xcalloc(ITEMS, sizeof *item);
    struct rng r;
    rng_seed_u64(&r, 1);
    for (size_t i = 0; i < ITEMS; i++) {
        item[i].created = 1790000000000 + rng_below(&r, 30 * 86400000ULL);
        rng_bytes(&r, item[i].id.b, sizeof item[i].id.b);
    }
    measure_adding(item);
    qsort(item, ITEMS, sizeof *item, by_order);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        measure(item, &scenes[i]);
    free(item);
    return 0;
}
