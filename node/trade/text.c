/* text.c: facts as lines that a person understands. */
#include "node/keys/keys.h"
#include "node/market/market.h"
#include "node/outbox/outbox.h"
#include "node/trade/engine.h"

static const char *quoted(struct arena *a, const char *what, bool has, struct span words)
{
    size_t n = words.n;
    if (!has || !n)
        return what;
    if (n > 600)
        for (n = 600; n > 0 && (words.p[n] & 0xc0) == 0x80;)
            n--;
    char *line = arena_printf(a, "%s: %.*s", what, (int)n, (const char *)words.p);
    for (char *p = line; p && *p; p++)
        *p = *p == '\n' ? ' ' : *p;
    return line;
}

static const char *money(struct core *c, struct arena *a, const struct amount *m)
{
    char text[64];
    return arena_str(a, span_str(market_money(c, m, text, sizeof text)));
}

static const char *proposal_text(struct core *c, const struct fact_view *f, struct arena *a)
{
    const struct fact_terms *t = &f->terms;
    const char *line = arena_printf(a, "%s %llu for %s in all, delivery %s, rail %s",
                                    f->e.kind == FACT_OFFER ? "offers to buy" : "proposes instead",
                                    (unsigned long long)t->quantity, money(c, a, &t->total),
                                    record_delivery_mode_name(t->delivery), record_rail_name(t->rail));
    return quoted(a, line ? line : "proposes", t->has_note, t->note);
}

static const char *split_text(struct arena *a, const char *what, const struct fact_split *s)
{
    return arena_printf(a, "%s: %lld to the buyer, %lld to the seller, %lld fee (minor units)", what,
                        (long long)s->buyer, (long long)s->seller, (long long)s->arbiter);
}

static const char *request_text(const struct fact_request *q, struct arena *a)
{
    char hex[65];
    const char *line =
        q->has_split ? split_text(a, "asks for a split", &q->split)
        : q->has_amendment
            ? arena_printf(a, "asks for another arbiter, %.12s",
                           hex_encode(hex, q->amendment.arbiter.b, sizeof q->amendment.arbiter.b))
            : arena_printf(a, "asks: %s", fact_wish_name(q->what));
    return quoted(a, line ? line : "asks", q->has_note, q->note);
}

static const char *shipped_text(const struct fact_shipped *m, struct arena *a)
{
    const char *how = m->has_secret ? "handed over, with the buyer's secret" : "shipped";
    if (!m->has_carrier || !m->carrier.n)
        return quoted(a, how, m->has_tracking, m->tracking);
    const char *line = arena_printf(a, "%s by %.*s", how, (int)m->carrier.n, (const char *)m->carrier.p);
    return quoted(a, line ? line : how, m->has_tracking, m->tracking);
}

static const char *late_text(const struct fact_view *f, struct arena *a)
{
    switch (f->e.kind) {
    case FACT_SHIPPED:
        return shipped_text(&f->body.shipped, a);
    case FACT_REQUEST:
        return request_text(&f->body.request, a);
    case FACT_PAYOUT:
        return f->body.payout.has_next ? "signs the move of the money to a new lock"
                                       : split_text(a, "signs a payout", &f->body.payout.split);
    case FACT_DISPUTE:
        return quoted(a, "disputes", true, f->body.dispute.claim);
    case FACT_CASE:
        return f->body.taken.taken ? "takes the dispute" : "the dispute came too late";
    case FACT_EVIDENCE:
        if (f->body.evidence.has_messages && !f->body.evidence.has_text)
            return arena_printf(a, "hands over %zu messages between the two", f->body.evidence.messages_n);
        return quoted(a, "adds to the file", f->body.evidence.has_text, f->body.evidence.text);
    case FACT_NOTE:
        return quoted(a, "writes", true, f->body.note.text);
    case FACT_RULING:
        return quoted(a, split_text(a, "rules", &f->body.ruling.split), true, f->body.ruling.reasons);
    case FACT_SETTLED:
        return "the rail has paid";
    case FACT_RESUMED:
        return "goes on after a restored backup";
    default:
        return "says something newer than this souk";
    }
}

const char *trade_fact_text(struct core *c, const struct fact_view *f, struct arena *a)
{
    const char *text;
    switch (f->e.kind) {
    case FACT_OFFER:
    case FACT_COUNTER:
        text = proposal_text(c, f, a);
        break;
    case FACT_ACCEPT:
        text = "agrees: the contract is fixed";
        break;
    case FACT_DECLINE:
        text = quoted(a, "declines", f->body.decline.has_reason, f->body.decline.reason);
        break;
    case FACT_WITHDRAW:
        text = quoted(a, "takes the proposal back", f->body.withdraw.has_reason, f->body.withdraw.reason);
        break;
    case FACT_ENROL:
        text = f->body.enrol.has_amendment ? "consents to decide disputes, on a lock of its own"
                                           : "consents to decide disputes";
        break;
    case FACT_REFUSE:
        text = quoted(a, "refuses to decide disputes", f->body.refuse.has_reason, f->body.refuse.reason);
        break;
    case FACT_READY:
        text = "has the goods set aside: the buyer may pay";
        break;
    case FACT_FUNDED:
        text = "has paid into the lock";
        break;
    case FACT_OPENED:
        text = "tells the address";
        break;
    case FACT_PAID:
        text = quoted(a, "says that it paid", f->body.paid.has_note, f->body.paid.note);
        break;
    case FACT_RECEIVED:
        text = quoted(a, "says that the money came", f->body.received.has_note, f->body.received.note);
        break;
    default:
        text = late_text(f, a);
    }
    return text ? text : "";
}

struct least {
    struct core *c;
    enum letter_state state;
    bool any;
};

static bool least_of(void *arg, struct span key, struct span value)
{
    struct least *l = arg;
    struct id letter;
    (void)key;
    if (value.n == sizeof letter) {
        memcpy(&letter, value.p, sizeof letter);
        enum letter_state s = outbox_state(l->c, &letter);
        if (!l->any || s == LETTER_GIVEN_UP || (l->state != LETTER_GIVEN_UP && s < l->state))
            l->state = s;
        l->any = true;
    }
    return true;
}

const char *trade_fact_delivery(struct core *c, const struct fact_view *f)
{
    uint8_t key[65];
    struct least l = {.c = c};
    if (keys_own(c->keys, &f->e.author))
        view_scan(c->view, TABLE_TRADE, trade_row_key(key, ROW_LETTER, &f->id, NULL), span(NULL, 0),
                  least_of, &l);
    return l.any ? letter_state_name(l.state) : "";
}
