/* photos.c: verbs that carry files to the node: pictures, listings with pictures, imports. */
#include "cli/cli.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

enum { PHOTO_BYTES_MOST = 2 << 20, IMPORT_BYTES_MOST = 4 << 20, PHOTOS_MOST = 12, ARGS_MOST = 300 };

static int add_photo(struct cli *cli, const char *path, const char *alt, struct id *root,
                     struct buf *result, struct report *r)
{
    struct buf file = {0}, params = {0};
    struct api_photo_add_result m;
    struct arena a;
    int err = cli_file(path, PHOTO_BYTES_MOST, &file, r);
    if (!err) {
        pack_map(&params, alt ? 2 : 1);
        pack_cstr(&params, "bytes");
        pack_bin(&params, buf_view(&file));
        if (alt) {
            pack_cstr(&params, "alt");
            pack_cstr(&params, alt);
        }
        err = client_call(cli->client, "photo.add", buf_view(&params), result, r);
        if (err) {
            struct report why = *r;
            report_set(r, err, "%s: %s", path, why.text);
        }
    }
    arena_init(&a, 65536);
    if (!err && !(err = api_photo_add_result_decode(&m, buf_view(result), &a, r)))
        *root = m.root;
    arena_free(&a);
    buf_free(&file);
    buf_free(&params);
    return err;
}

int verb_photo(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    struct report r = {0};
    struct buf result = {0};
    struct id root;
    if (argc != 1 && !(argc == 3 && strcmp(argv[1], "--alt") == 0)) {
        fputs("souk: souk photo add FILE [--alt WORDS]\n", stderr);
        return EXIT_USAGE;
    }
    int code = cli_open(cli);
    if (code)
        return code;
    int err = add_photo(cli, argv[0], argc == 3 ? argv[2] : NULL, &root, &result, &r);
    if (!err)
        show_result(cli, cmd, buf_view(&result));
    buf_free(&result);
    return err ? cli_fail(&r, err) : EXIT_DONE;
}

static int get_slice(struct cli *cli, const uint8_t root[32], uint64_t offset, FILE *out, uint64_t *total,
                     struct report *r)
{
    struct buf params = {0}, result = {0};
    struct api_photo_get_result m;
    struct arena a;
    pack_map(&params, 2);
    pack_cstr(&params, "root");
    pack_bin(&params, span(root, 32));
    pack_cstr(&params, "offset");
    pack_uint(&params, offset);
    int err = client_call(cli->client, "photo.get", buf_view(&params), &result, r);
    arena_init(&a, 1 << 20);
    if (!err && !(err = api_photo_get_result_decode(&m, buf_view(&result), &a, r))) {
        *total = m.total;
        if (!m.bytes.n || fwrite(m.bytes.p, 1, m.bytes.n, out) != m.bytes.n)
            err = report_set(r, SOUK_EIO, "cannot write the file");
        else
            err = (int)m.bytes.n;
    }
    arena_free(&a);
    buf_free(&params);
    buf_free(&result);
    return err;
}

int verb_photo_get(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    struct report r = {0};
    uint8_t root[32];
    uint64_t total = 1, at = 0;
    (void)cmd;
    if (argc != 2) {
        fputs("souk: souk photo get ROOT FILE\n", stderr);
        return EXIT_USAGE;
    }
    int code = cli_open(cli), err = id_resolve(cli, argv[0], root, &r);
    if (code)
        return code;
    FILE *out = err ? NULL : fopen(argv[1], "we");
    if (!err && !out)
        err = report_set(&r, SOUK_EIO, "cannot write %s", argv[1]);
    while (!err && at < total) {
        int n = get_slice(cli, root, at, out, &total, &r);
        if (n < 0)
            err = n;
        else
            at += (uint64_t)n;
    }
    if (out)
        fclose(out);
    if (err && out)
        remove(argv[1]);
    return err ? cli_fail(&r, err) : EXIT_DONE;
}

/* Each --photo FILE becomes --photos ROOT for the verb that follows. */
static int with_photos(struct cli *cli, const struct command *cmd, int argc, char **argv, verb_fn *then)
{
    static char flag[] = "--photos";
    char *args[ARGS_MOST], hex[PHOTOS_MOST][65];
    int n = 0, photos = 0;
    for (int i = 0; i < argc && n + 2 < ARGS_MOST; i++) {
        if (strcmp(argv[i], "--photo") != 0 || i + 1 == argc) {
            args[n++] = argv[i];
            continue;
        }
        struct report r = {0};
        struct buf result = {0};
        struct id root;
        int code = cli_open(cli);
        if (code)
            return code;
        int err = photos == PHOTOS_MOST
                      ? report_set(&r, SOUK_EUSAGE, "a listing has at most %d photos", PHOTOS_MOST)
                      : add_photo(cli, argv[++i], NULL, &root, &result, &r);
        buf_free(&result);
        if (err)
            return cli_fail(&r, err);
        hex_encode(hex[photos], root.b, sizeof root.b);
        args[n++] = flag;
        args[n++] = hex[photos++];
    }
    return then(cli, cmd, n, args);
}

int verb_listing_new(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    return with_photos(cli, cmd, argc, argv, run_method);
}

int verb_listing_edit(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    return with_photos(cli, cmd, argc, argv, listing_edit);
}

/* Appends a field to a finished map. */
static void map_add(struct buf *map, const char *key, struct span value)
{
    struct cursor c;
    struct buf b = {0};
    cursor_init(&c, buf_view(map));
    c.lax = true;
    size_t n = cursor_map(&c, 256);
    pack_map(&b, n + 1);
    pack_cstr(&b, key);
    buf_span(&b, value);
    buf_append(&b, c.at, (size_t)(c.end - c.at));
    buf_free(map);
    *map = b;
}

/* Takes in every picture that the file names; pairs of [path as in the file, root].  One that is missing or
 * is no picture is left out: the node then names the line that asks for it. */
static int add_photos(struct cli *cli, const char *file, const struct api_listing_import_result *m,
                      struct buf *pairs, struct report *r)
{
    char *copy = xmemdup(file, strlen(file) + 1), *folder = dirname(copy);
    struct buf good = {0};
    size_t n = 0;
    int err = 0;
    for (size_t i = 0; i < m->photos_n && !err; i++) {
        char path[1024];
        struct buf result = {0};
        struct report why = {0};
        struct id root;
        snprintf(path, sizeof path, "%s/%.*s", folder, (int)m->photos[i].n, (const char *)m->photos[i].p);
        err = add_photo(cli, path, NULL, &root, &result, &why);
        if (err == SOUK_EIO || err == SOUK_EINVALID || err == SOUK_ERANGE) {
            show_error(&why);
            err = 0;
        } else if (err) {
            *r = why;
        } else {
            n++;
            pack_array(&good, 2);
            pack_str(&good, m->photos[i]);
            pack_bin(&good, SPAN_OF(root));
        }
        buf_free(&result);
        if (!cli->json && cli->width)
            fprintf(stderr, "\rphotos %zu of %zu%s", i + 1, m->photos_n, i + 1 == m->photos_n ? "\n" : "");
    }
    pack_array(pairs, n);
    buf_span(pairs, buf_view(&good));
    buf_free(&good);
    free(copy);
    return err;
}

/* With `pairs` it only asks which pictures there are, and takes them in even when rows are wrong: the call
 * that follows then names every mistake at once. */
static int import_call(struct cli *cli, const struct command *cmd, const struct buf *params,
                       const char *file, struct buf *pairs, struct report *r)
{
    struct buf result = {0};
    struct api_listing_import_result m;
    struct arena a;
    arena_init(&a, 32 << 20);
    int err = client_call(cli->client, "listing.import", buf_view(params), &result, r);
    if (!err)
        err = api_listing_import_result_decode(&m, buf_view(&result), &a, r);
    if (!err && !pairs)
        show_result(cli, cmd, buf_view(&result));
    if (!err && !pairs && m.faults_n)
        err = report_set(r, SOUK_EINVALID, "%s: %zu mistakes; nothing was published", file, m.faults_n);
    else if (!err && pairs)
        err = add_photos(cli, file, &m, pairs, r);
    arena_free(&a);
    buf_free(&result);
    return err;
}

int verb_import(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    struct report r = {0};
    struct buf params = {0}, check = {0}, pairs = {0};
    char *args[ARGS_MOST];
    char text_flag[] = "--text", format_flag[] = "--format", csv[] = "csv", json[] = "json";
    if (argc < 1 || argc + 4 >= ARGS_MOST || strncmp(argv[0], "--", 2) == 0) {
        fputs("souk: souk listing import FILE.csv|FILE.json [--issuer ID] [--arbiters ID] [--check-only]\n",
              stderr);
        return EXIT_USAGE;
    }
    int code = cli_open(cli), n = 0;
    if (code)
        return code;
    size_t len = strlen(argv[0]);
    args[n++] = text_flag;
    args[n++] = argv[0];
    args[n++] = format_flag;
    args[n++] = len > 5 && strcmp(argv[0] + len - 5, ".json") == 0 ? json : csv;
    bool only_check = false;
    for (int i = 1; i < argc; i++) {
        only_check |= strcmp(argv[i], "--check-only") == 0;
        if (strcmp(argv[i], "--check-only") != 0)
            args[n++] = argv[i];
    }
    int err = args_params(cli, cmd, method_find(cmd->method), n, args, &params, &r);
    if (!err) {
        buf_span(&check, buf_view(&params));
        map_add(&check, "check_only", span("\xc3", 1));
        err = import_call(cli, cmd, &check, argv[0], only_check ? NULL : &pairs, &r);
    }
    if (!err && !only_check) {
        map_add(&params, "photos", buf_view(&pairs));
        err = import_call(cli, cmd, &params, argv[0], NULL, &r);
    }
    buf_free(&params);
    buf_free(&check);
    buf_free(&pairs);
    return err ? cli_fail(&r, err) : EXIT_DONE;
}
