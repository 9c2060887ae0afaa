#include "crypto/record.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "crypto/wire/cursor.h"
#include "crypto/wire/pack.h"
#include "crypto/work.h"

enum { ELEMENTS = 9 };

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool region_form_ok(struct span region, bool people)
{
    if (people) {
        uint8_t first;
        return region.n == 2 && hex_decode(&first, 1, (const char *)region.p, 2) &&
               !(region.p[0] >= 'A' && region.p[0] <= 'F') && !(region.p[1] >= 'A' && region.p[1] <= 'F');
    }
    if (region.n == 1)
        return region.p[0] == '*';
    return region.n == 2 && region.p[0] >= 'A' && region.p[0] <= 'Z' && region.p[1] >= 'A' &&
           region.p[1] <= 'Z';
}

bool record_topic_ok(struct span topic)
{
    if (topic.n < 3 || topic.n > RECORD_TOPIC_MOST || !is_lower(topic.p[0]))
        return false;
    size_t slash = 1;
    while (slash < topic.n &&
           (is_lower(topic.p[slash]) || is_digit(topic.p[slash]) || topic.p[slash] == '-'))
        slash++;
    if (slash == topic.n || topic.p[slash] != '/')
        return false;
    bool people = span_eq(span(topic.p, slash), span_str("people"));
    return region_form_ok(span(topic.p + slash + 1, topic.n - slash - 1), people);
}

struct span record_topic_people(char out[static RECORD_PEOPLE_BYTES], const struct identity *who)
{
    memcpy(out, "people/", 7);
    hex_encode(out + 7, who->b, 1);
    return span(out, RECORD_PEOPLE_BYTES - 1);
}

void record_id_of(struct id *out, const struct network *net, struct span hashed)
{
    hash_souk_one(out, net, "souk:record", hashed);
}

void record_seen_hash(struct id *out, const struct network *net, struct span bytes)
{
    hash_souk_one(out, net, "souk:seen", bytes);
}

/* Rules between fields, once the form of each is known to be right. */
static int fields_check(const struct record *rec, struct report *r)
{
    if (!record_topic_ok(rec->topic))
        return report_set(
            r, SOUK_EFORM,
            "the topic \"%.*s\" is not allowed: write a category, \"/\" and a region, such as "
            "bikes/FR or bikes/*",
            (int)(rec->topic.n > 64 ? 64 : rec->topic.n), (const char *)rec->topic.p);
    if (rec->expires <= rec->created)
        return report_set(r, SOUK_EFORM, "the record expires before it is created: give a later expiry");
    if (rec->expires - rec->created > RECORD_LIFE_MOST_MS)
        return report_set(
            r, SOUK_EFORM,
            "the record would live for more than 400 days: give an earlier expiry and renew it");
    return 0;
}

/* Whatever the cursor found is bad form to the outside: peers answer for it (record.h). */
static int form_error(const struct cursor *c, struct report *r)
{
    cursor_report(c, r);
    if (r)
        r->err = SOUK_EFORM;
    return SOUK_EFORM;
}

/* The nine elements; the cursor names the one at which it failed. */
static void fields_read(struct record *rec, struct cursor *c)
{
    c->field = "record";
    cursor_array(c, ELEMENTS, ELEMENTS);
    const uint8_t *from = c->at;
    c->field = "record.version";
    rec->version = (uint8_t)cursor_uint(c, 1, 255);
    c->field = "record.kind";
    rec->kind = (uint8_t)cursor_uint(c, 1, 255);
    c->field = "record.author";
    cursor_fixed(c, rec->author.b, sizeof rec->author.b);
    c->field = "record.topic";
    rec->topic = cursor_str(c, 3, RECORD_TOPIC_MOST);
    c->field = "record.created";
    rec->created = cursor_int(c, 0, RECORD_TIME_MOST_MS);
    c->field = "record.expires";
    rec->expires = cursor_int(c, 0, RECORD_TIME_MOST_MS);
    c->field = "record.body";
    if (cursor_peek(c) != WIRE_MAP)
        cursor_fail(c, SOUK_EFORM, c->field);
    rec->body = cursor_skip(c);
    rec->hashed = span(from, (size_t)(c->at - from));
    c->field = "record.work";
    rec->work = cursor_uint(c, 0, UINT64_MAX);
    c->field = "record.sig";
    cursor_fixed(c, rec->sig.b, sizeof rec->sig.b);
    c->field = "record";
    cursor_leave(c);
    cursor_end(c);
}

int record_parse(struct record *out, struct span bytes, const struct network *net, struct report *r)
{
    struct record rec = {.bytes = bytes};
    struct cursor c;
    if (bytes.n > RECORD_BYTES_MOST)
        return report_set(r, SOUK_EFORM,
                          "the record has %zu bytes; at most %d are allowed: shorten its texts", bytes.n,
                          RECORD_BYTES_MOST);
    cursor_init(&c, bytes);
    fields_read(&rec, &c);
    if (c.err)
        return form_error(&c, r);
    int err = fields_check(&rec, r);
    if (err)
        return err;
    record_id_of(&rec.id, net, rec.hashed);
    unsigned floor = work_floor(net, rec.kind, rec.hashed.n);
    unsigned done = floor ? work_bits(&rec.id, rec.work) : 0;
    if (done < floor)
        return report_set(r, SOUK_EWORK, "the record shows %u bits of work; this network asks for %u", done,
                          floor);
    *out = rec;
    return 0;
}

void record_job(struct job *job, const struct record *rec)
{
    job->class = JOB_VERIFY;
    memcpy(job->key, rec->author.b, sizeof job->key);
    memcpy(job->msg, rec->id.b, sizeof job->msg);
    memcpy(job->sig, rec->sig.b, sizeof job->sig);
    job->done = false;
}

bool record_verify(const struct record *rec)
{
    return sign_check(rec->author.b, &rec->id, &rec->sig);
}

int record_timely(const struct record *rec, int64_t now_ms, struct report *r)
{
    if (rec->expires <= now_ms)
        return report_set(r, SOUK_EEXPIRED, "the record has expired");
    if (rec->created > now_ms + RECORD_AHEAD_MOST_MS)
        return report_set(
            r, SOUK_EFUTURE,
            "the record says that it was made more than ten minutes from now: check the clocks");
    return 0;
}

static void pack_hashed(struct buf *b, const struct record *d)
{
    pack_uint(b, d->version ? d->version : RECORD_VERSION);
    pack_uint(b, d->kind);
    pack_bin(b, SPAN_OF(d->author));
    pack_str(b, d->topic);
    pack_int(b, d->created);
    pack_int(b, d->expires);
    buf_span(b, d->body);
}

int record_prepare(struct record *draft, const struct network *net, unsigned *bits, struct report *r)
{
    struct buf b = {0};
    int err;
    if (draft->kind == 0)
        return report_set(r, SOUK_EFORM, "the record has no kind");
    if (draft->created < 0 || draft->expires > RECORD_TIME_MOST_MS)
        return report_set(r, SOUK_EFORM, "the record's times lie outside of the years 1970 to 9999");
    if ((err = fields_check(draft, r)))
        return err;
    struct cursor c;
    cursor_init(&c, draft->body);
    if (cursor_peek(&c) != WIRE_MAP || wire_check(draft->body))
        return report_set(r, SOUK_EFORM, "the record's body is not a map in canonical form");
    pack_hashed(&b, draft);
    /* array header, hashed part, a nonce of up to 9 bytes, bin header and signature */
    if (b.n + 1 + 9 + 66 > RECORD_BYTES_MOST) {
        err = report_set(r, SOUK_EFORM, "the record has more than %d bytes: shorten its texts",
                         RECORD_BYTES_MOST);
    } else {
        record_id_of(&draft->id, net, buf_view(&b));
        *bits = work_floor(net, draft->kind, b.n);
    }
    buf_free(&b);
    return err;
}

int record_write(struct buf *out, const struct record *draft, const struct network *net, struct report *r)
{
    struct buf b = {0};
    struct record made;
    pack_array(&b, ELEMENTS);
    pack_hashed(&b, draft);
    pack_uint(&b, draft->work);
    pack_bin(&b, SPAN_OF(draft->sig));
    int err = record_parse(&made, buf_view(&b), net, r);
    if (!err && !record_verify(&made))
        err = report_set(r, SOUK_ESIGNATURE, "the signature is not the author's");
    if (!err)
        buf_span(out, buf_view(&b));
    buf_free(&b);
    return err;
}

int record_make(struct buf *out, struct record *draft, const struct network *net,
                const uint8_t sk[static 64], struct report *r)
{
    unsigned bits = 0; /* gcc at -O3 cannot see that success sets it */
    int err = record_prepare(draft, net, &bits, r);
    if (err)
        return err;
    if (!work_search(&draft->id, draft->work, UINT64_MAX, bits, &draft->work))
        return report_set(r, SOUK_EWORK, "no nonce was found");
    sign_hash(&draft->sig, sk, &draft->id);
    return record_write(out, draft, net, r);
}
