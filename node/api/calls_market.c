/* calls_market.c: offering things. */
#include "node/api/calls_market.h"
#include "crypto/record.h"
#include "node/keys/keys.h"
#include "node/market/photo.h"

enum { DAYS = 30, MONEY_BYTES = 64 };
static const int64_t day_ms = 86400000;

/* What a listing's id comes from once it is on disk. */
static void published(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct api_listing_publish_result res;
    (void)carry;
    if (market_published(c, change, &res.id))
        API_RESULT(c, call, listing_publish, &res);
    else
        call_error(c, call, SOUK_ESTALE, "a newer revision stands already");
}

static void withdrawn(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct id id;
    (void)carry;
    if (market_published(c, change, &id))
        call_ok(c, call);
    else
        call_error(c, call, SOUK_ESTALE, "a newer revision stands already");
}

static int publish(struct core *c, struct call *call, const struct market_draft *d, call_done *done,
                   struct report *r)
{
    struct change *ch = call_change(c, call, done, span(NULL, 0));
    int err = market_publish(c->market, c, d, ch, r);
    if (err)
        change_free(ch);
    return err;
}

/* One's own listing, to be changed: the newest revision of what the id names. */
static int own_listing(struct core *c, const struct id *id, const struct identity *as, struct arena *a,
                       struct market_listing *l, struct report *r)
{
    int err = market_listing(c, id, a, l, r);
    if (err)
        return err;
    if (!identity_eq(&l->seller, as))
        return report_set(r, SOUK_ENOT_FOUND,
                          "this listing is somebody else's; `souk listing mine` shows yours");
    if (!l->newest)
        return report_set(
            r, SOUK_ENOT_FOUND,
            "this listing was withdrawn, has expired or has a newer revision; `souk listing mine` "
            "shows what stands");
    return 0;
}

static void variants_in(const struct api_listing_publish_params *p, struct record_listing *m,
                        struct arena *a)
{
    struct record_variant *v = arena_array(a, p->variants_n + 1, sizeof *v);
    for (size_t i = 0; v && i < p->variants_n; i++)
        v[i] = (struct record_variant){p->variants[i].name, p->variants[i].has_price, p->variants[i].price,
                                       p->variants[i].has_quantity, p->variants[i].quantity};
    m->has_variants = v && p->variants_n > 0;
    m->variants = v;
    m->variants_n = p->variants_n;
}

static void delivery_in(const struct api_listing_publish_params *p, struct record_listing *m,
                        struct arena *a)
{
    struct record_delivery *d = arena_array(a, p->delivery_n + 1, sizeof *d);
    for (size_t i = 0; d && i < p->delivery_n; i++) {
        const struct api_delivery *from = &p->delivery[i];
        d[i] = (struct record_delivery){.mode = from->mode,
                                        .has_regions = from->has_regions,
                                        .regions = from->regions,
                                        .regions_n = from->regions_n,
                                        .has_price = from->has_price,
                                        .price = from->price,
                                        .has_days = from->has_days,
                                        .days = from->days};
    }
    m->delivery = d;
    m->delivery_n = d ? p->delivery_n : 0;
}

static void attributes_in(const struct api_listing_publish_params *p, struct record_listing *m,
                          struct arena *a)
{
    struct record_attribute *v = arena_array(a, p->attributes_n + 1, sizeof *v);
    for (size_t i = 0; v && i < p->attributes_n; i++)
        v[i] = (struct record_attribute){p->attributes[i].name, p->attributes[i].value};
    m->has_attributes = v && p->attributes_n > 0;
    m->attributes = v;
    m->attributes_n = p->attributes_n;
}

static int photos_in(struct core *c, const struct api_listing_publish_params *p, struct record_listing *m,
                     struct arena *a, struct report *r)
{
    struct record_photo *v = arena_array(a, p->photos_n + 1, sizeof *v);
    int err = 0;
    for (size_t i = 0; v && !err && i < p->photos_n; i++)
        err = photo_known(c, &p->photos[i], a, &v[i], r);
    m->has_photos = v && p->photos_n > 0;
    m->photos = v;
    m->photos_n = p->photos_n;
    return err;
}

static int listing_in(struct core *c, const struct api_listing_publish_params *p, struct record_listing *m,
                      struct arena *a, struct report *r)
{
    *m = (struct record_listing){.type = p->type,
                                 .title = p->title,
                                 .description = p->description,
                                 .language = p->language,
                                 .category = p->category,
                                 .has_condition = p->has_condition,
                                 .condition = p->condition,
                                 .price = p->price,
                                 .open_to_offers = p->has_open_to_offers && p->open_to_offers,
                                 .quantity = p->has_quantity ? p->quantity : 1,
                                 .has_place = p->has_place,
                                 .place = p->place,
                                 .region = p->region,
                                 .rails = p->rails,
                                 .rails_n = p->rails_n,
                                 .has_issuer = p->has_issuer,
                                 .issuer = p->issuer,
                                 .has_arbiters = p->has_arbiters && p->arbiters_n,
                                 .arbiters = p->arbiters,
                                 .arbiters_n = p->arbiters_n,
                                 .has_instant = p->has_instant,
                                 .instant = p->instant,
                                 .has_rental = p->has_rental,
                                 .has_returns_days = p->has_returns_days,
                                 .returns_days = p->returns_days,
                                 .has_tags = p->has_tags && p->tags_n,
                                 .tags = p->tags,
                                 .tags_n = p->tags_n};
    m->rental = (struct record_rental){.unit_ms = p->rental.unit_ms,
                                       .has_least = p->rental.has_least,
                                       .least = p->rental.least,
                                       .has_most = p->rental.has_most,
                                       .most = p->rental.most,
                                       .has_deposit = p->rental.has_deposit,
                                       .deposit = p->rental.deposit};
    if (!m->has_issuer && p->rails_n && p->rails[0] == RECORD_RAIL_CREDIT) {
        m->has_issuer = true; /* the currency says whose credit it is */
        memcpy(m->issuer.b, p->price.currency.b, sizeof m->issuer.b);
    }
    variants_in(p, m, a);
    delivery_in(p, m, a);
    attributes_in(p, m, a);
    int err = photos_in(c, p, m, a, r);
    return err ? err : market_listing_check(m, r);
}

int do_listing_publish(struct core *c, struct call *call, struct span params, struct arena *a,
                       struct report *r)
{
    API_PARAMS(listing_publish);
    struct identity as;
    struct record_listing m;
    struct market_listing old = {0};
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (!err && p.has_revises)
        err = own_listing(c, &p.revises, &as, a, &old, r);
    if (!err)
        err = listing_in(c, &p, &m, a, r);
    if (err)
        return err;
    if (p.has_revises)
        m.slot = old.body.slot;
    else
        rng_bytes(c->rng, m.slot.b, sizeof m.slot.b);
    struct buf body = {0};
    char topic[72];
    record_listing_encode(&body, &m);
    market_topic(topic, m.category, m.region);
    int64_t expires = c->now.unix_ms + (int64_t)(p.has_days ? p.days : DAYS) * day_ms;
    struct market_draft d = {.author = as,
                             .kind = RECORD_LISTING,
                             .topic = span_str(topic),
                             .body = buf_view(&body),
                             .slot = &m.slot,
                             /* never before what it replaces, which would otherwise come back */
                             .expires = expires > old.expires ? expires : old.expires};
    err = publish(c, call, &d, published, r);
    buf_free(&body);
    return err;
}

int do_listing_renew(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(listing_renew);
    struct identity as;
    struct market_listing l;
    struct record_row row;
    struct record rec;
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (!err)
        err = own_listing(c, &p.id, &as, a, &l, r);
    if (err)
        return err;
    MUST(view_record(c->view, &p.id, &row) && record_parse(&rec, row.bytes, c->network, NULL) == 0);
    int64_t expires = c->now.unix_ms + (int64_t)(p.has_days ? p.days : DAYS) * day_ms;
    struct market_draft d = {.author = as,
                             .kind = RECORD_LISTING,
                             .topic = rec.topic,
                             .body = rec.body,
                             .slot = &l.body.slot,
                             .expires = expires > l.expires ? expires : l.expires};
    return publish(c, call, &d, published, r);
}

int do_listing_withdraw(struct core *c, struct call *call, struct span params, struct arena *a,
                        struct report *r)
{
    API_PARAMS(listing_withdraw);
    struct identity as;
    struct market_listing l;
    struct buf body = {0};
    char topic[72];
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (!err)
        err = own_listing(c, &p.id, &as, a, &l, r);
    if (err)
        return err;
    struct record_withdrawal m = {.kind = RECORD_LISTING,
                                  .slot = l.body.slot,
                                  .has_reason = p.has_reason && p.reason.n,
                                  .reason = p.reason};
    record_withdrawal_encode(&body, &m);
    market_topic(topic, l.body.category, l.body.region);
    struct market_draft d = {.author = as,
                             .kind = RECORD_WITHDRAWAL,
                             .topic = span_str(topic),
                             .body = buf_view(&body),
                             .slot = &l.body.slot,
                             .expires = l.expires + day_ms};
    err = publish(c, call, &d, withdrawn, r);
    buf_free(&body);
    return err;
}

/* ---- reading ---- */
int listing_row(struct core *c, const struct market_listing *l, struct arena *a,
                struct api_listing_row *out)
{
    const struct record_listing *m = &l->body;
    char *money = arena_alloc(a, MONEY_BYTES);
    if (!money)
        return SOUK_ERANGE;
    *out = (struct api_listing_row){.id = l->id,
                                    .seller = l->seller,
                                    .type = m->type,
                                    .title = m->title,
                                    .category = m->category,
                                    .price = m->price,
                                    .price_text = span_str(market_money(c, &m->price, money, MONEY_BYTES)),
                                    .region = m->region,
                                    .has_place = m->has_place,
                                    .place = m->place,
                                    .created = l->created,
                                    .expires = l->expires,
                                    .quantity = m->quantity > l->taken ? m->quantity - l->taken : 0,
                                    .open_to_offers = m->open_to_offers,
                                    .instant = m->has_instant && m->instant};
    if (m->has_photos && m->photos_n) {
        const struct record_photo *first = &m->photos[0];
        out->has_thumbnail = first->has_thumbnail || first->bytes <= PHOTO_THUMBNAIL_BYTES;
        out->thumbnail = first->has_thumbnail ? first->thumbnail : first->root;
    }
    return 0;
}

static void photos_out(struct core *c, const struct record_listing *m, struct api_listing_show_result *out,
                       struct arena *a)
{
    struct api_photo_ref *v = arena_array(a, m->photos_n + 1, sizeof *v);
    uint64_t bytes;
    for (size_t i = 0; v && m->has_photos && i < m->photos_n; i++) {
        const struct record_photo *f = &m->photos[i];
        v[out->photos_n++] = (struct api_photo_ref){.root = f->root,
                                                    .bytes = f->bytes,
                                                    .type = f->type,
                                                    .width = f->width,
                                                    .height = f->height,
                                                    .has_alt = f->has_alt,
                                                    .alt = f->alt,
                                                    .has_thumbnail = f->has_thumbnail,
                                                    .thumbnail = f->thumbnail,
                                                    .has_here = true,
                                                    .here = photo_whole(c, &f->root, &bytes)};
    }
    out->has_photos = out->photos_n > 0;
    out->photos = v;
}

static void lists_out(const struct record_listing *m, struct api_listing_show_result *out, struct arena *a)
{
    struct api_variant *v = arena_array(a, m->variants_n + 1, sizeof *v);
    struct api_delivery *d = arena_array(a, m->delivery_n + 1, sizeof *d);
    struct api_attribute *t = arena_array(a, m->attributes_n + 1, sizeof *t);
    for (size_t i = 0; v && i < m->variants_n; i++)
        v[i] = (struct api_variant){m->variants[i].name, m->variants[i].has_price, m->variants[i].price,
                                    m->variants[i].has_quantity, m->variants[i].quantity};
    for (size_t i = 0; d && i < m->delivery_n; i++)
        d[i] = (struct api_delivery){m->delivery[i].mode,      m->delivery[i].has_regions,
                                     m->delivery[i].regions,   m->delivery[i].regions_n,
                                     m->delivery[i].has_price, m->delivery[i].price,
                                     m->delivery[i].has_days,  m->delivery[i].days};
    for (size_t i = 0; t && i < m->attributes_n; i++)
        t[i] = (struct api_attribute){m->attributes[i].name, m->attributes[i].value};
    out->has_variants = m->has_variants;
    out->variants = v;
    out->variants_n = v ? m->variants_n : 0;
    out->delivery = d;
    out->delivery_n = d ? m->delivery_n : 0;
    out->has_attributes = m->has_attributes;
    out->attributes = t;
    out->attributes_n = t ? m->attributes_n : 0;
}

int do_listing_show(struct core *c, struct call *call, struct span params, struct arena *a,
                    struct report *r)
{
    API_PARAMS(listing_show);
    struct market_listing l;
    int err = market_listing(c, &p.id, a, &l, r);
    if (err)
        return err;
    const struct record_listing *m = &l.body;
    struct api_listing_show_result res = {.description = m->description,
                                          .language = m->language,
                                          .has_condition = m->has_condition,
                                          .condition = m->condition,
                                          .rails = m->rails,
                                          .rails_n = m->rails_n,
                                          .has_issuer = m->has_issuer,
                                          .issuer = m->issuer,
                                          .has_arbiters = m->has_arbiters,
                                          .arbiters = m->arbiters,
                                          .arbiters_n = m->arbiters_n,
                                          .has_rental = m->has_rental,
                                          .has_returns_days = m->has_returns_days,
                                          .returns_days = m->returns_days,
                                          .has_tags = m->has_tags,
                                          .tags = m->tags,
                                          .tags_n = m->tags_n,
                                          .has_taken = l.taken > 0,
                                          .taken = l.taken,
                                          .newest = l.newest};
    res.rental = (struct api_rental){.unit_ms = m->rental.unit_ms,
                                     .has_least = m->rental.has_least,
                                     .least = m->rental.least,
                                     .has_most = m->rental.has_most,
                                     .most = m->rental.most,
                                     .has_deposit = m->rental.has_deposit,
                                     .deposit = m->rental.deposit};
    if ((err = listing_row(c, &l, a, &res.listing)))
        return err;
    photos_out(c, m, &res, a);
    lists_out(m, &res, a);
    API_RESULT(c, call, listing_show, &res);
    return 0;
}

struct mine {
    struct core *c;
    struct arena *a;
    struct api_listing_row *rows;
    size_t n, most;
    uint64_t at, from;
    bool more;
};

static bool one_of_mine(void *arg, const struct id *id, const struct record_row *row)
{
    struct mine *m = arg;
    struct market_listing l;
    if (row->withdraws || row->expires <= m->c->now.unix_ms || m->at++ < m->from)
        return true;
    if (m->n == m->most) {
        m->more = true;
        return false;
    }
    if (market_listing(m->c, id, m->a, &l, NULL) == 0 && listing_row(m->c, &l, m->a, &m->rows[m->n]) == 0)
        m->n++;
    return true;
}

int do_listing_mine(struct core *c, struct call *call, struct span params, struct arena *a,
                    struct report *r)
{
    API_PARAMS(listing_mine);
    struct identity as;
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (err)
        return err;
    struct mine m = {
        .c = c, .a = a, .most = p.has_limit ? p.limit : 50, .from = p.has_cursor ? p.cursor : 0};
    m.rows = arena_array(a, m.most, sizeof *m.rows);
    if (!m.rows)
        return SOUK_ERANGE;
    view_author(c->view, &as, RECORD_LISTING, one_of_mine, &m);
    struct api_listing_mine_result res = {
        .listings = m.rows, .listings_n = m.n, .has_cursor = m.more, .cursor = m.from + m.most};
    API_RESULT(c, call, listing_mine, &res);
    return 0;
}

const struct call_row calls_market[] = {{"listing.publish", do_listing_publish},
                                        {"listing.show", do_listing_show},
                                        {"listing.mine", do_listing_mine},
                                        {"listing.renew", do_listing_renew},
                                        {"listing.withdraw", do_listing_withdraw},
                                        {"listing.import", do_listing_import},
                                        {"listing.import_state", do_import_state},
                                        {"photo.add", do_photo_add},
                                        {"photo.get", do_photo_get},
                                        {"category.list", do_category_list},
                                        {"search.run", do_search},
                                        {NULL, NULL}};
