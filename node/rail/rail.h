/* rail.h: what moves value; a trade does not know how (DESIGN 13).
 *
 * Kinds: credit (notes on an issuer's ledger: ledger.h and spec/credit.md), direct (cash or a bank transfer
 * outside: facts only, nothing is held), mock (credit whose keeper can take confirmations back: tests), and
 * later bitcoin.  The interface is made so that a P2WSH 2-of-3 with a late branch and PSBTs fit: a lock is
 * described whole before anything is paid; a payout is rebuilt by everybody from the lock and the split, so
 * that its bytes are the same for all signers and nothing in a proposal is trusted; two signatures combine.
 *
 * The rules of a trade's lock, the same on every rail: any 2 of buyer, seller, arbiter at any time; from
 * substitute_from also 2 of buyer, seller, substitute; from late_from, by nobody's leave, the late split.
 * Times are unix ms on the rail's own clock (the issuer's; the chain's).
 *
 * Two layers: pure functions (no core, no store), then operations of the engine, each asynchronous and
 * resumable: what was begun is on disk and goes on after a restart; hooks->rail_changed(core, trade) says
 * that rails_funding or rails_settlement may answer otherwise than before.  Bounds: RAIL_* below. */
#ifndef SOUK_RAIL_H
#define SOUK_RAIL_H
#include "crypto/base/amount.h"
#include "crypto/base/arena.h"
#include "node/core.h"
#include "record.gen.h" /* enum record_rail: credit, direct, mock, bitcoin */

enum rail_party { RAIL_BUYER, RAIL_SELLER, RAIL_ARBITER, RAIL_SUBSTITUTE, RAIL_PARTIES };

/* Who gets how much, in minor units; the parts of absent parties are 0.  The sum is the lock's amount. */
struct rail_split {
    int64_t minor[RAIL_PARTIES];
};

struct rail_lock {
    enum record_rail rail;
    struct amount amount;   /* credit, mock: the currency is the issuer's identity */
    struct identity issuer; /* zero on rails without one */
    struct id contract;     /* hash of the contract: salts come from it, so it must not be guessable */
    struct id stub;         /* hash of the stub: committed to apart, so that a rating can open only it */
    uint8_t parties;        /* 2 (direct without an arbiter), 3, or 4 with a substitute */
    struct trade_key key[RAIL_PARTIES];    /* who may sign; all distinct */
    struct trade_key payout[RAIL_PARTIES]; /* who is paid */
    int64_t substitute_from, late_from;    /* substitute_from: 0 without a substitute */
    struct rail_split late;
};

/* ---- pure: lock.c, payout.c ---- */
/* Every rule of the form of a lock: SOUK_EINVALID with all mistakes in the report. */
int rail_lock_check(const struct rail_lock *lock, struct report *r);
void rail_lock_encode(struct buf *out, const struct rail_lock *lock);
int rail_lock_decode(struct rail_lock *out, struct span bytes, struct report *r); /* checked as well */
void rail_lock_id(struct id *out, const struct network *net, const struct rail_lock *lock);
bool rail_split_ok(const struct rail_lock *lock, const struct rail_split *split);
/* All to one party. */
struct rail_split rail_split_all(const struct rail_lock *lock, enum rail_party to);
/* What a payout costs the parties: 0 on the rails that there are. */
int64_t rail_fee_minor(const struct rail_lock *lock);

/* A payout is named by the hash that its signers sign: same lock and split, same id, on every node. */
int rail_payout_id(struct id *out, const struct network *net, const struct rail_lock *lock,
                   const struct rail_split *split, struct report *r);
/* Appends the payout's canonical bytes (credit: the transfer's body). */
int rail_payout_make(struct buf *out, const struct network *net, const struct rail_lock *lock,
                     const struct rail_split *split, struct report *r);
/* sk: the trade key's secret, libsodium's layout.  Have the decision on disk before the signature leaves.
 */
int rail_payout_sign(const uint8_t sk[static 64], const struct network *net, const struct rail_lock *lock,
                     const struct rail_split *split, struct sig *out, struct report *r);
/* Rebuilds the payout from one's own lock and split and checks one party's signature over it. */
int rail_payout_check(const struct network *net, const struct rail_lock *lock,
                      const struct rail_split *split, enum rail_party by, const struct sig *sig,
                      struct report *r);
/* Combines two parties' signatures into what the rail takes (credit: a transfer).  Both are checked. */
int rail_payout_combine(struct buf *out, const struct network *net, const struct rail_lock *lock,
                        const struct rail_split *split, enum rail_party a, const struct sig *sig_a,
                        enum rail_party b, const struct sig *sig_b, struct report *r);
/* A move takes all that a lock holds into another (rule 10 of spec/escrow.md).  `to` may differ in who
 * decides and when, and in nothing else: SOUK_EINVALID.  It is rebuilt, named, signed and combined as a
 * payout is.  SOUK_ENOT_ALLOWED on the direct rail. */
int rail_move_id(struct id *out, const struct network *net, const struct rail_lock *from,
                 const struct rail_lock *to, struct report *r);
int rail_move_sign(const uint8_t sk[static 64], const struct network *net, const struct rail_lock *from,
                   const struct rail_lock *to, struct sig *out, struct report *r);
int rail_move_check(const struct network *net, const struct rail_lock *from, const struct rail_lock *to,
                    enum rail_party by, const struct sig *sig, struct report *r);
int rail_move_combine(struct buf *out, const struct network *net, const struct rail_lock *from,
                      const struct rail_lock *to, enum rail_party a, const struct sig *sig_a,
                      enum rail_party b, const struct sig *sig_b, struct report *r);
/* The late split, which nobody signs. */
int rail_late_make(struct buf *out, const struct network *net, const struct rail_lock *lock,
                   struct report *r);
/* ---- the engine: rails.c ---- */
enum {
    RAIL_WATCHED_MOST = 4096, /* locks watched at once */
    RAIL_PENDING_MOST = 256,  /* own transfers not yet answered */
    RAIL_PEERS_MOST = 16,     /* confirmations counted */
    RAIL_AUDITS_MOST = 4      /* at once */
};
struct rails *rails_new(const struct network *network, struct rng *rng, bool mock_rail);
void rails_free(struct rails *r);
void rails_tick(struct rails *r, uint64_t tick_ms); /* how often it looks again; default 1,000 */
void rails_boot(struct rails *r, struct core *c);
int rails_message(struct rails *r, struct core *c, const struct node_key *peer, unsigned number,
                  struct span body);
void rails_record_stored(struct rails *r, struct core *c, const struct record *rec);
/* LETTER_OPENING.  Adds what it keeps to outbox_taking; 0 also for what is of no use. */
int rails_letter(struct rails *r, struct core *c, const struct identity *to, const struct identity *from,
                 const struct id *letter, struct span body);
void rails_committed(struct rails *r, struct core *c, struct change *change);
void rails_wake(struct rails *r, struct core *c);
uint64_t rails_next_wake(const struct rails *r);
/* Nodes of issuers that something waits for and that no session reaches: to be found and dialled. */
size_t rails_wanted(struct rails *r, struct core *c, struct node_key *out, size_t most);

/* Keys of a trade, derived from an identity's seed (hardened: only public keys leave).  sk may be NULL.
 * SOUK_ELOCKED. */
int rail_trade_key(struct core *c, const struct identity *who, const struct id *trade, struct trade_key *pk,
                   uint8_t sk[64], struct report *r);
int rail_payout_key(struct core *c, const struct identity *who, const struct id *trade,
                    struct trade_key *pk, struct report *r);

/* Operations of a trade.  Each adds to `into` what must be on disk; it goes on by itself once that is
 * committed, and is tried again until it is answered for good.  Repeating one changes nothing.
 * SOUK_EINVALID, SOUK_EBUSY, SOUK_ENOT_ALLOWED (rail not offered here) with words. */
/* `mine` (may be NULL) is our party in the trade: what a payout pays it goes into its wallet. */
int rails_watch(struct rails *r, struct core *c, const struct id *trade, const struct rail_lock *lock,
                const struct identity *mine, struct change *into, struct report *rep);
void rails_unwatch(struct rails *r, struct core *c, const struct id *lock, struct change *into);
/* Pays the lock's amount from an identity's wallet; needs a spend session (keys.h).  SOUK_EFUNDS,
 * SOUK_ELOCKED. */
int rails_fund(struct rails *r, struct core *c, const struct id *trade, const struct identity *from,
               const struct rail_lock *lock, struct change *into, struct report *rep);
int rails_submit(struct rails *r, struct core *c, const struct id *trade, const struct rail_lock *lock,
                 const struct rail_split *split, enum rail_party a, const struct sig *sig_a,
                 enum rail_party b, const struct sig *sig_b, struct change *into, struct report *rep);
int rails_move(struct rails *r, struct core *c, const struct id *trade, const struct rail_lock *from,
               const struct rail_lock *to, enum rail_party a, const struct sig *sig_a, enum rail_party b,
               const struct sig *sig_b, struct change *into, struct report *rep);
int rails_late(struct rails *r, struct core *c, const struct id *trade, const struct rail_lock *lock,
               struct change *into, struct report *rep);

enum rail_funding_state {
    RAIL_NONE,
    RAIL_SEEN,     /* the rail says so, and `confirmations` others were found to see the same */
    RAIL_SHORT,    /* less than the amount (never on credit: a lock names its amount) */
    RAIL_OVER,     /* more */
    RAIL_REVERSED, /* it was there, and was taken back */
    RAIL_FORKED    /* the issuer tells different people different stories: do not rely on it */
};
struct rail_funding {
    enum rail_funding_state state;
    unsigned confirmations;
    int64_t minor, at; /* at: the rail's time of it */
    int err;           /* our own funding: 0, SOUK_EBUSY while unanswered, or why it was refused for good */
};
enum rail_branch { RAIL_BY_PARTIES, RAIL_BY_SUBSTITUTE, RAIL_BY_LATENESS };
struct rail_settlement {
    bool spent, known; /* spent by what is no payout of this lock to its parties: spent and not known */
    bool moved;        /* not known, but all of it went into one lock of the same contract: */
    struct id next;    /* rail_lock_note of that one */
    struct rail_split split;
    enum rail_branch branch;
    struct id transfer;
    int64_t at;
    int err; /* our own submission: as above */
};
/* From what is on disk here; SOUK_ENOT_FOUND when the lock is not watched.  On the direct rail: nothing. */
int rails_funding(struct rails *r, struct core *c, const struct id *lock, struct rail_funding *out);
int rails_settlement(struct rails *r, struct core *c, const struct id *lock, struct rail_settlement *out);
/* stub_proof.funding of a rating.  SOUK_EMISSING before it is funded. */
int rails_funding_proof(struct rails *r, struct core *c, const struct id *lock, struct buf *out);
/* Checks such a proof from a stranger against the issuer's record, which must be known here. */
int rail_funding_proof_check(struct core *c, struct span proof, const struct id *stub,
                             const struct identity *issuer, struct report *rep);

/* ---- credit: for its owner ---- */
/* Becomes an issuer (one a node): the ledger's own state.  The issuer record is published by the caller
 * with rail_issuer_body; heads by whoever asks rails_head_due. */
struct rail_issuer {
    struct span name, code, about;
    unsigned decimals;
    int64_t limit_minor;
    bool auto_approve, mock;
};
int rails_issuer(struct rails *r, struct core *c, const struct identity *as, const struct rail_issuer *what,
                 struct change *into, struct buf *record_body, struct report *rep);
/* True, with the body of a head record (kind 7) to be published by *issuer, when the newest head is not
 * published yet; at most one a tick.  False while locked or frozen (a restored backup: heads above are
 * known).
 */
bool rails_head_due(struct rails *r, struct core *c, struct identity *issuer, struct buf *record_body);
/* True, with the body of a fraud record (kind 11) of *accused, once for each fraud found here. */
bool rails_fraud_due(struct rails *r, struct core *c, struct identity *accused, struct buf *record_body);

int rails_join(struct rails *r, struct core *c, const struct identity *as, const struct identity *issuer,
               struct span note, struct change *into, struct report *rep);
/* limit_minor < 0: the default. */
int rails_approve(struct rails *r, struct core *c, const struct identity *as, const struct identity *member,
                  int64_t limit_minor, bool refuse, struct change *into, struct report *rep);
struct rail_member {
    struct identity id;
    const char *state; /* asked, approved, refused */
    int64_t limit_minor, drawn_minor;
};
typedef bool rail_member_fn(void *arg, const struct rail_member *m);
void rails_members(struct rails *r, struct core *c, rail_member_fn *fn, void *arg);
/* Both give the transfer's name; rails_movement tells what became of it. */
int rails_mint(struct rails *r, struct core *c, const struct identity *as, const struct identity *member,
               int64_t minor, struct span words, struct change *into, struct id *transfer,
               struct report *rep);
int rails_pay(struct rails *r, struct core *c, const struct identity *as, const struct identity *issuer,
              const struct identity *to, int64_t minor, struct span words, struct change *into,
              struct id *transfer, struct report *rep);
/* 0: entered.  SOUK_EBUSY: unanswered.  Otherwise why it was refused, or SOUK_ENOT_FOUND. */
int rails_outcome(struct rails *r, struct core *c, const struct id *transfer);

struct rail_balance {
    struct identity issuer;
    int64_t minor;       /* notes less what was drawn on the limit; may be negative */
    int64_t limit_minor; /* of credit */
    const char *member;  /* "", asked, approved, refused */
    uint32_t notes;
};
/* All issuers that `as` has to do with, or one; returns how many. */
size_t rails_balances(struct rails *r, struct core *c, const struct identity *as,
                      const struct identity *issuer /* or NULL */, struct rail_balance *out, size_t most);
struct rail_movement {
    int64_t time, minor; /* in: positive */
    struct span words;
};
typedef bool rail_movement_fn(void *arg, const struct rail_movement *m);
void rails_history(struct rails *r, struct core *c, const struct identity *as,
                   const struct identity *issuer, rail_movement_fn *fn, void *arg); /* newest first */

/* Fetches the whole log from the issuer and checks it; `done` is called once, later, also on failure. */
struct rail_audit {
    int err; /* SOUK_ENOT_FOUND, SOUK_EOFFLINE, SOUK_ETIMEOUT, or 0: the rest stands */
    struct identity issuer;
    uint64_t size, leaves_checked, double_spends;
    struct id root;
    uint32_t heads, own_leaves, own_missing;
    bool consistent, fraud;
    char text[256];
};
typedef void rail_audit_fn(void *arg, struct core *c, const struct rail_audit *a);
int rails_audit(struct rails *r, struct core *c, const struct identity *issuer, rail_audit_fn *done,
                void *arg, struct report *rep);
/* No `done` follows for this arg (its asker is gone). */
void rails_audit_cancel(struct rails *r, void *arg);

/* The keeper of a mock ledger takes the funding of a lock back, or gives it again. */
int rails_mock_reverse(struct rails *r, struct core *c, const struct id *lock_note, bool reverse,
                       struct change *into, struct report *rep);
/* What a lock is on its rail (credit, mock: the note on the ledger): what rails_mock_reverse takes, and by
 * what a move is recognised. */
void rail_lock_note(struct id *out, const struct network *net, const struct rail_lock *lock);
#endif
