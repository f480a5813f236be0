//! .parquet: a row is a document, the column `text`.

use super::pieces::Document;
use super::{CorpusFile, Sink};
use crate::error::ShardError;
use crate::open::{self, guarded};
use arrow::array::AsArray;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use std::path::Path;

/// Bytes of text to hold at once, about.
const BATCH_BYTES: i64 = 8 << 20;

/// Streams one file a few rows at a time.
pub(super) fn read(file: &CorpusFile, index: &mut u64, sink: &mut Sink<'_>) -> Result<(), ShardError> {
    let path = file.path.as_path();
    let mut batches = open_text(path)?;
    let mut row = 0;
    while let Some(batch) = guarded(path, || {
        batches.next().transpose().map_err(|error| open::damaged(path, format!("after row {row}: {error}")))
    })? {
        let texts = batch.column(0).as_string_opt::<i32>().ok_or_else(|| open::damaged(path, "no strings in text"))?;
        for text in texts {
            row += 1;
            let text = text.ok_or_else(|| ShardError::NullText { path: path.to_owned(), row })?;
            let document = Document::new(format!("{}#{row}", file.name), *index);
            *index += 1;
            document.pieces_of(text, sink)?;
        }
    }
    Ok(())
}

/// A reader of the column `text`. The file's own arrow schema is passed over, so that Utf8, LargeUtf8, Utf8View and
/// dictionaries of them all come as Utf8.
fn open_text(path: &Path) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader, ShardError> {
    let builder = open::parquet(path)?;
    let fields = builder.schema().fields();
    let Some(column) = fields.iter().position(|f| f.name() == "text") else {
        let names = super::some_names(fields.iter().map(|f| f.name()));
        return Err(ShardError::NoTextColumn { path: path.to_owned(), found: format!("the columns {names}") });
    };
    if *fields[column].data_type() != DataType::Utf8 {
        let found = format!("a column \"text\" of type {}", fields[column].data_type());
        return Err(ShardError::NoTextColumn { path: path.to_owned(), found });
    }
    guarded(path, || {
        let mask = ProjectionMask::roots(builder.parquet_schema(), [column]);
        let leaf = (0..builder.parquet_schema().num_columns()).find(|&leaf| mask.leaf_included(leaf));
        let bytes_per_row = builder.metadata().row_groups().iter().map(|group| {
            let bytes = leaf.map_or(0, |leaf| group.column(leaf).uncompressed_size());
            bytes.max(0) / group.num_rows().max(1)
        });
        let batch_rows = (BATCH_BYTES / bytes_per_row.max().unwrap_or(0).max(1)).clamp(1, 8192);
        builder
            .with_projection(mask)
            .with_batch_size(batch_rows as usize)
            .build()
            .map_err(|error| open::damaged(path, error))
    })
}
