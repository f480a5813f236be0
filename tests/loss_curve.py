#!/usr/bin/env python3
"""The loss over some hundred updates on real text, in f32, in bf16 and by PyTorch, from the same weights and batches.

    pip install torch transformers safetensors
    python tests/loss_curve.py TEXT... [--updates 300] [--bin target/release]

Learns a vocabulary of the texts, draws random windows of them and initial weights in the shape of the preset `tiny` (4 layers,
128 channels, context 128), trains Hugging Face's OpenAIGPTLMHeadModel on PyTorch in f32 with the optimiser of OpenAI's released
code (as tests/golden/model/make_golden.py does), then ours in both precisions (the test `loss_curve` of gpt1-training; where the CPU
does not multiply bf16, by the plain micro-kernel). Fails if the mean loss of any ten updates is off by more than 1 %.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/golden/model"))
import make_golden  # noqa: E402

N_CTX, N_WINDOWS, LIMIT, OVER = 128, 8, 0.01, 10


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("texts", nargs="+", type=Path)
    ap.add_argument("--updates", type=int, default=300)
    ap.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    ap.add_argument("--bin", type=Path, default=ROOT / "target/release")
    a = ap.parse_args()
    print("seed", a.seed, flush=True)
    draw = random.Random(a.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "corpus").mkdir()
        for text in a.texts:
            os.symlink(text.resolve(), folder / "corpus" / text.name)
        vocabulary = folder / "vocabulary"
        subprocess.run([a.bin / "gpt1-tokenize", "train", "--config", "tiny", "--corpus", folder / "corpus", "--out", vocabulary],
                       check=True, capture_output=True)
        done = subprocess.run([a.bin / "gpt1-tokenize", "encode", "--tokenizer", vocabulary, "--whole", *a.texts],
                              check=True, capture_output=True, text=True)
        tokens = [int(token) for token in done.stdout.split()]
        n_vocab = len(json.loads((vocabulary / "vocab.json").read_text()))
        torch.manual_seed(a.seed)
        config = OpenAIGPTConfig(vocab_size=n_vocab, n_positions=N_CTX, n_embd=128, n_layer=4, n_head=4, initializer_range=0.05)
        model = OpenAIGPTLMHeadModel(config).eval()
        model.save_pretrained(folder / "model")
        starts = lambda: [draw.randrange(len(tokens) - N_CTX) for _ in range(N_WINDOWS)]
        batches = [[tokens[start:start + N_CTX + 1] for start in starts()] for _ in range(a.updates)]
        settings = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01, "max_grad_norm": 1.0,
                    "factors": make_golden.schedule(a.updates, a.updates // 10)}
        result, _ = make_golden.train(model, settings | {"batches": batches}, [])
        curve = {"batches": {str(u): windows for u, windows in enumerate(batches)}, "curves": {"curve": settings | result}}
        (folder / "curve.json").write_text(json.dumps(curve))
        subprocess.run(["cargo", "test", "--release", "-q", "-p", "gpt1-training", "--test", "golden_curve", "--", "--ignored", "loss_curve"],
                       check=True, cwd=ROOT, env=dict(os.environ, GPT1_CURVE_DIR=str(folder)), stdout=subprocess.DEVNULL)
        losses = json.loads((folder / "losses.json").read_text()) | {"PyTorch": result["losses"]}
    print(f"{len(tokens):,} tokens, vocabulary {n_vocab:,}, {a.updates} updates of {N_WINDOWS} windows of {N_CTX}")
    means = {name: [sum(x[i:i + OVER]) / OVER for i in range(0, a.updates - OVER + 1, OVER)] for name, x in losses.items()}
    print(f"{'updates':>9}" + "".join(f"{name:>10}" for name in means))
    for i in range(0, len(means["f32"]), max(1, len(means["f32"]) // 10)):
        print(f"{i * OVER:4}-{i * OVER + OVER - 1:<4}" + "".join(f"{x[i]:10.4f}" for x in means.values()))
    failed = False
    for one, other in (("bf16", "f32"), ("f32", "PyTorch"), ("bf16", "PyTorch")):
        off = max(abs(x / y - 1) for x, y in zip(means[one], means[other]))
        single = max(abs(x / y - 1) for x, y in zip(losses[one], losses[other]))
        print(f"{one} beside {other}: off by at most {100 * off:.3f} % over {OVER} updates, {100 * single:.3f} % in one")
        failed |= not off <= LIMIT
    sys.exit(failed)


if __name__ == "__main__":
    main()
