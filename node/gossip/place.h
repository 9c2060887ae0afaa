/* place.h: where a record belongs: its slot, whom it concerns, what it takes back.  Read from the body by
 * kind (spec/record.schema); the envelope has been parsed, the signature need not have verified. */
#ifndef SOUK_PLACE_H
#define SOUK_PLACE_H
#include "crypto/record.h"
#include "store/store.h"

/* Fills op->record but for `received`, `own` and `followed`; spans are borrowed from rec and arena.
 * SOUK_EFORM and the like with words when the body is not what its kind asks for; SOUK_ENOT_FOUND when the
 * kind is unknown here (then it is relayed as an id and not kept). */
int record_place(struct op *op, const struct record *rec, const struct network *net, struct arena *a,
                 struct report *r);
/* The slots that are not in a body. */
void slot_of_rating(struct salt *out, const struct network *net, const struct id *trade,
                    const struct identity *subject, bool answer);
void slot_of_list(struct salt *out, const struct network *net, struct span class, struct span name);
#endif
