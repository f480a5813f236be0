//! Applying the merges to a word.
//!
//! The merge of the lowest rank is applied first, everywhere from left to right, then the lowest of what is possible then. As
//! every merge is built from earlier ones ([`crate::vocabulary`] sees to that), no step makes a pair of that rank or a lower
//! one possible. So a short word is searched for its lowest rank again and again, which is fastest, and in a long one the places
//! of each rank are listed and the ranks taken in order, in time linear in the word.

use crate::hash::Map;
use crate::vocabulary::{END_OF_WORD, Vocabulary};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The id of a symbol that is not in the vocabulary.
pub const UNKNOWN_ID: u32 = 0;

/// No merge.
const NONE: u32 = u32::MAX;

/// Characters of the longest word that is searched.
const SHORT: usize = 32;

/// The merges of a vocabulary, ready to be applied.
#[derive(Debug)]
pub struct Bpe {
    /// Each character's id inside a word and at its end.
    characters: Map<char, [u32; 2]>,
    ranks: Map<(u32, u32), u32>,
    /// What the merge of each rank makes.
    merged: Vec<u32>,
}

/// A symbol in the linked list that a long word is.
struct Symbol {
    id: u32,
    /// Rank of the merge with the next symbol; [`NONE`] too once the symbol is part of the one before.
    rank: u32,
    previous: usize,
    /// The word's length if there is none.
    next: usize,
}

/// The places where merges are possible.
#[derive(Default)]
struct Places {
    of_rank: Map<u32, Vec<usize>>,
    /// The ranks that have places.
    ranks: BinaryHeap<Reverse<u32>>,
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
    pub fn encode_word(&self, word: &str, ids: &mut Vec<u32>) {
        let first = ids.len();
        let mut characters = word.chars().peekable();
        while let Some(c) = characters.next() {
            let end = usize::from(characters.peek().is_none());
            ids.push(self.characters.get(&c).map_or(UNKNOWN_ID, |ids| ids[end]));
        }
        let symbols = &mut ids[first..];
        let n_symbols = if symbols.len() <= SHORT { self.merge_short(symbols) } else { self.merge_long(symbols) };
        ids.truncate(first + n_symbols);
    }

    /// The rank of the merge of two symbols.
    fn rank(&self, left: u32, right: u32) -> u32 {
        self.ranks.get(&(left, right)).copied().unwrap_or(NONE)
    }

    /// Merges the symbols of a word of at most [`SHORT`]; returns how many are left.
    fn merge_short(&self, symbols: &mut [u32]) -> usize {
        let mut ranks = [NONE; SHORT]; // of each symbol with the next
        for (rank, two) in ranks.iter_mut().zip(symbols.windows(2)) {
            *rank = self.rank(two[0], two[1]);
        }
        let mut len = symbols.len();
        while let Some((at, &rank)) = ranks[..len].iter().enumerate().min_by_key(|(_, rank)| **rank)
            && rank != NONE
        {
            symbols[at] = self.merged[rank as usize];
            symbols.copy_within(at + 2..len, at + 1);
            ranks.copy_within(at + 1..len, at);
            len -= 1;
            ranks[at] = if at + 1 < len { self.rank(symbols[at], symbols[at + 1]) } else { NONE };
            if at > 0 {
                ranks[at - 1] = self.rank(symbols[at - 1], symbols[at]);
            }
        }
        len
    }

    /// Merges the symbols of a word; returns how many are left.
    fn merge_long(&self, ids: &mut [u32]) -> usize {
        let symbol = |(place, &id): (usize, &u32)| Symbol {
            id,
            rank: NONE,
            previous: place.wrapping_sub(1), // of the first: no place
            next: place + 1,
        };
        let mut symbols: Vec<Symbol> = ids.iter().enumerate().map(symbol).collect();
        let mut places = Places::default();
        for place in 0..symbols.len() {
            self.find_merge(place, &mut symbols, &mut places);
        }
        while let Some((rank, mut found)) = places.pop() {
            // They come from a few passes over the word.
            #[expect(clippy::stable_sort_primitive, reason = "the stable sort is linear in what is nearly sorted")]
            found.sort();
            for place in found {
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
                self.find_merge(place, &mut symbols, &mut places);
                let previous = symbols[place].previous;
                if previous < symbols.len() {
                    self.find_merge(previous, &mut symbols, &mut places);
                }
            }
        }
        let (mut place, mut len) = (0, 0);
        while let Some(symbol) = symbols.get(place) {
            ids[len] = symbol.id;
            len += 1;
            place = symbol.next;
        }
        len
    }

    /// Finds the merge of the symbol at `place` with the next one, and lists it.
    fn find_merge(&self, place: usize, symbols: &mut [Symbol], places: &mut Places) {
        let next = symbols.get(symbols[place].next);
        let rank = next.map_or(NONE, |next| self.rank(symbols[place].id, next.id));
        symbols[place].rank = rank;
        if rank != NONE {
            places.push(rank, place);
        }
    }
}

impl Places {
    fn push(&mut self, rank: u32, place: usize) {
        let places = self.of_rank.entry(rank).or_default();
        if places.is_empty() {
            self.ranks.push(Reverse(rank));
        }
        places.push(place);
    }

    /// The lowest rank and its places.
    fn pop(&mut self) -> Option<(u32, Vec<usize>)> {
        let Reverse(rank) = self.ranks.pop()?;
        self.of_rank.remove_entry(&rank)
    }
}
