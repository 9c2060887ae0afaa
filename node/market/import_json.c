/* import_json.c: schema.org's Product and Service, turned into what a row of a table would say. */
#include "crypto/wire/cursor.h"
#include "crypto/wire/json.h"
#include "node/market/import_item.h"
#include <stdio.h>

enum { LIST_MOST = 64, ATTRIBUTES_MOST = 16, MEMBERS_MOST = 100000 };
#define HOUR_MS UINT64_C(3600000)

static struct cursor lax(struct span value)
{
    struct cursor c;
    cursor_init(&c, value);
    c.lax = true;
    return c;
}

static enum wire_type kind(struct span value)
{
    struct cursor c = lax(value);
    return value.n ? cursor_peek(&c) : WIRE_BAD;
}

/* The member of an object; nothing when it is not an object or has none of that name. */
static struct span member(struct span object, const char *name)
{
    struct span found = {0};
    struct cursor c = lax(object);
    if (kind(object) != WIRE_MAP)
        return found;
    size_t n = cursor_map(&c, MEMBERS_MOST);
    for (size_t i = 0; i < n && !c.err && !found.p; i++) {
        struct span key = cursor_skip(&c), value = cursor_skip(&c);
        struct cursor k = lax(key);
        if (!c.err && span_eq(cursor_text(&k, 0, SIZE_MAX), span_str(name)) && !k.err)
            found = value;
    }
    return found;
}

static struct span deep(struct span object, const char *a, const char *b, const char *c)
{
    struct span v = member(object, a);
    v = b ? member(v, b) : v;
    return c ? member(v, c) : v;
}

/* A string, or what a table would write for a number or a truth.  A string with control characters becomes
 * one that no field takes. */
static struct span text(struct import *im, struct span value)
{
    struct cursor c = lax(value);
    char number[40] = "";
    switch (kind(value)) {
    case WIRE_STR: {
        struct span s = cursor_text(&c, 0, SIZE_MAX);
        return c.err ? span("\x7f", 1) : s;
    }
    case WIRE_UINT:
        snprintf(number, sizeof number, "%llu", (unsigned long long)cursor_uint(&c, 0, UINT64_MAX));
        break;
    case WIRE_INT:
        snprintf(number, sizeof number, "%lld", (long long)cursor_int(&c, INT64_MIN, INT64_MAX));
        break;
    case WIRE_DOUBLE:
        snprintf(number, sizeof number, "%.15g", cursor_double(&c));
        break;
    case WIRE_BOOL:
        return span_str(cursor_bool(&c) ? "yes" : "no");
    default:
        break;
    }
    return *number ? arena_copy(&im->arena, span_str(number)) : span("", 0);
}

/* The word behind the last '#' or '/'. */
static bool ends_with_word(struct span s, const char *word)
{
    size_t n = strlen(word);
    return s.n >= n && memcmp(s.p + s.n - n, word, n) == 0 &&
           (s.n == n || s.p[s.n - n - 1] == '#' || s.p[s.n - n - 1] == '/');
}

static struct item_list list_of(struct import *im, struct span value, char between)
{
    struct item_list list = {.v = arena_array(&im->arena, LIST_MOST, sizeof *list.v)};
    struct cursor c = lax(value);
    if (!list.v || !value.n)
        return (struct item_list){0};
    if (kind(value) == WIRE_ARRAY) {
        size_t n = cursor_array(&c, 0, MEMBERS_MOST);
        for (size_t i = 0; i < n && i < LIST_MOST && !c.err; i++)
            list.v[list.n++] = text(im, cursor_skip(&c));
        return list;
    }
    struct span s = text(im, value);
    while (s.n && list.n < LIST_MOST) {
        const uint8_t *cut = between ? memchr(s.p, between, s.n) : NULL;
        struct span one = span(s.p, cut ? (size_t)(cut - s.p) : s.n);
        s = cut ? span(cut + 1, s.n - one.n - 1) : span(s.p, 0);
        while (one.n && one.p[0] == ' ')
            one = span(one.p + 1, one.n - 1);
        list.v[list.n++] = one;
    }
    return list;
}

/* The value of a PropertyValue of that name. */
static struct span property(struct import *im, struct span array, const char *name)
{
    struct cursor c = lax(array);
    if (kind(array) != WIRE_ARRAY)
        return span("", 0);
    size_t n = cursor_array(&c, 0, MEMBERS_MOST);
    for (size_t i = 0; i < n && !c.err; i++) {
        struct span one = cursor_skip(&c);
        if (!c.err && span_eq(text(im, member(one, "name")), span_str(name)))
            return text(im, member(one, "value"));
    }
    return span("", 0);
}

static struct span type_of(struct import *im, struct span offer, bool service)
{
    struct span f = text(im, member(offer, "businessFunction"));
    if (!f.n)
        return span_str(service ? "service" : "goods");
    if (ends_with_word(f, "Sell"))
        return span_str("goods");
    if (ends_with_word(f, "ProvideService"))
        return span_str("service");
    return ends_with_word(f, "LeaseOut") ? span_str("rental") : f;
}

static struct span condition_of(struct import *im, struct span object, struct span more, struct span type)
{
    static const char *const words[][2] = {{"NewCondition", "new"},
                                           {"UsedCondition", "good"},
                                           {"RefurbishedCondition", "like_new"},
                                           {"DamagedCondition", "for_parts"}};
    struct span own = property(im, more, "condition");
    struct span s = text(im, member(object, "itemCondition"));
    if (own.n || !s.n || !span_eq(type, span_str("goods")))
        return own;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (ends_with_word(s, words[i][0]))
            return span_str(words[i][1]);
    return s;
}

static void attribute_add(struct item *it, struct span name, struct span value)
{
    if (it->attributes && it->attributes_n < ATTRIBUTES_MOST)
        it->attributes[it->attributes_n++] = (struct record_attribute){name, value};
}

/* What the price is for: a time of rental, or words beside the price of a service. */
static void unit_of(struct import *im, struct item *it, struct span offer)
{
    static const struct {
        const char *code, *word;
        uint64_t ms;
    } units[] = {{"HUR", "hour", HOUR_MS},
                 {"DAY", "day", 24 * HOUR_MS},
                 {"WEE", "week", 168 * HOUR_MS},
                 {"MON", "month", 720 * HOUR_MS},
                 {"MTK", "m2", 0},
                 {"D68", "word", 0},
                 {"E48", "visit", 0}};
    struct span spec = member(offer, "priceSpecification");
    struct span code = text(im, member(spec, "unitCode")), words = text(im, member(spec, "unitText"));
    if (!code.n)
        return;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!span_eq(code, span_str(units[i].code)))
            continue;
        if (span_eq(it->v[FIELD_TYPE], span_str("rental")))
            it->unit_ms = units[i].ms;
        else
            attribute_add(it, span_str("unit"), words.n ? words : span_str(units[i].word));
        return;
    }
    it->bad = true;
    import_fault(im, it->line, true, "offers.priceSpecification",
                 "unitCode '%.*s' is none of HUR, DAY, WEE, MON, MTK, D68, E48",
                 (int)(code.n < 20 ? code.n : 20), (const char *)code.p);
}

static void attributes_of(struct import *im, struct item *it, struct span array)
{
    struct cursor c = lax(array);
    if (kind(array) != WIRE_ARRAY)
        return;
    size_t n = cursor_array(&c, 0, MEMBERS_MOST);
    bool bad = n > ATTRIBUTES_MOST - 1;
    for (size_t i = 0; i < n && !c.err && !bad; i++) {
        struct span one = cursor_skip(&c);
        struct span name = text(im, member(one, "name")), value = text(im, member(one, "value"));
        bad = name.n < 1 || name.n > 40 || value.n < 1 || value.n > 120 || !utf8_ok(name, false) ||
              !utf8_ok(value, false);
        attribute_add(it, name, value);
    }
    if (bad) {
        it->attributes_n = 0;
        it->bad = true;
        import_fault(im, it->line, true, "additionalProperty",
                     "at most %d, with a name of 1 to 40 and a value of 1 to 120 bytes",
                     ATTRIBUTES_MOST - 1);
    }
}

static void object_item(struct import *im, struct span object, struct span offer, bool service,
                        const struct import_options *o)
{
    struct item it = {.line = (uint32_t)im->read, .json = true};
    struct span more = member(offer, "additionalProperty");
    static const struct {
        enum import_field field;
        const char *a, *b, *c;
    } ways[] = {{FIELD_PRICE, "price", NULL, NULL},
                {FIELD_CURRENCY, "priceCurrency", NULL, NULL},
                {FIELD_QUANTITY, "inventoryLevel", "value", NULL},
                {FIELD_COUNTRY, "availableAtOrFrom", "address", "addressCountry"},
                {FIELD_PLACE, "availableAtOrFrom", "identifier", NULL},
                {FIELD_SHIP_PRICE, "shippingDetails", "shippingRate", "value"},
                {FIELD_SHIP_CURRENCY, "shippingDetails", "shippingRate", "currency"},
                {FIELD_RETURNS, "hasMerchantReturnPolicy", "merchantReturnDays", NULL}};
    static const enum import_field owns[] = {FIELD_TITLE, FIELD_DESCRIPTION, FIELD_LANG, FIELD_CATEGORY};
    static const enum import_field extras[] = {FIELD_OPEN,    FIELD_DAYS,  FIELD_INSTANT,
                                               FIELD_DEPOSIT, FIELD_LEAST, FIELD_MOST};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        it.v[ways[i].field] = text(im, deep(offer, ways[i].a, ways[i].b, ways[i].c));
    for (size_t i = 0; i < sizeof owns / sizeof *owns; i++)
        it.v[owns[i]] = text(im, member(object, import_field_name(owns[i], true)));
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
        it.v[extras[i]] = property(im, more, import_field_name(extras[i], true));
    it.v[FIELD_TYPE] = type_of(im, offer, service);
    it.v[FIELD_CONDITION] = condition_of(im, object, more, it.v[FIELD_TYPE]);
    it.delivery = list_of(im, member(offer, "availableDeliveryMethod"), 0);
    it.tags = list_of(im, member(object, "keywords"), ',');
    it.photos = list_of(im, member(object, "image"), 0);
    it.attributes = arena_array(&im->arena, ATTRIBUTES_MOST, sizeof *it.attributes);
    attributes_of(im, &it, member(object, "additionalProperty"));
    unit_of(im, &it, offer);
    import_item(im, &it, o);
}

static void json_object(struct import *im, struct span object, const struct import_options *o)
{
    uint32_t at = (uint32_t)im->read;
    if (kind(object) != WIRE_MAP) {
        import_fault(im, at, true, "json", "this is not an object");
        return;
    }
    struct span type = text(im, member(object, "@type")), offer = member(object, "offers");
    bool service = span_eq(type, span_str("Service"));
    if (!service && !span_eq(type, span_str("Product")))
        import_fault(im, at, true, "@type", "'%.*s' is neither Product nor Service",
                     (int)(type.n < 40 ? type.n : 40), (const char *)type.p);
    else if (kind(offer) != WIRE_MAP)
        import_fault(im, at, true, "offers", "missing: without an offer there is no price");
    else
        object_item(im, object, offer, service, o);
}

void import_json(struct import *im, struct span bytes, const struct import_options *o)
{
    struct report r = {0};
    unsigned line = 1;
    if (json_to_wire(&im->json, bytes, &r)) {
        const char *why = strstr(r.text, ": ");
        if (sscanf(r.text, "line %u", &line) != 1) /* NOLINT(cert-err34-c): our own words */
            line = 1;
        import_fault(im, line, false, "json", "%s", why ? why + 2 : r.text);
        return;
    }
    struct span whole = buf_view(&im->json);
    if (kind(whole) != WIRE_ARRAY) {
        import_fault(im, 1, false, "json", "this is not an array of objects");
        return;
    }
    struct cursor c = lax(whole);
    size_t n = cursor_array(&c, 0, SIZE_MAX);
    if (n == 0 || n > IMPORT_ROWS_MOST)
        import_fault(im, 1, false, "file",
                     n ? "more than %d listings; cut it in two"
                       : "there is no listing in it (of at most %d)",
                     IMPORT_ROWS_MOST);
    for (size_t i = 0; i < n && n <= IMPORT_ROWS_MOST && !c.err; i++) {
        im->read++;
        json_object(im, cursor_skip(&c), o);
    }
}
