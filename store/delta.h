/* delta.h: a generation of documents in memory: a hash table of words with their postings, and rows.
 * Only for this room.
 *
 * Taking a document in is a random walk through memory, so what is touched is kept small: a slot of the
 * table carries part of the hash, a posting is four bytes, and everything lies in one arena that goes at
 * once. */
#ifndef SOUK_STORE_DELTA_H
#define SOUK_STORE_DELTA_H
#include "crypto/base/arena.h"
#include "store/postings.h"

struct delta_term {
    struct delta_term *beside;             /* in its bucket of the order */
    struct delta_term *stems[WORDS_LANGS]; /* of a plain word: its stems here, once looked up */
    uint32_t *postings;                    /* (document − first) << 8 | tf */
    uint32_t n, cap;
    uint64_t hash;
    uint8_t most; /* the largest tf */
    bool stem_known[WORDS_LANGS];
    uint8_t word_n;
    uint8_t word[];
};
struct delta_slot {
    uint32_t tag; /* upper half of the hash */
    uint32_t used;
    struct delta_term *term;
};
/* Buckets that keep rough alphabetical order, so that writing out can go term by term in order (pages are
 * then written once) without ever sorting the whole. */
enum { DELTA_KINDS = 10, DELTA_BUCKETS = DELTA_KINDS * 1024 };

struct delta {
    uint32_t first, n; /* document numbers first … first + n − 1; at most 2^24 */
    uint64_t upto;     /* serial of the last one */
    uint64_t length;   /* sum of lengths */
    struct delta_slot *table;
    size_t table_n, terms;
    struct delta_term **order;
    struct doc_row *rows;
    uint8_t *lengths; /* quantised */
    struct arena arena;
    uint8_t seed[16];
};
void delta_init(struct delta *d, uint32_t first, const uint8_t seed[static 16]);
void delta_free(struct delta *d);
/* The term of (kind, word); NULL when absent and not `make`. */
struct delta_term *delta_term(struct delta *d, uint8_t kind, struct span word, bool make);
/* Counts one occurrence of weight `w` in the document being added (the one after the last). */
void delta_count(struct delta *d, struct delta_term *t, unsigned w);
/* Ends the document: its row, with the length filled in by the caller. */
void delta_end(struct delta *d, const struct doc_row *row);
static inline uint32_t delta_doc(const struct delta *d, const struct delta_term *t, uint32_t i)
{
    return d->first + (t->postings[i] >> 8);
}
static inline uint8_t delta_tf(const struct delta_term *t, uint32_t i)
{
    return (uint8_t)t->postings[i];
}
#endif
