/* store_help.h: a store in a directory of its own, and changes in a line, for the tests of the store. */
#ifndef SOUK_TEST_STORE_HELP_H
#define SOUK_TEST_STORE_HELP_H
#include "store/store.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    char dir[64];
    struct store_config config;
    struct store *store;
    struct view *view;
};

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void bench_open(struct bench *b)
{
    struct report r = {0};
    int err = store_open(&b->store, b->dir, &b->config, &r);
    if (err)
        fail_msg("store_open: %s", r.text);
    b->view = view_open(b->store);
}

static inline void bench_close(struct bench *b)
{
    view_close(b->view);
    store_close(b->store);
    b->view = NULL;
    b->store = NULL;
}

static inline void bench_reopen(struct bench *b)
{
    bench_close(b);
    bench_open(b);
}

static inline struct bench *bench_new(uint64_t map_bytes, uint64_t quota_bytes)
{
    struct bench *b = calloc(1, sizeof *b);
    const char *tmp = getenv("TMPDIR");
    snprintf(b->dir, sizeof b->dir, "%.40s/souk-store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    b->config = (struct store_config){.map_bytes = map_bytes, .quota_bytes = quota_bytes};
    memset(b->config.network.b, 7, sizeof b->config.network.b);
    bench_open(b);
    return b;
}

static inline void bench_free(struct bench *b)
{
    bench_close(b);
    nftw(b->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(b);
}

/* Applies one change, frees nothing, renews the view. */
static inline int apply_one(struct bench *b, struct change *c)
{
    int err = store_apply(b->store, &c, 1);
    view_renew(b->view);
    return err;
}

/* Applies a change of one operation and says how it went (number and the first bytes found, if wanted). */
static inline enum op_result once(struct bench *b, struct change *c, uint64_t *number)
{
    assert_int_equal(apply_one(b, c), 0);
    enum op_result r = c->ops[c->ops_n - 1].result;
    if (number)
        *number = c->ops[c->ops_n - 1].number;
    change_free(c);
    return r;
}

static inline struct id id_of(uint64_t n)
{
    struct id id = {{0}};
    be64_put(id.b, n * 0x9e3779b97f4a7c15u);
    be64_put(id.b + 8, n);
    return id;
}

static inline struct identity person(uint64_t n)
{
    struct identity p = {{0}};
    be64_put(p.b, n);
    p.b[31] = 1;
    return p;
}

static inline struct salt slot_of(uint64_t n)
{
    struct salt s = {{0}};
    be64_put(s.b, n);
    return s;
}

/* A record whose id is id_of(n), by author, in slot, at a revision. */
static inline struct op record_op(uint64_t n, uint64_t author, uint64_t slot, uint64_t revision,
                                  int64_t created, int64_t expires)
{
    struct op op = {.kind = OP_RECORD};
    op.record.id = id_of(n);
    op.record.author = person(author);
    op.record.kind = 2;
    op.record.has_slot = true;
    op.record.slot = slot_of(slot);
    op.record.revision = revision;
    op.record.created = created;
    op.record.expires = expires;
    op.record.received = created;
    op.record.topic = span_str("bikes/FR");
    op.record.bytes = span_str("the signed bytes");
    return op;
}

static inline enum op_result put_record(struct bench *b, const struct op *op)
{
    struct change *c = change_new(0, 0, 0);
    change_record(c, op);
    return once(b, c, NULL);
}

static inline void expire(struct bench *b, int64_t now)
{
    struct change *c = change_new(0, 0, 0);
    change_expire(c, now, 1000000);
    assert_int_equal(once(b, c, NULL), OP_STORED);
}

static inline void assert_sound(struct bench *b)
{
    struct report r = {0};
    if (store_check(b->store, NULL, NULL, &r))
        fail_msg("store_check: %s", r.text);
}

static inline bool stored(struct bench *b, uint64_t n)
{
    struct record_row row;
    struct id id = id_of(n);
    return view_record(b->view, &id, &row);
}

static inline enum known_state known(struct bench *b, uint64_t n)
{
    struct id id = id_of(n);
    return view_known(b->view, &id);
}

static inline bool count_chunk(void *arg, const struct time_chunk *c)
{
    *(uint64_t *)arg += c->n;
    return true;
}

static inline uint64_t topic_ids(struct bench *b, const char *topic)
{
    uint64_t n = 0;
    view_topic(b->view, span_str(topic), count_chunk, &n);
    return n;
}
#define MIB ((uint64_t)1 << 20)
#endif
