#!/usr/bin/env python3
"""dht.py BUILD: the DHT of real soukd processes on loopback: found by whom, seen by people, a good citizen."""
import json
import os
import signal
import socket
import subprocess
import sys
import time

from souk import READY_S, SLOW, Checks, run_to_end, wait_for

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
c = Checks()


def counter(n, name):
    with n.client() as s:
        return {x["name"]: x["value"] for x in s.call("node.status")["counters"]}[name]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def souk(n, *args):
    """(exit status, what it printed) of the command at 80 columns."""
    p = subprocess.run([f"{BUILD}/souk", "--home", str(n.home), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       env={**os.environ, "COLUMNS": "80"}, timeout=60, check=False)
    return p.returncode, p.stdout.decode()


def common_bits(a, b):
    x = int.from_bytes(a, "big") ^ int.from_bytes(b, "big")
    return 256 - x.bit_length()


class Eight:
    """Eight nodes that know each other, and what they say."""
    def __init__(self):
        self.nodes = [c.node(BUILD, "eight0")]
        self.nodes[0].start()
        first = self.nodes[0].peer()
        for i in range(1, 8):
            self.nodes.append(c.node(BUILD, f"eight{i}", peers=[first]))
            self.nodes[i].start()
        with self.nodes[2].client() as s:
            self.ann = s.call("id.new", name="Ann", passphrase="open sesame")["id"]
        self.joined = wait_for(lambda: all(len(self.live(n)) == 7 for n in self.nodes), 30 * SLOW)
        self.keys = [self.ask(n, "node.status")["node"] for n in self.nodes]
        self.ids = [self.ask(n, "node.dht")["self"] for n in self.nodes]

    def ask(self, n, method, **params):
        with n.client() as s:
            return s.call(method, **params)

    def live(self, n):
        return [x for x in self.ask(n, "node.peers")["table"] if x["standing"] == "live"]

    def stop(self):
        for n in self.nodes:
            n.stop()
            c.that(n.process.returncode == 0, f"{n.home.name} ends cleanly", n.words())


def seen_by_people():
    e = Eight()
    if c.that(e.joined is not None, "eight nodes know each other", [len(e.live(n)) for n in e.nodes]):
        the_table(e)
        stored_and_published(e)
        lookups(e)
        for_eyes(e)
    e.stop()


def the_table(e):
    for n, own_id, key in zip(e.nodes, e.ids, e.keys):
        table = e.live(n)
        true = {k: (i, f"127.0.0.1:{m.port}") for m, k, i in zip(e.nodes, e.keys, e.ids) if k != key}
        c.that({x["node"]: (x["id"], x["addr"]) for x in table} == true, f"{n.home.name} knows the others by id and address", table)
        c.that(all(x["shared"] == common_bits(x["id"], own_id) for x in table), "how near each is, is true", table)
        c.that([x["shared"] for x in table] == sorted((x["shared"] for x in table), reverse=True), "the nearest come first")
        c.that(all(x["fails"] == 0 and x["seen_ms"] < 60000 and 0 < x["timeout_ms"] <= 3000 for x in table), "all answer", table)
        buckets = e.ask(n, "node.dht")["buckets"]
        count = {b["shared"]: b["nodes"] for b in buckets if b["nodes"]}
        c.that(count == {s: sum(x["shared"] == s for x in table) for s in {x["shared"] for x in table}},
               "buckets count what the table lists", (buckets, table))


def stored_and_published(e):
    """What owners say of their replicas is what the others hold."""
    def holders(key, author):
        return sum(any(v["key"] == key and v["author"] == author for v in e.ask(n, "node.dht", limit=1000)["stored"])
                   for n in e.nodes)

    def page(n, skip=None, limit=1000):
        rows = [(v["key"], v["author"]) for v in e.ask(n, "node.dht", skip=skip, limit=limit)["stored"]]
        return rows if skip else rows[1:3]

    def presence():
        return [p for p in e.ask(e.nodes[2], "node.dht")["published"] if p["kind"] == "presence"]
    c.that(wait_for(lambda: presence() and presence()[0]["replicas"] > 0, 30 * SLOW) is not None, "an identity's presence is published",
           presence())
    key = presence()[0]["key"]
    c.that(wait_for(lambda: presence()[0]["replicas"] == holders(key, e.ann), 20 * SLOW) is not None,
           "and as many hold it as its owner says", (presence(), holders(key, e.ann)))
    for n, node in zip(e.nodes, e.keys):
        got = e.ask(n, "node.dht", limit=1000)
        topic = [p for p in got["published"] if p["kind"] == "provider"][0]
        c.that(topic["replicas"] == holders(topic["key"], node) or "next_ms" not in topic, f"{n.home.name}'s topic likewise",
               (topic, holders(topic["key"], node)))
        c.that(len(got["stored"]) == got["held"], "all that is held is listed", got["held"])
        c.that({x["name"]: x["value"] for x in got["counters"]}["dht.values"] == got["held"], "and counted", got["held"])
        c.that(all(v["from"] in ("self", "127.0.0.0/24") and 0 < v["expires_ms"] <= 2 * 3600000 and v["bytes"] > 66
                   for v in got["stored"]), "each with who put it, and for how long", got["stored"])
        c.that(all((v["from"] == "self") == (v["author"] == node) for v in got["stored"] if v["kind"] == "provider"),
               "one's own among them", got["stored"])
        c.that(wait_for(lambda: page(n) == page(n, 1, 2), 10 * SLOW) is not None, "page by page", (page(n), page(n, 1, 2)))


def lookups(e):
    n, far = e.nodes[1], e.keys[6]
    got = e.ask(n, "node.lookup", key=far.hex(), trace=True)
    c.that(got["kind"] == "node" and got["found"] and got["key"] == e.ids[6] and got["nodes"][0]["node"] == far,
           "a node is found by its key", got)
    c.that(len(got["trace"]) == got["messages"] and [s["turn"] for s in got["trace"]] == list(range(1, got["messages"] + 1)),
           "its trace has every request in order", got["trace"])
    at = dict(zip(e.keys, zip(e.nodes, e.ids)))
    c.that(all(s["addr"] == f"127.0.0.1:{at[s['node']][0].port}" and s["shared"] == common_bits(at[s["node"]][1], got["key"])
               and s["hop"] >= 1 and (s["answer"] in ("silent", "pending") or "rtt_ms" in s) for s in got["trace"]), "and each is true", got["trace"])
    c.that("trace" not in e.ask(n, "node.lookup", key=far.hex()), "no trace without asking for it")
    got = e.ask(n, "node.lookup", key=e.ids[6].hex())
    c.that(got["kind"] == "id" and got["found"] and got["nodes"][0]["node"] == far, "an id of a node is one", got)
    got = e.ask(n, "node.lookup", key=e.ann.hex(), kind="identity", careful=True, trace=True)
    c.that(got["found"] and got["values"][0]["author"] == e.ann and "letters" in got["values"][0]["text"],
           "an identity's presence is found", got)
    c.that(any(s["answer"] == "value" for s in got["trace"]) and {s["path"] for s in got["trace"]} == {0, 1, 2}, "by three paths", got["trace"])
    got = e.ask(e.nodes[2], "node.lookup", key=e.ann.hex())
    c.that(got["kind"] == "identity", "one's own identity is taken for one", got)
    c.that(wait_for(lambda: {v["author"] for v in e.ask(n, "node.lookup", key="*")["values"]} == set(e.keys), 20 * SLOW) is not None,
           "a topic's carriers are found")
    c.that(e.ask(n, "node.lookup", key="*")["kind"] == "topic", "under its name")
    got = e.ask(n, "node.lookup", key="ab" * 32)
    c.that(got["kind"] == "id" and "--kind" in got["reason"], "what nobody knows is an id, and it says what else to try", got)
    got = e.ask(n, "node.lookup", key="ab" * 32, kind="node")
    c.that(not got["found"] and got["nodes"], "a node that is not there is not found", got)
    got = e.ask(n, "node.lookup", key="ab" * 32, kind="identity", trace=True)
    c.that(not got["found"] and got["values"] == [] and len(got["trace"]) == 7, "nor is an identity that has published nothing", got)
    c.that(not e.ask(n, "node.lookup", key="vélos")["found"], "nor a topic that nobody carries")
    with n.client() as s:
        c.refuses("invalid", "a word that is no key is refused as one", lambda: s.call("node.lookup", key="beef", kind="node"))
    lone = c.node(BUILD, "lone")
    lone.start()
    with lone.client() as s:
        c.refuses("offline", "who knows nobody is told so", lambda: s.call("node.lookup", key="ab" * 32))
    lone.stop()


def for_eyes(e):
    n, far = e.nodes[1], e.keys[6].hex()
    status, said = souk(n, "node", "peers")
    c.that(status == 0 and "standing" in said and far[:12] in said and " live" in said and " ms" not in said,
           "souk node peers shows sessions and table", said)
    for args in (("node", "peers"), ("node", "dht"), ("node", "lookup", far[:12], "--trace"),
                 ("node", "lookup", "*", "--trace", "--careful"), ("node", "lookup", e.ann.hex(), "--kind", "identity")):
        status, said = souk(n, *args)
        c.that(status == 0 and max(map(len, said.splitlines())) <= 80, f"souk {' '.join(args)[:40]} fits 80 columns", said)
    status, said = souk(n, "node", "lookup", far[:12], "--trace")
    c.that(status == 0 and "node\n" in said and "turn  hop  path" in said, "the beginning of a key that was shown is enough", said)
    status, said = souk(n, "node", "dht")
    c.that("presence" in said or "provider" in said, "kinds are words", said)
    c.that("127.0.0.0/24" in said and " B " in said and "4.2 MB" in said and "1h59m" in said, "sizes and times have units", said)
    status, said = souk(n, "--json", "node", "lookup", far)
    c.that(status == 0 and json.loads(said)["kind"] == "node", "--json is JSON", said)
    status, said = souk(n, "node", "lookup", "beef", "--kind", "node")
    c.that(status == 1 and "64 hex" in said, "what is no key is refused with words", said)


def leaving_and_coming_back():
    """Who stops is gone from the tables at once; who comes back knows whom to ask, without being told."""
    nodes = [c.node(BUILD, "town0")]
    nodes[0].start()
    for i in range(1, 6):
        nodes.append(c.node(BUILD, f"town{i}", peers=[nodes[0].peer()]))
        nodes[i].start()
    c.that(wait_for(lambda: all(counter(n, "dht.nodes") == 5 for n in nodes), 30 * SLOW) is not None, "six nodes know each other")
    back, others = nodes[4], [n for n in nodes if n is not nodes[4]]
    for sig, what in ((signal.SIGTERM, "that stops"), (signal.SIGTERM, "that stops soon after it came back")):
        took = back.stop(sig)
        c.that(took < READY_S * SLOW and back.process.returncode == 0, f"a node {what} ends within a second", f"{took:.2f} s")
        left = wait_for(lambda: all(counter(n, "dht.nodes") == 4 for n in others), 10 * SLOW)
        c.that(left is not None, f"a node {what} is gone from the tables within seconds", [counter(n, "dht.nodes") for n in others])
        back.peers = []
        back.start()
        with back.client() as s:
            got = s.call("node.lookup", key="ab" * 32, trace=True)
        c.that(len(got["nodes"]) >= 5 and max(x["hop"] for x in got["trace"]) <= 2,
               "back without --peer, it answers its first lookup within two round trips", got)
        c.that(wait_for(lambda: counter(back, "dht.nodes") == 5, 10 * SLOW) is not None, "and joins again")
        c.that(wait_for(lambda: all(counter(n, "dht.nodes") == 5 for n in others), 30 * SLOW) is not None, "and is known again",
               [counter(n, "dht.nodes") for n in others])
    time.sleep(11 * SLOW)  # by then a table has been saved without a stop
    back.stop(signal.SIGKILL)
    back.start()
    with back.client() as s:
        c.that(len(s.call("node.lookup", key="cd" * 32)["nodes"]) >= 5, "after kill -9 it knows them too")
    for n in nodes:
        n.stop()


def clients():
    """--client yes: it asks and is served, it serves nobody, and nobody knows it."""
    town = [c.node(BUILD, "open0")]
    town[0].start()
    for i in (1, 2):
        town.append(c.node(BUILD, f"open{i}", peers=[town[0].peer()]))
        town[i].start()
    shy = c.node(BUILD, "shy", peers=[town[0].peer()], flags=["--client", "yes"])
    shy.start()
    c.that(wait_for(lambda: counter(shy, "dht.nodes") == 3, 20 * SLOW) is not None, "a client knows the others", shy.words())
    with shy.client() as s:
        key = s.call("node.status")["node"]
        c.that(s.call("node.dht")["client"] is True, "and says what it is")
        found = wait_for(lambda: len(s.call("node.lookup", key="*")["values"]) == 3, 30 * SLOW)
        c.that(found is not None, "it finds the carriers, and is not one itself", s.call("node.lookup", key="*"))
        c.that(s.call("node.dht")["stored"] == [] and s.call("node.dht")["published"] == [], "it holds and announces nothing")
    for n in town:
        with n.client() as s:
            c.that(key not in {x["node"] for x in s.call("node.peers")["table"]}, f"{n.home.name} does not have it in its table")
            c.that(not s.call("node.lookup", key=key.hex(), kind="node")["found"], "nor finds it")
    for n in (*town, shy):
        n.stop()


def of_the_world():
    """A network that is not for loopback takes no private address for a node."""
    a = c.node(BUILD, "worldly", loopback=False)
    a.start()
    with a.client() as s:
        peer = s.call("node.status")["peer"]
    status, said = run_to_end(c.node(BUILD, "mistaken", loopback=False, peers=[peer]).command())
    c.that(status == 1 and "private" in said and "--loopback yes" in said, "such a --peer is refused with words that say what to do", said)
    b = c.node(BUILD, "passer-by", loopback=False)
    b.start()
    with b.client() as s:
        key, at = peer.split("@")
        s.call("node.connect", node=bytes.fromhex(key), addr=at)
        time.sleep(2)
    for n in (a, b):
        with n.client() as s:
            c.that(s.call("node.peers")["table"] == [], f"{n.home.name} knows nobody", s.call("node.peers"))
    for n in (a, b):
        n.stop()


def both_families():
    """One node listens on both; one that has IPv4 alone and one that has IPv6 alone meet through it."""
    if not has_ipv6():
        print("skipped: this machine has no ::1")
        return
    both = c.node(BUILD, "both", listen=("127.0.0.1", "[::1]"))
    both.start()
    with both.client() as s:
        status = s.call("node.status")
    c.that(status["listen"] == [f"127.0.0.1:{both.port}", f"[::1]:{both.port}"], "it says where it listens", str(status))
    key = status["node"].hex()
    four = c.node(BUILD, "four", peers=[f"{key}@127.0.0.1:{both.port}"])
    six = c.node(BUILD, "six", peers=[f"{key}@[::1]:{both.port}"], listen=("[::1]",))
    four.start()
    six.start()
    for n, name in ((four, "IPv4"), (six, "IPv6")):
        c.that(wait_for(lambda: counter(n, "dht.nodes") >= 1, 10 * SLOW) is not None, f"a node of {name} alone joins", n.words())
    c.that(wait_for(lambda: counter(both, "dht.nodes") == 2, 20 * SLOW) is not None, "the one of both knows them both", both.words())
    for n in (both, four, six):
        n.stop()


def addresses_of_the_machine():
    """A node that names two addresses answers at each, from the one that was asked."""
    two = c.node(BUILD, "two", listen=("127.0.0.1", "127.0.0.2"))
    two.start()
    with two.client() as s:
        key = s.call("node.status")["node"].hex()
    far = c.node(BUILD, "far", peers=[f"{key}@127.0.0.2:{two.port}"])
    far.start()
    c.that(wait_for(lambda: counter(far, "dht.nodes") == 1, 10 * SLOW) is not None, "a node is reached by its second address",
           far.words())
    for n in (two, far):
        n.stop()
    status, said = run_to_end(c.node(BUILD, "absent", listen=("192.0.2.1",)).command())
    c.that(status == 1 and "192.0.2.1" in said and "no such address" in said, "an address of another machine is refused with words",
           said)


c.run([seen_by_people, leaving_and_coming_back, clients, of_the_world, both_families, addresses_of_the_machine])
