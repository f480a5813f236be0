//! The versions of the stages, which enter their keys: a stage of another version runs again.
//!
//! **When to raise one:** whenever the same inputs, parameters and arguments would give another result than before, that is,
//! other bytes in any file but those of [`crate::digest::NOT_CONTENT`]. A faster way to the same bytes is no new version.

/// `gpt1-sample-data`.
pub const SAMPLE_DATA: u32 = 3;
/// `gpt1-tokenize`.
pub const TOKENIZE: u32 = 2;
/// `gpt1-shard`.
pub const SHARD: u32 = 1;
/// `gpt1-model import`.
pub const IMPORT: u32 = 1;
/// `gpt1-pretrain`.
pub const PRETRAIN: u32 = 6;
/// `gpt1-finetune`.
pub const FINETUNE: u32 = 5;
/// `gpt1-evaluate`.
pub const EVALUATE: u32 = 4;
/// `gpt1-evaluate zero-shot`.
pub const ZERO_SHOT: u32 = 2;
/// `gpt1-evaluate report`.
pub const REPORT: u32 = 2;
