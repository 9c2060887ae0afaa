#include "crypto/merkle.h"
#include <sodium.h>

void merkle_leaf(struct id *out, struct span entry)
{
    static const uint8_t mark[1] = {0};
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, mark, sizeof mark);
    if (entry.n)
        crypto_hash_sha256_update(&st, entry.p, entry.n);
    crypto_hash_sha256_final(&st, out->b);
}

void merkle_node(struct id *out, const struct id *left, const struct id *right)
{
    uint8_t in[65] = {1};
    memcpy(in + 1, left->b, 32);
    memcpy(in + 33, right->b, 32);
    crypto_hash_sha256(out->b, in, sizeof in);
}

/* The level of the largest power of two less than n; n > 1. */
static unsigned split_level(uint64_t n)
{
    return 63 - (unsigned)__builtin_clzll(n - 1);
}

/* The root of the n > 0 leaves from `from` on, where `from` is a multiple of the power of two at or above
 * n: RFC 9162 cuts ranges only like that.  The left part is whole; the right part is walked down. */
static int range_root(struct id *out, uint64_t from, uint64_t n, merkle_get *get, void *arg)
{
    struct id left[64];
    size_t depth = 0;
    while (n & (n - 1)) {
        unsigned level = split_level(n);
        if (!get(arg, level, from >> level, &left[depth++]))
            return SOUK_EDAMAGED;
        from += UINT64_C(1) << level;
        n -= UINT64_C(1) << level;
    }
    unsigned level = (unsigned)__builtin_ctzll(n);
    struct id h;
    if (!get(arg, level, from >> level, &h))
        return SOUK_EDAMAGED;
    while (depth)
        merkle_node(&h, &left[--depth], &h);
    *out = h;
    return 0;
}

int merkle_append(uint64_t size, const struct id *leaf, merkle_get *get, merkle_put *put, void *arg)
{
    struct id h = *leaf;
    if (size >= MERKLE_SIZE_MOST)
        return SOUK_ERANGE;
    put(arg, 0, size, &h);
    unsigned level = 0;
    for (uint64_t index = size; index & 1; index >>= 1) {
        struct id left;
        if (!get(arg, level, index - 1, &left))
            return SOUK_EDAMAGED;
        merkle_node(&h, &left, &h);
        put(arg, ++level, index >> 1, &h);
    }
    return 0;
}

int merkle_root(struct id *out, uint64_t size, merkle_get *get, void *arg)
{
    if (size > MERKLE_SIZE_MOST)
        return SOUK_ERANGE;
    if (size == 0) {
        crypto_hash_sha256(out->b, (const uint8_t *)"", 0);
        return 0;
    }
    return range_root(out, 0, size, get, arg);
}

/* Proofs are found from the root down and given from the leaf up. */
static void reverse(struct id *v, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct id t = v[i];
        v[i] = v[n - 1 - i];
        v[n - 1 - i] = t;
    }
}

int merkle_inclusion(struct id proof[static MERKLE_PROOF_MOST], size_t *n, uint64_t index, uint64_t size,
                     merkle_get *get, void *arg)
{
    if (index >= size || size > MERKLE_SIZE_MOST)
        return SOUK_ERANGE;
    uint64_t from = 0;
    size_t found = 0;
    while (size > 1) {
        uint64_t cut = UINT64_C(1) << split_level(size);
        bool right = index - from >= cut;
        int err = right ? range_root(&proof[found++], from, cut, get, arg)
                        : range_root(&proof[found++], from + cut, size - cut, get, arg);
        if (err)
            return err;
        from += right ? cut : 0;
        size = right ? size - cut : cut;
    }
    reverse(proof, found);
    *n = found;
    return 0;
}

int merkle_consistency(struct id proof[static MERKLE_PROOF_MOST], size_t *n, uint64_t first,
                       uint64_t second, merkle_get *get, void *arg)
{
    if (first > second || second > MERKLE_SIZE_MOST)
        return SOUK_ERANGE;
    uint64_t from = 0, size = second, old = first;
    size_t found = 0;
    bool whole = true; /* the old log is still the left edge of what is looked at */
    int err;
    if (first == 0 || first == second) {
        *n = 0;
        return 0;
    }
    while (old != size) {
        uint64_t cut = UINT64_C(1) << split_level(size);
        bool right = old > cut;
        err = right ? range_root(&proof[found++], from, cut, get, arg)
                    : range_root(&proof[found++], from + cut, size - cut, get, arg);
        if (err)
            return err;
        from += right ? cut : 0;
        old -= right ? cut : 0;
        size = right ? size - cut : cut;
        whole = whole && !right;
    }
    if (!whole && (err = range_root(&proof[found++], from, size, get, arg)))
        return err;
    reverse(proof, found);
    *n = found;
    return 0;
}

bool merkle_inclusion_ok(const struct id *leaf, uint64_t index, uint64_t size, const struct id *proof,
                         size_t n, const struct id *root)
{
    if (index >= size)
        return false;
    uint64_t fn = index, sn = size - 1;
    struct id h = *leaf;
    for (size_t i = 0; i < n; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            merkle_node(&h, &proof[i], &h);
            while (!(fn & 1) && fn) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            merkle_node(&h, &h, &proof[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && id_eq(&h, root);
}

bool merkle_consistency_ok(uint64_t first, const struct id *first_root, uint64_t second,
                           const struct id *second_root, const struct id *proof, size_t n)
{
    if (first > second)
        return false;
    if (first == second)
        return n == 0 && id_eq(first_root, second_root);
    if (first == 0) {
        struct id empty;
        crypto_hash_sha256(empty.b, (const uint8_t *)"", 0);
        return n == 0 && id_eq(first_root, &empty);
    }
    size_t at = 0;
    struct id old, now;
    if (first & (first - 1)) {
        if (n == 0)
            return false;
        old = proof[at++];
    } else {
        old = *first_root; /* a whole subtree: the proof leaves it out */
    }
    now = old;
    uint64_t fn = first - 1, sn = second - 1;
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    for (; at < n; at++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            merkle_node(&old, &proof[at], &old);
            merkle_node(&now, &proof[at], &now);
            while (!(fn & 1) && fn) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            merkle_node(&now, &now, &proof[at]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && id_eq(&old, first_root) && id_eq(&now, second_root);
}
