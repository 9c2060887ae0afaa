// links: store
#include "crypto/base/buf.h"
#include "store/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void join(void *arg, struct span word)
{
    struct buf *b = arg;
    if (b->n)
        buf_append(b, "|", 1);
    buf_span(b, word);
}

static void assert_words(const char *text, const char *expected)
{
    struct buf b = {0};
    words_each(span_str(text), join, &b);
    buf_append(&b, "", 1);
    assert_string_equal((const char *)b.p, expected);
    buf_free(&b);
}

static void words_are_folded(void **state)
{
    (void)state;
    assert_words("Vélo", "velo");
    assert_words("VE\xcc\x81LO", "velo"); /* decomposed */
    assert_words("Cœur ŒUVRE æon", "coeur|oeuvre|aeon");
    assert_words("Straße", "strasse");
    assert_words("l'été d’Élodie", "l|ete|d|elodie");
    assert_words("ﬁn №5 x²", "fin|no5|x2");
    assert_words("Ελλάδα Ёлка", "ελλαδα|елка");
    assert_words("  a--b__c\n26\"", "a|b|c|26");
    assert_words("自転車 for sale", "自|転|車|for|sale");
    assert_words("", "");
}

static void broken_bytes_only_cut(void **state)
{
    (void)state;
    assert_words("ab\xff\xfe"
                 "cd\xc3",
                 "ab|cd");
    assert_words("\xed\xa0\x80x", "x");
}

static void overlong_words_are_cut_at_a_character(void **state)
{
    (void)state;
    assert_words("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee f", "aaaaaaaaaabbbbbbbbbbccccccccccdd|f");
    assert_words("aaaaaaaaaabbbbbbbbbbccccccccccdжж g", "aaaaaaaaaabbbbbbbbbbccccccccccd|g");
}

static void same_stem(enum word_lang lang, const char *a, const char *b)
{
    struct stemmers *s = stemmers_new();
    struct span x = stem(s, lang, span_str(a));
    uint8_t copy[WORD_MAX_BYTES];
    size_t n = x.n;
    memcpy(copy, x.p, n);
    struct span y = stem(s, lang, span_str(b));
    if (!span_eq(span(copy, n), y))
        fail_msg("%s and %s have different stems", a, b);
    stemmers_free(s);
}

static void forms_of_a_word_share_their_stem(void **state)
{
    (void)state;
    same_stem(WORDS_EN, "bike", "bikes");
    same_stem(WORDS_EN, "painting", "paintings");
    same_stem(WORDS_FR, "velo", "velos");
    same_stem(WORDS_FR, "annonce", "annonces");
    same_stem(WORDS_FR, "grand", "grande");
    struct stemmers *s = stemmers_new();
    assert_true(span_eq(stem(s, WORDS_OTHER, span_str("bikes")), span_str("bikes")));
    stemmers_free(s);
}

static void a_language_is_told_by_its_tag(void **state)
{
    (void)state;
    assert_int_equal(words_lang(span_str("fr")), WORDS_FR);
    assert_int_equal(words_lang(span_str("en-GB")), WORDS_EN);
    assert_int_equal(words_lang(span_str("fra")), WORDS_OTHER);
    assert_int_equal(words_lang(span_str("")), WORDS_OTHER);
    assert_true(word_is_common(span_str("de")));
    assert_true(word_is_common(span_str("with")));
    assert_true(word_is_common(span_str("a")));
    assert_false(word_is_common(span_str("velo")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_folded),
        cmocka_unit_test(broken_bytes_only_cut),
        cmocka_unit_test(overlong_words_are_cut_at_a_character),
        cmocka_unit_test(forms_of_a_word_share_their_stem),
        cmocka_unit_test(a_language_is_told_by_its_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
