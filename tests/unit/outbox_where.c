// links: outbox
/* Where letters say that people are: what a stranger can make us dial by it. */
#include "dht/dht.h"
#include "node/outbox/engine.h"
#include "outbox_world.h"

static struct identity somebody(unsigned n)
{
    struct identity who = {{0}};
    be32_put(who.b, n + 1);
    return who;
}

static struct addr at(const char *text)
{
    struct addr a;
    assert_true(addr_parse(&a, text, strlen(text)));
    return a;
}

/* A letter of somebody says that all their machines are there; something waits to be sent to them. */
static void told(unsigned who, const char *text, int64_t time)
{
    struct core *c = world_core(0);
    struct identity id = somebody(who);
    struct addr a = at(text);
    struct mail_where m = {
        .time = time, .has_machine = true, .machine = {.has_addr = true}, .has_boxes = true};
    struct mail_box boxes[OUTBOX_BOXES];
    uint8_t bytes[18];
    rng_bytes(&W.node[0]->rng, m.machine.node.b, 32);
    m.machine.addr = box_addr(bytes, &a);
    for (size_t i = 0; i < OUTBOX_BOXES; i++) {
        boxes[i] = m.machine;
        rng_bytes(&W.node[0]->rng, boxes[i].node.b, 32);
    }
    m.boxes = boxes;
    m.boxes_n = OUTBOX_BOXES;
    where_learn(c->outbox, c, &id, &m);
}

static void wanted(unsigned who)
{
    struct core *c = world_core(0);
    struct identity id = somebody(who);
    struct person *p = where_person(c->outbox, c, &id);
    assert_true(p->has_machine && p->boxes_n == OUTBOX_BOXES);
    (void)where_reach(c->outbox, c, p, &p->machine);
    for (size_t i = 0; i < p->boxes_n; i++)
        (void)where_reach(c->outbox, c, p, &p->boxes[i]);
}

/* What it dialled; nobody answers. */
static unsigned dialled(void)
{
    struct effects *fx = &W.node[0]->fx;
    unsigned n = 0;
    for (size_t i = 0; i < fx->n; i++)
        n += fx->v[i].kind == FX_DIAL;
    world_effects(0);
    world_settle();
    return n;
}

static uint64_t not_dialled(void)
{
    struct outbox_stats s;
    outbox_stats(W.node[0]->core.outbox, world_core(0), &s);
    return s.not_dialled;
}

static void a_crowd_of_letters_does_not_turn_us_on_one_victim(void **state)
{
    (void)state;
    static const char *const victims[] = {"198.18.6.6:80", "[2001:db8:6::6]:80"};
    for (size_t v = 0; v < 2; v++) {
        unsigned dials = 0, now = 0;
        world_begin(1, 0);
        for (unsigned minute = 0; minute < 3; minute++) {
            for (unsigned who = 0; who < 100; who++) {
                told(who, victims[v], W.now.unix_ms + 1);
                wanted(who);
            }
            now = dialled();
            assert_in_range(now, 1, OUTBOX_DIALS_PREFIX);
            dials += now;
            world_pass(60000);
        }
        assert_in_range(dials, 3, 3 * OUTBOX_DIALS_PREFIX);
        assert_true(not_dialled() > 1000);
        told(200, "198.18.7.7:80", W.now.unix_ms + 1); /* others are dialled all the same */
        wanted(200);
        assert_true(dialled() > 0);
        world_end();
    }
}

static void many_victims_are_not_dialled_without_end_either(void **state)
{
    (void)state;
    char text[40];
    unsigned dials = 0;
    world_begin(1, 0);
    for (unsigned who = 0; who < 200; who++) {
        snprintf(text, sizeof text, "198.18.%u.6:80", who);
        told(who, text, W.now.unix_ms + 1);
        wanted(who);
        dials += dialled();
    }
    assert_int_equal(dials, OUTBOX_DIALS_A_MINUTE);
    world_end();
}

static void in_a_network_of_the_world_nobody_points_us_into_our_own_house(void **state)
{
    (void)state;
    static const char *const inside[] = {"127.0.0.1:22", "192.168.1.1:80", "[::1]:22", "[fe80::1]:80",
                                         "0.0.0.0:1"};
    for (int loopback = 0; loopback < 2; loopback++) {
        world_begin(1, 0);
        W.network.loopback = loopback;
        for (unsigned i = 0; i < sizeof inside / sizeof *inside; i++) {
            told(i, inside[i], W.now.unix_ms + 1);
            wanted(i);
            bool may = loopback && i < 4;
            assert_true((dialled() > 0) == may);
        }
        world_end();
    }
}

/* Searches that 60 people, one after another, are worth. */
static uint32_t searches(bool unasked)
{
    struct core *c = world_core(0);
    struct dht_config dc = {.net = &W.network, .self = *keys_node(c->keys), .rng = &W.node[0]->rng};
    struct dht *d = dht_new(&dc, W.now);
    struct dht_stats s;
    c->dht = d;
    for (unsigned who = 0; who < 60; who++) {
        struct identity id = somebody(1000 + who);
        struct person *p = where_person(c->outbox, c, &id);
        p->unasked = unasked;
        p->presence_ms = 0;
        where_ask_presence(c->outbox, c, p);
    }
    dht_stats_read(d, &s);
    c->dht = NULL;
    dht_free(d);
    return s.queries;
}

static void strangers_are_searched_for_a_few_times_a_minute(void **state)
{
    (void)state;
    world_begin(1, 0);
    world_pass(60000);
    assert_int_equal(searches(true), OUTBOX_ASKS_A_MINUTE);
    assert_int_equal(searches(true), 0);
    assert_int_equal(searches(false), 60); /* whom we write to by ourselves is found all the same */
    world_pass(60000);
    assert_int_equal(searches(true), OUTBOX_ASKS_A_MINUTE);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_of_letters_does_not_turn_us_on_one_victim),
        cmocka_unit_test(many_victims_are_not_dialled_without_end_either),
        cmocka_unit_test(strangers_are_searched_for_a_few_times_a_minute),
        cmocka_unit_test(in_a_network_of_the_world_nobody_points_us_into_our_own_house),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
