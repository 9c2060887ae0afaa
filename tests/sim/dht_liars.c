/* dht_liars.c: see dht_liars.h. */
#include "tests/sim/dht_liars.h"
#include "datagram.gen.h"
#include <stdlib.h>

enum { NAMED = 20, CHOICE = 64 /* inventions nearest to a target, of which an answer names some */ };

struct row { /* a machine, or an invented key, in order of ids */
    struct id id;
    uint32_t place; /* or which of the invented keys */
};
struct later { /* an answer held back */
    struct liars *l;
    size_t place;
    struct node_key key;
    struct addr to;
    struct buf bytes;
};
struct liars {
    struct dht_world *w;
    unsigned ways;
    uint32_t slow_ms;
    struct map keys;   /* of liars → this */
    struct map values; /* key → struct buf, an old value */
    struct row *honest, *hostile, *invented;
    size_t honest_n, hostile_n, invented_n;
    struct node_key *keys_invented;
    struct rng rng;
};

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct row *)a)->id.b, ((const struct row *)b)->id.b, 32);
}

struct liars *liars_new(struct dht_world *w, unsigned ways, size_t invented, uint32_t slow_ms)
{
    struct liars *l = xcalloc(1, sizeof *l);
    *l = (struct liars){.w = w, .ways = ways, .slow_ms = slow_ms, .invented_n = invented};
    rng_seed_u64(&l->rng, w->config.seed + 99);
    map_init(&l->keys, 32, &l->rng);
    map_init(&l->values, 32, &l->rng);
    l->invented = xcalloc(invented + 1, sizeof *l->invented);
    l->keys_invented = xcalloc(invented + 1, sizeof *l->keys_invented);
    for (size_t i = 0; i < invented; i++) {
        rng_bytes(&l->rng, l->keys_invented[i].b, 32);
        dht_id(&l->invented[i].id, &w->net, &l->keys_invented[i]);
        l->invented[i].place = (uint32_t)i;
    }
    qsort(l->invented, invented, sizeof *l->invented, by_id);
    return l;
}

void liars_free(struct liars *l)
{
    size_t at = 0;
    void *v;
    while (map_next(&l->values, &at, NULL, &v)) {
        buf_free(v);
        free(v);
    }
    map_free(&l->values);
    map_free(&l->keys);
    free(l->honest);
    free(l->hostile);
    free(l->invented);
    free(l->keys_invented);
    free(l);
}

void liars_ways(struct liars *l, unsigned ways)
{
    l->ways = ways;
}

bool liars_is(const struct liars *l, const struct node_key *key)
{
    return map_get(&l->keys, key) != NULL;
}

size_t liars_count(const struct liars *l)
{
    return l->keys.n;
}

void liars_remember(struct liars *l, const struct id *key, struct span value)
{
    struct buf *b = map_get(&l->values, key);
    if (!b) {
        b = xcalloc(1, sizeof *b);
        map_put(&l->values, key, b);
    }
    buf_clear(b);
    buf_span(b, value);
}

void liars_look(struct liars *l)
{
    struct dht_world *w = l->w;
    l->honest = xrealloc(l->honest, (w->n + 1) * sizeof *l->honest);
    l->hostile = xrealloc(l->hostile, (w->n + 1) * sizeof *l->hostile);
    l->honest_n = l->hostile_n = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct dht_place *p = &w->places[i];
        if (!p->up || p->reach != REACH_OPEN)
            continue;
        struct row one = {.place = (uint32_t)i};
        dht_id(&one.id, &w->net, &p->key);
        if (liars_is(l, &p->key))
            l->hostile[l->hostile_n++] = one;
        else
            l->honest[l->honest_n++] = one;
    }
    qsort(l->honest, l->honest_n, sizeof *l->honest, by_id);
    qsort(l->hostile, l->hostile_n, sizeof *l->hostile, by_id);
}

/* The rows that share at least so many bits with the target. */
static size_t range(const struct row *v, size_t n, const struct id *target, unsigned bits, size_t *from)
{
    struct id low = *target, high = *target;
    for (unsigned bit = bits; bit < 256; bit++) {
        low.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
        high.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    }
    size_t a = 0, b = n;
    while (a < b) {
        size_t m = (a + b) / 2;
        if (memcmp(v[m].id.b, low.b, 32) < 0)
            a = m + 1;
        else
            b = m;
    }
    *from = a;
    for (b = n; a < b;) {
        size_t m = (a + b) / 2;
        if (memcmp(v[m].id.b, high.b, 32) <= 0)
            a = m + 1;
        else
            b = m;
    }
    return a - *from;
}

static uint64_t distance(const struct id *a, const struct id *b)
{
    return be64_get(a->b) ^ be64_get(b->b);
}

/* The nearest to the target, nearest first: places. */
static size_t nearest(const struct row *v, size_t n, const struct id *target, uint32_t *out, size_t most)
{
    unsigned bits = 60;
    size_t from = 0, have = 0, m = 0;
    uint64_t best[CHOICE];
    most = most > CHOICE ? CHOICE : most;
    while (bits > 0 && (have = range(v, n, target, bits, &from)) < most)
        bits--;
    if (bits == 0)
        from = 0, have = n;
    for (size_t i = from; i < from + have; i++) {
        uint64_t d = distance(&v[i].id, target);
        size_t at = m < most ? m++ : m;
        if (at == most) {
            if (most == 0 || d >= best[most - 1])
                continue;
            at = most - 1;
        }
        for (; at > 0 && best[at - 1] > d; at--) {
            best[at] = best[at - 1];
            out[at] = out[at - 1];
        }
        best[at] = d;
        out[at] = v[i].place;
    }
    return m;
}

size_t liars_honest_near(const struct liars *l, const struct id *target, size_t *out, size_t most)
{
    uint32_t near[NAMED];
    size_t n = nearest(l->honest, l->honest_n, target, near, most > NAMED ? NAMED : most);
    for (size_t i = 0; i < n; i++)
        out[i] = near[i];
    return n;
}

/* A key near the target; real: there must be a secret key of it. */
static void ground(struct liars *l, const struct id *near, uint64_t tries, struct node_key *out)
{
    uint64_t best = UINT64_MAX;
    struct node_key key;
    for (uint64_t i = 0; i < (tries ? tries : 1); i++) {
        struct id id;
        rng_bytes(&l->rng, key.b, 32);
        dht_id(&id, &l->w->net, &key);
        uint64_t d = near ? distance(&id, near) : 0;
        if (i == 0 || d < best) {
            best = d;
            *out = key;
        }
    }
}

static struct addr nowhere(struct liars *l)
{
    struct addr a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 1}, 9};
    do
        rng_bytes(&l->rng, a.ip + 12, 3);
    while (a.ip[12] == 0 || a.ip[12] >= 224 || addr_is_private(&a));
    return a;
}

static void name(struct buf *out, const struct node_key *key, const struct addr *a, bool ipv4)
{
    buf_append(out, key->b, 32);
    if (ipv4)
        buf_append(out, a->ip + 12, 4);
    else
        buf_append(out, a->ip, 16);
    be16_put(buf_grow(out, 2), a->port);
}

static void name_nodes(struct liars *l, const struct id *target, struct buf *out)
{
    const struct dht_world *w = l->w;
    unsigned all = l->ways & (LIAR_COLLUDE | LIAR_SHADOW | LIAR_INVENT | LIAR_SQUAT);
    size_t each = NAMED / (all ? (size_t)__builtin_popcount(all) : 1);
    uint32_t near[CHOICE];
    size_t n = l->ways & LIAR_COLLUDE || !all ? nearest(l->hostile, l->hostile_n, target, near, each) : 0;
    for (size_t i = 0; i < n; i++)
        name(out, &w->places[near[i]].key, &w->places[near[i]].addr, true);
    n = nearest(l->honest, l->honest_n, target, near, each);
    for (size_t i = 0; i < n && l->ways & LIAR_SHADOW; i++) {
        struct addr a = nowhere(l);
        name(out, &w->places[near[i]].key, &a, true);
    }
    uint32_t choice[CHOICE];
    size_t choices = l->ways & (LIAR_INVENT | LIAR_SQUAT)
                         ? nearest(l->invented, l->invented_n, target, choice, CHOICE)
                         : 0;
    for (unsigned way = LIAR_INVENT; way <= LIAR_SQUAT; way *= 2)
        for (size_t i = 0; i < each && l->ways & way && choices; i++) {
            size_t at = rng_below(&l->rng, choices);
            struct addr a = nowhere(l);
            if (way == LIAR_SQUAT && n) { /* two for each of the nearest */
                a = w->places[near[i / 2 % n]].addr;
                a.ip[15] ^= (uint8_t)(1 + rng_below(&l->rng, 255));
                a.port = 9;
            }
            name(out, &l->keys_invented[choice[at]], &a, true);
            choice[at] = choice[--choices];
        }
}

static void send_later(struct dht_world *w, void *arg)
{
    struct later *x = arg;
    if (w->places[x->place].up)
        dht_world_send(w, x->place, NULL, &x->key, &x->to, buf_view(&x->bytes));
    buf_free(&x->bytes);
    free(x);
}

static void send_answer(struct liars *l, size_t place, const struct dht_letter *in, struct buf *b)
{
    if (!(l->ways & LIAR_SLOW)) {
        dht_world_send(l->w, place, NULL, &in->key, &in->from, buf_view(b));
        buf_free(b);
        return;
    }
    struct later *x = xcalloc(1, sizeof *x);
    *x = (struct later){.l = l, .place = place, .key = in->key, .to = in->from, .bytes = *b};
    dht_world_at(l->w, l->w->now.mono_ms + l->slow_ms, send_later, x);
}

/* What every answer begins with. */
static void seen_by(struct liars *l, const struct addr *from, uint8_t out[static 18])
{
    struct addr a = *from;
    if (l->ways & LIAR_ELSEWHERE)
        a = (struct addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 66, 66, 66, 66}, 666};
    memcpy(out, a.ip, 16);
    be16_put(out + 16, a.port);
}

static void answer_lookup(struct liars *l, size_t place, const struct dht_letter *in,
                          const struct id *target, bool get)
{
    uint8_t seen[18], token[8] = {1}, head[9] = {DATAGRAM_NODES};
    struct buf b = {0}, nodes = {0};
    seen_by(l, &in->from, seen);
    memcpy(head + 1, in->bytes.p + 1, 8);
    struct buf *old = get && l->ways & LIAR_STALE ? map_get(&l->values, target) : NULL;
    if (old) {
        struct datagram_value m = {.seen = SPAN_OF(seen),
                                   .has_proven = true,
                                   .proven = true,
                                   .token = SPAN_OF(token),
                                   .value = buf_view(old)};
        head[0] = DATAGRAM_VALUE;
        buf_append(&b, head, 9);
        datagram_value_encode(&b, &m);
    } else {
        name_nodes(l, target, &nodes);
        struct datagram_nodes m = {.seen = SPAN_OF(seen),
                                   .has_proven = true,
                                   .proven = true,
                                   .token = SPAN_OF(token),
                                   .has_ipv4 = true,
                                   .ipv4 = buf_view(&nodes)};
        buf_append(&b, head, 9);
        datagram_nodes_encode(&b, &m);
    }
    buf_free(&nodes);
    send_answer(l, place, in, &b);
}

static void answer_write(struct liars *l, size_t place, const struct dht_letter *in)
{
    uint8_t seen[18], head[9] = {DATAGRAM_STORED}, ticket[16] = {7};
    struct buf b = {0};
    seen_by(l, &in->from, seen);
    memcpy(head + 1, in->bytes.p + 1, 8);
    if (l->ways & (LIAR_STALL | LIAR_REFUSE)) {
        bool stall = l->ways & LIAR_STALL;
        struct datagram_error m = {.code = (uint64_t)(stall ? -SOUK_EQUOTA : -SOUK_ESTALE),
                                   .has_seq = !stall,
                                   .seq = UINT64_MAX - 1,
                                   .has_wait_ms = stall,
                                   .wait_ms = 60000,
                                   .has_ticket = stall,
                                   .ticket = SPAN_OF(ticket)};
        head[0] = DATAGRAM_ERROR;
        buf_append(&b, head, 9);
        datagram_error_encode(&b, &m);
    } else {
        struct datagram_stored m = {
            .seen = SPAN_OF(seen), .has_proven = true, .proven = true, .life_s = 7200};
        buf_append(&b, head, 9);
        datagram_stored_encode(&b, &m);
    }
    send_answer(l, place, in, &b);
}

static void answer_ping(struct liars *l, size_t place, const struct dht_letter *in)
{
    uint8_t seen[18], head[9] = {DATAGRAM_PONG};
    struct buf b = {0};
    seen_by(l, &in->from, seen);
    memcpy(head + 1, in->bytes.p + 1, 8);
    struct datagram_pong m = {.seen = SPAN_OF(seen), .has_proven = true, .proven = true};
    buf_append(&b, head, 9);
    datagram_pong_encode(&b, &m);
    send_answer(l, place, in, &b);
}

static void lie(struct dht_world *w, size_t place, const struct dht_letter *in)
{
    struct liars *l = w->places[place].role_arg;
    struct span body = span(in->bytes.p + 9, in->bytes.n - 9);
    unsigned number = in->bytes.n > 9 ? in->bytes.p[0] : 99;
    bool lies = l->ways & ~(unsigned)(LIAR_DENY | LIAR_STALE | LIAR_FORGET);
    if (number == DATAGRAM_PING && l->ways & (LIAR_SLOW | LIAR_ELSEWHERE)) {
        answer_ping(l, place, in);
    } else if (number == DATAGRAM_FIND_NODE && lies) {
        struct datagram_find_node m;
        if (datagram_find_node_decode(&m, body, NULL, NULL) == 0)
            answer_lookup(l, place, in, &m.target, false);
    } else if (number == DATAGRAM_GET && l->ways) {
        struct datagram_get m;
        if (datagram_get_decode(&m, body, NULL, NULL) == 0)
            answer_lookup(l, place, in, &m.target, true);
    } else if (number == DATAGRAM_PROVIDERS && l->ways) {
        struct datagram_providers m;
        if (datagram_providers_decode(&m, body, NULL, NULL) == 0)
            answer_lookup(l, place, in, &m.target, false);
    } else if ((number == DATAGRAM_PUT || number == DATAGRAM_ANNOUNCE) && l->ways) {
        answer_write(l, place, in);
    } else
        dht_world_engine(w, place, in);
}

void liars_take(struct liars *l, size_t place)
{
    static const struct dht_role liar = {.datagram = lie};
    map_put(&l->keys, &l->w->places[place].key, l);
    dht_world_role(l->w, place, &liar, l);
}

void liars_start(struct liars *l, size_t place, const struct id *near, uint64_t tries,
                 const struct addr *addr)
{
    struct dht_world *w = l->w;
    struct node_key key;
    ground(l, near, near ? tries : 1, &key);
    dht_world_start_as(w, place, REACH_OPEN, &key, addr, NULL);
    liars_take(l, place);
    dht_world_join(w, place, SIZE_MAX);
}
