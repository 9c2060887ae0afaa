#include "crypto/base/host.h"
#include "crypto/base/err.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool addr_is_ipv4(const struct addr *a)
{
    return memcmp(a->ip, v4_mapped, sizeof v4_mapped) == 0;
}

bool addr_is_any(const struct addr *a)
{
    return addr_is_ipv4(a) ? is_zero(a->ip + 12, 4) : is_zero(a->ip, 16);
}

bool addr_is_loopback(const struct addr *a)
{
    if (addr_is_ipv4(a))
        return a->ip[12] == 127;
    return is_zero(a->ip, 15) && a->ip[15] == 1;
}

bool addr_is_private(const struct addr *a)
{
    if (addr_is_loopback(a))
        return true;
    const uint8_t *p = a->ip + 12;
    if (addr_is_ipv4(a))
        return p[0] == 10 || p[0] == 0 || (p[0] == 172 && (p[1] & 0xf0) == 16) ||
               (p[0] == 192 && p[1] == 168) || (p[0] == 169 && p[1] == 254) ||
               (p[0] == 100 && (p[1] & 0xc0) == 64);
    return is_zero(a->ip, 16) || (a->ip[0] & 0xfe) == 0xfc ||
           (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80);
}

uint64_t addr_prefix(const struct addr *a)
{
    uint8_t key[8] = {0};
    if (addr_is_ipv4(a))
        memcpy(key + 5, a->ip + 12, 3);
    else
        memcpy(key, a->ip, 8);
    return be64_get(key);
}

uint64_t addr_site(const struct addr *a)
{
    return addr_is_ipv4(a) ? addr_prefix(a) : addr_prefix(a) >> 16;
}

char *addr_prefix_format(char out[static ADDR_TEXT], uint64_t prefix)
{
    struct addr a = {{0}, 0};
    if (prefix >> 24 == 0) {
        snprintf(out, ADDR_TEXT, "%u.%u.%u.0/24", (unsigned)(prefix >> 16), (unsigned)(prefix >> 8 & 255),
                 (unsigned)(prefix & 255));
        return out;
    }
    be64_put(a.ip, prefix);
    addr_format(out, &a); /* [2001:db8::]:0 */
    size_t n = strcspn(out, "]");
    memmove(out, out + 1, n - 1);
    snprintf(out + n - 1, ADDR_TEXT - n + 1, "/64");
    return out;
}

char *addr_format(char out[static ADDR_TEXT], const struct addr *a)
{
    const uint8_t *p = a->ip;
    if (addr_is_ipv4(a)) {
        snprintf(out, ADDR_TEXT, "%u.%u.%u.%u:%u", p[12], p[13], p[14], p[15], a->port);
        return out;
    }
    int best = -1, best_n = 1; /* RFC 5952: the longest run of zero groups, if longer than one */
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && be16_get(p + 2 * (i + n)) == 0)
            n++;
        if (n > best_n) {
            best = i;
            best_n = n;
        }
    }
    size_t at = 0;
    out[at++] = '[';
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            at += (size_t)snprintf(out + at, ADDR_TEXT - at, "::");
            i += best_n - 1;
            continue;
        }
        const char *sep = i && i != best + best_n ? ":" : "";
        at += (size_t)snprintf(out + at, ADDR_TEXT - at, "%s%x",
                               best < 0 || i < best || i > best ? sep : "", be16_get(p + 2 * i));
    }
    snprintf(out + at, ADDR_TEXT - at, "]:%u", a->port);
    return out;
}

static bool parse_number(const char **s, const char *end, unsigned base, unsigned long most,
                         unsigned long *out)
{
    unsigned long v = 0;
    const char *from = *s;
    for (; *s < end; ++*s) {
        char c = **s;
        unsigned d;
        if (c >= '0' && c <= '9')
            d = (unsigned)(c - '0');
        else if (base == 16 && c >= 'a' && c <= 'f')
            d = (unsigned)(c - 'a') + 10;
        else if (base == 16 && c >= 'A' && c <= 'F')
            d = (unsigned)(c - 'A') + 10;
        else
            break;
        v = v * base + d;
        if (v > most)
            return false;
    }
    *out = v;
    return *s > from;
}

static bool parse_ipv4(uint8_t out[4], const char **s, const char *end)
{
    for (int i = 0; i < 4; i++) {
        unsigned long v;
        if (i && (*s == end || *(*s)++ != '.'))
            return false;
        if (!parse_number(s, end, 10, 255, &v))
            return false;
        out[i] = (uint8_t)v;
    }
    return true;
}

static bool parse_ipv6(uint8_t ip[16], const char **s, const char *end)
{
    uint8_t head[16] = {0};
    int n = 0, gap = -1;
    memset(ip, 0, 16);
    if (end - *s >= 2 && (*s)[0] == ':' && (*s)[1] == ':') {
        gap = 0;
        *s += 2;
    }
    while (*s < end && **s != ']') {
        unsigned long v;
        if (n == 8 || !parse_number(s, end, 16, 0xffff, &v))
            return false;
        be16_put(head + 2 * n++, (uint16_t)v);
        if (*s < end && **s == ':') {
            ++*s;
            if (*s < end && **s == ':') {
                if (gap >= 0)
                    return false;
                gap = n;
                ++*s;
            } else if (*s == end || **s == ']')
                return false;
        }
    }
    if (gap < 0 ? n != 8 : n > 7)
        return false;
    if (gap < 0) {
        memcpy(ip, head, 16);
        return true;
    }
    memcpy(ip, head, (size_t)gap * 2);
    memcpy(ip + 16 - (n - gap) * 2, head + gap * 2, (size_t)(n - gap) * 2);
    return true;
}

bool addr_parse(struct addr *out, const char *text, size_t n)
{
    const char *s = text, *end = text + n;
    struct addr a = {{0}, 0};
    unsigned long port;
    if (n && *s == '[') {
        s++;
        if (!parse_ipv6(a.ip, &s, end) || s == end || *s++ != ']')
            return false;
    } else {
        memcpy(a.ip, v4_mapped, sizeof v4_mapped);
        if (!parse_ipv4(a.ip + 12, &s, end))
            return false;
    }
    if (s == end || *s++ != ':' || !parse_number(&s, end, 10, 65535, &port) || s != end)
        return false;
    a.port = (uint16_t)port;
    *out = a;
    return true;
}

static struct effect *fx_new(struct effects *fx, enum fx kind)
{
    if (fx->n == fx->cap) {
        fx->cap = fx->cap ? fx->cap * 2 : 16;
        fx->v = xrealloc(fx->v, fx->cap * sizeof *fx->v);
    }
    struct effect *e = &fx->v[fx->n++];
    *e = (struct effect){.kind = kind};
    return e;
}

/* An answer to the owner may be a secret: no copy of it stays behind where the buffer was. */
static void fx_payload(struct effects *fx, struct effect *e, struct span bytes)
{
    if (fx->bytes.cap - fx->bytes.n < bytes.n) {
        struct buf more = {0};
        buf_grow(&more, fx->bytes.n + bytes.n);
        more.n = 0;
        buf_span(&more, buf_view(&fx->bytes));
        buf_wipe(&fx->bytes);
        fx->bytes = more;
    }
    e->at = fx->bytes.n;
    e->len = bytes.n;
    buf_span(&fx->bytes, bytes);
}

void fx_dgram(struct effects *fx, const struct addr *to, uint8_t via, struct span bytes)
{
    struct effect *e = fx_new(fx, FX_DGRAM);
    e->addr = *to;
    e->via = via;
    fx_payload(fx, e, bytes);
}

void fx_dial(struct effects *fx, conn_id conn, const struct addr *to)
{
    struct effect *e = fx_new(fx, FX_DIAL);
    e->conn = conn;
    e->addr = *to;
}

void fx_write(struct effects *fx, conn_id conn, struct span bytes)
{
    struct effect *e = fx_new(fx, FX_WRITE);
    e->conn = conn;
    fx_payload(fx, e, bytes);
}

void fx_close(struct effects *fx, conn_id conn)
{
    fx_new(fx, FX_CLOSE)->conn = conn;
}

void fx_pause(struct effects *fx, conn_id conn)
{
    fx_new(fx, FX_PAUSE)->conn = conn;
}

void fx_resume(struct effects *fx, conn_id conn)
{
    fx_new(fx, FX_RESUME)->conn = conn;
}

void fx_work(struct effects *fx, struct job *job)
{
    fx_new(fx, FX_WORK)->job = job;
}

void fx_commit(struct effects *fx, struct change *change)
{
    fx_new(fx, FX_COMMIT)->change = change;
}

void fx_stop(struct effects *fx)
{
    fx_new(fx, FX_STOP);
}

void effects_clear(struct effects *fx)
{
    fx->n = 0;
    if (fx->bytes.n)
        sodium_memzero(fx->bytes.p, fx->bytes.n);
    buf_clear(&fx->bytes);
}

void effects_free(struct effects *fx)
{
    free(fx->v);
    buf_wipe(&fx->bytes);
    *fx = (struct effects){0};
}

int network_make(struct network *out, const char *name, unsigned work_bits, unsigned puzzle_bits,
                 bool loopback)
{
    size_t n = strlen(name);
    if (n == 0 || n >= sizeof out->name || work_bits > 30 || puzzle_bits > 30)
        return SOUK_EINVALID;
    struct network net = {
        .work_bits = (uint8_t)work_bits, .puzzle_bits = (uint8_t)puzzle_bits, .loopback = loopback};
    memcpy(net.name, name, n);
    uint8_t in[2 + sizeof net.name] = {net.work_bits, net.puzzle_bits};
    memcpy(in + 2, name, n);
    static const uint8_t personal[16] = "souk:network";
    crypto_generichash_blake2b_salt_personal(net.id.b, sizeof net.id.b, in, 2 + n, NULL, 0, NULL, personal);
    *out = net;
    return 0;
}
