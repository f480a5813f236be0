//! Seeded choices: a ChaCha8 stream for each part of the output, so that a change in one part leaves the others as they were.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of choices.
#[derive(Debug, Clone)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream called `name` of the seed.
    pub fn new(seed: u64, name: &str) -> Random {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        // FNV-1a, 64 bits: names of streams are few and short.
        let hash = name.bytes().fold(0xcbf29ce484222325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100000001b3));
        key[8..16].copy_from_slice(&hash.to_le_bytes());
        Random(ChaCha8Rng::from_seed(key))
    }

    /// A number in `0..n`; 0 for `n = 0`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// A copy of one of the items. The list must not be empty.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// One of the items. The list must not be empty.
    pub fn one<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// True with the given chance in percent.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// The place in `weights` of a choice made in proportion to them.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (i, &w) in weights.iter().enumerate() {
            if left < w {
                return i;
            }
            left -= w;
        }
        weights.len() - 1
    }

    /// Puts the items into random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// Two different numbers in `0..n`, `n >= 2`.
    pub fn two(&mut self, n: usize) -> (usize, usize) {
        let a = self.below(n);
        (a, (a + 1 + self.below(n - 1)) % n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_and_name_and_repeat() {
        let draw = |seed, name| (0..8).map(|_| 0).scan(Random::new(seed, name), |r, _| Some(r.below(1000))).collect();
        let first: Vec<usize> = draw(1, "a");
        assert_eq!(first, draw(1, "a"));
        assert_ne!(first, draw(2, "a"));
        assert_ne!(first, draw(1, "b"));
    }

    #[test]
    fn two_are_different_and_shuffle_keeps_all() {
        let mut random = Random::new(7, "test");
        for _ in 0..1000 {
            let (a, b) = random.two(5);
            assert!(a != b && a < 5 && b < 5);
        }
        let mut items: Vec<usize> = (0..50).collect();
        random.shuffle(&mut items);
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
