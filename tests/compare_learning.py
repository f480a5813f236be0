#!/usr/bin/env python3
"""Compares `gpt1-tokenize train` with subword-nmt (which merges, in which order) and with Hugging Face's trainer (time, memory).

  python tests/compare_learning.py SHARED TEXT... [--merges 40000] [--repeats 3] [--large GB]

SHARED holds the reference encoder (oracle/). Each line of the TEXTs is a document. The reference splits them into words; ours
learns from the lines as they are and from those words (`--words`), on one, two and three threads, and has to write the same
merges every time; subword-nmt learns from the words, and its merges have to be ours. Times: ours is the whole process, start,
reading and writing included; the peers' the training alone. Memory: the largest resident set.

--large: counts and learns from a text of that many gigabytes, made of the TEXTs again and again with every 50th word
changed in each round, and prints the largest resident set.

Exit code 1 if any merge differs. Needs Python 3.11 and pip install spacy==3.8.* ftfy==6.3.1 regex tokenizers subword-nmt
"""
import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def words(text):
    return " ".join(w for w in oracle.words(text) if w != "\n ")


def ours(a, corpus, *more):
    """Merges, seconds and MiB of `gpt1-tokenize train`."""
    with tempfile.TemporaryDirectory(dir=a.folder) as folder:
        out = Path(folder) / "vocabulary"
        command = [a.bin, "train", "--config", "gpt1", "--set", f"tokenizer.n_merges={a.merges}", "--corpus", corpus,
                   "--out", out, *more]
        start = time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        manifest = json.loads((out / "manifest.json").read_text())
        return (out / "merges.txt").read_text().split("\n")[1:-1], seconds, manifest["peak_memory_bytes"] / 2**20, manifest


def subword_nmt(lines, n_merges):
    os.environ["TQDM_DISABLE"] = "1"
    import io
    from subword_nmt.learn_bpe import learn_bpe
    out = io.StringIO()
    start = time.perf_counter()
    learn_bpe(lines, out, n_merges, min_frequency=2)
    return out.getvalue().split("\n")[1:-1], time.perf_counter() - start


def hf_tokenizers(lines, n_merges):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    characters = {c for line in lines for c in line if c != " "}
    ends = {word[-1] for line in lines for word in line.split()}
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=1 + len(characters) + len(ends) + n_merges, min_frequency=2,
                                  special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False)
    start = time.perf_counter()
    tokenizer.train_from_iterator(lines, trainer)
    seconds = time.perf_counter() - start
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [m if isinstance(m, str) else " ".join(m) for m in merges], seconds


def child(learn, path, n_merges, pipe):
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = file.read().split("\n")[:-1]
    merges, seconds = learn(lines, n_merges)
    status = Path("/proc/self/status").read_text()  # ru_maxrss would begin with what the parent held
    pipe.send((merges, seconds, int(status.split("VmHWM:")[1].split()[0]) / 1024))


def peer(learn, path, n_merges):
    """A peer in a fresh process, so that its memory is its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=child, args=(learn, path, n_merges, there))
    process.start()
    result = here.recv()
    process.join()
    return result


def large_text(texts, n_bytes, path):
    """The texts again and again; in round r every 50th word is changed in a way that depends on r."""
    lines = [text.split(" ") for text in texts]
    written = n_round = 0
    with open(path, "w", encoding="utf-8") as file:
        while written < n_bytes:
            n = 0
            for line in lines:
                if written >= n_bytes:
                    break
                line = list(line)
                for i in range(len(line)):
                    n += 1
                    if n % 50 == n_round % 50 and line[i].isalpha():
                        k = n_round % len(line[i])
                        line[i] = line[i][k:] + line[i][:k]
                written += file.write(" ".join(line) + "\n")
            n_round += 1


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("shared", type=Path)
    ap.add_argument("texts", type=Path, nargs="+", metavar="TEXT")
    ap.add_argument("--merges", type=int, default=40_000)
    ap.add_argument("--repeats", type=int, default=3)
    ap.add_argument("--large", type=float, metavar="GB")
    ap.add_argument("--bin", default="target/release/gpt1-tokenize")
    a = ap.parse_args()
    texts = [line for path in a.texts for line in path.read_bytes().decode("utf-8").split("\n")]
    with tempfile.TemporaryDirectory() as a.folder:
        if a.large:
            path = Path(a.folder) / "large.txt"
            large_text(texts, int(a.large * 1e9), path)
            merges, seconds, mib, manifest = ours(a, path)
            print(f"{path.stat().st_size / 1e9:.2f} GB, {manifest['extra']['n_words']} words, "
                  f"{manifest['extra']['n_distinct_words']} distinct, {len(merges)} merges: {seconds:.1f} s, "
                  f"{path.stat().st_size / 1e6 / seconds:.1f} MB/s, peak {mib:.0f} MiB")
            return
        sys.path.insert(0, str(a.shared / "oracle"))
        global oracle
        import gpt1_encoder_oracle
        vocabulary = a.shared / "gpt1_vocab"
        vocab, merges = vocabulary / "encoder_bpe_40000.json", vocabulary / "vocab_40000.bpe"
        oracle = gpt1_encoder_oracle.Oracle(str(vocab), str(merges), "2.0")
        lines_path, words_path = Path(a.folder) / "lines.jsonl", Path(a.folder) / "words.txt"
        lines_path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        with multiprocessing.get_context("fork").Pool() as pool:  # fork: the workers share `oracle`
            words_path.write_text("".join(line + "\n" for line in pool.map(words, texts, chunksize=256) if line))
        print(f"{len(texts)} lines, {words_path.stat().st_size / 1e6:.1f} MB of words; {os.cpu_count()} cores")

        found = {}
        rows = [("ours, from the text", lambda: ours(a, lines_path)[:3])]
        for n in (1, 2, 3):
            rows.append((f"ours, from words, {n} threads", lambda n=n: ours(a, words_path, "--words", "--threads", str(n))[:3]))
        for n in (1, 2):
            def hf(n=n):
                os.environ["RAYON_NUM_THREADS"] = str(n)
                return peer(hf_tokenizers, words_path, a.merges)
            rows.append((f"HF tokenizers, from words, {n} threads", hf))
        times = {name: [] for name, _ in rows}
        for _ in range(a.repeats):
            for name, run in rows:
                found[name], seconds, mib = run()
                times[name].append((seconds, mib))
        found["subword-nmt, from words"], seconds, mib = peer(subword_nmt, words_path, a.merges)
        times["subword-nmt, from words"] = [(seconds, mib)]
        expected = found["subword-nmt, from words"]
        n_wrong = 0
        for name, measured in times.items():
            seconds, mib = sorted(measured)[len(measured) // 2]
            same = sum(x == y for x, y in zip(found[name], expected))
            if name.startswith("ours") and found[name] != expected:
                n_wrong += 1
            print(f"{name:36} {seconds:7.2f} s  peak {mib:4.0f} MiB  {len(found[name])} merges, "
                  f"{same} in the places of subword-nmt's {len(expected)}")
        sys.exit(n_wrong > 0)


if __name__ == "__main__":
    main()
