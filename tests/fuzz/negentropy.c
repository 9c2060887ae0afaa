/* Any bytes as a message to either side of a reconciliation: refused, or answered within the frame; and an
 * answer is itself a message that the other side takes. */
#include "node/gossip/negset.h"

enum { ITEMS = 300 };

static struct negset *make_set(uint64_t seed)
{
    struct rng r;
    struct negset *s = negset_new();
    rng_seed_u64(&r, 1);
    for (int i = 0; i < ITEMS; i++) {
        struct id id;
        uint64_t created = rng_below(&r, 100); /* small times, so that the fuzzer finds them */
        rng_bytes(&r, id.b, sizeof id.b);
        if (i % 10 != (int)seed)
            negset_add(s, created, &id);
    }
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct negset *set[2];
    if (!set[0]) {
        set[0] = make_set(3);
        set[1] = make_set(7);
    }
    for (int round = 0; round < 6; round++) {
        int initiator = round % 2;
        struct neg side[2];
        struct buf answer = {0}, next = {0};
        for (int i = 0; i < 2; i++) {
            struct neg_set view = negset_view(set[i]);
            neg_init(&side[i], &view, NEG_FRAME_LEAST);
            side[i].initiator = i == initiator;
        }
        if (round >= 2) /* with a horizon: at an id, or behind them all */
            side[0].since = (struct neg_bound){.created = round < 4 ? 50 : 200, .id = {{128}}, .n = 32};
        if (neg_reconcile(&side[0], span(data, size), &answer) == 0) {
            MUST(answer.n && answer.n <= NEG_FRAME_LEAST);
            MUST(side[0].have_n <= ITEMS && side[0].need_n <= size / 32);
            MUST(neg_reconcile(&side[1], buf_view(&answer), &next) == 0);
        } else
            MUST(answer.n <= 1);
        buf_free(&answer);
        buf_free(&next);
        neg_free(&side[0]);
        neg_free(&side[1]);
    }
    return 0;
}
