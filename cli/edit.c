/* edit.c: verbs that change part of what stands: a new revision is what stands, and the flags over it. */
#include "cli/cli.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include <stdio.h>
#include <string.h>

/* The field of a map, as its bytes; empty when it has none. */
static struct span field_in(struct span map, const char *name)
{
    struct cursor c;
    cursor_init(&c, map);
    c.lax = true;
    size_t n = map.n ? cursor_map(&c, 1024) : 0;
    for (size_t i = 0; i < n && !c.err; i++) {
        bool this = span_eq(cursor_str(&c, 0, 64), span_str(name));
        struct span value = cursor_skip(&c);
        if (this && !c.err)
            return value;
    }
    return span(NULL, 0);
}

/* Photos are shown whole and published by their roots. */
static void pack_roots(struct buf *b, struct span photos)
{
    struct cursor c;
    cursor_init(&c, photos);
    c.lax = true;
    size_t n = cursor_array(&c, 0, 64);
    pack_array(b, n);
    for (size_t i = 0; i < n; i++) {
        struct span root = field_in(cursor_skip(&c), "root");
        if (root.n)
            buf_span(b, root);
        else
            pack_cstr(b, ""); /* the node refuses it */
    }
}

/* What the method takes: from the flags, else from the first of the maps that has it. */
static void merge(struct buf *out, const struct api_method *m, struct span flags, const struct span *maps,
                  size_t maps_n)
{
    struct buf body = {0};
    size_t n = 0;
    for (size_t i = 0; i < m->params_n; i++) {
        const char *name = m->params[i].name;
        struct span v = field_in(flags, name);
        bool given = v.n != 0;
        for (size_t k = 0; k < maps_n && !v.n; k++)
            v = field_in(maps[k], name);
        if (!v.n)
            continue;
        pack_cstr(&body, name);
        if (!given && strcmp(name, "photos") == 0)
            pack_roots(&body, v);
        else
            buf_span(&body, v);
        n++;
    }
    pack_map(out, n);
    buf_span(out, buf_view(&body));
    buf_wipe(&body);
}

static int ask_one(struct cli *cli, const char *method, const char *field, struct span id,
                   struct buf *result, struct report *r)
{
    struct buf params = {0};
    pack_map(&params, id.n ? 1 : 0);
    if (id.n) {
        pack_cstr(&params, field);
        buf_span(&params, id);
    }
    int err = client_call(cli->client, method, buf_view(&params), result, r);
    buf_free(&params);
    return err;
}

/* Which part of a listing is still to be had is shown; what there is in all is published. */
static void pack_quantity(struct buf *b, struct span listing, struct span taken)
{
    struct cursor left, gone;
    cursor_init(&left, field_in(listing, "quantity"));
    cursor_init(&gone, taken);
    left.lax = gone.lax = true;
    uint64_t n = cursor_uint(&left, 0, UINT32_MAX) + (taken.n ? cursor_uint(&gone, 0, UINT32_MAX) : 0);
    pack_map(b, 1);
    pack_cstr(b, "quantity");
    pack_uint(b, n);
}

int listing_edit(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    const struct api_method *m = method_find(cmd->method);
    struct report r = {0};
    struct buf flags = {0}, shown = {0}, own = {0}, params = {0}, quantity = {0};
    int code = EXIT_DONE, err = args_some(cli, cmd, m, argc, argv, &flags, &r);
    struct span id = field_in(buf_view(&flags), "revises");
    if (!err && !id.n)
        err = report_set(&r, SOUK_EUSAGE, "which listing? souk listing edit ID --price \"40 EUR\" …");
    if (!err && (code = cli_open(cli)))
        goto done;
    if (!err)
        err = ask_one(cli, "listing.show", "id", id, &shown, &r);
    if (!err) {
        struct span row = field_in(buf_view(&shown), "listing"), seller = field_in(row, "seller");
        pack_quantity(&quantity, row, field_in(buf_view(&shown), "taken"));
        pack_map(&own, 1);
        pack_cstr(&own, "as");
        buf_span(&own, seller);
        const struct span maps[] = {buf_view(&own), buf_view(&quantity), row, buf_view(&shown)};
        merge(&params, m, buf_view(&flags), maps, 4);
        code = cli_call(cli, cmd, cmd->method, buf_view(&params));
    }
    if (err)
        code = cli_fail(&r, err);
done:
    buf_free(&flags);
    buf_free(&shown);
    buf_free(&own);
    buf_free(&params);
    buf_free(&quantity);
    return code;
}

int verb_profile_edit(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    const struct api_method *m = method_find(cmd->method);
    struct report r = {0}, why = {0};
    struct buf flags = {0}, mine = {0}, shown = {0}, params = {0};
    int code = EXIT_DONE, err = args_some(cli, cmd, m, argc, argv, &flags, &r);
    if (!err && (code = cli_open(cli)))
        goto done;
    if (!err)
        err = ask_one(cli, "id.show", "as", field_in(buf_view(&flags), "as"), &mine, &r);
    if (!err) {
        /* Who has no profile yet makes the first one. */
        err = ask_one(cli, "profile.show", "id", field_in(buf_view(&mine), "id"), &shown, &why);
        if (err && err != SOUK_ENOT_FOUND)
            r = why;
        else
            err = 0;
    }
    if (!err) {
        const struct span maps[] = {buf_view(&shown), buf_view(&mine)};
        merge(&params, m, buf_view(&flags), maps, 2);
        code = cli_call(cli, cmd, cmd->method, buf_view(&params));
    } else
        code = cli_fail(&r, err);
done:
    buf_free(&flags);
    buf_free(&mine);
    buf_free(&shown);
    buf_free(&params);
    return code;
}

/* souk away 2026-12-24, souk away 10d, souk away back: the profile says so. */
int verb_away(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    char flag[] = "--away-until", now[] = "0";
    if (argc < 1 || strncmp(argv[0], "--", 2) == 0 || argc > 13) {
        fputs("souk: souk away UNTIL (2026-12-24, or 10d), or souk away back\n", stderr);
        return EXIT_USAGE;
    }
    char *args[16] = {flag, strcmp(argv[0], "back") == 0 ? now : argv[0]};
    for (int i = 1; i < argc; i++)
        args[i + 1] = argv[i];
    return verb_profile_edit(cli, cmd, argc + 1, args);
}
