// links: store
#include "store/db.h"
#include "tests/unit/store_help.h"

#include <signal.h>
#include <sys/wait.h>

static void fill(struct bench *b, uint64_t n)
{
    for (uint64_t i = 1; i <= n; i++) {
        struct op op = record_op(i, i % 40, i % 7, i, (int64_t)i, 1000 + (int64_t)i);
        struct id trade = id_of(i % 3), tag = id_of(i), mailbox = id_of(1);
        struct identity author = person(i);
        struct op mail = {.kind = OP_MAIL}, chunk = {.kind = OP_CHUNK}, ledger = {.kind = OP_LEDGER};
        op.record.subjects_n = 1;
        op.record.subjects[0] = id_of(i % 5);
        op.record.own = i % 11 == 0;
        op.record.topic = span_str(i % 2 ? "bikes/FR" : "books/FR");
        mail.mail.mailbox = mailbox;
        mail.mail.id = tag;
        mail.mail.expires = 5000;
        mail.mail.bytes = span_str("mail");
        mail.mail.quota_bytes = 1 << 20;
        chunk.chunk.root = id_of(i % 4);
        chunk.chunk.index = (uint32_t)i;
        chunk.chunk.bytes = span_str("chunk");
        ledger.ledger.transfer = ledger.ledger.leaf = tag;
        struct change *c = change_new(0, 0, 0);
        change_record(c, &op)->lone = true;
        change_fact(c, &trade, &tag, &author, 0, (uint32_t)i, span_str("fact"))->lone = true;
        change_out(c, &tag, span_str("out"), (int64_t)i);
        change_mail(c, &mail);
        change_chunk(c, &chunk);
        change_ledger(c, &ledger);
        change_stock(c, &trade, &tag, 1, 1000, 5000, 1);
        assert_int_equal(apply_one(b, c), 0);
        change_free(c);
        if (i % 4 == 0) { /* and a revision of it */
            op.record.id = id_of(10000 + i);
            op.record.revision++;
            assert_int_equal(put_record(b, &op), OP_STORED);
        }
    }
}

static void what_was_applied_is_there_after_opening_again(void **state)
{
    struct bench *b = *state;
    fill(b, 50);
    struct store_stats before, after;
    view_stats(b->view, &before);
    bench_reopen(b);
    view_stats(b->view, &after);
    assert_int_equal(before.records, after.records);
    assert_int_equal(before.last_serial, after.last_serial);
    assert_int_equal(after.facts, 50);
    assert_sound(b);
    struct op op = record_op(1000, 77, 1, 1, 1, 9000);
    put_record(b, &op);
    struct id id = id_of(1000);
    struct record_row row;
    assert_true(view_record(b->view, &id, &row));
    assert_true(row.serial > before.last_serial);
}

static void a_second_process_is_told_that_the_store_is_in_use(void **state)
{
    struct bench *b = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *s;
        struct report r = {0};
        int err = store_open(&s, b->dir, &b->config, &r);
        _exit(err == SOUK_EIN_USE && r.err == err && strstr(r.text, "in use") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_killed_process_leaves_a_store_that_opens_with_all_it_acknowledged(void **state)
{
    struct bench *b = *state;
    bench_close(b);
    int acks[2];
    assert_int_equal(pipe(acks), 0);
    b->config.sync = true;
    pid_t child = fork();
    if (child == 0) {
        struct store *s;
        struct report r = {0};
        if (store_open(&s, b->dir, &b->config, &r))
            _exit(1);
        for (uint64_t n = 1;; n++) {
            struct op op = record_op(n, n, 1, 1, 1, 1000);
            struct change *c = change_new(0, 0, 0);
            change_record(c, &op);
            if (store_apply(s, &c, 1) || write(acks[1], &n, sizeof n) != sizeof n)
                _exit(1);
            change_free(c);
        }
    }
    close(acks[1]);
    uint64_t n = 0;
    while (n < 60)
        assert_int_equal(read(acks[0], &n, sizeof n), sizeof n);
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    while (read(acks[0], &n, sizeof n) == sizeof n)
        ;
    close(acks[0]);
    bench_open(b);
    for (uint64_t i = 1; i <= n; i++) {
        struct id id = id_of(i);
        struct record_row row;
        assert_true(view_record(b->view, &id, &row));
    }
    assert_sound(b);
}

static void a_store_of_another_network_is_refused(void **state)
{
    struct bench *b = *state;
    bench_close(b);
    struct report r = {0};
    b->config.network.b[0] ^= 1;
    assert_int_equal(store_open(&b->store, b->dir, &b->config, &r), SOUK_EINVALID);
    assert_non_null(strstr(r.text, "another network"));
    b->config.network.b[0] ^= 1;
    bench_open(b);
}

static void set_schema(struct bench *b, uint32_t schema)
{
    struct tx t;
    uint8_t v[4];
    be32_put(v, schema);
    assert_int_equal(tx_begin(&t, b->store), 0);
    tx_put(&t, DB_META, span_str("schema"), SPAN_OF(v));
    assert_int_equal(tx_commit(&t), 0);
}

static void a_store_of_a_newer_souk_is_refused_untouched(void **state)
{
    struct bench *b = *state;
    set_schema(b, STORE_SCHEMA + 1);
    bench_close(b);
    struct report r = {0};
    struct store *s;
    assert_int_equal(store_open(&s, b->dir, &b->config, &r), SOUK_EVERSION);
    assert_non_null(strstr(r.text, "newer"));
    /* put right again by hand, for the teardown */
    MDB_env *env;
    assert_int_equal(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 40);
    assert_int_equal(mdb_env_open(env, b->dir, 0, 0600), 0);
    MDB_txn *txn;
    MDB_dbi dbi;
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &dbi), 0);
    uint8_t one[4] = {0, 0, 0, STORE_SCHEMA};
    char name[] = "schema";
    MDB_val k = {6, name}, v = {4, one};
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    bench_open(b);
}

static void an_older_store_is_copied_and_migrated(void **state)
{
    struct bench *b = *state;
    fill(b, 60);
    struct tx t;
    assert_int_equal(tx_begin(&t, b->store), 0);
    static const enum db gone[] = {DB_EXP, DB_SUBJ, DB_TIX, DB_DUE, DB_FACTID, DB_BAGE, DB_MBOX};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_int_equal(mdb_drop(t.txn, b->store->dbi[gone[i]], 0), 0);
    assert_int_equal(tx_commit(&t), 0);
    set_schema(b, 0);
    struct report r = {0};
    assert_int_equal(store_check(b->store, NULL, NULL, &r), SOUK_EDAMAGED);
    bench_reopen(b);
    assert_sound(b);
    struct span v;
    assert_true(db_get(b->view->txn, b->store->dbi[DB_META], span_str("schema"), &v));
    assert_int_equal(be32_get(v.p), STORE_SCHEMA);
    char path[128];
    snprintf(path, sizeof path, "%s/before-schema-1/data.mdb", b->dir);
    assert_int_equal(access(path, R_OK), 0);
    /* The second schema counts shares. */
    assert_int_equal(tx_begin(&t, b->store), 0);
    assert_int_equal(mdb_drop(t.txn, b->store->dbi[DB_SHARE], 0), 0);
    assert_int_equal(tx_commit(&t), 0);
    set_schema(b, 1);
    assert_int_equal(store_check(b->store, NULL, NULL, &r), SOUK_EDAMAGED);
    bench_reopen(b);
    assert_sound(b);
}

static void a_topic_goes_with_its_last_id_however_many_there_are(void **state)
{
    struct bench *b = *state;
    enum { TOPICS = 5 * TOPIC_CACHE };
    struct store_stats stats;
    MDB_stat left;
    char name[16];
    for (uint64_t n = 0; n < TOPICS; n++) {
        struct op op = record_op(n + 1, n, 1, 1, 100, 1000);
        snprintf(name, sizeof name, "t%u/FR", (unsigned)n);
        op.record.topic = span_str(name);
        assert_int_equal(put_record(b, &op), OP_STORED);
    }
    expire(b, 1000);
    view_stats(b->view, &stats);
    assert_int_equal(stats.known, 0);
    assert_int_equal(mdb_stat(b->view->txn, b->store->dbi[DB_TOPIC], &left), 0);
    assert_int_equal(left.ms_entries, 0);
    assert_int_equal(mdb_stat(b->view->txn, b->store->dbi[DB_TOPICN], &left), 0);
    assert_int_equal(left.ms_entries, 0);
}

/* Every row of a table, in one buffer. */
static void dump(struct bench *b, enum db db, struct buf *out)
{
    struct walk w;
    walk_open(&w, b->view->txn, b->store->dbi[db]);
    for (walk_seek(&w, span(NULL, 0)); w.valid; walk_next(&w)) {
        uint8_t n[8];
        be32_put(n, (uint32_t)w.key.n);
        be32_put(n + 4, (uint32_t)w.value.n);
        if (db == DB_TIX) { /* chunks may be cut elsewhere: compare what is in them */
            for (size_t i = 0; i < be16_get(w.value.p + 32); i++) {
                buf_append(out, w.key.p, 4);
                buf_append(out, w.value.p + TIX_HEAD + TIX_ITEM * i, TIX_ITEM);
            }
            continue;
        }
        buf_append(out, n, 8);
        buf_span(out, w.key);
        buf_span(out, w.value);
    }
    walk_close(&w);
}

static void reindexing_makes_the_same_tables_again(void **state)
{
    struct bench *b = *state;
    fill(b, 200);
    b->store->config.known_most = 60; /* so that there is a horizon */
    expire(b, 1060);
    struct buf before[DB_MAX] = {{0}}, after[DB_MAX] = {{0}};
    for (int i = 0; i < DB_MAX; i++)
        dump(b, (enum db)i, &before[i]);
    struct report r = {0};
    assert_int_equal(store_reindex(b->store, NULL, NULL, &r), 0);
    view_renew(b->view);
    assert_sound(b);
    for (int i = 0; i < DB_MAX; i++) {
        dump(b, (enum db)i, &after[i]);
        if (!span_eq(buf_view(&before[i]), buf_view(&after[i])))
            fail_msg("table %d differs", i);
        assert_true(i >= DB_TERM || before[i].n > 0 || i == DB_SMALL || i == DB_EVENT || i == DB_NOTE);
        buf_free(&before[i]);
        buf_free(&after[i]);
    }
}

/* Flips one bit in the first value (or drops the first row, when it has none) of a table. */
static void damage(struct bench *b, enum db db, size_t at)
{
    struct tx t;
    struct walk w;
    struct buf key = {0}, value = {0};
    assert_int_equal(tx_begin(&t, b->store), 0);
    walk_open(&w, t.txn, b->store->dbi[db]);
    walk_seek(&w, span(NULL, 0));
    assert_true(w.valid);
    buf_span(&key, w.key);
    buf_span(&value, w.value);
    walk_close(&w);
    if (value.n) {
        value.p[at < value.n ? at : value.n - 1] ^= 1;
        tx_put(&t, db, buf_view(&key), buf_view(&value));
    } else {
        assert_true(tx_del(&t, db, buf_view(&key)));
    }
    assert_int_equal(tx_commit(&t), 0);
    buf_free(&key);
    buf_free(&value);
}

static void checking_finds_a_flipped_bit_in_every_table(void **state)
{
    (void)state;
    static const struct {
        enum db db;
        size_t at;
    } places[] = {{DB_REC, 150}, {DB_REC, 9},    {DB_OLD, 150}, {DB_OLD, 9},  {DB_RID, 8},    {DB_SLOT, 5},
                  {DB_SLOT, 45}, {DB_EXP, 0},    {DB_TIX, 3},   {DB_TIX, 80}, {DB_TOPICN, 7}, {DB_SUBJ, 0},
                  {DB_FACT, 41}, {DB_FACTID, 3}, {DB_OUT, 7},   {DB_DUE, 0},  {DB_OUTTAG, 7}, {DB_LTX, 7},
                  {DB_LNODE, 4}, {DB_BLOB, 12},  {DB_BAGE, 0},  {DB_MAIL, 7}, {DB_MBOX, 3}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct bench *b = bench_new(16 * MIB, 0);
        fill(b, 12);
        assert_sound(b);
        damage(b, places[i].db, places[i].at);
        struct report r = {0};
        if (store_check(b->store, NULL, NULL, &r) != SOUK_EDAMAGED)
            fail_msg("damage in table %d at byte %zu was not found", places[i].db, places[i].at);
        assert_true(strlen(r.text) > 20);
        bench_free(b);
    }
}

static void a_full_disk_harms_nothing_and_refuses_with_the_reason(void **state)
{
    (void)state;
    struct bench *b = bench_new(2 * MIB, 0);
    static uint8_t body[3000];
    uint64_t n = 1;
    int err = 0;
    for (; !err && n < 2000; n++) {
        struct op op = record_op(n, n, 1, 1, 1, n <= 20 ? 50 : 1000);
        op.record.bytes = SPAN_OF(body);
        struct change *c = change_new(0, 0, 0);
        change_record(c, &op);
        change_event(c, span_str("event"));
        err = apply_one(b, c);
        assert_int_equal(c->err, err);
        change_free(c);
    }
    assert_int_equal(err, SOUK_EDISK_FULL);
    struct id id = id_of(n - 2), refused = id_of(n - 1);
    struct record_row row;
    assert_true(view_record(b->view, &id, &row)); /* reads go on */
    assert_false(view_record(b->view, &refused, &row));
    assert_sound(b);
    expire(b, 100); /* making room still works */
    assert_int_equal(view_known(b->view, &(struct id){0}), 0);
    id = id_of(1);
    assert_false(view_record(b->view, &id, &row));
    assert_sound(b);
    b->config.map_bytes = 8 * MIB;
    bench_reopen(b);
    struct op op = record_op(n - 1, 1, 1, 1, 1, 1000);
    assert_int_equal(put_record(b, &op), OP_STORED);
    assert_sound(b);
    bench_free(b);
}

static void a_batch_that_does_not_fit_is_not_applied_at_all(void **state)
{
    (void)state;
    struct bench *b = bench_new(2 * MIB, 0);
    enum { N = 400 };
    static uint8_t body[8000];
    struct change *c[N];
    for (uint64_t i = 0; i < N; i++) {
        struct op op = record_op(i + 1, i, 1, 1, 1, 1000);
        op.record.bytes = SPAN_OF(body);
        c[i] = change_new(0, 0, 0);
        change_record(c[i], &op);
    }
    assert_int_equal(store_apply(b->store, c, N), SOUK_EDISK_FULL);
    view_renew(b->view);
    for (int i = 0; i < N; i++) {
        assert_int_equal(c[i]->err, SOUK_EDISK_FULL);
        change_free(c[i]);
    }
    struct store_stats stats;
    view_stats(b->view, &stats);
    assert_int_equal(stats.records, 0);
    assert_sound(b);
    struct op op = record_op(1, 1, 1, 1, 1, 1000);
    assert_int_equal(put_record(b, &op), OP_STORED);
    bench_free(b);
}

static void a_view_sees_one_moment_until_it_is_renewed(void **state)
{
    struct bench *b = *state;
    struct op op = record_op(1, 1, 1, 1, 1, 1000);
    struct id id = id_of(1);
    struct change *c = change_new(0, 0, 0);
    change_record(c, &op);
    assert_int_equal(store_apply(b->store, &c, 1), 0);
    change_free(c);
    assert_int_equal(view_known(b->view, &id), 0);
    view_renew(b->view);
    assert_int_equal(view_known(b->view, &id), KNOWN_STORED);
}

static void a_copy_is_made_while_running_and_opens_by_itself(void **state)
{
    struct bench *b = *state;
    fill(b, 30);
    char dir[128];
    struct report r = {0};
    snprintf(dir, sizeof dir, "%s/copy", b->dir);
    assert_int_equal(store_backup(b->store, dir, &r), 0);
    assert_int_equal(store_backup(b->store, dir, &r), SOUK_EINVALID);
    struct store *s;
    assert_int_equal(store_open(&s, dir, &b->config, &r), 0);
    assert_int_equal(store_check(s, NULL, NULL, &r), 0);
    store_close(s);
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
        T(what_was_applied_is_there_after_opening_again),
        T(a_second_process_is_told_that_the_store_is_in_use),
        T(a_killed_process_leaves_a_store_that_opens_with_all_it_acknowledged),
        T(a_store_of_another_network_is_refused),
        T(a_store_of_a_newer_souk_is_refused_untouched),
        T(an_older_store_is_copied_and_migrated),
        T(a_topic_goes_with_its_last_id_however_many_there_are),
        T(reindexing_makes_the_same_tables_again),
        cmocka_unit_test(checking_finds_a_flipped_bit_in_every_table),
        cmocka_unit_test(a_full_disk_harms_nothing_and_refuses_with_the_reason),
        cmocka_unit_test(a_batch_that_does_not_fit_is_not_applied_at_all),
        T(a_view_sees_one_moment_until_it_is_renewed),
        T(a_copy_is_made_while_running_and_opens_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
