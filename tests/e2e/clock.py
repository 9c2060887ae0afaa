#!/usr/bin/env python3
"""clock.py BUILD: a machine whose clock is wrong, among four whose clocks are right: real nodes, and in front of one
of them a library that shifts the time of day (clock_shim.c).  Closes with "N passed, N failed"."""
import os
import pathlib
import subprocess
import sys

from people import SOON_S, becomes, people, refusal
from souk import Checks, wait_for

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
HERE = pathlib.Path(__file__).resolve().parent
HOUR_MS = 3600000
c = Checks()


def listing(title):
    return {"type": 0, "title": title, "description": "A bicycle.", "language": "en", "category": "bikes/kids",
            "price": [4500, b"EUR"], "condition": 2, "region": "FR", "delivery": [{"mode": 2}], "rails": [1]}


def warnings(who):
    return who.call("node.status").get("warnings", [])


def told(who, kind):
    return [e for e in who.call("events.list", limit=500)["events"] if e["kind"] == kind]


def main():
    shim, offset = c.base / "shim.so", c.base / "wrong-by"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(HERE / "clock_shim.c")], check=True)
    offset.write_text("0")
    seller, *others = everybody = people(c, BUILD, "seller", "buyer", "ibra", "zoe")
    seller.stop()
    # The sanitizer's library must come first, and does not mind that it does not.
    seller.node.around = {"env": {**os.environ, "LD_PRELOAD": str(shim), "SOUK_SHIM_CLOCK": str(offset),
                                  "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}}
    seller.restart()
    buyer = others[0]
    sold = seller.call("listing.publish", listing("A bicycle"))["id"]
    c.that(becomes(lambda: seller.sessions() == 3 and buyer.call("listing.show", id=sold)["newest"], 2 * SOON_S), "four nodes know each other")
    buyer.call("message.send", to=seller.id, text="before")
    c.that(becomes(lambda: any(m["text"] == "before" for m in seller.messages()), 2 * SOON_S), "letters arrive")
    c.that(not any(warnings(p) for p in everybody), "with clocks that agree nobody is warned")

    offset.write_text(str(3 * HOUR_MS))
    c.that(becomes(lambda: warnings(seller)), "a clock that is set wrong under a running node is noticed", seller.node.words())
    words = (warnings(seller) or [""])[0]
    c.that("3 h 0 min ahead of 3 of 3 peers" in words and "timedatectl" in words, "the owner reads how much, and what to do", words)
    status, out, _ = seller.souk("node", "status")
    c.that(status == 0 and "3 h 0 min ahead" in out, "the command shows it", out)
    c.that("3 h 0 min ahead" in seller.node.words() and "level=warn" in seller.node.words(), "the log tells it", seller.node.words())
    c.that(becomes(lambda: len(told(seller, "clock.wrong")) == 1), "and an event")
    c.that(not any(warnings(p) for p in others), "the others are not warned: most of their peers agree with them")

    trade = buyer.call("trade.offer", listing=sold)["trade"]
    c.that(becomes(lambda: trade in [t["trade"] for t in seller.call("trade.list")["trades"]], 2 * SOON_S), "an offer comes in")
    for what, call in (("accept", lambda: seller.call("trade.accept", trade=trade)),
                       ("counter", lambda: seller.call("trade.counter", trade=trade, price=[4000, b"EUR"]))):
        code, words = refusal(call)
        c.that(code == "clock" and "clock" in words and "set it" in words, f"{what}: nothing with a deadline is signed, with the reason", f"{code}: {words}")
    moves = {m["name"]: m for m in seller.call("trade.show", trade=trade)["moves"]}
    c.that(not moves["accept"]["may"] and "clock" in moves["accept"]["why"] and moves["decline"]["may"],
           "what may be done says the same; declining hangs on no deadline", moves["accept"])
    c.that(seller.call("message.send", to=buyer.id, text="my clock is wrong")["id"]
           and becomes(lambda: any(m["text"] == "my clock is wrong" for m in buyer.messages())), "all else goes on")

    seller.kill()
    seller.restart()
    c.that(becomes(lambda: warnings(seller) and len(told(seller, "clock.wrong")) == 2),
           "started with the wrong clock, it is told by the first hellos")

    offset.write_text("0")
    c.that(becomes(lambda: not warnings(seller)), "the clock is set right")
    c.that(wait_for(lambda: told(seller, "clock.right"), 2 * SOON_S) is not None, "and after a while trusted again")
    code, words = refusal(lambda: seller.call("trade.accept", trade=trade))
    c.that(code is None, "then the offer is accepted", f"{code}: {words}")
    c.that(becomes(lambda: buyer.call("trade.show", trade=trade)["row"]["phase"] not in ("offered", ""), 2 * SOON_S), "and the buyer knows")
    for p in everybody:
        p.stop()
        c.that(p.node.process.returncode == 0, f"{p.name} ends cleanly", p.node.words())


c.run([main])
