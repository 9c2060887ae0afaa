"""gen_examples.py: values of every struct, encoded here in Python as a second opinion on the C encoders:
the smallest, the fullest, and many that must be refused.  From them the test program and the vectors; the
fuzz target leans on the same table of codecs.  tests/gen_harness.h holds the C that is the same for all.
"""
import json

from schema import FIXED

REFUSED_BYTES = 4096  # longer ones are left to the C tests
FULL_BYTES = 60000  # arrays are cut so that a fullest value stays about that size
FORM, RANGE, MISSING, UNKNOWN = "SOUK_EFORM", "SOUK_ERANGE", "SOUK_EMISSING", "SOUK_EUNKNOWN_CRITICAL"


# ---- MessagePack, canonical ---------------------------------------------------------------------------

def head(n, short, short_most, forms):
    """A length or count: forms are (first byte, bytes of the length)."""
    if n <= short_most:
        return bytes([short | n])
    for first, width in forms:
        if n < 1 << (8 * width):
            return bytes([first]) + n.to_bytes(width, "big")
    raise ValueError(n)


def pack_int(v):
    if v >= 0:
        return head(v, 0, 127, [(0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)])
    if v >= -32:
        return bytes([v & 0xFF])
    for first, width in ((0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8)):
        if v >= -(1 << (8 * width - 1)):
            return bytes([first]) + v.to_bytes(width, "big", signed=True)
    raise ValueError(v)


def pack_str(b):
    return head(len(b), 0xA0, 31, [(0xD9, 1), (0xDA, 2), (0xDB, 4)]) + b


def pack_bin(b):
    return head(len(b), 0, -1, [(0xC4, 1), (0xC5, 2), (0xC6, 4)]) + b


def array_head(n):
    return head(n, 0x90, 15, [(0xDC, 2), (0xDD, 4)])


def map_head(n):
    return head(n, 0x80, 15, [(0xDE, 2), (0xDF, 4)])


TRUE, NIL = b"\xc3", b"\xc0"
EUR, ISSUER = b"EUR", bytes([0x51] * 32)


# ---- values -------------------------------------------------------------------------------------------

def letters(n):
    """A string of n bytes with more than ASCII in it."""
    return ("é" * (n // 2)).encode() + b"a" * (n % 2)


def choice(values, pick, words):
    """An enum's value as the family writes it: by name (words) or by number."""
    v, name, _ = pick(values)
    return pack_str(name.encode()) if words else pack_int(v)


def smallest(t, words):
    if t.kind in FIXED:
        return pack_bin(bytes(FIXED[t.kind][1]))
    if t.kind == "array":
        return array_head(t.least) + smallest(t.of, words) * t.least
    return {
        "uint": lambda: pack_int(t.least),
        "int": lambda: pack_int(t.least),
        "bool": lambda: b"\xc2",
        "str": lambda: pack_str(b"a" * t.least),
        "text": lambda: pack_str(b"a" * t.least),
        "bin": lambda: pack_bin(bytes(t.least)),
        "any": lambda: any_value(t.least),
        "amount": lambda: array_head(2) + pack_int(t.least) + pack_bin(EUR),
        "currency": lambda: pack_bin(EUR),
        "enum": lambda: choice(t.of.values, min, words),
        "struct": lambda: pack_struct(t.of, small(t.of)),
    }[t.kind]()


def any_value(size):
    """A value of at least that many bytes."""
    return pack_int(7) if size <= 1 else pack_bin(bytes(size))


def fullest(t, words):
    if t.kind in FIXED:
        return pack_bin(bytes([0xA5] * FIXED[t.kind][1]))
    if t.kind == "array":
        element = fullest(t.of, words)
        n = max(t.least, min(t.most, max(1, FULL_BYTES // len(element))))
        return array_head(n) + element * n
    return {
        "uint": lambda: pack_int(t.most),
        "int": lambda: pack_int(t.most),
        "bool": lambda: TRUE,
        "str": lambda: pack_str(letters(t.most)),
        "text": lambda: pack_str((b"\n" + letters(t.most - 1)) if t.most else b""),
        "bin": lambda: pack_bin(bytes(i % 251 for i in range(t.most))),
        "any": lambda: any_value(t.least) if t.most < 9 else b"\x92\x01\xa6\xc3\xa9\nabc",
        "amount": lambda: array_head(2) + pack_int(t.most) + pack_bin(ISSUER),
        "currency": lambda: pack_bin(ISSUER),
        "enum": lambda: choice(t.of.values, max, words),
        "struct": lambda: pack_struct(t.of, full(t.of)),
    }[t.kind]()


def pack_key(family, key):
    return pack_int(key) if family.keys == "int" else pack_str(key.encode())


def key_of(f):
    return f.name if f.key is None else f.key


def pack_entries(family, entries):
    return map_head(len(entries)) + b"".join(pack_key(family, k) + v for k, v in entries)


def pack_struct(s, values):
    return pack_entries(s.family, [(key_of(f), v) for f, v in values])


def by_name(family):
    return family.keys == "str"


def small(s):
    """The fields of the smallest s, with their values."""
    return [(f, smallest(f.type, by_name(s.family))) for f in s.fields if f.required]


def full(s):
    return [(f, fullest(f.type, by_name(s.family))) for f in s.fields]


# ---- what must be refused -----------------------------------------------------------------------------

def bad_values(t, family):
    """(what, bytes, error) of values that a field of type t must not take."""
    lax = family.lax
    if t.kind != "any":
        yield "of the wrong type", (pack_int(0) if t.kind == "bool" else TRUE), FORM
    if t.kind in ("uint", "int"):
        if t.least > (-(2**63) if t.kind == "int" else 0):
            yield "too small", pack_int(t.least - 1), RANGE
        if t.most < 2**63 - 1:
            yield "too big", pack_int(t.most + 1), RANGE
    if t.kind == "uint":
        yield "negative", pack_int(-1), RANGE
    if t.kind in ("str", "text", "bin"):
        pack = pack_bin if t.kind == "bin" else pack_str
        if t.least:
            yield "too short", pack(b"a" * (t.least - 1)), RANGE
        yield "too long", pack(b"a" * (t.most + 1)), RANGE
    if t.kind in ("str", "text") and t.most:
        n = max(t.least, 1)
        yield "with a control character", pack_str(b"a" * (n - 1) + b"\x07"), FORM
        yield "that is not UTF-8", pack_str(b"a" * (n - 1) + b"\xff"), FORM
        if t.kind == "str" and not lax:
            yield "with a newline", pack_str(b"a" * (n - 1) + b"\n"), FORM
    if t.kind in FIXED:
        yield "a byte too short", pack_bin(bytes(FIXED[t.kind][1] - 1)), RANGE
        yield "a byte too long", pack_bin(bytes(FIXED[t.kind][1] + 1)), RANGE
    if t.kind == "enum" and not t.of.family.open:
        yield "unlisted", pack_int(max(v for v, _, _ in t.of.values) + 1), RANGE
    if t.kind == "enum" and by_name(family):
        yield "of an unlisted name", pack_str(b"no such choice"), RANGE
    if t.kind in ("amount", "currency"):
        wrap = (lambda b: array_head(2) + pack_int(t.least) + pack_bin(b)) if t.kind == "amount" else pack_bin
        yield "in lower-case letters", wrap(b"eur"), RANGE
        yield "in letters that are padded", wrap(b"EUR" + bytes(29)), RANGE
        yield "in four letters", wrap(b"EURO"), RANGE
    if t.kind == "amount":
        yield "beyond its range", array_head(2) + pack_int(t.most + 1) + pack_bin(EUR), RANGE
    if t.kind == "array":
        element = smallest(t.of, by_name(family))
        if t.least:
            yield "too few", array_head(t.least - 1) + element * (t.least - 1), RANGE
        if (t.most + 1) * len(element) <= FULL_BYTES:
            yield "too many", array_head(t.most + 1) + element * (t.most + 1), RANGE
        yield "of a hostile count", b"\xdd\x0f\xff\xff\xff", RANGE if t.most < 0x0FFFFFFF else FORM


def longer_int(v):
    """An integer in eight bytes; None where it needs them."""
    if v >= 0:
        return b"\xcf" + v.to_bytes(8, "big") if v < 1 << 32 else None
    return b"\xd3" + v.to_bytes(8, "big", signed=True) if v >= -(1 << 31) else None


def longer_form(t):
    """The smallest value of t, written in a longer form than it needs; None where there is none."""
    if t.kind in ("uint", "int"):
        return longer_int(t.least)
    if t.kind == "enum":
        return longer_int(min(v for v, _, _ in t.of.values))
    if t.kind in ("str", "text"):
        return b"\xdb" + t.least.to_bytes(4, "big") + b"a" * t.least
    if t.kind == "bin":
        return b"\xc6" + t.least.to_bytes(4, "big") + bytes(t.least)
    if t.kind in FIXED:
        n = FIXED[t.kind][1]
        return b"\xc5" + n.to_bytes(2, "big") + bytes(n)
    if t.kind == "array":
        return b"\xdd" + t.least.to_bytes(4, "big") + smallest(t.of, False) * t.least
    if t.kind == "amount" and longer_int(t.least):
        return array_head(2) + longer_int(t.least) + pack_bin(EUR)
    if t.kind == "any":
        return b"\xc5\x00" + bytes([t.least]) + bytes(t.least) if t.least < 256 <= t.most else None
    return None


def with_field(s, field, value):
    """The smallest struct with that field's value put in."""
    entries = []
    for f in s.fields:
        if f is field:
            entries.append((f, value))
        elif f.required:
            entries.append((f, smallest(f.type, by_name(s.family))))
    return pack_struct(s, entries)


def bad_places(s, field):
    """The field twice, and behind one of a higher key."""
    entries = [(key_of(f), smallest(f.type, by_name(s.family))) for f in s.fields if f.required or f is field]
    at = next(i for i, (key, _) in enumerate(entries) if key == field.key)
    twice = entries[:at + 1] + entries[at:]
    if len(entries) < len(s.fields) or s.family.unknown != "refuse":  # else it is one entry too many
        yield f"{field.name} twice", pack_entries(s.family, twice), FORM, s.title
    if at + 1 < len(entries):
        late = entries[:at] + [entries[at + 1], entries[at]] + entries[at + 2:]
        yield f"{field.name} out of order", pack_entries(s.family, late), FORM, s.title


def unused_key(s, start):
    taken = {f.key for f in s.fields}
    return next((k for k in range(start, start + 129) if k not in taken), None)


def refusals(s):
    """(what, bytes, error, field that the report must name) of whole values of s."""
    family, least, most = s.family, small(s), full(s)
    yield "trailing byte", pack_struct(s, most) + b"\x00", FORM, s.title
    yield "not a map", b"\x90", FORM, s.title
    for f, _ in least:
        yield f"{f.name} missing", pack_struct(s, [e for e in least if e[0] is not f]), MISSING, f"{s.title}.{f.name}"
    if most:
        entries = [(key_of(f), v) for f, v in most]
        again = [(entries[0][0], entries[-1][1])]
        if len(most) > 1:
            yield "first key twice", pack_entries(family, entries[:1] + again + entries[2:]), FORM, s.title
        if family.keys == "int":
            body = b"".join(pack_key(family, k) + v for k, v in entries[1:])
            long_key = b"\xcc" + bytes([entries[0][0]]) if entries[0][0] < 128 else None
            if long_key:
                yield "key in a longer form", map_head(len(entries)) + long_key + entries[0][1] + body, FORM, s.title
    if len(most) > 1 and family.keys == "int":
        swapped = [entries[1], entries[0]] + entries[2:]
        yield "keys out of order", pack_entries(family, swapped), FORM, s.title
    small_entries = [(key_of(f), v) for f, v in least]
    unknown = "no_such_field" if family.keys == "str" else unused_key(s, 0)
    refused = family.unknown == "refuse" or (family.unknown == "critical" and unknown is not None and unknown < 128)
    if refused and unknown is not None:
        bad = small_entries + [(unknown, NIL)]
        if family.keys == "int":
            bad.sort()
        codes = UNKNOWN
        if family.unknown == "refuse" and family.keys == "int" and len(bad) > len(s.fields):
            codes = RANGE  # more entries than there are fields
        yield "unknown key", pack_entries(family, bad), codes, s.title
    if family.unknown == "critical" and 127 not in {f.key for f in s.fields}:
        yield "unknown key 127", pack_entries(family, sorted(small_entries + [(127, NIL)])), UNKNOWN, s.title
    for f in s.fields:
        for what, value, err in bad_values(f.type, family):
            yield f"{f.name} {what}", with_field(s, f, value), err, f"{s.title}.{f.name}"
        longer = None if family.lax else longer_form(f.type)
        if longer:
            yield f"{f.name} in a longer form", with_field(s, f, longer), FORM, f"{s.title}.{f.name}"
        if family.keys == "int":
            yield from bad_places(s, f)


def accepted(s):
    """(what, bytes, whether C must write the same bytes) of values that must be taken."""
    least = [(key_of(f), v) for f, v in small(s)]
    most = [(key_of(f), v) for f, v in full(s)]
    yield "smallest", pack_entries(s.family, least), True
    yield "fullest", pack_entries(s.family, most), True
    numbers = [(key_of(f), fullest(f.type, False)) for f in s.fields]
    if by_name(s.family) and numbers != most:
        yield "choices by number", pack_entries(s.family, numbers), False
    if s.family.keys == "str" and len(most) > 1:
        yield "keys in another order", pack_entries(s.family, most[::-1]), False
    if s.family.keys == "str":
        absent = [(key_of(f), NIL) for f in s.fields if not f.required]
        if absent:
            yield "nil for what is optional", pack_entries(s.family, least + absent), False
    elif s.family.unknown in ("keep", "critical"):
        key = unused_key(s, 128 if s.family.unknown == "critical" else 0)
        if key is not None:
            yield "unknown key", pack_entries(s.family, sorted(least + [(key, b"\x91\xa1x")])), False


# ---- files --------------------------------------------------------------------------------------------

def codecs(family):
    """One row a struct: its name, and a function that decodes and encodes again."""
    out = []
    for s in family.structs:
        out += [f"static int {s.c}_again(struct cursor *c, struct arena *a, struct buf *out, struct buf *view)", "{",
                f"    struct {s.c} m;", f"    {s.c}_read(&m, c, a);", "    if (cursor_end(c))", "        return c->err;",
                f"    {s.c}_encode(out, &m);", f"    {s.c}_json(view, &m);", "    return 0;", "}",
                f"static int {s.c}_words(struct span in, struct arena *a, struct report *r)", "{",
                f"    struct {s.c} m;", f"    return {s.c}_decode(&m, in, a, r);", "}"]
    out += ["static const struct codec codecs[] = {"]
    out += [f'    {{"{s.name}", {s.c}_again, {s.c}_words, {"true" if s.family.lax else "false"}}},'
            for s in family.structs] or ['    {"", NULL, NULL, false},']
    return out + ["};"]


def squeeze(b):
    """b as literals and copies of what came before, since the fullest values are long and repeat themselves:
    0 n bytes (n below 256), or 1 distance4 length4 (big-endian; a copy may overlap itself)."""
    out, seen, at, literal = bytearray(), {}, 0, bytearray()

    def flush():
        for i in range(0, len(literal), 255):
            part = literal[i:i + 255]
            out.extend(bytes([0, len(part)]) + part)
        literal.clear()

    while at < len(b):
        key = b[at:at + 16]
        before, n = seen.get(key), 16
        seen[key] = at
        if before is None or len(key) < 16:
            literal.append(b[at])
            at += 1
            continue
        step = 16
        while step:  # as long as the two agree, in steps that double
            if at + n + step <= len(b) and b[before + n:before + n + step] == b[at + n:at + n + step]:
                n, step = n + step, step * 2
            else:
                step //= 2
        flush()
        out.extend(b"\1" + (at - before).to_bytes(4, "big") + n.to_bytes(4, "big"))
        at += n
    flush()
    return bytes(out)


def c_bytes(name, b):
    rows = [", ".join(f"0x{x:02x}" for x in b[i:i + 20]) for i in range(0, len(b), 20)]
    return [f"static const uint8_t {name}[] = {{"] + [f"    {row}," for row in rows] + ["};"]


def test(family):
    out = [f"/* {family.name}.gen.test.c: written by crypto/wire/gen.py from {family.name}.schema. */",
           '#include "tests/gen_harness.h"', f'#include "{family.name}.gen.h"', ""]
    rows = []
    for i, s in enumerate(family.structs):
        examples = [(w, b, "0", "" if same else "other") for w, b, same in accepted(s)] + list(refusals(s))
        for what, b, err, field in examples:
            n = len(rows)
            out += c_bytes(f"e{n}", squeeze(b))
            rows.append(f'    {{{i}, "{what}", e{n}, sizeof e{n}, {len(b)}, {err}, "{field}"}},')
    out += codecs(family) + ["static const struct example examples[] = {"] + rows
    out += ["};", "int main(void)", "{",
            "    return harness_run(codecs, examples, sizeof examples / sizeof *examples);", "}", ""]
    return "\n".join(out)


def fuzz(family):
    return "\n".join([f"/* {family.name}.gen.fuzz.c: written by crypto/wire/gen.py from {family.name}.schema. */",
                      '#include "tests/gen_fuzz.h"', f'#include "{family.name}.gen.h"', "", *codecs(family),
                      "int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);",
                      "int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)", "{",
                      "    return fuzz_codecs(codecs, sizeof codecs / sizeof *codecs, p, n);", "}", ""])


def vectors(family):
    """One row a struct: smallest, fullest, and what is refused, for whoever writes a codec elsewhere.  Of a
    lax family (the socket's) there are no refused ones: what its clients may write is the node's own affair."""
    rows = []
    for s in family.structs:
        examples = [b.hex() for _, b, _ in list(accepted(s))[:2]]
        rows.append({"name": s.name, "number": s.number, "smallest": examples[0], "fullest": examples[1]})
        if not family.lax:
            rows[-1]["refused"] = [{"shows": what, "bytes": b.hex()} for what, b, _, _ in refusals(s)
                                   if len(b) <= REFUSED_BYTES]
    return json.dumps(rows, indent=1) + "\n"
