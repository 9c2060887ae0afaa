/* state.h: what has become of a trade: a pure function of its facts and of the rail's receipts
 * (spec/trade.md, "State").
 *
 * trade_state is total (any set of well-formed facts gives a state), independent of order and repetition,
 * and knows no clock: time enables moves (moves.h), it never decides an outcome.  Who was paid is read
 * from receipts only.  Of two conflicting facts of one author both are kept and shown (stories); what binds
 * its author (accept, enrol, ready, payout) counts wherever it stands.
 *
 * Give it verified facts (fact_verify) of one trade.  The state borrows from the facts and points
 * into itself: not to be copied. */
#ifndef SOUK_TRADE_STATE_H
#define SOUK_TRADE_STATE_H
#include "node/trade/facts.h"
#include "node/trade/lock.h"

enum { TRADE_FACTS_MOST = 512, TRADE_PAYOUTS_MOST = 66, TRADE_LOCKS_MOST = 3, TRADE_STORIES_MOST = 8 };

enum trade_role { TRADE_BUYER, TRADE_SELLER, TRADE_ARBITER, TRADE_SUBSTITUTE, TRADE_NOBODY };
const char *trade_role_name(enum trade_role role); /* "buyer" … */

/* lapsed is not among them: time alone changes nothing.  See trade_lapsed in moves.h. */
#define TRADE_PHASES(X)                                                                   \
    X(EMPTY, "empty", "no proposal is known")                                             \
    X(OFFERED, "offered", "a proposal waits for its answer")                              \
    X(DECLINED, "declined", "the last proposal was declined")                             \
    X(WITHDRAWN, "withdrawn", "the last proposal was taken back")                         \
    X(AGREED, "agreed", "the contract is fixed")                                          \
    X(REFUSED, "refused", "the arbiter does not want the contract")                       \
    X(ENROLLED, "enrolled", "the arbiter consents; the lock is known")                    \
    X(READY, "ready", "the seller has the goods set aside; the buyer may fund")           \
    X(PAID, "paid", "direct rail: the buyer says that it paid")                           \
    X(FUNDED, "funded", "the lock is confirmed at the rail; direct rail: the money came") \
    X(SHIPPED, "shipped", "on its way, or handed over")                                   \
    X(DISPUTED, "disputed", "the arbiter was asked to decide")                            \
    X(RULED, "ruled", "the arbiter decided; the rail has not paid yet")                   \
    X(RELEASED, "settled_released", "the seller was paid")                                \
    X(REFUNDED, "settled_refunded", "the buyer has the money back")                       \
    X(SPLIT, "settled_split", "both got a part")                                          \
    X(LATE, "settled_late", "the late branch paid")
enum trade_phase {
#define X(NAME, name, sentence) TRADE_##NAME,
    TRADE_PHASES(X)
#undef X
};
const char *trade_phase_name(enum trade_phase phase);
const char *trade_phase_sentence(enum trade_phase phase);

enum trade_funding {
    FUNDING_NONE,
    FUNDING_SEEN,      /* not yet as often confirmed as the terms ask */
    FUNDING_SHORT,     /* less than the amount */
    FUNDING_REVERSED,  /* was confirmed once and is no longer */
    FUNDING_CONFIRMED, /* enough, and often enough confirmed */
    FUNDING_OVER       /* as confirmed; the rail gives what is over back to the buyer */
};
const char *trade_funding_name(enum trade_funding funding);

/* What the rail says of one lock now.  Several of one lock: the highest `seq` counts (the rail's own count
 * of what it told), and of equal ones the greatest bytes, so that order does not matter. */
struct trade_receipt {
    struct id lock;
    uint64_t seq;
    enum trade_funding funding;
    uint32_t confirmations;
    bool settled; /* spent: by `split`, by the late branch, or into `next` */
    bool late, moved;
    struct fact_split split;
    struct id next; /* moved: rail_lock_note of that lock */
    int64_t at;     /* moved: the rail's time of it, unix ms */
};

/* What the state asks of keys and rails.  Callbacks are pure; NULL `signature`: Ed25519 (crypto/sign.h);
 * NULL `payout`: rail_payout_check, rail_move_check.  Its `next` is the lock that a move goes to; NULL: a
 * split. */
struct trade_scene {
    const struct network *network;
    struct id trade;
    bool (*key)(void *ctx, const struct trade_key *key); /* NULL: sign_key_ok */
    bool (*signature)(void *ctx, const uint8_t key[static 32], const struct id *hash,
                      const struct sig *sig);
    bool (*payout)(void *ctx, const struct rail_lock *lock, const struct rail_lock *next,
                   enum rail_party by, const struct id *payout, const struct fact_payout *signed_payout);
    void *ctx;
};

/* One way to pay the lock out, and who signed it. */
struct trade_payout {
    struct id id;
    struct fact_split split;
    unsigned kind;                    /* one enum payout_kind */
    unsigned signers;                 /* 1 << enum trade_role */
    struct id next;                   /* PAYOUT_MOVE: the new lock, */
    const struct fact_view *moved_by; /* and a fact that signs it */
};

struct trade_lock {
    struct id id;
    struct rail_lock lock;
    struct identity arbiter, substitute;
    bool has_arbiter, has_substitute;
    int64_t rule_by, substitute_rule_by, late_at;
    struct fact_split late;
    enum trade_funding funding;
    uint32_t confirmations;
    bool settled, settled_late, moved;
    int64_t moved_at, since; /* moved: when; a later lock: when the money came to it; unix ms of the rail */
    struct fact_split paid;  /* when settled and not moved */
    unsigned signed_kinds[4]; /* by role: set of enum payout_kind */
    struct trade_payout payouts[TRADE_PAYOUTS_MOST];
    size_t payouts_n;
};

enum trade_case { CASE_NONE, CASE_OPEN /* not yet answered */, CASE_TAKEN, CASE_TOO_LATE };
struct trade_dispute {
    enum trade_case how;
    const struct fact_view *fact; /* NULL: none */
    bool seen_in_time; /* the other side signed, dated before the cut-off, that it had seen it; or
                          it stood in the file when the two moved the money (rule 10) */
};

/* Rule 10: another arbiter, as buyer or seller asked last for the lock after the present one. */
struct trade_asked {
    const struct fact_amendment *amendment;     /* NULL: did not ask, or against rules 1 and 10 */
    const struct fact_view *enrol[2], *refused; /* what the arbiter, the substitute say */
};

struct trade_story { /* two facts of one author that cannot both be */
    struct identity author;
    struct id first, second;
};

struct trade_state {
    enum trade_phase phase;
    struct identity buyer, seller; /* once a proposal is known */

    /* Negotiation.  open[]: the newest standing proposal of buyer and of seller, or NULL. */
    const struct fact_view *open[2];
    const struct fact_view *declined, *withdrawn; /* the newest of each, by fact order */

    /* Contract. */
    bool agreed;
    const struct fact_view *proposal, *accept;
    const struct fact_terms *terms; /* the contract's; before: the newest open proposal's, or NULL */
    struct id contract, stub;
    const struct fact_key *keys[2];   /* of buyer and seller */
    const struct fact_view *enrol[2]; /* of arbiter and substitute, for the present lock */
    const struct fact_view *refused;
    bool enrolled; /* all whom the terms name consented, or none is needed */

    /* Money. */
    struct trade_lock locks[TRADE_LOCKS_MOST];
    size_t locks_n;
    struct trade_lock *lock;     /* the present one, or NULL: none (yet, or on the direct rail) */
    struct trade_asked asked[2]; /* by buyer, by seller */
    struct trade_lock *next;     /* what the buyer asked for, once all enrolled (rule 10); or NULL */
    const struct fact_view *ready, *funded, *opened, *paid, *received;
    bool lock_unknown; /* the rail moved the money to a lock that these facts do not describe */

    /* Goods, wishes, disputes. */
    const struct fact_view *shipped;
    const struct fact_view *requests[2][5]; /* of buyer and seller, by enum fact_wish: the newest */
    struct trade_dispute disputes[2];       /* of buyer and seller */
    const struct fact_view *ruling;

    /* Conduct. */
    struct trade_story stories[TRADE_STORIES_MOST];
    size_t stories_n;
    uint32_t epochs[4];          /* by role: the highest that it signed under */
    size_t facts_n, strangers_n; /* distinct facts used; facts by people who have no part */
};

/* SOUK_EQUOTA when there are more than TRADE_FACTS_MOST distinct facts; otherwise 0. */
int trade_state(struct trade_state *out, const struct trade_scene *scene, const struct fact_view *facts,
                size_t n, const struct trade_receipt *receipts, size_t receipts_n);

/* Whose part is it? */
enum trade_role trade_role_of(const struct trade_state *s, const struct identity *who);
/* Is it asked to decide from the next lock on?  TRADE_ARBITER, TRADE_SUBSTITUTE or TRADE_NOBODY. */
enum trade_role trade_asked_of(const struct trade_state *s, const struct identity *who,
                               const struct trade_asked **out);
/* Buyer and seller ask for the same. */
bool trade_agreed_next(const struct trade_state *s);
/* Is the lock funded enough to act on, and not yet spent? */
bool trade_open(const struct trade_state *s);
bool trade_settled(const struct trade_state *s);
/* Do these signers open the lock at that time (rule 9's branches)? */
bool trade_signers_settle(const struct trade_lock *lock, unsigned signers, int64_t now_ms);
/* Everything the state says, as lines of text: for people, for tables, for comparing states. */
void trade_state_print(struct buf *out, const struct trade_state *s);
#endif
