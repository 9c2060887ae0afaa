/* note.c: an amount under a lock, and what the public log shows of it. */
#include "node/rail/ledger.h"

void note_stub_commitment(struct id *out, const struct network *net, const struct salt *stub_salt,
                          const struct id *stub)
{
    struct span parts[] = {SPAN_OF(*stub_salt), SPAN_OF(*stub)};
    hash_souk(out, net, "souk:note-stub", parts, 2);
}

void note_made(struct ledger_made *out, const struct network *net, const struct ledger_note *note)
{
    static const struct id none;
    struct buf lock = {0};
    uint8_t minor[8];
    be64_put(minor, note->minor);
    ledger_lock_encode(&lock, &note->lock);
    struct span parts[] = {SPAN_OF(note->value_salt), SPAN_OF(minor), buf_view(&lock)};
    hash_souk(&out->value, net, "souk:note-value", parts, 3);
    buf_free(&lock);
    note_stub_commitment(&out->stub, net, &note->stub_salt, note->has_stub ? &note->stub : &none);
}

void note_id(struct id *out, const struct network *net, const struct identity *issuer,
             const struct ledger_made *made)
{
    struct span parts[] = {SPAN_OF(*issuer), SPAN_OF(made->value), SPAN_OF(made->stub)};
    hash_souk(out, net, "souk:note", parts, 3);
}

void note_id_of(struct id *out, const struct network *net, const struct identity *issuer,
                const struct ledger_note *note)
{
    struct ledger_made made;
    note_made(&made, net, note);
    note_id(out, net, issuer, &made);
}

void lock_simple(struct ledger_lock *out, struct ledger_branch *branch, const struct trade_key *key)
{
    *branch = (struct ledger_branch){.need = 1, .keys = key, .keys_n = 1};
    *out = (struct ledger_lock){.branches = branch, .branches_n = 1};
}

bool lock_is_simple(const struct ledger_lock *lock, struct trade_key *key)
{
    if (lock->branches_n != 1 || lock->branches[0].from || lock->branches[0].need != 1 ||
        lock->branches[0].keys_n != 1)
        return false;
    *key = lock->branches[0].keys[0];
    return true;
}

static bool distinct(const struct trade_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (memcmp(&keys[i], &keys[j], sizeof keys[i]) == 0)
                return false;
    return true;
}

static int branch_check(const struct ledger_branch *b, uint64_t minor, size_t at, struct report *r)
{
    if (b->need) {
        if (b->split_n || b->keys_n < b->need || !distinct(b->keys, b->keys_n))
            return report_set(r, SOUK_EINVALID,
                              "branch %zu of the lock: it needs %u signatures and must name as many "
                              "distinct keys, and no split",
                              at, (unsigned)b->need);
        return 0;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < b->split_n; i++) {
        if (!b->split[i].minor)
            return report_set(r, SOUK_EINVALID, "branch %zu of the lock: a part of its split is zero", at);
        sum += b->split[i].minor; /* four parts of at most 10^15 */
    }
    if (b->keys_n || !b->split_n || sum != minor)
        return report_set(r, SOUK_EINVALID,
                          "branch %zu of the lock: without signatures it must name a split of the whole "
                          "amount, and no keys",
                          at);
    return 0;
}

int note_check(const struct ledger_note *note, struct report *r)
{
    for (size_t i = 0; i < note->lock.branches_n; i++) {
        int err = branch_check(&note->lock.branches[i], note->minor, i, r);
        if (err)
            return err;
    }
    return 0;
}
