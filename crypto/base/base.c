/* base.c: hex, errors, checked memory. */
#include "crypto/base/err.h"
#include "crypto/base/span.h"
#include <stdio.h>
#include <stdlib.h>

char *hex_encode(char *out, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * n] = 0;
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(void *out, size_t n, const char *s, size_t len)
{
    if (len != 2 * n)
        return false;
    uint8_t *o = out;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(s[2 * i]), lo = hex_digit(s[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        o[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

static const struct err_row {
    int code;
    const char *name, *sentence;
} err_rows[] = {
#define X(n, NAME, name, sentence) {-(n), name, sentence},
    SOUK_ERRORS(X)
#undef X
};
#define ERR_ROWS (sizeof err_rows / sizeof *err_rows)

static const struct err_row *err_row(int err)
{
    for (size_t i = 0; i < ERR_ROWS; i++)
        if (err_rows[i].code == err)
            return &err_rows[i];
    return NULL;
}

const char *err_name(int err)
{
    const struct err_row *row = err_row(err);
    return err == 0 ? "ok" : row ? row->name : "unknown";
}

const char *err_sentence(int err)
{
    const struct err_row *row = err_row(err);
    return err == 0 ? "done" : row ? row->sentence : "an unknown error";
}

int err_by_name(const char *name)
{
    for (size_t i = 0; i < ERR_ROWS; i++)
        if (strcmp(err_rows[i].name, name) == 0)
            return err_rows[i].code;
    return 0;
}

#undef report_set
int report_set(struct report *r, int err, const char *fmt, ...)
{
    if (r) {
        va_list ap;
        va_start(ap, fmt);
        r->err = err;
        vsnprintf(r->text, sizeof r->text, fmt, ap);
        va_end(ap);
    }
    return err;
}

int report_add(struct report *r, int err, const char *fmt, ...)
{
    if (!r)
        return err;
    size_t at = r->err ? strlen(r->text) : 0;
    if (!r->err)
        r->err = err;
    else if (at + 3 < sizeof r->text) {
        memcpy(r->text + at, "; ", 3);
        at += 2;
    }
    va_list ap;
    va_start(ap, fmt);
    if (at + 1 < sizeof r->text)
        vsnprintf(r->text + at, sizeof r->text - at, fmt, ap);
    va_end(ap);
    return r->err;
}

_Noreturn void die(const char *file, int line, const char *what)
{
    fprintf(stderr, "souk: %s:%d: this must hold and does not: %s\n", file, line, what);
    abort();
}

void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    MUST(p != NULL);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    MUST(p != NULL);
    return p;
}

void *xrealloc(void *old, size_t n)
{
    void *p = realloc(old, n ? n : 1);
    MUST(p != NULL);
    return p;
}

void *xmemdup(const void *p, size_t n)
{
    void *copy = xmalloc(n);
    if (n)
        memcpy(copy, p, n);
    return copy;
}
