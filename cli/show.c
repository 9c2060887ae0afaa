/* show.c: results for people: tables fitted to the terminal, ids shortened, times and amounts readable. */
#include "cli/cli.h"
#include "crypto/base/amount.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { COLUMNS_MOST = 12, CELL_MOST = 4096, ID_SHOWN = 12 };

static bool ends(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);
    return n >= k && strcmp(s + n - k, tail) == 0;
}

static bool is_time(const char *field)
{
    static const char *const names[] = {"created", "expires",    "updated", "time",
                                        "until",   "away_until", "late_at", "inspect_end"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(field, names[i]) == 0)
            return true;
    return ends(field, "_by");
}

static void put_time(char *out, size_t cap, int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    if (!ms || !localtime_r(&t, &tm) || !strftime(out, cap, "%Y-%m-%d %H:%M:%S", &tm))
        snprintf(out, cap, "-");
}

/* 250ms, 12s, 5m30s, 2h, 3d4h: the two largest units, and no zero. */
static void put_span(char *out, size_t cap, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (i < 4 && ms < units[i].ms)
        i++;
    int64_t rest = i < 3 ? ms % units[i].ms / units[i + 1].ms : 0;
    int n = snprintf(out, cap, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
    if (rest && n > 0 && (size_t)n < cap)
        snprintf(out + n, cap - (size_t)n, "%lld%s", (long long)rest, units[i + 1].unit);
}

static bool is_size(const char *field)
{
    return ends(field, "_bytes") || strcmp(field, "bytes") == 0 || strncmp(field, "bytes_", 6) == 0 ||
           strstr(field, ".bytes_") != NULL;
}

/* 812 B, 4.2 kB, 65 MB: two digits that count, powers of ten. */
static void put_size(char *out, size_t cap, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    size_t i = 0;
    for (; v >= 999.5 && i < 4; i++)
        v /= 1000;
    snprintf(out, cap, i && v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[i]);
}

/* An amount, [minor, currency]: "12.50 EUR"; of an issuer, whose decimals are not told here, in minor
 * units.
 */
static bool put_amount(struct cursor *c, char *out, size_t cap)
{
    struct cursor probe = *c;
    struct currency iso;
    char code[4] = "", number[32], hex[65];
    if (cursor_array(&probe, 0, SIZE_MAX) != 2 ||
        (cursor_peek(&probe) != WIRE_UINT && cursor_peek(&probe) != WIRE_INT))
        return false;
    int64_t minor = cursor_int(&probe, INT64_MIN, INT64_MAX);
    struct span currency = cursor_peek(&probe) == WIRE_BIN ? cursor_bin(&probe, 0, 64) : span(NULL, 0);
    cursor_leave(&probe);
    if (probe.err || (currency.n != 3 && currency.n != 32))
        return false;
    if (currency.n == 3)
        memcpy(code, currency.p, 3);
    if (currency.n == 32)
        snprintf(out, cap, "%lld of %.12s", (long long)minor, hex_encode(hex, currency.p, 32));
    else if (currency_from_iso(&iso, code) == 0)
        snprintf(out, cap, "%s %s", amount_format(number, sizeof number, minor, currency_decimals(&iso)),
                 code);
    else
        return false;
    *c = probe;
    return true;
}

/* One value as a person reads it.  short_ids: in tables. */
static void cell(struct cli *cli, struct cursor *c, const char *field, bool short_ids, char *out,
                 size_t cap)
{
    struct span s;
    out[0] = 0;
    switch (cursor_peek(c)) {
    case WIRE_STR:
        s = cursor_text(c, 0, SIZE_MAX);
        snprintf(out, cap, "%.*s", (int)(s.n < cap ? s.n : cap - 1), (const char *)s.p);
        break;
    case WIRE_BIN:
        s = cursor_bin(c, 0, SIZE_MAX);
        if (s.n * 2 < cap)
            hex_encode(out, s.p, s.n);
        if (s.n == 32) {
            id_remember(cli, s.p);
            if (short_ids)
                out[ID_SHOWN] = 0;
        }
        break;
    case WIRE_BOOL:
        snprintf(out, cap, "%s", cursor_bool(c) ? "yes" : "no");
        break;
    case WIRE_UINT:
    case WIRE_INT: {
        int64_t v = cursor_int(c, INT64_MIN, INT64_MAX);
        if (is_time(field))
            put_time(out, cap, v);
        else if (ends(field, "_ms"))
            put_span(out, cap, v);
        else if (is_size(field))
            put_size(out, cap, v);
        else
            snprintf(out, cap, "%lld", (long long)v);
        break;
    }
    case WIRE_ARRAY: {
        if (put_amount(c, out, cap))
            break;
        struct buf b = {0};
        struct cursor probe = *c;
        size_t n = cursor_array(&probe, 0, SIZE_MAX);
        bool plain = true;
        for (size_t i = 0; i < n && plain; i++) {
            enum wire_type t = cursor_peek(&probe);
            plain = t != WIRE_MAP && t != WIRE_ARRAY;
            cursor_skip(&probe);
        }
        n = plain ? cursor_array(c, 0, SIZE_MAX) : 0;
        for (size_t i = 0; i < n; i++) {
            char one[256];
            cell(cli, c, field, short_ids, one, sizeof one);
            buf_printf(&b, "%s%s", i ? ", " : "", one);
        }
        if (plain && !n)
            buf_printf(&b, short_ids ? "" : "-");
        if (plain)
            cursor_leave(c);
        else {
            s = cursor_skip(c);
            wire_json(&b, s);
        }
        snprintf(out, cap, "%.*s", (int)(b.n < cap ? b.n : cap - 1), b.n ? (const char *)b.p : "");
        buf_free(&b);
        break;
    }
    default: {
        struct buf b = {0};
        s = cursor_skip(c);
        wire_json(&b, s);
        snprintf(out, cap, "%.*s", (int)(b.n < cap ? b.n : cap - 1), b.n ? (const char *)b.p : "");
        buf_free(&b);
    }
    }
}

/* How many columns a UTF-8 string takes, near enough for Latin scripts. */
static size_t columns_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

/* At most width columns; what is cut ends in "…". */
static void put_cell(const char *s, size_t width, bool last)
{
    size_t n = 0;
    bool cut = columns_of(s) > width;
    for (; *s && n + cut < width; s++) {
        if ((*s & 0xc0) != 0x80)
            n++;
        putchar(*s == '\n' ? ' ' : *s);
        while ((s[1] & 0xc0) == 0x80)
            putchar(*++s);
    }
    if (cut) {
        fputs("…", stdout);
        n++;
    }
    for (; !last && n < width; n++)
        putchar(' ');
    fputs(last ? "\n" : "  ", stdout);
}

struct table {
    char name[COLUMNS_MOST][40];
    size_t n, width[COLUMNS_MOST];
    char **cell;
    size_t rows, cap;
};

/* A field's name for people: words, without the unit that its value shows. */
static void put_label(char *out, size_t cap, const char *field)
{
    snprintf(out, cap, "%s", field);
    for (char *s = out; *s; s++)
        *s = *s == '_' ? ' ' : *s;
    static const char *const tails[] = {" text", " ms", " bytes"};
    for (size_t i = 0; i < 3; i++)
        if (ends(out, tails[i]))
            out[strlen(out) - strlen(tails[i])] = 0;
}

static void table_columns(struct table *t, const char *spec)
{
    while (*spec && t->n < COLUMNS_MOST) {
        size_t n = strcspn(spec, " ");
        char label[40];
        snprintf(t->name[t->n], sizeof t->name[0], "%.*s", (int)n, spec);
        put_label(label, sizeof label, t->name[t->n]);
        t->width[t->n] = strlen(label);
        t->n++;
        spec += n + strspn(spec + n, " ");
    }
}

static void table_row(struct cli *cli, struct table *t, struct cursor *c)
{
    if (t->rows == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->cell = xrealloc(t->cell, t->cap * t->n * sizeof(char *));
    }
    char **row = t->cell + t->rows++ * t->n;
    for (size_t i = 0; i < t->n; i++)
        row[i] = NULL;
    const char *named = NULL;
    size_t fields = cursor_map(c, 256);
    for (size_t i = 0; i < fields && !c->err; i++) {
        char key[64], text[CELL_MOST];
        struct span k = cursor_str(c, 0, 63);
        snprintf(key, sizeof key, "%.*s", (int)k.n, (const char *)k.p);
        size_t at = 0;
        while (at < t->n && strcmp(t->name[at], key) != 0)
            at++;
        if (at == t->n) {
            cursor_skip(c);
            continue;
        }
        /* A counter's unit is in its own name. */
        bool counter = strcmp(key, "value") == 0 || strcmp(key, "most") == 0;
        cell(cli, c, counter && named ? named : key, true, text, sizeof text);
        row[at] = xmemdup(text, strlen(text) + 1);
        named = strcmp(key, "name") == 0 ? row[at] : named;
        size_t w = columns_of(text);
        t->width[at] = w > t->width[at] ? w : t->width[at];
    }
    cursor_leave(c);
}

/* The widest column gives way, again and again, until the table fits. */
static void table_fit(struct table *t, size_t width)
{
    for (;;) {
        size_t sum = 0, widest = 0;
        for (size_t i = 0; i < t->n; i++) {
            sum += t->width[i] + (i ? 2 : 0);
            widest = t->width[i] > t->width[widest] ? i : widest;
        }
        if (!width || sum <= width || t->width[widest] <= 8)
            return;
        t->width[widest]--;
    }
}

static void table_print(struct cli *cli, struct table *t)
{
    table_fit(t, cli->width);
    for (size_t i = 0; i < t->n; i++) {
        char head[40];
        put_label(head, sizeof head, t->name[i]);
        if (cli->colour)
            fputs("\033[1m", stdout);
        put_cell(head, t->width[i], i + 1 == t->n);
        if (cli->colour)
            fputs("\033[0m", stdout);
    }
    for (size_t r = 0; r < t->rows; r++)
        for (size_t i = 0; i < t->n; i++) {
            char *s = t->cell[r * t->n + i];
            put_cell(s ? s : "", t->width[i], i + 1 == t->n);
            free(s);
        }
    if (!t->rows)
        puts("(none)");
    free(t->cell);
}

/* "listings: id title": the array of that name as a table. */
static void show_table(struct cli *cli, struct cursor *c, const char *columns)
{
    struct table t = {.n = 0};
    table_columns(&t, columns);
    size_t n = cursor_array(c, 0, 1 << 20);
    for (size_t i = 0; i < n && !c->err; i++)
        table_row(cli, &t, c);
    cursor_leave(c);
    table_print(cli, &t);
}

/* The columns that spec (“a: x y; b: z”) gives for a field, or NULL. */
static const char *columns_for(const char *spec, const char *field, char *out, size_t cap)
{
    size_t n = strlen(field);
    while (spec && *spec) {
        const char *end = strchr(spec, ';');
        size_t len = end ? (size_t)(end - spec) : strlen(spec);
        if (len > n + 1 && strncmp(spec, field, n) == 0 && spec[n] == ':') {
            snprintf(out, cap, "%.*s", (int)(len - n - 2), spec + n + 2);
            return out;
        }
        spec = end ? end + 1 + strspn(end + 1, " ") : NULL;
    }
    return NULL;
}

/* Does the map at m also say it in words: `price_text` beside `price`? */
static bool has_words(struct cursor m, const char *key)
{
    size_t fields = cursor_map(&m, 1024), n = strlen(key);
    for (size_t i = 0; i < fields && !m.err; i++) {
        struct span k = cursor_str(&m, 0, 63);
        if (k.n == n + 5 && memcmp(k.p, key, n) == 0 && memcmp(k.p + n, "_text", 5) == 0)
            return true;
        cursor_skip(&m);
    }
    return false;
}

static void show_map(struct cli *cli, const struct command *cmd, struct cursor *c, unsigned indent)
{
    struct cursor whole = *c;
    size_t fields = cursor_map(c, 1024);
    for (size_t i = 0; i < fields && !c->err; i++) {
        char key[64], text[CELL_MOST], columns[256];
        struct span k = cursor_str(c, 0, 63);
        snprintf(key, sizeof key, "%.*s", (int)k.n, (const char *)k.p);
        if (has_words(whole, key))
            cursor_skip(c);
        else if (columns_for(cmd->show, key, columns, sizeof columns)) {
            if (fields > 1)
                printf("%*s%s:\n", (int)indent, "", key);
            show_table(cli, c, columns);
        } else if (cursor_peek(c) == WIRE_MAP) {
            printf("%*s%s:\n", (int)indent, "", key);
            show_map(cli, cmd, c, indent + 2);
        } else {
            char label[64];
            cell(cli, c, key, false, text, sizeof text);
            put_label(label, sizeof label, key);
            printf("%*s%-14s %s\n", (int)indent, "", label, text); /* an id fits 80 columns */
        }
    }
    cursor_leave(c);
}

void show_result(struct cli *cli, const struct command *cmd, struct span result)
{
    struct cursor c;
    if (cli->json) {
        struct buf b = {0};
        wire_json(&b, result);
        printf("%.*s\n", (int)b.n, (const char *)b.p);
        buf_free(&b);
        return;
    }
    if (result.n == 1) /* an empty map */
        return;
    cursor_init(&c, result);
    c.lax = true;
    show_map(cli, cmd, &c, 0);
}

void show_error(const struct report *r)
{
    fflush(stdout);
    fprintf(stderr, "souk: %s\n", r->text[0] ? r->text : err_sentence(r->err));
}
