/* count.h: counters of node.status and node.dht, with their bounds: every queue, table and cache has one.
 */
#ifndef SOUK_COUNT_H
#define SOUK_COUNT_H
#include "node/api/call.h"

struct counters {
    struct api_count *row; /* in the arena */
    size_t n;
};
struct counters counters_new(struct arena *a);
void count(struct counters *k, const char *name, uint64_t value);
void count_most(struct counters *k, const char *name, uint64_t value, uint64_t most); /* with its bound */
void count_store(struct counters *k, struct core *c);
void count_rooms(struct counters *k, struct core *c);
void count_dht(struct counters *k, struct core *c);
#endif
