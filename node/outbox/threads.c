/* threads.c: what was said, in threads, and who may say it. */
#include "api.gen.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "crypto/wire/cursor.h"
#include "node/outbox/engine.h"
#include <stdlib.h>

enum { EVENT_TEXT = 200, THREAD_KEY_BYTES = 72, LIST_MOST = 1000 };

static bool drafted(struct core *c, const char *name, const struct identity *who)
{
    uint8_t key[ROW_KEY_MOST];
    struct span v;
    return view_get(c->view, TABLE_DRAFT, row_key(key, name, who), &v);
}

/* The row is the market's: people.c, where the owner says whom to block. */
bool threads_blocked(struct core *c, const struct identity *who)
{
    return drafted(c, "block/", who);
}

bool threads_known(struct core *c, const struct identity *who)
{
    return drafted(c, "met", who) || drafted(c, "trust", who);
}

void outbox_thread(struct id *out, const struct network *net, const struct identity *a,
                   const struct identity *b, const struct id *about)
{
    bool in_order = memcmp(a, b, sizeof *a) < 0;
    struct id none = {{0}};
    struct span parts[] = {SPAN_OF(*(in_order ? a : b)), SPAN_OF(*(in_order ? b : a)),
                           SPAN_OF(*(about ? about : &none))};
    hash_souk(out, net, "souk:thread", parts, 3);
}

/* The first words, on one line, cut between characters. */
static struct span first_words(uint8_t out[static EVENT_TEXT], struct span text)
{
    size_t n = text.n < EVENT_TEXT ? text.n : EVENT_TEXT;
    while (n && n < text.n && (text.p[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        out[i] = text.p[i] == '\n' ? ' ' : text.p[i];
    return span(out, n);
}

static void add_event(struct core *c, struct change *into, const struct mail_letter *m,
                      const struct id *letter, bool request)
{
    uint8_t words[EVENT_TEXT];
    struct buf b = {0};
    struct api_event_row row = {.time = c->now.unix_ms,
                                .kind = span_str(request ? "request" : "message"),
                                .has_subject = true,
                                .subject = *letter,
                                .has_text = true,
                                .text = first_words(words, m->body)};
    api_event_row_encode(&b, &row);
    change_event(into, buf_view(&b));
    buf_free(&b);
}

void threads_add(struct core *c, struct change *into, const struct mail_letter *m, const struct id *letter,
                 struct span bytes, const struct opened *came)
{
    uint8_t key[THREAD_KEY_BYTES];
    struct buf b = {0};
    struct mail_kept k = {.letter = bytes, .sent = !came, .request = came && !threads_known(c, &m->from)};
    if (came) { /* what proves to others that it was written */
        k.has_sig = k.has_prekey = k.has_where = true;
        k.sig = came->sig;
        k.prekey = came->prekey;
        k.where = came->where;
    }
    memcpy(key, m->thread.b, 32);
    be64_put(key + 32, (uint64_t)m->created);
    memcpy(key + 40, letter->b, 32);
    mail_kept_encode(&b, &k);
    change_put(into, TABLE_THREAD, SPAN_OF(key), buf_view(&b));
    if (came)
        add_event(c, into, m, letter, k.request);
    buf_free(&b);
}

/* ---- handing over ---- */
struct hand {
    outbox_handed_fn *fn;
    void *arg;
};
static bool hand_row(void *arg, struct span key, struct span value)
{
    struct hand *h = arg;
    struct mail_kept k;
    if (key.n != THREAD_KEY_BYTES || mail_kept_decode(&k, value, NULL, NULL) ||
        (!k.sent && !(k.has_sig && k.has_prekey))) /* kept by an earlier version: nothing proves it */
        return true;
    struct outbox_handed m = {.letter = k.letter,
                              .has_sig = !k.sent,
                              .sig = k.sig,
                              .prekey = k.prekey,
                              .where = k.has_where ? k.where : span(NULL, 0)};
    return h->fn(h->arg, &m);
}

void outbox_hand(struct core *c, const struct id *thread, outbox_handed_fn *fn, void *arg)
{
    struct hand h = {fn, arg};
    view_scan_back(c->view, TABLE_THREAD, SPAN_OF(*thread), hand_row, &h);
}

int outbox_handed_check(struct outbox_message_row *out, const struct network *net,
                        const struct outbox_handed *m, const struct identity *by)
{
    struct mail_letter l;
    struct id hash;
    int err = mail_letter_decode(&l, m->letter, NULL, NULL);
    if (err)
        return err;
    if (l.kind != LETTER_MESSAGE || l.body.n > LETTER_TEXT_MOST || !utf8_ok(l.body, true))
        return SOUK_EFORM;
    *out = (struct outbox_message_row){
        .thread = l.thread, .from = l.from, .to = l.to, .created = l.created, .text = l.body};
    letter_id(&out->letter, net, m->letter);
    if (!m->has_sig)
        return identity_eq(by, &l.from) ? 0 : SOUK_ESIGNATURE;
    letter_signed_hash(&hash, net, &out->letter, &m->prekey, m->where);
    return sign_check(l.from.b, &hash, &m->sig) ? 0 : SOUK_ESIGNATURE;
}

/* ---- listing ---- */
struct list {
    const struct identity *as;
    size_t limit, n;
    struct outbox_message_row *row; /* a heap by time: the oldest on top */
};

static void sift(struct outbox_message_row *row, size_t n, size_t at)
{
    for (;;) {
        size_t least = at, l = 2 * at + 1;
        if (l < n && row[l].created < row[least].created)
            least = l;
        if (l + 1 < n && row[l + 1].created < row[least].created)
            least = l + 1;
        if (least == at)
            return;
        struct outbox_message_row swap = row[at];
        row[at] = row[least];
        row[least] = swap;
        at = least;
    }
}

static bool list_row(void *arg, struct span key, struct span value)
{
    struct list *l = arg;
    struct mail_kept k;
    struct mail_letter m;
    if (key.n != THREAD_KEY_BYTES || mail_kept_decode(&k, value, NULL, NULL) ||
        mail_letter_decode(&m, k.letter, NULL, NULL) ||
        (l->as && !identity_eq(l->as, k.sent ? &m.from : &m.to)))
        return true;
    struct outbox_message_row row = {.thread = m.thread,
                                     .from = m.from,
                                     .to = m.to,
                                     .created = m.created,
                                     .text = m.body,
                                     .sent = k.sent,
                                     .request = k.request};
    memcpy(row.letter.b, key.p + 40, 32);
    if (l->n < l->limit) {
        l->row[l->n++] = row;
        for (size_t i = l->n / 2; l->n == l->limit && i-- > 0;)
            sift(l->row, l->n, i);
    } else if (row.created > l->row[0].created) {
        l->row[0] = row;
        sift(l->row, l->n, 0);
    }
    return true;
}

static int newest_first(const void *a, const void *b)
{
    const struct outbox_message_row *x = a, *y = b;
    if (x->created != y->created)
        return x->created < y->created ? 1 : -1;
    return memcmp(&y->letter, &x->letter, sizeof x->letter);
}

void outbox_messages(struct core *c, const struct identity *as, const struct id *thread, size_t limit,
                     outbox_message_fn *fn, void *arg)
{
    struct list l = {.as = as, .limit = limit < LIST_MOST ? limit : LIST_MOST};
    if (!l.limit)
        return;
    l.row = xcalloc(l.limit, sizeof *l.row);
    view_scan(c->view, TABLE_THREAD, thread ? SPAN_OF(*thread) : span(NULL, 0), span(NULL, 0), list_row,
              &l);
    qsort(l.row, l.n, sizeof *l.row, newest_first);
    for (size_t i = 0; i < l.n && fn(arg, &l.row[i]); i++)
        ;
    free(l.row);
}
