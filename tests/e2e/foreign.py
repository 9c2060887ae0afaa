#!/usr/bin/env python3
"""foreign.py BUILD: a node that shares no code with souk meets a real one.  It is made of tests/vectors/other,
which was written from the chapters of spec/ alone: it dials, shakes hands, settles a topic by Negentropy, fetches
and gives records, writes and gets letters, and speaks to the DHT by sealed datagrams."""
import os
import pathlib
import select
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vectors/other"))
import net as network
import primitives as crypto
import records
import session
from dht import dht_id
from reconcile import Side
from wire import Family, write

from souk import SLOW, Checks, wait_for

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
GOSSIP, BLOB, MAIL, LEDGER = 1, 2, 3, 4
PROFILE, LISTING, PREKEY = 1, 2, 8
WEEK_MS = 7 * 86400000
c = Checks()
NET = network.Net({"name": "test-e2e", "work_bits": 0, "puzzle_bits": 0})


def now_ms():
    return int(time.time() * 1000)


class Person:
    """An identity that lives at a foreign node."""

    def __init__(self):
        self.seed = os.urandom(32)
        self.id = crypto.public_of(self.seed)
        self.secret = os.urandom(32)  # of its prekey
        self.prekey = crypto.x25519(self.secret)

    def sign(self, use, *parts):
        return crypto.sign(self.seed, NET.hash(use, *parts))

    def record(self, kind, topic, body, life_ms=86400000):
        """crypto.md, section 4; no work is asked here."""
        now = now_ms()
        hashed = b"".join(write(v) for v in (1, kind, self.id, topic, now, now + life_ms, body))
        return b"\x99" + hashed + write(0) + write(self.sign("souk:record", hashed))

    def topic(self):
        return "people/" + self.id[:1].hex()


class Foreign:
    """A node: one session by TCP, one socket for datagrams."""

    def __init__(self):
        self.seed = os.urandom(32)
        self.key = crypto.public_of(self.seed)
        self.held = {}  # id -> (topic, created, bytes)
        self.heard = []
        self.topics = None

    # ---- the session ----
    def dial(self, port, node_key):
        self.s = socket.create_connection(("127.0.0.1", port), 20 * SLOW)
        self.stream = b""
        noise = crypto.Noise(True, b"souk\x01" + NET.id, crypto.x_secret_of_seed(self.seed), os.urandom(32))
        self.s.sendall(session.framed(noise.write(b"")))
        hello = noise.read(self.frame())
        session.hello_check(hello, noise.remote, self.key, node_key)
        self.s.sendall(session.framed(noise.write(write({0: self.key, 1: 1, 2: 1, 3: 0, 4: 0}))))
        self.out, self.into = noise.split()

    def frame(self):
        def take(n):
            while len(self.stream) < n:
                more = self.s.recv(65536)
                if not more:
                    raise ConnectionError("the node closed the session")
                self.stream += more
            got, self.stream = self.stream[:n], self.stream[n:]
            return got
        return take(int.from_bytes(take(2), "big"))

    def say(self, channel, number, body):
        self.s.sendall(session.framed(self.out.seal(b"\x93" + write(channel) + write(number) + write(body))))

    def hear(self):
        """One frame: kept, and answered where a node must."""
        plain = self.into.open(self.frame())
        assert plain is not None, "a frame does not authenticate"
        channel, number, body = session.take_apart(plain)
        family = Family.load(session.FAMILIES[channel])
        fields = family.check(family.numbers[number], body)
        self.heard.append((channel, number, fields))
        if (channel, number) == (0, 1):
            self.say(0, 2, {})
        elif (channel, number) == (GOSSIP, 1):
            self.topics = fields
        elif (channel, number) == (GOSSIP, 7) and not fields["answer"]:
            message = self.side(fields["topic"], False).answer(fields["message"])
            self.say(GOSSIP, 7, {0: fields["topic"], 1: fields["round"], 2: True, 3: message})
        elif (channel, number) == (GOSSIP, 4):
            self.say(GOSSIP, 5, {0: [self.held[x][2] for x in fields["ids"] if x in self.held]})
        elif (channel, number) in ((GOSSIP, 2), (GOSSIP, 5)):
            for data in fields["records"]:
                self.keep(data)
        return self.heard[-1]

    def until(self, what, timeout_s=15):
        """The first frame heard for which what(channel, number, fields) holds; None when it does not come."""
        seen, end = 0, time.monotonic() + timeout_s * SLOW
        while time.monotonic() < end:
            for one in self.heard[seen:]:
                if what(*one):
                    return one[2]
            seen = len(self.heard)
            if self.stream or select.select([self.s], [], [], 0.2)[0]:
                self.hear()
        return None

    # ---- records ----
    def keep(self, data):
        (_, _, _, topic, created, *_), record_id = records.envelope(NET, data)  # raises on anything wrong
        self.held[record_id] = (topic, created, data)
        return record_id

    def side(self, topic, initiator):
        return Side([(t, x) for x, (of, t, _) in self.held.items() if of == topic], 48000, initiator)

    def settle(self, topic, number):
        """A round as its initiator: offers what the other lacks, and gives the ids that this node needs."""
        side = self.side(topic, True)
        message = side.first()
        while len(message) > 1:
            self.say(GOSSIP, 7, {0: topic, 1: number, 2: False, 3: message})
            before = len(self.heard)
            answer = self.until(lambda ch, n, m: (ch, n) == (GOSSIP, 7) and m["answer"] and m["round"] == number
                                and len(self.heard) > before)
            if answer is None:
                return None
            self.heard = [h for h in self.heard if h[2] is not answer]
            message = side.answer(answer["message"])
        if side.have:
            self.say(GOSSIP, 3, {0: sorted(side.have)})
        return side.need

    # ---- datagrams: dht.md ----
    def datagrams(self, port, node_key):
        self.u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.u.bind(("127.0.0.1", 0))
        self.u.connect(("127.0.0.1", port))
        self.u.settimeout(5 * SLOW)
        self.peer = node_key
        self.shared = crypto.x25519(crypto.x_secret_of_seed(self.seed), crypto.x_of_node(node_key))

    def ask(self, number, body):
        """(number, fields) of the answer to a request, whose padding makes room for any answer."""
        request = os.urandom(8)
        plain = bytes([number]) + request + write(body)
        head = b"\x01" + self.peer[:4] + self.key + os.urandom(24)
        key = NET.hash("souk:dht-seal", self.shared, self.key, self.peer)
        self.u.send(head + crypto.xaead_seal(key, head[37:], plain, head))
        while True:
            data = self.u.recv(2000)
            assert len(data) <= 1200 and data[:5] == b"\x01" + self.key[:4] and data[5:37] == self.peer
            key = NET.hash("souk:dht-seal", self.shared, self.peer, self.key)
            plain = crypto.xaead_open(key, data[37:61], data[61:], data[:61])
            assert plain is not None, "a datagram does not open"
            if plain[1:9] == request:
                family = Family.load("datagram")
                return plain[0], family.read(family.numbers[plain[0]], plain[9:])


node = c.node(BUILD, "native", flags=["--reconcile-ms", "500", "--log", "warn"])
node.ready = lambda: (node.home / "souk.sock").exists()
peer, eva = Foreign(), Person()


def start():
    node.start()
    c.that(wait_for(lambda: answers(), 10 * SLOW) is not None, "a node is up")
    with node.client() as k:
        c.owner = k.call("id.new", name="Ann", passphrase="x")["id"]
        c.listing = k.call("listing.publish", type="goods", title="Vélo hollandais", description="Trois vitesses.",
                           language="fr", category="bikes/city", condition="good", price=[12000, b"EUR"], region="FR",
                           delivery=[{"mode": "meet"}], rails=["direct"])["id"]
        c.key = k.call("node.status")["node"]


def answers():
    try:
        with node.client() as k:
            return k.call("node.status")
    except OSError:
        return None


def shakes_hands():
    peer.dial(node.port, c.key)
    c.that(peer.until(lambda ch, n, m: (ch, n) == (GOSSIP, 1)) is not None, "the handshake is done, topics are told")
    c.that(peer.topics and peer.topics["all"] is True, "it carries everything", peer.topics)
    peer.say(GOSSIP, 1, {0: True, 1: []})
    peer.say(0, 1, {})
    c.that(peer.until(lambda ch, n, m: (ch, n) == (0, 2)) is not None, "a ping is answered")
    peer.say(200, 1, {})
    peer.say(GOSSIP, 999, {})
    with node.client() as k:
        mine = [p for p in k.call("node.peers")["peers"] if p["node"] == peer.key]
        c.that(len(mine) == 1 and not mine[0]["outbound"], "the node names its peer", mine)


def settles_a_topic():
    need = peer.settle("bikes/FR", 7)
    c.that(need == {c.listing}, "a round tells the id that is lacking", need)
    peer.say(GOSSIP, 4, {0: [c.listing]})
    c.that(peer.until(lambda *_: c.listing in peer.held) is not None, "and the record comes when it is wanted")
    if c.listing not in peer.held:
        return
    elements, _ = records.envelope(NET, peer.held[c.listing][2])
    body = Family.load("record").check("listing", elements[6])
    c.that(body["title"] == "Vélo hollandais" and elements[2] == c.owner, "signed by its author, as was published")
    c.that(peer.settle("bikes/FR", 8) == set(), "then nothing is lacking")


def gives_records():
    """A profile with the node it lives at and prekeys are pushed, a listing is offered in a round."""
    week = now_ms() // WEEK_MS
    profile = eva.record(PROFILE, eva.topic(), {0: "Eva", 8: peer.key})
    prekeys = eva.record(PREKEY, eva.topic(), {0: [{0: week, 1: eva.prekey, 2: week * WEEK_MS, 3: (week + 1) * WEEK_MS}]})
    chair = eva.record(LISTING, "furniture/FR", {
        0: 0, 1: "Fauteuil Voltaire", 2: "À restaurer.", 3: "fr", 4: "furniture/chairs", 5: 3, 6: [4000, b"EUR"], 7: True,
        8: 1, 12: "FR", 13: [{0: 1}], 14: [1], 23: os.urandom(16)})
    for x in (profile, prekeys, chair):
        peer.keep(x)
    peer.say(GOSSIP, 2, {0: [profile, prekeys]})
    with node.client() as k:
        def known():
            try:
                return k.call("profile.show", id=eva.id)["name"] == "Eva"
            except Exception:
                return False
        c.that(wait_for(known, 10 * SLOW) is not None, "a record that was pushed is kept")

        def found():
            peer.until(lambda *_: False, 0.1)  # gives what is wanted
            return k.call("search.run", words="voltaire")["total"] == 1
        c.that(peer.settle("furniture/FR", 9) == set() and wait_for(found, 10 * SLOW) is not None,
               "one that was not is asked for after a round")
        before = k.call("node.peers")["peers"][0]["conduct"]
        peer.say(GOSSIP, 2, {0: [eva.record(PROFILE, eva.topic(), {0: "Eve", 8: peer.key})[:-1] + b"\x00"]})
        c.that(wait_for(lambda: k.call("node.peers")["peers"][0]["conduct"] > before, 10 * SLOW) is not None,
               "a signature that does not verify counts against its sender")
        c.that(k.call("profile.show", id=eva.id)["name"] == "Eva", "and changes nothing")
    peer.say(GOSSIP, 8, {0: eva.id, 1: PROFILE})
    c.that(peer.until(lambda ch, n, m: (ch, n) == (GOSSIP, 5) and m["records"] == [profile]) is not None,
           "records of a person are given as the very bytes received")


def seal(plain, to, ad):
    """crypto.md, section 7."""
    size = next(s for s in records.SEALED_SIZES if s >= len(plain) + 51)
    e = os.urandom(32)
    public = crypto.x25519(e)
    key = crypto.blake2b(crypto.x25519(e, to) + public + to, "souk:seal")
    padded = len(plain).to_bytes(2, "big") + plain
    return b"\x01" + public + crypto.aead_seal(crypto.hchacha20(key, bytes(16)), bytes(12),
                                               padded + bytes(size - 49 - len(padded)), ad)


def gets_a_letter():
    with node.client() as k:
        sent = k.call("message.send", to=eva.id, text="Bonjour Eva")["id"]
        envelope = peer.until(lambda ch, n, m: (ch, n) == (MAIL, 1))
        c.that(envelope is not None, "a letter is delivered to the node that the profile names")
        if envelope is None:
            return
        mail, e = Family.load("mail"), Family.load("mail").read("envelope", envelope["envelope"])
        inner = mail.read("inner", records.seal_open(eva.secret, e["to"], e["sealed"]))
        letter = mail.read("letter", inner["letter"])
        letter_id = NET.hash("souk:letter", inner["letter"])
        c.that(letter["body"].decode() == "Bonjour Eva" and letter["from"] == c.owner and letter_id == sent,
               "it opens with the prekey's secret, and says what was written")
        c.that(NET.signed(c.owner, inner["sig"], "souk:letter-to", letter_id, e["prekey"], inner.get("where", b"")),
               "signed for this prekey")
        peer.say(MAIL, 2, {0: letter_id, 1: eva.id, 2: 0, 3: eva.sign("souk:letter-ack", letter_id, b"\x00")})

        def received():
            rows = [m for m in k.call("message.list")["messages"] if m["id"] == sent]
            return rows and rows[0]["state"] == "received"
        c.that(wait_for(received, 10 * SLOW) is not None, "an acknowledgement ends it")


def writes_a_letter():
    came = None
    for _ in range(20):  # a new identity publishes its first prekeys in its own time
        peer.say(GOSSIP, 8, {0: c.owner, 1: PREKEY})
        came = peer.until(lambda ch, n, m: (ch, n) == (GOSSIP, 5) and any(
            records.envelope(NET, r)[0][1:3] == [PREKEY, c.owner] for r in m["records"]), 1)
        if came:
            break
    c.that(came is not None, "prekeys are given when asked for")
    if came is None:
        return
    body = Family.load("record").check("prekey", records.envelope(NET, came["records"][0])[0][6])
    key = next(w["key"] for w in body["keys"] if w["from"] <= now_ms() < w["until"])
    thread = NET.hash("souk:thread", *sorted([c.owner, eva.id]), bytes(32))
    letter = write({0: eva.id, 1: c.owner, 2: thread, 3: 1, 4: now_ms(), 5: "Bonjour Ann, oui !".encode()})
    letter_id = NET.hash("souk:letter", letter)
    inner = write({0: letter, 1: eva.sign("souk:letter-to", letter_id, key)})
    envelope = write({0: c.owner, 1: key, 2: seal(inner, key, c.owner)})
    peer.say(MAIL, 1, {0: envelope})
    ack = peer.until(lambda ch, n, m: (ch, n) == (MAIL, 2) and m["letter"] == letter_id)
    c.that(ack is not None and ack["verdict"] == 0, "a letter to the owner is acknowledged", ack)
    c.that(ack is not None and NET.signed(c.owner, ack["sig"], "souk:letter-ack", letter_id, b"\x00"), "with a signature")
    with node.client() as k:
        texts = {m["text"]: m["thread"] for m in k.call("message.list")["messages"]}
        c.that(texts.get("Bonjour Ann, oui !") == thread, "and stands in the thread of the two", texts)


def speaks_to_the_dht():
    peer.datagrams(node.port, c.key)
    number, pong = peer.ask(1, {0: True, 15: bytes(60)})
    ip, port = peer.u.getsockname()
    seen = bytes(10) + b"\xff\xff" + socket.inet_aton(ip) + port.to_bytes(2, "big")
    c.that(number == 16 and pong["seen"] == seen, "a ping is answered with the address it came from", pong)
    number, nodes = peer.ask(2, {0: True, 1: dht_id(NET, peer.key), 2: 4, 15: bytes(860)})
    c.that(number == 17 and len(nodes.get("ipv4", b"")) % 38 == 0, "find_node is answered by nodes", nodes)
    target = NET.hash("souk:dht-key", b"\x01", eva.id)
    number, nodes = peer.ask(3, {0: True, 1: target, 2: 4, 3: 1, 15: bytes(1000)})
    c.that(number == 17 and len(nodes["token"]) == 8, "a get of what is not there gives nodes and a token", number)
    told = b"\x01" + write({0: eva.id, 1: now_ms(), 2: int(time.time()) + 3600, 3: [{0: c.key}]})
    value = told + eva.sign("souk:dht-value", told)
    number, answer = peer.ask(4, {0: True, 1: bytes(8), 2: value})
    c.that(number == 21 and answer["code"] == 15, "a put without a good token is refused", answer)
    number, answer = peer.ask(4, {0: True, 1: nodes["token"], 2: value[:-1] + bytes([value[-1] ^ 1])})
    c.that(number == 21 and answer["code"] == 6, "a value whose signature is wrong is refused", answer)
    number, answer = peer.ask(4, {0: True, 1: nodes["token"], 2: value})
    c.that(number == 20 and answer["life_s"] > 0, "a presence is stored", answer)
    number, answer = peer.ask(3, {0: True, 1: target, 2: 4, 3: 1, 15: bytes(1000)})
    c.that(number == 18 and answer["value"] == value, "and given back as the very bytes", number)


c.run([start, shakes_hands, settles_a_topic, gives_records, gets_a_letter, writes_a_letter, speaks_to_the_dht])
