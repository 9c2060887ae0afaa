#include "tests/sim/dht_tally.h"
#include "crypto/base/err.h"
#include "tests/sim/dht_world.h"
#include <stdio.h>
#include <stdlib.h>

void samples_add(struct samples *s, uint64_t value)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->v = xrealloc(s->v, s->cap * sizeof *s->v);
    }
    s->v[s->n++] = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

uint32_t samples_at(struct samples *s, double share)
{
    if (s->n == 0)
        return 0;
    qsort(s->v, s->n, sizeof *s->v, by_value);
    double at = share * (double)s->n;
    size_t i = (size_t)at;
    if ((double)i < at)
        i++;
    return s->v[i == 0 ? 0 : i > s->n ? s->n - 1 : i - 1];
}

void samples_free(struct samples *s)
{
    free(s->v);
    *s = (struct samples){0};
}

void tally_add(struct tally *t, bool good, const struct dht_result *r)
{
    t->tried++;
    t->good += good;
    if (r->hops)
        samples_add(&t->hops, r->hops);
    samples_add(&t->messages, r->messages);
    /* An answer a request, but for those that never came. */
    uint64_t datagrams = 2ull * r->messages - (r->timeouts < r->messages ? r->timeouts : r->messages);
    samples_add(&t->bytes, r->bytes_out + r->bytes_in + datagrams * DHT_WORLD_HEADERS);
    samples_add(&t->ms, r->took_ms);
}

double tally_share(const struct tally *t)
{
    return t->tried ? (double)t->good / (double)t->tried : 1;
}

void tally_print(struct tally *t)
{
    printf("  %-7s %7.3f %% of %-7llu  hops %u / %u  messages %u / %u  bytes %u / %u  ms %u / %u\n",
           t->name, 100 * tally_share(t), (unsigned long long)t->tried, samples_at(&t->hops, .5),
           samples_at(&t->hops, .99), samples_at(&t->messages, .5), samples_at(&t->messages, .99),
           samples_at(&t->bytes, .5), samples_at(&t->bytes, .99), samples_at(&t->ms, .5),
           samples_at(&t->ms, .99));
}

void tally_plot(struct tally *t, const char *series, const char *x)
{
    double hops = 0;
    for (size_t i = 0; i < t->hops.n; i++)
        hops += t->hops.v[i];
    printf("plot %s %s kind=%s tried=%llu success=%.6f hops=%u hops_p99=%u hops_mean=%.3f messages=%u "
           "messages_p99=%u bytes=%u bytes_p99=%u ms=%u ms_p99=%u\n",
           series, x, t->name, (unsigned long long)t->tried, tally_share(t), samples_at(&t->hops, .5),
           samples_at(&t->hops, .99), t->hops.n ? hops / (double)t->hops.n : 0,
           samples_at(&t->messages, .5), samples_at(&t->messages, .99), samples_at(&t->bytes, .5),
           samples_at(&t->bytes, .99), samples_at(&t->ms, .5), samples_at(&t->ms, .99));
}

void tally_free(struct tally *t)
{
    samples_free(&t->hops);
    samples_free(&t->messages);
    samples_free(&t->bytes);
    samples_free(&t->ms);
}
