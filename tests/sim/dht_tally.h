/* dht_tally.h: how queries went, over many of them: success, and the median and 99th percentile of hops,
 * messages, bytes and virtual time.  Printed for people, and as `plot` lines for tests/bench/plot.py:
 *
 *     plot SERIES key=value key=value …                                                                  */
#ifndef SOUK_SIM_DHT_TALLY_H
#define SOUK_SIM_DHT_TALLY_H
#include "dht/dht.h"

struct samples {
    uint32_t *v;
    size_t n, cap;
};
void samples_add(struct samples *s, uint64_t value);
/* The smallest value that at least this share (0 to 1) does not exceed; 0 when there is none.  Sorts. */
uint32_t samples_at(struct samples *s, double share);
void samples_free(struct samples *s);

struct tally {
    const char *name;
    uint64_t tried, good;
    struct samples hops, messages, bytes, ms; /* bytes: both directions, with UDP and IPv4 headers */
};
void tally_add(struct tally *t, bool good, const struct dht_result *r);
double tally_share(const struct tally *t); /* good of tried, 0 to 1; 1 when none was tried */
void tally_print(struct tally *t);
/* `plot SERIES x success=… hops=… …`; x: the caller's own keys and values. */
void tally_plot(struct tally *t, const char *series, const char *x);
void tally_free(struct tally *t);
#endif
