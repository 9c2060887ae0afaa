/* query.h: the text index and searching.
 *
 * What is indexed: documents, each the words and facts of one record (named by its serial).  The store does
 * not read records: the market adds a document for every listing that was committed, and at start for
 * every listing whose serial is above index_upto.
 *
 *   words     folded (NFKD, case, marks stripped: « Vélo » is velo, œ is oe), cut at everything that is
 *             neither letter nor digit, at most 32 bytes; each indexed plain and stemmed by the document's
 *             language (French, English; others plain only).  A word of the title counts three times
 *   facts     category and each of its ancestors, type, language, region, seller, rails, deliveries: words
 *             of their own that filter and do not score
 *   doc row   serial, price, currency, place, seller, created, expires, length: what filters and sorts
 *
 * Scoring: BM25 (Robertson and Zaragoza, 2009; k1 = 1.2, b = 0.75) with lengths in 256 steps.  A query word
 * scores the best of its forms in a document: plain, or stemmed in the query's language (any, when it names
 * none).  The top k are found by block-max (Ding and Suel, 2011): postings lie in sub-blocks of 128, each
 * with its largest impact, and what cannot reach the k-th best so far is not unpacked.
 *
 * New documents lie in memory, in two generations: the young takes what comes, the old is being written
 * out in slices (operations of ordinary changes), term by term; searches read the stored postings and both
 * together, so that a document is found as soon as it was added.  A crash in the middle of writing out
 * leaves postings of document numbers that are never used again; the documents are added anew at the next
 * start.  A record that is gone clears its document's live bit in the same transaction.
 *
 * All functions belong to the loop's thread; only what a slice does happens in the writer. */
#ifndef SOUK_QUERY_H
#define SOUK_QUERY_H
#include "crypto/base/amount.h"
#include "store/store.h"

enum {
    INDEX_FLUSH_DOCS = 16384, /* written out from here on when nothing more comes in, */
    INDEX_BULK_DOCS = 49152,  /* from here on even under intake, */
    INDEX_DOCS_MAX = 65536,   /* and a generation takes no more than this */
    QUERY_WORDS_MAX = 12,     /* words of a query beyond these are ignored */
    QUERY_HITS_MAX = 1000,
};

struct index;
struct index_doc {
    struct span title, text; /* UTF-8; text: description and all else that should be found */
    struct span lang;        /* "fr", "en-GB", …: the first two letters count */
    struct span category;    /* "bikes/city" */
    struct span region;      /* "FR" */
    struct span place;       /* geohash, at most 5 characters; may be empty */
    uint8_t type;            /* as the listing has it */
    struct amount price;
    struct identity seller;
    uint32_t rails, deliveries; /* bit sets of the schema's numbers, below 16 */
    int64_t created, expires;   /* unix ms */
};
struct index *index_open(struct view *v, struct rng *rng);
void index_close(struct index *x); /* NULL is fine */
/* Everything up to this serial is stored: add from the next on. */
uint64_t index_upto(const struct index *x);
/* Serials rise.  0; SOUK_EDUPLICATE when one as high was added before; SOUK_EBUSY when both generations are
 * full: flush, and come back. */
int index_doc_add(struct index *x, uint64_t serial, const struct index_doc *doc);
/* Adds the next slice (≤ about 5 ms of the writer's time) to a change, when one is due; hurry: whatever
 * there is.  One at a time: after true, nothing more until index_flushed.  False: the change is as it was.
 * To be called on every EV_COMMITTED of a slice and every second or so; mark the change as bulk, or it
 * holds up intake. */
bool index_flush_slice(struct index *x, struct change *c, bool hurry);
/* The slice's change came back.  When it failed the same slice is given again. */
void index_flushed(struct index *x, const struct change *c);
struct index_stats {
    uint64_t docs, waiting, terms_in_memory, bytes_in_memory;
    double mean_length;
};
void index_stats(const struct index *x, struct index_stats *out);
size_t index_waiting(const struct index *x); /* documents not yet written out */

enum query_sort { QUERY_RELEVANCE, QUERY_NEWEST, QUERY_CHEAPEST, QUERY_DEAREST };
/* The last hit of a page: the next page begins after it. */
struct query_cursor {
    double key; /* what the page was sorted by */
    uint32_t doc;
    bool set;
};
struct query {
    struct span words; /* may be empty: filters only */
    struct span lang;  /* empty: any */
    bool any;          /* any word will do; otherwise every one must be there (words like "de" excepted) */
    struct span category, region, place; /* empty: any.  category and place: and what lies below */
    int type, rail, delivery;            /* -1: any */
    const struct identity *seller;       /* NULL: any */
    const struct currency *currency;     /* NULL: any */
    int64_t price_least, price_most;     /* minor units; most = INT64_MAX: open */
    int64_t created_since, now;          /* expired at `now`: left out.  0: no limit */
    enum query_sort sort;                /* without words relevance means newest */
    struct query_cursor after;
};
void query_init(struct query *q); /* everything any */
struct hit {
    uint64_t serial;
    float score;
    int64_t price_minor, created;
    uint32_t doc;
};
/* Fills at most *n hits (≤ QUERY_HITS_MAX), best first; ties: the older document.  next (may be NULL) gets
 * the cursor for the following page.  0, or SOUK_ERANGE. */
int query_run(struct index *x, struct view *v, const struct query *q, struct hit *hits, size_t *n,
              struct query_cursor *next);
/* Words that begin so, as they stand in stored documents, at most `limit` of those with most documents
 * among the first few thousand; for completion. */
typedef bool query_word_fn(void *arg, struct span word, uint32_t docs);
void query_complete(struct index *x, struct view *v, struct span prefix, size_t limit, query_word_fn *fn,
                    void *arg);
#endif
