#include "node/gossip/negset.h"
#include <stdlib.h>

enum { CHUNK = 100, CHUNK_FIRST = 2 /* anybody can make topics of one record */ };

struct sum {
    uint64_t w[4]; /* little-endian words */
};
struct chunk {
    size_t n, cap; /* cap: items there is memory for, at most CHUNK */
    struct sum sum;
    struct neg_item item[];
};
struct negset {
    struct chunk **chunk;
    uint64_t *first; /* `created` of each chunk's first item: a search need not go to the chunks */
    size_t n, cap, items;
    struct sum *before_sum; /* of all chunks before this one; valid below `dirty` */
    size_t *before_n, dirty;
};

static void sum_add(struct sum *a, const struct sum *b)
{
    unsigned carry = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t t;
        bool c1 = __builtin_add_overflow(a->w[i], b->w[i], &t);
        bool c2 = __builtin_add_overflow(t, carry, &a->w[i]);
        carry = c1 | c2;
    }
}

static void sum_sub(struct sum *a, const struct sum *b)
{
    unsigned borrow = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t t;
        bool c1 = __builtin_sub_overflow(a->w[i], b->w[i], &t);
        bool c2 = __builtin_sub_overflow(t, borrow, &a->w[i]);
        borrow = c1 | c2;
    }
}

static uint64_t le64(const uint8_t *b)
{
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

static struct sum sum_of(const struct id *id)
{
    return (struct sum){{le64(id->b), le64(id->b + 8), le64(id->b + 16), le64(id->b + 24)}};
}

static int compare(const struct neg_item *item, uint64_t created, const struct id *id)
{
    if (item->created != created)
        return item->created < created ? -1 : 1;
    return memcmp(&item->id, id, sizeof *id);
}

static size_t chunk_bytes(size_t cap)
{
    return sizeof(struct chunk) + cap * sizeof(struct neg_item);
}

static struct chunk *chunk_new(size_t cap)
{
    struct chunk *c = xcalloc(1, chunk_bytes(cap));
    c->cap = cap;
    return c;
}

/* Room for n items, n at most CHUNK. */
static struct chunk *chunk_room(struct negset *s, size_t at, size_t n)
{
    struct chunk *c = s->chunk[at];
    size_t cap = c->cap;
    while (cap < n)
        cap = cap * 2 < CHUNK ? cap * 2 : CHUNK;
    if (cap != c->cap) {
        c = s->chunk[at] = xrealloc(c, chunk_bytes(cap));
        c->cap = cap;
    }
    return c;
}

struct negset *negset_new(void)
{
    return xcalloc(1, sizeof(struct negset));
}

void negset_free(struct negset *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        free(s->chunk[i]);
    free(s->chunk);
    free(s->first);
    free(s->before_sum);
    free(s->before_n);
    free(s);
}

size_t negset_count(const struct negset *s)
{
    return s->items;
}

size_t negset_bytes(const struct negset *s)
{
    size_t chunks = 0;
    for (size_t i = 0; i < s->n; i++)
        chunks += chunk_bytes(s->chunk[i]->cap);
    return sizeof *s + chunks +
           s->cap * (sizeof *s->chunk + sizeof *s->first + sizeof *s->before_sum + sizeof *s->before_n);
}

static void grow(struct negset *s)
{
    if (s->n < s->cap)
        return;
    s->cap = s->cap ? s->cap * 2 : 1;
    s->chunk = xrealloc(s->chunk, s->cap * sizeof(struct chunk *));
    s->first = xrealloc(s->first, s->cap * sizeof *s->first);
    s->before_sum = xrealloc(s->before_sum, s->cap * sizeof *s->before_sum);
    s->before_n = xrealloc(s->before_n, s->cap * sizeof *s->before_n);
}

static void changed(struct negset *s, size_t chunk)
{
    if (s->dirty > chunk)
        s->dirty = chunk;
    if (chunk < s->n)
        s->first[chunk] = s->chunk[chunk]->item[0].created;
}

/* The chunk where (created, id) is or belongs: the last one whose first item is not after it. */
static size_t chunk_for(const struct negset *s, uint64_t created, const struct id *id)
{
    size_t lo = 0, hi = s->n;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (s->first[mid] < created ||
            (s->first[mid] == created && compare(&s->chunk[mid]->item[0], created, id) <= 0))
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static size_t place_in(const struct chunk *c, uint64_t created, const struct id *id)
{
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (compare(&c->item[mid], created, id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void resum(struct chunk *c)
{
    c->sum = (struct sum){{0}};
    for (size_t i = 0; i < c->n; i++) {
        struct sum one = sum_of(&c->item[i].id);
        sum_add(&c->sum, &one);
    }
}

static void insert_chunk(struct negset *s, size_t at, struct chunk *c)
{
    grow(s);
    memmove(&s->chunk[at + 1], &s->chunk[at], (s->n - at) * sizeof(struct chunk *));
    memmove(&s->first[at + 1], &s->first[at], (s->n - at) * sizeof *s->first);
    s->chunk[at] = c;
    s->first[at] = c->item[0].created;
    s->n++;
}

static void split(struct negset *s, size_t at)
{
    struct chunk *c = s->chunk[at], *rest = chunk_new(CHUNK);
    /* Appending in time order is the rule: leave full chunks behind. */
    size_t keep = at + 1 == s->n ? CHUNK - 10 : CHUNK / 2;
    rest->n = c->n - keep;
    memcpy(rest->item, c->item + keep, rest->n * sizeof *rest->item);
    c->n = keep;
    resum(c);
    resum(rest);
    insert_chunk(s, at + 1, rest);
}

bool negset_add(struct negset *s, uint64_t created, const struct id *id)
{
    if (!s->n)
        insert_chunk(s, 0, chunk_new(CHUNK_FIRST));
    size_t at = chunk_for(s, created, id);
    if (s->chunk[at]->n == CHUNK) {
        split(s, at);
        changed(s, at);
        at = chunk_for(s, created, id);
    }
    struct chunk *c = s->chunk[at];
    size_t i = place_in(c, created, id);
    if (i < c->n && compare(&c->item[i], created, id) == 0)
        return false;
    c = chunk_room(s, at, c->n + 1);
    memmove(&c->item[i + 1], &c->item[i], (c->n - i) * sizeof *c->item);
    c->item[i] = (struct neg_item){created, *id};
    c->n++;
    struct sum one = sum_of(id);
    sum_add(&c->sum, &one);
    s->items++;
    changed(s, at);
    return true;
}

static void remove_chunk(struct negset *s, size_t at)
{
    free(s->chunk[at]);
    s->n--;
    memmove(&s->chunk[at], &s->chunk[at + 1], (s->n - at) * sizeof(struct chunk *));
    memmove(&s->first[at], &s->first[at + 1], (s->n - at) * sizeof *s->first);
}

/* Two neighbours that would leave room in one chunk become one: removals in no order (records expire) must
 * not leave a topic full of nearly empty chunks. */
static bool merge(struct negset *s, size_t at)
{
    if (at + 1 >= s->n || s->chunk[at]->n + s->chunk[at + 1]->n > CHUNK * 3 / 4)
        return false;
    const struct chunk *next = s->chunk[at + 1];
    struct chunk *c = chunk_room(s, at, s->chunk[at]->n + next->n);
    memcpy(c->item + c->n, next->item, next->n * sizeof *next->item);
    c->n += next->n;
    sum_add(&c->sum, &next->sum);
    remove_chunk(s, at + 1);
    return true;
}

bool negset_remove(struct negset *s, uint64_t created, const struct id *id)
{
    if (!s->n)
        return false;
    size_t at = chunk_for(s, created, id);
    struct chunk *c = s->chunk[at];
    size_t i = place_in(c, created, id);
    if (i == c->n || compare(&c->item[i], created, id) != 0)
        return false;
    struct sum one = sum_of(id);
    sum_sub(&c->sum, &one);
    c->n--;
    memmove(&c->item[i], &c->item[i + 1], (c->n - i) * sizeof *c->item);
    s->items--;
    if (!c->n)
        remove_chunk(s, at);
    else if (!merge(s, at) && at && merge(s, at - 1))
        at--;
    changed(s, at);
    return true;
}

static void rebuild(struct negset *s)
{
    for (size_t i = s->dirty; i < s->n; i++) {
        s->before_sum[i] = i ? s->before_sum[i - 1] : (struct sum){{0}};
        s->before_n[i] = i ? s->before_n[i - 1] + s->chunk[i - 1]->n : 0;
        if (i)
            sum_add(&s->before_sum[i], &s->chunk[i - 1]->sum);
    }
    s->dirty = s->n;
}

static size_t view_count(const void *arg)
{
    return ((const struct negset *)arg)->items;
}

static size_t view_lower_bound(const void *arg, const struct neg_bound *b)
{
    const struct negset *s = arg;
    if (b->created == NEG_FOREVER || !s->n)
        return s->items;
    size_t at = chunk_for(s, b->created, &b->id);
    return s->before_n[at] + place_in(s->chunk[at], b->created, &b->id);
}

/* The chunk that holds the item of this index. */
static size_t chunk_of_index(const struct negset *s, size_t index)
{
    size_t lo = 0, hi = s->n;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (s->before_n[mid] <= index)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static void view_item(const void *arg, size_t index, struct neg_item *out)
{
    const struct negset *s = arg;
    size_t at = chunk_of_index(s, index);
    *out = s->chunk[at]->item[index - s->before_n[at]];
}

/* The sum of all items before an index. */
static struct sum sum_before(const struct negset *s, size_t index)
{
    if (!s->n)
        return (struct sum){{0}};
    size_t at = chunk_of_index(s, index);
    const struct chunk *c = s->chunk[at];
    struct sum sum = s->before_sum[at];
    size_t k = index - s->before_n[at];
    if (k <= c->n / 2) {
        for (size_t i = 0; i < k; i++) {
            struct sum one = sum_of(&c->item[i].id);
            sum_add(&sum, &one);
        }
        return sum;
    }
    sum_add(&sum, &c->sum); /* from the nearer end */
    for (size_t i = k; i < c->n; i++) {
        struct sum one = sum_of(&c->item[i].id);
        sum_sub(&sum, &one);
    }
    return sum;
}

static void view_sum(const void *arg, size_t from, size_t to, uint8_t out[static 32])
{
    const struct negset *s = arg;
    struct sum sum = sum_before(s, to), less = sum_before(s, from);
    sum_sub(&sum, &less);
    for (int i = 0; i < 32; i++)
        out[i] = (uint8_t)(sum.w[i / 8] >> (8 * (i % 8)));
}

struct neg_set negset_view(struct negset *s)
{
    rebuild(s);
    return (struct neg_set){s, view_count, view_lower_bound, view_item, view_sum};
}
