#!/usr/bin/env python3
"""hostile.py BUILD: what strangers can send to the ports of a real node: every length of noise, true datagrams cut,
spoilt and sent again from elsewhere, sealed ones whose content is rubbish, streams of noise.  Watched on the line:
no address gets more bytes than came from it; the node's memory stays within a bound; it serves its owner and its
friends meanwhile.

Closes with "N passed, N failed"."""
import os
import random
import socket
import sys
import time

from internet import Internet, NotPermitted
from souk import SLOW, Checks, wait_for
from stranger import crypto, network, write

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
PORT, GROWTH_MOST = 7411, 24 << 20  # bytes of memory that all of this may cost
NET = network.Net({"name": "test-hostile", "work_bits": 0, "puzzle_bits": 0})
c = Checks()
r = random.Random(7)


class Line:
    """Bytes of UDP to and from the victim, by the other end; and some true datagrams of its friends."""
    def __init__(self, victim, attackers):
        self.victim, self.attackers = socket.inet_aton(victim), {socket.inet_aton(a) for a in attackers}
        self.came, self.went, self.over, self.kept, self.answers = {}, {}, [], [], 0

    def packet(self, p):
        if p[0] >> 4 != 4 or p[9] != 17:
            return
        at, later = (p[0] & 15) * 4, (p[6] & 31) or p[7]  # later: not the first fragment
        src, dst = p[12:16], p[16:20]
        if dst == self.victim and src in self.attackers:
            end = None if later else (src, p[at:at + 2])
            self.came[end] = self.came.get(end, 0) + max(0, len(p) - at - 8)
        elif src == self.victim and dst in self.attackers:
            end = (dst, p[at + 2:at + 4])
            self.answers += 1
            self.went[end] = self.went.get(end, 0) + len(p) - at - 8
            if self.went[end] > self.came.get(end, 0):
                self.over.append((end, self.came.get(end, 0), self.went[end], len(p) - at - 8))
        elif dst == self.victim and len(self.kept) < 400:
            self.kept.append(p[at + 8:])


class Siege:
    def __init__(self):
        self.net = Internet()
        self.victim = self.node("victim", "198.18.1.1")
        self.victim.around = {"env": {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1:detect_leaks=0"}}
        addresses = [f"198.18.{50 + i}.1" for i in range(8)]
        self.line = Line("198.18.1.1", addresses)
        self.net.tap = self.line.packet
        self.victim.start()
        self.key = self.ask("node.status")["node"]
        self.friends = [self.node(f"friend{i}", f"198.18.{2 + i}.1", [f"{self.key.hex()}@198.18.1.1:{PORT}"]) for i in range(4)]
        for f in self.friends:
            f.start()
        host = self.net.host("attackers", [f"{a}/24" for a in addresses], delay_ms=0)
        self.udp = [self.net.socket(host, socket.SOCK_DGRAM) for _ in addresses]
        for s, a in zip(self.udp, addresses):
            s.bind((a, 4000))
        self.host, self.addresses, self.sent = host, addresses, 0

    def node(self, name, address, peers=()):
        n = c.node(BUILD, name, network="test-hostile", port=PORT, listen=(address,), loopback=False, peers=peers)
        n.before = self.net.host(name, [f"{address}/24"], delay_ms=0).before
        return n

    def ask(self, method, **params):
        with self.victim.client() as s:
            return s.call(method, **params)

    def counters(self):
        return {x["name"]: x["value"] for x in self.ask("node.status")["counters"]}

    def memory(self):
        with open(f"/proc/{self.victim.process.pid}/status", encoding="ascii") as f:
            return next(int(x.split()[1]) * 1024 for x in f if x.startswith("VmRSS"))

    def send(self, datagram, by=None):
        self.udp[r.randrange(8) if by is None else by].sendto(datagram, ("198.18.1.1", PORT))
        self.sent += 1
        if self.sent % 40 == 0:
            time.sleep(0.005 * SLOW)

    def ask_once(self, datagram, by=None):
        """From a port that nothing else comes from: what goes back there is the answer to this alone."""
        u = self.net.socket(self.host, socket.SOCK_DGRAM)
        u.bind((self.addresses[r.randrange(8) if by is None else by], 10000 + self.sent))
        self.udp.append(u)
        u.sendto(datagram, ("198.18.1.1", PORT))
        self.sent += 1
        if len(self.udp) > 300:
            self.udp.pop(8).close()
            time.sleep(0.0005 * SLOW)

    def head(self, sender=None):
        """What every datagram begins with; the sender is invented, so each costs a curve operation."""
        return b"\x01" + self.key[:4] + (sender or r.randbytes(32)) + r.randbytes(24)


def noise(s):
    for n in (*range(1501), 2000, 9000, 65507):
        s.send(r.randbytes(n))
        if n % 3 == 0:
            s.send((s.head() + r.randbytes(n))[:n])


def spoilt(s):
    """True datagrams, cut at every length, with every bit of the head and some of the rest turned, and whole."""
    whole = s.line.kept[:]
    for d in sorted(whole, key=len)[::max(1, len(whole) // 4)][:4]:
        for n in range(0, len(d), 3):
            s.send(d[:n])
        for bit in (*range(8 * 61), *(r.randrange(8 * len(d)) for _ in range(200))):
            s.send(d[:bit // 8] + bytes([d[bit // 8] ^ 1 << bit % 8]) + d[bit // 8 + 1:])
    for d in whole:
        for by in range(8):
            s.ask_once(d, by)


def sealed_rubbish(s):
    """A stranger with true keys, whose plaintexts are noise of every length, or messages with noise in them."""
    seed = r.randbytes(32)
    own = crypto.public_of(seed)
    key = NET.hash("souk:dht-seal", crypto.x25519(crypto.x_secret_of_seed(seed), crypto.x_of_node(s.key)), own, s.key)

    def say(plain):
        head = s.head(own)
        s.ask_once(head + crypto.xaead_seal(key, head[37:], plain, head))
    target = NET.hash("souk:dht-id", s.key)
    for n in range(0, 1124, 4):
        say(r.randbytes(n))
        number = 1 + n // 4 % 7
        body = (write({0: r.random() < 0.3, 1: target, 2: 4, 3: 1, 15: bytes(min(n, 1000))}), r.randbytes(n % 60),
                write({15: bytes(n % 300)}), write({0: True, 1: r.randbytes(8), 2: r.randbytes(n)}))[n // 4 % 4]
        say(bytes([number]) + r.randbytes(8) + body[:1100])
        say(bytes([16 + n // 4 % 6]) + r.randbytes(8) + body[:1100])  # answers that nobody asked for


def streams(s):
    """Noise by TCP: in one piece, in pieces, and streams that say nothing."""
    idle = []
    for i in range(300):
        t = s.net.socket(s.host, socket.SOCK_STREAM)
        t.settimeout(2 * SLOW)
        try:
            t.bind((f"198.18.{50 + i % 8}.1", 0))
            t.connect(("198.18.1.1", PORT))
            if i % 3 == 0:
                idle.append(t)
                continue
            t.sendall(r.randbytes(r.choice((1, 2, 31, 33, 100, 4000, 70000))) if i % 3 == 1 else b"\x00\x20" + r.randbytes(32))
        except OSError:
            pass  # it closed on us, as it may
        t.close()
    return idle


def siege():
    try:
        s = Siege()
    except NotPermitted as e:
        c.that(False, "NOTHING OF THIS TEST RAN: no hosts can be made here (it needs root, or user namespaces, and /dev/net/tun)", e)
        return
    c.that(wait_for(lambda: s.counters()["dht.nodes"] == 4 and len(s.line.kept) >= 40, 20 * SLOW) is not None, "the victim has friends",
           s.counters()["dht.nodes"])
    noise(s)  # once before memory is measured: caches fill, and stay
    first, before = s.memory(), s.counters()
    s.sent = 0
    for what in (noise, spoilt, sealed_rubbish):
        t0 = time.monotonic()
        what(s)
        took = time.monotonic()
        c.that(s.ask("node.status")["uptime_ms"] > 0, f"{what.__name__}: the owner is served")
        took = time.monotonic() - took
        c.that(took < 1 * SLOW, f"{what.__name__}: at once", f"{took:.2f} s")
        found = s.friends[0].client()
        got = found.call("node.lookup", key=s.key.hex(), kind="node")
        found.close()
        c.that(got["found"], f"{what.__name__}: friends are answered", got)
        print(f"{what.__name__}: {time.monotonic() - t0:.1f} s, {s.sent} datagrams so far, {s.line.answers} answered", flush=True)
    idle = streams(s)
    c.that(s.ask("node.status")["uptime_ms"] > 0, "noise by TCP: the owner is served")
    late = s.node("late", "198.18.30.1", [f"{s.key.hex()}@198.18.1.1:{PORT}"])
    late.start()

    def in_session():
        with late.client() as k:
            return k.call("node.status")["sessions"]
    c.that(wait_for(in_session, 15 * SLOW) is not None, "and a newcomer gets a session, while others hold theirs open and say nothing", s.counters())
    for t in idle:
        t.close()
    after = s.counters()
    heard = sum(after[k] - before[k] for k in ("dht.received", "dht.dropped_sealed", "dht.dropped_budget"))
    c.that(heard > s.sent * 0.7, "most of it came in", (heard, s.sent, after))
    c.that(not s.line.over, "no address got more bytes than came from it", s.line.over[:5])
    c.that(s.line.answers > 100, "though it answers strangers", s.line.answers)
    c.that(after["dht.nodes"] <= 6 and after["dht.requests"] < 100, "no stranger stands in its table", (after["dht.nodes"], after["dht.requests"]))
    grown = s.memory() - first
    c.that(grown < GROWTH_MOST, f"memory grew by less than {GROWTH_MOST >> 20} MiB", f"{grown / (1 << 20):.1f} MiB, to {s.memory() >> 20}")
    print(f"{heard} of {s.sent} datagrams were heard; memory grew by {grown / (1 << 20):.1f} MiB; "
          f"out/in by UDP: {sum(s.line.went.values())} / {sum(s.line.came.values())} bytes", flush=True)
    s.victim.stop()
    c.that(s.victim.process.returncode == 0, "it ends cleanly", s.victim.words())


c.run([siege])
