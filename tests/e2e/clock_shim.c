/* clock_shim.c: for clock.py: a machine whose time of day is wrong.  Built and preloaded by the test; adds
 * what the file SOUK_SHIM_CLOCK says (milliseconds) to the time of day, and nothing to the monotonic clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long wrong_by_ms(void)
{
    const char *path = getenv("SOUK_SHIM_CLOCK");
    FILE *f = path ? fopen(path, "re") : NULL;
    long long ms = 0;
    if (f && fscanf(f, "%lld", &ms) != 1) /* NOLINT(cert-err34-c): a file of the test's own */
        ms = 0;
    if (f)
        fclose(f);
    return ms;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    int err = (int)syscall(SYS_clock_gettime, id, out);
    if (err == 0 && id == CLOCK_REALTIME)
        out->tv_sec += (time_t)(wrong_by_ms() / 1000);
    return err;
}
