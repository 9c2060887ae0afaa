/* verbs.c: what verbs share: opening, asking, calling; and the verbs about the socket itself. */
#include "cli/cli.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/json.h"
#include "crypto/wire/pack.h"
#include <errno.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

int cli_exit(int err)
{
    return err == 0               ? EXIT_DONE
           : err == SOUK_EUSAGE   ? EXIT_USAGE
           : err == SOUK_ENO_NODE ? EXIT_NO_NODE
                                  : EXIT_REFUSED;
}

int cli_fail(const struct report *r, int err)
{
    show_error(r);
    return cli_exit(err);
}

int cli_open(struct cli *cli)
{
    struct report r = {0};
    if (cli->client)
        return 0;
    int err = client_open(&cli->client, cli->home, cli->timeout_ms, &r);
    return err ? cli_fail(&r, err) : 0;
}

int cli_confirm(struct cli *cli, const char *what)
{
    char line[16];
    if (cli->yes)
        return 0;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "souk: this cannot be undone: %s. Add --yes if it is meant\n", what);
        return EXIT_USAGE;
    }
    fprintf(stderr, "This cannot be undone: %s.\nGo on? [y/N] ", what);
    if (fgets(line, sizeof line, stdin) && strchr("yYoO", line[0]))
        return 0;
    fputs("souk: nothing was done\n", stderr);
    return EXIT_REFUSED;
}

int cli_file(const char *path, size_t most, struct buf *out, struct report *r)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!f)
        return report_set(r, SOUK_EIO, "cannot read %s: %s", path, strerror(errno));
    char block[65536];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0 && out->n <= most)
        buf_append(out, block, n);
    bool good = !ferror(f);
    if (f != stdin)
        fclose(f);
    if (!good)
        return report_set(r, SOUK_EIO, "cannot read %s: %s", path, strerror(errno));
    if (out->n > most)
        return report_set(r, SOUK_ERANGE, "%s is larger than %zu bytes", path, most);
    return 0;
}

static char *secret; /* sodium_malloc */

static void forget_secret(void)
{
    sodium_free(secret);
    secret = NULL;
}

static bool ask_hidden(const char *prompt, char *out, int cap)
{
    struct termios old, quiet;
    if (tcgetattr(STDIN_FILENO, &old) != 0)
        return false;
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "%s: ", prompt);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    bool good = fgets(out, cap, stdin) != NULL;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    fputc('\n', stderr);
    return good;
}

int cli_passphrase(struct cli *cli, const char *prompt, bool twice, struct span *out, struct report *r)
{
    char again[1024] = "";
    if (!secret) {
        secret = sodium_malloc(1024);
        MUST(secret != NULL);
        atexit(forget_secret);
    }
    if (cli->passphrase_file) {
        FILE *f = fopen(cli->passphrase_file, "re");
        bool good = f && fgets(secret, 1024, f);
        if (f)
            fclose(f);
        if (!good)
            return report_set(r, SOUK_EIO, "cannot read a passphrase from %s", cli->passphrase_file);
    } else if (!isatty(STDIN_FILENO) || !ask_hidden(prompt, secret, 1024))
        return report_set(r, SOUK_EUSAGE,
                          "a passphrase is needed: give --passphrase-file FILE, or use a terminal");
    else if (twice && (!ask_hidden("the same again", again, sizeof again) || strcmp(secret, again) != 0)) {
        sodium_memzero(again, sizeof again);
        return report_set(r, SOUK_EUSAGE, "the two are not the same");
    }
    sodium_memzero(again, sizeof again);
    *out = span(secret, strcspn(secret, "\r\n"));
    return 0;
}

/* ---- methods ---- */
static bool takes_passphrase(const struct api_method *m)
{
    for (size_t i = 0; i < m->params_n; i++)
        if (strcmp(m->params[i].name, "passphrase") == 0)
            return true;
    return false;
}

/* Adds the passphrase to a finished map, when the method takes one and a file was named. */
static int add_passphrase(struct cli *cli, const struct api_method *m, struct buf *params, struct report *r)
{
    struct span secret_text = {0};
    struct cursor c;
    struct buf b = {0};
    if (!takes_passphrase(m) || !cli->passphrase_file)
        return 0;
    int err = cli_passphrase(cli, "passphrase", false, &secret_text, r);
    if (err)
        return err;
    cursor_init(&c, buf_view(params));
    c.lax = true;
    size_t n = cursor_map(&c, 256);
    pack_map(&b, n + 1);
    pack_cstr(&b, "passphrase");
    pack_str(&b, secret_text);
    buf_append(&b, c.at, (size_t)(c.end - c.at));
    buf_wipe(params);
    *params = b;
    return 0;
}

/* "listing.publish.ship_by: …" is the socket's name of what was a flag here: "--ship-by: …". */
static void as_flag(struct report *r, const char *method)
{
    size_t n = strlen(method);
    if (strncmp(r->text, method, n) != 0 || r->text[n] != '.')
        return;
    struct report was = *r;
    for (char *s = was.text; *s && *s != ':'; s++)
        *s = *s == '_' ? '-' : *s;
    report_set(r, was.err, "--%s", was.text + n + 1);
}

int cli_call(struct cli *cli, const struct command *cmd, const char *method, struct span params)
{
    struct report r = {0};
    struct buf result = {0};
    int err = client_call(cli->client, method, params, &result, &r);
    if (!err)
        show_result(cli, cmd, buf_view(&result));
    else
        as_flag(&r, method);
    buf_wipe(&result);
    return err ? cli_fail(&r, err) : EXIT_DONE;
}

int run_method(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    const struct api_method *m = method_find(cmd->method);
    struct buf params = {0};
    struct report r = {0};
    int code, err = args_params(cli, cmd, m, argc, argv, &params, &r);
    if (!err)
        err = add_passphrase(cli, m, &params, &r);
    if (err)
        code = cli_fail(&r, err);
    else if ((code = cli_open(cli)) == 0)
        code = cmd->confirm ? cli_confirm(cli, m->doc) : 0;
    if (!err && code == 0)
        code = cli_call(cli, cmd, cmd->method, buf_view(&params));
    buf_wipe(&params);
    return code;
}

int cli_known(const struct command *cmd, int argc, char **argv, const char *flags)
{
    for (int i = 0; i < argc; i += 2) {
        size_t n = strlen(argv[i]);
        const char *at = strncmp(argv[i], "--", 2) == 0 ? strstr(flags, argv[i]) : NULL;
        bool known = at && (at[n] == ' ' || !at[n]);
        if (known && i + 1 < argc)
            continue;
        if (known)
            fprintf(stderr, "souk: %s wants a value\n", argv[i]);
        else
            fprintf(stderr, "souk: '%s' is not a flag of `souk %s%s%s`, which takes %s\n", argv[i],
                    cmd->group, *cmd->verb ? " " : "", cmd->verb, flags);
        return EXIT_USAGE;
    }
    return 0;
}

const char *cli_flag(int argc, char **argv, const char *flag)
{
    for (int i = 0; i + 1 < argc; i++)
        if (strcmp(argv[i], flag) == 0)
            return argv[i + 1];
    return NULL;
}

/* ---- the DHT ---- */
/* The beginning of an id that was shown stands for the whole of it; any other word goes as it is. */
int verb_lookup(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        struct report r = {0};
        uint8_t id[32];
        char hex[65];
        if (strncmp(argv[i], "--", 2) == 0) {
            i += strcmp(argv[i], "--kind") == 0;
            continue;
        }
        if (strspn(argv[i], "0123456789abcdef") == strlen(argv[i]) && id_resolve(cli, argv[i], id, &r) == 0)
            argv[i] = arena_printf(&cli->words, "%s", hex_encode(hex, id, 32));
    }
    return run_method(cli, cmd, argc, argv);
}

/* ---- the socket itself ---- */
int verb_describe(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    (void)cmd;
    if (cli->json) {
        struct buf params = {0};
        int code = cli_open(cli);
        if (code)
            return code;
        pack_map(&params, 0);
        code = cli_call(cli, cmd, "api.describe", buf_view(&params));
        buf_free(&params);
        return code;
    }
    bool any = false;
    for (size_t i = 0; i < api_methods_n; i++) {
        const struct api_method *m = &api_methods[i];
        if (argc && strcmp(argv[0], m->name) != 0)
            continue;
        any = true;
        printf("%s (%s)\n  %s\n", m->name, api_class_name(m->class), m->doc);
        for (size_t k = 0; k < m->params_n; k++)
            printf("    %-16s %-28s %s%s\n", m->params[k].name, m->params[k].type,
                   m->params[k].required ? "(required) " : "", m->params[k].doc);
        for (size_t k = 0; k < m->result_n; k++)
            printf("  → %-16s %-28s %s\n", m->result[k].name, m->result[k].type, m->result[k].doc);
        if (m->errors && *m->errors)
            printf("  errors: %s\n", m->errors);
    }
    if (!any)
        fprintf(stderr, "souk: there is no method '%s'; `souk api describe` lists them\n", argv[0]);
    return any ? EXIT_DONE : EXIT_USAGE;
}

int verb_call(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    struct report r = {0};
    struct buf params = {0}, result = {0};
    if (argc < 1 || argc > 2) {
        fputs(
            "souk: souk api call METHOD [JSON], such as: souk api call search.run '{\"words\":\"vélo\"}'\n",
            stderr);
        return EXIT_USAGE;
    }
    int code = cli_open(cli);
    if (code)
        return code;
    int err = json_to_wire(&params, span_str(argc > 1 ? argv[1] : "{}"), &r);
    if (!err)
        err = client_call(cli->client, argv[0], buf_view(&params), &result, &r);
    (void)cmd;
    if (!err) {
        struct buf json = {0};
        wire_json(&json, buf_view(&result));
        printf("%.*s\n", (int)json.n, (const char *)json.p);
        buf_free(&json);
    }
    buf_wipe(&params);
    buf_free(&result);
    return err ? cli_fail(&r, err) : EXIT_DONE;
}

int verb_events(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    struct report r = {0};
    struct buf params = {0}, note = {0};
    const char *after = cli_flag(argc, argv, "--after");
    (void)cmd;
    int code = cli_open(cli);
    if (code)
        return code;
    pack_map(&params, after ? 1 : 0);
    if (after) {
        pack_cstr(&params, "after");
        pack_uint(&params, strtoull(after, NULL, 10));
    }
    int err = client_call(cli->client, "events.subscribe", buf_view(&params), &note, &r);
    while (!err && !(err = client_wait(cli->client, -1, &note, &r))) {
        struct buf json = {0};
        wire_json(&json, buf_view(&note));
        printf("%.*s\n", (int)json.n, (const char *)json.p);
        fflush(stdout);
        buf_free(&json);
    }
    buf_free(&params);
    buf_free(&note);
    return cli_fail(&r, err);
}
