/* args.c: the command's flags are the method's parameters, by the same names and types. */
#include "cli/cli.h"
#include "crypto/base/amount.h"
#include "crypto/wire/json.h"
#include "crypto/wire/pack.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const struct api_method *method_find(const char *name)
{
    for (size_t i = 0; i < api_methods_n; i++)
        if (strcmp(api_methods[i].name, name) == 0)
            return &api_methods[i];
    return NULL;
}

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

/* ---- ids that were shown ---- */
static FILE *ids_open(const struct cli *cli, const char *mode)
{
    char path[300];
    snprintf(path, sizeof path, "%s/ids", cli->home);
    return fopen(path, mode);
}

void id_remember(struct cli *cli, const uint8_t id[static 32])
{
    char hex[65], line[80];
    hex_encode(hex, id, 32);
    FILE *f = ids_open(cli, "a+e");
    if (!f)
        return; /* a convenience: full ids always work */
    bool there = false;
    rewind(f);
    while (!there && fgets(line, sizeof line, f))
        there = strncmp(line, hex, 64) == 0;
    if (!there)
        fprintf(f, "%s\n", hex);
    fclose(f);
}

int id_resolve(struct cli *cli, const char *text, uint8_t out[static 32], struct report *r)
{
    size_t n = strlen(text), matches = 0;
    char line[80], first[65] = "";
    if (hex_decode(out, 32, text, n))
        return 0;
    FILE *f = n >= 4 && n < 64 ? ids_open(cli, "re") : NULL;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, text, n) == 0 && strncmp(line, first, 64) != 0) {
            memcpy(first, line, 64);
            matches++;
        }
    if (f)
        fclose(f);
    if (matches == 1 && hex_decode(out, 32, first, 64))
        return 0;
    if (matches > 1)
        return report_set(r, SOUK_EUSAGE, "'%s' begins several ids: give more of it", text);
    return report_set(r, SOUK_EUSAGE,
                      "'%s' is not an id: give 64 hex digits, or the beginning of one that was shown",
                      text);
}

/* ---- values ---- */
static bool type_is(const char *type, const char *word)
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
    int err = client_call(cli->client, "credit.balance", buf_view(&params), &result, r);
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

struct context {
    struct cli *cli;
    const char *flag, *currency;
    struct report *r;
};
static int pack_value(struct context *x, struct buf *b, const char *type, const char *text);

/* "k=v,k=v" for a struct; a word alone is the first field. */
static int pack_struct(struct context *x, struct buf *b, const struct api_type *t, const char *text)
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
        err = pack_value(x, &body, f->type, value);
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

static int pack_number(struct context *x, struct buf *b, const char *text)
{
    char *end;
    uint64_t ms;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if ((ends_with(x->flag, "-ms") || ends_with(x->flag, "for")) && duration_parse(text, &ms)) {
        pack_uint(b, ms);
        return 0;
    }
    if (errno || end == text || *end)
        return report_set(x->r, SOUK_EUSAGE, "--%s: '%s' is not a whole number", x->flag, text);
    pack_int(b, v);
    return 0;
}

static int pack_value(struct context *x, struct buf *b, const char *type, const char *text)
{
    uint8_t id[32];
    const struct api_type *t;
    if (text[0] == '{' || text[0] == '[')
        return json_to_wire(b, span_str(text), x->r);
    if (type_is(type, "uint") || type_is(type, "int"))
        return pack_number(x, b, text);
    if (type_is(type, "bool")) {
        pack_bool(b, strcmp(text, "no") != 0 && strcmp(text, "false") != 0);
        return 0;
    }
    if (type_is(type, "id") || type_is(type, "identity") || type_is(type, "node")) {
        int err = id_resolve(x->cli, text, id, x->r);
        if (!err)
            pack_bin(b, span(id, 32));
        return err;
    }
    if (type_is(type, "amount"))
        return pack_amount_text(x->cli, b, text, x->currency, x->r);
    if (type_is(type, "currency"))
        return pack_currency_text(x->cli, b, text, x->r);
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

/* ---- the map ---- */
enum { GIVEN_MOST = 256 };
struct given {
    const struct api_field *field;
    const char *flag, *value;
};

static const struct api_field *field_of(const struct api_method *m, const char *flag, size_t n)
{
    for (size_t i = 0; i < m->params_n; i++) {
        const char *name = m->params[i].name;
        size_t k = 0;
        while (k < n && name[k] && (name[k] == flag[k] || (name[k] == '_' && flag[k] == '-')))
            k++;
        /* --fund for fund_ms, --arbiter for arbiters */
        bool array = strncmp(m->params[i].type, "array", 5) == 0;
        if (k == n && (!name[k] || strcmp(name + k, "_ms") == 0 || (array && strcmp(name + k, "s") == 0)))
            return &m->params[i];
    }
    return NULL;
}

static const struct api_field *position_of(const struct command *cmd, const struct api_method *m,
                                           size_t index)
{
    const char *s = cmd->position;
    while (s && *s) {
        size_t n = strcspn(s, " ");
        if (index-- == 0)
            return field_of(m, s, n);
        s += n + strspn(s + n, " ");
    }
    return NULL;
}

static int collect(struct arena *words, const struct command *cmd, const struct api_method *m, int argc,
                   char **argv, struct given *out, size_t *n, struct report *r)
{
    size_t position = 0;
    for (int i = 0; i < argc; i++) {
        const struct api_field *f;
        const char *a = argv[i], *eq = NULL, *value = a;
        if (strncmp(a, "--", 2) == 0) {
            eq = strchr(a, '=');
            size_t len = eq ? (size_t)(eq - a) - 2 : strlen(a) - 2;
            bool no = strncmp(a + 2, "no-", 3) == 0;
            f = field_of(m, a + 2, len);
            if (!f && no && (f = field_of(m, a + 5, len - 3)) && type_is(f->type, "bool"))
                value = "no";
            else if (f && type_is(f->type, "bool") && !eq)
                value = "yes";
            else if (f && eq)
                value = eq + 1;
            else if (f && i + 1 < argc)
                value = argv[++i];
            else if (f)
                return report_set(r, SOUK_EUSAGE, "%s wants a value (%s)", a, f->type);
            else
                return report_set(r, SOUK_EUSAGE,
                                  "%s is not a flag of `souk %s %s`; `souk help %s %s` lists them", a,
                                  cmd->group, cmd->verb, cmd->group, cmd->verb);
        } else {
            f = position_of(cmd, m, position++);
            /* Words beyond the last position belong to it: souk search vélo enfant. */
            if (!f && position > 1 && *n && type_is(out[*n - 1].field->type, "str")) {
                char *joined = arena_printf(words, "%s %s", out[*n - 1].value, a);
                out[*n - 1].value = joined;
                continue;
            }
            if (!f)
                return report_set(r, SOUK_EUSAGE, "'%s' is one word too many for `souk %s %s`", a,
                                  cmd->group, cmd->verb);
        }
        if (*n == GIVEN_MOST)
            return report_set(r, SOUK_EUSAGE, "too many flags");
        out[(*n)++] = (struct given){f, f->name, value};
    }
    return 0;
}

static int pack_field(struct context *x, struct buf *b, const struct given *g, size_t n, size_t first)
{
    const struct api_field *f = g[first].field;
    char flag[64];
    snprintf(flag, sizeof flag, "%s", f->name);
    for (char *s = flag; *s; s++)
        *s = *s == '_' ? '-' : *s;
    x->flag = flag;
    pack_cstr(b, f->name);
    if (!type_is(f->type, "array"))
        return pack_value(x, b, f->type, g[first].value);
    const char *of = strstr(f->type, " of ");
    if (!of)
        return report_set(x->r, SOUK_EINTERNAL, "type %s", f->type);
    if (g[first].value[0] == '[')
        return json_to_wire(b, span_str(g[first].value), x->r);
    size_t count = 0;
    for (size_t i = first; i < n; i++)
        count += g[i].field == f;
    pack_array(b, count);
    int err = 0;
    for (size_t i = first; i < n && !err; i++)
        if (g[i].field == f)
            err = pack_value(x, b, of + 4, g[i].value);
    return err;
}

int args_params(struct cli *cli, const struct command *cmd, const struct api_method *m, int argc,
                char **argv, struct buf *params, struct report *r)
{
    struct given given[GIVEN_MOST];
    struct context x = {cli, NULL, NULL, r};
    size_t n = 0, fields = 0;
    int err = collect(&cli->words, cmd, m, argc, argv, given, &n, r);
    struct buf body = {0};
    for (size_t i = 0; i < n; i++)
        if (strcmp(given[i].field->name, "currency") == 0)
            x.currency = given[i].value;
    for (size_t i = 0; i < n && !err; i++) {
        bool done = false;
        for (size_t k = 0; k < i; k++)
            done |= given[k].field == given[i].field;
        if (done && !type_is(given[i].field->type, "array"))
            err = report_set(r, SOUK_EUSAGE, "--%s is given twice", given[i].field->name);
        if (done || err)
            continue;
        err = pack_field(&x, &body, given, n, i);
        fields++;
    }
    for (size_t i = 0; i < m->params_n && !err; i++) {
        bool there = !m->params[i].required || strcmp(m->params[i].name, "passphrase") == 0;
        for (size_t k = 0; k < n; k++)
            there |= given[k].field == &m->params[i];
        if (!there)
            err = report_set(r, SOUK_EUSAGE, "--%s is missing (%s%s%s)", m->params[i].name,
                             m->params[i].type, *m->params[i].doc ? ": " : "", m->params[i].doc);
    }
    if (!err) {
        pack_map(params, fields);
        buf_span(params, buf_view(&body));
    }
    buf_wipe(&body);
    return err;
}
