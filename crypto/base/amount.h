/* amount.h: money.  Amounts of different currencies never mix; arithmetic is checked.
 *
 * A currency is three ISO 4217 letters followed by 29 zero bytes, or an issuer's identity (32 bytes), whose
 * record gives name and decimals. */
#ifndef SOUK_AMOUNT_H
#define SOUK_AMOUNT_H
#include "crypto/base/err.h"
#include "crypto/base/span.h"

struct currency {
    uint8_t b[32];
};
struct amount {
    int64_t minor; /* the smallest unit: cents, or as the issuer says */
    struct currency currency;
};
#define AMOUNT_MAX 1000000000000000 /* 10^15 minor units: sums of 9,000 of them still fit */

bool currency_eq(const struct currency *a, const struct currency *b);
bool currency_is_iso(const struct currency *c);                /* three capitals, then zeros */
int currency_from_iso(struct currency *out, const char *code); /* SOUK_EINVALID */
/* 0, or SOUK_EINVALID on different currencies, SOUK_ERANGE beyond ±AMOUNT_MAX. */
int amount_add(struct amount *out, const struct amount *a, const struct amount *b);
int amount_sub(struct amount *out, const struct amount *a, const struct amount *b);
/* basis points of a, rounded half up; bp 0..10000. */
int amount_share(struct amount *out, const struct amount *a, uint32_t basis_points);
/* Decimals of an ISO currency: 2, except 0 for JPY KRW …, 3 for BHD KWD TND …. */
int currency_decimals(const struct currency *c);
/* "12.50" with the given decimals; out holds at least 32 chars. */
char *amount_format(char *out, size_t cap, int64_t minor, int decimals);
/* Reads "12", "12.5", "12,50".  SOUK_EINVALID on anything else or too many decimals; SOUK_ERANGE. */
int amount_parse(int64_t *minor, const char *text, size_t n, int decimals);
#endif
