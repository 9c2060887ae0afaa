#!/usr/bin/env python3
"""spec.py: what can be checked of the chapters by a program: links lead somewhere, every chapter and schema is
in the table, the errors are those of the code, every use of the hash is described, and messages of schemas that
nodes speak are named in a chapter, the DHT's knobs have their values and reasons."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec"
CHAPTERS = {p.name: p.read_text(encoding="utf-8") for p in SPEC.glob("*.md")}
SPOKEN = {"session": "session.md", "gossip": "gossip.md", "datagram": "dht.md", "value": "dht.md", "mail": "letters.md",
          "fact": "trade.md escrow.md", "record": "market.md crypto.md",
          "ledger": "credit.md"}


def broken_links(name, text):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"[a-z]+:", target) and not (SPEC / target).exists():
            yield f"spec/{name}: there is no {target}"


def unlisted():
    table = CHAPTERS["README.md"]
    for p in sorted(SPEC.iterdir()):
        if p.suffix in (".md", ".schema", ".pml") and p.name != "README.md" and p.name not in table:
            yield f"spec/README.md does not name {p.name}"


def errors(header, chapter):
    told = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*) \|$", chapter, re.M)
    if re.findall(r'X\((\d+), \w+, "(\w+)", "([^"]*)"\)', header) != told:
        yield "spec/api.md: the errors are not those of crypto/base/err.h"


def uses(code, chapters):
    for use in sorted(set(re.findall(r'"(souk:[a-z-]+)"', code))):
        if not re.search(re.escape(use) + r"\b(?!-)", chapters):
            yield f"no chapter says what is hashed with \"{use}\""


def unnamed(family, schema, chapters):
    for name in re.findall(r"^message (\w+)", schema, re.M):
        if not re.search(rf"\b{name}\b", chapters.replace("-", "_")):
            yield f"spec/{family}.schema: no chapter speaks of {name}"


def knobs(code, chapter):
    """Every knob of dht_knobs_default stands in the table with its value."""
    table = {}
    for names, values in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([^|]+) \|", chapter, re.M):
        values = [v.replace(",", "") for v in re.split(r", ", values.strip())]
        table.update(zip(re.findall(r"`(\w+)`", names), values))
    body = code[code.index("void dht_knobs_default("):]
    for name, value in re.findall(r"\.(\w+) = ([^,]+),", body[:body.index("};")]):
        is_ = "yes" if value == "true" else str(eval(value, {"__builtins__": {}}))  # sums of numbers
        if table.get(name) != is_:
            yield f"spec/dht.md: knob {name} is {is_}, the table says {table.get(name)}"


def main():
    every = "\n".join(CHAPTERS.values())
    code = "\n".join(p.read_text() for room in ("crypto", "dht", "store", "node", "cli")
                     for p in (ROOT / room).rglob("*.c"))
    found = list(unlisted())
    for name, text in CHAPTERS.items():
        found += broken_links(name, text)
    found += errors((ROOT / "crypto/base/err.h").read_text(), CHAPTERS["api.md"])
    found += uses(code, every)
    found += knobs((ROOT / "dht/dht.c").read_text(), CHAPTERS["dht.md"])
    for family, names in SPOKEN.items():
        chapters = "\n".join(CHAPTERS[n] for n in names.split())
        found += unnamed(family, (SPEC / f"{family}.schema").read_text(encoding="utf-8"), chapters)
    # The check must be able to fail.
    for broken in (broken_links("x", "[a](no-such.md)"), errors('X(1, A, "a", "b")', ""), uses('"souk:none"', every),
                   unnamed("x", "message nonesuch 1", every),
                   knobs("void dht_knobs_default(x) {.k = 1, };", CHAPTERS["dht.md"])):
        if not list(broken):
            found.append("the check itself is broken")
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
