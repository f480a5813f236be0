//! The encoder: text to ids and back.

use crate::bpe::{Bpe, UNKNOWN_ID};
use crate::clean::{Chunk, each_chunk, replace_characters};
use crate::ftfy::fix_text;
use crate::hash::{Map, Set};
use crate::letters::{Letters, WordTable};
use crate::memo::Memo;
use crate::spacy;
use crate::vocabulary::{END_OF_WORD, LINE_BREAK_ENTRY, Vocabulary, VocabularyError};
use rayon::prelude::*;
use std::io;
use std::path::Path;
use std::time::Instant;

/// Raised when the same vocabulary gives other ids than before (cleaning, splitting, lower-casing).
const RULES_VERSION: u32 = 2;

/// A vocabulary with all that encoding needs; it never changes, so any number of threads can share it.
#[derive(Debug)]
pub struct Encoder {
    vocabulary: Vocabulary,
    bpe: Bpe,
    /// The words that are one entry, and their ids: nearly all words of a text.
    whole_words: Map<Box<str>, u32>,
    /// Those of them that any chunk of the same letters, of either case, is: nine in ten chunks of a text are here or below.
    whole_letters: WordTable,
    /// The ids of chunks of one ASCII character that is no letter; [`NOT_ONE`] where there is more than one id.
    marks: [u32; 128],
    line_break: u32,
    /// The ids of other chunks.
    memo: Memo,
}

/// Not one id.
const NOT_ONE: u32 = u32::MAX;

impl Encoder {
    /// Prepares a vocabulary.
    pub fn new(vocabulary: Vocabulary) -> Encoder {
        let bpe = Bpe::new(&vocabulary);
        let is_whole = |(id, entry): (usize, &String)| {
            let word = entry.strip_suffix(END_OF_WORD).filter(|word| !word.is_empty())?;
            let mut ids = Vec::new();
            bpe.encode_word(word, &mut ids);
            (ids == [id as u32]).then(|| (word.into(), id as u32))
        };
        let found: Vec<_> = vocabulary.entries().par_iter().enumerate().filter_map(is_whole).collect();
        let whole_words: Map<Box<str>, u32> = found.into_iter().collect();
        // An exception is taken apart, but perhaps not in every case ("cannot", "CANNOT").
        let exceptions: Set<Letters> =
            spacy::exceptions::all().filter_map(|chunk| Letters::of(&chunk.to_ascii_lowercase())).collect();
        let letters = whole_words.iter().filter_map(|(word, &id)| Some((Letters::of(word)?, id)));
        let mut letters: Vec<_> = letters.filter(|(letters, _)| !exceptions.contains(letters)).collect();
        letters.sort_unstable_by_key(|&(_, id)| id); // the frequent ones first
        let whole_letters = WordTable::new(&letters);
        let line_break = vocabulary.entries().iter().rposition(|entry| entry == LINE_BREAK_ENTRY);
        let line_break = line_break.map_or(UNKNOWN_ID, |id| id as u32);
        let mut encoder = Encoder {
            vocabulary,
            bpe,
            whole_words,
            whole_letters,
            marks: [NOT_ONE; 128],
            line_break,
            memo: Memo::new(),
        };
        for mark in (0..128).filter(|mark: &u8| !mark.is_ascii_alphabetic()) {
            let mut ids = Vec::new();
            encoder.encode_chunk(str::from_utf8(&[mark]).unwrap_or_default(), &mut ids);
            if let [id] = ids[..] {
                encoder.marks[usize::from(mark)] = id;
            }
        }
        encoder
    }

    /// Reads a vocabulary's two files.
    pub fn from_files(vocab: impl AsRef<Path>, merges: impl AsRef<Path>) -> Result<Encoder, VocabularyError> {
        Vocabulary::from_files(vocab.as_ref(), merges.as_ref()).map(Encoder::new)
    }

    /// Reads a directory's `vocab.json` and `merges.txt`, or OpenAI's `encoder_bpe_40000.json` and `vocab_40000.bpe`.
    pub fn from_dir(dir: impl AsRef<Path>) -> Result<Encoder, VocabularyError> {
        let (dir, began) = (dir.as_ref(), Instant::now());
        let encoder = Vocabulary::from_dir(dir).map(Encoder::new)?;
        let seconds = began.elapsed().as_secs_f64();
        log::info!("{}: a vocabulary of {} entries, read in {seconds:.3} s", dir.display(), encoder.n_vocab());
        Ok(encoder)
    }

    /// The ids of a text. A line break inside the text is the id of `\n</w>`; an unknown character is id 0.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 1);
        each_chunk(&replace_characters(&fix_text(text)), &mut |chunk| match chunk {
            Chunk::Letters(chunk, letters) => match self.whole_letters.get(letters) {
                Some(id) => ids.push(id),
                None => self.encode_other(chunk, &mut ids),
            },
            Chunk::Other(chunk) => match chunk.as_bytes() {
                [mark] if self.marks[usize::from(*mark)] != NOT_ONE => ids.push(self.marks[usize::from(*mark)]),
                _ => self.encode_other(chunk, &mut ids),
            },
            Chunk::LineBreak => ids.push(self.line_break),
        });
        ids
    }

    /// Appends the ids of a chunk that is in no table.
    fn encode_other(&self, chunk: &str, ids: &mut Vec<u32>) {
        self.memo.encode(chunk, ids, |ids| self.encode_chunk(chunk, ids));
    }

    /// Appends the ids of a chunk, by all the rules.
    fn encode_chunk(&self, chunk: &str, ids: &mut Vec<u32>) {
        spacy::split_chunk(chunk, &mut Vec::new(), &mut |word| {
            let word = spacy::lowercase(word);
            match self.whole_words.get(&*word) {
                Some(&id) => ids.push(id),
                None => self.bpe.encode_word(&word, ids),
            }
        });
    }

    /// The ids of each text, in order; on all threads of rayon's current pool.
    pub fn encode_batch(&self, texts: &[&str]) -> Vec<Vec<u32>> {
        texts.par_iter().map(|text| self.encode(text)).collect()
    }

    /// The text of ids: words with one space between them, `<unk>` where a symbol was unknown. What encoding does not keep
    /// (case, white space, which unknown character) does not come back. An id of `n_vocab` or more gives U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut text = String::new();
        for &id in ids {
            match self.vocabulary.entries().get(id as usize).map(String::as_str) {
                Some(LINE_BREAK_ENTRY) => {
                    text.truncate(text.trim_end_matches(' ').len());
                    text.push('\n');
                }
                Some(entry) => match entry.strip_suffix(END_OF_WORD) {
                    Some(end) => text.extend([end, " "]),
                    None => text.push_str(entry),
                },
                None => text.push(char::REPLACEMENT_CHARACTER),
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text
    }

    /// Entries of the vocabulary: ids are smaller.
    pub fn n_vocab(&self) -> usize {
        self.vocabulary.entries().len()
    }

    pub(crate) fn bpe(&self) -> &Bpe {
        &self.bpe
    }

    /// The id of a line break.
    pub(crate) fn line_break(&self) -> u32 {
        self.line_break
    }

    /// The vocabulary itself.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// A digest of everything that decides which ids a text gets: entries, merges, and the version of the rules before them.
    /// The files' layout (white space, order of keys) does not count.
    pub fn digest(&self) -> String {
        let mut content = format!("gpt1 encoder, rules {RULES_VERSION}, {} entries\n", self.n_vocab()).into_bytes();
        for entry in self.vocabulary.entries() {
            content.extend((entry.len() as u64).to_le_bytes());
            content.extend(entry.as_bytes());
        }
        for merge in self.vocabulary.merges() {
            content.extend([merge.left, merge.right].map(u32::to_le_bytes).as_flattened());
        }
        gpt1_artifacts::digest::bytes(&content)
    }

    /// Writes `vocab.json` and `merges.txt` into a directory, the very bytes that were read, and
    /// [`tokenizer.json`](crate::tokenizer_json) for others.
    pub fn copy_files_to(&self, dir: &Path) -> io::Result<()> {
        self.vocabulary.write(dir)
    }
}
