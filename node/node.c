/* node.c: joins the rooms.  Events go down to the room that they concern; what rooms tell each other
 * upwards goes through the hooks below. */
#include "node/node.h"
#include "api.gen.h"
#include "crypto/record.h"
#include "node/api/api.h"
#include "node/gossip/gossip.h"
#include "node/keys/keys.h"
#include "node/market/market.h"
#include "node/net/net.h"
#include "node/outbox/outbox.h"
#include "node/rail/rail.h"
#include "node/reach.h"
#include "node/trade/trade.h"
#include <stdio.h>
#include <stdlib.h>

enum { CLOCK_LOOK_MS = 1000, CLOCK_SET_MS = 30000, CLOCK_CALM_MS = 10000 };

struct node {
    struct node_config config;
    struct core core;
    struct reach *reach;
    uint64_t booted_ms;
    uint64_t wanted_ms;   /* when nodes that are waited for are looked for again */
    uint64_t events_told; /* seq of the last entry of the event log that subscribers heard of */
    struct clock judged;  /* when the clock was last compared with the peers' */
    uint64_t agreed_ms;   /* monotonic: since when they agree with it again */
};

/* ---- upwards ---- */
static void session_up(struct core *c, const struct node_key *peer)
{
    gossip_session_up(c->gossip, c, peer);
    outbox_session_up(c->outbox, c, peer);
    reach_session_up(c->node->reach, c, peer);
}

static void session_down(struct core *c, const struct node_key *peer)
{
    gossip_session_down(c->gossip, c, peer);
    reach_session_down(c->node->reach, c, peer);
}

static int session_message(struct core *c, const struct node_key *peer, enum channel channel,
                           unsigned number, struct span body)
{
    switch (channel) {
    case CHANNEL_GOSSIP:
    case CHANNEL_BLOB:
        return gossip_message(c->gossip, c, peer, channel, number, body);
    case CHANNEL_MAIL:
        return outbox_message(c->outbox, c, peer, number, body);
    case CHANNEL_LEDGER:
        return rails_message(c->rails, c, peer, number, body);
    case CHANNEL_QUERY:
        return market_message(c->market, c, peer, number, body);
    default:
        break;
    }
    return 0; /* a later version's channel */
}

static void record_stored(struct core *c, const struct record *rec, uint64_t serial, bool own)
{
    market_record_stored(c->market, c, rec, serial, own);
    outbox_record_stored(c->outbox, c, rec);
    rails_record_stored(c->rails, c, rec);
}

static int letter(struct core *c, const struct identity *to, const struct identity *from, unsigned kind,
                  const struct id *id, struct span body)
{
    if (kind == LETTER_FACT)
        return trades_letter(c->trades, c, to, from, id, body);
    if (kind == LETTER_RECALL || kind == LETTER_RECALLED)
        return trades_recall(c->trades, c, to, from, kind == LETTER_RECALLED, body);
    if (kind == LETTER_OPENING)
        return rails_letter(c->rails, c, to, from, id, body);
    return 0; /* the outbox keeps messages, addresses and tickets itself */
}

static void letter_done(struct core *c, const struct id *id, int err)
{
    trades_letter_done(c->trades, c, id, err);
}

static void rail_changed(struct core *c, const struct id *trade)
{
    trades_rail_changed(c->trades, c, trade);
}

/* A rating's proof that a lock committing to its stub was funded. */
static int funding_holds(void *arg, struct core *c, const struct record_stub *stub,
                         const struct id *stub_hash, struct span funding, struct report *r)
{
    (void)arg;
    return rail_funding_proof_check(c, funding, stub_hash, stub->has_issuer ? &stub->issuer : NULL, r);
}

static void event_logged(struct core *c, uint64_t seq, struct span bytes)
{
    api_event(c->api, c, seq, bytes);
}

static const struct hooks node_hooks = {.session_up = session_up,
                                        .session_down = session_down,
                                        .session_message = session_message,
                                        .record_stored = record_stored,
                                        .letter = letter,
                                        .letter_done = letter_done,
                                        .rail_changed = rail_changed,
                                        .event = event_logged};

/* ---- life ---- */
struct node *node_new(const struct node_config *config, struct rng *rng)
{
    struct node *n = xcalloc(1, sizeof *n);
    n->config = *config;
    n->config.node_sk = NULL;
    struct net_config nc = {.self = config->listen[0]};
    if (config->client)
        nc.self.port = 0;
    const struct network *net = &n->config.network;
    n->core = (struct core){.network = net,
                            .hooks = &node_hooks,
                            .rng = rng,
                            .node = n,
                            .keys = keys_new(config->node_sk, config->cheap_kdf),
                            .net = net_new(&nc, net, rng),
                            .gossip = gossip_new(net, rng, config->reconcile_ms),
                            .outbox = outbox_new(net, rng),
                            .market = market_new(net, rng),
                            .rails = rails_new(net, rng, config->mock_rail),
                            .trades = trades_new(net, rng),
                            .api = api_new(net, rng)};
    if (config->tick_ms)
        rails_tick(n->core.rails, config->tick_ms);
    n->reach = reach_new(&n->config, n->core.keys, rng);
    gossip_topics_judged_by(n->core.gossip, market_topic_means);
    market_set_funding_check(n->core.market, funding_holds, NULL);
    outbox_on_taken(n->core.outbox, trades_taken);
    return n;
}

void node_free(struct node *n)
{
    if (!n)
        return;
    api_free(n->core.api);
    trades_free(n->core.trades);
    rails_free(n->core.rails);
    market_free(n->core.market);
    outbox_free(n->core.outbox);
    gossip_free(n->core.gossip);
    net_free(n->core.net);
    reach_free(n->reach);
    keys_free(n->core.keys);
    free(n);
}

const struct node_key *node_self(const struct node *n)
{
    return keys_node(n->core.keys);
}

void node_facts(const struct core *c, struct node_facts *out)
{
    const struct node_config *config = &c->node->config;
    *out = (struct node_facts){
        .listen = config->listen, .listen_n = config->listen_n, .booted_ms = c->node->booted_ms};
    reach_seal(c->node->reach, &out->seal, &out->seal_most);
}

struct core *node_core(struct node *n, struct clock now, struct view *view, struct effects *fx)
{
    n->core.now = now;
    n->core.view = view;
    n->core.fx = fx;
    return &n->core;
}

static void unlock_all(struct node *n, struct core *c)
{
    struct key_row rows[KEYS_MOST];
    size_t count = keys_list(c->keys, rows);
    for (size_t i = 0; n->config.passphrase.n && i < count; i++) {
        struct report r = {0};
        if (keys_unlock(c->keys, c, &rows[i].identity, n->config.passphrase, 0, &r))
            log_line(LOG_WARN, "node", "%s stays locked: %s", rows[i].name, r.text);
        else
            outbox_unlocked(c->outbox, c, &rows[i].identity);
    }
    n->config.passphrase = span(NULL, 0);
}

static void boot(struct node *n, struct core *c)
{
    n->booted_ms = c->now.mono_ms;
    n->events_told = view_event_last(c->view);
    keys_boot(c->keys, c);
    reach_boot(n->reach, c);
    c->dht = reach_dht(n->reach);
    gossip_boot(c->gossip, c);
    market_boot(c->market, c);
    outbox_boot(c->outbox, c);
    outbox_here(c->outbox, &n->config.listen[0]);
    rails_boot(c->rails, c);
    trades_boot(c->trades, c);
    if (n->config.restored)
        trades_restored(c->trades, c, NULL);
    unlock_all(n, c);
}

static void worked(struct core *c, struct job *job)
{
    if (job->room == ROOM_MARKET)
        market_worked(c->market, c, job);
    else
        gossip_worked(c->gossip, c, job);
    free(job);
}
static void committed(struct core *c, struct change *change)
{
    if (change->room == ROOM_GOSSIP)
        gossip_committed(c->gossip, c, change);
    else if (change->room == ROOM_OUTBOX)
        outbox_committed(c->outbox, c, change);
    else if (change->room == ROOM_MARKET)
        market_committed(c->market, c, change);
    else if (change->room == ROOM_RAIL)
        rails_committed(c->rails, c, change);
    else if (change->room == ROOM_TRADE)
        trades_committed(c->trades, c, change);
    else if (change->room == ROOM_API)
        api_committed(c->api, c, change);
    change_free(change);
}
/* What the rails want told to everybody: a ledger's newest head; that an issuer told two stories. */
static void ledger_news(struct core *c)
{
    struct identity who, accused;
    struct buf body = {0};
    if (rails_head_due(c->rails, c, &who, &body))
        market_say(c->market, c, &who, RECORD_HEAD, buf_view(&body), INT64_C(90) * 86400000, NULL);
    buf_clear(&body);
    if (rails_fraud_due(c->rails, c, &accused, &body)) {
        struct key_row rows[KEYS_MOST];
        if (keys_list(c->keys, rows) && rows[0].unlocked)
            market_say(c->market, c, &rows[0].identity, RECORD_FRAUD, buf_view(&body),
                       INT64_C(365) * 86400000, NULL);
    }
    buf_free(&body);
}

static bool tell_event(void *arg, uint64_t seq, struct span bytes)
{
    struct core *c = arg;
    c->node->events_told = seq;
    c->hooks->event(c, seq, bytes);
    return true;
}

static void stream(struct core *c, const struct event *ev)
{
    if (ev->kind == EV_ACCEPTED) {
        if (ev->listener == LISTEN_PEER)
            net_accepted(c->net, c, ev->conn, &ev->addr);
        else
            api_accepted(c->api, c, ev->conn, ev->listener);
        return;
    }
    bool api = api_owns(c->api, ev->conn);
    if (ev->kind == EV_DIALLED)
        net_dialled(c->net, c, ev->conn, ev->err);
    else if (ev->kind == EV_BYTES && api)
        api_bytes(c->api, c, ev->conn, ev->bytes);
    else if (ev->kind == EV_BYTES)
        net_bytes(c->net, c, ev->conn, ev->bytes);
    else if (ev->kind == EV_DRAINED && api)
        api_drained(c->api, c, ev->conn);
    else if (ev->kind == EV_DRAINED)
        net_drained(c->net, c, ev->conn);
    else if (api)
        api_closed(c->api, c, ev->conn);
    else
        net_closed(c->net, c, ev->conn);
}

/* ---- the clock ---- */
static void tell_clock(struct core *c, const struct clock_verdict *v)
{
    char words[CLOCK_WORDS];
    struct buf b = {0};
    struct change *ch = change_new(ROOM_NODE, 0, 0);
    if (v->wrong)
        clock_words(words, v);
    else
        snprintf(words, sizeof words, "the clock of this machine agrees with most peers again");
    log_line(LOG_WARN, "node", "%s", words);
    struct api_event_row row = {.time = c->now.unix_ms,
                                .kind = span_str(v->wrong ? "clock.wrong" : "clock.right"),
                                .has_text = true,
                                .text = span_str(words)};
    api_event_row_encode(&b, &row);
    change_event(ch, buf_view(&b));
    fx_commit(c->fx, ch);
    buf_free(&b);
}

/* Once a second, and at once when the clock was set: nothing is to be done by a wrong one in between.  It
 * is right again when enough peers have said so for a while. */
static void judge_clock(struct node *n, struct core *c)
{
    struct clock_verdict v;
    int64_t set = (c->now.unix_ms - n->judged.unix_ms) - (int64_t)(c->now.mono_ms - n->judged.mono_ms);
    if (c->now.mono_ms - n->judged.mono_ms < CLOCK_LOOK_MS && set < CLOCK_SET_MS && set > -CLOCK_SET_MS)
        return;
    n->judged = c->now;
    net_clock(c->net, c->now, &v);
    if (v.wrong || v.peers < CLOCK_PEERS_LEAST)
        n->agreed_ms = c->now.mono_ms;
    if (v.wrong == c->clock_wrong || (!v.wrong && c->now.mono_ms - n->agreed_ms < CLOCK_CALM_MS))
        return;
    c->clock_wrong = v.wrong;
    tell_clock(c, &v);
    trades_boot(c->trades, c); /* every open trade is looked at again */
}

/* Nodes that something waits for and that no session reaches: found and dialled. */
static void reach_wanted(struct node *n, struct core *c)
{
    struct node_key wanted[8];
    if (c->now.mono_ms < n->wanted_ms)
        return;
    n->wanted_ms = c->now.mono_ms + 1000;
    size_t k = rails_wanted(c->rails, c, wanted, 8);
    for (size_t i = 0; i < k; i++)
        reach_find(n->reach, c, &wanted[i]);
    ledger_news(c);
}

static void wake(struct node *n, struct core *c)
{
    net_wake(c->net, c);
    reach_wake(n->reach, c);
    reach_wanted(n, c);
    gossip_wake(c->gossip, c);
    outbox_wake(c->outbox, c);
    market_wake(c->market, c);
    rails_wake(c->rails, c);
    trades_wake(c->trades, c);
    api_wake(c->api, c);
}

static void dht_results(struct node *n, struct core *c)
{
    const struct dht_result *res;
    while ((res = reach_result(n->reach, c)))
        if (res->cookie >> 56 == ROOM_API)
            api_dht_done(c->api, c, res);
        else if (res->cookie >> 56 == ROOM_OUTBOX)
            outbox_dht_done(c->outbox, c, res);
    reach_flush(n->reach, c);
}

void node_input(struct node *n, struct clock now, struct view *view, const struct event *ev,
                struct effects *fx)
{
    struct core *c = node_core(n, now, view, fx);
    judge_clock(n, c);
    switch (ev->kind) {
    case EV_BOOT:
        boot(n, c);
        break;
    case EV_WAKE:
        wake(n, c);
        break;
    case EV_STOP:
        reach_stop(n->reach, c);
        return;
    case EV_DGRAM:
        reach_dgram(n->reach, c, &ev->addr, ev->via, ev->bytes);
        break;
    case EV_WORKED:
        for (size_t i = 0; i < ev->n; i++)
            worked(c, ev->jobs[i]);
        break;
    case EV_COMMITTED:
        for (size_t i = 0; i < ev->n; i++)
            committed(c, ev->changes[i]);
        outbox_look(c->outbox, c); /* letters that were committed may leave */
        trades_look(c->trades, c);
        ledger_news(c);
        view_events(c->view, n->events_told, tell_event, c);
        break;
    default:
        stream(c, ev);
    }
    dht_results(n, c);
}

uint64_t node_next_wake(const struct node *n)
{
    const struct core *c = &n->core;
    uint64_t at[] = {net_next_wake(c->net),       reach_next_wake(n->reach),   gossip_next_wake(c->gossip),
                     outbox_next_wake(c->outbox), market_next_wake(c->market), rails_next_wake(c->rails),
                     trades_next_wake(c->trades), api_next_wake(c->api)};
    uint64_t next = n->wanted_ms;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        next = at[i] < next ? at[i] : next;
    return next;
}
