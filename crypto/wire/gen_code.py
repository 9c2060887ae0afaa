"""gen_code.py: the C of a family: structs, readers, encoders, names, JSON views, method tables."""
from schema import FIXED

KEYWORDS = set("""auto break case char const continue default do double else enum extern float for goto if
inline int long register restrict return short signed sizeof static struct switch typedef union unsigned
void volatile while bool true false""".split())
SPANS = ("str", "text", "bin", "any")


def cname(name):
    return name + "_" if name in KEYWORDS else name


def cstr(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def comment(text):
    return f" /* {text.replace('*/', '* /')} */" if text else ""


def integer(n, signed):
    if not signed:
        return f"UINT64_C({n})" if n > 2**31 - 1 else str(n)
    if n == -(2**63):
        return "INT64_MIN"
    return f"INT64_C({n})" if abs(n) > 2**31 - 1 else str(n)


def enum_tag(e):
    return f"{e.family.name}_{e.name}"


def ctype(t):
    if t.kind in FIXED:
        return FIXED[t.kind][0]
    if t.kind in SPANS:
        return "struct span"
    if t.kind == "enum":
        return f"enum {enum_tag(t.of)}"
    if t.kind == "struct":
        return f"struct {t.of.c}"
    return {"uint": "uint64_t", "int": "int64_t", "bool": "bool", "amount": "struct amount",
            "currency": "struct currency"}[t.kind]


# ---- header -------------------------------------------------------------------------------------------

def struct_lines(s):
    out = [f"/* {s.doc or s.title} */", f"struct {s.c} {{"]
    for f in s.fields:
        if not f.required:
            out.append(f"    bool has_{f.name};")
        note = comment(f"{f.type.text}{': ' + f.doc if f.doc else ''}")
        if f.type.kind == "array":
            out.append(f"    const {ctype(f.type.of)} *{cname(f.name)};{note}")
            out.append(f"    size_t {f.name}_n;")
        else:
            out.append(f"    {ctype(f.type)} {cname(f.name)};{note}")
    if not s.fields:
        out.append("    uint8_t nothing; /* it has no fields */")
    out.append("};")
    return out


def enum_lines(e):
    tag = enum_tag(e)
    out = [f"/* {e.doc or e.name} */", f"enum {tag} {{"]
    out += [f"    {tag.upper()}_{n.upper()} = {v},{comment(d)}" for v, n, d in e.values]
    out += ["};",
            f"const char *{tag}_name(enum {tag} value); /* \"unknown\" for any other */",
            f"int {tag}_by_name(struct span name); /* SOUK_ENOT_FOUND */",
            f"void {tag}_pack(struct buf *b, enum {tag} value); /* its name; a number without one as it is */",
            f"enum {tag} {tag}_read(struct cursor *c);", ""]
    return out


def method_symbol(m):
    return "_".join(m.name.split("."))


def header(family):
    f, guard = family.name, f"SOUK_GEN_{family.name.upper()}_H"
    out = [f"/* {f}.gen.h: written by crypto/wire/gen.py from {f}.schema.",
           " *",
           " * F_decode reads one whole value, F_read one within a cursor (sticky), F_encode appends one, F_json",
           " * appends JSON for people.  Spans are borrowed from the input; arrays lie in the arena (NULL arena:",
           " * SOUK_ERANGE).  Errors: SOUK_EFORM, SOUK_ERANGE, SOUK_EMISSING, SOUK_EUNKNOWN_CRITICAL; the report",
           " * names the field and the rule; out is untouched on error. */",
           f"#ifndef {guard}", f"#define {guard}", '#include "crypto/wire/codec.h"']
    if family.methods:
        out.append('#include "crypto/wire/method.h"')
    out += [f'#include "{u.name}.gen.h"' for u in family.uses] + [""]
    for e in family.enums:
        out += enum_lines(e)
    for s in family.structs:
        out += struct_lines(s)
        out += [f"void {s.c}_encode(struct buf *b, const struct {s.c} *m);",
                f"int {s.c}_decode(struct {s.c} *out, struct span in, struct arena *a, struct report *r);",
                f"void {s.c}_read(struct {s.c} *m, struct cursor *c, struct arena *a);",
                f"void {s.c}_json(struct buf *b, const struct {s.c} *m);", ""]
    if family.messages():
        out.append(f"enum {f}_message {{")
        out += [f"    {m.c.upper()} = {m.number}," for m in family.messages()] + ["};"]
        out += [f"const char *{f}_name(unsigned number); /* NULL when there is no such message */",
                "/* Is in a well-formed message of that number?  SOUK_ENOT_FOUND for an unknown number. */",
                f"int {f}_check(unsigned number, struct span in, struct arena *a, struct report *r);", ""]
    if family.methods:
        out.append(f"enum {f}_method_number {{")
        out += [f"    {f.upper()}_M_{method_symbol(m).upper()}," for m in family.methods]
        out += [f"    {f.upper()}_METHODS", "};",
                f"extern const struct api_method {f}_methods[]; /* by {f}_method_number */",
                f"extern const size_t {f}_methods_n;",
                f"int {f}_method_by_name(struct span name); /* an {f}_method_number, or SOUK_EMETHOD */",
                f"extern const struct api_type {f}_types[];",
                f"extern const size_t {f}_types_n;", ""]
    return "\n".join(out + ["#endif", ""])


# ---- reading ------------------------------------------------------------------------------------------

def read_statement(t, place):
    lo = hi = ""
    if t.least is not None:
        signed = t.kind in ("int", "amount")
        lo, hi = integer(t.least, signed), integer(t.most, signed)
    if t.kind in FIXED:
        return f"cursor_fixed(c, &{place}, {FIXED[t.kind][1]});"
    return {
        "uint": lambda: f"{place} = cursor_uint(c, {lo}, {hi});",
        "int": lambda: f"{place} = cursor_int(c, {lo}, {hi});",
        "bool": lambda: f"{place} = cursor_bool(c);",
        "str": lambda: f"{place} = cursor_str(c, {lo}, {hi});",
        "text": lambda: f"{place} = cursor_text(c, {lo}, {hi});",
        "bin": lambda: f"{place} = codec_bin(c, a, {lo}, {hi});",
        "any": lambda: f"{place} = codec_any(c, {lo}, {hi});",
        "amount": lambda: f"codec_amount(c, &{place}, {lo}, {hi});",
        "currency": lambda: f"codec_currency(c, &{place});",
        "enum": lambda: f"{place} = {enum_tag(t.of)}_read(c);",
        "struct": lambda: f"{t.of.c}_read(&{place}, c, a);",
    }[t.kind]()


def read_field(f):
    """Statements that read a field's value, unindented."""
    place = f"m->{cname(f.name)}"
    if f.type.kind != "array":
        return [read_statement(f.type, place)]
    t = f.type
    return [f"{ctype(t.of)} *v = codec_array(c, a, {t.least}, {t.most}, sizeof *v, &m->{f.name}_n);",
            f"{place} = v;",
            f"for (size_t i = 0; i < m->{f.name}_n && !c->err; i++)",
            "    " + read_statement(t.of, "v[i]"),
            "cursor_leave(c);"]


def fields_table(s):
    return [f"static const char *const {s.c}_fields[] = {{"] + \
           [f"    {cstr(s.title + '.' + f.name)}," for f in s.fields] + ["};"]


def required_mask(s):
    return sum(1 << i for i, f in enumerate(s.fields) if f.required)


def read_start(s, most):
    return [f"void {s.c}_read(struct {s.c} *m, struct cursor *c, struct arena *a)", "{",
            f"    *m = (struct {s.c}){{0}};", "    (void)a;",
            f"    size_t n = cursor_map(c, {most});"]


def read_int_keys(s):
    family = s.family
    most = len(s.fields) if family.unknown == "refuse" else 255
    critical_below = {"keep": "0", "refuse": "UINT64_MAX", "critical": "128"}[family.unknown]
    out = fields_table(s) if s.fields else []
    out += read_start(s, most)
    if s.fields:
        out.append("    uint64_t seen = 0;")
    out += ["    int64_t last = -1;", "    for (; n > 0 && !c->err; n--) {", f"        c->field = {cstr(s.title)};",
            "        uint64_t key = cursor_key(c, &last);", "        if (c->err)", "            break;",
            "        switch (key) {"]
    for i, f in enumerate(s.fields):
        out += [f"        case {f.key}: {{", f"            c->field = {s.c}_fields[{i}];"]
        out += ["            " + line for line in read_field(f)]
        if not f.required:
            out.append(f"            m->has_{f.name} = true;")
        out += [f"            seen |= UINT64_C(1) << {i};", "            break;", "        }"]
    out += ["        default:", f"            codec_unknown(c, key, {critical_below});", "        }", "    }"]
    return out + read_end(s)


def read_end(s):
    out = []
    if s.fields:
        out.append(f"    codec_require(c, seen, UINT64_C({required_mask(s)}), {s.c}_fields);")
    return out + ["    cursor_leave(c);", "}"]


def read_str_keys(s):
    known = ", ".join(f.name for f in s.fields) or "none"
    keep = "true" if s.family.unknown == "keep" else "false"
    out = fields_table(s) if s.fields else []
    out += read_start(s, 255)
    if s.fields:
        out.append("    uint64_t seen = 0;")
    out += ["    for (; n > 0 && !c->err; n--) {", f"        c->field = {cstr(s.title)};",
            "        struct span key = cursor_str(c, 0, 255);", "        if (c->err)", "            break;"]
    for i, f in enumerate(s.fields):
        bit = f"UINT64_C(1) << {i}"
        out += [f'        if (codec_is(key, "{f.name}", {len(f.name)})) {{',
                f"            c->field = {s.c}_fields[{i}];",
                f"            if (seen & {bit})", "                codec_twice(c);",
                f"            seen |= {bit};"]
        if not f.required:
            out += ["            if (cursor_peek(c) == WIRE_NIL) {", "                cursor_nil(c);",
                    "                continue;", "            }"]
        out += ["            " + line for line in read_field(f)]
        if not f.required:
            out.append(f"            m->has_{f.name} = true;")
        out += ["            continue;", "        }"]
    out += [f"        codec_unknown_name(c, key, {cstr(known)}, {keep});", "    }"]
    return out + read_end(s)


def decode(s):
    lax = ["    c.lax = true;"] if s.family.lax else []
    return [f"int {s.c}_decode(struct {s.c} *out, struct span in, struct arena *a, struct report *r)", "{",
            "    struct cursor c;", f"    struct {s.c} m;", "    cursor_init(&c, in);", *lax,
            f"    c.field = {cstr(s.title)};",
            f"    {s.c}_read(&m, &c, a);",
            f"    c.field = c.err ? c.field : {cstr(s.title)};",
            "    if (cursor_end(&c))", "        return cursor_report(&c, r);", "    *out = m;", "    return 0;", "}"]


# ---- writing ------------------------------------------------------------------------------------------

def pack_statement(t, place, words=False):
    """words: enums by name, for people and for programs in any language."""
    if t.kind in FIXED:
        return f"pack_bin(b, span({place}.b, {FIXED[t.kind][1]}));"
    if t.kind == "enum" and words:
        return f"{enum_tag(t.of)}_pack(b, {place});"
    return {
        "uint": f"pack_uint(b, {place});", "int": f"pack_int(b, {place});", "bool": f"pack_bool(b, {place});",
        "str": f"pack_str(b, {place});", "text": f"pack_str(b, {place});", "bin": f"pack_bin(b, {place});",
        "any": f"buf_span(b, {place});", "amount": f"codec_pack_amount(b, &{place});",
        "currency": f"codec_pack_currency(b, &{place});", "enum": f"pack_uint(b, (uint64_t){place});",
        "struct": f"{t.of.c}_encode(b, &{place});" if t.kind == "struct" else "",
    }[t.kind]


def json_statement(t, place):
    if t.kind in FIXED:
        return f"json_hex(b, {place}.b, {FIXED[t.kind][1]});"
    return {
        "uint": f'buf_printf(b, "%" PRIu64, {place});', "int": f'buf_printf(b, "%" PRId64, {place});',
        "bool": f'buf_printf(b, "%s", {place} ? "true" : "false");',
        "str": f"json_str(b, {place});", "text": f"json_str(b, {place});",
        "bin": f"json_hex(b, {place}.p, {place}.n);",
        "any": f"wire_json(b, {place});", "amount": f"codec_json_amount(b, &{place});",
        "currency": f"codec_json_currency(b, &{place});",
        "enum": f"json_str(b, span_str({enum_tag(t.of)}_name({place})));" if t.kind == "enum" else "",
        "struct": f"{t.of.c}_json(b, &{place});" if t.kind == "struct" else "",
    }[t.kind]


def each(f, statement, before=(), between=()):
    """A loop over an array field."""
    return [*before, f"for (size_t i = 0; i < m->{f.name}_n; i++)" + (" {" if between else ""),
            *["    " + line for line in between],
            "    " + statement(f.type.of, f"m->{cname(f.name)}[i]")] + (["}"] if between else [])


def guarded(f, lines):
    if f.required:
        return ["    " + line for line in lines]
    return [f"    if (m->has_{f.name}) {{"] + ["        " + line for line in lines] + ["    }"]


def encode(s):
    fixed = sum(f.required for f in s.fields)
    count = " + ".join([str(fixed)] + [f"(size_t)m->has_{f.name}" for f in s.fields if not f.required])
    words = s.family.keys == "str"

    def pack(t, place):
        return pack_statement(t, place, words)

    out = [f"void {s.c}_encode(struct buf *b, const struct {s.c} *m)", "{", "    (void)m;",
           f"    pack_map(b, {count});"]
    for f in s.fields:
        key = f"pack_uint(b, {f.key});" if f.key is not None else \
            f'pack_str(b, span("{f.name}", {len(f.name)}));'
        if f.type.kind == "array":
            value = each(f, pack, [f"pack_array(b, m->{f.name}_n);"])
        else:
            value = [pack(f.type, f"m->{cname(f.name)}")]
        out += guarded(f, [key, *value])
    return out + ["}"]


def json_view(s):
    out = [f"void {s.c}_json(struct buf *b, const struct {s.c} *m)", "{", "    (void)m;",
           "    size_t start = b->n;"]
    for f in s.fields:
        # The comma, or the opening brace for the first that is there.
        lines = [f'buf_printf(b, "%c\\"{f.name}\\":", b->n == start ? \'{{\' : \',\');']
        if f.type.kind == "array":
            lines += ['buf_printf(b, "[");']
            lines += each(f, json_statement, between=["if (i)", '    buf_printf(b, ",");'])
            lines += ['buf_printf(b, "]");']
        else:
            lines.append(json_statement(f.type, f"m->{cname(f.name)}"))
        out += guarded(f, lines)
    return out + ['    buf_printf(b, b->n == start ? "{}" : "}");', "}"]


def enum_code(e):
    tag = enum_tag(e)
    names = ", ".join(n for _, n, _ in e.values)
    rows = f"{tag}_rows, sizeof {tag}_rows / sizeof *{tag}_rows"
    return [f"static const struct codec_enum {tag}_rows[] = {{",
            *[f'    {{{v}, "{n}"}},' for v, n, _ in e.values], "};", "",
            f"const char *{tag}_name(enum {tag} value)", "{",
            f"    return codec_enum_name({rows}, (uint32_t)value);", "}", "",
            f"int {tag}_by_name(struct span name)", "{", f"    return codec_enum_by_name({rows}, name);", "}", "",
            f"void {tag}_pack(struct buf *b, enum {tag} value)", "{",
            f"    codec_pack_enum(b, {rows}, (uint32_t)value);", "}", "",
            f"enum {tag} {tag}_read(struct cursor *c)", "{",
            f"    return (enum {tag})codec_enum_read(c, {rows}, {cstr(names)}, "
            f"{'true' if e.family.open else 'false'});", "}", ""]


def message_code(family):
    f, messages = family.name, family.messages()
    out = [f"const char *{f}_name(unsigned number)", "{", "    switch (number) {"]
    for m in messages:
        out += [f"    case {m.number}:", f'        return "{m.name}";']
    out += ["    default:", "        return NULL;", "    }", "}", "",
            f"int {f}_check(unsigned number, struct span in, struct arena *a, struct report *r)", "{",
            "    switch (number) {"]
    for m in messages:
        out += [f"    case {m.number}: {{", f"        struct {m.c} m;", f"        return {m.c}_decode(&m, in, a, r);",
                "    }"]
    out += ["    default:", f'        return report_set(r, SOUK_ENOT_FOUND, "{f} has no message %u", number);',
            "    }", "}", ""]
    return out


def described(s):
    """The table of a struct's fields, for api.describe."""
    if not s.fields:
        return []
    return [f"static const struct api_field {s.c}_described[] = {{"] + \
           [f"    {{{cstr(f.name)}, {cstr(f.type.text)}, {'true' if f.required else 'false'}, {cstr(f.doc)}}},"
            for f in s.fields] + ["};"]


def table_of(s):
    return f"{s.c}_described, {len(s.fields)}" if s.fields else "NULL, 0"


def method_code(family):
    f, out = family.name, []
    parts = {id(p) for m in family.methods for p in (m.params, m.result)}
    used = [s for u in family.uses for s in u.structs]
    types = [s for s in family.structs if id(s) not in parts] + used
    for s in family.structs + used:
        out += described(s)
    out.append(f"const struct api_method {f}_methods[] = {{")
    for m in family.methods:
        params = f"{m.params.c}_described" if m.params.fields else "NULL"
        result = f"{m.result.c}_described" if m.result.fields else "NULL"
        out.append(f"    {{{cstr(m.name)}, API_{m.class_.upper()}, {cstr(m.doc)}, {params}, {result}, "
                   f"{len(m.params.fields)}, {len(m.result.fields)}, {cstr(' '.join(m.errors))}}},")
    out += ["};", f"const size_t {f}_methods_n = {len(family.methods)};", "",
            f"int {f}_method_by_name(struct span name)", "{",
            f"    for (size_t i = 0; i < {f}_methods_n; i++)",
            f"        if (span_eq(name, span_str({f}_methods[i].name)))", "            return (int)i;",
            "    return SOUK_EMETHOD;", "}", "", f"const struct api_type {f}_types[] = {{"]
    for s in types:
        out.append(f"    {{{cstr(s.name)}, {cstr(s.doc)}, {table_of(s)}, NULL}},")
    enums = family.enums + [e for u in family.uses for e in u.enums]
    for e in enums:
        values = ", ".join(n for _, n, _ in e.values)
        out.append(f"    {{{cstr(e.name)}, {cstr(e.doc)}, NULL, 0, {cstr(values)}}},")
    n = len(types) + len(enums)
    if n == 0:
        out.append('    {"", "", NULL, 0, NULL},')
    return out + ["};", f"const size_t {f}_types_n = {n};", ""]


def source(family):
    out = [f"/* {family.name}.gen.c: written by crypto/wire/gen.py from {family.name}.schema. */",
           f'#include "{family.name}.gen.h"', "#include <inttypes.h>", ""]
    for e in family.enums:
        out += enum_code(e)
    for s in family.structs:
        read = read_int_keys if family.keys == "int" else read_str_keys
        for part in (read, decode, encode, json_view):
            out += part(s) + [""]
    if family.messages():
        out += message_code(family)
    if family.methods:
        out += method_code(family)
    return "\n".join(out)
