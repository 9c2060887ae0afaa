/* locks.h: a trade's lock as a note on a ledger, for the files of this room. */
#ifndef SOUK_RAIL_LOCKS_H
#define SOUK_RAIL_LOCKS_H
#include "node/rail/ledger.h"
#include "node/rail/rail.h"

/* The note that a lock is on the credit rail, the same on every node.  Points into itself: not to be
 * copied. */
struct locks_note {
    struct ledger_note note;
    struct id id;
    struct ledger_branch branches[3];
    struct trade_key keys[2][3];
    struct ledger_share late[RAIL_PARTIES];
};
void locks_note(struct locks_note *out, const struct network *net, const struct rail_lock *lock);
/* The salts of the note that a payout of this lock makes for a party. */
void locks_payout_salts(struct ledger_note *note, const struct network *net, const struct rail_lock *lock,
                        enum rail_party to);

/* The notes of a payout: at most one a party, in their order. */
struct locks_payout {
    struct ledger_note notes[RAIL_PARTIES];
    struct ledger_branch branches[RAIL_PARTIES];
    enum rail_party to[RAIL_PARTIES];
    size_t n;
};
void locks_payout(struct locks_payout *out, const struct network *net, const struct rail_lock *lock,
                  const struct rail_split *split);
/* Appends the transfer of a body that spends the lock's note by two parties' signatures, which were
 * checked. SOUK_EINVALID when these two have no branch together. */
int locks_combine(struct buf *out, const struct rail_lock *lock, struct span body, enum rail_party a,
                  const struct sig *sig_a, enum rail_party b, const struct sig *sig_b, struct report *r);
/* Did it take all into one lock of the same contract?  Then which note that is. */
bool locks_moved(const struct rail_lock *lock, const struct transfer *t, struct id *note);
/* Reads a transfer that spent the lock's note: the split, when it is a payout of it to the parties' keys
 * (*known), and the branch of the note that was used. */
void locks_settled(const struct network *net, const struct rail_lock *lock, const struct transfer *t,
                   struct rail_split *split, bool *known, unsigned *branch);
#endif
