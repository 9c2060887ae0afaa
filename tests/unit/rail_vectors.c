// links: rail
/* spec/vectors/ledger.json is what this program makes of fixed keys: commitments, ids, a payout, a leaf, a
 * head.  `unit_rail_vectors print` writes it. */
#include "rail_world.h"
#include <stdio.h>
#include <stdlib.h>

static void hex_line(struct buf *b, const char *name, const void *p, size_t n, const char *end)
{
    char *hex = malloc(2 * n + 1);
    buf_printf(b, "    \"%s\": \"%s\"%s\n", name, hex_encode(hex, p, n), end);
    free(hex);
}

static void seeded(struct keypair *k, uint8_t n)
{
    uint8_t seed[32];
    memset(seed, n, sizeof seed);
    sign_keypair_from_seed(k, seed);
}

static void note_vector(struct buf *b, struct world *w)
{
    struct trade_key key = key_of(&w->member);
    struct identity issuer = who(&w->issuer);
    struct ledger_branch branch;
    struct ledger_note n = {.minor = 1250};
    struct ledger_made made;
    struct id id;
    struct buf lock = {0}, note = {0};
    lock_simple(&n.lock, &branch, &key);
    memset(&n.value_salt, 0xa1, sizeof n.value_salt);
    memset(&n.stub_salt, 0xa2, sizeof n.stub_salt);
    ledger_lock_encode(&lock, &n.lock);
    ledger_note_encode(&note, &n);
    note_made(&made, &w->net, &n);
    note_id(&id, &w->net, &issuer, &made);
    buf_printf(b, "  {\"shows\": \"a note of one key: its bytes, commitments and id\",\n");
    hex_line(b, "issuer", issuer.b, 32, ",");
    hex_line(b, "lock", lock.p, lock.n, ",");
    hex_line(b, "note", note.p, note.n, ",");
    hex_line(b, "value_commitment", made.value.b, 32, ",");
    hex_line(b, "stub_commitment", made.stub.b, 32, ",");
    hex_line(b, "note_id", id.b, 32, "");
    buf_printf(b, "  },\n");
    buf_free(&lock);
    buf_free(&note);
}

static void payout_vector(struct buf *b, struct world *w)
{
    struct rail_split s = {{300, 650, 50, 0}};
    struct buf escrow = {0}, body = {0}, whole = {0}, entry = {0};
    struct id lock_id, note, id, leaf;
    struct sig sb, ss;
    struct transfer t;
    rail_lock_encode(&escrow, &w->lock);
    rail_lock_id(&lock_id, &w->net, &w->lock);
    rail_lock_note(&note, &w->net, &w->lock);
    assert_int_equal(rail_payout_make(&body, &w->net, &w->lock, &s, NULL), 0);
    assert_int_equal(rail_payout_id(&id, &w->net, &w->lock, &s, NULL), 0);
    assert_int_equal(rail_payout_sign(w->party[0].sk, &w->net, &w->lock, &s, &sb, NULL), 0);
    assert_int_equal(rail_payout_sign(w->party[1].sk, &w->net, &w->lock, &s, &ss, NULL), 0);
    assert_int_equal(
        rail_payout_combine(&whole, &w->net, &w->lock, &s, RAIL_SELLER, &ss, RAIL_BUYER, &sb, NULL), 0);
    assert_int_equal(transfer_parse(&t, &w->net, buf_view(&whole), &w->arena, NULL), 0);
    transfer_entry(&entry, &t, NOON);
    merkle_leaf(&leaf, buf_view(&entry));
    buf_printf(b, "  {\"shows\": \"a trade's lock, a payout of it by buyer and seller (300, 650, 50), its "
                  "leaf at 1800000000000\",\n");
    hex_line(b, "escrow", escrow.p, escrow.n, ",");
    hex_line(b, "lock_id", lock_id.b, 32, ",");
    hex_line(b, "note_id", note.b, 32, ",");
    hex_line(b, "body", body.p, body.n, ",");
    hex_line(b, "transfer_id", id.b, 32, ",");
    hex_line(b, "transfer", whole.p, whole.n, ",");
    hex_line(b, "entry", entry.p, entry.n, ",");
    hex_line(b, "leaf", leaf.b, 32, "");
    buf_printf(b, "  },\n");
    buf_free(&escrow);
    buf_free(&body);
    buf_free(&whole);
    buf_free(&entry);
}

static void head_vector(struct buf *b, struct world *w)
{
    struct identity issuer = who(&w->issuer);
    struct id leaf, hash;
    struct ledger_tree_head h = {.size = 1, .time = NOON};
    struct buf bytes = {0};
    merkle_leaf(&leaf, span_str("leaf"));
    h.root = leaf;
    head_hash(&hash, &w->net, &issuer, h.size, &h.root, h.time);
    sign_hash(&h.sig, w->issuer.sk, &hash);
    ledger_tree_head_encode(&bytes, &h);
    buf_printf(b, "  {\"shows\": \"a head of one leaf whose entry is the bytes of the word leaf\",\n");
    hex_line(b, "issuer", issuer.b, 32, ",");
    hex_line(b, "root", h.root.b, 32, ",");
    hex_line(b, "hash", hash.b, 32, ",");
    hex_line(b, "head", bytes.p, bytes.n, "");
    buf_printf(b, "  }\n");
    buf_free(&bytes);
}

static void make(struct buf *b)
{
    struct world w;
    world_init(&w);
    seeded(&w.issuer, 1);
    seeded(&w.member, 2);
    w.lock.issuer = who(&w.issuer);
    memcpy(&w.lock.amount.currency, &w.lock.issuer, 32);
    for (size_t i = 0; i < RAIL_PARTIES; i++) {
        seeded(&w.party[i], (uint8_t)(16 + i));
        seeded(&w.payout[i], (uint8_t)(32 + i));
        w.lock.key[i] = key_of(&w.party[i]);
        w.lock.payout[i] = key_of(&w.payout[i]);
    }
    buf_printf(b, "{\"network\": {\"name\": \"rail\", \"work_bits\": 0, \"puzzle_bits\": 0},\n"
                  " \"seeds\": \"32 times one byte: issuer 01, member 02, trade keys of buyer, seller, "
                  "arbiter, substitute 10 to 13, their payout keys 20 to 23\",\n \"vectors\": [\n");
    note_vector(b, &w);
    payout_vector(b, &w);
    head_vector(b, &w);
    buf_printf(b, "]}\n");
    world_free(&w);
}

static void the_published_vectors_are_what_this_code_computes(void **state)
{
    (void)state;
    struct buf b = {0}, file = {0};
    FILE *f = fopen(SOUK_SOURCE_DIR "/spec/vectors/ledger.json", "rb");
    assert_non_null(f);
    uint8_t some[4096];
    for (size_t n; (n = fread(some, 1, sizeof some, f)) > 0;)
        buf_append(&file, some, n);
    fclose(f);
    make(&b);
    assert_true(span_eq(buf_view(&b), buf_view(&file)));
    buf_free(&b);
    buf_free(&file);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "print") == 0) {
        struct buf b = {0};
        make(&b);
        fwrite(b.p, 1, b.n, stdout);
        buf_free(&b);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_are_what_this_code_computes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
