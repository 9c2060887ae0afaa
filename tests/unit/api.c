// links: node
/* The developer's socket, driven by bytes: what a client may do, and what it may not do to the node or to
 * another client. */
#include "node/api/api.h"
#include "crypto/sign.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include "node/node.h"
#include "store_help.h"
#include <sodium.h>

enum { CLIENTS = 80, HELD = 1024 };
static struct bench *bench;
static struct node *node;
static struct rng rng;
static struct clock now;
static struct {
    struct buf out;
    bool paused, closed;
} client[CLIENTS]; /* conn_id 2 * i + 2 */
static struct change *held[HELD];
static size_t held_n;
static bool hold; /* commits wait: the disk is slow */

static void input(const struct event *ev);

static void commit(struct change *ch)
{
    store_apply(bench->store, &ch, 1);
    view_renew(bench->view);
    input(&(struct event){.kind = EV_COMMITTED, .changes = &ch, .n = 1});
}

static void input(const struct event *ev)
{
    struct effects mine = {0};
    struct effects *f = &mine;
    view_renew(bench->view);
    node_input(node, now, bench->view, ev, f);
    for (size_t i = 0; i < f->n; i++) {
        const struct effect *e = &f->v[i];
        size_t k = e->conn / 2 - 1;
        bool api = e->conn && e->conn % 2 == 0 && k < CLIENTS;
        if (e->kind == FX_WRITE && api)
            buf_span(&client[k].out, fx_bytes(f, e));
        else if (e->kind == FX_CLOSE && api)
            client[k].closed = true;
        else if ((e->kind == FX_PAUSE || e->kind == FX_RESUME) && api)
            client[k].paused = e->kind == FX_PAUSE;
        else if (e->kind == FX_WORK)
            free(e->job);
        else if (e->kind == FX_COMMIT && hold && held_n < HELD)
            held[held_n++] = e->change;
        else if (e->kind == FX_COMMIT)
            commit(e->change);
    }
    effects_free(f);
}

static void say(int k, struct span bytes)
{
    input(&(struct event){.kind = EV_BYTES, .conn = (conn_id)(2 * k + 2), .bytes = bytes});
}

static void drained(int k)
{
    input(&(struct event){.kind = EV_DRAINED, .conn = (conn_id)(2 * k + 2)});
}

static void wake(void)
{
    for (int i = 0; i < 10000 && node_next_wake(node) <= now.mono_ms; i++)
        input(&(struct event){.kind = EV_WAKE});
}

static void come(int k, enum listener listener)
{
    input(&(struct event){.kind = EV_ACCEPTED, .conn = (conn_id)(2 * k + 2), .listener = listener});
}

static void ask(struct buf *b, uint64_t id, const char *method)
{
    pack_array(b, 4);
    pack_uint(b, 0);
    pack_uint(b, id);
    pack_cstr(b, method);
    pack_map(b, 0);
}

static void ask_mark(struct buf *b, uint64_t id)
{
    struct id who = id_of(id + 1);
    pack_array(b, 4);
    pack_uint(b, 0);
    pack_uint(b, id);
    pack_cstr(b, "people.mark");
    pack_map(b, 2);
    pack_cstr(b, "id");
    pack_bin(b, SPAN_OF(who));
    pack_cstr(b, "mark");
    pack_cstr(b, "follow");
}

/* Answers of a client, in order: how many; the last one's id and error code ("" when it went well). */
struct told {
    size_t answers, events;
    uint64_t id, seq;
    char code[32], words[400];
};
static struct told answers(int k)
{
    struct told t = {0};
    struct cursor in;
    cursor_init(&in, buf_view(&client[k].out));
    in.lax = true;
    while (in.at < in.end) {
        size_t n = cursor_array(&in, 3, 4);
        if (n == 3) {
            cursor_uint(&in, 2, 2);
            cursor_str(&in, 5, 5);
            cursor_map(&in, 2);
            cursor_str(&in, 3, 3);
            t.seq = cursor_uint(&in, 0, UINT64_MAX);
            cursor_skip(&in);
            cursor_skip(&in);
            cursor_leave(&in);
            t.events++;
        } else {
            cursor_uint(&in, 1, 1);
            t.id = cursor_uint(&in, 0, UINT32_MAX);
            struct span err = cursor_skip(&in);
            t.code[0] = t.words[0] = 0;
            if (err.n > 1) {
                struct cursor e;
                cursor_init(&e, err);
                e.lax = true;
                cursor_map(&e, 3);
                cursor_str(&e, 4, 4);
                struct span code = cursor_str(&e, 1, 31);
                cursor_str(&e, 7, 7);
                struct span words = cursor_str(&e, 1, 399);
                memcpy(t.code, code.p, code.n);
                t.code[code.n] = 0;
                memcpy(t.words, words.p, words.n);
                t.words[words.n] = 0;
            }
            cursor_skip(&in);
            t.answers++;
        }
        cursor_leave(&in);
        assert_int_equal(in.err, 0);
    }
    return t;
}

static int setup(void **state)
{
    (void)state;
    struct node_config nc = {.cheap_kdf = true};
    struct keypair pair;
    uint8_t seed[32] = {9};
    sign_keypair_from_seed(&pair, seed);
    nc.node_sk = pair.sk;
    assert_int_equal(network_make(&nc.network, "t", 0, 0, true), 0);
    nc.listen_n = addr_parse(&nc.listen[0], "127.0.0.1:7411", 14);
    rng_seed_u64(&rng, 3);
    now = (struct clock){1000, INT64_C(1790000000000)};
    bench = bench_new(64 << 20, 0);
    node = node_new(&nc, &rng);
    hold = false;
    input(&(struct event){.kind = EV_BOOT});
    wake();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    node_free(node);
    for (size_t i = 0; i < held_n; i++)
        change_free(held[i]);
    held_n = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        buf_free(&client[i].out);
    memset(client, 0, sizeof client);
    bench_free(bench);
    return 0;
}

static void test_a_node_with_nothing_to_do_sleeps(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        wake();
        assert_true(node_next_wake(node) > now.mono_ms);
        now.mono_ms += 100;
    }
}

static void test_pipelined_requests_are_all_answered_with_their_ids(void **state)
{
    (void)state;
    struct buf b = {0};
    come(0, LISTEN_API);
    for (uint64_t i = 1; i <= 40; i++)
        ask(&b, i, "node.status");
    say(0, buf_view(&b));
    wake();
    struct told t = answers(0);
    assert_int_equal(t.answers, 40);
    assert_int_equal(t.id, 40);
    assert_string_equal(t.code, "");
    buf_free(&b);
}

static void test_a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct buf b = {0};
    come(0, LISTEN_API);
    ask(&b, 7, "node.status");
    ask(&b, 8, "id.list");
    for (size_t i = 0; i < b.n; i++)
        say(0, span(b.p + i, 1));
    assert_int_equal(answers(0).answers, 2);
    assert_int_equal(answers(0).id, 8);
    buf_free(&b);
}

static void test_two_clients_get_their_own_answers(void **state)
{
    (void)state;
    struct buf a = {0}, b = {0};
    come(0, LISTEN_API);
    come(1, LISTEN_API);
    ask(&a, 1, "node.status");
    ask(&b, 2, "id.list");
    say(0, span(a.p, 3));
    say(1, buf_view(&b));
    say(0, span(a.p + 3, a.n - 3));
    assert_int_equal(answers(0).answers, 1);
    assert_int_equal(answers(0).id, 1);
    assert_int_equal(answers(1).answers, 1);
    assert_int_equal(answers(1).id, 2);
    buf_free(&a);
    buf_free(&b);
}

/* One client's thousand requests do not hold up another's one: each has its turn. */
static void test_a_busy_client_does_not_starve_another(void **state)
{
    (void)state;
    struct buf a = {0}, b = {0};
    come(0, LISTEN_API);
    come(1, LISTEN_API);
    for (uint64_t i = 1; i <= 1000; i++)
        ask(&a, i, "id.list");
    ask(&b, 1, "id.list");
    say(0, buf_view(&a));
    assert_true(answers(0).answers < 100);
    assert_true(client[0].paused);
    assert_true(node_next_wake(node) <= now.mono_ms);
    say(1, buf_view(&b));
    assert_int_equal(answers(1).answers, 1);
    wake();
    assert_int_equal(answers(0).answers, 1000);
    assert_int_equal(answers(0).id, 1000);
    assert_false(client[0].paused);
    buf_free(&a);
    buf_free(&b);
}

static void test_a_client_that_never_reads_is_not_read_either(void **state)
{
    (void)state;
    struct buf b = {0};
    come(0, LISTEN_API);
    for (uint64_t i = 1; i <= 400; i++)
        ask(&b, i, "api.describe");
    say(0, buf_view(&b));
    wake();
    assert_true(client[0].paused);
    size_t one = client[0].out.n / answers(0).answers;
    assert_true(client[0].out.n <= (1 << 20) + one);
    drained(0);
    wake();
    assert_true(client[0].out.n <= 2 * ((1 << 20) + one));
    for (int i = 0; i < 400 && answers(0).answers < 400; i++) {
        drained(0);
        wake();
    }
    assert_int_equal(answers(0).answers, 400);
    drained(0);
    assert_false(client[0].paused);
    buf_free(&b);
}

static void test_at_most_64_requests_of_a_client_wait_for_the_disk(void **state)
{
    (void)state;
    struct buf b = {0};
    come(0, LISTEN_API);
    hold = true;
    for (uint64_t i = 1; i <= 200; i++)
        ask_mark(&b, i);
    say(0, buf_view(&b));
    wake();
    assert_int_equal(answers(0).answers, 0);
    assert_int_equal(held_n, 64);
    assert_true(client[0].paused);
    hold = false;
    while (held_n) {
        struct change *ch = held[--held_n];
        commit(ch);
    }
    wake();
    assert_int_equal(answers(0).answers, 200);
    assert_false(client[0].paused);
    buf_free(&b);
}

static void test_answers_after_the_client_is_gone_go_nowhere(void **state)
{
    (void)state;
    struct buf b = {0};
    come(0, LISTEN_API);
    hold = true;
    ask_mark(&b, 1);
    say(0, buf_view(&b));
    assert_int_equal(held_n, 1);
    input(&(struct event){.kind = EV_CLOSED, .conn = 2});
    hold = false;
    held_n = 0;
    commit(held[0]);
    assert_int_equal(client[0].out.n, 0);
    buf_free(&b);
}

static void test_garbage_closes_with_words(void **state)
{
    (void)state;
    come(0, LISTEN_API);
    say(0, span("\xc1", 1));
    assert_true(client[0].closed);
    assert_string_equal(answers(0).code, "form");
    assert_non_null(strstr(answers(0).words, "MessagePack"));
    say(0, span("\xc0", 1)); /* nobody listens any more */
    assert_int_equal(answers(0).answers, 1);
}

static void test_a_value_that_is_no_request_is_refused_and_the_next_one_served(void **state)
{
    (void)state;
    struct buf b = {0};
    come(0, LISTEN_API);
    pack_uint(&b, 5);
    ask(&b, 3, "id.list");
    say(0, buf_view(&b));
    assert_false(client[0].closed);
    assert_int_equal(answers(0).answers, 2);
    assert_int_equal(answers(0).id, 3);
    buf_free(&b);
}

static void test_a_request_has_at_most_6_mib(void **state)
{
    (void)state;
    come(0, LISTEN_API);
    say(0, span("\x94\x00\x01\xc6\x00\x60\x00\x00", 8)); /* with its head it is over */
    assert_true(client[0].closed);
    assert_string_equal(answers(0).code, "range");
    assert_non_null(strstr(answers(0).words, "6 MiB"));
    come(1, LISTEN_API);
    say(1, span("\xdd\xff\xff\xff\xff", 5)); /* as many elements cannot fit either */
    assert_true(client[1].closed);
}

static void test_the_read_only_socket_serves_public_methods_only(void **state)
{
    (void)state;
    struct buf b = {0};
    come(0, LISTEN_API_RO);
    ask(&b, 1, "node.status");
    say(0, buf_view(&b));
    assert_string_equal(answers(0).code, "not_allowed");
    assert_non_null(strstr(answers(0).words, "souk.sock"));
    buf_clear(&b);
    ask(&b, 2, "node.stop");
    ask(&b, 3, "category.list");
    say(0, buf_view(&b));
    assert_int_equal(answers(0).answers, 3);
    assert_string_equal(answers(0).code, "");
    buf_free(&b);
}

static void test_unknown_methods_and_parameters_are_named(void **state)
{
    (void)state;
    struct buf b = {0};
    come(0, LISTEN_API);
    ask(&b, 1, "no.such");
    say(0, buf_view(&b));
    assert_string_equal(answers(0).code, "method");
    assert_non_null(strstr(answers(0).words, "no.such"));
    buf_clear(&b);
    pack_array(&b, 4);
    pack_uint(&b, 0);
    pack_uint(&b, 2);
    pack_cstr(&b, "events.list");
    pack_map(&b, 1);
    pack_cstr(&b, "frobnicate");
    pack_uint(&b, 1);
    say(0, buf_view(&b));
    assert_string_equal(answers(0).code, "params");
    assert_non_null(strstr(answers(0).words, "frobnicate"));
    buf_free(&b);
}

static void test_there_is_room_for_64_clients(void **state)
{
    (void)state;
    for (int i = 0; i < 65; i++)
        come(i, LISTEN_API);
    assert_false(client[63].closed);
    assert_true(client[64].closed);
    input(&(struct event){.kind = EV_CLOSED, .conn = 2});
    come(66, LISTEN_API);
    assert_false(client[66].closed);
}

/* A subscriber that is slow hears every event all the same, once and in order, and costs a bounded memory.
 */
static void test_a_slow_subscriber_misses_nothing(void **state)
{
    (void)state;
    enum { EVENTS = 9000 };
    struct buf b = {0};
    char text[400];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < EVENTS; i += 500) {
        struct change *ch = change_new(ROOM_NODE, 0, 0);
        for (int k = 0; k < 500; k++) {
            buf_clear(&b);
            pack_str(&b, span(text, sizeof text));
            change_event(ch, buf_view(&b));
        }
        assert_int_equal(apply_one(bench, ch), 0);
        change_free(ch);
    }
    buf_clear(&b);
    come(0, LISTEN_API);
    pack_array(&b, 4);
    pack_uint(&b, 0);
    pack_uint(&b, 1);
    pack_cstr(&b, "events.subscribe");
    pack_map(&b, 1);
    pack_cstr(&b, "after");
    pack_uint(&b, 0);
    say(0, buf_view(&b));
    assert_true(client[0].out.n <= (1 << 20) + 4096);
    struct change *late = change_new(ROOM_NODE, 0, 0);
    buf_clear(&b);
    pack_cstr(&b, "late");
    change_event(late, buf_view(&b));
    commit(late);
    assert_true(client[0].out.n <= (1 << 20) + 4096);
    for (int i = 0; i < 20; i++)
        drained(0);
    struct told t = answers(0);
    assert_true(t.events >= EVENTS + 1);
    assert_int_equal(t.events, t.seq); /* as many as the last one's number: none missing, none twice */
    buf_free(&b);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_node_with_nothing_to_do_sleeps),
        T(pipelined_requests_are_all_answered_with_their_ids),
        T(a_request_may_come_byte_by_byte),
        T(two_clients_get_their_own_answers),
        T(a_busy_client_does_not_starve_another),
        T(a_client_that_never_reads_is_not_read_either),
        T(at_most_64_requests_of_a_client_wait_for_the_disk),
        T(answers_after_the_client_is_gone_go_nowhere),
        T(garbage_closes_with_words),
        T(a_value_that_is_no_request_is_refused_and_the_next_one_served),
        T(a_request_has_at_most_6_mib),
        T(the_read_only_socket_serves_public_methods_only),
        T(unknown_methods_and_parameters_are_named),
        T(there_is_room_for_64_clients),
        T(a_slow_subscriber_misses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
