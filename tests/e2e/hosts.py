#!/usr/bin/env python3
"""hosts.py BUILD: real nodes on hosts with addresses of their own, as their owners would run them: IPv4 or IPv6
alone, both, several addresses, a slow line that loses packets, and a client behind a home's router.

Closes with "N passed, N failed"."""
import os
import signal
import subprocess
import sys
import time

from internet import Internet, NotPermitted
from souk import READY_S, SLOW, Checks, Refused, run_to_end, wait_for

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
SOON_S = 20 * SLOW
WORDS = "open sesame"
PORT = 7411
c = Checks()


class Place:
    """A host, the node on it, and its owner."""
    def __init__(self, net, name, addresses, peers=(), listen=None, flags=(), **line):
        self.name, self.addresses = name, [a.split("/")[0] for a in addresses]
        self.host = net.host(name, addresses, **line)
        self.node = c.node(BUILD, name, network="test-hosts", peers=peers, port=PORT, listen=listen or (),
                           loopback=False, flags=["--reconcile-ms", "500", *flags])
        self.node.before = self.host.before
        self.id = None

    def start(self):
        self.node.start()
        self.key = self.call("node.status")["node"]
        return self

    def call(self, method, **params):
        with self.node.client() as s:
            return s.call(method, **params)

    def at(self, address):
        """As another node names it to --peer."""
        return f"{self.key.hex()}@{shown(address)}"

    def table(self):
        return {(x["node"], x["addr"]) for x in self.call("node.peers")["table"] if x["standing"] == "live"}

    def souk(self, *args):
        p = subprocess.run([f"{BUILD}/souk", "--home", str(self.node.home), *args], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, env={**os.environ, "COLUMNS": "80"}, timeout=60, check=False)
        return p.returncode, p.stdout.decode()


def shown(address):
    return f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"


def becomes(what, timeout_s=SOON_S):
    def held():
        try:
            return what()
        except Refused:
            return False
    return wait_for(held, timeout_s)


def message_states(who):
    return {m["id"]: m.get("state", "") for m in who.call("message.list", limit=100)["messages"]}


def reads(who, text):
    return any(m["text"] == text for m in who.call("message.list", limit=100)["messages"])


class Town:
    """Started once; the tests below go through it in order."""
    def __init__(self):
        net = self.net = Internet()
        self.hub = Place(net, "hub", ["198.18.1.1/24", "2001:db8:1::1/64"]).start()
        four, six = self.hub.at("198.18.1.1"), self.hub.at("2001:db8:1::1")
        self.dual = Place(net, "dual", ["198.18.2.1/24", "2001:db8:2::1/64"], [four], delay_ms=100).start()
        self.four = Place(net, "four", ["198.18.3.1/24"], [four]).start()
        self.six = Place(net, "six", ["2001:db8:4::1/64"], [six]).start()
        self.many = Place(net, "many", ["198.18.5.1/24", "198.18.6.1/24", "2001:db8:5::1/64", "2001:db8:6::1/64"],
                          [four]).start()
        self.slow = Place(net, "slow", ["198.18.7.1/24"], [four], delay_ms=40, loss=0.03).start()
        self.home = Place(net, "home", ["192.168.8.2/24"], [four], nat="203.0.113.8", flags=["--client", "yes"]).start()
        self.open = [self.hub, self.dual, self.four, self.six, self.many, self.slow]
        self.all = [*self.open, self.home]

    def should_know(self, who):
        """The nodes that a table must have: open ones with an address of a family that it has too."""
        def families(p):
            return {":" in a for a in p.addresses}
        return {p.key for p in self.open if p is not who and families(p) & families(who)}


def everybody_finds_everybody(t):
    def strangers(p):
        return t.should_know(p) ^ {key for key, _ in p.table()}
    c.that(becomes(lambda: not any(strangers(p) for p in t.all)) is not None, "each knows all that it can reach, and the client nobody knows",
           {p.name: p.table() for p in t.all if strangers(p)})
    own = {p.key: {shown(a) for a in p.addresses} for p in t.open}
    wrong = {(p.name, at) for p in t.all for key, at in p.table() if at not in own[key]}
    c.that(not wrong, "by addresses that are theirs", wrong)
    two = {(p.key, shown(a)) for p in (t.hub, t.dual) for a in p.addresses}
    for p in (t.hub, t.dual, t.many):
        c.that(becomes(lambda p=p: {x for x in two if x[0] != p.key} <= p.table()) is not None,
               f"{p.name} has both addresses of those with two families", p.table())
    for p in t.open:  # (which of several of a family is seen, the kernel chooses for each destination)
        if p is t.many:
            continue
        want = {shown(next(a for a in p.addresses if (":" in a) == six)) for six in {":" in a for a in p.addresses}}
        c.that(becomes(lambda p=p, want=want: set(p.call("node.dht")["addresses"]) == want) is not None,
               f"{p.name} learns its own addresses from the others", (p.call("node.dht")["addresses"], want))


def carriers_of_both(t):
    """Who carries everything says so by each family that it has, as soon as it knows its address."""
    def at(p):
        return {v["text"][3:] for v in p.call("node.lookup", key="*")["values"]}
    for p in (t.four, t.six):
        want = {shown(a) for o in (t.hub, t.dual, p) for a in o.addresses if (":" in a) == (p is t.six)}
        c.that(becomes(lambda p=p, want=want: want <= at(p)) is not None, f"{p.name} finds the carriers of its family", (at(p), want))
    c.that(becomes(lambda: t.six.call("node.status")["sessions"] >= 3) is not None, "and talks to them", t.six.call("node.peers")["sessions"])


def loopback_is_refused(t):
    """An address that means another machine to everybody else is nobody's here."""
    status, said = run_to_end([*t.hub.host.before, *c.node(BUILD, "mistaken", network="test-hosts", port=7412, loopback=False,
                                                         peers=[f"{t.hub.key.hex()}@127.0.0.1:{PORT}"]).command()])
    c.that(status == 1 and "private" in said, "one that names a loopback address to --peer is told so", said)
    t.hub.call("node.connect", node=t.dual.key, addr="127.0.0.1:7411")  # its own port: another key answers
    private = {(p.name, at) for p in t.all for _, at in p.table() if at.startswith(("127.", "192.168.", "[::1]"))}
    c.that(not private, "no table has an address that means another machine to everybody else", private)


def market_across_families(t):
    """What the node of IPv6 alone offers is found by all; a letter from IPv4 alone reaches it."""
    for p in (t.four, t.six, t.home, t.dual):
        p.id = p.call("id.new", name=p.name, passphrase=WORDS)["id"]
        p.call("id.unlock", passphrase=WORDS, for_ms=3600000)
    sold = t.six.call("listing.publish", type=0, title="A bicycle of the sixth kind", description="A bicycle.", language="en",
                      category="bikes/kids", price=[4500, b"EUR"], condition=2, region="FR", delivery=[{"mode": 2}], rails=[1])["id"]
    for p in t.all:
        c.that(becomes(lambda p=p: [x["id"] for x in p.call("search.run", words="bicycle")["listings"]] == [sold]) is not None,
               f"{p.name} finds what the node of IPv6 alone offers", p.call("search.run", words="bicycle"))
    with t.four.node.client() as s:
        got = s.call("node.lookup", key=t.six.key.hex(), kind="node")
        c.that(not got["found"] and got["timeouts"] == 0, "IPv4 alone does not reach that node, and waits for nobody in vain", got)


def letters_by_mailbox(t):
    """Three pairs of which at most one can dial the other."""
    c.that(becomes(lambda: all(any(v["kind"] == "presence" and v["replicas"] for v in p.call("node.dht")["published"])
                               for p in (t.four, t.six, t.home)), 2 * SOON_S) is not None, "each has a mailbox, and says so in the DHT",
           {p.name: p.call("node.dht")["published"] for p in (t.four, t.six, t.home)})
    for a, b in ((t.four, t.six), (t.six, t.four), (t.dual, t.home), (t.home, t.dual), (t.six, t.home)):
        text = f"from {a.name} to {b.name}"
        sent = a.call("message.send", to=b.id, text=text)["id"]
        c.that(becomes(lambda a=a, b=b, text=text: reads(b, text), 2 * SOON_S) is not None, f"a letter {text} arrives",
               message_states(a).get(sent))


def every_address_answers(t):
    """A host of several addresses answers at each, from the one that was asked, and holds one place for a family."""
    for i, a in enumerate(t.many.addresses):
        six = ":" in a
        late = Place(t.net, f"late{i}", [f"2001:db8:{20 + i}::1/64" if six else f"198.18.{20 + i}.1/24"], [t.many.at(a)]).start()
        c.that(becomes(lambda late=late, a=a: (t.many.key, shown(a)) in late.table()) is not None, f"asked at {a}, it answers from there",
               (late.table(), late.node.words()))
        late.node.stop()


def restarted_afar(t):
    """At the end of a line of 100 ms each way: who comes back answers its first lookup within two round trips."""
    p = t.dual
    round_trip_ms = 2 * (p.host.delay_ms + t.slow.host.delay_ms)  # the longest that it sees
    t.slow.host.loss = 0
    for sig in (signal.SIGTERM, signal.SIGKILL):
        p.node.stop(sig)
        p.node.peers = []
        p.node.start()
        t0 = time.monotonic()
        got = p.call("node.lookup", key="ab" * 32, trace=True)
        took_ms = (time.monotonic() - t0) * 1000
        steps = [(x["turn"], x["hop"], x["asked_ms"], x.get("rtt_ms"), x["answer"], x["addr"]) for x in got["trace"]]
        c.that(len({x["node"] for x in got["nodes"]}) >= 4, f"back after {sig.name}, it knows whom to ask", steps)
        c.that(max(x["hop"] for x in got["trace"]) <= 2 and 2 * p.host.delay_ms <= took_ms < 2 * round_trip_ms + 100 * SLOW,
               f"and answers its first lookup within two round trips of {round_trip_ms} ms", (round(took_ms), steps))
        print(f"after {sig.name}: first lookup {took_ms:.0f} ms; a round trip: {2 * p.host.delay_ms + 20} to {round_trip_ms} ms", flush=True)


def leaves(t):
    """Who stops is gone from the tables within seconds, and no lookup waits for it."""
    gone = t.hub
    took = gone.node.stop()
    c.that(took < READY_S * SLOW and gone.node.process.returncode == 0, "a node stops within a second", f"{took:.2f} s")
    left = [p for p in t.open if p is not gone]  # (a client, in no table, is told nothing)
    seconds = becomes(lambda: not any(gone.key in {k for k, _ in p.table()} for p in left))
    print(f"gone from all tables after {seconds or 0:.1f} s", flush=True)
    c.that(seconds is not None, "and is gone from the tables of all others within seconds",
           [p.name for p in left if gone.key in {k for k, _ in p.table()}])
    got = t.dual.call("node.lookup", key="cd" * 32, trace=True)
    c.that(gone.key not in {x["node"] for x in got["trace"]}, "nobody asks it any more", got)


def behind_a_router_unknowingly(t):
    """Whoever cannot be reached and did not say so is told what to do; nobody else is."""
    p = Place(t.net, "hidden", ["192.168.9.2/24"], [t.four.at(t.four.addresses[0])], nat="203.0.113.9").start()
    c.that(becomes(lambda: any("203.0.113.9" in w and "--client yes" in w for w in p.call("node.status")["warnings"])) is not None,
           "a node behind a router that forwards nothing is told so", p.call("node.status")["warnings"])
    warned = {o.name: o.call("node.status")["warnings"] for o in t.all if o.node.alive() and o.call("node.status")["warnings"]}
    c.that(not warned, "nobody else is", warned)
    p.node.stop()


def seen_by_people(t):
    """What owners read, each on a terminal of 80 columns."""
    for p in t.all:
        for args in (("node", "peers"), ("node", "dht"), ("node", "lookup", "*", "--trace"), ("node", "lookup", t.six.key.hex()[:12], "--trace")):
            status, said = p.souk(*args)
            c.that(max(map(len, said.splitlines())) <= 80, f"{p.name}: souk {' '.join(args)} fits 80 columns", said)
            if status:
                c.that("trace" in args[-1] and "known" in said, f"{p.name}: souk {' '.join(args)}", said)
    c.that(t.home.call("node.status")["peer"] == "" and t.four.call("node.status")["peer"] == t.four.at(t.four.addresses[0]),
           "a client names no address to dial, others the one that others see", t.home.call("node.status")["peer"])
    _, said = t.dual.souk("node", "peers")
    for a in (*t.six.addresses, *t.four.addresses):
        c.that(said.count(shown(a)) >= 1, f"an address is shown whole: {shown(a)}", said)


def all_in_order():
    t0 = time.monotonic()
    try:
        t = Town()
    except NotPermitted as e:
        c.that(False, "NOTHING OF THIS TEST RAN: no hosts can be made here (it needs root, or user namespaces, and /dev/net/tun)", e)
        return
    for test in (everybody_finds_everybody, carriers_of_both, loopback_is_refused, market_across_families, letters_by_mailbox, restarted_afar,
                 seen_by_people, leaves, every_address_answers, behind_a_router_unknowingly):
        test(t)
        print(f"{test.__name__}: {time.monotonic() - t0:.1f} s", flush=True)
    for p in t.all:
        p.node.stop()
        c.that(p.node.process.returncode == 0, f"{p.name} ends cleanly", p.node.words())


c.run([all_in_order])
