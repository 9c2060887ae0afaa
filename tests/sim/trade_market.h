/* trade_market.h: five nodes that trade, driven through the socket's methods (trade.c, trade_crash.c). */
#ifndef SOUK_TRADE_MARKET_H
#define SOUK_TRADE_MARKET_H
#include "api.gen.h"
#include "tests/sim/scenario.h"

enum { SELLER, BUYER, ARBITER, ISSUER, BYSTANDER, PEOPLE };
struct bazaar {
    struct world *w;
    struct arena a;
    struct buf params;
    struct span result;
    struct identity who[PEOPLE];
    struct id listing, trade;
    bool quiet; /* refusals are expected */
};

bool bazaar_open(struct bazaar *b, uint64_t seed);
void bazaar_close(struct bazaar *b);
/* Calls a method; false on a refusal, which is printed. */
bool bazaar_call(struct bazaar *b, size_t node, const char *method);
#define ASK(b, node, dotted, name, out, ...)                                               \
    (buf_clear(&(b)->params), arena_reset(&(b)->a),                                        \
     api_##name##_params_encode(&(b)->params, &(struct api_##name##_params){__VA_ARGS__}), \
     bazaar_call((b), (node), dotted) &&                                                   \
         api_##name##_result_decode((out), (b)->result, &(b)->a, NULL) == 0)

/* Everybody has an identity; the issuer issues, the buyer has 100,000 of it; the arbiter consents by rule;
 * the seller has a bicycle for 25,000 (the listing's `instant` as given). */
bool bazaar_prepare(struct bazaar *b, bool instant);
bool bazaar_offer(struct bazaar *b, int64_t price, uint64_t hour_ms);
/* The trade as a node shows it; false when it does not know it. */
bool bazaar_show(struct bazaar *b, size_t node, struct api_trade_show_result *out);
/* Waits until a node says that the trade is in this phase. */
bool bazaar_phase(struct bazaar *b, size_t node, const char *phase, uint64_t ms);
bool bazaar_may(struct bazaar *b, size_t node, const char *move);
bool bazaar_wait_may(struct bazaar *b, size_t node, const char *move, uint64_t ms);
int64_t bazaar_credit(struct bazaar *b, size_t node);
void bazaar_print(struct bazaar *b, size_t node);
#endif
