/* search.c: keeps the text index up with the records that were committed.
 *
 * The index is fed from the store and not from what the rooms tell each other: every record from the serial
 * `index_next` on, a bounded number at a time, so that a start after a long import and an index that is
 * full for a moment are the same case. */
#include "node/market/engine.h"
#include "store/query.h"

enum { FEED_AT_ONCE = 512, LISTING_BYTES = 65536, AGAIN_MS = 1000 };

struct feed {
    struct market *m;
    struct core *c;
    struct arena a;
    struct buf text;
    size_t left;
    bool full;
};

static void add_text(struct buf *b, struct span s)
{
    buf_span(b, s);
    buf_append(b, "\n", 1);
}

static int add_listing(struct feed *f, const struct record *rec, uint64_t serial)
{
    struct record_listing l;
    if (record_listing_decode(&l, rec->body, &f->a, NULL))
        return 0;
    struct index_doc doc = {.title = l.title,
                            .lang = l.language,
                            .category = l.category,
                            .region = l.region,
                            .place = l.has_place ? l.place : span("", 0),
                            .type = (uint8_t)l.type,
                            .price = l.price,
                            .seller = rec->author,
                            .created = rec->created,
                            .expires = rec->expires};
    buf_clear(&f->text);
    add_text(&f->text, l.description);
    for (size_t i = 0; l.has_tags && i < l.tags_n; i++)
        add_text(&f->text, l.tags[i]);
    for (size_t i = 0; l.has_attributes && i < l.attributes_n; i++)
        add_text(&f->text, l.attributes[i].value);
    for (size_t i = 0; l.has_variants && i < l.variants_n; i++)
        add_text(&f->text, l.variants[i].name);
    doc.text = buf_view(&f->text);
    for (size_t i = 0; i < l.rails_n; i++)
        doc.rails |= 1u << ((unsigned)l.rails[i] & 15);
    for (size_t i = 0; i < l.delivery_n; i++)
        doc.deliveries |= 1u << ((unsigned)l.delivery[i].mode & 15);
    return index_doc_add(f->m->index, serial, &doc);
}

static bool feed_one(void *arg, const struct id *id, const struct record_row *row)
{
    struct feed *f = arg;
    struct record rec;
    (void)id;
    if (!f->left--) {
        f->full = true;
        return false;
    }
    arena_reset(&f->a);
    if (row->kind == RECORD_LISTING && !row->withdraws && row->expires > f->c->now.unix_ms &&
        record_parse(&rec, row->bytes, f->c->network, NULL) == 0 && rec.kind == RECORD_LISTING &&
        add_listing(f, &rec, row->serial) == SOUK_EBUSY) {
        f->full = true; /* when a slice is on disk there is room again */
        return false;
    }
    f->m->index_next = row->serial + 1;
    return true;
}

static void flush(struct market *m, struct core *c)
{
    if (m->index_flushing)
        return;
    struct change *ch = change_new(ROOM_MARKET, MARKET_INDEX, 0);
    ch->bulk = true;
    if (!index_flush_slice(m->index, ch, m->index_behind)) {
        change_free(ch);
        return;
    }
    m->index_flushing = true;
    fx_commit(c->fx, ch);
}

void search_feed(struct market *m, struct core *c)
{
    struct feed f = {.m = m, .c = c, .left = FEED_AT_ONCE};
    if (!m->index)
        return;
    arena_init(&f.a, LISTING_BYTES);
    view_records_from(c->view, m->index_next, feed_one, &f);
    m->index_behind = f.full;
    arena_free(&f.a);
    buf_free(&f.text);
}

void search_boot(struct market *m, struct core *c)
{
    m->index = index_open(c->view, c->rng);
    m->index_next = index_upto(m->index) + 1;
    m->index_behind = true;
}

void search_wake(struct market *m, struct core *c)
{
    if (m->index_behind)
        search_feed(m, c);
    flush(m, c);
}

void search_committed(struct market *m, struct core *c, struct change *change)
{
    m->index_flushing = false;
    index_flushed(m->index, change);
    if (!change->err)
        search_wake(m, c);
    else
        m->behind_ms = c->now.mono_ms + AGAIN_MS; /* the disk may be full */
}

int market_search(struct market *m, struct core *c, const struct query *q, struct hit *hits, size_t *n,
                  struct query_cursor *next)
{
    if (m->index_behind)
        search_feed(m, c);
    return query_run(m->index, c->view, q, hits, n, next);
}

bool market_search_behind(const struct market *m)
{
    return m->index_behind;
}
