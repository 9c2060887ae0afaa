/* inner.h: what the files of this room share.  Outside, only dht.h and seal.h are included.
 *
 *     dht.c       life of an engine, its two doors, statistics
 *     upkeep.c    joining; keeping the table filled and true; save and restore
 *     id.c        ids, puzzle, distance, tokens and tickets
 *     contacts.c  the pool: id, key and address of every node that anything here refers to
 *     table.c     buckets and the rules of who is let in, kept and put out
 *     request.c   our requests: sending, matching answers, timeouts, round trips
 *     rpc.c       their requests, and what our answers say
 *     candidates.c  the nodes that a lookup knows of, and whom it believes
 *     lookup.c    which node to ask next, and when a lookup is complete
 *     query.c     queries from start to result
 *     write.c     the second half of a put
 *     value.c     signed values: making, reading, checking
 *     values.c    the store of values held for others
 *     leave.c     the word of who is about to stop
 *     seen.c      our own addresses, as others report them
 *     publish.c   own values, put again and again
 *     view.c      the engine as people see it */
#ifndef SOUK_DHT_INNER_H
#define SOUK_DHT_INNER_H
#include "crypto/base/err.h"
#include "crypto/base/heap.h"
#include "crypto/base/map.h"
#include "dht/dht.h"

enum {
    BUCKETS_MOST = DHT_BUCKETS_MOST, /* nearer than 2^-64 of the ring: one bucket for all */
    RECENT_SETS = 16,                /* addresses proven lately that are not in the table: 16 times 4 */
    RECENT_WAYS = 4,
    VOTES_MOST = 16,   /* last reports of our own addresses */
    BOOT_MOST = 16,    /* first peers kept */
    PATHS_MOST = 4,    /* disjoint paths */
    ANSWER_MOST = 20,  /* nodes in an answer, whatever knobs.k */
    PROVEN_S = 900,    /* an address that answered so long ago counts as proven */
    REQUEST_HEAD = 9,  /* number of the message, request id */
    MUTE_FAILS = 4,    /* requests to a family without an answer, while the other answers */
    PING_BYTES = 12,   /* plaintext of our shortest request */
    TELLERS_MOST = 64, /* nodes whose word is judged in one lookup */
    AROUND = 4,        /* lookups beside a crowded key */
    WRITES_MOST = 24   /* nodes that one put goes to where ids are dense */
};

/* Timers lie first in what they are for; the heap's entry lies first in them. */
enum timer_kind { TIMER_REQUEST, TIMER_VALUE, TIMER_OWN, TIMER_TICK, TIMER_RETRY };
struct timer {
    struct heap_entry e;
    enum timer_kind kind;
};

/* contacts.c */
struct contact {
    struct id id;
    struct node_key key;
    struct addr addr;
    uint32_t refs, next; /* next in the chain of its hash, or of the free */
};
/* Finds or makes; holds one reference for the caller.  0: the key fails the puzzle. */
uint32_t contacts_take(struct dht_contacts *p, const struct network *net, const struct node_key *key,
                       const struct addr *addr);
uint32_t contacts_find(const struct dht_contacts *p, const struct node_key *key, const struct addr *addr);
void contacts_hold(struct dht_contacts *p, uint32_t handle);
void contacts_drop(struct dht_contacts *p, uint32_t handle);
const struct contact *contact_at(const struct dht_contacts *p, uint32_t handle); /* stays until dropped */

/* table.c */
enum {
    ENTRY_KNOWS_US = 1, /* our address is proven there */
    ENTRY_HEARD = 2,    /* has not answered us yet, since this engine began */
    ENTRY_SAVED = 4,    /* stood in the table that was restored: lookups may begin with it */
    ENTRY_LEAVING = 8   /* said that it stops */
};
/* With the first bits of the id, prefix and family: choosing and counting do not touch the contacts. */
struct entry {
    uint64_t id; /* its first 64 bits */
    uint32_t contact, seen_s;
    uint32_t prefix;         /* of its address, hashed */
    uint16_t rtt_ms, var_ms; /* smoothed round trip and its deviation, as in RFC 6298 */
    uint8_t fails, flags;
    bool ipv6;
};
_Static_assert(sizeof(struct entry) == 32 && sizeof(struct contact) == 92, "memory of 100,000 engines");
struct bucket {
    struct entry *live, *spare; /* longest known first */
    uint8_t live_n, live_cap, spare_n, spare_cap;
    uint32_t touched_s;
};
struct near { /* a node and the first 64 bits of its distance */
    uint64_t distance;
    uint32_t contact;
};

/* request.c */
struct request {
    struct timer t;
    uint64_t id, query; /* query: handle, or 0 */
    uint64_t sent_ms;
    uint32_t contact;
    uint8_t number, path;
    bool padded;        /* long enough for any answer */
    bool check;         /* a ping of upkeep */
    bool slow, settled; /* overdue, but may still answer; its query no longer waits for it */
    struct span again;  /* malloc'ed: the body, sent a second time when overdue */
};

/* candidates.c, lookup.c, query.c */
enum candidate_state { CAND_NEW, CAND_ASKED, CAND_SLOW, CAND_ANSWERED, CAND_FAILED };
enum write_state { WRITE_NONE, WRITE_ASKED, WRITE_WAITS, WRITE_STORED, WRITE_REFUSED };
struct candidate {
    uint64_t distance, prefix;  /* prefix of its address; 0: exempt from limits */
    uint64_t named_by;          /* bit n: teller n + 1 of this lookup named it; none: our own table */
    uint32_t contact, asked_ms; /* asked_ms: since the query began */
    uint16_t rtt_ms, turn;      /* turn: it was the so many-th to be asked */
    uint8_t state, hop, path, write, teller; /* teller: its number once it has answered, from 1 */
    bool gave_value, has_token, blamed;      /* blamed: it is overdue, and counted so with who named it */
    uint8_t token[8];
};
struct teller {
    uint8_t good, bad; /* of those it named: have answered, are overdue */
};
struct found { /* a value that a get or a search gathered */
    uint8_t author[32];
    bool ipv6; /* a provider record that names an address of that family */
    uint64_t seq;
    struct span bytes; /* malloc'ed */
    uint32_t agree;
};
enum query_phase { PHASE_FRESH, PHASE_ASK, PHASE_WRITE, PHASE_DONE };
struct query {
    struct timer retry; /* TIMER_RETRY: a writer waits before full stores */
    struct query *next;
    uint64_t handle, cookie, started_ms;
    enum dht_query kind;
    enum query_phase phase;
    enum dht_kind value_kind;
    struct id target;
    uint32_t paths, inflight[PATHS_MOST];
    uint64_t radius; /* dense: every candidate nearer than this is asked; 0: off */
    uint64_t around; /* a lookup beside the crowded key of this query */
    uint32_t around_out;
    struct candidate *cands;
    uint32_t cands_n, cands_cap, tellers_n;
    struct teller told[TELLERS_MOST]; /* the last is all the later ones together, and never doubted */
    uint64_t liars;                   /* bit n: teller n + 1 is not believed */
    bool internal, joining;           /* gives no result: upkeep or publishing */
    struct own *own;
    uint8_t family;       /* ANNOUNCE: nodes of this one alone; else 0 */
    uint8_t want;         /* upkeep: everybody is asked for nodes of this family; else 0 */
    struct dht_peer peer; /* PING */
    struct id topic;      /* ANNOUNCE */
    struct span value;    /* PUT, ANNOUNCE: malloc'ed */
    uint64_t expected;
    bool has_expected;
    uint8_t tickets[WRITES_MOST][16];
    uint32_t ticket_of[WRITES_MOST], tickets_n; /* contact of each ticket */
    uint32_t writes_out;
    bool retried, self_written;
    struct found *found;
    size_t found_n;
    int worst; /* of refusals: what to tell when nothing was stored */
    struct dht_result result;
};

/* value.c */
bool value_names_ipv6(const struct dht_value *v); /* a provider of that family */

/* publish.c */
struct own {
    struct timer t;
    struct own *next;
    struct id key, topic;
    uint8_t family;    /* of the address that a topic's record names: 4 or 6; of values 0 */
    struct span value; /* malloc'ed; empty: a topic */
    uint64_t seq, query, putting_seq, put_ms, put_seq;
    uint32_t stored;
    int err;
};

/* values.c */
struct held {
    struct timer t;
    struct held *next; /* of the same key: other providers */
    struct id key;
    uint8_t author[32];
    uint64_t seq, prefix, expires_s;
    bool counted; /* against its prefix */
    bool own;     /* put here by ourselves */
    bool ipv6;    /* a provider record that names an address of that family */
    uint16_t n;
    uint8_t bytes[];
};

struct dht {
    const struct network *net;
    struct rng *rng;
    struct dht_contacts *pool, *own_pool;
    struct dht_knobs knobs;
    struct node_key self;
    struct id id;
    dht_sign *sign;
    void *sign_arg;
    struct addr addr, addr6;
    bool client, no_ipv4, ipv6;
    struct heap timers;
    uint64_t leave_ms; /* until when checks asked for by leaving nodes are spent */
    bool saved;        /* there may be entries from a restored table */
    struct bucket *buckets;
    uint32_t buckets_n, live_n, spare_n;
    struct map requests; /* request id -> struct request */
    struct query *queries, *finished, *taken;
    uint32_t queries_n, internal_n, fresh_n;
    uint64_t handles;
    struct map values;   /* key -> struct held, the first of its chain */
    struct map prefixes; /* prefix -> uint32_t, how many values it wrote */
    uint32_t values_n, value_bytes;
    struct own *own;
    uint32_t own_n, own_out;
    struct timer tick;
    uint32_t tick_bucket;
    uint64_t self_lookup_ms, slow_tick_ms, last_answer_ms, boot_wait_ms, home_wait_ms, check_at_ms;
    uint32_t check_ms; /* between two checks */
    bool joined;
    uint32_t boot[BOOT_MOST];
    uint32_t boot_n;
    double spacing; /* of ids, where lookups ended: the mean of spacing_n */
    uint32_t spacing_n;
    uint32_t rtt_ms, var_ms, median_ms; /* over all peers */
    uint8_t token_secret[2][16], ticket_secret[16];
    uint64_t token_turn_ms;
    struct recent {
        uint64_t mark;
        uint32_t seen_s;
    } recent[RECENT_SETS][RECENT_WAYS]; /* the set: the mark's lowest bits */
    struct vote {
        struct addr said;
        uint64_t by; /* prefix of who said it */
    } votes[VOTES_MOST];
    uint32_t votes_n[2]; /* of IPv4, of IPv6 */
    struct addr learnt[2];
    uint32_t silent[2];   /* requests in a row that nobody of IPv4, of IPv6 answered */
    uint64_t moved_ms[2]; /* when what names our address was last put because of that */
    struct buf scratch;
    struct dht_stats stats;
};

/* id.c */
uint64_t id_distance(const struct id *a, const struct id *b); /* the first 64 bits of a XOR b */
/* A random id that shares exactly so many leading bits. */
void id_random_beside(struct dht *d, const struct id *of, uint32_t bits, struct id *out);
int id_compare(const struct id *target, const struct id *a, const struct id *b); /* <0: a is nearer */
bool id_puzzle_ok(const struct network *net, const struct id *id);
void token_make(struct dht *d, uint64_t now_ms, const struct addr *from, const struct node_key *peer,
                const struct id *key, uint8_t out[static 8]);
bool token_ok(struct dht *d, uint64_t now_ms, const struct addr *from, const struct node_key *peer,
              const struct id *key, struct span token);
void ticket_make(const struct dht *d, uint64_t due_ms, const struct node_key *peer, const struct id *key,
                 uint8_t out[static 16]);
/* When the writer's wait is over; UINT64_MAX when the ticket is not ours or not theirs. */
uint64_t ticket_due(const struct dht *d, const struct node_key *peer, const struct id *key,
                    struct span ticket);
uint64_t address_mark(const struct dht *d, const struct node_key *key, const struct addr *a);
bool addr_exempt(const struct dht *d, const struct addr *a); /* from the limits by prefix */
/* Does nobody of this family answer, while the other does?  Then we have it in name only: no way leads
 * there. */
bool family_mute(const struct dht *d, bool six);

/* table.c */
void table_answered(struct dht *d, uint64_t now_ms, uint32_t contact, uint32_t rtt_ms, bool knows_us);
void table_failed(struct dht *d, uint64_t now_ms, uint32_t contact, uint8_t times);
void table_heard(struct dht *d, uint64_t now_ms, uint32_t contact);
void table_restored(struct dht *d, uint64_t now_ms, uint32_t contact); /* as if it had answered */
bool table_wants(const struct dht *d, const struct contact *c);        /* would it enter, if it answered? */
bool table_room(const struct dht *d, const struct bucket *b, uint32_t contact); /* a free place for it? */
struct entry *table_find(const struct dht *d, uint32_t contact);                /* live only */
void table_touch(struct dht *d, uint64_t now_ms, const struct id *target);
void table_saved(struct dht *d, uint64_t now_ms, uint32_t contact);
/* Adds the nearest of the restored that have not been asked yet to *n nodes that are there. */
void table_saved_nearest(struct dht *d, const struct id *target, struct near *v, size_t *n, size_t most);
/* The nearest live nodes of a family (4, 6 or 0 for both), nearest first. */
size_t table_nearest(const struct dht *d, const struct id *target, int family, struct near *out,
                     size_t most);
void table_spacing(struct dht *d, double each); /* a lookup found ids so far apart */
uint64_t table_estimate(const struct dht *d);   /* nodes in the network; 0: too few to tell */
void table_free(struct dht *d);
void near_insert(const struct dht *d, const struct id *target, struct near *v, size_t *n, size_t most,
                 struct near one);
void address_prove(struct dht *d, uint64_t now_ms, const struct node_key *key, const struct addr *a);
bool address_proven(const struct dht *d, uint64_t now_ms, const struct node_key *key, const struct addr *a);
/* The same; and is it in the table? */
bool address_known(const struct dht *d, uint64_t now_ms, const struct node_key *key, const struct addr *a,
                   bool *in_table);

/* request.c */
uint32_t patience_ms(const struct dht *d, uint32_t contact); /* before a request to it is overdue */
/* Sends [number][random id][body]; NULL when requests_most are out.  body: encoded map in d->scratch. */
struct request *request_send(struct dht *d, uint64_t now_ms, uint32_t contact, uint8_t number,
                             uint64_t query, uint8_t path, struct dht_out *out);
void request_repeat(struct dht *d, struct request *r); /* right after sending: once more when overdue */
struct request *request_ping(struct dht *d, uint64_t now_ms, uint32_t contact, uint64_t query,
                             struct dht_out *out);       /* NULL: as request_send */
bool request_out(const struct dht *d, uint32_t contact); /* is anything being asked of it? */
struct request *request_match(struct dht *d, uint64_t id, const struct addr *from,
                              const struct node_key *peer);
void request_answered(struct dht *d, uint64_t now_ms, struct request *r, bool knows_us); /* frees r */
void request_due(struct dht *d, struct clock now, struct request *r, struct dht_out *out);
void requests_free(struct dht *d);
void out_add(struct dht *d, struct dht_out *out, const struct node_key *key, const struct addr *to,
             struct span head, struct span body);

/* rpc.c */
int rpc_request(struct dht *d, struct clock now, const struct addr *from, const struct node_key *peer,
                struct span plaintext, size_t reply_limit, struct dht_out *out);
int rpc_answer(struct dht *d, struct clock now, const struct addr *from, const struct node_key *peer,
               struct span plaintext, struct dht_out *out);

/* candidates.c */
/* teller: the number of the candidate that named it; 0: our own table. */
void lookup_add(struct dht *d, struct query *q, uint32_t contact, uint8_t hop, uint8_t path,
                uint8_t teller);
struct candidate *lookup_find(struct query *q, uint32_t contact);
void candidate_answered(struct query *q, struct candidate *c);
void candidate_overdue(struct query *q, struct candidate *c);
bool candidate_doubted(const struct dht *d, const struct query *q, const struct candidate *c);
bool candidate_prefix_ok(const struct dht *d, const struct query *q, const struct candidate *one);
/* Has the node of candidate i answered at another address? */
bool candidate_elsewhere(const struct query *q, const struct dht *d, uint32_t i);

/* leave.c: a leave came; came: plaintext that may go back.  0, or it is malformed. */
int leave_taken(struct dht *d, struct clock now, const struct addr *from, const struct node_key *peer,
                struct span body, size_t came, struct dht_out *out);

/* lookup.c */
void lookup_seed(struct dht *d, struct query *q);
bool lookup_advance(struct dht *d, struct clock now, struct query *q,
                    struct dht_out *out); /* true: complete */

void lookup_around_done(struct dht *d, struct clock now, struct query *c, struct dht_out *out);

/* query.c */
struct query *query_new(struct dht *d, struct clock now, enum dht_query kind, const struct id *target,
                        bool internal);
struct query *query_find(const struct dht *d, uint64_t handle);
void query_advance(struct dht *d, struct clock now, struct query *q, struct dht_out *out);
void query_settled(struct dht *d, struct query *q,
                   struct request *r); /* overdue or answered: a place is free */
void query_failed(struct dht *d, struct clock now, struct request *r, struct dht_out *out);
void query_ponged(struct dht *d, struct clock now, struct query *q, struct request *r, struct dht_out *out);
void query_found(struct dht *d, struct clock now, struct query *q, struct candidate *c, struct span value);
void queries_free(struct dht *d);

/* write.c */
void write_self(struct dht *d, struct clock now, struct query *q);
void write_advance(struct dht *d, struct clock now, struct query *q, struct dht_out *out);
/* Do as many hold it as are wanted, and half of the nearest?  Then nobody who asks to wait is waited for.
 */
bool write_placed(const struct dht *d, const struct query *q);
void write_refused(struct dht *d, struct query *q, struct candidate *c, int err, uint64_t seq);
void write_waits(struct dht *d, struct clock now, struct query *q, struct candidate *c, uint32_t wait_ms,
                 struct span ticket);
void write_retry(struct dht *d, struct clock now, struct query *q, struct dht_out *out);

/* value.c */
bool value_signed(const struct network *net, const struct dht_value *v, struct span bytes);

/* values.c */
struct stored {
    int err;
    uint64_t seq; /* held here, when stale or in conflict */
    uint32_t wait_ms, life_s;
};
struct held *values_get(const struct dht *d, const struct id *key, enum dht_kind kind);
/* v: read from the bytes; its signature is checked here, when they are not held already. */
struct stored values_put(struct dht *d, struct clock now, const struct addr *from,
                         const struct node_key *peer, struct span bytes, const struct dht_value *v,
                         const uint64_t *expected, bool waited);
void values_expire(struct dht *d, struct held *h);
void values_free(struct dht *d);

/* upkeep.c */
void upkeep_checked(struct dht *d, bool there); /* what a ping of upkeep found */
void upkeep_tick(struct dht *d, struct clock now, struct dht_out *out);

/* seen.c: an answer from there says where our request came from. */
void seen_take(struct dht *d, uint64_t now_ms, const struct addr *from, const struct node_key *peer,
               struct span seen);

/* publish.c */
void own_moved(struct dht *d, uint64_t now_ms, int family); /* our address of it is known, or another */
void own_due(struct dht *d, struct clock now, struct own *o);
void own_done(struct dht *d, struct clock now, struct query *q);
void own_free(struct dht *d);
/* The record that says that we carry the topic; false: no address or no signer. */
bool own_provider(struct dht *d, struct clock now, const struct id *topic, int family, struct buf *out);

static inline uint32_t seconds(uint64_t ms)
{
    return (uint32_t)(ms / 1000);
}
enum { ADDR_BYTES = 18 };
static inline void addr_pack(uint8_t out[static ADDR_BYTES], const struct addr *a)
{
    memcpy(out, a->ip, 16);
    be16_put(out + 16, a->port);
}
static inline void addr_unpack(struct addr *out, const uint8_t in[static ADDR_BYTES])
{
    memcpy(out->ip, in, 16);
    out->port = be16_get(in + 16);
}
void timer_set(struct dht *d, struct timer *t, enum timer_kind kind, uint64_t at_ms);
#endif
