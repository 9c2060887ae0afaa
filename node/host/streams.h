/* streams.h: stream sockets by conn_id, for uv.c only. */
#ifndef SOUK_STREAMS_H
#define SOUK_STREAMS_H
#include "crypto/base/host.h"
#include <sys/socket.h>
#include <uv.h>

bool sockaddr_from(struct sockaddr_storage *out, const struct addr *a);
bool sockaddr_to(struct addr *out, const struct sockaddr *sa);

struct streams;
typedef void streams_input(void *arg, const struct event *ev);
struct streams *streams_new(uv_loop_t *loop, unsigned conns_most, streams_input *input, void *arg);
void streams_free(struct streams *s); /* closes all; the loop must run once more after it */
int streams_listen_tcp(struct streams *s, const struct sockaddr_storage *at); /* libuv error */
int streams_listen_unix(struct streams *s, const char *path, enum listener kind);
void streams_dial(struct streams *s, conn_id conn, const struct addr *to);
void streams_write(struct streams *s, conn_id conn, struct span bytes);
void streams_close(struct streams *s, conn_id conn);
void streams_pause(struct streams *s, conn_id conn, bool pause);
#endif
