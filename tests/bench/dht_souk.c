/* dht_souk.c: souk's side of `tests/run bench dht`: real engines with sealed datagrams over real sockets.
 *
 *   bench_dht_souk [--nodes 64] [--loops 0] [--puts 2000] [--few 400] [--warm 600] [--settle 10]
 * [--first-port 7800]
 *
 * As in the daemon: libuv loops, the same sockets (node/host/udp), dht/seal around every datagram, the
 * default knobs and budgets.  The engines share a loop (a thread) for each core, or as many as --loops
 * says; with as many as nodes, each has its own thread, as 64 daemons would.  The putting node signs each
 * value; each node that stores it verifies it, itself too when it is among the nearest; a getter verifies
 * what it got, and this program compares it with what was put. */
#include "crypto/base/err.h"
#include "crypto/sign.h"
#include "dht/dht.h"
#include "dht/seal.h"
#include "dht_report.h"
#include "node/host/udp.h"
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

enum { BODY = 600, INBOX = 256 };
enum phase { PUT, GET, GET_CAREFUL };

struct node {
    struct dht *dht;
    struct dht_seal *seal;
    struct dht_out out;
    struct buf plain, sealed;
    struct rng rng;
    struct keypair pair;
    struct udp *udp;
    struct loop *loop;
    uv_timer_t wake;
    bool failed;
    atomic_uint table; /* nodes in it, for whoever waits until the network has formed */
};
struct loop {
    uv_loop_t uv;
    uv_async_t knock;
    pthread_t thread;
    pthread_mutex_t lock;
    int inbox[INBOX]; /* numbers of requests to start; a window is never larger */
    int inbox_n;
    atomic_bool stop;
};
/* One phase: `n` requests, `window` of them under way. */
struct run {
    enum phase phase;
    int n, first; /* keys first … first + n - 1 */
    double *ms, *started;
    int *at; /* the node that asks */
    atomic_int next, done, ok;
};

static struct network net;
static struct node *nodes;
static struct loop *loops;
static int nodes_n, loops_n;
static struct keypair author;
static int *putter; /* by key */
static struct run run;
static pthread_mutex_t done_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done_cond = PTHREAD_COND_INITIALIZER;

static struct clock clock_now(const struct node *x)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (struct clock){uv_now(&x->loop->uv), (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000};
}

static void sign_value(void *arg, const struct id *hash, struct sig *out)
{
    sign_hash(out, ((struct keypair *)arg)->sk, hash);
}

/* ---- a node: what node/reach.c does in the daemon ---- */
static void flush(struct node *x, struct clock now)
{
    for (size_t i = 0; i < x->out.n; i++) {
        const struct dht_send *s = &x->out.v[i];
        buf_clear(&x->sealed);
        if (dht_seal_wrap(x->seal, now.mono_ms, &s->key, dht_out_bytes(&x->out, s), &x->sealed) == 0)
            udp_send(x->udp, &s->to, buf_view(&x->sealed));
    }
    dht_out_clear(&x->out);
    udp_flush(x->udp);
}

static void results(struct node *x);
static void on_wake(uv_timer_t *t);

static void settle(struct node *x)
{
    struct clock now = clock_now(x);
    results(x);
    if (dht_next_wake(x->dht) <= now.mono_ms)
        dht_wake(x->dht, now, &x->out);
    flush(x, now);
    uint64_t at = dht_next_wake(x->dht);
    if (at == UINT64_MAX)
        uv_timer_stop(&x->wake);
    else
        uv_timer_start(&x->wake, on_wake, at > now.mono_ms ? at - now.mono_ms : 1, 0);
}

static void on_wake(uv_timer_t *t)
{
    struct node *x = t->data;
    struct dht_stats s;
    dht_stats_read(x->dht, &s);
    x->table = s.nodes;
    settle(x);
}

static void on_dgram(void *arg, const struct addr *from, struct span bytes)
{
    struct node *x = arg;
    struct clock now = clock_now(x);
    struct node_key peer;
    buf_clear(&x->plain);
    if (dht_seal_open(x->seal, now.mono_ms, from, bytes, &peer, &x->plain) == 0 &&
        dht_datagram(x->dht, now, from, &peer, buf_view(&x->plain), x->plain.n, &x->out) == DHT_ANSWER)
        dht_seal_prove(x->seal, &peer);
    settle(x);
}

/* ---- requests ---- */
static struct salt salt_of(int key)
{
    struct salt s = {{0}};
    be64_put(s.b, (uint64_t)key);
    return s;
}

static void body_of(uint8_t out[static BODY], int key)
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    uint8_t seed[32] = {0};
    be64_put(seed, (uint64_t)key);
    crypto_stream_chacha20(out, BODY, nonce, seed);
}

static void finished(int i, bool ok);

static void start(int i)
{
    struct node *x = &nodes[run.at[i]];
    struct clock now = clock_now(x);
    struct salt salt = salt_of(run.first + i);
    if (run.phase != PUT) {
        struct id key;
        dht_key_pointer(&key, &net, author.pk, &salt);
        int flags = run.phase == GET_CAREFUL ? DHT_CAREFUL : 0;
        if (!dht_get_start(x->dht, now, DHT_POINTER, &key, flags, (uint64_t)i))
            finished(i, false);
        return;
    }
    uint8_t body[BODY];
    struct buf value = {0};
    struct dht_value v = {.kind = DHT_POINTER,
                          .seq = 1,
                          .salt = salt,
                          .body = SPAN_OF(body),
                          .expires_s = (uint64_t)(now.unix_ms / 1000) + 86400};
    int err;
    body_of(body, run.first + i);
    memcpy(v.author, author.pk, 32);
    MUST(dht_value_make(&value, &net, &v, sign_value, &author) == 0);
    if (!dht_put_start(x->dht, now, buf_view(&value), NULL, (uint64_t)i, &err))
        finished(i, false);
    buf_free(&value);
}

static void post(int i)
{
    struct loop *l = nodes[run.at[i]].loop;
    run.started[i] = report_now_s();
    pthread_mutex_lock(&l->lock);
    MUST(l->inbox_n < INBOX);
    l->inbox[l->inbox_n++] = i;
    pthread_mutex_unlock(&l->lock);
    uv_async_send(&l->knock);
}

static void finished(int i, bool ok)
{
    run.ms[i] = (report_now_s() - run.started[i]) * 1e3;
    run.ok += ok;
    int next = run.next++;
    if (next < run.n)
        post(next);
    if (++run.done < run.n)
        return;
    pthread_mutex_lock(&done_lock);
    pthread_cond_signal(&done_cond);
    pthread_mutex_unlock(&done_lock);
}

/* The engine has verified form, key and signature; is it also what was put? */
static bool as_put(const struct dht_result *r, int i, int64_t unix_ms)
{
    uint8_t body[BODY];
    struct dht_value v;
    body_of(body, run.first + i);
    return r->values_n == 1 && dht_value_read(&v, &net, unix_ms, r->values[0], false) == 0 &&
           span_eq(v.body, SPAN_OF(body));
}

static void results(struct node *x)
{
    const struct dht_result *r;
    while ((r = dht_result_next(x->dht)) != NULL) {
        int i = (int)r->cookie;
        if (r->kind == DHT_PUT)
            finished(i, r->err == 0 && r->stored >= 8);
        else
            finished(i, r->err == 0 && as_put(r, i, clock_now(x).unix_ms));
    }
}

static void on_knock(uv_async_t *a)
{
    struct loop *l = a->data;
    int mine[INBOX], n;
    pthread_mutex_lock(&l->lock);
    n = l->inbox_n;
    memcpy(mine, l->inbox, (size_t)n * sizeof *mine);
    l->inbox_n = 0;
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < n; i++) {
        start(mine[i]);
        settle(&nodes[run.at[mine[i]]]);
    }
    if (l->stop)
        uv_stop(&l->uv);
}

static void phase(enum phase what, const char *name, int window, int first, int n)
{
    uint64_t seed = (uint64_t)first * 4 + what;
    struct rng rng;
    if (n == 0)
        return;
    rng_seed_u64(&rng, seed);
    run.phase = what;
    run.first = first;
    run.n = n;
    run.ms = xcalloc((size_t)n, sizeof *run.ms);
    run.started = xcalloc((size_t)n, sizeof *run.started);
    run.at = xcalloc((size_t)n, sizeof *run.at);
    for (int i = 0; i < n; i++) {
        do
            run.at[i] = (int)rng_below(&rng, (uint64_t)nodes_n);
        while (what != PUT && run.at[i] == putter[first + i]);
        if (what == PUT)
            putter[first + i] = run.at[i];
    }
    run.done = run.ok = 0;
    run.next = window;
    struct report_phase p = report_now();
    for (int i = 0; i < window && i < n; i++)
        post(i);
    pthread_mutex_lock(&done_lock);
    while (run.done < n)
        pthread_cond_wait(&done_cond, &done_lock);
    pthread_mutex_unlock(&done_lock);
    report_end(p, name, window, run.ms, n, run.ok);
    free(run.ms);
    free(run.started);
    free(run.at);
}

/* ---- setting up ---- */
static void *loop_main(void *arg)
{
    uv_run(&((struct loop *)arg)->uv, UV_RUN_DEFAULT);
    return NULL;
}

static void node_open(struct node *x, int i, uint16_t port)
{
    uint8_t seed[32];
    struct node_key key;
    struct addr at = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, port};
    x->loop = &loops[i % loops_n];
    MUST(getentropy(seed, sizeof seed) == 0);
    rng_seed(&x->rng, seed);
    dht_key_grind(seed, &key, &net, &x->rng);
    sign_keypair_from_seed(&x->pair, seed);
    uv_update_time(&x->loop->uv);
    struct dht_config c = {.net = &net, .self = key, .rng = &x->rng, .addr = at};
    x->dht = dht_new(&c, clock_now(x));
    x->seal = dht_seal_new(&net, x->pair.sk, &x->rng, NULL);
    int err = udp_open(&x->udp, &x->loop->uv, &at, on_dgram, x);
    if (err) {
        fprintf(stderr, "port %u: %s\n", port, uv_strerror(err));
        exit(1);
    }
    uv_timer_init(&x->loop->uv, &x->wake);
    x->wake.data = x;
    if (i) {
        struct dht_peer first = {*dht_self_key(nodes[0].dht), udp_addr(nodes[0].udp)};
        dht_bootstrap(x->dht, clock_now(x), &first, 1);
    }
    settle(x);
}

static void tell_setup(void)
{
    struct dht_knobs k;
    double sum = 0;
    dht_knobs_default(&k);
    for (int i = 0; i < nodes_n; i++)
        sum += nodes[i].table;
    printf("{\"setup\": \"souk\", \"nodes\": %d, \"loops\": %d, \"table\": %.1f, \"k\": %u, \"alpha\": %u, "
           "\"width\": %u, \"paths\": %u, \"replicas\": %u, \"get_agree\": %u}\n",
           nodes_n, loops_n, sum / nodes_n, k.k, k.alpha, k.width, k.paths, k.replicas, k.get_agree);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    long before_kb = report_anon_kb();
    int puts = report_option(argc, argv, "--puts", 2000), few = report_option(argc, argv, "--few", 400);
    int warm = report_option(argc, argv, "--warm", 600);
    nodes_n = report_option(argc, argv, "--nodes", 64);
    loops_n = report_option(argc, argv, "--loops", 0);
    if (loops_n == 0)
        loops_n = (int)uv_available_parallelism();
    int port = report_option(argc, argv, "--first-port", 7800);
    uint8_t seed[32] = "the author of the benchmark";
    MUST(sodium_init() >= 0 && network_make(&net, "bench", 0, 8, true) == 0);
    sign_keypair_from_seed(&author, seed);
    putter = xcalloc((size_t)puts + (size_t)few + (size_t)warm, sizeof *putter);
    nodes = xcalloc((size_t)nodes_n, sizeof *nodes);
    loops = xcalloc((size_t)loops_n, sizeof *loops);
    for (int i = 0; i < loops_n; i++) {
        MUST(uv_loop_init(&loops[i].uv) == 0);
        uv_async_init(&loops[i].uv, &loops[i].knock, on_knock);
        loops[i].knock.data = &loops[i];
        pthread_mutex_init(&loops[i].lock, NULL);
    }
    for (int i = 0; i < nodes_n; i++)
        node_open(&nodes[i], i, (uint16_t)(port + i));
    for (int i = 0; i < loops_n; i++)
        MUST(pthread_create(&loops[i].thread, NULL, loop_main, &loops[i]) == 0);
    struct timespec wait = {report_option(argc, argv, "--settle", 10), 0};
    nanosleep(&wait, NULL);
    tell_setup();
    report_memory("rest", before_kb, nodes_n);
    phase(PUT, "put among strangers", 32, few + puts, warm);
    phase(PUT, "put", 1, 0, few);
    phase(GET, "get", 1, 0, few);
    report_memory("loaded", before_kb, nodes_n);
    phase(PUT, "put", 32, few, puts);
    phase(GET, "get", 32, few, puts);
    report_memory("full", before_kb, nodes_n);
    phase(GET_CAREFUL, "get, careful", 32, few, puts);
    for (int i = 0; i < loops_n; i++) {
        loops[i].stop = true;
        uv_async_send(&loops[i].knock);
    }
    for (int i = 0; i < loops_n; i++)
        pthread_join(loops[i].thread, NULL);
    return 0;
}
