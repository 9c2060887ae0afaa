/* dht_report.h: what every program of `tests/run bench dht` measures, in the same way, and how it prints
 * it: one JSON object a line, read by dht.py.  Plain C that is C++ too: souk's program and its peers' share
 * it.
 *
 *   CPU         of the whole process, getrusage (user and system; loopback delivery is in the sender's)
 *   datagrams   sent, of this network namespace, and their bytes with IP and UDP headers
 *               (/proc/self/net/{snmp,netstat}): dht.py gives each program a namespace of its own
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

/* The number in that place of the second line that begins with the group: the first one names them. */
static inline double report_counter(const char *file, const char *group, int place)
{
    char line[4096];
    int seen = 0;
    double value = -1;
    FILE *f = fopen(file, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, group, strlen(group)) != 0 || seen++ == 0)
            continue;
        char *at = line + strlen(group);
        for (int i = 0; i < place; i++)
            value = strtod(at, &at);
        break;
    }
    if (f)
        fclose(f);
    return value;
}

struct report_phase {
    double wall_s, cpu_s, datagrams, bytes;
};
static inline struct report_phase report_now(void)
{
    struct report_phase p;
    p.datagrams = report_counter("/proc/self/net/snmp", "Udp:", 4);  /* OutDatagrams */
    p.bytes = report_counter("/proc/self/net/netstat", "IpExt:", 8); /* OutOctets */
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
    struct report_phase e = report_now();
    int ended = 0;
    for (int i = 0; i < n; i++)
        if (ms[i] >= 0)
            ms[ended++] = ms[i];
    qsort(ms, (size_t)ended, sizeof *ms, report_by_size);
    printf("{\"op\": \"%s\", \"window\": %d, \"n\": %d, \"ok\": %d, ", op, window, n, ok);
    printf("\"a_second\": %.1f, \"median_ms\": %.3f, \"p99_ms\": %.3f, ", ended / (e.wall_s - p.wall_s),
           ended ? ms[ended / 2] : -1, ended ? ms[(ended - 1) * 99 / 100] : -1);
    printf("\"cpu_us\": %.1f, \"datagrams\": %.2f, \"bytes\": %.0f}\n", (e.cpu_s - p.cpu_s) * 1e6 / n,
           (e.datagrams - p.datagrams) / n, (e.bytes - p.bytes) / n);
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
