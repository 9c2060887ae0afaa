/* publish.c: from a draft to a record on disk, and then to the world. */
#include "crypto/record.h"
#include "crypto/work.h"
#include "node/gossip/gossip.h"
#include "node/keys/keys.h"
#include "node/market/categories.h"
#include "node/market/engine.h"
#include "node/market/regions.h"
#include <stdlib.h>

enum { SOLVE_HERE_BITS = 8, SLICE_TRIES = 200000, SOLVING_MOST = 1024 };

struct solving {
    struct record draft;
    struct change *change;
    unsigned bits;
    char topic[RECORD_TOPIC_MOST];
    uint8_t body[];
};

static const struct salt slot_zero;

static int64_t next_revision(struct core *c, const struct market_draft *d)
{
    struct id id;
    uint64_t last = 0;
    struct record_withdrawal w;
    uint8_t kind = d->kind; /* a withdrawal follows what it takes back */
    if (kind == RECORD_WITHDRAWAL && record_withdrawal_decode(&w, d->body, NULL, NULL) == 0)
        kind = (uint8_t)w.kind;
    if (view_slot(c->view, &d->author, kind, d->slot ? d->slot : &slot_zero, &id, &last) &&
        (int64_t)last >= c->now.unix_ms)
        return (int64_t)last + 1;
    return c->now.unix_ms;
}

/* Work is found: signs, writes, commits.  Takes the change over on success. */
static int finish(struct core *c, struct record *draft, struct change *change, struct report *r)
{
    struct buf bytes = {0};
    int err = keys_sign(c->keys, c, &draft->author, USE_DUTY, &draft->id, &draft->sig, r);
    if (!err)
        err = record_write(&bytes, draft, c->network, r);
    if (!err)
        err = gossip_own(c->gossip, c, buf_view(&bytes), change, r);
    buf_free(&bytes);
    if (!err)
        fx_commit(c->fx, change);
    return err;
}

static void give_slice(struct core *c, struct solving *s)
{
    struct job *job = xcalloc(1, sizeof *job);
    job->class = JOB_SOLVE;
    job->room = ROOM_MARKET;
    job->cookie = (uint64_t)(uintptr_t)s;
    memcpy(job->msg, s->draft.id.b, sizeof job->msg);
    job->nonce = s->draft.work;
    job->tries = SLICE_TRIES;
    job->bits = (uint8_t)s->bits;
    fx_work(c->fx, job);
}

int market_publish(struct market *m, struct core *c, const struct market_draft *d, struct change *change,
                   struct report *r)
{
    struct record draft = {.kind = d->kind,
                           .author = d->author,
                           .topic = d->topic,
                           .body = d->body,
                           .created = next_revision(c, d),
                           .expires = d->expires};
    unsigned bits;
    int err = record_prepare(&draft, c->network, &bits, r);
    if (err)
        return err;
    if (bits <= SOLVE_HERE_BITS) {
        MUST(work_search(&draft.id, 0, UINT64_MAX, bits, &draft.work));
        return finish(c, &draft, change, r);
    }
    if (m->solving >= SOLVING_MOST)
        return report_set(r, SOUK_EBUSY, "%d records wait for their work already; try again in a while",
                          SOLVING_MOST);
    struct solving *s = xcalloc(1, sizeof *s + d->body.n);
    s->draft = draft;
    s->change = change;
    s->bits = bits;
    memcpy(s->topic, d->topic.p, d->topic.n);
    memcpy(s->body, d->body.p, d->body.n);
    s->draft.topic.p = (const uint8_t *)s->topic;
    s->draft.body.p = s->body;
    m->solving++;
    give_slice(c, s);
    return 0;
}

void market_worked(struct market *m, struct core *c, struct job *job)
{
    struct solving *s = (struct solving *)(uintptr_t)job->cookie; /* NOLINT: our own pointer comes back */
    struct report r = {0};
    if (!job->done) {
        s->draft.work += SLICE_TRIES;
        give_slice(c, s);
        return;
    }
    struct record draft = s->draft;
    draft.work = job->nonce;
    unsigned bits;
    record_prepare(&draft, c->network, &bits, &r);
    draft.work = job->nonce;
    int err = finish(c, &draft, s->change, &r);
    if (err) {
        /* Locked meanwhile: whoever waits is told so by a commit that stored nothing. */
        log_line(LOG_WARN, "market", "a record could not be signed: %s", r.text);
        fx_commit(c->fx, s->change);
    }
    m->solving--;
    free(s);
}

bool market_published(struct core *c, const struct change *change, struct id *id)
{
    bool any = false;
    for (size_t i = 0; !change->err && i < change->ops_n; i++) {
        const struct op *op = &change->ops[i];
        if (op->kind != OP_RECORD || (op->result != OP_STORED && op->result != OP_DUPLICATE))
            continue;
        any = true;
        if (id)
            *id = op->record.id;
        if (op->result == OP_STORED)
            gossip_announce(c->gossip, c, &op->record.id);
    }
    return any;
}

bool market_topic_means(struct span topic)
{
    size_t slash = 0;
    while (slash < topic.n && topic.p[slash] != '/')
        slash++;
    if (slash == topic.n)
        return false;
    struct span category = span(topic.p, slash), region = span(topic.p + slash + 1, topic.n - slash - 1);
    if (span_eq(category, span_str("people"))) /* two hex digits, by its form */
        return true;
    return category_find(category) && (span_eq(region, span_str("*")) || region_ok(region));
}

size_t market_topic(char out[static 72], struct span category, struct span region)
{
    size_t n = 0;
    while (n < category.n && n < 60 && category.p[n] != '/') {
        out[n] = (char)category.p[n];
        n++;
    }
    out[n++] = '/';
    memcpy(out + n, region.n == 2 ? (const char *)region.p : "*", region.n == 2 ? 2 : 1);
    n += region.n == 2 ? 2 : 1;
    out[n] = 0;
    return n;
}

size_t market_topic_people(char out[static 72], const struct identity *who)
{
    return record_topic_people(out, who).n;
}
