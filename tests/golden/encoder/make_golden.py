#!/usr/bin/env python3
"""Writes what the whole encoder is checked against in `make test`, by the reference encoder with spaCy 2.0's rules:

- vocab.json, merges.txt: a small vocabulary that subword-nmt learns from the reference's words of other such texts;
- texts.jsonl: hard texts, a JSON string on each line;
- ids.txt: the ids of each, as the reference prints them;
- stages.jsonl: every step for the first ones, as the reference prints it.

  python tests/golden/encoder/make_golden.py ../shared/oracle

Needs Python 3.11 (Unicode 14.0) and pip install spacy==3.8.* ftfy==6.3.1 regex subword-nmt
"""
import io
import json
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [sys.argv[1], str(HERE.parent.parent)]

import encoder_fuzz
import gpt1_encoder_oracle
from compare_encoder import KINDS, has_surrogates
from subword_nmt.learn_bpe import learn_bpe

N_TEXTS = 4000
N_STAGES = 160
N_CHARACTERS = 320
N_MERGES = 1500

KNOWN = [
    "", " ", "\n", "a\nb", " a \n\n\t b \n", "It's 5 o'clock -- Mr. O'Neil can't come…", "''Tis Mr.Jones! c'mon, this'll do.",
    "I said: \"No—never!\" (twice)", "fiancÃ©e\u2019s &amp; &lt;b&gt; na\u00efve", "<b>&amp;</b>", "ΟΔΟΣ ΣΑΣ. İstanbul",
    "www.example.com/a?b=c foo@bar.com 192.168.1.1", "\ufb01nally \uff21\uff22 \u00b4tis\u2028x\u0085y\x1b[31mred\x1b[0m",
    "a\\b c_d {e} [f] |g| *h* ~i~ +j+ <k> ^l^", "日本語のテキスト 한국어 中文", "e\u0301 \u0301 \u1ec7 \U0001f44d\U0001f3fd",
    "The old keeper of the lighthouse counted the ships.", "x" * 3000, "ab" * 2000, "." * 500, "'s" * 300, "\u0301" * 400,
    "<unk> </w> a</w> \\n</w> the</w>",
]


def fuzz_texts(seed, count):
    fuzz = encoder_fuzz.Fuzz(seed)
    texts = (getattr(fuzz, KINDS[i % len(KINDS)])() for i in range(count))
    return [text for text in texts if not has_surrogates(text)]


def learn_vocabulary(words):
    """vocab.json and merges.txt as the released ones are laid out."""
    counts = Counter(c for word in words for c in word)
    basic = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    characters = basic + [c for c, _ in counts.most_common() if c not in basic][:N_CHARACTERS - len(basic)]
    kept = [word for word in words if all(c in characters for c in word)]
    out = io.StringIO()
    learn_bpe(io.StringIO("\n".join(kept) + "\n"), out, N_MERGES, min_frequency=2)
    merges = out.getvalue().split("\n")[1:-1]
    entries = ["<unk>", *characters, *(c + "</w>" for c in characters), *(m.replace(" ", "") for m in merges), "\n</w>"]
    assert len(set(entries)) == len(entries)
    (HERE / "vocab.json").write_text(json.dumps({entry: i for i, entry in enumerate(entries)}))
    (HERE / "merges.txt").write_text(out.getvalue(), encoding="utf-8")


def main():
    (HERE / "vocab.json").write_text('{"<unk>": 0}')
    (HERE / "merges.txt").write_text("#version: 0.2\n")
    paths = [str(HERE / "vocab.json"), str(HERE / "merges.txt")]
    oracle = gpt1_encoder_oracle.Oracle(*paths, "2.0")
    corpus = (HERE.parent / "tokenize" / "corpus.txt").read_text()
    words = [word for text in fuzz_texts(8, 6000) + [corpus] * 20 for word in oracle.words(text) if word != "\n "]
    learn_vocabulary(words)

    oracle = gpt1_encoder_oracle.Oracle(*paths, "2.0")
    texts = KNOWN + fuzz_texts(7, N_TEXTS)
    (HERE / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    (HERE / "ids.txt").write_text("".join(" ".join(map(str, oracle.encode(text))) + "\n" for text in texts))
    (HERE / "stages.jsonl").write_text("".join(json.dumps(oracle.stages(text)) + "\n" for text in texts[:N_STAGES]))
    print(len(texts), "texts")


if __name__ == "__main__":
    main()
