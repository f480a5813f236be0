#!/usr/bin/env python3
"""The speed of `gpt1-pretrain bench` beside PyTorch's on the same cores: one table, with their ratio.

  python benches/pytorch/compare.py [--only TEXT] [--steps 5] [--rounds 1] [--threads 2] [--bin target/release]
      [--tasks DIR --vocabulary DIR] [--examples N]

Each row runs both sides in processes of their own, one after the other, in every round; the rate is the median of all steps. PyTorch runs
eager and compiled, with fused AdamW, scaled_dot_product_attention and autocast for bf16, and with tcmalloc where it is
installed (libtcmalloc-minimal4); the faster counts. Where the CPU has no bf16 products, rows are in f32 on both sides.

The row of fine-tuning takes one epoch of RTE (`--examples N`: of its first N examples): ours is the whole stage, whose batches are ragged,
PyTorch's a loop that pads each batch to its longest example; both learn from the same token ids. RTE is read from `--tasks`
(the folder that holds RTE/) and encoded with `--vocabulary`; without them, from what `make pretrain` has made.

Needs torch 2.6 or newer.
"""
import argparse
import glob
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

SHAPES = {"gpt1": (12, 768, 12, 512, 40478), "small": (6, 384, 6, 256, 8192), "tiny": (4, 128, 4, 128, 4096)}
PROMPT, DRAWN = 16, 128

ROWS = [  # preset, mode, batch, dropout, precision
    ("tiny", "train", 32, 0.1, "best"), ("tiny", "train", 32, 0.0, "best"),
    ("small", "train", 32, 0.1, "best"), ("small", "train", 32, 0.0, "best"),
    ("gpt1", "train", 4, 0.1, "bf16"), ("gpt1", "train", 4, 0.0, "bf16"), ("gpt1", "train", 8, 0.0, "bf16"),
    ("gpt1", "train", 4, 0.1, "f32"), ("gpt1", "train", 4, 0.0, "f32"),
    ("gpt1", "forward", 4, 0.0, "bf16"), ("gpt1", "forward", 4, 0.0, "f32"), ("gpt1", "sample", 1, 0.0, "bf16"),
    ("gpt1", "finetune", 32, 0.1, "bf16"),
]


# ------------------------------------------------------------------ PyTorch's side, in a process of its own

def torch_child(a):
    import torch
    from torch import nn
    from torch.nn import functional as F
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    n_layer, c, n_head, n_ctx, vocab = SHAPES[a.preset]
    bf16 = a.precision == "bf16"

    class Block(nn.Module):
        """x = LN(x + attention(x)); x = LN(x + mlp(x))."""

        def __init__(self):
            super().__init__()
            self.qkv, self.proj, self.ln_1 = nn.Linear(c, 3 * c), nn.Linear(c, c), nn.LayerNorm(c)
            self.fc, self.out, self.ln_2 = nn.Linear(c, 4 * c), nn.Linear(4 * c, c), nn.LayerNorm(c)

        def forward(self, x, cache=None, at=0):
            b, t, _ = x.shape
            q, k, v = (y.view(b, t, n_head, -1).transpose(1, 2) for y in self.qkv(x).chunk(3, dim=-1))
            if cache is not None:
                cache[0][:, :, at:at + t], cache[1][:, :, at:at + t] = k, v
                k, v = cache[0][:, :, :at + t], cache[1][:, :, :at + t]
            p = a.dropout if self.training else 0.0
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=t > 1)
            x = self.ln_1(x + F.dropout(self.proj(y.transpose(1, 2).reshape(b, t, c)), p))
            return self.ln_2(x + F.dropout(self.out(F.gelu(self.fc(x), approximate="tanh")), p))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(vocab, c), nn.Embedding(n_ctx, c)
            self.blocks = nn.ModuleList(Block() for _ in range(n_layer))
            self.classifier = nn.Linear(c, 2) if a.mode == "finetune" else None
            for parameter in self.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, std=0.02)

        def forward(self, ids, targets):
            x = F.dropout(self.tokens(ids) + self.positions.weight[:ids.shape[1]], a.dropout if self.training else 0.0)
            for block in self.blocks:
                x = block(x)
            return F.cross_entropy(F.linear(x, self.tokens.weight).flatten(0, 1).float(), targets.flatten())

        def classify(self, ids, lengths, labels):
            """L2 + 0.5 L1 of padded sequences (paper equation 5); L1 is the mean over sequences of their mean losses."""
            x = F.dropout(self.tokens(ids) + self.positions.weight[:ids.shape[1]], a.dropout)
            for block in self.blocks:
                x = block(x)
            ends = x[torch.arange(len(ids)), lengths - 1]
            l2 = F.cross_entropy(self.classifier(F.dropout(ends, a.dropout)).float(), labels)
            logits = F.linear(x[:, :-1], self.tokens.weight).flatten(0, 1).float()
            losses = F.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none").view(len(ids), -1)
            real = torch.arange(1, ids.shape[1]) < lengths[:, None]
            l1 = ((losses * real).sum(1) / (lengths - 1)).mean()
            return l2 + 0.5 * l1

        def step(self, ids, caches, at):
            x = self.tokens(ids) + self.positions.weight[at:at + ids.shape[1]]
            for block, cache in zip(self.blocks, caches):
                x = block(x, cache, at)
            return F.linear(x[:, -1], self.tokens.weight)

    examples = json.load(open(a.ids)) if a.mode == "finetune" else []
    vocab = max([vocab if a.mode != "finetune" else 0] + [token + 1 for example in examples for token in example["ids"]])
    model = Model().train(a.mode in ("train", "finetune"))
    draw_batch = lambda: torch.randint(0, vocab, (2, a.batch, n_ctx))
    autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16 and a.mode != "sample")
    if a.compile and a.mode == "forward":
        import torch._inductor.config
        torch._inductor.config.freezing = True
        model.eval()
    run = torch.compile(model) if a.compile else model
    if a.mode == "train":
        optimizer = torch.optim.AdamW(model.parameters(), lr=2.5e-4, weight_decay=0.01, fused=True)

        def step():
            with autocast():
                loss = run(*draw_batch())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss.item()
    elif a.mode == "finetune":
        optimizer = torch.optim.AdamW(model.parameters(), lr=6.25e-5, weight_decay=0.01, fused=True)
        loss_of = torch.compile(model.classify, dynamic=True) if a.compile else model.classify

        def step():
            order = torch.randperm(len(examples)).tolist()
            for first in range(0, len(order), a.batch):
                batch = [examples[i] for i in order[first:first + a.batch]]
                lengths = torch.tensor([len(example["ids"]) for example in batch])
                ids = torch.zeros(len(batch), int(lengths.max()), dtype=torch.long)
                for row, example in zip(ids, batch):
                    row[:len(example["ids"])] = torch.tensor(example["ids"])
                with autocast():
                    loss = loss_of(ids, lengths, torch.tensor([example["label"] for example in batch]))
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                loss.item()
    elif a.mode == "forward":
        def step():
            with torch.inference_mode(), autocast():
                run(*draw_batch()).item()
    else:
        model.to(torch.bfloat16 if bf16 else torch.float32)
        size = (1, n_head, n_ctx, c // n_head)
        caches = [torch.zeros(2, *size, dtype=torch.bfloat16 if bf16 else torch.float32) for _ in range(n_layer)]
        one = torch.compile(model.step, dynamic=True) if a.compile else model.step

        def step():
            with torch.inference_mode():
                logits = model.step(torch.randint(0, vocab, (1, PROMPT)), caches, 0)
                start = time.perf_counter()
                for at in range(PROMPT, PROMPT + DRAWN):
                    token = torch.multinomial(F.softmax(logits.float(), dim=-1), 1)
                    logits = one(token, caches, at)
                return time.perf_counter() - start
    tokens = {"sample": DRAWN, "finetune": sum(len(example["ids"]) for example in examples)}.get(a.mode, a.batch * n_ctx)
    seconds = []
    # An epoch is long enough to need no warming up, but for what compiling takes.
    warm_up = int(a.compile) if a.mode == "finetune" else 2
    for i in range(warm_up + a.steps):
        start = time.perf_counter()
        inner = step()
        if i >= warm_up:
            seconds.append(inner or time.perf_counter() - start)
    print(json.dumps({"rates": [tokens / s for s in seconds],
                      "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


# ------------------------------------------------------------------ the table

def torch_side(a, row, precision, compiled):
    preset, mode, batch, dropout, _ = row
    env = dict(os.environ, OMP_NUM_THREADS=str(a.threads))
    tcmalloc = sorted(glob.glob("/usr/lib/*/libtcmalloc_minimal.so.4"))
    if tcmalloc:
        env["LD_PRELOAD"] = tcmalloc[0]
    command = [sys.executable, __file__, "--child", "--preset", preset, "--mode", mode, "--batch", str(batch), "--dropout", str(dropout),
               "--precision", precision, "--threads", str(a.threads), "--steps", str(1 if mode == "finetune" else a.steps),
               "--ids", a.ids] + ["--compile"] * compiled
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        return None
    return json.loads(done.stdout.strip().split("\n")[-1])


def vocabulary_file(a):
    """vocab.json, or OpenAI's name for it."""
    names = [os.path.join(a.vocabulary, name) for name in ("vocab.json", "encoder_bpe_40000.json")]
    return next((name for name in names if os.path.exists(name)), None)


def rte(a):
    """RTE's training examples as the model sees them: start, premise, delimiter, hypothesis, extract (paper figure 1)."""
    lines = open(os.path.join(a.tasks, "RTE", "train.tsv"), encoding="utf-8").read().rstrip("\n").split("\n")[1:]
    examples = [line.split("\t")[1:] for line in lines][:a.examples]
    text = "".join(json.dumps(text) + "\n" for example in examples for text in example[:2])
    command = [os.path.join(a.bin, "gpt1-tokenize"), "encode", "--tokenizer", a.vocabulary, "--json"]
    done = subprocess.run(command, input=text, check=True, capture_output=True, text=True)
    ids = [[int(token) for token in line.split()] for line in done.stdout.split("\n")[:-1]]
    assert len(ids) == 2 * len(examples), (len(ids), len(examples))
    n = len(json.load(open(vocabulary_file(a))))
    return [{"ids": [n, *premise, n + 1, *hypothesis, n + 2], "label": int(example[2] == "entailment")}
            for premise, hypothesis, example in zip(ids[::2], ids[1::2], examples)]


def finetune(a, precision):
    """One epoch of the stage; its clock leaves reading and scoring out."""
    with tempfile.TemporaryDirectory() as out:
        settings = ["finetune.n_epochs=1", "finetune.log_interval=1", f"finetune.max_train_examples={a.examples}"]
        command = [os.path.join(a.bin, "gpt1-finetune"), "--config", "gpt1", "--task", "rte", "--init", "scratch", "--tokenizer", a.vocabulary,
                   "--data", a.tasks, "--out", os.path.join(out, "rte"), "--precision", precision, "--threads", str(a.threads)]
        subprocess.run(command + [x for setting in settings for x in ("--set", setting)], check=True, capture_output=True)
        updates = [json.loads(line) for line in open(os.path.join(out, "rte", "timing.jsonl"))]
        manifest = json.load(open(os.path.join(out, "rte", "manifest.json")))
    totals = [0] + [update["tokens"] for update in updates]
    seconds = sum((to - start) / update["tokens_per_s"] for start, to, update in zip(totals, totals[1:], updates))
    return {"tokens_per_s": totals[-1] / seconds, "tflops": float("nan"), "share_of_bandwidth": float("nan"),
            "peak_rss_gib": manifest["peak_memory_bytes"] / 2**30}


def our_side(a, row, precision):
    preset, mode, batch, dropout, _ = row
    if mode == "finetune":
        return finetune(a, precision)
    command = [os.path.join(a.bin, "gpt1-pretrain"), "bench", "--preset", preset, "--mode", mode, "--batch", str(batch), "--dropout", str(dropout),
               "--precision", precision, "--threads", str(a.threads), "--steps", str(a.steps if mode != "forward" else max(3, a.steps // 2)), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--only", default="", help="rows whose text holds this, such as 'gpt1 train'")
    ap.add_argument("--steps", type=int, default=5)
    ap.add_argument("--rounds", type=int, default=1)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--bin", default="target/release", help="the folder of the programs")
    ap.add_argument("--tasks", default="artifacts/sample-data/tasks", help="the folder that holds RTE/")
    ap.add_argument("--vocabulary", default="artifacts/tiny/vocabulary", help="the folder of vocab.json and merges.txt")
    ap.add_argument("--examples", type=int, default=100_000, help="so many of RTE's examples")
    for hidden in ("--preset", "--mode", "--precision", "--ids"):
        ap.add_argument(hidden, help=argparse.SUPPRESS)
    ap.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    ap.add_argument("--dropout", type=float, help=argparse.SUPPRESS)
    ap.add_argument("--compile", action="store_true", help=argparse.SUPPRESS)
    ap.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    a = ap.parse_args()
    if a.child:
        return torch_child(a)
    flags = open("/proc/cpuinfo").read().split("flags", 1)[-1].split("\n", 1)[0].split()
    has_bf16 = "avx512_bf16" in flags or "amx_bf16" in flags
    print(f"{'row':42} {'ours':>9} {'TFLOP/s':>8} {'of limit':>8} {'GiB':>6} | {'PyTorch':>9} {'':8} {'GiB':>6} | ratio")
    done = set()
    for row in ROWS:
        preset, mode, batch, dropout, wanted = row
        precisions = {"best": ["f32", "bf16"] if has_bf16 else ["f32"], "f32": ["f32"], "bf16": ["bf16" if has_bf16 else "f32"]}[wanted]
        name = f"{preset} {mode} batch {batch} dropout {dropout:g} {'/'.join(precisions)}"
        if a.only not in name or name in done:
            continue
        done.add(name)
        ours, peers = {}, {}
        ids = tempfile.NamedTemporaryFile("w", suffix=".json")
        a.ids = ids.name
        if mode == "finetune":
            if not os.path.exists(os.path.join(a.tasks, "RTE", "train.tsv")) or not vocabulary_file(a):
                print(f"{name:42} left out: no RTE in {a.tasks} or no vocabulary in {a.vocabulary}; run `make pretrain`, or see --help")
                continue
            json.dump(rte(a), ids)
            ids.flush()
        for _ in range(a.rounds):
            for precision in precisions:
                found = our_side(a, row, precision)
                ours.setdefault(precision, []).append(found)
                for compiled in (False, True):
                    found = torch_side(a, row, precision, compiled)
                    if found:
                        peers.setdefault((precision, compiled), []).append(found)
        median = lambda results, key: statistics.median(result[key] for result in results)
        mine = max(ours.values(), key=lambda results: median(results, "tokens_per_s"))
        rates = lambda results: statistics.median(rate for result in results for rate in result["rates"])
        (precision, compiled), theirs = max(peers.items(), key=lambda item: rates(item[1]))
        limit = mine[0]["share_of_bandwidth"] or mine[0]["share_of_ceiling"]
        rate = median(mine, "tokens_per_s")
        number = lambda x, form: format(x, form) if x == x else "-".rjust(int(form.split(".")[0]))
        print(f"{name:42} {rate:9.1f} {number(median(mine, 'tflops'), '8.3f')} {number(100 * limit, '7.0f')}% {median(mine, 'peak_rss_gib'):6.2f} | "
              f"{rates(theirs):9.1f} {'compiled' if compiled else 'eager':8} {median(theirs, 'peak'):6.2f} | {rate / rates(theirs):.2f}")
        if mode in ("train", "forward"):
            groups = mine[0]["profile"]["groups"].items()
            print(f"{'':4}of a step: " + ", ".join(f"{name} {100 * share:.1f} %" for name, share in groups), flush=True)


if __name__ == "__main__":
    main()
