/* engine.h: the outbox's state, for the room's own files.
 *
 *     outbox.c   the queue: what waits, since when, and when it is tried again
 *     letter.c   letters made, sealed, opened and judged; no state
 *     deliver.c  one attempt to get one letter to its recipient; acknowledgements that come back
 *     take.c     letters that come for identities of this node
 *     where.c    where people can be reached: routes, prekeys, presence
 *     boxes.c    mailboxes that hold our letters
 *     serve.c    mailboxes that we hold for others
 *     threads.c  what was said, and who may say it
 */
#ifndef SOUK_OUTBOX_ENGINE_H
#define SOUK_OUTBOX_ENGINE_H
#include "crypto/base/heap.h"
#include "crypto/base/map.h"
#include "mail.gen.h"
#include "node/outbox/outbox.h"

#define OUTBOX_DAY_MS INT64_C(86400000)
#define OUTBOX_LIFE_MS (30 * OUTBOX_DAY_MS)  /* of a letter that nobody acknowledges, and of mail */
#define OUTBOX_KNOWN_MS (60 * OUTBOX_DAY_MS) /* ids of letters are remembered for so long */
enum {
    LETTER_ACK = 6,            /* an acknowledgement that travels as a letter */
    OUTBOX_PEOPLE_MOST = 4096, /* where-abouts in memory */
    OUTBOX_PEERS_MOST = 256,   /* peers whose letters are counted */
    OUTBOX_A_MINUTE = 240,     /* letters and mailbox calls from one peer */
    OUTBOX_FLIGHT_MOST = 1024, /* letters being committed */
    OUTBOX_BOXES = 4,
    OUTBOX_WATCH_MOST = 1024,  /* owners connected to mailboxes that we serve */
    OUTBOX_SERVED_PREFIX = 16, /* mailboxes that we serve for owners who came from one /24 or /64 */
    OUTBOX_ERASE_MOST = 256,
    OUTBOX_QUERIES = 64,
    OUTBOX_DIALS_A_MINUTE = 120, /* of addresses that letters and presences name */
    OUTBOX_ASKS_A_MINUTE =
        30,                  /* searches for people whom nobody here knows, to acknowledge their letters */
    OUTBOX_DIALS_PREFIX = 4, /* of them in one /24, or /48 of IPv6 */
    OUTBOX_BOX_BYTES = 8 << 20,  /* quota of a mailbox that we serve */
    OUTBOX_OWN_BYTES = 64 << 20, /* kept for an identity of ours that is locked */
    OUTBOX_RETRY_FIRST_MS = 1000,
    OUTBOX_RETRY_MOST_MS = 600000,
    OUTBOX_TICK_MS = 1000,
};

/* Changes of this room (change.what). */
enum outbox_what { WHAT_NOTE, WHAT_TAKEN, WHAT_SEEN, WHAT_HELD, WHAT_SERVED, WHAT_OPENED };

/* A letter in the queue.  Its plaintext is on disk only. */
struct pending {
    struct heap_entry due; /* first */
    struct id letter;
    struct identity from, to;
    uint8_t kind;
    uint64_t seq; /* of the entry on disk; 0 until its change was seen committed */
    uint64_t added_ms;
    int64_t created;
    uint32_t tries, direct;       /* since a route last came to life; sent by session without an answer */
    uint8_t boxes;                /* mailboxes that hold it */
    struct id left[OUTBOX_BOXES]; /* envelopes on their way to mailboxes */
    struct node_key left_at[OUTBOX_BOXES]; /* ... and which */
    bool leaving[OUTBOX_BOXES], held[OUTBOX_BOXES];
    uint64_t held_ms; /* when the last mailbox took it */
};

struct box {
    struct node_key node;
    struct addr addr; /* port 0: not known */
};
/* What is known of where somebody is: a cache of TABLE_DRAFT "route" identity32 → mail_where. */
struct person {
    struct identity who;
    int64_t time; /* of the where it rests on */
    bool has_machine, has_ticket;
    bool unasked; /* what is to be sent is but an acknowledgement to somebody whom nobody here knows */
    struct box machine;
    struct box boxes[OUTBOX_BOXES];
    size_t boxes_n;
    struct mail_ticket ticket;
    uint64_t presence_ms, lookup_ms, prekey_ms; /* asked last */
};

/* An own identity's mailbox at one server. */
struct own_box {
    struct box at;
    bool open, busy; /* the server answered; a take is under way */
    struct id challenge;
    struct id erase[OUTBOX_ERASE_MOST];
    size_t erase_n;
    uint64_t seen_ms; /* when it last answered */
    uint64_t asked_ms;
};
struct owner {
    struct identity who;
    struct own_box box[OUTBOX_BOXES];
    size_t n;
    uint64_t published_ms; /* presence; 0: due */
    struct id held_after;  /* letters kept while it was locked: taken up to here; zero: from the first on */
};

/* The session of an owner whose mailbox we serve. */
struct watch {
    struct node_key peer;
    struct identity who;
    struct id challenge;
    bool proven;     /* signed with the mailbox key in this session */
    struct id after; /* letters were told up to here; zero: from the first on */
};
/* A question to the DHT; the cookie's number modulo OUTBOX_QUERIES is its place. */
struct query {
    uint64_t n;
    struct identity who;
    struct node_key node; /* of a lookup */
};
struct rate {
    struct node_key peer;
    uint64_t since_ms;
    uint32_t n;
};

/* Where a letter came from: what is told when it is safe. */
enum source { FROM_SESSION, FROM_BOX, FROM_HELD, FROM_HERE };
struct origin {
    enum source source;
    struct node_key peer; /* of the session, or the mailbox's server */
    struct id envelope;   /* FROM_BOX, FROM_HELD: its id */
};

/* What a change about an incoming letter carries. */
struct arrival {
    struct origin at;
    struct id letter;
    struct identity from, to;
    uint8_t kind, verdict;
    size_t room_ops; /* operations that the letter's room added; they come first */
    struct span body;
};

struct outbox {
    const struct network *network;
    struct rng *rng;
    struct map letters; /* id → pending */
    struct map people;  /* identity → person */
    struct map flight;  /* id → a letter whose change is under way */
    struct heap due;
    uint64_t tick_ms, sweep_ms;
    uint64_t strange_bytes, strange_ms; /* of OUTBOX_STRANGERS_BYTES used, and when that was so */
    struct change *taking;
    outbox_taken_fn *taken;
    struct rate rate[OUTBOX_PEERS_MOST];
    size_t rate_n;
    struct owner owner[16]; /* KEYS_MOST */
    size_t owner_n;
    struct watch watch[OUTBOX_WATCH_MOST];
    size_t watch_n;
    size_t served;       /* mailboxes that we serve, those on their way to the disk included */
    struct map prefixes; /* prefix of who opened them → served_prefix */
    struct addr here;
    bool share;
    size_t uncommitted; /* letters whose change was not yet seen on disk */
    struct query query[OUTBOX_QUERIES];
    uint64_t query_n;
    uint64_t dialled[OUTBOX_DIALS_A_MINUTE], dial_ms; /* prefixes, in the minute since then */
    size_t dialled_n;
    uint64_t asks_ms; /* searches for strangers, in the minute since then */
    uint32_t asks_n;
    struct outbox_stats stats;
};

/* ---- letter.c ---- */
void letter_id(struct id *out, const struct network *net, struct span letter);
void letter_signed_hash(struct id *out, const struct network *net, const struct id *letter,
                        const struct xkey *prekey, struct span where);
void letter_ack_hash(struct id *out, const struct network *net, const struct id *letter, uint8_t verdict);
void letter_envelope_id(struct id *out, const struct network *net, struct span envelope);
/* Seals letter bytes into an envelope.  SOUK_ELOCKED when `from` may not sign now. */
int letter_seal(struct buf *out, struct core *c, const struct mail_letter *m, struct span letter,
                const struct xkey *prekey, struct span where);
/* Opens an envelope with the prekey's secret; plain (caller wipes) holds what out borrows.  SOUK_EFORM,
 * SOUK_ESIGNATURE. */
struct opened {
    struct id id;
    struct mail_letter letter;
    struct span bytes, where;
    struct sig sig;
    struct xkey prekey;
};
int letter_open(struct opened *out, struct buf *plain, const struct network *net,
                const struct mail_envelope *e, const uint8_t sk[static 32], struct arena *a);
bool letter_where_valid(struct mail_where *out, struct span where, struct arena *a);

/* ---- outbox.c ---- */
void pending_soon(struct outbox *o, struct core *c, struct pending *p);
void pending_due(struct outbox *o, struct pending *p, uint64_t at_ms);
void people_soon(struct outbox *o, struct core *c, const struct identity *who);
/* It is over: off the queue, remembered for outbox_state, its room told. */
void pending_end(struct outbox *o, struct core *c, struct pending *p, enum letter_state state, int err);
bool outbox_own_open(const struct core *c, const struct identity *who); /* ours and unlocked */
/* "name" ‖ 32 bytes: the keys of this room's rows.  Returns out as a span. */
enum { ROW_KEY_MOST = 6 + 32 };
struct span row_key(uint8_t out[static ROW_KEY_MOST], const char *name, const void *id);
/* Adds a letter to the queue, and its row to `into`; bytes (may be NULL) gets its encoding.  The same
 * letter twice is one. */
int outbox_queue(struct outbox *o, struct core *c, const struct mail_letter *m, struct change *into,
                 struct id *letter, struct buf *bytes, struct report *r);
bool outbox_rate_ok(struct outbox *o, const struct core *c, const struct node_key *peer);

/* ---- deliver.c ---- */
void deliver_try(struct outbox *o, struct core *c, struct pending *p);
int deliver_ack(struct outbox *o, struct core *c, const struct mail_ack *m);
int deliver_left(struct outbox *o, struct core *c, const struct node_key *peer, const struct mail_left *m);

/* ---- take.c ---- */
void take_envelope(struct outbox *o, struct core *c, const struct origin *at, struct span envelope);
void take_committed(struct outbox *o, struct core *c, struct change *ch);
void take_held(struct outbox *o, struct core *c, const struct identity *who);

/* ---- where.c ---- */
struct person *where_person(struct outbox *o, struct core *c, const struct identity *who);
void where_learn(struct outbox *o, struct core *c, const struct identity *who, const struct mail_where *m);
bool where_prekey(struct core *c, const struct identity *who, struct xkey *out);
void where_ask_prekey(struct outbox *o, struct core *c, struct person *p);
void where_ask_presence(struct outbox *o, struct core *c, struct person *p);
/* Starts a session with a machine unless there is one; true when it is up now.  The address may be the word
 * of a stranger (a letter, a presence), who could point us at anybody: where nothing can be reached or all
 * know better (private ones in a network of the world, a family that we have not) the machine is looked up
 * by its key instead; the others are dialled OUTBOX_DIALS_PREFIX times a minute in one prefix, however many
 * ask. */
bool where_reach(struct outbox *o, struct core *c, struct person *p, const struct box *b);
/* What we tell `to` of where `from` is reached, encoded; empty when nothing. */
void where_own(struct outbox *o, struct core *c, const struct identity *from, const struct identity *to,
               struct buf *out);
bool where_shown(const struct outbox *o, struct core *c, const struct identity *own,
                 const struct identity *to);
struct span box_addr(uint8_t out[static 18], const struct addr *a);
void box_read(struct box *out, const struct mail_box *m);

/* ---- threads.c ---- */
bool threads_blocked(struct core *c, const struct identity *who);
bool threads_known(struct core *c, const struct identity *who);
void threads_add(struct core *c, struct change *into, const struct mail_letter *m, const struct id *letter,
                 struct span bytes, const struct opened *came /* NULL: we sent it */);

/* ---- boxes.c ---- */
int boxes_key(struct core *c, const struct identity *who, uint8_t sk[static 64], uint8_t pk[static 32]);
struct owner *boxes_owner(struct outbox *o, const struct identity *who);
void boxes_boot(struct outbox *o, struct core *c);
void boxes_tick(struct outbox *o, struct core *c);
void boxes_session_up(struct outbox *o, struct core *c, const struct node_key *peer);
int boxes_message(struct outbox *o, struct core *c, const struct node_key *peer, unsigned number,
                  struct span body, struct arena *a);
/* An envelope is safe here: the server may erase it. */
void boxes_safe(struct outbox *o, struct core *c, const struct identity *who, const struct node_key *server,
                const struct id *envelope);
void boxes_ticket(struct outbox *o, struct core *c, const struct identity *who, struct mail_ticket *out);
void boxes_ticket_hash(struct id *out, const struct network *net, const struct identity *who,
                       const struct mail_ticket *t);
void boxes_open_hash(struct id *out, const struct network *net, const struct mail_open *m,
                     const struct node_key *server);
void boxes_take_hash(struct id *out, const struct network *net, const struct mail_take *m,
                     const struct node_key *server);

/* ---- serve.c ---- */
void serve_boot(struct outbox *o, struct core *c); /* counts again what is on disk */
void serve_free(struct outbox *o);
int serve_message(struct outbox *o, struct core *c, const struct node_key *peer, unsigned number,
                  struct span body, struct arena *a);
void serve_leave_here(struct outbox *o, struct core *c, const struct mail_leave *m);
void serve_committed(struct outbox *o, struct core *c, struct change *ch);
uint64_t serve_bytes(struct core *c); /* walks all: for node.status only */
unsigned serve_bits(const struct network *net);
#endif
