// links: host
/* Two threads check signatures and look for nonces; what they give back is in order within a class. */
#include "crypto/sign.h"
#include "crypto/work.h"
#include "node/host/host.h"
#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct bell {
    pthread_mutex_t lock;
    pthread_cond_t rung;
    unsigned times;
};

static void ring(void *arg)
{
    struct bell *b = arg;
    pthread_mutex_lock(&b->lock);
    b->times++;
    pthread_cond_signal(&b->rung);
    pthread_mutex_unlock(&b->lock);
}

static void wait_ring(struct bell *b)
{
    pthread_mutex_lock(&b->lock);
    while (!b->times)
        pthread_cond_wait(&b->rung, &b->lock);
    b->times = 0;
    pthread_mutex_unlock(&b->lock);
}

static struct keypair author;

static struct job *verify_job(uint64_t n, bool good)
{
    struct job *j = calloc(1, sizeof *j);
    struct id hash = {{0}};
    struct sig sig;
    be64_put(hash.b, n);
    sign_hash(&sig, author.sk, &hash);
    j->class = JOB_VERIFY;
    j->cookie = n;
    memcpy(j->key, author.pk, 32);
    memcpy(j->msg, hash.b, 32);
    memcpy(j->sig, sig.b, 64);
    j->sig[5] ^= !good;
    return j;
}

static struct job *solve_job(uint64_t n, unsigned bits)
{
    struct job *j = calloc(1, sizeof *j);
    j->class = JOB_SOLVE;
    j->cookie = n;
    be64_put(j->msg, n);
    j->bits = (uint8_t)bits;
    j->tries = UINT64_MAX;
    return j;
}

/* Gives verifying and solving mixed; checks that each class comes back in order and rightly judged. */
static void order_within_a_class(void **state)
{
    (void)state;
    enum { VERIFY = 2000, SOLVE = 40 };
    struct bell bell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct workers *w = workers_new(2, ring, &bell);
    for (uint64_t i = 0; i < VERIFY; i++) {
        workers_give(w, verify_job(i, i % 7 != 0));
        if (i % (VERIFY / SOLVE) == 0)
            workers_give(w,
                         solve_job(i / (VERIFY / SOLVE), i % 3 ? 1 : 10)); /* long ones before short ones */
    }
    uint64_t next[2] = {0, 0};
    struct job *got[64];
    while (next[JOB_VERIFY] < VERIFY || next[JOB_SOLVE] < SOLVE) {
        wait_ring(&bell);
        size_t n;
        while ((n = workers_take(w, got, 64)) > 0)
            for (size_t i = 0; i < n; i++) {
                struct job *j = got[i];
                assert_int_equal(j->cookie, next[j->class]++);
                if (j->class == JOB_VERIFY)
                    assert_int_equal(j->done, j->cookie % 7 != 0);
                else
                    assert_true(j->done);
                free(j);
            }
    }
    assert_int_equal(workers_take(w, got, 64), 0);
    workers_free(w);
}

/* Ending while jobs run and wait leaks nothing (ASan looks) and waits for what runs. */
static void free_while_busy(void **state)
{
    (void)state;
    struct bell bell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    for (int round = 0; round < 20; round++) {
        struct workers *w = workers_new(2, ring, &bell);
        for (uint64_t i = 0; i < 200; i++) {
            workers_give(w, verify_job(i, true));
            workers_give(w, solve_job(i, 8));
        }
        if (round % 2)
            wait_ring(&bell);
        workers_free(w);
    }
    workers_free(NULL);
}

static void a_slice_ends(void **state)
{
    (void)state;
    struct bell bell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct workers *w = workers_new(1, ring, &bell);
    struct job *j = solve_job(1, 30);
    j->tries = 100;
    workers_give(w, j);
    wait_ring(&bell);
    assert_int_equal(workers_take(w, &j, 1), 1);
    assert_false(j->done); /* 100 tries do not find 30 bits: the caller asks for another slice */
    free(j);
    workers_free(w);
}

int main(void)
{
    uint8_t seed[32] = {1};
    if (sodium_init() < 0)
        return 1;
    sign_keypair_from_seed(&author, seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_within_a_class),
        cmocka_unit_test(free_while_busy),
        cmocka_unit_test(a_slice_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
