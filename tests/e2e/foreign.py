#!/usr/bin/env python3
"""foreign.py BUILD: a node that shares no code with souk (stranger.py) meets a real one: shakes hands, settles a
topic by Negentropy, fetches and gives records, writes and gets letters, speaks to the DHT by sealed datagrams,
uses an issuer's credit, and buys something."""
import os
import socket
import sys
import time

from stranger import (GOSSIP, LEDGER, LISTING, MAIL, NET, PREKEY, PROFILE, WEEK_MS, Foreign, Person, crypto, now_ms,
                      records)
import ledger
import trade
from dht import dht_id
from wire import Family, read, write

from souk import SLOW, Checks, wait_for

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
c = Checks()
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
        mine = [p for p in k.call("node.peers")["sessions"] if p["node"] == peer.key]
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
        before = k.call("node.peers")["sessions"][0]["conduct"]
        peer.say(GOSSIP, 2, {0: [eva.record(PROFILE, eva.topic(), {0: "Eve", 8: peer.key})[:-1] + b"\x00"]})
        c.that(wait_for(lambda: k.call("node.peers")["sessions"][0]["conduct"] > before, 10 * SLOW) is not None,
               "a signature that does not verify counts against its sender")
        c.that(k.call("profile.show", id=eva.id)["name"] == "Eva", "and changes nothing")
    peer.say(GOSSIP, 8, {0: eva.id, 1: PROFILE})
    c.that(peer.until(lambda ch, n, m: (ch, n) == (GOSSIP, 5) and m["records"] == [profile]) is not None,
           "records of a person are given as the very bytes received")


def gets_a_letter():
    peer.people[eva.id] = eva
    with node.client() as k:
        sent = k.call("message.send", to=eva.id, text="Bonjour Eva")["id"]
        peer.until(lambda *_: peer.letters)
        letter, letter_id = peer.letters[0] if peer.letters else ({}, None)
        c.that(letter_id == sent and letter["body"].decode() == "Bonjour Eva" and letter["from"] == c.owner,
               "a letter comes to the node that the profile names, opens and verifies")

        def received():
            rows = [m for m in k.call("message.list")["messages"] if m["id"] == sent]
            return rows and rows[0]["state"] == "received"
        c.that(wait_for(received, 10 * SLOW) is not None, "its acknowledgement is told to its writer")


def writes_a_letter():
    ack, thread = peer.post(eva, c.owner, 1, "Bonjour Ann, oui !".encode())
    c.that(ack is not None and ack["verdict"] == 0, "a letter to the owner is acknowledged, signed", ack)
    with node.client() as k:
        texts = {m["text"]: m["thread"] for m in k.call("message.list")["messages"]}
        c.that(texts.get("Bonjour Ann, oui !") == thread, "and stands in the thread of the two", texts)
    ack, _ = peer.post(eva, c.owner, 99, b"?")
    c.that(ack is not None and ack["verdict"] == 27, "a kind that is not known is refused for good: 27", ack)


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


def submit(transfer):
    """What an issuer says to a transfer: (number, fields)."""
    transfer_id = NET.hash("souk:transfer", read(transfer)[0])
    peer.heard = [h for h in peer.heard if h[0] != LEDGER]
    peer.say(LEDGER, 1, {0: transfer})
    fields = peer.until(lambda ch, n, m: ch == LEDGER and n in (2, 3) and m["transfer"] == transfer_id)
    return next((n for ch, n, m in peer.heard if m is fields), 0), fields


def made(minor):
    """A note for Eva: as a map, and its id."""
    n = {0: minor, 1: ledger.simple_lock(eva.id), 3: os.urandom(16), 4: os.urandom(16)}
    return n, ledger.note_id(NET, c.owner, Family.load("ledger").check("note", n))


def spend(note_id, into):
    body = write({0: c.owner, 1: ledger.TRANSFER, 2: [note_id], 3: into})
    return write({0: body, 1: [{0: 0, 1: [{0: eva.id, 1: eva.sign("souk:transfer", body)}]}]})


def uses_credit():
    """credit.md: joining, a draw, its receipt, the same again, a double spend, consistency of heads."""
    with node.client() as k:
        k.call("credit.issuer", name="Grains", code="GRN", decimals=0, limit_minor=100, auto_approve=True)
        asked = now_ms()
        peer.say(LEDGER, 12, {0: c.owner, 1: eva.id, 2: asked, 4: eva.sign("souk:join", c.owner, eva.id,
                                                                           asked.to_bytes(8, "big"))})
        joined = peer.until(lambda ch, n, m: (ch, n) == (LEDGER, 13))
        c.that(joined is not None and joined["state"] == 2 and joined["limit_minor"] == 100, "a member joins", joined)
        note, note_id = made(60)
        body = write({0: c.owner, 1: ledger.DRAW, 2: [], 3: [note], 4: eva.id, 5: 60})
        draw = write({0: body, 1: [], 2: eva.sign("souk:transfer", body)})
        number, first = submit(draw)
        c.that(number == 2 and ledger.receipt_check(NET, c.owner, c.owner, first["receipt"]), "a draw is entered", number)
        number, again = submit(draw)
        c.that(number == 2 and again["receipt"]["index"] == first["receipt"]["index"], "submitted again it is the same leaf")
        number, entered = submit(spend(note_id, [made(25)[0], made(35)[0]]))
        c.that(number == 2 and entered["receipt"]["index"] > first["receipt"]["index"], "the note is spent into two")
        number, refused = submit(spend(note_id, [made(60)[0]]))
        c.that(number == 3 and refused["why"] == 4 and refused["note"] == note_id, "and not a second time", refused)
        c.that(number == 3 and refused["first"]["entry"] == entered["receipt"]["entry"] and
               ledger.receipt_check(NET, c.owner, c.owner, refused["first"]), "the refusal shows by what it was spent")
        number, refused = submit(spend(note_id, [made(61)[0]]))
        c.that(number == 3, "nor for more than it was worth")
        heads = first["receipt"]["head"], entered["receipt"]["head"]
        peer.say(LEDGER, 6, {0: c.owner, 1: heads[0]["size"], 2: heads[1]["size"]})
        proof = peer.until(lambda ch, n, m: (ch, n) == (LEDGER, 7))
        c.that(proof is not None and ledger.consistent(heads[0]["size"], heads[0]["root"], heads[1]["size"],
                                                       heads[1]["root"], proof["path"]),
               "the later head is proven to go on from the earlier one", proof)


# ---- a purchase on the direct rail: trade.md ----
def fact(kind, body, before=None, seen=None):
    """A fact of Eva's about her purchase."""
    envelope = {0: 1, 1: c.trade, 2: eva.id, 3: 0, 4: before.e["seq"] + 1 if before else 1,
                6: [{0: seen.author, 1: seen.id}] if seen else [], 7: kind, 8: now_ms(), 9: body}
    if before:
        envelope[5] = before.id
    return write({0: envelope, 1: eva.sign("souk:fact", write(envelope))})


def key_of_eva():
    """A trade key with proof of possession, and where to pay to."""
    seed = os.urandom(32)
    key = crypto.public_of(seed)
    proof = crypto.sign(seed, NET.hash("souk:possession", key, c.trade, eva.id))
    return {0: key, 1: proof, 2: crypto.public_of(os.urandom(32))}


def comes(kind):
    """The seller's fact of that kind, out of a letter."""
    def there():
        found = [trade.Fact(NET, m["body"]) for m, _ in peer.letters if m["kind"] == 2]
        return [f for f in found if f.kind == kind]
    peer.until(lambda *_: there())
    return there()[0]


def buys():
    price, hour, now = [12000, b"EUR"], 3600000, now_ms()
    revision = records.envelope(NET, peer.held[c.listing][2])[0][4]
    terms = {0: os.urandom(16), 1: eva.id, 2: c.owner, 5: c.listing, 6: revision, 7: 1, 9: price, 12: price, 15: 1, 17: 2,
             19: 0, 21: now + 2 * hour, 22: now + 3 * hour, 23: now + 4 * hour, 24: now + 5 * hour, 25: now + 7 * hour,
             27: now + 20 * hour, 28: hour, 29: 0, 30: 5000, 31: now + hour}
    fields = Family.load("fact").check("terms", terms)
    trade.terms_check(fields)
    c.trade, stub = trade.trade_id(NET, fields), trade.stub_of(NET, fields)
    offer = fact(1, {0: terms, 1: key_of_eva(), 2: eva.sign("souk:stub", stub)})
    ack, _ = peer.post(eva, c.owner, 2, offer, c.trade)
    c.that(ack is not None and ack["verdict"] == 0, "an offer is taken", ack)
    with node.client() as k:
        def phase(name):
            return wait_for(lambda: k.call("trade.show", trade=c.trade)["row"]["phase"] == name, 10 * SLOW) is not None
        c.that(phase("offered"), "and stands")
        k.call("trade.accept", trade=c.trade)
        offer, accept = trade.Fact(NET, offer), comes(trade.ACCEPT)
        c.that(trade.Trade(NET, [offer, accept]).accepted(accept) is not None, "the accept makes a contract of it")
        paid_sig = eva.sign("souk:paid", stub)
        ack, _ = peer.post(eva, c.owner, 2, fact(11, {1: paid_sig}, offer, accept), c.trade)
        c.that(ack is not None and ack["verdict"] == 0 and phase("paid"), "the buyer says paid", ack)
        k.call("trade.received", trade=c.trade)
        received = comes(12)
        c.that(NET.signed(c.owner, received.body["stub_sig"], "souk:received", stub), "the seller signs that it came")
        proof = {0: read(stub), 1: offer.body["stub_sig"], 2: accept.body["stub_sig"], 4: paid_sig,
                 5: received.body["stub_sig"]}
        c.that(records.stub_proof(NET, {"bytes": write(proof).hex()}) == "good", "a stranger can check the trade")
        peer.say(GOSSIP, 2, {0: [eva.record(4, "people/" + c.owner[:1].hex(), {0: c.owner, 1: 5, 3: "Parfait.", 4: proof})]})

        def rated():
            rows = k.call("rating.list", subject=c.owner)["ratings"]
            return rows and rows[0]["stars"] == 5 and rows[0]["author"] == eva.id
        c.that(wait_for(rated, 10 * SLOW) is not None, "and the buyer's rating counts")


c.run([start, shakes_hands, settles_a_topic, gives_records, gets_a_letter, writes_a_letter, speaks_to_the_dht,
       uses_credit, buys])
