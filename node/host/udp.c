/* udp.c: see udp.h. */
#include "node/host/udp.h"
#include "crypto/base/err.h"
#include "node/host/streams.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCHES_A_TURN = 8 /* then timers, streams and threads have their turn */ };

union inet {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
};
/* Room for one address of the machine: struct in_pktinfo or in6_pktinfo, with its head. */
struct control {
    _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};
struct batch {
    struct mmsghdr msgs[UDP_BATCH];
    struct iovec parts[UDP_BATCH];
    union inet peers[UDP_BATCH];
    struct control controls[UDP_BATCH];
    uint8_t bytes[UDP_BATCH][UDP_DGRAM_MOST];
};
struct udp {
    uv_poll_t poll;
    int fd;
    udp_got *got;
    void *arg;
    bool any; /* bound to any address of the machine */
    bool handing_out;
    const struct msghdr *now; /* what is being handed out, and from whom it came */
    struct addr now_from;
    unsigned out_n;
    struct batch *in, *out;
    struct udp_stats stats;
};

/* Not cleared: pages for more datagrams than ever come at once are never touched. */
static struct batch *batch_new(void)
{
    struct batch *b = xmalloc(sizeof *b);
    for (int i = 0; i < UDP_BATCH; i++) {
        b->parts[i] = (struct iovec){b->bytes[i], UDP_DGRAM_MOST};
        b->msgs[i].msg_hdr = (struct msghdr){.msg_name = &b->peers[i],
                                             .msg_namelen = sizeof b->peers[i],
                                             .msg_iov = &b->parts[i],
                                             .msg_iovlen = 1};
    }
    return b;
}

static void udp_free(struct udp *u)
{
    free(u->in);
    free(u->out);
    free(u);
}

static void hand_out(struct udp *u, int n)
{
    u->handing_out = true;
    for (int i = 0; i < n; i++) {
        struct mmsghdr *m = &u->in->msgs[i];
        bool whole = !(m->msg_hdr.msg_flags & MSG_TRUNC) && m->msg_len > 0;
        m->msg_hdr.msg_namelen = sizeof u->in->peers[i];
        u->now = &m->msg_hdr;
        if (whole && sockaddr_to(&u->now_from, &u->in->peers[i].any))
            u->got(u->arg, &u->now_from, span(u->in->parts[i].iov_base, m->msg_len));
    }
    u->now = NULL;
    u->handing_out = false;
}

/* recvmmsg says how much it filled, and wants to be told anew how much there is. */
static void make_room(struct udp *u)
{
    for (int i = 0; u->any && i < UDP_BATCH; i++) {
        u->in->msgs[i].msg_hdr.msg_control = &u->in->controls[i];
        u->in->msgs[i].msg_hdr.msg_controllen = sizeof u->in->controls[i];
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct udp *u = (struct udp *)poll;
    (void)events;
    if (status < 0)
        return;
    for (int turn = 0; turn < BATCHES_A_TURN; turn++) {
        make_room(u);
        int n = recvmmsg(u->fd, u->in->msgs, UDP_BATCH, MSG_DONTWAIT, NULL);
        u->stats.got_calls++;
        if (n <= 0)
            return; /* nothing, or an error of one datagram that is gone: the next call tells more */
        u->stats.got += (unsigned)n;
        hand_out(u, n);
        udp_flush(u);
        if (n < UDP_BATCH || uv_is_closing((uv_handle_t *)poll))
            return;
    }
}

static int bind_to(int fd, const struct addr *at)
{
    struct sockaddr_storage to;
    int on = 1;
    if (!sockaddr_from(&to, at))
        return UV_EINVAL;
    /* A socket a family: "::" leaves IPv4 to "0.0.0.0", whatever the machine's default is. */
    if (to.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return uv_translate_sys_error(errno);
    if (addr_is_any(at) &&
        (to.ss_family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on)
                                  : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on)) != 0)
        return uv_translate_sys_error(errno);
    socklen_t n = to.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    return bind(fd, (struct sockaddr *)&to, n) ? uv_translate_sys_error(errno) : 0;
}

int udp_open(struct udp **out, uv_loop_t *loop, const struct addr *at, udp_got *got, void *arg)
{
    int fd = socket(addr_is_ipv4(at) ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    struct udp *u = xcalloc(1, sizeof *u);
    int err = bind_to(fd, at);
    if (!err)
        err = uv_poll_init(loop, &u->poll, fd);
    if (err) {
        close(fd);
        udp_free(u);
        return err;
    }
    u->fd = fd;
    u->any = addr_is_any(at);
    u->got = got;
    u->arg = arg;
    u->in = batch_new();
    u->out = batch_new();
    uv_poll_start(&u->poll, UV_READABLE, on_poll);
    *out = u;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    udp_free((struct udp *)handle);
}

void udp_close(struct udp *u)
{
    if (!u)
        return;
    uv_close((uv_handle_t *)&u->poll, on_closed);
    close(u->fd);
}

struct addr udp_addr(const struct udp *u)
{
    union inet at = {.ip6 = {.sin6_family = AF_UNSPEC}};
    socklen_t n = sizeof at;
    struct addr a = {{0}, 0};
    if (getsockname(u->fd, &at.any, &n) == 0)
        (void)sockaddr_to(&a, &at.any);
    return a;
}

/* The address that a datagram came to, as what the one that leaves from there says; 0: none.  By whatever
 * way leads there: only an address of one link needs that link. */
static size_t leaves_from(struct control *into, const struct msghdr *came)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(came);
    if (!c || c->cmsg_len > sizeof into->bytes)
        return 0;
    struct cmsghdr *out = memcpy(into->bytes, c, c->cmsg_len);
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(out), sizeof info);
        info.ipi_ifindex = 0;
        memcpy(CMSG_DATA(out), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(out), sizeof info);
        if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
            info.ipi6_ifindex = 0;
        memcpy(CMSG_DATA(out), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    return 0;
}

void udp_send(struct udp *u, const struct addr *to, struct span bytes)
{
    struct sockaddr_storage at;
    if (u->out_n == UDP_BATCH) {
        bool in_batch = u->handing_out;
        u->handing_out = false;
        udp_flush(u);
        u->handing_out = in_batch;
    }
    if (bytes.n > UDP_DGRAM_MOST || !sockaddr_from(&at, to)) {
        u->stats.lost++;
        return;
    }
    unsigned i = u->out_n++;
    memcpy(&u->out->peers[i], &at, sizeof u->out->peers[i]);
    u->out->msgs[i].msg_hdr.msg_namelen =
        at.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    struct msghdr *m = &u->out->msgs[i].msg_hdr;
    bool back = u->any && u->now && addr_eq(&u->now_from, to);
    m->msg_controllen = back ? leaves_from(&u->out->controls[i], u->now) : 0;
    m->msg_control = m->msg_controllen ? &u->out->controls[i] : NULL;
    memcpy(u->out->bytes[i], bytes.p, bytes.n);
    u->out->parts[i].iov_len = bytes.n;
}

/* How many went, at least one; or -1. */
static int send_some(struct udp *u, unsigned at)
{
    struct mmsghdr *m = u->out->msgs + at;
    if (u->out_n - at > 1)
        return sendmmsg(u->fd, m, u->out_n - at, MSG_DONTWAIT);
    /* One alone: the plain call has less to copy. */
    const struct msghdr *h = &m->msg_hdr;
    if (h->msg_control)
        return sendmsg(u->fd, h, MSG_DONTWAIT) < 0 ? -1 : 1;
    return sendto(u->fd, h->msg_iov->iov_base, h->msg_iov->iov_len, MSG_DONTWAIT, h->msg_name,
                  h->msg_namelen) < 0
               ? -1
               : 1;
}

void udp_flush(struct udp *u)
{
    if (u->handing_out)
        return;
    for (unsigned at = 0; at < u->out_n;) {
        int n = send_some(u, at);
        u->stats.sent_calls++;
        if (n > 0) {
            u->stats.sent += (unsigned)n;
            at += (unsigned)n;
        } else if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            u->stats.lost += u->out_n - at;
            break;
        } else if (errno != EINTR) { /* the first of them cannot be sent: no route, not allowed, … */
            u->stats.lost++;
            at++;
        }
    }
    u->out_n = 0;
}

void udp_stats_read(const struct udp *u, struct udp_stats *out)
{
    *out = u->stats;
}
