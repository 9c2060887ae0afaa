"""gen_page.py: a Markdown page of a family, for readers of the spec."""
import re

from gen_examples import accepted

EXAMPLE_BYTES = 80  # longer ones are in FAMILY.vectors.json
UNKNOWN = {"keep": "stepped over", "refuse": "refused", "critical": "refused below 128, stepped over from 128 on"}


def cell(text):
    return text.replace("|", "\\|")


def about(family):
    """The remarks at the head of the schema."""
    with open(family.path, encoding="utf-8") as f:
        head = re.match(r"(?:#.*\n)*", f.read())[0]
    return " ".join(line.lstrip("# ") for line in head.splitlines())


def anchor(title):
    return re.sub(r"[^a-z0-9_ -]", "", title.lower()).replace(" ", "-")


def title_of(thing):
    number = getattr(thing, "number", None)
    if number is not None:
        return f"message {number}: {thing.name}"
    return ("struct " if hasattr(thing, "fields") else "enum ") + thing.name


def type_text(t, family):
    """The type as the schema writes it, with a link to what it names."""
    inner = t.of if t.kind == "array" else t
    if inner.kind not in ("enum", "struct"):
        return cell(t.text)
    of = inner.of
    page = "" if of.family is family else f"{of.family.name}.gen.md"
    link = f"[{of.name}]({page}#{anchor(title_of(of))})"
    return f"array {t.least}..{t.most} of {link}" if t.kind == "array" else link


def table(s):
    if not s.fields:
        return ["No fields.", ""]
    out = ["| key | name | type | required | what |", "| --- | --- | --- | --- | --- |"] if s.family.keys == "int" else \
        ["| name | type | required | what |", "| --- | --- | --- | --- |"]
    for f in s.fields:
        key = "" if f.key is None else f"{f.key} | "
        out.append(f"| {key}{f.name} | {type_text(f.type, s.family)} | {'yes' if f.required else ''} | {cell(f.doc)} |")
    return out + [""]


def example(s):
    if s.family.keys != "int":
        return []
    data = next(accepted(s))[1]
    if len(data) > EXAMPLE_BYTES:
        return []
    return [f"The smallest, in hex: `{data.hex()}`", ""]


def contents(titles):
    return [f"- [{t}](#{anchor(t)})" for t in titles] + [""]


def page(family):
    parts = {id(p) for m in family.methods for p in (m.params, m.result)}
    structs = [s for s in family.structs if id(s) not in parts]
    keys = "integers" if family.keys == "int" else "strings"
    out = [f"# {family.name}", "", about(family), "",
           f"Written from `spec/{family.name}.schema`, whose language is described in `spec/README.md`. "
           f"Keys are {keys}; unknown keys are {UNKNOWN[family.unknown]}.", ""]
    out += contents([m.name for m in family.methods] + [title_of(x) for x in structs + family.enums])
    for m in family.methods:
        out += [f"## {m.name}", f"{m.doc} (class: {m.class_})", "", "Parameters:", ""] + table(m.params)
        out += ["Result:", ""] + table(m.result)
        if m.errors:
            out += [f"Errors: {', '.join(m.errors)}.", ""]
    for s in structs:
        out += [f"## {title_of(s)}", s.doc, ""] + table(s) + example(s)
    for e in family.enums:
        out += [f"## {title_of(e)}", e.doc, "", "| number | name | what |", "| --- | --- | --- |"]
        out += [f"| {v} | {n} | {cell(d)} |" for v, n, d in e.values] + [""]
    return "\n".join(out)
