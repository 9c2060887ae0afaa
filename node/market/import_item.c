/* import_item.c: one listing of a file, field by field. */
#include "node/market/import_item.h"
#include "crypto/base/amount.h"
#include "node/market/categories.h"
#include "node/market/market.h"
#include "node/market/regions.h"
#include <stdlib.h>

enum {
    TITLE_MOST = 140,
    DESCRIPTION_MOST = 6000,
    TAGS_MOST = 12,
    PHOTOS_MOST = 12,
    QUANTITY_MOST = 100000,
    DAYS_MOST = 90,
    PATH_MOST = 300,
    NEAREST_MOST = 50
};

struct judge {
    struct import *im;
    const struct item *it;
    const struct import_options *o;
    struct import_row row;
    const struct category *category;
    bool bad;
};

#define WRONG(j, f, ...)                                                                           \
    do {                                                                                           \
        (j)->bad = true;                                                                           \
        import_fault((j)->im, (j)->it->line, (j)->it->json, import_field_name((f), (j)->it->json), \
                     __VA_ARGS__);                                                                 \
    } while (0)
#define SHOWN(s) (int)((s).n < 80 ? (s).n : 80), (const char *)(s).p

static struct span value(const struct judge *j, enum import_field f)
{
    return j->it->v[f];
}

static bool is(struct span s, const char *word)
{
    return span_eq(s, span_str(word));
}

/* ---- words ---- */
static void type_and_category(struct judge *j)
{
    struct span type = value(j, FIELD_TYPE);
    int t = record_listing_type_by_name(type);
    if (t < 0 && !j->it->absent[FIELD_TYPE])
        WRONG(j, FIELD_TYPE, "'%.*s' is none of goods, service, rental", SHOWN(type));
    else if (t == RECORD_LISTING_TYPE_RENTAL && !j->it->json)
        WRONG(j, FIELD_TYPE, "a CSV file cannot say for how long; put rentals into JSON");
    if (t >= 0)
        j->row.listing.type = (enum record_listing_type)t;
    j->category = category_find(value(j, FIELD_CATEGORY));
}

static void title(struct judge *j)
{
    struct span s = value(j, FIELD_TITLE);
    if (j->it->absent[FIELD_TITLE])
        return;
    if (!s.n)
        WRONG(j, FIELD_TITLE, "missing");
    else if (s.n > TITLE_MOST)
        WRONG(j, FIELD_TITLE, "longer than %d bytes", TITLE_MOST);
    else if (!utf8_ok(s, false))
        WRONG(j, FIELD_TITLE, "one line, without control characters");
    else if (!import_names_add(&j->im->titles, s))
        WRONG(j, FIELD_TITLE, "'%.*s' is in this file twice", SHOWN(s));
    j->row.listing.title = s;
}

static void description(struct judge *j)
{
    struct span s = value(j, FIELD_DESCRIPTION);
    if (j->it->absent[FIELD_DESCRIPTION])
        return;
    if (!s.n)
        WRONG(j, FIELD_DESCRIPTION, "missing");
    else if (s.n > DESCRIPTION_MOST)
        WRONG(j, FIELD_DESCRIPTION, "longer than %d bytes", DESCRIPTION_MOST);
    else if (!utf8_ok(s, true))
        WRONG(j, FIELD_DESCRIPTION, "control characters other than newlines");
    j->row.listing.description = s;
}

static void language(struct judge *j)
{
    struct span s = value(j, FIELD_LANG);
    bool ok = s.n >= 2 && s.n <= 8;
    for (size_t i = 0; i < s.n; i++)
        ok &= (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z' && i > 1) ||
              (s.p[i] == '-' && i > 1 && i + 1 < s.n) || (s.p[i] >= '0' && s.p[i] <= '9' && i > 2);
    if (!ok && !j->it->absent[FIELD_LANG])
        WRONG(j, FIELD_LANG, "'%.*s' is not a language tag such as fr or en", SHOWN(s));
    j->row.listing.language = s;
}

static void category(struct judge *j)
{
    struct span s = value(j, FIELD_CATEGORY);
    if (j->it->absent[FIELD_CATEGORY])
        return;
    if (!j->category) {
        /* takes a millisecond: not for a whole file of them */
        const struct category *near = j->im->faults_n < NEAREST_MOST ? category_nearest(s) : NULL;
        WRONG(j, FIELD_CATEGORY, "no category %.*s%s%s", SHOWN(s), near ? "; nearest: " : "",
              near ? near->path : "");
    } else if (record_listing_type_by_name(value(j, FIELD_TYPE)) >= 0 &&
               (int)j->category->type != (int)j->row.listing.type)
        WRONG(j, FIELD_CATEGORY, "%s is for %s, not for %s", j->category->path,
              category_type_name(j->category->type), record_listing_type_name(j->row.listing.type));
    j->row.listing.category = s;
}

static void condition(struct judge *j)
{
    struct span s = value(j, FIELD_CONDITION);
    bool goods = j->row.listing.type == RECORD_LISTING_TYPE_GOODS;
    int c = record_condition_by_name(s);
    if (record_listing_type_by_name(value(j, FIELD_TYPE)) < 0)
        return;
    if (goods ? c < 0 : s.n > 0)
        WRONG(j, FIELD_CONDITION,
              goods ? "'%.*s' is none of new, like_new, good, fair, for_parts"
                    : "'%.*s': only goods have one",
              SHOWN(s));
    else if (goods) {
        j->row.listing.has_condition = true;
        j->row.listing.condition = (enum record_condition)c;
    }
}

static bool yes(struct judge *j, enum import_field f)
{
    struct span s = value(j, f);
    if (s.n && !is(s, "yes") && !is(s, "no"))
        WRONG(j, f, "'%.*s' is neither yes nor no", SHOWN(s));
    return is(s, "yes");
}

/* A whole number; `none` when nothing is given. */
static uint64_t number(struct judge *j, enum import_field f, uint64_t least, uint64_t most, uint64_t none)
{
    struct span s = value(j, f);
    uint64_t n = 0;
    bool ok = s.n > 0 && s.n < 10;
    for (size_t i = 0; ok && i < s.n; i++) {
        ok = s.p[i] >= '0' && s.p[i] <= '9';
        n = n * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (!s.n)
        return none;
    if (!ok || n < least || n > most) {
        WRONG(j, f, "'%.*s' is not a whole number from %llu to %llu", SHOWN(s), (unsigned long long)least,
              (unsigned long long)most);
        return none;
    }
    return n;
}

/* ---- money ---- */
static bool currency(struct judge *j, struct currency *out, int *decimals)
{
    struct span s = value(j, FIELD_CURRENCY);
    char code[4] = {0};
    if (is(s, "credit")) {
        if (j->o->issuer)
            memcpy(out->b, j->o->issuer->b, sizeof out->b);
        *decimals = j->o->issuer_decimals;
        return j->o->issuer != NULL;
    }
    memcpy(code, s.p ? s.p : (const uint8_t *)"", s.n == 3 ? 3 : 0);
    if (currency_from_iso(out, code))
        return false;
    *decimals = currency_decimals(out);
    return true;
}

static bool money(struct judge *j, enum import_field f, const struct currency *c, int decimals,
                  struct amount *out)
{
    struct span s = value(j, f);
    int64_t minor = -1;
    bool point = !memchr(s.p ? (const void *)s.p : "", ',', s.n);
    int err = point ? amount_parse(&minor, (const char *)s.p, s.n, decimals) : SOUK_EINVALID;
    if (!err && (minor < 0 || minor > AMOUNT_MAX))
        err = SOUK_ERANGE;
    *out = (struct amount){minor, *c};
    if (err == SOUK_ERANGE)
        WRONG(j, f, "'%.*s' is too much, or negative", SHOWN(s));
    else if (err)
        WRONG(j, f, "'%.*s' is not an amount such as %s", SHOWN(s), decimals ? "12.50" : "12");
    return !err;
}

static void prices(struct judge *j, bool known, const struct currency *cur, int decimals)
{
    struct record_listing *m = &j->row.listing;
    if (!j->it->absent[FIELD_PRICE])
        money(j, FIELD_PRICE, cur, decimals, &m->price);
    m->price.currency = *cur;
    if (!known && !j->it->absent[FIELD_CURRENCY]) {
        struct span s = value(j, FIELD_CURRENCY);
        if (is(s, "credit"))
            WRONG(j, FIELD_CURRENCY, "whose credit? say it with --issuer");
        else
            WRONG(j, FIELD_CURRENCY, "'%.*s' is neither three capitals such as EUR nor `credit`", SHOWN(s));
    }
    enum record_rail *rails = arena_array(&j->im->arena, 1, sizeof *rails);
    if (!rails)
        return;
    bool credit = is(value(j, FIELD_CURRENCY), "credit");
    rails[0] = credit ? RECORD_RAIL_CREDIT : RECORD_RAIL_DIRECT;
    m->rails = rails;
    m->rails_n = 1;
    if (credit && j->o->issuer) {
        m->has_issuer = true;
        m->issuer = *j->o->issuer;
    }
}

/* ---- where and how ---- */
static void country_and_place(struct judge *j)
{
    struct span s = value(j, FIELD_COUNTRY), at = value(j, FIELD_PLACE);
    char guess[3];
    if (!region_ok(s) && !j->it->absent[FIELD_COUNTRY]) {
        bool likely = region_guess(guess, s);
        WRONG(j, FIELD_COUNTRY, "'%.*s' is not a country's two capitals%s%s", SHOWN(s),
              likely ? "; perhaps " : "", likely ? guess : "");
    }
    bool ok = at.n <= 5;
    for (size_t i = 0; i < at.n; i++)
        ok &= at.p[i] && strchr("0123456789bcdefghjkmnpqrstuvwxyz", at.p[i]) != NULL;
    if (!ok)
        WRONG(j, FIELD_PLACE, "'%.*s' is not a geohash of at most 5 characters", SHOWN(at));
    j->row.listing.region = s;
    j->row.listing.has_place = at.n > 0;
    j->row.listing.place = at;
}

static void delivery(struct judge *j, const struct currency *cur, int decimals)
{
    const struct item_list *list = &j->it->delivery;
    struct record_delivery *out = arena_array(&j->im->arena, list->n + 1, sizeof *out);
    struct record_delivery *ship = NULL;
    unsigned seen = 0;
    bool bad = list->n == 0 || list->n > 4 || !out;
    for (size_t i = 0; i < list->n && !bad; i++) {
        int mode = record_delivery_mode_by_name(list->v[i]);
        bad = mode < 0 || (seen >> mode & 1);
        if (bad)
            break;
        seen |= 1u << mode;
        out[i].mode = (enum record_delivery_mode)mode;
        if (mode == RECORD_DELIVERY_MODE_SHIP)
            ship = &out[i];
    }
    if (bad && !j->it->absent[FIELD_DELIVERY])
        WRONG(j, FIELD_DELIVERY, "one or more of ship, pickup, meet, online, each once");
    j->row.listing.delivery = out;
    j->row.listing.delivery_n = list->n;
    if (!value(j, FIELD_SHIP_PRICE).n)
        return;
    struct amount price;
    struct span other = value(j, FIELD_SHIP_CURRENCY);
    if (other.n && !span_eq(other, value(j, FIELD_CURRENCY)))
        WRONG(j, FIELD_SHIP_PRICE, "not in the listing's currency");
    else if (!bad && !ship)
        WRONG(j, FIELD_SHIP_PRICE, "given, but `ship` is not among the ways of delivery");
    else if (money(j, FIELD_SHIP_PRICE, cur, decimals, &price) && ship) {
        ship->has_price = price.minor > 0;
        ship->price = price;
    }
}

static void tags(struct judge *j)
{
    const struct item_list *list = &j->it->tags;
    bool bad = list->n > TAGS_MOST;
    for (size_t i = 0; i < list->n; i++)
        bad |= list->v[i].n < 1 || list->v[i].n > 40 || !utf8_ok(list->v[i], false);
    if (bad)
        WRONG(j, FIELD_TAGS, "at most %d, each of 1 to 40 bytes", TAGS_MOST);
    j->row.listing.has_tags = list->n > 0;
    j->row.listing.tags = list->v;
    j->row.listing.tags_n = list->n;
}

/* ---- pictures ---- */
/* Relative to the file, and never above its folder. */
static bool path_ok(struct span s)
{
    if (!s.n || s.n > PATH_MOST || s.p[0] == '/' || !utf8_ok(s, false) || memchr(s.p, '\\', s.n))
        return false;
    for (size_t at = 0, n; at <= s.n; at += n + 1) {
        const uint8_t *slash = at < s.n ? memchr(s.p + at, '/', s.n - at) : NULL;
        n = slash ? (size_t)(slash - s.p) - at : s.n - at;
        if (n == 0 || is(span(s.p + at, n), ".."))
            return false;
    }
    return true;
}

static void path_note(struct import *im, struct span path)
{
    if (!import_names_add(&im->named_paths, path))
        return;
    if (im->paths_n == im->paths_cap) {
        im->paths_cap = im->paths_cap ? im->paths_cap * 2 : 64;
        im->paths = xrealloc(im->paths, im->paths_cap * sizeof *im->paths);
    }
    im->paths[im->paths_n++] = path;
}

static const struct record_photo *photo_find(const struct import_options *o, struct span path)
{
    for (size_t i = 0; i < o->photos_n; i++)
        if (span_eq(o->photos[i].path, path))
            return &o->photos[i].photo;
    return NULL;
}

static void photos(struct judge *j)
{
    const struct item_list *list = &j->it->photos;
    struct record_photo *out = arena_array(&j->im->arena, list->n + 1, sizeof *out);
    size_t n = 0;
    if (list->n > PHOTOS_MOST || !out) {
        WRONG(j, FIELD_PHOTO, "more than %d pictures", PHOTOS_MOST);
        return;
    }
    for (size_t i = 0; i < list->n; i++) {
        if (!path_ok(list->v[i])) {
            WRONG(j, FIELD_PHOTO, "'%.*s' is not a path below the file's own folder", SHOWN(list->v[i]));
            return;
        }
        path_note(j->im, list->v[i]);
        const struct record_photo *p = photo_find(j->o, list->v[i]);
        if (p)
            out[n++] = *p;
        else if (j->o->photos_known) {
            WRONG(j, FIELD_PHOTO, "there is no picture '%.*s', or it was refused", SHOWN(list->v[i]));
            return;
        }
    }
    j->row.listing.has_photos = n > 0;
    j->row.listing.photos = out;
    j->row.listing.photos_n = n;
}

/* ---- the rest ---- */
static void instant(struct judge *j)
{
    struct record_listing *m = &j->row.listing;
    m->instant = m->has_instant = yes(j, FIELD_INSTANT);
    if (m->instant && !j->o->arbiters_n)
        WRONG(j, FIELD_INSTANT, "to be bought without asking it needs arbiters; name them with --arbiter");
    m->has_arbiters = j->o->arbiters_n > 0;
    m->arbiters = j->o->arbiters;
    m->arbiters_n = j->o->arbiters_n;
}

static void rental(struct judge *j, const struct currency *cur, int decimals)
{
    struct record_listing *m = &j->row.listing;
    if (m->type != RECORD_LISTING_TYPE_RENTAL)
        return;
    m->has_rental = true;
    m->rental.unit_ms = j->it->unit_ms;
    if (!j->it->unit_ms && j->it->json) {
        j->bad = true;
        import_fault(j->im, j->it->line, true, "offers.priceSpecification",
                     "a rental says what its price is for: unitCode HUR, DAY, WEE or MON");
    }
    m->rental.least = number(j, FIELD_LEAST, 1, 1000, 0);
    m->rental.has_least = m->rental.least > 0;
    m->rental.most = number(j, FIELD_MOST, 1, 1000, 0);
    m->rental.has_most = m->rental.most > 0;
    if (m->rental.has_least && m->rental.has_most && m->rental.least > m->rental.most)
        WRONG(j, FIELD_MOST, "fewer than rental_least");
    if (value(j, FIELD_DEPOSIT).n)
        m->rental.has_deposit = money(j, FIELD_DEPOSIT, cur, decimals, &m->rental.deposit);
}

static void attributes(struct judge *j)
{
    const struct item *it = j->it;
    for (size_t i = 0; j->category && i < it->attributes_n; i++)
        if (!is(it->attributes[i].name, "unit") &&
            !category_attribute_find(j->category, it->attributes[i].name)) {
            j->bad = true;
            import_fault(j->im, it->line, it->json, "additionalProperty", "%s has no attribute '%.*s'",
                         j->category->path, SHOWN(it->attributes[i].name));
        }
    j->row.listing.has_attributes = it->attributes_n > 0;
    j->row.listing.attributes = it->attributes;
    j->row.listing.attributes_n = it->attributes_n;
}

/* What the fields let through is also what a listing's own rules let through; should they ever part, the
 * file is refused rather than half of it published. */
static void last_look(struct judge *j)
{
    struct report r = {0};
    if (!j->bad && market_listing_check(&j->row.listing, &r)) {
        j->bad = true;
        import_fault(j->im, j->it->line, j->it->json, "listing", "%s", r.text);
    }
}

void import_item(struct import *im, const struct item *it, const struct import_options *o)
{
    struct judge j = {.im = im, .it = it, .o = o, .row = {.line = it->line}, .bad = it->bad};
    struct record_listing *m = &j.row.listing;
    struct currency cur = {{0}};
    int decimals = 2;
    bool known = currency(&j, &cur, &decimals);
    type_and_category(&j);
    title(&j);
    description(&j);
    language(&j);
    category(&j);
    condition(&j);
    prices(&j, known, &cur, decimals);
    m->open_to_offers = yes(&j, FIELD_OPEN);
    m->quantity = number(&j, FIELD_QUANTITY, 1, QUANTITY_MOST, 1);
    country_and_place(&j);
    delivery(&j, &cur, decimals);
    tags(&j);
    photos(&j);
    j.row.days = (unsigned)number(&j, FIELD_DAYS, 1, DAYS_MOST, IMPORT_DAYS);
    instant(&j);
    m->returns_days = number(&j, FIELD_RETURNS, 0, 90, 0);
    m->has_returns_days = m->returns_days > 0;
    rental(&j, &cur, decimals);
    attributes(&j);
    last_look(&j);
    if (j.bad)
        return;
    if (im->rows_n == im->rows_cap) {
        im->rows_cap = im->rows_cap ? im->rows_cap * 2 : 64;
        im->rows = xrealloc(im->rows, im->rows_cap * sizeof *im->rows);
    }
    im->rows[im->rows_n++] = j.row;
}
