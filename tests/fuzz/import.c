/* Files of listings from anywhere: the first byte says CSV or JSON.  Good rows are listings whose bytes
 * read back. */
#include "node/market/import.h"
#include "crypto/base/arena.h"

static void row_reads_back(const struct import_row *row)
{
    struct buf body = {0};
    struct arena a;
    struct record_listing m;
    struct report r = {0};
    arena_init(&a, 1 << 20);
    record_listing_encode(&body, &row->listing);
    MUST(record_listing_decode(&m, buf_view(&body), &a, &r) == 0);
    arena_free(&a);
    buf_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct identity issuer = {{1}}, arbiter = {{2}};
    struct import im;
    struct import_options o = {
        .issuer = &issuer, .issuer_decimals = 2, .arbiters = &arbiter, .arbiters_n = 1};
    if (size == 0)
        return 0;
    import_init(&im);
    (data[0] & 1 ? import_csv : import_json)(&im, span(data + 1, size - 1), &o);
    for (size_t i = 0; i < im.rows_n; i++)
        row_reads_back(&im.rows[i]);
    for (size_t i = 0; i < im.faults_n; i++)
        MUST(im.faults[i].field && im.faults[i].text && strlen(im.faults[i].field) <= 60 &&
             strlen(im.faults[i].text) <= 400 && utf8_ok(span_str(im.faults[i].text), false));
    import_free(&im);
    return 0;
}
