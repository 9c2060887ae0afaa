/* calls_trade.h: the handlers of trades, which lie in three files, for their one table. */
#ifndef SOUK_CALLS_TRADE_H
#define SOUK_CALLS_TRADE_H
#include "node/api/call.h"
#include "node/trade/trade.h"

call_handler do_trade_list, do_trade_show, do_cases, do_case;
/* A trade as a row of a list, in the arena. */
void trade_row_of(struct core *c, const struct trade_view *v, struct arena *a, struct api_trade_row *out);
#endif
