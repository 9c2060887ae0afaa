/* vec_crypto.c: souk's own vectors for spec/crypto.md (spec/vectors/crypto.json), made by a second
 * implementation: hashes, derived secrets, work, words, records, sealed objects, blobs.  A refused example
 * must be refused with the very kind of error that it names. */
#include "crypto/blobtree.h"
#include "crypto/hash.h"
#include "crypto/record.h"
#include "crypto/seal.h"
#include "crypto/wire/json.h"
#include "crypto/words.h"
#include "crypto/work.h"
#include "tests/vectors/vectors.h"
#include <sodium.h>
#include <stdlib.h>

static struct network net;

static bool text_copy(struct span value, char *out, size_t cap)
{
    struct span text = vec_text(value);
    if (text.n >= cap)
        return false;
    if (text.n)
        memcpy(out, text.p, text.n);
    out[text.n] = 0;
    return true;
}

static bool network_try(struct span file)
{
    struct span it = vec_field(file, "network");
    char name[40];
    uint8_t id[16];
    return text_copy(vec_field(it, "name"), name, sizeof name) &&
           network_make(&net, name, (unsigned)vec_number(vec_field(it, "work_bits"), 0),
                        (unsigned)vec_number(vec_field(it, "puzzle_bits"), 0), true) == 0 &&
           vec_hex_fixed(vec_field(it, "id"), id, sizeof id) && memcmp(id, net.id.b, sizeof id) == 0;
}

static bool hash_try(struct span test)
{
    struct buf message = {0};
    struct id want, got;
    char use[HASH_USE_BYTES + 1];
    bool good = text_copy(vec_field(test, "use"), use, sizeof use) &&
                vec_hex(vec_field(test, "message"), &message) &&
                vec_hex_fixed(vec_field(test, "hash"), want.b, sizeof want.b);
    if (good) {
        hash_souk_one(&got, &net, use, buf_view(&message));
        good = id_eq(&got, &want);
    }
    buf_free(&message);
    return good;
}

static bool derive_try(struct span test)
{
    struct buf context = {0};
    uint8_t root[32], want[32], got[32];
    char use[HASH_USE_BYTES + 1];
    bool good = text_copy(vec_field(test, "use"), use, sizeof use) &&
                vec_hex(vec_field(test, "context"), &context) &&
                vec_hex_fixed(vec_field(test, "root"), root, sizeof root) &&
                vec_hex_fixed(vec_field(test, "secret"), want, sizeof want);
    if (good) {
        hash_derive(got, root, use, buf_view(&context));
        good = memcmp(got, want, sizeof got) == 0;
    }
    buf_free(&context);
    return good;
}

static bool work_try(struct span test)
{
    struct id id;
    return vec_hex_fixed(vec_field(test, "id"), id.b, sizeof id.b) &&
           work_bits(&id, (uint64_t)vec_number(vec_field(test, "nonce"), 0)) ==
               (unsigned)vec_number(vec_field(test, "bits"), -1);
}

static bool words_try(struct span test)
{
    uint8_t entropy[32], got[32], pk[32];
    char text[WORDS_TEXT];
    struct keypair identity, recovery;
    struct span words = vec_text(vec_field(test, "words")), given = vec_field(test, "entropy");
    int err = words_read(got, words, NULL);
    if (!given.n)
        return err == SOUK_EINVALID;
    if (err || !vec_hex_fixed(given, entropy, sizeof entropy) || memcmp(entropy, got, sizeof got) != 0)
        return false;
    words_write(text, entropy);
    words_identity(&identity, entropy);
    words_recovery(&recovery, entropy);
    return span_eq(span_str(text), words) && vec_hex_fixed(vec_field(test, "identity"), pk, sizeof pk) &&
           memcmp(pk, identity.pk, sizeof pk) == 0 &&
           vec_hex_fixed(vec_field(test, "recovery"), pk, sizeof pk) &&
           memcmp(pk, recovery.pk, sizeof pk) == 0;
}

/* "good" or the name of an error. */
static bool result_is(struct span test, int err)
{
    return vec_text_is(vec_field(test, "result"), err ? err_name(err) : "good");
}

static bool record_try(struct span test)
{
    struct buf bytes = {0};
    struct record rec;
    struct id id;
    bool good = vec_hex(vec_field(test, "bytes"), &bytes);
    int err = record_parse(&rec, buf_view(&bytes), &net, NULL);
    if (!err)
        good = good && vec_hex_fixed(vec_field(test, "id"), id.b, sizeof id.b) && id_eq(&rec.id, &id);
    if (!err && !record_verify(&rec))
        err = SOUK_ESIGNATURE;
    buf_free(&bytes);
    return good && result_is(test, err);
}

static bool sealed_try(struct span test, const uint8_t secret[static 32])
{
    struct buf sealed = {0}, ad = {0}, plain = {0}, got = {0};
    bool good = vec_hex(vec_field(test, "sealed"), &sealed) && vec_hex(vec_field(test, "ad"), &ad) &&
                vec_hex(vec_field(test, "plain"), &plain);
    int err = seal_open(&got, secret, buf_view(&ad), buf_view(&sealed));
    good = good && result_is(test, err) && span_eq(buf_view(&got), buf_view(&plain));
    buf_free(&sealed);
    buf_free(&ad);
    buf_free(&plain);
    buf_free(&got);
    return good;
}

static bool chunks_try(const struct blobtree *t, struct span bytes, const struct id *root,
                       struct span proofs)
{
    bool good = vec_length(proofs) == t->chunks;
    for (uint32_t i = 0; good && i < t->chunks; i++) {
        struct buf want = {0};
        struct id made[BLOB_PROOF_MOST];
        size_t n;
        struct span chunk = span(bytes.p + (size_t)i * BLOB_CHUNK_BYTES, blobtree_chunk_bytes(bytes.n, i));
        good = vec_hex(vec_item(proofs, i), &want) && blobtree_proof(t, i, made, &n) == 0 &&
               span_eq(buf_view(&want), span(made, n * sizeof *made)) &&
               blobtree_check(&net, root, bytes.n, i, chunk, buf_view(&want)) == 0;
        buf_free(&want);
    }
    return good;
}

static bool blob_try(struct span test)
{
    static struct blobtree t;
    struct buf bytes = {0};
    struct id want, root;
    size_t size = (size_t)vec_number(vec_field(test, "size"), 0);
    if (!blobtree_chunks(size) || !vec_hex_fixed(vec_field(test, "root"), want.b, sizeof want.b))
        return false;
    for (uint64_t i = 0; bytes.n < size; i++) {
        uint8_t in[8];
        be64_put(in, i);
        crypto_hash_sha256(buf_grow(&bytes, 32), in, sizeof in);
    }
    bytes.n = size;
    bool good = blobtree_build(&t, &net, buf_view(&bytes)) == 0;
    if (good) {
        blobtree_root(&t, &root);
        good = id_eq(&root, &want) && chunks_try(&t, buf_view(&bytes), &root, vec_field(test, "proofs"));
    }
    buf_free(&bytes);
    return good;
}

int vec_crypto(struct span json, struct vec_result *result)
{
    static const struct {
        const char *name;
        bool (*run)(struct span test);
    } lists[] = {{"hash", hash_try},   {"derive", derive_try},  {"work", work_try},
                 {"words", words_try}, {"records", record_try}, {"blobs", blob_try}};
    struct buf wire = {0};
    uint8_t secret[32];
    int err = json_to_wire(&wire, json, NULL);
    if (err)
        return err;
    struct span file = buf_view(&wire), sealed = vec_field(file, "sealed");
    vec_count(result, network_try(file), "network");
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        struct span list = vec_field(file, lists[l].name);
        for (size_t i = 0; i < vec_length(list); i++) {
            struct span shows = vec_text(vec_field(vec_item(list, i), "shows"));
            vec_count(result, lists[l].run(vec_item(list, i)), "%s %zu: %.*s", lists[l].name, i,
                      (int)shows.n, shows.n ? (const char *)shows.p : "");
        }
    }
    if (sealed.n && !vec_hex_fixed(vec_field(file, "seal_secret"), secret, sizeof secret))
        err = SOUK_EFORM;
    for (size_t i = 0; !err && i < vec_length(sealed); i++)
        vec_count(result, sealed_try(vec_item(sealed, i), secret), "sealed %zu", i);
    buf_free(&wire);
    return err;
}
