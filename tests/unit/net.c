// links: net
/* Sessions of two nodes over wires that the test holds in its hand. */
#include "crypto/sign.h"
#include "node/keys/keys.h"
#include "node/net/session.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WIRES = 64 };
struct node_under_test {
    struct core core; /* first: hooks find their node by it */
    struct effects fx;
    struct network network;
    struct rng rng;
    struct addr addr;
    int answer; /* what session_message gives back */
    unsigned ups, downs, messages;
    unsigned number;
    struct buf body;
};
struct wire {
    bool open;
    conn_id conn[2]; /* at node 0 and node 1 */
    struct buf to[2];
    bool paused[2], drained[2];
};
static struct node_under_test *N[2];
static struct wire wires[WIRES];
static int wires_n;
static bool hold; /* bytes stay on the wires, as with a peer that does not read */

static struct node_under_test *of(struct core *c)
{
    return (struct node_under_test *)(void *)c;
}
static void on_up(struct core *c, const struct node_key *peer)
{
    (void)peer;
    of(c)->ups++;
}
static void on_down(struct core *c, const struct node_key *peer)
{
    (void)peer;
    of(c)->downs++;
}
static int on_message(struct core *c, const struct node_key *peer, enum channel channel, unsigned number,
                      struct span body)
{
    assert_true(net_up(c->net, peer));
    assert_int_equal(channel, CHANNEL_MAIL);
    of(c)->messages++;
    of(c)->number = number;
    buf_clear(&of(c)->body);
    buf_span(&of(c)->body, body);
    return of(c)->answer;
}
static const struct hooks hooks = {
    .session_up = on_up, .session_down = on_down, .session_message = on_message};

static struct node_under_test *make(int i, const char *network, bool loopback)
{
    struct node_under_test *n = calloc(1, sizeof *n);
    struct keypair pair;
    uint8_t seed[32] = {(uint8_t)(i + 1)};
    char text[24];
    sign_keypair_from_seed(&pair, seed);
    rng_seed_u64(&n->rng, (uint64_t)i + 1);
    assert_int_equal(network_make(&n->network, network, 0, 0, loopback), 0);
    snprintf(text, sizeof text, "8.8.%d.1:7411", i);
    assert_true(addr_parse(&n->addr, text, strlen(text)));
    n->core = (struct core){.network = &n->network,
                            .hooks = &hooks,
                            .rng = &n->rng,
                            .fx = &n->fx,
                            .now = {1000, INT64_C(1790000000000)},
                            .keys = keys_new(pair.sk, true)};
    n->core.net = net_new(&(struct net_config){.self = n->addr, .idle_ms = 10000}, &n->network, &n->rng);
    return n;
}

static void world_new(const char *net0, const char *net1)
{
    N[0] = make(0, net0, false);
    N[1] = make(1, net1, false);
    memset(wires, 0, sizeof wires);
    wires_n = 0;
    hold = false;
}

static void world_free(void)
{
    for (int i = 0; i < 2; i++) {
        net_free(N[i]->core.net);
        keys_free(N[i]->core.keys);
        effects_free(&N[i]->fx);
        buf_free(&N[i]->body);
        free(N[i]);
    }
    for (int w = 0; w < wires_n; w++) {
        buf_free(&wires[w].to[0]);
        buf_free(&wires[w].to[1]);
    }
}

static const struct node_key *key(int i)
{
    return keys_node(N[i]->core.keys);
}

static struct wire *wire_of(int i, conn_id conn)
{
    for (int w = 0; w < wires_n; w++)
        if (wires[w].conn[i] == conn)
            return &wires[w];
    return NULL;
}

/* Takes one node's effects to the wires. */
static bool carry(int i)
{
    struct node_under_test *n = N[i];
    bool any = n->fx.n > 0;
    for (size_t k = 0; k < n->fx.n; k++) {
        const struct effect *e = &n->fx.v[k];
        struct wire *w = wire_of(i, e->conn);
        if (e->kind == FX_DIAL) {
            assert_true(wires_n < WIRES);
            w = &wires[wires_n++];
            w->conn[i] = e->conn;
            w->conn[1 - i] = 2 * (conn_id)wires_n;
            w->open = true;
        } else if (e->kind == FX_WRITE && w) {
            buf_span(&w->to[1 - i], fx_bytes(&n->fx, e));
            w->drained[i] = false;
        } else if (e->kind == FX_CLOSE && w) {
            w->open = false;
        } else if (e->kind == FX_PAUSE || e->kind == FX_RESUME) {
            w->paused[i] = e->kind == FX_PAUSE;
        }
    }
    /* New wires: the dialler hears of it, the other side accepts. */
    size_t had = n->fx.n;
    struct effect *copy = xmemdup(n->fx.v, had * sizeof *copy);
    effects_clear(&n->fx);
    for (size_t k = 0; k < had; k++)
        if (copy[k].kind == FX_DIAL) {
            net_accepted(N[1 - i]->core.net, &N[1 - i]->core, wire_of(i, copy[k].conn)->conn[1 - i],
                         &n->addr);
            net_dialled(n->core.net, &n->core, copy[k].conn, 0);
        } else if (copy[k].kind == FX_CLOSE && wire_of(i, copy[k].conn)) {
            struct wire *w = wire_of(i, copy[k].conn);
            if (w->to[1 - i].n) /* what was written goes before the close */
                net_bytes(N[1 - i]->core.net, &N[1 - i]->core, w->conn[1 - i], buf_view(&w->to[1 - i]));
            buf_clear(&w->to[1 - i]);
            net_closed(N[1 - i]->core.net, &N[1 - i]->core, w->conn[1 - i]);
        }
    free(copy);
    return any;
}

/* Delivers what is on the wires, cut into pieces of `cut` bytes, until all is quiet. */
static void pump_cut(size_t cut)
{
    bool any = true;
    for (int round = 0; any && round < 10000; round++) {
        any = carry(0);
        any = carry(1) || any;
        for (int w = 0; w < wires_n && !hold; w++)
            for (int i = 0; i < 2; i++) {
                struct buf *b = &wires[w].to[i];
                if (!wires[w].open || !b->n || wires[w].paused[i])
                    continue;
                uint8_t piece[65536];
                size_t n = b->n < cut ? b->n : cut;
                memcpy(piece, b->p, n);
                buf_drop(b, n);
                net_bytes(N[i]->core.net, &N[i]->core, wires[w].conn[i], span(piece, n));
                if (!b->n)
                    net_drained(N[1 - i]->core.net, &N[1 - i]->core, wires[w].conn[1 - i]);
                any = true;
            }
    }
    assert_false(any);
}

static void pump(void)
{
    pump_cut(65536);
}

static void pass(uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 1000)
        for (int i = 0; i < 2; i++) {
            N[i]->core.now.mono_ms += 1000;
            net_wake(N[i]->core.net, &N[i]->core);
            pump();
        }
}

static void connect_to(int i)
{
    assert_int_equal(net_connect(N[i]->core.net, &N[i]->core, key(1 - i), &N[1 - i]->addr), 0);
}

static bool both_up(void)
{
    return net_up(N[0]->core.net, key(1)) && net_up(N[1]->core.net, key(0));
}

static int send(int i, unsigned number, struct span body)
{
    return net_send(N[i]->core.net, &N[i]->core, key(1 - i), CHANNEL_MAIL, number, body);
}

static void two_nodes_talk(void **state)
{
    (void)state;
    const size_t cuts[] = {1, 2, 3, 100, 65536};
    for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
        world_new("test", "test");
        connect_to(0);
        connect_to(0); /* on its way already: no second one */
        pump_cut(cuts[k]);
        assert_true(both_up());
        assert_int_equal(wires_n, 1);
        assert_int_equal(N[0]->ups, 1);
        assert_int_equal(N[1]->ups, 1);
        assert_int_equal(send(0, 7, span("\x81\x00\x05", 3)), 0);
        assert_int_equal(send(1, 300, span("\x80", 1)), 0);
        pump_cut(cuts[k]);
        assert_int_equal(N[1]->messages, 1);
        assert_int_equal(N[1]->number, 7);
        assert_memory_equal(N[1]->body.p, "\x81\x00\x05", 3);
        assert_int_equal(N[0]->number, 300);
        world_free();
    }
}

static void nothing_readable_on_the_wire(void **state)
{
    (void)state;
    world_new("test", "test");
    connect_to(0);
    pump();
    hold = true;
    uint8_t body[100] = {0xc4, 98};
    memset(body + 2, 'S', 98);
    assert_int_equal(send(0, 1, span(body, sizeof body)), 0);
    carry(0);
    const struct buf *on = &wires[0].to[1];
    assert_true(on->n > 100);
    for (size_t i = 0; i + 8 <= on->n; i++)
        assert_memory_not_equal(on->p + i, "SSSSSSSS", 8);
    world_free();
}

static void other_networks_stay_out(void **state)
{
    (void)state;
    world_new("test", "other");
    connect_to(0);
    pump();
    assert_false(net_up(N[0]->core.net, key(1)));
    assert_false(net_up(N[1]->core.net, key(0)));
    assert_int_equal(N[0]->ups + N[1]->ups, 0);
    assert_false(wires[0].open);
    world_free();
}

static void only_the_key_that_was_dialled(void **state)
{
    (void)state;
    world_new("test", "test");
    struct node_key wrong = *key(1);
    struct keypair pair;
    uint8_t seed[32] = {99};
    sign_keypair_from_seed(&pair, seed);
    memcpy(wrong.b, pair.pk, 32);
    assert_int_equal(net_connect(N[0]->core.net, &N[0]->core, &wrong, &N[1]->addr), 0);
    pump();
    assert_int_equal(N[0]->ups + N[1]->ups, 0);
    assert_false(wires[0].open);
    assert_int_equal(net_connect(N[0]->core.net, &N[0]->core, key(0), &N[0]->addr),
                     SOUK_EINVALID); /* itself */
    world_free();
}

static void garbage_closes_a_handshake(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed_u64(&rng, 5);
    world_new("test", "test");
    for (int i = 0; i < 200; i++) {
        uint8_t junk[300];
        conn_id conn = 1000 + 2 * (conn_id)i;
        rng_bytes(&rng, junk, sizeof junk);
        be16_put(junk, (uint16_t)rng_below(&rng, 298));
        net_accepted(N[1]->core.net, &N[1]->core, conn, &N[0]->addr);
        net_bytes(N[1]->core.net, &N[1]->core, conn, span(junk, sizeof junk));
        if (net_owns(N[1]->core.net, conn)) /* 32 bytes of anything are a first message: then silence */
            net_closed(N[1]->core.net, &N[1]->core, conn);
        effects_clear(&N[1]->fx);
    }
    assert_int_equal(N[1]->ups, 0);
    connect_to(0);
    pump();
    assert_true(both_up()); /* and it still works */
    world_free();
}

static void silence_ends_a_handshake(void **state)
{
    (void)state;
    world_new("test", "test");
    net_accepted(N[1]->core.net, &N[1]->core, 1000, &N[0]->addr);
    for (int i = 0; i < 7; i++) /* one prefix holds at most 8 that are half open */
        net_accepted(N[1]->core.net, &N[1]->core, 1002 + 2 * (conn_id)i, &N[0]->addr);
    assert_int_equal(N[1]->fx.n, 0);
    net_accepted(N[1]->core.net, &N[1]->core, 1016, &N[0]->addr);
    assert_int_equal(N[1]->fx.n, 1);
    assert_int_equal(N[1]->fx.v[0].kind, FX_CLOSE);
    effects_clear(&N[1]->fx);
    N[1]->core.now.mono_ms += NET_HANDSHAKE_MS;
    assert_true(net_next_wake(N[1]->core.net) <= N[1]->core.now.mono_ms);
    net_wake(N[1]->core.net, &N[1]->core);
    assert_false(net_owns(N[1]->core.net, 1000));
    assert_int_equal(N[1]->fx.n, 8);
    world_free();
}

static void of_two_dials_one_stays(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++)
        for (size_t cut = 16; cut < 200; cut += 40) {
            world_new("test", "test");
            connect_to(first);
            connect_to(1 - first);
            pump_cut(cut);
            assert_true(both_up());
            int open = 0;
            for (int w = 0; w < wires_n; w++)
                open += wires[w].open;
            assert_int_equal(open, 1);
            assert_int_equal(send(0, 1, span("\x80", 1)), 0);
            assert_int_equal(send(1, 1, span("\x80", 1)), 0);
            pump();
            assert_int_equal(N[0]->messages, 1);
            assert_int_equal(N[1]->messages, 1);
            assert_int_equal(N[0]->ups - N[0]->downs, 1); /* the rooms see one session */
            assert_int_equal(N[1]->ups - N[1]->downs, 1);
            world_free();
        }
}

static void a_queue_is_bounded(void **state)
{
    (void)state;
    world_new("test", "test");
    assert_int_equal(send(0, 1, span("\x80", 1)), SOUK_EOFFLINE);
    connect_to(0);
    pump();
    hold = true; /* the peer does not read */
    uint8_t body[40003] = {0xc5, 0x9c, 0x40};
    int err = 0;
    unsigned sent = 0;
    while (!(err = send(0, 1, span(body, sizeof body))))
        sent++;
    assert_int_equal(err, SOUK_EBUSY);
    assert_int_equal(sent, NET_QUEUE_BYTES / 40100);
    assert_true(net_room_left(N[0]->core.net, key(1)) < sizeof body);
    carry(0);
    assert_true(wires[0].paused[0]); /* and no more is read from a peer that does not read us */
    hold = false;
    pump();
    assert_int_equal(N[1]->messages, sent);
    assert_false(wires[0].paused[0]);
    assert_int_equal(send(0, 1, span(body, sizeof body)), 0);
    uint8_t large[65536] = {0xc5, 0xff, 0xfd};
    assert_int_equal(send(0, 1, span(large, sizeof large)), SOUK_ERANGE);
    world_free();
}

static void misconduct_adds_up_to_a_ban(void **state)
{
    (void)state;
    world_new("test", "test");
    connect_to(0);
    pump();
    N[1]->answer = SOUK_EQUOTA; /* what not every node judges alike does not count */
    for (int i = 0; i < 20; i++)
        assert_int_equal(send(0, 1, span("\x80", 1)), 0);
    pump();
    assert_true(both_up());
    N[1]->answer = SOUK_EFORM;
    for (int i = 0; i < 4; i++)
        assert_int_equal(send(0, 1, span("\x80", 1)), 0);
    pump();
    assert_true(both_up());
    assert_int_equal(send(0, 1, span("\x80", 1)), 0);
    pump();
    assert_false(net_up(N[1]->core.net, key(0)));
    assert_int_equal(N[0]->downs, 1);
    connect_to(0); /* it comes back at once: refused */
    pump();
    assert_false(net_up(N[0]->core.net, key(1)));
    assert_int_equal(net_connect(N[1]->core.net, &N[1]->core, key(0), &N[0]->addr), SOUK_EREFUSED);
    N[0]->core.now.mono_ms += NET_BAN_MS + 1;
    N[1]->core.now.mono_ms += NET_BAN_MS + 1;
    N[1]->answer = 0;
    connect_to(0); /* not for ever */
    pump();
    assert_true(both_up());
    world_free();
}

static void misconduct_is_forgotten(void **state)
{
    (void)state;
    world_new("test", "test");
    connect_to(0);
    pump();
    for (int i = 0; i < 20; i++) { /* one fault every 20 minutes never adds up */
        net_misconduct(N[1]->core.net, &N[1]->core, key(0), SOUK_EFORM);
        N[1]->core.now.mono_ms += 1200000;
    }
    assert_true(net_up(N[1]->core.net, key(0)));
    world_free();
}

static void a_spoilt_frame_is_not_passed_on(void **state)
{
    (void)state;
    world_new("test", "test");
    connect_to(0);
    pump();
    hold = true;
    assert_int_equal(send(0, 1, span("\x80", 1)), 0);
    carry(0);
    wires[0].to[1].p[5] ^= 1;
    hold = false;
    pump();
    assert_int_equal(N[1]->messages, 0);
    assert_false(net_up(N[1]->core.net, key(0)));
    assert_int_equal(N[1]->downs, 1);
    for (int i = 0; i < 6; i++) { /* whoever is on the way can do it: the peer is not banned for it */
        connect_to(0);
        pump();
        assert_true(both_up());
        hold = true;
        assert_int_equal(send(0, 1, span("\x80", 1)), 0);
        carry(0);
        wires[wires_n - 1].to[1].p[5] ^= 1;
        hold = false;
        pump();
    }
    connect_to(0);
    pump();
    assert_true(both_up());
    world_free();
}

static void coming_back_does_not_wash_off_misconduct(void **state)
{
    (void)state;
    world_new("test", "test");
    N[1]->answer = SOUK_EFORM;
    for (int i = 0; i < 5; i++) {
        connect_to(0);
        pump();
        assert_true(both_up());
        assert_int_equal(send(0, 1, span("\x80", 1)), 0);
        pump();
        net_drop(N[0]->core.net, &N[0]->core, key(1));
        pump();
    }
    connect_to(0);
    pump();
    assert_false(both_up());
    assert_int_equal(net_connect(N[1]->core.net, &N[1]->core, key(0), &N[0]->addr), SOUK_EREFUSED);
    world_free();
}

static void strangers_leave_room_for_those_we_dial(void **state)
{
    (void)state;
    world_new("test", "test");
    struct addr from = N[0]->addr;
    int in = 0;
    for (int i = 0; i < 60; i++) {
        from.ip[14] = (uint8_t)(100 + i);
        net_accepted(N[1]->core.net, &N[1]->core, 1000 + 2 * (conn_id)i, &from);
        in += net_owns(N[1]->core.net, 1000 + 2 * (conn_id)i);
    }
    assert_int_equal(in, 48); /* of 64 */
    effects_clear(&N[1]->fx);
    connect_to(1);
    pump();
    assert_true(both_up());
    world_free();
}

static void half_open_strangers_do_not_stop_us_from_dialling(void **state)
{
    (void)state;
    world_new("test", "test");
    N[1]->core.net->config.sessions_most = 512;
    struct addr from = N[0]->addr;
    for (int i = 0; i < 200; i++) {
        from.ip[14] = (uint8_t)(20 + i / 8);
        net_accepted(N[1]->core.net, &N[1]->core, 1000 + 2 * (conn_id)i, &from);
    }
    assert_int_equal(N[1]->core.net->half_open, NET_HALF_OPEN_MOST - NET_HALF_OPEN_OURS);
    effects_clear(&N[1]->fx);
    connect_to(1);
    pump();
    assert_true(both_up());
    world_free();
}

/* Node 0 goes without a word, and somebody else is there in its place, at an address of the same prefix. */
static void another_in_its_place(int i)
{
    struct addr at = N[0]->addr;
    net_free(N[0]->core.net);
    keys_free(N[0]->core.keys);
    effects_free(&N[0]->fx);
    buf_free(&N[0]->body);
    free(N[0]);
    N[0] = make(i, "test", false);
    N[0]->addr = at;
    N[0]->addr.ip[15]++;
    for (int w = 0; w < wires_n; w++)
        wires[w].conn[0] = 0;
}

static void one_prefix_has_few_sessions_with_us(void **state)
{
    (void)state;
    world_new("test", "test");
    struct net_stats stats;
    for (int i = 0; i < 12; i++) {
        connect_to(0);
        pump();
        net_stats(N[1]->core.net, &stats);
        assert_int_equal(stats.sessions, i < NET_INBOUND_PREFIX ? i + 1 : NET_INBOUND_PREFIX);
        another_in_its_place(100 + i);
    }
    N[0]->addr.ip[13]++;
    connect_to(0); /* from elsewhere */
    pump();
    assert_true(both_up());
    world_free();
}

static void who_leaves_answers_for_what_was_sent(void **state)
{
    (void)state;
    world_new("test", "test");
    for (int i = 0; i < 5; i++) {
        connect_to(0);
        pump();
        assert_true(both_up());
        net_drop(N[0]->core.net, &N[0]->core, key(1)); /* gone before its forgery is found out */
        pump();
        assert_false(net_up(N[1]->core.net, key(0)));
        net_misconduct(N[1]->core.net, &N[1]->core, key(0), SOUK_ESIGNATURE);
    }
    connect_to(0);
    pump();
    assert_false(both_up());
    struct node_key nobody = {{77}};
    net_misconduct(N[1]->core.net, &N[1]->core, &nobody, SOUK_ESIGNATURE); /* long gone, or never here */
    world_free();
}

static void a_quiet_session_is_pinged_and_a_dead_one_closed(void **state)
{
    (void)state;
    world_new("test", "test");
    connect_to(0);
    pump();
    pass(60000); /* six times the idle limit: pings keep it up */
    assert_true(both_up());
    struct net_stats stats;
    net_stats(N[0]->core.net, &stats);
    assert_true(stats.frames_in > 0);
    hold = true; /* the wire is cut without a word */
    for (int i = 0; i < 40; i++) {
        N[0]->core.now.mono_ms += 1000;
        net_wake(N[0]->core.net, &N[0]->core);
    }
    assert_false(net_up(N[0]->core.net, key(1)));
    assert_int_equal(N[0]->downs, 1);
    world_free();
}

static void a_full_node_refuses(void **state)
{
    (void)state;
    world_new("test", "test");
    net_free(N[1]->core.net);
    N[1]->core.net =
        net_new(&(struct net_config){.self = N[1]->addr, .sessions_most = 1}, &N[1]->network, &N[1]->rng);
    struct addr elsewhere = N[0]->addr;
    elsewhere.ip[13] = 77;
    net_accepted(N[1]->core.net, &N[1]->core, 1000, &elsewhere);
    connect_to(0);
    pump();
    assert_false(net_up(N[0]->core.net, key(1)));
    world_free();
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_talk),
        cmocka_unit_test(nothing_readable_on_the_wire),
        cmocka_unit_test(other_networks_stay_out),
        cmocka_unit_test(only_the_key_that_was_dialled),
        cmocka_unit_test(garbage_closes_a_handshake),
        cmocka_unit_test(silence_ends_a_handshake),
        cmocka_unit_test(of_two_dials_one_stays),
        cmocka_unit_test(a_queue_is_bounded),
        cmocka_unit_test(misconduct_adds_up_to_a_ban),
        cmocka_unit_test(misconduct_is_forgotten),
        cmocka_unit_test(a_spoilt_frame_is_not_passed_on),
        cmocka_unit_test(coming_back_does_not_wash_off_misconduct),
        cmocka_unit_test(strangers_leave_room_for_those_we_dial),
        cmocka_unit_test(half_open_strangers_do_not_stop_us_from_dialling),
        cmocka_unit_test(one_prefix_has_few_sessions_with_us),
        cmocka_unit_test(who_leaves_answers_for_what_was_sent),
        cmocka_unit_test(a_quiet_session_is_pinged_and_a_dead_one_closed),
        cmocka_unit_test(a_full_node_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
