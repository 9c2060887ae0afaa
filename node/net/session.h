/* session.h: one session's state, for net's own files. */
#ifndef SOUK_SESSION_H
#define SOUK_SESSION_H
#include "crypto/base/heap.h"
#include "crypto/base/map.h"
#include "crypto/noise.h"
#include "node/net/net.h"

enum {
    NET_FRAME_MOST = 65535,       /* ciphertext of one frame */
    NET_QUEUE_BYTES = 256 * 1024, /* unsent bytes a peer */
    NET_PAUSE_BYTES = 128 * 1024, /* beyond it we read no more from it */
    NET_INPUT_BYTES = NET_FRAME_MOST + 2,
    NET_HALF_OPEN_MOST = 64,
    NET_HALF_OPEN_OURS = 16, /* of these, kept for those that we dial */
    NET_HALF_OPEN_PREFIX = 8,
    NET_INBOUND_PREFIX = 8, /* sessions that one prefix may have with us without being dialled */
    NET_GONE = 64,          /* peers whose session ended, remembered for what is still judged of theirs */
    NET_HANDSHAKE_MS = 10000,
    NET_BANS_MOST = 1024,
    NET_BAN_MS = 3600000,
    NET_CONDUCT_MOST = 100, /* misconduct adds 20; half of it is forgotten every 10 minutes */
};

enum session_phase { SESSION_DIALLING, SESSION_HANDSHAKE, SESSION_UP };

struct session {
    struct heap_entry due; /* first: handshake deadline, or idle check */
    conn_id conn;
    enum session_phase phase;
    bool outbound, paused, pinged;
    struct addr addr;
    struct node_key peer; /* expected when outbound; proven once up */
    struct noise noise;   /* until up */
    struct noise_cipher send, receive;
    struct buf in;
    size_t queued_bytes;
    uint64_t up_since_ms, heard_ms, bytes_in, bytes_out;
    bool has_time;
    int64_t time_ms;  /* their clock in unix ms, less our monotonic one: what it says now is that sum */
    uint32_t conduct; /* of its prefix, when it last misbehaved */
};

/* What a prefix did, kept beyond its sessions: who comes back is not new. */
struct ban {
    uint64_t prefix, until_ms, conduct_ms;
    uint32_t conduct;
};

/* A peer that left: a worker may still find that what it sent was forged. */
struct gone {
    struct node_key peer;
    struct addr addr;
};

struct net {
    struct net_config config;
    struct network network;
    struct rng *rng;
    struct map conns; /* conn_id → session */
    struct map peers; /* node key → session that is up or being dialled */
    struct heap due;
    conn_id next_conn;
    unsigned half_open;
    struct ban bans[NET_BANS_MOST];
    size_t bans_n;
    struct gone gone[NET_GONE]; /* a ring */
    size_t gone_n;              /* ever written */
    struct net_stats stats;
};

/* handshake.c: 0 to go on, negative to close. */
enum { PROLOGUE_BYTES = 4 + 1 + 16 };
void handshake_prologue(uint8_t out[static PROLOGUE_BYTES], const struct network *net);
/* Judges the other side's hello: SOUK_EFORM and the like, SOUK_ESIGNATURE (its node key is not the one
 * behind the static key that the handshake proved), SOUK_EREFUSED (it is our own, or not the one dialled;
 * dialled NULL: any), SOUK_EVERSION. */
struct session_hello;
int handshake_hello(struct session_hello *out, struct span payload, const struct xkey *proven,
                    const struct node_key *self, const struct node_key *dialled);
int handshake_begin(struct net *n, struct core *c, struct session *s);
int handshake_frame(struct net *n, struct core *c, struct session *s, struct span frame, bool *up);
/* net.c: takes the plaintext of a frame apart: the canonical array [channel, number, body]. */
int frame_read(struct span plain, unsigned *channel, unsigned *number, struct span *body);
/* net.c: sends one frame of plain bytes that are framed already (handshake) or to be encrypted. */
void session_write(struct net *n, struct core *c, struct session *s, struct span framed);
#endif
