/* db.h: the tables, for the files of this room only.
 *
 * Key and value layouts (numbers after a name are its bytes; integers are big-endian, so that keys sort):
 *
 *   meta    name → number8 (serial, event, out, topic, …) or bytes (network, schema)
 *   rec     serial8 → the row below, a checksum, the bytes; appended.  A stub (evicted) has none
 *   share   'a' author32 → bytes8;   't' topic4 → bytes8, cursor (created8 id32): strangers' records
 *   rid     id32 → state1 serial8 and, where no row is held, expires8 created8 topic4
 *   old     serial8 of its rid → a row like rec's: superseded, kept to be served until it expires
 *   slot    author32 kind1 slot16 → revision8 id32 serial8 floor8 (nothing older before then)
 *   exp     bucket5 what1 key → at8 …, for everything that ends by itself (enum ending)
 *           bucket = at / 2^26 ms (19 hours): what comes together mostly lands on few pages
 *   topic   name → topic4;   topicn topic4 → ids8 name;   horizon topic4 → created8 id32
 *   tix     topic4 created8 id32 → sum32 n2, n × (created8 id32), n ≤ 100
 *   subj    subject32 kind1 serial8 → -
 *   fact    trade32 author32 epoch4 seq4 factid8 → factid32 checksum8 bytes
 *   factid  id32 → that key
 *   stock   listing32 holder32 → take4 until8
 *   small   table1 key → value
 *   out     seq8 → due8 tag32 bytes;   due due8 seq8 → -;   outtag tag32 → seq8
 *   event   seq8 → bytes, the last EVENTS_KEPT of them
 *   led     n8 → transfer32 bytes;   ltx transfer32 → n8;   lnode level1 n8 → hash32
 *   note    id32 → spent_by32 (zero while unspent) data
 *   chunk   root32 index4 → proof_n4 proof bytes
 *   blob    root32 → own1 touched8 held4 bytes8 info
 *   bage    touched8 root32 → -, blobs that are not one's own, oldest first
 *   mail    mailbox32 id32 → expires8 ticket1 bytes
 *   mbox    mailbox32 → bytes8, of these without ticket 8
 *   term, post, doc, sdoc: the text index, store/postings.h
 *
 * Blob bytes lie here and not in files beside: one sync, one quota, and a crash cannot part the two. */
#ifndef SOUK_STORE_DB_H
#define SOUK_STORE_DB_H
#include "store/store.h"
#include <lmdb.h>

#define STORE_TABLES(X) \
    X(META, meta)       \
    X(REC, rec)         \
    X(RID, rid)         \
    X(OLD, old)         \
    X(SHARE, share)     \
    X(SLOT, slot)       \
    X(EXP, exp)         \
    X(TOPIC, topic)     \
    X(TOPICN, topicn)   \
    X(HORIZON, horizon) \
    X(TIX, tix)         \
    X(SUBJ, subj)       \
    X(FACT, fact)       \
    X(FACTID, factid)   \
    X(STOCK, stock)     \
    X(SMALL, small)     \
    X(OUT, out)         \
    X(DUE, due)         \
    X(OUTTAG, outtag)   \
    X(EVENT, event)     \
    X(LED, led)         \
    X(LTX, ltx)         \
    X(LNODE, lnode)     \
    X(NOTE, note)       \
    X(CHUNK, chunk)     \
    X(BLOB, blob)       \
    X(BAGE, bage)       \
    X(MAIL, mail)       \
    X(MBOX, mbox)       \
    X(TERM, term)       \
    X(POST, post)       \
    X(DOC, doc)         \
    X(SDOC, sdoc)
enum db {
#define X(NAME, name) DB_##NAME,
    STORE_TABLES(X)
#undef X
        DB_MAX
};
enum { STORE_SCHEMA = 2, EVENTS_KEPT = 100000, TOPIC_MAX_BYTES = 200, KEY_MAX_BYTES = 200 };

struct store {
    MDB_env *env;
    MDB_dbi dbi[DB_MAX];
    struct store_config config;
    char *dir;
    int lock_fd;
    uint64_t page_bytes, map_bytes;
};

/* Numbers that every transaction may move; read at its start, written at its end when changed. */
enum counter {
    COUNT_SERIAL,
    COUNT_EVENT,
    COUNT_OUT,
    COUNT_TOPIC,
    COUNT_EVICT,
    COUNT_EVICT_FOLLOWED,
    COUNT_MAX
};

struct topic_cache {
    uint8_t name[TOPIC_MAX_BYTES];
    size_t name_n;
    uint32_t number;
    int64_t delta;     /* ids that came or went, not yet written */
    bool used, unused; /* unused: its row goes at the end if it then has no ids */
};
/* A change of the time index, kept back until the end of the transaction: sorted, each chunk is then
 * written once however many ids fall into it. */
struct tix_item {
    uint8_t key[44]; /* topic4 created8 id32 */
    uint32_t order;
    bool add;
};
enum { TOPIC_CACHE = 64 };
/* A transaction.  Errors stick: after the first, every call does nothing and `err` stays, so that the
 * operations read straight on and are judged once.  Spans got from it live until its next write. */
struct tx {
    struct store *s;
    MDB_txn *txn;
    int err;
    bool over_quota, flushing; /* flushing: in tix_flush */
    uint64_t count[COUNT_MAX], count_was[COUNT_MAX];
    struct topic_cache topics[TOPIC_CACHE];
    struct tix_item *tix;
    size_t tix_n, tix_cap;
    struct buf left; /* tix keys of ids that are known no more: see left_note */
};
int lmdb_err(int rc); /* an LMDB or errno code as SOUK_E… */
int tx_begin(struct tx *t, struct store *s);
int tx_commit(struct tx *t); /* ends it either way; 0 or why nothing was applied */
void tx_abort(struct tx *t);
bool tx_get(struct tx *t, enum db db, struct span key, struct span *value);
void tx_put(struct tx *t, enum db db, struct span key, struct span value);
void tx_append(struct tx *t, enum db db, struct span key, struct span value); /* key above all others */
bool tx_del(struct tx *t, enum db db, struct span key);                       /* was it there? */
uint64_t tx_used_pages(struct tx *t);

/* Walking a table in key order; also for views.  Ends silently (valid = false) at the end or on error. */
struct walk {
    MDB_cursor *cursor;
    struct span key, value;
    bool valid;
};
void walk_open(struct walk *w, MDB_txn *txn, MDB_dbi dbi);
void walk_seek(struct walk *w, struct span key);        /* first key ≥ */
void walk_seek_before(struct walk *w, struct span key); /* last key < */
void walk_next(struct walk *w);
void walk_prev(struct walk *w);
void walk_close(struct walk *w);
bool walk_in(const struct walk *w, struct span prefix); /* valid, and the key begins so */
bool db_get(MDB_txn *txn, MDB_dbi dbi, struct span key, struct span *value);

/* ---- rows ---- */
enum { REC_OWN = 1, REC_FOLLOWED = 2, REC_WITHDRAWS = 4, REC_STUB = 8, REC_SLOT = 16 };
enum { REC_HEAD_BYTES = 128, SUBJECTS_MAX = 4, REC_HEAD_MAX = REC_HEAD_BYTES + SUBJECTS_MAX * 32 };
struct rec {
    uint8_t flags, kind, subjects_n;
    uint32_t topic;
    uint64_t revision, serial; /* serial is the key */
    int64_t created, expires, received;
    struct id id;
    struct identity author;
    struct salt slot;
    struct id subjects[SUBJECTS_MAX];
    struct span bytes;
};
/* Writes the whole row (head, checksum, bytes) and returns its length. */
enum { REC_BYTES_MAX = 65536, REC_ROW_MAX = REC_HEAD_MAX + REC_BYTES_MAX };
size_t rec_write(uint8_t out[static REC_ROW_MAX], const struct rec *r);
bool rec_sound(struct span value); /* does the checksum fit? */
/* SipHash under a zero key: tells damage, not malice. */
void checksum(uint8_t out[static 8], struct span s);
bool rec_read(struct rec *out, struct span key, struct span value);

enum { RID_ROW = 0x80, RID_UNLISTED = 0x40, RID_STATE = 0x0f };
struct rid {
    uint8_t state;    /* enum known_state */
    bool row, listed; /* has a rec row; is in the time index */
    uint64_t serial;
    int64_t expires, created; /* without a row */
    uint32_t topic;           /* without a row */
};
bool rid_read(struct rid *out, struct span value);
void rid_put(struct tx *t, const struct id *id, const struct rid *r);

struct slot_row {
    uint64_t revision, serial;
    struct id id;
    int64_t floor;
};
enum { SLOT_KEY_BYTES = 49, SLOT_BYTES = 56 };
void slot_key(uint8_t out[static SLOT_KEY_BYTES], const struct identity *author, uint8_t kind,
              const struct salt *slot);
bool slot_read(struct slot_row *out, struct span value);
void slot_put(struct tx *t, const uint8_t key[static SLOT_KEY_BYTES], const struct slot_row *row);

/* What ends: an id known (key: its serial, and the id in the value), stock taken, mail, a refusal. */
enum ending { END_ID, END_STOCK, END_MAIL, END_REFUSED };
enum { ENDING_KEY_MAX = 6 + 64 };
size_t ending_key(uint8_t out[static ENDING_KEY_MAX], int64_t at, enum ending what, struct span key);
void ending_put(struct tx *t, int64_t at, enum ending what, struct span key);
void ending_del(struct tx *t, int64_t at, enum ending what, struct span key);
void ending_id_put(struct tx *t, int64_t at, uint64_t serial, const struct id *id);
void ending_id_del(struct tx *t, int64_t at, uint64_t serial);

/* ---- the operations, a file each ---- */
void record_apply(struct tx *t, struct change *c, struct op *op);
void known_apply(struct tx *t, struct op *op);
bool rid_get(struct tx *t, const struct id *id, struct rid *out);
bool rec_get(struct tx *t, uint64_t serial, struct rec *out);
/* The body goes, and all that leads to it; the id's own row and the slot are the caller's. */
void row_drop(struct tx *t, const struct rec *r);
void old_drop(struct tx *t, uint64_t serial); /* the bytes of what was superseded */
void record_end(struct tx *t, int64_t at, uint64_t serial, const struct id *id); /* an id's time is up */
void subjects_put(struct tx *t, const struct rec *r, bool there);

/* expire.c.  Drops what ended by `now` and what is beyond the bounds, at most limit things. */
void expire_apply(struct tx *t, struct change *c, struct op *op);
/* share.c: bytes of strangers' records, by author and by topic. */
bool share_counts(const struct rec *r); /* is it a stranger's? */
void share_count(struct tx *t, const struct rec *r, bool there);
bool share_left(struct tx *t, const struct identity *author, uint64_t bytes); /* is there room for more? */
int share_rebuild(struct tx *t);
/* Which record is to go next: the oldest of the topic with the most bytes, chosen anew every so many.
 * Begins as {0}; false when there is none. */
struct share_topic {
    uint32_t topic;
    uint64_t bytes;
};
struct share_walk {
    struct share_topic *topic;
    size_t n, largest, left;
    bool begun;
};
bool share_next(struct tx *t, struct share_walk *w, struct rec *r);
void share_took(struct share_walk *w, const struct rec *r); /* the one that share_next gave is gone */
void share_walk_free(struct share_walk *w);

/* room.c: what gives way. */
uint32_t evict_some(struct tx *t, uint32_t limit); /* for bytes, until quota_bytes less 1/32; how many */
bool beyond_quota(struct tx *t,
                  uint64_t less); /* more bytes than quota_bytes less 1/less of it (0: nothing) */
uint32_t forget_some(struct tx *t, uint32_t limit); /* for ids; returns how many it looked at */
bool ids_crowded(struct tx *t, uint64_t less); /* more than known_most less 1/less of it (0: nothing) */
void horizons_lift(struct tx *t);              /* nothing is beyond any more: all is asked for again */
/* May an id of a stranger be noted: is there room, and does it lie behind the horizon? */
bool id_welcome(struct tx *t, struct span topic, int64_t created, const struct id *id);
struct known_at horizon_read(struct span row);
void left_note(struct tx *t, uint32_t topic, int64_t created, const struct id *id);
struct span left_tell(struct tx *t, struct arena *a); /* what was noted, for op.found */

uint32_t topic_number(struct tx *t, struct span name);
/* The name of a topic, until the next write: empty when there is none of that number. */
struct span topic_name(struct tx *t, uint32_t number);
void tix_note(struct tx *t, uint32_t topic, int64_t created, const struct id *id, bool add);
/* The first ids of a topic from a place on, as the last transaction left them: what this one noted is not
 * written yet.  Returns how many. */
size_t tix_from(struct tx *t, uint32_t topic, const uint8_t *from, uint8_t (*items)[40], size_t most);
void tix_step(uint8_t *item); /* the place right behind an item */
void tix_flush(struct tx *t); /* writes what was noted, and the topics' counts */
void tix_sum_add(uint8_t sum[static 32], const uint8_t id[static 32]);
void topic_unused(struct tx *t, uint32_t number); /* it has no horizon any more, and maybe no ids */
enum { TIX_MOST = 100, TIX_ITEM = 40, TIX_HEAD = 34, TIX_KEY = 44 };

enum { FACT_KEY = 80, FACT_PLACE = 72, FACT_HEAD = 40 };
void fact_apply(struct tx *t, struct op *op);
void stock_apply(struct tx *t, struct op *op);
enum { OUT_HEAD = 40, BLOB_HEAD = 21, MAIL_HEAD = 9, MBOX_BYTES = 16 };
void put_apply(struct tx *t, struct change *c, struct op *op);
void out_apply(struct tx *t, struct op *op);
void event_apply(struct tx *t, struct op *op);
void ledger_hash(struct id *out, const struct id *left, const struct id *right); /* an inner node */
void ledger_apply(struct tx *t, struct change *c, struct op *op);
void chunk_apply(struct tx *t, struct op *op);
void blob_drop(struct tx *t, const struct id *root, struct op *op);
void mail_apply(struct tx *t, struct op *op);
void mail_drop(struct tx *t, const struct id *mailbox, const struct id *id, struct op *op);

/* ---- the text index's part (store/postings.c) ---- */
int index_apply(struct tx *t, struct change *c, struct op *op);
void index_reset(struct tx *t);
void index_forget(struct tx *t, uint64_t serial); /* the record is gone: its document is dead */

/* ---- check.c ---- */
int store_rebuild(struct tx *t, store_progress_fn *progress, void *arg);

/* ---- view.c ---- */
struct view {
    struct store *s;
    MDB_txn *txn;
};
#endif
