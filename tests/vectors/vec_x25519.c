/* vec_x25519.c: a secret of zeros must be refused whatever the file says of it, since souk never goes on
 * with one; other "acceptable" cases may be refused or computed, but not computed otherwise. */
#include "crypto/wire/json.h"
#include "crypto/xkey.h"
#include "tests/vectors/vectors.h"

static bool test_try(struct span test)
{
    struct xkey pk;
    uint8_t sk[32], shared[32], want[32];
    bool valid = vec_text_is(vec_field(test, "result"), "valid");
    bool acceptable = vec_text_is(vec_field(test, "result"), "acceptable");
    struct span shared_field = vec_field(test, "shared");
    if (!vec_hex_fixed(vec_field(test, "public"), pk.b, sizeof pk.b) ||
        !vec_hex_fixed(vec_field(test, "private"), sk, sizeof sk))
        return !valid; /* not a key of this curve: refused before any arithmetic */
    bool refused = x25519(shared, sk, &pk) != 0;
    if (!valid && !acceptable)
        return refused;
    if (!vec_hex_fixed(shared_field, want, sizeof want))
        return !valid && refused;
    if (is_zero(want, sizeof want))
        return refused;
    if (refused)
        return acceptable;
    return memcmp(shared, want, sizeof want) == 0;
}

int vec_x25519(struct span json, struct vec_result *result)
{
    struct buf wire = {0};
    int err = json_to_wire(&wire, json, NULL);
    if (err)
        return err;
    struct span groups = vec_field(buf_view(&wire), "testGroups");
    for (size_t g = 0; g < vec_length(groups); g++) {
        struct span group = vec_item(groups, g), tests = vec_field(group, "tests");
        struct span curve = vec_field(group, "curve");
        if (curve.n && !vec_text_is(curve, "curve25519"))
            continue;
        for (size_t i = 0; i < vec_length(tests); i++) {
            struct span test = vec_item(tests, i);
            vec_count(result, test_try(test), "test %lld",
                      (long long)vec_number(vec_field(test, "tcId"), -1));
        }
    }
    buf_free(&wire);
    return 0;
}
