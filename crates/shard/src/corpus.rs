//! The documents of a corpus, streamed: .txt (a file is a document), .jsonl (a line) and .parquet (a row).
//!
//! Nothing larger than one piece of a .txt document, one line of .jsonl or one batch of Parquet rows is held.

mod jsonl;
mod parquet;
mod pieces;
mod text;

pub use pieces::{Gap, PIECE_BYTES, Piece};

use crate::error::ShardError;
use gpt1_artifacts::digest;
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

/// Takes the pieces of a corpus one by one.
pub(crate) type Sink<'a> = dyn FnMut(Piece) -> Result<(), ShardError> + 'a;

impl Corpus {
    /// Lists a corpus. In a folder (searched with all folders below it) hidden entries are passed over, and those that
    /// [`digest::NOT_CONTENT`] names; files of other types are listed as ignored.
    pub fn open(path: &Path) -> Result<Corpus, ShardError> {
        if fs_err::metadata(path)?.is_file() {
            let kind = FileKind::of(path).ok_or_else(|| ShardError::UnknownType(path.to_owned()))?;
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
            return Err(ShardError::NoFiles { path: path.to_owned(), n_ignored: ignored.len() });
        }
        Ok(Corpus { root: path.to_owned(), files, ignored })
    }

    /// Bytes of all files.
    pub fn n_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.n_bytes).sum()
    }

    /// Gives every piece of every document that holds more than white space to `sink`, in order; `on_file` gets the size
    /// of each file that has been read.
    pub fn read(
        &self,
        on_file: &mut dyn FnMut(u64),
        sink: &mut dyn FnMut(Piece) -> Result<(), ShardError>,
    ) -> Result<(), ShardError> {
        let mut index = 0;
        for file in &self.files {
            match file.kind {
                FileKind::Text => text::read(file, &mut index, sink)?,
                FileKind::JsonLines => jsonl::read(file, &mut index, sink)?,
                FileKind::Parquet => parquet::read(file, &mut index, sink)?,
            }
            on_file(file.n_bytes);
        }
        Ok(())
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
