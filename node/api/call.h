/* call.h: what a method's handler sees; for the files of this room.
 *
 *     static int do_thing(struct core *c, struct call *call, struct span params, struct arena *a, struct
 * report *r)
 *     {
 *         API_PARAMS(thing_make);                        // struct api_thing_make_params p, or an error
 *         struct change *ch = call_change(c, call, thing_done);
 *         …                                              // operations; on error change_free(ch)
 *         call_commit(c, ch);                            // thing_done answers once it is on disk
 *         return 0;
 *     }
 *
 * A handler returns 0 when it has answered or will, or a negative error, with words in the report. */
#ifndef SOUK_CALL_H
#define SOUK_CALL_H
#include "api.gen.h"
#include "crypto/wire/method.h"
#include "node/api/api.h"

/* Names a request: copied freely; an answer to a client that has gone is dropped. */
struct call {
    conn_id conn;
    uint64_t id;
};
typedef int call_handler(struct core *c, struct call *call, struct span params, struct arena *a,
                         struct report *r);
struct call_row {
    const char *name;
    call_handler *handler;
};
/* One table a file of handlers.  api.describe leaves out what no table serves. */
bool api_serves(const char *method);
extern const struct call_row calls_node[], calls_dht[], calls_keys[], calls_message[], calls_market[],
    calls_trade[], calls_credit[], calls_people[];

#define API_PARAMS(name)                                           \
    struct api_##name##_params p;                                  \
    int params_err = api_##name##_params_decode(&p, params, a, r); \
    if (params_err)                                                \
    return SOUK_EPARAMS

/* Answers with the bytes of a result map; call_ok with an empty one. */
void call_result(struct core *c, const struct call *call, struct span result);
void call_ok(struct core *c, const struct call *call);
void call_error(struct core *c, const struct call *call, int err, const char *text);
#define API_RESULT(c, call, name, result)                      \
    do {                                                       \
        struct buf api_result_buf = {0};                       \
        api_##name##_result_encode(&api_result_buf, (result)); \
        call_result((c), (call), buf_view(&api_result_buf));   \
        buf_wipe(&api_result_buf);                             \
    } while (0)

/* A change whose commit is told to `done`, which answers.  `carry` (bytes copied, may be empty) is given
 * back in it.  When the commit fails as a whole the caller is told so without `done`; what was done in
 * memory before it is then taken back by `undo`, if one was named. */
typedef void call_done(struct core *c, const struct call *call, struct change *change, struct span carry);
struct change *call_change(struct core *c, const struct call *call, call_done *done, struct span carry);
void call_undo(struct change *change, call_done *undo);
void call_commit(struct core *c, struct change *change);
/* The end of most handlers: commits, or on an error drops the change; returns err. */
int call_end(struct core *c, struct change *change, int err);
void *
call_carry(struct change *change); /* the copy that `done` will get: may be filled in until the commit */

/* Remembers a call under a number (0: too many), for continuations that carry only a number; recall
 * forgets. */
uint64_t api_remember(struct core *c, const struct call *call);
bool api_recall(struct core *c, uint64_t token, struct call *out);

/* Something that happens at a time, or again and again until it is done: waits that have no event of their
 * own.  `again` returns true when it has answered. */
typedef bool call_again(struct core *c, const struct call *call, struct span carry);
void call_wait(struct core *c, const struct call *call, call_again *again, struct span carry,
               uint64_t give_up_ms);

/* From now on the client hears of events: first those after a cursor, at once. */
int api_subscribe(struct core *c, const struct call *call, uint64_t after);
/* The identity that acts: *as when given (it must be ours), else the default. */
int call_as(struct core *c, bool has, const struct identity *as, struct identity *out, struct report *r);
#endif
