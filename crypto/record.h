/* record.h: the envelope of a public record (DESIGN 4; spec/crypto.md).
 *
 * A record is one canonical MessagePack array
 *
 *     [version, kind, author(32), topic, created, expires, body, work, sig(64)]
 *
 * id   = hash_souk "souk:record" over the bytes after the array's header through the seventh element
 * (body), exactly as received: a record of somebody else is never encoded again; sig  = the author's
 * Ed25519 signature over id; work = a nonce with which id shows at least work_floor() bits (work.h).
 *
 * What is checked where: record_parse judges form, bounds and work, which every node of the network judges
 * alike; the signature is a job for the workers (record_job); clocks are record_timely's affair, since
 * honest clocks differ; what the body says belongs to the rooms that know its kind (spec/record.schema).
 * Only when the signature has verified may an id be marked as known; a refusal is remembered by
 * record_seen_hash of the whole bytes, so that a spoilt copy poisons nothing.
 *
 * Versions and kinds that this program does not know parse as well: their ids are relayed and not stored.
 */
#ifndef SOUK_RECORD_H
#define SOUK_RECORD_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"
#include "crypto/base/host.h"
#include "crypto/base/span.h"

#define RECORD_LIFE_MOST_MS (INT64_C(400) * 86400000)
#define RECORD_AHEAD_MOST_MS (INT64_C(600000))       /* how far a created may lie ahead of our clock */
#define RECORD_TIME_MOST_MS INT64_C(253402300799999) /* the last ms of the year 9999 */
enum { RECORD_VERSION = 1, RECORD_BYTES_MOST = 16384, RECORD_TOPIC_MOST = 64, RECORD_PEOPLE_BYTES = 10 };

struct record {
    struct id id;
    uint8_t version, kind; /* 1..255; kinds: enum record_message of record.gen.h */
    struct identity author;
    struct span topic;
    int64_t created, expires; /* unix ms */
    struct span body;         /* one canonical map with integer keys */
    uint64_t work;
    struct sig sig;
    struct span bytes, hashed; /* the whole; what id hashes */
};

/* Reads bytes (exactly one record); all spans of out are borrowed from them.  Errors are only those that
 * every node judges alike, so that a peer that sends such bytes has misbehaved: SOUK_EFORM (not canonical,
 * a bound broken, a topic that is none, expires ≤ created or more than 400 days later) and SOUK_EWORK. */
int record_parse(struct record *out, struct span bytes, const struct network *net, struct report *r);
/* Makes a JOB_VERIFY of it (class, key, msg, sig); the caller sets room and cookie. */
void record_job(struct job *job, const struct record *rec);
/* The same on the spot. */
bool record_verify(const struct record *rec);
/* SOUK_EEXPIRED, SOUK_EFUTURE (created more than ten minutes ahead) or 0.  Never misconduct. */
int record_timely(const struct record *rec, int64_t now_ms, struct report *r);

void record_id_of(struct id *out, const struct network *net, struct span hashed);
/* Names the whole bytes, good or spoilt ("souk:seen"): the key of TABLE_REFUSED. */
void record_seen_hash(struct id *out, const struct network *net, struct span bytes);

/* Making one, in three steps, for work and signing may take time or a key that is elsewhere:
 *  1. fill version (0 means RECORD_VERSION), kind, author, topic, created, expires, body; record_prepare
 *     checks them, fills id and tells the bits that the network asks for;
 *  2. find draft.work (JOB_SOLVE over id) and draft.sig (a signature over id);
 *  3. record_write appends the record to out.
 * SOUK_EFORM as in record_parse; SOUK_EWORK; SOUK_ESIGNATURE when sig is not author's.  Nothing is appended
 * on error. */
int record_prepare(struct record *draft, const struct network *net, unsigned *bits, struct report *r);
int record_write(struct buf *out, const struct record *draft, const struct network *net, struct report *r);
/* Steps 1 to 3 at once with the author's secret key: searches work itself from draft.work on, so for low
 * bits only (tests, the demo, tools). */
int record_make(struct buf *out, struct record *draft, const struct network *net,
                const uint8_t sk[static 64], struct report *r);

/* category "/" region: a category is a lower-case letter, then lower-case letters, digits and "-"; a region
 * is two capitals or "*"; in "people" it is two lower-case hex digits.  At most 64 bytes. */
bool record_topic_ok(struct span topic);
/* The topic of records that concern an identity: "people/" and its first byte in hex. */
struct span record_topic_people(char out[static RECORD_PEOPLE_BYTES], const struct identity *who);
#endif
