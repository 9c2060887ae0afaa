/* facts.h: facts as bytes and as views (spec/trade.md, "Facts"; spec/fact.schema).
 *
 * A fact is private and signed: trade, author, the author's own count and previous fact, the newest fact
 * held from each other author, kind, time, body.  What was signed is kept, stored and relayed as the very
 * bytes received; the id is hash_souk("souk:fact") over the envelope's bytes, the signature is the
 * author's identity's over the id.
 *
 * fact_parse judges form only: a signature is a job for the workers (fact_job) or checked on the spot
 * (fact_verify).  Everything else in this room takes facts that verified.  Facts loaded from the store
 * verified when they came in.
 *
 * Views borrow: spans point into the bytes given, arrays into the arena. */
#ifndef SOUK_TRADE_FACTS_H
#define SOUK_TRADE_FACTS_H
#include "crypto/base/arena.h"
#include "crypto/base/err.h"
#include "crypto/base/host.h"
#include "fact.gen.h"

enum { FACT_VERSION = 1, FACT_BYTES_MOST = 15360, FACT_SEEN_MOST = 6 };

/* One fact, read. */
struct fact_view {
    struct id id;
    struct span bytes;        /* the whole, as it travels */
    struct span signed_bytes; /* the envelope: what id hashes */
    struct fact_envelope e;   /* e.body: the body's bytes */
    struct sig sig;           /* by e.author over id */
    struct fact_terms terms;  /* of an offer or a counter */
    struct id terms_hash;     /* of an offer or a counter */
    union {                   /* by e.kind, enum fact_message */
        struct fact_offer offer;
        struct fact_counter counter;
        struct fact_accept accept;
        struct fact_decline decline;
        struct fact_withdraw withdraw;
        struct fact_enrol enrol;
        struct fact_refuse refuse;
        struct fact_ready ready;
        struct fact_funded funded;
        struct fact_opened opened;
        struct fact_paid paid;
        struct fact_received received;
        struct fact_shipped shipped;
        struct fact_request request;
        struct fact_payout payout;
        struct fact_dispute dispute;
        struct fact_case taken; /* `case` is a word of the language */
        struct fact_evidence evidence;
        struct fact_note note;
        struct fact_ruling ruling;
        struct fact_settled settled;
        struct fact_resumed resumed;
    } body;
};

/* Reads bytes (exactly one fact).  SOUK_EFORM, SOUK_ERANGE, SOUK_EMISSING; SOUK_EUNKNOWN_CRITICAL for a
 * field or a kind that this version does not understand: such a fact is neither signed nor accepted. */
int fact_parse(struct fact_view *out, const struct network *net, struct span bytes, struct arena *arena,
               struct report *r);
/* Is the signature the author's? */
bool fact_verify(const struct fact_view *fact);
/* Makes a JOB_VERIFY of it; the caller sets room and cookie. */
void fact_job(struct job *job, const struct fact_view *fact);

/* Making one, in two steps, for the identity's key may be elsewhere (keys_sign):
 *  1. fact_prepare encodes the envelope at the end of `envelope` and names it: sign *id;
 *  2. fact_seal writes envelope and signature as one fact at the end of `out`.
 * e->body holds the encoded body; e->version may be 0 (FACT_VERSION).  SOUK_ERANGE when too large. */
int fact_prepare(struct buf *envelope, struct id *id, const struct network *net,
                 const struct fact_envelope *e, struct report *r);
void fact_seal(struct buf *out, struct span envelope, const struct sig *sig);
/* Both at once with the author's secret key (libsodium layout). */
int fact_make(struct buf *out, struct id *id, const struct network *net, const struct fact_envelope *e,
              const uint8_t sk[static 64], struct report *r);

/* The names of things.  Every one is a hash_souk of the use named here; parts are fixed-size or one
 * canonical value each, so that they cannot run into one another. */
void fact_trade_id(struct id *out, const struct network *net, const struct identity *buyer,
                   const struct identity *seller, const struct salt *nonce);        /* souk:trade */
void fact_terms_hash(struct id *out, const struct network *net, struct span terms); /* souk:terms */
/* souk:contract, over the proposal's and the accept's fact ids: so over all that both signed. */
void fact_contract_hash(struct id *out, const struct network *net, const struct id *proposal,
                        const struct id *accept);
/* The stub that follows from terms: what a stranger may check of a trade (record.schema; its hashes are in
 * node/market/stub.h).  Its date is the day of fund_by. */
void fact_stub(struct record_stub *out, const struct network *net, const struct fact_terms *terms);
/* What a fresh trade key signs to show that its maker holds it: souk:possession over key, trade, owner. */
void fact_possession_hash(struct id *out, const struct network *net, const struct trade_key *key,
                          const struct id *trade, const struct identity *owner);
/* What the order of an author's facts goes by: (epoch, seq), then the lowest id.  < 0: a before b. */
int fact_order(const struct fact_view *a, const struct fact_view *b);
#endif
