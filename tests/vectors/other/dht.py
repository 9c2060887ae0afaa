"""dht.py: ids, sealed datagrams, plaintexts and signed values, from spec/dht.md."""
import primitives as c
from net import check, need, same, zero_bits
from wire import Family

SKEW_S, AHEAD_S = 600, 8 * 86400


def dht_id(net, key):
    return net.hash("souk:dht-id", key)


def puzzle_ok(net, key):
    return zero_bits(net.hash("souk:dht-puzzle", dht_id(net, key))) >= net.puzzle_bits


@check("node")
def node(net, v):
    key = bytes.fromhex(v["key"])
    same(v, id=dht_id(net, key))
    need(puzzle_ok(net, key), "work")
    return "good"


@check("datagram")
def datagram(net, v):
    """"Datagram", in the order of its checks; what depends on rates is left out."""
    data, seed = bytes.fromhex(v["datagram"]), bytes.fromhex(v["receiver_seed"])
    own = c.public_of(seed)
    need(77 < len(data) <= 1200 and data[0] == 1 and data[1:5] == own[:4], "form")
    sender = data[5:37]
    need(sender != own, "form")
    need(puzzle_ok(net, sender), "work")
    x = c.x_of_node(sender)
    shared = x and c.x25519(c.x_secret_of_seed(seed), x)
    need(shared, "form")
    key = net.hash("souk:dht-seal", shared, sender, own)
    plain = c.xaead_open(key, data[37:61], data[61:], data[:61])
    need(plain is not None, "signature")
    same(v, sender=sender, plaintext=plain)
    return "good"


@check("plaintext")
def plaintext(_, v):
    data, family = bytes.fromhex(v["plaintext"]), Family.load("datagram")
    need(len(data) >= 9, "form")
    same(v, number=data[0], request=data[1:9])
    need(data[0] in family.numbers, "unknown")
    m = family.read(family.numbers[data[0]], data[9:])
    if "ipv4" in m or "ipv6" in m:
        need(not ("ipv4" in m and "ipv6" in m), "form")
        need(len(m.get("ipv4", b"")) % 38 == 0 and len(m.get("ipv6", b"")) % 50 == 0, "form")
    return "good"


@check("value")
def value(net, v):
    """"Values": form, times, signature."""
    data, family, now_s = bytes.fromhex(v["value"]), Family.load("value"), v["now"] // 1000
    need(66 <= len(data) <= 1000 and data[0] in family.numbers, "form")
    kind = family.numbers[data[0]]
    m = family.read(kind, data[1:-64])
    need(now_s <= m["expires"] + SKEW_S and m["expires"] <= now_s + AHEAD_S + SKEW_S, "time")
    author, about = {"presence": lambda: (m["who"], [m["who"]]),
                     "provider": lambda: (m["node"], [m["topic"]]),
                     "pointer": lambda: (m["author"], [m["author"], m["salt"]])}[kind]()
    need(net.signed(author, data[-64:], "souk:dht-value", data[:-64]), "signature")
    same(v, key=net.hash("souk:dht-key", data[:1], *about), author=author, seq=m["seq"], kind=data[0])
    return "good"
