#!/usr/bin/env python3
"""demo.py BUILD: `souk demo` tells a whole story from what nodes answer, and leaves nothing behind.

Closes with "N passed, N failed"."""
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from souk import Checks

LIMIT_S = 300  # sanitizers, on a busy machine
END_S = 30  # for a node that was told to stop
SOUK = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/dev").resolve() / "souk")

# What each node must have said.
STORY = [(who, text) for who in ("seller", "buyer", "arbiter", "issuer", "bystander")
         for text in ("listens on 127.0.0.1:", "and may move money for", "MiB of memory")] + [
    ("seller", "4 sessions with other nodes"),
    ("buyer", "is Maëlle Kerbrat of FR"),
    ("seller", "writes: Bonjour !"),
    ("buyer", "is received,"),
    ("buyer", "approved, with 0.00 SOL"),
    ("buyer", "balance: 250.00 SOL"),
    ("buyer", "Odile Renard arbitrates for 3.00 %"),
    ("seller", "read 222 listings in catalogue.csv and publishes 222"),
    ("seller", "read 111 listings in catalogue.json and publishes 111"),
    ("seller", "333 listings are signed and on disk"),
    ("bystander", "Maëlle Kerbrat has 333 listings"),
    ("buyer", "search VELO: 8 found"),
    ("buyer", "Échelle coulissante"),
    ("buyer", "bytes of image/png, and the picture is here now"),
    ("seller", "66.00 SOL: settled_released"),
    ("seller", "balance: 66.00 SOL"),
    ("buyer", "83.00 SOL: settled_split"),
    ("arbiter", "buyer 4026, seller 4025, arbiter 249"),
    ("arbiter", "balance: 2.49 SOL"),
    ("bystander", "was rated 5 of 5 by"),
    ("bystander", "of a trade that was funded"),
    ("bystander", "search --type service --region IE:"),
    ("bystander", "leaves under root"),
    ("bystander", "consistent, 0 double spends"),
    ("demo", "done in "),
]


def nodes_of(folder):
    """The ids of soukd processes that have this folder on their command line."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                args = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if args[0].endswith(b"soukd") and any(str(folder).encode() in a for a in args):
                found.append(int(entry.name))
    return found


def ended(folder):
    until = time.monotonic() + END_S
    while nodes_of(folder) and time.monotonic() < until:
        time.sleep(0.05)
    return not nodes_of(folder)


def demo(folder, *flags, **env):
    return subprocess.run([SOUK, "demo", *flags], capture_output=True, text=True, timeout=LIMIT_S,
                          env={**os.environ, "TMPDIR": str(folder), **env}, check=False)


def begin(folder):
    return subprocess.Popen([SOUK, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "TMPDIR": str(folder)})


def whole_story(c, folder):
    ran = demo(folder, "--json")
    c.that(ran.returncode == 0, "the demo ends with 0", ran.stdout[-2000:] + ran.stderr)
    lines = [json.loads(x) for x in ran.stdout.splitlines()]
    c.that(all(a["ms"] <= b["ms"] for a, b in zip(lines, lines[1:])), "time only goes forward")
    for who, words in STORY:
        told = "\n".join(x["text"] for x in lines if x["node"] == who)
        c.that(words in told, f"{who}: {words}", told)
    c.that(not nodes_of(folder), "no node is left")
    c.that(not list(folder.iterdir()), "no file is left", list(folder.iterdir()))


def interrupted(c, folder):
    p = begin(folder)
    first = p.stdout.readline()
    c.that(nodes_of(folder), "a node is running when it is interrupted", first)
    p.send_signal(signal.SIGINT)
    try:
        _, err = p.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        p.kill()
        _, err = p.communicate()
    c.that(p.returncode == 1, "an interrupt ends it with 1", str(p.returncode))
    c.that("interrupted" in err, "it says that it was interrupted", err)
    c.that(not nodes_of(folder), "no node is left after an interrupt")
    c.that(not list(folder.iterdir()), "no file is left after an interrupt", str(list(folder.iterdir())))


def killed(c, folder):
    """kill -9 of the demo: the kernel tells the nodes."""
    p = begin(folder)
    p.stdout.readline()
    p.kill()
    p.communicate()
    c.that(ended(folder), "no node outlives a demo that was killed")


def refused(c, folder):
    ran = demo(folder, SOUK_CATALOGUE=str(folder / "nothing"))
    c.that(ran.returncode == 1, "without a catalogue it ends with 1", str(ran.returncode))
    c.that("SOUK_CATALOGUE" in ran.stderr, "and says where to name one", ran.stderr)
    (folder / "full").mkdir()
    (folder / "full" / "mine").write_text("mine")
    ran = demo(folder, "--home", str(folder / "full"))
    c.that(ran.returncode == 1, "a home that holds something is refused", str(ran.returncode))
    c.that((folder / "full" / "mine").read_text() == "mine", "and left as it was")
    ran = demo(folder, "--kept")
    c.that(ran.returncode == 2, "a flag that is not one is wrong usage", str(ran.returncode))


def kept(c, folder):
    ran = demo(folder, "--keep", "--home", str(folder / "kept"))
    c.that(ran.returncode == 0, "--keep ends with 0", ran.stdout[-2000:] + ran.stderr)
    c.that(len(nodes_of(folder)) == 5, "--keep leaves five nodes", str(nodes_of(folder)))
    c.that("node stop" in ran.stdout, "--keep tells what to try", ran.stdout[-500:])
    for home in sorted(p for p in (folder / "kept").iterdir() if p.is_dir()):
        said = subprocess.run([SOUK, "--home", str(home), "id", "list"], capture_output=True, text=True, check=False)
        c.that(said.returncode == 0, f"{home.name}'s node answers afterwards", said.stderr)
        subprocess.run([SOUK, "--home", str(home), "node", "stop"], capture_output=True, check=False)
    c.that(ended(folder), "each stops when it is told to")


def in_a_folder(part, c):
    @functools.wraps(part)
    def run():
        folder = c.base / part.__name__
        folder.mkdir()
        try:
            part(c, folder)
        finally:
            for pid in nodes_of(folder):  # only those of this test
                os.kill(pid, signal.SIGKILL)
    return run


if __name__ == "__main__":
    checks = Checks()
    checks.run([in_a_folder(part, checks) for part in (whole_story, interrupted, killed, refused, kept)])
