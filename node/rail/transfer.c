/* transfer.c: what may be entered into a ledger, judged alike by the issuer and by whoever checks it. */
#include "node/rail/ledger.h"

void transfer_id(struct id *out, const struct network *net, struct span body)
{
    hash_souk_one(out, net, "souk:transfer", body);
}

/* Which optional parts go with which kind. */
static int parts_check(const struct transfer *t, struct report *r)
{
    const struct ledger_body *b = &t->body;
    bool draw = b->kind == LEDGER_KIND_DRAW, mint = b->kind == LEDGER_KIND_MINT;
    if (b->has_member != draw || b->has_drawn != draw)
        return report_set(r, SOUK_EINVALID, "member and drawn belong to a draw, and only to a draw");
    if (t->has_sig != (draw || mint))
        return report_set(r, SOUK_EINVALID,
                          "a mint is signed by the issuer and a draw by the member; a transfer by neither");
    if (mint && b->spends_n)
        return report_set(r, SOUK_EINVALID, "a mint spends nothing");
    if (b->kind == LEDGER_KIND_TRANSFER && !b->spends_n)
        return report_set(r, SOUK_EINVALID, "a transfer spends at least one note");
    if (t->witnesses_n != b->spends_n)
        return report_set(r, SOUK_EINVALID, "%zu witnesses for %zu notes: each note spent needs one",
                          t->witnesses_n, b->spends_n);
    for (size_t i = 1; i < b->spends_n; i++)
        if (memcmp(&b->spends[i - 1], &b->spends[i], sizeof b->spends[i]) >= 0)
            return report_set(r, SOUK_EINVALID, "the notes spent must be in rising order, each once");
    return 0;
}

int transfer_parse(struct transfer *out, const struct network *net, struct span bytes, struct arena *a,
                   struct report *r)
{
    struct ledger_transfer whole;
    struct transfer t = {.bytes = bytes};
    int err = ledger_transfer_decode(&whole, bytes, a, r);
    if (!err)
        err = ledger_body_decode(&t.body, whole.body, a, r);
    if (err)
        return err;
    t.body_bytes = whole.body;
    t.witnesses = whole.witnesses;
    t.witnesses_n = whole.witnesses_n;
    t.has_sig = whole.has_sig;
    t.sig = whole.sig;
    transfer_id(&t.id, net, t.body_bytes);
    err = parts_check(&t, r);
    if (err)
        return err;
    t.make_ids = arena_array(a, t.body.makes_n, sizeof *t.make_ids);
    t.mades = arena_array(a, t.body.makes_n, sizeof *t.mades);
    if (!t.make_ids || !t.mades)
        return report_set(r, SOUK_ERANGE, "the transfer is too large");
    for (size_t i = 0; i < t.body.makes_n; i++) {
        err = note_check(&t.body.makes[i], r);
        if (err)
            return err;
        note_made(&t.mades[i], net, &t.body.makes[i]);
        note_id(&t.make_ids[i], net, &t.body.issuer, &t.mades[i]);
        for (size_t j = 0; j < i; j++)
            if (id_eq(&t.make_ids[i], &t.make_ids[j]))
                return report_set(r, SOUK_EINVALID, "two of the notes made are the same note");
    }
    *out = t;
    return 0;
}

static bool no(struct transfer_refusal *refusal, enum ledger_refusal why, struct report *r,
               const char *words)
{
    refusal->why = why;
    report_set(r, refusal_err(why), "%s", words);
    return false;
}

/* Exactly the needed number of the branch's keys, in its order, each with a good signature. */
static bool signatures_ok(const struct ledger_branch *b, const struct ledger_witness *w,
                          const struct id *id)
{
    if (w->sigs_n != b->need)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < w->sigs_n; i++) {
        while (at < b->keys_n && memcmp(&b->keys[at], &w->sigs[i].key, sizeof b->keys[at]) != 0)
            at++;
        if (at == b->keys_n || !sign_check(w->sigs[i].key.b, id, &w->sigs[i].sig))
            return false;
        at++;
    }
    return true;
}

/* The notes made are those of the branch's split, under one key each, in its order. */
static bool split_ok(const struct ledger_branch *b, const struct ledger_body *body)
{
    if (body->spends_n != 1 || body->makes_n != b->split_n || body->kind != LEDGER_KIND_TRANSFER)
        return false;
    for (size_t i = 0; i < b->split_n; i++) {
        struct trade_key key;
        if (body->makes[i].minor != b->split[i].minor || !lock_is_simple(&body->makes[i].lock, &key) ||
            memcmp(&key, &b->split[i].key, sizeof key) != 0)
            return false;
    }
    return true;
}

static bool spend_ok(const struct transfer *t, size_t i, const struct transfer_world *w, struct arena *a,
                     uint64_t *sum, struct transfer_refusal *refusal, struct report *r)
{
    struct span opening;
    struct ledger_note note;
    const struct ledger_witness *wit = &t->witnesses[i];
    refusal->note = t->body.spends[i];
    if (!w->note(w->arg, &t->body.spends[i], &opening, &refusal->by))
        return no(refusal, LEDGER_REFUSAL_UNKNOWN_NOTE, r, "a note is spent that was never made here");
    if (!is_zero(&refusal->by, sizeof refusal->by))
        return no(refusal, LEDGER_REFUSAL_SPENT, r, "a note was spent before; see by what");
    MUST(ledger_note_decode(&note, opening, a, NULL) == 0); /* the ledger's own */
    if (wit->branch >= note.lock.branches_n)
        return no(refusal, LEDGER_REFUSAL_BRANCH, r, "the lock has no such branch");
    const struct ledger_branch *b = &note.lock.branches[wit->branch];
    if (b->from > w->now_ms)
        return no(refusal, LEDGER_REFUSAL_EARLY, r, "this branch of the lock is not open yet");
    if (b->need ? !signatures_ok(b, wit, &t->id) : wit->sigs_n != 0)
        return no(refusal, LEDGER_REFUSAL_SIGNATURE, r,
                  "the signatures are not those that this branch of the lock needs");
    if (!b->need && !split_ok(b, &t->body))
        return no(refusal, LEDGER_REFUSAL_BRANCH, r,
                  "this branch pays its own split, from this note alone, and nothing else");
    *sum += note.minor; /* at most 64 of 10^15 */
    return true;
}

bool transfer_check(const struct transfer *t, const struct transfer_world *w, struct arena *a,
                    struct transfer_refusal *refusal, struct report *r)
{
    struct transfer_refusal scratch;
    refusal = refusal ? refusal : &scratch;
    *refusal = (struct transfer_refusal){0};
    if (!identity_eq(&t->body.issuer, &w->issuer))
        return no(refusal, LEDGER_REFUSAL_ISSUER, r, "the transfer is for another issuer's ledger");
    uint64_t in = 0, out = 0, left;
    for (size_t i = 0; i < t->body.spends_n; i++)
        if (!spend_ok(t, i, w, a, &in, refusal, r))
            return false;
    for (size_t i = 0; i < t->body.makes_n; i++) {
        struct span opening;
        out += t->body.makes[i].minor;
        if (w->note(w->arg, &t->make_ids[i], &opening, &refusal->by)) {
            refusal->note = t->make_ids[i];
            return no(refusal, LEDGER_REFUSAL_EXISTS, r, "a note that it makes was made before");
        }
    }
    if (t->body.kind == LEDGER_KIND_MINT) {
        if (!sign_check(w->key.b, &t->id, &t->sig))
            return no(refusal, LEDGER_REFUSAL_MINT, r, "only the issuer can make notes out of nothing");
        return true;
    }
    if (t->body.kind == LEDGER_KIND_DRAW) {
        if (!sign_check(t->body.member.b, &t->id, &t->sig))
            return no(refusal, LEDGER_REFUSAL_SIGNATURE, r, "a draw needs the member's signature");
        if (!w->left(w->arg, &t->body.member, &left) || t->body.drawn > left)
            return no(
                refusal, LEDGER_REFUSAL_LIMIT, r,
                "this is more than the member's credit limit leaves; ask the issuer for a higher one");
        in += t->body.drawn;
    }
    if (in != out)
        return no(refusal, LEDGER_REFUSAL_SUMS, r, "what is made must be worth what is spent");
    return true;
}

bool refusal_passing(enum ledger_refusal why)
{
    return why == LEDGER_REFUSAL_EARLY || why == LEDGER_REFUSAL_BUSY;
}

int refusal_err(enum ledger_refusal why)
{
    switch (why) {
    case LEDGER_REFUSAL_FORM:
        return SOUK_EFORM;
    case LEDGER_REFUSAL_ISSUER:
    case LEDGER_REFUSAL_SUMS:
        return SOUK_EINVALID;
    case LEDGER_REFUSAL_UNKNOWN_NOTE:
        return SOUK_ENOT_FOUND;
    case LEDGER_REFUSAL_SPENT:
    case LEDGER_REFUSAL_EXISTS:
        return SOUK_ECONFLICT;
    case LEDGER_REFUSAL_BRANCH:
    case LEDGER_REFUSAL_EARLY:
    case LEDGER_REFUSAL_MINT:
        return SOUK_ENOT_ALLOWED;
    case LEDGER_REFUSAL_SIGNATURE:
        return SOUK_ESIGNATURE;
    case LEDGER_REFUSAL_LIMIT:
        return SOUK_EFUNDS;
    case LEDGER_REFUSAL_BUSY:
        return SOUK_EBUSY;
    }
    return SOUK_EREFUSED;
}

void transfer_entry(struct buf *out, const struct transfer *t, int64_t time)
{
    struct ledger_entry e = {.kind = t->body.kind,
                             .time = time,
                             .spends = t->body.spends,
                             .spends_n = t->body.spends_n,
                             .makes = t->mades,
                             .makes_n = t->body.makes_n};
    ledger_entry_encode(out, &e);
}

void transfer_write(struct buf *out, struct span body, const struct ledger_witness *witnesses, size_t n,
                    const struct sig *sig)
{
    struct ledger_transfer t = {
        .body = body, .witnesses = witnesses, .witnesses_n = n, .has_sig = sig != NULL};
    if (sig)
        t.sig = *sig;
    ledger_transfer_encode(out, &t);
}
