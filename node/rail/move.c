/* move.c: all that a lock holds goes into another, with somebody else to decide (rule 10). */
#include "node/rail/locks.h"

static bool keys_same(const struct rail_lock *a, const struct rail_lock *b, enum rail_party who)
{
    return memcmp(&a->key[who], &b->key[who], sizeof a->key[who]) == 0 &&
           memcmp(&a->payout[who], &b->payout[who], sizeof a->payout[who]) == 0;
}

/* Two locks of one contract, which hold as much for the same two people. */
static int pair_check(const struct network *net, const struct rail_lock *from, const struct rail_lock *to,
                      struct report *r)
{
    struct id a, b;
    int err = rail_lock_check(from, r);
    if (!err)
        err = rail_lock_check(to, r);
    if (err)
        return err;
    if (from->rail == RECORD_RAIL_DIRECT)
        return report_set(r, SOUK_ENOT_ALLOWED, "the direct rail holds nothing that could be moved");
    if (from->rail != to->rail || memcmp(&from->issuer, &to->issuer, sizeof from->issuer) != 0 ||
        !id_eq(&from->contract, &to->contract) || !id_eq(&from->stub, &to->stub) ||
        !currency_eq(&from->amount.currency, &to->amount.currency) ||
        from->amount.minor != to->amount.minor || !keys_same(from, to, RAIL_BUYER) ||
        !keys_same(from, to, RAIL_SELLER) || memcmp(&from->late, &to->late, sizeof from->late) != 0)
        return report_set(r, SOUK_EINVALID, "a move changes who decides and when, and nothing else");
    rail_lock_id(&a, net, from);
    rail_lock_id(&b, net, to);
    return id_eq(&a, &b) ? report_set(r, SOUK_EINVALID, "the money is in this lock already") : 0;
}

static int move_make(struct buf *out, const struct network *net, const struct rail_lock *from,
                     const struct rail_lock *to, struct report *r)
{
    struct locks_note old, new;
    int err = pair_check(net, from, to, r);
    if (err)
        return err;
    locks_note(&old, net, from);
    locks_note(&new, net, to);
    struct ledger_body body = {.issuer = from->issuer,
                               .kind = LEDGER_KIND_TRANSFER,
                               .spends = &old.id,
                               .spends_n = 1,
                               .makes = &new.note,
                               .makes_n = 1};
    ledger_body_encode(out, &body);
    return 0;
}

int rail_move_id(struct id *out, const struct network *net, const struct rail_lock *from,
                 const struct rail_lock *to, struct report *r)
{
    struct buf body = {0};
    int err = move_make(&body, net, from, to, r);
    if (!err)
        transfer_id(out, net, buf_view(&body));
    buf_free(&body);
    return err;
}

int rail_move_sign(const uint8_t sk[static 64], const struct network *net, const struct rail_lock *from,
                   const struct rail_lock *to, struct sig *out, struct report *r)
{
    struct id id;
    int err = rail_move_id(&id, net, from, to, r);
    if (!err)
        sign_hash(out, sk, &id);
    return err;
}

int rail_move_check(const struct network *net, const struct rail_lock *from, const struct rail_lock *to,
                    enum rail_party by, const struct sig *sig, struct report *r)
{
    struct id id;
    int err = rail_move_id(&id, net, from, to, r);
    if (err)
        return err;
    if ((unsigned)by >= from->parties)
        return report_set(r, SOUK_EINVALID, "the lock has no such party");
    if (!sign_check(from->key[by].b, &id, sig))
        return report_set(r, SOUK_ESIGNATURE, "the signature is not over this move to this lock");
    return 0;
}

int rail_move_combine(struct buf *out, const struct network *net, const struct rail_lock *from,
                      const struct rail_lock *to, enum rail_party a, const struct sig *sig_a,
                      enum rail_party b, const struct sig *sig_b, struct report *r)
{
    struct buf body = {0};
    int err = rail_move_check(net, from, to, a, sig_a, r);
    if (!err)
        err = rail_move_check(net, from, to, b, sig_b, r);
    if (!err)
        err = move_make(&body, net, from, to, r);
    if (!err)
        err = locks_combine(out, from, buf_view(&body), a, sig_a, b, sig_b, r);
    buf_free(&body);
    return err;
}

bool locks_moved(const struct rail_lock *lock, const struct transfer *t, struct id *note)
{
    const struct ledger_note *made = t->body.makes;
    struct trade_key key;
    if (t->body.spends_n != 1 || t->body.makes_n != 1 || made->minor != (uint64_t)lock->amount.minor ||
        lock_is_simple(&made->lock, &key) || !made->lock.has_contract ||
        !id_eq(&made->lock.contract, &lock->contract))
        return false;
    *note = t->make_ids[0];
    return true;
}
