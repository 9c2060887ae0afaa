/* outbox.h: letters.  The one way in which private things (facts, messages, openings of notes) travel from
 * identity to identity (DESIGN 12, 14; spec/letters.md): by session when the other's node is there, through
 * mailboxes when not, resent until acknowledged; an acknowledgement is signed and given after the
 * receiver's commit.
 *
 * A letter is signed by the sender's identity over its id, the recipient's prekey and what it tells of
 * where the sender is reached; sealed to that prekey, padded, and named by the hash of its plaintext.  The
 * plaintext is kept until it is acknowledged, and sealed again at each attempt, so that a newer prekey is
 * used as soon as its record is here.
 *
 * Attempts: 1 s, 2 s, 4 s … 10 min apart with jitter, and at once when a session with the recipient's node
 * or mailbox comes up, its prekeys or its route become known, or the sender is unlocked.  A letter that
 * lies in a mailbox is left again after 6 hours.  After 30 days without an answer it is given up.
 *
 * What node.c calls: outbox_boot; outbox_message for CHANNEL_MAIL; outbox_session_up; outbox_record_stored;
 * outbox_dht_done for results whose cookie is (uint64_t)ROOM_OUTBOX << 56 | n; outbox_committed for changes
 * of ROOM_OUTBOX; outbox_look after any other commit (or the outbox finds out itself, up to a second
 * later); outbox_wake at outbox_next_wake; outbox_unlocked after keys_unlock or keys_create; outbox_here
 * with the address that others reach us at, where it is configured.
 *
 * Rows on disk (key: name, then 32 bytes, unless said otherwise):
 *     TABLE_META   "seen"  letter    verdict 1, unix ms 8      letters that came: kept 60 days
 *                  "sent"  letter    enum letter_state 1, error's number 1, unix ms 8   how ours ended
 *                  "mbox"  identity  key 32, unix ms 8, prefix 8     mailboxes that we serve
 *     TABLE_DRAFT  "route" person    mail_where                where somebody is reached
 *                  "trust" person    unix ms 8                 outbox_trust
 *                  "met"   person    unix ms 8                 we wrote to them: no request
 *                  "block/" person   anything                  market_mark; read here: the letters of
 *                                    who is blocked are acknowledged and dropped
 *                  "boxes" identity  n × (node 32, ip 16, port 2)    servers that hold our mail
 *     TABLE_THREAD thread 32, created 8 (big-endian), letter 32 → mail_kept (spec/mail.schema)
 * Sealed letters for a locked identity of ours lie in its own name among the mails (view_mail). */
#ifndef SOUK_OUTBOX_H
#define SOUK_OUTBOX_H
#include "node/core.h"

enum letter_kind {
    LETTER_MESSAGE = 1,
    LETTER_FACT,
    LETTER_OPENING,
    LETTER_ADDRESS,
    LETTER_TICKET,
    /* 6 is an acknowledgement */
    LETTER_RECALL = 7,
    LETTER_RECALLED
};
enum letter_state { LETTER_QUEUED = 1, LETTER_IN_MAILBOX, LETTER_RECEIVED, LETTER_GIVEN_UP };

enum {
    LETTER_BODY_MOST = 60000,
    LETTER_TEXT_MOST = 8000, /* of a message */
    OUTBOX_QUEUE_MOST = 10000,
    OUTBOX_SERVED_MOST = 1024,         /* mailboxes that we serve */
    OUTBOX_STRANGERS_BYTES = 16 << 20, /* taken in a day from people whom nobody here has written to */
};

struct outbox *outbox_new(const struct network *network, struct rng *rng);
void outbox_free(struct outbox *o);
void outbox_boot(struct outbox *o, struct core *c);

/* Adds a letter to `into` (so that it is on disk with what it speaks of); it leaves after the commit.
 * letter = its id.  SOUK_ELOCKED when `from` is locked, SOUK_ERANGE, SOUK_EFORM (a message that is no
 * text), SOUK_EQUOTA when OUTBOX_QUEUE_MOST letters wait.  When `into` is never committed the letter is
 * forgotten after a minute. */
int outbox_send(struct outbox *o, struct core *c, const struct identity *from, const struct identity *to,
                const struct id *thread, enum letter_kind kind, struct span body, struct change *into,
                struct id *letter, struct report *r);
/* Where a person can be reached, learnt from a record, a letter or the owner: kept in TABLE_DRAFT. */
void outbox_route(struct outbox *o, struct core *c, const struct identity *person,
                  const struct node_key *node, const struct addr *at /* may be NULL */);
/* A counterpart of a trade: letters to it tell where this node is, and carry a ticket for the mailboxes of
 * who writes.  Idempotent. */
void outbox_trust(struct outbox *o, struct core *c, const struct identity *person);
/* Tell everybody whom an identity of ours writes to where this node is; the default is yes on a network of
 * loopback addresses and no elsewhere (counterparts, and people who opted in by their profile, apart). */
void outbox_share(struct outbox *o, bool all);
void outbox_here(struct outbox *o, const struct addr *listen);

/* Of our own letters.  A letter that is not known (any more) counts as given up. */
enum letter_state outbox_state(struct core *c, const struct id *letter);
const char *letter_state_name(enum letter_state s); /* "queued", "in mailbox", "received", "given up" */

/* The thread of two people about something (a listing, a trade; NULL: the two themselves). */
void outbox_thread(struct id *out, const struct network *net, const struct identity *a,
                   const struct identity *b, const struct id *about);
/* Messages, newest first.  as, thread: NULL for any.  At most `limit` ≤ 1000. */
struct outbox_message_row {
    struct id letter, thread;
    struct identity from, to;
    int64_t created;
    struct span text;
    bool sent, request;
};
typedef bool outbox_message_fn(void *arg, const struct outbox_message_row *row);
void outbox_messages(struct core *c, const struct identity *as, const struct id *thread, size_t limit,
                     outbox_message_fn *fn, void *arg);

/* Messages with what proves them, so that one of the two can show them to a third.  Ours need none: that we
 * hand them over says it. */
struct outbox_handed {
    struct span letter, where;
    bool has_sig;
    struct sig sig;
    struct xkey prekey;
};
typedef bool outbox_handed_fn(void *arg, const struct outbox_handed *m);
void outbox_hand(struct core *c, const struct id *thread, outbox_handed_fn *fn,
                 void *arg); /* newest first */
/* What `by` hands over, read: 0 when its author wrote it; SOUK_ESIGNATURE (with out filled in), SOUK_EFORM.
 */
int outbox_handed_check(struct outbox_message_row *out, const struct network *net,
                        const struct outbox_handed *m, const struct identity *by);

/* hooks->letter is called for every fact, opening and recall that came, inside handling.  The room adds
 * what keeps it to outbox_taking (borrowed for the call) and answers 0                       acknowledged
 * once its operations are committed.  They come first in the change and may answer STORED or DUPLICATE;
 * after any other answer the letter counts as not received, and comes again; SOUK_EFORM, SIGNATURE,
 * INVALID, RANGE, MISSING, UNKNOWN_CRITICAL, CONFLICT, NOT_ALLOWED, EXPIRED, REFUSED, VERSION refused for
 * good: the sender is told (letter_done), nothing is kept; any other error         not acknowledged: it
 * comes again. */
struct change *outbox_taking(struct outbox *o);
/* Called after the commit of a letter that was taken, in the order of commits.  One function; NULL: none.
 */
typedef void outbox_taken_fn(struct core *c, const struct identity *to, const struct identity *from,
                             unsigned kind, const struct id *letter, struct span body);
void outbox_on_taken(struct outbox *o, outbox_taken_fn *fn);

struct record;
struct dht_result;
int outbox_message(struct outbox *o, struct core *c, const struct node_key *peer, unsigned number,
                   struct span body);
void outbox_session_up(struct outbox *o, struct core *c, const struct node_key *peer);
void outbox_record_stored(struct outbox *o, struct core *c, const struct record *rec);
void outbox_dht_done(struct outbox *o, struct core *c, const struct dht_result *res);
void outbox_unlocked(struct outbox *o, struct core *c, const struct identity *who);
void outbox_committed(struct outbox *o, struct core *c, struct change *change);
void outbox_look(struct outbox *o, struct core *c); /* something was committed: letters may leave */
void outbox_wake(struct outbox *o, struct core *c);
uint64_t outbox_next_wake(const struct outbox *o);

/* Mailboxes we serve, and the ones that hold ours. */
struct outbox_stats {
    uint64_t queued, in_mailboxes;                        /* now */
    uint64_t received, given_up, taken, refused, dropped; /* since start; ours, ours, theirs … */
    uint64_t served_mailboxes, served_bytes;
    uint64_t own_boxes;       /* open for identities of ours */
    uint64_t strangers_bytes; /* of OUTBOX_STRANGERS_BYTES */
    uint64_t not_dialled;     /* addresses that letters named, over what is dialled a minute */
};
void outbox_stats(const struct outbox *o, struct core *c, struct outbox_stats *out);
#endif
