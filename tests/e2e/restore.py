#!/usr/bin/env python3
"""restore.py BUILD: an older copy of a node's store is put back in the middle of a trade: the trade is frozen
until the others told what was said since, and then goes on under a new epoch, to its end.

Closes with "N passed, N failed"."""
import shutil
import sys
import time

from bazaar import Bazaar
from people import SOON_S, becomes, refusal
from souk import SLOW, Checks

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
c = Checks()


def copied(who, name):
    """A copy of the store, as somebody makes it who stops the node for it."""
    to = who.node.home.parent / f"{who.name}-{name}"
    who.kill()
    shutil.copytree(who.node.home / "store", to)
    who.restart()
    return to


def put_back(who, copy):
    who.kill()
    shutil.rmtree(who.node.home / "store")
    shutil.copytree(copy, who.node.home / "store")
    who.restart()


def kinds(t, who, author=None):
    return [f["kind"] for f in t.show(who)["facts"] if author is None or f["author"] == author.id]


def resumed(t, who, what):
    c.that(becomes(lambda: "resumed" in kinds(t, who, who), 2 * SOON_S), f"{what}: goes on under a new epoch", t.told(who))
    for other in (t.sara, t.bo, t.aude):
        c.that(becomes(lambda other=other: "resumed" in kinds(t, other, who)), f"{what}: {other.name} hears of it", t.told(other))
        c.that(not t.show(other)["two_stories"], f"{what}: no two stories, says {other.name}'s node")


def alone(b):
    """While nobody else answers: nothing is signed, and it says why and until when."""
    t = b.offers(b.lists("A lamp, the seller alone"), delta_ms=int(4000 * SLOW)).fund()
    old = copied(b.sara, "funded")
    t.until_may(b.sara, "ship")
    t.do(b.sara, "trade.ship", carrier="La Poste")
    t.until("shipped", b.bo)
    b.bo.kill()
    b.aude.kill()
    put_back(b.sara, old)
    shown = t.show(b.sara)
    c.that(shown["row"]["phase"] in ("ready", "funded") and "frozen" in shown["row"]["next"] and "0 of 2" in shown["row"]["next"],
           "put back, it does not know of the parcel, and says that it waits", shown["row"])
    for method in ("trade.ship", "trade.refund"):
        code, words = refusal(lambda m=method: t.do(b.sara, m))
        c.that(code == "not_allowed" and "backup" in words, f"{method} is refused with the reason", f"{code}: {words}")
    c.that(kinds(t, b.sara, b.sara).count("shipped") == 0 and "resumed" not in kinds(t, b.sara), "and nothing is signed")
    b.aude.restart()
    b.bo.restart()
    resumed(t, b.sara, "the seller")
    t.until("shipped", b.sara, what="the seller learns what it had said")
    t.do(b.bo, "trade.release")
    t.until("settled_released", b.sara, b.bo, b.aude, what="the seller's store put back")
    c.that(becomes(lambda: b.sara.balance(b.ibra) == 5000), "it is paid", b.sara.balance(b.ibra))


def dead_other(b):
    """The arbiter never answers: after 2 delta, by when an answer would have come, it goes on."""
    t = b.offers(b.lists("A lamp, the arbiter dead"), delta_ms=int(1000 * SLOW)).ship()
    old = copied(b.bo, "shipped")
    t.do(b.bo, "trade.request", what="time", note="I am away until Monday.")
    c.that(becomes(lambda: "request" in kinds(t, b.sara)), "the seller hears of a wish")
    b.aude.kill()
    put_back(b.bo, old)
    c.that("request" not in kinds(t, b.bo) or "frozen" in t.show(b.bo)["row"]["next"], "the buyer forgot it")
    c.that(becomes(lambda: "request" in kinds(t, b.bo, b.bo)), "the seller's node tells it", t.told(b.bo))
    c.that(becomes(lambda: "resumed" in kinds(t, b.bo, b.bo), 2 * SOON_S), "without the arbiter it goes on after 2 delta", t.told(b.bo))
    t.do(b.bo, "trade.release")
    t.until("settled_released", b.sara, b.bo, what="the buyer's store put back")
    b.aude.restart()
    t.until("settled_released", b.aude, what="the arbiter, back")


def ruled(b):
    """An arbiter whose ruling is not in the copy does not rule again."""
    s = int(1000 * SLOW)
    t = b.offers(b.lists("A lamp, ruled"), valid_ms=3 * s, fund_ms=s, ship_ms=s, deliver_ms=s, delta_ms=3 * s).ship()
    t.do(b.bo, "trade.dispute", claim="It does not burn.")
    t.until("disputed", b.aude)
    t.until_may(b.aude, "rule", 3 * SOON_S)
    old = copied(b.aude, "disputed")
    b.ibra.kill()  # so that the ruling is not paid out at once
    t.until_may(b.aude, "rule")
    t.do(b.aude, "arbiter.rule", split={"buyer": 2500, "seller": 2500, "arbiter": 0}, reasons="Half each.")
    t.until("ruled", b.bo, b.sara)
    put_back(b.aude, old)
    resumed(t, b.aude, "the arbiter")
    code, words = refusal(lambda: t.do(b.aude, "arbiter.rule", split={"buyer": 5000, "seller": 0, "arbiter": 0}, reasons="Again."))
    c.that(code == "not_allowed" and ("one only" in words or "ruled already" in words), "it does not rule twice", f"{code}: {words}")
    b.ibra.restart()
    t.until("settled_split", b.bo, b.sara, b.aude, timeout_s=3 * SOON_S, what="the arbiter's store put back")


def begun_since(b):
    """A trade that the copy knows nothing of comes back with the next fact about it."""
    listing = b.lists("A lamp, sold since")
    old = copied(b.sara, "before")
    t = b.offers(listing, delta_ms=int(2000 * SLOW)).fund()
    put_back(b.sara, old)
    code, _ = refusal(lambda: t.show(b.sara))
    c.that(code == "not_found", "the seller's node knows of no such trade")
    t.do(b.bo, "trade.request", what="time", note="Are you there?")
    resumed(t, b.sara, "a trade begun since")
    t.until_may(b.sara, "ship")
    t.do(b.sara, "trade.ship")
    t.until("shipped", b.bo)
    t.do(b.bo, "trade.release")
    t.until("settled_released", b.sara, b.bo, what="a trade begun since")


def twin(b):
    """Two machines with one identity: the one that did not resume stops when it meets the newer epoch."""
    t = b.offers(b.lists("A lamp, two machines"), delta_ms=int(1000 * SLOW)).ship()
    b.sara.kill()
    other = b.sara.node.home.parent / "sara-twin"
    shutil.copytree(b.sara.node.home, other, ignore=shutil.ignore_patterns("*.sock"))
    b.sara.restart()
    home = b.sara.node.home
    b.sara.kill()
    b.sara.node.home = other  # the second machine: a copy of the whole home, under another inode
    b.sara.restart()
    resumed(t, b.sara, "the copied home")
    b.sara.kill()
    b.sara.node.home = home  # and the first one again, which knows nothing of that
    b.sara.restart()
    t.do(b.sara, "trade.request", what="time", note="Is anybody there?")
    c.that(becomes(lambda: "newer epoch" in t.move(b.sara, "request").get("why", "")),
           "the first machine is told, and signs nothing more", (t.move(b.sara, "request"), t.told(b.sara)))
    code, words = refusal(lambda: t.do(b.sara, "trade.evidence", text="Still me."))
    c.that(code == "conflict" and "another machine" in words, "it says why", f"{code}: {words}")
    b.sara.kill()
    b.sara.node.home = other
    b.sara.restart()
    t.do(b.bo, "trade.release")
    t.until("settled_released", b.sara, b.bo, what="the machine that goes on")


def restore():
    b = Bazaar(c, BUILD)
    for part in (alone, dead_other, ruled, begun_since, twin):
        t0 = time.monotonic()
        part(b)
        if "-v" in sys.argv:
            print(f"{part.__name__}: {time.monotonic() - t0:.1f} s", file=sys.stderr)


c.run([restore])
