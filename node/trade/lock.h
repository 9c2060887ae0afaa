/* lock.h: from a contract to what the rail holds (node/rail/rail.h), and what payouts of it mean.
 *
 * A lock follows from the contract and the arbiters' enrolments and from nothing else, so every party
 * builds the same bytes.  Its branches (rule 9): at once, any 2 of buyer, seller, arbiter; from rule-by
 * also 2 of buyer, seller, substitute; from T the late split.
 *
 * A payout is a split of a named lock, or the move of all of it to a new lock (rule 10).  A split adds up
 * to the lock's amount exactly; a move's is all zeros. */
#ifndef SOUK_TRADE_LOCK_H
#define SOUK_TRADE_LOCK_H
#include "crypto/base/err.h"
#include "fact.gen.h"
#include "node/rail/rail.h"

/* What a lock is made from.  Borrowed for the call. */
struct lock_source {
    const struct fact_terms *terms;
    const struct id *contract, *stub;
    const struct fact_key *buyer, *seller;
    const struct fact_key *arbiter, *substitute; /* NULL: none */
    const struct fact_amendment *amendment;      /* NULL: the terms' own times */
};
/* The source's keys are known to be keys (trade_state checks them when they come); then what it gives
 * satisfies rail_lock_check.  SOUK_EINVALID when the trade keys are not all distinct. */
int lock_make(struct rail_lock *out, const struct lock_source *from, struct report *r);
/* Names one way to pay a lock out, or its move to another, within a trade (souk:payout-name).  What is
 * signed is the rail's rail_payout_id. */
void payout_name(struct id *out, const struct network *net, const struct id *lock,
                 const struct fact_split *split, const struct id *next);
struct rail_split split_for_rail(const struct fact_split *split);
struct fact_split split_from_rail(const struct rail_split *split);

/* What a payout means for the trade.  Bits, so that sets of them can be kept. */
enum payout_kind {
    PAYOUT_RELEASE = 1,       /* all to the seller (a deposit to the buyer), no fee */
    PAYOUT_REFUND = 2,        /* all to the buyer, no fee */
    PAYOUT_SPLIT = 4,         /* any other */
    PAYOUT_MOVE = 8,          /* to a new lock */
    PAYOUT_RULE_RELEASE = 16, /* as release, less the arbiter's fee */
    PAYOUT_RULE_REFUND = 32,  /* as refund, less the arbiter's fee */
};
enum {
    PAYOUT_TO_SELLER = PAYOUT_RELEASE | PAYOUT_RULE_RELEASE,
    PAYOUT_TO_BUYER = PAYOUT_REFUND | PAYOUT_RULE_REFUND,
};
/* 0 when the split does not add up to what the terms lock (a move's: is not all zeros). */
unsigned payout_kind_of(const struct fact_terms *terms, const struct fact_split *split, bool moves);
struct fact_split payout_release(const struct fact_terms *terms);
struct fact_split payout_refund(const struct fact_terms *terms);
struct fact_split payout_late(const struct fact_terms *terms);
/* A ruling of so much to the buyer and the rest to the seller, with the fee taken off: pro rata, and where
 * one side gets all, off that, for there is nothing else in the lock.  SOUK_ERANGE outside 0..locked. */
int payout_ruling(struct fact_split *out, const struct fact_terms *terms, int64_t buyer_minor,
                  bool by_substitute, struct report *r);
bool split_eq(const struct fact_split *a, const struct fact_split *b);
#endif
