/* dht_world.h: a network of real DHT engines in virtual time, from one seed, and the manual of the
 * simulator's DHT scenarios.
 *
 * The world is the host of up to some hundred thousand engines of dht/: it carries their datagrams, wakes
 * them, switches machines on and off, and counts.  All engines share one contact pool.  Datagrams are not
 * encrypted unless `sealed` (their size on the wire is counted as if they were, with the headers of UDP and
 * IPv4); node keys are random bytes unless `keys`.  The same configuration and seed give the same run, to
 * the datagram: `digest` folds in every one of them.
 *
 * Places and machines.  A place is an index from 0 to places − 1.  A machine stands in it: node key,
 * address, position on the map, reach.  When a machine leaves for good, the next one in the same place is
 * somebody else.
 *
 * Reach.  OPEN machines can be asked by anybody.  CLIENT ones are behind a NAT and know it: their engine is
 * a client.  HIDDEN ones are behind a NAT and do not know it: their engine believes itself open.  The NAT
 * lets in only datagrams from addresses to which something was sent in the last 60 seconds (address- and
 * port-dependent filtering, RFC 4787).
 *
 * Latency.  The model of Vivaldi (Dabek, Cox, Kaashoek, Morris: "Vivaldi: a decentralized network
 * coordinate system", SIGCOMM 2004), which predicts the King data set (1,740 internet hosts) with a median
 * error of 11 %: position plus height.  Here: round trips between seven regions of the world, a scatter of
 * 15 ms within each, a height (delay of access) that is lognormal with median 12 ms and σ 0.9, so that its
 * tail is heavy, and a factor of 11 % for each pair; every datagram waits some ms more in queues.  The
 * median round trip is about 195 ms, the 99th percentile 400 ms (`tests/run sim dht` prints them).
 *
 * Churn.  Session lengths are Weibull with shape 0.5: Stutzbach and Rejaie ("Understanding churn in
 * peer-to-peer networks", IMC 2006) fit shapes 0.34 to 0.59 in three deployed networks; Steiner, En-Najjary
 * and Biersack ("Long term study of peer behavior in the KAD DHT", ToN 17/5, 2009) find Weibull as well.
 * `replaced` fixes the scale: of the machines that are up, this share is gone an hour later.  (Counted by
 * departures an hour it is more, since some newcomers leave within the same hour too.)  The world begins in
 * equilibrium: who is there at the start has the remaining life that a random moment finds.  Who leaves
 * says no word.  Its place is taken at once by a machine with a new key, address and position that knows
 * three random open machines and joins through them.
 *
 * Hostile machines.  A place may have a role, whose callbacks stand before or instead of the engine:
 *
 *     static void lie(struct dht_world *w, size_t place, const struct dht_letter *in)
 *     {
 *         … build an answer in b …
 *         dht_world_send(w, place, NULL, &in->key, &in->from, buf_view(&b));
 *     }
 *     static const struct dht_role liar = {.datagram = lie};
 *     dht_world_role(w, place, &liar, my_state);
 *
 * A role's `datagram` may hand the letter on to the machine's own engine (dht_world_engine), so that a liar
 * joins and keeps its table like everybody else; `sends` sees what that engine sends and may hold it back
 * or send something else.  dht_world_plant switches on a machine without an engine, with a key and address
 * of the attacker's choice (ground ids, a crowded /24); the address may also be forged datagram by datagram
 * (`from` of dht_world_send).  Who listens on the path sees what arrives (`on_arrive`: in sealed worlds
 * ciphertext) and may put anything on the wire with any address (dht_world_inject); what comes of that is
 * counted apart.  `wake` is called when the time given to dht_world_wake has come.  A role
 * stays until the machine leaves; machines with a role do not leave by churn. */
#ifndef SOUK_SIM_DHT_WORLD_H
#define SOUK_SIM_DHT_WORLD_H
#include "crypto/base/heap.h"
#include "crypto/base/map.h"
#include "crypto/sign.h"
#include "dht/dht.h"
#include "dht/seal.h"

enum { DHT_WORLD_HEADERS = 28 /* IPv4 and UDP */, DHT_WORLD_NAT_MS = 60000 };

struct dht_world;
struct dht_letter;
struct dht_world_config {
    size_t places;
    uint64_t seed;
    unsigned puzzle_bits; /* > 0 implies keys */
    bool keys;            /* machines have real keys, and can sign provider records */
    bool sealed;          /* datagrams go through dht/seal, as in the daemon; implies keys */
    const struct dht_seal_knobs *seal_knobs; /* NULL: the defaults */
    bool unlimited;         /* engines are told that any answer may go to unproven addresses */
    bool loopback;          /* all on 127.0.0.1, a port each: no limits by prefix */
    double clients, hidden; /* shares of machines, 0 to 1 */
    double loss;            /* of datagrams */
    uint32_t delay_ms;      /* one way, from half to one and a half of it; 0: the map above */
    double replaced;        /* of the machines that are up, the share gone an hour later; 0: no churn */
    const struct dht_knobs *knobs; /* NULL: the defaults */
    /* Callbacks, any of them NULL.  Without on_result, results wait in the engines. */
    void *arg;
    void (*on_result)(void *arg, struct dht_world *w, size_t place, const struct dht_result *r);
    void (*on_start)(void *arg, struct dht_world *w,
                     size_t place); /* by churn: a newcomer, already joining */
    void (*on_leave)(void *arg, struct dht_world *w,
                     size_t place); /* by churn: its engine is still there */
    /* A datagram of a machine (not an injected one) reaches the place; before the engine sees it. */
    void (*on_arrive)(void *arg, struct dht_world *w, size_t place, const struct dht_letter *in);
};

/* What an attacker put on the wire, and what engines did because of it.  Bytes of datagrams, sealed or
 * counted so, without headers. */
struct dht_world_injected {
    uint64_t datagrams, bytes;          /* that reached a machine */
    uint64_t opened, requests, answers; /* the seal took it; the engine took it for one of these */
    uint64_t hosted, curves;            /* values stored; curve operations */
    uint64_t back_bytes;                /* sent at once to the address that it claimed to be from */
    /* Of those for which that was more than came: they may only name addresses that are proven. */
    uint64_t over, over_bytes, over_back;
};
enum dht_reach { REACH_OPEN, REACH_CLIENT, REACH_HIDDEN };
struct dht_letter { /* a datagram as it arrives: plaintext */
    struct addr from;
    struct node_key key; /* who sent it, as the outer layer would have proven */
    struct span bytes;
};
struct dht_role {
    void (*datagram)(struct dht_world *w, size_t place, const struct dht_letter *in);
    void (*wake)(struct dht_world *w, size_t place);
    /* true: send it as it is. */
    bool (*sends)(struct dht_world *w, size_t place, const struct dht_send *s, struct span bytes);
};

struct dht_hole { /* where the NAT lets in */
    uint64_t mark, until_ms;
};
struct dht_place {
    struct heap_entry leave; /* first: when the machine leaves, by churn */
    struct dht *dht;         /* NULL: off, or planted */
    struct dht_seal *seal;
    struct keypair *pair;
    struct node_key key;
    struct addr addr;
    enum dht_reach reach;
    bool up;
    uint32_t serial; /* of the machine: never used twice */
    uint64_t started_ms, wake_at;
    /* Datagrams and their bytes on the wire since it started, or since dht_world_count_from_here. */
    uint64_t sent, sent_bytes, received, received_bytes, counted_ms;
    uint8_t region;
    float x, y, access; /* ms of round trip */
    struct dht_hole *holes;
    uint32_t holes_at;
    const struct dht_role *role;
    void *role_arg;
};

struct dht_world_stats {
    uint64_t datagrams, bytes;       /* sent, on the wire */
    uint64_t lost, nobody, shut_out; /* by the network; no machine there; by a NAT */
    uint64_t started, left;
};
struct dht_world {
    struct dht_world_config config;
    struct network net;
    struct rng rng;
    struct clock now;
    struct dht_contacts *pool;
    struct dht_place *places;
    size_t n;
    struct dht_world_stats stats;
    struct dht_world_injected injected;
    uint64_t digest;
    struct dht_inside *inside;
};

struct dht_world *dht_world_new(const struct dht_world_config *config);
void dht_world_free(struct dht_world *w);

/* Switches on a new machine in an empty place, with an engine; it knows nobody. */
void dht_world_start(struct dht_world *w, size_t place, enum dht_reach reach);
/* The same with a key of the caller's choice (not in sealed worlds), an address (NULL: drawn) and knobs
 * (NULL: the world's). */
void dht_world_start_as(struct dht_world *w, size_t place, enum dht_reach reach, const struct node_key *key,
                        const struct addr *addr, const struct dht_knobs *knobs);
/* The same machine (key, address) with a new engine, after dht_world_kill. */
void dht_world_restart(struct dht_world *w, size_t place, enum dht_reach reach);
void dht_world_kill(struct dht_world *w, size_t place); /* fine when off */
/* Joins through `by`, or through three random open machines when by == SIZE_MAX. */
void dht_world_join(struct dht_world *w, size_t place, size_t by);
/* Fills the empty ones of the first `places` with machines (reach as configured) that join one after
 * another, apart_ms each, by who was there before: as a network grows. */
void dht_world_grow(struct dht_world *w, size_t places, uint64_t apart_ms);
/* The same, but with tables filled from outside as uptime would have: in each bucket up to k random open
 * machines, all of them alive; for networks too large to grow in reasonable time. */
void dht_world_fill(struct dht_world *w, size_t places);

/* A machine without an engine.  pair may be NULL when the world has no keys. */
void dht_world_plant(struct dht_world *w, size_t place, const struct node_key *key, const struct addr *addr,
                     const struct dht_role *role, void *arg);
void dht_world_role(struct dht_world *w, size_t place, const struct dht_role *role, void *arg);
/* Hands a letter to the engine of the place, as if there were no role. */
void dht_world_engine(struct dht_world *w, size_t place, const struct dht_letter *in);
/* A datagram from the place; `from`: a forged address, or NULL.  Not in sealed worlds. */
void dht_world_send(struct dht_world *w, size_t place, const struct addr *from, const struct node_key *key,
                    const struct addr *to, struct span bytes);
/* Bytes as they are on the wire, from any address; key: whose an unsealed one claims to be, else unused. */
void dht_world_inject(struct dht_world *w, const struct addr *from, const struct node_key *key,
                      const struct addr *to, struct span bytes, uint64_t at_ms);
void dht_world_wake(struct dht_world *w, size_t place, uint64_t at_ms); /* of a role without engine */

/* After a command to an engine: asks when it wants to be woken. */
void dht_world_touch(struct dht_world *w, size_t place);
/* fn runs once, at the time given. */
void dht_world_at(struct dht_world *w, uint64_t at_ms, void (*fn)(struct dht_world *, void *), void *arg);
void dht_world_run(struct dht_world *w, uint64_t until_ms);
void dht_world_for(struct dht_world *w, uint64_t ms);
/* Runs until the place has a result (worlds without on_result), at most ten minutes: then NULL. */
const struct dht_result *dht_world_result(struct dht_world *w, size_t place);

/* A random place that is up (and open when `open`). */
size_t dht_world_someone(struct dht_world *w, bool open);
bool dht_world_there(const struct dht_world *w, const struct addr *addr);     /* is a machine up there? */
size_t dht_world_find(const struct dht_world *w, const struct node_key *key); /* SIZE_MAX: not up */
/* The n machines that are up and open and nearest to the target, from the world's own knowledge. */
size_t dht_world_nearest(const struct dht_world *w, const struct id *target, size_t *out, size_t n);
/* Round trip between two places without queues, ms. */
double dht_world_rtt(const struct dht_world *w, size_t a, size_t b);
void dht_world_count_from_here(struct dht_world *w);

void dht_world_sign(void *keypair, const struct id *hash, struct sig *out); /* a dht_sign */
/* A signed pointer with eight bytes of body, good for a day or longer. */
void dht_world_pointer(struct dht_world *w, struct buf *out, struct keypair *author, uint64_t seq,
                       uint64_t body, struct id *key);
#endif
