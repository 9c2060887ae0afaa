// links: base
/* crypto/base: maps, heaps, money, addresses, arenas and buffers do what their headers say. */
#include "crypto/base/amount.h"
#include "crypto/base/arena.h"
#include "crypto/base/heap.h"
#include "crypto/base/host.h"
#include "crypto/base/map.h"
#include <inttypes.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A map against an array of the same keys, through puts, replacements and removals. */
static void map_like_an_array(void **state)
{
    (void)state;
    enum { KEYS = 500 };
    static int values[KEYS];
    int *held[KEYS] = {0};
    size_t n = 0;
    struct rng rng;
    struct map m;
    rng_seed_u64(&rng, 1);
    map_init(&m, sizeof(uint32_t), &rng);
    for (int step = 0; step < 50000; step++) {
        uint32_t k = (uint32_t)rng_below(&rng, KEYS);
        if (rng_below(&rng, 2)) {
            n += !held[k];
            held[k] = &values[rng_below(&rng, KEYS)];
            map_put(&m, &k, held[k]);
        } else {
            assert_ptr_equal(map_del(&m, &k), held[k]);
            n -= held[k] != NULL;
            held[k] = NULL;
        }
        assert_int_equal(m.n, n);
        k = (uint32_t)rng_below(&rng, KEYS);
        assert_ptr_equal(map_get(&m, &k), held[k]);
    }
    size_t seen = 0, at = 0;
    const void *key;
    void *value;
    while (map_next(&m, &at, &key, &value)) {
        uint32_t k;
        memcpy(&k, key, sizeof k);
        assert_ptr_equal(value, held[k]);
        assert_ptr_equal(map_del(&m, &k), value); /* deleting the one just visited is allowed */
        seen++;
    }
    assert_int_equal(seen, n);
    assert_int_equal(m.n, 0);
    map_free(&m);
}

static void heap_gives_the_earliest(void **state)
{
    (void)state;
    enum { ENTRIES = 300 };
    static struct heap_entry e[ENTRIES];
    struct heap h = {0};
    struct rng rng;
    rng_seed_u64(&rng, 2);
    for (int step = 0; step < 20000; step++) {
        struct heap_entry *one = &e[rng_below(&rng, ENTRIES)];
        if (rng_below(&rng, 3))
            heap_set(&h, one, rng_below(&rng, 1000));
        else
            heap_remove(&h, one);
        const struct heap_entry *first = heap_first(&h);
        uint64_t least = UINT64_MAX;
        for (int i = 0; i < ENTRIES && step % 50 == 0; i++)
            if (e[i].place && e[i].at < least)
                least = e[i].at;
        if (step % 50 == 0)
            assert_int_equal(first ? first->at : UINT64_MAX, least);
    }
    uint64_t last = 0;
    for (struct heap_entry *first; (first = heap_first(&h)); heap_remove(&h, first)) {
        assert_true(first->at >= last);
        last = first->at;
    }
    heap_remove(&h, &e[0]); /* fine when absent */
    heap_free(&h);
}

static void money_reads_and_writes(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int decimals;
        int64_t minor;
    } good[] = {{"12.50", 2, 1250}, {"12,5", 2, 1250}, {"12", 2, 1200},   {"0", 2, 0},
                {"0.01", 2, 1},     {"500", 0, 500},   {"1.234", 3, 1234}};
    const char *const bad[] = {"", ".", "12.345", "1e3", "12.5.0", " 12", "12 ", "abc", "1,2,3", "0x10"};
    char text[32];
    int64_t got;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(amount_parse(&got, good[i].text, strlen(good[i].text), good[i].decimals), 0);
        assert_int_equal(got, good[i].minor);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (amount_parse(&got, bad[i], strlen(bad[i]), 2) != SOUK_EINVALID)
            fail_msg("'%s' is taken for money", bad[i]);
    assert_int_equal(amount_parse(&got, "99999999999999999999", 20, 2), SOUK_ERANGE);
    assert_int_equal(amount_parse(&got, "10000000000000.01", 17, 2), SOUK_ERANGE);
    struct rng rng;
    rng_seed_u64(&rng, 3);
    for (int i = 0; i < 2000; i++) {
        int decimals = (int)rng_below(&rng, 4);
        int64_t minor = (int64_t)rng_below(&rng, AMOUNT_MAX + 1) >> rng_below(&rng, 50);
        amount_format(text, sizeof text, minor, decimals);
        assert_int_equal(amount_parse(&got, text, strlen(text), decimals), 0);
        assert_int_equal(got, minor);
    }
}

static void money_never_mixes_or_overflows(void **state)
{
    (void)state;
    struct amount eur = {.minor = 100}, jpy = {.minor = 100}, out = {.minor = 7};
    assert_int_equal(currency_from_iso(&eur.currency, "EUR"), 0);
    assert_int_equal(currency_from_iso(&jpy.currency, "JPY"), 0);
    assert_int_equal(currency_from_iso(&out.currency, "eur"), SOUK_EINVALID);
    assert_int_equal(currency_decimals(&eur.currency), 2);
    assert_int_equal(currency_decimals(&jpy.currency), 0);
    assert_int_equal(amount_add(&out, &eur, &jpy), SOUK_EINVALID);
    assert_int_equal(amount_sub(&out, &eur, &jpy), SOUK_EINVALID);
    assert_int_equal(out.minor, 7); /* untouched on error */
    struct amount most = eur;
    most.minor = AMOUNT_MAX;
    assert_int_equal(amount_add(&out, &most, &eur), SOUK_ERANGE);
    most.minor = -AMOUNT_MAX;
    assert_int_equal(amount_sub(&out, &most, &eur), SOUK_ERANGE);
    assert_int_equal(amount_add(&out, &eur, &eur), 0);
    assert_int_equal(out.minor, 200);
    struct amount odd = eur;
    odd.minor = 333;
    assert_int_equal(amount_share(&out, &odd, 5000), 0);
    assert_int_equal(out.minor, 167); /* 166.5, half up */
    assert_int_equal(amount_share(&out, &odd, 10000), 0);
    assert_int_equal(out.minor, 333);
}

static void addresses_read_and_write(void **state)
{
    (void)state;
    const char *const good[] = {"1.2.3.4:80", "127.0.0.1:7411", "[::1]:80", "[2001:db8::5]:65535"};
    const char *const bad[] = {"",        "1.2.3.4",     "1.2.3:80", "1.2.3.4:",    "1.2.3.4:65536",
                               "[::1]",   "::1:80",      "host:80",  "1.2.3.4:80x", "1.2.3.4:-1",
                               "[::1:80", "256.1.1.1:80"};
    struct addr a, b;
    char text[ADDR_TEXT];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(addr_parse(&a, good[i], strlen(good[i])));
        assert_string_equal(addr_format(text, &a), good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (addr_parse(&a, bad[i], strlen(bad[i])))
            fail_msg("'%s' is taken for an address", bad[i]);
    struct rng rng;
    rng_seed_u64(&rng, 4);
    for (int i = 0; i < 2000; i++) {
        rng_bytes(&rng, &a, sizeof a);
        if (i % 2)
            memcpy(a.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        memset(a.ip + 2, 0, rng_below(&rng, i % 2 ? 1 : 12)); /* runs of zeros, for the short form */
        addr_format(text, &a);
        assert_true(addr_parse(&b, text, strlen(text)));
        assert_true(addr_eq(&a, &b));
    }
}

static void addresses_are_told_apart(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool loopback, private;
    } all[] = {
        {"127.0.0.1:1", true, true},    {"[::1]:1", true, true},          {"10.1.2.3:1", false, true},
        {"172.16.0.1:1", false, true},  {"172.32.0.1:1", false, false},   {"192.168.1.1:1", false, true},
        {"169.254.1.1:1", false, true}, {"8.8.8.8:1", false, false},      {"[fe80::1]:1", false, true},
        {"[fd00::1]:1", false, true},   {"[2001:db8::1]:1", false, false}};
    struct addr a, b;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_true(addr_parse(&a, all[i].text, strlen(all[i].text)));
        if (addr_is_loopback(&a) != all[i].loopback || addr_is_private(&a) != all[i].private)
            fail_msg("%s is misjudged", all[i].text);
    }
    const char *const pairs[][2] = {{"1.2.3.4:1", "1.2.3.99:2"},
                                    {"[2001:db8::1]:1", "[2001:db8::ffff:1]:1"}};
    for (int i = 0; i < 2; i++) {
        addr_parse(&a, pairs[i][0], strlen(pairs[i][0]));
        addr_parse(&b, pairs[i][1], strlen(pairs[i][1]));
        assert_true(addr_prefix(&a) == addr_prefix(&b));
    }
    addr_parse(&a, "1.2.4.4:1", 9);
    addr_parse(&b, "1.2.3.4:1", 9);
    assert_true(addr_prefix(&a) != addr_prefix(&b));
    assert_true(addr_site(&a) != addr_site(&b));
    addr_parse(&a, "[2001:db8:1:2::1]:1", 19); /* two /64 of one /48 */
    addr_parse(&b, "[2001:db8:1:3::1]:1", 19);
    assert_true(addr_prefix(&a) != addr_prefix(&b) && addr_site(&a) == addr_site(&b));
    addr_parse(&b, "[2001:db8:2:2::1]:1", 19);
    assert_true(addr_site(&a) != addr_site(&b));
}

static void a_prefix_is_told_as_text(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"203.0.113.77:9", "203.0.113.0/24"},
                                          {"127.0.0.1:9", "127.0.0.0/24"},
                                          {"[2001:db8:1:2:3:4:5:6]:9", "2001:db8:1:2::/64"},
                                          {"[2001:db8::1]:9", "2001:db8::/64"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a;
        char text[ADDR_TEXT];
        assert_true(addr_parse(&a, rows[i][0], strlen(rows[i][0])));
        assert_string_equal(addr_prefix_format(text, addr_prefix(&a)), rows[i][1]);
    }
}

static void an_arena_has_a_limit(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    uint8_t *p = arena_alloc(&a, 900);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 16, 0);
    assert_true(is_zero(p, 900));
    assert_null(arena_alloc(&a, 200));
    assert_null(arena_array(&a, SIZE_MAX / 2, 4)); /* would overflow */
    assert_null(arena_copy(&a, span(p, 900)).p);
    assert_non_null(arena_alloc(&a, 80)); /* a refusal costs nothing */
    arena_reset(&a);
    assert_string_equal(arena_printf(&a, "%d of %s", 3, "them"), "3 of them");
    assert_string_equal(arena_str(&a, span("abcdef", 3)), "abc");
    arena_free(&a);
}

static void a_buffer_is_a_queue(void **state)
{
    (void)state;
    struct buf b = {0};
    uint8_t expect[1000];
    size_t n = 0;
    struct rng rng;
    rng_seed_u64(&rng, 5);
    for (int i = 0; i < 5000; i++) {
        size_t k = rng_below(&rng, 40);
        if (n + k <= sizeof expect && rng_below(&rng, 2)) {
            rng_bytes(&rng, expect + n, k);
            buf_append(&b, expect + n, k);
            n += k;
        } else if (k <= n) {
            buf_drop(&b, k);
            memmove(expect, expect + k, n - k);
            n -= k;
        }
        assert_int_equal(b.n, n);
        assert_true(n == 0 || memcmp(b.p, expect, n) == 0);
    }
    buf_wipe(&b);
}

static void hex_and_errors(void **state)
{
    (void)state;
    uint8_t bytes[3];
    char text[7];
    assert_true(hex_decode(bytes, 3, "00fFa5", 6));
    assert_string_equal(hex_encode(text, bytes, 3), "00ffa5");
    assert_false(hex_decode(bytes, 3, "00ffa", 5));
    assert_false(hex_decode(bytes, 3, "00ffg5", 6));
    assert_string_equal(err_name(SOUK_ESIGNATURE), "signature");
    assert_int_equal(err_by_name("signature"), SOUK_ESIGNATURE);
    assert_int_equal(err_by_name("no such"), 0);
    assert_string_equal(err_name(-9999), "unknown");
    struct report r = {0};
    assert_int_equal(report_set(&r, SOUK_ERANGE, "%d is too much", 7), SOUK_ERANGE);
    assert_int_equal(report_add(&r, SOUK_EFORM, "and so is %d", 8), SOUK_ERANGE);
    assert_string_equal(r.text, "7 is too much; and so is 8");
    assert_int_equal(report_set(NULL, SOUK_EFORM, "nobody asked"), SOUK_EFORM);
}

static void a_seed_repeats(void **state)
{
    (void)state;
    struct rng a, b;
    rng_seed_u64(&a, 6);
    rng_seed_u64(&b, 6);
    unsigned hits[10] = {0};
    for (int i = 0; i < 10000; i++) {
        assert_true(rng_u64(&a) == rng_u64(&b));
        hits[rng_below(&a, 10)]++;
        rng_below(&b, 10);
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(hits[i], 850, 1150);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_like_an_array),        cmocka_unit_test(heap_gives_the_earliest),
        cmocka_unit_test(money_reads_and_writes),   cmocka_unit_test(money_never_mixes_or_overflows),
        cmocka_unit_test(addresses_read_and_write), cmocka_unit_test(addresses_are_told_apart),
        cmocka_unit_test(an_arena_has_a_limit),     cmocka_unit_test(a_buffer_is_a_queue),
        cmocka_unit_test(hex_and_errors),           cmocka_unit_test(a_seed_repeats),
        cmocka_unit_test(a_prefix_is_told_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
