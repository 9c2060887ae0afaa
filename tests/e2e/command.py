#!/usr/bin/env python3
"""command.py BUILD: `souk` itself: what it says when a node is silent, and what each command makes of good and bad
input.  Closes with "N passed, N failed"."""
import fcntl
import json
import os
import pathlib
import pty
import re
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

from people import SOON_S, becomes
from souk import SLOW, Checks, pack, unpack

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
PHOTO = pathlib.Path(__file__).resolve().parent.parent / "data" / "photos" / "with-gps.jpg"
DONE, REFUSED, USAGE, NO_NODE = 0, 1, 2, 3
c = Checks()


def souk(home, *args, env=None, feed=None):
    """(exit status, standard output, standard error)"""
    p = subprocess.run([f"{BUILD}/souk", "--home", str(home), *args], capture_output=True, text=True, timeout=60 * SLOW,
                       input=feed, stdin=subprocess.DEVNULL if feed is None else None, check=False,
                       env={**os.environ, **(env or {})})
    return p.returncode, p.stdout, p.stderr


# ---- a node that is not one ----
class Fake:
    """A socket in the place of a node's: `answer` gets the bytes of the first request, and gives those of the answer
    (None: is silent until the other side goes away)."""
    def __init__(self, name, answer, backlog=5, takes=True):
        self.home = c.base / name
        self.home.mkdir()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(self.home / "souk.sock"))
        self.socket.listen(backlog)
        self.answer = answer
        if takes:
            threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            s, _ = self.socket.accept()
            with s:
                asked = s.recv(65536)
                said = self.answer(asked)
                try:
                    if said is not None:
                        s.sendall(said)
                    while said is None and s.recv(65536):
                        pass
                except OSError:
                    pass  # it went away, as it may


def silent():
    mute = Fake("mute", lambda asked: None)
    for args in (("node", "status"), ("search", "bike"), ("api", "call", "node.status")):
        t0 = time.monotonic()
        status, out, said = souk(mute.home, "--timeout", "700ms", *args)
        took = time.monotonic() - t0
        c.that(status == REFUSED and not out and "has not answered" in said and "--timeout" in said and str(mute.home) in said,
               f"souk {' '.join(args)}: a silent node is told of, with what to do", f"{status}: {said}")
        c.that(0.7 <= took < 0.7 + 5 * SLOW, "after the time that was given", f"{took:.2f} s")
    t0 = time.monotonic()
    souk(mute.home, "node", "status", "--timeout", "2s")
    c.that(time.monotonic() - t0 >= 2, "--timeout may stand anywhere, and is heeded", time.monotonic() - t0)
    status, _, said = souk(mute.home, "--timeout", "soon", "node", "status")
    c.that(status == USAGE and "--timeout" in said and "30s" in said, "a time-out that is none is wrong usage", f"{status}: {said}")


def slow_but_alive():
    def late(asked):
        time.sleep(0.5)
        (_, number, _, _), _ = unpack(asked)
        return pack([1, number, None, {"counters": [], "sessions": 7}])
    status, out, said = souk(Fake("late", late).home, "--timeout", "20s", "node", "status")
    c.that(status == DONE and "7" in out, "an answer within the time is taken", f"{status}: {out}{said}")


def takes_nobody():
    """A node that is stopped: the kernel takes a few clients for it, and then makes the others wait."""
    stuck = Fake("stuck", None, backlog=0, takes=False)
    held = []
    for _ in range(4):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.setblocking(False)
        try:
            s.connect(str(stuck.home / "souk.sock"))
        except BlockingIOError:
            pass
        held.append(s)
    status, _, said = souk(stuck.home, "--timeout", "500ms", "node", "status")
    c.that(status == REFUSED and "busy or stuck" in said, "a node that takes no client is told of", f"{status}: {said}")


def garbage():
    for what, answer in (("what is no MessagePack", b"\xc1\xc1\xc1"), ("half an answer", pack([1, 1, None, {}])[:3]),
                         ("a length beyond all bounds", b"\xdd\xff\xff\xff\xff"), ("a number", b"\x05"),
                         ("nothing", b""), ("an error that is no map", pack([1, 1, "no", None])),
                         ("an error with an endless name", pack([1, 1, {"code": "x" * 5000, "message": "y" * 5000}, None]))):
        fake = Fake("garbage" + str(len(os.listdir(c.base))), lambda asked, answer=answer: answer)
        status, out, said = souk(fake.home, "--timeout", "2s", "node", "status")
        c.that(status == REFUSED and not out and said.startswith("souk: ") and len(said) < 1000 and "Sanitizer" not in said,
               f"a node that answers with {what}", f"{status}: {out}{said}")


def no_node():
    for home in (c.base / "nobody", c.base / "plain-file"):
        (c.base / "plain-file").mkdir(exist_ok=True)
        status, _, said = souk(home, "node", "status")
        c.that(status == NO_NODE and "soukd --home" in said, "without a node: exit 3, and how to start one", f"{status}: {said}")
    dead = c.base / "dead"
    dead.mkdir()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(str(dead / "souk.sock"))
    s.close()
    status, _, said = souk(dead, "node", "status")
    c.that(status == NO_NODE and "soukd --home" in said, "a socket that a killed node left behind is no node", f"{status}: {said}")


# ---- commands against a running node ----
class Shop:
    """A node with an owner, driven by the command alone."""
    def __init__(self, name, peers=()):
        self.node = c.node(BUILD, name, peers=peers, flags=["--reconcile-ms", "400", "--tick-ms", "150"])
        self.node.start()
        self.key = c.base / f"{name}.pass"
        self.key.write_text("open sesame\n")
        self.id = self.json("init", "--name", name, "--passphrase-file", str(self.key))["id"]

    def souk(self, *args, **more):
        return souk(self.node.home, *args, **more)

    def json(self, *args, **more):
        status, out, said = self.souk("--json", *args, **more)
        return json.loads(out) if c.that(status == DONE and out, f"souk {' '.join(args)[:60]}", f"{status}: {said}") else {}

    def refused(self, status, words, *args):
        """This must be refused with this exit status, and with these words."""
        got, out, said = self.souk(*args)
        c.that(got == status and said.startswith("souk: ") and all(w in said for w in words) and "Sanitizer" not in said,
               f"souk {' '.join(args)[:70]}: exit {status}, {words}", f"{got}: {out[:200]}{said}")


OFFER = ("--type", "goods", "--category", "bikes/kids", "--price", "45 EUR", "--condition", "good", "--description", "Little used",
         "--language", "en", "--region", "FR", "--delivery", "meet", "--rails", "direct")


def usage():
    """What is said before any node is asked: none runs here."""
    nobody = c.base / "no-home"
    for words, args in ((["no command", "souk help"], ["fly"]), (["takes one of", "renew"], ["listing"]), (["takes one of"], ["listing", "fly"]),
                        (["--id is missing"], ["listing", "show"]), (["not an id", "64 hex"], ["listing", "show", "12"]),
                        (["--prize", "souk help listing new"], ["listing", "new", "x", "--prize", "5"]),
                        (["no currency", "45 EUR"], ["listing", "new", "x", "--price", "45"]),
                        (["--quantity", "whole number"], ["listing", "new", "x", "--quantity", "many"]),
                        (["neither yes nor no"], ["listing", "new", "x", "--instant=maybe"]),
                        (["given twice"], ["listing", "new", "x", "--title", "y"]), (["wants a value"], ["search", "--region"]),
                        (["no currency"], ["search", "--max", "50"]), (["--max", "at most 2 decimals"], ["search", "--max", "5.123 EUR"]),
                        (["no time", "2026-12-24"], ["profile", "publish", "x", "--away-until", "soon"]),
                        (["which listing"], ["listing", "edit"]), (["souk away", "back"], ["away"]), (["souk id backup FILE"], ["id", "backup"]),
                        (["--words-file", "--backup"], ["id", "restore"]), (["--nam", "--name"], ["init", "--nam", "x"]),
                        (["--for", "15m"], ["unlock", "--for", "3x"]), (["one word too many"], ["lock", "1234", "5"]),
                        (["--split", "no 'cat'"], ["trade", "split", "0" * 64, "cat=3"])):
        status, out, said = souk(nobody, *args)
        c.that(status == USAGE and not out and all(w in said for w in words), f"souk {' '.join(args)}: exit 2, {words}", f"{status}: {out}{said}")
    status, out, _ = souk(nobody, "help")
    verbs = [line.split() for line in out.splitlines() if line.startswith("  ")]
    c.that(status == DONE and len(verbs) > 70, "souk help lists every command", len(verbs))
    status, out, _ = souk(nobody, "help", "listing")
    c.that(status == DONE and "edit" in out and "withdraw" in out, "souk help listing lists a group", out)
    status, out, _ = souk(nobody, "help", "listing", "new")
    c.that(status == DONE and "goods|service|rental" in out and '"12.50 EUR"' in out and "yes|no" in out, "souk help listing new tells what its flags take", out)
    status, out, _ = souk(nobody, "api", "describe", "id.backup")
    c.that(status == DONE and "passphrase" in out and "(secret)" in out, "souk api describe needs no node", out)


def identities(ann):
    ann.refused(REFUSED, ["already", "souk id new"], "init", "--name", "Two", "--passphrase-file", str(ann.key))
    shown = ann.json("id", "show")
    c.that(shown["id"] == ann.id and shown["unlocked"] and len(shown["recovery"]) == 64, "souk id show shows one's identity", shown)
    backup, wrong = c.base / "ann.backup", c.base / "wrong.pass"
    wrong.write_text("open barley\n")
    ann.refused(USAGE, ["--passphrase-file"], "id", "backup", str(backup))
    ann.refused(REFUSED, ["passphrase is wrong"], "id", "backup", str(backup), "--passphrase-file", str(wrong))
    c.that(not backup.exists(), "and nothing is written then")
    status, _, said = ann.souk("id", "backup", str(backup), "--passphrase-file", str(ann.key))
    c.that(status == DONE and "souk id restore --backup" in said and os.stat(backup).st_mode & 0o077 == 0,
           "souk id backup writes a file for nobody else's eyes, and says how it is used", said)
    ann.refused(REFUSED, ["exists"], "id", "backup", str(backup), "--passphrase-file", str(ann.key))
    ann.refused(REFUSED, ["already"], "id", "restore", "--backup", str(backup), "--passphrase-file", str(ann.key))
    other = Shop("other")
    other.refused(REFUSED, ["passphrase is wrong"], "id", "restore", "--backup", str(backup), "--passphrase-file", str(wrong))
    whole = backup.read_bytes()
    for what, spoilt in (("cut short", whole[:-40]), ("with a bit turned", whole[:120] + bytes([whole[120] ^ 1]) + whole[121:]),
                         ("with another recovery key", whole.replace(bytes.fromhex(shown["recovery"]), bytes(32)))):
        (c.base / "spoilt").write_bytes(spoilt)
        status, _, said = other.souk("id", "restore", "--backup", str(c.base / "spoilt"), "--passphrase-file", str(ann.key))
        c.that(status == REFUSED and "damaged" in said, f"a backup {what} is refused", f"{status}: {said}")
    back = other.json("id", "restore", "--backup", str(backup), "--passphrase-file", str(ann.key))
    c.that(back["id"] == ann.id and [i["name"] for i in other.json("id", "list")["identities"]] == ["other", "ann"], "a backup brings an identity back", back)
    other.refused(REFUSED, ["2 identities", "--as"], "profile", "publish", "x")
    words = other.json("id", "new", "--name", "third", "--passphrase-file", str(ann.key))
    (c.base / "words").write_text("\n".join(words["words"].split()) + "\n")
    third = Shop("third")
    c.that(third.json("id", "restore", "--name", "third", "--words-file", str(c.base / "words"), "--passphrase-file", str(ann.key))["id"] == words["id"],
           "24 words on 24 lines bring an identity back")
    (c.base / "words").write_text(words["words"].rsplit(" ", 1)[0])
    third.refused(REFUSED, ["24"], "id", "restore", "--name", "x", "--words-file", str(c.base / "words"), "--passphrase-file", str(ann.key))
    for n in (other, third):
        n.node.stop()


def profiles(ann, ben):
    ann.json("profile", "publish", "Ann", "--about", "I repair bikes", "--languages", "fr", "--languages", "en", "--show-node")
    ann.json("profile", "edit", "--region", "FR")
    ann.json("away", "10d")
    shown = ann.json("profile", "show", ann.id)
    c.that((shown["about"], shown["languages"], shown["region"], shown["show_node"]) == ("I repair bikes", ["fr", "en"], "FR", True) and
           9 * 86400 < shown["away_until"] / 1000 - time.time() <= 10 * 86400, "souk profile edit and souk away leave all else as it was", shown)
    ann.json("away", "back")
    c.that("away_until" not in ann.json("profile", "show", ann.id), "and souk away back ends it")
    c.that(becomes(lambda: "Ann" in ben.souk("profile", "show", ann.id)[1]), "the other node knows the profile")
    for verb, field, there in (("follow", "follows", True), ("block", "blocks", True), ("unfollow", "follows", False), ("unblock", "blocks", False)):
        ben.souk(verb, ann.id)
        c.that((ann.id in ben.json("people", "marked")[field]) == there, f"souk {verb} does what it says")
    ben.refused(USAGE, ["not an id"], "follow", "ann")


def listings(ann, ben):
    made = ann.json("listing", "new", "Bicycle, 20 inches", *OFFER, "--quantity", "3", "--photo", str(PHOTO))["id"]
    changed = ann.json("listing", "edit", made, "--price", "40 EUR")["id"]
    shown = ann.json("listing", "show", changed)
    c.that(changed != made and shown["listing"]["price_text"] == "40.00 EUR" and shown["listing"]["quantity"] == 3 and
           shown["listing"]["title"] == "Bicycle, 20 inches" and len(shown["photos"]) == 1 and shown["condition"] == "good",
           "souk listing edit changes what is told, and nothing else", shown)
    c.that([r["id"] for r in ann.json("listing", "mine")["listings"]] == [changed], "it is one listing still")
    c.that(becomes(lambda: changed in ben.souk("--json", "search", "bicycle")[1]), "the other node finds it")
    ben.refused(REFUSED, ["somebody else"], "listing", "edit", changed, "--price", "1 EUR", "--as", ben.id)
    ann.refused(REFUSED, ["category", "souk category list"], "listing", "edit", changed, "--category", "bikes/nothing")
    ann.refused(REFUSED, ["--type", "goods"], "listing", "edit", changed, "--type", "good")
    ann.refused(REFUSED, ["no listing"], "listing", "show", "7" * 64)
    ann.refused(REFUSED, ["no category", "nearest"], "category", "list", "bike")
    ann.refused(REFUSED, ["JPEG, PNG or WebP"], "photo", "add", "/etc/hostname")
    for low, high, there in (("39", "41", True), ("10", "39.99", False), ("40", "40", True)):
        rows = ben.json("search", "bicycle", "--min", low, "--max", f"{high} EUR")["listings"]
        c.that((len(rows) == 1) == there, f"souk search between {low} and {high} EUR, in euros and not in cents", rows)
    ben.souk("search", "bicycle")  # an id that was shown may be shortened from then on
    _, out, _ = ben.souk("listing", "show", changed[:12])
    c.that("40.00 EUR" in out and "4000" not in out and "image/" in out, "a person reads amounts and pictures, by a short id", out)
    status, _, said = ann.souk("listing", "withdraw", changed)
    c.that(status == USAGE and "--yes" in said and "undone" in said, "what cannot be undone wants --yes", said)
    c.that(ann.souk("listing", "withdraw", changed, "--yes")[0] == DONE and not ann.json("listing", "mine")["listings"], "and with it is done")


def letters(ann, ben):
    sent = ben.json("message", "send", ann.id, "[sold?] first line\nsecond line")
    c.that(becomes(lambda: "second line" in ann.souk("message", "read")[1]), "a letter arrives, and is read whole: brackets are no JSON")
    out = ann.souk("message", "read", sent["thread"])[1]
    c.that("[sold?] first line\nsecond line\n" in out and ben.id[:12] in out, "souk message read shows a thread", out)
    ann.json("message", "send", ben.id, "not yet")
    c.that(becomes(lambda: ben.souk("message", "read", sent["thread"])[1].find("sold?") < ben.souk("message", "read", sent["thread"])[1].find("not yet")),
           "oldest first")
    _, out, _ = ann.souk("message", "list")
    c.that("[sold?]" in out and sent["thread"][:12] in out and "\033" not in out, "souk message list shows threads, without colour in a pipe", out)
    ben.refused(REFUSED, ["yourself"], "message", "send", ben.id, "note")
    ben.refused(USAGE, ["--text is missing"], "message", "send", ann.id)


def arbiters_and_issuers(ann, ben):
    ann.json("arbiter", "terms", "--fee-bp", "200", "--languages", "fr", "--delay", "2d", "--policy", "I look at photos", "--currencies", "EUR")
    c.that(becomes(lambda: ann.id in ben.souk("--json", "arbiter", "list")[1]), "the other node knows the arbiter")
    shown = ben.json("arbiter", "show", ann.id)
    c.that(shown["arbiter"]["fee_bp"] == 200 and shown["policy"] == "I look at photos" and shown["arbiter"]["delay_ms"] == 2 * 86400000,
           "souk arbiter show shows the terms whole", shown)
    ben.refused(REFUSED, ["souk arbiter list"], "arbiter", "show", ben.id)
    ann.json("credit", "issuer", "Grains de sel", "--code", "GRN", "--decimals", "2", "--about", "for neighbours")
    c.that(becomes(lambda: ann.id in ben.souk("--json", "credit", "list")[1]), "the other node knows the issuer")
    row = ben.json("credit", "list")["issuers"][0]
    c.that((row["name"], row["code"], row["owner"], row["about"]) == ("Grains de sel", "GRN", "Ann", "for neighbours"), "souk credit list shows issuers", row)
    ben.souk("credit", "join", ann.id)
    ann.souk("unlock", "--for", "15m", "--passphrase-file", str(ann.key))
    c.that(becomes(lambda: ben.id in ann.souk("--json", "credit", "members")[1]), "who asks to join is seen")
    for limit in (100, 700):
        c.that(ann.souk("credit", "limit", ben.id, str(limit))[0] == DONE and
               ann.json("credit", "members")["members"][0]["limit_minor"] == limit, f"souk credit limit sets it to {limit}")


def looks(ann):
    """Tables fitted to a terminal, colour only there, and NO_COLOR heeded."""
    for width, env, colour in ((200, {}, True), (60, {}, True), (60, {"NO_COLOR": "1"}, False)):
        out = on_terminal(width, env, ann.node.home, "category", "list", "bikes")
        lines = [re.sub("\033\\[[0-9;]*m", "", line) for line in out.splitlines()]
        c.that(all(len(line) <= width for line in lines) and len(lines) > 5, f"a table fits {width} columns", max(map(len, lines)))
        c.that(("\033[" in out) == colour, f"colour is {'on' if colour else 'off'} with {env}", out[:80])
    c.that("speed pedelecs above 25 km/h" in on_terminal(200, {}, ann.node.home, "category", "list", "bikes"), "and is whole where there is room")


def on_terminal(width, env, home, *args):
    """What the command writes to a terminal of this width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    p = subprocess.Popen([f"{BUILD}/souk", "--home", str(home), *args], stdout=slave, stderr=slave, stdin=slave,
                         env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **env})
    os.close(slave)
    out = b""
    while True:
        try:
            more = os.read(master, 65536)
        except OSError:
            break  # the other end is closed
        if not more:
            break
        out += more
    os.close(master)
    p.wait(20 * SLOW)
    return out.decode(errors="replace").replace("\r\n", "\n")


def commands():
    ann = Shop("ann")
    ben = Shop("ben", peers=[ann.node.peer()])
    c.that(becomes(lambda: ann.json("node", "status")["sessions"] == 1, 2 * SOON_S), "two nodes have met")
    for part in (identities, profiles, listings, letters, arbiters_and_issuers, looks):
        try:
            part(*(ann, ben)[:part.__code__.co_argcount])
        except Exception as e:  # the other parts still tell something
            c.that(False, part.__name__, f"{type(e).__name__}: {e}")
    c.that(ann.souk("node", "stop")[0] == DONE and becomes(lambda: not ann.node.alive()), "souk node stop ends the node")


c.run([silent, slow_but_alive, takes_nobody, garbage, no_node, usage, commands])
