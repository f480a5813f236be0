//! All tokens of a split, decoded once into memory.

use crate::error::ShardError;
use crate::metadata::Metadata;
use crate::split::Split;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, UInt16Type, UInt32Type, UInt64Type};
use gpt1_artifacts::progress::Progress;
use gpt1_corpus::ParquetFile;
use gpt1_corpus::parquet_file::{damaged, guarded};
use parquet::arrow::ProjectionMask;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Tokens to decode at once, about.
const BATCH_TOKENS: u64 = 1 << 20;

/// All tokens of a split, documents end to end: 2 bytes a token, 4 with more than 65,535 vocabulary entries.
#[derive(Debug, Clone)]
pub struct Tokens {
    ids: Ids,
    n_vocab: usize,
    n_bytes: u64,
    n_documents: usize,
}

#[derive(Debug, Clone)]
enum Ids {
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl Tokens {
    /// Decodes all shards of a split in `dir`. Shards of another vocabulary than the one with `tokenizer_digest` are
    /// refused; so are shards that are missing, damaged, or do not belong together.
    pub fn open(dir: &Path, split: Split, tokenizer_digest: &str) -> Result<Tokens, ShardError> {
        let shards = find_shards(dir, split, tokenizer_digest)?;
        let n_tokens: u64 = shards.iter().fold(0, |sum, shard| sum.saturating_add(shard.metadata.n_tokens));
        let n_vocab = shards.first().map_or(0, |shard| shard.metadata.n_vocab);
        let wide = shards.iter().any(|shard| shard.wide);
        let too_large = || {
            let n_bytes = n_tokens.saturating_mul(if wide { 4 } else { 2 });
            ShardError::TooLarge { dir: dir.to_owned(), split, n_tokens, n_bytes }
        };
        let capacity = usize::try_from(n_tokens).map_err(|_| too_large())?;
        let mut ids = if wide { Ids::U32(Vec::new()) } else { Ids::U16(Vec::new()) };
        match &mut ids {
            Ids::U16(ids) => ids.try_reserve_exact(capacity),
            Ids::U32(ids) => ids.try_reserve_exact(capacity),
        }
        .map_err(|_| too_large())?;
        let (mut n_bytes, mut n_documents) = (0, 0);
        let began = Instant::now();
        let n_shards = shards.len();
        let progress = Progress::brief(&format!("reading the {split} shards"), n_tokens, "tokens");
        for shard in shards {
            n_bytes += shard.metadata.n_bytes;
            n_documents += shard.metadata.n_documents as usize;
            let path = shard.path.clone();
            log::debug!("{}: {} tokens", path.display(), shard.metadata.n_tokens);
            guarded(&path, || shard.decode(&mut ids, &progress))?;
        }
        let seconds = began.elapsed().as_secs_f64();
        log::info!(
            "{}: {n_tokens} tokens in {n_shards} shards of the {split} split, read in {seconds:.3} s",
            dir.display()
        );
        Ok(Tokens { ids, n_vocab: n_vocab as usize, n_bytes, n_documents })
    }

    /// Tokens of the split.
    pub fn len(&self) -> usize {
        match &self.ids {
            Ids::U16(ids) => ids.len(),
            Ids::U32(ids) => ids.len(),
        }
    }

    /// Whether the split has no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// UTF-8 bytes of the split's source text.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Documents of the split.
    pub fn n_documents(&self) -> usize {
        self.n_documents
    }

    /// Entries of the vocabulary: every token id is below.
    pub fn n_vocab(&self) -> usize {
        self.n_vocab
    }

    /// The `len` tokens from `start` on. Panics if the split ends before.
    pub fn window(&self, start: usize, len: usize) -> impl Iterator<Item = u32> {
        let (narrow, wide): (&[u16], &[u32]) = match &self.ids {
            Ids::U16(ids) => (&ids[start..start + len], &[]),
            Ids::U32(ids) => (&[], &ids[start..start + len]),
        };
        narrow.iter().map(|&id| u32::from(id)).chain(wide.iter().copied())
    }
}

/// A shard whose footer has been read and checked.
struct Shard {
    path: PathBuf,
    metadata: Metadata,
    file: ParquetFile,
    /// Whether the ids are UInt32.
    wide: bool,
}

/// Opens the shards of a split in order, and checks that they are of this vocabulary, belong together and are all there.
fn find_shards(dir: &Path, split: Split, tokenizer_digest: &str) -> Result<Vec<Shard>, ShardError> {
    let mut numbers = Vec::new();
    for entry in fs_err::read_dir(dir)? {
        let name = entry?.file_name();
        let number =
            name.to_str().and_then(|n| n.strip_prefix(split.name())?.strip_prefix('-')?.strip_suffix(".parquet"));
        let number = number.and_then(|digits| digits.parse::<u64>().ok());
        numbers.extend(number.filter(|&n| *name == *Metadata::file_name(split, n)));
    }
    numbers.sort_unstable();
    let Some(&last) = numbers.last() else {
        return Err(ShardError::NoShards { dir: dir.to_owned(), split });
    };
    let last_path = dir.join(Metadata::file_name(split, last));
    let mut shards: Vec<Shard> = Vec::with_capacity(numbers.len());
    let mut first_token = 0;
    for (expected, number) in (0..).zip(numbers) {
        if number != expected {
            let missing = dir.join(Metadata::file_name(split, expected));
            return Err(ShardError::MissingShard { missing, why: format!("{} is there", last_path.display()) });
        }
        let shard = Shard::open(dir.join(Metadata::file_name(split, number)))?;
        let found = &shard.metadata;
        if found.tokenizer_digest != tokenizer_digest {
            return Err(ShardError::OtherVocabulary {
                path: shard.path,
                expected: tokenizer_digest.to_owned(),
                found: found.tokenizer_digest.clone(),
            });
        }
        let first = shards.first().map_or(found, |shard| &shard.metadata);
        let stray = if found.split != split.name() || found.shard != number {
            Some(format!("by its metadata it is shard {} of the split {}", found.shard, found.split))
        } else if found.corpus_digest != first.corpus_digest {
            Some(format!("its corpus digest is {}, that of the first is {}", found.corpus_digest, first.corpus_digest))
        } else if (found.seed, found.validation_fraction) != (first.seed, first.validation_fraction) {
            Some("its seed or validation_fraction is another than that of the first".to_owned())
        } else if found.n_vocab != first.n_vocab || found.first_token != first_token {
            Some(format!("it begins at token {}, the one before ends at {first_token}", found.first_token))
        } else if found.last_shard && number != last {
            Some(format!("by its metadata it is the last, but {} is there", last_path.display()))
        } else {
            None
        };
        if let Some(why) = stray {
            return Err(ShardError::Stray { path: shard.path, why });
        }
        if number == last && !found.last_shard {
            let missing = dir.join(Metadata::file_name(split, number + 1));
            return Err(ShardError::MissingShard { missing, why: format!("{} is not the last", last_path.display()) });
        }
        first_token = first_token.saturating_add(found.n_tokens);
        shards.push(shard);
    }
    Ok(shards)
}

impl Shard {
    fn open(path: PathBuf) -> Result<Shard, ShardError> {
        let file = ParquetFile::open(&path)?;
        let stored = file.metadata().file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
        let metadata = Metadata::from_key_values(&path, stored)?;
        let column = |column: &'static str, expected: &'static str| {
            let found = file.schema().field_with_name(column).ok().map(|field| field.data_type().clone());
            let fits = match &found {
                Some(DataType::List(item)) => {
                    column == "tokens" && matches!(item.data_type(), DataType::UInt16 | DataType::UInt32)
                }
                Some(DataType::UInt64) => column == "n_bytes",
                Some(DataType::UInt32) => column == "part",
                Some(DataType::Utf8) => column == "document",
                _ => false,
            };
            let text = match &found {
                None => "none of that name".to_owned(),
                Some(other) => format!("type {other}"),
            };
            let error = ShardError::Column { path: path.clone(), column, expected, found: text };
            if fits { found.ok_or(error) } else { Err(error) }
        };
        column("document", "Utf8")?;
        column("part", "UInt32")?;
        column("n_bytes", "UInt64")?;
        let tokens = column("tokens", "List<UInt16> or List<UInt32>")?;
        let wide = matches!(tokens, DataType::List(item) if *item.data_type() == DataType::UInt32);
        check_counts(&path, &metadata, &file)?;
        Ok(Shard { path, metadata, file, wide })
    }

    /// Appends the shard's tokens, and compares everything decoded with the metadata.
    fn decode(self, ids: &mut Ids, progress: &Progress) -> Result<(), ShardError> {
        let Shard { path, metadata, file, .. } = self;
        let n_rows = file.metadata().file_metadata().num_rows().max(1) as u64;
        let tokens_per_row = (metadata.n_tokens / n_rows).max(1);
        let mask = ProjectionMask::columns(file.parquet_schema(), ["part", "n_bytes", "tokens"]);
        let batches = file.batches(mask, (BATCH_TOKENS / tokens_per_row).clamp(1, 1 << 16) as usize)?;
        let mut decoded = Decoded {
            path: &path,
            metadata: &metadata,
            hasher: blake3::Hasher::new(),
            n_tokens: 0,
            n_bytes: 0,
            n_documents: 0,
        };
        for batch in batches {
            let before = decoded.n_tokens;
            decoded.take(&batch.map_err(|error| damaged(&path, error))?, ids)?;
            progress.inc(decoded.n_tokens - before);
        }
        decoded.compare()
    }
}

/// The footer's counts bound what decoding will take: they have to agree with the metadata.
fn check_counts(path: &Path, metadata: &Metadata, file: &ParquetFile) -> Result<(), ShardError> {
    let footer = file.metadata();
    let tokens = (0..file.parquet_schema().num_columns())
        .find(|&leaf| file.parquet_schema().get_column_root(leaf).name() == "tokens");
    let sum = |count: &dyn Fn(&parquet::file::metadata::RowGroupMetaData) -> i64| {
        footer.row_groups().iter().try_fold(0u64, |sum, group| sum.checked_add(u64::try_from(count(group)).ok()?))
    };
    let n_rows = sum(&|group| group.num_rows());
    // An empty list is a value to Parquet.
    let n_values = sum(&|group| tokens.map_or(0, |leaf| group.column(leaf).num_values()));
    let (Some(n_rows), Some(n_values)) = (n_rows, n_values) else {
        return Err(damaged(path, "its footer counts below nothing").into());
    };
    if n_values < metadata.n_tokens || n_values > metadata.n_tokens.saturating_add(n_rows) {
        let message = format!("it should hold {} tokens, but its footer counts {n_values}", metadata.n_tokens);
        return Err(damaged(path, message).into());
    }
    Ok(())
}

/// What has been decoded of a shard.
struct Decoded<'a> {
    path: &'a Path,
    metadata: &'a Metadata,
    hasher: blake3::Hasher,
    n_tokens: u64,
    n_bytes: u64,
    n_documents: u64,
}

impl Decoded<'_> {
    fn take(&mut self, batch: &RecordBatch, ids: &mut Ids) -> Result<(), ShardError> {
        let wrong = || damaged(self.path, "a column is of another type than its footer says");
        let column = |name| batch.column_by_name(name).ok_or_else(wrong);
        let parts = column("part")?.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
        let bytes = column("n_bytes")?.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
        let lists = column("tokens")?.as_list_opt::<i32>().ok_or_else(wrong)?;
        if parts.null_count() + bytes.null_count() + lists.null_count() + lists.values().null_count() > 0 {
            return Err(damaged(self.path, "a value is null").into());
        }
        self.n_documents += parts.values().iter().filter(|&&part| part == 0).count() as u64;
        self.n_bytes = bytes.values().iter().fold(self.n_bytes, |sum, &n| sum.saturating_add(n));
        let values = lists.values();
        self.check_room(values.len())?;
        let n_vocab = self.metadata.n_vocab;
        let check = |position: usize, id: u32| ShardError::TokenOutOfRange {
            path: self.path.to_owned(),
            position: self.n_tokens + position as u64,
            id,
            n_vocab,
        };
        let mut raw = Vec::with_capacity(values.len() * 4);
        if let Some(values) = values.as_primitive_opt::<UInt16Type>() {
            let values: &[u16] = values.values();
            if let Some(at) = values.iter().position(|&id| u64::from(id) >= n_vocab) {
                return Err(check(at, u32::from(values[at])));
            }
            raw.extend(values.iter().flat_map(|id| id.to_le_bytes()));
            match ids {
                Ids::U16(ids) => ids.extend_from_slice(values),
                Ids::U32(ids) => ids.extend(values.iter().map(|&id| u32::from(id))),
            }
        } else {
            let values: &[u32] = values.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?.values();
            if let Some(at) = values.iter().position(|&id| u64::from(id) >= n_vocab) {
                return Err(check(at, values[at]));
            }
            raw.extend(values.iter().flat_map(|id| id.to_le_bytes()));
            match ids {
                Ids::U16(_) => return Err(wrong().into()),
                Ids::U32(ids) => ids.extend_from_slice(values),
            }
        }
        self.hasher.update(&raw);
        self.n_tokens += values.len() as u64;
        Ok(())
    }

    fn check_room(&self, n_more: usize) -> Result<(), ShardError> {
        if self.n_tokens + n_more as u64 > self.metadata.n_tokens {
            return Err(damaged(self.path, format!("it holds more than its {} tokens", self.metadata.n_tokens)).into());
        }
        Ok(())
    }

    fn compare(&self) -> Result<(), ShardError> {
        for (what, expected, found) in [
            ("tokens", self.metadata.n_tokens, self.n_tokens),
            ("bytes of text", self.metadata.n_bytes, self.n_bytes),
            ("documents", self.metadata.n_documents, self.n_documents),
        ] {
            if expected != found {
                return Err(damaged(self.path, format!("it should hold {expected} {what}, but holds {found}")).into());
            }
        }
        let digest = self.hasher.finalize().to_hex();
        if digest.as_str() != self.metadata.tokens_digest {
            let expected = &self.metadata.tokens_digest;
            return Err(
                damaged(self.path, format!("its tokens have the digest {digest}, it should be {expected}")).into()
            );
        }
        Ok(())
    }
}
