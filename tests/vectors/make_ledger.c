/* make_ledger.c: makes spec/vectors/ledger.json. */
#include "node/rail/locks.h"
#include "record.gen.h"
#include "tests/vectors/own.h"

enum { ISSUER = 1, MEMBER = 2, PARTY = 0x10, PAYOUT = 0x20 };
static const int64_t noon = 1800000000000, day = 86400000;

struct maker {
    struct own_file f;
    struct arena a;
    struct identity issuer;
    struct keypair issuer_key, member_key, party[RAIL_PARTIES];
    struct rail_lock lock;
    struct buf escrow, note; /* the lock, and its note */
    struct span transfer;    /* a good payout of it */
    struct id leaf[3];       /* of a log of three */
    struct span entry[3];
};

static struct trade_key trade_key(const struct keypair *k)
{
    struct trade_key t;
    memcpy(t.b, k->pk, sizeof t.b);
    return t;
}

static struct span kept(struct maker *m, struct buf *b)
{
    struct span out = arena_copy(&m->a, buf_view(b));
    buf_free(b);
    return out;
}

/* ---- notes ---- */
static void note(struct maker *m, const char *result, const char *shows, const struct ledger_note *n)
{
    struct buf b = {0};
    struct ledger_made made;
    struct id id;
    ledger_note_encode(&b, n);
    own_vector(&m->f, "note", result, shows);
    own_hex(&m->f, "issuer", SPAN_OF(m->issuer));
    own_hex(&m->f, "note", buf_view(&b));
    buf_free(&b);
    if (strcmp(result, "good") != 0)
        return;
    note_made(&made, &m->f.net, n);
    note_id(&id, &m->f.net, &m->issuer, &made);
    own_hex(&m->f, "value", SPAN_OF(made.value));
    own_hex(&m->f, "stub", SPAN_OF(made.stub));
    own_hex(&m->f, "id", SPAN_OF(id));
}

static struct ledger_note simple(struct ledger_branch *branch, struct trade_key *key,
                                 const struct keypair *k, uint64_t minor)
{
    struct ledger_note n = {.minor = minor};
    *key = trade_key(k);
    lock_simple(&n.lock, branch, key);
    memset(&n.value_salt, 0xa1, sizeof n.value_salt);
    memset(&n.stub_salt, 0xa2, sizeof n.stub_salt);
    return n;
}

static void notes(struct maker *m)
{
    struct ledger_branch branch;
    struct trade_key key, twice[2];
    struct ledger_note n = simple(&branch, &key, &m->member_key, 1250), bad;
    note(m, "good", "a note of one key, without a stub: it commits to 32 zeros", &n);
    bad = n;
    bad.has_stub = true;
    memset(bad.stub.b, 0x57, 32);
    note(m, "good", "the same with a stub", &bad);
    twice[0] = twice[1] = key;
    branch = (struct ledger_branch){.need = 2, .keys = twice, .keys_n = 2};
    note(m, "rule", "two of one key written twice", &n);
    branch = (struct ledger_branch){.need = 2, .keys = &key, .keys_n = 1};
    note(m, "rule", "two of one key", &n);
    struct ledger_share share = {1000, key};
    branch = (struct ledger_branch){.from = noon, .split = &share, .split_n = 1};
    note(m, "rule", "a split that leaves something over", &n);
    branch = (struct ledger_branch){.need = 1, .keys = &key, .keys_n = 1, .split = &share, .split_n = 1};
    note(m, "rule", "keys and a split at once", &n);
}

/* ---- the lock of a trade ---- */
static void escrow(struct maker *m, const char *result, const char *shows, const struct rail_lock *lock)
{
    struct buf b = {0};
    rail_lock_encode(&b, lock);
    own_vector(&m->f, "escrow", result, shows);
    own_hex(&m->f, "escrow", buf_view(&b));
    buf_free(&b);
}

static void locks(struct maker *m)
{
    struct locks_note n;
    struct id id;
    escrow(m, "good", "the lock of a trade with a substitute, and the note that it is", &m->lock);
    rail_lock_encode(&m->escrow, &m->lock);
    rail_lock_id(&id, &m->f.net, &m->lock);
    locks_note(&n, &m->f.net, &m->lock);
    ledger_note_encode(&m->note, &n.note);
    own_hex(&m->f, "lock_id", SPAN_OF(id));
    own_hex(&m->f, "note", buf_view(&m->note));
    own_hex(&m->f, "note_id", SPAN_OF(n.id));
    struct rail_lock three = m->lock, bad = m->lock;
    three.parties = 3;
    three.substitute_from = 0;
    three.late = (struct rail_split){{1000, 0, 0, 0}};
    escrow(m, "good", "without a substitute: two branches; the late split gives all to the buyer", &three);
    rail_lock_id(&id, &m->f.net, &three);
    locks_note(&n, &m->f.net, &three);
    own_hex(&m->f, "lock_id", SPAN_OF(id));
    own_hex(&m->f, "note_id", SPAN_OF(n.id));
    bad.key[RAIL_ARBITER] = bad.key[RAIL_SELLER];
    escrow(m, "rule", "one key in two places", &bad);
    bad = m->lock;
    bad.late.minor[RAIL_BUYER]++;
    escrow(m, "rule", "a late split of more than there is", &bad);
    bad = m->lock;
    memset(bad.key[RAIL_BUYER].b, 0, 32);
    escrow(m, "rule", "a trade key that is no key: a point of small order", &bad);
    bad = m->lock;
    bad.substitute_from = bad.late_from;
    escrow(m, "rule", "a substitute who would act only from the late branch on", &bad);
    bad = m->lock;
    bad.amount.currency = (struct currency){{'E', 'U', 'R'}};
    escrow(m, "rule", "credit in a currency that is not the issuer", &bad);
}

static void payout(struct maker *m, const char *result, const char *shows, struct rail_split split)
{
    struct buf body = {0};
    struct id id;
    own_vector(&m->f, "payout", result, shows);
    own_hex(&m->f, "escrow", buf_view(&m->escrow));
    buf_printf(m->f.out, ",\n   \"split\": [%lld, %lld, %lld, %lld]", (long long)split.minor[0],
               (long long)split.minor[1], (long long)split.minor[2], (long long)split.minor[3]);
    if (strcmp(result, "good") != 0)
        return;
    MUST(rail_payout_make(&body, &m->f.net, &m->lock, &split, NULL) == 0);
    MUST(rail_payout_id(&id, &m->f.net, &m->lock, &split, NULL) == 0);
    own_hex(&m->f, "body", buf_view(&body));
    own_hex(&m->f, "id", SPAN_OF(id));
    buf_free(&body);
}

static void move(struct maker *m, const char *result, const char *shows, const struct rail_lock *to)
{
    struct buf bytes = {0};
    struct id id;
    rail_lock_encode(&bytes, to);
    own_vector(&m->f, "move", result, shows);
    own_hex(&m->f, "escrow", buf_view(&m->escrow));
    own_hex(&m->f, "to", buf_view(&bytes));
    if (rail_move_id(&id, &m->f.net, &m->lock, to, NULL) == 0)
        own_hex(&m->f, "id", SPAN_OF(id));
    buf_free(&bytes);
}

static struct rail_lock with_new_arbiter(const struct maker *m)
{
    struct rail_lock to = m->lock;
    to.parties = 3;
    to.key[RAIL_ARBITER] = to.key[RAIL_SUBSTITUTE];
    to.payout[RAIL_ARBITER] = to.payout[RAIL_SUBSTITUTE];
    to.substitute_from = 0;
    to.late_from += 5 * day;
    return to;
}

static void moves(struct maker *m)
{
    struct rail_lock to = with_new_arbiter(m), bad = to;
    move(m, "good", "the move of it to a lock with another arbiter, five days later: what two sign", &to);
    move(m, "rule", "to itself", &m->lock);
    bad.payout[RAIL_SELLER] = bad.payout[RAIL_BUYER];
    move(m, "rule", "to one that pays somebody else", &bad);
    bad = to;
    bad.contract.b[0] ^= 1;
    move(m, "rule", "to one of another contract", &bad);
    bad = to;
    bad.amount.minor--;
    bad.late.minor[RAIL_BUYER]--;
    move(m, "rule", "to one of less", &bad);
    bad = to;
    bad.late.minor[RAIL_BUYER]--;
    bad.late.minor[RAIL_SELLER]++;
    move(m, "rule", "to one with another late split", &bad);
}

/* ---- transfers ---- */
static void transfer(struct maker *m, const char *result, const char *shows, struct span bytes,
                     struct span opening, int64_t now)
{
    struct transfer t;
    struct identity member;
    own_identity(&member, MEMBER);
    own_vector(&m->f, "transfer", result, shows);
    own_hex(&m->f, "issuer", SPAN_OF(m->issuer));
    own_hex(&m->f, "member", SPAN_OF(member));
    own_number(&m->f, "now", now);
    if (opening.n)
        own_hex(&m->f, "note", opening);
    own_hex(&m->f, "transfer", bytes);
    if (strcmp(result, "good") != 0)
        return;
    MUST(transfer_parse(&t, &m->f.net, bytes, &m->a, NULL) == 0);
    own_hex(&m->f, "id", SPAN_OF(t.id));
}

static struct ledger_signed_by by_party(struct maker *m, enum rail_party who, const struct id *id)
{
    struct ledger_signed_by s = {.key = m->lock.key[who]};
    sign_hash(&s.sig, m->party[who].sk, id);
    return s;
}

static struct span spend(struct maker *m, const struct rail_split *split, const struct ledger_witness *w)
{
    struct buf body = {0}, out = {0};
    MUST(rail_payout_make(&body, &m->f.net, &m->lock, split, NULL) == 0);
    transfer_write(&out, buf_view(&body), w, 1, NULL);
    buf_free(&body);
    return kept(m, &out);
}

static void spending(struct maker *m)
{
    static const struct rail_split split = {{300, 650, 50, 0}}, late = {{500, 500, 0, 0}};
    struct span opening = buf_view(&m->note);
    struct id id, late_id;
    MUST(rail_payout_id(&id, &m->f.net, &m->lock, &split, NULL) == 0);
    MUST(rail_payout_id(&late_id, &m->f.net, &m->lock, &late, NULL) == 0);
    struct ledger_signed_by sigs[] = {by_party(m, RAIL_BUYER, &id), by_party(m, RAIL_SELLER, &id),
                                      by_party(m, RAIL_ARBITER, &id)};
    struct ledger_signed_by turned[] = {sigs[1], sigs[0]}, wrong[] = {sigs[0], sigs[1]},
                            stand_in[] = {sigs[0], by_party(m, RAIL_SUBSTITUTE, &id)};
    struct ledger_witness two = {.sigs = sigs, .sigs_n = 2}, three = {.sigs = sigs, .sigs_n = 3},
                          order = {.sigs = turned, .sigs_n = 2}, one = {.sigs = sigs, .sigs_n = 1},
                          bad = {.sigs = wrong, .sigs_n = 2},
                          other = {.branch = 1, .sigs = stand_in, .sigs_n = 2}, none = {.branch = 2},
                          no_such = {.branch = 3, .sigs = sigs, .sigs_n = 2};
    wrong[1].sig.b[0] ^= 1;
    m->transfer = spend(m, &split, &two);
    transfer(m, "good", "a payout of the lock of before, by buyer and seller", m->transfer, opening, noon);
    transfer(m, "unknown_note", "where that note was never made", m->transfer, span(NULL, 0), noon);
    transfer(m, "signature", "three signatures where two are needed", spend(m, &split, &three), opening,
             noon);
    transfer(m, "signature", "one signature", spend(m, &split, &one), opening, noon);
    transfer(m, "signature", "two, not in the branch's order", spend(m, &split, &order), opening, noon);
    transfer(m, "signature", "one of them spoilt", spend(m, &split, &bad), opening, noon);
    transfer(m, "branch", "a branch that is not there", spend(m, &split, &no_such), opening, noon);
    transfer(m, "early", "buyer and substitute, before the substitute may act", spend(m, &split, &other),
             opening, noon);
    transfer(m, "good", "the same, when it may", spend(m, &split, &other), opening, noon + 10 * day);
    transfer(m, "good", "the late branch, by nobody's signature", spend(m, &late, &none), opening,
             noon + 20 * day);
    transfer(m, "early", "the same a millisecond too soon", spend(m, &late, &none), opening,
             noon + 20 * day - 1);
    transfer(m, "branch", "another split by the late branch", spend(m, &split, &none), opening,
             noon + 20 * day);
}

static void body_write(struct maker *m, const char *result, const char *shows, struct ledger_body *body,
                       const struct keypair *signer, size_t witnesses, struct span tail)
{
    static const struct ledger_witness none[4];
    struct buf bytes = {0}, out = {0};
    struct id id;
    struct sig sig;
    ledger_body_encode(&bytes, body);
    if (tail.n) {
        bytes.p[0]++; /* one more entry of the map */
        buf_span(&bytes, tail);
    }
    transfer_id(&id, &m->f.net, buf_view(&bytes));
    if (signer)
        sign_hash(&sig, signer->sk, &id);
    transfer_write(&out, buf_view(&bytes), none, witnesses, signer ? &sig : NULL);
    transfer(m, result, shows, buf_view(&out), span(NULL, 0), noon);
    buf_free(&bytes);
    buf_free(&out);
}

static void bodies(struct maker *m)
{
    struct ledger_branch branch;
    struct trade_key key;
    struct ledger_note n = simple(&branch, &key, &m->member_key, 100), same[] = {n, n};
    struct id falling[2];
    struct ledger_body mint = {.issuer = m->issuer, .kind = LEDGER_KIND_MINT, .makes = &n, .makes_n = 1};
    struct ledger_body draw = mint, b;
    draw.kind = LEDGER_KIND_DRAW;
    draw.has_member = draw.has_drawn = true;
    own_identity(&draw.member, MEMBER);
    draw.drawn = 100;
    memset(falling[0].b, 2, 32);
    memset(falling[1].b, 1, 32);
    struct span none = {0};
    body_write(m, "good", "a mint, signed by the issuer's key", &mint, &m->issuer_key, 0, none);
    body_write(m, "mint", "a mint, signed by somebody else", &mint, &m->member_key, 0, none);
    body_write(m, "rule", "a mint without a signature", &mint, NULL, 0, none);
    body_write(m, "good", "a draw on a member's credit, which has 100 left", &draw, &m->member_key, 0,
               none);
    body_write(m, "signature", "a draw that somebody else signed", &draw, &m->issuer_key, 0, none);
    b = draw;
    b.drawn = 101;
    body_write(m, "limit", "a draw beyond the limit", &b, &m->member_key, 0, none);
    b.drawn = 99;
    body_write(m, "sums", "a draw of less than is made", &b, &m->member_key, 0, none);
    b = mint;
    b.makes = same;
    b.makes_n = 2;
    body_write(m, "rule", "one note made twice", &b, &m->issuer_key, 0, none);
    b = (struct ledger_body){.issuer = m->issuer,
                             .kind = LEDGER_KIND_TRANSFER,
                             .spends = falling,
                             .spends_n = 2,
                             .makes = &n,
                             .makes_n = 1};
    body_write(m, "rule", "notes spent that do not rise", &b, NULL, 2, none);
    b.spends_n = 1;
    body_write(m, "rule", "a note spent without a witness", &b, NULL, 0, none);
    body_write(m, "form", "a key below 128 that is not understood", &mint, &m->issuer_key, 0,
               span("\x64\x01", 2));
    body_write(m, "good", "a key from 128 on: stepped over, and under the signature", &mint, &m->issuer_key,
               0, span("\xcc\x80\x01", 3));
    b = mint;
    memset(b.issuer.b, 0x99, 32);
    body_write(m, "issuer", "for another ledger", &b, &m->issuer_key, 0, none);
}

/* ---- the log ---- */
static void log_make(struct maker *m)
{
    struct transfer t;
    struct buf b = {0};
    MUST(transfer_parse(&t, &m->f.net, m->transfer, &m->a, NULL) == 0);
    for (size_t i = 0; i < 3; i++) {
        transfer_entry(&b, &t, noon + (int64_t)i);
        m->entry[i] = kept(m, &b);
        merkle_leaf(&m->leaf[i], m->entry[i]);
    }
    own_vector(&m->f, "entry", "good", "the leaf of a transfer, entered at 1800000000000");
    own_hex(&m->f, "transfer", m->transfer);
    own_number(&m->f, "time", noon);
    own_hex(&m->f, "entry", m->entry[0]);
    own_hex(&m->f, "leaf", SPAN_OF(m->leaf[0]));
}

/* The head of the first `size` leaves. */
static struct ledger_tree_head head_of(struct maker *m, uint64_t size)
{
    struct ledger_tree_head h = {.size = size, .root = m->leaf[0], .time = noon + 1000};
    struct id hash;
    if (size > 1)
        merkle_node(&h.root, &m->leaf[0], &m->leaf[1]);
    if (size > 2)
        merkle_node(&h.root, &h.root, &m->leaf[2]);
    head_hash(&hash, &m->f.net, &m->issuer, size, &h.root, h.time);
    sign_hash(&h.sig, m->issuer_key.sk, &hash);
    return h;
}

static void with_key(struct maker *m, const char *what, const char *result, const char *shows,
                     const char *name, struct span bytes)
{
    own_vector(&m->f, what, result, shows);
    own_hex(&m->f, "issuer", SPAN_OF(m->issuer));
    own_hex(&m->f, "key", SPAN_OF(m->issuer));
    own_hex(&m->f, name, bytes);
}

static void heads(struct maker *m)
{
    struct buf b = {0};
    struct ledger_tree_head h = head_of(m, 3);
    ledger_tree_head_encode(&b, &h);
    with_key(m, "head", "good", "a head of three leaves", "head", buf_view(&b));
    h.time++;
    buf_clear(&b);
    ledger_tree_head_encode(&b, &h);
    with_key(m, "head", "signature", "its time changed", "head", buf_view(&b));
    buf_free(&b);
}

static struct ledger_receipt receipt_of(struct maker *m, struct id path[static 2])
{
    path[0] = m->leaf[0];
    path[1] = m->leaf[2];
    return (struct ledger_receipt){
        .entry = m->entry[1], .index = 1, .head = head_of(m, 3), .path = path, .path_n = 2};
}

static void receipt(struct maker *m, const char *result, const char *shows, const struct ledger_receipt *r)
{
    struct buf b = {0};
    ledger_receipt_encode(&b, r);
    with_key(m, "receipt", result, shows, "receipt", buf_view(&b));
    buf_free(&b);
}

static void receipts(struct maker *m)
{
    struct id path[3], turned[2];
    struct ledger_receipt good = receipt_of(m, path), bad = good;
    receipt(m, "good", "the receipt of the second of three leaves", &good);
    bad.index = 0;
    receipt(m, "conflict", "the same at another index", &bad);
    bad = good;
    bad.entry = m->entry[0];
    receipt(m, "conflict", "with the entry of another leaf", &bad);
    bad = good;
    turned[0] = path[1];
    turned[1] = path[0];
    bad.path = turned;
    receipt(m, "conflict", "with the proof's hashes exchanged", &bad);
    bad = good;
    bad.path_n = 3;
    path[2] = path[1];
    receipt(m, "conflict", "with a hash too many", &bad);
    bad = good;
    bad.head.sig.b[0] ^= 1;
    receipt(m, "signature", "with the head's signature spoilt", &bad);
    bad = good;
    bad.entry = span("\x80", 1);
    receipt(m, "form", "with an entry that is none", &bad);
}

static void consistency(struct maker *m)
{
    struct ledger_tree_head two = head_of(m, 2), three = head_of(m, 3);
    struct ledger_consistency c = {
        .issuer = m->issuer, .first = 2, .second = 3, .path = &m->leaf[2], .path_n = 1};
    struct buf b = {0};
    for (int i = 0; i < 3; i++) {
        static const char *const result[] = {"good", "conflict", "conflict"};
        static const char *const shows[] = {"a log of two is the beginning of the log of three",
                                            "another first root is not", "nor with a hash too few"};
        c.path_n -= i == 2;
        buf_clear(&b);
        ledger_consistency_encode(&b, &c);
        own_vector(&m->f, "consistency", result[i], shows[i]);
        own_hex(&m->f, "first_root", i == 1 ? SPAN_OF(m->leaf[0]) : SPAN_OF(two.root));
        own_hex(&m->f, "second_root", SPAN_OF(three.root));
        own_hex(&m->f, "bytes", buf_view(&b));
    }
    buf_free(&b);
}

static void joins(struct maker *m)
{
    struct ledger_join join = {
        .issuer = m->issuer, .time = noon, .has_note = true, .note = span_str("Ann, rue des Lilas")};
    struct buf b = {0};
    struct id hash;
    own_identity(&join.member, MEMBER);
    join_hash(&hash, &m->f.net, &join);
    sign_hash(&join.sig, m->member_key.sk, &hash);
    for (int i = 0; i < 2; i++) {
        join.time += i;
        buf_clear(&b);
        ledger_join_encode(&b, &join);
        own_vector(&m->f, "join", i ? "signature" : "good",
                   i ? "its time changed" : "asking to be a member");
        own_hex(&m->f, "bytes", buf_view(&b));
    }
    buf_free(&b);
}

/* A rating's proof: the note of the lock stands in a leaf, and commits to the stub. */
static void funding(struct maker *m)
{
    struct locks_note n;
    struct ledger_made made;
    struct buf b = {0};
    struct ledger_tree_head h = {.size = 1, .time = noon};
    struct id hash;
    locks_note(&n, &m->f.net, &m->lock);
    note_made(&made, &m->f.net, &n.note);
    ledger_entry_encode(
        &b, &(struct ledger_entry){.kind = LEDGER_KIND_MINT, .time = noon, .makes = &made, .makes_n = 1});
    struct span entry = kept(m, &b);
    merkle_leaf(&h.root, entry);
    head_hash(&hash, &m->f.net, &m->issuer, h.size, &h.root, h.time);
    sign_hash(&h.sig, m->issuer_key.sk, &hash);
    funding_proof_make(&b, &m->issuer, &n.note.stub_salt,
                       &(struct ledger_receipt){.entry = entry, .head = h});
    for (uint8_t i = 0; i < 2; i++) {
        struct id stub = m->lock.stub;
        stub.b[31] ^= i;
        with_key(m, "funding", i ? "conflict" : "good",
                 i ? "of another stub" : "a rating's proof that a lock with its stub was funded", "proof",
                 buf_view(&b));
        own_hex(&m->f, "stub", SPAN_OF(stub));
    }
    buf_free(&b);
}

static void frauds(struct maker *m)
{
    struct ledger_tree_head a = head_of(m, 3), b = a;
    struct id hash;
    struct buf body = {0}, one = {0};
    b.root = m->leaf[0];
    head_hash(&hash, &m->f.net, &m->issuer, b.size, &b.root, b.time);
    sign_hash(&b.sig, m->issuer_key.sk, &hash);
    MUST(fraud_make(&body, &m->f.net, &m->issuer, &m->issuer, &a, &b));
    with_key(m, "fraud", "good", "two heads of one size and two roots", "body", buf_view(&body));
    ledger_tree_head_encode(&one, &a);
    buf_clear(&body);
    record_fraud_encode(&body, &(struct record_fraud){
                                   .issuer = m->issuer, .first = buf_view(&one), .second = buf_view(&one)});
    with_key(m, "fraud", "rule", "one head twice proves nothing", "body", buf_view(&body));
    buf_free(&one);
    buf_free(&body);
}

static void begin(struct maker *m, struct buf *out)
{
    struct rail_lock *l = &m->lock;
    own_begin(
        &m->f, out, "rail",
        "Credit (spec/credit.md). Keys are Ed25519 of seeds of 32 times one byte: 01 the issuer, 02 a "
        "member, 10 to 13 the trade keys of buyer, seller, arbiter, substitute, 20 to 23 their payout "
        "keys. `transfer`: `note` opens the only note of the ledger, `member` may still draw 100; a "
        "result beside good, form and rule is the refusal of that name in ledger.schema.",
        0, 0);
    own_key(&m->issuer_key, ISSUER);
    own_key(&m->member_key, MEMBER);
    own_identity(&m->issuer, ISSUER);
    *l = (struct rail_lock){.rail = RECORD_RAIL_CREDIT, .issuer = m->issuer, .parties = RAIL_PARTIES};
    l->amount.minor = 1000;
    memcpy(&l->amount.currency, &m->issuer, 32);
    memset(&l->contract, 0xc0, sizeof l->contract);
    memset(&l->stub, 0x57, sizeof l->stub);
    for (unsigned i = 0; i < RAIL_PARTIES; i++) {
        struct keypair payout;
        own_key(&m->party[i], (uint8_t)(PARTY + i));
        own_key(&payout, (uint8_t)(PAYOUT + i));
        l->key[i] = trade_key(&m->party[i]);
        l->payout[i] = trade_key(&payout);
    }
    l->substitute_from = noon + 10 * day;
    l->late_from = noon + 20 * day;
    l->late = (struct rail_split){{500, 500, 0, 0}};
}

void make_ledger(struct buf *out)
{
    struct maker m = {0};
    arena_init(&m.a, 4 << 20);
    begin(&m, out);
    notes(&m);
    locks(&m);
    payout(&m, "good", "a payout by a split: its body and what is signed",
           (struct rail_split){{300, 650, 50, 0}});
    payout(&m, "good", "all to the seller", (struct rail_split){{0, 1000, 0, 0}});
    payout(&m, "rule", "a split of less", (struct rail_split){{300, 650, 0, 0}});
    moves(&m);
    spending(&m);
    bodies(&m);
    log_make(&m);
    heads(&m);
    receipts(&m);
    consistency(&m);
    joins(&m);
    funding(&m);
    frauds(&m);
    own_end(&m.f);
    buf_free(&m.escrow);
    buf_free(&m.note);
    arena_free(&m.a);
}
