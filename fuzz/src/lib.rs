//! What several targets use.

use gpt1_tokenize::{Encoder, Vocabulary};
use std::path::Path;
use std::sync::LazyLock;

/// The encoder of the golden vocabulary.
pub static ENCODER: LazyLock<Encoder> = LazyLock::new(|| {
    let vocab = include_bytes!("../../tests/golden/encoder/vocab.json").to_vec();
    let merges = include_bytes!("../../tests/golden/encoder/merges.txt").to_vec();
    let vocabulary = Vocabulary::parse(Path::new("vocab.json"), vocab, Path::new("merges.txt"), merges);
    Encoder::new(vocabulary.expect("the golden vocabulary is sound"))
});
