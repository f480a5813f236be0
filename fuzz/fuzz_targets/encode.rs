//! Encoding: the tables give the ids of the rules, twice, and every id is an entry.
#![no_main]

use gpt1_fuzz::ENCODER;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let ids = ENCODER.encode(text);
    assert_eq!(ENCODER.stages(text).ids, ids);
    assert_eq!(ENCODER.encode(text), ids);
    assert!(ids.iter().all(|&id| (id as usize) < ENCODER.n_vocab()));
    ENCODER.decode(&ids);
});
