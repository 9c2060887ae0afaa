/* where.c: where people can be reached: routes, prekeys, presence. */
#include "crypto/record.h"
#include "dht/dht.h"
#include "gossip.gen.h"
#include "node/keys/keys.h"
#include "node/net/net.h"
#include "node/outbox/engine.h"
#include "record.gen.h"
#include <stdlib.h>

enum { ASK_AGAIN_MS = 2000, PRESENCE_AGAIN_MS = 60000, ASK_PEERS = 8, LISTED_MOST = 8 };
static const int64_t prekey_late_ms = 25 * OUTBOX_DAY_MS; /* its secret lives 31 days after its week */

struct span box_addr(uint8_t out[static 18], const struct addr *a)
{
    memcpy(out, a->ip, 16);
    be16_put(out + 16, a->port);
    return span(out, 18);
}

void box_read(struct box *out, const struct mail_box *m)
{
    *out = (struct box){.node = m->node};
    if (m->has_addr) {
        memcpy(out->addr.ip, m->addr.p, 16);
        out->addr.port = be16_get(m->addr.p + 16);
    }
}

/* ---- what records say ---- */

/* The machine that a record names, by its owner's choice. */
static bool record_machine(const struct record *rec, struct node_key *out)
{
    struct arena a;
    struct record_profile profile;
    struct record_listing listing;
    struct record_arbiter arbiter;
    struct record_issuer issuer;
    bool has = false;
    arena_init(&a, 65536);
    if (rec->kind == RECORD_PROFILE && record_profile_decode(&profile, rec->body, &a, NULL) == 0) {
        has = profile.has_node;
        *out = profile.node;
    } else if (rec->kind == RECORD_LISTING && record_listing_decode(&listing, rec->body, &a, NULL) == 0) {
        has = listing.has_node;
        *out = listing.node;
    } else if (rec->kind == RECORD_ARBITER && record_arbiter_decode(&arbiter, rec->body, &a, NULL) == 0) {
        has = arbiter.has_node;
        *out = arbiter.node;
    } else if (rec->kind == RECORD_ISSUER && record_issuer_decode(&issuer, rec->body, &a, NULL) == 0) {
        has = true;
        *out = issuer.node;
    }
    arena_free(&a);
    return has;
}

struct told {
    const struct network *net;
    struct node_key node;
    bool has;
    unsigned n;
};

static bool told_row(void *arg, const struct id *id, const struct record_row *row)
{
    struct told *t = arg;
    struct record rec;
    (void)id;
    t->has = !row->withdraws && record_parse(&rec, row->bytes, t->net, NULL) == 0 &&
             record_machine(&rec, &t->node);
    return !t->has && ++t->n < LISTED_MOST;
}

static bool told_by_records(struct core *c, const struct identity *who, struct node_key *out)
{
    static const uint8_t kinds[] = {RECORD_PROFILE, RECORD_ISSUER, RECORD_ARBITER, RECORD_LISTING};
    struct told t = {.net = c->network};
    for (size_t i = 0; i < sizeof kinds && !t.has; i++) {
        t.n = 0;
        view_author(c->view, who, kinds[i], told_row, &t);
    }
    if (t.has)
        *out = t.node;
    return t.has;
}

/* ---- people ---- */
static void take_where(struct person *p, const struct mail_where *m)
{
    p->time = m->time;
    if (m->has_machine) {
        p->has_machine = true;
        box_read(&p->machine, &m->machine);
    }
    if (m->has_boxes && m->boxes_n)
        p->boxes_n = 0;
    for (size_t i = 0; m->has_boxes && i < m->boxes_n && i < OUTBOX_BOXES; i++)
        box_read(&p->boxes[p->boxes_n++], &m->boxes[i]);
    if (m->has_ticket) {
        p->has_ticket = true;
        p->ticket = m->ticket;
    }
}

static void load(struct core *c, struct person *p)
{
    uint8_t key[ROW_KEY_MOST];
    struct span v;
    struct mail_where m;
    struct arena a;
    arena_init(&a, 8192);
    if (view_get(c->view, TABLE_DRAFT, row_key(key, "route", &p->who), &v) && letter_where_valid(&m, v, &a))
        take_where(p, &m);
    if (!p->has_machine)
        p->has_machine = told_by_records(c, &p->who, &p->machine.node);
    arena_free(&a);
}

struct person *where_person(struct outbox *o, struct core *c, const struct identity *who)
{
    struct person *p = map_get(&o->people, who);
    if (p)
        return p;
    if (o->people.n >= OUTBOX_PEOPLE_MOST) {
        size_t at = 0;
        void *old;
        const void *key;
        MUST(map_next(&o->people, &at, &key, &old));
        free(map_del(&o->people, &((struct person *)old)->who)); /* a cache: it is read again when needed */
    }
    p = xcalloc(1, sizeof *p);
    p->who = *who;
    load(c, p);
    map_put(&o->people, who, p);
    return p;
}

static void where_encode(struct buf *out, const struct person *p)
{
    uint8_t at[OUTBOX_BOXES + 1][18];
    struct mail_box boxes[OUTBOX_BOXES];
    struct mail_where m = {.time = p->time,
                           .has_machine = p->has_machine,
                           .machine = {.node = p->machine.node,
                                       .has_addr = p->machine.addr.port != 0,
                                       .addr = box_addr(at[OUTBOX_BOXES], &p->machine.addr)},
                           .has_boxes = p->boxes_n > 0,
                           .boxes = boxes,
                           .boxes_n = p->boxes_n,
                           .has_ticket = p->has_ticket,
                           .ticket = p->ticket};
    for (size_t i = 0; i < p->boxes_n; i++)
        boxes[i] = (struct mail_box){.node = p->boxes[i].node,
                                     .has_addr = p->boxes[i].addr.port != 0,
                                     .addr = box_addr(at[i], &p->boxes[i].addr)};
    mail_where_encode(out, &m);
}

static void person_save(struct core *c, const struct person *p)
{
    uint8_t key[ROW_KEY_MOST];
    struct buf b = {0};
    where_encode(&b, p);
    struct change *ch = change_new(ROOM_OUTBOX, WHAT_NOTE, 0);
    change_put(ch, TABLE_DRAFT, row_key(key, "route", &p->who), buf_view(&b));
    fx_commit(c->fx, ch);
    buf_free(&b);
}

void where_learn(struct outbox *o, struct core *c, const struct identity *who, const struct mail_where *m)
{
    struct person *p = where_person(o, c, who), old = *p;
    if (m->time <= p->time || m->time > c->now.unix_ms + OUTBOX_DAY_MS)
        return;
    take_where(p, m);
    bool same = old.has_machine == p->has_machine && old.has_ticket == p->has_ticket &&
                old.boxes_n == p->boxes_n && memcmp(&old.machine, &p->machine, sizeof old.machine) == 0 &&
                memcmp(old.boxes, p->boxes, sizeof old.boxes) == 0;
    if (same && m->time - old.time < OUTBOX_DAY_MS)
        return; /* each letter says it again */
    person_save(c, p);
    if (!same)
        people_soon(o, c, who);
}

void outbox_route(struct outbox *o, struct core *c, const struct identity *person,
                  const struct node_key *node, const struct addr *at)
{
    struct person *p = where_person(o, c, person);
    if (p->has_machine && node_key_eq(&p->machine.node, node) && (!at || addr_eq(&p->machine.addr, at)))
        return;
    p->has_machine = true;
    p->machine = (struct box){.node = *node, .addr = at ? *at : (struct addr){{0}, 0}};
    /* `time` stays: it compares what the person said, by the person's own clock. */
    person_save(c, p);
    people_soon(o, c, person);
}

void outbox_trust(struct outbox *o, struct core *c, const struct identity *person)
{
    uint8_t key[ROW_KEY_MOST], at[8];
    struct span v;
    (void)o;
    if (view_get(c->view, TABLE_DRAFT, row_key(key, "trust", person), &v))
        return;
    struct change *ch = change_new(ROOM_OUTBOX, WHAT_NOTE, 0);
    be64_put(at, (uint64_t)c->now.unix_ms);
    change_put(ch, TABLE_DRAFT, row_key(key, "trust", person), SPAN_OF(at));
    fx_commit(c->fx, ch);
}

void outbox_record_stored(struct outbox *o, struct core *c, const struct record *rec)
{
    struct node_key node;
    struct person *p = map_get(&o->people, &rec->author);
    if (rec->kind == RECORD_PREKEY)
        people_soon(o, c, &rec->author);
    if (!p || !record_machine(rec, &node) || rec->created <= p->time ||
        (p->has_machine && node_key_eq(&p->machine.node, &node)))
        return;
    p->has_machine = true;
    p->machine = (struct box){.node = node};
    p->time = rec->created;
    people_soon(o, c, &rec->author);
}

/* ---- what we tell ---- */
static bool trusted(struct core *c, const struct identity *who)
{
    uint8_t key[ROW_KEY_MOST];
    struct span v;
    return view_get(c->view, TABLE_DRAFT, row_key(key, "trust", who), &v);
}

bool where_shown(const struct outbox *o, struct core *c, const struct identity *own,
                 const struct identity *to)
{
    struct node_key told;
    return o->share || trusted(c, to) ||
           (told_by_records(c, own, &told) && node_key_eq(&told, keys_node(c->keys)));
}

static bool usable(const struct outbox *o, const struct addr *a)
{
    static const uint8_t none[16];
    static const uint8_t none4[4];
    if (!a->port || memcmp(a->ip, none, 16) == 0 || (addr_is_ipv4(a) && memcmp(a->ip + 12, none4, 4) == 0))
        return false;
    return o->network->loopback || !addr_is_private(a);
}

void where_own(struct outbox *o, struct core *c, const struct identity *from, const struct identity *to,
               struct buf *out)
{
    struct person me = {.who = *from, .time = c->now.unix_ms};
    const struct owner *owner = boxes_owner(o, from);
    struct addr at = o->here;
    me.has_machine = where_shown(o, c, from, to);
    me.machine.node = *keys_node(c->keys);
    if (usable(o, &at) || (c->dht && dht_addr(c->dht, 0, &at) && usable(o, &at)))
        me.machine.addr = at;
    for (size_t i = 0; owner && i < owner->n; i++)
        if (owner->box[i].open)
            me.boxes[me.boxes_n++] = owner->box[i].at;
    if (trusted(c, to) && me.boxes_n) {
        me.has_ticket = true;
        boxes_ticket(o, c, from, &me.ticket);
    }
    if (me.has_machine || me.boxes_n)
        where_encode(out, &me);
}

/* ---- prekeys ---- */
bool where_prekey(struct core *c, const struct identity *who, struct xkey *out)
{
    static const struct salt zero;
    struct id id;
    uint64_t revision;
    struct record_row row;
    struct record rec;
    struct record_prekey m;
    struct arena a;
    if (!view_slot(c->view, who, RECORD_PREKEY, &zero, &id, &revision) ||
        !view_record(c->view, &id, &row) || row.withdraws ||
        record_parse(&rec, row.bytes, c->network, NULL))
        return false;
    arena_init(&a, 8192);
    const struct record_prekey_week *best = NULL;
    if (record_prekey_decode(&m, rec.body, &a, NULL) == 0)
        for (size_t i = 0; i < m.keys_n; i++) {
            const struct record_prekey_week *w = &m.keys[i];
            if (w->until + prekey_late_ms < c->now.unix_ms)
                continue;
            /* The week of now; else the last one before it; else the first to come. */
            if (!best || (w->from <= c->now.unix_ms && w->from > best->from) ||
                (best->from > c->now.unix_ms && w->from < best->from))
                best = w;
        }
    if (best)
        *out = best->key;
    arena_free(&a);
    return best != NULL;
}

void where_ask_prekey(struct outbox *o, struct core *c, struct person *p)
{
    struct net_peer peers[ASK_PEERS];
    struct gossip_ask_subject m = {.kind = RECORD_PREKEY};
    struct buf b = {0};
    (void)o;
    if (p->prekey_ms && c->now.mono_ms - p->prekey_ms < ASK_AGAIN_MS)
        return;
    p->prekey_ms = c->now.mono_ms;
    memcpy(m.subject.b, p->who.b, sizeof m.subject.b);
    gossip_ask_subject_encode(&b, &m);
    size_t n = net_peers(c->net, peers, ASK_PEERS);
    for (size_t i = 0; i < n; i++)
        (void)net_send(c->net, c, &peers[i].key, CHANNEL_GOSSIP, GOSSIP_ASK_SUBJECT, buf_view(&b));
    buf_free(&b);
}

/* ---- the DHT ---- */
static uint64_t question(struct outbox *o, const struct identity *who, const struct node_key *node)
{
    uint64_t n = ++o->query_n & 0xffffffffffffffu;
    o->query[n % OUTBOX_QUERIES] =
        (struct query){.n = n, .who = *who, .node = node ? *node : (struct node_key){{0}}};
    return (uint64_t)ROOM_OUTBOX << 56 | n;
}

/* A letter costs its writer little, and a search fifty datagrams: a stranger's letters make few of them. */
static bool may_ask(struct outbox *o, struct core *c, const struct person *p)
{
    if (c->now.mono_ms - o->asks_ms >= 60000) {
        o->asks_ms = c->now.mono_ms;
        o->asks_n = 0;
    }
    return !p->unasked || o->asks_n++ < OUTBOX_ASKS_A_MINUTE;
}

void where_ask_presence(struct outbox *o, struct core *c, struct person *p)
{
    uint64_t again = p->boxes_n ? PRESENCE_AGAIN_MS : ASK_AGAIN_MS;
    struct id key;
    if (!c->dht || (p->presence_ms && c->now.mono_ms - p->presence_ms < again) || !may_ask(o, c, p))
        return;
    p->presence_ms = c->now.mono_ms;
    dht_key_presence(&key, o->network, &p->who);
    (void)dht_get_start(c->dht, c->now, DHT_PRESENCE, &key, DHT_CAREFUL,
                        question(o, &p->who, NULL)); /* where letters go matters */
}

static bool may_dial(struct outbox *o, struct core *c, const struct addr *a)
{
    uint64_t prefix = addr_site(a);
    size_t same = 0;
    if (o->network->loopback && addr_is_private(a))
        return true;
    if (c->now.mono_ms - o->dial_ms >= 60000) {
        o->dial_ms = c->now.mono_ms;
        o->dialled_n = 0;
    }
    for (size_t i = 0; i < o->dialled_n; i++)
        same += o->dialled[i] == prefix;
    if (o->dialled_n == OUTBOX_DIALS_A_MINUTE || same >= OUTBOX_DIALS_PREFIX) {
        o->stats.not_dialled++;
        return false;
    }
    o->dialled[o->dialled_n++] = prefix;
    return true;
}

bool where_reach(struct outbox *o, struct core *c, struct person *p, const struct box *b)
{
    struct id target;
    if (net_up(c->net, &b->node))
        return true;
    if (usable(o, &b->addr) && (!c->dht || dht_usable(c->dht, &b->addr))) {
        if (!net_connecting(c->net, &b->node) && may_dial(o, c, &b->addr))
            (void)net_connect(c->net, c, &b->node, &b->addr);
    } else if (c->dht && (!p->lookup_ms || c->now.mono_ms - p->lookup_ms >= ASK_AGAIN_MS) &&
               may_ask(o, c, p)) {
        p->lookup_ms = c->now.mono_ms;
        dht_id(&target, o->network, &b->node);
        (void)dht_lookup_start(c->dht, c->now, &target, 0, question(o, &p->who, &b->node));
    }
    return false;
}

static void presence_came(struct outbox *o, struct core *c, struct person *p, struct span value)
{
    struct dht_value v;
    if (dht_value_read(&v, o->network, c->now.unix_ms, value, true) || v.kind != DHT_PRESENCE ||
        memcmp(v.author, p->who.b, sizeof p->who.b) != 0)
        return;
    struct box boxes[OUTBOX_BOXES];
    memset(boxes, 0, sizeof boxes);
    for (size_t i = 0; i < v.mailboxes_n && i < OUTBOX_BOXES; i++)
        boxes[i] = (struct box){.node = v.mailboxes[i].node, .addr = v.mailboxes[i].addr};
    bool same = v.mailboxes_n == p->boxes_n && memcmp(boxes, p->boxes, p->boxes_n * sizeof *boxes) == 0;
    if (same)
        return;
    memcpy(p->boxes, boxes, sizeof boxes);
    p->boxes_n = v.mailboxes_n;
    people_soon(o, c, &p->who);
}

static void address_came(struct outbox *o, struct core *c, struct person *p, const struct node_key *node,
                         const struct dht_result *res)
{
    for (size_t i = 0; i < res->nodes_n; i++) {
        if (!node_key_eq(&res->nodes[i].key, node))
            continue;
        if (p->has_machine && node_key_eq(&p->machine.node, node))
            p->machine.addr = res->nodes[i].addr;
        for (size_t j = 0; j < p->boxes_n; j++)
            if (node_key_eq(&p->boxes[j].node, node))
                p->boxes[j].addr = res->nodes[i].addr;
        people_soon(o, c, &p->who);
        return;
    }
}

void outbox_dht_done(struct outbox *o, struct core *c, const struct dht_result *res)
{
    uint64_t n = res->cookie & 0xffffffffffffffu;
    const struct query *q = &o->query[n % OUTBOX_QUERIES];
    if (!n || q->n != n)
        return; /* asked too long ago */
    struct person *p = where_person(o, c, &q->who);
    if (res->kind == DHT_LOOKUP)
        address_came(o, c, p, &q->node, res);
    else if (res->kind == DHT_GET && res->values_n)
        presence_came(o, c, p, res->values[0]);
}
