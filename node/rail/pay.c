/* pay.c: builds transfers out of the notes of a wallet, and puts them on disk to be submitted. */
#include "node/rail/engine.h"
#include <sodium.h>
#include <stdlib.h>

struct coin {
    struct id note, context;
    enum ledger_holder holder;
    uint64_t minor;
};
struct choice {
    struct rails *r;
    struct core *c;
    uint64_t want, sum;
    size_t n;
    struct coin coins[LEDGER_SPENDS_MOST];
};

static bool choose(void *arg, struct span key, struct span value)
{
    struct choice *ch = arg;
    struct ledger_own_note own;
    struct ledger_note note;
    struct arena a;
    arena_init(&a, 65536);
    if (key.n == 97 && ledger_own_note_decode(&own, value, &a, NULL) == 0 &&
        own.state == LEDGER_HELD_UNSPENT && !map_get(&ch->r->reserved, key.p + 65) &&
        ledger_note_decode(&note, own.note, &a, NULL) == 0) {
        struct coin *coin = &ch->coins[ch->n++];
        memcpy(coin->note.b, key.p + 65, 32);
        coin->context = own.context;
        coin->holder = own.holder;
        coin->minor = note.minor;
        ch->sum += note.minor;
    }
    arena_free(&a);
    return ch->sum < ch->want && ch->n < LEDGER_SPENDS_MOST;
}

static int by_note(const void *a, const void *b)
{
    return memcmp(&((const struct coin *)a)->note, &((const struct coin *)b)->note, 32);
}

static int derived(struct core *c, const struct identity *who, const char *label, const struct id *context,
                   struct keypair *out, struct report *rep)
{
    uint8_t seed[32];
    int err = keys_derive(c->keys, who, label, context, seed, rep);
    if (!err)
        sign_keypair_from_seed(out, seed);
    sodium_memzero(seed, sizeof seed);
    return err;
}

static int trade_pair(struct core *c, const struct identity *who, const char *label, const struct id *trade,
                      struct trade_key *pk, uint8_t *sk, struct report *r)
{
    struct keypair pair;
    int err = derived(c, who, label, trade, &pair, r);
    if (!err) {
        memcpy(pk->b, pair.pk, 32);
        if (sk)
            memcpy(sk, pair.sk, 64);
    }
    sodium_memzero(&pair, sizeof pair);
    return err;
}

int rail_trade_key(struct core *c, const struct identity *who, const struct id *trade, struct trade_key *pk,
                   uint8_t sk[64], struct report *r)
{
    return trade_pair(c, who, "souk:trade-key", trade, pk, sk, r);
}

int rail_payout_key(struct core *c, const struct identity *who, const struct id *trade,
                    struct trade_key *pk, struct report *r)
{
    return trade_pair(c, who, "souk:payout-key", trade, pk, NULL, r);
}

static int coin_sign(struct core *c, const struct identity *owner, const struct coin *coin,
                     enum key_use use, const struct id *id, struct ledger_signed_by *out,
                     struct report *rep)
{
    struct keypair pair;
    if (coin->holder == LEDGER_HOLDER_IDENTITY) {
        memcpy(&out->key, owner, sizeof out->key);
        return keys_sign(c->keys, c, owner, use, id, &out->sig, rep);
    }
    int err =
        derived(c, owner, coin->holder == LEDGER_HOLDER_WALLET ? "souk:wallet-key" : "souk:payout-key",
                &coin->context, &pair, rep);
    if (!err) {
        memcpy(&out->key, pair.pk, 32);
        sign_hash(&out->sig, pair.sk, id);
    }
    sodium_memzero(&pair, sizeof pair);
    return err;
}

/* Marks the notes as promised away, and remembers it until that is on disk. */
static void promise(struct rails *r, struct core *c, const struct identity *owner,
                    const struct identity *issuer, const struct choice *ch, struct change *into)
{
    for (size_t i = 0; i < ch->n; i++) {
        uint8_t key[97];
        struct span v;
        struct ledger_own_note own;
        struct arena a;
        struct buf b = {0};
        arena_init(&a, 65536);
        wallet_key(key, 'n', owner, issuer, &ch->coins[i].note);
        MUST(view_get(c->view, TABLE_NOTE, SPAN_OF(key), &v) &&
             ledger_own_note_decode(&own, v, &a, NULL) == 0);
        own.state = LEDGER_HELD_PENDING;
        ledger_own_note_encode(&b, &own);
        change_put(into, TABLE_NOTE, SPAN_OF(key), buf_view(&b));
        uint64_t until_ms = c->now.mono_ms + RAIL_RESERVE_MS;
        map_put(&r->reserved, &ch->coins[i].note,
                (void *)(uintptr_t)until_ms); /* NOLINT: a time, never followed */
        buf_free(&b);
        arena_free(&a);
    }
}

static int gather(struct choice *ch, const struct identity *owner, const struct identity *issuer,
                  uint64_t *draw, struct report *rep)
{
    uint8_t key[97];
    struct ledger_membership member;
    static const struct id none;
    wallet_key(key, 'n', owner, issuer, &none);
    view_scan(ch->c->view, TABLE_NOTE, span(key, 65), span(NULL, 0), choose, ch);
    *draw = ch->sum < ch->want ? ch->want - ch->sum : 0;
    if (!*draw)
        return 0;
    wallet_membership(ch->c, owner, issuer, &member);
    if (ch->n == LEDGER_SPENDS_MOST)
        return report_set(rep, SOUK_EFUNDS,
                          "a payment joins at most %d notes; pay a smaller sum to yourself first",
                          LEDGER_SPENDS_MOST);
    if (member.state != LEDGER_MEMBER_STATE_APPROVED || member.limit_minor < member.drawn_minor ||
        member.limit_minor - member.drawn_minor < *draw)
        return report_set(rep, SOUK_EFUNDS,
                          "%llu minor units are missing: earn them, or ask the issuer for more credit",
                          (unsigned long long)*draw);
    return 0;
}

/* Spends from the owner's wallet into `note` and, where something is over, a note back to the owner. */
static int spend(struct rails *r, struct core *c, const struct identity *owner, enum key_use use,
                 const struct identity *issuer, const struct ledger_note *note, struct ledger_pending *p,
                 struct change *into, struct id *transfer, struct report *rep)
{
    struct choice ch = {.r = r, .c = c, .want = note->minor};
    struct ledger_note makes[2] = {*note};
    struct ledger_branch branch;
    struct ledger_signed_by sigs[LEDGER_SPENDS_MOST];
    struct ledger_witness wits[LEDGER_SPENDS_MOST] = {{0}};
    struct id spends[LEDGER_SPENDS_MOST];
    struct keypair change_pair;
    struct trade_key change_key;
    struct buf body = {0}, whole = {0};
    struct sig sig;
    uint64_t draw = 0;
    struct ledger_body m = {
        .issuer = *issuer, .kind = LEDGER_KIND_TRANSFER, .spends = spends, .makes = makes, .makes_n = 1};
    if (wallet_pending_n(c) >= RAIL_PENDING_MOST)
        return report_set(rep, SOUK_EBUSY, "%d payments wait for an answer already", RAIL_PENDING_MOST);
    int err = gather(&ch, owner, issuer, &draw, rep);
    if (!err && ch.sum + draw > note->minor) {
        p->has_context = true;
        rng_bytes(r->rng, &p->context, sizeof p->context);
        err = derived(c, owner, "souk:wallet-key", &p->context, &change_pair, rep);
        if (!err) {
            memcpy(&change_key, change_pair.pk, sizeof change_key);
            sodium_memzero(&change_pair, sizeof change_pair);
            makes[1].minor = ch.sum + draw - note->minor;
            lock_simple(&makes[1].lock, &branch, &change_key);
            rng_bytes(r->rng, &makes[1].value_salt, sizeof makes[1].value_salt);
            rng_bytes(r->rng, &makes[1].stub_salt, sizeof makes[1].stub_salt);
            m.makes_n = 2;
        }
    }
    if (err)
        return err;
    if (draw) {
        m.kind = LEDGER_KIND_DRAW;
        m.has_member = m.has_drawn = true;
        m.member = *owner;
        m.drawn = draw;
    }
    qsort(ch.coins, ch.n, sizeof ch.coins[0], by_note);
    m.spends_n = ch.n;
    for (size_t i = 0; i < ch.n; i++)
        spends[i] = ch.coins[i].note;
    ledger_body_encode(&body, &m);
    transfer_id(transfer, r->network, buf_view(&body));
    /* The identity's own signature is asked for whatever keys the notes have: it is what a spend session
     * guards. */
    err = keys_sign(c->keys, c, owner, use, transfer, &sig, rep);
    for (size_t i = 0; i < ch.n && !err; i++) {
        err = coin_sign(c, owner, &ch.coins[i], use, transfer, &sigs[i], rep);
        wits[i].sigs = &sigs[i];
        wits[i].sigs_n = 1;
    }
    if (!err) {
        transfer_write(&whole, buf_view(&body), wits, ch.n, draw ? &sig : NULL);
        promise(r, c, owner, issuer, &ch, into);
        struct ledger_pending row = *p; /* points to what lives here: not the caller's */
        row.owner = *owner;
        row.transfer = buf_view(&whole);
        row.own = spends;
        row.own_n = ch.n;
        row.time = c->now.unix_ms;
        row.minor = -(int64_t)note->minor;
        wallet_pending_put(into, transfer, &row);
        rails_kick(r, c);
    }
    buf_free(&body);
    buf_free(&whole);
    return err;
}

static int offered(const struct rails *r, const struct rail_lock *lock, struct report *rep)
{
    int err = rail_lock_check(lock, rep);
    if (!err && lock->rail == RECORD_RAIL_MOCK && !r->mock)
        err = report_set(rep, SOUK_ENOT_ALLOWED, "the mock rail is for tests and is not offered here");
    return err;
}

int rails_fund(struct rails *r, struct core *c, const struct id *trade, const struct identity *from,
               const struct rail_lock *lock, struct change *into, struct report *rep)
{
    struct locks_note note;
    struct id transfer, lock_id;
    struct rail_funding now;
    int err = offered(r, lock, rep);
    if (err || lock->rail == RECORD_RAIL_DIRECT)
        return err;
    rail_lock_id(&lock_id, r->network, lock);
    if (rails_funding(r, c, &lock_id, &now) == 0 && (now.state != RAIL_NONE || now.err == SOUK_EBUSY))
        return 0;
    err = rails_watch(r, c, trade, lock, from, into, rep);
    if (err)
        return err;
    locks_note(&note, r->network, lock);
    struct ledger_pending p = {.purpose = LEDGER_PURPOSE_FUND,
                               .has_trade = true,
                               .trade = *trade,
                               .has_lock = true,
                               .lock = lock_id};
    return spend(r, c, from, USE_SPEND, &lock->issuer, &note.note, &p, into, &transfer, rep);
}

static int give(struct rails *r, struct core *c, const struct identity *to, int64_t minor,
                struct ledger_note *note, struct ledger_branch *branch, struct trade_key *key,
                struct report *rep)
{
    (void)c;
    if (minor < 1 || minor > AMOUNT_MAX)
        return report_set(rep, SOUK_ERANGE, "the amount must be above zero");
    memcpy(key, to, sizeof *key);
    if (!sign_key_ok(key->b))
        return report_set(rep, SOUK_EINVALID, "that is not an identity");
    memset(note, 0, sizeof *note);
    note->minor = (uint64_t)minor;
    lock_simple(&note->lock, branch, key);
    rng_bytes(r->rng, &note->value_salt, sizeof note->value_salt);
    rng_bytes(r->rng, &note->stub_salt, sizeof note->stub_salt);
    return 0;
}

int rails_pay(struct rails *r, struct core *c, const struct identity *as, const struct identity *issuer,
              const struct identity *to, int64_t minor, struct span words, struct change *into,
              struct id *transfer, struct report *rep)
{
    struct ledger_note note;
    struct ledger_branch branch;
    struct trade_key key;
    int err = give(r, c, to, minor, &note, &branch, &key, rep);
    if (err)
        return err;
    struct ledger_pending p = {
        .purpose = LEDGER_PURPOSE_PAY, .has_to = true, .to = *to, .has_words = words.n > 0, .words = words};
    return spend(r, c, as, USE_SPEND, issuer, &note, &p, into, transfer, rep);
}

int rails_mint(struct rails *r, struct core *c, const struct identity *as, const struct identity *member,
               int64_t minor, struct span words, struct change *into, struct id *transfer,
               struct report *rep)
{
    struct ledger_note note;
    struct ledger_branch branch;
    struct trade_key key;
    struct buf body = {0}, whole = {0};
    struct sig sig;
    if (!r->keeps || !identity_eq(as, &r->issuer))
        return report_set(rep, SOUK_ENOT_FOUND, "this identity issues no credit here");
    int err = give(r, c, member, minor, &note, &branch, &key, rep);
    if (err)
        return err;
    struct ledger_body m = {.issuer = *as, .kind = LEDGER_KIND_MINT, .makes = &note, .makes_n = 1};
    ledger_body_encode(&body, &m);
    transfer_id(transfer, r->network, buf_view(&body));
    err = keys_sign(c->keys, c, as, USE_SPEND, transfer, &sig, rep);
    if (!err) {
        transfer_write(&whole, buf_view(&body), NULL, 0, &sig);
        struct ledger_pending p = {.owner = *as,
                                   .purpose = LEDGER_PURPOSE_MINT,
                                   .transfer = buf_view(&whole),
                                   .has_to = true,
                                   .to = *member,
                                   .has_words = words.n > 0,
                                   .words = words,
                                   .time = c->now.unix_ms};
        wallet_pending_put(into, transfer, &p);
        rails_kick(r, c);
    }
    buf_free(&body);
    buf_free(&whole);
    return err;
}

/* A payout, a move or a late spend: the same bytes whoever sends them, so the same row and the same answer.
 */
static int send_whole(struct rails *r, struct core *c, const struct id *trade, const struct rail_lock *lock,
                      const struct id *transfer, enum ledger_purpose purpose, struct span whole,
                      struct change *into, struct report *rep)
{
    struct id lock_id;
    struct rail_settlement now;
    rail_lock_id(&lock_id, r->network, lock);
    if (rails_settlement(r, c, &lock_id, &now) == 0 && now.spent)
        return 0;
    if (wallet_pending_n(c) >= RAIL_PENDING_MOST)
        return report_set(rep, SOUK_EBUSY, "%d payments wait for an answer already", RAIL_PENDING_MOST);
    struct ledger_pending p = {.owner = lock->issuer,
                               .purpose = purpose,
                               .transfer = whole,
                               .has_trade = true,
                               .trade = *trade,
                               .has_lock = true,
                               .lock = lock_id,
                               .time = c->now.unix_ms};
    wallet_pending_put(into, transfer, &p);
    rails_kick(r, c);
    return 0;
}

int rails_submit(struct rails *r, struct core *c, const struct id *trade, const struct rail_lock *lock,
                 const struct rail_split *split, enum rail_party a, const struct sig *sig_a,
                 enum rail_party b, const struct sig *sig_b, struct change *into, struct report *rep)
{
    struct buf whole = {0};
    struct id transfer;
    int err = offered(r, lock, rep);
    if (err || lock->rail == RECORD_RAIL_DIRECT)
        return err;
    err = rail_payout_id(&transfer, r->network, lock, split, rep);
    if (!err)
        err = rail_payout_combine(&whole, r->network, lock, split, a, sig_a, b, sig_b, rep);
    if (!err)
        err = send_whole(r, c, trade, lock, &transfer, LEDGER_PURPOSE_PAYOUT, buf_view(&whole), into, rep);
    buf_free(&whole);
    return err;
}

int rails_move(struct rails *r, struct core *c, const struct id *trade, const struct rail_lock *from,
               const struct rail_lock *to, enum rail_party a, const struct sig *sig_a, enum rail_party b,
               const struct sig *sig_b, struct change *into, struct report *rep)
{
    struct buf whole = {0};
    struct id transfer;
    int err = offered(r, from, rep);
    if (!err)
        err = rail_move_id(&transfer, r->network, from, to, rep);
    if (!err)
        err = rail_move_combine(&whole, r->network, from, to, a, sig_a, b, sig_b, rep);
    if (!err)
        err = send_whole(r, c, trade, from, &transfer, LEDGER_PURPOSE_PAYOUT, buf_view(&whole), into, rep);
    buf_free(&whole);
    return err;
}

int rails_late(struct rails *r, struct core *c, const struct id *trade, const struct rail_lock *lock,
               struct change *into, struct report *rep)
{
    struct buf whole = {0};
    struct id transfer;
    int err = offered(r, lock, rep);
    if (!err)
        err = rail_late_make(&whole, r->network, lock, rep);
    if (!err)
        err = rail_payout_id(&transfer, r->network, lock, &lock->late, rep);
    if (!err)
        err = send_whole(r, c, trade, lock, &transfer, LEDGER_PURPOSE_LATE, buf_view(&whole), into, rep);
    buf_free(&whole);
    return err;
}
