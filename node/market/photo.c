#include "node/market/photo.h"

/* What is read, and where the kept parts go.  err sticks. */
struct parts {
    struct span in;
    size_t at;
    struct buf *out;
    struct photo_facts *facts;
    struct report *r;
    int err;
};

static int fail(struct parts *p, const char *what)
{
    if (!p->err)
        p->err = report_set(p->r, SOUK_EINVALID, "the picture is damaged (%s); save it anew and try again",
                            what);
    return p->err;
}

static size_t left(const struct parts *p)
{
    return p->in.n - p->at;
}

static void keep(struct parts *p, size_t from, size_t n)
{
    buf_append(p->out, p->in.p + from, n);
}

static void size_is(struct parts *p, uint64_t width, uint64_t height)
{
    if (p->err)
        return;
    if (!width || !height || width > PHOTO_SIDE_MOST || height > PHOTO_SIDE_MOST) {
        p->err =
            report_set(p->r, SOUK_ERANGE, "the picture has %llu × %llu pixels; 1 to %d a side are allowed",
                       (unsigned long long)width, (unsigned long long)height, PHOTO_SIDE_MOST);
        return;
    }
    p->facts->width = (uint32_t)width;
    p->facts->height = (uint32_t)height;
}

enum photo_type photo_type_of(struct span b)
{
    if (b.n >= 3 && memcmp(b.p, "\xff\xd8\xff", 3) == 0)
        return PHOTO_JPEG;
    if (b.n >= 8 && memcmp(b.p, "\x89PNG\r\n\x1a\n", 8) == 0)
        return PHOTO_PNG;
    if (b.n >= 12 && memcmp(b.p, "RIFF", 4) == 0 && memcmp(b.p + 8, "WEBP", 4) == 0)
        return PHOTO_WEBP;
    return PHOTO_OTHER;
}

const char *photo_type_name(enum photo_type type)
{
    static const char *const names[] = {"", "image/jpeg", "image/png", "image/webp"};
    return names[type];
}

/* ---- JPEG (ITU T.81, annex B) ---- */
enum {
    M_SOI = 0xd8,
    M_EOI = 0xd9,
    M_SOS = 0xda,
    M_DQT = 0xdb,
    M_DNL = 0xdc,
    M_DRI = 0xdd,
    M_DHT = 0xc4,
    M_JPG = 0xc8,
    M_DAC = 0xcc,
    M_APP0 = 0xe0,
    M_APP14 = 0xee,
    M_APP15 = 0xef,
    M_COM = 0xfe
};

static bool is_frame(uint8_t m)
{
    return m >= 0xc0 && m <= 0xcf && m != M_DHT && m != M_JPG && m != M_DAC;
}

/* Of the application segments only those that decoders need and that have no room for anything else. */
static bool app_stays(uint8_t marker, struct span body)
{
    if (marker == M_APP0) /* JFIF, whose thumbnail has 0 × 0 pixels */
        return body.n == 14 && memcmp(body.p, "JFIF", 5) == 0 && !body.p[12] && !body.p[13];
    return marker == M_APP14 && body.n == 12 && memcmp(body.p, "Adobe", 5) == 0;
}

/* The coded data of a scan: up to a marker that is neither a stuffed zero nor a restart. */
static void jpeg_scan(struct parts *p)
{
    size_t from = p->at;
    while (left(p) >= 2) {
        if (p->in.p[p->at] != 0xff) {
            p->at++;
            continue;
        }
        uint8_t next = p->in.p[p->at + 1];
        if (next == 0 || (next >= 0xd0 && next <= 0xd7)) {
            p->at += 2;
            continue;
        }
        keep(p, from, p->at - from);
        return;
    }
    fail(p, "a scan does not end");
}

/* One segment with a length; p->at is behind its marker. */
static void jpeg_segment(struct parts *p, uint8_t marker)
{
    size_t n = left(p) >= 2 ? be16_get(p->in.p + p->at) : 0;
    if (n < 2 || n > left(p)) {
        fail(p, "a segment is longer than the file");
        return;
    }
    struct span body = span(p->in.p + p->at + 2, n - 2);
    bool stays = is_frame(marker) || marker == M_DHT || marker == M_DAC || marker == M_DQT ||
                 marker == M_DRI || marker == M_DNL || marker == M_SOS || app_stays(marker, body);
    bool goes = (marker >= M_APP0 && marker <= M_APP15) || marker == M_COM;
    if (!stays && !goes) {
        fail(p, "a segment of an unknown kind");
        return;
    }
    if (is_frame(marker)) {
        if (p->facts->width || body.n < 6) {
            fail(p, "it has not exactly one frame");
            return;
        }
        size_is(p, be16_get(body.p + 3), be16_get(body.p + 1));
    }
    if (stays) {
        const uint8_t head[2] = {0xff, marker};
        buf_append(p->out, head, 2);
        keep(p, p->at, n);
    }
    p->at += n;
    if (marker == M_SOS && !p->facts->width)
        fail(p, "a scan before its frame");
    else if (marker == M_SOS)
        jpeg_scan(p);
}

static void jpeg_strip(struct parts *p)
{
    bool scanned = false;
    keep(p, 0, 2);
    p->at = 2;
    while (!p->err) {
        if (left(p) < 2 || p->in.p[p->at] != 0xff) {
            fail(p, left(p) < 2 ? "it ends early" : "a marker is missing");
            return;
        }
        while (left(p) && p->in.p[p->at] == 0xff)
            p->at++; /* any number of fill bytes may stand before a marker */
        uint8_t marker = left(p) ? p->in.p[p->at++] : 0;
        if (marker == M_EOI) {
            buf_append(p->out, "\xff\xd9", 2);
            if (!scanned)
                fail(p, "there is no picture in it");
            return;
        }
        scanned |= marker == M_SOS;
        jpeg_segment(p, marker);
    }
}

/* ---- PNG ---- */
struct png_kind {
    char name[5];
    uint32_t least, most;
};

static bool png_stays(const uint8_t *name, uint32_t n)
{
    static const struct png_kind kinds[] = {
        {"IHDR", 13, 13}, {"PLTE", 3, 768}, {"IDAT", 0, PHOTO_BYTES_MOST},
        {"IEND", 0, 0},   {"tRNS", 1, 256}, {"cHRM", 32, 32},
        {"gAMA", 4, 4},   {"sBIT", 1, 4},   {"sRGB", 1, 1},
        {"bKGD", 1, 6},   {"pHYs", 9, 9}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (memcmp(name, kinds[i].name, 4) == 0)
            return n >= kinds[i].least && n <= kinds[i].most;
    return false;
}

static void png_strip(struct parts *p)
{
    bool first = true, data = false;
    keep(p, 0, 8);
    p->at = 8;
    while (!p->err) {
        uint32_t n = left(p) >= 12 ? be32_get(p->in.p + p->at) : UINT32_MAX;
        if (n > left(p) || left(p) - n < 12) {
            fail(p, "a chunk is longer than the file");
            return;
        }
        const uint8_t *name = p->in.p + p->at + 4;
        bool stays = png_stays(name, n), header = memcmp(name, "IHDR", 4) == 0;
        bool critical = !(name[0] & 0x20);
        if (header != first || (critical && !stays)) {
            fail(p, "a chunk that no reader understands, or out of its place");
            return;
        }
        if (header)
            size_is(p, be32_get(name + 4), be32_get(name + 8));
        if (stays)
            keep(p, p->at, n + 12u);
        first = false;
        data |= memcmp(name, "IDAT", 4) == 0;
        p->at += n + 12u;
        if (memcmp(name, "IEND", 4) == 0) {
            if (!data)
                fail(p, "there is no picture in it");
            return;
        }
    }
}

/* ---- WebP (RFC 9649) ---- */
static uint32_t le24(const uint8_t *b)
{
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16;
}

static uint32_t le32(const uint8_t *b)
{
    return le24(b) | (uint32_t)b[3] << 24;
}

struct webp {
    size_t flags_at; /* in out; 0: no VP8X */
    bool canvas, image, alpha;
};

static void webp_sizes(struct parts *p, struct webp *w, const uint8_t *name, const uint8_t *body,
                       uint32_t n)
{
    if (memcmp(name, "VP8X", 4) == 0) {
        if (w->canvas || w->image || n != 10 || (body[0] & 0x02)) {
            fail(p, body[0] & 0x02 ? "it moves; only still pictures are taken" : "its header is wrong");
            return;
        }
        w->canvas = true;
        size_is(p, (uint64_t)le24(body + 4) + 1, (uint64_t)le24(body + 7) + 1);
        return;
    }
    uint32_t width = 0, height = 0;
    if (memcmp(name, "VP8 ", 4) == 0 && n >= 10 && memcmp(body + 3, "\x9d\x01\x2a", 3) == 0) {
        width = (body[6] | (uint32_t)body[7] << 8) & 0x3fff;
        height = (body[8] | (uint32_t)body[9] << 8) & 0x3fff;
    } else if (memcmp(name, "VP8L", 4) == 0 && n >= 5 && body[0] == 0x2f) {
        uint32_t bits = le32(body + 1);
        width = (bits & 0x3fff) + 1;
        height = (bits >> 14 & 0x3fff) + 1;
        w->alpha |= bits >> 28 & 1;
    }
    if (w->image || !width) {
        fail(p, "its picture is wrong");
        return;
    }
    w->image = true;
    if (!w->canvas)
        size_is(p, width, height);
}

static void webp_chunk(struct parts *p, struct webp *w)
{
    const uint8_t *name = p->in.p + p->at, *body = name + 8;
    uint32_t n = le32(name + 4), padded = n + (n & 1);
    if (n >= PHOTO_BYTES_MOST || padded > left(p) - 8) {
        fail(p, "a chunk is longer than the file");
        return;
    }
    bool header = memcmp(name, "VP8X", 4) == 0, alpha = memcmp(name, "ALPH", 4) == 0;
    if (header || memcmp(name, "VP8 ", 4) == 0 || memcmp(name, "VP8L", 4) == 0) {
        webp_sizes(p, w, name, body, n);
        if (header)
            w->flags_at = p->out->n + 8;
    }
    if (memcmp(name, "ANMF", 4) == 0 || memcmp(name, "ANIM", 4) == 0)
        fail(p, "it moves; only still pictures are taken");
    if (header || alpha || memcmp(name, "VP8 ", 4) == 0 || memcmp(name, "VP8L", 4) == 0) {
        w->alpha |= alpha;
        keep(p, p->at, 8 + (size_t)n);
        if (n & 1)
            buf_append(p->out, "", 1); /* the padding, which must be zero */
    }
    p->at += 8 + (size_t)padded;
}

static void webp_strip(struct parts *p)
{
    struct webp w = {0};
    size_t start = p->out->n;
    uint32_t n = le32(p->in.p + 4);
    if (n < 4 || n > p->in.n - 8) {
        fail(p, "it ends early");
        return;
    }
    p->in.n = 8 + (size_t)n; /* what lies behind is not the picture's */
    keep(p, 0, 12);
    p->at = 12;
    while (!p->err && left(p) >= 8)
        webp_chunk(p, &w);
    if (p->err)
        return;
    if (!w.image) {
        fail(p, "there is no picture in it");
        return;
    }
    if (w.flags_at) { /* only what is still there; the reserved bytes say nothing */
        memset(p->out->p + w.flags_at, 0, 4);
        p->out->p[w.flags_at] = w.alpha ? 0x10 : 0;
    }
    size_t size = p->out->n - start - 8;
    for (int i = 0; i < 4; i++)
        p->out->p[start + 4 + (size_t)i] = (uint8_t)(size >> (8 * i));
}

int photo_strip(struct buf *out, struct span bytes, struct photo_facts *facts, struct report *r)
{
    struct buf own = {0};
    struct photo_facts f = {.type = photo_type_of(bytes)};
    struct parts p = {.in = bytes, .out = out ? out : &own, .facts = &f, .r = r};
    size_t before = p.out->n;
    if (f.type == PHOTO_OTHER)
        return report_set(r, SOUK_EINVALID, "this is not a JPEG, PNG or WebP picture");
    if (bytes.n > PHOTO_BYTES_MOST)
        return report_set(r, SOUK_ERANGE,
                          "the picture has %zu bytes; %d (2 MiB) are allowed: make it smaller", bytes.n,
                          PHOTO_BYTES_MOST);
    if (f.type == PHOTO_JPEG)
        jpeg_strip(&p);
    else if (f.type == PHOTO_PNG)
        png_strip(&p);
    else
        webp_strip(&p);
    if (p.err)
        p.out->n = before;
    else {
        size_t clean = p.out->n - before;
        f.stripped_bytes = bytes.n > clean ? bytes.n - clean : 0;
        *facts = f;
    }
    buf_free(&own);
    return p.err;
}

/* Pictures and films whose metadata nobody here can take out: HEIF, AVIF, MP4 and their like, TIFF and raw
 * formats, GIF, JPEG 2000, JPEG XL. */
static bool cannot_be_cleaned(struct span b)
{
    static const struct {
        uint8_t at, n;
        const char *bytes;
    } kinds[] = {{4, 4, "ftyp"}, {0, 4, "II*\0"}, {0, 4, "MM\0*"}, {0, 4, "II+\0"},   {0, 4, "MM\0+"},
                 {0, 4, "GIF8"}, {4, 4, "jP  "},  {4, 4, "JXL "},  {0, 2, "\xff\x0a"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (b.n >= (size_t)kinds[i].at + kinds[i].n &&
            memcmp(b.p + kinds[i].at, kinds[i].bytes, kinds[i].n) == 0)
            return true;
    return false;
}

int photo_clean(struct span bytes, struct report *r)
{
    if (photo_type_of(bytes) == PHOTO_OTHER)
        return cannot_be_cleaned(bytes)
                   ? report_set(r, SOUK_EINVALID, "a picture of a kind whose metadata cannot be taken out")
                   : 0;
    struct buf clean = {0};
    struct photo_facts f;
    int err = photo_strip(&clean, bytes, &f, r);
    if (!err && !span_eq(bytes, buf_view(&clean)))
        err = report_set(
            r, SOUK_EINVALID,
            "the picture still has metadata (where, when and by whom it was taken, or the like)");
    buf_free(&clean);
    return err;
}
