//! Token shards, and Parquet corpora as other writers make them.

use crate::harness::{Damaged, damage, folder, isolated, same};
use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use gpt1_corpus::{Corpus, CorpusError};
use gpt1_shard::{Facts, Split, SplitWriter, Tokens};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use parquet::schema::types::Type;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The library makes room for as many entries of a list in the footer as that has bytes left.
const SLACK: usize = 256 << 10;

/// The footer, and the first bytes of each column, where the header of its first page is.
fn lengths(path: &Path) -> Vec<Range<usize>> {
    let reader = SerializedFileReader::new(fs_err::File::open(path).unwrap().into_parts().0).unwrap();
    let columns = reader.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
    let starts = columns.map(|column| column.byte_range().0 as usize);
    let mut lengths: Vec<Range<usize>> = starts.map(|start| start..start + 40).collect();
    let n_bytes = fs_err::metadata(path).unwrap().len() as usize;
    let tail = fs_err::read(path).unwrap()[n_bytes - 8..n_bytes - 4].try_into().unwrap();
    lengths.push(n_bytes - 8 - u32::from_le_bytes(tail) as usize..n_bytes);
    lengths
}

fn damaged<'a>(path: &Path, lengths: &'a [Range<usize>]) -> Damaged<'a> {
    Damaged { path: path.to_owned(), named: path.to_owned(), lengths, slack: SLACK, has_lines: false }
}

#[test]
fn token_shards() {
    isolated("parquet_files::token_shards", || {
        for n_vocab in [300, 70_000] {
            let dir = folder();
            let dir = dir.path();
            let facts = Facts {
                tokenizer_digest: "a".repeat(64),
                corpus_digest: "b".repeat(64),
                n_vocab,
                seed: 1,
                validation_fraction: 0.1,
                tokens_per_shard: 1000,
            };
            let mut writer = SplitWriter::create(dir, Split::Train, &facts).unwrap();
            let mut expected = Vec::new();
            for row in 0..40_u64 {
                let ids: Vec<u32> =
                    (0..row as u32 % 7 * 3).map(|i| (i * i * 31 + row as u32) % n_vocab as u32).collect();
                writer.push(&format!("document {row}"), row / 2, 100 + row, &ids).unwrap();
                expected.extend(ids);
            }
            let summary = writer.finish().unwrap();
            let path = dir.join("train-00000.parquet");
            let check = |_: &[u8], tokens: Tokens| {
                same("bytes and documents", &(tokens.n_bytes(), tokens.n_documents()), &(summary.bytes, 20))?;
                same("tokens", &tokens.window(0, tokens.len()).collect(), &expected)
            };
            damage(
                &damaged(&path, &lengths(&path)),
                || Tokens::open(dir, Split::Train, &facts.tokenizer_digest),
                check,
            );
        }
    });
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
}

/// All documents of a corpus.
fn read(path: &Path) -> Result<Vec<String>, CorpusError> {
    let mut texts = Vec::new();
    Corpus::open(path)?.read::<CorpusError>(&mut |_| {}, &mut |piece| {
        texts.push(piece.text);
        Ok(())
    })?;
    Ok(texts)
}

/// What the column `text` holds by the library's other reader, row by row.
fn by_rows(bytes: &[u8]) -> Result<Vec<String>, String> {
    let file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut &file, bytes).unwrap();
    let read = || -> Result<Vec<String>, parquet::errors::ParquetError> {
        let reader = SerializedFileReader::new(file)?;
        let schema = reader.metadata().file_metadata().schema();
        let text: Vec<_> = schema.get_fields().iter().filter(|field| field.name() == "text").take(1).cloned().collect();
        let projection = Type::group_type_builder(schema.name()).with_fields(text).build()?;
        let rows = reader.get_row_iter(Some(projection))?;
        rows.map(|row| row?.get_string(0).cloned()).collect()
    };
    let texts = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    let texts = texts.map_err(|_| "the other reader panics".to_owned())?.map_err(|error| error.to_string())?;
    // Documents of white space are none.
    Ok(texts.into_iter().filter(|text| !text.trim().is_empty()).collect())
}

fn corpus(path: &Path, properties: WriterProperties) {
    let words = ["the cat", "sat", "on a mat", "and saw", "nothing"];
    let texts = (0..60).map(|i: usize| Some([words[i % 5], words[i * 7 % 5], words[i / 5 % 5]].join(" ")));
    let columns: [(&str, ArrayRef); 2] =
        [("id", Arc::new(Int32Array::from_iter_values(0..60))), ("text", Arc::new(texts.collect::<StringArray>()))];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
    let mut writer =
        ArrowWriter::try_new(fs_err::File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn corpus_of(test: &str, properties: WriterPropertiesBuilder) {
    isolated(test, || {
        let dir = folder();
        let path = dir.path().join("a.parquet");
        corpus(&path, properties.build());
        let honest = read(&path).unwrap();
        let check = |bytes: &[u8], texts: Vec<String>| match by_rows(bytes) {
            Ok(expected) => {
                same("texts", &texts.len(), &expected.len())?;
                texts.iter().zip(&expected).try_for_each(|(found, expected)| same("a text", found, expected))
            }
            // It looks at bytes that mean nothing to the text.
            Err(_) if texts == honest => Ok(()),
            Err(message) => Err(format!("the other reader refuses it: {message}")),
        };
        damage(&damaged(&path, &lengths(&path)), || read(&path), check);
    });
}

#[test]
fn corpus_plain() {
    let plain = properties().set_compression(Compression::UNCOMPRESSED).set_dictionary_enabled(false);
    corpus_of("parquet_files::corpus_plain", plain);
}

#[test]
fn corpus_snappy() {
    corpus_of("parquet_files::corpus_snappy", properties().set_compression(Compression::SNAPPY));
}

#[test]
fn corpus_zstd() {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let version = WriterVersion::PARQUET_2_0;
    corpus_of("parquet_files::corpus_zstd", properties().set_compression(zstd).set_writer_version(version));
}

#[test]
fn corpus_gzip() {
    corpus_of("parquet_files::corpus_gzip", properties().set_compression(Compression::GZIP(GzipLevel::default())));
}

#[test]
fn corpus_lz4() {
    corpus_of("parquet_files::corpus_lz4", properties().set_compression(Compression::LZ4_RAW));
}

/// Without compression, so that the counts in the pages are damaged too.
fn delta(encoding: Encoding) -> WriterPropertiesBuilder {
    let plain = properties().set_compression(Compression::UNCOMPRESSED).set_dictionary_enabled(false);
    plain.set_column_encoding("text".into(), encoding)
}

#[test]
fn corpus_delta_length() {
    corpus_of("parquet_files::corpus_delta_length", delta(Encoding::DELTA_LENGTH_BYTE_ARRAY));
}

#[test]
fn corpus_delta() {
    corpus_of("parquet_files::corpus_delta", delta(Encoding::DELTA_BYTE_ARRAY));
}

/// Written by another program, with a checksum for each page (tests/golden/parquet): damage to a text does not go unnoticed.
#[test]
fn corpus_checksums() {
    isolated("parquet_files::corpus_checksums", || {
        let dir = folder();
        let path = dir.path().join("a.parquet");
        fs_err::write(&path, include_bytes!("../../golden/parquet/checksums.parquet")).unwrap();
        let honest = read(&path).unwrap();
        let (places, n_header) = (lengths(&path), 40);
        let footer = places.last().unwrap().start;
        let whole = fs_err::read(&path).unwrap();
        let check = |bytes: &[u8], texts: Vec<String>| {
            // Headers have no checksum, and can say that there is none.
            let is_headers = bytes.len() != whole.len()
                || whole[..n_header] != bytes[..n_header]
                || whole[footer..] != bytes[footer..]
                || texts.len() != honest.len();
            if is_headers { Ok(()) } else { same("texts", &texts, &honest) }
        };
        damage(&damaged(&path, &places), || read(&path), check);
    });
}
