//! Words: joined they are the cleaned text without its spaces, and none is empty; lower case panics on none.
#![no_main]

use gpt1_tokenize::clean::standardize;
use gpt1_tokenize::spacy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let clean = standardize(text);
    let mut joined = String::new();
    spacy::split_words(&clean, &mut |word| {
        assert!(!word.is_empty());
        joined.push_str(word.trim_end_matches(' '));
        let lower = spacy::lowercase(word);
        assert_eq!(lower.is_empty(), word.is_empty());
    });
    assert_eq!(joined, clean.replace(' ', ""));
});
