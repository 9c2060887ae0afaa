/* outbox.c: the queue: what waits, since when, and when it is tried again. */
#include "node/outbox/outbox.h"
#include "crypto/base/log.h"
#include "crypto/record.h"
#include "crypto/wire/cursor.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "node/outbox/engine.h"
#include "record.gen.h"
#include <stdlib.h>

enum { SWEEP_MS = 3600000, SWEEP_MOST = 500, WAKE_MOST = 256, UNCOMMITTED_MS = 60000 };

struct outbox *outbox_new(const struct network *network, struct rng *rng)
{
    struct outbox *o = xcalloc(1, sizeof *o);
    o->network = network;
    o->rng = rng;
    o->share = network->loopback;
    map_init(&o->letters, sizeof(struct id), rng);
    map_init(&o->people, sizeof(struct identity), rng);
    map_init(&o->flight, sizeof(struct id), rng);
    return o;
}

static void free_values(struct map *m)
{
    size_t at = 0;
    void *v;
    while (map_next(m, &at, NULL, &v))
        free(v);
    map_free(m);
}

void outbox_free(struct outbox *o)
{
    if (!o)
        return;
    free_values(&o->letters);
    free_values(&o->people);
    map_free(&o->flight);
    serve_free(o);
    heap_free(&o->due);
    free(o);
}

void outbox_share(struct outbox *o, bool all)
{
    o->share = all;
}

void outbox_here(struct outbox *o, const struct addr *listen)
{
    o->here = *listen;
}

void outbox_on_taken(struct outbox *o, outbox_taken_fn *fn)
{
    o->taken = fn;
}

struct change *outbox_taking(struct outbox *o)
{
    return o->taking;
}

struct span row_key(uint8_t out[static ROW_KEY_MOST], const char *name, const void *id)
{
    size_t n = strlen(name);
    MUST(n + 32 <= ROW_KEY_MOST);
    memcpy(out, name, n);
    memcpy(out + n, id, 32);
    return span(out, n + 32);
}

bool outbox_own_open(const struct core *c, const struct identity *who)
{
    struct key_row rows[KEYS_MOST];
    size_t n = keys_list(c->keys, rows);
    for (size_t i = 0; i < n; i++)
        if (identity_eq(&rows[i].identity, who))
            return rows[i].unlocked;
    return false;
}

bool outbox_rate_ok(struct outbox *o, const struct core *c, const struct node_key *peer)
{
    size_t at = 0, oldest = 0;
    while (at < o->rate_n && !node_key_eq(&o->rate[at].peer, peer)) {
        oldest = o->rate[at].since_ms < o->rate[oldest].since_ms ? at : oldest;
        at++;
    }
    if (at == o->rate_n) {
        at = o->rate_n < OUTBOX_PEERS_MOST ? o->rate_n++ : oldest;
        o->rate[at] = (struct rate){.peer = *peer, .since_ms = c->now.mono_ms};
    }
    struct rate *r = &o->rate[at];
    if (c->now.mono_ms - r->since_ms >= 60000)
        *r = (struct rate){.peer = *peer, .since_ms = c->now.mono_ms};
    return r->n++ < OUTBOX_A_MINUTE;
}

/* ---- the queue ---- */
void pending_due(struct outbox *o, struct pending *p, uint64_t at_ms)
{
    heap_set(&o->due, &p->due, at_ms);
}

void pending_soon(struct outbox *o, struct core *c, struct pending *p)
{
    p->tries = p->direct = 0;
    pending_due(o, p, c->now.mono_ms);
}

void people_soon(struct outbox *o, struct core *c, const struct identity *who)
{
    size_t at = 0;
    void *v;
    while (map_next(&o->letters, &at, NULL, &v)) {
        struct pending *p = v;
        if (identity_eq(&p->to, who))
            pending_soon(o, c, p);
    }
}

static void forget(struct outbox *o, struct pending *p)
{
    o->uncommitted -= p->seq == 0;
    heap_remove(&o->due, &p->due);
    map_del(&o->letters, &p->letter);
    free(p);
}

static struct pending *add(struct outbox *o, struct core *c, const struct mail_letter *m,
                           const struct id *letter, uint64_t seq, uint8_t boxes)
{
    struct pending *p = xcalloc(1, sizeof *p);
    p->letter = *letter;
    p->from = m->from;
    p->to = m->to;
    p->kind = (uint8_t)m->kind;
    p->created = m->created;
    p->seq = seq;
    p->boxes = boxes;
    p->held_ms = boxes ? c->now.mono_ms : 0;
    p->added_ms = c->now.mono_ms;
    o->uncommitted += seq == 0;
    map_put(&o->letters, letter, p);
    return p;
}

static void put_outcome(struct core *c, struct change *into, const struct id *letter,
                        enum letter_state state, int err)
{
    uint8_t key[ROW_KEY_MOST], row[10];
    row[0] = (uint8_t)state;
    row[1] = (uint8_t)-err;
    be64_put(row + 2, (uint64_t)c->now.unix_ms);
    change_put(into, TABLE_META, row_key(key, "sent", letter), SPAN_OF(row));
}

void pending_end(struct outbox *o, struct core *c, struct pending *p, enum letter_state state, int err)
{
    struct id letter = p->letter;
    bool ours = p->kind != LETTER_ACK; /* nobody asks after an acknowledgement */
    struct change *ch = change_new(ROOM_OUTBOX, WHAT_NOTE, 0);
    if (p->seq)
        change_out_done(ch, p->seq)->lone = true;
    if (ours)
        put_outcome(c, ch, &letter, state, err);
    fx_commit(c->fx, ch);
    forget(o, p);
    if (!ours)
        return;
    o->stats.received += state == LETTER_RECEIVED;
    o->stats.given_up += state != LETTER_RECEIVED;
    c->hooks->letter_done(c, &letter, err);
}

int outbox_queue(struct outbox *o, struct core *c, const struct mail_letter *m, struct change *into,
                 struct id *letter, struct buf *bytes, struct report *r)
{
    struct buf plain = {0}, row = {0};
    mail_letter_encode(&plain, m);
    letter_id(letter, o->network, buf_view(&plain));
    int err = 0;
    if (!map_get(&o->letters, letter) && o->letters.n >= OUTBOX_QUEUE_MOST)
        err =
            report_set(r, SOUK_EQUOTA,
                       "%d letters wait to be delivered already; this one can be sent when some have gone",
                       OUTBOX_QUEUE_MOST);
    if (!err) {
        mail_queued_encode(&row, &(struct mail_queued){.letter = buf_view(&plain)});
        change_out(into, letter, buf_view(&row), c->now.unix_ms)->lone = true;
        if (!map_get(&o->letters, letter))
            pending_due(o, add(o, c, m, letter, 0, 0), c->now.mono_ms + 1);
        if (bytes)
            buf_span(bytes, buf_view(&plain));
    }
    buf_wipe(&plain);
    buf_wipe(&row);
    return err;
}

static int may_send(struct core *c, const struct identity *from, enum letter_kind kind, struct span body,
                    struct report *r)
{
    if (!outbox_own_open(c, from))
        return keys_own(c->keys, from)
                   ? report_set(r, SOUK_ELOCKED, "the identity is locked: `souk unlock` opens it")
                   : report_set(r, SOUK_ENOT_FOUND, "this is not an identity of this node");
    if (body.n > LETTER_BODY_MOST)
        return report_set(r, SOUK_ERANGE, "a letter holds at most %d bytes", LETTER_BODY_MOST);
    if (kind != LETTER_MESSAGE)
        return 0;
    if (!body.n || body.n > LETTER_TEXT_MOST)
        return report_set(r, SOUK_ERANGE, "text: must have 1 to %d bytes", LETTER_TEXT_MOST);
    if (!utf8_ok(body, true))
        return report_set(r, SOUK_EFORM, "text: must be UTF-8 without control characters");
    return 0;
}

int outbox_send(struct outbox *o, struct core *c, const struct identity *from, const struct identity *to,
                const struct id *thread, enum letter_kind kind, struct span body, struct change *into,
                struct id *letter, struct report *r)
{
    struct mail_letter m = {
        .from = *from, .to = *to, .thread = *thread, .kind = kind, .created = c->now.unix_ms, .body = body};
    uint8_t key[ROW_KEY_MOST], at[8];
    struct buf bytes = {0};
    int err = may_send(c, from, kind, body, r);
    if (!err)
        err = outbox_queue(o, c, &m, into, letter, &bytes, r);
    if (!err) {
        be64_put(at, (uint64_t)c->now.unix_ms);
        change_put(into, TABLE_DRAFT, row_key(key, "met", to), SPAN_OF(at));
        if (kind == LETTER_MESSAGE)
            threads_add(c, into, &m, letter, buf_view(&bytes), NULL);
    }
    buf_wipe(&bytes);
    return err;
}

enum letter_state outbox_state(struct core *c, const struct id *letter)
{
    uint8_t key[ROW_KEY_MOST];
    struct span v;
    uint64_t seq;
    struct mail_queued q;
    if (view_get(c->view, TABLE_META, row_key(key, "sent", letter), &v) && v.n == 10)
        return (enum letter_state)v.p[0];
    if (!view_out_tag(c->view, letter, &seq))
        return c->outbox && map_get(&c->outbox->letters, letter) ? LETTER_QUEUED : LETTER_GIVEN_UP;
    if (view_out(c->view, seq, &v) && mail_queued_decode(&q, v, NULL, NULL) == 0 && q.boxes)
        return LETTER_IN_MAILBOX;
    return LETTER_QUEUED;
}

const char *letter_state_name(enum letter_state s)
{
    static const char *const names[] = {"unknown", "queued", "in mailbox", "received", "given up"};
    return (unsigned)s < sizeof names / sizeof *names ? names[s] : names[0];
}

/* ---- start, time ---- */
struct boot {
    struct outbox *o;
    struct core *c;
};

static bool boot_row(void *arg, uint64_t seq, int64_t due, struct span bytes)
{
    struct boot *b = arg;
    struct mail_queued q;
    struct mail_letter m;
    struct id id;
    (void)due;
    if (b->o->letters.n >= OUTBOX_QUEUE_MOST || mail_queued_decode(&q, bytes, NULL, NULL) ||
        mail_letter_decode(&m, q.letter, NULL, NULL))
        return true;
    letter_id(&id, b->o->network, q.letter);
    if (!map_get(&b->o->letters, &id))
        pending_due(b->o, add(b->o, b->c, &m, &id, seq, (uint8_t)q.boxes),
                    b->c->now.mono_ms + rng_below(b->o->rng, OUTBOX_RETRY_FIRST_MS));
    return true;
}

void outbox_boot(struct outbox *o, struct core *c)
{
    struct boot b = {o, c};
    view_out_all(c->view, boot_row, &b);
    serve_boot(o, c);
    boxes_boot(o, c);
    o->tick_ms = c->now.mono_ms;
    o->sweep_ms = c->now.mono_ms + OUTBOX_RETRY_MOST_MS;
}

/* Has the change that holds it been committed?  Then it may leave. */
static bool seen_committed(struct outbox *o, struct core *c, struct pending *p)
{
    if (!p->seq && view_out_tag(c->view, &p->letter, &p->seq))
        o->uncommitted--;
    return p->seq != 0;
}

void outbox_look(struct outbox *o, struct core *c)
{
    size_t at = 0;
    void *v;
    while (o->uncommitted && map_next(&o->letters, &at, NULL, &v)) {
        struct pending *p = v;
        if (!p->seq && seen_committed(o, c, p))
            pending_soon(o, c, p);
    }
}

static void one_due(struct outbox *o, struct core *c, struct pending *p)
{
    if (seen_committed(o, c, p)) {
        deliver_try(o, c, p);
    } else if (c->now.mono_ms - p->added_ms > UNCOMMITTED_MS) {
        log_line(LOG_WARN, "outbox", "a letter was never committed, and is forgotten");
        forget(o, p);
    } else {
        p->tries += p->tries < 10;
        pending_due(o, p, c->now.mono_ms + (UINT64_C(1) << p->tries));
    }
}

struct sweep {
    struct core *c;
    struct change *into;
    size_t time_at, n;
};

static bool sweep_row(void *arg, struct span key, struct span value)
{
    struct sweep *s = arg;
    if (value.n < s->time_at + 8 ||
        (int64_t)be64_get(value.p + s->time_at) + OUTBOX_KNOWN_MS < s->c->now.unix_ms) {
        change_delete(s->into, TABLE_META, key)->lone = true;
        s->n++;
    }
    return s->n < SWEEP_MOST;
}

static void sweep(struct outbox *o, struct core *c)
{
    o->sweep_ms = c->now.mono_ms + SWEEP_MS;
    if (c->clock_wrong)
        return;
    serve_boot(o, c); /* those dropped an hour ago make room */
    struct sweep s = {c, change_new(ROOM_OUTBOX, WHAT_NOTE, 0), 1, 0};
    view_scan(c->view, TABLE_META, span_str("seen"), span(NULL, 0), sweep_row, &s);
    s.time_at = 2;
    view_scan(c->view, TABLE_META, span_str("sent"), span(NULL, 0), sweep_row, &s);
    s.time_at = 32;
    view_scan(c->view, TABLE_META, span_str("mbox"), span(NULL, 0), sweep_row, &s);
    if (s.n)
        fx_commit(c->fx, s.into);
    else
        change_free(s.into);
}

void outbox_wake(struct outbox *o, struct core *c)
{
    struct heap_entry *e;
    for (int i = 0; i < WAKE_MOST && (e = heap_first(&o->due)) && e->at <= c->now.mono_ms; i++)
        one_due(o, c, (struct pending *)(void *)e);
    if (o->tick_ms <= c->now.mono_ms)
        boxes_tick(o, c);
    if (o->sweep_ms <= c->now.mono_ms)
        sweep(o, c);
}

uint64_t outbox_next_wake(const struct outbox *o)
{
    struct heap_entry *e = heap_first(&o->due);
    uint64_t next = e ? e->at : UINT64_MAX;
    next = o->tick_ms < next ? o->tick_ms : next;
    return o->sweep_ms < next ? o->sweep_ms : next;
}

/* ---- what happens elsewhere ---- */
static bool lives_at(const struct person *p, const struct node_key *peer)
{
    if (p->has_machine && node_key_eq(&p->machine.node, peer))
        return true;
    for (size_t i = 0; i < p->boxes_n; i++)
        if (node_key_eq(&p->boxes[i].node, peer))
            return true;
    return false;
}

void outbox_session_up(struct outbox *o, struct core *c, const struct node_key *peer)
{
    size_t at = 0;
    void *v;
    while (map_next(&o->letters, &at, NULL, &v)) {
        struct pending *p = v;
        const struct person *to = map_get(&o->people, &p->to);
        struct xkey key;
        /* Whoever cannot be sealed to yet may be known to the new peer. */
        if (to && (lives_at(to, peer) || !where_prekey(c, &p->to, &key)))
            pending_soon(o, c, p);
    }
    boxes_session_up(o, c, peer);
}

void outbox_unlocked(struct outbox *o, struct core *c, const struct identity *who)
{
    size_t at = 0;
    void *v;
    while (map_next(&o->letters, &at, NULL, &v)) {
        struct pending *p = v;
        if (identity_eq(&p->from, who))
            pending_soon(o, c, p);
    }
    take_held(o, c, who);
    o->tick_ms = c->now.mono_ms;
}

int outbox_message(struct outbox *o, struct core *c, const struct node_key *peer, unsigned number,
                   struct span body)
{
    struct arena a;
    struct mail_deliver d;
    struct mail_ack ack;
    struct mail_left left;
    int err = 0;
    bool asks =
        number == MAIL_DELIVER || number == MAIL_OPEN || number == MAIL_TAKE || number == MAIL_LEAVE;
    if (asks && !outbox_rate_ok(o, c, peer)) {
        o->stats.dropped++;
        return 0; /* ours to refuse, but no misconduct: limits differ */
    }
    arena_init(&a, 65536);
    switch (number) {
    case MAIL_DELIVER:
        if ((err = mail_deliver_decode(&d, body, &a, NULL)) == 0)
            take_envelope(o, c, &(struct origin){.source = FROM_SESSION, .peer = *peer}, d.envelope);
        break;
    case MAIL_ACK:
        if ((err = mail_ack_decode(&ack, body, &a, NULL)) == 0)
            err = deliver_ack(o, c, &ack);
        break;
    case MAIL_LEFT:
        if ((err = mail_left_decode(&left, body, &a, NULL)) == 0)
            err = deliver_left(o, c, peer, &left);
        break;
    case MAIL_OPENED:
    case MAIL_MAIL:
    case MAIL_TAKEN:
    case MAIL_REFUSED:
        err = boxes_message(o, c, peer, number, body, &a);
        break;
    case MAIL_OPEN:
    case MAIL_TAKE:
    case MAIL_LEAVE:
        err = serve_message(o, c, peer, number, body, &a);
        break;
    default: /* a later version's */
        break;
    }
    arena_free(&a);
    return err;
}

void outbox_committed(struct outbox *o, struct core *c, struct change *change)
{
    switch ((enum outbox_what)change->what) {
    case WHAT_TAKEN:
    case WHAT_SEEN:
    case WHAT_HELD:
        take_committed(o, c, change);
        break;
    case WHAT_SERVED:
    case WHAT_OPENED:
        serve_committed(o, c, change);
        break;
    case WHAT_NOTE:
        if (change->err)
            log_line(LOG_WARN, "outbox", "a note was not kept: %s", err_name(change->err));
        break;
    }
    outbox_look(o, c);
}

void outbox_stats(const struct outbox *o, struct core *c, struct outbox_stats *out)
{
    size_t at = 0;
    void *v;
    *out = o->stats;
    out->served_bytes = serve_bytes(c);
    out->served_mailboxes = o->served;
    out->strangers_bytes = o->strange_bytes;
    while (map_next(&o->letters, &at, NULL, &v)) {
        const struct pending *p = v;
        out->in_mailboxes += p->boxes > 0;
        out->queued += p->boxes == 0;
    }
    for (size_t i = 0; i < o->owner_n; i++)
        for (size_t j = 0; j < o->owner[i].n; j++)
            out->own_boxes += o->owner[i].box[j].open;
}
