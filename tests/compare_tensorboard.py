#!/usr/bin/env python3
"""Opens event files with the real TensorBoard and compares every scalar with metrics.jsonl and timing.jsonl.

  python tests/compare_tensorboard.py [RESULT...] [--bin target/release] [--seed N]

Each RESULT is a folder written by gpt1-pretrain or gpt1-finetune. Without any, a small chain is run in a temporary folder:
a pre-training that ends undisturbed, the same one killed (SIGKILL) at random moments and continued, and a fine-tuning. Both
pre-trainings must have the same scalars; the seed of the moments is printed.

Of each value there must be one event, with the update as its step and the f32 nearest to the value; steps ascend and wall
times do not run backwards. Exit code 1 if anything differs. Needs pip install tensorboard numpy
"""
import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

NAME = "events.out.tfevents.0.gpt1"
HELD_OUT = {"validation_loss": "validation/loss", "perplexity": "validation/perplexity",
            "bits_per_byte": "validation/bits_per_byte"}
TINY = [f"--set={s}" for s in (
    "model.n_layer=1", "model.n_head=2", "model.n_embd=32", "model.n_ctx=32", "tokenizer.n_merges=300",
    "pretrain.max_updates=400", "pretrain.eval_interval=20", "pretrain.eval_windows=8", "pretrain.checkpoint_interval=7",
    "pretrain.log_interval=1", "pretrain.n_snapshots=0", "pretrain.keep_best=true", "finetune.log_interval=1",
    "finetune.max_train_examples=300", "finetune.n_epochs=2")]


def tag(name):
    if name in HELD_OUT:
        return HELD_OUT[name]
    return "dev/" + name[4:] if name.startswith("dev_") else "train/" + name


def expected(folder):
    """{tag: {step: value}} of the two files; a run that continues has lines of timing.jsonl from before, and the last counts."""
    found = {}
    for name, keys in (("metrics.jsonl", None), ("timing.jsonl", ["tokens_per_s"])):
        for line in (folder / name).read_text().splitlines():
            values = json.loads(line)
            for key in keys or [k for k in values if k not in ("update", "tokens")]:
                value = values[key]
                found.setdefault(tag(key), {})[values["update"]] = np.float32(np.nan if value is None else value)
    return found


def scalars(folder):
    """{tag: [event]} as TensorBoard reads them, all of them."""
    accumulator = EventAccumulator(str(folder / NAME), size_guidance={"scalars": 0}, purge_orphaned_data=False)
    accumulator.Reload()
    return {name: accumulator.Scalars(name) for name in accumulator.Tags()["scalars"]}


def check(folder):
    want, have = expected(folder), scalars(folder)
    problems, n = [], 0
    if set(want) != set(have):
        problems.append(f"tags {sorted(have)}, expected {sorted(want)}")
    for name in set(want) & set(have):
        steps = [event.step for event in have[name]]
        if steps != sorted(want[name]):
            problems.append(f"{name}: steps {steps[:9]} ..., expected {sorted(want[name])[:9]} ...")
            continue
        times = [event.wall_time for event in have[name]]
        if times != sorted(times) or abs(times[-1] - (folder / NAME).stat().st_mtime) > 86400:
            problems.append(f"{name}: wall times {times[:5]} ...")
        for event in have[name]:
            n += 1
            value, found = want[name][event.step], np.float32(event.value)
            if value.tobytes() != found.tobytes() and not (np.isnan(value) and np.isnan(found)):
                problems.append(f"{name} at {event.step}: {found!r}, expected {value!r}")
    print(f"{folder}: {len(have)} tags, {n} scalars, {len(problems)} differ")
    for problem in problems[:20]:
        print("  " + problem)
    return not problems


def run(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{command[0]}: exit code {done.returncode}\n{done.stderr}")


def killed_and_continued(command, out, log, rng):
    """Runs the command, kills it five times after random numbers of lines, and lets it end."""
    kills = sorted(rng.sample(range(1, 380), 5))
    for n_lines in kills:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and (not log.exists() or log.read_bytes().count(b"\n") < n_lines):
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not out.exists(), "the run had ended before it could be killed"
    print(f"killed after {kills} lines")
    run(*command)


def chain(a, root):
    binary = lambda stage: (Path(a.bin) / f"gpt1-{stage}").resolve()
    run(binary("sample-data"), "--seed", 5, "--out", root / "data")
    corpus, tiny = root / "corpus", ["--config", "tiny", *TINY]
    corpus.mkdir()
    for text in sorted((root / "data/corpus").glob("*.txt"))[:4]:
        (corpus / text.name).write_bytes(text.read_bytes())
    run(binary("tokenize"), "train", *tiny, "--corpus", corpus, "--out", root / "vocabulary")
    run(binary("shard"), *tiny, "--corpus", corpus, "--tokenizer", root / "vocabulary", "--out", root / "shards")
    pretrain = [str(binary("pretrain")), *tiny, "--shards", str(root / "shards"), "--tokenizer", str(root / "vocabulary"),
                "--out"]
    run(*pretrain, root / "pretrain")
    killed = root / "killed"
    seed = a.seed if a.seed is not None else random.randrange(10**6)
    print(f"seed {seed}")
    killed_and_continued([*pretrain, str(killed)], killed, root / ".killed.partial/metrics.jsonl", random.Random(seed))
    run(binary("finetune"), *tiny, "--task", "rte", "--init", root / "pretrain", "--data", root / "data/tasks",
        "--out", root / "finetune")
    clocked = "train/tokens_per_s"
    plain = [{(t, e.step, e.value) for t, events in scalars(f).items() if t != clocked for e in events}
             for f in (root / "pretrain", killed)]
    if plain[0] != plain[1]:
        print(f"the run that was killed has {len(plain[0] ^ plain[1])} other scalars")
        return None
    return [root / "pretrain", killed, root / "finetune"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", type=Path)
    parser.add_argument("--bin", default="target/release")
    parser.add_argument("--seed", type=int)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        results = a.results or chain(a, Path(root))
        return 0 if results and all([check(folder) for folder in results]) else 1


if __name__ == "__main__":
    sys.exit(main())
