#include "cli/client.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct client {
    int fd;
    uint64_t timeout_ms; /* as given to client_open */
    char home[108];
    uint64_t next;
    struct buf in, notes; /* read and not yet taken; notifications, one value after another */
};

enum { MINUTE_MS = 60000 };

/* Longer than the node's own limit of each method. */
static uint64_t patience_ms(const struct client *c, const char *method)
{
    static const struct {
        const char *method;
        uint64_t ms;
    } slow[] = {{"listing.import", UINT64_C(24) * 60 * MINUTE_MS}, /* much work on many records */
                {"credit.audit", UINT64_C(30) * MINUTE_MS},        /* a whole ledger is fetched */
                {"node.lookup", UINT64_C(2) * MINUTE_MS}};
    for (size_t i = 0; c->timeout_ms == 0 && i < sizeof slow / sizeof *slow; i++)
        if (strcmp(method, slow[i].method) == 0)
            return slow[i].ms;
    return c->timeout_ms ? c->timeout_ms : MINUTE_MS;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int not_connected(const char *home, int why, struct report *r)
{
    if (why == ENOENT || why == ECONNREFUSED)
        return report_set(r, SOUK_ENO_NODE, "no node is running in %s: start one with `soukd --home %s`",
                          home, home);
    if (why == EAGAIN)
        return report_set(r, SOUK_ETIMEOUT,
                          "the node in %s takes no more clients: it is busy or stuck; try again, or end it "
                          "and start it again",
                          home);
    return report_set(r, SOUK_EIO, "cannot use the socket of the node in %s: %s", home, strerror(why));
}

/* The kernel's own limit on connecting and sending: a node that is stuck takes neither. */
static void limit_sending(int fd, uint64_t ms)
{
    struct timeval most = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    if (ms != CLIENT_PATIENT)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
}

int client_open(struct client **out, const char *home, uint64_t timeout_ms, struct report *r)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/souk.sock", home);
    if (n < 0 || (size_t)n >= sizeof at.sun_path)
        return report_set(r, SOUK_EINVALID, "the path of the home is too long for a socket: %s", home);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    limit_sending(fd, timeout_ms ? timeout_ms : MINUTE_MS);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return not_connected(home, why, r);
    }
    struct client *c = xcalloc(1, sizeof *c);
    c->fd = fd;
    c->timeout_ms = timeout_ms;
    snprintf(c->home, sizeof c->home, "%s", home);
    *out = c;
    return 0;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    close(c->fd);
    buf_wipe(&c->in);
    buf_free(&c->notes);
    free(c);
}

static int too_late(const struct client *c, const char *method, uint64_t ms, struct report *r)
{
    return report_set(
        r, SOUK_ETIMEOUT,
        "the node in %s has not answered %s in %llu s: it is busy or stuck. What was asked may "
        "still be done: look before you ask again; --timeout 10m waits longer, 0 for ever",
        c->home, method, (unsigned long long)(ms + 999) / 1000);
}

/* SOUK_ETIMEOUT without words. */
static int send_all(struct client *c, struct span s, struct report *r)
{
    while (s.n) {
        ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return SOUK_ETIMEOUT;
        if (n <= 0)
            return report_set(r, SOUK_ECLOSED, "the node closed the connection");
        s.p += n;
        s.n -= (size_t)n;
    }
    return 0;
}

/* until_ms: on the monotonic clock.  SOUK_ETIMEOUT without words. */
static int read_some(struct client *c, uint64_t until_ms, struct report *r)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    uint64_t now = now_ms(), left = until_ms > now ? until_ms - now : 0;
    int ready = poll(&p, 1, until_ms == UINT64_MAX ? -1 : left < INT32_MAX ? (int)left : INT32_MAX);
    if (ready == 0 && now_ms() >= until_ms)
        return SOUK_ETIMEOUT;
    if (ready <= 0)
        return 0; /* a signal: whoever waits looks again */
    uint8_t *to = buf_grow(&c->in, 65536);
    ssize_t n = recv(c->fd, to, 65536, 0);
    c->in.n -= 65536 - (n > 0 ? (size_t)n : 0);
    if (n == 0 || (n < 0 && errno != EINTR))
        return report_set(r, SOUK_ECLOSED, "the node closed the connection");
    return 0;
}

struct message {
    uint64_t type, id;
    struct span a, b; /* error and result; or method and params */
    size_t bytes;
};

/* A whole message at the front of what was read, or false. */
static bool whole(const struct client *c, struct message *m)
{
    struct cursor in;
    cursor_init(&in, buf_view(&c->in));
    in.lax = true;
    size_t n = cursor_array(&in, 3, 4);
    m->type = cursor_uint(&in, 0, 2);
    m->id = n == 4 ? cursor_uint(&in, 0, UINT64_MAX) : 0;
    m->a = cursor_skip(&in);
    m->b = cursor_skip(&in);
    cursor_leave(&in);
    m->bytes = (size_t)(in.at - c->in.p);
    return in.err == 0;
}

static int refused(struct span error, struct report *r)
{
    struct cursor c;
    int err = SOUK_EREFUSED;
    char text[500] = "";
    cursor_init(&c, error);
    c.lax = true;
    size_t n = cursor_map(&c, 16);
    for (size_t i = 0; i < n && !c.err; i++) {
        struct span key = cursor_str(&c, 0, 64), value;
        if (span_eq(key, span_str("code"))) {
            char name[65] = {0};
            value = cursor_str(&c, 0, 64);
            snprintf(name, sizeof name, "%.*s", (int)value.n, value.n ? (const char *)value.p : "");
            err = err_by_name(name) ? err_by_name(name) : SOUK_EREFUSED;
        } else if (span_eq(key, span_str("message"))) {
            value = cursor_text(&c, 0, 4000);
            snprintf(text, sizeof text, "%.*s", (int)value.n, value.n ? (const char *)value.p : "");
        } else
            cursor_skip(&c);
    }
    return report_set(r, err, "%s", text[0] ? text : err_sentence(err));
}

int client_call(struct client *c, const char *method, struct span params, struct buf *result,
                struct report *r)
{
    struct buf b = {0};
    struct message m;
    uint64_t id = ++c->next, ms = patience_ms(c, method);
    uint64_t until = ms == CLIENT_PATIENT ? UINT64_MAX : now_ms() + ms;
    pack_array(&b, 4);
    pack_uint(&b, 0);
    pack_uint(&b, id);
    pack_cstr(&b, method);
    buf_span(&b, params);
    int err = send_all(c, buf_view(&b), r);
    buf_wipe(&b); /* may hold a passphrase */
    while (!err) {
        if (!whole(c, &m)) {
            err = read_some(c, until, r);
            continue;
        }
        bool mine = m.type == 1 && (m.id == id || m.id == 0);
        if (m.type == 2)
            buf_span(&c->notes, m.b);
        if (mine && !(m.a.n == 1 && m.a.p[0] == 0xc0))
            err = refused(m.a, r);
        else if (mine) {
            buf_clear(result);
            buf_span(result, m.b);
        }
        buf_drop(&c->in, m.bytes);
        if (mine)
            return err;
    }
    return err == SOUK_ETIMEOUT ? too_late(c, method, ms, r) : err;
}

int client_wait(struct client *c, int timeout_ms, struct buf *out, struct report *r)
{
    struct message m;
    uint64_t until = timeout_ms < 0 ? UINT64_MAX : now_ms() + (uint64_t)timeout_ms;
    for (;;) {
        if (c->notes.n) {
            struct cursor in;
            cursor_init(&in, buf_view(&c->notes));
            in.lax = true;
            struct span note = cursor_skip(&in);
            buf_clear(out);
            buf_span(out, note);
            buf_drop(&c->notes, note.n);
            return 0;
        }
        if (whole(c, &m)) {
            if (m.type == 2)
                buf_span(&c->notes, m.b);
            buf_drop(&c->in, m.bytes);
            continue;
        }
        int err = read_some(c, until, r);
        if (err)
            return err;
    }
}
