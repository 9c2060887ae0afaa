/* framing.h: where one MessagePack value of a stream ends. */
#ifndef SOUK_FRAMING_H
#define SOUK_FRAMING_H
#include "crypto/base/span.h"
enum { FRAME_MORE = 1 };
/* 0 with *n = its length; FRAME_MORE when the bytes end before it does; SOUK_EFORM when no value can begin
 * like this, SOUK_ERANGE when it says that it holds more than `most` bytes or elements. */
int frame_whole(struct span s, size_t most, size_t *n);
/* The same for a value that comes in pieces: `f` (zero at first, and again after a whole value) keeps what
 * was looked at, so that each byte is looked at once.  s begins where the value does. */
struct frame_scan {
    size_t at;
    uint64_t left;
    bool begun;
};
int frame_scan(struct frame_scan *f, struct span s, size_t most, size_t *n);
#endif
