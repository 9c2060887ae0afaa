/* lock.c: the lock of a trade, described whole before anything is paid. */
#include "node/rail/locks.h"

static bool held(enum record_rail rail) /* somebody holds the money: a ledger, a chain */
{
    return rail != RECORD_RAIL_DIRECT;
}

static bool keys_distinct(const struct rail_lock *lock)
{
    for (size_t i = 0; i < lock->parties; i++)
        for (size_t j = 0; j < i; j++)
            if (memcmp(&lock->key[i], &lock->key[j], sizeof lock->key[i]) == 0)
                return false;
    return true;
}

static void issuer_check(const struct rail_lock *lock, struct report *r)
{
    bool credit = lock->rail == RECORD_RAIL_CREDIT || lock->rail == RECORD_RAIL_MOCK;
    if (credit && (is_zero(&lock->issuer, sizeof lock->issuer) ||
                   memcmp(&lock->amount.currency, &lock->issuer, sizeof lock->issuer) != 0))
        report_add(r, SOUK_EINVALID, "on the %s rail the currency must be the issuer's",
                   record_rail_name(lock->rail));
    if (!credit && !is_zero(&lock->issuer, sizeof lock->issuer))
        report_add(r, SOUK_EINVALID, "the %s rail has no issuer", record_rail_name(lock->rail));
}

int rail_lock_check(const struct rail_lock *lock, struct report *r)
{
    struct report own = {0};
    if (lock->rail == RECORD_RAIL_BITCOIN || lock->rail > RECORD_RAIL_BITCOIN)
        report_add(&own, SOUK_EINVALID, "this node does not know that rail");
    issuer_check(lock, &own);
    if (lock->amount.minor < 1 || lock->amount.minor > AMOUNT_MAX)
        report_add(&own, SOUK_EINVALID, "the amount must be above zero and at most %lld minor units",
                   (long long)AMOUNT_MAX);
    if (lock->parties < (held(lock->rail) ? 3 : 2) || lock->parties > RAIL_PARTIES) {
        report_add(&own, SOUK_EINVALID, "a lock needs a buyer, a seller and an arbiter");
    } else {
        if (!keys_distinct(lock))
            report_add(&own, SOUK_EINVALID, "the parties' trade keys must all differ");
        for (size_t i = 0; i < lock->parties; i++)
            if (!sign_key_ok(lock->key[i].b) || !sign_key_ok(lock->payout[i].b))
                report_add(&own, SOUK_EINVALID, "party %zu: its trade key or payout key is not a key", i);
        if (!rail_split_ok(lock, &lock->late))
            report_add(&own, SOUK_EINVALID, "the late split must be of the whole amount");
        if (lock->parties > RAIL_SUBSTITUTE
                ? lock->substitute_from <= 0 || lock->substitute_from >= lock->late_from
                : lock->substitute_from != 0)
            report_add(
                &own, SOUK_EINVALID,
                "a substitute acts from a time before the late branch; without one there is no time");
    }
    if (held(lock->rail) && lock->late_from <= 0)
        report_add(&own, SOUK_EINVALID, "the late branch needs a time");
    if (own.err && r)
        *r = own;
    return own.err;
}

bool rail_split_ok(const struct rail_lock *lock, const struct rail_split *split)
{
    int64_t sum = 0;
    for (size_t i = 0; i < RAIL_PARTIES; i++) {
        if (split->minor[i] < 0 || split->minor[i] > AMOUNT_MAX || (i >= lock->parties && split->minor[i]))
            return false;
        sum += split->minor[i];
    }
    return sum == lock->amount.minor;
}

struct rail_split rail_split_all(const struct rail_lock *lock, enum rail_party to)
{
    struct rail_split s = {{0}};
    s.minor[to] = lock->amount.minor;
    return s;
}

int64_t rail_fee_minor(const struct rail_lock *lock)
{
    (void)lock;
    return 0;
}

void rail_lock_encode(struct buf *out, const struct rail_lock *lock)
{
    struct ledger_escrow m = {.rail = lock->rail,
                              .amount = lock->amount,
                              .issuer = lock->issuer,
                              .contract = lock->contract,
                              .stub = lock->stub,
                              .keys = lock->key,
                              .keys_n = lock->parties,
                              .payouts = lock->payout,
                              .payouts_n = lock->parties,
                              .substitute_from = lock->substitute_from,
                              .late_from = lock->late_from,
                              .late = lock->late.minor,
                              .late_n = lock->parties};
    ledger_escrow_encode(out, &m);
}

int rail_lock_decode(struct rail_lock *out, struct span bytes, struct report *r)
{
    struct arena a;
    struct ledger_escrow m;
    struct rail_lock lock = {0};
    arena_init(&a, 4096);
    int err = ledger_escrow_decode(&m, bytes, &a, r);
    if (!err && (m.keys_n != m.payouts_n || m.keys_n != m.late_n))
        err = report_set(r, SOUK_EINVALID, "a lock has as many payout keys and parts as parties");
    if (!err) {
        lock.rail = (enum record_rail)m.rail;
        lock.amount = m.amount;
        lock.issuer = m.issuer;
        lock.contract = m.contract;
        lock.stub = m.stub;
        lock.parties = (uint8_t)m.keys_n;
        memcpy(lock.key, m.keys, m.keys_n * sizeof *m.keys);
        memcpy(lock.payout, m.payouts, m.keys_n * sizeof *m.payouts);
        memcpy(lock.late.minor, m.late, m.keys_n * sizeof *m.late);
        lock.substitute_from = m.substitute_from;
        lock.late_from = m.late_from;
        err = rail_lock_check(&lock, r);
    }
    arena_free(&a);
    if (!err)
        *out = lock;
    return err;
}

void rail_lock_id(struct id *out, const struct network *net, const struct rail_lock *lock)
{
    struct buf b = {0};
    rail_lock_encode(&b, lock);
    hash_souk_one(out, net, "souk:lock", buf_view(&b));
    buf_free(&b);
}

static void salt_of(struct salt *out, const struct network *net, const struct rail_lock *lock,
                    const struct id *lock_id, unsigned which)
{
    uint8_t w = (uint8_t)which;
    struct id h;
    struct span parts[] = {SPAN_OF(lock->contract), SPAN_OF(*lock_id), SPAN_OF(w)};
    hash_souk(&h, net, "souk:salt", parts, 3);
    memcpy(out->b, h.b, sizeof out->b);
}

void locks_note(struct locks_note *out, const struct network *net, const struct rail_lock *lock)
{
    struct id lock_id;
    size_t n = 0, parts = 0;
    memset(out, 0, sizeof *out);
    rail_lock_id(&lock_id, net, lock);
    memcpy(out->keys[0], lock->key, 3 * sizeof lock->key[0]);
    out->branches[n++] = (struct ledger_branch){.need = 2, .keys = out->keys[0], .keys_n = 3};
    if (lock->parties > RAIL_SUBSTITUTE) {
        memcpy(out->keys[1], lock->key, 2 * sizeof lock->key[0]);
        out->keys[1][2] = lock->key[RAIL_SUBSTITUTE];
        out->branches[n++] = (struct ledger_branch){
            .from = lock->substitute_from, .need = 2, .keys = out->keys[1], .keys_n = 3};
    }
    for (size_t i = 0; i < lock->parties; i++)
        if (lock->late.minor[i])
            out->late[parts++] =
                (struct ledger_share){.minor = (uint64_t)lock->late.minor[i], .key = lock->payout[i]};
    out->branches[n++] =
        (struct ledger_branch){.from = lock->late_from, .split = out->late, .split_n = parts};
    out->note = (struct ledger_note){
        .minor = (uint64_t)lock->amount.minor,
        .lock = {.branches = out->branches,
                 .branches_n = n,
                 .has_contract = true,
                 .contract = lock->contract},
        .has_stub = true,
        .stub = lock->stub,
    };
    salt_of(&out->note.value_salt, net, lock, &lock_id, 0);
    salt_of(&out->note.stub_salt, net, lock, &lock_id, 1);
    note_id_of(&out->id, net, &lock->issuer, &out->note);
}

void locks_payout_salts(struct ledger_note *note, const struct network *net, const struct rail_lock *lock,
                        enum rail_party to)
{
    struct id lock_id;
    rail_lock_id(&lock_id, net, lock);
    salt_of(&note->value_salt, net, lock, &lock_id, 2 + 2 * (unsigned)to);
    salt_of(&note->stub_salt, net, lock, &lock_id, 3 + 2 * (unsigned)to);
}

void rail_lock_note(struct id *out, const struct network *net, const struct rail_lock *lock)
{
    struct locks_note note;
    locks_note(&note, net, lock);
    *out = note.id;
}
