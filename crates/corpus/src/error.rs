//! What can be wrong with a corpus; a place is `path:line:`, in Parquet `path:row:`, both from 1.

use crate::parquet_file::ParquetFileError;
use std::io;
use std::path::PathBuf;

/// Why a corpus cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields hold")]
pub enum CorpusError {
    /// Reading failed; the message names the path.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A file of another type.
    #[error("{0}: expected a folder, or a file ending in .txt, .jsonl or .parquet")]
    UnknownType(PathBuf),
    /// A folder without a file that could be read.
    #[error(
        "{path}: the folder holds no .txt, .jsonl or .parquet file ({n_ignored} of other types)\n  hint: a .txt file is a document; .jsonl needs a field \"text\" and .parquet a column \"text\""
    )]
    NoFiles { path: PathBuf, n_ignored: usize },
    /// No document holds anything but white space.
    #[error("{path}: the corpus is empty: {n_files} files, but no text other than white space in any of them")]
    Empty { path: PathBuf, n_files: usize },
    /// Bytes that are no UTF-8.
    #[error(
        "{path}:{line}: invalid UTF-8 at byte {offset} of the file (0x{byte:02x})\n  hint: convert the file, for example with: iconv -f WINDOWS-1252 -t UTF-8"
    )]
    InvalidUtf8 { path: PathBuf, line: u64, offset: u64, byte: u8 },
    /// A line of .jsonl that is no JSON.
    #[error("{path}:{line}: expected one JSON object on the line: {message}")]
    NotJson { path: PathBuf, line: u64, message: String },
    /// A line of .jsonl without its text.
    #[error("{path}:{line}: expected a field \"text\" that holds a string, found {found}")]
    NoTextField { path: PathBuf, line: u64, found: String },
    /// A line of .jsonl beyond all bounds.
    #[error("{path}:{line}: the line is longer than {limit} bytes\n  hint: divide the document into several lines")]
    LineTooLong { path: PathBuf, line: u64, limit: u64 },
    /// A Parquet file without its text.
    #[error("{path}: expected a column \"text\" of strings, found {found}")]
    NoTextColumn { path: PathBuf, found: String },
    /// A row of a Parquet file without its text.
    #[error("{path}:{row}: the column \"text\" is null in this row\n  hint: remove the rows without text")]
    NullText { path: PathBuf, row: u64 },
    /// A Parquet file that cannot be read.
    #[error(transparent)]
    Parquet(#[from] ParquetFileError),
}
