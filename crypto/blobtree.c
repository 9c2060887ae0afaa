#include "crypto/blobtree.h"
#include "crypto/hash.h"

uint32_t blobtree_chunks(uint64_t bytes)
{
    if (bytes == 0 || bytes > BLOB_BYTES_MOST)
        return 0;
    return (uint32_t)((bytes + BLOB_CHUNK_BYTES - 1) / BLOB_CHUNK_BYTES);
}

size_t blobtree_chunk_bytes(uint64_t bytes, uint32_t index)
{
    uint32_t n = blobtree_chunks(bytes);
    if (index >= n)
        return 0;
    uint64_t from = (uint64_t)index * BLOB_CHUNK_BYTES;
    return bytes - from < BLOB_CHUNK_BYTES ? (size_t)(bytes - from) : BLOB_CHUNK_BYTES;
}

static void leaf_hash(struct id *out, const struct network *net, uint32_t index, struct span chunk)
{
    uint8_t head[5] = {0};
    be32_put(head + 1, index);
    struct span parts[] = {SPAN_OF(head), chunk};
    hash_souk(out, net, "souk:blob", parts, 2);
}

static void inner_hash(struct id *out, const struct network *net, const struct id *left,
                       const struct id *right)
{
    static const uint8_t mark[1] = {1};
    struct span parts[] = {SPAN_OF(mark), SPAN_OF(*left), SPAN_OF(*right)};
    hash_souk(out, net, "souk:blob", parts, 3);
}

static void root_hash(struct id *out, const struct network *net, uint64_t bytes, const struct id *top)
{
    uint8_t head[9] = {2};
    be64_put(head + 1, bytes);
    struct span parts[] = {SPAN_OF(head), SPAN_OF(*top)};
    hash_souk(out, net, "souk:blob", parts, 2);
}

int blobtree_build(struct blobtree *t, const struct network *net, struct span bytes)
{
    uint32_t chunks = blobtree_chunks(bytes.n);
    if (!chunks)
        return SOUK_ERANGE;
    t->net = net;
    t->bytes = bytes.n;
    t->chunks = chunks;
    for (uint32_t i = 0; i < chunks; i++)
        leaf_hash(&t->leaf[i], net, i,
                  span(bytes.p + (size_t)i * BLOB_CHUNK_BYTES, blobtree_chunk_bytes(bytes.n, i)));
    return 0;
}

/* The largest power of two less than n; n > 1. */
static uint32_t cut_of(uint32_t n)
{
    return UINT32_C(1) << (31 - __builtin_clz(n - 1));
}

/* The top of n leaves; at most ten deep, since every step halves the power of two. */
static void range_top(struct id *out, const struct network *net, const struct id *leaf, uint32_t n)
{
    if (n == 1) {
        *out = leaf[0];
        return;
    }
    struct id left, right;
    uint32_t cut = cut_of(n);
    range_top(&left, net, leaf, cut);
    range_top(&right, net, leaf + cut, n - cut);
    inner_hash(out, net, &left, &right);
}

void blobtree_root(const struct blobtree *t, struct id *root)
{
    struct id top;
    range_top(&top, t->net, t->leaf, t->chunks);
    root_hash(root, t->net, t->bytes, &top);
}

/* The way from the top down to a chunk: which side is ours at each split.  Returns its length. */
static size_t path(uint32_t index, uint32_t chunks, bool right[static BLOB_PROOF_MOST])
{
    size_t n = 0;
    while (chunks > 1) {
        uint32_t cut = cut_of(chunks);
        right[n] = index >= cut;
        index -= right[n] ? cut : 0;
        chunks = right[n] ? chunks - cut : cut;
        n++;
    }
    return n;
}

int blobtree_proof(const struct blobtree *t, uint32_t index, struct id proof[static BLOB_PROOF_MOST],
                   size_t *n)
{
    if (index >= t->chunks)
        return SOUK_ERANGE;
    bool right[BLOB_PROOF_MOST];
    size_t depth = path(index, t->chunks, right);
    const struct id *from = t->leaf;
    uint32_t chunks = t->chunks;
    for (size_t i = 0; i < depth; i++) {
        uint32_t cut = cut_of(chunks);
        struct id *to = &proof[depth - 1 - i];
        if (right[i])
            range_top(to, t->net, from, cut);
        else
            range_top(to, t->net, from + cut, chunks - cut);
        from += right[i] ? cut : 0;
        chunks = right[i] ? chunks - cut : cut;
    }
    *n = depth;
    return 0;
}

int blobtree_check(const struct network *net, const struct id *root, uint64_t bytes, uint32_t index,
                   struct span chunk, struct span proof)
{
    size_t want = blobtree_chunk_bytes(bytes, index);
    if (!want)
        return SOUK_ERANGE;
    bool right[BLOB_PROOF_MOST];
    size_t depth = path(index, blobtree_chunks(bytes), right);
    if (chunk.n != want || proof.n != depth * sizeof(struct id))
        return SOUK_EFORM;
    struct id h, other;
    leaf_hash(&h, net, index, chunk);
    for (size_t i = 0; i < depth; i++) {
        memcpy(other.b, proof.p + i * sizeof other.b, sizeof other.b);
        if (right[depth - 1 - i])
            inner_hash(&h, net, &other, &h);
        else
            inner_hash(&h, net, &h, &other);
    }
    struct id got;
    root_hash(&got, net, bytes, &h);
    return id_eq(&got, root) ? 0 : SOUK_ESIGNATURE;
}
