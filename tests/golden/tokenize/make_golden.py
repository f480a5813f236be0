#!/usr/bin/env python3
"""Makes the golden values of gpt1-tokenize, from subword-nmt and from GPT-1's own encoder.

  make_golden.py golden SHARED        writes the files beside this script
  make_golden.py novels SHARED BIN    compares merges learned from three novels with those of subword-nmt

SHARED holds oracle/, gpt1_vocab/ and data/; BIN is the gpt1-tokenize program.  Needs subword-nmt (0.3.8).

corpus.txt                 written for this purpose; words stand between spaces
merges_subword_nmt.txt     what subword-nmt learns from it, with every pair that occurs twice
standardize.json           [text, cleaned text] ...: the encoder's own cleaning of hard texts
openai_words.json          [word, ids] ...: the encoder's own byte-pair encoding of lower-cased words
"""
import argparse
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NOVELS = ["Doyle_Hound_1902.txt", "Cbronte_Jane_1847.txt", "Woolf_Night_1919.txt"]


def subword_nmt(lines, n_merges):
    from subword_nmt.learn_bpe import learn_bpe
    out = io.StringIO()
    learn_bpe(lines, out, n_merges, min_frequency=2)
    return out.getvalue()


def oracle(shared):
    sys.path.insert(0, os.path.join(shared, "oracle"))
    import gpt1_encoder_oracle
    vocab = os.path.join(shared, "gpt1_vocab")
    return gpt1_encoder_oracle, gpt1_encoder_oracle.Bpe(
        os.path.join(vocab, "encoder_bpe_40000.json"), os.path.join(vocab, "vocab_40000.bpe"))


def hard_texts(r):
    """Texts of what cleaning treats specially, and of other characters, in random order."""
    pieces = list("-~!\"#$%&'()*+,./:;<=>?@[\\]^_`{|}—–―…´\n\n\n \t\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0") + [
        "\u1680", "\u2000", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff", "\u180e", "a", "Bc",
        "é", "ω", "😀", "12", "--", "??", "  ", " \n ", "\r\n"]
    return ["".join(r.choices(pieces, k=r.randint(0, 24))) for _ in range(600)]


def hard_words(r, bpe):
    """Words of the vocabulary, words made of pieces of it, and of characters in it and not."""
    entries = sorted(bpe.ids)
    whole = [e[:-4] for e in entries if e.endswith("</w>") and e != "\n</w>"]
    words = r.sample(whole, 400)
    for _ in range(800):
        words.append("".join(e.removesuffix("</w>") for e in r.choices(entries, k=r.randint(2, 4)) if e not in ("<unk>", "\n</w>")))
    characters = "abcdefghijklmnopqrstuvwxyz'.:-éñ♥日😀\u0301" + "etaoinshr" * 3
    for _ in range(800):
        words.append("".join(r.choices(characters, k=r.randint(1, 14))))
    words += ["a" * n for n in range(1, 20)] + ["ha" * n for n in range(1, 10)] + ["antidisestablishmentarianism" * 3, "日本語"]
    return sorted({w for w in words if w})


def golden(shared):
    with open(os.path.join(HERE, "corpus.txt"), encoding="utf-8", newline="\n") as f:
        merges = subword_nmt(list(f), 10**6)
    with open(os.path.join(HERE, "merges_subword_nmt.txt"), "w", encoding="utf-8", newline="\n") as f:
        f.write(merges)
    module, bpe = oracle(shared)
    r = random.Random(1)
    write_pairs("standardize.json", [[t, module.standardize(t)] for t in hard_texts(r)])
    write_pairs("openai_words.json", [[w, bpe.encode(w)] for w in hard_words(r, bpe)])


def write_pairs(name, pairs):
    with open(os.path.join(HERE, name), "w", encoding="utf-8", newline="\n") as f:
        f.write("[\n" + ",\n".join(json.dumps(p) for p in pairs) + "\n]\n")


def novels(shared, program, n_merges):
    words = []
    for name in NOVELS:
        with open(os.path.join(shared, "data/corpus/english_novels", name), encoding="utf-8") as f:
            words += re.findall("[a-z]+", f.read().lower())
    words = ["can" if w == "cannot" else w for w in words]  # the one word of letters that our rule takes apart
    lines = [" ".join(words[i:i + 20]) + "\n" for i in range(0, len(words), 20)]
    expected = subword_nmt(lines, n_merges)
    with tempfile.TemporaryDirectory() as folder:
        corpus, out = os.path.join(folder, "corpus.txt"), os.path.join(folder, "out")
        with open(corpus, "w", encoding="utf-8") as f:
            f.writelines(lines)
        subprocess.run([program, "train", "--config", "gpt1", "--set", f"tokenizer.n_merges={n_merges}",
                        "--corpus", corpus, "--out", out], check=True)
        with open(os.path.join(out, "merges.txt"), encoding="utf-8", newline="\n") as f:
            found = f.read()
    e, g = expected.splitlines()[1:], found.splitlines()[1:]
    same = next((i for i, (a, b) in enumerate(zip(e, g)) if a != b), min(len(e), len(g)))
    print(f"{len(words)} words of {len(NOVELS)} novels: subword-nmt {len(e)} merges, ours {len(g)}, the first {same} the same")
    return expected == found


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["golden", "novels"])
    ap.add_argument("shared")
    ap.add_argument("program", nargs="?")
    ap.add_argument("--merges", type=int, default=12000)
    a = ap.parse_args()
    if a.what == "golden":
        golden(a.shared)
    elif not novels(a.shared, a.program, a.merges):
        sys.exit("the merges differ")


if __name__ == "__main__":
    main()
