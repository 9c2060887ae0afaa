/* main.c: `sim [NAME...] [--seed S]`: scenarios over whole networks.  Each prints its seed, so that a run
 * that fails can be run again; closes with "N passed, N failed". */
#include "tests/sim/scenario.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static const struct scenario all[] = {
    {"converge", scenario_converge, false},       {"converge200", scenario_converge_200, true},
    {"market", scenario_market, false},           {"trade", scenario_trade, false},
    {"trade_crash", scenario_trade_crash, false},
};
#define ALL (sizeof all / sizeof *all)

static bool wanted(const struct scenario *s, int argc, char **argv)
{
    bool named = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--nodes") == 0) {
            i++;
            continue;
        }
        if (strcmp(argv[i], "long") == 0)
            return true;
        named = true;
        if (strcmp(argv[i], s->name) == 0)
            return true;
    }
    return !named && !s->only_long;
}

static uint64_t number(const char *flag, uint64_t otherwise, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], flag) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    if (sodium_init() < 0)
        return 1;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192; /* a store has three */
    setrlimit(RLIMIT_NOFILE, &files);
    struct scenario_args args = {number("--seed", 1, argc, argv), (size_t)number("--nodes", 0, argc, argv)};
    for (size_t i = 0; i < ALL; i++) {
        if (!wanted(&all[i], argc, argv))
            continue;
        printf("%s: seed %llu\n", all[i].name, (unsigned long long)args.seed);
        fflush(stdout);
        bool good = all[i].run(&args);
        printf("%s: %s\n", all[i].name, good ? "ok" : "FAILED");
        if (!good)
            printf("again: tests/run sim %s --seed %llu\n", all[i].name, (unsigned long long)args.seed);
        good ? passed++ : failed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
