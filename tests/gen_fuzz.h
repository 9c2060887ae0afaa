/* gen_fuzz.h: the body of every generated fuzz target.  The first byte picks the message; what the decoder
 * accepts must come back from the encoder unchanged (unless unknown keys were stepped over or the reader is
 * lax), and stay the same from then on; what is canonical must be MessagePack to msgpack-c. */
#ifndef SOUK_GEN_FUZZ_H
#define SOUK_GEN_FUZZ_H
#include "tests/gen_codec.h"

static int fuzz_codecs(const struct codec *codecs, size_t codecs_n, const uint8_t *p, size_t n)
{
    if (n == 0)
        return 0;
    const struct codec *codec = &codecs[p[0] % codecs_n];
    struct span in = {p + 1, n - 1};
    struct buf out = {0}, again = {0};
    struct report r = {0};
    uint32_t skipped = 0;
    if (wire_check(in) == 0)
        MUST(codec_second_opinion(in, true));
    int err = codec_again(codec, in, &out, &skipped);
    size_t used;
    MUST((codec_words(codec, in, &used, &r) == 0) == (err == 0));
    MUST(used <= CODEC_BYTES_EACH * (n + 1)); /* what is taken is paid for by bytes that came */
    MUST(err == 0 || r.text[0] != 0);
    if (err == 0) {
        if (skipped == 0 && !codec->lax)
            MUST(span_eq(in, buf_view(&out)));
        MUST(codec->lax || wire_check(buf_view(&out)) == 0);
        MUST(codec_again(codec, buf_view(&out), &again, NULL) == 0);
        MUST(span_eq(buf_view(&out), buf_view(&again)));
    }
    buf_free(&out);
    buf_free(&again);
    return 0;
}
#endif
