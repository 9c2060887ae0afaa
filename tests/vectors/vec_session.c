/* vec_session.c: spec/vectors/session.json: a whole handshake with its frames, and hellos and frames that
 * end or do not end a session (spec/session.md). */
#include "crypto/wire/pack.h"
#include "node/net/session.h"
#include "session.gen.h"
#include "tests/vectors/own.h"

enum { DIALLER = 1, ACCEPTER = 2, OTHER = 3, FRAMES_MOST = 16 };

/* ---- checking ---- */
struct side {
    struct keypair node;
    struct noise noise;
    struct noise_cipher send, receive;
};

static bool side_start(struct side *s, const struct network *net, bool dialler, struct span seed,
                       struct span ephemeral)
{
    uint8_t prologue[PROLOGUE_BYTES], static_sk[32];
    if (seed.n != 32 || ephemeral.n != 32)
        return false;
    sign_keypair_from_seed(&s->node, seed.p);
    xkey_secret_from_sign(static_sk, s->node.sk);
    handshake_prologue(prologue, net);
    noise_start(&s->noise, dialler, span(prologue, sizeof prologue), static_sk, ephemeral.p);
    return true;
}

/* A frame: its length, and the bytes. */
static struct span framed(struct arena *a, struct span bytes)
{
    uint8_t head[2];
    be16_put(head, (uint16_t)bytes.n);
    struct span parts[] = {SPAN_OF(head), bytes};
    return own_joined(a, parts, 2);
}

/* Writes handshake message i by its side, reads it by the other. */
static bool pass(struct side two[2], unsigned i, struct span payload, struct buf *out)
{
    struct buf got = {0};
    bool good = noise_write(&two[i % 2].noise, out, payload) == 0 &&
                noise_read(&two[1 - i % 2].noise, &got, buf_view(out)) == 0 &&
                span_eq(buf_view(&got), payload);
    buf_free(&got);
    return good;
}

static bool one_handshake(struct side two[2], struct span test, struct arena *a)
{
    struct span frames = vec_field(test, "handshake"), hellos = vec_field(test, "hellos");
    for (unsigned i = 0; i < 3; i++) {
        struct buf out = {0}, want = {0}, hello = {0};
        bool good = (i == 0 || vec_hex(vec_item(hellos, 2 - i), &hello)) &&
                    vec_hex(vec_item(frames, i), &want) && pass(two, i, buf_view(&hello), &out) &&
                    span_eq(framed(a, buf_view(&out)), buf_view(&want));
        buf_free(&out);
        buf_free(&want);
        buf_free(&hello);
        if (!good)
            return false;
    }
    return true;
}

static const char *handshake_try(const struct network *net, struct span test, struct arena *a)
{
    struct side two[2];
    struct span seeds = vec_field(test, "node_seeds"), fresh = vec_field(test, "ephemerals");
    for (size_t i = 0; i < 2; i++) {
        struct buf seed = {0}, ephemeral = {0};
        bool good = vec_hex(vec_item(seeds, i), &seed) && vec_hex(vec_item(fresh, i), &ephemeral) &&
                    side_start(&two[i], net, i == 0, buf_view(&seed), buf_view(&ephemeral));
        buf_free(&seed);
        buf_free(&ephemeral);
        if (!good)
            return "form";
    }
    if (!one_handshake(two, test, a))
        return "other: a message of the handshake";
    noise_split(&two[0].noise, &two[0].send, &two[0].receive);
    noise_split(&two[1].noise, &two[1].send, &two[1].receive);
    struct span list = vec_field(test, "frames");
    for (size_t i = 0; i < vec_length(list); i++) {
        struct span frame = vec_item(list, i);
        bool from_dialler = vec_text_is(vec_field(frame, "from"), "dialler");
        struct buf out = {0}, got = {0};
        struct span plain = own_field(frame, "plain", a);
        bool good = noise_encrypt(&two[!from_dialler].send, &out, span(NULL, 0), plain) == 0 &&
                    own_same(frame, "bytes", framed(a, buf_view(&out))) &&
                    noise_decrypt(&two[from_dialler].receive, &got, span(NULL, 0), buf_view(&out)) == 0 &&
                    span_eq(buf_view(&got), plain);
        buf_free(&out);
        buf_free(&got);
        if (!good)
            return "other: a frame";
    }
    return "good";
}

static const char *hello_try(const struct network *net, struct span test, struct arena *a)
{
    struct session_hello hello;
    struct xkey proven;
    struct node_key self, dialled;
    struct span expected = vec_field(test, "dialled");
    (void)net;
    if (!vec_hex_fixed(vec_field(test, "static"), proven.b, sizeof proven.b) ||
        !vec_hex_fixed(vec_field(test, "self"), self.b, sizeof self.b) ||
        (expected.n && !vec_hex_fixed(expected, dialled.b, sizeof dialled.b)))
        return "form";
    return own_class(
        handshake_hello(&hello, own_field(test, "hello", a), &proven, &self, expected.n ? &dialled : NULL));
}

static const char *plain_try(const struct network *net, struct span test, struct arena *a)
{
    unsigned channel, number;
    struct span body;
    (void)net;
    int err = frame_read(own_field(test, "plain", a), &channel, &number, &body);
    if (err)
        return own_class(err);
    if (!own_same_number(test, "channel", channel) || !own_same_number(test, "number", number))
        return "other: channel or number";
    err = channel == 0 ? session_check(number, body, a, NULL) : SOUK_ENOT_FOUND;
    return err == SOUK_ENOT_FOUND ? "unknown" : own_class(err);
}

int vec_session(struct span json, struct vec_result *result)
{
    static const struct own_what whats[] = {
        {"handshake", handshake_try}, {"hello", hello_try}, {"plain", plain_try}};
    return own_run(json, result, whats, sizeof whats / sizeof *whats);
}

/* ---- making ---- */
struct maker {
    struct own_file f;
    struct arena a;
    struct side two[2];
};

static struct span hello_bytes(struct maker *m, uint8_t node, uint64_t least, uint64_t most)
{
    struct session_hello hello = {.least = least, .most = most, .port = 7501};
    struct keypair k;
    struct buf b = {0};
    own_key(&k, node);
    memcpy(hello.node.b, k.pk, 32);
    session_hello_encode(&b, &hello);
    struct span out = arena_copy(&m->a, buf_view(&b));
    buf_free(&b);
    return out;
}

static struct span plain_bytes(struct maker *m, unsigned channel, unsigned number, struct span body)
{
    struct buf b = {0};
    pack_array(&b, 3);
    pack_uint(&b, channel);
    pack_uint(&b, number);
    buf_span(&b, body);
    struct span out = arena_copy(&m->a, buf_view(&b));
    buf_free(&b);
    return out;
}

static void frames(struct maker *m)
{
    static const struct {
        bool dialler;
        unsigned channel, number;
        const char *body;
        size_t n;
    } said[] = {{true, 0, 1, "\x80", 1},
                {false, 0, 2, "\x80", 1},
                {false, 1, 1, "\x82\x00\xc3\x01\x90", 5},
                {true, 1, 1, "\x82\x00\xc3\x01\x90", 5},
                {true, 0, 3,
                 "\x81\x00\xa4"
                 "done",
                 7}};
    buf_printf(m->f.out, ",\n   \"frames\": [");
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct span plain = plain_bytes(m, said[i].channel, said[i].number, span(said[i].body, said[i].n));
        struct buf out = {0};
        MUST(noise_encrypt(&m->two[!said[i].dialler].send, &out, span(NULL, 0), plain) == 0);
        struct span bytes = framed(&m->a, buf_view(&out));
        char *hex[2] = {arena_alloc(&m->a, 2 * plain.n + 1), arena_alloc(&m->a, 2 * bytes.n + 1)};
        buf_printf(m->f.out, "%s\n    {\"from\": \"%s\", \"plain\": \"%s\", \"bytes\": \"%s\"}",
                   i ? "," : "", said[i].dialler ? "dialler" : "accepter",
                   hex_encode(hex[0], plain.p, plain.n), hex_encode(hex[1], bytes.p, bytes.n));
        buf_free(&out);
    }
    buf_printf(m->f.out, "]");
}

static void handshake(struct maker *m)
{
    uint8_t seed[2][32], fresh[2][32];
    struct span seeds[2], ephemerals[2], hellos[2], messages[3];
    for (int i = 0; i < 2; i++) {
        memset(seed[i], i ? ACCEPTER : DIALLER, 32);
        memset(fresh[i], 0xe0 + i, 32);
        seeds[i] = span(seed[i], 32);
        ephemerals[i] = span(fresh[i], 32);
        hellos[i] = hello_bytes(m, i ? ACCEPTER : DIALLER, 1, 1);
        MUST(side_start(&m->two[i], &m->f.net, i == 0, seeds[i], ephemerals[i]));
    }
    for (unsigned i = 0; i < 3; i++) {
        struct buf out = {0};
        MUST(pass(m->two, i, i ? hellos[2 - i] : span(NULL, 0), &out));
        messages[i] = framed(&m->a, buf_view(&out));
        buf_free(&out);
    }
    for (int i = 0; i < 2; i++)
        noise_split(&m->two[i].noise, &m->two[i].send, &m->two[i].receive);
    own_vector(&m->f, "handshake", "good", "three messages, then frames both ways");
    own_list(&m->f, "node_seeds", seeds, 2);
    own_list(&m->f, "ephemerals", ephemerals, 2);
    own_list(&m->f, "hellos", hellos, 2);
    own_list(&m->f, "handshake", messages, 3);
    frames(m);
}

static void hello(struct maker *m, const char *result, const char *shows, struct span bytes, uint8_t proven,
                  uint8_t self, uint8_t dialled)
{
    struct keypair k;
    struct node_key key;
    struct xkey x;
    own_vector(&m->f, "hello", result, shows);
    own_hex(&m->f, "hello", bytes);
    own_key(&k, proven);
    memcpy(key.b, k.pk, 32);
    MUST(xkey_from_node(&x, &key) == 0);
    own_hex(&m->f, "static", SPAN_OF(x));
    own_key(&k, self);
    own_hex(&m->f, "self", SPAN_OF(k.pk));
    if (!dialled)
        return;
    own_key(&k, dialled);
    own_hex(&m->f, "dialled", SPAN_OF(k.pk));
}

static void hellos(struct maker *m)
{
    struct span good = hello_bytes(m, ACCEPTER, 1, 1), more[] = {good, span("\x00", 1)},
                unknown[] = {span("\x86", 1), span(good.p + 1, good.n - 1), span("\x20\xa1x", 3)},
                timed[] = {unknown[0], unknown[1], span("\x05\xce\x6a\xb1\x37\x80", 6)};
    hello(m, "good", "what the dialler hears from the node it dialled", good, ACCEPTER, DIALLER, ACCEPTER);
    hello(m, "good", "what an accepter hears: anybody may come", good, ACCEPTER, DIALLER, 0);
    hello(m, "good", "a range of versions that has 1 in it", hello_bytes(m, ACCEPTER, 1, 9), ACCEPTER,
          DIALLER, 0);
    hello(m, "good", "with the sender's time", own_joined(&m->a, timed, 3), ACCEPTER, DIALLER, 0);
    hello(m, "good", "with a key that is not known", own_joined(&m->a, unknown, 3), ACCEPTER, DIALLER, 0);
    hello(m, "version", "from version 2 on", hello_bytes(m, ACCEPTER, 2, 9), ACCEPTER, DIALLER, 0);
    hello(m, "signature", "a node key that is not behind the static key", good, OTHER, DIALLER, 0);
    hello(m, "refused", "another node than the one dialled", good, ACCEPTER, DIALLER, OTHER);
    hello(m, "refused", "our own key", good, ACCEPTER, ACCEPTER, 0);
    hello(m, "form", "a byte behind the map", own_joined(&m->a, more, 2), ACCEPTER, DIALLER, 0);
    hello(m, "form", "nothing", span(NULL, 0), ACCEPTER, DIALLER, 0);
    struct span odd = own_spoilt(&m->a, good, 4, 0);
    memset((uint8_t *)(uintptr_t)odd.p + 4, 0, 32); /* NOLINT: our own copy */
    hello(m, "signature", "a node key of small order", odd, ACCEPTER, DIALLER, 0);
}

static void plain(struct maker *m, const char *result, const char *shows, struct span bytes)
{
    own_vector(&m->f, "plain", result, shows);
    own_hex(&m->f, "plain", bytes);
}

static void plains(struct maker *m)
{
    plain(m, "good", "ping", plain_bytes(m, 0, 1, span("\x80", 1)));
    own_number(&m->f, "channel", 0);
    own_number(&m->f, "number", 1);
    plain(m, "good", "close, without a reason", plain_bytes(m, 0, 3, span("\x80", 1)));
    plain(m, "unknown", "a number of channel 0 that is not known: ignored",
          plain_bytes(m, 0, 77, span("\xc0", 1)));
    plain(m, "unknown", "a channel that is not known: ignored", plain_bytes(m, 200, 1, span("\xc0", 1)));
    plain(m, "form", "channel 256", plain_bytes(m, 256, 1, span("\x80", 1)));
    plain(m, "form", "a channel in two bytes that fits one", span("\x93\xcc\x00\x01\x80", 5));
    plain(m, "form", "an array of two", span("\x92\x00\x01", 3));
    plain(m, "form", "two bodies", span("\x93\x00\x01\x80\x80", 5));
    plain(m, "form", "a ping with a list for a body", plain_bytes(m, 0, 1, span("\x90", 1)));
    plain(m, "form", "nothing", span(NULL, 0));
    plain(m, "form", "a body nested eight deep, nine with the array",
          plain_bytes(m, 9, 1, span("\x91\x91\x91\x91\x91\x91\x91\x90", 8)));
}

void make_session(struct buf *out)
{
    struct maker m = {0};
    arena_init(&m.a, 4 << 20);
    own_begin(
        &m.f, out, "session",
        "Sessions (spec/session.md). Nodes are Ed25519 keys whose seed is 32 times one byte: 01 the "
        "dialler, 02 the accepter, 03 another. Bytes of the handshake and of frames are as on the wire, "
        "length first. `hello` is judged where the handshake proved the static key `static`, by the "
        "node `self`, which dialled `dialled` if that is there. `plain` is the plaintext of a frame.",
        0, 0);
    handshake(&m);
    hellos(&m);
    plains(&m);
    own_end(&m.f);
    arena_free(&m.a);
}
