/* cli.h: what the verbs of `souk` share. */
#ifndef SOUK_CLI_H
#define SOUK_CLI_H
#include "api.gen.h"
#include "cli/client.h"
#include "crypto/base/arena.h"
#include "crypto/wire/method.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NO_NODE = 3 };

struct cli {
    char home[256];
    bool json, yes, colour;
    bool home_given;     /* by --home */
    unsigned width;      /* of the terminal, in columns */
    uint64_t timeout_ms; /* by --timeout; as client_open takes it */
    const char *passphrase_file;
    struct client *client;
    struct arena words; /* of the command line, joined */
};
struct command;
typedef int verb_fn(struct cli *cli, const struct command *cmd, int argc, char **argv);
struct command {
    const char *group, *verb;
    const char *method;   /* of the API; NULL for a verb of its own */
    const char *position; /* fields given without a flag, in order, space separated; "mark=follow": fixed */
    const char *show;     /* "listings: id title price_text" for tables; NULL: field by field */
    verb_fn *run;         /* NULL: call the method with the flags and show the result */
    bool confirm;         /* cannot be undone: asks first, or wants --yes */
    const char *doc;      /* NULL: the method's own */
};
extern const struct command commands[];
extern const size_t commands_n;

/* ---- args.c: flags and positions become the parameters of a method ---- */
/* Fills params (one map).  SOUK_EUSAGE with words that name the flag and say what it takes. */
int args_params(struct cli *cli, const struct command *cmd, const struct api_method *m, int argc,
                char **argv, struct buf *params, struct report *r);
/* The same, and what the method requires may be missing: for verbs that fill it in. */
int args_some(struct cli *cli, const struct command *cmd, const struct api_method *m, int argc, char **argv,
              struct buf *params, struct report *r);
const struct api_method *method_find(const char *name);
/* A full id from hex, or from a prefix that this command line has shown before (HOME/ids). */
int id_resolve(struct cli *cli, const char *text, uint8_t out[static 32], struct report *r);
void id_remember(struct cli *cli, const uint8_t id[static 32]);

/* ---- values.c: words as values of the schema's types ---- */
struct value_context {
    struct cli *cli;
    char flag[64]; /* for words about it */
    const char *currency;
    struct report *r;
};
#define TIME_TYPE "int 0..253402300799999" /* how the schema writes unix milliseconds */
#define MINOR_DOC \
    "minor units" /* so begins the doc of an integer that is money in the method's `currency` */
int value_pack(struct value_context *x, struct buf *b, const struct api_field *f, const char *type,
               const char *text);
/* Is this the type, whatever its bounds? */
bool type_is(const char *type, const char *word);
/* "15m", "2h", "3d", "90s", "500ms" or plain milliseconds. */
bool duration_parse(const char *text, uint64_t *ms);

/* ---- show.c ---- */
void show_result(struct cli *cli, const struct command *cmd, struct span result);
void show_error(const struct report *r);

/* ---- verbs.c and others ---- */
int cli_open(struct cli *cli);                 /* an exit code; prints what is wrong */
int cli_exit(int err);                         /* exit code of an error */
int cli_fail(const struct report *r, int err); /* prints it; its exit code */
int cli_call(struct cli *cli, const struct command *cmd, const char *method, struct span params);
/* 0 when there is nothing but these flags, space separated, each with a word after it; else EXIT_USAGE. */
int cli_known(const struct command *cmd, int argc, char **argv, const char *flags);
const char *cli_flag(int argc, char **argv, const char *flag); /* the word after it, or NULL */
int cli_confirm(struct cli *cli, const char *what);            /* 0 with --yes, or a yes on the terminal */
/* First line of --passphrase-file, or asked for on the terminal without echo.  Static; wiped at exit. */
int cli_passphrase(struct cli *cli, const char *prompt, bool twice, struct span *out, struct report *r);
int cli_file(const char *path, size_t most, struct buf *out, struct report *r);
int run_method(struct cli *cli, const struct command *cmd, int argc, char **argv);
verb_fn verb_init, verb_unlock, verb_new_identity, verb_restore, verb_listing_new, verb_import, verb_photo,
    verb_call, verb_describe, verb_events, verb_photo_get, verb_demo, verb_listing_edit, verb_profile_edit,
    verb_away, verb_message_read, verb_backup, listing_edit, verb_lookup;
#endif
