#!/usr/bin/env python3
"""Compares `fix_text` with the real ftfy on fuzz texts, and counts those left out (lone surrogates, which Rust has not).

  python tests/golden/ftfy/compare.py --fuzz ../shared/oracle/encoder_fuzz.py --seed 11 --count 100000 [--jobs 2]
  python tests/golden/ftfy/compare.py --own --seed 11 --count 100000

Texts of encoder_fuzz.py (a fifth of each kind) or, with --own, of texts.py here. ftfy runs in --jobs processes; the comparing
is done by `cargo test -p gpt1-tokenize --test ftfy texts_of_a_file`.
Needs: pip install ftfy==6.3.1 spacy (for encoder_fuzz.py) and Python 3.11 (Unicode 14.0).
"""
import argparse
import importlib.util
import json
import multiprocessing
import os
import subprocess
import tempfile
from pathlib import Path

import ftfy
import texts

KINDS = ["words", "dense", "unicode", "mojibake", "markup"]


def fuzz_texts(script, seed, count):
    spec = importlib.util.spec_from_file_location("encoder_fuzz", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fuzz = module.Fuzz(seed)
    return [getattr(fuzz, KINDS[i % len(KINDS)])() for i in range(count)]


def is_valid(text):
    return not any(0xD800 <= ord(c) < 0xE000 for c in text)


def case(text):
    fixed = ftfy.fix_text(text)
    again = ftfy.fix_text(fixed)
    return json.dumps([text, fixed] + [again] * (again != fixed))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--fuzz", type=Path)
    ap.add_argument("--own", action="store_true")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--count", type=int, default=100_000)
    ap.add_argument("--jobs", type=int, default=1)
    a = ap.parse_args()
    if not a.own and not a.fuzz:
        ap.error("--fuzz FILE or --own is needed")
    found = texts.random_texts(a.seed, a.count) if a.own else fuzz_texts(a.fuzz, a.seed, a.count)
    valid = [text for text in found if is_valid(text)]
    with multiprocessing.Pool(a.jobs) as pool:
        lines = pool.map(case, valid, chunksize=500)
    n_changed = sum(ftfy.fix_text(text) != text for text in valid[::50])
    print(f"seed {a.seed}: {len(found)} texts, {len(found) - len(valid)} left out (lone surrogates); "
          f"ftfy changes {n_changed} of every 50th, {len(valid[::50])}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.jsonl"
        path.write_text("\n".join(lines) + "\n")
        command = "cargo test --release -q -p gpt1-tokenize --test ftfy texts_of_a_file -- --nocapture".split()
        raise SystemExit(subprocess.run(command, env={**os.environ, "GPT1_FTFY_CASES": str(path)}).returncode)


if __name__ == "__main__":
    main()
