/* dht_attack_field.c: the field of dht_attack.h. */
#include "crypto/base/err.h"
#include "tests/sim/dht_attack.h"
#include <stdlib.h>

enum {
    CAREFUL = 1 << 30,
    PUT = 1 << 29,
    WHICH = PUT - 1,
    NEAREST = 8,
    SLOW_MS = 1000, /* just within what is waited for from somebody unknown */
    SAVED = 50      /* bytes of a node in a saved table */
};

void attack_knobs_off(struct dht_knobs *out)
{
    dht_knobs_default(out);
    out->paths = 1;
    out->prefix_bucket = out->prefix_table = out->prefix_values_most = out->prefix_topic_most = 1 << 20;
    out->cover = 0;
    out->addresses = 1;
    out->doubt = false;
    out->wait_most_ms = 0;
    out->candidates = 64;
    out->timeout_typical = 0;
}

double percent(uint64_t part, uint64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

static void took_put(struct field *f, const struct dht_result *r)
{
    uint64_t honest = 0, hostile = 0;
    f->put.good += r->err == 0;
    f->put.stale += r->err == SOUK_ESTALE;
    for (size_t i = 0; i < r->trace_n; i++)
        if (r->trace[i].stored && liars_is(f->l, &r->trace[i].key))
            hostile++;
        else
            honest += r->trace[i].stored;
    f->put.honest += honest;
    f->put.hostile += hostile;
    if (hostile > f->put.hostile_most)
        f->put.hostile_most = (uint32_t)hostile;
    f->put.eclipsed += honest == 0;
}

static void took_get(struct field *f, struct asked *a, const struct dht_result *r)
{
    const struct field_value *v = &f->values[(r->cookie & WHICH) - 1];
    size_t near[NEAREST], n = liars_honest_near(f->l, &v->key, near, NEAREST);
    bool honest = false;
    a->good += r->err == 0 && span_eq(r->values[0], buf_view(&v->fresh));
    a->stale += r->err == 0 && span_eq(r->values[0], buf_view(&v->old));
    for (size_t i = 0; i < r->trace_n; i++)
        for (size_t j = 0; j < n && r->trace[i].answered; j++)
            honest |= node_key_eq(&f->w->places[near[j]].key, &r->trace[i].key);
    a->eclipsed += !honest;
    uint32_t hostile = 0;
    for (size_t i = 0; i < r->trace_n; i++)
        if (r->trace[i].answered && liars_is(f->l, &r->trace[i].key))
            hostile++;
        else
            a->honest += r->trace[i].answered;
    a->hostile += hostile;
    if (hostile > a->hostile_most)
        a->hostile_most = hostile;
}

static void result(void *arg, struct dht_world *w, size_t place, const struct dht_result *r)
{
    struct field *f = arg;
    struct asked *a = r->cookie & PUT ? &f->put : r->cookie & CAREFUL ? &f->careful : &f->plain;
    (void)w;
    (void)place;
    if (r->cookie == 0)
        return;
    a->tried++;
    a->dense += r->dense;
    samples_add(&a->ms, r->took_ms);
    samples_add(&a->messages, r->messages);
    if (r->cookie & PUT)
        took_put(f, r);
    else
        took_get(f, a, r);
}

void field_new(struct field *f, const struct dht_knobs *knobs, size_t honest, size_t more, size_t values,
               size_t invented, uint64_t seed)
{
    struct dht_world_config c = {
        .places = honest + more, .seed = seed, .knobs = knobs, .arg = f, .on_result = result};
    *f = (struct field){.honest = honest, .values_n = values};
    f->values = xcalloc(values, sizeof *f->values);
    f->w = dht_world_new(&c);
    f->l = liars_new(f->w, 0, invented, SLOW_MS);
    dht_world_fill(f->w, honest);
    dht_world_for(f->w, 20000);
}

static void asked_free(struct asked *a)
{
    samples_free(&a->ms);
    samples_free(&a->messages);
}

void field_free(struct field *f)
{
    dht_world_free(f->w);
    liars_free(f->l);
    for (size_t i = 0; i < f->values_n; i++) {
        buf_free(&f->values[i].old);
        buf_free(&f->values[i].fresh);
    }
    free(f->values);
    asked_free(&f->put);
    asked_free(&f->plain);
    asked_free(&f->careful);
}

size_t field_honest(struct field *f)
{
    size_t i;
    do
        i = dht_world_someone(f->w, true);
    while (i >= f->honest || liars_is(f->l, &f->w->places[i].key));
    return i;
}

void field_turn(struct field *f, double share)
{
    size_t n = (size_t)(share * (double)f->honest);
    while (n--)
        liars_take(f->l, field_honest(f));
    liars_look(f->l);
}

void field_put(struct field *f, bool fresh)
{
    for (size_t i = 0; i < f->values_n; i++) {
        struct field_value *v = &f->values[i];
        struct buf *b = fresh ? &v->fresh : &v->old;
        int err;
        if (!fresh)
            sign_keypair_new(&v->author, &f->w->rng);
        dht_world_pointer(f->w, b, &v->author, fresh ? 2 : 1, i, &v->key);
        size_t by = field_honest(f);
        dht_put_start(f->w->places[by].dht, f->w->now, buf_view(b), NULL, fresh ? (i + 1) | PUT : 0, &err);
        dht_world_touch(f->w, by);
        dht_world_for(f->w, 100);
        if (!fresh)
            liars_remember(f->l, &v->key, buf_view(b));
    }
    dht_world_for(f->w, 150000);
}

void field_get(struct field *f, size_t n, size_t from, size_t to)
{
    for (size_t k = 0; k < 2 * n; k++) {
        size_t i = k / 2 % f->values_n, at;
        do
            at = from + rng_below(&f->w->rng, to - from);
        while (liars_is(f->l, &f->w->places[at].key));
        dht_get_start(f->w->places[at].dht, f->w->now, DHT_POINTER, &f->values[i].key,
                      k % 2 ? DHT_CAREFUL : 0, (i + 1) | (k % 2 ? CAREFUL : 0));
        dht_world_touch(f->w, at);
        dht_world_for(f->w, 50);
    }
    dht_world_for(f->w, 60000);
}

void field_tables(struct field *f, size_t from, size_t to, uint64_t *hostile, uint64_t *all,
                  uint32_t *hostile_most)
{
    struct buf b = {0};
    *hostile = *all = *hostile_most = 0;
    for (size_t i = from; i < to; i++) {
        if (liars_is(f->l, &f->w->places[i].key))
            continue;
        uint32_t here = 0;
        buf_clear(&b);
        dht_table_save(f->w->places[i].dht, &b);
        for (size_t at = 0; at + SAVED <= b.n; at += SAVED, ++*all) {
            struct node_key key;
            memcpy(key.b, b.p + at, 32);
            here += liars_is(f->l, &key);
        }
        *hostile += here;
        if (here > *hostile_most)
            *hostile_most = here;
    }
    buf_free(&b);
}
