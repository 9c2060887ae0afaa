/* method.c: see method.h. */
#include "crypto/wire/method.h"

const char *api_class_name(enum api_class class)
{
    static const char *const names[] = {"public", "private", "write", "spend", "secret"};
    return (size_t) class < sizeof names / sizeof *names ? names[class] : "unknown";
}
