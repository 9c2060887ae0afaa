#include "crypto/base/log.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static log_sink *sink;
static void *sink_arg;
static enum log_level sink_most;

void log_to(log_sink *to, void *arg, enum log_level most)
{
    sink = to;
    sink_arg = arg;
    sink_most = most;
}

void log_line(enum log_level level, const char *room, const char *fmt, ...)
{
    if (!sink || level > sink_most)
        return;
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sink(sink_arg, level, room, text);
}
