/* import.c: faults and rows of an import; the columns of a CSV file. */
#include "node/market/import.h"
#include "crypto/base/buf.h"
#include "node/market/csv.h"
#include "node/market/import_item.h"
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

enum { ARENA_BYTES_MOST = 64 << 20, FAULT_BYTES = 400, LIST_MOST = 64 };

void import_init(struct import *im)
{
    *im = (struct import){0};
    arena_init(&im->arena, ARENA_BYTES_MOST);
}

void import_free(struct import *im)
{
    free(im->rows);
    free(im->faults);
    free(im->paths);
    free(im->titles.slot);
    free(im->named_paths.slot);
    buf_free(&im->json);
    arena_free(&im->arena);
    *im = (struct import){0};
}

const char *import_field_name(enum import_field f, bool json)
{
    static const char *const names[][2] = {
#define X(NAME, csv, json) {csv, json},
        IMPORT_FIELDS(X)
#undef X
    };
    return names[f][json];
}

/* What is shown of a file may hold anything, and may have been cut within a character. */
static size_t printable(char *text, size_t n)
{
    size_t kept = 0;
    for (size_t at = 0; at < n;) {
        utf8proc_int32_t point = 0;
        utf8proc_ssize_t step =
            utf8proc_iterate((const uint8_t *)text + at, (utf8proc_ssize_t)(n - at), &point);
        bool good = step > 0 && utf8_ok(span(text + at, (size_t)step), false);
        if (good)
            memmove(text + kept, text + at, (size_t)step);
        else
            text[kept] = '?';
        kept += good ? (size_t)step : 1;
        at += step > 0 ? (size_t)step : 1;
    }
    return kept;
}

void import_fault(struct import *im, uint32_t line, bool item, const char *field, const char *fmt, ...)
{
    char text[FAULT_BYTES + 1];
    va_list args;
    if (im->faults_n >= IMPORT_FAULTS_MOST)
        return;
    if (!im->faults)
        im->faults = xcalloc(IMPORT_FAULTS_MOST, sizeof *im->faults);
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t kept = printable(text, n < 0 ? 0 : n > FAULT_BYTES ? FAULT_BYTES : (size_t)n);
    struct import_fault *f = &im->faults[im->faults_n++];
    *f = (struct import_fault){.line = line, .item = item};
    f->field = arena_str(&im->arena, span_str(field));
    f->text = arena_str(&im->arena, span(text, kept));
    if (!f->field || !f->text)
        *f = (struct import_fault){line, item, "file", "the file is too large; cut it in two"};
}

static uint64_t fnv(struct span s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ s.p[i]) * 0x100000001b3u;
    return h;
}

static bool names_put(struct span *slot, size_t cap, struct span name)
{
    size_t at = (size_t)fnv(name) & (cap - 1);
    for (; slot[at].p; at = (at + 1) & (cap - 1))
        if (span_eq(slot[at], name))
            return false;
    slot[at] = name;
    return true;
}

bool import_names_add(struct import_names *set, struct span name)
{
    if (set->n * 2 >= set->cap) {
        size_t cap = set->cap ? set->cap * 2 : 256;
        struct span *slot = xcalloc(cap, sizeof *slot);
        for (size_t i = 0; i < set->cap; i++)
            if (set->slot[i].p)
                names_put(slot, cap, set->slot[i]);
        free(set->slot);
        set->slot = slot;
        set->cap = cap;
    }
    bool added = names_put(set->slot, set->cap, name);
    set->n += added;
    return added;
}

/* ---- CSV ---- */
struct columns {
    enum import_field at[CSV_FIELDS_MOST];
    size_t n;
    bool have[FIELD_N], incomplete;
};

static void headings(struct import *im, const struct csv_row *row, struct columns *cols)
{
    static const bool needed[FIELD_CSV_N] = {
        [FIELD_TYPE] = true,     [FIELD_TITLE] = true,    [FIELD_DESCRIPTION] = true,
        [FIELD_LANG] = true,     [FIELD_CATEGORY] = true, [FIELD_PRICE] = true,
        [FIELD_CURRENCY] = true, [FIELD_COUNTRY] = true,  [FIELD_DELIVERY] = true};
    cols->n = row->n;
    for (size_t i = 0; i < row->n && i < CSV_FIELDS_MOST; i++) {
        enum import_field f = FIELD_TYPE;
        while (f < FIELD_CSV_N && !span_eq(row->field[i], span_str(import_field_name(f, false))))
            f++;
        cols->at[i] = f;
        if (f < FIELD_CSV_N && !cols->have[f]) {
            cols->have[f] = true;
            continue;
        }
        char name[61];
        snprintf(name, sizeof name, "%.*s", row->field[i].n < 60 ? (int)row->field[i].n : 60,
                 (const char *)row->field[i].p);
        import_fault(im, row->line, false, *name && utf8_ok(span_str(name), false) ? name : "columns",
                     f < FIELD_CSV_N ? "the column is there twice"
                                     : "no such column; see `souk help listing import`");
        cols->at[i] = FIELD_N;
    }
    for (enum import_field f = FIELD_TYPE; f < FIELD_CSV_N; f++)
        if (!cols->have[f] && needed[f]) {
            import_fault(im, row->line, false, import_field_name(f, false), "the column is missing");
            cols->incomplete = true; /* said once; its rows are still judged by what they have */
        }
}

static struct span trimmed(struct span s)
{
    while (s.n && s.p[0] == ' ') {
        s.p++;
        s.n--;
    }
    while (s.n && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

static struct item_list split(struct import *im, struct span s)
{
    struct item_list list = {0};
    if (!s.n || !(list.v = arena_array(&im->arena, LIST_MOST, sizeof *list.v)))
        return list;
    while (list.n < LIST_MOST) {
        const uint8_t *bar = memchr(s.p, '|', s.n);
        size_t n = bar ? (size_t)(bar - s.p) : s.n;
        list.v[list.n++] = trimmed(span(s.p, n));
        if (!bar)
            break;
        s = span(bar + 1, s.n - n - 1);
    }
    return list;
}

static void csv_item(struct import *im, const struct csv_row *row, const struct columns *cols,
                     const struct import_options *o)
{
    struct item it = {.line = row->line, .bad = cols->incomplete};
    for (size_t i = 0; i < cols->n && i < CSV_FIELDS_MOST; i++)
        if (cols->at[i] < FIELD_N)
            it.v[cols->at[i]] = cols->at[i] == FIELD_DESCRIPTION ? row->field[i] : trimmed(row->field[i]);
    for (size_t f = 0; f < FIELD_CSV_N; f++)
        it.absent[f] = !cols->have[f];
    it.delivery = split(im, it.v[FIELD_DELIVERY]);
    it.tags = split(im, it.v[FIELD_TAGS]);
    it.photos = split(im, it.v[FIELD_PHOTO]);
    import_item(im, &it, o);
}

static void csv_stopped(struct import *im, enum csv_got got, uint32_t line)
{
    if (got == CSV_QUOTE)
        import_fault(
            im, line, false, "quote",
            "a quote (\") is not closed, or stands within a field that has none around it; put the "
            "whole field in quotes and write each quote within it twice");
    else if (got == CSV_ENCODING)
        import_fault(im, line, false, "encoding", "this is not UTF-8; save the file as UTF-8");
    else if (got == CSV_FULL || im->read > IMPORT_ROWS_MOST)
        import_fault(im, line, false, "file", "more than %d listings, or too long; cut it in two",
                     IMPORT_ROWS_MOST);
    else if (!im->read)
        import_fault(im, line, false, "file", "there is no listing in it");
}

void import_csv(struct import *im, struct span text, const struct import_options *o)
{
    struct csv csv;
    struct csv_row row;
    struct columns cols = {0};
    csv_init(&csv, text);
    enum csv_got got = csv_next(&csv, &row, &im->arena);
    if (got == CSV_ROW) {
        headings(im, &row, &cols);
        while ((got = csv_next(&csv, &row, &im->arena)) == CSV_ROW && ++im->read <= IMPORT_ROWS_MOST) {
            if (row.n == cols.n)
                csv_item(im, &row, &cols, o);
            else
                import_fault(im, row.line, false, "columns", "%zu fields, the heading has %zu", row.n,
                             cols.n);
        }
    }
    csv_stopped(im, got, row.line);
}
