/* delta.c: see delta.h. */
#include "store/delta.h"
#include <sodium.h>
#include <stdlib.h>

void delta_init(struct delta *d, uint32_t first, const uint8_t seed[static 16])
{
    *d = (struct delta){.first = first, .table_n = 2048};
    d->table = xcalloc(d->table_n, sizeof *d->table);
    d->order = xcalloc(DELTA_BUCKETS, sizeof *d->order);
    arena_init(&d->arena, SIZE_MAX); /* bounded by the number of documents, and theirs by the market */
    memcpy(d->seed, seed, 16);
}

void delta_free(struct delta *d)
{
    arena_free(&d->arena);
    free(d->table);
    free(d->order);
    free(d->rows);
    free(d->lengths);
    *d = (struct delta){0};
}

/* Rises with the byte. */
static unsigned letter(uint8_t c)
{
    if (c >= 'a' && c <= 'z')
        return 3 + (unsigned)(c - 'a');
    if (c > 'z')
        return 30;
    return c < '0' ? 0 : c < 'A' ? 1 : 2;
}

static size_t bucket(const uint8_t *word, size_t n)
{
    static const char kinds[DELTA_KINDS + 1] = "EFcdlmprst"; /* enum word_kind, in order */
    const char *k = strchr(kinds, word[0]);
    MUST(k && *k);
    return (size_t)(k - kinds) * 1024 + letter(n > 1 ? word[1] : 0) * 32 + letter(n > 2 ? word[2] : 0);
}

/* Open addressing: the slot of this word, or the free one where it belongs. */
static struct delta_slot *slot_of(const struct delta *d, uint64_t hash, const uint8_t *key, size_t n)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = hash & (d->table_n - 1);; i = (i + 1) & (d->table_n - 1)) {
        struct delta_slot *s = &d->table[i];
        if (!s->used)
            return s;
        if (s->tag == tag && s->term->word_n == n && memcmp(s->term->word, key, n) == 0)
            return s;
    }
}

static void grow(struct delta *d)
{
    struct delta_slot *old = d->table;
    size_t old_n = d->table_n;
    d->table_n *= 2;
    d->table = xcalloc(d->table_n, sizeof *d->table);
    for (size_t i = 0; i < old_n; i++) {
        if (!old[i].used)
            continue;
        size_t at = old[i].term->hash & (d->table_n - 1);
        while (d->table[at].used)
            at = (at + 1) & (d->table_n - 1);
        d->table[at] = old[i];
    }
    free(old);
}

struct delta_term *delta_term(struct delta *d, uint8_t kind, struct span word, bool make)
{
    uint8_t key[TERM_MAX_BYTES];
    uint64_t hash;
    size_t n = word.n < TERM_MAX_BYTES - 1 ? word.n : TERM_MAX_BYTES - 1;
    key[0] = kind;
    if (n)
        memcpy(key + 1, word.p, n);
    n++;
    crypto_shorthash((uint8_t *)&hash, key, n, d->seed);
    struct delta_slot *s = slot_of(d, hash, key, n);
    if (s->used || !make)
        return s->used ? s->term : NULL;
    if (2 * (d->terms + 1) > d->table_n) {
        grow(d);
        s = slot_of(d, hash, key, n);
    }
    struct delta_term *t = arena_alloc(&d->arena, sizeof *t + n);
    t->hash = hash;
    t->word_n = (uint8_t)n;
    memcpy(t->word, key, n);
    *s = (struct delta_slot){.tag = (uint32_t)(hash >> 32), .used = 1, .term = t};
    size_t b = bucket(key, n);
    t->beside = d->order[b];
    d->order[b] = t;
    d->terms++;
    return t;
}

void delta_count(struct delta *d, struct delta_term *t, unsigned w)
{
    if (!t->n || t->postings[t->n - 1] >> 8 != d->n) {
        if (t->n == t->cap) { /* what is outgrown stays in the arena: at most as much again */
            uint32_t cap = t->cap ? 2 * t->cap : 4, *more = arena_array(&d->arena, cap, sizeof *more);
            if (t->n)
                memcpy(more, t->postings, t->n * sizeof *more);
            t->postings = more;
            t->cap = cap;
        }
        t->postings[t->n++] = d->n << 8;
    }
    unsigned tf = (t->postings[t->n - 1] & 255) + w;
    tf = tf > 255 ? 255 : tf;
    t->postings[t->n - 1] = d->n << 8 | tf;
    if (tf > t->most)
        t->most = (uint8_t)tf;
}

void delta_end(struct delta *d, const struct doc_row *row)
{
    if ((d->n & (d->n - 1)) == 0) { /* at every power of two: room for as many again */
        size_t cap = d->n ? 2 * (size_t)d->n : 1;
        d->rows = xrealloc(d->rows, cap * sizeof *d->rows);
        d->lengths = xrealloc(d->lengths, cap);
    }
    d->rows[d->n] = *row;
    d->lengths[d->n] = length_quantise(row->length);
    d->length += row->length;
    d->upto = row->serial;
    d->n++;
}
