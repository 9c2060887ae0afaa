/* count.c: see count.h. */
#include "node/api/count.h"
#include "dht/dht.h"
#include "node/gossip/gossip.h"
#include "node/net/net.h"
#include "node/outbox/outbox.h"

enum { COUNTERS_MOST = 128 };

struct counters counters_new(struct arena *a)
{
    return (struct counters){arena_array(a, COUNTERS_MOST, sizeof(struct api_count)), 0};
}

void count(struct counters *k, const char *name, uint64_t value)
{
    if (k->row && k->n < COUNTERS_MOST)
        k->row[k->n++] = (struct api_count){.name = span_str(name), .value = value};
}

void count_most(struct counters *k, const char *name, uint64_t value, uint64_t most)
{
    size_t before = k->n;
    count(k, name, value);
    if (k->n > before) {
        k->row[before].has_most = true;
        k->row[before].most = most;
    }
}

void count_store(struct counters *k, struct core *c)
{
    struct store_stats s;
    view_stats(c->view, &s);
    count_most(k, "store.used_bytes", s.used_bytes, s.quota_bytes ? s.quota_bytes : s.map_bytes);
    if (s.known_most)
        count_most(k, "store.known", s.known, s.known_most);
    if (s.author_most)
        count(k, "store.author_most_bytes", s.author_most);
    count(k, "store.topics_cut", s.horizons);
    count(k, "store.facts", s.facts);
    count(k, "store.events", s.events);
    count(k, "store.outbox", s.outbox);
    count(k, "store.mails", s.mails);
    count(k, "store.chunks", s.chunks);
    count(k, "store.commits", s.commits);
}

void count_rooms(struct counters *k, struct core *c)
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
    count_most(k, "gossip.topics", g.topics, g.topics_most);
    count_most(k, "gossip.topics_strange", g.topics_strange, g.topics_strange_most);
    count(k, "gossip.known", g.known);
    count(k, "gossip.stored", g.stored);
    count(k, "gossip.declined", g.declined);
    count(k, "gossip.too_old", g.beyond);
    count(k, "gossip.no_room", g.no_room);
    count(k, "gossip.refused", g.refused);
    count(k, "gossip.duplicates", g.duplicates);
    count(k, "gossip.pushes_in", g.pushes_in);
    count(k, "gossip.pushes_out", g.pushes_out);
    count(k, "gossip.rounds", g.rounds);
    count(k, "gossip.offered_last_round", g.offered_last);
    count(k, "outbox.queued", o.queued);
    count(k, "outbox.in_mailboxes", o.in_mailboxes);
    count(k, "outbox.not_dialled", o.not_dialled);
    count_most(k, "outbox.strangers_bytes", o.strangers_bytes, OUTBOX_STRANGERS_BYTES);
    count_most(k, "mailbox.served", o.served_mailboxes, OUTBOX_SERVED_MOST);
    count(k, "mailbox.served_bytes", o.served_bytes);
}

static void count_seal(struct counters *k, const struct dht_seal_stats *s,
                       const struct dht_seal_knobs *most)
{
    count_most(k, "dht.keys_proven", s->proven, most->proven_most);
    count_most(k, "dht.keys_chosen", s->chosen, most->chosen_most);
    count_most(k, "dht.keys_strangers", s->strangers, most->strangers_most);
    count(k, "dht.key_agreements", s->curves);
    count(k, "dht.dropped_sealed", s->dropped_form + s->dropped_forged + s->dropped_replayed);
    count(k, "dht.dropped_budget", s->dropped_budget);
}

void count_dht(struct counters *k, struct core *c)
{
    struct dht_stats d;
    const struct dht_knobs *most = dht_knobs(c->dht);
    struct node_facts f;
    node_facts(c, &f);
    dht_stats_read(c->dht, &d);
    count_most(k, "dht.nodes", d.nodes, DHT_BUCKETS_MOST * most->k);
    count_most(k, "dht.heard", d.heard, DHT_BUCKETS_MOST * most->bucket_cache);
    count_most(k, "dht.buckets", d.buckets, DHT_BUCKETS_MOST);
    count_most(k, "dht.values", d.values, most->values_most);
    count_most(k, "dht.value_bytes", d.value_bytes, most->value_bytes_most);
    count_most(k, "dht.queries", d.queries, most->queries_most + most->own_at_once + 1);
    count_most(k, "dht.requests", d.requests, most->requests_most);
    count_most(k, "dht.own", d.own, most->own_most);
    count_seal(k, &f.seal, &f.seal_most);
    count(k, "dht.network_nodes", d.network_nodes);
    count(k, "dht.memory_bytes", d.memory_bytes);
    count(k, "dht.received", d.received);
    count(k, "dht.sent", d.sent);
    count(k, "dht.sent_bytes", d.sent_bytes);
    count(k, "dht.asked", d.asked);
    count(k, "dht.answered", d.answered);
    count(k, "dht.timeouts", d.timeouts);
    count(k, "dht.hosted", d.hosted);
    count(k, "dht.waited", d.waited);
    count(k, "dht.refused_full", d.refused_full);
    count(k, "dht.refused_token", d.refused_token);
    count(k, "dht.refused_value", d.refused_value);
    count(k, "dht.evicted", d.evicted);
    count(k, "dht.leaving", d.leaving);
    count(k, "dht.kept_out_prefix", d.kept_out_prefix);
    count(k, "dht.cut_short", d.cut_short);
    count(k, "dht.dropped_form", d.dropped_form);
    count(k, "dht.dropped_address", d.dropped_address);
    count(k, "dht.dropped_unasked", d.dropped_unasked);
    count(k, "dht.dropped_puzzle", d.dropped_puzzle);
}
