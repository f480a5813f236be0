#!/usr/bin/env python3
"""Writes the tables of gpt1-tokenize's word tokenizer: crates/tokenize/src/spacy/{exceptions.txt,class_table.rs,lower_table.rs}.

  make_tables.py SHARED        SHARED holds oracle/word_rules_2.0.11.json; run it with Python 3.11 (Unicode 14.0)

exceptions.txt    spaCy 2.0.11's exceptions, one a line, its words with a space between them; without the four that are
                  white space (tab, line break, space, no-break space), which no chunk is
class_table.rs    the character classes of its patterns, as a step function of the code point
lower_table.rs    what Python's str.lower does to a character, and which characters decide about a final sigma
"""
import json
import os
import sys
import unicodedata

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../crates/tokenize/src/spacy")
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CLASSES = [("alpha_lower", 1), ("alpha_upper", 2), ("icons", 4), (r"\w", 8), (r"\d", 16)]
WIDTH = 120


def steps(bits):
    """(code point, bits) wherever the bits change; `bits` is a dict of those that are not 0."""
    out, last = [], 0
    for c in CODES:
        now = bits.get(c, 0)
        if now != last:
            out.append((c, now))
            last = now
    return out


def packed(name, doc, rows):
    lines, line = [], "   "
    for item in ("0x%x," % (c << 8 | bits) for c, bits in rows):
        if len(line) + 1 + len(item) > WIDTH:
            lines.append(line)
            line = "   "
        line += " " + item
    return "".join(f"/// {d}\n" for d in doc) + f"#[rustfmt::skip]\npub const {name}: [u32; {len(rows)}] = [\n" + "\n".join(lines + [line]) + "\n];\n"


def write(name, text):
    with open(os.path.join(OUT, name), "w", encoding="utf-8", newline="\n") as f:
        f.write(text)


def exceptions(rules):
    known = {k: v for k, v in rules["exceptions"].items() if not k.isspace()}
    for k, v in known.items():
        assert "".join(v) == k and not any(c.isspace() for c in k), k
    assert len(rules["exceptions"]) == 1244 and len(known) == 1240
    write("exceptions.txt", "".join(" ".join(known[k]) + "\n" for k in sorted(known)))


def class_table(rules):
    bits = {}
    for name, bit in CLASSES:
        for first, last in rules["classes"][name]:
            for c in range(first, last + 1):
                bits[c] = bits.get(c, 0) | bit
    rows = steps(bits)
    write("class_table.rs", "//! Made by tests/golden/spacy/make_tables.py from the classes in spaCy 2.0.11's patterns.\n\n" + packed(
        "CLASSES", ["(First code point << 8) | bits of it and of all up to the next row; below the first row there are none. Bits: 1",
                    "lower-case letter, 2 upper-case letter (both: letter without case), 4 symbol (So), 8 `\\w`, 16 `\\d`."], rows))


def lower_table():
    assert unicodedata.unidata_version == "14.0.0", "run this with Python 3.11"
    changed = {c: chr(c).lower() for c in CODES if chr(c).lower() != chr(c)}
    assert [c for c in changed if len(changed[c]) > 1] == [0x130]
    rows = []
    for c, low in sorted(changed.items()):
        if c < 128 or len(low) > 1:
            continue
        to = ord(low) - c
        if rows and rows[-1][3] == to and c - rows[-1][1] in (1, 2) and rows[-1][2] in (0, c - rows[-1][1]):
            rows[-1][2] = c - rows[-1][1]
            rows[-1][1] = c
        else:
            rows.append([c, c, 0, to])
    body = "".join(f"    (0x{a:x}, 0x{b:x}, {max(step, 1)}, {to}),\n" for a, b, step, to in rows)
    # The rule for a final sigma reads: a cased character before it, past those that it ignores, and none behind it.
    final = lambda text: text.lower()[-1] == "ς"
    casing = {c: 1 if final(chr(c) + "Σ") else 2 for c in CODES if final("A" + chr(c) + "Σ")}
    write("lower_table.rs", (
        "//! Made by tests/golden/spacy/make_tables.py from Python 3.11's `str.lower` (Unicode 14.0).\n\n"
        "/// (first, last, step, difference): every `step`-th character from first to last becomes the one that far away. ASCII\n"
        "/// and U+0130, which becomes two characters, are not here.\n#[rustfmt::skip]\n"
        f"pub const LOWER: [(u32, u32, u32, i32); {len(rows)}] = [\n{body}];\n\n") + packed(
        "CASING", ["(First code point << 8) | what it and all up to the next row are to a final sigma: 0 other, 1 cased, 2 ignored."],
        steps(casing)))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(os.path.join(sys.argv[1], "oracle/word_rules_2.0.11.json"), encoding="utf-8") as f:
        rules = json.load(f)
    exceptions(rules)
    class_table(rules)
    lower_table()


if __name__ == "__main__":
    main()
