//! Corpus to Parquet token shards, and the reader that training draws its windows from.
//!
//! [`write_shards`] encodes the documents of a [`Corpus`] and writes the shards of both splits,
//! [`Tokens`] decodes all shards of a split into memory, [`Windows`] says which stretch of them comes next.
//!
//! A shard is a Parquet file (zstd, dictionary) with a row for each document, or for each piece of a long one:
//!
//! | column | type | content |
//! |---|---|---|
//! | `document` | Utf8 | relative path, with `#line` (.jsonl) or `#row` (.parquet), both from 1 |
//! | `part` | UInt32 | 0, 1, ... for the pieces of one document within its split |
//! | `n_bytes` | UInt64 | UTF-8 bytes of the row's source text |
//! | `tokens` | List\<UInt16\>, List\<UInt32\> when the vocabulary has more than 65,535 entries | token ids |
//!
//! [`metadata::Metadata`] describes the key-value metadata of each file. Documents lie end to end: GPT-1 has no token
//! between them.

mod encode;
mod error;
pub mod metadata;
mod split;
mod tokens;
mod windows;
mod write;

pub use encode::{Report, Summary, write_shards};
pub use error::ShardError;
pub use gpt1_corpus::Corpus;
pub use split::Split;
pub use tokens::Tokens;
pub use windows::Windows;
pub use write::{Facts, SplitSummary, SplitWriter};
