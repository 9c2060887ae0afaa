#!/usr/bin/env python3
"""api.py BUILD: the developer's socket as spec/api.md describes it: its own example run as it stands, then
forms, order, errors, classes, pages and events, by clients that share nothing with the node."""
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys

from people import becomes
from souk import SLOW, Checks, Client, Refused, pack, unpack, wait_for

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
CHAPTER = pathlib.Path(__file__).resolve().parents[2] / "spec/api.md"
c = Checks()
node = c.node(BUILD, "api", flags=["--read-only-socket", "yes"])


def the_example_of_the_chapter_runs():
    text = CHAPTER.read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", text, re.S)
    c.that(len(programs) == 1, "the chapter has one program", len(programs))
    p = subprocess.run([sys.executable, "-c", programs[0]], env={**os.environ, "SOUK_HOME": str(node.home)},
                       capture_output=True, text=True, timeout=60 * SLOW, check=False)
    said = p.stdout.splitlines()
    c.that(p.returncode == 0 and not p.stderr, "the program ends well", p.stderr[-400:])
    c.that(len(said) == 3 and said[0].startswith("version "), "it tells the version", said)
    c.that(len(said) == 3 and re.fullmatch(r"Vélo enfant 20 pouces 45\.00 EUR [0-9a-f]{64}", said[1]),
           "it finds by `velo` what it published", said)
    c.that(len(said) == 3 and said[2].startswith("not_found: "), "it is refused with a code and words", said)


def any_form_will_do():
    """Longer forms, another order of keys, hex for bins, names for numbers, an amount as a map."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20 * SLOW)
    s.connect(str(node.home / "souk.sock"))
    params = b"\xdf\x00\x00\x00\x02" + pack("limit") + b"\xd3" + struct.pack(">q", 5) + \
        b"\xdb\x00\x00\x00\x05words" + b"\xda\x00\x04velo"
    request = b"\xdd\x00\x00\x00\x04\xcf" + bytes(8) + b"\xce\x00\x00\x00\x07" + pack("search.run") + params
    for i in range(len(request)):  # a byte at a time
        s.sendall(request[i:i + 1])
    got = b""
    while True:
        try:
            answer, _ = unpack(got)
            break
        except Exception:
            got += s.recv(65536)
    c.that(answer[:3] == [1, 7, None] and answer[3]["listings"], "a request in longer forms, in pieces, is answered",
           answer)
    s.close()
    row = answer[3]["listings"][0]
    with node.client() as k:
        c.that(row["type"] == "goods" and isinstance(row["id"], bytes) and row["price"] == [4500, b"EUR"],
               "names for choices, bins for ids, amounts as [minor, currency]", row)
        shown = k.call("listing.show", id=row["id"].hex())
        c.that(shown["listing"]["id"] == row["id"], "hex will do for a bin")
        c.that(shown["condition"] == "good" and shown["rails"] == ["direct"] and
               shown["delivery"][0]["mode"] == "meet", "choices within lists and maps go by name too", shown)
        asked = k.call("listing.publish", type=0, title="Chaise", description="Paille.", language="fr",
                       category="furniture/chairs", condition=2, price={"minor": 900, "currency": "EUR"}, region="FR",
                       delivery=[{"mode": "pickup", "days": None}], rails=["direct"])
        c.that(len(asked["id"]) == 32, "numbers for names, an amount as a map, nil for what is absent")


def errors_have_codes_and_words():
    with node.client() as k:
        c.refuses("method", "an unknown method", lambda: k.call("listing.sell"))
        c.refuses("params", "a field that is misspelt", lambda: k.call("search.run", word="x"))
        c.refuses("params", "a field of the wrong type", lambda: k.call("search.run", words=7))
        c.refuses("params", "a field that is missing", lambda: k.call("listing.show"))
        c.refuses("not_found", "a listing that nobody has", lambda: k.call("listing.show", id=bytes(32)))
        c.refuses("passphrase", "a wrong passphrase", lambda: k.call("id.unlock", passphrase="no"))
        try:
            k.call("search.run", word="x")
        except Refused as e:
            c.that("did you mean words" in e.message, "a refusal names the nearest field", e.message)
        k.s.sendall(pack([0, 3, "node.status"]))
        answer = k.receive()
        c.that(answer[0] == 1 and answer[2]["code"] == "form", "what is no request is refused by itself", answer)
        c.that(k.call("node.status")["uptime_ms"] > 0, "and the connection lives on")
        k.s.sendall(b"\xc1")
        answer = k.receive()
        c.that(answer[1] == 0 and answer[2]["code"] == "form", "what is no MessagePack is refused with id 0", answer)
        c.that(k.s.recv(10) == b"", "and ends the connection")
    with node.client() as k:
        k.s.sendall(b"\xdd\x0f\xff\xff\xff")
        c.that(k.receive()[2]["code"] == "range", "2^28 elements announced are refused at once")


def many_at_once():
    with node.client() as k:
        numbers = [k.send("api.describe", {"method": "node.status"}) for _ in range(200)]
        got = set()
        for _ in numbers:
            kind, number, error, _ = k.receive()
            if kind == 1 and error is None:
                got.add(number)
        c.that(got == set(numbers), "200 requests sent at once are all answered", len(got))


def classes():
    with Client(node.home / "souk-ro.sock") as k:
        c.that(k.call("search.run", words="velo")["total"] >= 1, "the read-only socket serves what is public")
        for method in ("node.status", "events.list", "id.list", "message.send", "id.unlock"):
            c.refuses("not_allowed", f"{method} is not for the read-only socket", lambda m=method: k.call(m))
        described = k.call("api.describe")["methods"]
        c.that(len({m["name"] for m in described}) == len(described) > 40, "it describes every method", len(described))
        c.that({m["class"] for m in described} == {"public", "private", "write", "spend", "secret"}, "by class")
    with node.client() as k:
        k.call("id.lock")
        c.refuses("locked", "a locked identity signs nothing",
                  lambda: k.call("profile.publish", name="Ann"))
        k.call("id.unlock", passphrase="correct horse")
        c.that(len(k.call("profile.publish", name="Ann")["id"]) == 32, "an unlocked one does")


def events_and_pages():
    with node.client() as k, node.client() as other:
        before = other.call("events.subscribe")["last"]
        ann = k.call("id.list")["identities"][0]["id"]
        ben = k.call("id.new", name="Ben", passphrase="battery staple")["id"]
        for text in ("one", "two", "three"):
            k.call("message.send", {"as": ann, "to": ben, "text": text})
        c.that(becomes(lambda: len(k.call("events.list", after=before)["events"]) >= 1), "what happens is in the log")
        page = k.call("events.list", after=before, limit=1)
        c.that(len(page["events"]) == 1 and page["last"] == page["events"][0]["seq"] > before, "one event a page", page)
        told = []

        def heard():
            other.call("node.status")
            told[:] = [e[2] for e in other.events]
            return told
        c.that(wait_for(heard, 10 * SLOW) is not None, "a subscriber is told")
        c.that(told and told[0]["seq"] == page["last"] and told[0]["event"]["kind"] == page["events"][0]["kind"],
               "of the same event, by the same number", told[:1])
        with node.client() as late:
            late.call("events.subscribe", after=before)
            late.call("node.status")
            c.that(late.events and late.events[0][2]["seq"] == page["last"], "one who comes late is told what it missed")


def pages_of_listings():
    with node.client() as k:
        for i in range(5):
            k.call("listing.publish", type="goods", title=f"Tasse {i}", description="Grès.", language="fr",
                   category="furniture/tableware", condition="good", price=[100 + i, b"EUR"], region="FR",
                   delivery=[{"mode": "meet"}], rails=["direct"])
        seen, cursor = [], None
        for _ in range(10):
            page = k.call("search.run", {"words": "tasse", "limit": 2, **({"cursor": cursor} if cursor else {})})
            seen += [r["title"] for r in page["listings"]]
            cursor = page.get("cursor")
            if not cursor:
                break
        c.that(sorted(seen) == [f"Tasse {i}" for i in range(5)], "pages of two hold each listing once", seen)


def memory_holds(pid, secrets):
    """Which of the secrets stand in memory that the process can write; None where this machine does not let us look."""
    found = set()
    try:
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps:
                where, allowed = line.split()[:2]
                begin, end = (int(x, 16) for x in where.split("-"))
                if not allowed.startswith("rw") or end - begin > 512 << 20:
                    continue  # larger ones are the sanitizer's
                try:
                    mem.seek(begin)
                    held = mem.read(end - begin)
                except (OSError, OverflowError, ValueError):
                    continue  # guard pages
                found |= {s for s in secrets if s in held}
    except PermissionError:
        return None
    return found


def secrets_do_not_stay():
    """Backup words and passphrases go through buffers of the socket: nothing of them is left when they have been told."""
    phrase = "a passphrase that stands nowhere else 31415"
    other = c.node(BUILD, "wiped")
    other.start()
    with Client(other.home / "souk.sock") as k:
        made = k.call("id.new", name="wiped", passphrase=phrase)
        k.call("id.unlock", {"as": made["id"]}, passphrase=phrase)
        k.call("node.status")
        secrets = [made["words"].encode(), phrase.encode()]
        found = memory_holds(other.process.pid, [*secrets, str(other.home).encode()])
        if found is None:
            print("left out: this machine does not let us read a process's memory")
            return
        c.that(str(other.home).encode() in found, "the memory of the node can be looked through")
        c.that(not found & set(secrets), "neither backup words nor passphrase are left in it", sorted(found))


node.start()
c.run([the_example_of_the_chapter_runs, any_form_will_do, errors_have_codes_and_words, many_at_once, classes,
       pages_of_listings, events_and_pages, secrets_do_not_stay])
