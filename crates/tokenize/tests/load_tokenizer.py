"""Prints, as JSON, what `tokenizers` with the tokenizer.json of a directory makes of texts: ids, and the ids decoded.

  python load_tokenizer.py DIRECTORY TEXT...
"""
import json
import sys
from pathlib import Path

import tokenizers

tokenizer = tokenizers.Tokenizer.from_file(str(Path(sys.argv[1]) / "tokenizer.json"))
ids = [tokenizer.encode(text).ids for text in sys.argv[2:]]
print(json.dumps([[i, tokenizer.decode(i)] for i in ids]))
