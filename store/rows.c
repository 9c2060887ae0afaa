/* rows.c: the fixed parts of rows, to bytes and back.  Read by copying: LMDB aligns to 2 bytes only. */
#include "store/db.h"
#include <sodium.h>

void checksum(uint8_t out[static 8], struct span s)
{
    static const uint8_t key[crypto_shorthash_KEYBYTES];
    crypto_shorthash(out, s.p, s.n, key);
}

enum { SUM_AT = 120 };

size_t rec_write(uint8_t out[static REC_ROW_MAX], const struct rec *r)
{
    MUST(r->bytes.n <= REC_BYTES_MAX && r->subjects_n <= SUBJECTS_MAX);
    out[0] = r->flags;
    out[1] = r->kind;
    out[2] = r->subjects_n;
    out[3] = 0;
    be32_put(out + 4, r->topic);
    be64_put(out + 8, r->revision);
    be64_put(out + 16, (uint64_t)r->created);
    be64_put(out + 24, (uint64_t)r->expires);
    be64_put(out + 32, (uint64_t)r->received);
    memcpy(out + 40, r->id.b, 32);
    memcpy(out + 72, r->author.b, 32);
    memcpy(out + 104, r->slot.b, 16);
    for (int i = 0; i < r->subjects_n; i++)
        memcpy(out + REC_HEAD_BYTES + 32 * i, r->subjects[i].b, 32);
    size_t n = REC_HEAD_BYTES + 32 * (size_t)r->subjects_n;
    if (r->bytes.n)
        memcpy(out + n, r->bytes.p, r->bytes.n);
    n += r->bytes.n;
    uint8_t sum[8];
    memset(out + SUM_AT, 0, 8);
    checksum(sum, span(out, n));
    memcpy(out + SUM_AT, sum, 8);
    return n;
}

bool rec_sound(struct span value)
{
    uint8_t row[REC_ROW_MAX], sum[8];
    if (value.n < REC_HEAD_BYTES || value.n > sizeof row)
        return false;
    memcpy(row, value.p, value.n);
    memset(row + SUM_AT, 0, 8);
    checksum(sum, span(row, value.n));
    return memcmp(sum, value.p + SUM_AT, 8) == 0;
}

bool rec_read(struct rec *out, struct span key, struct span value)
{
    const uint8_t *p = value.p;
    if (key.n != 8 || value.n < REC_HEAD_BYTES || p[2] > SUBJECTS_MAX)
        return false;
    size_t head = REC_HEAD_BYTES + 32 * (size_t)p[2];
    if (value.n < head)
        return false;
    *out = (struct rec){.flags = p[0], .kind = p[1], .subjects_n = p[2], .topic = be32_get(p + 4)};
    out->serial = be64_get(key.p);
    out->revision = be64_get(p + 8);
    out->created = (int64_t)be64_get(p + 16);
    out->expires = (int64_t)be64_get(p + 24);
    out->received = (int64_t)be64_get(p + 32);
    memcpy(out->id.b, p + 40, 32);
    memcpy(out->author.b, p + 72, 32);
    memcpy(out->slot.b, p + 104, 16);
    memcpy(out->subjects, p + REC_HEAD_BYTES, 32 * (size_t)p[2]);
    out->bytes = span(p + head, value.n - head);
    return true;
}

enum { RID_SHORT = 9, RID_LONG = 29 };

bool rid_read(struct rid *out, struct span value)
{
    if (value.n < RID_SHORT)
        return false;
    uint8_t b = value.p[0];
    *out = (struct rid){.state = b & RID_STATE, .row = b & RID_ROW, .listed = !(b & RID_UNLISTED)};
    out->serial = be64_get(value.p + 1);
    if (out->row)
        return value.n == RID_SHORT;
    if (value.n != RID_LONG)
        return false;
    out->expires = (int64_t)be64_get(value.p + 9);
    out->created = (int64_t)be64_get(value.p + 17);
    out->topic = be32_get(value.p + 25);
    return true;
}

void rid_put(struct tx *t, const struct id *id, const struct rid *r)
{
    uint8_t v[RID_LONG];
    v[0] = (uint8_t)(r->state | (r->row ? RID_ROW : 0) | (r->listed ? 0 : RID_UNLISTED));
    be64_put(v + 1, r->serial);
    be64_put(v + 9, (uint64_t)r->expires);
    be64_put(v + 17, (uint64_t)r->created);
    be32_put(v + 25, r->topic);
    tx_put(t, DB_RID, SPAN_OF(*id), span(v, r->row ? RID_SHORT : RID_LONG));
}

void slot_key(uint8_t out[static SLOT_KEY_BYTES], const struct identity *author, uint8_t kind,
              const struct salt *slot)
{
    memcpy(out, author->b, 32);
    out[32] = kind;
    memcpy(out + 33, slot->b, 16);
}

bool slot_read(struct slot_row *out, struct span value)
{
    if (value.n != SLOT_BYTES)
        return false;
    out->revision = be64_get(value.p);
    memcpy(out->id.b, value.p + 8, 32);
    out->serial = be64_get(value.p + 40);
    out->floor = (int64_t)be64_get(value.p + 48);
    return true;
}

void slot_put(struct tx *t, const uint8_t key[static SLOT_KEY_BYTES], const struct slot_row *row)
{
    uint8_t v[SLOT_BYTES];
    be64_put(v, row->revision);
    memcpy(v + 8, row->id.b, 32);
    be64_put(v + 40, row->serial);
    be64_put(v + 48, (uint64_t)row->floor);
    tx_put(t, DB_SLOT, span(key, SLOT_KEY_BYTES), SPAN_OF(v));
}

size_t ending_key(uint8_t out[static ENDING_KEY_MAX], int64_t at, enum ending what, struct span key)
{
    uint64_t bucket = at < 0 ? 0 : (uint64_t)at >> 26;
    MUST(key.n <= 64);
    out[0] = (uint8_t)(bucket >> 32);
    be32_put(out + 1, (uint32_t)bucket);
    out[5] = (uint8_t)what;
    memcpy(out + 6, key.p, key.n);
    return 6 + key.n;
}

static void put(struct tx *t, int64_t at, enum ending what, struct span key, struct span more)
{
    uint8_t k[ENDING_KEY_MAX], v[40];
    if (at == INT64_MAX) /* never */
        return;
    size_t n = ending_key(k, at, what, key);
    be64_put(v, at < 0 ? 0 : (uint64_t)at);
    if (more.n)
        memcpy(v + 8, more.p, more.n);
    tx_put(t, DB_EXP, span(k, n), span(v, 8 + more.n));
}

void ending_put(struct tx *t, int64_t at, enum ending what, struct span key)
{
    put(t, at, what, key, span(NULL, 0));
}

void ending_del(struct tx *t, int64_t at, enum ending what, struct span key)
{
    uint8_t k[ENDING_KEY_MAX];
    size_t n = ending_key(k, at, what, key);
    if (at != INT64_MAX)
        tx_del(t, DB_EXP, span(k, n));
}

void ending_id_put(struct tx *t, int64_t at, uint64_t serial, const struct id *id)
{
    uint8_t key[8];
    be64_put(key, serial);
    put(t, at, END_ID, SPAN_OF(key), SPAN_OF(*id));
}

void ending_id_del(struct tx *t, int64_t at, uint64_t serial)
{
    uint8_t key[8];
    be64_put(key, serial);
    ending_del(t, at, END_ID, SPAN_OF(key));
}
