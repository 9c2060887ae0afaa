/* gen_harness.h: what every generated test of a schema family does with its table of examples.
 *
 * Accepted examples: decoded and encoded again they give the same bytes (or, where the reader is more
 * generous than the writer, bytes that do); msgpack-c's unpacker takes them; every proper prefix is
 * refused. Refused examples: the error is the one promised, and the report names the field. */
#ifndef SOUK_GEN_HARNESS_H
#define SOUK_GEN_HARNESS_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/gen_codec.h"
#include <stdio.h>

struct example {
    size_t codec;
    const char *what;
    const uint8_t *squeezed; /* as gen_examples.py's squeeze writes it */
    size_t squeezed_n, n;
    int err;           /* 0: accepted */
    const char *field; /* refused: the report begins so.  Accepted: "other" when other bytes come back */
};

struct harness {
    const struct codec *codecs;
    const struct example *examples;
    size_t n;
};

/* The example's bytes, malloc'ed. */
static uint8_t *example_bytes(const struct example *e)
{
    uint8_t *out = xmalloc(e->n + 1);
    const uint8_t *p = e->squeezed, *end = p + e->squeezed_n;
    size_t at = 0;
    while (p < end) {
        if (*p == 0) {
            assert_true(at + p[1] <= e->n);
            memcpy(out + at, p + 2, p[1]);
            at += p[1];
            p += 2 + p[1];
            continue;
        }
        size_t distance = be32_get(p + 1), n = be32_get(p + 5);
        assert_true(distance > 0 && distance <= at && at + n <= e->n);
        for (size_t i = 0; i < n; i++, at++)
            out[at] = out[at - distance];
        p += 9;
    }
    assert_int_equal(at, e->n);
    return out;
}

static void fail_example(const struct codec *codec, const struct example *e, const char *why,
                         const char *more)
{
    fail_msg("%s, %s: %s%s", codec->name, e->what, why, more);
}

static void check_accepted(const struct codec *codec, const struct example *e, struct span in)
{
    struct buf out = {0}, again = {0};
    struct report r = {0};
    codec_words(codec, in, NULL, &r);
    if (codec_again(codec, in, &out, NULL))
        fail_example(codec, e, "was refused: ", r.text);
    if (e->field[0] == 0 && !span_eq(in, buf_view(&out)))
        fail_example(codec, e, "was not written as it was read", "");
    if (codec_again(codec, buf_view(&out), &again, NULL) || !span_eq(buf_view(&out), buf_view(&again)))
        fail_example(codec, e, "does not stay the same when read and written again", "");
    if (wire_check(buf_view(&out)) && !codec->lax)
        fail_example(codec, e, "was not written in canonical form", "");
    if (!codec_second_opinion(in, !codec->lax))
        fail_example(codec, e, "is not the same to msgpack-c", "");
    buf_free(&out);
    buf_free(&again);
}

/* How far on the next prefix is: each near both ends; between them some, and few of very long examples,
 * whose every prefix would cost a decoding of nearly the whole. */
static size_t prefix_step(size_t n, size_t all)
{
    size_t head = all > 4000 ? 24 : all > 400 ? 120 : 400, tail = all > 4000 ? 8 : 40;
    if (n <= head || n + tail >= all)
        return 1;
    return all > 4000 ? all / 8 + 1 : 97;
}

static void check_prefixes(const struct codec *codec, const struct example *e, struct span in)
{
    for (size_t n = 0; n < in.n; n += prefix_step(n, in.n)) {
        struct buf out = {0};
        /* A copy of its own, so that a sanitizer sees a read beyond the end. */
        uint8_t *copy = xmemdup(in.p, n);
        if (codec_again(codec, span(copy, n), &out, NULL) == 0)
            fail_example(codec, e, "was accepted although cut short", "");
        free(copy);
        buf_free(&out);
    }
}

static void check_refused(const struct codec *codec, const struct example *e, struct span in)
{
    struct report r = {0};
    size_t used;
    int err = codec_words(codec, in, &used, &r);
    if (used > CODEC_BYTES_EACH * in.n)
        fail_example(codec, e, "took more memory than its bytes pay for", "");
    if (err != e->err)
        fail_example(codec, e, "should be refused otherwise than: ", err ? r.text : "accepted");
    if (r.err != err || strncmp(r.text, e->field, strlen(e->field)) != 0)
        fail_example(codec, e, "the report names the wrong field: ", r.text);
}

static void harness_examples(void **state)
{
    const struct harness *h = *state;
    for (size_t i = 0; i < h->n; i++) {
        const struct example *e = &h->examples[i];
        const struct codec *codec = &h->codecs[e->codec];
        uint8_t *bytes = example_bytes(e);
        if (e->err == 0) {
            check_accepted(codec, e, span(bytes, e->n));
            check_prefixes(codec, e, span(bytes, e->n));
        } else {
            check_refused(codec, e, span(bytes, e->n));
        }
        free(bytes);
    }
    print_message("%zu examples\n", h->n);
}

static int harness_run(const struct codec *codecs, const struct example *examples, size_t n)
{
    struct harness h = {codecs, examples, n};
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(harness_examples, &h)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
