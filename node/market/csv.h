/* csv.h: rows of a CSV file (RFC 4180): comma, fields in double quotes where they hold commas, quotes
 * (doubled) or line ends; LF or CRLF; a UTF-8 byte order mark is stepped over, and so are empty lines.
 *
 * A line number is that of the file on which a row begins, so that an editor finds it, whatever newlines
 * its fields hold.  CRLF within a field becomes LF. */
#ifndef SOUK_CSV_H
#define SOUK_CSV_H
#include "crypto/base/arena.h"
#include "crypto/base/span.h"

enum { CSV_FIELDS_MOST = 64 };
struct csv {
    struct span in;
    size_t at;
    uint32_t line;
};
struct csv_row {
    uint32_t line;
    size_t n; /* fields of the row; those beyond CSV_FIELDS_MOST are counted and dropped */
    struct span
        field[CSV_FIELDS_MOST]; /* borrowed from the input, or in the arena where quotes were undone */
};
enum csv_got {
    CSV_END,
    CSV_ROW,
    CSV_QUOTE,    /* unbalanced, or within a field that is not quoted: reading on would guess */
    CSV_ENCODING, /* not UTF-8 */
    CSV_FULL      /* the arena's limit */
};
void csv_init(struct csv *c, struct span text);
/* After anything but CSV_ROW do not ask again; row->line is set for mistakes too, and at CSV_END tells the
 * line behind the last. */
enum csv_got csv_next(struct csv *c, struct csv_row *row, struct arena *a);
#endif
