/* prekeys.c: weekly X25519 pairs.  TABLE_KEY:  "p" identity32 week4 → nonce24, box of the secret, under a
 * key derived from the identity.  A secret is deleted 31 days after its week: who steals the identity later
 * opens nothing older. */
#include "crypto/hash.h"
#include "crypto/xkey.h"
#include "node/keys/ring.h"
#include "record.gen.h"
#include <sodium.h>

enum { AHEAD = 5, ROW_BYTES = 1 + 32 + 4, BOX_BYTES = 24 + 32 + 16 };
static const int64_t week_ms = INT64_C(7) * 86400000, kept_ms = INT64_C(31) * 86400000;

static uint32_t week_of(int64_t unix_ms)
{
    return unix_ms < 0 ? 0 : (uint32_t)(unix_ms / week_ms);
}

static void row_key(uint8_t out[static ROW_BYTES], const struct identity *id, uint32_t week)
{
    out[0] = 'p';
    memcpy(out + 1, id->b, 32);
    be32_put(out + 33, week);
}

void prekeys_forget(struct key *e)
{
    for (size_t i = 0; i < e->prekeys_n; i++)
        sodium_free(e->prekey[i].sk);
    e->prekeys_n = 0;
}

static void add(struct key *e, uint32_t week, const uint8_t sk[static 32])
{
    if (e->prekeys_n == PREKEYS_KEPT)
        return;
    struct prekey *p = &e->prekey[e->prekeys_n++];
    p->week = week;
    p->sk = sodium_malloc(32);
    MUST(p->sk != NULL);
    memcpy(p->sk, sk, 32);
    xkey_public(&p->pk, p->sk);
}

struct load {
    struct key *e;
    uint8_t box_key[32];
};

static bool load_row(void *arg, struct span key, struct span value)
{
    struct load *l = arg;
    uint8_t sk[32];
    if (key.n == ROW_BYTES && value.n == BOX_BYTES &&
        crypto_secretbox_xchacha20poly1305_open_easy(sk, value.p + 24, value.n - 24, value.p, l->box_key) ==
            0)
        add(l->e, be32_get(key.p + 33), sk);
    sodium_memzero(sk, sizeof sk);
    return true;
}

void prekeys_load(struct keys *k, struct core *c, struct key *e)
{
    struct load l = {.e = e};
    uint8_t prefix[ROW_BYTES];
    (void)k;
    prekeys_forget(e);
    hash_derive(l.box_key, e->pair->sk, "souk:prekeys", span(NULL, 0));
    row_key(prefix, &e->row.identity, 0);
    view_scan(c->view, TABLE_KEY, span(prefix, 33), span(NULL, 0), load_row, &l);
    sodium_memzero(&l, sizeof l);
}

static const struct prekey *find_week(const struct key *e, uint32_t week)
{
    for (size_t i = 0; i < e->prekeys_n; i++)
        if (e->prekey[i].week == week)
            return &e->prekey[i];
    return NULL;
}

bool keys_prekeys_due(const struct keys *k, const struct core *c, const struct identity *id)
{
    const struct key *e = ring_find(k, id);
    /* Published again a week before the last one begins. */
    return e && e->pair && !c->clock_wrong && !find_week(e, week_of(c->now.unix_ms) + AHEAD - 2);
}

static void drop_one(struct key *e, struct prekey *p, struct change *into)
{
    uint8_t key[ROW_BYTES];
    row_key(key, &e->row.identity, p->week);
    change_delete(into, TABLE_KEY, span(key, sizeof key))->lone = true;
    sodium_free(p->sk);
    *p = e->prekey[--e->prekeys_n];
}

static void drop_old(struct core *c, struct key *e, struct change *into)
{
    for (size_t i = 0; i < e->prekeys_n;) {
        struct prekey *p = &e->prekey[i];
        if (((int64_t)p->week + 1) * week_ms + kept_ms > c->now.unix_ms) {
            i++;
            continue;
        }
        drop_one(e, p, into);
    }
}

/* Weeks far from now come from a clock that was wrong: the farthest makes room. */
static void drop_far(struct key *e, uint32_t now, struct change *into)
{
    struct prekey *far = &e->prekey[0];
    for (size_t i = 1; i < e->prekeys_n; i++) {
        struct prekey *p = &e->prekey[i];
        uint32_t away = p->week > now ? p->week - now : now - p->week;
        if (away > (far->week > now ? far->week - now : now - far->week))
            far = p;
    }
    drop_one(e, far, into);
}

static void make_week(struct core *c, struct key *e, uint32_t week, const uint8_t box_key[static 32],
                      struct change *into)
{
    uint8_t key[ROW_BYTES], box[BOX_BYTES], sk[32];
    rng_bytes(c->rng, sk, sizeof sk);
    rng_bytes(c->rng, box, 24);
    MUST(crypto_secretbox_xchacha20poly1305_easy(box + 24, sk, sizeof sk, box, box_key) == 0);
    row_key(key, &e->row.identity, week);
    change_put(into, TABLE_KEY, span(key, sizeof key), span(box, sizeof box));
    add(e, week, sk);
    sodium_memzero(sk, sizeof sk);
}

int keys_prekeys_make(struct keys *k, struct core *c, const struct identity *id, struct buf *record_body,
                      struct change *into, struct report *r)
{
    struct key *e = ring_find(k, id);
    struct record_prekey_week weeks[AHEAD];
    uint8_t box_key[32];
    if (!e || !e->pair)
        return report_set(r, SOUK_ELOCKED, "the identity is locked: `souk unlock` opens it");
    if (!c->clock_wrong)
        drop_old(c, e, into);
    hash_derive(box_key, e->pair->sk, "souk:prekeys", span(NULL, 0));
    uint32_t now = week_of(c->now.unix_ms);
    for (uint32_t i = 0; i < AHEAD; i++) {
        if (!find_week(e, now + i) && e->prekeys_n == PREKEYS_KEPT)
            drop_far(e, now, into);
        if (!find_week(e, now + i))
            make_week(c, e, now + i, box_key, into);
        const struct prekey *p = find_week(e, now + i);
        MUST(p != NULL); /* PREKEYS_KEPT covers 5 weeks ahead and 31 days back, and more gives way */
        weeks[i] = (struct record_prekey_week){.id = p->week,
                                               .key = p->pk,
                                               .from = (int64_t)p->week * week_ms,
                                               .until = ((int64_t)p->week + 1) * week_ms};
    }
    sodium_memzero(box_key, sizeof box_key);
    record_prekey_encode(record_body, &(struct record_prekey){.keys = weeks, .keys_n = AHEAD});
    return 0;
}

void keys_prekeys_unmade(struct keys *k, struct core *c)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->key[i].pair)
            prekeys_load(k, c, &k->key[i]);
}

const uint8_t *keys_prekey_secret(const struct keys *k, const struct identity *id,
                                  const struct xkey *prekey)
{
    const struct key *e = ring_find(k, id);
    for (size_t i = 0; e && i < e->prekeys_n; i++)
        if (memcmp(e->prekey[i].pk.b, prekey->b, sizeof prekey->b) == 0)
            return e->prekey[i].sk;
    return NULL;
}
