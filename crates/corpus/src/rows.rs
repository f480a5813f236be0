//! .parquet: a row is a document, the column `text`.

use crate::error::CorpusError;
use crate::parquet_file::{ParquetFile, damaged, guarded};
use crate::{CorpusFile, Reading};
use arrow::array::AsArray;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use std::path::Path;

/// Bytes of text to hold at once, about.
const BATCH_BYTES: i64 = 8 << 20;

/// Streams one file a few rows at a time.
pub(crate) fn read<E: From<CorpusError>>(file: &CorpusFile, reading: &mut Reading<'_, E>) -> Result<(), E> {
    let path = file.path.as_path();
    let (mut batches, n_rows) = open_text(path)?;
    let mut row = 0;
    while let Some(batch) = guarded(path, || {
        let next = batches.next().transpose();
        next.map_err(|error| CorpusError::from(damaged(path, format!("after row {row}: {error}"))))
    })? {
        let texts = batch.column(0).as_string_opt::<i32>();
        for text in texts.ok_or_else(|| CorpusError::from(damaged(path, "no strings in text")))? {
            row += 1;
            let text = text.ok_or_else(|| CorpusError::NullText { path: path.to_owned(), row })?;
            reading.document(format!("{}#{row}", file.name)).pieces_of(text, reading.sink)?;
        }
        let share = row as f64 / n_rows.max(1) as f64;
        reading.report(file, (file.n_bytes as f64 * share) as u64);
    }
    if row != n_rows {
        let message = format!("it should hold {n_rows} rows, but holds {row}");
        return Err(CorpusError::from(damaged(path, message)).into());
    }
    Ok(())
}

/// A reader of the column `text`, and the file's rows. The file's own arrow schema is passed over, so that Utf8, LargeUtf8,
/// Utf8View and dictionaries of them all come as Utf8.
fn open_text(path: &Path) -> Result<(ParquetRecordBatchReader, u64), CorpusError> {
    let file = ParquetFile::open(path)?;
    let fields = file.schema().fields();
    let Some(column) = fields.iter().position(|f| f.name() == "text") else {
        let names = crate::some_names(fields.iter().map(|f| f.name()));
        return Err(CorpusError::NoTextColumn { path: path.to_owned(), found: format!("the columns {names}") });
    };
    if *fields[column].data_type() != DataType::Utf8 {
        let found = format!("a column \"text\" of type {}", fields[column].data_type());
        return Err(CorpusError::NoTextColumn { path: path.to_owned(), found });
    }
    let mask = ProjectionMask::roots(file.parquet_schema(), [column]);
    let leaf = (0..file.parquet_schema().num_columns()).find(|&leaf| mask.leaf_included(leaf));
    let bytes_per_row = file.metadata().row_groups().iter().map(|group| {
        let bytes = leaf.map_or(0, |leaf| group.column(leaf).uncompressed_size());
        bytes.max(0) / group.num_rows().max(1)
    });
    let batch_rows = (BATCH_BYTES / bytes_per_row.max().unwrap_or(0).max(1)).clamp(1, 8192);
    // Not below 0: it is the sum of its row groups'.
    let n_rows = file.metadata().file_metadata().num_rows() as u64;
    Ok((file.batches(mask, batch_rows as usize)?, n_rows))
}
