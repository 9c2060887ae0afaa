/* The developer's socket under hostile bytes: a real node, with its store, and two clients: one that sends
 * the input, cut as the input says, and one that must always be answered. */
#include "crypto/sign.h"
#include "crypto/wire/pack.h"
#include "node/node.h"
#include "store/store.h"
#include <sodium.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *store;
static struct view *view;
static struct node *node;
static struct rng rng;
static struct clock now = {1000, INT64_C(1790000000000)};
static size_t written[3]; /* by client; 0 is nobody */
static conn_id last = 2;

static void input(const struct event *ev)
{
    struct effects fx = {0};
    view_renew(view);
    node_input(node, now, view, ev, &fx);
    for (size_t i = 0; i < fx.n; i++) {
        const struct effect *e = &fx.v[i];
        if (e->kind == FX_WRITE)
            written[e->conn == 2 ? 1 : e->conn == last ? 2 : 0] += e->len;
        else if (e->kind == FX_WORK)
            free(e->job); /* the workers never come to it */
        else if (e->kind == FX_COMMIT) {
            struct change *ch = e->change;
            store_apply(store, &ch, 1);
            input(&(struct event){.kind = EV_COMMITTED, .changes = &ch, .n = 1});
        }
    }
    effects_free(&fx);
}

static void begin(void)
{
    char dir[] = "/dev/shm/souk-fuzz-XXXXXX";
    struct report r = {0};
    struct keypair pair;
    uint8_t seed[32] = {7};
    struct node_config nc = {.cheap_kdf = true};
    MUST(sodium_init() >= 0 && mkdtemp(dir) != NULL);
    rng_seed_u64(&rng, 1);
    MUST(network_make(&nc.network, "fuzz", 0, 0, true) == 0);
    MUST(addr_parse(&nc.listen[0], "127.0.0.1:7411", 14));
    nc.listen_n = 1;
    sign_keypair_from_seed(&pair, seed);
    nc.node_sk = pair.sk;
    struct store_config sc = {.map_bytes = 256 << 20, .network = nc.network.id, .rng = &rng};
    MUST(store_open(&store, dir, &sc, &r) == 0);
    view = view_open(store);
    node = node_new(&nc, &rng);
    input(&(struct event){.kind = EV_BOOT});
    input(&(struct event){.kind = EV_ACCEPTED, .conn = 2, .listener = LISTEN_API});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b = {0};
    if (!node)
        begin();
    if (!size)
        return 0;
    last += 2;
    written[1] = written[2] = 0;
    input(&(struct event){
        .kind = EV_ACCEPTED, .conn = last, .listener = data[0] & 1 ? LISTEN_API_RO : LISTEN_API});
    size_t cut = 1 + (data[0] >> 1);
    for (size_t at = 1; at < size; at += cut)
        input(&(struct event){
            .kind = EV_BYTES, .conn = last, .bytes = span(data + at, size - at < cut ? size - at : cut)});
    /* A byte may be a request, and a wake answers some of them: then there must be peace. */
    for (size_t i = 0; i < 50 + size && node_next_wake(node) <= now.mono_ms; i++)
        input(&(struct event){.kind = EV_WAKE});
    MUST(node_next_wake(node) > now.mono_ms);
    pack_array(&b, 4);
    pack_uint(&b, 0);
    pack_uint(&b, 1);
    pack_cstr(&b, "id.list");
    pack_map(&b, 0);
    input(&(struct event){.kind = EV_BYTES, .conn = 2, .bytes = buf_view(&b)});
    MUST(written[1] > 0 && written[2] <= 16 << 20);
    input(&(struct event){.kind = EV_DRAINED, .conn = 2});
    input(&(struct event){.kind = EV_CLOSED, .conn = last});
    now.mono_ms += 10;
    buf_free(&b);
    return 0;
}
