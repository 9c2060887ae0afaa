/* lock.c: see lock.h. */
#include "node/trade/lock.h"

#include "crypto/hash.h"
#include "node/trade/terms.h"

int lock_make(struct rail_lock *out, const struct lock_source *s, struct report *r)
{
    const struct fact_key *keys[RAIL_PARTIES] = {s->buyer, s->seller, s->arbiter, s->substitute};
    struct fact_split late = payout_late(s->terms);
    struct rail_lock lock = {.rail = s->terms->rail, .contract = *s->contract, .stub = *s->stub};
    int err = terms_locked(&lock.amount, s->terms);
    if (err)
        return report_set(r, err, "what is locked cannot be reckoned");
    if (s->terms->has_issuer)
        lock.issuer = s->terms->issuer;
    while (lock.parties < RAIL_PARTIES && keys[lock.parties]) {
        lock.key[lock.parties] = keys[lock.parties]->key;
        lock.payout[lock.parties] = keys[lock.parties]->payout;
        lock.parties++;
    }
    lock.late_from = s->amendment ? s->amendment->late_at : s->terms->late_at;
    if (lock.parties == RAIL_PARTIES)
        lock.substitute_from = s->amendment ? s->amendment->rule_by : s->terms->rule_by;
    lock.late = split_for_rail(&late);
    for (size_t i = 0; i < lock.parties; i++)
        for (size_t j = 0; j < i; j++)
            if (memcmp(&lock.key[i], &lock.key[j], sizeof lock.key[i]) == 0)
                return report_set(r, SOUK_EINVALID, "the parties' trade keys must all differ");
    *out = lock;
    return 0;
}

struct rail_split split_for_rail(const struct fact_split *split)
{
    bool substitute = split->has_substitute && split->substitute;
    return (struct rail_split){
        {split->buyer, split->seller, substitute ? 0 : split->arbiter, substitute ? split->arbiter : 0}};
}

struct fact_split split_from_rail(const struct rail_split *split)
{
    bool substitute = split->minor[RAIL_SUBSTITUTE] > 0;
    return (struct fact_split){.buyer = split->minor[RAIL_BUYER],
                               .seller = split->minor[RAIL_SELLER],
                               .arbiter = split->minor[RAIL_ARBITER] + split->minor[RAIL_SUBSTITUTE],
                               .has_substitute = substitute,
                               .substitute = substitute};
}

void payout_name(struct id *out, const struct network *net, const struct id *lock,
                 const struct fact_split *split, const struct id *next)
{
    struct rail_split parts = split_for_rail(split);
    uint8_t sums[8 * RAIL_PARTIES];
    struct id none = {{0}};
    for (size_t i = 0; i < RAIL_PARTIES; i++)
        be64_put(sums + 8 * i, (uint64_t)parts.minor[i]);
    struct span all[] = {SPAN_OF(*lock), SPAN_OF(sums), next ? SPAN_OF(*next) : SPAN_OF(none)};
    hash_souk(out, net, "souk:payout-name", all, 3);
}

static int64_t locked(const struct fact_terms *terms)
{
    struct amount a;
    return terms_locked(&a, terms) == 0 ? a.minor : 0;
}

struct fact_split payout_release(const struct fact_terms *terms)
{
    return (struct fact_split){.buyer = terms->has_deposit ? terms->deposit.minor : 0,
                               .seller = terms->total.minor};
}

struct fact_split payout_refund(const struct fact_terms *terms)
{
    return (struct fact_split){.buyer = locked(terms)};
}

struct fact_split payout_late(const struct fact_terms *terms)
{
    struct amount all = {locked(terms), terms->total.currency}, part = {0, terms->total.currency};
    if (amount_share(&part, &all, (uint32_t)terms->late_buyer_bp) != 0)
        part.minor = 0;
    return (struct fact_split){.buyer = part.minor, .seller = all.minor - part.minor};
}

/* a * b / c without a product beyond 64 bits; 0 <= a <= c <= 10^15, 0 <= b <= c. */
static int64_t portion(int64_t a, int64_t b, int64_t c)
{
    int64_t sum = 0, rest = 0;
    for (int bit = 50; bit >= 0; bit--) {
        sum = 2 * sum + 2 * rest / c;
        rest = 2 * rest % c;
        if (b >> bit & 1) {
            sum += (rest + a) / c;
            rest = (rest + a) % c;
        }
    }
    return sum;
}

int payout_ruling(struct fact_split *out, const struct fact_terms *terms, int64_t buyer_minor,
                  bool by_substitute, struct report *r)
{
    int64_t all = locked(terms);
    if (buyer_minor < 0 || buyer_minor > all)
        return report_set(r, SOUK_ERANGE, "the buyer's part must be between 0 and %lld", (long long)all);
    int64_t fee = terms_fee(terms, all);
    int64_t off_buyer = all > 0 ? portion(fee, buyer_minor, all) : 0;
    *out = (struct fact_split){.buyer = buyer_minor - off_buyer,
                               .seller = all - buyer_minor - (fee - off_buyer),
                               .arbiter = fee,
                               .has_substitute = by_substitute && fee > 0,
                               .substitute = by_substitute && fee > 0};
    return 0;
}

bool split_eq(const struct fact_split *a, const struct fact_split *b)
{
    return a->buyer == b->buyer && a->seller == b->seller && a->arbiter == b->arbiter &&
           (a->has_substitute && a->substitute) == (b->has_substitute && b->substitute);
}

unsigned payout_kind_of(const struct fact_terms *terms, const struct fact_split *s, bool moves)
{
    int64_t all = locked(terms);
    if (moves)
        return s->buyer == 0 && s->seller == 0 && s->arbiter == 0 ? PAYOUT_MOVE : 0;
    if (s->buyer < 0 || s->seller < 0 || s->arbiter < 0 || s->buyer > all || s->seller > all - s->buyer ||
        s->arbiter != all - s->buyer - s->seller)
        return 0;
    struct fact_split release = payout_release(terms);
    if (s->seller == 0 && s->buyer > 0)
        return s->arbiter ? PAYOUT_RULE_REFUND : PAYOUT_REFUND;
    if (s->buyer == release.buyer && s->seller == release.seller)
        return PAYOUT_RELEASE;
    if (s->arbiter > 0) {
        struct fact_split ruled = {0};
        if (payout_ruling(&ruled, terms, release.buyer, s->has_substitute && s->substitute, NULL) == 0 &&
            split_eq(&ruled, s))
            return PAYOUT_RULE_RELEASE;
    }
    return PAYOUT_SPLIT;
}
