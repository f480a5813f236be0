#!/usr/bin/env python3
"""Compares the ids of `gpt1-tokenize encode` with those of the reference encoder, text by text.

  python tests/compare_encoder.py SHARED [--only books|tasks|fuzz] [--seeds 101 102 ...] [--count N] [--kind KIND] [--jobs 2]
  python tests/compare_encoder.py SHARED --files TEXT...

SHARED holds the reference (oracle/), OpenAI's vocabulary (gpt1_vocab/) and data/. Without --only and --files all of:
- books: each .txt of data/corpus, line by line and as one text;
- tasks: each field of each task file (TSV cells, all strings of JSON lines, lines of other text), the distinct ones;
- fuzz: --count texts of oracle/encoder_fuzz.py, shared out over the seeds, of all five kinds unless --kind names one.
Lone surrogates, which no UTF-8 text holds, are left out and counted.

Prints a line for each source and the first differences; exit code 1 if there is any. Needs Python 3.11 (Unicode 14.0) and
pip install spacy==3.8.* ftfy==6.3.1 regex
"""
import argparse
import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

BATCH = 20_000
KINDS = ["words", "dense", "unicode", "mojibake", "markup"]
SHOWN = 5


def has_surrogates(text):
    return any("\ud800" <= c <= "\udfff" for c in text)


def strings(value):
    """All strings in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def fields(path):
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:  # one official file is Latin-1
        text = data.decode("latin-1")
    for line in text.split("\n"):
        if path.suffix in (".jsonl", ".json"):
            yield from strings(json.loads(line)) if line.strip() else ()
        elif path.suffix == ".tsv":
            yield from line.removesuffix("\r").split("\t")
        else:
            yield line


def sources(shared, a):
    """(name, texts) of all that is to be compared."""
    if a.files:
        for path in map(Path, a.files):
            text = path.read_bytes().decode("utf-8")
            yield path.name, text.split("\n") + [text]
        return
    if a.only in (None, "books"):
        for path in sorted((shared / "data" / "corpus").rglob("*.txt")):
            text = path.read_bytes().decode("utf-8")
            yield path.name, text.split("\n") + [text]
    if a.only in (None, "tasks"):
        folders = [d for d in sorted((shared / "data").iterdir()) if d.is_dir() and d.name != "corpus"]
        for path in sorted(p for d in folders for p in d.rglob("*") if p.is_file()):
            yield str(path.relative_to(shared / "data")), list(dict.fromkeys(fields(path)))
    if a.only in (None, "fuzz"):
        import encoder_fuzz
        for seed in a.seeds:
            fuzz = encoder_fuzz.Fuzz(seed)
            count = a.count // len(a.seeds)
            for first in range(0, count, BATCH):
                n = min(BATCH, count - first)
                yield f"fuzz, seed {seed}, from {first}", [getattr(fuzz, a.kind or KINDS[i % 5])() for i in range(n)]


def ours(binary, vocabulary, texts):
    """The lines that the program prints for texts."""
    lines = "".join(json.dumps(text) + "\n" for text in texts).encode()
    command = [binary, "encode", "--json", "--tokenizer", vocabulary]
    return subprocess.run(command, input=lines, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")[:-1]


def expected(text):
    return " ".join(map(str, oracle.encode(text)))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("shared", type=Path)
    ap.add_argument("--only", choices=["books", "tasks", "fuzz"])
    ap.add_argument("--files", nargs="+")
    ap.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105])
    ap.add_argument("--count", type=int, default=1_000_000)
    ap.add_argument("--kind", choices=KINDS)
    ap.add_argument("--jobs", type=int, default=2)
    ap.add_argument("--bin", default="target/release/gpt1-tokenize")
    a = ap.parse_args()
    sys.path.insert(0, str(a.shared / "oracle"))
    global oracle
    import gpt1_encoder_oracle
    vocabulary = a.shared / "gpt1_vocab"
    vocab, merges = vocabulary / "encoder_bpe_40000.json", vocabulary / "vocab_40000.bpe"
    oracle = gpt1_encoder_oracle.Oracle(str(vocab), str(merges), "2.0")

    n_texts = n_ids = n_surrogates = n_wrong = 0
    with multiprocessing.get_context("fork").Pool(a.jobs) as pool:  # fork: the workers share `oracle`
        for name, texts in sources(a.shared, a):
            valid = [text for text in texts if not has_surrogates(text)]
            left_out = len(texts) - len(valid)
            found = ours(a.bin, vocabulary, valid)
            wanted = pool.map(expected, valid, chunksize=64)
            if len(found) != len(wanted):
                sys.exit(f"{name}: {len(found)} lines for {len(wanted)} texts")
            wrong = [i for i in range(len(valid)) if found[i] != wanted[i]]
            for i in wrong[:SHOWN]:
                print(f"  text     {valid[i][:300]!r}\n  expected {wanted[i][:300]}\n  found    {found[i][:300]}")
            ids = sum(line.count(" ") + 1 for line in wanted if line)
            note = f", {left_out} left out (lone surrogates)" if left_out else ""
            print(f"{name}: {len(valid)} texts, {ids} ids{note}, {len(wrong)} texts differ", flush=True)
            n_texts, n_ids = n_texts + len(valid), n_ids + ids
            n_surrogates, n_wrong = n_surrogates + left_out, n_wrong + len(wrong)
    print(f"all: {n_texts} texts, {n_ids} ids, {n_surrogates} left out (lone surrogates), {n_wrong} texts differ")
    sys.exit(n_wrong > 0)


if __name__ == "__main__":
    main()
