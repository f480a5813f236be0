//! pyarrow and DuckDB read the shards. Skipped where Python or one of them is absent; `GPT1_PYTHON` names another Python.

mod common;

use common::{Place, config, rows};
use gpt1_shard::{Split, Tokens};
use std::process::Command;

#[test]
fn pyarrow_and_duckdb_read_the_shards() {
    let python = std::env::var("GPT1_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import pyarrow, duckdb"]).output();
    if !probe.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {python} with pyarrow and duckdb is not there (GPT1_PYTHON names another Python)");
        return;
    }
    let place = Place::with_documents(40);
    place.corpus_file("long.txt", "the mat and the cat\n".repeat(300_000));
    place.shard(&config(0.3, 500_000)).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/read_shards.py");
    let output = Command::new(&python).arg(script).arg(place.shards()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for split in Split::ALL {
        let found = &found[split.name()];
        let tokens = Tokens::open(&place.shards(), split, &place.encoder.digest()).unwrap();
        let rows: Vec<(String, u32)> =
            rows(&place.shards(), split).into_iter().map(|row| (row.document, row.part)).collect();
        assert_eq!(found["rows"], serde_json::to_value(rows).unwrap());
        assert_eq!(found["n_bytes"], tokens.n_bytes());
        assert_eq!(found["type"], "list<element: uint16 not null>");
        let ids: Vec<u32> = serde_json::from_value(found["tokens"].clone()).unwrap();
        assert!(ids.into_iter().eq(tokens.window(0, tokens.len())), "{split}");
    }
}
