/* log.h: structured lines.  The core hands a line to whatever sink the host set; lines carry no secrets,
 * no plaintext of messages and no addresses of people. */
#ifndef SOUK_LOG_H
#define SOUK_LOG_H
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
typedef void log_sink(void *arg, enum log_level level, const char *room, const char *text);
/* One sink a process; NULL silences.  Not thread-safe to change while in use. */
void log_to(log_sink *sink, void *arg, enum log_level most);
void log_line(enum log_level level, const char *room, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#endif
