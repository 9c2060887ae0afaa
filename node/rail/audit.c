/* audit.c: fetches a whole log, rebuilds its tree, and compares it with every head known here. */
#include "crypto/record.h"
#include "node/rail/engine.h"
#include <stdio.h>
#include <stdlib.h>

enum { AUDIT_WAIT_MS = 15000, AUDIT_LEAVES_MOST = 4000000 };

struct audit {
    struct rail_audit out;
    rail_audit_fn *done;
    void *arg;
    struct node_key node;
    struct identity key;
    uint64_t until_ms, at;
    bool have_head;
    struct ledger_tree_head target;
    struct id stack[64]; /* whole subtrees of the leaves so far, the largest first */
    size_t stack_n;
    struct map made, spent; /* note → itself */
    struct map own;         /* leaf hash of ours → itself, removed when met */
    struct seen_head heads[RAIL_HEADS + 1];
    size_t heads_n, heads_met;
};

void audit_free(struct audit *a)
{
    if (!a)
        return;
    map_free(&a->made);
    map_free(&a->spent);
    map_free(&a->own);
    free(a);
}

static void finish(struct rails *r, struct core *c, struct audit *a, int err)
{
    for (size_t i = 0; i < RAIL_AUDITS_MOST; i++)
        if (r->audits[i] == a)
            r->audits[i] = NULL;
    a->out.err = err;
    if (!err) {
        a->out.own_missing = (uint32_t)a->own.n;
        snprintf(a->out.text, sizeof a->out.text, "%s",
                 a->out.fraud           ? "the issuer signed two stories: do not rely on it"
                 : !a->out.consistent   ? "a head known here is not of this log"
                 : a->out.double_spends ? "a note was spent that was not there, or twice"
                 : a->out.own_missing   ? "transfers of ours are missing"
                                        : "append-only, nothing spent twice, all that is ours is there");
    }
    if (a->done)
        a->done(a->arg, c, &a->out);
    audit_free(a);
}

/* Root of what was read so far: the subtrees folded from the right. */
static void root_now(const struct audit *a, struct id *root)
{
    if (!a->stack_n) {
        static const uint8_t empty[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
                                          0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
                                          0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
        memcpy(root->b, empty, 32); /* SHA-256("") */
        return;
    }
    *root = a->stack[a->stack_n - 1];
    for (size_t i = a->stack_n - 1; i-- > 0;)
        merkle_node(root, &a->stack[i], root);
}

static void compare(struct audit *a)
{
    struct id root;
    root_now(a, &root);
    for (size_t i = 0; i < a->heads_n; i++)
        if (a->heads[i].head.size == a->at) {
            a->heads_met++;
            if (!id_eq(&a->heads[i].head.root, &root))
                a->out.consistent = false;
        }
}

static bool add(struct rails *r, struct audit *a, struct span bytes)
{
    struct arena arena;
    struct ledger_entry e;
    struct id leaf;
    arena_init(&arena, 65536);
    bool ok = ledger_entry_decode(&e, bytes, &arena, NULL) == 0;
    for (size_t i = 0; ok && i < e.spends_n; i++) {
        if (!map_get(&a->made, &e.spends[i]) || map_get(&a->spent, &e.spends[i]))
            a->out.double_spends++;
        map_put(&a->spent, &e.spends[i], a);
    }
    for (size_t i = 0; ok && i < e.makes_n; i++) {
        struct id id;
        note_id(&id, r->network, &a->out.issuer, &e.makes[i]);
        map_put(&a->made, &id, a);
    }
    arena_free(&arena);
    if (!ok)
        return false;
    merkle_leaf(&leaf, bytes);
    map_del(&a->own, &leaf);
    for (uint64_t n = a->at; n & 1; n >>= 1)
        merkle_node(&leaf, &a->stack[--a->stack_n], &leaf);
    a->stack[a->stack_n++] = leaf;
    a->at++;
    a->out.leaves_checked++;
    compare(a);
    return true;
}

static void ask(struct rails *r, struct core *c, struct audit *a)
{
    struct buf b = {0};
    if (!a->have_head) {
        struct ledger_ask_head q = {.issuer = a->out.issuer};
        ledger_ask_head_encode(&b, &q);
        rails_say(r, c, &a->node, LEDGER_ASK_HEAD, buf_view(&b));
    } else {
        struct ledger_ask_leaves q = {.issuer = a->out.issuer, .from = a->at, .most = 256};
        if (a->target.size - a->at < q.most)
            q.most = a->target.size - a->at;
        ledger_ask_leaves_encode(&b, &q);
        rails_say(r, c, &a->node, LEDGER_ASK_LEAVES, buf_view(&b));
    }
    buf_free(&b);
}

static void end(struct rails *r, struct core *c, struct audit *a)
{
    struct id root;
    root_now(a, &root);
    a->out.size = a->target.size;
    a->out.root = a->target.root;
    a->out.heads = (uint32_t)a->heads_n;
    /* A head above the newest that the issuer shows is a log that shrank. */
    if (!id_eq(&root, &a->target.root) || a->heads_met < a->heads_n)
        a->out.consistent = false;
    for (size_t i = 0; i < r->frauds_n; i++)
        a->out.fraud |= identity_eq(&r->frauds[i].issuer, &a->out.issuer);
    for (size_t i = 0; i < a->heads_n; i++)
        for (size_t j = 0; j < i; j++)
            a->out.fraud |= a->heads[i].head.size == a->heads[j].head.size &&
                            !id_eq(&a->heads[i].head.root, &a->heads[j].head.root);
    finish(r, c, a, 0);
}

void audit_head(struct rails *r, struct core *c, const struct node_key *peer, const struct ledger_head *m)
{
    for (size_t i = 0; i < RAIL_AUDITS_MOST; i++) {
        struct audit *a = r->audits[i];
        if (!a || a->have_head || !m->has_head || !identity_eq(&m->issuer, &a->out.issuer) ||
            !node_key_eq(peer, &a->node) || !head_check(r->network, &m->issuer, &a->key, &m->head))
            continue;
        rails_head_seen(r, c, &m->issuer, &m->head);
        a->have_head = true;
        a->target = m->head;
        a->until_ms = c->now.mono_ms + AUDIT_WAIT_MS;
        compare(a); /* heads of an empty log */
        if (m->head.size > AUDIT_LEAVES_MOST)
            finish(r, c, a, SOUK_EQUOTA);
        else if (!m->head.size)
            end(r, c, a);
        else
            ask(r, c, a);
    }
}

void audit_leaves(struct rails *r, struct core *c, const struct node_key *peer,
                  const struct ledger_leaves *m)
{
    for (size_t i = 0; i < RAIL_AUDITS_MOST; i++) {
        struct audit *a = r->audits[i];
        if (!a || !a->have_head || !identity_eq(&m->issuer, &a->out.issuer) ||
            !node_key_eq(peer, &a->node) || m->from != a->at || !m->entries_n)
            continue;
        bool ok = true;
        for (size_t j = 0; j < m->entries_n && a->at < a->target.size && ok; j++)
            ok = add(r, a, m->entries[j]);
        a->until_ms = c->now.mono_ms + AUDIT_WAIT_MS;
        if (!ok)
            finish(r, c, a, SOUK_EFORM);
        else if (a->at == a->target.size)
            end(r, c, a);
        else
            ask(r, c, a);
    }
}

void audit_wake(struct rails *r, struct core *c)
{
    for (size_t i = 0; i < RAIL_AUDITS_MOST; i++) {
        struct audit *a = r->audits[i];
        if (a && a->until_ms < c->now.mono_ms)
            finish(r, c, a, SOUK_ETIMEOUT);
        else if (a)
            ask(r, c, a);
    }
}

static void head_add(struct audit *a, const struct identity *issuer, const struct ledger_tree_head *h)
{
    if (a->heads_n < RAIL_HEADS + 1)
        a->heads[a->heads_n++] = (struct seen_head){*issuer, *h};
}

static bool own_row(void *arg, struct span key, struct span value)
{
    struct audit *a = arg;
    struct ledger_movement m;
    if (key.n == 105 && memcmp(key.p + 33, a->out.issuer.b, 32) == 0 &&
        ledger_movement_decode(&m, value, NULL, NULL) == 0) {
        a->out.own_leaves += map_get(&a->own, &m.leaf) == NULL;
        map_put(&a->own, &m.leaf, a);
    }
    return a->own.n < 100000;
}

int rails_audit(struct rails *r, struct core *c, const struct identity *issuer, rail_audit_fn *done,
                void *arg, struct report *rep)
{
    static const struct salt slot_zero;
    struct node_key node;
    struct identity key;
    struct id id;
    uint64_t revision;
    struct record_row row;
    struct record rec;
    struct record_head m;
    size_t at = 0;
    while (at < RAIL_AUDITS_MOST && r->audits[at])
        at++;
    if (!rails_issuer_of(c, issuer, &node, &key))
        return report_set(rep, SOUK_ENOT_FOUND, "no issuer of that name is known here (yet)");
    if (at == RAIL_AUDITS_MOST)
        return report_set(rep, SOUK_EBUSY, "%d audits are under way already", RAIL_AUDITS_MOST);
    struct audit *a = xcalloc(1, sizeof *a);
    a->out.issuer = *issuer;
    a->out.consistent = true;
    a->done = done;
    a->arg = arg;
    a->node = node;
    a->key = key;
    a->until_ms = c->now.mono_ms + AUDIT_WAIT_MS;
    map_init(&a->made, 32, r->rng);
    map_init(&a->spent, 32, r->rng);
    map_init(&a->own, 32, r->rng);
    for (size_t i = 0; i < r->heads_n; i++)
        if (identity_eq(&r->heads[i].issuer, issuer))
            head_add(a, issuer, &r->heads[i].head);
    if (view_slot(c->view, issuer, RECORD_HEAD, &slot_zero, &id, &revision) &&
        view_record(c->view, &id, &row) && record_parse(&rec, row.bytes, r->network, NULL) == 0 &&
        record_head_decode(&m, rec.body, NULL, NULL) == 0) {
        struct ledger_tree_head h = {m.size, m.root, m.time, m.sig};
        if (head_check(r->network, issuer, &key, &h))
            head_add(a, issuer, &h);
    }
    view_scan(c->view, TABLE_NOTE, span_str("h"), span(NULL, 0), own_row, a);
    r->audits[at] = a;
    ask(r, c, a);
    return 0;
}

void rails_audit_cancel(struct rails *r, void *arg)
{
    for (size_t i = 0; i < RAIL_AUDITS_MOST; i++)
        if (r->audits[i] && r->audits[i]->arg == arg)
            r->audits[i]->done = NULL;
}
