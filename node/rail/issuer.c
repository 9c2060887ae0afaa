/* issuer.c: keeps a ledger: judges transfers, enters them, and answers for the log.  Everything is answered
 * from what is committed; what two transfers under way do to each other the store decides (OP_LEDGER). */
#include "crypto/record.h"
#include "node/rail/engine.h"

/* Carried by the change that enters a transfer. */
struct entering {
    struct node_key peer;
    struct id transfer;
    bool draws;
    struct identity member;
};

static bool get_node(void *arg, unsigned level, uint64_t index, struct id *hash)
{
    return view_ledger_node(arg, level, index, hash);
}

void issuer_state_put(struct rails *r, struct change *into)
{
    struct buf b = {0};
    struct ledger_ledger_state m = {.issuer = r->issuer,
                                    .limit_minor = r->limit,
                                    .auto_approve = r->auto_approve,
                                    .mock = r->ledger_mock,
                                    .minted_minor = r->minted};
    ledger_ledger_state_encode(&b, &m);
    change_put(into, TABLE_MEMBER, span_str("t"), buf_view(&b));
    buf_free(&b);
}

/* A head record of ours that says more than this ledger holds: a backup was restored.  Whoever signed on
 * would tell a second story. */
void issuer_own_head(struct rails *r, struct core *c, uint64_t size, const struct id *root)
{
    struct id here;
    r->published = true;
    r->published_size = size > r->published_size ? size : r->published_size;
    if (size > view_ledger_size(c->view) || merkle_root(&here, size, get_node, c->view) ||
        !id_eq(&here, root)) {
        if (!r->frozen)
            log_line(LOG_ERROR, "rail",
                     "this ledger is older than a head that was published from it: nothing more is "
                     "signed; bring the newest backup back");
        r->frozen = true;
    }
}

void issuer_boot(struct rails *r, struct core *c)
{
    struct span v;
    struct ledger_ledger_state m;
    r->head.size = UINT64_MAX;
    if (!view_get(c->view, TABLE_MEMBER, span_str("t"), &v) ||
        ledger_ledger_state_decode(&m, v, NULL, NULL))
        return;
    r->keeps = true;
    r->issuer = m.issuer;
    r->limit = m.limit_minor;
    r->auto_approve = m.auto_approve;
    r->ledger_mock = m.mock;
    r->minted = m.minted_minor;
    struct id transfer;
    struct ledger_kept kept;
    struct ledger_entry last;
    struct arena a;
    uint64_t size = view_ledger_size(c->view);
    arena_init(&a, 65536);
    if (size && view_ledger_leaf(c->view, size - 1, &transfer, &v) &&
        ledger_kept_decode(&kept, v, NULL, NULL) == 0 &&
        ledger_entry_decode(&last, kept.entry, &a, NULL) == 0)
        r->last_time = last.time;
    arena_free(&a);
}

bool issuer_head(struct rails *r, struct core *c, struct ledger_tree_head *head)
{
    uint64_t size = view_ledger_size(c->view);
    if (!r->keeps || r->frozen)
        return false;
    if (r->head.size != size) {
        struct ledger_tree_head h = {.size = size, .time = c->now.unix_ms};
        struct id hash;
        if (merkle_root(&h.root, size, get_node, c->view))
            return false;
        head_hash(&hash, r->network, &r->issuer, size, &h.root, h.time);
        if (keys_sign(c->keys, c, &r->issuer, USE_DUTY, &hash, &h.sig, NULL))
            return false;
        r->head = h;
    }
    *head = r->head;
    return true;
}

/* The receipt of what is committed; path is the caller's memory. */
static bool receipt_make(struct rails *r, struct core *c, const struct id *transfer,
                         struct ledger_receipt *out, struct id path[static MERKLE_PROOF_MOST],
                         struct span *whole)
{
    struct span bytes;
    struct id named;
    struct ledger_kept kept;
    if (!view_ledger_transfer(c->view, transfer, &out->index) ||
        !view_ledger_leaf(c->view, out->index, &named, &bytes) ||
        ledger_kept_decode(&kept, bytes, NULL, NULL) || !issuer_head(r, c, &out->head) ||
        merkle_inclusion(path, &out->path_n, out->index, out->head.size, get_node, c->view))
        return false;
    out->entry = kept.entry;
    out->path = path;
    if (whole)
        *whole = kept.transfer;
    return true;
}

static void say_refused(struct rails *r, struct core *c, const struct node_key *peer,
                        const struct id *transfer, const struct transfer_refusal *why, const char *words)
{
    struct buf b = {0};
    struct id path[MERKLE_PROOF_MOST];
    struct ledger_refused m = {
        .issuer = r->issuer, .transfer = *transfer, .why = why->why, .words = span_str(words)};
    m.words.n = m.words.n > 400 ? 0 : m.words.n;
    if (why->why == LEDGER_REFUSAL_SPENT) {
        m.has_note = true;
        m.note = why->note;
        m.has_first = receipt_make(r, c, &why->by, &m.first, path, NULL);
    }
    ledger_refused_encode(&b, &m);
    rails_say(r, c, peer, LEDGER_REFUSED, buf_view(&b));
    buf_free(&b);
}

static void say_busy(struct rails *r, struct core *c, const struct node_key *peer,
                     const struct id *transfer, const char *words)
{
    struct transfer_refusal why = {.why = LEDGER_REFUSAL_BUSY};
    say_refused(r, c, peer, transfer, &why, words);
}

static bool say_entered(struct rails *r, struct core *c, const struct node_key *peer,
                        const struct id *transfer)
{
    struct buf b = {0};
    struct id path[MERKLE_PROOF_MOST];
    struct ledger_entered m = {.issuer = r->issuer, .transfer = *transfer};
    if (!receipt_make(r, c, transfer, &m.receipt, path, NULL))
        return false;
    ledger_entered_encode(&b, &m);
    rails_say(r, c, peer, LEDGER_ENTERED, buf_view(&b));
    buf_free(&b);
    return true;
}

static bool note_of(void *arg, const struct id *note, struct span *opening, struct id *spent_by)
{
    return view_ledger_note(((struct core *)arg)->view, note, spent_by, opening);
}

static bool left_of(void *arg, const struct identity *member, uint64_t *minor)
{
    struct ledger_member m;
    if (!member_get(arg, member, &m) || m.state != LEDGER_MEMBER_STATE_APPROVED)
        return false;
    *minor = m.limit_minor > m.drawn_minor ? m.limit_minor - m.drawn_minor : 0;
    return true;
}

/* Everything was checked: one operation that spends, makes and appends, and what follows from it. */
static void enter(struct rails *r, struct core *c, const struct node_key *peer, const struct transfer *t)
{
    struct change *ch = change_new(ROOM_RAIL, WHAT_ENTER, 0);
    struct entering *carry = arena_alloc(&ch->arena, sizeof *carry);
    struct buf entry = {0}, kept = {0}, notes[LEDGER_MAKES_MOST] = {{0}};
    struct span data[LEDGER_MAKES_MOST];
    struct op op = {.kind = OP_LEDGER};
    /* Times in the log do not go back, whatever this machine's clock does. */
    r->last_time = c->now.unix_ms > r->last_time ? c->now.unix_ms : r->last_time;
    transfer_entry(&entry, t, r->last_time);
    struct ledger_kept k = {.entry = buf_view(&entry), .transfer = t->bytes};
    ledger_kept_encode(&kept, &k);
    for (size_t i = 0; i < t->body.makes_n; i++) {
        ledger_note_encode(&notes[i], &t->body.makes[i]);
        data[i] = buf_view(&notes[i]);
    }
    op.ledger.transfer = t->id;
    merkle_leaf(&op.ledger.leaf, buf_view(&entry));
    op.ledger.spends = t->body.spends;
    op.ledger.spends_n = t->body.spends_n;
    op.ledger.makes = t->make_ids;
    op.ledger.makes_n = t->body.makes_n;
    op.ledger.makes_data = data;
    op.ledger.bytes = buf_view(&kept);
    change_ledger(ch, &op);
    for (size_t i = 0; i < t->body.makes_n; i++) {
        uint8_t key[33] = {'c'};
        memcpy(key + 1, t->make_ids[i].b, 32);
        change_put(ch, TABLE_MEMBER, SPAN_OF(key), SPAN_OF(t->id));
    }
    *carry = (struct entering){.peer = *peer, .transfer = t->id};
    if (t->body.kind == LEDGER_KIND_DRAW) {
        struct ledger_member m;
        MUST(member_get(c, &t->body.member, &m));
        m.drawn_minor += t->body.drawn;
        member_put(ch, &t->body.member, &m);
        carry->draws = true;
        carry->member = t->body.member;
        map_put(&r->drawing, &t->body.member, r);
    }
    if (t->body.kind == LEDGER_KIND_MINT) {
        for (size_t i = 0; i < t->body.makes_n; i++)
            r->minted += t->body.makes[i].minor;
        issuer_state_put(r, ch);
    }
    ch->carry = carry;
    fx_commit(c->fx, ch);
    for (size_t i = 0; i < t->body.makes_n; i++)
        buf_free(&notes[i]);
    buf_free(&entry);
    buf_free(&kept);
}

void issuer_submit(struct rails *r, struct core *c, const struct node_key *peer, struct span bytes)
{
    struct arena a;
    struct transfer t;
    struct report rep = {0};
    struct id none = {{0}};
    struct transfer_refusal why = {.why = LEDGER_REFUSAL_FORM};
    /* With a clock that is wrong no branch is open that opens at a moment: "early" is asked again. */
    int64_t now = c->clock_wrong ? 0 : c->now.unix_ms;
    struct transfer_world w = {r->network, r->issuer, r->issuer, now, note_of, left_of, c};
    struct ledger_tree_head head;
    uint64_t index;
    arena_init(&a, RAIL_ARENA_BYTES);
    if (transfer_parse(&t, r->network, bytes, &a, &rep))
        say_refused(r, c, peer, &none, &why, rep.text);
    else if (!issuer_head(r, c, &head))
        say_busy(r, c, peer, &t.id, "the issuer's node cannot sign now; it is tried again");
    else if (view_ledger_transfer(c->view, &t.id, &index))
        say_entered(r, c, peer, &t.id);
    else if (t.body.kind == LEDGER_KIND_DRAW && map_get(&r->drawing, &t.body.member))
        say_busy(r, c, peer, &t.id, "another draw of this member is being entered");
    else if (!transfer_check(&t, &w, &a, &why, &rep))
        say_refused(r, c, peer, &t.id, &why, rep.text);
    else
        enter(r, c, peer, &t);
    arena_free(&a);
}

void issuer_entered(struct rails *r, struct core *c, struct change *ch)
{
    const struct entering *e = ch->carry;
    const struct op *op = &ch->ops[0];
    if (e->draws)
        map_del(&r->drawing, &e->member);
    if (ch->err) {
        say_busy(r, c, &e->peer, &e->transfer, err_sentence(ch->err));
    } else if (op->result == OP_CONFLICT) {
        struct transfer_refusal why = {.why = LEDGER_REFUSAL_EXISTS};
        for (size_t i = 0; i < op->ledger.spends_n && op->found.n == 32; i++) {
            struct span data;
            struct id by;
            if (view_ledger_note(c->view, &op->ledger.spends[i], &by, &data) &&
                span_eq(SPAN_OF(by), op->found))
                why = (struct transfer_refusal){LEDGER_REFUSAL_SPENT, op->ledger.spends[i], by};
        }
        say_refused(r, c, &e->peer, &e->transfer, &why, "another transfer came first");
    } else if (!say_entered(r, c, &e->peer, &e->transfer)) {
        say_busy(r, c, &e->peer, &e->transfer, "it is entered, but the issuer's node cannot sign now");
    }
}

void issuer_ask_head(struct rails *r, struct core *c, const struct node_key *peer,
                     const struct identity *issuer)
{
    static const struct salt slot_zero;
    struct ledger_head m = {.issuer = *issuer};
    struct record_row row;
    struct record rec;
    struct record_head body;
    struct id id;
    uint64_t revision;
    struct buf b = {0};
    if (r->keeps && identity_eq(issuer, &r->issuer)) {
        m.has_head = issuer_head(r, c, &m.head);
    } else if (view_slot(c->view, issuer, RECORD_HEAD, &slot_zero, &id, &revision) &&
               view_record(c->view, &id, &row) && record_parse(&rec, row.bytes, r->network, NULL) == 0 &&
               record_head_decode(&body, rec.body, NULL, NULL) == 0) {
        m.has_head = true;
        m.head = (struct ledger_tree_head){body.size, body.root, body.time, body.sig};
    }
    ledger_head_encode(&b, &m);
    rails_say(r, c, peer, LEDGER_HEAD, buf_view(&b));
    buf_free(&b);
}

void issuer_ask_consistency(struct rails *r, struct core *c, const struct node_key *peer,
                            const struct ledger_ask_consistency *q)
{
    struct id path[MERKLE_PROOF_MOST];
    struct ledger_consistency m = {
        .issuer = q->issuer, .first = q->first, .second = q->second, .path = path};
    struct buf b = {0};
    if (q->first > q->second || q->second > view_ledger_size(c->view) ||
        merkle_consistency(path, &m.path_n, q->first, q->second, get_node, c->view))
        return;
    ledger_consistency_encode(&b, &m);
    rails_say(r, c, peer, LEDGER_CONSISTENCY, buf_view(&b));
    buf_free(&b);
}

void issuer_ask_leaves(struct rails *r, struct core *c, const struct node_key *peer,
                       const struct ledger_ask_leaves *q)
{
    struct span entries[256];
    struct ledger_leaves m = {.issuer = q->issuer, .from = q->from, .entries = entries};
    struct buf b = {0};
    size_t bytes = 0;
    if (!issuer_head(r, c, &m.head))
        return;
    for (; m.entries_n < q->most && m.entries_n < 256; m.entries_n++) {
        struct id transfer;
        struct span v;
        struct ledger_kept kept;
        if (!view_ledger_leaf(c->view, q->from + m.entries_n, &transfer, &v) ||
            ledger_kept_decode(&kept, v, NULL, NULL) || bytes + kept.entry.n > RAIL_MESSAGE_BYTES)
            break;
        bytes += kept.entry.n + 3;
        entries[m.entries_n] = kept.entry;
    }
    ledger_leaves_encode(&b, &m);
    rails_say(r, c, peer, LEDGER_LEAVES, buf_view(&b));
    buf_free(&b);
}

static bool maker_of(struct core *c, const struct id *note, struct id *transfer)
{
    uint8_t key[33] = {'c'};
    struct span v;
    memcpy(key + 1, note->b, 32);
    if (!view_get(c->view, TABLE_MEMBER, SPAN_OF(key), &v) || v.n != 32)
        return false;
    memcpy(transfer->b, v.p, 32);
    return true;
}

void issuer_ask_note(struct rails *r, struct core *c, const struct node_key *peer,
                     const struct ledger_ask_note *q, struct arena *a)
{
    struct ledger_note_state m = {.issuer = q->issuer, .note = q->note};
    struct id made_path[MERKLE_PROOF_MOST], spent_path[MERKLE_PROOF_MOST], by, maker;
    struct span opening, whole, v;
    struct ledger_note note;
    struct buf b = {0};
    uint8_t key[33] = {'x'};
    memcpy(key + 1, q->note.b, 32);
    if (view_ledger_note(c->view, &q->note, &by, &opening) && maker_of(c, &q->note, &maker)) {
        m.reversed = m.has_reversed = r->ledger_mock && view_get(c->view, TABLE_MEMBER, SPAN_OF(key), &v);
        m.has_made = !m.reversed && receipt_make(r, c, &maker, &m.made, made_path, NULL);
        if (m.has_made && !is_zero(&by, sizeof by))
            m.has_spent = receipt_make(r, c, &by, &m.spent, spent_path, &whole);
        if (!m.has_made && !m.reversed)
            return; /* cannot sign now: no answer is better than a wrong one */
        if (m.has_spent && q->has_opening && ledger_note_decode(&note, opening, a, NULL) == 0 &&
            memcmp(&note.value_salt, &q->opening, sizeof q->opening) == 0) {
            m.has_transfer = true;
            m.transfer = whole;
        }
    }
    ledger_note_state_encode(&b, &m);
    if (b.n > 64000 && m.has_transfer) {
        m.has_transfer = false;
        buf_clear(&b);
        ledger_note_state_encode(&b, &m);
    }
    rails_say(r, c, peer, LEDGER_NOTE_STATE, buf_view(&b));
    buf_free(&b);
}
