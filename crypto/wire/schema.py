"""schema.py: reads spec/*.schema into a model, refusing mistakes by file and line.

The language, by example: spec/*.schema and tests/data/*.schema.  One family a file; enums, structs, messages
and (API families) methods; one field a line.
"""
import os
import re

FIXED = {  # type word: (C type, bytes)
    "id": ("struct id", 32),
    "identity": ("struct identity", 32),
    "node": ("struct node_key", 32),
    "tradekey": ("struct trade_key", 32),
    "xkey": ("struct xkey", 32),
    "sig": ("struct sig", 64),
    "salt": ("struct salt", 16),
}
CLASSES = ["public", "private", "write", "spend", "secret"]
AMOUNT_MAX = 10**15
RANGES = {  # the widest range of each type that takes one, and what it is when none is written
    "uint": (0, 2**64 - 1),
    "int": (-(2**63), 2**63 - 1),
    "amount": (-AMOUNT_MAX, AMOUNT_MAX),
    "str": (0, 2**20),
    "text": (0, 2**20),
    "bin": (0, 2**24),
    "any": (1, 2**24),
    "array": (0, 2**20),
}
NEED_RANGE = {"str", "text", "bin", "array"}
DEPTH = 8  # CURSOR_DEPTH


class Mistake(Exception):
    """A mistake in a schema, with the place where it stands."""


class Type:
    """kind is a type word, "enum" or "struct"; of is an Enum, a Struct or (array) the element's Type."""

    def __init__(self, kind, text, least=None, most=None, of=None):
        self.kind, self.text, self.least, self.most, self.of = kind, text, least, most, of


class Field:
    def __init__(self, key, name, type_, required, doc, line):
        self.key, self.name, self.type = key, name, type_
        self.required, self.doc, self.line = required, doc, line


class Enum:
    def __init__(self, family, name, doc, line):
        self.family, self.name, self.doc, self.line = family, name, doc, line
        self.values = []  # (number, name, doc)


class Struct:
    """A struct, a message (number is set), or the params or result of a method (title is the method's)."""

    def __init__(self, family, name, doc, line, number=None, title=None):
        self.family, self.name, self.doc, self.line = family, name, doc, line
        self.number, self.title, self.fields = number, title or name, []

    @property
    def c(self):
        return f"{self.family.name}_{self.name}"

    def depth(self):
        return 1 + max((type_depth(f.type) for f in self.fields), default=0)


class Method:
    def __init__(self, name, class_, doc, line):
        self.name, self.class_, self.doc, self.line = name, class_, doc, line
        self.params = self.result = None
        self.errors = []


class Family:
    def __init__(self, name, path):
        self.name, self.path = name, path
        self.keys, self.unknown, self.lax, self.open = "int", None, False, False
        self.uses, self.enums, self.structs, self.methods = [], [], [], []

    def messages(self):
        return [s for s in self.structs if s.number is not None]

    def find(self, name):
        """The enum or struct of that name, here or in a family in use."""
        for family in [self] + self.uses:
            for thing in family.enums + family.structs:
                if thing.name == name and (family is self or isinstance(thing, (Enum, Struct))):
                    return thing
        return None


def type_depth(t):
    if t.kind == "struct":
        return t.of.depth()
    if t.kind == "array":
        return 1 + type_depth(t.of)
    return 1 if t.kind == "amount" else 0


def number(text):
    """12, -3, 1_000, 2^53 or 2^53-1."""
    m = re.fullmatch(r"(-?)(\d[\d_]*)(?:\^(\d+))?(-1)?", text)
    if not m:
        return None
    value = int(m[2]) ** (int(m[3]) if m[3] else 1) - (1 if m[4] else 0)
    return -value if m[1] else value


class Parser:
    def __init__(self, path):
        self.path, self.line, self.family = path, 0, None
        self.block = None  # the Enum, Struct or Method whose lines follow

    def fail(self, why, line=None):
        raise Mistake(f"{self.path}:{line or self.line}: {why}")

    def parse(self):
        with open(self.path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        for self.line, raw in enumerate(lines, 1):
            text = re.sub(r'^((?:[^"#]|"[^"]*")*)#.*$', r"\1", raw).rstrip()
            if not text.strip():
                continue
            words, doc = self.split(text.strip())
            if text[0] in " \t":
                self.inner(words, doc)
            else:
                self.outer(words, doc)
        if not self.family:
            self.fail("the file names no family")
        self.finish()
        return self.family

    def split(self, text):
        m = re.fullmatch(r'([^"]*?)\s*(?:"([^"]*)")?', text)
        if not m:
            self.fail('quotes may only stand around the doc, at the end of the line')
        return m[1].split(), m[2] or ""

    def outer(self, words, doc):
        if words[0] == "family":
            self.start_family(words)
            return
        if not self.family:
            self.fail("the first line must name the family")
        if words[0] == "use" and len(words) == 2:
            self.use(words[1])
        elif words[0] == "enum" and len(words) == 2:
            self.block = self.declare(Enum(self.family, words[1], doc, self.line), self.family.enums)
        elif words[0] == "struct" and len(words) == 2:
            self.block = self.declare(Struct(self.family, words[1], doc, self.line), self.family.structs)
        elif words[0] == "message" and len(words) == 3 and number(words[2]) is not None:
            n = number(words[2])
            if any(m.number == n for m in self.family.messages()):
                self.fail(f"message number {n} is taken")
            self.block = self.declare(Struct(self.family, words[1], doc, self.line, n), self.family.structs)
        elif words[0] == "method" and len(words) == 3:
            self.start_method(words, doc)
        else:
            self.fail(f"cannot read '{' '.join(words)}': expected family, use, enum NAME, struct NAME, "
                      "message NAME NUMBER or method NAME CLASS")

    def start_family(self, words):
        stem = os.path.basename(self.path).split(".")[0]
        if self.family:
            self.fail("one family a file")
        if len(words) < 2 or words[1] != stem:
            self.fail(f"the family must be named as the file: {stem}")
        f = self.family = Family(words[1], self.path)
        rest = words[2:]
        while rest:
            word = rest.pop(0)
            if word == "keys" and rest and rest[0] in ("int", "str"):
                f.keys = rest.pop(0)
            elif word == "unknown" and rest and rest[0] in ("keep", "refuse", "critical"):
                f.unknown = rest.pop(0)
            elif word == "refuse":  # the api family's short form of `unknown refuse`
                f.unknown = word
            elif word in ("lax", "open"):
                setattr(f, word, True)
            else:
                self.fail(f"cannot read '{word}': expected keys int|str, unknown keep|refuse|critical, lax, open")
        if f.keys == "str":
            f.lax = True
            f.unknown = f.unknown or "refuse"
        if not f.unknown:
            self.fail("say what happens to unknown keys: unknown keep, refuse or critical")
        if f.keys == "str" and f.unknown == "critical":
            self.fail("unknown critical needs integer keys")

    def use(self, name):
        path = os.path.join(os.path.dirname(self.path), name + ".schema")
        if not os.path.exists(path):
            self.fail(f"there is no family {name}: {path}")
        self.family.uses.append(Parser(path).parse())

    def identifier(self, name):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            self.fail(f"'{name}' is not a name: lower-case letters, digits and _")
        return name

    def declare(self, thing, where):
        self.identifier(thing.name)
        if any(t.name == thing.name for t in self.family.enums + self.family.structs):
            self.fail(f"{thing.name} is declared twice")
        where.append(thing)
        return thing

    def start_method(self, words, doc):
        name, class_ = words[1:]
        if not re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", name):
            self.fail(f"'{name}' is not a method's name: such as listing.publish")
        if class_ not in CLASSES:
            self.fail(f"'{class_}' is not a class: {', '.join(CLASSES)}")
        if any(m.name == name for m in self.family.methods):
            self.fail(f"{name} is declared twice")
        m = Method(name, class_, doc, self.line)
        stem = name.replace(".", "_")
        for part in ("params", "result"):
            s = Struct(self.family, f"{stem}_{part}", f"{part} of {name}", self.line, title=name)
            setattr(m, part, self.declare(s, self.family.structs))
        self.family.methods.append(m)
        self.block = m
        self.part = None

    def inner(self, words, doc):
        b = self.block
        if b is None:
            self.fail("an indented line belongs to an enum, a struct, a message or a method")
        if isinstance(b, Enum):
            self.enum_value(b, words, doc)
        elif isinstance(b, Struct):
            self.field(b, words, doc)
        elif words in (["params"], ["result"]):
            self.part = getattr(b, words[0])
        elif words[0] == "errors":
            b.errors += self.error_names(words[1:])
            self.part = None
        elif self.part is None:
            self.fail("say params or result before the fields")
        else:
            self.field(self.part, words, doc)

    def enum_value(self, enum, words, doc):
        n = number(words[0])
        if len(words) != 2 or n is None or not 0 <= n < 65536:
            self.fail('a value of an enum is written: NUMBER NAME "doc"')
        if not re.fullmatch(r"[a-z0-9_]+", words[1]):
            self.fail(f"'{words[1]}' is not a name: lower-case letters, digits and _")
        if any(n == v[0] or words[1] == v[1] for v in enum.values):
            self.fail(f"{words[1]} or its number is declared twice")
        enum.values.append((n, words[1], doc))

    def error_names(self, names):
        header = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../base/err.h")
        with open(header, encoding="utf-8") as f:
            known = re.findall(r'X\(\d+, \w+, "(\w+)"', f.read())
        for name in names:
            if name not in known:
                self.fail(f"'{name}' is not an error: {' '.join(known)}")
        return names

    def field(self, struct, words, doc):
        key = None
        if self.family.keys == "int":
            key = number(words[0])
            if key is None or key < 0 or key > 2**31:
                self.fail('a field is written: KEY NAME TYPE required|optional "doc"')
            words = words[1:]
            if struct.fields and struct.fields[-1].key >= key:
                self.fail(f"key {key} does not rise")
        if len(words) < 3 or words[-1] not in ("required", "optional"):
            self.fail("a field must end with required or optional, then its doc")
        name = self.identifier(words[0])
        if any(f.name == name for f in struct.fields):
            self.fail(f"{name} is declared twice")
        if len(struct.fields) == 64:
            self.fail("at most 64 fields")
        # Types are looked up at the end, so that they may be declared in any order.
        struct.fields.append(Field(key, name, words[1:-1], words[-1] == "required", doc, self.line))

    def finish(self):
        for enum in self.family.enums:
            if not enum.values:
                self.fail(f"enum {enum.name} has no values", enum.line)
        for struct in self.family.structs:
            for f in struct.fields:
                self.line = f.line
                text = " ".join(f.type)
                f.type, rest = self.type(f.type, text)
                if rest:
                    self.fail(f"cannot read '{' '.join(rest)}' after the type")
        done = []
        for struct in self.family.structs:
            self.order(struct, [], done)
        self.family.structs = done
        for struct in done:
            if struct.depth() > DEPTH:
                self.fail(f"{struct.name} nests deeper than {DEPTH}", struct.line)

    def order(self, struct, above, done):
        """Appends what struct holds, then struct; refuses circles."""
        if struct.family is not self.family or struct in done:
            return
        if struct in above:
            self.fail(f"{struct.name} would hold itself", struct.line)
        for f in struct.fields:
            t = f.type.of if f.type.kind == "array" else f.type
            if t.kind == "struct":
                self.order(t.of, above + [struct], done)
        done.append(struct)

    def type(self, words, text):
        """The type that words begin with, and the words behind it."""
        if not words:
            self.fail("a type is missing")
        word, rest = words[0], words[1:]
        if word in RANGES:
            return self.ranged(word, rest, text)
        if word in FIXED or word in ("bool", "currency"):
            return Type(word, text), rest
        if word == "enum":
            enum = self.family.find(rest[0]) if rest else None
            if not isinstance(enum, Enum):
                self.fail(f"there is no enum {rest[0] if rest else ''}")
            return Type("enum", text, of=enum), rest[1:]
        struct = self.family.find(word)
        if not isinstance(struct, Struct):
            self.fail(f"there is no type or struct {word}" +
                      (f"; write: enum {word}" if isinstance(struct, Enum) else ""))
        return Type("struct", text, of=struct), rest

    def ranged(self, word, rest, text):
        least, most = RANGES[word]
        if rest and ".." in rest[0]:
            a, b = rest[0].split("..", 1)
            lo, hi = (number(a) if a else least), (number(b) if b else most)
            if lo is None or hi is None or not least <= lo <= hi <= most:
                self.fail(f"'{rest[0]}' is not a range within {least}..{most}")
            least, most, rest = lo, hi, rest[1:]
        elif word in NEED_RANGE:
            self.fail(f"{word} needs a range: {word} A..B")
        if word != "array":
            return Type(word, text, least, most), rest
        if not rest or rest[0] != "of":
            self.fail("an array is written: array A..B of TYPE")
        of, rest = self.type(rest[1:], " ".join(rest[1:]))
        if of.kind == "array":
            self.fail("an array of arrays has no C form here: put the inner one in a struct")
        return Type("array", text, least, most, of), rest
