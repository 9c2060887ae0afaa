/* dht_ceiling.c: what this machine must spend on the parts of a request whatever a DHT does: signatures,
 * datagram encryption, system calls.  CPU time of one core a piece; dht.py adds them up.
 *
 * Sending is the dearer call: on loopback the kernel delivers within it. */
#include "crypto/sign.h"
#include "dht/seal.h"
#include "dht_report.h"
#include "node/host/streams.h"
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BATCH = 16, SMALL = 100, LARGE = 900 };

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void tell(const char *what, double us)
{
    printf("{\"ceiling\": \"%s\", \"us\": %.3f}\n", what, us);
}

static void signatures(struct rng *rng)
{
    enum { N = 4000 };
    struct keypair pair;
    struct xkey x;
    uint8_t secret[32], shared[32];
    struct id hash;
    struct sig sig;
    volatile bool good = true;
    sign_keypair_new(&pair, rng);
    xkey_pair(&x, secret, rng);
    rng_bytes(rng, hash.b, sizeof hash.b);
    double t = cpu_us();
    for (int i = 0; i < N; i++)
        sign_hash(&sig, pair.sk, &hash);
    tell("sign", (cpu_us() - t) / N);
    t = cpu_us();
    for (int i = 0; i < N; i++)
        good = good && sign_check(pair.pk, &hash, &sig);
    tell("verify", (cpu_us() - t) / N);
    t = cpu_us();
    for (int i = 0; i < N; i++)
        good = good && x25519(shared, secret, &x) == 0;
    tell("x25519", (cpu_us() - t) / N);
    MUST(good);
}

static void aead(size_t n, const char *seal, const char *open)
{
    enum { N = 20000 };
    static uint8_t plain[LARGE], sealed[LARGE + 16], head[DHT_SEAL_HEAD], nonce[24], key[32];
    volatile bool good = true;
    double t = cpu_us();
    for (int i = 0; i < N; i++)
        crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, plain, n, head, sizeof head, NULL, nonce,
                                                   key);
    tell(seal, (cpu_us() - t) / N);
    t = cpu_us();
    for (int i = 0; i < N; i++)
        good = good && crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, n + 16, head,
                                                                  sizeof head, nonce, key) == 0;
    tell(open, (cpu_us() - t) / N);
    MUST(good);
}

static int socket_on_loopback(struct sockaddr_storage *at)
{
    struct addr any = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, 0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t n = sizeof(struct sockaddr_in);
    MUST(fd >= 0 && sockaddr_from(at, &any) && bind(fd, (struct sockaddr *)at, n) == 0);
    MUST(getsockname(fd, (struct sockaddr *)at, &n) == 0);
    return fd;
}

/* One a call, and as many as fit. */
static void sockets(size_t bytes, unsigned batch, const char *send, const char *receive)
{
    enum { ROUNDS = 2000 };
    static uint8_t data[BATCH][2048];
    struct sockaddr_storage to, at;
    int a = socket_on_loopback(&at), b = socket_on_loopback(&to);
    struct mmsghdr m[BATCH];
    struct iovec v[BATCH];
    double out = 0, in = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < BATCH; i++) {
            v[i] = (struct iovec){data[i], bytes};
            m[i].msg_hdr = (struct msghdr){.msg_name = &to,
                                           .msg_namelen = sizeof(struct sockaddr_in),
                                           .msg_iov = &v[i],
                                           .msg_iovlen = 1};
        }
        double t0 = cpu_us();
        for (unsigned i = 0; i < BATCH; i += batch)
            MUST(sendmmsg(a, m + i, batch, 0) == (int)batch);
        double t1 = cpu_us();
        for (unsigned i = 0; i < BATCH; i++)
            m[i].msg_hdr.msg_name = &at;
        for (unsigned i = 0; i < BATCH; i += batch)
            MUST(recvmmsg(b, m + i, batch, MSG_DONTWAIT, NULL) == (int)batch);
        out += t1 - t0;
        in += cpu_us() - t1;
    }
    tell(send, out / ROUNDS / BATCH);
    tell(receive, in / ROUNDS / BATCH);
    close(a);
    close(b);
}

/* What it costs when every datagram finds its reader asleep: two threads throw one back and forth. */
struct player {
    int fd, turns;
    struct sockaddr_storage other;
};

static void wait_for(int poll)
{
    struct epoll_event e;
    while (epoll_wait(poll, &e, 1, -1) < 0)
        ;
}

static void *play(void *arg)
{
    struct player *p = arg;
    static _Thread_local uint8_t ball[2048];
    struct epoll_event readable = {.events = EPOLLIN};
    int poll = epoll_create1(0);
    MUST(poll >= 0 && epoll_ctl(poll, EPOLL_CTL_ADD, p->fd, &readable) == 0);
    for (int i = 0; i < p->turns; i++) {
        wait_for(poll);
        MUST(recv(p->fd, ball, sizeof ball, 0) == LARGE);
        MUST(sendto(p->fd, ball, LARGE, 0, (struct sockaddr *)&p->other, sizeof(struct sockaddr_in)) ==
             LARGE);
    }
    close(poll);
    return NULL;
}

static void waking(void)
{
    enum { N = 20000 };
    struct player a = {.turns = N}, b = {.turns = N};
    static uint8_t ball[LARGE];
    pthread_t one, two;
    a.fd = socket_on_loopback(&b.other);
    b.fd = socket_on_loopback(&a.other);
    double t = cpu_us();
    MUST(pthread_create(&one, NULL, play, &a) == 0 && pthread_create(&two, NULL, play, &b) == 0);
    MUST(sendto(a.fd, ball, LARGE, 0, (struct sockaddr *)&a.other, sizeof(struct sockaddr_in)) == LARGE);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    tell("send, wake, receive 900 B", (cpu_us() - t) / N / 2);
    close(a.fd);
    close(b.fd);
}

int main(void)
{
    struct rng rng;
    MUST(sodium_init() >= 0);
    rng_seed_u64(&rng, 1);
    signatures(&rng);
    aead(SMALL, "seal 100 B", "open 100 B");
    aead(LARGE, "seal 900 B", "open 900 B");
    sockets(SMALL, 1, "send 100 B", "receive 100 B");
    sockets(LARGE, 1, "send 900 B", "receive 900 B");
    sockets(LARGE, BATCH, "send 900 B, 16 a call", "receive 900 B, 16 a call");
    waking();
    return 0;
}
