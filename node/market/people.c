/* people.c: finding people again, plain facts about them, and whom the owner follows or blocks.
 *
 * TABLE_META:   "name/" folded name 00 identity32 → -       whose profile said so once
 *               "arbiter/" identity32 → -                   who published terms once
 *               "issuer/" identity32 → -                    who issued credit once
 * TABLE_DRAFT:  "follow/" identity32, "block/" identity32 → -
 * A row of the first two is only a hint: whoever reads it looks at the newest record. */
#include "node/market/engine.h"
#include <stdlib.h>
#include <utf8proc.h>

enum { NAME_MOST = 120, KEY_MOST = 200 };

/* Case and accents folded; at most NAME_MOST bytes. */
static size_t fold(uint8_t out[static NAME_MOST], struct span name)
{
    uint8_t *folded = NULL;
    utf8proc_ssize_t n = utf8proc_map(name.p, (utf8proc_ssize_t)name.n, &folded,
                                      UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                                          UTF8PROC_STRIPMARK | UTF8PROC_IGNORE);
    size_t kept = n <= 0 ? 0 : n > NAME_MOST ? NAME_MOST : (size_t)n;
    if (kept)
        memcpy(out, folded, kept);
    free(folded);
    return kept;
}

static size_t key_make(uint8_t out[static KEY_MOST], const char *prefix, struct span name)
{
    size_t n = strlen(prefix);
    memcpy(out, prefix, n);
    if (name.n)
        memcpy(out + n, name.p, name.n);
    return n + name.n;
}

static void note(struct core *c, struct span key)
{
    struct span there;
    if (view_get(c->view, TABLE_META, key, &there))
        return;
    struct change *ch = change_new(ROOM_MARKET, MARKET_NOTE, 0);
    ch->bulk = true;
    change_put(ch, TABLE_META, key, span("", 0));
    fx_commit(c->fx, ch);
}

void people_record_stored(struct core *c, const struct record *rec)
{
    uint8_t key[KEY_MOST], name[NAME_MOST];
    struct record_profile p;
    struct arena a;
    if (rec->kind == RECORD_ARBITER)
        note(c, span(key, key_make(key, "arbiter/", SPAN_OF(rec->author))));
    if (rec->kind == RECORD_ISSUER)
        note(c, span(key, key_make(key, "issuer/", SPAN_OF(rec->author))));
    if (rec->kind != RECORD_PROFILE)
        return;
    arena_init(&a, 16384);
    if (record_profile_decode(&p, rec->body, &a, NULL) == 0) {
        size_t n = key_make(key, "name/", span(name, fold(name, p.name)));
        key[n++] = 0;
        memcpy(key + n, rec->author.b, sizeof rec->author.b);
        note(c, span(key, n + sizeof rec->author.b));
    }
    arena_free(&a);
}

struct walk {
    struct core *c;
    uint8_t kind; /* whoever has a record of it; 0: anybody */
    struct span begin;
    market_person_fn *fn;
    void *arg;
};

/* Does the newest profile still bear a name that begins so? */
static bool still_named(const struct walk *w, const struct record *rec)
{
    uint8_t name[NAME_MOST];
    struct record_profile p;
    struct arena a;
    arena_init(&a, 16384);
    bool same = record_profile_decode(&p, rec->body, &a, NULL) == 0;
    size_t n = same ? fold(name, p.name) : 0;
    arena_free(&a);
    return same && n >= w->begin.n && memcmp(name, w->begin.p, w->begin.n) == 0;
}

static bool one_person(void *arg, struct span key, struct span value)
{
    struct walk *w = arg;
    struct identity who;
    struct record_row row;
    struct record rec;
    (void)value;
    if (key.n < sizeof who)
        return true;
    memcpy(&who, key.p + key.n - sizeof who, sizeof who);
    if (w->kind && !market_of(w->c, &who, w->kind, &row, &rec))
        return true;
    if (w->kind == RECORD_PROFILE && !still_named(w, &rec))
        return true;
    return w->fn(w->arg, &who);
}

void market_people_named(struct core *c, struct span begin, market_person_fn *fn, void *arg)
{
    uint8_t name[NAME_MOST], key[KEY_MOST];
    struct walk w = {c, RECORD_PROFILE, span(name, fold(name, begin)), fn, arg};
    if (w.begin.n)
        view_scan(c->view, TABLE_META, span(key, key_make(key, "name/", w.begin)), span(NULL, 0),
                  one_person, &w);
}

void market_arbiters(struct core *c, market_person_fn *fn, void *arg)
{
    struct walk w = {c, RECORD_ARBITER, span(NULL, 0), fn, arg};
    view_scan(c->view, TABLE_META, span_str("arbiter/"), span(NULL, 0), one_person, &w);
}

void market_issuers(struct core *c, market_person_fn *fn, void *arg)
{
    struct walk w = {c, RECORD_ISSUER, span(NULL, 0), fn, arg};
    view_scan(c->view, TABLE_META, span_str("issuer/"), span(NULL, 0), one_person, &w);
}

/* ---- follows and blocks ---- */
static const char *mark_prefix(enum market_mark mark)
{
    return mark == MARK_FOLLOW ? "follow/" : "block/";
}

void market_mark(struct change *change, const struct identity *who, enum market_mark mark, bool on)
{
    uint8_t key[KEY_MOST];
    struct span k = span(key, key_make(key, mark_prefix(mark), SPAN_OF(*who)));
    struct op *op =
        on ? change_put(change, TABLE_DRAFT, k, span("", 0)) : change_delete(change, TABLE_DRAFT, k);
    op->lone = true;
}

bool market_marked(struct core *c, const struct identity *who, enum market_mark mark)
{
    uint8_t key[KEY_MOST];
    struct span value;
    return view_get(c->view, TABLE_DRAFT, span(key, key_make(key, mark_prefix(mark), SPAN_OF(*who))),
                    &value);
}

void market_marks(struct core *c, enum market_mark mark, market_person_fn *fn, void *arg)
{
    struct walk w = {c, 0, span(NULL, 0), fn, arg};
    view_scan(c->view, TABLE_DRAFT, span_str(mark_prefix(mark)), span(NULL, 0), one_person, &w);
}

/* ---- plain facts ---- */
struct count_listings {
    struct core *c;
    uint64_t n;
};

static bool count_listing(void *arg, const struct id *id, const struct record_row *row)
{
    struct count_listings *k = arg;
    (void)id;
    k->n += !row->withdraws && row->expires > k->c->now.unix_ms;
    return true;
}

enum { COUNTERPARTS_MOST = 10000 };
struct count_ratings {
    struct market_person *out;
    struct map raters;
};

static bool count_rating(void *arg, const struct market_rating *rating)
{
    struct count_ratings *k = arg;
    k->out->ratings++;
    k->out->stars_sum += rating->body.stars;
    if (k->raters.n < COUNTERPARTS_MOST)
        map_put(&k->raters, &rating->author, k->out);
    return true;
}

void market_person(struct market *m, struct core *c, const struct identity *who, struct market_person *out)
{
    struct count_listings listings = {c, 0};
    struct count_ratings ratings = {.out = out};
    *out = (struct market_person){0};
    view_author(c->view, who, RECORD_LISTING, count_listing, &listings);
    map_init(&ratings.raters, sizeof(struct identity), c->rng);
    market_ratings(m, c, who, count_rating, &ratings);
    out->listings = listings.n;
    out->counterparts = ratings.raters.n;
    map_free(&ratings.raters);
}
