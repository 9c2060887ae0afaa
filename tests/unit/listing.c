// links: market
#include "node/market/market.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct record_delivery pickup = {.mode = RECORD_DELIVERY_MODE_PICKUP};
static const enum record_rail direct = RECORD_RAIL_DIRECT, credit = RECORD_RAIL_CREDIT;

static struct record_listing bike(void)
{
    return (struct record_listing){.title = span_str("Bike"),
                                   .description = span_str("Rides."),
                                   .language = span_str("en"),
                                   .category = span_str("bikes/city"),
                                   .price = {12000, {"EUR"}},
                                   .quantity = 1,
                                   .region = span_str("FR"),
                                   .delivery = &pickup,
                                   .delivery_n = 1,
                                   .rails = &direct,
                                   .rails_n = 1};
}

static void refused(const struct record_listing *m, const char *word)
{
    struct report r = {0};
    assert_true(market_listing_check(m, &r) < 0);
    if (!strstr(r.text, word))
        fail_msg("'%s' does not speak of %s", r.text, word);
}

static void a_good_listing_passes(void **state)
{
    (void)state;
    struct record_listing m = bike();
    struct report r = {0};
    assert_int_equal(market_listing_check(&m, &r), 0);
    m.has_place = true;
    m.place = span_str("u05kq");
    assert_int_equal(market_listing_check(&m, NULL), 0);
}

static void money_and_rail_belong_together(void **state)
{
    (void)state;
    struct record_listing m = bike();
    m.rails = &credit;
    refused(&m, "credit");
    m.price.currency = (struct currency){{1, 2, 3}};
    assert_int_equal(market_listing_check(&m, NULL), 0);
    m.rails = &direct;
    refused(&m, "credit rail");
    m = bike();
    m.price.minor = -1;
    refused(&m, "negative");
    m = bike();
    struct record_delivery ship = {.has_price = true, .price = {5, {"USD"}}};
    m.delivery = &ship;
    refused(&m, "delivery");
    m = bike();
    struct record_variant blue = {.name = span_str("blue"), .has_price = true, .price = {5, {"USD"}}};
    m.has_variants = true;
    m.variants = &blue;
    m.variants_n = 1;
    refused(&m, "blue");
}

static void rentals_say_for_how_long_and_instant_ones_name_an_arbiter(void **state)
{
    (void)state;
    struct record_listing m = bike();
    m.has_rental = true;
    refused(&m, "rental");
    m = bike();
    m.type = RECORD_LISTING_TYPE_RENTAL;
    refused(&m, "rental: ");
    refused(&m, "bikes/city is for goods");
    m = bike();
    m.has_instant = m.instant = true;
    refused(&m, "arbiter");
}

static void every_mistake_is_named_at_once(void **state)
{
    (void)state;
    struct record_listing m = bike();
    struct report r = {0};
    m.category = span_str("bikes/citty");
    m.region = span_str("UK");
    m.has_place = true;
    m.place = span_str("ail");
    assert_true(market_listing_check(&m, &r) < 0);
    assert_non_null(strstr(r.text, "bikes/city"));
    assert_non_null(strstr(r.text, "UK"));
    assert_non_null(strstr(r.text, "geohash"));
}

static void topics_are_the_top_category_and_the_region(void **state)
{
    (void)state;
    char topic[72];
    struct identity who = {{0x3f}};
    market_topic(topic, span_str("bikes/city"), span_str("FR"));
    assert_string_equal(topic, "bikes/FR");
    market_topic(topic, span_str("bikes"), span_str(""));
    assert_string_equal(topic, "bikes/*");
    assert_true(market_topic_means(span_str("bikes/FR")) && market_topic_means(span_str("bikes/*")));
    assert_true(market_topic_means(span_str("people/3f")));
    assert_false(market_topic_means(span_str("bikes/ZZ")) || market_topic_means(span_str("zeppelins/FR")));
    market_topic_people(topic, &who);
    assert_string_equal(topic, "people/3f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_listing_passes),
        cmocka_unit_test(money_and_rail_belong_together),
        cmocka_unit_test(rentals_say_for_how_long_and_instant_ones_name_an_arbiter),
        cmocka_unit_test(every_mistake_is_named_at_once),
        cmocka_unit_test(topics_are_the_top_category_and_the_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
