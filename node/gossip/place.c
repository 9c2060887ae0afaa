#include "node/gossip/place.h"
#include "crypto/hash.h"
#include "record.gen.h"

static void slot_hash(struct salt *out, const struct network *net, const struct span *parts, size_t n)
{
    struct id h;
    hash_souk(&h, net, "souk:slot", parts, n);
    memcpy(out->b, h.b, sizeof out->b);
}

void slot_of_rating(struct salt *out, const struct network *net, const struct id *trade,
                    const struct identity *subject, bool answer)
{
    uint8_t flag = answer;
    struct span parts[] = {SPAN_OF(*trade), SPAN_OF(*subject), span(&flag, 1)};
    slot_hash(out, net, parts, 3);
}

void slot_of_list(struct salt *out, const struct network *net, struct span class, struct span name)
{
    struct span parts[] = {class, span("\0", 1), name};
    slot_hash(out, net, parts, 3);
}

static void concerns(struct op *op, const void *who)
{
    if (op->record.subjects_n < 4)
        memcpy(op->record.subjects[op->record.subjects_n++].b, who, sizeof(struct id));
}

static int place_listing(struct op *op, const struct record *rec, struct arena *a, struct report *r)
{
    struct record_listing m;
    int err = record_listing_decode(&m, rec->body, a, r);
    if (!err)
        op->record.slot = m.slot;
    return err;
}

static int place_withdrawal(struct op *op, const struct record *rec, struct arena *a, struct report *r)
{
    struct record_withdrawal m;
    int err = record_withdrawal_decode(&m, rec->body, a, r);
    if (err)
        return err;
    op->record.kind = (uint8_t)m.kind; /* it stands in the slot of what it takes back */
    op->record.slot = m.slot;
    op->record.withdraws = true;
    return 0;
}

static int place_rating(struct op *op, const struct record *rec, const struct network *net, struct arena *a,
                        struct report *r)
{
    struct record_rating m;
    int err = record_rating_decode(&m, rec->body, a, r);
    if (err)
        return err;
    slot_of_rating(&op->record.slot, net, &m.proof.stub.trade, &m.subject, m.has_answer && m.answer);
    concerns(op, &m.subject);
    concerns(op, &m.proof.stub.trade);
    return 0;
}

static int place_list(struct op *op, const struct record *rec, const struct network *net, struct arena *a,
                      struct report *r)
{
    struct record_list m;
    int err = record_list_decode(&m, rec->body, a, r);
    if (!err)
        slot_of_list(&op->record.slot, net, m.class, m.name);
    return err;
}

static int place_fraud(struct op *op, const struct record *rec, struct arena *a, struct report *r)
{
    struct record_fraud m;
    int err = record_fraud_decode(&m, rec->body, a, r);
    if (err)
        return err;
    op->record.has_slot = false; /* every proof stays */
    concerns(op, &m.issuer);
    return 0;
}

int record_place(struct op *op, const struct record *rec, const struct network *net, struct arena *a,
                 struct report *r)
{
    *op = (struct op){.kind = OP_RECORD};
    op->record.id = rec->id;
    op->record.author = rec->author;
    op->record.kind = rec->kind;
    op->record.has_slot = true;
    op->record.revision = (uint64_t)rec->created;
    op->record.created = rec->created;
    op->record.expires = rec->expires;
    op->record.topic = rec->topic;
    op->record.bytes = rec->bytes;
    concerns(op, &rec->author);
    if (rec->version != RECORD_VERSION)
        return SOUK_ENOT_FOUND;
    switch (rec->kind) {
    case RECORD_LISTING:
        return place_listing(op, rec, a, r);
    case RECORD_WITHDRAWAL:
        return place_withdrawal(op, rec, a, r);
    case RECORD_RATING:
        return place_rating(op, rec, net, a, r);
    case RECORD_LIST:
        return place_list(op, rec, net, a, r);
    case RECORD_FRAUD:
        return place_fraud(op, rec, a, r);
    default: /* profile, arbiter, issuer, head, prekey, revocation: one an author, slot zero */
        return record_check(rec->kind, rec->body, a, r);
    }
}
