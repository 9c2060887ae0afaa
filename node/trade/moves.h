/* moves.h: whose turn it is, what each may do, until when, and why not otherwise.
 *
 * The guards of the ten rules (spec/escrow.md; MAY_ and MUST_ in spec/escrow.pml) are here and nowhere
 * else: a command of the owner and the node by itself go through the same trade_may.  Pure: time comes in
 * as `now_ms` and only enables moves.
 *
 * What the owner and its node know beside facts and receipts stands in struct trade_party; whoever keeps it
 * has it on disk before anything that it tells of leaves. */
#ifndef SOUK_TRADE_MOVES_H
#define SOUK_TRADE_MOVES_H
#include "node/trade/state.h"

enum trade_goods {
    GOODS_UNKNOWN,
    GOODS_GOOD,     /* buyer: they came, as described */
    GOODS_BAD,      /* buyer: they came otherwise */
    GOODS_LOST,     /* seller: the carrier lost them */
    GOODS_RETURNED, /* seller: they came back */
};

struct trade_party {
    enum trade_role role;
    enum trade_goods goods;
    int64_t goods_at;           /* buyer: when they came, unix ms */
    int64_t dispute_arrived[2]; /* arbiter: when the dispute of buyer, seller was committed here; 0: not */
    unsigned signed_kinds;      /* enum payout_kind: signatures that went only to the rail as well */
    unsigned submitted_kinds;   /* enum payout_kind: under way at the rail; a refusal clears it */
    bool funding, late;         /* submitted: the funding, the late branch */
    bool insists; /* the owner was shown what speaks against it (an earlier payout, late goods) and said yes
                   */
    bool frozen;  /* a backup was restored, and not everybody was asked yet for our newest fact */
    bool clock_wrong;                /* most peers say so: what the time decides waits */
    const struct trade_asked *asked; /* to decide from the next lock on (rule 10), or NULL: in what role, */
    enum trade_role asked_role;
    bool next; /* and whether that is its only part */
    uint32_t epoch;
};

/* name: the command; roles: b s a u; sentence: for people. */
#define TRADE_MOVES(X)                                                                       \
    X(ACCEPT, "accept", 3, "agree to the other's proposal")                                  \
    X(COUNTER, "counter", 3, "propose other terms")                                          \
    X(DECLINE, "decline", 3, "decline the other's proposal")                                 \
    X(WITHDRAW, "withdraw", 3, "take one's own proposal back")                               \
    X(ENROL, "enrol", 12, "take the contract into one's care")                               \
    X(REFUSE, "refuse", 12, "refuse the contract")                                           \
    X(READY, "ready", 2, "say ready: set the goods aside until fund-by")                     \
    X(FUND, "fund", 1, "pay into the lock")                                                  \
    X(OPEN, "open", 1, "tell the seller the address")                                        \
    X(PAID, "paid", 1, "say that it was paid")                                               \
    X(RECEIVED, "received", 2, "say that the money came")                                    \
    X(SHIP, "ship", 2, "ship, or hand over")                                                 \
    X(RELEASE, "release", 1, "sign all to the seller")                                       \
    X(REFUND, "refund", 2, "sign all to the buyer")                                          \
    X(REQUEST, "request", 3, "ask the other for something")                                  \
    X(ASK, "ask", 2, "ask the arbiter for release for silence")                              \
    X(SPLIT, "split", 3, "sign the split that the other asked for")                          \
    X(COMBINE, "combine", 3, "complete the split that one asked for and the other signed")   \
    X(DISPUTE, "dispute", 3, "ask the arbiter to decide")                                    \
    X(CASE, "case", 12, "take the dispute, or say that it came too late")                    \
    X(RULE, "rule", 12, "decide")                                                            \
    X(SILENCE, "silence", 12, "sign a release for silence")                                  \
    X(COSIGN_RELEASE, "cosign_release", 12, "co-sign the buyer's release")                   \
    X(COSIGN_REFUND, "cosign_refund", 12, "co-sign the seller's refund")                     \
    X(TAKE_REFUND, "take_refund", 1, "complete and submit the refund")                       \
    X(TAKE_RELEASE, "take_release", 2, "complete and submit the release")                    \
    X(TAKE_RULING, "take_ruling", 3, "complete and submit the split that the arbiter ruled") \
    X(SUBMIT, "submit", 15, "submit what two signed")                                        \
    X(LATE, "late", 3, "submit the late branch")                                             \
    X(REPLACE, "replace", 3, "ask for another arbiter, or agree to the one asked for")       \
    X(SIGN_MOVE, "sign_move", 1, "sign the move to the new arbiter's lock")                  \
    X(MOVE_ON, "move_on", 2, "complete and submit that move")                                \
    X(EVIDENCE, "evidence", 15, "add to the file")
enum trade_move {
#define X(NAME, name, roles, sentence) MOVE_##NAME,
    TRADE_MOVES(X)
#undef X
        MOVES_MAX
};
const char *trade_move_name(enum trade_move move);
const char *trade_move_sentence(enum trade_move move);

struct move {
    enum trade_move what;
    bool may;
    bool automatic; /* may, and the node does it unasked now: a duty, or what only gains */
    bool turn;      /* may, and the trade waits for this owner */
    int err;        /* when not: SOUK_ENOT_ALLOWED, SOUK_EEXPIRED, SOUK_ECONFLICT, SOUK_ECLOCK */
    int64_t until;  /* the last moment for it; 0: none is set */
    bool has_split; /* what would be signed */
    struct fact_split split;
    const struct trade_payout *payout; /* the one to complete or submit; in the state */
    unsigned with;                     /* roles whose signatures it goes with */
    bool timely;                       /* MOVE_CASE: the dispute came in time */
    enum trade_role whose;             /* MOVE_CASE: buyer's or seller's */
    char why[240];                     /* when not */
};

/* May `me` do this now?  0, or the error with words in r (may be NULL); fills out (may be NULL) either way.
 */
int trade_may(const struct trade_state *s, const struct trade_party *me, enum trade_move what,
              int64_t now_ms, struct move *out, struct report *r);
/* Every move of this role, also those refused, in the order above; returns how many. */
size_t trade_moves(const struct trade_state *s, const struct trade_party *me, int64_t now_ms,
                   struct move out[static MOVES_MAX]);
/* NULL, or why nothing more will come of it, unless the other acts late: time alone changes no state. */
const char *trade_lapsed(const struct trade_state *s, int64_t now_ms);
/* The next moment after now at which trade_moves may answer otherwise; INT64_MAX: none. */
int64_t trade_next_wake(const struct trade_state *s, int64_t now_ms);
#endif
