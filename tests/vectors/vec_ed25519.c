#include "crypto/sign.h"
#include "crypto/wire/json.h"
#include "tests/vectors/vectors.h"

static struct span group_key(struct span group)
{
    struct span key = vec_field(group, "publicKey");
    if (!key.n)
        key = vec_field(group, "key"); /* older files */
    return vec_field(key, "pk");
}

static void test_try(struct span key, struct span test, struct vec_result *result)
{
    uint8_t pk[32];
    struct buf message = {0}, sig = {0};
    bool readable = vec_hex(vec_field(test, "msg"), &message) && vec_hex(vec_field(test, "sig"), &sig);
    bool taken = readable && vec_hex_fixed(key, pk, sizeof pk) &&
                 sign_check_raw(pk, buf_view(&message), buf_view(&sig));
    struct span want = vec_field(test, "result");
    bool good = vec_text_is(want, "acceptable") || taken == vec_text_is(want, "valid");
    vec_count(result, readable && good, "test %lld: %s", (long long)vec_number(vec_field(test, "tcId"), -1),
              taken ? "taken" : "refused");
    buf_free(&message);
    buf_free(&sig);
}

int vec_ed25519(struct span json, struct vec_result *result)
{
    struct buf wire = {0};
    int err = json_to_wire(&wire, json, NULL);
    if (err)
        return err;
    struct span groups = vec_field(buf_view(&wire), "testGroups");
    for (size_t g = 0; g < vec_length(groups); g++) {
        struct span group = vec_item(groups, g), tests = vec_field(group, "tests");
        for (size_t i = 0; i < vec_length(tests); i++)
            test_try(group_key(group), vec_item(tests, i), result);
    }
    buf_free(&wire);
    return 0;
}
