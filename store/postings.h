/* postings.h: the stored part of the text index.  Only for this room.
 *
 *   term   word → df4 last_doc4
 *   post   word 00 first_doc4 → a value of at most 4,080 bytes, which fills one overflow page exactly
 *   doc    (docid / 64)4 → 64 rows of 48 bytes
 *   sdoc   serial8 → docid4
 *   meta   "index" → base4 next4 upto8 docs8 length8;   "index_dead" → docs8 length8
 *
 * A word begins with a letter for what it is (enum word_kind).  A value: sub-blocks 2, reserved 2, mean
 * length when its impacts were computed 4; for each sub-block its head (struct sub_head, 16 bytes); then
 * for each the differences of its document numbers less one, packed in as many bits as the largest needs,
 * and one byte a document for how often the word occurs.  Integers here are little-endian: they are packed
 * bits, not keys.
 *
 * Impacts drift with the mean length A of documents.  A bound computed at A0 is safe at A when scaled: the
 * impact is 2.2 / (1 + K/tf) with K = 1.2 (0.25 + 0.75 len/A), and K(A) ≥ K(A0) · min(1, A0/A).
 *
 * base: documents below it are stored and searched; next: the first number never used; between the two lie
 * the slices of a generation on its way out. */
#ifndef SOUK_STORE_POSTINGS_H
#define SOUK_STORE_POSTINGS_H
#include "store/db.h"
#include "store/words.h"

enum word_kind {
    KIND_EN = 'E',
    KIND_FR = 'F',
    KIND_CATEGORY = 'c',
    KIND_DELIVERY = 'd',
    KIND_LANG = 'l',
    KIND_RAIL = 'm',
    KIND_PLAIN = 'p',
    KIND_REGION = 'r',
    KIND_SELLER = 's',
    KIND_TYPE = 't',
};
enum { TERM_MAX_BYTES = 64, SUB_DOCS = 128, POST_MAX_BYTES = 4080, POST_HEAD = 8, SUB_HEAD = 16 };
enum { DOC_ROW = 48, DOCS_A_PAGE = 64, DOC_PAGE = DOC_ROW * DOCS_A_PAGE };
#define DOC_END UINT32_MAX

struct doc_row {
    uint64_t serial, seller; /* seller: first 8 bytes of the identity */
    int64_t price;
    uint32_t created_s, expires_s;      /* unix seconds */
    uint32_t currency, category, place; /* see doc_currency …; place: 5 characters in 5 bits each */
    uint16_t length;
    bool live;
    uint8_t type;
};
void doc_write(uint8_t out[static DOC_ROW], const struct doc_row *r);
void doc_read(struct doc_row *out, const uint8_t in[static DOC_ROW]);

struct posting {
    uint32_t doc;
    uint8_t tf, length; /* length: quantised */
};
struct sub_head {
    uint32_t first, last;
    uint16_t at;     /* of its payload, behind the heads */
    uint8_t n, bits; /* documents less one; bits a difference */
    float max;
};
struct sub_head sub_head_read(const uint8_t *p);
/* Unpacks a sub-block of a value of total_n bytes into docs[128]; tf gets where the counts lie.  False when
 * it does not fit into the value. */
bool sub_unpack(struct span value, const struct sub_head *h, unsigned subs, uint32_t docs[static SUB_DOCS],
                const uint8_t **tf);

uint8_t length_quantise(uint32_t length);
uint32_t length_of(uint8_t quantised);
struct bm25 {
    float k[256]; /* K by quantised length */
};
void bm25_init(struct bm25 *b, double mean_length);
static inline float bm25_impact(const struct bm25 *b, uint8_t tf, uint8_t length)
{
    return (float)tf * 2.2f / ((float)tf + b->k[length]);
}
float bm25_bound(float max, float mean_then, float mean_now);

struct index_meta {
    uint32_t base, next;
    uint64_t upto, docs, length;
};
bool index_meta_read(struct index_meta *out, struct span value);
void index_meta_write(uint8_t out[static 32], const struct index_meta *m);

/* Documents of these whose records are gone, and the sum of their lengths: until they are swept out their
 * postings stay, and count in the frequencies. */
struct index_dead {
    uint64_t docs, length;
};
void index_dead_get(struct tx *t, struct index_dead *d);
void index_dead_put(struct tx *t, const struct index_dead *d);

/* A value being written: heads and payloads apart, joined at the end. */
struct post_out {
    struct sub_head heads[POST_MAX_BYTES / SUB_HEAD];
    unsigned subs;
    uint8_t payload[POST_MAX_BYTES];
    size_t payload_n;
    uint8_t key[TERM_MAX_BYTES + 5];
    size_t word_n;
    float mean;
};
void post_add_sub(struct tx *t, struct post_out *o, const struct posting *p, unsigned n, float max);
void post_flush(struct tx *t, struct post_out *o);

/* A sweep takes the dead out of the values from a key on, some thousand postings at a time: kind1 docs8
 * length8 (dead when it began) key.  Every slice answers, in found, with what is dead now (docs8 length8);
 * a sweep adds the key where the next one begins, nothing at the end. */
int index_sweep(struct tx *t, struct change *c, struct op *op);
void index_answer(struct tx *t, struct change *c, struct op *op, struct span key);
enum { SLICE_MORE = 0, SLICE_LAST = 1, SLICE_SWEEP = 2, SWEEP_HEAD = 17 };

/* A slice: kind1 next4 mean_length4(float bits), index_meta 32 (used by the last), then terms4 of
 * { n1 word, count4 of { doc4 tf1 length1 } }, then docs4 of { doc4 row48 }. */
enum { SLICE_HEAD = 41 };
#endif
