/* calls_keys.c: identities of this node's owner. */
#include "node/api/call.h"
#include "node/keys/keys.h"
#include "node/outbox/outbox.h"
#include "node/trade/trade.h"
#include <sodium.h>

static char *text_of(struct arena *a, struct span s)
{
    return arena_str(a, s);
}

struct made {
    struct identity id;
    char words[256];
};

static void new_done(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct made m;
    memcpy(&m, carry.p, sizeof m);
    if (change->ops[0].result != OP_STORED) {
        call_error(c, call, SOUK_EDUPLICATE, "this identity is here already");
        return;
    }
    outbox_unlocked(c->outbox, c, &m.id);
    struct api_id_new_result res = {.id = m.id, .words = span_str(m.words)};
    API_RESULT(c, call, id_new, &res);
    sodium_memzero(&m, sizeof m);
    sodium_memzero((void *)(uintptr_t)carry.p, carry.n); /* NOLINT: the change's arena is ours */
}

static void new_undo(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct made m;
    (void)call, (void)change;
    memcpy(&m, carry.p, sizeof m);
    keys_forget(c->keys, &m.id);
    sodium_memzero(&m, sizeof m);
    sodium_memzero((void *)(uintptr_t)carry.p, carry.n); /* NOLINT: the change's arena is ours */
}

static int do_new(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(id_new);
    struct made none = {0};
    struct change *ch = call_change(c, call, new_done, SPAN_OF(none));
    struct made *m = call_carry(ch);
    call_undo(ch, new_undo);
    int err = keys_create(c->keys, c, text_of(a, p.name), p.passphrase, &m->id, m->words, ch, r);
    return call_end(c, ch, err);
}

static void restore_done(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct api_id_restore_result res;
    (void)change;
    memcpy(&res.id, carry.p, sizeof res.id);
    outbox_unlocked(c->outbox, c, &res.id);
    trades_restored(c->trades, c, &res.id); /* what it said elsewhere is not known here */
    API_RESULT(c, call, id_restore, &res);
}

static void restore_undo(struct core *c, const struct call *call, struct change *change, struct span carry)
{
    struct identity id;
    (void)call, (void)change;
    memcpy(&id, carry.p, sizeof id);
    keys_forget(c->keys, &id);
}

/* What id.backup answered, as its bytes. */
static int restore_backup(struct core *c, const struct api_id_restore_params *p, struct identity *out,
                          struct change *into, struct arena *a, struct report *r)
{
    struct api_id_backup_result b;
    struct key_row row = {.spend_until_ms = 0};
    if (api_id_backup_result_decode(&b, p->backup, a, NULL))
        return report_set(r, SOUK_EDAMAGED, "backup: this is not what `souk id backup` wrote, or damaged");
    struct span name = p->has_name ? p->name : b.name;
    row.identity = b.id;
    row.recovery = b.recovery;
    memcpy(row.name, name.p, name.n); /* the schema bounds both */
    *out = b.id;
    return keys_restore_file(c->keys, c, &row, b.file, p->passphrase, into, r);
}

static int do_restore(struct core *c, struct call *call, struct span params, struct arena *a,
                      struct report *r)
{
    API_PARAMS(id_restore);
    struct identity none = {{0}};
    if (p.has_words == p.has_backup)
        return report_set(r, SOUK_EPARAMS, "give the words, or a backup in their place");
    if (p.has_words && !p.has_name)
        return report_set(r, SOUK_EPARAMS, "name: is missing; words do not tell it");
    struct change *ch = call_change(c, call, restore_done, SPAN_OF(none));
    call_undo(ch, restore_undo);
    int err = p.has_backup ? restore_backup(c, &p, call_carry(ch), ch, a, r)
                           : keys_restore(c->keys, c, text_of(a, p.name), p.passphrase, p.words,
                                          call_carry(ch), ch, r);
    return call_end(c, ch, err);
}

static int do_backup(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(id_backup);
    struct identity id;
    struct key_row row;
    struct buf file = {0};
    int err = call_as(c, p.has_as, &p.as, &id, r);
    if (!err)
        err = keys_backup(c->keys, c, &id, p.passphrase, &row, &file, r);
    if (!err) {
        struct api_id_backup_result res = {
            .id = id, .recovery = row.recovery, .name = span_str(row.name), .file = buf_view(&file)};
        API_RESULT(c, call, id_backup, &res);
    }
    buf_wipe(&file);
    return err;
}

static uint64_t spend_left(const struct core *c, const struct key_row *row)
{
    return key_spend_left_ms(row, c->now);
}

static int do_show(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(id_show);
    struct key_row rows[KEYS_MOST];
    struct identity id;
    size_t n = keys_list(c->keys, rows), at = 0;
    int err = call_as(c, p.has_as, &p.as, &id, r);
    if (err)
        return err;
    while (at < n && !identity_eq(&rows[at].identity, &id))
        at++;
    MUST(at < n); /* call_as looked */
    struct api_id_show_result res = {.id = id,
                                     .name = span_str(rows[at].name),
                                     .unlocked = rows[at].unlocked,
                                     .spend_ms = spend_left(c, &rows[at]),
                                     .recovery = rows[at].recovery,
                                     .prekeys = keys_prekeys_kept(c->keys, &id)};
    API_RESULT(c, call, id_show, &res);
    return 0;
}

static int do_list(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(id_list);
    struct key_row keys[KEYS_MOST];
    struct api_own_identity rows[KEYS_MOST];
    size_t n = keys_list(c->keys, keys);
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct api_own_identity){.id = keys[i].identity,
                                            .name = span_str(keys[i].name),
                                            .unlocked = keys[i].unlocked,
                                            .spend_ms = spend_left(c, &keys[i])};
    struct api_id_list_result res = {.identities = rows, .identities_n = n};
    API_RESULT(c, call, id_list, &res);
    return 0;
}

static int do_unlock(struct core *c, struct call *call, struct span params, struct arena *a,
                     struct report *r)
{
    API_PARAMS(id_unlock);
    struct identity id;
    int err = call_as(c, p.has_as, &p.as, &id, r);
    if (!err)
        err = keys_unlock(c->keys, c, &id, p.passphrase, p.has_for_ms ? p.for_ms : 0, r);
    if (!err) {
        outbox_unlocked(c->outbox, c, &id);
        trades_boot(c->trades, c); /* what was due while it was locked */
        call_ok(c, call);
    }
    return err;
}

static int do_lock(struct core *c, struct call *call, struct span params, struct arena *a, struct report *r)
{
    API_PARAMS(id_lock);
    keys_lock(c->keys, p.has_as ? &p.as : NULL);
    call_ok(c, call);
    return 0;
}

const struct call_row calls_keys[] = {
    {"id.show", do_show}, {"id.backup", do_backup}, {"id.new", do_new},   {"id.restore", do_restore},
    {"id.list", do_list}, {"id.unlock", do_unlock}, {"id.lock", do_lock}, {NULL, NULL}};
