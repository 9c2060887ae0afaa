/* view.c: reading.  One read transaction, reset and renewed; spans point into the map. */
#include "store/db.h"
#include <stdlib.h>

struct view *view_open(struct store *s)
{
    struct view *v = xcalloc(1, sizeof *v);
    v->s = s;
    MUST(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &v->txn) == 0);
    return v;
}

void view_renew(struct view *v)
{
    mdb_txn_reset(v->txn);
    MUST(mdb_txn_renew(v->txn) == 0);
}

void view_close(struct view *v)
{
    if (!v)
        return;
    mdb_txn_abort(v->txn);
    free(v);
}

static bool get(struct view *v, enum db db, struct span key, struct span *value)
{
    return db_get(v->txn, v->s->dbi[db], key, value);
}

static void walk(struct view *v, enum db db, struct walk *w)
{
    walk_open(w, v->txn, v->s->dbi[db]);
}

static uint64_t entries(struct view *v, enum db db)
{
    MDB_stat st;
    return mdb_stat(v->txn, v->s->dbi[db], &st) ? 0 : st.ms_entries;
}

uint64_t view_commit(struct view *v)
{
    return mdb_txn_id(v->txn);
}

void view_stats(struct view *v, struct store_stats *out)
{
    *out = (struct store_stats){.map_bytes = v->s->map_bytes,
                                .quota_bytes = v->s->config.quota_bytes,
                                .known_most = v->s->config.known_most,
                                .author_most = v->s->config.author_most};
    for (int i = 0; i < DB_MAX; i++) {
        MDB_stat st;
        if (!mdb_stat(v->txn, v->s->dbi[i], &st))
            out->used_bytes +=
                (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) * v->s->page_bytes;
    }
    out->records = entries(v, DB_REC);
    out->known = entries(v, DB_RID);
    out->horizons = entries(v, DB_HORIZON);
    out->facts = entries(v, DB_FACT);
    out->events = entries(v, DB_EVENT);
    out->outbox = entries(v, DB_OUT);
    out->mails = entries(v, DB_MAIL);
    out->chunks = entries(v, DB_CHUNK);
    out->commits = view_commit(v);
    struct span n;
    if (get(v, DB_META, span_str("serial"), &n) && n.n == 8)
        out->last_serial = be64_get(n.p);
}

/* ---- records ---- */

static struct record_row row_of(const struct rec *r)
{
    return (struct record_row){.serial = r->serial,
                               .received = r->received,
                               .expires = r->expires,
                               .kind = r->kind,
                               .own = r->flags & REC_OWN,
                               .withdraws = r->flags & REC_WITHDRAWS,
                               .bytes = r->bytes};
}

static bool rec_at(struct view *v, uint64_t serial, struct rec *r)
{
    uint8_t key[8];
    struct span value;
    be64_put(key, serial);
    return get(v, DB_REC, SPAN_OF(key), &value) && rec_read(r, SPAN_OF(key), value) &&
           !(r->flags & REC_STUB);
}

bool view_record(struct view *v, const struct id *id, struct record_row *out)
{
    struct span value;
    struct rid rid;
    struct rec r;
    if (!get(v, DB_RID, SPAN_OF(*id), &value) || !rid_read(&rid, value) || !rid.row ||
        !rec_at(v, rid.serial, &r))
        return false;
    *out = row_of(&r);
    return true;
}

bool view_record_any(struct view *v, const struct id *id, struct record_row *out)
{
    uint8_t key[8];
    struct span value;
    struct rid rid;
    struct rec r;
    if (view_record(v, id, out))
        return true;
    if (!get(v, DB_RID, SPAN_OF(*id), &value) || !rid_read(&rid, value))
        return false;
    be64_put(key, rid.serial);
    if (!get(v, DB_OLD, SPAN_OF(key), &value) || !rec_read(&r, SPAN_OF(key), value))
        return false;
    *out = row_of(&r);
    return true;
}

bool view_record_at(struct view *v, uint64_t serial, struct id *id, struct record_row *out)
{
    struct rec r;
    if (!rec_at(v, serial, &r))
        return false;
    *id = r.id;
    *out = row_of(&r);
    return true;
}

enum known_state view_known(struct view *v, const struct id *id)
{
    struct span value;
    struct rid rid;
    return get(v, DB_RID, SPAN_OF(*id), &value) && rid_read(&rid, value) ? (enum known_state)rid.state : 0;
}

bool view_slot(struct view *v, const struct identity *author, uint8_t kind, const struct salt *slot,
               struct id *id, uint64_t *revision)
{
    uint8_t key[SLOT_KEY_BYTES];
    struct span value;
    struct slot_row row;
    slot_key(key, author, kind, slot);
    if (!get(v, DB_SLOT, SPAN_OF(key), &value) || !slot_read(&row, value))
        return false;
    *id = row.id;
    *revision = row.revision;
    return true;
}

/* The newest record of (subject, kind) before `serial`; kind by kind, so that a walk over all kinds is a
 * merge of a few sorted lists. */
static bool subject_before(struct walk *w, const struct id *subject, uint8_t kind, uint64_t *serial)
{
    uint8_t key[41];
    memcpy(key, subject->b, 32);
    key[32] = kind;
    be64_put(key + 33, *serial);
    walk_seek_before(w, SPAN_OF(key));
    if (!walk_in(w, span(key, 33)) || w->key.n != 41)
        return false;
    *serial = be64_get(w->key.p + 33);
    return true;
}

struct kind_list {
    uint8_t kind;
    uint64_t serial; /* 0: at its end */
};

static int subject_kinds(struct walk *w, const struct id *subject, uint8_t kind, struct kind_list *out)
{
    uint8_t key[33];
    int n = 0;
    memcpy(key, subject->b, 32);
    for (unsigned k = kind; k < 256; k++) {
        key[32] = (uint8_t)k;
        walk_seek(w, SPAN_OF(key));
        if (!walk_in(w, SPAN_OF(*subject)) || w->key.n != 41)
            break;
        k = w->key.p[32];
        if (kind && k != kind)
            break;
        out[n++] = (struct kind_list){.kind = (uint8_t)k, .serial = UINT64_MAX};
    }
    return n;
}

void view_subject(struct view *v, const struct id *subject, uint8_t kind, view_record_fn *fn, void *arg)
{
    struct kind_list lists[256];
    struct walk w;
    walk(v, DB_SUBJ, &w);
    int n = subject_kinds(&w, subject, kind, lists);
    for (int i = 0; i < n; i++)
        if (!subject_before(&w, subject, lists[i].kind, &lists[i].serial))
            lists[i].serial = 0;
    for (;;) {
        struct kind_list *newest = NULL;
        for (int i = 0; i < n; i++)
            if (lists[i].serial && (!newest || lists[i].serial > newest->serial))
                newest = &lists[i];
        if (!newest)
            break;
        struct rec r;
        struct record_row row;
        if (rec_at(v, newest->serial, &r)) {
            row = row_of(&r);
            if (!fn(arg, &r.id, &row))
                break;
        }
        if (!subject_before(&w, subject, newest->kind, &newest->serial))
            newest->serial = 0;
    }
    walk_close(&w);
}

void view_author(struct view *v, const struct identity *author, uint8_t kind, view_record_fn *fn, void *arg)
{
    uint8_t prefix[33];
    struct walk w;
    memcpy(prefix, author->b, 32);
    prefix[32] = kind;
    walk(v, DB_SLOT, &w);
    for (walk_seek(&w, SPAN_OF(prefix)); walk_in(&w, SPAN_OF(prefix)); walk_next(&w)) {
        struct slot_row slot;
        struct rec r;
        if (!slot_read(&slot, w.value) || !rec_at(v, slot.serial, &r) || (r.flags & REC_WITHDRAWS))
            continue;
        struct record_row row = row_of(&r);
        if (!fn(arg, &r.id, &row))
            break;
    }
    walk_close(&w);
}

void view_records_from(struct view *v, uint64_t serial, view_record_fn *fn, void *arg)
{
    uint8_t key[8];
    struct walk w;
    be64_put(key, serial);
    walk(v, DB_REC, &w);
    for (walk_seek(&w, SPAN_OF(key)); w.valid; walk_next(&w)) {
        struct rec r;
        if (!rec_read(&r, w.key, w.value) || (r.flags & REC_STUB))
            continue;
        struct record_row row = row_of(&r);
        if (!fn(arg, &r.id, &row))
            break;
    }
    walk_close(&w);
}

/* ---- the time index ---- */

void view_topic(struct view *v, struct span topic, view_chunk_fn *fn, void *arg)
{
    struct span number;
    struct walk w;
    if (topic.n == 0)
        topic = span("-", 1);
    if (!get(v, DB_TOPIC, topic, &number) || number.n != 4)
        return;
    walk(v, DB_TIX, &w);
    for (walk_seek(&w, number); walk_in(&w, number); walk_next(&w)) {
        struct time_chunk c;
        if (w.key.n != TIX_KEY || w.value.n < TIX_HEAD)
            continue;
        c.first_created = (int64_t)be64_get(w.key.p + 4);
        memcpy(c.first_id.b, w.key.p + 12, 32);
        memcpy(c.sum.b, w.value.p, 32);
        c.n = be16_get(w.value.p + 32);
        c.items = span(w.value.p + TIX_HEAD, w.value.n - TIX_HEAD);
        if (c.items.n == (size_t)c.n * TIX_ITEM && !fn(arg, &c))
            break;
    }
    walk_close(&w);
}

void view_topics(struct view *v, view_topic_fn *fn, void *arg)
{
    struct walk w;
    walk(v, DB_TOPICN, &w);
    for (walk_seek(&w, span(NULL, 0)); w.valid; walk_next(&w)) {
        struct span row;
        uint64_t ids = w.value.n > 8 ? be64_get(w.value.p) : 0;
        bool beyond = w.value.n > 8 && get(v, DB_HORIZON, w.key, &row);
        struct known_at horizon = horizon_read(beyond ? row : span(NULL, 0));
        if ((ids || beyond) && !fn(arg, span(w.value.p + 8, w.value.n - 8), ids, &horizon))
            break;
    }
    walk_close(&w);
}
