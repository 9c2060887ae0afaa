/* calls_trades.c: trades as lists and pages. */
#include "node/api/calls_trade.h"
#include "node/keys/keys.h"
#include "node/market/market.h"
#include <stdlib.h>

enum { ROWS_MOST = 1000, VIEW_ARENA = 24 << 20 };

/* ---- a row ---- */
static int64_t updated(const struct trade_view *v)
{
    int64_t at = 0;
    for (size_t i = 0; i < v->facts_n; i++)
        at = v->facts[i].e.time > at ? v->facts[i].e.time : at;
    return at;
}

/* A move as it would be if the owner ordered it now; what the node does unasked stays marked. */
static void ordered(struct core *c, const struct trade_view *v, struct move *m)
{
    struct trade_party me;
    struct move told;
    trades_ordered(v, m->what, c->now.unix_ms, &me);
    trade_may(v->state, &me, m->what, c->now.unix_ms, &told, NULL);
    told.automatic = m->automatic;
    *m = told;
}

/* What went to the rail and has no answer. */
static const char *awaited(const struct trade_view *v)
{
    const struct trade_lock *l = v->state->lock;
    if (!l || l->settled)
        return NULL;
    if (v->me.submitted_kinds & PAYOUT_MOVE)
        return "the money is moving to the new arbiter's lock: it waits for the issuer's node to answer";
    if (v->state->locks_n > 1 && l->funding < FUNDING_CONFIRMED)
        return "the money moved to the new arbiter's lock; it waits to be confirmed there";
    if (v->me.funding && l->funding == FUNDING_NONE)
        return "your payment is on its way: it waits for the issuer's node to answer";
    if (v->me.submitted_kinds || v->me.late)
        return "the payout is on its way: it waits for the issuer's node to answer";
    return NULL;
}

static const char *frozen_text(const struct core *c, const struct trade_view *v, struct arena *a)
{
    size_t asked, told = trade_recall_told(v, &asked);
    int64_t until = trade_recall_until(v),
            left = until > c->now.unix_ms ? (until - c->now.unix_ms) / 1000 : 0;
    return arena_printf(a,
                        "frozen: an older copy of the store was put back; %zu of %zu others told what was "
                        "said since (at most %lld h %lld min more)",
                        told, asked, (long long)(left / 3600), (long long)(left / 60 % 60));
}

/* What is to be done, and how long there is for it. */
static const char *next_text(struct core *c, const struct trade_view *v, struct arena *a, bool *turn)
{
    struct move moves[MOVES_MAX];
    const char *lapsed = trade_lapsed(v->state, c->now.unix_ms), *waits = awaited(v);
    *turn = false;
    if (v->me.frozen && !trade_settled(v->state))
        return frozen_text(c, v, a);
    if (lapsed || waits)
        return lapsed ? lapsed : waits;
    size_t n = trade_moves(v->state, &v->me, c->now.unix_ms, moves);
    for (size_t i = 0; i < n; i++) {
        ordered(c, v, &moves[i]);
        if (!moves[i].turn)
            continue;
        int64_t left = moves[i].until ? (moves[i].until - c->now.unix_ms) / 1000 : 0;
        *turn = true;
        if (!moves[i].until)
            return trade_move_sentence(moves[i].what);
        return arena_printf(a, "%s (%lld h %lld min left)", trade_move_sentence(moves[i].what),
                            (long long)(left / 3600), (long long)(left / 60 % 60));
    }
    return trade_phase_sentence(v->state->phase);
}

void trade_row_of(struct core *c, const struct trade_view *v, struct arena *a, struct api_trade_row *out)
{
    const struct trade_state *s = v->state;
    struct market_listing l;
    char text[64];
    memset(out, 0, sizeof *out);
    out->trade = v->trade;
    out->role = v->me.role == TRADE_BUYER    ? API_ROLE_BUYER
                : v->me.role == TRADE_SELLER ? API_ROLE_SELLER
                                             : API_ROLE_ARBITER;
    out->phase = span_str(trade_phase_name(s->phase));
    out->with = v->me.role == TRADE_BUYER ? s->seller : s->buyer;
    out->updated = updated(v);
    out->title = span_str("");
    out->total_text = span_str("");
    if (s->terms) {
        out->total = s->terms->total;
        out->total_text = arena_copy(a, span_str(market_money(c, &out->total, text, sizeof text)));
        if (market_listing(c, &s->terms->listing, a, &l, NULL) == 0)
            out->title = arena_copy(a, l.body.title);
    }
    const char *next = next_text(c, v, a, &out->turn);
    out->next = span_str(next ? next : "");
}

/* ---- lists ---- */
struct walk {
    struct core *c;
    struct arena *a;
    const struct identity *as;
    bool open, arbiter;
    struct api_trade_row *row;
    size_t n;
};

static bool walk_one(void *arg, const struct id *trade)
{
    struct walk *w = arg;
    struct trade_view v;
    struct arena own;
    arena_init(&own, VIEW_ARENA);
    int err = trades_view(w->c->trades, w->c, trade, w->as, &own, &v, NULL);
    bool judge = v.me.role == TRADE_ARBITER || v.me.role == TRADE_SUBSTITUTE;
    if (!err && v.me.role != TRADE_NOBODY && (!w->arbiter || judge) &&
        (!w->open || !(trade_settled(v.state) || trade_lapsed(v.state, w->c->now.unix_ms)))) {
        struct api_trade_row *row = &w->row[w->n];
        trade_row_of(w->c, &v, w->a, row);
        /* What lies in the look's own memory is copied: the look ends here. */
        row->next = arena_copy(w->a, row->next);
        w->n++;
    }
    arena_free(&own);
    return w->n < ROWS_MOST;
}

int do_trade_list(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(trade_list);
    struct walk w = {.c = c,
                     .a = a,
                     .as = p.has_as ? &p.as : NULL,
                     .open = p.has_open && p.open,
                     .row = arena_array(a, ROWS_MOST, sizeof *w.row)};
    view_trades(c->view, walk_one, &w);
    struct api_trade_list_result res = {.trades = w.row, .trades_n = w.n};
    API_RESULT(c, call, trade_list, &res);
    return 0;
}

int do_cases(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(arbiter_cases);
    struct walk w = {.c = c,
                     .a = a,
                     .as = p.has_as ? &p.as : NULL,
                     .arbiter = true,
                     .row = arena_array(a, ROWS_MOST, sizeof *w.row)};
    view_trades(c->view, walk_one, &w);
    struct api_arbiter_cases_result res = {.cases = w.row, .cases_n = w.n};
    API_RESULT(c, call, arbiter_cases, &res);
    return 0;
}

/* ---- a page ---- */
static void show_moves(struct core *c, const struct trade_view *v, struct arena *a,
                       struct api_trade_show_result *res)
{
    struct move moves[MOVES_MAX];
    size_t n = v->me.role == TRADE_NOBODY ? 0 : trade_moves(v->state, &v->me, c->now.unix_ms, moves);
    struct api_move *row = arena_array(a, n ? n : 1, sizeof *row);
    for (size_t i = 0; row && i < n; i++) {
        ordered(c, v, &moves[i]);
        row[i] = (struct api_move){.name = span_str(trade_move_name(moves[i].what)),
                                   .may = moves[i].may,
                                   .has_until = moves[i].until != 0,
                                   .until = moves[i].until,
                                   .has_due = moves[i].automatic,
                                   .due = moves[i].automatic,
                                   .has_why = !moves[i].may};
        if (!moves[i].may)
            row[i].why = arena_copy(a, span_str(moves[i].why));
    }
    res->moves = row;
    res->moves_n = row ? n : 0;
}

static int by_time(const void *x, const void *y)
{
    const struct api_fact_row *a = x, *b = y;
    return a->time < b->time ? -1 : a->time > b->time;
}

static void show_facts(struct core *c, const struct trade_view *v, struct arena *a,
                       struct api_trade_show_result *res)
{
    size_t n = v->facts_n < 500 ? v->facts_n : 500;
    struct api_fact_row *row = arena_array(a, n ? n : 1, sizeof *row);
    for (size_t i = 0; row && i < n; i++) {
        const struct fact_view *f = &v->facts[i];
        const char *delivery = trade_fact_delivery(c, f);
        row[i] = (struct api_fact_row){.id = f->id,
                                       .kind = span_str(fact_name((unsigned)f->e.kind)),
                                       .author = f->e.author,
                                       .time = f->e.time,
                                       .verified = true, /* nothing else is stored */
                                       .has_delivery = delivery[0] != 0,
                                       .delivery = span_str(delivery),
                                       .has_text = true,
                                       .text = span_str(trade_fact_text(c, f, a))};
    }
    if (row)
        qsort(row, n, sizeof *row, by_time);
    res->facts = row;
    res->facts_n = row ? n : 0;
}

static void show_lock(struct core *c, const struct trade_view *v, struct api_trade_show_result *res)
{
    const struct trade_lock *l = v->state->lock;
    res->funding = span_str(trade_funding_name(l ? l->funding : FUNDING_NONE));
    if (!l)
        return;
    struct fact_split give = payout_release(v->state->terms), back = payout_refund(v->state->terms);
    struct rail_split release = split_for_rail(&give), refund = split_for_rail(&back);
    res->has_lock = true;
    res->lock = l->id;
    res->confirmations = l->confirmations < 1000 ? l->confirmations : 1000;
    res->has_release = rail_payout_id(&res->release, c->network, &l->lock, &release, NULL) == 0;
    res->has_refund = rail_payout_id(&res->refund, c->network, &l->lock, &refund, NULL) == 0;
    if (l->settled && !l->moved) {
        res->has_settled = true;
        res->settled = (struct api_split){
            .buyer = l->paid.buyer, .seller = l->paid.seller, .arbiter = l->paid.arbiter};
    }
}

static void show_terms(const struct trade_view *v, struct api_trade_show_result *res)
{
    const struct fact_terms *t = v->state->terms;
    const struct trade_lock *l = v->state->lock;
    if (!t)
        return;
    res->has_arbiter = t->has_arbiter;
    res->arbiter = l && l->has_arbiter ? l->arbiter : t->arbiter;
    res->listing = t->listing;
    res->has_fund_by = res->has_ship_by = res->has_deliver_by = true;
    res->has_inspect_end = res->has_rule_by = res->has_late_at = true;
    res->fund_by = t->fund_by;
    res->ship_by = t->ship_by;
    res->deliver_by = t->deliver_by;
    res->inspect_end = t->inspect_end;
    res->rule_by = l ? l->rule_by : t->rule_by;
    res->late_at = l ? l->late_at : t->late_at;
}

/* Another arbiter, as one of the two or both ask for it. */
static void show_next(const struct trade_view *v, struct api_trade_show_result *res)
{
    const struct trade_state *s = v->state;
    const struct trade_asked *asked =
        &s->asked[s->asked[TRADE_BUYER].amendment ? TRADE_BUYER : TRADE_SELLER];
    if (!asked->amendment)
        return;
    res->has_next_arbiter = res->has_next_asked = res->has_next_answer = true;
    res->has_next_rule_by = res->has_next_late_at = true;
    res->next_arbiter = asked->amendment->arbiter;
    res->next_rule_by = asked->amendment->rule_by;
    res->next_late_at = asked->amendment->late_at;
    res->next_asked = span_str(trade_agreed_next(s)              ? "both"
                               : asked == &s->asked[TRADE_BUYER] ? "buyer"
                                                                 : "seller");
    res->next_answer = span_str(asked->enrol[0] ? "consents" : asked->refused ? "refuses" : "none yet");
}

int do_trade_show(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(trade_show);
    struct trade_view v;
    struct arena own;
    struct identity stories[TRADE_STORIES_MOST];
    struct api_trade_show_result res;
    memset(&res, 0, sizeof res);
    arena_init(&own, VIEW_ARENA);
    int err = trades_view(c->trades, c, &p.trade, NULL, &own, &v, r);
    if (!err) {
        const struct trade_state *s = v.state;
        trade_row_of(c, &v, a, &res.row);
        res.buyer = s->buyer;
        res.seller = s->seller;
        show_terms(&v, &res);
        show_lock(c, &v, &res);
        show_next(&v, &res);
        struct span address = trade_address(c, &v);
        res.has_address = address.n > 0;
        res.address = address;
        show_moves(c, &v, a, &res);
        show_facts(c, &v, a, &res);
        for (size_t i = 0; i < s->stories_n; i++)
            stories[i] = s->stories[i].author;
        res.two_stories = stories;
        res.two_stories_n = s->stories_n;
        res.has_ruling = s->ruling != NULL;
        if (s->ruling)
            res.ruling = s->ruling->body.ruling.reasons;
        API_RESULT(c, call, trade_show, &res);
    }
    arena_free(&own);
    return err;
}
