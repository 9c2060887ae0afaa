/* calls_people.c: profiles, follows and blocks, ratings, and the terms of arbiters. */
#include "crypto/hash.h"
#include "crypto/record.h"
#include "node/api/call.h"
#include "node/keys/keys.h"
#include "node/market/categories.h"
#include "node/market/market.h"
#include "node/market/regions.h"

enum { FOUND_MOST = 64, MARKED_MOST = 4096, RATINGS = 50, ARBITERS_MOST = 500 };
/* Renewed with every revision; long, since nobody publishes a profile often. */
static const int64_t life_ms = INT64_C(365) * 86400000;

static void profile_done(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct api_profile_publish_result res;
    (void)carry;
    if (market_published(c, change, &res.id))
        API_RESULT(c, call, profile_publish, &res);
    else
        call_error(c, call, SOUK_ESTALE, "a newer revision stands already");
}

static int publish(struct core *c, struct call *call, const struct identity *as, uint8_t kind,
                   struct buf *body, call_done *done, struct report *r)
{
    char topic[72];
    struct change *ch = call_change(c, call, done, span(NULL, 0));
    market_topic_people(topic, as);
    struct market_draft d = {.author = *as,
                             .kind = kind,
                             .topic = span_str(topic),
                             .body = buf_view(body),
                             .expires = c->now.unix_ms + life_ms};
    int err = market_publish(c->market, c, &d, ch, r);
    if (err)
        change_free(ch);
    buf_free(body);
    return err;
}

/* The hash under which strangers pin the recovery key that the first profile names. */
static bool recovery_of(struct core *c, const struct identity *who, struct id *out)
{
    struct key_row rows[KEYS_MOST];
    size_t n = keys_list(c->keys, rows);
    for (size_t i = 0; i < n; i++)
        if (identity_eq(&rows[i].identity, who)) {
            hash_souk_one(out, c->network, "souk:recovery", SPAN_OF(rows[i].recovery));
            return true;
        }
    return false;
}

static int do_profile_publish(struct core *c, struct call *call, struct span params, struct arena *a,
                              struct report *r)
{
    API_PARAMS(profile_publish);
    struct identity as;
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (err)
        return err;
    if (p.has_region && !region_ok(p.region))
        return report_set(r, SOUK_EINVALID, "region: '%.*s' is not an ISO 3166 code such as FR",
                          (int)p.region.n, (const char *)p.region.p);
    struct buf body = {0};
    struct record_profile m = {.name = p.name,
                               .has_about = p.has_about && p.about.n,
                               .about = p.about,
                               .has_languages = p.has_languages && p.languages_n,
                               .languages = p.languages,
                               .languages_n = p.languages_n,
                               .has_region = p.has_region,
                               .region = p.region,
                               .has_away_until = p.has_away_until && p.away_until > c->now.unix_ms,
                               .away_until = p.away_until,
                               .has_node = p.has_show_node && p.show_node,
                               .node = *keys_node(c->keys)};
    m.has_recovery = recovery_of(c, &as, &m.recovery);
    record_profile_encode(&body, &m);
    return publish(c, call, &as, RECORD_PROFILE, &body, profile_done, r);
}

static int do_profile_show(struct core *c, struct call *call, struct span params, struct arena *a,
                           struct report *r)
{
    API_PARAMS(profile_show);
    struct record_row row;
    struct record rec;
    struct record_profile m = {0};
    struct market_person facts;
    bool has = market_of(c, &p.id, RECORD_PROFILE, &row, &rec) &&
               record_profile_decode(&m, rec.body, a, NULL) == 0;
    market_person(c->market, c, &p.id, &facts);
    if (!has && !facts.listings && !facts.ratings && !keys_own(c->keys, &p.id))
        return report_set(r, SOUK_ENOT_FOUND, "nothing is known here of this person");
    struct api_profile_show_result res = {.has_name = has,
                                          .name = m.name,
                                          .has_about = m.has_about,
                                          .about = m.about,
                                          .has_languages = m.has_languages,
                                          .languages = m.languages,
                                          .languages_n = m.languages_n,
                                          .has_region = m.has_region,
                                          .region = m.region,
                                          .has_away_until = m.has_away_until,
                                          .away_until = m.away_until,
                                          .has_show_node = m.has_node,
                                          .show_node = m.has_node,
                                          .listings = facts.listings,
                                          .ratings = facts.ratings,
                                          .stars_sum = facts.stars_sum,
                                          .counterparts = facts.counterparts,
                                          .own = keys_own(c->keys, &p.id)};
    API_RESULT(c, call, profile_show, &res);
    return 0;
}

struct people {
    struct identity *v;
    size_t n, most;
};

static bool one_person(void *arg, const struct identity *who)
{
    struct people *found = arg;
    for (size_t i = 0; i < found->n; i++)
        if (identity_eq(&found->v[i], who))
            return true; /* had two names that begin so, one after the other */
    found->v[found->n++] = *who;
    return found->n < found->most;
}

static int do_person_find(struct core *c, struct call *call, struct span params, struct arena *a,
                          struct report *r)
{
    API_PARAMS(person_find);
    struct people found = {arena_array(a, FOUND_MOST, sizeof(struct identity)), 0, FOUND_MOST};
    if (!found.v)
        return SOUK_ERANGE;
    market_people_named(c, p.name, one_person, &found);
    struct api_person_find_result res = {.people = found.v, .people_n = found.n};
    API_RESULT(c, call, person_find, &res);
    return 0;
}

static void marked(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    (void)change;
    (void)carry;
    call_ok(c, call);
}

static int do_people_mark(struct core *c, struct call *call, struct span params, struct arena *a,
                          struct report *r)
{
    API_PARAMS(people_mark);
    static const struct {
        const char *word;
        enum market_mark mark;
        bool on;
    } words[] = {{"follow", MARK_FOLLOW, true},
                 {"unfollow", MARK_FOLLOW, false},
                 {"block", MARK_BLOCK, true},
                 {"unblock", MARK_BLOCK, false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!span_eq(p.mark, span_str(words[i].word)))
            continue;
        struct change *ch = call_change(c, call, marked, span(NULL, 0));
        market_mark(ch, &p.id, words[i].mark, words[i].on);
        call_commit(c, ch);
        return 0;
    }
    return report_set(r, SOUK_EINVALID, "mark: follow, unfollow, block or unblock");
}

static int do_people_marked(struct core *c, struct call *call, struct span params, struct arena *a,
                            struct report *r)
{
    API_PARAMS(people_marked);
    (void)p;
    struct people follows = {arena_array(a, MARKED_MOST, sizeof(struct identity)), 0, MARKED_MOST};
    struct people blocks = {arena_array(a, MARKED_MOST, sizeof(struct identity)), 0, MARKED_MOST};
    if (!follows.v || !blocks.v)
        return SOUK_ERANGE;
    market_marks(c, MARK_FOLLOW, one_person, &follows);
    market_marks(c, MARK_BLOCK, one_person, &blocks);
    struct api_people_marked_result res = {
        .follows = follows.v, .follows_n = follows.n, .blocks = blocks.v, .blocks_n = blocks.n};
    API_RESULT(c, call, people_marked, &res);
    return 0;
}

/* ---- ratings ---- */
struct ratings {
    struct arena *a;
    struct api_rating_row *rows;
    size_t n, most;
};

static bool one_rating(void *arg, const struct market_rating *rating)
{
    struct ratings *k = arg;
    const struct record_rating *b = &rating->body;
    k->rows[k->n++] = (struct api_rating_row){.id = rating->id,
                                              .author = rating->author,
                                              .subject = b->subject,
                                              .stars = b->stars,
                                              .has_words = b->has_words,
                                              .words = b->has_words ? arena_copy(k->a, b->words) : b->words,
                                              .trade = b->proof.stub.trade,
                                              .created = rating->created,
                                              .funded = rating->funded};
    return k->n < k->most;
}

static int do_rating_list(struct core *c, struct call *call, struct span params, struct arena *a,
                          struct report *r)
{
    API_PARAMS(rating_list);
    struct ratings k = {.a = a, .most = p.has_limit ? p.limit : RATINGS};
    if (!(k.rows = arena_array(a, k.most, sizeof *k.rows)))
        return SOUK_ERANGE;
    struct api_rating_list_result res = {.refused =
                                             market_ratings(c->market, c, &p.subject, one_rating, &k)};
    res.ratings = k.rows;
    res.ratings_n = k.n;
    API_RESULT(c, call, rating_list, &res);
    return 0;
}

/* ---- arbiters ---- */
static void arbiter_done(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct api_arbiter_publish_result res;
    (void)carry;
    if (market_published(c, change, &res.id))
        API_RESULT(c, call, arbiter_publish, &res);
    else
        call_error(c, call, SOUK_ESTALE, "a newer revision stands already");
}

static int do_arbiter_publish(struct core *c, struct call *call, struct span params, struct arena *a,
                              struct report *r)
{
    API_PARAMS(arbiter_publish);
    struct identity as;
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (err)
        return err;
    for (size_t i = 0; i < p.categories_n; i++)
        if (!category_find(p.categories[i]))
            return report_set(r, SOUK_EINVALID, "categories: there is no '%.*s'", (int)p.categories[i].n,
                              (const char *)p.categories[i].p);
    struct buf body = {0};
    struct record_arbiter m = {.fee_bp = p.fee_bp,
                               .has_currencies = p.has_currencies && p.currencies_n,
                               .currencies = p.currencies,
                               .currencies_n = p.currencies_n,
                               .languages = p.languages,
                               .languages_n = p.languages_n,
                               .has_categories = p.has_categories && p.categories_n,
                               .categories = p.categories,
                               .categories_n = p.categories_n,
                               .delay_ms = p.delay_ms,
                               .has_policy = p.has_policy && p.policy.n,
                               .policy = p.policy,
                               .by_rule = p.has_by_rule && p.by_rule};
    record_arbiter_encode(&body, &m);
    return publish(c, call, &as, RECORD_ARBITER, &body, arbiter_done, r);
}

struct arbiters {
    struct core *c;
    struct arena *a;
    struct api_arbiter_row *rows;
    size_t n;
};

/* Cases that a rating of the arbiter proves: anybody can count them alike. */
static bool count_case(void *arg, const struct market_rating *rating)
{
    const struct record_stub *s = &rating->body.proof.stub;
    *(uint64_t *)arg += s->has_arbiter && identity_eq(&s->arbiter, &rating->body.subject);
    return true;
}

/* The name in a person's profile, or false. */
static bool name_of(struct core *c, const struct identity *who, struct arena *a, struct span *out)
{
    struct record_row row;
    struct record rec;
    struct record_profile profile;
    if (!market_of(c, who, RECORD_PROFILE, &row, &rec) ||
        record_profile_decode(&profile, rec.body, a, NULL))
        return false;
    *out = profile.name;
    return true;
}

static bool arbiter_of(struct core *c, const struct identity *who, struct arena *a, struct record *rec,
                       struct record_arbiter *m, struct api_arbiter_row *out)
{
    struct record_row row;
    if (!market_of(c, who, RECORD_ARBITER, &row, rec) || record_arbiter_decode(m, rec->body, a, NULL))
        return false;
    *out = (struct api_arbiter_row){.id = *who,
                                    .fee_bp = m->fee_bp,
                                    .languages = m->languages,
                                    .languages_n = m->languages_n,
                                    .delay_ms = m->delay_ms,
                                    .by_rule = m->by_rule};
    out->has_name = name_of(c, who, a, &out->name);
    market_ratings(c->market, c, who, count_case, &out->ruled);
    return true;
}

static bool one_arbiter(void *arg, const struct identity *who)
{
    struct arbiters *k = arg;
    struct record rec;
    struct record_arbiter m;
    k->n += arbiter_of(k->c, who, k->a, &rec, &m, &k->rows[k->n]);
    return k->n < ARBITERS_MOST;
}

static int do_arbiter_show(struct core *c, struct call *call, struct span params, struct arena *a,
                           struct report *r)
{
    API_PARAMS(arbiter_show);
    struct record rec;
    struct record_arbiter m;
    struct api_arbiter_show_result res = {.published = 0};
    if (!arbiter_of(c, &p.id, a, &rec, &m, &res.arbiter))
        return report_set(
            r, SOUK_ENOT_FOUND,
            "no terms of this arbiter are known here; `souk arbiter list` shows those that are");
    res.currencies = m.currencies;
    res.currencies_n = m.currencies_n;
    res.categories = m.categories;
    res.categories_n = m.categories_n;
    res.has_policy = m.has_policy;
    res.policy = m.policy;
    res.published = rec.created;
    API_RESULT(c, call, arbiter_show, &res);
    return 0;
}

static int do_arbiter_list(struct core *c, struct call *call, struct span params, struct arena *a,
                           struct report *r)
{
    API_PARAMS(arbiter_list);
    (void)p;
    struct arbiters k = {.c = c, .a = a, .rows = arena_array(a, ARBITERS_MOST, sizeof *k.rows)};
    if (!k.rows)
        return SOUK_ERANGE;
    market_arbiters(c, one_arbiter, &k);
    struct api_arbiter_list_result res = {.arbiters = k.rows, .arbiters_n = k.n};
    API_RESULT(c, call, arbiter_list, &res);
    return 0;
}

/* ---- issuers ---- */
enum { ISSUERS_MOST = 500 };
struct issuers {
    struct core *c;
    struct arena *a;
    struct api_issuer_row *rows;
    size_t n;
};

static bool one_issuer(void *arg, const struct identity *who)
{
    struct issuers *k = arg;
    struct record_row row;
    struct record rec;
    struct record_issuer m;
    if (!market_of(k->c, who, RECORD_ISSUER, &row, &rec) || record_issuer_decode(&m, rec.body, k->a, NULL))
        return true;
    struct api_issuer_row *out = &k->rows[k->n++];
    *out = (struct api_issuer_row){.id = *who,
                                   .name = m.name,
                                   .code = m.code,
                                   .decimals = m.decimals,
                                   .has_about = m.has_about,
                                   .about = m.about};
    out->has_owner = name_of(k->c, who, k->a, &out->owner);
    return k->n < ISSUERS_MOST;
}

static int do_credit_issuers(struct core *c, struct call *call, struct span params, struct arena *a,
                             struct report *r)
{
    API_PARAMS(credit_issuers);
    (void)p;
    struct issuers k = {.c = c, .a = a, .rows = arena_array(a, ISSUERS_MOST, sizeof *k.rows)};
    if (!k.rows)
        return SOUK_ERANGE;
    market_issuers(c, one_issuer, &k);
    struct api_credit_issuers_result res = {.issuers = k.rows, .issuers_n = k.n};
    API_RESULT(c, call, credit_issuers, &res);
    return 0;
}

const struct call_row calls_people[] = {{"profile.publish", do_profile_publish},
                                        {"profile.show", do_profile_show},
                                        {"person.find", do_person_find},
                                        {"people.mark", do_people_mark},
                                        {"people.marked", do_people_marked},
                                        {"rating.list", do_rating_list},
                                        {"arbiter.publish", do_arbiter_publish},
                                        {"arbiter.list", do_arbiter_list},
                                        {"arbiter.show", do_arbiter_show},
                                        {"credit.issuers", do_credit_issuers},
                                        {NULL, NULL}};
