/* ledger.c: an issuer's log of transfers: notes spent and made, and the Merkle tree over the leaves
 * (RFC 6962 section 2.1).  Of the tree the nodes of complete subtrees are kept: node (level, i) covers
 * leaves i·2^level up to (i+1)·2^level; roots and proofs of any size follow from these. */
#include "store/db.h"
#include <sodium.h>

static void node_key(uint8_t out[static 9], unsigned level, uint64_t index)
{
    out[0] = (uint8_t)level;
    be64_put(out + 1, index);
}

void ledger_hash(struct id *out, const struct id *left, const struct id *right)
{
    uint8_t in[65] = {1}; /* RFC 6962: 0x01 before the two children */
    memcpy(in + 1, left->b, 32);
    memcpy(in + 33, right->b, 32);
    crypto_hash_sha256(out->b, in, sizeof in);
}

static void tree_append(struct tx *t, uint64_t n, const struct id *leaf)
{
    struct id hash = *leaf;
    for (unsigned level = 0;; level++, n >>= 1) {
        uint8_t key[9];
        node_key(key, level, n);
        tx_put(t, DB_LNODE, SPAN_OF(key), SPAN_OF(hash));
        if (!(n & 1))
            return;
        struct span v;
        struct id left;
        node_key(key, level, n - 1);
        if (!tx_get(t, DB_LNODE, SPAN_OF(key), &v) || v.n != 32) {
            t->err = t->err ? t->err : SOUK_EDAMAGED;
            return;
        }
        memcpy(left.b, v.p, 32);
        ledger_hash(&hash, &left, &hash);
    }
}

static uint64_t leaves(struct tx *t)
{
    struct walk w;
    walk_open(&w, t->txn, t->s->dbi[DB_LED]);
    walk_seek_before(&w, span("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9));
    uint64_t n = w.valid && w.key.n == 8 ? be64_get(w.key.p) + 1 : 0;
    walk_close(&w);
    return n;
}

/* Every note spent is there, unspent and named once; every note made is new.  Else found says why not. */
static bool notes_good(struct tx *t, struct change *c, struct op *op)
{
    struct span v;
    for (size_t i = 0; i < op->ledger.spends_n; i++) {
        const struct id *note = &op->ledger.spends[i];
        for (size_t j = 0; j < i; j++)
            if (id_eq(note, &op->ledger.spends[j]))
                return false;
        if (!tx_get(t, DB_NOTE, SPAN_OF(*note), &v) || v.n < 32)
            return false;
        if (!is_zero(v.p, 32)) {
            op->found = arena_copy(&c->arena, span(v.p, 32));
            return false;
        }
    }
    for (size_t i = 0; i < op->ledger.makes_n; i++) {
        for (size_t j = 0; j < i; j++)
            if (id_eq(&op->ledger.makes[i], &op->ledger.makes[j]))
                return false;
        if (tx_get(t, DB_NOTE, SPAN_OF(op->ledger.makes[i]), &v))
            return false;
    }
    return true;
}

static void note_put(struct tx *t, const struct id *note, const struct id *spent_by, struct span data)
{
    struct buf row = {0};
    buf_append(&row, spent_by->b, 32);
    buf_span(&row, data);
    tx_put(t, DB_NOTE, SPAN_OF(*note), buf_view(&row));
    buf_free(&row);
}

void ledger_apply(struct tx *t, struct change *c, struct op *op)
{
    struct span v;
    if (tx_get(t, DB_LTX, SPAN_OF(op->ledger.transfer), &v) && v.n == 8) {
        op->number = be64_get(v.p);
        op->result = OP_DUPLICATE;
        return;
    }
    op->found = span(NULL, 0);
    if (!notes_good(t, c, op)) {
        op->result = OP_CONFLICT;
        return;
    }
    uint8_t key[8];
    uint64_t n = leaves(t);
    be64_put(key, n);
    struct buf row = {0};
    buf_append(&row, op->ledger.transfer.b, 32);
    buf_span(&row, op->ledger.bytes);
    tx_append(t, DB_LED, SPAN_OF(key), buf_view(&row));
    buf_free(&row);
    tx_put(t, DB_LTX, SPAN_OF(op->ledger.transfer), SPAN_OF(key));
    tree_append(t, n, &op->ledger.leaf);
    for (size_t i = 0; i < op->ledger.spends_n; i++) {
        struct span old;
        struct buf data = {0};
        if (tx_get(t, DB_NOTE, SPAN_OF(op->ledger.spends[i]), &old))
            buf_append(&data, old.p + 32, old.n - 32);
        note_put(t, &op->ledger.spends[i], &op->ledger.transfer, buf_view(&data));
        buf_free(&data);
    }
    static const struct id unspent;
    for (size_t i = 0; i < op->ledger.makes_n; i++)
        note_put(t, &op->ledger.makes[i], &unspent, op->ledger.makes_data[i]);
    op->number = n;
    op->result = OP_STORED;
}
