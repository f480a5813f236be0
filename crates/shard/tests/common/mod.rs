//! What the tests share: a small vocabulary, corpora, and a reader of shard rows that is not the library's.
#![allow(dead_code, reason = "each test file uses its part")]

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{UInt16Type, UInt32Type, UInt64Type};
use gpt1_artifacts::preset::ShardConfig;
use gpt1_shard::metadata::Metadata;
use gpt1_shard::{Corpus, ShardError, Split, Summary, write_shards};
use gpt1_tokenize::Encoder;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::path::{Path, PathBuf};

/// Pairs merged in the test vocabulary, by rank.
const MERGES: [(&str, &str); 6] =
    [("t", "h"), ("th", "e</w>"), ("a", "n"), ("an", "d</w>"), ("o", "n</w>"), ("i", "n")];

/// Writes the vocabulary of some characters into `dir`: `<unk>`, characters, the same with `</w>`, merges, `\n</w>`.
pub fn write_vocabulary(dir: &Path, characters: &[char]) -> Encoder {
    fs_err::create_dir_all(dir).unwrap();
    let mut entries = vec!["<unk>".to_owned()];
    entries.extend(characters.iter().map(char::to_string));
    entries.extend(characters.iter().map(|c| format!("{c}</w>")));
    entries.extend(MERGES.iter().map(|(a, b)| format!("{a}{b}")));
    entries.push("\n</w>".to_owned());
    let vocab: serde_json::Map<_, _> = entries.into_iter().zip(0..).map(|(e, id)| (e, i32::into(id))).collect();
    fs_err::write(dir.join("vocab.json"), serde_json::to_vec(&vocab).unwrap()).unwrap();
    let merges: Vec<String> = MERGES.iter().map(|(a, b)| format!("{a} {b}")).collect();
    fs_err::write(dir.join("merges.txt"), format!("#version: 0.2\n{}\n", merges.join("\n"))).unwrap();
    Encoder::from_dir(dir).unwrap()
}

/// The printable characters of ASCII, which are enough for most tests.
pub fn ascii() -> Vec<char> {
    ('!'..='~').filter(|c| !c.is_ascii_uppercase()).collect()
}

pub fn config(validation_fraction: f64, tokens_per_shard: usize) -> ShardConfig {
    ShardConfig { validation_fraction, tokens_per_shard, seed: 7 }
}

/// A temporary place with a vocabulary, a corpus and shards.
pub struct Place {
    pub dir: tempfile::TempDir,
    pub encoder: Encoder,
}

impl Place {
    pub fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let encoder = write_vocabulary(&dir.path().join("tokenizer"), &ascii());
        fs_err::create_dir(dir.path().join("shards")).unwrap();
        fs_err::create_dir(dir.path().join("corpus")).unwrap();
        Place { dir, encoder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn corpus_file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("corpus").join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        path
    }

    pub fn shards(&self) -> PathBuf {
        self.path("shards")
    }

    /// Shards of the folder `corpus`, in place of earlier ones.
    pub fn shard(&self, config: &ShardConfig) -> Result<Summary, ShardError> {
        fs_err::remove_dir_all(self.shards()).unwrap();
        fs_err::create_dir(self.shards()).unwrap();
        self.shard_beside(config)
    }

    /// Shards of the folder `corpus`, without removing anything first.
    pub fn shard_beside(&self, config: &ShardConfig) -> Result<Summary, ShardError> {
        let corpus = Corpus::open(&self.path("corpus"))?;
        write_shards(&corpus, &self.encoder, config, "corpus digest", &self.shards(), &mut |_| {})
    }

    /// Shards with `n` short documents and `tokens_per_shard` of 40.
    pub fn with_documents(n: usize) -> Place {
        let place = Place::new();
        for i in 0..n {
            place.corpus_file(&format!("{i:03}.txt"), format!("The cat {i} sat on the mat\nand slept.\n"));
        }
        place.shard(&config(0.3, 40)).unwrap();
        place
    }
}

/// One row of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub document: String,
    pub part: u32,
    pub n_bytes: u64,
    pub tokens: Vec<u32>,
}

/// The rows of all shards of a split in order.
pub fn rows(dir: &Path, split: Split) -> Vec<Row> {
    let mut rows = Vec::new();
    for number in 0.. {
        let path = dir.join(Metadata::file_name(split, number));
        if !path.exists() {
            break;
        }
        let (file, _) = fs_err::File::open(&path).unwrap().into_parts();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            rows_of(&batch.unwrap(), &mut rows);
        }
    }
    rows
}

fn rows_of(batch: &RecordBatch, rows: &mut Vec<Row>) {
    let documents = batch["document"].as_string::<i32>();
    let parts = batch["part"].as_primitive::<UInt32Type>();
    let bytes = batch["n_bytes"].as_primitive::<UInt64Type>();
    let lists = batch["tokens"].as_list::<i32>();
    for i in 0..batch.num_rows() {
        let list = lists.value(i);
        let tokens = match list.as_primitive_opt::<UInt16Type>() {
            Some(ids) => ids.values().iter().map(|&id| u32::from(id)).collect(),
            None => list.as_primitive::<UInt32Type>().values().to_vec(),
        };
        let document = documents.value(i).to_owned();
        rows.push(Row { document, part: parts.value(i), n_bytes: bytes.value(i), tokens });
    }
}

pub fn metadata(path: &Path) -> Metadata {
    let (file, _) = fs_err::File::open(path).unwrap().into_parts();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let stored = reader.metadata().file_metadata().key_value_metadata().unwrap();
    Metadata::from_key_values(path, stored).unwrap()
}

/// Writes a Parquet file of one batch, with the metadata of a shard if given.
pub fn write_parquet(path: &Path, batch: &RecordBatch, metadata: Option<&Metadata>) {
    let mut writer = ArrowWriter::try_new(fs_err::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    for key_value in metadata.into_iter().flat_map(Metadata::to_key_values) {
        writer.append_key_value_metadata(key_value);
    }
    writer.close().unwrap();
}

/// The lines of an error's message.
pub fn message<T: std::fmt::Debug>(result: Result<T, ShardError>) -> String {
    result.unwrap_err().to_string()
}
