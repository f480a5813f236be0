//! Applying the merges to a word.
//!
//! The merge of the lowest rank is applied first, everywhere from left to right, then the lowest of what is possible then. As
//! every merge is built from earlier ones ([`crate::vocabulary`] sees to that), no step makes a pair of a lower rank
//! possible, so a queue of (rank, place) does the same in time n log n.

use crate::hash::Map;
use crate::vocabulary::{END_OF_WORD, Vocabulary};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The id of a symbol that is not in the vocabulary.
pub const UNKNOWN_ID: u32 = 0;

/// No merge.
const NONE: u32 = u32::MAX;

/// The merges of a vocabulary, ready to be applied.
#[derive(Debug)]
pub struct Bpe {
    /// Each character's id inside a word and at its end.
    characters: Map<char, [u32; 2]>,
    ranks: Map<(u32, u32), u32>,
    /// What the merge of each rank makes.
    merged: Vec<u32>,
}

/// Scratch space of [`Bpe::encode_word`].
#[derive(Debug, Default)]
pub struct Scratch {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Reverse<(u32, usize)>>,
}

/// A symbol in the linked list that a word is.
#[derive(Debug)]
struct Symbol {
    id: u32,
    /// Rank of the merge with the next symbol; [`NONE`] too once the symbol is part of the one before.
    rank: u32,
    previous: usize,
    /// The word's length if there is none.
    next: usize,
}

impl Bpe {
    /// Prepares the merges.
    pub fn new(vocabulary: &Vocabulary) -> Bpe {
        let mut characters: Map<char, [u32; 2]> = Map::default();
        for (id, entry) in vocabulary.entries().iter().enumerate() {
            let mut rest = entry.chars();
            let Some(c) = rest.next() else { continue };
            let end = match rest.as_str() {
                "" => 0,
                END_OF_WORD => 1,
                _ => continue,
            };
            characters.entry(c).or_insert([UNKNOWN_ID; 2])[end] = id as u32;
        }
        let merges = vocabulary.merges();
        let ranks = merges.iter().zip(0..).map(|(merge, rank)| ((merge.left, merge.right), rank)).collect();
        Bpe { characters, ranks, merged: merges.iter().map(|merge| merge.merged).collect() }
    }

    /// Appends the ids of a word (lower-cased, not empty) to `ids`; a character that is not in the vocabulary is one
    /// [`UNKNOWN_ID`].
    pub fn encode_word(&self, word: &str, scratch: &mut Scratch, ids: &mut Vec<u32>) {
        let Scratch { symbols, queue } = scratch;
        symbols.clear();
        let mut characters = word.chars().peekable();
        while let Some(c) = characters.next() {
            let end = usize::from(characters.peek().is_none());
            let id = self.characters.get(&c).map_or(UNKNOWN_ID, |ids| ids[end]);
            let place = symbols.len();
            symbols.push(Symbol { id, rank: NONE, previous: place.wrapping_sub(1), next: place + 1 });
        }
        queue.clear();
        for place in 0..symbols.len() {
            self.rank(place, symbols, queue);
        }
        while let Some(Reverse((rank, place))) = queue.pop() {
            if symbols[place].rank != rank {
                continue; // one of the two has become part of another symbol
            }
            let taken = symbols[place].next;
            let next = symbols[taken].next;
            symbols[taken].rank = NONE;
            symbols[place].id = self.merged[rank as usize];
            symbols[place].next = next;
            if next < symbols.len() {
                symbols[next].previous = place;
            }
            self.rank(place, symbols, queue);
            if let Some(previous) = symbols.get(symbols[place].previous).map(|_| symbols[place].previous) {
                self.rank(previous, symbols, queue);
            }
        }
        let mut place = 0;
        while let Some(symbol) = symbols.get(place) {
            ids.push(symbol.id);
            place = symbol.next;
        }
    }

    /// Finds the merge of the symbol at `place` with the next one, and puts it in the queue.
    fn rank(&self, place: usize, symbols: &mut [Symbol], queue: &mut BinaryHeap<Reverse<(u32, usize)>>) {
        let pair = symbols.get(symbols[place].next).map(|next| (symbols[place].id, next.id));
        let rank = pair.and_then(|pair| self.ranks.get(&pair)).copied().unwrap_or(NONE);
        symbols[place].rank = rank;
        if rank != NONE {
            queue.push(Reverse((rank, place)));
        }
    }
}
