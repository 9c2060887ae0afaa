// links: test_codecs
/* What generated codecs promise beyond the round trips of gen_test and its like: the words of refusals,
 * what a client may write freely, memory, method tables, and that mistakes in a schema are located. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "closed.gen.h"
#include "strict.gen.h"
#include "test.gen.h"
#include "testapi.gen.h"
#include <stdio.h>
#include <stdlib.h>

#define BYTES(...) ((struct span){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})

static int put_params(struct testapi_item_put_params *m, const char *json, struct arena *a,
                      struct buf *wire, struct report *r)
{
    buf_clear(wire);
    assert_int_equal(json_to_wire(wire, span_str(json), NULL), 0);
    memset(r, 0, sizeof *r);
    return testapi_item_put_params_decode(m, buf_view(wire), a, r);
}

static void a_client_may_write_json(void **state)
{
    (void)state;
    struct arena a;
    struct buf wire = {0}, view = {0};
    struct report r;
    struct testapi_item_put_params m;
    arena_init(&a, 10000);
    assert_int_equal(
        put_params(&m,
                   "{\"price\": {\"currency\": \"EUR\", \"minor\": 1250}, \"title\": \"Chaise\","
                   " \"blob\": \"00ff\", \"more\": {\"b\": [1.5]}, \"items\": [{\"state\": \"stale\", "
                   "\"note\": null, \"root\": "
                   "\"0101010101010101010101010101010101010101010101010101010101010101\"}]}",
                   &a, &wire, &r),
        0);
    assert_true(m.price.minor == 1250 && currency_is_iso(&m.price.currency));
    assert_true(m.has_blob && m.blob.n == 2 && m.blob.p[1] == 0xff);
    assert_true(m.has_items && m.items_n == 1 && m.items[0].state == TESTAPI_STATE_STALE);
    assert_false(m.items[0].has_note);
    assert_int_equal(m.items[0].root.b[31], 1);
    testapi_item_put_params_json(&view, &m);
    buf_append(&view, "", 1);
    assert_string_equal(
        (char *)view.p,
        "{\"title\":\"Chaise\",\"price\":{\"minor\":1250,\"currency\":\"EUR\"},\"items\":[{\"root\":"
        "\"0101010101010101010101010101010101010101010101010101010101010101\",\"state\":\"stale\"}],"
        "\"blob\":\"00ff\",\"more\":{\"b\":[1.5]}}");
    buf_free(&view);
    buf_free(&wire);
    arena_free(&a);
}

static void refusals_say_what_and_how_to_mend(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int err;
        const char *words;
    } cases[] = {
        {"{\"title\":\"a\",\"pric\":1}", SOUK_EUNKNOWN_CRITICAL,
         "item.put: no such field: \"pric\"; did you mean price?; known: title, price, items, blob, more"},
        {"{\"title\":\"a\"}", SOUK_EMISSING, "item.put.price: required but missing"},
        {"{\"title\":\"\"}", SOUK_ERANGE, "item.put.title: shorter than 1 bytes"},
        {"{\"title\":\"a\",\"title\":\"b\"}", SOUK_EFORM, "item.put.title: given twice"},
        {"{\"title\":null}", SOUK_EFORM, "item.put.title: not a string"},
        {"{\"items\":[{\"state\":\"stal\"}]}", SOUK_ERANGE,
         "item.state: no such choice: \"stal\"; did you mean stale?; known: fresh, stale"},
        {"{\"items\":[{\"root\":\"01\"}]}", SOUK_ERANGE, "item.root: not of exactly 32 bytes"},
        {"{\"price\":{\"minor\":1}}", SOUK_EMISSING,
         "item.put.price: an amount needs both minor and currency"},
        {"{\"price\":{\"minor\":1,\"currency\":\"eur\"}}", SOUK_ERANGE,
         "item.put.price: neither three ISO letters nor an issuer's id"},
        {"{\"price\":{\"minor\":1.5,\"currency\":\"EUR\"}}", SOUK_EFORM, "item.put.price: not a number"},
        {"{\"blob\":\"0\"}", SOUK_EFORM, "item.put.blob: not hexadecimal"},
        {"[]", SOUK_EFORM, "item.put: not a map"},
    };
    struct arena a;
    struct buf wire = {0};
    struct report r;
    struct testapi_item_put_params m;
    arena_init(&a, 10000);
    memset(&m, 0x5a, sizeof m);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(put_params(&m, cases[i].json, &a, &wire, &r), cases[i].err);
        assert_string_equal(r.text, cases[i].words);
    }
    assert_int_equal(((uint8_t *)&m)[0], 0x5a); /* untouched on error */
    buf_free(&wire);
    arena_free(&a);
}

static void arrays_need_room(void **state)
{
    (void)state;
    struct span one_id = BYTES(0x81, 5, 0x91, 1); /* colours: [green] */
    struct test_maybe m;
    struct report r = {0};
    struct arena a;
    assert_int_equal(test_maybe_decode(&m, one_id, NULL, &r), SOUK_ERANGE);
    assert_string_equal(r.text, "maybe.colours: more than this reader has room for");
    arena_init(&a, 16);
    assert_int_equal(test_maybe_decode(&m, one_id, &a, &r), 0);
    assert_true(m.has_colours && m.colours_n == 1 && m.colours[0] == TEST_COLOUR_GREEN);
    assert_int_equal(test_maybe_decode(&m, one_id, &a, &r), SOUK_ERANGE); /* the arena is full now */
    arena_free(&a);
}

static void unknown_keys_are_treated_as_the_family_says(void **state)
{
    (void)state;
    struct test_maybe kept;
    struct strict_transfer critical;
    struct closed_note closed;
    struct report r = {0};
    assert_int_equal(test_maybe_decode(&kept, BYTES(0x81, 99, 1), NULL, &r), 0);
    assert_int_equal(strict_transfer_decode(&critical, BYTES(0x81, 99, 1), NULL, &r),
                     SOUK_EUNKNOWN_CRITICAL);
    assert_string_equal(r.text, "transfer: a field that is not understood: key 99");
    assert_int_equal(strict_transfer_decode(&critical, BYTES(0x81, 0xcc, 200, 1), NULL, &r), SOUK_EMISSING);
    assert_int_equal(closed_note_decode(&closed, BYTES(0x81, 0xcc, 200, 1), NULL, &r),
                     SOUK_EUNKNOWN_CRITICAL);
    /* an open enum takes numbers that it does not list; others do not */
    assert_int_equal(closed_note_decode(&closed, BYTES(0x81, 0, 77), NULL, &r), 0);
    assert_string_equal(closed_kind_name(closed.kind), "unknown");
    assert_int_equal(test_maybe_decode(&kept, BYTES(0x81, 5, 0x91, 2), NULL, &r), SOUK_ERANGE);
}

static void names_and_numbers_are_looked_up(void **state)
{
    (void)state;
    struct report r = {0};
    assert_string_equal(test_name(TEST_MAYBE), "maybe");
    assert_null(test_name(99));
    assert_int_equal(test_check(TEST_NOTHING, BYTES(0x80), NULL, &r), 0);
    assert_int_equal(test_check(99, BYTES(0x80), NULL, &r), SOUK_ENOT_FOUND);
    assert_string_equal(test_colour_name(TEST_COLOUR_BLUE), "blue");
    assert_int_equal(test_colour_by_name(span_str("blue")), TEST_COLOUR_BLUE);
    assert_true(test_colour_by_name(span_str("mauve")) < 0);
}

static void methods_are_described(void **state)
{
    (void)state;
    assert_int_equal(testapi_methods_n, 2);
    int i = testapi_method_by_name(span_str("item.put"));
    assert_int_equal(i, TESTAPI_M_ITEM_PUT);
    const struct api_method *m = &testapi_methods[i];
    assert_string_equal(api_class_name(m->class), "write");
    assert_string_equal(m->errors, "quota not_found");
    assert_int_equal(m->params_n, 5);
    assert_string_equal(m->params[2].type, "array 0..10 of item");
    assert_false(m->params[2].required);
    assert_int_equal(testapi_method_by_name(span_str("item.take")), SOUK_EMETHOD);
    assert_int_equal(testapi_types_n, 2);
    assert_string_equal(testapi_types[1].values, "fresh, stale");
}

/* Runs the generator on a family "bad" of these lines: its words, or "" when it has none. */
static void generator_says(const char *lines, const char *words)
{
    char dir[] = "/tmp/souk-gen-XXXXXX", path[64], command[600], said[1000] = "";
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/bad.schema", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(lines, f);
    fclose(f);
    snprintf(command, sizeof command, "python3 %s/crypto/wire/gen.py %s %s 2>&1", SOUK_SOURCE_DIR, path,
             dir);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    said[fread(said, 1, sizeof said - 1, p)] = 0;
    int status = pclose(p);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    if ((status == 0) != (*words == 0) || !strstr(said, words))
        fail_msg("the generator said \"%s\" and not \"%s\"", said, words);
}

static void mistakes_in_a_schema_are_located(void **state)
{
    (void)state;
#define FAMILY "family bad keys int unknown keep\n"
    generator_says(FAMILY "message a 1\n 0 x uint 0..1 required\n", "");
    generator_says("family other keys int unknown keep\n",
                   "bad.schema:1: the family must be named as the file: bad");
    generator_says("family bad keys int\n", "bad.schema:1: say what happens to unknown keys");
    generator_says(FAMILY "# words\nmessage a 1\n  0 x wrong required\n",
                   "bad.schema:4: there is no type or struct wrong");
    generator_says(FAMILY "message a 1\n  1 x bool required\n  1 y bool required\n",
                   "bad.schema:4: key 1 does not rise");
    generator_says(FAMILY "message a 1\n  0 x str required\n", "bad.schema:3: str needs a range");
    generator_says(FAMILY "message a 1\n  0 x str 9..3 required\n", "bad.schema:3: '9..3' is not a range");
    generator_says(FAMILY "message a 1\n  0 x bool\n",
                   "bad.schema:3: a field must end with required or optional");
    generator_says(FAMILY "message a 1\nmessage b 1\n", "bad.schema:3: message number 1 is taken");
    generator_says(FAMILY "struct a\n  0 b array 0..2 of b required\nstruct b\n  0 a a required\n",
                   "would hold itself");
    generator_says(FAMILY "struct a\n  0 x enum e required\n", "bad.schema:3: there is no enum e");
    generator_says(FAMILY "enum e\nstruct a\n", "bad.schema:2: enum e has no values");
    generator_says(FAMILY "  0 x bool required\n", "bad.schema:2: an indented line belongs to");
    generator_says(FAMILY "use nobody\n", "bad.schema:2: there is no family nobody");
    generator_says("family bad keys str lax\nmethod a.b sometimes\n",
                   "bad.schema:2: 'sometimes' is not a class");
    generator_says("family bad keys str lax\nmethod a.b write\n  errors oops\n",
                   "bad.schema:3: 'oops' is not an error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_may_write_json),
        cmocka_unit_test(refusals_say_what_and_how_to_mend),
        cmocka_unit_test(arrays_need_room),
        cmocka_unit_test(unknown_keys_are_treated_as_the_family_says),
        cmocka_unit_test(names_and_numbers_are_looked_up),
        cmocka_unit_test(methods_are_described),
        cmocka_unit_test(mistakes_in_a_schema_are_located),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
