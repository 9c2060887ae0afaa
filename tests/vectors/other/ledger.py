"""ledger.py: credit, from spec/credit.md: notes, locks, transfers, leaves, heads, receipts."""
import hashlib

import primitives as c
from net import check, need, same
from wire import Family, write

AMOUNT_MOST = 10**15
NONE = bytes(32)
TRANSFER, MINT, DRAW = 1, 2, 3


def ledger():
    return Family.load("ledger")


def be8(n):
    return n.to_bytes(8, "big")


# ---- section 1: notes ---------------------------------------------------------------------------------

def commitments(net, note):
    """(value, stub) of a note as it was read."""
    value = net.hash("souk:note-value", note["value_salt"], be8(note["minor"]), write(note["lock"].raw))
    return value, net.hash("souk:note-stub", note["stub_salt"], note.get("stub", NONE))


def note_id(net, issuer, note):
    return net.hash("souk:note", issuer, *commitments(net, note))


def note_check(note):
    for b in note["lock"]["branches"]:
        keys, split = b["keys"], b["split"]
        if b["need"]:
            need(not split and len(keys) >= b["need"] and len(set(keys)) == len(keys), "rule")
        else:
            parts = [s["minor"] for s in split]
            need(not keys and parts and all(parts) and sum(parts) == note["minor"], "rule")


@check("note")
def note(net, v):
    n = ledger().read("note", bytes.fromhex(v["note"]))
    note_check(n)
    value, stub = commitments(net, n)
    same(v, value=value, stub=stub, id=note_id(net, bytes.fromhex(v["issuer"]), n))
    return "good"


# ---- section 5: the lock of a trade -------------------------------------------------------------------

def escrow_check(data):
    e = ledger().read("escrow", data)
    n, issuer, credit = len(e["keys"]), e["issuer"], e["rail"] in (0, 2)
    need(len(e["payouts"]) == n == len(e["late"]), "rule")
    need(e["rail"] <= 2 and e["amount"][0] >= 1 and n >= (2 if e["rail"] == 1 else 3), "rule")
    need(e["amount"][1] == issuer != NONE if credit else issuer == NONE, "rule")
    need(len(set(e["keys"])) == n, "rule")
    need(all(c.x_of_node(k) for k in e["keys"] + e["payouts"]), "rule")
    need(sum(e["late"]) == e["amount"][0], "rule")
    if n == 4:
        need(0 < e["substitute_from"] < e["late_from"], "rule")
    else:
        need(e["substitute_from"] == 0, "rule")
    need(e["late_from"] > 0 or e["rail"] == 1, "rule")
    return e


def simple_lock(key):
    return {0: [{0: 0, 1: 1, 2: [key], 3: []}]}


def lock_salt(net, e, lock_id, k):
    return net.hash("souk:salt", e["contract"], lock_id, bytes([k]))[:16]


def lock_note(net, e, lock_id):
    """The note that a lock is, as a map by keys."""
    keys = e["keys"]
    branches = [{0: 0, 1: 2, 2: keys[:3], 3: []}]
    if len(keys) == 4:
        branches.append({0: e["substitute_from"], 1: 2, 2: keys[:2] + keys[3:], 3: []})
    late = [{0: part, 1: key} for part, key in zip(e["late"], e["payouts"]) if part]
    branches.append({0: e["late_from"], 1: 0, 2: [], 3: late})
    return {0: e["amount"][0], 1: {0: branches, 1: e["contract"]}, 2: e["stub"],
            3: lock_salt(net, e, lock_id, 0), 4: lock_salt(net, e, lock_id, 1)}


@check("escrow")
def escrow(net, v):
    data = bytes.fromhex(v["escrow"])
    e, lock_id = escrow_check(data), net.hash("souk:lock", data)
    n = write(lock_note(net, e, lock_id))
    same(v, lock_id=lock_id, note=n, note_id=note_id(net, e["issuer"], ledger().read("note", n)))
    return "good"


def payout_body(net, data, split):
    """The body that spends a lock by this split: the same for whoever signs it."""
    e, lock_id = escrow_check(data), net.hash("souk:lock", data)
    need(all(p >= 0 for p in split) and sum(split) == e["amount"][0], "rule")
    need(not any(split[len(e["keys"]):]), "rule")
    made = [{0: part, 1: simple_lock(e["payouts"][i]), 3: lock_salt(net, e, lock_id, 2 + 2 * i),
             4: lock_salt(net, e, lock_id, 3 + 2 * i)} for i, part in enumerate(split) if part]
    spent = note_id(net, e["issuer"], ledger().read("note", write(lock_note(net, e, lock_id))))
    return write({0: e["issuer"], 1: TRANSFER, 2: [spent], 3: made})


@check("payout")
def payout(net, v):
    body = payout_body(net, bytes.fromhex(v["escrow"]), v["split"])
    same(v, body=body, id=net.hash("souk:transfer", body))
    return "good"


@check("move")
def move(net, v):
    """All of a lock into another that differs in who decides, and when."""
    data = [bytes.fromhex(v[k]) for k in ("escrow", "to")]
    old, new = (escrow_check(d) for d in data)
    need(data[0] != data[1] and old["rail"] != 1, "rule")
    need(all(old[k] == new[k] for k in ("rail", "amount", "issuer", "contract", "stub")), "rule")
    need(all(old[k][:2] == new[k][:2] for k in ("keys", "payouts", "late")), "rule")
    notes = [write(lock_note(net, e, net.hash("souk:lock", d))) for e, d in zip((old, new), data)]
    spent = note_id(net, old["issuer"], ledger().read("note", notes[0]))
    body = write({0: old["issuer"], 1: TRANSFER, 2: [spent], 3: [ledger().read("note", notes[1]).raw]})
    same(v, id=net.hash("souk:transfer", body))
    return "good"


# ---- section 2: transfers -----------------------------------------------------------------------------

def transfer_parse(net, data):
    """(transfer, body, id) when the form and all that needs no ledger is right."""
    t = ledger().read("transfer", data)
    b = ledger().read("body", t["body"])
    spends, makes = b["spends"], b["makes"]
    need(("member" in b) == ("drawn" in b) == (b["kind"] == DRAW), "rule")
    need(("sig" in t) == (b["kind"] != TRANSFER), "rule")
    need(not spends if b["kind"] == MINT else spends or b["kind"] == DRAW, "rule")
    need(len(t["witnesses"]) == len(spends), "rule")
    need(all(x < y for x, y in zip(spends, spends[1:])), "rule")
    for n in makes:
        note_check(n)
    ids = [note_id(net, b["issuer"], n) for n in makes]
    need(len(set(ids)) == len(ids), "rule")
    return t, b, net.hash("souk:transfer", t["body"])


def witness_check(w, branch, transfer_id):
    need(len(w["sigs"]) == branch["need"], "signature")
    keys = iter(branch["keys"])
    for s in w["sigs"]:
        need(s["key"] in keys, "signature")  # consumes: so each once and in order
        need(c.verify(s["key"], transfer_id, s["sig"]), "signature")


@check("transfer")
def transfer(net, v):
    t, b, transfer_id = transfer_parse(net, bytes.fromhex(v["transfer"]))
    same(v, id=transfer_id)
    issuer = bytes.fromhex(v["issuer"])
    need(b["issuer"] == issuer, "issuer")
    known = {}
    if "note" in v:
        n = ledger().read("note", bytes.fromhex(v["note"]))
        known[note_id(net, issuer, n)] = n
    worth = 0
    for spent, w in zip(b["spends"], t["witnesses"]):
        need(spent in known, "unknown_note")
        n = known[spent]
        need(w["branch"] < len(n["lock"]["branches"]), "branch")
        branch = n["lock"]["branches"][w["branch"]]
        need(branch["from"] <= v["now"], "early")
        witness_check(w, branch, transfer_id)
        if not branch["need"]:
            made = [(m["minor"], m["lock"].raw) for m in b["makes"]]
            asked = [(s["minor"], simple_lock(s["key"])) for s in branch["split"]]
            need(made == asked and len(b["spends"]) == 1 and b["kind"] == TRANSFER, "branch")
        worth += n["minor"]
    need(not any(note_id(net, issuer, n) in known for n in b["makes"]), "exists")
    if b["kind"] == MINT:
        need(c.verify(issuer, transfer_id, t["sig"]), "mint")
        return "good"
    if b["kind"] == DRAW:
        need(c.verify(b["member"], transfer_id, t["sig"]), "signature")
        need(b["member"].hex() == v["member"] and b["drawn"] <= 100, "limit")
        worth += b["drawn"]
    need(worth == sum(n["minor"] for n in b["makes"]), "sums")
    return "good"


# ---- section 3: the log -------------------------------------------------------------------------------

def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


@check("entry")
def entry(net, v):
    _, b, _ = transfer_parse(net, bytes.fromhex(v["transfer"]))
    made = [{0: value, 1: stub} for value, stub in (commitments(net, n) for n in b["makes"])]
    e = write({0: b["kind"], 1: v["time"], 2: b["spends"], 3: made})
    same(v, entry=e, leaf=leaf_hash(e))
    return "good"


def head_check(net, issuer, key, h):
    parts = issuer, be8(h["size"]), h["root"], be8(h["time"])
    need(net.signed(key, h["sig"], "souk:head", *parts), "signature")


@check("head")
def head(net, v):
    h = ledger().read("tree_head", bytes.fromhex(v["head"]))
    head_check(net, bytes.fromhex(v["issuer"]), bytes.fromhex(v["key"]), h)
    return "good"


def included(leaf, index, size, path, root):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(first, first_root, second, second_root, path):
    """RFC 9162, 2.1.4.2; empty for equal sizes and from size 0."""
    if first == second or first == 0:
        return not path and (first_root == second_root if first == second else
                             first_root == hashlib.sha256(b"").digest())
    path = list(path) if first & (first - 1) else [first_root] + list(path)
    if first > second or not path:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for p in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(p, fr), node_hash(p, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


def receipt_check(net, issuer, key, r):
    e = ledger().read("entry", r["entry"])
    need(included(leaf_hash(r["entry"]), r["index"], r["head"]["size"], r["path"], r["head"]["root"]), "conflict")
    head_check(net, issuer, key, r["head"])
    return e


@check("receipt")
def receipt(net, v):
    r = ledger().read("receipt", bytes.fromhex(v["receipt"]))
    receipt_check(net, bytes.fromhex(v["issuer"]), bytes.fromhex(v["key"]), r)
    return "good"


@check("consistency")
def consistency(_, v):
    m = ledger().read("consistency", bytes.fromhex(v["bytes"]))
    roots = bytes.fromhex(v["first_root"]), bytes.fromhex(v["second_root"])
    need(consistent(m["first"], roots[0], m["second"], roots[1], m["path"]), "conflict")
    return "good"


@check("funding")
def funding(net, v):
    """Section 5, the end: a rating's proof."""
    p = ledger().read("funding_proof", bytes.fromhex(v["proof"]))
    issuer = bytes.fromhex(v["issuer"])
    need(p["issuer"] == issuer, "rule")
    e = receipt_check(net, issuer, bytes.fromhex(v["key"]), p["receipt"])
    commitment = net.hash("souk:note-stub", p["stub_salt"], bytes.fromhex(v["stub"]))
    need(any(m["stub"] == commitment for m in e["makes"]), "conflict")
    return "good"


@check("fraud")
def fraud(net, v):
    """Section 4: two heads of one size and different roots."""
    f = Family.load("record").read("fraud", bytes.fromhex(v["body"]))
    heads = [ledger().check("tree_head", f[name]) for name in ("first", "second")]
    for h in heads:
        head_check(net, f["issuer"], bytes.fromhex(v["key"]), h)
    need(heads[0]["size"] == heads[1]["size"] and heads[0]["root"] != heads[1]["root"], "rule")
    return "good"


@check("join")
def join(net, v):
    """Section 6."""
    m = ledger().read("join", bytes.fromhex(v["bytes"]))
    parts = m["issuer"], m["member"], be8(m["time"]), m.get("note", "").encode()
    need(net.signed(m["member"], m["sig"], "souk:join", *parts), "signature")
    return "good"
