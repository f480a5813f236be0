"""Reads the shards of a folder with pyarrow and with DuckDB, and prints what both found as one JSON object.

Usage: python read_shards.py DIR
"""

import glob
import json
import os
import sys

import duckdb
import pyarrow.parquet as pq


def with_pyarrow(paths):
    rows, n_bytes, tokens = [], 0, []
    for path in paths:
        file = pq.ParquetFile(path)
        table = file.read()
        assert table.schema.names == ["document", "part", "n_bytes", "tokens"], table.schema
        rows += zip(table["document"].to_pylist(), table["part"].to_pylist())
        n_bytes += sum(table["n_bytes"].to_pylist())
        for row in table["tokens"].to_pylist():
            tokens += row
        metadata = {k.decode(): v.decode() for k, v in file.metadata.metadata.items() if k.startswith(b"gpt1.")}
        assert int(metadata["gpt1.n_tokens"]) == sum(len(row) for row in table["tokens"].to_pylist())
        group = file.metadata.row_group(0) if file.metadata.num_row_groups else None
        if group:
            column = group.column(3)
            assert column.compression == "ZSTD" and column.has_dictionary_page, column
    return {"rows": [list(row) for row in rows], "n_bytes": n_bytes, "tokens": tokens, "type": str(table.schema.field("tokens").type)}


def with_duckdb(paths):
    connection = duckdb.connect()
    query = "SELECT document, part, n_bytes, tokens FROM read_parquet(?, filename = true) ORDER BY filename, file_row_number"
    found = connection.execute(query.replace("filename = true", "filename = true, file_row_number = true"), [paths]).fetchall()
    return {
        "rows": [[document, part] for document, part, _, _ in found],
        "n_bytes": sum(n_bytes for _, _, n_bytes, _ in found),
        "tokens": [token for _, _, _, tokens in found for token in tokens],
    }


result = {}
for split in ("train", "validation"):
    paths = sorted(glob.glob(os.path.join(sys.argv[1], split + "-*.parquet")))
    a, b = with_pyarrow(paths), with_duckdb(paths)
    kind = a.pop("type")
    assert a == b, f"pyarrow and DuckDB disagree on {split}"
    result[split] = a | {"type": kind}
print(json.dumps(result))
