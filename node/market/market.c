/* market.c: the room's face, and what it does by itself: prekeys, expiry, batches. */
#include "node/gossip/gossip.h"
#include "node/keys/keys.h"
#include "node/market/engine.h"
#include "node/market/photo.h"
#include "store/query.h"
#include <stdlib.h>

enum {
    UPKEEP_MS = 1000,
    EXPIRE_MS = 60000,
    EXPIRE_AT_ONCE = 1000,
    EXPIRE_AGAIN_MS = 100,
    EXPIRE_FULL_MS = 5000,
    BEHIND_MS = 5
};
/* A prekey record outlives its last week by the time for which the secrets are kept. */
#define PREKEY_LIFE_MS (INT64_C(66) * 86400000)

struct market *market_new(const struct network *network, struct rng *rng)
{
    struct market *m = xcalloc(1, sizeof *m);
    m->network = *network;
    m->rng = rng;
    map_init(&m->judged, sizeof(struct id), rng);
    return m;
}

void market_free(struct market *m)
{
    if (!m)
        return;
    batch_free(m);
    index_close(m->index);
    map_free(&m->judged);
    free(m);
}

void market_boot(struct market *m, struct core *c)
{
    gossip_blobs_judged_by(c->gossip, photo_clean);
    search_boot(m, c);
    m->upkeep_ms = c->now.mono_ms;
    m->expire_ms = c->now.mono_ms + EXPIRE_MS; /* by then peers have told what time it is */
}

void market_record_stored(struct market *m, struct core *c, const struct record *rec, uint64_t serial,
                          bool own)
{
    (void)serial;
    (void)own;
    people_record_stored(c, rec);
    rating_record_stored(m, c, rec);
    search_feed(m, c);
}

int market_message(struct market *m, struct core *c, const struct node_key *peer, unsigned number,
                   struct span body)
{
    (void)m, (void)c, (void)peer, (void)number, (void)body;
    return 0; /* a later version's question: neither answered nor held against the peer */
}

void market_say(struct market *m, struct core *c, const struct identity *who, uint8_t kind,
                struct span body, int64_t life_ms, struct change *with)
{
    struct report r = {0};
    char topic[72];
    struct change *ch = with ? with : change_new(ROOM_MARKET, MARKET_UPKEEP, 0);
    market_topic_people(topic, who);
    struct market_draft d = {.author = *who,
                             .kind = kind,
                             .topic = span_str(topic),
                             .body = body,
                             .expires = c->now.unix_ms + life_ms};
    if (market_publish(m, c, &d, ch, &r)) {
        log_line(LOG_WARN, "market", "a record of kind %u was not published: %s", kind, r.text);
        change_free(ch);
    }
}

static void prekeys(struct market *m, struct core *c, const struct identity *who)
{
    struct report r = {0};
    struct buf body = {0};
    struct change *ch = change_new(ROOM_MARKET, MARKET_UPKEEP, 0);
    if (keys_prekeys_make(c->keys, c, who, &body, ch, &r)) {
        log_line(LOG_WARN, "market", "prekeys were not made: %s", r.text);
        change_free(ch);
    } else
        market_say(m, c, who, RECORD_PREKEY, buf_view(&body), PREKEY_LIFE_MS, ch);
    buf_free(&body);
}

static void upkeep(struct market *m, struct core *c)
{
    struct key_row rows[KEYS_MOST];
    size_t n = keys_list(c->keys, rows);
    for (size_t i = 0; i < n; i++)
        if (rows[i].unlocked && keys_prekeys_due(c->keys, c, &rows[i].identity))
            prekeys(m, c, &rows[i].identity);
    batch_feed(m, c);
    search_wake(m, c);
}

/* A full store refuses strangers until room is made: that is not left to the next minute. */
static bool is_full(struct core *c)
{
    struct store_stats s;
    view_stats(c->view, &s);
    return (s.known_most && s.known >= s.known_most - s.known_most / 32) ||
           (s.quota_bytes && s.used_bytes > s.quota_bytes - s.quota_bytes / 32);
}

void market_wake(struct market *m, struct core *c)
{
    if (c->now.mono_ms >= m->upkeep_ms) {
        m->upkeep_ms = c->now.mono_ms + UPKEEP_MS;
        upkeep(m, c);
        if (m->expire_ms > c->now.mono_ms + EXPIRE_FULL_MS && is_full(c))
            m->expire_ms = c->now.mono_ms + EXPIRE_FULL_MS;
    }
    if (m->index_behind && c->now.mono_ms >= m->behind_ms) {
        m->behind_ms = c->now.mono_ms + BEHIND_MS; /* between two steps others have their turn */
        search_wake(m, c);
    }
    if (c->now.mono_ms >= m->expire_ms && c->clock_wrong) {
        m->expire_ms = c->now.mono_ms + EXPIRE_MS; /* what seems to be over may not be */
    } else if (c->now.mono_ms >= m->expire_ms) {
        struct change *ch = change_new(ROOM_MARKET, MARKET_EXPIRE, 0);
        ch->bulk = true;
        m->expire_ms = c->now.mono_ms + EXPIRE_MS;
        change_expire(ch, c->now.unix_ms, EXPIRE_AT_ONCE);
        fx_commit(c->fx, ch);
    }
}

uint64_t market_next_wake(const struct market *m)
{
    if (m->index_behind && !m->index_flushing)
        return m->behind_ms;
    return m->upkeep_ms < m->expire_ms ? m->upkeep_ms : m->expire_ms;
}

void market_committed(struct market *m, struct core *c, struct change *change)
{
    struct id id;
    switch (change->what) {
    case MARKET_UPKEEP:
        (void)market_published(c, change, &id);
        if (change->err)
            keys_prekeys_unmade(c->keys, c);
        break;
    case MARKET_IMPORT:
        batch_committed(m, c, change);
        break;
    case MARKET_INDEX:
        search_committed(m, c, change);
        break;
    case MARKET_EXPIRE:
        if (change->err)
            break;
        gossip_left(c->gossip, change->ops[0].found);
        if (change->ops[0].number >= EXPIRE_AT_ONCE) /* there is more */
            m->expire_ms = c->now.mono_ms + EXPIRE_AGAIN_MS;
        break;
    default:
        break;
    }
}
