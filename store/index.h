/* index.h: what index.c and query.c share.  Only for this room. */
#ifndef SOUK_STORE_INDEX_H
#define SOUK_STORE_INDEX_H
#include "store/delta.h"
#include "store/query.h"

enum { SLICE_TERMS = 600, SLICE_POSTINGS = 30000, SLICE_ROWS = 1024, SWEEP_LEAST = 1000 };
struct index {
    struct store *s;
    struct index_meta stored;
    struct delta old, young; /* old.first + old.n == young.first; old.n == 0: none on its way out */
    struct stemmers *stemmers;
    uint8_t *lengths; /* of every document below old.first, quantised */
    size_t lengths_cap;
    uint32_t added_since; /* documents added since the last call of index_flush_slice */
    /* the slice that is out, and where the next begins */
    uint32_t slice_terms; /* most words a slice; tests make it small */
    bool slice_out, last_out;
    /* taking out the dead: how many, as last heard; whether a sweep is under way, and from which key on */
    struct index_dead dead, sweep_dead;
    bool sweeping, sweep_out;
    uint8_t sweep_key[TERM_MAX_BYTES + 5];
    size_t sweep_n;
    size_t bucket_at, bucket_next;
    uint32_t doc_at, doc_next;
};
uint8_t index_length(const struct index *x, uint32_t doc);
double index_mean(const struct index *x);
uint64_t index_docs(const struct index *x);
uint32_t doc_currency(const struct currency *c);
uint32_t doc_place(struct span geohash, unsigned *characters);
uint64_t doc_seller(const struct identity *seller);
/* The words that stand for facts: category paths are given with their ancestors by the caller. */
struct span seller_word(uint8_t out[static 16], const struct identity *seller);
struct span number_word(uint8_t out[static 2], unsigned n);
#endif
