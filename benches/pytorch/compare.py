#!/usr/bin/env python3
"""The speed of `gpt1-pretrain bench` beside PyTorch's on the same cores: one table, with their ratio.

  python benches/pytorch/compare.py [--only TEXT] [--steps 5] [--rounds 1] [--threads 2] [--bin target/release/gpt1-pretrain]

Each row runs both sides in processes of their own, one after the other, in every round; the rate is the median of all steps. PyTorch runs
eager and compiled, with fused AdamW, scaled_dot_product_attention and autocast for bf16, and with tcmalloc where it is
installed (libtcmalloc-minimal4); the faster counts. Where the CPU has no bf16 products, rows are in f32 on both sides.

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
import time

SHAPES = {"gpt1": (12, 768, 12, 512, 40478), "small": (6, 384, 6, 256, 8192), "tiny": (4, 128, 4, 128, 4096)}
PROMPT, DRAWN = 16, 128

ROWS = [  # preset, mode, batch, dropout, precision
    ("tiny", "train", 32, 0.1, "best"), ("tiny", "train", 32, 0.0, "best"),
    ("small", "train", 32, 0.1, "best"), ("small", "train", 32, 0.0, "best"),
    ("gpt1", "train", 4, 0.1, "bf16"), ("gpt1", "train", 4, 0.0, "bf16"), ("gpt1", "train", 8, 0.0, "bf16"),
    ("gpt1", "train", 4, 0.1, "f32"), ("gpt1", "train", 4, 0.0, "f32"),
    ("gpt1", "forward", 4, 0.0, "bf16"), ("gpt1", "forward", 4, 0.0, "f32"), ("gpt1", "sample", 1, 0.0, "bf16"),
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
            for parameter in self.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, std=0.02)

        def forward(self, ids, targets):
            x = F.dropout(self.tokens(ids) + self.positions.weight[:ids.shape[1]], a.dropout if self.training else 0.0)
            for block in self.blocks:
                x = block(x)
            return F.cross_entropy(F.linear(x, self.tokens.weight).flatten(0, 1).float(), targets.flatten())

        def step(self, ids, caches, at):
            x = self.tokens(ids) + self.positions.weight[at:at + ids.shape[1]]
            for block, cache in zip(self.blocks, caches):
                x = block(x, cache, at)
            return F.linear(x[:, -1], self.tokens.weight)

    model = Model().train(a.mode == "train")
    draw_batch = lambda: torch.randint(0, vocab, (2, a.batch, n_ctx))
    autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16 and a.mode != "sample")
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
    tokens = DRAWN if a.mode == "sample" else a.batch * n_ctx
    seconds = []
    for i in range(2 + a.steps):
        start = time.perf_counter()
        inner = step()
        if i >= 2:
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
               "--precision", precision, "--threads", str(a.threads), "--steps", str(a.steps)] + ["--compile"] * compiled
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        return None
    return json.loads(done.stdout.strip().split("\n")[-1])


def our_side(a, row, precision):
    preset, mode, batch, dropout, _ = row
    command = [a.bin, "bench", "--preset", preset, "--mode", mode, "--batch", str(batch), "--dropout", str(dropout),
               "--precision", precision, "--threads", str(a.threads), "--steps", str(a.steps), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--only", default="", help="rows whose text holds this, such as 'gpt1 train'")
    ap.add_argument("--steps", type=int, default=5)
    ap.add_argument("--rounds", type=int, default=1)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--bin", default="target/release/gpt1-pretrain")
    for hidden in ("--preset", "--mode", "--precision"):
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
    print(f"{'row':38} {'ours':>9} {'TFLOP/s':>8} {'of limit':>8} {'GiB':>6} | {'PyTorch':>9} {'':8} {'GiB':>6} | ratio")
    done = set()
    for row in ROWS:
        preset, mode, batch, dropout, wanted = row
        precisions = {"best": ["f32", "bf16"] if has_bf16 else ["f32"], "f32": ["f32"], "bf16": ["bf16" if has_bf16 else "f32"]}[wanted]
        name = f"{preset} {mode} batch {batch} dropout {dropout:g} {'/'.join(precisions)}"
        if a.only not in name or name in done:
            continue
        done.add(name)
        ours, peers = {}, {}
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
        print(f"{name:38} {rate:9.1f} {median(mine, 'tflops'):8.3f} {100 * limit:7.0f}% {median(mine, 'peak_rss_gib'):6.2f} | "
              f"{rates(theirs):9.1f} {'compiled' if compiled else 'eager':8} {median(theirs, 'peak'):6.2f} | {rate / rates(theirs):.2f}", flush=True)


if __name__ == "__main__":
    main()
