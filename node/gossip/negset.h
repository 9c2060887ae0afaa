/* negset.h: the ids known of one topic, in memory, in the order of (created, id): what is reconciled.
 *
 * Items lie in chunks of at most 100 with the sum of their ids, like the store's time index which it
 * mirrors; prefix sums over the chunks are rebuilt from the first chunk that changed.  So a fingerprint
 * costs two searches and at most 100 additions whatever its range.  45 bytes an item when added in order of
 * time, 60 when added in no order; neighbours that become nearly empty are joined. */
#ifndef SOUK_NEGSET_H
#define SOUK_NEGSET_H
#include "node/gossip/negentropy.h"

struct negset;
struct negset *negset_new(void);
void negset_free(struct negset *s);
bool negset_add(struct negset *s, uint64_t created, const struct id *id);    /* false: it was there */
bool negset_remove(struct negset *s, uint64_t created, const struct id *id); /* false: it was not */
size_t negset_count(const struct negset *s);
size_t negset_bytes(const struct negset *s);  /* of memory */
struct neg_set negset_view(struct negset *s); /* valid until the next add or remove */
#endif
