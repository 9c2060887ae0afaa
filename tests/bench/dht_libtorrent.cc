/* dht_libtorrent.cc: libtorrent's side of `tests/run bench dht`: BEP 44 signed mutable items.
 *
 *   bench_dht_libtorrent [--nodes 64] [--puts 2000] [--few 400] [--warm 600] [--settle 10] [--first-port
 * 21000]
 *
 * A session a node, on 127.0.0.1, 127.0.0.2, …, each with its own thread, as libtorrent does it.  Its
 * limits are lifted (lift_limits), or a loopback test would measure them.  One key signs all; salts tell
 * the items apart.  A put is libtorrent's own: it looks the item up, signs in our callback, and writes to
 * the nearest eight.  A get is over when the search is ("authoritative"), and its value is compared with
 * what was put. */
#include "dht_report.h"
#include <condition_variable>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/kademlia/ed25519.hpp>
#include <libtorrent/kademlia/item.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/session_stats.hpp>
#include <libtorrent/settings_pack.hpp>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace lt = libtorrent;

namespace
{
constexpr int body_bytes = 600;

/* Sessions whose queue of alerts is no longer empty, told by their own threads. */
struct ready_list {
    std::mutex lock;
    std::condition_variable some;
    std::vector<int> sessions;

    void add(int session)
    {
        std::lock_guard<std::mutex> held(lock);
        sessions.push_back(session);
        some.notify_one();
    }
    std::vector<int> take(std::chrono::milliseconds patience)
    {
        std::unique_lock<std::mutex> held(lock);
        some.wait_for(held, patience, [this] { return !sessions.empty(); });
        return std::exchange(sessions, {});
    }
};

struct bench {
    std::vector<std::unique_ptr<lt::io_context>> loops;
    std::vector<std::unique_ptr<lt::session>> nodes;
    ready_list ready;
    lt::dht::public_key pk;
    lt::dht::secret_key sk;
    std::vector<int> putter; /* by key */
    std::mt19937 rng{7};

    int any_node()
    {
        return static_cast<int>(rng() % nodes.size());
    }
};

std::string salt_of(int key)
{
    return "k" + std::to_string(key);
}

std::string body_of(int key)
{
    std::mt19937 rng(static_cast<unsigned>(key));
    std::string body(body_bytes, ' ');
    for (auto &c : body)
        c = static_cast<char>('a' + rng() % 26);
    return body;
}

void lift_limits(lt::settings_pack &p)
{
    using s = lt::settings_pack;
    p.set_bool(s::dht_restrict_routing_ips, false);
    p.set_bool(s::dht_restrict_search_ips, false);
    p.set_bool(s::dht_enforce_node_id, false);
    p.set_bool(s::dht_prefer_verified_node_ids, false);
    p.set_bool(s::dht_ignore_dark_internet, false);
    p.set_int(s::dht_upload_rate_limit, 100000000);
    p.set_int(s::dht_block_ratelimit, 1000000);
    p.set_int(s::dht_max_dht_items, 100000);
}

std::unique_ptr<lt::session> open_node(bench &b, int i, int first_port)
{
    using s = lt::settings_pack;
    lt::settings_pack p;
    std::string first = "127.0.0.1:" + std::to_string(first_port);
    p.set_str(s::listen_interfaces,
              "127.0.0." + std::to_string(i + 1) + ":" + std::to_string(first_port + i));
    for (int off : {s::enable_lsd, s::enable_upnp, s::enable_natpmp})
        p.set_bool(off, false);
    p.set_bool(s::enable_dht, true);
    p.set_str(s::dht_bootstrap_nodes, i ? first : "");
    lift_limits(p);
    p.set_int(s::alert_mask, static_cast<int>(static_cast<std::uint32_t>(lt::alert_category::dht)));
    p.set_int(s::alert_queue_size, 100000);
    lt::session_params params(p);
    auto node =
        b.loops.empty()
            ? std::make_unique<lt::session>(params)
            : std::make_unique<lt::session>(params, *b.loops[static_cast<std::size_t>(i) % b.loops.size()]);
    node->set_alert_notify([&b, i] { b.ready.add(i); });
    if (i)
        node->add_dht_node({"127.0.0.1", first_port});
    return node;
}

/* Requests under way in one phase, by the name that their alert will carry. */
struct phase {
    bench &b;
    bool get;
    int window, first, n;
    std::vector<double> ms, started;
    int next = 0, done = 0, ok = 0;
    long replicas = 0;

    phase(bench &bench_, bool get_, int window_, int first_, int n_)
        : b(bench_), get(get_), window(window_), first(first_), n(n_),
          ms(static_cast<std::size_t>(n_), -1.0), started(static_cast<std::size_t>(n_))
    {
    }

    void put_item(int node, int key)
    {
        auto sign = [this, body = body_of(key)](lt::entry &e, std::array<char, 64> &sig, std::int64_t &seq,
                                                const std::string &salt) {
            std::vector<char> bytes;
            e = body;
            seq = 1;
            lt::bencode(std::back_inserter(bytes), e);
            sig = lt::dht::sign_mutable_item(bytes, salt, lt::dht::sequence_number(seq), b.pk, b.sk).bytes;
        };
        b.nodes[static_cast<std::size_t>(node)]->dht_put_item(b.pk.bytes, sign, salt_of(key));
    }

    void start()
    {
        int i = next++, key = first + i, node = b.any_node();
        auto &putter = b.putter[static_cast<std::size_t>(key)];
        while (get && node == putter)
            node = b.any_node();
        started[static_cast<std::size_t>(i)] = report_now_s();
        if (get) {
            b.nodes[static_cast<std::size_t>(node)]->dht_get_item(b.pk.bytes, salt_of(key));
            return;
        }
        putter = node;
        put_item(node, key);
    }

    void finished(const std::string &salt, bool good)
    {
        auto i = static_cast<std::size_t>(std::stoi(salt.substr(1)) - first);
        if (i >= ms.size() || ms[i] >= 0)
            return;
        ms[i] = (report_now_s() - started[i]) * 1e3;
        ok += good;
        done++;
        if (next < n)
            start();
    }

    void take(lt::alert *a)
    {
        if (auto *p = lt::alert_cast<lt::dht_put_alert>(a); p && !get) {
            replicas += p->num_success;
            finished(p->salt, p->num_success >= 8);
        }
        if (auto *g = lt::alert_cast<lt::dht_mutable_item_alert>(a); g && get && g->authoritative) {
            int key = std::stoi(g->salt.substr(1));
            finished(g->salt, g->item.type() == lt::entry::string_t && g->item.string() == body_of(key));
        }
    }

    void run(const char *name)
    {
        report_phase p = report_now();
        double last_s = report_now_s();
        for (int i = 0; i < window && i < n; i++)
            start();
        while (done < n && report_now_s() - last_s < 20) {
            int before = done;
            for (int node : b.ready.take(std::chrono::milliseconds(100))) {
                std::vector<lt::alert *> alerts;
                b.nodes[static_cast<std::size_t>(node)]->pop_alerts(&alerts);
                for (auto *a : alerts)
                    take(a);
            }
            if (done > before)
                last_s = report_now_s();
        }
        report_end(p, name, window, ms.data(), n, ok);
    }
};

double mean_table(bench &b)
{
    int at = lt::find_metric_idx("dht.dht_nodes");
    double sum = 0;
    for (auto &node : b.nodes)
        node->post_session_stats();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    for (auto &node : b.nodes) {
        std::vector<lt::alert *> alerts;
        node->pop_alerts(&alerts);
        for (auto *a : alerts)
            if (auto *s = lt::alert_cast<lt::session_stats_alert>(a))
                sum += static_cast<double>(s->counters()[at]);
    }
    return sum / static_cast<double>(b.nodes.size());
}
} // namespace

int main(int argc, char **argv)
{
    long before_kb = report_anon_kb();
    int n = report_option(argc, argv, "--nodes", 64), few = report_option(argc, argv, "--few", 400);
    int puts = report_option(argc, argv, "--puts", 2000), warm = report_option(argc, argv, "--warm", 600);
    int port = report_option(argc, argv, "--first-port", 21000);
    bench b;
    std::tie(b.pk, b.sk) = lt::dht::ed25519_create_keypair(lt::dht::ed25519_create_seed());
    b.putter.resize(static_cast<std::size_t>(few + puts + warm));
    for (int i = report_option(argc, argv, "--loops", 0); i > 0; i--)
        b.loops.push_back(std::make_unique<lt::io_context>());
    for (int i = 0; i < n; i++)
        b.nodes.push_back(open_node(b, i, port));
    for (auto &loop : b.loops)
        std::thread([&loop] { loop->run(); }).detach(); /* sessions keep it busy */
    std::this_thread::sleep_for(std::chrono::seconds(report_option(argc, argv, "--settle", 10)));
    std::printf("{\"setup\": \"libtorrent\", \"version\": \"%s\", \"nodes\": %d, \"table\": %.1f}\n",
                lt::version(), n, mean_table(b));
    report_memory("rest", before_kb, n);
    phase(b, false, 32, few + puts, warm).run("put among strangers");
    phase(b, false, 1, 0, few).run("put");
    phase(b, true, 1, 0, few).run("get");
    report_memory("loaded", before_kb, n);
    phase(b, false, 32, few, puts).run("put");
    phase(b, true, 32, few, puts).run("get");
    report_memory("full", before_kb, n);
    std::_Exit(0); /* ending 64 sessions in good order takes long, and is not what is measured */
}
