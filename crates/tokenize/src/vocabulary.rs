//! The vocabulary and its two files, `vocab.json` and `merges.txt`, as OpenAI and Hugging Face have them.
//!
//! Ids, with `n` characters: `<unk>` 0; the characters from 1; the same with `</w>`, the end of a word, from `1 + n`; the merge
//! of rank `r` at `1 + 2 n + r`; last the line break, `\n</w>`. The readers accept any other order of ids, and entries in angle
//! brackets (`<pad>`), but nothing that would make encoding wrong or ambiguous.

use crate::hash::{Map, Set};
use crate::tokenizer_json::tokenizer_json;
use gpt1_artifacts::output::write_atomic;
use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

/// The entry of id 0: any symbol that is not in the vocabulary.
pub const UNKNOWN: &str = "<unk>";
/// What ends the last symbol of a word.
pub const END_OF_WORD: &str = "</w>";
/// The line break's entry.
pub const LINE_BREAK_ENTRY: &str = "\n</w>";

/// The first line of `merges.txt`.
const HEADER: &str = "#version: 0.2";
/// No vocabulary file is larger.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// The names of the two files: ours (and Hugging Face's), and OpenAI's.
const FILE_NAMES: [(&str, &str); 2] = [("vocab.json", "merges.txt"), ("encoder_bpe_40000.json", "vocab_40000.bpe")];

/// Why a vocabulary cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyError {
    /// Reading failed; the message names the path.
    #[error("cannot read the vocabulary: {0}")]
    Io(#[from] io::Error),
    /// The directory holds no vocabulary.
    #[error(
        "{0}: no vocabulary here\n  hint: expected vocab.json and merges.txt (or OpenAI's encoder_bpe_40000.json and vocab_40000.bpe)"
    )]
    Missing(PathBuf),
    /// The file cannot be a vocabulary.
    #[error("{path}: expected a vocabulary file of at most {MAX_FILE_BYTES} bytes; this one is larger")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is no JSON object of entries and ids, or one of them is wrong.
    #[error("{path}:{line}:{column}: expected a JSON object of entries and their ids: {message}")]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The entries together are wrong.
    #[error("{path}: {message}")]
    Entries {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A line of the merges is wrong.
    #[error("{path}:{line}: {message}")]
    Merge {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// A merge, in ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merge {
    /// The left symbol.
    pub left: u32,
    /// The right symbol.
    pub right: u32,
    /// The two as one.
    pub merged: u32,
}

/// A vocabulary that has been checked: every merge is built from characters and earlier merges, and makes an entry that no
/// other makes.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    entries: Vec<String>,
    merges: Vec<Merge>,
    vocab_json: Vec<u8>,
    merges_txt: Vec<u8>,
}

impl Vocabulary {
    /// Reads the two files.
    pub fn from_files(vocab: &Path, merges: &Path) -> Result<Vocabulary, VocabularyError> {
        Vocabulary::parse(vocab, read(vocab)?, merges, read(merges)?)
    }

    /// Reads `vocab.json` and `merges.txt`, or OpenAI's `encoder_bpe_40000.json` and `vocab_40000.bpe`.
    pub fn from_dir(dir: &Path) -> Result<Vocabulary, VocabularyError> {
        let [ours, released] = FILE_NAMES.map(|(vocab, merges)| (dir.join(vocab), dir.join(merges)));
        let found = if !ours.0.exists() && released.0.exists() { released } else { ours };
        if !found.0.exists() && !found.1.exists() {
            return Err(VocabularyError::Missing(dir.to_owned()));
        }
        Vocabulary::from_files(&found.0, &found.1)
    }

    /// Gives ids to what [`crate::learn`] has learned.
    pub fn from_learned(alphabet: &[char], merges: &[(String, String)]) -> Result<Vocabulary, VocabularyError> {
        let characters = ["", END_OF_WORD].map(|end| alphabet.iter().map(move |c| format!("{c}{end}")));
        let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
        let ends = [UNKNOWN, LINE_BREAK_ENTRY].map(|entry| std::iter::once(entry.to_owned()));
        let [first, last] = ends;
        let entries = first.chain(characters.into_iter().flatten()).chain(merged).chain(last);
        let mut json = String::from("{");
        for (id, entry) in entries.enumerate() {
            let comma = if id == 0 { "" } else { ", " };
            _ = write!(json, "{comma}{}: {id}", serde_json::Value::String(entry));
        }
        json.push('}');
        let mut text = format!("{HEADER}\n");
        for (left, right) in merges {
            _ = writeln!(text, "{left} {right}");
        }
        let [vocab_path, merges_path] = [FILE_NAMES[0].0, FILE_NAMES[0].1].map(Path::new);
        Vocabulary::parse(vocab_path, json.into_bytes(), merges_path, text.into_bytes())
    }

    /// Reads the two files' contents; the paths are for messages.
    pub fn parse(
        vocab_path: &Path,
        vocab_json: Vec<u8>,
        merges_path: &Path,
        merges_txt: Vec<u8>,
    ) -> Result<Vocabulary, VocabularyError> {
        let entries = parse_entries(vocab_path, &vocab_json)?;
        let ids: Map<&str, u32> = entries.iter().enumerate().map(|(id, entry)| (entry.as_str(), id as u32)).collect();
        let merges = parse_merges(merges_path, &merges_txt, &ids)?;
        if let Some(id) = unreachable_entry(&entries, &merges) {
            let n = merges.len();
            let message = format!(
                "no merge makes the entry {:?} (id {id})\n  hint: {} holds {n} merges; is it the file that belongs to this vocabulary, and whole?",
                entries[id],
                merges_path.display(),
            );
            return Err(VocabularyError::Entries { path: vocab_path.to_owned(), message });
        }
        Ok(Vocabulary { entries, merges, vocab_json, merges_txt })
    }

    /// The entries, by id.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// The merges, by rank.
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// Writes `vocab.json` and `merges.txt` into the directory, the bytes that were read, and [`crate::tokenizer_json`].
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let (vocab, merges) = FILE_NAMES[0];
        let for_others = serde_json::to_vec_pretty(&tokenizer_json(self))?;
        write_atomic(&dir.join("tokenizer.json"), |file| file.write_all(&for_others))?;
        write_atomic(&dir.join(vocab), |file| file.write_all(&self.vocab_json))?;
        write_atomic(&dir.join(merges), |file| file.write_all(&self.merges_txt))
    }
}

/// What a JSON error says, without the place (which the caller puts in front).
fn json_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

fn read(path: &Path) -> Result<Vec<u8>, VocabularyError> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(VocabularyError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

/// The entries by id: ids 0, 1, 2 ... without gap, `<unk>` first.
fn parse_entries(path: &Path, json: &[u8]) -> Result<Vec<String>, VocabularyError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let by_id = deserializer
        .deserialize_map(EntriesVisitor)
        .and_then(|by_id| deserializer.end().map(|()| by_id))
        .map_err(|error| VocabularyError::Json {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            message: json_message(&error),
        })?;
    let wrong = |message| Err(VocabularyError::Entries { path: path.to_owned(), message });
    let n = by_id.len();
    if let Some(missing) = by_id.keys().zip(0..).position(|(&id, expected)| id != expected) {
        let last = by_id.keys().next_back().copied().unwrap_or_default();
        return wrong(format!(
            "expected the ids 0 to {}, one for each of the {n} entries; id {missing} is missing and the largest is {last}",
            n - 1
        ));
    }
    match by_id.get(&0).map(String::as_str) {
        Some(UNKNOWN) => Ok(by_id.into_values().collect()),
        Some(other) => wrong(format!("expected {UNKNOWN:?} at id 0, the id of unknown symbols; found {other:?}")),
        None => wrong(format!("expected entries, at least {UNKNOWN:?} at id 0; found none")),
    }
}

/// Reads `{"entry": id, ...}`, refusing what occurs twice where it occurs.
struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = BTreeMap<u32, String>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON object of entries and their ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut by_id = BTreeMap::new();
        let mut seen: Set<String> = Set::default();
        while let Some((entry, id)) = map.next_entry::<String, u32>()? {
            if !seen.insert(entry.clone()) {
                return Err(A::Error::custom(format!("the entry {entry:?} occurs twice")));
            }
            if let Some(other) = by_id.insert(id, entry.clone()) {
                return Err(A::Error::custom(format!("{other:?} and {entry:?} have the same id, {id}")));
            }
        }
        Ok(by_id)
    }
}

fn parse_merges(path: &Path, text: &[u8], ids: &Map<&str, u32>) -> Result<Vec<Merge>, VocabularyError> {
    let wrong = |line: usize, message: String| VocabularyError::Merge { path: path.to_owned(), line, message };
    let text = str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        let line = before.split(|&byte| byte == b'\n').count();
        wrong(line, format!("byte {} of the file is not valid UTF-8", before.len()))
    })?;
    let mut lines =
        text.strip_suffix('\n').unwrap_or(text).split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let header = lines.next().unwrap_or_default();
    if header.trim_end() != HEADER {
        return Err(wrong(1, format!("expected {HEADER:?} as the first line; found {:?}", shortened(header))));
    }
    let mut merges = Vec::new();
    let mut line_of_merged: Map<u32, usize> = Map::default();
    for (i, line) in lines.enumerate() {
        let line_number = i + 2;
        let wrong = |message| wrong(line_number, message);
        let symbols =
            line.split_once(' ').filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '));
        let Some((left, right)) = symbols else {
            return Err(wrong(format!("expected two symbols and a space between them; found {:?}", shortened(line))));
        };
        // A part is a character (with or without the end of a word) or has been made by an earlier line.
        let part = |symbol: &str| match ids.get(symbol) {
            None => Err(wrong(format!("the symbol {:?} is not in the vocabulary", shortened(symbol)))),
            Some(id) if is_character(symbol) || line_of_merged.contains_key(id) => Ok(*id),
            Some(_) => Err(wrong(format!("the symbol {symbol:?} is used before a line makes it"))),
        };
        let (left_id, right_id) = (part(left)?, part(right)?);
        let result = format!("{left}{right}");
        let Some(&merged) = ids.get(result.as_str()) else {
            return Err(wrong(format!("the result of the merge, {:?}, is not in the vocabulary", shortened(&result))));
        };
        if merged == 0 {
            return Err(wrong(format!("the result of the merge is {UNKNOWN:?}, which stands for unknown symbols")));
        }
        if let Some(earlier) = line_of_merged.insert(merged, line_number) {
            return Err(wrong(format!("line {earlier} makes {result:?} already")));
        }
        merges.push(Merge { left: left_id, right: right_id, merged });
    }
    Ok(merges)
}

/// The first entry that no text can become: damage, or merges of another vocabulary.
fn unreachable_entry(entries: &[String], merges: &[Merge]) -> Option<usize> {
    let mut made = vec![false; entries.len()];
    for merge in merges {
        made[merge.merged as usize] = true;
    }
    let is_special = |entry: &str| entry.starts_with('<') && entry.ends_with('>') && !entry.ends_with(END_OF_WORD);
    entries.iter().zip(made).position(|(entry, made)| !made && !is_character(entry) && !is_special(entry))
}

/// Whether the symbol is one character, or one at a word's end.
fn is_character(symbol: &str) -> bool {
    let mut characters = symbol.chars();
    characters.next().is_some() && matches!(characters.as_str(), "" | END_OF_WORD)
}

/// At most 60 characters of a text, for messages.
fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(60).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}
