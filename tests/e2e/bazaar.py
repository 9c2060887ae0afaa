"""bazaar.py: what the end-to-end tests about trades share: an issuer, a seller, a buyer, arbiters, each at a node
of their own, and Trade: one trade as its parties' nodes show it.

Nothing here sleeps for a guess: it waits for what a node says, and deadlines are ordinary flags of an offer.
"""
import time

from people import SOON_S, Person, becomes, everybody_met
from souk import SLOW, Refused

SHIP, PICKUP, MEET = 0, 1, 2
CREDIT, DIRECT = 0, 1
GOODS = 0
MINTED = 100000
LONG_MS = 600000
DELTA_MS = int(1500 * SLOW)  # the longest delay of a message, as the quick trades here have it


class Bazaar:
    """ibra issues, sara sells, bo buys, aude arbitrates by rule; further people by name."""

    def __init__(self, checks, build, *more, flags=()):
        self.c = checks
        self.ibra = Person(checks, build, "ibra", flags=flags)
        peer = self.ibra.node.peer()
        self.others = {n: Person(checks, build, n, peers=[peer], flags=flags) for n in ("sara", "bo", "aude", *more)}
        self.sara, self.bo, self.aude = (self.others[n] for n in ("sara", "bo", "aude"))
        everybody_met(checks, [self.ibra, *self.others.values()])
        self.ibra.call("credit.issuer", name="Grains de sel", code="GRAIN", decimals=2, auto_approve=True)
        self.arbitrates(self.aude, by_rule=True)
        checks.that(becomes(lambda: self.bo.call("credit.join", issuer=self.ibra.id) is not None), "the buyer joins")
        checks.that(becomes(lambda: self.bo.member(self.ibra) == "approved"), "and is let in")
        self.ibra.call("credit.mint", member=self.bo.id, minor=MINTED)
        checks.that(becomes(lambda: self.bo.balance(self.ibra) == MINTED), "the buyer has money")

    def arbitrates(self, who, by_rule, fee_bp=300):
        who.call("arbiter.publish", fee_bp=fee_bp, languages=["fr", "en"], delay_ms=0, by_rule=by_rule)
        self.c.that(becomes(lambda: all(any(a["id"] == who.id for a in p.call("arbiter.list")["arbiters"])
                                        for p in self.others.values())), f"{who.name} is known as an arbiter")

    def lists(self, title, minor=5000, rail=CREDIT, mode=SHIP, arbiter=None, seller=None, **more):
        """A listing of the seller's that the buyer's node has found."""
        seller = seller or self.sara
        held = {} if rail == DIRECT else {"issuer": self.ibra.id, "arbiters": [(arbiter or self.aude).id]}
        price = (minor, b"EUR" if rail == DIRECT else self.ibra.id)
        listing = seller.call("listing.publish", type=GOODS, title=title, description="As in the picture.", language="en",
                              category="bikes/city", condition=2, price=price, open_to_offers=True, quantity=50, region="FR",
                              delivery=[{"mode": mode}], rails=[rail], **held, **more)["id"]
        self.c.that(becomes(lambda: self.bo.call("listing.show", id=listing)["newest"]), f"the buyer finds \"{title}\"")
        return listing

    def offers(self, listing, **terms):
        """An offer of the buyer's; every deadline far away where the terms do not say."""
        far = {k: LONG_MS for k in ("valid_ms", "fund_ms", "ship_ms", "deliver_ms", "inspect_ms", "rule_ms")}
        told = {**far, "delta_ms": DELTA_MS, "confirmations": 1, **terms}
        return Trade(self, self.bo.call("trade.offer", listing=listing, **told)["trade"])


class Trade:
    def __init__(self, bazaar, trade):
        self.bazaar, self.id, self.c = bazaar, trade, bazaar.c
        self.sara, self.bo, self.aude = bazaar.sara, bazaar.bo, bazaar.aude

    def show(self, who):
        return who.call("trade.show", trade=self.id)

    def phase(self, who):
        try:
            return self.show(who)["row"]["phase"]
        except Refused as e:
            return e.message

    def move(self, who, name):
        return next((m for m in self.show(who)["moves"] if m["name"] == name), {"may": False, "why": "no such move"})

    def may(self, who, name):
        return self.move(who, name)["may"]

    def told(self, who):
        """What a failing check prints of it."""
        try:
            s = self.show(who)
        except Refused as e:
            return e.message
        return (s["row"]["phase"], s["row"]["next"], s["funding"], [(f["kind"], f.get("delivery", "")) for f in s["facts"]])

    def until_may(self, who, name, timeout_s=SOON_S):
        return self.c.that(becomes(lambda: self.may(who, name), timeout_s), f"{who.name} may {name}",
                           (self.move(who, name).get("why"), self.told(who)))

    def until(self, phase, *folk, timeout_s=SOON_S, what=""):
        """Waits until every one of these people's nodes says so."""
        end = time.monotonic() + timeout_s
        good = True
        for who in folk:
            good &= self.c.that(becomes(lambda who=who: self.phase(who) == phase, max(end - time.monotonic(), 0.1)),
                                f"{what or 'the trade'}: {phase} at {who.name}'s", self.told(who))
        return good

    def until_time(self, field):
        """Waits until a deadline of the terms has passed, by the buyer's clock, which is ours."""
        left = self.show(self.sara)[field] / 1000 - time.time()
        if left > 0:
            time.sleep(left + 0.01)

    def do(self, who, method, **more):
        return who.call(method, trade=self.id, **more)

    # ---- steps that most trades have in common ----
    def agree(self):
        self.until_may(self.sara, "accept")
        self.do(self.sara, "trade.accept")
        return self

    def fund(self, address="12 rue des Lilas, 69001 Lyon"):
        self.agree()
        self.until_may(self.bo, "fund")
        self.do(self.bo, "trade.fund", **({"address": address} if address else {}))
        self.until("funded", self.sara, self.bo)
        return self

    def ship(self, address="12 rue des Lilas, 69001 Lyon"):
        self.fund(address)
        self.until_may(self.sara, "ship")
        self.do(self.sara, "trade.ship", carrier="La Poste", tracking="6A1822")
        self.until("shipped", self.bo)
        return self
