/* intake.c: how fast gossiped records are taken in, to durable and reconcilable, against the rate at which
 * libsodium verifies signatures on one core in the same run; and how long an interactive write takes while
 * intake and index flushes run.
 *
 *   bench_intake [records] [text]     text: 0 without (default), 1 with the text index
 *
 * One thread verifies and hands changes to the writer's thread, which applies them by the policy of
 * store/writer.h.  "One core" pins both to core 0; "two cores" adds a second verifier and pins nothing.
 * Beside the rate stands what the threads' own CPU time would allow: on a busy machine the former says
 * more about the others than about souk. */
#include "crypto/base/rng.h"
#include "store/query.h"
#include "store/writer.h"
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BODY = 600, KEYS = 64, WINDOW = 20000 };

static void unpin(void)
{
    cpu_set_t set;
    memset(&set, 0xff, sizeof set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What a thread really used: the machine may be busy with other things. */
static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t now_ms(void)
{
    return (uint64_t)(now_s() * 1000);
}

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/* ---- records to take in ---- */

struct sample {
    uint8_t body[BODY], hash[32], sig[64];
};
static uint8_t public_keys[KEYS][32], secret_keys[KEYS][64];

static void sample_make(struct sample *s, uint64_t n, struct rng *rng)
{
    rng_bytes(rng, s->body, sizeof s->body);
    be64_put(s->body, n);
    crypto_generichash(s->hash, 32, s->body, BODY, NULL, 0);
    crypto_sign_detached(s->sig, NULL, s->hash, 32, secret_keys[n % KEYS]);
}

/* Verifying is what counts: a few thousand signed samples are used again and again, each time under a new
 * id, so that making them does not take longer than the measurement. */
enum { SAMPLES = 4096 };
static struct sample samples[SAMPLES];

static bool sample_verify(uint64_t n)
{
    const struct sample *s = &samples[n % SAMPLES];
    uint8_t hash[32];
    crypto_generichash(hash, 32, s->body, BODY, NULL, 0);
    return crypto_sign_verify_detached(s->sig, hash, 32, public_keys[n % SAMPLES % KEYS]) == 0;
}

static struct change *sample_change(uint64_t n, struct rng *rng)
{
    const struct sample *s = &samples[n % SAMPLES];
    struct op op = {.kind = OP_RECORD};
    char topic[16];
    rng_bytes(rng, op.record.id.b, 32);
    rng_bytes(rng, op.record.author.b, 32);
    snprintf(topic, sizeof topic, "bikes/%c%c", 'A' + (int)(n % 20), 'A' + (int)(n / 20 % 10));
    op.record.kind = 2;
    op.record.has_slot = true;
    op.record.revision = 1;
    op.record.created = (int64_t)(n * 10 + rng_below(rng, 60000));
    op.record.expires = op.record.created + 86400000ll * (30 + (int64_t)rng_below(rng, 60));
    op.record.received = op.record.created;
    op.record.topic = span_str(topic);
    op.record.bytes = span(s->body, BODY);
    struct change *c = change_new(0, 0, n);
    c->bulk = true;
    change_record(c, &op);
    return c;
}

/* ---- texts ---- */

static const char *const common[] = {"vélo",      "bike",   "annonce", "grand", "state", "bon",    "état",
                                     "livraison", "wheels", "roues",   "rouge", "red",   "enfant", "child",
                                     "vintage",   "cadre",  "frame",   "the",   "de",    "la",     "et",
                                     "and",       "pour",   "with",    "comme", "neuf",  "very",   "petit"};
static size_t word_make(char *out, size_t cap, struct rng *rng)
{
    /* half from a short list, half from a long tail by the inverse of the rank */
    if (rng_below(rng, 2))
        return (size_t)snprintf(out, cap, "%s ", common[rng_below(rng, sizeof common / sizeof *common)]);
    uint64_t r = rng_below(rng, 1 + rng_below(rng, 200000));
    size_t n = 0;
    do {
        out[n++] = "bcdfglmnprstv"[r % 13];
        out[n++] = "aeiou"[r % 5];
        r /= 11;
    } while (r && n < 12);
    out[n++] = ' ';
    out[n] = 0;
    return n;
}

static void text_make(char *out, size_t cap, int words, struct rng *rng)
{
    size_t n = 0;
    for (int i = 0; i < words && n + 32 < cap; i++)
        n += word_make(out + n, cap - n, rng);
    out[n ? n - 1 : 0] = 0;
}

/* Made before the clock starts: drawing the words costs more than indexing them. */
struct text {
    char title[80], body[400];
};
static struct text *texts;
static uint64_t texts_n;

static void texts_make(uint64_t n, struct rng *rng)
{
    texts = xcalloc(n, sizeof *texts);
    texts_n = n;
    for (uint64_t i = 0; i < n; i++) {
        text_make(texts[i].title, sizeof texts[i].title, 6, rng);
        text_make(texts[i].body, sizeof texts[i].body, 35, rng);
    }
}

/* ---- the writer's thread ---- */

struct writer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more, done;
    struct writer_queue queue;
    struct store *store;
    bool stop;
    int core;
    uint64_t applied; /* bulk changes done */
    double cpu;
    struct change *back; /* committed changes for the loop, newest first, by `carry` */
};

static void deliver(struct writer *w, struct change **batch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        MUST(batch[i]->err == 0);
        batch[i]->carry = w->back;
        w->back = batch[i];
        w->applied += batch[i]->what == 0;
    }
    pthread_cond_broadcast(&w->done);
}

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    if (w->core >= 0)
        pin(w->core);
    else
        unpin();
    pthread_mutex_lock(&w->lock);
    while (!w->stop || writer_waiting(&w->queue)) {
        struct change **batch;
        size_t n;
        if (writer_take(&w->queue, now_ms(), &batch, &n)) {
            pthread_mutex_unlock(&w->lock);
            MUST(store_apply(w->store, batch, n) == 0);
            pthread_mutex_lock(&w->lock);
            deliver(w, batch, n);
            continue;
        }
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += 5000000;
        if (t.tv_nsec >= 1000000000) {
            t.tv_sec++;
            t.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&w->more, &w->lock, &t);
    }
    pthread_mutex_unlock(&w->lock);
    w->cpu = cpu_s();
    return NULL;
}

static void give(struct writer *w, struct change *c)
{
    pthread_mutex_lock(&w->lock);
    MUST(writer_push(&w->queue, c, now_ms()));
    if (!c->bulk || w->queue.bulk.n >= WRITER_BULK_BATCH)
        pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

/* ---- a second verifier, for two cores: every other block of 32 ---- */

enum { BLOCK = 32, AHEAD = 64 };
struct helper {
    pthread_t thread;
    bool on;
    uint64_t blocks;           /* in all */
    _Atomic uint64_t done, at; /* blocks verified here; where the loop is */
    double cpu;
};

static void *helper_run(void *arg)
{
    struct helper *h = arg;
    unpin();
    for (uint64_t b = 1; b < h->blocks; b += 2) {
        while (b > h->at + AHEAD)
            usleep(100);
        for (uint64_t n = b * BLOCK; n < (b + 1) * BLOCK; n++)
            MUST(sample_verify(n));
        h->done = b + 1;
    }
    h->cpu = cpu_s();
    return NULL;
}

/* Record n is verified: here, or by the helper. */
static void verify(struct helper *h, uint64_t n)
{
    uint64_t block = n / BLOCK;
    if (!h->on || block % 2 == 0) {
        MUST(sample_verify(n));
        return;
    }
    h->at = block;
    while (h->done < block + 1)
        usleep(50);
}

/* ---- the run ---- */

struct run {
    struct writer writer;
    struct helper helper;
    struct index *index; /* NULL: no text */
    struct view *view;
    struct rng rng;
    bool slice_out;
    double interactive_since;
    double *latency;
    size_t latency_n, latency_cap;
};

static void index_one(struct run *r, const struct op *op)
{
    struct index_doc doc = {.lang = span_str("fr")};
    const struct text *t = &texts[op->number % texts_n];
    doc.title = span_str(t->title);
    doc.text = span_str(t->body);
    doc.category = span_str("bikes/city");
    doc.region = span_str("FR");
    doc.created = op->record.created;
    doc.expires = op->record.expires;
    index_doc_add(r->index, op->number, &doc);
}

/* What the loop does with what was committed: indexes it, and flushes slice by slice. */
static void collect(struct run *r)
{
    struct writer *w = &r->writer;
    pthread_mutex_lock(&w->lock);
    struct change *back = w->back, *order = NULL;
    w->back = NULL;
    pthread_mutex_unlock(&w->lock);
    while (back) {
        struct change *next = back->carry;
        back->carry = order;
        order = back;
        back = next;
    }
    while (order) {
        struct change *next = order->carry;
        if (order->what == 1) {
            r->latency[r->latency_n++] = now_s() - r->interactive_since;
            r->interactive_since = 0;
        } else if (order->what == 2) {
            index_flushed(r->index, order);
            r->slice_out = false;
        } else if (r->index) {
            index_one(r, &order->ops[0]);
        }
        change_free(order);
        order = next;
    }
    if (r->index && !r->slice_out) {
        struct change *c = change_new(0, 2, 0);
        c->bulk = true;
        if (index_flush_slice(r->index, c, true)) {
            r->slice_out = true;
            give(w, c);
        } else {
            change_free(c);
        }
    }
}

static void interact(struct run *r, uint64_t n)
{
    if (r->interactive_since != 0 || r->latency_n >= r->latency_cap)
        return;
    uint8_t key[8];
    be64_put(key, n);
    struct change *c = change_new(0, 1, 0);
    change_put(c, TABLE_META, span_str("interactive"), SPAN_OF(key));
    r->interactive_since = now_s();
    give(&r->writer, c);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double intake(struct run *r, uint64_t records, bool interactive)
{
    struct writer *w = &r->writer;
    double t0 = now_s(), next = t0;
    uint64_t base = w->applied;
    r->helper.on = w->core < 0;
    r->helper.blocks = records / BLOCK + 1;
    if (r->helper.on)
        MUST(pthread_create(&r->helper.thread, NULL, helper_run, &r->helper) == 0);
    for (uint64_t n = 0; n < records; n++) {
        verify(&r->helper, n);
        give(w, sample_change(n, &r->rng));
        if (n % 32 == 0) {
            if (interactive && now_s() > next) {
                interact(r, n);
                next = now_s() + 0.02;
            }
            collect(r);
            pthread_mutex_lock(&w->lock);
            while (n + 1 - (w->applied - base) > WINDOW)
                pthread_cond_wait(&w->done, &w->lock);
            pthread_mutex_unlock(&w->lock);
        }
    }
    pthread_mutex_lock(&w->lock);
    writer_hurry(&w->queue);
    while (w->applied - base < records) {
        pthread_cond_signal(&w->more);
        pthread_cond_wait(&w->done, &w->lock);
    }
    w->queue.hurry = false;
    pthread_mutex_unlock(&w->lock);
    double last = now_s();
    if (r->helper.on)
        pthread_join(r->helper.thread, NULL);
    collect(r);
    return (double)records / (last - t0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void measure(uint64_t records, bool text, int writer_core, bool interactive, double verify_rate,
                    const char *name)
{
    char dir[] = "/var/tmp/souk-intake-XXXXXX";
    MUST(mkdtemp(dir));
    struct report rep = {0};
    struct store_config config = {.map_bytes = (uint64_t)16 << 30, .sync = true};
    struct run *r = xcalloc(1, sizeof *r);
    struct writer *w = &r->writer;
    if (store_open(&w->store, dir, &config, &rep))
        die(__FILE__, __LINE__, rep.text);
    r->view = view_open(w->store);
    if (text)
        r->index = index_open(r->view, &r->rng);
    r->latency_cap = 100000;
    r->latency = xcalloc(r->latency_cap, sizeof *r->latency);
    rng_seed_u64(&r->rng, 1);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    pthread_cond_init(&w->done, NULL);
    writer_init(&w->queue);
    w->core = writer_core;
    if (writer_core >= 0)
        pin(0);
    else
        unpin();
    pthread_create(&w->thread, NULL, writer_run, w);
    double loop_cpu = cpu_s();
    double rate = intake(r, records, interactive);
    double t0 = now_s();
    while (r->index && (r->slice_out || index_waiting(r->index)) && now_s() - t0 < 60) {
        collect(r);
        usleep(500);
    }
    loop_cpu = cpu_s() - loop_cpu;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    collect(r);
    view_renew(r->view);
    struct store_stats stats;
    view_stats(r->view, &stats);
    double loop_us = (loop_cpu + r->helper.cpu) / (double)records * 1e6;
    double writer_us = w->cpu / (double)records * 1e6;
    printf("%-30s %8.0f/s %.2f of verify; CPU a record: loop and verifiers %.1f + writer %.1f us "
           "(at best %.2f of verify on one core, %.2f on two); %.0f MB",
           name, rate, rate / verify_rate, loop_us, writer_us, 1e6 / (loop_us + writer_us) / verify_rate,
           2e6 / (loop_us + writer_us) / verify_rate, (double)stats.used_bytes / 1e6);
    if (interactive && r->latency_n) {
        qsort(r->latency, r->latency_n, sizeof *r->latency, by_size);
        printf("  interactive n=%zu median %.2f ms p99 %.2f ms max %.2f ms", r->latency_n,
               1e3 * r->latency[r->latency_n / 2], 1e3 * r->latency[r->latency_n * 99 / 100],
               1e3 * r->latency[r->latency_n - 1]);
    }
    if (text)
        printf("  index settled %.2f s after", now_s() - t0);
    printf("\n");
    fflush(stdout);
    index_close(r->index);
    view_close(r->view);
    writer_free(&w->queue);
    store_close(w->store);
    free(r->latency);
    free(r);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Applying alone, in full batches: what the store costs when nothing holds it up. */
static void measure_apply(uint64_t records, double verify_rate)
{
    char dir[] = "/var/tmp/souk-intake-XXXXXX";
    MUST(mkdtemp(dir));
    struct report rep = {0};
    struct store_config config = {.map_bytes = (uint64_t)16 << 30, .sync = true};
    struct store *store;
    struct rng rng;
    double cpu = 0;
    rng_seed_u64(&rng, 2);
    if (store_open(&store, dir, &config, &rep))
        die(__FILE__, __LINE__, rep.text);
    for (uint64_t n = 0; n < records; n += WRITER_BULK_BATCH) {
        struct change *batch[WRITER_BULK_BATCH];
        for (uint64_t i = 0; i < WRITER_BULK_BATCH; i++)
            batch[i] = sample_change(n + i, &rng);
        double t0 = cpu_s();
        MUST(store_apply(store, batch, WRITER_BULK_BATCH) == 0);
        cpu += cpu_s() - t0;
        for (uint64_t i = 0; i < WRITER_BULK_BATCH; i++)
            change_free(batch[i]);
    }
    printf("applying alone, 1,000 a batch: CPU %.1f us a record, verifying one takes %.1f us\n",
           cpu / (double)records * 1e6, 1e6 / verify_rate);
    store_close(store);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static double sync_ms(void)
{
    char path[] = "/var/tmp/souk-sync-XXXXXX";
    int fd = mkstemp(path);
    uint8_t page[4096] = {0};
    double t0 = 0;
    MUST(fd >= 0);
    for (int i = 0; i < 220; i++) {
        if (i == 20)
            t0 = now_s();
        MUST(pwrite(fd, page, sizeof page, (i % 16) * 4096) == sizeof page && fdatasync(fd) == 0);
    }
    close(fd);
    unlink(path);
    return (now_s() - t0) / 200 * 1e3;
}

int main(int argc, char **argv)
{
    uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
    bool text = argc > 2 && argv[2][0] == '1';
    struct rng rng;
    MUST(sodium_init() >= 0);
    rng_seed_u64(&rng, 9);
    pin(0);
    for (int i = 0; i < KEYS; i++)
        crypto_sign_keypair(public_keys[i], secret_keys[i]);
    for (uint64_t i = 0; i < SAMPLES; i++)
        sample_make(&samples[i], i, &rng);
    if (text)
        texts_make(records, &rng);
    double t0 = cpu_s();
    uint64_t n = 0;
    for (; cpu_s() - t0 < 2; n++)
        MUST(crypto_sign_verify_detached(samples[n % SAMPLES].sig, samples[n % SAMPLES].hash, 32,
                                         public_keys[n % SAMPLES % KEYS]) == 0);
    double rate = (double)n / (cpu_s() - t0);
    printf("records %lu of %d B; libsodium verifies %.0f/s on one core; a sync of one page takes %.2f ms\n",
           (unsigned long)records, BODY, rate, sync_ms());
    measure_apply(records, rate);
    if (argc > 3) /* applying only */
        return 0;
    measure(records, text, 0, false, rate, text ? "one core, text index" : "one core");
    measure(records, text, -1, false, rate, text ? "two cores, text index" : "two cores");
    measure(records, text, -1, true, rate,
            text ? "two cores, text, interactive" : "two cores, interactive");
    return 0;
}
