/* ledger.h: the rules of the credit rail, as pure functions (spec/credit.md): notes and their commitments,
 * transfers, leaves, signed heads, receipts, fraud.  No core and no store: the issuer, its clients and its
 * auditors judge with the same code.
 *
 * Whatever is decoded here borrows from the bytes it was decoded from and from the arena given. */
#ifndef SOUK_RAIL_LEDGER_H
#define SOUK_RAIL_LEDGER_H
#include "crypto/base/arena.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "crypto/sign.h"
#include "ledger.gen.h"

enum { LEDGER_SPENDS_MOST = 64, LEDGER_MAKES_MOST = 16, LEDGER_MINOR_DIGITS = 16 };

/* ---- notes: note.c ---- */
/* Commitments of a note: what its leaf shows.  A note without a stub commits to 32 zeros. */
void note_made(struct ledger_made *out, const struct network *net, const struct ledger_note *note);
void note_stub_commitment(struct id *out, const struct network *net, const struct salt *stub_salt,
                          const struct id *stub);
void note_id(struct id *out, const struct network *net, const struct identity *issuer,
             const struct ledger_made *made);
/* Both in one. */
void note_id_of(struct id *out, const struct network *net, const struct identity *issuer,
                const struct ledger_note *note);
/* A lock of one key: `branch` is the caller's memory, filled in and pointed to. */
void lock_simple(struct ledger_lock *out, struct ledger_branch *branch, const struct trade_key *key);
/* The key of a lock of exactly one branch, always open, one signature of one key. */
bool lock_is_simple(const struct ledger_lock *lock, struct trade_key *key);
/* SOUK_EINVALID when a branch cannot be what it says: keys repeated or fewer than needed, a split whose sum
 * is not the note's amount, keys and a split at once. */
int note_check(const struct ledger_note *note, struct report *r);

/* ---- transfers: transfer.c ---- */
struct transfer {
    struct span bytes, body_bytes;
    struct id id;
    struct ledger_body body;
    const struct ledger_witness *witnesses;
    size_t witnesses_n;
    bool has_sig;
    struct sig sig;
    struct id *make_ids;       /* of body.makes, in order */
    struct ledger_made *mades; /* their commitments */
};
void transfer_id(struct id *out, const struct network *net, struct span body);
/* Form and everything that needs no ledger: SOUK_EFORM, SOUK_EUNKNOWN_CRITICAL, SOUK_EINVALID. */
int transfer_parse(struct transfer *out, const struct network *net, struct span bytes, struct arena *a,
                   struct report *r);
/* What a transfer is judged against.  note: its opening's bytes and what spent it (zero: nothing), false
 * when it was never made.  left: what a member may still draw, false when nobody. */
struct transfer_world {
    const struct network *net;
    struct identity issuer, key; /* the ledger, and the key that signs its mints */
    int64_t now_ms;              /* the issuer's time */
    bool (*note)(void *arg, const struct id *note, struct span *opening, struct id *spent_by);
    bool (*left)(void *arg, const struct identity *member, uint64_t *minor);
    void *arg;
};
struct transfer_refusal {
    enum ledger_refusal why; /* 0: none */
    struct id note, by;      /* LEDGER_REFUSAL_SPENT: which, and by which transfer */
};
/* True when it may be entered now; otherwise refusal and the report say why not. */
bool transfer_check(const struct transfer *t, const struct transfer_world *w, struct arena *a,
                    struct transfer_refusal *refusal, struct report *r);
/* Whether a refusal may turn out otherwise later without anything being changed by whoever asks. */
bool refusal_passing(enum ledger_refusal why);
int refusal_err(enum ledger_refusal why);
/* The canonical bytes of its leaf's entry. */
void transfer_entry(struct buf *out, const struct transfer *t, int64_t time);
/* Appends a transfer made of a body and its witnesses. */
void transfer_write(struct buf *out, struct span body, const struct ledger_witness *witnesses, size_t n,
                    const struct sig *sig /* or NULL */);

/* ---- heads and receipts: receipt.c ---- */
void head_hash(struct id *out, const struct network *net, const struct identity *issuer, uint64_t size,
               const struct id *root, int64_t time);
bool head_check(const struct network *net, const struct identity *issuer, const struct identity *key,
                const struct ledger_tree_head *head);
/* A receipt that stands: the head is signed by the issuer's key, the entry is in it.  *entry is decoded.
 * SOUK_EFORM, SOUK_ESIGNATURE, SOUK_ECONFLICT (not in the tree). */
int receipt_check(struct ledger_entry *entry, const struct network *net, const struct identity *issuer,
                  const struct identity *key, const struct ledger_receipt *receipt, struct arena *a,
                  struct report *r);
/* Whether an entry records this transfer: the same kind, notes spent and commitments. */
bool entry_is(const struct ledger_entry *entry, const struct transfer *t);
bool entry_spends(const struct ledger_entry *entry, const struct id *note);
bool entry_makes(const struct ledger_entry *entry, const struct network *net, const struct identity *issuer,
                 const struct id *note);
/* Two heads of one size and different roots, both signed: the body of a fraud record.  False when they do
 * not prove anything (nothing is appended). */
bool fraud_make(struct buf *body, const struct network *net, const struct identity *issuer,
                const struct identity *key, const struct ledger_tree_head *a,
                const struct ledger_tree_head *b);
/* 0 when a fraud record's body proves it; SOUK_EFORM, SOUK_ESIGNATURE, SOUK_EINVALID (they can both be
 * true). */
int fraud_check(const struct network *net, struct span body, const struct identity *key, struct report *r);
/* What a member signs to join. */
void join_hash(struct id *out, const struct network *net, const struct ledger_join *m);
/* The proof that goes into a rating (stub_proof.funding): the issuer, the commitment's salt and the receipt
 * of the leaf that funded; opens the commitment to the stub and nothing else. */
void funding_proof_make(struct buf *out, const struct identity *issuer, const struct salt *stub_salt,
                        const struct ledger_receipt *receipt);
int funding_proof_check(const struct network *net, struct span proof, const struct id *stub,
                        const struct identity *issuer, const struct identity *key, int64_t *funded_at,
                        struct report *r);
#endif
