"""records.py: records and what else crypto.md and market.md say of public things."""
import re

import primitives as c
from net import Other, Refused, check, need, same, zero_bits
from wire import Family, Form, Reader, write

YEAR_9999 = 253402300799999
HEAD, REVOCATION, FRAUD = 7, 10, 11


def topic_ok(topic):
    if not 3 <= len(topic.encode()) <= 64:
        return False
    if topic.startswith("people/"):
        return bool(re.fullmatch(r"people/[0-9a-f]{2}", topic))
    return bool(re.fullmatch(r"[a-z][a-z0-9-]*/([A-Z]{2}|\*)", topic))


def work_of(record_id, nonce):
    return zero_bits(c.blake2b(record_id + nonce.to_bytes(8, "big"), "souk:work"))


def floor(net, kind, size):
    """crypto.md, section 6."""
    if net.work_bits == 0:
        return 0
    bits = net.work_bits
    while size > 1024 << (bits - net.work_bits):
        bits += 1
    return max(0, bits - 4) if kind in (HEAD, REVOCATION, FRAUD) else bits


def envelope(net, data):
    """The elements of a record and its id, as crypto.md, section 4, judges them."""
    need(len(data) <= 16384, "form")
    r = Reader(data)
    if r.head() != ("array", 9):
        raise Form("not an array of nine")
    elements = []
    for i in range(9):
        elements.append(r.value(1))
        if i == 6:
            hashed = data[1:r.at]
    need(r.at == len(data), "form")
    version, kind, author, topic, created, expires, body, nonce, sig = elements
    for v, least, most in ((version, 1, 255), (kind, 1, 255), (created, 0, YEAR_9999), (expires, 0, YEAR_9999),
                           (nonce, 0, 2**64 - 1)):
        need(isinstance(v, int) and not isinstance(v, bool) and least <= v <= most, "form")
    need(isinstance(author, bytes) and len(author) == 32 and isinstance(sig, bytes) and len(sig) == 64, "form")
    need(isinstance(topic, str) and topic_ok(topic) and isinstance(body, dict), "form")
    need(created < expires <= created + 34560000000, "form")
    record_id = net.hash("souk:record", hashed)
    least = floor(net, kind, len(hashed))
    need(least == 0 or work_of(record_id, nonce) >= least, "work")
    need(c.verify(author, record_id, sig), "signature")
    return elements, record_id


def slot_of(net, kind, body):
    """market.md, "Slots"; None: each of that kind is kept."""
    if kind == "listing" or kind == "withdrawal":
        return body["slot"]
    if kind == "rating":
        answer = bytes([body.get("answer", False)])
        return net.hash("souk:slot", body["proof"]["stub"]["trade"], body["subject"], answer)[:16]
    if kind == "list":
        return net.hash("souk:slot", body["class"].encode(), b"\0", body["name"].encode())[:16]
    return None if kind == "fraud" else bytes(16)


@check("record")
def record(net, v):
    (version, kind, author, *_, body, _, _), record_id = envelope(net, bytes.fromhex(v["bytes"]))
    same(v, id=record_id, kind=kind, author=author)
    family = Family.load("record")
    name = family.numbers.get(kind)
    need(version == 1 and name, "unknown")
    try:
        fields = family.check(name, body)
    except Form:
        return "body"
    slot = slot_of(net, name, fields)
    if slot is not None:
        same(v, slot=slot)
    return "good"


@check("stub")
def stub(net, v):
    data = bytes.fromhex(v["bytes"])
    Family.load("record").read("stub", data)
    same(v, stub=net.hash("souk:stub", data), paid=net.hash("souk:paid", data),
         received=net.hash("souk:received", data))
    return "good"


@check("stub_proof")
def stub_proof(net, v):
    """market.md, "Ratings", 2, 3 and 5."""
    p = Family.load("record").read("stub_proof", bytes.fromhex(v["bytes"]))
    s = p["stub"]
    data = write(s.raw)
    need(s["buyer"] != s["seller"] and s.get("arbiter") not in (s["buyer"], s["seller"]), "rule")
    need(("arbiter" in s) == ("arbiter_sig" in p), "rule")
    need(net.signed(s["buyer"], p["buyer_sig"], "souk:stub", data), "signature")
    need(net.signed(s["seller"], p["seller_sig"], "souk:stub", data), "signature")
    if "arbiter" in s:
        need(net.signed(s["arbiter"], p["arbiter_sig"], "souk:stub", data), "signature")
    if s["rail"] == 1:
        need("paid_sig" in p and "received_sig" in p, "rule")
        need(net.signed(s["buyer"], p["paid_sig"], "souk:paid", data), "signature")
        need(net.signed(s["seller"], p["received_sig"], "souk:received", data), "signature")
    return "good"


# ---- crypto.json, whose layout is its own -------------------------------------------------------------

SEALED_SIZES = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 61440]


def seal_open(secret, ad, sealed):
    """crypto.md, section 7: the plaintext."""
    need(len(sealed) in SEALED_SIZES and sealed[0] == 1, "form")
    ephemeral = sealed[1:33]
    shared = c.x25519(secret, ephemeral)
    need(shared, "form")  # a point of small order: no honest sender draws one
    key = c.blake2b(shared + ephemeral + c.x25519(secret), "souk:seal")
    padded = c.xaead_open(key, bytes(24), sealed[33:], ad)
    need(padded is not None, "signature")
    n = int.from_bytes(padded[:2], "big")
    need(n + 51 <= len(sealed) and not any(padded[2 + n:]), "form")
    need(len(sealed) == next(s for s in SEALED_SIZES if s >= n + 51), "form")
    return padded[2:2 + n]


def blob_hash(net, *parts):
    return net.hash("souk:blob", *parts)


def blob_leaf(net, i, chunk):
    return blob_hash(net, b"\0", i.to_bytes(4, "big"), chunk)


def blob_top(net, leaves):
    """The top of a tree, and for each leaf its siblings from the leaf up."""
    if len(leaves) == 1:
        return leaves[0], [[]]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    left, low = blob_top(net, leaves[:k])
    right, high = blob_top(net, leaves[k:])
    return blob_hash(net, b"\1", left, right), [p + [right] for p in low] + [p + [left] for p in high]


def blob_root(net, size, top):
    return blob_hash(net, b"\2", size.to_bytes(8, "big"), top)


def blob_path(i, n):
    """For leaf i of n, from the leaf up: whether its sibling stands left."""
    if n == 1:
        return []
    k = 1 << (n - 1).bit_length() - 1
    return blob_path(i, k) + [False] if i < k else blob_path(i - k, n - k) + [True]


@check("chunk")
def chunk(net, v):
    """crypto.md, section 11: one chunk against the root."""
    total, i, data = v["total"], v["index"], bytes.fromhex(v["bytes"])
    proof = bytes.fromhex(v["proof"])
    n = (total + 32767) // 32768
    need(i < n, "form")
    need(len(data) == min(32768, total - 32768 * i), "form")
    path = blob_path(i, n)
    need(len(proof) == 32 * len(path), "form")
    at = blob_leaf(net, i, data)
    for k, left in enumerate(path):
        sibling = proof[32 * k:32 * k + 32]
        at = blob_hash(net, b"\1", *((sibling, at) if left else (at, sibling)))
    need(blob_root(net, total, at) == bytes.fromhex(v["root"]), "signature")
    return "good"


def crypto_blob(net, v):
    data = b"".join(c.hashlib.sha256(i.to_bytes(8, "big")).digest() for i in range(v["size"] // 32 + 1))[:v["size"]]
    chunks = [data[i:i + 32768] for i in range(0, len(data), 32768)]
    top, proofs = blob_top(net, [blob_leaf(net, i, x) for i, x in enumerate(chunks)])
    same(v, root=blob_root(net, len(data), top))
    if [b"".join(p).hex() for p in proofs] != v["proofs"]:
        raise Other("the proofs")
    return "good"


def crypto_words(v):
    """crypto.md, section 10."""
    if "entropy" not in v:
        return "not tried"  # the list of words is BIP-39's, and no part of souk's description
    entropy = bytes.fromhex(v["entropy"])
    for use, name in (("souk:identity", "identity"), ("souk:recovery", "recovery")):
        same(v, **{name: c.public_of(c.blake2b(b"", use, key=entropy))})
    return "good"


FORM = ("form", "range", "missing", "unknown_critical")


def crypto_file(told, net):
    """(name, whether it is as the file says) of each vector of crypto.json."""
    same(told["network"], id=net.id)
    for v in told.get("hash", []):
        yield "hash", net.hash(v["use"], bytes.fromhex(v["message"])).hex() == v["hash"]
    for v in told.get("derive", []):
        secret = c.blake2b(bytes.fromhex(v["context"]), v["use"], key=bytes.fromhex(v["root"]))
        yield "derive", secret.hex() == v["secret"]
    for v in told.get("work", []):
        yield "work", work_of(bytes.fromhex(v["id"]), v["nonce"]) == v["bits"]
    for v in told.get("words", []):
        yield "words", crypto_words(v) in ("good", "not tried")
    for v in told.get("blobs", []):
        yield "blob", crypto_blob(net, v) == "good"
    for v in told.get("records", []):
        yield v.get("shows", "record"), outcome(lambda: envelope(net, bytes.fromhex(v["bytes"])), v)
    for v in told.get("sealed", []):
        secret = bytes.fromhex(told["seal_secret"])
        yield "sealed", outcome(lambda: same(v, plain=seal_open(secret, bytes.fromhex(v["ad"]),
                                                                bytes.fromhex(v["sealed"]))), v)


def outcome(run, v):
    try:
        run()
        got = "good"
    except Form:
        got = "form"
    except Refused as e:
        got = str(e)
    return got == v["result"] or (got == "form" and v["result"] in FORM)
