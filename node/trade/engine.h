/* engine.h: what the files of the trade engine share; nobody else includes it. */
#ifndef SOUK_TRADE_ENGINE_H
#define SOUK_TRADE_ENGINE_H
#include "crypto/base/heap.h"
#include "crypto/base/map.h"
#include "node/trade/trade.h"

enum {
    FLIGHT_MOST = 256,      /* trades with a fact of ours on its way to the disk */
    CHECKED_MOST = 1 << 16, /* signatures remembered as good */
    VIEW_BYTES = 24 << 20,  /* arena of one look at a trade */
    PENDING_MS = 10000,     /* a change that nobody committed by then is forgotten */
    AGAIN_MS = 5000,        /* a duty that could not be done is tried again */
    RESUBMIT_MS = 30000,    /* what the rail refused is submitted again */
    LOOK_MOST_MS = 600000,  /* the time of day may be set: deadlines are looked at this often */
    WAKES_A_TURN = 16,
    LOST_MOST = 1024, /* unknown trades that are asked for, a run */
    ANSWER_MS = 1000  /* somebody's recall of one trade is answered this often at most */
};

struct entry {
    struct heap_entry due; /* first: entries are found by it */
    struct id trade;
    bool pending, working; /* a fact on its way to the disk; a change of ours without one */
    struct id fact;
    uint64_t since_ms;
    bool sold_out; /* the stock refused: to be told */
    /* What went to the rail last: which kind of payout of which lock, and when. */
    unsigned submitted_kind;
    struct id submitted_lock;
    uint64_t submitted_ms;
    uint64_t answered_ms; /* a recall */
};
struct trades {
    const struct network *network;
    struct rng *rng;
    struct map entries; /* trade → struct entry */
    struct heap due;
    struct map checked; /* hash of key, hash, signature → itself: good ones */
    struct entry *flight[FLIGHT_MOST];
    size_t flight_n;
    /* After a restore: trades that are not known here and were asked for. */
    int64_t restored; /* when, unix ms; 0: never */
    bool freezing;    /* what freezes the trades is not on disk yet */
    struct map lost;
};

/* trades.c */
struct entry *entry_of(struct trades *t, const struct id *trade); /* made when absent; NULL: too many */
void entry_soon(struct trades *t, struct core *c, struct entry *e);
void entry_pending(struct trades *t, struct core *c, struct entry *e, const struct id *fact);

/* load.c */
enum trade_row {
    ROW_CHAIN = 'c',
    ROW_KEPT = 'k',
    ROW_ARRIVED = 'a',
    ROW_LETTER = 'l',
    ROW_RECALL = 'r',
    ROW_ASKED = 'q'
};
struct span trade_row_key(uint8_t key[static 65], enum trade_row row, const struct id *a,
                          const struct identity *b /* or NULL */);
/* The signature of a role over a split of the present lock. */
bool view_payout_sig(const struct trade_view *v, const struct network *net, const struct trade_lock *lock,
                     enum trade_role by, const struct fact_split *split, struct sig *out);
/* The same of the move to the next lock. */
bool view_move_sig(const struct trade_view *v, const struct network *net, enum trade_role by,
                   struct sig *out);
uint64_t view_generation(const struct trade_view *v); /* of the present lock: 0 the first */
const struct fact_view *view_newest(const struct trade_view *v, const struct identity *author);
bool view_holds(const struct trade_view *v, const struct id *fact);
bool view_names(const struct trade_view *v, const struct identity *who); /* letter.c: has a part in it */
const struct fact_view *view_find(const struct trade_view *v, unsigned kind, const struct identity *author);
const struct identity *view_person(const struct trade_view *v, enum trade_role role); /* NULL: none */
void handover_secret_id(struct id *out, const struct network *net, const struct id *trade,
                        struct span secret);
void address_id(struct id *out, const struct network *net, const struct salt *salt, struct span address);

/* say.c */
struct say {
    struct trades *t;
    struct core *c;
    struct trade_view *v;
    struct change *into;
    struct report *r;
};
/* Signs a fact of v->as, adds it with its letters and an event.  to: people; NULL: those whom this kind is
 * for. */
int say_fact(struct say *s, unsigned kind, struct span body, const struct identity *const *to, size_t to_n);
/* Sends a fact that is on disk here, as it is. */
int say_relay(struct say *s, const struct fact_view *f, const struct identity *to);
bool say_sent(struct say *s, const struct fact_view *f, const struct identity *to); /* before */
void say_keep(struct say *s);                     /* writes v->me and what is kept beside */
int say_key(struct say *s, struct fact_key *out); /* our keys of this trade, with proof */
int say_stub_sig(struct say *s, const struct fact_terms *terms, struct sig *out);
/* Signs this payout of the present lock; as a fact, or together with another's signature to the rail. */
int say_payout(struct say *s, const struct fact_split *split);
int say_submit(struct say *s, const struct move *m);
/* Rule 10: the move of the present lock to the next one. */
int say_move(struct say *s);
int say_move_on(struct say *s);
int trade_event(struct core *c, struct change *into, const char *kind, const struct id *trade,
                struct span text);

/* propose.c: both for a standing proposal of the other. */
int act_accept(struct say *s);
int act_counter(struct say *s, const struct trade_counter *k, struct arena *a);
/* act.c */
int handover_secret(struct core *c, const struct identity *buyer, const struct id *trade,
                    uint8_t out[static 11], struct report *r);
int act_consent(struct say *s);
int act_ready(struct say *s);
int act_decline(struct say *s, const struct fact_view *proposal, struct span reason);
int act_request(struct say *s, const struct fact_request *q);
int act_replace(struct say *s, const struct trade_replace *o); /* replace.c */
int act_dispute(struct say *s, struct span claim, const struct fact_split *want);
/* Sends a letter of another kind about this trade. */
int say_letter(struct say *s, unsigned kind, struct span body, const struct identity *to);
/* Everybody else who has a part: at most SAY_PEOPLE. */
enum { SAY_PEOPLE = 8 };
size_t say_people(const struct trade_view *v, const struct identity **out);
/* May this person have that fact, which lies here? */
bool say_shareable(const struct trade_view *v, const struct fact_view *f, const struct identity *to);
int say_words(struct say *s); /* words.c: hands over what the two wrote to each other */
/* recall.c: both 1 when there is nothing to do. */
int recall_answer(struct say *s, struct entry *e);
int recall_ask(struct say *s); /* while frozen: asks, waits, and resumes under a new epoch */
/* The first fact of a trade that is not known here came.  Where the store was put back and the fact is no
 * younger than that, more may have been said: its sender is asked when the fact cannot be taken yet; when
 * it can, the trade is frozen. */
void recall_unknown(struct trades *t, struct core *c, const struct identity *to,
                    const struct identity *from, const struct fact_view *f);
void recall_new(struct trades *t, struct core *c, const struct identity *to, const struct fact_view *f);
void recall_boot(struct trades *t, struct core *c);
/* file.c: what whoever decides must have of the trade and was not sent yet; 1 when there is nothing. */
int file_send(struct say *s);
/* duty.c: does the first of what is due; true when a change was made. */
bool duty_do(struct trades *t, struct core *c, struct entry *e, struct trade_view *v);
#endif
