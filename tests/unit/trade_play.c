// links: trade
/* Thousands of trades with one dishonest party, from seeds: nobody honest is robbed, nothing stays locked,
 * and the state is a function of the set of facts.  SOUK_TRADES sets how many, SOUK_SEED the first. */
#include "tests/unit/trade_play.h"

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static struct play p;

static void check_promises(uint64_t seed, const char *names[])
{
    const struct trade_receipt *r = &p.w.receipts[p.at];
    bool funded = p.w.receipts_n > 0, split = p.split_signed;
    unsigned kind = r->settled ? payout_kind_of(&p.w.terms, &r->split, false) : 0;
    bool to_seller = kind & PAYOUT_TO_SELLER, to_buyer = kind & PAYOUT_TO_BUYER;
    const char *broken = NULL;
    /* A split that the arbiter ruled on a party's own dispute, no worse than the late branch for who
     * co-signed it unasked, is the terms' own answer: like a friendly one it takes the promises' place. */
    split = split || (kind == PAYOUT_SPLIT && p.split_ruled);
    if (p.bad == S && to_seller && !play_content(&p))
        broken = "buyer_not_robbed";
    if (p.bad == B && p.received && !split && !(to_seller && !p.short_lock))
        broken = "seller_not_robbed";
    if ((p.bad == NOBODY_BAD || p.bad == A) && funded && !split &&
        !(play_content(&p) ? to_seller : to_buyer))
        broken = "honest_pair_gets_its_due";
    if (funded && !r->settled)
        broken = "nothing_stuck";
    if (broken)
        fail_msg("%s: seed %llu, bad %s, received %d good %d lost %d, kind %u late %d", broken,
                 (unsigned long long)seed, p.bad < 3 ? names[p.bad] : "nobody", p.received, p.good, p.lost,
                 kind, r->late);
}

static struct fact_view shuffled[2 * W_FACTS];

static void print_state(struct buf *out, size_t n, struct trade_state *s)
{
    assert_int_equal(trade_state(s, &p.w.scene, shuffled, n, p.w.receipts, p.w.receipts_n), 0);
    trade_state_print(out, s);
}

/* Whatever two signed in a part of the facts, two signed in the whole. */
static void check_part(const struct trade_state *part, const struct trade_state *whole)
{
    if (part->lock == NULL)
        return;
    if (part->locks_n < whole->locks_n) { /* where the money went stands in a fact that was dropped */
        assert_true(id_eq(&part->lock->id, &whole->locks[part->locks_n - 1].id));
        return;
    }
    assert_true(id_eq(&part->lock->id, &whole->lock->id));
    for (size_t i = 0; i < part->lock->payouts_n; i++) {
        const struct trade_payout *a = &part->lock->payouts[i];
        bool found = false;
        for (size_t j = 0; j < whole->lock->payouts_n; j++)
            found = found || (id_eq(&a->id, &whole->lock->payouts[j].id) &&
                              (a->signers & ~whole->lock->payouts[j].signers) == 0);
        assert_true(found);
    }
    if (trade_settled(part))
        assert_int_equal(part->phase, whole->phase);
}

static void check_set(void)
{
    static struct trade_state whole, again, part;
    struct buf a = {0}, b = {0};
    size_t n = p.w.facts_n;
    memcpy(shuffled, p.w.facts, n * sizeof *shuffled);
    print_state(&a, n, &whole);
    size_t m = n;
    for (size_t i = 0; i < n / 2; i++) /* repeat some */
        shuffled[m++] = p.w.facts[rng_below(&p.w.rng, n)];
    for (size_t i = m; i > 1; i--) {
        size_t j = rng_below(&p.w.rng, i);
        struct fact_view swap = shuffled[i - 1];
        shuffled[i - 1] = shuffled[j];
        shuffled[j] = swap;
    }
    static struct fact_view *kept;
    kept = shuffled;
    print_state(&b, m, &again);
    assert_true(span_eq(buf_view(&a), buf_view(&b)));
    size_t left = 0; /* drop some */
    for (size_t i = 0; i < m; i++)
        if (!play_chance(&p, 20))
            kept[left++] = kept[i];
    static struct fact_view originals[W_FACTS];
    memcpy(originals, p.w.facts, n * sizeof *originals);
    assert_int_equal(trade_state(&part, &p.w.scene, shuffled, left, p.w.receipts, p.w.receipts_n), 0);
    assert_int_equal(trade_state(&whole, &p.w.scene, originals, n, p.w.receipts, p.w.receipts_n), 0);
    check_part(&part, &whole);
    buf_free(&a);
    buf_free(&b);
}

static void nobody_honest_is_robbed_and_nothing_stays_locked(void **state)
{
    (void)state;
    static const char *names[] = {"buyer", "seller", "arbiter"};
    uint64_t first = setting("SOUK_SEED", 1), trades = setting("SOUK_TRADES", 500);
    unsigned endings[TRADE_LATE + 1] = {0}, moved = 0;
    for (uint64_t seed = first; seed < first + trades; seed++) {
        play(&p, seed);
        check_promises(seed, names);
        check_set();
        static struct trade_state s;
        memcpy(shuffled, p.w.facts, p.w.facts_n * sizeof *shuffled);
        assert_int_equal(trade_state(&s, &p.w.scene, shuffled, p.w.facts_n, p.w.receipts, p.w.receipts_n),
                         0);
        endings[s.phase]++;
        moved += p.at > 0;
        world_free(&p.w);
    }
    for (int i = 0; i <= TRADE_LATE; i++)
        if (endings[i])
            print_message("%u trades ended %s\n", endings[i], trade_phase_name((enum trade_phase)i));
    print_message("%u of them on a second lock\n", moved);
    if (trades >= 400) { /* a play that reaches no such ending would prove nothing */
        assert_true(endings[TRADE_RELEASED] > 0);
        assert_true(endings[TRADE_REFUNDED] > 0);
        assert_true(endings[TRADE_SPLIT] > 0);
        assert_true(moved > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_honest_is_robbed_and_nothing_stays_locked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
