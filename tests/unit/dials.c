// links: node
/* Whom a node would dial: what a flood of records that name addresses can make of it. */
#include "node/dials.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct network net;
static struct dials s;

static int setup(void **state)
{
    (void)state;
    s = (struct dials){.n = 0};
    return network_make(&net, "t", 0, 0, false);
}

static void add(unsigned n, const char *text, bool named)
{
    struct node_key key = {{(uint8_t)(n >> 8), (uint8_t)n, 1}};
    struct addr a;
    assert_true(addr_parse(&a, text, strlen(text)));
    dials_add(&s, &net, &key, &a, named);
}

static size_t at(const char *text)
{
    struct addr a;
    size_t n = 0;
    assert_true(addr_parse(&a, text, strlen(text)));
    for (size_t i = 0; i < s.n; i++)
        n += addr_prefix(&s.v[i].addr) == addr_prefix(&a);
    return n;
}

static void one_victim_is_named_a_hundred_times_in_vain(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        add(i, "198.18.6.6:80", false);
        add(1000 + i, i % 2 ? "[2001:db8:6::6]:80" : "[2001:db8:6:1::6]:80", false); /* /64s of one /48 */
    }
    assert_int_equal(at("198.18.6.6:80"), DIALS_PREFIX);
    assert_int_equal(at("[2001:db8:6::6]:80") + at("[2001:db8:6:1::6]:80"), DIALS_PREFIX);
    s.v[0].fails = 3; /* who does not answer makes room for another that may */
    add(500, "198.18.6.7:80", false);
    assert_int_equal(s.v[0].addr.ip[15], 7);
    assert_int_equal(at("198.18.6.6:80"), DIALS_PREFIX);
}

static void what_the_owner_named_stays_whatever_comes(void **state)
{
    (void)state;
    char text[40];
    for (unsigned i = 0; i < 8; i++)
        add(i, "198.18.1.1:7", true); /* as many of one prefix as the owner likes */
    assert_int_equal(s.n, 8);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "198.%u.%u.1:7", 20 + i / 250, i % 250);
        add(5000 + i, text, false);
        s.v[i % s.n].fails++;
    }
    assert_int_equal(s.n, DIALS_MOST);
    for (unsigned i = 0; i < 8; i++) {
        struct node_key key = {{0, (uint8_t)i, 1}};
        assert_non_null(dials_find(&s, &key));
    }
    for (unsigned i = 100; i < 200; i++)
        add(i, "198.18.1.1:7", true);
    size_t named = 0;
    for (size_t i = 0; i < s.n; i++)
        named += s.v[i].named;
    assert_int_equal(named, DIALS_MOST / 2);
}

static void who_moves_is_dialled_where_it_is(void **state)
{
    (void)state;
    add(1, "198.18.1.1:7", true);
    add(1, "198.18.2.2:7", false);
    assert_int_equal(s.n, 1);
    assert_true(s.v[0].named && s.v[0].addr.ip[14] == 2);
}

static void on_one_machine_all_are_dialled(void **state)
{
    (void)state;
    net.loopback = true;
    for (unsigned i = 0; i < 30; i++)
        add(i, "127.0.0.1:7", false);
    assert_int_equal(s.n, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_victim_is_named_a_hundred_times_in_vain, setup),
        cmocka_unit_test_setup(what_the_owner_named_stays_whatever_comes, setup),
        cmocka_unit_test_setup(who_moves_is_dialled_where_it_is, setup),
        cmocka_unit_test_setup(on_one_machine_all_are_dialled, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
