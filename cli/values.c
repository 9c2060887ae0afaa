/* values.c: words of the command line become values of the types that the schema names. */
#include "cli/cli.h"
#include "crypto/base/amount.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/json.h"
#include "crypto/wire/pack.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

bool duration_parse(const char *text, uint64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1},       {"s", 1000},      {"m", 60000}, {"h", 3600000},
                 {"d", 86400000}, {"w", 604800000}, {"", 1}};
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (errno || end == text || v < 0 || v > 1e12)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *ms = (uint64_t)(v * (double)units[i].ms);
            return true;
        }
    return false;
}

bool type_is(const char *type, const char *word)
{
    size_t n = strlen(word);
    return strncmp(type, word, n) == 0 && (type[n] == 0 || type[n] == ' ');
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);
    return n >= k && strcmp(s + n - k, tail) == 0;
}

static int pack_currency_text(struct cli *cli, struct buf *b, const char *text, struct report *r)
{
    struct currency c;
    uint8_t id[32];
    if (currency_from_iso(&c, text) == 0) {
        pack_bin(b, span(text, 3));
        return 0;
    }
    int err = id_resolve(cli, text, id, r);
    if (err)
        return report_set(r, SOUK_EUSAGE, "'%s' is no currency: give EUR, CHF, … or the id of an issuer",
                          text);
    pack_bin(b, span(id, 32));
    return 0;
}

/* Decimals of an issuer's credit, as the node knows them. */
static int issuer_decimals(struct cli *cli, struct span issuer, struct report *r)
{
    struct buf params = {0}, result = {0};
    struct arena a;
    struct api_credit_balance_result m;
    arena_init(&a, 65536);
    pack_map(&params, 1);
    pack_cstr(&params, "issuer");
    pack_bin(&params, issuer);
    int err = cli->client ? 0 : client_open(&cli->client, cli->home, cli->timeout_ms, r);
    if (!err)
        err = client_call(cli->client, "credit.balance", buf_view(&params), &result, r);
    int decimals = 0;
    if (!err && api_credit_balance_result_decode(&m, buf_view(&result), &a, r) == 0 && m.balances_n)
        decimals = (int)m.balances[0].decimals;
    arena_free(&a);
    buf_free(&params);
    buf_free(&result);
    return err ? err : decimals;
}

/* "12.50 EUR", "12.50EUR", "12.50 ISSUER", or "12.50" with --currency. */
static int pack_amount_text(struct cli *cli, struct buf *b, const char *text, const char *currency,
                            struct report *r)
{
    size_t n = strspn(text, "0123456789.,");
    const char *rest = text + n + strspn(text + n, " ");
    struct buf cur = {0};
    int64_t minor = 0;
    int err = 0, decimals = 2;
    if (*rest)
        currency = rest;
    if (!currency)
        return report_set(r, SOUK_EUSAGE, "'%s' has no currency: write \"%s EUR\", or give --currency",
                          text, text);
    if ((err = pack_currency_text(cli, &cur, currency, r))) {
        buf_free(&cur);
        return err;
    }
    if (cur.n == 5) { /* a bin of 3 */
        struct currency c;
        currency_from_iso(&c, currency);
        decimals = currency_decimals(&c);
    } else
        decimals = issuer_decimals(cli, span(cur.p + 2, 32), r);
    if (decimals < 0)
        err = decimals;
    else if (amount_parse(&minor, text, n, decimals))
        err = report_set(r, SOUK_EUSAGE, "'%s' is not an amount with at most %d decimals", text, decimals);
    if (!err) {
        pack_array(b, 2);
        pack_int(b, minor);
        buf_span(b, buf_view(&cur));
    }
    buf_free(&cur);
    return err;
}

/* "k=v,k=v" for a struct; a word alone is the first field. */
static int pack_struct(struct value_context *x, struct buf *b, const struct api_type *t, const char *text)
{
    struct buf body = {0};
    size_t n = 0;
    int err = 0;
    char *copy = xmemdup(text, strlen(text) + 1), *save = NULL;
    for (char *part = strtok_r(copy, ",", &save); part && !err; part = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(part, '=');
        const char *name = eq ? part : t->fields[0].name, *value = eq ? eq + 1 : part;
        if (eq)
            *eq = 0;
        const struct api_field *f = NULL;
        for (size_t i = 0; i < t->fields_n; i++)
            if (strcmp(t->fields[i].name, name) == 0)
                f = &t->fields[i];
        if (!f) {
            err = report_set(x->r, SOUK_EUSAGE, "--%s: there is no '%s' in a %s", x->flag, name, t->name);
            break;
        }
        pack_cstr(&body, name);
        err = value_pack(x, &body, f, f->type, value);
        n++;
    }
    if (!err) {
        pack_map(b, n);
        buf_span(b, buf_view(&body));
    }
    free(copy);
    buf_free(&body);
    return err;
}

static const struct api_type *type_find(const char *type)
{
    for (size_t i = 0; i < api_types_n; i++)
        if (type_is(type, api_types[i].name) && api_types[i].fields)
            return &api_types[i];
    return NULL;
}

/* "2026-12-24", "2026-12-24 18:00" (here), or from now on: "10d", "+10d". */
static bool time_parse(const char *text, int64_t *ms)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"};
    uint64_t span_ms;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &tm);
        if (end && !*end) {
            *ms = (int64_t)mktime(&tm) * 1000;
            return true;
        }
    }
    size_t n = strlen(text);
    if (!n || (text[n - 1] >= '0' && text[n - 1] <= '9') ||
        !duration_parse(text + (*text == '+'), &span_ms))
        return false;
    *ms = (int64_t)time(NULL) * 1000 + (int64_t)span_ms;
    return true;
}

/* Words about a value name its flag. */
static int named(const struct value_context *x, int err)
{
    struct report was = *x->r;
    return err == SOUK_EUSAGE ? report_set(x->r, err, "--%s: %s", x->flag, was.text) : err;
}

/* Money without a currency of its own: "12.50", or with one, "12.50 EUR", as --currency says as well. */
static int pack_minor(struct value_context *x, struct buf *b, const char *text)
{
    struct buf amount = {0};
    struct cursor c;
    if (!x->currency && !strchr(text, ' '))
        return report_set(x->r, SOUK_EUSAGE,
                          "--%s: '%s' has no currency: write \"%s EUR\", or give --currency", x->flag, text,
                          text);
    int err = named(x, pack_amount_text(x->cli, &amount, text, x->currency, x->r));
    cursor_init(&c, buf_view(&amount));
    if (!err) {
        cursor_array(&c, 2, 2);
        pack_int(b, cursor_int(&c, INT64_MIN, INT64_MAX));
    }
    buf_free(&amount);
    return err;
}

static int pack_number(struct value_context *x, struct buf *b, const char *type, const char *text)
{
    char *end;
    uint64_t ms;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if ((ends_with(x->flag, "-ms") || ends_with(x->flag, "for")) && duration_parse(text, &ms)) {
        pack_uint(b, ms);
        return 0;
    }
    bool time = strcmp(type, TIME_TYPE) == 0;
    int64_t at;
    if (time && time_parse(text, &at)) {
        pack_int(b, at);
        return 0;
    }
    if (errno || end == text || *end)
        return report_set(
            x->r, SOUK_EUSAGE,
            time ? "--%s: '%s' is no time: write 2026-12-24, \"2026-12-24 18:00\", or 10d (from now)"
                 : "--%s: '%s' is not a whole number",
            x->flag, text);
    pack_int(b, v);
    return 0;
}

static int pack_bool_text(struct value_context *x, struct buf *b, const char *text)
{
    bool yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0)
        return report_set(x->r, SOUK_EUSAGE, "--%s: '%s' is neither yes nor no", x->flag, text);
    pack_bool(b, yes);
    return 0;
}

int value_pack(struct value_context *x, struct buf *b, const struct api_field *f, const char *type,
               const char *text)
{
    uint8_t id[32];
    const struct api_type *t;
    if (type_is(type, "str") || type_is(type, "text")) {
        pack_cstr(b, text);
        return 0;
    }
    if (text[0] == '{' || text[0] == '[')
        return json_to_wire(b, span_str(text), x->r);
    if (strncmp(f->doc, MINOR_DOC, strlen(MINOR_DOC)) == 0)
        return pack_minor(x, b, text);
    if (type_is(type, "uint") || type_is(type, "int"))
        return pack_number(x, b, type, text);
    if (type_is(type, "bool"))
        return pack_bool_text(x, b, text);
    if (type_is(type, "id") || type_is(type, "identity") || type_is(type, "node")) {
        int err = named(x, id_resolve(x->cli, text, id, x->r));
        if (!err)
            pack_bin(b, span(id, 32));
        return err;
    }
    if (type_is(type, "amount"))
        return named(x, pack_amount_text(x->cli, b, text, x->currency, x->r));
    if (type_is(type, "currency"))
        return named(x, pack_currency_text(x->cli, b, text, x->r));
    if (type_is(type, "bin")) {
        struct buf file = {0};
        int err = cli_file(text, 4 << 20, &file, x->r);
        if (!err)
            pack_bin(b, buf_view(&file));
        buf_free(&file);
        return err;
    }
    if ((t = type_find(type)))
        return pack_struct(x, b, t, text);
    pack_cstr(b, text);
    return 0;
}
