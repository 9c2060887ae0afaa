/* api.c: clients, requests and answers; handlers are in calls_*.c. */
#include "crypto/base/map.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include "dht/dht.h"
#include "node/api/call.h"
#include "node/api/framing.h"
#include "node/keys/keys.h"
#include <sodium.h>
#include <stdlib.h>

enum {
    CLIENTS_MOST = 64,
    REQUEST_BYTES_MOST = 6 << 20,
    UNREAD_BYTES_MOST = 1 << 20,
    OPEN_MOST = 64,
    TURN_MOST = 16, /* requests of one client before the others have their turn */
    WAITS_MOST = 256,
    ARENA_BYTES = 16 << 20,
    METHOD_MOST = 60,
    AGAIN_MS = 20,
};

struct client {
    conn_id conn;
    bool read_only, subscribed, paused;
    bool more;   /* `in` may hold a whole request: it waits for its turn, and no more is read */
    bool behind; /* it did not read: the log holds events after `told` that it was not told */
    uint64_t told;
    struct buf in;
    struct frame_scan scan; /* of the request at the front of `in` */
    size_t unread;          /* bytes written and not yet with the kernel */
    unsigned open;          /* requests without an answer */
};
struct waiting {
    struct call call;
    call_again *again;
    uint64_t give_up_ms;
    struct span carry;
};
struct pending_change {
    struct call call;
    call_done *done, *undo;
    size_t n;
    uint8_t carry[];
};
struct api {
    struct network network;
    struct map clients; /* conn_id → client */
    struct waiting waits[WAITS_MOST];
    size_t waits_n;
    uint64_t wake_ms;
    bool serve; /* some client has `more` and may be served */
    struct {
        uint64_t token;
        struct call call;
    } remembered[WAITS_MOST];
    uint64_t next_token;
};

static const struct call_row *const tables[] = {calls_node,   calls_dht,     calls_keys,   calls_market,
                                                calls_people, calls_message, calls_credit, calls_trade};

static call_handler *handler_of(const char *name)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct call_row *row = tables[t]; row->name; row++)
            if (strcmp(row->name, name) == 0)
                return row->handler;
    return NULL;
}

bool api_serves(const char *name)
{
    return handler_of(name) != NULL;
}

struct api *api_new(const struct network *network, struct rng *rng)
{
    struct api *a = xcalloc(1, sizeof *a);
    a->network = *network;
    a->wake_ms = UINT64_MAX;
    map_init(&a->clients, sizeof(conn_id), rng);
    return a;
}

static void client_free(struct client *cl)
{
    buf_wipe(&cl->in); /* may hold passphrases */
    free(cl);
}

void api_free(struct api *a)
{
    if (!a)
        return;
    size_t at = 0;
    void *cl;
    while (map_next(&a->clients, &at, NULL, &cl))
        client_free(cl);
    map_free(&a->clients);
    for (size_t i = 0; i < a->waits_n; i++)
        free((void *)(uintptr_t)a->waits[i].carry.p); /* NOLINT: ours, borrowed as const */
    free(a);
}

bool api_owns(const struct api *a, conn_id conn)
{
    return map_get(&a->clients, &conn) != NULL;
}

void api_accepted(struct api *a, struct core *c, conn_id conn, enum listener listener)
{
    if (a->clients.n >= CLIENTS_MOST) {
        fx_close(c->fx, conn);
        return;
    }
    struct client *cl = xcalloc(1, sizeof *cl);
    cl->conn = conn;
    cl->read_only = listener == LISTEN_API_RO;
    map_put(&a->clients, &conn, cl);
}

void api_closed(struct api *a, struct core *c, conn_id conn)
{
    struct client *cl = map_del(&a->clients, &conn);
    (void)c;
    if (cl)
        client_free(cl);
}

/* ---- answers ---- */
static bool client_full(const struct client *cl)
{
    return cl->unread > UNREAD_BYTES_MOST || cl->open >= OPEN_MOST;
}

/* Reads from the client, or not, as its bounds say. */
static void client_reading(struct core *c, struct client *cl)
{
    bool pause = cl->more || client_full(cl);
    if (pause == cl->paused)
        return;
    cl->paused = pause;
    if (pause)
        fx_pause(c->fx, cl->conn);
    else
        fx_resume(c->fx, cl->conn);
}

static void client_write(struct core *c, struct client *cl, struct span bytes)
{
    fx_write(c->fx, cl->conn, bytes);
    cl->unread += bytes.n;
    client_reading(c, cl);
}

static void client_answer(struct core *c, const struct call *call, struct span error, struct span result)
{
    struct client *cl = map_get(&c->api->clients, &call->conn);
    struct buf b = {0};
    if (!cl)
        return;
    pack_array(&b, 4);
    pack_uint(&b, 1);
    pack_uint(&b, call->id);
    buf_span(&b, error);
    buf_span(&b, result);
    if (cl->open)
        cl->open--;
    client_write(c, cl, buf_view(&b));
    c->api->serve |= cl->more && !client_full(cl);
    buf_wipe(&b);
}

void call_result(struct core *c, const struct call *call, struct span result)
{
    client_answer(c, call, span("\xc0", 1), result);
}

void call_ok(struct core *c, const struct call *call)
{
    call_result(c, call, span("\x80", 1));
}

void call_error(struct core *c, const struct call *call, int err, const char *text)
{
    struct buf b = {0};
    pack_map(&b, 2);
    pack_cstr(&b, "code");
    pack_cstr(&b, err_name(err));
    pack_cstr(&b, "message");
    pack_cstr(&b, text && *text ? text : err_sentence(err));
    client_answer(c, call, buf_view(&b), span("\xc0", 1));
    buf_free(&b);
}

/* ---- requests ---- */
static const struct api_method *method_of(struct span name)
{
    for (size_t i = 0; i < api_methods_n; i++)
        if (span_eq(name, span_str(api_methods[i].name)))
            return &api_methods[i];
    return NULL;
}

static int run(struct core *c, struct client *cl, struct call *call, struct span name, struct span params,
               struct report *r)
{
    struct arena arena;
    const struct api_method *m = method_of(name);
    if (!m)
        return report_set(r, SOUK_EMETHOD, "there is no method '%.*s'; api.describe lists them",
                          (int)(name.n < 60 ? name.n : 60), (const char *)name.p);
    if (cl->read_only && m->class != API_PUBLIC)
        return report_set(r, SOUK_ENOT_ALLOWED,
                          "%s is %s: this socket serves public methods only; use souk.sock", m->name,
                          api_class_name(m->class));
    call_handler *handler = handler_of(m->name);
    if (!handler)
        return report_set(r, SOUK_EMETHOD, "%s is described and not served by this version yet", m->name);
    arena_init(&arena, ARENA_BYTES);
    int err = handler(c, call, params, &arena, r);
    arena_free(&arena);
    return err;
}

static void one_request(struct core *c, struct client *cl, struct span bytes)
{
    struct cursor in;
    struct report r = {0};
    struct call call = {cl->conn, 0};
    cursor_init(&in, bytes);
    in.lax = true;
    cursor_array(&in, 4, 4);
    cursor_uint(&in, 0, 0);
    call.id = cursor_uint(&in, 0, UINT32_MAX);
    struct span name = cursor_str(&in, 1, METHOD_MOST);
    struct span params = cursor_skip(&in);
    cursor_leave(&in);
    cl->open++;
    if (cursor_end(&in)) {
        call_error(c, &call, SOUK_EFORM, "not a request: [0, id, method, {params}]");
        return;
    }
    int err = run(c, cl, &call, name, params, &r);
    if (err)
        call_error(c, &call, err, r.text);
}

/* One turn of a client: some of the requests that it has sent.  What is left over waits for api_wake. */
static void client_serve(struct api *a, struct core *c, struct client *cl)
{
    size_t taken = 0;
    unsigned turn = 0;
    while (cl->in.n > taken && turn++ < TURN_MOST && !client_full(cl)) {
        size_t n;
        struct span left = span(cl->in.p + taken, cl->in.n - taken);
        int err = frame_scan(&cl->scan, left, REQUEST_BYTES_MOST, &n);
        if (err == FRAME_MORE) {
            turn = 0;
            break;
        }
        if (err) {
            struct call nobody = {cl->conn, 0};
            call_error(c, &nobody, err,
                       err == SOUK_ERANGE ? "a request may have 6 MiB" : "these bytes are not MessagePack");
            fx_close(c->fx, cl->conn);
            api_closed(a, c, cl->conn);
            return;
        }
        one_request(c, cl, span(left.p, n));
        taken += n;
    }
    buf_drop(&cl->in, taken);
    if (taken)
        sodium_memzero(cl->in.p + cl->in.n,
                       taken); /* a passphrase does not wait there for the next request */
    cl->more = cl->in.n && (turn || client_full(cl));
    a->serve |= cl->more && !client_full(cl);
    client_reading(c, cl);
}

void api_bytes(struct api *a, struct core *c, conn_id conn, struct span bytes)
{
    struct client *cl = map_get(&a->clients, &conn);
    if (!cl)
        return;
    buf_span(&cl->in, bytes);
    if (!cl->more)
        client_serve(a, c, cl);
}

static void client_feed(struct core *c, struct client *cl);

void api_drained(struct api *a, struct core *c, conn_id conn)
{
    struct client *cl = map_get(&a->clients, &conn);
    if (!cl)
        return;
    cl->unread = 0;
    if (cl->behind)
        client_feed(c, cl);
    a->serve |= cl->more && !client_full(cl);
    client_reading(c, cl);
}

/* ---- continuations ---- */
struct change *call_change(struct core *c, const struct call *call, call_done *done, struct span carry)
{
    (void)c;
    struct change *ch = change_new(ROOM_API, 0, 0);
    struct pending_change *p = arena_alloc(&ch->arena, sizeof *p + carry.n);
    MUST(p != NULL);
    *p = (struct pending_change){.call = *call, .done = done, .n = carry.n};
    if (carry.n)
        memcpy(p->carry, carry.p, carry.n);
    ch->carry = p;
    return ch;
}

int call_end(struct core *c, struct change *change, int err)
{
    if (err)
        change_free(change);
    else
        call_commit(c, change);
    return err;
}

void *call_carry(struct change *change)
{
    struct pending_change *p = change->carry;
    return p->carry;
}

void call_undo(struct change *change, call_done *undo)
{
    struct pending_change *p = change->carry;
    p->undo = undo;
}

void call_commit(struct core *c, struct change *change)
{
    fx_commit(c->fx, change);
}

void api_committed(struct api *a, struct core *c, struct change *change)
{
    (void)a;
    struct pending_change *p = change->carry;
    if (!p)
        return;
    if (change->err && p->undo)
        p->undo(c, &p->call, change, span(p->carry, p->n));
    if (change->err)
        call_error(c, &p->call, change->err,
                   change->err == SOUK_EDISK_FULL ? "the disk (or the store's map) is full: nothing was "
                                                    "changed. Free some space and try again"
                                                  : NULL);
    else
        p->done(c, &p->call, change, span(p->carry, p->n));
}

void call_wait(struct core *c, const struct call *call, call_again *again, struct span carry,
               uint64_t give_up_ms)
{
    struct api *a = c->api;
    if (again(c, call, carry))
        return;
    if (a->waits_n == WAITS_MOST) {
        call_error(c, call, SOUK_EBUSY, "too many requests are waiting");
        return;
    }
    a->waits[a->waits_n++] = (struct waiting){*call, again, c->now.mono_ms + give_up_ms,
                                              span(xmemdup(carry.p, carry.n), carry.n)};
    if (a->wake_ms > c->now.mono_ms + AGAIN_MS)
        a->wake_ms = c->now.mono_ms + AGAIN_MS;
}

/* Every client whose requests wait has a turn. */
static void serve_turns(struct api *a, struct core *c)
{
    size_t at = 0;
    void *v;
    if (!a->serve)
        return;
    a->serve = false;
    while (map_next(&a->clients, &at, NULL, &v)) {
        struct client *cl = v;
        if (cl->more && !client_full(cl))
            client_serve(a, c, cl);
    }
}

void api_wake(struct api *a, struct core *c)
{
    serve_turns(a, c);
    if (c->now.mono_ms < a->wake_ms)
        return;
    for (size_t i = 0; i < a->waits_n;) {
        struct waiting *w = &a->waits[i];
        bool done = !api_owns(a, w->call.conn) || w->again(c, &w->call, w->carry);
        if (!done && c->now.mono_ms >= w->give_up_ms) {
            call_error(c, &w->call, SOUK_ETIMEOUT, NULL);
            done = true;
        }
        if (!done) {
            i++;
            continue;
        }
        free((void *)(uintptr_t)w->carry.p); /* NOLINT: ours */
        a->waits[i] = a->waits[--a->waits_n];
    }
    a->wake_ms = a->waits_n ? c->now.mono_ms + AGAIN_MS : UINT64_MAX;
}

uint64_t api_next_wake(const struct api *a)
{
    return a->serve ? 0 : a->wake_ms;
}

uint64_t api_remember(struct core *c, const struct call *call)
{
    struct api *a = c->api;
    for (size_t i = 0; i < WAITS_MOST; i++)
        if (!a->remembered[i].token) {
            a->remembered[i].token = ++a->next_token;
            a->remembered[i].call = *call;
            return a->next_token;
        }
    return 0;
}

bool api_recall(struct core *c, uint64_t token, struct call *out)
{
    struct api *a = c->api;
    for (size_t i = 0; token && i < WAITS_MOST; i++)
        if (a->remembered[i].token == token) {
            a->remembered[i].token = 0;
            *out = a->remembered[i].call;
            return true;
        }
    return false;
}

int call_as(struct core *c, bool has, const struct identity *as, struct identity *out, struct report *r)
{
    if (!has)
        return keys_default(c->keys, out, r);
    if (!keys_own(c->keys, as))
        return report_set(r, SOUK_ENOT_FOUND,
                          "`as` is not an identity of this node; `souk id list` shows them");
    *out = *as;
    return 0;
}

/* ---- events ---- */
struct notify {
    struct core *c;
    struct client *cl;
};

static bool event_notify(void *arg, uint64_t seq, struct span bytes)
{
    struct notify *n = arg;
    struct buf b = {0};
    if (seq <= n->cl->told)
        return true;
    /* A subscriber that does not read is told nothing more; once it has read it is told what it missed. */
    n->cl->behind = n->cl->unread > UNREAD_BYTES_MOST;
    if (n->cl->behind)
        return false;
    n->cl->told = seq;
    pack_array(&b, 3);
    pack_uint(&b, 2);
    pack_cstr(&b, "event");
    pack_map(&b, 2);
    pack_cstr(&b, "seq");
    pack_uint(&b, seq);
    pack_cstr(&b, "event");
    buf_span(&b, bytes);
    client_write(n->c, n->cl, buf_view(&b));
    buf_free(&b);
    return true;
}

/* Events of the log that it was not told of yet, as many as it may have unread. */
static void client_feed(struct core *c, struct client *cl)
{
    struct notify n = {c, cl};
    cl->behind = false;
    view_events(c->view, cl->told, event_notify, &n);
}

void api_event(struct api *a, struct core *c, uint64_t seq, struct span bytes)
{
    size_t at = 0;
    void *v;
    while (map_next(&a->clients, &at, NULL, &v)) {
        struct notify n = {c, v};
        if (n.cl->subscribed && !n.cl->behind)
            event_notify(&n, seq, bytes);
    }
}

int api_subscribe(struct core *c, const struct call *call, uint64_t after)
{
    struct client *cl = map_get(&c->api->clients, &call->conn);
    if (!cl)
        return SOUK_ECLOSED;
    cl->subscribed = true;
    cl->told = after;
    client_feed(c, cl);
    return 0;
}
