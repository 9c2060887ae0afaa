"""session.py: handshakes, hellos and frames, from spec/session.md."""
import primitives as c
from net import Other, check, need, same
from wire import Family, Form, read

VERSION = 1


def framed(data):
    return len(data).to_bytes(2, "big") + data


@check("handshake")
def handshake(net, v):
    seeds, fresh, hellos = ([bytes.fromhex(x) for x in v[k]] for k in ("node_seeds", "ephemerals", "hellos"))
    prologue = b"souk" + bytes([VERSION]) + net.id
    sides = [c.Noise(i == 0, prologue, c.x_secret_of_seed(seeds[i]), fresh[i]) for i in (0, 1)]
    for i, payload in enumerate((b"", hellos[1], hellos[0])):
        said = sides[i % 2].write(payload)
        if framed(said).hex() != v["handshake"][i] or sides[1 - i % 2].read(said) != payload:
            raise Other(f"message {i}")
    for side, hello_bytes in zip(sides, reversed(hellos)):
        hello_check(hello_bytes, side.remote, None, None)
    ciphers = dict(zip(("accepter", "dialler"), (s.split()[1] for s in sides)))  # what the other side sends
    for frame in v["frames"]:
        data = bytes.fromhex(frame["bytes"])
        need(int.from_bytes(data[:2], "big") == len(data) - 2, "form")
        plain = ciphers[frame["from"]].open(data[2:])
        need(plain is not None, "signature")
        same(frame, plain=plain)
        take_apart(plain)
    return "good"


def hello_check(data, static, own, dialled):
    """Section 2: when a receiver closes."""
    hello = Family.load("session").read("hello", data)
    need(c.x_of_node(hello["node"]) == static, "signature")
    need(hello["node"] != own and dialled in (None, hello["node"]), "refused")
    need(hello["least"] <= VERSION <= hello["most"], "version")


@check("hello")
def hello(_, v):
    dialled = bytes.fromhex(v["dialled"]) if "dialled" in v else None
    hello_check(bytes.fromhex(v["hello"]), bytes.fromhex(v["static"]), bytes.fromhex(v["self"]), dialled)
    return "good"


def take_apart(plain):
    """Section 4: (channel, number, body as a value)."""
    array = read(plain)
    if not isinstance(array, list) or len(array) != 3:
        raise Form("not [channel, number, body]")
    channel, number, body = array
    for n, most in ((channel, 255), (number, 65535)):
        if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n <= most:
            raise Form("channel or number")
    return channel, number, body


FAMILIES = {0: "session", 1: "gossip", 2: "gossip", 3: "mail", 4: "ledger"}


@check("plain")
def plain(_, v):
    channel, number, body = take_apart(bytes.fromhex(v["plain"]))
    same(v, channel=channel, number=number)
    need(channel in FAMILIES, "unknown")
    family = Family.load(FAMILIES[channel])
    need(number in family.numbers, "unknown")
    family.check(family.numbers[number], body)
    return "good"


@check("message")
def message(_, v):
    """A body of another channel."""
    family = Family.load(FAMILIES[v["channel"]])
    need(v["number"] in family.numbers, "unknown")
    family.read(family.numbers[v["number"]], bytes.fromhex(v["body"]))
    return "good"
