/* streams.c: TCP and Unix sockets under libuv. */
#include "node/host/streams.h"
#include "crypto/base/err.h"
#include "crypto/base/log.h"
#include "crypto/base/map.h"
#include "node/node.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTENERS = NODE_LISTEN_MOST + 2, READ_BYTES = 65536, WRITE_BYTES_MOST = 8 << 20, LINGER_MS = 5000 };

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};
struct conn {
    union stream s; /* first: the handle is the conn */
    struct streams *all;
    conn_id id;
    enum listener kind;
    bool up, paused, closing;
    bool ending;     /* closed by the node, still sending: no event comes for it any more */
    uint64_t end_ms; /* when it is cut off, if ending */
    uv_connect_t connect;
};
struct listener_handle {
    union stream s;
    struct streams *all;
    enum listener kind;
};
struct streams {
    uv_loop_t *loop;
    uv_timer_t *linger; /* while conns are ending: who does not take its last bytes in time loses them */
    streams_input *input;
    void *arg;
    struct map conns;
    struct rng rng;
    unsigned most;
    conn_id next_accepted;
    struct listener_handle *listeners[LISTENERS];
    size_t listeners_n;
    char buffer[READ_BYTES];
};
struct write {
    uv_write_t req;
    struct conn *conn;
    size_t n;
    char bytes[];
};

bool sockaddr_from(struct sockaddr_storage *out, const struct addr *a)
{
    memset(out, 0, sizeof *out);
    if (addr_is_ipv4(a)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->ip + 12, 4);
        memcpy(out, &in, sizeof in);
    } else {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
        memcpy(&in.sin6_addr, a->ip, 16);
        memcpy(out, &in, sizeof in);
    }
    return true;
}

bool sockaddr_to(struct addr *out, const struct sockaddr *sa)
{
    *out = (struct addr){{0}, 0};
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        out->ip[10] = out->ip[11] = 0xff;
        memcpy(out->ip + 12, &in.sin_addr, 4);
        out->port = ntohs(in.sin_port);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof in);
        memcpy(out->ip, &in.sin6_addr, 16);
        out->port = ntohs(in.sin6_port);
        return true;
    }
    return false;
}

struct streams *streams_new(uv_loop_t *loop, unsigned conns_most, streams_input *input, void *arg)
{
    struct streams *s = xcalloc(1, sizeof *s);
    *s = (struct streams){.loop = loop,
                          .input = input,
                          .arg = arg,
                          .most = conns_most ? conns_most : 512,
                          .next_accepted = 2};
    uint8_t seed[32];
    MUST(getentropy(seed, sizeof seed) == 0);
    rng_seed(&s->rng, seed);
    map_init(&s->conns, sizeof(conn_id), &s->rng);
    s->linger = xcalloc(1, sizeof *s->linger);
    uv_timer_init(loop, s->linger);
    s->linger->data = s;
    return s;
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = (struct conn *)(void *)handle;
    free(c);
}

/* Forgets the conn; when `tell`, the node hears EV_CLOSED. */
static void drop(struct conn *c, int err, bool tell)
{
    if (c->closing)
        return;
    c->closing = true;
    struct streams *s = c->all;
    map_del(&s->conns, &c->id);
    uv_close(&c->s.handle, on_closed);
    if (tell && !c->ending)
        s->input(s->arg, &(struct event){.kind = EV_CLOSED, .conn = c->id, .err = err});
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct conn *c = (struct conn *)(void *)handle;
    *out = uv_buf_init(c->all->buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct conn *c = (struct conn *)(void *)stream;
    if (n > 0) {
        c->all->input(c->all->arg,
                      &(struct event){.kind = EV_BYTES, .conn = c->id, .bytes = span(b->base, (size_t)n)});
        if (c->kind != LISTEN_PEER)
            explicit_bzero(b->base, (size_t)n); /* passphrases come this way */
    } else if (n < 0)
        drop(c, SOUK_ECLOSED, true);
}

static struct conn *conn_new(struct streams *s, conn_id id, enum listener kind)
{
    struct conn *c = xcalloc(1, sizeof *c);
    c->all = s;
    c->id = id;
    c->kind = kind;
    if (kind == LISTEN_PEER)
        uv_tcp_init(s->loop, &c->s.tcp);
    else
        uv_pipe_init(s->loop, &c->s.pipe, 0);
    map_put(&s->conns, &id, c);
    return c;
}

static void on_accept(uv_stream_t *stream, int status)
{
    struct listener_handle *l = (struct listener_handle *)(void *)stream;
    struct streams *s = l->all;
    if (status)
        return;
    struct conn *c = conn_new(s, s->next_accepted, l->kind);
    s->next_accepted += 2;
    /* The owner's own clients are let in before strangers when the limit is near. */
    unsigned most = l->kind == LISTEN_PEER ? s->most : s->most + 64;
    if (uv_accept(stream, &c->s.stream) || s->conns.n > most) {
        drop(c, 0, false);
        return;
    }
    struct event ev = {.kind = EV_ACCEPTED, .conn = c->id, .listener = l->kind};
    if (l->kind == LISTEN_PEER) {
        struct sockaddr_storage from;
        int len = sizeof from;
        uv_tcp_nodelay(&c->s.tcp, 1);
        if (uv_tcp_getpeername(&c->s.tcp, (struct sockaddr *)&from, &len) ||
            !sockaddr_to(&ev.addr, (struct sockaddr *)&from)) {
            drop(c, 0, false);
            return;
        }
    }
    c->up = true;
    uv_read_start(&c->s.stream, on_alloc, on_read);
    s->input(s->arg, &ev);
}

static int listen_on(struct streams *s, struct listener_handle *l)
{
    s->listeners[s->listeners_n++] = l;
    return uv_listen(&l->s.stream, 128, on_accept);
}

static struct listener_handle *listener_new(struct streams *s, enum listener kind)
{
    MUST(s->listeners_n < LISTENERS);
    struct listener_handle *l = xcalloc(1, sizeof *l);
    l->all = s;
    l->kind = kind;
    return l;
}

int streams_listen_tcp(struct streams *s, const struct sockaddr_storage *at)
{
    struct listener_handle *l = listener_new(s, LISTEN_PEER);
    uv_tcp_init(s->loop, &l->s.tcp);
    /* One socket a family: what [::] takes of IPv4 differs from machine to machine. */
    unsigned flags = at->ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0;
    int err = uv_tcp_bind(&l->s.tcp, (const struct sockaddr *)at, flags);
    int listened = listen_on(s, l);
    return err ? err : listened;
}

int streams_listen_unix(struct streams *s, const char *path, enum listener kind)
{
    struct listener_handle *l = listener_new(s, kind);
    uv_pipe_init(s->loop, &l->s.pipe, 0);
    mode_t old = umask(0177); /* 0600 from the first moment */
    int err = uv_pipe_bind(&l->s.pipe, path);
    umask(old);
    int listened = listen_on(s, l);
    return err ? err : listened;
}

static void on_connect(uv_connect_t *req, int status)
{
    struct conn *c = req->data;
    if (c->closing || status == UV_ECANCELED)
        return;
    struct streams *s = c->all;
    conn_id id = c->id;
    if (status) {
        drop(c, 0, false);
        s->input(s->arg, &(struct event){.kind = EV_DIALLED, .conn = id, .err = SOUK_EOFFLINE});
        return;
    }
    c->up = true;
    uv_tcp_nodelay(&c->s.tcp, 1);
    uv_read_start(&c->s.stream, on_alloc, on_read);
    s->input(s->arg, &(struct event){.kind = EV_DIALLED, .conn = id});
}

void streams_dial(struct streams *s, conn_id conn, const struct addr *to)
{
    struct sockaddr_storage at;
    struct conn *c = conn_new(s, conn, LISTEN_PEER);
    c->connect.data = c;
    sockaddr_from(&at, to);
    if (uv_tcp_connect(&c->connect, &c->s.tcp, (struct sockaddr *)&at, on_connect)) {
        drop(c, 0, false);
        s->input(s->arg, &(struct event){.kind = EV_DIALLED, .conn = conn, .err = SOUK_EOFFLINE});
    }
}

/* What the owner's clients are told may be backup words. */
static void write_free(struct write *w)
{
    if (w->conn->kind != LISTEN_PEER)
        explicit_bzero(w->bytes, w->n);
    free(w);
}

static void on_written(uv_write_t *req, int status)
{
    struct write *w = (struct write *)(void *)req;
    struct conn *c = w->conn;
    if (!c->closing) {
        if (status)
            drop(c, SOUK_ECLOSED, true);
        else if (!c->ending && uv_stream_get_write_queue_size(&c->s.stream) == 0)
            c->all->input(c->all->arg, &(struct event){.kind = EV_DRAINED, .conn = c->id});
    }
    write_free(w);
}

void streams_write(struct streams *s, conn_id conn, struct span bytes)
{
    struct conn *c = map_get(&s->conns, &conn);
    if (!c || !c->up || c->ending || !bytes.n)
        return;
    if (uv_stream_get_write_queue_size(&c->s.stream) > WRITE_BYTES_MOST) {
        drop(c, SOUK_EBUSY, true); /* the rooms' own bounds are far below: this one does not read at all */
        return;
    }
    struct write *w = xmalloc(sizeof *w + bytes.n);
    w->conn = c;
    w->n = bytes.n;
    memcpy(w->bytes, bytes.p, bytes.n);
    uv_buf_t b = uv_buf_init(w->bytes, (unsigned)bytes.n);
    if (uv_write(&w->req, &c->s.stream, &b, 1, on_written))
        write_free(w);
}

/* A peer that keeps its socket open and never reads would hold its place for good. */
static void on_linger(uv_timer_t *t)
{
    struct streams *s = t->data;
    size_t at = 0, ending = 0;
    void *v;
    while (map_next(&s->conns, &at, NULL, &v)) {
        struct conn *c = v;
        if (c->ending && c->end_ms <= uv_now(s->loop))
            drop(c, 0, false);
        else
            ending += c->ending;
    }
    if (!ending)
        uv_timer_stop(t);
}

struct ending {
    uv_shutdown_t req;
    struct conn *conn;
};

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status;
    struct ending *e = (struct ending *)(void *)req;
    drop(e->conn, 0, false);
    free(e);
}

void streams_close(struct streams *s, conn_id conn)
{
    struct conn *c = map_get(&s->conns, &conn);
    if (!c || c->ending)
        return;
    uv_read_stop(&c->s.stream);
    if (!c->up || uv_stream_get_write_queue_size(&c->s.stream) == 0) {
        drop(c, 0, false);
        return;
    }
    struct ending *e = xcalloc(1, sizeof *e);
    e->conn = c;
    c->ending = true;
    c->end_ms = uv_now(s->loop) + LINGER_MS;
    if (!uv_is_active((uv_handle_t *)s->linger))
        uv_timer_start(s->linger, on_linger, LINGER_MS, LINGER_MS / 4);
    if (uv_shutdown(&e->req, &c->s.stream, on_shutdown)) {
        free(e);
        drop(c, 0, false);
    }
}

void streams_pause(struct streams *s, conn_id conn, bool pause)
{
    struct conn *c = map_get(&s->conns, &conn);
    if (!c || !c->up || c->ending || c->paused == pause)
        return;
    c->paused = pause;
    if (pause)
        uv_read_stop(&c->s.stream);
    else
        uv_read_start(&c->s.stream, on_alloc, on_read);
}

static void on_listener_closed(uv_handle_t *handle)
{
    free(handle);
}

void streams_free(struct streams *s)
{
    if (!s)
        return;
    size_t at = 0;
    void *c;
    while (map_next(&s->conns, &at, NULL, &c))
        drop(c, 0, false);
    for (size_t i = 0; i < s->listeners_n; i++)
        uv_close(&s->listeners[i]->s.handle, on_listener_closed);
    uv_close((uv_handle_t *)s->linger, on_listener_closed);
    uv_run(s->loop, UV_RUN_NOWAIT);
    map_free(&s->conns);
    free(s);
}
