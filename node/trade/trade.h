/* trade.h: the engine of trades (DESIGN 12; spec/escrow.md): facts come and go, the state follows from them
 * (state.h), what may be done follows from the state (moves.h), and this room does it: what the owner
 * orders, and the duties of a contract already signed.
 *
 * What was signed is on disk before it leaves: a fact, the letters that carry it and what it promises are
 * operations of one change.  Each of our identities has one chain of facts a trade; the change begins with
 * a compare-and-set on the chain's head, so that two facts at one place can never both be committed.
 *
 * Rows in TABLE_TRADE (key: a letter, then 32 bytes each):
 *     'c' trade identity    party.schema, chain: the head of our own chain
 *     'k' trade identity    party.schema, kept: what the owner's node knows beside the facts
 *     'a' dispute           unix ms 8: when a dispute was committed here (the arbiter's rule 8)
 *     'l' fact identity     letter 32: by which letter a fact of ours went to whom
 *     'r' trade identity    party.schema, recall: frozen until the others told what was said here
 *     'q' trade identity    identity 32: whom of us that one asked what it said, not yet answered
 *
 * Bounds: TRADES_OPEN_MOST trades that still wait for something; TRADE_FACTS_MOST facts a trade, of which
 * TRADE_FOREIGN_MOST by each other author; one own change under way a trade.
 *
 * What node.c calls: trades_boot; trades_restored after it when the store is an older copy of itself;
 * trades_letter for LETTER_FACT, trades_recall for LETTER_RECALL and LETTER_RECALLED; trades_letter_done;
 * trades_taken by outbox_on_taken; trades_rail_changed; trades_committed for changes of ROOM_TRADE;
 * trades_look after any commit; trades_wake at trades_next_wake. */
#ifndef SOUK_TRADE_H
#define SOUK_TRADE_H
#include "node/core.h"
#include "node/trade/moves.h"
#include "party.gen.h"

enum { TRADES_OPEN_MOST = 20000, TRADE_FOREIGN_MOST = 120 };

struct trades *trades_new(const struct network *network, struct rng *rng);
void trades_free(struct trades *t);
/* Looks at every trade: at start, and when an identity was unlocked. */
void trades_boot(struct trades *t, struct core *c);
/* Freezes every open trade of this identity (NULL: of all) until the others were asked (recall.c). */
void trades_restored(struct trades *t, struct core *c, const struct identity *who);
int trades_recall(struct trades *t, struct core *c, const struct identity *to, const struct identity *from,
                  bool answer, struct span body);
int trades_letter(struct trades *t, struct core *c, const struct identity *to, const struct identity *from,
                  const struct id *letter, struct span body);
void trades_letter_done(struct trades *t, struct core *c, const struct id *letter, int err);
/* outbox_taken_fn: a fact was committed. */
void trades_taken(struct core *c, const struct identity *to, const struct identity *from, unsigned kind,
                  const struct id *letter, struct span body);
void trades_rail_changed(struct trades *t, struct core *c, const struct id *trade);
void trades_committed(struct trades *t, struct core *c, struct change *change);
void trades_look(struct trades *t, struct core *c);
void trades_wake(struct trades *t, struct core *c);
uint64_t trades_next_wake(const struct trades *t);

/* ---- looking at a trade (load.c) ---- */
struct trade_view {
    struct id trade;
    const struct fact_view *facts;
    size_t facts_n;
    struct trade_state *state;
    struct identity as; /* which of our identities; zero when none has a part */
    struct trade_party me;
    /* What the owner's node keeps beside. */
    bool has_address, relayed, sold_out;
    struct span address;
    struct salt salt;
    /* What was asked of the others since our store was put back. */
    bool has_recall;
    struct party_recall recall; /* told: in the arena */
    /* The head of our own chain. */
    bool has_chain;
    uint32_t epoch, seq;
    struct id last;
};
/* as: NULL picks the one of our identities that has a part.  Everything lies in the arena or borrows from
 * the store's view.  SOUK_ENOT_FOUND when nothing is known of it. */
int trades_view(struct trades *t, struct core *c, const struct id *trade, const struct identity *as,
                struct arena *a, struct trade_view *out, struct report *r);
/* While frozen: until when its answers are waited for, unix ms; and how many of how many are here. */
int64_t trade_recall_until(const struct trade_view *v);
size_t trade_recall_told(const struct trade_view *v, size_t *asked);
/* "" or why the trade cannot be worked on right now: a fact of ours is on its way to the disk. */
bool trades_busy(struct trades *t, struct core *c, const struct id *trade);
/* What a fact says, for a person, in the arena. */
const char *trade_fact_text(struct core *c, const struct fact_view *f, struct arena *a);
/* The i-th message of an evidence: false when it is none between buyer and seller; *proven: its author
 * wrote it. */
struct outbox_message_row;
bool trade_words_read(struct core *c, const struct trade_view *v, const struct fact_view *f, size_t i,
                      struct outbox_message_row *out, bool *proven);
/* "buyer" …, or "other". */
const char *trade_author_name(const struct trade_view *v, const struct identity *who);
/* What the facts speak of that is not here, each in words, at most `most`; how many. */
size_t trade_missing(const struct trade_view *v, struct arena *a, const char **out, size_t most);
/* How far the letters with a fact of ours are: the least of them; "" for the facts of others. */
const char *trade_fact_delivery(struct core *c, const struct fact_view *f);
/* The address that the buyer opened to us, checked against what `funded` promised; an empty span: none. */
struct span trade_address(struct core *c, const struct trade_view *v);
/* For the stub of a rating.  SOUK_EMISSING, SOUK_ENOT_ALLOWED before it is funded (or paid and received).
 */
struct record_stub_proof;
int trades_stub_proof(struct trades *t, struct core *c, const struct id *trade,
                      struct record_stub_proof *out, struct arena *a, struct report *r);

/* ---- what the owner orders (act.c).  Each adds its operations to `into`, an empty change, which the
 * caller commits; trades_outcome tells from the results whether it stands.  Refusals carry trade_may's
 * words. ---- */
struct trade_offer {
    struct id listing;
    uint64_t quantity;
    struct span variant, note;
    bool has_price, has_delivery, has_rail, has_arbiter, has_substitute, has_rental, has_region;
    struct amount price;
    enum record_delivery_mode delivery;
    struct span region;
    enum record_rail rail;
    struct identity arbiter, substitute;
    int64_t from, until;
    uint64_t valid_ms, fund_ms, ship_ms, deliver_ms, inspect_ms, rule_ms, delta_ms; /* 0: default */
    uint64_t confirmations, late_buyer_bp;
};
int trades_offer(struct trades *t, struct core *c, const struct identity *as,
                 const struct trade_offer *offer, struct change *into, struct id *trade, struct report *r);
struct trade_counter {
    bool has_price, has_quantity, has_delivery;
    struct amount price;
    uint64_t quantity;
    enum record_delivery_mode delivery;
    struct span note;
};
int trades_counter(struct trades *t, struct core *c, const struct id *trade,
                   const struct trade_counter *counter, struct change *into, struct report *r);
int trades_accept(struct trades *t, struct core *c, const struct id *trade, struct change *into,
                  struct report *r);
int trades_decline(struct trades *t, struct core *c, const struct id *trade, struct span reason,
                   struct change *into, struct report *r);
int trades_withdraw(struct trades *t, struct core *c, const struct id *trade, struct change *into,
                    struct report *r);
/* Needs a spend session.  `expect`: the lock's hash, or NULL. */
int trades_fund(struct trades *t, struct core *c, const struct id *trade, const struct id *expect,
                struct span address, struct change *into, struct report *r);
int trades_paid(struct trades *t, struct core *c, const struct id *trade, struct change *into,
                struct report *r);
int trades_received(struct trades *t, struct core *c, const struct id *trade, struct change *into,
                    struct report *r);
/* secret: the eight words, or empty. */
int trades_ship(struct trades *t, struct core *c, const struct id *trade, struct span carrier,
                struct span tracking, struct span secret, struct change *into, struct report *r);
/* words: 8 of words.h. */
int trades_handover(struct trades *t, struct core *c, const struct id *trade, char words[static 128],
                    struct report *r);
/* Our part as it would be once its owner orders this: by ordering a release or a refund it also says how
 * the goods are. */
void trades_ordered(const struct trade_view *v, enum trade_move move, int64_t now_ms,
                    struct trade_party *out);
/* Saying that the goods came as described, or (seller, after shipping) that they came back, goes with it.
 * `expect`: rail_payout_id, or NULL. */
int trades_release(struct trades *t, struct core *c, const struct id *trade, const struct id *expect,
                   struct change *into, struct report *r);
int trades_refund(struct trades *t, struct core *c, const struct id *trade, const struct id *expect,
                  struct change *into, struct report *r);
int trades_request(struct trades *t, struct core *c, const struct id *trade, enum fact_wish what,
                   const struct fact_split *split, struct span note, struct change *into, struct report *r);
int trades_split(struct trades *t, struct core *c, const struct id *trade, const struct fact_split *split,
                 const struct id *expect, struct change *into, struct report *r);
/* Rule 10: asks for another arbiter; without one, or with the one that the other asks for, agrees to that.
 * Once both ask for the same and it enrolled, the nodes move the money to a lock that it decides on. */
struct trade_replace {
    bool has_arbiter, has_substitute;
    struct identity arbiter, substitute;
    uint64_t rule_ms; /* to rule, after the money moved; 0: as long as the terms give */
    struct span note;
};
int trades_replace(struct trades *t, struct core *c, const struct id *trade, const struct trade_replace *o,
                   struct change *into, struct report *r);
int trades_dispute(struct trades *t, struct core *c, const struct id *trade, struct span claim,
                   const struct fact_split *want, struct change *into, struct report *r);
int trades_evidence(struct trades *t, struct core *c, const struct id *trade, struct span text,
                    const struct id *photos, size_t photos_n, struct change *into, struct report *r);
int trades_consent(struct trades *t, struct core *c, const struct id *trade, bool refuse,
                   struct span reason, struct change *into, struct report *r);
/* The ruling and the arbiter's payout, each a fact.  A split whose arbiter's part is 0 has the fee taken
 * off as the terms say. */
int trades_rule(struct trades *t, struct core *c, const struct id *trade, const struct fact_split *split,
                struct span reasons, struct change *into, struct report *r);
/* After the commit: 0, or SOUK_EBUSY (another fact of ours came in between), SOUK_EQUOTA (no stock). */
int trades_outcome(const struct change *change, struct report *r);
#endif
