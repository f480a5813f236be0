#!/usr/bin/env python3
"""Opens a model directory written by gpt1 with OpenAIGPTLMHeadModel.from_pretrained and compares logits.

    python check_hf.py MODEL_DIR CASES.json [--tolerance 1e-4] [--allow-unexpected PREFIX]

CASES.json: {"sequences": [[token id, ...], ...], "logits": [[[f32; vocab_size] per token] per sequence]}, the logits as
gpt1 computed them. Every tensor that Hugging Face expects must be there with its shape, and no other (but those whose
names start with PREFIX: `classifier.` of a fine-tuned model).

Exit code: 0 the same, 1 not the same, 77 the check cannot run here (torch or transformers missing).
"""

import argparse
import json
import sys

try:
    import torch
    from transformers import OpenAIGPTLMHeadModel
except ImportError as error:
    print(error)
    sys.exit(77)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model_dir")
    parser.add_argument("cases")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--allow-unexpected", metavar="PREFIX")
    args = parser.parse_args()

    model, info = OpenAIGPTLMHeadModel.from_pretrained(args.model_dir, output_loading_info=True)
    model.eval()
    prefix = args.allow_unexpected
    if prefix is not None:
        info["unexpected_keys"] = {k for k in info["unexpected_keys"] if not k.startswith(prefix)}
    problems = [f"{what}: {sorted(keys)}" for what, keys in info.items() if keys]

    with open(args.cases, encoding="utf-8") as file:
        cases = json.load(file)
    worst = 0.0
    for i, (tokens, logits) in enumerate(zip(cases["sequences"], cases["logits"], strict=True)):
        with torch.no_grad():
            expected = model(input_ids=torch.tensor([tokens])).logits[0]
        found = torch.tensor(logits)
        if found.shape != expected.shape:
            problems.append(f"sequence {i}: logits have shape {list(found.shape)}, expected {list(expected.shape)}")
            continue
        difference = (found - expected).abs().max().item()
        worst = max(worst, difference)
        if not difference <= args.tolerance:
            problems.append(f"sequence {i}: a logit is off by {difference:.3g}, tolerance {args.tolerance:.3g}")
    print(f"{len(cases['sequences'])} sequences, largest difference of a logit {worst:.3g}")
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
