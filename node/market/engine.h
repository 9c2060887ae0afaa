/* engine.h: the market's own state, for its own files. */
#ifndef SOUK_MARKET_ENGINE_H
#define SOUK_MARKET_ENGINE_H
#include "crypto/base/map.h"
#include "crypto/record.h"
#include "node/market/market.h"

enum { MARKET_UPKEEP = 1, MARKET_EXPIRE, MARKET_IMPORT, MARKET_NOTE, MARKET_INDEX };
enum { BATCH_FILES = 16, RATINGS_JUDGED_MOST = 65536 };
struct index;
struct batch_item;
/* A file of listings: those that are not out yet, and what became of the others. */
struct batch_file {
    uint64_t number;
    size_t waiting, published;
    int err; /* the first; what comes after it is not published */
    struct report why;
};
struct market {
    struct network network;
    struct rng *rng;
    size_t solving; /* records that wait for their work */
    uint64_t upkeep_ms, expire_ms, behind_ms;
    uint64_t importing, imported; /* listings of an import on their way, and on disk */
    struct index *index;
    uint64_t index_next; /* serial from which on records are not in the index */
    bool index_behind, index_flushing;
    struct batch_item *batch_first, *batch_last;
    size_t batch_under_way;
    struct batch_file batch_file[BATCH_FILES];
    uint64_t batch_number; /* of the last */
    struct map judged;     /* rating → whether it counts */
    market_funding_check *funding;
    void *funding_arg;
};
/* search.c */
void search_boot(struct market *m, struct core *c);
void search_feed(struct market *m, struct core *c); /* records that are not in the index yet */
void search_wake(struct market *m, struct core *c);
void search_committed(struct market *m, struct core *c, struct change *change);
/* batch.c */
void batch_feed(struct market *m, struct core *c);
void batch_committed(struct market *m, struct core *c, struct change *change);
void batch_free(struct market *m);
/* people.c: notes whose names and terms were seen, so that they are found again */
void people_record_stored(struct core *c, const struct record *rec);
/* rating.c */
void rating_record_stored(struct market *m, struct core *c, const struct record *rec);
#endif
