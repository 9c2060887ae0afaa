// links: host
/* Datagrams of the host's sockets: all arrive, whole and from whom they came; the answers to a batch leave
 * together; what is too long is dropped; both families. */
#include "node/host/udp.h"
#include "crypto/base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct end {
    struct udp *udp;
    unsigned got, wrong;
    bool answers;
    struct addr last;
};
struct pair {
    uv_loop_t loop;
    struct end a, b;
};

/* A datagram is one byte that tells its length / 100, then that byte again and again. */
static void on_dgram(void *arg, const struct addr *from, struct span bytes)
{
    struct end *e = arg;
    e->got++;
    e->last = *from;
    for (size_t i = 0; i < bytes.n; i++)
        e->wrong += bytes.p[i] != (uint8_t)(bytes.n / 100);
    if (e->answers) {
        udp_send(e->udp, from, bytes);
        udp_flush(e->udp); /* waits for the end of the batch */
    }
}

static void say(struct end *e, const struct addr *to, size_t n)
{
    uint8_t bytes[UDP_DGRAM_MOST + 1];
    memset(bytes, (int)(n / 100), sizeof bytes);
    udp_send(e->udp, to, span(bytes, n));
}

static struct pair *pair_open(const char *at)
{
    struct pair *p = xcalloc(1, sizeof *p);
    struct addr any;
    assert_true(addr_parse(&any, at, strlen(at)));
    assert_int_equal(uv_loop_init(&p->loop), 0);
    assert_int_equal(udp_open(&p->a.udp, &p->loop, &any, on_dgram, &p->a), 0);
    assert_int_equal(udp_open(&p->b.udp, &p->loop, &any, on_dgram, &p->b), 0);
    return p;
}

static void pair_close(struct pair *p)
{
    udp_close(p->a.udp);
    udp_close(p->b.udp);
    udp_close(NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&p->loop), 0);
    free(p);
}

/* Runs while anything arrives. */
static void turn(struct pair *p)
{
    for (unsigned before = UINT32_MAX; p->a.got + p->b.got != before;) {
        before = p->a.got + p->b.got;
        uv_run(&p->loop, UV_RUN_NOWAIT);
    }
}

static void all_arrive_and_are_answered(const char *at)
{
    struct pair *p = pair_open(at);
    struct addr a = udp_addr(p->a.udp), b = udp_addr(p->b.udp);
    struct udp_stats sa, sb;
    assert_int_not_equal(a.port, 0);
    for (size_t i = 0; i < 3 * UDP_BATCH; i++)
        say(&p->a, &b, 100 + 100 * (i % 12));
    turn(p);
    assert_in_range(p->b.got, UDP_BATCH, 3 * UDP_BATCH - 1); /* the last batch is not flushed */
    unsigned before = p->b.got;
    p->b.answers = true;
    udp_flush(p->a.udp);
    turn(p);
    assert_int_equal(p->b.got, 3 * UDP_BATCH);
    assert_int_equal(p->a.got, 3 * UDP_BATCH - before);
    assert_int_equal(p->a.wrong + p->b.wrong, 0);
    assert_true(addr_eq(&p->b.last, &a) && addr_eq(&p->a.last, &b));
    udp_stats_read(p->a.udp, &sa);
    udp_stats_read(p->b.udp, &sb);
    assert_int_equal(sa.sent, 3 * UDP_BATCH);
    assert_true(sa.sent_calls <= 3 * 2); /* a batch a call, or two when they are long */
    assert_int_equal(sb.sent, 3 * UDP_BATCH - before);
    assert_in_range(sb.sent_calls, 1, sb.sent / 2); /* the answers to a batch together */
    assert_int_equal(sa.lost + sb.lost, 0);
    pair_close(p);
}

static void test_ipv4(void **state)
{
    (void)state;
    all_arrive_and_are_answered("127.0.0.1:0");
}

static void test_ipv6(void **state)
{
    (void)state;
    struct addr six;
    struct udp *u;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_true(addr_parse(&six, "[::1]:0", 7));
    int err = udp_open(&u, &loop, &six, on_dgram, NULL);
    if (err == 0)
        udp_close(u);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    if (err == UV_EADDRNOTAVAIL || err == UV_EAFNOSUPPORT)
        skip(); /* this machine has no IPv6 */
    all_arrive_and_are_answered("[::1]:0");
}

static void test_bad_ones_are_lost_and_the_rest_arrives(void **state)
{
    (void)state;
    struct pair *p = pair_open("127.0.0.1:0");
    struct addr b = udp_addr(p->b.udp), nowhere = b;
    struct udp_stats s;
    nowhere.port = 0; /* the kernel refuses it */
    say(&p->a, &b, 100);
    say(&p->a, &nowhere, 100);
    say(&p->a, &b, UDP_DGRAM_MOST);
    say(&p->a, &b, UDP_DGRAM_MOST + 1);
    udp_flush(p->a.udp);
    turn(p);
    udp_stats_read(p->a.udp, &s);
    assert_int_equal(p->b.got, 2);
    assert_int_equal(p->b.wrong, 0);
    assert_int_equal(s.sent, 2);
    assert_int_equal(s.lost, 2);
    pair_close(p);
}

/* A machine of several addresses, asked at one that the kernel would not choose. */
static void test_an_answer_leaves_from_the_address_that_was_asked(void **state)
{
    (void)state;
    struct pair p = {.b.answers = true};
    struct addr any, one;
    assert_true(addr_parse(&any, "0.0.0.0:0", 9) && addr_parse(&one, "127.0.0.1:0", 11));
    assert_int_equal(uv_loop_init(&p.loop), 0);
    assert_int_equal(udp_open(&p.a.udp, &p.loop, &one, on_dgram, &p.a), 0);
    assert_int_equal(udp_open(&p.b.udp, &p.loop, &any, on_dgram, &p.b), 0);
    uint16_t port = udp_addr(p.b.udp).port;
    for (unsigned last = 1; last < 2 * UDP_BATCH; last++) {
        struct addr asked = one;
        asked.port = port;
        asked.ip[15] = (uint8_t)last;
        say(&p.a, &asked, 100);
        udp_flush(p.a.udp);
        turn(&p);
        assert_int_equal(p.a.got, last);
        assert_true(addr_eq(&p.a.last, &asked));
    }
    struct addr a = udp_addr(p.a.udp); /* what is no answer leaves as the kernel likes */
    say(&p.b, &a, 100);
    udp_flush(p.b.udp);
    turn(&p);
    assert_int_equal(p.a.last.ip[15], 1);
    assert_int_equal(p.a.wrong + p.b.wrong, 0);
    udp_close(p.a.udp);
    udp_close(p.b.udp);
    uv_run(&p.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&p.loop), 0);
}

static void test_a_port_in_use(void **state)
{
    (void)state;
    struct pair *p = pair_open("127.0.0.1:0");
    struct addr a = udp_addr(p->a.udp);
    struct udp *u = NULL;
    assert_int_equal(udp_open(&u, &p->loop, &a, on_dgram, NULL), UV_EADDRINUSE);
    assert_null(u);
    pair_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_bad_ones_are_lost_and_the_rest_arrives),
        cmocka_unit_test(test_an_answer_leaves_from_the_address_that_was_asked),
        cmocka_unit_test(test_a_port_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
