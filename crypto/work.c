#include "crypto/work.h"
#include "crypto/base/err.h"
#include "record.gen.h"
#include <sodium.h>

static void work_begin(crypto_generichash_blake2b_state *st, const struct id *id)
{
    static const uint8_t personal[16] = "souk:work";
    crypto_generichash_blake2b_init_salt_personal(st, NULL, 0, 32, NULL, personal);
    crypto_generichash_blake2b_update(st, id->b, sizeof id->b);
}

static unsigned zeros_of(const crypto_generichash_blake2b_state *begun, uint64_t nonce)
{
    crypto_generichash_blake2b_state st = *begun;
    uint8_t in[8], out[32];
    be64_put(in, nonce);
    crypto_generichash_blake2b_update(&st, in, sizeof in);
    crypto_generichash_blake2b_final(&st, out, sizeof out);
    uint64_t head = be64_get(out);
    return head ? (unsigned)__builtin_clzll(head) : WORK_BITS_MAX;
}

unsigned work_bits(const struct id *id, uint64_t nonce)
{
    crypto_generichash_blake2b_state st;
    work_begin(&st, id);
    return zeros_of(&st, nonce);
}

unsigned work_floor(const struct network *net, uint8_t kind, size_t size_bytes)
{
    enum { FREE_BYTES = 1024, PROTECTS_OTHERS = 4 };
    if (!net->work_bits)
        return 0;
    unsigned bits = net->work_bits;
    for (size_t room = FREE_BYTES; room < size_bytes && bits < WORK_BITS_MAX; room *= 2)
        bits++;
    if (kind == RECORD_HEAD || kind == RECORD_REVOCATION || kind == RECORD_FRAUD)
        bits -= bits < PROTECTS_OTHERS ? bits : PROTECTS_OTHERS;
    return bits;
}

bool work_search(const struct id *id, uint64_t from, uint64_t tries, unsigned bits, uint64_t *nonce)
{
    MUST(bits <= WORK_BITS_MAX);
    crypto_generichash_blake2b_state st;
    work_begin(&st, id);
    for (uint64_t i = 0; i < tries; i++)
        if (zeros_of(&st, from + i) >= bits) {
            *nonce = from + i;
            return true;
        }
    return false;
}
