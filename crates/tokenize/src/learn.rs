//! Learning the merges: byte-pair encoding as subword-nmt has it, which OpenAI's vocabulary follows.
//!
//! A word begins as its characters, the last with `</w>`. The pair of neighbouring symbols with the highest count is merged
//! everywhere (left to right), again and again. Counts are over all words, overlapping pairs included (`a a a` holds `a a`
//! twice). Ties go to the LARGEST pair, left symbol before right, compared as strings of code points.
//!
//! What makes it fast: all occurrences of a pair arise in one step, the one that makes its younger symbol, and from then on
//! its count only falls. So each pair has one list of words, written once, and one place in a priority queue, corrected
//! when it comes up. Nothing depends on the order of the words or on the number of threads.

use crate::count::WordCount;
use crate::hash::{Map, Set};
use crate::vocabulary::{END_OF_WORD, UNKNOWN};
use std::collections::BinaryHeap;
use std::rc::Rc;

/// The largest alphabet: OpenAI's has 238 characters; each takes two ids.
pub const MAX_CHARACTERS: usize = 512;

/// The characters of a vocabulary, the most frequent first (ties: the smaller code point first): all that the words hold, up
/// to `max_characters` (the rarest become `<unk>`), and always the printable ASCII characters that a lower-cased word
/// can hold, so that other text can be encoded.
pub fn alphabet(words: &[WordCount], max_characters: usize) -> Vec<char> {
    let mut counts: Map<char, u64> = Map::default();
    let is_basic = |c: char| c.is_ascii_graphic() && !c.is_ascii_uppercase();
    for c in ('!'..='~').filter(|&c| is_basic(c)) {
        counts.insert(c, 0);
    }
    for (word, count) in words {
        for c in word.chars() {
            *counts.entry(c).or_default() += count;
        }
    }
    let mut characters: Vec<(char, u64)> = counts.into_iter().collect();
    characters.sort_unstable_by_key(|&(c, count)| (!is_basic(c), std::cmp::Reverse(count), c));
    characters.truncate(max_characters);
    characters.sort_unstable_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
    characters.into_iter().map(|(c, _)| c).collect()
}

/// Learns at most `n_merges` merges (left, right) from distinct words and their counts, in order; fewer if no pair is left
/// that occurs `min_frequency` times. `progress` hears of each merge.
///
/// Words hold no white space. Characters that are not in the alphabet are never part of a pair, and a pair whose text is
/// taken (`<unk>`) is not merged.
pub fn learn(
    words: &[WordCount],
    alphabet: &[char],
    n_merges: usize,
    min_frequency: u64,
    mut progress: impl FnMut(usize),
) -> Vec<(String, String)> {
    let mut symbols = Symbols::new(alphabet);
    let mut sequences = Sequences::new(words, alphabet);
    let mut pairs = Pairs { live: Map::default(), queue: BinaryHeap::new(), min_frequency: min_frequency.max(1) };
    pairs.add(sequences.initial_pairs(), &symbols);
    let mut merges = Vec::new();
    while merges.len() < n_merges
        && let Some((pair, indices)) = pairs.pop()
    {
        let (left, right) = (&symbols.texts[pair.0 as usize], &symbols.texts[pair.1 as usize]);
        let merge = (left.to_string(), right.to_string());
        let Some(merged) = symbols.add(&format!("{left}{right}")) else { continue };
        let mut fresh = Fresh::default();
        for index in indices {
            sequences.merge(index, pair, merged, |old, n| pairs.remove(old, n), |new, n| fresh.add(new, n, index));
        }
        pairs.add(fresh, &symbols);
        merges.push(merge);
        progress(merges.len());
    }
    merges
}

/// Two neighbouring symbols.
type Pair = (u32, u32);

/// The texts of the symbols: characters first, then characters at a word's end, then merges.
struct Symbols {
    texts: Vec<Rc<str>>,
    taken: Set<Rc<str>>,
}

impl Symbols {
    fn new(alphabet: &[char]) -> Symbols {
        let mut symbols = Symbols { texts: Vec::new(), taken: Set::default() };
        symbols.taken.insert(UNKNOWN.into());
        for end in ["", END_OF_WORD] {
            for c in alphabet {
                symbols.add(&format!("{c}{end}"));
            }
        }
        symbols
    }

    /// The new symbol, unless another has its text.
    fn add(&mut self, text: &str) -> Option<u32> {
        let text: Rc<str> = text.into();
        if !self.taken.insert(Rc::clone(&text)) {
            return None;
        }
        self.texts.push(text);
        Some(self.texts.len() as u32 - 1)
    }
}

/// The words as symbols, end to end; a word is cut at characters that are not in the alphabet.
struct Sequences {
    symbols: Vec<u32>,
    /// Where each sequence lies in `symbols`, how long it is now, and how often it occurs.
    spans: Vec<Span>,
}

struct Span {
    start: usize,
    len: usize,
    count: u64,
}

impl Sequences {
    fn new(words: &[WordCount], alphabet: &[char]) -> Sequences {
        let ids: Map<char, u32> = alphabet.iter().enumerate().map(|(i, &c)| (c, i as u32)).collect();
        let mut sequences = Sequences { symbols: Vec::new(), spans: Vec::new() };
        for (word, count) in words {
            let mut start = sequences.symbols.len();
            let mut characters = word.chars().peekable();
            while let Some(c) = characters.next() {
                let end_of_word = if characters.peek().is_none() { alphabet.len() as u32 } else { 0 };
                if let Some(id) = ids.get(&c) {
                    sequences.symbols.push(id + end_of_word);
                } else {
                    sequences.end(start, *count);
                    start = sequences.symbols.len();
                }
            }
            sequences.end(start, *count);
        }
        sequences
    }

    /// Ends the sequence that began at `start`; one symbol alone has no pair and is dropped.
    fn end(&mut self, start: usize, count: u64) {
        let len = self.symbols.len() - start;
        if len < 2 {
            self.symbols.truncate(start);
        } else {
            self.spans.push(Span { start, len, count });
        }
    }

    fn initial_pairs(&self) -> Fresh {
        let mut fresh = Fresh::default();
        for (index, span) in self.spans.iter().enumerate() {
            for two in self.symbols[span.start..span.start + span.len].windows(2) {
                fresh.add((two[0], two[1]), span.count, index as u32);
            }
        }
        fresh
    }

    /// Merges `pair` into `merged` in one sequence, left to right. `remove` hears of each neighbouring pair that is no more, `add`
    /// of each that is new, with the count of the sequence.
    fn merge(
        &mut self,
        index: u32,
        pair: Pair,
        merged: u32,
        mut remove: impl FnMut(Pair, u64),
        mut add: impl FnMut(Pair, u64),
    ) {
        let span = &mut self.spans[index as usize];
        let symbols = &mut self.symbols[span.start..span.start + span.len];
        let (mut read, mut written) = (0, 0);
        let mut before = None; // the symbol that was at read - 1, unless a merge has ended there
        while read < symbols.len() {
            let symbol = symbols[read];
            if symbol == pair.0 && symbols.get(read + 1) == Some(&pair.1) {
                if let Some(before) = before {
                    remove((before, pair.0), span.count);
                }
                if let Some(&after) = symbols.get(read + 2) {
                    remove((pair.1, after), span.count);
                }
                symbols[written] = merged;
                read += 2;
                before = None;
            } else {
                symbols[written] = symbol;
                read += 1;
                before = Some(symbol);
            }
            written += 1;
        }
        let symbols = &symbols[..written];
        span.len = written;
        for two in symbols.windows(2) {
            if two[0] == merged || two[1] == merged {
                add((two[0], two[1]), span.count);
            }
        }
    }
}

/// Pairs that one step makes: the count of each, and the sequences that hold it, in order.
#[derive(Default)]
struct Fresh {
    pairs: Map<Pair, Occurrences>,
}

#[derive(Default)]
struct Occurrences {
    count: u64,
    sequences: Vec<u32>,
}

impl Fresh {
    fn add(&mut self, pair: Pair, count: u64, sequence: u32) {
        let found = self.pairs.entry(pair).or_default();
        found.count += count;
        if found.sequences.last() != Some(&sequence) {
            found.sequences.push(sequence);
        }
    }
}

/// The pairs that occur often enough, and the queue of them.
struct Pairs {
    live: Map<Pair, Occurrences>,
    queue: BinaryHeap<Candidate>,
    min_frequency: u64,
}

/// A pair in the queue; `count` may be larger than its count now. The order of the fields is the order of the merges.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    count: u64,
    left: Rc<str>,
    right: Rc<str>,
    pair: Pair,
}

impl Pairs {
    fn add(&mut self, fresh: Fresh, symbols: &Symbols) {
        for (pair, found) in fresh.pairs {
            if found.count >= self.min_frequency {
                let text = |id: u32| Rc::clone(&symbols.texts[id as usize]);
                self.queue.push(Candidate { count: found.count, left: text(pair.0), right: text(pair.1), pair });
                self.live.insert(pair, found);
            }
        }
    }

    fn remove(&mut self, pair: Pair, n: u64) {
        if let Some(found) = self.live.get_mut(&pair) {
            found.count = found.count.saturating_sub(n);
            if found.count < self.min_frequency {
                self.live.remove(&pair);
            }
        }
    }

    /// The pair to merge next, and the sequences that hold it or once did.
    fn pop(&mut self) -> Option<(Pair, Vec<u32>)> {
        while let Some(candidate) = self.queue.pop() {
            let Some(found) = self.live.get(&candidate.pair) else { continue };
            if found.count < candidate.count {
                self.queue.push(Candidate { count: found.count, ..candidate });
                continue;
            }
            let found = self.live.remove(&candidate.pair)?;
            return Some((candidate.pair, found.sequences));
        }
        None
    }
}
