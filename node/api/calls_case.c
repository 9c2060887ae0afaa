/* calls_case.c: the file of a case, for who decides. */
#include "node/api/calls_trade.h"
#include "node/market/market.h"
#include "node/outbox/outbox.h"
#include "node/trade/terms.h"
#include <stdlib.h>

enum { VIEW_ARENA = 24 << 20, FILE_MOST = 500, MISSING_MOST = 32, MESSAGES_MOST = 128 };

static void show_contract(struct core *c, const struct trade_state *s, const struct fact_terms *t,
                          struct arena *a, struct api_arbiter_case_result *res)
{
    const struct trade_lock *l = s->lock;
    struct amount locked;
    char text[64];
    if (terms_locked(&locked, t))
        locked = t->total;
    res->listing = t->listing;
    res->delivery = span_str(record_delivery_mode_name(t->delivery));
    res->locked_text = arena_copy(a, span_str(market_money(c, &locked, text, sizeof text)));
    res->locked_minor = locked.minor;
    res->fee_minor = terms_fee(t, locked.minor);
    res->late_buyer_minor = payout_late(t).buyer;
    res->funding =
        span_str(t->rail == RECORD_RAIL_DIRECT ? "nothing is held on the direct rail"
                                               : trade_funding_name(l ? l->funding : FUNDING_NONE));
    res->ship_by = t->ship_by;
    res->deliver_by = t->deliver_by;
    res->inspect_end = t->inspect_end;
    res->dispute_by = terms_cutoff(t);
    res->rule_by = l ? l->rule_by : t->rule_by;
    res->late_at = l ? l->late_at : t->late_at;
}

static void show_claims(const struct trade_view *v, struct arena *a, struct api_arbiter_case_result *res)
{
    static const char *const answers[] = {"none", "open", "taken", "too late"};
    struct api_claim *row = arena_array(a, 2, sizeof *row);
    for (int who = 0; row && who < 2; who++) {
        const struct trade_dispute *d = &v->state->disputes[who];
        if (!d->fact)
            continue;
        const struct fact_dispute *m = &d->fact->body.dispute;
        row[res->claims_n++] = (struct api_claim){
            .by = span_str(trade_role_name((enum trade_role)who)),
            .claim = m->claim,
            .has_want = m->has_want,
            .want = {.buyer = m->want.buyer, .seller = m->want.seller, .arbiter = m->want.arbiter},
            .time = d->fact->e.time,
            .has_arrived = v->me.dispute_arrived[who] != 0,
            .arrived = v->me.dispute_arrived[who],
            .answer = span_str(answers[d->how])};
    }
    res->claims = row;
}

static int by_time(const void *x, const void *y)
{
    const struct api_entry *a = x, *b = y;
    return a->time != b->time ? (a->time < b->time ? -1 : 1) : a->no < b->no ? -1 : a->no > b->no;
}

static void show_file(struct core *c, const struct trade_view *v, struct arena *a,
                      struct api_arbiter_case_result *res)
{
    size_t n = v->facts_n < FILE_MOST ? v->facts_n : FILE_MOST;
    struct api_entry *row = arena_array(a, n ? n : 1, sizeof *row);
    for (size_t i = 0; row && i < n; i++) {
        const struct fact_view *f = &v->facts[i];
        bool photos = f->e.kind == FACT_EVIDENCE && f->body.evidence.photos_n;
        row[i] = (struct api_entry){.by = span_str(trade_author_name(v, &f->e.author)),
                                    .no = f->e.seq,
                                    .time = f->e.time,
                                    .kind = span_str(fact_name((unsigned)f->e.kind)),
                                    .text = span_str(trade_fact_text(c, f, a)),
                                    .id = f->id,
                                    .has_photos = photos,
                                    .photos = photos ? f->body.evidence.photos : NULL,
                                    .photos_n = photos ? f->body.evidence.photos_n : 0};
    }
    if (row)
        qsort(row, n, sizeof *row, by_time);
    res->file = row;
    res->file_n = row ? n : 0;
}

/* ---- what the two wrote to each other ---- */
struct said {
    struct id letter;
    int rank; /* how well it is proven */
};

static void add_said(struct core *c, const struct trade_view *v, const struct fact_view *f, size_t i,
                     struct said *seen, struct api_said *row, size_t *n)
{
    static const char *const proofs[] = {"NOT proven: only the other says so", "its author says so",
                                         "signed by its author"};
    struct outbox_message_row m;
    bool proven;
    size_t at = 0;
    if (!trade_words_read(c, v, f, i, &m, &proven))
        return;
    int rank = !proven ? 0 : f->body.evidence.messages[i].has_sig ? 2 : 1;
    while (at < *n && !id_eq(&seen[at].letter, &m.letter))
        at++;
    if (at == MESSAGES_MOST || (at < *n && seen[at].rank >= rank))
        return;
    *n += at == *n;
    seen[at] = (struct said){m.letter, rank};
    row[at] = (struct api_said){.from = span_str(trade_author_name(v, &m.from)),
                                .time = m.created,
                                .text = m.text,
                                .proof = span_str(proofs[rank])};
}

static int said_by_time(const void *x, const void *y)
{
    const struct api_said *a = x, *b = y;
    return a->time < b->time ? -1 : a->time > b->time;
}

static void show_messages(struct core *c, const struct trade_view *v, struct arena *a,
                          struct api_arbiter_case_result *res)
{
    struct api_said *row = arena_array(a, MESSAGES_MOST, sizeof *row);
    struct said *seen = arena_array(a, MESSAGES_MOST, sizeof *seen);
    for (size_t i = 0; row && seen && i < v->facts_n; i++)
        if (v->facts[i].e.kind == FACT_EVIDENCE && v->facts[i].body.evidence.has_messages)
            for (size_t k = 0; k < v->facts[i].body.evidence.messages_n; k++)
                add_said(c, v, &v->facts[i], k, seen, row, &res->messages_n);
    if (row)
        qsort(row, res->messages_n, sizeof *row, said_by_time);
    res->messages = row;
}

static const struct fact_view *fact_of(const struct trade_view *v, const struct id *id)
{
    for (size_t i = 0; i < v->facts_n; i++)
        if (id_eq(&v->facts[i].id, id))
            return &v->facts[i];
    return NULL;
}

static void show_doubts(struct core *c, const struct trade_view *v, struct arena *a,
                        struct api_arbiter_case_result *res)
{
    const char *missing[MISSING_MOST];
    size_t n = trade_missing(v, a, missing, MISSING_MOST);
    struct api_gap *gap = arena_array(a, n ? n : 1, sizeof *gap);
    struct api_story *row = arena_array(a, TRADE_STORIES_MOST, sizeof *row);
    for (size_t i = 0; gap && i < n; i++)
        gap[i].what = span_str(missing[i]);
    res->missing = gap;
    res->missing_n = gap ? n : 0;
    for (size_t i = 0; row && i < v->state->stories_n; i++) {
        const struct trade_story *s = &v->state->stories[i];
        const struct fact_view *one = fact_of(v, &s->first), *two = fact_of(v, &s->second);
        if (one && two)
            row[res->stories_n++] = (struct api_story){.by = span_str(trade_author_name(v, &s->author)),
                                                       .no = one->e.seq,
                                                       .first = span_str(trade_fact_text(c, one, a)),
                                                       .second = span_str(trade_fact_text(c, two, a))};
    }
    res->stories = row;
}

int do_case(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(arbiter_case);
    struct trade_view v;
    struct arena own;
    struct move rule;
    struct api_arbiter_case_result res = {.delivery = span_str("")};
    arena_init(&own, VIEW_ARENA);
    int err = trades_view(c->trades, c, &p.trade, NULL, &own, &v, r);
    if (!err && v.me.role != TRADE_ARBITER && v.me.role != TRADE_SUBSTITUTE)
        err = report_set(r, SOUK_ENOT_ALLOWED,
                         "you do not decide this one; `souk arbiter cases` lists those that you do");
    const struct fact_terms *terms = err ? NULL : v.state->terms;
    if (!err && !terms)
        err = report_set(r, SOUK_ENOT_FOUND, "its contract has not come yet; look again in a while");
    if (!err && terms) {
        trade_row_of(c, &v, a, &res.row);
        show_contract(c, v.state, terms, a, &res);
        show_claims(&v, a, &res);
        show_file(c, &v, a, &res);
        show_messages(c, &v, a, &res);
        show_doubts(c, &v, a, &res);
        res.may_rule = trade_may(v.state, &v.me, MOVE_RULE, c->now.unix_ms, &rule, NULL) == 0;
        res.has_why = !res.may_rule;
        res.why = span_str(rule.why);
        API_RESULT(c, call, arbiter_case, &res);
    }
    arena_free(&own);
    return err;
}
