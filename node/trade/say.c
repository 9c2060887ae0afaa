/* say.c: signing, and what goes to disk with a signature: the chain's head, the fact, its letters, an event
 * and what the node keeps beside. */
#include "api.gen.h"
#include "crypto/sign.h"
#include "node/keys/keys.h"
#include "node/market/stub.h"
#include "node/outbox/outbox.h"
#include "node/trade/engine.h"
#include <sodium.h>
#include <stdlib.h>

int trade_event(struct core *c, struct change *into, const char *kind, const struct id *trade,
                struct span text)
{
    struct buf b = {0};
    if (text.n > 400)
        for (text.n = 400; text.n > 0 && (text.p[text.n] & 0xc0) == 0x80;)
            text.n--;
    struct api_event_row row = {.time = c->now.unix_ms,
                                .kind = span_str(kind),
                                .has_subject = true,
                                .subject = *trade,
                                .has_text = text.n > 0,
                                .text = text};
    api_event_row_encode(&b, &row);
    change_event(into, buf_view(&b))->lone = true;
    buf_free(&b);
    return 0;
}

/* ---- whom a kind of fact is for ---- */
enum { FOR_BUYER = 1, FOR_SELLER = 2, FOR_ARBITER = 4, FOR_SUBSTITUTE = 8, FOR_ALL = 15 };

static unsigned audience(const struct trade_view *v, unsigned kind, const struct fact_payout *payout)
{
    const struct trade_state *s = v->state;
    switch (kind) {
    case FACT_OFFER:
    case FACT_COUNTER:
    case FACT_DECLINE:
    case FACT_WITHDRAW:
        return FOR_BUYER | FOR_SELLER;
    case FACT_OPENED:
        return FOR_SELLER;
    case FACT_PAYOUT:
        /* A friendly split goes to who asked for it, a move to who agreed to it: two of three could
         * complete it otherwise. */
        if (payout && v->me.role <= TRADE_SELLER &&
            (payout->has_next || payout_kind_of(s->terms, &payout->split, false) == PAYOUT_SPLIT))
            return FOR_BUYER | FOR_SELLER;
        return FOR_ALL;
    default:
        return FOR_ALL;
    }
}

static size_t add_person(const struct identity **out, size_t n, const struct identity *who,
                         const struct identity *self)
{
    for (size_t i = 0; i < n; i++)
        if (identity_eq(out[i], who))
            return n;
    if (identity_eq(who, self) || n == SAY_PEOPLE)
        return n;
    out[n] = who;
    return n + 1;
}

static size_t add_amendment(const struct identity **out, size_t n, const struct fact_amendment *a,
                            const struct identity *self)
{
    if (a)
        n = add_person(out, n, &a->arbiter, self);
    return a && a->has_substitute ? add_person(out, n, &a->substitute, self) : n;
}

/* Who decides from the next lock on hears what the present arbiter hears, but no payouts of this lock. */
static size_t recipients(const struct trade_view *v, unsigned mask, const struct fact_view *f,
                         const struct identity **out)
{
    size_t n = 0;
    for (unsigned role = TRADE_BUYER; role <= TRADE_SUBSTITUTE; role++) {
        const struct identity *who = mask >> role & 1 ? view_person(v, (enum trade_role)role) : NULL;
        if (who)
            n = add_person(out, n, who, &v->as);
    }
    if (!(mask & FOR_ARBITER) || f->e.kind == FACT_PAYOUT)
        return n;
    for (int by = 0; by < 2; by++)
        n = add_amendment(out, n, v->state->asked[by].amendment, &v->as);
    if (f->e.kind == FACT_REQUEST && f->body.request.has_amendment)
        n = add_amendment(out, n, &f->body.request.amendment, &v->as);
    return n;
}

size_t say_people(const struct trade_view *v, const struct identity **out)
{
    struct fact_view none = {.e = {.kind = FACT_NOTE}};
    size_t n = v->state->terms ? recipients(v, FOR_ALL, &none, out) : 0;
    if (v->state->terms && v->state->terms->has_arbiter) /* who decided before */
        n = add_person(out, n, &v->state->terms->arbiter, &v->as);
    return n;
}

bool say_shareable(const struct trade_view *v, const struct fact_view *f, const struct identity *to)
{
    const struct trade_state *s = v->state;
    bool party = identity_eq(to, &s->buyer) || identity_eq(to, &s->seller);
    if (identity_eq(to, &f->e.author))
        return true;
    if (f->e.kind == FACT_OPENED)
        return identity_eq(to, &s->seller);
    if (f->e.kind != FACT_PAYOUT || party || !s->lock || !id_eq(&f->body.payout.lock, &s->lock->id))
        return true;
    return !f->body.payout.has_next &&
           payout_kind_of(s->terms, &f->body.payout.split, false) != PAYOUT_SPLIT;
}

/* ---- one fact ---- */
static int compare_seen(const void *a, const void *b)
{
    const struct fact_seen *x = a, *y = b;
    return memcmp(&x->author, &y->author, sizeof x->author);
}

static size_t seen_others(const struct trade_view *v, struct fact_seen *out)
{
    const struct fact_view *newest[FACT_SEEN_MOST];
    size_t n = 0;
    for (size_t i = 0; i < v->facts_n; i++) {
        const struct fact_view *f = &v->facts[i];
        size_t at = 0;
        if (identity_eq(&f->e.author, &v->as))
            continue;
        while (at < n && !identity_eq(&newest[at]->e.author, &f->e.author))
            at++;
        if (at == n && n == FACT_SEEN_MOST)
            continue;
        if (at == n)
            newest[n++] = f;
        else if (fact_order(newest[at], f) < 0)
            newest[at] = f;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (struct fact_seen){.author = newest[i]->e.author, .fact = newest[i]->id};
    qsort(out, n, sizeof *out, compare_seen);
    return n;
}

static void put_chain(struct say *s, const struct id *fact)
{
    struct trade_view *v = s->v;
    uint8_t key[65];
    struct buf was = {0}, is = {0};
    if (v->has_chain)
        party_chain_encode(&was, &(struct party_chain){v->epoch, v->seq, v->last});
    struct span expect = buf_view(&was);
    v->has_chain = true;
    v->seq++;
    v->last = *fact;
    party_chain_encode(&is, &(struct party_chain){v->epoch, v->seq, v->last});
    change_put_if(s->into, TABLE_TRADE, trade_row_key(key, ROW_CHAIN, &v->trade, &v->as), buf_view(&is),
                  was.n ? &expect : NULL);
    buf_free(&was);
    buf_free(&is);
}

static int letter(struct say *s, unsigned kind, struct span body, const struct identity *to,
                  struct id *letter_id)
{
    struct id thread;
    outbox_thread(&thread, s->t->network, &s->v->as, to, &s->v->trade);
    return outbox_send(s->c->outbox, s->c, &s->v->as, to, &thread, (enum letter_kind)kind, body, s->into,
                       letter_id, s->r);
}

int say_letter(struct say *s, unsigned kind, struct span body, const struct identity *to)
{
    struct id id;
    return letter(s, kind, body, to, &id);
}

static int send(struct say *s, const struct id *fact, struct span bytes, const struct identity *to)
{
    struct id id;
    uint8_t key[65];
    int err = letter(s, LETTER_FACT, bytes, to, &id);
    if (!err)
        change_put(s->into, TABLE_TRADE, trade_row_key(key, ROW_LETTER, fact, to), SPAN_OF(id));
    return err;
}

static int prepare(struct say *s, unsigned kind, struct span body, struct buf *whole, struct id *id)
{
    struct trade_view *v = s->v;
    struct fact_seen seen[FACT_SEEN_MOST];
    struct buf envelope = {0};
    struct sig sig;
    struct fact_envelope e = {.trade = v->trade,
                              .author = v->as,
                              .epoch = v->epoch,
                              .seq = (uint64_t)v->seq + 1,
                              .has_prev = v->has_chain,
                              .prev = v->last,
                              .seen = seen,
                              .seen_n = seen_others(v, seen),
                              .kind = kind,
                              .time = s->c->now.unix_ms,
                              .body = body};
    int err = fact_prepare(&envelope, id, s->t->network, &e, s->r);
    if (!err)
        err = keys_sign(s->c->keys, s->c, &v->as, USE_DUTY, id, &sig, s->r);
    if (!err)
        fact_seal(whole, buf_view(&envelope), &sig);
    buf_free(&envelope);
    return err;
}

int say_fact(struct say *s, unsigned kind, struct span body, const struct identity *const *to, size_t to_n)
{
    const struct identity *found[SAY_PEOPLE];
    struct buf whole = {0};
    struct arena a;
    struct fact_view f;
    struct entry *e = entry_of(s->t, &s->v->trade);
    if (!e)
        return report_set(s->r, SOUK_EBUSY, "%d trades are open already", TRADES_OPEN_MOST);
    arena_init(&a, 65536);
    memset(&f, 0, sizeof f);
    int err = prepare(s, kind, body, &whole, &f.id);
    struct id id = f.id;
    /* What this node would refuse from others it does not say either. */
    if (!err)
        err = fact_parse(&f, s->t->network, buf_view(&whole), &a, s->r);
    if (!err) {
        put_chain(s, &id);
        change_fact(s->into, &s->v->trade, &id, &s->v->as, s->v->epoch, s->v->seq, buf_view(&whole));
        if (!to) {
            const struct fact_payout *payout = kind == FACT_PAYOUT ? &f.body.payout : NULL;
            to_n = recipients(s->v, audience(s->v, kind, payout), &f, found);
            to = found;
        }
        for (size_t i = 0; i < to_n && !err; i++)
            err = send(s, &id, buf_view(&whole), to[i]);
        entry_pending(s->t, s->c, e, &id);
    }
    if (!err)
        err = trade_event(s->c, s->into, "trade", &s->v->trade, span_str(trade_fact_text(s->c, &f, &a)));
    arena_free(&a);
    buf_free(&whole);
    return err;
}

bool say_sent(struct say *s, const struct fact_view *f, const struct identity *to)
{
    uint8_t key[65];
    struct span row;
    return view_get(s->c->view, TABLE_TRADE, trade_row_key(key, ROW_LETTER, &f->id, to), &row);
}

int say_relay(struct say *s, const struct fact_view *f, const struct identity *to)
{
    return send(s, &f->id, f->bytes, to);
}

void say_keep(struct say *s)
{
    const struct trade_view *v = s->v;
    uint8_t key[65];
    struct buf b = {0};
    struct party_kept k = {.has_goods = v->me.goods != GOODS_UNKNOWN,
                           .goods = v->me.goods,
                           .has_goods_at = v->me.goods_at != 0,
                           .goods_at = v->me.goods_at,
                           .has_signed = v->me.signed_kinds != 0,
                           .signed_ = v->me.signed_kinds,
                           .has_submitted = v->me.submitted_kinds != 0,
                           .submitted = v->me.submitted_kinds,
                           .has_funding = v->me.funding,
                           .funding = v->me.funding,
                           .has_late = v->me.late,
                           .late = v->me.late,
                           .has_relayed = v->relayed,
                           .relayed = v->relayed,
                           .has_sold_out = v->sold_out,
                           .sold_out = v->sold_out,
                           .has_address = v->has_address && v->address.n,
                           .address = v->address,
                           .has_salt = v->has_address && v->address.n,
                           .salt = v->salt,
                           .has_generation = view_generation(v) > 0,
                           .generation = view_generation(v)};
    party_kept_encode(&b, &k);
    change_put(s->into, TABLE_TRADE, trade_row_key(key, ROW_KEPT, &v->trade, &v->as), buf_view(&b));
    buf_wipe(&b);
}

/* ---- keys ---- */
int say_key(struct say *s, struct fact_key *out)
{
    uint8_t sk[64];
    struct id hash;
    memset(out, 0, sizeof *out);
    int err = rail_trade_key(s->c, &s->v->as, &s->v->trade, &out->key, sk, s->r);
    if (!err)
        err = rail_payout_key(s->c, &s->v->as, &s->v->trade, &out->payout, s->r);
    if (!err) {
        fact_possession_hash(&hash, s->t->network, &out->key, &s->v->trade, &s->v->as);
        sign_hash(&out->proof, sk, &hash);
    }
    sodium_memzero(sk, sizeof sk);
    return err;
}

int say_stub_sig(struct say *s, const struct fact_terms *terms, struct sig *out)
{
    struct record_stub stub;
    struct id hash;
    fact_stub(&stub, s->t->network, terms);
    stub_hash(&hash, s->t->network, &stub);
    return keys_sign(s->c->keys, s->c, &s->v->as, USE_DUTY, &hash, out, s->r);
}

/* ---- payouts ---- */
static int payout_sign(struct say *s, const struct fact_split *split, struct trade_key *pk, struct sig *sig)
{
    const struct trade_lock *lock = s->v->state->lock;
    struct rail_split parts = split_for_rail(split);
    uint8_t sk[64];
    int err = rail_trade_key(s->c, &s->v->as, &s->v->trade, pk, sk, s->r);
    if (!err)
        err = rail_payout_sign(sk, s->t->network, &lock->lock, &parts, sig, s->r);
    sodium_memzero(sk, sizeof sk);
    return err;
}

int say_payout(struct say *s, const struct fact_split *split)
{
    struct fact_payout p = {.lock = s->v->state->lock->id, .split = *split};
    struct buf body = {0};
    struct sig sig;
    int err = payout_sign(s, split, &p.key, &sig);
    if (err)
        return err;
    p.sig = SPAN_OF(sig);
    fact_payout_encode(&body, &p);
    err = say_fact(s, FACT_PAYOUT, buf_view(&body), NULL, 0);
    buf_free(&body);
    return err;
}

static int move_sign(struct say *s, struct trade_key *pk, struct sig *sig)
{
    const struct trade_state *st = s->v->state;
    uint8_t sk[64];
    int err = rail_trade_key(s->c, &s->v->as, &s->v->trade, pk, sk, s->r);
    if (!err)
        err = rail_move_sign(sk, s->t->network, &st->lock->lock, &st->next->lock, sig, s->r);
    sodium_memzero(sk, sizeof sk);
    return err;
}

int say_move(struct say *s)
{
    const struct trade_state *st = s->v->state;
    struct fact_payout p = {.lock = st->lock->id, .has_next = true, .next = st->next->id};
    struct buf body = {0};
    struct sig sig;
    int err = move_sign(s, &p.key, &sig);
    if (err)
        return err;
    p.sig = SPAN_OF(sig);
    fact_payout_encode(&body, &p);
    err = say_fact(s, FACT_PAYOUT, buf_view(&body), NULL, 0);
    buf_free(&body);
    return err;
}

int say_move_on(struct say *s)
{
    struct trade_view *v = s->v;
    struct trade_key pk;
    struct sig own, buyers;
    int err = move_sign(s, &pk, &own);
    if (!err && !view_move_sig(v, s->t->network, TRADE_BUYER, &buyers))
        err = report_set(s->r, SOUK_EMISSING, "the buyer's signature of the move is not here");
    if (err)
        return err;
    v->me.signed_kinds |= PAYOUT_MOVE;
    v->me.submitted_kinds |= PAYOUT_MOVE;
    say_keep(s);
    return rails_move(s->c->rails, s->c, &v->trade, &v->state->lock->lock, &v->state->next->lock,
                      RAIL_BUYER, &buyers, RAIL_SELLER, &own, s->into, s->r);
}

/* The signatures that a payout goes to the rail with: our own and one other's, or those of two others. */
int say_submit(struct say *s, const struct move *m)
{
    struct trade_view *v = s->v;
    const struct trade_lock *lock = v->state->lock;
    struct rail_split parts = split_for_rail(&m->split);
    struct sig sig[2];
    enum rail_party by[2];
    struct trade_key pk;
    size_t n = 0;
    if (m->what != MOVE_SUBMIT) {
        int err = payout_sign(s, &m->split, &pk, &sig[n]);
        if (err)
            return err;
        by[n++] = (enum rail_party)v->me.role;
    }
    for (unsigned role = 0; role < 4 && n < 2; role++)
        if ((m->payout->signers >> role & 1) && (n == 0 || by[0] != (enum rail_party)role) &&
            view_payout_sig(v, s->t->network, lock, (enum trade_role)role, &m->split, &sig[n]))
            by[n++] = (enum rail_party)role;
    if (n < 2)
        return report_set(s->r, SOUK_EMISSING, "the other's signature is not here");
    v->me.signed_kinds |= m->what == MOVE_SUBMIT ? 0 : m->payout->kind;
    v->me.submitted_kinds |= m->payout->kind;
    say_keep(s);
    return rails_submit(s->c->rails, s->c, &v->trade, &lock->lock, &parts, by[0], &sig[0], by[1], &sig[1],
                        s->into, s->r);
}
