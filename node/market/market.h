/* market.h: what records mean (DESIGN 10): making and publishing one's own, reading others', the text
 * index, import, ratings, and the upkeep of what a node publishes by itself (prekeys). */
#ifndef SOUK_MARKET_H
#define SOUK_MARKET_H
#include "node/core.h"
#include "record.gen.h"

struct market *market_new(const struct network *network, struct rng *rng);
void market_free(struct market *m);
void market_boot(struct market *m, struct core *c);
void market_record_stored(struct market *m, struct core *c, const struct record *rec, uint64_t serial,
                          bool own);
int market_message(struct market *m, struct core *c, const struct node_key *peer, unsigned number,
                   struct span body);
void market_worked(struct market *m, struct core *c, struct job *job);
void market_committed(struct market *m, struct core *c, struct change *change);
void market_wake(struct market *m, struct core *c);
uint64_t market_next_wake(const struct market *m);

/* ---- publishing (publish.c) ---- */
struct market_draft {
    struct identity author; /* one of ours, unlocked */
    uint8_t kind;
    struct span topic, body; /* copied */
    const struct salt *slot; /* whose revision follows: NULL for slot zero */
    int64_t expires;
};
/* Makes the record (revision = max(last + 1, now)), finds its work (a worker does, when it takes long),
 * signs it, adds it to `change` and commits that.  Takes the change over on success; *id is not known
 * before the commit: market_published finds it.  SOUK_ELOCKED, SOUK_EINVALID, SOUK_EBUSY with words. */
int market_publish(struct market *m, struct core *c, const struct market_draft *draft,
                   struct change *change, struct report *r);
/* A record that the node publishes by itself (prekeys, ledger heads, proofs of fraud), under slot zero in
 * the author's people topic.  `with` (or NULL) is a change of ROOM_MARKET to go along; it is taken over. */
void market_say(struct market *m, struct core *c, const struct identity *who, uint8_t kind,
                struct span body, int64_t life_ms, struct change *with);
/* To be called by whoever gets a change with records back, committed: tells them to the world.  Returns the
 * id of the last one that was stored, or false when none was (a newer revision stands). */
bool market_published(struct core *c, const struct change *change, struct id *id);
/* "bikes/FR" from a category path and a region; "people/3f" for what concerns an identity. */
size_t market_topic(char out[static 72], struct span category, struct span region);
/* Is its category one of the tree, and its region a country's?  Others are carried too, but have few places
 * (gossip_topics_judged_by). */
bool market_topic_means(struct span topic);
size_t market_topic_people(char out[static 72], const struct identity *who);

/* ---- reading (listing.c) ---- */
struct market_listing {
    struct id id;
    struct identity seller;
    int64_t created, expires;
    struct record_listing body; /* spans borrowed from the store's view and the arena */
    bool newest;                /* no newer revision, no withdrawal */
    uint32_t taken;             /* of the quantity, as far as this node knows */
};
int market_listing(struct core *c, const struct id *id, struct arena *a, struct market_listing *out,
                   struct report *r);
/* The id of the newest revision of what this id is a revision of. */
bool market_newest(struct core *c, const struct identity *author, uint8_t kind, const struct salt *slot,
                   struct id *out);
/* The body of a person's record of a slot-zero kind (profile, arbiter, issuer, prekey), newest. */
bool market_of(struct core *c, const struct identity *who, uint8_t kind, struct record_row *row,
               struct record *rec);
/* An issuer's name and decimals; "EUR" and 2 for ISO.  "12.50 EUR". */
char *market_money(struct core *c, const struct amount *a, char *out, size_t cap);
/* Every rule of a listing that needs no other record; all mistakes at once in the report. */
int market_listing_check(const struct record_listing *m, struct report *r);

/* ---- a file's listings, in batches (batch.c) ---- */
/* A number for one file; 0 with words when too many are under way. */
uint64_t market_batch_begin(struct market *m, struct report *r);
/* Takes one listing in, to be published soon: body and topic copied; its slot is made here, from its words,
 * so that the same listing of a file imported again is a new revision and not a second one.  SOUK_EBUSY
 * when MARKET_BATCH_MOST wait. */
enum { MARKET_BATCH_MOST = 20000 };
int market_batch_add(struct market *m, uint64_t number, const struct identity *author,
                     struct record_listing *listing, int64_t expires, struct report *r);
/* Is nothing of that file under way any more?  Then *published are on disk, and r tells why others are not
 * (err 0: all are). */
bool market_batch_done(struct market *m, uint64_t number, size_t *published, struct report *r);
/* Listings not yet on disk, and those that are since the node started. */
void market_batch_state(const struct market *m, uint64_t *waiting, uint64_t *done);

/* ---- ratings (rating.c) ---- */
/* Does `funding` show that a lock committing to the stub's hash was funded on the stub's rail?  0, or an
 * error with words; SOUK_EMISSING and SOUK_ENOT_FOUND when that may change (a head not seen yet).  The
 * rails set it; without it no rating counts but those of the direct rail. */
typedef int market_funding_check(void *arg, struct core *c, const struct record_stub *stub,
                                 const struct id *stub_hash, struct span funding, struct report *r);
void market_set_funding_check(struct market *m, market_funding_check *fn, void *arg);

struct market_rating {
    struct id id;
    struct identity author;
    int64_t created;
    struct record_rating body; /* borrowed from the view and the arena */
    bool funded;               /* a rail showed it; on the direct rail both said so */
};
/* Does it count?  Otherwise why not (SOUK_EINVALID, SOUK_EMISSING, SOUK_ESIGNATURE, what the rail said). */
int market_rating_check(struct market *m, struct core *c, const struct record *rec, struct arena *a,
                        struct market_rating *out, struct report *r);
/* Ratings of somebody that count, newest first, while fn says true.  Returns how many do not count. */
typedef bool market_rating_fn(void *arg, const struct market_rating *rating);
size_t market_ratings(struct market *m, struct core *c, const struct identity *subject,
                      market_rating_fn *fn, void *arg);
/* Rates: proof is the trade's.  Takes the change over on success, like market_publish.  SOUK_ENOT_ALLOWED:
 * author or subject have no such part in the trade, or the last rating of it is older than 30 days. */
struct market_rate {
    struct identity author, subject;
    uint64_t stars;
    struct span words;
    const struct record_stub_proof *proof;
};
int market_rate(struct market *m, struct core *c, const struct market_rate *rate, struct change *change,
                struct report *r);

/* ---- people (people.c) ---- */
/* Plain facts, from what is known here. */
struct market_person {
    uint64_t listings, ratings, stars_sum, counterparts;
};
void market_person(struct market *m, struct core *c, const struct identity *who, struct market_person *out);
/* Those whose name begins so (case and accents do not matter), and all arbiters, while fn says true. */
typedef bool market_person_fn(void *arg, const struct identity *who);
void market_people_named(struct core *c, struct span begin, market_person_fn *fn, void *arg);
void market_arbiters(struct core *c, market_person_fn *fn, void *arg);
void market_issuers(struct core *c, market_person_fn *fn, void *arg);
/* Follows and blocks, in TABLE_DRAFT. */
enum market_mark { MARK_FOLLOW, MARK_BLOCK };
void market_mark(struct change *change, const struct identity *who, enum market_mark mark, bool on);
bool market_marked(struct core *c, const struct identity *who, enum market_mark mark);
void market_marks(struct core *c, enum market_mark mark, market_person_fn *fn, void *arg);

/* ---- search (search.c) ---- */
/* As query_run (store/query.h), whose types these are. */
struct query;
struct hit;
struct query_cursor;
int market_search(struct market *m, struct core *c, const struct query *q, struct hit *hits, size_t *n,
                  struct query_cursor *next);
/* Listings that were committed and cannot be found yet. */
bool market_search_behind(const struct market *m);
#endif
