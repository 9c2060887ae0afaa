/* stub.h: the stub of a trade (spec/record.schema), which a stranger may check: who dealt with whom, about
 * which listing, on which day, over which rail.
 *
 * Buyer and seller sign stub_hash when they agree, the arbiter when it enrols; a lock commits to it.  On
 * the direct rail, where no lock shows that anything was paid, buyer and seller each sign once more: that
 * it was paid, and that it came. */
#ifndef SOUK_STUB_H
#define SOUK_STUB_H
#include "crypto/base/host.h"
#include "record.gen.h"

/* hash_souk over the stub's canonical bytes, with the uses "souk:stub", "souk:paid" and "souk:received". */
void stub_hash(struct id *out, const struct network *net, const struct record_stub *stub);
void stub_paid_hash(struct id *out, const struct network *net, const struct record_stub *stub);
void stub_received_hash(struct id *out, const struct network *net, const struct record_stub *stub);

/* Do parties and signatures make sense, all but the funding?  SOUK_EINVALID: parties that cannot be;
 * SOUK_EMISSING: a signature that the rail asks for; SOUK_ESIGNATURE.  2 to 5 signature checks. */
int stub_proof_check(const struct network *net, const struct record_stub_proof *proof, struct report *r);
#endif
