#!/usr/bin/env python3
"""command.py BUILD: `souk` itself: what it says when a node is silent, and what each command makes of good and bad
input.  Closes with "N passed, N failed"."""
import json
import os
import socket
import subprocess
import sys
import threading
import time

from souk import SLOW, Checks, pack, unpack

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
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


c.run([silent, slow_but_alive, takes_nobody, garbage, no_node])
