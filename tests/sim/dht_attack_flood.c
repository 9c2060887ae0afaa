/* dht_attack_flood.c: see dht_attack_flood.h. */
#include "tests/sim/dht_attack_flood.h"
#include "crypto/base/err.h"
#include "datagram.gen.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    PLACES_SMALL = 128,
    PLACES = 512,     /* of a store */
    RESERVE = 512,    /* bytes for each of them */
    OF_A_PREFIX = 16, /* a prefix may fill so small a part */
    TOPIC_PLACES = 64,
    BODY = 700,
    NEAR = 20,
    VICTIMS = 4,
    CARRIERS = 24,
    FRESH = 96,
    GETS = 200,
    TRIES = 3, /* of a write that shall wait */
    FLOOD_MS = 900000,
    STEP_MS = 100, /* FRESH put from 300 s to 600 s on, GETS from 750 s on */
    LOOK_MS = 10000,
    PAD = 40
};
enum aim { EVERYWHERE, AROUND, TOPIC };
enum cookie { OLD = 1, NEW = 2, GET = 4, KIND = 7 };

struct kind {
    const char *name;
    enum aim aim;
    double prefixes; /* as a multiple of a store's, or the topic's, places; 0: one */
    double old_on, fresh_on, put_on, at_off; /* at least so many with the defences; at most without: old */
    bool small;
};
static const struct kind all[] = {
    {.name = "flood everywhere, one /24",
     .small = true,
     .aim = EVERYWHERE,
     .old_on = 100,
     .fresh_on = 100,
     .put_on = 100,
     .at_off = 10},
    {.name = "flood everywhere, a /24 to 4 places",
     .small = true,
     .aim = EVERYWHERE,
     .prefixes = .25,
     .old_on = 99,
     .fresh_on = 99,
     .put_on = 99,
     .at_off = 10},
    {.name = "flood everywhere, 2 /24s to a place", .aim = EVERYWHERE, .prefixes = 2, .at_off = 10},
    {.name = "flood around a key, a /24 to 4 places",
     .small = true,
     .aim = AROUND,
     .prefixes = .25,
     .old_on = 99,
     .fresh_on = 99,
     .put_on = 99,
     .at_off = 60},
    {.name = "flood of a topic, one /24",
     .aim = TOPIC,
     .old_on = 99,
     .fresh_on = 99,
     .put_on = 99,
     .at_off = 100},
    {.name = "flood of a topic, a /24 to 2 places",
     .small = true,
     .aim = TOPIC,
     .prefixes = .5,
     .old_on = 85,
     .fresh_on = 90,
     .put_on = 90,
     .at_off = 100},
};

struct value { /* of an honest person */
    struct keypair author;
    struct id key;
    struct buf bytes;
};
struct task { /* one value of the attacker to one node */
    uint32_t value, node;
    uint8_t tries;
    bool has_ticket;
    uint8_t token[8], ticket[16];
};
struct flood {
    struct dht_world *w;
    const struct kind *kind;
    struct dht_knobs knobs;
    size_t honest, machines;
    struct value *old, fresh[FRESH];
    size_t old_n;
    struct id topic, topic_key;
    struct keypair author; /* of the attacker's pointers */
    struct buf *values;    /* the attacker's */
    struct id *keys;
    struct task *tasks;
    size_t values_n, tasks_n, begun;
    uint64_t begin_ms;
    /* What was counted. */
    uint64_t datagrams, stored, refused, signatures, tries;
    uint32_t values_most, bytes_most; /* in one store, ever */
    uint64_t put_tried, put_good, old_tried, old_good, fresh_tried, fresh_good;
    struct samples put_ms;
};
struct harm_of_flood {
    double old, fresh, put, lost, displaced; /* per cent; lost: old values without a replica */
    uint32_t put_ms, put_ms_p99, values_most, bytes_most, bytes_half;
    double datagrams, signatures; /* for each replica displaced; 0: none was */
    uint64_t sent, signed_n, stored;
    bool bounded, stood; /* stood: all old values were there when the flood began */
};

static void flood_knobs(struct dht_knobs *k, bool small, bool on)
{
    dht_knobs_default(k);
    k->values_most = small ? PLACES_SMALL : PLACES;
    k->value_bytes_most = k->values_most * RESERVE;
    k->prefix_values_most = k->values_most / OF_A_PREFIX;
    k->providers_most = TOPIC_PLACES;
    k->prefix_topic_most = TOPIC_PLACES / OF_A_PREFIX;
    if (on)
        return;
    k->prefix_values_most = k->prefix_topic_most = 1 << 20;
    k->wait_most_ms = 0;
    k->fair = false;
}

static struct addr address(size_t prefix, size_t host)
{
    return (struct addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (uint8_t)(45 + (prefix >> 16)),
                          (uint8_t)(prefix >> 8), (uint8_t)prefix, (uint8_t)(host % 250 + 1)},
                         (uint16_t)(4000 + host / 250)};
}

/* A pointer at the nearest of `tries` keys to `near` (NULL: any). */
static void pointer(struct flood *f, struct keypair *author, size_t body, const struct id *near,
                    uint64_t tries, struct id *key, struct buf *out)
{
    uint8_t bytes[BODY] = {0};
    struct dht_value v = {.kind = DHT_POINTER,
                          .seq = 1,
                          .body = span(bytes, body),
                          .expires_s = (uint64_t)(f->w->now.unix_ms / 1000) + 7 * 86400};
    uint64_t best = UINT64_MAX;
    memcpy(v.author, author->pk, 32);
    for (uint64_t i = 0; i < tries; i++) {
        struct salt salt;
        struct id id;
        rng_bytes(&f->w->rng, salt.b, sizeof salt.b);
        dht_key_pointer(&id, &f->w->net, v.author, &salt);
        uint64_t d = near ? be64_get(id.b) ^ be64_get(near->b) : 0;
        if (i == 0 || d < best) {
            best = d;
            v.salt = salt;
            *key = id;
        }
    }
    MUST(dht_value_make(out, &f->w->net, &v, dht_world_sign, author) == 0);
}

/* ---- The attacker ---- */

static size_t machine_of(const struct flood *f, const struct task *j)
{
    return f->honest + j->value % f->machines;
}

static void send(struct flood *f, const struct task *j, uint8_t number, struct buf *body)
{
    uint8_t head[9] = {number};
    struct buf b = {0};
    be64_put(head + 1, (uint64_t)(j - f->tasks));
    buf_append(&b, head, sizeof head);
    buf_span(&b, buf_view(body));
    const struct dht_place *to = &f->w->places[j->node];
    dht_world_send(f->w, machine_of(f, j), NULL, &to->key, &to->addr, buf_view(&b));
    f->datagrams++;
    buf_free(&b);
    buf_free(body);
}

static void ask_for_token(struct flood *f, const struct task *j)
{
    static const uint8_t zeros[PAD];
    struct buf b = {0};
    struct datagram_find_node m = {.has_client = true,
                                   .client = true,
                                   .target = f->keys[j->value],
                                   .family = DATAGRAM_FAMILY_IPV4,
                                   .has_pad = true,
                                   .pad = SPAN_OF(zeros)};
    datagram_find_node_encode(&b, &m);
    send(f, j, DATAGRAM_FIND_NODE, &b);
}

static void write(struct flood *f, const struct task *j)
{
    struct buf b = {0};
    if (f->kind->aim == TOPIC) {
        struct datagram_announce m = {.has_client = true,
                                      .client = true,
                                      .token = SPAN_OF(j->token),
                                      .value = buf_view(&f->values[j->value]),
                                      .has_ticket = j->has_ticket,
                                      .ticket = SPAN_OF(j->ticket)};
        datagram_announce_encode(&b, &m);
        send(f, j, DATAGRAM_ANNOUNCE, &b);
        return;
    }
    struct datagram_put m = {.has_client = true,
                             .client = true,
                             .token = SPAN_OF(j->token),
                             .value = buf_view(&f->values[j->value]),
                             .has_ticket = j->has_ticket,
                             .ticket = SPAN_OF(j->ticket)};
    datagram_put_encode(&b, &m);
    send(f, j, DATAGRAM_PUT, &b);
}

struct later {
    struct flood *f;
    struct task *j;
};

static void wait_over(struct dht_world *w, void *arg)
{
    struct later *l = arg;
    (void)w;
    write(l->f, l->j);
    free(l);
}

static void refused(struct flood *f, struct task *j, const struct datagram_error *m)
{
    if (!m->has_wait_ms || m->ticket.n != sizeof j->ticket || ++j->tries == TRIES) {
        f->refused++;
        return;
    }
    j->has_ticket = true;
    memcpy(j->ticket, m->ticket.p, sizeof j->ticket);
    struct later *l = xmalloc(sizeof *l);
    *l = (struct later){f, j};
    dht_world_at(f->w, f->w->now.mono_ms + m->wait_ms + 10, wait_over, l);
}

static void answered(struct dht_world *w, size_t place, const struct dht_letter *in)
{
    struct flood *f = w->places[place].role_arg;
    uint64_t which = in->bytes.n > 9 ? be64_get(in->bytes.p + 1) : UINT64_MAX;
    struct span body = span(in->bytes.p + 9, in->bytes.n - 9);
    if (which >= f->tasks_n)
        return; /* a ping: he does not want to be in tables here */
    struct task *j = &f->tasks[which];
    if (in->bytes.p[0] == DATAGRAM_NODES) {
        struct datagram_nodes m;
        if (datagram_nodes_decode(&m, body, NULL, NULL) == 0) {
            memcpy(j->token, m.token.p, 8);
            write(f, j);
        }
    } else if (in->bytes.p[0] == DATAGRAM_ERROR) {
        struct datagram_error m;
        if (datagram_error_decode(&m, body, NULL, NULL) == 0)
            refused(f, j, &m);
    } else
        f->stored += in->bytes.p[0] == DATAGRAM_STORED;
}

static void plant(struct flood *f)
{
    static const struct dht_role flooder = {.datagram = answered};
    size_t prefixes =
        (size_t)(f->kind->prefixes * (f->kind->aim == TOPIC ? TOPIC_PLACES : f->knobs.values_most));
    for (size_t i = 0; i < f->machines; i++) {
        struct dht_place *p = &f->w->places[f->honest + i];
        struct addr a = address(prefixes ? i % prefixes : 0, prefixes ? i / prefixes : i);
        struct node_key key;
        p->pair = xmalloc(sizeof *p->pair);
        sign_keypair_new(p->pair, &f->w->rng);
        memcpy(key.b, p->pair->pk, 32);
        dht_world_plant(f->w, f->honest + i, &key, &a, &flooder, f);
    }
}

static void make_record(struct flood *f, size_t i)
{
    struct dht_place *p = &f->w->places[f->honest + i];
    struct dht_value v = {.kind = DHT_PROVIDER,
                          .seq = (uint64_t)f->w->now.unix_ms,
                          .expires_s = (uint64_t)(f->w->now.unix_ms / 1000) + 86400,
                          .topic = f->topic,
                          .addr = p->addr};
    memcpy(v.author, p->key.b, 32);
    MUST(dht_value_make(&f->values[i], &f->w->net, &v, dht_world_sign, p->pair) == 0);
    f->keys[i] = f->topic_key;
}

/* All values that he will write, and where. */
static void prepare(struct flood *f)
{
    size_t near[NEAR], places = f->knobs.values_most, each = places * 3 / 2;
    size_t values = f->kind->aim == TOPIC ? f->machines : f->kind->aim == AROUND ? VICTIMS * each : each;
    size_t targets = f->kind->aim == EVERYWHERE ? f->honest : NEAR;
    sign_keypair_new(&f->author, &f->w->rng);
    f->values_n = values;
    f->values = xcalloc(values, sizeof *f->values);
    f->keys = xcalloc(values, sizeof *f->keys);
    f->tasks = xcalloc(values * targets, sizeof *f->tasks);
    for (size_t i = 0; i < values; i++) {
        const struct id *victim = f->kind->aim == AROUND ? &f->old[i % VICTIMS].key : NULL;
        uint64_t tries = victim ? f->honest / 8 : 1;
        if (f->kind->aim == TOPIC)
            make_record(f, i);
        else
            pointer(f, &f->author, BODY, victim, tries, &f->keys[i], &f->values[i]);
        f->signatures++;
        f->tries += tries;
        if (f->kind->aim != EVERYWHERE) {
            /* The machines of the attack are no nodes: nobody has their engine. */
            struct id at = victim ? *victim : f->topic_key;
            size_t n = 0, found[64], m = dht_world_nearest(f->w, &at, found, 64);
            for (size_t k = 0; k < m && n < NEAR; k++)
                if (found[k] < f->honest)
                    near[n++] = found[k];
            targets = n;
        }
        for (size_t t = 0; t < targets; t++)
            f->tasks[f->tasks_n++] = (struct task){
                .value = (uint32_t)i, .node = (uint32_t)(f->kind->aim == EVERYWHERE ? t : near[t])};
    }
}

/* So many writes begin in each step that the flood lasts until the end. */
static void step(struct dht_world *w, void *arg)
{
    struct flood *f = arg;
    uint64_t past = w->now.mono_ms - f->begin_ms;
    size_t due = (size_t)((double)f->tasks_n * (double)past / FLOOD_MS);
    for (; f->begun < due && f->begun < f->tasks_n; f->begun++)
        ask_for_token(f, &f->tasks[f->begun]);
    if (past < FLOOD_MS)
        dht_world_at(w, w->now.mono_ms + STEP_MS, step, f);
}

/* ---- Honest people ---- */

static void look(struct dht_world *w, void *arg)
{
    struct flood *f = arg;
    for (size_t i = 0; i < f->honest; i++) {
        struct dht_stats s;
        dht_stats_read(w->places[i].dht, &s);
        f->values_most = s.values > f->values_most ? s.values : f->values_most;
        f->bytes_most = s.value_bytes > f->bytes_most ? s.value_bytes : f->bytes_most;
    }
    if (f->begin_ms == 0 || w->now.mono_ms - f->begin_ms < FLOOD_MS)
        dht_world_at(w, w->now.mono_ms + LOOK_MS, look, f);
}

static bool among(const struct flood *f, const struct dht_result *r, size_t from, size_t to)
{
    for (size_t i = 0; i < r->values_n; i++)
        for (size_t k = from; k < to; k++) {
            struct dht_value v;
            if (dht_value_read(&v, &f->w->net, f->w->now.unix_ms, r->values[i], false) == 0 &&
                memcmp(v.author, f->w->places[k].key.b, 32) == 0)
                return true;
        }
    return false;
}

static void result(void *arg, struct dht_world *w, size_t place, const struct dht_result *r)
{
    struct flood *f = arg;
    size_t which = r->cookie >> 3;
    (void)w;
    (void)place;
    if (r->cookie == 0)
        return;
    if (r->cookie & GET && f->kind->aim == TOPIC) { /* carriers: the first places, in order */
        f->old_tried++;
        f->fresh_tried++;
        f->old_good += among(f, r, 0, CARRIERS);
        f->fresh_good += among(f, r, CARRIERS, 2 * CARRIERS);
    } else if (r->cookie & GET) {
        const struct value *v = r->cookie & OLD ? &f->old[which] : &f->fresh[which];
        bool good = r->err == 0 && span_eq(r->values[0], buf_view(&v->bytes));
        *(r->cookie & OLD ? &f->old_tried : &f->fresh_tried) += 1;
        *(r->cookie & OLD ? &f->old_good : &f->fresh_good) += good;
    } else if (r->cookie & NEW) {
        f->put_tried++;
        f->put_good += r->err == 0;
        samples_add(&f->put_ms, r->took_ms);
    }
}

static void put(struct flood *f, const struct value *v, uint64_t cookie)
{
    int err;
    size_t by = rng_below(&f->w->rng, f->honest);
    MUST(dht_put_start(f->w->places[by].dht, f->w->now, buf_view(&v->bytes), NULL, cookie, &err) > 0);
    dht_world_touch(f->w, by);
}

static void announce(struct flood *f, size_t by, uint64_t cookie)
{
    MUST(dht_announce_start(f->w->places[by].dht, f->w->now, &f->topic, cookie) > 0);
    dht_world_touch(f->w, by);
}

static void before(struct flood *f)
{
    for (size_t i = 0; i < f->old_n; i++) {
        struct value *v = &f->old[i];
        sign_keypair_new(&v->author, &f->w->rng);
        pointer(f, &v->author, 8, NULL, 1, &v->key, &v->bytes);
        put(f, v, 0);
        dht_world_for(f->w, 20);
    }
    for (size_t i = 0; i < 2 * CARRIERS && f->kind->aim == TOPIC;
         i++) { /* answers tell them their addresses */
        dht_lookup_start(f->w->places[i].dht, f->w->now, &f->topic, 0, 0);
        dht_world_touch(f->w, i);
    }
    dht_world_for(f->w, 10000);
    for (size_t i = 0; i < CARRIERS && f->kind->aim == TOPIC; i++) {
        announce(f, i, 0);
        dht_world_for(f->w, 100);
    }
    dht_world_for(f->w, 60000);
}

static void during(struct flood *f)
{
    dht_world_for(f->w, 300000);
    size_t n = f->kind->aim == TOPIC ? CARRIERS : FRESH;
    for (size_t i = 0; i < n; i++) {
        struct value *v = &f->fresh[i];
        if (f->kind->aim == TOPIC)
            announce(f, CARRIERS + i, NEW | i << 3);
        else {
            const struct id *near = f->kind->aim == AROUND ? &f->old[i % VICTIMS].key : NULL;
            sign_keypair_new(&v->author, &f->w->rng);
            pointer(f, &v->author, 8, near, near ? f->honest / 8 : 1, &v->key, &v->bytes);
            put(f, v, NEW | i << 3);
        }
        dht_world_for(f->w, 300000 / n);
    }
    dht_world_for(f->w, 150000);
    for (size_t i = 0; i < GETS; i++) {
        size_t by = rng_below(&f->w->rng, f->honest);
        struct dht *d = f->w->places[by].dht;
        size_t old = f->kind->aim == AROUND ? i % VICTIMS : rng_below(&f->w->rng, f->old_n),
               new = i % FRESH;
        if (f->kind->aim == TOPIC)
            dht_providers_start(d, f->w->now, &f->topic, DHT_CAREFUL, GET);
        else {
            dht_get_start(d, f->w->now, DHT_POINTER, &f->old[old].key, DHT_CAREFUL, GET | OLD | old << 3);
            dht_get_start(d, f->w->now, DHT_POINTER, &f->fresh[new].key, DHT_CAREFUL, GET | NEW | new << 3);
        }
        dht_world_touch(f->w, by);
        dht_world_for(f->w, 100);
    }
    dht_world_for(f->w, FLOOD_MS + 120000 - (f->w->now.mono_ms - f->begin_ms)); /* who waits comes back */
}

/* How many replicas of the old values are in the stores; lost: of how many values there are none. */
static uint64_t replicas(struct flood *f, uint64_t *lost)
{
    struct map count;
    uint64_t n = 0;
    struct dht_held *held = xcalloc(f->knobs.values_most, sizeof *held);
    uint8_t *there = xcalloc(f->old_n + CARRIERS, 1);
    map_init(&count, 32, &f->w->rng);
    size_t all_n = f->kind->aim == TOPIC ? CARRIERS : f->kind->aim == AROUND ? VICTIMS : f->old_n;
    for (size_t i = 0; i < all_n; i++)
        map_put(&count, f->kind->aim == TOPIC ? (const void *)&f->w->places[i].key : &f->old[i].key,
                &there[i]);
    for (size_t i = 0; i < f->honest; i++) {
        size_t m = dht_held(f->w->places[i].dht, f->w->now.mono_ms, 0, held, f->knobs.values_most);
        for (size_t k = 0; k < m && k < f->knobs.values_most; k++) {
            uint8_t *one =
                map_get(&count, f->kind->aim == TOPIC ? (const void *)held[k].author : &held[k].key);
            n += one != NULL;
            if (one)
                *one = 1;
        }
    }
    *lost = 0;
    for (size_t i = 0; i < all_n; i++)
        *lost += !there[i];
    map_free(&count);
    free(there);
    free(held);
    return n;
}

static void run(const struct kind *kind, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                struct harm_of_flood *out)
{
    struct flood f = {.kind = kind, .knobs = *knobs, .honest = nodes};
    size_t prefixes = (size_t)(kind->prefixes * (kind->aim == TOPIC ? TOPIC_PLACES : knobs->values_most));
    f.machines = kind->aim == TOPIC ? 4 * TOPIC_PLACES : prefixes ? prefixes : 16;
    struct dht_world_config c = {.places = nodes + f.machines,
                                 .seed = seed,
                                 .keys = true,
                                 .knobs = knobs,
                                 .arg = &f,
                                 .on_result = result};
    f.w = dht_world_new(&c);
    f.old_n = kind->aim == TOPIC ? 1 : nodes * knobs->values_most / knobs->replicas / 4;
    f.old = xcalloc(f.old_n, sizeof *f.old);
    rng_bytes(&f.w->rng, f.topic.b, 32);
    dht_key_topic(&f.topic_key, &f.w->net, &f.topic);
    dht_world_fill(f.w, nodes);
    dht_world_for(f.w, 60000);
    before(&f);
    uint64_t lost, had = replicas(&f, &lost);
    bool stood = lost == 0;
    plant(&f);
    prepare(&f);
    f.begin_ms = f.w->now.mono_ms;
    step(f.w, &f);
    look(f.w, &f);
    during(&f);
    uint64_t have = replicas(&f, &lost), gone = had > have ? had - have : 0;
    size_t all_n = kind->aim == TOPIC ? CARRIERS : kind->aim == AROUND ? VICTIMS : f.old_n;
    *out = (struct harm_of_flood){.old = percent(f.old_good, f.old_tried),
                                  .fresh = percent(f.fresh_good, f.fresh_tried),
                                  .put = percent(f.put_good, f.put_tried),
                                  .lost = percent(lost, all_n),
                                  .displaced = percent(gone, had),
                                  .put_ms = samples_at(&f.put_ms, .5),
                                  .put_ms_p99 = samples_at(&f.put_ms, .99),
                                  .values_most = f.values_most,
                                  .bytes_most = f.bytes_most,
                                  .datagrams = gone ? (double)f.datagrams / (double)gone : 0,
                                  .signatures = gone ? (double)f.signatures / (double)gone : 0,
                                  .sent = f.datagrams,
                                  .signed_n = f.signatures,
                                  .stored = f.stored};
    out->stood = stood;
    out->bounded = f.values_most <= knobs->values_most && f.bytes_most <= knobs->value_bytes_most;
    dht_world_free(f.w);
    for (size_t i = 0; i < f.old_n; i++)
        buf_free(&f.old[i].bytes);
    for (size_t i = 0; i < FRESH; i++)
        buf_free(&f.fresh[i].bytes);
    for (size_t i = 0; i < f.values_n; i++)
        buf_free(&f.values[i]);
    free(f.old);
    free(f.values);
    free(f.keys);
    free(f.tasks);
    samples_free(&f.put_ms);
}

static void print(const struct kind *k, const struct harm_of_flood *h, bool on)
{
    char price[64] = "nothing displaced";
    if (h->datagrams > 0)
        snprintf(price, sizeof price, "%.1f datagrams, %.2f signatures", h->datagrams, h->signatures);
    printf("  %-40s %-3s | %6.2f %6.2f %6.2f | %6.2f %6.2f | %6u %6u | %5u %7u | %s\n", on ? "" : k->name,
           on ? "on" : "off", h->old, h->fresh, h->put, h->displaced, h->lost, h->put_ms, h->put_ms_p99,
           h->values_most, h->bytes_most, price);
}

static void plot(const struct kind *k, size_t nodes, const struct harm_of_flood h[2])
{
    char name[64];
    snprintf(name, sizeof name, "%s", k->name);
    for (char *c = name; *c; c++)
        *c = *c == ' ' ? '_' : *c;
    printf("plot flood nodes=%zu name=%s", nodes, name);
    for (int i = 0; i < 2; i++) {
        const char *x = i ? "on" : "off";
        printf(" %s_old=%.2f %s_fresh=%.2f %s_put=%.2f %s_displaced=%.2f %s_lost=%.2f %s_ms=%u "
               "%s_ms_p99=%u %s_values=%u %s_bytes=%u %s_datagrams=%.2f %s_signatures=%.3f",
               x, h[i].old, x, h[i].fresh, x, h[i].put, x, h[i].displaced, x, h[i].lost, x, h[i].put_ms, x,
               h[i].put_ms_p99, x, h[i].values_most, x, h[i].bytes_most, x, h[i].datagrams, x,
               h[i].signatures);
    }
    printf("\n");
}

bool attack_floods(bool small, size_t nodes, uint64_t seed)
{
    bool ok = true;
    struct dht_knobs knobs[2];
    flood_knobs(&knobs[0], small, false);
    flood_knobs(&knobs[1], small, true);
    printf(
        "  Floods: %zu honest nodes with %u places of %u bytes in a store.  Per cent: old values got, "
        "fresh "
        "ones got,\n  fresh puts that succeed | old replicas displaced, old values lost | a fresh put: ms "
        "(median, 99 %%) |\n  most values, bytes in a store | what a displaced replica costs\n",
        nodes, knobs[1].values_most, RESERVE);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const struct kind *k = &all[i];
        struct harm_of_flood h[2];
        if (small && !k->small)
            continue;
        for (int on = 0; on < 2; on++) {
            run(k, &knobs[on], nodes, seed, &h[on]);
            print(k, &h[on], on);
            fflush(stdout);
        }
        if (h[1].old < k->old_on || h[1].fresh < k->fresh_on || h[1].put < k->put_on ||
            h[0].old > k->at_off) {
            printf("  ^ promised: with defences at least %.0f, %.0f, %.0f %%, without at most %.0f %%\n",
                   k->old_on, k->fresh_on, k->put_on, k->at_off);
            ok = false;
        }
        if (!h[0].stood || !h[1].stood) {
            printf("  ^ there was no field to flood\n");
            ok = false;
        }
        if (!h[0].bounded || !h[1].bounded) {
            printf("  ^ a store passed its bounds\n");
            ok = false;
        }
        plot(k, nodes, h);
    }
    return ok;
}
