"""wire.py: canonical MessagePack and the schema language, written from spec/crypto.md, section 4, and
spec/README.md ("Schemas").  It shares nothing with the generator of souk's own codecs.

A value read is a Python int, bool, None, str, bytes, list or dict.  What is not canonical, or not what a
schema asks for, raises Form.
"""
import os
import re


class Form(Exception):
    """Not in canonical form, or not what the schema says."""


# ---- canonical MessagePack ----------------------------------------------------------------------------

DEPTH = 8
NUMBERS = {0xCC: (1, False), 0xCD: (2, False), 0xCE: (4, False), 0xCF: (8, False),
           0xD0: (1, True), 0xD1: (2, True), 0xD2: (4, True), 0xD3: (8, True)}
LENGTHS = {0xC4: ("bin", 1), 0xC5: ("bin", 2), 0xC6: ("bin", 4), 0xD9: ("str", 1), 0xDA: ("str", 2),
           0xDB: ("str", 4), 0xDC: ("array", 2), 0xDD: ("array", 4), 0xDE: ("map", 2), 0xDF: ("map", 4)}


def shortest_int(v):
    """The one form of an integer."""
    if 0 <= v < 128:
        return bytes([v])
    if -32 <= v < 0:
        return bytes([v + 256])
    for first, (width, signed) in NUMBERS.items():
        if signed == (v < 0):
            try:
                return bytes([first]) + v.to_bytes(width, "big", signed=signed)
            except OverflowError:
                continue
    raise Form("an integer beyond 64 bits")


def shortest_width(kind, n):
    """How many bytes of length a string, bin, array or map of n has."""
    small = {"str": 32, "bin": 0, "array": 16, "map": 16}[kind]
    if n < small:
        return 0
    widths = (1, 2, 4) if kind in ("str", "bin") else (2, 4)
    return next(w for w in widths if n < 256**w)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n > len(self.data) - self.at:
            raise Form("cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def head(self):
        """(kind, number): the number is the value of an int or bool, else a length or count."""
        b = self.take(1)[0]
        if b < 0x80:
            return "int", b
        if b >= 0xE0:
            return "int", b - 256
        if b < 0x90:
            return "map", b & 15
        if b < 0xA0:
            return "array", b & 15
        if b < 0xC0:
            return "str", b & 31
        if b == 0xC0:
            return "nil", 0
        if b in (0xC2, 0xC3):
            return "bool", b & 1
        if b in NUMBERS:
            width, signed = NUMBERS[b]
            raw = self.take(width)
            v = int.from_bytes(raw, "big", signed=signed)
            if shortest_int(v) != bytes([b]) + raw:
                raise Form("an integer in a longer form than needed")
            return "int", v
        if b in LENGTHS:
            kind, width = LENGTHS[b]
            n = int.from_bytes(self.take(width), "big")
            if shortest_width(kind, n) != width:
                raise Form("a length in a longer form than needed")
            return kind, n
        raise Form("a float, an extension or no MessagePack at all")

    def value(self, depth=0):
        kind, n = self.head()
        if kind == "int":
            return n
        if kind == "bool":
            return bool(n)
        if kind == "nil":
            return None
        if kind == "bin":
            return bytes(self.take(n))
        if kind == "str":
            return utf8(self.take(n))
        if depth == DEPTH:
            raise Form("nested too deep")
        if n * (2 if kind == "map" else 1) > len(self.data) - self.at:
            raise Form("more elements announced than bytes follow")
        if kind == "array":
            return [self.value(depth + 1) for _ in range(n)]
        out, last = {}, -1
        for _ in range(n):
            kind, key = self.head()
            if kind != "int" or not last < key < 2**63:
                raise Form("keys of a map must be numbers that rise")
            out[key], last = self.value(depth + 1), key
        return out


def utf8(b):
    try:
        text = bytes(b).decode("utf-8")
    except UnicodeDecodeError as e:
        raise Form("not UTF-8") from e
    if any((ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in text):
        raise Form("a control character")
    return text


def read(data):
    """The one canonical value that data is."""
    r = Reader(data)
    v = r.value()
    if r.at != len(data):
        raise Form("bytes after the value")
    return v


def header(kind, n):
    short = {"array": 0x90, "map": 0x80, "str": 0xA0}.get(kind, 0)
    width = shortest_width(kind, n)
    if not width:
        return bytes([short | n])
    first = next(b for b, form in LENGTHS.items() if form == (kind, width))
    return bytes([first]) + n.to_bytes(width, "big")


def write(v):
    """The canonical bytes of a value."""
    if v is None:
        return b"\xc0"
    if isinstance(v, bool):
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        return shortest_int(v)
    if isinstance(v, bytes):
        return header("bin", len(v)) + v
    if isinstance(v, str):
        return header("str", len(v.encode())) + v.encode()
    if isinstance(v, list):
        return header("array", len(v)) + b"".join(map(write, v))
    return header("map", len(v)) + b"".join(write(k) + write(v[k]) for k in sorted(v))


# ---- schemas ------------------------------------------------------------------------------------------

FIXED = {"id": 32, "identity": 32, "node": 32, "tradekey": 32, "xkey": 32, "sig": 64, "salt": 16}
MOST = 10**15


class Value(dict):
    """A map read by a schema: fields by name; what is absent is absent.  `raw` is the map by its keys."""

    def __init__(self, raw):
        super().__init__()
        self.raw = raw


class Family:
    """One schema file: structs and messages by name, enums by name, messages by number."""

    loaded = {}

    @classmethod
    def load(cls, name):
        if name not in cls.loaded:
            cls.loaded[name] = cls(name)
        return cls.loaded[name]

    def __init__(self, name):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../spec")
        self.unknown, self.open = "keep", False
        self.structs, self.enums, self.numbers, self.uses = {}, {}, {}, []
        block = None
        with open(os.path.join(root, name + ".schema"), encoding="utf-8") as f:
            for line in f:
                words = re.sub(r'"[^"]*"', "", line).split("#")[0].split()
                if not words:
                    continue
                if line[0] not in " \t":
                    block = self.outer(words)
                elif isinstance(block, set):
                    block.add(int(words[0]))
                elif block is not None:
                    block[int(words[0])] = (words[1], words[2:-1], words[-1] == "required")

    def outer(self, words):
        if words[0] == "family":
            self.unknown = words[words.index("unknown") + 1]
            self.open = "open" in words
        elif words[0] == "use":
            self.uses.append(Family.load(words[1]))
        elif words[0] == "enum":
            self.enums[words[1]] = set()
            return self.enums[words[1]]
        elif words[0] in ("struct", "message"):
            self.structs[words[1]] = {}
            if words[0] == "message":
                self.numbers[int(words[2])] = words[1]
            return self.structs[words[1]]
        return None

    def find(self, table, name):
        for family in [self] + self.uses:
            if name in getattr(family, table):
                return family, getattr(family, table)[name]
        raise KeyError(name)

    def read(self, struct, data):
        """One message or struct from its bytes."""
        return self.check(struct, read(data))

    def check(self, struct, raw):
        family, fields = self.find("structs", struct)
        if family is not self:
            return family.check(struct, raw)
        if not isinstance(raw, dict):
            raise Form(f"{struct}: not a map")
        out = Value(raw)
        for key, v in raw.items():
            if key in fields:
                name, words, _ = fields[key]
                out[name] = self.typed(f"{struct}.{name}", words, v)
            elif self.unknown == "refuse" or (self.unknown == "critical" and key < 128):
                raise Form(f"{struct}: key {key} is not understood")
        for name, _, required in fields.values():
            if required and name not in out:
                raise Form(f"{struct}.{name} is missing")
        return out

    def typed(self, where, words, v):
        def need(ok):
            if not ok:
                raise Form(f"{where}: {v!r} is no {' '.join(words)}")
        kind, rest = words[0], words[1:]
        least, most = None, None
        if rest and ".." in rest[0]:
            a, b = rest.pop(0).split("..")
            least, most = int(a) if a else None, int(b) if b else None
        is_int = isinstance(v, int) and not isinstance(v, bool)
        if kind == "uint":
            need(is_int and (least or 0) <= v <= (2**64 - 1 if most is None else most))
        elif kind == "int":
            need(is_int and (-2**63 if least is None else least) <= v <= (2**63 - 1 if most is None else most))
        elif kind == "bool":
            need(isinstance(v, bool))
        elif kind in ("str", "text"):
            need(isinstance(v, str) and least <= len(v.encode()) <= most and (kind == "text" or "\n" not in v))
        elif kind == "bin":
            need(isinstance(v, bytes) and least <= len(v) <= most)
        elif kind == "any":
            need(least is None or least <= len(write(v)) <= most)
        elif kind == "array":
            need(isinstance(v, list) and least <= len(v) <= most)
            return [self.typed(f"{where}[{i}]", rest[1:], x) for i, x in enumerate(v)]
        elif kind == "enum":
            family, values = self.find("enums", rest[0])
            need(is_int and (v in values or (family.open and 0 <= v < 65536)))
        elif kind in FIXED:
            need(isinstance(v, bytes) and len(v) == FIXED[kind])
        elif kind == "currency":
            need(self.currency(v))
        elif kind == "amount":
            need(isinstance(v, list) and len(v) == 2 and isinstance(v[0], int) and not isinstance(v[0], bool))
            need((-MOST if least is None else least) <= v[0] <= (MOST if most is None else most))
            need(self.currency(v[1]))
        else:
            return self.check(kind, v)
        return v

    @staticmethod
    def currency(v):
        """Three capitals, or an issuer's 32 bytes which are not three capitals and zeros."""
        if not isinstance(v, bytes):
            return False
        iso = len(v) >= 3 and all(65 <= b <= 90 for b in v[:3])
        return (len(v) == 3 and iso) or (len(v) == 32 and not (iso and not any(v[3:])))
