/* state_agree.c: which proposals stand, and which contract.
 *
 * An accept that crosses a withdrawal stands unless its author had seen the withdrawal; one after its own
 * author's decline of the same proposal does not.  Of several accepts, the one counts whose lock is best
 * attested (rail, then the buyer's funded, the seller's ready, the arbiter's enrol), then the lowest id:
 * so nobody can change a contract under money by telling another story. */
#include "node/trade/state_in.h"

#include "node/market/stub.h"
#include "node/trade/terms.h"

static bool is_proposal(const struct fact_view *f)
{
    return f->e.kind == FACT_OFFER || f->e.kind == FACT_COUNTER;
}

const struct fact_key *proposal_key(const struct fact_view *f)
{
    return f->e.kind == FACT_OFFER ? &f->body.offer.key : &f->body.counter.key;
}

/* Form, names, rule 1, keys; everything but time. */
static bool proposal_ok(const struct trade_set *set, const struct fact_view *f)
{
    struct id trade;
    fact_trade_id(&trade, set->scene->network, &f->terms.buyer, &f->terms.seller, &f->terms.nonce);
    bool by_buyer = identity_eq(&f->e.author, &f->terms.buyer);
    bool by_seller = identity_eq(&f->e.author, &f->terms.seller);
    if (!id_eq(&trade, &set->scene->trade) || !(by_buyer || (by_seller && f->e.kind == FACT_COUNTER)))
        return false;
    const struct sig *stub = f->e.kind == FACT_OFFER ? &f->body.offer.stub_sig : &f->body.counter.stub_sig;
    return terms_check(&f->terms, NULL) == 0 && set_key_ok(set, f, proposal_key(f)) &&
           set_stub_ok(set, f, &f->terms, stub);
}

static const struct identity *answerer(const struct fact_view *proposal)
{
    bool by_buyer = identity_eq(&proposal->e.author, &proposal->terms.buyer);
    return by_buyer ? &proposal->terms.seller : &proposal->terms.buyer;
}

static bool closes(const struct fact_view *f, const struct fact_view *proposal)
{
    switch (f->e.kind) {
    case FACT_WITHDRAW:
        return identity_eq(&f->e.author, &proposal->e.author) &&
               id_eq(&f->body.withdraw.proposal, &proposal->id);
    case FACT_DECLINE:
        return identity_eq(&f->e.author, answerer(proposal)) &&
               id_eq(&f->body.decline.proposal, &proposal->id);
    case FACT_COUNTER:
        return identity_eq(&f->e.author, answerer(proposal)) &&
               id_eq(&f->body.counter.answers, &proposal->id);
    default:
        return false;
    }
}

/* The proposal that this accept makes a contract of, or NULL. */
static const struct fact_view *accepted(const struct trade_set *set, const struct fact_view *f)
{
    if (f->e.kind != FACT_ACCEPT)
        return NULL;
    const struct fact_view *p = set_find(set, &f->body.accept.proposal);
    if (p == NULL || !is_proposal(p) || !proposal_ok(set, p) || !identity_eq(&f->e.author, answerer(p)) ||
        !id_eq(&f->body.accept.terms, &p->terms_hash) || f->e.time > p->terms.valid_until ||
        !set_key_ok(set, f, &f->body.accept.key) ||
        !set_stub_ok(set, f, &p->terms, &f->body.accept.stub_sig))
        return NULL;
    for (size_t i = 0; i < set->n; i++)
        if (closes(set->by_id[i], p) && set_saw(set, f, set->by_id[i]))
            return NULL;
    return p;
}

static void take_contract(struct trade_state *s, const struct trade_set *set, const struct fact_view *p,
                          const struct fact_view *accept)
{
    struct record_stub stub;
    s->agreed = true;
    s->proposal = p;
    s->accept = accept;
    s->terms = &p->terms;
    s->buyer = p->terms.buyer;
    s->seller = p->terms.seller;
    fact_contract_hash(&s->contract, set->scene->network, &p->id, &accept->id);
    fact_stub(&stub, set->scene->network, &p->terms);
    stub_hash(&s->stub, set->scene->network, &stub);
    bool by_buyer = identity_eq(&p->e.author, &s->buyer);
    s->keys[by_buyer ? TRADE_BUYER : TRADE_SELLER] = proposal_key(p);
    s->keys[by_buyer ? TRADE_SELLER : TRADE_BUYER] = &accept->body.accept.key;
}

static void find_contract(struct trade_state *s, struct trade_set *set)
{
    const struct fact_view *best_accept = NULL, *best_proposal = NULL;
    unsigned best_rank = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *p = accepted(set, set->by_id[i]);
        if (p == NULL)
            continue;
        struct lock_found found;
        state_lock_find(&found, set, p, set->by_id[i]);
        if (best_accept == NULL || found.rank > best_rank) {
            best_accept = set->by_id[i];
            best_proposal = p;
            best_rank = found.rank;
        }
    }
    if (best_accept)
        take_contract(s, set, best_proposal, best_accept);
}

static void newest(const struct fact_view **at, const struct fact_view *f)
{
    if (*at == NULL || fact_order(*at, f) < 0)
        *at = f;
}

static void find_open(struct trade_state *s, const struct trade_set *set, const struct fact_view *p)
{
    bool closed = false;
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *f = set->by_id[i];
        if (!closes(f, p))
            continue;
        closed = true;
        if (f->e.kind == FACT_WITHDRAW)
            newest(&s->withdrawn, f);
        else
            newest(&s->declined, f);
    }
    if (!closed)
        newest(&s->open[identity_eq(&p->e.author, &p->terms.buyer) ? TRADE_BUYER : TRADE_SELLER], p);
}

void state_agree(struct trade_state *s, struct trade_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct fact_view *f = set->by_id[i];
        if (!is_proposal(f) || !proposal_ok(set, f))
            continue;
        s->buyer = f->terms.buyer;
        s->seller = f->terms.seller;
        if (s->terms == NULL)
            s->terms = &f->terms;
        find_open(s, set, f);
    }
    for (int i = 0; i < 2; i++)
        if (s->open[i])
            s->terms = &s->open[i]->terms;
    find_contract(s, set);
}
