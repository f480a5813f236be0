//! What became of chunks that were met before: for those that no table has, the rules are worked through once.

use crate::hash::Keyed;
use std::hash::BuildHasher;
use std::sync::OnceLock;

/// Chunks that can be remembered: 4 MiB of them.
const N_SLOTS: usize = 1 << 16;

/// Bytes of the longest chunk that is remembered.
const MAX_BYTES: usize = 24;

/// The most ids of a chunk that is remembered.
const MAX_IDS: usize = 8;

/// Chunks and their ids, shared by all threads. A slot is filled once, by the first chunk that belongs there, and never changes
/// again: memory is bounded, reading takes no lock, and as the frequent chunks of a text are met early, they are found.
#[derive(Debug)]
pub struct Memo {
    slots: Box<[OnceLock<Entry>]>,
    hasher: Keyed,
}

/// Fills one line of the processor's cache with its slot.
#[derive(Debug)]
struct Entry {
    chunk: [u8; MAX_BYTES],
    len: u8,
    n_ids: u8,
    ids: [u32; MAX_IDS],
}

impl Memo {
    pub fn new() -> Memo {
        Memo { slots: std::iter::repeat_with(OnceLock::new).take(N_SLOTS).collect(), hasher: Keyed::default() }
    }

    /// Appends the ids of a chunk: those remembered, or else those that `encode` appends.
    pub fn encode(&self, chunk: &str, ids: &mut Vec<u32>, encode: impl FnOnce(&mut Vec<u32>)) {
        let len = chunk.len();
        if len > MAX_BYTES {
            return encode(ids);
        }
        let mut padded = [0; MAX_BYTES];
        padded[..len].copy_from_slice(chunk.as_bytes());
        let slot = &self.slots[self.hasher.hash_one(padded) as usize % N_SLOTS];
        match slot.get() {
            Some(entry) if entry.chunk == padded && usize::from(entry.len) == len => {
                ids.extend_from_slice(&entry.ids[..usize::from(entry.n_ids)]);
            }
            Some(_) => encode(ids),
            None => {
                let first = ids.len();
                encode(ids);
                let found = &ids[first..];
                if found.len() <= MAX_IDS {
                    let mut entry =
                        Entry { chunk: padded, len: len as u8, n_ids: found.len() as u8, ids: [0; MAX_IDS] };
                    entry.ids[..found.len()].copy_from_slice(found);
                    _ = slot.set(entry); // another thread may have been quicker
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_cache_line() {
        assert_eq!(size_of::<OnceLock<Entry>>(), 64);
    }

    /// Far more chunks than slots, each asked for again and again.
    #[test]
    fn what_is_remembered_is_what_was_encoded() {
        let memo = Memo::new();
        let encode = |chunk: &str| -> Vec<u32> { chunk.bytes().skip(chunk.len() % 3).map(u32::from).collect() };
        let mut n_encoded = 0;
        for round in 0..2 {
            for i in 0..100_000_u64 {
                let chunk = format!("{:x}", i * i).repeat(1 + i as usize % 4);
                let mut ids = vec![7];
                memo.encode(&chunk, &mut ids, |ids| {
                    n_encoded += 1;
                    ids.extend(encode(&chunk));
                });
                assert_eq!(ids[0], 7);
                assert_eq!(ids[1..], encode(&chunk), "round {round}: {chunk}");
            }
        }
        assert!((100_000..199_000).contains(&n_encoded), "{n_encoded} of 200,000 were encoded");
        for chunk in ["", "a", "a\0", "\0"] {
            for _ in 0..2 {
                let mut ids = Vec::new();
                memo.encode(chunk, &mut ids, |ids| ids.push(chunk.len() as u32));
                assert_eq!(ids, [chunk.len() as u32]);
            }
        }
    }
}
