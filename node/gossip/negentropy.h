/* negentropy.h: Negentropy V1 range-based set reconciliation, as a state machine over an abstract set.
 *
 * After Aljoscha Meyer, "Range-Based Set Reconciliation" (2023), and the protocol description of Negentropy
 * V1 by Doug Hoyte.  Byte-exact: tests/vectors/negentropy-v1.json.  souk's timestamps are `created` in unix
 * ms.
 *
 * A message is the version byte 0x61 and ranges: an upper bound (a timestamp, as the difference to the
 * bound before it, and a prefix of an id), a mode, and what the mode says: skip; the fingerprint of the ids
 * in the range; or all ids in it.  Equal fingerprints are an optimisation, never a proof: see
 * neg_initiate_random. */
#ifndef SOUK_NEGENTROPY_H
#define SOUK_NEGENTROPY_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"
#include "crypto/base/rng.h"
#include "crypto/base/span.h"

#define NEG_FOREVER UINT64_MAX
enum {
    NEG_FRAME_LEAST = 4096, /* bytes; a smaller frame may make no headway */
    NEG_IDS_MOST = 100000,  /* learnt by one message */
    NEG_LISTED_MOST = 1000, /* ids in the range that a random start lists in full: 32 KB */
    NEG_BARREN_MOST = 32,   /* answers in a row that taught nothing: the other side is playing */
};

struct neg_item {
    uint64_t created;
    struct id id;
};
struct neg_bound { /* the first `n` bytes of id count; the others are zero */
    uint64_t created;
    struct id id;
    size_t n;
};
/* Items in order of (created, id).  Indices are stable during one call of neg_*. */
struct neg_set {
    const void *arg;
    size_t (*count)(const void *arg);
    size_t (*lower_bound)(const void *arg, const struct neg_bound *b); /* first item ≥ b */
    void (*item)(const void *arg, size_t index, struct neg_item *out);
    void (*sum)(const void *arg, size_t from, size_t to, uint8_t sum[static 32]); /* of ids, LE mod 2^256 */
};

struct neg {
    struct neg_set set;
    size_t frame_most; /* bytes of one message; 0: no limit (tests) */
    bool initiator;
    unsigned barren; /* answers since the last one that taught an id */
    /* The horizon: what lies before it is neither told nor asked for, as if all that the other has there
     * were here too (spec/reconcile.md 5).  All zeros: none.  May be set anew between two calls. */
    struct neg_bound since;
    /* What the initiator learnt by the last call, at most NEG_IDS_MOST each; owned, reused. */
    struct id *have, *need; /* have: here and not there.  need: there and not here. */
    size_t have_n, need_n, have_cap, need_cap;
};
void neg_init(struct neg *n, const struct neg_set *set, size_t frame_most);
void neg_free(struct neg *n);
/* Appends the first message. */
void neg_initiate(struct neg *n, struct buf *out);
/* The same with bounds drawn at random, one of them listing its ids in full: so that two sets which agree
 * in fingerprints by somebody's design do not agree for ever. */
void neg_initiate_random(struct neg *n, struct buf *out, struct rng *rng);
/* Handles a message; appends the answer.  For an initiator an answer of one byte means: done.
 * SOUK_EFORM: not Negentropy (the peer's fault); SOUK_EVERSION: to an initiator, another version. */
int neg_reconcile(struct neg *n, struct span message, struct buf *out);
#endif
