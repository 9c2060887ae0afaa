/* buf.h: bytes that grow at the end, owned by the buf.  A limit makes a queue of it. */
#ifndef SOUK_BUF_H
#define SOUK_BUF_H
#include "crypto/base/span.h"

struct buf {
    uint8_t *p;
    size_t n, cap;
};
void buf_append(struct buf *b, const void *p, size_t n);
static inline void buf_span(struct buf *b, struct span s)
{
    buf_append(b, s.p, s.n);
}
uint8_t *buf_grow(struct buf *b, size_t n); /* n new bytes at the end, uninitialised */
void buf_drop(struct buf *b, size_t n);     /* removes n bytes from the front */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline struct span buf_view(const struct buf *b)
{
    return (struct span){b->p, b->n};
}
void buf_clear(struct buf *b); /* keeps the memory */
void buf_free(struct buf *b);
void buf_wipe(struct buf *b); /* for secrets: zeroes, then frees */
#endif
