// links: trade
/* spec/trade-table.md is what the code says: state by state and role by role, what each may do.
 * SOUK_WRITE=1 writes it anew. */
#include "tests/unit/trade_world.h"

#include <stdio.h>

static struct world w;
static struct fact_amendment amend;
enum { B, S, A, U };

static void offered(void)
{
    world_tell_all(&w, say_offer(&w));
}
static void agreed(void)
{
    world_agree(&w);
}
static void enrolled(void)
{
    world_agree(&w);
    world_tell_all(&w, say_enrol(&w, A));
}
static void ready(void)
{
    world_ready(&w);
}
static void seen(void)
{
    world_ready(&w);
    rail_fund(&w, FUNDING_SEEN);
}
static void funded(void)
{
    world_funded(&w);
}
static void not_shipped(void)
{
    world_funded(&w);
    w.now = w.terms.ship_by + 1;
}
static void shipped(void)
{
    world_shipped(&w);
}
static void content_buyer(void)
{
    world_shipped(&w);
    w.people[B].party.goods = GOODS_GOOD;
    w.people[B].party.goods_at = w.now;
}
static void inspect_end(void)
{
    world_shipped(&w);
    w.now = w.terms.inspect_end;
}
static void silent(void)
{
    world_shipped(&w);
    w.now = w.terms.inspect_end + 1;
    world_tell_all(&w, say_request(&w, S, FACT_WISH_RELEASE, NULL));
    w.now = terms_cutoff(&w.terms) + 1;
}
static void disputed(void)
{
    inspect_end();
    world_tell_all(&w, say_dispute(&w, B));
    w.people[A].party.dispute_arrived[B] = w.now;
}
static void taken(void)
{
    disputed();
    world_tell_all(&w, say_case(&w, A, w.facts_n - 1, true, w.now));
}
static void ruled(int64_t buyer)
{
    struct fact_split split;
    taken();
    assert_int_equal(payout_ruling(&split, &w.terms, buyer, false, NULL), 0);
    world_tell_all(&w, say_payout(&w, A, &split));
}
static void ruled_buyer(void)
{
    ruled(10000);
}
static void ruled_seller(void)
{
    ruled(0);
}
static void ruled_split(void)
{
    ruled(5000);
}
static void released(void)
{
    struct fact_split split = payout_release(&w.terms);
    world_shipped(&w);
    world_tell_all(&w, say_payout(&w, B, &split));
}
static void refunded(void)
{
    struct fact_split split = payout_refund(&w.terms);
    world_funded(&w);
    world_tell_all(&w, say_payout(&w, S, &split));
}
static void asked(void)
{
    world_shipped(&w);
    amend = world_amendment(&w, U);
    world_tell_all(&w, say_wish(&w, B, &amend));
}
static void agreed_next(void)
{
    asked();
    world_tell_all(&w, say_wish(&w, S, &amend));
    world_tell_all(&w, say_enrol_next(&w, U, &amend));
}
static void move_signed(void)
{
    agreed_next();
    world_tell_all(&w, say_move(&w, B));
}
static void moved(void)
{
    move_signed();
    rail_move(&w);
}
static void late(void)
{
    world_shipped(&w);
    w.now = w.terms.late_at;
}
static void settled(void)
{
    struct fact_split split = payout_release(&w.terms);
    world_shipped(&w);
    rail_settle(&w, &split, false);
}

static const struct {
    const char *words;
    void (*make)(void);
} scenes[] = {
    {"the buyer offered", offered},
    {"the seller accepted", agreed},
    {"the arbiter enrolled", enrolled},
    {"the seller is ready", ready},
    {"the rail saw the money, not yet confirmed", seen},
    {"funded and confirmed", funded},
    {"funded, ship-by has passed, nothing shipped", not_shipped},
    {"shipped", shipped},
    {"shipped; the buyer says that the goods came as described", content_buyer},
    {"shipped; inspect-end, the buyer silent", inspect_end},
    {"shipped; the cut-off has passed, the seller asked for release", silent},
    {"disputed at inspect-end", disputed},
    {"the dispute was taken", taken},
    {"ruled for the buyer", ruled_buyer},
    {"ruled for the seller", ruled_seller},
    {"ruled by halves (late branch: all to the buyer)", ruled_split},
    {"the buyer signed the release", released},
    {"the seller signed the refund", refunded},
    {"shipped; the buyer asks for another arbiter", asked},
    {"both ask for the same, and it enrolled", agreed_next},
    {"the buyer signed the move", move_signed},
    {"the money is in the new arbiter's lock", moved},
    {"shipped; T has come, nothing was signed", late},
    {"settled", settled},
};

static void row(struct buf *out, int who)
{
    struct move moves[MOVES_MAX];
    const struct trade_state *s = world_state(&w, -1);
    struct trade_party me = world_party(&w, s, who);
    if (who == A && s->locks_n > 1)
        me = world_party(&w, s, U); /* who decides now */
    size_t n = trade_moves(s, &me, w.now, moves);
    buf_printf(out, " |");
    for (size_t i = 0, shown = 0; i < n; i++) {
        if (!moves[i].may || moves[i].what == MOVE_EVIDENCE)
            continue;
        const char *mark = moves[i].automatic ? "**" : moves[i].turn ? "*" : "";
        buf_printf(out, "%s%s%s%s", shown++ ? ", " : " ", mark, trade_move_name(moves[i].what), mark);
    }
}

static void the_table_in_the_spec_is_what_the_code_says(void **state)
{
    (void)state;
    struct buf out = {0};
    buf_printf(
        &out,
        "# Who may do what\n\nWritten by tests/unit/trade_table.c from node/trade/moves.c: `SOUK_WRITE=1 "
        "unit_trade_table` writes it anew,\nand the test fails while it differs. In bold what a node "
        "does unasked, in italics what waits for its owner.\n`evidence` is left out: once there is a "
        "contract, anyone may add to the file. The meaning of each name\nstands in node/trade/moves.h. The "
        "arbiter is the present one.\n\n"
        "| then | phase | buyer | seller | arbiter |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        world_init(&w, 1);
        scenes[i].make();
        buf_printf(&out, "| %s | %s", scenes[i].words, trade_phase_name(world_state(&w, -1)->phase));
        for (int who = B; who <= A; who++)
            row(&out, who);
        buf_printf(&out, " |\n");
        world_free(&w);
    }
    const char *path = SOUK_SOURCE_DIR "/spec/trade-table.md";
    static char text[16384];
    FILE *f;
    if (getenv("SOUK_WRITE")) {
        f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(out.p, 1, out.n, f), out.n);
        fclose(f);
    }
    f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    assert_true(span_eq(span(text, n), buf_view(&out)));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table_in_the_spec_is_what_the_code_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
