#!/usr/bin/env python3
"""What several ranks cost: beside one with as many threads, over a network, and by a model over more than there are here.

    pip install matplotlib
    python benches/ranks.py [--bin target/release] [--rounds 5] [--steps 3] [--measured FILE] [--out SCALING.md]

The programs must be built with MPI (make build RANKS=1), Open MPI's. Measures `gpt1-pretrain bench` at GPT-1's size in bf16 on two cores
(about 25 minutes): two ranks of one thread beside one of two threads, in alternation; then the two ranks in two network namespaces
(tests/cluster/namespaces.sh, which needs root) whose link has 10 and 1 Gbit/s. The model takes from these measurements the time of a
micro-batch and of an update, what an exchange takes of the cores and the rate of the link; what it says of the other runs stands beside what they took.
It then draws weak scaling, each rank having the same work whatever their number. Writes a page and its picture. `--measured` keeps
the measurements in a file, and goes on from those that it has.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
from growth import cpu, table  # noqa: E402

RATES = {"10gbit": 10.0, "1gbit": 1.0}
DELAY = "0.1ms"
ACCUMULATIONS = [1, 4, 16]
# Of the model's drawing; seconds of each message to a further rank; what of the ideal is to be kept; how well it must fit.
N_RANKS = [2**i for i in range(11)]
GBITS = [1, 10, 25, 100]
MESSAGE = 10e-6
KEPT = 0.9
WITHIN = 0.15
OWN = ("exchange", "waiting for ranks")
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


class Bench:
    def __init__(self, a):
        self.a = a
        self.note = ""

    def __call__(self, prefix, batch, threads, *more, steps=None):
        command = [*prefix, self.a.bin / "gpt1-pretrain", "bench", "--json", "--preset", "gpt1", "--batch", str(batch), "--precision", "bf16",
                   "--threads", str(threads), "--steps", str(steps or self.a.steps), *more]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | AS_ROOT)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stderr}")
        for line in done.stderr.splitlines():
            if line.startswith("without a delay"):
                self.note = line
        found = json.loads(done.stdout)
        parts = {part["part"]: part["ms"] / 1e3 for part in found["profile"]["parts"]}
        found["seconds"] = found["tokens_per_step"] / found["tokens_per_s"]
        print(*prefix[:3], batch, threads, *more, f"{found['seconds']:.3f} s", flush=True)
        return {"seconds": found["seconds"], "tokens": found["tokens_per_step"], "n_params": found["n_params"], "parts": parts}


def machine():
    number = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in open("/proc/cpuinfo"))}
    return f"{cpu()}, family {number.get('cpu family')}, model {number.get('model')}"


def two():
    return ["mpirun.openmpi", "-n", "2", "--bind-to", "none"]


def over(rate):
    return ["tests/cluster/namespaces.sh", rate, DELAY if rate != "none" else "0", "mpirun", "-n", "2"]


def measure(a):
    """All measurements; those that the file has are not made again."""
    bench = Bench(a)
    kept = json.loads(a.measured.read_text()) if a.measured and a.measured.exists() else {"cpu": machine(), "note": "", "beside": [], "network": []}

    def keep(name, value):
        kept[name] = value
        kept["note"] = kept["note"] or bench.note
        if a.measured:
            a.measured.write_text(json.dumps(kept, indent=1))

    while len(kept["beside"]) < a.rounds:
        keep("beside", [*kept["beside"], [bench(two(), 8, 1), bench([], 8, 2)]])
    # A window a rank and micro-batch.
    runs = [(rate, overlap, n) for n in ACCUMULATIONS for rate in [None, *RATES] for overlap in (True, False) if rate or overlap]
    for rate, overlap, n in runs[len(kept["network"]):]:
        more = ["--accumulate", str(n)] + ["--no-overlap"] * (not overlap)
        one = bench(over(rate) if rate else two(), 2 * n, 1, *more, steps=a.steps if n < 16 else 1)
        keep("network", [*kept["network"], {"rate": rate, "overlap": overlap, "accumulation": n, **one}])
    if "unshaped" not in kept:
        keep("unshaped", bench(over("none"), 2, 1, "--no-overlap"))
    return kept


class Model:
    """The time of an update, in seconds: R ranks, each with `n` micro-batches of one window.

    T = C(n) + exposed(gradients) + parameters, where C(n) = n micro + update is what remains without any exchange. With overlap,
    the gradients of the blocks go out while backward goes on (`window`), which takes the cores `u` longer; those of the embeddings,
    final only at its end, and the parameters do not hide. What goes out is (R - 1) / R of 4 bytes a parameter, twice; it cannot be faster than
    the link, nor than the cores that move it (as between the namespaces without a rate).
    """

    def __init__(self, kept):
        runs = self.runs = kept["network"]
        self.n_params = kept["unshaped"]["n_params"]
        here = {run["accumulation"]: run for run in runs if not run["rate"]}
        self.here = {n: self.alone(run) for n, run in here.items()}
        first, last = min(here), max(here)
        self.micro = (self.here[last] - self.here[first]) / (last - first)
        self.update = self.here[first] - first * self.micro
        parts = here[first]["parts"]
        backward = sum(s for name, s in parts.items() if name.endswith((" backward", " d_weight", " d_input"))) + parts["packing"] / 2
        # Of twelve blocks the last is the first to be done.
        self.window = 11 / 12 * backward
        self.embeddings = (40478 + 512) * 768 / self.n_params
        self.by_cores = self.exchange(kept["unshaped"])
        fed = {run["rate"]: run for run in runs if run["accumulation"] == first and not run["overlap"]}
        self.by_memory = self.exchange(here[first])
        self.by_link = {rate: self.exchange(run) for rate, run in fed.items()}
        self.fed = list(fed.values())
        # Of the slow link's rate, which the cores do not limit.
        self.share_of_rate = 8 * 2 * self.n_params / self.by_link["1gbit"][1] / 1e9

    @staticmethod
    def alone(run):
        return run["seconds"] - sum(s for name, s in run["parts"].items() if name.startswith(OWN))

    @staticmethod
    def exchange(run):
        """Seconds of the gradients, of the parameters, without overlap."""
        parts = run["parts"]
        parameters = parts["exchange of parameters"]
        return sum(s for name, s in parts.items() if name.startswith(OWN)) - parameters, parameters

    @staticmethod
    def n_buckets(n_ranks, n_params):
        """As in crates/training/src/gradients.rs."""
        chunk, bucket = 1 << 13, 1 << 19
        return math.ceil(n_params / (max(1, bucket // chunk // n_ranks) * n_ranks * chunk))

    def compute(self, n):
        return n * self.micro + self.update

    def seconds(self, n, gradients, parameters, moved, overlap=True):
        if not overlap:
            return self.compute(n) + gradients + parameters
        blocks = 1 - self.embeddings
        hidden = max(self.window + blocks * moved, blocks * gradients) - self.window
        return self.compute(n) + hidden + self.embeddings * gradients + parameters

    def predicted(self, run):
        return self.seconds(run["accumulation"], *self.by_link[run["rate"]], self.by_cores[0], run["overlap"])

    def share(self, n_ranks, gbit, n, speed=1):
        """The part of an update that is compute, of ranks so many times as fast as the one that was measured."""
        if n_ranks == 1:
            return 1.0
        part = 2 * (n_ranks - 1) / n_ranks
        wire = part * 2 * self.n_params * 8 / (gbit * 1e9 * self.share_of_rate)
        messages = self.n_buckets(n_ranks, self.n_params) * (n_ranks - 2) * MESSAGE
        gradients, parameters = (max(wire, part * cores / speed) + messages for cores in self.by_memory)
        faster = Model.__new__(Model)
        faster.__dict__ = self.__dict__ | {name: getattr(self, name) / speed for name in ("micro", "update", "window")}
        return faster.compute(n) / faster.seconds(n, gradients, parameters, part * self.by_memory[0] / speed)

    def enough(self, gbit, speed):
        """The smallest accumulation that keeps KEPT of the ideal at the most ranks."""
        return next(n for n in range(1, 1 << 20) if self.share(max(N_RANKS), gbit, n, speed) >= KEPT)


def picture(model, path):
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.6), sharey=True)
    for ax, n in zip(axes, ACCUMULATIONS):
        for gbit in GBITS:
            ax.plot(N_RANKS, [100 * model.share(r, gbit, n) for r in N_RANKS], "o-", markersize=3, label=f"{gbit} Gbit/s")
        for rate, gbit in RATES.items():
            run = next(run for run in model.runs if (run["rate"], run["accumulation"], run["overlap"]) == (rate, n, True))
            ax.plot([2], [100 * model.here[n] / run["seconds"]], "x", color=f"C{GBITS.index(gbit)}", markersize=9)
        ax.axhline(100 * KEPT, color="0.4", linestyle="--")
        ax.set_xscale("log", base=2)
        ax.set_xticks(N_RANKS[::2], [f"{r:,}" for r in N_RANKS[::2]])
        ax.set(title=f"accumulation {n}: {n * 512:,} tokens a rank and update", xlabel="ranks", ylim=(0, 104))
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("% of the ideal")
    axes[-1].legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def page(kept, model, name):
    rate = [[one["tokens"] / one["seconds"] for one in pair] for pair in kept["beside"]]
    ratios = [ranks / threads for ranks, threads in rate]
    beside = table(["round", "2 ranks of 1 thread", "1 rank of 2 threads", "ratio"],
                   [[str(i + 1), f"{ranks:,.1f}", f"{threads:,.1f}", f"{ranks / threads:.3f}"] for i, (ranks, threads) in enumerate(rate)])
    rows, worst = [], 0.0
    for run in model.runs:
        if not run["rate"]:
            continue
        ideal, predicted = model.here[run["accumulation"]], model.predicted(run)
        off = predicted / run["seconds"] - 1
        is_fed = run in model.fed
        worst = worst if is_fed else max(worst, abs(off))
        rows.append([run["rate"], str(run["accumulation"]), "yes" if run["overlap"] else "no", f"{run['seconds']:.2f}",
                     f"{100 * ideal / run['seconds']:.0f} %", f"{predicted:.2f}", "(fed)" if is_fed else f"{100 * off:+.1f} %"])
    network = table(["link", "accumulation", "overlap", "measured, s", "of the ideal", "predicted, s", "difference"], rows)
    enough = table(["link of a rank", "a rank as measured", "a rank 16 times as fast"],
                   [[f"{gbit} Gbit/s", *(f"{model.enough(gbit, speed):,}" for speed in (1, 16))] for gbit in GBITS])
    delay = "no delay (this kernel has no netem)" if kept["note"] else f"{DELAY} of delay"
    text = f"""# How several ranks scale

Made by `make bench-ranks` (`benches/ranks.py`). CPU: {kept['cpu']}. Open MPI; GPT-1's size ({model.n_params / 1e6:.1f} M parameters), windows of
512 tokens, bf16, dropout 0.1. How to start several ranks, and what to set, is in CLUSTER.md.

## Ranks beside threads

Batch 8, in alternation, tokens/s, medians of the steps. Median of the ratios: **{statistics.median(ratios):.3f}**.

{beside}

## Over a network

Two ranks of one thread in two network namespaces, joined by a link of that rate, {delay}; a window a rank and micro-batch. The ideal is the same ranks without any exchange: {", ".join(f"{model.here[n]:.2f} s at accumulation {n}" for n in ACCUMULATIONS)}.
An update sends {model.n_params * 4e-6:.0f} MB from each to the other. Here the kernel moves them with the cores that compute; a network card would take that from them.

{network}

## The model

An update takes n micro-batches of {model.micro:.3f} s and {model.update:.3f} s for the rest. Gradients of the blocks hide behind {model.window:.2f} s of the last backward
pass; those of the embeddings ({100 * model.embeddings:.0f} %) and the parameters do not. Moving gradients and parameters takes the cores {model.by_cores[0]:.2f} and {model.by_cores[1]:.2f} s through the kernel; the slow link
carries {100 * model.share_of_rate:.0f} % of its rate. In the table above it is off by {100 * worst:.1f} % at most.

For more ranks it assumes what was not measured: every rank has a link of its own, of that rate to whomever; a network card that takes the cores no longer than shared
memory does here ({model.by_memory[0]:.2f} and {model.by_memory[1]:.2f} s); {1e6 * MESSAGE:.0f} us for each message to a further rank.

![weak scaling]({name})

Lines are the model's, crosses measured (through the kernel). Accumulation that keeps {100 * KEPT:.0f} % at {max(N_RANKS):,} ranks (micro-batches of one window of 512 tokens):

{enough}
"""
    return text, worst


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bin", type=Path, default=Path("target/release"))
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--steps", type=int, default=3)
    ap.add_argument("--measured", type=Path)
    ap.add_argument("--out", type=Path, default=Path("SCALING.md"))
    a = ap.parse_args()
    kept = measure(a)
    model = Model(kept)
    image = a.out.with_suffix(".svg")
    picture(model, image)
    text, worst = page(kept, model, image.name)
    a.out.write_text(text)
    print(text)
    if worst > WITHIN:
        sys.exit(f"the model is off by {100 * worst:.0f} %, more than {100 * WITHIN:.0f} %")


if __name__ == "__main__":
    main()
