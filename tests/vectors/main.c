/* vectors KIND FILE: prints "N passed, N failed"; exit 0 when all passed and there was at least one, 1 when
 * not, 2 on wrong usage or a file that cannot be read.
 * vectors make KIND: prints one of souk's own files, spec/vectors/KIND.json. */
#include "tests/vectors/own.h"
#include <sodium.h>
#include <stdio.h>

static const struct {
    const char *name;
    vec_kind *run;
    own_make *make;
} kinds[] = {
    {"noise", vec_noise, NULL},                /* Noise XX handshakes and transport, cacophony's layout */
    {"ed25519", vec_ed25519, NULL},            /* Wycheproof, eddsa_verify_schema */
    {"x25519", vec_x25519, NULL},              /* Wycheproof, xdh_comp_schema */
    {"merkle", vec_merkle, NULL},              /* roots and proofs of RFC 6962 trees */
    {"negentropy", vec_negentropy, NULL},      /* transcripts of Negentropy V1 */
    {"horizon", vec_negentropy, make_horizon}, /* the same with horizons */
    {"msgpack", vec_msgpack, NULL},            /* kawanet's msgpack-test-suite */
    /* souk's own, of the chapters of spec/ */
    {"crypto", vec_crypto, NULL}, /* made by a second implementation */
    {"records", vec_records, make_records},
    {"letters", vec_letters, make_letters},
    {"ledger", vec_ledger, make_ledger},
    {"dht", vec_dht, make_dht},
    {"session", vec_session, make_session},
    {"gossip", vec_gossip, make_gossip},
    {"trade", vec_trade, make_trade},
};

static int usage(void)
{
    fputs("usage: vectors KIND FILE, KIND being one of", stderr);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        fprintf(stderr, " %s", kinds[i].name);
    fputs("\n       vectors make KIND, KIND being one of", stderr);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].make)
            fprintf(stderr, " %s", kinds[i].name);
    fputc('\n', stderr);
    return 2;
}

static int make(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct buf out = {0};
        if (strcmp(kind, kinds[i].name) != 0 || !kinds[i].make)
            continue;
        kinds[i].make(&out);
        bool good = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
        buf_free(&out);
        return good ? 0 : 1;
    }
    return usage();
}

static bool file_read(struct buf *out, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    char block[65536];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        buf_append(out, block, n);
    bool good = !ferror(f);
    fclose(f);
    return good;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return usage();
    MUST(sodium_init() >= 0);
    if (strcmp(argv[1], "make") == 0)
        return make(argv[2]);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) != 0)
            continue;
        struct buf json = {0};
        struct vec_result result = {0, 0};
        if (!file_read(&json, argv[2])) {
            perror(argv[2]);
            buf_free(&json);
            return 2;
        }
        int err = kinds[i].run(buf_view(&json), &result);
        buf_free(&json);
        if (err) {
            fprintf(stderr, "%s: not a file of %s vectors: %s\n", argv[2], argv[1], err_sentence(err));
            result.failed++;
        } else if (result.passed + result.failed == 0) {
            fprintf(stderr, "%s: there is nothing to try in it\n", argv[2]);
            result.failed++;
        }
        printf("%u passed, %u failed\n", result.passed, result.failed);
        return result.failed ? 1 : 0;
    }
    return usage();
}
