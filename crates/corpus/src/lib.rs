//! The documents of a corpus, streamed: .txt (a file is a document), .jsonl (a line) and .parquet (a row).
//!
//! Nothing larger than one piece of a .txt document, one line of .jsonl or one batch of Parquet rows is held.
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path();
//! # fs_err::write(path.join("a.txt"), "the cat").unwrap();
//! use gpt1_corpus::{Corpus, CorpusError};
//!
//! let mut n_bytes = 0;
//! Corpus::open(path)?.read::<CorpusError>(&mut |_| {}, &mut |piece| {
//!     n_bytes += piece.text.len();
//!     Ok(())
//! })?;
//! assert_eq!(n_bytes, 7);
//! # Ok::<(), CorpusError>(())
//! ```

mod delta;
mod error;
mod jsonl;
mod pages;
pub mod parquet_file;
mod pieces;
mod rows;
mod text;
mod thrift;

pub use error::CorpusError;
pub use parquet_file::{ParquetFile, ParquetFileError};
pub use pieces::{Gap, PIECE_BYTES, Piece};

use gpt1_artifacts::digest;
use pieces::Document;
use std::path::{Path, PathBuf};

/// What a corpus file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// One document.
    Text,
    /// A document on each line, in the field `text` of a JSON object.
    JsonLines,
    /// A document in each row, in the column `text`.
    Parquet,
}

impl FileKind {
    fn of(path: &Path) -> Option<FileKind> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" => Some(FileKind::Text),
            "jsonl" => Some(FileKind::JsonLines),
            "parquet" => Some(FileKind::Parquet),
            _ => None,
        }
    }
}

/// One file of a corpus.
#[derive(Debug, Clone)]
pub struct CorpusFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its path relative to the corpus, with `/`: the document's name, or its first part.
    pub name: String,
    /// What it holds.
    pub kind: FileKind,
    /// Its size.
    pub n_bytes: u64,
}

/// A folder or file of documents.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// The path as it was given.
    pub root: PathBuf,
    /// The files that hold documents, sorted by relative path.
    pub files: Vec<CorpusFile>,
    /// Files of other types, which are not read.
    pub ignored: Vec<PathBuf>,
}

impl Corpus {
    /// Lists a corpus. In a folder (searched with all folders below it) hidden entries are passed over, and those that
    /// [`digest::NOT_CONTENT`] names; files of other types are listed as ignored.
    pub fn open(path: &Path) -> Result<Corpus, CorpusError> {
        if fs_err::metadata(path)?.is_file() {
            let kind = FileKind::of(path).ok_or_else(|| CorpusError::UnknownType(path.to_owned()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let n_bytes = fs_err::metadata(path)?.len();
            let file = CorpusFile { path: path.to_owned(), name, kind, n_bytes };
            return Ok(Corpus { root: path.to_owned(), files: vec![file], ignored: Vec::new() });
        }
        let (mut files, mut ignored) = (Vec::new(), Vec::new());
        for relative in digest::content_files(path)? {
            let full = path.join(&relative);
            let Some(kind) = FileKind::of(&relative) else {
                ignored.push(full);
                continue;
            };
            let name = relative.to_string_lossy().replace('\\', "/");
            let n_bytes = fs_err::metadata(&full)?.len();
            files.push(CorpusFile { path: full, name, kind, n_bytes });
        }
        if files.is_empty() {
            return Err(CorpusError::NoFiles { path: path.to_owned(), n_ignored: ignored.len() });
        }
        Ok(Corpus { root: path.to_owned(), files, ignored })
    }

    /// Bytes of all files.
    pub fn n_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.n_bytes).sum()
    }

    /// What a program should say of the files that are not read.
    pub fn warning(&self) -> Option<String> {
        let first = self.ignored.first()?.display();
        let n = self.ignored.len();
        Some(format!("{n} files that are not .txt, .jsonl or .parquet are ignored (first: {first})"))
    }

    /// The error of a corpus in which no text was found.
    pub fn empty(&self) -> CorpusError {
        CorpusError::Empty { path: self.root.clone(), n_files: self.files.len() }
    }

    /// Gives every piece of every document that holds more than white space to `sink`, in order; `progress` hears how many
    /// bytes of the files more have been read, [`Corpus::n_bytes`] in all. Stops at the first error, also of `sink`.
    pub fn read<E: From<CorpusError>>(
        &self,
        progress: &mut dyn FnMut(u64),
        sink: &mut dyn FnMut(Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reading = Reading { n_documents: 0, n_reported: 0, progress, sink };
        for file in &self.files {
            log::debug!("{}: {} bytes", file.path.display(), file.n_bytes);
            match file.kind {
                FileKind::Text => text::read(file, &mut reading)?,
                FileKind::JsonLines => jsonl::read(file, &mut reading)?,
                FileKind::Parquet => rows::read(file, &mut reading)?,
            }
            reading.report(file, file.n_bytes);
            reading.n_reported = 0;
        }
        Ok(())
    }
}

/// Where that goes which is read.
struct Reading<'a, E> {
    /// Documents begun so far.
    n_documents: u64,
    /// Bytes of the current file that `progress` has heard of.
    n_reported: u64,
    progress: &'a mut dyn FnMut(u64),
    sink: &'a mut dyn FnMut(Piece) -> Result<(), E>,
}

impl<E> Reading<'_, E> {
    /// The next document.
    fn document(&mut self, name: String) -> Document {
        self.n_documents += 1;
        Document::new(name, self.n_documents - 1)
    }

    /// So many bytes of the current file have been read; reported once they are worth it.
    fn report(&mut self, file: &CorpusFile, n_read: u64) {
        const STEP: u64 = 1 << 20;
        // A file that grows while it is read has no more than its size.
        let n_read = n_read.min(file.n_bytes);
        if n_read >= self.n_reported + STEP || (n_read == file.n_bytes && n_read > self.n_reported) {
            (self.progress)(n_read - self.n_reported);
            self.n_reported = n_read;
        }
    }
}

/// The first names of a list, for messages.
fn some_names(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    const SHOWN: usize = 12;
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(SHOWN).map(|name| name.as_ref().to_owned()).collect();
    let more = if names.next().is_some() { ", ..." } else { "" };
    shown.join(", ") + more
}
