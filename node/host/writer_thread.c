/* writer_thread.c: the thread around store/writer.h. */
#include "node/host/host.h"
#include "store/writer.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct writer_thread {
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread;
    struct store *store;
    struct writer_queue queue;
    struct change **done, **held; /* applied; and given when the queue was full */
    size_t done_n, done_cap, held_n, held_cap;
    bool stop;
    void (*tell)(void *);
    void *arg;
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void append(struct change ***v, size_t *n, size_t *cap, struct change *c)
{
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 64;
        *v = xrealloc(*v, *cap * sizeof **v);
    }
    (*v)[(*n)++] = c;
}

/* What did not fit goes in as soon as there is room, in order: the rooms' own bounds keep this short. */
static void take_held(struct writer_thread *w)
{
    size_t i = 0;
    while (i < w->held_n && writer_push(&w->queue, w->held[i], now_ms()))
        i++;
    w->held_n -= i;
    if (i && w->held_n)
        memmove(w->held, w->held + i, w->held_n * sizeof *w->held);
}

static void wait_until(struct writer_thread *w, uint64_t at_ms)
{
    if (at_ms == UINT64_MAX) {
        pthread_cond_wait(&w->more, &w->lock);
        return;
    }
    struct timespec until = {(time_t)(at_ms / 1000), (long)(at_ms % 1000) * 1000000};
    pthread_cond_timedwait(&w->more, &w->lock, &until);
}

static void *writer_main(void *arg)
{
    struct writer_thread *w = arg;
    struct change **batch;
    size_t n;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        take_held(w);
        if (w->stop)
            writer_hurry(&w->queue);
        if (!writer_take(&w->queue, now_ms(), &batch, &n)) {
            if (w->stop)
                break;
            wait_until(w, writer_next_ms(&w->queue));
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        store_apply(w->store, batch, n);
        pthread_mutex_lock(&w->lock);
        for (size_t i = 0; i < n; i++)
            append(&w->done, &w->done_n, &w->done_cap, batch[i]);
        w->tell(w->arg);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct writer_thread *writer_thread_new(struct store *s, void (*done)(void *), void *arg)
{
    struct writer_thread *w = xcalloc(1, sizeof *w);
    pthread_condattr_t attr;
    w->store = s;
    w->tell = done;
    w->arg = arg;
    writer_init(&w->queue);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->more, &attr);
    pthread_condattr_destroy(&attr);
    MUST(pthread_create(&w->thread, NULL, writer_main, w) == 0);
    return w;
}

void writer_thread_give(struct writer_thread *w, struct change *change)
{
    pthread_mutex_lock(&w->lock);
    if (w->held_n || !writer_push(&w->queue, change, now_ms()))
        append(&w->held, &w->held_n, &w->held_cap, change);
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

size_t writer_thread_take(struct writer_thread *w, struct change **out, size_t most)
{
    pthread_mutex_lock(&w->lock);
    size_t n = w->done_n < most ? w->done_n : most;
    if (n) {
        memcpy(out, w->done, n * sizeof *out);
        w->done_n -= n;
        memmove(w->done, w->done + n, w->done_n * sizeof *w->done);
    }
    pthread_mutex_unlock(&w->lock);
    return n;
}

void writer_thread_free(struct writer_thread *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    for (size_t i = 0; i < w->done_n; i++)
        change_free(w->done[i]);
    for (size_t i = 0; i < w->held_n; i++)
        change_free(w->held[i]);
    writer_free(&w->queue);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w->done);
    free(w->held);
    free(w);
}
