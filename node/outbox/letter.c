/* letter.c: making, sealing, opening and judging letters.  No state. */
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "crypto/sign.h"
#include "node/keys/keys.h"
#include "node/outbox/engine.h"

void letter_id(struct id *out, const struct network *net, struct span letter)
{
    hash_souk_one(out, net, "souk:letter", letter);
}

void letter_signed_hash(struct id *out, const struct network *net, const struct id *letter,
                        const struct xkey *prekey, struct span where)
{
    struct span parts[] = {SPAN_OF(*letter), SPAN_OF(*prekey), where};
    hash_souk(out, net, "souk:letter-to", parts, 3);
}

void letter_ack_hash(struct id *out, const struct network *net, const struct id *letter, uint8_t verdict)
{
    struct span parts[] = {SPAN_OF(*letter), span(&verdict, 1)};
    hash_souk(out, net, "souk:letter-ack", parts, 2);
}

void letter_envelope_id(struct id *out, const struct network *net, struct span envelope)
{
    hash_souk_one(out, net, "souk:envelope", envelope);
}

int letter_seal(struct buf *out, struct core *c, const struct mail_letter *m, struct span letter,
                const struct xkey *prekey, struct span where)
{
    struct mail_inner inner = {.letter = letter, .has_where = where.n > 0, .where = where};
    struct buf plain = {0}, sealed = {0};
    struct id id, hash;
    letter_id(&id, c->network, letter);
    letter_signed_hash(&hash, c->network, &id, prekey, where);
    int err = keys_sign(c->keys, c, &m->from, USE_DUTY, &hash, &inner.sig, NULL);
    if (err)
        return err;
    mail_inner_encode(&plain, &inner);
    err = seal(&sealed, prekey, SPAN_OF(m->to), buf_view(&plain), c->rng);
    if (!err)
        mail_envelope_encode(
            out, &(struct mail_envelope){.to = m->to, .prekey = *prekey, .sealed = buf_view(&sealed)});
    buf_wipe(&plain);
    buf_free(&sealed);
    return err;
}

int letter_open(struct opened *out, struct buf *plain, const struct network *net,
                const struct mail_envelope *e, const uint8_t sk[static 32], struct arena *a)
{
    struct mail_inner inner;
    struct id hash;
    int err = seal_open(plain, sk, SPAN_OF(e->to), e->sealed);
    if (!err)
        err = mail_inner_decode(&inner, buf_view(plain), a, NULL);
    if (!err)
        err = mail_letter_decode(&out->letter, inner.letter, a, NULL);
    if (err)
        return err;
    out->bytes = inner.letter;
    out->where = inner.has_where ? inner.where : span(NULL, 0);
    out->sig = inner.sig;
    out->prekey = e->prekey;
    letter_id(&out->id, net, inner.letter);
    letter_signed_hash(&hash, net, &out->id, &e->prekey, out->where);
    /* A letter to somebody else, sealed again by whoever could read it, is not a letter to us. */
    if (!identity_eq(&out->letter.to, &e->to))
        return SOUK_ESIGNATURE;
    return sign_check(out->letter.from.b, &hash, &inner.sig) ? 0 : SOUK_ESIGNATURE;
}

bool letter_where_valid(struct mail_where *out, struct span where, struct arena *a)
{
    return where.n > 0 && mail_where_decode(out, where, a, NULL) == 0;
}
