/* vec_letters.c: spec/vectors/letters.json: sealed letters, acknowledgements and what is signed to a
 * mailbox (spec/letters.md). */
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "crypto/work.h"
#include "node/outbox/engine.h"
#include "tests/vectors/own.h"

enum { ANN = 1, BEN, EVE, SERVER = 6, PREKEY = 9, OTHER_PREKEY };
static const int64_t noon = 1800000000000;

/* ---- checking ---- */
static const char *letter_try(const struct network *net, struct span test, struct arena *a)
{
    struct mail_envelope e;
    struct opened l;
    struct buf plain = {0};
    struct id id;
    struct span bytes = own_field(test, "envelope", a), secret = own_field(test, "secret", a);
    int err = mail_envelope_decode(&e, bytes, a, NULL);
    if (!err && secret.n != 32)
        err = SOUK_EFORM;
    if (!err)
        err = letter_open(&l, &plain, net, &e, secret.p, a);
    const char *found = own_class(err);
    letter_envelope_id(&id, net, bytes);
    if (!err &&
        !(own_same(test, "id", SPAN_OF(l.id)) && own_same(test, "envelope_id", SPAN_OF(id)) &&
          own_same(test, "from", SPAN_OF(l.letter.from)) &&
          own_same(test, "thread", SPAN_OF(l.letter.thread)) && own_same(test, "body", l.letter.body) &&
          own_same(test, "where", l.where) && own_same_number(test, "kind", (int64_t)l.letter.kind) &&
          own_same_number(test, "created", l.letter.created)))
        found = "other: a part of the letter";
    buf_wipe(&plain);
    return found;
}

static const char *signed_by(const void *key, const struct id *hash, const struct sig *sig)
{
    return sign_check(key, hash, sig) ? "good" : "signature";
}

static const char *ack_try(const struct network *net, struct span test, struct arena *a)
{
    struct mail_ack m;
    struct id hash;
    int err = mail_ack_decode(&m, own_field(test, "bytes", a), a, NULL);
    if (err)
        return own_class(err);
    letter_ack_hash(&hash, net, &m.letter, (uint8_t)m.verdict);
    return signed_by(m.by.b, &hash, &m.sig);
}

static struct node_key node_of(struct span test, const char *name, struct arena *a)
{
    struct node_key node = {{0}};
    struct span bytes = own_field(test, name, a);
    if (bytes.n == sizeof node)
        memcpy(node.b, bytes.p, bytes.n);
    return node;
}

static const char *open_try(const struct network *net, struct span test, struct arena *a)
{
    struct mail_open m;
    struct id hash;
    struct node_key server = node_of(test, "server", a);
    int err = mail_open_decode(&m, own_field(test, "bytes", a), a, NULL);
    if (err)
        return own_class(err);
    boxes_open_hash(&hash, net, &m, &server);
    return signed_by(m.who.b, &hash, &m.sig);
}

static const char *take_try(const struct network *net, struct span test, struct arena *a)
{
    struct mail_take m;
    struct id hash;
    struct node_key server = node_of(test, "server", a), key = node_of(test, "key", a);
    int err = mail_take_decode(&m, own_field(test, "bytes", a), a, NULL);
    if (err)
        return own_class(err);
    boxes_take_hash(&hash, net, &m, &server);
    return signed_by(key.b, &hash, &m.sig);
}

/* A letter left in a mailbox: with a good ticket, or with the work that the network asks. */
static const char *leave_try(const struct network *net, struct span test, struct arena *a)
{
    struct mail_leave m;
    struct mail_envelope e;
    struct id hash, id;
    struct node_key key = node_of(test, "key", a);
    int err = mail_leave_decode(&m, own_field(test, "bytes", a), a, NULL);
    if (!err)
        err = mail_envelope_decode(&e, m.envelope, a, NULL);
    if (err)
        return own_class(err);
    letter_envelope_id(&id, net, m.envelope);
    if (m.has_ticket) {
        boxes_ticket_hash(&hash, net, &e.to, &m.ticket);
        if (sign_check(key.b, &hash, &m.ticket.sig))
            return "good";
    }
    return work_bits(&id, m.nonce) >= serve_bits(net) ? "good" : "work";
}

static const char *key_try(const struct network *net, struct span test, struct arena *a)
{
    static const struct id context;
    uint8_t seed[32];
    struct keypair pair;
    struct span root = own_field(test, "identity_seed", a);
    (void)net;
    if (root.n != 32)
        return "form";
    hash_derive(seed, root.p, "souk:mailbox", SPAN_OF(context));
    sign_keypair_from_seed(&pair, seed);
    return own_same(test, "key", SPAN_OF(pair.pk)) ? "good" : "other: key";
}

static const char *thread_try(const struct network *net, struct span test, struct arena *a)
{
    struct node_key one = node_of(test, "one", a), two = node_of(test, "two", a);
    struct span about = own_field(test, "about", a);
    struct id id, of = {{0}};
    if (about.n == sizeof of)
        memcpy(of.b, about.p, about.n);
    outbox_thread(&id, net, (const struct identity *)&one, (const struct identity *)&two,
                  about.n ? &of : NULL);
    return own_same(test, "thread", SPAN_OF(id)) ? "good" : "other: thread";
}

int vec_letters(struct span json, struct vec_result *result)
{
    static const struct own_what whats[] = {{"letter", letter_try},     {"ack", ack_try},
                                            {"mailbox_open", open_try}, {"mailbox_take", take_try},
                                            {"leave", leave_try},       {"mailbox_key", key_try},
                                            {"thread", thread_try}};
    return own_run(json, result, whats, sizeof whats / sizeof *whats);
}

/* ---- making ---- */
struct maker {
    struct own_file f;
    struct arena a;
    uint8_t secret[32];
    struct xkey prekey;
    struct keypair box; /* Ben's mailbox key */
    struct node_key server;
    struct span envelope; /* a good one */
};

/* What may be wrong with a letter. */
struct wrong {
    uint8_t from, to, sealed_to; /* persons; sealed_to: the envelope's and the associated data's */
    uint8_t signer;
    bool other_prekey; /* signed over another prekey than it is sealed to */
    bool where, where_unsigned;
    uint64_t kind;
    struct span body;
};

static void sign_with(struct sig *out, uint8_t seed, const struct id *hash)
{
    struct keypair k;
    own_key(&k, seed);
    sign_hash(out, k.sk, hash);
}

static struct span where_bytes(struct maker *m)
{
    static const uint8_t addr[18] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1, 0x1d, 0x4d};
    struct mail_where w = {.time = noon, .has_machine = true};
    struct buf b = {0};
    memset(w.machine.node.b, 0x0e, 32);
    w.machine.has_addr = true;
    w.machine.addr = SPAN_OF(addr);
    mail_where_encode(&b, &w);
    struct span out = arena_copy(&m->a, buf_view(&b));
    buf_free(&b);
    return out;
}

static struct span letter_bytes(struct maker *m, const struct wrong *w, struct mail_letter *letter)
{
    struct buf b = {0};
    *letter = (struct mail_letter){.kind = w->kind, .created = noon, .body = w->body};
    own_identity(&letter->from, w->from);
    own_identity(&letter->to, w->to);
    outbox_thread(&letter->thread, &m->f.net, &letter->from, &letter->to, NULL);
    mail_letter_encode(&b, letter);
    struct span out = arena_copy(&m->a, buf_view(&b));
    buf_free(&b);
    return out;
}

static struct span inner_bytes(struct maker *m, const struct wrong *w, struct span letter)
{
    struct mail_inner inner = {.letter = letter, .has_where = w->where || w->where_unsigned};
    struct id id, hash;
    struct xkey key = m->prekey;
    struct buf b = {0};
    if (inner.has_where)
        inner.where = where_bytes(m);
    if (w->other_prekey)
        memset(key.b, OTHER_PREKEY, 32);
    letter_id(&id, &m->f.net, letter);
    letter_signed_hash(&hash, &m->f.net, &id, &key, w->where ? inner.where : span(NULL, 0));
    sign_with(&inner.sig, w->signer, &hash);
    mail_inner_encode(&b, &inner);
    struct span out = arena_copy(&m->a, buf_view(&b));
    buf_free(&b);
    return out;
}

static struct span sealed_envelope(struct maker *m, const struct wrong *w, struct span inner)
{
    struct mail_envelope e = {.prekey = m->prekey};
    struct buf sealed = {0}, b = {0};
    own_identity(&e.to, w->sealed_to);
    MUST(seal(&sealed, &m->prekey, SPAN_OF(e.to), inner, &m->f.rng) == 0);
    e.sealed = buf_view(&sealed);
    mail_envelope_encode(&b, &e);
    struct span out = arena_copy(&m->a, buf_view(&b));
    buf_free(&sealed);
    buf_free(&b);
    return out;
}

static void letter(struct maker *m, const char *result, const char *shows, struct wrong w)
{
    struct mail_letter l;
    struct id id;
    w.from = w.from ? w.from : ANN;
    w.to = w.to ? w.to : BEN;
    w.sealed_to = w.sealed_to ? w.sealed_to : BEN;
    w.signer = w.signer ? w.signer : w.from;
    w.kind = w.kind ? w.kind : LETTER_MESSAGE;
    w.body = w.body.n ? w.body : span_str("Bonjour, toujours disponible ?");
    struct span bytes = letter_bytes(m, &w, &l);
    m->envelope = sealed_envelope(m, &w, inner_bytes(m, &w, bytes));
    own_vector(&m->f, "letter", result, shows);
    own_hex(&m->f, "secret", SPAN_OF(m->secret));
    own_hex(&m->f, "envelope", m->envelope);
    if (strcmp(result, "good") != 0)
        return;
    letter_id(&id, &m->f.net, bytes);
    own_hex(&m->f, "id", SPAN_OF(id));
    letter_envelope_id(&id, &m->f.net, m->envelope);
    own_hex(&m->f, "envelope_id", SPAN_OF(id));
    own_hex(&m->f, "from", SPAN_OF(l.from));
    own_hex(&m->f, "thread", SPAN_OF(l.thread));
    own_number(&m->f, "kind", (int64_t)l.kind);
    own_number(&m->f, "created", l.created);
    own_hex(&m->f, "body", l.body);
    if (w.where)
        own_hex(&m->f, "where", where_bytes(m));
}

static void bad_envelope(struct maker *m, const char *result, const char *shows, struct span envelope)
{
    own_vector(&m->f, "letter", result, shows);
    own_hex(&m->f, "secret", SPAN_OF(m->secret));
    own_hex(&m->f, "envelope", envelope);
}

static void letters(struct maker *m)
{
    letter(m, "good", "a message", (struct wrong){0});
    letter(m, "good", "the same, telling where its writer is reached", (struct wrong){.where = true});
    letter(m, "good", "a kind that is not known: well formed; it is acknowledged as refused, error 27",
           (struct wrong){.kind = 99});
    letter(m, "signature", "signed by somebody else than `from`", (struct wrong){.signer = EVE});
    letter(m, "signature", "signed for another prekey: sealed again by who could read it",
           (struct wrong){.other_prekey = true});
    letter(m, "signature", "to somebody else than its envelope", (struct wrong){.to = EVE});
    letter(m, "signature", "a `where` that the signature does not cover",
           (struct wrong){.where_unsigned = true});
    letter(m, "good", "whole, as the next ones are spoilt", (struct wrong){0});
    struct span whole = m->envelope, more[] = {whole, span("\xc0", 1)};
    bad_envelope(m, "signature", "a bit of what is sealed changed", own_spoilt(&m->a, whole, -1, 0x80));
    bad_envelope(m, "signature", "the envelope names another recipient", own_spoilt(&m->a, whole, 4, 0x01));
    bad_envelope(m, "form", "a byte behind the envelope", own_joined(&m->a, more, 2));
    bad_envelope(m, "form", "version 2 of what is sealed", own_spoilt(&m->a, whole, -512, 0x03));
    bad_envelope(m, "form", "what is sealed is an empty array, not a map",
                 sealed_envelope(m, &(struct wrong){.sealed_to = BEN}, span("\x90", 1)));
    m->envelope = whole;
}

static void acks(struct maker *m)
{
    struct mail_ack ack = {0};
    struct id hash;
    struct buf b = {0};
    memset(ack.letter.b, 0x1e, 32);
    own_identity(&ack.by, BEN);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const result[] = {"good", "good", "signature"};
        static const char *const shows[] = {"received", "refused for good: the error's number",
                                            "a verdict changed on its way"};
        ack.verdict = i == 1 ? 15 : 0;
        letter_ack_hash(&hash, &m->f.net, &ack.letter, (uint8_t)ack.verdict);
        sign_with(&ack.sig, BEN, &hash);
        ack.verdict += i == 2;
        buf_clear(&b);
        mail_ack_encode(&b, &ack);
        own_vector(&m->f, "ack", result[i], shows[i]);
        own_hex(&m->f, "bytes", buf_view(&b));
    }
    buf_free(&b);
}

static void mailbox(struct maker *m)
{
    static const struct id context;
    struct mail_open open = {.key = span(m->box.pk, 32), .time = noon};
    struct mail_take take = {.has_erase = true, .erase_n = 2};
    struct id hash, erase[2];
    struct buf b = {0};
    uint8_t seed[32], root[32];
    memset(root, BEN, sizeof root);
    hash_derive(seed, root, "souk:mailbox", SPAN_OF(context));
    own_vector(&m->f, "mailbox_key", "good", "the mailbox key of an identity");
    own_hex(&m->f, "identity_seed", SPAN_OF(root));
    own_hex(&m->f, "key", SPAN_OF(m->box.pk));
    own_identity(&open.who, BEN);
    boxes_open_hash(&hash, &m->f.net, &open, &m->server);
    sign_with(&open.sig, BEN, &hash);
    mail_open_encode(&b, &open);
    for (int other = 0; other < 2; other++) {
        struct node_key server = m->server;
        server.b[0] ^= (uint8_t)other;
        own_vector(&m->f, "mailbox_open", other ? "signature" : "good",
                   other ? "shown to another server" : "opening a mailbox");
        own_hex(&m->f, "server", SPAN_OF(server));
        own_hex(&m->f, "bytes", buf_view(&b));
    }
    memset(erase[0].b, 0xe0, 32);
    memset(erase[1].b, 0xe1, 32);
    memset(take.challenge.b, 0xc4, 32);
    take.who = open.who;
    take.erase = erase;
    boxes_take_hash(&hash, &m->f.net, &take, &m->server);
    sign_hash(&take.sig, m->box.sk, &hash);
    for (int less = 0; less < 2; less++) {
        take.erase_n -= (size_t)less;
        buf_clear(&b);
        mail_take_encode(&b, &take);
        own_vector(&m->f, "mailbox_take", less ? "signature" : "good",
                   less ? "one name taken out of `erase`" : "fetching, and erasing two");
        own_hex(&m->f, "server", SPAN_OF(m->server));
        own_hex(&m->f, "key", SPAN_OF(m->box.pk));
        own_hex(&m->f, "bytes", buf_view(&b));
    }
    buf_free(&b);
}

static void left(struct maker *m, const char *result, const char *shows, struct mail_leave leave)
{
    struct buf b = {0};
    leave.envelope = m->envelope;
    mail_leave_encode(&b, &leave);
    own_vector(&m->f, "leave", result, shows);
    own_hex(&m->f, "key", SPAN_OF(m->box.pk));
    own_hex(&m->f, "bytes", buf_view(&b));
    buf_free(&b);
}

static void leaving(struct maker *m)
{
    struct mail_leave with_work = {0}, less = {0}, ticket = {.has_ticket = true};
    struct identity ben;
    struct id id, hash;
    letter_envelope_id(&id, &m->f.net, m->envelope);
    MUST(work_search(&id, 0, UINT64_MAX, serve_bits(&m->f.net), &with_work.nonce));
    while (work_bits(&id, less.nonce) >= serve_bits(&m->f.net))
        less.nonce++;
    left(m, "good", "left with work", with_work);
    left(m, "work", "left with too little", less);
    own_identity(&ben, BEN);
    memset(ticket.ticket.serial.b, 0x71, 16);
    ticket.ticket.until = noon + 86400000;
    ticket.nonce = less.nonce;
    boxes_ticket_hash(&hash, &m->f.net, &ben, &ticket.ticket);
    sign_hash(&ticket.ticket.sig, m->box.sk, &hash);
    left(m, "good", "left with a ticket, and no work", ticket);
    ticket.ticket.until += 1;
    left(m, "work", "a ticket made to last longer is none, so work is asked", ticket);
}

static void threads(struct maker *m)
{
    struct identity ann, ben;
    struct id about, id;
    own_identity(&ann, ANN);
    own_identity(&ben, BEN);
    memset(about.b, 0xab, 32);
    for (int i = 0; i < 3; i++) {
        static const char *const shows[] = {"the thread of two people",
                                            "the same, named the other way round",
                                            "their thread about something"};
        const struct identity *one = i == 1 ? &ben : &ann, *two = i == 1 ? &ann : &ben;
        outbox_thread(&id, &m->f.net, one, two, i == 2 ? &about : NULL);
        own_vector(&m->f, "thread", "good", shows[i]);
        own_hex(&m->f, "one", SPAN_OF(*one));
        own_hex(&m->f, "two", SPAN_OF(*two));
        if (i == 2)
            own_hex(&m->f, "about", SPAN_OF(about));
        own_hex(&m->f, "thread", SPAN_OF(id));
    }
}

void make_letters(struct buf *out)
{
    static const struct id context;
    struct maker m = {0};
    uint8_t root[32], seed[32];
    struct keypair server;
    arena_init(&m.a, 4 << 20);
    own_begin(
        &m.f, out, "letters",
        "Letters and mailboxes (spec/letters.md). Persons are Ed25519 keys whose seed is 32 times one "
        "byte: 01 Ann, who writes; 02 Ben, to whom; 03 Eve. `secret` is that of Ben's prekey, 32 times "
        "09. The server's node key is of seed 06.",
        6, 0);
    memset(m.secret, PREKEY, 32);
    xkey_public(&m.prekey, m.secret);
    memset(root, BEN, 32);
    hash_derive(seed, root, "souk:mailbox", SPAN_OF(context));
    sign_keypair_from_seed(&m.box, seed);
    own_key(&server, SERVER);
    memcpy(m.server.b, server.pk, 32);
    letters(&m);
    acks(&m);
    mailbox(&m);
    leaving(&m);
    threads(&m);
    own_end(&m.f);
    arena_free(&m.a);
}
