#include "node/market/stub.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

static void hash_as(struct id *out, const struct network *net, const char *use,
                    const struct record_stub *stub)
{
    struct buf b = {0};
    record_stub_encode(&b, stub);
    hash_souk_one(out, net, use, buf_view(&b));
    buf_free(&b);
}

void stub_hash(struct id *out, const struct network *net, const struct record_stub *stub)
{
    hash_as(out, net, "souk:stub", stub);
}

void stub_paid_hash(struct id *out, const struct network *net, const struct record_stub *stub)
{
    hash_as(out, net, "souk:paid", stub);
}

void stub_received_hash(struct id *out, const struct network *net, const struct record_stub *stub)
{
    hash_as(out, net, "souk:received", stub);
}

static int signed_by(const struct identity *who, const struct id *hash, const struct sig *sig,
                     const char *whose, struct report *r)
{
    if (sign_check(who->b, hash, sig))
        return 0;
    return report_set(r, SOUK_ESIGNATURE, "the %s did not sign this trade", whose);
}

static int direct_check(const struct network *net, const struct record_stub_proof *p, struct report *r)
{
    struct id hash;
    if (!p->has_paid_sig || !p->has_received_sig)
        return report_set(r, SOUK_EMISSING, "both must have said that the payment was made");
    stub_paid_hash(&hash, net, &p->stub);
    int err = signed_by(&p->stub.buyer, &hash, &p->paid_sig, "buyer", r);
    if (err)
        return err;
    stub_received_hash(&hash, net, &p->stub);
    return signed_by(&p->stub.seller, &hash, &p->received_sig, "seller", r);
}

int stub_proof_check(const struct network *net, const struct record_stub_proof *p, struct report *r)
{
    const struct record_stub *s = &p->stub;
    struct id hash;
    if (identity_eq(&s->buyer, &s->seller) ||
        (s->has_arbiter && (identity_eq(&s->arbiter, &s->buyer) || identity_eq(&s->arbiter, &s->seller))))
        return report_set(r, SOUK_EINVALID, "one person stands in two roles of the trade");
    if (s->has_arbiter != p->has_arbiter_sig)
        return report_set(r, SOUK_EMISSING, "an arbiter and its signature come together");
    stub_hash(&hash, net, s);
    int err = signed_by(&s->buyer, &hash, &p->buyer_sig, "buyer", r);
    if (!err)
        err = signed_by(&s->seller, &hash, &p->seller_sig, "seller", r);
    if (!err && s->has_arbiter)
        err = signed_by(&s->arbiter, &hash, &p->arbiter_sig, "arbiter", r);
    if (!err && s->rail == RECORD_RAIL_DIRECT)
        err = direct_check(net, p, r);
    return err;
}
