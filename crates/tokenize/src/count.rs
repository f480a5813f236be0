//! Counting the words of texts on all cores, in memory bounded by the distinct words.

use crate::hash::Map;
use crate::words::{EachWord, LINE_BREAK};
use rayon::prelude::*;

/// A distinct word and how often it occurs.
pub type WordCount = (Box<str>, u64);

/// The distinct words of texts with their counts, in the order of the words; line breaks are not among them. `each_word` splits a
/// text: [`each_word`](crate::words::each_word) or [`each_ready_word`](crate::words::each_ready_word).
///
/// Each batch is counted by one thread of rayon's current pool and then dropped, so that no more than one for each thread is
/// held. No word reaches from one text into another.
pub fn count_words(batches: impl Iterator<Item = Vec<String>> + Send, each_word: EachWord) -> Vec<WordCount> {
    let count_batch = |mut counts: Map<Box<str>, u64>, batch: Vec<String>| {
        for text in batch {
            count_text(&text, each_word, &mut counts);
        }
        counts
    };
    let counts = batches.par_bridge().fold(Map::default, count_batch).reduce(Map::default, merge);
    let mut counts: Vec<WordCount> = counts.into_iter().collect();
    counts.par_sort_unstable();
    counts
}

fn count_text(text: &str, each_word: EachWord, counts: &mut Map<Box<str>, u64>) {
    each_word(text, &mut |word| match counts.get_mut(word) {
        _ if word == LINE_BREAK => {}
        Some(count) => *count += 1,
        None => {
            counts.insert(word.into(), 1);
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
