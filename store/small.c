/* small.c: the rooms' small tables, the outbox, the event log, blobs and mailboxes. */
#include "store/db.h"

static size_t small_key(uint8_t out[static 1 + KEY_MAX_BYTES], enum table table, struct span key)
{
    MUST(key.n > 0 && key.n <= KEY_MAX_BYTES);
    out[0] = (uint8_t)table;
    memcpy(out + 1, key.p, key.n);
    return 1 + key.n;
}

/* Does the guard of a compare-and-set hold?  If not, result and found say why. */
static bool guard_holds(struct change *c, struct op *op, bool there, struct span now)
{
    if (op->put.guard == 0)
        return true;
    if (op->put.guard == 2 && there && span_eq(now, op->put.expect))
        return true;
    if (op->put.guard == 1 && !there)
        return true;
    bool same = op->kind == OP_PUT ? there && span_eq(now, op->put.value) : !there;
    op->result = same ? OP_DUPLICATE : OP_CONFLICT;
    if (!same && there)
        op->found = arena_copy(&c->arena, now);
    return false;
}

void put_apply(struct tx *t, struct change *c, struct op *op)
{
    uint8_t k[1 + KEY_MAX_BYTES];
    struct span now = {0}, key = span(k, small_key(k, op->put.table, op->put.key));
    bool there = tx_get(t, DB_SMALL, key, &now);
    if (!guard_holds(c, op, there, now))
        return;
    op->result = OP_STORED;
    if (op->kind == OP_DELETE) {
        if (!tx_del(t, DB_SMALL, key))
            op->result = OP_DUPLICATE;
        return;
    }
    tx_put(t, DB_SMALL, key, op->put.value);
    if (op->put.table == TABLE_REFUSED && op->put.key.n == 32 && op->put.value.n == 8)
        ending_put(t, (int64_t)be64_get(op->put.value.p), END_REFUSED, op->put.key);
}

/* ---- outbox ---- */

static void out_put(struct tx *t, uint64_t seq, int64_t due, const struct id *tag, struct span bytes)
{
    uint8_t key[8], at[16];
    struct buf row = {0};
    be64_put(key, seq);
    be64_put(at, (uint64_t)due);
    be64_put(at + 8, seq);
    buf_append(&row, at, 8);
    buf_append(&row, tag->b, 32);
    buf_span(&row, bytes);
    tx_put(t, DB_OUT, SPAN_OF(key), buf_view(&row));
    tx_put(t, DB_DUE, SPAN_OF(at), span(NULL, 0));
    buf_free(&row);
}

static void out_new(struct tx *t, struct op *op)
{
    struct span v;
    if (tx_get(t, DB_OUTTAG, SPAN_OF(op->out.tag), &v) && v.n == 8) {
        op->number = be64_get(v.p);
        op->result = OP_DUPLICATE;
        return;
    }
    uint8_t key[8];
    op->number = ++t->count[COUNT_OUT];
    be64_put(key, op->number);
    tx_put(t, DB_OUTTAG, SPAN_OF(op->out.tag), SPAN_OF(key));
    out_put(t, op->number, op->out.due < 0 ? 0 : op->out.due, &op->out.tag, op->out.bytes);
    op->result = OP_STORED;
}

void out_apply(struct tx *t, struct op *op)
{
    if (op->kind == OP_OUT) {
        out_new(t, op);
        return;
    }
    uint8_t key[8], at[16];
    struct span v;
    struct id tag;
    struct buf bytes = {0};
    be64_put(key, op->out_at.seq);
    op->number = op->out_at.seq;
    if (!tx_get(t, DB_OUT, SPAN_OF(key), &v) || v.n < OUT_HEAD) {
        op->result = OP_DUPLICATE; /* done already */
        return;
    }
    memcpy(at, v.p, 8);
    be64_put(at + 8, op->out_at.seq);
    memcpy(tag.b, v.p + 8, 32);
    buf_span(&bytes, op->out_at.bytes.n ? op->out_at.bytes : span(v.p + OUT_HEAD, v.n - OUT_HEAD));
    tx_del(t, DB_DUE, SPAN_OF(at));
    if (op->kind == OP_OUT_DONE) {
        tx_del(t, DB_OUT, SPAN_OF(key));
        tx_del(t, DB_OUTTAG, SPAN_OF(tag));
    } else {
        out_put(t, op->out_at.seq, op->out_at.due < 0 ? 0 : op->out_at.due, &tag, buf_view(&bytes));
    }
    buf_free(&bytes);
    op->result = OP_STORED;
}

void event_apply(struct tx *t, struct op *op)
{
    uint8_t key[8];
    op->number = ++t->count[COUNT_EVENT];
    be64_put(key, op->number);
    tx_append(t, DB_EVENT, SPAN_OF(key), op->event.bytes);
    if (op->number > EVENTS_KEPT) {
        be64_put(key, op->number - EVENTS_KEPT);
        tx_del(t, DB_EVENT, SPAN_OF(key));
    }
    op->result = OP_STORED;
}

/* ---- blobs ---- */

struct blob {
    bool own;
    int64_t touched;
    uint32_t held;
    uint64_t bytes;
};

static bool blob_get(struct tx *t, const struct id *root, struct blob *b, struct buf *info)
{
    struct span v;
    if (!tx_get(t, DB_BLOB, SPAN_OF(*root), &v) || v.n < BLOB_HEAD)
        return false;
    *b = (struct blob){.own = v.p[0], .touched = (int64_t)be64_get(v.p + 1)};
    b->held = be32_get(v.p + 9);
    b->bytes = be64_get(v.p + 13);
    buf_append(info, v.p + BLOB_HEAD, v.n - BLOB_HEAD);
    return true;
}

static void blob_age(struct tx *t, const struct id *root, const struct blob *b, bool there)
{
    uint8_t key[40];
    if (b->own)
        return;
    be64_put(key, (uint64_t)b->touched);
    memcpy(key + 8, root->b, 32);
    if (there)
        tx_put(t, DB_BAGE, SPAN_OF(key), span(NULL, 0));
    else
        tx_del(t, DB_BAGE, SPAN_OF(key));
}

static void blob_put(struct tx *t, const struct id *root, const struct blob *b, struct span info)
{
    struct buf row = {0};
    uint8_t *p = buf_grow(&row, BLOB_HEAD);
    p[0] = b->own;
    be64_put(p + 1, (uint64_t)b->touched);
    be32_put(p + 9, b->held);
    be64_put(p + 13, b->bytes);
    buf_span(&row, info);
    tx_put(t, DB_BLOB, SPAN_OF(*root), buf_view(&row));
    blob_age(t, root, b, true);
    buf_free(&row);
}

static void chunk_key(uint8_t out[static 36], const struct id *root, uint32_t index)
{
    memcpy(out, root->b, 32);
    be32_put(out + 32, index);
}

void chunk_apply(struct tx *t, struct op *op)
{
    struct blob b = {.own = op->chunk.own, .touched = op->chunk.now < 0 ? 0 : op->chunk.now};
    struct buf info = {0};
    uint8_t key[36];
    struct span v;
    if (t->over_quota && !op->chunk.own) {
        op->result = OP_QUOTA;
        return;
    }
    bool had = blob_get(t, &op->chunk.root, &b, &info);
    bool becomes_own = had && op->chunk.own && !b.own;
    chunk_key(key, &op->chunk.root, op->chunk.index);
    bool held = tx_get(t, DB_CHUNK, SPAN_OF(key), &v);
    op->result = held ? OP_DUPLICATE : OP_STORED;
    if (held && !becomes_own) {
        buf_free(&info);
        return;
    }
    if (had)
        blob_age(t, &op->chunk.root, &b, false);
    b.own = b.own || op->chunk.own;
    if (!held) {
        struct buf row = {0};
        be32_put(buf_grow(&row, 4), (uint32_t)op->chunk.proof.n);
        buf_span(&row, op->chunk.proof);
        buf_span(&row, op->chunk.bytes);
        tx_put(t, DB_CHUNK, SPAN_OF(key), buf_view(&row));
        buf_free(&row);
        b.held++;
        b.bytes += op->chunk.bytes.n;
    }
    blob_put(t, &op->chunk.root, &b, info.n ? buf_view(&info) : op->chunk.info);
    buf_free(&info);
}

void blob_drop(struct tx *t, const struct id *root, struct op *op)
{
    struct blob b;
    struct buf info = {0};
    op->result = OP_DUPLICATE;
    if (blob_get(t, root, &b, &info)) {
        op->result = OP_STORED;
        blob_age(t, root, &b, false);
        tx_del(t, DB_BLOB, SPAN_OF(*root));
        for (bool more = true; more && !t->err;) {
            struct walk w;
            uint8_t key[36];
            walk_open(&w, t->txn, t->s->dbi[DB_CHUNK]);
            walk_seek(&w, SPAN_OF(*root));
            more = walk_in(&w, SPAN_OF(*root)) && w.key.n == sizeof key;
            if (more)
                memcpy(key, w.key.p, sizeof key);
            walk_close(&w);
            if (more)
                tx_del(t, DB_CHUNK, SPAN_OF(key));
        }
    }
    buf_free(&info);
}

/* ---- mailboxes ---- */

static void mbox_get(struct tx *t, const struct id *mailbox, uint64_t *all, uint64_t *plain)
{
    struct span v;
    bool there = tx_get(t, DB_MBOX, SPAN_OF(*mailbox), &v) && v.n == MBOX_BYTES;
    *all = there ? be64_get(v.p) : 0;
    *plain = there ? be64_get(v.p + 8) : 0;
}

static void mbox_put(struct tx *t, const struct id *mailbox, uint64_t all, uint64_t plain)
{
    uint8_t row[MBOX_BYTES];
    be64_put(row, all);
    be64_put(row + 8, plain);
    if (all)
        tx_put(t, DB_MBOX, SPAN_OF(*mailbox), SPAN_OF(row));
    else
        tx_del(t, DB_MBOX, SPAN_OF(*mailbox));
}

void mail_apply(struct tx *t, struct op *op)
{
    uint8_t key[64];
    struct span v;
    uint64_t all, plain, n = op->mail.bytes.n, quota = op->mail.quota_bytes;
    memcpy(key, op->mail.mailbox.b, 32);
    memcpy(key + 32, op->mail.id.b, 32);
    if (tx_get(t, DB_MAIL, SPAN_OF(key), &v)) {
        op->result = OP_DUPLICATE;
        return;
    }
    mbox_get(t, &op->mail.mailbox, &all, &plain);
    if ((t->over_quota && !op->mail.own) || all + n > quota ||
        (!op->mail.ticket && plain + n > quota / 2)) {
        op->result = OP_QUOTA;
        return;
    }
    struct buf row = {0};
    uint8_t *p = buf_grow(&row, MAIL_HEAD);
    be64_put(p, (uint64_t)op->mail.expires);
    p[8] = op->mail.ticket;
    buf_span(&row, op->mail.bytes);
    tx_put(t, DB_MAIL, SPAN_OF(key), buf_view(&row));
    buf_free(&row);
    ending_put(t, op->mail.expires, END_MAIL, SPAN_OF(key));
    mbox_put(t, &op->mail.mailbox, all + n, plain + (op->mail.ticket ? 0 : n));
    op->result = OP_STORED;
}

void mail_drop(struct tx *t, const struct id *mailbox, const struct id *id, struct op *op)
{
    uint8_t key[64];
    struct span v;
    uint64_t all, plain;
    memcpy(key, mailbox->b, 32);
    memcpy(key + 32, id->b, 32);
    op->result = OP_DUPLICATE;
    if (!tx_get(t, DB_MAIL, SPAN_OF(key), &v) || v.n < MAIL_HEAD)
        return;
    op->result = OP_STORED;
    int64_t expires = (int64_t)be64_get(v.p);
    bool ticket = v.p[8];
    uint64_t n = v.n - MAIL_HEAD;
    tx_del(t, DB_MAIL, SPAN_OF(key));
    ending_del(t, expires, END_MAIL, SPAN_OF(key));
    mbox_get(t, mailbox, &all, &plain);
    mbox_put(t, mailbox, all > n ? all - n : 0, ticket ? plain : plain > n ? plain - n : 0);
}
