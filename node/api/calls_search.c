/* calls_search.c: finding. */
#include "node/api/calls_market.h"
#include "node/market/categories.h"
#include "store/query.h"

enum { PAGE = 20, CURSOR_BYTES = 12, SNIPPET_BYTES = 160, ROW_BYTES = 131072 };

int do_category_list(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(category_list);
    size_t all_n, n = 0;
    const struct category *all = categories_all(&all_n);
    struct api_category_row *rows = arena_array(a, all_n, sizeof *rows);
    bool french = p.has_language && p.language.n >= 2 && memcmp(p.language.p, "fr", 2) == 0;
    for (size_t i = 0; rows && i < all_n; i++) {
        const struct category *k = &all[i];
        size_t under = p.has_under ? p.under.n : 0;
        if (under && (strncmp(k->path, (const char *)p.under.p, under) != 0 ||
                      (k->path[under] && k->path[under] != '/')))
            continue;
        rows[n++] = (struct api_category_row){.path = span_str(k->path),
                                              .label = span_str(french ? k->label_fr : k->label_en),
                                              .type = (enum record_listing_type)k->type,
                                              .has_note = *k->note != 0,
                                              .note = span_str(k->note)};
    }
    if (!n) {
        const struct category *near = category_nearest(p.under);
        return report_set(r, SOUK_ENOT_FOUND,
                          "under: there is no category '%.*s'%s%s; without it all are listed",
                          (int)p.under.n, (const char *)p.under.p, near ? "; the nearest is " : "",
                          near ? near->path : "");
    }
    struct api_category_list_result res = {.categories = rows, .categories_n = n};
    API_RESULT(c, call, category_list, &res);
    return 0;
}

static int cursor_in(struct query_cursor *out, struct span s, struct report *r)
{
    if (s.n != CURSOR_BYTES)
        return report_set(r, SOUK_EPARAMS, "cursor: not one that search.run gave");
    memcpy(&out->key, s.p, sizeof out->key);
    out->doc = be32_get(s.p + 8);
    out->set = true;
    return 0;
}

static int query_in(const struct api_search_run_params *p, struct core *c, struct query *q,
                    struct report *r)
{
    static const enum query_sort sorts[] = {QUERY_RELEVANCE, QUERY_CHEAPEST, QUERY_DEAREST, QUERY_NEWEST};
    query_init(q);
    if (p->has_words)
        q->words = p->words;
    if (p->has_language)
        q->lang = p->language;
    if (p->has_category)
        q->category = p->category;
    if (p->has_region)
        q->region = p->region;
    if (p->has_near)
        q->place = p->near;
    if (p->has_type)
        q->type = (int)p->type;
    if (p->has_rail)
        q->rail = (int)p->rail;
    if (p->has_delivery)
        q->delivery = (int)p->delivery;
    q->seller = p->has_seller ? &p->seller : NULL;
    q->currency = p->has_currency ? &p->currency : NULL;
    if (p->has_min)
        q->price_least = p->min;
    if (p->has_max)
        q->price_most = p->max;
    if (p->has_sort)
        q->sort = sorts[p->sort];
    q->now = c->now.unix_ms;
    if ((p->has_min || p->has_max) && !p->has_currency)
        return report_set(r, SOUK_EPARAMS,
                          "min and max need a currency: prices of different money do not compare");
    return p->has_cursor && p->cursor.n ? cursor_in(&q->after, p->cursor, r) : 0;
}

/* The beginning of the description, cut between two words, on one line. */
static struct span snippet_of(struct span text, struct arena *a)
{
    size_t n = text.n < SNIPPET_BYTES ? text.n : SNIPPET_BYTES;
    if (n < text.n)
        while (n && text.p[n] != ' ' && text.p[n] != '\n')
            n--;
    struct span s = arena_copy(a, span(text.p, n));
    uint8_t *copy = (uint8_t *)(uintptr_t)s.p; /* NOLINT: our own copy */
    for (size_t i = 0; copy && i < n; i++)
        if (copy[i] == '\n')
            copy[i] = ' ';
    return s.p ? s : span("", 0);
}

static bool hit_row(struct core *c, const struct hit *hit, bool words, struct arena *a,
                    struct api_listing_row *row)
{
    struct id id;
    struct record_row rr;
    struct market_listing l;
    if (!view_record_at(c->view, hit->serial, &id, &rr) || market_listing(c, &id, a, &l, NULL) ||
        !l.newest || market_marked(c, &l.seller, MARK_BLOCK) || listing_row(c, &l, a, row))
        return false;
    row->snippet = snippet_of(l.body.description, a);
    row->has_snippet = row->snippet.n > 0;
    row->has_score = words;
    row->score = hit->score > 0 && hit->score < 1e5f ? (uint64_t)(hit->score * 1000.0f) : 0;
    return true;
}

/* Beyond a page matches are counted up to QUERY_HITS_MAX; that many means: at least. */
static uint64_t count_all(struct core *c, const struct query *q, struct arena *a)
{
    struct query whole = *q;
    size_t n = QUERY_HITS_MAX;
    struct hit *hits = arena_array(a, n, sizeof *hits);
    whole.after = (struct query_cursor){0};
    return hits && market_search(c->market, c, &whole, hits, &n, NULL) == 0 ? n : 0;
}

int do_search(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(search_run);
    struct query q;
    struct query_cursor next = {0};
    size_t limit = p.has_limit ? p.limit : PAGE, n = limit;
    int err = query_in(&p, c, &q, r);
    if (err)
        return err;
    struct hit *hits = arena_array(a, limit, sizeof *hits);
    struct api_listing_row *rows = arena_array(a, limit, sizeof *rows);
    if (!hits || !rows)
        return SOUK_ERANGE;
    if ((err = market_search(c->market, c, &q, hits, &n, &next)))
        return report_set(r, err, "this cannot be searched for");
    struct api_search_run_result res = {.listings = rows, .total = n};
    if (n == limit || q.after.set)
        res.total = count_all(c, &q, a);
    for (size_t i = 0; i < n; i++)
        res.listings_n += hit_row(c, &hits[i], q.words.n > 0, a, &rows[res.listings_n]);
    uint8_t cursor[CURSOR_BYTES];
    memcpy(cursor, &next.key, sizeof next.key);
    be32_put(cursor + 8, next.doc);
    res.has_cursor = next.set && n == limit;
    res.cursor = span(cursor, sizeof cursor);
    API_RESULT(c, call, search_run, &res);
    return 0;
}
