/* recall.c: a node whose store is an older copy of itself does not know what it has signed since.  It asks
 * everybody who has a part in a trade (LETTER_RECALL); they send it the facts that they hold and may show
 * it, and say which of its own is the newest (LETTER_RECALLED).  When all have answered, and what they
 * name is here, or when 2 delta have passed (a question and an answer take at most delta each), it goes on
 * under a `resumed` fact with a new epoch.  Meanwhile it signs nothing. */
#include "node/keys/keys.h"
#include "node/outbox/outbox.h"
#include "node/trade/engine.h"

enum { SLACK_MS = 600000 };

/* ---- asking ---- */
static void recall_put(struct change *into, const struct trade_view *v, const struct party_recall *m)
{
    uint8_t key[65];
    struct buf b = {0};
    party_recall_encode(&b, m);
    change_put(into, TABLE_TRADE, trade_row_key(key, ROW_RECALL, &v->trade, &v->as), buf_view(&b));
    buf_free(&b);
}

/* Before the contract only the other party has heard anything. */
static size_t people_asked(const struct trade_view *v, const struct identity **out)
{
    if (v->state->agreed || v->me.role > TRADE_SELLER)
        return say_people(v, out);
    out[0] = view_person(v, v->me.role == TRADE_BUYER ? TRADE_SELLER : TRADE_BUYER);
    return out[0] != NULL;
}

static int ask_all(struct say *s)
{
    const struct identity *people[SAY_PEOPLE];
    struct party_recall m = {.asked = s->c->now.unix_ms};
    struct buf body = {0};
    int err = 0;
    size_t n = people_asked(s->v, people);
    fact_recall_encode(&body, &(struct fact_recall){.trade = s->v->trade});
    for (size_t i = 0; i < n && !err; i++) {
        outbox_trust(s->c->outbox, s->c, people[i]); /* where we are now */
        err = say_letter(s, LETTER_RECALL, buf_view(&body), people[i]);
    }
    buf_free(&body);
    if (!err)
        recall_put(s->into, s->v, &m);
    log_line(LOG_INFO, "trade", "a trade is frozen: %zu others are asked what was said in it", n);
    return err;
}

static const struct party_told *told_by(const struct trade_view *v, const struct identity *who)
{
    for (size_t i = 0; i < v->recall.told_n; i++)
        if (identity_eq(&v->recall.told[i].who, who))
            return &v->recall.told[i];
    return NULL;
}

size_t trade_recall_told(const struct trade_view *v, size_t *asked)
{
    const struct identity *people[SAY_PEOPLE];
    size_t n = 0;
    *asked = people_asked(v, people);
    for (size_t i = 0; i < *asked; i++) {
        const struct party_told *t = told_by(v, people[i]);
        n += t && (!t->has_newest || view_holds(v, &t->newest));
    }
    return n;
}

int64_t trade_recall_until(const struct trade_view *v)
{
    int64_t delta = v->state->terms ? (int64_t)v->state->terms->delta_ms : 0;
    return v->has_recall && v->recall.asked ? v->recall.asked + 2 * delta + 1 : 0;
}

/* ---- going on ---- */
/* The chain goes on from the newest fact of ours that anybody knew, under an epoch of its own: what was
 * said before and told by nobody can then never stand at the same place. */
static int resume(struct say *s)
{
    struct trade_view *v = s->v;
    const struct fact_view *own = view_newest(v, &v->as);
    struct buf was = {0}, is = {0}, body = {0};
    uint8_t key[65];
    int err = 0;
    change_delete(s->into, TABLE_TRADE, trade_row_key(key, ROW_RECALL, &v->trade, &v->as));
    if (!own)
        return 0; /* nothing was ever said here */
    if (v->has_chain)
        party_chain_encode(&was, &(struct party_chain){v->epoch, v->seq, v->last});
    struct span expect = buf_view(&was);
    uint32_t epoch = (uint32_t)own->e.epoch > v->epoch ? (uint32_t)own->e.epoch : v->epoch;
    bool ahead = !v->has_chain || own->e.epoch > v->epoch || own->e.seq > v->seq;
    v->seq = ahead ? (uint32_t)own->e.seq : v->seq;
    v->last = ahead ? own->id : v->last;
    v->epoch = epoch + 1;
    v->has_chain = true;
    party_chain_encode(&is, &(struct party_chain){v->epoch, v->seq, v->last});
    change_put_if(s->into, TABLE_TRADE, trade_row_key(key, ROW_CHAIN, &v->trade, &v->as), buf_view(&is),
                  was.n ? &expect : NULL);
    struct fact_resumed r = {.epoch = v->epoch, .has_last = true, .last = v->last};
    fact_resumed_encode(&body, &r);
    err = say_fact(s, FACT_RESUMED, buf_view(&body), NULL, 0);
    buf_free(&was);
    buf_free(&is);
    buf_free(&body);
    return err;
}

int recall_ask(struct say *s)
{
    const struct trade_view *v = s->v;
    size_t asked;
    if (!v->has_recall || !v->recall.asked)
        return ask_all(s);
    size_t told = trade_recall_told(v, &asked);
    if (told < asked && s->c->now.unix_ms < trade_recall_until(v))
        return 1;
    return resume(s);
}

/* ---- answering ---- */
struct asker {
    struct identity who, whom;
    bool found;
};
static bool first_asker(void *arg, struct span key, struct span value)
{
    struct asker *a = arg;
    if (key.n != 65 || value.n != sizeof a->whom)
        return true;
    memcpy(&a->who, key.p + 33, 32);
    memcpy(&a->whom, value.p, 32);
    a->found = true;
    return false;
}

int recall_answer(struct say *s, struct entry *e)
{
    struct trade_view *v = s->v;
    struct asker q = {.found = false};
    uint8_t key[65];
    struct buf body = {0};
    int err = 0;
    view_scan(s->c->view, TABLE_TRADE, trade_row_key(key, ROW_ASKED, &v->trade, NULL), span(NULL, 0),
              first_asker, &q);
    if (!q.found || !identity_eq(&q.whom, &v->as))
        return 1;
    const struct fact_view *newest = view_newest(v, &q.who);
    struct fact_recalled m = {.trade = v->trade, .has_newest = newest != NULL};
    if (newest)
        m.newest = newest->id;
    for (size_t i = 0; i < v->facts_n && !err; i++)
        if (say_shareable(v, &v->facts[i], &q.who))
            err = say_relay(s, &v->facts[i], &q.who);
    fact_recalled_encode(&body, &m);
    if (!err)
        err = say_letter(s, LETTER_RECALLED, buf_view(&body), &q.who);
    buf_free(&body);
    change_delete(s->into, TABLE_TRADE, trade_row_key(key, ROW_ASKED, &v->trade, &q.who));
    e->answered_ms = s->c->now.mono_ms;
    return err;
}

static bool recall_due(struct trades *t, struct core *c, const struct id *trade)
{
    const struct entry *e = entry_of(t, trade);
    return e && (!e->answered_ms || c->now.mono_ms >= e->answered_ms + ANSWER_MS);
}

static int asked(struct trades *t, struct core *c, const struct identity *to, const struct identity *from,
                 struct span body, struct arena *a)
{
    struct fact_recall m;
    struct trade_view v;
    uint8_t key[65];
    int err = fact_recall_decode(&m, body, a, NULL);
    if (err)
        return err;
    if (trades_view(t, c, &m.trade, to, a, &v, NULL) || v.me.role == TRADE_NOBODY || !view_names(&v, from))
        return SOUK_ENOT_ALLOWED;
    if (!recall_due(t, c, &m.trade))
        return SOUK_EBUSY; /* it comes again */
    change_put(outbox_taking(c->outbox), TABLE_TRADE, trade_row_key(key, ROW_ASKED, &m.trade, from),
               SPAN_OF(*to));
    return 0;
}

static int told(struct trades *t, struct core *c, const struct identity *to, const struct identity *from,
                struct span body, struct arena *a)
{
    struct fact_recalled m;
    struct trade_view v;
    struct party_told rows[8];
    int err = fact_recalled_decode(&m, body, a, NULL);
    if (err)
        return err;
    if (trades_view(t, c, &m.trade, to, a, &v, NULL) || !v.has_recall || !v.recall.asked ||
        !view_names(&v, from) || told_by(&v, from) || v.recall.told_n == 8)
        return 0; /* nobody waits for it any more */
    struct party_recall r = {.asked = v.recall.asked, .told = rows, .told_n = v.recall.told_n};
    for (size_t i = 0; i < r.told_n; i++)
        rows[i] = v.recall.told[i];
    rows[r.told_n++] = (struct party_told){.who = *from, .has_newest = m.has_newest, .newest = m.newest};
    recall_put(outbox_taking(c->outbox), &v, &r);
    return 0;
}

int trades_recall(struct trades *t, struct core *c, const struct identity *to, const struct identity *from,
                  bool answer, struct span body)
{
    struct arena a;
    arena_init(&a, VIEW_BYTES);
    int err = (answer ? told : asked)(t, c, to, from, body, &a);
    arena_free(&a);
    return err;
}

/* ---- at start, over an older copy of the store ---- */
struct restoring {
    struct trades *t;
    struct core *c;
    const struct identity *who;
    struct change *into;
    size_t n;
};

static bool freeze_one(void *arg, const struct id *trade)
{
    struct restoring *w = arg;
    struct key_row rows[KEYS_MOST];
    struct trade_view v;
    struct arena a;
    size_t n = keys_list(w->c->keys, rows);
    arena_init(&a, VIEW_BYTES);
    for (size_t i = 0; i < n; i++) {
        arena_reset(&a);
        if (w->who && !identity_eq(w->who, &rows[i].identity))
            continue;
        if (trades_view(w->t, w->c, trade, &rows[i].identity, &a, &v, NULL) || v.me.role == TRADE_NOBODY ||
            trade_settled(v.state))
            continue;
        recall_put(w->into, &v, &(struct party_recall){.asked = 0});
        w->n++;
    }
    arena_free(&a);
    return true;
}

static const uint8_t row_restored = 'R'; /* → unix ms */

void recall_boot(struct trades *t, struct core *c)
{
    struct span v;
    if (view_get(c->view, TABLE_TRADE, SPAN_OF(row_restored), &v) && v.n == 8)
        t->restored = (int64_t)be64_get(v.p);
}

void trades_restored(struct trades *t, struct core *c, const struct identity *who)
{
    struct restoring w = {t, c, who, change_new(ROOM_TRADE, 0, 0), 0};
    uint8_t now[8];
    be64_put(now, (uint64_t)c->now.unix_ms);
    change_put(w.into, TABLE_TRADE, SPAN_OF(row_restored), SPAN_OF(now));
    view_trades(c->view, freeze_one, &w);
    log_line(LOG_WARN, "trade", "%zu open trades are frozen until the others told what was said in them",
             w.n);
    fx_commit(c->fx, w.into);
    t->restored = c->now.unix_ms;
    t->freezing = true;
}

/* From a time of which the store may have lost something; clocks may differ by SLACK_MS. */
static bool lost_time(const struct trades *t, const struct fact_view *f)
{
    return t->restored && f->e.time < t->restored + SLACK_MS;
}

void recall_new(struct trades *t, struct core *c, const struct identity *to, const struct fact_view *f)
{
    uint8_t key[65];
    struct buf b = {0};
    if (!lost_time(t, f))
        return;
    party_recall_encode(&b, &(struct party_recall){.asked = 0});
    change_put_if(outbox_taking(c->outbox), TABLE_TRADE, trade_row_key(key, ROW_RECALL, &f->e.trade, to),
                  buf_view(&b), NULL)
        ->lone = true;
    buf_free(&b);
}

void recall_unknown(struct trades *t, struct core *c, const struct identity *to,
                    const struct identity *from, const struct fact_view *f)
{
    struct trade_view v = {.trade = f->e.trade, .as = *to};
    struct report r = {0};
    struct buf body = {0};
    if (!lost_time(t, f) || t->lost.n >= LOST_MOST || map_get(&t->lost, &v.trade))
        return;
    struct change *ch = change_new(ROOM_TRADE, 0, 0);
    struct say s = {t, c, &v, ch, &r};
    fact_recall_encode(&body, &(struct fact_recall){.trade = v.trade});
    if (say_letter(&s, LETTER_RECALL, buf_view(&body), from) == 0) {
        map_put(&t->lost, &v.trade, t);
        fx_commit(c->fx, ch);
    } else {
        change_free(ch);
    }
    buf_free(&body);
}
