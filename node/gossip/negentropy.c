#include "node/gossip/negentropy.h"
#include <sodium.h>
#include <stdlib.h>

enum {
    VERSION = 0x61,
    BUCKETS = 16,
    FINGERPRINT_BYTES = 16,
    VARINT_MOST = 10,
    RANGE_MOST = VARINT_MOST * 3 + 32 + FINGERPRINT_BYTES, /* bytes of a range without ids */
    SLACK = 200, /* of a frame, kept for the range that ends a message early; as the reference */
};
enum mode { MODE_SKIP, MODE_FINGERPRINT, MODE_IDS };

/* One call's view of a message: timestamps are differences, in and out. */
struct reading {
    const uint8_t *at, *end;
    struct neg_bound last;
    bool bad;
};
struct writing {
    struct buf *out;
    uint64_t last_out;
};

void neg_init(struct neg *n, const struct neg_set *set, size_t frame_most)
{
    *n = (struct neg){.set = *set, .frame_most = frame_most};
}

void neg_free(struct neg *n)
{
    free(n->have);
    free(n->need);
    n->have = n->need = NULL;
    n->have_n = n->need_n = n->have_cap = n->need_cap = 0;
}

/* ---- writing ---- */
static size_t varint(uint8_t out[static VARINT_MOST], uint64_t v)
{
    size_t n = 1;
    for (uint64_t rest = v >> 7; rest; rest >>= 7)
        n++;
    for (size_t i = n; i--; v >>= 7)
        out[i] = (uint8_t)((v & 127) | (i + 1 < n ? 128 : 0));
    return n;
}

static void put_varint(struct buf *out, uint64_t v)
{
    uint8_t b[VARINT_MOST];
    buf_append(out, b, varint(b, v));
}

static void put_bound(struct writing *w, const struct neg_bound *b)
{
    if (b->created == NEG_FOREVER) {
        w->last_out = NEG_FOREVER;
        put_varint(w->out, 0);
    } else {
        put_varint(w->out, b->created - w->last_out + 1);
        w->last_out = b->created;
    }
    put_varint(w->out, b->n);
    buf_append(w->out, b->id.b, b->n);
}

static void fingerprint(const struct neg *n, size_t from, size_t to, uint8_t out[static FINGERPRINT_BYTES])
{
    uint8_t in[32 + VARINT_MOST], hash[32];
    n->set.sum(n->set.arg, from, to, in);
    crypto_hash_sha256(hash, in, 32 + varint(in + 32, to - from));
    memcpy(out, hash, FINGERPRINT_BYTES);
}

static void put_fingerprint(const struct neg *n, struct writing *w, const struct neg_bound *b, size_t from,
                            size_t to)
{
    put_bound(w, b);
    put_varint(w->out, MODE_FINGERPRINT);
    fingerprint(n, from, to, buf_grow(w->out, FINGERPRINT_BYTES));
}

static void put_ids(const struct neg *n, struct writing *w, const struct neg_bound *b, size_t from,
                    size_t to)
{
    put_bound(w, b);
    put_varint(w->out, MODE_IDS);
    put_varint(w->out, to - from);
    for (size_t i = from; i < to; i++) {
        struct neg_item item;
        n->set.item(n->set.arg, i, &item);
        buf_append(w->out, item.id.b, sizeof item.id.b);
    }
}

/* The shortest bound between two neighbours. */
static struct neg_bound bound_between(const struct neg *n, size_t index)
{
    struct neg_item before, at;
    n->set.item(n->set.arg, index - 1, &before);
    n->set.item(n->set.arg, index, &at);
    struct neg_bound b = {.created = at.created};
    if (before.created != at.created)
        return b;
    while (b.n < sizeof at.id.b && before.id.b[b.n] == at.id.b[b.n])
        b.n++;
    b.n = b.n < sizeof at.id.b ? b.n + 1 : b.n;
    memcpy(b.id.b, at.id.b, b.n);
    return b;
}

static void put_split(const struct neg *n, struct writing *w, const struct neg_bound *upper, size_t from,
                      size_t to)
{
    size_t count = to - from;
    if (count < BUCKETS * 2) {
        put_ids(n, w, upper, from, to);
        return;
    }
    size_t each = count / BUCKETS, more = count % BUCKETS, at = from;
    for (size_t i = 0; i < BUCKETS; i++) {
        size_t next = at + each + (i < more);
        struct neg_bound b = next == to ? *upper : bound_between(n, next);
        put_fingerprint(n, w, &b, at, next);
        at = next;
    }
}

static bool has_horizon(const struct neg *n)
{
    return n->since.created || n->since.n;
}

/* The first of one's items that count: those before the horizon do not. */
static size_t first_item(const struct neg *n)
{
    return has_horizon(n) ? n->set.lower_bound(n->set.arg, &n->since) : 0;
}

static void put_skip_to(struct writing *w, const struct neg_bound *b)
{
    put_bound(w, b);
    put_varint(w->out, MODE_SKIP);
}

static void begin(struct neg *n, struct writing *w)
{
    n->initiator = true;
    n->have_n = n->need_n = 0;
    n->barren = 0;
    *buf_grow(w->out, 1) = VERSION;
    if (has_horizon(n))
        put_skip_to(w, &n->since);
}

void neg_initiate(struct neg *n, struct buf *out)
{
    struct writing w = {.out = out};
    begin(n, &w);
    put_split(n, &w, &(struct neg_bound){.created = NEG_FOREVER}, first_item(n), n->set.count(n->set.arg));
}

static int by_size(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* How many ids the range that is listed in full may have. */
static size_t listed_most(const struct neg *n)
{
    size_t others = (BUCKETS + 2) * RANGE_MOST + SLACK;
    if (!n->frame_most)
        return NEG_LISTED_MOST;
    size_t room = n->frame_most > others ? (n->frame_most - others) / sizeof(struct id) : 0;
    return room < NEG_LISTED_MOST ? room : NEG_LISTED_MOST;
}

void neg_initiate_random(struct neg *n, struct buf *out, struct rng *rng)
{
    struct writing w = {.out = out};
    size_t all = n->set.count(n->set.arg), start = first_item(n), count = all - start;
    size_t cut[BUCKETS + 2], at = 0, k = 0; /* counted from the first item that counts */
    if (count < BUCKETS * 2) {              /* the ordinary first message lists everything already */
        neg_initiate(n, out);
        return;
    }
    begin(n, &w);
    size_t most = listed_most(n), span = most < count / 2 ? most : count / 2;
    size_t from = rng_below(rng, count - span + 1);
    cut[k++] = from;
    cut[k++] = from + span;
    cut[k++] = count;
    while (k < BUCKETS + 2) {
        size_t c = rng_below(rng, count);
        if (c <= from || c >= from + span)
            cut[k++] = c;
        else
            cut[k++] = count; /* it would cut the listed range: one fingerprint less */
    }
    qsort(cut, k, sizeof *cut, by_size);
    for (size_t i = 0; i < k; i++) {
        size_t next = cut[i];
        if (next == at)
            continue;
        struct neg_bound b =
            next == count ? (struct neg_bound){.created = NEG_FOREVER} : bound_between(n, start + next);
        if (at == from && next == from + span)
            put_ids(n, &w, &b, start + at, start + next);
        else
            put_fingerprint(n, &w, &b, start + at, start + next);
        at = next;
    }
}

/* ---- reading ---- */
static uint64_t get_varint(struct reading *r)
{
    uint64_t v = 0;
    for (int i = 0; i < 10; i++) {
        if (r->at == r->end)
            break;
        uint8_t b = *r->at++;
        if (i == 0 && b == 128)
            break; /* a longer form than needed */
        if (v >> 57)
            break;
        v = v << 7 | (b & 127);
        if (!(b & 128))
            return v;
    }
    r->bad = true;
    return 0;
}

static int compare_bounds(const struct neg_bound *a, const struct neg_bound *b)
{
    if (a->created != b->created)
        return a->created < b->created ? -1 : 1;
    return memcmp(&a->id, &b->id, sizeof a->id);
}

/* Bounds never go back: each of our items is looked at once a message, however long the message.  Two at
 * the end of time are in order: a list that ends there and just fills the frame is followed by a
 * fingerprint over the nothing that is left. */
static void get_bound(struct reading *r, struct neg_bound *b)
{
    *b = (struct neg_bound){.created = NEG_FOREVER};
    uint64_t t = get_varint(r), n;
    if (t &&
        (r->last.created == NEG_FOREVER || __builtin_add_overflow(r->last.created, t - 1, &b->created)))
        r->bad = true;
    n = get_varint(r);
    if (r->bad || n > sizeof b->id.b || n > (uint64_t)(r->end - r->at) ||
        (n && b->created == NEG_FOREVER)) {
        r->bad = true;
        return;
    }
    b->n = (size_t)n;
    memcpy(b->id.b, r->at, b->n);
    r->at += b->n;
    if (compare_bounds(b, &r->last) < 0)
        r->bad = true;
    r->last = *b;
}

static void learn(struct id **list, size_t *n, size_t *cap, const struct id *id)
{
    if (*n == NEG_IDS_MOST)
        return; /* the next round tells the rest */
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 64;
        *list = xrealloc(*list, *cap * sizeof **list);
    }
    (*list)[(*n)++] = *id;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

/* The initiator compares the other's ids of a range with its own. */
static void compare_ids(struct neg *n, const uint8_t *theirs, size_t theirs_n, size_t from, size_t to)
{
    struct id *sorted = xmemdup(theirs, theirs_n * sizeof *sorted);
    bool *seen = xcalloc(theirs_n, 1);
    qsort(sorted, theirs_n, sizeof *sorted, by_id);
    for (size_t i = from; i < to && n->have_n < NEG_IDS_MOST; i++) {
        struct neg_item item;
        n->set.item(n->set.arg, i, &item);
        const struct id *hit = theirs_n ? bsearch(&item.id, sorted, theirs_n, sizeof *sorted, by_id) : NULL;
        if (hit)
            seen[hit - sorted] = true;
        else
            learn(&n->have, &n->have_n, &n->have_cap, &item.id);
    }
    for (size_t i = 0; i < theirs_n; i++)
        if (!seen[i] && !(i && by_id(&sorted[i], &sorted[i - 1]) == 0))
            learn(&n->need, &n->need_n, &n->need_cap, &sorted[i]);
    free(sorted);
    free(seen);
}

static bool full(const struct neg *n, size_t bytes)
{
    return n->frame_most && bytes + SLACK > n->frame_most;
}

/* The responder tells its ids of a range, as many as fit; returns where it stopped. */
static size_t tell_ids(const struct neg *n, struct writing *w, const struct neg_bound *upper, size_t from,
                       size_t to, size_t sent)
{
    size_t fit = from;
    while (fit < to && !full(n, sent + (fit - from) * sizeof(struct id)))
        fit++;
    struct neg_bound end = *upper;
    if (fit < to) {
        struct neg_item item;
        n->set.item(n->set.arg, fit, &item);
        end = (struct neg_bound){.created = item.created, .id = item.id, .n = sizeof item.id.b};
    }
    put_ids(n, w, &end, from, fit);
    return fit;
}

struct progress {
    struct neg_bound bound; /* where the last range ended */
    size_t index;
    bool skip; /* ranges since then need no answer */
};

static void put_skip(struct writing *w, struct progress *p)
{
    if (!p->skip)
        return;
    p->skip = false;
    put_skip_to(w, &p->bound);
}

static void on_fingerprint(struct neg *n, struct reading *r, struct writing *w, struct progress *p,
                           const struct neg_bound *upper, size_t to, bool beyond)
{
    uint8_t ours[FINGERPRINT_BYTES];
    if (r->end - r->at < FINGERPRINT_BYTES) {
        r->bad = true;
        return;
    }
    const uint8_t *theirs = r->at;
    r->at += FINGERPRINT_BYTES;
    fingerprint(n, p->index, to, ours);
    if (beyond || memcmp(ours, theirs, FINGERPRINT_BYTES) == 0) {
        p->skip = true;
        return;
    }
    put_skip(w, p);
    put_split(n, w, upper, p->index, to);
}

/* Handles one range and returns where it ended.  *sent: ids were told, so that what is in w->out stands
 * whatever the frame says. */
static size_t one_range(struct neg *n, struct reading *r, struct writing *w, struct progress *p,
                        struct neg_bound *upper, size_t sent_bytes, bool *sent)
{
    get_bound(r, upper);
    uint64_t mode = get_varint(r);
    if (r->bad)
        return p->index;
    bool beyond = has_horizon(n) && compare_bounds(upper, &n->since) <= 0;
    size_t to = beyond ? p->index : n->set.lower_bound(n->set.arg, upper);
    MUST(to >= p->index);
    if (mode == MODE_SKIP) {
        p->skip = true;
    } else if (mode == MODE_FINGERPRINT) {
        on_fingerprint(n, r, w, p, upper, to, beyond);
    } else if (mode == MODE_IDS) {
        uint64_t count = get_varint(r);
        if (r->bad || count > (uint64_t)(r->end - r->at) / sizeof(struct id)) {
            r->bad = true;
            return to;
        }
        const uint8_t *ids = r->at;
        r->at += count * sizeof(struct id);
        if (n->initiator && !beyond)
            compare_ids(n, ids, (size_t)count, p->index, to);
        if (n->initiator || beyond) {
            p->skip = true;
        } else {
            put_skip(w, p);
            to = tell_ids(n, w, upper, p->index, to, sent_bytes);
            *sent = true;
        }
    } else
        r->bad = true;
    if (beyond)
        *upper = n->since; /* what is said next is said from there on */
    return to;
}

int neg_reconcile(struct neg *n, struct span message, struct buf *out)
{
    struct reading r = {.at = message.p, .end = message.p + message.n};
    struct buf part = {0};
    struct writing w = {.out = &part};
    struct progress p = {.bound = n->since, .index = first_item(n), .skip = has_horizon(n)};
    size_t start = out->n;
    n->have_n = n->need_n = 0;
    if (!message.n || message.p[0] < 0x60 || message.p[0] > 0x6f)
        return SOUK_EFORM;
    *buf_grow(out, 1) = VERSION;
    if (*r.at++ != VERSION)
        return n->initiator ? SOUK_EVERSION : 0;
    while (r.at < r.end && !r.bad) {
        struct neg_bound upper;
        bool sent = false;
        buf_clear(&part);
        size_t to = one_range(n, &r, &w, &p, &upper, out->n - start, &sent);
        if (r.bad)
            break;
        if (sent) {
            buf_span(out, buf_view(&part));
            buf_clear(&part);
        }
        if (full(n, out->n - start + part.n)) {
            /* No room for the rest: one fingerprint over it, and the other side asks again. */
            buf_clear(&part);
            put_fingerprint(n, &w, &(struct neg_bound){.created = NEG_FOREVER}, to,
                            n->set.count(n->set.arg));
            buf_span(out, buf_view(&part));
            break;
        }
        buf_span(out, buf_view(&part));
        p.index = to;
        p.bound = upper;
    }
    buf_free(&part);
    if (n->initiator)
        n->barren = n->have_n || n->need_n ? 0 : n->barren + 1;
    if (r.bad || n->barren > NEG_BARREN_MOST) {
        out->n = start;
        n->have_n = n->need_n = 0;
        return SOUK_EFORM;
    }
    return 0;
}
