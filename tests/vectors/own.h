/* own.h: souk's own vectors, spec/vectors/NAME.json: what makes them and what checks them.
 *
 * A file is {"about", "network": {"name", "work_bits", "puzzle_bits", "id"}, "vectors": [{"what", "shows",
 * "result", …}]}.  `what` names the check; `result` is what a node must find: "good", or why it refuses
 * (own_class).  Bytes are hex.  `vectors make NAME` prints the file, always the same bytes; `vectors NAME
 * FILE` judges one with the node's code, and tests/vectors/other with code that shares nothing with it. */
#ifndef SOUK_VECTORS_OWN_H
#define SOUK_VECTORS_OWN_H
#include "crypto/base/arena.h"
#include "crypto/base/host.h"
#include "crypto/sign.h"
#include "tests/vectors/vectors.h"

/* ---- making ---- */
struct own_file {
    struct buf *out;
    struct network net;
    struct rng rng; /* the same numbers in every run of one file */
    bool open;      /* a vector has been begun */
};
void own_begin(struct own_file *f, struct buf *out, const char *name, const char *about, unsigned work_bits,
               unsigned puzzle_bits);
/* Begins a vector; own_hex and its like add fields to it. */
void own_vector(struct own_file *f, const char *what, const char *result, const char *shows);
void own_hex(struct own_file *f, const char *name, struct span bytes);
void own_number(struct own_file *f, const char *name, int64_t value);
void own_text(struct own_file *f, const char *name, const char *text);
void own_list(struct own_file *f, const char *name, const struct span *bytes, size_t n); /* of hex */
void own_end(struct own_file *f);

/* Persons and nodes of the files: the key whose seed is 32 times this byte. */
void own_key(struct keypair *out, uint8_t seed);
void own_identity(struct identity *out, uint8_t seed);
/* A copy with the byte at `at` (from the end when negative) changed by XOR. */
struct span own_spoilt(struct arena *a, struct span bytes, ptrdiff_t at, uint8_t change);
struct span own_joined(struct arena *a, const struct span *parts, size_t n);

/* ---- checking ---- */
/* Judges one vector: a class, or "other: …" when it found what the vector does not say. */
typedef const char *own_try(const struct network *net, struct span test, struct arena *a);
struct own_what {
    const char *what;
    own_try *run;
};
int own_run(struct span json, struct vec_result *result, const struct own_what *whats, size_t n);
/* "good" for 0; "form" (not canonical, a bound broken, something missing or not understood), "work",
 * "signature", "time", "version", "refused", "rule", "conflict". */
const char *own_class(int err);
/* Is the field (hex) these bytes?  True when the file does not have it. */
bool own_same(struct span test, const char *name, struct span bytes);
bool own_same_number(struct span test, const char *name, int64_t value);
/* The bytes of a hex field, in the arena; empty when it is absent. */
struct span own_field(struct span test, const char *name, struct arena *a);

typedef void own_make(struct buf *out);
own_make make_horizon, make_records, make_letters, make_ledger, make_dht, make_session, make_gossip,
    make_trade;
vec_kind vec_records, vec_letters, vec_ledger, vec_dht, vec_session, vec_gossip, vec_trade;
#endif
