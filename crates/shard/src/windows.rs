//! Which stretch of the tokens is at each place of the endless order of training.

use crate::error::ShardError;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The endless order of windows: randomly sampled contiguous sequences (paper 4.1).
///
/// Epoch `e` is the places `e * n_windows .. (e + 1) * n_windows`. Each epoch cuts the tokens into windows that begin at a
/// shift in `0..n_ctx` of its own, and takes them in an order of its own. Both are drawn from ChaCha8 with the seed as key
/// and the epoch as stream, so the window at a place follows from seed and place alone: training resumes anywhere.
///
/// A window is `n_ctx + 1` tokens: inputs and, one further, targets. Windows of an epoch share that one token only.
#[derive(Debug, Clone)]
pub struct Windows {
    n_ctx: usize,
    per_epoch: usize,
    n_shifts: usize,
    key: [u8; 32],
    epoch: Option<Epoch>,
}

#[derive(Debug, Clone)]
struct Epoch {
    number: u64,
    shift: usize,
    order: Vec<u32>,
}

impl Windows {
    /// The order of windows of `n_ctx + 1` among `n_tokens`; needs at least one. `n_ctx` of 0 counts as 1.
    pub fn new(n_tokens: usize, n_ctx: usize, seed: u64) -> Result<Windows, ShardError> {
        let n_ctx = n_ctx.max(1);
        if n_tokens <= n_ctx {
            return Err(ShardError::TooFewTokens { n_tokens, n_ctx });
        }
        // As many as fit at the largest shift: (n_ctx - 1) + n_windows * n_ctx + 1 <= n_tokens.
        let n_windows = (n_tokens / n_ctx - 1).max(1);
        if u32::try_from(n_windows).is_err() {
            return Err(ShardError::TooManyWindows { n_windows });
        }
        let n_shifts = n_ctx.min(n_tokens - n_windows * n_ctx);
        let mut key = [0; 32];
        key[..12].copy_from_slice(b"gpt1 windows");
        key[24..].copy_from_slice(&seed.to_le_bytes());
        Ok(Windows { n_ctx, per_epoch: n_windows, n_shifts, key, epoch: None })
    }

    /// Windows of an epoch.
    pub fn n_windows(&self) -> usize {
        self.per_epoch
    }

    /// The first token of the window of `n_ctx + 1` tokens at place `index`.
    pub fn start(&mut self, index: u64) -> usize {
        let n_windows = self.per_epoch as u64;
        let (number, place) = (index / n_windows, (index % n_windows) as usize);
        if self.epoch.as_ref().is_none_or(|epoch| epoch.number != number) {
            self.epoch = None;
        }
        let epoch = self.epoch.get_or_insert_with(|| Epoch::draw(&self.key, number, self.per_epoch, self.n_shifts));
        epoch.shift + epoch.order[place] as usize * self.n_ctx
    }
}

impl Epoch {
    fn draw(key: &[u8; 32], number: u64, n_windows: usize, n_shifts: usize) -> Epoch {
        let mut rng = ChaCha8Rng::from_seed(*key);
        rng.set_stream(number);
        let shift = below(&mut rng, n_shifts as u64) as usize;
        let mut order: Vec<u32> = (0..n_windows as u32).collect();
        // Fisher and Yates: each order is equally likely.
        for i in (1..order.len()).rev() {
            order.swap(i, below(&mut rng, i as u64 + 1) as usize);
        }
        Epoch { number, shift, order }
    }
}

/// An evenly distributed number below `n` > 0 (Lemire 2019, "Fast random integer generation in an interval").
fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        // The 2^64 mod n lowest fractions would make some numbers likelier.
        if product as u64 >= n.wrapping_neg() % n {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_epoch_covers_the_tokens(n_tokens in 2usize..400, n_ctx in 1usize..40, seed: u64, epoch in 0u64..1000) {
            prop_assume!(n_tokens > n_ctx);
            let mut windows = Windows::new(n_tokens, n_ctx, seed).unwrap();
            let n = windows.n_windows() as u64;
            let mut starts: Vec<usize> = (epoch * n..(epoch + 1) * n).map(|i| windows.start(i)).collect();
            starts.sort_unstable();
            prop_assert!(starts[0] < n_ctx);
            prop_assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == n_ctx));
            prop_assert!(starts[starts.len() - 1] + n_ctx < n_tokens);
            // What an epoch leaves out is less than two windows.
            prop_assert!(n_tokens - starts.len() * n_ctx <= 2 * n_ctx);
        }

        #[test]
        fn a_place_alone_decides(n_tokens in 50usize..4000, seed: u64, places in prop::collection::vec(0u64..5000, 1..20)) {
            let mut forwards = Windows::new(n_tokens, 7, seed).unwrap();
            for &place in &places {
                let fresh = Windows::new(n_tokens, 7, seed).unwrap().start(place);
                prop_assert_eq!(forwards.start(place), fresh);
            }
        }
    }

    #[test]
    fn shifts_and_orders_vary() {
        let mut windows = Windows::new(1000, 10, 3).unwrap();
        let n = windows.n_windows() as u64;
        assert_eq!(n, 99);
        let epochs: Vec<Vec<usize>> =
            (0..200).map(|e| (e * n..(e + 1) * n).map(|i| windows.start(i)).collect()).collect();
        let mut shifts: Vec<usize> = epochs.iter().map(|starts| starts.iter().min().unwrap() % 10).collect();
        shifts.sort_unstable();
        shifts.dedup();
        assert_eq!(shifts, (0..10).collect::<Vec<_>>());
        assert_ne!(epochs[0], epochs[1]);
        let mut other = Windows::new(1000, 10, 4).unwrap();
        assert_ne!(epochs[0], (0..n).map(|i| other.start(i)).collect::<Vec<_>>());
    }

    #[test]
    fn too_little_text() {
        assert!(matches!(Windows::new(10, 10, 0), Err(ShardError::TooFewTokens { n_tokens: 10, n_ctx: 10 })));
        assert!(matches!(Windows::new(0, 10, 0), Err(ShardError::TooFewTokens { .. })));
        let mut windows = Windows::new(11, 10, 0).unwrap();
        assert_eq!((windows.n_windows(), windows.start(0), windows.start(u64::MAX)), (1, 0, 0));
    }
}
