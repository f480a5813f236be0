#!/usr/bin/env python3
"""Weights in and out, beside Hugging Face's implementation and OpenAI's files: random weights of a tiny model and of GPT-1's size.

  python tests/compare_weights.py [--bin target/release] [--shared ../shared] [--sizes tiny full] [--seed N] [--count 50]

For each size it makes a model with random weights (logits of order 1) and compares
- in: save_pretrained -> gpt1-model import -> gpt1-model logits, with Hugging Face's logits in f32;
- in, bare: the same file without the prefix `transformer.`, with lm_head.weight and causal masks, as on the hub: same weights;
- in, halves: the same file in f16 and bf16: the f32 that PyTorch makes of them; in parts, as save_pretrained cuts them: same weights;
- in, released: OpenAI's params_0.npy ... params_9.npy and params_shapes.json of the same weights: same weights;
- in, pickle: pytorch_model.bin is refused, the command that is printed converts it, then it is imported: same weights;
- out: from_pretrained of what we wrote - an import; of the tiny size a pre-trained model, and a fine-tuned one with more tokens and a
  classifier - with no key missing and none unexpected but the classifier's, and its logits beside ours.
Logits are compared on --count inputs of random ids (lengths 1 to 512) and --count real ones: lines of the novels in
SHARED/data/corpus with the released vocabulary in SHARED/gpt1_vocab, or sentences made here and a vocabulary of that size where
SHARED is absent.

Prints a line for each with the largest difference; exit code 1 if one is 1e-4 or more, or weights differ in a bit. Needs
pip install torch transformers safetensors numpy
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel
from transformers.utils import logging

TOLERANCE = 1e-4
N_VOCAB = 40478
SIZES = {
    "tiny": {"n_layer": 3, "n_embd": 48, "n_head": 4, "n_positions": 512, "layer_norm_epsilon": 1e-3},
    "full": {"n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 512},
}
# Logits of so many inputs are in a file at once.
BATCH = 10
failed = False


def line(size, what, found, good):
    global failed
    failed |= not good
    print(f"{size:5} {what:44} {found}{'' if good else '   WRONG'}", flush=True)


def report_weights(size, what, difference):
    line(size, f"{what}, weights", "same bits" if difference == 0 else f"largest difference {difference:.3g}", difference == 0)


def run(command, text="", check=True):
    done = subprocess.run([str(c) for c in command], input=text, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done


def make_model(size, seed):
    """Weights, biases and gains all random; logits of order 1, as the last norm's outputs are, times an embedding of that size."""
    generator = torch.Generator().manual_seed(seed)
    config = OpenAIGPTConfig(vocab_size=N_VOCAB, **SIZES[size])
    model = OpenAIGPTLMHeadModel(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            std = config.n_embd**-0.5 if p.ndim > 1 else 0.1
            p.copy_(std * torch.randn(p.shape, generator=generator))
            if ".ln_" in name and name.endswith("weight"):
                p.add_(1.0)
    return model


def write_vocabulary(shared, out):
    """The released vocabulary under OpenAI's names, or one of the same size."""
    released = shared / "gpt1_vocab"
    names = ["encoder_bpe_40000.json", "vocab_40000.bpe"]
    if released.exists():
        for name in names:
            shutil.copy(released / name, out / name)
        return
    characters = [chr(c) for c in [*range(97, 123), *range(48, 58), *map(ord, ".,'!?;:-"), *range(0x4E00, 0x4EC2)]]
    pairs = [(a, b) for a in characters for b in characters][:20000]
    merges = [(a, b + end) for a, b in pairs for end in ("", "</w>")]
    entries = ["<unk>", *characters, *(c + "</w>" for c in characters), *(a + b for a, b in merges), "\n</w>"]
    assert len(entries) == N_VOCAB
    (out / names[0]).write_text(json.dumps({e: i for i, e in enumerate(entries)}))
    (out / names[1]).write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))


def real_lines(shared, count, rng):
    corpus = sorted((shared / "data" / "corpus").rglob("*.txt"))
    if corpus:
        lines = [line for path in corpus for line in path.read_text(encoding="utf-8").split("\n") if len(line) > 20]
        return [line[:1500] for line in rng.sample(lines, count)]
    who, did = ["The keeper", "Ruth's cat", "An old man", "Nobody"], ["saw", "didn't forget", "went to", "asked for"]
    what = ["the harbour", "a dark night", "two ships", "what he had lost", "a letter of 1840"]
    sentence = lambda: f"{rng.choice(who)} {rng.choice(did)} {rng.choice(what)}."
    return [" ".join(sentence() for _ in range(rng.randint(1, 12))) for _ in range(count)]


def inputs(a, vocabulary):
    """Lists of ids: random ones, and those of real lines."""
    rng = random.Random(a.seed)
    lengths = [1, 512] + [rng.randint(1, 512) for _ in range(a.count - 2)]
    made = [[rng.randrange(N_VOCAB) for _ in range(n)] for n in lengths[: a.count]]
    text = "\n".join(line.replace("\r", " ") for line in real_lines(a.shared, a.count, rng)) + "\n"
    encoded = run([a.bin / "gpt1-tokenize", "encode", "--tokenizer", vocabulary], text).stdout
    real = [list(map(int, line.split()))[:512] for line in encoded.splitlines()]
    return {"random": made, "real": [ids for ids in real if ids]}


def difference_of_logits(a, model, directory, sequences, work):
    """The largest difference, and the largest logit, over the inputs."""
    worst = largest = 0.0
    for first in range(0, len(sequences), BATCH):
        some = sequences[first : first + BATCH]
        file = work / "logits.safetensors"
        text = "".join(" ".join(map(str, ids)) + "\n" for ids in some)
        run([a.bin / "gpt1-model", "logits", "--model", directory, "--out", file], text)
        found = load_file(file)
        for i, ids in enumerate(some):
            with torch.no_grad():
                expected = model(input_ids=torch.tensor([ids])).logits[0]
            worst = max(worst, (found[str(i + 1)] - expected).abs().max().item())
            largest = max(largest, expected.abs().max().item())
        file.unlink()
    return worst, largest


def compare_logits(a, size, what, model, directory, sequences, work):
    for kind, some in sequences.items():
        worst, largest = difference_of_logits(a, model, directory, some, work)
        n_tokens = sum(map(len, some))
        note = f"  ({len(some)} inputs, {n_tokens} tokens, logits up to {largest:.1f})"
        line(size, f"{what}, logits of {kind} inputs", f"largest difference {worst:.3g}{note}", worst < TOLERANCE)


def difference_of_weights(directory, expected):
    """The largest difference from tensors by Hugging Face's names; infinite where names or types differ."""
    found = load_file(directory / "model.safetensors")
    if found.keys() != expected.keys() or any(found[k].dtype != torch.float32 for k in found):
        return float("inf")
    same = lambda k: torch.equal(found[k].view(torch.int32), expected[k].view(torch.int32))
    differ = [k for k in found if found[k].shape != expected[k].shape or not same(k)]
    return max(((found[k] - expected[k]).abs().max().item() or 1.0 for k in differ), default=0.0)


def fresh(work, name, *copied):
    """An empty directory of that name with copies of these files."""
    directory = work / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for file in copied:
        shutil.copy(file, directory)
    return directory


def import_(a, source, work, vocabulary):
    out = work / "imported"
    run([a.bin / "gpt1-model", "import", "--from", source, "--tokenizer", vocabulary, "--out", out])
    return out


def write_released(model, out):
    """As the released files are: position embedding, token embedding, blocks; weights with an axis of 1; ten pieces."""
    tensors = dict(model.transformer.named_parameters())
    order = ["positions_embed.weight", "tokens_embed.weight"]
    parts = ["attn.c_attn", "attn.c_proj", "ln_1", "mlp.c_fc", "mlp.c_proj", "ln_2"]
    order += [f"h.{l}.{p}.{w}" for l in range(model.config.n_layer) for p in parts for w in ("weight", "bias")]
    assert sorted(order) == sorted(tensors)
    arrays = [tensors[name].detach().numpy() for name in order]
    shapes = [list(x.shape) if i < 2 or x.ndim < 2 else [1, *x.shape] for i, x in enumerate(arrays)]
    (out / "params_shapes.json").write_text(json.dumps(shapes))
    for i, piece in enumerate(np.array_split(np.concatenate([x.reshape(-1) for x in arrays]), 10)):
        np.save(out / f"params_{i}.npy", piece)


def open_with_hugging_face(size, what, directory, allowed=()):
    model, info = OpenAIGPTLMHeadModel.from_pretrained(directory, output_loading_info=True)
    wrong = {k: sorted(map(str, v)) for k, v in info.items() if v and not set(v) <= set(allowed)}
    line(size, f"{what}, keys", str(wrong or "none missing, none unexpected"), not wrong)
    return model.eval()


def compare(a, size, work):
    vocabulary = fresh(work, "vocabulary")
    write_vocabulary(a.shared, vocabulary)
    sequences = inputs(a, vocabulary)
    model = make_model(size, a.seed)
    weights = {f"transformer.{k}": v.detach() for k, v in model.transformer.named_parameters()}

    saved = work / "saved"
    model.save_pretrained(saved)
    imported = import_(a, saved, work, vocabulary)
    report_weights(size, "in: save_pretrained", difference_of_weights(imported, weights))
    compare_logits(a, size, "in: save_pretrained", model, imported, sequences, work)

    reread = open_with_hugging_face(size, "out: an import", imported)
    compare_logits(a, size, "out: an import", reread, imported, sequences, work)
    del reread

    bare = fresh(work, "bare", saved / "config.json")
    tensors = {k.removeprefix("transformer."): v for k, v in weights.items()}
    n = model.config.n_positions
    tensors |= {f"h.{i}.attn.bias": torch.tril(torch.ones(1, 1, n, n)) for i in range(model.config.n_layer)}
    tensors["lm_head.weight"] = model.lm_head.weight.detach().clone()
    save_file(tensors, bare / "model.safetensors", metadata={"format": "pt"})
    report_weights(size, "in: no prefix, masks, lm_head", difference_of_weights(import_(a, bare, work, vocabulary), weights))
    tensors["lm_head.weight"][3, 5] += 1
    save_file(tensors, bare / "model.safetensors", metadata={"format": "pt"})
    done = run([a.bin / "gpt1-model", "import", "--from", bare, "--tokenizer", vocabulary, "--out", work / "x"], check=False)
    refused = done.returncode == 1 and "lm_head.weight differs" in done.stderr
    line(size, "in: another lm_head", "refused" if refused else "not refused", refused)
    del tensors

    for dtype in (torch.float16, torch.bfloat16):
        halves = {k: v.to(dtype) for k, v in weights.items()}
        half = fresh(work, "half", saved / "config.json")
        save_file(halves, half / "model.safetensors", metadata={"format": "pt"})
        expected = {k: v.float() for k, v in halves.items()}
        name = str(dtype).removeprefix("torch.")
        report_weights(size, f"in: {name}", difference_of_weights(import_(a, half, work, vocabulary), expected))
    del halves, expected

    parts = work / "parts"
    model.save_pretrained(parts, max_shard_size="100MB" if size == "full" else "3MB")
    n_parts = len(list(parts.glob("*.safetensors")))
    different = difference_of_weights(import_(a, parts, work, vocabulary), weights)
    report_weights(size, f"in: {n_parts} parts", different if n_parts > 1 else float("inf"))
    shutil.rmtree(parts)

    released = fresh(work, "released", *vocabulary.iterdir())
    write_released(model, released)
    n_head = model.config.n_head
    run([a.bin / "gpt1-model", "import", "--from", released, "--n-head", n_head, "--out", imported])
    report_weights(size, "in: OpenAI's ten files", difference_of_weights(imported, weights))
    names = [("vocab.json", "encoder_bpe_40000.json"), ("merges.txt", "vocab_40000.bpe")]
    same = all((imported / ours).read_bytes() == (released / theirs).read_bytes() for ours, theirs in names)
    same &= json.loads((imported / "config.json").read_text())["n_head"] == n_head
    line(size, "in: OpenAI's vocabulary and heads", "the same" if same else "not the same", same)

    pickled = fresh(work, "pickled it's", saved / "config.json")
    torch.save(model.state_dict(), pickled / "pytorch_model.bin")
    done = run([a.bin / "gpt1-model", "import", "--from", pickled, "--tokenizer", vocabulary, "--out", imported], check=False)
    command = next((line.strip() for line in done.stderr.splitlines() if line.strip().startswith("python -c")), "false")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    converted = subprocess.run(command, shell=True, env=os.environ | {"PATH": path}).returncode
    different = 1.0
    if done.returncode == 1 and converted == 0:
        different = difference_of_weights(import_(a, pickled, work, vocabulary), weights)
    report_weights(size, "in: pickle refused, converted", different)

    more = model
    more.resize_token_embeddings(N_VOCAB + 3)
    more.save_pretrained(saved)
    done = run([a.bin / "gpt1-model", "import", "--from", saved, "--tokenizer", vocabulary, "--out", imported], check=False)
    command = next((line.strip() for line in done.stderr.splitlines() if line.strip().startswith("python -c")), "false")
    smaller = work / "smaller"
    command = command.replace("NEW_DIR", str(smaller))
    shrunk = subprocess.run(command, shell=True, env=os.environ | {"PATH": path}, capture_output=True).returncode
    different = 1.0
    if done.returncode == 1 and f"{N_VOCAB + 3} tokens" in done.stderr and shrunk == 0:
        different = difference_of_weights(import_(a, smaller, work, vocabulary), weights)
    report_weights(size, "in: added tokens refused, removed", different)
    del model, more, weights

    if size == "tiny":  # of full size tests/tests/weights.rs fine-tunes one
        data, shards, ours, tuned = (work / name for name in ("data", "shards", "pretrained", "tuned"))
        run([a.bin / "gpt1-sample-data", "--seed", "5", "--out", data])
        corpus = fresh(work, "corpus", *sorted((data / "corpus").glob("*.txt"))[:4])
        run([a.bin / "gpt1-shard", "--config", "tiny", "--corpus", corpus, "--tokenizer", vocabulary, "--out", shards])
        settings = ["--config", "tiny", "--set", "pretrain.max_updates=20", "--set", "pretrain.learning_rate=0.01"]
        run([a.bin / "gpt1-pretrain", *settings, "--shards", shards, "--tokenizer", vocabulary, "--out", ours])
        opened = open_with_hugging_face(size, "out: pre-trained", ours)
        short = {kind: [ids[: opened.config.n_positions] for ids in some] for kind, some in sequences.items()}
        compare_logits(a, size, "out: pre-trained", opened, ours, short, work)
        settings = ["--config", "tiny", "--set", "finetune.n_epochs=1", "--set", "finetune.max_train_examples=32"]
        settings += ["--set", "finetune.batch_size=4", "--set", "finetune.learning_rate=0.001"]
        task = ["--task", "rte", "--init", imported, "--data", data / "tasks", "--out", tuned]
        run([a.bin / "gpt1-finetune", *settings, *task])
        opened = open_with_hugging_face(size, "out: fine-tuned", tuned, ["classifier.weight", "classifier.bias"])
        compare_logits(a, size, "out: fine-tuned", opened, tuned, sequences, work)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bin", type=Path, default=Path("target/release"))
    ap.add_argument("--shared", type=Path, default=Path("../shared"))
    ap.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    ap.add_argument("--seed", type=int, default=20180611)
    ap.add_argument("--count", type=int, default=50)
    a = ap.parse_args()
    a.bin, a.shared = a.bin.resolve(), a.shared.resolve()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    print(f"seed {a.seed}; {'the released vocabulary, novels' if (a.shared / 'gpt1_vocab').exists() else 'made vocabulary and text'}")
    for size in a.sizes:
        with tempfile.TemporaryDirectory() as work:
            compare(a, size, Path(work))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
