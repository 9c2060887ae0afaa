// links: dht_world
/* What an engine asks again, and when: answers cut short, writes that were lost, checks of the table. */
#include "datagram.gen.h"
#include "dht/inner.h"
#include "tests/sim/dht_world.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PEERS = 8 };
static struct network net;
static struct rng rng;
static struct clock now;
static struct dht *d;
static struct dht_out out;
static struct dht_peer peers[PEERS];

static int setup(void **state)
{
    (void)state;
    rng_seed_u64(&rng, 6);
    now = (struct clock){1000, 1700000000000};
    assert_int_equal(network_make(&net, "t", 0, 0, false), 0);
    struct dht_config c = {.net = &net, .rng = &rng, .client = true};
    rng_bytes(&rng, c.self.b, 32);
    d = dht_new(&c, now);
    for (int i = 0; i < PEERS; i++) {
        rng_bytes(&rng, peers[i].key.b, 32);
        peers[i].addr =
            (struct addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 9, 9, (uint8_t)i, 1}, 4000};
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dht_out_free(&out);
    dht_free(d);
    return 0;
}

static void wait_ms(uint64_t ms)
{
    now.mono_ms += ms;
    now.unix_ms += (int64_t)ms;
    dht_out_clear(&out);
    dht_wake(d, now, &out);
}

static struct span sent(size_t i)
{
    return dht_out_bytes(&out, &out.v[i]);
}

/* The datagrams of this number in `out`. */
static size_t count(uint8_t number)
{
    size_t n = 0;
    for (size_t i = 0; i < out.n; i++)
        n += sent(i).p[0] == number;
    return n;
}

/* The peer answers a request; what the engine then sends is in `more`. */
static void answer(const struct dht_send *to, const uint8_t request[static 9], uint8_t number,
                   struct buf *body, struct dht_out *more)
{
    struct buf b = {0};
    buf_append(&b, &number, 1);
    buf_append(&b, request + 1, 8);
    buf_span(&b, buf_view(body));
    assert_int_equal(dht_datagram(d, now, &to->to, &to->key, buf_view(&b), b.n, more), DHT_ANSWER);
    buf_free(&b);
}

static void answer_pong(const struct dht_send *to, const uint8_t *request, bool proven)
{
    uint8_t seen[ADDR_BYTES] = {0};
    struct datagram_pong m = {.seen = SPAN_OF(seen), .has_proven = true, .proven = proven};
    struct buf body = {0};
    struct dht_out more = {0};
    datagram_pong_encode(&body, &m);
    answer(to, request, DATAGRAM_PONG, &body, &more);
    dht_out_free(&more);
    buf_free(&body);
}

/* nodes: as they lie in an answer, 38 bytes each. */
static void answer_naming(const struct dht_send *to, const uint8_t *request, bool proven, struct span nodes,
                          struct dht_out *more)
{
    uint8_t seen[ADDR_BYTES] = {0}, token[8] = {1};
    struct datagram_nodes m = {.seen = SPAN_OF(seen),
                               .has_proven = proven,
                               .proven = proven,
                               .token = SPAN_OF(token),
                               .has_ipv4 = true,
                               .ipv4 = nodes};
    struct buf body = {0};
    datagram_nodes_encode(&body, &m);
    answer(to, request, DATAGRAM_NODES, &body, more);
    buf_free(&body);
}

static void answer_nodes(const struct dht_send *to, const uint8_t *request, bool proven,
                         struct dht_out *more)
{
    answer_naming(to, request, proven, span(NULL, 0), more);
}

static void answer_stored(const struct dht_send *to, const uint8_t *request, struct dht_out *more)
{
    uint8_t seen[ADDR_BYTES] = {0};
    struct datagram_stored m = {.seen = SPAN_OF(seen), .has_proven = true, .proven = true, .life_s = 7200};
    struct buf body = {0};
    datagram_stored_encode(&body, &m);
    answer(to, request, DATAGRAM_STORED, &body, more);
    buf_free(&body);
}

static size_t repeats(struct span bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < out.n; i++)
        n += span_eq(sent(i), bytes);
    return n;
}

/* Everybody answers a ping: all are in the table, and our address is proven to them or not. */
static void meet(size_t n, bool proven)
{
    for (size_t i = 0; i < n; i++) {
        dht_ping(d, now, &peers[i], 0);
        wait_ms(0);
        now.mono_ms += 80;
        for (size_t j = 0; j < out.n; j++)
            if (sent(j).p[0] == DATAGRAM_PING)
                answer_pong(&out.v[j], sent(j).p, proven);
        while (dht_result_next(d))
            ;
    }
    struct dht_stats s;
    dht_stats_read(d, &s);
    assert_int_equal(s.nodes, n);
}

static void an_answer_cut_short_is_asked_for_again_padded(void **state)
{
    (void)state;
    struct id key = {{7}};
    struct dht_out more = {0};
    meet(1, true);
    dht_get_start(d, now, DHT_POINTER, &key, 0, 0);
    wait_ms(0);
    assert_int_equal(count(DATAGRAM_GET), 1);
    assert_true(sent(0).n < 100);
    /* The proof has run out over there: no room for nodes, or for a value. */
    answer_nodes(&out.v[0], sent(0).p, false, &more);
    assert_null(dht_result_next(d));
    assert_int_equal(more.n, 1);
    struct span again = dht_out_bytes(&more, &more.v[0]);
    assert_int_equal(again.p[0], DATAGRAM_GET);
    assert_int_equal(again.n, DHT_PLAIN_MOST);
    /* Whatever comes now was not cut: it is not asked a third time. */
    struct dht_out last = {0};
    answer_nodes(&more.v[0], again.p, false, &last);
    assert_int_equal(last.n, 0);
    const struct dht_result *r = dht_result_next(d);
    assert_non_null(r);
    assert_int_equal(r->err, SOUK_ENOT_FOUND);
    assert_int_equal(r->messages, 2);
    dht_out_free(&more);
    dht_out_free(&last);
}

/* Eight have answered; one farther is named at two addresses: neither of them is asked. */
static void who_is_outside_the_window_is_not_asked_at_its_second_address(void **state)
{
    (void)state;
    struct id target, id;
    struct node_key far;
    uint8_t nodes[2 * 38];
    uint64_t farthest = 0;
    meet(PEERS, true);
    rng_bytes(&rng, target.b, sizeof target.b);
    for (int i = 0; i < PEERS; i++) {
        dht_id(&id, &net, &peers[i].key);
        farthest = id_distance(&id, &target) > farthest ? id_distance(&id, &target) : farthest;
    }
    do {
        rng_bytes(&rng, far.b, sizeof far.b);
        dht_id(&id, &net, &far);
    } while (id_distance(&id, &target) <= farthest);
    for (uint8_t i = 0; i < 2; i++) {
        memcpy(nodes + 38 * i, far.b, 32);
        memcpy(nodes + 38 * i + 32, (uint8_t[]){8, 8, i, 1, 0x10, 0}, 6);
    }
    dht_lookup_start(d, now, &target, 0, 0);
    wait_ms(0);
    const struct dht_result *r;
    for (size_t asked = 0; (r = dht_result_next(d)) == NULL;) {
        struct dht_out more = {0};
        assert_true(asked < out.n);
        answer_naming(&out.v[asked], sent(asked).p, true, SPAN_OF(nodes), &more);
        for (size_t i = 0; i < more.n; i++)
            out_add(d, &out, &more.v[i].key, &more.v[i].to, dht_out_bytes(&more, &more.v[i]),
                    span(NULL, 0));
        dht_out_free(&more);
        asked++;
    }
    assert_int_equal(r->messages, PEERS);
    assert_int_equal(r->nodes_n, PEERS);
}

static void the_questions_and_writes_of_a_put_are_repeated_once(void **state)
{
    (void)state;
    struct buf value = {0}, first = {0};
    struct dht_out more = {0};
    struct keypair author;
    uint8_t body[8] = {1};
    int err;
    meet(2, false);
    sign_keypair_new(&author, &rng);
    struct dht_value v = {.kind = DHT_POINTER,
                          .seq = 1,
                          .body = SPAN_OF(body),
                          .expires_s = (uint64_t)(now.unix_ms / 1000) + 86400};
    memcpy(v.author, author.pk, 32);
    assert_int_equal(dht_value_make(&value, &net, &v, dht_world_sign, &author), 0);
    assert_true(dht_put_start(d, now, buf_view(&value), NULL, 0, &err) > 0);
    wait_ms(0);
    assert_int_equal(count(DATAGRAM_FIND_NODE), 2);
    struct dht_send to[2] = {out.v[0], out.v[1]};
    size_t each = sent(0).n;
    buf_span(&first, sent(0));
    buf_span(&first, sent(1));
    /* One answers, the other's datagram was lost: the very bytes go out again; the put waits for it. */
    answer_nodes(&to[0], first.p, true, &more);
    assert_int_equal(more.n, 0);
    struct span lost = span(first.p + each, each);
    wait_ms(25);
    for (int i = 0; i < 40 && !repeats(lost); i++)
        wait_ms(25);
    assert_int_equal(repeats(lost), 1);
    answer_nodes(&to[1], first.p + each, true, &more);
    assert_int_equal(more.n, 2);
    buf_clear(&first);
    struct dht_send put[2] = {more.v[0], more.v[1]};
    for (size_t i = 0; i < 2; i++)
        buf_span(&first, dht_out_bytes(&more, &more.v[i]));
    each = first.n / 2;
    assert_int_equal(first.p[0], DATAGRAM_PUT);
    /* The same with a write; an answer to each of the two datagrams counts once. */
    answer_stored(&put[0], first.p, &more);
    lost = span(first.p + each, each);
    wait_ms(25);
    for (int i = 0; i < 40 && !repeats(lost); i++)
        wait_ms(25);
    assert_int_equal(repeats(lost), 1);
    answer_stored(&put[1], first.p + each, &more);
    const struct dht_result *r = dht_result_next(d);
    assert_non_null(r);
    assert_int_equal(r->err, 0);
    assert_int_equal(r->stored, 2);
    assert_int_equal(r->messages, 6);
    uint8_t late[REQUEST_HEAD + 1] = {DATAGRAM_STORED};
    memcpy(late + 1, first.p + each + 1, 8);
    assert_int_equal(dht_datagram(d, now, &put[1].to, &put[1].key, SPAN_OF(late), sizeof late, &more),
                     DHT_DROPPED);
    buf_free(&value);
    buf_free(&first);
    dht_out_free(&more);
}

static void a_plain_lookup_asks_nobody_twice(void **state)
{
    (void)state;
    struct id target = {{9}};
    meet(PEERS, false);
    dht_lookup_start(d, now, &target, 0, 0);
    wait_ms(0);
    size_t asked = count(DATAGRAM_FIND_NODE);
    for (int i = 0; i < 200; i++) {
        wait_ms(25);
        asked += count(DATAGRAM_FIND_NODE);
    }
    assert_int_equal(asked, PEERS);
    const struct dht_result *r = dht_result_next(d);
    assert_non_null(r);
    assert_int_equal(r->err, SOUK_EOFFLINE);
}

static void checks_come_sooner_where_nodes_die(void **state)
{
    (void)state;
    struct dht_stats s;
    struct dht_out more = {0};
    meet(PEERS, false);
    uint32_t rest = d->check_ms;
    assert_int_equal(rest, d->knobs.check_most_ms);
    /* The first seven answer every ping, the last has gone: it is sent two datagrams, then put out of use.
     */
    size_t to_dead = 0;
    for (int i = 0; i < 4000; i++) {
        wait_ms(100);
        for (size_t j = 0; j < out.n; j++) {
            bool ping = sent(j).p[0] == DATAGRAM_PING;
            if (node_key_eq(&out.v[j].key, &peers[PEERS - 1].key))
                to_dead += ping;
            else if (ping)
                answer_pong(&out.v[j], sent(j).p, false);
            else
                answer_nodes(&out.v[j], sent(j).p, false, &more);
        }
        if (to_dead == 2)
            break;
    }
    assert_int_equal(to_dead, 2);
    for (int i = 0; i < 40; i++)
        wait_ms(100);
    assert_true(d->check_ms < rest);
    struct near near[PEERS];
    assert_int_equal(table_nearest(d, dht_self(d), 4, near, PEERS), PEERS - 1);
    dht_stats_read(d, &s);
    assert_true(s.timeouts >= 1);
    for (int i = 0; i < 20; i++)
        upkeep_checked(d, false);
    assert_int_equal(d->check_ms, d->knobs.check_least_ms);
    for (int i = 0; i < 200; i++)
        upkeep_checked(d, true);
    assert_int_equal(d->check_ms, d->knobs.check_most_ms);
    dht_out_free(&more);
}

/* When every place for a request is taken, a query still ends. */
static void a_ping_for_which_there_is_no_place_ends_at_once(void **state)
{
    (void)state;
    const struct dht_result *r;
    d->knobs.requests_most = 4;
    for (int i = 0; i < 6; i++)
        assert_true(dht_ping(d, now, &peers[i], (uint64_t)i) > 0);
    wait_ms(0);
    int busy = 0;
    while ((r = dht_result_next(d)) != NULL)
        busy += r->err == SOUK_EBUSY;
    assert_int_equal(busy, 2);
    wait_ms(1000);
    wait_ms(60000);
    for (busy = 0; (r = dht_result_next(d)) != NULL; busy++)
        assert_int_equal(r->err, SOUK_ETIMEOUT);
    assert_int_equal(busy, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_cut_short_is_asked_for_again_padded, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_outside_the_window_is_not_asked_at_its_second_address, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_questions_and_writes_of_a_put_are_repeated_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_plain_lookup_asks_nobody_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ping_for_which_there_is_no_place_ends_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(checks_come_sooner_where_nodes_die, setup, teardown),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
