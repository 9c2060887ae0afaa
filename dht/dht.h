/* dht.h: the engine of the distributed hash table, and the manual of this room.
 *
 * Kademlia (Maymounkov and Mazières 2002) over datagrams, with signed values, after BEP 44 (mutable items),
 * S/Kademlia (static puzzle, disjoint paths) and discv5 (address limits, waiting before a full store).  The
 * protocol is spec/dht.md; the bytes are spec/datagram.schema and spec/value.schema.
 *
 * The engine is sans-I/O: it takes plaintext datagrams whose sender's node key an outer layer (dht/seal.h,
 * or a simulator) has already authenticated, and the time; it hands back datagrams in a struct dht_out and
 * finished queries through dht_result_next.  It knows nothing of encryption.
 *
 *     caller                                         engine
 *     dht_get_start(d, …)          ->  a handle; nothing is sent yet, dht_next_wake is now due
 *     dht_wake(d, now, &out)       ->  out.v: datagrams to wrap and send
 *     dht_datagram(d, now, …, &out)->  answers, further requests in out
 *     dht_result_next(d)           ->  the finished query: values, hops, messages, trace
 *
 * Commands never send: only dht_datagram and dht_wake write to `out`.  After every call the caller asks
 * dht_next_wake, and calls dht_wake when that time has come.  A query gives exactly one result, never from
 * inside a start, and none after dht_cancel.
 *
 * Memory: everything is bounded by struct dht_knobs and counted in struct dht_stats; requests under way
 * keep their bytes when they may be sent again (at most requests_most times 1,123).  The routing table
 * holds 20-byte entries that name contacts (92 bytes: id, key, address) in a pool by a 4-byte handle; many
 * engines in one process may share a pool, so that 100,000 of them need the contacts once.
 *
 * Nothing here is thread-safe: an engine, its pool and its rng belong to one thread. */
#ifndef SOUK_DHT_H
#define SOUK_DHT_H
#include "crypto/base/host.h"

enum {
    DHT_DATAGRAM_MOST = 1200, /* bytes on the wire, the outer layer included */
    DHT_OUTER_BYTES = 77, /* what dht/seal adds to a plaintext; left out by a simulator, still counted */
    DHT_PLAIN_MOST = DHT_DATAGRAM_MOST - DHT_OUTER_BYTES,
    DHT_VALUE_MOST = 1000,      /* bytes of a signed value, signature included */
    DHT_POINTER_BODY_MOST = 768 /* bytes that the owner of a pointer may put into it */
};

/* Every number that measurement may change.  dht_knobs_default gives those of spec/dht.md. */
struct dht_knobs {
    uint32_t k;                 /* contacts in a bucket and nodes in an answer */
    uint32_t alpha;             /* requests in flight in a lookup (on each path, when there are several) */
    uint32_t width;             /* a lookup ends when so many closest live nodes have all answered */
    uint32_t replicas;          /* nodes that a value is put to */
    uint32_t paths, path_width; /* disjoint paths of a careful lookup; closest that each must finish */
    uint32_t candidates;        /* nodes remembered in one lookup */
    uint32_t addresses;         /* of one node, tried in one lookup */
    bool doubt;                 /* who names nodes that do not answer is not believed */
    uint32_t get_agree;         /* a plain get ends when so many nodes gave the same best value */
    uint32_t providers_enough;  /* a search for providers ends with so many */
    uint32_t bucket_cache;      /* replacements and nodes heard of, beside each bucket */
    uint32_t prefix_bucket, prefix_table; /* nodes of one /24 or /64 in a bucket, in the table */
    uint32_t cover;        /* where ids are improbably dense: cover the prefix of so many honest nodes */
    uint32_t dense_factor; /* how many times denser than expected is improbable; careful: half of it */
    uint32_t queries_most, requests_most;
    uint32_t own_most, own_at_once;         /* values published by this node; put at one time */
    uint32_t values_most, value_bytes_most; /* foreign values held: count, bytes */
    uint32_t providers_most;                /* provider records held for one topic */
    uint32_t prefix_topic_most;             /* of them from one /24 or /64 */
    uint32_t prefix_values_most;            /* values held from one /24 or /64 */
    bool fair; /* a full store or topic drops the oldest of the prefix with most; off: the oldest of all */
    uint32_t timeout_first_ms; /* before anything is known of round trips */
    uint32_t timeout_least_ms, timeout_most_ms;
    uint32_t timeout_typical; /* no peer is waited for longer than so many median round trips; 0: off */
    uint32_t fails_most;      /* unanswered requests in a row before a contact goes */
    uint32_t tick_fast_ms, tick_slow_ms; /* upkeep of the table: while it fills, at rest */
    uint32_t check_least_ms,
        check_most_ms;              /* between two checks of the longest silent: many gone, few gone */
    uint32_t refresh_ms;            /* a bucket untouched for so long is looked up */
    uint32_t token_ms;              /* a token lives between one and two of these */
    uint32_t life_ms, republish_ms; /* of a value held; of a value published (± 10 %) */
    uint32_t wait_most_ms;          /* the longest wait asked of a writer before a full store */
};
void dht_knobs_default(struct dht_knobs *out);

/* The outer world signs: the engine never sees a secret key.  Used for provider records only. */
typedef void dht_sign(void *arg, const struct id *hash, struct sig *out);

struct dht_contacts; /* a pool of contacts; see dht_contacts_new */
struct dht_config {
    const struct network *net; /* borrowed for the life of the engine */
    struct node_key self;
    struct rng *rng;               /* borrowed; injected */
    struct dht_contacts *contacts; /* borrowed and shared, or NULL: the engine has its own */
    const struct dht_knobs *knobs; /* copied; NULL: the defaults */
    dht_sign *sign;                /* NULL: cannot announce topics */
    void *sign_arg;
    /* Where we are reached, by IPv4 and by IPv6; port 0: learnt from what peers report. */
    struct addr addr, addr6;
    bool client;        /* cannot be reached: asks, but is in no table and holds no values */
    bool no_ipv4, ipv6; /* what can be sent to: addresses of a family are asked and told of only then */
};

/* What dht_datagram and dht_wake want sent.  The caller owns it, hands it in, and clears it after sending.
 */
struct dht_send {
    struct node_key key;
    struct addr to;
    size_t at, len; /* plaintext: out.bytes.p + at */
};
struct dht_out {
    struct dht_send *v;
    size_t n, cap;
    struct buf bytes;
};
static inline struct span dht_out_bytes(const struct dht_out *out, const struct dht_send *s)
{
    return span(out->bytes.p + s->at, s->len);
}
void dht_out_clear(struct dht_out *out); /* keeps a little memory for the next time */
void dht_out_free(struct dht_out *out);

struct dht;
struct dht *dht_new(const struct dht_config *config, struct clock now);
void dht_free(struct dht *d); /* NULL is fine; results not yet taken are dropped */
void dht_set_client(struct dht *d, bool client);
bool dht_client(const struct dht *d);
const struct dht_knobs *dht_knobs(const struct dht *d);
const struct id *dht_self(const struct dht *d);
const struct node_key *dht_self_key(const struct dht *d);
/* Our address of a family (4, 6; 0: either, IPv4 before IPv6) as configured, or as most of the peers report
 * it whom we ask (seen.c); false: not known yet, or not of that family. */
bool dht_addr(const struct dht *d, int family, struct addr *out);
/* May it be asked and told of: of a family that we have, and not private in a network of the world? */
bool dht_usable(const struct dht *d, const struct addr *a);

/* A plaintext datagram from the peer that the outer layer authenticated.  `reply_limit` is the most
 * plaintext that may go back to an address not yet proven: the length of the plaintext received (a caller
 * whose outer layer is asymmetric says less).  What is malformed, unasked for or over a bound is counted
 * and dropped.  Returns one of: */
enum { DHT_DROPPED, DHT_REQUEST, DHT_ANSWER /* to an outstanding request of ours: the peer is proven */ };
int dht_datagram(struct dht *d, struct clock now, const struct addr *from, const struct node_key *peer,
                 struct span plaintext, size_t reply_limit, struct dht_out *out);
void dht_wake(struct dht *d, struct clock now, struct dht_out *out);
uint64_t dht_next_wake(const struct dht *d); /* mono_ms; 0: at once; UINT64_MAX: never */

/* Queries.  A start returns a handle > 0 (never used twice by an engine); or 0 when queries_most are under
 * way.  `cookie` comes back with the result. */
enum dht_query { DHT_PING, DHT_LOOKUP, DHT_GET, DHT_PUT, DHT_ANNOUNCE, DHT_PROVIDERS };
enum dht_kind { DHT_PRESENCE = 1, DHT_PROVIDER = 2, DHT_POINTER = 3 }; /* of values; as in value.schema */
enum { DHT_CAREFUL = 1 }; /* three disjoint paths and the full width: for what matters (puts always do) */
struct dht_peer {
    struct node_key key;
    struct addr addr;
};
uint64_t dht_ping(struct dht *d, struct clock now, const struct dht_peer *peer, uint64_t cookie);
uint64_t dht_lookup_start(struct dht *d, struct clock now, const struct id *target, int flags,
                          uint64_t cookie);
/* key: as dht_key_* gives it. */
uint64_t dht_get_start(struct dht *d, struct clock now, enum dht_kind kind, const struct id *key, int flags,
                       uint64_t cookie);
/* A signed presence or pointer (copied).  `expected`: NULL, or compare-and-set: store only where the seq
 * held is *expected (0: where nothing is held).  0 with *err SOUK_E… when the value is not acceptable.  The
 * signature is not checked here: it is the caller's own, and whoever stores the value checks it
 * (SOUK_ESIGNATURE in the result). */
uint64_t dht_put_start(struct dht *d, struct clock now, struct span value, const uint64_t *expected,
                       uint64_t cookie, int *err);
uint64_t dht_announce_start(struct dht *d, struct clock now, const struct id *topic, uint64_t cookie);
uint64_t dht_providers_start(struct dht *d, struct clock now, const struct id *topic, int flags,
                             uint64_t cookie);
bool dht_cancel(struct dht *d, uint64_t handle); /* afterwards no result comes for it; false: no such */

struct dht_step { /* one node asked */
    struct node_key key;
    struct addr addr;
    uint8_t hop, path;
    bool answered, gave_value, stored;
    bool pending;      /* no answer yet when the query ended, and not given up */
    uint16_t rtt_ms;   /* when answered */
    uint16_t turn;     /* it was the so many-th to be asked, from 1 on */
    uint32_t asked_ms; /* since the query began */
    uint16_t shared;   /* leading bits that its id has in common with the target */
};
struct dht_result {
    uint64_t handle, cookie;
    enum dht_query kind;
    /* 0; SOUK_EOFFLINE: nobody to ask, or nobody answered; SOUK_ENOT_FOUND: get without a value;
     * SOUK_ECONFLICT: equal seq with other bytes, or compare-and-set failed; SOUK_ESTALE: a higher seq is
     * held (see seq); SOUK_EQUOTA: all were full; SOUK_ETIMEOUT: a ping without answer;
     * SOUK_EINVALID, SOUK_EBUSY: one that was not sent (a weak key; requests_most); SOUK_EREFUSED. */
    int err;
    struct id target;
    const struct dht_peer *nodes; /* the closest that answered, nearest first, at most k */
    size_t nodes_n;
    const struct span *values; /* GET: the best one; PROVIDERS: one record a provider, newest each */
    size_t values_n;
    bool conflict; /* two values of one seq with different bytes were seen: their author misbehaved */
    uint64_t seq;  /* GET: of the value.  PUT refused: the highest seq that was said to be held */
    uint32_t stored, refused;          /* PUT, ANNOUNCE: answers */
    uint32_t hops, messages, timeouts; /* hops to the closest node or first value; requests sent */
    uint64_t bytes_out, bytes_in;      /* of requests sent and answers, outer layer included */
    uint64_t took_ms;
    bool dense;                   /* the nearest nodes were improbably dense, so more were asked */
    const struct dht_step *trace; /* in the order in which they were asked */
    size_t trace_n;
};
/* The next finished query, or NULL.  It lives until the next call of dht_result_next, or dht_free. */
const struct dht_result *dht_result_next(struct dht *d);

/* Joining: asks the peers for our own neighbourhood; they are asked again while the table is empty.  Peers
 * whose key fails the puzzle, or whose address is none in this network, are left out; returns how many are
 * kept (at most 16 in all). */
size_t dht_bootstrap(struct dht *d, struct clock now, const struct dht_peer *peers, size_t n);
/* Before the engine is freed for good: tells the nodes of the table that we stop, so that they need not
 * find out by waiting in vain.  Nobody is put out of a table by such a word alone (leave.c). */
void dht_leave(struct dht *d, struct dht_out *out);
/* The table as bytes for the store, longest-known first, and how long answers take; and back: lookups begin
 * at once with the contacts that restore takes in, but nobody is told of them before they have answered,
 * unless `trusted` (a simulator that fills tables from outside).
 * SOUK_EFORM: the bytes are not such a table; nothing was taken. */
void dht_table_save(const struct dht *d, struct buf *out);
int dht_table_restore(struct dht *d, struct clock now, struct span bytes, bool trusted);

/* Own values: kept, put at once, then hourly with jitter; sooner after a poor result.  A value of the same
 * key replaces an older one.  Publishing gives no results; dht_own tells how it goes. */
int dht_publish(struct dht *d, struct clock now, struct span value); /* as dht_put_start; SOUK_EQUOTA */
int dht_publish_topic(struct dht *d, struct clock now, const struct id *topic); /* signed anew each time */
bool dht_unpublish(struct dht *d, const struct id *key); /* of a topic: dht_key_topic; expires elsewhere */
struct dht_own {
    struct id key, topic; /* topic: of provider records, else zero */
    enum dht_kind kind;
    int family;      /* 4 or 6: of the address that it names, which may not be known yet; 0: names none */
    uint32_t bytes;  /* 0: made anew each time */
    uint32_t stored; /* replicas at the last attempt */
    int err;
    uint64_t next_ms; /* mono_ms of the next attempt; 0: under way */
    uint64_t put_ms,
        put_seq; /* when the last attempt that stored anything began, and its seq; 0: none yet */
};
size_t dht_own(const struct dht *d, struct dht_own *out, size_t cap); /* how many there are */

/* ---- Views, for people and tests ---- */
enum { DHT_BUCKETS_MOST = 64, DHT_ENTRIES_MOST = DHT_BUCKETS_MOST * 400 };
enum dht_standing {
    DHT_LIVE,    /* in the table: asked, and told of to others */
    DHT_WAITING, /* has answered, but its bucket is full */
    DHT_HEARD,   /* others named it; it has not answered us yet */
    DHT_SAVED    /* known from before the restart; not asked again yet */
};
struct dht_entry { /* a node in the table or beside it */
    struct id id;
    struct node_key key;
    struct addr addr;
    uint32_t shared; /* leading bits that its id has in common with ours */
    enum dht_standing standing;
    uint32_t rtt_ms;      /* smoothed round trip; 0: not measured */
    uint32_t patience_ms; /* how long the next request to it is waited for before somebody else is asked */
    uint64_t seen_ms;     /* how long ago it answered; UINT64_MAX: never */
    uint32_t fails;       /* requests in a row that it left without an answer */
};
/* Nearest bucket first, in a bucket the longest known first.  Fills at most cap; returns how many there
 * are.
 */
size_t dht_entries(const struct dht *d, uint64_t now_ms, struct dht_entry *out, size_t cap);
struct dht_bucket {
    uint32_t shared; /* bits that ids in it share with ours (the last: or more) */
    uint32_t nodes, waiting, heard;
    uint64_t idle_ms; /* since a lookup last passed through it */
};
/* Those that have anybody in them, nearest first; how many. */
size_t dht_buckets(const struct dht *d, uint64_t now_ms, struct dht_bucket out[static DHT_BUCKETS_MOST]);
struct dht_held { /* a value stored here */
    enum dht_kind kind;
    struct id key;
    uint8_t author[32];
    uint64_t seq, left_ms; /* until it is dropped, unless it is put again */
    uint32_t bytes;
    uint64_t prefix; /* addr_prefix of who wrote it */
    bool own;        /* we put it ourselves, being among the nearest */
};
/* In order of key and author, from the skip-th on.  Fills at most cap; returns how many there are in all.
 */
size_t dht_held(const struct dht *d, uint64_t now_ms, size_t skip, struct dht_held *out, size_t cap);

struct dht_stats {
    uint32_t nodes, buckets, heard; /* in the table; heard of or waiting beside it */
    uint32_t values, value_bytes, queries, requests, own;
    uint64_t network_nodes; /* estimate from the spacing of our neighbours; 0: too few */
    uint64_t memory_bytes;  /* of this engine, without a shared pool */
    uint64_t received, sent, sent_bytes, answered, asked, timeouts;
    uint64_t dropped_form, dropped_unasked, dropped_puzzle; /* malformed; no such request; weak key */
    uint64_t dropped_address; /* from an address that is none in this network: private, of no use to us */
    uint64_t cut_short;       /* answers shortened because the address was not proven */
    uint64_t refused_token, refused_value, refused_full, waited;
    uint64_t evicted, kept_out_prefix; /* contacts that fell silent; contacts over the address limits */
    uint64_t hosted;                   /* values taken in since start */
    uint64_t leaving;                  /* checked because they said that they stop */
};
void dht_stats_read(const struct dht *d, struct dht_stats *out);

/* Ids.  id = H("souk:dht-id", node key); its puzzle: H("souk:dht-puzzle", id) must begin with
 * net->puzzle_bits zero bits.  Keys of values are hashes of what they are about. */
void dht_id(struct id *out, const struct network *net, const struct node_key *key);
bool dht_puzzle_ok(const struct network *net, const struct node_key *key);
uint32_t dht_shared_bits(const struct id *a, const struct id *b); /* leading ones, 0 to 256 */
/* Draws seeds until the node key made of one solves the puzzle: 2^puzzle_bits tries of about 30 µs. */
void dht_key_grind(uint8_t seed[static 32], struct node_key *out, const struct network *net,
                   struct rng *rng);
void dht_key_presence(struct id *out, const struct network *net, const struct identity *who);
void dht_key_topic(struct id *out, const struct network *net, const struct id *topic);
void dht_key_pointer(struct id *out, const struct network *net, const uint8_t author[static 32],
                     const struct salt *salt);

/* Signed values: [kind byte][MessagePack map of value.schema][64 bytes of signature over
 * H("souk:dht-value", kind byte and map)].  The bytes are kept and passed on as received. */
struct dht_mailbox {
    struct node_key node;
    struct addr addr; /* port 0: not told (the node's own presence in a topic, or a search, finds it) */
};
struct dht_value { /* a view of the bytes it was read from */
    enum dht_kind kind;
    struct id key;      /* where it is stored */
    uint8_t author[32]; /* the key that signed */
    uint64_t seq;
    uint64_t expires_s;              /* unix: nobody stores or believes it later than this */
    struct id topic;                 /* provider */
    struct addr addr;                /* provider */
    struct salt salt;                /* pointer */
    struct span body;                /* pointer: borrowed */
    struct dht_mailbox mailboxes[4]; /* presence */
    struct addr machines[4];         /* presence: addresses of the person's own machine, by opt-in only */
    size_t mailboxes_n, machines_n;
};
enum { DHT_EXPIRES_MOST_S = 8 * 86400, DHT_SKEW_S = 600 };
/* Signs v (key is computed, not read) with `sign` and appends the bytes.  SOUK_ERANGE: over DHT_VALUE_MOST
 * or its parts out of bounds. */
int dht_value_make(struct buf *out, const struct network *net, const struct dht_value *v, dht_sign *sign,
                   void *sign_arg);
/* Reads form, key and times; verifies the signature when `verify`.  SOUK_EFORM, SOUK_ERANGE, SOUK_EEXPIRED,
 * SOUK_EFUTURE (expires more than 8 days ahead), SOUK_ESIGNATURE. */
int dht_value_read(struct dht_value *out, const struct network *net, int64_t unix_ms, struct span bytes,
                   bool verify);

/* A pool shared by engines of one process.  Engines hold references; it must outlive them. */
struct dht_contacts *dht_contacts_new(struct rng *rng);
void dht_contacts_free(struct dht_contacts *p);
size_t dht_contacts_count(const struct dht_contacts *p);
size_t dht_contacts_bytes(const struct dht_contacts *p);
#endif
