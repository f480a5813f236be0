//! The corpus: a file or a folder of plain text (`.txt`) and of JSON lines (`.jsonl`, field `text`), read block by block.
//!
//! Blocks end where no word does, so that they can be worked on in any order and on all cores; at most two rounds of
//! blocks are in memory.

use fs_err::File;
use rayon::prelude::*;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of a block, about: it ends at the first good place after so many.
const BLOCK_BYTES: usize = 1 << 20;

/// Why a corpus cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// Reading failed; the message names the path.
    #[error("cannot read the corpus: {0}")]
    Io(#[from] io::Error),
    /// A file whose name says that it is of another kind.
    #[error("{path}: expected a .txt or .jsonl file, or a folder of them; found {found}{hint}")]
    Kind {
        /// The file.
        path: PathBuf,
        /// What its name says.
        found: String,
        /// What to do, as a line of its own.
        hint: &'static str,
    },
    /// No file to read, or no word in any.
    #[error(
        "{path}: the corpus is empty: {found}\n  hint: expected .txt files, or .jsonl files with a text in the field \"text\" of each line"
    )]
    Empty {
        /// The corpus.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// Bytes that are no UTF-8.
    #[error(
        "{path}:{line}: byte {offset} of the file is not valid UTF-8\n  hint: convert the file, e.g. iconv -f WINDOWS-1252 -t UTF-8"
    )]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The byte in the file, from 0.
        offset: u64,
    },
    /// A line of a .jsonl file that is no JSON object with a text.
    #[error("{path}:{line}:{column}: expected a JSON object with a string in the field \"text\": {message}")]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The byte in the line, from 1.
        column: usize,
        /// What the JSON reader says.
        message: String,
    },
}

/// The files of a corpus, in the order of their paths.
#[derive(Debug)]
pub struct Corpus {
    /// What was opened.
    pub path: PathBuf,
    /// The files.
    pub files: Vec<PathBuf>,
    /// Their bytes together.
    pub n_bytes: u64,
}

impl Corpus {
    /// Finds the files: `path` itself, or all `.txt` and `.jsonl` files in the folder and below (names that begin with `.` and
    /// other kinds are passed over; Parquet is refused, for it would be missed in silence).
    pub fn open(path: &Path) -> Result<Corpus, CorpusError> {
        let mut files = Vec::new();
        if fs_err::metadata(path)?.is_dir() {
            find(path, &mut BTreeSet::new(), &mut files)?;
        } else {
            match kind(path) {
                Some(_) => files.push(path.to_owned()),
                None => return Err(wrong_kind(path)),
            }
        }
        if files.is_empty() {
            return Err(CorpusError::Empty {
                path: path.to_owned(),
                found: "no .txt or .jsonl file in the folder".into(),
            });
        }
        let n_bytes = files.iter().try_fold(0, |sum, file| io::Result::Ok(sum + fs_err::metadata(file)?.len()))?;
        Ok(Corpus { path: path.to_owned(), files, n_bytes })
    }

    /// Calls `work` with each piece of text of the corpus, on all threads of rayon's current pool, in no fixed order.
    /// `progress` hears how many more bytes have been read. The first error in the order of the corpus is returned.
    pub fn for_each_text(&self, work: impl Fn(&str) + Sync, progress: impl Fn(u64) + Sync) -> Result<(), CorpusError> {
        let n_blocks = 2 * rayon::current_num_threads();
        let mut blocks = Blocks { files: &self.files, current: None };
        let mut round = blocks.take(n_blocks)?;
        while !round.is_empty() {
            let (next, done) = rayon::join(
                || blocks.take(n_blocks),
                || {
                    let results: Vec<_> = round
                        .par_iter()
                        .map(|block| {
                            let result = block.for_each_text(&work);
                            progress(block.bytes.len() as u64);
                            result
                        })
                        .collect();
                    results.into_iter().collect::<Result<(), _>>()
                },
            );
            done?;
            round = next?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    JsonLines,
}

fn kind(path: &Path) -> Option<Kind> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "txt" => Some(Kind::Text),
        "jsonl" => Some(Kind::JsonLines),
        _ => None,
    }
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

fn wrong_kind(path: &Path) -> CorpusError {
    let found = path.extension().map_or("no extension".into(), |extension| format!(".{}", extension.display()));
    let hint = if is_parquet(path) {
        "\n  hint: Parquet corpora are read by gpt1-shard; to learn a vocabulary, give the same text as .txt or .jsonl"
    } else {
        ""
    };
    CorpusError::Kind { path: path.to_owned(), found, hint }
}

/// Files below `dir`, sorted; a folder met twice (by links) is read once.
fn find(dir: &Path, seen: &mut BTreeSet<PathBuf>, files: &mut Vec<PathBuf>) -> Result<(), CorpusError> {
    if !seen.insert(fs_err::canonicalize(dir)?) {
        return Ok(());
    }
    let mut paths = fs_err::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        if fs_err::metadata(&path)?.is_dir() {
            find(&path, seen, files)?;
        } else if is_parquet(&path) {
            return Err(wrong_kind(&path));
        } else if kind(&path).is_some() {
            files.push(path);
        }
    }
    Ok(())
}

/// A piece of a file that begins and ends where no word does.
struct Block {
    path: PathBuf,
    kind: Kind,
    /// Lines of the file before the block.
    n_lines_before: u64,
    /// Bytes of the file before the block.
    offset: u64,
    bytes: Vec<u8>,
}

impl Block {
    fn for_each_text(&self, work: &impl Fn(&str)) -> Result<(), CorpusError> {
        let text = str::from_utf8(&self.bytes).map_err(|error| {
            let at = error.valid_up_to();
            let line = self.n_lines_before + n_lines(&self.bytes[..at]) + 1;
            CorpusError::Utf8 { path: self.path.clone(), line, offset: self.offset + at as u64 }
        })?;
        // A byte-order mark is no part of the text.
        let text = if self.offset == 0 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if self.kind == Kind::Text {
            work(text);
            return Ok(());
        }
        for (i, line) in text.split('\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let row: Row = serde_json::from_str(line).map_err(|error| CorpusError::Json {
                path: self.path.clone(),
                line: self.n_lines_before + i as u64 + 1,
                column: error.column(),
                message: crate::vocabulary::json_message(&error),
            })?;
            work(&row.text);
        }
        Ok(())
    }
}

/// A line of a .jsonl corpus; other fields are passed over.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// Reads the files one after another.
struct Blocks<'a> {
    files: &'a [PathBuf],
    current: Option<Open>,
}

/// A file being read.
struct Open {
    file: File,
    kind: Kind,
    n_lines: u64,
    offset: u64,
    /// Bytes read that belong to the next block.
    rest: Vec<u8>,
}

impl Blocks<'_> {
    fn take(&mut self, n: usize) -> Result<Vec<Block>, CorpusError> {
        let mut blocks = Vec::with_capacity(n);
        while blocks.len() < n {
            match self.next()? {
                Some(block) => blocks.push(block),
                None => break,
            }
        }
        Ok(blocks)
    }

    fn next(&mut self) -> Result<Option<Block>, CorpusError> {
        loop {
            let open = if let Some(open) = &mut self.current {
                open
            } else {
                let Some((path, others)) = self.files.split_first() else { return Ok(None) };
                self.files = others;
                let kind = kind(path).ok_or_else(|| wrong_kind(path))?;
                let file = File::open(path)?;
                self.current.insert(Open { file, kind, n_lines: 0, offset: 0, rest: Vec::new() })
            };
            match open.next()? {
                Some(block) => return Ok(Some(block)),
                None => self.current = None,
            }
        }
    }
}

impl Open {
    fn next(&mut self) -> io::Result<Option<Block>> {
        let mut bytes = std::mem::take(&mut self.rest);
        let mut n_searched = 0;
        while (&mut self.file).take(BLOCK_BYTES as u64).read_to_end(&mut bytes)? > 0 {
            if let Some(end) = self.cut(&bytes[n_searched..]) {
                self.rest = bytes.split_off(n_searched + end);
                break;
            }
            n_searched = bytes.len();
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let block = Block {
            path: self.file.path().to_owned(),
            kind: self.kind,
            n_lines_before: self.n_lines,
            offset: self.offset,
            bytes,
        };
        self.n_lines += n_lines(&block.bytes);
        self.offset += block.bytes.len() as u64;
        Ok(Some(block))
    }

    /// Where the last line ends, else (in plain text) the last word that a space follows.
    fn cut(&self, bytes: &[u8]) -> Option<usize> {
        let after_last = |byte| bytes.iter().rposition(|&b| b == byte).map(|at| at + 1);
        after_last(b'\n').or_else(|| if self.kind == Kind::Text { after_last(b' ') } else { None })
    }
}

fn n_lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}
