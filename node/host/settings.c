/* settings.c: flags and file for soukd. */
#include "node/host/settings.h"
#include "crypto/base/log.h"
#include "crypto/sign.h"
#include "dht/dht.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct setting {
    const char *name, *value, *doc;
    int (*set)(struct settings *s, const char *value, struct report *r);
};

static int set_number(unsigned *out, const char *value, unsigned most, const char *name, struct report *r)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(value, &end, 10);
    if (errno || *end || end == value || v > most)
        return report_set(r, SOUK_EINVALID, "%s: '%s' is not a number from 0 to %u", name, value, most);
    *out = (unsigned)v;
    return 0;
}

static int set_bool(bool *out, const char *value, const char *name, struct report *r)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return report_set(r, SOUK_EINVALID, "%s: '%s' is neither yes nor no", name, value);
    *out = value[0] == 'y';
    return 0;
}

static int set_text(char *out, size_t cap, const char *value, const char *name, struct report *r)
{
    if (strlen(value) >= cap)
        return report_set(r, SOUK_EINVALID, "%s: longer than %zu bytes", name, cap - 1);
    strcpy(out, value); /* NOLINT: the length was checked */
    return 0;
}

static int set_home(struct settings *s, const char *v, struct report *r)
{
    return set_text(s->home, sizeof s->home, v, "home", r);
}

static int set_network(struct settings *s, const char *v, struct report *r)
{
    return set_text(s->network, sizeof s->network, v, "network", r);
}

static int set_listen(struct settings *s, const char *v, struct report *r)
{
    struct node_config *n = &s->node;
    if (n->listen_n == NODE_LISTEN_MOST)
        return report_set(r, SOUK_EINVALID, "listen: at most %d addresses", NODE_LISTEN_MOST);
    if (!addr_parse(&n->listen[n->listen_n], v, strlen(v)))
        return report_set(r, SOUK_EINVALID,
                          "listen: '%s' is not ADDRESS:PORT, such as 0.0.0.0:7411 or [::]:7411", v);
    n->listen_n++;
    return 0;
}

static int set_peer(struct settings *s, const char *v, struct report *r)
{
    struct node_peer *p = &s->node.peers[s->node.peers_n];
    const char *at = strchr(v, '@');
    if (s->node.peers_n == NODE_PEERS_MOST)
        return report_set(r, SOUK_EINVALID, "peer: at most %d", NODE_PEERS_MOST);
    if (!at || !hex_decode(p->key.b, sizeof p->key.b, v, (size_t)(at - v)) ||
        !addr_parse(&p->addr, at + 1, strlen(at + 1)))
        return report_set(
            r, SOUK_EINVALID,
            "peer: '%s' is not NODEKEY@ADDRESS:PORT; `souk node status` on the other node prints it", v);
    s->node.peers_n++;
    return 0;
}

static int set_work(struct settings *s, const char *v, struct report *r)
{
    return set_number(&s->work_bits, v, 30, "work-bits", r);
}

static int set_puzzle(struct settings *s, const char *v, struct report *r)
{
    return set_number(&s->puzzle_bits, v, 30, "puzzle-bits", r);
}

static int set_loopback(struct settings *s, const char *v, struct report *r)
{
    return set_bool(&s->loopback, v, "loopback", r);
}

static int set_client(struct settings *s, const char *v, struct report *r)
{
    return set_bool(&s->node.client, v, "client", r);
}

static int set_cheap(struct settings *s, const char *v, struct report *r)
{
    return set_bool(&s->node.cheap_kdf, v, "cheap-keyfiles", r);
}

static int set_read_only(struct settings *s, const char *v, struct report *r)
{
    return set_bool(&s->host.read_only_socket, v, "read-only-socket", r);
}

static int set_passphrase(struct settings *s, const char *v, struct report *r)
{
    return set_text(s->passphrase_file, sizeof s->passphrase_file, v, "passphrase-file", r);
}

static int set_log(struct settings *s, const char *v, struct report *r)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++)
        if (strcmp(v, levels[i]) == 0)
            return set_text(s->log_level, sizeof s->log_level, v, "log", r);
    return report_set(r, SOUK_EINVALID, "log: '%s' is none of error, warn, info, debug", v);
}

static int set_map(struct settings *s, const char *v, struct report *r)
{
    unsigned mib = 0;
    int err = set_number(&mib, v, 1 << 20, "map-mib", r);
    if (!err)
        s->host.map_bytes = (uint64_t)mib << 20;
    return err;
}

static int set_restored(struct settings *s, const char *v, struct report *r)
{
    return set_bool(&s->node.restored, v, "restored", r);
}

static int set_storage(struct settings *s, const char *v, struct report *r)
{
    unsigned mib = 0;
    int err = set_number(&mib, v, 1 << 20, "storage-mib", r);
    if (!err)
        s->host.quota_bytes = (uint64_t)mib << 20;
    return err;
}

static int set_conns(struct settings *s, const char *v, struct report *r)
{
    return set_number(&s->host.conns_most, v, 65536, "connections", r);
}

static int set_reconcile(struct settings *s, const char *v, struct report *r)
{
    unsigned ms = 0;
    int err = set_number(&ms, v, 86400000, "reconcile-ms", r);
    if (!err)
        s->node.reconcile_ms = ms;
    return err;
}

static int set_tick(struct settings *s, const char *v, struct report *r)
{
    unsigned ms = 0;
    int err = set_number(&ms, v, 3600000, "tick-ms", r);
    if (!err)
        s->node.tick_ms = ms;
    return err;
}

static const struct setting all[] = {
    {"home", "DIR", "where the node keeps everything; also SOUK_HOME (default ~/.souk)", set_home},
    {"listen", "ADDRESS:PORT",
     "for UDP and TCP; may be given 4 times; [::] is IPv6 and IPv4 (default [::]:7411)", set_listen},
    {"peer", "NODEKEY@ADDRESS:PORT", "a node to begin with; may be given several times", set_peer},
    {"network", "NAME", "the network to belong to (default main)", set_network},
    {"work-bits", "N", "work on public records, a parameter of the network (default 16)", set_work},
    {"puzzle-bits", "N", "puzzle on node keys, a parameter of the network (default 12)", set_puzzle},
    {"loopback", "yes|no",
     "private and loopback addresses are ordinary peers: tests, the demo (default no)", set_loopback},
    {"client", "yes|no", "cannot be reached from outside: asks, serves nobody (default no)", set_client},
    {"passphrase-file", "FILE", "opens identities at start with the first line of FILE", set_passphrase},
    {"cheap-keyfiles", "yes|no", "little Argon2id in new key files: tests, the demo (default no)",
     set_cheap},
    {"read-only-socket", "yes|no", "also offers souk-ro.sock, for public methods only (default no)",
     set_read_only},
    {"map-mib", "N", "reserved address space of the store (default 65536)", set_map},
    {"restored", "yes|no",
     "the home is an older copy, which soukd did not notice: ask the others what was said since, once "
     "(default no)",
     set_restored},
    {"storage-mib", "N",
     "above it what is others' goes: outdated, then oldest first; an id is known for each KiB of it; "
     "at most 7/8 of map-mib (default 10240)",
     set_storage},
    {"connections", "N", "most sockets of peers at once (default 512)", set_conns},
    {"reconcile-ms", "N", "pause between reconciliations with a peer (default 60000)", set_reconcile},
    {"tick-ms", "N", "how often rails and outbox look again (default 1000)", set_tick},
    {"log", "error|warn|info|debug", "what is logged to standard error (default info)", set_log},
};
#define ALL (sizeof all / sizeof *all)

static int apply(struct settings *s, const char *name, const char *value, struct report *r)
{
    for (size_t i = 0; i < ALL; i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].set(s, value, r);
    return report_set(r, SOUK_EUSAGE, "there is no setting '%s'; soukd --help lists them", name);
}

static int from_flags(struct settings *s, int argc, char **argv, struct report *r)
{
    s->node.peers_n = s->node.listen_n = 0;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (strcmp(a, "--help") == 0)
            s->run = RUN_HELP;
        else if (strcmp(a, "--version") == 0)
            s->run = RUN_VERSION;
        else if (strcmp(a, "--check") == 0)
            s->run = RUN_CHECK;
        else if (strcmp(a, "--reindex") == 0)
            s->run = RUN_REINDEX;
        else if (strncmp(a, "--", 2) != 0)
            return report_set(r, SOUK_EUSAGE, "'%s' is not a flag; soukd --help lists them", a);
        else if (i + 1 == argc)
            return report_set(r, SOUK_EUSAGE, "%s needs a value; soukd --help says which", a);
        else {
            int err = apply(s, a + 2, argv[++i], r);
            if (err)
                return err;
        }
    }
    return 0;
}

static char *trim(char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    size_t n = strlen(s);
    while (n && strchr(" \t\r\n", s[n - 1]))
        s[--n] = 0;
    return s;
}

static int from_file(struct settings *s, struct report *r)
{
    char path[320], line[512];
    snprintf(path, sizeof path, "%s/souk.conf", s->home);
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? 0 : report_set(r, SOUK_EIO, "cannot read %s: %s", path, strerror(errno));
    int err = 0;
    for (unsigned n = 1; !err && fgets(line, sizeof line, f); n++) {
        char *name = trim(line), *eq = strchr(name, '=');
        if (!*name || *name == '#')
            continue;
        struct report why = {0};
        if (!eq)
            err = report_set(r, SOUK_EINVALID, "%s:%u: '%s' is not `name = value`", path, n, name);
        else {
            *eq = 0;
            if ((err = apply(s, trim(name), trim(eq + 1), &why)))
                report_set(r, err, "%s:%u: %s", path, n, why.text);
        }
    }
    fclose(f);
    return err;
}

/* [::] stands for every address of the machine: of both families, unless IPv4 is named too. */
static void complete_listen(struct settings *s)
{
    struct node_config *n = &s->node;
    if (!n->listen_n) {
        n->listen_n = addr_parse(&n->listen[0], "[::]:7411", 9);
        s->host.listen_by_default = true;
    }
    bool ipv4 = false, any = false;
    uint16_t port = 0;
    for (size_t i = 0; i < n->listen_n; i++) {
        ipv4 |= addr_is_ipv4(&n->listen[i]);
        if (!addr_is_ipv4(&n->listen[i]) && addr_is_any(&n->listen[i])) {
            any = true;
            port = n->listen[i].port;
        }
    }
    if (!any || ipv4 || n->listen_n == NODE_LISTEN_MOST)
        return;
    memmove(n->listen + 1, n->listen, n->listen_n++ * sizeof *n->listen);
    addr_parse(&n->listen[0], "0.0.0.0:0", 9);
    n->listen[0].port = port;
}

int settings_read(struct settings *s, int argc, char **argv, struct report *r)
{
    *s = (struct settings){.work_bits = 16, .puzzle_bits = 12, .network = "main", .log_level = "info"};
    s->host = (struct host_config){
        .map_bytes = UINT64_C(64) << 30, .quota_bytes = UINT64_C(10) << 30, .conns_most = 512};
    const char *home = getenv("SOUK_HOME"), *user = getenv("HOME");
    snprintf(s->home, sizeof s->home, "%s%s", home ? home : user ? user : ".", home ? "" : "/.souk");
    int err = from_flags(s, argc, argv, r);
    if (err || s->run == RUN_HELP || s->run == RUN_VERSION)
        return err;
    if (mkdir(s->home, 0700) && errno != EEXIST)
        return report_set(r, SOUK_EIO, "cannot make the home %s: %s", s->home, strerror(errno));
    if ((err = from_file(s, r)))
        return err;
    struct node_config conf = s->node;
    if ((err = from_flags(s, argc, argv, r)))
        return err;
    for (size_t i = 0; i < conf.peers_n && s->node.peers_n < NODE_PEERS_MOST; i++)
        s->node.peers[s->node.peers_n++] = conf.peers[i];
    if (!s->node.listen_n) {
        memcpy(s->node.listen, conf.listen, sizeof conf.listen);
        s->node.listen_n = conf.listen_n;
    }
    complete_listen(s);
    s->host.home = s->home;
    if (network_make(&s->node.network, s->network, s->work_bits, s->puzzle_bits, s->loopback))
        return report_set(r, SOUK_EINVALID, "network: the name must have 1 to 39 bytes");
    for (size_t i = 0; i < s->node.peers_n && !s->loopback; i++) {
        char text[ADDR_TEXT];
        if (addr_is_private(&s->node.peers[i].addr))
            return report_set(
                r, SOUK_EINVALID,
                "peer: %s is a private address, which the network %s passes over; give a public "
                "one, or --loopback yes on every node for a network of your own",
                addr_format(text, &s->node.peers[i].addr), s->network);
    }
    return 0;
}

void settings_help(void)
{
    printf("soukd: a node of the souk network.  Settings are flags, or lines `name = value` in "
           "HOME/souk.conf:\n\n");
    for (size_t i = 0; i < ALL; i++) {
        char head[64];
        snprintf(head, sizeof head, "--%s %s", all[i].name, all[i].value);
        printf("  %-32s %s\n", head, all[i].doc);
    }
    printf("\n  --check      verifies the whole store and ends (exit 1 when something is damaged)\n"
           "  --reindex    rebuilds what is derived in the store and ends\n"
           "  --version    prints the version\n");
}

static int write_key(const char *path, const uint8_t *seed, struct report *r)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, seed, 32) != 32 || fsync(fd) != 0) {
        int e = errno;
        if (fd >= 0) {
            close(fd);
            unlink(path);
        }
        return report_set(r, SOUK_EIO, "cannot write %s: %s", path, strerror(e));
    }
    close(fd);
    return 0;
}

int settings_node_key(struct settings *s, struct report *r)
{
    char path[320];
    uint8_t seed[33];
    struct keypair pair;
    snprintf(path, sizeof path, "%s/node.key", s->home);
    int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
    if (fd >= 0) {
        ssize_t n = read(fd, seed, sizeof seed);
        close(fd);
        if (n != 32)
            return report_set(r, SOUK_EDAMAGED,
                              "%s is damaged: it must have 32 bytes. Restore it from a backup, or remove "
                              "it: the node then "
                              "gets a new name on the network; identities and trades are not affected",
                              path);
        sign_keypair_from_seed(&pair, seed);
    } else if (errno != ENOENT) {
        return report_set(r, SOUK_EIO, "cannot read %s: %s", path, strerror(errno));
    } else {
        do {
            if (getrandom(seed, 32, 0) != 32)
                return report_set(r, SOUK_EIO, "the kernel gives no randomness");
            sign_keypair_from_seed(&pair, seed);
        } while (!dht_puzzle_ok(&s->node.network, (const struct node_key *)(const void *)pair.pk));
        err = write_key(path, seed, r);
    }
    if (!err && !dht_puzzle_ok(&s->node.network, (const struct node_key *)(const void *)pair.pk))
        err = report_set(
            r, SOUK_EINVALID,
            "%s was made for a network with an easier puzzle: move it away, and a new one is made", path);
    memcpy(s->node_sk, pair.sk, sizeof s->node_sk);
    s->node.node_sk = s->node_sk;
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(&pair, sizeof pair);
    return err;
}

int settings_passphrase(const struct settings *s, char **out, size_t *n, struct report *r)
{
    *out = NULL;
    *n = 0;
    if (!s->passphrase_file[0])
        return 0;
    FILE *f = fopen(s->passphrase_file, "re");
    char *line = sodium_malloc(1024);
    MUST(line != NULL);
    if (!f || !fgets(line, 1024, f)) {
        report_set(r, SOUK_EIO, "cannot read a passphrase from %s: %s", s->passphrase_file,
                   f ? "it is empty" : strerror(errno));
        if (f)
            fclose(f);
        sodium_free(line);
        return SOUK_EIO;
    }
    fclose(f);
    *n = strcspn(line, "\r\n");
    *out = line;
    return 0;
}
