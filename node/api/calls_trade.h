/* calls_trade.h: the handlers of trades, which lie in two files, for their one table. */
#ifndef SOUK_CALLS_TRADE_H
#define SOUK_CALLS_TRADE_H
#include "node/api/call.h"
#include "node/trade/trade.h"

call_handler do_trade_list, do_trade_show, do_cases;
#endif
