/* vec_records.c: spec/vectors/records.json: a record of every kind, and what is refused (spec/crypto.md,
 * sections 4 to 6; spec/market.md). */
#include "crypto/hash.h"
#include "crypto/record.h"
#include "crypto/wire/pack.h"
#include "crypto/work.h"
#include "node/gossip/place.h"
#include "node/market/stub.h"
#include "record.gen.h"
#include "tests/vectors/own.h"

enum { ANN = 1, BEN, ARBITER, ISSUER, RECOVERY, NODE };
static const int64_t noon = 1800000000000, day = 86400000;

struct maker {
    struct own_file f;
    struct arena a;
    struct buf record; /* the last one made, good */
};

/* ---- checking ---- */
static const char *record_try(const struct network *net, struct span test, struct arena *a)
{
    struct record rec;
    struct op op;
    int err = record_parse(&rec, own_field(test, "bytes", a), net, NULL);
    if (!err && !record_verify(&rec))
        err = SOUK_ESIGNATURE;
    if (err)
        return own_class(err);
    if (!own_same(test, "id", SPAN_OF(rec.id)) || !own_same_number(test, "kind", rec.kind) ||
        !own_same(test, "author", SPAN_OF(rec.author)))
        return "other: id, kind or author";
    err = record_place(&op, &rec, net, a, NULL);
    if (err)
        return err == SOUK_ENOT_FOUND ? "unknown" : "body";
    return own_same(test, "slot", SPAN_OF(op.record.slot)) ? "good" : "other: slot";
}

static const char *stub_try(const struct network *net, struct span test, struct arena *a)
{
    struct record_stub stub;
    struct id hash[3];
    int err = record_stub_decode(&stub, own_field(test, "bytes", a), a, NULL);
    if (err)
        return own_class(err);
    stub_hash(&hash[0], net, &stub);
    stub_paid_hash(&hash[1], net, &stub);
    stub_received_hash(&hash[2], net, &stub);
    return own_same(test, "stub", SPAN_OF(hash[0])) && own_same(test, "paid", SPAN_OF(hash[1])) &&
                   own_same(test, "received", SPAN_OF(hash[2]))
               ? "good"
               : "other: a hash";
}

static const char *proof_try(const struct network *net, struct span test, struct arena *a)
{
    struct record_stub_proof proof;
    int err = record_stub_proof_decode(&proof, own_field(test, "bytes", a), a, NULL);
    if (err)
        return own_class(err);
    err = stub_proof_check(net, &proof, NULL);
    return err == SOUK_EMISSING ? "rule" : own_class(err);
}

int vec_records(struct span json, struct vec_result *result)
{
    static const struct own_what whats[] = {
        {"record", record_try}, {"stub", stub_try}, {"stub_proof", proof_try}};
    return own_run(json, result, whats, sizeof whats / sizeof *whats);
}

/* ---- making ---- */
static void one(struct maker *m, const char *result, const char *shows, struct span bytes)
{
    own_vector(&m->f, "record", result, shows);
    own_hex(&m->f, "bytes", bytes);
}

/* Signs a body by Ann; the record stays in m->record. */
static void record_of(struct maker *m, uint8_t kind, const char *topic, int64_t life, struct span body)
{
    struct keypair ann;
    own_key(&ann, ANN);
    struct record draft = {
        .kind = kind, .topic = span_str(topic), .created = noon, .expires = noon + life, .body = body};
    own_identity(&draft.author, ANN);
    buf_clear(&m->record);
    MUST(record_make(&m->record, &draft, &m->f.net, ann.sk, NULL) == 0);
}

static void good(struct maker *m, uint8_t kind, const char *topic, const char *shows, struct buf *body)
{
    struct record rec;
    struct op op;
    record_of(m, kind, topic, 30 * day, buf_view(body));
    one(m, "good", shows, buf_view(&m->record));
    MUST(record_parse(&rec, buf_view(&m->record), &m->f.net, NULL) == 0);
    own_hex(&m->f, "id", SPAN_OF(rec.id));
    own_hex(&m->f, "author", SPAN_OF(rec.author));
    own_number(&m->f, "kind", kind);
    MUST(record_place(&op, &rec, &m->f.net, &m->a, NULL) == 0);
    if (op.record.has_slot)
        own_hex(&m->f, "slot", SPAN_OF(op.record.slot));
    buf_free(body);
}

static const struct currency eur = {{'E', 'U', 'R'}};

static struct record_listing bicycle(void)
{
    static const struct record_delivery delivery[] = {{.mode = RECORD_DELIVERY_MODE_MEET}};
    static const enum record_rail rails[] = {RECORD_RAIL_DIRECT};
    struct record_listing l = {.type = RECORD_LISTING_TYPE_GOODS,
                               .title = span_str("Vélo enfant 20 pouces"),
                               .description = span_str("Peu servi, révisé.\nVisible à Lyon."),
                               .language = span_str("fr"),
                               .category = span_str("bikes/kids"),
                               .has_condition = true,
                               .condition = RECORD_CONDITION_GOOD,
                               .price = {4500, eur},
                               .open_to_offers = true,
                               .quantity = 1,
                               .has_place = true,
                               .place = span_str("u05kq"),
                               .region = span_str("FR"),
                               .delivery = delivery,
                               .delivery_n = 1,
                               .rails = rails,
                               .rails_n = 1};
    memset(l.slot.b, 0x51, sizeof l.slot.b);
    return l;
}

static void stub_sign(struct sig *out, uint8_t seed, const struct id *hash)
{
    struct keypair k;
    own_key(&k, seed);
    sign_hash(out, k.sk, hash);
}

/* Ann bought of Ben on the direct rail, with an arbiter. */
static struct record_stub_proof direct_proof(const struct network *net)
{
    struct record_stub_proof p = {.has_arbiter_sig = true, .has_paid_sig = true, .has_received_sig = true};
    struct id hash;
    memset(p.stub.trade.b, 0x77, 32);
    memset(p.stub.listing.b, 0x88, 32);
    own_identity(&p.stub.buyer, ANN);
    own_identity(&p.stub.seller, BEN);
    own_identity(&p.stub.arbiter, ARBITER);
    p.stub.has_arbiter = true;
    p.stub.date = noon - noon % day;
    p.stub.rail = RECORD_RAIL_DIRECT;
    stub_hash(&hash, net, &p.stub);
    stub_sign(&p.buyer_sig, ANN, &hash);
    stub_sign(&p.seller_sig, BEN, &hash);
    stub_sign(&p.arbiter_sig, ARBITER, &hash);
    stub_paid_hash(&hash, net, &p.stub);
    stub_sign(&p.paid_sig, ANN, &hash);
    stub_received_hash(&hash, net, &p.stub);
    stub_sign(&p.received_sig, BEN, &hash);
    return p;
}

static void people(struct maker *m)
{
    struct buf b = {0};
    struct record_profile profile = {.name = span_str("Ann"),
                                     .has_about = true,
                                     .about = span_str("Je vends ce que mes enfants ne portent plus."),
                                     .has_recovery = true};
    struct keypair recovery;
    own_key(&recovery, RECOVERY);
    hash_souk_one(&profile.recovery, &m->f.net, "souk:recovery", SPAN_OF(recovery.pk));
    record_profile_encode(&b, &profile);
    good(m, RECORD_PROFILE, "people/8a", "a profile; its slot is zero, as of every kind without one", &b);
    struct span languages[] = {span_str("fr"), span_str("en")};
    record_arbiter_encode(&b, &(struct record_arbiter){.fee_bp = 250,
                                                       .languages = languages,
                                                       .languages_n = 2,
                                                       .delay_ms = 3 * 86400000,
                                                       .by_rule = true});
    good(m, RECORD_ARBITER, "people/8a", "the terms of an arbiter", &b);
    struct record_prekey_week weeks[] = {{.id = 2976, .from = 2976 * 7 * day, .until = 2977 * 7 * day},
                                         {.id = 2977, .from = 2977 * 7 * day, .until = 2978 * 7 * day}};
    memset(weeks[0].key.b, 0x09, 32);
    memset(weeks[1].key.b, 0x0a, 32);
    record_prekey_encode(&b, &(struct record_prekey){.keys = weeks, .keys_n = 2});
    good(m, RECORD_PREKEY, "people/8a", "prekeys of two weeks, numbered from 1 January 1970", &b);
    struct identity who[2];
    own_identity(&who[0], BEN);
    own_identity(&who[1], ARBITER);
    record_list_encode(&b, &(struct record_list){.class = span_str("follow"),
                                                 .name = span_str("amis"),
                                                 .has_people = true,
                                                 .people = who,
                                                 .people_n = 2});
    good(m, RECORD_LIST, "people/8a", "a list; its slot is of class and name", &b);
    struct record_revocation gone = {0};
    own_identity(&gone.recovery, RECOVERY);
    record_revocation_encode(&b, &gone);
    good(m, RECORD_REVOCATION, "people/8a",
         "a revocation: kept and passed on; what its sig covers is not yet fixed", &b);
}

static void goods(struct maker *m)
{
    struct buf b = {0};
    struct record_listing l = bicycle();
    record_listing_encode(&b, &l);
    good(m, RECORD_LISTING, "bikes/FR", "a listing; its slot stands in the body", &b);
    record_withdrawal_encode(
        &b, &(struct record_withdrawal){
                .kind = RECORD_LISTING, .slot = l.slot, .has_reason = true, .reason = span_str("vendu")});
    good(m, RECORD_WITHDRAWAL, "bikes/FR", "its withdrawal stands in the slot of what it takes back", &b);
    struct record_rating rating = {.stars = 5, .has_words = true, .words = span_str("Rapide et aimable.")};
    own_identity(&rating.subject, BEN);
    rating.proof = direct_proof(&m->f.net);
    record_rating_encode(&b, &rating);
    good(m, RECORD_RATING, "people/81", "a rating; its slot is of trade, subject and 0: no answer", &b);
}

static void credit(struct maker *m)
{
    struct buf b = {0}, head = {0};
    struct record_issuer issuer = {
        .name = span_str("Grains de sel"), .code = span_str("GRN"), .decimals = 0};
    memset(issuer.node.b, 0x0d, 32);
    own_identity(&issuer.key, ISSUER);
    record_issuer_encode(&b, &issuer);
    good(m, RECORD_ISSUER, "people/8a", "a ledger of credit", &b);
    record_head_encode(&b, &(struct record_head){.size = 3, .time = noon});
    good(m, RECORD_HEAD, "people/8a", "a head, whose own signature is the affair of the ledger's chapter",
         &b);
    pack_map(&head, 0);
    struct record_fraud fraud = {.first = buf_view(&head), .second = buf_view(&head)};
    own_identity(&fraud.issuer, ISSUER);
    record_fraud_encode(&b, &fraud);
    good(m, RECORD_FRAUD, "people/8a", "a fraud record, by its form: every one is kept, none has a slot",
         &b);
    buf_free(&head);
}

/* A record put together by hand, so that each element can be wrong by itself. */
struct by_hand {
    int64_t created, expires;
    unsigned count, version, kind;
    const char *topic;
    struct span body;
    int work_less; /* a nonce below the floor */
};
static struct span hand_made(struct maker *m, const struct by_hand *h)
{
    struct buf b = {0}, hashed = {0};
    struct keypair ann;
    struct id id;
    struct sig sig;
    uint64_t nonce = 0;
    own_key(&ann, ANN);
    pack_uint(&hashed, h->version);
    pack_uint(&hashed, h->kind);
    pack_bin(&hashed, span(ann.pk, 32));
    pack_str(&hashed, span_str(h->topic));
    pack_int(&hashed, h->created);
    pack_int(&hashed, h->expires);
    buf_span(&hashed, h->body);
    record_id_of(&id, &m->f.net, buf_view(&hashed));
    unsigned bits = work_floor(&m->f.net, (uint8_t)h->kind, hashed.n);
    if (h->work_less)
        while (work_bits(&id, nonce) >= bits)
            nonce++;
    else
        MUST(work_search(&id, 0, UINT64_MAX, bits, &nonce));
    sign_hash(&sig, ann.sk, &id);
    pack_array(&b, h->count);
    buf_span(&b, buf_view(&hashed));
    pack_uint(&b, nonce);
    pack_bin(&b, SPAN_OF(sig));
    struct span out = arena_copy(&m->a, buf_view(&b));
    buf_free(&b);
    buf_free(&hashed);
    return out;
}

static struct span body_of(struct maker *m, struct buf *b)
{
    struct span out = arena_copy(&m->a, buf_view(b));
    buf_free(b);
    return out;
}

static struct span listing_body(struct maker *m)
{
    struct buf b = {0};
    struct record_listing l = bicycle();
    record_listing_encode(&b, &l);
    return body_of(m, &b);
}

static void hand(struct maker *m, const char *result, const char *shows, struct by_hand h)
{
    struct by_hand full = {.created = h.created ? h.created : noon,
                           .expires = h.expires ? h.expires : noon + 30 * day,
                           .count = h.count ? h.count : 9,
                           .version = h.version ? h.version : 1,
                           .kind = h.kind ? h.kind : RECORD_LISTING,
                           .topic = h.topic ? h.topic : "bikes/FR",
                           .body = h.body.n ? h.body : listing_body(m),
                           .work_less = h.work_less};
    one(m, result, shows, hand_made(m, &full));
}

static void envelopes(struct maker *m)
{
    hand(m, "good", "put together element by element: the listing of above again", (struct by_hand){0});
    hand(m, "good", "a life of exactly 400 days", (struct by_hand){.expires = noon + 400 * day});
    hand(m, "form", "a life of 400 days and a millisecond",
         (struct by_hand){.expires = noon + 400 * day + 1});
    hand(m, "form", "expires when it is created", (struct by_hand){.expires = noon});
    hand(m, "form", "created after the year 9999",
         (struct by_hand){.created = 253402300800000, .expires = 253402300800001});
    hand(m, "work", "a nonce below the floor", (struct by_hand){.work_less = 1});
    hand(m, "unknown", "version 2: known by its id, not kept, no fault", (struct by_hand){.version = 2});
    hand(m, "unknown", "kind 200: the same", (struct by_hand){.kind = 200});
    hand(m, "form", "version 256", (struct by_hand){.version = 256});
    hand(m, "form", "an array of eight, nine elements behind it", (struct by_hand){.count = 8});
    hand(m, "good", "a topic of everywhere", (struct by_hand){.topic = "bikes/*"});
    hand(m, "form", "a topic without a region", (struct by_hand){.topic = "bikes"});
    hand(m, "form", "a region in small letters", (struct by_hand){.topic = "bikes/fr"});
    hand(m, "form", "a category that begins with a digit", (struct by_hand){.topic = "2bikes/FR"});
    hand(m, "form", "people in a country", (struct by_hand){.topic = "people/FR"});
    hand(m, "form", "people by capitals", (struct by_hand){.topic = "people/8A"});
    hand(m, "form", "a body that is an array", (struct by_hand){.body = span("\x90", 1)});
    hand(m, "form", "a body with keys in the wrong order",
         (struct by_hand){.body = span("\x82\x01\x01\x00\x01", 5)});
    hand(m, "form", "a body with one key twice", (struct by_hand){.body = span("\x82\x00\x01\x00\x01", 5)});
    hand(m, "form", "a body with a float",
         (struct by_hand){.body = span("\x81\x00\xca\x3f\x80\x00\x00", 7)});
    hand(m, "form", "a body with an integer in two bytes that fits one",
         (struct by_hand){.body = span("\x81\x00\xcc\x01", 4)});
    hand(m, "form", "a body with a string that is not UTF-8",
         (struct by_hand){.body = span("\x81\x00\xa1\xff", 4)});
    hand(m, "form", "a body with a control character",
         (struct by_hand){.body = span("\x81\x00\xa1\x07", 4)});
    hand(m, "form", "a body nested nine deep, the record's array counted",
         (struct by_hand){.body = span("\x81\x00\x91\x91\x91\x91\x91\x91\x90", 9)});
    hand(m, "body", "a body nested eight deep: canonical, and no listing",
         (struct by_hand){.body = span("\x81\x00\x91\x91\x91\x91\x91\x90", 8)});
}

static void bodies(struct maker *m)
{
    struct buf b = {0};
    struct record_listing l = bicycle();
    l.title = span_str("");
    record_listing_encode(&b, &l);
    hand(m, "body", "a listing without a title: its author signed it, so no fault of the peer",
         (struct by_hand){.body = body_of(m, &b)});
    l = bicycle();
    l.title = span_str("two\nlines");
    record_listing_encode(&b, &l);
    hand(m, "body", "a title of two lines: canonical as far as the envelope goes, but a title is a str",
         (struct by_hand){.body = body_of(m, &b)});
    struct span body = listing_body(m);
    MUST(body.p[0] == 0x8e); /* a map of 14 */
    struct span more[] = {span("\x8f", 1), span(body.p + 1, body.n - 1), span("\xcc\xc8\x91\x01", 4)};
    hand(m, "good",
         "a listing with a key that is not known: stepped over, under the signature all the same",
         (struct by_hand){.body = own_joined(&m->a, more, 3)});
}

static void spoilt(struct maker *m)
{
    struct span good = arena_copy(&m->a, buf_view(&m->record));
    struct span parts[] = {good, span("\x00", 1)};
    one(m, "signature", "a bit of the signature changed", own_spoilt(&m->a, good, -1, 0x01));
    one(m, "form", "a byte behind it", own_joined(&m->a, parts, 2));
    one(m, "form", "its last byte missing", span(good.p, good.n - 1));
    one(m, "form", "nothing at all", span(NULL, 0));
    one(m, "form", "five bytes that announce 2^28 elements", span("\xdd\x0f\xff\xff\xff", 5));
    one(m, "form", "an array in the long form", span("\xdc\x00\x09", 3));
}

static void stubs(struct maker *m)
{
    struct buf b = {0};
    struct record_stub_proof p = direct_proof(&m->f.net);
    struct id hash[3];
    stub_hash(&hash[0], &m->f.net, &p.stub);
    stub_paid_hash(&hash[1], &m->f.net, &p.stub);
    stub_received_hash(&hash[2], &m->f.net, &p.stub);
    record_stub_encode(&b, &p.stub);
    own_vector(&m->f, "stub", "good", "what is signed of a trade: three hashes of the same bytes");
    own_hex(&m->f, "bytes", buf_view(&b));
    own_hex(&m->f, "stub", SPAN_OF(hash[0]));
    own_hex(&m->f, "paid", SPAN_OF(hash[1]));
    own_hex(&m->f, "received", SPAN_OF(hash[2]));
    struct record_stub_proof bad[6];
    static const struct {
        const char *result, *shows;
    } is[] = {{"good", "the proof of a trade on the direct rail"},
              {"signature", "signatures of buyer and seller exchanged"},
              {"rule", "an arbiter who did not sign"},
              {"rule", "the seller did not say that the money came"},
              {"signature", "the seller signed what the buyer has to sign: paid"},
              {"rule", "the seller is the buyer"}};
    for (size_t i = 0; i < 6; i++)
        bad[i] = p;
    bad[1].buyer_sig = p.seller_sig;
    bad[1].seller_sig = p.buyer_sig;
    bad[2].has_arbiter_sig = false;
    bad[3].has_received_sig = false;
    stub_sign(&bad[4].received_sig, BEN, &hash[1]);
    bad[5].stub.seller = p.stub.buyer;
    for (size_t i = 0; i < 6; i++) {
        buf_clear(&b);
        record_stub_proof_encode(&b, &bad[i]);
        own_vector(&m->f, "stub_proof", is[i].result, is[i].shows);
        own_hex(&m->f, "bytes", buf_view(&b));
    }
    buf_free(&b);
}

void make_records(struct buf *out)
{
    struct maker m = {0};
    arena_init(&m.a, 4 << 20);
    own_begin(
        &m.f, out, "records",
        "Public records (spec/crypto.md, sections 4 to 6; spec/market.md). Persons are Ed25519 keys whose "
        "seed is 32 times one byte: 01 Ann, the author of all; 02 Ben, 03 an arbiter, 04 an issuer, 05 a "
        "recovery key. Results: good; unknown (a version or kind to be known by its id alone); body (its "
        "body is not what its kind asks for: known, not kept, no fault of the peer); form, work, "
        "signature (misconduct).",
        4, 0);
    people(&m);
    goods(&m);
    credit(&m);
    envelopes(&m);
    bodies(&m);
    spoilt(&m);
    stubs(&m);
    own_end(&m.f);
    buf_free(&m.record);
    arena_free(&m.a);
}
