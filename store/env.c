/* env.c: opening, locking, migrating and copying the environment. */
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const db_names[DB_MAX] = {
#define X(NAME, name) #name,
    STORE_TABLES(X)
#undef X
};

static char *path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *p = xmalloc(n);
    snprintf(p, n, "%s/%s", dir, name);
    return p;
}

/* Version n to n + 1, inside one transaction: a crash leaves the old version.
 * 0: stores from before the first release may hold derived tables in another form: made anew. */
static int migrate_0(struct tx *t)
{
    return store_rebuild(t, NULL, NULL);
}
static int (*const migrations[STORE_SCHEMA])(struct tx *) = {migrate_0, share_rebuild /* 1: had none */};

static int lock_take(struct store *s, struct report *r)
{
    char *path = path_join(s->dir, "lock");
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int err = 0;
    if (s->lock_fd < 0)
        err = report_set(r, lmdb_err(errno) == SOUK_EDISK_FULL ? SOUK_EDISK_FULL : SOUK_EIO,
                         "cannot open %s: %s", path, strerror(errno));
    else if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
        err =
            report_set(r, SOUK_EIN_USE,
                       "%s is in use by another process: stop the node that runs there, or choose another "
                       "home with --home",
                       s->dir);
    free(path);
    return err;
}

static int env_make(struct store *s, struct report *r)
{
    int rc = mdb_env_create(&s->env);
    if (!rc)
        rc = mdb_env_set_mapsize(s->env, s->config.map_bytes);
    if (!rc)
        rc = mdb_env_set_maxdbs(s->env, DB_MAX);
    if (!rc)
        rc = mdb_env_open(s->env, s->dir, MDB_NOTLS | (s->config.sync ? 0 : MDB_NOSYNC), 0600);
    if (rc == EBUSY || rc == EAGAIN)
        return report_set(r, SOUK_EIN_USE, "%s is in use by another process", s->dir);
    if (lmdb_err(rc) == SOUK_EDAMAGED)
        return report_set(
            r, SOUK_EDAMAGED,
            "the store in %s is damaged (%s): put a backup of it in its place; without one move "
            "it away, and bring identities back from their words or backups",
            s->dir, mdb_strerror(rc));
    if (rc)
        return report_set(r, lmdb_err(rc), "cannot open the store in %s: %s", s->dir, mdb_strerror(rc));
    int dead;
    mdb_reader_check(s->env, &dead);
    MDB_envinfo info;
    MDB_stat st;
    mdb_env_info(s->env, &info);
    mdb_env_stat(s->env, &st);
    s->page_bytes = st.ms_psize;
    s->map_bytes = info.me_mapsize;
    return 0;
}

/* What the store says of itself: its schema and network.  fresh when it holds nothing yet. */
static int identify(struct store *s, bool *fresh, uint32_t *schema, struct report *r)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
    if (rc)
        return report_set(r, lmdb_err(rc), "cannot read the store in %s: %s", s->dir, mdb_strerror(rc));
    MDB_dbi meta;
    struct span v;
    int err = 0;
    *fresh = true;
    *schema = STORE_SCHEMA;
    rc = mdb_dbi_open(txn, "meta", 0, &meta);
    if (rc == 0 && db_get(txn, meta, span_str("schema"), &v) && v.n == 4) {
        *fresh = false;
        *schema = be32_get(v.p);
        if (*schema > STORE_SCHEMA)
            err = report_set(r, SOUK_EVERSION,
                             "the store in %s was written by a newer souk (schema %u, this one knows %d): "
                             "install that version",
                             s->dir, *schema, STORE_SCHEMA);
        else if (!db_get(txn, meta, span_str("network"), &v) || !span_eq(v, SPAN_OF(s->config.network)))
            err = report_set(r, SOUK_EINVALID,
                             "the store in %s belongs to another network: use another home, or the network "
                             "that it was made for",
                             s->dir);
    } else if (rc && rc != MDB_NOTFOUND) {
        err = report_set(r, lmdb_err(rc), "cannot read the store in %s: %s", s->dir, mdb_strerror(rc));
    }
    mdb_txn_abort(txn);
    return err;
}

static int copy_to(struct store *s, const char *dir, struct report *r)
{
    int rc = mdb_env_copy2(s->env, dir, MDB_CP_COMPACT);
    if (rc)
        return report_set(r, lmdb_err(rc), "cannot copy the store to %s: %s", dir, mdb_strerror(rc));
    return 0;
}

static int copy_before(struct store *s, uint32_t schema, struct report *r)
{
    char name[40];
    snprintf(name, sizeof name, "before-schema-%u", schema + 1);
    char *dir = path_join(s->dir, name), *old = path_join(dir, "data.mdb");
    int err = 0;
    if (mkdir(dir, 0700) && errno != EEXIST)
        err = report_set(r, SOUK_EIO, "cannot make %s: %s", dir, strerror(errno));
    else {
        unlink(old); /* of a migration that did not end: the store is still as it was then */
        err = copy_to(s, dir, r);
    }
    free(dir);
    free(old);
    return err;
}

static int tables_open(struct store *s)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (rc)
        return lmdb_err(rc);
    for (int i = 0; i < DB_MAX && !rc; i++)
        rc = mdb_dbi_open(txn, db_names[i], MDB_CREATE, &s->dbi[i]);
    if (rc)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn);
    return lmdb_err(rc);
}

/* Brings the schema to ours, or writes it into a fresh store. */
static int settle(struct store *s, bool fresh, uint32_t schema, struct report *r)
{
    struct tx t;
    int err = 0;
    if (!fresh && schema == STORE_SCHEMA)
        return 0;
    if (!fresh)
        err = copy_before(s, schema, r);
    if (err)
        return err;
    if (tx_begin(&t, s))
        return report_set(r, t.err, "cannot write to the store in %s", s->dir);
    for (uint32_t v = schema; !fresh && v < STORE_SCHEMA && !t.err; v++)
        t.err = migrations[v](&t);
    uint8_t now[4];
    be32_put(now, STORE_SCHEMA);
    tx_put(&t, DB_META, span_str("schema"), SPAN_OF(now));
    tx_put(&t, DB_META, span_str("network"), SPAN_OF(s->config.network));
    err = tx_commit(&t);
    if (err)
        report_set(r, err, "cannot bring the store in %s to schema %d: %s; it is as it was", s->dir,
                   STORE_SCHEMA, err_sentence(err));
    return err;
}

int store_open(struct store **out, const char *dir, const struct store_config *config, struct report *r)
{
    struct store *s = xcalloc(1, sizeof *s);
    s->config = *config;
    s->lock_fd = -1;
    s->dir = path_join(dir, "");
    s->dir[strlen(dir)] = 0;
    int err = 0;
    bool fresh = false; /* gcc at -O3 cannot see that identify sets both */
    uint32_t schema = 0;
    if (mkdir(dir, 0700) && errno != EEXIST)
        err = report_set(r, SOUK_EIO, "cannot make %s: %s", dir, strerror(errno));
    if (!err)
        err = lock_take(s, r);
    if (!err)
        err = env_make(s, r);
    if (!err)
        err = identify(s, &fresh, &schema, r);
    if (!err) {
        err = tables_open(s);
        if (err)
            report_set(r, err, "cannot open the tables in %s: %s", dir, err_sentence(err));
    }
    if (!err)
        err = settle(s, fresh, schema, r);
    if (err) {
        store_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->env)
        mdb_env_close(s->env);
    if (s->lock_fd >= 0)
        close(s->lock_fd); /* and with it the lock */
    free(s->dir);
    free(s);
}

int store_backup(struct store *s, const char *dir, struct report *r)
{
    if (mkdir(dir, 0700))
        return report_set(r, errno == EEXIST ? SOUK_EINVALID : SOUK_EIO, "cannot make %s for the copy: %s",
                          dir, strerror(errno));
    return copy_to(s, dir, r);
}
