/* workers.c: verification and work off the loop, released in ticket order within a class. */
#include "crypto/sign.h"
#include "crypto/work.h"
#include "node/host/host.h"
#include <pthread.h>
#include <stdlib.h>

enum { CLASSES = 2, GRAB = 32 };

struct ticket {
    struct job *job;
    struct ticket *next; /* in order of arrival */
    bool taken, finished;
};
struct lane {
    struct ticket *first, *last; /* oldest first; released from the front once finished */
};
struct workers {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct lane lane[CLASSES];
    pthread_t *threads;
    unsigned threads_n;
    bool stop;
    void (*done)(void *);
    void *arg;
};

static void run_job(struct job *j)
{
    if (j->class == JOB_VERIFY)
        j->done = sign_check(j->key, (const struct id *)j->msg, (const struct sig *)j->sig);
    else
        j->done = work_search((const struct id *)j->msg, j->nonce, j->tries, j->bits, &j->nonce);
}

/* Takes up to GRAB waiting jobs: verification first, since a slice of solving can be long. */
static size_t grab(struct workers *w, struct ticket **out)
{
    for (int class = 0; class < CLASSES; class ++) {
        size_t n = 0, most = class == JOB_VERIFY ? GRAB : 1;
        for (struct ticket *t = w->lane[class].first; t && n < most; t = t->next)
            if (!t->taken) {
                t->taken = true;
                out[n++] = t;
            }
        if (n)
            return n;
    }
    return 0;
}

static void *worker_main(void *arg)
{
    struct workers *w = arg;
    struct ticket *mine[GRAB];
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        size_t n = grab(w, mine);
        if (!n) {
            pthread_cond_wait(&w->more, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        for (size_t i = 0; i < n; i++)
            run_job(mine[i]->job);
        pthread_mutex_lock(&w->lock);
        for (size_t i = 0; i < n; i++)
            mine[i]->finished = true;
        pthread_mutex_unlock(&w->lock);
        w->done(w->arg);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct workers *workers_new(unsigned threads, void (*done)(void *), void *arg)
{
    struct workers *w = xcalloc(1, sizeof *w);
    w->done = done;
    w->arg = arg;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->threads = xcalloc(threads, sizeof *w->threads);
    for (; w->threads_n < threads; w->threads_n++)
        MUST(pthread_create(&w->threads[w->threads_n], NULL, worker_main, w) == 0);
    return w;
}

void workers_give(struct workers *w, struct job *job)
{
    struct ticket *t = xcalloc(1, sizeof *t);
    t->job = job;
    pthread_mutex_lock(&w->lock);
    struct lane *lane = &w->lane[job->class];
    if (lane->last)
        lane->last->next = t;
    else
        lane->first = t;
    lane->last = t;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

size_t workers_take(struct workers *w, struct job **out, size_t most)
{
    size_t n = 0;
    pthread_mutex_lock(&w->lock);
    for (int class = 0; class < CLASSES; class ++) {
        struct lane *lane = &w->lane[class];
        while (n < most && lane->first && lane->first->finished) {
            struct ticket *t = lane->first;
            lane->first = t->next;
            if (!lane->first)
                lane->last = NULL;
            out[n++] = t->job;
            free(t);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return n;
}

void workers_free(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->threads_n; i++)
        pthread_join(w->threads[i], NULL);
    for (int class = 0; class < CLASSES; class ++)
        for (struct ticket *t = w->lane[class].first, *next; t; t = next) {
            next = t->next;
            free(t->job);
            free(t);
        }
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w->threads);
    free(w);
}
