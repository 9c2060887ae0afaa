/* calls_photos.c: pictures in and out, and files of listings.
 *
 * TABLE_DRAFT: "photo/" root32 → record_photo: what photo.add found out, for listings to come.
 * There is no decoder here yet, so no picture is made smaller: one of at most 8 KiB is its own thumbnail.
 */
#include "crypto/blobtree.h"
#include "crypto/record.h"
#include "node/api/calls_market.h"
#include "node/gossip/gossip.h"
#include "node/keys/keys.h"
#include "node/market/import.h"
#include "node/market/photo.h"

enum {
    PHOTO_KEY = 6 + 32,
    GET_MOST = 65536,
    FETCH_MS = 30000,
    PHOTOS_MOST = 1024,
    IMPORT_MS = 86400000, /* much work on many records */
};
static const int64_t day_ms = 86400000;

static struct span photo_key(uint8_t out[static PHOTO_KEY], const struct id *root)
{
    memcpy(out, "photo/", 6);
    memcpy(out + 6, root->b, sizeof root->b);
    return span(out, PHOTO_KEY);
}

int photo_known(struct core *c, const struct id *root, struct arena *a, struct record_photo *out,
                struct report *r)
{
    uint8_t key[PHOTO_KEY];
    struct span value;
    char hex[65];
    if (view_get(c->view, TABLE_DRAFT, photo_key(key, root), &value))
        return record_photo_decode(out, value, a, r);
    return report_set(r, SOUK_ENOT_FOUND, "there is no picture %.16s… here; photo.add takes it in first",
                      hex_encode(hex, root->b, sizeof root->b));
}

bool photo_whole(struct core *c, const struct id *root, uint64_t *bytes)
{
    struct span info;
    uint32_t held;
    struct cursor in;
    if (!view_blob(c->view, root, &info, &held))
        return false;
    cursor_init(&in, info);
    *bytes = cursor_uint(&in, 1, PHOTO_BYTES_MOST);
    return !in.err && held == blobtree_chunks(*bytes);
}

/* ---- in ---- */
struct added {
    size_t stripped, n;
    uint8_t photo[512]; /* record_photo */
};

static void photo_added(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct added m;
    struct record_photo f;
    (void)change;
    memcpy(&m, carry.p, sizeof m);
    MUST(record_photo_decode(&f, span(m.photo, m.n), NULL, NULL) == 0);
    struct api_photo_add_result res = {.root = f.root, .stripped = m.stripped};
    res.photo = (struct api_photo_ref){.root = f.root,
                                       .bytes = f.bytes,
                                       .type = f.type,
                                       .width = f.width,
                                       .height = f.height,
                                       .has_alt = f.has_alt,
                                       .alt = f.alt,
                                       .has_thumbnail = f.has_thumbnail,
                                       .thumbnail = f.thumbnail,
                                       .has_here = true,
                                       .here = true};
    API_RESULT(c, call, photo_add, &res);
}

int do_photo_add(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(photo_add);
    struct buf clean = {0}, body = {0};
    struct photo_facts facts;
    struct record_photo f = {0};
    struct added m = {0};
    uint8_t key[PHOTO_KEY];
    int err = photo_strip(&clean, p.bytes, &facts, r);
    if (err)
        return err;
    struct change *ch = call_change(c, call, photo_added, SPAN_OF(m));
    err = gossip_blob_put(c->gossip, c, buf_view(&clean), ch, &f.root, r);
    if (err) {
        change_free(ch);
        buf_free(&clean);
        return err;
    }
    f.bytes = clean.n;
    f.type = span_str(photo_type_name(facts.type));
    f.width = facts.width;
    f.height = facts.height;
    f.has_alt = p.has_alt && p.alt.n;
    f.alt = p.alt;
    f.has_thumbnail = clean.n <= PHOTO_THUMBNAIL_BYTES;
    f.thumbnail = f.root;
    record_photo_encode(&body, &f);
    MUST(body.n <= sizeof m.photo);
    m.stripped = facts.stripped_bytes;
    m.n = body.n;
    memcpy(m.photo, body.p, body.n);
    memcpy(call_carry(ch), &m, sizeof m);
    change_put(ch, TABLE_DRAFT, photo_key(key, &f.root), buf_view(&body))->lone = true;
    call_commit(c, ch);
    buf_free(&clean);
    buf_free(&body);
    return 0;
}

/* ---- out ---- */
struct wanted {
    struct id root;
    uint64_t offset, limit;
};

static bool photo_answer(struct core *c, const struct call *call, struct span carry)
{
    struct wanted w;
    uint64_t total;
    memcpy(&w, carry.p, sizeof w);
    if (!photo_whole(c, &w.root, &total))
        return false;
    struct buf out = {0};
    uint64_t end = w.offset + w.limit < total ? w.offset + w.limit : total;
    for (uint64_t at = w.offset; at < end;) {
        struct span chunk, proof;
        if (!view_chunk(c->view, &w.root, (uint32_t)(at / BLOB_CHUNK_BYTES), &chunk, &proof))
            break;
        size_t skip = (size_t)(at % BLOB_CHUNK_BYTES);
        size_t n = chunk.n > skip ? chunk.n - skip : 0;
        n = n < end - at ? n : (size_t)(end - at);
        if (!n)
            break;
        buf_append(&out, chunk.p + skip, n);
        at += n;
    }
    struct api_photo_get_result res = {.bytes = buf_view(&out), .total = total};
    API_RESULT(c, call, photo_get, &res);
    buf_free(&out);
    return true;
}

/* What a listing says of the picture: its size, and the seller's machine where it is published. */
static void where_from(struct core *c, const struct id *listing, const struct id *root, struct arena *a,
                       uint64_t *bytes, struct node_key *node, bool *has_node)
{
    struct market_listing l;
    if (market_listing(c, listing, a, &l, NULL))
        return;
    *has_node = l.body.has_node;
    *node = l.body.node;
    for (size_t i = 0; l.body.has_photos && i < l.body.photos_n; i++)
        if (id_eq(&l.body.photos[i].root, root))
            *bytes = l.body.photos[i].bytes;
}

int do_photo_get(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(photo_get);
    struct wanted w = {p.root, p.has_offset ? p.offset : 0, p.has_limit ? p.limit : GET_MOST};
    uint64_t bytes = 0;
    struct node_key node;
    bool has_node = false;
    if (photo_answer(c, call, SPAN_OF(w)))
        return 0;
    if (p.has_listing)
        where_from(c, &p.listing, &p.root, a, &bytes, &node, &has_node);
    int err = gossip_blob_want(c->gossip, c, &p.root, bytes, has_node ? &node : NULL);
    if (err)
        return report_set(r, err, "too many pictures are being fetched; try again in a moment");
    call_wait(c, call, photo_answer, SPAN_OF(w), FETCH_MS);
    return 0;
}

/* ---- files of listings ---- */
/* A [path, root] pair. */
static int photo_pair(struct core *c, struct span pair, struct arena *a, struct import_photo *out,
                      struct report *r)
{
    struct cursor in;
    struct id root;
    cursor_init(&in, pair);
    in.lax = true;
    cursor_array(&in, 2, 2);
    out->path = cursor_str(&in, 1, 300);
    cursor_fixed(&in, root.b, sizeof root.b);
    cursor_leave(&in);
    if (in.err)
        return report_set(r, SOUK_EPARAMS, "photos: each is a pair of a path and a root");
    return photo_known(c, &root, a, &out->photo, r);
}

static int photo_pairs(struct core *c, const struct api_listing_import_params *p, struct import_options *o,
                       struct arena *a, struct report *r)
{
    struct import_photo *v = arena_array(a, p->photos_n + 1, sizeof *v);
    int err = v ? 0 : SOUK_ERANGE;
    for (size_t i = 0; !err && i < p->photos_n; i++)
        err = photo_pair(c, p->photos[i], a, &v[i], r);
    o->photos = v;
    o->photos_n = p->photos_n;
    o->photos_known = p->has_photos;
    return err;
}

static int issuer_of(struct core *c, const struct identity *issuer, struct import_options *o,
                     struct report *r)
{
    struct record_row row;
    struct record rec;
    struct record_issuer m;
    o->issuer = issuer;
    if (!market_of(c, issuer, RECORD_ISSUER, &row, &rec) || record_issuer_decode(&m, rec.body, NULL, NULL))
        return report_set(
            r, SOUK_ENOT_FOUND,
            "the issuer's record is not known here, so nobody can tell how many decimals its credit has");
    o->issuer_decimals = (int)m.decimals;
    return 0;
}

struct importing {
    uint64_t number;
    size_t rows; /* and then the answer, if all of them come out */
};

/* Answers once every listing is on disk, or could not be put there. */
static bool import_over(struct core *c, const struct call *call, struct span carry)
{
    struct importing run;
    struct report why;
    size_t published;
    memcpy(&run, carry.p, sizeof run);
    if (!market_batch_done(c->market, run.number, &published, &why))
        return false;
    if (published == run.rows) {
        call_result(c, call, span(carry.p + sizeof run, carry.n - sizeof run));
        return true;
    }
    struct report r;
    report_set(
        &r, why.err,
        "%zu of %zu listings were published, then: %s. Mend that and import the file again: those that "
        "are out are not published twice",
        published, run.rows, why.text);
    call_error(c, call, r.err, r.text);
    return true;
}

static void import_answer(struct core *c, const struct call *call, const struct import *im, uint64_t number,
                          struct arena *a)
{
    struct buf carry = {0};
    struct importing run = {number, im->rows_n};
    struct api_import_fault *faults = arena_array(a, im->faults_n + 1, sizeof *faults);
    for (size_t i = 0; faults && i < im->faults_n; i++)
        faults[i] = (struct api_import_fault){im->faults[i].line, span_str(im->faults[i].field),
                                              span_str(im->faults[i].text)};
    struct api_listing_import_result res = {.count = im->read,
                                            .published = number ? im->rows_n : 0,
                                            .faults = faults,
                                            .faults_n = faults ? im->faults_n : 0,
                                            .photos = im->paths,
                                            .photos_n = im->paths_n < 4096 ? im->paths_n : 4096};
    if (!number) {
        API_RESULT(c, call, listing_import, &res);
        return;
    }
    buf_append(&carry, &run, sizeof run);
    api_listing_import_result_encode(&carry, &res);
    call_wait(c, call, import_over, buf_view(&carry), IMPORT_MS);
    buf_free(&carry);
}

static int import_publish(struct core *c, const struct identity *as, const struct import *im,
                          uint64_t *number, struct report *r)
{
    uint64_t waiting, done;
    struct key_row rows[KEYS_MOST];
    size_t n = keys_list(c->keys, rows);
    for (size_t i = 0; i < n; i++)
        if (identity_eq(&rows[i].identity, as) && !rows[i].unlocked)
            return report_set(r, SOUK_ELOCKED, "the identity is locked: `souk unlock` opens it");
    market_batch_state(c->market, &waiting, &done);
    if (waiting + im->rows_n > MARKET_BATCH_MOST)
        return report_set(r, SOUK_EBUSY, "an import is still under way; try again when it is done");
    *number = market_batch_begin(c->market, r);
    if (!*number)
        return SOUK_EBUSY;
    for (size_t i = 0; i < im->rows_n; i++) {
        struct record_listing l = im->rows[i].listing;
        int err = market_batch_add(c->market, *number, as, &l,
                                   c->now.unix_ms + (int64_t)im->rows[i].days * day_ms, r);
        MUST(err == 0); /* there was room for all */
    }
    return 0;
}

int do_listing_import(struct core *c, struct call *call, struct span params, struct arena *a,
                      struct report *r)
{
    API_PARAMS(listing_import);
    struct identity as;
    struct import im;
    struct import_options o = {.arbiters = p.arbiters, .arbiters_n = p.has_arbiters ? p.arbiters_n : 0};
    bool csv = span_eq(p.format, span_str("csv"));
    if (!csv && !span_eq(p.format, span_str("json")))
        return report_set(r, SOUK_EPARAMS, "format: csv or json");
    int err = call_as(c, p.has_as, &p.as, &as, r);
    if (!err && p.has_issuer)
        err = issuer_of(c, &p.issuer, &o, r);
    if (!err)
        err = photo_pairs(c, &p, &o, a, r);
    if (err)
        return err;
    import_init(&im);
    (csv ? import_csv : import_json)(&im, p.text, &o);
    bool go = !im.faults_n && !(p.has_check_only && p.check_only);
    uint64_t number = 0;
    if (go)
        err = import_publish(c, &as, &im, &number, r);
    if (!err)
        import_answer(c, call, &im, number, a);
    import_free(&im);
    return err;
}

int do_import_state(struct core *c, struct call *call, struct span params, struct arena *a,
                    struct report *r)
{
    API_PARAMS(listing_import_state);
    (void)p;
    struct api_listing_import_state_result res;
    market_batch_state(c->market, &res.waiting, &res.done);
    API_RESULT(c, call, listing_import_state, &res);
    return 0;
}
