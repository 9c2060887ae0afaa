/* records.c: public records: one revision a slot, ids known until they expire, floors.
 *
 * Of two revisions of a slot the higher stands, ties go to the lowest id.  What loses stays known by id (so
 * that reconciliation does not fetch it again) until its own expiry.  Its bytes move to a table of their
 * own for as long: a node that has not seen it is offered its id by everybody and settles only once
 * somebody serves it.  No index leads there, and over quota they go first.  The slot's floor moves to the
 * latest expiry of all that were seen in it: until then the holder stays, even past its own expiry (it
 * then only leaves the time index, alike on every node), and nothing older can come in its place. */
#include "store/db.h"

bool rid_get(struct tx *t, const struct id *id, struct rid *out)
{
    struct span v;
    return tx_get(t, DB_RID, SPAN_OF(*id), &v) && rid_read(out, v);
}

bool rec_get(struct tx *t, uint64_t serial, struct rec *out)
{
    uint8_t key[8];
    struct span v;
    be64_put(key, serial);
    return tx_get(t, DB_REC, SPAN_OF(key), &v) && rec_read(out, SPAN_OF(key), v);
}

void subjects_put(struct tx *t, const struct rec *r, bool there)
{
    for (int i = 0; i < r->subjects_n; i++) {
        uint8_t key[41];
        memcpy(key, r->subjects[i].b, 32);
        key[32] = r->kind;
        be64_put(key + 33, r->serial);
        if (there)
            tx_put(t, DB_SUBJ, SPAN_OF(key), span(NULL, 0));
        else
            tx_del(t, DB_SUBJ, SPAN_OF(key));
    }
}

void row_drop(struct tx *t, const struct rec *r)
{
    uint8_t key[8];
    be64_put(key, r->serial);
    subjects_put(t, r, false);
    index_forget(t, r->serial);
    tx_del(t, DB_REC, SPAN_OF(key));
    share_count(t, r, false);
}

/* An id is noted without its record: as superseded, declined, evicted.  Its serial. */
static uint64_t note(struct tx *t, const struct id *id, uint32_t topic, int64_t created, int64_t expires,
                     uint8_t state, const struct rid *was)
{
    struct rid rid = {
        .state = state, .listed = true, .created = created, .expires = expires, .topic = topic};
    if (was) {
        rid.listed = was->listed;
        rid.serial = was->serial;
    } else {
        rid.serial = ++t->count[COUNT_SERIAL];
        ending_id_put(t, expires, rid.serial, id);
        tix_note(t, topic, created, id, true);
    }
    rid_put(t, id, &rid);
    return rid.serial;
}

/* The bytes of what was superseded, for whoever asks for that id; until record_end, or old_evict. */
static void old_keep(struct tx *t, const struct rec *r)
{
    uint8_t row[REC_ROW_MAX], key[8];
    if (t->over_quota || (r->flags & REC_STUB))
        return;
    be64_put(key, r->serial);
    size_t n = rec_write(row, r);
    tx_put(t, DB_OLD, SPAN_OF(key), span(row, n));
}

void old_drop(struct tx *t, uint64_t serial)
{
    uint8_t key[8];
    be64_put(key, serial);
    tx_del(t, DB_OLD, SPAN_OF(key));
}

static void supersede(struct tx *t, const struct slot_row *old)
{
    struct rec r;
    struct rid rid;
    if (!rec_get(t, old->serial, &r) || !rid_get(t, &r.id, &rid))
        return;
    if (rid.listed)
        old_keep(t, &r); /* first of all: r.bytes live until something is written */
    row_drop(t, &r);
    if (rid.listed) {
        note(t, &r.id, r.topic, r.created, r.expires, KNOWN_SUPERSEDED, &rid);
        return;
    }
    /* Its own time is up and only the floor held it: the floor is its successor's now. */
    ending_id_del(t, old->floor, r.serial);
    tx_del(t, DB_RID, SPAN_OF(r.id));
}

static bool beats(uint64_t revision, const struct id *id, const struct slot_row *row)
{
    if (revision != row->revision)
        return revision > row->revision;
    return memcmp(id->b, row->id.b, 32) < 0;
}

/* An older revision with a later end came: the slot is kept as long. */
static void floor_raise(struct tx *t, const uint8_t *key, struct slot_row *row, int64_t floor)
{
    struct rid holder;
    if (rid_get(t, &row->id, &holder) && !holder.listed) { /* only the floor holds it: see record_end */
        ending_id_del(t, row->floor, holder.serial);
        ending_id_put(t, floor, holder.serial, &row->id);
    }
    row->floor = floor;
    slot_put(t, key, row);
}

static struct rec rec_of(struct tx *t, const struct op *op)
{
    struct rec r = {.kind = op->record.kind, .subjects_n = op->record.subjects_n};
    r.flags = (uint8_t)((op->record.own ? REC_OWN : 0) | (op->record.followed ? REC_FOLLOWED : 0) |
                        (op->record.withdraws ? REC_WITHDRAWS : 0) | (op->record.has_slot ? REC_SLOT : 0));
    r.topic = topic_number(t, op->record.topic);
    r.revision = op->record.revision;
    r.created = op->record.created;
    r.expires = op->record.expires;
    r.received = op->record.received;
    r.id = op->record.id;
    r.author = op->record.author;
    r.slot = op->record.slot;
    memcpy(r.subjects, op->record.subjects, sizeof r.subjects);
    r.bytes = op->record.bytes;
    return r;
}

static void insert(struct tx *t, struct op *op, const struct rid *was, const uint8_t *slot, int64_t floor)
{
    uint8_t row[REC_ROW_MAX], key[8];
    struct rec r = rec_of(t, op);
    op->number = r.serial = ++t->count[COUNT_SERIAL];
    be64_put(key, r.serial);
    size_t n = rec_write(row, &r);
    tx_append(t, DB_REC, SPAN_OF(key), span(row, n));
    share_count(t, &r, true);
    subjects_put(t, &r, true);
    struct rid rid = {.state = KNOWN_STORED, .row = true, .listed = true, .serial = r.serial};
    rid_put(t, &r.id, &rid);
    if (was)
        ending_id_del(t, r.expires, was->serial);
    ending_id_put(t, r.expires, r.serial, &r.id);
    tix_note(t, r.topic, r.created, &r.id, true); /* no change where it is listed already */
    if (slot) {
        struct slot_row s = {.revision = r.revision, .id = r.id, .serial = r.serial};
        s.floor = floor > r.expires ? floor : r.expires;
        slot_put(t, slot, &s);
    }
}

/* Known already?  True when that settles it. */
static bool settled(struct tx *t, struct op *op, struct rid *rid)
{
    if (rid->state == KNOWN_SUPERSEDED) {
        op->result = OP_STALE;
        return true;
    }
    if (rid->state != KNOWN_STORED)
        return false; /* declined or evicted before, and wanted now */
    op->result = OP_DUPLICATE;
    op->number = rid->serial;
    struct rec r;
    uint8_t flags = (uint8_t)((op->record.own ? REC_OWN : 0) | (op->record.followed ? REC_FOLLOWED : 0));
    if ((flags || op->record.own) && rec_get(t, rid->serial, &r) && (r.flags | flags) != r.flags) {
        /* Ours after all (an identity brought back), or followed since: it is kept longer from now on. */
        uint8_t row[REC_ROW_MAX], key[8];
        struct rec was = r;
        r.flags |= flags;
        be64_put(key, r.serial);
        size_t n = rec_write(row, &r);
        tx_put(t, DB_REC, SPAN_OF(key), span(row, n));
        share_count(t, &was, false);
        share_count(t, &r, true);
        if (t->count[COUNT_EVICT_FOLLOWED] > r.serial)
            t->count[COUNT_EVICT_FOLLOWED] = r.serial;
    }
    return true;
}

/* It comes after what replaces it: noted as it would have been, and kept to be handed on. */
static void stale(struct tx *t, struct op *op, const struct rid *was, const uint8_t *key,
                  struct slot_row *row)
{
    struct rec r = rec_of(t, op);
    r.serial = note(t, &r.id, r.topic, r.created, r.expires, KNOWN_SUPERSEDED, was);
    old_keep(t, &r);
    if (r.expires > row->floor)
        floor_raise(t, key, row, r.expires);
    op->result = OP_STALE;
}

/* A new revision takes the place of the one before, so that its author may always say the next thing. */
static bool has_room(struct tx *t, const struct op *op, bool replaces)
{
    if (op->record.own)
        return true;
    return !t->over_quota &&
           (op->record.followed || replaces || share_left(t, &op->record.author, op->record.bytes.n));
}

void record_apply(struct tx *t, struct change *c, struct op *op)
{
    (void)c;
    MUST(op->record.subjects_n <= SUBJECTS_MAX && op->record.bytes.n <= REC_BYTES_MAX);
    struct rid rid;
    bool known = rid_get(t, &op->record.id, &rid);
    if (known && settled(t, op, &rid))
        return;
    if (!known && !op->record.own && !op->record.followed &&
        !id_welcome(t, op->record.topic, op->record.created, &op->record.id)) {
        op->result = OP_DECLINED;
        return;
    }
    uint8_t key[SLOT_KEY_BYTES];
    struct slot_row row;
    bool held = false;
    if (op->record.has_slot) {
        struct span v;
        slot_key(key, &op->record.author, op->record.kind, &op->record.slot);
        held = tx_get(t, DB_SLOT, SPAN_OF(key), &v) && slot_read(&row, v);
    }
    bool same = held && id_eq(&row.id, &op->record.id);
    if (held && !same && !beats(op->record.revision, &op->record.id, &row)) {
        stale(t, op, known && !rid.row ? &rid : NULL, key, &row);
        return;
    }
    if (!has_room(t, op, held && !same)) {
        if (!known)
            note(t, &op->record.id, topic_number(t, op->record.topic), op->record.created,
                 op->record.expires, KNOWN_EVICTED, NULL);
        op->result = OP_QUOTA;
        return;
    }
    struct rec stub;
    if (known && rid.row && rec_get(t, rid.serial, &stub)) {
        row_drop(t, &stub); /* evicted, its stub kept for the slot: it comes back whole */
        if (held && !rid.listed)
            ending_id_del(t, row.floor, rid.serial);
    }
    if (held && !same)
        supersede(t, &row);
    insert(t, op, known ? &rid : NULL, op->record.has_slot ? key : NULL, held ? row.floor : INT64_MIN);
    op->result = OP_STORED;
}

void known_apply(struct tx *t, struct op *op)
{
    struct rid rid;
    if (rid_get(t, &op->known.id, &rid)) {
        op->result = OP_DUPLICATE;
        return;
    }
    if (!id_welcome(t, op->known.topic, op->known.created, &op->known.id)) {
        op->result = OP_DECLINED;
        return;
    }
    note(t, &op->known.id, topic_number(t, op->known.topic), op->known.created, op->known.expires,
         op->known.why, NULL);
    op->result = OP_STORED;
}

/* ---- the end of things ---- */

static void unlist(struct tx *t, const struct id *id, struct rid *rid, uint32_t topic, int64_t created)
{
    if (!rid->listed)
        return;
    tix_note(t, topic, created, id, false);
    left_note(t, topic, created, id);
    rid->listed = false;
}

void record_end(struct tx *t, int64_t at, uint64_t serial, const struct id *id)
{
    struct rid rid;
    struct rec r;
    ending_id_del(t, at, serial);
    if (!rid_get(t, id, &rid) || rid.serial != serial)
        return;
    if (!rid.row) {
        unlist(t, id, &rid, rid.topic, rid.created);
        old_drop(t, serial);
        tx_del(t, DB_RID, SPAN_OF(*id));
        return;
    }
    if (!rec_get(t, rid.serial, &r)) {
        t->err = t->err ? t->err : SOUK_EDAMAGED;
        return;
    }
    unlist(t, id, &rid, r.topic, r.created);
    uint8_t key[SLOT_KEY_BYTES];
    struct slot_row row;
    bool holds = false;
    if (r.flags & REC_SLOT) {
        struct span v;
        slot_key(key, &r.author, r.kind, &r.slot);
        holds = tx_get(t, DB_SLOT, SPAN_OF(key), &v) && slot_read(&row, v) && id_eq(&row.id, id);
    }
    if (holds && row.floor > at && !ids_crowded(t, 2)) { /* what is only held cannot be forgotten */
        ending_id_put(t, row.floor, serial, id);
        rid_put(t, id, &rid);
    } else if (r.flags & REC_OWN) {
        rid_put(t, id, &rid); /* the owner may want to renew it */
    } else {
        row_drop(t, &r);
        tx_del(t, DB_RID, SPAN_OF(*id));
        if (holds)
            tx_del(t, DB_SLOT, SPAN_OF(key));
    }
}
