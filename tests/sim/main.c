/* main.c: `sim [NAME...] [--seed S] [--nodes N] [--FLAG NUMBER]`: scenarios over whole networks.  Each
 * prints its seed, so that a run that fails can be run again; closes with "N passed, N failed".  A scenario
 * that is named runs in any build; without names, all that belong to this one do. */
#include "tests/sim/scenario.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static const struct scenario all[] = {
#ifndef SOUK_SIM_DHT_ONLY
    {"converge", scenario_converge, 0},
    {"converge200", scenario_converge_200, ONLY_LONG},
    {"flood", scenario_flood, 0},
    {"market", scenario_market, 0},
    {"trade", scenario_trade, 0},
    {"trade_crash", scenario_trade_crash, 0},
    {"clock", scenario_clock, 0},
#endif
    {"dht_replay", scenario_dht_replay, 0},
    {"dht", scenario_dht, ONLY_FAST},
    {"dht_grown", scenario_dht_grown, ONLY_FAST},
    {"dht_churn", scenario_dht_churn, ONLY_FAST},
    {"dht_attack", scenario_dht_attack, ONLY_FAST},
    {"dht_attack_full", scenario_dht_attack_full, ONLY_FAST | ONLY_LONG},
    {"dht_churn24", scenario_dht_churn_24, ONLY_FAST | ONLY_LONG},
};
#define ALL (sizeof all / sizeof *all)
#ifdef SOUK_SANITIZED
static const bool fast = false;
#else
static const bool fast = true;
#endif

static bool wanted(const struct scenario *s, int argc, char **argv)
{
    bool named = false, all_long = false;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            i++;
            continue;
        }
        all_long |= strcmp(argv[i], "long") == 0;
        named = true;
        if (strcmp(argv[i], s->name) == 0)
            return true;
    }
    if ((s->when & ONLY_FAST) && !fast)
        return false;
    return all_long || (!named && !(s->when & ONLY_LONG));
}

double scenario_number(const struct scenario_args *args, const char *flag, double otherwise)
{
    for (int i = 1; i + 1 < args->argc; i++)
        if (strcmp(args->argv[i], flag) == 0)
            return strtod(args->argv[i + 1], NULL);
    return otherwise;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    if (sodium_init() < 0)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0); /* a long run shows how far it is */
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192; /* a store has three */
    setrlimit(RLIMIT_NOFILE, &files);
    struct scenario_args args = {.argc = argc, .argv = argv};
    args.seed = (uint64_t)scenario_number(&args, "--seed", 1);
    args.nodes = (size_t)scenario_number(&args, "--nodes", 0);
    for (size_t i = 0; i < ALL; i++) {
        if (!wanted(&all[i], argc, argv))
            continue;
        printf("%s: seed %llu\n", all[i].name, (unsigned long long)args.seed);
        fflush(stdout);
        bool good = all[i].run(&args);
        printf("%s: %s\n", all[i].name, good ? "ok" : "FAILED");
        if (!good)
            printf("again: tests/run sim %s --seed %llu\n", all[i].name, (unsigned long long)args.seed);
        fflush(stdout);
        good ? passed++ : failed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
