/* dht_attack_replay.c: see dht_attack_replay.h. */
#include "tests/sim/dht_attack_replay.h"
#include "datagram.gen.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    VALUES = 40,
    GETS = 120,
    RECORDS = 6000,
    SOON_MS = 20,
    SPOOFERS = 16,
    SPOOFED = 6000,
    SPOOFED_APART_MS = 25,
    STRANGE = 20000,
    STRANGE_MS = 4000,
    REPLICAS = 8,
    OUTSIDERS = 2 /* places beside the nodes: the attacker's, the victim's */
};
enum sort { NOTHING, REPLAY, FORGE, SPOOF, STRANGERS };

struct recorded {
    uint64_t at_ms;
    struct addr from, to;
    struct buf bytes;
};
struct value {
    struct keypair author;
    struct id key;
    struct buf old, fresh;
};
struct play {
    struct dht_world *w;
    enum sort sort;
    bool on, sealed;
    size_t nodes;
    struct value values[VALUES];
    struct recorded *records;
    size_t records_n;
    bool recording;
    struct rng rng; /* the attacker's */
    struct addr home, victim;
    uint64_t sent_bytes; /* by the attacker */
    double worst;        /* bytes that the victim has got for each of them, at the worst moment */
    struct asked plain, careful;
};
struct damage {
    double found, plain, eclipsed; /* per cent, of careful gets but for plain */
    double fresh;                  /* of all replicas of the values, those that are the newest */
    double back, owner; /* bytes to a victim, or to whom a replay claims to be from, for one sent */
    double over;        /* the same, of those replays alone that bring the owner more than was sent */
    double curves;      /* operations for a datagram */
    struct dht_world_injected did;
};

static size_t attacker(const struct play *p)
{
    return p->nodes;
}

static size_t victim(const struct play *p)
{
    return p->nodes + 1;
}

static void inject(struct play *p, const struct addr *from, const struct node_key *key,
                   const struct addr *to, struct span bytes, uint64_t in_ms)
{
    p->sent_bytes += bytes.n + (p->sealed ? 0u : DHT_OUTER_BYTES);
    dht_world_inject(p->w, from, key, to, bytes, p->w->now.mono_ms + in_ms);
}

/* ---- Replays ---- */

static void play_back(struct play *p, const struct recorded *r)
{
    size_t other = rng_below(&p->rng, p->nodes);
    inject(p, &r->from, NULL, &r->to, buf_view(&r->bytes), SOON_MS);
    inject(p, &p->home, NULL, &r->to, buf_view(&r->bytes), SOON_MS);
    inject(p, &r->from, NULL, &p->w->places[other].addr, buf_view(&r->bytes), SOON_MS);
}

static void record(struct play *p, size_t place, const struct dht_letter *in)
{
    if (!p->recording || p->records_n == RECORDS)
        return;
    struct recorded *r = &p->records[p->records_n++];
    *r = (struct recorded){.at_ms = p->w->now.mono_ms, .from = in->from, .to = p->w->places[place].addr};
    buf_span(&r->bytes, in->bytes);
    play_back(p, r);
}

/* ---- Forged answers ---- */

static const struct value *value_of(const struct play *p, const struct id *key)
{
    for (size_t i = 0; i < VALUES; i++)
        if (id_eq(&p->values[i].key, key))
            return &p->values[i];
    return NULL;
}

static void answer_get(const struct play *p, struct span body, struct span seen, struct buf *out)
{
    static const uint8_t token[8] = {1};
    struct datagram_get m;
    const struct value *v = datagram_get_decode(&m, body, NULL, NULL) == 0 ? value_of(p, &m.target) : NULL;
    if (v) {
        struct datagram_value a = {.seen = seen,
                                   .has_proven = true,
                                   .proven = true,
                                   .token = SPAN_OF(token),
                                   .value = buf_view(&v->old)};
        out->p[0] = DATAGRAM_VALUE;
        datagram_value_encode(out, &a);
        return;
    }
    struct datagram_nodes a = {
        .seen = seen, .has_proven = true, .proven = true, .token = SPAN_OF(token), .has_ipv4 = true};
    out->p[0] = DATAGRAM_NODES;
    datagram_nodes_encode(out, &a);
}

/* What he would say in the name of the node that was asked. */
static void forge_plain(const struct play *p, const struct dht_letter *in, struct buf *out)
{
    uint8_t seen[18];
    struct span body = span(in->bytes.p + 9, in->bytes.n - 9);
    memcpy(seen, in->from.ip, 16);
    be16_put(seen + 16, in->from.port);
    buf_append(out, in->bytes.p, 9);
    if (in->bytes.p[0] == DATAGRAM_PING) {
        struct datagram_pong a = {.seen = SPAN_OF(seen), .has_proven = true, .proven = true};
        out->p[0] = DATAGRAM_PONG;
        datagram_pong_encode(out, &a);
    } else if (in->bytes.p[0] == DATAGRAM_PUT) {
        struct datagram_stored a = {
            .seen = SPAN_OF(seen), .has_proven = true, .proven = true, .life_s = 7200};
        out->p[0] = DATAGRAM_STORED;
        datagram_stored_encode(out, &a);
    } else
        answer_get(p, in->bytes.p[0] == DATAGRAM_GET ? body : span(NULL, 0), SPAN_OF(seen), out);
}

/* Of a sealed request he sees who sent it; he has no key to say anything under another name. */
static void forge_sealed(struct play *p, size_t place, const struct dht_letter *in, struct buf *out)
{
    uint8_t *b = buf_grow(out, 200);
    rng_bytes(&p->rng, b, 200);
    b[0] = DHT_SEAL_VERSION;
    memcpy(b + 1, in->bytes.p + 5, 4);
    memcpy(b + 5, p->w->places[place].key.b, 32);
}

static void forge(struct play *p, size_t place, const struct dht_letter *in)
{
    struct buf b = {0};
    if (!p->recording || in->bytes.n < 10 || (!p->sealed && in->bytes.p[0] >= DATAGRAM_PONG))
        return;
    if (p->sealed)
        forge_sealed(p, place, in, &b);
    else
        forge_plain(p, in, &b);
    inject(p, &p->w->places[place].addr, &p->w->places[place].key, &in->from, buf_view(&b), 1);
    buf_free(&b);
}

static void arrives(void *arg, struct dht_world *w, size_t place, const struct dht_letter *in)
{
    struct play *p = arg;
    (void)w;
    if (place >= p->nodes)
        return;
    if (p->sort == REPLAY)
        record(p, place, in);
    else if (p->sort == FORGE)
        forge(p, place, in);
}

/* ---- Forged addresses ---- */

static void spoofed_body(struct play *p, struct buf *b)
{
    static const uint8_t zeros[1040], token[8] = {3};
    const struct value *v = &p->values[rng_below(&p->rng, VALUES)];
    struct span pad = span(zeros, rng_below(&p->rng, 3) ? rng_below(&p->rng, sizeof zeros - 40) : 0);
    struct datagram_find_node find = {
        .target = v->key, .family = DATAGRAM_FAMILY_IPV4, .has_pad = pad.n > 0, .pad = pad};
    struct datagram_get get = {.target = v->key,
                               .family = DATAGRAM_FAMILY_IPV4,
                               .kind = DHT_POINTER,
                               .has_pad = pad.n > 0,
                               .pad = pad};
    struct datagram_ping ping = {.has_pad = pad.n > 0, .pad = pad};
    struct datagram_put put = {.token = SPAN_OF(token), .value = buf_view(&v->fresh)};
    struct datagram_leave leave = {.has_pad = pad.n > 0, .pad = span(zeros, pad.n % 64)};
    static const uint8_t numbers[] = {DATAGRAM_FIND_NODE, DATAGRAM_GET, DATAGRAM_PING, DATAGRAM_PUT,
                                      DATAGRAM_LEAVE};
    uint8_t head[9] = {numbers[rng_below(&p->rng, 5)]};
    rng_bytes(&p->rng, head + 1, 8);
    buf_append(b, head, 9);
    if (head[0] == DATAGRAM_FIND_NODE)
        datagram_find_node_encode(b, &find);
    else if (head[0] == DATAGRAM_GET)
        datagram_get_encode(b, &get);
    else if (head[0] == DATAGRAM_PING)
        datagram_ping_encode(b, &ping);
    else if (head[0] == DATAGRAM_PUT)
        datagram_put_encode(b, &put);
    else
        datagram_leave_encode(b, &leave);
}

static double victim_got(const struct play *p)
{
    const struct dht_place *v = &p->w->places[victim(p)];
    return (double)(v->received_bytes - v->received * DHT_WORLD_HEADERS);
}

static void get(struct play *p, size_t i);

static void spoof(struct play *p)
{
    struct dht_seal *seals[SPOOFERS];
    struct keypair pair;
    for (size_t i = 0; i < SPOOFERS; i++) {
        sign_keypair_new(&pair, &p->rng);
        seals[i] = dht_seal_new(&p->w->net, pair.sk, &p->rng, NULL);
    }
    for (size_t i = 0; i < SPOOFED; i++) {
        struct buf plain = {0}, sealed = {0};
        const struct dht_place *to = &p->w->places[rng_below(&p->rng, p->nodes)];
        spoofed_body(p, &plain);
        MUST(dht_seal_wrap(seals[i % SPOOFERS], p->w->now.mono_ms, &to->key, buf_view(&plain), &sealed) ==
             0);
        inject(p, &p->victim, NULL, &to->addr, buf_view(&sealed), 0);
        buf_free(&plain);
        buf_free(&sealed);
        if (i % (SPOOFED / GETS) == 0)
            get(p, i / (SPOOFED / GETS));
        dht_world_for(p->w, SPOOFED_APART_MS);
        double now = victim_got(p) / (double)p->sent_bytes;
        p->worst = now > p->worst ? now : p->worst;
    }
    dht_world_for(p->w, 60000);
    double now = victim_got(p) / (double)p->sent_bytes;
    p->worst = now > p->worst ? now : p->worst;
    for (size_t i = 0; i < SPOOFERS; i++)
        dht_seal_free(seals[i]);
}

/* Their boxes cannot be opened, but that is known only after the curve operation. */
static void strangers(struct play *p)
{
    const struct dht_place *to = &p->w->places[0];
    for (size_t i = 0; i < STRANGE; i++) {
        uint8_t b[200];
        struct keypair pair;
        struct addr from = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (uint8_t)(45 + (i >> 16)),
                             (uint8_t)(i >> 8), (uint8_t)i, 7},
                            4000};
        sign_keypair_new(&pair, &p->rng);
        rng_bytes(&p->rng, b, sizeof b);
        b[0] = DHT_SEAL_VERSION;
        memcpy(b + 1, to->key.b, 4);
        memcpy(b + 5, pair.pk, 32);
        inject(p, &from, NULL, &to->addr, SPAN_OF(b), i * STRANGE_MS / STRANGE);
    }
    for (size_t i = 0; i < GETS; i++) { /* by the node itself */
        get(p, i);
        dht_world_for(p->w, STRANGE_MS / GETS);
    }
}

/* ---- The field ---- */

static void result(void *arg, struct dht_world *w, size_t place, const struct dht_result *r)
{
    struct play *p = arg;
    (void)place;
    if (r->cookie == 0)
        return;
    const struct value *v = &p->values[(r->cookie - 1) % VALUES];
    struct asked *a = r->cookie > VALUES ? &p->careful : &p->plain;
    size_t near[REPLICAS], n = dht_world_nearest(w, &v->key, near, REPLICAS);
    bool honest = false;
    for (size_t i = 0; i < r->trace_n; i++)
        for (size_t k = 0; k < n && r->trace[i].answered; k++)
            honest |= node_key_eq(&w->places[near[k]].key, &r->trace[i].key);
    a->tried++;
    a->good += r->err == 0 && span_eq(r->values[0], buf_view(&v->fresh));
    a->eclipsed += !honest;
}

static void get(struct play *p, size_t i)
{
    size_t which = i % VALUES, by = p->sort == STRANGERS ? 0 : rng_below(&p->w->rng, p->nodes);
    struct dht *d = p->w->places[by].dht;
    dht_get_start(d, p->w->now, DHT_POINTER, &p->values[which].key, 0, which + 1);
    dht_get_start(d, p->w->now, DHT_POINTER, &p->values[which].key, DHT_CAREFUL, which + 1 + VALUES);
    dht_world_touch(p->w, by);
}

static void put(struct play *p, bool fresh)
{
    for (size_t i = 0; i < VALUES; i++) {
        struct value *v = &p->values[i];
        int err;
        size_t by = rng_below(&p->w->rng, p->nodes);
        if (!fresh)
            sign_keypair_new(&v->author, &p->w->rng);
        dht_world_pointer(p->w, fresh ? &v->fresh : &v->old, &v->author, fresh ? 2 : 1, i, &v->key);
        dht_put_start(p->w->places[by].dht, p->w->now, buf_view(fresh ? &v->fresh : &v->old), NULL, 0,
                      &err);
        dht_world_touch(p->w, by);
        dht_world_for(p->w, 100);
    }
    dht_world_for(p->w, 10000);
}

/* Per cent of the replicas that are the newest. */
static double newest(const struct play *p)
{
    uint64_t all = 0, fresh = 0;
    struct dht_held held[2 * VALUES];
    for (size_t i = 0; i < p->nodes; i++) {
        size_t n = dht_held(p->w->places[i].dht, p->w->now.mono_ms, 0, held, 2 * VALUES);
        for (size_t k = 0; k < n && k < 2 * VALUES; k++) {
            all++;
            fresh += held[k].seq == 2;
        }
    }
    return percent(fresh, all);
}

static void gets(struct play *p, uint64_t each_ms)
{
    for (size_t i = 0; i < GETS; i++) {
        get(p, i);
        dht_world_for(p->w, each_ms);
    }
}

/* All that was recorded, so much later. */
static void again(struct play *p, uint64_t later_ms)
{
    size_t each = p->records_n / GETS + 1;
    for (size_t i = 0; i < p->records_n; i++) {
        dht_world_run(p->w, p->records[i].at_ms + later_ms);
        play_back(p, &p->records[i]);
        if (i % each == 0)
            get(p, i / each);
    }
    dht_world_for(p->w, 20000);
}

static void run(enum sort sort, bool on, size_t nodes, uint64_t seed, struct damage *out)
{
    static const struct dht_role silent = {.datagram = NULL, .wake = NULL};
    static const struct dht_seal_knobs no_budgets = {1024,    512,     256,     1 << 20, 1 << 21,
                                                     1 << 20, 1 << 21, 1 << 20, 1 << 21};
    struct play *p = xcalloc(1, sizeof *p);
    p->sort = sort;
    p->on = on;
    p->sealed = sort != FORGE || on;
    p->nodes = nodes;
    struct dht_world_config c = {.places = nodes + OUTSIDERS,
                                 .seed = seed,
                                 .keys = true,
                                 .sealed = p->sealed,
                                 .unlimited = sort == SPOOF && !on,
                                 .seal_knobs = sort == STRANGERS && !on ? &no_budgets : NULL,
                                 .arg = p,
                                 .on_result = result,
                                 .on_arrive = arrives};
    p->w = dht_world_new(&c);
    p->records = xcalloc(RECORDS, sizeof *p->records);
    rng_seed_u64(&p->rng, seed + 7);
    dht_world_fill(p->w, nodes);
    for (size_t i = attacker(p); i <= victim(p); i++) {
        struct addr a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 45, 0, (uint8_t)(i - nodes), 7}, 4000};
        struct keypair pair;
        struct node_key key;
        sign_keypair_new(&pair, &p->rng);
        memcpy(key.b, pair.pk, 32);
        dht_world_plant(p->w, i, &key, &a, &silent, NULL);
    }
    p->home = p->w->places[attacker(p)].addr;
    p->victim = p->w->places[victim(p)].addr;
    dht_world_for(p->w, 20000);
    p->recording = sort == REPLAY;
    put(p, false);
    put(p, true);
    p->recording = sort == FORGE;
    uint64_t begun = p->w->now.mono_ms;
    if (sort == SPOOF)
        spoof(p);
    else if (sort == STRANGERS)
        strangers(p);
    else
        gets(p, 100);
    if (sort == REPLAY) {
        again(p, p->w->now.mono_ms - begun + 60000);
        again(p, 3600000);
    }
    dht_world_for(p->w, 60000);
    const struct dht_place *home = &p->w->places[attacker(p)];
    uint64_t to_home = home->received_bytes - home->received * DHT_WORLD_HEADERS;
    const struct dht_world_injected *did = &p->w->injected;
    *out = (struct damage){.found = percent(p->careful.good, p->careful.tried),
                           .plain = percent(p->plain.good, p->plain.tried),
                           .eclipsed = percent(p->careful.eclipsed, p->careful.tried),
                           .fresh = newest(p),
                           .back = p->worst,
                           .curves = did->datagrams ? (double)did->curves / (double)did->datagrams : 0,
                           .did = *did};
    if (sort == REPLAY) { /* a third of what he sent each: as the owner, as himself, elsewhere */
        out->back = 3.0 * (double)to_home / (double)p->sent_bytes;
        out->over = did->over ? (double)did->over_back / (double)did->over_bytes : 0;
        out->owner = 3.0 * ((double)did->back_bytes - (double)to_home) / (double)p->sent_bytes;
    }
    dht_world_free(p->w);
    for (size_t i = 0; i < p->records_n; i++)
        buf_free(&p->records[i].bytes);
    for (size_t i = 0; i < VALUES; i++) {
        buf_free(&p->values[i].old);
        buf_free(&p->values[i].fresh);
    }
    free(p->records);
    free(p);
}

static void print(const char *name, const char *state, const struct damage *x)
{
    const struct dht_world_injected *d = &x->did;
    printf("  %-40s %-3s | %6.2f %6.2f %6.2f %6.2f | %6llu %6llu %6llu %6llu %5llu | %5.3f | %5.3f %5.2f | "
           "%6.4f\n",
           name, state, x->found, x->eclipsed, x->plain, x->fresh, (unsigned long long)d->datagrams,
           (unsigned long long)d->opened, (unsigned long long)d->requests, (unsigned long long)d->answers,
           (unsigned long long)d->hosted, x->back, x->owner, x->over, x->curves);
}

static void plot(const char *name, size_t nodes, const struct damage v[2])
{
    printf("plot replay nodes=%zu name=%s", nodes, name);
    for (int i = 0; i < 2; i++) {
        const char *x = i ? "on" : "off";
        printf(" %s_found=%.2f %s_eclipsed=%.2f %s_plain=%.2f %s_newest=%.2f %s_datagrams=%llu "
               "%s_opened=%llu %s_answers=%llu %s_hosted=%llu %s_back=%.3f %s_owner=%.3f %s_over=%.2f "
               "%s_over_n=%llu %s_curves=%.4f",
               x, v[i].found, x, v[i].eclipsed, x, v[i].plain, x, v[i].fresh, x,
               (unsigned long long)v[i].did.datagrams, x, (unsigned long long)v[i].did.opened, x,
               (unsigned long long)v[i].did.answers, x, (unsigned long long)v[i].did.hosted, x, v[i].back,
               x, v[i].owner, x, v[i].over, x, (unsigned long long)v[i].did.over, x, v[i].curves);
    }
    printf("\n");
}

struct row {
    const char *name, *plot, *off;
    enum sort off_sort, sort;
};

/* Promised of all: gets find what is newest, nobody is eclipsed, nothing sent by him is taken for an answer
 * or stored, no victim gets more than he sent, no datagram costs more than one curve operation.  And each
 * attack must have been one. */
static const char *broken(const struct row *r, const struct damage *off, const struct damage *on)
{
    if (on->found < 100 || on->plain < 98 || on->eclipsed > 0)
        return "gets fail";
    if (on->did.answers || on->did.hosted)
        return "a replay or a forgery was taken for an answer, or stored";
    if (on->back > 1)
        return "a victim got more than was sent in its name";
    if (on->curves > 1)
        return "more than one curve operation for a datagram";
    if (on->did.datagrams < 1000 || (r->sort == REPLAY && on->did.requests < on->did.datagrams / 100))
        return "this was no attack";
    if (r->sort == REPLAY && (on->curves > 0.01 || on->did.opened > on->did.datagrams / 5))
        return "replays cost curve operations, or are opened again";
    if (r->sort == FORGE && (off->found > 50 || off->did.answers == 0))
        return "unsealed, forged answers did no harm";
    if (r->sort == SPOOF && (off->back <= 1 || on->did.requests < on->did.datagrams / 2))
        return "without the rule of amplification nothing was amplified";
    if (r->sort == STRANGERS && (on->curves > .35 || off->curves < .9))
        return "curve operations of strangers are not bounded, or were without budgets";
    return NULL;
}

bool attack_replays(size_t nodes, uint64_t seed)
{
    static const struct row all[] = {
        {"replays: at once, after 1 min, after 1 h", "replays", "no", NOTHING, REPLAY},
        {"answers forged on the path", "forged_answers", "off", FORGE, FORGE},
        {"questions with a victim's address", "forged_addresses", "off", SPOOF, SPOOF},
        {"20,000 strangers in 4 s, a /24 each", "strangers", "off", STRANGERS, STRANGERS},
    };
    bool ok = true;
    printf("  Replays and forgeries: %zu nodes.  Per cent: careful gets found, eclipsed, plain gets found, "
           "replicas "
           "that are the\n  newest | his datagrams, opened, taken for requests, for answers, values stored "
           "by them | "
           "bytes to the victim for each\n  of his | to the true owner of a replay's address; of those "
           "alone that "
           "bring more than they have | curve operations for each\n",
           nodes);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct damage v[2];
        run(all[i].off_sort, false, nodes, seed, &v[0]);
        run(all[i].sort, true, nodes, seed, &v[1]);
        print(all[i].name, all[i].off, &v[0]);
        print("", "on", &v[1]);
        const char *why = broken(&all[i], &v[0], &v[1]);
        if (why)
            printf("  ^ %s\n", why);
        ok &= !why;
        plot(all[i].plot, nodes, v);
        fflush(stdout);
    }
    return ok;
}
