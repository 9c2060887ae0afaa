/* account.c: what the owner asks of a wallet: memberships, balances, movements. */
#include "node/rail/engine.h"

static const struct id none;

void wallet_membership(struct core *c, const struct identity *me, const struct identity *issuer,
                       struct ledger_membership *out)
{
    uint8_t key[97];
    struct span v;
    memset(out, 0, sizeof *out);
    wallet_key(key, 'j', me, issuer, &none);
    if (view_get(c->view, TABLE_NOTE, span(key, 65), &v) &&
        ledger_membership_decode(out, v, NULL, NULL) != 0)
        memset(out, 0, sizeof *out);
}

static void membership_put(struct change *into, const struct identity *me, const struct identity *issuer,
                           const struct ledger_membership *m)
{
    uint8_t key[97];
    struct buf b = {0};
    wallet_key(key, 'j', me, issuer, &none);
    ledger_membership_encode(&b, m);
    change_put(into, TABLE_NOTE, span(key, 65), buf_view(&b));
    buf_free(&b);
}

int rails_join(struct rails *r, struct core *c, const struct identity *as, const struct identity *issuer,
               struct span note, struct change *into, struct report *rep)
{
    struct node_key node;
    struct identity key;
    struct ledger_membership m;
    if (!keys_own(c->keys, as))
        return report_set(rep, SOUK_ENOT_FOUND, "no such identity on this node");
    if (!rails_issuer_of(c, issuer, &node, &key))
        return report_set(rep, SOUK_ENOT_FOUND, "no issuer of that name is known here (yet)");
    wallet_membership(c, as, issuer, &m);
    if (m.state != LEDGER_MEMBER_STATE_APPROVED)
        m.state = LEDGER_MEMBER_STATE_ASKED;
    m.has_note = note.n > 0;
    m.note = note;
    m.time = c->now.unix_ms;
    membership_put(into, as, issuer, &m);
    rails_kick(r, c);
    return 0;
}

void wallet_joined(struct rails *r, struct core *c, const struct ledger_joined *m)
{
    struct ledger_membership row;
    (void)r;
    if (!keys_own(c->keys, &m->member))
        return;
    wallet_membership(c, &m->member, &m->issuer, &row);
    if (row.state == m->state && row.limit_minor == m->limit_minor && row.drawn_minor == m->drawn_minor)
        return;
    row.state = m->state;
    row.limit_minor = m->limit_minor;
    row.drawn_minor = m->drawn_minor;
    row.time = c->now.unix_ms;
    struct change *ch = change_new(ROOM_RAIL, WHAT_WALLET, 0);
    membership_put(ch, &m->member, &m->issuer, &row);
    fx_commit(c->fx, ch);
}

/* ---- balances ---- */
struct balances {
    struct core *c;
    const struct identity *as, *only;
    struct rail_balance *out;
    size_t n, most;
};

static struct rail_balance *balance_of(struct balances *b, const uint8_t issuer[static 32])
{
    struct ledger_membership m;
    if (b->only && memcmp(b->only->b, issuer, 32) != 0)
        return NULL;
    for (size_t i = 0; i < b->n; i++)
        if (memcmp(b->out[i].issuer.b, issuer, 32) == 0)
            return &b->out[i];
    if (b->n == b->most)
        return NULL;
    struct rail_balance *row = &b->out[b->n++];
    memset(row, 0, sizeof *row);
    memcpy(row->issuer.b, issuer, 32);
    wallet_membership(b->c, b->as, &row->issuer, &m);
    row->member = m.state == LEDGER_MEMBER_STATE_NOBODY ? "" : ledger_member_state_name(m.state);
    row->limit_minor = (int64_t)m.limit_minor;
    row->minor = -(int64_t)m.drawn_minor;
    return row;
}

static bool balance_member(void *arg, struct span key, struct span value)
{
    (void)value;
    if (key.n == 65)
        balance_of(arg, key.p + 33);
    return true;
}

static bool balance_note(void *arg, struct span key, struct span value)
{
    struct ledger_own_note own;
    struct ledger_note note;
    struct arena a;
    struct rail_balance *row;
    arena_init(&a, 65536);
    if (key.n == 97 && ledger_own_note_decode(&own, value, &a, NULL) == 0 &&
        own.state == LEDGER_HELD_UNSPENT && ledger_note_decode(&note, own.note, &a, NULL) == 0 &&
        (row = balance_of(arg, key.p + 33)) != NULL) {
        row->minor += (int64_t)note.minor;
        row->notes++;
    }
    arena_free(&a);
    return true;
}

size_t rails_balances(struct rails *r, struct core *c, const struct identity *as,
                      const struct identity *issuer, struct rail_balance *out, size_t most)
{
    struct balances b = {c, as, issuer, out, 0, most};
    uint8_t prefix[33];
    (void)r;
    memcpy(prefix + 1, as->b, 32);
    prefix[0] = 'j';
    view_scan(c->view, TABLE_NOTE, SPAN_OF(prefix), span(NULL, 0), balance_member, &b);
    prefix[0] = 'n';
    view_scan(c->view, TABLE_NOTE, SPAN_OF(prefix), span(NULL, 0), balance_note, &b);
    if (issuer && !b.n)
        balance_of(&b, issuer->b);
    return b.n;
}

struct history {
    rail_movement_fn *fn;
    void *arg;
};
static bool history_row(void *arg, struct span key, struct span value)
{
    struct history *h = arg;
    struct ledger_movement m;
    (void)key;
    if (ledger_movement_decode(&m, value, NULL, NULL))
        return true;
    struct rail_movement out = {m.time, m.minor, m.words};
    return h->fn(h->arg, &out);
}

void rails_history(struct rails *r, struct core *c, const struct identity *as,
                   const struct identity *issuer, rail_movement_fn *fn, void *arg)
{
    struct history h = {fn, arg};
    uint8_t key[97];
    (void)r;
    wallet_key(key, 'h', as, issuer, &none);
    view_scan_back(c->view, TABLE_NOTE, span(key, 65), history_row, &h);
}
