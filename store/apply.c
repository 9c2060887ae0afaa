/* apply.c: many changes, one transaction, one sync. */
#include "store/db.h"

static void op_apply(struct tx *t, struct change *c, struct op *op)
{
    op->found = span(NULL, 0);
    op->number = 0;
    switch (op->kind) {
    case OP_RECORD:
        record_apply(t, c, op);
        break;
    case OP_KNOWN:
        known_apply(t, op);
        break;
    case OP_EXPIRE:
        expire_apply(t, c, op);
        break;
    case OP_FACT:
        fact_apply(t, op);
        break;
    case OP_STOCK:
        stock_apply(t, op);
        break;
    case OP_PUT:
    case OP_DELETE:
        put_apply(t, c, op);
        break;
    case OP_OUT:
    case OP_OUT_DUE:
    case OP_OUT_DONE:
        out_apply(t, op);
        break;
    case OP_EVENT:
        event_apply(t, op);
        break;
    case OP_LEDGER:
        ledger_apply(t, c, op);
        break;
    case OP_CHUNK:
        chunk_apply(t, op);
        break;
    case OP_BLOB_DROP:
        blob_drop(t, &op->blob_drop.root, op);
        break;
    case OP_MAIL:
        mail_apply(t, op);
        break;
    case OP_MAIL_DROP:
        mail_drop(t, &op->mail_drop.mailbox, &op->mail_drop.id, op);
        break;
    case OP_INDEX:
        if (index_apply(t, c, op) && !t->err)
            t->err = SOUK_EINVALID;
        op->result = OP_STORED;
        break;
    }
}

static void change_apply(struct tx *t, struct change *c)
{
    bool ended = false;
    for (size_t i = 0; i < c->ops_n && !t->err; i++) {
        struct op *op = &c->ops[i];
        if (ended) {
            op->result = OP_SKIPPED;
            continue;
        }
        op_apply(t, c, op);
        ended = op->result != OP_STORED && !op->lone;
    }
}

/* Only makes room: let through even when the map is nearly full. */
static bool shrinks(const struct change *c)
{
    for (size_t i = 0; i < c->ops_n; i++)
        switch (c->ops[i].kind) {
        case OP_EXPIRE:
        case OP_DELETE:
        case OP_OUT_DUE:
        case OP_OUT_DONE:
        case OP_BLOB_DROP:
        case OP_MAIL_DROP:
            continue;
        default:
            return false;
        }
    return true;
}

/* Deleting needs pages too (copy on write), so a part of the map is kept for it. */
static bool nearly_full(struct tx *t)
{
    uint64_t all = t->s->map_bytes / t->s->page_bytes;
    uint64_t keep = all / 16 < 4096 ? all / 16 : 4096;
    return tx_used_pages(t) + keep + 64 > all;
}

int store_apply(struct store *s, struct change **changes, size_t n)
{
    struct tx t;
    int refused = 0;
    if (!tx_begin(&t, s)) {
        bool full = nearly_full(&t);
        for (size_t i = 0; i < n && !t.err; i++) {
            changes[i]->err = full && !shrinks(changes[i]) ? SOUK_EDISK_FULL : 0;
            if (changes[i]->err)
                refused = changes[i]->err;
            else
                change_apply(&t, changes[i]);
        }
    }
    int err = tx_commit(&t);
    for (size_t i = 0; i < n && err; i++)
        changes[i]->err = err;
    return err ? err : refused;
}
