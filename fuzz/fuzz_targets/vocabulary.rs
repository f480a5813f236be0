//! The readers of the two files: damage is refused, and what is accepted encodes any text to ids of its entries.
#![no_main]

use gpt1_tokenize::{Encoder, Vocabulary};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    // The two files, with a zero byte between them.
    let Some(end) = bytes.iter().position(|&byte| byte == 0) else { return };
    let (json, merges) = (bytes[..end].to_vec(), bytes[end + 1..].to_vec());
    let [vocab_path, merges_path] = ["vocab.json", "merges.txt"].map(Path::new);
    let Ok(vocabulary) = Vocabulary::parse(vocab_path, json, merges_path, merges) else { return };
    let text = vocabulary.entries().concat();
    let encoder = Encoder::new(vocabulary);
    let ids = encoder.encode(&text);
    assert!(ids.iter().all(|&id| (id as usize) < encoder.n_vocab()));
    assert_eq!(encoder.stages(&text).ids, ids);
    encoder.decode(&ids);
});
