//! Repair and cleaning: no text makes them panic, and what is clean stays as it is.
#![no_main]

use gpt1_tokenize::clean::standardize;
use gpt1_tokenize::ftfy::fix_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let clean = standardize(&fix_text(text));
    assert!(!clean.contains("  ") && clean.trim_matches([' ', '\n']) == clean, "{clean:?}");
    assert_eq!(standardize(&clean), clean);
});
