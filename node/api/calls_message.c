/* calls_message.c: words between people. */
#include "node/api/call.h"
#include "node/keys/keys.h"
#include "node/outbox/outbox.h"

struct sent {
    struct id letter, thread;
};

static void send_done(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct sent s;
    (void)change;
    memcpy(&s, carry.p, sizeof s);
    struct api_message_send_result res = {.id = s.letter, .thread = s.thread};
    API_RESULT(c, call, message_send, &res);
}

static int do_send(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(message_send);
    struct identity as;
    struct sent s = {0};
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (err)
        return err;
    if (identity_eq(&as, &p.to))
        return report_set(r, SOUK_EINVALID, "to: this is yourself");
    struct change *ch = call_change(c, call, send_done, SPAN_OF(s));
    struct sent *out = call_carry(ch);
    outbox_thread(&out->thread, c->network, &as, &p.to, p.has_about ? &p.about : NULL);
    err = outbox_send(c->outbox, c, &as, &p.to, &out->thread, LETTER_MESSAGE, p.text, ch, &out->letter, r);
    return call_end(c, ch, err);
}

struct walk {
    struct core *c;
    struct arena *a;
    struct api_message_row *row;
    size_t n, most;
};

static bool add(void *arg, const struct outbox_message_row *m)
{
    struct walk *w = arg;
    struct api_message_row *row = &w->row[w->n++];
    *row = (struct api_message_row){.id = m->letter,
                                    .thread = m->thread,
                                    .from = m->from,
                                    .to = m->to,
                                    .time = m->created,
                                    .text = m->text};
    if (m->sent) {
        row->has_state = true;
        row->state = span_str(letter_state_name(outbox_state(w->c, &m->letter)));
    } else if (m->request) {
        row->has_state = true;
        row->state = span_str("request");
    }
    return w->n < w->most;
}

static int do_list(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(message_list);
    size_t most = p.has_limit ? p.limit : 50;
    struct walk w = {c, a, arena_array(a, most, sizeof(struct api_message_row)), 0, most};
    outbox_messages(c, p.has_as ? &p.as : NULL, p.has_thread ? &p.thread : NULL, most, add, &w);
    struct api_message_list_result res = {.messages = w.row, .messages_n = w.n};
    API_RESULT(c, call, message_list, &res);
    return 0;
}

const struct call_row calls_message[] = {
    {"message.send", do_send}, {"message.list", do_list}, {NULL, NULL}};
