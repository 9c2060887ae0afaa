/* net.c: sessions over streams: who is connected, what waits to be sent, who behaves. */
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include "node/keys/keys.h"
#include "node/net/session.h"
#include "session.gen.h"
#include <sodium.h>
#include <stdlib.h>

enum { CHANNEL_SESSION = 0, MISCONDUCT = 20, CONDUCT_HALVES_MS = 600000 };

struct net *net_new(const struct net_config *config, const struct network *network, struct rng *rng)
{
    struct net *n = xcalloc(1, sizeof *n);
    n->config = *config;
    n->network = *network;
    n->rng = rng;
    if (!n->config.sessions_most)
        n->config.sessions_most = 64;
    if (!n->config.idle_ms)
        n->config.idle_ms = 120000;
    n->next_conn = 1;
    map_init(&n->conns, sizeof(conn_id), rng);
    map_init(&n->peers, sizeof(struct node_key), rng);
    return n;
}

static void session_free(struct session *s)
{
    noise_wipe(&s->noise);
    noise_cipher_wipe(&s->send);
    noise_cipher_wipe(&s->receive);
    buf_wipe(&s->in);
    free(s);
}

void net_free(struct net *n)
{
    if (!n)
        return;
    size_t at = 0;
    void *s;
    while (map_next(&n->conns, &at, NULL, &s))
        session_free(s);
    map_free(&n->conns);
    map_free(&n->peers);
    heap_free(&n->due);
    free(n);
}

/* ---- who may come ---- */
static bool banned(const struct net *n, const struct addr *a, uint64_t now_ms)
{
    if (n->network.loopback && addr_is_private(a))
        return false;
    for (size_t i = 0; i < n->bans_n; i++)
        if (n->bans[i].prefix == addr_prefix(a) && n->bans[i].until_ms > now_ms)
            return true;
    return false;
}

static struct ban *ban_of(struct net *n, const struct addr *a)
{
    for (size_t i = 0; i < n->bans_n; i++)
        if (n->bans[i].prefix == addr_prefix(a))
            return &n->bans[i];
    size_t i = n->bans_n < NET_BANS_MOST ? n->bans_n++ : rng_below(n->rng, NET_BANS_MOST);
    n->bans[i] = (struct ban){.prefix = addr_prefix(a)};
    return &n->bans[i];
}

/* Strangers must neither keep us from dialling nor choose all our neighbours: some half-open places and the
 * last quarter of the sessions are for those that we dial; and no prefix gets more than its share, since
 * node keys cost nothing. */
static bool inbound_full(const struct net *n, const struct addr *a)
{
    unsigned most = n->config.sessions_most;
    if (n->half_open >= NET_HALF_OPEN_MOST - NET_HALF_OPEN_OURS || n->conns.n >= most - most / 4)
        return true;
    if (n->network.loopback && addr_is_private(a))
        return false;
    unsigned half = 0, inbound = 0;
    size_t at = 0;
    void *v;
    while (map_next(&n->conns, &at, NULL, &v)) {
        const struct session *s = v;
        bool same = addr_prefix(&s->addr) == addr_prefix(a);
        half += same && s->phase != SESSION_UP;
        inbound += same && !s->outbound;
    }
    return half >= NET_HALF_OPEN_PREFIX || inbound >= NET_INBOUND_PREFIX;
}

/* ---- making and ending ---- */
static struct session *session_new(struct net *n, struct core *c, conn_id conn, const struct addr *a)
{
    struct session *s = xcalloc(1, sizeof *s);
    s->conn = conn;
    s->addr = *a;
    n->half_open++;
    map_put(&n->conns, &conn, s);
    heap_set(&n->due, &s->due, c->now.mono_ms + NET_HANDSHAKE_MS);
    return s;
}

/* Forgets a session whose stream is gone or being closed, and tells the rooms if it was up. */
static void session_end(struct net *n, struct core *c, struct session *s)
{
    bool was_up = s->phase == SESSION_UP;
    struct node_key peer = s->peer;
    map_del(&n->conns, &s->conn);
    if (map_get(&n->peers, &s->peer) == s)
        map_del(&n->peers, &s->peer);
    else
        was_up = false; /* another session with this peer has taken its place */
    heap_remove(&n->due, &s->due);
    if (s->phase != SESSION_UP)
        n->half_open--;
    else
        n->gone[n->gone_n++ % NET_GONE] = (struct gone){s->peer, s->addr};
    session_free(s);
    if (was_up)
        c->hooks->session_down(c, &peer);
}

static void session_close(struct net *n, struct core *c, struct session *s)
{
    fx_close(c->fx, s->conn);
    session_end(n, c, s);
}

void session_write(struct net *n, struct core *c, struct session *s, struct span framed)
{
    fx_write(c->fx, s->conn, framed);
    s->queued_bytes += framed.n;
    s->bytes_out += framed.n;
    n->stats.bytes_out += framed.n;
    if (s->queued_bytes > NET_PAUSE_BYTES && !s->paused) {
        s->paused = true;
        fx_pause(c->fx, s->conn);
    }
}

static void send_frame(struct net *n, struct core *c, struct session *s, unsigned channel, unsigned number,
                       struct span body)
{
    struct buf plain = {0}, out = {0};
    pack_array(&plain, 3);
    pack_uint(&plain, channel);
    pack_uint(&plain, number);
    buf_span(&plain, body);
    buf_grow(&out, 2);
    MUST(noise_encrypt(&s->send, &out, span(NULL, 0), buf_view(&plain)) == 0); /* 2^64 frames */
    be16_put(out.p, (uint16_t)(out.n - 2));
    session_write(n, c, s, buf_view(&out));
    n->stats.frames_out++;
    buf_wipe(&plain);
    buf_free(&out);
}

/* Two sessions with one peer: of two dialled at once the one whose dialler has the lower key stays, so that
 * both ends choose alike; of two dialled by the same side the newer, since the older must be dead. */
static bool newer_stays(const struct net *n, const struct session *old, const struct session *new,
                        const struct node_key *self)
{
    (void)n;
    if (old->phase != SESSION_UP || old->outbound == new->outbound)
        return true;
    bool self_lower = memcmp(self, &new->peer, sizeof *self) < 0;
    return new->outbound == self_lower;
}

static void session_up(struct net *n, struct core *c, struct session *s)
{
    struct session *old = map_get(&n->peers, &s->peer);
    bool replaces = old && old != s && old->phase == SESSION_UP;
    if (old && old != s) {
        if (!newer_stays(n, old, s, keys_node(c->keys))) {
            session_close(n, c, s);
            return;
        }
        map_put(&n->peers, &s->peer, s);
        session_close(n, c, old);
    }
    map_put(&n->peers, &s->peer, s);
    s->phase = SESSION_UP;
    s->up_since_ms = s->heard_ms = c->now.mono_ms;
    n->half_open--;
    n->stats.handshakes++;
    heap_set(&n->due, &s->due, c->now.mono_ms + n->config.idle_ms);
    struct node_key peer = s->peer;
    if (replaces)
        c->hooks->session_down(c, &peer);
    c->hooks->session_up(c, &peer);
}

void net_accepted(struct net *n, struct core *c, conn_id conn, const struct addr *from)
{
    if (banned(n, from, c->now.mono_ms) || inbound_full(n, from)) {
        n->stats.refused++;
        fx_close(c->fx, conn);
        return;
    }
    struct session *s = session_new(n, c, conn, from);
    s->phase = SESSION_HANDSHAKE;
    if (handshake_begin(n, c, s))
        session_close(n, c, s);
}

int net_connect(struct net *n, struct core *c, const struct node_key *peer, const struct addr *at)
{
    if (map_get(&n->peers, peer))
        return 0;
    if (node_key_eq(peer, keys_node(c->keys)))
        return SOUK_EINVALID;
    if (banned(n, at, c->now.mono_ms))
        return SOUK_EREFUSED;
    if (n->half_open >= NET_HALF_OPEN_MOST || n->conns.n >= n->config.sessions_most)
        return SOUK_EBUSY;
    struct session *s = session_new(n, c, n->next_conn, at);
    n->next_conn += 2;
    s->phase = SESSION_DIALLING;
    s->outbound = true;
    s->peer = *peer;
    map_put(&n->peers, peer, s);
    fx_dial(c->fx, s->conn, at);
    return 0;
}

void net_dialled(struct net *n, struct core *c, conn_id conn, int err)
{
    struct session *s = map_get(&n->conns, &conn);
    if (!s)
        return;
    if (err) {
        session_end(n, c, s);
        return;
    }
    s->phase = SESSION_HANDSHAKE;
    if (handshake_begin(n, c, s))
        session_close(n, c, s);
}

/* ---- frames ---- */
static int own_frame(struct net *n, struct core *c, struct session *s, unsigned number, struct span body)
{
    struct arena a;
    arena_init(&a, 4096);
    int err = session_check(number, body, &a, NULL);
    arena_free(&a);
    if (err == SOUK_ENOT_FOUND)
        return 0; /* a later version's: ignored */
    if (!err && number == SESSION_PING)
        send_frame(n, c, s, CHANNEL_SESSION, SESSION_PONG, span("\x80", 1));
    return err;
}

int frame_read(struct span plain, unsigned *channel, unsigned *number, struct span *body)
{
    struct cursor in;
    cursor_init(&in, plain);
    cursor_array(&in, 3, 3);
    *channel = (unsigned)cursor_uint(&in, 0, 255);
    *number = (unsigned)cursor_uint(&in, 0, 65535);
    *body = cursor_skip(&in);
    cursor_leave(&in);
    return cursor_end(&in);
}

static int one_frame(struct net *n, struct core *c, struct session *s, struct span cipher)
{
    struct buf plain = {0};
    if (noise_decrypt(&s->receive, &plain, span(NULL, 0), cipher)) {
        /* Whoever is on the way can spoil a frame: it ends the session, and proves nothing against the
         * peer. */
        buf_wipe(&plain);
        session_close(n, c, s);
        return 0;
    }
    n->stats.frames_in++;
    s->heard_ms = c->now.mono_ms;
    s->pinged = false;
    unsigned channel, number;
    struct span body;
    int err = frame_read(buf_view(&plain), &channel, &number, &body);
    struct node_key peer = s->peer;
    if (!err && channel == CHANNEL_SESSION)
        err = own_frame(n, c, s, number, body);
    else if (!err)
        err = c->hooks->session_message(c, &peer, (enum channel)channel, number, body);
    buf_wipe(&plain);
    return err;
}

/* One frame from the front of what was read; false when there is none or the session is gone. */
static bool next_frame(struct net *n, struct core *c, conn_id conn, size_t *taken)
{
    struct session *s = map_get(&n->conns, &conn);
    if (!s || s->in.n - *taken < 2)
        return false;
    size_t len = be16_get(s->in.p + *taken);
    if (s->in.n - *taken < 2 + len)
        return false;
    struct span frame = span(s->in.p + *taken + 2, len);
    *taken += 2 + len;
    if (s->phase == SESSION_HANDSHAKE) {
        bool up = false;
        if (handshake_frame(n, c, s, frame, &up)) {
            n->stats.refused++;
            session_close(n, c, s);
            return false;
        }
        if (up)
            session_up(n, c, s);
        return true;
    }
    struct node_key peer = s->peer;
    int err = one_frame(n, c, s, frame);
    s = map_get(&n->conns, &conn);
    if (s && (err == SOUK_EFORM || err == SOUK_ESIGNATURE || err == SOUK_EWORK))
        net_misconduct(n, c, &peer, err);
    return true;
}

void net_bytes(struct net *n, struct core *c, conn_id conn, struct span bytes)
{
    struct session *s = map_get(&n->conns, &conn);
    if (!s)
        return;
    n->stats.bytes_in += bytes.n;
    s->bytes_in += bytes.n;
    buf_span(&s->in, bytes); /* ≤ one frame left over + one read of the host */
    size_t taken = 0;
    while (next_frame(n, c, conn, &taken))
        ;
    s = map_get(&n->conns, &conn);
    if (s)
        buf_drop(&s->in, taken);
}

void net_drained(struct net *n, struct core *c, conn_id conn)
{
    struct session *s = map_get(&n->conns, &conn);
    if (!s)
        return;
    s->queued_bytes = 0;
    if (s->paused) {
        s->paused = false;
        fx_resume(c->fx, conn);
    }
}

void net_closed(struct net *n, struct core *c, conn_id conn)
{
    struct session *s = map_get(&n->conns, &conn);
    if (s)
        session_end(n, c, s);
}

bool net_owns(const struct net *n, conn_id conn)
{
    return map_get(&n->conns, &conn) != NULL;
}

/* ---- time ---- */
void net_wake(struct net *n, struct core *c)
{
    struct heap_entry *e;
    while ((e = heap_first(&n->due)) && e->at <= c->now.mono_ms) {
        struct session *s = (struct session *)(void *)e;
        uint64_t quiet = c->now.mono_ms - s->heard_ms;
        if (s->phase != SESSION_UP || (s->pinged && quiet >= n->config.idle_ms)) {
            session_close(n, c, s);
            continue;
        }
        if (quiet >= n->config.idle_ms / 2) {
            s->pinged = true;
            send_frame(n, c, s, CHANNEL_SESSION, SESSION_PING, span("\x80", 1));
        }
        heap_set(&n->due, &s->due, c->now.mono_ms + n->config.idle_ms / 2);
    }
}

uint64_t net_next_wake(const struct net *n)
{
    struct heap_entry *e = heap_first(&n->due);
    return e ? e->at : UINT64_MAX;
}

/* ---- sending ---- */
static struct session *up_with(const struct net *n, const struct node_key *peer)
{
    struct session *s = map_get(&n->peers, peer);
    return s && s->phase == SESSION_UP ? s : NULL;
}

bool net_connecting(const struct net *n, const struct node_key *peer)
{
    return map_get(&n->peers, peer) != NULL;
}

bool net_up(const struct net *n, const struct node_key *peer)
{
    return up_with(n, peer) != NULL;
}

bool net_addr(const struct net *n, const struct node_key *peer, struct addr *out)
{
    const struct session *s = up_with(n, peer);
    if (s)
        *out = s->addr;
    return s != NULL;
}

size_t net_room_left(const struct net *n, const struct node_key *peer)
{
    const struct session *s = up_with(n, peer);
    return !s || s->queued_bytes >= NET_QUEUE_BYTES ? 0 : NET_QUEUE_BYTES - s->queued_bytes;
}

int net_send(struct net *n, struct core *c, const struct node_key *peer, enum channel channel,
             unsigned number, struct span body)
{
    struct session *s = up_with(n, peer);
    if (!s)
        return SOUK_EOFFLINE;
    if (body.n + 64 > NET_FRAME_MOST)
        return SOUK_ERANGE;
    if (s->queued_bytes + body.n > NET_QUEUE_BYTES)
        return SOUK_EBUSY;
    send_frame(n, c, s, channel, number, body);
    return 0;
}

/* Where a peer is, or was when it left: whoever goes before its forgery is found out answers for it. */
static const struct addr *addr_of(const struct net *n, const struct node_key *peer)
{
    const struct session *s = up_with(n, peer);
    size_t kept = n->gone_n < NET_GONE ? n->gone_n : NET_GONE;
    for (size_t i = 1; !s && i <= kept; i++) {
        const struct gone *g = &n->gone[(n->gone_n - i) % NET_GONE];
        if (node_key_eq(&g->peer, peer))
            return &g->addr;
    }
    return s ? &s->addr : NULL;
}

void net_misconduct(struct net *n, struct core *c, const struct node_key *peer, int err)
{
    struct session *s = up_with(n, peer);
    const struct addr *at = addr_of(n, peer);
    if (!at)
        return;
    struct ban *b = ban_of(n, at);
    uint64_t halves = (c->now.mono_ms - b->conduct_ms) / CONDUCT_HALVES_MS;
    b->conduct = halves > 31 ? 0 : b->conduct >> halves;
    if (halves || !b->conduct)
        b->conduct_ms = c->now.mono_ms;
    b->conduct += MISCONDUCT;
    if (s)
        s->conduct = b->conduct;
    log_line(LOG_WARN, "net", "a peer sent what nobody may send: %s", err_name(err));
    if (b->conduct >= NET_CONDUCT_MOST) {
        b->conduct = 0;
        b->until_ms = c->now.mono_ms + NET_BAN_MS;
        n->stats.banned++;
        if (s)
            session_close(n, c, s);
    }
}

void net_drop(struct net *n, struct core *c, const struct node_key *peer)
{
    struct session *s = map_get(&n->peers, peer);
    if (s)
        session_close(n, c, s);
}

size_t net_peers(const struct net *n, struct net_peer *out, size_t most)
{
    size_t count = 0, at = 0;
    void *v;
    while (count < most && map_next(&n->peers, &at, NULL, &v)) {
        const struct session *s = v;
        if (s->phase == SESSION_UP)
            out[count++] = (struct net_peer){s->peer,     s->addr,      s->outbound,     s->up_since_ms,
                                             s->bytes_in, s->bytes_out, s->queued_bytes, s->conduct};
    }
    return count;
}

void net_clock(const struct net *n, struct clock now, struct clock_verdict *out)
{
    struct clock_vote votes[CLOCK_PEERS_MOST];
    size_t k = 0, at = 0;
    void *v;
    while (k < CLOCK_PEERS_MOST && map_next(&n->peers, &at, NULL, &v)) {
        const struct session *s = v;
        if (s->phase == SESSION_UP && s->has_time)
            votes[k++] =
                (struct clock_vote){s->outbound, now.unix_ms - (s->time_ms + (int64_t)now.mono_ms)};
    }
    clock_judge(out, votes, k);
}

void net_stats(const struct net *n, struct net_stats *out)
{
    *out = n->stats;
    out->sessions = 0;
    size_t at = 0;
    void *v;
    while (map_next(&n->peers, &at, NULL, &v)) {
        const struct session *s = v;
        out->sessions += s->phase == SESSION_UP;
        out->queued_bytes += s->queued_bytes;
    }
}
