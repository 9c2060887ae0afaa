#include "node/net/clock.h"
#include <stdio.h>
#include <stdlib.h>

static int by_difference(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void clock_judge(struct clock_verdict *out, const struct clock_vote *votes, size_t n)
{
    int64_t ahead[CLOCK_PEERS_MOST];
    size_t dialled = 0, k = 0;
    for (size_t i = 0; i < n; i++)
        dialled += votes[i].dialled;
    *out = (struct clock_verdict){0};
    for (size_t i = 0; i < n && k < CLOCK_PEERS_MOST; i++) {
        if (dialled >= CLOCK_PEERS_LEAST && !votes[i].dialled)
            continue;
        ahead[k++] = votes[i].ahead_ms;
        out->apart += votes[i].ahead_ms > CLOCK_APART_MS || votes[i].ahead_ms < -CLOCK_APART_MS;
    }
    out->peers = k;
    if (!k)
        return;
    qsort(ahead, k, sizeof *ahead, by_difference);
    out->ahead_ms = ahead[k / 2];
    out->wrong = k >= CLOCK_PEERS_LEAST && 2 * out->apart > k;
}

char *clock_words(char out[static CLOCK_WORDS], const struct clock_verdict *v)
{
    uint64_t s = (uint64_t)(v->ahead_ms < 0 ? -v->ahead_ms : v->ahead_ms) / 1000;
    const char *way = v->ahead_ms < 0 ? "behind" : "ahead of";
    char span[64];
    if (s >= 86400)
        snprintf(span, sizeof span, "%llu days", (unsigned long long)s / 86400);
    else
        snprintf(span, sizeof span, "%llu h %llu min", (unsigned long long)s / 3600,
                 (unsigned long long)s / 60 % 60);
    out[0] = 0;
    if (v->wrong)
        snprintf(
            out, CLOCK_WORDS,
            "the clock of this machine is %s %s %zu of %zu peers. Until it is set (timedatectl set-ntp "
            "yes) nothing is deleted, nothing accepted by itself, and nothing signed that depends on a "
            "deadline",
            span, way, v->apart, v->peers);
    else if (v->peers == 1 && v->apart)
        snprintf(
            out, CLOCK_WORDS,
            "the clock of this machine is %s %s the only peer's: one of the two is wrong; look at yours",
            span, way);
    return out;
}
