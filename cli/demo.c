/* demo.c: `souk demo`: five nodes on this machine, and a market between them.  Every line is what a node
 * answered through its socket; the first thing that fails ends it. */
#include "cli/demo.h"
#include "crypto/wire/json.h"
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { STEP_BYTES_MOST = 64 << 20 };

uint64_t demo_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t demo_now_ms(void)
{
    return demo_now_us() / 1000;
}

/* ---- saying ---- */
static void say(struct demo *d, const char *who, const char *text)
{
    uint64_t ms = demo_now_ms() - d->began_ms;
    if (d->json) {
        struct buf b = {0};
        buf_printf(&b, "{\"ms\":%llu,\"node\":", (unsigned long long)ms);
        json_str(&b, span_str(who));
        buf_printf(&b, ",\"text\":");
        json_str(&b, span_str(text));
        printf("%.*s}\n", (int)b.n, (const char *)b.p);
        buf_free(&b);
    } else
        printf("%7.2f s  %s%s: %s\n", (double)ms / 1000, who, strcmp(who, "demo") ? "'s node" : "", text);
    fflush(stdout);
}

void demo_say(struct demo *d, enum demo_who who, const char *fmt, ...)
{
    char text[1000];
    va_list args;
    if (d->err)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    say(d, d->node[who].role, text);
}

void demo_gap(struct demo *d)
{
    if (!d->json && !d->err)
        puts("");
}

void demo_fail(struct demo *d, enum demo_who who, int err, const char *fmt, ...)
{
    char text[400];
    va_list args;
    if (d->err)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (who < DEMO_NODES)
        d->err = report_set(&d->report, err, "%s's node: %s", d->node[who].role, text);
    else
        d->err = report_set(&d->report, err, "%s", text);
}

const char *demo_text(struct demo *d, struct span s)
{
    char *text = arena_str(&d->arena, s);
    return text ? text : "";
}

const char *demo_short(struct demo *d, const void *id)
{
    char hex[65];
    hex_encode(hex, id, 32);
    return demo_text(d, span(hex, 12));
}

/* ---- asking ---- */
bool demo_ask(struct demo *d, enum demo_who who, const char *name, bool maybe, struct span *out)
{
    struct report r = {0};
    char method[64];
    if (d->err)
        return false;
    if (demo_interrupted()) {
        demo_fail(d, DEMO_NODES, SOUK_ECLOSED, "interrupted");
        return false;
    }
    /* listing_import_state names listing.import_state */
    snprintf(method, sizeof method, "%s", name);
    method[strcspn(method, "_")] = '.';
    int err = client_call(d->node[who].client, method, buf_view(&d->params), &d->result, &r);
    sodium_memzero(d->params.p, d->params.n); /* may hold a passphrase */
    if (err && demo_interrupted())
        demo_fail(d, DEMO_NODES, SOUK_ECLOSED, "interrupted");
    else if (err && maybe && err != SOUK_ECLOSED && err != SOUK_EPARAMS)
        d->last = r;
    else if (err)
        demo_fail(d, who, err, "%s: %s", method, r.text);
    else
        d->last.err = 0;
    *out = arena_copy(&d->arena, buf_view(&d->result));
    if (!err && !out->p) {
        demo_fail(d, who, SOUK_ERANGE, "%s: an answer of %zu bytes is more than expected", method,
                  d->result.n);
        return false;
    }
    return !err;
}

struct until until(struct demo *d, enum demo_who who, uint64_t most_ms, const char *what)
{
    d->last = (struct report){0};
    return (struct until){d, who, demo_now_ms(), most_ms, what};
}

bool until_more(struct until *u)
{
    struct demo *d = u->d;
    struct report r = {0};
    struct buf note = {0};
    if (d->err)
        return false;
    if (demo_now_ms() - u->since_ms > u->most_ms) {
        demo_fail(d, u->who, SOUK_ETIMEOUT, "waited %llu s in vain for %s%s%s",
                  (unsigned long long)(u->most_ms / 1000), u->what, d->last.err ? "; it says: " : "",
                  d->last.text);
        return false;
    }
    int err = client_wait(d->node[u->who].client, 100, &note, &r);
    buf_free(&note);
    if (demo_interrupted())
        demo_fail(d, DEMO_NODES, SOUK_ECLOSED, "interrupted");
    else if (err && err != SOUK_ETIMEOUT)
        demo_fail(d, u->who, err, "%s", r.text);
    return !d->err;
}

/* ---- the story ---- */
struct step {
    const char *name;
    void (*run)(struct demo *d);
};
static const struct step steps[] = {
    {"starting the nodes", demo_start_nodes},
    {"identities", demo_identities},
    {"the issuer's credit", demo_credit},
    {"the arbiter's terms", demo_arbiter},
    {"importing the catalogue", demo_catalogue},
    {"the catalogue's way to the others", demo_spread},
    {"searching", demo_search},
    {"a listing and its picture", demo_listing},
    {"messages", demo_messages},
    {"a trade, released", demo_trade_released},
    {"a trade, disputed", demo_trade_disputed},
    {"what a bystander finds", demo_bystander},
    {"the ratings that a bystander sees", demo_ratings},
};

static void summary(struct demo *d)
{
    char text[300];
    uint64_t sum = 0;
    for (int i = 0; i < DEMO_NODES; i++) {
        uint64_t kib = demo_memory_kib(&d->node[i]);
        sum += kib;
        snprintf(text, sizeof text, "%.1f MiB of memory (VmRSS of process %ld)", (double)kib / 1024,
                 (long)d->node[i].pid);
        say(d, d->node[i].role, text);
    }
    snprintf(text, sizeof text, "done in %.1f s, %.1f MiB in all",
             (double)(demo_now_ms() - d->began_ms) / 1000, (double)sum / 1024);
    say(d, "demo", text);
}

static void hints(const struct demo *d)
{
    printf("\nThe nodes go on running.  Try, each on its own node:\n"
           "  souk --home %s search vélo\n"
           "  souk --home %s trade list\n"
           "  souk --home %s --passphrase-file %s unlock --for 15m\n"
           "  souk --home %s listing mine\n"
           "  souk --home %s node status\n"
           "and at the end:\n",
           d->node[BUYER].home, d->node[BUYER].home, d->node[BUYER].home, d->node[BUYER].passphrase_file,
           d->node[SELLER].home, d->node[BYSTANDER].home);
    for (int i = 0; i < DEMO_NODES; i++)
        printf("  souk --home %s node stop\n", d->node[i].home);
    printf("  rm -r %s\n", d->dir);
}

static void tell_failure(struct demo *d, const char *step)
{
    fflush(stdout);
    fprintf(stderr, "souk demo: %s failed after %.1f s: %s\n", step,
            (double)(demo_now_ms() - d->began_ms) / 1000, d->report.text);
    if (!demo_interrupted())
        demo_log_tail(d);
}

static int options(struct demo *d, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--keep") == 0)
            d->keep = true;
        else {
            fprintf(stderr, "souk: souk demo [--keep] [--home DIR]: '%s' is neither\n", argv[i]);
            return EXIT_USAGE;
        }
    return EXIT_DONE;
}

int verb_demo(struct cli *cli, const struct command *cmd, int argc, char **argv)
{
    struct demo d = {.node = {[SELLER] = {.role = "seller", .name = "Maëlle Kerbrat", .region = "FR"},
                              [BUYER] = {.role = "buyer", .name = "Tom Ashworth", .region = "GB"},
                              [ARBITER] = {.role = "arbiter", .name = "Odile Renard", .region = "FR"},
                              [ISSUER] = {.role = "issuer", .name = "Le Grand Marché", .region = "BE"},
                              [BYSTANDER] = {.role = "bystander", .name = "Aoife Byrne", .region = "IE"}},
                     .json = cli->json,
                     .began_ms = demo_now_ms()};
    const char *step = "preparing";
    (void)cmd;
    int code = options(&d, argc, argv);
    if (code)
        return code;
    arena_init(&d.arena, STEP_BYTES_MOST);
    demo_prepare(&d, cli->home_given ? cli->home : NULL);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !d.err; i++) {
        step = steps[i].name;
        steps[i].run(&d);
        demo_gap(&d);
        arena_reset(&d.arena);
    }
    if (d.err)
        tell_failure(&d, step);
    else
        summary(&d);
    if (!d.err && d.keep && !d.json)
        hints(&d);
    demo_end(&d);
    arena_free(&d.arena);
    buf_wipe(&d.params);
    buf_free(&d.result);
    code = d.err ? EXIT_REFUSED : EXIT_DONE;
    sodium_memzero(&d, sizeof d);
    return code;
}
