/* dht_world.c: virtual time, the map, NAT, and machines that come and go, for dht_world.h.
 *
 * Datagrams and wakes lie in a wheel of one-millisecond slots, first in first out; what is farther off than
 * the wheel is long is looked at again when its turn has come.  Departures and the scenarios' own timers
 * lie in heaps. */
#include "tests/sim/dht_world.h"
#include "crypto/base/err.h"
#include <math.h>
#include <sodium.h>
#include <stdlib.h>

enum { WHEEL = 1 << 15, HOLES = 64, REGIONS = 7, FACTORS = 256, PEERS_OF_A_NEWCOMER = 3 };

struct item { /* a datagram, or a wake */
    struct item *next;
    struct addr from, to;
    struct node_key key;
    uint64_t wake_at; /* a wake: of place, for its machine number serial */
    uint32_t place, serial;
    bool wakes, injected;
    uint32_t n;
    uint8_t bytes[];
};
struct timer {
    struct heap_entry e; /* first */
    void (*fn)(struct dht_world *, void *);
    void *arg;
};
struct dht_inside {
    struct {
        struct item *first, **end;
    } wheel[WHEEL];
    struct heap timers, leaves;
    struct map by_addr; /* → struct dht_place, of machines that are up */
    struct dht_out out;
    struct buf sealed, opened;
    double scale_ms; /* of session lengths */
    float factors[FACTORS];
    uint32_t serials;
    const struct addr *claimed; /* by the injected datagram that is being dealt with */
};

/* Round trips in ms between Europe, the east and the west of North America, East Asia, South and South-East
 * Asia, South America, Oceania; and how many of a hundred machines are there. */
static const uint16_t region_rtt[REGIONS][REGIONS] = {
    {18, 90, 145, 230, 150, 200, 270}, {90, 18, 65, 180, 210, 125, 205},
    {145, 65, 14, 115, 190, 175, 150}, {230, 180, 115, 30, 80, 280, 120},
    {150, 210, 190, 80, 40, 310, 130}, {200, 125, 175, 280, 310, 30, 290},
    {270, 205, 150, 120, 130, 290, 20}};
static const uint8_t region_share[REGIONS] = {35, 18, 12, 17, 8, 7, 3};

static double unit(struct rng *r) /* 0 < x <= 1 */
{
    return ((double)(rng_u64(r) >> 11) + 1) / 9007199254740992.0;
}

static double exponential(struct rng *r)
{
    return -log(unit(r));
}

static double normal(struct rng *r) /* Box and Muller */
{
    return sqrt(2 * exponential(r)) * cos(6.283185307179586 * unit(r));
}

static bool draw(struct dht_world *w, double share)
{
    return share > 0 && unit(&w->rng) <= share;
}

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Of a Weibull life of shape 1/2 and scale 1 that is under way, 1 − (1 + u) e^−u ends within u². */
static double scale_for(double replaced)
{
    double low = 0, high = 40;
    for (int i = 0; i < 60; i++) {
        double u = (low + high) / 2;
        if (1 - (1 + u) * exp(-u) < replaced)
            low = u;
        else
            high = u;
    }
    return 3600000.0 / (low * low);
}

struct dht_world *dht_world_new(const struct dht_world_config *config)
{
    struct dht_world *w = xcalloc(1, sizeof *w);
    w->config = *config;
    w->config.keys |= config->sealed || config->puzzle_bits > 0;
    MUST(network_make(&w->net, "sim", 0, config->puzzle_bits, config->loopback) == 0);
    MUST(config->replaced < 1 && config->places < UINT32_MAX);
    rng_seed_u64(&w->rng, config->seed);
    w->pool = dht_contacts_new(&w->rng);
    w->now = (struct clock){1000, INT64_C(1790000000000)};
    w->n = config->places;
    w->places = xcalloc(w->n, sizeof *w->places);
    struct dht_inside *in = w->inside = xcalloc(1, sizeof *in);
    for (size_t i = 0; i < WHEEL; i++)
        in->wheel[i].end = &in->wheel[i].first;
    map_init(&in->by_addr, sizeof(struct addr), &w->rng);
    if (config->replaced > 0)
        in->scale_ms = scale_for(config->replaced);
    for (int i = 0; i < FACTORS; i++)
        in->factors[i] = (float)exp(0.11 * normal(&w->rng));
    return w;
}

void dht_world_free(struct dht_world *w)
{
    if (!w)
        return;
    struct dht_inside *in = w->inside;
    for (size_t i = 0; i < w->n; i++) {
        dht_world_kill(w, i);
        free(w->places[i].pair);
    }
    for (size_t i = 0; i < WHEEL; i++)
        for (struct item *it = in->wheel[i].first, *next; it; it = next) {
            next = it->next;
            free(it);
        }
    for (struct heap_entry *e; (e = heap_first(&in->timers)) != NULL;) {
        heap_remove(&in->timers, e);
        free(e);
    }
    heap_free(&in->timers);
    heap_free(&in->leaves);
    map_free(&in->by_addr);
    dht_out_free(&in->out);
    buf_free(&in->sealed);
    buf_free(&in->opened);
    dht_contacts_free(w->pool);
    free(in);
    free(w->places);
    free(w);
}

static void push(struct dht_world *w, struct item *it, uint64_t at_ms)
{
    struct dht_inside *in = w->inside;
    uint64_t last = w->now.mono_ms + WHEEL - 1;
    uint64_t at = at_ms < w->now.mono_ms ? w->now.mono_ms : at_ms > last ? last : at_ms;
    it->next = NULL;
    *in->wheel[at % WHEEL].end = it;
    in->wheel[at % WHEEL].end = &it->next;
}

static void wake_at(struct dht_world *w, struct dht_place *p, uint64_t at_ms)
{
    at_ms = at_ms < w->now.mono_ms ? w->now.mono_ms : at_ms;
    if (at_ms >= p->wake_at)
        return; /* the wake under way comes first, and asks again */
    uint64_t last = w->now.mono_ms + WHEEL - 1;
    p->wake_at = at_ms > last ? last : at_ms;
    struct item *it = xcalloc(1, sizeof *it);
    *it = (struct item){
        .wakes = true, .place = (uint32_t)(p - w->places), .serial = p->serial, .wake_at = p->wake_at};
    push(w, it, p->wake_at);
}

void dht_world_wake(struct dht_world *w, size_t place, uint64_t at_ms)
{
    wake_at(w, &w->places[place], at_ms);
}

void dht_world_touch(struct dht_world *w, size_t place)
{
    struct dht_place *p = &w->places[place];
    if (!p->dht)
        return;
    uint64_t at = dht_next_wake(p->dht);
    if (at != UINT64_MAX)
        wake_at(w, p, at);
}

/* The map. */

static void settle(struct dht_world *w, struct dht_place *p)
{
    uint64_t at = rng_below(&w->rng, 100);
    uint8_t region = 0;
    while (at >= region_share[region])
        at -= region_share[region++];
    p->region = region;
    p->x = (float)(15 * normal(&w->rng));
    p->y = (float)(15 * normal(&w->rng));
    p->access = (float)(12 * exp(0.9 * normal(&w->rng)));
}

static double round_trip(const struct dht_world *w, const struct dht_place *a, const struct dht_place *b)
{
    double dx = a->x - b->x, dy = a->y - b->y;
    uint64_t low = a->serial < b->serial ? a->serial : b->serial;
    uint64_t high = a->serial < b->serial ? b->serial : a->serial;
    double ms = region_rtt[a->region][b->region] + sqrt(dx * dx + dy * dy) + a->access + b->access;
    return ms * w->inside->factors[mix(high << 32 | low) % FACTORS];
}

double dht_world_rtt(const struct dht_world *w, size_t a, size_t b)
{
    return round_trip(w, &w->places[a], &w->places[b]);
}

static uint64_t one_way_ms(struct dht_world *w, const struct dht_place *a, const struct dht_place *b)
{
    uint32_t fixed = w->config.delay_ms;
    if (fixed)
        return fixed / 2 + rng_below(&w->rng, fixed + 1);
    double ms = (b ? round_trip(w, a, b) / 2 : 50) + 2 * exponential(&w->rng);
    uint64_t most = WHEEL / 2;
    return ms < 1 ? 1 : ms > (double)most ? most : (uint64_t)ms;
}

/* A public address; one in ten lies in the /24 of somebody else. */
static struct addr address(struct dht_world *w, uint32_t serial)
{
    struct addr a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, (uint16_t)(1000 + serial)};
    if (w->config.loopback) {
        MUST(serial < 60000);
        return a;
    }
    do {
        uint64_t r = rng_u64(&w->rng);
        const struct dht_place *other = &w->places[(r >> 8) % w->n];
        if (r % 10 == 0 && other->up && addr_is_ipv4(&other->addr))
            memcpy(a.ip, other->addr.ip, 15);
        else
            for (int i = 0; i < 3; i++)
                a.ip[12 + i] = (uint8_t)(r >> (40 + 8 * i));
        a.ip[15] = (uint8_t)(r >> 32);
        a.port = (uint16_t)(1024 + rng_below(&w->rng, 60000));
    } while (a.ip[12] == 0 || a.ip[12] >= 224 || addr_is_private(&a) || map_get(&w->inside->by_addr, &a));
    return a;
}

/* Machines. */

static void switch_on(struct dht_world *w, struct dht_place *p)
{
    p->up = true;
    p->wake_at = UINT64_MAX;
    p->started_ms = p->counted_ms = w->now.mono_ms;
    p->sent = p->sent_bytes = p->received = p->received_bytes = 0;
    if (p->reach != REACH_OPEN)
        p->holes = xcalloc(HOLES, sizeof *p->holes);
    map_put(&w->inside->by_addr, &p->addr, p);
    w->stats.started++;
}

static void start_engine(struct dht_world *w, size_t place, enum dht_reach reach,
                         const struct dht_knobs *knobs)
{
    struct dht_place *p = &w->places[place];
    MUST(place < w->n && !p->up);
    p->reach = reach;
    struct dht_config c = {.net = &w->net,
                           .self = p->key,
                           .rng = &w->rng,
                           .contacts = w->pool,
                           .knobs = knobs ? knobs : w->config.knobs,
                           .sign = p->pair ? dht_world_sign : NULL,
                           .sign_arg = p->pair,
                           .client = reach == REACH_CLIENT};
    p->dht = dht_new(&c, w->now);
    if (w->config.sealed)
        p->seal = dht_seal_new(&w->net, p->pair->sk, &w->rng, w->config.seal_knobs);
    switch_on(w, p);
    dht_world_touch(w, place);
}

void dht_world_restart(struct dht_world *w, size_t place, enum dht_reach reach)
{
    start_engine(w, place, reach, NULL);
}

void dht_world_start_as(struct dht_world *w, size_t place, enum dht_reach reach, const struct node_key *key,
                        const struct addr *addr, const struct dht_knobs *knobs)
{
    struct dht_place *p = &w->places[place];
    MUST(!w->config.sealed || (p->pair && memcmp(p->pair->pk, key->b, 32) == 0));
    p->serial = ++w->inside->serials;
    p->key = *key;
    p->addr = addr ? *addr : address(w, p->serial);
    settle(w, p);
    start_engine(w, place, reach, knobs);
}

void dht_world_start(struct dht_world *w, size_t place, enum dht_reach reach)
{
    struct dht_place *p = &w->places[place];
    struct node_key key;
    if (w->config.keys) {
        uint8_t seed[32];
        dht_key_grind(seed, &key, &w->net, &w->rng);
        if (!p->pair)
            p->pair = xmalloc(sizeof *p->pair);
        sign_keypair_from_seed(p->pair, seed);
    } else
        rng_bytes(&w->rng, key.b, sizeof key.b);
    dht_world_start_as(w, place, reach, &key, NULL, NULL);
}

void dht_world_plant(struct dht_world *w, size_t place, const struct node_key *key, const struct addr *addr,
                     const struct dht_role *role, void *arg)
{
    struct dht_place *p = &w->places[place];
    MUST(!p->up && place < w->n && !map_get(&w->inside->by_addr, addr));
    p->serial = ++w->inside->serials;
    p->key = *key;
    p->addr = *addr;
    p->reach = REACH_OPEN;
    settle(w, p);
    switch_on(w, p);
    dht_world_role(w, place, role, arg);
}

void dht_world_role(struct dht_world *w, size_t place, const struct dht_role *role, void *arg)
{
    w->places[place].role = role;
    w->places[place].role_arg = arg;
    heap_remove(&w->inside->leaves, &w->places[place].leave);
}

void dht_world_kill(struct dht_world *w, size_t place)
{
    struct dht_place *p = &w->places[place];
    if (p->up) {
        map_del(&w->inside->by_addr, &p->addr);
        heap_remove(&w->inside->leaves, &p->leave);
        dht_free(p->dht);
        dht_seal_free(p->seal);
        free(p->holes);
        p->dht = NULL;
        p->seal = NULL;
        p->holes = NULL;
        p->role = NULL;
        p->up = false;
    }
}

static enum dht_reach draw_reach(struct dht_world *w)
{
    double x = unit(&w->rng);
    return x <= w->config.clients                      ? REACH_CLIENT
           : x <= w->config.clients + w->config.hidden ? REACH_HIDDEN
                                                       : REACH_OPEN;
}

/* fresh: the machine has just been bought; else a random moment of its life. */
static void draw_session(struct dht_world *w, struct dht_place *p, bool fresh)
{
    struct dht_inside *in = w->inside;
    if (in->scale_ms <= 0)
        return;
    double e = exponential(&w->rng);
    if (!fresh) /* the length of the session that a random moment finds has x² of Gamma(3) */
        e += exponential(&w->rng) + exponential(&w->rng);
    double ms = in->scale_ms * e * e * (fresh ? 1 : unit(&w->rng));
    heap_set(&in->leaves, &p->leave, w->now.mono_ms + 1 + (uint64_t)(ms < 1e15 ? ms : 1e15));
}

size_t dht_world_someone(struct dht_world *w, bool open)
{
    for (;;) {
        size_t i = rng_below(&w->rng, w->n);
        if (w->places[i].up && (!open || w->places[i].reach == REACH_OPEN))
            return i;
    }
}

void dht_world_join(struct dht_world *w, size_t place, size_t by)
{
    struct dht_peer peers[PEERS_OF_A_NEWCOMER];
    size_t n = by == SIZE_MAX ? PEERS_OF_A_NEWCOMER : 1;
    for (size_t i = 0; i < n; i++) {
        size_t j = by == SIZE_MAX ? dht_world_someone(w, true) : by;
        peers[i] = (struct dht_peer){w->places[j].key, w->places[j].addr};
    }
    dht_bootstrap(w->places[place].dht, w->now, peers, n);
    dht_world_touch(w, place);
}

static void replace(struct dht_world *w, struct dht_place *p)
{
    size_t place = (size_t)(p - w->places);
    if (w->config.on_leave)
        w->config.on_leave(w->config.arg, w, place);
    dht_world_kill(w, place);
    w->stats.left++;
    dht_world_start(w, place, draw_reach(w));
    draw_session(w, p, true);
    dht_world_join(w, place, SIZE_MAX);
    if (w->config.on_start)
        w->config.on_start(w->config.arg, w, place);
}

void dht_world_grow(struct dht_world *w, size_t places, uint64_t apart_ms)
{
    for (size_t i = 0; i < places; i++) {
        if (w->places[i].up)
            continue;
        dht_world_start(w, i, i < 4 ? REACH_OPEN : draw_reach(w));
        draw_session(w, &w->places[i], false);
        if (i)
            dht_world_join(w, i, i < 8 ? 0 : SIZE_MAX);
        dht_world_for(w, apart_ms);
    }
}

/* Filling from outside: open machines in order of their ids; a bucket is a range of them. */
struct row {
    struct id id;
    uint32_t place;
};

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct row *)a)->id.b, ((const struct row *)b)->id.b, 32);
}

static struct row *rows_of(const struct dht_world *w, size_t *n)
{
    struct row *rows = xcalloc(w->n, sizeof *rows);
    *n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (w->places[i].up && w->places[i].reach == REACH_OPEN && w->places[i].dht)
            rows[(*n)++] = (struct row){*dht_self(w->places[i].dht), (uint32_t)i};
    qsort(rows, *n, sizeof *rows, by_id);
    return rows;
}

/* The first row of [low, high) whose bit is set; all of them share the bits before. */
static size_t split(const struct row *rows, size_t low, size_t high, uint32_t bit)
{
    while (low < high) {
        size_t at = low + (high - low) / 2;
        if (rows[at].id.b[bit / 8] >> (7 - bit % 8) & 1)
            high = at;
        else
            low = at + 1;
    }
    return low;
}

static void add_bucket(struct dht_world *w, const struct row *rows, size_t low, size_t high, uint32_t k,
                       struct buf *out)
{
    size_t n = high - low, picked[256], m = 0;
    k = k > 255 ? 255 : k;
    while (m < (n < k ? n : k)) {
        size_t at = n <= k ? m : rng_below(&w->rng, n);
        bool twice = false;
        for (size_t i = 0; i < m; i++)
            twice |= picked[i] == at;
        if (twice)
            continue;
        picked[m++] = at;
        const struct dht_place *p = &w->places[rows[low + at].place];
        buf_append(out, p->key.b, 32);
        buf_append(out, p->addr.ip, 16);
        be16_put(buf_grow(out, 2), p->addr.port);
    }
}

void dht_world_fill(struct dht_world *w, size_t places)
{
    struct dht_knobs knobs;
    dht_knobs_default(&knobs);
    uint32_t k = w->config.knobs ? w->config.knobs->k : knobs.k;
    for (size_t i = 0; i < places; i++)
        if (!w->places[i].up) {
            dht_world_start(w, i, i < 4 ? REACH_OPEN : draw_reach(w));
            draw_session(w, &w->places[i], false);
        }
    size_t n;
    struct row *rows = rows_of(w, &n);
    struct buf table = {0};
    for (size_t i = 0; i < w->n; i++) {
        if (!w->places[i].dht)
            continue;
        const struct id *self = dht_self(w->places[i].dht);
        size_t low = 0, high = n;
        buf_clear(&table);
        for (uint32_t bit = 0; low < high && bit < 256; bit++) {
            size_t at = split(rows, low, high, bit);
            bool one = self->b[bit / 8] >> (7 - bit % 8) & 1;
            add_bucket(w, rows, one ? low : at, one ? at : high, k, &table);
            if (one)
                low = at;
            else
                high = at;
        }
        MUST(dht_table_restore(w->places[i].dht, w->now, buf_view(&table), true) == 0);
        dht_world_touch(w, i);
    }
    buf_free(&table);
    free(rows);
}

bool dht_world_there(const struct dht_world *w, const struct addr *addr)
{
    return map_get(&w->inside->by_addr, addr) != NULL;
}

size_t dht_world_find(const struct dht_world *w, const struct node_key *key)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->places[i].up && node_key_eq(&w->places[i].key, key))
            return i;
    return SIZE_MAX;
}

size_t dht_world_nearest(const struct dht_world *w, const struct id *target, size_t *out, size_t n)
{
    uint64_t best[64], want = be64_get(target->b);
    size_t m = 0;
    n = n > 64 ? 64 : n;
    if (!n)
        return 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct dht_place *p = &w->places[i];
        if (!p->up || p->reach != REACH_OPEN)
            continue;
        struct id id;
        if (p->dht)
            id = *dht_self(p->dht);
        else
            dht_id(&id, &w->net, &p->key);
        uint64_t distance = be64_get(id.b) ^ want;
        if (m == n && distance >= best[m - 1])
            continue;
        size_t at = m < n ? m++ : m - 1;
        for (; at > 0 && best[at - 1] > distance; at--) {
            best[at] = best[at - 1];
            out[at] = out[at - 1];
        }
        best[at] = distance;
        out[at] = i;
    }
    return m;
}

/* Datagrams. */

static uint64_t address_hash(const struct addr *a)
{
    uint64_t high = be64_get(a->ip), low = be64_get(a->ip + 8);
    return mix(mix(high ^ (uint64_t)a->port << 17) ^ low) | 1;
}

static void open_hole(struct dht_world *w, struct dht_place *p, const struct addr *to)
{
    uint64_t mark = address_hash(to);
    struct dht_hole *hole = NULL;
    for (int i = 0; i < HOLES && !hole; i++)
        if (p->holes[i].mark == mark)
            hole = &p->holes[i];
    if (!hole)
        hole = &p->holes[p->holes_at++ % HOLES];
    *hole = (struct dht_hole){mark, w->now.mono_ms + DHT_WORLD_NAT_MS};
}

static bool let_in(const struct dht_world *w, const struct dht_place *p, const struct addr *from)
{
    uint64_t mark = address_hash(from);
    for (int i = 0; i < HOLES; i++)
        if (p->holes[i].mark == mark)
            return w->now.mono_ms <= p->holes[i].until_ms;
    return false;
}

static void carry(struct dht_world *w, struct dht_place *p, const struct addr *from,
                  const struct node_key *key, const struct addr *to, struct span bytes)
{
    uint64_t wire = bytes.n + DHT_WORLD_HEADERS + (w->config.sealed ? 0 : DHT_OUTER_BYTES);
    p->sent++;
    p->sent_bytes += wire;
    if (w->inside->claimed && addr_eq(w->inside->claimed, to))
        w->injected.back_bytes += wire - DHT_WORLD_HEADERS;
    w->stats.datagrams++;
    w->stats.bytes += wire;
    w->digest = mix(w->digest + w->now.mono_ms) ^ mix((uint64_t)p->serial << 32 | bytes.n);
    if (p->holes)
        open_hole(w, p, to);
    if (draw(w, w->config.loss)) {
        w->stats.lost++;
        return;
    }
    struct item *it = xmalloc(sizeof *it + bytes.n);
    *it = (struct item){.from = *from, .to = *to, .key = *key, .n = (uint32_t)bytes.n};
    memcpy(it->bytes, bytes.p, bytes.n);
    const struct dht_place *other = map_get(&w->inside->by_addr, to);
    push(w, it, w->now.mono_ms + one_way_ms(w, p, other));
}

void dht_world_send(struct dht_world *w, size_t place, const struct addr *from, const struct node_key *key,
                    const struct addr *to, struct span bytes)
{
    struct dht_place *p = &w->places[place];
    (void)key; /* the receiver's: the outer layer would need it */
    MUST(!w->config.sealed && bytes.n <= DHT_PLAIN_MOST);
    carry(w, p, from ? from : &p->addr, &p->key, to, bytes);
}

void dht_world_inject(struct dht_world *w, const struct addr *from, const struct node_key *key,
                      const struct addr *to, struct span bytes, uint64_t at_ms)
{
    struct item *it = xmalloc(sizeof *it + bytes.n);
    *it = (struct item){.from = *from, .to = *to, .injected = true, .n = (uint32_t)bytes.n};
    if (key)
        it->key = *key;
    memcpy(it->bytes, bytes.p, bytes.n);
    push(w, it, at_ms);
}

/* Sends what the engine wants sent, takes its results, asks when it wants to be woken. */
static void flush(struct dht_world *w, size_t place)
{
    struct dht_inside *in = w->inside;
    struct dht_place *p = &w->places[place];
    for (size_t i = 0; i < in->out.n; i++) {
        const struct dht_send *s = &in->out.v[i];
        struct span bytes = dht_out_bytes(&in->out, s);
        if (p->role && p->role->sends && !p->role->sends(w, place, s, bytes))
            continue;
        if (p->seal) {
            buf_clear(&in->sealed);
            MUST(dht_seal_wrap(p->seal, w->now.mono_ms, &s->key, bytes, &in->sealed) == 0);
            bytes = buf_view(&in->sealed);
        }
        carry(w, p, &p->addr, &p->key, &s->to, bytes);
    }
    dht_out_clear(&in->out);
    const struct dht_result *r;
    while (w->config.on_result && (r = dht_result_next(p->dht)) != NULL)
        w->config.on_result(w->config.arg, w, place, r);
    dht_world_touch(w, place);
}

void dht_world_engine(struct dht_world *w, size_t place, const struct dht_letter *in)
{
    struct dht_place *p = &w->places[place];
    size_t limit = w->config.unlimited ? DHT_PLAIN_MOST : in->bytes.n;
    int what = dht_datagram(p->dht, w->now, &in->from, &in->key, in->bytes, limit, &w->inside->out);
    if (w->inside->claimed) {
        w->injected.requests += what == DHT_REQUEST;
        w->injected.answers += what == DHT_ANSWER;
    }
    if (what == DHT_ANSWER && p->seal)
        dht_seal_prove(p->seal, &in->key);
    flush(w, place);
}

static void deliver(struct dht_world *w, const struct item *it)
{
    struct dht_place *p = map_get(&w->inside->by_addr, &it->to);
    if (!p) {
        w->stats.nobody++;
        return;
    }
    if (p->holes && !let_in(w, p, &it->from)) {
        w->stats.shut_out++;
        return;
    }
    p->received++;
    p->received_bytes += it->n + DHT_WORLD_HEADERS + (w->config.sealed ? 0u : DHT_OUTER_BYTES);
    struct dht_letter in = {it->from, it->key, span(it->bytes, it->n)};
    size_t place = (size_t)(p - w->places);
    if (w->config.on_arrive && !it->injected)
        w->config.on_arrive(w->config.arg, w, place, &in);
    if (p->seal) {
        struct buf *plain = &w->inside->opened;
        buf_clear(plain);
        if (dht_seal_open(p->seal, w->now.mono_ms, &in.from, in.bytes, &in.key, plain) != 0)
            return;
        in.bytes = buf_view(plain);
    }
    w->injected.opened += it->injected;
    if (p->role && p->role->datagram)
        p->role->datagram(w, place, &in);
    else if (p->dht)
        dht_world_engine(w, place, &in);
}

static void deliver_injected(struct dht_world *w, const struct item *it)
{
    const struct dht_place *p = map_get(&w->inside->by_addr, &it->to);
    struct dht_stats before = {0}, after = {0};
    struct dht_seal_stats seal_before = {0}, seal_after = {0};
    if (!p || !p->dht)
        return;
    uint64_t bytes = it->n + (w->config.sealed ? 0u : DHT_OUTER_BYTES), back = w->injected.back_bytes;
    w->injected.datagrams++;
    w->injected.bytes += bytes;
    dht_stats_read(p->dht, &before);
    if (p->seal)
        dht_seal_stats_read(p->seal, &seal_before);
    w->inside->claimed = &it->from;
    deliver(w, it);
    w->inside->claimed = NULL;
    dht_stats_read(p->dht, &after);
    if (p->seal)
        dht_seal_stats_read(p->seal, &seal_after);
    back = w->injected.back_bytes - back;
    if (back > bytes) {
        w->injected.over++;
        w->injected.over_bytes += bytes;
        w->injected.over_back += back;
    }
    w->injected.hosted += after.hosted - before.hosted;
    w->injected.curves += seal_after.curves - seal_before.curves;
}

static void wake(struct dht_world *w, const struct item *it)
{
    struct dht_place *p = &w->places[it->place];
    if (!p->up || p->serial != it->serial || p->wake_at != it->wake_at)
        return;
    p->wake_at = UINT64_MAX;
    if (p->role && p->role->wake)
        p->role->wake(w, it->place);
    if (!p->dht)
        return;
    if (dht_next_wake(p->dht) <= w->now.mono_ms)
        dht_wake(p->dht, w->now, &w->inside->out);
    flush(w, it->place);
}

void dht_world_at(struct dht_world *w, uint64_t at_ms, void (*fn)(struct dht_world *, void *), void *arg)
{
    struct timer *t = xcalloc(1, sizeof *t);
    t->fn = fn;
    t->arg = arg;
    heap_set(&w->inside->timers, &t->e, at_ms);
}

/* All that is due in this millisecond. */
static void run_now(struct dht_world *w)
{
    struct dht_inside *in = w->inside;
    size_t slot = w->now.mono_ms % WHEEL;
    for (struct heap_entry *e;;)
        if ((e = heap_first(&in->timers)) != NULL && e->at <= w->now.mono_ms) {
            struct timer t = *(struct timer *)e;
            heap_remove(&in->timers, e);
            free(e);
            t.fn(w, t.arg);
        } else if ((e = heap_first(&in->leaves)) != NULL && e->at <= w->now.mono_ms) {
            heap_remove(&in->leaves, e);
            replace(w, (struct dht_place *)e);
        } else if (in->wheel[slot].first) {
            struct item *it = in->wheel[slot].first;
            in->wheel[slot].first = it->next;
            __builtin_prefetch(it->next); /* it has not been touched for a while */
            if (!it->next)
                in->wheel[slot].end = &in->wheel[slot].first;
            if (it->wakes)
                wake(w, it);
            else if (it->injected)
                deliver_injected(w, it);
            else
                deliver(w, it);
            free(it);
        } else
            return;
}

void dht_world_run(struct dht_world *w, uint64_t until_ms)
{
    for (;;) {
        run_now(w);
        if (w->now.mono_ms >= until_ms)
            return;
        w->now.mono_ms++;
        w->now.unix_ms++;
    }
}

void dht_world_for(struct dht_world *w, uint64_t ms)
{
    dht_world_run(w, w->now.mono_ms + ms);
}

const struct dht_result *dht_world_result(struct dht_world *w, size_t place)
{
    struct dht *d = w->places[place].dht;
    const struct dht_result *r;
    dht_world_touch(w, place);
    for (uint64_t last = w->now.mono_ms + 600000; (r = dht_result_next(d)) == NULL;) {
        if (w->now.mono_ms >= last)
            return NULL;
        dht_world_for(w, 1);
    }
    return r;
}

void dht_world_count_from_here(struct dht_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct dht_place *p = &w->places[i];
        p->sent = p->sent_bytes = p->received = p->received_bytes = 0;
        p->counted_ms = w->now.mono_ms;
    }
}

void dht_world_sign(void *keypair, const struct id *hash, struct sig *out)
{
    sign_hash(out, ((struct keypair *)keypair)->sk, hash);
}

void dht_world_pointer(struct dht_world *w, struct buf *out, struct keypair *author, uint64_t seq,
                       uint64_t body, struct id *key)
{
    uint8_t bytes[8];
    be64_put(bytes, body);
    struct dht_value v = {.kind = DHT_POINTER,
                          .seq = seq,
                          .body = SPAN_OF(bytes),
                          .expires_s = (uint64_t)(w->now.unix_ms / 1000) + 7 * 86400};
    memcpy(v.author, author->pk, 32);
    MUST(dht_value_make(out, &w->net, &v, dht_world_sign, author) == 0);
    dht_key_pointer(key, &w->net, v.author, &v.salt);
}
