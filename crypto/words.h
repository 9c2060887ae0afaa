/* words.h: 24 words on paper that bring an identity back without any file.
 *
 * Layout of BIP-39 (English list): 256 bits of entropy and the first 8 bits of its SHA-256, cut into 24
 * numbers of 11 bits, most significant first.  Unlike BIP-39 no PBKDF2 follows: the entropy is random
 * already, so keys are derived from it directly (hash_derive, hash.h):
 *
 *     identity's Ed25519 seed = hash_derive(entropy, "souk:identity")
 *     recovery key's seed     = hash_derive(entropy, "souk:recovery")
 *
 * The recovery key's public half is pinned by the identity's first profile; its secret lies nowhere but in
 * the words. */
#ifndef SOUK_WORDS_H
#define SOUK_WORDS_H
#include "crypto/base/err.h"
#include "crypto/base/span.h"
#include "crypto/sign.h"

enum { WORDS_COUNT = 24, WORDS_LIST = 2048, WORDS_ENTROPY_BYTES = 32, WORDS_TEXT = 256 };

/* Rising order; words of 3 to 8 letters a–z. */
extern const char *const words_list[WORDS_LIST];

/* 24 words with single spaces, NUL-terminated.  The caller wipes out. */
void words_write(char out[static WORDS_TEXT], const uint8_t entropy[static WORDS_ENTROPY_BYTES]);
/* Reads 24 words, separated by white space, in either case.  SOUK_EINVALID with a report that names the
 * first word that is not in the list, its place, and the words nearest to it; or how many words are
 * missing; or that all are known but the checksum does not fit.  The report names at most that one wrong
 * word, never the others. */
int words_read(uint8_t entropy[static WORDS_ENTROPY_BYTES], struct span text, struct report *r);

void words_identity(struct keypair *out, const uint8_t entropy[static WORDS_ENTROPY_BYTES]);
void words_recovery(struct keypair *out, const uint8_t entropy[static WORDS_ENTROPY_BYTES]);
#endif
