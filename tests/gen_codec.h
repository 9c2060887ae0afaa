/* gen_codec.h: a row of the table of codecs that generated tests and fuzz targets carry. */
#ifndef SOUK_GEN_CODEC_H
#define SOUK_GEN_CODEC_H
#include "crypto/base/arena.h"
#include "crypto/base/buf.h"
#include "crypto/wire/codec.h"
#include <msgpack.h>
#include <stdlib.h>

struct codec {
    const char *name;
    /* Reads one value to its end; when that succeeds, encodes it to out and writes its JSON view. */
    int (*again)(struct cursor *c, struct arena *a, struct buf *out, struct buf *view);
    int (*words)(struct span in, struct arena *a, struct report *r);
    bool lax;
};

/* An array's element takes at least one byte that came, and at most so many of ours (a struct read). */
enum { CODEC_ARENA_BYTES = 64 << 20, CODEC_BYTES_EACH = 1024 };

/* decode → encode; the JSON view must be JSON.  skipped (may be NULL) counts unknown keys. */
static int codec_again(const struct codec *codec, struct span in, struct buf *out, uint32_t *skipped)
{
    struct cursor c;
    struct arena a;
    struct buf view = {0}, back = {0};
    cursor_init(&c, in);
    c.lax = codec->lax;
    arena_init(&a, CODEC_ARENA_BYTES);
    int err = codec->again(&c, &a, out, &view);
    if (err == 0)
        MUST(json_to_wire(&back, buf_view(&view), NULL) == 0);
    if (skipped)
        *skipped = c.skipped;
    arena_free(&a);
    buf_free(&view);
    buf_free(&back);
    return err;
}

/* Decodes; used (may be NULL) tells the bytes that it took for arrays. */
static int codec_words(const struct codec *codec, struct span in, size_t *used, struct report *r)
{
    struct arena a;
    arena_init(&a, CODEC_ARENA_BYTES);
    int err = codec->words(in, &a, r);
    if (used)
        *used = a.used_bytes;
    arena_free(&a);
    return err;
}

/* Does msgpack-c read the same in these bytes?  It takes all of them, and where they are canonical its own
 * packer, which writes shortest forms, gives the same bytes again.  Only for what the cursor accepted: it
 * reserves memory by counts that it has not checked. */
static bool codec_second_opinion(struct span in, bool canonical)
{
    msgpack_unpacked u;
    msgpack_sbuffer again;
    msgpack_packer packer;
    size_t off = 0;
    msgpack_unpacked_init(&u);
    msgpack_sbuffer_init(&again);
    msgpack_packer_init(&packer, &again, msgpack_sbuffer_write);
    bool good =
        msgpack_unpack_next(&u, (const char *)in.p, in.n, &off) == MSGPACK_UNPACK_SUCCESS && off == in.n;
    if (good && canonical)
        good = msgpack_pack_object(&packer, u.data) == 0 && span_eq(span(again.data, again.size), in);
    msgpack_sbuffer_destroy(&again);
    msgpack_unpacked_destroy(&u);
    return good;
}
#endif
