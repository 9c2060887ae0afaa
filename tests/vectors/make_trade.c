/* make_trade.c: makes spec/vectors/trade.json. */
#include "crypto/hash.h"
#include "node/market/stub.h"
#include "node/trade/engine.h"
#include "node/trade/state.h"
#include "node/trade/terms.h"
#include "tests/vectors/own.h"

enum {
    BUYER = 1,
    SELLER,
    ARBITER,
    SUBSTITUTE,
    EVE,
    ISSUER = 8,
    KEY = 0x10,
    PAYOUT = 0x20,
    FACTS_MOST = 16
};
static const int64_t noon = 1800000000000, day = 86400000;

/* A fact made, with what others need of it. */
struct made {
    struct span bytes;
    struct id id;
    uint64_t seq;
};
struct maker {
    struct own_file f;
    struct arena a;
    struct fact_terms terms;
    struct span terms_bytes;
    struct id trade, stub;
    struct made chain[EVE + 1]; /* the newest fact of each */
};

static struct span kept(struct maker *m, struct buf *b)
{
    struct span out = arena_copy(&m->a, buf_view(b));
    buf_free(b);
    return out;
}

static struct fact_terms terms_of(void)
{
    struct fact_terms t = {.quantity = 2,
                           .has_arbiter = true,
                           .has_substitute = true,
                           .has_shipping = true,
                           .rail = RECORD_RAIL_CREDIT,
                           .has_issuer = true,
                           .delivery = RECORD_DELIVERY_MODE_SHIP,
                           .fee_bp = 250,
                           .has_fee_least = true,
                           .valid_until = noon + day,
                           .fund_by = noon + 2 * day,
                           .ship_by = noon + 4 * day,
                           .deliver_by = noon + 9 * day,
                           .inspect_end = noon + 12 * day,
                           .rule_by = noon + 20 * day,
                           .has_substitute_rule_by = true,
                           .substitute_rule_by = noon + 27 * day,
                           .late_at = noon + 40 * day,
                           .delta_ms = 2 * 86400000,
                           .confirmations = 2,
                           .late_buyer_bp = 5000};
    own_identity(&t.buyer, BUYER);
    own_identity(&t.seller, SELLER);
    own_identity(&t.arbiter, ARBITER);
    own_identity(&t.substitute, SUBSTITUTE);
    own_identity(&t.issuer, ISSUER);
    memcpy(t.price.currency.b, t.issuer.b, 32);
    t.shipping.currency = t.total.currency = t.fee_least.currency = t.price.currency;
    t.price.minor = 25;
    t.shipping.minor = 5;
    t.total.minor = 55;
    t.fee_least.minor = 2;
    memset(t.nonce.b, 0x0e, 16);
    memset(t.listing.b, 0x11, 32);
    t.revision = noon - day;
    return t;
}

static struct span terms_encoded(struct maker *m, const struct fact_terms *t)
{
    struct buf b = {0};
    fact_terms_encode(&b, t);
    return kept(m, &b);
}

static void terms(struct maker *m, const char *result, const char *shows, const struct fact_terms *t)
{
    struct record_stub stub;
    struct amount locked;
    struct id id;
    struct buf b = {0};
    struct span bytes = terms_encoded(m, t);
    own_vector(&m->f, "terms", result, shows);
    own_hex(&m->f, "terms", bytes);
    if (strcmp(result, "good") != 0)
        return;
    fact_terms_hash(&id, &m->f.net, bytes);
    own_hex(&m->f, "hash", SPAN_OF(id));
    fact_trade_id(&id, &m->f.net, &t->buyer, &t->seller, &t->nonce);
    own_hex(&m->f, "trade", SPAN_OF(id));
    fact_stub(&stub, &m->f.net, t);
    record_stub_encode(&b, &stub);
    own_hex(&m->f, "stub", buf_view(&b));
    stub_hash(&id, &m->f.net, &stub);
    own_hex(&m->f, "stub_hash", SPAN_OF(id));
    MUST(terms_locked(&locked, t) == 0);
    own_number(&m->f, "locked", locked.minor);
    buf_free(&b);
}

static const struct currency eur = {{'E', 'U', 'R'}};

static void rule_one(struct maker *m)
{
    struct fact_terms t = m->terms;
    terms(m, "good", "terms on the credit rail, with a substitute", &t);
#define BAD(shows, change)           \
    do {                             \
        t = m->terms;                \
        change;                      \
        terms(m, "rule", shows, &t); \
    } while (0)
    BAD("a total that is not price x quantity + shipping", t.total.minor++);
    BAD("shipping in another currency", t.shipping.currency = eur);
    BAD("the arbiter is the seller", t.arbiter = t.seller);
    BAD("no arbiter on the credit rail",
        t.has_arbiter = t.has_substitute = t.has_substitute_rule_by = false);
    BAD("the proposal stands longer than fund_by", t.valid_until = t.fund_by + 1);
    BAD("ship_by before fund_by", t.ship_by = t.fund_by - 1);
    BAD("deliver_by at ship_by", t.deliver_by = t.ship_by);
    BAD("inspect_end before deliver_by", t.inspect_end = t.deliver_by - 1);
    BAD("rule_by before the cut-off, inspect_end + delta", t.rule_by = t.inspect_end + 2 * day - 1);
    BAD("a substitute that has no time after rule_by", t.substitute_rule_by = t.rule_by);
    BAD("late_at less than 3 delta after the last rule_by", t.late_at = t.substitute_rule_by + 6 * day - 1);
    BAD("a deposit where nothing is lent", t.has_deposit = true; t.deposit = t.fee_least);
    BAD("a least fee of more than is locked", t.fee_least.minor = 56);
    BAD("the issuer is not the currency", t.issuer.b[0] ^= 1);
#undef BAD
    t = m->terms;
    t.late_at = t.substitute_rule_by + 6 * day;
    t.fund_by = t.ship_by = t.valid_until;
    terms(m, "good", "every time as early as it may be", &t);
    t = m->terms;
    t.rail = RECORD_RAIL_DIRECT;
    t.has_issuer = t.has_arbiter = t.has_substitute = t.has_substitute_rule_by = false;
    t.has_fee_least = false;
    t.price.currency = t.shipping.currency = t.total.currency = eur;
    terms(m, "good", "the direct rail without an arbiter", &t);
    t = m->terms;
    t.has_units = t.has_rental = t.has_deposit = true;
    t.units = 3;
    t.total.minor = 25 * 2 * 3 + 5;
    t.rental = (struct record_period){noon + 9 * day, noon + 12 * day};
    t.deposit = (struct amount){100, t.price.currency};
    terms(m, "good", "a rental of three units: total and deposit are locked", &t);
}

/* ---- facts ---- */
static struct made fact(struct maker *m, uint8_t by, unsigned kind, struct span body, int64_t time,
                        const struct made *seen, uint8_t seen_by)
{
    struct keypair k;
    struct fact_seen saw = {{{0}}, {{0}}};
    struct fact_envelope e = {.trade = m->trade, .kind = kind, .time = time, .body = body};
    struct made out = {.seq = m->chain[by].seq + 1}, *last = &m->chain[by];
    struct buf b = {0};
    own_key(&k, by);
    own_identity(&e.author, by);
    e.seq = out.seq;
    e.has_prev = last->seq > 0;
    e.prev = last->id;
    if (seen) {
        own_identity(&saw.author, seen_by);
        saw.fact = seen->id;
        e.seen = &saw;
        e.seen_n = 1;
    }
    MUST(fact_make(&b, &out.id, &m->f.net, &e, k.sk, NULL) == 0);
    out.bytes = kept(m, &b);
    m->chain[by] = out;
    return out;
}

static struct fact_key key_of(struct maker *m, uint8_t who, bool spoilt)
{
    struct keypair key, payout;
    struct fact_key out;
    struct identity owner;
    struct id hash;
    own_key(&key, (uint8_t)(KEY + who));
    own_key(&payout, (uint8_t)(PAYOUT + who));
    memcpy(out.key.b, key.pk, 32);
    memcpy(out.payout.b, payout.pk, 32);
    own_identity(&owner, who);
    fact_possession_hash(&hash, &m->f.net, &out.key, &m->trade, &owner);
    sign_hash(&out.proof, key.sk, &hash);
    out.proof.b[0] ^= spoilt;
    return out;
}

static struct sig stub_sig(const struct maker *m, uint8_t who)
{
    struct keypair k;
    struct sig out;
    own_key(&k, who);
    sign_hash(&out, k.sk, &m->stub);
    return out;
}

static struct made offer(struct maker *m, uint8_t by, bool spoilt)
{
    struct buf b = {0};
    fact_offer_encode(&b, &(struct fact_offer){.terms = m->terms_bytes,
                                               .key = key_of(m, by, spoilt),
                                               .stub_sig = stub_sig(m, by)});
    return fact(m, by, FACT_OFFER, kept(m, &b), noon, NULL, 0);
}

struct accepting {
    uint8_t by, stub_by;
    bool spoilt, other_terms;
    int64_t time;
    const struct made *seen;
    uint8_t seen_by;
};
static struct made accept(struct maker *m, const struct made *proposal, struct accepting w)
{
    struct buf b = {0};
    uint8_t by = w.by ? w.by : SELLER;
    struct fact_accept body = {.proposal = proposal->id, .key = key_of(m, by, w.spoilt)};
    fact_terms_hash(&body.terms, &m->f.net, m->terms_bytes);
    body.terms.b[0] ^= w.other_terms;
    body.stub_sig = stub_sig(m, w.stub_by ? w.stub_by : by);
    fact_accept_encode(&b, &body);
    if (!w.seen && by != BUYER) {
        w.seen = proposal;
        w.seen_by = BUYER;
    }
    return fact(m, by, FACT_ACCEPT, kept(m, &b), w.time ? w.time : noon + 1000, w.seen, w.seen_by);
}

static struct made enrol(struct maker *m, uint8_t by, const struct id *contract)
{
    struct buf b = {0};
    fact_enrol_encode(&b, &(struct fact_enrol){.contract = *contract,
                                               .key = key_of(m, by, false),
                                               .stub_sig = stub_sig(m, by)});
    return fact(m, by, FACT_ENROL, kept(m, &b), noon + 2000, NULL, 0);
}

static void forget(struct maker *m)
{
    memset(m->chain, 0, sizeof m->chain);
}

static void fact_vector(struct maker *m, const char *result, const char *shows, struct span bytes)
{
    struct fact_view f;
    own_vector(&m->f, "fact", result, shows);
    own_hex(&m->f, "fact", bytes);
    if (strcmp(result, "good") != 0)
        return;
    MUST(fact_parse(&f, &m->f.net, bytes, &m->a, NULL) == 0);
    own_hex(&m->f, "id", SPAN_OF(f.id));
    own_hex(&m->f, "author", SPAN_OF(f.e.author));
    own_hex(&m->f, "trade", SPAN_OF(f.e.trade));
    own_number(&m->f, "kind", (int64_t)f.e.kind);
}

/* An envelope written by hand and signed: what fact_make would not make. */
static struct span by_hand(struct maker *m, const struct fact_envelope *e, struct span tail)
{
    struct keypair k;
    struct id id;
    struct sig sig;
    struct buf envelope = {0}, out = {0};
    own_key(&k, BUYER);
    MUST(fact_prepare(&envelope, &id, &m->f.net, e, NULL) == 0);
    if (tail.n) {
        envelope.p[0]++; /* one more entry */
        buf_span(&envelope, tail);
        hash_souk_one(&id, &m->f.net, "souk:fact", buf_view(&envelope));
    }
    sign_hash(&sig, k.sk, &id);
    fact_seal(&out, buf_view(&envelope), &sig);
    buf_free(&envelope);
    return kept(m, &out);
}

static void facts(struct maker *m)
{
    static const uint8_t note[] = {0x81, 0x00, 0xa2, 'o', 'k'},
                         strange[] = {0x82, 0x00, 0xa2, 'o', 'k', 0x64, 1};
    struct fact_envelope e = {
        .trade = m->trade, .seq = 1, .kind = FACT_NOTE, .time = noon, .body = SPAN_OF(note)};
    struct fact_seen seen[2];
    own_identity(&e.author, BUYER);
    struct span good = by_hand(m, &e, span(NULL, 0));
    fact_vector(m, "good", "a note, the first fact of its author", good);
    fact_vector(m, "signature", "its signature spoilt", own_spoilt(&m->a, good, -1, 1));
    fact_vector(m, "signature", "its text changed", own_spoilt(&m->a, good, (ptrdiff_t)good.n - 69, 1));
    struct span more[] = {good, span("\xc0", 1)};
    fact_vector(m, "form", "a byte behind it", own_joined(&m->a, more, 2));
    fact_vector(m, "good", "a key from 128 on: stepped over", by_hand(m, &e, span("\xcc\x80\x01", 3)));
    fact_vector(m, "form", "a key below 128 that is not understood", by_hand(m, &e, span("\x7f\x01", 2)));
    e.body = SPAN_OF(strange);
    fact_vector(m, "form", "the same in the body", by_hand(m, &e, span(NULL, 0)));
    e.body = SPAN_OF(note);
    e.kind = 200;
    fact_vector(m, "form", "a kind that is not understood", by_hand(m, &e, span(NULL, 0)));
    e.kind = FACT_NOTE;
    e.has_prev = true;
    fact_vector(m, "form", "a first fact that names one before it", by_hand(m, &e, span(NULL, 0)));
    e.seq = 2;
    fact_vector(m, "good", "a second fact", by_hand(m, &e, span(NULL, 0)));
    e.has_prev = false;
    fact_vector(m, "form", "a second fact that names none before it", by_hand(m, &e, span(NULL, 0)));
    e.seq = 1;
    own_identity(&seen[0].author, SELLER);
    own_identity(&seen[1].author, ARBITER);
    if (memcmp(&seen[0].author, &seen[1].author, 32) < 0) { /* falling */
        struct fact_seen swap = seen[0];
        seen[0] = seen[1];
        seen[1] = swap;
    }
    memset(seen[0].fact.b, 1, 32);
    memset(seen[1].fact.b, 2, 32);
    e.seen = seen;
    e.seen_n = 2;
    fact_vector(m, "form", "`seen` not in rising order of author", by_hand(m, &e, span(NULL, 0)));
    seen[0].author = e.author;
    e.seen_n = 1;
    fact_vector(m, "form", "`seen` of its own author", by_hand(m, &e, span(NULL, 0)));
}

/* ---- contracts ---- */
static void contract(struct maker *m, const char *result, const char *shows, const struct made *facts_made,
                     size_t n)
{
    struct span bytes[FACTS_MOST];
    for (size_t i = 0; i < n; i++)
        bytes[i] = facts_made[i].bytes;
    own_vector(&m->f, "contract", result, shows);
    own_list(&m->f, "facts", bytes, n);
    forget(m);
}

static struct id contract_id(struct maker *m, const struct made *proposal, const struct made *accepted)
{
    struct id out;
    fact_contract_hash(&out, &m->f.net, &proposal->id, &accepted->id);
    return out;
}

static void agreed(struct maker *m)
{
    struct made f[4] = {offer(m, BUYER, false)};
    struct rail_lock lock;
    struct buf escrow = {0};
    f[1] = accept(m, &f[0], (struct accepting){0});
    struct id id = contract_id(m, &f[0], &f[1]), lock_id;
    f[2] = enrol(m, ARBITER, &id);
    f[3] = enrol(m, SUBSTITUTE, &id);
    contract(m, "good", "an offer accepted: no lock before the arbiter enrols", f, 2);
    own_hex(&m->f, "contract", SPAN_OF(id));
    contract(m, "good", "the arbiter enrolled, the substitute not yet: no lock", f, 3);
    own_hex(&m->f, "contract", SPAN_OF(id));
    struct fact_key keys[4];
    for (uint8_t i = 0; i < 4; i++)
        keys[i] = key_of(m, (uint8_t)(BUYER + i), false);
    struct lock_source from = {.terms = &m->terms,
                               .contract = &id,
                               .stub = &m->stub,
                               .buyer = &keys[0],
                               .seller = &keys[1],
                               .arbiter = &keys[2],
                               .substitute = &keys[3]};
    MUST(lock_make(&lock, &from, NULL) == 0);
    rail_lock_id(&lock_id, &m->f.net, &lock);
    rail_lock_encode(&escrow, &lock);
    contract(m, "good",
             "both enrolled: the lock follows. Of 55 the late split gives the buyer 28: half, rounded up",
             f, 4);
    own_hex(&m->f, "contract", SPAN_OF(id));
    own_hex(&m->f, "lock", SPAN_OF(lock_id));
    own_hex(&m->f, "escrow", buf_view(&escrow));
    struct made turned[] = {f[3], f[1], f[2], f[0], f[1]};
    contract(m, "good", "the same facts in another order, and one twice", turned, 5);
    own_hex(&m->f, "contract", SPAN_OF(id));
    own_hex(&m->f, "lock", SPAN_OF(lock_id));
    buf_free(&escrow);
}

static struct made closing(struct maker *m, uint8_t by, unsigned kind, const struct made *proposal)
{
    struct buf b = {0};
    if (kind == FACT_WITHDRAW)
        fact_withdraw_encode(&b, &(struct fact_withdraw){.proposal = proposal->id});
    else
        fact_decline_encode(&b, &(struct fact_decline){.proposal = proposal->id});
    return fact(m, by, kind, kept(m, &b), noon + 500, NULL, 0);
}

static void crossing(struct maker *m)
{
    struct made f[3] = {offer(m, BUYER, false)};
    struct id id;
    f[1] = closing(m, BUYER, FACT_WITHDRAW, &f[0]);
    f[2] = accept(m, &f[0], (struct accepting){0});
    id = contract_id(m, &f[0], &f[2]);
    contract(m, "good", "an accept that crosses a withdrawal stands", f, 3);
    own_hex(&m->f, "contract", SPAN_OF(id));
    f[0] = offer(m, BUYER, false);
    f[1] = closing(m, BUYER, FACT_WITHDRAW, &f[0]);
    f[2] = accept(m, &f[0], (struct accepting){.seen = &f[1], .seen_by = BUYER});
    contract(m, "rule", "its author had seen the withdrawal", f, 3);
    f[0] = offer(m, BUYER, false);
    f[1] = closing(m, SELLER, FACT_DECLINE, &f[0]);
    f[2] = accept(m, &f[0], (struct accepting){0});
    contract(m, "rule", "its author had declined before", f, 3);
    f[0] = offer(m, BUYER, false);
    f[1] = closing(m, EVE, FACT_DECLINE, &f[0]);
    f[2] = accept(m, &f[0], (struct accepting){0});
    id = contract_id(m, &f[0], &f[2]);
    contract(m, "good", "a stranger's decline changes nothing", f, 3);
    own_hex(&m->f, "contract", SPAN_OF(id));
}

static void not_agreed(struct maker *m)
{
    static const struct {
        const char *shows;
        struct accepting how;
        bool spoilt_offer;
    } cases[] = {{"an accept of other terms", {.other_terms = true}, false},
                 {"an accept without possession of its key", {.spoilt = true}, false},
                 {"an accept whose stub the buyer signed", {.stub_by = BUYER}, false},
                 {"an accept by its own proposer", {.by = BUYER}, false},
                 {"an accept by a stranger", {.by = EVE}, false},
                 {"an accept dated after valid_until", {.time = 1800000000000 + 86400001}, false},
                 {"an offer without possession of its key", {0}, true}};
    struct made f[2];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f[0] = offer(m, BUYER, cases[i].spoilt_offer);
        f[1] = accept(m, &f[0], cases[i].how);
        contract(m, "rule", cases[i].shows, f, 2);
    }
    f[0] = offer(m, SELLER, false);
    f[1] = accept(m, &f[0], (struct accepting){.by = BUYER});
    contract(m, "rule", "an offer by the seller: only buyers offer", f, 2);
}

/* ---- money ---- */
static void ruling(struct maker *m, const char *result, const char *shows, int64_t buyer)
{
    struct fact_split s;
    own_vector(&m->f, "ruling", result, shows);
    own_hex(&m->f, "terms", m->terms_bytes);
    own_number(&m->f, "buyer", buyer);
    if (payout_ruling(&s, &m->terms, buyer, false, NULL) == 0)
        buf_printf(m->f.out, ",\n   \"split\": [%lld, %lld, %lld]", (long long)s.buyer, (long long)s.seller,
                   (long long)s.arbiter);
}

static void names(struct maker *m)
{
    struct id lock, next, id;
    struct fact_split s = {.buyer = 20, .seller = 33, .arbiter = 2};
    struct salt salt;
    static const uint8_t secret[11] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    memset(lock.b, 0x10, 32);
    memset(next.b, 0x20, 32);
    memset(salt.b, 0x5a, 16);
    for (int i = 0; i < 3; i++) {
        static const char *const shows[] = {"the name of a split of a lock", "the fee to the substitute",
                                            "the name of a move: no split, the next lock"};
        static const char *const split[] = {"[20, 33, 2, 0]", "[20, 33, 0, 2]", "[0, 0, 0, 0]"};
        s.has_substitute = s.substitute = i == 1;
        if (i == 2)
            s = (struct fact_split){0};
        payout_name(&id, &m->f.net, &lock, &s, i == 2 ? &next : NULL);
        own_vector(&m->f, "payout_name", "good", shows[i]);
        own_hex(&m->f, "lock", SPAN_OF(lock));
        buf_printf(m->f.out, ",\n   \"split\": %s", split[i]);
        if (i == 2)
            own_hex(&m->f, "next", SPAN_OF(next));
        own_hex(&m->f, "name", SPAN_OF(id));
    }
    struct span address = span_str("12 rue des Lilas\n69003 Lyon");
    address_id(&id, &m->f.net, &salt, address);
    own_vector(&m->f, "address", "good", "the hash that `funded` carries, and `opened` opens");
    own_hex(&m->f, "salt", SPAN_OF(salt));
    own_hex(&m->f, "address", address);
    own_hex(&m->f, "id", SPAN_OF(id));
    handover_secret_id(&id, &m->f.net, &m->trade, SPAN_OF(secret));
    own_vector(&m->f, "handover", "good",
               "the hash that `funded` carries, of the secret that `shipped` shows");
    own_hex(&m->f, "trade", SPAN_OF(m->trade));
    own_hex(&m->f, "secret", SPAN_OF(secret));
    own_hex(&m->f, "id", SPAN_OF(id));
}

void make_trade(struct buf *out)
{
    struct maker m = {0};
    struct record_stub stub;
    arena_init(&m.a, 16 << 20);
    own_begin(
        &m.f, out, "trade",
        "Trades (spec/trade.md). Keys are Ed25519 of seeds of 32 times one byte: 01 the buyer, 02 the "
        "seller, 03 the arbiter, 04 the substitute, 05 a stranger, 08 the issuer; trade keys 10 more, "
        "payout keys 20 more. `contract`: what a set of facts agrees on; rule means nothing. `ruling`: "
        "`buyer` is the buyer's part before the fee, `split` what the arbiter signs.",
        0, 0);
    m.terms = terms_of();
    m.terms_bytes = terms_encoded(&m, &m.terms);
    fact_trade_id(&m.trade, &m.f.net, &m.terms.buyer, &m.terms.seller, &m.terms.nonce);
    fact_stub(&stub, &m.f.net, &m.terms);
    stub_hash(&m.stub, &m.f.net, &stub);
    rule_one(&m);
    facts(&m);
    agreed(&m);
    crossing(&m);
    not_agreed(&m);
    ruling(&m, "good",
           "half of 55: the least fee, 2, comes off pro rata, the buyer's part of it rounded down", 28);
    ruling(&m, "good", "all to the buyer: the fee is off that", 55);
    ruling(&m, "good", "all to the seller", 0);
    ruling(&m, "rule", "more than there is", 56);
    names(&m);
    own_end(&m.f);
    arena_free(&m.a);
}
