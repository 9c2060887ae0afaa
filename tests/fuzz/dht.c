/* A live engine under sequences of datagrams: raw ones, answers that match what it asked, writes with good
 * tokens, time passing, queries started and cancelled.  What must hold at every step: no unproven address
 * gets more bytes than it sent; bounds are kept; a query gives one result at most. */
#include "crypto/sign.h"
#include "datagram.gen.h"
#include "dht/inner.h"
#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 16, ASKED = 64 };
struct play {
    struct dht *d;
    struct network net;
    struct rng rng;
    struct clock now;
    struct dht_out out;
    struct dht_peer peers[PEERS];
    struct keypair author;
    struct dht_send asked[ASKED]; /* what the engine sent; `at` is then the request id's place below */
    uint8_t ids[ASKED][9];
    size_t asked_n;
    uint64_t handles[8], seq;
};

static void sign(void *arg, const struct id *hash, struct sig *out)
{
    sign_hash(out, ((struct keypair *)arg)->sk, hash);
}

static uint8_t byte(struct span *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

static struct span bytes(struct span *in, size_t n)
{
    struct span s = {in->p, n < in->n ? n : in->n};
    in->p += s.n;
    in->n -= s.n;
    return s;
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
        if (b.p[0] >= 16)
            continue;
        p->asked[p->asked_n % ASKED] = *s;
        memcpy(p->ids[p->asked_n++ % ASKED], b.p, 9);
    }
    if (to && !proven)
        MUST(back <= came);
    dht_out_clear(&p->out);
    const struct dht_result *r;
    while ((r = dht_result_next(p->d)) != NULL)
        for (int i = 0; i < 8; i++)
            if (p->handles[i] == r->handle)
                p->handles[i] = 0;
}

static void deliver(struct play *p, const struct dht_peer *from, struct span b)
{
    bool proven = address_proven(p->d, p->now.mono_ms, &from->key, &from->addr);
    bool write = b.n && (b.p[0] == DATAGRAM_PUT || b.p[0] == DATAGRAM_ANNOUNCE || b.p[0] >= 16);
    dht_datagram(p->d, p->now, &from->addr, &from->key, b, b.n, &p->out);
    drain(p, from, b.n, proven || write);
}

/* [number][id of a request, or zeros][body from the input] */
static void datagram(struct play *p, struct span *in, bool answer)
{
    uint8_t raw[1400], which = byte(in), number = byte(in);
    size_t n = byte(in) * 5u;
    struct dht_peer from = p->peers[which % PEERS];
    memset(raw, 0, 9);
    raw[0] = number;
    if (answer && p->asked_n) {
        size_t i = which % (p->asked_n < ASKED ? p->asked_n : ASKED);
        memcpy(raw, p->ids[i], 9);
        raw[0] = (uint8_t)(16 + number % 6);
        from = (struct dht_peer){p->asked[i].key, p->asked[i].to};
    }
    struct span body = bytes(in, n);
    memcpy(raw + 9, body.p, body.n);
    deliver(p, &from, span(raw, 9 + body.n));
}

/* An answer in good form naming peers, so that lookups go on. */
static void nodes(struct play *p, struct span *in)
{
    if (!p->asked_n)
        return;
    size_t i = byte(in) % (p->asked_n < ASKED ? p->asked_n : ASKED);
    uint8_t list[20 * 38], token[8] = {1}, seen[18] = {0}, n = byte(in) % 20;
    for (size_t k = 0; k < n; k++) {
        const struct dht_peer *o = &p->peers[byte(in) % PEERS];
        memcpy(list + k * 38, o->key.b, 32);
        memcpy(list + k * 38 + 32, o->addr.ip + 12, 4);
        be16_put(list + k * 38 + 36, o->addr.port);
    }
    struct datagram_nodes m = {
        .seen = SPAN_OF(seen), .token = SPAN_OF(token), .has_ipv4 = true, .ipv4 = span(list, n * 38u)};
    struct buf b = {0};
    buf_append(&b, p->ids[i], 9);
    b.p[0] = p->ids[i][0] == DATAGRAM_PING ? DATAGRAM_PONG : DATAGRAM_NODES;
    if (b.p[0] == DATAGRAM_PONG) {
        struct datagram_pong pong = {.seen = SPAN_OF(seen)};
        datagram_pong_encode(&b, &pong);
    } else
        datagram_nodes_encode(&b, &m);
    struct dht_peer from = {p->asked[i].key, p->asked[i].to};
    deliver(p, &from, buf_view(&b));
    buf_free(&b);
}

/* A write with a good token, of a value spoilt in one bit or not. */
static void write_value(struct play *p, struct span *in)
{
    const struct dht_peer *from = &p->peers[byte(in) % PEERS];
    uint8_t what = byte(in);
    struct dht_value v = {.kind = DHT_POINTER,
                          .seq = what % 5 + 1u,
                          .body = bytes(in, what),
                          .expires_s = (uint64_t)(p->now.unix_ms / 1000) + 3600};
    v.salt.b[0] = what;
    memcpy(v.author, p->author.pk, 32);
    struct buf value = {0}, b = {0};
    if (dht_value_make(&value, &p->net, &v, sign, &p->author) == 0) {
        struct id key;
        dht_key_pointer(&key, &p->net, v.author, &v.salt);
        uint8_t token[8], head[9] = {DATAGRAM_PUT, what};
        token_make(p->d, p->now.mono_ms, &from->addr, &from->key, &key, token);
        if (what & 1)
            value.p[byte(in) % value.n] ^= (uint8_t)(1 << (what >> 5));
        struct datagram_put m = {.token = SPAN_OF(token), .value = buf_view(&value)};
        buf_append(&b, head, 9);
        datagram_put_encode(&b, &m);
        deliver(p, from, buf_view(&b));
    }
    buf_free(&value);
    buf_free(&b);
}

static void command(struct play *p, struct span *in)
{
    uint8_t what = byte(in), flags = what >> 7;
    struct id target = {{byte(in), what}};
    uint64_t *slot = &p->handles[what % 8], handle = 0;
    switch (what % 6) {
    case 0:
        handle = dht_ping(p->d, p->now, &p->peers[target.b[0] % PEERS], 1);
        break;
    case 1:
        handle = dht_lookup_start(p->d, p->now, &target, flags, 1);
        break;
    case 2:
        handle = dht_get_start(p->d, p->now, DHT_POINTER, &target, flags, 1);
        break;
    case 3:
        handle = dht_providers_start(p->d, p->now, &target, flags, 1);
        break;
    case 4:
        handle = dht_announce_start(p->d, p->now, &target, 1);
        dht_publish_topic(p->d, p->now, &target);
        break;
    default:
        if (*slot)
            MUST(dht_cancel(p->d, *slot));
        *slot = 0;
        return;
    }
    if (*slot == 0)
        *slot = handle;
}

static void start(struct play *p)
{
    rng_seed_u64(&p->rng, 1);
    MUST(network_make(&p->net, "fuzz", 0, 0, false) == 0);
    p->now = (struct clock){1000, 1700000000000};
    struct dht_config c = {.net = &p->net, .rng = &p->rng, .sign = sign, .sign_arg = &p->author};
    sign_keypair_new(&p->author, &p->rng);
    memcpy(c.self.b, p->author.pk, 32);
    p->d = dht_new(&c, p->now);
    for (size_t i = 0; i < PEERS; i++) {
        rng_bytes(&p->rng, p->peers[i].key.b, 32);
        p->peers[i].addr = (struct addr){{[10] = 0xff, 0xff, 9, (uint8_t)(i / 3), 1, 1}, 4000};
    }
    dht_bootstrap(p->d, p->now, p->peers, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (sodium_init() < 0)
        return 0;
    static struct play p;
    p = (struct play){.asked_n = 0};
    start(&p);
    struct span in = span(data, size);
    for (int steps = 0; in.n && steps < 400; steps++) {
        uint8_t op = byte(&in);
        uint64_t ms = op % 6 == 4 ? byte(&in) * (op & 64 ? 60000ull : 17ull) : 0;
        p.now.mono_ms += ms;
        p.now.unix_ms += (int64_t)ms;
        if (op % 6 == 0)
            datagram(&p, &in, false);
        else if (op % 6 == 1)
            datagram(&p, &in, true);
        else if (op % 6 == 2)
            nodes(&p, &in);
        else if (op % 6 == 3)
            write_value(&p, &in);
        else if (op % 6 == 5)
            command(&p, &in);
        if (dht_next_wake(p.d) <= p.now.mono_ms)
            dht_wake(p.d, p.now, &p.out);
        drain(&p, NULL, 0, true);
        struct dht_stats s;
        dht_stats_read(p.d, &s);
        MUST(s.queries < 100 && s.requests <= 2048 && s.nodes <= PEERS * 2);
    }
    dht_free(p.d);
    dht_out_free(&p.out);
    return 0;
}
