/* check.c: every table against the others.  Stops at the first fault and says where it is. */
#include "store/db.h"
#include <stdio.h>

struct check {
    struct store *s;
    MDB_txn *txn;
    struct report *r;
    store_progress_fn *progress;
    void *arg;
    const char *what;
    uint64_t done, all, listed;
    uint64_t strangers, by_author, by_topic; /* bytes */
    int err;
};

static bool get(struct check *c, enum db db, struct span key, struct span *value)
{
    return db_get(c->txn, c->s->dbi[db], key, value);
}

static void fault(struct check *c, struct span key, const char *why)
{
    char hex[2 * 16 + 1];
    if (c->err)
        return;
    hex_encode(hex, key.p, key.n < 16 ? key.n : 16);
    c->err =
        report_set(c->r, SOUK_EDAMAGED,
                   "%s, entry %s: %s.  Derived tables are mended by soukd --reindex, the rest by a backup",
                   c->what, hex, why);
}

static void expect(struct check *c, bool good, struct span key, const char *why)
{
    if (!good)
        fault(c, key, why);
}

static bool ending_is(struct check *c, int64_t at, enum ending what, struct span key)
{
    uint8_t k[ENDING_KEY_MAX];
    struct span v;
    size_t n = ending_key(k, at, what, key);
    return at == INT64_MAX ||
           (get(c, DB_EXP, span(k, n), &v) && v.n >= 8 && be64_get(v.p) == (at < 0 ? 0 : (uint64_t)at));
}

static bool id_ends(struct check *c, int64_t at, uint64_t serial)
{
    uint8_t key[8];
    be64_put(key, serial);
    return ending_is(c, at, END_ID, SPAN_OF(key));
}

static bool rec_at(struct check *c, uint64_t serial, struct rec *r)
{
    uint8_t key[8];
    struct span v;
    be64_put(key, serial);
    return get(c, DB_REC, SPAN_OF(key), &v) && rec_read(r, SPAN_OF(key), v);
}

static bool holds_slot(struct check *c, const struct rec *r, struct slot_row *row)
{
    uint8_t key[SLOT_KEY_BYTES];
    struct span v;
    slot_key(key, &r->author, r->kind, &r->slot);
    return get(c, DB_SLOT, SPAN_OF(key), &v) && slot_read(row, v) && id_eq(&row->id, &r->id) &&
           row->serial == r->serial && row->revision == r->revision && row->floor >= r->expires;
}

static void check_rec(struct check *c, struct span key, struct span value)
{
    struct rec r;
    struct rid rid = {0};
    struct slot_row row = {0};
    struct span v;
    if (!rec_read(&r, key, value) || !rec_sound(value)) {
        fault(c, key, "the row is damaged");
        return;
    }
    bool known = get(c, DB_RID, SPAN_OF(r.id), &v) && rid_read(&rid, v);
    expect(c, known && rid.row && rid.serial == r.serial, key, "its id does not lead to it");
    expect(c, rid.state == (r.flags & REC_STUB ? KNOWN_EVICTED : KNOWN_STORED), key, "its state is wrong");
    c->strangers += share_counts(&r) ? value.n : 0;
    if (r.flags & REC_SLOT)
        expect(c, holds_slot(c, &r, &row), key, "its slot does not lead to it");
    if (rid.listed)
        expect(c, id_ends(c, r.expires, r.serial), key, "its end is not noted");
    else if (!(r.flags & REC_OWN))
        expect(c, id_ends(c, row.floor, r.serial), key, "the end of its floor is not noted");
    for (int i = 0; i < r.subjects_n; i++) {
        uint8_t k[41];
        memcpy(k, r.subjects[i].b, 32);
        k[32] = r.kind;
        be64_put(k + 33, r.serial);
        expect(c, get(c, DB_SUBJ, SPAN_OF(k), &v), key, "a subject does not lead to it");
    }
}

static void check_rid(struct check *c, struct span key, struct span value)
{
    struct rid rid;
    struct rec r;
    if (key.n != 32 || !rid_read(&rid, value) || rid.state < KNOWN_STORED ||
        rid.state > KNOWN_UNKNOWN_KIND) {
        fault(c, key, "the row is damaged");
        return;
    }
    c->listed += rid.listed;
    if (rid.row)
        expect(c, rec_at(c, rid.serial, &r) && span_eq(SPAN_OF(r.id), key), key, "its record is missing");
    else
        expect(c, rid.listed && id_ends(c, rid.expires, rid.serial), key, "its end is not noted");
}

static void check_old(struct check *c, struct span key, struct span value)
{
    struct rec r;
    struct rid rid = {0};
    struct span v;
    if (!rec_read(&r, key, value) || !rec_sound(value)) {
        fault(c, key, "the row is damaged");
        return;
    }
    bool known = get(c, DB_RID, SPAN_OF(r.id), &v) && rid_read(&rid, v);
    expect(c, known && !rid.row && rid.serial == r.serial && rid.state == KNOWN_SUPERSEDED, key,
           "its id does not lead to it");
    expect(c, rid.expires == r.expires && rid.created == r.created && rid.topic == r.topic, key,
           "its id is noted otherwise");
}

static void check_share(struct check *c, struct span key, struct span value)
{
    bool author = key.n == 33 && key.p[0] == 'a' && value.n == 8;
    bool topic = key.n == 5 && key.p[0] == 't' && value.n == 8 + TIX_ITEM;
    expect(c, author || topic, key, "the row is damaged");
    if (author)
        c->by_author += be64_get(value.p);
    if (topic)
        c->by_topic += be64_get(value.p);
}

static void check_slot(struct check *c, struct span key, struct span value)
{
    struct slot_row row;
    struct rec r;
    expect(c,
           key.n == SLOT_KEY_BYTES && slot_read(&row, value) && rec_at(c, row.serial, &r) &&
               id_eq(&r.id, &row.id) && r.revision == row.revision,
           key, "its record is missing");
}

static void check_subj(struct check *c, struct span key, struct span value)
{
    struct rec r;
    (void)value;
    expect(c, key.n == 41 && rec_at(c, be64_get(key.p + 33), &r) && !(r.flags & REC_STUB), key,
           "its record is missing");
}

static void check_exp(struct check *c, struct span key, struct span value)
{
    struct span v;
    struct rid rid;
    bool good = key.n > 6 && value.n >= 8;
    if (good && key.p[5] == END_ID)
        good = key.n == 14 && value.n == 40 && get(c, DB_RID, span(value.p + 8, 32), &v) &&
               rid_read(&rid, v) && rid.serial == be64_get(key.p + 6);
    else if (good && key.p[5] == END_MAIL)
        good = key.n == 70 && get(c, DB_MAIL, span(key.p + 6, 64), &v);
    else
        good = good && key.p[5] <= END_REFUSED;
    expect(c, good, key, "it ends something that is not there");
}

/* One topic's chunks come one after another: `topics` adds up its ids for comparing with the count. */
struct topic_sum {
    struct check *c;
    uint8_t last[TIX_KEY];
    uint64_t n, all;
};

static void topic_done(struct topic_sum *s)
{
    struct span v;
    if (s->n && (!get(s->c, DB_TOPICN, span(s->last, 4), &v) || v.n < 9 || be64_get(v.p) != s->n))
        fault(s->c, span(s->last, 4), "the topic's count is wrong");
    s->all += s->n;
    s->n = 0;
}

static void check_item(struct topic_sum *s, const uint8_t *item, uint32_t topic)
{
    struct check *c = s->c;
    struct span v, key = span(item + 8, 32);
    struct rid rid;
    struct rec r;
    if (!get(c, DB_RID, key, &v) || !rid_read(&rid, v) || !rid.listed) {
        fault(c, key, "an id in the time index is not known");
        return;
    }
    if (rid.row && rec_at(c, rid.serial, &r)) {
        rid.created = r.created;
        rid.topic = r.topic;
    }
    expect(c, rid.topic == topic && (uint64_t)rid.created == be64_get(item), key,
           "an id in the time index is at the wrong place");
}

static void check_chunk(struct topic_sum *s, struct span key, struct span value)
{
    struct check *c = s->c;
    uint8_t sum[32] = {0};
    size_t n = value.n >= TIX_HEAD ? be16_get(value.p + 32) : 0;
    if (key.n != TIX_KEY || n == 0 || n > TIX_MOST || value.n != TIX_HEAD + n * TIX_ITEM ||
        memcmp(key.p + 4, value.p + TIX_HEAD, TIX_ITEM) != 0) {
        fault(c, key, "the chunk is damaged");
        return;
    }
    if (memcmp(s->last, key.p, 4) != 0)
        topic_done(s);
    memcpy(s->last, key.p, 4);
    for (size_t i = 0; i < n && !c->err; i++) {
        const uint8_t *item = value.p + TIX_HEAD + i * TIX_ITEM;
        bool first = s->n == 0 && i == 0;
        expect(c, first || memcmp(s->last + 4, item, TIX_ITEM) < 0, key, "the chunk is not in order");
        memcpy(s->last + 4, item, TIX_ITEM);
        tix_sum_add(sum, item + 8);
        check_item(s, item, be32_get(key.p));
    }
    s->n += n;
    expect(c, memcmp(sum, value.p, 32) == 0, key, "the chunk's sum is wrong");
}

static void check_horizon(struct check *c, struct span key, struct span value)
{
    struct span v;
    expect(c, key.n == 4 && value.n == TIX_ITEM && get(c, DB_TOPICN, key, &v), key,
           "it is of a topic that is not there");
}

static void tick(struct check *c)
{
    c->done++;
    if (c->progress && c->done % 4096 == 0)
        c->progress(c->arg, c->what, c->done, c->all);
}

static void each(struct check *c, enum db db, const char *what,
                 void (*fn)(struct check *, struct span, struct span))
{
    struct walk w;
    c->what = what;
    walk_open(&w, c->txn, c->s->dbi[db]);
    for (walk_seek(&w, span(NULL, 0)); w.valid && !c->err; walk_next(&w)) {
        fn(c, w.key, w.value);
        tick(c);
    }
    walk_close(&w);
}

static void check_times(struct check *c)
{
    struct topic_sum s = {.c = c};
    struct walk w;
    c->what = "time index";
    walk_open(&w, c->txn, c->s->dbi[DB_TIX]);
    for (walk_seek(&w, span(NULL, 0)); w.valid && !c->err; walk_next(&w)) {
        check_chunk(&s, w.key, w.value);
        tick(c);
    }
    walk_close(&w);
    if (!c->err)
        topic_done(&s);
    expect(c, s.all == c->listed, span(NULL, 0), "it does not hold every id that is known");
}

static void check_fact(struct check *c, struct span key, struct span value)
{
    struct span v;
    uint8_t sum[8];
    bool good = key.n == FACT_KEY && value.n >= FACT_HEAD && memcmp(key.p + FACT_PLACE, value.p, 8) == 0;
    if (good) {
        checksum(sum, span(value.p + FACT_HEAD, value.n - FACT_HEAD));
        good = memcmp(sum, value.p + 32, 8) == 0;
    }
    expect(c, good, key, "the row is damaged");
    expect(c, !good || (get(c, DB_FACTID, span(value.p, 32), &v) && span_eq(v, key)), key,
           "its id does not lead to it");
}

static void check_factid(struct check *c, struct span key, struct span value)
{
    struct span v;
    expect(c, get(c, DB_FACT, value, &v) && v.n >= FACT_HEAD && span_eq(span(v.p, 32), key), key,
           "its fact is missing");
}

static void check_out(struct check *c, struct span key, struct span value)
{
    uint8_t at[16];
    struct span v;
    if (key.n != 8 || value.n < OUT_HEAD) {
        fault(c, key, "the row is damaged");
        return;
    }
    memcpy(at, value.p, 8);
    memcpy(at + 8, key.p, 8);
    expect(c, get(c, DB_DUE, SPAN_OF(at), &v), key, "it is not among what is due");
    expect(c, get(c, DB_OUTTAG, span(value.p + 8, 32), &v) && span_eq(v, key), key,
           "its tag does not lead to it");
}

static void check_due(struct check *c, struct span key, struct span value)
{
    struct span v;
    (void)value;
    expect(c,
           key.n == 16 && get(c, DB_OUT, span(key.p + 8, 8), &v) && v.n >= OUT_HEAD &&
               memcmp(v.p, key.p, 8) == 0,
           key, "its entry is missing");
}

static void check_blob(struct check *c, struct span key, struct span value)
{
    struct walk w;
    uint32_t held = 0;
    uint64_t bytes = 0;
    if (key.n != 32 || value.n < BLOB_HEAD) {
        fault(c, key, "the row is damaged");
        return;
    }
    walk_open(&w, c->txn, c->s->dbi[DB_CHUNK]);
    for (walk_seek(&w, key); walk_in(&w, key); walk_next(&w)) {
        bool good = w.key.n == 36 && w.value.n >= 4 && be32_get(w.value.p) <= w.value.n - 4;
        expect(c, good, key, "a chunk is damaged");
        bytes += good ? w.value.n - 4 - be32_get(w.value.p) : 0;
        held++;
    }
    walk_close(&w);
    expect(c, held == be32_get(value.p + 9) && bytes == be64_get(value.p + 13), key,
           "its chunks are not those it counts");
    uint8_t age[40];
    struct span v;
    memcpy(age, value.p + 1, 8);
    memcpy(age + 8, key.p, 32);
    expect(c, value.p[0] || get(c, DB_BAGE, SPAN_OF(age), &v), key, "it is not among what can be evicted");
}

static void check_mail(struct check *c, struct span key, struct span value)
{
    struct span v;
    bool good = key.n == 64 && value.n >= MAIL_HEAD;
    expect(c, good, key, "the row is damaged");
    expect(c, !good || ending_is(c, (int64_t)be64_get(value.p), END_MAIL, key), key,
           "its end is not noted");
    expect(c, !good || value.n == MAIL_HEAD || get(c, DB_MBOX, span(key.p, 32), &v), key,
           "its mailbox is missing");
}

static void check_mbox(struct check *c, struct span key, struct span value)
{
    struct walk w;
    uint64_t all = 0, plain = 0;
    walk_open(&w, c->txn, c->s->dbi[DB_MAIL]);
    for (walk_seek(&w, key); walk_in(&w, key); walk_next(&w)) {
        uint64_t n = w.value.n < MAIL_HEAD ? 0 : w.value.n - MAIL_HEAD;
        all += n;
        plain += w.value.n > 8 && w.value.p[8] ? 0 : n;
    }
    walk_close(&w);
    expect(c, value.n == MBOX_BYTES && be64_get(value.p) == all && be64_get(value.p + 8) == plain, key,
           "it does not count its mail right");
}

static void check_leaf(struct check *c, struct span key, struct span value)
{
    struct span v;
    expect(c, key.n == 8 && value.n >= 32 && get(c, DB_LTX, span(value.p, 32), &v) && span_eq(v, key), key,
           "its transfer does not lead to it");
}

static void check_node(struct check *c, struct span key, struct span value)
{
    struct id left, right, hash;
    struct span v;
    uint8_t child[9];
    if (key.n != 9 || value.n != 32) {
        fault(c, key, "the node is damaged");
        return;
    }
    uint64_t index = be64_get(key.p + 1);
    if (key.p[0] == 0) {
        expect(c, get(c, DB_LED, span(key.p + 1, 8), &v), key, "its leaf is missing");
        return;
    }
    child[0] = (uint8_t)(key.p[0] - 1);
    for (int i = 0; i < 2; i++) {
        be64_put(child + 1, 2 * index + (uint64_t)i);
        bool good = get(c, DB_LNODE, SPAN_OF(child), &v) && v.n == 32;
        expect(c, good, key, "a child is missing");
        if (good)
            memcpy(i ? right.b : left.b, v.p, 32);
    }
    if (c->err)
        return;
    ledger_hash(&hash, &left, &right);
    expect(c, span_eq(SPAN_OF(hash), value), key, "it is not the hash of its children");
}

static void check_note(struct check *c, struct span key, struct span value)
{
    struct span v;
    expect(c, value.n >= 32 && (is_zero(value.p, 32) || get(c, DB_LTX, span(value.p, 32), &v)), key,
           "the transfer that spent it is missing");
}

int store_check(struct store *s, store_progress_fn *progress, void *arg, struct report *r)
{
    struct check c = {.s = s, .r = r, .progress = progress, .arg = arg};
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &c.txn);
    if (rc)
        return report_set(r, lmdb_err(rc), "the store cannot be read: %s", mdb_strerror(rc));
    for (int i = 0; i < DB_MAX; i++) {
        MDB_stat st;
        if (!mdb_stat(c.txn, s->dbi[i], &st))
            c.all += st.ms_entries;
    }
    each(&c, DB_REC, "records", check_rec);
    each(&c, DB_RID, "ids", check_rid);
    each(&c, DB_SHARE, "shares", check_share);
    expect(&c, c.by_author == c.strangers && c.by_topic == c.strangers, span(NULL, 0),
           "they do not add up to what there is of strangers' records");
    each(&c, DB_OLD, "superseded records", check_old);
    each(&c, DB_SLOT, "slots", check_slot);
    each(&c, DB_SUBJ, "subjects", check_subj);
    each(&c, DB_EXP, "endings", check_exp);
    check_times(&c);
    each(&c, DB_HORIZON, "horizons", check_horizon);
    each(&c, DB_FACT, "facts", check_fact);
    each(&c, DB_FACTID, "facts by id", check_factid);
    each(&c, DB_OUT, "outbox", check_out);
    each(&c, DB_DUE, "what is due", check_due);
    each(&c, DB_BLOB, "blobs", check_blob);
    each(&c, DB_MAIL, "mail", check_mail);
    each(&c, DB_MBOX, "mailboxes", check_mbox);
    each(&c, DB_LED, "ledger", check_leaf);
    each(&c, DB_LNODE, "ledger tree", check_node);
    each(&c, DB_NOTE, "notes", check_note);
    mdb_txn_abort(c.txn);
    if (!c.err && progress)
        progress(arg, "done", c.all, c.all);
    return c.err;
}
