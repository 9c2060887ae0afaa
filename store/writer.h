/* writer.h: which changes go into the next transaction.  A policy, without threads or clocks: the daemon's
 * writer thread uses it under its mutex, the simulator in virtual time.
 *
 * Two classes.  Interactive changes (somebody waits) go at once, and hold bulk (intake from peers) to 64 in
 * the same batch, so that one acknowledged write costs about one sync even under full intake.  Bulk alone
 * waits for 1,000 changes or for 50 ms after the first of them came; for a second after an interactive
 * change, when another may well follow, it goes in batches of 256, so that the next one never waits long
 * for a batch to end.  Within a class order is kept. */
#ifndef SOUK_WRITER_H
#define SOUK_WRITER_H
#include "store/store.h"

enum {
    WRITER_BULK_BATCH = 1000,      /* most bulk changes in a transaction of their own */
    WRITER_BULK_BESIDE = 64,       /* beside interactive ones */
    WRITER_BULK_LIVELY = 256,      /* the same, while somebody works with the node: */
    WRITER_LIVELY_MS = 1000,       /* this long after an interactive change */
    WRITER_BULK_WAIT_MS = 50,      /* longest wait of the first bulk change */
    WRITER_INTERACTIVE_MAX = 1024, /* most interactive changes in a transaction */
    WRITER_QUEUE_MAX = 65536,      /* a class's bound */
};
struct writer_ring {
    struct change **v;
    size_t at, n, cap;
};
struct writer_queue {
    struct writer_ring interactive, bulk;
    struct change **batch;
    bool hurry, lively;
    uint64_t lively_until_ms;
    uint64_t bulk_since_ms;                          /* when the oldest bulk change came */
    uint64_t pushed, refused, batches, most_waiting; /* counters for node.status */
};
void writer_init(struct writer_queue *q);
void writer_free(struct writer_queue *q); /* frees the changes that wait */
/* Takes the change; false when its class is full: the change is then still the caller's, who must come
 * back later (backpressure: stop reading from whoever sends). */
bool writer_push(struct writer_queue *q, struct change *c, uint64_t now_ms);
/* The next batch, if one is due: true, with n changes (valid until the next take; they are the caller's
 * now).  Called again after each batch was applied. */
bool writer_take(struct writer_queue *q, uint64_t now_ms, struct change ***out, size_t *n);
/* When writer_take will next have a batch: now or earlier when one is due, UINT64_MAX when nothing waits.
 */
uint64_t writer_next_ms(const struct writer_queue *q);
size_t writer_waiting(const struct writer_queue *q);
/* At shutdown: everything that waits is due at once. */
void writer_hurry(struct writer_queue *q);
#endif
