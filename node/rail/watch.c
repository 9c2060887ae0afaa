/* watch.c: locks of trades: whether they are funded, who else sees the same log, and what settled them.
 * What is known of a lock lies in memory and on disk alike; the room above hears of a change when it is on
 * disk. */
#include "node/net/net.h"
#include "node/rail/engine.h"
#include <stdlib.h>

enum { WAIT_MOST_TICKS = 30, HEAD_WAIT_MS = 15000 };

void watch_key(uint8_t key[static 33], const struct id *lock)
{
    key[0] = 'w';
    memcpy(key + 1, lock->b, 32);
}

bool receipt_read(struct ledger_receipt *out, const struct buf *b, struct arena *a)
{
    return b->n && ledger_receipt_decode(out, buf_view(b), a, NULL) == 0;
}

static void watch_put(const struct watch *w, struct change *into)
{
    uint8_t key[33];
    struct buf escrow = {0}, b = {0};
    struct arena a;
    struct ledger_watching m = {.trade = w->trade,
                                .peers = w->peers,
                                .peers_n = w->peers_n,
                                .has_reversed = true,
                                .reversed = w->reversed,
                                .has_inconsistent = true,
                                .inconsistent = w->forked,
                                .has_refusal = w->refusal != 0,
                                .refusal = w->refusal,
                                .has_mine = w->has_mine,
                                .mine = w->mine,
                                .has_collected = true,
                                .collected = w->collected,
                                .has_transfer = w->transfer.n > 0,
                                .transfer = buf_view(&w->transfer)};
    arena_init(&a, 65536);
    rail_lock_encode(&escrow, &w->lock);
    m.escrow = buf_view(&escrow);
    m.has_made = receipt_read(&m.made, &w->made, &a);
    m.has_spent = receipt_read(&m.spent, &w->spent, &a);
    ledger_watching_encode(&b, &m);
    watch_key(key, &w->lock_id);
    change_put(into, TABLE_NOTE, SPAN_OF(key), buf_view(&b));
    buf_free(&b);
    buf_free(&escrow);
    arena_free(&a);
}

static void watch_commit(struct core *c, const struct watch *w, struct change *ch)
{
    struct id *trade;
    ch = ch ? ch : change_new(ROOM_RAIL, WHAT_WATCH, 0);
    trade = arena_alloc(&ch->arena, sizeof *trade);
    *trade = w->trade;
    ch->carry = trade;
    watch_put(w, ch);
    fx_commit(c->fx, ch);
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    buf_free(&w->made);
    buf_free(&w->spent);
    buf_free(&w->transfer);
    free(w);
}

struct watch *watch_read(struct rails *r, struct span value)
{
    struct ledger_watching m;
    struct arena a;
    struct watch *w = xcalloc(1, sizeof *w);
    arena_init(&a, 262144);
    bool ok = ledger_watching_decode(&m, value, &a, NULL) == 0 &&
              rail_lock_decode(&w->lock, m.escrow, NULL) == 0 && m.peers_n <= RAIL_PEERS_MOST;
    if (ok) {
        rail_lock_id(&w->lock_id, r->network, &w->lock);
        rail_lock_note(&w->note, r->network, &w->lock);
        w->trade = m.trade;
        if (m.has_made)
            ledger_receipt_encode(&w->made, &m.made);
        if (m.has_spent)
            ledger_receipt_encode(&w->spent, &m.spent);
        if (m.has_transfer)
            buf_span(&w->transfer, m.transfer);
        for (w->peers_n = 0; w->peers_n < m.peers_n; w->peers_n++)
            w->peers[w->peers_n] = m.peers[w->peers_n];
        w->reversed = m.has_reversed && m.reversed;
        w->forked = m.has_inconsistent && m.inconsistent;
        w->collected = m.has_collected && m.collected;
        w->has_mine = m.has_mine;
        w->mine = m.mine;
        w->refusal = m.has_refusal ? m.refusal : (enum ledger_refusal)0;
    }
    arena_free(&a);
    if (!ok) {
        watch_free(w);
        return NULL;
    }
    return w;
}

static bool settled(const struct watch *w)
{
    return w->spent.n && (w->collected || !w->has_mine);
}

struct boot {
    struct rails *r;
    struct core *c;
};
static bool boot_one(void *arg, struct span key, struct span value)
{
    struct boot *b = arg;
    struct watch *w = watch_read(b->r, value);
    (void)key;
    if (w && !settled(w) && b->r->watches.n < RAIL_WATCHED_MOST) {
        w->wait_ms = b->r->tick_ms;
        w->next_ms = b->c->now.mono_ms;
        map_put(&b->r->watches, &w->lock_id, w);
    } else {
        watch_free(w);
    }
    return true;
}

void watch_boot(struct rails *r, struct core *c)
{
    struct boot b = {r, c};
    view_scan(c->view, TABLE_NOTE, span_str("w"), span(NULL, 0), boot_one, &b);
}

/* ---- asking ---- */
static void ask_peers(struct rails *r, struct core *c, const struct watch *w)
{
    struct net_peer peers[64];
    struct node_key node;
    struct identity key;
    struct buf b = {0};
    if (!c->net || !w->made.n || w->spent.n || w->peers_n >= RAIL_PEERS_MOST ||
        !rails_issuer_of(c, &w->lock.issuer, &node, &key))
        return;
    struct ledger_ask_head q = {.issuer = w->lock.issuer};
    ledger_ask_head_encode(&b, &q);
    size_t n = net_peers(c->net, peers, 64), start = n ? (size_t)rng_below(r->rng, n) : 0;
    for (size_t i = 0, asked = 0; i < n && asked < 8; i++) {
        const struct node_key *peer = &peers[(start + i) % n].key;
        bool known = node_key_eq(peer, &node);
        for (size_t j = 0; j < w->peers_n; j++)
            known |= node_key_eq(peer, &w->peers[j]);
        if (!known && ++asked)
            rails_say(r, c, peer, LEDGER_ASK_HEAD, buf_view(&b));
    }
    buf_free(&b);
}

static void ask(struct rails *r, struct core *c, struct watch *w)
{
    struct buf b = {0};
    struct locks_note note;
    locks_note(&note, r->network, &w->lock);
    struct ledger_ask_note q = {
        .issuer = w->lock.issuer, .note = w->note, .has_opening = true, .opening = note.note.value_salt};
    ledger_ask_note_encode(&b, &q);
    rails_say_issuer(r, c, &w->lock.issuer, LEDGER_ASK_NOTE, buf_view(&b));
    buf_free(&b);
    ask_peers(r, c, w);
    w->next_ms = c->now.mono_ms + w->wait_ms;
    w->wait_ms += w->wait_ms / 2 + 1;
    if (w->wait_ms > WAIT_MOST_TICKS * r->tick_ms)
        w->wait_ms = WAIT_MOST_TICKS * r->tick_ms;
}

void watch_look(struct rails *r, struct core *c, const struct id *lock)
{
    struct watch *w = map_get(&r->watches, lock);
    if (!w)
        return;
    w->wait_ms = r->tick_ms;
    ask(r, c, w);
}

void watch_refused(struct rails *r, struct core *c, const struct id *lock, enum ledger_refusal why)
{
    struct watch *w = map_get(&r->watches, lock);
    if (!w)
        return;
    w->refusal = why;
    watch_commit(c, w, NULL);
}

void watch_wake(struct rails *r, struct core *c)
{
    size_t at = 0, n = 0;
    void *v;
    while (map_next(&r->watches, &at, NULL, &v)) {
        struct watch *w = v;
        if (w->next_ms <= c->now.mono_ms && n++ < 256)
            ask(r, c, w);
    }
    for (size_t i = 0; i < r->waits_n;)
        if (r->waits[i].until_ms < c->now.mono_ms)
            r->waits[i] = r->waits[--r->waits_n];
        else
            i++;
}

int rails_watch(struct rails *r, struct core *c, const struct id *trade, const struct rail_lock *lock,
                const struct identity *mine, struct change *into, struct report *rep)
{
    struct id id;
    uint8_t key[33];
    struct span v;
    int err = rail_lock_check(lock, rep);
    if (err || lock->rail == RECORD_RAIL_DIRECT)
        return err;
    if (lock->rail == RECORD_RAIL_MOCK && !r->mock)
        return report_set(rep, SOUK_ENOT_ALLOWED, "the mock rail is for tests and is not offered here");
    rail_lock_id(&id, r->network, lock);
    struct watch *known = map_get(&r->watches, &id);
    if (known) {
        if (mine && !known->has_mine) {
            known->has_mine = true;
            known->mine = *mine;
            watch_put(known, into);
        }
        watch_look(r, c, &id);
        return 0;
    }
    watch_key(key, &id);
    if (view_get(c->view, TABLE_NOTE, SPAN_OF(key), &v))
        return 0; /* settled: nothing more will come */
    if (r->watches.n >= RAIL_WATCHED_MOST)
        return report_set(rep, SOUK_EBUSY, "%d trades are watched already", RAIL_WATCHED_MOST);
    struct watch *w = xcalloc(1, sizeof *w);
    w->lock_id = id;
    w->lock = *lock;
    w->trade = *trade;
    w->has_mine = mine != NULL;
    if (mine)
        w->mine = *mine;
    rail_lock_note(&w->note, r->network, lock);
    w->wait_ms = r->tick_ms;
    map_put(&r->watches, &id, w);
    watch_put(w, into);
    ask(r, c, w);
    return 0;
}

void rails_unwatch(struct rails *r, struct core *c, const struct id *lock, struct change *into)
{
    uint8_t key[33];
    (void)c;
    watch_key(key, lock);
    watch_free(map_del(&r->watches, lock));
    change_delete(into, TABLE_NOTE, SPAN_OF(key))->lone = true;
}

/* ---- answers ---- */
/* What the settlement paid to our key goes into the wallet.  Locked: later. */
static bool collect(struct rails *r, struct core *c, struct watch *w, const struct transfer *t,
                    const struct ledger_receipt *receipt, struct change *into)
{
    struct trade_key pk, key;
    if (!w->has_mine || w->collected)
        return false;
    if (rail_payout_key(c, &w->mine, &w->trade, &pk, NULL))
        return false;
    for (size_t i = 0; i < t->body.makes_n; i++)
        if (lock_is_simple(&t->body.makes[i].lock, &key) && memcmp(&key, &pk, sizeof key) == 0)
            wallet_take(r, c, &w->mine, &w->lock.issuer, &t->body.makes[i], LEDGER_HOLDER_PAYOUT, &w->trade,
                        receipt, span_str("trade"), into);
    w->collected = true;
    return true;
}

static bool receipt_keep(struct buf *kept, const struct ledger_receipt *receipt)
{
    if (kept->n)
        return false;
    ledger_receipt_encode(kept, receipt);
    return true;
}

static bool take_spent(struct rails *r, struct core *c, struct watch *w, const struct ledger_note_state *m,
                       const struct identity *key, struct arena *a, struct change *into)
{
    struct ledger_entry entry;
    struct transfer t;
    if (receipt_check(&entry, r->network, &m->issuer, key, &m->spent, a, NULL) ||
        !entry_spends(&entry, &w->note))
        return false;
    bool news = receipt_keep(&w->spent, &m->spent);
    if (m->has_transfer && transfer_parse(&t, r->network, m->transfer, a, NULL) == 0 &&
        entry_is(&entry, &t)) {
        if (!w->transfer.n) {
            buf_span(&w->transfer, m->transfer);
            news = true;
        }
        news |= collect(r, c, w, &t, &m->spent, into);
    }
    return news;
}

void watch_note_state(struct rails *r, struct core *c, const struct ledger_note_state *m, struct arena *a)
{
    size_t at = 0;
    void *v;
    struct watch *w = NULL;
    struct node_key node;
    struct identity key;
    struct ledger_entry entry;
    while (map_next(&r->watches, &at, NULL, &v) && !w)
        if (id_eq(&((struct watch *)v)->note, &m->note) &&
            identity_eq(&((struct watch *)v)->lock.issuer, &m->issuer))
            w = v;
    if (!w || !rails_issuer_of(c, &m->issuer, &node, &key))
        return;
    struct change *ch = change_new(ROOM_RAIL, WHAT_WATCH, 0);
    bool news = false;
    if (!m->has_made) {
        news = w->made.n && !w->reversed;
        w->reversed |= w->made.n > 0;
    } else if (receipt_check(&entry, r->network, &m->issuer, &key, &m->made, a, NULL) == 0 &&
               entry_makes(&entry, r->network, &m->issuer, &w->note)) {
        rails_head_seen(r, c, &m->issuer, &m->made.head);
        news = receipt_keep(&w->made, &m->made);
        if (news)
            w->refusal = (enum ledger_refusal)0;
        news |= w->reversed;
        w->reversed = false;
        if (m->has_spent)
            news |= take_spent(r, c, w, m, &key, a, ch);
    }
    if (!news) {
        change_free(ch);
        return;
    }
    watch_commit(c, w, ch);
    w->wait_ms = r->tick_ms;
    w->next_ms = c->now.mono_ms + r->tick_ms;
    ask_peers(r, c, w);
    if (settled(w) && w->transfer.n)
        watch_free(map_del(&r->watches, &w->lock_id));
}

/* ---- confirmations ---- */
static void confirm(struct core *c, struct watch *w, const struct node_key *peer)
{
    for (size_t i = 0; i < w->peers_n; i++)
        if (node_key_eq(&w->peers[i], peer))
            return;
    if (w->peers_n == RAIL_PEERS_MOST)
        return;
    w->peers[w->peers_n++] = *peer;
    watch_commit(c, w, NULL);
}

/* A peer's head counts when it covers our leaf and is proven to be of the same log. */
static void compare(struct rails *r, struct core *c, struct watch *w, const struct node_key *peer,
                    const struct ledger_tree_head *theirs)
{
    struct ledger_receipt made;
    struct arena a;
    struct buf b = {0};
    arena_init(&a, 65536);
    bool ok = receipt_read(&made, &w->made, &a);
    arena_free(&a);
    if (!ok || theirs->size <= made.index)
        return;
    const struct ledger_tree_head *ours = &made.head;
    if (theirs->size == ours->size) {
        if (id_eq(&theirs->root, &ours->root)) {
            confirm(c, w, peer);
        } else if (!w->forked) {
            w->forked = true;
            watch_commit(c, w, NULL);
        }
        return;
    }
    if (r->waits_n == RAIL_WAITS)
        return;
    const struct ledger_tree_head *low = theirs->size < ours->size ? theirs : ours,
                                  *high = low == ours ? theirs : ours;
    r->waits[r->waits_n++] =
        (struct head_wait){w->lock_id, *peer,     w->lock.issuer, low->size,
                           high->size, low->root, high->root,     c->now.mono_ms + HEAD_WAIT_MS};
    struct ledger_ask_consistency q = {.issuer = w->lock.issuer, .first = low->size, .second = high->size};
    ledger_ask_consistency_encode(&b, &q);
    rails_say_issuer(r, c, &w->lock.issuer, LEDGER_ASK_CONSISTENCY, buf_view(&b));
    buf_free(&b);
}

void watch_head(struct rails *r, struct core *c, const struct node_key *peer, const struct ledger_head *m)
{
    struct node_key node;
    struct identity key;
    size_t at = 0;
    void *v;
    if (!m->has_head || !rails_issuer_of(c, &m->issuer, &node, &key) || node_key_eq(&node, peer) ||
        !head_check(r->network, &m->issuer, &key, &m->head))
        return;
    rails_head_seen(r, c, &m->issuer, &m->head);
    while (map_next(&r->watches, &at, NULL, &v)) {
        struct watch *w = v;
        if (identity_eq(&w->lock.issuer, &m->issuer) && w->made.n && !w->spent.n)
            compare(r, c, w, peer, &m->head);
    }
}

void watch_consistency(struct rails *r, struct core *c, const struct node_key *peer,
                       const struct ledger_consistency *m)
{
    struct node_key node;
    struct identity key;
    if (!rails_issuer_of(c, &m->issuer, &node, &key) || !node_key_eq(&node, peer))
        return;
    for (size_t i = 0; i < r->waits_n;) {
        struct head_wait hw = r->waits[i];
        if (!identity_eq(&hw.issuer, &m->issuer) || hw.first != m->first || hw.second != m->second) {
            i++;
            continue;
        }
        r->waits[i] = r->waits[--r->waits_n];
        struct watch *w = map_get(&r->watches, &hw.lock_id);
        bool ok =
            merkle_consistency_ok(m->first, &hw.first_root, m->second, &hw.second_root, m->path, m->path_n);
        if (w && ok) {
            confirm(c, w, &hw.peer);
        } else if (w && !w->forked) {
            log_line(LOG_WARN, "rail", "an issuer cannot show that two of its heads are of one log");
            w->forked = true;
            watch_commit(c, w, NULL);
        }
    }
}

bool watch_wants(struct rails *r, struct identity *issuers, size_t *n, size_t most)
{
    size_t at = 0;
    void *v;
    while (map_next(&r->watches, &at, NULL, &v) && *n < most)
        issuers[(*n)++] = ((struct watch *)v)->lock.issuer;
    return *n > 0;
}
