/* dht_attack.h: attacks on the DHT, each without and with the defences against it.
 *
 *     tests/run sim dht_attack [--nodes N] [--seed S]       a small one of each (CI)
 *     tests/run sim dht_attack_full [--nodes N] [--seed S]  all of them, larger (tests/run long)
 *
 * prints a line for each attack: what becomes of gets with the defences off and with them on.  Off is done
 * by knobs (attack_knobs_off): paths 1, no limits by prefix, crowds not looked for, one address a node,
 * nobody doubted, no waiting before full stores.  A scenario fails when the defences do not reach what the
 * attack's line in the table promises, or when the attack does no harm without them: then it shows nothing.
 * --routes 0, --floods 0, --replays 0 leave out the attacks of dht_attack.c, dht_attack_flood.h,
 * dht_attack_replay.h.
 *
 * The field: honest machines with full tables, values put by some of them, hostile machines among them or
 * beside them (dht_liars.h). */
#ifndef SOUK_SIM_DHT_ATTACK_H
#define SOUK_SIM_DHT_ATTACK_H
#include "tests/sim/dht_liars.h"
#include "tests/sim/dht_tally.h"

/* A put is eclipsed when no honest node stored the value; a get, when none of the eight honest nodes
 * nearest to the key answered it. */
struct field_value {
    struct keypair author;
    struct id key;
    struct buf old, fresh;
};
struct asked {
    uint64_t tried, good, stale, dense, eclipsed; /* eclipsed: see below */
    uint64_t honest, hostile;                     /* replicas of puts; nodes that answered gets */
    uint32_t hostile_most;                        /* in one of them */
    struct samples ms, messages;
};
struct field {
    struct dht_world *w;
    struct liars *l;
    size_t honest; /* places from 0; the others are the attack's */
    struct field_value *values;
    size_t values_n;
    struct asked put, plain, careful;
};

void attack_knobs_off(struct dht_knobs *out);
/* A world of so many honest machines whose tables are full, and room for `more`. */
void field_new(struct field *f, const struct dht_knobs *knobs, size_t honest, size_t more, size_t values,
               size_t invented, uint64_t seed);
void field_free(struct field *f);
size_t field_honest(struct field *f);           /* a random one that is not hostile */
void field_turn(struct field *f, double share); /* so many of the honest turn hostile */
/* Puts all values: at first the old ones, then (measured) the fresh ones.  10 a second. */
void field_put(struct field *f, bool fresh);
/* n plain gets and n careful ones, by honest machines of the places from, … to - 1. */
void field_get(struct field *f, size_t n, size_t from, size_t to);
double percent(uint64_t part, uint64_t all);
/* Entries of honest machines' tables, and those of them that name hostile ones. */
void field_tables(struct field *f, size_t from, size_t to, uint64_t *hostile, uint64_t *all,
                  uint32_t *hostile_most);

/* What an attack did. */
struct harm {
    double found, eclipsed; /* of careful gets, per cent */
    double plain;           /* of plain gets found */
    uint32_t ms, ms_p99, messages, put_ms;
    double tables, asked, replicas; /* hostile share of table entries, nodes asked, replicas, per cent */
    uint32_t most_table, most_asked, most_replicas; /* hostile ones in one table, careful get, put */
};
struct attack {
    const char *name;
    void (*run)(const struct attack *a, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                struct harm *out);
    double share;               /* of the nodes */
    unsigned ways;              /* dht_liars.h */
    size_t sybils;              /* a target */
    double tries;               /* keys tried for each of them, as a multiple of the nodes */
    double invents;             /* the liars' pool of keys, as a multiple of the nodes */
    double found_on, found_off; /* at least so many found with the defences, at most so many without */
    bool limits;                /* no table, get or put may take more than the limits by prefix */
    uint32_t put_ms;            /* the longest median of a put with the defences; 0: any */
    bool small;                 /* in CI */
};
void attack_poison(const struct attack *a, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                   struct harm *out);
void attack_crowd(const struct attack *a, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                  struct harm *out);
void attack_victims(const struct attack *a, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                    struct harm *out);
void attack_prefix(const struct attack *a, const struct dht_knobs *knobs, size_t nodes, uint64_t seed,
                   struct harm *out);
#endif
