/* calls_node.c: the node itself: description, status, events. */
#include "dht/dht.h"
#include "node/api/call.h"
#include "node/api/count.h"
#include "node/gossip/gossip.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "node/outbox/outbox.h"
#include <stdio.h>

static void field_rows(struct arena *a, const struct api_field *f, size_t n,
                       const struct api_method_field **out, size_t *out_n)
{
    struct api_method_field *rows = arena_array(a, n ? n : 1, sizeof *rows);
    for (size_t i = 0; rows && i < n; i++)
        rows[i] = (struct api_method_field){span_str(f[i].name), span_str(f[i].type), f[i].required,
                                            span_str(f[i].doc)};
    *out = rows;
    *out_n = rows ? n : 0;
}

static int do_describe(struct core *c, struct call *call, struct span params, struct arena *a,
                       struct report *r)
{
    API_PARAMS(api_describe);
    struct api_method_row *rows = arena_array(a, api_methods_n, sizeof *rows);
    size_t n = 0;
    for (size_t i = 0; rows && i < api_methods_n; i++) {
        const struct api_method *m = &api_methods[i];
        if (!api_serves(m->name) || (p.has_method && !span_eq(p.method, span_str(m->name))))
            continue;
        struct api_method_row *row = &rows[n++];
        row->name = span_str(m->name);
        row->class = span_str(api_class_name(m->class));
        row->doc = span_str(m->doc);
        row->errors = span_str(m->errors ? m->errors : "");
        field_rows(a, m->params, m->params_n, &row->params, &row->params_n);
        field_rows(a, m->result, m->result_n, &row->result, &row->result_n);
    }
    if (!n)
        return report_set(r, SOUK_ENOT_FOUND,
                          "there is no method of that name; api.describe without one lists them");
    struct api_api_describe_result res = {.methods = rows, .methods_n = n};
    API_RESULT(c, call, api_describe, &res);
    return 0;
}

/* Where peers see another port than the one we listen on, a router has made it up for what we send.  (One
 * that keeps the port is not noticed: it may as well forward it.)  NULL: nothing to say. */
static const char *router_words(const struct core *c, const struct node_facts *f, struct arena *a)
{
    char text[ADDR_TEXT];
    struct addr seen;
    for (size_t i = 0; i < f->listen_n && !dht_client(c->dht); i++) {
        const struct addr *at = &f->listen[i];
        if (dht_addr(c->dht, addr_is_ipv4(at) ? 4 : 6, &seen) && seen.port != at->port)
            return arena_printf(
                a,
                "peers see this node at %s, and it listens on port %u: a router stands between. "
                "Let the router forward UDP and TCP port %u to this machine, or run with --client yes",
                addr_format(text, &seen), at->port, at->port);
    }
    return NULL;
}

static int do_status(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(node_status);
    struct counters k = counters_new(a);
    struct store_stats s;
    struct net_stats net;
    struct node_facts f;
    char hex[65], text[ADDR_TEXT];
    node_facts(c, &f);
    view_stats(c->view, &s);
    net_stats(c->net, &net);
    count_store(&k, c);
    count_rooms(&k, c);
    count_dht(&k, c);
    struct span *listen = arena_array(a, f.listen_n + 1, sizeof *listen);
    for (size_t i = 0; i < f.listen_n; i++)
        listen[i] = span_str(arena_printf(a, "%s", addr_format(text, &f.listen[i])));
    /* Where it is reached: as peers say, when it listens on every address of the machine. */
    struct addr at = f.listen[0];
    (void)dht_addr(c->dht, 0, &at);
    const char *peer = "";
    if (!dht_client(c->dht)) /* which nobody can dial */
        peer = arena_printf(a, "%s@%s", hex_encode(hex, keys_node(c->keys)->b, 32), addr_format(text, &at));
    struct api_node_status_result res = {.node = *keys_node(c->keys),
                                         .listen = listen,
                                         .listen_n = f.listen_n,
                                         .peer = span_str(peer),
                                         .network = span_str(c->network->name),
                                         .version = span_str(SOUK_VERSION),
                                         .uptime_ms = c->now.mono_ms - f.booted_ms,
                                         .sessions = net.sessions,
                                         .records = s.records,
                                         .known = s.known,
                                         .counters = k.row,
                                         .counters_n = k.n};
    struct clock_verdict clock;
    char words[CLOCK_WORDS];
    net_clock(c->net, c->now, &clock);
    struct span warnings[2] = {span_str(clock_words(words, &clock))};
    res.warnings = warnings;
    res.warnings_n = words[0] != 0;
    const char *router = router_words(c, &f, a);
    if (router)
        warnings[res.warnings_n++] = span_str(router);
    API_RESULT(c, call, node_status, &res);
    return 0;
}

static int do_connect(struct core *c, struct call *call, struct span params, struct arena *a,
                      struct report *r)
{
    API_PARAMS(node_connect);
    struct addr at;
    if (!addr_parse(&at, (const char *)p.addr.p, p.addr.n))
        return report_set(r, SOUK_EINVALID, "addr: '%.*s' is not ADDRESS:PORT", (int)p.addr.n,
                          (const char *)p.addr.p);
    int err = net_connect(c->net, c, &p.node, &at);
    if (err)
        return report_set(r, err, "%s", err_sentence(err));
    call_ok(c, call);
    return 0;
}

static int do_stop(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(node_stop);
    call_ok(c, call);
    fx_stop(c->fx);
    return 0;
}

struct event_walk {
    struct api_event_row *row;
    size_t n, most;
    struct arena *a;
    uint64_t last;
};

static bool add_event(void *arg, uint64_t seq, struct span bytes)
{
    struct event_walk *w = arg;
    if (w->n == w->most)
        return false;
    struct api_event_row *e = &w->row[w->n];
    if (api_event_row_decode(e, bytes, w->a, NULL))
        return true;
    e->seq = seq;
    w->last = seq;
    w->n++;
    return true;
}

static int do_events(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(events_list);
    size_t most = p.has_limit ? p.limit : 100;
    struct event_walk w = {arena_array(a, most, sizeof(struct api_event_row)), 0, most, a,
                           p.has_after ? p.after : 0};
    view_events(c->view, w.last, add_event, &w);
    struct api_events_list_result res = {.events = w.row, .events_n = w.n, .last = w.last};
    API_RESULT(c, call, events_list, &res);
    return 0;
}

static int do_subscribe(struct core *c, struct call *call, struct span params, struct arena *a,
                        struct report *r)
{
    API_PARAMS(events_subscribe);
    struct api_events_subscribe_result res = {.last = view_event_last(c->view)};
    API_RESULT(c, call, events_subscribe, &res);
    return api_subscribe(c, call, p.has_after ? p.after : res.last);
}

const struct call_row calls_node[] = {{"api.describe", do_describe},
                                      {"node.status", do_status},
                                      {"node.connect", do_connect},
                                      {"node.stop", do_stop},
                                      {"events.list", do_events},
                                      {"events.subscribe", do_subscribe},
                                      {NULL, NULL}};
