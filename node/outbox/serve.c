/* serve.c: mailboxes that we hold for others.  Every node does: a letter for somebody who is away needs a
 * place, and whoever wants places must give some. */
#include "crypto/sign.h"
#include "crypto/work.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "node/outbox/engine.h"
#include <stdlib.h>

enum { WORK_BITS_MOST = 14 /* some milliseconds */, SPARE_BYTES = 2048, TAKE_MOST = 64 };
static const int64_t clock_ms = 600000, ticket_most_ms = 400 * OUTBOX_DAY_MS;

unsigned serve_bits(const struct network *net)
{
    return net->work_bits < WORK_BITS_MOST ? net->work_bits : WORK_BITS_MOST;
}

/* ---- how many, and whose ---- */
struct served_prefix {
    uint64_t n;
};

/* The prefix to which a mailbox is counted; 0: none.  (No prefix is 0: ::/64 is nobody's.) */
static uint64_t prefix_of(const struct outbox *o, struct core *c, const struct node_key *peer)
{
    struct addr at;
    if (!net_addr(c->net, peer, &at) || (o->network->loopback && addr_is_private(&at)))
        return 0;
    return addr_prefix(&at);
}

static void count_prefix(struct outbox *o, uint64_t prefix, int by)
{
    uint8_t key[8];
    be64_put(key, prefix);
    struct served_prefix *p = map_get(&o->prefixes, key);
    o->served = by > 0 ? o->served + 1 : o->served - (o->served > 0);
    if (!p && by > 0)
        map_put(&o->prefixes, key, p = xcalloc(1, sizeof *p));
    if (p)
        p->n = by > 0 ? p->n + 1 : p->n - (p->n > 0);
}

static bool has_place(const struct outbox *o, uint64_t prefix)
{
    uint8_t key[8];
    be64_put(key, prefix);
    const struct served_prefix *p = map_get(&o->prefixes, key);
    return o->served < OUTBOX_SERVED_MOST && (!prefix || !p || p->n < OUTBOX_SERVED_PREFIX);
}

static bool count_box(void *arg, struct span key, struct span value)
{
    (void)key;
    count_prefix(arg, value.n == 48 ? be64_get(value.p + 40) : 0, 1);
    return true;
}

void serve_free(struct outbox *o)
{
    size_t at = 0;
    void *v;
    while (map_next(&o->prefixes, &at, NULL, &v))
        free(v);
    map_free(&o->prefixes);
}

void serve_boot(struct outbox *o, struct core *c)
{
    serve_free(o);
    map_init(&o->prefixes, 8, o->rng);
    o->served = 0;
    view_scan(c->view, TABLE_META, span_str("mbox"), span(NULL, 0), count_box, o);
}

struct held_bytes {
    struct core *c;
    uint64_t n;
};

static bool add_mail(void *arg, const struct id *id, int64_t expires, struct span bytes)
{
    struct held_bytes *h = arg;
    (void)id;
    (void)expires;
    h->n += bytes.n;
    return true;
}

static bool add_box(void *arg, struct span key, struct span value)
{
    struct held_bytes *h = arg;
    struct id mailbox;
    (void)value;
    memcpy(mailbox.b, key.p + key.n - sizeof mailbox.b, sizeof mailbox.b);
    view_mail(h->c->view, &mailbox, add_mail, h);
    return true;
}

uint64_t serve_bytes(struct core *c)
{
    struct held_bytes h = {.c = c};
    view_scan(c->view, TABLE_META, span_str("mbox"), span(NULL, 0), add_box, &h);
    return h.n;
}

struct served {
    uint8_t key[32];
    int64_t time;
    uint64_t prefix; /* of who opened it first; 0: none, or by an older souk */
};

static bool served_box(struct core *c, const struct identity *who, struct served *out)
{
    uint8_t key[ROW_KEY_MOST];
    struct span v;
    if (!view_get(c->view, TABLE_META, row_key(key, "mbox", who), &v) || (v.n != 40 && v.n != 48))
        return false;
    out->prefix = v.n == 48 ? be64_get(v.p + 40) : 0;
    memcpy(out->key, v.p, 32);
    out->time = (int64_t)be64_get(v.p + 32);
    return true;
}

static void refuse(struct core *c, const struct node_key *peer, const struct identity *who, int err)
{
    struct buf b = {0};
    mail_refused_encode(&b, &(struct mail_refused){.who = *who, .error = (uint64_t)-err});
    (void)net_send(c->net, c, peer, CHANNEL_MAIL, MAIL_REFUSED, buf_view(&b));
    buf_free(&b);
}

/* ---- owners ---- */
static struct watch *find_watch(struct outbox *o, const struct node_key *peer, const struct identity *who)
{
    for (size_t i = 0; i < o->watch_n; i++)
        if (node_key_eq(&o->watch[i].peer, peer) && identity_eq(&o->watch[i].who, who))
            return &o->watch[i];
    return NULL;
}

static void forget_gone(struct outbox *o, struct core *c)
{
    for (size_t i = 0; i < o->watch_n;)
        if (net_up(c->net, &o->watch[i].peer))
            i++;
        else
            o->watch[i] = o->watch[--o->watch_n];
}

static void opened(struct outbox *o, struct core *c, const struct node_key *peer,
                   const struct identity *who)
{
    struct buf b = {0};
    struct watch *w = find_watch(o, peer, who);
    if (!w) {
        if (o->watch_n == OUTBOX_WATCH_MOST)
            forget_gone(o, c);
        w = &o->watch[o->watch_n < OUTBOX_WATCH_MOST ? o->watch_n++ : rng_below(o->rng, OUTBOX_WATCH_MOST)];
    }
    *w = (struct watch){.peer = *peer, .who = *who};
    rng_bytes(o->rng, w->challenge.b, sizeof w->challenge.b);
    mail_opened_encode(
        &b, &(struct mail_opened){.who = *who, .challenge = w->challenge, .quota = OUTBOX_BOX_BYTES});
    (void)net_send(c->net, c, peer, CHANNEL_MAIL, MAIL_OPENED, buf_view(&b));
    buf_free(&b);
}

struct opening {
    struct node_key peer;
    struct identity who;
    uint64_t prefix;
    bool fresh;
};

static int on_open(struct outbox *o, struct core *c, const struct node_key *peer, const struct mail_open *m)
{
    struct served s;
    struct id hash;
    uint8_t key[ROW_KEY_MOST], row[48];
    boxes_open_hash(&hash, o->network, m, keys_node(c->keys));
    if (!sign_check(m->who.b, &hash, &m->sig))
        return SOUK_ESIGNATURE;
    if (m->time > c->now.unix_ms + clock_ms || m->time < c->now.unix_ms - clock_ms) {
        refuse(c, peer, &m->who, SOUK_ECLOCK); /* an old one, or a clock that is wrong: nobody's fault */
        return 0;
    }
    bool there = served_box(c, &m->who, &s);
    uint64_t prefix = there ? s.prefix : prefix_of(o, c, peer);
    if (!there && (!has_place(o, prefix) || !sign_key_ok(m->key.p))) {
        refuse(c, peer, &m->who, SOUK_EQUOTA);
        return 0;
    }
    if (there && memcmp(s.key, m->key.p, 32) == 0 && m->time - s.time < OUTBOX_DAY_MS) {
        opened(o, c, peer, &m->who);
        return 0;
    }
    struct change *ch = change_new(ROOM_OUTBOX, WHAT_OPENED, 0);
    struct opening *carry = arena_alloc(&ch->arena, sizeof *carry);
    MUST(carry != NULL);
    *carry = (struct opening){*peer, m->who, prefix, !there};
    ch->carry = carry;
    if (!there)
        count_prefix(o, prefix, 1);
    memcpy(row, m->key.p, 32);
    be64_put(row + 32, (uint64_t)m->time);
    be64_put(row + 40, prefix);
    change_put(ch, TABLE_META, row_key(key, "mbox", &m->who), SPAN_OF(row));
    fx_commit(c->fx, ch);
    return 0;
}

/* ---- taking ---- */
static bool named(const struct mail_take *m, const struct id *id)
{
    for (size_t i = 0; i < m->erase_n; i++)
        if (id_eq(&m->erase[i], id))
            return true;
    return false;
}

static void send_mail(struct core *c, const struct node_key *peer, const struct identity *who,
                      struct span envelope)
{
    struct buf b = {0};
    mail_mail_encode(&b, &(struct mail_mail){.who = *who, .envelope = envelope});
    (void)net_send(c->net, c, peer, CHANNEL_MAIL, MAIL_MAIL, buf_view(&b));
    buf_free(&b);
}

struct taking_out {
    struct core *c;
    const struct node_key *peer;
    const struct mail_take *m;
    struct id after;
    size_t n;
    bool more;
};

static bool take_one(void *arg, const struct id *id, int64_t expires, struct span bytes)
{
    struct taking_out *t = arg;
    if (memcmp(id, &t->after, sizeof *id) <= 0 || expires < t->c->now.unix_ms || named(t->m, id))
        return true;
    t->more = t->n == TAKE_MOST || net_room_left(t->c->net, t->peer) < bytes.n + SPARE_BYTES;
    if (t->more)
        return false;
    send_mail(t->c, t->peer, &t->m->who, bytes);
    t->after = *id;
    t->n++;
    return true;
}

/* Each time the next ones, and after the last the first again: what the owner cannot keep, and so does not
 * erase, must not stand before all else. */
static void tell_mail(struct watch *w, struct taking_out *t, const struct id *mailbox)
{
    t->after = w->after;
    view_mail(t->c->view, mailbox, take_one, t);
    if (!t->n && !t->more && !is_zero(&w->after, sizeof w->after)) {
        t->after = (struct id){{0}};
        view_mail(t->c->view, mailbox, take_one, t);
    }
    w->after = t->more ? t->after : (struct id){{0}};
}

static void erase(struct core *c, const struct mail_take *m, const struct id *mailbox)
{
    if (!m->erase_n)
        return;
    struct change *ch = change_new(ROOM_OUTBOX, WHAT_NOTE, 0);
    for (size_t i = 0; i < m->erase_n; i++)
        change_mail_drop(ch, mailbox, &m->erase[i])->lone = true;
    fx_commit(c->fx, ch);
}

static void on_take(struct outbox *o, struct core *c, const struct node_key *peer,
                    const struct mail_take *m)
{
    struct watch *w = find_watch(o, peer, &m->who);
    struct served s;
    struct id hash, mailbox;
    struct buf b = {0};
    boxes_take_hash(&hash, o->network, m, keys_node(c->keys));
    if (!w || !id_eq(&w->challenge, &m->challenge) || !served_box(c, &m->who, &s) ||
        !sign_check(s.key, &hash, &m->sig)) {
        refuse(c, peer, &m->who, SOUK_ENOT_ALLOWED);
        return;
    }
    w->proven = true;
    rng_bytes(o->rng, w->challenge.b, sizeof w->challenge.b);
    memcpy(mailbox.b, m->who.b, sizeof mailbox.b);
    erase(c, m, &mailbox);
    struct taking_out t = {.c = c, .peer = peer, .m = m};
    struct mail_taken end = {.who = m->who, .challenge = w->challenge};
    tell_mail(w, &t, &mailbox);
    end.more = t.more;
    mail_taken_encode(&b, &end);
    (void)net_send(c->net, c, peer, CHANNEL_MAIL, MAIL_TAKEN, buf_view(&b));
    buf_free(&b);
}

/* ---- leaving ---- */
struct leaving {
    struct node_key peer;
    struct identity who;
    struct id envelope;
    struct span bytes;
};

static void answer(struct outbox *o, struct core *c, const struct node_key *peer, const struct id *envelope,
                   int err)
{
    struct mail_left m = {.envelope = *envelope, .verdict = (uint64_t)-err, .bits = serve_bits(o->network)};
    struct buf b = {0};
    if (node_key_eq(peer, keys_node(c->keys))) { /* our own letter in a mailbox that we serve */
        (void)deliver_left(o, c, peer, &m);
        return;
    }
    mail_left_encode(&b, &m);
    (void)net_send(c->net, c, peer, CHANNEL_MAIL, MAIL_LEFT, buf_view(&b));
    buf_free(&b);
}

static bool ticket_good(const struct outbox *o, const struct core *c, const struct identity *who,
                        const struct served *s, const struct mail_ticket *t)
{
    struct id hash;
    if (t->until < c->now.unix_ms || t->until > c->now.unix_ms + ticket_most_ms)
        return false;
    boxes_ticket_hash(&hash, o->network, who, t);
    return sign_check(s->key, &hash, &t->sig);
}

static int on_leave(struct outbox *o, struct core *c, const struct node_key *peer,
                    const struct mail_leave *m)
{
    struct mail_envelope e;
    struct served s;
    struct op op = {.kind = OP_MAIL};
    int err = mail_envelope_decode(&e, m->envelope, NULL, NULL);
    if (err)
        return err;
    letter_envelope_id(&op.mail.id, o->network, m->envelope);
    bool there = served_box(c, &e.to, &s);
    op.mail.ticket = there && m->has_ticket && ticket_good(o, c, &e.to, &s, &m->ticket);
    if (!there || (!op.mail.ticket && work_bits(&op.mail.id, m->nonce) < serve_bits(o->network))) {
        answer(o, c, peer, &op.mail.id, there ? SOUK_EWORK : SOUK_ENOT_FOUND);
        return 0;
    }
    memcpy(op.mail.mailbox.b, e.to.b, sizeof op.mail.mailbox.b);
    op.mail.expires = c->now.unix_ms + OUTBOX_LIFE_MS;
    op.mail.quota_bytes = OUTBOX_BOX_BYTES;
    op.mail.bytes = m->envelope;
    struct change *ch = change_new(ROOM_OUTBOX, WHAT_SERVED, 0);
    struct leaving *l = arena_alloc(&ch->arena, sizeof *l);
    MUST(l != NULL);
    *l = (struct leaving){*peer, e.to, op.mail.id, arena_copy(&ch->arena, m->envelope)};
    ch->carry = l;
    change_mail(ch, &op);
    fx_commit(c->fx, ch);
    return 0;
}

void serve_leave_here(struct outbox *o, struct core *c, const struct mail_leave *m)
{
    (void)on_leave(o, c, keys_node(c->keys), m);
}

int serve_message(struct outbox *o, struct core *c, const struct node_key *peer, unsigned number,
                  struct span body, struct arena *a)
{
    struct mail_open open;
    struct mail_take take;
    struct mail_leave leave;
    int err;
    if (number == MAIL_OPEN)
        return (err = mail_open_decode(&open, body, a, NULL)) ? err : on_open(o, c, peer, &open);
    if (number == MAIL_LEAVE)
        return (err = mail_leave_decode(&leave, body, a, NULL)) ? err : on_leave(o, c, peer, &leave);
    err = mail_take_decode(&take, body, a, NULL);
    if (!err)
        on_take(o, c, peer, &take);
    return err;
}

static void left_committed(struct outbox *o, struct core *c, struct change *ch)
{
    const struct leaving *l = ch->carry;
    enum op_result r = ch->ops[0].result;
    bool kept = !ch->err && (r == OP_STORED || r == OP_DUPLICATE);
    answer(o, c, &l->peer, &l->envelope, kept ? 0 : ch->err ? ch->err : SOUK_EQUOTA);
    for (size_t i = 0; kept && r == OP_STORED && i < o->watch_n; i++) {
        struct watch *w = &o->watch[i];
        if (w->proven && identity_eq(&w->who, &l->who) && net_up(c->net, &w->peer))
            send_mail(c, &w->peer, &l->who, l->bytes); /* if its queue is full, it takes it later */
    }
}

void serve_committed(struct outbox *o, struct core *c, struct change *ch)
{
    if (ch->what == WHAT_SERVED) {
        left_committed(o, c, ch);
        return;
    }
    const struct opening *m = ch->carry;
    if (ch->err) { /* the owner asks again */
        if (m->fresh)
            count_prefix(o, m->prefix, -1);
        return;
    }
    opened(o, c, &m->peer, &m->who);
}
