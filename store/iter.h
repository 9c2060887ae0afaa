/* iter.h: one word's postings as a stream of sub-blocks: the stored ones below base, then those of the two
 * generations in memory.  Only for this room. */
#ifndef SOUK_STORE_ITER_H
#define SOUK_STORE_ITER_H
#include "store/index.h"

struct iter {
    struct {
        const struct delta *d;
        const struct delta_term *t;
    } rest[2];     /* generations still to come, in order; NULL: none */
    uint32_t next; /* within the first of them: the posting after this sub-block */
    const struct bm25 *bm;
    float mean;
    MDB_cursor *cursor; /* NULL once the stored part is used up */
    uint8_t key[TERM_MAX_BYTES + 5];
    size_t word_n;
    uint32_t base; /* documents from here on are not the stored part's */
    struct span value;
    float value_mean;
    unsigned subs, sub;
    uint32_t df;
    /* the sub-block where it stands */
    struct sub_head head;
    float bound;
    bool unpacked, memory;
    uint32_t docs[SUB_DOCS];
    uint8_t own_tfs[SUB_DOCS];
    const uint8_t *tfs;
    uint32_t n, at;
};
/* Opens at the first sub-block; df is then known.  False when the word is nowhere. */
bool iter_open(struct iter *i, struct index *x, struct view *v, uint32_t base, const struct bm25 *bm,
               float mean, uint8_t kind, struct span word);
void iter_close(struct iter *i);
/* Stands at the first sub-block whose last document is ≥ doc; head.first = DOC_END when there is none. */
void iter_block(struct iter *i, uint32_t doc);
/* The first document ≥ doc in this sub-block, DOC_END when there is none in it. */
uint32_t iter_doc(struct iter *i, uint32_t doc);
/* How often the word occurs in the document that iter_doc gave. */
static inline uint8_t iter_tf(const struct iter *i)
{
    return i->tfs[i->at];
}
#endif
