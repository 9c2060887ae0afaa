#include "node/market/csv.h"
#include "crypto/base/buf.h"
#include <utf8proc.h>

void csv_init(struct csv *c, struct span text)
{
    *c = (struct csv){.in = text, .line = 1};
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        c->at = 3;
}

static bool is_utf8(struct span s)
{
    for (size_t at = 0; at < s.n;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate(s.p + at, (utf8proc_ssize_t)(s.n - at), &point);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* Does a row end here?  Its length: 0 no, 1 LF, 2 CRLF. */
static size_t row_end(const struct csv *c)
{
    const uint8_t *p = c->in.p + c->at;
    size_t left = c->in.n - c->at;
    if (left >= 1 && p[0] == '\n')
        return 1;
    return left >= 2 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
}

static enum csv_got quoted(struct csv *c, struct span *out, struct arena *a)
{
    struct buf b = {0};
    enum csv_got got = CSV_QUOTE;
    for (c->at++; c->at < c->in.n; c->at++) {
        uint8_t ch = c->in.p[c->at];
        if (ch == '"') {
            if (c->at + 1 < c->in.n && c->in.p[c->at + 1] == '"')
                c->at++;
            else {
                c->at++;
                *out = b.n ? arena_copy(a, buf_view(&b)) : span("", 0);
                got = out->p ? CSV_ROW : CSV_FULL;
                break;
            }
        }
        if (ch == '\r' && row_end(c))
            continue;
        c->line += ch == '\n';
        buf_append(&b, &ch, 1);
    }
    buf_free(&b);
    if (got == CSV_ROW && c->at < c->in.n && c->in.p[c->at] != ',' && !row_end(c))
        return CSV_QUOTE;
    return got;
}

static enum csv_got plain(struct csv *c, struct span *out)
{
    size_t from = c->at;
    while (c->at < c->in.n && c->in.p[c->at] != ',' && !row_end(c)) {
        if (c->in.p[c->at] == '"')
            return CSV_QUOTE;
        c->at++;
    }
    *out = span(c->in.p + from, c->at - from);
    return CSV_ROW;
}

enum csv_got csv_next(struct csv *c, struct csv_row *row, struct arena *a)
{
    for (size_t n; (n = row_end(c)); c->at += n)
        c->line++;
    row->line = c->line;
    row->n = 0;
    if (c->at >= c->in.n)
        return CSV_END;
    size_t from = c->at;
    for (;;) {
        struct span field = span("", 0);
        bool quote = c->at < c->in.n && c->in.p[c->at] == '"';
        enum csv_got got = quote ? quoted(c, &field, a) : plain(c, &field);
        if (got != CSV_ROW)
            return got == CSV_QUOTE && !is_utf8(span(c->in.p + from, c->at - from)) ? CSV_ENCODING : got;
        if (row->n < CSV_FIELDS_MOST)
            row->field[row->n] = field;
        row->n++;
        if (c->at >= c->in.n || c->in.p[c->at] != ',')
            break;
        c->at++;
    }
    struct span whole = span(c->in.p + from, c->at - from);
    size_t end = row_end(c);
    c->at += end;
    c->line += end > 0;
    return is_utf8(whole) ? CSV_ROW : CSV_ENCODING;
}
