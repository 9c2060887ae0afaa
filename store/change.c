/* change.c: building changes.  A change owns copies of everything its operations point to. */
#include "store/store.h"
#include <stdlib.h>

#define CHANGE_MAX_BYTES ((size_t)256 << 20) /* far above any room's own bounds */

struct change *change_new(uint8_t room, uint32_t what, uint64_t cookie)
{
    struct change *c = xcalloc(1, sizeof *c);
    c->room = room;
    c->what = what;
    c->cookie = cookie;
    arena_init(&c->arena, CHANGE_MAX_BYTES);
    return c;
}

void change_free(struct change *c)
{
    if (!c)
        return;
    arena_free(&c->arena);
    free(c->ops);
    free(c);
}

static struct op *add(struct change *c, enum op_kind kind)
{
    if (c->ops_n == c->ops_cap) {
        c->ops_cap = c->ops_cap ? 2 * c->ops_cap : 4;
        c->ops = xrealloc(c->ops, c->ops_cap * sizeof *c->ops);
    }
    struct op *op = &c->ops[c->ops_n++];
    *op = (struct op){.kind = kind, .result = OP_SKIPPED};
    return op;
}

static struct span keep(struct change *c, struct span s)
{
    struct span copy = arena_copy(&c->arena, s);
    MUST(copy.p);
    return copy;
}

static struct op *add_filled(struct change *c, enum op_kind kind, const struct op *from)
{
    struct op filled = *from; /* `from` may lie in this change: the array can move */
    struct op *op = add(c, kind);
    filled.kind = kind;
    filled.result = OP_SKIPPED;
    *op = filled;
    return op;
}

struct op *change_record(struct change *c, const struct op *record_op)
{
    struct op *op = add_filled(c, OP_RECORD, record_op);
    op->record.topic = keep(c, op->record.topic);
    op->record.bytes = keep(c, op->record.bytes);
    return op;
}

struct op *change_known(struct change *c, const struct id *id, struct span topic, int64_t created,
                        int64_t expires, enum known_state why)
{
    struct op *op = add(c, OP_KNOWN);
    op->known.id = *id;
    op->known.topic = keep(c, topic);
    op->known.created = created;
    op->known.expires = expires;
    op->known.why = (uint8_t)why;
    return op;
}

struct op *change_expire(struct change *c, int64_t now, uint32_t limit)
{
    struct op *op = add(c, OP_EXPIRE);
    op->expire.now = now;
    op->expire.limit = limit;
    return op;
}

struct op *change_fact(struct change *c, const struct id *trade, const struct id *fact,
                       const struct identity *author, uint32_t epoch, uint32_t seq, struct span bytes)
{
    struct op *op = add(c, OP_FACT);
    op->fact.trade = *trade;
    op->fact.id = *fact;
    op->fact.author = *author;
    op->fact.epoch = epoch;
    op->fact.seq = seq;
    op->fact.bytes = keep(c, bytes);
    return op;
}

struct op *change_stock(struct change *c, const struct id *listing, const struct id *holder, uint32_t take,
                        uint32_t of, int64_t until, int64_t now)
{
    struct op *op = add(c, OP_STOCK);
    op->stock.listing = *listing;
    op->stock.holder = *holder;
    op->stock.take = take;
    op->stock.of = of;
    op->stock.until = until;
    op->stock.now = now;
    return op;
}

static struct op *put_op(struct change *c, enum op_kind kind, enum table table, struct span key)
{
    MUST(key.n > 0 && key.n <= 200 && table < TABLE_MAX);
    struct op *op = add(c, kind);
    op->put.table = table;
    op->put.key = keep(c, key);
    return op;
}

struct op *change_put(struct change *c, enum table table, struct span key, struct span value)
{
    struct op *op = put_op(c, OP_PUT, table, key);
    op->put.value = keep(c, value);
    return op;
}

struct op *change_put_if(struct change *c, enum table table, struct span key, struct span value,
                         const struct span *expect)
{
    struct op *op = change_put(c, table, key, value);
    op->put.guard = expect ? 2 : 1;
    if (expect)
        op->put.expect = keep(c, *expect);
    return op;
}

struct op *change_delete(struct change *c, enum table table, struct span key)
{
    return put_op(c, OP_DELETE, table, key);
}

struct op *change_out(struct change *c, const struct id *tag, struct span bytes, int64_t due)
{
    struct op *op = add(c, OP_OUT);
    op->out.bytes = keep(c, bytes);
    op->out.tag = *tag;
    op->out.due = due;
    return op;
}

struct op *change_out_due(struct change *c, uint64_t seq, int64_t due, struct span bytes)
{
    struct op *op = add(c, OP_OUT_DUE);
    op->out_at.seq = seq;
    op->out_at.due = due;
    op->out_at.bytes = keep(c, bytes);
    return op;
}

struct op *change_out_done(struct change *c, uint64_t seq)
{
    struct op *op = add(c, OP_OUT_DONE);
    op->out_at.seq = seq;
    return op;
}

struct op *change_event(struct change *c, struct span bytes)
{
    struct op *op = add(c, OP_EVENT);
    op->event.bytes = keep(c, bytes);
    return op;
}

static struct id *keep_ids(struct change *c, const struct id *ids, size_t n)
{
    struct id *copy = arena_array(&c->arena, n ? n : 1, sizeof *copy);
    MUST(copy);
    if (n)
        memcpy(copy, ids, n * sizeof *copy);
    return copy;
}

struct op *change_ledger(struct change *c, const struct op *ledger_op)
{
    struct op *op = add_filled(c, OP_LEDGER, ledger_op);
    const struct span *from = ledger_op->ledger.makes_data;
    size_t n = op->ledger.makes_n;
    op->ledger.spends = keep_ids(c, op->ledger.spends, op->ledger.spends_n);
    op->ledger.makes = keep_ids(c, op->ledger.makes, n);
    op->ledger.bytes = keep(c, op->ledger.bytes);
    struct span *data = arena_array(&c->arena, n ? n : 1, sizeof *data);
    MUST(data);
    for (size_t i = 0; i < n && from; i++)
        data[i] = keep(c, from[i]);
    op->ledger.makes_data = data;
    return op;
}

struct op *change_chunk(struct change *c, const struct op *chunk_op)
{
    struct op *op = add_filled(c, OP_CHUNK, chunk_op);
    op->chunk.bytes = keep(c, op->chunk.bytes);
    op->chunk.proof = keep(c, op->chunk.proof);
    op->chunk.info = keep(c, op->chunk.info);
    return op;
}

struct op *change_blob_drop(struct change *c, const struct id *root)
{
    struct op *op = add(c, OP_BLOB_DROP);
    op->blob_drop.root = *root;
    return op;
}

struct op *change_mail(struct change *c, const struct op *mail_op)
{
    struct op *op = add_filled(c, OP_MAIL, mail_op);
    op->mail.bytes = keep(c, op->mail.bytes);
    return op;
}

struct op *change_mail_drop(struct change *c, const struct id *mailbox, const struct id *id)
{
    struct op *op = add(c, OP_MAIL_DROP);
    op->mail_drop.mailbox = *mailbox;
    op->mail_drop.id = *id;
    return op;
}

struct op *change_index(struct change *c, struct span slice)
{
    struct op *op = add(c, OP_INDEX);
    op->index.slice = keep(c, slice);
    return op;
}

const char *op_result_name(enum op_result r)
{
    static const char *const names[] = {"stored",   "duplicate", "stale",  "quota",
                                        "conflict", "declined",  "skipped"};
    return (unsigned)r < sizeof names / sizeof *names ? names[r] : "unknown";
}
