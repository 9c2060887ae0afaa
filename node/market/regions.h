/* regions.h: countries, as ISO 3166-1 alpha-2 names them.
 *
 * Listings say where a thing lies and profiles where a person lives by these two capitals.  The 249
 * officially assigned codes are known; reserved and user-assigned ones (UK, EU, XK, ZZ) are refused. */
#ifndef SOUK_REGIONS_H
#define SOUK_REGIONS_H
#include "crypto/base/span.h"

/* True for exactly two capital letters that are an assigned code. */
bool region_ok(struct span code);
/* The code for one of the mistakes people make: lower case, UK for GB, EL for GR.  Writes two capitals and
 * a NUL; false when nothing is likely.  For error messages. */
bool region_guess(char out[static 3], struct span code);
#endif
