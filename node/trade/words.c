/* words.c: a dispute hands who decides what the two wrote to each other about the listing and the trade, as
 * part of the file: the other's letters with their signatures, one's own as one's own word. */
#include "node/outbox/outbox.h"
#include "node/trade/engine.h"

enum { WORDS_MOST = 32, PAGE_BYTES = 9000, PAGES_MOST = 4 };

struct words {
    struct arena *a;
    struct fact_handed v[WORDS_MOST];
    size_t n;
};

static bool take_one(void *arg, const struct outbox_handed *m)
{
    struct words *w = arg;
    if (m->letter.n > 8600 || w->n == WORDS_MOST)
        return w->n < WORDS_MOST;
    w->v[w->n++] = (struct fact_handed){.letter = arena_copy(w->a, m->letter),
                                        .has_sig = m->has_sig,
                                        .sig = m->sig,
                                        .has_prekey = m->has_sig,
                                        .prekey = m->prekey,
                                        .has_where = m->has_sig && m->where.n > 0,
                                        .where = arena_copy(w->a, m->where)};
    return true;
}

static size_t bytes_of(const struct fact_handed *m)
{
    return m->letter.n + m->where.n + 128;
}

static int say_page(struct say *s, const struct fact_handed *v, size_t n)
{
    struct buf body = {0};
    fact_evidence_encode(&body,
                         &(struct fact_evidence){.has_messages = true, .messages = v, .messages_n = n});
    int err = say_fact(s, FACT_EVIDENCE, buf_view(&body), NULL, 0);
    buf_free(&body);
    return err;
}

int say_words(struct say *s)
{
    const struct trade_view *v = s->v;
    const struct identity *with = view_person(v, v->me.role == TRADE_BUYER ? TRADE_SELLER : TRADE_BUYER);
    const struct id *about[] = {&v->trade, &v->state->terms->listing};
    struct arena a;
    struct id thread;
    int err = 0;
    arena_init(&a, 1 << 20);
    struct words *w = arena_alloc(&a, sizeof *w);
    MUST(w != NULL);
    *w = (struct words){.a = &a};
    for (int i = 0; i < 2 && v->state->terms->has_arbiter; i++) {
        outbox_thread(&thread, s->t->network, &v->as, with, about[i]);
        outbox_hand(s->c, &thread, take_one, w);
    }
    for (size_t at = 0, page = 0; at < w->n && page < PAGES_MOST && !err; page++) {
        size_t n = 0, bytes = 0;
        while (at + n < w->n && (n == 0 || bytes + bytes_of(&w->v[at + n]) <= PAGE_BYTES))
            bytes += bytes_of(&w->v[at + n++]);
        err = say_page(s, w->v + at, n);
        at += n;
    }
    arena_free(&a);
    return err;
}

bool trade_words_read(struct core *c, const struct trade_view *v, const struct fact_view *f, size_t i,
                      struct outbox_message_row *out, bool *proven)
{
    const struct fact_handed *h = &f->body.evidence.messages[i];
    struct outbox_handed m = {.letter = h->letter,
                              .where = h->has_where ? h->where : span(NULL, 0),
                              .has_sig = h->has_sig && h->has_prekey,
                              .sig = h->sig,
                              .prekey = h->prekey};
    int err = outbox_handed_check(out, c->network, &m, &f->e.author);
    *proven = err == 0;
    return (err == 0 || err == SOUK_ESIGNATURE) && trade_role_of(v->state, &out->from) <= TRADE_SELLER &&
           trade_role_of(v->state, &out->to) <= TRADE_SELLER;
}
