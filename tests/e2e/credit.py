#!/usr/bin/env python3
"""credit.py BUILD: money on an issuer's ledger between real nodes: paid once, refused with words, and kept
through kill -9 of the issuer and of the payer at moments that a seed chooses (SOUK_E2E_SEED).

Closes with "N passed, N failed"."""
import os
import random
import sys
import time

from people import SOON_S, WORDS, becomes, people, refusal
from souk import SLOW, Checks, Refused

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
SEED = int(os.environ.get("SOUK_E2E_SEED", "20"))
LIMIT, MINTED, BURST, ROUNDS = 100, 5000, 30, 3
c = Checks()
rand = random.Random(SEED)


def issues(ibra):
    ibra.call("credit.issuer", name="Grains de sel", code="GRAIN", decimals=0, limit_minor=LIMIT)


def knows(who, issuer):
    """Asks to become a member; the issuer's record may still be on its way."""
    try:
        who.call("credit.join", issuer=issuer.id)
        return True
    except Refused:
        return False


def members(issuer):
    return {m["id"]: m for m in issuer.call("credit.members")["members"]}


def sum_holds(issuer, *folk, minted=MINTED):
    """What was minted is what the members have: credit drawn is negative, so that sums stay."""
    return sum(p.balance(issuer) for p in folk) == minted


def joining(ibra, anna, bilal, dora):
    issues(ibra)
    for p in (anna, bilal):
        c.that(becomes(lambda p=p: knows(p, ibra)), f"{p.name} hears of the issuer and asks to join")
        c.that(becomes(lambda p=p: p.id in members(ibra)), f"the issuer hears that {p.name} asked")
    c.that(members(ibra)[anna.id]["state"] == "asked", "nobody is let in without the issuer", members(ibra)[anna.id]["state"])
    code, words = refusal(lambda: anna.pay(ibra, bilal, 5))
    c.that(code == "funds" and words, "who is no member yet has nothing to pay with", f"{code}: {words}")
    ibra.call("credit.approve", member=anna.id)
    ibra.call("credit.approve", member=bilal.id, limit_minor=40)
    for p, limit in ((anna, LIMIT), (bilal, 40)):
        c.that(becomes(lambda p=p: p.member(ibra) == "approved"), f"{p.name} hears of being let in", p.member(ibra))
        row = members(ibra)[p.id]
        c.that(row["state"] == "approved" and row["limit_minor"] == limit, f"{p.name} has a limit of {limit}", row)
    c.refuses("not_found", "nobody mints but the issuer", lambda: anna.call("credit.mint", member=anna.id, minor=1000))


def paying(ibra, anna, bilal, dora):
    ibra.call("credit.mint", member=anna.id, minor=MINTED, note="to begin with")
    c.that(becomes(lambda: anna.balance(ibra) == MINTED), "what was minted arrives", anna.balance(ibra))
    anna.pay(ibra, bilal, 700, "for the lamp")
    c.that(anna.balance(ibra) == MINTED - 700, "who paid has that much less, with the answer", anna.balance(ibra))
    c.that(becomes(lambda: bilal.balance(ibra) == 700), "who was paid has it", bilal.balance(ibra))
    rows = anna.call("credit.history", issuer=ibra.id)["rows"]
    c.that([r["minor"] for r in rows] == [-700, MINTED] and all(r["receipt"] for r in rows), "the history tells both", rows)
    code, words = refusal(lambda: anna.pay(ibra, bilal, 0))
    c.that(code == "params" and words, "a payment of nothing is refused", f"{code}: {words}")
    code, words = refusal(lambda: anna.pay(dora, bilal, 5))
    c.that(code in ("funds", "not_found") and words, "money of somebody who issues none is refused", f"{code}: {words}")


def limits(ibra, anna, bilal, dora):
    code, words = refusal(lambda: bilal.pay(ibra, anna, 741))
    c.that(code == "funds" and "41" in words, "a payment beyond the limit is refused and says what is missing", words)
    c.that(bilal.balance(ibra) == 700, "and nothing moved", bilal.balance(ibra))
    status, _, said = bilal.souk("--yes", "credit", "pay", anna.id.hex(), "741", "--issuer", ibra.id.hex())
    c.that(status == 1 and "missing" in said, "the command line says so and exits 1", f"{status}: {said}")
    bilal.pay(ibra, anna, 740)
    c.that(bilal.balance(ibra) == -40, "mutual credit: down to the limit it is paid", bilal.balance(ibra))
    c.that(members(ibra)[bilal.id]["balance_minor"] == -40, "the issuer knows what was drawn", members(ibra)[bilal.id])
    code, words = refusal(lambda: bilal.pay(ibra, anna, 1))
    c.that(code == "funds" and words, "and not one more", f"{code}: {words}")
    c.that(becomes(lambda: sum_holds(ibra, anna, bilal)), "the sum is what was minted",
           (anna.balance(ibra), bilal.balance(ibra)))


def without_spending(ibra, anna, bilal, dora):
    anna.call("id.lock")
    code, words = refusal(lambda: anna.pay(ibra, bilal, 5))
    c.that(code == "locked" and "unlock" in words, "a locked identity pays nothing, and says what opens it", words)
    anna.call("id.unlock", passphrase=WORDS)
    code, words = refusal(lambda: anna.pay(ibra, bilal, 5))
    c.that(code == "locked" and words, "opened for duties alone it moves no money either", f"{code}: {words}")
    c.refuses("passphrase", "a wrong passphrase with the payment is refused",
              lambda: anna.call("credit.pay", issuer=ibra.id, to=bilal.id, minor=5, passphrase="wrong"))
    anna.call("credit.pay", issuer=ibra.id, to=bilal.id, minor=5, passphrase=WORDS)
    anna.unlock()
    c.that(becomes(lambda: bilal.balance(ibra) == -35), "the right one pays this once", bilal.balance(ibra))


def issuer_away(ibra, anna, bilal, dora):
    ibra.stop()
    before = anna.balance(ibra)
    t0 = time.monotonic()
    code, words = refusal(lambda: anna.pay(ibra, bilal, 50, "while you were away"))
    took = time.monotonic() - t0
    c.that(code in ("offline", "timeout") and words, f"the issuer away: refused with words, after {took:.0f} s",
           f"{code}: {words}")
    ibra.restart()
    c.that(becomes(lambda: anna.balance(ibra) == before - 50, 3 * SOON_S), "and paid when the issuer is back",
           (before, anna.balance(ibra)))
    c.that(becomes(lambda: bilal.balance(ibra) == 15, 3 * SOON_S), "and received", bilal.balance(ibra))
    time.sleep(1)
    c.that(anna.balance(ibra) == before - 50 and bilal.balance(ibra) == 15, "once", (anna.balance(ibra), bilal.balance(ibra)))


def settled(ibra, anna, bilal):
    """Nothing is under way any more: all that was minted is with somebody, and for a while nothing moves."""
    def rests():
        before = (anna.balance(ibra), bilal.balance(ibra))
        if sum(before) != MINTED:
            return False
        time.sleep(0.6)
        return before == (anna.balance(ibra), bilal.balance(ibra))
    return becomes(rests, 4 * SOON_S)


def burst(anna, ibra, bilal, n):
    """n payments of 1 asked for one after the other; the requests."""
    return [anna.send("credit.pay", issuer=ibra.id, to=bilal.id, minor=1, note=f"{i}") for i in range(n)]


def issuer_killed(ibra, anna, bilal, dora):
    """Every payment that was answered "ok" before or after a kill -9 of the issuer is in its ledger, once."""
    for i in range(ROUNDS):
        had, theirs = anna.balance(ibra), bilal.balance(ibra)
        asked = burst(anna, ibra, bilal, BURST)
        time.sleep(rand.uniform(0, 0.15) * SLOW)
        ibra.kill()
        ibra.restart()
        answers = anna.answers_to(asked)
        paid = [got["transfer"] for got, _ in answers if got]
        others = [e for _, e in answers if e]
        what = f"seed {SEED}, kill {i + 1}: {len(paid)} of {BURST} acknowledged"
        c.that(paid and len(set(paid)) == len(paid), f"{what}: each is a transfer of its own", [str(e) for e in others])
        c.that(all(e.message for e in others), f"{what}: the others were refused with words")
        c.that(settled(ibra, anna, bilal), f"{what}: the sum holds", (anna.balance(ibra), bilal.balance(ibra)))
        moved = bilal.balance(ibra) - theirs
        c.that(len(paid) <= moved <= BURST and had - anna.balance(ibra) == moved, f"{what}: every one is there, once",
               (moved, had - anna.balance(ibra), [f"{e.code}: {e.message}" for e in others]))
        audited(dora, ibra, f"{what}: seen from a third node")
        audited(anna, ibra, f"{what}: seen by who paid")


def audited(who, issuer, what):
    got = {}

    def whole():
        got.update(who.call("credit.audit", issuer=issuer.id))
        return True
    c.that(becomes(whole), f"{what}: the ledger can be audited")
    c.that(got.get("consistent") and not got.get("fraud") and got.get("double_spends") == 0 and got.get("own_missing") == 0 and
           got.get("leaves_checked") == got.get("size") and got.get("size", 0) > 0, f"{what}: it is consistent", got)
    return got


def payer_killed(ibra, anna, bilal, dora):
    """kill -9 of the payer while it pays: nothing is paid twice, nothing is lost."""
    for i in range(ROUNDS):
        had, theirs = anna.balance(ibra), bilal.balance(ibra)
        burst(anna, ibra, bilal, BURST)
        time.sleep(rand.uniform(0, 0.1) * SLOW)
        anna.kill()
        anna.restart()
        what = f"seed {SEED}, payer killed {i + 1}"
        c.that(settled(ibra, anna, bilal), f"{what}: the sum holds", (anna.balance(ibra), bilal.balance(ibra)))
        moved = bilal.balance(ibra) - theirs
        c.that(0 <= moved <= BURST and had - anna.balance(ibra) == moved, f"{what}: what one lost the other has",
               (moved, had - anna.balance(ibra)))
        rows = anna.call("credit.history", issuer=ibra.id)["rows"]
        c.that(sum(r["minor"] for r in rows) == anna.balance(ibra), f"{what}: the history adds up to the balance",
               (sum(r["minor"] for r in rows), anna.balance(ibra)))
        anna.pay(ibra, bilal, 1)
        c.that(settled(ibra, anna, bilal), f"{what}: and one can go on paying")
        audited(dora, ibra, what)
    before = audited(dora, ibra, "at the end").get("size", 0)
    ibra.kill()
    ibra.restart()
    # What the payer had under way may still have been entered in between.
    after = audited(dora, ibra, "after a last kill").get("size", 0)
    c.that(0 < before <= after, "the ledger has not shrunk", (before, after))


def credit():
    folk = people(c, BUILD, "ibra", "anna", "bilal", "dora")
    for part in (joining, paying, limits, without_spending, issuer_away, issuer_killed, payer_killed):
        t0 = time.monotonic()
        part(*folk)
        if "-v" in sys.argv:
            print(f"{part.__name__}: {time.monotonic() - t0:.1f} s", file=sys.stderr)


c.run([credit])
