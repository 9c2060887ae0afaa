/* listing.c: reading listings and people's records; rules of a listing. */
#include "crypto/base/amount.h"
#include "node/market/categories.h"
#include "node/market/engine.h"
#include "node/market/regions.h"
#include <stdio.h>

static const struct salt slot_zero;

bool market_newest(struct core *c, const struct identity *author, uint8_t kind, const struct salt *slot,
                   struct id *out)
{
    uint64_t revision;
    return view_slot(c->view, author, kind, slot, out, &revision);
}

bool market_of(struct core *c, const struct identity *who, uint8_t kind, struct record_row *row,
               struct record *rec)
{
    struct id id;
    return market_newest(c, who, kind, &slot_zero, &id) && view_record(c->view, &id, row) &&
           record_parse(rec, row->bytes, c->network, NULL) == 0 && rec->kind == kind &&
           rec->expires > c->now.unix_ms;
}

int market_listing(struct core *c, const struct id *id, struct arena *a, struct market_listing *out,
                   struct report *r)
{
    struct record_row row;
    struct record rec;
    struct id newest;
    char hex[65];
    *out = (struct market_listing){.id = *id};
    if (!view_record(c->view, id, &row) || record_parse(&rec, row.bytes, c->network, NULL) ||
        rec.kind != RECORD_LISTING)
        return report_set(r, SOUK_ENOT_FOUND,
                          "no listing %.16s… is known here; `souk search` finds those that are",
                          hex_encode(hex, id->b, sizeof id->b));
    int err = record_listing_decode(&out->body, rec.body, a, r);
    if (err)
        return err;
    out->seller = rec.author;
    out->created = rec.created;
    out->expires = rec.expires;
    out->newest = market_newest(c, &rec.author, RECORD_LISTING, &out->body.slot, &newest) &&
                  id_eq(&newest, id) && rec.expires > c->now.unix_ms;
    out->taken = view_stock_taken(c->view, id, c->now.unix_ms);
    return 0;
}

char *market_money(struct core *c, const struct amount *a, char *out, size_t cap)
{
    char number[40];
    if (currency_is_iso(&a->currency)) {
        amount_format(number, sizeof number, a->minor, currency_decimals(&a->currency));
        snprintf(out, cap, "%s %.3s", number, (const char *)a->currency.b);
        return out;
    }
    struct identity issuer;
    struct record_row row;
    struct record rec;
    struct record_issuer m;
    memcpy(issuer.b, a->currency.b, sizeof issuer.b);
    if (market_of(c, &issuer, RECORD_ISSUER, &row, &rec) &&
        record_issuer_decode(&m, rec.body, NULL, NULL) == 0) {
        amount_format(number, sizeof number, a->minor, (int)m.decimals);
        snprintf(out, cap, "%s %.*s", number, (int)m.code.n, (const char *)m.code.p);
    } else
        snprintf(out, cap, "%lld of an unknown issuer", (long long)a->minor);
    return out;
}

static void check_category(const struct record_listing *m, struct report *r)
{
    const struct category *cat = category_find(m->category);
    if (!cat) {
        const struct category *near = category_nearest(m->category);
        report_add(r, SOUK_EINVALID, "category: there is no '%.*s'%s%s; `souk category list` shows all",
                   (int)m->category.n, (const char *)m->category.p, near ? "; the nearest is " : "",
                   near ? near->path : "");
    } else if ((int)cat->type != (int)m->type)
        report_add(r, SOUK_EINVALID, "category: %s is for %s, not for %s", cat->path,
                   category_type_name(cat->type), record_listing_type_name(m->type));
}

static void check_money(const struct record_listing *m, struct report *r)
{
    if (m->price.minor < 0)
        report_add(r, SOUK_ERANGE, "price: may not be negative");
    bool credit = false;
    for (size_t i = 0; i < m->rails_n; i++)
        credit |= m->rails[i] == RECORD_RAIL_CREDIT;
    bool iso = currency_is_iso(&m->price.currency);
    if (credit && iso)
        report_add(r, SOUK_EINVALID,
                   "price: the credit rail asks for a price in an issuer's credit, not in %.3s; give "
                   "--currency ISSUER or --rail direct",
                   (const char *)m->price.currency.b);
    if (!credit && !iso)
        report_add(r, SOUK_EINVALID, "rails: a price in credit needs the credit rail");
    for (size_t i = 0; i < m->delivery_n; i++)
        if (m->delivery[i].has_price && (m->delivery[i].price.minor < 0 ||
                                         !currency_eq(&m->delivery[i].price.currency, &m->price.currency)))
            report_add(r, SOUK_EINVALID,
                       "delivery: its price must be in the listing's currency and not negative");
    for (size_t i = 0; m->has_variants && i < m->variants_n; i++)
        if (m->variants[i].has_price && (m->variants[i].price.minor < 0 ||
                                         !currency_eq(&m->variants[i].price.currency, &m->price.currency)))
            report_add(r, SOUK_EINVALID, "variants: '%.*s' must be priced in the listing's currency",
                       (int)m->variants[i].name.n, (const char *)m->variants[i].name.p);
}

int market_listing_check(const struct record_listing *m, struct report *r)
{
    struct report none = {0}, *to = r ? r : &none;
    to->err = 0;
    check_category(m, to);
    check_money(m, to);
    if (!region_ok(m->region))
        report_add(to, SOUK_EINVALID, "region: '%.*s' is not an ISO 3166 code such as FR", (int)m->region.n,
                   (const char *)m->region.p);
    if (m->type == RECORD_LISTING_TYPE_RENTAL && !m->has_rental)
        report_add(to, SOUK_EMISSING, "rental: a rental must say what its price is for (--unit day)");
    if (m->type != RECORD_LISTING_TYPE_RENTAL && m->has_rental)
        report_add(to, SOUK_EINVALID, "rental: only a rental has one");
    if (m->has_instant && m->instant && (!m->has_arbiters || !m->arbiters_n))
        report_add(to, SOUK_EMISSING, "arbiters: an instant listing must name at least one");
    for (size_t i = 0; m->has_place && i < m->place.n; i++)
        if (!strchr("0123456789bcdefghjkmnpqrstuvwxyz", m->place.p[i])) {
            report_add(to, SOUK_EINVALID, "place: '%.*s' is not a geohash", (int)m->place.n,
                       (const char *)m->place.p);
            break;
        }
    return to->err;
}
