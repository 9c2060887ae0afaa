/* rpc.c: requests of others, and what answers to ours say.
 *
 * The rule of amplification: to an address not proven to us, what goes back (the answer, and a ping that
 * would prove it) is together never longer than what came.  An address is proven by an answer to a request
 * of ours, or by a token that only it can have received. */
#include "crypto/base/arena.h"
#include "datagram.gen.h"
#include "dht/inner.h"

/* What every answer needs to know of the request that it answers. */
struct asked {
    struct dht *d;
    struct clock now;
    const struct addr *from;
    const struct node_key *peer;
    struct dht_out *out;
    uint8_t id[8];
    uint8_t seen[ADDR_BYTES];
    bool proven, in_table, client;
    size_t limit, came; /* plaintext that may go back; that came */
};

static size_t reply(struct asked *a, uint8_t number)
{
    struct dht *d = a->d;
    if (d->scratch.n + REQUEST_HEAD > a->limit)
        return 0; /* the request was not padded: better silent than an amplifier */
    uint8_t head[REQUEST_HEAD] = {number};
    memcpy(head + 1, a->id, 8);
    out_add(d, a->out, a->peer, a->from, span(head, sizeof head), buf_view(&d->scratch));
    return REQUEST_HEAD + d->scratch.n;
}

static size_t reply_error(struct asked *a, int err, uint64_t seq, uint32_t wait_ms, const struct id *key,
                          struct span ticket)
{
    struct datagram_error m = {.code = (uint64_t)-err, .has_seq = seq > 0, .seq = seq};
    uint8_t made[16];
    if (wait_ms) {
        uint64_t due = ticket_due(a->d, a->peer, key, ticket);
        if (due == UINT64_MAX)
            due = a->now.mono_ms + wait_ms;
        ticket_make(a->d, due, a->peer, key, made);
        m.has_wait_ms = m.has_ticket = true;
        m.wait_ms = due - a->now.mono_ms;
        m.ticket = span(made, sizeof made);
        a->d->stats.waited++;
    }
    buf_clear(&a->d->scratch);
    datagram_error_encode(&a->d->scratch, &m);
    return reply(a, DATAGRAM_ERROR);
}

static size_t reply_nodes(struct asked *a, const struct id *target, enum datagram_family family)
{
    struct dht *d = a->d;
    bool ipv4 = family == DATAGRAM_FAMILY_IPV4;
    size_t each = ipv4 ? 38 : 50, fixed = REQUEST_HEAD + 1 + 21 + 2 + 11 + 4;
    size_t room = a->limit > fixed ? (a->limit - fixed) / each : 0;
    size_t most = d->knobs.k < ANSWER_MOST ? d->knobs.k : ANSWER_MOST;
    struct near v[ANSWER_MOST + 1];
    size_t n = table_nearest(d, target, ipv4 ? 4 : 6, v, most + 1);
    uint8_t bytes[ANSWER_MOST * 50], token[8];
    size_t at = 0;
    for (size_t i = 0; i < n && at < most * each; i++) {
        const struct contact *c = contact_at(d->pool, v[i].contact);
        if (node_key_eq(&c->key, a->peer))
            continue;
        if (room-- == 0) {
            d->stats.cut_short++;
            break;
        }
        memcpy(bytes + at, c->key.b, 32);
        memcpy(bytes + at + 32, ipv4 ? c->addr.ip + 12 : c->addr.ip, each - 34);
        be16_put(bytes + at + each - 2, c->addr.port);
        at += each;
    }
    token_make(d, a->now.mono_ms, a->from, a->peer, target, token);
    struct datagram_nodes m = {
        .seen = SPAN_OF(a->seen), .has_proven = a->proven, .proven = a->proven, .token = SPAN_OF(token)};
    m.has_ipv4 = ipv4;
    m.has_ipv6 = !ipv4;
    m.ipv4 = m.ipv6 = span(bytes, at);
    buf_clear(&d->scratch);
    datagram_nodes_encode(&d->scratch, &m);
    return reply(a, DATAGRAM_NODES);
}

static size_t reply_get(struct asked *a, const struct datagram_get *m)
{
    struct dht *d = a->d;
    struct held *h = m->kind == DHT_PROVIDER ? NULL : values_get(d, &m->target, (enum dht_kind)m->kind);
    if (!h)
        return reply_nodes(a, &m->target, m->family);
    uint8_t token[8];
    token_make(d, a->now.mono_ms, a->from, a->peer, &m->target, token);
    struct datagram_value v = {.seen = SPAN_OF(a->seen),
                               .has_proven = a->proven,
                               .proven = a->proven,
                               .token = SPAN_OF(token),
                               .value = span(h->bytes, h->n)};
    buf_clear(&d->scratch);
    datagram_value_encode(&d->scratch, &v);
    size_t sent = reply(a, DATAGRAM_VALUE);
    if (sent)
        return sent;
    d->stats.cut_short++;
    return reply_nodes(a, &m->target, m->family);
}

/* As many as fit, drawn at random (reservoir): over the replicas a searcher sees most of them. */
static size_t reply_providers(struct asked *a, const struct datagram_providers *m)
{
    struct dht *d = a->d;
    struct span pick[8];
    size_t n = 0, room = a->limit > 60 ? a->limit - 60 : 0, bytes = 0;
    uint64_t held = 0;
    for (struct held *h = values_get(d, &m->target, DHT_PROVIDER); h; h = h->next) {
        held++;
        if (n < 8 && bytes + h->n + 3 <= room) {
            pick[n++] = span(h->bytes, h->n);
            bytes += h->n + 3u;
        } else if (n) {
            uint64_t i = rng_below(d->rng, held);
            if (i < n && bytes - pick[i].n + h->n <= room) {
                bytes = bytes - pick[i].n + h->n;
                pick[i] = span(h->bytes, h->n);
            }
        }
    }
    if (n == 0)
        return reply_nodes(a, &m->target, m->family);
    uint8_t token[8];
    token_make(d, a->now.mono_ms, a->from, a->peer, &m->target, token);
    struct datagram_records r = {.seen = SPAN_OF(a->seen),
                                 .has_proven = a->proven,
                                 .proven = a->proven,
                                 .token = SPAN_OF(token),
                                 .values = pick,
                                 .values_n = n,
                                 .held = held};
    buf_clear(&d->scratch);
    datagram_records_encode(&d->scratch, &r);
    return reply(a, DATAGRAM_RECORDS);
}

/* Token first: it costs a SipHash, a signature costs 60 µs. */
static size_t reply_write(struct asked *a, struct span token, struct span value, bool announce,
                          const uint64_t *expected, struct span ticket)
{
    struct dht *d = a->d;
    struct dht_value v;
    int err = dht_value_read(&v, d->net, a->now.unix_ms, value, false);
    if (err || announce != (v.kind == DHT_PROVIDER)) {
        d->stats.refused_value++;
        return reply_error(a, err ? err : SOUK_EINVALID, 0, 0, NULL, token);
    }
    if (!token_ok(d, a->now.mono_ms, a->from, a->peer, &v.key, token)) {
        d->stats.refused_token++;
        return reply_error(a, SOUK_ENOT_ALLOWED, 0, 0, NULL, token);
    }
    a->proven = true;
    a->limit = DHT_PLAIN_MOST;
    /* A provider speaks for itself, and for the address that it has just shown to be its own. */
    if (announce && (memcmp(v.author, a->peer->b, 32) != 0 || memcmp(v.addr.ip, a->from->ip, 16) != 0)) {
        d->stats.refused_value++;
        return reply_error(a, SOUK_EREFUSED, 0, 0, NULL, token);
    }
    bool waited = ticket_due(d, a->peer, &v.key, ticket) <= a->now.mono_ms;
    struct stored s = values_put(d, a->now, a->from, a->peer, value, &v, expected, waited);
    if (s.err)
        return reply_error(a, s.err, s.seq, s.wait_ms, &v.key, ticket);
    struct datagram_stored m = {
        .seen = SPAN_OF(a->seen), .has_proven = true, .proven = true, .life_s = s.life_s};
    buf_clear(&d->scratch);
    datagram_stored_encode(&d->scratch, &m);
    return reply(a, DATAGRAM_STORED);
}

static int answer_request(struct asked *a, uint8_t number, struct span body, size_t *sent)
{
    int err;
    switch (number) {
    case DATAGRAM_PING: {
        struct datagram_ping m;
        if ((err = datagram_ping_decode(&m, body, NULL, NULL)) != 0)
            return err;
        struct datagram_pong p = {.seen = SPAN_OF(a->seen), .has_proven = a->proven, .proven = a->proven};
        buf_clear(&a->d->scratch);
        datagram_pong_encode(&a->d->scratch, &p);
        a->client = m.client;
        *sent = reply(a, DATAGRAM_PONG);
        return 0;
    }
    case DATAGRAM_FIND_NODE: {
        struct datagram_find_node m;
        if ((err = datagram_find_node_decode(&m, body, NULL, NULL)) != 0)
            return err;
        a->client = m.client;
        *sent = reply_nodes(a, &m.target, m.family);
        return 0;
    }
    case DATAGRAM_GET: {
        struct datagram_get m;
        if ((err = datagram_get_decode(&m, body, NULL, NULL)) != 0)
            return err;
        a->client = m.client;
        *sent = reply_get(a, &m);
        return 0;
    }
    case DATAGRAM_PROVIDERS: {
        struct datagram_providers m;
        if ((err = datagram_providers_decode(&m, body, NULL, NULL)) != 0)
            return err;
        a->client = m.client;
        *sent = reply_providers(a, &m);
        return 0;
    }
    case DATAGRAM_PUT: {
        struct datagram_put m;
        if ((err = datagram_put_decode(&m, body, NULL, NULL)) != 0)
            return err;
        a->client = m.client;
        *sent = reply_write(a, m.token, m.value, false, m.has_expected ? &m.expected : NULL,
                            m.has_ticket ? m.ticket : span(NULL, 0));
        return 0;
    }
    case DATAGRAM_ANNOUNCE: {
        struct datagram_announce m;
        if ((err = datagram_announce_decode(&m, body, NULL, NULL)) != 0)
            return err;
        a->client = m.client;
        *sent = reply_write(a, m.token, m.value, true, NULL, m.has_ticket ? m.ticket : span(NULL, 0));
        return 0;
    }
    default:
        return SOUK_ENOT_FOUND;
    }
}

/* Whoever asks is heard of; it is pinged at once when its place in the table is free and bytes are left. */
static void consider(struct asked *a, size_t sent)
{
    struct dht *d = a->d;
    if (a->client || a->in_table || !dht_usable(d, a->from))
        return;
    bool room = a->proven || a->came >= sent + DHT_OUTER_BYTES + REQUEST_HEAD + 30;
    uint32_t contact = room ? contacts_take(d->pool, d->net, a->peer, a->from) : 0;
    if (!contact)
        return;
    if (table_wants(d, contact_at(d->pool, contact)) && d->requests.n < d->knobs.requests_most / 2 &&
        !request_out(d, contact))
        request_ping(d, a->now.mono_ms, contact, 0, a->out);
    contacts_drop(d->pool, contact);
}

int rpc_request(struct dht *d, struct clock now, const struct addr *from, const struct node_key *peer,
                struct span plaintext, size_t reply_limit, struct dht_out *out)
{
    if (d->client) {
        d->stats.dropped_unasked++;
        return DHT_DROPPED;
    }
    if (plaintext.p[0] == DATAGRAM_LEAVE) {
        struct span body = span(plaintext.p + REQUEST_HEAD, plaintext.n - REQUEST_HEAD);
        int err = leave_taken(d, now, from, peer, body, reply_limit, out);
        d->stats.dropped_form += err != 0;
        return err ? DHT_DROPPED : DHT_REQUEST;
    }
    struct asked a = {.d = d, .now = now, .from = from, .peer = peer, .out = out, .came = reply_limit};
    memcpy(a.id, plaintext.p + 1, 8);
    addr_pack(a.seen, from);
    a.proven = address_known(d, now.mono_ms, peer, from, &a.in_table);
    a.limit = a.proven || reply_limit > DHT_PLAIN_MOST ? DHT_PLAIN_MOST : reply_limit;
    size_t sent = 0;
    if (answer_request(&a, plaintext.p[0], span(plaintext.p + 9, plaintext.n - 9), &sent) != 0) {
        d->stats.dropped_form++;
        return DHT_DROPPED;
    }
    consider(&a, sent);
    return DHT_REQUEST;
}

/* What an answer holds, whatever its kind. */
struct answer {
    struct span seen, token, ipv4, ipv6, value;
    const struct span *values;
    size_t values_n;
    bool proven, is_error;
    int err;
    uint64_t seq;
    uint32_t wait_ms;
    struct span ticket;
};

static int read_answer(struct answer *a, uint8_t number, struct span body, struct arena *arena)
{
    int err = SOUK_ENOT_FOUND;
    if (number == DATAGRAM_PONG) {
        struct datagram_pong m;
        if ((err = datagram_pong_decode(&m, body, NULL, NULL)) == 0)
            *a = (struct answer){.seen = m.seen, .proven = m.proven};
    } else if (number == DATAGRAM_NODES) {
        struct datagram_nodes m;
        if ((err = datagram_nodes_decode(&m, body, NULL, NULL)) == 0)
            *a = (struct answer){.seen = m.seen, .proven = m.proven, .token = m.token};
        if (err == 0 && m.has_ipv4)
            a->ipv4 = m.ipv4;
        if (err == 0 && m.has_ipv6)
            a->ipv6 = m.ipv6;
        if (err == 0 && ((m.has_ipv4 && m.has_ipv6) || a->ipv4.n % 38 || a->ipv6.n % 50))
            err = SOUK_EFORM;
    } else if (number == DATAGRAM_VALUE) {
        struct datagram_value m;
        if ((err = datagram_value_decode(&m, body, NULL, NULL)) == 0)
            *a = (struct answer){.seen = m.seen, .proven = m.proven, .token = m.token, .value = m.value};
    } else if (number == DATAGRAM_RECORDS) {
        struct datagram_records m;
        if ((err = datagram_records_decode(&m, body, arena, NULL)) == 0)
            *a = (struct answer){.seen = m.seen,
                                 .proven = m.proven,
                                 .token = m.token,
                                 .values = m.values,
                                 .values_n = m.values_n};
    } else if (number == DATAGRAM_STORED) {
        struct datagram_stored m;
        if ((err = datagram_stored_decode(&m, body, NULL, NULL)) == 0)
            *a = (struct answer){.seen = m.seen, .proven = m.proven};
    } else if (number == DATAGRAM_ERROR) {
        struct datagram_error m;
        if ((err = datagram_error_decode(&m, body, NULL, NULL)) == 0) {
            *a = (struct answer){.is_error = true, .err = -(int)m.code};
            a->seq = m.has_seq ? m.seq : 0;
            a->wait_ms = m.has_wait_ms ? (uint32_t)m.wait_ms : 0;
            a->ticket = m.has_ticket ? m.ticket : span(NULL, 0);
        }
    }
    return err;
}

/* Is it an answer that such a request can have? */
static bool suits(uint8_t request, uint8_t answer)
{
    if (answer == DATAGRAM_ERROR)
        return true;
    switch (request) {
    case DATAGRAM_PING:
        return answer == DATAGRAM_PONG;
    case DATAGRAM_FIND_NODE:
        return answer == DATAGRAM_NODES;
    case DATAGRAM_GET:
        return answer == DATAGRAM_NODES || answer == DATAGRAM_VALUE;
    case DATAGRAM_PROVIDERS:
        return answer == DATAGRAM_NODES || answer == DATAGRAM_RECORDS;
    default:
        return answer == DATAGRAM_STORED;
    }
}

static void take_nodes(struct dht *d, uint64_t now_ms, struct query *q, const struct candidate *by,
                       struct span nodes, bool ipv4)
{
    size_t each = ipv4 ? 38 : 50;
    uint8_t hop = (uint8_t)(by->hop < 255 ? by->hop + 1 : 255), path = by->path;
    for (size_t at = 0; at + each <= nodes.n; at += each) {
        struct node_key key;
        struct addr addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 0};
        memcpy(key.b, nodes.p + at, 32);
        memcpy(ipv4 ? addr.ip + 12 : addr.ip, nodes.p + at + 32, each - 34);
        addr.port = be16_get(nodes.p + at + each - 2);
        if (!dht_usable(d, &addr) || addr_is_ipv4(&addr) != ipv4 || node_key_eq(&key, &d->self))
            continue;
        uint32_t contact = contacts_take(d->pool, d->net, &key, &addr);
        if (!contact) {
            d->stats.dropped_puzzle++;
            continue;
        }
        lookup_add(d, q, contact, hop, path, by->teller);
        table_heard(d, now_ms, contact);
        contacts_drop(d->pool, contact);
    }
}

static void take_lookup(struct dht *d, struct clock now, struct query *q, struct candidate *c,
                        const struct answer *a, bool padded)
{
    if (a->is_error)
        c->state = CAND_FAILED;
    else
        candidate_answered(q, c);
    /* It no longer takes our address for proven, and had no room for its answer: asked again, padded. */
    if (!padded && !a->proven && !a->is_error && !a->value.n && !a->values_n)
        c->state = CAND_NEW;
    if (a->token.n == 8) {
        memcpy(c->token, a->token.p, 8);
        c->has_token = true;
    }
    if (a->value.n)
        query_found(d, now, q, c, a->value);
    for (size_t i = 0; i < a->values_n; i++)
        query_found(d, now, q, c, a->values[i]);
    struct candidate by = *c; /* adding moves candidates about */
    take_nodes(d, now.mono_ms, q, &by, a->ipv4, true);
    take_nodes(d, now.mono_ms, q, &by, a->ipv6, false);
}

int rpc_answer(struct dht *d, struct clock now, const struct addr *from, const struct node_key *peer,
               struct span plaintext, struct dht_out *out)
{
    uint64_t id;
    memcpy(&id, plaintext.p + 1, 8);
    struct request *r = request_match(d, id, from, peer);
    if (!r || !suits(r->number, plaintext.p[0])) {
        d->stats.dropped_unasked++;
        return DHT_DROPPED;
    }
    struct arena arena;
    arena_init(&arena, 1024);
    struct answer a = {.values_n = 0}; /* read_answer fills what the kind has */
    if (read_answer(&a, plaintext.p[0], span(plaintext.p + 9, plaintext.n - 9), &arena) != 0) {
        d->stats.dropped_form++;
        arena_free(&arena);
        return DHT_DROPPED;
    }
    struct query *q = query_find(d, r->query);
    uint8_t number = r->number;
    bool padded = r->padded;
    seen_take(d, now.mono_ms, from, peer, a.seen);
    struct candidate *c = q ? lookup_find(q, r->contact) : NULL;
    if (q) {
        q->result.bytes_in += plaintext.n + DHT_OUTER_BYTES;
        query_settled(d, q, r);
    }
    if (c) {
        uint64_t rtt = now.mono_ms - r->sent_ms;
        c->rtt_ms = (uint16_t)(rtt > 65535 ? 65535 : rtt);
    }
    if (q && q->kind == DHT_PING) {
        query_ponged(d, now, q, r, out);
        q = NULL;
    }
    request_answered(d, now.mono_ms, r, a.proven);
    if (q && c && (number == DATAGRAM_PUT || number == DATAGRAM_ANNOUNCE)) {
        if (!a.is_error) {
            c->write = WRITE_STORED;
            q->result.stored++;
        } else if (a.wait_ms)
            write_waits(d, now, q, c, a.wait_ms, a.ticket);
        else
            write_refused(d, q, c, a.err, a.seq);
    } else if (q && c)
        take_lookup(d, now, q, c, &a, padded);
    if (q)
        query_advance(d, now, q, out);
    arena_free(&arena);
    return DHT_ANSWER;
}
