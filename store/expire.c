/* expire.c: the end of things: what is due, and what there is no room for. */
#include "store/db.h"

static void end_one(struct tx *t, int64_t at, enum ending what, struct span key, const struct id *id)
{
    struct id a, b;
    struct span v;
    struct op op;
    if (what == END_ID) {
        record_end(t, at, be64_get(key.p), id);
        return;
    }
    ending_del(t, at, what, key);
    if (what == END_MAIL) {
        memcpy(a.b, key.p, 32);
        memcpy(b.b, key.p + 32, 32);
        mail_drop(t, &a, &b, &op);
    } else if (what == END_STOCK) {
        if (tx_get(t, DB_STOCK, key, &v) && v.n == 12 && (int64_t)be64_get(v.p + 4) <= at)
            tx_del(t, DB_STOCK, key);
    } else if (what == END_REFUSED) {
        uint8_t k[33] = {TABLE_REFUSED};
        memcpy(k + 1, key.p, 32);
        if (tx_get(t, DB_SMALL, SPAN_OF(k), &v) && v.n == 8 && (int64_t)be64_get(v.p) <= at)
            tx_del(t, DB_SMALL, SPAN_OF(k));
    }
}

struct due {
    uint8_t key[ENDING_KEY_MAX];
    size_t n;
    int64_t at;
    struct id id;
};

/* The next thing due from a key on; entries of the present bucket that are not due yet are passed over. */
static bool next_due(struct tx *t, int64_t now, struct due *d)
{
    static const uint8_t lengths[] = {8, 64, 64, 32};
    struct walk w;
    bool found = false;
    walk_open(&w, t->txn, t->s->dbi[DB_EXP]);
    for (walk_seek(&w, span(d->key, d->n)); w.valid && !found; walk_next(&w)) {
        uint8_t last[ENDING_KEY_MAX];
        ending_key(last, now, END_ID, span("", 0));
        if (w.key.n < 6 || w.key.p[5] > END_REFUSED || w.key.n != 6u + lengths[w.key.p[5]] ||
            w.value.n != (w.key.p[5] == END_ID ? 40 : 8)) {
            t->err = SOUK_EDAMAGED;
            break;
        }
        if (memcmp(w.key.p, last, 5) > 0)
            break;
        d->at = (int64_t)be64_get(w.value.p);
        if (d->at > now)
            continue;
        found = true;
        d->n = w.key.n;
        memcpy(d->key, w.key.p, w.key.n);
        if (w.value.n == 40)
            memcpy(d->id.b, w.value.p + 8, 32);
    }
    walk_close(&w);
    return found;
}

void expire_apply(struct tx *t, struct change *c, struct op *op)
{
    uint32_t done = 0, limit = op->expire.limit;
    struct due d = {.n = 0};
    for (; done < limit && !t->err && next_due(t, op->expire.now, &d); done++)
        end_one(t, d.at, (enum ending)d.key[5], span(d.key + 6, d.n - 6), &d.id);
    /* From 31/32 on: what is new is refused above the bounds, and until the next sweep there should be room
     * for it. */
    if (done < limit && ids_crowded(t, 32))
        done += forget_some(t, limit - done);
    if (done < limit)
        done += evict_some(t, limit - done);
    if (!beyond_quota(t, 0))
        t->over_quota = false;
    if (done < limit && !ids_crowded(t, 4))
        horizons_lift(t);
    op->number = done;
    op->found = left_tell(t, &c->arena);
    op->result = OP_STORED;
}
