#!/usr/bin/env python3
"""gen.py SCHEMA OUTDIR: writes the codecs, tests, fuzz target, vectors and page of one schema family.

schema.py reads the language; gen_code.py writes C; gen_examples.py encodes values in Python, as a second
opinion on the C, and writes tests, fuzz target and vectors; gen_page.py writes Markdown.
"""
import os
import sys

sys.dont_write_bytecode = True
import gen_code
import gen_examples
import gen_page
import schema


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: gen.py SCHEMA OUTDIR")
    try:
        family = schema.Parser(sys.argv[1]).parse()
    except (schema.Mistake, OSError, UnicodeDecodeError) as e:
        sys.exit(str(e))
    os.makedirs(sys.argv[2], exist_ok=True)
    stem = os.path.join(sys.argv[2], family.name)
    write(stem + ".gen.h", gen_code.header(family))
    write(stem + ".gen.c", gen_code.source(family))
    write(stem + ".gen.test.c", gen_examples.test(family))
    write(stem + ".gen.fuzz.c", gen_examples.fuzz(family))
    write(stem + ".vectors.json", gen_examples.vectors(family))
    write(stem + ".gen.md", gen_page.page(family))


main()
