//! What each step of encoding makes of a text, for looking at.

use crate::Encoder;
use crate::bpe::UNKNOWN_ID;
use crate::clean::standardize;
use crate::ftfy::fix_text;
use crate::spacy;
use crate::vocabulary::{END_OF_WORD, LINE_BREAK_ENTRY};
use serde::Serialize;

/// A text after each step. As JSON, the object has the fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stages {
    /// The text as it was given.
    pub text: String,
    /// After [`fix_text`].
    pub fixed: String,
    /// After [`standardize`].
    pub standardized: String,
    /// The words of [`spacy::split_words`], not yet in lower case; a line break is [`spacy::LINE_BREAK`].
    pub tokens: Vec<String>,
    /// The symbols of each word, in lower case, the last of each with `</w>`.
    pub bpe: Vec<Vec<String>>,
    /// The ids of all symbols: what [`Encoder::encode`] returns.
    pub ids: Vec<u32>,
}

impl Encoder {
    /// Encodes a text step by step: by the rules alone, without the tables that make [`Encoder::encode`] fast.
    pub fn stages(&self, text: &str) -> Stages {
        let fixed = fix_text(text).into_owned();
        let standardized = standardize(&fixed);
        let (mut tokens, mut bpe, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        spacy::split_words(&standardized, &mut |token| {
            tokens.push(token.to_owned());
            let first = ids.len();
            if token == spacy::LINE_BREAK {
                ids.push(self.line_break());
                bpe.push(vec![LINE_BREAK_ENTRY.to_owned()]);
            } else {
                let word = spacy::lowercase(token);
                self.bpe().encode_word(&word, &mut ids);
                bpe.push(self.symbols(&word, &ids[first..]));
            }
        });
        Stages { text: text.to_owned(), fixed, standardized, tokens, bpe, ids }
    }

    /// The symbols that a word's ids stand for; an unknown one is its character.
    fn symbols(&self, word: &str, ids: &[u32]) -> Vec<String> {
        let mut rest = word;
        let n_before_last = ids.len() - 1;
        let mut symbols: Vec<String> = Vec::with_capacity(ids.len());
        for &id in &ids[..n_before_last] {
            let n_bytes = match id {
                UNKNOWN_ID => rest.chars().next().map_or(0, char::len_utf8),
                _ => self.vocabulary().entries()[id as usize].len(),
            };
            let (symbol, after) = rest.split_at(n_bytes);
            symbols.push(symbol.to_owned());
            rest = after;
        }
        symbols.push(format!("{rest}{END_OF_WORD}"));
        symbols
    }
}
