/* host.h (node/host): the daemon's world: a libuv loop that feeds a node events and carries out its
 * effects.
 *
 * Threads: the loop thread owns the node; two workers take jobs in order and give them back in order, a
 * class at a time; one writer owns LMDB's write transaction (store/writer.h decides what goes together). */
#ifndef SOUK_NODE_HOST_H
#define SOUK_NODE_HOST_H
#include "crypto/base/err.h"
#include "node/node.h"

struct host_config {
    const char *home; /* the socket is home/souk.sock, the store home/store */
    bool read_only_socket;
    uint64_t map_bytes;
    uint64_t quota_bytes; /* what the store may hold before what is others' goes; at most 7/8 of the map */
    bool listen_by_default; /* the addresses were not asked for: IPv6 may be missing */
    unsigned conns_most;    /* sockets of peers and clients together; default 512 */
};
/* Runs until FX_STOP, SIGTERM or SIGINT.  0, or an error with words (port in use, home in use, disk). */
int host_run(const struct host_config *hc, struct node_config *nc, struct report *r);

/* mark.c: remembers, beside the store, how far it has come.  *put_back: an older copy of it, or a copy of
 * the home, is what lies there now. */
struct mark;
int mark_open(struct mark **out, const char *home, uint64_t commit, bool *put_back, struct report *r);
void mark_write(struct mark *m, uint64_t commit);
void mark_close(struct mark *m);

/* workers.c: two threads of our own (libuv's pool can be blocked by DNS).  `done` is called on some thread
 * when finished jobs wait; workers_take then gives those whose turn has come, in order within a class. */
struct workers;
struct workers *workers_new(unsigned threads, void (*done)(void *), void *arg);
void workers_give(struct workers *w, struct job *job);
size_t workers_take(struct workers *w, struct job **out, size_t most);
void workers_free(struct workers *w); /* waits for what runs; frees what is queued */

/* writer_thread.c: the thread around store/writer.h. */
struct writer_thread;
struct writer_thread *writer_thread_new(struct store *s, void (*done)(void *), void *arg);
void writer_thread_give(struct writer_thread *w, struct change *change);
size_t writer_thread_take(struct writer_thread *w, struct change **out, size_t most);
void writer_thread_free(struct writer_thread *w); /* commits what is queued, then stops */
#endif
