/* payout.c: who gets what of a lock, as bytes that are the same for all who sign them. */
#include "node/rail/locks.h"

void locks_payout(struct locks_payout *out, const struct network *net, const struct rail_lock *lock,
                  const struct rail_split *split)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < lock->parties; i++) {
        if (!split->minor[i])
            continue;
        struct ledger_note *note = &out->notes[out->n];
        note->minor = (uint64_t)split->minor[i];
        lock_simple(&note->lock, &out->branches[out->n], &lock->payout[i]);
        locks_payout_salts(note, net, lock, (enum rail_party)i);
        out->to[out->n++] = (enum rail_party)i;
    }
}

int rail_payout_make(struct buf *out, const struct network *net, const struct rail_lock *lock,
                     const struct rail_split *split, struct report *r)
{
    int err = rail_lock_check(lock, r);
    if (err)
        return err;
    if (!rail_split_ok(lock, split))
        return report_set(r, SOUK_EINVALID, "the split must be of the whole amount, among the parties");
    if (lock->rail == RECORD_RAIL_DIRECT) {
        /* Nothing is held: what the parties or the arbiter sign says who is right, and no more. */
        struct id lock_id;
        uint8_t minor[8];
        rail_lock_id(&lock_id, net, lock);
        buf_append(out, lock_id.b, sizeof lock_id.b);
        for (size_t i = 0; i < RAIL_PARTIES; i++) {
            be64_put(minor, (uint64_t)split->minor[i]);
            buf_append(out, minor, sizeof minor);
        }
        return 0;
    }
    struct locks_note from;
    struct locks_payout to;
    locks_note(&from, net, lock);
    locks_payout(&to, net, lock, split);
    struct ledger_body body = {.issuer = lock->issuer,
                               .kind = LEDGER_KIND_TRANSFER,
                               .spends = &from.id,
                               .spends_n = 1,
                               .makes = to.notes,
                               .makes_n = to.n};
    ledger_body_encode(out, &body);
    return 0;
}

int rail_payout_id(struct id *out, const struct network *net, const struct rail_lock *lock,
                   const struct rail_split *split, struct report *r)
{
    struct buf body = {0};
    int err = rail_payout_make(&body, net, lock, split, r);
    if (!err && lock->rail == RECORD_RAIL_DIRECT)
        hash_souk_one(out, net, "souk:payout", buf_view(&body));
    else if (!err)
        transfer_id(out, net, buf_view(&body));
    buf_free(&body);
    return err;
}

int rail_payout_sign(const uint8_t sk[static 64], const struct network *net, const struct rail_lock *lock,
                     const struct rail_split *split, struct sig *out, struct report *r)
{
    struct id id;
    int err = rail_payout_id(&id, net, lock, split, r);
    if (!err)
        sign_hash(out, sk, &id);
    return err;
}

int rail_payout_check(const struct network *net, const struct rail_lock *lock,
                      const struct rail_split *split, enum rail_party by, const struct sig *sig,
                      struct report *r)
{
    struct id id;
    int err = rail_payout_id(&id, net, lock, split, r);
    if (err)
        return err;
    if ((unsigned)by >= lock->parties)
        return report_set(r, SOUK_EINVALID, "the lock has no such party");
    if (!sign_check(lock->key[by].b, &id, sig))
        return report_set(r, SOUK_ESIGNATURE, "the signature is not over this payout of this lock");
    return 0;
}

/* Which branch two parties may use together, and in which order it names their keys. */
static int branch_of(const struct rail_lock *lock, enum rail_party *a, enum rail_party *b)
{
    enum rail_party low = *a < *b ? *a : *b, high = *a < *b ? *b : *a;
    *a = low;
    *b = high;
    if (low == high || high >= (enum rail_party)lock->parties)
        return -1;
    if (high < RAIL_SUBSTITUTE)
        return 0;
    return low == RAIL_ARBITER ? -1 : 1; /* arbiter and substitute together are nobody */
}

int locks_combine(struct buf *out, const struct rail_lock *lock, struct span body, enum rail_party a,
                  const struct sig *sig_a, enum rail_party b, const struct sig *sig_b, struct report *r)
{
    enum rail_party low = a, high = b;
    int branch = branch_of(lock, &low, &high);
    if (branch < 0)
        return report_set(r, SOUK_EINVALID, "these two parties have no branch of the lock together");
    struct ledger_signed_by sigs[] = {{lock->key[low], low == a ? *sig_a : *sig_b},
                                      {lock->key[high], high == b ? *sig_b : *sig_a}};
    struct ledger_witness w = {.branch = (uint64_t)branch, .sigs = sigs, .sigs_n = 2};
    transfer_write(out, body, &w, 1, NULL);
    return 0;
}

int rail_payout_combine(struct buf *out, const struct network *net, const struct rail_lock *lock,
                        const struct rail_split *split, enum rail_party a, const struct sig *sig_a,
                        enum rail_party b, const struct sig *sig_b, struct report *r)
{
    struct buf body = {0};
    int err = rail_payout_check(net, lock, split, a, sig_a, r);
    if (!err)
        err = rail_payout_check(net, lock, split, b, sig_b, r);
    if (!err)
        err = rail_payout_make(&body, net, lock, split, r);
    if (!err)
        err = locks_combine(out, lock, buf_view(&body), a, sig_a, b, sig_b, r);
    buf_free(&body);
    return err;
}

int rail_late_make(struct buf *out, const struct network *net, const struct rail_lock *lock,
                   struct report *r)
{
    if (lock->rail == RECORD_RAIL_DIRECT)
        return report_set(r, SOUK_ENOT_ALLOWED, "the direct rail holds nothing, so nothing falls due late");
    struct buf body = {0};
    struct ledger_witness w = {.branch = lock->parties > RAIL_SUBSTITUTE ? 2 : 1};
    int err = rail_payout_make(&body, net, lock, &lock->late, r);
    if (!err)
        transfer_write(out, buf_view(&body), &w, 1, NULL);
    buf_free(&body);
    return err;
}

void locks_settled(const struct network *net, const struct rail_lock *lock, const struct transfer *t,
                   struct rail_split *split, bool *known, unsigned *branch)
{
    struct locks_note from;
    struct rail_split s = {{0}};
    struct id id;
    locks_note(&from, net, lock);
    *known = false;
    *branch = 0;
    for (size_t i = 0; i < t->body.spends_n; i++)
        if (id_eq(&t->body.spends[i], &from.id))
            *branch = (unsigned)t->witnesses[i].branch;
    for (size_t i = 0; i < t->body.makes_n; i++) {
        struct trade_key key;
        size_t to = 0;
        if (!lock_is_simple(&t->body.makes[i].lock, &key))
            return;
        while (to < lock->parties && (s.minor[to] || memcmp(&lock->payout[to], &key, sizeof key) != 0))
            to++;
        if (to == lock->parties)
            return;
        s.minor[to] = (int64_t)t->body.makes[i].minor;
    }
    if (!rail_split_ok(lock, &s) || rail_payout_id(&id, net, lock, &s, NULL) || !id_eq(&id, &t->id))
        return;
    *split = s;
    *known = true;
}
