/* demo.h: what the files of `souk demo` share: five real nodes on loopback, asked through their sockets.
 *
 * Errors stick: the first one is kept with the words of the node that gave it, every later call does
 * nothing and leaves its result zeroed, so that a step reads as a story and is checked once, at its end.
 * What results point to lives until the step ends. */
#ifndef SOUK_DEMO_H
#define SOUK_DEMO_H
#include "cli/cli.h"
#include "crypto/base/arena.h"
#include <sys/types.h>

enum demo_who { SELLER, BUYER, ARBITER, ISSUER, BYSTANDER, DEMO_NODES };
struct demo_node {
    const char *role, *name, *region; /* of its owner */
    char home[320], passphrase_file[336], passphrase[33];
    char listen[32], peer[160];
    pid_t pid; /* 0: not running */
    struct client *client;
    struct identity id;
};
struct demo {
    struct demo_node node[DEMO_NODES];
    char soukd[320], catalogue[320], dir[256], network[32];
    bool keep, json, made_dir;
    uint64_t began_ms; /* monotonic */
    uint64_t trade_ms; /* how long the first trade took until goods were on their way */
    uint64_t listings; /* that the seller's node published */
    struct buf params, result;
    struct arena arena;
    int err;
    struct report report; /* of the first error; `last` of one that may pass */
    struct report last;
};

/* ---- demo.c ---- */
/* ASK(d, BUYER, listing_show, &m, .id = id): fills struct api_listing_show_result m.  MAYBE: a refusal does
 * not stick, m is then zeroed and the words are in d->last.  No parameters: 0. */
#define ASK(d, who, name, out, ...) \
    DEMO_CALL(d, who, name, out, false, (&(struct api_##name##_params){__VA_ARGS__}))
#define MAYBE(d, who, name, out, ...) \
    DEMO_CALL(d, who, name, out, true, (&(struct api_##name##_params){__VA_ARGS__}))
#define DEMO_CALL(d, who, name, out, maybe, params_in)                                                \
    do {                                                                                              \
        struct span demo_bytes;                                                                       \
        memset((out), 0, sizeof *(out));                                                              \
        buf_clear(&(d)->params);                                                                      \
        api_##name##_params_encode(&(d)->params, (params_in));                                        \
        if (demo_ask((d), (who), #name, (maybe), &demo_bytes) &&                                      \
            api_##name##_result_decode((out), demo_bytes, &(d)->arena, &(d)->report))                 \
            demo_fail((d), (who), SOUK_EFORM, "the answer to " #name " is not what the schema says"); \
    } while (0)
bool demo_ask(struct demo *d, enum demo_who who, const char *name, bool maybe, struct span *out);
void demo_fail(struct demo *d, enum demo_who who, int err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A line of what this node answered, with the time since the start. */
void demo_say(struct demo *d, enum demo_who who, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void demo_gap(struct demo *d); /* an empty line between steps */

/* Asking again until the answer is the one awaited:
 *
 *     struct until u = until(d, BUYER, 20000, "every listing to arrive");
 *     do
 *         ASK(d, BUYER, profile_show, &m, .id = seller);
 *     while (m.listings < all && until_more(&u));
 *
 * until_more waits for the node's next event, 100 ms at most, and is false after an error or the deadline
 * (which is an error). */
struct until {
    struct demo *d;
    enum demo_who who;
    uint64_t since_ms, most_ms;
    const char *what;
};
struct until until(struct demo *d, enum demo_who who, uint64_t most_ms, const char *what);
bool until_more(struct until *u);
uint64_t demo_now_ms(void); /* monotonic */
uint64_t demo_now_us(void);
/* A NUL-terminated copy, for printf; of an id its first 12 digits. */
const char *demo_text(struct demo *d, struct span s);
const char *demo_short(struct demo *d, const void *id);

/* ---- demo_nodes.c: processes ---- */
/* Finds soukd and the catalogue, makes the folder.  home: NULL for a temporary one. */
void demo_prepare(struct demo *d, const char *home);
void demo_start_nodes(struct demo *d);
/* Ends every node and waits for it; removes a temporary folder unless it is to be looked at. */
void demo_end(struct demo *d);
bool demo_interrupted(void);
uint64_t demo_memory_kib(const struct demo_node *n); /* VmRSS */
void demo_log_tail(const struct demo *d);            /* what the nodes complained of, to stderr */

/* ---- demo_market.c, demo_credit.c, demo_trade.c: the steps ---- */
void demo_identities(struct demo *d);
void demo_catalogue(struct demo *d);
void demo_spread(struct demo *d);
void demo_search(struct demo *d);
void demo_listing(struct demo *d);
void demo_messages(struct demo *d);
void demo_credit(struct demo *d);
void demo_balance(struct demo *d, enum demo_who who); /* a line */
void demo_arbiter(struct demo *d);
void demo_trade_released(struct demo *d);
void demo_trade_disputed(struct demo *d);
void demo_bystander(struct demo *d);
void demo_ratings(struct demo *d);
#endif
