#!/usr/bin/env python3
"""Writes the tables of crates/tokenize/src/ftfy from ftfy 6.3.1, html.entities and Python 3.11 (Unicode 14.0).

  python make_tables.py        (needs: pip install ftfy==6.3.1)
"""
import re
import unicodedata
from pathlib import Path

from ftfy import badness, chardata

OUT = Path(__file__).parents[3] / "crates/tokenize/src/ftfy"
ALL = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(characters):
    """Runs of code points, first and last."""
    runs = []
    for code in map(ord, characters):
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return runs


def rows(items):
    """Rust items, comma-separated, in lines of at most 120 characters."""
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > 120:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return "\n".join([*lines, line])


def tuples(values):
    return rows("(" + ", ".join(f"0x{v:X}" for v in value) + ")" for value in values)


def table(doc, name, kind, content):
    return f"\n/// {doc}\n#[rustfmt::skip]\npub(super) const {name}: {kind} = &[\n{content}\n];\n"


def members(pattern):
    one = re.compile(pattern)
    return [c for c in ALL if one.match(c)]


def write_classes():
    text = "//! The characters of ftfy 6.3.1's classes, as ranges of code points. Written by tests/golden/ftfy/make_tables.py.\n"
    clues = {k: v for k, v in chardata.UTF8_CLUES.items() if v}
    for source, classes in [("badness.py", badness.MOJIBAKE_CATEGORIES), ("chardata.py", clues)]:
        for name, pattern in classes.items():
            content = tuples(ranges(members(f"[{pattern}]")))
            text += table(f"`{name}` of ftfy's {source}.", name.upper(), "&[(u32, u32)]", content)
    (OUT / "class_tables.rs").write_text(text)


def write_unicode():
    text = "//! Properties of characters in Unicode 14.0, the version of Python 3.11. Written by tests/golden/ftfy/make_tables.py.\n"
    text += table("What Python's `\\w` matches outside ASCII, as ranges.", "WORD", "&[(u32, u32)]",
                  tuples(ranges(c for c in members(r"\w") if c > "\x7f")))
    text += table("What Python's `\\d` matches, as ranges.", "DECIMAL", "&[(u32, u32)]", tuples(ranges(members(r"\d"))))
    classes = sorted({unicodedata.combining(c) for c in ALL} - {0})
    runs = sorted((a, b, k) for k in classes for a, b in ranges(c for c in ALL if unicodedata.combining(c) == k))
    text += table("Canonical combining classes other than 0: first and last code point, class.", "COMBINING_CLASS",
                  "&[(u32, u32, u8)]", rows(f"(0x{a:X}, 0x{b:X}, {k})" for a, b, k in runs))
    pairs, others = [], []
    for c in ALL:
        parts = unicodedata.decomposition(c).split()
        if parts and not parts[0].startswith("<"):
            value = [ord(c), *(int(p, 16) for p in parts)]
            (pairs if unicodedata.normalize("NFC", c) == c else others).append((value + [0])[:3])
    text += table("Canonical decompositions that are composed again: whole, first, second.", "COMPOSED",
                  "&[(u32, u32, u32)]", tuples(pairs))
    text += table("Canonical decompositions that are not composed again: whole, first, second (0 if there is none).",
                  "DECOMPOSED", "&[(u32, u32, u32)]", tuples(others))
    (OUT / "unicode_tables.rs").write_text(text)


def write_codecs():
    text = "//! What the bytes 0x80 to 0xFF are in single-byte encodings. Written by tests/golden/ftfy/make_tables.py.\n"
    for encoding in chardata.CHARMAP_ENCODINGS[1:]:
        name = encoding.upper().replace("-", "_").replace("SLOPPY_WINDOWS_", "WINDOWS_")
        content = rows(f"0x{ord(c):X}" for c in bytes(range(0x80, 0x100)).decode(encoding))
        text += table(f"`{encoding}`.", name, "&[u16; 128]", content)
    (OUT / "codec_tables.rs").write_text(text)


def write_entities():
    lines = sorted(f"{name[1:-1]} {' '.join(f'{ord(c):X}' for c in value)}\n" for name, value in chardata.HTML_ENTITIES.items())
    (OUT / "entities.txt").write_text("".join(lines))


write_classes()
write_unicode()
write_codecs()
write_entities()
