/* batch.c: the listings of a file on their way out, a few at a time, so that neither the workers nor the
 * writer is held up for anybody else.
 *
 * A listing's slot follows from its author and its words: a file that was published in part (a full disk, a
 * crash) can be imported again, and what is out already becomes a new revision of itself. */
#include "crypto/hash.h"
#include "node/market/engine.h"
#include <stdlib.h>

enum { UNDER_WAY_MOST = 64 };

struct batch_item {
    struct batch_item *next;
    uint64_t number; /* of its file */
    struct identity author;
    struct salt slot;
    int64_t expires;
    char topic[72];
    struct buf body;
};

static void item_free(struct batch_item *item)
{
    buf_free(&item->body);
    free(item);
}

void batch_free(struct market *m)
{
    while (m->batch_first) {
        struct batch_item *next = m->batch_first->next;
        item_free(m->batch_first);
        m->batch_first = next;
    }
}

/* ---- files ---- */
static struct batch_file *file_of(struct market *m, uint64_t number)
{
    for (size_t i = 0; i < BATCH_FILES; i++)
        if (m->batch_file[i].number == number)
            return &m->batch_file[i];
    return NULL;
}

/* One listing is out, or will not be. */
static void file_step(struct market *m, uint64_t number, bool published, int err, const char *why)
{
    struct batch_file *f = file_of(m, number);
    m->importing--;
    m->imported += published;
    MUST(f && f->waiting);
    f->waiting--;
    f->published += published;
    if (err && !f->err)
        f->err = report_set(&f->why, err, "%s", why);
}

uint64_t market_batch_begin(struct market *m, struct report *r)
{
    struct batch_file *f = NULL;
    for (size_t i = 0; i < BATCH_FILES; i++)
        if (!m->batch_file[i].waiting && (!f || m->batch_file[i].number < f->number))
            f = &m->batch_file[i];
    if (!f) {
        report_set(r, SOUK_EBUSY, "%d imports are under way already; try again when one is done",
                   BATCH_FILES);
        return 0;
    }
    *f = (struct batch_file){.number = ++m->batch_number};
    return f->number;
}

bool market_batch_done(struct market *m, uint64_t number, size_t *published, struct report *r)
{
    struct batch_file *f = file_of(m, number);
    if (f && f->waiting)
        return false;
    *published = f ? f->published : 0;
    *r = f ? f->why : (struct report){.err = SOUK_EBUSY};
    return true;
}

/* ---- listings ---- */
static void slot_of(struct market *m, const struct identity *author, struct record_listing *listing,
                    struct salt *out)
{
    struct buf words = {0};
    struct id hash;
    listing->slot = (struct salt){{0}};
    record_listing_encode(&words, listing);
    hash_souk(&hash, &m->network, "souk:import", (struct span[]){SPAN_OF(*author), buf_view(&words)}, 2);
    memcpy(out->b, hash.b, sizeof out->b);
    buf_free(&words);
}

int market_batch_add(struct market *m, uint64_t number, const struct identity *author,
                     struct record_listing *listing, int64_t expires, struct report *r)
{
    struct batch_file *f = file_of(m, number);
    MUST(f != NULL);
    if (m->importing >= MARKET_BATCH_MOST)
        return report_set(r, SOUK_EBUSY,
                          "%llu listings wait to be published already; try again when they are out",
                          (unsigned long long)m->importing);
    struct batch_item *item = xcalloc(1, sizeof *item);
    slot_of(m, author, listing, &item->slot);
    listing->slot = item->slot;
    item->number = number;
    item->author = *author;
    item->expires = expires;
    market_topic(item->topic, listing->category, listing->region);
    record_listing_encode(&item->body, listing);
    if (m->batch_last && m->batch_first)
        m->batch_last->next = item;
    else
        m->batch_first = item;
    m->batch_last = item;
    m->importing++;
    f->waiting++;
    m->upkeep_ms = 0; /* at the next wake */
    return 0;
}

/* false: too much is under way; asked again at the next wake. */
static bool send_one(struct market *m, struct core *c, const struct batch_item *item)
{
    struct report r = {0};
    const struct batch_file *f = file_of(m, item->number);
    if (f && f->err) { /* what comes after a failure stays unpublished: one reason, told once */
        file_step(m, item->number, false, 0, "");
        return true;
    }
    struct change *ch = change_new(ROOM_MARKET, MARKET_IMPORT, item->number);
    struct market_draft d = {.author = item->author,
                             .kind = RECORD_LISTING,
                             .topic = span_str(item->topic),
                             .body = buf_view(&item->body),
                             .slot = &item->slot,
                             .expires = item->expires};
    int err = market_publish(m, c, &d, ch, &r);
    if (err)
        change_free(ch);
    if (err == SOUK_EBUSY)
        return false;
    if (err)
        file_step(m, item->number, false, err, r.text);
    else
        m->batch_under_way++;
    return true;
}

void batch_feed(struct market *m, struct core *c)
{
    while (m->batch_first && m->batch_under_way < UNDER_WAY_MOST) {
        struct batch_item *item = m->batch_first;
        if (!send_one(m, c, item))
            return;
        m->batch_first = item->next;
        item_free(item);
    }
}

void batch_committed(struct market *m, struct core *c, struct change *change)
{
    struct id id;
    bool out = market_published(c, change, &id);
    int err = out ? 0 : change->err ? change->err : SOUK_ELOCKED; /* nothing stored: it was not signed */
    m->batch_under_way--;
    file_step(m, change->cookie, out, err, err_sentence(err));
    batch_feed(m, c);
}

void market_batch_state(const struct market *m, uint64_t *waiting, uint64_t *done)
{
    *waiting = m->importing;
    *done = m->imported;
}
