/* write.c: the second half of a put or an announcement: it writes to the nearest that answered; one that is
 * overdue or refuses is replaced by the next nearest; one that asks to wait is asked once more. */
#include "datagram.gen.h"
#include "dht/inner.h"

static void send_write(struct dht *d, struct clock now, struct query *q, struct candidate *c,
                       struct dht_out *out)
{
    struct span ticket = {NULL, 0};
    for (uint32_t i = 0; i < q->tickets_n; i++)
        if (q->ticket_of[i] == c->contact)
            ticket = span(q->tickets[i], 16);
    uint8_t number = DATAGRAM_PUT;
    buf_clear(&d->scratch);
    if (q->kind == DHT_ANNOUNCE) {
        struct datagram_announce m = {.has_client = d->client,
                                      .client = d->client,
                                      .token = span(c->token, 8),
                                      .value = q->value,
                                      .has_ticket = ticket.n > 0,
                                      .ticket = ticket};
        datagram_announce_encode(&d->scratch, &m);
        number = DATAGRAM_ANNOUNCE;
    } else {
        struct datagram_put m = {.has_client = d->client,
                                 .client = d->client,
                                 .token = span(c->token, 8),
                                 .value = q->value,
                                 .has_expected = q->has_expected,
                                 .expected = q->expected,
                                 .has_ticket = ticket.n > 0,
                                 .ticket = ticket};
        datagram_put_encode(&d->scratch, &m);
    }
    struct request *r = request_send(d, now.mono_ms, c->contact, number, q->handle, c->path, out);
    if (!r) {
        c->write = WRITE_REFUSED;
        return;
    }
    request_repeat(d, r);
    c->write = WRITE_ASKED;
    q->writes_out++;
    q->result.messages++;
}

/* Two replicas of one prefix at most. */
static bool spread(const struct dht *d, const struct query *q, const struct candidate *one)
{
    const struct addr *a = &contact_at(d->pool, one->contact)->addr;
    uint32_t same = 0;
    for (uint32_t i = 0; i < q->cands_n; i++)
        same += q->cands[i].write != WRITE_NONE && q->cands[i].write != WRITE_REFUSED &&
                addr_prefix(&contact_at(d->pool, q->cands[i].contact)->addr) == addr_prefix(a);
    return same < d->knobs.prefix_bucket || addr_exempt(d, a);
}

/* Where ids are dense the radius is cut into its outer half, the outer half of the rest, and so on; honest
 * nodes lie in these as 4 : 2 : 1 : 1, and so do the 16 writes beside the nearest 8.  Sybils are many only
 * where they crowd. */
enum { RINGS = 4 };
static const uint8_t ring_writes[RINGS] = {8, 4, 2, 2};

static uint32_t ring_of(const struct query *q, const struct candidate *c)
{
    uint32_t ring = 0;
    while (ring < RINGS - 1 && c->distance < q->radius >> (ring + 1))
        ring++;
    return ring;
}

static bool takes(const struct dht *d, const struct query *q, const struct candidate *c)
{
    return c->state == CAND_ANSWERED && c->has_token && c->write == WRITE_NONE && spread(d, q, c);
}

static void write_rings(struct dht *d, struct clock now, struct query *q, struct dht_out *out)
{
    uint32_t have[RINGS] = {0};
    for (uint32_t i = 0; i < q->cands_n; i++) {
        const struct candidate *c = &q->cands[i];
        if (c->distance < q->radius && c->write != WRITE_NONE && c->write != WRITE_REFUSED)
            have[ring_of(q, c)]++;
    }
    uint32_t first = (uint32_t)rng_below(d->rng, q->cands_n ? q->cands_n : 1);
    for (uint32_t k = 0; k < q->cands_n; k++) { /* from anywhere: nobody can aim at being the nearest */
        struct candidate *c = &q->cands[(first + k) % q->cands_n];
        if (c->distance >= q->radius || have[ring_of(q, c)] >= ring_writes[ring_of(q, c)] ||
            !takes(d, q, c))
            continue;
        have[ring_of(q, c)]++;
        send_write(d, now, q, c, out);
    }
}

/* Keeps as many writes stored or out, nearest first, as replicas are wanted; who asks to wait, or is
 * overdue, has a substitute.  Those of the rings come besides: most readers take no crowd for one, and ask
 * the nearest. */
void write_advance(struct dht *d, struct clock now, struct query *q, struct dht_out *out)
{
    uint32_t have = q->self_written ? 1 : 0;
    for (uint32_t i = 0; i < q->cands_n && have < d->knobs.replicas; i++) {
        struct candidate *c = &q->cands[i];
        if (takes(d, q, c))
            send_write(d, now, q, c, out);
        have += c->write == WRITE_STORED || c->write == WRITE_ASKED;
    }
    if (q->radius)
        write_rings(d, now, q, out);
}

bool write_placed(const struct dht *d, const struct query *q)
{
    uint32_t near = q->self_written ? 1 : 0, stored = near, answered = 0;
    for (uint32_t i = 0; i < q->cands_n; i++) {
        const struct candidate *c = &q->cands[i];
        stored += c->write == WRITE_STORED;
        near += c->write == WRITE_STORED && answered < d->knobs.replicas;
        answered += c->state == CAND_ANSWERED;
    }
    return stored >= d->knobs.replicas && 2 * near >= d->knobs.replicas;
}

static void note_refusal(struct query *q, int err, uint64_t seq)
{
    q->result.refused++;
    if (seq > q->result.seq)
        q->result.seq = seq;
    if (q->worst != SOUK_ECONFLICT && (q->worst != SOUK_ESTALE || err == SOUK_ECONFLICT))
        q->worst = err;
}

/* A node among the nearest holds the value itself. */
void write_self(struct dht *d, struct clock now, struct query *q)
{
    uint32_t nearer = 0;
    uint64_t mine = id_distance(&d->id, &q->target);
    for (uint32_t i = 0; i < q->cands_n; i++)
        nearer += q->cands[i].state == CAND_ANSWERED && q->cands[i].distance < mine;
    if (d->client || nearer >= d->knobs.replicas)
        return;
    struct dht_value v;
    struct stored s = {.err = dht_value_read(&v, d->net, now.unix_ms, q->value, false)};
    if (!s.err)
        s = values_put(d, now, &d->addr, &d->self, q->value, &v, q->has_expected ? &q->expected : NULL,
                       true);
    if (s.err) {
        note_refusal(q, s.err, s.seq);
        return;
    }
    q->self_written = true;
    q->result.stored++;
}

void write_refused(struct dht *d, struct query *q, struct candidate *c, int err, uint64_t seq)
{
    (void)d;
    c->write = WRITE_REFUSED;
    note_refusal(q, err, seq);
}

void write_waits(struct dht *d, struct clock now, struct query *q, struct candidate *c, uint32_t wait_ms,
                 struct span ticket)
{
    if (q->retried || q->tickets_n == WRITES_MOST || ticket.n != 16 || wait_ms > d->knobs.wait_most_ms) {
        write_refused(d, q, c, SOUK_EQUOTA, 0);
        return;
    }
    memcpy(q->tickets[q->tickets_n], ticket.p, 16);
    q->ticket_of[q->tickets_n++] = c->contact;
    c->write = WRITE_WAITS;
    uint64_t at = now.mono_ms + wait_ms + 10;
    if (q->retry.e.place == 0 || q->retry.e.at < at)
        timer_set(d, &q->retry, TIMER_RETRY, at);
}

void write_retry(struct dht *d, struct clock now, struct query *q, struct dht_out *out)
{
    q->retried = true;
    for (uint32_t i = 0; i < q->cands_n; i++)
        if (q->cands[i].write == WRITE_WAITS)
            send_write(d, now, q, &q->cands[i], out);
    query_advance(d, now, q, out);
}
