#!/usr/bin/env python3
"""categories.py IN.tsv OUT.h: checks the category tree and writes it as one sorted static C table.

The table is included by node/market/categories.c and by nothing else.  A line of the input is

    path  type  label_en  label_fr  attributes  note          (tab separated, one heading line)

where `attributes` is `name:unit,name:unit,…` (unit is str, int, bool or a unit of measure; the bare word
`condition` says that things here have a state of wear) and `note` is empty or `restricted: why`.
A mistake stops the build with the line it stands on.
"""
import re
import sys

HEADING = ["path", "type", "label_en", "label_fr", "attributes", "forbidden_note"]
TYPES = {"goods", "service", "rental"}
WORD = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PATH_MOST = 48  # bytes; CATEGORY_PATH_MOST in categories.h
NAME = re.compile(r"[a-z][a-z0-9_]*")
KINDS = {"str": "ATTRIBUTE_STR", "int": "ATTRIBUTE_INT", "bool": "ATTRIBUTE_BOOL"}
MEASURES = set(
    "cm mm m m2 m3 in km kg g l ml gb w wh v j bar eu years months year eur eur_day eur_hour eur_event eur_m2"
    " eur_month eur_night eur_visit eur_word".split()
)


class Mistake(Exception):
    pass


def attributes_read(text):
    found, condition = [], False
    for part in filter(None, text.split(",")):
        name, colon, unit = part.partition(":")
        if part == "condition":
            condition = True
            continue
        if not colon or not NAME.fullmatch(name):
            raise Mistake(f"attribute {part!r} is not name:unit")
        if unit not in KINDS and unit not in MEASURES:
            raise Mistake(f"attribute {name} has the unknown unit {unit!r}")
        if name in [n for n, _ in found]:
            raise Mistake(f"attribute {name} is given twice")
        found.append((name, unit))
    return found, condition


def line_read(text, known):
    cells = text.split("\t")
    if len(cells) != len(HEADING):
        raise Mistake(f"{len(cells)} columns instead of {len(HEADING)}")
    path, kind, label_en, label_fr, attributes, note = cells
    words = path.split("/")
    if not all(WORD.fullmatch(w) for w in words) or len(words) > 2 or len(path) > PATH_MOST:
        raise Mistake(f"{path!r} is not one or two lower-case words of at most {PATH_MOST} bytes")
    if path in known:
        raise Mistake(f"{path} is given twice")
    if kind not in TYPES:
        raise Mistake(f"type {kind!r} is not one of {', '.join(sorted(TYPES))}")
    if len(words) == 2 and words[0] not in known:
        raise Mistake(f"{words[0]} must come before {path}")
    if len(words) == 2 and known[words[0]]["type"] != kind:
        raise Mistake(f"{path} is a {kind} but {words[0]} is a {known[words[0]]['type']}")
    if not label_en or not label_fr:
        raise Mistake(f"{path} needs a label in both languages")
    if note and not note.startswith("restricted: "):
        raise Mistake("a note begins with 'restricted: '")
    found, condition = attributes_read(attributes)
    return path, {
        "type": kind, "label_en": label_en, "label_fr": label_fr, "attributes": found,
        "condition": condition, "note": note[len("restricted: "):],
    }


def tree_read(file):
    known = {}
    with open(file, encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            text = text.rstrip("\n")
            try:
                if number == 1:
                    if text.split("\t") != HEADING:
                        raise Mistake("the heading is not " + " ".join(HEADING))
                elif text:
                    path, category = line_read(text, known)
                    known[path] = category
            except Mistake as mistake:
                raise Mistake(f"{file}:{number}: {mistake}") from None
    return known


def quoted(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def table_write(known, out):
    order = sorted(known)  # byte order: paths are ASCII
    tops = [p for p in order if "/" not in p]
    print("/* Written by node/market/categories.py; do not edit. */", file=out)
    for path in order:
        found = known[path]["attributes"]
        if found:
            symbol = re.sub("[^a-z0-9]", "_", path)
            print(f"static const struct category_attribute attributes_{symbol}[] = {{", file=out)
            for name, unit in found:
                kind = KINDS.get(unit, "ATTRIBUTE_MEASURE")
                measure = unit if kind == "ATTRIBUTE_MEASURE" else ""
                print(f"    {{{quoted(name)}, {quoted(measure)}, {kind}}},", file=out)
            print("};", file=out)
    print(f"\nstatic const struct category category_table[{len(order)}] = {{", file=out)
    for at, path in enumerate(order):
        c = known[path]
        children = [i for i, p in enumerate(order) if p.startswith(path + "/")]
        if children and children != list(range(at + 1, at + 1 + len(children))):
            raise Mistake(f"the children of {path} do not follow it in byte order; rename its neighbour")
        symbol = re.sub("[^a-z0-9]", "_", path)
        table = f"attributes_{symbol}" if c["attributes"] else "NULL"
        print(
            f"    {{{quoted(path)}, CATEGORY_{c['type'].upper()}, {quoted(c['label_en'])},"
            f" {quoted(c['label_fr'])},\n     {table}, {len(c['attributes'])},"
            f" {'true' if c['condition'] else 'false'}, {quoted(c['note'])}, {len(children)}}},",
            file=out,
        )
    print("};", file=out)
    print(f"static const struct category *const category_tops[{len(tops)}] = {{", file=out)
    for path in tops:
        print(f"    &category_table[{order.index(path)}],", file=out)
    print("};", file=out)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: categories.py IN.tsv OUT.h")
    try:
        known = tree_read(sys.argv[1])
        with open(sys.argv[2], "w", encoding="utf-8") as out:
            table_write(known, out)
    except Mistake as mistake:
        sys.exit(str(mistake))


main()
