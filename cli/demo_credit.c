/* demo_credit.c: the issuer's and the arbiter's part of `souk demo`, and what a bystander sees of it all.
 */
#include "cli/demo.h"

enum { WAIT_MS = 60000, MINTED_MINOR = 25000, FEE_BP = 300, RULING_MS = 5000 };

/* ---- credit ---- */
static void join(struct demo *d, enum demo_who who)
{
    struct api_credit_join_result joined;
    struct api_credit_members_result members;
    struct api_credit_approve_result approved;
    struct api_credit_balance_result m;
    bool asked = false;
    struct until u = until(d, who, WAIT_MS, "the issuer's record, to join");
    do
        MAYBE(d, who, credit_join, &joined, .issuer = d->node[ISSUER].id, .has_note = true,
              .note = span_str(d->node[who].name));
    while (d->last.err && until_more(&u));
    u = until(d, ISSUER, WAIT_MS, "the request to join");
    do {
        ASK(d, ISSUER, credit_members, &members, 0);
        for (size_t i = 0; i < members.members_n; i++)
            asked |= identity_eq(&members.members[i].id, &d->node[who].id);
    } while (!asked && until_more(&u));
    ASK(d, ISSUER, credit_approve, &approved, .member = d->node[who].id);
    u = until(d, who, WAIT_MS, "the issuer's approval");
    do
        ASK(d, who, credit_balance, &m, .has_issuer = true, .issuer = d->node[ISSUER].id);
    while (!(m.balances_n && span_eq(m.balances[0].member, span_str("approved"))) && until_more(&u));
    if (m.balances_n)
        demo_say(d, who, "member of %s: %s, with %s", demo_text(d, m.balances[0].name),
                 demo_text(d, m.balances[0].member), demo_text(d, m.balances[0].text));
}

void demo_credit(struct demo *d)
{
    struct api_credit_issuer_result made;
    struct api_credit_mint_result minted;
    struct api_credit_balance_result m;
    ASK(d, ISSUER, credit_issuer, &made, .name = span_str("Sol du Grand Marché"), .code = span_str("SOL"),
        .decimals = 2, .has_about = true,
        .about = span_str("One sol is worth about a quarter of an hour."));
    demo_say(d, ISSUER, "issues credit; its record is %s", demo_short(d, &made.id));
    join(d, BUYER);
    join(d, SELLER);
    join(d, ARBITER);
    ASK(d, ISSUER, credit_mint, &minted, .member = d->node[BUYER].id, .minor = MINTED_MINOR,
        .has_note = true, .note = span_str("Bienvenue"));
    demo_say(d, ISSUER, "minted for %s: transfer %s is in the ledger", demo_short(d, &d->node[BUYER].id),
             demo_short(d, &minted.transfer));
    struct until u = until(d, BUYER, WAIT_MS, "the minted notes");
    do
        ASK(d, BUYER, credit_balance, &m, .has_issuer = true, .issuer = d->node[ISSUER].id);
    while (!(m.balances_n && m.balances[0].minor >= MINTED_MINOR) && until_more(&u));
    demo_balance(d, BUYER);
}

void demo_balance(struct demo *d, enum demo_who who)
{
    struct api_credit_balance_result m;
    ASK(d, who, credit_balance, &m, .has_issuer = true, .issuer = d->node[ISSUER].id);
    if (m.balances_n)
        demo_say(d, who, "balance: %s, unspent notes: %u", demo_text(d, m.balances[0].text),
                 (unsigned)m.balances[0].notes);
}

/* ---- the arbiter ---- */
void demo_arbiter(struct demo *d)
{
    static const struct span languages[] = {{(const uint8_t *)"fr", 2}, {(const uint8_t *)"en", 2}};
    struct api_arbiter_publish_result made;
    struct api_arbiter_list_result m;
    ASK(d, ARBITER, arbiter_publish, &made, .fee_bp = FEE_BP, .languages = languages, .languages_n = 2,
        .delay_ms = RULING_MS, .has_policy = true,
        .policy = span_str("I read what both wrote, then I decide. No answer counts as no objection."),
        .has_by_rule = true, .by_rule = true);
    struct until u = until(d, BUYER, WAIT_MS, "the arbiter's terms");
    do
        ASK(d, BUYER, arbiter_list, &m, 0);
    while (!m.arbiters_n && until_more(&u));
    if (m.arbiters_n)
        demo_say(d, BUYER, "%s arbitrates for %.2f %%, promises a ruling within %llu s, consents %s",
                 demo_text(d, m.arbiters[0].name), (double)m.arbiters[0].fee_bp / 100,
                 (unsigned long long)m.arbiters[0].delay_ms / 1000,
                 m.arbiters[0].by_rule ? "by rule" : "by hand");
}

/* ---- somebody who had no part in it ---- */
static void see_ratings(struct demo *d, enum demo_who of)
{
    struct api_rating_list_result m;
    struct until u = until(d, BYSTANDER, WAIT_MS, "a rating that verifies");
    do {
        ASK(d, BYSTANDER, rating_list, &m, .subject = d->node[of].id);
        if (m.refused)
            report_set(&d->last, SOUK_EREFUSED, "the proof of a rating does not hold here");
    } while (!m.ratings_n && until_more(&u));
    for (size_t i = 0; i < m.ratings_n; i++)
        demo_say(d, BYSTANDER, "%s was rated %llu of 5 by %s, %s: %s", demo_short(d, &m.ratings[i].subject),
                 (unsigned long long)m.ratings[i].stars, demo_short(d, &m.ratings[i].author),
                 m.ratings[i].funded ? "of a trade that was funded" : "funding not shown",
                 demo_text(d, m.ratings[i].words));
}

void demo_ratings(struct demo *d)
{
    struct api_profile_show_result who;
    see_ratings(d, SELLER);
    see_ratings(d, BUYER);
    ASK(d, BYSTANDER, profile_show, &who, .id = d->node[SELLER].id);
    demo_say(d, BYSTANDER, "%s: %llu listings, %llu verified ratings by %llu people, %llu stars",
             demo_text(d, who.name), (unsigned long long)who.listings, (unsigned long long)who.ratings,
             (unsigned long long)who.counterparts, (unsigned long long)who.stars_sum);
}

void demo_bystander(struct demo *d)
{
    struct api_search_run_result found;
    struct api_credit_audit_result audit;
    ASK(d, BYSTANDER, search_run, &found, .has_type = true, .type = RECORD_LISTING_TYPE_SERVICE,
        .has_region = true, .region = span_str("IE"), .has_limit = true, .limit = 3);
    demo_say(d, BYSTANDER, "search --type service --region IE: %llu found",
             (unsigned long long)found.total);
    for (size_t i = 0; i < found.listings_n; i++)
        demo_say(d, BYSTANDER, "  %s, %s", demo_text(d, found.listings[i].title),
                 demo_text(d, found.listings[i].price_text));
    ASK(d, BYSTANDER, credit_audit, &audit, .issuer = d->node[ISSUER].id);
    demo_say(d, BYSTANDER, "audit of %s's ledger: %s", demo_short(d, &d->node[ISSUER].id),
             demo_text(d, audit.text));
    demo_say(d, BYSTANDER, "%llu leaves under root %s, %u heads compared: %s, %llu double spends%s",
             (unsigned long long)audit.leaves_checked, demo_short(d, &audit.root), (unsigned)audit.heads,
             audit.consistent ? "consistent" : "NOT consistent", (unsigned long long)audit.double_spends,
             audit.fraud ? ", FRAUD" : "");
    if (!d->err && (!audit.consistent || audit.fraud || audit.double_spends || !audit.leaves_checked))
        demo_fail(d, BYSTANDER, SOUK_ECONFLICT, "the ledger of an honest issuer should hold: %s",
                  demo_text(d, audit.text));
}
