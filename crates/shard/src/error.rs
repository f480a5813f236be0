//! What can be wrong with a corpus or with shards.

use crate::split::Split;
use gpt1_corpus::{CorpusError, ParquetFileError};
use std::io;
use std::path::PathBuf;

/// Why a corpus cannot be sharded, or shards cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields hold")]
pub enum ShardError {
    /// Reading failed; the message names the path.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Writing failed: a full disk, a quota, a limit on file sizes.
    #[error(
        "cannot write {path}: {message}\n  hint: an earlier result is untouched; free space or choose another --out, then run the same command again"
    )]
    Write { path: PathBuf, message: String },

    // The corpus.
    /// It cannot be read.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The only document cannot be divided.
    #[error(
        "{0}: the corpus is one document of one line, which cannot be divided into training and validation text\n  hint: add documents or line breaks, or use --set shards.validation_fraction=0"
    )]
    Indivisible(PathBuf),
    /// The corpus was written to while it was read.
    #[error(
        "{path}: the corpus changed while it was read: {before} at first, then {after}\n  hint: run the same command again when nothing writes to it"
    )]
    CorpusChanged { path: PathBuf, before: String, after: String },
    /// The encoder gave an id that its vocabulary does not have.
    #[error("{document}: the encoder gave the token id {id}, but the vocabulary has {n_vocab} entries")]
    IdBeyondVocabulary { document: String, id: u32, n_vocab: usize },
    /// The other end of a running pipeline has failed; its own error is the one to report.
    #[error("the writing of the shards has stopped")]
    Stopped,

    // Shards.
    /// A file that is no whole Parquet file.
    #[error(transparent)]
    Parquet(#[from] ParquetFileError),
    /// No shard of the split in the folder.
    #[error(
        "{dir}: expected shards {split}-00000.parquet and so on, found none\n  hint: make them with: gpt1-shard --config PRESET --corpus PATH --tokenizer DIR --out {dir}"
    )]
    NoShards { dir: PathBuf, split: Split },
    /// A shard of the sequence is not there.
    #[error("{missing}: the shard is missing: {why}\n  hint: copy it too, or make the shards again")]
    MissingShard { missing: PathBuf, why: String },
    /// A file that does not belong to the sequence.
    #[error(
        "{path}: the shard does not belong to the others in its folder: {why}\n  hint: make the shards again into an empty folder"
    )]
    Stray { path: PathBuf, why: String },
    /// Shards made with another vocabulary.
    #[error(
        "{path}: the shard was made with another vocabulary: expected the digest {expected}, found {found}\n  hint: name the tokenizer that the shards were made with, or make the shards again with this one"
    )]
    OtherVocabulary { path: PathBuf, expected: String, found: String },
    /// Metadata that every shard has is missing or cannot be understood.
    #[error(
        "{path}: expected {expected} under {key} in the file's metadata, found {found}\n  hint: is it a shard made by gpt1-shard?"
    )]
    Metadata { path: PathBuf, key: &'static str, expected: &'static str, found: String },
    /// A column is missing or has another type.
    #[error("{path}: expected a column \"{column}\" of type {expected}, found {found}")]
    Column { path: PathBuf, column: &'static str, expected: &'static str, found: String },
    /// A token id that the vocabulary does not have.
    #[error(
        "{path}: token {position} of the shard has the id {id}, but the vocabulary has {n_vocab} entries\n  hint: the file is damaged; copy or make it again"
    )]
    TokenOutOfRange { path: PathBuf, position: u64, id: u32, n_vocab: u64 },
    /// More tokens than the memory holds.
    #[error("{dir}: the {n_tokens} tokens of the split {split} do not fit into memory ({n_bytes} bytes)")]
    TooLarge { dir: PathBuf, split: Split, n_tokens: u64, n_bytes: u64 },
    /// Too little text for a single window.
    #[error("{n_tokens} tokens are too few for windows of {n_ctx} tokens and the one after: expected {} or more\n  hint: use more text, or a smaller n_ctx", n_ctx + 1)]
    TooFewTokens { n_tokens: usize, n_ctx: usize },
    /// More windows than can be numbered.
    #[error("{n_windows} windows an epoch are more than can be numbered ({})\n  hint: use a larger n_ctx", u32::MAX)]
    TooManyWindows { n_windows: usize },
}
