//! Counting the words of a corpus on all cores, in memory bounded by the distinct words.

use crate::clean::standardize;
use crate::corpus::{Corpus, CorpusError};
use crate::encoder::lower;
use crate::hash::Map;
use crate::words::{self, LINE_BREAK};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// A distinct word and how often it occurs.
pub type WordCount = (Box<str>, u64);

/// The distinct words of a corpus, cleaned, split and lower-cased, with their counts, in the order of the words; line breaks
/// are not among them. `progress` hears how many more bytes have been read.
pub fn count_words(corpus: &Corpus, progress: impl Fn(u64) + Sync) -> Result<Vec<WordCount>, CorpusError> {
    // A map for each thread; a thread locks its own alone.
    let maps: Vec<Mutex<Map<Box<str>, u64>>> = (0..rayon::current_num_threads()).map(|_| Mutex::default()).collect();
    corpus.for_each_text(
        |text| {
            let map = &maps[rayon::current_thread_index().unwrap_or(0) % maps.len()];
            let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
            count_text(text, &mut map);
        },
        progress,
    )?;
    let counts = maps
        .into_par_iter()
        .map(|map| map.into_inner().unwrap_or_else(PoisonError::into_inner))
        .reduce(Map::default, merge);
    if counts.is_empty() {
        let found = format!("no word in {} file(s) of {} bytes", corpus.files.len(), corpus.n_bytes);
        return Err(CorpusError::Empty { path: corpus.path.clone(), found });
    }
    let mut counts: Vec<WordCount> = counts.into_iter().collect();
    counts.par_sort_unstable();
    Ok(counts)
}

fn count_text(text: &str, counts: &mut Map<Box<str>, u64>) {
    let cleaned = standardize(text);
    let mut lowered = String::new();
    words::split(&cleaned, |word| {
        if word == LINE_BREAK {
            return;
        }
        let word = lower(word, &mut lowered);
        match counts.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                counts.insert(word.into(), 1);
            }
        }
    });
}

fn merge(a: Map<Box<str>, u64>, b: Map<Box<str>, u64>) -> Map<Box<str>, u64> {
    let (mut large, small) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    for (word, count) in small {
        *large.entry(word).or_default() += count;
    }
    large
}
