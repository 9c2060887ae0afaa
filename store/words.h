/* words.h: text to the words that are indexed.  Only for this room. */
#ifndef SOUK_STORE_WORDS_H
#define SOUK_STORE_WORDS_H
#include "crypto/base/span.h"

enum { WORD_MAX_BYTES = 32 };
enum word_lang { WORDS_FR, WORDS_EN, WORDS_LANGS, WORDS_OTHER = WORDS_LANGS };
/* By the first two letters of a BCP 47 tag. */
enum word_lang words_lang(struct span tag);

/* Cuts and folds: fn gets each word (borrowed for the call). */
typedef void word_fn(void *arg, struct span word);
void words_each(struct span text, word_fn *fn, void *arg);

struct stemmers;
struct stemmers *stemmers_new(void);
void stemmers_free(struct stemmers *s);
/* The stem of a folded word; borrowed until the next call. */
struct span stem(struct stemmers *s, enum word_lang lang, struct span word);
/* A word so common that a query need not insist on it. */
bool word_is_common(struct span word);
#endif
