// links: gossip
/* What a hostile peer may not do to gossip: a room of one node, fed by hand. */
#include "crypto/blobtree.h"
#include "crypto/sign.h"
#include "crypto/wire/pack.h"
#include "crypto/words.h"
#include "gossip.gen.h"
#include "node/gossip/engine.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "record.gen.h"
#include "store_help.h"
#include <sodium.h>

static struct bench *bench;
static struct network network;
static struct rng rng;
static struct effects fx;
static struct core core;
static const struct node_key peer = {{1, 2, 3}};

static int setup(void **state)
{
    (void)state;
    uint8_t sk[64] = {5};
    assert_int_equal(network_make(&network, "t", 0, 0, true), 0);
    rng_seed_u64(&rng, 4);
    bench = bench_new(16 << 20, 0);
    core = (struct core){.network = &network,
                         .rng = &rng,
                         .now = {1000, INT64_C(1790000000000)},
                         .view = bench->view,
                         .fx = &fx,
                         .keys = keys_new(sk, true),
                         .net = net_new(&(struct net_config){.idle_ms = 1000}, &network, &rng),
                         .gossip = gossip_new(&network, &rng, 0)};
    gossip_session_up(core.gossip, &core, &peer);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gossip_free(core.gossip);
    net_free(core.net);
    keys_free(core.keys);
    effects_free(&fx);
    fx = (struct effects){0};
    bench_free(bench);
    return 0;
}

static int hear(unsigned number, const struct buf *b)
{
    return gossip_message(core.gossip, &core, &peer, CHANNEL_GOSSIP, number, buf_view(b));
}

static void test_asking_about_topics_does_not_make_them(void **state)
{
    (void)state;
    struct gossip_stats s;
    for (int i = 0; i < 500; i++) {
        char name[16];
        struct buf b = {0}, first = {0};
        struct negset *none = negset_new();
        struct neg_set view = negset_view(none);
        struct neg neg;
        neg_init(&neg, &view, GOSSIP_FRAME_BYTES);
        neg_initiate(&neg, &first);
        snprintf(name, sizeof name, "t%d/FR", i);
        struct gossip_reconcile m = {.topic = span_str(name), .round = 1, .message = buf_view(&first)};
        gossip_reconcile_encode(&b, &m);
        assert_int_equal(hear(GOSSIP_RECONCILE, &b), 0);
        neg_free(&neg);
        negset_free(none);
        buf_free(&first);
        buf_free(&b);
    }
    gossip_stats(core.gossip, &s);
    assert_int_equal(s.topics, 0);
}

static void test_records_that_nobody_asked_for_are_on_the_budget(void **state)
{
    (void)state;
    struct gossip_stats s;
    struct span junk[16];
    struct buf b = {0};
    for (int i = 0; i < 16; i++)
        junk[i] = span("\xc1", 1);
    struct gossip_records m = {.records = junk, .records_n = 16};
    gossip_records_encode(&b, &m);
    for (int i = 0; i < GOSSIP_BURST / 16; i++)
        assert_int_equal(hear(GOSSIP_RECORDS, &b), SOUK_EFORM);
    for (int i = 0; i < 10; i++)
        assert_int_equal(hear(GOSSIP_RECORDS, &b), 0); /* not looked at */
    gossip_stats(core.gossip, &s);
    assert_int_equal(s.refused, GOSSIP_BURST);
    core.now.mono_ms += 1000;
    assert_int_equal(hear(GOSSIP_RECORDS, &b), SOUK_EFORM);
    buf_free(&b);
}

/* A profile of pair's, told by the peer and found good by the workers: what the store is asked to do. */
static struct op told_profile(const struct keypair *pair)
{
    struct record draft = {
        .kind = RECORD_PROFILE, .created = core.now.unix_ms, .expires = core.now.unix_ms + 1000000};
    struct buf body = {0}, bytes = {0};
    char topic[RECORD_PEOPLE_BYTES];
    record_profile_encode(&body, &(struct record_profile){.name = span_str("Ann")});
    memcpy(draft.author.b, pair->pk, 32);
    draft.topic = record_topic_people(topic, &draft.author);
    draft.body = buf_view(&body);
    assert_int_equal(record_make(&bytes, &draft, &network, pair->sk, NULL), 0);
    effects_clear(&fx);
    assert_int_equal(gossip_record(core.gossip, &core, &peer, buf_view(&bytes), NULL), 0);
    assert_int_equal(fx.n, 1);
    struct job *job = fx.v[0].job;
    job->done = true;
    gossip_worked(core.gossip, &core, job);
    free(job);
    assert_int_equal(fx.n, 2);
    struct op op = fx.v[1].change->ops[0];
    assert_int_equal(op.kind, OP_RECORD);
    change_free(fx.v[1].change);
    buf_free(&body);
    buf_free(&bytes);
    return op;
}

static void test_what_others_bring_of_ours_is_ours_and_of_the_followed_is_kept_longer(void **state)
{
    (void)state;
    struct identity id;
    struct keypair own, other;
    uint8_t entropy[WORDS_ENTROPY_BYTES], seed[32] = {7};
    char words[256];
    struct change *ch = change_new(0, 0, 0);
    assert_int_equal(keys_create(core.keys, &core, "me", span_str("p"), &id, words, ch, NULL), 0);
    change_free(ch);
    assert_int_equal(words_read(entropy, span_str(words), NULL), 0);
    words_identity(&own, entropy);
    sign_keypair_from_seed(&other, seed);
    struct op op = told_profile(&own);
    assert_true(op.record.own);
    op = told_profile(&other);
    assert_false(op.record.own || op.record.followed);
    uint8_t row[7 + 32] = "follow/"; /* as market_mark writes it */
    memcpy(row + 7, other.pk, 32);
    ch = change_new(0, 0, 0);
    change_put(ch, TABLE_DRAFT, SPAN_OF(row), span("", 0));
    assert_int_equal(once(bench, ch, NULL), OP_STORED);
    core.now.unix_ms++; /* another record */
    op = told_profile(&other);
    assert_true(op.record.followed && !op.record.own);
}

static bool same_set(void *arg, const struct time_chunk *chunk)
{
    struct topic *t = arg;
    for (size_t i = 0; i < chunk->n; i++) {
        struct id id;
        memcpy(id.b, chunk->items.p + i * 40 + 8, sizeof id.b);
        assert_false(negset_add(t->set, be64_get(chunk->items.p + i * 40), &id));
    }
    return true;
}

/* Records in two topics; the room's sets as they are in memory must be the store's after each sweep. */
static void test_the_sets_follow_what_the_store_forgets(void **state)
{
    (void)state;
    struct gossip_stats s;
    struct negset *set[2] = {NULL, NULL};
    static const char *const name[2] = {"bikes/FR", "books/FR"};
    for (uint64_t n = 0; n < 600; n++) {
        struct op op = record_op(n + 1, n, 1, 1, 1000 + (int64_t)n, 2000 + (int64_t)n);
        op.record.topic = span_str(name[n % 3 == 0]);
        assert_int_equal(put_record(bench, &op), OP_STORED);
        gossip_known(core.gossip, op.record.topic, op.record.created, &op.record.id);
    }
    for (int i = 0; i < 2; i++)
        set[i] = gossip_topic(core.gossip, span_str(name[i]), false)->set;
    for (int64_t now = 2000; now < 2600; now += 100) {
        struct change *ch = change_new(0, 0, 0);
        change_expire(ch, now, 1000);
        assert_int_equal(apply_one(bench, ch), 0);
        gossip_left(core.gossip, ch->ops[0].found);
        change_free(ch);
        for (int i = 0; i < 2; i++) {
            struct topic *t = gossip_topic(core.gossip, span_str(name[i]), false);
            assert_ptr_equal(t->set, set[i]); /* not made anew */
            assert_int_equal(negset_count(t->set), topic_ids(bench, name[i]));
            view_topic(core.view, span_str(name[i]), same_set, t);
        }
        gossip_stats(core.gossip, &s);
        assert_int_equal(s.known, topic_ids(bench, name[0]) + topic_ids(bench, name[1]));
    }
}

/* A profile as told by the peer; how it was answered. */
static int tell_profile(const struct keypair *pair, int64_t created)
{
    struct record draft = {.kind = RECORD_PROFILE, .created = created, .expires = created + 1000000};
    struct buf body = {0}, bytes = {0};
    char topic[RECORD_PEOPLE_BYTES];
    record_profile_encode(&body, &(struct record_profile){.name = span_str("Ann")});
    memcpy(draft.author.b, pair->pk, 32);
    draft.topic = record_topic_people(topic, &draft.author);
    draft.body = buf_view(&body);
    assert_int_equal(record_make(&bytes, &draft, &network, pair->sk, NULL), 0);
    int err = gossip_record(core.gossip, &core, &peer, buf_view(&bytes), NULL);
    buf_free(&body);
    buf_free(&bytes);
    return err;
}

static void test_what_lies_before_the_horizon_costs_no_signature_and_is_not_settled(void **state)
{
    (void)state;
    struct keypair other;
    struct gossip_stats s;
    uint8_t seed[32] = {7};
    char name[RECORD_PEOPLE_BYTES];
    sign_keypair_from_seed(&other, seed);
    struct identity who;
    memcpy(who.b, other.pk, 32);
    struct span topic = record_topic_people(name, &who);
    bench->config.known_most = 64;
    bench_reopen(bench);
    core.view = bench->view;
    for (uint64_t n = 0; n < 70; n++) {
        struct op op = record_op(n + 1, n, 1, 1, core.now.unix_ms - 70000 + (int64_t)n * 1000,
                                 core.now.unix_ms + 1000000);
        op.record.topic = topic;
        if (put_record(bench, &op) == OP_STORED)
            gossip_known(core.gossip, topic, op.record.created, &op.record.id);
    }
    struct change *ch = change_new(0, 0, 0);
    change_expire(ch, core.now.unix_ms, 1000);
    assert_int_equal(apply_one(bench, ch), 0);
    gossip_left(core.gossip, ch->ops[0].found);
    change_free(ch);
    struct topic *t = gossip_topic(core.gossip, topic, false);
    assert_true(negset_count(t->set) < 64);
    effects_clear(&fx);
    assert_int_equal(tell_profile(&other, core.now.unix_ms - 69500), SOUK_EQUOTA);
    assert_int_equal(fx.n, 0);
    gossip_stats(core.gossip, &s);
    assert_int_equal(s.beyond, 1);
    assert_int_equal(tell_profile(&other, core.now.unix_ms), 0);
    assert_int_equal(fx.n, 1); /* its signature is looked at */
    struct job *job = fx.v[0].job;
    gossip_worked(core.gossip, &core, job); /* and it is not good: the record goes */
    free(job);
    for (size_t i = 1; i < fx.n; i++)
        if (fx.v[i].kind == FX_COMMIT)
            change_free(fx.v[i].change);
    effects_clear(&fx);
    struct buf first = {0};
    struct neg neg;
    struct neg_set view = negset_view(t->set);
    neg_init(&neg, &view, GOSSIP_FRAME_BYTES);
    neg.since = t->since;
    neg_initiate(&neg, &first);
    assert_int_equal(first.p[1 + 6 + 1 + 32], 0); /* it begins by skipping to there */
    neg_free(&neg);
    buf_free(&first);
}

static bool only_bikes_mean_something(struct span topic)
{
    return topic.n > 6 && memcmp(topic.p, "bikes/", 6) == 0;
}

static void test_invented_topics_do_not_shut_out_others_and_go_with_their_last_record(void **state)
{
    (void)state;
    struct gossip_stats s;
    char name[16];
    gossip_topics_judged_by(core.gossip, only_bikes_mean_something);
    for (unsigned i = 0; i < GOSSIP_STRANGE_MOST + 10; i++) {
        struct id id = id_of(i);
        snprintf(name, sizeof name, "t%u/FR", i);
        assert_int_equal(gossip_carries(core.gossip, span_str(name)), i < GOSSIP_STRANGE_MOST);
        gossip_known(core.gossip, span_str(name), 1000, &id);
    }
    struct op op = record_op(1, 1, 1, 1, 1000, 2000);
    op.record.topic = span_str("t1/FR");
    assert_int_equal(put_record(bench, &op), OP_STORED);
    assert_true(gossip_carries(core.gossip, span_str("bikes/FR"))); /* one with a meaning has a place */
    assert_false(gossip_carries(core.gossip, span_str("more/FR")));
    struct change *ch = change_new(0, 0, 0);
    change_expire(ch, 2000, 1000);
    assert_int_equal(apply_one(bench, ch), 0);
    gossip_left(core.gossip, ch->ops[0].found);
    change_free(ch);
    gossip_stats(core.gossip, &s);
    assert_int_equal(s.topics, GOSSIP_STRANGE_MOST - 1);
    assert_int_equal(s.topics_strange, GOSSIP_STRANGE_MOST - 1);
    assert_null(gossip_topic(core.gossip, span_str("t1/FR"), false));
    assert_true(gossip_carries(core.gossip, span_str("more/FR"))); /* its place is free */
}

static int refuse_blob(struct span bytes, struct report *r)
{
    return report_set(r, SOUK_EINVALID, "%zu bytes", bytes.n);
}

/* A peer gives both chunks of a blob at once.  Returns what the disk was asked for, in order; commits it.
 */
static void give_blob(gossip_blob_judge *judge, uint8_t fill, struct id *root, enum op_kind *asked,
                      size_t *n)
{
    static uint8_t bytes[BLOB_CHUNK_BYTES + 100];
    struct blobtree *t = calloc(1, sizeof *t);
    memset(bytes, fill, sizeof bytes);
    assert_int_equal(blobtree_build(t, &network, SPAN_OF(bytes)), 0);
    blobtree_root(t, root);
    gossip_blobs_judged_by(core.gossip, judge);
    assert_int_equal(gossip_blob_want(core.gossip, &core, root, sizeof bytes, NULL), 0);
    effects_clear(&fx);
    for (uint32_t i = 0; i < 2; i++) {
        struct id proof[BLOB_PROOF_MOST];
        size_t proof_n = 0;
        struct buf b = {0};
        assert_int_equal(blobtree_proof(t, i, proof, &proof_n), 0);
        struct gossip_blob_chunk m = {
            .root = *root, .index = i, .total = sizeof bytes, .proof = proof, .proof_n = proof_n};
        m.bytes = span(bytes + i * BLOB_CHUNK_BYTES, blobtree_chunk_bytes(sizeof bytes, i));
        gossip_blob_chunk_encode(&b, &m);
        assert_int_equal(
            gossip_message(core.gossip, &core, &peer, CHANNEL_BLOB, GOSSIP_BLOB_CHUNK, buf_view(&b)), 0);
        buf_free(&b);
    }
    free(t);
    *n = 0;
    for (size_t i = 0; i < fx.n; i++) {
        struct change *ch = fx.v[i].change;
        if (fx.v[i].kind != FX_COMMIT)
            continue;
        assert_true(*n < 4);
        asked[(*n)++] = ch->ops[0].kind;
        assert_int_equal(apply_one(bench, ch), 0);
        gossip_committed(core.gossip, &core, ch);
        change_free(ch);
    }
    effects_clear(&fx);
}

static void test_a_blob_that_may_not_stay_is_never_whole_on_disk(void **state)
{
    (void)state;
    struct id root;
    enum op_kind asked[4] = {OP_RECORD};
    struct span info;
    uint32_t held;
    size_t n;
    give_blob(NULL, 'a', &root, asked, &n);
    assert_int_equal(n, 2);
    assert_true(view_blob(core.view, &root, &info, &held));
    assert_int_equal(held, 2);
    give_blob(refuse_blob, 'b', &root, asked, &n);
    assert_int_equal(n, 2);
    assert_int_equal(asked[0], OP_CHUNK);
    assert_int_equal(asked[1], OP_BLOB_DROP); /* and not the second chunk first */
    assert_false(view_blob(core.view, &root, &info, &held));
    struct gossip_stats s;
    gossip_stats(core.gossip, &s);
    assert_int_equal(s.blobs_wanted, 0);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(asking_about_topics_does_not_make_them),
        T(the_sets_follow_what_the_store_forgets),
        T(invented_topics_do_not_shut_out_others_and_go_with_their_last_record),
        T(what_lies_before_the_horizon_costs_no_signature_and_is_not_settled),
        T(records_that_nobody_asked_for_are_on_the_budget),
        T(a_blob_that_may_not_stay_is_never_whole_on_disk),
        T(what_others_bring_of_ours_is_ours_and_of_the_followed_is_kept_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
