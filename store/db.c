/* db.c: LMDB in our terms: spans, sticky errors, walks. */
#include "store/db.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

int lmdb_err(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* a limit on the size of files */
        return SOUK_EDISK_FULL;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_BAD_VALSIZE:
        return SOUK_EDAMAGED;
    case MDB_VERSION_MISMATCH:
        return SOUK_EVERSION;
    default:
        return SOUK_EIO;
    }
}

static MDB_val val(struct span s)
{
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): LMDB only reads it, but does not say const */
    return (MDB_val){.mv_size = s.n, .mv_data = (void *)(uintptr_t)s.p};
}

bool db_get(MDB_txn *txn, MDB_dbi dbi, struct span key, struct span *value)
{
    MDB_val k = val(key), v;
    if (mdb_get(txn, dbi, &k, &v))
        return false;
    *value = span(v.mv_data, v.mv_size);
    return true;
}

static const char *const counter_names[COUNT_MAX] = {"serial", "event", "out",
                                                     "topic",  "evict", "evict_followed"};

int tx_begin(struct tx *t, struct store *s)
{
    *t = (struct tx){.s = s};
    int rc = mdb_txn_begin(s->env, NULL, 0, &t->txn);
    if (rc)
        return t->err = lmdb_err(rc);
    for (int i = 0; i < COUNT_MAX; i++) {
        struct span v;
        if (tx_get(t, DB_META, span_str(counter_names[i]), &v) && v.n == 8)
            t->count[i] = be64_get(v.p);
        t->count_was[i] = t->count[i];
    }
    t->over_quota = s->config.quota_bytes && tx_used_pages(t) * s->page_bytes > s->config.quota_bytes;
    return t->err;
}

/* LMDB tells a write that stopped half way, as the last one before a full disk does, like any failure of
 * the disk (EIO).  It is the first when there is hardly room left, by the file system or by a limit on the
 * size of files. */
static int commit_err(const struct store *s, int rc)
{
    enum { LITTLE_BYTES = 16 << 20 }; /* more than a transaction writes */
    struct statvfs fs;
    struct rlimit most;
    struct stat file;
    int fd;
    if (rc != EIO || mdb_env_get_fd(s->env, &fd) || fstatvfs(fd, &fs) || getrlimit(RLIMIT_FSIZE, &most) ||
        fstat(fd, &file))
        return lmdb_err(rc);
    bool limited = most.rlim_cur != RLIM_INFINITY && most.rlim_cur < (rlim_t)file.st_size + LITTLE_BYTES;
    return limited || fs.f_bavail * fs.f_frsize < LITTLE_BYTES ? SOUK_EDISK_FULL : SOUK_EIO;
}

int tx_commit(struct tx *t)
{
    tix_flush(t);
    for (int i = 0; i < COUNT_MAX; i++)
        if (t->count[i] != t->count_was[i]) {
            uint8_t v[8];
            be64_put(v, t->count[i]);
            tx_put(t, DB_META, span_str(counter_names[i]), SPAN_OF(v));
        }
    if (!t->err) {
        t->err = commit_err(t->s, mdb_txn_commit(t->txn));
        t->txn = NULL;
    }
    tx_abort(t);
    return t->err;
}

void tx_abort(struct tx *t)
{
    if (t->txn)
        mdb_txn_abort(t->txn);
    t->txn = NULL;
    free(t->tix);
    t->tix = NULL;
    t->tix_n = t->tix_cap = 0;
    buf_free(&t->left);
}

bool tx_get(struct tx *t, enum db db, struct span key, struct span *value)
{
    if (t->err)
        return false;
    MDB_val k = val(key), v;
    int rc = mdb_get(t->txn, t->s->dbi[db], &k, &v);
    if (rc == MDB_NOTFOUND)
        return false;
    if (rc) {
        t->err = lmdb_err(rc);
        return false;
    }
    *value = span(v.mv_data, v.mv_size);
    return true;
}

static void put(struct tx *t, enum db db, struct span key, struct span value, unsigned flags)
{
    if (t->err)
        return;
    MDB_val k = val(key), v = val(value);
    t->err = lmdb_err(mdb_put(t->txn, t->s->dbi[db], &k, &v, flags));
}

void tx_put(struct tx *t, enum db db, struct span key, struct span value)
{
    put(t, db, key, value, 0);
}

void tx_append(struct tx *t, enum db db, struct span key, struct span value)
{
    put(t, db, key, value, MDB_APPEND);
}

bool tx_del(struct tx *t, enum db db, struct span key)
{
    if (t->err)
        return false;
    MDB_val k = val(key);
    int rc = mdb_del(t->txn, t->s->dbi[db], &k, NULL);
    if (rc == MDB_NOTFOUND)
        return false;
    t->err = lmdb_err(rc);
    return !t->err;
}

uint64_t tx_used_pages(struct tx *t)
{
    uint64_t pages = 0;
    for (int i = 0; i < DB_MAX; i++) {
        MDB_stat st;
        if (!mdb_stat(t->txn, t->s->dbi[i], &st))
            pages += st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages;
    }
    return pages;
}

void walk_open(struct walk *w, MDB_txn *txn, MDB_dbi dbi)
{
    *w = (struct walk){0};
    if (mdb_cursor_open(txn, dbi, &w->cursor))
        w->cursor = NULL;
}

static void walk_go(struct walk *w, struct span key, MDB_cursor_op how)
{
    MDB_val k = val(key), v;
    w->valid = w->cursor && mdb_cursor_get(w->cursor, &k, &v, how) == 0;
    if (w->valid) {
        w->key = span(k.mv_data, k.mv_size);
        w->value = span(v.mv_data, v.mv_size);
    }
}

void walk_seek(struct walk *w, struct span key)
{
    walk_go(w, key, key.n ? MDB_SET_RANGE : MDB_FIRST);
}

void walk_seek_before(struct walk *w, struct span key)
{
    walk_seek(w, key);
    walk_go(w, span(NULL, 0), w->valid ? MDB_PREV : MDB_LAST);
}

void walk_next(struct walk *w)
{
    walk_go(w, span(NULL, 0), MDB_NEXT);
}

void walk_prev(struct walk *w)
{
    walk_go(w, span(NULL, 0), MDB_PREV);
}

void walk_close(struct walk *w)
{
    if (w->cursor)
        mdb_cursor_close(w->cursor);
    *w = (struct walk){0};
}

bool walk_in(const struct walk *w, struct span prefix)
{
    return w->valid && w->key.n >= prefix.n && memcmp(w->key.p, prefix.p, prefix.n) == 0;
}
