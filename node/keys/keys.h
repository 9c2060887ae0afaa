/* keys.h: the node key, the identities of this node's owner, and what they may sign now.
 *
 * An identity's secrets lie encrypted in TABLE_KEY (a key file, crypto/keyfile.h) and, unlocked, in
 * sodium_malloc memory.  At start identities are locked; keys_unlock opens one with its passphrase.
 * `duties` (what a signed contract already obliges to, instant acceptance, consent by rule, publishing
 * prekeys) need only an unlocked identity; what else moves money needs a *spend session*: until a time on
 * the monotonic clock, opened by `souk unlock --for`, or the passphrase with the call. */
#ifndef SOUK_KEYS_H
#define SOUK_KEYS_H
#include "node/core.h"

enum { KEYS_MOST = 16, PREKEYS_KEPT = 12 };
enum key_use { USE_DUTY, USE_SPEND };

struct key_row {
    struct identity identity;
    struct identity recovery; /* public recovery key */
    char name[61];
    bool unlocked;
    uint64_t spend_until_ms; /* on the monotonic clock; 0: no session */
    int64_t
        spend_until_unix_ms; /* and on that of the day: the first stands still while the machine sleeps */
};

/* Takes a copy of the node's Ed25519 secret key (64 bytes, libsodium layout) into locked memory. */
/* How long an identity may still move money; 0: not now. */
uint64_t key_spend_left_ms(const struct key_row *row, struct clock now);

struct keys *keys_new(const uint8_t node_sk[static 64], bool cheap_kdf /* tests, demo */);
void keys_free(struct keys *k);
void keys_boot(struct keys *k, struct core *c); /* lists TABLE_KEY */
const struct node_key *keys_node(const struct keys *k);
const uint8_t *keys_node_secret(const struct keys *k); /* 64 bytes, borrowed */

/* Makes an identity: entropy from core->rng; the key file keeps the identity's seed only, so that the
 * recovery key's secret lies nowhere but in the words.  words (24, space separated, ≤ 256 bytes) are given
 * once, to be written down.  Emits a change; `cookie`/room go to the caller's ROOM_committed. */
int keys_create(struct keys *k, struct core *c, const char *name, struct span passphrase,
                struct identity *out, char words[static 256], struct change *into, struct report *r);
/* The change was not written: the identity is none of this node's. */
void keys_forget(struct keys *k, const struct identity *id);
int keys_restore(struct keys *k, struct core *c, const char *name, struct span passphrase,
                 struct span words, struct identity *out, struct change *into, struct report *r);
/* The key file of one of ours, sealed again at the cost of what leaves the machine, appended to `file`, and
 * the row that goes with it: tried with the passphrase first, since a backup that nobody can open is none.
 */
int keys_backup(struct keys *k, struct core *c, const struct identity *id, struct span passphrase,
                struct key_row *row, struct buf *file, struct report *r);
/* The other way: identity, recovery and name of the row count. */
int keys_restore_file(struct keys *k, struct core *c, const struct key_row *row, struct span file,
                      struct span passphrase, struct change *into, struct report *r);
int keys_unlock(struct keys *k, struct core *c, const struct identity *id, struct span passphrase,
                uint64_t spend_ms /* 0: duties only */, struct report *r);
void keys_lock(struct keys *k, const struct identity *id); /* NULL: all.  Wipes. */
size_t keys_list(const struct keys *k, struct key_row out[static KEYS_MOST]);
bool keys_own(const struct keys *k, const struct identity *id);
/* The identity to use when a caller names none: the only one, or the one marked default. */
int keys_default(const struct keys *k, struct identity *out, struct report *r);
/* Signs a hash (crypto/sign.h).  SOUK_ELOCKED with words that say which command unlocks. */
int keys_sign(const struct keys *k, const struct core *c, const struct identity *id, enum key_use use,
              const struct id *hash, struct sig *out, struct report *r);
/* A key derived for one purpose from the identity's seed: trade keys, payout keys, sealed own storage.
 * label ≤ 16 bytes; the same label and context give the same key.  out: 32 bytes of secret, the caller
 * wipes it. */
int keys_derive(const struct keys *k, const struct identity *id, const char *label,
                const struct id *context, uint8_t out[static 32], struct report *r);

/* Prekeys (DESIGN 5): weekly X25519 pairs.  keys_prekeys_due tells whether a new prekey record should be
 * published; keys_prekeys_make creates missing weeks and gives the public halves as the body of a prekey
 * record; secrets are stored encrypted under the identity's key and deleted 31 days after their week. */
bool keys_prekeys_due(const struct keys *k, const struct core *c, const struct identity *id);
int keys_prekeys_make(struct keys *k, struct core *c, const struct identity *id, struct buf *record_body,
                      struct change *into, struct report *r);
unsigned keys_prekeys_kept(const struct keys *k, const struct identity *id); /* weeks; 0 while locked */
/* The change was not written: weeks that lie in memory only are due again. */
void keys_prekeys_unmade(struct keys *k, struct core *c);
/* The secret of a prekey of ours, or NULL (unknown, deleted, locked).  32 bytes, borrowed. */
const uint8_t *keys_prekey_secret(const struct keys *k, const struct identity *id,
                                  const struct xkey *prekey);
#endif
