//! A fast keyed hash for words and pairs of symbols: each map draws its own key, so that no file can be crafted to fill one
//! bucket. No output depends on the order of a map.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A map from words or pairs.
pub(crate) type Map<K, V> = std::collections::HashMap<K, V, Keyed>;
/// A set of words.
pub(crate) type Set<K> = std::collections::HashSet<K, Keyed>;

/// The odd multiplier that mixes (the golden ratio in 64 bits).
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Makes hashers that share one random key.
#[derive(Debug, Clone)]
pub(crate) struct Keyed {
    key: u64,
}

impl Default for Keyed {
    fn default() -> Self {
        Keyed { key: RandomState::new().hash_one(0_u64) }
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { state: self.key, key: self.key | 1 }
    }
}

/// Hashes 8 bytes at a time: the two halves of a 128-bit product, one folded on the other.
pub(crate) struct Folded {
    state: u64,
    key: u64,
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.write_u64(u64::from_le_bytes(*chunk));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(last));
        }
        self.write_u64(bytes.len() as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.state ^ value) * u128::from(self.key ^ MULTIPLIER);
        self.state = product as u64 ^ (product >> 64) as u64 ^ self.key;
    }

    fn finish(&self) -> u64 {
        // The map takes its bucket from the low bits and its tag from the high ones: mix once more.
        let product = u128::from(self.state) * u128::from(MULTIPLIER);
        product as u64 ^ (product >> 64) as u64
    }
}
