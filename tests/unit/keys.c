// links: keys
/* The owner's identities: made, locked, opened, brought back, and their prekeys forgotten in time. */
#include "node/keys/keys.h"
#include "crypto/sign.h"
#include "record.gen.h"
#include "store_help.h"
#include <sodium.h>

static const int64_t day_ms = 86400000;

struct home {
    struct bench *bench;
    struct rng rng;
    struct core core;
    struct keys *keys;
};
static struct keypair node_pair;

static void home_boot(struct home *h)
{
    h->keys = keys_new(node_pair.sk, true);
    h->core.view = h->bench->view;
    h->core.keys = h->keys;
    keys_boot(h->keys, &h->core);
}

static struct home *home_new(void)
{
    struct home *h = calloc(1, sizeof *h);
    h->bench = bench_new(64 * MIB, 0);
    rng_seed_u64(&h->rng, 1);
    h->core = (struct core){.rng = &h->rng, .now = {.mono_ms = 1000, .unix_ms = INT64_C(1790000000000)}};
    home_boot(h);
    return h;
}

/* As a node that was stopped and started: the ring is read from the store again. */
static void home_restart(struct home *h)
{
    keys_free(h->keys);
    bench_reopen(h->bench);
    home_boot(h);
}

static void home_free(struct home *h)
{
    keys_free(h->keys);
    bench_free(h->bench);
    free(h);
}

static void commit(struct home *h, struct change *c)
{
    assert_int_equal(apply_one(h->bench, c), 0);
    change_free(c);
}

static struct identity create(struct home *h, const char *name, const char *pass, char words[static 256])
{
    struct identity id;
    struct report r = {0};
    struct change *c = change_new(0, 0, 0);
    if (keys_create(h->keys, &h->core, name, span_str(pass), &id, words, c, &r))
        fail_msg("%s", r.text);
    commit(h, c);
    return id;
}

static int sign(struct home *h, const struct identity *id, enum key_use use)
{
    struct id hash = {{9}};
    struct sig sig;
    struct report r = {0};
    int err = keys_sign(h->keys, &h->core, id, use, &hash, &sig, &r);
    if (!err)
        assert_true(sign_check(id->b, &hash, &sig));
    else
        assert_true(r.text[0] != 0); /* refused with words */
    return err;
}

static int unlock(struct home *h, const struct identity *id, const char *pass, uint64_t spend_ms)
{
    struct report r = {0};
    return keys_unlock(h->keys, &h->core, id, span_str(pass), spend_ms, &r);
}

static void locked_after_a_restart(void **state)
{
    (void)state;
    struct home *h = home_new();
    char words[256];
    struct identity id = create(h, "Anna", "sesame", words), found;
    struct key_row rows[KEYS_MOST];
    assert_int_equal(sign(h, &id, USE_DUTY), 0);
    home_restart(h);
    assert_int_equal(keys_list(h->keys, rows), 1);
    assert_string_equal(rows[0].name, "Anna");
    assert_false(rows[0].unlocked);
    assert_true(keys_own(h->keys, &id));
    assert_int_equal(keys_default(h->keys, &found, NULL), 0);
    assert_memory_equal(&found, &id, sizeof id);
    assert_int_equal(sign(h, &id, USE_DUTY), SOUK_ELOCKED);
    assert_int_equal(unlock(h, &id, "sesam", 0), SOUK_EPASSPHRASE);
    assert_int_equal(sign(h, &id, USE_DUTY), SOUK_ELOCKED);
    assert_int_equal(unlock(h, &id, "sesame", 0), 0);
    assert_int_equal(sign(h, &id, USE_DUTY), 0);
    keys_lock(h->keys, &id);
    assert_int_equal(sign(h, &id, USE_DUTY), SOUK_ELOCKED);
    home_free(h);
}

static void money_needs_a_session_that_ends(void **state)
{
    (void)state;
    struct home *h = home_new();
    char words[256];
    struct identity id = create(h, "Anna", "sesame", words);
    assert_int_equal(sign(h, &id, USE_SPEND), SOUK_ELOCKED); /* unlocked for duties only */
    assert_int_equal(unlock(h, &id, "sesame", 60000), 0);
    assert_int_equal(sign(h, &id, USE_SPEND), 0);
    h->core.now.mono_ms += 60001;
    assert_int_equal(sign(h, &id, USE_SPEND), SOUK_ELOCKED);
    assert_int_equal(sign(h, &id, USE_DUTY), 0);
    assert_int_equal(unlock(h, &id, "sesame", 60000), 0);
    h->core.now.mono_ms += 1000;
    h->core.now.unix_ms += 3600000; /* the machine slept: only one clock went on */
    assert_int_equal(sign(h, &id, USE_SPEND), SOUK_ELOCKED);
    assert_int_equal(unlock(h, &id, "wrong", 60000), SOUK_EPASSPHRASE);
    assert_int_equal(sign(h, &id, USE_SPEND), SOUK_ELOCKED); /* a wrong passphrase opens no session */
    assert_int_equal(unlock(h, &id, "sesame", 60000), 0);
    keys_lock(h->keys, NULL);
    assert_int_equal(unlock(h, &id, "sesame", 0), 0);
    assert_int_equal(sign(h, &id, USE_SPEND), SOUK_ELOCKED); /* locking ends it */
    home_free(h);
}

static bool find_row(void *arg, struct span key, struct span value)
{
    struct buf *b = arg;
    buf_span(&b[0], key);
    buf_span(&b[1], value);
    return false;
}

static void a_damaged_key_file_is_refused(void **state)
{
    (void)state;
    struct home *h = home_new();
    char words[256];
    struct identity id = create(h, "Anna", "sesame", words);
    struct buf row[2] = {{0}};
    view_scan(h->bench->view, TABLE_KEY, span("k", 1), span(NULL, 0), find_row, row);
    assert_true(row[1].n > 40);
    for (size_t at = 40; at < row[1].n; at += 7) {
        struct change *c = change_new(0, 0, 0);
        row[1].p[at] ^= 0x20;
        change_put(c, TABLE_KEY, buf_view(&row[0]), buf_view(&row[1]));
        commit(h, c);
        row[1].p[at] ^= 0x20;
        home_restart(h);
        assert_true(unlock(h, &id, "sesame", 0) < 0);
        assert_int_equal(sign(h, &id, USE_DUTY), SOUK_ELOCKED);
    }
    buf_free(&row[0]);
    buf_free(&row[1]);
    home_free(h);
}

static void words_bring_an_identity_back(void **state)
{
    (void)state;
    struct home *h = home_new(), *other = home_new();
    struct identity again;
    char words[256], bad[256];
    struct report r = {0};
    struct identity id = create(h, "Anna", "sesame", words);
    struct change *c = change_new(0, 0, 0);
    size_t first = strcspn(words, " "); /* the first two words have become one */
    snprintf(bad, sizeof bad, "%.*s%s", (int)first, words, words + first + 1);
    assert_true(
        keys_restore(other->keys, &other->core, "Anna", span_str("new"), span_str(bad), &again, c, &r) < 0);
    assert_int_equal(
        keys_restore(other->keys, &other->core, "Anna", span_str("new"), span_str(words), &again, c, &r),
        0);
    commit(other, c);
    assert_memory_equal(&again, &id, sizeof id);
    home_restart(other);
    assert_int_equal(unlock(other, &id, "sesame", 0), SOUK_EPASSPHRASE); /* the new file has a new one */
    assert_int_equal(unlock(other, &id, "new", 0), 0);
    assert_int_equal(sign(other, &id, USE_DUTY), 0);
    struct id context = {{3}};
    uint8_t here[32], there[32];
    assert_int_equal(keys_derive(h->keys, &id, "trade", &context, here, &r), 0);
    assert_int_equal(keys_derive(other->keys, &id, "trade", &context, there, &r), 0);
    assert_memory_equal(here, there, 32); /* trade keys come back with the words */
    context.b[0] = 4;
    assert_int_equal(keys_derive(h->keys, &id, "trade", &context, there, &r), 0);
    assert_memory_not_equal(here, there, 32);
    c = change_new(0, 0, 0);
    assert_int_equal(keys_restore(h->keys, &h->core, "Anna", span_str("x"), span_str(words), &again, c, &r),
                     SOUK_EDUPLICATE);
    change_free(c);
    home_free(h);
    home_free(other);
}

static void several_identities_must_be_named(void **state)
{
    (void)state;
    struct home *h = home_new();
    char words[256], name[16];
    struct identity id;
    struct report r = {0};
    assert_int_equal(keys_default(h->keys, &id, &r), SOUK_ENOT_FOUND);
    for (int i = 0; i < KEYS_MOST; i++) {
        snprintf(name, sizeof name, "p%d", i);
        create(h, name, "sesame", words);
    }
    assert_int_equal(keys_default(h->keys, &id, &r), SOUK_EINVALID);
    struct change *c = change_new(0, 0, 0);
    assert_int_equal(keys_create(h->keys, &h->core, "one more", span_str("x"), &id, words, c, &r),
                     SOUK_EQUOTA);
    assert_int_equal(keys_create(h->keys, &h->core, "", span_str("x"), &id, words, c, &r), SOUK_EINVALID);
    change_free(c);
    home_free(h);
}

/* The public half of the prekey whose week holds the time; false when the body has none. */
static bool prekey_at(struct span body, int64_t when, struct xkey *out)
{
    struct record_prekey m;
    struct arena a;
    bool found = false;
    arena_init(&a, 65536);
    assert_int_equal(record_prekey_decode(&m, body, &a, NULL), 0);
    for (size_t i = 0; i < m.keys_n; i++)
        if (m.keys[i].from <= when && when < m.keys[i].until) {
            *out = m.keys[i].key;
            found = true;
        }
    arena_free(&a);
    return found;
}

static void make_prekeys(struct home *h, const struct identity *id, struct buf *body)
{
    struct report r = {0};
    struct change *c = change_new(0, 0, 0);
    buf_clear(body);
    assert_int_equal(keys_prekeys_make(h->keys, &h->core, id, body, c, &r), 0);
    commit(h, c);
}

static void prekeys_live_five_weeks_ahead_and_31_days_back(void **state)
{
    (void)state;
    struct home *h = home_new();
    char words[256];
    struct identity id = create(h, "Anna", "sesame", words);
    struct buf body = {0};
    struct xkey first, last, later;
    int64_t start = h->core.now.unix_ms;
    assert_true(keys_prekeys_due(h->keys, &h->core, &id));
    make_prekeys(h, &id, &body);
    assert_false(keys_prekeys_due(h->keys, &h->core, &id));
    assert_true(prekey_at(buf_view(&body), start, &first));
    assert_true(prekey_at(buf_view(&body), start + 28 * day_ms, &last));
    assert_non_null(keys_prekey_secret(h->keys, &id, &first));

    home_restart(h); /* the secrets lie in the store, under the identity's key */
    assert_null(keys_prekey_secret(h->keys, &id, &first));
    assert_int_equal(unlock(h, &id, "sesame", 0), 0);
    const uint8_t *sk = keys_prekey_secret(h->keys, &id, &first);
    uint8_t pk[32];
    assert_non_null(sk);
    crypto_scalarmult_base(pk, sk);
    assert_memory_equal(pk, first.b, 32);

    h->core.now.unix_ms = start + 30 * day_ms; /* its week is over, not the 31 days */
    assert_true(keys_prekeys_due(h->keys, &h->core, &id));
    make_prekeys(h, &id, &body);
    assert_non_null(keys_prekey_secret(h->keys, &id, &first));
    assert_true(prekey_at(buf_view(&body), start + 28 * day_ms, &later) ||
                prekey_at(buf_view(&body), start + 30 * day_ms, &later));
    assert_non_null(keys_prekey_secret(h->keys, &id, &last));

    h->core.now.unix_ms = start + 39 * day_ms; /* a week and 31 days, whenever in its week it began */
    make_prekeys(h, &id, &body);
    assert_null(keys_prekey_secret(h->keys, &id, &first));
    home_restart(h);
    assert_int_equal(unlock(h, &id, "sesame", 0), 0);
    assert_null(keys_prekey_secret(h->keys, &id, &first)); /* and from the disk as well */
    assert_non_null(keys_prekey_secret(h->keys, &id, &last));
    buf_free(&body);
    home_free(h);
}

static void a_year_of_prekeys_stays_bounded(void **state)
{
    (void)state;
    struct home *h = home_new();
    char words[256];
    struct identity id = create(h, "Anna", "sesame", words);
    struct buf body = {0};
    struct xkey now;
    for (int day = 0; day < 365; day++, h->core.now.unix_ms += day_ms) {
        if (keys_prekeys_due(h->keys, &h->core, &id))
            make_prekeys(h, &id, &body);
        assert_true(prekey_at(buf_view(&body), h->core.now.unix_ms, &now)); /* one is always published */
        assert_non_null(keys_prekey_secret(h->keys, &id, &now));
    }
    buf_free(&body);
    home_free(h);
}

static void a_clock_that_jumps_about_neither_ends_the_node_nor_fills_the_ring(void **state)
{
    (void)state;
    static const int weeks[] = {0, 52, -52, 10, -10, 200, -200, 30, 0};
    struct home *h = home_new();
    char words[256];
    struct identity id = create(h, "Anna", "sesame", words);
    struct buf body = {0};
    struct xkey first, now;
    int64_t start = h->core.now.unix_ms;
    make_prekeys(h, &id, &body);
    assert_true(prekey_at(buf_view(&body), start, &first));
    h->core.clock_wrong = true; /* peers say so: nothing is published, and nothing deleted */
    h->core.now.unix_ms = start + 400 * day_ms;
    assert_false(keys_prekeys_due(h->keys, &h->core, &id));
    make_prekeys(h, &id, &body);
    assert_non_null(keys_prekey_secret(h->keys, &id, &first));
    h->core.clock_wrong = false; /* nobody is there to say so */
    for (size_t i = 0; i < sizeof weeks / sizeof *weeks; i++) {
        h->core.now.unix_ms = start + weeks[i] * 7 * day_ms;
        make_prekeys(h, &id, &body);
        assert_true(prekey_at(buf_view(&body), h->core.now.unix_ms, &now));
        assert_non_null(keys_prekey_secret(h->keys, &id, &now));
    }
    buf_free(&body);
    home_free(h);
}

int main(void)
{
    uint8_t seed[32] = {1};
    if (sodium_init() < 0)
        return 1;
    sign_keypair_from_seed(&node_pair, seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locked_after_a_restart),
        cmocka_unit_test(money_needs_a_session_that_ends),
        cmocka_unit_test(a_damaged_key_file_is_refused),
        cmocka_unit_test(words_bring_an_identity_back),
        cmocka_unit_test(several_identities_must_be_named),
        cmocka_unit_test(prekeys_live_five_weeks_ahead_and_31_days_back),
        cmocka_unit_test(a_year_of_prekeys_stays_bounded),
        cmocka_unit_test(a_clock_that_jumps_about_neither_ends_the_node_nor_fills_the_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
