/* terms.c: see terms.h. */
#include "node/trade/terms.h"

#define HOUR_MS UINT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define TIME_MOST INT64_C(253402300799999)

static int times(struct amount *a, uint64_t factor)
{
    struct amount zero = {0, a->currency}, sum = zero, unit = *a;
    /* Double and add through the checked sum: no product can slip past the bound. */
    for (uint64_t f = factor; f > 0; f >>= 1) {
        int err = (f & 1) ? amount_add(&sum, &sum, &unit) : 0;
        if (err)
            return err;
        if (f > 1 && (err = amount_add(&unit, &unit, &unit)) != 0)
            return err;
    }
    *a = sum;
    return 0;
}

int terms_total(struct amount *out, const struct fact_terms *t)
{
    struct amount sum = t->price;
    int err = times(&sum, t->quantity);
    if (!err && t->has_units)
        err = times(&sum, t->units);
    if (!err && t->has_shipping)
        err = amount_add(&sum, &sum, &t->shipping);
    if (!err)
        *out = sum;
    return err;
}

int terms_locked(struct amount *out, const struct fact_terms *t)
{
    if (!t->has_deposit) {
        *out = t->total;
        return 0;
    }
    return amount_add(out, &t->total, &t->deposit);
}

int64_t terms_fee(const struct fact_terms *t, int64_t locked_minor)
{
    struct amount all = {locked_minor, t->total.currency}, fee = {0, t->total.currency};
    if (amount_share(&fee, &all, (uint32_t)t->fee_bp) != 0)
        fee.minor = 0;
    if (t->has_fee_least && fee.minor < t->fee_least.minor)
        fee.minor = t->fee_least.minor;
    return fee.minor < locked_minor ? fee.minor : locked_minor;
}

int64_t terms_cutoff(const struct fact_terms *t)
{
    return t->inspect_end + (int64_t)t->delta_ms;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The end of rule 1, which terms and amendments share. */
static void check_end(const struct fact_terms *t, int64_t rule_by, bool has_substitute, bool has_until,
                      int64_t until, int64_t late_at, struct report *r)
{
    int64_t delta = (int64_t)t->delta_ms;
    if (rule_by < terms_cutoff(t))
        report_add(r, SOUK_EINVALID,
                   "rule_by must not lie before inspect_end + delta, the last moment for "
                   "a dispute to arrive");
    if (has_substitute != has_until)
        report_add(r, SOUK_EINVALID,
                   "a substitute needs substitute_rule_by, and only a substitute has one");
    else if (has_until && until <= rule_by)
        report_add(r, SOUK_EINVALID, "substitute_rule_by must lie after rule_by");
    int64_t last = has_until ? later(rule_by, until) : rule_by;
    if (late_at < later(last, t->inspect_end + 2 * delta) + 3 * delta)
        report_add(r, SOUK_EINVALID,
                   "late_at must lie at least 3 delta after the last rule_by and after "
                   "inspect_end + 2 delta");
}

static void check_people(const struct fact_terms *t, struct report *r)
{
    if (identity_eq(&t->buyer, &t->seller))
        report_add(r, SOUK_EINVALID, "buyer and seller must be two people");
    if (t->has_arbiter && (identity_eq(&t->arbiter, &t->buyer) || identity_eq(&t->arbiter, &t->seller)))
        report_add(r, SOUK_EINVALID, "the arbiter must be neither buyer nor seller");
    if (!t->has_arbiter && t->rail != RECORD_RAIL_DIRECT)
        report_add(r, SOUK_EMISSING, "an arbiter is needed on every rail but direct");
    if (t->has_substitute && !t->has_arbiter)
        report_add(r, SOUK_EINVALID, "a substitute needs an arbiter to stand in for");
    if (t->has_substitute &&
        (identity_eq(&t->substitute, &t->buyer) || identity_eq(&t->substitute, &t->seller) ||
         (t->has_arbiter && identity_eq(&t->substitute, &t->arbiter))))
        report_add(r, SOUK_EINVALID, "the substitute must be a fourth person");
}

static void check_money(const struct fact_terms *t, struct report *r)
{
    struct amount total, locked;
    int err = terms_total(&total, t);
    if (err == SOUK_EINVALID)
        report_add(r, err, "price and shipping must be in one currency");
    else if (err)
        report_add(r, err, "the total is too large");
    else if (!currency_eq(&total.currency, &t->total.currency) || total.minor != t->total.minor)
        report_add(r, SOUK_EINVALID, "the total must be price x quantity x units + shipping = %lld",
                   (long long)total.minor);
    err = terms_locked(&locked, t);
    if (err)
        report_add(r, err, "the deposit must be in the total's currency and fit beside it");
    else if (locked.minor <= 0)
        report_add(r, SOUK_EINVALID, "there must be something to pay");
    if (t->has_fee_least && !currency_eq(&t->fee_least.currency, &t->total.currency))
        report_add(r, SOUK_EINVALID, "the least fee must be in the total's currency");
    else if (t->has_fee_least && err == 0 && t->fee_least.minor > locked.minor)
        report_add(r, SOUK_EINVALID, "the least fee must not exceed what is locked");
    if (t->has_deposit && !t->has_rental)
        report_add(r, SOUK_EINVALID, "only a rental has a deposit");
    bool credit = t->rail == RECORD_RAIL_CREDIT || t->rail == RECORD_RAIL_MOCK;
    if (credit && (!t->has_issuer || memcmp(&t->issuer, &t->total.currency, sizeof t->issuer) != 0))
        report_add(r, SOUK_EINVALID, "on the %s rail the issuer must be named and be the currency",
                   record_rail_name(t->rail));
    if (!credit && t->has_issuer)
        report_add(r, SOUK_EINVALID, "the %s rail has no issuer", record_rail_name(t->rail));
}

static void check_rental(const struct fact_terms *t, struct report *r)
{
    if (t->has_units != t->has_rental)
        report_add(r, SOUK_EINVALID, "a rental has a period and units of time; nothing else has them");
    if (t->has_rental && t->rental.from >= t->rental.until)
        report_add(r, SOUK_EINVALID, "the rental must end after it begins");
    if (t->has_rental && t->rental.until > t->inspect_end)
        report_add(r, SOUK_EINVALID, "the rental must end by inspect_end");
}

int terms_check(const struct fact_terms *t, struct report *r)
{
    struct report own = {0};
    if (r == NULL)
        r = &own;
    memset(r, 0, sizeof *r);
    check_people(t, r);
    check_money(t, r);
    check_rental(t, r);
    if (t->valid_until > t->fund_by)
        report_add(r, SOUK_EINVALID, "the proposal must not stand longer than fund_by");
    if (t->fund_by > t->ship_by)
        report_add(r, SOUK_EINVALID, "ship_by must not lie before fund_by");
    if (t->ship_by >= t->deliver_by)
        report_add(r, SOUK_EINVALID, "deliver_by must lie after ship_by");
    if (t->deliver_by > t->inspect_end)
        report_add(r, SOUK_EINVALID, "inspect_end must not lie before deliver_by");
    check_end(t, t->rule_by, t->has_substitute, t->has_substitute_rule_by, t->substitute_rule_by,
              t->late_at, r);
    return r->err;
}

int terms_timely(const struct fact_terms *t, int64_t now_ms, struct report *r)
{
    if (now_ms > t->valid_until)
        return report_set(r, SOUK_EEXPIRED, "the proposal stands no longer; make a new one");
    if (now_ms > t->fund_by)
        return report_set(r, SOUK_EEXPIRED, "fund_by has passed; make a new proposal");
    return 0;
}

int terms_amend_check(const struct fact_terms *t, const struct terms_times *before,
                      const struct fact_amendment *a, struct report *r)
{
    int64_t room = TERMS_MOVE_DELTAS * (int64_t)t->delta_ms;
    struct report own = {0};
    if (r == NULL)
        r = &own;
    memset(r, 0, sizeof *r);
    struct fact_terms amended = *t;
    amended.has_arbiter = true;
    amended.arbiter = a->arbiter;
    amended.has_substitute = a->has_substitute;
    amended.substitute = a->substitute;
    check_people(&amended, r);
    check_end(t, a->rule_by, a->has_substitute, a->has_substitute_rule_by, a->substitute_rule_by,
              a->late_at, r);
    if (a->rule_by - room < before->rule_by || a->late_at - room < before->late_at)
        report_add(r, SOUK_EINVALID,
                   "rule_by and late_at must lie at least %d delta after those of the lock before",
                   TERMS_MOVE_DELTAS);
    return r->err;
}

static bool step(int64_t *at, int64_t from, uint64_t chosen, uint64_t otherwise)
{
    uint64_t by = chosen ? chosen : otherwise;
    if (from < 0 || by > (uint64_t)TIME_MOST || from > TIME_MOST - (int64_t)by)
        return false;
    *at = from + (int64_t)by;
    return true;
}

int terms_amend_default(struct fact_amendment *a, const struct fact_terms *t,
                        const struct terms_times *before, uint64_t rule_ms, int64_t now_ms,
                        struct report *r)
{
    int64_t delta = (int64_t)t->delta_ms, room = TERMS_MOVE_DELTAS * delta;
    uint64_t long_enough = rule_ms ? rule_ms : (uint64_t)(t->rule_by - terms_cutoff(t));
    int64_t from = later(now_ms + room, terms_cutoff(t)), last;
    bool ok = step(&a->rule_by, from, long_enough, 1);
    a->rule_by = later(a->rule_by, before->rule_by + room);
    last = a->rule_by;
    a->has_substitute_rule_by = a->has_substitute;
    if (ok && a->has_substitute) {
        ok = step(&a->substitute_rule_by, a->rule_by, long_enough, 1);
        last = a->substitute_rule_by;
    }
    ok = ok && step(&a->late_at, later(last, t->inspect_end + 2 * delta), 3 * t->delta_ms, 0);
    a->late_at = later(a->late_at, before->late_at + room);
    if (!ok || a->late_at > TIME_MOST)
        return report_set(r, SOUK_ERANGE, "a deadline lies beyond the year 9999");
    return terms_amend_check(t, before, a, r);
}

int terms_default(struct fact_terms *t, const struct terms_choice *choice, int64_t now_ms, struct report *r)
{
    struct fact_terms f = *t;
    int err = terms_total(&f.total, &f);
    if (err)
        return report_set(r, err, "the total cannot be reckoned: one currency, at most 10^15");
    f.delta_ms = choice->delta_ms ? choice->delta_ms : 48 * HOUR_MS;
    if (f.delta_ms > 7 * DAY_MS)
        return report_set(r, SOUK_ERANGE, "delta is at most a week");
    int64_t last;
    bool ok = step(&f.valid_until, now_ms, choice->valid_ms, 3 * DAY_MS) &&
              step(&f.fund_by, f.valid_until, choice->fund_ms, 3 * DAY_MS) &&
              step(&f.ship_by, f.fund_by, choice->ship_ms, 3 * DAY_MS) &&
              step(&f.deliver_by, f.ship_by, choice->deliver_ms, 7 * DAY_MS) &&
              step(&f.inspect_end, f.deliver_by, choice->inspect_ms, 3 * DAY_MS) &&
              step(&f.rule_by, terms_cutoff(&f), choice->rule_ms, 7 * DAY_MS);
    last = f.rule_by;
    f.has_substitute_rule_by = f.has_substitute;
    if (ok && f.has_substitute) {
        ok = step(&f.substitute_rule_by, f.rule_by, choice->rule_ms, 7 * DAY_MS);
        last = f.substitute_rule_by;
    }
    ok = ok && step(&f.late_at, later(last, f.inspect_end + 2 * (int64_t)f.delta_ms), 3 * f.delta_ms, 0);
    if (!ok)
        return report_set(r, SOUK_ERANGE, "a deadline lies beyond the year 9999");
    /* A thing that is lent comes back before the inspection ends. */
    if (f.has_rental && f.rental.until > f.inspect_end) {
        int64_t shift = f.rental.until - f.inspect_end;
        f.inspect_end += shift;
        f.rule_by += shift;
        f.substitute_rule_by += f.has_substitute ? shift : 0;
        f.late_at += shift;
        if (f.late_at > TIME_MOST)
            return report_set(r, SOUK_ERANGE, "a deadline lies beyond the year 9999");
    }
    *t = f;
    return 0;
}
