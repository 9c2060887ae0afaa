/* utf8.c: is a string fit to be shown?  Bytes are judged eight at a time while they are plain ASCII. */
#include "crypto/wire/utf8.h"
#include "crypto/wire/cursor.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* True when none of the eight bytes is a control character, DEL or above ASCII. */
static bool plain(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t below_space = (w - EACH(0x20)) & ~w;
    uint64_t del = w ^ EACH(0x7f);
    uint64_t is_del = (del - EACH(1)) & ~del;
    return ((w | below_space | is_del) & EACH(0x80)) == 0;
}

static bool tail(uint8_t b)
{
    return (b & 0xc0) == 0x80;
}

/* Bytes of the one character above ASCII at p, or 0 when it is not well formed (Unicode 15, table 3-7) or
 * is one of the controls U+0080-9F. */
static size_t wide(const uint8_t *p, size_t left)
{
    uint8_t b = p[0];
    if (b >= 0xc2 && b <= 0xdf)
        return left >= 2 && tail(p[1]) && !(b == 0xc2 && p[1] < 0xa0) ? 2 : 0;
    if (b >= 0xe0 && b <= 0xef) {
        if (left < 3 || !tail(p[1]) || !tail(p[2]))
            return 0;
        return (b == 0xe0 && p[1] < 0xa0) || (b == 0xed && p[1] > 0x9f) ? 0 : 3;
    }
    if (b >= 0xf0 && b <= 0xf4) {
        if (left < 4 || !tail(p[1]) || !tail(p[2]) || !tail(p[3]))
            return 0;
        return (b == 0xf0 && p[1] < 0x90) || (b == 0xf4 && p[1] > 0x8f) ? 0 : 4;
    }
    return 0;
}

bool utf8_fits(struct span s, enum utf8_rule rule)
{
    size_t i = 0;
    while (i < s.n) {
        if (s.n - i >= 8 && plain(s.p + i)) {
            i += 8;
            continue;
        }
        uint8_t b = s.p[i];
        if (b >= 0x80) {
            size_t n = wide(s.p + i, s.n - i);
            if (n == 0)
                return false;
            i += n;
            continue;
        }
        bool allowed =
            (b >= 0x20 && b != 0x7f) || (b == '\n' && rule >= UTF8_TEXT) || (b == '\t' && rule >= UTF8_LAX);
        if (!allowed)
            return false;
        i++;
    }
    return true;
}

bool utf8_ok(struct span s, bool text)
{
    return utf8_fits(s, text ? UTF8_TEXT : UTF8_LINE);
}
