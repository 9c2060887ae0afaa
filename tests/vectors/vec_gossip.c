/* vec_gossip.c: spec/vectors/gossip.json: what is said on channels 1 and 2, and chunks of photos
 * (spec/gossip.md; spec/crypto.md, section 11). */
#include "crypto/blobtree.h"
#include "gossip.gen.h"
#include "tests/vectors/own.h"
#include <stdlib.h>

/* ---- checking ---- */
static const char *message_try(const struct network *net, struct span test, struct arena *a)
{
    (void)net;
    int err = gossip_check((unsigned)vec_number(vec_field(test, "number"), 0), own_field(test, "body", a),
                           a, NULL);
    return err == SOUK_ENOT_FOUND ? "unknown" : own_class(err);
}

static const char *chunk_try(const struct network *net, struct span test, struct arena *a)
{
    struct id root;
    if (!vec_hex_fixed(vec_field(test, "root"), root.b, sizeof root.b))
        return "form";
    return own_class(blobtree_check(net, &root, (uint64_t)vec_number(vec_field(test, "total"), 0),
                                    (uint32_t)vec_number(vec_field(test, "index"), 0),
                                    own_field(test, "bytes", a), own_field(test, "proof", a)));
}

int vec_gossip(struct span json, struct vec_result *result)
{
    static const struct own_what whats[] = {{"message", message_try}, {"chunk", chunk_try}};
    return own_run(json, result, whats, sizeof whats / sizeof *whats);
}

/* ---- making ---- */
struct maker {
    struct own_file f;
    struct buf body;
};

static void message(struct maker *m, const char *result, const char *shows, int64_t channel, int64_t number)
{
    own_vector(&m->f, "message", result, shows);
    own_number(&m->f, "channel", channel);
    own_number(&m->f, "number", number);
    own_hex(&m->f, "body", buf_view(&m->body));
    buf_clear(&m->body);
}

static void records(struct maker *m)
{
    static const struct span topics[] = {{(const uint8_t *)"bikes/FR", 8},
                                         {(const uint8_t *)"people/8a", 9}};
    static const struct span bytes[] = {{(const uint8_t *)"\x99\x01", 2}};
    struct id ids[2];
    memset(ids[0].b, 1, 32);
    memset(ids[1].b, 2, 32);
    gossip_topics_encode(&m->body, &(struct gossip_topics){.all = true});
    message(m, "good", "I carry everything", 1, GOSSIP_TOPICS);
    gossip_topics_encode(&m->body, &(struct gossip_topics){.topics = topics, .topics_n = 2});
    message(m, "good", "I carry two topics", 1, GOSSIP_TOPICS);
    gossip_push_encode(
        &m->body, &(struct gossip_push){.records = bytes, .records_n = 1, .has_stem = true, .stem = true});
    message(m, "good", "a push on its stem; the record in it is not one, and judged by itself", 1,
            GOSSIP_PUSH);
    gossip_have_encode(&m->body, &(struct gossip_have){.ids = ids, .ids_n = 2});
    message(m, "good", "I have two ids", 1, GOSSIP_HAVE);
    gossip_want_encode(&m->body, &(struct gossip_want){.ids = ids, .ids_n = 1});
    message(m, "good", "I want one of them", 1, GOSSIP_WANT);
    gossip_records_encode(&m->body,
                          &(struct gossip_records){.has_missing = true, .missing = ids, .missing_n = 1});
    message(m, "good", "its id is known here, and it is not kept", 1, GOSSIP_RECORDS);
    gossip_reconcile_encode(&m->body,
                            &(struct gossip_reconcile){.topic = span_str("bikes/FR"),
                                                       .round = 7,
                                                       .message = span("\x61\x00\x00\x02\x00", 5)});
    message(m, "good", "a round begins: an empty set", 1, GOSSIP_RECONCILE);
    gossip_ask_subject_encode(&m->body, &(struct gossip_ask_subject){.subject = ids[0], .kind = 8});
    message(m, "good", "prekeys of somebody", 1, GOSSIP_ASK_SUBJECT);
    message(m, "form", "an empty body", 1, GOSSIP_HAVE);
    buf_append(&m->body, "\x81\x00\x90", 3);
    message(m, "form", "no ids at all: at least one", 1, GOSSIP_HAVE);
    buf_append(&m->body, "\x81\x00\xdd\x0f\xff\xff\xff", 7);
    message(m, "form", "2^28 ids announced, none there", 1, GOSSIP_HAVE);
    buf_append(&m->body, "\x80", 1);
    message(m, "unknown", "a number that is not known: ignored", 1, 99);
}

static void blobs(struct maker *m)
{
    struct id root;
    memset(root.b, 0xb1, 32);
    gossip_blob_ask_encode(&m->body, &(struct gossip_blob_ask){.root = root, .first = 4, .count = 4});
    message(m, "good", "four chunks from the fifth on", 2, GOSSIP_BLOB_ASK);
    gossip_blob_none_encode(&m->body, &(struct gossip_blob_none){.root = root});
    message(m, "good", "not here", 2, GOSSIP_BLOB_NONE);
    gossip_blob_chunk_encode(
        &m->body,
        &(struct gossip_blob_chunk){.root = root, .index = 1, .total = 32773, .bytes = span_str("12345")});
    message(m, "good", "a chunk, by its form", 2, GOSSIP_BLOB_CHUNK);
}

struct chunk {
    struct id root;
    uint64_t total;
    uint32_t index;
    struct span bytes, proof;
};

static void chunk(struct maker *m, const char *result, const char *shows, struct chunk c)
{
    own_vector(&m->f, "chunk", result, shows);
    own_hex(&m->f, "root", SPAN_OF(c.root));
    own_number(&m->f, "total", (int64_t)c.total);
    own_number(&m->f, "index", c.index);
    own_hex(&m->f, "bytes", c.bytes);
    own_hex(&m->f, "proof", c.proof);
}

static void chunks(struct maker *m)
{
    enum { BYTES = BLOB_CHUNK_BYTES + 5 };
    struct blobtree *t = xcalloc(1, sizeof *t);
    uint8_t *bytes = xcalloc(1, BYTES);
    struct id proof[BLOB_PROOF_MOST] = {{{0}}};
    struct chunk good = {.total = BYTES, .index = 1}, bad, small = {.total = 5};
    size_t n;
    memcpy(bytes + BLOB_CHUNK_BYTES, "abcde", 5);
    MUST(blobtree_build(t, &m->f.net, span(bytes, BYTES)) == 0 && blobtree_proof(t, 1, proof, &n) == 0);
    blobtree_root(t, &good.root);
    good.bytes = span(bytes + BLOB_CHUNK_BYTES, 5);
    good.proof = span(proof, n * sizeof *proof);
    chunk(m, "good", "the second chunk of 32,768 zeros and `abcde`", good);
    bad = good;
    bad.bytes = span_str("abcdf");
    chunk(m, "signature", "a byte changed", bad);
    bad = good;
    bad.bytes = span_str("abcd");
    chunk(m, "form", "a byte less", bad);
    bad = good;
    bad.total++;
    chunk(m, "form", "the size of the whole changed: then this chunk is too short", bad);
    bad = good;
    bad.index = 2;
    chunk(m, "form", "a chunk that there is not", bad);
    bad = good;
    bad.proof = span(proof, 2 * sizeof *proof);
    chunk(m, "form", "a hash too many", bad);
    bad.proof = span(NULL, 0);
    chunk(m, "form", "no proof", bad);
    bad = good;
    bad.root.b[0] ^= 1;
    chunk(m, "signature", "of another root", bad);
    MUST(blobtree_build(t, &m->f.net, span_str("abcde")) == 0);
    blobtree_root(t, &small.root);
    small.bytes = span_str("abcde");
    chunk(m, "good", "a blob of one chunk needs no proof", small);
    small.total = BYTES;
    small.index = 1;
    chunk(m, "form", "the same five bytes, said to be the second of two", small);
    free(t);
    free(bytes);
}

void make_gossip(struct buf *out)
{
    struct maker m = {0};
    own_begin(
        &m.f, out, "gossip",
        "Channels 1 and 2 of a session (spec/gossip.md): bodies of messages by their form, and single "
        "chunks of blobs judged against the root (spec/crypto.md, section 11).",
        0, 0);
    records(&m);
    blobs(&m);
    chunks(&m);
    own_end(&m.f);
    buf_free(&m.body);
}
