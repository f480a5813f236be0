#!/usr/bin/env python3
"""Writes cases.jsonl: hard texts, what ftfy 6.3.1 makes of them, and what of that if it is another.

  python tests/golden/ftfy/make_golden.py --fuzz ../shared/oracle/encoder_fuzz.py      (needs what compare.py needs)
"""
import argparse
from pathlib import Path

import compare
import texts


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--fuzz", type=Path, required=True)
    a = ap.parse_args()
    # Those of a million characters would make the file large; what they show is in the unit tests.
    known = [text for text in texts.KNOWN if len(text) < 10_000]
    cases = [compare.case(text) for text in known + texts.random_texts(1, 2000)]
    wanted = {"words": 100, "dense": 100, "unicode": 500, "mojibake": 500, "markup": 500}
    for i, text in enumerate(compare.fuzz_texts(a.fuzz, 1, 5000)):
        kind = compare.KINDS[i % len(compare.KINDS)]
        line = compare.case(text) if compare.is_valid(text) else None
        if line and wanted[kind] and compare.ftfy.fix_text(text) != text:
            wanted[kind] -= 1
            cases.append(line)
    (Path(__file__).parent / "cases.jsonl").write_text("\n".join(cases) + "\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
