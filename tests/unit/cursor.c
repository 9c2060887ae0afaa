// links: wire
/* What the judge of form promises: one form for each value, nothing hostile costs anything, and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include <malloc.h>
#include <stdio.h>

#define BYTES(...) ((struct span){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})

static struct cursor over(struct span s)
{
    struct cursor c;
    cursor_init(&c, s);
    return c;
}

static void every_integer_has_one_form(void **state)
{
    (void)state;
    static const uint64_t edges[] = {0,     1,          127,        128,       255,        256, 65535,
                                     65536, UINT32_MAX, 1ULL << 32, INT64_MAX, 1ULL << 63, 12,  UINT64_MAX};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        struct buf b = {0};
        pack_uint(&b, edges[i]);
        struct cursor c = over(buf_view(&b));
        assert_true(cursor_uint(&c, 0, UINT64_MAX) == edges[i]);
        assert_int_equal(cursor_end(&c), 0);
        buf_free(&b);
    }
    static const int64_t negative[] = {
        -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN, INT32_MIN - 1LL, INT64_MIN};
    for (size_t i = 0; i < sizeof negative / sizeof *negative; i++) {
        struct buf b = {0};
        pack_int(&b, negative[i]);
        struct cursor c = over(buf_view(&b));
        assert_true(cursor_int(&c, INT64_MIN, INT64_MAX) == negative[i]);
        assert_int_equal(cursor_end(&c), 0);
        buf_free(&b);
    }
}

static void longer_forms_are_refused_unless_lax(void **state)
{
    (void)state;
    const struct span longer[] = {
        BYTES(0xcc, 0x7f),
        BYTES(0xcd, 0, 0xff),
        BYTES(0xce, 0, 0, 0xff, 0xff),
        BYTES(0xcf, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff),
        BYTES(0xd0, 0xe0),
        BYTES(0xd0, 5),
        BYTES(0xd1, 0xff, 0x80),
        BYTES(0xd2, 0xff, 0xff, 0x80, 0),
        BYTES(0xd3, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0),
        BYTES(0xd9, 1, 'a'),
        BYTES(0xda, 0, 1, 'a'),
        BYTES(0xdb, 0, 0, 0, 1, 'a'),
        BYTES(0xc5, 0, 1, 9),
        BYTES(0xc6, 0, 0, 0, 1, 9),
        BYTES(0xdc, 0, 1, 9),
        BYTES(0xdd, 0, 0, 0, 1, 9),
        BYTES(0xde, 0, 1, 1, 1),
        BYTES(0xdf, 0, 0, 0, 1, 1, 1),
    };
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++) {
        assert_int_equal(wire_check(longer[i]), SOUK_EFORM);
        struct cursor c = over(longer[i]);
        c.lax = true;
        cursor_skip(&c);
        assert_int_equal(cursor_end(&c), 0);
    }
}

static void types_that_have_no_place_are_refused(void **state)
{
    (void)state;
    assert_int_equal(wire_check(BYTES(0xca, 0, 0, 0, 0)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0xcb, 0, 0, 0, 0, 0, 0, 0, 0)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0xc1)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0xd4, 1, 1)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0xc7, 1, 1, 1)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0xd6, 0xff, 0, 0, 0, 0)), SOUK_EFORM);
    assert_int_equal(wire_check(span(NULL, 0)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0xc0, 0xc0)), SOUK_EFORM);
}

static void keys_rise_strictly_and_are_numbers(void **state)
{
    (void)state;
    assert_int_equal(wire_check(BYTES(0x82, 1, 0xc0, 2, 0xc0)), 0);
    assert_int_equal(wire_check(BYTES(0x82, 2, 0xc0, 1, 0xc0)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0x82, 1, 0xc0, 1, 0xc0)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0x81, 0xff, 0xc0)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0x81, 0xa1, 'a', 0xc0)), SOUK_EFORM);
    assert_int_equal(wire_check(BYTES(0x81, 0x90, 0xc0)), SOUK_EFORM);
    /* within each map, not across maps */
    assert_int_equal(wire_check(BYTES(0x82, 5, 0x81, 1, 0xc0, 6, 0x81, 1, 0xc0)), 0);
    assert_int_equal(wire_check(BYTES(0x82, 5, 0x81, 9, 0xc0, 4, 0xc0)), SOUK_EFORM);
    /* a client's keys may be names, in any order, but not containers */
    struct cursor c = over(BYTES(0x82, 0xa1, 'b', 0xc0, 0xa1, 'a', 0xc0));
    c.lax = true;
    cursor_skip(&c);
    assert_int_equal(cursor_end(&c), 0);
    c = over(BYTES(0x81, 0x90, 0xc0));
    c.lax = true;
    cursor_skip(&c);
    assert_int_equal(cursor_end(&c), SOUK_EFORM);
}

static void depth_ends_at_eight(void **state)
{
    (void)state;
    uint8_t deep[64];
    memset(deep, 0x91, sizeof deep);
    deep[CURSOR_DEPTH] = 1;
    assert_int_equal(wire_check(span(deep, CURSOR_DEPTH + 1)), 0);
    deep[CURSOR_DEPTH] = 0x91;
    deep[CURSOR_DEPTH + 1] = 1;
    assert_int_equal(wire_check(span(deep, CURSOR_DEPTH + 2)), SOUK_EFORM);
    memset(deep, 0x91, sizeof deep);
    for (size_t n = CURSOR_LAX_DEPTH; n <= CURSOR_LAX_DEPTH + 1; n++) {
        memset(deep, 0x91, sizeof deep);
        deep[n] = 1;
        struct cursor c = over(span(deep, n + 1));
        c.lax = true;
        cursor_skip(&c);
        assert_int_equal(cursor_end(&c), n == CURSOR_LAX_DEPTH ? 0 : SOUK_EFORM);
    }
}

/* ---- what is allocated, even for a moment ---- */
static volatile size_t allocations; /* compilers know that malloc changes nothing else; here it does */
static void one_more(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
    allocations++;
}
#ifdef SOUK_SANITIZED /* mallinfo2 is empty under ASan, which has hooks instead */
int __sanitizer_install_malloc_and_free_hooks(void (*taken)(const volatile void *, size_t),
                                              void (*freed)(const volatile void *));
static void freed(const volatile void *p)
{
    (void)p;
}
static void count_allocations(void)
{
    static bool hooked;
    if (!hooked)
        hooked = __sanitizer_install_malloc_and_free_hooks(one_more, freed) > 0;
    allocations = 0;
}
static size_t counted(void)
{
    return allocations;
}
#else
static size_t before;
static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}
static void count_allocations(void)
{
    (void)one_more;
    before = in_use();
}
static size_t counted(void)
{
    return in_use() - before + allocations;
}
#endif

/* Five bytes make msgpack-c's unpacker reserve 8.4 GB; the cursor must not allocate at all. */
static void hostile_counts_cost_nothing(void **state)
{
    (void)state;
    const struct span hostile[] = {
        BYTES(0xdd, 0x0f, 0xff, 0xff, 0xff),
        BYTES(0xdf, 0x0f, 0xff, 0xff, 0xff),
        BYTES(0xdd, 0xff, 0xff, 0xff, 0xff, 1, 2, 3),
        BYTES(0xdf, 0xff, 0xff, 0xff, 0xff, 1, 2, 3),
        BYTES(0xdb, 0xff, 0xff, 0xff, 0xff, 'a'),
        BYTES(0xc6, 0xff, 0xff, 0xff, 0xff, 'a'),
        BYTES(0xdc, 0xff, 0xff),
        BYTES(0xde, 0x80, 0),
        BYTES(0x92, 0xdd, 0x0f, 0xff, 0xff, 0xff, 0xdd, 0x0f, 0xff, 0xff, 0xff),
        BYTES(0x82, 1, 2, 3),
    };
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        for (int lax = 0; lax < 2; lax++) {
            count_allocations();
            struct cursor c = over(hostile[i]);
            c.lax = lax;
            cursor_skip(&c);
            int err = cursor_end(&c);
            size_t n = counted();
            assert_int_equal(err, SOUK_EFORM);
            assert_int_equal(n, 0);
        }
    count_allocations(); /* the counter counts */
    void *volatile some = malloc(1000);
    assert_true(counted() > 0);
    free(some);
    struct cursor c = over(hostile[0]);
    assert_int_equal(cursor_array(&c, 0, SIZE_MAX), 0);
    assert_int_equal(c.err, SOUK_EFORM);
}

static void strings_are_utf8_without_controls(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        bool line, text;
    } cases[] = {
        {"", true, true},
        {"plain words, long enough for eight at a time", true, true},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", true, true},
        {"\xc2\xa0", true, true},
        {"two\nlines", false, true},
        {"12345678\n", false, true},
        {"1234567\n90123456", false, true},
        {"a\tb", false, false},
        {"a\rb", false, false},
        {"1234567\x7f", false, false},
        {"1234567\x1f", false, false},
        {"\xc2\x85", false, false},         /* U+0085 */
        {"\xc0\xaf", false, false},         /* overlong */
        {"\xe0\x80\xaf", false, false},     /* overlong */
        {"\xf0\x80\x80\xaf", false, false}, /* overlong */
        {"\xed\xa0\x80", false, false},     /* surrogate */
        {"\xf4\x90\x80\x80", false, false}, /* beyond U+10FFFF */
        {"\xff", false, false},
        {"abcdefg\x80", false, false},
        {"\xe2\x82", false, false}, /* cut */
        {"\xf0\x9f\x98", false, false},
        {"\xc3", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span s = span_str(cases[i].s);
        assert_int_equal(utf8_ok(s, false), cases[i].line);
        assert_int_equal(utf8_ok(s, true), cases[i].text);
        struct buf b = {0};
        pack_str(&b, s);
        assert_int_equal(wire_check(buf_view(&b)) == 0, cases[i].text);
        struct cursor c = over(buf_view(&b));
        cursor_str(&c, 0, 100);
        assert_int_equal(c.err == 0, cases[i].line);
        c = over(buf_view(&b));
        cursor_text(&c, 0, 100);
        assert_int_equal(c.err == 0, cases[i].text);
        buf_free(&b);
    }
    assert_false(utf8_ok(span("a\0b", 3), true));
}

static void the_first_failure_stays(void **state)
{
    (void)state;
    struct cursor c = over(BYTES(0x05, 0xa1, 'x'));
    c.field = "test.count";
    assert_int_equal(cursor_uint(&c, 10, 20), 0);
    assert_int_equal(c.err, SOUK_ERANGE);
    c.field = "test.count";
    assert_int_equal(cursor_str(&c, 0, 5).n, 0);
    assert_int_equal(cursor_bool(&c), 0);
    assert_int_equal(cursor_fail(&c, SOUK_EMISSING, "test.other"), SOUK_ERANGE);
    assert_int_equal(cursor_end(&c), SOUK_ERANGE);
    struct report r = {0};
    assert_int_equal(cursor_report(&c, &r), SOUK_ERANGE);
    assert_string_equal(r.text, "test.count: less than 10");
}

static void refusals_name_field_and_rule(void **state)
{
    (void)state;
    struct report r = {0};
    struct cursor c = over(BYTES(0xa3, 'a', 'b', 'c'));
    c.field = "listing.title";
    cursor_str(&c, 0, 2);
    cursor_report(&c, &r);
    assert_string_equal(r.text, "listing.title: longer than 2 bytes");
    c = over(BYTES(0xff));
    c.field = "point.x";
    cursor_int(&c, 0, 9);
    cursor_report(&c, &r);
    assert_string_equal(r.text, "point.x: less than 0");
    c = over(BYTES(0));
    c.field = "point.x";
    cursor_int(&c, INT64_MIN, -5);
    cursor_report(&c, &r);
    assert_string_equal(r.text, "point.x: more than -5");
    c = over(BYTES(0xc4, 1, 1));
    uint8_t id[32] = {1};
    cursor_fixed(&c, id, 32);
    cursor_report(&c, &r);
    assert_string_equal(r.text, "not of exactly 32 bytes");
    assert_true(is_zero(id, 32));
}

static void a_lax_reader_takes_hex_for_fixed_bins(void **state)
{
    (void)state;
    uint8_t two[2];
    struct cursor c = over(BYTES(0xa4, 'f', 'F', '0', '1'));
    cursor_fixed(&c, two, 2);
    assert_int_equal(c.err, SOUK_EFORM);
    c = over(BYTES(0xa4, 'f', 'F', '0', '1'));
    c.lax = true;
    cursor_fixed(&c, two, 2);
    assert_int_equal(cursor_end(&c), 0);
    assert_memory_equal(two, "\xff\x01", 2);
    c = over(BYTES(0xa4, 'f', 'x', '0', '1'));
    c.lax = true;
    cursor_fixed(&c, two, 2);
    assert_int_equal(c.err, SOUK_EFORM);
}

static void doubles_are_for_the_socket(void **state)
{
    (void)state;
    struct buf b = {0};
    pack_double(&b, 0.5);
    pack_double(&b, -2.25);
    struct cursor c = over(buf_view(&b));
    c.lax = true;
    assert_true(cursor_double(&c) > 0.49 && c.err == 0);
    assert_true(cursor_double(&c) < -2.24);
    assert_int_equal(cursor_end(&c), 0);
    c = over(BYTES(0xca, 0x3f, 0, 0, 0, 0xca)); /* 0.5 as a float, and a stray byte */
    c.lax = true;
    double half = cursor_double(&c);
    assert_true(half > 0.49 && half < 0.51);
    assert_int_equal(cursor_end(&c), SOUK_EFORM);
    buf_free(&b);
}

static void skipping_gives_the_bytes_of_one_value(void **state)
{
    (void)state;
    struct cursor c = over(BYTES(0x92, 1, 0x81, 2, 0x93, 1, 2, 3, 0xc3));
    struct span s = cursor_skip(&c);
    assert_int_equal(s.n, 8);
    assert_true(cursor_bool(&c));
    assert_int_equal(cursor_end(&c), 0);
    assert_int_equal(c.depth, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_integer_has_one_form),
        cmocka_unit_test(longer_forms_are_refused_unless_lax),
        cmocka_unit_test(types_that_have_no_place_are_refused),
        cmocka_unit_test(keys_rise_strictly_and_are_numbers),
        cmocka_unit_test(depth_ends_at_eight),
        cmocka_unit_test(hostile_counts_cost_nothing),
        cmocka_unit_test(strings_are_utf8_without_controls),
        cmocka_unit_test(the_first_failure_stays),
        cmocka_unit_test(refusals_name_field_and_rule),
        cmocka_unit_test(a_lax_reader_takes_hex_for_fixed_bins),
        cmocka_unit_test(doubles_are_for_the_socket),
        cmocka_unit_test(skipping_gives_the_bytes_of_one_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
