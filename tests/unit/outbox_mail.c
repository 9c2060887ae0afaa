// links: outbox
/* Mailboxes, and letters that somebody tampers with. */
#include "crypto/seal.h"
#include "crypto/sign.h"
#include "node/outbox/engine.h"
#include "outbox_world.h"

static uint64_t mails(int i)
{
    struct store_stats s;
    view_stats(W.node[i]->store->view, &s);
    return s.mails;
}

/* 0 and 1 have mailboxes at 2, and 0 knows where 1's is. */
static void world_of_mail(unsigned work_bits)
{
    world_begin(3, work_bits);
    world_connect(1, 2);
    world_connect(0, 2);
    world_pass(3000);
    world_route(1, 0);
    struct id letter = world_send(1, 0, LETTER_MESSAGE, "this is where I am");
    assert_int_equal(world_state(1, &letter), LETTER_RECEIVED);
}

static void a_letter_waits_in_a_mailbox_for_who_is_away(void **state)
{
    (void)state;
    world_of_mail(0);
    world_away(1);
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    world_pass(5000);
    assert_int_equal(world_state(0, &letter), LETTER_IN_MAILBOX);
    assert_int_equal(mails(2), 1);
    struct outbox_stats stats;
    outbox_stats(W.node[2]->core.outbox, world_core(2), &stats);
    assert_true(stats.served_mailboxes >= 1 && stats.served_bytes > SEAL_BYTES_LEAST);
    world_back(1, true);
    world_pass(3000);
    assert_int_equal(W.node[1]->letters, 1);
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    assert_int_equal(mails(2), 0); /* fetched, committed, erased */
    world_end();
}

static void two_who_are_never_there_at_once_still_talk(void **state)
{
    (void)state;
    world_of_mail(0);
    world_away(1);
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    world_pass(5000);
    assert_int_equal(world_state(0, &letter), LETTER_IN_MAILBOX);
    world_away(0);
    world_back(1, true);
    world_pass(60000);
    assert_int_equal(W.node[1]->letters, 1);
    world_away(1);
    assert_int_equal(mails(2), 1); /* the acknowledgement */
    world_back(0, true);
    world_pass(3000);
    assert_int_equal(world_state(0, &letter), LETTER_RECEIVED);
    assert_int_equal(W.node[0]->done, 1);
    assert_int_equal(mails(2), 0);
    world_end();
}

static void a_mailbox_asks_strangers_for_work(void **state)
{
    (void)state;
    world_of_mail(6);
    world_away(1);
    struct id letter = world_send(0, 1, LETTER_FACT, "fact");
    world_pass(5000);
    assert_int_equal(world_state(0, &letter), LETTER_IN_MAILBOX);
    assert_int_equal(mails(2), 1);
    world_end();
}

/* A letter of the largest size left for 1 at 2 by somebody out of nowhere. */
static void leave_at_2(unsigned n, const struct mail_ticket *ticket)
{
    uint8_t sealed[SEAL_BYTES_MOST];
    struct mail_envelope e = {.to = W.node[1]->who, .sealed = SPAN_OF(sealed)};
    struct node_key peer = {{(uint8_t)(n & 0xff), (uint8_t)(n >> 8), 99}};
    struct buf envelope = {0}, body = {0};
    rng_bytes(&W.node[0]->rng, sealed, sizeof sealed);
    mail_envelope_encode(&envelope, &e);
    struct mail_leave m = {.envelope = buf_view(&envelope), .has_ticket = ticket != NULL};
    if (ticket)
        m.ticket = *ticket;
    mail_leave_encode(&body, &m);
    struct core *c = world_core(2);
    assert_int_equal(outbox_message(c->outbox, c, &peer, MAIL_LEAVE, buf_view(&body)), 0);
    world_effects(2);
    world_settle();
    buf_free(&envelope);
    buf_free(&body);
}

static void half_of_a_mailbox_is_kept_for_those_with_tickets(void **state)
{
    (void)state;
    struct mail_ticket good, bad;
    world_of_mail(0);
    struct core *c = world_core(1);
    boxes_ticket(c->outbox, c, &W.node[1]->who, &good);
    bad = good;
    bad.until++; /* as if one could lengthen it */
    world_away(1);
    uint64_t before = mails(2);
    for (unsigned n = 0; n < 150; n++)
        leave_at_2(n, NULL);
    uint64_t strangers = mails(2) - before;
    assert_true(strangers * SEAL_BYTES_MOST <= OUTBOX_BOX_BYTES / 2);
    assert_true((strangers + 2) * SEAL_BYTES_MOST > OUTBOX_BOX_BYTES / 2);
    leave_at_2(200, &bad);
    assert_int_equal(mails(2) - before, strangers);
    leave_at_2(201, &good);
    assert_int_equal(mails(2) - before, strangers + 1);
    for (unsigned n = 300; n < 450; n++)
        leave_at_2(n, &good);
    assert_true((mails(2) - before) * SEAL_BYTES_MOST <= OUTBOX_BOX_BYTES);
    world_end();
}

static void take_as_1(const uint8_t sk[static 64], const struct id *challenge, const struct id *erase)
{
    struct core *c = world_core(2);
    struct mail_take m = {
        .who = W.node[1]->who, .challenge = *challenge, .has_erase = true, .erase = erase, .erase_n = 1};
    struct id hash;
    struct buf body = {0};
    boxes_take_hash(&hash, &W.network, &m, keys_node(c->keys));
    sign_hash(&m.sig, sk, &hash);
    mail_take_encode(&body, &m);
    assert_int_equal(
        outbox_message(c->outbox, c, keys_node(W.node[1]->core.keys), MAIL_TAKE, buf_view(&body)), 0);
    world_effects(2);
    world_settle();
    buf_free(&body);
}

static bool first_mail(void *arg, const struct id *id, int64_t expires, struct span bytes)
{
    (void)expires;
    (void)bytes;
    *(struct id *)arg = *id;
    return false;
}

static struct id challenge_of_1(void)
{
    const struct outbox *o = W.node[2]->core.outbox;
    struct id none = {{0}};
    for (size_t i = 0; i < o->watch_n; i++)
        if (identity_eq(&o->watch[i].who, &W.node[1]->who))
            return o->watch[i].challenge;
    fail();
    return none;
}

static void only_the_mailbox_key_takes_and_erases(void **state)
{
    (void)state;
    uint8_t sk[64], pk[32];
    struct keypair other;
    struct id mailbox, mail;
    world_of_mail(0);
    assert_int_equal(boxes_key(world_core(1), &W.node[1]->who, sk, pk), 0);
    sign_keypair_new(&other, &W.node[0]->rng);
    W.node[1]->letter_err = SOUK_EBUSY; /* so that it stays in the mailbox */
    world_away(1);
    W.node[1]->letter_err = SOUK_EBUSY;
    (void)world_send(0, 1, LETTER_FACT, "fact");
    world_pass(5000);
    world_away(0);
    assert_int_equal(mails(2), 1);
    memcpy(mailbox.b, W.node[1]->who.b, 32);
    view_mail(W.node[2]->store->view, &mailbox, first_mail, &mail);
    struct id challenge = challenge_of_1();
    take_as_1(other.sk, &challenge, &mail);
    assert_int_equal(mails(2), 1);
    struct id stale = {{1}};
    take_as_1(sk, &stale, &mail);
    assert_int_equal(mails(2), 1);
    take_as_1(sk, &challenge, &mail);
    assert_int_equal(mails(2), 0);
    struct id next = challenge_of_1();
    assert_false(id_eq(&challenge, &next)); /* a challenge serves once */
    world_end();
}

/* ---- tampering ---- */
static void deliver_to(int i, struct span envelope)
{
    struct core *c = world_core(i);
    struct buf body = {0};
    mail_deliver_encode(&body, &(struct mail_deliver){.envelope = envelope});
    assert_int_equal(
        outbox_message(c->outbox, c, keys_node(W.node[0]->core.keys), MAIL_DELIVER, buf_view(&body)), 0);
    world_effects(i);
    world_settle();
    buf_free(&body);
}

/* A fact of 0's for `to`, signed for `signed_for`'s prekey, sealed to `sealed_to`. */
static void envelope_of(struct buf *out, int to, int signed_for, int sealed_to)
{
    struct core *c = world_core(0);
    struct mail_letter m = {.from = W.node[0]->who,
                            .to = W.node[to]->who,
                            .kind = LETTER_FACT,
                            .created = W.now.unix_ms,
                            .body = span_str("fact")};
    struct mail_envelope e = {.to = W.node[sealed_to]->who};
    struct xkey signed_key;
    struct buf letter = {0}, plain = {0}, sealed = {0};
    struct id id, hash;
    mail_letter_encode(&letter, &m);
    letter_id(&id, &W.network, buf_view(&letter));
    assert_true(where_prekey(c, &W.node[signed_for]->who, &signed_key));
    assert_true(where_prekey(c, &e.to, &e.prekey));
    letter_signed_hash(&hash, &W.network, &id, &signed_key, span(NULL, 0));
    struct mail_inner inner = {.letter = buf_view(&letter)};
    assert_int_equal(keys_sign(c->keys, c, &m.from, USE_DUTY, &hash, &inner.sig, NULL), 0);
    mail_inner_encode(&plain, &inner);
    assert_int_equal(seal(&sealed, &e.prekey, SPAN_OF(e.to), buf_view(&plain), c->rng), 0);
    e.sealed = buf_view(&sealed);
    mail_envelope_encode(out, &e);
    buf_free(&letter);
    buf_free(&plain);
    buf_free(&sealed);
}

static void a_letter_cannot_be_passed_on_as_meant_for_another(void **state)
{
    (void)state;
    struct buf b = {0};
    world_begin(3, 0);
    envelope_of(&b, 1, 1, 1);
    deliver_to(1, buf_view(&b));
    assert_int_equal(W.node[1]->letters, 1);
    buf_clear(&b);
    envelope_of(&b, 1, 1, 2); /* the recipient seals it again, to a third */
    deliver_to(2, buf_view(&b));
    buf_clear(&b);
    envelope_of(&b, 2, 1, 2); /* named for the third, signed for the first */
    deliver_to(2, buf_view(&b));
    assert_int_equal(W.node[2]->letters, 0);
    buf_clear(&b);
    envelope_of(&b, 2, 2, 1); /* for somebody who does not live there */
    deliver_to(1, buf_view(&b));
    assert_int_equal(W.node[1]->letters, 1);
    buf_free(&b);
    world_end();
}

static void a_spoilt_letter_is_refused_and_the_good_one_still_taken(void **state)
{
    (void)state;
    struct buf b = {0};
    struct outbox_stats before, after;
    world_begin(2, 0);
    envelope_of(&b, 1, 1, 1);
    outbox_stats(W.node[1]->core.outbox, world_core(1), &before);
    for (size_t at = 5; at < b.n; at += 41) {
        b.p[at] ^= 4;
        deliver_to(1, buf_view(&b));
        b.p[at] ^= 4;
    }
    deliver_to(1, span(b.p, b.n - 1));
    assert_int_equal(W.node[1]->letters, 0);
    outbox_stats(W.node[1]->core.outbox, world_core(1), &after);
    assert_true(after.dropped > before.dropped);
    deliver_to(1, buf_view(&b));
    deliver_to(1, buf_view(&b)); /* and only once */
    assert_int_equal(W.node[1]->letters, 1);
    assert_int_equal(W.node[1]->taken, 1);
    buf_free(&b);
    world_end();
}

enum { POISON = 150, GOOD = 20 };

/* Many letters that can be neither kept nor refused for good, and some that can. */
static void send_many(struct id *good)
{
    for (int i = 0; i < POISON + GOOD; i++) {
        char text[40];
        snprintf(text, sizeof text, "letter number %d", i);
        bool last = i >= POISON;
        struct id letter = world_send(0, 1, last ? LETTER_MESSAGE : LETTER_FACT, text);
        if (last)
            good[i - POISON] = letter;
        if (i % 50 == 49)
            world_pass(61000); /* servers count what one peer sends in a minute */
    }
    world_pass(61000);
}

static size_t taken(int i, const struct id *letters, size_t n)
{
    size_t k = 0;
    for (size_t at = 0; at < n; at++) {
        uint8_t key[ROW_KEY_MOST];
        struct span v;
        k += view_get(world_core(i)->view, TABLE_META, row_key(key, "seen", &letters[at]), &v);
    }
    return k;
}

static void what_cannot_be_kept_does_not_stand_before_the_rest(void **state)
{
    (void)state;
    struct id good[GOOD];
    world_of_mail(0);
    world_away(1);
    send_many(good);
    assert_int_equal(mails(2), POISON + GOOD);
    world_away(0);
    W.node[1]->letter_err = SOUK_ENOT_FOUND;
    world_back(1, true);
    world_pass(400000);
    assert_int_equal(taken(1, good, GOOD), GOOD);
    world_end();
}

static void letters_held_for_a_locked_identity_are_all_taken(void **state)
{
    (void)state;
    struct id good[GOOD];
    world_begin(2, 0);
    world_route(0, 1);
    world_away(1);
    W.node[1]->letter_err = SOUK_ENOT_FOUND;
    world_back(1, false);
    send_many(good);
    assert_true(mails(1) >= POISON + GOOD); /* its sender seals a letter anew each time */
    world_away(0);
    struct core *c = world_core(1);
    assert_int_equal(keys_unlock(c->keys, c, &W.node[1]->who, span_str("pass"), 0, NULL), 0);
    outbox_unlocked(c->outbox, c, &W.node[1]->who);
    world_effects(1);
    world_pass(100000);
    assert_int_equal(taken(1, good, GOOD), GOOD);
    world_end();
}

static uint64_t served(int i)
{
    struct outbox_stats stats;
    outbox_stats(W.node[i]->core.outbox, world_core(i), &stats);
    return stats.served_mailboxes;
}

/* Somebody, the n-th of many, opens a mailbox at 2 by a session of `peer`. */
static void open_at_2(unsigned n, const struct node_key *peer)
{
    uint8_t seed[32] = {(uint8_t)n, (uint8_t)(n >> 8), 0x55};
    struct keypair pair;
    struct id hash;
    struct buf body = {0};
    struct core *c = world_core(2);
    sign_keypair_from_seed(&pair, seed);
    struct mail_open m = {.key = span(pair.pk, 32), .time = W.now.unix_ms};
    memcpy(m.who.b, pair.pk, 32);
    boxes_open_hash(&hash, &W.network, &m, keys_node(c->keys));
    sign_hash(&m.sig, pair.sk, &hash);
    mail_open_encode(&body, &m);
    assert_int_equal(outbox_message(c->outbox, c, peer, MAIL_OPEN, buf_view(&body)), 0);
    buf_free(&body);
}

static void one_prefix_has_a_share_of_the_mailboxes(void **state)
{
    (void)state;
    const struct node_key elsewhere = {{9}};
    world_of_mail(0);
    uint64_t before = served(2);
    const struct node_key *peer = keys_node(W.node[0]->core.keys);
    W.network.loopback = false; /* from here on addresses count */
    for (unsigned n = 0; n < OUTBOX_SERVED_PREFIX + 5; n++)
        open_at_2(n, peer); /* before any of it is on disk */
    world_effects(2);
    world_settle();
    assert_int_equal(served(2), before + OUTBOX_SERVED_PREFIX);
    open_at_2(100, peer);
    open_at_2(101, &elsewhere);
    world_effects(2);
    world_settle();
    assert_int_equal(served(2), before + OUTBOX_SERVED_PREFIX + 1);
    W.now.unix_ms += 2 * OUTBOX_DAY_MS;
    W.now.mono_ms += 60000;
    open_at_2(0, peer); /* who has one keeps it */
    world_effects(2);
    world_settle();
    serve_boot(W.node[2]->core.outbox, world_core(2)); /* as it is on disk */
    assert_int_equal(served(2), before + OUTBOX_SERVED_PREFIX + 1);
    open_at_2(102, peer);
    world_effects(2);
    world_settle();
    assert_int_equal(served(2), before + OUTBOX_SERVED_PREFIX + 1);
    W.network.loopback = true;
    world_end();
}

static void a_mailbox_nobody_opens_any_more_makes_room(void **state)
{
    (void)state;
    world_of_mail(0);
    assert_true(served(2) >= 2);
    world_away(0);
    world_away(1);
    W.now.unix_ms += OUTBOX_KNOWN_MS + OUTBOX_DAY_MS;
    for (int hour = 0; hour < 3; hour++) {
        W.now.mono_ms += 3600000;
        world_pass(1000);
    }
    assert_int_equal(served(2), 0);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_waits_in_a_mailbox_for_who_is_away),
        cmocka_unit_test(two_who_are_never_there_at_once_still_talk),
        cmocka_unit_test(a_mailbox_asks_strangers_for_work),
        cmocka_unit_test(what_cannot_be_kept_does_not_stand_before_the_rest),
        cmocka_unit_test(letters_held_for_a_locked_identity_are_all_taken),
        cmocka_unit_test(a_mailbox_nobody_opens_any_more_makes_room),
        cmocka_unit_test(one_prefix_has_a_share_of_the_mailboxes),
        cmocka_unit_test(half_of_a_mailbox_is_kept_for_those_with_tickets),
        cmocka_unit_test(only_the_mailbox_key_takes_and_erases),
        cmocka_unit_test(a_letter_cannot_be_passed_on_as_meant_for_another),
        cmocka_unit_test(a_spoilt_letter_is_refused_and_the_good_one_still_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
