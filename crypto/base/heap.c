#include "crypto/base/heap.h"
#include "crypto/base/err.h"
#include <stdlib.h>

enum { CHILDREN = 4 };

/* Places here count from 0: the children of i are 4i + 1 … 4i + 4. */
static void put(struct heap *h, size_t i, struct heap_slot s)
{
    h->slots[i] = s;
    s.e->place = i + 1;
}

static size_t up(struct heap *h, size_t i, struct heap_slot s)
{
    for (; i > 0 && h->slots[(i - 1) / CHILDREN].at > s.at; i = (i - 1) / CHILDREN)
        put(h, i, h->slots[(i - 1) / CHILDREN]);
    put(h, i, s);
    return i;
}

static void down(struct heap *h, size_t i, struct heap_slot s)
{
    for (size_t child; (child = CHILDREN * i + 1) < h->n; i = child) {
        size_t last = child + CHILDREN < h->n ? child + CHILDREN : h->n;
        for (size_t other = child + 1; other < last; other++)
            if (h->slots[other].at < h->slots[child].at)
                child = other;
        if (h->slots[child].at >= s.at)
            break;
        put(h, i, h->slots[child]);
    }
    put(h, i, s);
}

void heap_set(struct heap *h, struct heap_entry *e, uint64_t at)
{
    struct heap_slot s = {at, e};
    size_t i = e->place ? e->place - 1 : h->n++;
    if (h->n > h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->slots = xrealloc(h->slots, h->cap * sizeof *h->slots);
    }
    e->at = at;
    down(h, up(h, i, s), s);
}

void heap_remove(struct heap *h, struct heap_entry *e)
{
    if (!e->place)
        return;
    struct heap_slot last = h->slots[--h->n];
    size_t hole = e->place - 1;
    e->place = 0;
    if (last.e != e)
        down(h, up(h, hole, last), last);
}

struct heap_entry *heap_first(const struct heap *h)
{
    return h->n ? h->slots[0].e : NULL;
}

void heap_free(struct heap *h)
{
    free(h->slots);
    *h = (struct heap){0};
}
