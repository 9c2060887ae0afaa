/* Pictures from anywhere: cleaning never reads outside, and what it gives is clean. */
#include "node/market/photo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = {0};
    struct photo_facts f, again;
    struct report r = {0};
    if (photo_strip(&out, span(data, size), &f, &r) == 0) {
        MUST(out.n <= size);
        MUST(photo_clean(buf_view(&out), &r) == 0);
        MUST(photo_strip(NULL, buf_view(&out), &again, &r) == 0);
        MUST(again.width == f.width && again.height == f.height && again.stripped_bytes == 0);
    }
    buf_free(&out);
    return 0;
}
