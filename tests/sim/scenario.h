/* scenario.h: what main.c runs.  A scenario returns true when all that it promises held, and says on stdout
 * what it measured or what did not hold. */
#ifndef SOUK_SCENARIO_H
#define SOUK_SCENARIO_H
#include "tests/sim/world.h"

struct scenario_args {
    uint64_t seed;
    size_t nodes; /* 0: the scenario's own */
    int argc;
    char **argv;
};
/* The number after `flag` ("--hours"), or `otherwise`. */
double scenario_number(const struct scenario_args *args, const char *flag, double otherwise);

enum {
    ONLY_LONG = 1 /* tests/run long, or by name */,
    ONLY_FAST = 2 /* needs a build without sanitizers */
};
struct scenario {
    const char *name;
    bool (*run)(const struct scenario_args *args);
    int when;
};
bool scenario_converge(const struct scenario_args *args);
bool scenario_converge_200(const struct scenario_args *args); /* the same with 200 nodes */
bool scenario_flood(const struct scenario_args *args);        /* flood.c */
bool scenario_market(const struct scenario_args *args);
bool scenario_clock(const struct scenario_args *args);
bool scenario_trade(const struct scenario_args *args);
bool scenario_trade_crash(const struct scenario_args *args);
bool scenario_dht(const struct scenario_args *args); /* dht_scale.c */
bool scenario_dht_grown(const struct scenario_args *args);
bool scenario_dht_replay(const struct scenario_args *args); /* dht_scale.c: a seed gives one run */
bool scenario_dht_churn(const struct scenario_args *args);  /* dht_churn.c */
bool scenario_dht_churn_24(const struct scenario_args *args);
bool scenario_dht_attack(const struct scenario_args *args);      /* dht_attack.c */
bool scenario_dht_attack_full(const struct scenario_args *args); /* dht_attack.c */

#define EXPECT(x)                                                           \
    do {                                                                    \
        if (!(x)) {                                                         \
            printf("  %s:%d: does not hold: %s\n", __FILE__, __LINE__, #x); \
            goto fail;                                                      \
        }                                                                   \
    } while (0)
#endif
