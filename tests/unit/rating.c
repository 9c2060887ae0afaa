// links: market
#include "crypto/record.h"
#include "crypto/sign.h"
#include "node/gossip/place.h"
#include "node/market/engine.h"
#include "node/market/stub.h"
#include "tests/unit/store_help.h"

#define DAY_MS INT64_C(86400000)
static const int64_t now_ms = INT64_C(1800000000000);

struct world {
    struct bench *bench;
    struct network net;
    struct rng rng;
    struct effects fx;
    struct core core;
    struct keypair buyer, seller, arbiter, stranger;
    int funded; /* what the rail says */
};

static struct identity who(const struct keypair *k)
{
    struct identity id;
    memcpy(id.b, k->pk, sizeof id.b);
    return id;
}

static int rail_says(void *arg, struct core *c, const struct record_stub *stub, const struct id *hash,
                     struct span funding, struct report *r)
{
    struct world *w = arg;
    struct id again;
    (void)c;
    stub_hash(&again, &w->net, stub);
    assert_true(id_eq(&again, hash));
    assert_true(span_eq(funding, span("\xa5proof", 6)));
    return w->funded ? report_set(r, w->funded, "the rail says no") : 0;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->bench = bench_new(16 * MIB, 0);
    rng_seed_u64(&w->rng, 7);
    assert_int_equal(network_make(&w->net, "test", 0, 0, true), 0);
    sign_keypair_new(&w->buyer, &w->rng);
    sign_keypair_new(&w->seller, &w->rng);
    sign_keypair_new(&w->arbiter, &w->rng);
    sign_keypair_new(&w->stranger, &w->rng);
    w->core = (struct core){.network = &w->net,
                            .rng = &w->rng,
                            .now = {1000, now_ms},
                            .view = w->bench->view,
                            .fx = &w->fx,
                            .market = market_new(&w->net, &w->rng)};
    market_set_funding_check(w->core.market, rail_says, w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    market_free(w->core.market);
    effects_free(&w->fx);
    bench_free(w->bench);
    free(w);
    return 0;
}

static void sign_as(struct sig *out, const struct keypair *k, const struct id *hash)
{
    sign_hash(out, k->sk, hash);
}

/* A trade's proof on a rail with locks. */
static struct record_stub_proof proof_of(struct world *w, uint8_t trade)
{
    struct record_stub_proof p = {.stub = {.trade = {{trade}},
                                           .buyer = who(&w->buyer),
                                           .seller = who(&w->seller),
                                           .has_arbiter = true,
                                           .arbiter = who(&w->arbiter),
                                           .date = now_ms - now_ms % DAY_MS,
                                           .rail = RECORD_RAIL_CREDIT},
                                  .has_arbiter_sig = true,
                                  .has_funding = true,
                                  .funding = span("\xa5proof", 6)};
    struct id hash;
    stub_hash(&hash, &w->net, &p.stub);
    sign_as(&p.buyer_sig, &w->buyer, &hash);
    sign_as(&p.seller_sig, &w->seller, &hash);
    sign_as(&p.arbiter_sig, &w->arbiter, &hash);
    return p;
}

static struct record_stub_proof direct_proof(struct world *w, uint8_t trade)
{
    struct record_stub_proof p = proof_of(w, trade);
    struct id hash;
    p.stub.rail = RECORD_RAIL_DIRECT;
    p.has_funding = p.has_arbiter_sig = p.stub.has_arbiter = false;
    p.has_paid_sig = p.has_received_sig = true;
    stub_hash(&hash, &w->net, &p.stub);
    sign_as(&p.buyer_sig, &w->buyer, &hash);
    sign_as(&p.seller_sig, &w->seller, &hash);
    stub_paid_hash(&hash, &w->net, &p.stub);
    sign_as(&p.paid_sig, &w->buyer, &hash);
    stub_received_hash(&hash, &w->net, &p.stub);
    sign_as(&p.received_sig, &w->seller, &hash);
    return p;
}

/* Puts a rating into the store as if it had come from a peer. */
static void rated(struct world *w, const struct keypair *author, const struct keypair *subject,
                  uint64_t stars, const struct record_stub_proof *proof, int64_t created)
{
    struct buf body = {0}, bytes = {0};
    struct report r = {0};
    struct arena a;
    struct op op;
    struct record rec;
    struct record_rating m = {.subject = who(subject), .stars = stars, .proof = *proof};
    char topic[72];
    record_rating_encode(&body, &m);
    market_topic_people(topic, &m.subject);
    struct record draft = {.kind = RECORD_RATING,
                           .author = who(author),
                           .topic = span_str(topic),
                           .created = created,
                           .expires = created + 300 * DAY_MS,
                           .body = buf_view(&body)};
    if (record_make(&bytes, &draft, &w->net, author->sk, &r))
        fail_msg("%s", r.text);
    assert_int_equal(record_parse(&rec, buf_view(&bytes), &w->net, &r), 0);
    arena_init(&a, 65536);
    assert_int_equal(record_place(&op, &rec, &w->net, &a, &r), 0);
    put_record(w->bench, &op);
    market_record_stored(w->core.market, &w->core, &rec, 1, false);
    arena_free(&a);
    buf_free(&body);
    buf_free(&bytes);
}

static bool add_stars(void *arg, const struct market_rating *rating)
{
    *(uint64_t *)arg += rating->body.stars;
    return true;
}

static uint64_t stars(struct world *w, const struct keypair *subject, size_t *refused)
{
    uint64_t sum = 0;
    struct identity id = who(subject);
    *refused = market_ratings(w->core.market, &w->core, &id, add_stars, &sum);
    return sum;
}

static void a_rating_of_a_funded_trade_counts(void **state)
{
    struct world *w = *state;
    struct record_stub_proof p = proof_of(w, 1), q = direct_proof(w, 2);
    size_t refused;
    rated(w, &w->buyer, &w->seller, 5, &p, now_ms - 5);
    rated(w, &w->buyer, &w->seller, 3, &q, now_ms - 4);
    rated(w, &w->seller, &w->buyer, 2, &p, now_ms - 3);
    rated(w, &w->seller, &w->arbiter, 4, &p, now_ms - 2);
    assert_int_equal(stars(w, &w->seller, &refused), 8);
    assert_int_equal(refused, 0);
    assert_int_equal(stars(w, &w->buyer, &refused), 2);
    assert_int_equal(stars(w, &w->arbiter, &refused), 4);
    struct identity seller = who(&w->seller);
    struct market_person facts;
    market_person(w->core.market, &w->core, &seller, &facts);
    assert_int_equal(facts.ratings, 2);
    assert_int_equal(facts.stars_sum, 8);
    assert_int_equal(facts.counterparts, 1);
}

static void one_a_trade_author_and_subject_and_the_newest_counts(void **state)
{
    struct world *w = *state;
    struct record_stub_proof p = proof_of(w, 1);
    size_t refused;
    rated(w, &w->buyer, &w->seller, 1, &p, now_ms - 5);
    rated(w, &w->buyer, &w->seller, 4, &p, now_ms - 4);
    rated(w, &w->buyer, &w->seller, 2, &p, now_ms - 6);
    assert_int_equal(stars(w, &w->seller, &refused), 4);
    assert_int_equal(refused, 0);
}

static void without_proof_of_funding_it_is_refused_and_counted(void **state)
{
    struct world *w = *state;
    struct record_stub_proof p = proof_of(w, 1), bare = proof_of(w, 2);
    size_t refused;
    bare.has_funding = false;
    w->funded = SOUK_EINVALID;
    rated(w, &w->buyer, &w->seller, 5, &p, now_ms - 5);
    rated(w, &w->buyer, &w->seller, 5, &bare, now_ms - 5);
    assert_int_equal(stars(w, &w->seller, &refused), 0);
    assert_int_equal(refused, 2);
}

static void what_the_rail_does_not_know_yet_may_count_later(void **state)
{
    struct world *w = *state;
    struct record_stub_proof p = proof_of(w, 1);
    size_t refused;
    w->funded = SOUK_ENOT_FOUND;
    rated(w, &w->buyer, &w->seller, 5, &p, now_ms - 5);
    assert_int_equal(stars(w, &w->seller, &refused), 0);
    assert_int_equal(refused, 1);
    w->funded = 0;
    assert_int_equal(stars(w, &w->seller, &refused), 5);
    assert_int_equal(refused, 0);
}

static void every_signature_is_asked_for(void **state)
{
    struct world *w = *state;
    struct record_stub_proof good = proof_of(w, 1), p;
    struct report r = {0};
    assert_int_equal(stub_proof_check(&w->net, &good, &r), 0);
    struct sig *const sigs[] = {&p.buyer_sig, &p.seller_sig, &p.arbiter_sig};
    for (size_t i = 0; i < 3; i++) {
        p = good;
        sigs[i]->b[3] ^= 1;
        assert_int_equal(stub_proof_check(&w->net, &p, &r), SOUK_ESIGNATURE);
    }
    p = good;
    p.has_arbiter_sig = false;
    assert_int_equal(stub_proof_check(&w->net, &p, &r), SOUK_EMISSING);
    p = good;
    p.stub.date += DAY_MS; /* another trade's signatures */
    assert_int_equal(stub_proof_check(&w->net, &p, &r), SOUK_ESIGNATURE);
    p = good;
    p.stub.seller = p.stub.buyer;
    assert_int_equal(stub_proof_check(&w->net, &p, &r), SOUK_EINVALID);
    good = direct_proof(w, 2);
    assert_int_equal(stub_proof_check(&w->net, &good, &r), 0);
    p = good;
    p.paid_sig = good.received_sig; /* one may not stand for the other */
    assert_int_equal(stub_proof_check(&w->net, &p, &r), SOUK_ESIGNATURE);
    p = good;
    p.has_received_sig = false;
    assert_int_equal(stub_proof_check(&w->net, &p, &r), SOUK_EMISSING);
    struct network other;
    assert_int_equal(network_make(&other, "other", 0, 0, true), 0);
    assert_int_equal(stub_proof_check(&other, &good, &r), SOUK_ESIGNATURE);
}

static void only_the_parties_rate_and_nobody_rates_themselves(void **state)
{
    struct world *w = *state;
    struct record_stub_proof p = proof_of(w, 1);
    size_t refused;
    rated(w, &w->stranger, &w->seller, 5, &p, now_ms - 5);
    rated(w, &w->seller, &w->seller, 5, &p, now_ms - 5);
    rated(w, &w->arbiter, &w->seller, 5, &p, now_ms - 5);
    rated(w, &w->buyer, &w->stranger, 5, &p, now_ms - 5);
    assert_int_equal(stars(w, &w->seller, &refused), 0);
    assert_int_equal(refused, 3);
    assert_int_equal(stars(w, &w->stranger, &refused), 0);
    assert_int_equal(refused, 1);
}

static void rating_is_refused_before_anything_is_published(void **state)
{
    struct world *w = *state;
    struct record_stub_proof p = proof_of(w, 1);
    struct report r = {0};
    struct change *ch = change_new(ROOM_MARKET, 0, 0);
    struct market_rate rate = {
        .author = who(&w->stranger), .subject = who(&w->seller), .stars = 5, .proof = &p};
    assert_int_equal(market_rate(w->core.market, &w->core, &rate, ch, &r), SOUK_ENOT_ALLOWED);
    rated(w, &w->buyer, &w->seller, 5, &p, now_ms - 31 * DAY_MS);
    rate.author = who(&w->buyer);
    assert_int_equal(market_rate(w->core.market, &w->core, &rate, ch, &r), SOUK_ENOT_ALLOWED);
    assert_non_null(strstr(r.text, "30 days"));
    change_free(ch);
}

static void many_ratings_of_others_do_not_keep_one_from_being_remembered(void **state)
{
    struct world *w = *state;
    struct record_stub_proof p = proof_of(w, 1);
    struct map *judged = &w->core.market->judged;
    for (uint32_t i = 0; i < RATINGS_JUDGED_MOST; i++) {
        struct id id = {{0}};
        be32_put(id.b, i);
        map_put(judged, &id, w);
    }
    rated(w, &w->buyer, &w->seller, 5, &p, now_ms - 5);
    size_t refused, before = judged->n;
    assert_true(before && before <= RATINGS_JUDGED_MOST);
    w->funded = SOUK_EINVALID; /* asked again the rail would say no */
    assert_int_equal(stars(w, &w->seller, &refused), 5);
    assert_int_equal(refused, 0);
    assert_int_equal(judged->n, before);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_rating_of_a_funded_trade_counts),
        T(one_a_trade_author_and_subject_and_the_newest_counts),
        T(without_proof_of_funding_it_is_refused_and_counted),
        T(what_the_rail_does_not_know_yet_may_count_later),
        T(every_signature_is_asked_for),
        T(only_the_parties_rate_and_nobody_rates_themselves),
        T(rating_is_refused_before_anything_is_published),
        T(many_ratings_of_others_do_not_keep_one_from_being_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
