//! Chunks of a few ASCII letters, three in four of the chunks of English: found eight bytes at a time, and looked up by the
//! letters themselves as a number.

use crate::hash::Keyed;
use std::hash::BuildHasher;

/// Letters that a [`Letters`] can hold.
pub const MAX_LETTERS: usize = 8;

/// One to [`MAX_LETTERS`] ASCII letters in lower case, as a number: the first is the lowest byte, unused bytes are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Letters(u64);

impl Letters {
    /// The number of a word, if that is 1 to [`MAX_LETTERS`] lower-case ASCII letters and nothing else.
    pub fn of(word: &str) -> Option<Letters> {
        let (letters, n) = letters_at(word.as_bytes(), 0);
        let is_all = n == word.len() && (1..=MAX_LETTERS).contains(&n) && !word.contains(|c: char| c.is_uppercase());
        is_all.then_some(letters)
    }
}

/// The ASCII letters that begin at `at`, of either case, and how many there are. (Of more than [`MAX_LETTERS`], the number
/// holds the first.)
pub fn letters_at(text: &[u8], at: usize) -> (Letters, usize) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let rest = text.get(at..).unwrap_or_default();
    let bytes = rest.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0; 8];
        padded[..rest.len()].copy_from_slice(rest);
        padded
    });
    let bytes = u64::from_le_bytes(bytes);
    let lower = bytes | (0x20 * ONES);
    // Byte by byte without a carry from one into the next: the high bit is set from `a` on, and from `{` on.
    let low_bits = lower & !HIGH;
    let from_a = low_bits + (0x80 - u64::from(b'a')) * ONES;
    let beyond_z = low_bits + (0x80 - u64::from(b'{')) * ONES;
    let is_none = !(from_a & !beyond_z & !bytes) & HIGH;
    if is_none == 0 {
        let more = rest[MAX_LETTERS..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        return (Letters(lower), MAX_LETTERS + more);
    }
    let n_bits = is_none.trailing_zeros() & !7;
    (Letters(lower & ((1 << n_bits) - 1)), n_bits as usize / 8)
}

/// Words by their letters: a table with open addressing, four slots to a line of the processor's cache. What is put in first
/// is found first.
#[derive(Debug)]
pub struct WordTable {
    /// Letters and id; 0 and 0 where there is none. A power of two of them, at most half in use.
    slots: Box<[(u64, u32)]>,
    hasher: Keyed,
}

impl WordTable {
    /// The table of these words.
    pub fn new(words: &[(Letters, u32)]) -> WordTable {
        let n_slots = (2 * words.len() + 1).next_power_of_two();
        let mut table = WordTable { slots: vec![(0, 0); n_slots].into(), hasher: Keyed::default() };
        for &(letters, id) in words {
            let slot = table.slot(letters);
            table.slots[slot] = (letters.0, id);
        }
        table
    }

    /// The id of the word that these letters are.
    #[inline]
    pub fn get(&self, letters: Letters) -> Option<u32> {
        let (found, id) = self.slots[self.slot(letters)];
        (found == letters.0).then_some(id)
    }

    /// The slot that the letters are in, or the empty one where they would be.
    fn slot(&self, letters: Letters) -> usize {
        let mut slot = self.hasher.hash_one(letters.0) as usize;
        loop {
            slot &= self.slots.len() - 1;
            let found = self.slots[slot].0;
            if found == letters.0 || found == 0 {
                return slot;
            }
            slot += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_in_every_place() {
        for n in 0..12 {
            for byte in 0..=u8::MAX {
                for end in [&b"@[`{mM"[..], b""] {
                    let mut text = b"AbcZzyQrstuv"[..n].to_vec();
                    text.push(byte);
                    text.extend(end); // what lies beside the letters, then letters again
                    let expected = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                    let (letters, found) = letters_at(&text, 0);
                    assert_eq!(found, expected, "{n} letters, then {byte}");
                    let lower = text[..expected.min(MAX_LETTERS)].to_ascii_lowercase();
                    assert_eq!(&letters.0.to_le_bytes()[..lower.len()], lower);
                    assert!(letters.0.to_le_bytes()[lower.len()..].iter().all(|&byte| byte == 0));
                }
            }
        }
    }

    #[test]
    fn words() {
        let letters = Letters::of("ab").unwrap();
        assert_eq!(letters, letters_at(b"xAB ", 1).0);
        for word in ["", "aB", "a1", "é", "abcdefghi"] {
            assert_eq!(Letters::of(word), None, "{word}");
        }
        let words: Vec<(Letters, u32)> = (0..26 * 26)
            .map(|i: u32| [b'a' + (i / 26) as u8, b'a' + (i % 26) as u8])
            .zip(1..)
            .map(|(word, id)| (Letters::of(str::from_utf8(&word).unwrap()).unwrap(), id))
            .collect();
        let table = WordTable::new(&words);
        assert!(words.iter().all(|&(letters, id)| table.get(letters) == Some(id)));
        assert_eq!(table.get(Letters::of("abc").unwrap()), None);
        assert_eq!(WordTable::new(&[]).get(letters), None);
    }
}
