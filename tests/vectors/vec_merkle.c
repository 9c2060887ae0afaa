/* vec_merkle.c: RFC 6962 trees.  A file has `entries` (hex), `roots` (of the first 0, 1, 2 … entries),
 * `inclusion` [{index, size, proof, leaf?, root?, valid?}] and `consistency` [{first, second, proof,
 * first_root?, second_root?, valid?}].  Proofs are hex hashes; what is not given is computed from the
 * entries; a valid proof must be the very one that we make. */
#include "crypto/merkle.h"
#include "crypto/wire/json.h"
#include "tests/vectors/vectors.h"

enum { LEAVES_MOST = 256 };

struct tree {
    struct id leaf[LEAVES_MOST];
    uint64_t size;
};

/* Whole subtrees straight from the leaves, by the definition: the vectors are small. */
static bool subtree(void *arg, unsigned level, uint64_t index, struct id *hash)
{
    const struct tree *t = arg;
    if (level == 0) {
        if (index >= t->size)
            return false;
        *hash = t->leaf[index];
        return true;
    }
    struct id left, right;
    if (level > 8 || !subtree(arg, level - 1, 2 * index, &left) ||
        !subtree(arg, level - 1, 2 * index + 1, &right))
        return false;
    merkle_node(hash, &left, &right);
    return true;
}

/* A hash that the test names, or else the tree's own. */
static bool root_read(struct span given, struct tree *t, uint64_t size, struct id *out)
{
    if (given.n)
        return vec_hex_fixed(given, out->b, sizeof out->b);
    return merkle_root(out, size, subtree, t) == 0;
}

static bool proof_read(struct span list, struct id *proof, size_t *n)
{
    *n = vec_length(list);
    if (*n > MERKLE_PROOF_MOST)
        return false;
    for (size_t i = 0; i < *n; i++)
        if (!vec_hex_fixed(vec_item(list, i), proof[i].b, sizeof proof[i].b))
            return false;
    return true;
}

static bool is_valid(struct span test)
{
    struct span valid = vec_field(test, "valid");
    return !(valid.n == 1 && valid.p[0] == 0xc2); /* false */
}

static bool same(const struct id *a, size_t a_n, const struct id *b, size_t b_n)
{
    return a_n == b_n && memcmp(a, b, a_n * sizeof *a) == 0;
}

static bool inclusion_try(struct tree *t, struct span test)
{
    struct id proof[MERKLE_PROOF_MOST], made[MERKLE_PROOF_MOST], leaf, root;
    size_t n, made_n;
    uint64_t index = (uint64_t)vec_number(vec_field(test, "index"), 0);
    uint64_t size = (uint64_t)vec_number(vec_field(test, "size"), 0);
    struct span leaf_field = vec_field(test, "leaf");
    if (leaf_field.n ? !vec_hex_fixed(leaf_field, leaf.b, sizeof leaf.b) : !subtree(t, 0, index, &leaf))
        return !is_valid(test);
    if (!proof_read(vec_field(test, "proof"), proof, &n) ||
        !root_read(vec_field(test, "root"), t, size, &root))
        return !is_valid(test);
    bool good = merkle_inclusion_ok(&leaf, index, size, proof, n, &root);
    if (good != is_valid(test) || !good || size > t->size)
        return good == is_valid(test);
    return merkle_inclusion(made, &made_n, index, size, subtree, t) == 0 && same(made, made_n, proof, n);
}

static bool consistency_try(struct tree *t, struct span test)
{
    struct id proof[MERKLE_PROOF_MOST], made[MERKLE_PROOF_MOST], first_root, second_root;
    size_t n, made_n;
    uint64_t first = (uint64_t)vec_number(vec_field(test, "first"), 0);
    uint64_t second = (uint64_t)vec_number(vec_field(test, "second"), 0);
    if (!proof_read(vec_field(test, "proof"), proof, &n) ||
        !root_read(vec_field(test, "first_root"), t, first, &first_root) ||
        !root_read(vec_field(test, "second_root"), t, second, &second_root))
        return !is_valid(test);
    bool good = merkle_consistency_ok(first, &first_root, second, &second_root, proof, n);
    if (good != is_valid(test) || !good || second > t->size)
        return good == is_valid(test);
    return merkle_consistency(made, &made_n, first, second, subtree, t) == 0 &&
           same(made, made_n, proof, n);
}

static int tree_read(struct tree *t, struct span file)
{
    struct span entries = vec_field(file, "entries");
    t->size = vec_length(entries);
    if (t->size > LEAVES_MOST)
        return SOUK_ERANGE;
    for (size_t i = 0; i < t->size; i++) {
        struct buf entry = {0};
        bool good = vec_hex(vec_item(entries, i), &entry);
        merkle_leaf(&t->leaf[i], buf_view(&entry));
        buf_free(&entry);
        if (!good)
            return SOUK_EFORM;
    }
    return 0;
}

int vec_merkle(struct span json, struct vec_result *result)
{
    static struct tree t;
    struct buf wire = {0};
    int err = json_to_wire(&wire, json, NULL);
    if (!err)
        err = tree_read(&t, buf_view(&wire));
    struct span roots = vec_field(buf_view(&wire), "roots");
    struct span inclusion = vec_field(buf_view(&wire), "inclusion");
    struct span consistency = vec_field(buf_view(&wire), "consistency");
    for (size_t i = 0; !err && i < vec_length(roots); i++) {
        struct id root, want;
        vec_count(result,
                  vec_hex_fixed(vec_item(roots, i), want.b, sizeof want.b) &&
                      merkle_root(&root, i, subtree, &t) == 0 && id_eq(&root, &want),
                  "root of %zu", i);
    }
    for (size_t i = 0; !err && i < vec_length(inclusion); i++)
        vec_count(result, inclusion_try(&t, vec_item(inclusion, i)), "inclusion %zu", i);
    for (size_t i = 0; !err && i < vec_length(consistency); i++)
        vec_count(result, consistency_try(&t, vec_item(consistency, i)), "consistency %zu", i);
    buf_free(&wire);
    return err;
}
