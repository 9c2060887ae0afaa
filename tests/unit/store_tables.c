// links: store
#include "tests/unit/store_help.h"

static struct op ledger_op(uint64_t transfer, const struct id *spends, size_t spends_n,
                           const struct id *makes, size_t makes_n)
{
    struct op op = {.kind = OP_LEDGER};
    op.ledger.transfer = id_of(transfer);
    op.ledger.leaf = id_of(transfer + 1000);
    op.ledger.spends = spends;
    op.ledger.spends_n = spends_n;
    op.ledger.makes = makes;
    op.ledger.makes_n = makes_n;
    op.ledger.bytes = span_str("transfer");
    return op;
}

static bool count_facts(void *arg, const struct id *fact, const struct identity *author, uint32_t epoch,
                        uint32_t seq, struct span bytes)
{
    (void)fact;
    (void)author;
    (void)epoch;
    assert_int_equal(bytes.p[0], 'f');
    *(uint32_t *)arg = *(uint32_t *)arg * 10 + seq;
    return true;
}

static bool count_trades(void *arg, const struct id *trade)
{
    (void)trade;
    ++*(int *)arg;
    return true;
}

static void facts_are_kept_in_order_and_two_stories_both_stay(void **state)
{
    struct bench *b = *state;
    struct identity a = person(1);
    struct id trade = id_of(1), other = id_of(2);
    uint64_t number;
    for (uint32_t seq = 3; seq > 0; seq--) {
        struct id fact = id_of(100 + seq);
        struct change *c = change_new(0, 0, 0);
        change_fact(c, &trade, &fact, &a, 0, seq, span_str("fact"));
        assert_int_equal(once(b, c, &number), OP_STORED);
        assert_int_equal(number, 0);
    }
    struct id fact = id_of(102), story = id_of(200);
    struct change *c = change_new(0, 0, 0);
    change_fact(c, &trade, &fact, &a, 0, 2, span_str("fact"));
    assert_int_equal(once(b, c, NULL), OP_DUPLICATE);
    c = change_new(0, 0, 0);
    change_fact(c, &trade, &story, &a, 0, 2, span_str("fiction"));
    assert_int_equal(once(b, c, &number), OP_STORED);
    assert_int_equal(number, 1);
    c = change_new(0, 0, 0);
    fact = id_of(300);
    change_fact(c, &other, &fact, &a, 0, 1, span_str("f"));
    once(b, c, NULL);
    bench_reopen(b);
    uint32_t seqs = 0;
    view_facts(b->view, &trade, count_facts, &seqs);
    assert_int_equal(seqs, 1223);
    int trades = 0;
    view_trades(b->view, count_trades, &trades);
    assert_int_equal(trades, 2);
    struct span bytes;
    struct id of;
    assert_true(view_fact(b->view, &story, &of, &bytes));
    assert_true(id_eq(&of, &trade));
    assert_true(span_eq(bytes, span_str("fiction")));
    assert_false(view_fact(b->view, &trade, &of, &bytes));
    assert_sound(b);
}

static void stock_is_never_oversold_even_within_one_batch(void **state)
{
    struct bench *b = *state;
    enum { BUYERS = 50, STOCK = 7 };
    struct change *changes[BUYERS];
    struct id listing = id_of(1);
    for (uint64_t i = 0; i < BUYERS; i++) {
        struct id holder = id_of(100 + i);
        changes[i] = change_new(0, 0, i);
        change_stock(changes[i], &listing, &holder, 1 + (uint32_t)(i % 2), STOCK, 1000, 10);
        change_event(changes[i], span_str("taken")); /* what follows happens only if it was taken */
    }
    assert_int_equal(store_apply(b->store, changes, BUYERS), 0);
    view_renew(b->view);
    uint32_t taken = 0;
    for (int i = 0; i < BUYERS; i++) {
        bool got = changes[i]->ops[0].result == OP_STORED;
        assert_int_equal(changes[i]->ops[0].result, got ? OP_STORED : OP_QUOTA);
        assert_int_equal(changes[i]->ops[1].result, got ? OP_STORED : OP_SKIPPED);
        taken += got ? 1 + (uint32_t)(i % 2) : 0;
        change_free(changes[i]);
    }
    assert_int_equal(taken, STOCK);
    assert_int_equal(view_stock_taken(b->view, &listing, 10), STOCK);
    assert_int_equal(view_stock_taken(b->view, &listing, 1000), 0); /* a reservation ends by itself */
    struct id first = id_of(100), late = id_of(500);
    uint64_t left;
    struct change *c = change_new(0, 0, 0);
    change_stock(c, &listing, &first, 0, STOCK, 0, 20); /* given back */
    assert_int_equal(once(b, c, NULL), OP_STORED);
    c = change_new(0, 0, 0);
    change_stock(c, &listing, &late, 2, STOCK, 1000, 20);
    assert_int_equal(once(b, c, &left), OP_QUOTA);
    assert_int_equal(left, 1);
    c = change_new(0, 0, 0);
    change_stock(c, &listing, &late, 1, STOCK, INT64_MAX, 20);
    assert_int_equal(once(b, c, NULL), OP_STORED);
    expire(b, 2000);
    assert_int_equal(view_stock_taken(b->view, &listing, 0), 1); /* sold for good */
    assert_sound(b);
}

static void a_holder_who_asks_again_replaces_what_it_holds(void **state)
{
    struct bench *b = *state;
    struct id listing = id_of(1), holder = id_of(2);
    for (uint32_t take = 1; take <= 4; take++) {
        struct change *c = change_new(0, 0, 0);
        change_stock(c, &listing, &holder, take, 3, 1000, 10);
        assert_int_equal(once(b, c, NULL), take <= 3 ? OP_STORED : OP_QUOTA);
    }
    assert_int_equal(view_stock_taken(b->view, &listing, 10), 3);
}

static void a_guarded_put_tells_what_stood_in_the_way(void **state)
{
    struct bench *b = *state;
    struct span key = span_str("key"), value, one = span_str("one"), two = span_str("two");
    struct change *c = change_new(0, 0, 0);
    change_put_if(c, TABLE_TRADE, key, one, NULL);
    assert_int_equal(once(b, c, NULL), OP_STORED);
    c = change_new(0, 0, 0);
    change_put_if(c, TABLE_TRADE, key, one, NULL);
    assert_int_equal(once(b, c, NULL), OP_DUPLICATE);
    c = change_new(0, 0, 0);
    change_put_if(c, TABLE_TRADE, key, two, NULL);
    change_event(c, span_str("never"));
    assert_int_equal(apply_one(b, c), 0);
    assert_int_equal(c->ops[0].result, OP_CONFLICT);
    assert_true(span_eq(c->ops[0].found, one));
    assert_int_equal(c->ops[1].result, OP_SKIPPED);
    change_free(c);
    c = change_new(0, 0, 0);
    change_put_if(c, TABLE_TRADE, key, two, &one);
    assert_int_equal(once(b, c, NULL), OP_STORED);
    c = change_new(0, 0, 0);
    change_put_if(c, TABLE_TRADE, key, span_str("three"), &one);
    assert_int_equal(once(b, c, NULL), OP_CONFLICT);
    assert_true(view_get(b->view, TABLE_TRADE, key, &value));
    assert_true(span_eq(value, two));
    assert_false(view_get(b->view, TABLE_META, key, &value));
    c = change_new(0, 0, 0);
    change_delete(c, TABLE_TRADE, key);
    assert_int_equal(once(b, c, NULL), OP_STORED);
    c = change_new(0, 0, 0);
    change_delete(c, TABLE_TRADE, key);
    assert_int_equal(once(b, c, NULL), OP_DUPLICATE);
    assert_false(view_get(b->view, TABLE_TRADE, key, &value));
}

static void a_lone_operation_does_not_end_its_change(void **state)
{
    struct bench *b = *state;
    struct change *c = change_new(0, 0, 0);
    change_delete(c, TABLE_META, span_str("absent"))->lone = true;
    change_event(c, span_str("goes on"));
    assert_int_equal(apply_one(b, c), 0);
    assert_int_equal(c->ops[0].result, OP_DUPLICATE);
    assert_int_equal(c->ops[1].result, OP_STORED);
    change_free(c);
}

static bool keys(void *arg, struct span key, struct span value)
{
    struct buf *out = arg;
    buf_append(out, key.p, key.n);
    buf_append(out, value.p, value.n);
    return out->n < 8;
}

static void small_tables_are_walked_by_prefix_both_ways(void **state)
{
    struct bench *b = *state;
    const char *all[] = {"a1", "b1", "b2", "b3", "b\xff", "c1"};
    struct change *c = change_new(0, 0, 0);
    for (int i = 0; i < 6; i++)
        change_put(c, TABLE_DRAFT, span_str(all[i]), span_str("="));
    change_put(c, TABLE_MEMBER, span_str("b9"), span_str("another table"));
    once(b, c, NULL);
    struct buf got = {0};
    view_scan(b->view, TABLE_DRAFT, span_str("b"), span(NULL, 0), keys, &got);
    assert_true(span_eq(buf_view(&got), span_str("b1=b2=b3=")));
    buf_clear(&got);
    view_scan(b->view, TABLE_DRAFT, span_str("b"), span_str("b2x"), keys, &got);
    assert_true(span_eq(buf_view(&got), span_str("b3=b\xff=")));
    buf_clear(&got);
    view_scan(b->view, TABLE_DRAFT, span_str("b"), span_str("a"), keys, &got);
    assert_true(span_eq(buf_view(&got), span_str("b1=b2=b3=")));
    buf_clear(&got);
    view_scan_back(b->view, TABLE_DRAFT, span_str("b"), keys, &got);
    assert_true(span_eq(buf_view(&got), span_str("b\xff=b3=b2=")));
    buf_clear(&got);
    view_scan_back(b->view, TABLE_DRAFT, span(NULL, 0), keys, &got);
    assert_true(span_eq(buf_view(&got), span_str("c1=b\xff=b3=")));
    buf_free(&got);
}

static void a_refusal_is_forgotten_when_its_time_is_up(void **state)
{
    struct bench *b = *state;
    struct id hash = id_of(1);
    struct span value;
    uint8_t until[8];
    for (uint64_t at = 100; at <= 200; at += 100) { /* refused again: kept to the later time */
        struct change *c = change_new(0, 0, 0);
        be64_put(until, at);
        change_put(c, TABLE_REFUSED, SPAN_OF(hash), SPAN_OF(until));
        once(b, c, NULL);
    }
    expire(b, 150);
    assert_true(view_get(b->view, TABLE_REFUSED, SPAN_OF(hash), &value));
    expire(b, 200);
    assert_false(view_get(b->view, TABLE_REFUSED, SPAN_OF(hash), &value));
}

static bool seqs(void *arg, uint64_t seq, int64_t due, struct span bytes)
{
    uint64_t *out = arg;
    assert_true(bytes.n > 0 && due > 0);
    *out = *out * 10 + seq;
    return true;
}

static void the_outbox_keeps_one_entry_a_tag_in_order_of_what_is_due(void **state)
{
    struct bench *b = *state;
    uint64_t number, got = 0;
    for (uint64_t i = 1; i <= 3; i++) {
        struct id tag = id_of(i);
        struct change *c = change_new(0, 0, 0);
        change_out(c, &tag, span_str("envelope"), 400 - 100 * (int64_t)i);
        assert_int_equal(once(b, c, &number), OP_STORED);
        assert_int_equal(number, i);
    }
    struct id tag = id_of(2);
    struct change *c = change_new(0, 0, 0);
    change_out(c, &tag, span_str("again"), 1);
    assert_int_equal(once(b, c, &number), OP_DUPLICATE);
    assert_int_equal(number, 2);
    assert_int_equal(view_out_next(b->view), 100);
    view_out_due(b->view, 200, seqs, &got);
    assert_int_equal(got, 32);
    c = change_new(0, 0, 0);
    change_out_due(c, 3, 900, span_str("sealed again"));
    assert_int_equal(once(b, c, NULL), OP_STORED);
    struct span bytes;
    assert_true(view_out(b->view, 3, &bytes));
    assert_true(span_eq(bytes, span_str("sealed again")));
    c = change_new(0, 0, 0);
    change_out_due(c, 3, 950, span(NULL, 0));
    once(b, c, NULL);
    assert_true(view_out(b->view, 3, &bytes));
    assert_true(span_eq(bytes, span_str("sealed again")));
    assert_sound(b);
    c = change_new(0, 0, 0);
    change_out_done(c, 2);
    assert_int_equal(once(b, c, NULL), OP_STORED);
    c = change_new(0, 0, 0);
    change_out_done(c, 2);
    assert_int_equal(once(b, c, NULL), OP_DUPLICATE);
    uint64_t seq;
    assert_false(view_out_tag(b->view, &tag, &seq));
    got = 0;
    view_out_due(b->view, 1000, seqs, &got);
    assert_int_equal(got, 13);
    got = 0;
    view_out_all(b->view, seqs, &got);
    assert_int_equal(got, 13);
    assert_sound(b);
}

static bool events(void *arg, uint64_t seq, struct span bytes)
{
    (void)bytes;
    uint64_t *out = arg;
    *out = *out * 10 + seq;
    return true;
}

static void events_are_numbered_and_read_on_from_a_cursor(void **state)
{
    struct bench *b = *state;
    uint64_t got = 0;
    for (int i = 0; i < 4; i++) {
        struct change *c = change_new(0, 0, 0);
        change_event(c, span_str("event"));
        once(b, c, NULL);
    }
    bench_reopen(b);
    view_events(b->view, 2, events, &got);
    assert_int_equal(got, 34);
    assert_int_equal(view_event_last(b->view), 4);
    got = 0;
    view_events(b->view, UINT64_MAX, events, &got);
    assert_int_equal(got, 0);
}

static enum op_result transfer(struct bench *b, uint64_t n, const struct id *spends, size_t spends_n,
                               const struct id *makes, size_t makes_n, uint64_t *number, struct id *found)
{
    struct op op = ledger_op(n, spends, spends_n, makes, makes_n);
    struct span data[4] = {span_str("opening"), span_str("opening"), span_str("opening"),
                           span_str("opening")};
    op.ledger.makes_data = data;
    struct change *c = change_new(0, 0, 0);
    change_ledger(c, &op);
    assert_int_equal(apply_one(b, c), 0);
    enum op_result r = c->ops[0].result;
    *number = c->ops[0].number;
    memset(found, 0, sizeof *found);
    if (c->ops[0].found.n == 32)
        memcpy(found, c->ops[0].found.p, 32);
    change_free(c);
    return r;
}

static void a_note_is_spent_once_and_a_second_spender_is_shown_the_first(void **state)
{
    struct bench *b = *state;
    struct id n1 = id_of(1), n2 = id_of(2), n3 = id_of(3), found, twice[2] = {n2, n2};
    uint64_t number;
    assert_int_equal(transfer(b, 10, NULL, 0, &n1, 1, &number, &found), OP_STORED);
    assert_int_equal(transfer(b, 11, &n1, 1, &n2, 1, &number, &found), OP_STORED);
    assert_int_equal(number, 1);
    assert_int_equal(transfer(b, 11, &n1, 1, &n2, 1, &number, &found), OP_DUPLICATE);
    assert_int_equal(number, 1);
    assert_int_equal(transfer(b, 12, &n1, 1, &n3, 1, &number, &found), OP_CONFLICT);
    struct id first = id_of(11);
    assert_true(id_eq(&found, &first));
    assert_int_equal(transfer(b, 13, &n3, 1, NULL, 0, &number, &found), OP_CONFLICT); /* unknown */
    assert_true(is_zero(&found, 32));
    assert_int_equal(transfer(b, 14, twice, 2, &n3, 1, &number, &found), OP_CONFLICT);
    assert_int_equal(transfer(b, 15, NULL, 0, &n2, 1, &number, &found), OP_CONFLICT); /* made already */
    struct id by;
    struct span data;
    assert_true(view_ledger_note(b->view, &n1, &by, &data));
    assert_true(id_eq(&by, &first));
    assert_true(span_eq(data, span_str("opening")));
    assert_true(view_ledger_note(b->view, &n2, &by, &data));
    assert_true(is_zero(&by, 32));
    assert_false(view_ledger_note(b->view, &n3, &by, &data));
    uint64_t index;
    assert_true(view_ledger_transfer(b->view, &first, &index));
    assert_int_equal(index, 1);
    assert_int_equal(view_ledger_size(b->view), 2);
    assert_sound(b);
}

static void of_two_spends_of_a_note_in_one_batch_the_first_stands(void **state)
{
    struct bench *b = *state;
    struct id note = id_of(1), found, made[2] = {id_of(2), id_of(3)};
    uint64_t number;
    transfer(b, 10, NULL, 0, &note, 1, &number, &found);
    struct change *c[2];
    for (uint64_t i = 0; i < 2; i++) {
        struct op op = ledger_op(20 + i, &note, 1, &made[i], 1);
        c[i] = change_new(0, 0, 0);
        change_ledger(c[i], &op);
    }
    assert_int_equal(store_apply(b->store, c, 2), 0);
    assert_int_equal(c[0]->ops[0].result, OP_STORED);
    assert_int_equal(c[1]->ops[0].result, OP_CONFLICT);
    struct id first = id_of(20);
    assert_true(span_eq(c[1]->ops[0].found, SPAN_OF(first)));
    change_free(c[0]);
    change_free(c[1]);
}

static void the_ledgers_tree_is_that_of_rfc_6962(void **state)
{
    struct bench *b = *state;
    struct id found, hash, right;
    uint64_t number;
    for (uint64_t i = 0; i < 7; i++)
        transfer(b, 10 + i, NULL, 0, NULL, 0, &number, &found);
    assert_true(view_ledger_node(b->view, 0, 6, &hash));
    struct id leaf = id_of(1016);
    assert_true(id_eq(&hash, &leaf));
    assert_true(view_ledger_node(b->view, 1, 2, &right));
    assert_true(view_ledger_node(b->view, 2, 0, &hash));
    assert_false(view_ledger_node(b->view, 1, 3, &hash)); /* not complete yet */
    assert_false(view_ledger_node(b->view, 3, 0, &hash));
    assert_sound(b);
}

static bool count_mail(void *arg, const struct id *id, int64_t expires, struct span bytes)
{
    (void)id;
    (void)expires;
    *(size_t *)arg += bytes.n;
    return true;
}

static enum op_result leave(struct bench *b, uint64_t n, bool ticket, int64_t expires)
{
    static uint8_t body[100];
    struct op op = {.kind = OP_MAIL};
    op.mail.mailbox = id_of(1);
    op.mail.id = id_of(n);
    op.mail.expires = expires;
    op.mail.bytes = SPAN_OF(body);
    op.mail.ticket = ticket;
    op.mail.quota_bytes = 1000;
    struct change *c = change_new(0, 0, 0);
    change_mail(c, &op);
    return once(b, c, NULL);
}

static void half_of_a_mailbox_is_kept_for_those_with_tickets(void **state)
{
    struct bench *b = *state;
    struct id mailbox = id_of(1), id = id_of(10);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(leave(b, 10 + i, false, 100 + (int64_t)i), OP_STORED);
    assert_int_equal(leave(b, 10, false, 100), OP_DUPLICATE);
    assert_int_equal(leave(b, 20, false, 100), OP_QUOTA);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(leave(b, 30 + i, true, 500), OP_STORED);
    assert_int_equal(leave(b, 40, true, 500), OP_QUOTA);
    assert_sound(b);
    struct change *c = change_new(0, 0, 0);
    change_mail_drop(c, &mailbox, &id);
    assert_int_equal(once(b, c, NULL), OP_STORED);
    assert_int_equal(leave(b, 20, false, 100), OP_STORED);
    expire(b, 200);
    size_t bytes = 0;
    view_mail(b->view, &mailbox, count_mail, &bytes);
    assert_int_equal(bytes, 500);
    assert_sound(b);
    expire(b, 500);
    struct store_stats stats;
    view_stats(b->view, &stats);
    assert_int_equal(stats.mails, 0);
    assert_sound(b);
}

/* Mail is not evicted, so what strangers leave must not push out everything else. */
static void over_quota_no_mail_is_taken_in_for_others(void **state)
{
    (void)state;
    struct bench *b = bench_new(64 << 20, 1 << 20);
    static uint8_t body[40000];
    struct op op = {.kind = OP_MAIL};
    op.mail.mailbox = id_of(1);
    op.mail.expires = 1000;
    op.mail.bytes = SPAN_OF(body);
    op.mail.ticket = true;
    op.mail.quota_bytes = 8 << 20;
    enum op_result r = OP_STORED;
    size_t n = 0;
    while (r == OP_STORED && ++n < 100) {
        op.mail.id = id_of(100 + n);
        struct change *c = change_new(0, 0, 0);
        change_mail(c, &op);
        r = once(b, c, NULL);
    }
    assert_int_equal(r, OP_QUOTA);
    assert_true(n > 20 && n < 30);
    op.mail.own = true;
    struct change *c = change_new(0, 0, 0);
    change_mail(c, &op);
    assert_int_equal(once(b, c, NULL), OP_STORED);
    assert_sound(b);
    bench_free(b);
}

static struct op chunk_op(uint64_t root, uint32_t index, bool own, int64_t now)
{
    static uint8_t bytes[65536];
    struct op op = {.kind = OP_CHUNK};
    op.chunk.root = id_of(root);
    op.chunk.index = index;
    op.chunk.bytes = SPAN_OF(bytes);
    op.chunk.proof = span_str("proof");
    op.chunk.info = span_str("info");
    op.chunk.own = own;
    op.chunk.now = now;
    return op;
}

static enum op_result put_chunk(struct bench *b, struct op op)
{
    struct change *c = change_new(0, 0, 0);
    change_chunk(c, &op);
    return once(b, c, NULL);
}

static void a_blobs_chunks_are_kept_counted_and_dropped_together(void **state)
{
    struct bench *b = *state;
    struct id root = id_of(1);
    struct span bytes, proof, info;
    uint32_t held;
    assert_int_equal(put_chunk(b, chunk_op(1, 0, false, 10)), OP_STORED);
    assert_int_equal(put_chunk(b, chunk_op(1, 2, false, 20)), OP_STORED);
    assert_int_equal(put_chunk(b, chunk_op(1, 2, false, 30)), OP_DUPLICATE);
    assert_true(view_blob(b->view, &root, &info, &held));
    assert_int_equal(held, 2);
    assert_true(span_eq(info, span_str("info")));
    assert_true(view_chunk(b->view, &root, 2, &bytes, &proof));
    assert_int_equal(bytes.n, 65536);
    assert_true(span_eq(proof, span_str("proof")));
    assert_false(view_chunk(b->view, &root, 1, &bytes, &proof));
    assert_sound(b);
    assert_int_equal(put_chunk(b, chunk_op(1, 2, true, 30)), OP_DUPLICATE); /* one's own from now on */
    assert_sound(b);
    struct change *c = change_new(0, 0, 0);
    change_blob_drop(c, &root);
    assert_int_equal(once(b, c, NULL), OP_STORED);
    c = change_new(0, 0, 0);
    change_blob_drop(c, &root);
    assert_int_equal(once(b, c, NULL), OP_DUPLICATE);
    struct store_stats stats;
    view_stats(b->view, &stats);
    assert_int_equal(stats.chunks, 0);
    assert_sound(b);
}

static void over_quota_the_oldest_blobs_go_and_ones_own_stay(void **state)
{
    (void)state;
    struct bench *b = bench_new(64 * MIB, 2 * MIB);
    put_chunk(b, chunk_op(1, 0, true, 1));
    enum op_result r = OP_STORED;
    uint64_t n = 2;
    for (; r == OP_STORED && n < 100; n++)
        r = put_chunk(b, chunk_op(n, 0, false, (int64_t)n));
    assert_int_equal(r, OP_QUOTA);
    assert_int_equal(put_chunk(b, chunk_op(1, 1, true, 1)), OP_STORED);
    expire(b, 0);
    struct span info;
    uint32_t held;
    struct id own = id_of(1), oldest = id_of(2), newest = id_of(n - 2);
    assert_true(view_blob(b->view, &own, &info, &held));
    assert_int_equal(held, 2);
    assert_false(view_blob(b->view, &oldest, &info, &held));
    assert_true(view_blob(b->view, &newest, &info, &held));
    assert_int_equal(put_chunk(b, chunk_op(n, 0, false, (int64_t)n)), OP_STORED);
    assert_sound(b);
    bench_free(b);
}

static int setup(void **state)
{
    *state = bench_new(64 * MIB, 0);
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(facts_are_kept_in_order_and_two_stories_both_stay),
        T(stock_is_never_oversold_even_within_one_batch),
        T(a_holder_who_asks_again_replaces_what_it_holds),
        T(a_guarded_put_tells_what_stood_in_the_way),
        T(a_lone_operation_does_not_end_its_change),
        T(small_tables_are_walked_by_prefix_both_ways),
        T(a_refusal_is_forgotten_when_its_time_is_up),
        T(the_outbox_keeps_one_entry_a_tag_in_order_of_what_is_due),
        T(events_are_numbered_and_read_on_from_a_cursor),
        T(a_note_is_spent_once_and_a_second_spender_is_shown_the_first),
        T(of_two_spends_of_a_note_in_one_batch_the_first_stands),
        T(the_ledgers_tree_is_that_of_rfc_6962),
        T(half_of_a_mailbox_is_kept_for_those_with_tickets),
        T(a_blobs_chunks_are_kept_counted_and_dropped_together),
        cmocka_unit_test(over_quota_no_mail_is_taken_in_for_others),
        cmocka_unit_test(over_quota_the_oldest_blobs_go_and_ones_own_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
