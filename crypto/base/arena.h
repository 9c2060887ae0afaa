/* arena.h: memory for the life of one message.
 *
 * Allocations are 16-byte aligned, never freed singly; arena_reset keeps the first block.  An arena has a
 * limit: an allocation beyond it returns NULL (this is how a hostile message is bounded), whereas running
 * out of the machine's memory aborts. */
#ifndef SOUK_ARENA_H
#define SOUK_ARENA_H
#include "crypto/base/span.h"

struct arena_block;
struct arena {
    struct arena_block *first, *last;
    size_t used_bytes, limit_bytes;
};
/* limit_bytes counts what callers asked for, rounded up to 16. */
void arena_init(struct arena *a, size_t limit_bytes);
void *arena_alloc(struct arena *a, size_t n);              /* zeroed; NULL over the limit */
void *arena_array(struct arena *a, size_t n, size_t size); /* as calloc */
struct span arena_copy(struct arena *a, struct span s);    /* p = NULL over the limit */
char *arena_str(struct arena *a, struct span s);           /* NUL-terminated copy */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a);
void arena_free(struct arena *a);
#endif
