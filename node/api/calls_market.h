/* calls_market.h: the market's handlers, which lie in several files, for their one table. */
#ifndef SOUK_CALLS_MARKET_H
#define SOUK_CALLS_MARKET_H
#include "node/api/call.h"
#include "node/market/market.h"

call_handler do_listing_publish, do_listing_show, do_listing_mine, do_listing_renew, do_listing_withdraw;
call_handler do_listing_import, do_import_state;
call_handler do_photo_add, do_photo_get;
call_handler do_category_list, do_search;

/* A row of a list; texts in the arena or borrowed from the listing. */
int listing_row(struct core *c, const struct market_listing *l, struct arena *a,
                struct api_listing_row *out);
/* A picture that photo.add took in, by its root. */
int photo_known(struct core *c, const struct id *root, struct arena *a, struct record_photo *out,
                struct report *r);
bool photo_whole(struct core *c, const struct id *root, uint64_t *bytes);
#endif
