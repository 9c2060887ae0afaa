/* words.c: folding by Unicode's tables (utf8proc), stemming by Snowball (libstemmer).
 *
 * Words are stemmed after folding, accents gone: the stemmers lose a little by it, but what was typed
 * without accents then comes to the same stem as what was written with them. */
#include "store/words.h"
#include "crypto/base/err.h"
#include <libstemmer.h>
#include <stdlib.h>
#include <utf8proc.h>

enum word_lang words_lang(struct span tag)
{
    if (tag.n >= 2 && (tag.n == 2 || tag.p[2] == '-')) {
        uint8_t a = tag.p[0] | 0x20, b = tag.p[1] | 0x20;
        if (a == 'f' && b == 'r')
            return WORDS_FR;
        if (a == 'e' && b == 'n')
            return WORDS_EN;
    }
    return WORDS_OTHER;
}

struct word {
    uint8_t b[WORD_MAX_BYTES];
    size_t n;
    bool full; /* the rest of an overlong word is dropped */
};

static void word_add(struct word *w, int32_t cp)
{
    uint8_t u[4];
    size_t n = (size_t)utf8proc_encode_char(cp, u);
    if (w->full || w->n + n > WORD_MAX_BYTES) {
        w->full = true;
        return;
    }
    memcpy(w->b + w->n, u, n);
    w->n += n;
}

static void word_end(struct word *w, word_fn *fn, void *arg)
{
    if (w->n)
        fn(arg, span(w->b, w->n));
    w->n = 0;
    w->full = false;
}

static bool is_word_char(int32_t cp)
{
    switch (utf8proc_category(cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}

/* Scripts that write no spaces: each sign is a word. */
static bool is_sign(int32_t cp)
{
    return (cp >= 0x3040 && cp <= 0x30ff) || (cp >= 0x3400 && cp <= 0x9fff) ||
           (cp >= 0x20000 && cp <= 0x3ffff);
}

static void fold(struct word *w, int32_t cp, word_fn *fn, void *arg)
{
    int32_t out[18]; /* the longest decomposition has 18 */
    int bound = 0;
    utf8proc_option_t how =
        UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK;
    utf8proc_ssize_t n = utf8proc_decompose_char(cp, out, 18, how, &bound);
    for (utf8proc_ssize_t i = 0; i < n && i < 18; i++) {
        if (out[i] == 0x153 || out[i] == 0xe6) { /* œ, æ: no decomposition in Unicode, but one in writing */
            word_add(w, out[i] == 0x153 ? 'o' : 'a');
            word_add(w, 'e');
        } else if (!is_word_char(out[i])) {
            word_end(w, fn, arg);
        } else if (is_sign(out[i])) {
            word_end(w, fn, arg);
            word_add(w, out[i]);
            word_end(w, fn, arg);
        } else {
            word_add(w, out[i]);
        }
    }
}

void words_each(struct span text, word_fn *fn, void *arg)
{
    struct word w = {.n = 0};
    for (size_t i = 0; i < text.n;) {
        uint8_t c = text.p[i];
        if (c < 0x80) {
            if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
                word_add(&w, c);
            else if (c >= 'A' && c <= 'Z')
                word_add(&w, c | 0x20);
            else
                word_end(&w, fn, arg);
            i++;
            continue;
        }
        int32_t cp;
        utf8proc_ssize_t n = utf8proc_iterate(text.p + i, (utf8proc_ssize_t)(text.n - i), &cp);
        if (n <= 0) { /* not UTF-8: cut here */
            word_end(&w, fn, arg);
            i++;
            continue;
        }
        fold(&w, cp, fn, arg);
        i += (size_t)n;
    }
    word_end(&w, fn, arg);
}

struct stemmers {
    struct sb_stemmer *s[WORDS_LANGS];
};

struct stemmers *stemmers_new(void)
{
    static const char *const names[WORDS_LANGS] = {"french", "english"};
    struct stemmers *s = xcalloc(1, sizeof *s);
    for (int i = 0; i < WORDS_LANGS; i++) {
        s->s[i] = sb_stemmer_new(names[i], NULL);
        MUST(s->s[i]);
    }
    return s;
}

void stemmers_free(struct stemmers *s)
{
    if (!s)
        return;
    for (int i = 0; i < WORDS_LANGS; i++)
        sb_stemmer_delete(s->s[i]);
    free(s);
}

/* Snowball's French keeps the s of plurals in -os, -us and -is (vélos, menus, taxis) for the sake of words
 * like repos; a market has more of the former, and the latter lose theirs everywhere alike. */
static struct span singular(struct span word)
{
    if (word.n >= 4 && word.p[word.n - 1] == 's' && word.p[word.n - 2] != 's')
        word.n--;
    return word;
}

struct span stem(struct stemmers *s, enum word_lang lang, struct span word)
{
    if (lang >= WORDS_LANGS)
        return word;
    if (lang == WORDS_FR)
        word = singular(word);
    const sb_symbol *out = sb_stemmer_stem(s->s[lang], word.p, (int)word.n);
    MUST(out); /* only memory can fail */
    int n = sb_stemmer_length(s->s[lang]);
    return n > 0 && n <= WORD_MAX_BYTES ? span(out, (size_t)n) : word;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool word_is_common(struct span word)
{
    /* Folded; in order. */
    static const char *const common[] = {
        "a",  "an",  "and", "at",  "au",   "aux", "avec", "by", "d",  "dans", "de",  "des", "du",
        "en", "est", "et",  "for", "from", "in",  "is",   "l",  "la", "le",   "les", "my",  "of",
        "on", "or",  "ou",  "par", "pour", "sur", "the",  "to", "un", "une",  "with"};
    char text[8];
    if (word.n >= sizeof text)
        return false;
    memcpy(text, word.p, word.n);
    text[word.n] = 0;
    const char *key = text;
    return bsearch(&key, common, sizeof common / sizeof *common, sizeof *common, by_text) != NULL;
}
