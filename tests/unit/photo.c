// links: market
#include "node/market/photo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buf load(const char *name)
{
    char path[512];
    struct buf b = {0};
    snprintf(path, sizeof path, "%s/tests/data/photos/%s", SOUK_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is missing", path);
    uint8_t block[4096];
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        buf_append(&b, block, n);
    fclose(f);
    return b;
}

static bool holds(struct span s, const void *what, size_t n)
{
    return memmem(s.p, s.n, what, n) != NULL;
}

static bool tells(struct span s)
{
    static const char gps_big[] = "\0\0\0\x30\0\0\0\1\0\0\0\x33\0\0\0\1\0\0\0\x1e\0\0\0\1";
    static const char gps_little[] = "\x30\0\0\0\1\0\0\0\x33\0\0\0\1\0\0\0\x1e\0\0\0\1\0\0\0";
    return holds(s, "SOUKSECRET", 10) || holds(s, "Exif", 4) || holds(s, gps_big, 24) ||
           holds(s, gps_little, 24);
}

static void a_picture_without_metadata_stays_as_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum photo_type type;
        uint32_t width, height;
    } all[] = {{"plain.jpg", PHOTO_JPEG, 240, 180},
               {"plain-progressive.jpg", PHOTO_JPEG, 320, 240},
               {"plain.png", PHOTO_PNG, 480, 360}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct buf in = load(all[i].name), out = {0};
        struct photo_facts f;
        struct report r = {0};
        assert_int_equal(photo_clean(buf_view(&in), &r), 0);
        assert_int_equal(photo_strip(&out, buf_view(&in), &f, &r), 0);
        assert_true(span_eq(buf_view(&in), buf_view(&out)));
        assert_int_equal(f.type, all[i].type);
        assert_int_equal(f.width, all[i].width);
        assert_int_equal(f.height, all[i].height);
        assert_int_equal(f.stripped_bytes, 0);
        buf_free(&in);
        buf_free(&out);
    }
}

static void what_a_telephone_writes_in_is_gone_and_the_picture_is_not(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"with-gps.jpg", "plain.jpg"},
                                           {"with-everything.jpg", "plain-progressive.jpg"},
                                           {"with-trailer.jpg", "plain.jpg"},
                                           {"with-text.png", "plain.png"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf in = load(pairs[i][0]), plain = load(pairs[i][1]), out = {0};
        struct photo_facts f;
        struct report r = {0};
        assert_true(tells(buf_view(&in)));
        assert_int_equal(photo_clean(buf_view(&in), &r), SOUK_EINVALID);
        assert_non_null(strstr(r.text, "metadata"));
        assert_int_equal(photo_strip(&out, buf_view(&in), &f, &r), 0);
        assert_false(tells(buf_view(&out)));
        assert_int_equal(f.stripped_bytes, in.n - out.n);
        assert_true(span_eq(buf_view(&out), buf_view(&plain)));
        assert_int_equal(photo_clean(buf_view(&out), &r), 0);
        buf_free(&in);
        buf_free(&plain);
        buf_free(&out);
    }
}

static void any_beginning_of_a_picture_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"with-everything.jpg", "with-text.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf in = load(names[i]), out = {0};
        struct photo_facts f;
        for (size_t n = 0; n < in.n; n += 1 + n / 64) {
            uint8_t *exact = malloc(n ? n : 1); /* so that a read behind the end is caught */
            memcpy(exact, in.p, n);
            assert_int_equal(photo_strip(&out, span(exact, n), &f, NULL), SOUK_EINVALID);
            assert_int_equal(out.n, 0);
            free(exact);
        }
        buf_free(&in);
        buf_free(&out);
    }
}

static void any_byte_may_be_wrong(void **state)
{
    (void)state;
    static const char *const names[] = {"with-gps.jpg", "with-text.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf in = load(names[i]), out = {0};
        struct photo_facts f;
        for (size_t n = 0; n < in.n; n++) {
            uint8_t was = in.p[n];
            in.p[n] ^= (uint8_t)(1 + n % 255);
            buf_clear(&out);
            if (photo_strip(&out, buf_view(&in), &f, NULL) == 0)
                assert_int_equal(photo_clean(buf_view(&out), NULL), 0);
            in.p[n] = was;
        }
        buf_free(&in);
        buf_free(&out);
    }
}

static void webp_chunk(struct buf *b, const char *name, const void *body, uint32_t n)
{
    uint8_t size[4] = {(uint8_t)n, (uint8_t)(n >> 8), 0, 0};
    buf_append(b, name, 4);
    buf_append(b, size, 4);
    buf_append(b, body, n);
    if (n & 1)
        buf_append(b, "", 1);
}

static struct buf webp(const struct buf *chunks)
{
    struct buf b = {0};
    size_t n = chunks->n + 4;
    uint8_t size[4] = {(uint8_t)n, (uint8_t)(n >> 8), 0, 0};
    buf_append(&b, "RIFF", 4);
    buf_append(&b, size, 4);
    buf_append(&b, "WEBP", 4);
    buf_append(&b, chunks->p, chunks->n);
    return b;
}

static void webp_loses_its_exif_and_the_flag_that_told_of_it(void **state)
{
    (void)state;
    struct buf chunks = {0}, out = {0};
    struct photo_facts f;
    struct report r = {0};
    webp_chunk(&chunks, "VP8X", "\x0c\0\0\0\x3f\1\0\xef\0\0", 10);
    webp_chunk(&chunks, "VP8L", "\x2f\x3f\xc1\x3b\0\1\2\3\4", 9);
    webp_chunk(&chunks, "EXIF", "SOUKSECRET", 10);
    webp_chunk(&chunks, "XMP ", "SOUKSECRET", 10);
    struct buf in = webp(&chunks);
    buf_append(&in, "SOUKSECRET", 10);
    assert_int_equal(photo_clean(buf_view(&in), &r), SOUK_EINVALID);
    assert_int_equal(photo_strip(&out, buf_view(&in), &f, &r), 0);
    assert_int_equal(f.type, PHOTO_WEBP);
    assert_int_equal(f.width, 320);
    assert_int_equal(f.height, 240);
    assert_false(tells(buf_view(&out)));
    assert_int_equal(out.p[20], 0);
    assert_int_equal(photo_clean(buf_view(&out), &r), 0);
    buf_free(&in);
    buf_free(&out);
    buf_clear(&chunks);
    webp_chunk(&chunks, "VP8X", "\x02\0\0\0\x3f\1\0\xef\0\0", 10);
    in = webp(&chunks);
    assert_int_equal(photo_strip(&out, buf_view(&in), &f, &r), SOUK_EINVALID);
    assert_non_null(strstr(r.text, "moves"));
    buf_free(&in);
    buf_free(&out);
    buf_free(&chunks);
}

static void bounds_are_kept_and_other_bytes_are_left_alone(void **state)
{
    (void)state;
    struct buf in = load("plain.png");
    struct photo_facts f;
    struct report r = {0};
    MUST(in.p && in.n > 16);
    in.p[16] = 1; /* 16 million pixels wide */
    assert_int_equal(photo_strip(NULL, buf_view(&in), &f, &r), SOUK_ERANGE);
    buf_free(&in);
    in = load("plain.jpg");
    buf_grow(&in, PHOTO_BYTES_MOST);
    assert_int_equal(photo_clean(buf_view(&in), &r), SOUK_ERANGE);
    buf_free(&in);
    assert_int_equal(photo_clean(span_str("%PDF-1.4 SOUKSECRET"), &r), 0);
    assert_int_equal(photo_strip(NULL, span_str("%PDF-1.4"), &f, &r), SOUK_EINVALID);
    assert_int_equal(photo_clean(span(NULL, 0), &r), 0);
    static const char *const uncleanable[] = {"\0\0\0\x18"
                                              "ftypheic",
                                              "\0\0\0\x1c"
                                              "ftypavif",
                                              "II*\0SOUKSECRET",
                                              "MM\0*SOUKSECRET",
                                              "GIF89aSOUKSE",
                                              "\0\0\0\x0cJXL \r\n\x87\n",
                                              "\0\0\0\x0cjP  \r\n\x87\n",
                                              "\xff\x0aSOUKSECRET"};
    for (size_t i = 0; i < sizeof uncleanable / sizeof *uncleanable; i++)
        assert_int_equal(photo_clean(span(uncleanable[i], 12), &r), SOUK_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_without_metadata_stays_as_it_is),
        cmocka_unit_test(what_a_telephone_writes_in_is_gone_and_the_picture_is_not),
        cmocka_unit_test(any_beginning_of_a_picture_is_refused),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(webp_loses_its_exif_and_the_flag_that_told_of_it),
        cmocka_unit_test(bounds_are_kept_and_other_bytes_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
