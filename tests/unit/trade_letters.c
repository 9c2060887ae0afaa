// links: trade
/* Which facts a node takes from whom; and how a command learns what became of its change. */
#include "tests/unit/trade_world.h"

#include "node/keys/keys.h"
#include "node/outbox/outbox.h"
#include "node/trade/trade.h"
#include "tests/unit/store_help.h"
#include <sodium.h>

enum { B, S, A, U };
static struct world w;
static struct bench *bench;
static struct core core;
static struct effects fx;

static int setup(void **state)
{
    (void)state;
    uint8_t sk[64] = {1};
    world_init(&w, 1);
    world_real(&w);
    bench = bench_new(1 << 28, 0);
    core = (struct core){.network = &w.net,
                         .rng = &w.rng,
                         .now = {1000, W_START},
                         .view = bench->view,
                         .fx = &fx,
                         .keys = keys_new(sk, true),
                         .outbox = outbox_new(&w.net, &w.rng)};
    core.trades = trades_new(&w.net, &w.rng);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    trades_free(core.trades);
    outbox_free(core.outbox);
    keys_free(core.keys);
    effects_free(&fx);
    bench_free(bench);
    world_free(&w);
    return 0;
}

static struct identity identity_of(int who)
{
    struct identity id;
    memcpy(id.b, w.people[who].identity.pk, 32);
    return id;
}

static int comes(struct span bytes, int to, int from)
{
    struct identity t = identity_of(to), f = identity_of(from);
    struct id letter = {{0}};
    return trades_letter(core.trades, &core, &t, &f, &letter, bytes);
}

static void a_fact_with_a_spoilt_signature_or_form_is_refused_for_good(void **state)
{
    (void)state;
    const struct fact_view *offer = &w.facts[say_offer(&w)];
    struct buf b = {0};
    buf_span(&b, offer->bytes);
    b.p[b.n - 1] ^= 1;
    assert_int_equal(comes(buf_view(&b), S, B), SOUK_ESIGNATURE);
    assert_int_equal(comes(span(b.p, b.n - 1), S, B), SOUK_EFORM);
    assert_int_equal(comes(span_str("no fact"), S, B), SOUK_EFORM);
    buf_free(&b);
}

static void an_offer_comes_to_whom_its_terms_name_and_from_nobody_else(void **state)
{
    (void)state;
    size_t offer = say_offer(&w);
    struct identity stranger = identity_of(A), seller = identity_of(S);
    struct id letter = {{0}};
    stranger.b[0] ^= 1;
    /* A wish for another arbiter that names the stranger may still be on its way (rule 10). */
    assert_int_equal(trades_letter(core.trades, &core, &stranger, &seller, &letter, w.facts[offer].bytes),
                     SOUK_EBUSY);
    assert_int_equal(trades_letter(core.trades, &core, &seller, &stranger, &letter, w.facts[offer].bytes),
                     SOUK_ENOT_ALLOWED);
}

static void what_speaks_of_an_unknown_trade_comes_again(void **state)
{
    (void)state;
    size_t offer = say_offer(&w);
    size_t accept = say_accept(&w, S, offer);
    assert_int_equal(comes(w.facts[accept].bytes, A, S), SOUK_EBUSY);
}

static void an_offer_under_another_trades_name_is_refused(void **state)
{
    (void)state;
    w.scene.trade.b[0] ^= 1;
    const struct fact_view *offer = &w.facts[say_offer(&w)];
    assert_int_equal(comes(offer->bytes, S, B), SOUK_EINVALID);
}

static void a_change_tells_what_came_in_between(void **state)
{
    (void)state;
    struct report r = {0};
    struct id listing = {{1}}, holder = {{2}};
    struct change *ch = change_new(ROOM_TRADE, 0, 0);
    change_stock(ch, &listing, &holder, 1, 1, 10, 1);
    change_put(ch, TABLE_TRADE, span_str("k"), span_str("v"));
    ch->ops[0].result = ch->ops[1].result = OP_STORED;
    assert_int_equal(trades_outcome(ch, &r), 0);
    ch->ops[0].result = OP_QUOTA;
    ch->ops[1].result = OP_SKIPPED;
    assert_int_equal(trades_outcome(ch, &r), SOUK_EQUOTA);
    ch->ops[0].result = OP_STORED;
    ch->ops[1].result = OP_CONFLICT;
    assert_int_equal(trades_outcome(ch, &r), SOUK_EBUSY);
    ch->ops[1].lone = true;
    assert_int_equal(trades_outcome(ch, &r), 0);
    ch->err = SOUK_EDISK_FULL;
    assert_int_equal(trades_outcome(ch, &r), SOUK_EDISK_FULL);
    change_free(ch);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        EACH(a_fact_with_a_spoilt_signature_or_form_is_refused_for_good),
        EACH(an_offer_comes_to_whom_its_terms_name_and_from_nobody_else),
        EACH(what_speaks_of_an_unknown_trade_comes_again),
        EACH(an_offer_under_another_trades_name_is_refused),
        EACH(a_change_tells_what_came_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
