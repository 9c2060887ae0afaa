/* facts.c: see facts.h. */
#include "node/trade/facts.h"

#include "crypto/hash.h"
#include "crypto/sign.h"

#define DAY_MS INT64_C(86400000)

static int terms_read(struct fact_view *f, const struct network *net, struct span terms,
                      struct arena *arena, struct report *r)
{
    fact_terms_hash(&f->terms_hash, net, terms);
    return fact_terms_decode(&f->terms, terms, arena, r);
}

static int body_read(struct fact_view *f, const struct network *net, struct arena *arena, struct report *r)
{
    struct span in = f->e.body;
    int err;
    switch (f->e.kind) {
    case FACT_OFFER:
        err = fact_offer_decode(&f->body.offer, in, arena, r);
        return err ? err : terms_read(f, net, f->body.offer.terms, arena, r);
    case FACT_COUNTER:
        err = fact_counter_decode(&f->body.counter, in, arena, r);
        return err ? err : terms_read(f, net, f->body.counter.terms, arena, r);
    case FACT_ACCEPT:
        return fact_accept_decode(&f->body.accept, in, arena, r);
    case FACT_DECLINE:
        return fact_decline_decode(&f->body.decline, in, arena, r);
    case FACT_WITHDRAW:
        return fact_withdraw_decode(&f->body.withdraw, in, arena, r);
    case FACT_ENROL:
        return fact_enrol_decode(&f->body.enrol, in, arena, r);
    case FACT_REFUSE:
        return fact_refuse_decode(&f->body.refuse, in, arena, r);
    case FACT_READY:
        return fact_ready_decode(&f->body.ready, in, arena, r);
    case FACT_FUNDED:
        return fact_funded_decode(&f->body.funded, in, arena, r);
    case FACT_OPENED:
        return fact_opened_decode(&f->body.opened, in, arena, r);
    case FACT_PAID:
        return fact_paid_decode(&f->body.paid, in, arena, r);
    case FACT_RECEIVED:
        return fact_received_decode(&f->body.received, in, arena, r);
    case FACT_SHIPPED:
        return fact_shipped_decode(&f->body.shipped, in, arena, r);
    case FACT_REQUEST:
        return fact_request_decode(&f->body.request, in, arena, r);
    case FACT_PAYOUT:
        return fact_payout_decode(&f->body.payout, in, arena, r);
    case FACT_DISPUTE:
        return fact_dispute_decode(&f->body.dispute, in, arena, r);
    case FACT_CASE:
        return fact_case_decode(&f->body.taken, in, arena, r);
    case FACT_EVIDENCE:
        return fact_evidence_decode(&f->body.evidence, in, arena, r);
    case FACT_NOTE:
        return fact_note_decode(&f->body.note, in, arena, r);
    case FACT_RULING:
        return fact_ruling_decode(&f->body.ruling, in, arena, r);
    case FACT_SETTLED:
        return fact_settled_decode(&f->body.settled, in, arena, r);
    case FACT_RESUMED:
        return fact_resumed_decode(&f->body.resumed, in, arena, r);
    default:
        return report_set(r, SOUK_EUNKNOWN_CRITICAL,
                          "a fact of kind %u is not understood; a newer souk may know it",
                          (unsigned)f->e.kind);
    }
}

int fact_parse(struct fact_view *out, const struct network *net, struct span bytes, struct arena *arena,
               struct report *r)
{
    if (bytes.n > FACT_BYTES_MOST)
        return report_set(r, SOUK_ERANGE, "a fact has at most %d bytes", FACT_BYTES_MOST);
    struct fact_signed outer;
    struct fact_view f;
    memset(&f, 0, sizeof f);
    int err = fact_signed_decode(&outer, bytes, arena, r);
    if (err)
        return err;
    f.bytes = bytes;
    f.signed_bytes = outer.envelope;
    f.sig = outer.sig;
    err = fact_envelope_decode(&f.e, outer.envelope, arena, r);
    if (err)
        return err;
    if (f.e.has_prev == (f.e.seq == 1))
        return report_set(r, SOUK_EFORM, "an author's first fact has no predecessor, every other has one");
    for (size_t i = 0; i < f.e.seen_n; i++) {
        if (identity_eq(&f.e.seen[i].author, &f.e.author) ||
            (i > 0 && memcmp(&f.e.seen[i - 1].author, &f.e.seen[i].author, 32) >= 0))
            return report_set(r, SOUK_EFORM, "`seen` lists other authors, each once, in rising order");
    }
    err = body_read(&f, net, arena, r);
    if (err)
        return err;
    hash_souk_one(&f.id, net, "souk:fact", f.signed_bytes);
    *out = f;
    return 0;
}

bool fact_verify(const struct fact_view *fact)
{
    return sign_check(fact->e.author.b, &fact->id, &fact->sig);
}

void fact_job(struct job *job, const struct fact_view *fact)
{
    memset(job, 0, sizeof *job);
    job->class = JOB_VERIFY;
    memcpy(job->key, fact->e.author.b, sizeof job->key);
    memcpy(job->msg, fact->id.b, sizeof job->msg);
    memcpy(job->sig, fact->sig.b, sizeof job->sig);
}

int fact_prepare(struct buf *envelope, struct id *id, const struct network *net,
                 const struct fact_envelope *e, struct report *r)
{
    struct fact_envelope full = *e;
    if (full.version == 0)
        full.version = FACT_VERSION;
    if (full.body.n > 12288)
        return report_set(r, SOUK_ERANGE, "the fact is too large: at most 12288 bytes");
    size_t at = envelope->n;
    fact_envelope_encode(envelope, &full);
    hash_souk_one(id, net, "souk:fact", span(envelope->p + at, envelope->n - at));
    return 0;
}

void fact_seal(struct buf *out, struct span envelope, const struct sig *sig)
{
    struct fact_signed whole = {.envelope = envelope, .sig = *sig};
    fact_signed_encode(out, &whole);
}

int fact_make(struct buf *out, struct id *id, const struct network *net, const struct fact_envelope *e,
              const uint8_t sk[static 64], struct report *r)
{
    struct buf envelope = {0};
    int err = fact_prepare(&envelope, id, net, e, r);
    if (err == 0) {
        struct sig sig;
        sign_hash(&sig, sk, id);
        fact_seal(out, buf_view(&envelope), &sig);
    }
    buf_free(&envelope);
    return err;
}

void fact_trade_id(struct id *out, const struct network *net, const struct identity *buyer,
                   const struct identity *seller, const struct salt *nonce)
{
    struct span parts[] = {SPAN_OF(*buyer), SPAN_OF(*seller), SPAN_OF(*nonce)};
    hash_souk(out, net, "souk:trade", parts, 3);
}

void fact_terms_hash(struct id *out, const struct network *net, struct span terms)
{
    hash_souk_one(out, net, "souk:terms", terms);
}

void fact_contract_hash(struct id *out, const struct network *net, const struct id *proposal,
                        const struct id *accept)
{
    struct span parts[] = {SPAN_OF(*proposal), SPAN_OF(*accept)};
    hash_souk(out, net, "souk:contract", parts, 2);
}

void fact_stub(struct record_stub *out, const struct network *net, const struct fact_terms *terms)
{
    memset(out, 0, sizeof *out);
    fact_trade_id(&out->trade, net, &terms->buyer, &terms->seller, &terms->nonce);
    out->buyer = terms->buyer;
    out->seller = terms->seller;
    out->has_arbiter = terms->has_arbiter;
    out->arbiter = terms->arbiter;
    out->listing = terms->listing;
    out->date = terms->fund_by - terms->fund_by % DAY_MS;
    out->rail = terms->rail;
    out->has_issuer = terms->has_issuer;
    out->issuer = terms->issuer;
}

void fact_possession_hash(struct id *out, const struct network *net, const struct trade_key *key,
                          const struct id *trade, const struct identity *owner)
{
    struct span parts[] = {SPAN_OF(*key), SPAN_OF(*trade), SPAN_OF(*owner)};
    hash_souk(out, net, "souk:possession", parts, 3);
}

int fact_order(const struct fact_view *a, const struct fact_view *b)
{
    if (a->e.epoch != b->e.epoch)
        return a->e.epoch < b->e.epoch ? -1 : 1;
    if (a->e.seq != b->e.seq)
        return a->e.seq < b->e.seq ? -1 : 1;
    return memcmp(&a->id, &b->id, sizeof a->id);
}
