/* heap.h: a heap of deadlines, four children a node.  Each entry is embedded by its owner and knows its
 * place, so that it can be moved or removed in log n.  The deadlines lie in the heap itself: comparing four
 * of them reads one line of the cache, not four owners. */
#ifndef SOUK_HEAP_H
#define SOUK_HEAP_H
#include <stddef.h>
#include <stdint.h>

struct heap_entry {
    uint64_t at;  /* ms on the monotonic clock; read only: heap_set writes it */
    size_t place; /* 1-based; 0 when not in a heap */
};
struct heap_slot {
    uint64_t at;
    struct heap_entry *e;
};
struct heap {
    struct heap_slot *slots;
    size_t n, cap;
};
void heap_set(struct heap *h, struct heap_entry *e, uint64_t at); /* inserts or moves */
void heap_remove(struct heap *h, struct heap_entry *e);           /* fine when absent */
struct heap_entry *heap_first(const struct heap *h);              /* NULL when empty */
void heap_free(struct heap *h);
#endif
