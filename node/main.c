/* main.c: soukd.  The guided tour of the node starts here.
 *
 *  1. settings_read (node/host/settings.c) knows the home, the network and where to listen.
 *  2. host_run (node/host/uv.c) opens the store, the sockets and the threads, and feeds every datagram,
 * byte, verified signature and finished commit to node_input as an event.
 *  3. node_input (node/node.c) hands the event to the room that it concerns: node/net (sessions) and dht/
 *     (finding nodes), node/gossip (records and photos travel), node/outbox (letters between people),
 *     node/market (what records mean, search), node/trade (facts, rules, moves), node/rail (money),
 *     node/api (the developer's socket).  None of them does any I/O: they append effects.
 *  4. host_run carries the effects out, in order.  A promise to anyone outside is only ever emitted while
 *     handling the commit of what it promises.
 *
 * The simulator (tests/sim/world.c) stands in the place of step 2 and 4 and runs thousands of nodes. */
#include "node/host/settings.h"
#include "store/store.h"
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The store is mapped into memory: where its file has been cut short, or its disk cannot be read, the
 * kernel answers a look at it with SIGBUS.  Nothing can go on then, but the owner is told. */
static char store_gone[512];

static void on_bus(int signum)
{
    (void)signum;
    (void)!write(STDERR_FILENO, store_gone, strlen(store_gone));
    _exit(1);
}

static void watch_store(const char *home)
{
    struct sigaction act = {.sa_handler = on_bus};
    snprintf(
        store_gone, sizeof store_gone,
        "soukd: the store in %s/store has been cut short, or its disk cannot be read: put a backup of it "
        "in its place; without one move it away, and bring identities back from their words or backups\n",
        home);
    sigaction(SIGBUS, &act, NULL);
}

static void tell_systemd(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (to.sun_path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    (void)!sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&to, len);
    close(fd);
}

static void log_stderr(void *arg, enum log_level level, const char *room, const char *text)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    (void)arg;
    struct timespec t;
    struct tm tm;
    char when[24];
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    fprintf(stderr, "%s.%03ldZ level=%s room=%s %s\n", when, t.tv_nsec / 1000000, names[level], room, text);
    if (strcmp(text, "ready") == 0)
        tell_systemd();
}

static void progress(void *arg, const char *what, uint64_t done, uint64_t all)
{
    (void)arg;
    fprintf(stderr, "\r%-12s %llu of %llu", what, (unsigned long long)done, (unsigned long long)all);
    if (done >= all)
        fputc('\n', stderr);
}

static int look_after_store(const struct settings *s, struct report *r)
{
    char path[320];
    struct store *store;
    struct rng rng;
    uint8_t seed[32];
    randombytes_buf(seed, sizeof seed);
    rng_seed(&rng, seed);
    struct store_config sc = {
        .map_bytes = s->host.map_bytes, .sync = true, .network = s->node.network.id, .rng = &rng};
    snprintf(path, sizeof path, "%s/store", s->home);
    int err = store_open(&store, path, &sc, r);
    if (err)
        return err;
    err = s->run == RUN_CHECK ? store_check(store, progress, NULL, r)
                              : store_reindex(store, progress, NULL, r);
    store_close(store);
    if (!err)
        printf("%s: all is well\n", path);
    return err;
}

static int run(struct settings *s, struct report *r)
{
    char *passphrase;
    size_t n;
    watch_store(s->home);
    if (s->run == RUN_CHECK || s->run == RUN_REINDEX)
        return look_after_store(s, r);
    int err = settings_node_key(s, r);
    if (err || (err = settings_passphrase(s, &passphrase, &n, r)))
        return err;
    s->node.passphrase = span(passphrase, n);
    err = host_run(&s->host, &s->node, r);
    sodium_free(passphrase);
    return err;
}

int main(int argc, char **argv)
{
    struct settings s;
    struct report r = {0};
    if (sodium_init() < 0) {
        fprintf(stderr, "soukd: libsodium does not start\n");
        return 1;
    }
    int err = settings_read(&s, argc, argv, &r);
    if (!err && s.run == RUN_HELP) {
        settings_help();
        return 0;
    }
    if (!err && s.run == RUN_VERSION) {
        printf("soukd %s\n", SOUK_VERSION);
        return 0;
    }
    enum log_level most = s.log_level[0] == 'e'   ? LOG_ERROR
                          : s.log_level[0] == 'w' ? LOG_WARN
                          : s.log_level[0] == 'd' ? LOG_DEBUG
                                                  : LOG_INFO;
    log_to(log_stderr, NULL, most);
    if (!err)
        err = run(&s, &r);
    sodium_memzero(&s, sizeof s);
    if (err)
        fprintf(stderr, "soukd: %s\n", r.text[0] ? r.text : err_sentence(err));
    return err == 0 ? 0 : err == SOUK_EUSAGE ? 2 : 1;
}
