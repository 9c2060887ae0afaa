// links: market
#include "node/market/import.h"
#include "crypto/base/amount.h"
#include "node/market/market.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct identity issuer = {{9, 9, 9}}, arbiter = {{8, 8, 8}};

static struct buf load(const char *folder, const char *name)
{
    char path[512];
    struct buf b = {0};
    snprintf(path, sizeof path, "%s/tests/data/%s/%s", SOUK_SOURCE_DIR, folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is missing", path);
    uint8_t block[4096];
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        buf_append(&b, block, n);
    fclose(f);
    return b;
}

static struct import_options options(void)
{
    return (struct import_options){
        .issuer = &issuer, .issuer_decimals = 2, .arbiters = &arbiter, .arbiters_n = 1};
}

static bool ends(const char *s, const char *tail)
{
    size_t n = strlen(s), t = strlen(tail);
    return n >= t && strcmp(s + n - t, tail) == 0;
}

/* Every line of `expected` begins a fault, in this order; no other line or item is blamed. */
static void compare(const char *name, const struct import *im, char *expected)
{
    size_t at = 0;
    char said[600], *save = NULL;
    bool blamed[100000] = {false};
    for (char *want = strtok_r(expected, "\n", &save); want; want = strtok_r(NULL, "\n", &save)) {
        assert_true(strncmp(want, "line ", 5) == 0 || strncmp(want, "item ", 5) == 0);
        unsigned long line = strtoul(want + 5, NULL, 10);
        assert_true(line > 0 && line < sizeof blamed);
        blamed[line] = true;
        for (; at < im->faults_n; at++) {
            const struct import_fault *f = &im->faults[at];
            snprintf(said, sizeof said, "%s %u: %s: %s", f->item ? "item" : "line", f->line, f->field,
                     f->text);
            if (strncmp(said, want, strlen(want)) == 0)
                break;
        }
        if (at++ == im->faults_n)
            fail_msg("%s: nobody said '%s'", name, want);
    }
    for (size_t i = 0; i < im->faults_n; i++)
        if (!blamed[im->faults[i].line])
            fail_msg("%s: line %u is good, but: %s: %s", name, im->faults[i].line, im->faults[i].field,
                     im->faults[i].text);
}

static void every_mistake_of_a_file_is_named_and_no_other(void **state)
{
    (void)state;
    DIR *d = opendir(SOUK_SOURCE_DIR "/tests/data/bad");
    size_t files = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char beside[300];
        bool csv = ends(e->d_name, ".csv");
        if (!csv && !ends(e->d_name, ".json"))
            continue;
        snprintf(beside, sizeof beside, "%s.expected", e->d_name);
        struct buf text = load("bad", e->d_name), expected = load("bad", beside);
        struct import im;
        struct import_options o = options();
        o.photos_known = true; /* the pictures that are there: none */
        buf_append(&expected, "", 1);
        import_init(&im);
        (csv ? import_csv : import_json)(&im, buf_view(&text), &o);
        compare(e->d_name, &im, (char *)expected.p);
        assert_true(im.faults_n > 0);
        import_free(&im);
        buf_free(&text);
        buf_free(&expected);
        files++;
    }
    closedir(d);
    assert_true(files >= 22);
}

static void the_catalogue_comes_in_whole(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t rows;
    } parts[] = {{"catalogue.csv", 222}, {"catalogue.json", 111}};
    size_t types[3] = {0}, credit = 0, pictures = 0;
    for (size_t p = 0; p < 2; p++) {
        struct buf text = load("catalogue", parts[p].name);
        struct import im;
        struct import_options o = options();
        import_init(&im);
        (p ? import_json : import_csv)(&im, buf_view(&text), &o);
        if (im.faults_n)
            fail_msg("%u: %s: %s", im.faults[0].line, im.faults[0].field, im.faults[0].text);
        assert_int_equal(im.rows_n, parts[p].rows);
        for (size_t i = 0; i < im.rows_n; i++) {
            struct record_listing *m = &im.rows[i].listing;
            struct buf body = {0};
            struct arena a;
            struct report r = {0};
            types[m->type]++;
            credit += !currency_is_iso(&m->price.currency);
            arena_init(&a, 65536);
            record_listing_encode(&body, m);
            if (record_listing_decode(m, buf_view(&body), &a, &r))
                fail_msg("%s", r.text);
            arena_free(&a);
            buf_free(&body);
        }
        pictures += im.paths_n;
        import_free(&im);
        buf_free(&text);
    }
    assert_int_equal(types[RECORD_LISTING_TYPE_GOODS], 248);
    assert_int_equal(types[RECORD_LISTING_TYPE_SERVICE], 50);
    assert_int_equal(types[RECORD_LISTING_TYPE_RENTAL], 35);
    assert_int_equal(credit, 130);
    assert_int_equal(pictures, 352);
}

static const char heading[] =
    "type,title,description,lang,category,condition,price,currency,country,delivery,"
    "photo,instant\n";

static void a_row_becomes_a_listing(void **state)
{
    (void)state;
    char text[600];
    struct import im;
    struct import_photo photo = {span_str("a.png"), {.bytes = 5}};
    struct import_options o = options();
    snprintf(text, sizeof text,
             "\xef\xbb\xbf%sgoods, Lamp "
             ",\"two\r\nlines\",en,furniture/chairs,good,12.5,credit,FR,ship|meet,a.png,yes\r\n",
             heading);
    o.photos_known = true;
    o.photos = &photo;
    o.photos_n = 1;
    import_init(&im);
    import_csv(&im, span_str(text), &o);
    assert_int_equal(im.faults_n, 0);
    assert_int_equal(im.rows_n, 1);
    const struct record_listing *m = &im.rows[0].listing;
    assert_true(span_eq(m->title, span_str("Lamp")));
    assert_true(span_eq(m->description, span_str("two\nlines")));
    assert_int_equal(m->price.minor, 1250);
    assert_memory_equal(m->price.currency.b, issuer.b, 32);
    assert_int_equal(m->rails[0], RECORD_RAIL_CREDIT);
    assert_int_equal(m->delivery_n, 2);
    assert_int_equal(m->photos[0].bytes, 5);
    assert_true(m->instant);
    assert_memory_equal(&m->arbiters[0], &arbiter, 32);
    assert_int_equal(im.rows[0].days, IMPORT_DAYS);
    import_free(&im);
}

static void credit_needs_an_issuer_and_instant_an_arbiter(void **state)
{
    (void)state;
    char text[600];
    struct import im;
    struct import_options o = {0};
    snprintf(text, sizeof text, "%sgoods,Lamp,words,en,furniture/chairs,good,12,credit,FR,ship,,yes\n",
             heading);
    import_init(&im);
    import_csv(&im, span_str(text), &o);
    assert_int_equal(im.rows_n, 0);
    assert_int_equal(im.faults_n, 2);
    assert_string_equal(im.faults[0].field, "currency");
    assert_string_equal(im.faults[1].field, "instant");
    import_free(&im);
}

static void a_file_of_nonsense_is_bounded(void **state)
{
    (void)state;
    struct buf text = {0};
    struct import im;
    struct import_options o = options();
    buf_append(&text, heading, strlen(heading));
    for (size_t i = 0; i < IMPORT_ROWS_MOST + 5; i++)
        buf_append(&text, ",,,,,,,,,,,\n", 12);
    import_init(&im);
    import_csv(&im, buf_view(&text), &o);
    assert_int_equal(im.faults_n, IMPORT_FAULTS_MOST);
    assert_int_equal(im.rows_n, 0);
    import_free(&im);
    buf_free(&text);
}

static void json_of_the_wrong_shape_is_blamed_by_its_item(void **state)
{
    (void)state;
    static const char text[] =
        "[1, "
        "{\"@type\":\"Product\",\"name\":[],\"offers\":{\"price\":{},\"priceSpecification\":{\"unitCode\":"
        "\"X\"}},"
        "\"image\":[\"../x.png\", 4], \"keywords\":{}, \"additionalProperty\":[1,{\"name\":\"\"}]}]";
    struct import im;
    struct import_options o = options();
    import_init(&im);
    import_json(&im, span_str(text), &o);
    assert_int_equal(im.rows_n, 0);
    assert_int_equal(im.read, 2);
    assert_true(im.faults_n > 5);
    assert_string_equal(im.faults[0].field, "json");
    for (size_t i = 0; i < im.faults_n; i++) {
        assert_true(im.faults[i].item);
        assert_int_equal(im.faults[i].line, i ? 2 : 1);
    }
    import_free(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_of_a_file_is_named_and_no_other),
        cmocka_unit_test(the_catalogue_comes_in_whole),
        cmocka_unit_test(a_row_becomes_a_listing),
        cmocka_unit_test(credit_needs_an_issuer_and_instant_an_arbiter),
        cmocka_unit_test(a_file_of_nonsense_is_bounded),
        cmocka_unit_test(json_of_the_wrong_shape_is_blamed_by_its_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
