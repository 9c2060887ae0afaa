/* vec_ledger.c: spec/vectors/ledger.json, checked: notes, locks, transfers, leaves, heads, receipts
 * (spec/credit.md).  make_ledger.c makes it. */
#include "node/rail/locks.h"
#include "tests/vectors/own.h"

static bool identity_of(struct span test, const char *name, struct identity *out, struct arena *a)
{
    struct span bytes = own_field(test, name, a);
    if (bytes.n == sizeof *out)
        memcpy(out->b, bytes.p, bytes.n);
    return bytes.n == sizeof *out;
}

static const char *note_try(const struct network *net, struct span test, struct arena *a)
{
    struct ledger_note note;
    struct ledger_made made;
    struct identity issuer;
    struct id id;
    int err = ledger_note_decode(&note, own_field(test, "note", a), a, NULL);
    if (!err)
        err = note_check(&note, NULL);
    if (err || !identity_of(test, "issuer", &issuer, a))
        return own_class(err ? err : SOUK_EFORM);
    note_made(&made, net, &note);
    note_id(&id, net, &issuer, &made);
    return own_same(test, "value", SPAN_OF(made.value)) && own_same(test, "stub", SPAN_OF(made.stub)) &&
                   own_same(test, "id", SPAN_OF(id))
               ? "good"
               : "other: a hash";
}

static const char *escrow_try(const struct network *net, struct span test, struct arena *a)
{
    struct rail_lock lock;
    struct locks_note note;
    struct buf bytes = {0};
    struct id id;
    int err = rail_lock_decode(&lock, own_field(test, "escrow", a), NULL);
    if (err)
        return own_class(err);
    rail_lock_id(&id, net, &lock);
    locks_note(&note, net, &lock);
    ledger_note_encode(&bytes, &note.note);
    bool good = own_same(test, "lock_id", SPAN_OF(id)) && own_same(test, "note", buf_view(&bytes)) &&
                own_same(test, "note_id", SPAN_OF(note.id));
    buf_free(&bytes);
    return good ? "good" : "other: the lock";
}

static const char *payout_try(const struct network *net, struct span test, struct arena *a)
{
    struct rail_lock lock;
    struct rail_split split = {{0}};
    struct buf body = {0};
    struct id id;
    struct span parts = vec_field(test, "split");
    for (size_t i = 0; i < RAIL_PARTIES; i++)
        split.minor[i] = vec_number(vec_item(parts, i), 0);
    int err = rail_lock_decode(&lock, own_field(test, "escrow", a), NULL);
    if (!err)
        err = rail_payout_make(&body, net, &lock, &split, NULL);
    if (!err)
        err = rail_payout_id(&id, net, &lock, &split, NULL);
    const char *found = own_class(err);
    if (!err && !(own_same(test, "body", buf_view(&body)) && own_same(test, "id", SPAN_OF(id))))
        found = "other: body or id";
    buf_free(&body);
    return found;
}

static const char *move_try(const struct network *net, struct span test, struct arena *a)
{
    struct rail_lock from, to;
    struct id id;
    int err = rail_lock_decode(&from, own_field(test, "escrow", a), NULL);
    if (!err)
        err = rail_lock_decode(&to, own_field(test, "to", a), NULL);
    if (!err)
        err = rail_move_id(&id, net, &from, &to, NULL);
    if (err)
        return own_class(err);
    return own_same(test, "id", SPAN_OF(id)) ? "good" : "other: id";
}

/* A ledger with one note, whose opening the vector gives, and one member. */
struct world {
    struct span opening;
    struct id note;
    struct identity member;
    uint64_t left;
};
static bool world_note(void *arg, const struct id *note, struct span *opening, struct id *spent_by)
{
    struct world *w = arg;
    *opening = w->opening;
    memset(spent_by, 0, sizeof *spent_by);
    return w->opening.n && id_eq(note, &w->note);
}
static bool world_left(void *arg, const struct identity *member, uint64_t *minor)
{
    struct world *w = arg;
    *minor = w->left;
    return identity_eq(member, &w->member);
}

static const char *transfer_try(const struct network *net, struct span test, struct arena *a)
{
    struct world w = {.opening = own_field(test, "note", a), .left = 100};
    struct transfer_world around = {.net = net,
                                    .now_ms = vec_number(vec_field(test, "now"), 0),
                                    .note = world_note,
                                    .left = world_left,
                                    .arg = &w};
    struct transfer_refusal refusal;
    struct transfer t;
    struct ledger_note note;
    if (!identity_of(test, "issuer", &around.issuer, a))
        return "form";
    around.key = around.issuer;
    identity_of(test, "member", &w.member, a);
    if (w.opening.n && ledger_note_decode(&note, w.opening, a, NULL) == 0)
        note_id_of(&w.note, net, &around.issuer, &note);
    int err = transfer_parse(&t, net, own_field(test, "transfer", a), a, NULL);
    if (err)
        return own_class(err);
    if (!own_same(test, "id", SPAN_OF(t.id)))
        return "other: id";
    return transfer_check(&t, &around, a, &refusal, NULL) ? "good" : ledger_refusal_name(refusal.why);
}

static const char *entry_try(const struct network *net, struct span test, struct arena *a)
{
    struct transfer t;
    struct buf entry = {0};
    struct id leaf;
    int err = transfer_parse(&t, net, own_field(test, "transfer", a), a, NULL);
    if (err)
        return own_class(err);
    transfer_entry(&entry, &t, vec_number(vec_field(test, "time"), 0));
    merkle_leaf(&leaf, buf_view(&entry));
    bool good = own_same(test, "entry", buf_view(&entry)) && own_same(test, "leaf", SPAN_OF(leaf));
    buf_free(&entry);
    return good ? "good" : "other: entry or leaf";
}

static const char *head_try(const struct network *net, struct span test, struct arena *a)
{
    struct ledger_tree_head head;
    struct identity issuer, key;
    int err = ledger_tree_head_decode(&head, own_field(test, "head", a), a, NULL);
    if (err || !identity_of(test, "issuer", &issuer, a) || !identity_of(test, "key", &key, a))
        return own_class(err ? err : SOUK_EFORM);
    return head_check(net, &issuer, &key, &head) ? "good" : "signature";
}

static const char *receipt_try(const struct network *net, struct span test, struct arena *a)
{
    struct ledger_receipt receipt;
    struct ledger_entry entry;
    struct identity issuer, key;
    int err = ledger_receipt_decode(&receipt, own_field(test, "receipt", a), a, NULL);
    if (err || !identity_of(test, "issuer", &issuer, a) || !identity_of(test, "key", &key, a))
        return own_class(err ? err : SOUK_EFORM);
    return own_class(receipt_check(&entry, net, &issuer, &key, &receipt, a, NULL));
}

static const char *consistency_try(const struct network *net, struct span test, struct arena *a)
{
    struct ledger_consistency m;
    struct id one, two;
    (void)net;
    int err = ledger_consistency_decode(&m, own_field(test, "bytes", a), a, NULL);
    if (err || !vec_hex_fixed(vec_field(test, "first_root"), one.b, sizeof one.b) ||
        !vec_hex_fixed(vec_field(test, "second_root"), two.b, sizeof two.b))
        return own_class(err ? err : SOUK_EFORM);
    return merkle_consistency_ok(m.first, &one, m.second, &two, m.path, m.path_n) ? "good" : "conflict";
}

static const char *join_try(const struct network *net, struct span test, struct arena *a)
{
    struct ledger_join m;
    struct id hash;
    int err = ledger_join_decode(&m, own_field(test, "bytes", a), a, NULL);
    if (err)
        return own_class(err);
    join_hash(&hash, net, &m);
    return sign_check(m.member.b, &hash, &m.sig) ? "good" : "signature";
}

static const char *funding_try(const struct network *net, struct span test, struct arena *a)
{
    struct identity issuer, key;
    struct id stub;
    if (!identity_of(test, "issuer", &issuer, a) || !identity_of(test, "key", &key, a) ||
        !vec_hex_fixed(vec_field(test, "stub"), stub.b, sizeof stub.b))
        return "form";
    return own_class(
        funding_proof_check(net, own_field(test, "proof", a), &stub, &issuer, &key, NULL, NULL));
}

static const char *fraud_try(const struct network *net, struct span test, struct arena *a)
{
    struct identity key;
    if (!identity_of(test, "key", &key, a))
        return "form";
    return own_class(fraud_check(net, own_field(test, "body", a), &key, NULL));
}

int vec_ledger(struct span json, struct vec_result *result)
{
    static const struct own_what whats[] = {{"note", note_try},         {"escrow", escrow_try},
                                            {"payout", payout_try},     {"move", move_try},
                                            {"transfer", transfer_try}, {"entry", entry_try},
                                            {"head", head_try},         {"receipt", receipt_try},
                                            {"join", join_try},         {"consistency", consistency_try},
                                            {"funding", funding_try},   {"fraud", fraud_try}};
    return own_run(json, result, whats, sizeof whats / sizeof *whats);
}
