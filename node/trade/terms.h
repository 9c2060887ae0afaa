/* terms.h: what terms must satisfy before anyone signs them (rule 1), and how a person's few choices
 * become full terms.
 *
 * Rule 1.  Deadlines are absolute times in the terms: fund by <= ship by < deliver by <= inspect end; the
 * arbiter takes no dispute after the cut-off = inspect end + delta; rule by >= the cut-off; a substitute
 * may act from rule by until its own rule by; T >= max(last rule by, inspect end + 2 delta) + 3 delta. */
#ifndef SOUK_TRADE_TERMS_H
#define SOUK_TRADE_TERMS_H
#include "crypto/base/err.h"
#include "fact.gen.h"

/* Names every mistake at once (report_add).  Pure: says nothing about the present time.
 * SOUK_EINVALID, SOUK_ERANGE, SOUK_EMISSING; 0 when the terms may be signed. */
int terms_check(const struct fact_terms *t, struct report *r);
/* As above for what depends on the time: a proposal that stands no longer, or deadlines already past. */
int terms_timely(const struct fact_terms *t, int64_t now_ms, struct report *r);

/* Durations that a person may give; 0 takes the default beside it. */
struct terms_choice {
    uint64_t valid_ms;   /* how long the proposal stands: 3 days */
    uint64_t fund_ms;    /* after valid_until: 3 days */
    uint64_t ship_ms;    /* after fund-by: 3 days */
    uint64_t deliver_ms; /* after ship-by: 7 days */
    uint64_t inspect_ms; /* after deliver-by: 3 days */
    uint64_t rule_ms;    /* after the cut-off: 7 days */
    uint64_t delta_ms;   /* 48 hours */
};
/* Fills total, the deadlines and delta of t from its price, quantity, units, shipping and the choice.
 * fund_by counts from valid_until, so that who accepts late still has its time.  SOUK_ERANGE on overflow,
 * SOUK_EINVALID on mixed currencies. */
int terms_default(struct fact_terms *t, const struct terms_choice *choice, int64_t now_ms,
                  struct report *r);
/* price x quantity x units + shipping, checked. */
int terms_total(struct amount *out, const struct fact_terms *t);
/* total + deposit: what the lock holds. */
int terms_locked(struct amount *out, const struct fact_terms *t);
/* The arbiter's fee on a lock of that size: basis points, at least the minimum, never more than the lock.
 */
int64_t terms_fee(const struct fact_terms *t, int64_t locked_minor);
/* Amendments (rule 10: a new lock has new rule-by and T) obey rule 1 as well, and both times lie at least
 * TERMS_MOVE_DELTAS delta after those of the lock before, as in spec/escrow.pml (MOVE_TIME): a move that is
 * submitted at the old rule-by leaves time to hear and to rule. */
enum { TERMS_MOVE_DELTAS = 5 };
struct terms_times {
    int64_t rule_by, late_at;
};
int terms_amend_check(const struct fact_terms *t, const struct terms_times *before,
                      const struct fact_amendment *a, struct report *r);
/* The times of an amendment that is asked for now: rule_ms (0: as long as the terms give) after a move that
 * is on its way at once. */
int terms_amend_default(struct fact_amendment *a, const struct fact_terms *t,
                        const struct terms_times *before, uint64_t rule_ms, int64_t now_ms,
                        struct report *r);
/* The last moment at which the arbiter may take a dispute. */
int64_t terms_cutoff(const struct fact_terms *t);
#endif
