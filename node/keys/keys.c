/* keys.c: identities, sessions for moving money, and signing. */
#include "node/keys/keys.h"
#include "crypto/hash.h"
#include "crypto/keyfile.h"
#include "crypto/sign.h"
#include "crypto/words.h"
#include "node/keys/ring.h"
#include <sodium.h>
#include <stdlib.h>

/* TABLE_KEY holds, an identity:  "k" identity32 → recovery32, name length, name, key file. */
enum {
    ROW_KEY_BYTES = 1 + 32,
    KEY_FILE_AT = 32 + 1,
    BACKUP_BYTES = 32 + 32 /* seed, public recovery key */
};

struct keys *keys_new(const uint8_t node_sk[static 64], bool cheap_kdf)
{
    struct keys *k = xcalloc(1, sizeof *k);
    k->cheap = cheap_kdf;
    k->node_sk = sodium_malloc(64);
    MUST(k->node_sk != NULL);
    memcpy(k->node_sk, node_sk, 64);
    memcpy(k->node.b, node_sk + 32, 32);
    return k;
}

static void ring_lock(struct key *key)
{
    sodium_free(key->pair); /* wipes */
    key->pair = NULL;
    key->row.unlocked = false;
    key->row.spend_until_ms = 0;
    key->row.spend_until_unix_ms = 0;
    prekeys_forget(key);
}

void keys_free(struct keys *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->n; i++)
        ring_lock(&k->key[i]);
    sodium_free(k->node_sk);
    free(k);
}

const struct node_key *keys_node(const struct keys *k)
{
    return &k->node;
}

const uint8_t *keys_node_secret(const struct keys *k)
{
    return k->node_sk;
}

struct key *ring_find(const struct keys *k, const struct identity *id)
{
    for (size_t i = 0; i < k->n; i++)
        if (identity_eq(&k->key[i].row.identity, id))
            return (struct key *)(uintptr_t)&k->key[i]; /* NOLINT: as const as the caller's k */
    return NULL;
}

static void row_key(uint8_t out[static ROW_KEY_BYTES], const struct identity *id)
{
    out[0] = 'k';
    memcpy(out + 1, id->b, sizeof id->b);
}

static bool boot_row(void *arg, struct span key, struct span value)
{
    struct keys *k = arg;
    if (key.n != ROW_KEY_BYTES || value.n < KEY_FILE_AT || k->n == KEYS_MOST)
        return true;
    struct key *e = &k->key[k->n];
    size_t name_n = value.p[32];
    if (name_n >= sizeof e->row.name || value.n < KEY_FILE_AT + name_n)
        return true;
    *e = (struct key){0};
    memcpy(e->row.identity.b, key.p + 1, 32);
    memcpy(e->row.recovery.b, value.p, 32);
    memcpy(e->row.name, value.p + KEY_FILE_AT, name_n);
    k->n++;
    return true;
}

void keys_boot(struct keys *k, struct core *c)
{
    k->n = 0;
    view_scan(c->view, TABLE_KEY, span("k", 1), span(NULL, 0), boot_row, k);
}

/* Puts an identity into the ring, unlocked for duties, and its key file into the change.  Takes pair over.
 */
static int ring_put(struct keys *k, struct core *c, const char *name, struct span passphrase,
                    struct keypair *pair, const uint8_t recovery[static 32], struct identity *out,
                    struct change *into, struct report *r)
{
    struct buf row = {0};
    uint8_t name_n = (uint8_t)strlen(name), key[ROW_KEY_BYTES];
    buf_append(&row, recovery, 32);
    buf_append(&row, &name_n, 1);
    buf_append(&row, name, name_n);
    int err = keyfile_seal(&row, span(pair->sk, 32), passphrase,
                           k->cheap ? KEYFILE_CHEAP : KEYFILE_INTERACTIVE, c->rng, r);
    struct identity id;
    memcpy(id.b, pair->pk, 32);
    if (!err && ring_find(k, &id))
        err = report_set(r, SOUK_EDUPLICATE, "this identity is here already; `souk id list` shows it");
    if (!err) {
        struct key *e = &k->key[k->n++];
        *e = (struct key){.pair = pair, .row = {.identity = id, .unlocked = true}};
        memcpy(e->row.recovery.b, recovery, 32);
        memcpy(e->row.name, name, name_n);
        row_key(key, &id);
        change_put_if(into, TABLE_KEY, span(key, sizeof key), buf_view(&row), NULL);
        *out = id;
    } else
        sodium_free(pair);
    buf_free(&row);
    return err;
}

static int ring_add(struct keys *k, struct core *c, const char *name, struct span passphrase,
                    const uint8_t entropy[static 32], struct identity *out, struct change *into,
                    struct report *r)
{
    struct keypair *pair = sodium_malloc(sizeof *pair);
    struct keypair recovery;
    MUST(pair != NULL);
    words_identity(pair, entropy);
    words_recovery(&recovery, entropy);
    int err = ring_put(k, c, name, passphrase, pair, recovery.pk, out, into, r);
    sodium_memzero(&recovery, sizeof recovery);
    return err;
}

void keys_forget(struct keys *k, const struct identity *id)
{
    struct key *e = ring_find(k, id);
    if (!e)
        return;
    ring_lock(e);
    memmove(e, e + 1, (size_t)(k->key + k->n - e - 1) * sizeof *e);
    k->n--;
}

static int may_add(const struct keys *k, const char *name, struct report *r)
{
    size_t n = strlen(name);
    if (!n || n > 60)
        return report_set(r, SOUK_EINVALID, "name: must have 1 to 60 bytes");
    if (k->n == KEYS_MOST)
        return report_set(r, SOUK_EQUOTA, "a node holds at most %d identities; make a second node for more",
                          KEYS_MOST);
    return 0;
}

int keys_create(struct keys *k, struct core *c, const char *name, struct span passphrase,
                struct identity *out, char words[static 256], struct change *into, struct report *r)
{
    uint8_t entropy[WORDS_ENTROPY_BYTES];
    int err = may_add(k, name, r);
    if (err)
        return err;
    rng_bytes(c->rng, entropy, sizeof entropy);
    err = ring_add(k, c, name, passphrase, entropy, out, into, r);
    if (!err)
        words_write(words, entropy);
    sodium_memzero(entropy, sizeof entropy);
    return err;
}

int keys_restore(struct keys *k, struct core *c, const char *name, struct span passphrase,
                 struct span words, struct identity *out, struct change *into, struct report *r)
{
    uint8_t entropy[WORDS_ENTROPY_BYTES];
    int err = may_add(k, name, r);
    if (!err)
        err = words_read(entropy, words, r);
    if (!err)
        err = ring_add(k, c, name, passphrase, entropy, out, into, r);
    sodium_memzero(entropy, sizeof entropy);
    return err;
}

/* Fills e->pair from a key file, which must be of e->row.identity.  One that is a backup holds the public
 * recovery key as well, so that the passphrase vouches for it. */
static int open_file(struct key *e, struct span file, struct span passphrase, struct report *r)
{
    uint8_t *seed = sodium_malloc(BACKUP_BYTES);
    size_t n = 0;
    MUST(seed != NULL);
    int err = keyfile_open(seed, BACKUP_BYTES, &n, file, passphrase, r);
    bool whole = n == 32 || (n == BACKUP_BYTES && memcmp(seed + 32, e->row.recovery.b, 32) == 0);
    if (!err && whole) {
        e->pair = sodium_malloc(sizeof *e->pair);
        MUST(e->pair != NULL);
        sign_keypair_from_seed(e->pair, seed);
        if (memcmp(e->pair->pk, e->row.identity.b, 32) != 0)
            err = SOUK_EDAMAGED;
    } else if (!err)
        err = SOUK_EDAMAGED;
    if (err == SOUK_EDAMAGED) {
        sodium_free(e->pair);
        e->pair = NULL;
        report_set(
            r, err,
            "the key file of %s is damaged: restore the identity from its 24 words with `souk id restore`",
            e->row.name);
    }
    sodium_free(seed);
    return err;
}

/* The key file of one of ours, opened into *fresh; *e: its place in the ring. */
static int open_own(const struct keys *k, struct core *c, const struct identity *id, struct span passphrase,
                    struct key **e, struct key *fresh, struct report *r)
{
    uint8_t key[ROW_KEY_BYTES];
    struct span row;
    *e = ring_find(k, id);
    row_key(key, id);
    if (!*e || !view_get(c->view, TABLE_KEY, span(key, sizeof key), &row) || row.n < KEY_FILE_AT ||
        row.n < KEY_FILE_AT + (size_t)row.p[32])
        return report_set(r, SOUK_ENOT_FOUND,
                          "this is not an identity of this node; `souk id list` shows them");
    size_t at = KEY_FILE_AT + row.p[32];
    *fresh = **e;
    fresh->pair = NULL;
    return open_file(fresh, span(row.p + at, row.n - at), passphrase, r);
}

int keys_backup(struct keys *k, struct core *c, const struct identity *id, struct span passphrase,
                struct key_row *row, struct buf *file, struct report *r)
{
    struct key *e, fresh;
    int err = open_own(k, c, id, passphrase, &e, &fresh, r);
    if (err)
        return err;
    uint8_t *secret = sodium_malloc(BACKUP_BYTES);
    MUST(secret != NULL);
    memcpy(secret, fresh.pair->sk, 32);
    memcpy(secret + 32, e->row.recovery.b, 32);
    *row = e->row;
    err = keyfile_seal(file, span(secret, BACKUP_BYTES), passphrase,
                       k->cheap ? KEYFILE_CHEAP : KEYFILE_SENSITIVE, c->rng, r);
    sodium_free(secret);
    sodium_free(fresh.pair);
    return err;
}

int keys_restore_file(struct keys *k, struct core *c, const struct key_row *row, struct span file,
                      struct span passphrase, struct change *into, struct report *r)
{
    struct key e = {.row = *row};
    struct identity same;
    int err = may_add(k, row->name, r);
    if (!err)
        err = open_file(&e, file, passphrase, r);
    if (!err)
        err = ring_put(k, c, row->name, passphrase, e.pair, row->recovery.b, &same, into, r);
    return err;
}

int keys_unlock(struct keys *k, struct core *c, const struct identity *id, struct span passphrase,
                uint64_t spend_ms, struct report *r)
{
    struct key *e, fresh;
    int err = open_own(k, c, id, passphrase, &e, &fresh, r);
    if (err)
        return err;
    if (e->pair)
        sodium_free(fresh.pair);
    else
        e->pair = fresh.pair;
    e->row.unlocked = true;
    if (spend_ms) {
        e->row.spend_until_ms = c->now.mono_ms + spend_ms;
        e->row.spend_until_unix_ms = c->now.unix_ms + (int64_t)spend_ms;
    }
    prekeys_load(k, c, e);
    return 0;
}

void keys_lock(struct keys *k, const struct identity *id)
{
    for (size_t i = 0; i < k->n; i++)
        if (!id || identity_eq(id, &k->key[i].row.identity))
            ring_lock(&k->key[i]);
}

unsigned keys_prekeys_kept(const struct keys *k, const struct identity *id)
{
    const struct key *e = ring_find(k, id);
    return e ? (unsigned)e->prekeys_n : 0;
}

size_t keys_list(const struct keys *k, struct key_row out[static KEYS_MOST])
{
    for (size_t i = 0; i < k->n; i++)
        out[i] = k->key[i].row;
    return k->n;
}

bool keys_own(const struct keys *k, const struct identity *id)
{
    return ring_find(k, id) != NULL;
}

int keys_default(const struct keys *k, struct identity *out, struct report *r)
{
    if (!k->n)
        return report_set(r, SOUK_ENOT_FOUND, "this node has no identity yet: `souk init` makes one");
    if (k->n > 1)
        return report_set(r, SOUK_EINVALID, "this node has %zu identities: say which one acts with --as",
                          k->n);
    *out = k->key[0].row.identity;
    return 0;
}

uint64_t key_spend_left_ms(const struct key_row *row, struct clock now)
{
    if (row->spend_until_ms <= now.mono_ms || row->spend_until_unix_ms <= now.unix_ms)
        return 0;
    return row->spend_until_ms - now.mono_ms;
}

int keys_sign(const struct keys *k, const struct core *c, const struct identity *id, enum key_use use,
              const struct id *hash, struct sig *out, struct report *r)
{
    const struct key *e = ring_find(k, id);
    if (!e)
        return report_set(r, SOUK_ENOT_FOUND, "this is not an identity of this node");
    if (!e->pair)
        return report_set(r, SOUK_ELOCKED, "%s is locked: `souk unlock` opens it", e->row.name);
    if (use == USE_SPEND && !key_spend_left_ms(&e->row, c->now))
        return report_set(
            r, SOUK_ELOCKED,
            "this moves money: `souk unlock --for 15m` allows it for a while, or give --passphrase-file");
    sign_hash(out, e->pair->sk, hash);
    return 0;
}

int keys_derive(const struct keys *k, const struct identity *id, const char *label,
                const struct id *context, uint8_t out[static 32], struct report *r)
{
    const struct key *e = ring_find(k, id);
    if (!e || !e->pair)
        return report_set(r, e ? SOUK_ELOCKED : SOUK_ENOT_FOUND,
                          "the identity is locked: `souk unlock` opens it");
    hash_derive(out, e->pair->sk, label, SPAN_OF(*context)); /* the first half of sk is the seed */
    return 0;
}
