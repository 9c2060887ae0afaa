"""gen_page.py: a Markdown page of a family, for readers of the spec."""


def cell(text):
    return text.replace("|", "\\|")


def table(s):
    if not s.fields:
        return ["No fields.", ""]
    out = ["| key | name | type | required | what |", "| --- | --- | --- | --- | --- |"]
    for f in s.fields:
        key = f.name if f.key is None else str(f.key)
        out.append(f"| {key} | {f.name} | {cell(f.type.text)} | {'yes' if f.required else ''} | {cell(f.doc)} |")
    return out + [""]


def page(family):
    unknown = {"keep": "kept", "refuse": "refused", "critical": "refused below 128, kept from 128 on"}
    out = [f"# {family.name}", "",
           f"Written from `{family.name}.schema`. Keys are {'integers' if family.keys == 'int' else 'strings'}; "
           f"unknown keys are {unknown[family.unknown]}.", ""]
    for e in family.enums:
        out += [f"## enum {e.name}", e.doc, "", "| number | name | what |", "| --- | --- | --- |"]
        out += [f"| {v} | {n} | {cell(d)} |" for v, n, d in e.values] + [""]
    parts = {id(p) for m in family.methods for p in (m.params, m.result)}
    for s in family.structs:
        if id(s) in parts:
            continue
        kind = "struct" if s.number is None else f"message {s.number}:"
        out += [f"## {kind} {s.name}", s.doc, ""] + table(s)
    for m in family.methods:
        out += [f"## {m.name}", f"{m.doc} (class: {m.class_})", "", "Parameters:", ""] + table(m.params)
        out += ["Result:", ""] + table(m.result)
        if m.errors:
            out += [f"Errors: {', '.join(m.errors)}.", ""]
    return "\n".join(out)
