/* uv.c: the loop.  Turns what libuv reports into events, and effects into calls of libuv.
 *
 * Everything runs on the loop thread but the workers and the writer, which knock by one uv_async. */
#include "node/host/host.h"
#include "node/host/streams.h"
#include "node/host/udp.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { TAKE_MOST = 256 };
/* Of the quota, for each id known: one without its record takes some 350 on disk and 60 in memory. */
enum { KNOWN_BYTES = 1024 };
/* What one author may have in any case; else a sixteenth of the quota. */
enum { AUTHOR_BYTES = 16 << 20 };

struct door { /* one of the listening addresses */
    struct udp *udp;
    struct host *host;
    struct addr at;
    uint8_t via;
};
struct host {
    uv_loop_t loop;
    struct door doors[NODE_LISTEN_MOST];
    size_t doors_n;
    uv_timer_t wake;
    uv_async_t knock;
    uv_signal_t term, intr;
    struct streams *streams;
    struct store *store;
    struct view *view;
    struct mark *mark;
    struct node *node;
    struct workers *workers;
    struct writer_thread *writer;
    struct effects fx;
    struct rng rng;
    bool stopping, busy;
    struct event *later; /* dials and writes that failed at once, while effects were being carried out */
    size_t later_n, later_cap;
};

static struct clock clock_now(const struct host *h)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (struct clock){uv_now(&h->loop), (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000};
}

static void stop(struct host *h)
{
    if (h->stopping)
        return;
    h->stopping = true;
    uv_stop(&h->loop);
}

/* The socket that a datagram leaves by: the one named; else one of its family, best one from which the
 * kernel can reach it (not from loopback to the world). */
static struct door *door_for(struct host *h, const struct effect *e)
{
    struct door *found = NULL;
    for (size_t i = 0; i < h->doors_n; i++) {
        struct door *u = &h->doors[i];
        if (addr_is_ipv4(&u->at) != addr_is_ipv4(&e->addr))
            continue;
        if (e->via == u->via)
            return u;
        bool fits = addr_is_any(&u->at) || addr_is_loopback(&u->at) == addr_is_loopback(&e->addr);
        if (!found || (fits && !e->via))
            found = u;
        if (fits && !e->via)
            return u;
    }
    return found;
}

static void send_dgram(struct host *h, const struct effect *e)
{
    struct door *u = door_for(h, e);
    if (u)
        udp_send(u->udp, &e->addr, fx_bytes(&h->fx, e));
}

static void carry_out(struct host *h)
{
    for (size_t i = 0; i < h->fx.n; i++) {
        struct effect *e = &h->fx.v[i];
        switch (e->kind) {
        case FX_DGRAM:
            send_dgram(h, e);
            break;
        case FX_DIAL:
            streams_dial(h->streams, e->conn, &e->addr);
            break;
        case FX_WRITE:
            streams_write(h->streams, e->conn, fx_bytes(&h->fx, e));
            break;
        case FX_CLOSE:
            streams_close(h->streams, e->conn);
            break;
        case FX_PAUSE:
        case FX_RESUME:
            streams_pause(h->streams, e->conn, e->kind == FX_PAUSE);
            break;
        case FX_WORK:
            workers_give(h->workers, e->job);
            break;
        case FX_COMMIT:
            writer_thread_give(h->writer, e->change);
            break;
        case FX_STOP:
            stop(h);
            break;
        }
    }
    for (size_t i = 0; i < h->doors_n; i++)
        udp_flush(h->doors[i].udp);
    effects_clear(&h->fx);
}

static void on_wake(uv_timer_t *t);

static void step(struct host *h, const struct event *ev)
{
    view_renew(h->view);
    mark_write(h->mark, view_commit(h->view));
    node_input(h->node, clock_now(h), h->view, ev, &h->fx);
    carry_out(h);
}

static void input(void *arg, const struct event *ev)
{
    struct host *h = arg;
    if (!h->node)
        return; /* stopping: what still comes concerns nobody */
    if (h->busy) {
        MUST(ev->kind == EV_CLOSED || ev->kind == EV_DIALLED); /* nothing borrowed */
        if (h->later_n == h->later_cap) {
            h->later_cap = h->later_cap ? h->later_cap * 2 : 16;
            h->later = xrealloc(h->later, h->later_cap * sizeof *h->later);
        }
        h->later[h->later_n++] = *ev;
        return;
    }
    h->busy = true;
    step(h, ev);
    for (size_t i = 0; i < h->later_n; i++) {
        struct event next = h->later[i];
        step(h, &next);
    }
    h->later_n = 0;
    h->busy = false;
    uint64_t now = uv_now(&h->loop), at = node_next_wake(h->node);
    if (at == UINT64_MAX)
        uv_timer_stop(&h->wake);
    else
        /* Never 0: libuv would run it again and again before it looks at any socket. */
        uv_timer_start(&h->wake, on_wake, at > now ? at - now : 1, 0);
}

static void on_wake(uv_timer_t *t)
{
    input(t->data, &(struct event){.kind = EV_WAKE});
}

static void on_dgram(void *arg, const struct addr *from, struct span bytes)
{
    const struct door *u = arg;
    input(u->host, &(struct event){.kind = EV_DGRAM, .via = u->via, .addr = *from, .bytes = bytes});
}

static void on_knock(uv_async_t *a)
{
    struct host *h = a->data;
    struct job *jobs[TAKE_MOST];
    struct change *changes[TAKE_MOST];
    size_t n;
    if (!h->node)
        return; /* knocked before the threads ended, heard after: they are gone */
    while ((n = writer_thread_take(h->writer, changes, TAKE_MOST)) > 0)
        input(h, &(struct event){.kind = EV_COMMITTED, .changes = changes, .n = n});
    while ((n = workers_take(h->workers, jobs, TAKE_MOST)) > 0)
        input(h, &(struct event){.kind = EV_WORKED, .jobs = jobs, .n = n});
}

static void knock(void *arg)
{
    uv_async_send(&((struct host *)arg)->knock);
}

static void on_signal(uv_signal_t *s, int signum)
{
    (void)signum;
    stop(s->data);
}

static int listen_at(struct host *h, const struct addr *where)
{
    struct sockaddr_storage at;
    struct door *u = &h->doors[h->doors_n];
    *u = (struct door){.host = h, .at = *where, .via = (uint8_t)(h->doors_n + 1)};
    if (!sockaddr_from(&at, where))
        return UV_EINVAL;
    int err = udp_open(&u->udp, &h->loop, where, on_dgram, u);
    if (err)
        return err;
    h->doors_n++;
    return streams_listen_tcp(h->streams, &at);
}

static int listen_net(struct host *h, const struct host_config *hc, struct node_config *nc,
                      struct report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < nc->listen_n; i++) {
        const struct addr *at = &nc->listen[i];
        char text[ADDR_TEXT];
        int err = listen_at(h, at);
        addr_format(text, at);
        if ((err == UV_EAFNOSUPPORT || err == UV_EADDRNOTAVAIL) && hc->listen_by_default &&
            !addr_is_ipv4(at)) {
            log_line(LOG_INFO, "host", "this machine has no IPv6: IPv4 alone");
            continue;
        }
        if (err == UV_EADDRINUSE)
            return report_set(
                r, SOUK_EIN_USE,
                "port %u is in use: another program listens on %s; choose another with --listen HOST:PORT",
                at->port, text);
        if (err == UV_EADDRNOTAVAIL)
            return report_set(r, SOUK_EINVALID,
                              "cannot listen on %s: this machine has no such address; `ip address` lists "
                              "those that it has",
                              text);
        if (err)
            return report_set(r, SOUK_EIO, "cannot listen on %s: %s", text, uv_strerror(err));
        nc->listen[n++] = *at;
    }
    nc->listen_n = n;
    return 0;
}

static int listen_api(struct host *h, const struct host_config *hc, struct report *r)
{
    char path[512];
    const char *names[] = {"souk.sock", hc->read_only_socket ? "souk-ro.sock" : NULL};
    for (int i = 0; i < 2 && names[i]; i++) {
        if (snprintf(path, sizeof path, "%s/%s", hc->home, names[i]) > 100)
            return report_set(r, SOUK_EINVALID,
                              "the path of the home is too long for a socket (%s): use a shorter --home",
                              path);
        unlink(path); /* the store's lock says that no other node uses this home */
        int err = streams_listen_unix(h->streams, path, i ? LISTEN_API_RO : LISTEN_API);
        if (err)
            return report_set(r, SOUK_EIO, "cannot make the socket %s: %s", path, uv_strerror(err));
    }
    return 0;
}

static int start(struct host *h, const struct host_config *hc, struct node_config *nc, struct report *r)
{
    uint8_t seed[32];
    char path[512];
    if (getentropy(seed, sizeof seed) != 0)
        return report_set(r, SOUK_EIO, "the kernel gives no randomness");
    rng_seed(&h->rng, seed);
    explicit_bzero(seed, sizeof seed);
    snprintf(path, sizeof path, "%s/store", hc->home);
    uint64_t most = hc->map_bytes - hc->map_bytes / 8; /* a full map refuses one's own as well */
    uint64_t quota = hc->quota_bytes < most ? hc->quota_bytes : most;
    struct store_config sc = {.map_bytes = hc->map_bytes,
                              .quota_bytes = quota,
                              .known_most = quota / KNOWN_BYTES,
                              .author_most = quota / 16 > AUTHOR_BYTES ? quota / 16 : AUTHOR_BYTES,
                              .sync = true,
                              .network = nc->network.id,
                              .rng = &h->rng};
    int err = store_open(&h->store, path, &sc, r);
    if (err)
        return err;
    h->view = view_open(h->store);
    bool put_back;
    if ((err = mark_open(&h->mark, hc->home, view_commit(h->view), &put_back, r)))
        return err;
    if (put_back)
        log_line(LOG_WARN, "host",
                 "the store is an older copy of itself: open trades rest until the others told what was "
                 "said since");
    nc->restored = nc->restored || put_back;
    h->streams = streams_new(&h->loop, hc->conns_most, input, h);
    if ((err = listen_net(h, hc, nc, r)) || (err = listen_api(h, hc, r)))
        return err;
    uv_async_init(&h->loop, &h->knock, on_knock);
    uv_timer_init(&h->loop, &h->wake);
    uv_signal_init(&h->loop, &h->term);
    uv_signal_init(&h->loop, &h->intr);
    h->knock.data = h->wake.data = h->term.data = h->intr.data = h;
    uv_signal_start(&h->term, on_signal, SIGTERM);
    uv_signal_start(&h->intr, on_signal, SIGINT);
    h->writer = writer_thread_new(h->store, knock, h);
    h->workers = workers_new(2, knock, h);
    h->node = node_new(nc, &h->rng);
    sodium_memzero(nc->node_sk, 64);
    return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

int host_run(const struct host_config *hc, struct node_config *nc, struct report *r)
{
    struct host *h = xcalloc(1, sizeof *h);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ,
           SIG_IGN); /* a limit on the size of files is a full disk: an error of the write, not the end */
    MUST(uv_loop_init(&h->loop) == 0);
    int err = start(h, hc, nc, r);
    if (!err) {
        input(h, &(struct event){.kind = EV_BOOT});
        log_line(LOG_INFO, "host", "ready");
        if (!h->stopping)
            uv_run(&h->loop, UV_RUN_DEFAULT);
        log_line(LOG_INFO, "host", "stopping");
        input(h, &(struct event){.kind = EV_STOP});
    }
    workers_free(h->workers);
    writer_thread_free(h->writer);
    node_free(h->node);
    h->node = NULL;
    streams_free(h->streams);
    for (size_t i = 0; i < h->doors_n; i++)
        udp_close(h->doors[i].udp);
    uv_walk(&h->loop, close_handle, NULL);
    uv_run(&h->loop, UV_RUN_DEFAULT);
    uv_loop_close(&h->loop);
    mark_close(h->mark);
    view_close(h->view);
    store_close(h->store);
    effects_free(&h->fx);
    free(h->later);
    sodium_memzero(&h->rng, sizeof h->rng);
    free(h);
    return err;
}
