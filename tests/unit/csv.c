// links: market
#include "node/market/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct file {
    struct csv csv;
    struct csv_row row;
    struct arena a;
};

static struct file *open_text(const char *text)
{
    struct file *f = calloc(1, sizeof *f);
    arena_init(&f->a, 4096);
    csv_init(&f->csv, span_str(text));
    return f;
}

static void close_text(struct file *f)
{
    arena_free(&f->a);
    free(f);
}

static enum csv_got next(struct file *f)
{
    return csv_next(&f->csv, &f->row, &f->a);
}

static void is_row(struct file *f, uint32_t line, size_t n, const char *const *fields)
{
    assert_int_equal(next(f), CSV_ROW);
    assert_int_equal(f->row.line, line);
    assert_int_equal(f->row.n, n);
    for (size_t i = 0; i < n; i++)
        if (!span_eq(f->row.field[i], span_str(fields[i])))
            fail_msg("field %zu is '%.*s', not '%s'", i, (int)f->row.field[i].n,
                     (const char *)f->row.field[i].p, fields[i]);
}
#define ROW(f, line, ...)                                                         \
    is_row(f, line, sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *), \
           (const char *[]){__VA_ARGS__})

static void fields_are_parted_by_commas_and_rows_by_either_line_end(void **state)
{
    (void)state;
    struct file *f = open_text("\xef\xbb\xbf"
                               "a,b,\r\n,,\nlast,row");
    ROW(f, 1, "a", "b", "");
    ROW(f, 2, "", "", "");
    ROW(f, 3, "last", "row");
    assert_int_equal(next(f), CSV_END);
    close_text(f);
}

static void quotes_hold_commas_quotes_and_lines(void **state)
{
    (void)state;
    struct file *f = open_text("\"a,b\",\"say \"\"hi\"\"\",\"\"\n\"one\r\ntwo\n\",x\nnext\n");
    ROW(f, 1, "a,b", "say \"hi\"", "");
    ROW(f, 2, "one\ntwo\n", "x");
    ROW(f, 5, "next"); /* lines are counted as an editor counts them */
    assert_int_equal(next(f), CSV_END);
    assert_int_equal(f->row.line, 6);
    close_text(f);
}

static void empty_lines_are_stepped_over(void **state)
{
    (void)state;
    struct file *f = open_text("\n\r\na\n\n\nb\n\n");
    ROW(f, 3, "a");
    ROW(f, 6, "b");
    assert_int_equal(next(f), CSV_END);
    close_text(f);
}

static void a_quote_out_of_place_ends_the_reading(void **state)
{
    (void)state;
    static const char *const texts[] = {"x\n27\" screen,y\n", "x\n\"open,y\nz\n", "x\n\"a\"b,y\n", "x\n\""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct file *f = open_text(texts[i]);
        ROW(f, 1, "x");
        assert_int_equal(next(f), CSV_QUOTE);
        assert_int_equal(f->row.line, 2);
        close_text(f);
    }
}

static void only_utf8_is_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"\xe9\n", "\"\xc3\"\n", "\xed\xa0\x80", "\xc0\x80", "\"\xff"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct file *f = open_text(texts[i]);
        assert_int_equal(next(f), CSV_ENCODING);
        close_text(f);
    }
}

static void more_fields_than_any_heading_are_counted_and_a_full_arena_is_told(void **state)
{
    (void)state;
    char many[300], large[6000];
    memset(many, ',', sizeof many);
    many[sizeof many - 1] = 0;
    struct file *f = open_text(many);
    assert_int_equal(next(f), CSV_ROW);
    assert_int_equal(f->row.n, sizeof many);
    close_text(f);
    memset(large, 'x', sizeof large);
    large[0] = large[sizeof large - 2] = '"';
    large[sizeof large - 1] = 0;
    f = open_text(large);
    assert_int_equal(next(f), CSV_FULL);
    close_text(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_parted_by_commas_and_rows_by_either_line_end),
        cmocka_unit_test(quotes_hold_commas_quotes_and_lines),
        cmocka_unit_test(empty_lines_are_stepped_over),
        cmocka_unit_test(a_quote_out_of_place_ends_the_reading),
        cmocka_unit_test(only_utf8_is_read),
        cmocka_unit_test(more_fields_than_any_heading_are_counted_and_a_full_arena_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
