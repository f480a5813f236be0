#!/usr/bin/env python3
"""How the cost of training grows: with the model, the context, the batch, the vocabulary and the threads.

    pip install matplotlib
    python benches/growth.py [--bin target/release] [--steps 3] [--out PERFORMANCE.md]

Runs `gpt1-pretrain bench` again and again (about 10 minutes on two cores) and writes a page with tables, and beside it a picture
with the limits of the machine drawn in: the matrix ceiling (the speed of one large product) and the bandwidth of memory (an
update reads parameters, gradients and both moments, and writes all but the gradients: 28 bytes a parameter at least).
"""
import argparse
import json
import math
import os
import subprocess
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

UPDATE_BYTES = 28


def cpu():
    names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    flags = open("/proc/cpuinfo").read().split("flags", 1)[-1].split("\n", 1)[0].split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{names[0]} ({', '.join(known)}), {len(names)} cores"


class Bench:
    def __init__(self, a):
        self.a = a
        self.all = []

    def limits(self):
        """The best ceiling and bandwidth of all runs on all threads: other programs can only have made the others worse."""
        whole = [found for found in self.all if found["threads"] == os.cpu_count()]
        self.ceiling, self.bandwidth = (max(found[key] for found in whole) for key in ("ceiling_gflops", "read_gb_per_s"))
        for found in self.all:
            flops = 1e12 * found["tflops"] / found["tokens_per_s"] * found["tokens_per_step"]
            found["matrix_ms"] = 1e3 * flops / (1e9 * self.ceiling)
            found["memory_ms"] = 1e3 * UPDATE_BYTES * found["n_params"] / (1e9 * self.bandwidth)
            found["share_of_ceiling"] = 1e3 * found["tflops"] / self.ceiling

    def __call__(self, preset, batch, dropout=0.1, threads=None, vocab=None, **model):
        command = [self.a.bin / "gpt1-pretrain", "bench", "--json", "--preset", preset, "--batch", str(batch), "--dropout", str(dropout),
                   "--steps", str(self.a.steps * (3 if preset == "tiny" else 1)), "--threads", str(threads or os.cpu_count())]
        command += ["--vocab", str(vocab)] * bool(vocab)
        command += [x for key, value in model.items() for x in ("--set", f"model.{key}={value}")]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found["ms"] = 1e3 * found["tokens_per_step"] / found["tokens_per_s"]
        parts = found["profile"]["parts"]
        found["attention_ms"] = sum(part["ms"] for part in parts if part["part"].startswith("attention"))
        found["head_ms"] = sum(part["ms"] for part in parts if part["part"].startswith("head"))
        self.all.append(found)
        print(preset, batch, threads or "", vocab or "", model, f"{found['tokens_per_s']:.0f} tokens/s", flush=True)
        return found


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def power(xs, ys):
    """The exponent of growth over the last four points, by least squares of the logarithms: 1 is linear, 2 the square."""
    x, y = ([math.log(value) for value in values[-4:]] for values in (xs, ys))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def limits(ax, xs, found):
    ax.plot(xs, [f["matrix_ms"] for f in found], "--", color="0.4", label="limit: matrix ceiling")
    ax.plot(xs, [f["memory_ms"] for f in found], ":", color="0.4", label="limit: memory")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bin", type=Path, default=Path("target/release"))
    ap.add_argument("--steps", type=int, default=3)
    ap.add_argument("--out", type=Path, default=Path("PERFORMANCE.md"))
    a = ap.parse_args()
    bench = Bench(a)
    sizes = [("tiny", 32, {}), ("small", 8, {}), ("small", 4, {"n_layer": 8, "n_embd": 512, "n_head": 8, "n_ctx": 512}), ("gpt1", 4, {})]
    contexts = [128, 256, 512, 1024, 2048]
    batches = {"tiny": [1, 2, 4, 8, 16, 32, 64], "small": [1, 2, 4, 8, 16], "gpt1": [1, 2, 4]}
    vocabularies = [2048, 4096, 8192, 16384, 32768]
    threads = sorted({1, *(2**i for i in range(1, 8) if 2**i < os.cpu_count()), os.cpu_count()})
    by_size = [bench(preset, batch, **model) for preset, batch, model in sizes]
    by_context = [bench("small", 8192 // n, n_ctx=n) for n in contexts]
    by_batch = {preset: [bench(preset, n) for n in ns] for preset, ns in batches.items()}
    by_vocabulary = [bench("tiny", 16, vocab=n) for n in vocabularies]
    by_threads = {preset: [bench(preset, batch, threads=n) for n in threads] for preset, batch in (("tiny", 32), ("small", 8))}
    bench.limits()

    figure, axes = plt.subplots(2, 3, figsize=(15, 9))
    sections = []

    found = by_size
    xs, ax = [f["n_params"] / 1e6 for f in found], axes[0][0]
    ax.loglog(xs, [f["tokens_per_s"] for f in found], "o-", label="tokens/s")
    ax.loglog(xs, [f["tokens_per_step"] / f["matrix_ms"] * 1e3 for f in found], "--", color="0.4", label="limit: matrix ceiling")
    ax.loglog(xs, [f["tokens_per_step"] / f["memory_ms"] * 1e3 for f in found], ":", color="0.4", label="limit: memory")
    ax.set(title="size of the model", xlabel="million parameters", ylabel="tokens a second")
    names = ["tiny", "small", "8 layers of 512", "gpt1"]
    sections.append("## Size of the model\n\n" + table(
        ["model", "parameters", "tokens a step", "tokens/s", "TFLOP/s", "of the ceiling", "GiB"],
        [[name, f"{f['n_params'] / 1e6:.1f} M", f"{f['tokens_per_step']:,}", f"{f['tokens_per_s']:,.0f}", f"{f['tflops']:.3f}",
          f"{100 * f['share_of_ceiling']:.0f} %", f"{f['peak_rss_gib']:.2f}"] for name, f in zip(names, found)]))
    machine = found[0]

    found = by_context
    ax = axes[0][1]
    ax.loglog(contexts, [f["ms"] for f in found], "o-", label="a step of 8,192 tokens")
    ax.loglog(contexts, [f["attention_ms"] for f in found], "s-", label="attention in it")
    at = found[-1]["attention_ms"] / contexts[-1]
    ax.loglog(contexts, [at * n for n in contexts], "-.", color="C1", alpha=0.5, label="proportional to the context")
    limits(ax, contexts, found)
    ax.set(title="context, preset small", xlabel="tokens of a sequence", ylabel="ms")
    sections.append("## Context\n\nPreset `small`, 8,192 tokens a step. Attention of one sequence approaches the square of its length (packing and reading its rows grow in proportion); at a fixed number of "
                    f"tokens there are fewer sequences, so that its time approaches proportion (exponent over the last four rows {power(contexts, [f['attention_ms'] for f in found]):.2f}; "
                    f"a sequence: {1 + power(contexts, [f['attention_ms'] for f in found]):.2f}).\n\n" + table(
        ["context", "sequences", "ms a step", "attention, ms", "attention of a sequence, ms", "tokens/s", "GiB"],
        [[str(n), str(8192 // n), f"{f['ms']:,.0f}", f"{f['attention_ms']:,.0f}", f"{f['attention_ms'] * n / 8192:,.2f}", f"{f['tokens_per_s']:,.0f}",
          f"{f['peak_rss_gib']:.2f}"] for n, f in zip(contexts, found)]))

    for preset, ax in (("tiny", axes[0][2]), ("small", None)):
        found, ns = by_batch[preset], batches[preset]
        if ax:
            ax.loglog(ns, [f["ms"] for f in found], "o-", label="a step")
            limits(ax, ns, found)
            ax.set(title=f"batch, preset {preset}", xlabel="windows", ylabel="ms")
        sections.append(f"## Batch, preset `{preset}`\n\nExponent of the time over the last four rows: {power(ns, [f['ms'] for f in found]):.2f} (1 is linear).\n\n" + table(
            ["batch", "ms a step", "ms a window", "tokens/s", "GiB"],
            [[str(n), f"{f['ms']:,.1f}", f"{f['ms'] / n:,.2f}", f"{f['tokens_per_s']:,.0f}", f"{f['peak_rss_gib']:.2f}"] for n, f in zip(ns, found)]))

    found = by_vocabulary
    ax = axes[1][0]
    ax.loglog(vocabularies, [f["ms"] for f in found], "o-", label="a step")
    ax.loglog(vocabularies, [f["head_ms"] for f in found], "s-", label="output head in it")
    limits(ax, vocabularies, found)
    ax.set(title="vocabulary, preset tiny, batch 16", xlabel="entries", ylabel="ms")
    sections.append(f"## Vocabulary\n\nPreset `tiny`, batch 16. Exponent of the head's time over the last four rows: {power(vocabularies, [f['head_ms'] for f in found]):.2f}.\n\n" + table(
        ["vocabulary", "ms a step", "output head, ms", "tokens/s", "GiB"],
        [[f"{n:,}", f"{f['ms']:,.1f}", f"{f['head_ms']:,.1f}", f"{f['tokens_per_s']:,.0f}", f"{f['peak_rss_gib']:.2f}"] for n, f in zip(vocabularies, found)]))

    ax = axes[1][1]
    rows = []
    for preset, found in by_threads.items():
        speedup = [f["tokens_per_s"] / found[0]["tokens_per_s"] for f in found]
        ax.plot(threads, speedup, "o-", label=preset)
        rows += [[preset, str(n), f"{f['tokens_per_s']:,.0f}", f"{s:.2f}", f"{f['peak_rss_gib']:.2f}"] for n, f, s in zip(threads, found, speedup)]
    ax.plot(threads, threads, "--", color="0.4", label="limit: as many times as threads")
    ax.set(title="threads", xlabel="threads", ylabel="times one thread", xticks=threads)
    sections.append("## Threads\n\n" + table(["preset", "threads", "tokens/s", "times one thread", "GiB"], rows))

    found = by_batch["gpt1"]
    ax = axes[1][2]
    ax.plot([1, 2, 4], [f["ms"] for f in found], "o-", label="a step")
    limits(ax, [1, 2, 4], found)
    ax.set(title="batch, preset gpt1", xlabel="windows", ylabel="ms", ylim=0)
    sections.append("## Batch, preset `gpt1`\n\n" + table(
        ["batch", "ms a step", "of it at least: matrices", "of it at least: memory", "tokens/s", "GiB"],
        [[str(n), f"{f['ms']:,.0f}", f"{f['matrix_ms']:,.0f}", f"{f['memory_ms']:,.0f}", f"{f['tokens_per_s']:,.0f}", f"{f['peak_rss_gib']:.2f}"]
         for n, f in zip((1, 2, 4), found)]))

    ticks = {(0, 1): contexts, (0, 2): batches["tiny"], (1, 0): vocabularies, (1, 2): batches["gpt1"]}
    for at, values in ticks.items():
        axes[at].set_xticks(values, [str(value) for value in values])
        axes[at].minorticks_off()
    for ax in axes.flat:
        ax.legend(fontsize=8)
        ax.grid(alpha=0.3, which="both")
    figure.tight_layout()
    picture = a.out.with_suffix(".svg")
    figure.savefig(picture, metadata={"Date": None})
    a.out.write_text(f"""# How the cost of training grows

Made by `make bench-growth` (`benches/growth.py`). CPU: {cpu()}; {machine['threads']} threads, {machine['precision']}, dropout 0.1, medians of {a.steps} steps (`tiny`: {3 * a.steps}).
Limits: the matrix ceiling is the speed of one large product ({bench.ceiling:.0f} GFLOP/s); memory: an update moves at least {UPDATE_BYTES} bytes a parameter
({bench.bandwidth:.0f} GB/s). Both are the best of all runs; other programs on the machine move single rows by 15 %, sometimes by more.

![the same as curves]({picture.name})

""" + "\n\n".join(sections) + "\n")
    print("written:", a.out, picture)


if __name__ == "__main__":
    main()
