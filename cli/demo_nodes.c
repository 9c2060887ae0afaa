/* demo_nodes.c: the processes of `souk demo`: found, started, ended. */
#include "cli/demo.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 60000, /* a node that does not answer by then never will */
    END_MS = 10000,
    LOOK_MS = 20,       /* how often a process is looked at that has nothing else to wake us by */
    PORT_FIRST = 20000, /* below the ports that the kernel hands out for outgoing connections */
    PORTS = 12000,
    PORT_TRIES = 200
};

/* For the handler of signals: nothing but these is safe to touch there. */
static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t children[DEMO_NODES];

/* Ending the nodes closes their sockets, so that whatever waits for an answer comes back. */
static void on_signal(int signum)
{
    bool overdue = signum == SIGALRM; /* told to end ten seconds ago */
    if (!overdue) {
        interrupted = 1;
        alarm(END_MS / 1000);
    }
    for (int i = 0; i < DEMO_NODES; i++)
        if (children[i] > 0)
            kill((pid_t)children[i], overdue ? SIGKILL : SIGTERM);
}

bool demo_interrupted(void)
{
    return interrupted != 0;
}

static void look_again(void)
{
    struct timespec t = {.tv_nsec = LOOK_MS * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- what is needed ---- */
static bool beside(char *out, size_t cap, const char *relative)
{
    char self[256];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return false;
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    snprintf(out, cap, "%s/%s", self, relative);
    return true;
}

static bool has_catalogue(const char *dir)
{
    char path[400];
    snprintf(path, sizeof path, "%s/catalogue.csv", dir);
    return access(path, R_OK) == 0;
}

static void find_catalogue(struct demo *d)
{
    const char *given = getenv("SOUK_CATALOGUE");
    if (given)
        snprintf(d->catalogue, sizeof d->catalogue, "%s", given);
    else if (!beside(d->catalogue, sizeof d->catalogue, "../../tests/data/catalogue") ||
             !has_catalogue(d->catalogue))
        snprintf(d->catalogue, sizeof d->catalogue, "/usr/share/souk/catalogue");
    if (!has_catalogue(d->catalogue))
        demo_fail(d, DEMO_NODES, SOUK_ENOT_FOUND,
                  "there is no catalogue.csv in %s: say with SOUK_CATALOGUE=DIR where the listings to "
                  "import are (tests/data/catalogue of the source)",
                  d->catalogue);
}

static bool is_empty(const char *dir)
{
    return rmdir(dir) == 0 || errno == ENOENT;
}

static void make_dir(struct demo *d, const char *home)
{
    const char *tmp = getenv("TMPDIR");
    if (!home) {
        snprintf(d->dir, sizeof d->dir, "%s/souk-demo-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        d->made_dir = mkdtemp(d->dir) != NULL;
        if (!d->made_dir)
            demo_fail(d, DEMO_NODES, SOUK_EIO, "cannot make a folder %s: %s", d->dir, strerror(errno));
        return;
    }
    snprintf(d->dir, sizeof d->dir, "%s", home);
    if (!is_empty(d->dir))
        demo_fail(d, DEMO_NODES, SOUK_EINVALID,
                  "%s holds something already: the demo wants a folder that is empty or not there yet",
                  d->dir);
    else if (mkdir(d->dir, 0700))
        demo_fail(d, DEMO_NODES, SOUK_EIO, "cannot make the folder %s: %s", d->dir, strerror(errno));
}

static void make_home(struct demo *d, struct demo_node *n)
{
    uint8_t random[16];
    char home[sizeof n->home];
    snprintf(home, sizeof home, "%s/%s", d->dir, n->role);
    memcpy(n->home, home, sizeof home);
    snprintf(n->passphrase_file, sizeof n->passphrase_file, "%s.passphrase", home);
    randombytes_buf(random, sizeof random);
    hex_encode(n->passphrase, random, sizeof random);
    int fd = open(n->passphrase_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (mkdir(n->home, 0700) || fd < 0 || dprintf(fd, "%s\n", n->passphrase) < 0)
        demo_fail(d, DEMO_NODES, SOUK_EIO, "cannot write %s: %s", n->passphrase_file, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* Takes a loopback port for TCP and UDP; the sockets hold it until all nodes have theirs. */
static bool take_port(char *out, size_t cap, int hold[static 2])
{
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t port = (uint16_t)(PORT_FIRST + randombytes_uniform(PORTS));
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        hold[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        hold[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (hold[0] >= 0 && hold[1] >= 0 && bind(hold[0], (struct sockaddr *)&at, sizeof at) == 0 &&
            bind(hold[1], (struct sockaddr *)&at, sizeof at) == 0) {
            snprintf(out, cap, "127.0.0.1:%u", port);
            return true;
        }
        for (int k = 0; k < 2; k++)
            if (hold[k] >= 0)
                close(hold[k]);
    }
    hold[0] = hold[1] = -1;
    return false;
}

static void take_ports(struct demo *d)
{
    int hold[DEMO_NODES][2];
    for (int i = 0; i < DEMO_NODES; i++)
        if (!take_port(d->node[i].listen, sizeof d->node[i].listen, hold[i]))
            demo_fail(d, DEMO_NODES, SOUK_EIO, "no free port of 127.0.0.1 was found");
    for (int i = 0; i < DEMO_NODES * 2; i++)
        if (hold[i / 2][i % 2] >= 0)
            close(hold[i / 2][i % 2]);
}

void demo_prepare(struct demo *d, const char *home)
{
    struct sigaction act = {.sa_handler = on_signal};
    uint8_t random[4];
    char hex[9];
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    sigaction(SIGALRM, &act, NULL);
    randombytes_buf(random, sizeof random);
    snprintf(d->network, sizeof d->network, "demo-%s", hex_encode(hex, random, sizeof random));
    if (!beside(d->soukd, sizeof d->soukd, "soukd") || access(d->soukd, X_OK) != 0)
        demo_fail(d, DEMO_NODES, SOUK_ENOT_FOUND, "soukd must stand beside souk, at %s: build it first",
                  d->soukd);
    find_catalogue(d);
    if (!d->err)
        make_dir(d, home);
    for (int i = 0; i < DEMO_NODES && !d->err; i++)
        make_home(d, &d->node[i]);
    if (!d->err)
        take_ports(d);
}

/* ---- starting ---- */
static void child(const struct demo *d, const struct demo_node *n, pid_t parent)
{
    char log[340];
    const char *args[32] = {
        d->soukd,   "--home",         n->home, "--listen",         n->listen, "--network",
        d->network, "--work-bits",    "2",     "--puzzle-bits",    "2",       "--loopback",
        "yes",      "--reconcile-ms", "500",   "--cheap-keyfiles", "yes",     "--tick-ms",
        "100",      "--log",          "warn",  "--map-mib",        "1024",    NULL};
    snprintf(log, sizeof log, "%s.log", n->home);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), null = open("/dev/null", O_RDONLY);
    if (out < 0 || null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    if (n != &d->node[0]) {
        args[23] = "--peer";
        args[24] = d->node[0].peer;
    }
    setsid(); /* an interrupt on the terminal is ours to pass on, and --keep outlives the terminal */
    if (!d->keep) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(126);
    }
    execv(d->soukd, (char **)(uintptr_t)args); /* NOLINT: execv's type is older than const */
    dprintf(2, "cannot run %s: %s\n", d->soukd, strerror(errno));
    _exit(126);
}

static void start(struct demo *d, enum demo_who who)
{
    struct demo_node *n = &d->node[who];
    sigset_t all, old;
    pid_t parent = getpid();
    if (d->err)
        return;
    /* No signal between the fork and its being noted down. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    n->pid = fork();
    if (n->pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
        sigprocmask(SIG_SETMASK, &old, NULL);
        child(d, n, parent);
    }
    children[who] = n->pid;
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (n->pid < 0) {
        n->pid = 0;
        demo_fail(d, who, SOUK_EIO, "cannot be started: %s", strerror(errno));
    }
}

/* Until its socket answers: a process that is starting has nothing else to wake us by. */
static void connect_to(struct demo *d, enum demo_who who)
{
    struct demo_node *n = &d->node[who];
    struct report r = {0};
    uint64_t since = demo_now_ms();
    int status;
    while (!d->err && client_open(&n->client, n->home, 0, &r)) {
        if (interrupted)
            demo_fail(d, DEMO_NODES, SOUK_ECLOSED, "interrupted");
        else if (waitpid(n->pid, &status, WNOHANG) == n->pid) {
            n->pid = 0;
            children[who] = 0;
            demo_fail(d, who, SOUK_ECLOSED, "ended before it answered");
        } else if (demo_now_ms() - since > START_MS)
            demo_fail(d, who, SOUK_ETIMEOUT, "does not answer after %d s", START_MS / 1000);
        else
            look_again();
    }
    struct api_events_subscribe_result m;
    ASK(d, who, events_subscribe, &m, 0);
}

static void greet(struct demo *d, enum demo_who who)
{
    struct api_node_status_result m;
    connect_to(d, who);
    ASK(d, who, node_status, &m, 0);
    snprintf(d->node[who].peer, sizeof d->node[who].peer, "%s", demo_text(d, m.peer));
    demo_say(d, who, "souk %s listens on %s, network %s, node %s", demo_text(d, m.version),
             m.listen_n ? demo_text(d, m.listen[0]) : "", demo_text(d, m.network), demo_short(d, &m.node));
}

void demo_start_nodes(struct demo *d)
{
    struct api_node_status_result m;
    start(d, SELLER);
    greet(d, SELLER);
    for (enum demo_who who = SELLER + 1; who < DEMO_NODES; who++)
        start(d, who);
    for (enum demo_who who = SELLER + 1; who < DEMO_NODES; who++)
        greet(d, who);
    struct until u = until(d, SELLER, 30000, "the four others to connect");
    do
        ASK(d, SELLER, node_status, &m, 0);
    while (m.sessions < DEMO_NODES - 1 && until_more(&u));
    demo_say(d, SELLER, "%llu sessions with other nodes", (unsigned long long)m.sessions);
}

/* ---- ending ---- */
static void end_one(struct demo *d, enum demo_who who, uint64_t since)
{
    struct demo_node *n = &d->node[who];
    while (n->pid > 0) {
        pid_t got = waitpid(n->pid, NULL, WNOHANG);
        if (got == n->pid || (got < 0 && errno == ECHILD)) {
            n->pid = 0;
            children[who] = 0;
        } else {
            if (demo_now_ms() - since > END_MS)
                kill(n->pid, SIGKILL);
            look_again();
        }
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void demo_end(struct demo *d)
{
    bool leave = d->keep && !d->err;
    uint64_t since = demo_now_ms();
    for (int i = 0; i < DEMO_NODES; i++) {
        client_close(d->node[i].client);
        d->node[i].client = NULL;
        if (d->node[i].pid > 0 && !leave)
            kill(d->node[i].pid, SIGTERM);
    }
    for (enum demo_who who = 0; who < DEMO_NODES && !leave; who++)
        end_one(d, who, since);
    if (!d->made_dir || leave)
        return;
    if (d->err && !interrupted)
        fprintf(stderr, "souk demo: what the nodes kept and logged is in %s\n", d->dir);
    else
        nftw(d->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- looking ---- */
uint64_t demo_memory_kib(const struct demo_node *n)
{
    char path[64], line[128];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)n->pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtoull(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

void demo_log_tail(const struct demo *d)
{
    enum { LINES = 5, LINE = 300 };
    for (int i = 0; i < DEMO_NODES; i++) {
        char path[340], line[LINES][LINE];
        size_t n = 0;
        snprintf(path, sizeof path, "%s.log", d->node[i].home);
        FILE *f = d->node[i].home[0] ? fopen(path, "re") : NULL;
        while (f && fgets(line[n % LINES], LINE, f))
            n++;
        if (f)
            fclose(f);
        for (size_t k = n > LINES ? n - LINES : 0; k < n; k++)
            fprintf(stderr, "  %s's log: %s", d->node[i].role, line[k % LINES]);
    }
}
