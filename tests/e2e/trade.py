#!/usr/bin/env python3
"""trade.py BUILD: trades between real nodes, each to its end: on the direct rail, met in person, split between
friends, given back, paid late with a dead arbiter, refused by the arbiter, with too little money, with the
issuer away, and with kill -9 of each party at moments that a seed chooses (SOUK_E2E_SEED).

Closes with "N passed, N failed"."""
import json
import os
import pathlib
import random
import sys
import time

from bazaar import DIRECT, MEET, Bazaar
from people import SOON_S, becomes, refusal
from souk import SLOW, Checks, Refused

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
SEED = int(os.environ.get("SOUK_E2E_SEED", "20"))
PHOTO = next((pathlib.Path(__file__).resolve().parent.parent / "data" / "photos").glob("*.png"))
c = Checks()
rand = random.Random(SEED)


def direct(b):
    """Cash or a transfer outside: no lock, no arbiter, and both say what happened."""
    t = b.offers(b.lists("A rack, cash", 4500, rail=DIRECT)).agree()
    t.until_may(b.bo, "paid")
    c.refuses("not_allowed", "nothing is put into a lock there", lambda: t.do(b.bo, "trade.fund"))
    code, words = refusal(lambda: t.do(b.sara, "trade.ship"))
    c.that(code == "not_allowed" and "received" in words, "the seller ships when the money came, and is told so", words)
    t.do(b.bo, "trade.paid")
    t.until("paid", b.sara, b.bo, what="the direct rail")
    t.do(b.sara, "trade.received")
    t.until("funded", b.sara, b.bo, what="the direct rail")
    t.do(b.sara, "trade.ship")
    t.until("settled_released", b.sara, b.bo, what="the direct rail")
    for who, whom, stars in ((b.bo, b.sara, 5), (b.sara, b.bo, 4)):
        who.call("rate.publish", trade=t.id, subject=whom.id, stars=stars, words="A pleasure.")
        c.that(becomes(lambda whom=whom, stars=stars: any(r["stars"] == stars and r["trade"] == t.id for r in
               b.ibra.call("rating.list", subject=whom.id)["ratings"])), f"the rating of {whom.name} verifies at a third node")


def meeting(b):
    """Handed over in person: the seller types the eight words that the buyer shows."""
    t = b.offers(b.lists("A bicycle, to be met for", mode=MEET)).fund(address=None)
    words = t.do(b.bo, "trade.handover")["words"]
    c.that(len(words.split()) == 8, "the buyer has eight words to show", words)
    c.refuses("not_allowed", "the seller has not", lambda: t.do(b.sara, "trade.handover"))
    t.until_may(b.sara, "ship")
    wrong = " ".join(reversed(words.split()))
    code, said = refusal(lambda: t.do(b.sara, "trade.ship", secret=wrong))
    c.that(code == "invalid" and "secret" in said, "other words hand nothing over", f"{code}: {said}")
    code, said = refusal(lambda: t.do(b.sara, "trade.ship", secret="abandon"))
    c.that(code == "invalid" and "eight" in said, "nor does one word", f"{code}: {said}")
    status, _, said = b.sara.souk("trade", "ship", t.id.hex(), "--secret", words)
    c.that(status == 0, "the right ones do, on the command line", said)
    t.until("shipped", b.bo, what="the meeting")
    handed = [f["text"] for f in t.show(b.bo)["facts"] if f["kind"] == "shipped"]
    c.that(handed == ["handed over, with the buyer's secret"], "both have it that the buyer was there", handed)
    t.do(b.bo, "trade.release")
    t.until("settled_released", b.sara, b.bo, b.aude, what="the meeting")


def friendly_split(b):
    """The request comes first, the one asked signs, the asker's node completes it."""
    before = b.bo.balance(b.ibra), b.sara.balance(b.ibra)
    t = b.offers(b.lists("A bell with a scratch", 1000)).ship()
    half = {"buyer": 400, "seller": 600, "arbiter": 0}
    c.refuses("not_allowed", "nobody signs a split that was not asked for", lambda: t.do(b.sara, "trade.split", split=half))
    code, words = refusal(lambda: t.do(b.bo, "trade.request", what="split", split={**half, "seller": 700}))
    c.that(code in ("invalid", "params") and "add up" in words, "nor asks for one that does not add up", f"{code}: {words}")
    t.do(b.bo, "trade.request", what="split", split=half, note="The scratch was not in the picture.")
    t.until_may(b.sara, "split")
    code, words = refusal(lambda: t.do(b.sara, "trade.split", split={**half, "buyer": 300, "seller": 700}))
    c.that(code == "conflict" and "400" in words, "what is signed is what was asked for", f"{code}: {words}")
    status, _, said = b.sara.souk("--yes", "trade", "split", t.id.hex(), "buyer=400,seller=600,arbiter=0")
    c.that(status == 0, "the seller signs it on the command line", said)
    t.until("settled_split", b.bo, b.sara, b.aude, what="the friendly split")
    c.that(becomes(lambda: b.sara.balance(b.ibra) == before[1] + 600 and b.bo.balance(b.ibra) == before[0] - 600),
           "each has its part, and the arbiter no fee", (before, b.bo.balance(b.ibra), b.sara.balance(b.ibra)))


def not_shipped(b):
    """Nobody types anything: after ship-by the seller's node signs the refund, the buyer's completes it."""
    s = int(1000 * SLOW)
    t = b.offers(b.lists("A pump that stays on its shelf"), valid_ms=3 * s, fund_ms=1000, ship_ms=1000).fund()
    c.refuses("not_allowed", "before ship-by cancelling is a request: nobody takes the money back",
              lambda: t.do(b.bo, "trade.refund"))
    t.do(b.bo, "trade.request", what="cancel", note="I found another one.")
    return t


def not_shipped_ends(b, t):
    before = b.bo.balance(b.ibra)
    t.until_time("ship_by")
    t.until("settled_refunded", b.sara, b.bo, b.aude, what="not shipped")
    c.that(becomes(lambda: b.bo.balance(b.ibra) == before + 5000), "the buyer has its money back", (before, b.bo.balance(b.ibra)))


def refusing(b, uma):
    """An arbiter who refuses: nobody pays, and both are told what to do."""
    t = b.offers(b.lists("A saddle, with an arbiter who picks", arbiter=uma)).agree()
    t.until_may(uma, "enrol")
    c.that(becomes(lambda: "A saddle" in uma.souk("arbiter", "cases")[1]), "the contract waits among the arbiter's cases",
           uma.souk("arbiter", "cases"))
    code, words = refusal(lambda: t.do(b.bo, "trade.fund"))
    c.that(code == "not_allowed" and "arbiter" in words, "nobody funds before it consents", f"{code}: {words}")
    status, _, said = uma.souk("arbiter", "consent", t.id.hex(), "--refuse", "--reason", "I know the seller.")
    c.that(status == 0, "it refuses", said)
    t.until("refused", b.bo, b.sara, what="refused by the arbiter")
    code, words = refusal(lambda: t.do(b.bo, "trade.fund"))
    c.that(code == "not_allowed" and "refused" in words and "offer" in words, "the buyer is told what to do", f"{code}: {words}")
    row = t.show(b.bo)
    c.that(any("I know the seller." in f.get("text", "") for f in row["facts"]), "and why", row["facts"])


def too_little(b):
    """More than the buyer has: refused before anything is signed, and the trade goes on once there is money."""
    t = b.offers(b.lists("A bicycle of gold", 500000)).agree()
    t.until_may(b.bo, "fund")
    code, words = refusal(lambda: t.do(b.bo, "trade.fund", address="12 rue des Lilas"))
    c.that(code == "funds" and "missing" in words, "too little money is refused with what is missing", f"{code}: {words}")
    status, _, said = b.bo.souk("--yes", "trade", "fund", t.id.hex(), "--address", "12 rue des Lilas")
    c.that(status == 1 and "missing" in said, "on the command line as well, with exit 1", f"{status}: {said}")
    c.that(t.may(b.bo, "fund"), "and the buyer may still fund", t.move(b.bo, "fund"))
    b.ibra.call("credit.mint", member=b.bo.id, minor=500000)
    c.that(becomes(lambda: b.bo.balance(b.ibra) >= 500000), "the issuer mints more")
    t.do(b.bo, "trade.fund", address="12 rue des Lilas")
    t.until("funded", b.sara, b.bo, what="with enough money")
    t.do(b.sara, "trade.refund")
    t.until("settled_refunded", b.sara, b.bo, what="given back before shipping")


def issuer_away(b):
    """The ledger cannot be reached: what was ordered waits on disk, says so, and goes on by itself."""
    t = b.offers(b.lists("A lamp while the issuer sleeps")).agree()
    t.until_may(b.bo, "fund")
    b.ibra.kill()
    t.do(b.bo, "trade.fund", address="12 rue des Lilas")
    said = t.show(b.bo)
    c.that(said["funding"] == "none" and "issuer" in said["row"]["next"], "the buyer is told what it waits for",
           (said["funding"], said["row"]["next"]))
    code, words = refusal(lambda: t.do(b.bo, "trade.fund", address="12 rue des Lilas"))
    c.that(code == "not_allowed" and "about to be" in words, "and does not pay twice", f"{code}: {words}")
    b.ibra.restart()
    t.until("funded", b.sara, b.bo, timeout_s=3 * SOON_S, what="the issuer is back")
    t.until_may(b.sara, "ship")
    t.do(b.sara, "trade.ship")
    t.until("shipped", b.bo)
    before = b.sara.balance(b.ibra)
    b.ibra.kill()
    t.do(b.bo, "trade.release")
    t.until_may(b.sara, "evidence")
    b.ibra.restart()
    t.until("settled_released", b.sara, b.bo, timeout_s=3 * SOON_S, what="released while the issuer was away")
    c.that(becomes(lambda: b.sara.balance(b.ibra) == before + 5000), "paid once", (before, b.sara.balance(b.ibra)))


def case(b):
    """A dispute with words and a picture, and the file that the arbiter judges by."""
    s = int(1000 * SLOW)
    listing = b.lists("A lens with a scratch", 4000)
    for who, whom, text in ((b.bo, b.sara, "Is it whole?"), (b.sara, b.bo, "Without a scratch, I promise.")):
        who.call("message.send", to=whom.id, about=listing, text=text)
        c.that(becomes(lambda whom=whom, text=text: any(m["text"] == text for m in whom.messages())), f"\"{text}\" arrives")
    t = b.offers(listing, valid_ms=3 * s, fund_ms=1000, ship_ms=1000, deliver_ms=1000,
                 inspect_ms=20 * s).ship()
    status, out, said = b.bo.souk("--json", "photo", "add", str(PHOTO))
    c.that(status == 0, "the buyer takes a picture of it", said)
    root = json.loads(out)["photo"]["root"] if status == 0 else ""
    status, _, said = b.bo.souk("trade", "dispute", t.id.hex(), "A scratch right across it, not in the picture.")
    c.that(status == 0, "the buyer disputes on the command line", said)
    status, _, said = b.bo.souk("trade", "evidence", t.id.hex(), "The scratch, against the light.", "--photos", root)
    c.that(status == 0, "and adds words and a picture to the file", said)
    status, _, said = b.bo.souk("trade", "evidence", t.id.hex())
    c.that(status == 1 and "text or photos" in said, "nothing to add is refused with what is missing", said)
    t.until("disputed", b.aude)
    t.do(b.sara, "trade.evidence", text="It was whole when I packed it.")
    c.that(becomes(lambda: "when I packed it" in b.aude.souk("arbiter", "case", t.id.hex())[1]), "the arbiter has both sides",
           t.told(b.aude))
    status, out, said = b.aude.souk("arbiter", "case", t.id.hex())
    c.that(status == 0 and all(w in out for w in ("taken", "A scratch right across it", "against the light", "scratch", "La Poste",
                                                  "the address, for the seller alone")), "souk arbiter case shows the file", out + said)
    file = t.do(b.aude, "arbiter.case")
    c.that(file["claims"][0]["by"] == "buyer" and file["claims"][0]["arrived"] <= file["dispute_by"], "with when the dispute arrived",
           file["claims"])
    c.that(file["fee_minor"] == 120 and file["locked_minor"] == 4000 and not file["stories"], "what it is about, and no two stories", file)
    c.that([p.hex() for e in file["file"] for p in e.get("photos", [])] == [root], "the picture is named",
           (root, [e for e in file["file"] if e["kind"] == "evidence"]))
    c.that([(m["from"], m["text"], m["proof"]) for m in file["messages"]] ==
           [("buyer", "Is it whole?", "its author says so"), ("seller", "Without a scratch, I promise.", "signed by its author")],
           "what the two wrote to each other is in it, with what proves it", file["messages"])
    got = b.aude.node.home / "evidence.png"
    c.that(becomes(lambda: b.aude.souk("photo", "get", root, str(got))[0] == 0), "and comes from the buyer's node",
           b.aude.souk("photo", "get", root, str(got)))
    c.that(got.exists() and got.stat().st_size > 1000, "as a file", got)
    code, words = refusal(lambda: t.do(b.bo, "arbiter.case"))
    c.that(code == "not_allowed" and "arbiter cases" in words, "who does not decide is told so", f"{code}: {words}")
    t.until_may(b.aude, "rule")
    code, words = refusal(lambda: t.do(b.aude, "arbiter.rule", split={"buyer": 4000, "seller": 500, "arbiter": 0}, reasons="Both."))
    c.that(code == "invalid" and "4000" in words, "a ruling over more than there is says what there is", f"{code}: {words}")
    status, _, said = b.aude.souk("--yes", "arbiter", "rule", t.id.hex(), "buyer=4000,seller=0,arbiter=0", "It was sold as new.")
    c.that(status == 0, "it rules for the buyer", said)
    t.until("settled_refunded", b.bo, b.sara, b.aude, what="ruled for the buyer")


def replacing(b, uma):
    """Rule 10: the arbiter is dead; both ask for another one, the money moves to a lock of its own, it rules."""
    s = int(1000 * SLOW)
    t = b.offers(b.lists("A clock that runs backwards", 3000), valid_ms=4 * s, fund_ms=1000, ship_ms=1000,
                 deliver_ms=1000, delta_ms=int(500 * SLOW))
    t.ship()
    b.aude.kill()
    t.do(b.bo, "trade.dispute", claim="It runs backwards.")
    t.do(b.sara, "trade.evidence", text="It says so in the title.")
    code, words = refusal(lambda: t.do(b.sara, "trade.replace"))
    c.that(code == "missing" and "arbiter" in words, "agreeing to nothing says what is missing", f"{code}: {words}")
    c.refuses("not_found", "an arbiter that nobody knows is refused",
              lambda: t.do(b.bo, "trade.replace", arbiter=b.ibra.id))
    status, _, said = b.bo.souk("--yes", "trade", "replace", t.id.hex(), "--arbiter", uma.id.hex(), "--rule", "60s")
    c.that(status == 0, "the buyer asks for another arbiter on the command line", said)
    t.until_may(uma, "enrol")
    shown = t.show(b.sara)
    c.that(shown.get("next_arbiter") == uma.id and shown.get("next_asked") == "buyer" and shown["row"]["turn"],
           "the seller is told whom, and that it is its turn", {k: v for k, v in shown.items() if k.startswith("next")})
    code, words = refusal(lambda: t.do(uma, "arbiter.rule", split={"buyer": 1500, "seller": 1500, "arbiter": 0}, reasons="No."))
    c.that(code == "not_allowed" and "rule 10" in words, "the new one rules nothing yet", f"{code}: {words}")
    status, _, said = uma.souk("arbiter", "consent", t.id.hex())
    c.that(status == 0, "it consents", said)
    c.that(becomes(lambda: t.show(b.bo).get("next_answer") == "consents"), "the buyer hears of it", t.told(b.bo))
    status, _, said = b.sara.souk("--yes", "trade", "replace", t.id.hex())
    c.that(status == 0, "the seller agrees", said)
    for who in (b.bo, b.sara, uma):
        c.that(becomes(lambda who=who: t.show(who).get("arbiter") == uma.id and t.show(who)["funding"] == "confirmed", 2 * SOON_S),
               f"the money is in the new arbiter's lock, says {who.name}'s node", t.told(who))
    c.that(becomes(lambda: any("backwards" in f.get("text", "") for f in t.show(uma)["facts"] if f["kind"] == "dispute") and
           any("in the title" in f.get("text", "") for f in t.show(uma)["facts"])), "the new one has the file", t.told(uma))
    t.until_may(uma, "rule")
    before = [p.balance(b.ibra) for p in (b.bo, b.sara)]
    status, _, said = uma.souk("--yes", "arbiter", "rule", t.id.hex(), "buyer=2000,seller=1000,arbiter=0",
                               "A third off for a joke. Half each.")
    c.that(status == 0, "it rules", said)
    t.until("settled_split", b.bo, b.sara, uma, timeout_s=2 * SOON_S, what="the new arbiter's ruling")
    c.that(becomes(lambda: [p.balance(b.ibra) for p in (b.bo, b.sara)] == [before[0] + 1940, before[1] + 970]),
           "each has its part, less the fee", (before, [p.balance(b.ibra) for p in (b.bo, b.sara)]))
    b.aude.restart()
    c.that(becomes(lambda: t.show(b.aude).get("arbiter") == uma.id), "the old arbiter, back, sees who decided", t.told(b.aude))
    b.bo.call("rate.publish", trade=t.id, subject=b.sara.id, stars=3, words="Backwards.")
    c.that(becomes(lambda: any(r["trade"] == t.id and r["funded"] for r in
           b.ibra.call("rating.list", subject=b.sara.id)["ratings"])), "a rating of such a trade verifies at a third node")


def late(b):
    """The arbiter is dead and the two do not agree: after T the late branch pays what the terms fixed."""
    s = int(1000 * SLOW)
    t = b.offers(b.lists("A frame that is perhaps bent", 2000), valid_ms=4 * s, fund_ms=1000, ship_ms=1000,
                 deliver_ms=1000, inspect_ms=2 * s, rule_ms=1000, delta_ms=int(500 * SLOW), late_buyer_bp=2500)
    t.ship()
    return t


def late_ends(b, t):
    t.do(b.bo, "trade.dispute", claim="It is bent.")
    b.aude.kill()
    before = b.bo.balance(b.ibra), b.sara.balance(b.ibra)
    t.until_time("late_at")
    t.until("settled_late", b.bo, b.sara, timeout_s=2 * SOON_S, what="the late branch")
    c.that(becomes(lambda: b.bo.balance(b.ibra) == before[0] + 500 and b.sara.balance(b.ibra) == before[1] + 1500),
           "each has the part that the terms fixed", (before, b.bo.balance(b.ibra), b.sara.balance(b.ibra)))
    b.aude.restart()


# ---- kill -9 ----
def mid_trade(b, victim):
    """A whole trade while one of its people's nodes is killed over and over."""
    listing = b.lists(f"A bicycle, {victim.name} is killed")
    before = b.sara.balance(b.ibra), b.bo.balance(b.ibra)
    t = b.offers(listing)
    kills = 0

    def move_of(who, name):
        """The trade itself may not have reached its node yet."""
        try:
            return t.move(who, name)
        except Refused as e:
            return {"may": False, "why": e.message}

    def done_by(who, name, method, **more):
        """who does it once it may; a kill may swallow the answer, so what counts is that the move is over."""
        nonlocal kills
        end, most = time.monotonic() + 6 * SOON_S, kills + 3
        while time.monotonic() < end:
            if kills < most and rand.random() < 0.6:
                victim.kill()
                victim.restart()
                kills += 1
            m = move_of(who, name)
            if m["may"]:
                try:
                    asked = who.send(method, trade=t.id, **more)
                    if who is victim and kills < most and rand.random() < 0.7:
                        time.sleep(rand.uniform(0, 0.05) * SLOW)
                        victim.kill()
                        victim.restart()
                        kills += 1
                    else:
                        who.answers_to([asked])
                except OSError:
                    pass
            elif any(w in m.get("why", "") for w in ("already", "about to be", "fixed", "settled", "spent")):
                return True
            time.sleep(0.05)
        return c.that(False, f"{victim.name} killed: {who.name} could {name}", (move_of(who, name), t.told(who)))

    done_by(b.sara, "accept", "trade.accept")
    done_by(b.bo, "fund", "trade.fund", address="12 rue des Lilas")
    t.until("funded", b.sara, timeout_s=4 * SOON_S, what=f"{victim.name} killed")
    done_by(b.sara, "ship", "trade.ship")
    t.until("shipped", b.bo, timeout_s=4 * SOON_S, what=f"{victim.name} killed")
    t.until_may(b.bo, "release")
    done_by(b.bo, "release", "trade.release")
    for who in (b.sara, b.bo, b.aude):
        t.until("settled_released", who, timeout_s=4 * SOON_S, what=f"{victim.name} killed {kills} times")
        c.that(not t.show(who)["two_stories"], f"{victim.name} killed: nobody told two stories, says {who.name}'s node")
    c.that(kills > 1, f"{victim.name} was killed {kills} times in it (seed {SEED})")
    c.that(becomes(lambda: (b.sara.balance(b.ibra), b.bo.balance(b.ibra)) == (before[0] + 5000, before[1] - 5000)),
           f"{victim.name} killed: paid once", (before, b.sara.balance(b.ibra), b.bo.balance(b.ibra)))


def timed(part, *args):
    t0 = time.monotonic()
    got = part(*args)
    if "-v" in sys.argv:
        print(f"{part.__name__}: {time.monotonic() - t0:.1f} s", file=sys.stderr)
    return got


def trades():
    b = timed(Bazaar, c, BUILD, "uma")
    uma = b.others["uma"]
    b.arbitrates(uma, by_rule=False)
    given_back = timed(not_shipped, b)
    timed(direct, b)
    timed(meeting, b)
    timed(friendly_split, b)
    timed(not_shipped_ends, b, given_back)
    timed(refusing, b, uma)
    timed(too_little, b)
    timed(case, b)
    timed(replacing, b, uma)
    timed(issuer_away, b)
    for victim in (b.bo, b.sara, b.aude, b.ibra):
        timed(mid_trade, b, victim)
    paid_late = timed(late, b)
    timed(late_ends, b, paid_late)


c.run([trades])
