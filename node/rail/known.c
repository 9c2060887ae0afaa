/* known.c: what the room above is told of a lock: funded or not, settled how; and the proof that goes into
 * a rating. */
#include "node/rail/engine.h"

static struct watch *find(struct rails *r, struct core *c, const struct id *lock, bool *own)
{
    uint8_t key[33];
    struct span v;
    struct watch *w = map_get(&r->watches, lock);
    *own = !w;
    watch_key(key, lock);
    if (!w && view_get(c->view, TABLE_NOTE, SPAN_OF(key), &v))
        w = watch_read(r, v);
    return w;
}

struct pending_of {
    const struct id *lock;
    bool fund, payout;
};
static bool pending_row(void *arg, struct span key, struct span value)
{
    struct pending_of *p = arg;
    struct ledger_pending m;
    struct arena a;
    (void)key;
    arena_init(&a, 65536);
    if (ledger_pending_decode(&m, value, &a, NULL) == 0 && m.has_lock && id_eq(&m.lock, p->lock)) {
        p->fund |= m.purpose == LEDGER_PURPOSE_FUND;
        p->payout |= m.purpose != LEDGER_PURPOSE_FUND;
    }
    arena_free(&a);
    return true;
}

static int own_err(struct core *c, const struct watch *w, bool fund)
{
    struct pending_of p = {.lock = &w->lock_id};
    view_scan(c->view, TABLE_NOTE, span_str("p"), span(NULL, 0), pending_row, &p);
    if (fund ? p.fund : p.payout)
        return SOUK_EBUSY;
    return w->refusal ? refusal_err(w->refusal) : 0;
}

static int64_t time_of(const struct buf *receipt)
{
    struct arena a;
    struct ledger_receipt r;
    struct ledger_entry e;
    arena_init(&a, 65536);
    int64_t at =
        receipt_read(&r, receipt, &a) && ledger_entry_decode(&e, r.entry, &a, NULL) == 0 ? e.time : 0;
    arena_free(&a);
    return at;
}

int rails_funding(struct rails *r, struct core *c, const struct id *lock, struct rail_funding *out)
{
    bool own;
    struct watch *w = find(r, c, lock, &own);
    if (!w)
        return SOUK_ENOT_FOUND;
    *out = (struct rail_funding){.state = RAIL_NONE};
    if (w->made.n) {
        out->state = w->forked ? RAIL_FORKED : w->reversed ? RAIL_REVERSED : RAIL_SEEN;
        out->confirmations = (unsigned)w->peers_n;
        out->minor = w->lock.amount.minor;
        out->at = time_of(&w->made);
    } else {
        out->err = own_err(c, w, true);
    }
    if (own)
        watch_free(w);
    return 0;
}

int rails_settlement(struct rails *r, struct core *c, const struct id *lock, struct rail_settlement *out)
{
    bool own;
    struct watch *w = find(r, c, lock, &own);
    struct transfer t;
    struct arena a;
    unsigned branch = 0;
    if (!w)
        return SOUK_ENOT_FOUND;
    *out = (struct rail_settlement){.spent = w->spent.n > 0};
    arena_init(&a, RAIL_ARENA_BYTES);
    if (out->spent) {
        out->at = time_of(&w->spent);
        if (w->transfer.n && transfer_parse(&t, r->network, buf_view(&w->transfer), &a, NULL) == 0) {
            locks_settled(r->network, &w->lock, &t, &out->split, &out->known, &branch);
            out->moved = !out->known && locks_moved(&w->lock, &t, &out->next);
            out->transfer = t.id;
            out->branch = branch == 0                                        ? RAIL_BY_PARTIES
                          : branch == 1 && w->lock.parties > RAIL_SUBSTITUTE ? RAIL_BY_SUBSTITUTE
                                                                             : RAIL_BY_LATENESS;
        }
    } else {
        out->err = own_err(c, w, false);
    }
    arena_free(&a);
    if (own)
        watch_free(w);
    return 0;
}

int rails_funding_proof(struct rails *r, struct core *c, const struct id *lock, struct buf *out)
{
    bool own;
    struct watch *w = find(r, c, lock, &own);
    struct arena a;
    struct ledger_receipt made;
    struct locks_note note;
    if (!w)
        return SOUK_ENOT_FOUND;
    arena_init(&a, 65536);
    int err = receipt_read(&made, &w->made, &a) ? 0 : SOUK_EMISSING;
    if (!err) {
        locks_note(&note, r->network, &w->lock);
        funding_proof_make(out, &w->lock.issuer, &note.note.stub_salt, &made);
    }
    arena_free(&a);
    if (own)
        watch_free(w);
    return err;
}

int rail_funding_proof_check(struct core *c, struct span proof, const struct id *stub,
                             const struct identity *issuer, struct report *rep)
{
    struct node_key node;
    struct identity key;
    if (!rails_issuer_of(c, issuer, &node, &key))
        return report_set(rep, SOUK_ENOT_FOUND, "the issuer is not known here (yet)");
    return funding_proof_check(c->network, proof, stub, issuer, &key, NULL, rep);
}
