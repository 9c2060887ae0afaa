/* heap.h: a binary heap of deadlines.  Each entry is embedded by its owner and knows its place, so that it
 * can be moved or removed in log n. */
#ifndef SOUK_HEAP_H
#define SOUK_HEAP_H
#include <stddef.h>
#include <stdint.h>

struct heap_entry {
    uint64_t at;  /* ms on the monotonic clock */
    size_t place; /* 1-based; 0 when not in a heap */
};
struct heap {
    struct heap_entry **e;
    size_t n, cap;
};
void heap_set(struct heap *h, struct heap_entry *e, uint64_t at); /* inserts or moves */
void heap_remove(struct heap *h, struct heap_entry *e);           /* fine when absent */
struct heap_entry *heap_first(const struct heap *h);              /* NULL when empty */
void heap_free(struct heap *h);
#endif
