/* value.c: signed values, made and read.  The bytes are never encoded again: what was signed is kept. */
#include "crypto/base/arena.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "dht/inner.h"
#include "value.gen.h"

enum { SIG_BYTES = 64, ADDRS_MOST = 4 };

static void encode_presence(struct buf *out, const struct dht_value *v)
{
    uint8_t addrs[2][ADDRS_MOST][ADDR_BYTES];
    struct value_mailbox boxes[ADDRS_MOST] = {{.has_addr = false}};
    struct span machines[ADDRS_MOST];
    for (size_t i = 0; i < v->mailboxes_n; i++) {
        addr_pack(addrs[0][i], &v->mailboxes[i].addr);
        boxes[i].node = v->mailboxes[i].node;
        boxes[i].has_addr = v->mailboxes[i].addr.port != 0;
        boxes[i].addr = span(addrs[0][i], ADDR_BYTES);
    }
    for (size_t i = 0; i < v->machines_n; i++) {
        addr_pack(addrs[1][i], &v->machines[i]);
        machines[i] = span(addrs[1][i], ADDR_BYTES);
    }
    struct value_presence m = {.seq = v->seq,
                               .expires = v->expires_s,
                               .mailboxes = boxes,
                               .mailboxes_n = v->mailboxes_n,
                               .has_machines = v->machines_n > 0,
                               .machines = machines,
                               .machines_n = v->machines_n};
    memcpy(m.who.b, v->author, 32);
    value_presence_encode(out, &m);
}

static void encode_provider(struct buf *out, const struct dht_value *v)
{
    uint8_t addr[ADDR_BYTES];
    addr_pack(addr, &v->addr);
    struct value_provider m = {
        .seq = v->seq, .expires = v->expires_s, .topic = v->topic, .addr = SPAN_OF(addr)};
    memcpy(m.node.b, v->author, 32);
    value_provider_encode(out, &m);
}

static void encode_pointer(struct buf *out, const struct dht_value *v)
{
    struct value_pointer m = {.author = span(v->author, 32),
                              .seq = v->seq,
                              .expires = v->expires_s,
                              .salt = v->salt,
                              .body = v->body};
    value_pointer_encode(out, &m);
}

int dht_value_make(struct buf *out, const struct network *net, const struct dht_value *v, dht_sign *sign,
                   void *sign_arg)
{
    if (v->mailboxes_n > ADDRS_MOST || v->machines_n > ADDRS_MOST || v->seq == 0 || v->seq > INT64_MAX ||
        v->expires_s == 0 || v->expires_s > UINT32_MAX ||
        (v->kind == DHT_POINTER && v->body.n > DHT_POINTER_BODY_MOST))
        return SOUK_ERANGE;
    struct buf b = {0};
    uint8_t kind = (uint8_t)v->kind;
    buf_append(&b, &kind, 1);
    if (v->kind == DHT_PRESENCE)
        encode_presence(&b, v);
    else if (v->kind == DHT_PROVIDER)
        encode_provider(&b, v);
    else
        encode_pointer(&b, v);
    int err = b.n + SIG_BYTES > DHT_VALUE_MOST ? SOUK_ERANGE : 0;
    if (err == 0) {
        struct id hash;
        struct sig sig;
        hash_souk_one(&hash, net, "souk:dht-value", buf_view(&b));
        sign(sign_arg, &hash, &sig);
        buf_span(out, buf_view(&b));
        buf_append(out, sig.b, SIG_BYTES);
    }
    buf_free(&b);
    return err;
}

static int read_presence(struct dht_value *out, const struct network *net, struct span in)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct value_presence m;
    int err = value_presence_decode(&m, in, &arena, NULL);
    if (err == 0) {
        memcpy(out->author, m.who.b, 32);
        out->seq = m.seq;
        out->expires_s = m.expires;
        out->mailboxes_n = m.mailboxes_n;
        for (size_t i = 0; i < m.mailboxes_n; i++) {
            out->mailboxes[i].node = m.mailboxes[i].node;
            if (m.mailboxes[i].has_addr)
                addr_unpack(&out->mailboxes[i].addr, m.mailboxes[i].addr.p);
        }
        out->machines_n = m.has_machines ? m.machines_n : 0;
        for (size_t i = 0; i < out->machines_n; i++)
            addr_unpack(&out->machines[i], m.machines[i].p);
        dht_key_presence(&out->key, net, &m.who);
    }
    arena_free(&arena);
    return err;
}

static int read_provider(struct dht_value *out, const struct network *net, struct span in)
{
    struct value_provider m;
    int err = value_provider_decode(&m, in, NULL, NULL);
    if (err)
        return err;
    memcpy(out->author, m.node.b, 32);
    out->seq = m.seq;
    out->expires_s = m.expires;
    out->topic = m.topic;
    addr_unpack(&out->addr, m.addr.p);
    dht_key_topic(&out->key, net, &m.topic);
    return 0;
}

static int read_pointer(struct dht_value *out, const struct network *net, struct span in)
{
    struct value_pointer m;
    int err = value_pointer_decode(&m, in, NULL, NULL);
    if (err)
        return err;
    memcpy(out->author, m.author.p, 32);
    out->seq = m.seq;
    out->expires_s = m.expires;
    out->salt = m.salt;
    out->body = m.body;
    dht_key_pointer(&out->key, net, out->author, &m.salt);
    return 0;
}

bool value_signed(const struct network *net, const struct dht_value *v, struct span bytes)
{
    struct id hash;
    struct sig sig;
    memcpy(sig.b, bytes.p + bytes.n - SIG_BYTES, SIG_BYTES);
    hash_souk_one(&hash, net, "souk:dht-value", span(bytes.p, bytes.n - SIG_BYTES));
    return sign_check(v->author, &hash, &sig);
}

int dht_value_read(struct dht_value *out, const struct network *net, int64_t unix_ms, struct span bytes,
                   bool verify)
{
    if (bytes.n > DHT_VALUE_MOST)
        return SOUK_ERANGE;
    if (bytes.n < 2 + SIG_BYTES)
        return SOUK_EFORM;
    struct dht_value v = {.kind = (enum dht_kind)bytes.p[0]};
    struct span map = span(bytes.p + 1, bytes.n - 1 - SIG_BYTES);
    int err = SOUK_EFORM;
    if (v.kind == DHT_PRESENCE)
        err = read_presence(&v, net, map);
    else if (v.kind == DHT_PROVIDER)
        err = read_provider(&v, net, map);
    else if (v.kind == DHT_POINTER)
        err = read_pointer(&v, net, map);
    if (err)
        return err;
    int64_t now_s = unix_ms / 1000, expires_s = (int64_t)v.expires_s;
    if (expires_s + DHT_SKEW_S < now_s)
        return SOUK_EEXPIRED;
    if (expires_s > now_s + DHT_EXPIRES_MOST_S + DHT_SKEW_S)
        return SOUK_EFUTURE;
    if (verify && !value_signed(net, &v, bytes))
        return SOUK_ESIGNATURE;
    *out = v;
    return 0;
}

bool value_names_ipv6(const struct dht_value *v)
{
    return v->kind == DHT_PROVIDER && !addr_is_ipv4(&v->addr);
}
