/* import.h: listings from a file: CSV, or JSON as schema.org has it (tests/data/catalogue/README.md tells
 * both formats).  Bytes in, drafts and faults out; nothing here reads files or publishes.
 *
 * Every mistake of a file is named at once, in the order of the file and, within a row, of the columns.  A
 * row with a mistake gives no draft; whoever publishes does so only when there is no fault at all. */
#ifndef SOUK_IMPORT_H
#define SOUK_IMPORT_H
#include "crypto/base/arena.h"
#include "crypto/base/buf.h"
#include "record.gen.h"

enum { IMPORT_ROWS_MOST = 10000, IMPORT_FAULTS_MOST = 1000, IMPORT_DAYS = 60 };

/* A picture that the file names and that is in the store already. */
struct import_photo {
    struct span path;
    struct record_photo photo;
};
struct import_options {
    const struct identity *issuer;   /* stands for the currency `credit`; NULL: there is none */
    int issuer_decimals;             /* of its credit */
    const struct identity *arbiters; /* for all listings; an instant one needs them */
    size_t arbiters_n;
    bool photos_known; /* a path that is not among `photos` is a mistake */
    const struct import_photo *photos;
    size_t photos_n;
};
struct import_row {
    struct record_listing listing; /* without slot; spans in the arena or the text */
    unsigned days;                 /* until it expires */
    uint32_t line;                 /* of the CSV file, or the number of the JSON object, from 1 */
};
struct import_fault {
    uint32_t line; /* as above; for the field "json" the line of the file */
    bool item;     /* line is the number of an object */
    const char *field, *text;
};
/* Texts seen before: open addressing over borrowed spans. */
struct import_names {
    struct span *slot;
    size_t n, cap;
};
struct import {
    struct import_row *rows;
    size_t rows_n, rows_cap;
    struct import_fault *faults;
    size_t faults_n;
    struct span *paths; /* of pictures, each once, in order */
    size_t paths_n, paths_cap;
    size_t read; /* rows or objects, good or not */
    struct import_names titles, named_paths;
    struct buf json; /* of a JSON file, as MessagePack: spans point into it */
    struct arena arena;
};
void import_init(struct import *im);
void import_free(struct import *im);
/* The text and the options are borrowed until import_free. */
void import_csv(struct import *im, struct span text, const struct import_options *o);
void import_json(struct import *im, struct span text, const struct import_options *o);
#endif
