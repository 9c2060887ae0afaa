#include "cli/client.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct client {
    int fd;
    uint64_t next;
    struct buf in, notes; /* read and not yet taken; notifications, one value after another */
};

int client_open(struct client **out, const char *home, struct report *r)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/souk.sock", home);
    if (n < 0 || (size_t)n >= sizeof at.sun_path)
        return report_set(r, SOUK_EINVALID, "the path of the home is too long for a socket: %s", home);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        if (fd >= 0)
            close(fd);
        return report_set(r, SOUK_ENO_NODE, "no node is running in %s: start one with `soukd --home %s`",
                          home, home);
    }
    struct client *c = xcalloc(1, sizeof *c);
    c->fd = fd;
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

static int send_all(struct client *c, struct span s, struct report *r)
{
    while (s.n) {
        ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return report_set(r, SOUK_ECLOSED, "the node closed the connection");
        s.p += n;
        s.n -= (size_t)n;
    }
    return 0;
}

static int read_some(struct client *c, int timeout_ms, struct report *r)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int ready = poll(&p, 1, timeout_ms);
    if (ready == 0)
        return SOUK_ETIMEOUT;
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
            memcpy(name, value.p, value.n);
            err = err_by_name(name) ? err_by_name(name) : SOUK_EREFUSED;
        } else if (span_eq(key, span_str("message"))) {
            value = cursor_text(&c, 0, 4000);
            snprintf(text, sizeof text, "%.*s", (int)value.n, (const char *)value.p);
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
    uint64_t id = ++c->next;
    pack_array(&b, 4);
    pack_uint(&b, 0);
    pack_uint(&b, id);
    pack_cstr(&b, method);
    buf_span(&b, params);
    int err = send_all(c, buf_view(&b), r);
    buf_wipe(&b); /* may hold a passphrase */
    while (!err) {
        if (!whole(c, &m)) {
            err = read_some(c, -1, r);
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
    return err;
}

int client_wait(struct client *c, int timeout_ms, struct buf *out, struct report *r)
{
    struct message m;
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
        int err = read_some(c, timeout_ms, r);
        if (err)
            return err;
    }
}
