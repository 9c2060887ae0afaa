#!/usr/bin/env python3
"""Checks that the rooms include only what DESIGN allows: I/O in the shell alone, dependencies one way."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORDER = ["crypto/base", "crypto/wire", "crypto", "dht", "store", "node/keys", "node/net", "node/gossip", "node/outbox",
         "node/market", "node/rail", "node/trade", "node/api", "node", "node/host"]
# room -> rooms it may include (besides itself): all that stand before it, but for these
NEVER = {"dht": {"store"}, "store": {"dht"}, "node/gossip": {"node/outbox"}, "node/outbox": {"node/gossip"}}
SHELL = ("node/host/", "node/main.c", "cli/", "tests/")
IO = {"uv.h": SHELL, "lmdb.h": ("store/", "tests/"), "time.h": SHELL + ("store/",), "sys/socket.h": SHELL,
      "pthread.h": SHELL + ("store/writer",), "stdio.h": None}
# msgpack-c writes here and never reads: its unpacker reserves memory by counts that it has not checked.
PACKER, UNPACKER = "crypto/wire/pack.c", re.compile(r"\bmsgpack_(unpack|zone)|<msgpack(/unpack\.h|\.h)?>")


def room_of(path):
    if path == "node/main.c":
        return "node/host"
    best = None
    for room in ORDER:
        if path.startswith(room + "/") and (best is None or len(room) > len(best)):
            best = room
    return best


def faults(path, text):
    room = room_of(path)
    for n, line in enumerate(text.splitlines(), 1):
        if UNPACKER.search(line) and ("unpack" in line or path != PACKER):
            yield f"{path}:{n}: msgpack-c's unpacker cannot be the judge of hostile bytes: use the cursor"
        m = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if not m:
            continue
        inc = m.group(1)
        allowed = IO.get(inc)
        if allowed is not None and not path.startswith(allowed):
            yield f"{path}:{n}: {inc} belongs to the shell, not to the core"
        other = room_of(inc)
        if room and other and other != room:
            if path == "node/core.h":
                continue
            late = ORDER.index(other) > ORDER.index(room) and inc not in ("node/core.h",)
            if late or other in NEVER.get(room, ()):
                yield f"{path}:{n}: {room} must not include {inc} of {other}"
        if path.startswith("cli/") and inc.startswith(("node/", "store/", "dht/")):
            yield f"{path}:{n}: the command never links the node: {inc}"


def main():
    found = []
    files = [p for p in ROOT.rglob("*.[ch]") if "build" not in p.relative_to(ROOT).parts[:1]]
    for p in files:
        path = str(p.relative_to(ROOT))
        if not path.startswith("tests/"):
            found += faults(path, p.read_text())
    # The check must be able to fail: a planted fault of each kind is found.
    for path, text in [("dht/x.c", "#include <uv.h>"), ("store/x.c", '#include "node/net/net.h"'),
                       ("node/trade/x.c", "#include <time.h>"), ("cli/x.c", '#include "store/store.h"'),
                       ("crypto/wire/pack.c", "    msgpack_unpack_next(&u, p, n, &off);"),
                       ("node/x.c", "#include <msgpack.h>")]:
        if not list(faults(path, text)):
            found.append(f"the check itself is broken: nothing found in {path}: {text}")
    print("\n".join(found))
    return 1 if found or not files else 0


sys.exit(main())
