#include "crypto/base/heap.h"
#include "crypto/base/err.h"
#include <stdlib.h>

static void put(struct heap *h, size_t i, struct heap_entry *e)
{
    h->e[i - 1] = e;
    e->place = i;
}

static void up(struct heap *h, struct heap_entry *e)
{
    size_t i = e->place;
    while (i > 1 && h->e[i / 2 - 1]->at > e->at) {
        put(h, i, h->e[i / 2 - 1]);
        i /= 2;
    }
    put(h, i, e);
}

static void down(struct heap *h, struct heap_entry *e)
{
    size_t i = e->place;
    for (;;) {
        size_t child = 2 * i;
        if (child > h->n)
            break;
        if (child < h->n && h->e[child]->at < h->e[child - 1]->at)
            child++;
        if (h->e[child - 1]->at >= e->at)
            break;
        put(h, i, h->e[child - 1]);
        i = child;
    }
    put(h, i, e);
}

void heap_set(struct heap *h, struct heap_entry *e, uint64_t at)
{
    e->at = at;
    if (!e->place) {
        if (h->n == h->cap) {
            h->cap = h->cap ? h->cap * 2 : 64;
            h->e = xrealloc(h->e, h->cap * sizeof *h->e);
        }
        put(h, ++h->n, e);
    }
    up(h, e);
    down(h, e);
}

void heap_remove(struct heap *h, struct heap_entry *e)
{
    if (!e->place)
        return;
    struct heap_entry *last = h->e[h->n - 1];
    size_t hole = e->place;
    h->n--;
    e->place = 0;
    if (last != e) {
        put(h, hole, last);
        up(h, last);
        down(h, last);
    }
}

struct heap_entry *heap_first(const struct heap *h)
{
    return h->n ? h->e[0] : NULL;
}

void heap_free(struct heap *h)
{
    free(h->e);
    *h = (struct heap){0};
}
