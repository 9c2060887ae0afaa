/* report.c: turns a cursor's failure into words. */
#include "crypto/wire/cursor.h"
#include <stdio.h>

enum { NEAR_LONGEST = 40 };

/* Levenshtein's distance, for words of at most NEAR_LONGEST bytes. */
static size_t distance(struct span a, struct span b)
{
    size_t row[NEAR_LONGEST + 1];
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.n];
}

/* The word of "title, body, …" that was probably meant, or an empty span. */
static struct span nearest(struct span name, const char *known)
{
    struct span best = {NULL, 0};
    size_t best_distance = 3;
    if (name.n > NEAR_LONGEST)
        return best;
    for (const char *at = known; *at;) {
        size_t n = strcspn(at, ",");
        struct span word = {(const uint8_t *)at, n};
        if (n <= NEAR_LONGEST) {
            size_t d = distance(name, word);
            if (d < best_distance && d < n) {
                best_distance = d;
                best = word;
            }
        }
        at += n;
        at += strspn(at, ", ");
    }
    return best;
}

/* Appends to a text of bounded size. */
static void add(struct report *r, const char *fmt, const char *s, size_t n)
{
    size_t at = strlen(r->text);
    int most = n > 200 ? 200 : (int)n;
    snprintf(r->text + at, sizeof r->text - at, fmt, most, s);
}

int cursor_report(const struct cursor *c, struct report *r)
{
    if (c->err == 0 || !r)
        return c->err;
    report_set(r, c->err, "%s%s%s", c->field ? c->field : "", c->field ? ": " : "",
               c->why ? c->why : err_sentence(c->err));
    if (c->bound_shown) {
        size_t at = strlen(r->text);
        snprintf(r->text + at, sizeof r->text - at, " %s%llu%s", c->bound_negative ? "-" : "",
                 (unsigned long long)c->bound, c->unit ? c->unit : "");
    }
    if (c->name.p)
        add(r, " \"%.*s\"", (const char *)c->name.p, c->name.n);
    if (!c->known)
        return c->err;
    struct span meant = c->name.p ? nearest(c->name, c->known) : span(NULL, 0);
    if (meant.p)
        add(r, "; did you mean %.*s?", (const char *)meant.p, meant.n);
    add(r, "; known: %.*s", c->known, strlen(c->known));
    return c->err;
}
