"""stranger.py: a node that shares no code with souk, for tests to let it meet real ones.  It is made of
tests/vectors/other, which was written from the chapters of spec/ alone.

 - Person: an identity that lives at such a node: signs, makes records and letters.
 - Foreign: the node: a session by TCP (dial, say, hear, until), records and rounds, letters (post, letter),
   datagrams (ask).
"""
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
from reconcile import Side
from wire import Family, write

from souk import SLOW

GOSSIP, BLOB, MAIL, LEDGER = 1, 2, 3, 4
PROFILE, LISTING, PREKEY = 1, 2, 8
WEEK_MS = 7 * 86400000
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


def seal(plain, to, ad):
    """crypto.md, section 7."""
    size = next(s for s in records.SEALED_SIZES if s >= len(plain) + 51)
    e = os.urandom(32)
    public = crypto.x25519(e)
    key = crypto.blake2b(crypto.x25519(e, to) + public + to, "souk:seal")
    padded = len(plain).to_bytes(2, "big") + plain
    return b"\x01" + public + crypto.aead_seal(crypto.hchacha20(key, bytes(16)), bytes(12),
                                               padded + bytes(size - 49 - len(padded)), ad)


class Foreign:
    """A node: one session by TCP, one socket for datagrams."""

    def __init__(self):
        self.seed = os.urandom(32)
        self.key = crypto.public_of(self.seed)
        self.held = {}  # id -> (topic, created, bytes)
        self.heard = []
        self.topics = None
        self.people, self.letters = {}, []  # identities that live here; (letter, id) that came for them

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
        elif (channel, number) == (MAIL, 1):
            self.letter(fields["envelope"])
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

    # ---- letters: letters.md ----
    def letter(self, envelope):
        """One that came: opened, judged, acknowledged."""
        mail = Family.load("mail")
        e = mail.read("envelope", envelope)
        who = self.people[e["to"]]
        inner = mail.read("inner", records.seal_open(who.secret, e["to"], e["sealed"]))
        letter, letter_id = mail.read("letter", inner["letter"]), NET.hash("souk:letter", inner["letter"])
        assert e["prekey"] == who.prekey and letter["to"] == e["to"], "a letter for somebody else"
        assert NET.signed(letter["from"], inner["sig"], "souk:letter-to", letter_id, e["prekey"],
                          inner.get("where", b"")), "a letter whose signature does not verify"
        self.say(MAIL, 2, {0: letter_id, 1: who.id, 2: 0, 3: who.sign("souk:letter-ack", letter_id, b"\0")})
        if letter_id not in [x for _, x in self.letters]:
            self.letters.append((letter, letter_id))

    def prekey_of(self, who):
        """The key to seal to now; a new identity publishes its first ones in its own time."""
        for _ in range(20):
            self.say(GOSSIP, 8, {0: who, 1: PREKEY})
            came = self.until(lambda ch, n, m: (ch, n) == (GOSSIP, 5) and any(
                records.envelope(NET, r)[0][1:3] == [PREKEY, who] for r in m["records"]), 1)
            if came:
                body = Family.load("record").check("prekey", records.envelope(NET, came["records"][0])[0][6])
                return next(w["key"] for w in body["keys"] if w["from"] <= now_ms() < w["until"])
        return None

    def post(self, person, to, kind, body, about=bytes(32)):
        """A letter to somebody at the other end of the session; gives its acknowledgement and its thread."""
        key = self.prekey_of(to)
        thread = NET.hash("souk:thread", *sorted([to, person.id]), about)
        letter = write({0: person.id, 1: to, 2: thread, 3: kind, 4: now_ms(), 5: body})
        letter_id = NET.hash("souk:letter", letter)
        inner = write({0: letter, 1: person.sign("souk:letter-to", letter_id, key)})
        self.say(MAIL, 1, {0: write({0: to, 1: key, 2: seal(inner, key, to)})})
        ack = self.until(lambda ch, n, m: (ch, n) == (MAIL, 2) and m["letter"] == letter_id)
        if ack:
            assert NET.signed(to, ack["sig"], "souk:letter-ack", letter_id, bytes([ack["verdict"]]))
        return ack, thread

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
