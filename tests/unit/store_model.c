// links: store
/* Random changes against the plainest model there is: arrays searched from end to end. */
#include "tests/unit/store_help.h"

enum { IDS = 400, SLOTS = 12, KEYS = 10, NOTES = 60 };

struct model_record {
    struct op op;
    enum known_state state; /* 0: not known */
    bool body, listed;      /* still held; in the time index */
};
struct model {
    struct model_record rec[IDS];
    bool floor_set[SLOTS];
    int64_t floor[SLOTS];
    int holder[SLOTS];   /* index into rec, -1 */
    int value[KEYS];     /* -1: absent */
    int spent_by[NOTES]; /* -2 unknown, -1 unspent */
    uint64_t events, transfers;
};

static bool wins(const struct model_record *a, const struct model_record *b)
{
    if (a->op.record.revision != b->op.record.revision)
        return a->op.record.revision > b->op.record.revision;
    return memcmp(&a->op.record.id, &b->op.record.id, 32) < 0;
}

static enum op_result model_record(struct model *m, int n, int slot)
{
    struct model_record *r = &m->rec[n];
    if (r->state == KNOWN_SUPERSEDED)
        return OP_STALE;
    if (r->state == KNOWN_STORED)
        return OP_DUPLICATE;
    int h = m->holder[slot];
    bool was_known = r->state != 0;
    int64_t expires = r->op.record.expires;
    r->listed = was_known ? r->listed : true;
    if (h >= 0 && h != n && !wins(r, &m->rec[h])) {
        r->state = KNOWN_SUPERSEDED;
        if (expires > m->floor[slot])
            m->floor[slot] = expires;
        return OP_STALE;
    }
    if (h >= 0 && h != n) {
        m->rec[h].body = false;
        m->rec[h].state = m->rec[h].listed ? KNOWN_SUPERSEDED : 0;
    }
    if (h < 0 || expires > m->floor[slot])
        m->floor[slot] = expires;
    m->holder[slot] = n;
    r->state = KNOWN_STORED;
    r->body = r->listed = true;
    return OP_STORED;
}

static void model_expire(struct model *m, int64_t now)
{
    for (int n = 0; n < IDS; n++) {
        struct model_record *r = &m->rec[n];
        if (!r->state || r->op.record.expires > now)
            continue;
        r->listed = false;
        int slot = (int)be64_get(r->op.record.slot.b);
        bool holds = r->body && m->holder[slot] == n;
        if (holds && m->floor[slot] > now)
            continue;
        if (holds)
            m->holder[slot] = -1;
        r->state = 0;
        r->body = false;
    }
}

static void compare(struct bench *b, const struct model *m)
{
    uint64_t listed = 0;
    for (int n = 0; n < IDS; n++) {
        const struct model_record *r = &m->rec[n];
        struct record_row row;
        assert_int_equal(view_known(b->view, &r->op.record.id), r->state);
        assert_int_equal(view_record(b->view, &r->op.record.id, &row), r->body);
        assert_int_equal(view_record_any(b->view, &r->op.record.id, &row),
                         r->body || r->state == KNOWN_SUPERSEDED);
        listed += r->state && r->listed;
    }
    assert_int_equal(topic_ids(b, "bikes/FR"), listed);
    for (int s = 0; s < SLOTS; s++) {
        struct identity author = person((uint64_t)s % 4);
        struct salt slot = slot_of((uint64_t)s);
        struct id id;
        uint64_t revision;
        bool held = view_slot(b->view, &author, 2, &slot, &id, &revision);
        assert_int_equal(held, m->holder[s] >= 0);
        if (held)
            assert_true(id_eq(&id, &m->rec[m->holder[s]].op.record.id));
    }
    for (int k = 0; k < KEYS; k++) {
        struct span key = span(&"0123456789"[k], 1), value;
        bool there = view_get(b->view, TABLE_META, key, &value);
        assert_int_equal(there, m->value[k] >= 0);
        if (there)
            assert_int_equal(value.p[0], m->value[k]);
    }
    for (int n = 0; n < NOTES; n++) {
        struct id note = id_of(5000 + (uint64_t)n), by;
        struct span data;
        bool there = view_ledger_note(b->view, &note, &by, &data);
        assert_int_equal(there, m->spent_by[n] > -2);
        if (there && m->spent_by[n] == -1)
            assert_true(is_zero(&by, 32));
        if (there && m->spent_by[n] >= 0) {
            struct id spender = id_of(9000 + (uint64_t)m->spent_by[n]);
            assert_true(id_eq(&by, &spender));
        }
    }
    assert_int_equal(view_event_last(b->view), m->events);
    assert_int_equal(view_ledger_size(b->view), m->transfers);
}

static void add_record(struct model *m, struct change *c, struct rng *rng, enum op_result *expect)
{
    int n = (int)rng_below(rng, IDS);
    change_record(c, &m->rec[n].op);
    *expect = model_record(m, n, (int)be64_get(m->rec[n].op.record.slot.b));
}

static void add_known(struct model *m, struct change *c, struct rng *rng, enum op_result *expect)
{
    struct model_record *r = &m->rec[rng_below(rng, IDS)];
    change_known(c, &r->op.record.id, r->op.record.topic, r->op.record.created, r->op.record.expires,
                 KNOWN_DECLINED);
    *expect = r->state ? OP_DUPLICATE : OP_STORED;
    if (!r->state) {
        r->state = KNOWN_DECLINED;
        r->listed = true;
    }
}

static void add_put(struct model *m, struct change *c, struct rng *rng, enum op_result *expect)
{
    int k = (int)rng_below(rng, KEYS), v = (int)rng_below(rng, 3);
    uint8_t byte = (uint8_t)v, was = (uint8_t)rng_below(rng, 3);
    struct span key = span(&"0123456789"[k], 1), value = span(&byte, 1), old = span(&was, 1);
    *expect = OP_STORED;
    switch (rng_below(rng, 4)) {
    case 0:
        change_put(c, TABLE_META, key, value);
        break;
    case 1:
        change_put_if(c, TABLE_META, key, value, NULL);
        if (m->value[k] >= 0)
            *expect = m->value[k] == v ? OP_DUPLICATE : OP_CONFLICT;
        break;
    case 2:
        change_put_if(c, TABLE_META, key, value, &old);
        if (m->value[k] != was)
            *expect = m->value[k] == v ? OP_DUPLICATE : OP_CONFLICT;
        break;
    default:
        change_delete(c, TABLE_META, key);
        *expect = m->value[k] >= 0 ? OP_STORED : OP_DUPLICATE;
        m->value[k] = -1;
        return;
    }
    if (*expect == OP_STORED)
        m->value[k] = v;
}

static void add_transfer(struct model *m, struct change *c, struct rng *rng, int number,
                         enum op_result *expect)
{
    int from = (int)rng_below(rng, NOTES), to = (int)rng_below(rng, NOTES);
    bool mint = rng_below(rng, 3) == 0;
    struct id spends = id_of(5000 + (uint64_t)from), makes = id_of(5000 + (uint64_t)to);
    struct op op = {.kind = OP_LEDGER};
    op.ledger.transfer = op.ledger.leaf = id_of(9000 + (uint64_t)number);
    op.ledger.spends = &spends;
    op.ledger.spends_n = mint ? 0 : 1;
    op.ledger.makes = &makes;
    op.ledger.makes_n = 1;
    change_ledger(c, &op);
    *expect = (mint || m->spent_by[from] == -1) && m->spent_by[to] == -2 ? OP_STORED : OP_CONFLICT;
    if (*expect == OP_STORED) {
        if (!mint)
            m->spent_by[from] = number;
        m->spent_by[to] = -1;
        m->transfers++;
    }
}

/* One random change of a few guarded operations; `expect` says how each must answer. */
static struct change *random_change(struct model *m, struct rng *rng, int64_t now, int number,
                                    enum op_result expect[static 4])
{
    struct change *c = change_new(0, 0, 0);
    switch (rng_below(rng, 5)) {
    case 0:
    case 1:
        add_record(m, c, rng, &expect[0]);
        break;
    case 2:
        add_known(m, c, rng, &expect[0]);
        break;
    case 3:
        add_put(m, c, rng, &expect[0]);
        break;
    default:
        add_transfer(m, c, rng, number, &expect[0]);
        break;
    }
    change_event(c, span_str("event"));
    expect[1] = expect[0] == OP_STORED ? OP_STORED : OP_SKIPPED;
    m->events += expect[1] == OP_STORED;
    (void)now;
    return c;
}

static void run(uint64_t seed)
{
    struct bench *b = bench_new(64 * MIB, 0);
    struct model *m = calloc(1, sizeof *m);
    struct rng rng;
    rng_seed_u64(&rng, seed);
    for (uint64_t n = 0; n < IDS; n++) {
        uint64_t slot = rng_below(&rng, SLOTS);
        m->rec[n].op = record_op(n + 1, slot % 4, slot, rng_below(&rng, 60), (int64_t)rng_below(&rng, 500),
                                 100 + (int64_t)rng_below(&rng, 900));
        rng_bytes(&rng, m->rec[n].op.record.id.b, 32);
    }
    for (int i = 0; i < SLOTS; i++)
        m->holder[i] = -1;
    for (int i = 0; i < KEYS; i++)
        m->value[i] = -1;
    for (int i = 0; i < NOTES; i++)
        m->spent_by[i] = -2;
    int64_t now = 0;
    int number = 0;
    for (int round = 0; round < 60; round++) {
        struct change *batch[24];
        enum op_result expect[24][4];
        size_t n = 1 + rng_below(&rng, 24);
        for (size_t i = 0; i < n; i++)
            batch[i] = random_change(m, &rng, now, number++, expect[i]);
        assert_int_equal(store_apply(b->store, batch, n), 0);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < batch[i]->ops_n; k++)
                if (batch[i]->ops[k].result != expect[i][k])
                    fail_msg("seed %lu round %d change %zu op %zu: %s, not %s", (unsigned long)seed, round,
                             i, k, op_result_name(batch[i]->ops[k].result), op_result_name(expect[i][k]));
            change_free(batch[i]);
        }
        view_renew(b->view);
        if (rng_below(&rng, 4) == 0) {
            /* in steps, since a floor can end one thing only after another */
            now += (int64_t)rng_below(&rng, 60);
            expire(b, now);
            model_expire(m, now);
        }
        if (rng_below(&rng, 10) == 0)
            bench_reopen(b);
        if (rng_below(&rng, 10) == 0) {
            struct report r = {0};
            assert_int_equal(store_reindex(b->store, NULL, NULL, &r), 0);
            view_renew(b->view);
        }
        compare(b, m);
        assert_sound(b);
    }
    free(m);
    bench_free(b);
}

static void random_changes_do_what_the_model_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_changes_do_what_the_model_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
