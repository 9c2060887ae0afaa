/* leave.c: the word of who is about to stop, and what it is worth: "check me now", no more.
 *
 * A datagram can be recorded and sent again later, and there is no memory that would tell; so nobody leaves
 * the table on such a word.  It brings a check forward that upkeep would make within the hour: one ping,
 * sent a second time when overdue.  Who answers stays; who does not has announced its silence, so that this
 * one miss is enough.  Checks asked for so are at most LEAVE_BURST at once and then one in LEAVE_EACH_MS:
 * replays cannot roll the dice of loss for long, nor make us ping more than upkeep itself does. */
#include "datagram.gen.h"
#include "dht/inner.h"

enum { LEAVE_BURST = 8, LEAVE_EACH_MS = 10000, LEAVE_PAD = 32 };

static void say(struct dht *d, const struct entry *e, struct dht_out *out)
{
    const struct contact *c = contact_at(d->pool, e->contact);
    uint8_t head[REQUEST_HEAD] = {DATAGRAM_LEAVE};
    rng_bytes(d->rng, head + 1, 8);
    out_add(d, out, &c->key, &c->addr, SPAN_OF(head), buf_view(&d->scratch));
}

void dht_leave(struct dht *d, struct dht_out *out)
{
    static const uint8_t zeros[LEAVE_PAD]; /* as long as the ping that may follow */
    if (d->client)
        return; /* in nobody's table */
    struct datagram_leave m = {.has_pad = true, .pad = SPAN_OF(zeros)};
    buf_clear(&d->scratch);
    datagram_leave_encode(&d->scratch, &m);
    for (uint32_t i = 0; i < d->buckets_n; i++) {
        const struct bucket *b = &d->buckets[i];
        for (int j = 0; j < b->live_n; j++)
            say(d, &b->live[j], out);
        for (int j = 0; j < b->spare_n; j++) /* who has no place here may have one for us */
            if (!(b->spare[j].flags & ENTRY_HEARD))
                say(d, &b->spare[j], out);
    }
}

/* A bucket of LEAVE_BURST checks that fills by one each LEAVE_EACH_MS. */
static bool allowed(struct dht *d, uint64_t now_ms)
{
    if (d->leave_ms > now_ms + (LEAVE_BURST - 1) * LEAVE_EACH_MS)
        return false;
    d->leave_ms = (d->leave_ms > now_ms ? d->leave_ms : now_ms) + LEAVE_EACH_MS;
    return true;
}

int leave_taken(struct dht *d, struct clock now, const struct addr *from, const struct node_key *peer,
                struct span body, size_t came, struct dht_out *out)
{
    struct datagram_leave m;
    int err = datagram_leave_decode(&m, body, NULL, NULL);
    if (err)
        return err;
    uint32_t contact = contacts_find(d->pool, peer, from);
    struct entry *e = contact ? table_find(d, contact) : NULL;
    bool room = came >= REQUEST_HEAD + 30 || address_proven(d, now.mono_ms, peer, from);
    if (!e || !room || e->flags & ENTRY_LEAVING || !allowed(d, now.mono_ms))
        return 0; /* a question that is under way may have been heard: it is asked whatever else is */
    struct request *r = request_ping(d, now.mono_ms, contact, 0, out);
    if (!r)
        return 0;
    request_repeat(d, r);
    e->flags |= ENTRY_LEAVING;
    d->stats.leaving++;
    return 0;
}
