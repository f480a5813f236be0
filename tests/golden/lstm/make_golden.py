#!/usr/bin/env python3
"""Makes the golden values of the LSTM from PyTorch's nn.LSTM, in the files and with the cases of ../model/make_golden.py.

    pip install torch transformers safetensors
    python make_golden.py            # writes beside itself

The model: token embedding -> nn.LSTM(18, 21), one layer -> a linear layer back to 18 -> logits by the embedding. Its
parameters are kept under our names and in our shapes (in, out), so that gradients and updates come out in them; nn.LSTM
is given their transposes, and zeros as its second bias, which would be the first once more. Vector loops have a body and
a tail at 21 units; weights have a standard deviation of 0.4, which bends the gates.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import save_file
from torch.func import functional_call

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "model"))  # before this folder, where a file of the same name is
from make_golden import C, T, V, deterministic, make_all  # noqa: E402

U = 21
KEPT = ["transformer.tokens_embed.weight", "lstm.weight_hh", "lstm.bias", "lstm.c_proj.bias"]


class Lstm(torch.nn.Module):
    """Called as Hugging Face's models are."""

    def __init__(self, generator):
        super().__init__()
        shapes = {
            "transformer.tokens_embed.weight": (V, C),
            "lstm.weight_ih": (C, 4 * U),
            "lstm.weight_hh": (U, 4 * U),
            "lstm.bias": (4 * U,),
            "lstm.c_proj.weight": (U, C),
            "lstm.c_proj.bias": (C,),
        }
        for name, shape in shapes.items():
            value = torch.nn.Parameter(0.4 * torch.randn(shape, generator=generator))
            # Names with dots are modules within modules.
            *path, last = name.split(".")
            module = self
            for part in path:
                if part not in module._modules:
                    module.add_module(part, torch.nn.Module())
                module = module._modules[part]
            module.register_parameter(last, value)
        self.cell = [torch.nn.LSTM(C, U, batch_first=True)]  # in a list: its own parameters are none of the model's

    def forward(self, input_ids, output_hidden_states):
        p = dict(self.named_parameters())
        embedding = p["transformer.tokens_embed.weight"]
        weights = {
            "weight_ih_l0": p["lstm.weight_ih"].T,
            "weight_hh_l0": p["lstm.weight_hh"].T,
            "bias_ih_l0": p["lstm.bias"],
            "bias_hh_l0": torch.zeros_like(p["lstm.bias"]),
        }
        outputs, _ = functional_call(self.cell[0], weights, (embedding[input_ids],))
        hidden = outputs @ p["lstm.c_proj.weight"] + p["lstm.c_proj.bias"]
        return SimpleNamespace(hidden_states=[hidden], logits=hidden @ embedding.T)


def main():
    generator = deterministic()
    model = Lstm(generator)
    config = {"model_type": "gpt1-lstm", "vocab_size": V, "n_positions": T, "n_embd": C, "n_layer": 1, "n_head": 1}
    config |= {"n_units": U, "embd_pdrop": 0.05, "resid_pdrop": 0.15, "attn_pdrop": 0.2}
    (HERE / "model").mkdir(exist_ok=True)
    (HERE / "model" / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = {name: p.detach().contiguous() for name, p in model.named_parameters()}
    save_file(tensors, HERE / "model" / "model.safetensors", metadata={"format": "pt"})
    make_all(HERE, model, generator, config, KEPT, "classifier.bias of choice")


if __name__ == "__main__":
    main()
