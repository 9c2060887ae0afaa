/* handshake.c: Noise XX with both node keys proven.
 *
 * -> e    <- e, ee, s, es, hello    -> s, se, hello.  The prologue is "souk", the wire version and the
 * network id, so that nodes of different networks do not get past the second message.  A hello carries the
 * Ed25519 node key, which must convert to the Noise static key: the one key proves the other. */
#include "crypto/wire/pack.h"
#include "crypto/xkey.h"
#include "node/keys/keys.h"
#include "node/net/session.h"
#include "session.gen.h"
#include <sodium.h>

enum { WIRE_VERSION = 1 };

void handshake_prologue(uint8_t out[static PROLOGUE_BYTES], const struct network *net)
{
    memcpy(out, "souk", 4);
    out[4] = WIRE_VERSION;
    memcpy(out + 5, net->id.b, sizeof net->id.b);
}

static void hello_make(struct net *n, struct core *c, struct buf *out)
{
    struct session_hello hello = {.node = *keys_node(c->keys),
                                  .least = WIRE_VERSION,
                                  .most = WIRE_VERSION,
                                  .port = n->config.self.port,
                                  .has_time = c->now.unix_ms >= 0,
                                  .time = (uint64_t)(c->now.unix_ms / 10000 * 10)};
    session_hello_encode(out, &hello);
}

/* Writes our next handshake message as a frame; the first one carries nothing. */
static int write_message(struct net *n, struct core *c, struct session *s, bool with_hello)
{
    struct buf payload = {0}, out = {0};
    if (with_hello)
        hello_make(n, c, &payload);
    buf_grow(&out, 2);
    int err = noise_write(&s->noise, &out, buf_view(&payload));
    if (!err) {
        be16_put(out.p, (uint16_t)(out.n - 2));
        session_write(n, c, s, buf_view(&out));
    }
    buf_free(&payload);
    buf_free(&out);
    return err;
}

int handshake_begin(struct net *n, struct core *c, struct session *s)
{
    uint8_t pro[PROLOGUE_BYTES], s_sk[32], e_sk[32];
    handshake_prologue(pro, &n->network);
    xkey_secret_from_sign(s_sk, keys_node_secret(c->keys));
    rng_bytes(c->rng, e_sk, sizeof e_sk);
    noise_start(&s->noise, s->outbound, span(pro, sizeof pro), s_sk, e_sk);
    sodium_memzero(s_sk, sizeof s_sk);
    sodium_memzero(e_sk, sizeof e_sk);
    return s->outbound ? write_message(n, c, s, false) : 0;
}

int handshake_hello(struct session_hello *out, struct span payload, const struct xkey *proven,
                    const struct node_key *self, const struct node_key *dialled)
{
    struct arena a;
    struct session_hello hello;
    struct xkey told;
    arena_init(&a, 4096);
    int err = session_hello_decode(&hello, payload, &a, NULL);
    arena_free(&a);
    if (err)
        return err;
    if (xkey_from_node(&told, &hello.node) || sodium_memcmp(&told, proven, sizeof told) != 0)
        return SOUK_ESIGNATURE;
    if (node_key_eq(&hello.node, self) || (dialled && !node_key_eq(&hello.node, dialled)))
        return SOUK_EREFUSED;
    if (hello.least > WIRE_VERSION || hello.most < WIRE_VERSION)
        return SOUK_EVERSION;
    *out = hello;
    return 0;
}

static int hello_read(struct session *s, struct span payload, const struct node_key *self, uint64_t now_ms)
{
    struct session_hello hello;
    struct xkey proven;
    noise_remote(&s->noise, &proven);
    int err = handshake_hello(&hello, payload, &proven, self, s->outbound ? &s->peer : NULL);
    if (err)
        return err;
    s->peer = hello.node;
    s->has_time = hello.has_time;
    if (s->has_time)
        s->time_ms = (int64_t)hello.time * 1000 - (int64_t)now_ms;
    if (!s->outbound)
        s->addr.port = (uint16_t)hello.port; /* where it can be dialled again; 0: nowhere */
    return 0;
}

int handshake_frame(struct net *n, struct core *c, struct session *s, struct span frame, bool *up)
{
    struct buf payload = {0};
    int err = noise_read(&s->noise, &payload, frame);
    bool first = !s->outbound && !err && !noise_done(&s->noise);
    if (!err && first)
        err = payload.n ? SOUK_EFORM : write_message(n, c, s, true);
    else if (!err)
        err = hello_read(s, buf_view(&payload), keys_node(c->keys), c->now.mono_ms);
    if (!err && s->outbound)
        err = write_message(n, c, s, true);
    if (!err && noise_done(&s->noise)) {
        noise_split(&s->noise, &s->send, &s->receive);
        *up = true;
    }
    buf_wipe(&payload);
    return err;
}
