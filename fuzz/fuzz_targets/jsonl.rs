//! A corpus of JSON lines.
#![no_main]

use gpt1_corpus::{Corpus, CorpusError};
use gpt1_fuzz::{check, file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = file("a.jsonl", bytes);
    check(Corpus::open(&path).and_then(|corpus| corpus.read::<CorpusError>(&mut |_| {}, &mut |_| Ok(()))));
});
