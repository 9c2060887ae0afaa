/* A net engine under hostile bytes: raw ones on an accepted connection, spoilt ones of a session that is
 * up, and well encrypted frames of any content, while the rooms above drop, accuse and answer in the
 * middle. */
#include "node/net/session.h"
#include "crypto/sign.h"
#include "node/keys/keys.h"
#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 200 };
struct side {
    struct core core; /* first: hooks find their side by it */
    struct effects fx;
    struct network network;
    struct rng rng;
    struct addr addr;
    struct buf to; /* on its way to this side */
    int ups;
};
static struct side sides[2];
static uint8_t whim; /* what the rooms above do with the next message */

static void on_up(struct core *c, const struct node_key *peer)
{
    MUST(net_up(c->net, peer));
    ((struct side *)(void *)c)->ups++;
}

static void on_down(struct core *c, const struct node_key *peer)
{
    (void)peer;
    MUST(--((struct side *)(void *)c)->ups >= 0);
}

static int on_message(struct core *c, const struct node_key *peer, enum channel channel, unsigned number,
                      struct span body)
{
    struct node_key key = *peer;
    if (whim & 1)
        (void)net_send(c->net, c, &key, channel, number, body);
    if (whim & 2)
        net_misconduct(c->net, c, &key, SOUK_EWORK);
    if (whim & 4)
        net_drop(c->net, c, &key);
    return whim & 8 ? SOUK_EFORM : 0;
}

static const struct hooks hooks = {
    .session_up = on_up, .session_down = on_down, .session_message = on_message};

static void side_new(struct side *s, uint8_t i)
{
    struct keypair pair;
    uint8_t seed[32] = {i};
    *s = (struct side){.addr = {.ip = {[10] = 0xff, 0xff, 8, 8, i, 1}, .port = 7411}};
    sign_keypair_from_seed(&pair, seed);
    rng_seed_u64(&s->rng, i);
    MUST(network_make(&s->network, "fuzz", 0, 0, false) == 0);
    s->core = (struct core){.network = &s->network,
                            .hooks = &hooks,
                            .rng = &s->rng,
                            .fx = &s->fx,
                            .now = {1000, INT64_C(1790000000000)},
                            .keys = keys_new(pair.sk, true)};
    s->core.net = net_new(&(struct net_config){.self = s->addr}, &s->network, &s->rng);
}

/* Both sides have one stream: 1 at the dialler, 1000 at the other. */
static void carry(void)
{
    for (int i = 0; i < 2; i++) {
        struct side *s = &sides[i], *o = &sides[1 - i];
        for (size_t k = 0; k < s->fx.n; k++) {
            const struct effect *e = &s->fx.v[k];
            if (e->kind == FX_DIAL) {
                net_accepted(o->core.net, &o->core, 1000, &s->addr);
                net_dialled(s->core.net, &s->core, e->conn, 0);
            } else if (e->kind == FX_WRITE && (e->conn == 1 || e->conn == 1000))
                buf_span(&o->to, fx_bytes(&s->fx, e));
        }
        effects_clear(&s->fx);
    }
}

static void deliver(int i)
{
    struct side *s = &sides[i];
    struct buf b = s->to;
    s->to = (struct buf){0};
    net_bytes(s->core.net, &s->core, i ? 1000 : 1, buf_view(&b));
    net_drained(sides[1 - i].core.net, &sides[1 - i].core, i ? 1 : 1000);
    buf_free(&b);
    carry();
}

static void step(uint8_t what, struct span bytes)
{
    struct side *a = &sides[0], *b = &sides[1];
    switch (what % 6) {
    case 0:
        (void)net_send(a->core.net, &a->core, keys_node(b->core.keys), (enum channel)(what >> 5), what,
                       bytes);
        break;
    case 1:
        buf_span(&b->to, bytes);
        break;
    case 2:
        if (b->to.n && bytes.n)
            b->to.p[bytes.p[0] % b->to.n] ^= 1;
        break;
    case 3:
        whim = bytes.n ? bytes.p[0] : 0;
        break;
    case 4:
        b->core.now.mono_ms += (uint64_t)what * 1000;
        net_wake(b->core.net, &b->core);
        break;
    default:
        break;
    }
    carry();
    deliver(1);
    deliver(0);
    struct net_stats stats;
    net_stats(b->core.net, &stats);
    MUST(stats.queued_bytes <= 2 * NET_QUEUE_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MUST(sodium_init() >= 0);
    whim = 0;
    side_new(&sides[0], 1);
    side_new(&sides[1], 2);
    if (size && data[0] & 1)
        (void)net_connect(sides[0].core.net, &sides[0].core, keys_node(sides[1].core.keys), &sides[1].addr);
    else
        net_accepted(sides[1].core.net, &sides[1].core, 1000, &sides[0].addr);
    for (int i = 0; i < 4; i++) {
        carry();
        deliver(1);
        deliver(0);
    }
    size_t at = 1;
    for (int i = 0; i < STEPS && at + 2 < size; i++) {
        size_t n = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        step(data[at], span(data + at + 2, n));
        at += 2 + n;
    }
    for (int i = 0; i < 2; i++) {
        net_free(sides[i].core.net);
        keys_free(sides[i].core.keys);
        effects_free(&sides[i].fx);
        buf_free(&sides[i].to);
    }
    return 0;
}
