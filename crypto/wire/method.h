/* method.h: the shape of the method tables that gen.py writes for an API family: what api.describe answers
 * with, and what `souk api describe` prints without a node.  All of it is static storage. */
#ifndef SOUK_METHOD_H
#define SOUK_METHOD_H
#include <stdbool.h>
#include <stddef.h>

/* Who may call a method: anyone on the read-only socket; readers of what is one's own; writers; whoever
 * may move money; whoever may see or use secrets. */
enum api_class { API_PUBLIC, API_PRIVATE, API_WRITE, API_SPEND, API_SECRET };

struct api_field {
    const char *name, *type; /* "str 1..140" as in the schema */
    bool required;
    const char *doc;
};
struct api_method {
    const char *name; /* "listing.publish" */
    enum api_class class;
    const char *doc;
    const struct api_field *params, *result;
    size_t params_n, result_n;
    const char *errors; /* names of err.h, space separated */
};
/* A struct (fields) or an enum (values, "new, good") that the fields' types name. */
struct api_type {
    const char *name, *doc;
    const struct api_field *fields;
    size_t fields_n;
    const char *values; /* NULL for a struct */
};
const char *api_class_name(enum api_class class);
#endif
