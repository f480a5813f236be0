//! Shards that are missing, damaged, of another vocabulary or of another run are refused with their name.

mod common;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringArray, UInt16Builder, UInt32Array, UInt64Array};
use arrow::datatypes::DataType;
use common::{Place, config, message, metadata, write_parquet};
use gpt1_shard::metadata::Metadata;
use gpt1_shard::{Facts, ShardError, Split, SplitWriter, Tokens};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn open(place: &Place) -> Result<Tokens, ShardError> {
    Tokens::open(&place.shards(), Split::Train, &place.encoder.digest())
}

fn train(place: &Place, number: u64) -> PathBuf {
    place.shards().join(Metadata::file_name(Split::Train, number))
}

#[test]
fn another_vocabulary() {
    let place = Place::with_documents(20);
    let text = message(Tokens::open(&place.shards(), Split::Train, "0123"));
    assert!(text.contains("train-00000.parquet: the shard was made with another vocabulary"), "{text}");
    assert!(text.contains("0123") && text.contains(&place.encoder.digest()) && text.contains("hint"), "{text}");
}

#[test]
fn missing_shards() {
    let place = Place::with_documents(40);
    let n = fs_err::read_dir(place.shards())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("train"));
    let last = n.count() as u64 - 1;
    assert!(last >= 3);
    for number in [0, 1, last] {
        let (path, aside) = (train(&place, number), place.path("aside"));
        fs_err::rename(&path, &aside).unwrap();
        let text = message(open(&place));
        assert!(text.contains(&format!("{}: the shard is missing", path.display())), "{text}");
        fs_err::rename(&aside, &path).unwrap();
        assert!(open(&place).is_ok());
    }
    let text = message(Tokens::open(place.dir.path(), Split::Train, "x"));
    assert!(text.contains("expected shards train-00000.parquet and so on, found none"), "{text}");
    assert!(message(Tokens::open(&place.path("nowhere"), Split::Train, "x")).contains("nowhere"));
}

#[test]
fn shards_of_another_run() {
    let place = Place::with_documents(40);
    let other = Place::with_documents(40);
    // Renamed, of another split, of another seed, and one too many.
    fs_err::copy(train(&place, 0), train(&place, 1)).unwrap();
    let text = message(open(&place));
    assert!(text.contains("train-00001.parquet") && text.contains("by its metadata it is shard 0"), "{text}");
    fs_err::copy(place.shards().join("validation-00001.parquet"), train(&place, 1)).unwrap();
    assert!(message(open(&place)).contains("of the split validation"));
    other.shard(&gpt1_artifacts::preset::ShardConfig { seed: 8, ..config(0.3, 40) }).unwrap();
    fs_err::copy(train(&other, 1), train(&place, 1)).unwrap();
    assert!(message(open(&place)).contains("its seed or validation_fraction"));
    other.shard(&config(0.3, 60)).unwrap();
    fs_err::copy(train(&other, 1), train(&place, 1)).unwrap();
    assert!(message(open(&place)).contains("it begins at token"));
    let summary = place.shard(&config(0.3, 40)).unwrap();
    fs_err::copy(train(&place, 0), train(&place, summary.train.shards)).unwrap();
    assert!(message(open(&place)).contains("by its metadata it is the last"));
}

/// A batch of one row with columns as shards have them.
fn batch(ids: &[u16]) -> Vec<(&'static str, ArrayRef)> {
    let mut lists = ListBuilder::new(UInt16Builder::new());
    lists.values().append_slice(ids);
    lists.append(true);
    vec![
        ("document", Arc::new(StringArray::from(vec!["d"]))),
        ("part", Arc::new(UInt32Array::from(vec![0]))),
        ("n_bytes", Arc::new(UInt64Array::from(vec![9]))),
        ("tokens", Arc::new(lists.finish())),
    ]
}

fn described(place: &Place, ids: &[u16]) -> Metadata {
    let raw: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    Metadata {
        version: "0".into(),
        split: "train".into(),
        shard: 0,
        last_shard: true,
        tokenizer_digest: place.encoder.digest(),
        corpus_digest: "c".into(),
        seed: 0,
        validation_fraction: 0.0,
        n_vocab: 10,
        first_token: 0,
        n_tokens: ids.len() as u64,
        n_bytes: 9,
        n_documents: 1,
        tokens_digest: gpt1_artifacts::digest::bytes(&raw),
    }
}

#[test]
fn columns_counts_and_ids() {
    let place = Place::new();
    let path = train(&place, 0);
    let write = |columns: Vec<(&str, ArrayRef)>, metadata: &Metadata| {
        write_parquet(&path, &RecordBatch::try_from_iter(columns).unwrap(), Some(metadata));
        message(open(&place))
    };
    let good = described(&place, &[1, 2, 9]);
    write_parquet(&path, &RecordBatch::try_from_iter(batch(&[1, 2, 9])).unwrap(), Some(&good));
    assert_eq!(open(&place).unwrap().window(1, 2).collect::<Vec<_>>(), [2, 9]);

    for column in ["document", "part", "n_bytes", "tokens"] {
        let mut columns = batch(&[1, 2, 9]);
        columns.retain(|(name, _)| *name != column);
        let text = write(columns, &good);
        assert!(
            text.contains(&format!("expected a column \"{column}\"")) && text.contains("none of that name"),
            "{text}"
        );
        let mut columns = batch(&[1, 2, 9]);
        for (name, array) in &mut columns {
            if *name == column {
                *array = arrow::array::new_null_array(&DataType::Float32, 1);
            }
        }
        let text = write(columns, &good);
        assert!(text.contains(&format!("expected a column \"{column}\"")) && text.contains("Float32"), "{text}");
    }
    let text = write(batch(&[1, 10, 9]), &described(&place, &[1, 10, 9]));
    assert!(
        text.contains("train-00000.parquet: token 1 of the shard has the id 10, but the vocabulary has 10"),
        "{text}"
    );
    let text = write(batch(&[1, 2, 8]), &good);
    assert!(text.contains("its tokens have the digest"), "{text}");
    let text = write(batch(&[1, 2]), &good);
    assert!(text.contains("it should hold 3 tokens, but its footer counts 2"), "{text}");
    let text = write(batch(&[1, 2, 9]), &Metadata { n_tokens: u64::MAX, ..good.clone() });
    assert!(text.contains("it should hold 18446744073709551615 tokens"), "{text}");
    let text = write(batch(&[1, 2, 9]), &Metadata { n_bytes: 8, ..good.clone() });
    assert!(text.contains("it should hold 8 bytes of text, but holds 9"), "{text}");
    let text = write(batch(&[1, 2, 9]), &Metadata { n_documents: 2, ..good.clone() });
    assert!(text.contains("it should hold 2 documents, but holds 1"), "{text}");

    write_parquet(&path, &RecordBatch::try_from_iter(batch(&[1])).unwrap(), None);
    let text = message(open(&place));
    assert!(text.contains("gpt1.version") && text.contains("is it a shard made by gpt1-shard?"), "{text}");
}

#[test]
fn truncated_shards() {
    let place = Place::with_documents(20);
    let path = train(&place, 1);
    let whole = fs_err::read(&path).unwrap();
    for len in [0, 4, 12, whole.len() / 3, whole.len() - 1] {
        fs_err::write(&path, &whole[..len]).unwrap();
        let text = message(open(&place));
        assert!(text.contains("train-00001.parquet: not a whole Parquet file"), "{len}: {text}");
    }
}

/// A shard of one larger document, for damaging.
fn larger(dir: &Path) -> (PathBuf, Vec<u8>, Vec<u32>) {
    let facts = Facts {
        tokenizer_digest: "t".into(),
        corpus_digest: "c".into(),
        n_vocab: 3000,
        seed: 0,
        validation_fraction: 0.0,
        tokens_per_shard: 1_000_000,
    };
    let ids: Vec<u32> = (0..20_000u32).map(|i| i.wrapping_mul(2_654_435_761) % 3000).collect();
    let mut writer = SplitWriter::create(dir, Split::Train, &facts).unwrap();
    for (i, ids) in ids.chunks(700).enumerate() {
        writer.push(&format!("document {i}"), i as u64, 2000, ids).unwrap();
    }
    writer.finish().unwrap();
    let path = dir.join("train-00000.parquet");
    let whole = fs_err::read(&path).unwrap();
    (path, whole, ids)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes are damaged: the right tokens or an error, never a panic that escapes and never other tokens.
    #[test]
    fn damage_is_noticed(
        places in prop::collection::vec((0.0..1.0f64, 1u8..), 1..4),
        in_footer: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (path, whole, ids) = larger(dir.path());
        let mut damaged = whole.clone();
        for (at, flip) in places {
            let from = if in_footer { whole.len() - 3000 } else { 0 };
            let at = from + ((whole.len() - from) as f64 * at) as usize;
            damaged[at] ^= flip;
        }
        fs_err::write(&path, &damaged).unwrap();
        match Tokens::open(dir.path(), Split::Train, "t") {
            Ok(tokens) => {
                prop_assert_eq!(tokens.window(0, tokens.len()).collect::<Vec<_>>(), ids);
                prop_assert_eq!((tokens.n_bytes(), tokens.n_documents()), (29 * 2000, 29));
            }
            Err(error) => prop_assert!(error.to_string().contains("train-0000"), "{}", error),
        }
    }
}

#[test]
fn writing_to_a_full_disk() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    #[cfg(unix)]
    {
        let place = Place::new();
        place.corpus_file("a.txt", "the cat\n".repeat(1000));
        std::os::unix::fs::symlink(full, train(&place, 0)).unwrap();
        let text = message(place.shard_beside(&config(0.1, 1000)));
        assert!(text.contains("cannot write") && text.contains("train-00000.parquet"), "{text}");
        assert!(text.contains("No space left") && text.contains("earlier result is untouched"), "{text}");
    }
}

#[test]
fn ids_beyond_the_vocabulary_are_not_written() {
    let place = Place::with_documents(3);
    let facts = Facts {
        tokenizer_digest: "t".into(),
        corpus_digest: "c".into(),
        n_vocab: 5,
        seed: 0,
        validation_fraction: 0.0,
        tokens_per_shard: 10,
    };
    let dir = place.shards();
    let mut writer = SplitWriter::create(&dir, Split::Train, &facts).unwrap();
    writer.push("d", 0, 3, &[1, 4]).unwrap();
    assert!(message(writer.push("e", 1, 3, &[5])).contains("e: the encoder gave the token id 5"));
    writer.finish().unwrap();
    assert_eq!(metadata(&train(&place, 0)).n_tokens, 2);
}
