// links: wire
/* JSON in and out, at the edges only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/wire/cursor.h"
#include "crypto/wire/json.h"
#include "crypto/wire/pack.h"

/* What comes back when JSON goes to MessagePack and returns. */
static void returns(const char *json, const char *expected)
{
    struct buf wire = {0}, text = {0};
    struct report r = {0};
    if (json_to_wire(&wire, span_str(json), &r))
        fail_msg("%s: %s", json, r.text);
    assert_int_equal(wire_json(&text, buf_view(&wire)), 0);
    buf_append(&text, "", 1);
    assert_string_equal((char *)text.p, expected);
    buf_free(&wire);
    buf_free(&text);
}

static void refused(const char *json, const char *words)
{
    struct buf wire = {0};
    struct report r = {0};
    pack_nil(&wire);
    assert_int_equal(json_to_wire(&wire, span_str(json), &r), SOUK_EFORM);
    if (!strstr(r.text, words))
        fail_msg("%s: \"%s\" does not say \"%s\"", json, r.text, words);
    assert_int_equal(wire.n, 1); /* what was there is untouched */
    buf_free(&wire);
}

static void values_survive(void **state)
{
    (void)state;
    returns("null", "null");
    returns(" [true, false , null] ", "[true,false,null]");
    returns("{\"a\":1,\"b\":[{}],\"c\":\"\"}", "{\"a\":1,\"b\":[{}],\"c\":\"\"}");
    returns("[0,-0,12,-32769,18446744073709551615,-9223372036854775808]",
            "[0,0,12,-32769,18446744073709551615,-9223372036854775808]");
    returns("[0.5,1e2,-2.25E-1]", "[0.5,100,-0.22500000000000001]");
    returns("18446744073709551616", "1.8446744073709552e+19");
    returns("\"\\u00e9\\ud83d\\ude00\\n\\t\\\"\\\\\\/\"", "\"\xc3\xa9\xf0\x9f\x98\x80\\n\\t\\\"\\\\/\"");
    returns("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]");
}

static void mistakes_are_located(void **state)
{
    (void)state;
    refused("", "line 1, column 1");
    refused("{\n \"a\": 1,\n \"b\" 2}", "line 3, column 6: a colon");
    refused("[1, 2", "a comma or ]");
    refused("[1,]", "line 1, column 4");
    refused("{\"a\":1,}", "a key in quotes");
    refused("{a:1}", "a key in quotes");
    refused("01", "number");
    refused("1.", "number");
    refused("-", "number");
    refused(".5", "number");
    refused("nul", "neither a value");
    refused("1 2", "text follows");
    refused("\"abc", "ends inside a string");
    refused("\"a\nb\"", "must be escaped");
    refused("\"\\x\"", "no such escape");
    refused("\"\\u12\"", "four hexadecimal");
    refused("\"\\ud800\"", "surrogate");
    refused("\"\\ud800\\u0041\"", "surrogate");
    refused("\"\xff\"", "UTF-8");
}

static void depth_ends_at_32(void **state)
{
    (void)state;
    char deep[200] = {0};
    memset(deep, '[', 32);
    memset(deep + 32, ']', 32);
    returns(deep, deep);
    memset(deep, '[', 33);
    memset(deep + 33, ']', 33);
    refused(deep, "column 33: nested more than 32");
    char open[10000];
    memset(open, '[', sizeof open - 1);
    open[sizeof open - 1] = 0;
    refused(open, "nested");
}

static void bins_become_hex_and_bad_wire_nothing(void **state)
{
    (void)state;
    struct buf wire = {0}, text = {0};
    pack_map(&wire, 2);
    pack_uint(&wire, 7);
    pack_bin(&wire, span("\x00\xff", 2));
    pack_int(&wire, -1);
    pack_bin(&wire, span("", 0));
    assert_int_equal(wire_json(&text, buf_view(&wire)), 0);
    buf_append(&text, "", 1);
    assert_string_equal((char *)text.p, "{\"7\":\"00ff\",\"-1\":\"\"}");
    for (size_t n = 0; n < wire.n; n++) {
        buf_clear(&text);
        assert_int_equal(wire_json(&text, span(wire.p, n)), SOUK_EFORM);
        assert_int_equal(text.n, 0);
    }
    buf_free(&wire);
    buf_free(&text);
}

static void containers_are_written_in_shortest_form(void **state)
{
    (void)state;
    struct buf wire = {0};
    assert_int_equal(json_to_wire(&wire, span_str("[[1,\"a\"],[]]"), NULL), 0);
    assert_int_equal(wire_check(buf_view(&wire)), 0);
    buf_free(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_survive),
        cmocka_unit_test(mistakes_are_located),
        cmocka_unit_test(depth_ends_at_32),
        cmocka_unit_test(bins_become_hex_and_bad_wire_nothing),
        cmocka_unit_test(containers_are_written_in_shortest_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
