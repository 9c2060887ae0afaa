/* main.c: souk, the command: a table of verbs.  Most are a method of the socket's API with its parameters
 * as flags; those that do more name a function in one of the files beside. */
#include "cli/cli.h"
#include <locale.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LISTING "listings: id title price_text region category type"
#define TRADE "moves: name may due until why; facts: kind author time delivery text"
#define TRADES "trades: trade phase role title total_text turn next"

const struct command commands[] = {
    {"init", "", NULL, NULL, NULL, verb_init, false, "make an identity, and words to write down"},
    {"unlock", "", NULL, NULL, NULL, verb_unlock, false,
     "open an identity; --for 15m also for moving money"},
    {"lock", "", "id.lock", "as", NULL, NULL, false, NULL},
    {"demo", "", NULL, NULL, NULL, verb_demo, false,
     "five nodes on this machine trade with each other; --keep leaves them running"},
    {"node", "status", "node.status", NULL, "counters: name value most", NULL, false, NULL},
    {"node", "peers", "node.peers", NULL,
     "sessions: node addr outbound up_ms bytes_in bytes_out conduct; "
     "table: shared node addr rtt_ms seen_ms fails standing",
     NULL, false, NULL},
    {"node", "connect", "node.connect", "node addr", NULL, NULL, false, NULL},
    {"node", "dht", "node.dht", NULL,
     "buckets: shared nodes waiting heard idle_ms; stored: kind key author bytes expires_ms from; "
     "published: kind key family bytes replicas next_ms error; counters: name value most",
     NULL, false, NULL},
    {"node", "lookup", "node.lookup", "key",
     "values: author expires text; nodes: node addr shared; "
     "trace: turn hop path node addr shared rtt_ms answer",
     verb_lookup, false, NULL},
    {"node", "stop", "node.stop", NULL, NULL, NULL, false, NULL},
    {"id", "list", "id.list", NULL, "identities: id name unlocked spend_ms", NULL, false, NULL},
    {"id", "show", "id.show", "as", NULL, NULL, false, NULL},
    {"id", "new", NULL, NULL, NULL, verb_new_identity, false, "make another identity (--name NAME)"},
    {"id", "backup", NULL, NULL, NULL, verb_backup, false,
     "write an identity's encrypted key file to FILE (--as ID)"},
    {"id", "restore", NULL, NULL, NULL, verb_restore, false,
     "bring an identity back: --name NAME --words-file FILE with its 24 words, or --backup FILE"},
    {"profile", "publish", "profile.publish", "name", NULL, NULL, false, NULL},
    {"profile", "edit", "profile.publish", NULL, NULL, verb_profile_edit, false,
     "change part of one's profile, all else as it was"},
    {"profile", "show", "profile.show", "id", NULL, NULL, false, NULL},
    {"away", "", "profile.publish", NULL, NULL, verb_away, false,
     "on holiday until a day (2026-12-24, or 10d), or `souk away back`"},
    {"follow", "", "people.mark", "id mark=follow", NULL, NULL, false, "hear of what somebody offers"},
    {"unfollow", "", "people.mark", "id mark=unfollow", NULL, NULL, false, "no more"},
    {"block", "", "people.mark", "id mark=block", NULL, NULL, false, "see and hear nothing of somebody"},
    {"unblock", "", "people.mark", "id mark=unblock", NULL, NULL, false, "again"},
    {"people", "find", "person.find", "name", NULL, NULL, false, NULL},
    {"people", "mark", "people.mark", "id mark", NULL, NULL, false, NULL},
    {"people", "marked", "people.marked", NULL, NULL, NULL, false, NULL},
    {"listing", "new", "listing.publish", "title", NULL, verb_listing_new, false,
     "offer something (--photo FILE may be given several times)"},
    {"listing", "show", "listing.show", "id",
     "photos: root type width height here alt; delivery: mode price days regions; "
     "variants: name price quantity; attributes: name value",
     NULL, false, NULL},
    {"listing", "mine", "listing.mine", NULL, LISTING, NULL, false, NULL},
    {"listing", "edit", "listing.publish", "revises", NULL, verb_listing_edit, false,
     "change part of a listing, all else as it was (--photo FILE puts others in place of its photos)"},
    {"listing", "renew", "listing.renew", "id", NULL, NULL, false, NULL},
    {"listing", "withdraw", "listing.withdraw", "id reason", NULL, NULL, true, NULL},
    {"listing", "import", "listing.import", NULL, "faults: line field text", verb_import, false,
     "publish all listings of a CSV or JSON file, or name every mistake in it"},
    {"photo", "add", NULL, NULL, NULL, verb_photo, false, "take a picture in, without its metadata"},
    {"photo", "get", NULL, NULL, NULL, verb_photo_get, false, "write a picture to a file"},
    {"category", "list", "category.list", "under", "categories: path label type note", NULL, false, NULL},
    {"search", "", "search.run", "words", LISTING, NULL, false, NULL},
    {"offer", "", "trade.offer", "listing", NULL, NULL, false, NULL},
    {"trade", "list", "trade.list", NULL, TRADES, NULL, false, NULL},
    {"trade", "show", "trade.show", "trade", TRADE, NULL, false, NULL},
    {"trade", "counter", "trade.counter", "trade", NULL, NULL, false, NULL},
    {"trade", "accept", "trade.accept", "trade", NULL, NULL, false, NULL},
    {"trade", "decline", "trade.decline", "trade reason", NULL, NULL, false, NULL},
    {"trade", "withdraw", "trade.withdraw", "trade", NULL, NULL, false, NULL},
    {"trade", "fund", "trade.fund", "trade", NULL, NULL, true, NULL},
    {"trade", "paid", "trade.paid", "trade", NULL, NULL, false, NULL},
    {"trade", "received", "trade.received", "trade", NULL, NULL, true, NULL},
    {"trade", "ship", "trade.ship", "trade", NULL, NULL, false, NULL},
    {"trade", "handover", "trade.handover", "trade", NULL, NULL, false, NULL},
    {"trade", "release", "trade.release", "trade", NULL, NULL, true, NULL},
    {"trade", "refund", "trade.refund", "trade", NULL, NULL, true, NULL},
    {"trade", "request", "trade.request", "trade what", NULL, NULL, false, NULL},
    {"trade", "split", "trade.split", "trade split", NULL, NULL, true, NULL},
    {"trade", "replace", "trade.replace", "trade", NULL, NULL, true, NULL},
    {"trade", "dispute", "trade.dispute", "trade claim", NULL, NULL, false, NULL},
    {"trade", "evidence", "trade.evidence", "trade text", NULL, NULL, false, NULL},
    {"rate", "", "rate.publish", "trade subject stars words", NULL, NULL, false, NULL},
    {"reputation", "show", "rating.list", "subject", "ratings: stars words author created funded", NULL,
     false, NULL},
    {"arbiter", "terms", "arbiter.publish", NULL, NULL, NULL, false, NULL},
    {"arbiter", "list", "arbiter.list", NULL, "arbiters: id name fee_bp languages delay_ms by_rule ruled",
     NULL, false, NULL},
    {"arbiter", "show", "arbiter.show", "id", NULL, NULL, false, NULL},
    {"arbiter", "cases", "arbiter.cases", NULL, "cases: trade phase title total_text turn next", NULL,
     false, NULL},
    {"arbiter", "case", "arbiter.case", "trade",
     "claims: by answer arrived claim; file: by no time kind text; messages: from time proof text; "
     "missing: what; stories: by no first second",
     NULL, false, NULL},
    {"arbiter", "consent", "arbiter.consent", "trade", NULL, NULL, false, NULL},
    {"arbiter", "rule", "arbiter.rule", "trade split reasons", NULL, NULL, true, NULL},
    {"credit", "issuer", "credit.issuer", "name", NULL, NULL, false, NULL},
    {"credit", "join", "credit.join", "issuer", NULL, NULL, false, NULL},
    {"credit", "list", "credit.issuers", NULL, "issuers: id name code decimals owner", NULL, false, NULL},
    {"credit", "limit", "credit.approve", "member limit_minor", NULL, NULL, false,
     "issuer: how much credit a member may draw"},
    {"credit", "approve", "credit.approve", "member", NULL, NULL, false, NULL},
    {"credit", "members", "credit.members", NULL, "members: id state limit_minor balance_minor", NULL,
     false, NULL},
    {"credit", "mint", "credit.mint", "member minor", NULL, NULL, true, NULL},
    {"credit", "balance", "credit.balance", "issuer", "balances: issuer name text member notes", NULL,
     false, NULL},
    {"credit", "pay", "credit.pay", "to minor", NULL, NULL, true, NULL},
    {"credit", "history", "credit.history", "issuer", "rows: time minor text receipt", NULL, false, NULL},
    {"credit", "audit", "credit.audit", "issuer", NULL, NULL, false, NULL},
    {"message", "send", "message.send", "to text", NULL, NULL, false, NULL},
    {"message", "list", "message.list", NULL, "messages: time from thread text state", NULL, false, NULL},
    {"message", "read", "message.list", "thread", NULL, verb_message_read, false,
     "a thread, or all of them: letters whole, oldest first"},
    {"api", "describe", NULL, NULL, NULL, verb_describe, false,
     "every method of the socket (works without a node)"},
    {"api", "call", NULL, NULL, NULL, verb_call, false,
     "call METHOD [JSON]: any method, with its parameters as JSON"},
    {"api", "events", NULL, NULL, NULL, verb_events, false, "print events as they come"},
};
const size_t commands_n = sizeof commands / sizeof *commands;

static void help_row(const struct command *c)
{
    const struct api_method *m = c->method ? method_find(c->method) : NULL;
    char name[40];
    snprintf(name, sizeof name, "%s %s", c->group, c->verb);
    printf("  %-18s %s\n", name, c->doc ? c->doc : m ? m->doc : "");
}

static void help_all(void)
{
    puts("souk: a market with nobody in the middle\n\nusage: souk [--home DIR] [--json] [--yes] "
         "[--timeout 60s] [--passphrase-file FILE] COMMAND [flags]\n");
    for (size_t i = 0; i < commands_n; i++)
        help_row(&commands[i]);
    puts("\n`souk help COMMAND` tells its flags.  Exit: 0 done, 1 refused or failed, 2 wrong usage, 3 no "
         "node.");
}

/* A type of the schema as a person writes its values. */
static void help_type(struct buf *b, const char *field, const char *type)
{
    static const struct {
        const char *type, *words;
    } plain[] = {{"str", "TEXT"},        {"text", "TEXT"},   {"uint", "NUMBER"},
                 {"int", "NUMBER"},      {"bool", "yes|no"}, {"id", "ID"},
                 {"identity", "ID"},     {"node", "ID"},     {"amount", "\"12.50 EUR\""},
                 {"currency", "EUR|ID"}, {"bin", "FILE"},    {"any", "JSON"}};
    const char *of = strstr(type, " of ");
    if (of && type_is(type, "array")) {
        help_type(b, field, of + 4);
        buf_printf(b, ", may be repeated");
        return;
    }
    if (strcmp(type, TIME_TYPE) == 0) {
        buf_printf(b, "2026-12-24|10d");
        return;
    }
    if (strlen(field) > 3 && strcmp(field + strlen(field) - 3, "_ms") == 0) {
        buf_printf(b, "15m|2h|3d");
        return;
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (type_is(type, plain[i].type)) {
            buf_printf(b, "%s", plain[i].words);
            return;
        }
    for (size_t i = 0; i < api_types_n; i++) {
        const struct api_type *t = &api_types[i];
        if (!type_is(strncmp(type, "enum ", 5) == 0 ? type + 5 : type, t->name))
            continue;
        for (const char *s = t->values; s && *s; s++)
            if (*s != ' ')
                buf_printf(b, "%c", *s == ',' ? '|' : *s);
        for (size_t k = 0; k < t->fields_n; k++)
            buf_printf(b, "%s%s=…", k ? "," : "", t->fields[k].name);
        return;
    }
    buf_printf(b, "%s", type);
}

static void help_one(const struct command *c)
{
    const struct api_method *m = c->method ? method_find(c->method) : NULL;
    printf("souk %s %s", c->group, c->verb);
    for (const char *s = c->position; s && *s;) {
        size_t n = strcspn(s, " ");
        if (!memchr(s, '=', n))
            printf(" [%.*s]", (int)n, s);
        s += n + strspn(s + n, " ");
    }
    printf("\n  %s\n", c->doc ? c->doc : m ? m->doc : "");
    for (size_t i = 0; m && i < m->params_n; i++) {
        char flag[64];
        struct buf words = {0};
        snprintf(flag, sizeof flag, "--%s", m->params[i].name);
        size_t n = strlen(flag);
        if (n > 5 && strcmp(flag + n - 3, "_ms") == 0)
            flag[n - 3] = 0;
        for (char *s = flag; *s; s++)
            *s = *s == '_' ? '-' : *s;
        help_type(&words, m->params[i].name, m->params[i].type);
        printf("  %-18s %-28.*s %s%s\n", flag, (int)words.n, (const char *)words.p,
               m->params[i].required && !c->run ? "(required) " : "", m->params[i].doc);
        buf_free(&words);
    }
}

static const struct command *find(int argc, char **argv, int *used)
{
    for (size_t i = 0; i < commands_n; i++) {
        const struct command *c = &commands[i];
        if (strcmp(argv[0], c->group) != 0)
            continue;
        if (!*c->verb) {
            *used = 1;
            return c;
        }
        if (argc > 1 && strcmp(argv[1], c->verb) == 0) {
            *used = 2;
            return c;
        }
    }
    return NULL;
}

static int unknown(int argc, char **argv)
{
    bool group = false;
    for (size_t i = 0; i < commands_n; i++)
        if (strcmp(commands[i].group, argv[0]) == 0) {
            if (!group)
                fprintf(stderr, "souk: `souk %s` takes one of:", argv[0]);
            group = true;
            fprintf(stderr, " %s", commands[i].verb);
        }
    if (group)
        fputc('\n', stderr);
    else
        fprintf(stderr, "souk: there is no command '%s'; `souk help` lists them\n", argv[0]);
    (void)argc;
    return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    int used;
    if (!argc) {
        help_all();
        return EXIT_DONE;
    }
    const struct command *c = find(argc, argv, &used);
    bool group = false;
    for (size_t i = 0; !c && argc == 1 && i < commands_n; i++)
        if (strcmp(commands[i].group, argv[0]) == 0) {
            help_row(&commands[i]);
            group = true;
        }
    if (group)
        return EXIT_DONE;
    if (!c)
        return unknown(argc, argv);
    help_one(c);
    return EXIT_DONE;
}

/* Takes the global flags out of argv, wherever they stand; returns the new argc, or -1 on wrong usage. */
static int globals(struct cli *cli, int argc, char **argv)
{
    int n = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            cli->json = true;
        else if (strcmp(argv[i], "--yes") == 0)
            cli->yes = true;
        else if (strcmp(argv[i], "--home") == 0 || strcmp(argv[i], "--passphrase-file") == 0 ||
                 strcmp(argv[i], "--timeout") == 0) {
            if (i + 1 == argc)
                return -1;
            if (argv[i][2] == 't') {
                if (!duration_parse(argv[i + 1], &cli->timeout_ms))
                    return -1;
                cli->timeout_ms = cli->timeout_ms ? cli->timeout_ms : CLIENT_PATIENT;
            } else if (argv[i][2] == 'h') {
                snprintf(cli->home, sizeof cli->home, "%s", argv[i + 1]);
                cli->home_given = true;
            } else
                cli->passphrase_file = argv[i + 1];
            i++;
        } else
            argv[n++] = argv[i];
    }
    return n;
}

int main(int argc, char **argv)
{
    struct cli cli = {.width = 0};
    struct winsize ws;
    const char *home = getenv("SOUK_HOME"), *user = getenv("HOME");
    arena_init(&cli.words, 1 << 20);
    setlocale(LC_TIME, "");
    if (sodium_init() < 0)
        return EXIT_REFUSED;
    snprintf(cli.home, sizeof cli.home, "%s%s", home ? home : user ? user : ".", home ? "" : "/.souk");
    const char *columns = getenv("COLUMNS"); /* where there is no terminal to ask: pipes, tests */
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0)
        cli.width = ws.ws_col;
    else if (columns)
        cli.width = (unsigned)strtoul(columns, NULL, 10);
    cli.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    argc = globals(&cli, argc - 1, argv + 1);
    argv++;
    if (argc < 0) {
        fputs(
            "souk: --home and --passphrase-file want a value, --timeout a time such as 30s or 10m (0: for "
            "ever)\n",
            stderr);
        return EXIT_USAGE;
    }
    if (!argc || strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0)
        return help(argc ? argc - 1 : 0, argv + (argc ? 1 : 0));
    if (strcmp(argv[0], "--version") == 0) {
        puts("souk " SOUK_VERSION);
        return EXIT_DONE;
    }
    int used;
    const struct command *c = find(argc, argv, &used);
    if (!c)
        return unknown(argc, argv);
    int code =
        c->run ? c->run(&cli, c, argc - used, argv + used) : run_method(&cli, c, argc - used, argv + used);
    client_close(cli.client);
    arena_free(&cli.words);
    return code;
}
