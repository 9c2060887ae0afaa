#include "crypto/base/amount.h"
#include <stdio.h>

bool currency_eq(const struct currency *a, const struct currency *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool currency_is_iso(const struct currency *c)
{
    for (int i = 0; i < 3; i++)
        if (c->b[i] < 'A' || c->b[i] > 'Z')
            return false;
    return is_zero(c->b + 3, sizeof c->b - 3);
}

int currency_from_iso(struct currency *out, const char *code)
{
    struct currency c = {{0}};
    if (strlen(code) != 3)
        return SOUK_EINVALID;
    memcpy(c.b, code, 3);
    if (!currency_is_iso(&c))
        return SOUK_EINVALID;
    *out = c;
    return 0;
}

static int checked(struct amount *out, int64_t minor, const struct currency *c)
{
    if (minor > AMOUNT_MAX || minor < -AMOUNT_MAX)
        return SOUK_ERANGE;
    *out = (struct amount){minor, *c};
    return 0;
}

int amount_add(struct amount *out, const struct amount *a, const struct amount *b)
{
    int64_t sum;
    if (!currency_eq(&a->currency, &b->currency))
        return SOUK_EINVALID;
    if (__builtin_add_overflow(a->minor, b->minor, &sum))
        return SOUK_ERANGE;
    return checked(out, sum, &a->currency);
}

int amount_sub(struct amount *out, const struct amount *a, const struct amount *b)
{
    int64_t rest;
    if (!currency_eq(&a->currency, &b->currency))
        return SOUK_EINVALID;
    if (__builtin_sub_overflow(a->minor, b->minor, &rest))
        return SOUK_ERANGE;
    return checked(out, rest, &a->currency);
}

int amount_share(struct amount *out, const struct amount *a, uint32_t basis_points)
{
    if (basis_points > 10000 || a->minor < 0 || a->minor > AMOUNT_MAX)
        return SOUK_ERANGE;
    /* split so that the product fits: whole ten-thousands, then the rest */
    int64_t whole = a->minor / 10000 * basis_points;
    int64_t rest = (a->minor % 10000 * basis_points + 5000) / 10000;
    return checked(out, whole + rest, &a->currency);
}

int currency_decimals(const struct currency *c)
{
    static const char none[][4] = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG",
                                   "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"};
    static const char three[][4] = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (memcmp(c->b, none[i], 3) == 0)
            return 0;
    for (size_t i = 0; i < sizeof three / sizeof *three; i++)
        if (memcmp(c->b, three[i], 3) == 0)
            return 3;
    return 2;
}

char *amount_format(char *out, size_t cap, int64_t minor, int decimals)
{
    MUST(decimals >= 0 && decimals <= 9);
    uint64_t scale = 1;
    for (int i = 0; i < decimals; i++)
        scale *= 10;
    uint64_t m = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    const char *sign = minor < 0 ? "-" : "";
    if (decimals)
        snprintf(out, cap, "%s%llu.%0*llu", sign, (unsigned long long)(m / scale), decimals,
                 (unsigned long long)(m % scale));
    else
        snprintf(out, cap, "%s%llu", sign, (unsigned long long)m);
    return out;
}

int amount_parse(int64_t *minor, const char *text, size_t n, int decimals)
{
    int64_t value = 0;
    int after = -1; /* digits after the point; -1 before it */
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if ((c == '.' || c == ',') && after < 0 && any) {
            after = 0;
            continue;
        }
        if (c < '0' || c > '9' || after >= decimals)
            return SOUK_EINVALID;
        if (value > AMOUNT_MAX / 10)
            return SOUK_ERANGE;
        value = value * 10 + (c - '0');
        any = true;
        if (after >= 0)
            after++;
    }
    if (!any || after == 0)
        return SOUK_EINVALID;
    for (int i = after < 0 ? 0 : after; i < decimals; i++) {
        if (value > AMOUNT_MAX / 10)
            return SOUK_ERANGE;
        value *= 10;
    }
    if (value > AMOUNT_MAX)
        return SOUK_ERANGE;
    *minor = value;
    return 0;
}
