/* member.c: who belongs to the ledger kept here, and how much credit each may draw. */
#include "node/rail/engine.h"

enum { MEMBERS_MOST = 10000 };
struct joining {
    struct node_key peer;
    struct identity member;
};

static void member_key(uint8_t key[static 33], const struct identity *who)
{
    key[0] = 'm';
    memcpy(key + 1, who->b, 32);
}

bool member_get(struct core *c, const struct identity *who, struct ledger_member *out)
{
    uint8_t key[33];
    struct span v;
    member_key(key, who);
    return view_get(c->view, TABLE_MEMBER, SPAN_OF(key), &v) &&
           ledger_member_decode(out, v, NULL, NULL) == 0;
}

void member_put(struct change *into, const struct identity *who, const struct ledger_member *m)
{
    uint8_t key[33];
    struct buf b = {0};
    member_key(key, who);
    ledger_member_encode(&b, m);
    change_put(into, TABLE_MEMBER, SPAN_OF(key), buf_view(&b));
    buf_free(&b);
}

static void say_joined(struct rails *r, struct core *c, const struct node_key *peer,
                       const struct identity *who)
{
    struct ledger_member row = {0};
    struct buf b = {0};
    member_get(c, who, &row);
    struct ledger_joined m = {.issuer = r->issuer,
                              .member = *who,
                              .state = row.state,
                              .limit_minor = row.limit_minor,
                              .drawn_minor = row.drawn_minor};
    ledger_joined_encode(&b, &m);
    rails_say(r, c, peer, LEDGER_JOINED, buf_view(&b));
    buf_free(&b);
}

static bool count_one(void *arg, struct span key, struct span value)
{
    (void)key;
    (void)value;
    return ++*(size_t *)arg < MEMBERS_MOST;
}

int member_join(struct rails *r, struct core *c, const struct node_key *peer, const struct ledger_join *m)
{
    struct id hash;
    struct ledger_member row = {0};
    join_hash(&hash, r->network, m);
    if (!sign_check(m->member.b, &hash, &m->sig))
        return SOUK_ESIGNATURE;
    bool known = member_get(c, &m->member, &row);
    size_t members = 0;
    if (!known)
        view_scan(c->view, TABLE_MEMBER, span_str("m"), span(NULL, 0), count_one, &members);
    /* Who asked already is only told how it stands: a write from what was read before could undo an
     * approval that is on its way to disk. */
    if (known || members >= MEMBERS_MOST) {
        say_joined(r, c, peer, &m->member);
        return 0;
    }
    row.time = m->time;
    row.has_note = m->has_note;
    row.note = m->note;
    row.state = r->auto_approve ? LEDGER_MEMBER_STATE_APPROVED : LEDGER_MEMBER_STATE_ASKED;
    row.limit_minor = r->auto_approve ? r->limit : 0;
    struct change *ch = change_new(ROOM_RAIL, WHAT_JOIN, 0);
    struct joining *carry = arena_alloc(&ch->arena, sizeof *carry);
    *carry = (struct joining){*peer, m->member};
    ch->carry = carry;
    uint8_t key[33];
    struct buf b = {0};
    member_key(key, &m->member);
    ledger_member_encode(&b, &row);
    change_put_if(ch, TABLE_MEMBER, SPAN_OF(key), buf_view(&b), NULL); /* the first of two at once counts */
    buf_free(&b);
    fx_commit(c->fx, ch);
    return 0;
}

void member_joined(struct rails *r, struct core *c, struct change *ch)
{
    const struct joining *j = ch->carry;
    if (!ch->err)
        say_joined(r, c, &j->peer, &j->member);
}

static int own_ledger(struct rails *r, const struct identity *as, struct report *rep)
{
    if (!r->keeps || !identity_eq(as, &r->issuer))
        return report_set(rep, SOUK_ENOT_FOUND,
                          "this identity issues no credit here; `souk credit issuer` begins");
    return 0;
}

int rails_issuer(struct rails *r, struct core *c, const struct identity *as, const struct rail_issuer *what,
                 struct change *into, struct buf *body, struct report *rep)
{
    if (r->keeps && !identity_eq(as, &r->issuer))
        return report_set(rep, SOUK_ECONFLICT,
                          "this node keeps another identity's ledger already: one a node");
    if (what->mock && !r->mock)
        return report_set(rep, SOUK_ENOT_ALLOWED, "the mock rail is for tests and is not offered here");
    if (!keys_own(c->keys, as))
        return report_set(rep, SOUK_ENOT_FOUND, "no such identity on this node");
    if (what->decimals > 6 || what->limit_minor < 0 || what->limit_minor > AMOUNT_MAX || !what->name.n ||
        !what->code.n)
        return report_set(rep, SOUK_EINVALID,
                          "credit needs a name, a code, at most 6 decimals and a limit that is no debt");
    r->keeps = true;
    r->issuer = *as;
    r->limit = (uint64_t)what->limit_minor;
    r->auto_approve = what->auto_approve;
    r->ledger_mock = what->mock;
    issuer_state_put(r, into);
    struct record_issuer m = {.name = what->name,
                              .code = what->code,
                              .decimals = what->decimals,
                              .has_about = what->about.n > 0,
                              .about = what->about,
                              .node = *keys_node(c->keys),
                              .key = *as,
                              .has_limit_minor = true,
                              .limit_minor = r->limit};
    record_issuer_encode(body, &m);
    return 0;
}

int rails_approve(struct rails *r, struct core *c, const struct identity *as, const struct identity *member,
                  int64_t limit_minor, bool refuse, struct change *into, struct report *rep)
{
    struct ledger_member m = {0};
    int err = own_ledger(r, as, rep);
    if (err)
        return err;
    if (!member_get(c, member, &m))
        return report_set(rep, SOUK_ENOT_FOUND, "nobody of that name asked to join");
    if (limit_minor > AMOUNT_MAX)
        return report_set(rep, SOUK_ERANGE, "the limit is too high");
    if (map_get(&r->drawing, member))
        return report_set(rep, SOUK_EBUSY, "a draw of this member is being entered; try again");
    m.state = refuse ? LEDGER_MEMBER_STATE_REFUSED : LEDGER_MEMBER_STATE_APPROVED;
    m.limit_minor = limit_minor < 0 ? r->limit : (uint64_t)limit_minor;
    member_put(into, member, &m);
    return 0;
}

struct members_walk {
    rail_member_fn *fn;
    void *arg;
};
static bool member_row(void *arg, struct span key, struct span value)
{
    struct members_walk *w = arg;
    struct ledger_member m;
    struct rail_member out = {0};
    if (key.n != 33 || ledger_member_decode(&m, value, NULL, NULL))
        return true;
    memcpy(out.id.b, key.p + 1, 32);
    out.state = ledger_member_state_name(m.state);
    out.limit_minor = (int64_t)m.limit_minor;
    out.drawn_minor = (int64_t)m.drawn_minor;
    return w->fn(w->arg, &out);
}

void rails_members(struct rails *r, struct core *c, rail_member_fn *fn, void *arg)
{
    struct members_walk w = {fn, arg};
    if (r->keeps)
        view_scan(c->view, TABLE_MEMBER, span_str("m"), span(NULL, 0), member_row, &w);
}

int rails_mock_reverse(struct rails *r, struct core *c, const struct id *note, bool reverse,
                       struct change *into, struct report *rep)
{
    uint8_t key[33] = {'x'};
    struct id by;
    struct span data;
    memcpy(key + 1, note->b, 32);
    if (!r->ledger_mock || !r->mock)
        return report_set(rep, SOUK_ENOT_ALLOWED, "only a mock ledger takes anything back");
    if (!view_ledger_note(c->view, note, &by, &data))
        return report_set(rep, SOUK_ENOT_FOUND, "no such note on this ledger");
    if (reverse)
        change_put(into, TABLE_MEMBER, SPAN_OF(key), span_str("1"));
    else
        change_delete(into, TABLE_MEMBER, SPAN_OF(key));
    return 0;
}
