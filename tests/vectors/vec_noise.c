/* vec_noise.c: each vector is one session, both sides of which are played here: every message that our
 * writer makes must be the vector's, and our reader must get the payload back from the vector's bytes. */
#include "crypto/base/rng.h"
#include "crypto/noise.h"
#include "crypto/wire/json.h"
#include "tests/vectors/vectors.h"
#include <stdio.h>

struct session {
    struct noise side[2]; /* initiator, responder */
    struct noise_cipher send[2], receive[2];
    bool split, keys_given;
    uint8_t hash[NOISE_HASH_BYTES];
};

static bool key_read(struct span vector, const char *name, uint8_t key[32], struct rng *r, bool *given)
{
    struct span value = vec_field(vector, name);
    if (value.n)
        return vec_hex_fixed(value, key, 32);
    rng_bytes(r, key, 32); /* any key will do, but the bytes can then not be compared */
    *given = false;
    return true;
}

static bool session_start(struct session *s, struct span vector)
{
    static const char *const names[2][3] = {{"init_prologue", "init_static", "init_ephemeral"},
                                            {"resp_prologue", "resp_static", "resp_ephemeral"}};
    struct rng r;
    rng_seed_u64(&r, 1);
    *s = (struct session){.keys_given = true};
    for (int i = 0; i < 2; i++) {
        uint8_t s_sk[32], e_sk[32];
        struct buf prologue = {0};
        bool good = vec_hex(vec_field(vector, names[i][0]), &prologue) &&
                    key_read(vector, names[i][1], s_sk, &r, &s->keys_given) &&
                    key_read(vector, names[i][2], e_sk, &r, &s->keys_given);
        if (good)
            noise_start(&s->side[i], i == 0, buf_view(&prologue), s_sk, e_sk);
        buf_free(&prologue);
        if (!good)
            return false;
    }
    return true;
}

static int write_one(struct session *s, int from, struct buf *out, struct span payload)
{
    return s->split ? noise_encrypt(&s->send[from], out, span(NULL, 0), payload)
                    : noise_write(&s->side[from], out, payload);
}

static int read_one(struct session *s, int to, struct buf *out, struct span message)
{
    return s->split ? noise_decrypt(&s->receive[to], out, span(NULL, 0), message)
                    : noise_read(&s->side[to], out, message);
}

static bool hashes_agree(struct session *s)
{
    uint8_t other[NOISE_HASH_BYTES];
    noise_hash(&s->side[0], s->hash);
    noise_hash(&s->side[1], other);
    return memcmp(s->hash, other, sizeof other) == 0;
}

static bool message_try(struct session *s, struct span message, int from)
{
    struct buf payload = {0}, want = {0}, made = {0}, got = {0};
    struct span ciphertext = vec_field(message, "ciphertext");
    bool good = vec_hex(vec_field(message, "payload"), &payload) && vec_hex(ciphertext, &want) &&
                write_one(s, from, &made, buf_view(&payload)) == 0;
    if (good && ciphertext.n && s->keys_given)
        good = span_eq(buf_view(&made), buf_view(&want));
    good = good && read_one(s, !from, &got, buf_view(&made)) == 0 &&
           span_eq(buf_view(&got), buf_view(&payload));
    buf_free(&payload);
    buf_free(&want);
    buf_free(&made);
    buf_free(&got);
    if (good && !s->split && noise_done(&s->side[0]) && noise_done(&s->side[1])) {
        good = hashes_agree(s);
        noise_split(&s->side[0], &s->send[0], &s->receive[0]);
        noise_split(&s->side[1], &s->send[1], &s->receive[1]);
        s->split = true;
    }
    return good;
}

static void vector_try(struct span vector, size_t number, struct vec_result *result)
{
    struct session s;
    if (!session_start(&s, vector)) {
        vec_count(result, false, "vector %zu: keys or prologue are not hex of the right length", number);
        return;
    }
    struct span messages = vec_field(vector, "messages"), want = vec_field(vector, "handshake_hash");
    for (size_t i = 0; i < vec_length(messages); i++)
        if (!message_try(&s, vec_item(messages, i), i % 2 == 1)) {
            vec_count(result, false, "vector %zu: message %zu", number, i);
            return;
        }
    uint8_t hash[NOISE_HASH_BYTES];
    bool good = true;
    if (want.n && s.keys_given)
        good = s.split && vec_hex_fixed(want, hash, sizeof hash) && memcmp(hash, s.hash, sizeof hash) == 0;
    vec_count(result, good, "vector %zu: handshake hash", number);
}

int vec_noise(struct span json, struct vec_result *result)
{
    struct buf wire = {0};
    int err = json_to_wire(&wire, json, NULL);
    if (err)
        return err;
    struct span vectors = vec_field(buf_view(&wire), "vectors");
    for (size_t i = 0; i < vec_length(vectors); i++) {
        struct span vector = vec_item(vectors, i), name = vec_field(vector, "protocol_name");
        if (name.n && !vec_text_is(name, "Noise_XX_25519_ChaChaPoly_BLAKE2b"))
            fprintf(stderr, "vector %zu is of another protocol: left out\n", i);
        else
            vector_try(vector, i, result);
    }
    buf_free(&wire);
    return 0;
}
