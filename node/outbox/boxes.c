/* boxes.c: the mailboxes that hold letters for identities of this node: choosing servers, opening, taking,
 * and saying in the DHT where they are. */
#include "crypto/base/log.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "dht/dht.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "node/outbox/engine.h"
#include <sodium.h>
#include <stdlib.h>

enum {
    PEERS = 64,
    YOUNG = 8,         /* with fewer peers a network is young: one takes who is there */
    LONG_MS = 300000,  /* a session that lasted so long is a long one */
    REDIAL_MS = 30000, /* to a server that is away; a take without an answer */
    POLL_MS = 60000,   /* take again, should a push have been lost */
    SLOW_TICK_MS = 30000,
    BOX_ROW_BYTES = 32 + 18,
};
static const uint64_t lost_ms = UINT64_C(86400000); /* a server away for so long is replaced */
static const uint64_t republish_ms = UINT64_C(2) * 86400000;

/* ---- keys and hashes ---- */
int boxes_key(struct core *c, const struct identity *who, uint8_t sk[static 64], uint8_t pk[static 32])
{
    static const struct id context;
    uint8_t seed[32];
    struct keypair pair;
    int err = keys_derive(c->keys, who, "souk:mailbox", &context, seed, NULL);
    if (err)
        return err;
    sign_keypair_from_seed(&pair, seed);
    memcpy(sk, pair.sk, 64);
    memcpy(pk, pair.pk, 32);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(&pair, sizeof pair);
    return 0;
}

void boxes_open_hash(struct id *out, const struct network *net, const struct mail_open *m,
                     const struct node_key *server)
{
    uint8_t time[8];
    be64_put(time, (uint64_t)m->time);
    struct span parts[] = {SPAN_OF(m->who), m->key, SPAN_OF(*server), SPAN_OF(time)};
    hash_souk(out, net, "souk:mbox-open", parts, 4);
}

void boxes_take_hash(struct id *out, const struct network *net, const struct mail_take *m,
                     const struct node_key *server)
{
    struct span parts[] = {SPAN_OF(*server), SPAN_OF(m->who), SPAN_OF(m->challenge),
                           span(m->erase, m->erase_n * sizeof *m->erase)};
    hash_souk(out, net, "souk:mbox-take", parts, 4);
}

void boxes_ticket_hash(struct id *out, const struct network *net, const struct identity *who,
                       const struct mail_ticket *t)
{
    uint8_t until[8];
    be64_put(until, (uint64_t)t->until);
    struct span parts[] = {SPAN_OF(*who), SPAN_OF(t->serial), SPAN_OF(until)};
    hash_souk(out, net, "souk:mbox-ticket", parts, 3);
}

void boxes_ticket(struct outbox *o, struct core *c, const struct identity *who, struct mail_ticket *out)
{
    uint8_t sk[64], pk[32];
    struct id hash;
    rng_bytes(o->rng, out->serial.b, sizeof out->serial.b);
    out->until = c->now.unix_ms + 6 * OUTBOX_LIFE_MS;
    if (boxes_key(c, who, sk, pk))
        return; /* cannot be: it has just been asked to sign */
    boxes_ticket_hash(&hash, o->network, who, out);
    sign_hash(&out->sig, sk, &hash);
    sodium_memzero(sk, sizeof sk);
}

/* ---- which servers ---- */
struct owner *boxes_owner(struct outbox *o, const struct identity *who)
{
    for (size_t i = 0; i < o->owner_n; i++)
        if (identity_eq(&o->owner[i].who, who))
            return &o->owner[i];
    return NULL;
}

static void owner_save(struct core *c, const struct owner *w)
{
    uint8_t key[ROW_KEY_MOST], row[OUTBOX_BOXES * BOX_ROW_BYTES];
    for (size_t i = 0; i < w->n; i++) {
        memcpy(row + i * BOX_ROW_BYTES, w->box[i].at.node.b, 32);
        (void)box_addr(row + i * BOX_ROW_BYTES + 32, &w->box[i].at.addr);
    }
    struct change *ch = change_new(ROOM_OUTBOX, WHAT_NOTE, 0);
    change_put(ch, TABLE_DRAFT, row_key(key, "boxes", &w->who), span(row, w->n * BOX_ROW_BYTES));
    fx_commit(c->fx, ch);
}

static void owner_add(struct outbox *o, struct core *c, const struct identity *who)
{
    uint8_t key[ROW_KEY_MOST];
    struct span v;
    MUST(o->owner_n < sizeof o->owner / sizeof *o->owner);
    struct owner *w = &o->owner[o->owner_n++];
    *w = (struct owner){.who = *who};
    if (!view_get(c->view, TABLE_DRAFT, row_key(key, "boxes", who), &v))
        return;
    for (size_t at = 0; at + BOX_ROW_BYTES <= v.n && w->n < OUTBOX_BOXES; at += BOX_ROW_BYTES) {
        struct own_box *b = &w->box[w->n++];
        memcpy(b->at.node.b, v.p + at, 32);
        memcpy(b->at.addr.ip, v.p + at + 32, 16);
        b->at.addr.port = be16_get(v.p + at + 48);
        b->seen_ms = c->now.mono_ms;
    }
}

static void owners_refresh(struct outbox *o, struct core *c)
{
    struct key_row rows[KEYS_MOST];
    size_t n = keys_list(c->keys, rows);
    for (size_t i = 0; i < n; i++)
        if (rows[i].unlocked && !boxes_owner(o, &rows[i].identity))
            owner_add(o, c, &rows[i].identity);
}

void boxes_boot(struct outbox *o, struct core *c)
{
    owners_refresh(o, c);
}

static bool used(const struct owner *w, const struct node_key *node)
{
    for (size_t i = 0; i < w->n; i++)
        if (node_key_eq(&w->box[i].at.node, node))
            return true;
    return false;
}

static bool fits(const struct outbox *o, const struct core *c, const struct owner *w,
                 const struct net_peer *p, bool picky)
{
    if (used(w, &p->key) || !p->addr.port || (!p->outbound && !o->network->loopback))
        return false; /* who came to us may not be reachable for others */
    if (!picky)
        return true;
    for (size_t i = 0; i < o->owner_n; i++)
        if (used(&o->owner[i], &p->key))
            return false; /* two identities in one place could be tied together */
    for (size_t i = 0; i < w->n && !o->network->loopback; i++)
        if (addr_prefix(&w->box[i].at.addr) == addr_prefix(&p->addr))
            return false;
    return c->now.mono_ms - p->up_since_ms >= LONG_MS;
}

static int longest_first(const void *a, const void *b)
{
    const struct net_peer *x = a, *y = b;
    return x->up_since_ms < y->up_since_ms ? -1 : x->up_since_ms > y->up_since_ms;
}

static void box_open(struct outbox *o, struct core *c, struct owner *w, struct own_box *b);

static void choose(struct outbox *o, struct core *c, struct owner *w)
{
    struct net_peer peers[PEERS];
    size_t n = net_peers(c->net, peers, PEERS), before = w->n;
    qsort(peers, n, sizeof *peers, longest_first);
    for (int picky = 1; picky >= (n < YOUNG ? 0 : 1); picky--)
        for (size_t i = 0; i < n && w->n < OUTBOX_BOXES; i++)
            if (fits(o, c, w, &peers[i], picky)) {
                struct own_box *b = &w->box[w->n++];
                *b = (struct own_box){.at = {peers[i].key, peers[i].addr}, .seen_ms = c->now.mono_ms};
                box_open(o, c, w, b);
            }
    if (w->n != before)
        owner_save(c, w);
}

/* ---- opening and taking ---- */
static void box_open(struct outbox *o, struct core *c, struct owner *w, struct own_box *b)
{
    uint8_t sk[64], pk[32];
    struct mail_open m = {.who = w->who, .time = c->now.unix_ms};
    struct id hash;
    struct buf body = {0};
    b->open = b->busy = false;
    b->asked_ms = c->now.mono_ms;
    if (boxes_key(c, &w->who, sk, pk))
        return;
    sodium_memzero(sk, sizeof sk);
    m.key = span(pk, sizeof pk);
    boxes_open_hash(&hash, o->network, &m, &b->at.node);
    if (keys_sign(c->keys, c, &w->who, USE_DUTY, &hash, &m.sig, NULL) == 0) {
        mail_open_encode(&body, &m);
        (void)net_send(c->net, c, &b->at.node, CHANNEL_MAIL, MAIL_OPEN, buf_view(&body));
    }
    buf_free(&body);
}

static void box_take(struct outbox *o, struct core *c, struct owner *w, struct own_box *b)
{
    uint8_t sk[64], pk[32];
    struct mail_take m = {.who = w->who,
                          .challenge = b->challenge,
                          .has_erase = b->erase_n > 0,
                          .erase = b->erase,
                          .erase_n = b->erase_n};
    struct id hash;
    struct buf body = {0};
    if (!b->open || b->busy || boxes_key(c, &w->who, sk, pk))
        return;
    boxes_take_hash(&hash, o->network, &m, &b->at.node);
    sign_hash(&m.sig, sk, &hash);
    sodium_memzero(sk, sizeof sk);
    mail_take_encode(&body, &m);
    if (net_send(c->net, c, &b->at.node, CHANNEL_MAIL, MAIL_TAKE, buf_view(&body)) == 0) {
        b->busy = true;
        b->asked_ms = c->now.mono_ms;
        b->erase_n = 0; /* if this is lost, they come again, and are erased then */
    }
    buf_free(&body);
}

void boxes_safe(struct outbox *o, struct core *c, const struct identity *who, const struct node_key *server,
                const struct id *envelope)
{
    struct owner *w = boxes_owner(o, who);
    for (size_t i = 0; w && i < w->n; i++) {
        struct own_box *b = &w->box[i];
        if (!node_key_eq(&b->at.node, server) || b->erase_n == OUTBOX_ERASE_MOST)
            continue;
        b->erase[b->erase_n++] = *envelope;
        box_take(o, c, w, b);
    }
}

/* ---- presence ---- */
struct signer {
    struct core *c;
    const struct identity *who;
};

static void sign_presence(void *arg, const struct id *hash, struct sig *out)
{
    struct signer *s = arg;
    (void)keys_sign(s->c->keys, s->c, s->who, USE_DUTY, hash, out, NULL);
}

static void publish(struct outbox *o, struct core *c, struct owner *w)
{
    struct dht_value v = {.kind = DHT_PRESENCE,
                          .seq = (uint64_t)c->now.unix_ms,
                          .expires_s = (uint64_t)(c->now.unix_ms / 1000) + 7 * 86400};
    struct signer s = {c, &w->who};
    struct buf b = {0};
    w->published_ms = c->now.mono_ms;
    if (!c->dht || !outbox_own_open(c, &w->who))
        return;
    memcpy(v.author, w->who.b, sizeof v.author);
    for (size_t i = 0; i < w->n; i++)
        if (w->box[i].open)
            v.mailboxes[v.mailboxes_n++] = (struct dht_mailbox){w->box[i].at.node, w->box[i].at.addr};
    int err = dht_value_make(&b, o->network, &v, sign_presence, &s);
    if (!err)
        err = dht_publish(c->dht, c->now, buf_view(&b));
    if (err)
        log_line(LOG_WARN, "outbox", "the mailboxes could not be published: %s", err_name(err));
    buf_free(&b);
}

/* ---- time and sessions ---- */
static void box_tick(struct outbox *o, struct core *c, struct owner *w, struct own_box *b)
{
    uint64_t quiet = c->now.mono_ms - b->asked_ms;
    if (!net_up(c->net, &b->at.node)) {
        b->open = b->busy = false;
        if (!b->asked_ms || quiet >= REDIAL_MS) {
            b->asked_ms = c->now.mono_ms;
            if (b->at.addr.port)
                (void)net_connect(c->net, c, &b->at.node, &b->at.addr);
        }
    } else if (!b->open) {
        if (quiet >= REDIAL_MS)
            box_open(o, c, w, b);
    } else if (b->busy ? quiet >= REDIAL_MS : quiet >= POLL_MS) {
        b->busy = false;
        box_take(o, c, w, b);
    }
}

static bool owner_tick(struct outbox *o, struct core *c, struct owner *w)
{
    take_held(o, c, &w->who);
    bool all = w->n == OUTBOX_BOXES && is_zero(&w->held_after, sizeof w->held_after);
    for (size_t i = 0; i < w->n;) {
        if (c->now.mono_ms - w->box[i].seen_ms > lost_ms) {
            w->box[i] = w->box[--w->n];
            w->published_ms = 0;
            continue;
        }
        box_tick(o, c, w, &w->box[i]);
        all = w->box[i++].open && all;
    }
    if (w->n < OUTBOX_BOXES)
        choose(o, c, w);
    bool any = false;
    for (size_t i = 0; i < w->n; i++)
        any = any || w->box[i].open;
    if (any && (!w->published_ms || c->now.mono_ms - w->published_ms > republish_ms))
        publish(o, c, w);
    return all;
}

void boxes_tick(struct outbox *o, struct core *c)
{
    bool all = true;
    owners_refresh(o, c);
    for (size_t i = 0; i < o->owner_n; i++)
        if (outbox_own_open(c, &o->owner[i].who))
            all = owner_tick(o, c, &o->owner[i]) && all;
    o->tick_ms = c->now.mono_ms + (all ? SLOW_TICK_MS : OUTBOX_TICK_MS);
}

void boxes_session_up(struct outbox *o, struct core *c, const struct node_key *peer)
{
    for (size_t i = 0; i < o->owner_n; i++)
        for (size_t j = 0; j < o->owner[i].n; j++)
            if (node_key_eq(&o->owner[i].box[j].at.node, peer))
                box_open(o, c, &o->owner[i], &o->owner[i].box[j]);
    if (o->tick_ms > c->now.mono_ms + OUTBOX_TICK_MS)
        o->tick_ms = c->now.mono_ms + OUTBOX_TICK_MS;
}

static struct own_box *box_at(struct outbox *o, const struct identity *who, const struct node_key *server,
                              struct owner **w)
{
    *w = boxes_owner(o, who);
    for (size_t i = 0; *w && i < (*w)->n; i++)
        if (node_key_eq(&(*w)->box[i].at.node, server))
            return &(*w)->box[i];
    return NULL;
}

/* ---- answers of servers ---- */
static void mail_came(struct outbox *o, struct core *c, const struct node_key *peer,
                      const struct mail_mail *m)
{
    struct owner *w;
    struct origin at = {.source = FROM_BOX, .peer = *peer};
    if (!box_at(o, &m->who, peer, &w))
        return;
    letter_envelope_id(&at.envelope, o->network, m->envelope);
    take_envelope(o, c, &at, m->envelope);
}

static void box_answered(struct outbox *o, struct core *c, const struct node_key *peer,
                         const struct identity *who, const struct id *challenge, bool opened)
{
    struct owner *w;
    struct own_box *b = box_at(o, who, peer, &w);
    if (!b || (!opened && !b->open))
        return;
    b->challenge = *challenge;
    b->seen_ms = c->now.mono_ms;
    b->busy = false;
    if (opened && !b->open) {
        b->open = true;
        w->published_ms = 0;
        o->tick_ms = c->now.mono_ms;
    }
    if (opened || b->erase_n)
        box_take(o, c, w, b);
}

int boxes_message(struct outbox *o, struct core *c, const struct node_key *peer, unsigned number,
                  struct span body, struct arena *a)
{
    struct mail_opened opened;
    struct mail_mail mail;
    struct mail_taken taken;
    struct mail_refused refused;
    struct owner *w;
    int err = 0;
    if (number == MAIL_OPENED && (err = mail_opened_decode(&opened, body, a, NULL)) == 0)
        box_answered(o, c, peer, &opened.who, &opened.challenge, true);
    else if (number == MAIL_MAIL && (err = mail_mail_decode(&mail, body, a, NULL)) == 0)
        mail_came(o, c, peer, &mail);
    else if (number == MAIL_TAKEN && (err = mail_taken_decode(&taken, body, a, NULL)) == 0)
        box_answered(o, c, peer, &taken.who, &taken.challenge, false);
    else if (number == MAIL_REFUSED && (err = mail_refused_decode(&refused, body, a, NULL)) == 0) {
        struct own_box *b = box_at(o, &refused.who, peer, &w);
        if (b)
            b->open = b->busy = false; /* asked again in a while, replaced after a day */
    }
    return err;
}
