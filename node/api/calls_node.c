/* calls_node.c: the node itself: description, status, peers, DHT, events. */
#include "dht/dht.h"
#include "node/api/call.h"
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

struct counters {
    struct arena *a;
    struct api_count *row;
    size_t n;
};
enum { COUNTERS_MOST = 128 };

static void count(struct counters *k, const char *name, uint64_t value)
{
    if (k->n < COUNTERS_MOST)
        k->row[k->n++] = (struct api_count){span_str(name), value};
}

static void count_rooms(struct counters *k, struct core *c)
{
    struct net_stats net;
    struct gossip_stats g;
    struct outbox_stats o;
    net_stats(c->net, &net);
    gossip_stats(c->gossip, &g);
    outbox_stats(c->outbox, c, &o);
    count(k, "net.sessions", net.sessions);
    count(k, "net.handshakes", net.handshakes);
    count(k, "net.refused", net.refused);
    count(k, "net.banned", net.banned);
    count(k, "net.bytes_in", net.bytes_in);
    count(k, "net.bytes_out", net.bytes_out);
    count(k, "net.queued_bytes", net.queued_bytes);
    count(k, "gossip.topics", g.topics);
    count(k, "gossip.known", g.known);
    count(k, "gossip.stored", g.stored);
    count(k, "gossip.declined", g.declined);
    count(k, "gossip.refused", g.refused);
    count(k, "gossip.duplicates", g.duplicates);
    count(k, "gossip.pushes_in", g.pushes_in);
    count(k, "gossip.pushes_out", g.pushes_out);
    count(k, "gossip.rounds", g.rounds);
    count(k, "gossip.offered_last_round", g.offered_last);
    count(k, "outbox.queued", o.queued);
    count(k, "outbox.in_mailboxes", o.in_mailboxes);
    count(k, "mailbox.served", o.served_mailboxes);
    count(k, "mailbox.served_bytes", o.served_bytes);
}

static void count_dht(struct counters *k, struct core *c)
{
    struct dht_stats d;
    dht_stats_read(c->dht, &d);
    count(k, "dht.nodes", d.nodes);
    count(k, "dht.buckets", d.buckets);
    count(k, "dht.values", d.values);
    count(k, "dht.value_bytes", d.value_bytes);
    count(k, "dht.queries", d.queries);
    count(k, "dht.own", d.own);
    count(k, "dht.network_nodes", d.network_nodes);
    count(k, "dht.received", d.received);
    count(k, "dht.sent", d.sent);
    count(k, "dht.timeouts", d.timeouts);
    count(k, "dht.dropped_form", d.dropped_form);
    count(k, "dht.memory_bytes", d.memory_bytes);
}

static int do_status(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(node_status);
    struct counters k = {a, arena_array(a, COUNTERS_MOST, sizeof(struct api_count)), 0};
    struct store_stats s;
    struct net_stats net;
    struct node_facts f;
    char hex[65], text[ADDR_TEXT];
    node_facts(c, &f);
    view_stats(c->view, &s);
    net_stats(c->net, &net);
    count(&k, "store.used_bytes", s.used_bytes);
    count(&k, "store.map_bytes", s.map_bytes);
    count(&k, "store.facts", s.facts);
    count(&k, "store.events", s.events);
    count(&k, "store.outbox", s.outbox);
    count(&k, "store.mails", s.mails);
    count(&k, "store.chunks", s.chunks);
    count(&k, "store.commits", s.commits);
    count_rooms(&k, c);
    count_dht(&k, c);
    struct span *listen = arena_array(a, f.listen_n + 1, sizeof *listen);
    for (size_t i = 0; i < f.listen_n; i++)
        listen[i] = span_str(arena_printf(a, "%s", addr_format(text, &f.listen[i])));
    /* Where it is reached: as peers say, when it listens on every address of the machine. */
    struct addr at = f.listen[0];
    (void)dht_addr(c->dht, 0, &at);
    const char *peer =
        arena_printf(a, "%s@%s", hex_encode(hex, keys_node(c->keys)->b, 32), addr_format(text, &at));
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
    struct span warnings[1] = {span_str(clock_words(words, &clock))};
    res.warnings = warnings;
    res.warnings_n = words[0] != 0;
    API_RESULT(c, call, node_status, &res);
    return 0;
}

static int do_peers(struct core *c, struct call *call, struct span params, struct arena *a,
                    struct report *r)
{
    API_PARAMS(node_peers);
    enum { MOST = 512 };
    struct net_peer *peers = arena_array(a, MOST, sizeof *peers);
    struct api_peer *rows = arena_array(a, MOST, sizeof *rows);
    size_t n = net_peers(c->net, peers, MOST);
    for (size_t i = 0; i < n; i++) {
        char *text = arena_alloc(a, ADDR_TEXT);
        addr_format(text, &peers[i].addr);
        rows[i] = (struct api_peer){.node = peers[i].key,
                                    .addr = span_str(text),
                                    .outbound = peers[i].outbound,
                                    .up_ms = c->now.mono_ms - peers[i].up_since_ms,
                                    .bytes_in = peers[i].bytes_in,
                                    .bytes_out = peers[i].bytes_out,
                                    .conduct = peers[i].conduct};
    }
    struct api_node_peers_result res = {.peers = rows, .peers_n = n};
    API_RESULT(c, call, node_peers, &res);
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

static int do_dht(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(node_dht);
    struct counters k = {a, arena_array(a, COUNTERS_MOST, sizeof(struct api_count)), 0};
    count_dht(&k, c);
    struct api_node_dht_result res = {.self = *dht_self(c->dht), .counters = k.row, .counters_n = k.n};
    API_RESULT(c, call, node_dht, &res);
    return 0;
}

static int do_lookup(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(node_lookup);
    uint64_t token = api_remember(c, call);
    if (!token || !dht_lookup_start(c->dht, c->now, &p.key, 0, dht_cookie(ROOM_API, token))) {
        api_recall(c, token, call);
        return report_set(r, SOUK_EBUSY, "too many lookups are under way; try again in a moment");
    }
    return 0; /* api_dht_done answers */
}

void api_dht_done(struct api *api, struct core *c, const struct dht_result *res)
{
    struct call call;
    struct arena a;
    (void)api;
    if (!api_recall(c, res->cookie & 0xffffffffffffffu, &call))
        return;
    if (res->err) {
        call_error(c, &call, res->err, NULL);
        return;
    }
    arena_init(&a, 1 << 20);
    size_t n = res->nodes_n < 64 ? res->nodes_n : 64, steps = res->trace_n < 256 ? res->trace_n : 256;
    struct node_key *nodes = arena_array(&a, n + 1, sizeof *nodes);
    struct span *trace = arena_array(&a, steps + 1, sizeof *trace);
    for (size_t i = 0; i < n; i++)
        nodes[i] = res->nodes[i].key;
    for (size_t i = 0; i < steps; i++) {
        const struct dht_step *s = &res->trace[i];
        char at[ADDR_TEXT], hex[65];
        trace[i] = span_str(arena_printf(&a, "hop %u  %.12s  %-22s %3u bits shared  %s", s->hop,
                                         hex_encode(hex, s->key.b, 32), addr_format(at, &s->addr),
                                         s->shared, s->answered ? "answered" : "silent"));
    }
    struct api_node_lookup_result out = {.nodes = nodes,
                                         .nodes_n = n,
                                         .hops = res->hops,
                                         .messages = res->messages,
                                         .trace = trace,
                                         .trace_n = steps};
    API_RESULT(c, &call, node_lookup, &out);
    arena_free(&a);
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
                                      {"node.peers", do_peers},
                                      {"node.connect", do_connect},
                                      {"node.dht", do_dht},
                                      {"node.lookup", do_lookup},
                                      {"node.stop", do_stop},
                                      {"events.list", do_events},
                                      {"events.subscribe", do_subscribe},
                                      {NULL, NULL}};
