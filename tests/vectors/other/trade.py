"""trade.py: facts, terms, contracts and what they lock, from spec/trade.md."""
import ledger
import primitives as c
from net import Refused, check, need, same
from wire import Family, Form, write

OFFER, COUNTER, ACCEPT, DECLINE, WITHDRAW, ENROL = 1, 2, 3, 4, 5, 6
DAY = 86400000
CREDIT, DIRECT, MOCK = 0, 1, 2


def family():
    return Family.load("fact")


# ---- facts --------------------------------------------------------------------------------------------

class Fact:
    """A fact read: `e` its envelope, `body` its body, `terms` those of a proposal with their bytes."""

    def __init__(self, net, data):
        need(len(data) <= 15360, "form")
        outer = family().read("signed", data)
        signed = write(outer["envelope"])  # canonical, so these are the very bytes
        e = family().check("envelope", outer["envelope"])
        need(("prev" in e) == (e["seq"] > 1), "form")
        authors = [s["author"] for s in e["seen"]]
        need(e["author"] not in authors and all(x < y for x, y in zip(authors, authors[1:])), "form")
        if e["kind"] not in family().numbers:
            raise Form("a kind that is not understood")
        self.e, self.body = e, family().check(family().numbers[e["kind"]], e["body"])
        if e["kind"] in (OFFER, COUNTER):
            self.terms = family().check("terms", self.body["terms"])
            self.terms_bytes = write(self.body["terms"])
        self.id, self.kind, self.author = net.hash("souk:fact", signed), e["kind"], e["author"]
        need(c.verify(self.author, self.id, outer["sig"]), "signature")


@check("fact")
def fact(net, v):
    f = Fact(net, bytes.fromhex(v["fact"]))
    same(v, id=f.id, author=f.author, trade=f.e["trade"], kind=f.kind)
    return "good"


# ---- terms --------------------------------------------------------------------------------------------

def locked(t):
    return t["total"][0] + t.get("deposit", [0])[0]


def terms_check(t):
    """"Terms", rule 1 and what goes with it."""
    people = [t["buyer"], t["seller"]] + [t[k] for k in ("arbiter", "substitute") if k in t]
    need(len(set(people)) == len(people), "rule")
    need("arbiter" in t or (t["rail"] == DIRECT and "substitute" not in t), "rule")
    money = t["total"][1]
    need(all(t[k][1] == money for k in ("price", "shipping", "deposit", "fee_least") if k in t), "rule")
    total = t["price"][0] * t["quantity"] * t.get("units", 1) + t.get("shipping", [0])[0]
    need(t["total"][0] == total <= ledger.AMOUNT_MOST, "rule")
    need(0 < locked(t) <= ledger.AMOUNT_MOST and t.get("fee_least", [0])[0] <= locked(t), "rule")
    need(t.get("issuer") == money if t["rail"] in (CREDIT, MOCK) else "issuer" not in t, "rule")
    need(("units" in t) == ("rental" in t) and ("rental" in t or "deposit" not in t), "rule")
    if "rental" in t:
        need(t["rental"]["from"] < t["rental"]["until"] <= t["inspect_end"], "rule")
    need(t["valid_until"] <= t["fund_by"] <= t["ship_by"] < t["deliver_by"] <= t["inspect_end"], "rule")
    need(t["rule_by"] >= t["inspect_end"] + t["delta_ms"], "rule")
    need(("substitute" in t) == ("substitute_rule_by" in t), "rule")
    last = t.get("substitute_rule_by", t["rule_by"])
    need(last > t["rule_by"] or "substitute" not in t, "rule")
    need(t["late_at"] >= max(last, t["inspect_end"] + 2 * t["delta_ms"]) + 3 * t["delta_ms"], "rule")


def trade_id(net, t):
    return net.hash("souk:trade", t["buyer"], t["seller"], t["nonce"])


def stub_of(net, t):
    """The bytes of the stub that follows from terms."""
    out = {0: trade_id(net, t), 1: t["buyer"], 2: t["seller"], 4: t["listing"],
           5: t["fund_by"] - t["fund_by"] % DAY, 6: t["rail"]}
    for key, name in ((3, "arbiter"), (7, "issuer")):
        if name in t:
            out[key] = t[name]
    return write(out)


@check("terms")
def terms(net, v):
    data = bytes.fromhex(v["terms"])
    t = family().read("terms", data)
    terms_check(t)
    stub = stub_of(net, t)
    same(v, hash=net.hash("souk:terms", data), trade=trade_id(net, t), stub=stub,
         stub_hash=net.hash("souk:stub", stub), locked=locked(t))
    return "good"


def share(minor, basis_points):
    return (minor * basis_points + 5000) // 10000


@check("ruling")
def ruling(_, v):
    """"Payouts": what an arbiter signs who gives so much to the buyer."""
    t = family().read("terms", bytes.fromhex(v["terms"]))
    whole, buyer = locked(t), v["buyer"]
    need(0 <= buyer <= whole, "rule")
    fee = min(max(share(whole, t["fee_bp"]), t.get("fee_least", [0])[0]), whole)
    off = fee * buyer // whole
    same(v, split=[buyer - off, whole - buyer - (fee - off), fee])
    return "good"


# ---- from a proposal to a contract --------------------------------------------------------------------

class Trade:
    def __init__(self, net, facts):
        self.net = net
        self.facts = {f.id: f for f in facts}
        self.trade = facts[0].e["trade"]
        self.facts = {i: f for i, f in sorted(self.facts.items()) if f.e["trade"] == self.trade}

    def saw(self, later, earlier):
        """Had the author of `later` seen `earlier` when it signed?"""
        if later.author == earlier.author:
            at = later
        else:
            held = [s["fact"] for s in later.e["seen"] if s["author"] == earlier.author]
            at = self.facts.get(held[0]) if held else None
        while at and at.author == earlier.author:
            if at is earlier:
                return at is not later
            before = self.facts.get(at.e.get("prev"))
            if before is None or before.e["seq"] >= at.e["seq"]:
                return False
            at = before
        return False

    def key_ok(self, f, key):
        owned = self.net.signed(key["key"], key["proof"], "souk:possession", key["key"], self.trade, f.author)
        return owned and c.x_of_node(key["payout"])

    def stub_ok(self, f, t, sig):
        return self.net.signed(f.author, sig, "souk:stub", stub_of(self.net, t))

    def proposal_ok(self, f):
        t = f.terms
        by = [t["buyer"]] if f.kind == OFFER else [t["buyer"], t["seller"]]
        try:
            terms_check(t)
        except Refused:
            return False
        return (trade_id(self.net, t) == self.trade and f.author in by and self.key_ok(f, f.body["key"])
                and self.stub_ok(f, t, f.body["stub_sig"]))

    def closes(self, f, p):
        other = ({p.terms["buyer"], p.terms["seller"]} - {p.author}).pop()
        return ((f.kind == WITHDRAW and f.author == p.author and f.body["proposal"] == p.id)
                or (f.kind == DECLINE and f.author == other and f.body["proposal"] == p.id)
                or (f.kind == COUNTER and f.author == other and f.body["answers"] == p.id))

    def accepted(self, f):
        """The proposal that this accept makes a contract of, or None."""
        p = self.facts.get(f.body["proposal"])
        if p is None or p.kind not in (OFFER, COUNTER) or not self.proposal_ok(p):
            return None
        t = p.terms
        good = (f.author in (t["buyer"], t["seller"]) and f.author != p.author
                and f.body["terms"] == self.net.hash("souk:terms", p.terms_bytes)
                and f.e["time"] <= t["valid_until"] and self.key_ok(f, f.body["key"])
                and self.stub_ok(f, t, f.body["stub_sig"])
                and not any(self.closes(x, p) and self.saw(f, x) for x in self.facts.values()))
        return p if good else None

    def enrolled(self, t, contract, name):
        """The key of the lowest id that enrols in that part."""
        for f in self.facts.values():
            if (f.kind == ENROL and f.author == t.get(name) and f.body["contract"] == contract
                    and f.body["generation"] == 0 and "amendment" not in f.body
                    and self.key_ok(f, f.body["key"]) and self.stub_ok(f, t, f.body["stub_sig"])):
                return f.body["key"]
        return None

    def lock(self, p, accept, contract):
        """The escrow that follows from contract and enrolments, or None."""
        t, mine, theirs = p.terms, p.body["key"], accept.body["key"]
        keys = [mine, theirs] if p.author == t["buyer"] else [theirs, mine]
        for name in ("arbiter", "substitute"):
            if name in t:
                keys.append(self.enrolled(t, contract, name))
        if t["rail"] == DIRECT or None in keys:
            return None
        to_buyer = share(locked(t), t["late_buyer_bp"])
        late = [to_buyer, locked(t) - to_buyer] + [0] * (len(keys) - 2)
        return write({0: t["rail"], 1: [locked(t), t["total"][1]], 2: t.get("issuer", bytes(32)), 3: contract,
                      4: self.net.hash("souk:stub", stub_of(self.net, t)), 5: [k["key"] for k in keys],
                      6: [k["payout"] for k in keys], 7: t["rule_by"] if len(keys) == 4 else 0,
                      8: t["late_at"], 9: late})


@check("contract")
def contract(net, v):
    trade = Trade(net, [Fact(net, bytes.fromhex(x)) for x in v["facts"]])
    found = [(f, trade.accepted(f)) for f in trade.facts.values() if f.kind == ACCEPT]
    found = [(f, p) for f, p in found if p]
    need(found, "rule")
    accept, p = found[0]  # the lowest id, where nothing attests one lock more than another
    contract_id = net.hash("souk:contract", p.id, accept.id)
    escrow = trade.lock(p, accept, contract_id)
    same(v, contract=contract_id)
    if escrow:
        ledger.escrow_check(escrow)
        same(v, escrow=escrow, lock=net.hash("souk:lock", escrow))
    need(bool(escrow) == ("lock" in v), "other: whether there is a lock")
    return "good"


# ---- names --------------------------------------------------------------------------------------------

@check("payout_name")
def payout_name(net, v):
    parts = b"".join(p.to_bytes(8, "big") for p in v["split"])
    name = net.hash("souk:payout-name", bytes.fromhex(v["lock"]), parts, bytes.fromhex(v.get("next", "00" * 32)))
    same(v, name=name)
    return "good"


@check("address")
def address(net, v):
    same(v, id=net.hash("souk:address", bytes.fromhex(v["salt"]), bytes.fromhex(v["address"])))
    return "good"


@check("handover")
def handover(net, v):
    same(v, id=net.hash("souk:handover", bytes.fromhex(v["trade"]), bytes.fromhex(v["secret"])))
    return "good"
