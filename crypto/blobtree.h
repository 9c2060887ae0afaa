/* blobtree.h: the name of a photo, such that each 32 KiB of it can be fetched from anyone and checked
 * alone.
 *
 * A BLAKE2b tree of the shape of RFC 6962 (the left part of a split is the largest power of two less than
 * the whole), every hash being hash_souk "souk:blob" over:
 *
 *     leaf   0x00 ‖ index (4 bytes, big-endian) ‖ chunk
 *     inner  0x01 ‖ left ‖ right
 *     root   0x02 ‖ size in bytes (8, big-endian) ‖ top of the tree
 *
 * so that leaf, inner and root never stand for one another, a chunk has one place, and a root has one size.
 * Every chunk but the last has 32,768 bytes; the last has 1 to 32,768.  A blob of no bytes has no root. */
#ifndef SOUK_BLOBTREE_H
#define SOUK_BLOBTREE_H
#include "crypto/base/err.h"
#include "crypto/base/host.h"
#include "crypto/base/span.h"

enum {
    BLOB_CHUNK_BYTES = 32768,
    BLOB_CHUNKS_MOST = 1024, /* 32 MiB: what a photo or an attachment may be is for their rooms to say */
    BLOB_PROOF_MOST = 10,    /* hashes: 320 bytes */
    BLOB_BYTES_MOST = BLOB_CHUNK_BYTES * BLOB_CHUNKS_MOST
};

/* 33 KiB: not for the stack of a deep call. */
struct blobtree {
    const struct network *net; /* borrowed */
    uint64_t bytes;
    uint32_t chunks;
    struct id leaf[BLOB_CHUNKS_MOST];
};
/* 0 when bytes is 0 or beyond BLOB_BYTES_MOST. */
uint32_t blobtree_chunks(uint64_t bytes);
/* The length of one chunk; 0 when there is none of that index. */
size_t blobtree_chunk_bytes(uint64_t bytes, uint32_t index);
/* Hashes all chunks once.  SOUK_ERANGE on no bytes or too many. */
int blobtree_build(struct blobtree *t, const struct network *net, struct span bytes);
void blobtree_root(const struct blobtree *t, struct id *root);
/* What shows that chunk `index` belongs to the root, from the leaf up.  SOUK_ERANGE on no such chunk. */
int blobtree_proof(const struct blobtree *t, uint32_t index, struct id proof[static BLOB_PROOF_MOST],
                   size_t *n);
/* Is this chunk `index` of the blob of `bytes` bytes that `root` names?  proof: n · 32 bytes, as received.
 * SOUK_ERANGE no such chunk, SOUK_EFORM wrong length of chunk or proof, SOUK_ESIGNATURE a chunk or proof of
 * something else. */
int blobtree_check(const struct network *net, const struct id *root, uint64_t bytes, uint32_t index,
                   struct span chunk, struct span proof);
#endif
