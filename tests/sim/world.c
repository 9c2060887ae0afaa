/* world.c: virtual time, links and commits for world.h. */
#include "tests/sim/world.h"
#include "crypto/base/err.h"
#include "crypto/base/heap.h"
#include "crypto/base/map.h"
#include "crypto/sign.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include "crypto/work.h"
#include "store/store.h"
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEQ_BITS = 28, API_WAIT_MS = 60000 };
static const int64_t world_epoch_ms = INT64_C(1790000000000);

struct sim_node {
    struct world *world;
    struct node_config config;
    struct keypair pair;
    struct rng rng;
    struct store *store;
    struct view *view;
    struct node *node;
    struct effects fx;
    struct map conns; /* conn_id → struct end */
    conn_id next_accepted, api;
    unsigned group, life; /* life: events of an earlier life are dropped */
    int64_t skew_ms;
    uint64_t wake_at, worked_ms[2], committed_ms;
    bool wake_queued;
    struct buf api_in;
    uint64_t api_next;
    char dir[160];
};
struct end { /* one end of a stream */
    conn_id id;
    size_t peer; /* node index; SIZE_MAX: the API client */
    conn_id peer_id;
    uint64_t last_ms; /* when what was last sent arrives: keeps order */
    bool drain_queued;
};

enum kind { K_EVENT, K_DIAL, K_ACCEPT, K_APPLY, K_WAKE };
struct item {
    struct heap_entry due; /* first */
    enum kind kind;
    size_t to, from;
    unsigned life, from_life;
    struct event ev;
    struct buf bytes;
    struct job *job;
    struct change *change;
    conn_id conn;
};
struct world {
    struct world_config config;
    struct rng rng;
    struct heap queue;
    uint64_t now_ms, seq;
    struct sim_node *nodes;
    size_t n;
    struct world_stats stats;
    char dir[96];
    struct buf result;
    void (*on_commit)(void *, size_t, const struct change *);
    void *on_commit_arg;
};

static void push(struct world *w, struct item *it, uint64_t at_ms)
{
    heap_set(&w->queue, &it->due, at_ms << SEQ_BITS | (w->seq++ & ((UINT64_C(1) << SEQ_BITS) - 1)));
}

static struct item *item_new(struct world *w, enum kind kind, size_t to)
{
    struct item *it = xcalloc(1, sizeof *it);
    it->kind = kind;
    it->to = to;
    it->life = w->nodes[to].life;
    return it;
}

static void item_free(struct item *it)
{
    buf_free(&it->bytes);
    free(it->job);
    change_free(it->change);
    free(it);
}

static uint64_t between(struct world *w, unsigned least, unsigned most)
{
    return least + (most > least ? rng_below(&w->rng, most - least + 1) : 0);
}

static uint64_t link_delay(struct world *w)
{
    return between(w, w->config.delay_least_ms, w->config.delay_most_ms);
}

struct world *world_new(const struct world_config *config)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->config = *config;
    w->now_ms = 1000;
    w->nodes = xcalloc(config->nodes_most, sizeof *w->nodes);
    rng_seed_u64(&w->rng, config->seed);
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(w->dir, sizeof w->dir, "%s/souk-sim-XXXXXX", base);
    MUST(mkdtemp(w->dir) != NULL);
    return w;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

void world_free(struct world *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->nodes[i].node)
            world_crash(w, i);
    struct heap_entry *e;
    while ((e = heap_first(&w->queue))) {
        heap_remove(&w->queue, e);
        item_free((struct item *)(void *)e);
    }
    for (size_t i = 0; i < w->n; i++) {
        effects_free(&w->nodes[i].fx);
        buf_free(&w->nodes[i].api_in);
    }
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    heap_free(&w->queue);
    buf_free(&w->result);
    free(w->nodes);
    free(w);
}

/* ---- effects ---- */
static struct clock node_clock(const struct world *w, const struct sim_node *s)
{
    return (struct clock){w->now_ms, world_unix_ms(w) + s->skew_ms};
}

static bool reachable(const struct world *w, size_t a, size_t b)
{
    return w->nodes[a].group == w->nodes[b].group && w->nodes[b].node;
}

static size_t node_at(const struct world *w, const struct addr *a)
{
    size_t i = (size_t)a->ip[13] << 16 | (size_t)a->ip[14] << 8 | a->ip[15];
    struct addr is = i < w->n ? world_addr(w, i) : (struct addr){{0}, 0};
    return i < w->n && addr_eq(&is, a) ? i : SIZE_MAX;
}

static void queue_closed(struct world *w, size_t to, conn_id conn, uint64_t at_ms)
{
    struct item *it = item_new(w, K_EVENT, to);
    it->ev = (struct event){.kind = EV_CLOSED, .conn = conn, .err = SOUK_ECLOSED};
    push(w, it, at_ms);
}

static void send_dgram(struct world *w, size_t from, const struct effect *e)
{
    struct sim_node *s = &w->nodes[from];
    struct span bytes = fx_bytes(&s->fx, e);
    size_t to = node_at(w, &e->addr);
    w->stats.dgrams++;
    w->stats.dgram_bytes += bytes.n;
    if (to == SIZE_MAX || !reachable(w, from, to) || rng_below(&w->rng, 100) < w->config.loss_percent) {
        w->stats.dgrams_lost++;
        return;
    }
    struct item *it = item_new(w, K_EVENT, to);
    it->ev = (struct event){.kind = EV_DGRAM, .addr = world_addr(w, from)};
    buf_span(&it->bytes, bytes);
    push(w, it, w->now_ms + link_delay(w));
}

static void stream_write(struct world *w, size_t from, const struct effect *e)
{
    struct sim_node *s = &w->nodes[from];
    struct end *end = map_get(&s->conns, &e->conn);
    struct span bytes = fx_bytes(&s->fx, e);
    if (!end)
        return;
    w->stats.stream_bytes += bytes.n;
    if (end->peer == SIZE_MAX) {
        buf_span(&s->api_in, bytes);
    } else {
        struct item *it = item_new(w, K_EVENT, end->peer);
        it->ev = (struct event){.kind = EV_BYTES, .conn = end->peer_id};
        it->from = from;
        buf_span(&it->bytes, bytes);
        uint64_t at = w->now_ms + link_delay(w);
        end->last_ms = at > end->last_ms ? at : end->last_ms;
        push(w, it, end->last_ms);
    }
    if (!end->drain_queued) {
        struct item *it = item_new(w, K_EVENT, from);
        it->ev = (struct event){.kind = EV_DRAINED, .conn = e->conn};
        end->drain_queued = true;
        push(w, it, w->now_ms + 1);
    }
}

static void stream_close(struct world *w, size_t from, conn_id conn)
{
    struct end *end = map_del(&w->nodes[from].conns, &conn);
    if (!end)
        return;
    if (end->peer != SIZE_MAX && end->peer_id) {
        uint64_t at = w->now_ms + link_delay(w);
        queue_closed(w, end->peer, end->peer_id, at > end->last_ms ? at : end->last_ms);
    }
    free(end);
}

static void carry_out(struct world *w, size_t i)
{
    struct sim_node *s = &w->nodes[i];
    for (size_t k = 0; k < s->fx.n; k++) {
        struct effect *e = &s->fx.v[k];
        struct item *it;
        uint64_t at;
        switch (e->kind) {
        case FX_DGRAM:
            send_dgram(w, i, e);
            break;
        case FX_DIAL:
            it = item_new(w, K_DIAL, i);
            it->conn = e->conn;
            it->ev.addr = e->addr;
            push(w, it, w->now_ms + link_delay(w));
            break;
        case FX_WRITE:
            stream_write(w, i, e);
            break;
        case FX_CLOSE:
            stream_close(w, i, e->conn);
            break;
        case FX_PAUSE: /* the world's links have no buffers to fill */
        case FX_RESUME:
        case FX_STOP:
            break;
        case FX_WORK:
            w->stats.jobs++;
            at = w->now_ms + between(w, w->config.work_least_ms, w->config.work_most_ms);
            uint64_t *last = &s->worked_ms[e->job->class];
            *last = at > *last ? at : *last;
            it = item_new(w, K_EVENT, i);
            it->ev.kind = EV_WORKED;
            it->job = e->job;
            push(w, it, *last);
            break;
        case FX_COMMIT:
            at = w->now_ms + between(w, w->config.commit_least_ms, w->config.commit_most_ms);
            s->committed_ms = at > s->committed_ms ? at : s->committed_ms;
            it = item_new(w, K_APPLY, i);
            it->change = e->change;
            push(w, it, s->committed_ms);
            break;
        }
    }
    effects_clear(&s->fx);
    uint64_t at = node_next_wake(s->node);
    if (at == UINT64_MAX || (s->wake_queued && s->wake_at <= at))
        return;
    s->wake_queued = true;
    s->wake_at = at > w->now_ms ? at : w->now_ms + 1;
    push(w, item_new(w, K_WAKE, i), s->wake_at);
}

static void input(struct world *w, size_t i, const struct event *ev)
{
    struct sim_node *s = &w->nodes[i];
    view_renew(s->view);
    node_input(s->node, node_clock(w, s), s->view, ev, &s->fx);
    carry_out(w, i);
}

/* ---- nodes ---- */
const struct node_key *world_key(const struct world *w, size_t i)
{
    return (const struct node_key *)(const void *)w->nodes[i].pair.pk;
}

void world_skew(struct world *w, size_t i, int64_t skew_ms)
{
    w->nodes[i].skew_ms = skew_ms;
}

struct addr world_addr(const struct world *w, size_t i)
{
    (void)w;
    return (struct addr){
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
        4000};
}

struct node_config *world_config_of(struct world *w, size_t i)
{
    return &w->nodes[i].config;
}

static void start(struct world *w, size_t i)
{
    struct sim_node *s = &w->nodes[i];
    struct report r = {0};
    struct store_config sc = {
        .map_bytes = UINT64_C(1) << 30, .network = w->config.network.id, .rng = &s->rng};
    sc.known_most = i % 3 == 1 ? w->config.known_most : 0;
    rng_seed_u64(&s->rng, rng_u64(&w->rng));
    if (store_open(&s->store, s->dir, &sc, &r)) {
        fprintf(stderr, "node %zu: %s\n", i, r.text);
        abort();
    }
    s->view = view_open(s->store);
    map_init(&s->conns, sizeof(conn_id), &s->rng);
    s->next_accepted = 2;
    s->api = 0;
    s->wake_queued = false;
    s->node = node_new(&s->config, &s->rng);
    input(w, i, &(struct event){.kind = EV_BOOT});
}

size_t world_add(struct world *w, const size_t *peers, size_t peers_n, int64_t skew_ms)
{
    MUST(w->n < w->config.nodes_most && peers_n <= NODE_PEERS_MOST);
    size_t i = w->n++;
    struct sim_node *s = &w->nodes[i];
    uint8_t seed[32];
    s->world = w;
    s->skew_ms = skew_ms;
    s->config.network = w->config.network;
    s->config.listen[0] = world_addr(w, i);
    s->config.listen_n = 1;
    s->config.cheap_kdf = true;
    s->config.mock_rail = true;
    rng_bytes(&w->rng, seed, sizeof seed);
    sign_keypair_from_seed(&s->pair, seed);
    s->config.node_sk = s->pair.sk;
    for (size_t k = 0; k < peers_n; k++)
        s->config.peers[s->config.peers_n++] =
            (struct node_peer){*world_key(w, peers[k]), world_addr(w, peers[k])};
    snprintf(s->dir, sizeof s->dir, "%s/%zu", w->dir, i);
    start(w, i);
    return i;
}

void world_crash(struct world *w, size_t i)
{
    struct sim_node *s = &w->nodes[i];
    MUST(s->node != NULL);
    s->life++; /* commits, jobs and deliveries under way are lost */
    size_t at = 0;
    const void *key;
    void *v;
    while (map_next(&s->conns, &at, &key, &v)) {
        struct end *end = v;
        if (end->peer != SIZE_MAX && end->peer_id && w->nodes[end->peer].node)
            queue_closed(w, end->peer, end->peer_id, w->now_ms + link_delay(w));
        free(end);
    }
    map_free(&s->conns);
    node_free(s->node);
    s->node = NULL;
    effects_clear(&s->fx);
    view_close(s->view);
    store_close(s->store);
    buf_clear(&s->api_in);
}

void world_restart(struct world *w, size_t i)
{
    MUST(!w->nodes[i].node);
    start(w, i);
}

bool world_alive(const struct world *w, size_t i)
{
    return w->nodes[i].node != NULL;
}

void world_group(struct world *w, size_t i, unsigned group)
{
    w->nodes[i].group = group;
}

uint64_t world_now_ms(const struct world *w)
{
    return w->now_ms;
}

int64_t world_unix_ms(const struct world *w)
{
    return world_epoch_ms + (int64_t)w->now_ms;
}

struct rng *world_rng(struct world *w)
{
    return &w->rng;
}

/* ---- what falls due ---- */
static void end_new(struct sim_node *s, conn_id id, size_t peer, conn_id peer_id)
{
    struct end *end = xcalloc(1, sizeof *end);
    *end = (struct end){.id = id, .peer = peer, .peer_id = peer_id};
    map_put(&s->conns, &id, end);
}

static void do_dial(struct world *w, const struct item *it)
{
    size_t to = node_at(w, &it->ev.addr);
    struct event dialled = {.kind = EV_DIALLED, .conn = it->conn};
    if (to == SIZE_MAX || !reachable(w, it->to, to)) {
        dialled.err = SOUK_EOFFLINE;
        input(w, it->to, &dialled);
        return;
    }
    struct sim_node *a = &w->nodes[it->to], *b = &w->nodes[to];
    conn_id theirs = b->next_accepted;
    b->next_accepted += 2;
    end_new(a, it->conn, to, theirs);
    end_new(b, theirs, it->to, it->conn);
    input(w, to,
          &(struct event){
              .kind = EV_ACCEPTED, .conn = theirs, .listener = LISTEN_PEER, .addr = world_addr(w, it->to)});
    if (map_get(&a->conns, &it->conn))
        input(w, it->to, &dialled);
}

static void do_apply(struct world *w, struct item *it)
{
    struct sim_node *s = &w->nodes[it->to];
    if (w->on_commit)
        w->on_commit(w->on_commit_arg, it->to, it->change);
    if (!s->node || s->life != it->life)
        return; /* the hook crashed it */
    w->stats.commits++;
    store_apply(s->store, &it->change, 1);
    /* A crash can fall between the sync and its news. */
    struct item *news = item_new(w, K_EVENT, it->to);
    news->ev = (struct event){.kind = EV_COMMITTED};
    news->change = it->change;
    it->change = NULL;
    push(w, news, w->now_ms);
}

static void do_event(struct world *w, struct item *it)
{
    struct sim_node *s = &w->nodes[it->to];
    struct event *ev = &it->ev;
    struct end *end;
    switch (ev->kind) {
    case EV_BYTES:
        if (!map_get(&s->conns, &ev->conn) || (it->from != it->to && !reachable(w, it->from, it->to)))
            return;
        break;
    case EV_DRAINED:
        end = map_get(&s->conns, &ev->conn);
        if (!end)
            return;
        end->drain_queued = false;
        break;
    case EV_CLOSED:
        end = map_del(&s->conns, &ev->conn);
        if (!end)
            return;
        free(end);
        break;
    case EV_WORKED:
        if (it->job->class == JOB_VERIFY)
            it->job->done =
                sign_check(it->job->key, (const struct id *)it->job->msg, (const struct sig *)it->job->sig);
        else
            it->job->done = work_search((const struct id *)it->job->msg, it->job->nonce, it->job->tries,
                                        it->job->bits, &it->job->nonce);
        break;
    default:
        break;
    }
    ev->bytes = buf_view(&it->bytes);
    struct job *job = it->job;
    struct change *change = it->change;
    if (ev->kind == EV_WORKED) {
        ev->jobs = &job;
        ev->n = 1;
        it->job = NULL; /* the node's again */
    }
    if (ev->kind == EV_COMMITTED) {
        ev->changes = &change;
        ev->n = 1;
        it->change = NULL;
    }
    input(w, it->to, ev);
}

static bool step(struct world *w, uint64_t until_ms)
{
    struct heap_entry *e = heap_first(&w->queue);
    if (!e || e->at >> SEQ_BITS > until_ms)
        return false;
    struct item *it = (struct item *)(void *)e;
    w->now_ms = e->at >> SEQ_BITS;
    heap_remove(&w->queue, e);
    w->stats.events++;
    struct sim_node *s = &w->nodes[it->to];
    if (s->node && s->life == it->life) {
        if (it->kind == K_DIAL)
            do_dial(w, it);
        else if (it->kind == K_APPLY)
            do_apply(w, it);
        else if (it->kind == K_EVENT)
            do_event(w, it);
        else if (it->kind == K_WAKE && s->wake_queued && s->wake_at == w->now_ms) {
            s->wake_queued = false;
            input(w, it->to, &(struct event){.kind = EV_WAKE});
        }
    }
    item_free(it);
    return true;
}

void world_run(struct world *w, uint64_t ms)
{
    uint64_t until = w->now_ms + ms;
    while (step(w, until))
        ;
    w->now_ms = until;
}

bool world_until(struct world *w, bool (*holds)(struct world *w, void *arg), void *arg, uint64_t ms)
{
    uint64_t until = w->now_ms + ms;
    while (!holds(w, arg))
        if (!step(w, until)) {
            w->now_ms = until;
            return holds(w, arg);
        }
    return true;
}

struct view *world_view(struct world *w, size_t i)
{
    view_renew(w->nodes[i].view);
    return w->nodes[i].view;
}

struct core *world_act_begin(struct world *w, size_t i)
{
    struct sim_node *s = &w->nodes[i];
    view_renew(s->view);
    return node_core(s->node, node_clock(w, s), s->view, &s->fx);
}

void world_act_end(struct world *w, size_t i)
{
    carry_out(w, i);
}

/* ---- the API's client ---- */
static void api_write(struct world *w, size_t i, const char *method, struct span params)
{
    struct sim_node *s = &w->nodes[i];
    struct buf b = {0};
    if (!s->api || !map_get(&s->conns, &s->api)) {
        s->api = s->next_accepted;
        s->next_accepted += 2;
        end_new(s, s->api, SIZE_MAX, 0);
        buf_clear(&s->api_in);
        input(w, i, &(struct event){.kind = EV_ACCEPTED, .conn = s->api, .listener = LISTEN_API});
    }
    pack_array(&b, 4);
    pack_uint(&b, 0);
    pack_uint(&b, ++s->api_next);
    pack_cstr(&b, method);
    buf_span(&b, params);
    input(w, i, &(struct event){.kind = EV_BYTES, .conn = s->api, .bytes = buf_view(&b)});
    buf_free(&b);
}

/* Takes one whole message off the client's buffer; true when it is the answer to the last call. */
static bool api_take(struct world *w, struct sim_node *s, int *err)
{
    while (s->api_in.n) {
        struct cursor c;
        cursor_init(&c, buf_view(&s->api_in));
        c.lax = true;
        size_t n = cursor_array(&c, 3, 4);
        uint64_t type = cursor_uint(&c, 0, 2), id = n == 4 ? cursor_uint(&c, 0, UINT64_MAX) : 0;
        struct span error = cursor_skip(&c), result = n == 4 ? cursor_skip(&c) : error;
        cursor_leave(&c);
        if (c.err)
            return false;
        bool mine = type == 1 && id == s->api_next;
        if (mine) {
            buf_clear(&w->result);
            bool failed = !(error.n == 1 && error.p[0] == 0xc0);
            buf_span(&w->result, failed ? error : result);
            *err = failed ? SOUK_EREFUSED : 0;
        }
        buf_drop(&s->api_in, (size_t)(c.at - s->api_in.p));
        if (mine)
            return true;
    }
    return false;
}

static int error_code(struct span map)
{
    struct cursor c;
    cursor_init(&c, map);
    c.lax = true;
    size_t n = cursor_map(&c, 16);
    for (size_t i = 0; i < n; i++) {
        struct span key = cursor_str(&c, 0, 64);
        if (span_eq(key, span_str("code"))) {
            struct span name = cursor_str(&c, 0, 64);
            char text[65] = {0};
            memcpy(text, name.p, name.n);
            int err = err_by_name(text);
            return err ? err : SOUK_EREFUSED;
        }
        cursor_skip(&c);
    }
    return SOUK_EREFUSED;
}

int world_call(struct world *w, size_t i, const char *method, struct span params, struct span *result)
{
    struct sim_node *s = &w->nodes[i];
    int err = SOUK_ETIMEOUT;
    api_write(w, i, method, params);
    uint64_t until = w->now_ms + API_WAIT_MS;
    while (s->node && !api_take(w, s, &err))
        if (!step(w, until))
            break;
    if (err && err != SOUK_ETIMEOUT)
        err = error_code(buf_view(&w->result));
    if (result)
        *result = buf_view(&w->result);
    return err;
}

void world_cast(struct world *w, size_t i, const char *method, struct span params)
{
    api_write(w, i, method, params);
}

void world_stats(const struct world *w, struct world_stats *out)
{
    *out = w->stats;
}

void world_on_commit(struct world *w, void (*fn)(void *arg, size_t node, const struct change *change),
                     void *arg)
{
    w->on_commit = fn;
    w->on_commit_arg = arg;
}
