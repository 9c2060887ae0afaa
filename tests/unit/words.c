// links: crypto
/* Backup words: the standard's own examples, and errors that help who copied a word wrongly. */
#include "crypto/words.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define A23                                                                                            \
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon " \
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "

static int read_words(const char *text, struct report *r)
{
    uint8_t entropy[32] = {0xaa};
    int err = words_read(entropy, span_str(text), r);
    if (err)
        assert_int_equal(entropy[0], 0xaa);
    return err;
}

static void list_is_the_published_one(void **state)
{
    (void)state;
    crypto_hash_sha256_state st;
    uint8_t sum[32];
    char hex[65];
    crypto_hash_sha256_init(&st);
    for (size_t i = 0; i < WORDS_LIST; i++) {
        crypto_hash_sha256_update(&st, (const uint8_t *)words_list[i], strlen(words_list[i]));
        crypto_hash_sha256_update(&st, (const uint8_t *)"\n", 1);
        if (i)
            assert_true(strcmp(words_list[i - 1], words_list[i]) < 0);
    }
    crypto_hash_sha256_final(&st, sum);
    assert_string_equal(hex_encode(hex, sum, 32),
                        "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
}

/* From the vectors published with BIP-39. */
static void words_are_those_of_the_standard(void **state)
{
    (void)state;
    static const struct {
        const char *entropy, *words;
    } known[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", A23 "art"},
        {"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
         "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth "
         "useful "
         "legal winner thank year wave sausage worth title"},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
         "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
         "vote"},
        {"68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
         "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy "
         "gospel "
         "tennis maple dilemma loan word shrug inflict delay length"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint8_t entropy[32], back[32];
        char text[WORDS_TEXT];
        assert_true(hex_decode(entropy, 32, known[i].entropy, 64));
        words_write(text, entropy);
        assert_string_equal(text, known[i].words);
        assert_int_equal(words_read(back, span_str(text), NULL), 0);
        assert_memory_equal(entropy, back, 32);
    }
}

static void case_and_white_space_do_not_matter(void **state)
{
    (void)state;
    assert_int_equal(read_words(" \n" A23 "\r\n\tART \n", NULL), 0);
}

static void wrong_word_is_named_with_the_nearest_right_ones(void **state)
{
    (void)state;
    struct report r;
    static const struct {
        const char *text, *word, *place, *nearest;
    } wrong[] = {
        {"abandon abandon abandno", "\"abandno\"", "word 3,", "write \"abandon\""},
        {"hapy", "\"hapy\"", "word 1,", "write \"happy\""},
        {"zoo jungel", "\"jungel\"", "word 2,", "write \"jungle\""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(read_words(wrong[i].text, &r), SOUK_EINVALID);
        assert_non_null(strstr(r.text, wrong[i].word));
        assert_non_null(strstr(r.text, wrong[i].place));
        assert_non_null(strstr(r.text, wrong[i].nearest));
    }
    assert_int_equal(read_words("supercalifragilisticexpialidocious", &r), SOUK_EINVALID);
    assert_int_equal(read_words("caf\xc3\xa9 \x01", &r), SOUK_EINVALID);
    assert_non_null(strstr(r.text, "\"caf??\""));
}

static void missing_and_surplus_words_are_counted(void **state)
{
    (void)state;
    struct report r;
    assert_int_equal(read_words("", &r), SOUK_EINVALID);
    assert_non_null(strstr(r.text, "0 words"));
    assert_int_equal(read_words(A23, &r), SOUK_EINVALID);
    assert_non_null(strstr(r.text, "23 words"));
    assert_int_equal(read_words(A23 "art art", &r), SOUK_EINVALID);
    assert_non_null(strstr(r.text, "25 words"));
}

static void exchanged_words_fail_the_checksum(void **state)
{
    (void)state;
    struct report r;
    assert_int_equal(read_words("art " A23, &r), SOUK_EINVALID);
    assert_non_null(strstr(r.text, "do not fit"));
    assert_int_equal(read_words(A23 "zoo", &r), SOUK_EINVALID);
}

static void identity_and_recovery_key_differ_and_come_back_the_same(void **state)
{
    (void)state;
    uint8_t entropy[32] = {1, 2, 3};
    struct keypair a, b, again;
    words_identity(&a, entropy);
    words_recovery(&b, entropy);
    words_identity(&again, entropy);
    assert_memory_not_equal(a.pk, b.pk, 32);
    assert_memory_equal(a.sk, again.sk, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_the_published_one),
        cmocka_unit_test(words_are_those_of_the_standard),
        cmocka_unit_test(case_and_white_space_do_not_matter),
        cmocka_unit_test(wrong_word_is_named_with_the_nearest_right_ones),
        cmocka_unit_test(missing_and_surplus_words_are_counted),
        cmocka_unit_test(exchanged_words_fail_the_checksum),
        cmocka_unit_test(identity_and_recovery_key_differ_and_come_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
