/* rating.c: which ratings count, and making one's own. */
#include "crypto/sign.h"
#include "node/gossip/place.h"
#include "node/market/engine.h"
#include "node/market/stub.h"

enum { RATING_BYTES = 65536 };
#define REPLACE_MS (INT64_C(30) * 86400000)
#define RATING_LIFE_MS (INT64_C(395) * 86400000)
/* What map `judged` says: verdicts that stay as they are. */
static const char counts, never;

void market_set_funding_check(struct market *m, market_funding_check *fn, void *arg)
{
    m->funding = fn;
    m->funding_arg = arg;
}

/* Buyers and sellers rate each other and their arbiter, and answer what was said of them. */
static int parts_ok(const struct identity *author, const struct record_rating *b, struct report *r)
{
    const struct record_stub *s = &b->proof.stub;
    bool party = identity_eq(author, &s->buyer) || identity_eq(author, &s->seller);
    bool arbiter = s->has_arbiter && identity_eq(author, &s->arbiter);
    bool of = identity_eq(&b->subject, &s->buyer) || identity_eq(&b->subject, &s->seller) ||
              (s->has_arbiter && identity_eq(&b->subject, &s->arbiter));
    bool self = identity_eq(author, &b->subject);
    if (b->has_answer && b->answer)
        return (party || arbiter) && self
                   ? 0
                   : report_set(r, SOUK_ENOT_ALLOWED, "only who was rated may answer");
    if (!party || !of || self)
        return report_set(r, SOUK_ENOT_ALLOWED,
                          "only buyer and seller rate, each the other or the arbiter of their trade");
    return 0;
}

static int funding_ok(struct market *m, struct core *c, const struct record_stub_proof *p, struct report *r)
{
    struct id hash;
    if (p->stub.rail == RECORD_RAIL_DIRECT)
        return 0; /* both signed that it was paid: stub_proof_check */
    if (!p->has_funding)
        return report_set(r, SOUK_EMISSING, "nothing shows that the trade was funded");
    if (!m->funding)
        return report_set(r, SOUK_ENOT_FOUND, "this node cannot check what its rail says");
    stub_hash(&hash, &m->network, &p->stub);
    return m->funding(m->funding_arg, c, &p->stub, &hash, p->funding, r);
}

static void judged(struct market *m, const struct id *id, int err)
{
    /* What is missing may come: a head of the issuer's that this node has not seen, say. */
    if (err == SOUK_EMISSING || err == SOUK_ENOT_FOUND)
        return;
    if (m->judged.n >= RATINGS_JUDGED_MOST) { /* anew: those that are looked at are soon there again */
        map_free(&m->judged);
        map_init(&m->judged, sizeof *id, m->rng);
    }
    map_put(&m->judged, id, (void *)(uintptr_t)(err ? &never : &counts)); /* NOLINT: only compared */
}

int market_rating_check(struct market *m, struct core *c, const struct record *rec, struct arena *a,
                        struct market_rating *out, struct report *r)
{
    *out = (struct market_rating){.id = rec->id, .author = rec->author, .created = rec->created};
    int err = record_rating_decode(&out->body, rec->body, a, r);
    if (err)
        return err;
    out->funded = true;
    const void *was = map_get(&m->judged, &rec->id);
    if (was == &counts)
        return 0;
    if (was == &never)
        return report_set(r, SOUK_EINVALID, "its proof did not hold");
    err = parts_ok(&rec->author, &out->body, r);
    if (!err)
        err = stub_proof_check(&m->network, &out->body.proof, r);
    if (!err)
        err = funding_ok(m, c, &out->body.proof, r);
    judged(m, &rec->id, err);
    return err;
}

void rating_record_stored(struct market *m, struct core *c, const struct record *rec)
{
    struct arena a;
    struct market_rating rating;
    if (rec->kind != RECORD_RATING)
        return;
    arena_init(&a, RATING_BYTES);
    (void)market_rating_check(m, c, rec, &a, &rating, NULL); /* remembers what it found */
    arena_free(&a);
}

struct listing_ratings {
    struct market *m;
    struct core *c;
    const struct identity *subject;
    market_rating_fn *fn;
    void *arg;
    struct arena a;
    size_t refused;
    bool more;
};

static bool one_rating(void *arg, const struct id *id, const struct record_row *row)
{
    struct listing_ratings *l = arg;
    struct record rec;
    struct market_rating rating;
    (void)id;
    arena_reset(&l->a);
    if (row->withdraws || record_parse(&rec, row->bytes, l->c->network, NULL) ||
        rec.kind != RECORD_RATING || rec.expires <= l->c->now.unix_ms)
        return true;
    int err = market_rating_check(l->m, l->c, &rec, &l->a, &rating, NULL);
    if (!identity_eq(&rating.body.subject, l->subject))
        return true; /* what this person says of others is found under the same name */
    if (err)
        l->refused++;
    else if (l->more && !(rating.body.has_answer && rating.body.answer))
        l->more = l->fn(l->arg, &rating);
    return true;
}

size_t market_ratings(struct market *m, struct core *c, const struct identity *subject,
                      market_rating_fn *fn, void *arg)
{
    struct listing_ratings l = {.m = m, .c = c, .subject = subject, .fn = fn, .arg = arg, .more = true};
    struct id key;
    memcpy(key.b, subject->b, sizeof key.b);
    arena_init(&l.a, RATING_BYTES);
    view_subject(c->view, &key, RECORD_RATING, one_rating, &l);
    arena_free(&l.a);
    return l.refused;
}

/* Replaceable for 30 days: whoever wants to say something else later has had time to think. */
static int replaceable(struct core *c, const struct identity *author, const struct salt *slot,
                       struct report *r)
{
    struct id id;
    struct record_row row;
    struct record rec;
    if (!market_newest(c, author, RECORD_RATING, slot, &id) || !view_record(c->view, &id, &row) ||
        record_parse(&rec, row.bytes, c->network, NULL) || c->now.unix_ms - rec.created < REPLACE_MS)
        return 0;
    return report_set(r, SOUK_ENOT_ALLOWED, "a rating can be replaced for 30 days; this one is older");
}

int market_rate(struct market *m, struct core *c, const struct market_rate *rate, struct change *change,
                struct report *r)
{
    struct record_rating b = {.subject = rate->subject,
                              .stars = rate->stars,
                              .has_words = rate->words.n > 0,
                              .words = rate->words,
                              .proof = *rate->proof};
    struct salt slot;
    char topic[72];
    slot_of_rating(&slot, &m->network, &b.proof.stub.trade, &b.subject, false);
    int err = parts_ok(&rate->author, &b, r);
    if (!err)
        err = stub_proof_check(&m->network, &b.proof, r);
    if (!err)
        err = replaceable(c, &rate->author, &slot, r);
    if (err)
        return err;
    struct buf body = {0};
    record_rating_encode(&body, &b);
    market_topic_people(topic, &rate->subject);
    struct market_draft d = {.author = rate->author,
                             .kind = RECORD_RATING,
                             .topic = span_str(topic),
                             .body = buf_view(&body),
                             .slot = &slot,
                             .expires = c->now.unix_ms + RATING_LIFE_MS};
    err = market_publish(m, c, &d, change, r);
    buf_free(&body);
    return err;
}
