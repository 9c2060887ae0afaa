/* receipt.c: signed heads, receipts that anyone can check, and the proof that an issuer signed two stories.
 */
#include "node/rail/ledger.h"
#include "record.gen.h"

void head_hash(struct id *out, const struct network *net, const struct identity *issuer, uint64_t size,
               const struct id *root, int64_t time)
{
    uint8_t size8[8], time8[8];
    be64_put(size8, size);
    be64_put(time8, (uint64_t)time);
    struct span parts[] = {SPAN_OF(*issuer), SPAN_OF(size8), SPAN_OF(*root), SPAN_OF(time8)};
    hash_souk(out, net, "souk:head", parts, 4);
}

bool head_check(const struct network *net, const struct identity *issuer, const struct identity *key,
                const struct ledger_tree_head *head)
{
    struct id hash;
    head_hash(&hash, net, issuer, head->size, &head->root, head->time);
    return sign_check(key->b, &hash, &head->sig);
}

int receipt_check(struct ledger_entry *entry, const struct network *net, const struct identity *issuer,
                  const struct identity *key, const struct ledger_receipt *receipt, struct arena *a,
                  struct report *r)
{
    struct ledger_entry e;
    struct id leaf;
    int err = ledger_entry_decode(&e, receipt->entry, a, r);
    if (err)
        return err;
    merkle_leaf(&leaf, receipt->entry);
    if (!merkle_inclusion_ok(&leaf, receipt->index, receipt->head.size, receipt->path, receipt->path_n,
                             &receipt->head.root))
        return report_set(r, SOUK_ECONFLICT, "the receipt's leaf is not in the tree that its head names");
    if (!head_check(net, issuer, key, &receipt->head))
        return report_set(r, SOUK_ESIGNATURE, "the receipt's head is not signed by the issuer's key");
    *entry = e;
    return 0;
}

bool entry_is(const struct ledger_entry *e, const struct transfer *t)
{
    return e->kind == t->body.kind && e->spends_n == t->body.spends_n && e->makes_n == t->body.makes_n &&
           (!e->spends_n || memcmp(e->spends, t->body.spends, e->spends_n * sizeof *e->spends) == 0) &&
           memcmp(e->makes, t->mades, e->makes_n * sizeof *e->makes) == 0;
}

bool entry_spends(const struct ledger_entry *e, const struct id *note)
{
    for (size_t i = 0; i < e->spends_n; i++)
        if (id_eq(&e->spends[i], note))
            return true;
    return false;
}

bool entry_makes(const struct ledger_entry *e, const struct network *net, const struct identity *issuer,
                 const struct id *note)
{
    for (size_t i = 0; i < e->makes_n; i++) {
        struct id id;
        note_id(&id, net, issuer, &e->makes[i]);
        if (id_eq(&id, note))
            return true;
    }
    return false;
}

bool fraud_make(struct buf *body, const struct network *net, const struct identity *issuer,
                const struct identity *key, const struct ledger_tree_head *a,
                const struct ledger_tree_head *b)
{
    if (a->size != b->size || id_eq(&a->root, &b->root) || !head_check(net, issuer, key, a) ||
        !head_check(net, issuer, key, b))
        return false;
    /* Both ways of telling it give the same bytes. */
    if (memcmp(&a->root, &b->root, sizeof a->root) > 0) {
        const struct ledger_tree_head *swap = a;
        a = b;
        b = swap;
    }
    struct buf one = {0}, two = {0};
    ledger_tree_head_encode(&one, a);
    ledger_tree_head_encode(&two, b);
    struct record_fraud m = {.issuer = *issuer, .first = buf_view(&one), .second = buf_view(&two)};
    record_fraud_encode(body, &m);
    buf_free(&one);
    buf_free(&two);
    return true;
}

int fraud_check(const struct network *net, struct span body, const struct identity *key, struct report *r)
{
    struct record_fraud m;
    struct ledger_tree_head a, b;
    struct arena arena;
    arena_init(&arena, 16384);
    int err = record_fraud_decode(&m, body, &arena, r);
    if (!err)
        err = ledger_tree_head_decode(&a, m.first, &arena, r);
    if (!err)
        err = ledger_tree_head_decode(&b, m.second, &arena, r);
    if (!err && (!head_check(net, &m.issuer, key, &a) || !head_check(net, &m.issuer, key, &b)))
        err = report_set(r, SOUK_ESIGNATURE, "a head is not signed by the issuer's key");
    if (!err && (a.size != b.size || id_eq(&a.root, &b.root)))
        err = report_set(r, SOUK_EINVALID, "these two heads can both be true");
    arena_free(&arena);
    return err;
}

void join_hash(struct id *out, const struct network *net, const struct ledger_join *m)
{
    uint8_t time8[8];
    be64_put(time8, (uint64_t)m->time);
    struct span parts[] = {SPAN_OF(m->issuer), SPAN_OF(m->member), SPAN_OF(time8),
                           m->has_note ? m->note : span(NULL, 0)};
    hash_souk(out, net, "souk:join", parts, 4);
}

void funding_proof_make(struct buf *out, const struct identity *issuer, const struct salt *stub_salt,
                        const struct ledger_receipt *receipt)
{
    struct ledger_funding_proof m = {.issuer = *issuer, .stub_salt = *stub_salt, .receipt = *receipt};
    ledger_funding_proof_encode(out, &m);
}

int funding_proof_check(const struct network *net, struct span proof, const struct id *stub,
                        const struct identity *issuer, const struct identity *key, int64_t *funded_at,
                        struct report *r)
{
    struct ledger_funding_proof m;
    struct ledger_entry e = {0};
    struct arena arena;
    struct id commitment;
    bool found = false;
    arena_init(&arena, 65536);
    int err = ledger_funding_proof_decode(&m, proof, &arena, r);
    if (!err && !identity_eq(&m.issuer, issuer))
        err = report_set(r, SOUK_EINVALID, "the proof is of another issuer's ledger");
    if (!err)
        err = receipt_check(&e, net, issuer, key, &m.receipt, &arena, r);
    if (!err) {
        note_stub_commitment(&commitment, net, &m.stub_salt, stub);
        for (size_t i = 0; i < e.makes_n; i++)
            found |= id_eq(&e.makes[i].stub, &commitment);
        if (!found)
            err = report_set(r, SOUK_ECONFLICT, "no note in this leaf commits to the trade's stub");
        else if (funded_at)
            *funded_at = e.time;
    }
    arena_free(&arena);
    return err;
}
