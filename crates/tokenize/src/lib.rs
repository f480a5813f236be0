//! GPT-1's text encoder: clean, split, learn and apply the byte-pair vocabulary (paper 4.1: "We used a bytepair encoding
//! (BPE) vocabulary with 40,000 merges").
//!
//! Text becomes ids as in OpenAI's released code: [`ftfy::fix_text`], [`clean::standardize`], [`spacy::split_words`],
//! [`spacy::lowercase`], byte-pair encoding of each word ([`bpe::Bpe`]), look-up. [`Encoder`] does it all; it reads and writes
//! the files of OpenAI's release.
//!
//! A vocabulary is learned from texts in three: [`count::count_words`], [`learn::alphabet`],
//! [`learn::learn`]; [`Vocabulary::from_learned`] gives the result its ids.
//!
//! ```
//! use gpt1_tokenize::{Encoder, Vocabulary, learn};
//!
//! let words = vec![("low".into(), 5), ("lower".into(), 2), ("newest".into(), 6)];
//! let alphabet = learn::alphabet(&words, learn::MAX_CHARACTERS);
//! let merges = learn::learn(&words, &alphabet, 10, 2, |_| {});
//! let encoder = Encoder::new(Vocabulary::from_learned(&alphabet, &merges)?);
//! assert_eq!(encoder.decode(&encoder.encode("Lower,  lower!")), "lower , lower !");
//! # Ok::<(), gpt1_tokenize::VocabularyError>(())
//! ```

pub mod bpe;
pub mod clean;
pub mod count;
pub mod encoder;
pub mod ftfy;
mod hash;
pub mod learn;
mod letters;
mod memo;
pub mod spacy;
mod stages;
pub mod tokenizer_json;
pub mod vocabulary;
pub mod words;

pub use encoder::Encoder;
pub use stages::Stages;
pub use vocabulary::{Vocabulary, VocabularyError};
