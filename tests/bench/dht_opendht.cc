/* dht_opendht.cc: OpenDHT's side of `tests/run bench dht`.
 *
 *   bench_dht_opendht [--nodes 64] [--puts 2000] [--few 400] [--warm 600] [--settle 20] [--first-port
 * 20000] [--signed 1]
 *
 * A runner a node, each with its own threads, its limits on requests and values lifted.  Signed values
 * carry OpenDHT's usual RSA signatures (2,048 bits); --signed 0 puts plain ones.  A put is over when
 * OpenDHT says that it is announced; a get with the first good value, which is compared with what was put.
 */
#include "dht_report.h"
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <opendht.h>
#include <random>
#include <thread>
#include <vector>

namespace
{
constexpr std::size_t body_bytes = 600;

struct bench {
    std::vector<std::unique_ptr<dht::DhtRunner>> nodes;
    std::vector<dht::InfoHash> keys;
    std::vector<std::size_t> putter;
    bool with_signature = true;
    std::mt19937 rng{7};
};

std::vector<std::uint8_t> body_of(std::size_t key)
{
    std::mt19937 rng(static_cast<unsigned>(key));
    std::vector<std::uint8_t> body(body_bytes);
    for (auto &c : body)
        c = static_cast<std::uint8_t>(rng());
    return body;
}

std::unique_ptr<dht::DhtRunner> open_node(std::size_t i, int first_port, const dht::crypto::Identity &id)
{
    auto node = std::make_unique<dht::DhtRunner>();
    dht::DhtRunner::Config config{};
    auto &c = config.dht_config.node_config;
    config.threaded = true;
    c.network = 77;
    c.node_id = dht::InfoHash::getRandom();
    c.max_req_per_sec = c.max_peer_req_per_sec = -1;
    c.max_store_size = c.max_store_keys = -1;
    config.dht_config.id = id;
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(first_port + static_cast<int>(i)));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    config.bind4 = dht::SockAddr(reinterpret_cast<sockaddr *>(&at), sizeof at);
    node->run(config, {});
    if (i)
        node->bootstrap("127.0.0.1", std::to_string(first_port));
    return node;
}

/* Callbacks come on the threads of the nodes; the main thread starts what follows. */
struct phase {
    bench &b;
    bool get;
    std::size_t window, first, n;
    std::vector<double> ms, started;
    std::vector<char> good;
    std::mutex lock;
    std::condition_variable some;
    std::size_t under_way = 0, done = 0;
    int ok = 0;

    phase(bench &bench_, bool get_, std::size_t window_, std::size_t first_, std::size_t n_)
        : b(bench_), get(get_), window(window_), first(first_), n(n_), ms(n_, -1.0), started(n_), good(n_)
    {
    }

    void finished(std::size_t i, bool fine)
    {
        std::lock_guard<std::mutex> held(lock);
        ms[i] = (report_now_s() - started[i]) * 1e3;
        ok += fine;
        under_way--;
        done++;
        some.notify_one();
    }

    void start(std::size_t i)
    {
        std::size_t key = first + i, node = b.rng() % b.nodes.size();
        while (get && node == b.putter[key])
            node = b.rng() % b.nodes.size();
        auto &at = *b.nodes[node];
        started[i] = report_now_s();
        if (get) {
            auto value = [this, i, key](const std::shared_ptr<dht::Value> &v) {
                good[i] = good[i] || v->data == body_of(key);
                return !good[i];
            };
            at.get(b.keys[key], value, [this, i](bool) { finished(i, good[i]); });
            return;
        }
        b.putter[key] = node;
        auto stored = [this, i](bool fine) { finished(i, fine); };
        if (b.with_signature)
            at.putSigned(b.keys[key], std::make_shared<dht::Value>(body_of(key)), stored);
        else
            at.put(b.keys[key], dht::Value(body_of(key)), stored);
    }

    void run(const char *name)
    {
        auto patience = std::chrono::seconds(60);
        report_phase p = report_now();
        std::unique_lock<std::mutex> held(lock);
        for (std::size_t i = 0; i < n; i++) {
            if (!some.wait_for(held, patience, [this] { return under_way < window; }))
                break;
            under_way++;
            held.unlock();
            start(i);
            held.lock();
        }
        some.wait_for(held, patience, [this] { return done == n; });
        report_end(p, name, static_cast<int>(window), ms.data(), static_cast<int>(n), ok);
    }
};
} // namespace

int main(int argc, char **argv)
{
    long before_kb = report_anon_kb();
    auto n = static_cast<std::size_t>(report_option(argc, argv, "--nodes", 64));
    auto few = static_cast<std::size_t>(report_option(argc, argv, "--few", 400));
    auto puts = static_cast<std::size_t>(report_option(argc, argv, "--puts", 2000));
    auto warm = static_cast<std::size_t>(report_option(argc, argv, "--warm", 600));
    int port = report_option(argc, argv, "--first-port", 20000);
    static bench b;
    b.with_signature = report_option(argc, argv, "--signed", 1);
    dht::crypto::Identity id;
    if (b.with_signature)
        id = dht::crypto::generateIdentity("bench", {}, 2048);
    b.putter.resize(few + puts + warm);
    for (std::size_t i = 0; i < few + puts + warm; i++)
        b.keys.push_back(dht::InfoHash::getRandom());
    for (std::size_t i = 0; i < n; i++)
        b.nodes.push_back(open_node(i, port, id));
    std::this_thread::sleep_for(std::chrono::seconds(report_option(argc, argv, "--settle", 20)));
    double table = 0;
    for (auto &node : b.nodes)
        table += node->getNodesStats(AF_INET).good_nodes;
    std::printf("{\"setup\": \"opendht\", \"version\": \"%s\", \"nodes\": %zu, \"table\": %.1f}\n",
                dht::version(), n, table / static_cast<double>(n));
    report_memory("rest", before_kb, static_cast<int>(n));
    /* static: a late callback must not find the phase gone */
    static phase strangers(b, false, 32, few + puts, warm), put_1(b, false, 1, 0, few),
        get_1(b, true, 1, 0, few), put_32(b, false, 32, few, puts), get_32(b, true, 32, few, puts);
    strangers.run("put among strangers");
    put_1.run("put");
    get_1.run("get");
    report_memory("loaded", before_kb, static_cast<int>(n));
    put_32.run("put");
    get_32.run("get");
    report_memory("full", before_kb, static_cast<int>(n));
    std::_Exit(0);
}
