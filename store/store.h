/* store.h: what a node keeps, and the only way to change it.
 *
 * One LMDB environment (0.9.24), opened with MDB_NOTLS and one map of fixed size.  Readers take a view: a
 * snapshot, renewed by the loop at every iteration and never held across it.  Writers hand over changes: a
 * change is a short list of operations applied together inside the writer's one write transaction, so that
 * no check ever races a batch in flight.  store_apply applies many changes in one transaction and syncs
 * once; only then may anything that they promise be told to anyone (host.h).
 *
 * Within a change operations are applied in order.  The first that answers anything but OP_STORED ends the
 * change, unless it is marked `lone`: operations after it answer OP_SKIPPED, those before it stand.  So a
 * change begins with what guards it (the fact, the spend, the record) and goes on with what follows from it
 * (outbox, events).
 *
 * Times are unix milliseconds, sizes are bytes.  Nothing here trusts a peer's bytes: callers hand over what
 * they have verified.  LMDB's values are 2-byte aligned: everything is read by memcpy. */
#ifndef SOUK_STORE_H
#define SOUK_STORE_H
#include "crypto/base/arena.h"
#include "crypto/base/err.h"
#include "crypto/base/host.h"
#include "crypto/base/span.h"

/* ---- changes ---- */
enum op_result {
    OP_STORED,
    OP_DUPLICATE, /* the very same is there already: nothing was changed */
    OP_STALE,     /* a newer revision, or a withdrawal, stands: its id is known, its bytes can be served */
    OP_QUOTA,     /* no room: of the store, of the mailbox, of the listing's stock */
    OP_CONFLICT,  /* it contradicts what is there (a note spent, a key with another value) */
    OP_DECLINED,  /* an id that there is no room to know: nothing was noted, nor will it be asked for */
    OP_SKIPPED,   /* an operation before it in the change ended the change */
};
const char *op_result_name(enum op_result r);

enum op_kind {
    OP_RECORD,
    OP_KNOWN,
    OP_EXPIRE,
    OP_FACT,
    OP_STOCK,
    OP_PUT,
    OP_DELETE,
    OP_OUT,
    OP_OUT_DUE,
    OP_OUT_DONE,
    OP_EVENT,
    OP_LEDGER,
    OP_CHUNK,
    OP_BLOB_DROP,
    OP_MAIL,
    OP_MAIL_DROP,
    OP_INDEX,
};

/* Rooms' own small tables: key ≤ 200 bytes.  What each holds is said by the room that owns it. */
enum table {
    TABLE_META,    /* settings and engine state: DHT contacts, clock, cursors */
    TABLE_KEY,     /* identities: identity32 → key file bytes; prekeys */
    TABLE_TRADE,   /* trade32 → what a party needs beside the facts (own secrets sealed, options) */
    TABLE_NOTE,    /* own notes: openings of credit notes, receipts */
    TABLE_MEMBER,  /* an issuer's members, limits and pending requests */
    TABLE_THREAD,  /* thread32 time8 id32 → message */
    TABLE_DRAFT,   /* what the owner keeps: drafts, saved searches, follows, blocks, watches */
    TABLE_REFUSED, /* hash32 of whole bytes → expires8: spoilt copies not worth another look */
    TABLE_MAX
};

struct op {
    enum op_kind kind;
    enum op_result result; /* set by store_apply */
    bool lone;             /* go on with the change whatever this one answers */
    uint64_t number;   /* result: serial of a record, seq of an event or outbox entry, index of a leaf */
    struct span found; /* result, in the change's arena: what stood in the way (CONFLICT) */
    union {
        struct { /* put a verified record if it is newer than what its slot holds */
            struct id id;
            struct identity author;
            uint8_t kind;
            bool has_slot;
            struct salt slot;
            uint64_t revision;
            int64_t created, expires, received;
            struct span topic, bytes;
            struct id subjects[4]; /* whom or what it concerns: found again by view_subject */
            uint8_t subjects_n;
            bool own, followed; /* never evicted; evicted last */
            bool withdraws;     /* takes the place of its slot and can be followed by nothing older */
        } record;
        struct { /* an id that verified but is not kept (declined, superseded elsewhere, unknown kind) */
            struct id id;
            int64_t created, expires;
            struct span topic;
            uint8_t why; /* enum known_state */
        } known;
        struct { /* drops what expired by `now`, and beyond quota and known_most; at most `limit` things.
                  * number = how many: as many as limit means that more may be due.  One's own records stay,
                  * unlisted.  found: which ids are known no more, for store_left_next */
            int64_t now;
            uint32_t limit;
        } expire;
        struct { /* append a trade's fact; two facts at one (author, epoch, seq) both stay: number = how
                  * many others stand at this one's place */
            struct id trade, id;
            struct identity author;
            uint32_t epoch, seq;
            struct span bytes;
        } fact;
        struct { /* take `take` of a listing's stock for a holder until a time; take = 0 gives back.
                  * Asking again for the same holder replaces.  QUOTA when fewer than take are left. */
            struct id listing, holder;
            uint32_t take, of;
            int64_t until, now;
        } stock;
        struct { /* compare-and-set on a small table.  guard: 0 none, 1 must be absent, 2 must equal */
            enum table table;
            struct span key, value, expect;
            uint8_t guard;
        } put;   /* also OP_DELETE (value unused) */
        struct { /* an outbox entry: number = its seq */
            struct span bytes;
            struct id tag; /* one entry a tag: a second answers DUPLICATE */
            int64_t due;
        } out;
        struct { /* OP_OUT_DUE moves it and replaces its bytes (if any); OP_OUT_DONE deletes it */
            uint64_t seq;
            int64_t due;
            struct span bytes;
        } out_at;
        struct { /* the one event log, for subscriptions and watches; number = its seq */
            struct span bytes;
        } event;
        struct { /* an issuer's transfer: spends notes, makes notes, appends leaf hash to the Merkle log.
                  * DUPLICATE when transfer is already in (number = its leaf); CONFLICT when a note is
                  * unknown or spent (found = id32 of the transfer that spent it; empty when unknown). */
            struct id transfer, leaf;
            const struct id *spends, *makes;
            size_t spends_n, makes_n;
            struct span bytes;             /* the whole transfer, kept for the issuer's eyes */
            const struct span *makes_data; /* opening kept beside each note made */
        } ledger;
        struct { /* one verified chunk of a blob; `info` is kept once a root (size, type, …) */
            struct id root;
            uint32_t index;
            struct span bytes, proof, info;
            bool own;
            int64_t now;
        } chunk;
        struct {
            struct id root;
        } blob_drop;
        struct { /* an envelope left in a mailbox we serve */
            struct id mailbox, id;
            int64_t expires;
            struct span bytes;
            bool ticket;          /* counts on the half kept for those with tickets */
            uint64_t quota_bytes; /* of the whole mailbox */
            bool own; /* for an identity of this node: kept also when the store is over its quota */
        } mail;
        struct {
            struct id mailbox, id;
        } mail_drop;
        struct { /* a slice of the text index: store/query.h prepares it */
            struct span slice;
        } index;
    };
};
enum known_state { KNOWN_STORED = 1, KNOWN_SUPERSEDED, KNOWN_DECLINED, KNOWN_EVICTED, KNOWN_UNKNOWN_KIND };

/* A change owns copies of all its bytes.  room, what and cookie come back untouched in EV_COMMITTED, so
 * that whoever asked knows what was asked. */
struct change {
    uint8_t room;    /* enum room, node/core.h */
    bool bulk;       /* intake from peers: yields to interactive changes */
    uint32_t what;   /* the room's own */
    uint64_t cookie; /* the room's own */
    int err;         /* the whole transaction failed: SOUK_EDISK_FULL, SOUK_EIO; results are then void */
    size_t ops_n, ops_cap;
    struct op *ops;
    struct arena arena; /* copies live here; the room may keep what it needs for its continuation here */
    void *carry;        /* the room's own, for the continuation; in the arena or NULL */
};
struct change *change_new(uint8_t room, uint32_t what, uint64_t cookie);
void change_free(struct change *c); /* NULL is fine */
/* Each adds an operation and returns it (valid until the next is added), copying all bytes into the
 * change. */
struct op *change_record(struct change *c, const struct op *record_op); /* op.record filled by the caller */
struct op *change_known(struct change *c, const struct id *id, struct span topic, int64_t created,
                        int64_t expires, enum known_state why);
struct op *change_expire(struct change *c, int64_t now, uint32_t limit);
struct op *change_fact(struct change *c, const struct id *trade, const struct id *fact,
                       const struct identity *author, uint32_t epoch, uint32_t seq, struct span bytes);
struct op *change_stock(struct change *c, const struct id *listing, const struct id *holder, uint32_t take,
                        uint32_t of, int64_t until, int64_t now);
struct op *change_put(struct change *c, enum table table, struct span key, struct span value);
struct op *change_put_if(struct change *c, enum table table, struct span key, struct span value,
                         const struct span *expect /* NULL: must be absent */);
struct op *change_delete(struct change *c, enum table table, struct span key);
struct op *change_out(struct change *c, const struct id *tag, struct span bytes, int64_t due);
struct op *change_out_due(struct change *c, uint64_t seq, int64_t due, struct span bytes);
struct op *change_out_done(struct change *c, uint64_t seq);
struct op *change_event(struct change *c, struct span bytes);
struct op *change_ledger(struct change *c, const struct op *ledger_op); /* op.ledger filled by the caller */
struct op *change_chunk(struct change *c, const struct op *chunk_op);
struct op *change_blob_drop(struct change *c, const struct id *root);
struct op *change_mail(struct change *c, const struct op *mail_op);
struct op *change_mail_drop(struct change *c, const struct id *mailbox, const struct id *id);
struct op *change_index(struct change *c, struct span slice); /* for store/query.h, which makes slices */

/* ---- the environment ---- */
struct store;
struct store_config {
    uint64_t map_bytes;   /* 64 GiB in the daemon, 1 GiB in the simulator and under TSan */
    uint64_t quota_bytes; /* pages in use above which things are evicted; 0: none */
    uint64_t author_most; /* bytes of records of one author that is not followed; 0: no bound */
    uint64_t known_most;  /* ids known above which the largest topic forgets its oldest; 0: none */
    bool sync;            /* false only in the simulator, where a crash is simulated above this layer */
    struct salt network;  /* a store belongs to one network */
    struct rng *rng;
};
/* Opens or creates dir (0700).  SOUK_EIN_USE when another process has it, SOUK_EVERSION when written by a
 * newer souk, SOUK_EINVALID when of another network, SOUK_EIO / SOUK_EDISK_FULL; older schemas are migrated
 * forward after a backup beside the file. */
int store_open(struct store **out, const char *dir, const struct store_config *config, struct report *r);
void store_close(struct store *s);
/* Applies the changes in order in one transaction and syncs.  On failure every change gets err and nothing
 * is applied.  Near the end of the map (1/16 is kept for it) changes that only make room are applied, and
 * the others get SOUK_EDISK_FULL.  Returns the worst of the errors.  Called by one thread at a time (the
 * writer). */
int store_apply(struct store *s, struct change **changes, size_t n);

struct store_stats {
    uint64_t used_bytes, map_bytes, quota_bytes, records, known, known_most, author_most, horizons, facts,
        events, outbox, mails, chunks, commits, last_serial;
};
/* ---- views ---- */
struct view;
struct view *view_open(struct store *s);
void view_renew(struct view *v); /* sees the newest commit */
void view_close(struct view *v);
void view_stats(struct view *v, struct store_stats *out);
uint64_t view_commit(struct view *v); /* the last commit that it shows: never falls, nor is given twice */

/* All spans returned point into the map and live until the view is renewed. */
struct record_row {
    uint64_t serial;
    int64_t received, expires;
    uint8_t kind; /* as put: a withdrawal stands under the kind of what it withdraws */
    bool own, withdraws;
    struct span bytes;
};
bool view_record(struct view *v, const struct id *id, struct record_row *out); /* false unless stored */
/* Also what was superseded and has not expired, as long as there is room for it: only for handing it on to
 * a node that asks for this id, which could not settle without (spec/reconcile.md 1). */
bool view_record_any(struct view *v, const struct id *id, struct record_row *out);
bool view_record_at(struct view *v, uint64_t serial, struct id *id, struct record_row *out);
enum known_state view_known(struct view *v, const struct id *id); /* 0 when the id is not known */
bool view_slot(struct view *v, const struct identity *author, uint8_t kind, const struct salt *slot,
               struct id *id, uint64_t *revision);
/* Walks: each returns when the callback returns false or at the end. */
typedef bool view_record_fn(void *arg, const struct id *id, const struct record_row *row);
/* Records that concern a subject (a person, a listing), newest first; kind 0: any. */
void view_subject(struct view *v, const struct id *subject, uint8_t kind, view_record_fn *fn, void *arg);
/* Records of a kind by an author (its slots), in slot order. */
void view_author(struct view *v, const struct identity *author, uint8_t kind, view_record_fn *fn,
                 void *arg);
/* All records from a serial on, in order of arrival. */
void view_records_from(struct view *v, uint64_t serial, view_record_fn *fn, void *arg);

/* The time index of a topic: every id known, in chunks of up to 100 by (created, id) with the sum of their
 * ids (little-endian, mod 2^256, as Negentropy has it). */
struct time_chunk {
    int64_t first_created;
    struct id first_id, sum;
    uint16_t n;
    struct span items; /* n × (created 8, big-endian; id 32) */
};
typedef bool view_chunk_fn(void *arg, const struct time_chunk *chunk);
void view_topic(struct view *v, struct span topic, view_chunk_fn *fn, void *arg);
/* A place in that order: ids before a topic's horizon were forgotten, but for one's own and those of the
 * followed (store/room.c).  All zeros: nothing was. */
struct known_at {
    int64_t created;
    struct id id;
};
bool known_before(int64_t created, const struct id *id, const struct known_at *at);
typedef bool view_topic_fn(void *arg, struct span topic, uint64_t ids, const struct known_at *horizon);
void view_topics(struct view *v, view_topic_fn *fn, void *arg); /* with ids, or a horizon */

/* What an OP_EXPIRE found, topic by topic: the ids that are known no more, and the horizon as it is now. */
struct store_left {
    struct span topic;
    struct known_at horizon;
    size_t n;
    struct span items; /* n × (created 8, big-endian; id 32) */
};
bool store_left_next(struct span *found, struct store_left *out); /* false at the end */

typedef bool view_fact_fn(void *arg, const struct id *fact, const struct identity *author, uint32_t epoch,
                          uint32_t seq, struct span bytes);
void view_facts(struct view *v, const struct id *trade, view_fact_fn *fn, void *arg);
bool view_fact(struct view *v, const struct id *fact, struct id *trade, struct span *bytes);
typedef bool view_trade_fn(void *arg, const struct id *trade);
void view_trades(struct view *v, view_trade_fn *fn, void *arg);
uint32_t view_stock_taken(struct view *v, const struct id *listing, int64_t now);

bool view_get(struct view *v, enum table table, struct span key, struct span *value);
typedef bool view_pair_fn(void *arg, struct span key, struct span value);
/* Pairs whose key begins with prefix, from the key `from` (may be empty) on, in key order. */
void view_scan(struct view *v, enum table table, struct span prefix, struct span from, view_pair_fn *fn,
               void *arg);
void view_scan_back(struct view *v, enum table table, struct span prefix, view_pair_fn *fn, void *arg);

typedef bool view_out_fn(void *arg, uint64_t seq, int64_t due, struct span bytes);
void view_out_due(struct view *v, int64_t now, view_out_fn *fn, void *arg); /* due first */
bool view_out(struct view *v, uint64_t seq, struct span *bytes);
bool view_out_tag(struct view *v, const struct id *tag, uint64_t *seq);
void view_out_all(struct view *v, view_out_fn *fn, void *arg);
int64_t view_out_next(struct view *v); /* when the earliest is due; INT64_MAX when none */

typedef bool view_event_fn(void *arg, uint64_t seq, struct span bytes);
void view_events(struct view *v, uint64_t after_seq, view_event_fn *fn, void *arg);
uint64_t view_event_last(struct view *v);

/* The issuer's ledger: leaves 0..n-1; nodes of the Merkle tree as in RFC 6962. */
uint64_t view_ledger_size(struct view *v);
bool view_ledger_node(struct view *v, unsigned level, uint64_t index, struct id *hash);
bool view_ledger_leaf(struct view *v, uint64_t index, struct id *transfer, struct span *bytes);
bool view_ledger_transfer(struct view *v, const struct id *transfer, uint64_t *index);
/* State of a note: false when unknown; spent_by is zero while unspent. */
bool view_ledger_note(struct view *v, const struct id *note, struct id *spent_by, struct span *data);

bool view_chunk(struct view *v, const struct id *root, uint32_t index, struct span *bytes,
                struct span *proof);
bool view_blob(struct view *v, const struct id *root, struct span *info, uint32_t *chunks_held);

typedef bool view_mail_fn(void *arg, const struct id *id, int64_t expires, struct span bytes);
void view_mail(struct view *v, const struct id *mailbox, view_mail_fn *fn, void *arg);

/* ---- keeping it sound (store/check.c) ---- */
/* Verifies every table against the others; progress may be NULL.  0, or SOUK_EDAMAGED with the first fault.
 */
typedef void store_progress_fn(void *arg, const char *what, uint64_t done, uint64_t all);
int store_check(struct store *s, store_progress_fn *progress, void *arg, struct report *r);
/* Rebuilds everything derived (slots, expiry, time index, subjects, text index) from the records. */
int store_reindex(struct store *s, store_progress_fn *progress, void *arg, struct report *r);
/* A consistent copy while running.  dir must not exist. */
int store_backup(struct store *s, const char *dir, struct report *r);
#endif
