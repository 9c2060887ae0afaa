/* categories.h: the tree that listings are filed under.
 *
 * Two levels: "bikes" and "bikes/city".  A path is the only name of a category on the wire and in the
 * store; labels are for people.  The tree is node/market/categories.tsv, checked and turned into a static
 * table at build by categories.py; everything returned here points into that table and lives for ever.
 * A node that meets a path it does not know keeps the record: a newer node may have a larger tree.  Only
 * what is written here (drafts, imports) is refused for an unknown path. */
#ifndef SOUK_CATEGORIES_H
#define SOUK_CATEGORIES_H
#include "crypto/base/span.h"

enum {
    CATEGORY_PATH_MOST = 48 /* bytes of the longest path that the tree may have */
};

/* What kind of listing belongs here; the same three words as a listing's type. */
enum category_type { CATEGORY_GOODS, CATEGORY_SERVICE, CATEGORY_RENTAL };

enum attribute_kind {
    ATTRIBUTE_STR,
    ATTRIBUTE_INT,
    ATTRIBUTE_BOOL,
    ATTRIBUTE_MEASURE /* a number in the attribute's unit */
};
struct category_attribute {
    const char *name; /* "frame_size" */
    const char *unit; /* "cm"; empty unless kind is ATTRIBUTE_MEASURE */
    enum attribute_kind kind;
};
struct category {
    const char *path; /* "bikes/city" */
    enum category_type type;
    const char *label_en, *label_fr; /* UTF-8, never empty */
    const struct category_attribute *attributes;
    size_t attributes_n;
    bool condition;    /* things here have a state of wear, so that a listing should say which */
    const char *note;  /* what the law restricts here, to be shown to who sells; empty when nothing */
    size_t children_n; /* of a top category; they follow it in the table */
};

/* "goods", "service", "rental". */
const char *category_type_name(enum category_type type);

/* The category of exactly this path, or NULL. */
const struct category *category_find(struct span path);
/* The category most likely meant by a path that is not one: fewest edits (Levenshtein, bytes, ASCII case
 * ignored) to a path, to its last word when the input has no slash, or to a label in either language.
 * NULL when nothing is closer than half of what was typed, or when that is empty or beyond
 * CATEGORY_PATH_MOST bytes.  Ties go to the first path in byte order.  Takes about a millisecond: for
 * error messages, not for search. */
const struct category *category_nearest(struct span path);
/* All of them, sorted by path in byte order. */
const struct category *categories_all(size_t *n);
/* Those without a slash, sorted. */
const struct category *const *categories_top(size_t *n);
/* The children of a top category as an array of *n; of a child: *n = 0. */
const struct category *category_children(const struct category *parent, size_t *n);
/* The top category above a child; a top category itself is returned as it is. */
const struct category *category_top_of(const struct category *category);
/* The attribute of that name in this category, or NULL. */
const struct category_attribute *category_attribute_find(const struct category *category, struct span name);
#endif
