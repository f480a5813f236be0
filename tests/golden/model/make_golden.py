#!/usr/bin/env python3
"""Makes the golden values of gpt1-model and gpt1-training from an outside reference.

The reference is Hugging Face's OpenAIGPTLMHeadModel on PyTorch: f32, CPU, one thread, evaluation mode (no dropout),
each sequence computed alone, without padding. The optimiser is written out below, as in OpenAI's released code.
Seed and versions are recorded in golden.json. The script runs everything a second time in f64 and records by how much
the f32 reference itself is off ("noise"), so that a tolerance can be judged.

    pip install torch transformers safetensors
    python make_golden.py            # writes beside itself

Sizes are small so that the files are (n_embd 18, head size 9: vector loops have a body and a tail); weights have a
standard deviation of 0.2, biases and gains are far from 0 and 1, so that a mistake anywhere shows.

Files (gradient names and shapes are those of the HF checkpoint; Conv1D weights are (in, out)):
    model/config.json, model/model.safetensors   the weights, as save_pretrained writes them
    golden.json          inputs, losses, curves
    lm.safetensors       "logits" (26, V); "grad.<name>" of the language-model loss
    single.safetensors   the head's "classifier.weight" (C, K), "classifier.bias" (K); "logits"; "grad.<name>"
    sum.safetensors      the same for two sequences an example
    choice.safetensors   the same for three sequences an example
    curve.safetensors    "plain.<name>", "clipped.<name>": some of the parameters after 20 updates
"""

import copy
import json
import math
from pathlib import Path

import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

SEED = 20180611
HERE = Path(__file__).resolve().parent
V, T, C, N_HEAD, N_LAYER = 37, 11, 18, 2, 3
LM_COEF = 0.5
KEPT = [  # parameters kept from the end of a training curve; of all others golden.json has sum and norm
    "transformer.tokens_embed.weight",
    "transformer.positions_embed.weight",
    "transformer.h.0.attn.c_attn.weight",
    "transformer.h.0.attn.c_attn.bias",
    "transformer.h.1.mlp.c_fc.bias",
    "transformer.h.2.mlp.c_proj.weight",
    "transformer.h.2.ln_2.weight",
    "transformer.h.2.ln_2.bias",
]


def make_model(generator):
    """A model in evaluation mode with large random weights, biases and gains."""
    config = OpenAIGPTConfig(
        vocab_size=V,
        n_positions=T,
        n_embd=C,
        n_layer=N_LAYER,
        n_head=N_HEAD,
        # Not the defaults, so that a value that is not read from the configuration shows.
        layer_norm_epsilon=1e-3,
        embd_pdrop=0.05,
        resid_pdrop=0.15,
        attn_pdrop=0.2,
        initializer_range=0.03,
    )
    model = OpenAIGPTLMHeadModel(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(0.2 * torch.randn(p.shape, generator=generator))
            if ".ln_" in name and name.endswith("weight"):
                p.add_(1.0)
    return model


def random_sequences(lengths, generator):
    return [torch.randint(V, (n,), generator=generator).tolist() for n in lengths]


def lm_case(sequences, generator, zero_rows=()):
    """Targets: the next token, and for the last row any token. Weights: any, some zero."""
    targets, weights = [], []
    for s in sequences:
        targets += s[1:] + [int(torch.randint(V, (1,), generator=generator))]
        weights += (0.02 + 0.1 * torch.rand(len(s), generator=generator)).tolist()
    for row in zero_rows:
        weights[row] = 0.0
    return targets, weights


def cross_entropy(logits, target):
    """-sum_k target_k ln softmax(logits)_k of the last dimension."""
    return -(target * torch.log_softmax(logits, -1)).sum(-1)


def run_lm(model, sequences, targets, weights):
    """Hidden states and logits of each sequence; sum_i weights[i] * -ln p(targets[i])."""
    hidden, logits, loss, row = [], [], 0.0, 0
    for s in sequences:
        out = model(input_ids=torch.tensor([s]), output_hidden_states=True)
        h, z = out.hidden_states[-1][0], out.logits[0]
        rows = slice(row, row + len(s))
        nll = -torch.log_softmax(z, -1)[torch.arange(len(s)), torch.tensor(targets[rows])]
        loss = loss + (nll * torch.tensor(weights[rows], dtype=z.dtype)).sum()
        hidden.append(h)
        logits.append(z)
        row += len(s)
    return hidden, logits, loss


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def language_model(model, case):
    model.zero_grad()
    _, logits, loss = run_lm(model, case["sequences"], case["targets"], case["weights"])
    loss.backward()
    tensors = {"logits": torch.cat(logits).detach()}
    tensors |= {f"grad.{k}": g for k, g in gradients(model).items()}
    return {"loss": loss.item()}, tensors


def classifier(model, case, head):
    """head: classifier.weight (C, K), classifier.bias (K). The classifier reads the last token's hidden state."""
    model.zero_grad()
    dtype = next(model.parameters()).dtype
    w = head["classifier.weight"].detach().clone().to(dtype).requires_grad_()
    b = head["classifier.bias"].detach().clone().to(dtype).requires_grad_()
    hidden, _, lm_loss = run_lm(model, case["sequences"], case["targets"], case["weights"])
    h = torch.stack([x[-1] for x in hidden])  # (n_sequences, C)
    if case["form"] == "single":
        logits = h @ w + b
    elif case["form"] == "sum":
        logits = (h[0::2] + h[1::2]) @ w + b
    else:
        logits = (h @ w + b).view(-1, case["n_choices"])
    target = torch.tensor(case["classes"], dtype=dtype)
    classifier_loss = case["weight"] * cross_entropy(logits, target).sum()
    loss = classifier_loss + LM_COEF * lm_loss
    loss.backward()
    tensors = {k: t.clone() for k, t in head.items()}
    tensors["logits"] = logits.detach()
    tensors |= {f"grad.{k}": g for k, g in gradients(model).items()}
    tensors |= {"grad.classifier.weight": w.grad, "grad.classifier.bias": b.grad}
    losses = {"classifier_loss": classifier_loss.item(), "lm_loss": lm_loss.item(), "loss": loss.item()}
    return losses, tensors


def schedule(n_updates, warmup):
    """Linear warm-up, then cosine to 0; element u is the factor of the update with 0-based index u."""
    factors = []
    for u in range(1, n_updates + 1):
        if u <= warmup:
            factors.append(u / warmup)
        else:
            factors.append(0.5 * (1 + math.cos(math.pi * (u - warmup) / (n_updates - warmup))))
    return factors


def train(model, case, kept):
    """The optimiser of OpenAI's released code: the epsilon is outside the root, weight decay is multiplied by the
    bias-corrected rate, tensors of one dimension (biases, gains) do not decay."""
    model = copy.deepcopy(model)
    params = dict(model.named_parameters())
    m = {k: torch.zeros_like(p) for k, p in params.items()}
    v = {k: torch.zeros_like(p) for k, p in params.items()}
    b1, b2, eps, wd = case["beta1"], case["beta2"], case["epsilon"], case["weight_decay"]
    losses, norms = [], []
    for t, (windows, factor) in enumerate(zip(case["batches"], case["factors"]), start=1):
        model.zero_grad()
        inputs = [w[:-1] for w in windows]
        targets = [token for w in windows for token in w[1:]]
        _, _, loss = run_lm(model, inputs, targets, [1 / len(targets)] * len(targets))
        loss.backward()
        norm = math.sqrt(sum(p.grad.double().square().sum().item() for p in params.values()))
        limit = case["max_grad_norm"]
        scale = limit / norm if limit is not None and norm > limit else 1.0
        lr = case["learning_rate"] * factor * math.sqrt(1 - b2**t) / (1 - b1**t)
        with torch.no_grad():
            for k, p in params.items():
                g = p.grad * scale
                m[k] = b1 * m[k] + (1 - b1) * g
                v[k] = b2 * v[k] + (1 - b2) * g * g
                step = m[k] / (v[k].sqrt() + eps)
                if p.ndim > 1:
                    step = step + wd * p
                p -= lr * step
        losses.append(loss.item())
        norms.append(norm)
    final = {k: p.detach() for k, p in params.items()}
    summary = {k: [p.double().sum().item(), p.double().norm().item()] for k, p in final.items()}
    return {"losses": losses, "grad_norms": norms, "final_sum_and_norm": summary}, {k: final[k] for k in kept}


def make_batches(n_updates, n_windows, generator):
    """Windows of T + 1 tokens, which a model can learn to predict: mostly x -> 5 x + 3 mod V, else any token."""
    batches = []
    for _ in range(n_updates):
        windows = []
        for _ in range(n_windows):
            w = torch.randint(V, (1,), generator=generator).tolist()
            while len(w) < T + 1:
                noise = torch.rand(1, generator=generator).item() < 0.2
                w.append(int(torch.randint(V, (1,), generator=generator)) if noise else (5 * w[-1] + 3) % V)
            windows.append(w)
        batches.append(windows)
    return batches


def noise(single, double):
    """The largest deviation of the f32 from the f64 reference: over elements, and over tensors relative to the norm.
    What is 0 but for rounding (`zero_gradients` in golden.json) is left out."""

    def comparable(name, t):
        return torch.cat([t[:C], t[2 * C :]]).double() if name.endswith("c_attn.bias") else t.double()

    pairs = [(k, comparable(k, single[k]), comparable(k, double[k])) for k in single]
    largest = max((a - b).abs().max().item() for _, a, b in pairs)
    relative = max(((a - b).norm() / b.norm()).item() for _, a, b in pairs if b.norm() > 1e-6)
    return {"max_absolute": largest, "max_relative_norm": relative}


def write_json(value, path):
    """Two levels of indentation; below that one line a key: small, and readable in a diff."""

    def text(v, depth):
        if isinstance(v, dict) and depth < 3:
            pad = "  " * (depth + 1)
            inner = ",\n".join(f"{pad}{json.dumps(k)}: {text(x, depth + 1)}" for k, x in v.items())
            return "{\n" + inner + "\n" + "  " * depth + "}"
        return json.dumps(v)

    path.write_text(text(value, 0) + "\n")


def make_all(here, model, generator, config, kept, zero_gradients):
    """Writes golden.json and the tensors' files of a model into the folder `here`, and says what they are.

    model(input_ids, output_hidden_states) is as of Hugging Face; kept: the parameters to keep from the end of a curve."""
    double = copy.deepcopy(model).double()

    golden = {
        "seed": SEED,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "safetensors": safetensors.__version__,
        },
        "config": config,
        "lm_coef": LM_COEF,
        "zero_gradients": zero_gradients,
        "noise": {},
    }

    sequences = random_sequences([5, 1, T, 7, 2], generator)
    targets, weights = lm_case(sequences, generator, zero_rows=(0, 4, 12, 13, 25))
    case = {"sequences": sequences, "targets": targets, "weights": weights}
    losses, tensors = language_model(model, case)
    golden["lm"] = case | losses
    golden["noise"]["lm"] = noise(tensors, language_model(double, case)[1])
    save_file(tensors, here / "lm.safetensors")

    golden["classifiers"] = {}
    for form, lengths, n_classes, n_per_example in [
        ("single", [4, 1, T, 6], 3, 1),
        ("sum", [5, 5, 8, 8, T, T], 6, 2),
        ("choice", [6, 3, 9, T, 2, 7], 1, 3),
    ]:
        sequences = random_sequences(lengths, generator)
        rows = sum(lengths)
        targets, weights = lm_case(sequences, generator, zero_rows=(1, rows - 1))
        n_examples = len(lengths) // n_per_example
        n_outputs = n_per_example if form == "choice" else n_classes
        classes = torch.softmax(2 * torch.randn((n_examples, n_outputs), generator=generator), -1)
        classes[0] = torch.eye(n_outputs)[1]  # one example with a hard label
        case = {
            "form": form,
            "n_classes": n_classes,
            "n_choices": n_per_example if form == "choice" else 1,
            "sequences": sequences,
            "targets": targets,
            "weights": weights,
            "classes": classes.tolist(),
            "weight": 1 / n_examples,
        }
        head = {
            "classifier.weight": 0.2 * torch.randn((C, n_classes), generator=generator),
            "classifier.bias": 0.2 * torch.randn((n_classes,), generator=generator),
        }
        losses, tensors = classifier(model, case, head)
        golden["classifiers"][form] = case | losses
        golden["noise"][form] = noise(tensors, classifier(double, case, head)[1])
        save_file(tensors, here / f"{form}.safetensors")

    n_updates, warmup = 20, 5
    batches = make_batches(n_updates, 8, generator)
    golden["batches"] = {f"{u}": windows for u, windows in enumerate(batches)}
    golden["curves"], ends = {}, {}
    # The paper's values (but for the rate); then values of which every one shows within 20 updates.
    for name, settings in {
        "plain": {"learning_rate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01},
        "clipped": {"learning_rate": 2e-2, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weight_decay": 0.3},
    }.items():
        settings["max_grad_norm"] = 1.0 if name == "clipped" else None
        settings["factors"] = schedule(n_updates, warmup)
        case = settings | {"batches": batches}
        result, tensors = train(model, case, kept)
        exact, exact_tensors = train(double, case, kept)
        golden["curves"][name] = settings | result
        deviation = noise(tensors, exact_tensors)
        for key in ("losses", "grad_norms"):
            deviation[key] = max(abs(a - b) for a, b in zip(result[key], exact[key]))
        golden["noise"][f"curve_{name}"] = deviation
        ends |= {f"{name}.{k}": t.contiguous() for k, t in tensors.items()}
    save_file(ends, here / "curve.safetensors")
    write_json(golden, here / "golden.json")

    for key, value in golden["noise"].items():
        print(key, value)
    for name, curve in golden["curves"].items():
        print(name, "loss", [round(x, 3) for x in curve["losses"]])
        print(name, "norm", [round(x, 3) for x in curve["grad_norms"]])
    # Readable by all: the safetensors library makes files that only their owner can read.
    files = [p for p in here.rglob("*") if p.suffix in (".json", ".safetensors")]
    for path in files:
        path.chmod(0o644)
    print(f"{sum(p.stat().st_size for p in files):,} bytes in {len(files)} files")


def deterministic():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return torch.Generator().manual_seed(SEED)


def main():
    generator = deterministic()
    model = make_model(generator)
    model.save_pretrained(HERE / "model")
    (HERE / "model" / "generation_config.json").unlink(missing_ok=True)
    config = {"vocab_size": V, "n_positions": T, "n_embd": C, "n_layer": N_LAYER, "n_head": N_HEAD}
    # Shift invariance of the softmax: no loss depends on the key's bias (elements C..2C of c_attn.bias), nor on
    # the bias of a multiple-choice classifier. Their gradients are rounding noise, which Adam turns into steps.
    zero_gradients = "h.*.attn.c_attn.bias[C:2C]; classifier.bias of choice"
    make_all(HERE, model, generator, config, KEPT, zero_gradients)


if __name__ == "__main__":
    main()
