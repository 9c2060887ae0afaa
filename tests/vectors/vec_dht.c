/* vec_dht.c: spec/vectors/dht.json: ids and puzzles, sealed datagrams, plaintexts, signed values
 * (spec/dht.md). */
#include "datagram.gen.h"
#include "dht/inner.h"
#include "dht/seal.h"
#include "tests/vectors/own.h"
#include "value.gen.h"

enum { ANN = 1 };
static const int64_t noon = 1800000000000;

/* ---- checking ---- */
static const char *node_try(const struct network *net, struct span test, struct arena *a)
{
    struct node_key key;
    struct id id;
    struct span bytes = own_field(test, "key", a);
    if (bytes.n != sizeof key)
        return "form";
    memcpy(key.b, bytes.p, sizeof key);
    dht_id(&id, net, &key);
    if (!own_same(test, "id", SPAN_OF(id)))
        return "other: id";
    return dht_puzzle_ok(net, &key) ? "good" : "work";
}

static const char *datagram_try(const struct network *net, struct span test, struct arena *a)
{
    static const struct addr from = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, 7501};
    struct keypair self;
    struct node_key sender;
    struct buf plain = {0};
    struct rng rng;
    struct span seed = own_field(test, "receiver_seed", a);
    if (seed.n != 32)
        return "form";
    sign_keypair_from_seed(&self, seed.p);
    rng_seed_u64(&rng, 1);
    struct dht_seal *s = dht_seal_new(net, self.sk, &rng, NULL);
    int err = dht_seal_open(s, 1000, &from, own_field(test, "datagram", a), &sender, &plain);
    const char *found = own_class(err);
    if (!err &&
        !(own_same(test, "sender", SPAN_OF(sender)) && own_same(test, "plaintext", buf_view(&plain))))
        found = "other: sender or plaintext";
    dht_seal_free(s);
    buf_free(&plain);
    return found;
}

/* A plaintext: an engine says whether it is a request, and the decoder whether the form of an answer is
 * right, since an answer that nobody asked for is dropped before it is looked at. */
static const char *plaintext_try(const struct network *net, struct span test, struct arena *a)
{
    struct span bytes = own_field(test, "plaintext", a);
    (void)net;
    if (bytes.n < REQUEST_HEAD)
        return "form";
    if (!own_same_number(test, "number", bytes.p[0]) || !own_same(test, "request", span(bytes.p + 1, 8)))
        return "other: number or request";
    int err = datagram_check(bytes.p[0], span(bytes.p + REQUEST_HEAD, bytes.n - REQUEST_HEAD), a, NULL);
    return err == SOUK_ENOT_FOUND ? "unknown" : own_class(err);
}

static const char *value_try(const struct network *net, struct span test, struct arena *a)
{
    struct dht_value v;
    int err =
        dht_value_read(&v, net, vec_number(vec_field(test, "now"), 0), own_field(test, "value", a), true);
    if (err)
        return own_class(err);
    return own_same(test, "key", SPAN_OF(v.key)) && own_same(test, "author", SPAN_OF(v.author)) &&
                   own_same_number(test, "seq", (int64_t)v.seq) && own_same_number(test, "kind", v.kind)
               ? "good"
               : "other: key, author, seq or kind";
}

int vec_dht(struct span json, struct vec_result *result)
{
    static const struct own_what whats[] = {
        {"node", node_try}, {"datagram", datagram_try}, {"plaintext", plaintext_try}, {"value", value_try}};
    return own_run(json, result, whats, sizeof whats / sizeof *whats);
}

/* ---- making ---- */
struct maker {
    struct own_file f;
    struct arena a;
    uint8_t seed[2][32]; /* two nodes whose keys solve the puzzle */
    struct keypair node[2];
    struct node_key key[2];
    struct keypair weak; /* one that does not */
    struct buf body;
};

static void nodes(struct maker *m)
{
    struct id id;
    struct node_key weak;
    memcpy(weak.b, m->weak.pk, 32);
    const struct node_key *keys[] = {&m->key[0], &m->key[1], &weak};
    static const char *const shows[] = {"a node and its id; the puzzle is solved", "another",
                                        "a key that does not solve it"};
    for (int i = 0; i < 3; i++) {
        dht_id(&id, &m->f.net, keys[i]);
        own_vector(&m->f, "node", i == 2 ? "work" : "good", shows[i]);
        own_hex(&m->f, "key", SPAN_OF(*keys[i]));
        own_hex(&m->f, "id", SPAN_OF(id));
    }
}

static struct span sealed(struct maker *m, const struct keypair *from, const struct node_key *to,
                          struct span plain)
{
    struct buf b = {0};
    struct dht_seal *s = dht_seal_new(&m->f.net, from->sk, &m->f.rng, NULL);
    MUST(dht_seal_wrap(s, 1000, to, plain, &b) == 0);
    struct span out = arena_copy(&m->a, buf_view(&b));
    dht_seal_free(s);
    buf_free(&b);
    return out;
}

static void datagram(struct maker *m, const char *result, const char *shows, struct span bytes)
{
    own_vector(&m->f, "datagram", result, shows);
    own_hex(&m->f, "receiver_seed", SPAN_OF(m->seed[1]));
    own_hex(&m->f, "datagram", bytes);
}

/* [number][request id a0 … a7][body], the body being what m->body holds. */
static struct span plain_of(struct maker *m, uint8_t number)
{
    static const uint8_t id[8] = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7};
    struct span parts[] = {span(&number, 1), span(id, 8), buf_view(&m->body)};
    struct span out = own_joined(&m->a, parts, 3);
    buf_clear(&m->body);
    return out;
}

static void datagrams(struct maker *m)
{
    datagram_ping_encode(&m->body, &(struct datagram_ping){.client = false});
    struct span ping = plain_of(m, DATAGRAM_PING), good = sealed(m, &m->node[0], &m->key[1], ping);
    datagram(m, "good", "a ping, as short as it can be", good);
    own_hex(&m->f, "sender", SPAN_OF(m->key[0]));
    own_hex(&m->f, "plaintext", ping);
    uint8_t most[DHT_PLAIN_MOST] = {DATAGRAM_PING};
    datagram(m, "good", "the longest datagram, 1,200 bytes; what it holds is another matter",
             sealed(m, &m->node[0], &m->key[1], span(most, sizeof most)));
    own_hex(&m->f, "plaintext", span(most, sizeof most));
    uint8_t *longer = arena_alloc(&m->a, DHT_DATAGRAM_MOST + 1);
    memcpy(longer, good.p, good.n);
    datagram(m, "form", "1,201 bytes", span(longer, DHT_DATAGRAM_MOST + 1));
    datagram(m, "form", "77 bytes: nothing inside", span(good.p, 77));
    datagram(m, "form", "version 2", own_spoilt(&m->a, good, 0, 3));
    datagram(m, "form", "a hint that is not ours", own_spoilt(&m->a, good, 1, 1));
    struct span mine = own_spoilt(&m->a, good, 0, 0);
    memcpy((uint8_t *)(uintptr_t)mine.p + 5, m->key[1].b, 32); /* NOLINT: our own copy */
    datagram(m, "form", "it says to come from ourselves", mine);
    datagram(m, "work", "a sender whose key does not solve the puzzle",
             sealed(m, &m->weak, &m->key[1], ping));
    datagram(m, "signature", "a bit of the nonce changed", own_spoilt(&m->a, good, 37, 1));
    datagram(m, "signature", "its last bit changed", own_spoilt(&m->a, good, -1, 1));
    struct span theirs = sealed(m, &m->node[0], &m->key[0], ping),
                parts[] = {span(good.p, 5), span(theirs.p + 5, theirs.n - 5)};
    datagram(m, "signature", "sealed for another node, with our hint", own_joined(&m->a, parts, 2));
}

static struct span value_of(struct maker *m, const struct dht_value *v, const struct keypair *by);
static void plaintext(struct maker *m, const char *result, const char *shows, struct span bytes)
{
    own_vector(&m->f, "plaintext", result, shows);
    own_hex(&m->f, "plaintext", bytes);
    if (strcmp(result, "good") != 0)
        return;
    own_number(&m->f, "number", bytes.p[0]);
    own_hex(&m->f, "request", span(bytes.p + 1, 8));
}

static void requests(struct maker *m)
{
    static const uint8_t pad[856], token[8] = {1, 2, 3, 4, 5, 6, 7, 8}, ticket[16] = {9};
    struct id target;
    memset(target.b, 0x7a, 32);
    datagram_ping_encode(&m->body, &(struct datagram_ping){.has_client = true, .client = true});
    plaintext(m, "good", "ping, by a client: not to be pinged back", plain_of(m, DATAGRAM_PING));
    datagram_find_node_encode(&m->body, &(struct datagram_find_node){.target = target,
                                                                     .family = DATAGRAM_FAMILY_IPV4,
                                                                     .has_pad = true,
                                                                     .pad = SPAN_OF(pad)});
    plaintext(m, "good", "find_node, padded for 20 nodes of IPv4 in the answer",
              plain_of(m, DATAGRAM_FIND_NODE));
    datagram_get_encode(
        &m->body, &(struct datagram_get){.target = target, .family = DATAGRAM_FAMILY_IPV6, .kind = 1});
    plaintext(m, "good", "get of a presence", plain_of(m, DATAGRAM_GET));
    struct dht_value pointer = {.kind = DHT_POINTER, .seq = 5, .expires_s = (uint64_t)noon / 1000 + 86400};
    memcpy(pointer.author, m->node[0].pk, 32);
    struct span value = value_of(m, &pointer, &m->node[0]);
    datagram_put_encode(&m->body, &(struct datagram_put){.token = SPAN_OF(token),
                                                         .value = value,
                                                         .has_expected = true,
                                                         .expected = 4,
                                                         .has_ticket = true,
                                                         .ticket = SPAN_OF(ticket)});
    plaintext(m, "good", "put: only if seq 4 is held; with the ticket of an earlier wait",
              plain_of(m, DATAGRAM_PUT));
    datagram_announce_encode(&m->body,
                             &(struct datagram_announce){.token = SPAN_OF(token), .value = value});
    plaintext(m, "good", "announce: well formed, although what it carries is no provider record",
              plain_of(m, DATAGRAM_ANNOUNCE));
    datagram_providers_encode(
        &m->body, &(struct datagram_providers){.target = target, .family = DATAGRAM_FAMILY_IPV4});
    plaintext(m, "good", "providers", plain_of(m, DATAGRAM_PROVIDERS));
    datagram_leave_encode(&m->body, &(struct datagram_leave){.has_pad = true, .pad = span(pad, 32)});
    plaintext(m, "good", "leave: no answer is due", plain_of(m, DATAGRAM_LEAVE));
}

static void answers(struct maker *m)
{
    static const uint8_t seen[18] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7, 0x1d, 0x4d};
    static const uint8_t token[8] = {1, 2, 3, 4, 5, 6, 7, 8}, ticket[16] = {9};
    uint8_t node[38];
    memcpy(node, m->key[0].b, 32);
    memcpy(node + 32, seen + 12, 6);
    datagram_pong_encode(&m->body, &(struct datagram_pong){.seen = SPAN_OF(seen)});
    plaintext(m, "good", "pong: your request came from 192.0.2.7:7501", plain_of(m, DATAGRAM_PONG));
    struct datagram_nodes nodes = {.seen = SPAN_OF(seen),
                                   .has_proven = true,
                                   .proven = true,
                                   .token = SPAN_OF(token),
                                   .has_ipv4 = true,
                                   .ipv4 = SPAN_OF(node)};
    datagram_nodes_encode(&m->body, &nodes);
    plaintext(m, "good", "nodes: one of IPv4", plain_of(m, DATAGRAM_NODES));
    struct dht_value pointer = {.kind = DHT_POINTER, .seq = 5, .expires_s = (uint64_t)noon / 1000 + 86400};
    memcpy(pointer.author, m->node[0].pk, 32);
    struct span held = value_of(m, &pointer, &m->node[0]);
    datagram_value_encode(
        &m->body, &(struct datagram_value){.seen = SPAN_OF(seen), .token = SPAN_OF(token), .value = held});
    plaintext(m, "good", "value", plain_of(m, DATAGRAM_VALUE));
    datagram_records_encode(
        &m->body,
        &(struct datagram_records){
            .seen = SPAN_OF(seen), .token = SPAN_OF(token), .values = &held, .values_n = 1, .held = 12});
    plaintext(m, "good", "records: one of twelve; whether it is a provider record is judged after the form",
              plain_of(m, DATAGRAM_RECORDS));
    datagram_stored_encode(&m->body, &(struct datagram_stored){.seen = SPAN_OF(seen), .life_s = 7200});
    plaintext(m, "good", "stored, for two hours", plain_of(m, DATAGRAM_STORED));
    datagram_error_encode(&m->body, &(struct datagram_error){.code = 12,
                                                             .has_wait_ms = true,
                                                             .wait_ms = 30000,
                                                             .has_ticket = true,
                                                             .ticket = SPAN_OF(ticket)});
    plaintext(m, "good", "error quota: again in 30 seconds, with this ticket", plain_of(m, DATAGRAM_ERROR));
    datagram_error_encode(&m->body, &(struct datagram_error){.code = 11, .has_seq = true, .seq = 6});
    plaintext(m, "good", "error stale: seq 6 is held", plain_of(m, DATAGRAM_ERROR));
    buf_append(&m->body, "\x80", 1);
    plaintext(m, "form", "pong without the address seen", plain_of(m, DATAGRAM_PONG));
    buf_append(&m->body, "\x80", 1);
    plaintext(m, "unknown", "a number that stands for nothing: dropped", plain_of(m, 9));
    buf_append(&m->body, "\x81\x00\xc2\x00", 4);
    plaintext(m, "form", "a byte behind the map", plain_of(m, DATAGRAM_PING));
    buf_append(&m->body, "\x81\x07\xa1x", 4);
    plaintext(m, "good", "a key that is not known: stepped over", plain_of(m, DATAGRAM_PING));
    plaintext(m, "form", "eight bytes: no room for a request id", span(token, 8));
}

/* ---- values ---- */
static void sign_as(void *arg, const struct id *hash, struct sig *out)
{
    const struct keypair *k = arg;
    sign_hash(out, k->sk, hash);
}

static struct span value_of(struct maker *m, const struct dht_value *v, const struct keypair *by)
{
    struct buf b = {0};
    struct keypair k = *by;
    MUST(dht_value_make(&b, &m->f.net, v, sign_as, &k) == 0);
    struct span out = arena_copy(&m->a, buf_view(&b));
    buf_free(&b);
    return out;
}

static void value(struct maker *m, const char *result, const char *shows, struct span bytes, int64_t now)
{
    struct dht_value v;
    own_vector(&m->f, "value", result, shows);
    own_number(&m->f, "now", now);
    own_hex(&m->f, "value", bytes);
    if (strcmp(result, "good") != 0)
        return;
    MUST(dht_value_read(&v, &m->f.net, now, bytes, true) == 0);
    own_hex(&m->f, "key", SPAN_OF(v.key));
    own_hex(&m->f, "author", SPAN_OF(v.author));
    own_number(&m->f, "kind", v.kind);
    own_number(&m->f, "seq", (int64_t)v.seq);
}

static void values(struct maker *m)
{
    struct keypair ann;
    struct addr addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7}, 7501};
    uint64_t day = 86400, now_s = (uint64_t)noon / 1000;
    own_key(&ann, ANN);
    struct dht_value presence = {.kind = DHT_PRESENCE, .seq = (uint64_t)noon, .expires_s = now_s + day};
    memcpy(presence.author, ann.pk, 32);
    presence.mailboxes[0] = (struct dht_mailbox){m->key[0], addr};
    presence.mailboxes[1].node = m->key[1];
    presence.mailboxes_n = 2;
    value(m, "good", "a presence: two mailboxes, of one the address too", value_of(m, &presence, &ann),
          noon);
    presence.mailboxes_n = 0;
    value(m, "good", "a presence of somebody who has none", value_of(m, &presence, &ann), noon);
    struct dht_value provider = {.kind = DHT_PROVIDER, .seq = 1, .expires_s = now_s + day, .addr = addr};
    memcpy(provider.author, m->node[0].pk, 32);
    memset(provider.topic.b, 0x70, 32);
    value(m, "good", "a provider: a node carries a topic", value_of(m, &provider, &m->node[0]), noon);
    uint8_t body[DHT_POINTER_BODY_MOST];
    memset(body, 0xbb, sizeof body);
    struct dht_value pointer = {
        .kind = DHT_POINTER, .seq = INT64_MAX, .expires_s = now_s + day, .body = SPAN_OF(body)};
    memcpy(pointer.author, ann.pk, 32);
    memset(pointer.salt.b, 0x5a, 16);
    struct span good = value_of(m, &pointer, &ann), more[] = {good, span("\0", 1)};
    value(m, "good", "a pointer with the longest body and the highest seq", good, noon);
    value(m, "good", "ten minutes late: clocks differ", good, noon + ((int64_t)day + 600) * 1000);
    value(m, "time", "a second later", good, noon + ((int64_t)day + 601) * 1000);
    value(m, "good", "eight days and ten minutes ahead", good, noon + ((int64_t)day * -7 - 600) * 1000);
    value(m, "time", "and a second more", good, noon + ((int64_t)day * -7 - 601) * 1000);
    value(m, "signature", "a bit of the body changed", own_spoilt(&m->a, good, -70, 1), noon);
    value(m, "signature", "a bit of the signature changed", own_spoilt(&m->a, good, -1, 1), noon);
    value(m, "form", "a byte more", own_joined(&m->a, more, 2), noon);
    value(m, "form", "called a presence", own_spoilt(&m->a, good, 0, DHT_POINTER ^ DHT_PRESENCE), noon);
    value(m, "form", "a kind that is none", own_spoilt(&m->a, good, 0, DHT_POINTER ^ 9), noon);
    value(m, "form", "nothing but a signature", span(good.p, 65), noon);
    value(m, "signature", "a presence signed by somebody else", value_of(m, &presence, &m->node[0]), noon);
    uint8_t *large = arena_alloc(&m->a, 1001);
    memcpy(large, good.p, good.n);
    value(m, "form", "1,001 bytes", span(large, 1001), noon);
}

void make_dht(struct buf *out)
{
    struct maker m = {0};
    uint8_t seed[32] = {0};
    struct node_key key;
    arena_init(&m.a, 4 << 20);
    own_begin(
        &m.f, out, "dht",
        "The DHT (spec/dht.md). `receiver_seed` is the Ed25519 seed of the receiving node. Plaintexts are "
        "[number][request id][map]; `value` is judged at `now`, unix ms.",
        0, 4);
    for (int i = 0; i < 2; i++) {
        dht_key_grind(m.seed[i], &m.key[i], &m.f.net, &m.f.rng);
        sign_keypair_from_seed(&m.node[i], m.seed[i]);
    }
    do {
        seed[0]++;
        sign_keypair_from_seed(&m.weak, seed);
        memcpy(key.b, m.weak.pk, 32);
    } while (dht_puzzle_ok(&m.f.net, &key));
    nodes(&m);
    datagrams(&m);
    requests(&m);
    answers(&m);
    values(&m);
    own_end(&m.f);
    buf_free(&m.body);
    arena_free(&m.a);
}
