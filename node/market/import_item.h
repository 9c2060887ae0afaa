/* import_item.h: what both formats are turned into before anything is judged; for import*.c. */
#ifndef SOUK_IMPORT_ITEM_H
#define SOUK_IMPORT_ITEM_H
#include "node/market/import.h"

/* In the order in which mistakes are named.  The first name is CSV's, the second JSON's. */
#define IMPORT_FIELDS(X)                                      \
    X(TYPE, "type", "offers.businessFunction")                \
    X(TITLE, "title", "name")                                 \
    X(DESCRIPTION, "description", "description")              \
    X(LANG, "lang", "inLanguage")                             \
    X(CATEGORY, "category", "category")                       \
    X(CONDITION, "condition", "condition")                    \
    X(PRICE, "price", "offers.price")                         \
    X(CURRENCY, "currency", "offers.priceCurrency")           \
    X(OPEN, "open_to_offers", "open_to_offers")               \
    X(QUANTITY, "quantity", "offers.inventoryLevel")          \
    X(COUNTRY, "country", "addressCountry")                   \
    X(PLACE, "place", "offers.availableAtOrFrom")             \
    X(DELIVERY, "delivery", "offers.availableDeliveryMethod") \
    X(SHIP_PRICE, "ship_price", "offers.shippingDetails")     \
    X(TAGS, "tags", "keywords")                               \
    X(PHOTO, "photo", "image")                                \
    X(DAYS, "expires_days", "expires_days")                   \
    X(INSTANT, "instant", "instant")                          \
    X(RETURNS, "", "merchantReturnDays")                      \
    X(DEPOSIT, "", "deposit")                                 \
    X(LEAST, "", "rental_least")                              \
    X(MOST, "", "rental_most")                                \
    X(SHIP_CURRENCY, "", "offers.shippingDetails")
enum import_field {
#define X(NAME, csv, json) FIELD_##NAME,
    IMPORT_FIELDS(X)
#undef X
        FIELD_N,
    FIELD_CSV_N = FIELD_RETURNS
};
struct item_list {
    struct span *v;
    size_t n;
};
struct item {
    uint32_t line;
    bool json, bad;         /* a mistake was named already */
    bool absent[FIELD_N];   /* the whole column is missing, which was said once */
    struct span v[FIELD_N]; /* empty: not given */
    struct item_list delivery, tags, photos;
    struct record_attribute *attributes;
    size_t attributes_n;
    uint64_t unit_ms; /* rental: what the price is for; 0: not said */
};
const char *import_field_name(enum import_field f, bool json);
/* Adds a fault unless there are IMPORT_FAULTS_MOST already. */
void import_fault(struct import *im, uint32_t line, bool item, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* False when it was there. */
bool import_names_add(struct import_names *set, struct span name);
/* Judges an item; a good one becomes a row. */
void import_item(struct import *im, const struct item *it, const struct import_options *o);
#endif
