/* take.c: letters that come for identities of this node: opened, judged, kept, and then acknowledged. */
#include "crypto/base/log.h"
#include "crypto/wire/cursor.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "node/outbox/engine.h"

enum { ROWS_BYTES = 512 }; /* what a letter takes on disk beside its own bytes, about */
static const int64_t ahead_most_ms = OUTBOX_DAY_MS;

/* ---- telling that a letter is safe ---- */

/* By the session it came from if the sender may know that its recipient lives here; else as a letter. */
static void send_ack(struct outbox *o, struct core *c, const struct arrival *a)
{
    struct mail_ack m = {.letter = a->letter, .by = a->to, .verdict = a->verdict};
    struct buf b = {0};
    struct id hash, id;
    letter_ack_hash(&hash, o->network, &a->letter, a->verdict);
    if (keys_sign(c->keys, c, &a->to, USE_DUTY, &hash, &m.sig, NULL))
        return; /* locked meanwhile: the letter comes again */
    if (a->at.source == FROM_HERE) {
        (void)deliver_ack(o, c, &m);
        return;
    }
    mail_ack_encode(&b, &m);
    if (a->at.source == FROM_SESSION && net_up(c->net, &a->at.peer) &&
        where_shown(o, c, &a->to, &a->from)) {
        (void)net_send(c->net, c, &a->at.peer, CHANNEL_MAIL, MAIL_ACK, buf_view(&b));
    } else {
        /* Made from what it acknowledges alone, so that several copies of a letter make one of it. */
        struct mail_letter letter = {.from = a->to,
                                     .to = a->from,
                                     .thread = a->letter,
                                     .kind = LETTER_ACK,
                                     .created = c->now.unix_ms / OUTBOX_DAY_MS * OUTBOX_DAY_MS,
                                     .body = buf_view(&b)};
        struct change *ch = change_new(ROOM_OUTBOX, WHAT_NOTE, 0);
        if (outbox_queue(o, c, &letter, ch, &id, NULL, NULL) == 0)
            fx_commit(c->fx, ch);
        else
            change_free(ch);
    }
    buf_free(&b);
}

/* The envelope need not be kept elsewhere any more, whatever became of it. */
static void let_go(struct outbox *o, struct core *c, const struct identity *to, const struct origin *at)
{
    if (at->source == FROM_BOX)
        boxes_safe(o, c, to, &at->peer, &at->envelope);
    if (at->source != FROM_HELD)
        return;
    struct change *ch = change_new(ROOM_OUTBOX, WHAT_NOTE, 0);
    struct id mailbox;
    memcpy(mailbox.b, to->b, sizeof mailbox.b);
    change_mail_drop(ch, &mailbox, &at->envelope);
    fx_commit(c->fx, ch);
}

static void is_safe(struct outbox *o, struct core *c, const struct arrival *a)
{
    send_ack(o, c, a);
    let_go(o, c, &a->to, &a->at);
}

/* ---- what is kept ---- */
static void put_seen(struct core *c, struct change *into, const struct id *letter, uint8_t verdict)
{
    uint8_t key[ROW_KEY_MOST], row[9];
    row[0] = verdict;
    be64_put(row + 1, (uint64_t)c->now.unix_ms);
    change_put_if(into, TABLE_META, row_key(key, "seen", letter), SPAN_OF(row), NULL);
}

/* Seen before: acknowledged again, unless it was just now (the copies of several mailboxes). */
static bool seen(struct outbox *o, struct core *c, struct arrival *a)
{
    uint8_t key[ROW_KEY_MOST];
    struct span v;
    if (!view_get(c->view, TABLE_META, row_key(key, "seen", &a->letter), &v) || v.n != 9)
        return false;
    a->verdict = v.p[0];
    int64_t age = c->now.unix_ms - (int64_t)be64_get(v.p + 1);
    if (a->at.source == FROM_BOX && age < 3600000)
        let_go(o, c, &a->to, &a->at);
    else
        is_safe(o, c, a);
    return true;
}

static bool for_good(int err)
{
    switch (err) {
    case SOUK_EFORM:
    case SOUK_ESIGNATURE:
    case SOUK_EINVALID:
    case SOUK_ERANGE:
    case SOUK_EMISSING:
    case SOUK_EUNKNOWN_CRITICAL:
    case SOUK_ECONFLICT:
    case SOUK_ENOT_ALLOWED:
    case SOUK_EEXPIRED:
    case SOUK_EREFUSED:
    case SOUK_EVERSION:
        return true;
    default:
        return false;
    }
}

/* The part of the change that is the kind's own.  0 or an error. */
static int by_kind(struct outbox *o, struct core *c, const struct opened *l, struct change *ch)
{
    const struct mail_letter *m = &l->letter;
    switch (m->kind) {
    case LETTER_MESSAGE:
        return m->body.n && m->body.n <= LETTER_TEXT_MOST && utf8_ok(m->body, true) ? 0 : SOUK_EFORM;
    case LETTER_FACT:
    case LETTER_OPENING:
    case LETTER_RECALL:
    case LETTER_RECALLED:
        o->taking = ch;
        int err = c->hooks->letter(c, &m->to, &m->from, (unsigned)m->kind, &l->id, m->body);
        o->taking = NULL;
        return err;
    case LETTER_ADDRESS:
    case LETTER_TICKET:
        return 0; /* what they say stands in their `where` */
    default:
        return SOUK_EVERSION;
    }
}

static struct change *arrival_change(enum outbox_what what, const struct arrival *a)
{
    struct change *ch = change_new(ROOM_OUTBOX, what, 0);
    struct arrival *keep = arena_alloc(&ch->arena, sizeof *keep);
    MUST(keep != NULL);
    *keep = *a;
    keep->body = arena_copy(&ch->arena, a->body);
    ch->carry = keep;
    return ch;
}

static int timely(const struct core *c, const struct mail_letter *m)
{
    if (m->created > c->now.unix_ms + ahead_most_ms)
        return SOUK_EFUTURE;
    /* Older ones could have been seen and forgotten. */
    return m->created < c->now.unix_ms - OUTBOX_LIFE_MS - 2 * OUTBOX_DAY_MS ? SOUK_EEXPIRED : 0;
}

/* Nothing is asked of who delivers to a session, and identities are free: what strangers may fill of the
 * disk in a day is bounded.  What is above it is not acknowledged, and comes again. */
static bool strangers_full(struct outbox *o, const struct core *c, size_t n)
{
    uint64_t day = (uint64_t)OUTBOX_DAY_MS, passed = c->now.mono_ms - o->strange_ms;
    uint64_t less = (passed < day ? passed : day) * OUTBOX_STRANGERS_BYTES / day;
    if (less) {
        o->strange_bytes -= less < o->strange_bytes ? less : o->strange_bytes;
        o->strange_ms = c->now.mono_ms;
    }
    if (o->strange_bytes + n > OUTBOX_STRANGERS_BYTES)
        return true;
    o->strange_bytes += n;
    return false;
}

static void keep_letter(struct outbox *o, struct core *c, const struct opened *l, struct arrival *a)
{
    bool blocked = threads_blocked(c, &a->from);
    if (!blocked && !threads_known(c, &a->from) && strangers_full(o, c, l->bytes.n + ROWS_BYTES)) {
        o->stats.refused++;
        return;
    }
    struct change *ch = arrival_change(WHAT_TAKEN, a);
    int err = timely(c, &l->letter);
    if (!err && !blocked)
        err = by_kind(o, c, l, ch);
    if (err && !for_good(err)) {
        o->stats.refused++;
        change_free(ch);
        return;
    }
    if (err) { /* nothing of it is kept but that it was refused */
        o->stats.refused++;
        change_free(ch);
        a->verdict = (uint8_t)-err;
        ch = arrival_change(WHAT_TAKEN, a);
    }
    ((struct arrival *)ch->carry)->room_ops = ch->ops_n;
    put_seen(c, ch, &a->letter, a->verdict);
    if (!err && !blocked && a->kind == LETTER_MESSAGE)
        threads_add(c, ch, &l->letter, &a->letter, l->bytes, l);
    if (blocked) /* acknowledged like any other, and not told to anybody */
        ((struct arrival *)ch->carry)->kind = 0;
    map_put(&o->flight, &a->letter, o);
    fx_commit(c->fx, ch);
}

static void read_letter(struct outbox *o, struct core *c, const struct opened *l, const struct origin *at)
{
    struct arrival a = {.at = *at,
                        .letter = l->id,
                        .from = l->letter.from,
                        .to = l->letter.to,
                        .kind = (uint8_t)l->letter.kind,
                        .body = l->letter.body};
    struct arena mem;
    struct mail_ack ack;
    struct mail_where where;
    arena_init(&mem, 8192);
    if (letter_where_valid(&where, l->where, &mem))
        where_learn(o, c, &a.from, &where);
    if (a.kind == LETTER_ACK) {
        if (mail_ack_decode(&ack, a.body, &mem, NULL) == 0 && identity_eq(&ack.by, &a.from))
            (void)deliver_ack(o, c, &ack);
        let_go(o, c, &a.to, at);
    } else if (!map_get(&o->flight, &a.letter) && !seen(o, c, &a) && o->flight.n < OUTBOX_FLIGHT_MOST) {
        keep_letter(o, c, l, &a);
    }
    arena_free(&mem);
}

/* The identity is locked: the sealed letter waits here, acknowledged to nobody but the mailbox. */
static void hold(struct outbox *o, struct core *c, const struct mail_envelope *e, const struct origin *at,
                 struct span envelope)
{
    struct arrival a = {.at = *at, .to = e->to};
    struct op op = {.kind = OP_MAIL};
    (void)o;
    if (at->source == FROM_HELD)
        return;
    struct change *ch = arrival_change(WHAT_HELD, &a);
    memcpy(op.mail.mailbox.b, e->to.b, sizeof op.mail.mailbox.b);
    letter_envelope_id(&op.mail.id, c->network, envelope);
    op.mail.expires = c->now.unix_ms + OUTBOX_LIFE_MS;
    op.mail.bytes = envelope;
    op.mail.ticket = op.mail.own = true;
    op.mail.quota_bytes = OUTBOX_OWN_BYTES;
    change_mail(ch, &op);
    fx_commit(c->fx, ch);
}

/* Whoever sent it learns nothing from silence: neither whether the recipient lives here, nor whether it
 * could be opened. */
void take_envelope(struct outbox *o, struct core *c, const struct origin *at, struct span envelope)
{
    struct mail_envelope e;
    struct opened l;
    struct arena mem;
    struct buf plain = {0};
    if (mail_envelope_decode(&e, envelope, NULL, NULL) || !keys_own(c->keys, &e.to)) {
        o->stats.dropped++;
        return;
    }
    if (!outbox_own_open(c, &e.to)) {
        hold(o, c, &e, at, envelope);
        return;
    }
    arena_init(&mem, 8192);
    const uint8_t *sk = keys_prekey_secret(c->keys, &e.to, &e.prekey);
    if (sk && letter_open(&l, &plain, o->network, &e, sk, &mem) == 0) {
        read_letter(o, c, &l, at);
    } else { /* spoilt, or for a prekey that is gone: its sender seals it again */
        o->stats.dropped++;
        let_go(o, c, &e.to, at);
    }
    arena_free(&mem);
    buf_wipe(&plain);
}

/* ---- after the commit ---- */

/* What ended the room's part of the change; OP_STORED when nothing did. */
static enum op_result room_result(const struct change *ch, size_t room_ops)
{
    for (size_t i = 0; i < room_ops; i++)
        if (!ch->ops[i].lone && ch->ops[i].result != OP_STORED)
            return ch->ops[i].result;
    return OP_STORED;
}

static void done(struct outbox *o, struct core *c, const struct arrival *a)
{
    map_del(&o->flight, &a->letter);
    o->stats.taken += a->verdict == 0;
    is_safe(o, c, a);
    if (o->taken && a->verdict == 0 && a->kind)
        o->taken(c, &a->to, &a->from, a->kind, &a->letter, a->body);
}

void take_committed(struct outbox *o, struct core *c, struct change *ch)
{
    struct arrival *a = ch->carry;
    if (ch->what == WHAT_HELD) {
        if (!ch->err && (ch->ops[0].result == OP_STORED || ch->ops[0].result == OP_DUPLICATE))
            let_go(o, c, &a->to, &a->at);
        return;
    }
    enum op_result r = ch->err ? OP_QUOTA : room_result(ch, a->room_ops);
    if (r == OP_STORED) {
        done(o, c, a);
    } else if (r == OP_DUPLICATE) { /* what it says was here already; that it came is still to be kept */
        struct change *again = arrival_change(WHAT_SEEN, a);
        ((struct arrival *)again->carry)->room_ops = 0;
        put_seen(c, again, &a->letter, 0);
        fx_commit(c->fx, again);
    } else {
        map_del(&o->flight, &a->letter);
        log_line(LOG_WARN, "outbox", "a letter could not be kept (%s): it will come again",
                 ch->err ? err_name(ch->err) : op_result_name(r));
    }
}

enum { HELD_AT_ONCE = 64 };
struct held {
    struct buf bytes;
    struct id after, id[HELD_AT_ONCE];
    size_t at[HELD_AT_ONCE + 1];
    size_t n;
    bool more;
};

static bool held_one(void *arg, const struct id *id, int64_t expires, struct span bytes)
{
    struct held *h = arg;
    (void)expires;
    if (memcmp(id, &h->after, sizeof *id) <= 0)
        return true;
    h->more = h->n == HELD_AT_ONCE;
    if (h->more)
        return false;
    h->id[h->n] = *id;
    buf_span(&h->bytes, bytes);
    h->at[++h->n] = h->bytes.n;
    return true;
}

void take_held(struct outbox *o, struct core *c, const struct identity *who)
{
    struct held h = {0};
    struct id mailbox;
    struct owner *w = boxes_owner(o, who);
    if (w)
        h.after = w->held_after;
    memcpy(mailbox.b, who->b, sizeof mailbox.b);
    view_mail(c->view, &mailbox, held_one, &h);
    if (w) /* the next ones at the next tick; after the last the first, if any could not be kept */
        w->held_after = h.more ? h.id[h.n - 1] : (struct id){{0}};
    for (size_t i = 0; i < h.n; i++)
        take_envelope(o, c, &(struct origin){.source = FROM_HELD, .envelope = h.id[i]},
                      span(h.bytes.p + h.at[i], h.at[i + 1] - h.at[i]));
    buf_free(&h.bytes);
}
