#!/usr/bin/env python3
"""messages.py BUILD: letters between real nodes: delivered, kept for who is away, and kept through kill -9.

Closes with "N passed, N failed"."""
import sys

from people import SOON_S, WORDS, Person, becomes, people, refusal
from souk import Checks, Client, Refused

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
c = Checks()


def texts(who, whom):
    return [m["text"] for m in who.messages() if m["from"] == whom.id]


def state_of(who, letter):
    return next((m.get("state", "") for m in who.messages() if m["id"] == letter), "gone")


def write(who, whom, text):
    return who.call("message.send", to=whom.id, text=text)["id"]


def delivered(who, whom, letter, text, what, timeout_s=SOON_S):
    c.that(becomes(lambda: text in texts(whom, who), timeout_s), what, state_of(who, letter))
    c.that(texts(whom, who).count(text) == 1, f"{what}: once", texts(whom, who))
    c.that(becomes(lambda: state_of(who, letter) == "received", timeout_s), f"{what}: the sender knows",
           state_of(who, letter))


def letters():
    serving, maelle, tomas = people(c, BUILD, "serving", "maelle", "tomas")
    long = "é" * 3999
    for text in ("Bonjour ! Le vélo est-il encore à vendre ?", "two\nlines", long):
        letter = write(maelle, tomas, text)
        delivered(maelle, tomas, letter, text, f"a message of {len(text.encode())} bytes arrives")
    letter = write(tomas, maelle, "Oui, toujours.")
    delivered(tomas, maelle, letter, "Oui, toujours.", "an answer arrives")
    same = {m["thread"] for m in maelle.messages()}
    c.that(len(same) == 1, "both sides of it are one thread", len(same))
    blocked(maelle, tomas)
    away(serving, maelle, tomas)
    killed_after_ok(maelle, tomas)
    restarted_while_under_way(serving, maelle, tomas)
    locked(maelle, tomas)


def blocked(maelle, tomas):
    """Who is blocked hears that the letter was received, and is not heard."""
    tomas.call("people.mark", id=maelle.id, mark="block")
    letter = write(maelle, tomas, "Read me!")
    c.that(becomes(lambda: state_of(maelle, letter) == "received"), "a letter of somebody blocked is acknowledged", state_of(maelle, letter))
    c.that("Read me!" not in texts(tomas, maelle), "and not shown to who blocked them", texts(tomas, maelle))
    tomas.call("people.mark", id=maelle.id, mark="unblock")
    letter = write(maelle, tomas, "Am I heard again?")
    delivered(maelle, tomas, letter, "Am I heard again?", "a letter of somebody no longer blocked arrives")


def away(serving, maelle, tomas):
    """tomas is gone, and `serving` keeps a mailbox."""
    tomas.stop()
    becomes(lambda: maelle.sessions() == 1)
    letter = write(maelle, tomas, "Are you away?")
    c.that(becomes(lambda: state_of(maelle, letter) in ("in mailbox", "queued")), "a message to somebody away waits",
           state_of(maelle, letter))
    box = becomes(lambda: state_of(maelle, letter) == "in mailbox")
    c.that(box, "in a mailbox that a third node serves", state_of(maelle, letter))
    if box:  # then the sender is not needed any more
        maelle.stop()
        tomas.restart()
        c.that(becomes(lambda: "Are you away?" in texts(tomas, maelle)), "who is back finds it, while the sender is away")
        maelle.restart()
    else:
        tomas.restart()
    delivered(maelle, tomas, letter, "Are you away?", "a message to somebody away arrives when they are back", 2 * SOON_S)
    c.that(serving.node.alive(), "and the node with the mailbox runs on")


def killed_after_ok(maelle, tomas):
    """kill -9 at once after "ok": what was acknowledged is on disk."""
    sent = {}
    for i in range(3):
        tomas.stop()
        text = f"said just before the end, {i}"
        sent[text] = write(maelle, tomas, text)
        maelle.kill()
        tomas.restart()
        maelle.restart()
    for text, letter in sent.items():
        delivered(maelle, tomas, letter, text, f"a message acknowledged before kill -9 arrives: {text[-1]}", 3 * SOON_S)


def restarted_while_under_way(serving, maelle, tomas):
    """Letters under way while the receiver is killed: each arrives, each once."""
    wanted = [f"letter {i} of ten" for i in range(10)]
    for i, text in enumerate(wanted):
        write(maelle, tomas, text)
        if i == 4:
            tomas.kill()
    tomas.restart()
    becomes(lambda: set(wanted) <= set(texts(tomas, maelle)), 3 * SOON_S)
    got = [t for t in texts(tomas, maelle) if t in wanted]
    c.that(sorted(got) == sorted(wanted), "ten letters reach a node that was killed half way, each once",
           sorted(set(wanted) - set(got)) or got)
    c.that(serving.node.alive(), "the third node runs on")


def locked(maelle, tomas):
    c.refuses("passphrase", "a wrong passphrase does not open an identity",
              lambda: maelle.call("id.unlock", passphrase="open barley"))
    maelle.call("id.lock")
    code, words = refusal(lambda: write(maelle, tomas, "may I?"))
    c.that(code == "locked" and "unlock" in words, "a locked identity refuses to write, and says what opens it", words)
    c.that("may I?" not in [m["text"] for m in maelle.messages()], "and nothing is kept of it")
    status, _, said = maelle.souk("message", "send", tomas.id.hex(), "may I?")
    c.that(status == 1 and "unlock" in said, "the command line says the same and exits 1", f"{status}: {said}")
    maelle.call("id.unlock", passphrase=WORDS)
    delivered(maelle, tomas, write(maelle, tomas, "thank you"), "thank you", "unlocked for duties alone, it may write")
    c.refuses("invalid", "nobody writes to themselves", lambda: write(maelle, maelle, "note to self"))
    code, words = refusal(lambda: maelle.call("message.send", to=tomas.id, text="x" * 8001))
    c.that(code == "params" and words, "a message that is too long is refused with words", f"{code}: {words}")


def read_only_socket():
    p = Person(c, BUILD, "public", flags=("--read-only-socket", "yes"))
    with p.node.client() as s:
        methods = s.call("api.describe")["methods"]
    with Client(p.node.home / "souk-ro.sock") as s:
        c.that(s.call("search.run", words="vélo")["listings"] == [], "souk-ro.sock answers what is public")
        wrong = []
        for m in methods:
            try:
                s.call(m["name"])
                code = "ok"
            except Refused as e:
                code = e.code
            refused = code == "not_allowed"
            if refused == (m["class"] == "public"):
                wrong.append((m["name"], m["class"], code))
        c.that(not wrong and len(methods) > 40, f"of {len(methods)} methods it serves the public ones and no other", wrong)
    c.that(p.call("id.list")["identities"][0]["unlocked"], "and nothing that was asked there was done")


c.run([letters, read_only_socket])
