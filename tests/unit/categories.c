// links: market
#include "node/market/categories.h"
#include "node/market/regions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *nearest(const char *path)
{
    const struct category *c = category_nearest(span_str(path));
    return c ? c->path : "";
}

static void a_path_is_found_and_nothing_else_is(void **state)
{
    (void)state;
    const struct category *city = category_find(span_str("bikes/city"));
    assert_non_null(city);
    assert_string_equal(city->label_en, "City bikes");
    assert_string_equal(city->label_fr, "Vélos de ville");
    assert_int_equal(city->type, CATEGORY_GOODS);
    assert_null(category_find(span_str("")));
    assert_null(category_find(span_str("bikes/")));
    assert_null(category_find(span_str("bikes/cit")));
    assert_null(category_find(span_str("bikes/cityy")));
    assert_null(category_find(span_str("Bikes/city")));
    assert_null(category_find(span("bikes\0", 6)));
}

static void the_table_is_sorted_and_every_entry_is_found(void **state)
{
    (void)state;
    size_t n;
    const struct category *all = categories_all(&n);
    assert_true(n > 200);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(category_find(span_str(all[i].path)), &all[i]);
        assert_true(strlen(all[i].path) <= CATEGORY_PATH_MOST);
        assert_true(i == 0 || strcmp(all[i - 1].path, all[i].path) < 0);
        assert_true(all[i].label_en[0] && all[i].label_fr[0]);
        assert_true(all[i].attributes_n == 0 || all[i].attributes);
    }
}

static void tops_and_children_make_up_the_whole(void **state)
{
    (void)state;
    size_t n, tops, counted = 0;
    categories_all(&n);
    const struct category *const *top = categories_top(&tops);
    for (size_t i = 0; i < tops; i++) {
        size_t children;
        const struct category *child = category_children(top[i], &children);
        assert_null(strchr(top[i]->path, '/'));
        assert_ptr_equal(category_top_of(top[i]), top[i]);
        for (size_t k = 0; k < children; k++) {
            size_t none;
            assert_ptr_equal(category_top_of(&child[k]), top[i]);
            assert_int_equal(child[k].type, top[i]->type);
            category_children(&child[k], &none);
            assert_int_equal(none, 0);
        }
        counted += 1 + children;
    }
    assert_int_equal(counted, n);
}

static void attributes_have_a_kind_and_a_unit(void **state)
{
    (void)state;
    const struct category *city = category_find(span_str("bikes/city"));
    const struct category_attribute *frame = category_attribute_find(city, span_str("frame_size"));
    assert_non_null(frame);
    assert_int_equal(frame->kind, ATTRIBUTE_MEASURE);
    assert_string_equal(frame->unit, "cm");
    const struct category_attribute *brand = category_attribute_find(city, span_str("brand"));
    assert_int_equal(brand->kind, ATTRIBUTE_STR);
    assert_string_equal(brand->unit, "");
    assert_null(category_attribute_find(city, span_str("condition"))); /* a field of every listing */
    assert_null(category_attribute_find(city, span_str("brandy")));
    assert_true(city->condition);
    assert_false(category_find(span_str("garden-tools/plants"))->condition);
    const struct category *moving = category_find(span_str("home-services/moving"));
    assert_int_equal(category_attribute_find(moving, span_str("van"))->kind, ATTRIBUTE_BOOL);
    assert_int_equal(category_attribute_find(moving, span_str("persons"))->kind, ATTRIBUTE_INT);
    assert_string_equal(category_type_name(moving->type), "service");
}

static void what_the_law_restricts_is_said(void **state)
{
    (void)state;
    assert_string_equal(category_find(span_str("beauty-health/medicines"))->note,
                        "medicines may never be sold between private people");
    assert_string_equal(category_find(span_str("bikes/city"))->note, "");
}

static void a_mistyped_path_has_a_nearest(void **state)
{
    (void)state;
    assert_string_equal(nearest("bikes/citty"), "bikes/city");
    assert_string_equal(nearest("bike/city"), "bikes/city");
    assert_string_equal(nearest("Bikes/City"), "bikes/city");
    assert_string_equal(nearest("laptop"), "computers/laptops");
    assert_string_equal(nearest("Canapés et fauteuils"), "furniture/sofas");
    assert_string_equal(nearest("canapes et fauteuil"), "furniture/sofas");
    assert_string_equal(nearest("bikes/city"), "bikes/city");
}

static void what_is_like_nothing_has_no_nearest(void **state)
{
    (void)state;
    assert_string_equal(nearest(""), "");
    assert_string_equal(nearest("qqqqqqqqqqqq"), "");
    char lengthy[200];
    memset(lengthy, 'b', sizeof lengthy);
    assert_null(category_nearest(span(lengthy, sizeof lengthy)));
    assert_null(category_nearest(span(lengthy, CATEGORY_PATH_MOST)));
}

static void there_are_249_regions(void **state)
{
    (void)state;
    size_t count = 0;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            uint8_t code[2] = {(uint8_t)a, (uint8_t)b};
            count += region_ok(span(code, 2));
        }
    assert_int_equal(count, 249);
}

static void regions_are_two_capitals_assigned_by_iso(void **state)
{
    (void)state;
    static const char *const good[] = {"FR", "BE", "CH", "GB", "IE", "AX", "BQ", "SS", "ZW", "AD", "ME"};
    static const char *const bad[] = {"",   "F",  "FRA", "fr", "Fr", "UK", "EU", "XK", "ZZ",
                                      "AN", "YU", "SU",  "CS", "00", "F ", "QQ", "XX"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(region_ok(span_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(region_ok(span_str(bad[i])));
    assert_false(region_ok(span("F\0", 2)));
}

static void a_mistaken_region_is_guessed(void **state)
{
    (void)state;
    char out[3];
    assert_true(region_guess(out, span_str("fr")));
    assert_string_equal(out, "FR");
    assert_true(region_guess(out, span_str("uk")));
    assert_string_equal(out, "GB");
    assert_false(region_guess(out, span_str("ZZ")));
    assert_false(region_guess(out, span_str("France")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_found_and_nothing_else_is),
        cmocka_unit_test(the_table_is_sorted_and_every_entry_is_found),
        cmocka_unit_test(tops_and_children_make_up_the_whole),
        cmocka_unit_test(attributes_have_a_kind_and_a_unit),
        cmocka_unit_test(what_the_law_restricts_is_said),
        cmocka_unit_test(a_mistyped_path_has_a_nearest),
        cmocka_unit_test(what_is_like_nothing_has_no_nearest),
        cmocka_unit_test(there_are_249_regions),
        cmocka_unit_test(regions_are_two_capitals_assigned_by_iso),
        cmocka_unit_test(a_mistaken_region_is_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
