/* engine.h: the rails' own state, for the files of this room.  issuer.c keeps a ledger, member.c its
 * members; wallet.c holds notes and asks for transfers; watch.c looks after locks; audit.c checks ledgers;
 * rails.c hands out what comes and when.
 *
 * TABLE_NOTE, by the first byte of the key:
 *   n owner32 issuer32 note32         → ledger_own_note
 *   p transfer32                      → ledger_pending
 *   r transfer32                      → enum ledger_refusal, one byte (0: entered)
 *   h owner32 issuer32 time8 leaf32   → ledger_movement
 *   w lock32                          → ledger_watching
 *   j me32 issuer32                   → ledger_membership
 * TABLE_MEMBER: "t" → ledger_ledger_state;  m member32 → ledger_member;
 *   c note32 → transfer32 that made it;  x note32 → 1 byte (mock: reversed)
 */
#ifndef SOUK_RAIL_ENGINE_H
#define SOUK_RAIL_ENGINE_H
#include "crypto/base/map.h"
#include "node/keys/keys.h"
#include "node/rail/locks.h"

enum {
    RAIL_MESSAGE_BYTES = 49152, /* of an answer that has room for more */
    RAIL_ARENA_BYTES = 1 << 20, /* of one message */
    RAIL_QUEUE_BYTES = 1 << 20, /* what this node says to its own ledger */
    RAIL_HEADS = 256,           /* heads remembered, to compare */
    RAIL_FRAUDS = 8,
    RAIL_WAITS = 128,           /* comparisons of heads under way */
    RAIL_COSTLY_A_SECOND = 100, /* submissions and joins taken from one peer */
    RAIL_RESERVE_MS = 10000
};
enum rail_what { WHAT_ENTER = 1, WHAT_JOIN, WHAT_WALLET, WHAT_WATCH };

struct seen_head {
    struct identity issuer;
    struct ledger_tree_head head;
};
struct fraud {
    struct identity issuer;
    struct buf body;
};
struct watch {
    struct id lock_id, note, trade;
    struct rail_lock lock;
    struct buf made, spent, transfer; /* canonical; empty: none */
    struct node_key peers[RAIL_PEERS_MOST];
    size_t peers_n;
    bool reversed, forked, collected, has_mine;
    enum ledger_refusal refusal; /* 0: none */
    struct identity mine;
    uint64_t next_ms, wait_ms;
};
/* A head from a peer that waits for the issuer's proof that it and ours are of one log. */
struct head_wait {
    struct id lock_id;
    struct node_key peer;
    struct identity issuer;
    uint64_t first, second;
    struct id first_root, second_root;
    uint64_t until_ms;
};
struct audit;
typedef int rails_send_fn(void *arg, struct core *c, const struct node_key *to, unsigned number,
                          struct span body);
struct rails {
    const struct network *network;
    struct rng *rng;
    bool mock, ready;
    uint64_t tick_ms, tick_at_ms, kick_at_ms, kick_wait_ms, costly_since_ms;
    rails_send_fn *send; /* tests: instead of net_send */
    void *send_arg;
    struct buf loop; /* number 4, length 4, body: to ourselves */
    bool looping;
    struct map costly;   /* node key → count of this second */
    struct map reserved; /* note of ours → until_ms: chosen, and perhaps not on disk yet */
    struct map watches;  /* lock → struct watch */

    /* the ledger kept here */
    bool keeps, ledger_mock, auto_approve, frozen;
    struct identity issuer;
    uint64_t limit, minted, published_size, head_at_ms;
    bool published;
    int64_t last_time;
    struct ledger_tree_head head; /* newest signed; size of UINT64_MAX: none */
    struct map drawing;           /* member → a draw of theirs is under way */

    struct seen_head heads[RAIL_HEADS];
    size_t heads_n, heads_at;
    struct fraud frauds[RAIL_FRAUDS];
    size_t frauds_n;
    struct head_wait waits[RAIL_WAITS];
    size_t waits_n;
    struct audit *audits[RAIL_AUDITS_MOST];
};

/* ---- rails.c ---- */
int rails_say(struct rails *r, struct core *c, const struct node_key *to, unsigned number,
              struct span body);
/* The issuer's node and signing key, from its record; false when that is not known here. */
bool rails_issuer_of(struct core *c, const struct identity *issuer, struct node_key *node,
                     struct identity *key);
int rails_say_issuer(struct rails *r, struct core *c, const struct identity *issuer, unsigned number,
                     struct span body);
/* Remembers a head whose signature was checked; notices two that cannot both be true. */
void rails_head_seen(struct rails *r, struct core *c, const struct identity *issuer,
                     const struct ledger_tree_head *head);
void rails_kick(struct rails *r, struct core *c); /* wake soon: something was perhaps committed */

/* ---- issuer.c, member.c: the ledger kept here ---- */
void issuer_boot(struct rails *r, struct core *c);
void issuer_submit(struct rails *r, struct core *c, const struct node_key *peer, struct span transfer);
void issuer_entered(struct rails *r, struct core *c, struct change *change);
/* The newest head, signed; false while locked or frozen. */
bool issuer_head(struct rails *r, struct core *c, struct ledger_tree_head *head);
void issuer_own_head(struct rails *r, struct core *c, uint64_t size, const struct id *root);
void issuer_ask_head(struct rails *r, struct core *c, const struct node_key *peer,
                     const struct identity *issuer);
void issuer_ask_consistency(struct rails *r, struct core *c, const struct node_key *peer,
                            const struct ledger_ask_consistency *m);
void issuer_ask_leaves(struct rails *r, struct core *c, const struct node_key *peer,
                       const struct ledger_ask_leaves *m);
void issuer_ask_note(struct rails *r, struct core *c, const struct node_key *peer,
                     const struct ledger_ask_note *m, struct arena *a);
void issuer_state_put(struct rails *r, struct change *into);
int member_join(struct rails *r, struct core *c, const struct node_key *peer, const struct ledger_join *m);
void member_joined(struct rails *r, struct core *c, struct change *change);
bool member_get(struct core *c, const struct identity *who, struct ledger_member *out);
void member_put(struct change *into, const struct identity *who, const struct ledger_member *m);

/* ---- wallet.c, pay.c, account.c ---- */
void wallet_wake(struct rails *r, struct core *c, bool tick); /* submits what is on disk and unanswered */
void wallet_entered(struct rails *r, struct core *c, const struct ledger_entered *m, struct arena *a);
void wallet_refused(struct rails *r, struct core *c, const struct ledger_refused *m, struct arena *a);
void wallet_joined(struct rails *r, struct core *c, const struct ledger_joined *m);
/* Puts a note of ours on disk, with the movement that brought it.  False when it is known already. */
bool wallet_take(struct rails *r, struct core *c, const struct identity *owner,
                 const struct identity *issuer, const struct ledger_note *note, enum ledger_holder holder,
                 const struct id *context, const struct ledger_receipt *receipt, struct span words,
                 struct change *into);
void wallet_pending_put(struct change *into, const struct id *transfer, const struct ledger_pending *p);
size_t wallet_pending_n(struct core *c);
void wallet_membership(struct core *c, const struct identity *me, const struct identity *issuer,
                       struct ledger_membership *out);
void wallet_key(uint8_t out[static 97], char kind, const struct identity *owner,
                const struct identity *issuer, const struct id *last);

/* ---- watch.c, known.c ---- */
void watch_boot(struct rails *r, struct core *c);
void watch_wake(struct rails *r, struct core *c);
void watch_look(struct rails *r, struct core *c, const struct id *lock); /* ask now */
void watch_refused(struct rails *r, struct core *c, const struct id *lock, enum ledger_refusal why);
void watch_note_state(struct rails *r, struct core *c, const struct ledger_note_state *m, struct arena *a);
void watch_head(struct rails *r, struct core *c, const struct node_key *peer, const struct ledger_head *m);
void watch_consistency(struct rails *r, struct core *c, const struct node_key *peer,
                       const struct ledger_consistency *m);
void watch_free(struct watch *w);
struct watch *watch_read(struct rails *r, struct span value); /* of a row; NULL when damaged */
void watch_key(uint8_t key[static 33], const struct id *lock);
bool receipt_read(struct ledger_receipt *out, const struct buf *b, struct arena *a);
bool watch_wants(struct rails *r, struct identity *issuers, size_t *n, size_t most);

/* ---- audit.c ---- */
void audit_head(struct rails *r, struct core *c, const struct node_key *peer, const struct ledger_head *m);
void audit_leaves(struct rails *r, struct core *c, const struct node_key *peer,
                  const struct ledger_leaves *m);
void audit_wake(struct rails *r, struct core *c);
void audit_free(struct audit *a);
#endif
