/* calls_credit.c: the money of a community: issuing, joining, paying, auditing. */
#include "crypto/record.h"
#include "node/api/call.h"
#include "node/keys/keys.h"
#include "node/market/market.h"
#include "node/rail/rail.h"
#include <stdio.h>
#include <stdlib.h>

enum { ISSUER_DAYS = 365, BALANCES_MOST = 64, WAIT_MS = 30000 };

static void done_ok(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    (void)change, (void)carry;
    call_ok(c, call);
}

/* Money moves only in a spend session, or when the passphrase comes with the call. */
static int may_spend(struct core *c, const struct identity *as, bool has, struct span passphrase,
                     struct report *r)
{
    struct id nothing = {{0}};
    struct sig sig;
    if (!has)
        return keys_sign(c->keys, c, as, USE_SPEND, &nothing, &sig, r);
    return keys_unlock(c->keys, c, as, passphrase, 1, r);
}

static void issuer_done(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct api_credit_issuer_result res;
    (void)carry;
    if (!market_published(c, change, &res.id)) {
        call_error(c, call, SOUK_ESTALE, "a newer issuer record of yours stands");
        return;
    }
    API_RESULT(c, call, credit_issuer, &res);
}

static int do_issuer(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(credit_issuer);
    struct identity as;
    struct buf body = {0};
    char topic[72];
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (err)
        return err;
    struct change *ch = call_change(c, call, issuer_done, span(NULL, 0));
    struct rail_issuer what = {.name = p.name,
                               .code = p.code,
                               .about = p.has_about ? p.about : span_str(""),
                               .decimals = (unsigned)p.decimals,
                               .limit_minor = p.has_limit_minor ? (int64_t)p.limit_minor : 0,
                               .auto_approve = p.has_auto_approve && p.auto_approve};
    err = rails_issuer(c->rails, c, &as, &what, ch, &body, r);
    struct market_draft draft = {.author = as,
                                 .kind = RECORD_ISSUER,
                                 .topic = span(topic, market_topic_people(topic, &as)),
                                 .body = buf_view(&body),
                                 .expires = c->now.unix_ms + INT64_C(86400000) * ISSUER_DAYS};
    if (!err)
        err = market_publish(c->market, c, &draft, ch, r);
    buf_free(&body);
    if (err)
        change_free(ch);
    return err;
}

static int do_join(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(credit_join);
    struct identity as;
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (err)
        return err;
    struct change *ch = call_change(c, call, done_ok, span(NULL, 0));
    err = rails_join(c->rails, c, &as, &p.issuer, p.has_note ? p.note : span_str(""), ch, r);
    return call_end(c, ch, err);
}

static int do_approve(struct core *c, struct call *call, struct span params, struct arena *a,
                      struct report *r)
{
    API_PARAMS(credit_approve);
    struct identity as;
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (!err)
        err = may_spend(c, &as, p.has_passphrase, p.passphrase, r);
    if (err)
        return err;
    struct change *ch = call_change(c, call, done_ok, span(NULL, 0));
    err = rails_approve(c->rails, c, &as, &p.member, p.has_limit_minor ? (int64_t)p.limit_minor : -1,
                        p.has_refuse && p.refuse, ch, r);
    return call_end(c, ch, err);
}

struct members {
    struct arena *a;
    struct api_member_row *row;
    size_t n, most;
};

static bool add_member(void *arg, const struct rail_member *m)
{
    struct members *w = arg;
    w->row[w->n++] = (struct api_member_row){.id = m->id,
                                             .state = span_str(m->state),
                                             .limit_minor = m->limit_minor,
                                             .balance_minor = -m->drawn_minor};
    return w->n < w->most;
}

static int do_members(struct core *c, struct call *call, struct span params, struct arena *a,
                      struct report *r)
{
    API_PARAMS(credit_members);
    enum { MOST = 10000 };
    struct members w = {a, arena_array(a, MOST, sizeof(struct api_member_row)), 0, MOST};
    rails_members(c->rails, c, add_member, &w);
    struct api_credit_members_result res = {.members = w.row, .members_n = w.n};
    API_RESULT(c, call, credit_members, &res);
    return 0;
}

/* ---- transfers: answered when the ledger has answered ---- */
struct moved {
    struct id transfer;
    bool mint;
};

static bool moved_again(struct core *c, const struct call *call, struct span carry)
{
    struct moved m;
    memcpy(&m, carry.p, sizeof m);
    int err = rails_outcome(c->rails, c, &m.transfer);
    if (err == SOUK_EBUSY)
        return false;
    if (err) {
        call_error(c, call, err, err == SOUK_ENOT_FOUND ? NULL : "the issuer refused this transfer");
        return true;
    }
    if (m.mint) {
        struct api_credit_mint_result res = {.transfer = m.transfer};
        API_RESULT(c, call, credit_mint, &res);
    } else {
        struct api_credit_pay_result res = {.transfer = m.transfer};
        API_RESULT(c, call, credit_pay, &res);
    }
    return true;
}

static void moved_done(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    (void)change;
    call_wait(c, call, moved_again, carry, WAIT_MS);
}

static int do_mint(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(credit_mint);
    struct identity as;
    struct moved m = {.mint = true};
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (!err)
        err = may_spend(c, &as, p.has_passphrase, p.passphrase, r);
    if (err)
        return err;
    struct change *ch = call_change(c, call, moved_done, SPAN_OF(m));
    struct moved *out = call_carry(ch);
    err = rails_mint(c->rails, c, &as, &p.member, p.minor, p.has_note ? p.note : span_str(""), ch,
                     &out->transfer, r);
    return call_end(c, ch, err);
}

static int do_pay(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(credit_pay);
    struct identity as;
    struct moved m = {.mint = false};
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (!err)
        err = may_spend(c, &as, p.has_passphrase, p.passphrase, r);
    if (err)
        return err;
    struct change *ch = call_change(c, call, moved_done, SPAN_OF(m));
    struct moved *out = call_carry(ch);
    err = rails_pay(c->rails, c, &as, &p.issuer, &p.to, p.minor, p.has_note ? p.note : span_str(""), ch,
                    &out->transfer, r);
    return call_end(c, ch, err);
}

static void issuer_words(struct core *c, const struct identity *issuer, struct arena *a,
                         struct api_balance_row *row)
{
    struct record_row at;
    struct record rec;
    struct record_issuer m;
    char text[64];
    row->name = row->code = span_str("");
    if (market_of(c, issuer, RECORD_ISSUER, &at, &rec) &&
        record_issuer_decode(&m, rec.body, a, NULL) == 0) {
        row->name = m.name;
        row->code = m.code;
        row->decimals = m.decimals;
    }
    struct amount amount = {.minor = row->minor};
    memcpy(amount.currency.b, issuer->b, sizeof issuer->b);
    row->text = arena_copy(a, span_str(market_money(c, &amount, text, sizeof text)));
}

static int do_balance(struct core *c, struct call *call, struct span params, struct arena *a,
                      struct report *r)
{
    API_PARAMS(credit_balance);
    struct identity as;
    struct rail_balance b[BALANCES_MOST];
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (err)
        return err;
    size_t n = rails_balances(c->rails, c, &as, p.has_issuer ? &p.issuer : NULL, b, BALANCES_MOST);
    if (!n && p.has_issuer)
        b[n++] = (struct rail_balance){.issuer = p.issuer, .member = ""};
    struct api_balance_row *rows = arena_array(a, n + 1, sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        rows[i] = (struct api_balance_row){.issuer = b[i].issuer,
                                           .minor = b[i].minor,
                                           .limit_minor = b[i].limit_minor,
                                           .member = span_str(b[i].member),
                                           .notes = b[i].notes};
        issuer_words(c, &b[i].issuer, a, &rows[i]);
    }
    struct api_credit_balance_result res = {.balances = rows, .balances_n = n};
    API_RESULT(c, call, credit_balance, &res);
    return 0;
}

struct movements {
    struct arena *a;
    struct api_credit_row *row;
    size_t n, most;
};

static bool add_movement(void *arg, const struct rail_movement *m)
{
    struct movements *w = arg;
    w->row[w->n++] = (struct api_credit_row){
        .time = m->time, .minor = m->minor, .text = arena_copy(w->a, m->words), .receipt = true};
    return w->n < w->most;
}

static int do_history(struct core *c, struct call *call, struct span params, struct arena *a,
                      struct report *r)
{
    API_PARAMS(credit_history);
    struct identity as;
    enum { MOST = 1000 };
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (err)
        return err;
    struct movements w = {a, arena_array(a, MOST, sizeof(struct api_credit_row)), 0, MOST};
    rails_history(c->rails, c, &as, &p.issuer, add_movement, &w);
    struct api_credit_history_result res = {.rows = w.row, .rows_n = w.n};
    API_RESULT(c, call, credit_history, &res);
    return 0;
}

static void audit_done(void *arg, struct core *c, const struct rail_audit *au)
{
    struct call *call = arg;
    if (au->err)
        call_error(c, call, au->err, au->text);
    else {
        struct api_credit_audit_result res = {.size = au->size,
                                              .root = au->root,
                                              .consistent = au->consistent,
                                              .heads = au->heads,
                                              .leaves_checked = au->leaves_checked,
                                              .double_spends = au->double_spends,
                                              .own_leaves = au->own_leaves,
                                              .own_missing = au->own_missing,
                                              .fraud = au->fraud,
                                              .text = span_str(au->text)};
        API_RESULT(c, call, credit_audit, &res);
    }
    free(call);
}

static int do_audit(struct core *c, struct call *call, struct span params, struct arena *a,
                    struct report *r)
{
    API_PARAMS(credit_audit);
    struct call *keep = xmemdup(call, sizeof *call);
    int err = rails_audit(c->rails, c, &p.issuer, audit_done, keep, r);
    if (err)
        free(keep);
    return err;
}

const struct call_row calls_credit[] = {{"credit.issuer", do_issuer},   {"credit.join", do_join},
                                        {"credit.approve", do_approve}, {"credit.members", do_members},
                                        {"credit.mint", do_mint},       {"credit.pay", do_pay},
                                        {"credit.balance", do_balance}, {"credit.history", do_history},
                                        {"credit.audit", do_audit},     {NULL, NULL}};
