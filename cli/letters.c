/* letters.c: messages, read as letters: whole, oldest first. */
#include "cli/cli.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void when(char out[static 24], int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    if (!localtime_r(&t, &tm) || !strftime(out, 24, "%Y-%m-%d %H:%M", &tm))
        snprintf(out, 24, "-");
}

static void print_letter(struct cli *cli, const struct api_message_row *m)
{
    char hex[65], at[24];
    when(at, m->time);
    id_remember(cli, m->from.b);
    printf("%s%s from %.12s%s%.*s%s\n", cli->colour ? "\033[1m" : "", at,
           hex_encode(hex, m->from.b, sizeof m->from.b), m->has_state ? ", " : "",
           m->has_state ? (int)m->state.n : 0, m->has_state ? (const char *)m->state.p : "",
           cli->colour ? "\033[0m" : "");
    printf("%.*s\n\n", (int)m->text.n, (const char *)m->text.p);
}

int verb_message_read(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    struct report r = {0};
    struct buf params = {0}, result = {0};
    struct api_message_list_result m;
    struct arena a;
    int err = args_params(cli, cmd, method_find(cmd->method), argc, argv, &params, &r), code = 0;
    arena_init(&a, 16 << 20);
    if (!err && (code = cli_open(cli)) == 0)
        err = client_call(cli->client, cmd->method, buf_view(&params), &result, &r);
    if (!err && !code && cli->json)
        show_result(cli, cmd, buf_view(&result));
    else if (!err && !code) {
        err = api_message_list_result_decode(&m, buf_view(&result), &a, &r);
        for (size_t i = err ? 0 : m.messages_n; i > 0; i--) /* they come newest first */
            print_letter(cli, &m.messages[i - 1]);
        if (!err && !m.messages_n)
            puts("(none)");
    }
    arena_free(&a);
    buf_free(&params);
    buf_free(&result);
    return err ? cli_fail(&r, err) : code;
}
