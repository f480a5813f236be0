"""Writes checksums.parquet: a corpus whose pages have checksums, which our own writer cannot make. Needs pyarrow."""

import os

import pyarrow as pa
import pyarrow.parquet as pq

words = ["the cat", "sat", "on a mat", "and saw", "nothing"]
texts = [" ".join([words[i % 5], words[i * 7 % 5], words[i // 5 % 5]]) for i in range(60)]
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checksums.parquet")
pq.write_table(pa.table({"text": texts}), path, compression="snappy", write_page_checksum=True, store_schema=False)
