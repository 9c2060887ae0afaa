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
        if (!memchr(s, '=', n) && index-- == 0)
            return field_of(m, s, n);
        s += n + strspn(s + n, " ");
    }
    return NULL;
}

/* Positions such as "mark=follow" are given already. */
static void collect_fixed(struct arena *words, const struct command *cmd, const struct api_method *m,
                          struct given *out, size_t *n)
{
    for (const char *s = cmd->position; s && *s;) {
        size_t len = strcspn(s, " "), name = strcspn(s, "= ");
        const struct api_field *f = name < len ? field_of(m, s, name) : NULL;
        const char *value = f ? arena_printf(words, "%.*s", (int)(len - name - 1), s + name + 1) : NULL;
        if (value)
            out[(*n)++] = (struct given){f, f->name, value};
        s += len + strspn(s + len, " ");
    }
}

static int collect(struct arena *words, const struct command *cmd, const struct api_method *m, int argc,
                   char **argv, struct given *out, size_t *n, struct report *r)
{
    size_t position = 0;
    const char *name = arena_printf(words, "souk %s%s%s", cmd->group, *cmd->verb ? " " : "", cmd->verb);
    collect_fixed(words, cmd, m, out, n);
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
                return report_set(r, SOUK_EUSAGE, "%s is not a flag of `%s`; `souk help%s` lists them", a,
                                  name, name + 4);
        } else {
            f = position_of(cmd, m, position++);
            /* Words beyond the last position belong to it: souk search vélo enfant. */
            if (!f && position > 1 && *n && type_is(out[*n - 1].field->type, "str")) {
                char *joined = arena_printf(words, "%s %s", out[*n - 1].value, a);
                out[*n - 1].value = joined;
                continue;
            }
            if (!f)
                return report_set(r, SOUK_EUSAGE, "'%s' is one word too many for `%s`", a, name);
        }
        if (*n == GIVEN_MOST)
            return report_set(r, SOUK_EUSAGE, "too many flags");
        out[(*n)++] = (struct given){f, f->name, value};
    }
    return 0;
}

static int pack_field(struct value_context *x, struct buf *b, const struct given *g, size_t n, size_t first)
{
    const struct api_field *f = g[first].field;
    snprintf(x->flag, sizeof x->flag, "%s", f->name);
    for (char *s = x->flag; *s; s++)
        *s = *s == '_' ? '-' : *s;
    pack_cstr(b, f->name);
    if (!type_is(f->type, "array"))
        return value_pack(x, b, f, f->type, g[first].value);
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
            err = value_pack(x, b, f, of + 4, g[i].value);
    return err;
}

/* The currency that goes for amounts without one: --currency; or that of an amount, "60 EUR", which then
 * stands for --currency where the method takes it. */
static int find_currency(struct value_context *x, const struct api_method *m, struct given *given,
                         size_t *n)
{
    const struct api_field *f = field_of(m, "currency", 8);
    for (size_t i = 0; i < *n; i++)
        if (strcmp(given[i].field->name, "currency") == 0)
            x->currency = given[i].value;
    for (size_t i = 0; i < *n && f && !x->currency; i++) {
        const char *space = given[i].value ? strchr(given[i].value, ' ') : NULL;
        if (strncmp(given[i].field->doc, MINOR_DOC, strlen(MINOR_DOC)) != 0 || !space)
            continue;
        if (*n == GIVEN_MOST)
            return report_set(x->r, SOUK_EUSAGE, "too many flags");
        x->currency = space + strspn(space, " ");
        given[(*n)++] = (struct given){f, f->name, x->currency};
    }
    return 0;
}

static int make_params(struct cli *cli, const struct command *cmd, const struct api_method *m, int argc,
                       char **argv, bool whole, struct buf *params, struct report *r)
{
    struct given given[GIVEN_MOST];
    struct value_context x = {.cli = cli, .r = r};
    size_t n = 0, fields = 0;
    int err = collect(&cli->words, cmd, m, argc, argv, given, &n, r);
    struct buf body = {0};
    if (!err)
        err = find_currency(&x, m, given, &n);
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
    for (size_t i = 0; i < m->params_n && !err && whole; i++) {
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

int args_params(struct cli *cli, const struct command *cmd, const struct api_method *m, int argc,
                char **argv, struct buf *params, struct report *r)
{
    return make_params(cli, cmd, m, argc, argv, true, params, r);
}

int args_some(struct cli *cli, const struct command *cmd, const struct api_method *m, int argc, char **argv,
              struct buf *params, struct report *r)
{
    return make_params(cli, cmd, m, argc, argv, false, params, r);
}
