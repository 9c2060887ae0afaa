/* calls_dht.c: the DHT as people see it: the table by distance, what is stored, lookups step by step. */
#include "crypto/hash.h"
#include "dht/dht.h"
#include "node/api/call.h"
#include "node/api/count.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "record.gen.h"

static struct span addr_span(struct arena *a, const struct addr *at)
{
    char text[ADDR_TEXT];
    return span_str(arena_printf(a, "%s", addr_format(text, at)));
}

/* ---- the table ---- */
static const struct api_peer *sessions(struct core *c, struct arena *a, size_t *n)
{
    enum { MOST = 512 };
    struct net_peer *peers = arena_array(a, MOST, sizeof *peers);
    struct api_peer *rows = arena_array(a, MOST, sizeof *rows);
    *n = net_peers(c->net, peers, MOST);
    for (size_t i = 0; i < *n; i++)
        rows[i] = (struct api_peer){.node = peers[i].key,
                                    .addr = addr_span(a, &peers[i].addr),
                                    .outbound = peers[i].outbound,
                                    .up_ms = c->now.mono_ms - peers[i].up_since_ms,
                                    .bytes_in = peers[i].bytes_in,
                                    .bytes_out = peers[i].bytes_out,
                                    .conduct = peers[i].conduct};
    return rows;
}

static struct api_dht_node entry_row(struct arena *a, const struct dht_entry *e)
{
    static const enum api_dht_standing standing[] = {[DHT_LIVE] = API_DHT_STANDING_LIVE,
                                                     API_DHT_STANDING_WAITING,
                                                     API_DHT_STANDING_HEARD,
                                                     API_DHT_STANDING_SAVED};
    bool seen = e->seen_ms != UINT64_MAX;
    return (struct api_dht_node){.shared = e->shared,
                                 .id = e->id,
                                 .node = e->key,
                                 .addr = addr_span(a, &e->addr),
                                 .standing = standing[e->standing],
                                 .has_rtt_ms = e->rtt_ms > 0,
                                 .rtt_ms = e->rtt_ms,
                                 .timeout_ms = e->patience_ms,
                                 .has_seen_ms = seen,
                                 .seen_ms = seen ? e->seen_ms : 0,
                                 .fails = e->fails};
}

static struct dht_entry *entries(struct core *c, struct arena *a, size_t *n)
{
    *n = dht_entries(c->dht, c->now.mono_ms, NULL, 0);
    struct dht_entry *all = arena_array(a, *n + 1, sizeof *all);
    return all && dht_entries(c->dht, c->now.mono_ms, all, *n) == *n ? all : NULL;
}

static int do_peers(struct core *c, struct call *call, struct span params, struct arena *a,
                    struct report *r)
{
    API_PARAMS(node_peers);
    struct api_node_peers_result res = {.sessions_n = 0};
    struct dht_entry *all = entries(c, a, &res.table_n);
    struct api_dht_node *rows = arena_array(a, res.table_n + 1, sizeof *rows);
    if (!all || !rows)
        return report_set(r, SOUK_ERANGE, "the table is too large for one answer");
    for (size_t i = 0; i < res.table_n; i++)
        rows[i] = entry_row(a, &all[i]);
    res.table = rows;
    res.sessions = sessions(c, a, &res.sessions_n);
    API_RESULT(c, call, node_peers, &res);
    return 0;
}

/* ---- what is stored and published ---- */
static const enum api_dht_kind kinds[] = {[DHT_PRESENCE] = API_DHT_KIND_PRESENCE,
                                          [DHT_PROVIDER] = API_DHT_KIND_PROVIDER,
                                          [DHT_POINTER] = API_DHT_KIND_POINTER};

static struct api_dht_stored stored_row(struct arena *a, const struct dht_held *h)
{
    char text[ADDR_TEXT];
    struct api_dht_stored row = {.kind = kinds[h->kind],
                                 .key = h->key,
                                 .bytes = h->bytes,
                                 .seq = h->seq,
                                 .expires_ms = h->left_ms,
                                 .from = span_str("self")};
    memcpy(row.author.b, h->author, sizeof row.author.b);
    if (!h->own)
        row.from = span_str(arena_printf(a, "%s", addr_prefix_format(text, h->prefix)));
    return row;
}

static const struct api_dht_stored *stored(struct core *c, struct arena *a, size_t skip, size_t most,
                                           size_t *n, uint64_t *all)
{
    struct dht_held *held = arena_array(a, most + 1, sizeof *held);
    struct api_dht_stored *rows = arena_array(a, most + 1, sizeof *rows);
    *all = dht_held(c->dht, c->now.mono_ms, skip, held, most);
    *n = *all > skip ? *all - skip : 0;
    *n = *n < most ? *n : most;
    for (size_t i = 0; i < *n; i++)
        rows[i] = stored_row(a, &held[i]);
    return rows;
}

static const char *publish_error(const struct core *c, const struct dht_own *own)
{
    struct addr at;
    if (own->family && !dht_addr(c->dht, own->family, &at))
        return own->family == 6 ? "no IPv6 address of ours is known" : "no IPv4 address of ours is known";
    return err_sentence(own->err);
}

static const struct api_dht_published *published(struct core *c, struct arena *a, size_t *n)
{
    enum { MOST = 1024 };
    size_t have = dht_own(c->dht, NULL, 0);
    *n = have < MOST ? have : MOST;
    struct dht_own *own = arena_array(a, *n + 1, sizeof *own);
    struct api_dht_published *rows = arena_array(a, *n + 1, sizeof *rows);
    dht_own(c->dht, own, *n);
    for (size_t i = 0; i < *n; i++)
        rows[i] = (struct api_dht_published){
            .kind = kinds[own[i].kind],
            .key = own[i].key,
            .has_bytes = own[i].bytes > 0,
            .bytes = own[i].bytes,
            .replicas = own[i].stored,
            .has_next_ms = own[i].next_ms > 0,
            .next_ms = own[i].next_ms > c->now.mono_ms ? own[i].next_ms - c->now.mono_ms : 0,
            .has_error = own[i].err != 0,
            .error = span_str(publish_error(c, &own[i])),
            .has_family = own[i].family != 0,
            .family = own[i].family == 6 ? API_ADDR_FAMILY_IPV6 : API_ADDR_FAMILY_IPV4};
    return rows;
}

static int do_dht(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(node_dht);
    struct counters k = counters_new(a);
    struct dht_stats s;
    struct dht_bucket b[DHT_BUCKETS_MOST];
    struct api_dht_bucket *rows = arena_array(a, DHT_BUCKETS_MOST, sizeof *rows);
    struct span *at = arena_array(a, 2, sizeof *at);
    dht_stats_read(c->dht, &s);
    count_dht(&k, c);
    struct api_node_dht_result res = {.self = *dht_self(c->dht),
                                      .addresses = at,
                                      .client = dht_client(c->dht),
                                      .has_network_nodes = s.network_nodes > 0,
                                      .network_nodes = s.network_nodes,
                                      .buckets = rows,
                                      .counters = k.row,
                                      .counters_n = k.n};
    for (int family = 4; family <= 6; family += 2) {
        struct addr here;
        if (dht_addr(c->dht, family, &here))
            at[res.addresses_n++] = addr_span(a, &here);
    }
    res.buckets_n = dht_buckets(c->dht, c->now.mono_ms, b);
    for (size_t i = 0; i < res.buckets_n; i++)
        rows[i] = (struct api_dht_bucket){b[i].shared, b[i].nodes, b[i].waiting, b[i].heard, b[i].idle_ms};
    res.stored =
        stored(c, a, p.has_skip ? p.skip : 0, p.has_limit ? p.limit : 50, &res.stored_n, &res.held);
    res.published = published(c, a, &res.published_n);
    API_RESULT(c, call, node_dht, &res);
    return 0;
}

/* ---- lookups ---- */
/* What a lookup was about, until its result comes: in the upper bits of the number that the result brings
 * back. */
enum { ABOUT_TRACE = 1, ABOUT_KNOWN = 2, ABOUT_GIVEN = 4, ABOUT_SHIFT = 44, ABOUT_KIND_SHIFT = 48 };

static bool stop_at_first(void *arg, const struct id *id, const struct record_row *row)
{
    (void)id;
    (void)row;
    *(bool *)arg = true;
    return false;
}

static bool identity_known(struct core *c, const struct identity *who)
{
    bool found = keys_own(c->keys, who);
    static const uint8_t said[] = {RECORD_PREKEY,  RECORD_PROFILE, RECORD_LISTING,
                                   RECORD_ARBITER, RECORD_ISSUER,  RECORD_RATING};
    for (size_t i = 0; i < sizeof said && !found; i++)
        view_author(c->view, who, said[i], stop_at_first, &found);
    return found;
}

static bool node_known(struct core *c, struct arena *a, const struct id *hex, bool *is_id)
{
    struct node_key key;
    memcpy(key.b, hex->b, sizeof key.b);
    size_t n;
    const struct dht_entry *all = entries(c, a, &n);
    *is_id = id_eq(hex, dht_self(c->dht));
    bool known = node_key_eq(&key, keys_node(c->keys)) || net_up(c->net, &key);
    for (size_t i = 0; all && i < n; i++) {
        known |= node_key_eq(&all[i].key, &key);
        *is_id |= id_eq(&all[i].id, hex);
    }
    return known;
}

/* What the word names, and whether anything here says so. */
static int take_word(struct core *c, struct arena *a, const struct api_node_lookup_params *p,
                     struct id *hex, enum api_lookup_kind *kind, bool *known, struct report *r)
{
    bool is_hex = hex_decode(hex->b, sizeof hex->b, (const char *)p->key.p, p->key.n), is_id = false;
    if (p->has_kind) {
        *kind = p->kind;
        *known = true;
        if (is_hex || p->kind == API_LOOKUP_KIND_TOPIC)
            return 0;
        return report_set(r, SOUK_EINVALID, "key: '%.*s' is not 64 hex digits, as %s has",
                          (int)(p->key.n < 70 ? p->key.n : 70), (const char *)p->key.p,
                          p->kind == API_LOOKUP_KIND_IDENTITY ? "an identity"
                          : p->kind == API_LOOKUP_KIND_NODE   ? "a node"
                                                              : "an id");
    }
    *known = true;
    *kind = API_LOOKUP_KIND_ID;
    struct identity who;
    if (!is_hex)
        *kind = API_LOOKUP_KIND_TOPIC;
    else if (node_known(c, a, hex, &is_id))
        *kind = API_LOOKUP_KIND_NODE;
    else if (memcpy(who.b, hex->b, sizeof who.b), identity_known(c, &who))
        *kind = API_LOOKUP_KIND_IDENTITY;
    else
        *known = is_id;
    return 0;
}

static uint64_t lookup_start(struct core *c, const struct api_node_lookup_params *p, const struct id *hex,
                             enum api_lookup_kind kind, uint64_t cookie)
{
    int flags = p->has_careful && p->careful ? DHT_CAREFUL : 0;
    struct id target = *hex;
    struct identity who;
    struct node_key key;
    switch (kind) {
    case API_LOOKUP_KIND_TOPIC:
        hash_souk_one(&target, c->network, "souk:topic", p->key);
        return dht_providers_start(c->dht, c->now, &target, flags, cookie);
    case API_LOOKUP_KIND_IDENTITY:
        memcpy(who.b, hex->b, sizeof who.b);
        dht_key_presence(&target, c->network, &who);
        return dht_get_start(c->dht, c->now, DHT_PRESENCE, &target, flags, cookie);
    case API_LOOKUP_KIND_NODE:
        memcpy(key.b, hex->b, sizeof key.b);
        dht_id(&target, c->network, &key);
        break;
    case API_LOOKUP_KIND_ID:
        break;
    }
    return dht_lookup_start(c->dht, c->now, &target, flags, cookie);
}

static int do_lookup(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(node_lookup);
    struct id hex;
    enum api_lookup_kind kind;
    bool known;
    int err = take_word(c, a, &p, &hex, &kind, &known, r);
    if (err)
        return err;
    uint64_t token = api_remember(c, call);
    uint64_t about = (p.has_trace && p.trace ? ABOUT_TRACE : 0) | (known ? ABOUT_KNOWN : 0) |
                     (p.has_kind ? ABOUT_GIVEN : 0);
    MUST(token >> ABOUT_SHIFT == 0);
    uint64_t number = token | about << ABOUT_SHIFT | (uint64_t)kind << ABOUT_KIND_SHIFT;
    if (!token || !lookup_start(c, &p, &hex, kind, dht_cookie(ROOM_API, number))) {
        api_recall(c, token, call);
        return report_set(r, SOUK_EBUSY, "too many lookups are under way; try again in a moment");
    }
    return 0; /* api_dht_done answers */
}

static const char *reason(enum api_lookup_kind kind, uint64_t about)
{
    if (about & ABOUT_GIVEN)
        return "as asked for";
    switch (kind) {
    case API_LOOKUP_KIND_TOPIC:
        return "it is not 64 hex digits, so it is the name of a topic";
    case API_LOOKUP_KIND_NODE:
        return "a node of this key is known here";
    case API_LOOKUP_KIND_IDENTITY:
        return "an identity of this key is known here";
    case API_LOOKUP_KIND_ID:
        break;
    }
    return about & ABOUT_KNOWN ? "a node has this id"
                               : "nothing here says what it is: --kind node or --kind identity does";
}

static struct span value_text(struct arena *a, const struct dht_value *v)
{
    struct buf b = {0};
    char at[ADDR_TEXT], hex[65];
    if (v->kind == DHT_PROVIDER)
        buf_printf(&b, "at %s", addr_format(at, &v->addr));
    else
        buf_printf(&b, v->mailboxes_n ? "letters to" : "no mailbox");
    for (size_t i = 0; i < v->mailboxes_n; i++)
        buf_printf(&b, "%s %.12s at %s", i ? "," : "", hex_encode(hex, v->mailboxes[i].node.b, 32),
                   v->mailboxes[i].addr.port ? addr_format(at, &v->mailboxes[i].addr) : "its own address");
    struct span text = arena_copy(a, buf_view(&b));
    buf_free(&b);
    return text;
}

static const struct api_lookup_value *values(struct core *c, struct arena *a, const struct dht_result *res,
                                             size_t *n)
{
    struct api_lookup_value *rows = arena_array(a, res->values_n + 1, sizeof *rows);
    *n = 0;
    for (size_t i = 0; i < res->values_n; i++) {
        struct dht_value v;
        if (dht_value_read(&v, c->network, c->now.unix_ms, res->values[i], false) != 0)
            continue;
        struct api_lookup_value *row = &rows[(*n)++];
        memcpy(row->author.b, v.author, sizeof row->author.b);
        row->expires = (int64_t)v.expires_s * 1000;
        row->text = value_text(a, &v);
    }
    return rows;
}

static const struct api_lookup_step *trace(struct arena *a, const struct dht_result *res, size_t *n)
{
    *n = res->trace_n < 256 ? res->trace_n : 256;
    struct api_lookup_step *rows = arena_array(a, *n + 1, sizeof *rows);
    for (size_t i = 0; i < *n; i++) {
        const struct dht_step *s = &res->trace[i];
        rows[i] = (struct api_lookup_step){.turn = s->turn,
                                           .asked_ms = s->asked_ms,
                                           .hop = s->hop,
                                           .path = s->path,
                                           .node = s->key,
                                           .addr = addr_span(a, &s->addr),
                                           .shared = s->shared,
                                           .has_rtt_ms = s->answered,
                                           .rtt_ms = s->rtt_ms,
                                           .answer = s->gave_value ? API_LOOKUP_ANSWER_VALUE
                                                     : s->answered ? API_LOOKUP_ANSWER_NODES
                                                     : s->pending  ? API_LOOKUP_ANSWER_PENDING
                                                                   : API_LOOKUP_ANSWER_SILENT};
    }
    return rows;
}

static const struct api_lookup_node *nearest(struct core *c, struct arena *a, const struct dht_result *res,
                                             size_t *n)
{
    *n = res->nodes_n < 64 ? res->nodes_n : 64;
    struct api_lookup_node *rows = arena_array(a, *n + 1, sizeof *rows);
    for (size_t i = 0; i < *n; i++) {
        struct id id;
        dht_id(&id, c->network, &res->nodes[i].key);
        rows[i] = (struct api_lookup_node){.node = res->nodes[i].key,
                                           .addr = addr_span(a, &res->nodes[i].addr),
                                           .shared = dht_shared_bits(&id, &res->target)};
    }
    return rows;
}

void api_dht_done(struct api *api, struct core *c, const struct dht_result *res)
{
    struct call call;
    struct arena a;
    (void)api;
    uint64_t number = res->cookie & 0xffffffffffffffu, about = number >> ABOUT_SHIFT & 15;
    enum api_lookup_kind kind = (enum api_lookup_kind)(number >> ABOUT_KIND_SHIFT & 15);
    if (!api_recall(c, number & ((UINT64_C(1) << ABOUT_SHIFT) - 1), &call))
        return;
    if (res->err == SOUK_EOFFLINE && res->trace_n == 0) {
        call_error(c, &call, res->err,
                   "this node knows no other: name one with `soukd --peer`, or `souk node connect`");
        return;
    }
    arena_init(&a, 1 << 20);
    struct api_node_lookup_result out = {.kind = kind,
                                         .reason = span_str(reason(kind, about)),
                                         .key = res->target,
                                         .hops = res->hops,
                                         .messages = res->messages,
                                         .timeouts = res->timeouts,
                                         .took_ms = res->took_ms,
                                         .conflict = res->conflict,
                                         .crowded = res->dense,
                                         .has_trace = about & ABOUT_TRACE};
    out.nodes = nearest(c, &a, res, &out.nodes_n);
    out.values = values(c, &a, res, &out.values_n);
    out.has_values = kind == API_LOOKUP_KIND_IDENTITY || kind == API_LOOKUP_KIND_TOPIC;
    out.trace = trace(&a, res, &out.trace_n);
    if (kind == API_LOOKUP_KIND_NODE)
        out.found = id_eq(&res->target, dht_self(c->dht)) || (out.nodes_n && out.nodes[0].shared == 256);
    else if (kind == API_LOOKUP_KIND_ID)
        out.found = out.nodes_n > 0;
    else
        out.found = out.values_n > 0;
    API_RESULT(c, &call, node_lookup, &out);
    arena_free(&a);
}

const struct call_row calls_dht[] = {
    {"node.peers", do_peers}, {"node.dht", do_dht}, {"node.lookup", do_lookup}, {NULL, NULL}};
