//! Writing the shards of one split.

use crate::error::ShardError;
use crate::metadata::Metadata;
use crate::split::Split;
use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder, UInt16Builder, UInt32Builder, UInt64Builder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tokens of a row group, about.
const ROW_GROUP_TOKENS: usize = 7_500_000;
/// Bytes of the largest dictionary page: room for the vocabulary.
const DICTIONARY_BYTES: usize = 4 << 20;
/// Rows of a row group at most.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// What all shards of a run say of themselves.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Digest of vocabulary and merges.
    pub tokenizer_digest: String,
    /// Digest of the corpus.
    pub corpus_digest: String,
    /// Entries of the vocabulary.
    pub n_vocab: usize,
    /// Seed of the split by document.
    pub seed: u64,
    /// Share of the documents meant for validation.
    pub validation_fraction: f64,
    /// Tokens of one shard at most, unless a single row has more.
    pub tokens_per_shard: usize,
}

/// What was written for one split.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SplitSummary {
    /// Documents that begin in it.
    pub documents: u64,
    /// Tokens.
    pub tokens: u64,
    /// UTF-8 bytes of the source text.
    pub bytes: u64,
    /// Tokens with the id 0, `<unk>`.
    pub unknown: u64,
    /// Files.
    pub shards: u64,
}

impl SplitSummary {
    /// Source bytes a token stands for; 0 without tokens.
    pub fn bytes_per_token(&self) -> f64 {
        if self.tokens == 0 { 0.0 } else { self.bytes as f64 / self.tokens as f64 }
    }

    /// Share of the tokens that are unknown; 0 without tokens.
    pub fn unknown_rate(&self) -> f64 {
        if self.tokens == 0 { 0.0 } else { self.unknown as f64 / self.tokens as f64 }
    }

    /// Both splits in one.
    #[must_use]
    pub fn plus(&self, other: &SplitSummary) -> SplitSummary {
        SplitSummary {
            documents: self.documents + other.documents,
            tokens: self.tokens + other.tokens,
            bytes: self.bytes + other.bytes,
            unknown: self.unknown + other.unknown,
            shards: self.shards + other.shards,
        }
    }
}

/// Writes the rows of a split into shards, one after the other. A split without rows is one shard without rows.
#[derive(Debug)]
pub struct SplitWriter<'a> {
    dir: &'a Path,
    split: Split,
    facts: &'a Facts,
    shard: Shard,
    last_row: Option<(u64, u32)>,
    written: SplitSummary,
}

impl<'a> SplitWriter<'a> {
    /// Begins the first shard in `dir`.
    pub fn create(dir: &'a Path, split: Split, facts: &'a Facts) -> Result<SplitWriter<'a>, ShardError> {
        let shard = Shard::create(dir, split, facts, 0)?;
        Ok(SplitWriter { dir, split, facts, shard, last_row: None, written: SplitSummary::default() })
    }

    /// Writes one row: document `index` of the corpus, or a piece of it, with the token ids of its `n_bytes` of text.
    pub fn push(&mut self, document: &str, index: u64, n_bytes: u64, ids: &[u32]) -> Result<(), ShardError> {
        if self.shard.n_tokens > 0 && self.shard.n_tokens as usize + ids.len() > self.facts.tokens_per_shard {
            self.close_shard(false)?;
            self.shard = Shard::create(self.dir, self.split, self.facts, self.written.shards)?;
        }
        let part = match self.last_row {
            Some((last, part)) if last == index => part + 1,
            _ => 0,
        };
        self.last_row = Some((index, part));
        self.written.unknown += ids.iter().filter(|&&id| id == 0).count() as u64;
        self.shard.push(document, part, n_bytes, ids, self.facts.n_vocab)
    }

    /// Completes the last shard.
    pub fn finish(mut self) -> Result<SplitSummary, ShardError> {
        self.close_shard(true)?;
        Ok(self.written)
    }

    fn close_shard(&mut self, last_shard: bool) -> Result<(), ShardError> {
        let shard = &mut self.shard;
        let metadata = Metadata {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            split: self.split.name().to_owned(),
            shard: self.written.shards,
            last_shard,
            tokenizer_digest: self.facts.tokenizer_digest.clone(),
            corpus_digest: self.facts.corpus_digest.clone(),
            seed: self.facts.seed,
            validation_fraction: self.facts.validation_fraction,
            n_vocab: self.facts.n_vocab as u64,
            first_token: self.written.tokens,
            n_tokens: shard.n_tokens,
            n_bytes: shard.n_bytes,
            n_documents: shard.n_documents,
            tokens_digest: shard.hasher.finalize().to_hex().to_string(),
        };
        shard.finish(&metadata)?;
        self.written.documents += shard.n_documents;
        self.written.tokens += shard.n_tokens;
        self.written.bytes += shard.n_bytes;
        self.written.shards += 1;
        Ok(())
    }
}

/// A file being written, with the rows of its next row group.
#[derive(Debug)]
struct Shard {
    path: PathBuf,
    writer: ArrowWriter<fs_err::File>,
    schema: SchemaRef,
    documents: StringBuilder,
    parts: UInt32Builder,
    bytes: UInt64Builder,
    tokens: TokenLists,
    n_rows_waiting: usize,
    n_tokens_waiting: usize,
    hasher: blake3::Hasher,
    n_tokens: u64,
    n_bytes: u64,
    n_documents: u64,
}

#[derive(Debug)]
enum TokenLists {
    U16(ListBuilder<UInt16Builder>),
    U32(ListBuilder<UInt32Builder>),
}

impl Shard {
    fn create(dir: &Path, split: Split, facts: &Facts, number: u64) -> Result<Shard, ShardError> {
        let path = dir.join(Metadata::file_name(split, number));
        let item = if facts.n_vocab > usize::from(u16::MAX) { DataType::UInt32 } else { DataType::UInt16 };
        let element = Arc::new(Field::new("element", item.clone(), false));
        let tokens = match item {
            DataType::UInt16 => {
                TokenLists::U16(ListBuilder::new(UInt16Builder::new()).with_field(Arc::clone(&element)))
            }
            _ => TokenLists::U32(ListBuilder::new(UInt32Builder::new()).with_field(Arc::clone(&element))),
        };
        let schema = Arc::new(Schema::new(vec![
            Field::new("document", DataType::Utf8, false),
            Field::new("part", DataType::UInt32, false),
            Field::new("n_bytes", DataType::UInt64, false),
            Field::new("tokens", DataType::List(element), false),
        ]));
        let zstd = ZstdLevel::try_new(1).map_err(|error| write_error(&path, &error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            .set_dictionary_enabled(true)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_max_row_group_row_count(None)
            .set_created_by(concat!("gpt1-shard ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = fs_err::File::create(&path)
            .map_err(|error| ShardError::Write { path: path.clone(), message: error.to_string() })?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .map_err(|error| write_error(&path, &error))?;
        Ok(Shard {
            path,
            writer,
            schema,
            documents: StringBuilder::new(),
            parts: UInt32Builder::new(),
            bytes: UInt64Builder::new(),
            tokens,
            n_rows_waiting: 0,
            n_tokens_waiting: 0,
            hasher: blake3::Hasher::new(),
            n_tokens: 0,
            n_bytes: 0,
            n_documents: 0,
        })
    }

    fn push(&mut self, document: &str, part: u32, n_bytes: u64, ids: &[u32], n_vocab: usize) -> Result<(), ShardError> {
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= n_vocab) {
            return Err(ShardError::IdBeyondVocabulary { document: document.to_owned(), id, n_vocab });
        }
        let mut raw = Vec::with_capacity(ids.len() * 4);
        match &mut self.tokens {
            TokenLists::U16(lists) => {
                for &id in ids {
                    // Below n_vocab, which is at most 65,535 here.
                    lists.values().append_value(id as u16);
                    raw.extend_from_slice(&(id as u16).to_le_bytes());
                }
                lists.append(true);
            }
            TokenLists::U32(lists) => {
                lists.values().append_slice(ids);
                raw.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
                lists.append(true);
            }
        }
        self.hasher.update(&raw);
        self.documents.append_value(document);
        self.parts.append_value(part);
        self.bytes.append_value(n_bytes);
        self.n_rows_waiting += 1;
        self.n_tokens_waiting += ids.len();
        self.n_tokens += ids.len() as u64;
        self.n_bytes += n_bytes;
        self.n_documents += u64::from(part == 0);
        if self.n_tokens_waiting >= ROW_GROUP_TOKENS || self.n_rows_waiting >= ROW_GROUP_ROWS {
            self.write_row_group()?;
        }
        Ok(())
    }

    fn write_row_group(&mut self) -> Result<(), ShardError> {
        if self.n_rows_waiting == 0 {
            return Ok(());
        }
        let tokens: ArrayRef = match &mut self.tokens {
            TokenLists::U16(lists) => Arc::new(lists.finish()),
            TokenLists::U32(lists) => Arc::new(lists.finish()),
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.documents.finish()),
            Arc::new(self.parts.finish()),
            Arc::new(self.bytes.finish()),
            tokens,
        ];
        (self.n_rows_waiting, self.n_tokens_waiting) = (0, 0);
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(ParquetError::from)
            .and_then(|batch| self.writer.write(&batch))
            .and_then(|()| self.writer.flush())
            .map_err(|error| write_error(&self.path, &error))
    }

    fn finish(&mut self, metadata: &Metadata) -> Result<(), ShardError> {
        self.write_row_group()?;
        for key_value in metadata.to_key_values() {
            self.writer.append_key_value_metadata(key_value);
        }
        self.writer.finish().map_err(|error| write_error(&self.path, &error))?;
        Ok(())
    }
}

fn write_error(path: &Path, error: &ParquetError) -> ShardError {
    let message = match error {
        ParquetError::External(source) => source.to_string(),
        other => other.to_string(),
    };
    ShardError::Write { path: path.to_owned(), message }
}
