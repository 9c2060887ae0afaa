#include "crypto/base/buf.h"
#include "crypto/base/err.h"
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint8_t *buf_grow(struct buf *b, size_t n)
{
    MUST(n <= SIZE_MAX / 4 && b->n <= SIZE_MAX / 4);
    if (!b->p || b->cap - b->n < n) { /* even for n = 0: the pointer returned is valid */
        size_t cap = b->cap ? b->cap * 2 : 256;
        while (cap < b->n + n)
            cap *= 2;
        b->p = xrealloc(b->p, cap);
        b->cap = cap;
    }
    uint8_t *at = b->p + b->n;
    b->n += n;
    return at;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n)
        memcpy(buf_grow(b, n), p, n);
}

void buf_drop(struct buf *b, size_t n)
{
    MUST(n <= b->n);
    b->n -= n;
    if (b->n && n)
        memmove(b->p, b->p + n, b->n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    MUST(n >= 0);
    vsnprintf((char *)buf_grow(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
    b->n--; /* the terminator is not part of it */
    va_end(again);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_wipe(struct buf *b)
{
    if (b->p)
        sodium_memzero(b->p, b->cap);
    buf_free(b);
}
