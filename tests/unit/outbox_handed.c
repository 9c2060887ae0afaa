// links: outbox
/* A message can be shown to a third by who received it, and by who wrote it; by nobody else, and not with
 * another word in it. */
#include "crypto/sign.h"
#include "node/outbox/engine.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct network net;
static struct keypair ann, ben;
static struct buf letter;
static struct outbox_handed shown;

static struct identity identity_of(const struct keypair *k)
{
    struct identity id;
    memcpy(&id, k->pk, sizeof id);
    return id;
}

/* Ann writes to Ben. */
static int setup(void **state)
{
    uint8_t seed[32] = {1};
    struct id id, hash;
    (void)state;
    assert_int_equal(network_make(&net, "test", 0, 0, true), 0);
    sign_keypair_from_seed(&ann, seed);
    seed[0] = 2;
    sign_keypair_from_seed(&ben, seed);
    struct mail_letter m = {.from = identity_of(&ann),
                            .to = identity_of(&ben),
                            .kind = LETTER_MESSAGE,
                            .created = 1000,
                            .body = span_str("without a scratch")};
    buf_clear(&letter);
    mail_letter_encode(&letter, &m);
    shown = (struct outbox_handed){.letter = buf_view(&letter), .has_sig = true, .where = span_str("here")};
    memset(&shown.prekey, 7, sizeof shown.prekey);
    letter_id(&id, &net, shown.letter);
    letter_signed_hash(&hash, &net, &id, &shown.prekey, shown.where);
    sign_hash(&shown.sig, ann.sk, &hash);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    buf_free(&letter);
    return 0;
}

static int check(const struct keypair *by)
{
    struct outbox_message_row row;
    struct identity who = identity_of(by);
    return outbox_handed_check(&row, &net, &shown, &who);
}

static void who_received_it_shows_it_with_its_signature(void **state)
{
    struct outbox_message_row row;
    struct identity a = identity_of(&ann), b = identity_of(&ben);
    (void)state;
    assert_int_equal(outbox_handed_check(&row, &net, &shown, &b), 0);
    assert_true(identity_eq(&row.from, &a) && identity_eq(&row.to, &b));
    assert_true(span_eq(row.text, span_str("without a scratch")));
    shown.where = span_str("there");
    assert_int_equal(check(&ben), SOUK_ESIGNATURE);
}

static void without_it_only_the_author_is_believed(void **state)
{
    (void)state;
    shown.has_sig = false;
    assert_int_equal(check(&ann), 0);
    assert_int_equal(check(&ben), SOUK_ESIGNATURE);
}

static void another_word_in_it_is_noticed(void **state)
{
    (void)state;
    letter.p[letter.n - 1] ^= 1;
    assert_int_equal(check(&ben), SOUK_ESIGNATURE);
}

static void what_is_no_message_is_refused(void **state)
{
    (void)state;
    shown.letter = span(letter.p, letter.n - 1);
    assert_int_equal(check(&ben), SOUK_EFORM);
    struct mail_letter m = {
        .from = identity_of(&ann), .to = identity_of(&ben), .kind = LETTER_FACT, .body = span_str("x")};
    buf_clear(&letter);
    mail_letter_encode(&letter, &m);
    shown.letter = buf_view(&letter);
    assert_int_equal(check(&ann), SOUK_EFORM);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(who_received_it_shows_it_with_its_signature),
        T(without_it_only_the_author_is_believed),
        T(another_word_in_it_is_noticed),
        T(what_is_no_message_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
