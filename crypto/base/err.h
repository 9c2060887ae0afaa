/* err.h: every error that souk can return, once: code, name, sentence for a person.
 *
 * Functions return 0 or a negative SOUK_E…; outputs go by pointer and are untouched on error.  Words that
 * name the particular thing at fault (which field, which file, how to mend it) travel beside the code in a
 * struct report, for errors that a person or a program outside will read. */
#ifndef SOUK_ERR_H
#define SOUK_ERR_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define SOUK_ERRORS(X)                                                                    \
    X(1, INVALID, "invalid", "the value is not allowed here")                             \
    X(2, FORM, "form", "the bytes are not in canonical form")                             \
    X(3, RANGE, "range", "the value is outside its range")                                \
    X(4, MISSING, "missing", "something required is missing")                             \
    X(5, UNKNOWN_CRITICAL, "unknown_critical", "a critical field is not understood")      \
    X(6, SIGNATURE, "signature", "the signature does not verify")                         \
    X(7, WORK, "work", "not enough work was done for this record")                        \
    X(8, EXPIRED, "expired", "it has expired")                                            \
    X(9, FUTURE, "future", "its time lies too far ahead of this clock")                   \
    X(10, DUPLICATE, "duplicate", "already known")                                        \
    X(11, STALE, "stale", "a newer revision is already known")                            \
    X(12, QUOTA, "quota", "the quota is used up")                                         \
    X(13, CONFLICT, "conflict", "it contradicts what is already recorded")                \
    X(14, NOT_FOUND, "not_found", "there is no such thing here")                          \
    X(15, NOT_ALLOWED, "not_allowed", "the rules do not allow this now")                  \
    X(16, LOCKED, "locked", "the identity is locked")                                     \
    X(17, PASSPHRASE, "passphrase", "the passphrase is wrong or the key file is damaged") \
    X(18, DAMAGED, "damaged", "the file is damaged")                                      \
    X(19, IN_USE, "in_use", "another process is using it")                                \
    X(20, DISK_FULL, "disk_full", "there is no space left to write")                      \
    X(21, IO, "io", "reading or writing failed")                                          \
    X(22, OFFLINE, "offline", "the other side cannot be reached now")                     \
    X(23, TIMEOUT, "timeout", "no answer came in time")                                   \
    X(24, REFUSED, "refused", "the other side refused")                                   \
    X(25, FUNDS, "funds", "there is not enough credit")                                   \
    X(26, BUSY, "busy", "too much is already under way")                                  \
    X(27, VERSION, "version", "the version is not supported")                             \
    X(28, METHOD, "method", "there is no such method")                                    \
    X(29, PARAMS, "params", "the parameters are not what the method takes")               \
    X(30, CLOSED, "closed", "the connection was closed")                                  \
    X(31, CLOCK, "clock", "this machine's clock disagrees with most peers")               \
    X(32, USAGE, "usage", "the command is not used like this")                            \
    X(33, NO_NODE, "no_node", "no node is running in this home")                          \
    X(34, INTERNAL, "internal", "souk made a mistake; please report it")

enum souk_err {
#define X(n, NAME, name, sentence) SOUK_E##NAME = -(n),
    SOUK_ERRORS(X)
#undef X
};

/* "signature" for SOUK_ESIGNATURE; "ok" for 0; "unknown" for anything else.  Static storage. */
const char *err_name(int err);
/* The sentence of the table above.  Static storage. */
const char *err_sentence(int err);
/* The code of a name, or 0 when there is none. */
int err_by_name(const char *name);

/* What went wrong, for whoever asked: filled by the innermost function that knows. */
struct report {
    int err;
    char text[504]; /* UTF-8: what was refused, which rule, how to mend it */
};
/* Fills r (may be NULL) and returns err, so that one can `return report_set(r, SOUK_ERANGE, "…")`. */
int report_set(struct report *r, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ /* it judges a file at a time, and cannot see that err comes back */
#define report_set(r, err, ...) ((void)(report_set)((r), (err), __VA_ARGS__), (err))
#endif
/* Appends "; more" to a report: for checks that name every mistake at once.  Keeps the first err. */
int report_add(struct report *r, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Out of memory and broken assertions end the process with a message: nothing a peer sends can cause
 * either, so there is nothing better to do.  MUST is for what must be true, never for input. */
_Noreturn void die(const char *file, int line, const char *what);
#define MUST(x) ((x) ? (void)0 : die(__FILE__, __LINE__, #x))
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
void *xmemdup(const void *p, size_t n); /* n = 0 gives a valid pointer */
#endif
