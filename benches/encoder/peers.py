"""Bytes of text a second, by line, of Hugging Face's `tokenizers` and of `transformers`; RAYON_NUM_THREADS says how many threads.

  python peers.py TOKENIZER REPEATS TEXT...

TOKENIZER holds vocab.json, merges.txt and tokenizer.json. The best of REPEATS rounds; MB are 10^6 bytes.
"""
import os
import sys
import time
from pathlib import Path

folder, repeats, paths = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
threads = os.environ.get("RAYON_NUM_THREADS", "all")
os.environ["TOKENIZERS_PARALLELISM"] = "true"
text = "".join(Path(path).read_bytes().decode("utf-8") for path in paths)
lines = text.split("\n")
rows = {}

from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
rows["tokenizers encode_batch"] = lambda: [e.ids for e in tokenizer.encode_batch(lines, add_special_tokens=False)]
rows["tokenizers encode_batch_fast"] = lambda: [
    e.ids for e in tokenizer.encode_batch_fast(lines, add_special_tokens=False)]
try:
    from transformers import OpenAIGPTTokenizer
    slow = OpenAIGPTTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    rows["transformers OpenAIGPTTokenizer"] = lambda: slow(
        lines, add_special_tokens=False, return_attention_mask=False)["input_ids"]
except Exception as error:  # its versions differ in what they need
    print(f"skipped: transformers: {error}")

for name, encode in rows.items():
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        ids = encode()
        times.append(time.perf_counter() - start)
    n_ids = sum(map(len, ids))
    print(f"{name + f', {threads} thread(s)':45} {len(text.encode()) / 1e6 / min(times):6.2f} MB/s, {n_ids} ids", flush=True)
