/* identity.c: verbs about one's identities: made, opened, kept elsewhere, brought back. */
#include "cli/cli.h"
#include "crypto/wire/pack.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int new_identity(struct cli *cli, const struct command *cmd, const char *name)
{
    struct report r = {0};
    struct span pass = {0};
    struct buf params = {0};
    int code = cli_open(cli);
    if (code)
        return code;
    int err = cli_passphrase(cli, "choose a passphrase", true, &pass, &r);
    if (err)
        return cli_fail(&r, err);
    pack_map(&params, 2);
    pack_cstr(&params, "name");
    pack_cstr(&params, name);
    pack_cstr(&params, "passphrase");
    pack_str(&params, pass);
    code = cli_call(cli, cmd, "id.new", buf_view(&params));
    buf_wipe(&params);
    if (code == EXIT_DONE && !cli->json)
        fputs("\nWrite the words down on paper. They bring this identity back when the machine is lost; "
              "who reads them can take it.\n",
              stderr);
    return code;
}

static int begin_identity(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    const char *name = cli_flag(argc, argv, "--name");
    char line[128] = "";
    int code = cli_known(cmd, argc, argv, "--name");
    if (code)
        return code;
    if (!name && isatty(STDIN_FILENO)) {
        fputs("a name that others will see: ", stderr);
        if (fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\r\n")] = 0;
            name = line;
        }
    }
    if (!name || !*name) {
        fputs("souk: --name is missing: how others will see you\n", stderr);
        return EXIT_USAGE;
    }
    return new_identity(cli, cmd, name);
}

int verb_new_identity(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    return begin_identity(cli, cmd, argc, argv);
}

/* Has this node an owner already?  A second identity is for `souk id new`: with two, each command must be
 * told which one acts. */
static int has_identity(struct cli *cli, bool *has, struct report *r)
{
    struct buf result = {0};
    struct api_id_list_result m;
    struct arena a;
    arena_init(&a, 65536);
    int err = client_call(cli->client, "id.list", span("\x80", 1), &result, r);
    if (!err && !(err = api_id_list_result_decode(&m, buf_view(&result), &a, r)))
        *has = m.identities_n > 0;
    arena_free(&a);
    buf_free(&result);
    return err;
}

int verb_init(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    struct report r = {0};
    bool has = false;
    int code = cli_known(cmd, argc, argv, "--name");
    if (code || (code = cli_open(cli)))
        return code;
    int err = has_identity(cli, &has, &r);
    if (!err && has)
        err = report_set(&r, SOUK_EDUPLICATE,
                         "this node has an identity already (`souk id list`); `souk id new` makes another");
    return err ? cli_fail(&r, err) : begin_identity(cli, cmd, argc, argv);
}

/* The words as they were written down: on one line or on several. */
static void one_line(struct buf *words)
{
    size_t n = 0;
    for (size_t i = 0; i < words->n; i++) {
        bool space = strchr(" \r\n\t", words->p[i]) != NULL;
        if (!space)
            words->p[n++] = words->p[i];
        else if (n && words->p[n - 1] != ' ')
            words->p[n++] = ' ';
    }
    words->n = n && words->p[n - 1] == ' ' ? n - 1 : n;
}

int verb_restore(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    const char *name = cli_flag(argc, argv, "--name"), *words_file = cli_flag(argc, argv, "--words-file"),
               *backup = cli_flag(argc, argv, "--backup");
    struct report r = {0};
    struct buf file = {0}, params = {0};
    struct span pass = {0};
    int code = cli_known(cmd, argc, argv, "--name --words-file --backup");
    if (code)
        return code;
    if (!words_file == !backup || (words_file && !name)) {
        fputs("souk: give --name NAME and --words-file FILE (the 24 words; - for standard input), or "
              "--backup FILE as `souk id backup` wrote it\n",
              stderr);
        return EXIT_USAGE;
    }
    if ((code = cli_open(cli)))
        return code;
    int err = cli_file(backup ? backup : words_file, backup ? 4096 : 1000, &file, &r);
    if (!err)
        err = cli_passphrase(cli, backup ? "the backup's passphrase" : "choose a passphrase", !backup,
                             &pass, &r);
    if (err)
        return cli_fail(&r, err);
    pack_map(&params, name ? 3 : 2);
    if (name) {
        pack_cstr(&params, "name");
        pack_cstr(&params, name);
    }
    pack_cstr(&params, "passphrase");
    pack_str(&params, pass);
    if (backup) {
        pack_cstr(&params, "backup");
        pack_bin(&params, buf_view(&file));
    } else {
        one_line(&file);
        pack_cstr(&params, "words");
        pack_str(&params, buf_view(&file));
    }
    code = cli_call(cli, cmd, "id.restore", buf_view(&params));
    buf_wipe(&params);
    buf_wipe(&file);
    return code;
}

/* Never over a file that is there, and for nobody else's eyes. */
static int write_new(const char *path, struct span bytes, struct report *r)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return report_set(r, SOUK_EIO, "cannot make %s: %s", path, strerror(errno));
    bool good = write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n && fsync(fd) == 0;
    int why = errno;
    if (close(fd) == 0 && good)
        return 0;
    unlink(path);
    return report_set(r, SOUK_EIO, "cannot write %s: %s", path, strerror(why));
}

int verb_backup(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    struct report r = {0};
    struct buf params = {0}, result = {0};
    struct span pass = {0};
    const char *as = cli_flag(argc, argv, "--as");
    uint8_t id[32];
    if (argc < 1 || strncmp(argv[0], "--", 2) == 0) {
        fputs("souk: souk id backup FILE [--as ID]\n", stderr);
        return EXIT_USAGE;
    }
    int code = cli_known(cmd, argc - 1, argv + 1, "--as");
    if (code || (code = cli_open(cli)))
        return code;
    int err = as ? id_resolve(cli, as, id, &r) : 0;
    if (!err)
        err = cli_passphrase(cli, "passphrase", false, &pass, &r);
    if (!err) {
        pack_map(&params, as ? 2 : 1);
        pack_cstr(&params, "passphrase");
        pack_str(&params, pass);
        if (as) {
            pack_cstr(&params, "as");
            pack_bin(&params, span(id, 32));
        }
        err = client_call(cli->client, "id.backup", buf_view(&params), &result, &r);
    }
    if (!err)
        err = write_new(argv[0], buf_view(&result), &r);
    buf_wipe(&params);
    buf_wipe(&result);
    if (err)
        return cli_fail(&r, err);
    if (!cli->json)
        fprintf(
            stderr,
            "%s brings this identity back with its passphrase: `souk id restore --backup FILE`. Keep it "
            "on another machine; the 24 words do the same without it.\n",
            argv[0]);
    return EXIT_DONE;
}

int verb_unlock(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    const char *span_text = cli_flag(argc, argv, "--for"), *as = cli_flag(argc, argv, "--as");
    struct report r = {0};
    struct span pass = {0};
    struct buf params = {0};
    uint64_t for_ms = 0;
    uint8_t id[32];
    int code = cli_known(cmd, argc, argv, "--for --as");
    if (code)
        return code;
    if (span_text && (!duration_parse(span_text, &for_ms) || for_ms > 86400000)) {
        fprintf(stderr, "souk: --for: '%s' is not a time of at most a day, such as 15m\n", span_text);
        return EXIT_USAGE;
    }
    if ((code = cli_open(cli)))
        return code;
    int err = as ? id_resolve(cli, as, id, &r) : 0;
    if (!err)
        err = cli_passphrase(cli, "passphrase", false, &pass, &r);
    if (err)
        return cli_fail(&r, err);
    pack_map(&params, as ? 3 : 2);
    pack_cstr(&params, "passphrase");
    pack_str(&params, pass);
    pack_cstr(&params, "for_ms");
    pack_uint(&params, for_ms);
    if (as) {
        pack_cstr(&params, "as");
        pack_bin(&params, span(id, 32));
    }
    code = cli_call(cli, cmd, "id.unlock", buf_view(&params));
    buf_wipe(&params);
    return code;
}
