#include "crypto/base/arena.h"
#include "crypto/base/err.h"
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t size, at;
    alignas(16) uint8_t bytes[];
};
#define BLOCK_BYTES 4032

void arena_init(struct arena *a, size_t limit_bytes)
{
    *a = (struct arena){.limit_bytes = limit_bytes};
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > a->limit_bytes)
        return NULL;
    n = (n + 15) & ~(size_t)15;
    if (n > a->limit_bytes - a->used_bytes)
        return NULL;
    if (!a->last || a->last->size - a->last->at < n) {
        size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
        struct arena_block *b = xmalloc(sizeof *b + size);
        *b = (struct arena_block){.size = size};
        if (a->last)
            a->last->next = b;
        else
            a->first = b;
        a->last = b;
    }
    void *p = a->last->bytes + a->last->at;
    a->last->at += n;
    a->used_bytes += n;
    memset(p, 0, n);
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        return NULL;
    return arena_alloc(a, n * size);
}

struct span arena_copy(struct arena *a, struct span s)
{
    uint8_t *p = arena_alloc(a, s.n ? s.n : 1);
    if (!p)
        return (struct span){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct span){p, s.n};
}

char *arena_str(struct arena *a, struct span s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->first;
    if (keep) {
        for (struct arena_block *b = keep->next, *next; b; b = next) {
            next = b->next;
            free(b);
        }
        keep->next = NULL;
        keep->at = 0;
    }
    a->last = keep;
    a->used_bytes = 0;
}

void arena_free(struct arena *a)
{
    arena_reset(a);
    free(a->first);
    a->first = a->last = NULL;
}
