//! Hugging Face's `tokenizers` loads `tokenizer.json`. Skipped where Python or the package is absent; `GPT1_PYTHON` names another
//! Python.

use gpt1_tokenize::Encoder;
use std::path::Path;
use std::process::Command;

/// Texts in which nothing that `tokenizer_json` lists occurs.
const SAME: &str = "The old keeper counted the ships .\nRuth said : \" come back , quickly ! \"\nxyzzy 12 ? qq";

#[test]
fn tokenizers_loads_what_is_written() {
    let python = std::env::var("GPT1_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import tokenizers"]).output();
    if !probe.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {python} with tokenizers is not there (GPT1_PYTHON names another Python)");
        return;
    }
    let golden = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/encoder"));
    let encoder = Encoder::from_dir(golden).unwrap();
    let dir = tempfile::tempdir().unwrap();
    encoder.copy_files_to(dir.path()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/load_tokenizer.py");
    let texts: Vec<&str> = SAME.split('\n').chain(["naïve don't", "é☃"]).collect();
    let output = Command::new(&python).arg(script).arg(dir.path()).args(&texts).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Vec<(Vec<u32>, String)> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found.len(), texts.len());
    for (text, (ids, decoded)) in SAME.split('\n').zip(&found) {
        assert_eq!(*ids, encoder.encode(text), "{text:?}");
        assert_eq!(*decoded, encoder.decode(ids), "{text:?}");
    }
    assert_eq!(found[3].0, encoder.encode("naive don ' t"), "what the documentation says differs does");
    let e = encoder.vocabulary().entries().iter().position(|entry| entry == "e").unwrap() as u32;
    assert_eq!(found[4].0, [e, 0]);
}
