#include "crypto/words.h"
#include "crypto/hash.h"
#include <sodium.h>
#include <stdio.h>

enum { WORD_LETTERS_MOST = 8, NEAREST = 3, BITS = 11 };

void words_write(char out[static WORDS_TEXT], const uint8_t entropy[static WORDS_ENTROPY_BYTES])
{
    uint8_t bits[WORDS_ENTROPY_BYTES + 1], sum[32];
    memcpy(bits, entropy, WORDS_ENTROPY_BYTES);
    crypto_hash_sha256(sum, entropy, WORDS_ENTROPY_BYTES);
    bits[WORDS_ENTROPY_BYTES] = sum[0];
    size_t at = 0;
    for (unsigned i = 0; i < WORDS_COUNT; i++) {
        unsigned index = 0;
        for (unsigned b = i * BITS; b < (i + 1) * BITS; b++)
            index = index << 1 | (bits[b / 8] >> (7 - b % 8) & 1);
        at += (size_t)snprintf(out + at, WORDS_TEXT - at, "%s%s", i ? " " : "", words_list[index]);
        MUST(at < WORDS_TEXT);
    }
    sodium_memzero(bits, sizeof bits);
    sodium_memzero(sum, sizeof sum);
}

static int word_find(const char *word)
{
    int low = 0, high = WORDS_LIST - 1;
    while (low <= high) {
        int middle = (low + high) / 2, order = strcmp(word, words_list[middle]);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}

static unsigned least3(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Optimal string alignment: insertions, deletions, changes, and two neighbours swapped, each count one. */
static unsigned distance(const char *a, const char *b)
{
    enum { W = 2 * WORD_LETTERS_MOST + 1 };
    size_t n = strlen(a), m = strlen(b);
    unsigned d[W][W];
    MUST(n < W && m < W);
    for (unsigned i = 0; i <= n; i++)
        d[i][0] = i;
    for (unsigned j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            d[i][j] = least3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    return d[n][m];
}

/* Smaller is nearer: fewer mistakes first, then more letters alike at the beginning, where people err
 * least and where the list's words differ. */
static unsigned far(const char *word, const char *candidate)
{
    unsigned alike = 0;
    while (alike < 4 && word[alike] && word[alike] == candidate[alike])
        alike++;
    return distance(word, candidate) * 8 + (4 - alike);
}

static int unknown_word(unsigned place, const char *word, struct report *r)
{
    const char *best[NEAREST] = {NULL};
    unsigned score[NEAREST] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < WORDS_LIST; i++) {
        unsigned s = far(word, words_list[i]);
        if (s >= score[NEAREST - 1])
            continue;
        size_t k = NEAREST - 1;
        for (; k > 0 && s < score[k - 1]; k--) {
            score[k] = score[k - 1];
            best[k] = best[k - 1];
        }
        score[k] = s;
        best[k] = words_list[i];
    }
    return report_set(r, SOUK_EINVALID,
                      "word %u, \"%s\", is not in the list: did you write \"%s\", \"%s\" or \"%s\"?", place,
                      word, best[0], best[1], best[2]);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes the next word off text, in lower case; longer ones are cut, which no word of the list survives.
 * False at the end. */
static bool word_next(struct span *text, char word[static 2 * WORD_LETTERS_MOST + 1])
{
    while (text->n && is_space(*text->p))
        *text = span(text->p + 1, text->n - 1);
    size_t n = 0;
    while (text->n && !is_space(*text->p)) {
        uint8_t c = *text->p;
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c - 'A' + 'a');
        if (c < 0x20 || c > 0x7e)
            c = '?'; /* it goes into a report */
        if (n < 2 * WORD_LETTERS_MOST)
            word[n++] = (char)c;
        *text = span(text->p + 1, text->n - 1);
    }
    word[n] = 0;
    return n > 0;
}

int words_read(uint8_t entropy[static WORDS_ENTROPY_BYTES], struct span text, struct report *r)
{
    uint8_t bits[WORDS_ENTROPY_BYTES + 1] = {0}, sum[32];
    char word[2 * WORD_LETTERS_MOST + 1];
    unsigned count = 0;
    int err = 0;
    while (!err && word_next(&text, word)) {
        int index = word_find(word);
        if (index < 0) {
            err = unknown_word(count + 1, word, r);
        } else if (count < WORDS_COUNT) {
            for (unsigned b = 0; b < BITS; b++) {
                unsigned at = count * BITS + b;
                bits[at / 8] |= (uint8_t)((index >> (BITS - 1 - b) & 1) << (7 - at % 8));
            }
        }
        count++;
    }
    if (!err && count != WORDS_COUNT)
        err = report_set(r, SOUK_EINVALID, "these are %u words; the backup has %d: %s", count, WORDS_COUNT,
                         count < WORDS_COUNT ? "write all of them, in order" : "write each of them once");
    crypto_hash_sha256(sum, bits, WORDS_ENTROPY_BYTES);
    if (!err && sum[0] != bits[WORDS_ENTROPY_BYTES])
        err =
            report_set(r, SOUK_EINVALID,
                       "every word is in the list, but together they do not fit: look for two that changed "
                       "places or for one taken for another, and compare with your paper");
    if (!err)
        memcpy(entropy, bits, WORDS_ENTROPY_BYTES);
    sodium_memzero(bits, sizeof bits);
    sodium_memzero(sum, sizeof sum);
    sodium_memzero(word, sizeof word);
    return err;
}

static void pair_of(struct keypair *out, const uint8_t entropy[static WORDS_ENTROPY_BYTES], const char *use)
{
    uint8_t seed[32];
    hash_derive(seed, entropy, use, span(NULL, 0));
    sign_keypair_from_seed(out, seed);
    sodium_memzero(seed, sizeof seed);
}

void words_identity(struct keypair *out, const uint8_t entropy[static WORDS_ENTROPY_BYTES])
{
    pair_of(out, entropy, "souk:identity");
}

void words_recovery(struct keypair *out, const uint8_t entropy[static WORDS_ENTROPY_BYTES])
{
    pair_of(out, entropy, "souk:recovery");
}
