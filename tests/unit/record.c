// links: crypto
/* The envelope of public records: what is made can be read, and what every node must refuse is refused. */
#include "crypto/record.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "crypto/wire/pack.h"
#include "crypto/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW INT64_C(1790000000000)
#define DAY INT64_C(86400000)

static struct network net;
static struct keypair author;
static const uint8_t body[] = {0x82, 0x00, 0xa3, 'o', 'n', 'e', 0x05, 0x01}; /* {0: "one", 5: 1} */

static int setup(void **state)
{
    (void)state;
    uint8_t seed[32] = {1};
    sign_keypair_from_seed(&author, seed);
    return network_make(&net, "test", 4, 0, true);
}

static struct record draft(void)
{
    struct record d = {.kind = 2,
                       .topic = span_str("bikes/FR"),
                       .created = NOW,
                       .expires = NOW + 90 * DAY,
                       .body = SPAN_OF(body)};
    memcpy(d.author.b, author.pk, 32);
    return d;
}

static struct buf made(void)
{
    struct record d = draft();
    struct buf b = {0};
    assert_int_equal(record_make(&b, &d, &net, author.sk, NULL), 0);
    return b;
}

/* A record of any fields at all, honestly worked for and signed: only the rule under test is broken. */
static struct buf forged(uint64_t version, const struct record *d)
{
    struct buf hashed = {0}, b = {0};
    struct id id;
    struct sig sig;
    uint64_t nonce;
    pack_uint(&hashed, version);
    pack_uint(&hashed, d->kind);
    pack_bin(&hashed, SPAN_OF(d->author));
    pack_str(&hashed, d->topic);
    pack_int(&hashed, d->created);
    pack_int(&hashed, d->expires);
    buf_span(&hashed, d->body);
    record_id_of(&id, &net, buf_view(&hashed));
    assert_true(work_search(&id, 0, UINT64_MAX, work_floor(&net, d->kind, hashed.n), &nonce));
    sign_hash(&sig, author.sk, &id);
    pack_array(&b, 9);
    buf_span(&b, buf_view(&hashed));
    pack_uint(&b, nonce);
    pack_bin(&b, SPAN_OF(sig));
    buf_free(&hashed);
    return b;
}

static int parse_forged(uint64_t version, const struct record *d, struct record *out)
{
    static struct buf keep; /* out borrows from it until the next call */
    buf_free(&keep);
    keep = forged(version, d);
    return record_parse(out, buf_view(&keep), &net, NULL);
}

static void what_is_made_reads_back_and_verifies(void **state)
{
    (void)state;
    struct buf b = made();
    struct record r, d = draft();
    assert_int_equal(record_parse(&r, buf_view(&b), &net, NULL), 0);
    assert_int_equal(r.version, 1);
    assert_int_equal(r.kind, 2);
    assert_true(identity_eq(&r.author, &d.author));
    assert_true(span_eq(r.topic, d.topic));
    assert_true(span_eq(r.body, d.body));
    assert_int_equal(r.created, NOW);
    assert_int_equal(r.expires, d.expires);
    assert_true(work_bits(&r.id, r.work) >= 4);
    assert_true(record_verify(&r));
    struct job job;
    record_job(&job, &r);
    assert_int_equal(job.class, JOB_VERIFY);
    assert_true(sign_check(job.key, (const struct id *)(const void *)job.msg,
                           (const struct sig *)(const void *)job.sig));
    buf_free(&b);
}

static void id_covers_exactly_the_bytes_from_after_the_header_through_the_body(void **state)
{
    (void)state;
    struct buf b = made();
    struct record r;
    struct id want;
    assert_int_equal(record_parse(&r, buf_view(&b), &net, NULL), 0);
    size_t body_end = (size_t)(r.body.p + r.body.n - b.p);
    hash_souk_one(&want, &net, "souk:record", span(b.p + 1, body_end - 1));
    assert_true(id_eq(&r.id, &want));
    buf_free(&b);
}

static void any_changed_byte_is_refused_or_no_longer_verifies(void **state)
{
    (void)state;
    struct buf b = made();
    struct record r;
    for (size_t i = 0; i < b.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            b.p[i] ^= (uint8_t)(1 << bit);
            /* The nonce alone may be exchanged for another that works: the id stays the same. */
            int err = record_parse(&r, buf_view(&b), &net, NULL);
            bool nonce = err == 0 && b.p + i >= r.body.p + r.body.n && i + 66 < b.n;
            if (err == 0 && !nonce)
                assert_false(record_verify(&r));
            b.p[i] ^= (uint8_t)(1 << bit);
        }
    buf_free(&b);
}

static void cut_or_lengthened_bytes_are_refused(void **state)
{
    (void)state;
    struct buf b = made();
    struct record r;
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(record_parse(&r, span(b.p, n), &net, NULL), SOUK_EFORM);
    pack_nil(&b);
    assert_int_equal(record_parse(&r, buf_view(&b), &net, NULL), SOUK_EFORM);
    buf_free(&b);
}

static void bounds_between_times_are_kept(void **state)
{
    (void)state;
    struct record d = draft(), r;
    d.expires = NOW + 400 * DAY;
    assert_int_equal(parse_forged(1, &d, &r), 0);
    d.expires++;
    assert_int_equal(parse_forged(1, &d, &r), SOUK_EFORM);
    d.expires = NOW;
    assert_int_equal(parse_forged(1, &d, &r), SOUK_EFORM);
    d = draft();
    d.created = -1;
    assert_int_equal(parse_forged(1, &d, &r), SOUK_EFORM);
    d.created = RECORD_TIME_MOST_MS;
    d.expires = RECORD_TIME_MOST_MS + 1;
    assert_int_equal(parse_forged(1, &d, &r), SOUK_EFORM);
}

static void unknown_versions_and_kinds_keep_their_envelope(void **state)
{
    (void)state;
    struct record d = draft(), r;
    d.kind = 200;
    assert_int_equal(parse_forged(9, &d, &r), 0);
    assert_int_equal(r.version, 9);
    assert_int_equal(r.kind, 200);
    assert_true(record_verify(&r));
    assert_int_equal(parse_forged(0, &d, &r), SOUK_EFORM);
    assert_int_equal(parse_forged(256, &d, &r), SOUK_EFORM);
    d.kind = 0;
    assert_int_equal(parse_forged(1, &d, &r), SOUK_EFORM);
}

static void body_must_be_a_canonical_map_with_integer_keys(void **state)
{
    (void)state;
    static const uint8_t array[] = {0x91, 0x01}, unsorted[] = {0x82, 0x05, 0x01, 0x00, 0x01},
                         named[] = {0x81, 0xa1, 'a', 0x01}, overlong[] = {0x81, 0x00, 0xcc, 0x01},
                         empty[] = {0x80};
    struct record d = draft(), r;
    const struct span bad[] = {SPAN_OF(array), SPAN_OF(unsorted), SPAN_OF(named), SPAN_OF(overlong)};
    for (size_t i = 0; i < 4; i++) {
        d.body = bad[i];
        assert_int_equal(parse_forged(1, &d, &r), SOUK_EFORM);
        struct buf none = {0};
        assert_int_equal(record_make(&none, &d, &net, author.sk, NULL), SOUK_EFORM);
        assert_int_equal(none.n, 0);
    }
    d.body = SPAN_OF(empty);
    assert_int_equal(parse_forged(1, &d, &r), 0);
}

static void topics_are_a_category_and_a_region(void **state)
{
    (void)state;
    static const char *const good[] = {"bikes/FR",  "bikes/*",   "baby-gear/DE", "x/XX",
                                       "people/0f", "people/ff", "mp3/US"};
    static const char *const bad[] = {"",          "bikes",     "bikes/",    "/FR",       "Bikes/FR",
                                      "bikes/fr",  "bikes/FRA", "bikes/F",   "bikes/FR/", "bikes//FR",
                                      "bi kes/FR", "people/FR", "people/0F", "people/*",  "people/0",
                                      "-x/FR",     "1x/FR",     "bikes/F1",  "people/FG", "b\xc3\xa9/FR"};
    char longest[80];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(record_topic_ok(span_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(record_topic_ok(span_str(bad[i])));
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 61, "/FR", 4);
    assert_true(record_topic_ok(span_str(longest)));
    longest[61] = 'a';
    memcpy(longest + 62, "/FR", 4);
    assert_false(record_topic_ok(span_str(longest)));
    struct identity who = {{0xab, 1}};
    char topic[RECORD_PEOPLE_BYTES];
    assert_true(span_eq(record_topic_people(topic, &who), span_str("people/ab")));
    assert_true(record_topic_ok(span_str(topic)));
    struct record d = draft(), r;
    d.topic = span_str("bikes/fr");
    assert_int_equal(parse_forged(1, &d, &r), SOUK_EFORM);
}

static void work_below_the_floor_is_refused_and_the_report_says_how_much_is_asked(void **state)
{
    (void)state;
    struct buf b = made();
    struct record r;
    struct network hard = net;
    struct report why;
    hard.work_bits = 40; /* the same id: only the floor differs */
    assert_int_equal(record_parse(&r, buf_view(&b), &hard, &why), SOUK_EWORK);
    assert_non_null(strstr(why.text, "asks for 40"));
    hard.work_bits = 0;
    assert_int_equal(record_parse(&r, buf_view(&b), &hard, NULL), 0);
    buf_free(&b);
}

static void record_of_one_network_does_not_stand_on_another(void **state)
{
    (void)state;
    struct buf b = made();
    struct record r;
    struct network other;
    assert_int_equal(network_make(&other, "other", 0, 0, true), 0);
    assert_int_equal(record_parse(&r, buf_view(&b), &other, NULL), 0);
    assert_false(record_verify(&r));
    buf_free(&b);
}

static void record_of_sixteen_kibibytes_fits_and_one_more_does_not(void **state)
{
    (void)state;
    struct record d = draft(), r;
    struct buf big = {0};
    static char text[RECORD_BYTES_MOST];
    memset(text, 'a', sizeof text);
    struct report why;
    for (size_t n = 16100; n < 16300; n++) {
        buf_clear(&big);
        pack_map(&big, 1);
        pack_uint(&big, 0);
        pack_str(&big, span(text, n));
        d.body = buf_view(&big);
        d.work = 0;
        struct buf b = {0};
        int err = record_make(&b, &d, &net, author.sk, &why);
        assert_true(b.n <= RECORD_BYTES_MOST);
        if (err) {
            assert_int_equal(err, SOUK_EFORM);
            assert_true(n > 16150);
        } else {
            assert_int_equal(record_parse(&r, buf_view(&b), &net, NULL), 0);
            assert_true(work_bits(&r.id, r.work) >= 8); /* 4, and one per doubling to 16 KiB */
        }
        buf_free(&b);
        if (err)
            break;
    }
    assert_int_equal(why.err, SOUK_EFORM);
    assert_non_null(strstr(why.text, "16384"));
    static uint8_t over[RECORD_BYTES_MOST + 1];
    assert_int_equal(record_parse(&r, SPAN_OF(over), &net, NULL), SOUK_EFORM);
    buf_free(&big);
}

static void writing_with_another_ones_signature_is_refused(void **state)
{
    (void)state;
    struct record d = draft();
    struct buf b = {0};
    unsigned bits;
    assert_int_equal(record_prepare(&d, &net, &bits, NULL), 0);
    assert_int_equal(bits, 4);
    assert_true(work_search(&d.id, 0, UINT64_MAX, bits, &d.work));
    assert_int_equal(record_write(&b, &d, &net, NULL), SOUK_ESIGNATURE);
    sign_hash(&d.sig, author.sk, &d.id);
    assert_int_equal(record_write(&b, &d, &net, NULL), 0);
    d.author.b[0] ^= 1;
    d.work = 0;
    assert_int_not_equal(record_make(&b, &d, &net, author.sk, NULL), 0);
    buf_free(&b);
}

static void time_of_day_is_judged_apart(void **state)
{
    (void)state;
    struct record d = draft();
    assert_int_equal(record_timely(&d, NOW, NULL), 0);
    assert_int_equal(record_timely(&d, NOW - 600000, NULL), 0);
    assert_int_equal(record_timely(&d, NOW - 600001, NULL), SOUK_EFUTURE);
    assert_int_equal(record_timely(&d, d.expires - 1, NULL), 0);
    assert_int_equal(record_timely(&d, d.expires, NULL), SOUK_EEXPIRED);
}

static void spoilt_copy_has_another_seen_hash(void **state)
{
    (void)state;
    struct buf b = made();
    struct id a, c;
    record_seen_hash(&a, &net, buf_view(&b));
    b.p[b.n - 1] ^= 1;
    record_seen_hash(&c, &net, buf_view(&b));
    assert_false(id_eq(&a, &c));
    buf_free(&b);
}

static void work_floor_grows_with_size_and_spares_what_protects_others(void **state)
{
    (void)state;
    struct network n;
    assert_int_equal(network_make(&n, "w", 12, 0, false), 0);
    assert_int_equal(work_floor(&n, 2, 100), 12);
    assert_int_equal(work_floor(&n, 2, 1024), 12);
    assert_int_equal(work_floor(&n, 2, 1025), 13);
    assert_int_equal(work_floor(&n, 2, 2049), 14);
    assert_int_equal(work_floor(&n, 2, 16384), 16);
    assert_int_equal(work_floor(&n, 7, 100), 8);
    assert_int_equal(work_floor(&n, 10, 100), 8);
    assert_int_equal(work_floor(&n, 11, 100), 8);
    n.work_bits = 0;
    assert_int_equal(work_floor(&n, 2, 16384), 0);
}

static void search_goes_on_where_a_slice_ended(void **state)
{
    (void)state;
    struct id id = {{5}};
    uint64_t whole, sliced = 0, from = 0;
    assert_true(work_search(&id, 0, UINT64_MAX, 8, &whole));
    assert_true(work_bits(&id, whole) >= 8);
    while (!work_search(&id, from, 7, 8, &sliced))
        from += 7;
    assert_int_equal(whole, sliced);
    assert_false(work_search(&id, 0, whole, 8, &sliced));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_reads_back_and_verifies),
        cmocka_unit_test(id_covers_exactly_the_bytes_from_after_the_header_through_the_body),
        cmocka_unit_test(any_changed_byte_is_refused_or_no_longer_verifies),
        cmocka_unit_test(cut_or_lengthened_bytes_are_refused),
        cmocka_unit_test(bounds_between_times_are_kept),
        cmocka_unit_test(unknown_versions_and_kinds_keep_their_envelope),
        cmocka_unit_test(body_must_be_a_canonical_map_with_integer_keys),
        cmocka_unit_test(topics_are_a_category_and_a_region),
        cmocka_unit_test(work_below_the_floor_is_refused_and_the_report_says_how_much_is_asked),
        cmocka_unit_test(record_of_one_network_does_not_stand_on_another),
        cmocka_unit_test(record_of_sixteen_kibibytes_fits_and_one_more_does_not),
        cmocka_unit_test(writing_with_another_ones_signature_is_refused),
        cmocka_unit_test(time_of_day_is_judged_apart),
        cmocka_unit_test(spoilt_copy_has_another_seen_hash),
        cmocka_unit_test(work_floor_grows_with_size_and_spares_what_protects_others),
        cmocka_unit_test(search_goes_on_where_a_slice_ended),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
