/* host.h: all that the core may ask of the world, and all that the world tells it.
 *
 * The core (everything outside node/host, store's LMDB files and cli) has no sockets, clocks, threads or
 * files.  A host (libuv in the daemon, a seeded queue in the simulator) feeds events to node_input and then
 * carries out the effects, in order.  Three rules hold everywhere:
 *
 *  - what an event points to is borrowed for the call; what an effect points to belongs to the host once
 *    the call has returned (jobs and changes come back by EV_WORKED and EV_COMMITTED and are then the
 *    core's again);
 *  - a promise to anyone outside is emitted only while handling the EV_COMMITTED of what it promises;
 *  - jobs of one class come back in the order in which they were given. */
#ifndef SOUK_HOST_H
#define SOUK_HOST_H
#include "crypto/base/buf.h"
#include "crypto/base/rng.h"
#include "crypto/base/span.h"

struct clock {
    uint64_t mono_ms; /* never goes back; starts anywhere */
    int64_t unix_ms;  /* this machine's opinion of the time of day */
};

/* An internet address.  IPv4 is kept mapped (::ffff:a.b.c.d).  Text form: 1.2.3.4:80 or [::1]:80. */
struct addr {
    uint8_t ip[16];
    uint16_t port;
};
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_is_ipv4(const struct addr *a);
bool addr_is_any(const struct addr *a); /* 0.0.0.0 or [::] */
bool addr_is_loopback(const struct addr *a);
bool addr_is_private(const struct addr *a); /* loopback, RFC 1918, link-local, unique local, none */
/* The prefix that counts as one owner: /24 for IPv4, /64 for IPv6, as 8 bytes. */
uint64_t addr_prefix(const struct addr *a);
/* What surely counts as one owner: /24 for IPv4, /48 for IPv6, of whose 65,536 /64 one owner may have all.
 */
uint64_t addr_site(const struct addr *a);
#define ADDR_TEXT 56
/* What addr_prefix gives, as text: 192.0.2.0/24 or 2001:db8::/64. */
char *addr_prefix_format(char out[static ADDR_TEXT], uint64_t prefix);
char *addr_format(char out[static ADDR_TEXT], const struct addr *a);
bool addr_parse(struct addr *out, const char *text, size_t n);

/* Connections are named by numbers that are never used twice in a process.  Those dialled are odd and
 * chosen by the core; those accepted are even and chosen by the host. */
typedef uint64_t conn_id;
enum listener { LISTEN_PEER, LISTEN_API, LISTEN_API_RO };

/* Work for the workers.  `room` and `cookie` tell the core who asked. */
enum job_class { JOB_VERIFY, JOB_SOLVE };
struct job {
    enum job_class class;
    uint8_t room; /* enum room in node/core.h */
    uint64_t cookie;
    /* JOB_VERIFY: checks sig over msg (32 bytes: the hash that is signed) by key.
     * JOB_SOLVE: looks for a nonce ≥ `nonce` with `bits` leading zeros over msg (see crypto/work.h),
     * at most `tries` tries (a slice); done = found. */
    uint8_t key[32], msg[32], sig[64];
    uint64_t nonce, tries;
    uint8_t bits;
    bool done; /* VERIFY: the signature is good.  SOLVE: nonce is a solution. */
};

struct change; /* store/store.h: operations to be applied together inside the writer's transaction */

enum ev {
    EV_BOOT,      /* once, first */
    EV_WAKE,      /* the time asked for by node_next_wake has come */
    EV_DGRAM,     /* addr, bytes; via: the listening address that it came to */
    EV_ACCEPTED,  /* conn, listener, addr */
    EV_DIALLED,   /* conn, err (0 or negative) */
    EV_BYTES,     /* conn, bytes: read from a stream, in order, cut anywhere */
    EV_DRAINED,   /* conn: everything written so far has gone to the kernel */
    EV_CLOSED,    /* conn: by the other side or by an error; nothing more comes for it */
    EV_WORKED,    /* jobs, n */
    EV_STOP,      /* the last: the process ends.  Its effects are carried out, nothing comes back */
    EV_COMMITTED, /* changes, n: applied (each with its results) and synced, or failed as a whole: err */
};
struct event {
    enum ev kind;
    int err;
    conn_id conn;
    enum listener listener;
    struct addr addr;
    uint8_t via; /* which of the node's listening addresses, from 1 on */
    struct span bytes;
    struct job **jobs;
    struct change **changes;
    size_t n; /* of jobs or changes */
};

enum fx {
    FX_DGRAM,  /* addr, bytes; via: as in EV_DGRAM, or 0: from whichever fits.  An answer leaves from the
                * address that was asked, or the asker would not know it */
    FX_DIAL,   /* conn, addr */
    FX_WRITE,  /* conn, bytes */
    FX_CLOSE,  /* conn: after what was written has gone; no event follows for it */
    FX_PAUSE,  /* conn: read no more from it for now (backpressure) */
    FX_RESUME, /* conn: read again */
    FX_WORK,   /* job */
    FX_COMMIT, /* change */
    FX_STOP,   /* end the process cleanly */
};
struct effect {
    enum fx kind;
    conn_id conn;
    struct addr addr;
    uint8_t via;
    size_t at, len; /* bytes: effects.bytes.p + at, valid until effects_clear */
    struct job *job;
    struct change *change;
};
/* The host owns it, hands it empty to node_input, and clears it after carrying the effects out. */
struct effects {
    struct effect *v;
    size_t n, cap;
    struct buf bytes;
};
void fx_dgram(struct effects *fx, const struct addr *to, uint8_t via, struct span bytes);
void fx_dial(struct effects *fx, conn_id conn, const struct addr *to);
void fx_write(struct effects *fx, conn_id conn, struct span bytes);
void fx_close(struct effects *fx, conn_id conn);
void fx_pause(struct effects *fx, conn_id conn);
void fx_resume(struct effects *fx, conn_id conn);
void fx_work(struct effects *fx, struct job *job);         /* takes ownership; malloc'ed */
void fx_commit(struct effects *fx, struct change *change); /* takes ownership */
void fx_stop(struct effects *fx);
static inline struct span fx_bytes(const struct effects *fx, const struct effect *e)
{
    return span(fx->bytes.p + e->at, e->len);
}
void effects_clear(struct effects *fx); /* keeps memory; jobs and changes are no longer its own */
void effects_free(struct effects *fx);

/* The network one belongs to.  Its parameters are bound into its id, and its id into every hash. */
struct network {
    struct salt id;      /* BLAKE2b-128("souk:network", name, parameters) */
    uint8_t work_bits;   /* the floor of work on a public record (plus one per doubling beyond 1 KiB) */
    uint8_t puzzle_bits; /* zeros that a node key's DHT id must show */
    bool loopback;       /* private and loopback addresses are ordinary here: tests and the demo */
    char name[40];
};
/* SOUK_EINVALID when the name is empty, longer than 39 bytes, or bits exceed 30. */
int network_make(struct network *out, const char *name, unsigned work_bits, unsigned puzzle_bits,
                 bool loopback);
#endif
