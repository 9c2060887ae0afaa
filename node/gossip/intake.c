/* intake.c: a record from outside: form and work at once, the signature by a worker, the rest by the
 * writer; only then is its id known and told on. */
#include "node/gossip/engine.h"
#include "node/gossip/place.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include <stdlib.h>

/* A peer that uses up its budget is not asked further; what it sends unasked is dropped. */
bool intake_budget(struct gossip *g, struct core *c, struct gpeer *p, double n)
{
    double add = (double)(c->now.mono_ms - p->tokens_ms) * GOSSIP_RATE / 1000.0;
    (void)g;
    p->tokens_ms = c->now.mono_ms;
    p->tokens = p->tokens + add > GOSSIP_BURST ? GOSSIP_BURST : p->tokens + add;
    if (p->tokens < n)
        return false;
    p->tokens -= n;
    return true;
}

static struct pending *pending_new(const struct record *rec, const struct id *seen,
                                   const struct gpeer *from, bool stem)
{
    struct pending *p = xcalloc(1, sizeof *p + rec->bytes.n);
    p->seen = *seen;
    p->stem = stem;
    p->from_peer = from != NULL;
    if (from)
        p->from = from->key;
    memcpy(p->bytes, rec->bytes.p, rec->bytes.n);
    return p;
}

static void pending_drop(struct gossip *g, struct pending *p)
{
    map_del(&g->pending, &p->seen);
    free(p);
}

static bool refused_before(struct core *c, const struct id *seen)
{
    struct span v;
    return view_get(c->view, TABLE_REFUSED, SPAN_OF(*seen), &v);
}

/* Whom the owner follows: the row is the market's (people.c). */
static bool followed(struct core *c, const struct identity *who)
{
    uint8_t key[7 + sizeof who->b] = "follow/";
    struct span v;
    memcpy(key + 7, who->b, sizeof who->b);
    return view_get(c->view, TABLE_DRAFT, SPAN_OF(key), &v);
}

int intake_record(struct gossip *g, struct core *c, const struct gpeer *from, struct span bytes, bool stem,
                  struct report *r)
{
    struct record rec;
    struct id seen;
    int err = record_parse(&rec, bytes, &g->network, r);
    if (err) {
        g->stats.refused++;
        return err;
    }
    if (!gossip_carries(g, rec.topic))
        return report_set(r, SOUK_ENOT_ALLOWED, "its topic is not carried here");
    record_seen_hash(&seen, &g->network, bytes);
    if (view_known(c->view, &rec.id) || map_get(&g->pending, &seen) || refused_before(c, &seen)) {
        g->stats.duplicates++;
        return SOUK_EDUPLICATE;
    }
    if ((err = record_timely(&rec, c->now.unix_ms, r)))
        return err;
    if (from && gossip_beyond(g, &rec) && !keys_own(c->keys, &rec.author) && !followed(c, &rec.author)) {
        g->stats.beyond++;
        return report_set(r, SOUK_EQUOTA, "it is older than what there is room for in its topic");
    }
    if (g->pending.n >= GOSSIP_PENDING_MOST)
        return report_set(r, SOUK_EBUSY, "too many records are being checked; try again in a moment");
    struct pending *p = pending_new(&rec, &seen, from, stem);
    MUST(record_parse(&p->rec, span(p->bytes, bytes.n), &g->network, NULL) == 0);
    map_put(&g->pending, &seen, p);
    struct job *job = xcalloc(1, sizeof *job);
    record_job(job, &p->rec);
    job->room = ROOM_GOSSIP;
    job->cookie = (uint64_t)(uintptr_t)p;
    fx_work(c->fx, job);
    g->stats.jobs++;
    return 0;
}

static void remember_refusal(struct core *c, const struct pending *p)
{
    struct change *ch = change_new(ROOM_GOSSIP, CHANGE_REFUSED, 0);
    uint8_t until[8];
    be64_put(until, (uint64_t)(c->now.unix_ms + 86400000));
    ch->bulk = true;
    change_put(ch, TABLE_REFUSED, SPAN_OF(p->seen), span(until, sizeof until));
    fx_commit(c->fx, ch);
}

void intake_worked(struct gossip *g, struct core *c, struct job *job)
{
    struct pending *p = (struct pending *)(uintptr_t)job->cookie; /* NOLINT: our own pointer comes back */
    if (!job->done) {
        g->stats.refused++;
        remember_refusal(c, p);
        if (p->from_peer)
            net_misconduct(c->net, c, &p->from, SOUK_ESIGNATURE);
        pending_drop(g, p);
        return;
    }
    struct op op;
    struct arena a;
    struct report why = {0};
    struct change *ch = change_new(ROOM_GOSSIP, CHANGE_RECORD, (uint64_t)(uintptr_t)p);
    ch->bulk = p->from_peer;
    arena_init(&a, 65536);
    int err = record_place(&op, &p->rec, &g->network, &a, &why);
    if (!err) {
        op.record.received = c->now.unix_ms;
        /* Of an identity that was brought back one's own records come from others. */
        op.record.own = !p->from_peer || keys_own(c->keys, &p->rec.author);
        op.record.followed = followed(c, &p->rec.author);
        change_record(ch, &op);
    } else {
        /* Its author signed it, so the peer that passed it on did no wrong: known, and not kept. */
        change_known(ch, &p->rec.id, p->rec.topic, p->rec.created, p->rec.expires,
                     err == SOUK_ENOT_FOUND ? KNOWN_UNKNOWN_KIND : KNOWN_DECLINED);
        g->stats.declined++;
    }
    arena_free(&a);
    fx_commit(c->fx, ch);
}

void intake_committed(struct gossip *g, struct core *c, struct change *change)
{
    struct pending *p = (struct pending *)(uintptr_t)change->cookie; /* NOLINT: as above */
    if (change->err || !change->ops_n) {
        pending_drop(g, p); /* the disk is full: it will be offered again */
        return;
    }
    const struct op *op = &change->ops[0];
    if (op->result != OP_DUPLICATE && op->result != OP_DECLINED)
        gossip_known(g, p->rec.topic, p->rec.created, &p->rec.id);
    g->stats.no_room += op->result == OP_QUOTA || op->result == OP_DECLINED;
    if (op->kind == OP_RECORD && op->result == OP_STORED) {
        g->stats.stored++;
        push_record(g, c, &p->rec, p->from_peer ? &p->from : NULL, p->stem, !p->from_peer);
        c->hooks->record_stored(c, &p->rec, op->number, !p->from_peer);
    }
    pending_drop(g, p);
}
