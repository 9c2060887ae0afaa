/* demo_market.c: the market's part of `souk demo`: people, the catalogue, searching, a picture, letters. */
#include "cli/demo.h"
#include "crypto/wire/pack.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    SPEND_MS = 3600000,
    WAIT_MS = 60000,
    IMPORT_MS = 180000,
    FILE_BYTES_MOST = 4 << 20,
    PHOTO_BYTES_MOST = 2 << 20
};

/* ---- people ---- */
void demo_identities(struct demo *d)
{
    static const char *const about[DEMO_NODES] = {
        "Je vide la maison de mes grands-parents, et je prête mes outils.",
        "I mend bicycles and look for things that last.",
        "Médiatrice. I read both sides before I decide, in French or English.",
        "Un crédit local, tenu par ses membres.",
        "I only look around.",
    };
    static const struct span languages[] = {{(const uint8_t *)"fr", 2}, {(const uint8_t *)"en", 2}};
    for (enum demo_who who = 0; who < DEMO_NODES; who++) {
        struct demo_node *n = &d->node[who];
        struct api_id_new_result made;
        struct api_id_unlock_result opened;
        struct api_id_list_result list;
        struct api_profile_publish_result profile;
        ASK(d, who, id_new, &made, .name = span_str(n->name), .passphrase = span_str(n->passphrase));
        n->id = made.id;
        ASK(d, who, id_unlock, &opened, .passphrase = span_str(n->passphrase), .has_for_ms = true,
            .for_ms = SPEND_MS);
        ASK(d, who, profile_publish, &profile, .name = span_str(n->name), .has_about = true,
            .about = span_str(about[who]), .has_languages = true, .languages = languages, .languages_n = 2,
            .has_region = true, .region = span_str(n->region));
        ASK(d, who, id_list, &list, 0);
        if (list.identities_n)
            demo_say(d, who, "%s is %s here, and may move money for %llu minutes",
                     demo_text(d, list.identities[0].name), demo_short(d, &list.identities[0].id),
                     (unsigned long long)(list.identities[0].spend_ms / 60000));
    }
    struct api_profile_show_result seen;
    struct until u = until(d, BUYER, WAIT_MS, "the seller's profile");
    do
        MAYBE(d, BUYER, profile_show, &seen, .id = d->node[SELLER].id);
    while (!seen.name.n && until_more(&u));
    demo_say(d, BUYER, "%s is %s of %s: %s", demo_short(d, &d->node[SELLER].id), demo_text(d, seen.name),
             demo_text(d, seen.region), demo_text(d, seen.about));
}

/* ---- the catalogue ---- */
/* Appends [path, root] of a picture that the seller's node has taken in. */
static void take_photo(struct demo *d, struct span path, struct buf *pair, uint64_t *bytes)
{
    char file[700];
    struct buf data = {0};
    struct report r = {0};
    struct api_photo_add_result m;
    snprintf(file, sizeof file, "%s/%s", d->catalogue, demo_text(d, path));
    int err = cli_file(file, PHOTO_BYTES_MOST, &data, &r);
    if (err)
        demo_fail(d, DEMO_NODES, err, "%s", r.text);
    ASK(d, SELLER, photo_add, &m, .bytes = buf_view(&data));
    *bytes += m.photo.bytes;
    pack_array(pair, 2);
    pack_str(pair, path);
    pack_bin(pair, SPAN_OF(m.root));
    buf_free(&data);
}

static void take_photos(struct demo *d, const struct api_listing_import_result *named, const char *file,
                        struct span *pairs)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < named->photos_n && !d->err; i++) {
        struct buf pair = {0};
        take_photo(d, named->photos[i], &pair, &bytes);
        pairs[i] = arena_copy(&d->arena, buf_view(&pair));
        buf_free(&pair);
    }
    demo_say(d, SELLER, "took in %zu pictures that %s names, %llu bytes", named->photos_n, file,
             (unsigned long long)bytes);
}

static void no_faults(struct demo *d, const struct api_listing_import_result *m, const char *file)
{
    if (m->faults_n)
        demo_fail(d, SELLER, SOUK_EINVALID, "%s, line %llu, %s: %s (%zu mistakes in all)", file,
                  (unsigned long long)m->faults[0].line, demo_text(d, m->faults[0].field),
                  demo_text(d, m->faults[0].text), m->faults_n);
}

static void import_file(struct demo *d, const char *file, const char *format)
{
    char path[400];
    struct buf text = {0};
    struct report r = {0};
    struct api_listing_import_result m;
    snprintf(path, sizeof path, "%s/%s", d->catalogue, file);
    int err = cli_file(path, FILE_BYTES_MOST, &text, &r);
    if (err)
        demo_fail(d, DEMO_NODES, err, "%s", r.text);
    struct api_listing_import_params p = {.format = span_str(format),
                                          .text = buf_view(&text),
                                          .has_issuer = true,
                                          .issuer = d->node[ISSUER].id,
                                          .has_arbiters = true,
                                          .arbiters = &d->node[ARBITER].id,
                                          .arbiters_n = 1,
                                          .has_check_only = true,
                                          .check_only = true};
    DEMO_CALL(d, SELLER, listing_import, &m, false, &p);
    no_faults(d, &m, file);
    struct span *pairs = arena_array(&d->arena, m.photos_n + 1, sizeof *pairs);
    if (!d->err && pairs)
        take_photos(d, &m, file, pairs);
    p.check_only = false;
    p.has_photos = true;
    p.photos = pairs;
    p.photos_n = m.photos_n;
    DEMO_CALL(d, SELLER, listing_import, &m, false, &p);
    no_faults(d, &m, file);
    d->listings += m.published;
    demo_say(d, SELLER, "read %llu listings in %s and publishes %llu", (unsigned long long)m.count, file,
             (unsigned long long)m.published);
    buf_free(&text);
}

void demo_catalogue(struct demo *d)
{
    struct api_listing_import_state_result state;
    import_file(d, "catalogue.csv", "csv");
    import_file(d, "catalogue.json", "json");
    struct until u = until(d, SELLER, IMPORT_MS, "the listings to be on disk");
    do
        ASK(d, SELLER, listing_import_state, &state, 0);
    while (state.waiting && until_more(&u));
    demo_say(d, SELLER, "%llu listings are signed and on disk, %llu wait", (unsigned long long)state.done,
             (unsigned long long)state.waiting);
}

void demo_spread(struct demo *d)
{
    for (enum demo_who who = BUYER; who < DEMO_NODES; who++) {
        struct api_profile_show_result m;
        struct api_node_status_result status;
        struct until u = until(d, who, WAIT_MS, "all of the seller's listings");
        do
            MAYBE(d, who, profile_show, &m, .id = d->node[SELLER].id);
        while (m.listings < d->listings && until_more(&u));
        ASK(d, who, node_status, &status, 0);
        demo_say(d, who, "%s has %llu listings; %llu records are kept here", demo_text(d, m.name),
                 (unsigned long long)m.listings, (unsigned long long)status.records);
    }
}

/* ---- searching ---- */
static uint64_t search(struct demo *d, const char *words, const struct api_search_run_params *p)
{
    struct api_search_run_result m;
    uint64_t at_us = demo_now_us();
    DEMO_CALL(d, BUYER, search_run, &m, false, p);
    at_us = demo_now_us() - at_us;
    if (!m.listings_n)
        demo_fail(d, BUYER, SOUK_ENOT_FOUND, "nothing is found for %s", words);
    else
        demo_say(d, BUYER, "%s: %llu found, answered in %.1f ms: %s, %s, %s", words,
                 (unsigned long long)m.total, (double)at_us / 1000, demo_text(d, m.listings[0].title),
                 demo_text(d, m.listings[0].price_text), demo_text(d, m.listings[0].region));
    return m.total;
}

void demo_search(struct demo *d)
{
    struct currency eur, credit;
    currency_from_iso(&eur, "EUR");
    memcpy(credit.b, d->node[ISSUER].id.b, sizeof credit.b);
#define SEARCH(words, ...) search(d, words, &(struct api_search_run_params){__VA_ARGS__})
    uint64_t accents = SEARCH("search vélo", .has_words = true, .words = span_str("vélo"));
    uint64_t plain = SEARCH("search VELO", .has_words = true, .words = span_str("VELO"));
    if (accents != plain)
        demo_fail(d, BUYER, SOUK_EINTERNAL, "vélo and VELO do not find the same");
    SEARCH("search échelles", .has_words = true, .words = span_str("échelles"));
    SEARCH("search chairs kitchen --region IE", .has_words = true, .words = span_str("chairs kitchen"),
           .has_region = true, .region = span_str("IE"));
    SEARCH("search vélo --max 200 --currency EUR --delivery pickup", .has_words = true,
           .words = span_str("vélo"), .has_max = true, .max = 20000, .has_currency = true, .currency = eur,
           .has_delivery = true, .delivery = RECORD_DELIVERY_MODE_PICKUP);
    SEARCH("search --type rental --sort price --currency EUR", .has_type = true,
           .type = RECORD_LISTING_TYPE_RENTAL, .has_sort = true, .sort = API_SORT_PRICE,
           .has_currency = true, .currency = eur);
    char words[64];
    snprintf(words, sizeof words, "search perceuse --max 100 --currency %s",
             demo_short(d, &d->node[ISSUER].id));
    SEARCH(words, .has_words = true, .words = span_str("perceuse"), .has_currency = true,
           .currency = credit, .has_max = true, .max = 10000);
#undef SEARCH
}

/* ---- a listing and its picture ---- */
/* The picture by slices, as any program would ask for it. */
static uint64_t fetch_photo(struct demo *d, const struct id *listing, const struct id *root)
{
    enum { SLICE = 4096 };
    struct api_photo_get_result m;
    uint64_t at = 0;
    do {
        ASK(d, BUYER, photo_get, &m, .root = *root, .has_offset = true, .offset = at, .has_limit = true,
            .limit = SLICE, .has_listing = true, .listing = *listing);
        at += m.bytes.n;
    } while (!d->err && m.bytes.n && at < m.total);
    if (at != m.total || !at)
        demo_fail(d, BUYER, SOUK_EIO, "the picture ends after %llu of %llu bytes", (unsigned long long)at,
                  (unsigned long long)m.total);
    return at;
}

void demo_listing(struct demo *d)
{
    struct api_search_run_result found;
    struct api_listing_show_result m;
    ASK(d, BUYER, search_run, &found, .has_words = true, .words = span_str("vélo enfant"));
    if (!found.listings_n)
        demo_fail(d, BUYER, SOUK_ENOT_FOUND, "nothing is found for vélo enfant");
    if (d->err || !found.listings_n)
        return;
    struct id id = found.listings[0].id;
    ASK(d, BUYER, listing_show, &m, .id = id);
    demo_say(d, BUYER, "listing %s: %s, %s, in %s", demo_short(d, &id), demo_text(d, m.listing.title),
             demo_text(d, m.listing.price_text), demo_text(d, m.listing.category));
    demo_say(d, BUYER, "  « %s »", demo_text(d, m.description));
    if (!d->err && !m.photos_n)
        demo_fail(d, BUYER, SOUK_ENOT_FOUND, "the listing has no picture");
    if (d->err || !m.photos_n)
        return;
    struct api_photo_ref photo = m.photos[0];
    demo_say(d, BUYER, "its picture %s, %llu × %llu, is %s", demo_short(d, &photo.root),
             (unsigned long long)photo.width, (unsigned long long)photo.height,
             photo.here ? "here" : "not here yet");
    uint64_t bytes = fetch_photo(d, &id, &photo.root);
    ASK(d, BUYER, listing_show, &m, .id = id);
    if (!d->err && m.photos_n)
        demo_say(d, BUYER, "photo.get gave %llu bytes of %s, and the picture is %s now",
                 (unsigned long long)bytes, demo_text(d, m.photos[0].type),
                 m.photos[0].here ? "here" : "still not all here");
}

/* ---- letters ---- */
static void letter(struct demo *d, enum demo_who from, enum demo_who to, const char *text)
{
    struct api_message_send_result sent;
    struct api_message_list_result m;
    bool there = false, acknowledged = false;
    uint64_t since = demo_now_ms();
    ASK(d, from, message_send, &sent, .to = d->node[to].id, .text = span_str(text));
    struct until u = until(d, to, WAIT_MS, "the letter");
    do {
        ASK(d, to, message_list, &m, 0);
        for (size_t i = 0; i < m.messages_n && !there; i++)
            if (id_eq(&m.messages[i].id, &sent.id)) {
                there = true;
                demo_say(d, to, "%s writes: %s", demo_short(d, &m.messages[i].from),
                         demo_text(d, m.messages[i].text));
            }
    } while (!there && until_more(&u));
    u = until(d, from, WAIT_MS, "the acknowledgement of the letter");
    do {
        ASK(d, from, message_list, &m, 0);
        for (size_t i = 0; i < m.messages_n; i++)
            acknowledged |=
                id_eq(&m.messages[i].id, &sent.id) && span_eq(m.messages[i].state, span_str("received"));
    } while (!acknowledged && until_more(&u));
    uint64_t took = demo_now_ms() - since;
    demo_say(d, from, "the letter %s is received, %llu ms after it was written", demo_short(d, &sent.id),
             (unsigned long long)took);
}

void demo_messages(struct demo *d)
{
    letter(d, BUYER, SELLER, "Bonjour ! Is the children's bike still there, and has it new tyres?");
    letter(d, SELLER, BUYER, "Oui, il est là. Pneus changés au printemps ; petit jeu dans la pédale.");
}
