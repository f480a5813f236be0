//! The key-value metadata of a shard: where its tokens come from, and what must be true of them.

use crate::error::ShardError;
use crate::split::Split;
use parquet::file::metadata::KeyValue;
use std::path::Path;
use std::str::FromStr;

/// What each shard says of itself; every field is a string under `gpt1.<field>` in the file's key-value metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// Version of the gpt1-shard that wrote it.
    pub version: String,
    /// `train` or `validation`.
    pub split: String,
    /// The shard's number in its split, from 0.
    pub shard: u64,
    /// Whether it is the last of its split.
    pub last_shard: bool,
    /// Digest of vocabulary and merges.
    pub tokenizer_digest: String,
    /// Digest of the corpus.
    pub corpus_digest: String,
    /// Seed of the split by document.
    pub seed: u64,
    /// Share of the documents meant for validation.
    pub validation_fraction: f64,
    /// Entries of the vocabulary: every token id is below.
    pub n_vocab: u64,
    /// Tokens of the split in the shards before.
    pub first_token: u64,
    /// Tokens in the file.
    pub n_tokens: u64,
    /// UTF-8 bytes of the source text of its rows.
    pub n_bytes: u64,
    /// Documents that begin in it.
    pub n_documents: u64,
    /// BLAKE3 of its tokens end to end, little endian, 2 or 4 bytes each as in the column's type.
    pub tokens_digest: String,
}

impl Metadata {
    /// As Parquet stores it.
    pub fn to_key_values(&self) -> Vec<KeyValue> {
        [
            ("gpt1.version", self.version.clone()),
            ("gpt1.split", self.split.clone()),
            ("gpt1.shard", self.shard.to_string()),
            ("gpt1.last_shard", self.last_shard.to_string()),
            ("gpt1.tokenizer_digest", self.tokenizer_digest.clone()),
            ("gpt1.corpus_digest", self.corpus_digest.clone()),
            ("gpt1.seed", self.seed.to_string()),
            ("gpt1.validation_fraction", self.validation_fraction.to_string()),
            ("gpt1.n_vocab", self.n_vocab.to_string()),
            ("gpt1.first_token", self.first_token.to_string()),
            ("gpt1.n_tokens", self.n_tokens.to_string()),
            ("gpt1.n_bytes", self.n_bytes.to_string()),
            ("gpt1.n_documents", self.n_documents.to_string()),
            ("gpt1.tokens_digest", self.tokens_digest.clone()),
        ]
        .into_iter()
        .map(|(key, value)| KeyValue::new(key.to_owned(), value))
        .collect()
    }

    /// From what Parquet stored in the file at `path`.
    pub fn from_key_values(path: &Path, stored: &[KeyValue]) -> Result<Metadata, ShardError> {
        let from = Stored { path, stored };
        Ok(Metadata {
            version: from.text("gpt1.version")?,
            split: from.text("gpt1.split")?,
            shard: from.parsed("gpt1.shard", "a number")?,
            last_shard: from.parsed("gpt1.last_shard", "true or false")?,
            tokenizer_digest: from.text("gpt1.tokenizer_digest")?,
            corpus_digest: from.text("gpt1.corpus_digest")?,
            seed: from.parsed("gpt1.seed", "a number")?,
            validation_fraction: from.parsed("gpt1.validation_fraction", "a number")?,
            n_vocab: from.parsed("gpt1.n_vocab", "a number")?,
            first_token: from.parsed("gpt1.first_token", "a number")?,
            n_tokens: from.parsed("gpt1.n_tokens", "a number")?,
            n_bytes: from.parsed("gpt1.n_bytes", "a number")?,
            n_documents: from.parsed("gpt1.n_documents", "a number")?,
            tokens_digest: from.text("gpt1.tokens_digest")?,
        })
    }

    /// The file name of a shard, such as `train-00000.parquet`.
    pub fn file_name(split: Split, shard: u64) -> String {
        format!("{split}-{shard:05}.parquet")
    }
}

struct Stored<'a> {
    path: &'a Path,
    stored: &'a [KeyValue],
}

impl Stored<'_> {
    fn text(&self, key: &'static str) -> Result<String, ShardError> {
        let value = self.stored.iter().find(|kv| kv.key == key).and_then(|kv| kv.value.clone());
        value.ok_or_else(|| self.unexpected(key, "a value", "nothing".to_owned()))
    }

    fn parsed<T: FromStr>(&self, key: &'static str, expected: &'static str) -> Result<T, ShardError> {
        let text = self.text(key)?;
        text.parse().map_err(|_| self.unexpected(key, expected, format!("{text:?}")))
    }

    fn unexpected(&self, key: &'static str, expected: &'static str, found: String) -> ShardError {
        ShardError::Metadata { path: self.path.to_owned(), key, expected, found }
    }
}
