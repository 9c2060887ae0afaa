"""letters.py: letters and mailboxes, from spec/letters.md."""
import primitives as c
from net import check, need, same
from records import seal_open, work_of
from wire import Family


def be8(n):
    return n.to_bytes(8, "big")


@check("letter")
def letter(net, v):
    """Section 1: what a recipient does with an envelope."""
    mail, data = Family.load("mail"), bytes.fromhex(v["envelope"])
    e = mail.read("envelope", data)
    inner = mail.read("inner", seal_open(bytes.fromhex(v["secret"]), e["to"], e["sealed"]))
    said = mail.read("letter", inner["letter"])
    letter_id = net.hash("souk:letter", inner["letter"])
    where = inner.get("where", b"")
    need(said["to"] == e["to"], "signature")
    need(net.signed(said["from"], inner["sig"], "souk:letter-to", letter_id, e["prekey"], where), "signature")
    same(v, id=letter_id, envelope_id=net.hash("souk:envelope", data), where=where, kind=said["kind"],
         thread=said["thread"], created=said["created"], body=said["body"], **{"from": said["from"]})
    return "good"


@check("ack")
def ack(net, v):
    m = Family.load("mail").read("ack", bytes.fromhex(v["bytes"]))
    need(net.signed(m["by"], m["sig"], "souk:letter-ack", m["letter"], bytes([m["verdict"]])), "signature")
    return "good"


@check("mailbox_key")
def mailbox_key(net, v):
    seed = c.blake2b(bytes(32), "souk:mailbox", key=bytes.fromhex(v["identity_seed"]))
    same(v, key=c.public_of(seed))
    return "good"


@check("mailbox_open")
def mailbox_open(net, v):
    m, server = Family.load("mail").read("open", bytes.fromhex(v["bytes"])), bytes.fromhex(v["server"])
    need(net.signed(m["who"], m["sig"], "souk:mbox-open", m["who"], m["key"], server, be8(m["time"])), "signature")
    return "good"


@check("mailbox_take")
def mailbox_take(net, v):
    m, server = Family.load("mail").read("take", bytes.fromhex(v["bytes"])), bytes.fromhex(v["server"])
    parts = server, m["who"], m["challenge"], *m.get("erase", [])
    need(net.signed(bytes.fromhex(v["key"]), m["sig"], "souk:mbox-take", *parts), "signature")
    return "good"


@check("leave")
def leave(net, v):
    """Section 4: a ticket of this mailbox, or work."""
    mail = Family.load("mail")
    m = mail.read("leave", bytes.fromhex(v["bytes"]))
    e = mail.read("envelope", m["envelope"])
    if "ticket" in m:
        t = m["ticket"]
        if net.signed(bytes.fromhex(v["key"]), t["sig"], "souk:mbox-ticket", e["to"], t["serial"], be8(t["until"])):
            return "good"
    need(work_of(net.hash("souk:envelope", m["envelope"]), m["nonce"]) >= min(net.work_bits, 14), "work")
    return "good"


@check("thread")
def thread(net, v):
    two = sorted([bytes.fromhex(v["one"]), bytes.fromhex(v["two"])])
    same(v, thread=net.hash("souk:thread", *two, bytes.fromhex(v.get("about", "00" * 32))))
    return "good"
