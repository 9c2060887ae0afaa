#include "node/market/categories.h"
#include "crypto/base/err.h"

#include "categories.gen.h"

#define TABLE_N (sizeof category_table / sizeof category_table[0])
#define TOPS_N (sizeof category_tops / sizeof category_tops[0])

enum {
    LABEL_MOST = 96 /* bytes of a label that are compared */
};

const char *category_type_name(enum category_type type)
{
    static const char *const names[] = {"goods", "service", "rental"};
    return names[type];
}

/* Byte order of a span against a terminated string, as strcmp. */
static int span_order(struct span a, const char *b)
{
    size_t n = strlen(b);
    size_t both = a.n < n ? a.n : n;
    int order = both ? memcmp(a.p, b, both) : 0;
    return order ? order : (a.n > n) - (a.n < n);
}

const struct category *category_find(struct span path)
{
    size_t low = 0, high = TABLE_N;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = span_order(path, category_table[middle].path);
        if (order == 0)
            return &category_table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Edits between two short strings, or `most` as soon as it cannot be fewer. */
static size_t edits(struct span a, struct span b, size_t most)
{
    size_t row[LABEL_MOST + 1];
    if (b.n > LABEL_MOST || (a.n > b.n ? a.n - b.n : b.n - a.n) >= most)
        return most;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 0; i < a.n; i++) {
        size_t corner = row[0], least = row[0] = i + 1;
        for (size_t j = 0; j < b.n; j++) {
            size_t best = corner + (lower(a.p[i]) != lower(b.p[j]));
            corner = row[j + 1];
            if (corner + 1 < best)
                best = corner + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            row[j + 1] = best;
            if (best < least)
                least = best;
        }
        if (least >= most)
            return most;
    }
    return row[b.n] < most ? row[b.n] : most;
}

const struct category *category_nearest(struct span path)
{
    const struct category *found = NULL;
    if (path.n == 0 || path.n > CATEGORY_PATH_MOST)
        return NULL;
    bool slash = memchr(path.p, '/', path.n) != NULL;
    size_t best = path.n / 2 + 1;
    for (size_t i = 0; i < TABLE_N; i++) {
        const struct category *c = &category_table[i];
        const char *leaf = strchr(c->path, '/');
        const char *names[] = {c->path, c->label_en, c->label_fr, leaf && !slash ? leaf + 1 : c->path};
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            size_t distance = edits(path, span_str(names[k]), best);
            if (distance < best) {
                best = distance;
                found = c;
            }
        }
    }
    return found;
}

const struct category *categories_all(size_t *n)
{
    *n = TABLE_N;
    return category_table;
}

const struct category *const *categories_top(size_t *n)
{
    *n = TOPS_N;
    return category_tops;
}

const struct category *category_children(const struct category *parent, size_t *n)
{
    *n = parent->children_n;
    return parent + 1; /* with no children, one past: never read */
}

const struct category *category_top_of(const struct category *category)
{
    const char *slash = strchr(category->path, '/');
    if (!slash)
        return category;
    const struct category *top = category_find(span(category->path, (size_t)(slash - category->path)));
    MUST(top); /* categories.py refuses a child without its parent */
    return top;
}

const struct category_attribute *category_attribute_find(const struct category *category, struct span name)
{
    for (size_t i = 0; i < category->attributes_n; i++)
        if (span_order(name, category->attributes[i].name) == 0)
            return &category->attributes[i];
    return NULL;
}
