/* vec_trade.c: spec/vectors/trade.json, checked: facts, terms, contracts and what they lock, rulings
 * (spec/trade.md).  make_trade.c makes it. */
#include "node/market/stub.h"
#include "node/trade/engine.h"
#include "node/trade/state.h"
#include "node/trade/terms.h"
#include "tests/vectors/own.h"

static const char *fact_try(const struct network *net, struct span test, struct arena *a)
{
    struct fact_view f;
    int err = fact_parse(&f, net, own_field(test, "fact", a), a, NULL);
    if (!err && !fact_verify(&f))
        err = SOUK_ESIGNATURE;
    if (err)
        return own_class(err);
    return own_same(test, "id", SPAN_OF(f.id)) && own_same(test, "author", SPAN_OF(f.e.author)) &&
                   own_same(test, "trade", SPAN_OF(f.e.trade)) &&
                   own_same_number(test, "kind", (int64_t)f.e.kind)
               ? "good"
               : "other: id, author, trade or kind";
}

static const char *terms_try(const struct network *net, struct span test, struct arena *a)
{
    struct fact_terms t;
    struct record_stub stub;
    struct amount locked;
    struct id hash, trade, terms;
    struct span bytes = own_field(test, "terms", a);
    struct buf stub_bytes = {0};
    int err = fact_terms_decode(&t, bytes, a, NULL);
    if (err)
        return own_class(err);
    err = terms_check(&t, NULL);
    if (err)
        return "rule";
    fact_terms_hash(&terms, net, bytes);
    fact_trade_id(&trade, net, &t.buyer, &t.seller, &t.nonce);
    fact_stub(&stub, net, &t);
    stub_hash(&hash, net, &stub);
    record_stub_encode(&stub_bytes, &stub);
    MUST(terms_locked(&locked, &t) == 0);
    bool good = own_same(test, "hash", SPAN_OF(terms)) && own_same(test, "trade", SPAN_OF(trade)) &&
                own_same(test, "stub", buf_view(&stub_bytes)) &&
                own_same(test, "stub_hash", SPAN_OF(hash)) && own_same_number(test, "locked", locked.minor);
    buf_free(&stub_bytes);
    return good ? "good" : "other: hash, trade, stub or what is locked";
}

static const char *contract_try(const struct network *net, struct span test, struct arena *a)
{
    struct span list = vec_field(test, "facts");
    size_t n = vec_length(list);
    struct fact_view *facts = arena_array(a, n ? n : 1, sizeof *facts);
    struct trade_state *s = arena_alloc(a, sizeof *s);
    struct trade_scene scene = {.network = net};
    struct buf escrow = {0};
    for (size_t i = 0; i < n; i++) {
        struct buf bytes = {0};
        bool good = vec_hex(vec_item(list, i), &bytes) &&
                    fact_parse(&facts[i], net, arena_copy(a, buf_view(&bytes)), a, NULL) == 0 &&
                    fact_verify(&facts[i]);
        buf_free(&bytes);
        if (!good)
            return "form";
    }
    scene.trade = n ? facts[0].e.trade : scene.trade;
    if (trade_state(s, &scene, facts, n, NULL, 0) || !s->agreed)
        return "rule";
    if (!own_same(test, "contract", SPAN_OF(s->contract)) ||
        (vec_field(test, "lock").n > 0) != (s->lock != NULL))
        return "other: contract, or whether there is a lock";
    if (s->lock)
        rail_lock_encode(&escrow, &s->lock->lock);
    bool good = !s->lock || (own_same(test, "lock", SPAN_OF(s->lock->id)) &&
                             own_same(test, "escrow", buf_view(&escrow)));
    buf_free(&escrow);
    return good ? "good" : "other: the lock";
}

static const char *ruling_try(const struct network *net, struct span test, struct arena *a)
{
    struct fact_terms t;
    struct fact_split s;
    struct span split = vec_field(test, "split");
    (void)net;
    int err = fact_terms_decode(&t, own_field(test, "terms", a), a, NULL);
    if (!err)
        err = payout_ruling(&s, &t, vec_number(vec_field(test, "buyer"), -1), false, NULL);
    if (err)
        return err == SOUK_ERANGE ? "rule" : own_class(err);
    return !split.n || (vec_number(vec_item(split, 0), -1) == s.buyer &&
                        vec_number(vec_item(split, 1), -1) == s.seller &&
                        vec_number(vec_item(split, 2), -1) == s.arbiter)
               ? "good"
               : "other: split";
}

static bool id_of(struct span test, const char *name, struct id *out)
{
    return vec_hex_fixed(vec_field(test, name), out->b, sizeof out->b);
}

static const char *payout_name_try(const struct network *net, struct span test, struct arena *a)
{
    struct id lock, next, name;
    struct span split = vec_field(test, "split");
    struct fact_split s = {.buyer = vec_number(vec_item(split, 0), 0),
                           .seller = vec_number(vec_item(split, 1), 0),
                           .arbiter = vec_number(vec_item(split, 2), 0)};
    int64_t to_substitute = vec_number(vec_item(split, 3), 0);
    (void)a;
    if (to_substitute) {
        s.arbiter = to_substitute;
        s.has_substitute = s.substitute = true;
    }
    if (!id_of(test, "lock", &lock))
        return "form";
    payout_name(&name, net, &lock, &s, id_of(test, "next", &next) ? &next : NULL);
    return own_same(test, "name", SPAN_OF(name)) ? "good" : "other: name";
}

static const char *address_try(const struct network *net, struct span test, struct arena *a)
{
    struct salt salt;
    struct id id;
    if (!vec_hex_fixed(vec_field(test, "salt"), salt.b, sizeof salt.b))
        return "form";
    address_id(&id, net, &salt, own_field(test, "address", a));
    return own_same(test, "id", SPAN_OF(id)) ? "good" : "other: id";
}

static const char *handover_try(const struct network *net, struct span test, struct arena *a)
{
    struct id trade, id;
    if (!id_of(test, "trade", &trade))
        return "form";
    handover_secret_id(&id, net, &trade, own_field(test, "secret", a));
    return own_same(test, "id", SPAN_OF(id)) ? "good" : "other: id";
}

int vec_trade(struct span json, struct vec_result *result)
{
    static const struct own_what whats[] = {{"fact", fact_try},
                                            {"terms", terms_try},
                                            {"contract", contract_try},
                                            {"ruling", ruling_try},
                                            {"payout_name", payout_name_try},
                                            {"address", address_try},
                                            {"handover", handover_try}};
    return own_run(json, result, whats, sizeof whats / sizeof *whats);
}
