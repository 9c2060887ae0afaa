/* market.c: one person offers, another finds: profiles, listings, pictures, files, revisions, withdrawals
 * and follows, over the socket's methods on two nodes, with a restart in between. */
#include "api.gen.h"
#include "crypto/wire/json.h"
#include "node/gossip/gossip.h"
#include "node/market/engine.h"
#include "tests/sim/scenario.h"
#include <stdio.h>
#include <stdlib.h>

struct talk {
    struct world *w;
    struct arena a;
    struct buf params;
    struct span result;
};

static bool call(struct talk *t, size_t node, const char *method)
{
    int err = world_call(t->w, node, method, buf_view(&t->params), &t->result);
    if (err) {
        struct buf text = {0};
        wire_json(&text, t->result);
        printf("  %s: %.*s\n", method, (int)text.n, (const char *)text.p);
        buf_free(&text);
    }
    return err == 0;
}
#define CALL(t, node, dotted, name, out, ...)                                              \
    (buf_clear(&(t)->params), arena_reset(&(t)->a),                                        \
     api_##name##_params_encode(&(t)->params, &(struct api_##name##_params){__VA_ARGS__}), \
     call((t), (node), dotted) && api_##name##_result_decode((out), (t)->result, &(t)->a, NULL) == 0)

static struct span load(struct buf *b, const char *file)
{
    char path[600];
    uint8_t block[4096];
    snprintf(path, sizeof path, SOUK_SOURCE_DIR "/tests/data/%s", file);
    FILE *f = fopen(path, "rb");
    buf_clear(b);
    for (size_t n; f && (n = fread(block, 1, sizeof block, f)) > 0;)
        buf_append(b, block, n);
    if (f)
        fclose(f);
    return buf_view(b);
}

static bool is(struct span s, const char *text)
{
    return span_eq(s, span_str(text));
}

/* How many the words find on a node. */
static uint64_t found(struct talk *t, size_t node, const char *words)
{
    struct api_search_run_result res;
    if (!CALL(t, node, "search.run", search_run, &res, .has_words = true, .words = span_str(words)))
        return UINT64_MAX;
    return res.total;
}

struct wait {
    struct talk *t;
    uint64_t records;
};

static bool has_records(struct world *w, void *arg)
{
    const struct wait *k = arg;
    struct store_stats s;
    view_stats(world_view(w, 1), &s);
    return s.records >= k->records;
}

static bool file_published(struct talk *t, const struct identity *who, const char *file, const char *format,
                           uint64_t *count)
{
    struct buf text = {0};
    struct api_listing_import_result res = {0};
    load(&text, file);
    bool good = CALL(t, 0, "listing.import", listing_import, &res, .format = span_str(format),
                     .text = buf_view(&text), .has_issuer = true, .issuer = *who, .has_arbiters = true,
                     .arbiters = who, .arbiters_n = 1);
    for (size_t i = 0; good && i < res.faults_n && i < 5; i++)
        printf("  %llu: %.*s: %.*s\n", (unsigned long long)res.faults[i].line, (int)res.faults[i].field.n,
               (const char *)res.faults[i].field.p, (int)res.faults[i].text.n,
               (const char *)res.faults[i].text.p);
    *count = res.published;
    buf_free(&text);
    return good;
}

/* A picture with a position in it goes in clean, and comes out whole on another node. */
static bool pictures(struct talk *t, struct id *root)
{
    struct buf in = {0};
    struct api_photo_add_result added;
    struct api_photo_get_result got;
    load(&in, "photos/with-gps.jpg");
    bool good = false;
    EXPECT(CALL(t, 0, "photo.add", photo_add, &added, .bytes = buf_view(&in)));
    EXPECT(added.stripped > 0 && added.photo.width == 240 && added.photo.has_thumbnail);
    *root = added.root;
    EXPECT(CALL(t, 1, "photo.get", photo_get, &got, .root = *root));
    EXPECT(got.total == in.n - added.stripped && got.bytes.n == got.total);
    EXPECT(memmem(got.bytes.p, got.bytes.n, "SOUKSECRET", 10) == NULL);
    EXPECT(CALL(t, 1, "photo.get", photo_get, &got, .root = *root, .has_offset = true, .offset = 100,
                .has_limit = true, .limit = 50));
    EXPECT(got.bytes.n == 50);
    load(&in, "bad/only-heading.csv");
    printf("  (a refusal follows)\n");
    EXPECT(!CALL(t, 0, "photo.add", photo_add, &added, .bytes = buf_view(&in)));
    good = true;
fail:
    buf_free(&in);
    return good;
}

/* A node that does not clean its pictures: nobody else keeps them. */
static bool dirty_picture(struct talk *t)
{
    struct buf in = {0};
    struct id root;
    struct report r = {0};
    struct span info;
    uint32_t held;
    bool good = false;
    load(&in, "photos/with-everything.jpg");
    struct core *c = world_act_begin(t->w, 0);
    struct change *ch = change_new(ROOM_MARKET, MARKET_NOTE, 0);
    int err = gossip_blob_put(c->gossip, c, buf_view(&in), ch, &root, &r);
    fx_commit(c->fx, ch);
    world_act_end(t->w, 0);
    EXPECT(err == 0);
    buf_clear(&t->params);
    api_photo_get_params_encode(&t->params, &(struct api_photo_get_params){.root = root});
    world_cast(t->w, 1, "photo.get", buf_view(&t->params));
    world_run(t->w, 35000);
    EXPECT(view_blob(world_view(t->w, 0), &root, &info, &held));
    EXPECT(!view_blob(world_view(t->w, 1), &root, &info, &held));
    good = true;
fail:
    buf_free(&in);
    return good;
}

#define BIKE(title_, photos_, n_)                                                                         \
    .type = RECORD_LISTING_TYPE_GOODS, .title = span_str(title_), .description = span_str("Rides well."), \
    .language = span_str("en"), .category = span_str("bikes/city"), .has_condition = true,                \
    .condition = RECORD_CONDITION_GOOD, .price = {12000, {"EUR"}}, .region = span_str("FR"),              \
    .delivery = &pickup, .delivery_n = 1, .rails = &direct, .rails_n = 1, .has_photos = true,             \
    .photos = (photos_), .photos_n = (n_)

/* A listing's life: published, revised, withdrawn; each is seen by the other node. */
static bool a_life(struct talk *t, const struct id *photo)
{
    struct api_listing_publish_result made, again;
    struct api_listing_show_result shown;
    struct api_listing_mine_result mine;
    struct api_listing_withdraw_result gone;
    struct api_delivery pickup = {.mode = RECORD_DELIVERY_MODE_PICKUP};
    enum record_rail direct = RECORD_RAIL_DIRECT;
    bool good = false;
    EXPECT(CALL(t, 0, "listing.publish", listing_publish, &made, BIKE("Zanzibarian velocipede", photo, 1)));
    EXPECT(found(t, 0, "zanzibarian") == 1);
    world_run(t->w, 20000);
    EXPECT(found(t, 1, "velocipede") == 1);
    EXPECT(CALL(t, 1, "listing.show", listing_show, &shown, .id = made.id));
    EXPECT(shown.newest && is(shown.listing.price_text, "120.00 EUR") && shown.photos_n == 1);
    EXPECT(shown.listing.has_thumbnail && id_eq(&shown.listing.thumbnail, photo));
    EXPECT(CALL(t, 0, "listing.publish", listing_publish, &again, BIKE("Abyssinian velocipede", photo, 1),
                .has_revises = true, .revises = made.id));
    world_run(t->w, 20000);
    EXPECT(found(t, 1, "zanzibarian") == 0 && found(t, 1, "abyssinian") == 1);
    EXPECT(CALL(t, 0, "listing.renew", listing_renew, (struct api_listing_renew_result *)&made,
                .id = again.id, .has_days = true, .days = 60));
    EXPECT(CALL(t, 0, "listing.mine", listing_mine, &mine, .has_limit = false));
    EXPECT(mine.listings_n == 1 && id_eq(&mine.listings[0].id, &made.id));
    EXPECT(CALL(t, 0, "listing.withdraw", listing_withdraw, &gone, .id = made.id));
    EXPECT(found(t, 0, "velocipede") == 0);
    world_run(t->w, 20000);
    EXPECT(found(t, 1, "velocipede") == 0);
    good = true;
fail:
    return good;
}

static uint64_t known_by_gossip(struct talk *t, size_t node)
{
    struct gossip_stats s;
    struct core *c = world_act_begin(t->w, node);
    gossip_stats(c->gossip, &s);
    world_act_end(t->w, node);
    return s.known;
}

/* What has expired is neither found nor offered any more. */
static bool expiry(struct talk *t)
{
    struct api_listing_publish_result made;
    struct api_listing_show_result shown;
    struct api_delivery pickup = {.mode = RECORD_DELIVERY_MODE_PICKUP};
    enum record_rail direct = RECORD_RAIL_DIRECT;
    struct id none;
    bool good = false;
    world_run(t->w, 200000); /* what was revised before it was told on comes by reconciliation */
    uint64_t before = known_by_gossip(t, 1);
    EXPECT(CALL(t, 0, "listing.publish", listing_publish, &made, BIKE("Ephemeral velocipede", &none, 0),
                .has_days = true, .days = 1));
    world_run(t->w, 20000);
    EXPECT(found(t, 1, "ephemeral") == 1 && known_by_gossip(t, 1) == before + 1);
    world_run(t->w, 86400000 + 120000);
    EXPECT(found(t, 1, "ephemeral") == 0 && known_by_gossip(t, 1) <= before);
    printf("  (a refusal follows)\n");
    EXPECT(!CALL(t, 1, "listing.show", listing_show, &shown, .id = made.id));
    good = true;
fail:
    return good;
}

/* Files priced in credit need an issuer's record. */
static bool issues(struct talk *t, const struct identity *who)
{
    struct core *c = world_act_begin(t->w, 0);
    struct buf body = {0};
    struct report r = {0};
    char topic[72];
    struct change *ch = change_new(ROOM_MARKET, MARKET_UPKEEP, 0);
    record_issuer_encode(&body, &(struct record_issuer){.name = span_str("Grains"),
                                                        .code = span_str("GRN"),
                                                        .decimals = 2,
                                                        .node = *world_key(t->w, 0),
                                                        .key = *who});
    market_topic_people(topic, who);
    struct market_draft d = {.author = *who,
                             .kind = RECORD_ISSUER,
                             .topic = span_str(topic),
                             .body = buf_view(&body),
                             .expires = c->now.unix_ms + 86400000};
    int err = market_publish(c->market, c, &d, ch, &r);
    if (err)
        change_free(ch);
    world_act_end(t->w, 0);
    buf_free(&body);
    world_run(t->w, 100);
    return err == 0;
}

static bool people(struct talk *t, const struct identity *who)
{
    struct api_profile_publish_result made;
    struct api_profile_show_result shown;
    struct api_person_find_result some;
    struct api_people_mark_result done;
    struct api_people_marked_result marked;
    struct api_arbiter_publish_result terms;
    struct api_arbiter_list_result arbiters;
    struct span english = span_str("en");
    bool good = false;
    EXPECT(CALL(t, 0, "profile.publish", profile_publish, &made, .name = span_str("Élise Ünal"),
                .has_region = true, .region = span_str("FR")));
    EXPECT(CALL(t, 0, "arbiter.publish", arbiter_publish, &terms, .fee_bp = 150, .languages = &english,
                .languages_n = 1, .delay_ms = 86400000));
    world_run(t->w, 20000);
    EXPECT(CALL(t, 1, "person.find", person_find, &some, .name = span_str("elise")));
    EXPECT(some.people_n == 1 && identity_eq(&some.people[0], who));
    EXPECT(CALL(t, 1, "person.find", person_find, &some, .name = span_str("unal")) && some.people_n == 0);
    EXPECT(CALL(t, 1, "profile.show", profile_show, &shown, .id = *who));
    EXPECT(is(shown.name, "Élise Ünal") && !shown.own && shown.ratings == 0);
    EXPECT(CALL(t, 1, "arbiter.list", arbiter_list, &arbiters, .nothing = 0));
    EXPECT(arbiters.arbiters_n == 1 && arbiters.arbiters[0].fee_bp == 150);
    EXPECT(is(arbiters.arbiters[0].name, "Élise Ünal"));
    EXPECT(CALL(t, 1, "people.mark", people_mark, &done, .id = *who, .mark = span_str("follow")));
    EXPECT(CALL(t, 1, "people.marked", people_marked, &marked, .nothing = 0));
    EXPECT(marked.follows_n == 1 && marked.blocks_n == 0);
    good = true;
fail:
    return good;
}

bool scenario_market(const struct scenario_args *args)
{
    struct world_config config = {.seed = args->seed,
                                  .nodes_most = 2,
                                  .delay_least_ms = 5,
                                  .delay_most_ms = 40,
                                  .commit_least_ms = 1,
                                  .commit_most_ms = 10,
                                  .work_most_ms = 5};
    network_make(&config.network, "sim", 0, 0, true);
    struct talk t = {.w = world_new(&config)};
    struct api_id_new_result id;
    struct api_listing_import_state_result state;
    struct api_people_mark_result done;
    struct id photo;
    uint64_t csv = 0;
    size_t first = 0;
    bool good = false;
    arena_init(&t.a, 8 << 20);
    world_add(t.w, NULL, 0, 0);
    world_add(t.w, &first, 1, 500);
    world_run(t.w, 3000);
    EXPECT(CALL(&t, 0, "id.new", id_new, &id, .name = span_str("seller"), .passphrase = span_str("x")));
    struct identity who = id.id;
    world_run(t.w, 5000);
    EXPECT(pictures(&t, &photo));
    EXPECT(dirty_picture(&t));
    EXPECT(a_life(&t, &photo));
    EXPECT(expiry(&t));
    EXPECT(people(&t, &who));
    EXPECT(issues(&t, &who));
    EXPECT(file_published(&t, &who, "bad/bad-price.csv", "csv", &csv) && csv == 0);
    struct wait k = {&t, 222};
    EXPECT(file_published(&t, &who, "catalogue/catalogue.csv", "csv", &csv) && csv > 0);
    EXPECT(world_until(t.w, has_records, &k, 120000));
    EXPECT(CALL(&t, 0, "listing.import_state", listing_import_state, &state, .nothing = 0));
    EXPECT(state.waiting == 0 && state.done == csv);
    world_run(t.w, 70000); /* and what a push left out comes by reconciliation */
    uint64_t bikes = found(&t, 1, "vélo");
    printf("  %llu listings, %llu with a bike in them\n", (unsigned long long)csv,
           (unsigned long long)bikes);
    EXPECT(bikes > 0 && bikes < csv && found(&t, 0, "vélo") == bikes);
    world_crash(t.w, 1);
    world_restart(t.w, 1);
    world_run(t.w, 2000);
    EXPECT(found(&t, 1, "vélo") == bikes);
    EXPECT(CALL(&t, 1, "people.mark", people_mark, &done, .id = who, .mark = span_str("block")));
    struct api_search_run_result res;
    EXPECT(
        CALL(&t, 1, "search.run", search_run, &res, .has_category = true, .category = span_str("bikes")));
    EXPECT(res.listings_n == 0);
    good = true;
fail:
    buf_free(&t.params);
    arena_free(&t.a);
    world_free(t.w);
    return good;
}
