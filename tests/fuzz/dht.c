/* A live engine under sequences of datagrams: raw ones; answers to what it asked, in good form, spoilt, or
 * lies; writes with good tokens, until its small store overflows; time passing; commands of its owner; a
 * restart from its saved table.  What must hold at every step: no unproven address gets more bytes than it
 * sent; bounds are kept; each query gives one result, and none after it was cancelled; at the end all
 * queries end by themselves. */
#include "crypto/sign.h"
#include "datagram.gen.h"
#include "dht/inner.h"
#include <sodium.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 24, ASKED = 48, OUT_MOST = 16, TOPICS = 3, SALTS = 6, VALUES = 12, VALUE_BYTES = 3000 };
struct asked { /* by the engine, and not answered yet */
    struct dht_peer to;
    uint8_t head[9];
    struct span body; /* malloc'ed */
};
struct play {
    struct dht *d;
    struct network net;
    struct rng rng;
    struct clock now;
    struct dht_out out;
    struct asked asked[ASKED];
    size_t asked_n;
    uint64_t open[OUT_MOST]; /* queries under way */
    size_t open_n;
    struct span in;     /* of the input */
    bool client, hasty; /* hasty: nobody waits before a full store */
};
static struct keypair pairs[PEERS]; /* the same in every run: to make them costs more than a run */
static struct dht_peer peers[PEERS];

static void sign(void *arg, const struct id *hash, struct sig *out)
{
    sign_hash(out, ((struct keypair *)arg)->sk, hash);
}

static uint8_t byte(struct play *p)
{
    if (p->in.n == 0)
        return 0;
    p->in.n--;
    return *p->in.p++;
}

static struct span bytes(struct play *p, size_t n)
{
    struct span s = {p->in.p, n < p->in.n ? n : p->in.n};
    p->in.p += s.n;
    p->in.n -= s.n;
    return s;
}

static void forget(struct play *p, size_t i)
{
    free((void *)p->asked[i].body.p);
    p->asked[i] = p->asked[--p->asked_n];
}

static void opened(struct play *p, uint64_t handle)
{
    if (!handle)
        return;
    for (size_t i = 0; i < p->open_n; i++)
        MUST(p->open[i] != handle);
    MUST(p->open_n < OUT_MOST); /* queries_most */
    p->open[p->open_n++] = handle;
}

static bool closed(struct play *p, uint64_t handle)
{
    for (size_t i = 0; i < p->open_n; i++)
        if (p->open[i] == handle) {
            p->open[i] = p->open[--p->open_n];
            return true;
        }
    return false;
}

/* Remembers requests, so that answers to them can be made; checks what was said to whom. */
static void drain(struct play *p, const struct dht_peer *to, size_t came, bool proven)
{
    size_t back = 0;
    for (size_t i = 0; i < p->out.n; i++) {
        const struct dht_send *s = &p->out.v[i];
        struct span b = dht_out_bytes(&p->out, s);
        MUST(b.n > 9 && b.n <= DHT_PLAIN_MOST);
        if (to && addr_eq(&s->to, &to->addr))
            back += b.n;
        if (b.p[0] >= 16 || b.p[0] == DATAGRAM_LEAVE)
            continue;
        if (p->asked_n == ASKED)
            forget(p, 0);
        struct asked *a = &p->asked[p->asked_n++];
        *a = (struct asked){.to = {s->key, s->to}, .body = span(xmemdup(b.p + 9, b.n - 9), b.n - 9)};
        memcpy(a->head, b.p, 9);
    }
    if (to && !proven)
        MUST(back <= came);
    dht_out_clear(&p->out);
    const struct dht_result *r;
    while ((r = dht_result_next(p->d)) != NULL)
        MUST(closed(p, r->handle));
}

static void deliver(struct play *p, const struct dht_peer *from, struct span b)
{
    bool proven = address_proven(p->d, p->now.mono_ms, &from->key, &from->addr);
    bool proves = b.n && (b.p[0] == DATAGRAM_PUT || b.p[0] == DATAGRAM_ANNOUNCE || b.p[0] >= 16);
    dht_datagram(p->d, p->now, &from->addr, &from->key, b, b.n, &p->out);
    drain(p, from, b.n, proven || proves);
}

/* ---- values ---- */
static struct id topic(unsigned i)
{
    return (struct id){{(uint8_t)(i % TOPICS + 1)}};
}

static struct salt salt(unsigned i)
{
    return (struct salt){{(uint8_t)(i % SALTS)}};
}

static void spoil(struct play *p, struct buf *b, uint8_t how)
{
    if (how % 8 == 7 && b->n)
        b->p[byte(p) % b->n] ^= (uint8_t)(1 << byte(p) % 8);
}

/* Pointers and presences are of one author, so that they meet; providers each of its own. */
static void value(struct play *p, struct buf *out, enum dht_kind kind, unsigned which,
                  const struct dht_peer *who)
{
    uint8_t how = byte(p);
    size_t i = kind == DHT_PROVIDER ? (size_t)(who - peers) : 0;
    struct dht_value v = {.kind = kind,
                          .seq = how % 5 + 1u,
                          .expires_s = (uint64_t)(p->now.unix_ms / 1000) + (how & 16 ? 30 : 3600),
                          .topic = topic(which),
                          .salt = salt(which),
                          .addr = who->addr,
                          .body = span((const uint8_t *)"0123456789abcdef0123456789abcdef", how % 32)};
    if (kind == DHT_PRESENCE) {
        v.mailboxes_n = 1;
        v.mailboxes[0] = (struct dht_mailbox){who->key, who->addr};
    }
    memcpy(v.author, pairs[i].pk, 32);
    (void)dht_value_make(out, &p->net, &v, sign, &pairs[i]);
    spoil(p, out, how >> 5);
}

static struct id value_key(struct play *p, enum dht_kind kind, unsigned which)
{
    struct id key, t = topic(which);
    struct salt s = salt(which);
    struct identity who;
    memcpy(who.b, pairs[0].pk, 32);
    if (kind == DHT_PROVIDER)
        dht_key_topic(&key, &p->net, &t);
    else if (kind == DHT_PRESENCE)
        dht_key_presence(&key, &p->net, &who);
    else
        dht_key_pointer(&key, &p->net, pairs[0].pk, &s);
    return key;
}

/* ---- what comes in ---- */
static const struct dht_peer *peer(struct play *p)
{
    return &peers[byte(p) % PEERS];
}

/* [number][id][body from the input]; for an answer the id and sender of what was asked. */
static void raw(struct play *p, bool answer)
{
    uint8_t b[1400] = {byte(p)};
    struct dht_peer from = *peer(p);
    uint8_t length = byte(p);
    size_t n = length < 240 ? length % 48 : length * 5u; /* long ones eat the input */
    if (answer && p->asked_n) {
        const struct asked *a = &p->asked[byte(p) % p->asked_n];
        memcpy(b + 1, a->head + 1, 8);
        b[0] = (uint8_t)(16 + b[0] % 6);
        from = a->to;
    }
    struct span body = bytes(p, n);
    memcpy(b + 9, body.p, body.n);
    deliver(p, &from, span(b, 9 + body.n));
}

static void seen(struct play *p, uint8_t out[static ADDR_BYTES], bool ipv6)
{
    uint8_t how = byte(p);
    struct addr a = {{[10] = 0xff, 0xff, 198, 18, 1, (uint8_t)(how & 1)}, 7};
    if (ipv6 != (how % 16 == 15))
        a = (struct addr){{0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(how & 1)}, 7};
    addr_pack(out, &a);
}

static void name_nodes(struct play *p, struct datagram_nodes *m, uint8_t list[static 1000], bool ipv6)
{
    size_t n = byte(p) % 21, each = ipv6 ? 50 : 38, at = 0, from = byte(p), by = byte(p);
    for (size_t k = 0; k < n; k++) {
        const struct dht_peer *o = &peers[(from + k * (by % 8 + 1)) % PEERS];
        struct addr a = o->addr;
        if (by >= 128 && k % 4 == 0)
            a.ip[15] ^= 3; /* it is not there */
        if (addr_is_ipv4(&a) == ipv6)
            continue;
        memcpy(list + at, o->key.b, 32);
        memcpy(list + at + 32, ipv6 ? a.ip : a.ip + 12, each - 34);
        be16_put(list + at + each - 2, a.port);
        at += each;
    }
    m->has_ipv4 = !ipv6;
    m->has_ipv6 = ipv6;
    m->ipv4 = m->ipv6 = span(list, at);
}

static uint8_t put_nodes(struct play *p, struct buf *b, struct span where, bool proven, bool ipv6)
{
    uint8_t list[1000], token[8] = {1};
    struct datagram_nodes m = {
        .seen = where, .has_proven = true, .proven = proven, .token = SPAN_OF(token)};
    name_nodes(p, &m, list, ipv6);
    datagram_nodes_encode(b, &m);
    return DATAGRAM_NODES;
}

static uint8_t put_records(struct play *p, struct buf *b, struct span where, bool proven)
{
    struct buf v[4] = {{0}};
    struct span spans[4];
    uint8_t token[8] = {1}, n = byte(p) % 4 + 1, which = byte(p);
    for (uint8_t i = 0; i < n; i++) {
        value(p, &v[i], DHT_PROVIDER, which, peer(p));
        spans[i] = buf_view(&v[i]);
    }
    struct datagram_records m = {.seen = where,
                                 .has_proven = true,
                                 .proven = proven,
                                 .token = SPAN_OF(token),
                                 .values = spans,
                                 .values_n = n,
                                 .held = n};
    datagram_records_encode(b, &m);
    for (uint8_t i = 0; i < n; i++)
        buf_free(&v[i]);
    return DATAGRAM_RECORDS;
}

static uint8_t put_value(struct play *p, struct buf *b, struct span where, bool proven, enum dht_kind kind)
{
    struct buf v = {0};
    uint8_t token[8] = {1};
    value(p, &v, kind, byte(p), peer(p));
    struct datagram_value m = {.seen = where,
                               .has_proven = true,
                               .proven = proven,
                               .token = SPAN_OF(token),
                               .value = buf_view(&v)};
    datagram_value_encode(b, &m);
    buf_free(&v);
    return DATAGRAM_VALUE;
}

static uint8_t put_verdict(struct play *p, struct buf *b, struct span where)
{
    static const int codes[] = {SOUK_EQUOTA, SOUK_ESTALE, SOUK_ECONFLICT, SOUK_EREFUSED, SOUK_ENOT_ALLOWED};
    uint8_t how = byte(p), ticket[16] = {how};
    if (how % 2 == 0) {
        datagram_stored_encode(b,
                               &(struct datagram_stored){
                                   .seen = where, .has_proven = true, .proven = how & 2, .life_s = 7200});
        return DATAGRAM_STORED;
    }
    struct datagram_error m = {.code = (uint64_t)-codes[how / 2 % 5], .has_seq = how & 64, .seq = how};
    m.has_wait_ms = m.has_ticket = m.code == (uint64_t)-SOUK_EQUOTA && how & 32;
    m.wait_ms = how * 400u + 1;
    m.ticket = SPAN_OF(ticket);
    datagram_error_encode(b, &m);
    return DATAGRAM_ERROR;
}

/* A proper answer to something that was asked: true or a lie. */
static void answer(struct play *p)
{
    if (!p->asked_n)
        return;
    size_t i = byte(p) % p->asked_n;
    struct asked a = p->asked[i];
    uint8_t how = byte(p), where[ADDR_BYTES];
    bool proven = how & 1, value_there = how & 2;
    struct buf b = {0};
    struct datagram_find_node f = {.family = DATAGRAM_FAMILY_IPV4};
    struct datagram_get g = {.family = DATAGRAM_FAMILY_IPV4};
    struct datagram_providers v = {.family = DATAGRAM_FAMILY_IPV4};
    seen(p, where, !addr_is_ipv4(&a.to.addr));
    buf_append(&b, a.head, 9);
    switch (a.head[0]) {
    case DATAGRAM_PING:
        datagram_pong_encode(
            &b, &(struct datagram_pong){.seen = SPAN_OF(where), .has_proven = true, .proven = proven});
        b.p[0] = DATAGRAM_PONG;
        break;
    case DATAGRAM_FIND_NODE:
        MUST(datagram_find_node_decode(&f, a.body, NULL, NULL) == 0);
        b.p[0] = put_nodes(p, &b, SPAN_OF(where), proven, f.family == DATAGRAM_FAMILY_IPV6);
        break;
    case DATAGRAM_GET: {
        MUST(datagram_get_decode(&g, a.body, NULL, NULL) == 0);
        uint8_t number = value_there
                             ? put_value(p, &b, SPAN_OF(where), proven, (enum dht_kind)g.kind)
                             : put_nodes(p, &b, SPAN_OF(where), proven, g.family == DATAGRAM_FAMILY_IPV6);
        b.p[0] = number;
        break;
    }
    case DATAGRAM_PROVIDERS: {
        MUST(datagram_providers_decode(&v, a.body, NULL, NULL) == 0);
        uint8_t number = value_there
                             ? put_records(p, &b, SPAN_OF(where), proven)
                             : put_nodes(p, &b, SPAN_OF(where), proven, v.family == DATAGRAM_FAMILY_IPV6);
        b.p[0] = number;
        break;
    }
    default: {
        uint8_t number = put_verdict(p, &b, SPAN_OF(where));
        b.p[0] = number;
    }
    }
    spoil(p, &b, how >> 5);
    if (b.n <= DHT_PLAIN_MOST)
        deliver(p, &a.to, buf_view(&b));
    buf_free(&b);
    for (i = 0; i < p->asked_n; i++)
        if (memcmp(p->asked[i].head, a.head, 9) == 0)
            forget(p, i--);
}

/* A question or a write of a peer, in good form; writes with good tokens. */
static void request(struct play *p)
{
    uint8_t how = byte(p), which = byte(p), token[8], head[9] = {0};
    const struct dht_peer *from = peer(p);
    enum dht_kind kind = (enum dht_kind)(how % 3 + 1);
    struct id key = value_key(p, kind, which);
    static const uint8_t zeros[1000];
    struct span pad = span(zeros, how & 64 ? 1000 : byte(p));
    bool client = how >= 250;
    enum datagram_family family = how & 32 ? DATAGRAM_FAMILY_IPV6 : DATAGRAM_FAMILY_IPV4;
    struct buf b = {0}, v = {0};
    buf_append(&b, head, 9);
    if (how & 128) {
        value(p, &v, kind, which, from);
        token_make(p->d, p->now.mono_ms, &from->addr, &from->key, &key, token);
        if (kind == DHT_PROVIDER) {
            struct datagram_announce m = {
                .has_client = client, .client = client, .token = SPAN_OF(token), .value = buf_view(&v)};
            datagram_announce_encode(&b, &m);
        } else {
            struct datagram_put m = {.token = SPAN_OF(token),
                                     .value = buf_view(&v),
                                     .has_expected = how & 64,
                                     .expected = which};
            datagram_put_encode(&b, &m);
        }
        b.p[0] = kind == DHT_PROVIDER ? DATAGRAM_ANNOUNCE : DATAGRAM_PUT;
    } else if (how % 5 == 0) {
        datagram_leave_encode(&b, &(struct datagram_leave){.has_pad = true, .pad = span(zeros, 32)});
        b.p[0] = DATAGRAM_LEAVE;
    } else if (how % 5 == 1) {
        datagram_ping_encode(
            &b, &(struct datagram_ping){
                    .has_client = client, .client = client, .has_pad = true, .pad = span(zeros, 60)});
        b.p[0] = DATAGRAM_PING;
    } else if (how % 5 == 2) {
        struct datagram_get m = {
            .target = key, .family = family, .kind = kind, .has_pad = true, .pad = pad};
        datagram_get_encode(&b, &m);
        b.p[0] = DATAGRAM_GET;
    } else if (how % 5 == 3) {
        struct datagram_providers m = {.target = key, .family = family, .has_pad = true, .pad = pad};
        datagram_providers_encode(&b, &m);
        b.p[0] = DATAGRAM_PROVIDERS;
    } else {
        struct datagram_find_node m = {.target = key, .family = family, .has_pad = true, .pad = pad};
        datagram_find_node_encode(&b, &m);
        b.p[0] = DATAGRAM_FIND_NODE;
    }
    if (b.n <= DHT_PLAIN_MOST)
        deliver(p, from, buf_view(&b));
    buf_free(&b);
    buf_free(&v);
}

/* ---- its owner ---- */
static void engine_new(struct play *p)
{
    struct dht_knobs k;
    dht_knobs_default(&k);
    k.values_most = VALUES;
    k.value_bytes_most = VALUE_BYTES;
    k.providers_most = 6;
    k.prefix_values_most = 8;
    k.candidates = 24;
    k.queries_most = OUT_MOST;
    k.requests_most = 64;
    k.own_most = 8;
    k.wait_most_ms = p->hasty ? 0 : k.wait_most_ms;
    k.cover = 2; /* two dozen peers can be a crowd */
    k.dense_factor = 1;
    struct dht_config c = {
        .net = &p->net, .rng = &p->rng, .knobs = &k, .sign = sign, .sign_arg = &pairs[1], .ipv6 = true};
    c.client = p->client;
    memcpy(c.self.b, pairs[1].pk, 32);
    p->d = dht_new(&c, p->now);
}

static void restart(struct play *p)
{
    struct buf table = {0};
    dht_table_save(p->d, &table);
    dht_leave(p->d, &p->out);
    drain(p, NULL, 0, true);
    dht_free(p->d);
    p->open_n = 0;
    while (p->asked_n)
        forget(p, 0);
    spoil(p, &table, byte(p));
    engine_new(p);
    (void)dht_table_restore(p->d, p->now, buf_view(&table), false);
    buf_free(&table);
}

static void publish(struct play *p, uint8_t which)
{
    struct buf v = {0};
    struct id t = topic(which), key;
    int err;
    value(p, &v, which & 1 ? DHT_PRESENCE : DHT_POINTER, which, &peers[0]);
    if (which % 4 == 3)
        (void)dht_publish_topic(p->d, p->now, &t);
    else if (which % 4 == 2)
        opened(p, dht_put_start(p->d, p->now, buf_view(&v), NULL, 1, &err));
    else
        (void)dht_publish(p->d, p->now, buf_view(&v));
    if (which >= 240) {
        dht_key_topic(&key, &p->net, &t);
        (void)dht_unpublish(p->d, &key);
    }
    buf_free(&v);
}

static void command(struct play *p)
{
    uint8_t what = byte(p), which = byte(p), flags = what >> 7;
    struct id t = topic(which), target = value_key(p, DHT_POINTER, which);
    struct identity who;
    memcpy(who.b, pairs[0].pk, 32);
    switch (what % 9) {
    case 0:
        opened(p, dht_ping(p->d, p->now, &peers[which % PEERS], 1));
        break;
    case 1:
        opened(p, dht_lookup_start(p->d, p->now, &target, flags, 1));
        break;
    case 2:
        opened(p, dht_get_start(p->d, p->now, DHT_POINTER, &target, flags, 1));
        break;
    case 3:
        opened(p, dht_providers_start(p->d, p->now, &t, flags, 1));
        break;
    case 4:
        opened(p, dht_announce_start(p->d, p->now, &t, 1));
        break;
    case 5:
        if (p->open_n) {
            uint64_t handle = p->open[which % p->open_n];
            MUST(dht_cancel(p->d, handle) && closed(p, handle) && !dht_cancel(p->d, handle));
        }
        break;
    case 6:
        publish(p, which);
        break;
    case 7:
        if (which % 8 == 0)
            restart(p);
        break;
    default:
        p->client = which % 4 == 0;
        dht_set_client(p->d, p->client);
        dht_key_presence(&target, &p->net, &who);
        opened(p, dht_get_start(p->d, p->now, DHT_PRESENCE, &target, flags, 1));
    }
}

static void pass(struct play *p, uint64_t ms)
{
    p->now.mono_ms += ms;
    p->now.unix_ms += (int64_t)ms;
}

static void check(struct play *p)
{
    struct dht_stats s;
    struct dht_own own[8];
    struct dht_held held[4];
    struct dht_entry entries[8];
    struct dht_bucket buckets[DHT_BUCKETS_MOST];
    dht_stats_read(p->d, &s);
    MUST(dht_own(p->d, own, 8) == s.own && dht_held(p->d, p->now.mono_ms, 2, held, 4) == s.values);
    MUST(dht_entries(p->d, p->now.mono_ms, entries, 8) == s.nodes + s.heard);
    MUST(dht_buckets(p->d, p->now.mono_ms, buckets) >= s.buckets);
    MUST(s.queries <= OUT_MOST + 5 * AROUND + 8 && s.requests <= 64 && s.nodes <= PEERS * 4 && s.own <= 8);
    MUST(s.values <= VALUES && s.value_bytes <= VALUE_BYTES && s.memory_bytes < 1 << 20);
}

static void step(struct play *p)
{
    static const uint64_t scale[] = {1, 17, 700, 20000}; /* ms */
    uint8_t op = byte(p);
    switch (op % 8) {
    case 0:
        raw(p, op & 64);
        break;
    case 1:
        request(p);
        break;
    case 2:
        command(p);
        break;
    case 3:
        pass(p, byte(p) * scale[op >> 6]);
        break;
    case 4:
        request(p);
        break;
    default:
        answer(p);
    }
    if (dht_next_wake(p->d) <= p->now.mono_ms)
        dht_wake(p->d, p->now, &p->out);
    drain(p, NULL, 0, true);
    check(p);
}

/* Nobody answers any more: every query ends by itself. */
static void let_end(struct play *p)
{
    uint64_t until = p->now.mono_ms + 20 * 60000;
    while (p->open_n && p->now.mono_ms < until) {
        uint64_t at = dht_next_wake(p->d);
        pass(p, at > p->now.mono_ms ? at - p->now.mono_ms : 1);
        dht_wake(p->d, p->now, &p->out);
        drain(p, NULL, 0, true);
    }
    MUST(p->open_n == 0);
    check(p);
}

static void make_peers(void)
{
    struct rng rng;
    rng_seed_u64(&rng, 3);
    for (size_t i = 0; i < PEERS; i++) {
        sign_keypair_new(&pairs[i], &rng);
        memcpy(peers[i].key.b, pairs[i].pk, 32);
        peers[i].addr = (struct addr){{[10] = 0xff, 0xff, 9, (uint8_t)(i / 3), 1, 1}, (uint16_t)(4000 + i)};
        if (i % 4 == 3)
            peers[i].addr = (struct addr){{0x20, 1, 0xd, 0xb8, 0, 0, 0, (uint8_t)(i / 3), [15] = 1},
                                          (uint16_t)(4000 + i)};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play p;
    if (sodium_init() < 0)
        return 0;
    if (peers[0].addr.port == 0)
        make_peers();
    p = (struct play){.in = span(data, size), .now = {1000, 1700000000000}};
    rng_seed_u64(&p.rng, 1);
    MUST(network_make(&p.net, "fuzz", 0, 0, false) == 0);
    p.hasty = byte(&p) & 1;
    engine_new(&p);
    dht_bootstrap(p.d, p.now, peers + 2, 6);
    for (int steps = 0; p.in.n && steps < 400; steps++)
        step(&p);
    let_end(&p);
    while (p.asked_n)
        forget(&p, 0);
    dht_free(p.d);
    dht_out_free(&p.out);
    return 0;
}
