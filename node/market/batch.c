/* batch.c: the listings of a file on their way out, a few at a time, so that neither the workers nor the
 * writer is held up for anybody else. */
#include "node/market/engine.h"
#include <stdlib.h>

enum { UNDER_WAY_MOST = 64 };

struct batch_item {
    struct batch_item *next;
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

int market_batch_add(struct market *m, struct core *c, const struct identity *author,
                     struct record_listing *listing, int64_t expires, struct report *r)
{
    if (m->importing >= MARKET_BATCH_MOST)
        return report_set(r, SOUK_EBUSY,
                          "%llu listings wait to be published already; try again when they are out",
                          (unsigned long long)m->importing);
    struct batch_item *item = xcalloc(1, sizeof *item);
    rng_bytes(c->rng, item->slot.b, sizeof item->slot.b);
    listing->slot = item->slot;
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
    return 0;
}

void batch_feed(struct market *m, struct core *c)
{
    while (m->batch_first && m->batch_under_way < UNDER_WAY_MOST) {
        struct batch_item *item = m->batch_first;
        struct report r = {0};
        struct change *ch = change_new(ROOM_MARKET, MARKET_IMPORT, 0);
        struct market_draft d = {.author = item->author,
                                 .kind = RECORD_LISTING,
                                 .topic = span_str(item->topic),
                                 .body = buf_view(&item->body),
                                 .slot = &item->slot,
                                 .expires = item->expires};
        int err = market_publish(m, c, &d, ch, &r);
        if (err) {
            change_free(ch);
            if (err == SOUK_EBUSY)
                return; /* asked again at the next wake */
            log_line(LOG_WARN, "market", "a listing of an import was not published: %s", r.text);
            m->importing--;
        } else
            m->batch_under_way++;
        m->batch_first = item->next;
        item_free(item);
    }
}

void batch_committed(struct market *m, struct core *c, struct change *change)
{
    struct id id;
    m->batch_under_way--;
    m->importing--;
    if (market_published(c, change, &id))
        m->imported++;
    batch_feed(m, c);
}

void market_batch_state(const struct market *m, uint64_t *waiting, uint64_t *done)
{
    *waiting = m->importing;
    *done = m->imported;
}
