/* utf8.h: which control characters a string may hold; see utf8_ok in cursor.h for everybody else. */
#ifndef SOUK_UTF8_H
#define SOUK_UTF8_H
#include "crypto/base/span.h"

enum utf8_rule {
    UTF8_LINE, /* none */
    UTF8_TEXT, /* newline */
    UTF8_LAX   /* newline and tab */
};
bool utf8_fits(struct span s, enum utf8_rule rule);
#endif
