//! Opening Parquet files that may be damaged: corpora, and the shards made of them.

use crate::pages::Groups;
use crate::thrift;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, RowGroups};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;
use std::fmt::Display;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Why a Parquet file cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields hold")]
pub enum ParquetFileError {
    /// Reading failed; the message names the path.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A file that is cut short, or no Parquet at all.
    #[error(
        "{path}: not a whole Parquet file: {message}\n  hint: it was cut short or is of another type; copy or make it again"
    )]
    NotParquet { path: PathBuf, message: String },
    /// A file that cannot be decoded.
    #[error("{path}: damaged Parquet file: {message}\n  hint: copy or make it again")]
    Damaged { path: PathBuf, message: String },
    /// A file compressed in a way this build does not know.
    #[error(
        "{path}: compressed with {codec}, which this build cannot read\n  hint: write the file with zstd or without compression"
    )]
    Codec { path: PathBuf, codec: String },
}

/// A Parquet file whose footer has been read.
#[derive(Debug)]
pub struct ParquetFile {
    /// Its path, for messages.
    pub path: PathBuf,
    footer: ArrowReaderMetadata,
    groups: Groups,
}

impl ParquetFile {
    /// Opens a Parquet file and reads its footer; types as Parquet's own schema says, not as the writer's arrow schema does.
    pub fn open(path: &Path) -> Result<ParquetFile, ParquetFileError> {
        let mut file = fs_err::File::open(path)?;
        let not_parquet = |message: String| ParquetFileError::NotParquet { path: path.to_owned(), message };
        let len = file.metadata()?.len();
        // Magic, footer length and magic again.
        if len < 12 {
            return Err(not_parquet(format!("it has {len} bytes")));
        }
        let (mut head, mut tail) = ([0; 4], [0; 4]);
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::End(-4))?;
        file.read_exact(&mut tail)?;
        for (magic, place) in [(head, "begin"), (tail, "end")] {
            if magic != *b"PAR1" {
                return Err(not_parquet(format!("it does not {place} with PAR1 ({len} bytes)")));
            }
        }
        let n_footer = footer_bytes(&mut file)?;
        // Else the decoder says so.
        if n_footer + 8 <= len {
            file.seek(SeekFrom::Start(len - 8 - n_footer))?;
            let footer = BufReader::new((&mut file).take(n_footer));
            thrift::check_footer(footer).map_err(|error| damaged(path, error))?;
        }
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let (file, _) = file.into_parts();
        guarded(path, || {
            let footer = ArrowReaderMetadata::load(&file, options).map_err(|error| damaged(path, error))?;
            check_footer(footer.metadata(), len).map_err(|message| damaged(path, message))?;
            let groups = Groups::new(file, footer.metadata());
            Ok(ParquetFile { path: path.to_owned(), footer, groups })
        })
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        self.footer.schema()
    }

    /// The same as Parquet has it.
    pub fn parquet_schema(&self) -> &SchemaDescriptor {
        self.footer.parquet_schema()
    }

    /// The footer.
    pub fn metadata(&self) -> &ParquetMetaData {
        self.footer.metadata()
    }

    /// All rows of these columns, `n_rows` at a time.
    pub fn batches(
        &self,
        columns: ProjectionMask,
        n_rows: usize,
    ) -> Result<ParquetRecordBatchReader, ParquetFileError> {
        let read = || {
            let levels = parquet_to_arrow_field_levels(self.parquet_schema(), columns, None)?;
            ParquetRecordBatchReader::try_new_with_row_groups(
                &levels,
                &self.groups,
                n_rows.min(self.groups.num_rows()),
                None,
            )
        };
        guarded(&self.path, || read().map_err(|error| damaged(&self.path, error)))
    }
}

/// The length of the footer, which stands before the last four bytes.
fn footer_bytes(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let mut length = [0; 4];
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut length)?;
    Ok(u64::from(u32::from_le_bytes(length)))
}

/// What a footer of a file of `len` bytes cannot say.
fn check_footer(footer: &ParquetMetaData, len: u64) -> Result<(), String> {
    let mut n_rows = Some(0_i64);
    for group in footer.row_groups() {
        n_rows = n_rows.and_then(|sum| sum.checked_add(group.num_rows()).filter(|_| group.num_rows() >= 0));
        for column in group.columns() {
            // What column.byte_range() gives, which panics on negative numbers.
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let range = (u64::try_from(start), u64::try_from(column.compressed_size()));
            let end = if let (Ok(start), Ok(n_bytes)) = range { start.checked_add(n_bytes) } else { None };
            if end.is_none_or(|end| end > len) {
                return Err(format!("a column is said to lie outside of the file's {len} bytes"));
            }
        }
    }
    if n_rows != Some(footer.file_metadata().num_rows()) {
        return Err("its row groups do not have as many rows as the file".to_owned());
    }
    Ok(())
}

/// Runs code that decodes a file; should it panic on damaged bytes, that is an error of the file.
pub fn guarded<T, E: From<ParquetFileError>>(path: &Path, decode: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(damaged(path, "it cannot be decoded").into()))
}

/// The error of bytes that cannot be decoded, or whose compression this build does not know.
pub fn damaged(path: &Path, message: impl Display) -> ParquetFileError {
    let message = message.to_string();
    // Parquet's words for a codec whose cargo feature is off; which are on is the workspace's choice.
    match message.split_once("Disabled feature at compile time: ") {
        Some((_, codec)) => ParquetFileError::Codec { path: path.to_owned(), codec: codec.trim().to_owned() },
        None => ParquetFileError::Damaged { path: path.to_owned(), message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::errors::ParquetError;

    #[test]
    fn unknown_compression_is_no_damage() {
        let error = ParquetError::General("Disabled feature at compile time: snap".to_owned());
        let text = damaged(Path::new("a.parquet"), error).to_string();
        assert!(text.starts_with("a.parquet: compressed with snap, which this build cannot read"), "{text}");
        assert!(matches!(damaged(Path::new("a.parquet"), "bad page"), ParquetFileError::Damaged { .. }));
    }

    #[test]
    fn panics_become_errors() {
        let error =
            guarded::<(), ParquetFileError>(Path::new("a.parquet"), || panic!("as a decoder might")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.parquet: damaged Parquet file: it cannot be decoded\n  hint: copy or make it again"
        );
    }
}
