/* wallet.c: notes of ours, transfers that wait for an answer, and what an issuer answers. */
#include "node/outbox/outbox.h"
#include "node/rail/engine.h"

void wallet_key(uint8_t out[static 97], char kind, const struct identity *owner,
                const struct identity *issuer, const struct id *last)
{
    out[0] = (uint8_t)kind;
    memcpy(out + 1, owner->b, 32);
    memcpy(out + 33, issuer->b, 32);
    memcpy(out + 65, last->b, 32);
}

static void one_key(uint8_t out[static 33], char kind, const struct id *id)
{
    out[0] = (uint8_t)kind;
    memcpy(out + 1, id->b, 32);
}

void wallet_pending_put(struct change *into, const struct id *transfer, const struct ledger_pending *p)
{
    uint8_t key[33];
    struct buf b = {0};
    one_key(key, 'p', transfer);
    ledger_pending_encode(&b, p);
    change_put(into, TABLE_NOTE, SPAN_OF(key), buf_view(&b));
    one_key(key, 'r', transfer);
    change_delete(into, TABLE_NOTE, SPAN_OF(key))->lone = true;
    buf_free(&b);
}

static bool count_pending(void *arg, struct span key, struct span value)
{
    (void)key;
    (void)value;
    return ++*(size_t *)arg < RAIL_PENDING_MOST;
}

size_t wallet_pending_n(struct core *c)
{
    size_t n = 0;
    view_scan(c->view, TABLE_NOTE, span_str("p"), span(NULL, 0), count_pending, &n);
    return n;
}

static bool pending_get(struct core *c, const struct id *transfer, struct ledger_pending *out,
                        struct arena *a)
{
    uint8_t key[33];
    struct span v;
    one_key(key, 'p', transfer);
    return view_get(c->view, TABLE_NOTE, SPAN_OF(key), &v) && ledger_pending_decode(out, v, a, NULL) == 0;
}

/* ---- submitting ---- */
struct submitting {
    struct rails *r;
    struct core *c;
    bool all; /* approved memberships as well: limits change */
};
static bool submit_one(void *arg, struct span key, struct span value)
{
    struct submitting *s = arg;
    struct ledger_pending p;
    struct ledger_transfer t;
    struct ledger_body body;
    struct arena a;
    struct buf b = {0};
    (void)key;
    arena_init(&a, RAIL_ARENA_BYTES);
    if (ledger_pending_decode(&p, value, &a, NULL) == 0 &&
        ledger_transfer_decode(&t, p.transfer, &a, NULL) == 0 &&
        ledger_body_decode(&body, t.body, &a, NULL) == 0) {
        struct ledger_submit m = {.transfer = p.transfer};
        ledger_submit_encode(&b, &m);
        rails_say_issuer(s->r, s->c, &body.issuer, LEDGER_SUBMIT, buf_view(&b));
    }
    buf_free(&b);
    arena_free(&a);
    return true;
}

static bool rejoin(void *arg, struct span key, struct span value)
{
    struct submitting *s = arg;
    struct ledger_membership row;
    struct identity me, issuer;
    struct buf b = {0};
    struct id hash;
    if (key.n != 65 || ledger_membership_decode(&row, value, NULL, NULL) ||
        (row.state != LEDGER_MEMBER_STATE_ASKED && !s->all))
        return true;
    memcpy(me.b, key.p + 1, 32);
    memcpy(issuer.b, key.p + 33, 32);
    struct ledger_join m = {.issuer = issuer,
                            .member = me,
                            .time = s->c->now.unix_ms,
                            .has_note = row.has_note,
                            .note = row.note};
    join_hash(&hash, s->r->network, &m);
    if (keys_sign(s->c->keys, s->c, &me, USE_DUTY, &hash, &m.sig, NULL) == 0) {
        ledger_join_encode(&b, &m);
        rails_say_issuer(s->r, s->c, &issuer, LEDGER_JOIN, buf_view(&b));
    }
    buf_free(&b);
    return true;
}

void wallet_wake(struct rails *r, struct core *c, bool tick)
{
    struct submitting s = {r, c, tick && c->now.mono_ms / r->tick_ms % 64 == 0};
    size_t at = 0;
    const void *key;
    void *until;
    view_scan(c->view, TABLE_NOTE, span_str("p"), span(NULL, 0), submit_one, &s);
    view_scan(c->view, TABLE_NOTE, span_str("j"), span(NULL, 0), rejoin, &s);
    while (tick && map_next(&r->reserved, &at, &key, &until))
        if ((uint64_t)(uintptr_t)until < c->now.mono_ms)
            map_del(&r->reserved, key);
}

/* ---- notes ---- */
static void own_put(struct change *into, const struct identity *owner, const struct identity *issuer,
                    const struct id *id, const struct ledger_own_note *own)
{
    uint8_t key[97];
    struct buf b = {0};
    wallet_key(key, 'n', owner, issuer, id);
    ledger_own_note_encode(&b, own);
    change_put(into, TABLE_NOTE, SPAN_OF(key), buf_view(&b));
    buf_free(&b);
}

static void own_state(struct core *c, const struct identity *owner, const struct identity *issuer,
                      const struct id *id, enum ledger_held state, struct change *into)
{
    uint8_t key[97];
    struct span v;
    struct ledger_own_note own;
    struct arena a;
    arena_init(&a, 65536);
    wallet_key(key, 'n', owner, issuer, id);
    if (view_get(c->view, TABLE_NOTE, SPAN_OF(key), &v) && ledger_own_note_decode(&own, v, &a, NULL) == 0) {
        own.state = state;
        own_put(into, owner, issuer, id, &own);
    }
    arena_free(&a);
}

static void move(struct change *into, const struct identity *owner, const struct identity *issuer,
                 const struct ledger_receipt *receipt, int64_t time, int64_t minor, struct span words)
{
    uint8_t key[105] = {'h'};
    struct buf b = {0};
    struct ledger_movement m = {.time = time, .minor = minor, .words = words, .index = receipt->index};
    merkle_leaf(&m.leaf, receipt->entry);
    memcpy(key + 1, owner->b, 32);
    memcpy(key + 33, issuer->b, 32);
    be64_put(key + 65, (uint64_t)time);
    memcpy(key + 73, m.leaf.b, 32);
    ledger_movement_encode(&b, &m);
    change_put(into, TABLE_NOTE, SPAN_OF(key), buf_view(&b));
    buf_free(&b);
}

bool wallet_take(struct rails *r, struct core *c, const struct identity *owner,
                 const struct identity *issuer, const struct ledger_note *note, enum ledger_holder holder,
                 const struct id *context, const struct ledger_receipt *receipt, struct span words,
                 struct change *into)
{
    uint8_t key[97];
    struct id id;
    struct span v;
    struct buf opening = {0};
    note_id_of(&id, r->network, issuer, note);
    wallet_key(key, 'n', owner, issuer, &id);
    if (view_get(c->view, TABLE_NOTE, SPAN_OF(key), &v))
        return false;
    ledger_note_encode(&opening, note);
    struct ledger_own_note own = {.note = buf_view(&opening),
                                  .holder = holder,
                                  .context = *context,
                                  .state = LEDGER_HELD_UNSPENT,
                                  .receipt = *receipt};
    own_put(into, owner, issuer, &id, &own);
    if (holder != LEDGER_HOLDER_WALLET)
        move(into, owner, issuer, receipt, c->now.unix_ms, (int64_t)note->minor, words);
    buf_free(&opening);
    return true;
}

/* ---- answers ---- */
/* The first note made is somebody else's: its opening goes to them with the receipt.  Without it they could
 * never spend it: an error (the identity is locked, the outbox full) leaves the answer for later. */
static int tell(struct rails *r, struct core *c, const struct ledger_pending *p, const struct transfer *t,
                const struct ledger_receipt *receipt, struct change *into)
{
    static const struct id none;
    struct buf note = {0}, letter = {0};
    struct id id;
    if (keys_own(c->keys, &p->to)) {
        wallet_take(r, c, &p->to, &t->body.issuer, &t->body.makes[0], LEDGER_HOLDER_IDENTITY, &none,
                    receipt, p->words, into);
        return 0;
    }
    ledger_note_encode(&note, &t->body.makes[0]);
    struct ledger_opening m = {.issuer = t->body.issuer,
                               .note = buf_view(&note),
                               .receipt = *receipt,
                               .has_words = p->has_words,
                               .words = p->words};
    ledger_opening_encode(&letter, &m);
    struct report rep = {0};
    int err = outbox_send(c->outbox, c, &p->owner, &p->to, &t->id, LETTER_OPENING, buf_view(&letter), into,
                          &id, &rep);
    if (err)
        log_line(LOG_INFO, "rail", "a note's opening cannot be sent yet: %s", rep.text);
    buf_free(&note);
    buf_free(&letter);
    return err;
}

static void settle_draw(struct core *c, const struct transfer *t, struct change *into)
{
    struct ledger_membership m;
    uint8_t key[97];
    static const struct id none;
    struct buf b = {0};
    if (t->body.kind != LEDGER_KIND_DRAW)
        return;
    wallet_membership(c, &t->body.member, &t->body.issuer, &m);
    m.drawn_minor += t->body.drawn;
    wallet_key(key, 'j', &t->body.member, &t->body.issuer, &none);
    ledger_membership_encode(&b, &m);
    change_put(into, TABLE_NOTE, span(key, 65), buf_view(&b));
    buf_free(&b);
}

static void outcome_put(struct change *into, const struct id *transfer, enum ledger_refusal why)
{
    uint8_t key[33], w = (uint8_t)why;
    one_key(key, 'p', transfer);
    /* Guards the change: whatever follows an answer is done once. */
    change_delete(into, TABLE_NOTE, SPAN_OF(key));
    one_key(key, 'r', transfer);
    change_put(into, TABLE_NOTE, SPAN_OF(key), SPAN_OF(w));
}

void wallet_entered(struct rails *r, struct core *c, const struct ledger_entered *m, struct arena *a)
{
    struct ledger_pending p;
    struct transfer t;
    struct ledger_entry entry;
    struct node_key node;
    struct identity key;
    struct report rep = {0};
    /* Unverified answers change nothing: it is asked again. */
    if (!pending_get(c, &m->transfer, &p, a) || !rails_issuer_of(c, &m->issuer, &node, &key) ||
        transfer_parse(&t, r->network, p.transfer, a, &rep) || !identity_eq(&t.body.issuer, &m->issuer))
        return;
    if (receipt_check(&entry, r->network, &m->issuer, &key, &m->receipt, a, &rep) ||
        !entry_is(&entry, &t)) {
        log_line(LOG_WARN, "rail", "an issuer's receipt does not stand: %s", rep.text);
        return;
    }
    rails_head_seen(r, c, &m->issuer, &m->receipt.head);
    struct change *ch = change_new(ROOM_RAIL, WHAT_WALLET, 0);
    outcome_put(ch, &t.id, (enum ledger_refusal)0);
    for (size_t i = 0; i < p.own_n; i++)
        own_state(c, &p.owner, &m->issuer, &p.own[i], LEDGER_HELD_SPENT, ch);
    if (p.has_context)
        wallet_take(r, c, &p.owner, &m->issuer, &t.body.makes[t.body.makes_n - 1], LEDGER_HOLDER_WALLET,
                    &p.context, &m->receipt, span(NULL, 0), ch);
    if (p.minor)
        move(ch, &p.owner, &m->issuer, &m->receipt, c->now.unix_ms, p.minor, p.words);
    settle_draw(c, &t, ch);
    if (p.has_to && tell(r, c, &p, &t, &m->receipt, ch)) {
        change_free(ch); /* still pending: the issuer is asked again, and gives the same receipt */
        return;
    }
    fx_commit(c->fx, ch);
    if (p.has_lock)
        watch_look(r, c, &p.lock);
}

/* A refusal for good must be believable where it can be: a double spend shows the leaf that came first. */
static bool believable(struct rails *r, struct core *c, const struct ledger_refused *m, struct arena *a)
{
    struct node_key node;
    struct identity key;
    struct ledger_entry entry;
    if (m->why != LEDGER_REFUSAL_SPENT)
        return true;
    return m->has_note && m->has_first && rails_issuer_of(c, &m->issuer, &node, &key) &&
           receipt_check(&entry, r->network, &m->issuer, &key, &m->first, a, NULL) == 0 &&
           entry_spends(&entry, &m->note);
}

void wallet_refused(struct rails *r, struct core *c, const struct ledger_refused *m, struct arena *a)
{
    struct ledger_pending p;
    if (refusal_passing(m->why) || !pending_get(c, &m->transfer, &p, a) || !believable(r, c, m, a))
        return;
    log_line(LOG_WARN, "rail", "an issuer refused a transfer for good: %s", ledger_refusal_name(m->why));
    struct change *ch = change_new(ROOM_RAIL, WHAT_WALLET, 0);
    outcome_put(ch, &m->transfer, m->why);
    for (size_t i = 0; i < p.own_n; i++) {
        bool gone = m->why == LEDGER_REFUSAL_SPENT && id_eq(&p.own[i], &m->note);
        own_state(c, &p.owner, &m->issuer, &p.own[i], gone ? LEDGER_HELD_SPENT : LEDGER_HELD_UNSPENT, ch);
        map_del(&r->reserved, &p.own[i]);
    }
    fx_commit(c->fx, ch);
    if (p.has_lock)
        watch_refused(r, c, &p.lock, m->why);
}

int rails_outcome(struct rails *r, struct core *c, const struct id *transfer)
{
    uint8_t key[33];
    struct span v;
    (void)r;
    one_key(key, 'p', transfer);
    if (view_get(c->view, TABLE_NOTE, SPAN_OF(key), &v))
        return SOUK_EBUSY;
    one_key(key, 'r', transfer);
    if (!view_get(c->view, TABLE_NOTE, SPAN_OF(key), &v) || v.n != 1)
        return SOUK_ENOT_FOUND;
    return v.p[0] ? refusal_err((enum ledger_refusal)v.p[0]) : 0;
}

/* ---- letters ---- */
int rails_letter(struct rails *r, struct core *c, const struct identity *to, const struct identity *from,
                 const struct id *letter, struct span body)
{
    struct arena a;
    struct ledger_opening m;
    struct ledger_note note;
    struct ledger_entry entry;
    struct node_key node;
    struct identity key;
    struct trade_key lock_key;
    struct id id;
    static const struct id none;
    (void)from;
    (void)letter;
    arena_init(&a, RAIL_ARENA_BYTES);
    int err = ledger_opening_decode(&m, body, &a, NULL);
    if (!err)
        err = ledger_note_decode(&note, m.note, &a, NULL);
    if (err) {
        arena_free(&a);
        return err; /* of no use, now or later: its sender is told */
    }
    if (!rails_issuer_of(c, &m.issuer, &node, &key)) {
        arena_free(&a);
        return SOUK_EBUSY; /* its record is on the way: not acknowledged, so it comes again */
    }
    note_id_of(&id, r->network, &m.issuer, &note);
    if (receipt_check(&entry, r->network, &m.issuer, &key, &m.receipt, &a, NULL) ||
        !lock_is_simple(&note.lock, &lock_key) || memcmp(&lock_key, to, sizeof lock_key) != 0 ||
        !entry_makes(&entry, r->network, &m.issuer, &id)) {
        err = SOUK_EREFUSED; /* no receipt for it, or not ours to spend */
    } else {
        rails_head_seen(r, c, &m.issuer, &m.receipt.head);
        wallet_take(r, c, to, &m.issuer, &note, LEDGER_HOLDER_IDENTITY, &none, &m.receipt, m.words,
                    outbox_taking(c->outbox));
    }
    arena_free(&a);
    return err;
}
