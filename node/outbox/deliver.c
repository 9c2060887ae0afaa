/* deliver.c: one attempt to get one letter to its recipient, and what comes back. */
#include "crypto/sign.h"
#include "crypto/work.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "node/outbox/engine.h"

enum { DIRECT_ALONE = 2, WORK_TRIES = 1 << 20 };
static const uint64_t leave_again_ms = UINT64_C(6) * 3600000;

static void backoff(struct outbox *o, struct core *c, struct pending *p)
{
    uint64_t wait = OUTBOX_RETRY_FIRST_MS;
    wait <<= p->tries < 10 ? p->tries : 10;
    wait = wait < OUTBOX_RETRY_MOST_MS ? wait : OUTBOX_RETRY_MOST_MS;
    p->tries++;
    pending_due(o, p, c->now.mono_ms + wait - wait / 4 + rng_below(o->rng, wait / 2));
}

/* A letter ready to be sealed. */
struct ready {
    struct mail_letter m;
    struct span bytes;
    struct xkey prekey;
    struct buf where;
};

static bool seal_ready(struct buf *out, struct core *c, const struct ready *l)
{
    return letter_seal(out, c, &l->m, l->bytes, &l->prekey, buf_view(&l->where)) == 0;
}

static bool send_direct(struct core *c, struct pending *p, const struct ready *l,
                        const struct node_key *node)
{
    struct buf envelope = {0}, body = {0};
    bool sent = false;
    if (seal_ready(&envelope, c, l)) {
        mail_deliver_encode(&body, &(struct mail_deliver){.envelope = buf_view(&envelope)});
        sent = net_send(c->net, c, node, CHANNEL_MAIL, MAIL_DELIVER, buf_view(&body)) == 0;
    }
    p->direct += sent;
    buf_free(&envelope);
    buf_free(&body);
    return sent;
}

/* Both live here: the letter goes through the same doors, without a wire. */
static void hand_over(struct outbox *o, struct core *c, const struct ready *l)
{
    struct buf envelope = {0};
    struct origin at = {.source = FROM_HERE, .peer = *keys_node(c->keys)};
    if (seal_ready(&envelope, c, l))
        take_envelope(o, c, &at, buf_view(&envelope));
    buf_free(&envelope);
}

static void leave(struct outbox *o, struct core *c, struct pending *p, const struct ready *l,
                  const struct person *to, size_t i)
{
    struct buf envelope = {0}, body = {0};
    struct mail_leave m = {.has_ticket = to->has_ticket && to->ticket.until > c->now.unix_ms,
                           .ticket = to->ticket};
    unsigned bits = m.has_ticket ? 0 : serve_bits(o->network);
    bool here = node_key_eq(&to->boxes[i].node, keys_node(c->keys)); /* we serve that mailbox ourselves */
    if (seal_ready(&envelope, c, l)) {
        m.envelope = buf_view(&envelope);
        letter_envelope_id(&p->left[i], o->network, m.envelope);
        p->left_at[i] = to->boxes[i].node;
        if (!bits || work_search(&p->left[i], 0, WORK_TRIES, bits, &m.nonce)) {
            mail_leave_encode(&body, &m);
            p->leaving[i] = here || net_send(c->net, c, &to->boxes[i].node, CHANNEL_MAIL, MAIL_LEAVE,
                                             buf_view(&body)) == 0;
            if (here)
                serve_leave_here(o, c, &m);
        }
    }
    buf_free(&envelope);
    buf_free(&body);
}

static bool held_at(const struct pending *p, const struct node_key *node)
{
    for (size_t i = 0; i < OUTBOX_BOXES; i++)
        if (p->held[i] && node_key_eq(&p->left_at[i], node))
            return true;
    return false;
}

static void to_boxes(struct outbox *o, struct core *c, struct pending *p, const struct ready *l,
                     struct person *to)
{
    if (p->held_ms && c->now.mono_ms - p->held_ms > leave_again_ms) {
        memset(p->held, 0, sizeof p->held);
        p->held_ms = 0;
    }
    where_ask_presence(o, c, to);
    if (p->held_ms && p->tries > 3)
        return; /* it lies somewhere: the other mailboxes had their chances */
    for (size_t i = 0; i < to->boxes_n; i++) {
        if (held_at(p, &to->boxes[i].node))
            continue;
        if (node_key_eq(&to->boxes[i].node, keys_node(c->keys)) || where_reach(o, c, to, &to->boxes[i])) {
            p->held[i] = false;
            leave(o, c, p, l, to, i);
        }
    }
}

static void attempt(struct outbox *o, struct core *c, struct pending *p, const struct ready *l,
                    struct person *to)
{
    if (keys_own(c->keys, &p->to)) {
        hand_over(o, c, l);
        return;
    }
    bool direct = to->has_machine && !node_key_eq(&to->machine.node, keys_node(c->keys)) &&
                  where_reach(o, c, to, &to->machine) && send_direct(c, p, l, &to->machine.node);
    if (direct && p->kind == LETTER_ACK)
        pending_end(o, c, p, LETTER_RECEIVED, 0); /* if it is lost, the letter comes again */
    else if (!direct || p->direct > DIRECT_ALONE)
        to_boxes(o, c, p, l, to);
}

void deliver_try(struct outbox *o, struct core *c, struct pending *p)
{
    struct ready l = {0};
    struct mail_queued q;
    struct span row;
    struct buf copy = {0};
    if (c->now.unix_ms - p->created > OUTBOX_LIFE_MS && !c->clock_wrong) {
        pending_end(o, c, p, LETTER_GIVEN_UP, SOUK_ETIMEOUT);
        return;
    }
    backoff(o, c, p);
    struct person *to = where_person(o, c, &p->to);
    to->unasked = p->kind == LETTER_ACK && !threads_known(c, &p->to);
    if (!outbox_own_open(c, &p->from))
        return; /* outbox_unlocked comes back to it */
    if (!where_prekey(c, &p->to, &l.prekey)) {
        where_ask_prekey(o, c, to);
        return;
    }
    if (!view_out(c->view, p->seq, &row))
        return;
    buf_span(&copy, row);
    if (mail_queued_decode(&q, buf_view(&copy), NULL, NULL) == 0 &&
        mail_letter_decode(&l.m, q.letter, NULL, NULL) == 0) {
        l.bytes = q.letter;
        where_own(o, c, &p->from, &p->to, &l.where);
        attempt(o, c, p, &l, to);
    }
    buf_free(&l.where);
    buf_wipe(&copy);
}

int deliver_ack(struct outbox *o, struct core *c, const struct mail_ack *m)
{
    struct pending *p = map_get(&o->letters, &m->letter);
    struct id hash;
    if (!p || !identity_eq(&p->to, &m->by) || !p->seq)
        return 0; /* acknowledged already, or given up */
    letter_ack_hash(&hash, o->network, &m->letter, (uint8_t)m->verdict);
    if (!sign_check(m->by.b, &hash, &m->sig))
        return SOUK_ESIGNATURE;
    pending_end(o, c, p, m->verdict ? LETTER_GIVEN_UP : LETTER_RECEIVED, -(int)m->verdict);
    return 0;
}

static void note_held(struct core *c, struct pending *p)
{
    struct mail_queued q;
    struct span row;
    struct buf b = {0};
    if (!view_out(c->view, p->seq, &row) || mail_queued_decode(&q, row, NULL, NULL))
        return;
    q.boxes = p->boxes;
    mail_queued_encode(&b, &q);
    struct change *ch = change_new(ROOM_OUTBOX, WHAT_NOTE, 0);
    change_out_due(ch, p->seq, c->now.unix_ms + OUTBOX_RETRY_MOST_MS, buf_view(&b));
    fx_commit(c->fx, ch);
    buf_wipe(&b);
}

int deliver_left(struct outbox *o, struct core *c, const struct node_key *peer, const struct mail_left *m)
{
    size_t at = 0;
    void *v;
    while (map_next(&o->letters, &at, NULL, &v)) {
        struct pending *p = v;
        for (size_t i = 0; i < OUTBOX_BOXES; i++) {
            if (!p->leaving[i] || !id_eq(&p->left[i], &m->envelope) || !node_key_eq(&p->left_at[i], peer))
                continue;
            p->leaving[i] = false;
            if (m->verdict)
                return 0; /* full, or it asks for more work: the others, or later */
            if (p->kind == LETTER_ACK) {
                pending_end(o, c, p, LETTER_RECEIVED, 0);
                return 0;
            }
            p->held[i] = true;
            p->held_ms = c->now.mono_ms;
            p->boxes = (uint8_t)(p->boxes < OUTBOX_BOXES ? p->boxes + 1 : p->boxes);
            note_held(c, p);
            return 0;
        }
    }
    return 0;
}
