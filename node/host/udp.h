/* udp.h: the datagrams of one socket, many a system call; for the daemon's loop and for benches.
 *
 * libuv's own uv_udp reads many at once only into chunks of 64 KiB, asks once more after every batch, and
 * sends many at once only what had to wait for a full socket.  This polls the socket by uv_poll and calls
 * recvmmsg and sendmmsg itself: up to UDP_BATCH datagrams in and out a call, in buffers of one struct.
 *
 * A socket bound to any address of the machine notes which of them each datagram came to; what goes back to
 * its sender while it is handed out leaves from there.  Else the kernel would choose, on a machine of
 * several addresses perhaps another than was asked, and whoever asked would take the answer for a
 * stranger's.
 *
 * What udp_send is given waits for udp_flush.  While a batch that came in is being handed out, udp_flush
 * does nothing: the end of the batch flushes, so that the answers to a batch leave together. */
#ifndef SOUK_UDP_H
#define SOUK_UDP_H
#include "crypto/base/host.h"
#include <sys/socket.h>
#include <uv.h>

enum { UDP_BATCH = 8, UDP_DGRAM_MOST = 1232 /* what the least MTU of IPv6 leaves */ };

struct udp;
/* One datagram; the bytes are borrowed for the call.  Longer ones than UDP_DGRAM_MOST are dropped. */
typedef void udp_got(void *arg, const struct addr *from, struct span bytes);
/* 0, or a libuv error (UV_EADDRINUSE, …).  The port may be 0: udp_addr tells which it became. */
int udp_open(struct udp **out, uv_loop_t *loop, const struct addr *at, udp_got *got, void *arg);
void udp_close(struct udp *u); /* NULL is fine; the loop must run once more after it */
struct addr udp_addr(const struct udp *u);

/* What the kernel cannot take is lost, as datagrams are, and counted. */
void udp_send(struct udp *u, const struct addr *to, struct span bytes);
void udp_flush(struct udp *u);

struct udp_stats {
    uint64_t got, got_calls, sent, sent_calls, lost; /* datagrams and system calls; not sent */
};
void udp_stats_read(const struct udp *u, struct udp_stats *out);
#endif
