/* facts.c: trades' facts, and who has taken how much of a listing's stock. */
#include "store/db.h"

void fact_apply(struct tx *t, struct op *op)
{
    uint8_t key[FACT_KEY];
    struct span v;
    if (tx_get(t, DB_FACTID, SPAN_OF(op->fact.id), &v)) {
        op->result = OP_DUPLICATE;
        return;
    }
    memcpy(key, op->fact.trade.b, 32);
    memcpy(key + 32, op->fact.author.b, 32);
    be32_put(key + 64, op->fact.epoch);
    be32_put(key + 68, op->fact.seq);
    memcpy(key + FACT_PLACE, op->fact.id.b, 8);
    /* How many other stories stand at this place: both stay, and somebody will want to know. */
    struct walk w;
    op->number = 0;
    walk_open(&w, t->txn, t->s->dbi[DB_FACT]);
    for (walk_seek(&w, span(key, FACT_PLACE)); walk_in(&w, span(key, FACT_PLACE)); walk_next(&w))
        op->number++;
    walk_close(&w);
    struct buf row = {0};
    uint8_t *head = buf_grow(&row, FACT_HEAD);
    memcpy(head, op->fact.id.b, 32);
    checksum(head + 32, op->fact.bytes);
    buf_span(&row, op->fact.bytes);
    tx_put(t, DB_FACT, SPAN_OF(key), buf_view(&row));
    tx_put(t, DB_FACTID, SPAN_OF(op->fact.id), SPAN_OF(key));
    buf_free(&row);
    op->result = OP_STORED;
}

void stock_apply(struct tx *t, struct op *op)
{
    uint8_t key[64], row[12];
    uint64_t others = 0;
    memcpy(key, op->stock.listing.b, 32);
    memcpy(key + 32, op->stock.holder.b, 32);
    struct span v;
    bool had = tx_get(t, DB_STOCK, SPAN_OF(key), &v) && v.n == 12;
    int64_t was_until = had ? (int64_t)be64_get(v.p + 4) : 0;
    struct walk w;
    walk_open(&w, t->txn, t->s->dbi[DB_STOCK]);
    for (walk_seek(&w, span(key, 32)); walk_in(&w, span(key, 32)); walk_next(&w))
        if (w.value.n == 12 && !span_eq(w.key, SPAN_OF(key)) &&
            (int64_t)be64_get(w.value.p + 4) > op->stock.now)
            others += be32_get(w.value.p);
    walk_close(&w);
    if (op->stock.take == 0) {
        op->result = had ? OP_STORED : OP_DUPLICATE;
        tx_del(t, DB_STOCK, SPAN_OF(key));
        if (had)
            ending_del(t, was_until, END_STOCK, SPAN_OF(key));
        return;
    }
    if (others + op->stock.take > op->stock.of) {
        op->number = others < op->stock.of ? op->stock.of - others : 0;
        op->result = OP_QUOTA;
        return;
    }
    be32_put(row, op->stock.take);
    be64_put(row + 4, (uint64_t)op->stock.until);
    if (had)
        ending_del(t, was_until, END_STOCK, SPAN_OF(key));
    tx_put(t, DB_STOCK, SPAN_OF(key), SPAN_OF(row));
    ending_put(t, op->stock.until, END_STOCK, SPAN_OF(key));
    op->result = OP_STORED;
}
