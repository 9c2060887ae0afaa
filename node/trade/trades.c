/* trades.c: the face of the engine: which trades are looked at, and when. */
#include "node/keys/keys.h"
#include "node/outbox/outbox.h"
#include "node/trade/engine.h"
#include <stdlib.h>

struct trades *trades_new(const struct network *network, struct rng *rng)
{
    struct trades *t = xcalloc(1, sizeof *t);
    t->network = network;
    t->rng = rng;
    map_init(&t->entries, sizeof(struct id), rng);
    map_init(&t->checked, sizeof(struct id), rng);
    map_init(&t->lost, sizeof(struct id), rng);
    return t;
}

void trades_free(struct trades *t)
{
    size_t at = 0;
    void *e;
    if (!t)
        return;
    while (map_next(&t->entries, &at, NULL, &e))
        free(e);
    map_free(&t->entries);
    map_free(&t->checked);
    map_free(&t->lost);
    heap_free(&t->due);
    free(t);
}

/* ---- entries ---- */
struct entry *entry_of(struct trades *t, const struct id *trade)
{
    struct entry *e = map_get(&t->entries, trade);
    if (e)
        return e;
    if (t->entries.n >= TRADES_OPEN_MOST)
        return NULL;
    e = xcalloc(1, sizeof *e);
    e->trade = *trade;
    map_put(&t->entries, &e->trade, e);
    return e;
}

static void entry_drop(struct trades *t, struct entry *e)
{
    heap_remove(&t->due, &e->due);
    map_del(&t->entries, &e->trade);
    free(e);
}

void entry_soon(struct trades *t, struct core *c, struct entry *e)
{
    heap_set(&t->due, &e->due, c->now.mono_ms);
}

static void flight_remove(struct trades *t, size_t i)
{
    t->flight[i]->pending = false;
    t->flight[i] = t->flight[--t->flight_n];
}

void entry_pending(struct trades *t, struct core *c, struct entry *e, const struct id *fact)
{
    bool listed = e->pending;
    e->pending = true;
    e->fact = *fact;
    e->since_ms = c->now.mono_ms;
    if (!listed && t->flight_n < FLIGHT_MOST)
        t->flight[t->flight_n++] = e;
    else if (!listed)
        e->pending = false; /* the chain's compare-and-set still stands guard */
    heap_set(&t->due, &e->due, c->now.mono_ms + PENDING_MS);
}

static void look_at(struct trades *t, struct core *c, const struct id *trade)
{
    struct entry *e = entry_of(t, trade);
    if (e)
        entry_soon(t, c, e);
}

bool trades_busy(struct trades *t, struct core *c, const struct id *trade)
{
    struct entry *e = map_get(&t->entries, trade);
    if (!e)
        return false;
    return e->working || (e->pending && c->now.mono_ms < e->since_ms + PENDING_MS);
}

/* ---- what happens ---- */
struct booting {
    struct trades *t;
    struct core *c;
};

static bool boot_one(void *arg, const struct id *trade)
{
    struct booting *b = arg;
    look_at(b->t, b->c, trade);
    return true;
}

void trades_boot(struct trades *t, struct core *c)
{
    struct booting b = {t, c};
    recall_boot(t, c);
    view_trades(c->view, boot_one, &b);
}

static bool trade_of(struct core *c, unsigned kind, struct span body, struct id *trade)
{
    struct arena a;
    struct fact_view f;
    struct fact_recall q;
    struct fact_recalled r;
    bool found = false;
    arena_init(&a, 1 << 20);
    if (kind == LETTER_FACT && (found = fact_parse(&f, c->network, body, &a, NULL) == 0))
        *trade = f.e.trade;
    if (kind == LETTER_RECALL && (found = fact_recall_decode(&q, body, &a, NULL) == 0))
        *trade = q.trade;
    if (kind == LETTER_RECALLED && (found = fact_recalled_decode(&r, body, &a, NULL) == 0))
        *trade = r.trade;
    arena_free(&a);
    return found;
}

void trades_taken(struct core *c, const struct identity *to, const struct identity *from, unsigned kind,
                  const struct id *letter, struct span body)
{
    struct id trade;
    (void)to, (void)from, (void)letter;
    if (c->trades && trade_of(c, kind, body, &trade))
        look_at(c->trades, c, &trade);
}

void trades_letter_done(struct trades *t, struct core *c, const struct id *letter, int err)
{
    (void)t, (void)c, (void)letter, (void)err; /* the outbox keeps how each letter ended */
}

void trades_rail_changed(struct trades *t, struct core *c, const struct id *trade)
{
    look_at(t, c, trade);
}

void trades_committed(struct trades *t, struct core *c, struct change *change)
{
    struct report r = {0};
    if (!change->carry) { /* of no single trade (recall.c) */
        t->freezing = t->freezing && change->err;
        trades_boot(t, c);
        return;
    }
    struct entry *e = map_get(&t->entries, change->carry);
    if (!e)
        return;
    int err = trades_outcome(change, &r);
    e->working = false;
    if (err == SOUK_EQUOTA)
        e->sold_out = true;
    if (change->err || err == SOUK_EBUSY)
        heap_set(&t->due, &e->due, c->now.mono_ms + AGAIN_MS);
    else
        entry_soon(t, c, e);
    if (err)
        e->since_ms = 0; /* what it was to say was not said */
}

void trades_look(struct trades *t, struct core *c)
{
    struct id trade;
    struct span bytes;
    for (size_t i = 0; i < t->flight_n;) {
        struct entry *e = t->flight[i];
        bool there = view_fact(c->view, &e->fact, &trade, &bytes);
        if (there || c->now.mono_ms >= e->since_ms + PENDING_MS) {
            flight_remove(t, i);
            entry_soon(t, c, e);
        } else {
            i++;
        }
    }
}

/* ---- looking at one ---- */
/* false: settled, and the entry is gone. */
static bool look_again(struct trades *t, struct core *c, struct entry *e, const struct trade_view *v)
{
    int64_t next = trade_next_wake(v->state, c->now.unix_ms);
    uint64_t in = LOOK_MOST_MS;
    if (trade_settled(v->state) && view_find(v, FACT_SETTLED, NULL) && !e->pending && !e->working) {
        entry_drop(t, e);
        return false;
    }
    int64_t until = v->me.frozen ? trade_recall_until(v) : 0;
    if (until > c->now.unix_ms && until < next)
        next = until;
    if (next != INT64_MAX && (uint64_t)(next - c->now.unix_ms) < in)
        in = (uint64_t)(next - c->now.unix_ms);
    heap_set(&t->due, &e->due, c->now.mono_ms + (in ? in : 1));
    return true;
}

/* One of our identities after the other, for two of them may be in one trade. */
static void look(struct trades *t, struct core *c, struct entry *e)
{
    struct key_row rows[KEYS_MOST];
    struct trade_view v;
    struct arena a;
    bool any = false;
    size_t n = keys_list(c->keys, rows);
    if (trades_busy(t, c, &e->trade)) {
        heap_set(&t->due, &e->due, c->now.mono_ms + AGAIN_MS);
        return;
    }
    arena_init(&a, VIEW_BYTES);
    for (size_t i = 0; i < n; i++) {
        arena_reset(&a);
        int err = trades_view(t, c, &e->trade, &rows[i].identity, &a, &v, NULL);
        if (err || v.me.role == TRADE_NOBODY)
            continue;
        any = true;
        if (rows[i].unlocked && duty_do(t, c, e, &v)) {
            heap_set(&t->due, &e->due, c->now.mono_ms + PENDING_MS);
            break;
        }
        if ((i + 1 == n || !e->working) && !look_again(t, c, e, &v))
            break;
    }
    if (!any)
        entry_drop(t, e);
    arena_free(&a);
}

void trades_wake(struct trades *t, struct core *c)
{
    for (int i = 0; i < WAKES_A_TURN; i++) {
        struct heap_entry *first = heap_first(&t->due);
        if (!first || first->at > c->now.mono_ms)
            return;
        struct entry *e = (struct entry *)first; /* its first member */
        heap_set(&t->due, &e->due, c->now.mono_ms + AGAIN_MS);
        look(t, c, e);
    }
}

uint64_t trades_next_wake(const struct trades *t)
{
    const struct heap_entry *first = heap_first(&t->due);
    return first ? first->at : UINT64_MAX;
}
