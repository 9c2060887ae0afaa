#include "node/api/framing.h"
#include "crypto/base/err.h"

struct head {
    size_t bytes;   /* of the head and its payload */
    uint64_t items; /* that follow it */
};

static uint64_t big(const uint8_t *p, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v = v << 8 | p[i];
    return v;
}

/* What stands behind 0xc0..0xdf: width of the number, and what the number means. */
enum means { NOTHING, PAYLOAD, ITEMS, PAIRS, EXT, BAD };
struct form {
    uint8_t width, means, fixed;
};
static const struct form forms[32] = {
    {0, NOTHING, 0},  {0, BAD, 0},     {0, NOTHING, 0}, {0, NOTHING, 0}, {1, PAYLOAD, 0}, {2, PAYLOAD, 0},
    {4, PAYLOAD, 0},  {1, EXT, 0},     {2, EXT, 0},     {4, EXT, 0},     {0, PAYLOAD, 4}, {0, PAYLOAD, 8},
    {0, PAYLOAD, 1},  {0, PAYLOAD, 2}, {0, PAYLOAD, 4}, {0, PAYLOAD, 8}, {0, PAYLOAD, 1}, {0, PAYLOAD, 2},
    {0, PAYLOAD, 4},  {0, PAYLOAD, 8}, {0, PAYLOAD, 2}, {0, PAYLOAD, 3}, {0, PAYLOAD, 5}, {0, PAYLOAD, 9},
    {0, PAYLOAD, 17}, {1, PAYLOAD, 0}, {2, PAYLOAD, 0}, {4, PAYLOAD, 0}, {2, ITEMS, 0},   {4, ITEMS, 0},
    {2, PAIRS, 0},    {4, PAIRS, 0},
};

static int read_head(struct span s, struct head *h)
{
    uint8_t b = s.p[0];
    *h = (struct head){1, 0};
    if (b < 0x80 || b >= 0xe0)
        return 0;
    if (b < 0xc0) {
        if (b < 0x90)
            h->items = 2u * (b & 15);
        else if (b < 0xa0)
            h->items = b & 15;
        else
            h->bytes += b & 31;
        return 0;
    }
    struct form f = forms[b & 31];
    if (f.means == BAD)
        return SOUK_EFORM;
    if (s.n < 1u + f.width)
        return FRAME_MORE;
    uint64_t v = f.width ? big(s.p + 1, f.width) : f.fixed;
    h->bytes += f.width;
    if (f.means == PAYLOAD)
        h->bytes += v;
    else if (f.means == EXT)
        h->bytes += v + 1;
    else if (f.means == ITEMS)
        h->items = v;
    else if (f.means == PAIRS)
        h->items = 2 * v;
    return 0;
}

int frame_scan(struct frame_scan *f, struct span s, size_t most, size_t *n)
{
    if (!f->begun)
        *f = (struct frame_scan){0, 1, true};
    while (f->left) {
        struct head h;
        if (f->at >= s.n)
            return FRAME_MORE;
        int err = read_head(span(s.p + f->at, s.n - f->at), &h);
        if (err)
            return err;
        f->at += h.bytes;
        f->left += h.items - 1;
        if (f->at > most || f->left > most)
            return SOUK_ERANGE;
    }
    if (f->at > s.n)
        return FRAME_MORE;
    *n = f->at;
    *f = (struct frame_scan){0};
    return 0;
}

int frame_whole(struct span s, size_t most, size_t *n)
{
    struct frame_scan f = {0};
    return frame_scan(&f, s, most, n);
}
