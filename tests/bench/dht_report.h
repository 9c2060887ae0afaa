/* dht_report.h: what every program of `tests/run bench dht` measures, in the same way, and how it prints
 * it: one JSON object a line, read by dht.py.  Plain C that is C++ too: souk's program and its peers' share
 * it.
 *
 *   CPU         of the whole process, getrusage (user and system; loopback delivery is in the sender's)
 *   datagrams   sent, of this network namespace (/proc/self/net/snmp): dht.py gives each program its own
 *   memory      anonymous pages in use (RssAnon of /proc/self/status): code and libraries left out */
#ifndef SOUK_BENCH_DHT_REPORT_H
#define SOUK_BENCH_DHT_REPORT_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static inline double report_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline double report_cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static inline long report_anon_kb(void)
{
    char line[256];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}

/* OutDatagrams is the fourth number of the second line that begins with "Udp:". */
static inline double report_datagrams(void)
{
    char line[512];
    double in = 0, noports = 0, errors = 0, out = 0;
    FILE *f = fopen("/proc/self/net/snmp", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Udp: %lf %lf %lf %lf", &in, &noports, &errors, &out) == 4)
            break;
    if (f)
        fclose(f);
    return out;
}

struct report_phase {
    double wall_s, cpu_s, datagrams;
};
static inline struct report_phase report_begin(void)
{
    struct report_phase p;
    p.datagrams = report_datagrams();
    p.cpu_s = report_cpu_s();
    p.wall_s = report_now_s();
    return p;
}

static inline int report_by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* ms: how long each of n requests took, -1 for those that never ended; sorted in place. */
static inline void report_end(struct report_phase p, const char *op, int window, double *ms, int n, int ok)
{
    double wall = report_now_s() - p.wall_s, cpu = report_cpu_s() - p.cpu_s;
    double datagrams = report_datagrams() - p.datagrams;
    int ended = 0;
    for (int i = 0; i < n; i++)
        if (ms[i] >= 0)
            ms[ended++] = ms[i];
    qsort(ms, (size_t)ended, sizeof *ms, report_by_size);
    printf(
        "{\"op\": \"%s\", \"window\": %d, \"n\": %d, \"ok\": %d, \"a_second\": %.1f, \"median_ms\": %.3f, "
        "\"p99_ms\": %.3f, \"cpu_us\": %.1f, \"datagrams\": %.2f}\n",
        op, window, n, ok, ended / wall, ended ? ms[ended / 2] : -1,
        ended ? ms[(ended - 1) * 99 / 100] : -1, cpu * 1e6 / n, datagrams / n);
    fflush(stdout);
}

static inline void report_memory(const char *when, long before_kb, int nodes)
{
    printf("{\"memory\": \"%s\", \"kb_a_node\": %.1f}\n", when,
           (double)(report_anon_kb() - before_kb) / nodes);
    fflush(stdout);
}

/* --name N among the arguments, or what is usual. */
static inline int report_option(int argc, char **argv, const char *name, int usual)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return atoi(argv[i + 1]);
    return usual;
}
#endif
