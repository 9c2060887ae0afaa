/* rail_nodes.h: a few nodes with stores and keys, whose rails talk to each other at once: an issuer, two
 * members, an arbiter.  Letters are handed over as they are. */
#pragma GCC diagnostic ignored "-Wunused-function" /* each test uses some of these */
#ifndef RAIL_NODES_H
#define RAIL_NODES_H
#include "crypto/record.h"
#include "node/net/net.h"
#include "node/outbox/outbox.h"
#include "node/rail/engine.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { ISSUER, ALICE, BOB, CAROL, NODES, FRAMES = 512 };
static const int64_t T0 = 1800000000000;
static const int64_t DAY = 86400000;

struct frame {
    int from, to;
    unsigned number;
    struct buf body;
};
struct letter {
    struct identity from, to;
    struct id id;
    struct buf body;
};
struct party {
    int index;
    char dir[64];
    struct store *store;
    struct core core;
    struct effects fx;
    struct keypair node;
    struct identity me;
    struct change *taking;
};
static struct nodes {
    struct network net;
    struct rng rng;
    struct party p[NODES];
    struct frame frames[FRAMES];
    size_t frames_n;
    struct letter letters[32];
    size_t letters_n;
    bool deaf[NODES];           /* frames to it are lost */
    bool mute[NODES];           /* its letters are refused: its identity is locked */
    int changed, refused_first; /* refusals that showed what came first */
} N;

/* The rooms that rail leans on. */
int outbox_send(struct outbox *o, struct core *c, const struct identity *from, const struct identity *to,
                const struct id *thread, enum letter_kind kind, struct span body, struct change *into,
                struct id *letter, struct report *r)
{
    (void)o, (void)c, (void)thread, (void)into, (void)r;
    assert_int_equal(kind, LETTER_OPENING);
    for (int i = 0; i < NODES; i++)
        if (N.mute[i] && identity_eq(&N.p[i].me, from))
            return SOUK_ELOCKED;
    struct letter *l = &N.letters[N.letters_n++];
    memset(l, 0, sizeof *l);
    l->from = *from;
    l->to = *to;
    buf_span(&l->body, body);
    memset(letter, 0, sizeof *letter);
    return 0;
}
struct change *outbox_taking(struct outbox *o)
{
    return ((struct party *)(void *)o)->taking;
}

static int route(void *arg, struct core *c, const struct node_key *to, unsigned number, struct span body)
{
    struct party *from = arg;
    (void)c;
    if (number == LEDGER_REFUSED) {
        struct ledger_refused m;
        struct arena a;
        arena_init(&a, 65536);
        assert_int_equal(ledger_refused_decode(&m, body, &a, NULL), 0);
        N.refused_first += m.why == LEDGER_REFUSAL_SPENT && m.has_first;
        arena_free(&a);
    }
    for (int i = 0; i < NODES; i++)
        if (memcmp(to->b, N.p[i].node.pk, 32) == 0) {
            if (N.deaf[i])
                return 0;
            assert_true(N.frames_n < FRAMES);
            struct frame *f = &N.frames[N.frames_n++];
            *f = (struct frame){.from = from->index, .to = i, .number = number};
            buf_span(&f->body, body);
            return 0;
        }
    return SOUK_EOFFLINE;
}

static void changed(struct core *c, const struct id *trade)
{
    (void)c, (void)trade;
    N.changed++;
}
static const struct hooks nodes_hooks = {.rail_changed = changed};

static void commit(struct party *p, struct change *ch)
{
    assert_int_equal(store_apply(p->store, &ch, 1), 0);
    view_renew(p->core.view);
    if (ch->room == ROOM_RAIL)
        rails_committed(p->core.rails, &p->core, ch);
    change_free(ch);
}

static void settle(void)
{
    for (int round = 0; round < 1000; round++) {
        bool quiet = true;
        for (int i = 0; i < NODES; i++)
            for (size_t e = 0; e < N.p[i].fx.n; e++) {
                struct change *ch = N.p[i].fx.v[e].change;
                assert_int_equal(N.p[i].fx.v[e].kind, FX_COMMIT);
                N.p[i].fx.v[e].change = NULL;
                commit(&N.p[i], ch);
                quiet = false;
            }
        for (int i = 0; i < NODES; i++)
            effects_clear(&N.p[i].fx);
        if (N.frames_n) {
            struct frame f = N.frames[0];
            struct node_key from;
            memmove(N.frames, N.frames + 1, --N.frames_n * sizeof f);
            memcpy(from.b, N.p[f.from].node.pk, 32);
            assert_int_equal(
                rails_message(N.p[f.to].core.rails, &N.p[f.to].core, &from, f.number, buf_view(&f.body)),
                0);
            buf_free(&f.body);
            quiet = false;
        }
        if (quiet)
            return;
    }
    fail_msg("the nodes never came to rest");
}

static void post(void)
{
    for (size_t i = 0; i < N.letters_n; i++)
        for (int j = 0; j < NODES; j++)
            if (identity_eq(&N.p[j].me, &N.letters[i].to)) {
                struct party *p = &N.p[j];
                p->taking = change_new(ROOM_NODE, 0, 0);
                assert_int_equal(rails_letter(p->core.rails, &p->core, &N.letters[i].to, &N.letters[i].from,
                                              &N.letters[i].id, buf_view(&N.letters[i].body)),
                                 0);
                commit(p, p->taking);
            }
    for (size_t i = 0; i < N.letters_n; i++)
        buf_free(&N.letters[i].body);
    N.letters_n = 0;
}

static void later(uint64_t ms)
{
    for (int i = 0; i < NODES; i++) {
        N.p[i].core.now.mono_ms += ms;
        N.p[i].core.now.unix_ms += (int64_t)ms;
        rails_wake(N.p[i].core.rails, &N.p[i].core);
    }
    settle();
}

static void open_rails(struct party *p)
{
    p->core.rails = rails_new(&N.net, &N.rng, true);
    p->core.rails->send = route;
    p->core.rails->send_arg = p;
    rails_boot(p->core.rails, &p->core);
}

static void restart(int i)
{
    struct party *p = &N.p[i];
    rails_free(p->core.rails);
    view_renew(p->core.view);
    open_rails(p);
}

static void spread_record(uint8_t kind, struct span body)
{
    struct party *is = &N.p[ISSUER];
    char topic[RECORD_PEOPLE_BYTES];
    struct record rec = {.kind = kind,
                         .author = is->me,
                         .topic = record_topic_people(topic, &is->me),
                         .created = is->core.now.unix_ms,
                         .expires = is->core.now.unix_ms + 100 * DAY,
                         .body = body};
    struct buf b = {0};
    unsigned bits;
    assert_int_equal(record_prepare(&rec, &N.net, &bits, NULL), 0);
    assert_int_equal(keys_sign(is->core.keys, &is->core, &is->me, USE_DUTY, &rec.id, &rec.sig, NULL), 0);
    assert_int_equal(record_write(&b, &rec, &N.net, NULL), 0);
    for (int i = 0; i < NODES; i++) {
        struct op op = {.kind = OP_RECORD};
        struct change *ch = change_new(ROOM_NODE, 0, 0);
        op.record.id = rec.id;
        op.record.author = rec.author;
        op.record.kind = kind;
        op.record.has_slot = true;
        op.record.revision = (uint64_t)rec.created;
        op.record.created = op.record.received = rec.created;
        op.record.expires = rec.expires;
        op.record.topic = rec.topic;
        op.record.bytes = buf_view(&b);
        change_record(ch, &op);
        commit(&N.p[i], ch);
        struct record got;
        assert_int_equal(record_parse(&got, buf_view(&b), &N.net, NULL), 0);
        rails_record_stored(N.p[i].core.rails, &N.p[i].core, &got);
    }
    buf_free(&b);
    settle();
}

static bool publish_head(void)
{
    struct buf body = {0};
    struct identity who;
    bool due = rails_head_due(N.p[ISSUER].core.rails, &N.p[ISSUER].core, &who, &body);
    if (due)
        spread_record(RECORD_HEAD, buf_view(&body));
    buf_free(&body);
    return due;
}

static void nodes_up(bool mock)
{
    assert_true(sodium_init() >= 0);
    memset(&N, 0, sizeof N);
    assert_int_equal(network_make(&N.net, "rail", 0, 0, true), 0);
    rng_seed_u64(&N.rng, 11);
    for (int i = 0; i < NODES; i++) {
        struct party *p = &N.p[i];
        struct store_config config = {.map_bytes = 64 << 20, .network = N.net.id, .rng = &N.rng};
        char words[256];
        p->index = i;
        snprintf(p->dir, sizeof p->dir, "/tmp/souk-rail-%ld-%d-XXXXXX", (long)getpid(), i);
        assert_non_null(mkdtemp(p->dir));
        assert_int_equal(store_open(&p->store, p->dir, &config, NULL), 0);
        sign_keypair_new(&p->node, &N.rng);
        p->core = (struct core){.network = &N.net, .hooks = &nodes_hooks, .rng = &N.rng, .fx = &p->fx};
        p->core.now = (struct clock){1000, T0};
        p->core.view = view_open(p->store);
        p->core.outbox = (struct outbox *)(void *)p;
        p->core.keys = keys_new(p->node.sk, true);
        keys_boot(p->core.keys, &p->core);
        struct change *ch = change_new(ROOM_NODE, 0, 0);
        assert_int_equal(
            keys_create(p->core.keys, &p->core, "x", span_str("secret"), &p->me, words, ch, NULL), 0);
        commit(p, ch);
        assert_int_equal(
            keys_unlock(p->core.keys, &p->core, &p->me, span_str("secret"), (uint64_t)(100 * DAY), NULL),
            0);
        open_rails(p);
    }
    struct party *is = &N.p[ISSUER];
    struct buf body = {0};
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    struct rail_issuer what = {.name = span_str("Grains"),
                               .code = span_str("GR"),
                               .limit_minor = 100,
                               .auto_approve = true,
                               .mock = mock};
    assert_int_equal(rails_issuer(is->core.rails, &is->core, &is->me, &what, ch, &body, NULL), 0);
    commit(is, ch);
    spread_record(RECORD_ISSUER, buf_view(&body));
    buf_free(&body);
}

static void nodes_down(void)
{
    for (int i = 0; i < NODES; i++) {
        struct party *p = &N.p[i];
        char command[128];
        rails_free(p->core.rails);
        keys_free(p->core.keys);
        view_close(p->core.view);
        store_close(p->store);
        effects_free(&p->fx);
        snprintf(command, sizeof command, "rm -rf %s", p->dir);
        assert_int_equal(system(command), 0);
    }
}

static int64_t balance(int i)
{
    struct rail_balance b;
    size_t n = rails_balances(N.p[i].core.rails, &N.p[i].core, &N.p[i].me, &N.p[ISSUER].me, &b, 1);
    return n ? b.minor : 0;
}

static void mint(int to, int64_t minor)
{
    struct party *is = &N.p[ISSUER];
    struct id t;
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(
        rails_mint(is->core.rails, &is->core, &is->me, &N.p[to].me, minor, span_str("hello"), ch, &t, NULL),
        0);
    commit(is, ch);
    later(5);
    assert_int_equal(rails_outcome(is->core.rails, &is->core, &t), 0);
    post();
}

static int pay(int from, int to, int64_t minor, struct id *t)
{
    struct party *p = &N.p[from];
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    int err = rails_pay(p->core.rails, &p->core, &p->me, &N.p[ISSUER].me, &N.p[to].me, minor,
                        span_str("bread"), ch, t, NULL);
    commit(p, ch);
    return err;
}

static void join(int i)
{
    struct party *p = &N.p[i];
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(rails_join(p->core.rails, &p->core, &p->me, &N.p[ISSUER].me, span_str("me"), ch, NULL),
                     0);
    commit(p, ch);
    later(5);
}

static const struct id TRADE = {{0x7a}};
/* A lock between Alice (buyer), Bob (seller) and Carol (arbiter). */
static struct rail_lock lock_of(int64_t minor, enum record_rail rail)
{
    struct rail_lock l = {.rail = rail, .issuer = N.p[ISSUER].me, .parties = 3};
    memcpy(&l.amount.currency, &l.issuer, 32);
    l.amount.minor = minor;
    memset(&l.contract, 0xc0, sizeof l.contract);
    memset(&l.stub, 0x57, sizeof l.stub);
    for (int i = 0; i < 3; i++) {
        struct party *p = &N.p[ALICE + i];
        uint8_t sk[64];
        assert_int_equal(rail_trade_key(&p->core, &p->me, &TRADE, &l.key[i], sk, NULL), 0);
        assert_int_equal(rail_payout_key(&p->core, &p->me, &TRADE, &l.payout[i], NULL), 0);
    }
    l.late_from = T0 + 20 * DAY;
    l.late.minor[RAIL_BUYER] = minor;
    return l;
}

static struct sig sign_split(int i, const struct rail_lock *l, const struct rail_split *s)
{
    struct trade_key pk;
    uint8_t sk[64];
    struct sig sig;
    assert_int_equal(rail_trade_key(&N.p[i].core, &N.p[i].me, &TRADE, &pk, sk, NULL), 0);
    assert_int_equal(rail_payout_sign(sk, &N.net, l, s, &sig, NULL), 0);
    return sig;
}

static void watch(int i, const struct rail_lock *l)
{
    struct party *p = &N.p[i];
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    assert_int_equal(rails_watch(p->core.rails, &p->core, &TRADE, l, &p->me, ch, NULL), 0);
    commit(p, ch);
    settle();
}

static int fund(const struct rail_lock *l)
{
    struct party *p = &N.p[ALICE];
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    int err = rails_fund(p->core.rails, &p->core, &TRADE, &p->me, l, ch, NULL);
    commit(p, ch);
    return err;
}

static struct rail_funding funding(int i, const struct rail_lock *l)
{
    struct id id;
    struct rail_funding f = {0};
    rail_lock_id(&id, &N.net, l);
    assert_int_equal(rails_funding(N.p[i].core.rails, &N.p[i].core, &id, &f), 0);
    return f;
}

static struct rail_settlement settlement(int i, const struct rail_lock *l)
{
    struct id id;
    struct rail_settlement s = {0};
    rail_lock_id(&id, &N.net, l);
    assert_int_equal(rails_settlement(N.p[i].core.rails, &N.p[i].core, &id, &s), 0);
    return s;
}
#endif
